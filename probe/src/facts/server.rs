//! The version of the server: `Get-WsusServer`'s object, or the name of its Windows.

use std::sync::LazyLock;

use regex::Regex;

use super::list::{Item, Page};
use super::{Found, Kind, Statement, line_number, shown};

/// Whether `text` is a version of four (or three) numbers.
pub(super) fn is_version(text: &str) -> bool {
    static VERSION: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\d{1,3}\.\d{1,3}\.\d{3,6}(\.\d{1,6})?$").expect("fixed pattern"));
    VERSION.is_match(text)
}

/// Properties that stand beside `Version` in the object of `Get-WsusServer`.
pub(super) const BESIDE: [&str; 5] =
    ["WebServiceUrl", "ServerProtocolVersion", "UseSecureConnection", "IsServerLocal", "BypassApiRemoting"];

/// The host's name in `systeminfo`: in every language it stands above the name of the Windows, in the same column.
fn host_of(page: &Page, at: usize) -> Option<String> {
    static VALUE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^([^\s:][^:]{1,59}:\s{2,})(\S.*?)\s*$").expect("fixed pattern"));
    let line = &page.lines[at];
    if at == 0 || line.len() >= 300 || page.lines[at - 1].len() >= 300 || !line.contains("Windows") {
        return None;
    }
    let (above, here) = (VALUE.captures(&page.lines[at - 1])?, VALUE.captures(line)?);
    let name = &above[2];
    let is_name =
        name.len() <= 63 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let one_column = above[1].chars().count() == here[1].chars().count();
    (is_name && one_column && here[2].starts_with("Microsoft")).then(|| name.to_string())
}

/// Reads versions from a page.
pub(super) fn read(page: &mut Page, items: &[Item], found: &mut Found) {
    static WINDOWS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[^:]{2,60}:.*\b(Windows Server 20\d\d(?: R2)?)\b").expect("fixed pattern")
    });
    for list in items.chunk_by(|one, next| one.list == next.list) {
        let version = list.iter().find(|item| item.name == "Version" && is_version(&item.value));
        let beside = list.iter().any(|item| BESIDE.contains(&item.name.as_str()));
        if let Some(item) = version.filter(|_| beside) {
            let version = shown(&item.value, 60);
            found.kind(Kind::ServerVersion);
            found.fact(line_number(page.number(item.at)), None, Statement::ServerVersion { version });
            page.claim(item.at, item.last);
            let name = list.iter().find(|item| item.name == "Name" && !item.value.is_empty());
            if let Some(item) = name {
                let name = shown(&item.value, 260);
                found.fact(line_number(page.number(item.at)), None, Statement::ServerName { name });
                page.claim(item.at, item.last);
            }
        }
    }
    for at in 0..page.lines.len() {
        if let Some(name) = host_of(page, at) {
            super::prints::of_machine(line_number(page.number(at - 1)), &name, found);
        }
        let line = &page.lines[at];
        if !page.claimed[at]
            && line.len() < 300
            && line.contains("Windows Server 20")
            && let Some(named) = WINDOWS.captures(line)
        {
            // `OS Name:`, `OsName :`, `Caption :`, in any language; not a sentence that happens to name a Windows.
            let label = line.split(':').next().unwrap_or_default().trim();
            if label.split_whitespace().count() <= 4 && !label.chars().any(|c| c.is_ascii_digit()) {
                let version = named[1].to_string();
                found.kind(Kind::ServerVersion);
                found.fact(line_number(page.number(at)), None, Statement::ServerVersion { version });
                page.claim(at, at);
            }
        }
    }
}
