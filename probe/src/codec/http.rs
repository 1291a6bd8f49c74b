//! HTTP/1 heads as a proxy answers CONNECT with them, and which headers tell.

use crate::evidence::escape;

/// The most bytes of a head that are read.
pub const HEAD_LIMIT: usize = 64 * 1024;

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The reason phrase, escaped.
    pub reason: String,
    /// Every header by lower-case name, escaped.
    pub headers: Vec<(String, String)>,
    /// The values of `Proxy-Authenticate`, as they came.
    pub challenges: Vec<Vec<u8>>,
    /// Whether the version is 1.1: the connection goes on unless it is said not to.
    pub persistent: bool,
    /// How many bytes the head takes.
    pub length: usize,
}

impl Head {
    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether the connection goes on after the body (RFC 9112 section 9.3); proxies say it in a header of their own too.
    pub fn keeps_open(&self) -> bool {
        let says = |word: &str| {
            self.headers.iter().any(|(name, value)| {
                matches!(name.as_str(), "connection" | "proxy-connection")
                    && value.split(',').any(|token| token.trim().eq_ignore_ascii_case(word))
            })
        };
        !says("close") && (self.persistent || says("keep-alive"))
    }

    /// Whether the body comes in chunks.
    pub fn chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
    }

    /// The length of the body, where the head says it.
    pub fn content_length(&self) -> Option<usize> {
        self.header("content-length")?.trim().parse().ok()
    }
}

/// Reads a head: `Ok(None)` where more bytes are needed, `Err` where they are no HTTP/1 head.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) => Ok(Some(Head {
            status: response.code.unwrap_or_default(),
            reason: escape(response.reason.unwrap_or_default(), 120),
            headers: response
                .headers
                .iter()
                .map(|h| (h.name.to_ascii_lowercase(), escape(&String::from_utf8_lossy(h.value), 300)))
                .collect(),
            challenges: response
                .headers
                .iter()
                .filter(|h| h.name.eq_ignore_ascii_case("proxy-authenticate"))
                .map(|h| h.value.to_vec())
                .collect(),
            persistent: response.version == Some(1),
            length,
        })),
    }
}

/// How many bytes a body in chunks takes, its trailer included: `Ok(None)` where more are needed.
pub fn chunked_length(bytes: &[u8]) -> Result<Option<usize>, httparse::InvalidChunkSize> {
    let mut at = 0;
    loop {
        let Some(rest) = bytes.get(at..) else { return Ok(None) };
        let httparse::Status::Complete((taken, size)) = httparse::parse_chunk_size(rest)? else {
            return Ok(None);
        };
        at += taken;
        if size == 0 {
            break;
        }
        let Some(end) = usize::try_from(size).ok().and_then(|size| at.checked_add(size)?.checked_add(2))
        else {
            return Err(httparse::InvalidChunkSize);
        };
        at = end;
    }
    // A trailer is lines up to an empty one.
    loop {
        let Some(rest) = bytes.get(at..) else { return Ok(None) };
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
        at += end + 1;
        if rest[..end].iter().all(|&byte| byte == b'\r') {
            return Ok(Some(at));
        }
    }
}

/// Headers that say who answered and why; others are not kept.
const TELLING: [&str; 19] = [
    "server",
    "date",
    "age",
    "via",
    "location",
    "content-type",
    "content-length",
    "www-authenticate",
    "proxy-authenticate",
    "proxy-connection",
    "proxy-status",
    "connection",
    "x-squid-error",
    "x-cache",
    "x-aspnet-version",
    "x-powered-by",
    "retry-after",
    "x-bluecoat-via",
    "mime-version",
];

/// Keeps the telling ones of some headers, at most 24.
pub fn telling(headers: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    headers.into_iter().filter(|(name, _)| TELLING.contains(&name.as_str())).take(24).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_where_they_say() {
        let body = b"4\r\nabcd\r\n0\r\nX: y\r\n\r\nrest";
        assert_eq!(chunked_length(body), Ok(Some(body.len() - 4)));
        for end in 0..body.len() - 4 {
            assert_eq!(chunked_length(&body[..end]), Ok(None), "{end}");
        }
        assert!(chunked_length(b"xyz\r\n").is_err() && chunked_length(b"ffffffffffffffff\r\n").is_err());
    }

    #[test]
    fn a_connection_goes_on_by_version_and_header() {
        let keeps = |text: &str| head(text.as_bytes()).unwrap().unwrap().keeps_open();
        assert!(keeps("HTTP/1.1 407 x\r\n\r\n") && !keeps("HTTP/1.0 407 x\r\n\r\n"));
        assert!(keeps("HTTP/1.0 407 x\r\nProxy-Connection: Keep-Alive\r\n\r\n"));
        assert!(!keeps("HTTP/1.1 407 x\r\nConnection: upgrade, close\r\n\r\n"));
    }

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        assert_eq!(head(b"HTTP/1.1 407 Proxy Auth"), Ok(None));
        let whole = head(b"HTTP/1.0 407 Need\x1bpass\r\nX: y\r\n\r\nbody").unwrap_or(None);
        assert!(whole.is_none_or(|h| !h.reason.contains('\u{1b}')));
        let plain =
            head(b"HTTP/1.1 503 Gone\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\nContent-Length: 4\r\n\r\nbody")
                .unwrap()
                .unwrap();
        assert_eq!((plain.status, plain.content_length()), (503, Some(4)));
        assert_eq!(plain.header("x-squid-error"), Some("ERR_DNS_FAIL 0"));
        assert!(head(b"SSH-2.0-x\r\n").is_err());
        let sent =
            [("via", "b"), ("server", "a"), ("via", "a"), ("date", "c")].map(|(n, v)| (n.into(), v.into()));
        let lines: String = sent.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let told = head(format!("HTTP/1.1 407 x\r\n{lines}\r\n").as_bytes()).unwrap().unwrap();
        assert_eq!(telling(told.headers), sent, "in the order in which they came");
    }
}
