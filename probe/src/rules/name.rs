//! Name resolution, where the path itself has to resolve.

use std::net::IpAddr;

use super::{Given, LaneEnd, PathSeen, Seen, With, cause, note, place};
use crate::diagnosis::{Role, Severity};
use crate::evidence::{NameAnswer, Observation, Outcome, PathRole};
use crate::facts::Statement;
use crate::plan::is_microsoft_host;

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &["resolved"];

pub(super) fn give(seen: &Seen, given: &mut Given) {
    for path in seen.needed().filter(|p| p.info.proxy.is_none()) {
        unresolved(seen, path, given);
        sinkhole(seen, path, given);
    }
    disagreement(seen, given);
}

fn answer(observation: &Observation) -> Option<(&str, &str, &NameAnswer)> {
    match &observation.outcome {
        Outcome::Name { server, record, answer, .. } => Some((server, record, answer)),
        _ => None,
    }
}

/// The word of an answer that gives no address.
pub(super) fn word(answer: &NameAnswer) -> String {
    match answer {
        NameAnswer::Addresses { addresses, .. } => {
            let shown: Vec<String> = addresses.iter().take(4).map(ToString::to_string).collect();
            shown.join(", ")
        }
        NameAnswer::NotFound => "NXDOMAIN: there is no such name".into(),
        NameAnswer::NoAddress => "the name exists and has no address".into(),
        NameAnswer::ServerFailure => "SERVFAIL".into(),
        NameAnswer::Refused => "REFUSED".into(),
        NameAnswer::Timeout => "no answer".into(),
        NameAnswer::TryAgain => "no answer for now: its servers failed or were silent".into(),
        NameAnswer::Malformed { why } => format!("an answer that cannot be read ({why})"),
        NameAnswer::Failed { why } => why.clone(),
    }
}

/// Who said what of a name.
pub(super) fn told(observations: &[&Observation]) -> String {
    let said: Vec<String> = observations
        .iter()
        .filter_map(|o| answer(o))
        .map(|(server, record, answer)| {
            let server = if server == "system" { "the system's resolver" } else { server };
            let record = if record == "any" { String::new() } else { format!(" ({record})") };
            format!("{server}{record}: {}", word(answer))
        })
        .collect();
    said.join("; ")
}

fn unresolved(seen: &Seen, path: &PathSeen, given: &mut Given) {
    let failures = path.name_failures();
    let kinds: Vec<&NameAnswer> =
        failures.iter().filter_map(|o| answer(o)).map(|(_, _, answer)| answer).collect();
    // An answer about the name says more than an answer about the server; silence says least.
    let id = if kinds.contains(&&NameAnswer::NotFound) {
        "name/not-found"
    } else if kinds.contains(&&NameAnswer::NoAddress) {
        "name/no-address"
    } else if kinds.contains(&&NameAnswer::ServerFailure) {
        "name/server-failure"
    } else if kinds.contains(&&NameAnswer::Refused) {
        "name/refused"
    } else if kinds.iter().any(|k| matches!(k, NameAnswer::Timeout) || nothing_listens(k)) {
        "name/timeout"
    } else if kinds.contains(&&NameAnswer::TryAgain) {
        "name/server-failure"
    } else {
        return;
    };
    let host = &path.info.target.host;
    let says = format!("{host} does not resolve: {}.", told(&failures));
    let because: Vec<String> = failures.iter().map(|o| o.id.clone()).collect();
    if id == "name/server-failure" && !kinds.contains(&&NameAnswer::ServerFailure) {
        // The system does not say which: both are possible, and nothing more.
        given.add(cause(id, &path.subject(), says.clone(), because.clone()).possible());
        given.add(cause("name/timeout", &path.subject(), says, because.clone()).possible());
        given.open(
            "Do this machine's name servers fail, or do they not answer?",
            format!("Its resolver gave {host} up for now, and does not say why."),
            "wsusprobe check with --dns set to each of its name servers",
            because,
        );
        return;
    }
    let found = cause(id, &path.subject(), says, because);
    let stated = place::name_is_stated(&seen.evidence.settings, host);
    given.add(if stated { found } else { found.likely() });
}

/// Whether a direct question was refused by the machine: no server listens there.
fn nothing_listens(answer: &NameAnswer) -> bool {
    matches!(answer, NameAnswer::Failed { why } if why.contains("refused") || why.contains("unreachable"))
}

