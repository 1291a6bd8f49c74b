//! Observations in words: one line each, a mark, and the evidence behind a failure.

use crate::codec::tls::{suite_name, version_name};
use crate::evidence::{
    AuthStage, Broken, CertificateFrom, CertificateSeen, ChainEnd, ChainSeen, DialAnswer, Fetch,
    HandshakeAnswer, HelloAnswer, HttpAnswer, Layer, Looks, NameAnswer, NameFit, Observation, Outcome,
    PathInfo, PathRole, ProxyAnswer, ProxyAuth, SoapAnswer, Spoken, Validity, escape,
};
use crate::schannel::profile;

/// The longest text of a report that is printed in one piece.
const LIMIT: usize = 2000;

/// Text of a report made safe for a terminal: the report may be a stranger's.
pub fn clean(text: &str) -> String {
    escape(text, LIMIT)
}

/// What an observation is to its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The step came through.
    Ok,
    /// The step failed.
    Bad,
    /// The step was not taken, or says nothing either way.
    Idle,
    /// The step could not be judged.
    Open,
}

impl Mark {
    /// The mark as printed.
    pub fn word(self) -> &'static str {
        match self {
            Mark::Ok => "ok",
            Mark::Bad => "!!",
            Mark::Idle => "--",
            Mark::Open => "??",
        }
    }
}

/// The mark of an observation.
pub fn mark(observation: &Observation) -> Mark {
    let good = |good: bool| if good { Mark::Ok } else { Mark::Bad };
    match &observation.outcome {
        Outcome::Name { answer: NameAnswer::Addresses { addresses, .. }, .. } => good(!addresses.is_empty()),
        Outcome::Name { answer: NameAnswer::NoAddress, record, .. } if record == "AAAA" => Mark::Idle,
        Outcome::Name { .. } => Mark::Bad,
        Outcome::Dial { answer, .. } => good(matches!(answer, DialAnswer::Connected)),
        Outcome::Proxy { answer, .. } => good(matches!(answer, ProxyAnswer::Granted)),
        // A question is answered by any flight; the path goes on with the version and a suite that were offered alone.
        Outcome::Hello { offer, answer } => good(match answer {
            HelloAnswer::Answered { version, suite, complete, .. } => {
                observation.question.is_some()
                    || (offer.takes(*version) && offer.suites.contains(suite) && *complete)
            }
            _ => false,
        }),
        Outcome::Spoken(spoken) => match spoken.versions.iter().any(|v| !v.suites.is_empty()) {
            true => Mark::Ok,
            false => Mark::Bad,
        },
        Outcome::Chain(chain) => good(chain.acceptable()),
        Outcome::Handshake { answer, .. } => match answer {
            HandshakeAnswer::Done { .. } => Mark::Ok,
            HandshakeAnswer::OwnLimit { .. } => Mark::Open,
            HandshakeAnswer::Untrusted if observation.layer == Layer::Tls => Mark::Idle,
            _ => Mark::Bad,
        },
        Outcome::Http { answer, .. } => match answer {
            // A SOAP answer is judged by the step above it: a fault comes with status 500.
            HttpAnswer::Response { status, complete, .. } => good((200..300).contains(status) && *complete),
            _ => Mark::Bad,
        },
        Outcome::Soap { answer, .. } => good(matches!(answer, SoapAnswer::Result { .. })),
        Outcome::NotReached { because, .. } if because == "own client" => Mark::Open,
        Outcome::NotReached { .. } | Outcome::NotAsked { .. } => Mark::Idle,
    }
}

