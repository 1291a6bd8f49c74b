//! A collection: each of its sources is read as a file of its own.

use serde_json::Value;

use super::{Found, Kind, Part, Statement, line_number, shown};
use crate::collection::{Came, Collection, Source, VERSION};

/// The most sources.
const SOURCES: usize = 512;
/// The key that a collection begins with.
const KEY: &str = "wsusprobe-collection";

/// Whether a document is a collection.
pub(super) fn is_one(value: &Value) -> bool {
    value.get(KEY).is_some()
}

/// Reads a collection that is `text` and begins on line `first`.
pub(super) fn read(value: &Value, text: &str, first: u64, found: &mut Found) {
    const EXPECTED: &str = "a collection of version 1";
    found.kind(Kind::Collection);
    let line_of = |name: &str| {
        let at = text.find(&format!("\"{name}\"")).unwrap_or(0);
        line_number(first + memchr::memchr_iter(b'\n', &text.as_bytes()[..at]).count() as u64)
    };
    match value.get(KEY).and_then(Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => {
            let given = format!("version {version}, which another version of this program wrote");
            return found.problem(line_of(KEY), EXPECTED, given);
        }
        None => return found.problem(line_of(KEY), EXPECTED, format!("another value of `{KEY}`")),
    }
    let collection: Collection = match serde_json::from_str(text) {
        Ok(collection) => collection,
        Err(error) => {
            let line = line_number(first + (error.line() as u64).max(1) - 1);
            let why = error.to_string();
            let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
            return found.problem(line, EXPECTED, shown(why, 200));
        }
    };
    if !collection.server.trim().is_empty() {
        let name = shown(collection.server.trim(), 260);
        found.fact(line_of("server"), None, Statement::ServerName { name });
    }
    if collection.sources.len() > SOURCES {
        let given = format!("{} of them", collection.sources.len());
        found.problem(line_of("sources"), "at most 512 sources in a collection", given);
    }
    for Source { name, command, came } in collection.sources.into_iter().take(SOURCES) {
        let name = shown(&name, 80);
        match came {
            // Nothing was printed: nothing is there, which is no fault of the file.
            Came::Text(text) if text.trim().is_empty() => {}
            Came::Text(text) => {
                let command = Some(command.chars().take(2000).collect());
                found.part(Part { name, bytes: text.into_bytes(), command });
            }
            Came::Failed(why) => {
                let why = shown(why.trim(), 300);
                found.fact(None, None, Statement::NotCollected { source: name, why });
            }
        }
    }
}
