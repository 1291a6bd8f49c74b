//! The certificates, as Windows' .NET client would see the recorded chain at the clock of the run.

mod platform;
mod stores;

use jiff::Timestamp;

use super::{Given, PathSeen, Seen, With, cause, finding, place, proxy};
use crate::diagnosis::{Confidence, Finding, Role, Severity};
use crate::evidence::{
    CertificateSeen, ChainEnd, ChainSeen, Fetch, NameFit, Observation, Outcome, PathRole, ProxyAnswer,
    Validity,
};
use crate::trust::is_private_pki_host;

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &[
    "config",
    "stored-certificate",
    "part-of-store",
    "registry",
    "log-failure",
    "log-sync",
    "sync-run",
    "clock-jump",
];

pub(super) fn give(seen: &Seen, given: &mut Given) {
    for path in seen.needed() {
        for lane in &path.lanes {
            for observation in &lane.own {
                if let Outcome::Chain(chain) = &observation.outcome {
                    look(seen, path, observation, chain, given);
                }
            }
        }
    }
    stores::give(seen, given);
}

fn look(seen: &Seen, path: &PathSeen, observation: &Observation, chain: &ChainSeen, given: &mut Given) {
    let mut found: Vec<Finding> = Vec::new();
    let says = platform::Says::of(chain);
    if says.admits(chain) {
        platform::accepted(path, observation, chain, given);
    }
    if says.leaves_the_end(chain) {
        end(seen, path, observation, chain, &mut found, given);
    }
    if chain.acceptable() {
        found.into_iter().for_each(|f| given.add(f));
        return;
    }
    let another = is_another_server(seen, path, chain);
    if !another && says.leaves_the_dates() {
        dates(seen, path, observation, chain, &mut found, given);
    }
    if says.leaves_the_name() {
        name(seen, path, observation, chain, &mut found);
    }
    platform::refused(path, observation, chain, another, &mut found, given);
    // One failed observation has one cause; what also holds for it contributes. Two that the evidence cannot tell
    // apart are both possible.
    let mut explained = false;
    for mut finding in found {
        if finding.role == Role::Cause {
            if explained && finding.confidence != Confidence::Possible {
                finding.role = Role::Contributing;
            }
            explained = true;
        }
        given.add(finding);
    }
}

fn shown(certificate: &CertificateSeen) -> String {
    match &certificate.common_name {
        Some(name) => format!("\"{name}\""),
        None => format!("\"{}\"", certificate.subject),
    }
}

