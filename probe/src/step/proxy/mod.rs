//! Asks a proxy for a tunnel, and keeps its own words where it gives none.

mod absolute;
mod auth;
mod connect;
mod drive;
mod gss;
mod own;
mod socks;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

pub use self::absolute::send;
pub use self::auth::{Auth, Proof, digest_client};
pub(crate) use self::drive::still_open;
pub use self::drive::{Dial, Way};
use crate::codec::challenge;
use crate::codec::http::{self, Head};
use crate::evidence::{AuthStage, Outcome, ProxyAnswer, ProxyAuth, escape};
use crate::net::Stream;
use crate::settings::ProxyKind;

/// What came of asking.
pub struct Answer {
    /// The outcome.
    pub outcome: Outcome,
    /// The first bytes, escaped.
    pub raw: Option<String>,
    /// The tunnel, where it was granted.
    pub tunnel: Option<Stream>,
}

/// Asks for a tunnel to `host:port` over a connection to the proxy.
pub async fn tunnel<D: Dial>(way: &Way<'_, D>, stream: Stream, host: &str, port: u16) -> Answer {
    match way.hop.kind {
        ProxyKind::Http => Box::pin(connect::connect(way, stream, host, port)).await,
        _ => Box::pin(socks::socks(way, stream, host, port)).await,
    }
}

/// A proxy's refusal, in its own words.
pub fn refusal(head: &Head, body: &[u8]) -> ProxyAnswer {
    let text = String::from_utf8_lossy(body);
    let schemes = challenge::names(&challenge::challenges(head.challenges.iter().map(Vec::as_slice)))
        .iter()
        .map(|name| escape(name, 40))
        .collect();
    let words: String = head
        .headers
        .iter()
        .filter(|(name, _)| name == "x-squid-error" || name == "proxy-status")
        .map(|(_, value)| value.as_str())
        .chain([head.reason.as_str(), &text])
        .collect::<Vec<_>>()
        .join("\n")
        .to_ascii_lowercase();
    ProxyAnswer::Status {
        code: head.status,
        reason: head.reason.clone(),
        schemes,
        says_dns: DNS_WORDS.iter().any(|word| words.contains(word)),
        says_port: PORT_WORDS.iter().any(|word| words.contains(word)),
        headers: http::telling(head.headers.clone()),
        body: escape(text.trim(), 512),
    }
}

/// What proxies say when they cannot resolve a destination: Squid's error names and pages, RFC 9209's error types,
/// and the words of common products.
const DNS_WORDS: [&str; 9] = [
    "err_dns_fail",
    "dns_error",
    "dns_timeout",
    "unable to determine ip address",
    "name error: the domain name does not exist",
    "could not resolve",
    "cannot resolve",
    "host not found",
    "dns lookup failed",
];

/// What proxies say when they refuse a port.
const PORT_WORDS: [&str; 4] = [
    "port is not allowed",
    "port not allowed",
    "specified secure sockets layer (ssl) port is not allowed",
    "blocked port",
];

/// Whether a tunnel into which nothing is sent is closed by the other side within `wait`.
pub async fn closes_by_itself(mut tunnel: Stream, wait: Duration) -> bool {
    let mut byte = [0];
    matches!(timeout_at(Instant::now() + wait, tunnel.read(&mut byte)).await, Ok(Ok(0) | Err(_)))
}

/// What an answer to an absolute-form request says, where it is the proxy's own and not the destination's: 407, a
/// failure that the proxy signs, or anything before a logon was accepted.
pub fn spoke(answer: &crate::step::exchange::Answer, auth: Option<&ProxyAuth>) -> Option<ProxyAnswer> {
    use crate::evidence::HttpAnswer;
    let Outcome::Http { answer: HttpAnswer::Response { status, headers, .. }, .. } = &answer.outcome else {
        return None;
    };
    let signed = headers.iter().any(|(name, _)| name == "x-squid-error" || name == "proxy-status");
    // 502 and 504 are a gateway's by definition (RFC 9110 sections 15.6.3 and 15.6.5).
    let before = auth.is_some_and(|auth| auth.stage != AuthStage::Accepted);
    let its_own = before || matches!(status, 407 | 502 | 504) || (signed && *status >= 400);
    if !its_own {
        return None;
    }
    let head = Head {
        status: *status,
        reason: String::new(),
        headers: headers.clone(),
        challenges: answer.challenges.clone(),
        persistent: true,
        length: 0,
    };
    Some(refusal(&head, &answer.body))
}
