//! The TLS handshake without the certificates: isolated by hellos that differ in one thing, never by one alert.

mod answered;
mod local;
mod logged;
mod refused;

use super::{Given, PathSeen, Seen, With, cause, http, proxy};
use crate::codec::tls::{TLS12, suite_name, version_name};
use crate::evidence::{
    Broken, HandshakeAnswer, HelloAnswer, HttpAnswer, Looks, Observation, Offer, Outcome, question,
};
use crate::schannel::profile;

pub(crate) use local::in_clear;
pub(crate) use logged::unexplained_failure;

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &[
    "config",
    "log",
    "log-schannel",
    "log-failure",
    "log-sync",
    "server-version",
    "registry",
    "cipher-order",
    "curve-order",
    "cipher-suites",
    "sync-run",
    "clock-jump",
    "installed-update",
    "http-test",
];

pub(super) fn give(seen: &Seen, given: &mut Given) {
    for path in seen.needed() {
        for (lane, observation) in path.failures() {
            match &observation.outcome {
                Outcome::Hello { offer, answer } if !proxy::claims(given, observation) => {
                    let own = Own { path, lane: lane.lane, observation, offer, answer };
                    hello(seen, &own, given);
                }
                Outcome::Handshake { answer, .. } => handshake(path, lane, observation, answer, given),
                // HTTP.sys says 400 of a name or a request, never of a certificate.
                Outcome::Http { answer: answer @ HttpAnswer::Response { status: 400, .. }, .. }
                    if !http::by_http_sys(answer) =>
                {
                    asked_then_refused(path, lane, observation, given);
                }
                _ => {}
            }
        }
        for lane in &path.lanes {
            answered::give(seen, path, lane, given);
            if let super::LaneEnd::OwnLimit(observation) = lane.end {
                own_limit(path, lane, observation, given);
            }
        }
    }
    local::give(seen, given);
    logged::sync_fix_missing(seen, given);
    logged::dotnet(seen, given);
    local::overruled(seen, given);
}

/// A path's own hello and what it met.
#[derive(Clone, Copy)]
struct Own<'a, 's> {
    path: &'a PathSeen<'s>,
    lane: &'a str,
    observation: &'a Observation,
    offer: &'a Offer,
    answer: &'a HelloAnswer,
}

impl<'a, 's: 'a> Own<'a, 's> {
    /// The answer to a differential of this lane.
    fn asked(&self, question: &str) -> Option<&'s Observation> {
        self.path.questions(self.lane, question).next()
    }

    /// The same client at TLS 1.2: its own hello, or, where that stops below, the one that has TLS 1.2 as well.
    fn at_tls12(&self) -> Self {
        let Some(with) = self.asked(question::WITH_TLS12).filter(|_| self.offer.version < TLS12) else {
            return *self;
        };
        match &with.outcome {
            Outcome::Hello { offer, answer } => Own { observation: with, offer, answer, ..*self },
            _ => *self,
        }
    }

    /// Whether a differential was answered with a version that the client takes.
    fn taken(&self, question: &str, versions: &[u16]) -> Option<&'s Observation> {
        self.asked(question).filter(|o| chosen(o).is_some_and(|(version, _)| versions.contains(&version)))
    }
}

/// Whose hello it is, in words.
fn who(offer: &Offer) -> String {
    let name = profile(&offer.client).map_or("a client with everything", |profile| profile.name);
    if offer.settings.is_empty() {
        name.to_string()
    } else {
        format!("{name} ({})", offer.settings.join(", "))
    }
}

/// A sentence where a proxy is on the way.
fn between(path: &PathSeen) -> String {
    match &path.info.proxy {
        Some(_) => format!(" The proxy {} is between, and may be the one that says it.", path.hop_subject()),
        None => String::new(),
    }
}

/// Whether plain HTTP in answer to a hello is the peer's own: a web server says 400 to what it cannot read; any other
/// word of HTTP out of a tunnel may be the page of the proxy that granted it.
pub(super) fn plain_by_the_peer(path: &PathSeen, status: &str) -> bool {
    path.info.proxy.is_none() || status.split_whitespace().nth(1) == Some("400")
}

/// How an answer that is no ServerHello reads.
fn refused(answer: &HelloAnswer) -> String {
    match answer {
        HelloAnswer::Alert { code, name } => format!("alert {code}, {name}"),
        HelloAnswer::Broken { how: Broken::Reset } => "a reset".into(),
        HelloAnswer::Broken { how: Broken::Closed } => "a closed connection".into(),
        HelloAnswer::Broken { how: Broken::Timeout } => "silence".into(),
        HelloAnswer::PlainHttp { status } => format!("plain HTTP ({status})"),
        HelloAnswer::NotTls { .. } => "something that is no TLS".into(),
        HelloAnswer::Answered { version, suite, .. } => taken(*version, *suite),
    }
}

