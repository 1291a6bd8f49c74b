//! Hides the names of a site's hosts in a collection: every label by a number, so that equal names stay equal and a
//! short name stays the beginning of its long one. Microsoft's and the documentation's own names stay.

use std::collections::HashMap;

use regex::{Captures, Regex};

use crate::collection::{Came, Collection};

/// Domains whose names say nothing about a site.
const PUBLIC: [&str; 6] =
    ["microsoft.com", "windowsupdate.com", "windows.com", "digicert.com", "w3.org", "xmlsoap.org"];

/// Properties whose values are hosts or domains, wherever they stand.
const NAMED: &str = r"UpstreamWsusServerName|ProxyName|SslProxyName|ProxyUserDomain|MachineName|Computer(?:Name)?|WUServer|WUStatusServer|SqlServerName|ServerCertificateName|Proxy|ProxyServer|Proxy Server\(s\)|Account|Host Name";

/// What else is one in the source of that name.
const NAMED_IN: [(&str, &str); 2] = [("server", "Name"), ("clock", "Source")];

/// Finds the values of these properties: behind a colon, or behind the type of a value in the registry.
fn values(properties: &str) -> Regex {
    let host = r"([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)";
    Regex::new(&format!(r"(?im)^\s*(?:{properties})(?:\s*:\s*|\s+REG_\w+\s+)(?:https?://|https?=)?{host}"))
        .expect("fixed pattern")
}

/// Replaces the names of the site's hosts and domains wherever they stand.
pub fn names(collection: &mut Collection) {
    let mut labels: Vec<String> = Vec::new();
    let mut suffixes: Vec<String> = Vec::new();
    let mut learn = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let public = PUBLIC.iter().any(|domain| lower == *domain || lower.ends_with(&format!(".{domain}")));
        let address = lower.parse::<std::net::IpAddr>().is_ok();
        if public || address || lower.len() < 3 || KNOWN.contains(&lower.as_str()) {
            return;
        }
        match lower.split_once('.') {
            Some((host, domain)) => {
                if !KNOWN.contains(&host) {
                    labels.push(host.to_string());
                }
                suffixes.push(domain.to_string());
            }
            None => labels.push(lower),
        }
    };
    learn(&collection.server);
    if let Some((domain, _)) = collection.account.split_once('\\') {
        learn(domain);
    }
    let named = values(NAMED);
    for source in &collection.sources {
        let Came::Text(text) = &source.came else { continue };
        named.captures_iter(text).for_each(|found| learn(&found[1]));
        for (_, properties) in NAMED_IN.iter().filter(|(name, _)| *name == source.name) {
            values(properties).captures_iter(text).for_each(|found| learn(&found[1]));
        }
    }
    if labels.is_empty() && suffixes.is_empty() {
        return;
    }
    let mut hidden = Hidden { labels, suffixes, numbers: HashMap::new() };
    collection.server = hidden.text(&collection.server);
    collection.account = hidden.text(&collection.account);
    for source in &mut collection.sources {
        let (Came::Text(text) | Came::Failed(text)) = &mut source.came;
        *text = hidden.text(text);
        source.command = hidden.text(&source.command);
    }
}

/// Words that stand where a name may, and are none, or say nothing where they stand alone.
const KNOWN: [&str; 15] = [
    "localhost",
    "true",
    "false",
    "none",
    "local",
    "microsoft##wid",
    "free-running",
    "wsus",
    "proxy",
    "server",
    "upstream",
    "update",
    "source",
    "host",
    "time",
];

struct Hidden {
    labels: Vec<String>,
    suffixes: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Hidden {
    fn text(&mut self, text: &str) -> String {
        let words = Regex::new(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*").expect("fixed pattern");
        words.replace_all(text, |found: &Captures<'_>| self.word(&found[0])).into_owned()
    }

    fn word(&mut self, word: &str) -> String {
        let lower = word.to_ascii_lowercase();
        let site = self.labels.contains(&lower)
            || self.suffixes.iter().any(|suffix| {
                lower == *suffix
                    || lower.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.ends_with('.'))
            });
        if !site {
            return word.to_string();
        }
        let numbered: Vec<String> = lower
            .split('.')
            .map(|label| {
                let next = self.numbers.len() + 1;
                format!("name{}", self.numbers.entry(label.to_string()).or_insert(next))
            })
            .collect();
        numbered.join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::{Source, VERSION};

    #[test]
    fn names_of_the_site_go_and_their_likeness_stays() {
        let text = "UpstreamWsusServerName : up1.corp.contoso.test\nMUUrl : https://sws.update.microsoft.com\n\
                    at System.Net.HttpWebRequest\nfailed: up1.corp.contoso.test and UP1, not db2.corp.contoso.test";
        let mut collection = Collection {
            version: VERSION,
            server: "WSUS7".into(),
            time: String::new(),
            account: "CORP\\admin".into(),
            sources: vec![Source {
                name: "configuration".into(),
                command: "on wsus7".into(),
                came: Came::Text(text.into()),
            }],
        };
        names(&mut collection);
        let Came::Text(text) = &collection.sources[0].came else { panic!() };
        for gone in ["up1", "UP1", "corp", "contoso", "db2", "wsus7", "WSUS7", "CORP"] {
            assert!(
                !format!(
                    "{text}{}{}{}",
                    collection.server, collection.account, collection.sources[0].command
                )
                .contains(gone),
                "{gone} in {text}"
            );
        }
        for stays in ["https://sws.update.microsoft.com", "System.Net.HttpWebRequest"] {
            assert!(text.contains(stays), "{stays}");
        }
        let names: Vec<&str> =
            text.lines().last().unwrap().split([' ', ',']).filter(|w| w.starts_with("name")).collect();
        assert_eq!(names[1], names[0].split('.').next().unwrap(), "{names:?}");
        assert_eq!(names[2].split_once('.').unwrap().1, names[0].split_once('.').unwrap().1);
    }

    #[test]
    fn what_is_no_name_of_a_host_stays() {
        let source = |name: &str, text: &str| Source {
            name: name.into(),
            command: String::new(),
            came: Came::Text(text.into()),
        };
        let suites = "Name : TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        let services = "Name        : WsusService\nDisplayName : WSUS Service";
        let winhttp = "    Proxy Server(s) :  proxy.corp.test:8080\n    Bypass List     :  (none)";
        let mut collection = Collection {
            version: VERSION,
            server: "WSUS7".into(),
            time: String::new(),
            account: String::new(),
            sources: vec![
                source("server", "Name : WSUS7\nVersion : 10.0.17763.2989"),
                source("suites", suites),
                source("services", services),
                source("winhttp", winhttp),
                source("clock", "Source: Local CMOS Clock"),
            ],
        };
        names(&mut collection);
        let text = |at: usize| match &collection.sources[at].came {
            Came::Text(text) => text.as_str(),
            Came::Failed(_) => "",
        };
        assert_eq!((text(1), text(2), text(4)), (suites, services, "Source: Local CMOS Clock"));
        assert!(!text(0).contains("WSUS7") && text(0).contains("10.0.17763.2989"), "{}", text(0));
        assert!(text(3).contains("Proxy Server(s) :  name") && !text(3).contains("corp"), "{}", text(3));
    }
}
