//! What is known of a server without asking the network: one reader per kind of file handed over.
//!
//! A file's kind is told by its content, never by its name. What one file, or one part of it, cannot give is reported
//! and costs nothing else.

mod client;
mod config;
mod decode;
mod gpresult;
mod json;
mod list;
mod log;
mod netsh;
mod nettest;
mod order;
mod powershell;
mod registry;
mod resolve;
mod scan;
mod server;
pub(crate) mod servers;
mod statement;
mod suites;
mod text;
mod view;
mod xml;

use std::fs::File;
use std::io::{Cursor, Read};
use std::sync::LazyLock;

use regex::Regex;

use crate::evidence::escape;
use crate::report::Report;

pub use client::OwnClient;
pub use order::{Order, Times};
pub use servers::{Server, Servers};
pub use statement::*;
pub(crate) use view::is_user_proxy_key;
pub use view::{FactView, FailureView, LastRun, RunView};

/// The largest document (JSON, XML) that is read, in bytes. Logs and other texts have no limit.
const DOCUMENT: usize = 64 * 1024 * 1024;

/// What a file without a known form was expected to be.
const EXPECTED: &str = "a WSUS configuration, a log, events, the registry, a list of cipher suites, or the output of \
netsh, gpresult, Test-NetConnection or Resolve-DnsName";

/// A file handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name as given.
    pub name: String,
    /// Where its bytes come from.
    pub content: Content,
}

/// Where the bytes of a file come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The file that the name says; standard input for `-`.
    File,
    /// These.
    Bytes(Vec<u8>),
}

impl Input {
    /// The file called `name`; standard input for `-`.
    pub fn file(name: impl Into<String>) -> Self {
        Input { name: name.into(), content: Content::File }
    }

    /// `bytes` under a name.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Input { name: name.into(), content: Content::Bytes(bytes.into()) }
    }
}

/// What a file is. One that holds several things is called by the first that was found in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A WSUS configuration, or PowerShell's error in its place.
    Configuration,
    /// The version of a server.
    ServerVersion,
    /// `netsh winhttp show proxy`.
    WinHttp,
    /// `Test-NetConnection`.
    PortTest,
    /// `Resolve-DnsName`.
    NameLookup,
    /// SoftwareDistribution.log, or a part of it.
    ServerLog,
    /// A log of the Windows Update client.
    ClientLog,
    /// Events as XML.
    Events,
    /// What the console or the remote API said.
    Console,
    /// Keys of the registry: a .reg file, `reg query` or `Get-ItemProperty`.
    Registry,
    /// `gpresult` as HTML or XML, or the list of cipher suites that a policy holds.
    GroupPolicy,
    /// `Get-TlsCipherSuite`.
    CipherSuites,
    /// Text in which something known was found.
    PastedText,
    /// A saved report.
    Saved,
    /// Nothing that is known.
    Unknown,
}

/// Why a file, or a part of one, could not be read as what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as given.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u32>,
    /// What was expected.
    pub expected: String,
    /// What was found instead, escaped.
    pub found: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&escape(&self.file, 500))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

/// Everything that the files say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The facts, numbered in order; every problem is among them.
    pub facts: Vec<Fact>,
    /// Saved reports given back.
    pub saved: Vec<Report>,
    /// What each file is.
    pub kinds: Vec<(String, Kind)>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Reads every file. Nothing that a file holds makes this fail.
pub fn read(inputs: &[Input]) -> Reading {
    let mut reading = Reading::default();
    for input in inputs {
        let mut found = Found::default();
        read_one(input, &mut found, &mut reading.saved);
        let Found { facts, problems, kind, .. } = found;
        let source = |line| Source { file: input.name.clone(), line };
        for Stated { line, time, zone, statement } in facts {
            let id = format!("f{}", reading.facts.len() + 1);
            reading.facts.push(Fact { id, source: source(line), time, zone, statement });
        }
        for problem in problems {
            let Problem { line, expected, found, .. } = problem;
            let statement = Statement::Unreadable { expected: expected.clone(), found: found.clone() };
            let id = format!("f{}", reading.facts.len() + 1);
            reading.facts.push(Fact { id, source: source(line), time: None, zone: None, statement });
            reading.problems.push(Problem { file: input.name.clone(), line, expected, found });
        }
        reading.kinds.push((input.name.clone(), kind.unwrap_or(Kind::Unknown)));
    }
    reading
}

