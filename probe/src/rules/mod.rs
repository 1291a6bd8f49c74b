//! What the evidence means: pure functions, one file per layer of the catalogue.
//!
//! The layers of the walk explain the observation that ended a lane; the others go by facts. `settle` puts causes before
//! symptoms; `diagnosis::judge` holds the laws.

pub mod catalogue;
mod config;
mod dial;
mod history;
mod http;
mod input;
mod name;
mod place;
mod printed;
mod proxy;
mod record;
pub(crate) mod seen;
mod settle;
mod tls;
#[cfg(test)]
mod told;
mod trust;
mod wsus;

use crate::diagnosis::{Confidence, Finding, Role, Severity, Unknown};
use crate::pages;

pub(crate) use config::stopped_upstream;
pub(crate) use history::{
    AfterRepair, after_repair, conclude, failing_elsewhere, never_started, open_questions, recovered_settles,
    something_arrived,
};
pub(crate) use input::servers;
pub(crate) use place::list;
pub(crate) use printed::own_test_failed;
pub(crate) use seen::{LaneEnd, LaneSeen, PathSeen, Seen};
pub(crate) use settle::settle;
pub(crate) use tls::unexplained_failure;

/// What rules give.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub findings: Vec<Finding>,
    pub unknown: Vec<Unknown>,
}

impl Given {
    /// Adds a finding; one of the same id and subject that is there already takes its observations over.
    pub fn add(&mut self, finding: Finding) {
        match self.findings.iter_mut().find(|f| f.id == finding.id && f.subject == finding.subject) {
            Some(there) => {
                there.role = there.role.min(finding.role);
                there.confidence = there.confidence.min(finding.confidence);
                there.severity = there.severity.min(finding.severity);
                for id in finding.because {
                    if !there.because.contains(&id) {
                        there.because.push(id);
                    }
                }
            }
            None => self.findings.push(finding),
        }
    }

    /// Adds an open question; the same question about the same observations is asked once.
    pub fn open(&mut self, question: &str, says: String, would_decide: &str, because: Vec<String>) {
        if self.unknown.iter().any(|u| u.question == question && u.says == says) {
            return;
        }
        let (question, would_decide) = (question.to_string(), would_decide.to_string());
        self.unknown.push(Unknown { question, says, would_decide, because });
    }
}

/// A finding of the catalogue with its own severity and its page's remedy.
pub(crate) fn finding(
    id: &str,
    role: Role,
    confidence: Confidence,
    subject: &str,
    says: impl Into<String>,
    because: Vec<String>,
) -> Finding {
    Finding {
        id: id.into(),
        severity: pages::severity(id),
        confidence,
        role,
        subject: subject.into(),
        says: says.into(),
        because,
        remedy: pages::remedy(id, subject),
    }
}

/// A finding that explains a failed observation for certain.
pub(crate) fn cause(id: &str, subject: &str, says: impl Into<String>, because: Vec<String>) -> Finding {
    finding(id, Role::Cause, Confidence::Certain, subject, says, because)
}

/// A finding that explains no failure.
pub(crate) fn note(id: &str, subject: &str, says: impl Into<String>, because: Vec<String>) -> Finding {
    finding(id, Role::Note, Confidence::Certain, subject, says, because)
}

/// Changes that a rule makes to what it began with.
pub(crate) trait With {
    fn likely(self) -> Self;
    fn possible(self) -> Self;
    fn role(self, role: Role) -> Self;
    fn severity(self, severity: Severity) -> Self;
}

impl With for Finding {
    fn likely(mut self) -> Self {
        self.confidence = self.confidence.max(Confidence::Likely);
        self
    }
    fn possible(mut self) -> Self {
        self.confidence = Confidence::Possible;
        self
    }
    fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }
    fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// A rule: its name, the kinds of evidence that it reads, and what it gives.
#[cfg_attr(not(test), expect(dead_code, reason = "tests hold every rule to what it declares"))]
pub(crate) struct Rule {
    /// Its name.
    pub name: &'static str,
    /// Whether it reads what the walk saw. How far a lane came is told by all of a path's observations.
    pub walk: bool,
    /// The kinds of statements that it reads; without any other it says the same.
    pub facts: &'static [&'static str],
    /// What it gives.
    pub give: fn(&Seen, &mut Given),
}

