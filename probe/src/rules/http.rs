//! HTTP, told by who answers: HTTP.sys by its header, IIS by directory, anything else by its page.

use super::{Given, LaneEnd, LaneSeen, PathSeen, Seen, With, cause};
use crate::evidence::{
    Ask, Broken, HelloAnswer, HttpAnswer, Looks, Observation, Outcome, PathRole, Scheme, SoapAnswer, question,
};
use crate::plan::is_microsoft_host;
use crate::settings::ProxyKind;

pub(super) fn give(seen: &Seen, given: &mut Given) {
    for path in seen.needed() {
        for (lane, observation) in path.failures() {
            if let Outcome::Http { answer, url, .. } = &observation.outcome {
                let mut mine = Given::default();
                exchange(seen, path, lane, observation, url, answer, &mut mine);
                if by_the_peer(path, answer) {
                    mine.findings.into_iter().for_each(|found| given.add(found));
                    given.unknown.extend(mine.unknown);
                } else {
                    perhaps_the_proxy(path, observation, mine, given);
                }
            }
        }
        for (limit, sibling) in siblings(seen, path) {
            let mut mine = Given::default();
            for (lane, observation) in sibling.failures() {
                if let Outcome::Http { answer, url, .. } = &observation.outcome {
                    exchange(seen, sibling, lane, observation, url, answer, &mut mine);
                }
            }
            stands_in(limit, mine, given);
        }
    }
}

/// Behind a session that our own client cannot complete: the plain port beside it, which is the same site's, and the
/// observation that ended the lane.
pub(super) fn siblings<'s, 'a>(
    seen: &'s Seen<'a>,
    path: &PathSeen<'a>,
) -> Vec<(&'a Observation, &'s PathSeen<'a>)> {
    let target = &path.info.target;
    let plain = if target.port == 443 { 80 } else { target.port.saturating_sub(1) };
    let Some(limit) = path.lanes.iter().find_map(|lane| match lane.end {
        LaneEnd::OwnLimit(observation) => Some(observation),
        _ => None,
    }) else {
        return Vec::new();
    };
    seen.of_role(PathRole::OtherPort)
        .filter(|other| {
            let there = &other.info.target;
            there.host == target.host && there.port == plain && there.scheme == Scheme::Http
        })
        .map(|other| (limit, other))
        .collect()
}

/// Takes over what the plain port says of the site as a whole; what it says of itself, a 403 or a redirection, stays.
pub(super) fn stands_in(limit: &Observation, found: Given, given: &mut Given) {
    const OF_THE_SITE: [&str; 6] = [
        "http/pool-down",
        "http/unavailable",
        "http/no-site",
        "http/server-error",
        "wsus/server-busy",
        "wsus/server-error",
    ];
    for mut finding in found.findings {
        if OF_THE_SITE.contains(&finding.id.as_str()) {
            finding.says.push_str(
                " That is the plain port of the site behind a TLS port whose session this program cannot complete.",
            );
            finding.because.push(limit.id.clone());
            given.add(finding.likely());
        }
    }
}

/// Whether an HTTP answer is the peer's own. A proxy to which plain HTTP is spoken answers in the peer's place whenever
/// it likes, and not every one signs its pages: then only Windows' own signature tells.
pub(super) fn by_the_peer(path: &PathSeen, answer: &HttpAnswer) -> bool {
    let relayed = path.info.target.scheme == Scheme::Http
        && path.info.proxy.as_ref().is_some_and(|hop| hop.kind == ProxyKind::Http);
    !relayed || answer.header("server").is_some_and(|server| server.starts_with("Microsoft-"))
}

/// What an answer would say of the peer is no more than possible where the proxy may have given it.
fn perhaps_the_proxy(path: &PathSeen, observation: &Observation, found: Given, given: &mut Given) {
    let hop = path.hop_subject();
    for mut finding in found.findings {
        finding.says.push_str(&format!(" The proxy {hop} is between, and may be the one that says it."));
        finding.remedy.never.clear();
        given.add(finding.possible());
    }
    given.unknown.extend(found.unknown);
    given.open(
        "Who gave this answer, the proxy or the server behind it?",
        format!(
            "Plain HTTP to {} goes through {hop}, and nothing in the answer shows whose it is.",
            path.subject()
        ),
        "look for the request in the proxy's log, and in the IIS log of the server behind it",
        vec![observation.id.clone()],
    );
}

