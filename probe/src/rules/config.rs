//! What the server is told to do.

mod local;

pub(crate) use local::stopped_upstream;
pub(super) use local::{exists, running};

use super::{Given, Seen, cause, note, place, record};
use crate::diagnosis::{Confidence, Finding, Role, Severity};
use crate::evidence::{Observation, Outcome, PathRole, ProxyAnswer, Scheme};
use crate::facts::{Fact, FactView, LoggedFailure, Statement, WinHttpView};
use crate::plan::{configured_proxy, service_of};
use crate::rules::With;
use crate::settings::is_host_name;

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &[
    "config",
    "win-http-proxy",
    "log-endpoint",
    "log-failure",
    "log-sync",
    "sync-run",
    "clock-jump",
    "registry",
    "service",
    "app-pool",
    "server-name",
    "log",
];

/// Hosts that no longer serve synchronization: fe2 since 2019-07-08, the older names before it (Microsoft KB 4482416).
const DECOMMISSIONED: [&str; 3] =
    ["fe2.update.microsoft.com", "update.microsoft.com", "www.update.microsoft.com"];
/// When the last of them was shut.
const SHUT: &str = "2019-07-08T00:00:00Z";
/// Being retired; shut for WSUS 3.0 SP2 since 2022-01-10.
const RETIRING: &str = "sws1.update.microsoft.com";
/// The endpoint of Windows Server 2012 and later.
const CURRENT: &str = "sws.update.microsoft.com";
/// The redirector number that belongs to it.
const REDIRECTOR: i64 = 4002;

pub(super) fn give(seen: &Seen, given: &mut Given) {
    let mut mine = Given::default();
    endpoint(seen, &mut mine);
    proxies(seen, &mut mine);
    upstream(seen, &mut mine);
    winhttp(seen, &mut mine);
    local::give(seen, &mut mine);
    let told_twice = seen.facts.contradictions();
    for found in mine.findings {
        given.add(of_which_configuration(found, &told_twice));
    }
    given.unknown.extend(mine.unknown);
}

/// A cause that rests on a value of which two configurations say different things: which of them is in force does not show.
fn of_which_configuration(mut found: Finding, told_twice: &[(&str, Vec<&Fact>)]) -> Finding {
    let Some((property, facts)) =
        told_twice.iter().find(|(_, facts)| facts.iter().any(|fact| found.because.contains(&fact.id)))
    else {
        return found;
    };
    if found.role != Role::Cause {
        return found;
    }
    found.says.push_str(&format!(" What was handed over says different things of {property}."));
    for fact in facts {
        if !found.because.contains(&fact.id) {
            found.because.push(fact.id.clone());
        }
    }
    found.possible()
}

/// What the walk says of a configuration value's path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walked {
    /// It failed.
    Failed,
    /// It reached its end.
    Works,
    /// It was not walked.
    No,
}

fn walked<'s, 'a: 's>(paths: impl Iterator<Item = &'s super::PathSeen<'a>>) -> Walked {
    let mut result = Walked::No;
    for path in paths {
        if path.works() {
            return Walked::Works;
        }
        if path.walked() && !path.failed().is_empty() {
            result = Walked::Failed;
        }
    }
    result
}

/// A configuration finding: certain once the walk failed on it, a note where it works. Where nothing was walked it is likely
/// at most, and the record of the last run weighs it.
fn weighed(seen: &Seen, found: Finding, walked: Walked) -> Finding {
    match walked {
        Walked::Failed => found,
        Walked::No => record::weighed(seen, found.likely()),
        Walked::Works => {
            let severity = found.severity.max(Severity::Warning);
            found.role(Role::Note).severity(severity)
        }
    }
}

/// The same for a value that is unusual and no fault: where it works, nothing warns.
fn unusual(seen: &Seen, found: Finding, walked: Walked) -> Finding {
    let mut found = weighed(seen, found, walked);
    if walked == Walked::Works {
        found.says.push_str(" It works.");
        found = found.severity(Severity::Info);
    }
    found
}

