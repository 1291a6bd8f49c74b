//! HTTP/1.1 as servers speak it, and as they break it. Written by hand: no library sends what a broken server does.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::journal::{Event, Journal};

/// What HTTP.sys says in clear to what is not HTTP.
pub const CLEAR_BAD_REQUEST: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html; charset=us-ascii\r\n\
    Server: Microsoft-HTTPAPI/2.0\r\nConnection: close\r\nContent-Length: 94\r\n\r\n\
    <HTML><HEAD><TITLE>Bad Request</TITLE></HEAD><BODY><h2>Bad Request - Invalid Verb</h2></BODY>\n";

/// A request that was read to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `CONNECT`, …
    pub method: String,
    /// As sent.
    pub target: String,
    /// As sent, in order.
    pub headers: Vec<(String, String)>,
    /// Its body, with chunks put together.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The path in lower case, with repeated slashes as one, without the query.
    pub fn path(&self) -> String {
        let target = match self.target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => &self.target,
        };
        let mut path = String::new();
        for c in target.split(['?', '#']).next().unwrap_or("").chars() {
            if c != '/' || !path.ends_with('/') {
                path.extend(c.to_lowercase());
            }
        }
        path
    }

    /// The SOAP method: the first child of the Body, else the last part of SOAPAction, else nothing.
    pub fn soap_method(&self) -> String {
        let mut reader = quick_xml::Reader::from_reader(self.body.as_slice());
        let mut in_body = false;
        let mut buffer = Vec::new();
        while let Ok(event) = reader.read_event_into(&mut buffer) {
            use quick_xml::events::Event as Xml;
            match event {
                Xml::Start(tag) | Xml::Empty(tag) => {
                    let name: String = AsRef::<str>::as_ref(&tag.local_name()).to_owned();
                    if in_body {
                        return name;
                    }
                    in_body = name == "Body";
                }
                Xml::Eof => break,
                _ => {}
            }
            buffer.clear();
        }
        let action = self.header("SOAPAction").unwrap_or("").trim().trim_matches('"');
        action.rsplit('/').next().unwrap_or("").to_owned()
    }
}

/// How an answer is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// As it should be.
    #[default]
    Whole,
    /// The body ends at half of the announced length.
    Truncated,
    /// Nothing is sent, the connection stays.
    Silence,
    /// 100 MB of headers.
    HugeHeaders,
    /// One header that never ends.
    EndlessHeader,
    /// One byte a second.
    Drip,
    /// The connection is closed without an answer.
    Hangup,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its headers; the length is added.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// How it is sent.
    pub fate: Fate,
    /// Whether the connection ends after it.
    pub close: bool,
}

impl Response {
    /// An answer with a body of that type.
    pub fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Response {
        Response { status, body: body.into(), ..Response::default() }.with("Content-Type", kind)
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Response {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets how it is sent.
    #[must_use]
    pub fn fated(mut self, fate: Fate) -> Response {
        self.fate = fate;
        self
    }
}

/// What must not matter to a client, chosen by a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Variation(pub u64);

impl Variation {
    /// A header's name, in one of three spellings.
    pub fn header_name(self, name: &str) -> String {
        match self.0 % 3 {
            0 => name.to_owned(),
            1 => name.to_ascii_lowercase(),
            _ => name.to_ascii_uppercase(),
        }
    }

    /// The prefix of SOAP's namespace.
    pub fn soap_prefix(self) -> &'static str {
        ["soap", "s", "SOAP-ENV", "env"][(self.0 / 3 % 4) as usize]
    }

    /// A list in another order.
    pub fn order<T>(self, list: &mut [T]) {
        fastrand::Rng::with_seed(self.0).shuffle(list);
    }
}

/// A clock that started at a given instant: the world's time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    seconds: i64,
}

impl Clock {
    /// A clock that shows `seconds` since 1970 now.
    pub fn starting_at(seconds: i64) -> Clock {
        Clock { began: Instant::now(), seconds }
    }

    /// Seconds since 1970.
    pub fn now(self) -> i64 {
        self.seconds + self.began.elapsed().as_secs() as i64
    }

    /// As a `Date` header writes it.
    pub fn http_date(self) -> String {
        jiff::Timestamp::from_second(self.now())
            .map(|t| t.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
            .unwrap_or_default()
    }

    /// As XML writes it, `seconds` later.
    pub fn xml_time(self, later: i64) -> String {
        jiff::Timestamp::from_second(self.now() + later).map(|t| t.to_string()).unwrap_or_default()
    }
}

/// Something that answers requests.
pub trait Service: Send + Sync + 'static {
    /// The answer to a request; `secure` where it came over TLS.
    fn answer(&self, request: &Request, secure: bool) -> Response;
    /// What must not matter.
    fn variation(&self) -> Variation {
        Variation::default()
    }
}

/// What was read where a request was expected.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A request.
    Request(Request),
    /// Bytes that are not HTTP.
    Other,
    /// The end.
    End,
}