/// Whether an address cannot be a public service's.
fn is_not_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_unspecified()
                || v4.is_private()
                || v4.is_link_local()
                || v4.octets()[0] == 0
                || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_not_public(v4.into()),
            None => {
                v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        },
    }
}

fn sinkhole(seen: &Seen, path: &PathSeen, given: &mut Given) {
    let host = &path.info.target.host;
    if !is_microsoft_host(host) {
        return;
    }
    let mut odd: Vec<IpAddr> = Vec::new();
    let mut because = Vec::new();
    for observation in &path.own {
        let Some((_, _, NameAnswer::Addresses { addresses, .. })) = answer(observation) else { continue };
        let here: Vec<IpAddr> = addresses.iter().copied().filter(|&a| is_not_public(a)).collect();
        if !here.is_empty() {
            because.push(observation.id.clone());
            odd.extend(here);
        }
    }
    if odd.is_empty() {
        return;
    }
    let ends = path.failures().filter(|(lane, _)| {
        lane.lane.parse::<std::net::SocketAddr>().is_ok_and(|address| odd.contains(&address.ip()))
    });
    let mut failed = false;
    for (_, observation) in ends {
        failed = true;
        because.push(observation.id.clone());
    }
    let shown: Vec<String> = odd.iter().take(4).map(ToString::to_string).collect();
    let says = format!(
        "{host} is a public name of Microsoft and resolves to {}: a filtering name server, or an entry in a hosts file.",
        place::list(&shown)
    );
    let found = cause("name/sinkhole", &path.subject(), says, because);
    let found = if place::name_is_stated(&seen.evidence.settings, host) { found } else { found.likely() };
    let works = path.lanes.iter().any(|l| l.end == LaneEnd::Works);
    given.add(if failed || !works { found } else { found.role(Role::Note).severity(Severity::Warning) });
}

/// The kind of an answer: an address is an address, whichever.
fn kind(answer: &NameAnswer) -> &'static str {
    match answer {
        NameAnswer::Addresses { .. } => "an address",
        NameAnswer::NotFound => "no such name",
        NameAnswer::NoAddress => "no address",
        NameAnswer::ServerFailure => "SERVFAIL",
        NameAnswer::Refused => "REFUSED",
        NameAnswer::Timeout => "no answer",
        NameAnswer::TryAgain => "a failure",
        NameAnswer::Malformed { .. } | NameAnswer::Failed { .. } => "a failure",
    }
}

/// The system's answer, asked or handed over, against a server's that was asked directly.
fn disagreement(seen: &Seen, given: &mut Given) {
    for path in seen.needed().filter(|p| p.info.role == PathRole::Source || p.info.role == PathRole::Url) {
        let host = &path.info.target.host;
        if path.info.proxy.is_some() {
            continue;
        }
        let direct: Vec<(&str, &NameAnswer)> = path
            .own
            .iter()
            .chain(&path.asked)
            .filter_map(|o| answer(o).map(|(server, _, answer)| (server, o.id.as_str(), answer)))
            .filter(|(server, ..)| *server != "system")
            .map(|(_, id, answer)| (id, answer))
            .collect();
        // A and AAAA of one server are one answer: an address, if either gives one.
        let Some(&(direct_id, direct_answer)) =
            direct.iter().find(|(_, a)| matches!(a, NameAnswer::Addresses { .. })).or_else(|| direct.first())
        else {
            continue;
        };
        let asked = path
            .own
            .iter()
            .filter_map(|o| answer(o).map(|(server, _, a)| (server, o.id.as_str(), a)))
            .filter(|(server, ..)| *server == "system")
            .map(|(_, id, a)| (id, a, "the system's resolver"));
        let handed = seen.facts.all().iter().filter_map(|fact| match &fact.statement {
            Statement::Resolved { name, answer } if name.trim_end_matches('.').eq_ignore_ascii_case(host) => {
                Some((fact.id.as_str(), answer, "Resolve-DnsName on the server"))
            }
            _ => None,
        });
        for (id, system, whose) in asked.chain(handed) {
            if kind(system) != kind(direct_answer) {
                let says = format!(
                    "{whose} gives {} for {host} ({}), and the name server asked directly gives {} ({}).",
                    kind(system),
                    word(system),
                    kind(direct_answer),
                    word(direct_answer)
                );
                given.add(note(
                    "name/resolvers-disagree",
                    &path.subject(),
                    says,
                    vec![id.into(), direct_id.into()],
                ));
                break;
            }
        }
    }
}
