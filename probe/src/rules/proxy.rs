//! The proxy that WSUS is told to use: what it answers, and why synchronization does not get through.

mod logon;
mod refused;

use logon::{refused_logon, sent_in_clear, would_not_pass};
use refused::{closed, refusal};

use super::{Given, PathSeen, Seen, With, cause, finding, history, name, place, record, trust};
use crate::diagnosis::{Confidence, Finding, Role, Severity};
use crate::evidence::{
    CertificateSeen, ChainSeen, DialAnswer, HelloAnswer, NameFit, Observation, Outcome, PathRole, ProxyAnswer,
};
use crate::facts::{LoggedFailure, fails_synchronization};
use crate::settings::ProxyKind;
use crate::trust::is_private_pki_host;

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &["config", "log-failure", "log-sync", "sync-run", "log", "clock-jump"];

pub(super) fn give(seen: &Seen, given: &mut Given) {
    on_record(seen, given);
    for path in seen.needed() {
        let Some(hop) = &path.info.proxy else { continue };
        let mut mine = Given::default();
        unresolved(path, &mut mine);
        unreachable(path, &mut mine);
        for (lane, observation) in path.failures() {
            match &observation.outcome {
                Outcome::Proxy { answer, auth, .. } => {
                    let logon =
                        auth.as_deref().is_some_and(|auth| refused_logon(path, observation, auth, &mut mine));
                    if !logon {
                        refusal(seen, path, lane.lane, observation, answer, &mut mine);
                    }
                }
                Outcome::Hello { .. } => closed(seen, path, lane.lane, observation, &mut mine),
                _ => {}
            }
        }
        sent_in_clear(path, hop, &mut mine);
        if hop.kind == ProxyKind::Http {
            would_not_pass(seen, path, &mut mine);
        }
        proxies_differ(seen, path, &mut mine);
        if hop.kind != ProxyKind::Http && path.walked() {
            mine.open(
                "Does the WSUS server get there at all?",
                format!("{} is a SOCKS proxy, which WSUS cannot use: what was reached through it is this machine's way.", path.hop_subject()),
                "run wsusprobe on the WSUS server, with the proxy that its console names",
                path.own.iter().take(1).map(|o| o.id.clone()).collect(),
            );
        }
        let stated = place::proxy_is_stated(&seen.evidence.settings, &hop.host, hop.port);
        for found in mine.findings {
            given.add(if stated { found } else { found.likely() });
        }
        given.unknown.extend(mine.unknown);
    }
}

/// A 407 that the service itself logged, where no walk of ours met the proxy: only a proxy says it, and the configuration
/// tells whether WSUS answers it at all.
fn on_record(seen: &Seen, given: &mut Given) {
    let facts = &seen.facts;
    let met = |path: &PathSeen| path.own.iter().any(|o| matches!(o.outcome, Outcome::Proxy { .. }));
    let proxied = seen.needed().find(|path| path.info.proxy.is_some());
    let Some(path) = proxied.filter(|_| !seen.needed().any(met)) else { return };
    let logged = facts.failures().into_iter().rev().find(|one| {
        *one.failure == LoggedFailure::HttpStatus { code: 407 }
            && fails_synchronization(one.process, one.phase)
            && !one.process.is_empty()
            && !seen.succeeded_after(one.fact)
    });
    let Some(logged) = logged else { return };
    let hop = path.hop_subject();
    // Without a password where it is set to send one, the configuration's own rule says so.
    if let Some((fact, true)) = facts.flag("AnonymousProxyAccess") {
        let because = vec![logged.fact.id.clone(), fact.id.clone()];
        let says = format!(
            "The service met 407{}, which only a proxy says; {hop} is the one that it is set to use, and it is set to send no \
             credentials (AnonymousProxyAccess = True).",
            history::when(logged.fact)
        );
        let found = cause("proxy/auth-required", &hop, says, because).likely();
        given.add(record::weighed(seen, found));
    }
}

/// Plain HTTP goes through one proxy of WSUS, HTTPS through another, and one of them alone fails.
fn proxies_differ(seen: &Seen, path: &PathSeen, given: &mut Given) {
    let asked = |other: &&PathSeen| {
        other.info.target.scheme != path.info.target.scheme && other.info.proxy != path.info.proxy
    };
    let Some(other) = seen.of_role(PathRole::OtherProxy).find(asked) else { return };
    let (own, beside) = (at_the_proxy(path), at_the_proxy(other));
    let word = |path: &PathSeen| match path.info.target.scheme {
        crate::evidence::Scheme::Http => "HTTP",
        crate::evidence::Scheme::Https => "HTTPS",
    };
    let (failing, working, failed) = match (own, beside) {
        (Err(Some(failed)), Ok(_)) => (path, other, failed),
        (Ok(_), Err(Some(failed))) => (other, path, failed),
        _ => return,
    };
    let mut because = vec![failed.id.clone()];
    because.extend(at_the_proxy(working).ok().map(|o| o.id.clone()));
    let says = format!(
        "WSUS goes through {} for {} and through {} for {}, and only the first fails.",
        failing.hop_subject(),
        word(failing),
        working.hop_subject(),
        word(working)
    );
    let needed = std::ptr::eq(failing, path);
    let role = if needed { Role::Contributing } else { Role::Note };
    let found =
        finding("proxy/ssl-proxy-differs", role, Confidence::Certain, &failing.hop_subject(), says, because);
    given.add(if needed { found } else { found.severity(Severity::Warning) });
}

