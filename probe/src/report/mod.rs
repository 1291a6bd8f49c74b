//! The report as one document, and its forms.

pub mod json;
pub mod short;
pub mod text;
pub mod tls;

#[cfg(test)]
mod sample;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::{Diagnosis, Finding, RuledOut, Unknown, Verdict};
use crate::evidence::{Evidence, Observation, PathInfo, SCHEMA};
use crate::facts::{Fact, FactView, servers};
use crate::settings::Settings;
use crate::timeline::{self, Moment};

/// The report and the saved evidence in one: given back to `diagnose` it is judged again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this form, 1.
    pub schema: u32,
    /// The answer in one word.
    pub verdict: Verdict,
    /// Causes first.
    pub findings: Vec<Finding>,
    /// What is excluded.
    pub ruled_out: Vec<RuledOut>,
    /// What cannot be told.
    pub unknown: Vec<Unknown>,
    /// What happened between the last success and the failures after it, where anything did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Moment>,
    /// What servers were found to speak, where that was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls: Vec<tls::TlsServer>,
    /// The settings of the run.
    pub settings: Settings,
    /// What is known of the server.
    pub facts: Vec<Fact>,
    /// The directions that were walked.
    pub paths: Vec<PathInfo>,
    /// What was seen on them.
    pub observations: Vec<Observation>,
}

impl Report {
    /// Puts a diagnosis and what it rests on into one document.
    pub fn new(diagnosis: Diagnosis, evidence: Evidence) -> Self {
        let Diagnosis { verdict, findings, ruled_out, unknown } = diagnosis;
        let tls = tls::servers(&evidence);
        let timeline = timeline::between(&FactView::new(&servers::joined(&evidence.facts)));
        let mut evidence = evidence;
        // A report needs no password, and is the last thing that should hold one.
        evidence.settings.proxy_password = None;
        let Evidence { settings, facts, paths, observations } = evidence;
        Report {
            schema: SCHEMA,
            verdict,
            findings,
            ruled_out,
            unknown,
            timeline,
            tls,
            settings,
            facts,
            paths,
            observations,
        }
    }
}
