//! What wsusutil prints.

use std::sync::LazyLock;

use regex::Regex;

use crate::facts::config::Configuration;
use crate::facts::list::Page;
use crate::facts::{ElsewherePart, Found, Kind, Statement, line_number, shown};

/// Reads wsusutil's messages from a page.
pub(super) fn read(page: &mut Page, found: &mut Found) {
    static SSL_PROXY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^\s*SSL proxy enabled: ?([A-Za-z]+)\s+server: ?(\S*)\s+port: ?([0-9]*)\s*\.?\s*$")
            .expect("fixed pattern")
    });
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^\s*(?:Done\. Please check event log for events with source|Post install (?:is starting|has successfully completed)|Log file is located at .*WSUS_PostInstall|Server: \S+, ?IsActive: ?\w+|LastContactedTime: ?\d|URL: https?://\S+$)",
        )
        .expect("fixed pattern")
    });
    const TELLING: [&str; 8] = [
        "roxy enabled:",
        "WSUS Service",
        "event log for events",
        "Post install",
        "WSUS_PostInstall",
        "IsActive",
        "LastContactedTime",
        "URL: ",
    ];
    for at in 0..page.lines.len() {
        let line = &page.lines[at];
        if page.claimed[at] || line.len() > 1000 || !TELLING.iter().any(|word| line.contains(word)) {
            continue;
        }
        let number = line_number(page.number(at));
        if let Some(parts) = SSL_PROXY.captures(line) {
            let mut open = Configuration::default();
            open.take(found, number, "UseSeparateProxyForSsl", &parts[1]);
            open.take(found, number, "SslProxyName", &parts[2]);
            open.take(found, number, "SslProxyServerPort", &parts[3]);
            found.kind(Kind::WsusUtil);
            open.finish(found);
            page.claim(at, at);
        } else if line.contains("Unable to contact the WSUS Service") {
            found.kind(Kind::WsusUtil);
            let excerpt = shown(line.trim(), 300);
            let part = ElsewherePart::ServiceStart;
            found.fact(number, None, Statement::Elsewhere { part, excerpt });
            page.claim(at, at);
        } else if NAMED.is_match(line) {
            found.kind(Kind::WsusUtil);
            page.claim(at, at);
        }
    }
}