/// What came of a step, in a line.
pub fn outcome(outcome: &Outcome) -> String {
    clean(&match outcome {
        Outcome::Name { server, record, over, answer } => {
            let by = if over == "system" || server == "system" {
                "the system's resolver".to_string()
            } else {
                format!("{server} over {over}")
            };
            let record = if record == "any" { String::new() } else { format!("{record}: ") };
            format!("{record}{} ({by})", name(answer))
        }
        Outcome::Dial { answer, .. } => match answer {
            DialAnswer::Connected => "connected".into(),
            DialAnswer::Refused => "refused".into(),
            DialAnswer::Timeout => "no answer in time".into(),
            DialAnswer::Unreachable { why } => format!("unreachable: {why}"),
            DialAnswer::Failed { why } => format!("failed: {why}"),
        },
        Outcome::Proxy { asked, answer, auth } => {
            let logon = auth.as_deref().map(logon).unwrap_or_default();
            format!("{asked}: {}{logon}", proxy(answer))
        }
        Outcome::Hello { offer, answer } => {
            // Which client it is taken for is part of what the answer proves.
            let client = profile(&offer.client).map_or("every client", |profile| profile.name);
            format!("hello of {client} up to {}: {}", version_name(offer.version), hello(answer))
        }
        Outcome::Spoken(spoken) => spoken_line(spoken),
        Outcome::Chain(chain) => chain_line(chain),
        Outcome::Handshake { answer, client_certificate_asked, .. } => {
            let asked = if *client_certificate_asked { "; asks for a client certificate" } else { "" };
            format!("{}{asked}", handshake(answer))
        }
        Outcome::Http { method, url, answer } => format!("{method} {url}: {}", http(answer)),
        Outcome::Soap { operation, answer } => match answer {
            SoapAnswer::Result { values } if values.is_empty() => format!("{operation}: answered"),
            SoapAnswer::Result { values } => {
                let values: Vec<String> =
                    values.iter().map(|(name, value)| format!("{name} {value}")).collect();
                format!("{operation}: {}", values.join(", "))
            }
            SoapAnswer::Fault { code, message } if code.is_empty() => {
                format!("{operation}: fault: {message}")
            }
            SoapAnswer::Fault { code, message } => format!("{operation}: fault {code}: {message}"),
            SoapAnswer::NotSoap => format!("{operation}: the answer is no SOAP"),
        },
        Outcome::NotReached { because, says } if because == "own client" => {
            format!("not reached by this program's own client: {says}")
        }
        Outcome::NotReached { says, .. } if says.is_empty() => "not reached".into(),
        Outcome::NotReached { says, .. } => format!("not reached: {says}"),
        Outcome::NotAsked { reason } => format!("not asked: {reason}"),
    })
}

fn name(answer: &NameAnswer) -> String {
    match answer {
        NameAnswer::Addresses { addresses, canonical } => {
            let list: Vec<String> = addresses.iter().map(|address| address.to_string()).collect();
            let alias = canonical.iter().map(|name| format!(" by way of {name}")).collect::<String>();
            if list.is_empty() { format!("no address{alias}") } else { format!("{}{alias}", list.join(", ")) }
        }
        NameAnswer::NotFound => "no such name (NXDOMAIN)".into(),
        NameAnswer::NoAddress => "no such record".into(),
        NameAnswer::ServerFailure => "the server failed (SERVFAIL)".into(),
        NameAnswer::Refused => "the server refused (REFUSED)".into(),
        NameAnswer::Timeout => "no answer in time".into(),
        NameAnswer::TryAgain => "no answer for now (the servers failed or were silent)".into(),
        NameAnswer::Malformed { why } => format!("an answer that is none: {why}"),
        NameAnswer::Failed { why } => format!("failed: {why}"),
    }
}

fn proxy(answer: &ProxyAnswer) -> String {
    match answer {
        ProxyAnswer::Granted => "granted".into(),
        ProxyAnswer::Status { code, reason, schemes, .. } => {
            let reason = if reason.is_empty() { String::new() } else { format!(" {reason}") };
            let offers =
                if schemes.is_empty() { String::new() } else { format!(", offers {}", schemes.join(", ")) };
            format!("{code}{reason}{offers}")
        }
        ProxyAnswer::NotHttp { looks } => format!("no HTTP: {}", look(*looks)),
        ProxyAnswer::Broken { how } => broken(*how).into(),
        ProxyAnswer::ClosedTunnel => "granted, and closed at once".into(),
        ProxyAnswer::Socks { why, .. } => format!("SOCKS refusal: {why}"),
    }
}

