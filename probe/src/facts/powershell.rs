//! PowerShell's own red errors, handed over where a configuration or the state of a service was meant.

use std::sync::LazyLock;

use regex::Regex;

use super::list::Page;
use super::prints::absent_service;
use super::{Found, Kind, line_number, shown};

/// What `Get-Service` says in English where there is no service of that name.
const NO_SERVICE: &str = "Cannot find any service with service name '";

/// The service that an error of `Get-Service` did not find.
fn absent(block: &str) -> Option<&str> {
    static ABSENT: LazyLock<Regex> = LazyLock::new(|| {
        let category =
            r"(?s)ObjectNotFound: \(([^():\n]+):String\) \[Get-Service\].*NoServiceFoundForGivenName,";
        Regex::new(&format!(r"{NO_SERVICE}([^'\n]+)'|{category}")).expect("fixed pattern")
    });
    let parts = ABSENT.captures(block)?;
    parts.get(1).or(parts.get(2)).map(|name| name.as_str())
}

/// Reads errors of `Import-Module UpdateServices`, `Get-WsusServer` and `Get-Service` from a page. The error's id, its
/// category and the names of commands and classes are the same in every language.
pub(super) fn read(page: &mut Page, found: &mut Found) {
    let mut at = 0;
    while at < page.lines.len() {
        let first = at;
        let starts = |name: &str| {
            page.lines[first]
                .trim_start()
                .strip_prefix(name)
                .is_some_and(|rest| rest.trim_start().starts_with(':'))
        };
        let server = starts("Get-WsusServer");
        let service = starts("Get-Service") || page.lines[at].contains(NO_SERVICE);
        let mut end = at + 1;
        if server || service || starts("Import-Module") {
            while end < page.lines.len() && end < at + 16 {
                let line = page.lines[end].trim();
                let other = !page.lines[end].starts_with([' ', '\t', '+'])
                    && ["Import-Module", "Get-WsusServer", "Get-Service"]
                        .iter()
                        .any(|name| line.starts_with(name));
                if line.is_empty() || other {
                    break;
                }
                end += 1;
                if line.contains("FullyQualifiedErrorId") {
                    // An id that is too long for the console goes on in the next line.
                    let wrapped = page
                        .lines
                        .get(end)
                        .is_some_and(|next| next.starts_with("   ") && !next.contains(':'));
                    end += usize::from(wrapped);
                    break;
                }
            }
            let block = page.lines[at..end].join("\n");
            let line = line_number(page.number(at));
            if service {
                match absent(&block) {
                    Some(name) => {
                        absent_service(line, name, found);
                        page.claim(at, end - 1);
                    }
                    None => end = at + 1,
                }
            } else if server || block.contains("UpdateServices") {
                found.kind(Kind::Configuration);
                found.unavailable(line, shown(page.lines[at].trim(), 300));
                page.claim(at, end - 1);
            } else {
                end = at + 1;
            }
        }
        at = end;
    }
}
