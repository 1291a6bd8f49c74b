//! What was handed over, taken by itself.

use super::config::{exists, running};
use super::{Given, Seen, With, note, place};
use crate::diagnosis::Severity;
use crate::facts::servers::config_value;
use crate::facts::{Servers, ServiceState, Statement};
use crate::plan::service_of;

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &[
    "unreadable",
    "config",
    "log-endpoint",
    "log-schannel",
    "server-version",
    "registry",
    "cipher-order",
    "curve-order",
    "cipher-suites",
    "server-name",
    "service",
    "app-pool",
];

pub(super) fn give(seen: &Seen, given: &mut Given) {
    for fact in seen.facts.all() {
        if let Statement::Unreadable { expected, found } = &fact.statement {
            let line = fact.source.line.map(|line| format!(":{line}")).unwrap_or_default();
            let says = format!(
                "{}{line}: expected {expected}, found {found}. Everything else was used.",
                fact.source.file
            );
            given.add(note("input/unreadable", &fact.source.file, says, vec![fact.id.clone()]));
        }
    }
    services(seen, given);
    for (property, facts) in seen.facts.contradictions() {
        let said: Vec<String> = facts
            .iter()
            .map(|fact| {
                let Statement::Config { value, .. } = &fact.statement else { return String::new() };
                let line = fact.source.line.map(|line| format!(":{line}")).unwrap_or_default();
                format!("\"{value}\" ({}{line})", fact.source.file)
            })
            .collect();
        let says = format!("{property} is {}: both were taken, and both were planned.", place::list(&said));
        let because = facts.iter().map(|fact| fact.id.clone()).collect();
        given.add(note("input/contradictory", property, says, because));
    }
    for (what, because) in seen.client.client.policy.contradictions() {
        let says = format!("{what} is stated more than once, and differently: the last one was taken.");
        given.add(note("input/contradictory", &what, says, because));
    }
    if let Some((fact, name)) = &seen.client.against {
        let taken = seen.client.client.profile.name;
        let says =
            format!("{taken} was asked about, and what was handed over is {name}'s: the first was taken.");
        given.add(note("input/contradictory", "Windows", says, vec![fact.clone()]));
    }
    let versions = seen.facts.contradictory_builds();
    if !versions.is_empty() {
        let said = versions.iter().map(|fact| {
            let Statement::ServerVersion { version } = &fact.statement else { return String::new() };
            format!("{version} ({})", fact.source.file)
        });
        let says = format!(
            "The version of this server is {}: one of them is another machine's, or older.",
            place::list(&said.collect::<Vec<_>>())
        );
        let because = versions.iter().map(|fact| fact.id.clone()).collect();
        given.add(note("input/contradictory", "the server's version", says, because));
    }
    for unread in &seen.client.client.policy.unread {
        let says = format!("{}, {}: the value was not understood, and not used.", unread.key, unread.name);
        given.add(note("input/unreadable", &unread.name, says, vec![unread.fact.clone()]));
    }
    if let Some((configured, url)) = seen.facts.config("MUUrl")
        && let Some(target) = service_of(url)
    {
        for (fact, logged) in seen.facts.endpoints() {
            let Some(other) = service_of(logged) else { continue };
            let microsoft = crate::plan::is_microsoft_host(&other.host);
            if microsoft && other.host != target.host {
                let says = format!(
                    "MUUrl is \"{url}\" ({}), and the log names {} ({}): one of them is older.",
                    configured.source.file, other.host, fact.source.file
                );
                given.add(note(
                    "input/contradictory",
                    "MUUrl",
                    says,
                    vec![configured.id.clone(), fact.id.clone()],
                ));
            }
        }
    }
}

