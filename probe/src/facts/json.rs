//! JSON: `ConvertTo-Json` of the configuration, of `Get-WsusServer`, of `Get-TlsCipherSuite` or of a key of the registry,
//! and saved reports given back.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::config::{self, Configuration};
use super::prints::{Prints, Record};
use super::scan::Scanner;
use super::suites::{Suites, is_suite};
use super::{Found, Kind, Statement, collection, line_number, netsh, registry, server, shown};
use crate::evidence::SCHEMA;
use crate::report::Report;

/// How much is looked at of a document inside a text that is not well formed, in bytes.
const DAMAGED: usize = 64 * 1024;

/// Whether `head` begins as JSON does. `{GUID}` of a client's log and `[42000]` of a database error do not.
pub(super) fn recognise(head: &str) -> bool {
    let head = head.trim_start();
    let next = |open: char| head.strip_prefix(open).map(|rest| rest.trim_start().chars().next());
    // `["TLS_...` is what is left of Get-TlsCipherSuite where its names alone were asked for.
    let names = || {
        let name = head.strip_prefix('[').and_then(|rest| rest.trim_start().strip_prefix('"'));
        name.is_some_and(|name| name.split('"').next().is_some_and(is_suite))
    };
    matches!(next('{'), Some(Some('"' | '}') | None))
        || matches!(next('['), Some(Some('{' | ']') | None))
        || names()
}

/// Reads a JSON document; how long it is: what follows on a line of its own is none.
pub(super) fn read(text: &str, found: &mut Found, saved: &mut Vec<Report>, scanner: &mut Scanner) -> usize {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let first = values.next();
    let size = values.byte_offset().min(text.len());
    let rest = text[size..].trim_start_matches([' ', '\t', '\r']);
    // A bracket too many is a fault of the document itself.
    let follows = rest.starts_with('\n') && !rest.trim_start().starts_with(['}', ']', ',', ':', '"']);
    let value = match first {
        Some(Ok(value)) if follows => Ok(value),
        _ => serde_json::from_str(text),
    };
    let (value, size) = match value {
        Ok(value) if follows => (value, size),
        Ok(value) => (value, text.len()),
        Err(error) => {
            ill_formed(&error, text, 1, found);
            return text.len();
        }
    };
    let (text, before) = (&text[..size], found.facts.len() + found.problems.len());
    take(value, text, 1, found, saved, scanner);
    if found.facts.len() + found.problems.len() == before && found.kind.is_none() {
        let expected =
            "a WSUS configuration, an object that a reader knows, a collection or a saved report as JSON";
        found.problem(None, expected, "JSON of another kind".into());
    }
    size
}

/// Reads a JSON document with which `text` begins on line `first` of its file; how long it is or, where nothing in it is
/// known, how much of `text` was looked at.
pub(super) fn within(
    text: &str,
    first: u64,
    found: &mut Found,
    saved: &mut Vec<Report>,
    scanner: &mut Scanner,
) -> Result<usize, usize> {
    let (facts, problems, reports) = (found.facts.len(), found.problems.len(), saved.len());
    let parts = found.parts.len();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let (size, looked) = match values.next() {
        None => return Err(text.len()),
        Some(Ok(value)) => {
            let size = values.byte_offset();
            take(value, &text[..size], first, found, saved, scanner);
            (size, size)
        }
        Some(Err(error)) => {
            let own = |line: &&str| line.trim_start().starts_with(['{', '}', '[', ']', '"', ',']);
            let mut size = 0;
            for line in text.split_inclusive('\n').take_while(own) {
                if size + line.len() > DAMAGED {
                    break;
                }
                size += line.len();
            }
            ill_formed(&error, &text[..size], first, found);
            let above = text.split_inclusive('\n').take(error.line()).map(str::len).sum();
            (size, above)
        }
    };
    let known = (facts, reports, parts) != (found.facts.len(), saved.len(), found.parts.len());
    if !known {
        found.problems.truncate(problems);
    }
    if known { Ok(size) } else { Err(looked) }
}

