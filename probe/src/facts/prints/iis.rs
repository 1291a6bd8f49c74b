//! What IIS' tools print of sites and their bindings: `Get-WebBinding`, `appcmd list site`.

use std::sync::LazyLock;

use regex::Regex;

use super::Record;
use crate::facts::list::Page;
use crate::facts::{Found, Kind, Statement, line_number, shown};

/// States a binding as IIS writes it: `address:port:host`. Whether it is one of HTTP.
pub(super) fn binding(
    line: Option<u32>,
    site: &str,
    protocol: &str,
    information: &str,
    certificate: &str,
    found: &mut Found,
) -> bool {
    let protocol = protocol.to_ascii_lowercase();
    if protocol != "http" && protocol != "https" {
        return false;
    }
    let mut parts = information.rsplitn(3, ':');
    let (host, port) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let certificate: String = certificate.chars().filter(|c| *c != ' ').take(41).collect();
    let is_hash = certificate.len() == 40 && certificate.bytes().all(|b| b.is_ascii_hexdigit());
    found.kind(Kind::Iis);
    match port.parse::<u16>() {
        Ok(port) if port != 0 && parts.next().is_some() => found.fact(
            line,
            None,
            Statement::IisBinding {
                site: shown(site, 200),
                protocol,
                port,
                host: shown(host, 260),
                certificate: if is_hash { certificate.to_ascii_lowercase() } else { String::new() },
            },
        ),
        _ => {
            let given = format!("`{}`", shown(information, 100));
            found.problem(line, "a binding as `address:port:host`", given);
        }
    }
    true
}

/// The site's name in the path of an element of IIS' configuration.
fn site_of(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("sites/site[@name='")?;
    rest.split('\'').next()
}

/// An object that is a binding. A table of them does not name their site.
pub(super) fn record(record: &Record, found: &mut Found) -> bool {
    let (Some(protocol), Some(information)) = (record.get("protocol"), record.get("bindingInformation"))
    else {
        return false;
    };
    let site = record.get("ItemXPath").and_then(site_of).unwrap_or_default();
    let certificate = record.get("certificateHash").unwrap_or_default();
    binding(record.line, site, protocol, information, certificate, found)
}

/// Reads appcmd's list of sites.
pub(super) fn read(page: &mut Page, found: &mut Found) {
    static SITE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^\s*SITE "([^"]+)" \(id:[0-9]+,bindings:(.*),state:[A-Za-z]*\)"#)
            .expect("fixed pattern")
    });
    for at in 0..page.lines.len() {
        let line = &page.lines[at];
        if page.claimed[at] || line.len() > 4000 || !line.trim_start().starts_with("SITE ") {
            continue;
        }
        let Some(parts) = SITE.captures(line) else { continue };
        let number = line_number(page.number(at));
        for each in parts[2].split(',').take(64) {
            if let Some((protocol, information)) = each.split_once('/') {
                binding(number, &parts[1], protocol, information, "", found);
            }
        }
        found.kind(Kind::Iis);
        page.claim(at, at);
    }
}
