//! `netsh http show sslcert`, in any language: an endpoint, a fingerprint, a GUID and a store, each behind a label.

use std::sync::LazyLock;

use regex::Regex;

use crate::facts::list::Page;
use crate::facts::{Found, Kind, Statement, line_number, shown};

/// The value behind a label. A label may hold a colon (`IP:port`); before the one that ends it there is a blank.
fn value(line: &str) -> Option<&str> {
    let (_, value) =
        line.split_once(" : ").or_else(|| line.trim_end().strip_suffix(" :").map(|_| ("", "")))?;
    Some(value.trim())
}

/// Whether `text` is a fingerprint of SHA-1, or what stands in the place of one.
fn fingerprint(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| *c != ' ').take(41).collect();
    if text == "(null)" {
        return Some(String::new());
    }
    (text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

/// Reads the bindings on a page.
pub(super) fn read(page: &mut Page, found: &mut Found) {
    static ENDPOINT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.%]+\]|\*|[A-Za-z0-9*][A-Za-z0-9_.-]*):[0-9]{1,5}$",
        )
        .expect("fixed pattern")
    });
    static GUID: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}$").expect("fixed pattern")
    });
    let mut at = 0;
    while at < page.lines.len() {
        let below = |distance: usize| {
            let index = at + distance;
            let line = page.lines.get(index).filter(|line| line.len() < 400)?;
            value(line).filter(|_| !page.claimed[index])
        };
        let endpoint = below(0).filter(|value| ENDPOINT.is_match(value)).map(String::from);
        let hash = below(1).and_then(fingerprint);
        let (Some(endpoint), Some(certificate)) = (endpoint, hash) else {
            at += 1;
            continue;
        };
        if !below(2).is_some_and(|value| GUID.is_match(value)) {
            at += 1;
            continue;
        }
        found.kind(Kind::SslBindings);
        let line = line_number(page.number(at));
        let store = below(3).map(|store| shown(store, 100)).unwrap_or_default();
        let endpoint = shown(&endpoint, 300);
        found.fact(line, None, Statement::SslBinding { endpoint, certificate, store });
        let mut last = at;
        while last + 1 < page.lines.len() && last < at + 40 {
            let line = &page.lines[last + 1];
            if !line.starts_with(' ') || value(line).is_none() {
                break;
            }
            last += 1;
        }
        page.claim(at, last);
        at = last + 1;
    }
}
