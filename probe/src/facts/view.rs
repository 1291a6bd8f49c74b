//! Facts as rules ask for them.

use super::{
    Fact, LoggedFailure, Order, Phase, RegistryValue, Statement, Successes, SyncEvent, SyncResult, Times,
};

/// A look at facts by what they state. Where facts contradict one another the last one is answered.
#[derive(Clone, Copy, Debug)]
pub struct FactView<'a> {
    facts: &'a [Fact],
}

/// A failure and the fact that states it.
#[derive(Clone, Copy, Debug)]
pub struct FailureView<'a> {
    /// The fact.
    pub fact: &'a Fact,
    /// Who logged it; empty where the text does not say.
    pub process: &'a str,
    /// What it is.
    pub failure: &'a LoggedFailure,
    /// How far the synchronization had come.
    pub phase: Option<Phase>,
    /// How often it stands in the file.
    pub count: u64,
}

/// A synchronization that came to an end, and the fact that states it.
#[derive(Clone, Copy, Debug)]
pub struct RunView<'a> {
    /// The fact.
    pub fact: &'a Fact,
    /// Whether it succeeded; it failed else.
    pub succeeded: bool,
    /// The class of its error, `UssCommunicationError`; empty where the source has none.
    pub error: &'a str,
    /// The text of its error; empty without one.
    pub text: &'a str,
    /// How many new updates it brought, where the source says so.
    pub new_updates: Option<u64>,
}

/// WinHTTP's proxy, and the fact that states it.
#[derive(Clone, Copy, Debug)]
pub struct WinHttpView<'a> {
    /// The fact.
    pub fact: &'a Fact,
    /// `host:port` by scheme, `*` for every one; empty for direct access.
    pub servers: &'a [(String, String)],
    /// What goes past it, as printed.
    pub bypass: &'a str,
}

/// What the latest runs on record came to.
#[derive(Clone, Debug)]
pub enum LastRun<'a> {
    /// None is on record.
    None,
    /// This one is the last.
    One(RunView<'a>),
    /// A success and a failure whose order does not show.
    Unsure(RunView<'a>, RunView<'a>),
}

impl<'a> FactView<'a> {
    /// A look at `facts`.
    pub fn new(facts: &'a [Fact]) -> Self {
        FactView { facts }
    }

