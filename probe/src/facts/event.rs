//! Events of the event log, whatever form they are handed over in: which matter, and what each says.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::scan::Scanner;
use super::when::When;
use super::{Found, Statement, line_number, shown};

/// The most events that are told apart.
const EVENTS: usize = 512;
/// The most names of computers that are kept.
const COMPUTERS: usize = 16;
/// The most installed updates that are kept.
const UPDATES: usize = 2000;
/// The longest excerpt.
const EXCERPT: usize = 300;
/// The source of WSUS' own events.
pub(super) const WSUS: &str = "Windows Server Update Services";

/// One event.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// Its line; 0 where the form has none.
    pub(super) line: u64,
    pub(super) id: Option<u32>,
    pub(super) provider: String,
    pub(super) when: Option<When>,
    pub(super) computer: String,
    /// Its message, or the strings that would be inserted into it.
    pub(super) text: String,
    /// Strings that have names.
    pub(super) named: Vec<(String, String)>,
}

struct Kept {
    provider: String,
    id: u32,
    /// The service that it is about, where one provider speaks of several.
    about: String,
    count: u64,
    line: u64,
    when: Option<When>,
    excerpt: String,
}

/// Gathers the events of one file.
#[derive(Default)]
pub(super) struct Events {
    kept: Vec<Kept>,
    computers: Vec<(String, u64)>,
    updates: BTreeMap<String, (u64, Option<When>)>,
}

/// What a source's events are about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Concern {
    Wsus,
    Tls,
    Clock,
    Services,
    Web,
    Updates,
    Servicing,
}

/// The Event Viewer shows some sources without the vendor's name.
fn concern(provider: &str) -> Option<Concern> {
    let name = provider.strip_prefix("Microsoft-Windows-").unwrap_or(provider);
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if name.contains("Server Update Services") {
        Some(Concern::Wsus)
    } else if is(&["Schannel"]) {
        Some(Concern::Tls)
    } else if is(&["Kernel-General", "Kernel-Time", "Time-Service", "W32Time"]) {
        Some(Concern::Clock)
    } else if is(&["Service Control Manager"]) {
        Some(Concern::Services)
    } else if is(&["WAS", "W3SVC", "IIS-W3SVC", "IIS-W3SVC-WP", "W3SVC-WP"]) {
        Some(Concern::Web)
    } else if is(&["WindowsUpdateClient"]) {
        Some(Concern::Updates)
    } else if is(&["Servicing"]) {
        Some(Concern::Servicing)
    } else {
        None
    }
}

/// Whether events of this source are ever of use.
pub(super) fn matters(provider: &str) -> bool {
    concern(provider).is_some()
}

/// The service of WSUS, of IIS or of the database that a text is about: its name or what the console calls it.
fn service(text: &str) -> Option<&'static str> {
    const NAMES: [(&str, &[&str]); 4] = [
        ("WsusService", &["WsusService", "WSUS"]),
        ("WsusCertServer", &["WsusCertServer"]),
        ("W3SVC", &["W3SVC", "World Wide Web", "WWW-", "Windows Process Activation", "WAS "]),
        (
            "database",
            &[
                "MSSQL",
                "##WID",
                "Internal Database",
                "Interne Windows-Datenbank",
                "SQL Server",
                "Base de donn",
            ],
        ),
    ];
    NAMES.iter().rev().find(|(_, texts)| texts.iter().any(|name| text.contains(name))).map(|(name, _)| *name)
}

static UPDATE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bKB(\d{5,8})\b").expect("fixed pattern"));

impl Events {
    /// Takes the next event.
    pub(super) fn take(&mut self, entry: Entry, scanner: &mut Scanner) {
        let (Some(concern), Some(id)) = (concern(&entry.provider), entry.id) else { return };
        let Entry { line, when, ref text, .. } = entry;
        let mut about = String::new();
        match concern {
            Concern::Wsus => {
                scanner.event(line, when, id, text);
                if matches!(id, 381 | 382 | 384 | 386) {
                    self.computer(&entry);
                    return;
                }
            }
            Concern::Tls => {}
            // The kernel tells much else under other numbers.
            Concern::Clock => {
                if entry.provider.contains("Kernel") && id != 1 && !entry.provider.contains("Kernel-Time") {
                    return;
                }
            }
            Concern::Services => match service(text) {
                Some(name) if (7000..7050).contains(&id) => about = name.to_string(),
                _ => return,
            },
            Concern::Web => {
                if !text.to_ascii_lowercase().contains("wsus") {
                    return;
                }
            }
            Concern::Updates | Concern::Servicing => {
                let installed = match concern {
                    Concern::Updates => id == 19,
                    _ => id == 2 && installed(&entry),
                };
                if installed {
                    self.update(&entry);
                }
                return;
            }
        }
        self.computer(&entry);
        let room = self.kept.len() < EVENTS;
        let known = self
            .kept
            .iter_mut()
            .find(|kept| kept.id == id && kept.about == about && kept.provider == entry.provider);
        match known {
            Some(kept) => {
                kept.count += 1;
                // Exports list the newest first: the last one by its time, or by its place without one.
                if when.is_none() || kept.when <= when {
                    (kept.line, kept.when) = (line, when);
                    kept.excerpt = excerpt(text);
                }
            }
            None if room => {
                let (provider, excerpt) = (entry.provider.clone(), excerpt(text));
                self.kept.push(Kept { provider, id, about, count: 1, line, when, excerpt });
            }
            None => {}
        }
    }

    fn computer(&mut self, entry: &Entry) {
        let name = entry.computer.trim();
        if name.is_empty() || self.computers.len() >= COMPUTERS {
            return;
        }
        if self.computers.iter().all(|(known, _)| !known.eq_ignore_ascii_case(name)) {
            self.computers.push((name.to_string(), entry.line));
        }
    }

    fn update(&mut self, entry: &Entry) {
        self.computer(entry);
        let named = entry.named.iter().map(|(_, value)| value.as_str());
        let Some(found) = named.chain([entry.text.as_str()]).find_map(|text| UPDATE.captures(text)) else {
            return;
        };
        let update = format!("KB{}", &found[1]);
        if self.updates.len() < UPDATES {
            let known = self.updates.entry(update).or_insert((entry.line, entry.when));
            if known.1 <= entry.when {
                *known = (entry.line, entry.when);
            }
        }
    }

    /// States what was gathered.
    pub(super) fn finish(self, found: &mut Found) {
        for (name, line) in self.computers {
            found.fact(line_number(line), None, Statement::ServerName { name: shown(&name, 255) });
        }
        for (update, (line, when)) in self.updates {
            found.when(line_number(line), when, Statement::InstalledUpdate { update });
        }
        for kept in self.kept {
            let Kept { provider, id, count, line, when, excerpt, .. } = kept;
            let provider = shown(&provider, 100);
            found.when(line_number(line), when, Statement::Event { provider, event: id, count, excerpt });
        }
    }
}

/// Whether servicing says that a package is now installed: in data, 112 with the high bits that mark the state.
fn installed(entry: &Entry) -> bool {
    let state = |name: &str, value: &str| {
        entry.named.iter().any(|(known, held)| known == name && held.eq_ignore_ascii_case(value))
    };
    if entry.named.is_empty() {
        return entry.text.contains("Installed state") || entry.text.contains("Status \"Installiert\"");
    }
    state("IntendedPackageStateTextized", "Installed") || state("IntendedPackageState", "5112")
}

fn excerpt(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(120).collect();
    shown(&words.join(" "), EXCERPT)
}
