//! Asks a proxy for a tunnel, and keeps its own words where it gives none.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::codec::http::{self, HEAD_LIMIT, Head};
use crate::codec::tls::looks_like;
use crate::evidence::{Broken, Looks, Outcome, ProxyAnswer, escape, escape_bytes, host_port};
use crate::net::{Stream, broken};
use crate::settings::ProxyKind;

/// The most bytes of a refusal's body that are read.
const BODY_LIMIT: usize = 8 * 1024;

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
pub async fn tunnel(kind: ProxyKind, stream: TcpStream, host: &str, port: u16, wait: Duration) -> Answer {
    match kind {
        ProxyKind::Http => connect(stream, host, port, wait).await,
        _ => socks(kind, stream, host, port, wait).await,
    }
}

async fn connect(mut stream: TcpStream, host: &str, port: u16, wait: Duration) -> Answer {
    let until = Instant::now() + wait;
    let target = host_port(host, port);
    let asked = format!("CONNECT {target}");
    let request = format!("{asked} HTTP/1.1\r\nHost: {target}\r\nProxy-Connection: Keep-Alive\r\n\r\n");
    let mut bytes = Vec::new();
    let written = timeout_at(until, stream.write_all(request.as_bytes())).await;
    let read = match written {
        Err(_) => Err(Broken::Timeout),
        Ok(_) => read_head(&mut stream, &mut bytes, until).await,
    };
    let raw = (!bytes.is_empty()).then(|| escape_bytes(&bytes));
    let answer = |answer| Outcome::Proxy { asked: asked.clone(), answer };
    let head = match read {
        Ok(Some(head)) => head,
        Ok(None) => {
            let looks = if bytes.len() >= HEAD_LIMIT { Looks::TooLarge } else { looks_like(&bytes) };
            return Answer { outcome: answer(ProxyAnswer::NotHttp { looks }), raw, tunnel: None };
        }
        Err(how) => return Answer { outcome: answer(ProxyAnswer::Broken { how }), raw, tunnel: None },
    };
    // A captive portal answers CONNECT with a page and 200: a grant has no body (RFC 9110 section 9.3.6).
    let is_page = head.content_length().is_some_and(|length| length > 0)
        || head.header("content-type").is_some_and(|kind| kind.contains("html"));
    if (200..300).contains(&head.status) && !is_page {
        let rest = bytes[head.length..].to_vec();
        let stream: Stream = if rest.is_empty() {
            Box::new(stream)
        } else {
            let (reader, writer) = stream.into_split();
            Box::new(tokio::io::join(std::io::Cursor::new(rest).chain(reader), writer))
        };
        return Answer { outcome: answer(ProxyAnswer::Granted), raw, tunnel: Some(stream) };
    }
    let body = read_body(&mut stream, &head, &mut bytes, until).await;
    Answer { outcome: answer(refusal(&head, &body)), raw, tunnel: None }
}

/// Reads until a head is whole; `Ok(None)` where the bytes are no head.
async fn read_head(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
    until: Instant,
) -> Result<Option<Head>, Broken> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match timeout_at(until, stream.read(&mut buffer)).await {
            Err(_) if bytes.is_empty() => return Err(Broken::Timeout),
            Err(_) => return if http_so_far(bytes) { Err(Broken::Timeout) } else { Ok(None) },
            Ok(Ok(0)) => {
                return if bytes.is_empty() || http_so_far(bytes) { Err(Broken::Closed) } else { Ok(None) };
            }
            Ok(Err(error)) => return Err(broken(&error)),
            Ok(Ok(count)) => bytes.extend_from_slice(&buffer[..count]),
        }
        match http::head(bytes) {
            Ok(Some(head)) => return Ok(Some(head)),
            Ok(None) if bytes.len() >= HEAD_LIMIT => return Ok(None),
            Ok(None) => {}
            Err(_) => return Ok(None),
        }
    }
}

fn http_so_far(bytes: &[u8]) -> bool {
    http::head(bytes).is_ok()
}

async fn read_body(stream: &mut TcpStream, head: &Head, bytes: &mut Vec<u8>, until: Instant) -> Vec<u8> {
    let want = head.length + head.content_length().unwrap_or(BODY_LIMIT).min(BODY_LIMIT);
    let mut buffer = vec![0; 4096];
    // A body without a length ends with the connection; no proxy is waited for longer than a second then.
    let until = if head.content_length().is_some() {
        until
    } else {
        until.min(Instant::now() + Duration::from_secs(1))
    };
    while bytes.len() < want {
        match timeout_at(until, stream.read(&mut buffer)).await {
            Ok(Ok(count)) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    bytes[head.length.min(bytes.len())..].to_vec()
}

/// A proxy's refusal, in its own words.
pub fn refusal(head: &Head, body: &[u8]) -> ProxyAnswer {
    let text = String::from_utf8_lossy(body);
    let schemes = http::schemes(
        head.headers.iter().filter(|(name, _)| name == "proxy-authenticate").map(|(_, value)| value.as_str()),
    );
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

async fn socks(kind: ProxyKind, stream: TcpStream, host: &str, port: u16, wait: Duration) -> Answer {
    use tokio_socks::tcp::{Socks4Stream, Socks5Stream};
    let asked = format!("SOCKS {}", host_port(host, port));
    let until = Instant::now() + wait;
    let granted: Result<Stream, tokio_socks::Error> = match kind {
        ProxyKind::Socks5 => {
            let connecting = Socks5Stream::connect_with_socket(stream, (host, port));
            timeout_at(until, connecting)
                .await
                .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
                .map(|s| Box::new(s) as Stream)
        }
        _ => {
            let connecting = Socks4Stream::connect_with_socket(stream, (host, port));
            timeout_at(until, connecting)
                .await
                .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
                .map(|s| Box::new(s) as Stream)
        }
    };
    let (answer, tunnel) = match granted {
        Ok(stream) => (ProxyAnswer::Granted, Some(stream)),
        Err(tokio_socks::Error::Io(error)) => (ProxyAnswer::Broken { how: broken(&error) }, None),
        Err(error) => (ProxyAnswer::Socks { why: escape(&error.to_string(), 120) }, None),
    };
    Answer { outcome: Outcome::Proxy { asked, answer }, raw: None, tunnel }
}

/// Whether a tunnel into which nothing is sent is closed by the other side within `wait`.
pub async fn closes_by_itself(mut tunnel: Stream, wait: Duration) -> bool {
    let mut byte = [0];
    matches!(timeout_at(Instant::now() + wait, tunnel.read(&mut byte)).await, Ok(Ok(0) | Err(_)))
}

/// What an answer to an absolute-form request says, where it is the proxy's own and not the destination's: 407, or a
/// failure that the proxy signs.
pub fn spoke(answer: &crate::step::exchange::Answer) -> Option<ProxyAnswer> {
    use crate::evidence::HttpAnswer;
    let Outcome::Http { answer: HttpAnswer::Response { status, headers, .. }, .. } = &answer.outcome else {
        return None;
    };
    let signed = headers.iter().any(|(name, _)| name == "x-squid-error" || name == "proxy-status");
    // 502 and 504 are a gateway's by definition (RFC 9110 sections 15.6.3 and 15.6.5).
    let its_own = matches!(status, 407 | 502 | 504) || (signed && *status >= 400);
    if !its_own {
        return None;
    }
    let head = Head { status: *status, reason: String::new(), headers: headers.clone(), length: 0 };
    Some(refusal(&head, &answer.body))
}
