//! `certutil -verify -urlfetch`: told by the names that are the same in every language.

use std::sync::LazyLock;

use regex::Regex;

use crate::facts::list::Page;
use crate::facts::{Found, Kind, Statement, line_number, shown};

/// The most errors, and the most URLs, that are kept.
const MOST: usize = 32;

/// Reads verdicts from a page.
pub(super) fn read(page: &mut Page, found: &mut Found) {
    static ELEMENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*CertContext\[\d{1,3}\]\[(\d{1,3})\]: dwInfoStatus=[0-9a-f]{1,8} dwErrorStatus=([0-9a-f]{1,8})")
            .expect("fixed pattern")
    });
    static SYMBOL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b(?:CERT_TRUST|CRYPT_E|CERT_E|TRUST_E|SEC_E|NTE)_[A-Z0-9_]{2,60}\b")
            .expect("fixed pattern")
    });
    static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"0x8[0-9a-f]{7}\b").expect("fixed pattern"));
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*(?:\[\d+\.\d+(?:\.\d+)?\] )?((?i:https?|ldap|ftp|file)://\S+)")
            .expect("fixed pattern")
    });
    let mut at = 0;
    while at < page.lines.len() {
        let begins = |line: &str| {
            line.len() < 200
                && line.contains("CertContext[")
                && ELEMENT.captures(line).is_some_and(|parts| &parts[1] == "0")
        };
        if !begins(&page.lines[at]) {
            at += 1;
            continue;
        }
        let head = at;
        let (mut elements_good, mut ended) = (true, false);
        let (mut errors, mut unreachable) = (Vec::<String>::new(), Vec::<String>::new());
        let subject = subject(page, head);
        let mut failed = false;
        while at < page.lines.len() {
            let line = &page.lines[at];
            if at > head && (begins(line) || line.trim_start().starts_with("PS ")) {
                break;
            }
            if line.len() < 3000 {
                if let Some(parts) = ELEMENT.captures(line) {
                    elements_good &= parts[2].bytes().all(|b| b == b'0');
                }
                let tells = line.contains("dwErrorStatus") || CODE.is_match(line);
                for symbol in SYMBOL.find_iter(line).filter(|_| tells).take(8) {
                    let symbol = symbol.as_str();
                    if errors.len() < MOST && !errors.iter().any(|known| known == symbol) {
                        errors.push(symbol.to_string());
                    }
                }
                // The URL stands below the code of its error.
                if let Some(url) = ADDRESS.captures(line).filter(|_| failed)
                    && unreachable.len() < MOST
                {
                    let url = shown(&url[1], 500);
                    if !unreachable.contains(&url) {
                        unreachable.push(url);
                    }
                }
                failed = CODE.is_match(line) && !line.contains("dwErrorStatus");
                if line.starts_with("CertUtil:") {
                    ended = true;
                    break;
                }
            }
            at += 1;
        }
        let last = at.min(page.lines.len() - 1);
        found.kind(Kind::ChainVerdict);
        let line = line_number(page.number(head));
        let good = elements_good && errors.is_empty();
        // A number alone, whose names come further down, is no error that could be named.
        if !ended && errors.is_empty() {
            found.problem(line, "the whole of what certutil printed", "its end before the verdict".into());
        } else {
            found.fact(line, None, Statement::ChainVerdict { subject, good, errors, unreachable });
        }
        // What stands right above it belongs to it.
        let above = |&above: &usize| !page.lines[above].trim().is_empty() && !page.claimed[above];
        let from = (0..head).rev().take(20).take_while(above).last();
        page.claim(from.unwrap_or(head), last);
        at = last + 1;
    }
}

/// The subject of the first element: the fourth of its labelled lines.
fn subject(page: &Page, head: usize) -> String {
    let labelled =
        page.lines[head + 1..].iter().take(8).filter(|line| line.starts_with(' ') && line.contains(':'));
    let line =
        labelled.clone().find(|line| line.trim_start().starts_with("Subject:")).or(labelled.clone().nth(3));
    let subject = line.and_then(|line| line.split_once(':')).map(|(_, subject)| subject.trim());
    shown(subject.unwrap_or_default(), super::certificates::NAME)
}