fn end(
    seen: &Seen,
    path: &PathSeen,
    observation: &Observation,
    chain: &ChainSeen,
    found: &mut Vec<Finding>,
    given: &mut Given,
) {
    let settings = &seen.evidence.settings;
    let subject = path.subject();
    let because = vec![observation.id.clone()];
    let store_stated = place::store_is_stated(settings);
    let target = &path.info.target;
    // Who stands on the way depends on where the run stands.
    let way_stated = match &path.info.proxy {
        Some(hop) => place::proxy_is_stated(settings, &hop.host, hop.port),
        None => place::dial_is_stated(settings, &target.host, target.port),
    };
    let (Some(leaf), Some(top)) = (chain.sent.first(), chain.way.last()) else { return };
    let is_anchor = |c: &CertificateSeen| c.self_issued;
    let root_sent = chain.sent.iter().skip(1).any(is_anchor)
        && !chain.sent.iter().skip(1).any(|c| c.subject == leaf.issuer);
    let sign = sign_of_inspection(seen, path, leaf);
    let with_sign = || because.iter().cloned().chain(sign.clone()).collect::<Vec<String>>();
    match &chain.end {
        // Its name says what is wrong: neither its root nor its issuer is to be put right here.
        _ if is_another_server(seen, path, chain) => {}
        ChainEnd::Trusted if chain.genuine == Some(false) => {
            let says = format!(
                "{} is one of the hosts whose chains end in Microsoft's own roots, and this one ends in {}, which this \
                 machine trusts: the connection is re-signed on the way. Whether WSUS accepts that is not known.",
                chain.name,
                shown(top)
            );
            found.push(proxy::accepted_inspection(path, says, because.clone()));
            given.open(
                "Does WSUS accept the re-signed connection?",
                format!("The chain of {subject} ends in {}, which is in the store and is not Microsoft's.", shown(top)),
                "bypass inspection for the Microsoft Update domains and synchronize: if that helps, it was this",
                because,
            );
        }
        ChainEnd::Trusted => {
            if let Fetch::Served { url } = &chain.fetch {
                let (id, what) = if root_sent {
                    ("trust/root-sent-for-intermediate", "the root stands where the intermediate belongs")
                } else {
                    ("trust/missing-intermediate", "the server does not send its intermediate")
                };
                let says = format!(
                    "{subject}: {what}; it was fetched from {url}, as Windows does where it can reach that address."
                );
                let note = finding(id, Role::Note, Confidence::Certain, &subject, says, because.clone());
                let note = note.severity(Severity::Warning);
                let url_stated = place::url_is_stated(settings, url);
                found.push(if url_stated { note } else { note.likely() });
                if !url_stated {
                    given.open(
                        "Can the WSUS server fetch the missing intermediate?",
                        format!("It was to be had from {url} here; the server's own way there is not known."),
                        "on the WSUS server: certutil -verify -urlfetch with the certificate saved to a file",
                        because,
                    );
                }
            }
        }
        ChainEnd::Root if chain.way.len() == 1 && sign.is_none() => {
            let says = format!(
                "{subject} presents one certificate that signs itself ({}), and it is not trusted.",
                shown(leaf)
            );
            let one = cause("trust/self-signed", &subject, says, because);
            found.push(if store_stated { one } else { one.likely() });
        }
        ChainEnd::Root
            if is_private_pki_host(&chain.name) || chain.genuine == Some(false) || sign.is_some() =>
        {
            let says = if chain.genuine == Some(false) {
                format!(
                    "{} must end in Microsoft's own roots, and its chain ends in {}: the connection is re-signed on the way.",
                    chain.name,
                    shown(top)
                )
            } else {
                format!(
                    "{subject} shows {} through the proxy and another certificate without it, or an issuer that re-signs \
                     elsewhere in this run: the connection is re-signed by {}.",
                    shown(leaf),
                    shown(top)
                )
            };
            let one = cause("proxy/inspection", &subject, says, with_sign());
            found.push(if way_stated { one } else { one.likely() });
        }
        ChainEnd::Root => {
            let says = format!(
                "The chain of {subject} is complete and ends in {}, which is not trusted.",
                shown(top)
            );
            let one = cause("trust/untrusted-root", &subject, says, because.clone());
            if !store_stated {
                given.open(
                    "Does the WSUS server trust this root?",
                    format!("{} is not in the store of the machine that ran this.", shown(top)),
                    "on the WSUS server: certutil -verify -urlfetch with the certificate, or Get-ChildItem Cert:\\LocalMachine\\Root",
                    because,
                );
            }
            found.push(if store_stated { one } else { one.possible() });
        }
        ChainEnd::Missing { .. } if chain.unreadable.is_some() && chain.way.is_empty() => {}
        ChainEnd::Missing { .. } if root_sent => {
            let says = format!(
                "{subject} sends a root where the issuer of its certificate, \"{}\", belongs; the issuer is not to be had.",
                leaf.issuer
            );
            let one = cause("trust/root-sent-for-intermediate", &subject, says, because);
            found.push(if store_stated { one } else { one.likely() });
        }
        // The issuer above belongs to none of the host's anchors, or they would have ended the chain.
        ChainEnd::Missing { issuer, .. }
            if chain.way.len() > 1
                && (sign.is_some()
                    || is_private_pki_host(&chain.name)
                        && matches!(chain.name_fit, NameFit::Alternative | NameFit::Subject)) =>
        {
            let (says, sure) = if is_private_pki_host(&chain.name) {
                let says = format!(
                    "{} must end in Microsoft's own roots, and its chain leads to \"{issuer}\", which is none of them and was \
                     not sent: the connection is re-signed on the way.",
                    chain.name
                );
                (says, false)
            } else {
                let says = format!(
                    "{subject} shows {} through the proxy and another certificate without it, or an issuer that re-signs \
                     elsewhere in this run: the connection is re-signed on the way; the chain leads to \"{issuer}\".",
                    shown(leaf)
                );
                (says, true)
            };
            let one = cause("proxy/inspection", &subject, says, with_sign());
            found.push(if sure && way_stated { one } else { one.likely() });
        }
        ChainEnd::Missing { issuer, fetch } if chain.way.len() > 1 => {
            let says = format!(
                "The chain of {subject} leads to \"{issuer}\", which is neither sent nor trusted{}.",
                fetched(fetch)
            );
            let one = cause("trust/untrusted-root", &subject, says, because);
            found.push(if store_stated { one.likely() } else { one.possible() });
        }
        ChainEnd::Missing { issuer, fetch } => {
            let says = format!(
                "{subject} sends its own certificate alone; the issuer \"{issuer}\" is neither sent nor in the store{}.",
                fetched(fetch)
            );
            let missing = cause("trust/missing-intermediate", &subject, says, because.clone());
            match fetch {
                Fetch::Failed { url, .. } => {
                    let stated = store_stated && place::url_is_stated(settings, url);
                    found.push(if stated { missing } else { missing.likely() });
                }
                _ => {
                    let says = format!(
                        "{subject} sends its own certificate alone, and its issuer \"{issuer}\" may as well be a root that \
                         is not trusted."
                    );
                    found.push(missing.possible());
                    found.push(cause("trust/untrusted-root", &subject, says, because.clone()).possible());
                    given.open(
                        "Is the issuer an intermediate that is not sent, or a root that is not trusted?",
                        format!(
                            "\"{issuer}\" was not seen, and the certificate does not say where it is served."
                        ),
                        "look at the issuer's own certificate: where its issuer is itself it is a root",
                        because,
                    );
                }
            }
        }
    }
}

