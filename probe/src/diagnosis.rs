//! Findings, the diagnosis that they make, and the order in which they are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Layer;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Synchronization fails by it.
    Error,
    /// It will, or something beside synchronization does.
    Warning,
    /// Worth knowing.
    Info,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The observations leave nothing else.
    Certain,
    /// They leave little else.
    Likely,
    /// They fit, as others do.
    Possible,
}

/// What a finding is to the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It explains a failed observation.
    Cause,
    /// It also holds for one that another finding explains.
    Contributing,
    /// It explains no failure.
    Note,
}

/// What to do about a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remedy {
    /// What to do, in order.
    pub steps: Vec<String>,
    /// PowerShell, where the repair is a command.
    pub commands: Vec<String>,
    /// On which server.
    #[serde(rename = "where")]
    pub place: String,
    /// On which servers, and which advice, never.
    pub never: Vec<String>,
}

/// One thing that the evidence says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its id in the catalogue.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// What it is to the failure.
    pub role: Role,
    /// `host:port`, a file as given, or a property's name.
    pub subject: String,
    /// What was seen, in a sentence or two with the facts quoted.
    pub says: String,
    /// The ids of the observations and facts that it rests on.
    pub because: Vec<String>,
    /// What to do.
    pub remedy: Remedy,
}

impl Finding {
    /// The layer of its id.
    pub fn layer(&self) -> Layer {
        Layer::of_id(&self.id).unwrap_or(Layer::Unexplained)
    }
}

/// What the evidence excludes: the line that an administrator shows the network team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuledOut {
    /// The layer that is in order.
    pub layer: Layer,
    /// The path's id.
    pub path: String,
    /// `host:port`.
    pub subject: String,
    /// What was seen.
    pub says: String,
    /// The observations that it rests on.
    pub because: Vec<String>,
}

/// What the evidence cannot tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unknown {
    /// The open question.
    pub question: String,
    /// Why it is open.
    pub says: String,
    /// The test that would decide.
    pub would_decide: String,
    /// The observations and facts that leave it open.
    pub because: Vec<String>,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The path works and nothing warns.
    Healthy,
    /// It works and something warns.
    Degraded,
    /// A cause is known.
    Faulty,
    /// None is known for certain enough.
    Undetermined,
}

impl Verdict {
    /// The exit code, by the monitoring plug-ins' contract.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Healthy => 0,
            Verdict::Degraded => 1,
            Verdict::Faulty => 2,
            Verdict::Undetermined => 3,
        }
    }

    /// The word itself.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::Degraded => "degraded",
            Verdict::Faulty => "faulty",
            Verdict::Undetermined => "undetermined",
        }
    }
}

/// What the evidence says, as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The answer in one word.
    pub verdict: Verdict,
    /// Causes first.
    pub findings: Vec<Finding>,
    /// What is excluded.
    pub ruled_out: Vec<RuledOut>,
    /// What cannot be told.
    pub unknown: Vec<Unknown>,
}
