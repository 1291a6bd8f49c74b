//! The list of what goes past a proxy, as WinHTTP and the settings of a user write it.

/// Whether `list` lets a connection to `host` go past the proxy. Entries stand apart by semicolons or blanks; `*` stands for
/// anything, `<local>` for names without a dot; a scheme before an entry and a port behind it are not looked at, so that
/// more may be taken as passing than does (Microsoft: netsh winhttp set proxy; WinINet, INTERNET_PROXY_INFO).
pub(crate) fn bypasses(list: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    list.split([';', ',', ' ', '\t', '(', ')']).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        if entry == "<local>" {
            return !host.contains('.') && !host.contains(':');
        }
        let name = entry.rsplit_once("://").map_or(entry.as_str(), |(_, name)| name);
        let name = match name.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.contains(':') => {
                name
            }
            _ => name,
        };
        matches(name, &host)
    })
}

/// Whether `pattern`, in which `*` stands for anything, fits all of `text`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_their_stars() {
        let host = "sws.update.microsoft.com";
        for list in [
            "*.microsoft.com",
            "<local>;*.MICROSOFT.com",
            "sws.update.microsoft.com:443",
            "https://*.microsoft.com",
            "*",
            "10.*;*.update.*.com",
            "(*.microsoft.com)",
        ] {
            assert!(bypasses(list, host), "{list}");
        }
        for list in
            ["", "<local>", "*.contoso.com;<local>", "microsoft.com", "*.microsoft", "sws.*.org", ";;"]
        {
            assert!(!bypasses(list, host), "{list}");
        }
        assert!(bypasses("<local>", "wsus1") && !bypasses("<local>", "2001:db8::1"));
        assert!(bypasses("2001:db8::*", "2001:db8::1"));
        assert!(bypasses("a*a", "aa") && !bypasses("a*a", "a"));
    }
}