/// The same for an endpoint: a run that succeeded before it was shut says nothing of it now.
fn weighed_endpoint(seen: &Seen, found: Finding, walked: Walked) -> Finding {
    if walked != Walked::No {
        return weighed(seen, found, walked);
    }
    let shut = match found.id.as_str() {
        "config/endpoint-decommissioned" => SHUT.parse().ok(),
        _ => None,
    };
    record::weighed_since(seen, found.likely(), shut)
}

fn endpoint(seen: &Seen, given: &mut Given) {
    let facts = &seen.facts;
    let from_microsoft = facts.flag("SyncFromMicrosoftUpdate").map(|(_, value)| value);
    let configured = facts.config("MUUrl");
    // The configuration states it; a log's words are as old as the log.
    let mut sources: Vec<(&Fact, String, bool)> =
        facts.config_all("MUUrl").into_iter().map(|(fact, url)| (fact, url.to_string(), true)).collect();
    for fact in facts.all() {
        let url = match &fact.statement {
            Statement::LogEndpoint { url } => url.clone(),
            Statement::LogFailure { failure: LoggedFailure::NameNotResolved { host }, .. }
                if !host.is_empty() =>
            {
                format!("https://{host}")
            }
            _ => continue,
        };
        sources.push((fact, url, false));
    }
    let mut said: Vec<(&str, String)> = Vec::new();
    for (fact, url, by_configuration) in sources {
        // A downstream server has no use for it and often has none.
        if url.is_empty() && from_microsoft != Some(true) {
            continue;
        }
        let target = service_of(&url);
        let host = target.as_ref().map(|t| t.host.clone()).unwrap_or_default();
        let id = if DECOMMISSIONED.contains(&host.as_str()) {
            "config/endpoint-decommissioned"
        } else if host == RETIRING {
            "config/endpoint-retiring"
        } else if by_configuration
            && (host != CURRENT || target.as_ref().is_some_and(|t| t.scheme != Scheme::Https))
        {
            "config/endpoint-unknown"
        } else {
            continue;
        };
        if said.contains(&(id, host.clone())) {
            continue;
        }
        said.push((id, host.clone()));
        let (subject, place) = if by_configuration {
            ("MUUrl", "MUUrl is")
        } else {
            (fact.source.file.as_str(), "the log names")
        };
        let why = match id {
            "config/endpoint-decommissioned" => "that endpoint no longer serves synchronization",
            "config/endpoint-retiring" => "that endpoint is being retired",
            _ => "that is no known synchronization endpoint of Microsoft over HTTPS",
        };
        let says = format!("{} {url}: {why}.", capital(place));
        let mut found = cause(id, subject, says, vec![fact.id.clone()]);
        if from_microsoft == Some(false) {
            given.add(found.role(Role::Note).severity(Severity::Info));
            continue;
        }
        let state =
            walked(seen.needed().filter(|p| p.info.role == PathRole::Source && p.info.target.host == host));
        if !by_configuration && configured.is_none() && seen.succeeded_after(fact) {
            found.says.push_str(" A later synchronization succeeded, so that may be from before a repair.");
            given.add(found.possible().role(Role::Note).severity(Severity::Info));
            continue;
        }
        if let (false, None, Some((other, now))) = (by_configuration, configured, facts.moved_since(fact)) {
            found.says.push_str(&format!(" It names {now} later on, so that is from before."));
            found.because.push(other.id.clone());
            given.add(found.possible().role(Role::Note).severity(Severity::Info));
            continue;
        }
        if !by_configuration && configured.is_some() {
            // The configuration has another one now: the log may be from before, and is where that one works.
            let now = walked(seen.needed().filter(|p| p.info.role == PathRole::Source));
            if let Some((other, value)) = configured {
                found.says.push_str(&format!(" MUUrl is {value} now, so that may be from before."));
                found.because.push(other.id.clone());
            }
            given.add(match now {
                Walked::Works => found.possible().role(Role::Note).severity(Severity::Info),
                _ => found.possible(),
            });
            continue;
        }
        found = weighed_endpoint(seen, found, state);
        if by_configuration && from_microsoft.is_none() {
            found.says.push_str(
                " Whether this server synchronizes from there (SyncFromMicrosoftUpdate) was not handed over.",
            );
            found = found.possible();
        }
        repair(seen, &mut found);
        if id == "config/endpoint-retiring" && state == Walked::Failed {
            found = found.severity(Severity::Error);
        } else if id == "config/endpoint-retiring" {
            found = found.role(Role::Note);
        }
        given.add(found);
    }
    if let (Some((_, url)), Some((fact, number))) = (configured, facts.config("RedirectorChangeNumber"))
        && from_microsoft != Some(false)
        && service_of(url).is_some_and(|t| t.host == CURRENT)
        && let Ok(number) = number.trim().parse::<i64>()
        && number < REDIRECTOR
    {
        let says =
            format!("MUUrl is right and RedirectorChangeNumber is {number}; {REDIRECTOR} belongs to it.");
        given.add(note("config/redirector-number", "RedirectorChangeNumber", says, vec![fact.id.clone()]));
    }
}

