//! What proxies answered, and what was done about credentials.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Broken, Looks};

/// What a proxy answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum ProxyAnswer {
    /// A 2xx to CONNECT, or a SOCKS grant: the tunnel stands. Of a request with the whole URL: it was let through after a
    /// logon, and what answered it is the next observation.
    Granted,
    /// An HTTP status that is no grant.
    Status {
        /// The status code.
        code: u16,
        /// The reason phrase, escaped.
        reason: String,
        /// The names of the schemes of `Proxy-Authenticate`, in order.
        schemes: Vec<String>,
        /// Telling headers, by lower-case name (via, server, x-squid-error, proxy-status, location, date …), escaped.
        headers: Vec<(String, String)>,
        /// The beginning of the body, escaped, at most 512 characters.
        body: String,
        /// Whether a header or the body says that the destination's name could not be resolved.
        says_dns: bool,
        /// Whether the body or a header says that the port is not allowed.
        says_port: bool,
    },
    /// Something that is no HTTP.
    NotHttp {
        /// What it looks like.
        looks: Looks,
    },
    /// Nothing but an end.
    Broken {
        /// How.
        how: Broken,
    },
    /// The tunnel stood and was closed before a byte was sent into it.
    ClosedTunnel,
    /// A SOCKS refusal.
    Socks {
        /// What it says.
        #[serde(default)]
        refusal: SocksRefusal,
        /// The reply in words.
        why: String,
    },
}

/// What a SOCKS proxy refuses with: the reply's code (RFC 1928, section 6; SOCKS4), or the end of the logon before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SocksRefusal {
    /// Without credentials it gives nothing (RFC 1928, section 3).
    LogonDemanded,
    /// The user and the password (RFC 1929).
    Password,
    /// The user's name (version 4, codes 92 and 93).
    UserName,
    /// Its rules do not allow the connection (2).
    NotAllowed,
    /// It cannot reach the network or the host, or was refused there (3, 4, 5, 6).
    NotReached,
    /// Anything else: a failure that it does not explain, or what is no word of SOCKS.
    #[default]
    Other,
}

/// How far a logon at a proxy came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthStage {
    /// Credentials were demanded, and this run was given none.
    #[default]
    Demanded,
    /// They were accepted: whatever the answer says comes after that.
    Accepted,
    /// The final message was answered with another demand, or the KDC refused the password.
    Rejected,
    /// The scheme could not be carried through.
    Broken,
    /// The connection ended, or was announced to end, after the first message and before the last.
    ClosedBetweenLegs,
    /// This run has credentials and sent none here.
    NotSent,
}

/// What was done about the credentials that a proxy demanded. No credential is ever part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProxyAuth {
    /// How far it came.
    pub stage: AuthStage,
    /// The scheme that was used: `Negotiate`, `NTLM`, `Digest`, `Basic`, `SOCKS5 password`; empty if none was.
    pub scheme: String,
    /// What went under `Negotiate`: `kerberos` or `ntlm`; `ntlm` under `NTLM`; else empty.
    pub mechanism: String,
    /// Why it came no further, in words; empty where it was accepted.
    pub why: String,
    /// Requests that were answered on the way, the first without credentials among them.
    pub rounds: u32,
    /// The schemes that the proxy offered, in order, where it was asked without credentials.
    pub offered: Vec<String>,
    /// Schemes that were offered and could not be answered.
    pub passed_over: Vec<PassedOver>,
    /// The name that a ticket was asked for, `HTTP/HOST`; empty where none was.
    pub spn: String,
    /// Whether no user was named and the logon was that of the account that the run was under (Windows alone).
    pub own: bool,
}

/// A scheme that was offered and could not be answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PassedOver {
    /// The scheme.
    pub scheme: String,
    /// Why, in words.
    pub why: String,
}