    /// Every fact.
    pub fn all(&self) -> &'a [Fact] {
        self.facts
    }

    /// What the configurations say of a property, in the order read. Case does not count.
    pub fn config_all(&self, property: &str) -> Vec<(&'a Fact, &'a str)> {
        self.facts
            .iter()
            .filter_map(|fact| match &fact.statement {
                Statement::Config { property: name, value } if name.eq_ignore_ascii_case(property) => {
                    Some((fact, value.as_str()))
                }
                _ => None,
            })
            .collect()
    }

    /// What the last configuration that has a property says of it.
    pub fn config(&self, property: &str) -> Option<(&'a Fact, &'a str)> {
        self.config_all(property).pop()
    }

    /// A property that is true or false.
    pub fn flag(&self, property: &str) -> Option<(&'a Fact, bool)> {
        let (fact, value) = self.config(property)?;
        match value {
            "True" => Some((fact, true)),
            "False" => Some((fact, false)),
            _ => None,
        }
    }

    /// A property that is a port; an empty one and 0 are none.
    pub fn port(&self, property: &str) -> Option<(&'a Fact, u16)> {
        let (fact, value) = self.config(property)?;
        value.parse().ok().filter(|&port| port != 0).map(|port| (fact, port))
    }

    /// A property that is a number.
    pub fn number(&self, property: &str) -> Option<(&'a Fact, u32)> {
        let (fact, value) = self.config(property)?;
        value.parse().ok().map(|number| (fact, number))
    }

    /// Properties of which the facts say different things, in the order of their first mention. Case does not count.
    pub fn contradictions(&self) -> Vec<(&'a str, Vec<&'a Fact>)> {
        let mut seen: Vec<(&str, Vec<(&Fact, &str)>)> = Vec::new();
        for fact in self.facts {
            // Two ServerIds are two servers, and no two values of one.
            if let Statement::Config { property, value } = &fact.statement
                && !property.eq_ignore_ascii_case("ServerId")
            {
                match seen.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(property)) {
                    Some((_, facts)) => facts.push((fact, value)),
                    None => seen.push((property, vec![(fact, value)])),
                }
            }
        }
        seen.retain(|(_, facts)| facts.iter().any(|(_, value)| !value.eq_ignore_ascii_case(facts[0].1)));
        seen.into_iter()
            .map(|(name, facts)| (name, facts.into_iter().map(|(fact, _)| fact).collect()))
            .collect()
    }

    /// Whether a configuration was handed over.
    pub fn has_config(&self) -> bool {
        self.facts.iter().any(|fact| matches!(fact.statement, Statement::Config { .. }))
    }

    /// The URLs that logs name.
    pub fn endpoints(&self) -> Vec<(&'a Fact, &'a str)> {
        self.facts
            .iter()
            .filter_map(|fact| match &fact.statement {
                Statement::LogEndpoint { url } => Some((fact, url.as_str())),
                _ => None,
            })
            .collect()
    }

    /// The URL of another host that a log names after the one in `fact`: the service has been pointed elsewhere since.
    pub fn moved_since(&self, fact: &Fact) -> Option<(&'a Fact, &'a str)> {
        let Statement::LogEndpoint { url } = &fact.statement else { return None };
        let times = Times::new(self.facts);
        let host = |url: &str| url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_string));
        let own = host(url)?;
        self.endpoints().into_iter().find(|(other, url)| {
            host(url).is_some_and(|host| host != own) && times.order(other, fact) == Order::After
        })
    }

    /// Whether a synchronization succeeded after what a fact tells: by time, or further down in the same file.
    pub fn succeeded_after(&self, fact: &Fact) -> bool {
        Successes::new(self.facts).after(fact)
    }

    /// Whether the server's own check said later than a fact that synchronization works (event 10020).
    pub fn found_well_after(&self, fact: &Fact) -> bool {
        let times = Times::new(self.facts);
        self.events(&[10020]).any(|(well, _)| times.order(well, fact) == Order::After)
    }

    /// The synchronizations that came to an end, as logs, events and the history tell of them. One that somebody
    /// cancelled is none.
    pub fn runs(&self) -> impl Iterator<Item = RunView<'a>> + use<'a> {
        self.facts.iter().filter_map(|fact| match &fact.statement {
            Statement::LogSync { event: SyncEvent::Succeeded, .. } => {
                Some(RunView { fact, succeeded: true, error: "", text: "", new_updates: None })
            }
            Statement::LogSync { event: SyncEvent::Failed, reason, .. } => {
                Some(RunView { fact, succeeded: false, error: "", text: reason, new_updates: None })
            }
            Statement::SyncRun { result, error, text, new_updates } => {
                let succeeded = match result {
                    SyncResult::Succeeded => true,
                    SyncResult::Failed => false,
                    _ => return None,
                };
                Some(RunView { fact, succeeded, error, text, new_updates: *new_updates })
            }
            _ => None,
        })
    }

    /// The last run on record.
    pub fn last_run(&self) -> LastRun<'a> {
        let times = Times::new(self.facts);
        // Of each file the last that succeeded and the last that failed: which of them came later may not show.
        let mut of_files: Vec<RunView<'a>> = Vec::new();
        for run in self.runs() {
            let alike = |last: &&mut RunView<'a>| {
                last.fact.source.file == run.fact.source.file && last.succeeded == run.succeeded
            };
            match of_files.iter_mut().find(alike) {
                Some(last) if times.order(last.fact, run.fact) != Order::After => *last = run,
                Some(_) => {}
                None => of_files.push(run),
            }
        }
        let before =
            |run: &RunView| of_files.iter().any(|other| times.order(run.fact, other.fact) == Order::Before);
        let last: Vec<RunView> = of_files.iter().filter(|run| !before(run)).copied().collect();
        let good = last.iter().rev().find(|run| run.succeeded);
        let bad = last.iter().rev().find(|run| !run.succeeded);
        match (good, bad) {
            (Some(good), Some(bad)) => LastRun::Unsure(*good, *bad),
            (Some(run), None) | (None, Some(run)) => LastRun::One(*run),
            (None, None) => LastRun::None,
        }
    }

    /// What the subscription's printout says of a property; the last fact that states it.
    pub fn subscription(&self, property: &str) -> Option<(&'a Fact, &'a str)> {
        self.facts.iter().rev().find_map(|fact| match &fact.statement {
            Statement::Subscription { property: its, value } if its.eq_ignore_ascii_case(property) => {
                Some((fact, value.trim()))
            }
            _ => None,
        })
    }

    /// Whether a file shows a part of a certificate store alone.
    pub fn is_part_of_a_store(&self, file: &str) -> bool {
        self.facts
            .iter()
            .any(|fact| matches!(fact.statement, Statement::PartOfStore { .. }) && fact.source.file == file)
    }

    /// The events of WSUS with one of these numbers.
    pub fn events(&self, numbers: &'static [u32]) -> impl Iterator<Item = (&'a Fact, u32)> + use<'a> {
        self.facts.iter().filter_map(move |fact| match &fact.statement {
            Statement::Event { provider, event, .. }
                if numbers.contains(event)
                    && provider.eq_ignore_ascii_case("Windows Server Update Services") =>
            {
                Some((fact, *event))
            }
            _ => None,
        })
    }

    /// What a value of the registry holds, in a key that ends so; the last fact that states it. Case does not count.
    pub fn registry(&self, key_end: &str, name: &str) -> Option<(&'a Fact, &'a RegistryValue)> {
        self.facts.iter().rev().find_map(|fact| match &fact.statement {
            Statement::Registry { key, name: its, value }
                if its.eq_ignore_ascii_case(name) && ends_with(key, key_end) =>
            {
                Some((fact, value))
            }
            _ => None,
        })
    }

    /// WinHTTP's proxy, the last one handed over.
    pub fn winhttp(&self) -> Option<WinHttpView<'a>> {
        self.facts.iter().rev().find_map(|fact| match &fact.statement {
            Statement::WinHttpProxy { servers, bypass } => Some(WinHttpView { fact, servers, bypass }),
            _ => None,
        })
    }

    /// The failures that logs and pasted texts tell of.
    pub fn failures(&self) -> Vec<FailureView<'a>> {
        self.facts
            .iter()
            .filter_map(|fact| match &fact.statement {
                Statement::LogFailure { process, failure, phase, count, .. } => {
                    Some(FailureView { fact, process, failure, phase: *phase, count: *count })
                }
                _ => None,
            })
            .collect()
    }

    /// The build number of the server's Windows, which its WSUS has too; the last fact that has one.
    pub fn build(&self) -> Option<(&'a Fact, u32)> {
        self.facts.iter().rev().find_map(|fact| match &fact.statement {
            Statement::ServerVersion { version } => build_of(version).map(|build| (fact, build)),
            _ => None,
        })
    }

    /// The facts that state another build than the last one does, and that one, where there are such.
    pub fn contradictory_builds(&self) -> Vec<&'a Fact> {
        let Some((last, taken)) = self.build() else { return Vec::new() };
        let others = self.facts.iter().filter(|fact| match &fact.statement {
            Statement::ServerVersion { version } => build_of(version).is_some_and(|build| build != taken),
            _ => false,
        });
        let mut facts: Vec<&Fact> = others.collect();
        if !facts.is_empty() {
            facts.push(last);
        }
        facts
    }

    /// Whether the server is a 2012 or a 2012 R2; unknown without a version, and where the versions contradict one another.
    pub fn version_is_2012_family(&self) -> Option<bool> {
        self.build()
            .filter(|_| self.contradictory_builds().is_empty())
            .map(|(_, build)| matches!(build, 9200 | 9600))
    }
}

