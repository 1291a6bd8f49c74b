//! The proxy that WSUS is told to use: what it answers, and why synchronization does not get through.

use super::{Given, PathSeen, Seen, With, cause, finding, name, note, place, trust};
use crate::diagnosis::{Confidence, Finding, Role, Severity};
use crate::evidence::{
    AuthStage, Broken, CertificateSeen, ChainSeen, DialAnswer, HelloAnswer, Looks, NameFit, Observation,
    Outcome, PathRole, ProxyAnswer, ProxyAuth, SocksRefusal, question,
};
use crate::facts::{LoggedFailure, fails_synchronization};
use crate::settings::{ProxyHop, ProxyKind};
use crate::trust::is_private_pki_host;

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &["config", "log-failure", "log-sync", "sync-run"];

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
            && !facts.succeeded_after(one.fact)
    });
    let Some(logged) = logged else { return };
    let hop = path.hop_subject();
    // Without a password where it is set to send one, the configuration's own rule says so.
    if let Some((fact, true)) = facts.flag("AnonymousProxyAccess") {
        let because = vec![logged.fact.id.clone(), fact.id.clone()];
        let says = format!(
            "The service met 407, which only a proxy says; {hop} is the one that it is set to use, and it is set to send no \
             credentials (AnonymousProxyAccess = True)."
        );
        given.add(cause("proxy/auth-required", &hop, says, because).likely());
    }
}

