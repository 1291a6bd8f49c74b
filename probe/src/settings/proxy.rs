//! A proxy as people name it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BadValue, Secret, split_host_port};

/// The proxy of the walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyChoice {
    /// The one that the WSUS configuration handed over names; none without a configuration.
    AsConfigured,
    /// No proxy, whatever the configuration says.
    None,
    /// This one.
    Through(ProxyHop),
}
string_form!(ProxyChoice, "ProxyChoice");

impl fmt::Display for ProxyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyChoice::AsConfigured => f.write_str("as-configured"),
            ProxyChoice::None => f.write_str("none"),
            ProxyChoice::Through(hop) => hop.fmt(f),
        }
    }
}

impl FromStr for ProxyChoice {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "as-configured" => Ok(ProxyChoice::AsConfigured),
            "none" => Ok(ProxyChoice::None),
            url => url.parse().map(ProxyChoice::Through),
        }
    }
}

/// A proxy as people name it, with the credentials that its URL may hold. They are kept apart, and only the proxy is
/// printed or saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProxy {
    /// The proxy.
    pub choice: ProxyChoice,
    /// The user in the URL.
    pub user: Option<String>,
    /// The password in the URL.
    pub password: Option<Secret<String>>,
}
by_text!(NamedProxy);

impl fmt::Display for NamedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.choice.fmt(f)
    }
}

impl FromStr for NamedProxy {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        // The last @ ends the credentials, whatever characters a password has.
        let parts = text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
        let Some((scheme, (login, place))) = parts else {
            return Ok(NamedProxy { choice: text.parse()?, user: None, password: None });
        };
        let bare = format!("{scheme}://{place}");
        let choice =
            bare.parse().map_err(|_| BadValue::new("(a URL with credentials)", ProxyHop::EXPECTED))?;
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(Secret::new(percent_decoded(password)))),
            None => (login, None),
        };
        let user = percent_decoded(user);
        if user.is_empty() || user.chars().any(char::is_control) {
            return Err(BadValue::new("(a URL with credentials)", "a proxy with a user's name before its @"));
        }
        Ok(NamedProxy { choice, user: Some(user), password: password.filter(|p| !p.expose().is_empty()) })
    }
}

/// Replaces `%XX` by the byte that it stands for, where both are digits and text comes out; what else is there stays.
fn percent_decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while at < bytes.len() {
        let digits = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit())).map(|d| u8::from_str_radix(d, 16)) {
            Some(Ok(byte)) => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_string())
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyKind {
    /// HTTP with CONNECT, the only kind that WSUS can use.
    Http,
    /// SOCKS 4: the client resolves.
    Socks4,
    /// SOCKS 4a: the proxy resolves.
    Socks4a,
    /// SOCKS 5.
    Socks5,
}

/// One proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHop {
    /// How it is spoken to.
    pub kind: ProxyKind,
    /// Its host name or address, as named.
    pub host: String,
    /// Its port.
    pub port: u16,
}
string_form!(ProxyHop, "ProxyHop");

impl fmt::Display for ProxyHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks4 => "socks4",
            ProxyKind::Socks4a => "socks4a",
            ProxyKind::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}", crate::evidence::host_port(&self.host, self.port))
    }
}

impl ProxyHop {
    const EXPECTED: &str = "none, as-configured, or http://, socks4://, socks4a:// or socks5:// with HOST:PORT and nothing behind it";
}

impl FromStr for ProxyHop {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        // A URL with credentials inside must not come back in an error.
        let shown = if text.contains('@') { "(a URL with credentials)" } else { text };
        let bad = || BadValue::new(shown, Self::EXPECTED);
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let kind = match scheme {
            "http" => ProxyKind::Http,
            "socks4" => ProxyKind::Socks4,
            "socks4a" => ProxyKind::Socks4a,
            "socks5" => ProxyKind::Socks5,
            _ => return Err(bad()),
        };
        let (host, port) = split_host_port(rest.trim_end_matches('/')).ok_or_else(bad)?;
        Ok(ProxyHop { kind, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_a_url_are_kept_apart() {
        let named: NamedProxy = "http://EXAMPLE%5Cwsus:p%40:\"ä/%zz@x@Proxy.example:3128".parse().unwrap();
        assert_eq!(named.user.as_deref(), Some("EXAMPLE\\wsus"));
        assert_eq!(named.password.as_ref().unwrap().expose(), "p@:\"ä/%zz@x");
        assert_eq!(named.to_string(), "http://proxy.example:3128");
        assert!(!format!("{named:?}").contains("zz"), "{named:?}");
        let bare: NamedProxy = "http://wsus@p:1".parse().unwrap();
        assert_eq!((bare.user.as_deref(), bare.password), (Some("wsus"), None));
        assert_eq!("none".parse::<NamedProxy>().unwrap().choice, ProxyChoice::None);
    }

    #[test]
    fn a_url_that_is_no_proxy_is_refused_without_its_credentials() {
        for rest in ["p", "p:3128/path", "p:0", "p:3128?x"] {
            for (scheme, login) in
                [("http", ""), ("http", "u:hunter2@"), ("https", "u:hunter2@"), ("ftp", "")]
            {
                let error =
                    format!("{scheme}://{login}{rest}").parse::<NamedProxy>().unwrap_err().to_string();
                assert!(!error.contains("hunter2") && error.contains("HOST:PORT"), "{error}");
            }
        }
        assert!("http://:hunter2@p:1".parse::<NamedProxy>().is_err());
    }
}
