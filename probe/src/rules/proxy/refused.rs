//! Tunnels that a proxy does not give, or gives and closes.

use super::super::{Given, PathSeen, Seen, With, cause};
use super::logon::challenged;
use super::{answered_directly, signed_again};
use crate::evidence::{
    Broken, HelloAnswer, Looks, Observation, Outcome, PathRole, ProxyAnswer, SocksRefusal, question,
};

pub(super) fn refusal(
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
pub(super) fn own_words(answer: &ProxyAnswer) -> String {
    let ProxyAnswer::Status { reason, headers, .. } = answer else { return String::new() };
    let signed = headers.iter().find(|(name, _)| name == "x-squid-error" || name == "proxy-status");
    let reason = if reason.is_empty() { String::new() } else { format!(" {reason}") };
    match signed {
        Some((name, value)) => format!("{reason}; {name}: {value}"),
        None => reason,
    }
}

pub(super) fn first(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

/// Every hello through the tunnel broke: whether it is the tunnel, by what was asked beside.
pub(super) fn closed(seen: &Seen, path: &PathSeen, lane: &str, observation: &Observation, given: &mut Given) {
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
