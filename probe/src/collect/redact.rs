//! Hides the names of a site's hosts in a collection: every label by a number, so that equal names stay equal and a
//! short name stays the beginning of its long one. Microsoft's and the documentation's own names stay.

use std::collections::HashMap;

use regex::{Captures, Regex};

use crate::collection::{Came, Collection};

/// Domains whose names say nothing about a site.
const PUBLIC: [&str; 6] =
    ["microsoft.com", "windowsupdate.com", "windows.com", "digicert.com", "w3.org", "xmlsoap.org"];

/// The properties and environment whose values are hosts or domains.
const NAMED: &str = r"(?im)^\s*(?:UpstreamWsusServerName|ProxyName|SslProxyName|ProxyUserDomain|Name|MachineName|Computer(?:Name)?|Source|WUServer|WUStatusServer|SqlServerName|ServerCertificateName|Proxy)\b[\s:=|]*(?:REG_\w+\s+)?(?:https?://)?([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)";

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
                labels.push(host.to_string());
                suffixes.push(domain.to_string());
            }
            None => labels.push(lower),
        }
    };
    learn(&collection.server);
    if let Some((domain, _)) = collection.account.split_once('\\') {
        learn(domain);
    }
    let named = Regex::new(NAMED).expect("fixed pattern");
    for source in &collection.sources {
        if let Came::Text(text) = &source.came {
            named.captures_iter(text).for_each(|found| learn(&found[1]));
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

/// Words that stand where a name may, and are none.
const KNOWN: [&str; 8] =
    ["localhost", "true", "false", "none", "local", "wsus", "microsoft##wid", "free-running"];

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
}