/// What was done about credentials; nothing where none were there to be sent.
pub(crate) fn logon(auth: &ProxyAuth) -> String {
    let by = match (auth.scheme.as_str(), auth.mechanism.as_str()) {
        ("Negotiate", mechanism) => format!("Negotiate ({mechanism})"),
        (scheme, _) => scheme.to_string(),
    };
    let rounds = if auth.rounds == 1 { "1 round".to_string() } else { format!("{} rounds", auth.rounds) };
    let whose = if auth.own { "the credentials of the run's own account" } else { "credentials" };
    match auth.stage {
        AuthStage::Demanded if auth.own => {
            format!(", the credentials of the run's own account not sent: {}{}", auth.why, passed(auth))
        }
        AuthStage::Demanded => String::new(),
        AuthStage::Accepted => format!(", {whose} accepted by {by} in {rounds}"),
        AuthStage::Rejected => format!(", {whose} refused by {by}: {}", auth.why),
        AuthStage::Broken | AuthStage::ClosedBetweenLegs => {
            let whose = if auth.own { " with the run's own account" } else { "" };
            format!(", {by}{whose} could not be carried through: {}", auth.why)
        }
        AuthStage::NotSent => format!(", credentials not sent: {}{}", auth.why, passed(auth)),
    }
}

/// The schemes that could not be answered, with their reasons.
fn passed(auth: &ProxyAuth) -> String {
    let passed: Vec<String> =
        auth.passed_over.iter().map(|one| format!("{}: {}", one.scheme, one.why)).collect();
    if passed.is_empty() { String::new() } else { format!(" ({})", passed.join("; ")) }
}

fn spoken_line(spoken: &Spoken) -> String {
    let versions: Vec<String> = spoken
        .versions
        .iter()
        .filter(|version| !version.suites.is_empty())
        .map(|version| match version.suites.len() {
            1 => format!("{} (1 suite)", version_name(version.version)),
            n => format!("{} ({n} suites)", version_name(version.version)),
        })
        .collect();
    let what = if versions.is_empty() { "no version of TLS".to_string() } else { versions.join(", ") };
    format!("speaks {what}; {} hellos, {} rounds", spoken.handshakes, spoken.rounds)
}

fn hello(answer: &HelloAnswer) -> String {
    match answer {
        HelloAnswer::Answered { version: chosen, suite: code, certificates, complete, .. } => {
            let sent = match certificates.len() {
                0 => String::new(),
                1 => ", 1 certificate".into(),
                n => format!(", {n} certificates"),
            };
            let cut = if *complete { "" } else { ", and its flight ends early" };
            format!("{}, {}{sent}{cut}", version_name(*chosen), suite_name(*code))
        }
        HelloAnswer::Alert { code, name } => format!("alert {code} ({name})"),
        HelloAnswer::PlainHttp { status } => format!("plain HTTP: {status}"),
        HelloAnswer::NotTls { looks } => format!("no TLS: {}", look(*looks)),
        HelloAnswer::Broken { how } => broken(*how).into(),
    }
}

fn handshake(answer: &HandshakeAnswer) -> String {
    match answer {
        HandshakeAnswer::Done { version: chosen, suite: code } => {
            format!("{}, {}", version_name(*chosen), suite_name(*code))
        }
        HandshakeAnswer::OwnLimit { why } => format!("this program's TLS cannot speak it: {why}"),
        HandshakeAnswer::Untrusted => "ended by us: the certificates were not accepted".into(),
        HandshakeAnswer::Alert { code, name } => format!("alert {code} ({name})"),
        HandshakeAnswer::Broken { how } => broken(*how).into(),
        HandshakeAnswer::Failed { why } => format!("failed: {why}"),
    }
}

fn http(answer: &HttpAnswer) -> String {
    match answer {
        HttpAnswer::Response { status, complete, .. } => {
            let server = answer.header("server").map(|server| format!(" from {server}")).unwrap_or_default();
            let cut = if *complete { "" } else { ", and the body ends early" };
            format!("{status}{server}{cut}")
        }
        HttpAnswer::NotHttp { looks } => format!("no HTTP: {}", look(*looks)),
        HttpAnswer::Broken { how } => broken(*how).into(),
    }
}

