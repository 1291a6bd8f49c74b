//! CONNECT: a tunnel through an HTTP proxy.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::auth::Proof;
use super::drive::{Dial, Heard, Leg, Way, drive};
use super::{Answer, refusal};
use crate::codec::challenge::challenges;
use crate::codec::http::{self, HEAD_LIMIT, Head};
use crate::codec::tls::looks_like;
use crate::evidence::{Broken, Looks, Outcome, ProxyAnswer, escape_bytes, host_port};
use crate::net::{Stream, broken};

/// The most bytes of a refusal's body that are kept.
const BODY_LIMIT: usize = 8 * 1024;
/// The most bytes of a demand's body that are read so that the connection can be asked again.
const DRAIN_LIMIT: usize = 256 * 1024;

/// Asks for a tunnel to `host:port`.
pub(super) async fn connect<D: Dial>(way: &Way<'_, D>, stream: Stream, host: &str, port: u16) -> Answer {
    let leg = Connect { target: host_port(host, port), wait: way.wait };
    let (answer, auth) = drive(way, stream, &leg).await;
    let Asked { answer, raw, tunnel } = answer;
    let outcome =
        Outcome::Proxy { asked: format!("CONNECT {}", leg.target), answer, auth: auth.map(Box::new) };
    Answer { outcome, raw, tunnel }
}

struct Connect {
    target: String,
    wait: Duration,
}

struct Asked {
    answer: ProxyAnswer,
    raw: Option<String>,
    tunnel: Option<Stream>,
}

impl Leg for Connect {
    type Answer = Asked;
    const OWN: bool = true;

    fn method(&self) -> &str {
        "CONNECT"
    }

    fn uri(&self) -> &str {
        &self.target
    }

    fn nothing(&self) -> Asked {
        Asked { answer: ProxyAnswer::Broken { how: Broken::Closed }, raw: None, tunnel: None }
    }

    async fn ask(&self, stream: Stream, authorization: Option<&Proof>, _: bool) -> Heard<Asked> {
        let target = &self.target;
        let mut request = Zeroizing::new(format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Connection: Keep-Alive\r\n"
        ));
        push_authorization(&mut request, authorization);
        let Exchange { result, bytes, stream } =
            exchange(stream, request.as_bytes(), authorization, Instant::now() + self.wait, true).await;
        let raw = (!bytes.is_empty()).then(|| escape_bytes(&bytes));
        let heard = |answer, status, tunnel: Option<Stream>| Heard {
            granted: tunnel.is_some(),
            answer: Asked { answer, raw, tunnel },
            status,
            challenges: Vec::new(),
            kept: None,
            ended: false,
        };
        match result {
            Got::Head(head) => {
                let rest = bytes.get(head.length..).unwrap_or_default();
                if is_grant(&head) {
                    let tunnel = if rest.is_empty() {
                        stream
                    } else {
                        let (reader, writer) = tokio::io::split(stream);
                        Box::new(tokio::io::join(std::io::Cursor::new(rest.to_vec()).chain(reader), writer))
                    };
                    return heard(ProxyAnswer::Granted, Some(head.status), Some(tunnel));
                }
                let body = &rest[..rest.len().min(BODY_LIMIT)];
                heard(refusal(&head, body), Some(head.status), None)
            }
            Got::Demand(head, whole) => {
                let list = challenges(head.challenges.iter().map(Vec::as_slice));
                let rest = bytes.get(head.length..).unwrap_or_default();
                let answer = refusal(&head, &rest[..rest.len().min(BODY_LIMIT)]);
                let kept = (whole && head.keeps_open()).then_some(stream);
                let mut heard = heard(answer, Some(407), None);
                heard.challenges = list;
                heard.kept = kept;
                heard
            }
            Got::NotHttp => {
                let looks = if bytes.len() >= HEAD_LIMIT { Looks::TooLarge } else { looks_like(&bytes) };
                heard(ProxyAnswer::NotHttp { looks }, None, None)
            }
            Got::Broken(how) => {
                let mut heard = heard(ProxyAnswer::Broken { how }, None, None);
                heard.ended = how != Broken::Timeout;
                heard
            }
        }
    }
}