fn open(input: &Input) -> Result<Box<dyn Read>, String> {
    match &input.content {
        Content::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
        Content::File if input.name == "-" => Ok(Box::new(std::io::stdin())),
        Content::File => match std::fs::metadata(&input.name) {
            Ok(metadata) if metadata.is_dir() => Err("a folder (hand over the files in it)".into()),
            Ok(_) => match File::open(&input.name) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(trouble(&error)),
            },
            Err(error) => Err(trouble(&error)),
        },
    }
}

fn trouble(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::PermissionDenied => "one that this account may not read".into(),
        _ => shown(&error.to_string(), 200),
    }
}

fn read_one(input: &Input, found: &mut Found, saved: &mut Vec<Report>) {
    const READABLE: &str = "a readable file";
    const LARGEST: &str = "a document of at most 64 MiB";
    let inner = match open(input) {
        Ok(inner) => inner,
        Err(why) => return found.problem(None, READABLE, why),
    };
    let (mut source, head) = match decode::sniff(inner) {
        Ok(decode::Sniffed::Text(source, head)) => (source, head),
        Ok(decode::Sniffed::Empty) => return found.problem(None, EXPECTED, "an empty file".into()),
        Ok(decode::Sniffed::Binary(what)) => return found.problem(None, EXPECTED, what.into()),
        Err(error) => return found.problem(None, READABLE, trouble(&error)),
    };
    let mut scanner = scan::Scanner::default();
    if gpresult::recognise(&head) {
        match source.first(DOCUMENT) {
            Ok((text, over)) => {
                gpresult::read(&text, !over && !source.cut(), found);
                if over {
                    found.problem(None, LARGEST, "a larger one, the first 64 MiB of which were read".into());
                }
            }
            Err(error) => found.problem(None, READABLE, trouble(&error)),
        }
        if source.cut() {
            found.problem(None, "whole UTF-16 characters", "half of one at the end".into());
        }
        return;
    }
    if json::recognise(&head) || xml::recognise(&head) {
        match source.whole(DOCUMENT) {
            Ok(Some(text)) if json::recognise(&head) => json::read(&text, found, saved),
            Ok(Some(text)) => xml::read(&text, found, &mut scanner),
            Ok(None) => found.problem(None, LARGEST, "a larger one".into()),
            Err(error) => found.problem(None, READABLE, trouble(&error)),
        }
        scanner.finish(0, found);
        if source.cut() {
            found.problem(None, "whole UTF-16 characters", "half of one at the end".into());
        }
        return;
    }
    // A client's log says nothing about the server: its name is all there is to know, however long it is.
    let mut lines = head.lines().filter(|line| !line.trim().is_empty());
    if let Some(log) = lines.next().and_then(scan::client_log)
        && lines.by_ref().take(2000).all(|line| !scan::is_header(line))
        && !head.lines().any(is_config_line)
    {
        found.kind(Kind::ClientLog);
        return found.fact(Some(1), None, Statement::ClientLog { log: log.to_string() });
    }
    let only_log = log::recognise(&head, source.is_whole()) && !head.lines().any(is_config_line);
    let mut blocks = decode::Blocks::new(source);
    let result = if only_log {
        log::read(&mut blocks, &mut scanner)
    } else {
        text::read(&mut blocks, &mut scanner, found)
    };
    let lines = blocks.lines();
    scanner.finish(lines, found);
    if let Err(error) = result {
        found.problem(line_number(lines), READABLE, trouble(&error));
    }
    if blocks.cut() {
        found.problem(line_number(lines.max(1)), "whole UTF-16 characters", "half of one at the end".into());
    }
    if found.facts.is_empty() && found.problems.is_empty() && found.kind.is_none() {
        let first = head.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        found.problem(
            None,
            EXPECTED,
            if first.split_whitespace().filter(|word| config::is_property(word)).count() > 1 {
                "a configuration as a table, which cuts values off (print it with Format-List)".into()
            } else {
                format!("text of another kind that begins `{}`", shown(first.trim(), 60))
            },
        );
    }
}