/// Whether a path came past its proxy: the observation that shows it, or the one at which it failed. A demand for
/// credentials that this run does not have tells neither.
fn at_the_proxy<'s>(path: &PathSeen<'s>) -> Result<&'s Observation, Option<&'s Observation>> {
    let past = path.own.iter().copied().find(|o| {
        matches!(
            &o.outcome,
            Outcome::Proxy { answer: ProxyAnswer::Granted, .. }
                | Outcome::Http { .. }
                | Outcome::Hello { .. }
        )
    });
    let failed = path.failed().into_iter().find(|o| {
        matches!(&o.outcome, Outcome::Name { .. } | Outcome::Dial { .. })
            || matches!(&o.outcome, Outcome::Proxy { answer, .. }
                if !matches!(answer, ProxyAnswer::Granted | ProxyAnswer::Status { code: 407, .. }))
    });
    past.ok_or(failed)
}

fn unresolved(path: &PathSeen, given: &mut Given) {
    let failures = path.name_failures();
    if failures.is_empty() {
        return;
    }
    let hop = path.hop_subject();
    let says = format!("The proxy's own name does not resolve ({hop}): {}.", name::told(&failures));
    let because = failures.iter().map(|o| o.id.clone()).collect();
    given.add(cause("proxy/name-not-found", &hop, says, because));
}

fn unreachable(path: &PathSeen, given: &mut Given) {
    let hop = path.hop_subject();
    for (_, observation) in path.failures() {
        let Outcome::Dial { address, answer } = &observation.outcome else { continue };
        if matches!(answer, DialAnswer::Failed { .. }) {
            continue;
        }
        let beside = if path.works() { " Through another address of it the path works." } else { "" };
        let says = format!("The proxy {hop} at {} {}.{beside}", address.ip(), super::dial::word(answer));
        let found = cause("proxy/unreachable", &hop, says, vec![observation.id.clone()]);
        given.add(if path.works() { found.role(Role::Note).severity(Severity::Warning) } else { found });
    }
}

/// The answer that the same hello met without the proxy.
fn answered_directly<'s>(
    seen: &Seen<'s>,
    path: &PathSeen,
    observation: &Observation,
) -> Option<&'s Observation> {
    let Outcome::Hello { offer, answer: HelloAnswer::Broken { .. } | HelloAnswer::Alert { .. } } =
        &observation.outcome
    else {
        return None;
    };
    let other = seen.of_role(PathRole::Direct).find(|other| other.info.target == path.info.target)?;
    other.own.iter().copied().find(|o| {
        matches!(&o.outcome, Outcome::Hello { offer: theirs, answer: HelloAnswer::Answered { version, complete: true, .. } }
            if theirs == offer && offer.takes(*version))
    })
}

/// A sign that somebody on the way signed a connection again.
struct Sign {
    says: &'static str,
    because: Option<String>,
}

/// The catalogue's signs of inspection on a chain that was shown at a version which the client does not offer.
fn signed_again(seen: &Seen, path: &PathSeen, chain: &ChainSeen, leaf: &CertificateSeen) -> Option<Sign> {
    if let Some(other) = trust::sign_of_inspection(seen, path, leaf) {
        let says = ", and with another one without it or elsewhere in this run";
        return Some(Sign { says, because: Some(other) });
    }
    let foreign = chain.genuine == Some(false)
        && is_private_pki_host(&chain.name)
        && chain.name_fit != NameFit::None
        && chain.way.last().is_some_and(|top| top.self_issued);
    foreign.then_some(Sign {
        says: ", one of the hosts whose chains end in Microsoft's own roots",
        because: None,
    })
}

/// Whether a finding of this layer has claimed an observation, so that the layer above does not.
pub(super) fn claims(given: &Given, observation: &Observation) -> bool {
    given.findings.iter().any(|f| {
        matches!(f.id.as_str(), "proxy/closed" | "proxy/inspection") && f.because.contains(&observation.id)
    })
}

/// A re-signed chain whose root this machine trusts: whether WSUS takes it is not known.
pub(super) fn accepted_inspection(path: &PathSeen, says: String, because: Vec<String>) -> Finding {
    finding("proxy/inspection", Role::Contributing, Confidence::Certain, &path.subject(), says, because)
}