/// Whether who logged a failure synchronizes: not the web service (w3wp, where the console and the import speak), and of
/// Configuration Manager's components only the one that asks for a synchronization. What the others met lies between
/// them and the server itself, and what a command met that somebody typed (`Invoke-WebRequest`) between that user and a
/// server.
pub fn synchronizes(process: &str) -> bool {
    process != "w3wp"
        && !process.contains('-')
        && (!is_configuration_manager(process) || process == "SMS_WSUS_SYNC_MANAGER")
}

/// Whether who logged something is a component of Configuration Manager.
pub fn is_configuration_manager(process: &str) -> bool {
    process.starts_with("SMS_")
}

/// Whether a failure is one of synchronization, by who logged it and how far that had come: an import is another way to the
/// same server, and update files are fetched apart from metadata.
pub fn fails_synchronization(process: &str, phase: Option<Phase>) -> bool {
    synchronizes(process) && !matches!(phase, Some(Phase::Import | Phase::Content))
}

/// Whether a key of the registry holds the proxy of a user's programs, which the service does not use.
pub(crate) fn is_user_proxy_key(key: &str) -> bool {
    ends_with(key, r"\Internet Settings")
}

/// Whose programs go by the proxy of such a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyOf {
    /// A person's, a browser among them.
    User,
    /// Those of everybody on the machine.
    Machine,
    /// Those that run as this account of Windows.
    Account(&'static str),
}

impl ProxyOf {
    /// By the hive that the key is in (Microsoft: Well-known SIDs).
    pub(crate) fn key(key: &str) -> ProxyOf {
        const ACCOUNTS: [(&str, &str); 4] = [
            (r"\S-1-5-18\", "LOCAL SYSTEM"),
            (r"\.DEFAULT\", "LOCAL SYSTEM"),
            (r"\S-1-5-19\", "LOCAL SERVICE"),
            (r"\S-1-5-20\", "NETWORK SERVICE"),
        ];
        let key = key.to_ascii_uppercase();
        if key.starts_with(r"HKLM\") || key.starts_with(r"HKEY_LOCAL_MACHINE\") {
            return ProxyOf::Machine;
        }
        let account = ACCOUNTS.iter().find(|(sid, _)| key.contains(sid));
        account.map_or(ProxyOf::User, |(_, name)| ProxyOf::Account(name))
    }
}

/// Whether a key of the registry ends so, whatever the case.
fn ends_with(key: &str, end: &str) -> bool {
    let at = key.len().wrapping_sub(end.len());
    key.get(at..).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// The build number in a version. Libraries of Server 2022 call themselves 6.2.20348: only the build tells.
fn build_of(version: &str) -> Option<u32> {
    if let Some(name) = version.strip_prefix("Windows Server ") {
        return match name {
            "2012" => Some(9200),
            "2012 R2" => Some(9600),
            "2016" => Some(14393),
            "2019" => Some(17763),
            "2022" => Some(20348),
            "2025" => Some(26100),
            _ => None,
        };
    }
    version.split('.').nth(2)?.parse().ok()
}
