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
mod proxy;
pub(crate) mod seen;
mod settle;
mod tls;
mod trust;
mod wsus;

use crate::diagnosis::{Confidence, Finding, Role, Severity, Unknown};
use crate::pages;

pub(crate) use history::open_questions;
pub(crate) use place::list;
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
#[allow(dead_code, reason = "names and kinds are for who checks the rules")]
pub(crate) struct Rule {
    /// Its name.
    pub name: &'static str,
    /// The kinds of outcomes and statements that it reads; without any other it says the same.
    pub reads: &'static [&'static str],
    /// What it gives.
    pub give: fn(&Seen, &mut Given),
}

/// Every rule, lowest layer first.
pub(crate) const RULES: &[Rule] = &[
    Rule { name: "config", reads: config::READS, give: config::give },
    Rule { name: "name", reads: name::READS, give: name::give },
    Rule { name: "dial", reads: dial::READS, give: dial::give },
    Rule { name: "proxy", reads: proxy::READS, give: proxy::give },
    Rule { name: "tls", reads: tls::READS, give: tls::give },
    Rule { name: "trust", reads: trust::READS, give: trust::give },
    Rule { name: "http", reads: http::READS, give: http::give },
    Rule { name: "wsus", reads: wsus::READS, give: wsus::give },
    Rule { name: "history", reads: history::READS, give: history::give },
    Rule { name: "input", reads: input::READS, give: input::give },
    Rule { name: "place", reads: place::READS, give: place::give },
];

/// The walk's own kinds: how far a lane came is told by all of them.
pub(crate) const WALK: &[&str] =
    &["name", "dial", "proxy", "hello", "chain", "handshake", "http", "soap", "not-reached", "not-asked"];