/// States why a document that begins on line `first` cannot be parsed.
fn ill_formed(error: &serde_json::Error, text: &str, first: u64, found: &mut Found) {
    // The parser's words name no content. What stands before the fault is still worth having.
    let why = error.to_string();
    let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
    found.problem(line_of(error, first), "well-formed JSON", shown(why, 200));
    salvage(text, first, found);
}

/// The line of an error in a document that begins on line `first`.
fn line_of(error: &serde_json::Error, first: u64) -> Option<u32> {
    let line = error.line() as u64;
    (line > 0).then(|| line_number(first + line - 1)).flatten()
}

fn take(
    value: Value,
    text: &str,
    first: u64,
    found: &mut Found,
    saved: &mut Vec<Report>,
    scanner: &mut Scanner,
) {
    if value.get("schema").is_some() && value.get("observations").is_some() {
        return report(value, text, first, found, saved);
    }
    if collection::is_one(&value) {
        return collection::read(&value, text, first, found);
    }
    let mut lines = Lines { text, first, passed: Vec::new() };
    let mut state = (Suites::default(), Prints::default());
    walk(&value, &mut lines, found, &mut state);
    let (mut suites, prints) = state;
    suites.finish(found);
    prints.finish(found, scanner);
}

fn report(value: Value, text: &str, first: u64, found: &mut Found, saved: &mut Vec<Report>) {
    found.kind(Kind::Saved);
    let at = text.find("\"schema\"").map_or(first, |at| first + text[..at].matches('\n').count() as u64);
    match value.get("schema").and_then(Value::as_u64) {
        Some(schema) if schema > u64::from(SCHEMA) => {
            let found_schema = format!("schema {schema}, which a newer version of this program wrote");
            found.problem(line_number(at), "a saved report of schema 1", found_schema);
            return;
        }
        Some(1) => {}
        _ => {
            found.problem(line_number(at), "a saved report of schema 1", "another value of `schema`".into());
            return;
        }
    }
    match serde_json::from_str::<Report>(text) {
        Ok(report) => saved.push(report),
        Err(error) => {
            let why = error.to_string();
            let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
            found.problem(line_of(&error, first), "a saved report of schema 1", shown(why, 200));
        }
    }
}

/// One of these stands in every object that is read besides a configuration.
const TELLING: [&str; 13] = [
    "Thumbprint",
    "HotFixID",
    "SynchronizeAutomatically",
    "WsusEventId",
    "StartedManually",
    "ErrorText",
    "bindingInformation",
    "ItemXPath",
    "StartType",
    "StartMode",
    "ServiceName",
    "DisplayName",
    "Status",
];

/// Finds the lines of names in the order in which they come.
struct Lines<'a> {
    text: &'a str,
    /// The line on which it begins.
    first: u64,
    /// Every name as far as it was found: where its last mention ends, and on which line.
    passed: Vec<(&'static str, usize, u64)>,
}

impl Lines<'_> {
    fn of(&mut self, name: &'static str) -> Option<u32> {
        let quoted = format!("\"{name}\"");
        let known = match self.passed.iter().position(|(known, ..)| *known == name) {
            Some(known) => known,
            None => {
                self.passed.push((name, 0, self.first));
                self.passed.len() - 1
            }
        };
        let (_, from, line) = &mut self.passed[known];
        let at = *from + memchr::memmem::find(&self.text.as_bytes()[*from..], quoted.as_bytes())?;
        *line += memchr::memchr_iter(b'\n', &self.text.as_bytes()[*from..at]).count() as u64;
        *from = at + quoted.len();
        line_number(*line)
    }
}

