//! What is known of a server without asking the network: one reader per kind of file handed over.

mod view;

pub use view::FactView;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::NameAnswer;

/// A statement about the server, with its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// `f1`, `f2` …
    pub id: String,
    /// Where it stands.
    pub source: Source,
    /// When it held, where the source says so.
    pub time: Option<jiff::Timestamp>,
    /// What it says.
    pub statement: Statement,
}

/// Where a fact stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The file as given.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u32>,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "states", rename_all = "kebab-case")]
pub enum Statement {
    /// A property of the WSUS configuration (IUpdateServerConfiguration), as printed: `True`, `8531`, a name.
    Config {
        /// Its name.
        property: String,
        /// Its value, escaped; empty where it is empty.
        value: String,
    },
    /// The configuration could not be read where it was asked for: PowerShell's error was handed over in its place.
    ConfigUnavailable {
        /// The error's first line, escaped.
        why: String,
    },
    /// The version of the WSUS server, as `6.3.9600.18694`, or of its Windows, as `Windows Server 2012 R2`.
    ServerVersion {
        /// As printed, escaped.
        version: String,
    },
    /// `netsh winhttp show proxy`: supporting evidence.
    WinHttpProxy {
        /// `host:port`, each with the scheme that it is for (`http`, `https`, or `*`); empty for direct access.
        servers: Vec<(String, String)>,
        /// The bypass list as printed, escaped.
        bypass: String,
    },
    /// `Test-NetConnection`: supporting evidence.
    PortTest {
        /// The name tested.
        host: String,
        /// The port tested.
        port: u16,
        /// Whether it connected.
        connected: bool,
    },
    /// `Resolve-DnsName`: supporting evidence.
    Resolved {
        /// The name asked for.
        name: String,
        /// The answer.
        answer: NameAnswer,
    },
    /// SoftwareDistribution.log as a whole.
    Log {
        /// How many lines it has.
        lines: u64,
        /// The line of the last start-up of the service (a mirrored event 501) that lines of w3wp follow.
        startup: Option<u32>,
        /// Whether the service's start-up lines name any SCHANNEL protocol.
        schannel: bool,
    },
    /// A start-up line about a SCHANNEL protocol.
    LogSchannel {
        /// `TLS 1.2`.
        protocol: String,
        /// What it says of it.
        state: SchannelState,
    },
    /// The URL that the service called, from a fault's actor, a stack or a message.
    LogEndpoint {
        /// The URL, escaped.
        url: String,
    },
    /// A failure in a log, an event or pasted text. Several causes share most of these texts.
    LogFailure {
        /// Who logged it: `WsusService`, `w3wp`, or empty where the text does not say.
        process: String,
        /// What it is.
        failure: LoggedFailure,
        /// How far the synchronization had come.
        phase: Option<Phase>,
        /// How often it stands in the file.
        count: u64,
        /// Its text, escaped, at most 300 characters.
        excerpt: String,
    },
    /// A synchronization began, succeeded or failed (events 381, 382, 384, 386).
    LogSync {
        /// Which.
        event: SyncEvent,
        /// The reason of a failure, escaped.
        reason: String,
    },
    /// The file is a log of the Windows Update client.
    ClientLog {
        /// Which: `ReportingEvents.log` or `WindowsUpdate.log`.
        log: String,
    },
    /// The text is the administration console's or the remote API's.
    Console {
        /// Its beginning, escaped.
        excerpt: String,
    },
    /// The text belongs to another part of the system than synchronization.
    Elsewhere {
        /// Which part.
        part: ElsewherePart,
        /// Its beginning, escaped.
        excerpt: String,
    },
    /// A file could not be read as what it is.
    Unreadable {
        /// What was expected.
        expected: String,
        /// What was found instead, escaped.
        found: String,
    },
}

/// What a start-up line says of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchannelState {
    /// It is on.
    Enabled,
    /// It is off.
    Disabled,
    /// The wording is not known.
    Unrecognised,
}

/// A part of the system that is not synchronization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ElsewherePart {
    /// Configuration Manager's own database, or its log.
    ConfigurationManager,
    /// IIS or HTTP.sys of this server.
    Iis,
    /// An export or import of update metadata.
    Import,
    /// The service's own start.
    ServiceStart,
    /// Update files.
    Content,
    /// The database.
    Database,
    /// A client's scan.
    ClientScan,
}

/// A failure as logs word it. The text of .NET, of SCHANNEL or of the service decides, not its language where a code
/// stands beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "failure", rename_all = "kebab-case")]
pub enum LoggedFailure {
    /// The remote name could not be resolved.
    NameNotResolved {
        /// The name, where the text has it.
        host: String,
    },
    /// The proxy's name could not be resolved.
    ProxyNotResolved {
        /// The name, where the text has it.
        host: String,
    },
    /// No answer to a connection attempt.
    ConnectTimeout,
    /// A connection was refused.
    ConnectRefused,
    /// A connection could not be made, and the text does not say how.
    ConnectFailed,
    /// Forcibly closed by the remote host, or closed while sending or receiving.
    ConnectionBroken,
    /// No common algorithm.
    NoCommonAlgorithm,
    /// The secure channel could not be made.
    SecureChannel,
    /// No trust relationship for the secure channel.
    NotTrusted,
    /// The service's own check for a Microsoft root (800B0109).
    RootCheck,
    /// An HTTP status.
    HttpStatus {
        /// Its code.
        code: u16,
    },
    /// A SOAP fault.
    SoapFault {
        /// Its ErrorCode, or empty.
        code: String,
    },
    /// An answer that is no XML.
    ContentType {
        /// The type that came.
        content_type: String,
    },
    /// An operation took too long.
    Timeout,
    /// A Windows Update, WinHTTP or SCHANNEL code without a known text.
    Code {
        /// As `0x80072EE2`.
        code: String,
    },
}

/// How far a synchronization came, by the deepest frame of its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// GetAuthConfig: the first contact.
    FirstContact,
    /// The authorization cookie.
    Authenticate,
    /// Categories, classifications, detectoids.
    Configuration,
    /// The updates' metadata.
    Metadata,
    /// Update files.
    Content,
    /// A manual import.
    Import,
}

/// A step in the life of a synchronization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SyncEvent {
    /// Event 381 or 382.
    Started,
    /// Event 384.
    Succeeded,
    /// Event 386.
    Failed,
}
