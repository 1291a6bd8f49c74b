//! The TLS handshake without the certificates: isolated by hellos that differ in one thing, never by one alert.

use super::{Given, PathSeen, Seen, With, cause, finding, http, place, proxy};
use crate::codec::tls::{TLS12, suite_name, version_name};
use crate::diagnosis::{Confidence, Role, Severity};
use crate::evidence::{
    Broken, HandshakeAnswer, HelloAnswer, HttpAnswer, Looks, Observation, Outcome, Scheme,
};
use crate::facts::{LoggedFailure, Phase, Statement, SyncEvent};
use crate::schannel::REFERENCE;

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &["log", "log-schannel", "log-failure", "log-sync", "server-version"];

pub(super) fn give(seen: &Seen, given: &mut Given) {
    for path in seen.needed() {
        for (lane, observation) in path.failures() {
            match &observation.outcome {
                Outcome::Hello { answer, .. } if !proxy::claims(given, observation) => {
                    hello(seen, path, lane.lane, observation, answer, given);
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
            if let super::LaneEnd::OwnLimit(observation) = lane.end {
                own_limit(path, lane, observation, given);
            }
        }
    }
    older_client(seen, given);
    sync_fix_missing(seen, given);
    dotnet(seen, given);
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

fn hello(
    seen: &Seen,
    path: &PathSeen,
    lane: &str,
    observation: &Observation,
    answer: &HelloAnswer,
    given: &mut Given,
) {
    let subject = path.subject();
    let mut because = vec![observation.id.clone()];
    match answer {
        HelloAnswer::PlainHttp { status } => {
            let says =
                format!("{subject} answers a TLS hello with plain HTTP: \"{status}\".{}", between(path));
            let found = cause("tls/plain-http", &subject, says, because);
            given.add(if plain_by_the_peer(path, status) { found } else { found.possible() });
        }
        HelloAnswer::Broken { how: Broken::Timeout } => {
            let says = format!(
                "{subject} takes the connection and answers nothing to a TLS 1.2 hello within {}.{}",
                seen.evidence.settings.timeout,
                between(path)
            );
            given.add(cause("tls/timeout", &subject, says, because));
        }
        HelloAnswer::Answered { version, complete, .. }
            if *version != TLS12 && (*complete || *version < TLS12) =>
        {
            let says = format!(
                "Offered TLS 1.2, the version that synchronization speaks, {subject} chooses {}: it has no TLS 1.2.{}",
                version_name(*version),
                between(path)
            );
            given.add(cause("tls/version-unsupported", &subject, says, because));
        }
        HelloAnswer::Answered { .. } => {}
        HelloAnswer::NotTls { looks } => {
            let raw = observation.raw.as_deref().unwrap_or_default();
            let what = match looks {
                Looks::TooLarge => "sends more than any first flight of TLS holds",
                _ => "speaks no TLS",
            };
            let says = format!(
                "What answers at {subject} {what}: \"{}\".{}",
                raw.chars().take(60).collect::<String>(),
                between(path)
            );
            given.add(cause("http/not-wsus", &subject, says, because));
        }
        HelloAnswer::Alert { .. } | HelloAnswer::Broken { .. } => {
            let of_lane = |question: &str| path.questions(lane, question).next();
            let versions: Vec<_> = ["TLS 1.0 alone", "TLS 1.1 alone", "TLS 1.3 alone"]
                .into_iter()
                .filter_map(of_lane)
                .filter_map(|o| chosen(o).map(|(version, _)| (o, version)))
                .filter(|(_, version)| *version != TLS12)
                .collect();
            let suites = of_lane("every suite at TLS 1.2");
            let groups = of_lane("every group and signature at TLS 1.2");
            let both = of_lane("every suite, group and signature at TLS 1.2");
            let at_12 =
                |o: Option<&Observation>| o.and_then(chosen).is_some_and(|(version, _)| version == TLS12);
            let any_12 = at_12(suites) || at_12(groups) || at_12(both);
            if at_12(suites) && !at_12(groups) {
                no_common_cipher(path, lane, observation, answer, groups.is_some(), given);
            } else if !any_12 && !versions.is_empty() {
                let spoken: Vec<String> =
                    versions.iter().map(|(_, version)| version_name(*version)).collect();
                because.extend(versions.iter().map(|(o, _)| o.id.clone()));
                because.extend(both.map(|o| o.id.clone()));
                let says = format!(
                    "{subject} refuses TLS 1.2 ({}) with every cipher suite, and answers {}.{}",
                    refused(answer),
                    place::list(&spoken),
                    between(path)
                );
                let found = cause("tls/version-unsupported", &subject, says, because);
                // Only the refusal of all that TLS 1.2 has leaves the version.
                given.add(if both.is_some() { found } else { found.likely() });
            } else if any_12 {
                because.extend([suites, groups, both].into_iter().flatten().map(|o| o.id.clone()));
                let says = format!(
                    "{subject} refuses the hello of {} ({}), and answers one with more groups or signature algorithms: \
                     what it misses is not isolated.{}",
                    REFERENCE.name,
                    refused(answer),
                    between(path)
                );
                given.add(cause("tls/refused", &subject, says, because).possible());
                given.open(
                    "Which group or signature algorithm does the server want?",
                    format!("{subject} answers a hello only when more of them are offered."),
                    "compare `openssl s_client -curves` and `-sigalgs` with the server's certificate and settings",
                    vec![observation.id.clone()],
                );
            } else {
                let asked = path.asked.iter().filter(|o| o.lane.as_deref() == Some(lane));
                let all: Vec<_> = asked.filter(|o| super::seen::kind(&o.outcome) == "hello").collect();
                because.extend(all.iter().map(|o| o.id.clone()));
                let says = format!(
                    "{subject} refuses every hello that was tried ({} of them, TLS 1.0 to 1.3; the first met {}): nothing \
                     tells a version from a suite or a policy.{}",
                    all.len() + 1,
                    refused(answer),
                    between(path)
                );
                given.add(cause("tls/refused", &subject, says, because));
            }
        }
    }
}

fn no_common_cipher(
    path: &PathSeen,
    lane: &str,
    observation: &Observation,
    answer: &HelloAnswer,
    groups_refused: bool,
    given: &mut Given,
) {
    let subject = path.subject();
    let mut because = vec![observation.id.clone()];
    let mut theirs: Vec<String> = Vec::new();
    let answered = path
        .questions(lane, "every suite at TLS 1.2")
        .chain(path.questions(lane, "the suites that are left at TLS 1.2"));
    for asked in answered {
        because.push(asked.id.clone());
        if let Some((TLS12, suite)) = chosen(asked)
            && !theirs.contains(&suite_name(suite))
        {
            theirs.push(suite_name(suite));
        }
    }
    because.extend(path.questions(lane, "every group and signature at TLS 1.2").map(|o| o.id.clone()));
    let ours: Vec<String> = REFERENCE.suites.iter().map(|&suite| suite_name(suite)).collect();
    let says = format!(
        "{subject} speaks TLS 1.2 and refuses the suites of {} ({}). It takes {}; {} offers {}.{}",
        REFERENCE.name,
        refused(answer),
        place::list(&theirs),
        REFERENCE.name,
        ours.join(", "),
        between(path)
    );
    let found = cause("tls/no-common-cipher", &subject, says, because);
    // Where more groups alone might do as well, it is not proved that it is the suites.
    given.add(if groups_refused { found } else { found.likely() });
    given.open(
        "Does this WSUS server offer what the reference client offers?",
        format!("The client taken is {} with its default suites.", REFERENCE.name),
        "compare with `Get-TlsCipherSuite` on the WSUS server, and with its Group Policy (`gpresult /scope computer /h`)",
        vec![observation.id.clone()],
    );
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
    let suite = flight.map(|(version, suite)| taken(version, suite));
    given.open(
        "Does the service answer over this TLS session?",
        format!(
            "{} answers the hello of {} ({}); this program's own TLS library cannot complete such a session, which says \
             nothing of Windows' client. HTTP and what is above it were not reached.",
            path.subject(),
            REFERENCE.name,
            suite.unwrap_or_default()
        ),
        "on the WSUS server, call the service's URL with .NET's HttpWebRequest in PowerShell, or synchronize and read the log",
        vec![observation.id.clone()],
    );
}

/// The failures that TLS versions, suites, policies and .NET's settings share.
fn is_tls_failure(failure: &LoggedFailure) -> bool {
    matches!(
        failure,
        LoggedFailure::ConnectionBroken | LoggedFailure::NoCommonAlgorithm | LoggedFailure::SecureChannel
    )
}

/// The hello that was sent is a newer server's than the one that the facts name: what that one may agree on is open.
fn older_client(seen: &Seen, given: &mut Given) {
    if seen.facts.version_is_2012_family() != Some(true) {
        return;
    }
    for path in seen.needed() {
        let answered = path.own.iter().find(|o| chosen(o).is_some_and(|(version, _)| version == TLS12));
        let Some(answered) = answered else { continue };
        given.open(
            "Does the source take what Windows Server 2012 and 2012 R2 offer?",
            format!(
                "{} answered the hello of {}; the older ones offer no ECDHE_RSA suite with GCM, and were not tried.",
                path.subject(),
                REFERENCE.name
            ),
            "openssl s_client -tls1_2 -cipher ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256 -connect to the source",
            vec![answered.id.clone()],
        );
    }
}

/// Whether a synchronization or an import is on record as broken off at TLS, and no finding rests on that record: the
/// server answered here, and which local cause it was does not show.
pub(crate) fn unexplained_failure(seen: &Seen, findings: &[crate::diagnosis::Finding]) -> bool {
    seen.facts.all().iter().any(|fact| {
        let Statement::LogFailure { failure, .. } = &fact.statement else { return false };
        let explained = findings.iter().any(|f| f.id != "history/failing" && f.because.contains(&fact.id));
        is_tls_failure(failure) && !explained && !seen.facts.succeeded_after(fact)
    })
}

fn sync_fix_missing(seen: &Seen, given: &mut Given) {
    // Where the source is spoken to in clear, no TLS of this server was broken off.
    if seen.needed().next().is_some() && seen.needed().all(|p| p.info.target.scheme == Scheme::Http) {
        return;
    }
    let logs = seen.facts.all().iter().filter_map(|fact| match &fact.statement {
        Statement::Log { startup: Some(line), schannel: false, .. } => Some((fact, *line)),
        _ => None,
    });
    let failures: Vec<&str> = seen
        .facts
        .all()
        .iter()
        .filter_map(|fact| match &fact.statement {
            Statement::LogFailure { process, failure, phase, .. }
                if is_tls_failure(failure)
                    && process != "w3wp"
                    && *phase != Some(Phase::Import)
                    && !seen.facts.succeeded_after(fact) =>
            {
                Some(fact.id.as_str())
            }
            _ => None,
        })
        .collect();
    // Only these two lack TLS 1.2 without an update; on another the absence of the lines proves nothing.
    let version = seen.facts.version_is_2012_family();
    if version == Some(false) {
        return;
    }
    for (fact, line) in logs {
        let Some(failure) = failures.first() else { continue };
        // A walk that the server itself ended leaves the client's side open.
        let server_refuses =
            seen.needed().any(|p| p.failures().any(|(_, o)| super::seen::kind(&o.outcome) == "hello"));
        let mut because = vec![fact.id.clone(), failure.to_string()];
        because.extend(seen.facts.build().map(|(fact, _)| fact.id.clone()));
        let says = format!(
            "The log holds a start-up of the service ({}:{line}) and no SCHANNEL line with it; a server that has the update \
             by which synchronization speaks TLS 1.2 writes them there. Connections are on record as broken off.{}",
            fact.source.file,
            if version.is_some() { " The server is Windows Server 2012 or 2012 R2." } else { "" }
        );
        let role = if server_refuses { Role::Contributing } else { Role::Cause };
        let found = finding(
            "tls/sync-fix-missing",
            role,
            Confidence::Likely,
            "SoftwareDistribution.log",
            says,
            because,
        );
        given.add(if version.is_some() && !server_refuses { found } else { found.possible() });
        if version.is_none() {
            given.open(
                "Which Windows Server is it?",
                "Only Windows Server 2012 and 2012 R2 lack TLS 1.2 for synchronization without an update; elsewhere the \
                 absence of these lines proves nothing."
                    .into(),
                "hand over the output of `(Get-WsusServer).Version`, or of `winver`",
                vec![fact.id.clone()],
            );
        }
    }
}

fn dotnet(seen: &Seen, given: &mut Given) {
    let mut import = None;
    let mut service_fails = false;
    let mut synchronized = None;
    for fact in seen.facts.all() {
        match &fact.statement {
            Statement::LogFailure { process, failure, phase, .. } if is_tls_failure(failure) => {
                match (process.as_str(), phase) {
                    ("w3wp", _) | (_, Some(Phase::Import)) => import = import.or(Some(fact)),
                    ("WsusService", _) => service_fails = true,
                    // A text that does not say who logged it tells neither.
                    _ => {}
                }
            }
            Statement::LogSync { event: SyncEvent::Succeeded, .. } => synchronized = Some(fact),
            _ => {}
        }
    }
    let Some(import) = import else { return };
    if service_fails {
        return;
    }
    let subject = "SchUseStrongCrypto";
    let mut because = vec![import.id.clone()];
    because.extend(synchronized.map(|f| f.id.clone()));
    let walked = seen.needed().any(|p| p.works());
    let role = if walked || synchronized.is_some() { Role::Note } else { Role::Cause };
    let says = format!(
        "Only the import path failed ({}, logged by w3wp){}: .NET there begins with TLS 1.0.",
        import.source.file,
        if synchronized.is_some() { ", and the service's own synchronization succeeded" } else { "" }
    );
    let found = finding("tls/dotnet-strong-crypto", role, Confidence::Likely, subject, says, because);
    let found = found.severity(Severity::Warning);
    given.add(if synchronized.is_some() { found } else { found.possible() });
}
