//! The demand of a proxy to say who asks, and what became of the answer.

use super::super::{Given, PathSeen, Seen, With, cause, note};
use crate::evidence::{AuthStage, Observation, Outcome, ProxyAuth};
use crate::settings::ProxyHop;

/// This run's own logon that did not lead through: refused, or not carried to its end. Whether it was either.
pub(super) fn refused_logon(
    path: &PathSeen,
    observation: &Observation,
    auth: &ProxyAuth,
    given: &mut Given,
) -> bool {
    let hop = path.hop_subject();
    let because = vec![observation.id.clone()];
    let scheme = match auth.mechanism.as_str() {
        "kerberos" => format!("{} with a Kerberos ticket", auth.scheme),
        "ntlm" if auth.scheme != "NTLM" => format!("{} with NTLM inside", auth.scheme),
        _ => auth.scheme.clone(),
    };
    let why = if auth.why.is_empty() { String::new() } else { format!(": {}", auth.why) };
    if auth.own {
        // Nobody said that this account may pass: what the proxy demands stands, as where nothing is sent.
        let came_to = match auth.stage {
            AuthStage::Demanded | AuthStage::NotSent | AuthStage::Accepted => return false,
            AuthStage::Rejected => "was refused",
            AuthStage::Broken | AuthStage::ClosedBetweenLegs => "was not carried through",
        };
        given.open(
            "Does the proxy let another account through?",
            format!(
                "The logon at {hop} of the account under which wsusprobe ran {came_to} ({scheme}){why}. WSUS does not log \
                 on with that account."
            ),
            "run wsusprobe again with --proxy-user and the user that WSUS has stored",
            because,
        );
        return false;
    }
    match auth.stage {
        AuthStage::Rejected => {
            let says =
                format!("The proxy {hop} refuses the credentials that this run was given ({scheme}){why}.");
            given.add(cause("proxy/auth-rejected", &hop, says, because.clone()));
        }
        AuthStage::Broken | AuthStage::ClosedBetweenLegs => {
            let says = format!(
                "The proxy {hop} offers {scheme} and does not carry it through{why}. Whether the password is right did not show."
            );
            given.add(cause("proxy/auth-broken", &hop, says, because.clone()));
        }
        AuthStage::Demanded | AuthStage::Accepted | AuthStage::NotSent => return false,
    }
    given.open(
        "Does the proxy take the credentials that WSUS has stored?",
        format!("{hop} was asked with this run's own, which need not be the same."),
        "look for this server's requests in the proxy's log, or enter the password again in the console and synchronize",
        because,
    );
    true
}

/// The proxy let this run's credentials through, and WSUS is set so that it sends none, or none that this proxy takes.
pub(super) fn would_not_pass(seen: &Seen, path: &PathSeen, given: &mut Given) {
    let accepted = path.own.iter().find_map(|o| match &o.outcome {
        Outcome::Proxy { auth: Some(auth), .. }
            if auth.stage == AuthStage::Accepted && !auth.offered.is_empty() =>
        {
            Some((*o, auth))
        }
        _ => None,
    });
    let Some((observation, auth)) = accepted else { return };
    let facts = &seen.facts;
    let hop = path.hop_subject();
    let offered = auth.offered.join(", ");
    let offers =
        |names: &[&str]| auth.offered.iter().any(|s| names.iter().any(|n| s.eq_ignore_ascii_case(n)));
    let mut because = vec![observation.id.clone()];
    let says = |rest: &str| {
        let whose = if auth.own { "the account that wsusprobe runs under" } else { "this run" };
        format!("The proxy {hop} demands credentials (offers {offered}) and takes those of {whose}. {rest}")
    };
    let (anonymous, stored) = (facts.flag("AnonymousProxyAccess"), facts.flag("HasProxyPassword"));
    if let Some((fact, true)) = anonymous {
        because.push(fact.id.clone());
        let rest = "WSUS is set to send none (AnonymousProxyAccess = True).";
        given.add(cause("proxy/auth-required", &hop, says(rest), because));
    } else if let Some((fact, false)) = stored {
        because.push(fact.id.clone());
        because.extend(anonymous.iter().map(|(fact, _)| fact.id.clone()));
        let rest = "WSUS has no password stored (HasProxyPassword = False).";
        given.add(cause("config/proxy-credentials-missing", "HasProxyPassword", says(rest), because));
    } else if !offers(&["NTLM", "Negotiate", "Kerberos"]) {
        match facts.flag("AllowProxyCredentialsOverNonSsl") {
            Some((fact, false)) if offers(&["Basic"]) => {
                because.push(fact.id.clone());
                let rest = "It offers WSUS only Basic, which the console does not allow \
                            (AllowProxyCredentialsOverNonSsl = False).";
                given.add(cause("proxy/basic-not-allowed", &hop, says(rest), because));
            }
            _ if !offers(&["Basic"]) && stored.is_some() => {
                let rest = "WSUS is documented to answer Basic, where allowed, and Windows authentication.";
                given.add(cause("proxy/auth-unsupported", &hop, says(rest), because).possible());
            }
            _ => {}
        }
    }
}