/// Who answered: HTTP.sys itself, before any site.
pub(super) fn by_http_sys(answer: &HttpAnswer) -> bool {
    answer.header("server").is_some_and(|server| server.starts_with("Microsoft-HTTPAPI"))
}

fn by_iis(answer: &HttpAnswer) -> bool {
    answer.header("server").is_none_or(|server| server.starts_with("Microsoft-IIS"))
}

/// The observation that shows TLS on a plain port, where it was asked.
pub(super) fn tls_on_the_port<'a>(path: &PathSeen<'a>, lane: &str) -> Option<&'a Observation> {
    path.questions(lane, question::TLS_ON_PORT).find(|o| {
        matches!(
            o.outcome,
            Outcome::Hello { answer: HelloAnswer::Answered { .. } | HelloAnswer::Alert { .. }, .. }
        )
    })
}

/// An observation of the same host that shows the services over TLS on another port.
pub(super) fn over_tls<'a>(seen: &Seen<'a>, path: &PathSeen) -> Option<&'a Observation> {
    seen.of_role(PathRole::OtherPort)
        .filter(|other| {
            other.info.target.host == path.info.target.host && other.info.target.scheme == Scheme::Https
        })
        .find_map(|other| {
            other
                .own
                .iter()
                .copied()
                .find(|o| matches!(o.outcome, Outcome::Soap { answer: SoapAnswer::Result { .. }, .. }))
        })
}

/// Whether an answer may be what a TLS port says to plain HTTP.
pub(super) fn may_be_tls_port(answer: &HttpAnswer) -> bool {
    match answer {
        HttpAnswer::Response { status, .. } => *status == 400,
        HttpAnswer::NotHttp { looks } => *looks == Looks::Tls,
        HttpAnswer::Broken { how } => *how != Broken::Timeout,
    }
}

/// A host and scheme of a redirection, whole or relative to what was asked.
pub(super) fn redirect_target(url: &str, location: &str) -> Option<url::Url> {
    url::Url::parse(url).ok()?.join(location).ok()
}