/// Files of several servers: said, and kept apart. It reads what was handed over before anything is left out of it.
pub(crate) fn servers(seen: &Seen, given: &mut Given) {
    let servers = Servers::new(seen.facts.all());
    let after_repair = seen.evidence.settings.since.is_some();
    if let (Some(upstream), [one]) = (servers.doubt(), servers.all.as_slice()) {
        let named = config_value(upstream);
        let because: Vec<String> = one.facts.iter().chain([&upstream]).map(|fact| fact.id.clone()).collect();
        let shown = format!("{} ({})", one.name, place::list(&one.files));
        if servers.apart() {
            let says = format!(
                "What was handed over comes from {shown} and from files that name no server. Whether {} is the upstream that {} \
                 names ({named}) or this server does not show, and nothing of it was joined.",
                one.name, upstream.source.file
            );
            given.add(note("input/contradictory", "servers", says, because.clone()).severity(Severity::Info));
        }
        if servers.apart() || after_repair {
            given.open(
                "Whose files are these?",
                format!(
                    "{shown} may be this server, or the upstream that {} names ({named}), under another name.",
                    upstream.source.file
                ),
                "hand over the name of this server with its configuration (Get-WsusServer), or its files alone",
                because,
            );
        }
        return;
    }
    if !servers.apart() {
        return;
    }
    let shown: Vec<String> =
        servers.all.iter().take(8).map(|one| format!("{} ({})", one.name, place::list(&one.files))).collect();
    let mut kept: Vec<&str> = servers.all.iter().map(|one| one.name).collect();
    let facts = servers.all.iter().flat_map(|one| one.facts.iter().copied().chain(one.upstream));
    let mut because: Vec<String> = facts.map(|fact| fact.id.clone()).collect();
    because.dedup();
    if servers.all.iter().all(|one| one.upstream.is_some()) {
        kept.push("the server that synchronizes from it");
    }
    let judged = match servers.home() {
        Some(home) => format!("what {} says was joined, and nothing of the others", home.name),
        None if kept.len() > servers.all.len() => {
            "what names no server was joined, and nothing of the other".into()
        }
        None => "whose configuration is judged does not show, and nothing of theirs was joined".into(),
    };
    let from = if kept.len() > servers.all.len() {
        format!("{}, and from files that name no server", place::list(&shown))
    } else {
        format!("{} servers: {}", kept.len(), place::list(&shown))
    };
    let mut says = format!("What was handed over comes from {from}; {judged}.");
    for (one, named) in servers.all.iter().filter_map(|one| Some((one, one.upstream?))) {
        if one.by_label && servers.home().is_none() {
            says.push_str(&format!(
                " {} may be the upstream that {} names ({}), or this server.",
                one.name,
                named.source.file,
                config_value(named)
            ));
            given.open(
                "Whose files are these?",
                format!(
                    "{} is the first part of the upstream's name ({}), and may be this server's name as well.",
                    one.name,
                    config_value(named)
                ),
                "hand over the name of this server with its configuration (Get-WsusServer), or its files alone",
                one.facts.iter().chain([&named]).map(|fact| fact.id.clone()).collect(),
            );
            continue;
        }
        says.push_str(&format!(
            " {} is the upstream that {} names: what it met is none of this server's.",
            one.name, named.source.file
        ));
    }
    let found = note("input/contradictory", "servers", says, because.clone());
    // Which file is whose shows, and nothing contradicts another.
    let told = servers.all.iter().filter(|one| one.upstream.is_none()).count() < 2;
    if told {
        given.add(found.severity(Severity::Info));
        return;
    }
    given.add(found);
    given.open(
        "Which server is it about?",
        format!("Files of {} were handed over together.", place::list(&kept)),
        "hand over one server's files at a time",
        because,
    );
}

/// A service that stands still, or is not there, in one printout and runs, or is there, in another.
fn services(seen: &Seen, given: &mut Given) {
    let running = running(seen);
    for fact in seen.facts.all() {
        let (name, other, (one, another, so)) = match &fact.statement {
            Statement::Service { name, state: ServiceState::Absent, .. } => {
                let says = ("is not there", "is there", "one of them is older, or another machine's");
                (name, exists(seen, name), says)
            }
            Statement::Service { name, state: ServiceState::Stopped, .. }
            | Statement::AppPool { name, state: ServiceState::Stopped } => {
                let runs = running.get(&name.to_ascii_lowercase()).copied();
                (name, runs, ("is stopped", "runs", "one of them is older"))
            }
            _ => continue,
        };
        let Some(other) = other else { continue };
        let says =
            format!("{name} {one} by {} and {another} by {}: {so}.", fact.source.file, other.source.file);
        given.add(note("input/contradictory", name, says, vec![fact.id.clone(), other.id.clone()]));
    }
}
