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
    /// How many bytes the head takes.
    pub length: usize,
}

impl Head {
    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
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
            length,
        })),
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

/// The names of the schemes that challenges offer, in order and as written (RFC 9110 section 11.6.1); a scheme begins
/// the value, or follows a comma and is followed by no `=`.
pub fn schemes<'a>(challenges: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for challenge in challenges {
        for element in split_unquoted(challenge) {
            let element = element.trim();
            let name: String =
                element.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
            let rest = element[name.len()..].trim_start();
            let is_parameter = rest.starts_with('=') && !name.is_empty();
            let known = found.iter().any(|f| f.eq_ignore_ascii_case(&name));
            if !name.is_empty() && !is_parameter && !known && found.len() < 16 {
                found.push(name.chars().take(40).collect());
            }
        }
    }
    found
}

fn split_unquoted(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_come_in_order_and_parameters_are_none() {
        assert_eq!(
            schemes(["Negotiate", "NTLM", r#"Basic realm="a, b", charset="UTF-8""#]),
            ["Negotiate", "NTLM", "Basic"]
        );
        assert_eq!(
            schemes([r#"digest realm="x", nonce="y=, Basic z", qop="auth", basic realm=q"#]),
            ["digest", "basic"]
        );
        assert_eq!(schemes(["NTLM TlRMTVNTUAACAAAA=="]), ["NTLM"]);
        assert!(schemes([", ,"]).is_empty());
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
    }
}