/// A version and a suite in words.
fn taken(version: u16, suite: u16) -> String {
    format!("{} with {}", version_name(version), suite_name(suite))
}

fn chosen(observation: &Observation) -> Option<(u16, u16)> {
    match &observation.outcome {
        Outcome::Hello { answer: HelloAnswer::Answered { version, suite, .. }, .. } => {
            Some((*version, *suite))
        }
        _ => None,
    }
}

fn hello(seen: &Seen, own: &Own, given: &mut Given) {
    let Own { path, observation, offer, answer, .. } = own;
    let subject = path.subject();
    let because = vec![observation.id.clone()];
    match answer {
        HelloAnswer::PlainHttp { status } => {
            let says =
                format!("{subject} answers a TLS hello with plain HTTP: \"{status}\".{}", between(path));
            let found = cause("tls/plain-http", &subject, says, because);
            given.add(if plain_by_the_peer(path, status) { found } else { found.possible() });
        }
        HelloAnswer::Broken { how: Broken::Timeout } => {
            if answered::small(own).is_some() {
                return answered::lost(own, given);
            }
            // What dripped in may be the beginning of anything.
            let answers = if observation.raw.is_some() { "no whole answer" } else { "nothing" };
            let says = format!(
                "{subject} takes the connection and answers {answers} to a {} hello within {}.{}",
                version_name(offer.version),
                seen.evidence.settings.timeout,
                between(path)
            );
            given.add(cause("tls/timeout", &subject, says, because));
        }
        HelloAnswer::Answered { .. } => answered::unusable(seen, own, given),
        HelloAnswer::NotTls { looks } => {
            let raw = observation.raw.as_deref().unwrap_or_default();
            let what = match looks {
                Looks::TooLarge => "sends more than any first flight of TLS holds",
                // A handshake record, as written in the report.
                _ if raw.starts_with("\\x16\\x03") => {
                    "begins as TLS does and sends no ServerHello that can be read"
                }
                _ => "speaks no TLS",
            };
            let says = format!(
                "What answers at {subject} {what}: \"{}\".{}",
                raw.chars().take(60).collect::<String>(),
                between(path)
            );
            given.add(cause("http/not-wsus", &subject, says, because));
        }
        HelloAnswer::Alert { .. } | HelloAnswer::Broken { .. } => refused::isolate(seen, own, given),
    }
}

fn handshake(
    path: &PathSeen,
    lane: &super::LaneSeen,
    observation: &Observation,
    answer: &HandshakeAnswer,
    given: &mut Given,
) {
    let Some(asked) = lane.asked_for_certificate() else { return };
    let subject = path.subject();
    let how = match answer {
        HandshakeAnswer::Alert { code, name } => format!("alert {code}, {name}"),
        HandshakeAnswer::Broken { how: Broken::Timeout } => "silence".into(),
        _ => "a closed connection".into(),
    };
    let says = format!(
        "{subject} asks for a client certificate in the handshake and breaks it off without one ({how})."
    );
    given.add(cause("tls/client-certificate", &subject, says, unique([observation.id.clone(), asked])));
}

fn unique<const N: usize>(ids: [String; N]) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for id in ids {
        if !list.contains(&id) {
            list.push(id);
        }
    }
    list
}

fn asked_then_refused(path: &PathSeen, lane: &super::LaneSeen, observation: &Observation, given: &mut Given) {
    if let Some(asked) = lane.asked_for_certificate() {
        let subject = path.subject();
        let says = format!(
            "{subject} asks for a client certificate in the handshake, and refuses the request (400) that comes without one."
        );
        given.add(cause("tls/client-certificate", &subject, says, vec![observation.id.clone(), asked]));
    }
}

/// What our own client cannot complete is an open question, never a finding.
fn own_limit(path: &PathSeen, lane: &super::LaneSeen, observation: &Observation, given: &mut Given) {
    let flight = lane.own.iter().find_map(|o| chosen(o));
    let offer = lane.own.iter().find_map(|o| match &o.outcome {
        Outcome::Hello { offer, .. } => Some(offer),
        _ => None,
    });
    let suite = flight.map(|(version, suite)| taken(version, suite));
    given.open(
        "Does the service answer over this TLS session?",
        format!(
            "{} answers the hello of {} ({}); this program's own TLS library cannot complete such a session, which says \
             nothing of Windows' client. HTTP and what is above it were not reached.",
            path.subject(),
            offer.map(who).unwrap_or_default(),
            suite.unwrap_or_default()
        ),
        "on the WSUS server, call the service's URL with .NET's HttpWebRequest in PowerShell, or synchronize and read the log",
        vec![observation.id.clone()],
    );
}