/// Ends a request's head, with the credentials in it.
pub(super) fn push_authorization(request: &mut String, authorization: Option<&Proof>) {
    if let Some(value) = authorization.map(Proof::value) {
        // Grown at once: no copy of it is left behind.
        request.reserve(value.len() + 32);
        request.push_str("Proxy-Authorization: ");
        request.push_str(value);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
}

/// A captive portal answers CONNECT with a page and 200: a grant has no body (RFC 9110 section 9.3.6).
fn is_grant(head: &Head) -> bool {
    let is_page = head.content_length().is_some_and(|length| length > 0)
        || head.header("content-type").is_some_and(|kind| kind.contains("html"));
    (200..300).contains(&head.status) && !is_page
}

/// A request and its answer, with everything that was read.
pub(super) struct Exchange {
    pub(super) result: Got,
    pub(super) bytes: Vec<u8>,
    pub(super) stream: Stream,
}

/// What answered a request.
pub(super) enum Got {
    /// An answer that is no demand; of its body what came, where it was read at all.
    Head(Head),
    /// A 407, and whether its body is read to its end with nothing behind it.
    Demand(Head, bool),
    /// Bytes that are no HTTP.
    NotHttp,
    /// Nothing but an end.
    Broken(Broken),
}

/// Sends a request and reads the answer. A grant's body is the tunnel's, where `tunnel` says that there is one.
pub(super) async fn exchange(
    mut stream: Stream,
    request: &[u8],
    proof: Option<&Proof>,
    until: Instant,
    tunnel: bool,
) -> Exchange {
    let mut bytes = Vec::new();
    let read = match timeout_at(until, stream.write_all(request)).await {
        Err(_) => Err(Broken::Timeout),
        // A proxy that has closed already may still have said why.
        Ok(_) => read_head(&mut stream, &mut bytes, until).await,
    };
    let result = match read {
        Ok(Some(head)) if head.status == 407 => {
            let whole = drain(&mut stream, &head, &mut bytes, until).await;
            Got::Demand(head, whole)
        }
        Ok(Some(head)) => {
            if !(tunnel && is_grant(&head)) {
                read_body(&mut stream, &head, &mut bytes, until).await;
            }
            Got::Head(head)
        }
        Ok(None) => Got::NotHttp,
        Err(how) => Got::Broken(how),
    };
    let Some(proof) = proof else { return Exchange { result, bytes, stream } };
    let result = match result {
        // A tunnel's first bytes are the destination's, and stay as they are.
        Got::Head(head) if is_grant(&head) && tunnel => {
            let length = head.length;
            proof.cover(&mut bytes[..length]);
            Got::Head(head)
        }
        other => {
            proof.cover(&mut bytes);
            let again = http::head(&bytes).ok().flatten();
            match (other, again) {
                (Got::Head(_), Some(head)) => Got::Head(head),
                (Got::Demand(_, whole), Some(head)) => Got::Demand(head, whole),
                (other, _) => other,
            }
        }
    };
    Exchange { result, bytes, stream }
}

/// Reads until a head is whole; `Ok(None)` where the bytes are no head.
async fn read_head(stream: &mut Stream, bytes: &mut Vec<u8>, until: Instant) -> Result<Option<Head>, Broken> {
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

/// Reads a refusal's body as far as it is kept.
async fn read_body(stream: &mut Stream, head: &Head, bytes: &mut Vec<u8>, until: Instant) {
    let want = head.length + head.content_length().unwrap_or(BODY_LIMIT).min(BODY_LIMIT);
    let mut buffer = vec![0; 4096];
    let until = patience(head, until);
    while bytes.len() < want {
        match timeout_at(until, stream.read(&mut buffer)).await {
            Ok(Ok(count)) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
}

/// A body without a length ends with the connection; no proxy is waited for longer than a second then.
fn patience(head: &Head, until: Instant) -> Instant {
    if head.content_length().is_some() { until } else { until.min(Instant::now() + Duration::from_secs(1)) }
}

/// Reads a demand's body to its end; whether it came whole and the connection is silent behind it.
async fn drain(stream: &mut Stream, head: &Head, bytes: &mut Vec<u8>, until: Instant) -> bool {
    let mut buffer = vec![0; 16 * 1024];
    let until = patience(head, until);
    loop {
        let body = &bytes[head.length..];
        let length = if head.chunked() {
            match http::chunked_length(body) {
                Ok(length) => length,
                Err(_) => return false,
            }
        } else {
            head.content_length()
        };
        match length {
            Some(length) if body.len() >= length => return body.len() == length,
            Some(length) if length > DRAIN_LIMIT => return false,
            _ => {}
        }
        if body.len() >= DRAIN_LIMIT {
            return false;
        }
        match timeout_at(until, stream.read(&mut buffer)).await {
            Ok(Ok(count)) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            // Without a length, and silent: some proxies mean that there is no body.
            Err(_) => return length.is_none() && !head.chunked() && bytes.len() == head.length,
            _ => return false,
        }
    }
}