/// Every rule, lowest layer first.
pub(crate) const RULES: &[Rule] = &[
    Rule { name: "config", walk: true, facts: config::FACTS, give: config::give },
    Rule { name: "name", walk: true, facts: name::FACTS, give: name::give },
    Rule { name: "dial", walk: true, facts: &[], give: dial::give },
    Rule { name: "proxy", walk: true, facts: proxy::FACTS, give: proxy::give },
    Rule { name: "tls", walk: true, facts: tls::FACTS, give: tls::give },
    Rule { name: "trust", walk: true, facts: trust::FACTS, give: trust::give },
    Rule { name: "http", walk: true, facts: &[], give: http::give },
    Rule { name: "wsus", walk: true, facts: wsus::FACTS, give: wsus::give },
    Rule { name: "history", walk: false, facts: history::FACTS, give: history::give },
    Rule { name: "printed", walk: false, facts: printed::FACTS, give: printed::give },
    Rule { name: "input", walk: false, facts: input::FACTS, give: input::give },
    Rule { name: "place", walk: true, facts: &[], give: place::give },
];

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;
    use crate::evidence::Evidence;
    use crate::facts::Statement;

    /// Saved evidence of false worlds, at least one for each kind of outcome and most kinds of statements.
    fn saved() -> Vec<(String, Evidence)> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/evidence");
        let mut all: Vec<(String, Evidence)> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let text = std::fs::read_to_string(&path).expect("a file");
                let report = crate::report::json::read(&text).expect("a report");
                let (settings, facts) = (report.settings, report.facts);
                let (paths, observations) = (report.paths, report.observations);
                (path.display().to_string(), Evidence { settings, facts, paths, observations })
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    fn statement_kind(statement: &Statement) -> String {
        let value = serde_json::to_value(statement).expect("plain data");
        value["states"].as_str().expect("its tag").to_string()
    }

    fn given(rule: &Rule, evidence: &Evidence) -> Given {
        let mut given = Given::default();
        (rule.give)(&Seen::new(evidence), &mut given);
        given
    }

    #[test]
    fn a_rule_reads_only_what_it_declares() {
        let mut all = saved();
        all.extend(super::told::everything());
        assert!(all.len() >= 15, "{} files", all.len());
        let mut gave: BTreeSet<&str> = BTreeSet::new();
        let mut differ: Vec<String> = Vec::new();
        for rule in RULES {
            for (name, evidence) in &all {
                let mut less = evidence.clone();
                less.observations.retain(|_| rule.walk);
                less.facts.retain(|f| rule.facts.contains(&statement_kind(&f.statement).as_str()));
                let (whole, part) = (given(rule, evidence), given(rule, &less));
                if whole.findings != part.findings || whole.unknown != part.unknown {
                    let ids: Vec<_> = whole.findings.iter().map(|f| f.id.as_str()).collect();
                    differ.push(format!("{}: {name}: {ids:?}", rule.name));
                }
                if !whole.findings.is_empty() {
                    gave.insert(rule.name);
                }
            }
        }
        assert!(differ.is_empty(), "more is read than declared:\n{}", differ.join("\n"));
        for rule in ["config", "name", "dial", "proxy", "tls", "trust", "http", "wsus", "history"] {
            assert!(gave.contains(rule), "no evidence moves {rule}");
        }
    }

    #[test]
    fn iis_own_words_need_no_other_sign() {
        use crate::evidence::{HelloAnswer, HttpAnswer, Outcome};
        let (_, mut evidence) =
            saved().into_iter().find(|(name, _)| name.contains("http-client-certificate")).expect("it");
        for (words, id) in [
            ("HTTP Error 403.7 - Forbidden", "http/client-certificate"),
            ("HTTP Error 403.4 - Forbidden", "http/ssl-required"),
            ("403 - Forbidden: Access is denied.", "http/unauthorized"),
        ] {
            for observation in &mut evidence.observations {
                match &mut observation.outcome {
                    Outcome::Http { answer: HttpAnswer::Response { status: 403, body, .. }, .. } => {
                        *body = words.into();
                    }
                    Outcome::Hello {
                        answer: HelloAnswer::Answered { client_certificate_asked, .. }, ..
                    }
                    | Outcome::Handshake { client_certificate_asked, .. } => {
                        *client_certificate_asked = false
                    }
                    _ => {}
                }
            }
            let ids: Vec<_> = crate::diagnosis::judge(&evidence).findings.into_iter().map(|f| f.id).collect();
            assert_eq!(ids[0], id, "{words}");
        }
    }

    pub(crate) fn of(file: &str) -> Evidence {
        saved().into_iter().find(|(name, _)| name.contains(file)).expect("it").1
    }

    #[test]
    fn who_stands_on_the_way_is_likely_at_most_where_the_way_is_not_stated() {
        use crate::evidence::{ChainEnd, Outcome};
        let mut evidence = of("proxy-inspection");
        for observation in &mut evidence.observations {
            if let Outcome::Chain(chain) = &mut observation.outcome {
                chain.end = ChainEnd::Root;
            }
        }
        let hop = evidence.paths[0].proxy.clone().expect("a proxy");
        evidence.settings.proxy = crate::settings::ProxyChoice::Through(hop);
        let inspection = |evidence: &Evidence| {
            let findings = crate::diagnosis::judge(evidence).findings;
            findings.into_iter().find(|f| f.id == "proxy/inspection").expect("it").confidence
        };
        assert_eq!(inspection(&evidence), Confidence::Certain);
        evidence.settings.connect_to.clear();
        evidence.settings.proxy = crate::settings::ProxyChoice::AsConfigured;
        assert_eq!(inspection(&evidence), Confidence::Likely);
    }

    #[test]
    fn our_own_library_s_failure_is_not_a_demand_for_a_certificate() {
        use crate::evidence::{HandshakeAnswer, Outcome};
        let mut evidence = of("tls-client-certificate");
        for observation in &mut evidence.observations {
            if let Outcome::Handshake { answer, .. } = &mut observation.outcome {
                *answer = HandshakeAnswer::OwnLimit { why: "a curve that it does not have".into() };
            }
        }
        let findings = crate::diagnosis::judge(&evidence).findings;
        assert!(findings.iter().all(|f| f.id != "tls/client-certificate"), "{findings:#?}");
    }

    #[test]
    fn a_page_out_of_a_tunnel_may_be_the_proxy_s() {
        use crate::evidence::{HelloAnswer, Outcome};
        let mut evidence = of("proxy-closed");
        evidence.observations.retain(|o| o.question.is_none());
        for observation in &mut evidence.observations {
            if let Outcome::Hello { answer, .. } = &mut observation.outcome {
                *answer = HelloAnswer::PlainHttp { status: "HTTP/1.1 403 Forbidden".into() };
            }
        }
        let of_page = |evidence: &Evidence| {
            let findings = crate::diagnosis::judge(evidence).findings;
            findings.into_iter().find(|f| f.id == "tls/plain-http").expect("it").confidence
        };
        assert_eq!(of_page(&evidence), Confidence::Possible);
        for path in &mut evidence.paths {
            path.proxy = None;
        }
        assert_eq!(of_page(&evidence), Confidence::Certain);
    }

    #[test]
    fn every_declared_kind_exists() {
        let statements = [
            "config",
            "config-unavailable",
            "server-version",
            "win-http-proxy",
            "port-test",
            "resolved",
            "log",
            "log-schannel",
            "log-endpoint",
            "log-failure",
            "log-sync",
            "client-log",
            "console",
            "elsewhere",
            "registry",
            "cipher-order",
            "curve-order",
            "cipher-suites",
            "server-name",
            "event",
            "change",
            "clock-jump",
            "installed-update",
            "service",
            "app-pool",
            "pool-setting",
            "iis-binding",
            "iis-access",
            "ssl-binding",
            "stored-certificate",
            "part-of-store",
            "chain-verdict",
            "clock-source",
            "subscription",
            "sync-run",
            "iis-answer",
            "http-test",
            "not-collected",
            "unreadable",
        ];
        for rule in RULES {
            for kind in rule.facts {
                assert!(statements.contains(kind), "{}: {kind}", rule.name);
            }
        }
    }
}