fn fetched(fetch: &Fetch) -> String {
    match fetch {
        Fetch::Failed { url, why } => format!(", and not to be had from {url}: {why}"),
        Fetch::NoUrl => ", and the certificate names no address for it".into(),
        _ => String::new(),
    }
}

/// A certificate for another name that does not end where its host's must: who re-signs a connection gives the
/// certificate the name that was asked for, so this is another server.
fn is_another_server(seen: &Seen, path: &PathSeen, chain: &ChainSeen) -> bool {
    chain.genuine == Some(false)
        && chain.name_fit == NameFit::None
        && chain.unreadable.is_none()
        && chain.sent.first().is_some_and(|leaf| sign_of_inspection(seen, path, leaf).is_none())
}

/// Inspection's other signs, and the observation that shows them: another leaf without the proxy, or an issuer that
/// re-signs elsewhere in this run.
pub(super) fn sign_of_inspection(seen: &Seen, path: &PathSeen, leaf: &CertificateSeen) -> Option<String> {
    let other_directly = |other: &PathSeen, chain: &ChainSeen, shown: &CertificateSeen| {
        path.info.proxy.is_some()
            && other.info.role == PathRole::Direct
            && other.info.target == path.info.target
            && shown.sha256 != leaf.sha256
            && chain.acceptable()
    };
    let re_signs = |chain: &ChainSeen, shown: &CertificateSeen| {
        chain.genuine == Some(false) && chain.end == ChainEnd::Root && shown.issuer == leaf.issuer
    };
    let others = seen.paths.iter().filter(|other| other.info.id != path.info.id);
    others.flat_map(|other| other.own.iter().map(move |o| (other, o))).find_map(|(other, o)| {
        let Outcome::Chain(chain) = &o.outcome else { return None };
        let shown = chain.sent.first()?;
        (other_directly(other, chain, shown) || re_signs(chain, shown)).then(|| o.id.clone())
    })
}

/// The dates of clocks that are not ours: a proxy's reply, any plain-HTTP answer.
fn foreign_clocks<'a>(seen: &Seen<'a>) -> Vec<(&'a Observation, Timestamp)> {
    let date = |headers: &[(String, String)]| {
        let (_, value) = headers.iter().find(|(name, _)| name == "date")?;
        let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
        // Out of a cache it is as old as the cache says (RFC 9111 section 5.1).
        let age = headers
            .iter()
            .find(|(name, _)| name == "age")
            .map_or(Some(0), |(_, age)| age.trim().parse().ok())?;
        at.checked_add(jiff::SignedDuration::from_secs(age)).ok()
    };
    seen.evidence
        .observations
        .iter()
        .filter_map(|o| match &o.outcome {
            Outcome::Http { url, answer: crate::evidence::HttpAnswer::Response { headers, .. }, .. }
                if url.starts_with("http://") =>
            {
                date(headers).map(|at| (o, at))
            }
            Outcome::Proxy { answer: ProxyAnswer::Status { headers, .. }, .. } => {
                date(headers).map(|at| (o, at))
            }
            _ => None,
        })
        .collect()
}

