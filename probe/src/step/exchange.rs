//! Sends one HTTP/1.1 request over a connection and keeps what tells of the answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};

use crate::codec::http::{Head, telling};
use crate::codec::tls::looks_like;
use crate::evidence::{Broken, HttpAnswer, Looks, Outcome, Target, escape, escape_bytes};
use crate::net::{Stream, broken};
use crate::step::proxy::Proof;

/// The most bytes of an answer's head that are read.
const HEAD_LIMIT: usize = 64 * 1024;
/// The most bytes of a body that are read.
const BODY_LIMIT: usize = 64 * 1024;

/// A request.
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Where it goes.
    pub target: &'a Target,
    /// Whether the request line carries the whole URL, as a proxy wants it (RFC 9112 section 3.2.2).
    pub absolute: bool,
    /// Further headers.
    pub headers: &'a [(&'static str, &'static str)],
    /// The body.
    pub body: &'static str,
}

/// What came of it.
pub struct Answer {
    /// The outcome.
    pub outcome: Outcome,
    /// The first bytes, escaped.
    pub raw: Option<String>,
    /// The body, at most 64 KiB.
    pub body: Vec<u8>,
    /// The values of `Proxy-Authenticate`, as they came.
    pub challenges: Vec<Vec<u8>>,
}

/// Sends a request; the connection is closed afterwards.
pub async fn send(stream: Stream, request: Request<'_>, wait: Duration) -> Answer {
    send_as(stream, &request, None, wait).await
}

/// Sends a request with credentials for a proxy.
pub async fn send_as(
    stream: Stream,
    request: &Request<'_>,
    authorization: Option<&Proof>,
    wait: Duration,
) -> Answer {
    let until = Instant::now() + wait;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tap = Tap { inner: stream, seen: seen.clone() };
    let result = timeout_at(until, exchange(tap, request, authorization, until)).await;
    let mut first = seen.lock().map(|bytes| bytes.clone()).unwrap_or_default();
    if let Some(proof) = authorization {
        proof.cover(&mut first);
    }
    let raw = (!first.is_empty()).then(|| escape_bytes(&first));
    let (answer, body, challenges) = match result {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => (failed(&error, &first), Vec::new(), Vec::new()),
        Err(_) => (HttpAnswer::Broken { how: Broken::Timeout }, Vec::new(), Vec::new()),
    };
    Answer {
        outcome: Outcome::Http { method: request.method.into(), url: request.target.url(), answer },
        raw,
        body,
        challenges,
    }
}

/// The host and port of a URL, as its `Host` header has them.
pub fn host(url: &str) -> &str {
    url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

/// An answer of which the head and the beginning of the body were read by hand.
pub fn response(head: &Head, body: &[u8]) -> HttpAnswer {
    HttpAnswer::Response {
        status: head.status,
        headers: telling(head.headers.clone()),
        body: escape(String::from_utf8_lossy(body).trim(), 1024),
        complete: true,
    }
}

type Read = (HttpAnswer, Vec<u8>, Vec<Vec<u8>>);

async fn exchange(
    tap: Tap,
    request: &Request<'_>,
    authorization: Option<&Proof>,
    until: Instant,
) -> hyper::Result<Read> {
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
        .handshake::<_, Full<Bytes>>(TokioIo::new(tap))
        .await?;
    let driving = AbortOnDrop(tokio::spawn(connection));
    let uri = if request.absolute { request.target.url() } else { request.target.path.clone() };
    let url = request.target.url();
    let mut builder = hyper::Request::builder()
        .method(request.method)
        .uri(uri)
        .header("Host", host(&url))
        .header("User-Agent", concat!("wsusprobe/", env!("CARGO_PKG_VERSION")));
    let secret = authorization.and_then(|value| hyper::header::HeaderValue::from_str(value.value()).ok());
    builder = match secret {
        // A logon may belong to its connection: who announces its end is not let in by every proxy.
        Some(mut value) => {
            value.set_sensitive(true);
            builder.header("Proxy-Connection", "Keep-Alive").header("Proxy-Authorization", value)
        }
        None if request.absolute => builder.header("Connection", "close").header("Proxy-Connection", "close"),
        None => builder.header("Connection", "close"),
    };
    for (name, value) in request.headers {
        builder = builder.header(*name, *value);
    }
    let Ok(message) = builder.body(Full::new(Bytes::from_static(request.body.as_bytes()))) else {
        return Ok((HttpAnswer::NotHttp { looks: Looks::Unknown }, Vec::new(), Vec::new()));
    };
    let response = sender.send_request(message).await?;
    let status = response.status().as_u16();
    let headers = telling(response.headers().iter().map(|(name, value)| {
        let mut value = value.as_bytes().to_vec();
        if let Some(proof) = authorization {
            proof.cover(&mut value);
        }
        (name.as_str().to_string(), escape(&String::from_utf8_lossy(&value), 300))
    }));
    let challenges = response
        .headers()
        .get_all("proxy-authenticate")
        .iter()
        .map(|value| value.as_bytes().to_vec())
        .collect();
    let mut incoming = response.into_body();
    let (mut body, mut complete) = (Vec::new(), true);
    loop {
        match timeout_at(until, incoming.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    body.extend_from_slice(&data[..data.len().min(BODY_LIMIT - body.len())]);
                }
                if body.len() >= BODY_LIMIT {
                    break;
                }
            }
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => {
                complete = false;
                break;
            }
        }
    }
    drop(driving);
    if let Some(proof) = authorization {
        proof.cover(&mut body);
    }
    let shown = escape(String::from_utf8_lossy(&body).trim(), 1024);
    Ok((HttpAnswer::Response { status, headers, body: shown, complete }, body, challenges))
}

fn failed(error: &hyper::Error, first: &[u8]) -> HttpAnswer {
    if error.is_parse_too_large() {
        return HttpAnswer::NotHttp { looks: Looks::TooLarge };
    }
    if error.is_parse() {
        return HttpAnswer::NotHttp { looks: looks_like(first) };
    }
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return HttpAnswer::Broken { how: broken(io) };
        }
        source = inner.source();
    }
    if !first.is_empty() && !b"HTTP/1.".starts_with(&first[..first.len().min(7)]) {
        return HttpAnswer::NotHttp { looks: looks_like(first) };
    }
    HttpAnswer::Broken { how: Broken::Closed }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Keeps the first bytes that are read through it.
struct Tap {
    inner: Stream,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Ok(mut seen) = self.seen.lock()
            && seen.len() < 256
        {
            let room = 256 - seen.len();
            let fresh = &buffer.filled()[before..];
            seen.extend_from_slice(&fresh[..fresh.len().min(room)]);
        }
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