fn chain_line(chain: &ChainSeen) -> String {
    let mut faults: Vec<String> = Vec::new();
    match &chain.end {
        ChainEnd::Trusted => {}
        ChainEnd::Root => faults.push("its root is not trusted".into()),
        ChainEnd::Missing { issuer, .. } => faults.push(format!("the issuer is missing: {issuer}")),
    }
    match chain.name_fit {
        NameFit::Alternative | NameFit::Subject => {}
        NameFit::FirstLabel => faults.push(format!("{} is only the first label of its name", chain.name)),
        NameFit::None => faults.push(format!("it is not for {}", chain.name)),
    }
    for certificate in &chain.way {
        match certificate.validity {
            Validity::Current => {}
            Validity::Expired => {
                faults.push(format!("{} ended {}", certificate.subject, day(&certificate.not_after)))
            }
            Validity::NotYet => {
                faults.push(format!("{} begins {}", certificate.subject, day(&certificate.not_before)))
            }
        }
    }
    if let Some(why) = &chain.unreadable {
        faults.push(format!("unreadable: {why}"));
    }
    match chain.decided() {
        Some(verdict) if verdict.good && !faults.is_empty() => {
            faults =
                vec![format!("Windows accepts it, and this program's own rules say: {}", faults.join("; "))];
        }
        Some(verdict) if !verdict.good => {
            faults.insert(0, format!("Windows refuses it: {}", verdict.why.join(", ")));
        }
        _ => {}
    }
    let sent = match chain.sent.len() {
        1 => "1 certificate".to_string(),
        n => format!("{n} certificates"),
    };
    let top = chain.way.last().map(|top| top.common_name.as_deref().unwrap_or(&top.subject));
    let until = chain.way.first().map(|leaf| day(&leaf.not_after));
    if let (true, Some(top), Some(until)) = (faults.is_empty(), top, until) {
        return format!("{sent} for {}, up to {top}, trusted, until {until}", chain.name);
    }
    if faults.is_empty() { format!("{sent}, trusted") } else { format!("{sent}; {}", faults.join("; ")) }
}

fn day(time: &jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

fn look(looks: Looks) -> &'static str {
    match looks {
        Looks::Tls => "looks like TLS",
        Looks::Http => "looks like HTTP",
        Looks::Banner => "a banner of another service",
        Looks::Unknown => "nothing known",
        Looks::TooLarge => "more than is read",
    }
}

fn broken(how: Broken) -> &'static str {
    match how {
        Broken::Closed => "closed without an answer",
        Broken::Reset => "reset",
        Broken::Timeout => "no answer in time",
    }
}

/// The evidence behind an observation, in lines: what the peer said and presented.
pub fn evidence(observation: &Observation) -> Vec<String> {
    let mut lines = Vec::new();
    let headers = |lines: &mut Vec<String>, headers: &[(String, String)]| {
        lines.extend(headers.iter().map(|(name, value)| format!("< {name}: {value}")));
    };
    match &observation.outcome {
        Outcome::Proxy { answer: ProxyAnswer::Status { code, reason, headers: told, body, .. }, .. } => {
            lines.push(format!("< {code} {reason}"));
            headers(&mut lines, told);
            lines.extend((!body.is_empty()).then(|| format!("< {body}")));
        }
        Outcome::Http { answer: HttpAnswer::Response { status, headers: told, body, .. }, .. } => {
            lines.push(format!("< {status}"));
            headers(&mut lines, told);
            lines.extend((!body.is_empty()).then(|| format!("< {body}")));
        }
        Outcome::Soap { answer: SoapAnswer::Fault { code, message }, .. } => {
            lines.push(format!("< fault {code}: {message}"));
        }
        Outcome::Handshake { verifier, .. } if !verifier.is_empty() => {
            lines.push(format!("the TLS library's verifier: {verifier}"));
        }
        Outcome::Chain(chain) => lines.extend(chain_lines(chain)),
        _ => {}
    }
    let mut lines: Vec<String> = lines.iter().map(|line| clean(line)).collect();
    // A head that was read has been shown.
    let shown = matches!(
        observation.outcome,
        Outcome::Proxy { answer: ProxyAnswer::Status { .. }, .. }
            | Outcome::Http { answer: HttpAnswer::Response { .. }, .. }
    );
    if !shown {
        lines.extend(raw(observation));
    }
    lines
}

/// Which TLS library made a session, where the report says so.
pub fn library(observation: &Observation) -> Option<String> {
    match &observation.outcome {
        Outcome::Handshake { library, .. } if !library.is_empty() => {
            Some(clean(&format!("the TLS library: {library}")))
        }
        _ => None,
    }
}

/// The peer's first bytes, where they were kept.
pub fn raw(observation: &Observation) -> Option<String> {
    observation.raw.as_ref().filter(|raw| !raw.is_empty()).map(|raw| clean(&format!("first bytes: {raw}")))
}

