//! A collection: what one server's own commands printed, as one JSON file. `wsusprobe collect` and its PowerShell script
//! write it, `facts` reads it back.

use serde::{Deserialize, Serialize};

/// The version of the form that this program writes and reads.
pub const VERSION: u32 = 1;

/// What was collected on one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// The form's version.
    #[serde(rename = "wsusprobe-collection")]
    pub version: u32,
    /// The server's name, as it calls itself.
    #[serde(default)]
    pub server: String,
    /// When it was collected, RFC 3339.
    #[serde(default)]
    pub time: String,
    /// The account that ran the commands.
    #[serde(default)]
    pub account: String,
    /// What they printed.
    #[serde(default)]
    pub sources: Vec<Source>,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// A short name, `services`; the part of the collection is called `FILE#services`.
    pub name: String,
    /// The command as it was run: it tells what its output alone does not, a store's account for one.
    #[serde(default)]
    pub command: String,
    /// What it printed or gave.
    #[serde(flatten)]
    pub came: Came,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Came {
    /// Its output.
    Text(String),
    /// Why there is none.
    Failed(String),
}
