//! Settings and facts become the paths to walk. Nothing is asked here, and nothing judged.

use std::collections::BTreeSet;

use crate::codec::soap::SERVER_SYNC;
use crate::evidence::{Ask, Layer, PathInfo, PathRole, Scheme, Target};
use crate::facts::FactView;
use crate::settings::{ProxyChoice, ProxyHop, ProxyKind, Settings, is_host_name};

/// The endpoint from which Windows Server 2012 and later synchronize.
pub const MICROSOFT_ENDPOINT: &str = "https://sws.update.microsoft.com";

/// The ports on which WSUS is found: 8530 and 8531 from version 6.2 on, 80 and 443 before.
pub const WSUS_PORTS: [u16; 4] = [8530, 8531, 80, 443];

/// The paths to begin with; the walk adds the questions that their outcomes ask for.
pub fn plan(settings: &Settings, facts: &FactView) -> Vec<PathInfo> {
    // After a repair the record answers: what is walked tells nothing of a run.
    if settings.disconnected || settings.since.is_some() {
        return Vec::new();
    }
    let mut paths = Vec::new();
    for target in sources(facts) {
        for proxy in proxies(settings, facts, target.scheme) {
            push(&mut paths, PathRole::Source, target.clone(), proxy, Ask::AuthConfig, settings);
        }
    }
    paths
}

/// The paths of targets that were asked for: without a path of its own a URL is a WSUS base.
pub fn asked(settings: &Settings, targets: &[Target]) -> Vec<PathInfo> {
    let mut paths = Vec::new();
    for target in targets {
        let proxy = match &settings.proxy {
            ProxyChoice::Through(hop) => Some(hop.clone()),
            ProxyChoice::None | ProxyChoice::AsConfigured => None,
        };
        if target.path == "/" {
            let base = Target { path: SERVER_SYNC.into(), ..target.clone() };
            push(&mut paths, PathRole::Source, base, proxy, Ask::AuthConfig, settings);
        } else {
            push(&mut paths, PathRole::Url, target.clone(), proxy, Ask::Get, settings);
        }
    }
    paths
}

/// The path to a server whose TLS is asked for.
pub fn tls(settings: &Settings, facts: &FactView, target: &Target) -> Vec<PathInfo> {
    let mut paths = Vec::new();
    for proxy in proxies(settings, facts, Scheme::Https) {
        push(&mut paths, PathRole::Tls, target.clone(), proxy, Ask::Tls, settings);
    }
    paths
}

fn push(
    paths: &mut Vec<PathInfo>,
    role: PathRole,
    target: Target,
    proxy: Option<ProxyHop>,
    ask: Ask,
    settings: &Settings,
) {
    if paths.iter().any(|p: &PathInfo| p.target == target && p.proxy == proxy) {
        return;
    }
    let last = match ask {
        Ask::Get => Layer::Http,
        Ask::Tls if settings.suites => Layer::Tls,
        Ask::Tls => Layer::Trust,
        _ => Layer::Wsus,
    };
    let until = settings.until.map_or(last, |until| until.min(last));
    let id = format!("p{}", paths.len() + 1);
    paths.push(PathInfo { id, role, needed: true, target, proxy, ask, until });
}

/// Whether the facts name a source that can be walked.
pub(crate) fn names_a_source(facts: &FactView) -> bool {
    !sources(facts).is_empty()
}

/// Where the server synchronizes from: every answer that the facts give, so that a contradiction is walked both ways.
fn sources(facts: &FactView) -> Vec<Target> {
    let from_microsoft: BTreeSet<bool> =
        facts.config_all("SyncFromMicrosoftUpdate").iter().filter_map(|(_, value)| boolean(value)).collect();
    let mut found = Vec::new();
    if from_microsoft.contains(&true) {
        let mut urls: Vec<&str> = facts.config_all("MUUrl").iter().map(|(_, url)| *url).collect();
        if urls.is_empty() {
            urls.push(MICROSOFT_ENDPOINT);
        }
        found.extend(urls.into_iter().filter_map(service_of));
    }
    if from_microsoft.contains(&false) {
        found.extend(upstreams(facts));
    }
    if from_microsoft.is_empty() {
        // Without a configuration the log's own words are the best that is known.
        // What a later run succeeded after was repaired, or was none of its matter; what it has left is the past.
        let current = facts
            .endpoints()
            .into_iter()
            .filter(|(fact, _)| !facts.succeeded_after(fact) && facts.moved_since(fact).is_none());
        found.extend(current.filter_map(|(_, url)| service_of(url)));
    }
    let mut unique: Vec<Target> = Vec::new();
    for target in found {
        if !unique.contains(&target) {
            unique.push(target);
        }
    }
    unique.truncate(4);
    unique
}

fn upstreams(facts: &FactView) -> Vec<Target> {
    let names = facts.config_all("UpstreamWsusServerName");
    let ports = facts.config_all("UpstreamWsusServerPortNumber");
    let uses = facts.config_all("UpstreamWsusServerUseSsl");
    let rounds = names.len().max(ports.len()).max(uses.len());
    let nth = |list: &[(&crate::facts::Fact, &str)], n: usize| {
        list.get(n).or(list.last()).map(|(_, value)| value.to_string())
    };
    let mut found = Vec::new();
    for n in 0..rounds {
        let Some(host) = nth(&names, n).map(|h| h.trim().to_ascii_lowercase()) else { continue };
        if !is_host_name(&host) && host.parse::<std::net::IpAddr>().is_err() {
            continue;
        }
        let ssl = nth(&uses, n).and_then(|value| boolean(&value)).unwrap_or(false);
        let port = nth(&ports, n)
            .and_then(|value| value.trim().parse().ok())
            .filter(|&port: &u16| port != 0)
            .unwrap_or(if ssl { 8531 } else { 8530 });
        let scheme = if ssl { Scheme::Https } else { Scheme::Http };
        found.push(Target { scheme, host, port, path: SERVER_SYNC.into() });
    }
    found
}

