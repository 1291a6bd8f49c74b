//! `netsh winhttp show proxy`, in any language: told by its shape. `show advproxy` of newer Windows prints JSON.

use serde_json::{Map, Value};

use super::list::Page;
use super::{Found, Kind, Statement, line_number, shown};

/// Reads WinHTTP's settings from a page.
pub(super) fn read(page: &mut Page, found: &mut Found) {
    let mut at = 0;
    while at < page.lines.len() {
        let heading = page.lines[at].trim_end();
        let is_heading = heading.len() < 200
            && heading.to_ascii_lowercase().contains("winhttp")
            && heading.ends_with([':', '：'])
            && !heading.starts_with([' ', '\t']);
        if !is_heading {
            at += 1;
            continue;
        }
        if let Some(last) = advanced(page, at, found) {
            page.claim(at, last);
            at = last + 1;
            continue;
        }
        let mut values: Vec<&str> = Vec::new();
        let mut direct = false;
        let mut last = at;
        for (index, line) in page.lines.iter().enumerate().skip(at + 1).take(12) {
            if line.trim().is_empty() {
                continue;
            }
            if !line.starts_with([' ', '\t']) || values.len() == 2 || direct {
                break;
            }
            match label_and_value(line) {
                Some(value) => values.push(value),
                None if values.is_empty() => direct = true,
                None => break,
            }
            last = index;
        }
        // What was cut off, or stands on the next line, is no direct access.
        let below = page.lines[last + 1..].iter().any(|line| !line.trim().is_empty());
        let ends = |line: &String| line.trim_end().ends_with(['.', '。']);
        if values.first().is_some_and(|list| list.is_empty()) || direct && !below && !ends(&page.lines[last])
        {
            found.kind(Kind::WinHttp);
            let line = line_number(page.number(last.min(at + 2)));
            found.problem(line, "WinHTTP's proxy", "a line without it".into());
            page.claim(at, last);
        } else if direct || !values.is_empty() {
            let servers = values.first().map_or_else(Vec::new, |list| servers(list));
            let bypass = shown(values.get(1).unwrap_or(&""), 500);
            found.kind(Kind::WinHttp);
            found.fact(
                line_number(page.number(last.min(at + 2))),
                None,
                Statement::WinHttpProxy { servers, bypass },
            );
            page.claim(at, last);
        }
        at = last + 1;
    }
}

/// The JSON below a heading: the index of its last line.
fn advanced(page: &Page, heading: usize, found: &mut Found) -> Option<usize> {
    let below = page.lines.iter().enumerate().skip(heading + 1).take(24);
    let (first, _) = below.clone().find(|(_, line)| !line.trim().is_empty())?;
    if !page.lines[first].trim_start().starts_with('{') {
        return None;
    }
    let (last, _) = below.clone().find(|(_, line)| line.trim_end().ends_with('}'))?;
    let text = page.lines.get(first..=last)?.join("\n");
    let map: Map<String, Value> = serde_json::from_str(&text).ok()?;
    json(&map, line_number(page.number(first)), found).then_some(last)
}

/// Reads what `netsh winhttp show advproxy` prints; whether `map` is it. Where a script decides, the proxy is not known.
pub(super) fn json(map: &Map<String, Value>, line: Option<u32>, found: &mut Found) -> bool {
    let text = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    if !map.contains_key("ProxyBypass") || !map.contains_key("Proxy") {
        return false;
    }
    found.kind(Kind::WinHttp);
    let script = map.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("AutoconfigUrl") && value.as_str().is_some_and(|url| !url.is_empty())
            || name.eq_ignore_ascii_case("AutoDetect") && value.as_bool() == Some(true)
    });
    if !script {
        let (servers, bypass) = (servers(text("Proxy")), shown(text("ProxyBypass"), 500));
        found.fact(line, None, Statement::WinHttpProxy { servers, bypass });
    }
    true
}

/// The value of `label : value`. A direct-access line has no such colon.
fn label_and_value(line: &str) -> Option<&str> {
    let at = line.find([':', '：'])?;
    let colon = line[at..].chars().next()?.len_utf8();
    let value = &line[at + colon..];
    let whole = colon > 1 || value.is_empty();
    let value = value.strip_prefix([' ', '\t', '\u{a0}']).or(whole.then_some(value))?;
    Some(value.trim())
}

/// What `netsh winhttp` writes into the registry (the value WinHttpSettings): servers and bypass list; none for what has
/// another form. Numbers are little-endian: a version, a counter, whether there is a proxy (3) or not (1), and each text
/// behind its length. The layout is not published.
pub(super) fn settings(bytes: &[u8]) -> Option<(Vec<(String, String)>, String)> {
    fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
        let (first, rest) = bytes.split_first_chunk::<4>()?;
        Some((u32::from_le_bytes(*first), rest))
    }
    fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
        let (length, rest) = number(bytes)?;
        let (text, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        Some((std::str::from_utf8(text).ok()?, rest))
    }
    let (version, rest) = number(bytes)?;
    let (_, rest) = number(rest)?;
    let (flags, rest) = number(rest)?;
    let (proxy, rest) = text(rest)?;
    let (bypass, _) = text(rest)?;
    let told = matches!(version, 0x18 | 0x28)
        && matches!((flags, proxy.is_empty()), (1, true) | (3, false))
        && !proxy.contains(char::is_control);
    told.then(|| (servers(proxy), shown(bypass, 500)))
}

/// `proxy:8080`, or `http=a:1;https=b:2`.
fn servers(list: &str) -> Vec<(String, String)> {
    list.split([';', ' '])
        .filter(|part| !part.is_empty())
        .take(16)
        .map(|part| match part.split_once('=') {
            Some((scheme, server)) => (shown(&scheme.to_ascii_lowercase(), 20), shown(server, 260)),
            None => ("*".to_string(), shown(part, 260)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(version: u32, flags: u32, proxy: &str, bypass: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [version, 0, flags, proxy.len() as u32] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(proxy.as_bytes());
        bytes.extend((bypass.len() as u32).to_le_bytes());
        bytes.extend(bypass.as_bytes());
        bytes
    }

    #[test]
    fn what_netsh_writes_is_read_and_nothing_else() {
        let through = written(0x28, 3, "http=p.example.com:8080;https=q.example.com:8443", "<local>");
        let (servers, bypass) = settings(&through).unwrap();
        assert_eq!(servers[1], ("https".to_string(), "q.example.com:8443".to_string()));
        assert_eq!(bypass, "<local>");
        assert_eq!(settings(&written(0x18, 1, "", "")), Some((Vec::new(), String::new())));
        for strange in [written(0x46, 3, "p:1", ""), written(0x18, 3, "", ""), written(0x18, 1, "p:1", "")] {
            assert_eq!(settings(&strange), None);
        }
        for end in 0..through.len() {
            assert_eq!(settings(&through[..end]), None, "{end}");
        }
    }
}
