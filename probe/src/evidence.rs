//! What was seen: observations, the paths they belong to, and the form in which they are saved.

mod chain;
mod escape;
mod http;
mod network;
mod path;
mod proxy;
pub mod question;
mod tls;

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::Fact;
use crate::settings::Settings;

pub use chain::*;
pub use escape::{escape, escape_bytes};
pub use http::*;
pub use network::*;
pub use path::*;
pub use proxy::*;
pub use tls::*;

/// The version of the saved form.
pub const SCHEMA: u32 = 1;

/// What one step saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// `o1`, `o2` …
    pub id: String,
    /// The path's id.
    pub path: String,
    /// The address of the lane, where there is one, before any redirection: the proxy's where a proxy is on the way.
    pub lane: Option<String>,
    /// Where it belongs.
    pub layer: Layer,
    /// `host:port` in the name in use.
    pub subject: String,
    /// When it began.
    pub at: jiff::Timestamp,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// What a differential asks; absent for the path's own step.
    pub question: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The peer's first bytes, at most 256, escaped to printable ASCII.
    pub raw: Option<String>,
}

/// What came of a step. A refused connection is a successful observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// A name was asked for.
    Name {
        /// The server as `IP:PORT`, or `system`.
        server: String,
        /// `A`, `AAAA`, or `any` of the system's resolver.
        record: String,
        /// `udp`, `tcp` or `system`.
        over: String,
        /// The answer.
        answer: NameAnswer,
    },
    /// A TCP connection was tried.
    Dial {
        /// The address connected to, before redirection.
        address: SocketAddr,
        /// The answer.
        answer: DialAnswer,
    },
    /// A proxy was asked.
    Proxy {
        /// The request line's method and target.
        asked: String,
        /// The last answer.
        answer: ProxyAnswer,
        /// What was done about credentials, where the proxy demanded them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        auth: Option<Box<ProxyAuth>>,
    },
    /// A crafted ClientHello was sent.
    Hello {
        /// What it offered.
        offer: Offer,
        /// The answer.
        answer: HelloAnswer,
    },
    /// What a server speaks was asked by many hellos.
    Spoken(Box<Spoken>),
    /// A presented chain was looked at.
    Chain(Box<ChainSeen>),
    /// A real handshake was tried.
    Handshake {
        /// The answer.
        answer: HandshakeAnswer,
        /// What the TLS library's own verifier said of the chain; empty if content.
        verifier: String,
        /// Whether the server asked for a client certificate.
        client_certificate_asked: bool,
        /// The TLS library that made it: `rustls`, or the system's, as `OpenSSL 3.0.19`. Empty: an older report.
        #[serde(default)]
        library: String,
    },
    /// An HTTP request was sent.
    Http {
        /// `GET` or `POST`.
        method: String,
        /// The URL asked for.
        url: String,
        /// The answer.
        answer: HttpAnswer,
    },
    /// An HTTP answer was read as SOAP.
    Soap {
        /// The operation asked for.
        operation: String,
        /// What it holds.
        answer: SoapAnswer,
    },
    /// The step was not reached.
    NotReached {
        /// The observation that ended the lane, or `own client`.
        because: String,
        /// Why, in words.
        says: String,
    },
    /// The step was not asked.
    NotAsked {
        /// Why not.
        reason: String,
    },
}

/// Everything that a diagnosis rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The settings of the run.
    pub settings: Settings,
    /// What is known of the server.
    pub facts: Vec<Fact>,
    /// The directions that were walked.
    pub paths: Vec<PathInfo>,
    /// What was seen on them.
    pub observations: Vec<Observation>,
}
