//! TCP connections, each family judged apart.

use std::net::SocketAddr;

use super::{Given, PathSeen, Seen, With, cause, finding, place};
use crate::diagnosis::{Confidence, Role, Severity};
use crate::evidence::{DialAnswer, Observation, Outcome};
use crate::settings::Family;

pub(super) fn give(seen: &Seen, given: &mut Given) {
    for path in seen.needed().filter(|p| p.info.proxy.is_none()) {
        path_dials(seen, path, given);
    }
}

/// The dial observations of a path.
pub(super) fn dials<'a>(path: &PathSeen<'a>) -> Vec<(SocketAddr, &'a DialAnswer, &'a Observation)> {
    path.own
        .iter()
        .filter_map(|o| match &o.outcome {
            Outcome::Dial { address, answer } => Some((*address, answer, *o)),
            _ => None,
        })
        .collect()
}

fn path_dials(seen: &Seen, path: &PathSeen, given: &mut Given) {
    let all = dials(path);
    let connects = |family: Family| {
        all.iter().any(|(address, answer, _)| {
            Family::of(address.ip()) == family && **answer == DialAnswer::Connected
        })
    };
    let target = &path.info.target;
    let stated = place::dial_is_stated(&seen.evidence.settings, &target.host, target.port);
    let weigh = |found: crate::diagnosis::Finding| if stated { found } else { found.likely() };
    for family in [Family::Ipv4, Family::Ipv6] {
        let other = if family == Family::Ipv4 { Family::Ipv6 } else { Family::Ipv4 };
        let here: Vec<_> = all.iter().filter(|(address, ..)| Family::of(address.ip()) == family).collect();
        let failed: Vec<_> = here.iter().filter(|(_, answer, _)| **answer != DialAnswer::Connected).collect();
        if failed.is_empty() {
            continue;
        }
        let ids = || failed.iter().map(|(.., o)| o.id.clone()).collect::<Vec<_>>();
        let shown = |list: &[&&(SocketAddr, &DialAnswer, &Observation)]| {
            let parts: Vec<String> = list
                .iter()
                .map(|(address, answer, _)| format!("{} {}", address.ip(), word(answer)))
                .collect();
            parts.join(", ")
        };
        if connects(family) {
            let well: Vec<String> = here
                .iter()
                .filter(|(_, answer, _)| **answer == DialAnswer::Connected)
                .map(|(address, ..)| address.ip().to_string())
                .collect();
            let says = format!(
                "Of {} addresses of {} some connect ({}) and others do not ({}): the mark of a rule by address.",
                here.len(),
                target.host,
                place::list(&well),
                shown(&failed)
            );
            let because = here.iter().map(|(.., o)| o.id.clone()).collect();
            given.add(weigh(cause("dial/partial", &path.subject(), says, because)));
        } else if connects(other) {
            let silent = failed.iter().any(|(_, answer, _)| **answer == DialAnswer::Timeout);
            let which = if family == Family::Ipv4 { "IPv4" } else { "IPv6" };
            let says = format!(
                "No {which} address of {} connects ({}), and the other family does.{}",
                target.host,
                shown(&failed),
                if silent { " The service tries them as well, and waits." } else { "" }
            );
            let found = finding(
                "dial/family-unusable",
                Role::Note,
                Confidence::Certain,
                &path.subject(),
                says,
                ids(),
            );
            given.add(weigh(found.severity(if silent { Severity::Warning } else { Severity::Info })));
        } else {
            for (id, fits) in KINDS {
                let these: Vec<_> = failed.iter().copied().filter(|(_, answer, _)| fits(answer)).collect();
                if these.is_empty() {
                    continue;
                }
                let because = these.iter().map(|(.., o)| o.id.clone()).collect();
                let says = format!("{}: {}.", path.subject(), shown(&these));
                let found = cause(id, &path.subject(), says, because);
                // A family that has no route at all is no reason while the other has its own.
                let beside = family == Family::Ipv6
                    && id == "dial/unreachable"
                    && all.iter().any(|(address, ..)| address.is_ipv4());
                given.add(weigh(if beside { found.role(Role::Contributing) } else { found }));
            }
        }
    }
}

type Fits = fn(&DialAnswer) -> bool;

const KINDS: [(&str, Fits); 3] = [
    ("dial/refused", |a| matches!(a, DialAnswer::Refused)),
    ("dial/timeout", |a| matches!(a, DialAnswer::Timeout)),
    ("dial/unreachable", |a| matches!(a, DialAnswer::Unreachable { .. })),
];

/// An answer in words.
pub(super) fn word(answer: &DialAnswer) -> String {
    match answer {
        DialAnswer::Connected => "connects".into(),
        DialAnswer::Refused => "refuses the connection".into(),
        DialAnswer::Timeout => "does not answer".into(),
        DialAnswer::Unreachable { why } => format!("cannot be reached ({why})"),
        DialAnswer::Failed { why } => format!("fails ({why})"),
    }
}
