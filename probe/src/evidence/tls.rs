//! Hellos and handshakes: what was offered and what came back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Broken, Looks};

/// What a ClientHello offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// Whose hello it is: a profile's id such as `ws2019`, or `all`.
    pub client: String,
    /// What of this server's own settings made it differ from the profile's default; empty: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
    /// The program that says hello: `synchronization`, `import`, `content`; empty where it is none of a Windows Server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub caller: String,
    /// The highest version offered, as in the handshake (`0x0303` is TLS 1.2, `0x0304` is TLS 1.3).
    pub version: u16,
    /// The versions that the client takes in answer, the lowest first; empty: the highest alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<u16>,
    /// The suites offered, in order.
    pub suites: Vec<u16>,
    /// The named groups offered, in order.
    #[serde(default)]
    pub groups: Vec<u16>,
    /// The signature algorithms offered, in order.
    #[serde(default)]
    pub signatures: Vec<u16>,
}

impl Offer {
    /// Whether the client goes on with this version.
    pub fn takes(&self, version: u16) -> bool {
        version == self.version || self.versions.contains(&version)
    }
}

/// What a server speaks, found by hellos that differ in one thing each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spoken {
    /// The versions, the lowest first, whether spoken or not.
    pub versions: Vec<SpokenVersion>,
    /// The named groups, those of TLS 1.3 and of TLS 1.2; empty where they were not asked for.
    pub groups: Vec<SpokenGroup>,
    /// The signature algorithms that the server signs its key exchange with at TLS 1.2, or takes at TLS 1.3.
    pub signatures: Vec<SpokenSignature>,
    /// The application protocols, escaped.
    pub alpn: Vec<String>,
    /// Answers that no server should give, each once.
    pub odd: Vec<Oddity>,
    /// How it was asked.
    pub plan: SpokenPlan,
    /// The round trip that was measured, connection included, in microseconds.
    pub round_trip_us: u64,
    /// How many hellos were sent.
    pub handshakes: u32,
    /// How many connections were opened.
    pub connections: u32,
    /// How many rounds one after the other: a connection and its hello are one.
    pub rounds: u32,
    /// Why it is not complete; empty where it is.
    pub unfinished: String,
}

/// How a server was asked what it speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SpokenPlan {
    /// Few handshakes: a version's suites one after the other, versions side by side.
    #[default]
    Near,
    /// Few rounds: many hellos side by side, split where one is answered.
    Far,
    /// One connection at a time.
    Polite,
}

/// One version of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpokenVersion {
    /// As on the wire.
    pub version: u16,
    /// The suites: in the server's order where it decides, else in the order in which they were found. Empty: the
    /// version is not spoken. SSL 3.0 is asked for one.
    pub suites: Vec<u16>,
    /// Who decides; none where fewer than two suites were found.
    pub order: Option<SuiteOrder>,
    /// What a hello that the version does not take met: `alert 70, protocol_version`.
    pub refusal: String,
}

/// Who decides which suite is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SuiteOrder {
    /// The server.
    Server,
    /// The client.
    Client,
}

/// A named group that a server takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpokenGroup {
    /// IANA's code point.
    pub code: u16,
    /// The versions at which it is taken, as on the wire.
    pub versions: Vec<u16>,
}

/// A signature algorithm that a server takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpokenSignature {
    /// IANA's code point.
    pub code: u16,
    /// The versions at which it is taken, as on the wire.
    pub versions: Vec<u16>,
}

/// An answer that no server should give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "oddity", rename_all = "kebab-case")]
pub enum Oddity {
    /// A suite, version or group that was not offered.
    NotOffered {
        /// The version chosen.
        version: u16,
        /// The suite chosen.
        suite: u16,
        /// The highest version offered.
        offered: u16,
    },
    /// Hellos that are longer than a client's are refused, whatever they offer.
    LongHello,
    /// An alert after the ServerHello.
    AlertAfter {
        /// The suite chosen.
        suite: u16,
        /// The alert's description.
        code: u8,
    },
}

/// What a ClientHello met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum HelloAnswer {
    /// A ServerHello, and what came with it in clear.
    Answered {
        /// The version chosen.
        version: u16,
        /// The suite chosen.
        suite: u16,
        /// The certificates in the order sent, DER in base64; empty where they are encrypted (TLS 1.3).
        certificates: Vec<String>,
        /// Whether a CertificateRequest came.
        client_certificate_asked: bool,
        /// Whether the flight came to its end.
        complete: bool,
        /// The named group of the key exchange, or that of TLS 1.3's key_share.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<u16>,
        /// The bits of a finite-field Diffie-Hellman prime.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dh_bits: Option<u32>,
        /// The signature algorithm of the key exchange.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<u16>,
        /// The description of an alert that came after the ServerHello.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alert: Option<u8>,
        /// How the flight ended before its end, otherwise than by an alert.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut: Option<Broken>,
    },
    /// An alert (RFC 5246 section 7.2).
    Alert {
        /// Its description's code.
        code: u8,
        /// Its name.
        name: String,
    },
    /// Plain HTTP.
    PlainHttp {
        /// The status line, escaped.
        status: String,
    },
    /// Something that is no TLS.
    NotTls {
        /// What it looks like.
        looks: Looks,
    },
    /// Nothing but an end.
    Broken {
        /// How.
        how: Broken,
    },
}

/// What became of a real handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum HandshakeAnswer {
    /// It was completed.
    Done {
        /// The version.
        version: u16,
        /// The suite.
        suite: u16,
    },
    /// This program's TLS library cannot speak what the server chose: our limit.
    OwnLimit {
        /// Why.
        why: String,
    },
    /// The peer's chain was not accepted, and nothing more was said to it.
    Untrusted,
    /// The peer sent an alert.
    Alert {
        /// Its description's code.
        code: u8,
        /// Its name.
        name: String,
    },
    /// The stream ended.
    Broken {
        /// How.
        how: Broken,
    },
    /// Another failure of the library.
    Failed {
        /// Its words.
        why: String,
    },
}