/// Reads one request; `buffer` keeps what came after it.
pub async fn read_request<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
) -> Incoming {
    let head_size = loop {
        if buffer.first().is_some_and(|b| !b.is_ascii_alphabetic()) {
            return Incoming::Other;
        }
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > 65_536 {
            return Incoming::Other;
        }
        match stream.read_buf(buffer).await {
            Ok(0) | Err(_) => return Incoming::End,
            Ok(_) => {}
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_size]).into_owned();
    buffer.drain(..head_size);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or("").split(' ');
    let (Some(method), Some(target)) = (first.next(), first.next()) else { return Incoming::Other };
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let mut request =
        Request { method: method.to_owned(), target: target.to_owned(), headers, body: Vec::new() };
    let expects = request.header("Expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue"));
    if expects && stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
        return Incoming::End;
    }
    let chunked = request.header("Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
    let length = request.header("Content-Length").and_then(|v| v.parse::<usize>().ok()).unwrap_or(0);
    let body = if chunked { read_chunks(stream, buffer).await } else { take(stream, buffer, length).await };
    match body {
        Some(body) => {
            request.body = body;
            Incoming::Request(request)
        }
        None => Incoming::End,
    }
}

async fn take<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>, size: usize) -> Option<Vec<u8>> {
    while buffer.len() < size {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    Some(buffer.drain(..size).collect())
}

async fn read_chunks<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = loop {
            if let Some(at) = buffer.windows(2).position(|w| w == b"\r\n") {
                break buffer.drain(..at + 2).collect::<Vec<u8>>();
            }
            if stream.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        };
        let text = String::from_utf8_lossy(&line).into_owned();
        let size = usize::from_str_radix(text.split(';').next()?.trim(), 16).ok()?;
        body.extend(take(stream, buffer, size).await?);
        take(stream, buffer, 2).await?;
        if size == 0 {
            return Some(body);
        }
    }
}

/// Answers requests on a connection until it ends.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    name: &str,
    journal: &Journal,
    service: &dyn Service,
    secure: bool,
) {
    let mut buffer = Vec::new();
    loop {
        let request = match read_request(stream, &mut buffer).await {
            Incoming::Request(request) => request,
            Incoming::Other => {
                let _ = stream.write_all(CLEAR_BAD_REQUEST.as_bytes()).await;
                break;
            }
            Incoming::End => break,
        };
        journal.add(Event::Request {
            listener: name.to_owned(),
            method: request.method.clone(),
            target: request.target.clone(),
            action: request.soap_method(),
        });
        let response = service.answer(&request, secure);
        let wants_close = request.header("Connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        let close = response.close || wants_close;
        let no_body = request.method == "HEAD";
        if !write(stream, &response, no_body, close, service.variation()).await || close {
            break;
        }
    }
    let _ = stream.shutdown().await;
    crate::listen::drain(stream, Duration::from_secs(1)).await;
}

/// Writes an answer; `false` where the connection is done with.
pub async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    response: &Response,
    no_body: bool,
    close: bool,
    variation: Variation,
) -> bool {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    let mut add = |name: &str, value: &str| {
        head.push_str(&format!("{}: {value}\r\n", variation.header_name(name)));
    };
    for (name, value) in &response.headers {
        add(name, value);
    }
    add("Content-Length", &response.body.len().to_string());
    if close {
        add("Connection", "close");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if !no_body {
        bytes.extend_from_slice(&response.body);
    }
    match response.fate {
        Fate::Whole => stream.write_all(&bytes).await.is_ok() && stream.flush().await.is_ok(),
        Fate::Truncated => {
            let cut = bytes.len() - response.body.len() / 2;
            let _ = stream.write_all(&bytes[..cut]).await;
            let _ = stream.flush().await;
            false
        }
        Fate::Silence => {
            crate::listen::drain(stream, Duration::from_secs(600)).await;
            false
        }
        Fate::HugeHeaders => {
            let line = format!("X-Filler: {}\r\n", "y".repeat(8_000));
            if stream.write_all(b"HTTP/1.1 200 OK\r\n").await.is_ok() {
                for _ in 0..13_000 {
                    if stream.write_all(line.as_bytes()).await.is_err() {
                        return false;
                    }
                }
                let _ = stream.write_all(b"\r\n").await;
            }
            false
        }
        Fate::EndlessHeader => {
            let filler = "z".repeat(8_000);
            if stream.write_all(b"HTTP/1.1 200 OK\r\nX-Filler: ").await.is_ok() {
                while stream.write_all(filler.as_bytes()).await.is_ok() {}
            }
            false
        }
        Fate::Drip => {
            for byte in bytes {
                if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
                    return false;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            true
        }
        Fate::Hangup => false,
    }
}

/// The usual words for a status.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        413 => "Request Entity Too Large",
        416 => "Requested Range Not Satisfiable",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
