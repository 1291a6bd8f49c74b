//! Events of the event log, whatever form they are handed over in: which matter, and what each says.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::scan::Scanner;
use super::when::When;
use super::{Found, Statement, line_number, shown};

/// The most events that are told apart.
const EVENTS: usize = 512;
/// The most that are told one by one of a kind that may change how a server synchronizes: the latest.
const EACH: usize = 16;
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

/// An event, with those of its kind that it stands for.
pub(super) struct Kept {
    provider: String,
    id: u32,
    /// The service that it is about, where one provider speaks of several.
    about: &'static str,
    count: u64,
    line: u64,
    when: Option<When>,
    excerpt: String,
}

impl Kept {
    /// One event and no other.
    pub(super) fn new(provider: &str, id: u32, line: u64, when: Option<When>, text: &str) -> Kept {
        Kept { provider: provider.to_string(), id, about: "", count: 1, line, when, excerpt: excerpt(text) }
    }

    /// What it states, with its line and its time.
    pub(super) fn state(self) -> (u64, Option<When>, Statement) {
        let Kept { provider, id, count, line, when, excerpt, .. } = self;
        (line, when, Statement::Event { provider: shown(&provider, 100), event: id, count, excerpt })
    }
}

/// The events of a file that are kept. The last of a kind stands for all of it; of what may change how a server synchronizes
/// each is kept, and the earliest stands for those that found no room.
#[derive(Default)]
pub(super) struct Tally(Vec<Kept>);

impl Tally {
    /// Takes an event. A log's lines are in order, whatever its clock says; exports list the newest first, and their times
    /// tell.
    pub(super) fn take(&mut self, new: Kept, in_order: bool) {
        let alike =
            |kept: &Kept| kept.id == new.id && kept.about == new.about && kept.provider == new.provider;
        let mut of_kind: Vec<usize> = (0..self.0.len()).filter(|&at| alike(&self.0[at])).collect();
        let each = if happening(&new.provider, new.id).is_some() { EACH } else { 1 };
        let room = self.0.len() < EVENTS;
        if of_kind.is_empty() || (room && of_kind.len() < each) {
            if room {
                self.0.push(new);
            }
            return;
        }
        // Without a time its place tells.
        let is_later = |one: &Kept, other: &Kept| in_order || one.when.is_none() || other.when <= one.when;
        of_kind.sort_by_key(|&at| if in_order { (None, self.0[at].line) } else { (self.0[at].when, 0) });
        let first = of_kind[0];
        if !is_later(&new, &self.0[first]) {
            self.0[first].count += 1;
            return;
        }
        // The earliest that is left stands for the one that makes room.
        let next = of_kind.get(1).copied().filter(|&next| is_later(&new, &self.0[next]));
        let gone = std::mem::replace(&mut self.0[first], new);
        self.0[next.unwrap_or(first)].count += gone.count;
    }

    /// What is kept, in the order of first mention.
    pub(super) fn into_kept(self) -> Vec<Kept> {
        self.0
    }
}

/// What an event stands for, where it may change how a server synchronizes. The Event Viewer shows some sources without the
/// vendor's name.
pub(crate) fn happening(provider: &str, event: u32) -> Option<&'static str> {
    let provider = provider.to_ascii_lowercase();
    Some(match (provider.strip_prefix("microsoft-windows-").unwrap_or(&provider), event) {
        ("windows server update services", 389) => "The synchronization's settings were changed",
        ("windows server update services", 501) => "The service started",
        ("windows server update services", 502) => "The service stopped",
        ("windows server update services", 507) => "The service failed to start",
        ("windows server update services", 421) => "The database was lost",
        ("kernel-general", 1) => "The clock was set",
        ("time-service", 36 | 47) => "The clock was not synchronized",
        ("was", 5002 | 5011 | 5013 | 5117) => "An application pool failed",
        ("service control manager", 7000 | 7024 | 7031 | 7034) => "A service failed",
        ("service control manager", 7040) => "How a service starts was changed",
        ("kernel-general", 12) => "Windows started",
        ("windowsupdateclient", 19) => "An update was installed",
        _ => return None,
    })
}

/// Gathers the events of one file.
#[derive(Default)]
pub(super) struct Events {
    kept: Tally,
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
        let mut about = "";
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
                Some(name) if (7000..7050).contains(&id) => about = name,
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
        self.kept.take(Kept { about, ..Kept::new(&entry.provider, id, line, when, text) }, false);
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
        for kept in self.kept.into_kept() {
            let (line, when, statement) = kept.state();
            found.when(line_number(line), when, statement);
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