/// Walks a document; the parser has bounded its depth.
fn walk(value: &Value, lines: &mut Lines<'_>, found: &mut Found, state: &mut (Suites, Prints)) {
    match value {
        Value::Array(values) => {
            for value in values {
                match value.as_str().filter(|name| is_suite(name)) {
                    Some(name) => state.0.take(0, name, found),
                    None => walk(value, lines, found, state),
                }
            }
        }
        Value::Object(map) => {
            if map.contains_key("PSPath") {
                let line = lines.of("PSPath");
                if registry::json(map, line, found) {
                    return;
                }
            }
            if let Some(name) = map.get("Name").and_then(Value::as_str).filter(|name| is_suite(name)) {
                let line = lines.of("Name");
                state.0.take(line.map_or(0, u64::from), name, found);
                return;
            }
            if map.contains_key("ProxyBypass") {
                let line = lines.of("ProxyBypass");
                if netsh::json(map, line, found) {
                    return;
                }
            }
            if let Some(key) = TELLING.into_iter().find(|key| map.contains_key(*key)) {
                let line = lines.of(key);
                if state.1.record(&Record::of_json(map, line), found) {
                    return;
                }
            }
            let mut open = Configuration::default();
            for (name, value) in map {
                if let Some(known) = config::known(name) {
                    let line = lines.of(known);
                    open.take(found, line, known, &plain(value));
                } else if name == "Version" && map.keys().any(|key| server::BESIDE.contains(&key.as_str())) {
                    let line = lines.of("Version");
                    if let Some(version) = version(value) {
                        found.kind(Kind::ServerVersion);
                        found.fact(line, None, Statement::ServerVersion { version });
                    }
                } else if name == "Name" && map.contains_key("WebServiceUrl") {
                    let line = lines.of("Name");
                    if let Some(name) = value.as_str().filter(|name| !name.is_empty()) {
                        found.fact(line, None, Statement::ServerName { name: shown(name, 260) });
                    }
                }
            }
            open.finish(found);
            map.values().for_each(|value| walk(value, lines, found, state));
        }
        _ => {}
    }
}

/// A value as PowerShell would print it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) => "(a list)".into(),
        Value::Object(_) => "(an object)".into(),
    }
}

/// `"6.3.9600.18694"`, or the object that PowerShell makes of a version.
fn version(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return server::is_version(text).then(|| text.to_string());
    }
    let part = |name: &str| value.get(name).and_then(Value::as_u64);
    let text =
        format!("{}.{}.{}.{}", part("Major")?, part("Minor")?, part("Build")?, part("Revision").unwrap_or(0));
    server::is_version(&text).then_some(text)
}

/// Properties, and names of cipher suites, of a document that is not well formed.
fn salvage(text: &str, first: u64, found: &mut Found) {
    static SUITE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?i)"Name"\s*:\s*"((?:TLS|SSL)_\w{2,100})""#).expect("fixed pattern"));
    let mut suites = Suites::default();
    for name in SUITE.captures_iter(text) {
        suites.take(0, &name[1], found);
    }
    suites.finish(found);
    static PAIR: LazyLock<Regex> = LazyLock::new(|| {
        let names = config::names().collect::<Vec<_>>().join("|");
        let pattern = format!(
            r#""({names})"\s*:\s*(?:"((?:[^"\\]|\\.){{0,1000}})"|(true|false|null|-?\d{{1,12}})\s*[,}}\r\n])"#
        );
        Regex::new(&pattern).expect("fixed pattern")
    });
    let mut open = Configuration::default();
    let (mut from, mut line) = (0, first);
    for pair in PAIR.captures_iter(text) {
        let Some(whole) = pair.get(0) else { continue };
        line += text[from..whole.start()].matches('\n').count() as u64;
        from = whole.start();
        let value = match (pair.get(2), pair.get(3)) {
            (Some(string), _) => {
                serde_json::from_str::<String>(&format!("\"{}\"", string.as_str())).unwrap_or_default()
            }
            (_, Some(word)) => plain(&serde_json::from_str(word.as_str()).unwrap_or(Value::Null)),
            _ => continue,
        };
        open.take(found, line_number(line), &pair[1], &value);
    }
    open.finish(found);
}