fn dates(
    seen: &Seen,
    path: &PathSeen,
    observation: &Observation,
    chain: &ChainSeen,
    found: &mut Vec<Finding>,
    given: &mut Given,
) {
    let off = |c: &CertificateSeen| c.validity != Validity::Current;
    if !chain.way.iter().any(off) {
        return;
    }
    let subject = path.subject();
    let at = |clock: Timestamp| chain.way.iter().all(|c| c.not_before <= clock && clock <= c.not_after);
    // The clock of whoever shows the certificate may itself be the wrong one: any other goes before it.
    let own = |o: &Observation| {
        let host = o.subject.rsplit_once(':').map_or(o.subject.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']').eq_ignore_ascii_case(&path.info.target.host)
    };
    let (its_own, others): (Vec<_>, Vec<_>) = foreign_clocks(seen).into_iter().partition(|(o, _)| own(o));
    let decides = if others.is_empty() { &its_own } else { &others };
    // Where they disagree among themselves the odd one is not shown to be ours.
    let agree = decides.iter().all(|(_, clock)| at(*clock));
    if let (Some((other, clock)), true) = (decides.first(), agree) {
        let says = format!(
            "By this clock ({}, time zone {}) the chain of {subject} is not valid, and by the clock of {} ({clock}) it is.",
            chain.clock, chain.time_zone, other.subject
        );
        let because = vec![observation.id.clone(), other.id.clone()];
        let skew = cause("trust/clock-skew", &subject, says, because.clone());
        if others.is_empty() {
            given.open(
                "Which of the two clocks is wrong?",
                format!("The only other clock that was seen is that of {}, whose certificate it is.", other.subject),
                "w32tm /stripchart /computer:NAME /samples:3 /dataonly with a domain controller or another time server",
                because,
            );
        }
        found.push(if others.is_empty() { skew.likely() } else { skew });
        return;
    }
    let because = || vec![observation.id.clone()];
    for (index, certificate) in chain.way.iter().enumerate().filter(|(_, c)| off(c)) {
        let validity = format!(
            "{} is valid from {} to {}, and the clock says {} (time zone {})",
            shown(certificate),
            certificate.not_before,
            certificate.not_after,
            chain.clock,
            chain.time_zone
        );
        let (id, says) = match (index, certificate.validity) {
            (0, Validity::NotYet) => {
                ("trust/not-yet-valid", format!("The certificate of {subject} is not valid yet: {validity}."))
            }
            (0, _) => ("trust/expired", format!("The certificate of {subject} is past its end: {validity}.")),
            _ => (
                "trust/intermediate-expired",
                format!("A certificate above that of {subject} is out of date: {validity}."),
            ),
        };
        if !found.iter().any(|f| f.id == id) {
            found.push(cause(id, &subject, says, because()));
        }
    }
}

fn name(
    seen: &Seen,
    path: &PathSeen,
    observation: &Observation,
    chain: &ChainSeen,
    found: &mut Vec<Finding>,
) {
    let Some(leaf) = chain.sent.first() else { return };
    let subject = path.subject();
    let because = vec![observation.id.clone()];
    let names = if leaf.names.is_empty() {
        format!("its subject {}", shown(leaf))
    } else {
        let few: Vec<&str> = leaf.names.iter().take(5).map(String::as_str).collect();
        format!("{}{}", few.join(", "), if leaf.names.len() > 5 { " and others" } else { "" })
    };
    match chain.name_fit {
        NameFit::Alternative | NameFit::Subject => {}
        NameFit::FirstLabel => {
            let says = format!(
                "The upstream is named \"{}\", without a domain, and its certificate is for {names}.",
                chain.name
            );
            let configured = seen
                .facts
                .config("UpstreamWsusServerName")
                .filter(|(_, name)| name.trim().eq_ignore_ascii_case(&chain.name));
            match configured {
                Some((fact, _)) => {
                    let both = vec![observation.id.clone(), fact.id.clone()];
                    found.push(cause(
                        "config/upstream-short-name",
                        "UpstreamWsusServerName",
                        says.clone(),
                        both,
                    ));
                    found.push(cause("trust/short-name", &subject, says, because).role(Role::Contributing));
                }
                None => found.push(cause("trust/short-name", &subject, says, because)),
            }
        }
        NameFit::None => {
            let mut says =
                format!("The name in use is \"{}\", and the certificate is for {names}.", chain.name);
            if is_another_server(seen, path, chain) {
                says.push_str(
                    " Nor does its chain end in a root that this host's must end in: another server answers in its place.",
                );
            }
            found.push(cause("trust/name-mismatch", &subject, says, because));
        }
    }
}