/// Basic that this run sent over a hop that nothing encrypts.
pub(super) fn sent_in_clear(path: &PathSeen, hop: &ProxyHop, given: &mut Given) {
    let sent = path.own.iter().find(|o| {
        matches!(&o.outcome, Outcome::Proxy { auth: Some(auth), .. }
            if auth.scheme == "Basic" && auth.stage == AuthStage::Accepted)
    });
    if let Some(observation) = sent {
        let subject = crate::evidence::host_port(&hop.host, hop.port);
        let says = format!("{subject} was given Basic, its password readable to everyone on the way.");
        given.add(note("proxy/basic-cleartext", &subject, says, vec![observation.id.clone()]));
    }
}

/// What came of the credentials that this run was given, where it was given some.
pub(super) fn tried(observation: &Observation) -> Option<&ProxyAuth> {
    match &observation.outcome {
        Outcome::Proxy { auth: Some(auth), .. } if auth.stage != AuthStage::Demanded && !auth.own => {
            Some(auth)
        }
        _ => None,
    }
}

/// Why this run's credentials were not sent here, where that says more than that it has none: a demand that nothing
/// answers, or a refusal that they met before. Whether it was either.
pub(super) fn withheld(
    seen: &Seen,
    hop: &str,
    observation: &Observation,
    auth: &ProxyAuth,
    given: &mut Given,
) -> bool {
    const KNOWN: [&str; 5] = ["Basic", "Digest", "NTLM", "Negotiate", "Kerberos"];
    let because = vec![observation.id.clone()];
    let refused = seen.evidence.observations.iter().find(|o| {
        o.subject == observation.subject
            && matches!(&o.outcome, Outcome::Proxy { auth: Some(auth), .. } if auth.stage == AuthStage::Rejected)
    });
    if let Some(refused) = refused {
        let says = format!("The proxy {hop} refused the credentials of this run, which were not sent again.");
        given.add(cause("proxy/auth-rejected", hop, says, [because, vec![refused.id.clone()]].concat()));
        return true;
    }
    let known = |scheme: &String| KNOWN.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if auth.offered.iter().any(known) {
        return false;
    }
    let offered = match auth.offered.as_slice() {
        [] => "names no scheme".to_string(),
        [one] => format!("offers {one} alone"),
        [one, ..] => format!("offers {one} and others that nobody answers"),
    };
    let says = format!(
        "The proxy {hop} demands credentials (407) and {offered}: there is nothing to answer it with."
    );
    given.add(cause("proxy/auth-unsupported", hop, says, because).likely());
    true
}

