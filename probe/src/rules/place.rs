//! Whether a run stands in the server's place: what depends on the place is likely at most elsewhere, unless the
//! settings state it.

use super::{Given, Seen};
use crate::settings::{ProxyChoice, Resolver, Settings, Trust};

/// Whether the settings state how a host is found.
pub(super) fn name_is_stated(settings: &Settings, host: &str) -> bool {
    (settings.resolver == Resolver::Dns && !settings.dns.is_empty())
        || host.parse::<std::net::IpAddr>().is_ok()
        || settings.connect_to.iter().any(|r| r.host.as_deref().is_some_and(|h| h.eq_ignore_ascii_case(host)))
}

/// Whether the settings state where sockets of this host and port go.
pub(super) fn dial_is_stated(settings: &Settings, host: &str, port: u16) -> bool {
    settings.connect_to.iter().any(|r| {
        let host_fits =
            r.host.as_deref().is_none_or(|h| h.eq_ignore_ascii_case(host)) || r.address().is_some();
        host_fits && r.port.is_none_or(|p| p == port)
    })
}

/// Whether the settings state where sockets to a URL's server go.
pub(super) fn url_is_stated(settings: &Settings, url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| {
        url.host_str()
            .zip(url.port_or_known_default())
            .is_some_and(|(host, port)| dial_is_stated(settings, host, port))
    })
}

/// Whether the settings state the proxy.
pub(super) fn proxy_is_stated(settings: &Settings, host: &str, port: u16) -> bool {
    matches!(settings.proxy, ProxyChoice::Through(_)) || dial_is_stated(settings, host, port)
}

/// Whether the settings state what the server trusts.
pub(super) fn store_is_stated(settings: &Settings) -> bool {
    settings.trust == Trust::None || !settings.cacert.is_empty()
}

pub(super) fn give(seen: &Seen, given: &mut Given) {
    let settings = &seen.evidence.settings;
    let mut open: Vec<&str> = Vec::new();
    for path in seen.needed().filter(|p| p.walked()) {
        let target = &path.info.target;
        let (host, port) = path
            .info
            .proxy
            .as_ref()
            .map_or((target.host.as_str(), target.port), |hop| (hop.host.as_str(), hop.port));
        let mut add = |what| {
            if !open.contains(&what) {
                open.push(what);
            }
        };
        if !name_is_stated(settings, host) && path.own.iter().any(|o| super::seen::kind(&o.outcome) == "name")
        {
            add("its name resolution");
        }
        if !dial_is_stated(settings, host, port) && !path.lanes.is_empty() {
            add("its route and firewall");
        }
        if path.own.iter().any(|o| super::seen::kind(&o.outcome) == "chain") && !store_is_stated(settings) {
            add("its certificate stores");
        }
    }
    if !open.is_empty() {
        let because = seen
            .needed()
            .filter_map(|p| {
                p.own.iter().find(|o| !matches!(super::seen::kind(&o.outcome), "not-asked" | "not-reached"))
            })
            .map(|o| o.id.clone())
            .collect();
        given.open(
            "Does the WSUS server see the same?",
            format!(
                "This run stood in the server's place; of the server itself it does not know {}.",
                list(&open)
            ),
            "run wsusprobe on the WSUS server, under the account of its service where it matters",
            because,
        );
    }
}

/// `a, b and c`.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_string(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}