/// The proxy that WSUS uses for the other scheme than this one, where it is another.
pub fn other_proxy(settings: &Settings, facts: &FactView, scheme: Scheme) -> Option<(Scheme, ProxyHop)> {
    let other = match scheme {
        Scheme::Http => Scheme::Https,
        Scheme::Https => Scheme::Http,
    };
    let separate = facts.flag("UseSeparateProxyForSsl").is_some_and(|(_, separate)| separate);
    if settings.proxy != ProxyChoice::AsConfigured || !separate {
        return None;
    }
    let own = proxies(settings, facts, scheme);
    let hop = proxies(settings, facts, other).into_iter().flatten().next()?;
    (!own.contains(&Some(hop.clone()))).then_some((other, hop))
}

/// The proxies of a scheme: one, or none, or several where the facts contradict each other. A configured proxy that
/// cannot be used gives no path at all.
fn proxies(settings: &Settings, facts: &FactView, scheme: Scheme) -> Vec<Option<ProxyHop>> {
    match &settings.proxy {
        ProxyChoice::None => vec![None],
        ProxyChoice::Through(hop) => vec![Some(hop.clone())],
        ProxyChoice::AsConfigured => {
            let uses: BTreeSet<bool> =
                facts.config_all("UseProxy").iter().filter_map(|(_, value)| boolean(value)).collect();
            let mut found = Vec::new();
            if uses.is_empty() || uses.contains(&false) {
                found.push(None);
            }
            if uses.contains(&true) {
                let mut separate: BTreeSet<bool> = facts
                    .config_all("UseSeparateProxyForSsl")
                    .iter()
                    .filter_map(|(_, value)| boolean(value))
                    .filter(|separate| scheme == Scheme::Https || !separate)
                    .collect();
                if separate.is_empty() {
                    separate.insert(false);
                }
                for separate in separate {
                    let (name, port) = if separate {
                        ("SslProxyName", "SslProxyServerPort")
                    } else {
                        ("ProxyName", "ProxyServerPort")
                    };
                    found.extend(configured_proxies(facts, name, port).into_iter().map(Some));
                }
            }
            found
        }
    }
}

/// The proxies that two properties name, each name with the port that stands with it.
fn configured_proxies(facts: &FactView, name: &str, port: &str) -> Vec<ProxyHop> {
    let (names, ports) = (facts.config_all(name), facts.config_all(port));
    let rounds = if names.is_empty() || ports.is_empty() { 0 } else { names.len().max(ports.len()) };
    let mut found: Vec<ProxyHop> = Vec::new();
    for n in 0..rounds {
        let at = |list: &[(&crate::facts::Fact, &str)]| {
            list.get(n).or(list.last()).map(|(_, value)| value.to_string())
        };
        let hop = at(&names).zip(at(&ports)).and_then(|(host, port)| proxy_of(&host, &port));
        found.extend(hop.filter(|hop| !found.contains(hop)));
    }
    found
}

fn proxy_of(host: &str, port: &str) -> Option<ProxyHop> {
    let host = host.trim().to_ascii_lowercase();
    let usable = is_host_name(&host) || host.parse::<std::net::IpAddr>().is_ok();
    let port = port.trim().parse().ok().filter(|&port: &u16| port != 0)?;
    usable.then_some(ProxyHop { kind: ProxyKind::Http, host, port })
}

/// The proxy that two properties name, where both are usable: the last one that was handed over.
pub fn configured_proxy(facts: &FactView, name: &str, port: &str) -> Option<ProxyHop> {
    proxy_of(facts.config(name)?.1, facts.config(port)?.1)
}

/// The server-to-server service below a base URL, or as a log's actor names it whole.
pub fn service_of(base: &str) -> Option<Target> {
    let url = url::Url::parse(base.trim()).ok()?;
    let scheme = match url.scheme() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return None,
    };
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let port = url.port_or_known_default().filter(|&port| port != 0)?;
    let lower = url.path().to_ascii_lowercase();
    let path = if lower.ends_with(".asmx") {
        url.path().to_string()
    } else {
        format!("{}{SERVER_SYNC}", url.path().trim_end_matches('/'))
    };
    Some(Target { scheme, host, port, path })
}

/// `True` or `False` as PowerShell prints them, JSON and XML too.
fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whether a host is one of Microsoft's, where GetAuthConfig alone is asked.
pub fn is_microsoft_host(host: &str) -> bool {
    ["microsoft.com", "windowsupdate.com", "windows.com"]
        .iter()
        .any(|domain| host == *domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_leads_to_the_service() {
        let target = service_of("https://fe2.update.microsoft.com/v6").unwrap();
        assert_eq!(target.path, "/v6/ServerSyncWebService/ServerSyncWebService.asmx");
        assert_eq!(target.port, 443);
        let actor =
            service_of("https://x.example.com/v6/ServerSyncWebService/ServerSyncWebService.asmx").unwrap();
        assert_eq!(actor.path, "/v6/ServerSyncWebService/ServerSyncWebService.asmx");
        assert!(service_of("sws.update.microsoft.com").is_none());
        assert!(service_of("ftp://x").is_none());
    }

    #[test]
    fn microsofts_hosts_are_told_by_whole_labels() {
        assert!(is_microsoft_host("sws.update.microsoft.com"));
        assert!(!is_microsoft_host("sws.update.notmicrosoft.com"));
    }
}