pub(super) fn challenged(
    seen: &Seen,
    path: &PathSeen,
    observation: &Observation,
    schemes: &[String],
    given: &mut Given,
) {
    let hop = path.hop_subject();
    let facts = &seen.facts;
    let offers = |names: &[&str]| schemes.iter().any(|s| names.iter().any(|n| s.eq_ignore_ascii_case(n)));
    let offered = if schemes.is_empty() { "no scheme".into() } else { schemes.join(", ") };
    let says = |rest: &str| format!("The proxy {hop} demands credentials (407) and offers {offered}. {rest}");
    let anonymous = facts.flag("AnonymousProxyAccess");
    let stored = facts.flag("HasProxyPassword");
    let basic_allowed = facts.flag("AllowProxyCredentialsOverNonSsl");
    let mut because = vec![observation.id.clone()];
    because.extend(anonymous.iter().map(|(f, _)| f.id.clone()));
    because.extend(stored.iter().map(|(f, _)| f.id.clone()));
    if tried(observation).is_some_and(|auth| withheld(seen, &hop, observation, auth, given)) {
        return;
    }
    match (anonymous.map(|(_, v)| v), stored.map(|(_, v)| v)) {
        (Some(true), _) => {
            let rest = "WSUS is set to send none (AnonymousProxyAccess = True).";
            given.add(cause("proxy/auth-required", &hop, says(rest), because));
        }
        (None, Some(false)) => {
            let rest = "WSUS has no password stored (HasProxyPassword = False), and whether it is set to send one was not \
                        handed over.";
            given.add(cause("proxy/auth-required", &hop, says(rest), because).likely());
        }
        (Some(false), Some(false)) => {
            let rest = "WSUS is set to send some and has no password stored (AnonymousProxyAccess = False, \
                        HasProxyPassword = False).";
            given.add(cause("config/proxy-credentials-missing", "HasProxyPassword", says(rest), because));
        }
        (_, Some(true)) => {
            let only_basic = offers(&["Basic"]) && !offers(&["NTLM", "Negotiate", "Kerberos"]);
            let answerable = offers(&["Basic", "NTLM", "Negotiate", "Kerberos"]);
            if only_basic && let Some((fact, allowed)) = basic_allowed {
                because.push(fact.id.clone());
                if !allowed {
                    let rest = "The console does not allow basic authentication (AllowProxyCredentialsOverNonSsl = False).";
                    given.add(cause("proxy/basic-not-allowed", &hop, says(rest), because));
                    return;
                }
                let clear = format!(
                    "To {hop} this configuration sends Basic, its password readable to everyone on the way."
                );
                given.add(note("proxy/basic-cleartext", &hop, clear, because.clone()));
            }
            if !answerable {
                let digest = schemes.iter().all(|s| s.eq_ignore_ascii_case("Digest")) && !schemes.is_empty();
                let rest = "WSUS is documented to answer Basic, where allowed, and Windows authentication.";
                let found = cause("proxy/auth-unsupported", &hop, says(rest), because);
                given.add(if digest { found.possible() } else { found.likely() });
                return;
            }
            if only_basic && basic_allowed.is_none() {
                given.open(
                    "May WSUS answer Basic?",
                    format!("The proxy {hop} offers only Basic, and whether the console allows it was not handed over."),
                    "hand over AllowProxyCredentialsOverNonSsl of the configuration",
                    vec![observation.id.clone()],
                );
            }
            let rest = "WSUS has a password stored, and this run has none: whether the proxy takes it was not tried \
                        (--proxy-user).";
            given.add(note("proxy/auth-untested", &hop, says(rest), because.clone()));
            given.open(
                "Does the proxy take the credentials that WSUS has stored?",
                format!("This run sent none to {hop}, which demands them."),
                "look for this server's requests in the proxy's log, or enter the password again in the console and \
                 synchronize",
                because,
            );
        }
        (anonymous, None) => {
            let rest = "This run has none.";
            let found = cause("proxy/auth-required", &hop, says(rest), because);
            // A configuration that says half of it leaves the other half open.
            given.add(if anonymous.is_some() || facts.flag("UseProxy").is_some() {
                found.likely()
            } else {
                found
            });
        }
    }
}