/// Says whether the endpoint that the repair would set answers from here.
fn repair(seen: &Seen, found: &mut Finding) {
    let Some(path) = seen.of_role(PathRole::Repair).find(|p| p.walked()) else { return };
    let url = path.info.target.url();
    let base = url.strip_suffix(crate::codec::soap::SERVER_SYNC).unwrap_or(&url);
    let Some(last) = path.own.iter().rev().find(|o| !matches!(o.outcome, Outcome::NotAsked { .. })) else {
        return;
    };
    if path.works() {
        found.says.push_str(&format!(" On the same way {base} answers as it should."));
    } else if !path.failed().is_empty() {
        found.says.push_str(&format!(
            " On the same way {base} does not answer either ({}): that has to be repaired as well.",
            crate::describe::outcome(&last.outcome)
        ));
    } else {
        return;
    }
    found.because.push(last.id.clone());
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn proxies(seen: &Seen, given: &mut Given) {
    let facts = &seen.facts;
    let Some((uses, true)) = facts.flag("UseProxy") else { return };
    let shown = |property: &str| match facts.config(property) {
        Some((_, value)) if value.contains("://") => {
            format!("\"{value}\", a URL where a name alone belongs,")
        }
        Some((_, value)) => format!("\"{value}\""),
        None => "empty".into(),
    };
    let rests = |on: &[&Fact], values: [&str; 2]| -> Vec<String> {
        let values = values.into_iter().filter_map(|property| facts.config(property));
        on.iter().copied().chain(values.map(|(fact, _)| fact)).map(|fact| fact.id.clone()).collect()
    };
    let overridden = seen.evidence.settings.proxy != crate::settings::ProxyChoice::AsConfigured;
    let role = if overridden { Role::Note } else { Role::Cause };
    let separate = facts.flag("UseSeparateProxyForSsl").filter(|(_, value)| *value);
    let https = seen_scheme(seen) == Scheme::Https;
    if configured_proxy(facts, "ProxyName", "ProxyServerPort").is_none()
        && is_told(facts, ["ProxyName", "ProxyServerPort"], overridden, given)
    {
        // With a proxy of its own for SSL the other one does not stand in the way of HTTPS.
        let beside = separate.is_some() && https;
        let says = format!(
            "UseProxy is True, ProxyName is {} and ProxyServerPort is {}.",
            shown("ProxyName"),
            shown("ProxyServerPort")
        );
        let found = cause(
            "config/proxy-incomplete",
            "ProxyName",
            says,
            rests(&[uses], ["ProxyName", "ProxyServerPort"]),
        )
        .role(role);
        let found = record::weighed(seen, found);
        given.add(if beside { found.role(Role::Note).severity(Severity::Warning) } else { found });
    }
    if let Some((fact, _)) = separate
        && configured_proxy(facts, "SslProxyName", "SslProxyServerPort").is_none()
        && is_told(facts, ["SslProxyName", "SslProxyServerPort"], overridden, given)
    {
        let says = format!(
            "UseSeparateProxyForSsl is True, SslProxyName is {} and SslProxyServerPort is {}.",
            shown("SslProxyName"),
            shown("SslProxyServerPort")
        );
        let found = cause(
            "config/ssl-proxy-incomplete",
            "SslProxyName",
            says,
            rests(&[uses, fact], ["SslProxyName", "SslProxyServerPort"]),
        );
        let found = record::weighed(seen, found.role(role));
        given.add(if https { found } else { found.role(Role::Note).severity(Severity::Warning) });
    }
    if let (Some((anonymous, false)), Some((stored, false))) =
        (facts.flag("AnonymousProxyAccess"), facts.flag("HasProxyPassword"))
    {
        let through = || seen.needed().filter(|p| p.info.proxy.is_some());
        let state = walked(through());
        // Where the walk met 407 the proxy's rule says so, with what it offers.
        if through().any(|p| p.failures().any(|(_, o)| is_challenge(o))) {
            return;
        }
        // Another failure leaves it a note.
        let says = "AnonymousProxyAccess is False and HasProxyPassword is False: WSUS is set to send credentials and has none.";
        let because = vec![anonymous.id.clone(), stored.id.clone()];
        let found = cause("config/proxy-credentials-missing", "HasProxyPassword", says, because);
        given.add(match state {
            Walked::No => weighed(seen, found, state),
            _ => found.role(Role::Note).severity(Severity::Warning),
        });
    }
}

/// Whether what was handed over tells that a proxy cannot be used: a property that is not there, or cannot be read,
/// tells nothing while the other one is usable.
fn is_told(facts: &FactView, [name, port]: [&str; 2], overridden: bool, given: &mut Given) -> bool {
    let usable_name = |(_, value): (&Fact, &str)| {
        is_host_name(value.trim()) || value.trim().parse::<std::net::IpAddr>().is_ok()
    };
    let name_told = facts.config(name).is_some_and(|value| !usable_name(value));
    let port_told = facts.config(port).is_some() && facts.port(port).is_none();
    if name_told || port_told {
        return true;
    }
    let missing: Vec<&str> = [name, port].into_iter().filter(|p| facts.config(p).is_none()).collect();
    if !overridden {
        given.open(
            "Through which proxy does this server synchronize?",
            format!("It is told to use one, and {} cannot be told from what was handed over.", place::list(&missing)),
            "hand over the output of (Get-WsusServer).GetConfiguration() once more, whole; or name the proxy: --proxy \
             http://NAME:PORT",
            facts.flag("UseProxy").iter().map(|(fact, _)| fact.id.clone()).collect(),
        );
    }
    false
}

/// Whether a proxy demands credentials.
fn is_challenge(observation: &Observation) -> bool {
    matches!(observation.outcome, Outcome::Proxy { answer: ProxyAnswer::Status { code: 407, .. }, .. })
}

/// The scheme that the configured source is spoken to with.
fn seen_scheme(seen: &Seen) -> Scheme {
    match (seen.facts.flag("SyncFromMicrosoftUpdate"), seen.facts.flag("UpstreamWsusServerUseSsl")) {
        (Some((_, false)), Some((_, true))) => Scheme::Https,
        (Some((_, false)), _) => Scheme::Http,
        _ => Scheme::Https,
    }
}

fn upstream(seen: &Seen, given: &mut Given) {
    let facts = &seen.facts;
    let Some((source, from_microsoft)) = facts.flag("SyncFromMicrosoftUpdate") else { return };
    let replica = facts.flag("IsReplicaServer");
    if let (true, Some((fact, true))) = (from_microsoft, replica) {
        let says = "IsReplicaServer is True and SyncFromMicrosoftUpdate is True: a replica takes its approvals from an \
                    upstream, and Microsoft is none.";
        given.add(note(
            "config/replica-of-microsoft",
            "IsReplicaServer",
            says,
            vec![fact.id.clone(), source.id.clone()],
        ));
    }
    if from_microsoft {
        return;
    }
    let Some((named, name)) =
        facts.config("UpstreamWsusServerName").filter(|(_, name)| !name.trim().is_empty())
    else {
        let says = "SyncFromMicrosoftUpdate is False and UpstreamWsusServerName is empty: there is nothing to synchronize from.";
        let found = cause("config/upstream-missing", "UpstreamWsusServerName", says, vec![source.id.clone()]);
        given.add(record::weighed(seen, found));
        return;
    };
    let name = name.trim();
    if !is_host_name(name) && name.parse::<std::net::IpAddr>().is_err() {
        let says = format!("UpstreamWsusServerName is \"{name}\", which is no host name.");
        let found = cause("config/upstream-missing", "UpstreamWsusServerName", says, vec![named.id.clone()]);
        given.add(record::weighed(seen, found));
        return;
    }
    let ssl = facts.flag("UpstreamWsusServerUseSsl");
    let port = facts.port("UpstreamWsusServerPortNumber");
    let paths = || {
        seen.needed()
            .filter(|p| p.info.role == PathRole::Source && p.info.target.host.eq_ignore_ascii_case(name))
    };
    let state = walked(paths());
    let mut because = vec![named.id.clone()];
    because.extend(ssl.map(|(fact, _)| fact.id.clone()));
    if ssl.is_some_and(|(_, ssl)| ssl) && !name.contains('.') && name.parse::<std::net::IpAddr>().is_err() {
        // Where the walk fails, the chain's own answer decides whether the name is why.
        if state != Walked::Failed {
            let says = format!("The upstream is named \"{name}\", without a domain, and spoken to over TLS.");
            given.add(unusual(
                seen,
                cause("config/upstream-short-name", "UpstreamWsusServerName", says, because.clone()),
                state,
            ));
        }
    }
    if let (Some((_, ssl)), Some((fact, port))) = (ssl, port) {
        because.push(fact.id.clone());
        let others = if ssl { matches!(port, 8530 | 80) } else { matches!(port, 8531 | 443) };
        if others && state != Walked::Failed {
            let says = format!(
                "UpstreamWsusServerUseSsl is {} and UpstreamWsusServerPortNumber is {port}, which is the other one's by default.",
                if ssl { "True" } else { "False" }
            );
            given.add(unusual(
                seen,
                cause("config/port-ssl-mismatch", "UpstreamWsusServerUseSsl", says, because),
                state,
            ));
        }
    }
}

fn winhttp(seen: &Seen, given: &mut Given) {
    let facts = &seen.facts;
    let Some(WinHttpView { fact, servers, bypass }) = facts.winhttp() else { return };
    let shown: Vec<String> = servers
        .iter()
        .map(|(scheme, server)| if scheme == "*" { server.clone() } else { format!("{scheme}={server}") })
        .collect();
    let Some((uses, uses_proxy)) = facts.flag("UseProxy") else { return };
    let because = vec![fact.id.clone(), uses.id.clone()];
    if !uses_proxy {
        if servers.is_empty() || local::goes_past(seen, bypass) {
            return;
        }
        let through: Vec<_> = seen.of_role(PathRole::WinHttp).collect();
        let direct_fails = seen.needed().any(|p| p.walked() && !p.works());
        let works = through.iter().find(|p| p.works());
        let walked_well = seen.needed().any(|p| p.works());
        let says = format!(
            "WinHTTP has a proxy ({}) and WSUS has none (UseProxy = False); synchronization does not use WinHTTP's.",
            place::list(&shown)
        );
        let mut found = cause("config/proxy-only-in-winhttp", "UseProxy", says, because);
        match works {
            Some(path) if direct_fails => {
                found.says.push_str(" The direct path fails, and the path through that proxy works.");
                found.because.extend(path.own.last().map(|o| o.id.clone()));
                found = found.likely();
            }
            _ => found = found.possible(),
        }
        let no_walk = walked(seen.needed()) == Walked::No;
        if walked_well || no_walk && local::works_on_record(seen) {
            found = found.role(Role::Note).severity(Severity::Info);
        }
        given.add(found);
        return;
    }
    let separate = facts.flag("UseSeparateProxyForSsl").is_some_and(|(_, separate)| separate);
    let (name, port) = if separate && seen_scheme(seen) == Scheme::Https {
        ("SslProxyName", "SslProxyServerPort")
    } else {
        ("ProxyName", "ProxyServerPort")
    };
    let Some(hop) = configured_proxy(facts, name, port) else { return };
    let own = crate::evidence::host_port(&hop.host, hop.port);
    let same = servers.iter().any(|(_, server)| server.eq_ignore_ascii_case(&own));
    if !same {
        let theirs = if shown.is_empty() { "direct access".into() } else { place::list(&shown) };
        let says = format!("WinHTTP has {theirs} and WSUS has {own}: synchronization uses WSUS's own.");
        let found = note("config/winhttp-differs", name, says, because);
        given.add(Finding { severity: Severity::Info, confidence: Confidence::Certain, ..found });
    }
}
