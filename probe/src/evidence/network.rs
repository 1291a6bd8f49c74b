//! What names, addresses and connections gave.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a resolver answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum NameAnswer {
    /// Addresses.
    Addresses {
        /// In the order given.
        addresses: Vec<IpAddr>,
        /// The last name of the alias chain, where there was one.
        canonical: Option<String>,
    },
    /// NXDOMAIN (RFC 1035 section 4.1.1, RCODE 3).
    NotFound,
    /// The name exists and has no such record.
    NoAddress,
    /// SERVFAIL (RCODE 2).
    ServerFailure,
    /// REFUSED (RCODE 5).
    Refused,
    /// No answer in time.
    Timeout,
    /// The system's resolver gave up for now: its servers failed or did not answer, and which of it is not said
    /// (EAI_AGAIN, WSATRY_AGAIN).
    TryAgain,
    /// An answer that is none.
    Malformed {
        /// Why.
        why: String,
    },
    /// Another failure: another RCODE, or the socket's own.
    Failed {
        /// Which.
        why: String,
    },
}

/// What a connection attempt met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum DialAnswer {
    /// Connected.
    Connected,
    /// Actively refused.
    Refused,
    /// No answer in time.
    Timeout,
    /// No route, or a router says so.
    Unreachable {
        /// The system's words.
        why: String,
    },
    /// Another failure.
    Failed {
        /// The system's words.
        why: String,
    },
}

/// How a stream ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Broken {
    /// Closed in order (FIN).
    Closed,
    /// Reset (RST).
    Reset,
    /// Nothing more came in time.
    Timeout,
}

/// What bytes that are not the expected protocol look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Looks {
    /// A TLS record.
    Tls,
    /// An HTTP answer.
    Http,
    /// A line of text that a server sends unasked, such as SSH's or SMTP's.
    Banner,
    /// Nothing known.
    Unknown,
    /// More than this program reads.
    TooLarge,
}