fn chain_lines(chain: &ChainSeen) -> Vec<String> {
    let one = |certificate: &CertificateSeen| {
        format!(
            "{}, issued by {}, {} to {}",
            certificate.subject,
            if certificate.self_issued { "itself" } else { &certificate.issuer },
            day(&certificate.not_before),
            day(&certificate.not_after)
        )
    };
    let mut lines: Vec<String> =
        chain.sent.iter().enumerate().map(|(n, c)| format!("sent {}: {}", n + 1, one(c))).collect();
    if let Some(leaf) = chain.sent.first() {
        let names = if leaf.names.is_empty() { "none".to_string() } else { leaf.names.join(", ") };
        lines.push(format!("its names: {names}"));
    }
    for certificate in &chain.way {
        match certificate.from {
            CertificateFrom::Sent => {}
            CertificateFrom::Store => lines.push(format!("from the store: {}", one(certificate))),
            CertificateFrom::Fetched => lines.push(format!("fetched: {}", one(certificate))),
        }
    }
    if let ChainEnd::Missing { issuer, fetch } = &chain.end {
        lines.push(format!("missing: {issuer} ({})", fetched(fetch)));
    }
    match chain.genuine {
        Some(true) => lines.push("ends in an anchor of this host".into()),
        Some(false) => lines.push("does not end in any anchor of this host".into()),
        None => {}
    }
    if let Some(verdict) = &chain.platform {
        let says = if verdict.good {
            "accepts it".into()
        } else {
            format!("refuses it: {}", verdict.why.join(", "))
        };
        let role = if verdict.authoritative { "which decides" } else { "and the settings decide" };
        lines.push(format!("Windows {says} ({role})"));
    }
    lines.push(format!("judged as of {}", chain.clock));
    lines
}

fn fetched(fetch: &Fetch) -> String {
    match fetch {
        Fetch::NotNeeded => "nothing to fetch".into(),
        Fetch::NoUrl => "the certificate names no address to fetch it from".into(),
        Fetch::Served { url } => format!("served by {url}"),
        Fetch::Failed { url, why } => format!("{url} does not serve it: {why}"),
        Fetch::NotAsked => "not asked for".into(),
    }
}

/// A path in a line: where it leads, through what. The services' own paths are left out: the role says them.
pub fn path(path: &PathInfo) -> String {
    let through = path.proxy.as_ref().map(|hop| format!("{hop} -> ")).unwrap_or_default();
    let asked = match path.role {
        PathRole::Url => path.target.path.as_str(),
        _ => "",
    };
    // The port is always said: which one it is is half of what goes wrong.
    let target = &path.target;
    clean(&format!("this machine -> {through}{}://{}{asked}", target.scheme.word(), target.subject()))
}

/// Ids in a few characters: `o1, o3-o7`.
pub fn ids(ids: &[String]) -> String {
    let number = |id: &str| id.get(1..).and_then(|digits| digits.parse::<u64>().ok());
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < ids.len() {
        let mut end = at;
        while end + 1 < ids.len()
            && ids[end + 1].get(..1) == ids[at].get(..1)
            && number(&ids[end + 1]).is_some_and(|next| number(&ids[end]).is_some_and(|now| next == now + 1))
        {
            end += 1;
        }
        match end - at {
            0 => parts.push(ids[at].clone()),
            1 => parts.extend([ids[at].clone(), ids[end].clone()]),
            _ => parts.push(format!("{}-{}", ids[at], ids[end])),
        }
        at = end + 1;
    }
    clean(&parts.join(", "))
}

/// What a path is for.
pub fn role(role: PathRole) -> &'static str {
    match role {
        PathRole::Source => "source",
        PathRole::Url => "as asked",
        PathRole::Client => "client service",
        PathRole::SelfUpdate => "SelfUpdate",
        PathRole::OtherPort => "other port",
        PathRole::Direct => "without the proxy",
        PathRole::WinHttp => "through WinHTTP's proxy",
        PathRole::Control => "another host, same proxy",
        PathRole::OtherProxy => "the other scheme's proxy",
        PathRole::Clock => "another clock",
        PathRole::Tls => "the server whose TLS is asked for",
        PathRole::Repair => "as the repair would set it",
    }
}

/// A duration in microseconds, as people read it.
pub fn took(us: u64) -> String {
    match us {
        0..1_000 => "<1 ms".into(),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}