fn exchange(
    seen: &Seen,
    path: &PathSeen,
    lane: &LaneSeen,
    observation: &Observation,
    url: &str,
    answer: &HttpAnswer,
    given: &mut Given,
) {
    let subject = path.subject();
    let mut because = vec![observation.id.clone()];
    let plain = path.info.target.scheme == Scheme::Http;
    if plain
        && may_be_tls_port(answer)
        && let Some(tls) = tls_on_the_port(path, lane.lane)
    {
        because.push(tls.id.clone());
        let says = format!("{subject} speaks TLS: to plain HTTP it answers {}.", word(answer));
        given.add(cause("http/ssl-required", &subject, says, because));
        return;
    }
    match answer {
        HttpAnswer::Broken { how: Broken::Timeout } => {
            let says = format!(
                "{subject}: the request was sent, and nothing was answered within {}.",
                seen.evidence.settings.timeout
            );
            given.add(cause("http/timeout", &subject, says, because));
        }
        HttpAnswer::Broken { .. } => {
            let says =
                format!("{subject} took the request and closed the connection before its answer was whole.");
            given.add(cause("http/truncated", &subject, says, because));
        }
        HttpAnswer::NotHttp { looks } => {
            let raw = observation.raw.as_deref().unwrap_or_default();
            let what = if *looks == Looks::TooLarge {
                "more than any head holds"
            } else {
                "something that is no HTTP"
            };
            let says = format!("{subject} answers {what}: \"{}\".", raw.chars().take(60).collect::<String>());
            given.add(cause("http/not-wsus", &subject, says, because));
        }
        HttpAnswer::Response { status, headers: _, body, complete } => {
            response(seen, path, lane, observation, url, answer, (*status, body, *complete), given);
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "an answer has that many sides")]
fn response(
    seen: &Seen,
    path: &PathSeen,
    lane: &LaneSeen,
    observation: &Observation,
    url: &str,
    answer: &HttpAnswer,
    (status, body, complete): (u16, &str, bool),
    given: &mut Given,
) {
    let subject = path.subject();
    let mut because = vec![observation.id.clone()];
    let server = answer.header("server").unwrap_or("no Server header");
    let who = format!("{url} answers {status} ({server})");
    // A bare 400 of HTTP.sys is as well what a TLS port says to plain HTTP, until the port was asked.
    let asked = path.questions(lane.lane, question::TLS_ON_PORT).next().is_some();
    let bare = status == 400 && path.info.target.scheme == Scheme::Http && !asked;
    let mut add = |id: &str, says: String, because: Vec<String>| {
        let found = cause(id, &subject, says, because);
        given.add(if bare { found.possible() } else { found });
    };
    let of_path = path.info.ask == Ask::Get;
    if bare && by_http_sys(answer) {
        add(
            "http/no-site",
            format!(
                "{who}: HTTP.sys itself, because no site is bound to this name and port, or because the port speaks TLS, \
                 which was not asked."
            ),
            because,
        );
        given.open(
            "Does that port speak TLS?",
            format!("{subject} answers plain HTTP with a bare 400, as a port with TLS does too."),
            &format!("openssl s_client -connect {subject}, or netsh http show sslcert on that server"),
            vec![observation.id.clone()],
        );
        return;
    }
    match status {
        503 if by_http_sys(answer) && !is_microsoft_host(&path.info.target.host) => {
            add(
                "http/pool-down",
                format!(
                    "{who}: HTTP.sys itself, because the application pool behind it is stopped or its queue is full."
                ),
                because,
            );
        }
        503 => add("http/unavailable", format!("{who}: the service is unavailable."), because),
        400 | 404 if by_http_sys(answer) => {
            add(
                "http/no-site",
                format!(
                    "{who}: HTTP.sys itself, because no site is bound to this name and port, or it is stopped."
                ),
                because,
            );
        }
        404 if of_path || by_iis(answer) => {
            add(
                "http/not-found",
                format!("{who}: a web server is there, and this directory or file is not."),
                because,
            );
        }
        401 => {
            add("http/unauthorized", format!("{who}: it wants credentials where WSUS sends none."), because)
        }
        403 if body.contains("403.7") => {
            add("http/client-certificate", format!("{who}: it wants a client certificate (403.7)."), because);
        }
        403 if body.contains("403.4") => {
            add("http/ssl-required", format!("{who}: this directory requires SSL (403.4)."), because);
        }
        403 => {
            let over_tls = over_tls(seen, path).or_else(|| tls_on_the_port(path, lane.lane));
            if let (Scheme::Http, Some(tls)) = (path.info.target.scheme, over_tls) {
                because.push(tls.id.clone());
                add(
                    "http/ssl-required",
                    format!("{who} over plain HTTP, and the same service answers over TLS."),
                    because,
                );
            } else if let Some(asked) = lane.asked_for_certificate() {
                because.push(asked);
                add(
                    "http/client-certificate",
                    format!("{who}, and the TLS handshake asked for a client certificate."),
                    because,
                );
            } else {
                add(
                    "http/unauthorized",
                    format!("{who}: access is denied where WSUS comes without credentials."),
                    because,
                );
            }
        }
        300..=399 => {
            let location = answer.header("location").unwrap_or_default();
            add(
                "http/redirect",
                format!("{who} and redirects to {location}: synchronization does not follow that."),
                because,
            );
        }
        500..=599 => add(
            "http/server-error",
            format!("{who} without a SOAP fault: the web application behind it is broken."),
            because,
        ),
        200..=299 if !complete => {
            add("http/truncated", format!("{who}, and the answer ends before its length."), because);
        }
        200..=299 => {
            let start: String = body.chars().take(80).collect();
            add(
                "http/not-wsus",
                format!("{who}, and what it sends is no answer of WSUS: \"{start}\"."),
                because,
            );
        }
        // A plain port that says 400 and was not found to speak TLS, and a TLS port that says so to a hello with a
        // certificate request, are other rules' matters.
        400 => {}
        _ if !by_iis(answer) => {
            add("http/not-wsus", format!("{who}: something else than WSUS."), because);
        }
        _ => {}
    }
}

/// An answer in a word or two.
pub(super) fn word(answer: &HttpAnswer) -> String {
    match answer {
        HttpAnswer::Response { status, .. } => status.to_string(),
        HttpAnswer::NotHttp { looks: Looks::Tls } => "a TLS record".into(),
        HttpAnswer::NotHttp { .. } => "something that is no HTTP".into(),
        HttpAnswer::Broken { how: Broken::Timeout } => "nothing".into(),
        HttpAnswer::Broken { how: Broken::Reset } => "a reset".into(),
        HttpAnswer::Broken { how: Broken::Closed } => "a closed connection".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_may_be_relative() {
        let url = "http://up.example.com:8530/ServerSyncWebService/x.asmx";
        assert_eq!(redirect_target(url, "/y").unwrap().as_str(), "http://up.example.com:8530/y");
        assert_eq!(redirect_target(url, "https://up.example.com:8531/").unwrap().scheme(), "https");
    }
}