/// This run's own logon that did not lead through: refused, or not carried to its end. Whether it was either.
fn refused_logon(path: &PathSeen, observation: &Observation, auth: &ProxyAuth, given: &mut Given) -> bool {
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
fn would_not_pass(seen: &Seen, path: &PathSeen, given: &mut Given) {
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

/// Basic that this run sent over a hop that nothing encrypts.
fn sent_in_clear(path: &PathSeen, hop: &ProxyHop, given: &mut Given) {
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

fn refusal(
    seen: &Seen,
    path: &PathSeen,
    lane: &str,
    observation: &Observation,
    answer: &ProxyAnswer,
    given: &mut Given,
) {
    let hop = path.hop_subject();
    let target = path.subject();
    let because = vec![observation.id.clone()];
    // What the proxy tries there and cannot reach it does not deny.
    let allowed = path.questions(lane, question::PORT_443).next().and_then(|o| match &o.outcome {
        Outcome::Proxy { answer: ProxyAnswer::Granted, .. } => {
            Some((o, true, "grants the same host on port 443".to_string()))
        }
        Outcome::Proxy { answer: ProxyAnswer::Status { code: code @ (500 | 502..=504), .. }, .. } => {
            Some((o, false, format!("tries the same host on port 443 and does not reach it ({code})")))
        }
        _ => None,
    });
    match answer {
        ProxyAnswer::Granted => {}
        ProxyAnswer::Status { code: 407, schemes, .. } => challenged(seen, path, observation, schemes, given),
        ProxyAnswer::Status { says_dns: true, code, .. } => {
            let says = format!(
                "The proxy {hop} says that it cannot resolve {} ({code}{}). That this machine can or cannot resolve it \
                 proves nothing: the proxy asks for itself.",
                path.info.target.host,
                own_words(answer)
            );
            given.add(cause("proxy/cannot-resolve", &target, says, because));
        }
        // Some proxies refuse a port with 502, and say so in their page.
        ProxyAnswer::Status { code: code @ (500 | 502..=504), says_port, .. }
            if !(*says_port && path.info.target.port != 443) =>
        {
            let says = format!(
                "The proxy {hop} cannot reach {target}: it answers {code}{}. It says nothing of name resolution, and it \
                 may still be that: some proxies answer an unresolvable name so.",
                own_words(answer)
            );
            given.add(cause("proxy/cannot-connect", &target, says, because));
        }
        ProxyAnswer::Status { code: code @ (403 | 405 | 500 | 502..=504), says_port, .. }
            if *code != 405 || *says_port || allowed.is_some() =>
        {
            if path.info.target.port != 443 && (*says_port || allowed.is_some()) {
                let mut because = because;
                because.extend(allowed.as_ref().map(|(o, ..)| o.id.clone()));
                let proved = *says_port || allowed.as_ref().is_some_and(|(_, granted, _)| *granted);
                let says = format!(
                    "The proxy {hop} denies CONNECT to {target} ({code}{}), and {}.",
                    own_words(answer),
                    allowed.map_or_else(|| "says that it is the port".to_string(), |(.., how)| how)
                );
                let found = cause("proxy/port-denied", &target, says, because);
                given.add(if proved { found } else { found.likely() });
            } else {
                let says =
                    format!("The proxy {hop} denies {target}: it answers {code}{}.", own_words(answer));
                given.add(cause("proxy/forbidden", &target, says, because));
            }
        }
        ProxyAnswer::Status { code, .. } if matches!(code, 200..=399 | 400..=401 | 404..=405 | 501) => {
            let portal = (200..400).contains(code);
            let says = format!(
                "What answers at {hop} is no proxy: to CONNECT it answers {code}{}{}.",
                own_words(answer),
                if portal { " with a page of its own, as a sign-in portal does" } else { "" }
            );
            let found = cause("proxy/not-a-proxy", &hop, says, because);
            given.add(if portal { found } else { found.likely() });
        }
        ProxyAnswer::NotHttp { looks } => {
            let what = match looks {
                Looks::Banner => "a line of another protocol",
                Looks::Tls => "TLS",
                Looks::TooLarge => "more than any proxy's answer holds",
                Looks::Http | Looks::Unknown => "something that is no HTTP",
            };
            let raw =
                observation.raw.as_deref().map(|raw| format!(": \"{}\"", first(raw, 60))).unwrap_or_default();
            let says = format!("What answers at {hop} is no HTTP proxy: it sends {what}{raw}.");
            given.add(cause("proxy/not-a-proxy", &hop, says, because));
        }
        ProxyAnswer::Broken { how } => {
            let tls = path.questions(lane, question::TLS_TO_PROXY).find(|o| {
                matches!(
                    o.outcome,
                    Outcome::Hello { answer: HelloAnswer::Answered { .. } | HelloAnswer::Alert { .. }, .. }
                )
            });
            if let Some(tls) = tls {
                let says = format!(
                    "What answers at {hop} speaks TLS and no plain HTTP: WSUS cannot use it as a proxy."
                );
                given.add(cause(
                    "proxy/not-a-proxy",
                    &hop,
                    says,
                    vec![observation.id.clone(), tls.id.clone()],
                ));
            } else if *how == Broken::Timeout {
                // A proxy answers only once it has connected, or given up: silence may be the destination's.
                let other = path.questions(lane, question::OTHER_DESTINATION).next();
                let answers = other.filter(|o| {
                    matches!(
                        &o.outcome,
                        Outcome::Proxy { answer: ProxyAnswer::Granted | ProxyAnswer::Status { .. }, .. }
                    )
                });
                let because: Vec<String> = because.into_iter().chain(other.map(|o| o.id.clone())).collect();
                if answers.is_some() {
                    let says = format!(
                        "The proxy {hop} answers nothing to CONNECT {target} in time, and does answer for another \
                         destination: it waits for {}, which it does not reach.",
                        path.info.target.host
                    );
                    given.add(cause("proxy/cannot-connect", &target, says, because).likely());
                } else {
                    let says = format!(
                        "The proxy {hop} takes the connection and answers nothing to CONNECT {target}{}.",
                        if other.is_some() { ", nor for another destination" } else { "" }
                    );
                    let found = cause("proxy/unreachable", &hop, says, because);
                    given.add(if other.is_some() { found } else { found.likely() });
                }
            } else {
                let says = format!(
                    "What listens at {hop} closes the connection on CONNECT {target} without an answer."
                );
                given.add(cause("proxy/not-a-proxy", &hop, says, because).likely());
            }
        }
        // RFC 1928, section 3: what was offered without credentials is not enough.
        ProxyAnswer::Socks { refusal: SocksRefusal::LogonDemanded, why } => {
            let says = format!("The SOCKS proxy {hop} demands a logon, and this run has none for it: {why}.");
            given.add(cause("proxy/auth-required", &hop, says, because));
        }
        ProxyAnswer::Socks { refusal: SocksRefusal::Password | SocksRefusal::UserName, why } => {
            let says = format!("The SOCKS proxy {hop} refuses the user that this run names: {why}.");
            given.add(cause("proxy/auth-rejected", &hop, says, because));
        }
        ProxyAnswer::Socks { refusal: SocksRefusal::NotAllowed, why } => {
            let says = format!("The SOCKS proxy {hop} does not allow a connection to {target}: {why}.");
            given.add(cause("proxy/forbidden", &target, says, because));
        }
        ProxyAnswer::Socks { why, .. } => {
            let says = format!("The SOCKS proxy {hop} gives no connection to {target}: {why}.");
            given.add(cause("proxy/cannot-connect", &target, says, because));
        }
        ProxyAnswer::Status { .. } | ProxyAnswer::ClosedTunnel => {}
    }
}

/// The proxy's own words: its signature header, or the beginning of its page.
fn own_words(answer: &ProxyAnswer) -> String {
    let ProxyAnswer::Status { reason, headers, .. } = answer else { return String::new() };
    let signed = headers.iter().find(|(name, _)| name == "x-squid-error" || name == "proxy-status");
    let reason = if reason.is_empty() { String::new() } else { format!(" {reason}") };
    match signed {
        Some((name, value)) => format!("{reason}; {name}: {value}"),
        None => reason,
    }
}

fn first(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

/// What came of the credentials that this run was given, where it was given some.
fn tried(observation: &Observation) -> Option<&ProxyAuth> {
    match &observation.outcome {
        Outcome::Proxy { auth: Some(auth), .. } if auth.stage != AuthStage::Demanded && !auth.own => {
            Some(auth)
        }
        _ => None,
    }
}

/// Why this run's credentials were not sent here, where that says more than that it has none: a demand that nothing
/// answers, or a refusal that they met before. Whether it was either.
fn withheld(seen: &Seen, hop: &str, observation: &Observation, auth: &ProxyAuth, given: &mut Given) -> bool {
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

fn challenged(
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

/// Every hello through the tunnel broke: whether it is the tunnel, by what was asked beside.
fn closed(seen: &Seen, path: &PathSeen, lane: &str, observation: &Observation, given: &mut Given) {
    let target = path.subject();
    let hop = path.hop_subject();
    let empty = path
        .questions(lane, question::EMPTY_TUNNEL)
        .find(|o| matches!(o.outcome, Outcome::Proxy { answer: ProxyAnswer::ClosedTunnel, .. }));
    if let Some(empty) = empty {
        let says =
            format!("The proxy {hop} grants the tunnel to {target} and closes it before anything is sent.");
        given.add(cause("proxy/closed", &target, says, vec![observation.id.clone(), empty.id.clone()]));
        return;
    }
    let direct = answered_directly(seen, path, observation);
    let shown = path.questions(lane, question::OTHER_VERSION_CHAIN).find_map(|o| match &o.outcome {
        Outcome::Chain(chain) => Some((o, chain.as_ref(), chain.sent.first()?)),
        _ => None,
    });
    if let Some((shown, chain, leaf)) = shown
        && let Some(sign) = signed_again(seen, path, chain, leaf)
    {
        let says = format!(
            "{target} is shown with a certificate of \"{}\" behind {hop}{}: the connection is signed again on the way, and \
             what does so breaks TLS 1.2 off.{}",
            leaf.issuer,
            sign.says,
            if direct.is_some() { " Without the proxy the same hello is answered." } else { "" }
        );
        let because = [
            Some(observation.id.clone()),
            Some(shown.id.clone()),
            sign.because,
            direct.map(|o| o.id.clone()),
        ];
        let found = cause("proxy/inspection", &target, says, because.into_iter().flatten().collect());
        // It may be the server behind that refuses, and what signs again that passes the refusal on.
        given.add(if direct.is_some() { found } else { found.likely() });
        return;
    }
    if let Some(direct) = direct {
        let says = format!(
            "Through the proxy {hop} the hello to {target} is broken off, and without the proxy the same hello is answered."
        );
        let because = vec![observation.id.clone(), direct.id.clone()];
        given.add(cause("proxy/closed", &target, says, because).likely());
        return;
    }
    if path.questions(lane, question::EMPTY_TUNNEL).next().is_none() {
        return;
    }
    let control = seen
        .of_role(PathRole::Control)
        .filter(|control| control.info.proxy == path.info.proxy)
        .flat_map(|control| &control.asked)
        .find(|o| matches!(o.outcome, Outcome::Hello { answer: HelloAnswer::Answered { .. }, .. }));
    if let Some(control) = control {
        let says = format!(
            "Through the proxy {hop} every hello to {target} is broken off, and the same hello to {} is answered.",
            control.subject
        );
        given.add(
            cause("proxy/closed", &target, says, vec![observation.id.clone(), control.id.clone()]).likely(),
        );
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
