//! Facts as rules ask for them.

use super::{Fact, LoggedFailure, Phase, Statement, SyncEvent};

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
            if let Statement::Config { property, value } = &fact.statement {
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

    /// Whether a synchronization succeeded after what a fact tells: by time, or further down in the same file.
    pub fn succeeded_after(&self, fact: &Fact) -> bool {
        self.facts.iter().any(|other| {
            matches!(other.statement, Statement::LogSync { event: SyncEvent::Succeeded, .. })
                && match (fact.time, other.time) {
                    (Some(before), Some(succeeded)) => succeeded > before,
                    _ => fact.source.file == other.source.file && other.source.line > fact.source.line,
                }
        })
    }

    /// WinHTTP's proxy, the last one handed over: `host:port` by scheme, empty for direct access.
    pub fn winhttp(&self) -> Option<(&'a Fact, &'a [(String, String)])> {
        self.facts.iter().rev().find_map(|fact| match &fact.statement {
            Statement::WinHttpProxy { servers, .. } => Some((fact, servers.as_slice())),
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

    /// Whether the server is a 2012 or a 2012 R2; unknown without a version.
    pub fn version_is_2012_family(&self) -> Option<bool> {
        self.build().map(|(_, build)| matches!(build, 9200 | 9600))
    }
}

/// Whether who logged a failure synchronizes: not the web service (w3wp, where the console and the import speak), and of
/// Configuration Manager's components only the one that asks for a synchronization. What the others met lies between
/// them and the server itself.
pub fn synchronizes(process: &str) -> bool {
    process != "w3wp" && (!process.starts_with("SMS_") || process == "SMS_WSUS_SYNC_MANAGER")
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
