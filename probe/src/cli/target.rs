//! URLs as people type them, made into targets.

use crate::evidence::{Scheme, Target};
use crate::settings::is_host_name;

/// What is wrong with a URL; its credentials are not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown}: {why}")]
pub struct BadUrl {
    shown: String,
    why: String,
}

/// The target that a URL names. Without a path it is the base of a WSUS server, with the path `/`.
pub fn target(text: &str) -> Result<Target, BadUrl> {
    let bad = |why: &str| BadUrl {
        shown: if text.contains('@') {
            "(a URL with credentials)".to_string()
        } else {
            text.chars().flat_map(char::escape_default).take(120).collect()
        },
        why: why.to_string(),
    };
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(bad("a URL holds no control characters and no spaces"));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(bad("a URL begins with http:// or https://"));
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(bad("a URL begins with http:// or https://")),
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with(':') {
        return Err(bad("there is no host"));
    }
    if authority.contains('@') {
        return Err(bad("credentials in a URL are not used"));
    }
    let url = url::Url::parse(text).map_err(|error| match error {
        url::ParseError::InvalidPort => bad("a port is a number from 1 to 65535"),
        error => bad(&error.to_string()),
    })?;
    let host = match url.host() {
        Some(url::Host::Domain(name)) if is_host_name(name) => name.to_string(),
        Some(url::Host::Domain(_)) | None => return Err(bad("this cannot be the name of a host")),
        Some(url::Host::Ipv4(address)) => address.to_string(),
        Some(url::Host::Ipv6(address)) => address.to_string(),
    };
    let port = match url.port_or_known_default() {
        None | Some(0) => return Err(bad("a port is a number from 1 to 65535")),
        Some(port) => port,
    };
    let mut path = url.path().to_string();
    if let Some(query) = url.query() {
        path.push('?');
        path.push_str(query);
    }
    Ok(Target { scheme, host, port, path })
}

/// The target that `HOST[:PORT]` names, over TLS; a URL is taken too. The port is 443 where none is given.
pub fn server(text: &str) -> Result<Target, BadUrl> {
    let plain = text.split_once("://").is_none();
    // A bare IPv6 address has colons of its own.
    let address = text.parse::<std::net::Ipv6Addr>().is_ok();
    let url = match (plain, address) {
        (true, true) => format!("https://[{text}]/"),
        (true, false) => format!("https://{text}/"),
        (false, _) => text.to_string(),
    };
    let target = target(&url)?;
    Ok(Target { scheme: Scheme::Https, path: "/".into(), ..target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_targets() {
        for (text, expected) in [
            ("http://Upstream:8530", "http://upstream:8530/"),
            ("https://sws.update.microsoft.com", "https://sws.update.microsoft.com/"),
            ("HTTPS://a.test:443/x/y?z=1#f", "https://a.test/x/y?z=1"),
            ("http://[2001:DB8::1]:8530/", "http://[2001:db8::1]:8530/"),
            ("http://192.0.2.1", "http://192.0.2.1/"),
            ("http://wsus_01.test:80/", "http://wsus_01.test/"),
        ] {
            assert_eq!(target(text).unwrap().url(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_said() {
        for (text, why) in [
            ("upstream", "begins with http"),
            ("upstream:8531", "begins with http"),
            ("ftp://a", "begins with http"),
            ("http://", "no host"),
            ("http://:80", "no host"),
            ("http://a:0", "1 to 65535"),
            ("http://a:65536", "1 to 65535"),
            ("http://a:x", "1 to 65535"),
            ("http://a..b", "name of a host"),
            ("http://a%01b", ""),
            ("http://a\u{1b}[2Jb", "control"),
            ("http://a b", "spaces"),
            ("http://*.test", "name of a host"),
        ] {
            let error = target(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
            assert!(!error.chars().any(char::is_control) && !error.contains('\n'));
        }
    }

    #[test]
    fn credentials_are_not_repeated() {
        let error = target("http://wsus:hunter2@a.test/").unwrap_err().to_string();
        assert!(error.contains("credentials") && !error.contains("hunter2"), "{error}");
        assert!(!target("http:/wsus:hunter2@a").unwrap_err().to_string().contains("hunter2"));
    }
}
