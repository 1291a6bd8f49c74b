//! What is known of a server without asking the network: one reader per kind of file handed over.
//!
//! A file's kind is told by its content, never by its name. What one file, or one part of it, cannot give is reported
//! and costs nothing else.

mod bypass;
mod client;
mod collection;
mod config;
mod container;
mod copied;
mod decode;
mod document;
mod event;
#[cfg(feature = "evtx")]
mod evtx;
mod exported;
mod file;
mod gpresult;
mod iis;
mod json;
mod list;
mod log;
mod manager;
mod netsh;
mod nettest;
mod order;
mod powershell;
mod prints;
mod registry;
mod resolve;
mod scan;
mod secret;
mod server;
pub(crate) mod servers;
mod statement;
mod suites;
mod text;
mod view;
mod when;
mod window;
mod wrapping;
mod xml;

use crate::evidence::escape;
use crate::report::Report;

pub(crate) use bypass::bypasses;
pub use client::OwnClient;
pub(crate) use decode::decode_line;
pub(crate) use event::happening;
pub use order::{Order, Successes, Times};
pub(crate) use secret::hide;
pub use servers::{Server, Servers};
pub use statement::*;
pub use view::{
    FactView, FailureView, LastRun, RunView, WinHttpView, fails_synchronization, is_configuration_manager,
    synchronizes,
};
pub(crate) use view::{ProxyOf, is_user_proxy_key};

/// The largest document (JSON, XML) that is read, in bytes. Logs and other texts have no limit.
const DOCUMENT: usize = 64 * 1024 * 1024;

/// What a file without a known form was expected to be.
const EXPECTED: &str = "a WSUS configuration, a log, events, a folder or zip archive of such files, the registry, certificates, \
IIS' configuration, a list of cipher suites, a collection, or the output of netsh, gpresult, certutil, w32tm, wsusutil, \
Get-Service, Get-HotFix, Test-NetConnection or Resolve-DnsName";

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
    /// The file, the folder or the archive that the name says; standard input for `-`.
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

/// What a file is, and what holds files. One that holds several things is called by the first that was found in it.
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
    /// Events of the event log: .evtx, XML, CSV.
    Events,
    /// A log of IIS or of HTTP.sys.
    WebLog,
    /// A log of Configuration Manager.
    ManagerLog,
    /// A folder; its files follow.
    Folder,
    /// A zip archive; its files follow.
    Archive,
    /// What the console or the remote API said.
    Console,
    /// Keys of the registry: a .reg file, `reg query` or `Get-ItemProperty`.
    Registry,
    /// `gpresult` as HTML or XML, or the list of cipher suites that a policy holds.
    GroupPolicy,
    /// `Get-TlsCipherSuite`.
    CipherSuites,
    /// Services or application pools.
    Services,
    /// Installed updates.
    Updates,
    /// `w32tm /query /status`.
    Clock,
    /// IIS' configuration, or what its tools print of sites.
    Iis,
    /// `netsh http show sslcert`.
    SslBindings,
    /// Certificates: files, or what a store holds.
    Certificates,
    /// `certutil -verify`.
    ChainVerdict,
    /// The schedule of synchronization, or its history.
    Schedule,
    /// What wsusutil prints.
    WsusUtil,
    /// The test by .NET's HttpWebRequest.
    HttpTest,
    /// What a server's own commands printed, as one file.
    Collection,
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
        container::read(input, &mut reading);
    }
    reading
}

impl Reading {
    /// Takes over what was found in one file, and what is found in the files that it holds.
    fn take(&mut self, name: &str, mut found: Found) {
        let parts = std::mem::take(&mut found.parts);
        let before = self.facts.len();
        self.take_one(name, found);
        for Part { name: part, bytes, command } in parts {
            let mut found = Found { command, ..Found::default() };
            if self.facts.len() - before >= WITHIN {
                found.problem(None, "at most 50000 facts in one collection", "more of them".into());
                return self.take_one(&format!("{name}#{part}"), found);
            }
            file::read(Box::new(std::io::Cursor::new(bytes)), &mut found, &mut self.saved);
            if !std::mem::take(&mut found.parts).is_empty() {
                found.problem(None, "files that are not nested", "a collection within a collection".into());
            }
            self.take_one(&format!("{name}#{part}"), found);
        }
    }

    fn take_one(&mut self, name: &str, found: Found) {
        let Found { facts, problems, kind, .. } = found;
        let source = |line| Source { file: name.to_string(), line };
        for Stated { line, time, zone, statement } in facts {
            let id = format!("f{}", self.facts.len() + 1);
            self.facts.push(Fact { id, source: source(line), time, zone, statement });
        }
        for problem in problems {
            let Problem { line, expected, found, .. } = problem;
            let statement = Statement::Unreadable { expected: expected.clone(), found: found.clone() };
            let id = format!("f{}", self.facts.len() + 1);
            self.facts.push(Fact { id, source: source(line), time: None, zone: None, statement });
            self.problems.push(Problem { file: name.to_string(), line, expected, found });
        }
        // A folder or an archive is known before what is in it is read.
        if self
            .kinds
            .last()
            .is_none_or(|(last, kind)| last != name || !matches!(kind, Kind::Folder | Kind::Archive))
        {
            self.kinds.push((name.to_string(), kind.unwrap_or(Kind::Unknown)));
        }
    }
}

fn trouble(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::PermissionDenied => "one that this account may not read".into(),
        _ => shown(&error.to_string(), 200),
    }
}

/// Whether `line` is a property of a configuration in a list.
fn is_config_line(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, _)| name.len() < 60 && config::is_property(name.trim()))
}

/// The most facts of a file and of those that lie in it: where there are more, the rest of them is not read.
const WITHIN: usize = 50_000;

/// A file that another file holds.
struct Part {
    /// Its name within.
    name: String,
    bytes: Vec<u8>,
    /// The command that printed it, where that is known.
    command: Option<String>,
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
    /// The command that printed the file, where that is known.
    command: Option<String>,
    /// The files that it holds.
    parts: Vec<Part>,
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

    /// States what held at a time as a file writes it.
    fn when(&mut self, line: Option<u32>, when: Option<when::When>, statement: Statement) {
        self.at(line, when.map(|when| when.time), when.and_then(|when| when.zone.name()), statement);
    }

    /// States where a log's clock goes back.
    fn jumps(&mut self, clock: when::Clock) {
        for (line, when, from) in clock.jumps {
            self.when(line_number(line), Some(when), Statement::ClockJump { from });
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

    fn part(&mut self, part: Part) {
        self.parts.push(part);
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
