//! PowerShell's own red errors, handed over where a configuration was meant.

use super::list::Page;
use super::{Found, Kind, line_number, shown};

/// Reads errors of `Import-Module UpdateServices` and `Get-WsusServer` from a page. The error's id and the names of
/// commands and classes are the same in every language.
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
        let import = starts("Import-Module");
        let server = starts("Get-WsusServer");
        let mut end = at + 1;
        if import || server {
            while end < page.lines.len() && end < at + 16 {
                let line = page.lines[end].trim();
                let other = !page.lines[end].starts_with([' ', '\t', '+'])
                    && (line.starts_with("Import-Module") || line.starts_with("Get-WsusServer"));
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
            if server || block.contains("UpdateServices") {
                found.kind(Kind::Configuration);
                found.unavailable(line_number(page.number(at)), shown(page.lines[at].trim(), 300));
                page.claim(at, end - 1);
            } else {
                end = at + 1;
            }
        }
        at = end;
    }
}