/// Whether `line` is a property of a configuration in a list.
fn is_config_line(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, _)| name.len() < 60 && config::is_property(name.trim()))
}

/// What the reader of one file has found so far.
#[derive(Default)]
struct Found {
    facts: Vec<Stated>,
    problems: Vec<Problem>,
    kind: Option<Kind>,
    /// The first error in place of a configuration was noted: those that follow say nothing more.
    unavailable: bool,
    /// How many bytes the lists in the facts have.
    lists: usize,
}

struct Stated {
    line: Option<u32>,
    time: Option<jiff::Timestamp>,
    zone: Option<String>,
    statement: Statement,
}

/// The most facts, and the most problems, that one file may give.
const MOST: usize = 10_000;
/// The most bytes that the lists of one file's facts may have together: a hundred times what a server's have.
const LISTS: usize = 4 * 1024 * 1024;

impl Found {
    /// States what held at a time in UTC.
    fn fact(&mut self, line: Option<u32>, time: Option<jiff::Timestamp>, statement: Statement) {
        let zone = time.map(|_| "UTC".to_string());
        self.at(line, time, zone, statement);
    }

    /// States what held at a time in the zone that the source names; none where it names none.
    fn at(
        &mut self,
        line: Option<u32>,
        time: Option<jiff::Timestamp>,
        zone: Option<String>,
        statement: Statement,
    ) {
        if self.facts.len() < MOST {
            self.facts.push(Stated { line, time, zone, statement });
        }
    }

    fn problem(&mut self, line: Option<u32>, expected: &str, found: String) {
        if self.problems.len() < MOST {
            self.problems.push(Problem { file: String::new(), line, expected: expected.to_string(), found });
        }
    }

    /// States what holds a list of `size` bytes, as long as there is room for more of them.
    fn list(&mut self, line: Option<u32>, size: usize, statement: Statement) {
        let before = self.lists;
        self.lists = before.saturating_add(size);
        if self.lists <= LISTS {
            self.fact(line, None, statement);
        } else if before <= LISTS {
            self.problem(line, "lists of at most 4 MiB in one file", "more of them".into());
        }
    }

    fn unavailable(&mut self, line: Option<u32>, why: String) {
        if !std::mem::replace(&mut self.unavailable, true) {
            self.fact(line, None, Statement::ConfigUnavailable { why });
        }
    }

    fn kind(&mut self, kind: Kind) {
        self.kind.get_or_insert(kind);
    }
}

fn line_number(line: u64) -> Option<u32> {
    u32::try_from(line).ok().filter(|&line| line > 0)
}

/// What a stranger wrote, fit to be kept: secrets hidden, characters escaped, cut at `limit`.
fn shown(text: &str, limit: usize) -> String {
    escape(&hide(text), limit)
}

/// Hides what follows the name of a secret, and credentials inside a URL.
fn hide(text: &str) -> String {
    static SECRET: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)((?:ProxyPassword|EncryptionKey)["']?\s*[:=>( ]).*|((?:password|passwort|pwd)["']?\s*[:=]\s*)[^\s;]+|(authorization\s*:\s*).*|(://)[^/\\\s@]{1,300}@|\b[^\s:@/"'(=]{1,100}:[^\s:@/"']{1,300}@"#)
            .expect("fixed pattern")
    });
    if !text.contains(['@', ':', '=', '>']) {
        return text.to_string();
    }
    SECRET.replace_all(text, "${1}${2}${3}${4}(hidden)").into_owned()
}
