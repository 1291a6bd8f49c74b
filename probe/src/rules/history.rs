//! What happened before, and what text alone leaves open.

mod others;
mod outage;
mod recovered;
mod schedule;

use super::tls::in_clear;
use super::{Given, Seen, note, place, record};
use crate::codes;
use crate::diagnosis::{Confidence, Role, Severity};
use crate::evidence::NameAnswer;
use crate::facts::servers::Other;
use crate::facts::{
    ElsewherePart, Fact, LastRun, LoggedFailure, Order, Phase, RunView, Statement, Times,
    fails_synchronization, synchronizes,
};
use crate::rules::With;

pub(crate) use outage::conclude;
pub(crate) use recovered::{AfterRepair, after_repair, settle as recovered_settles};
pub(crate) use schedule::something_arrived;

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &[
    "log-failure",
    "log-sync",
    "client-log",
    "console",
    "elsewhere",
    "config-unavailable",
    "port-test",
    "resolved",
    "config",
    "log",
    "event",
    "change",
    "clock-jump",
    "subscription",
    "sync-run",
];

pub(super) fn give(seen: &Seen, given: &mut Given) {
    client_logs(seen, given);
    console(seen, given);
    others::give(seen, given);
    elsewhere(seen, given);
    match seen.evidence.settings.since {
        Some(since) => recovered::give(seen, since, given),
        None => {
            failing(seen, given);
            schedule::give(seen, given);
        }
    }
    unavailable(seen, given);
    port_tests(seen, given);
    look_ups(seen, given);
}

fn client_logs(seen: &Seen, given: &mut Given) {
    for fact in seen.facts.all() {
        let Statement::ClientLog { log } = &fact.statement else { continue };
        let says = format!(
            "{} is a log of the Windows Update client ({log}): it says nothing of the server's synchronization.",
            fact.source.file
        );
        given.add(
            note("history/client-log", &fact.source.file, says, vec![fact.id.clone()])
                .severity(Severity::Info),
        );
        given.open(
            "What does the server's own log say?",
            format!("{} is a client's.", fact.source.file),
            "hand over %ProgramFiles%\\Update Services\\LogFiles\\SoftwareDistribution.log of the WSUS server",
            vec![fact.id.clone()],
        );
    }
}

fn console(seen: &Seen, given: &mut Given) {
    for fact in seen.facts.all() {
        let Statement::Console { excerpt } = &fact.statement else { continue };
        let shown: String = excerpt.chars().take(100).collect();
        let says = format!(
            "{} holds a message of the console or the remote API (\"{shown}\"): it fits many failures and none of \
             synchronization in particular.",
            fact.source.file
        );
        given.add(
            note("history/console-only", &fact.source.file, says, vec![fact.id.clone()])
                .severity(Severity::Info),
        );
        given.open(
            "What lies behind the console's message?",
            format!("{} does not say whether synchronization fails at all.", fact.source.file),
            &format!(
                "hand over SoftwareDistribution.log of the same time; on the WSUS server, {}",
                of_the_api(excerpt)
            ),
            vec![fact.id.clone()],
        );
    }
}

/// What tells why the server's API answered the console as it did, by the HTTP status in its message.
fn of_the_api(message: &str) -> &'static str {
    let status = message.split_once("HTTP status ").and_then(|(_, rest)| rest.get(..3)).unwrap_or_default();
    match status {
        "400" | "403" => {
            "Get-WsusServer -Name localhost -PortNumber 8531 -UseSsl, and the same with -PortNumber 8530 and without \
             -UseSsl, tell whether it was asked on the port and in the way that its site in IIS wants"
        }
        "401" => {
            "whoami /groups tells whether whoever asked is among WSUS Administrators or WSUS Reporters, and the IIS log of the \
             same time its substatus"
        }
        _ => "Get-WebAppPoolState WsusPool and Get-Service WsusService, W3SVC tell whether its services run",
    }
}

fn elsewhere(seen: &Seen, given: &mut Given) {
    for fact in seen.facts.all() {
        let Statement::Elsewhere { part, excerpt } = &fact.statement else { continue };
        // Another part says nothing of it where the server's own record does.
        let told = matches!(seen.facts.last_run(), LastRun::One(_));
        if told && !matches!(part, ElsewherePart::ServiceStart | ElsewherePart::Database) {
            continue;
        }
        // A lost database is a finding of its own.
        if *part == ElsewherePart::Database && given.findings.iter().any(|f| f.because.contains(&fact.id)) {
            continue;
        }
        // A run that succeeded since is the answer.
        if seen.succeeded_after(fact) {
            continue;
        }
        // What the failure is stands beside it, and is asked about there.
        if *part == ElsewherePart::Content && content_failed(seen, &fact.source.file) {
            continue;
        }
        let (what, test) = match part {
            ElsewherePart::ConfigurationManager => (
                "Configuration Manager's own database or synchronization, and not of WSUS",
                "hand over SoftwareDistribution.log of the WSUS server",
            ),
            ElsewherePart::Iis => (
                "IIS or HTTP.sys on this server: it shows what others met here, not what this server met upstream",
                "look whether WsusPool runs: Get-WebAppPoolState WsusPool",
            ),
            ElsewherePart::Import => (
                "an import of update metadata",
                "compare the package's size and hash with the copy on the export server, and import again",
            ),
            ElsewherePart::ServiceStart => (
                "the service's own start: it never came to synchronizing",
                "look for the events of source Windows Server Update Services at the service's start, and whether the \
                 post-installation ran after the last update",
            ),
            ElsewherePart::Content => (
                "update files: they are fetched apart from metadata",
                "look for event 364 and at the content folder's permissions",
            ),
            ElsewherePart::Database => {
                ("the database", "look whether its service runs: Get-Service 'MSSQL*'")
            }
            ElsewherePart::ClientScan => {
                ("a client's scan", "hand over SoftwareDistribution.log of the WSUS server")
            }
        };
        let shown: String = excerpt.chars().take(100).collect();
        given.open(
            "Does synchronization itself fail?",
            format!("{} speaks of {what} (\"{shown}\").", fact.source.file),
            test,
            vec![fact.id.clone()],
        );
    }
}

/// Whether a file tells how update files failed.
fn content_failed(seen: &Seen, file: &str) -> bool {
    seen.facts.failures().iter().any(|one| one.phase == Some(Phase::Content) && one.fact.source.file == file)
}

/// Whether the service is on record as not having started, and no later synchronization succeeded: a path that works
/// makes no such server healthy.
pub(crate) fn never_started(seen: &Seen) -> bool {
    let part = |fact: &Fact| {
        matches!(fact.statement, Statement::Elsewhere { part: ElsewherePart::ServiceStart, .. })
    };
    seen.facts.all().iter().any(|fact| part(fact) && !seen.succeeded_after(fact))
}

/// A failure's class in words.
pub(super) fn word(failure: &LoggedFailure) -> String {
    match failure {
        LoggedFailure::NameNotResolved { host } if host.is_empty() => "a name that did not resolve".into(),
        LoggedFailure::NameNotResolved { host } => format!("a name that did not resolve ({host})"),
        LoggedFailure::ProxyNotResolved { .. } => "a proxy's name that did not resolve".into(),
        LoggedFailure::ConnectTimeout => "a connection that was not answered".into(),
        LoggedFailure::ConnectRefused => "a connection that was refused".into(),
        LoggedFailure::ConnectFailed => "a connection that could not be made".into(),
        LoggedFailure::ConnectionBroken => "a connection that was broken off".into(),
        LoggedFailure::NoCommonAlgorithm => "no common algorithm".into(),
        LoggedFailure::SecureChannel => "a secure channel that could not be made".into(),
        LoggedFailure::NotTrusted => "no trust relationship for the secure channel".into(),
        LoggedFailure::RootCheck => "the service's own check for a Microsoft root (800B0109)".into(),
        LoggedFailure::HttpStatus { code } => format!("HTTP status {code}"),
        LoggedFailure::SoapFault { code } if code.is_empty() => "a SOAP fault".into(),
        LoggedFailure::SoapFault { code } => format!("the SOAP fault {code}"),
        LoggedFailure::ContentType { content_type } => format!("an answer of type {content_type}"),
        LoggedFailure::Timeout => "an operation that took too long".into(),
        LoggedFailure::Code { code } => match codes::hresult(code).and_then(codes::short) {
            Some((symbol, meaning)) => format!("code {code} ({symbol}: {})", meaning.trim_end_matches('.')),
            None => format!("code {code}"),
        },
    }
}

pub(super) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::FirstContact => "the first contact (GetAuthConfig)",
        Phase::Authenticate => "authorization",
        Phase::Configuration => "categories and classifications",
        Phase::Metadata => "the updates' metadata",
        Phase::Content => "update files",
        Phase::Import => "a manual import",
    }
}

/// When a fact held, as its source says it.
pub(super) fn when(fact: &Fact) -> String {
    match (fact.time, &fact.zone) {
        (Some(at), Some(_)) => format!(" at {at}"),
        (Some(at), None) => {
            format!(" at {} (local time of a zone that is not told)", at.strftime("%Y-%m-%d %H:%M:%S"))
        }
        (None, _) => String::new(),
    }
}

/// A success and a failure whose order does not show, in words.
fn which_came_last(good: &RunView, bad: &RunView) -> String {
    format!(
        "{} tells of a success{} and {} of a failure{}: which came last does not show.",
        good.fact.source.file,
        when(good.fact),
        bad.fact.source.file,
        when(bad.fact)
    )
}

fn failing(seen: &Seen, given: &mut Given) {
    match seen.facts.last_run() {
        LastRun::One(run) if !run.succeeded => failed(seen, &run, given),
        LastRun::Unsure(good, bad) => given.open(
            "Did the last synchronization succeed or fail?",
            which_came_last(&good, &bad),
            "hand over SoftwareDistribution.log, whose times are in UTC, or the zone of this server: Get-TimeZone",
            vec![good.fact.id.clone(), bad.fact.id.clone()],
        ),
        _ => told_without_an_event(seen, given),
    }
}

/// The last run of another server than the one that is judged, where it failed: its files alone tell of it. It warns only
/// where that may be the one that is judged.
pub(crate) fn failing_elsewhere(server: &Other, seen: &Seen, given: &mut Given) {
    let mut own = Given::default();
    failing(seen, &mut own);
    for mut found in own.findings {
        found.says = format!("Of {}: {}", server.name, found.says);
        if !server.may_be_judged {
            found.severity = Severity::Info;
        }
        given.add(found);
    }
}

/// The failure that a run's file tells of last before its end: a success after it, an import, or lines in no order tie it
/// to no run.
fn failure_of<'a>(
    seen: &Seen<'a>,
    run: &RunView,
) -> Option<(&'a Fact, &'a LoggedFailure, &'a Option<Phase>)> {
    let times = Times::new(seen.facts.all());
    // An event's own text stands below its head, at its time.
    let later = |fact: &Fact| {
        let at_once = fact.time.is_some() && fact.time == run.fact.time;
        !at_once && times.order(fact, run.fact) == Order::After
    };
    let of_run = seen.facts.all().iter().filter_map(|fact| match &fact.statement {
        Statement::LogFailure { failure, phase, process, .. }
            if fact.source.file == run.fact.source.file
                && fails_synchronization(process, *phase)
                && !later(fact)
                && !seen.succeeded_after(fact) =>
        {
            Some((fact, failure, phase))
        }
        _ => None,
    });
    let all: Vec<_> = of_run.collect();
    let last = all
        .iter()
        .rev()
        .copied()
        .reduce(|one, other| if times.order(one.0, other.0) == Order::Before { other } else { one })?;
    let sure = all.iter().all(|one| one.0.id == last.0.id || times.order(one.0, last.0) == Order::Before);
    sure.then_some(last)
}

fn failed(seen: &Seen, run: &RunView, given: &mut Given) {
    let fact = run.fact;
    let failure = failure_of(seen, run);
    let mut because = vec![fact.id.clone()];
    let mut says = format!("The last synchronization on record failed{}", when(fact));
    if !run.error.is_empty() {
        says.push_str(&format!(" ({})", run.error));
    }
    if let Some((failure_fact, failure, phase)) = failure {
        because.push(failure_fact.id.clone());
        says.push_str(&format!(" by {}", word(failure)));
        if let Some(phase) = phase {
            says.push_str(&format!(", at {}", phase_word(*phase)));
        }
    } else if !run.text.is_empty() {
        says.push_str(&format!(": {}", run.text));
    }
    says.push('.');
    given.add(note("history/failing", &fact.source.file, says, because).role(Role::Note));
}

/// A failure's text alone: that a run failed stands there, whether it was the last one does not.
fn told_without_an_event(seen: &Seen, given: &mut Given) {
    let told = seen.facts.all().iter().rev().find_map(|fact| match &fact.statement {
        // A code that nobody logged may be a client's.
        Statement::LogFailure { failure: LoggedFailure::Code { .. }, process, .. } if process.is_empty() => {
            None
        }
        Statement::LogFailure { failure, process, phase, .. }
            if fails_synchronization(process, *phase) && !seen.succeeded_after(fact) =>
        {
            Some((fact, failure, phase))
        }
        _ => None,
    });
    let Some((fact, failure, phase)) = told else {
        return health(seen, given);
    };
    let at = phase.map(|phase| format!(", at {}", phase_word(phase))).unwrap_or_default();
    let says = format!(
        "{} tells of a synchronization that failed by {}{at}; whether a later one succeeded does not show.",
        fact.source.file,
        word(failure)
    );
    given.add(note("history/failing", &fact.source.file, says, vec![fact.id.clone()]).likely());
}

/// What the server's own check of its health, or its watch over a run, says where no run is on record.
fn health(seen: &Seen, given: &mut Given) {
    // That check answers its own word, and no run that was given up.
    let checked = |fact: &Fact, event: u32| event == 10022 && seen.facts.found_well_after(fact);
    let mut red = seen
        .facts
        .events(&[10022, 425])
        .filter(|(fact, event)| !(seen.succeeded_after(fact) || checked(fact, *event)));
    if let Some((fact, event)) = red.next() {
        let what = match event {
            425 => "a synchronization did not answer in time and was given up",
            _ => "the server's own check found its last synchronization failed",
        };
        let says = format!("{} holds event {event}{}: {what}.", fact.source.file, when(fact));
        given.add(note("history/failing", &fact.source.file, says, vec![fact.id.clone()]).likely());
    }
}

/// What several causes share stays a question, with the test that would tell them apart, unless a cause was found
/// that writes such a text.
pub(crate) fn open_questions(seen: &Seen, given: &mut Given) {
    let stored = seen.facts.flag("HasProxyPassword").map(|(_, stored)| stored);
    let uses_proxy = seen.facts.flag("UseProxy").map(|(_, uses)| uses);
    let in_clear = in_clear(seen);
    for fact in seen.facts.all() {
        let Statement::LogFailure { failure, process, phase, count, .. } = &fact.statement else {
            continue;
        };
        let answered = given.findings.iter().any(|f| {
            f.role == Role::Cause
                && f.confidence != Confidence::Possible
                && record::explains(f, failure, *phase)
        });
        let told = |other: &Fact| {
            other.source.file == fact.source.file
                && matches!(&other.statement, Statement::LogFailure { failure: LoggedFailure::SoapFault { code }, .. }
                    if !code.is_empty())
        };
        // An event repeats the fault whose code the stack has told.
        let repeats = matches!(failure, LoggedFailure::SoapFault { code } if code.is_empty())
            && seen.facts.all().iter().any(told);
        if answered || repeats {
            continue;
        }
        let where_ = if process.is_empty() { String::new() } else { format!(", logged by {process}") };
        let times = if *count > 1 { format!(" ({count} times)") } else { String::new() };
        let said = format!("{} names {}{where_}{times}", fact.source.file, word(failure));
        if *phase == Some(Phase::Content) {
            given.open(
                "Do update files arrive?",
                format!(
                    "{said}, at update files: they are fetched apart from metadata, and synchronization succeeds without them."
                ),
                "look at the reason and the URL in event 364, and fetch that URL from this server by BITS, through the same proxy",
                vec![fact.id.clone()],
            );
            continue;
        }
        let (question, why, test) = match failure {
            LoggedFailure::ConnectionBroken if in_clear => (
                "Who broke the connection off?",
                "the source is spoken to in clear, so that no TLS is in question: a device or a proxy between, and a pool that \
                 stops at the other end, write this text",
                "wsusprobe check of the source from this server; the httperr log of the source's server at the same time",
            ),
            LoggedFailure::ConnectionBroken
            | LoggedFailure::NoCommonAlgorithm
            | LoggedFailure::SecureChannel => (
                "Why was the TLS connection broken off?",
                "TLS 1.0 of the import path, a missing update on Windows Server 2012 or 2012 R2, a cipher policy, a proxy and \
                 a port without TLS all write this text",
                "wsusprobe check of the source from this server; the SCHANNEL lines that the log writes after Restart-Service \
                 WsusService and iisreset; which process logged it (w3wp: import or console; WsusService: synchronization); \
                 and gpresult /scope computer /h for SSL Cipher Suite Order",
            ),
            LoggedFailure::NotTrusted | LoggedFailure::RootCheck => (
                "Which certificate is not trusted, and why?",
                "a root, an intermediate, a name, a date and a re-signing proxy all write this text",
                "wsusprobe check of the source from this server: the chain on the wire tells",
            ),
            LoggedFailure::NameNotResolved { .. } | LoggedFailure::ProxyNotResolved { .. } => (
                "Why did the name not resolve?",
                "the text does not tell a wrong name from a name server that fails, nor this server from its proxy",
                "wsusprobe check of the source with --dns set to this server's name server",
            ),
            LoggedFailure::ConnectTimeout | LoggedFailure::Timeout | LoggedFailure::ConnectFailed => (
                "Where was the connection lost?",
                "a firewall, a missing proxy setting and a dead endpoint all write this text",
                "wsusprobe check of the source from this server, with --proxy as WSUS is configured",
            ),
            LoggedFailure::ConnectRefused => (
                "Who refused the connection?",
                "a stopped service, a wrong port and a rejecting firewall all write this text",
                "wsusprobe check of the source from this server",
            ),
            LoggedFailure::HttpStatus { code: 407 } if uses_proxy == Some(false) => (
                "Which proxy asked for credentials?",
                "407 comes from a proxy and never from WSUS or IIS, and WSUS is set to use none (UseProxy = False): one on the \
                     way asks unbidden, or the setting is newer than the log",
                "wsusprobe check of the source from this server, with --proxy none and with the site's proxy",
            ),
            LoggedFailure::HttpStatus { code: 407 } if stored == Some(false) => (
                "Which credentials does the proxy want?",
                "407 comes from a proxy and never from WSUS or IIS, and WSUS has no password stored for it",
                "wsusprobe check of the source with --proxy: what it offers tells which kind; whether it lets this server pass \
                 without a logon is the proxy's setting",
            ),
            LoggedFailure::HttpStatus { code: 407 } if uses_proxy.is_some() => (
                "Which credentials does the proxy want?",
                "407 comes from a proxy and never from WSUS or IIS; whether it takes those that WSUS has stored, and of that kind, \
                 does not show",
                "wsusprobe on this server, with --proxy-user and the user that WSUS has stored; and this server's requests in \
                 the proxy's log",
            ),
            LoggedFailure::HttpStatus { code: 407 } => (
                "Which credentials does the proxy want?",
                "407 comes from a proxy and never from WSUS or IIS; whether WSUS has credentials for it, and of the kind \
                 that the proxy takes, does not show",
                "hand over the configuration (UseProxy, AnonymousProxyAccess, HasProxyPassword), or wsusprobe check of the \
                 source with --proxy",
            ),
            LoggedFailure::HttpStatus { .. } | LoggedFailure::ContentType { .. } => (
                "Who gave this HTTP answer?",
                "the text does not say whether the proxy, HTTP.sys, IIS or WSUS gave it",
                "wsusprobe check of the source: the Server header tells",
            ),
            LoggedFailure::SoapFault { code } => {
                let source = seen.facts.flag("SyncFromMicrosoftUpdate");
                let (why, test) = soap_fault(code).unwrap_or((
                    "an old endpoint and a failing upstream both answer with one",
                    if source.is_some() {
                        "start a synchronization and hand over the log again; where an upstream answers with the fault, its own \
                         SoftwareDistribution.log of the same time"
                    } else {
                        "hand over the configuration (MUUrl, UpstreamWsusServerName), and the upstream's own \
                         SoftwareDistribution.log"
                    },
                ));
                ("What lies behind the SOAP fault?", why, test)
            }
            LoggedFailure::Code { .. } => (
                "What does this code stand for here?",
                "a code alone does not say on which connection it came",
                "hand over SoftwareDistribution.log of the same time",
            ),
        };
        // The service's own success says nothing of the import's way.
        let since = if synchronizes(process) && seen.succeeded_after(fact) {
            " A synchronization has succeeded since."
        } else {
            ""
        };
        given.open(question, format!("{said}: {why}.{since}"), test, vec![fact.id.clone()]);
    }
}

/// What a fault's own code says, where it says more than that there was one, and what would tell (MS-WSUSSS 2.2.6: ErrorCode;
/// Microsoft: Plan your WSUS deployment, for the order of versions).
fn soap_fault(code: &str) -> Option<(&'static str, &'static str)> {
    let told = match code {
        "IncompatibleProtocolVersion" => (
            "the source does not speak this server's version of the protocol: an upstream must not be older than what \
             synchronizes from it",
            "compare (Get-WsusServer).Version on this server and on its upstream",
        ),
        "ServerBusy" => (
            "the source has too much to do, and the run ended there; the next one asks again",
            "look whether the next runs fail as well; on an upstream, the load and the queue of its WsusPool",
        ),
        "InvalidCookie" | "InvalidAuthorizationCookie" => (
            "the source does not know the cookie that it had given out: an upstream that was restored or set up anew, or \
             several behind one name. The next run asks for a new one",
            "start a synchronization, and hand over the log again if it ends so once more",
        ),
        "ServerChanged" => (
            "the source is another one than before: an upstream that was set up anew, or whose database was replaced. The next \
             run begins from the start",
            "start a synchronization, and hand over the log again if it ends so once more",
        ),
        "InternalServerError" => (
            "the source failed inside, at its database or its metadata; an endpoint that was switched off has answered so too",
            "the configuration (MUUrl, UpstreamWsusServerName); on an upstream, its own SoftwareDistribution.log of the same time",
        ),
        _ => return None,
    };
    Some(told)
}

fn unavailable(seen: &Seen, given: &mut Given) {
    for fact in seen.facts.all() {
        if let Statement::ConfigUnavailable { why } = &fact.statement {
            given.open(
                "How is synchronization configured?",
                format!("{} holds an error in place of the configuration: \"{why}\".", fact.source.file),
                "run it on the WSUS server itself, in Windows PowerShell as administrator; without the UpdateServices module \
                 that machine is no WSUS server or lacks its tools",
                vec![fact.id.clone()],
            );
        }
    }
}

/// `Resolve-DnsName` that found nothing, where no walk of ours tells more.
fn look_ups(seen: &Seen, given: &mut Given) {
    let by_proxy = seen.facts.flag("UseProxy").is_some_and(|(_, uses)| uses);
    for fact in seen.facts.all() {
        let Statement::Resolved { name, answer } = &fact.statement else { continue };
        let host = name.trim_end_matches('.');
        let walked =
            seen.paths.iter().any(|path| path.walked() && path.info.target.host.eq_ignore_ascii_case(host));
        if walked || matches!(answer, NameAnswer::Addresses { .. }) {
            continue;
        }
        if by_proxy {
            given.open(
                "What does Resolve-DnsName prove here?",
                format!("It finds no address of {host}; behind an explicit proxy the proxy resolves it: that proves nothing."),
                "look for the server's CONNECT, and what became of the name, in the proxy's log",
                vec![fact.id.clone()],
            );
        } else {
            given.open(
                "Why does the name not resolve?",
                format!(
                    "Resolve-DnsName finds no address of {host}; a wrong name, a name server that fails and a site where only \
                     the proxy resolves the outside all look so."
                ),
                &format!("wsusprobe check https://{host} --until name, on this server"),
                vec![fact.id.clone()],
            );
        }
    }
}

fn port_tests(seen: &Seen, given: &mut Given) {
    let by_proxy = seen.facts.flag("UseProxy").is_some_and(|(_, uses)| uses);
    let tests: Vec<&Fact> =
        seen.facts.all().iter().filter(|f| matches!(f.statement, Statement::PortTest { .. })).collect();
    for fact in tests {
        let Statement::PortTest { host, port, connected } = &fact.statement else { continue };
        let result = if *connected { "connects" } else { "does not connect" };
        if by_proxy {
            given.open(
                "What does Test-NetConnection prove here?",
                format!(
                    "To {host}:{port} it {result}, directly; synchronization goes through its proxy: that proves neither a \
                     firewall problem nor a working path."
                ),
                "look for the server's CONNECT in the proxy's log",
                vec![fact.id.clone()],
            );
        } else if !connected {
            given.open(
                "Why does Test-NetConnection fail?",
                format!(
                    "To {host}:{port} it {result}; name, route, firewall and a stopped listener all look so."
                ),
                &format!("wsusprobe check of {} from this server", place::list(&[format!("{host}:{port}")])),
                vec![fact.id.clone()],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{failure, healthy, utc};
    use super::*;
    use crate::diagnosis::judge;

    #[test]
    fn a_logged_code_is_named_where_it_is_known() {
        let says = |code: &str| word(&LoggedFailure::Code { code: code.into() });
        let known = says("0x8024402C");
        assert!(known.starts_with("code 0x8024402C (WU_E_PT_WINHTTP_NAME_NOT_RESOLVED: "), "{known}");
        assert!(known.ends_with(')') && !known.contains(".)"), "{known}");
        assert_eq!(says("0x80249999"), "code 0x80249999");
        assert_eq!(says("0x80072F90"), "code 0x80072F90", "from memory");
    }

    #[test]
    fn the_status_in_a_console_s_message_chooses_what_would_tell() {
        for (status, names) in [
            ("400: Bad Request", "-UseSsl"),
            ("401: Unauthorized", "WSUS Reporters"),
            ("503: Service Unavailable", "WsusPool"),
        ] {
            let mut evidence = healthy();
            let excerpt = format!("Get-WsusServer : The request failed with HTTP status {status}.");
            let told = utc(&mut evidence, "console.txt", "", Statement::Console { excerpt });
            let diagnosis = judge(&evidence);
            let open =
                diagnosis.unknown.iter().find(|open| open.because.contains(&told)).expect("a question");
            assert!(open.would_decide.contains(names), "{status}: {}", open.would_decide);
        }
    }

    #[test]
    fn a_fault_s_code_and_the_configuration_choose_what_would_tell() {
        let asked = |evidence: &crate::evidence::Evidence, fact: &String| {
            let diagnosis = judge(evidence);
            let open = diagnosis.unknown.iter().find(|open| open.because.contains(fact)).expect("a question");
            format!("{} {}", open.says, open.would_decide)
        };
        for (code, names) in [
            ("IncompatibleProtocolVersion", "(Get-WsusServer).Version"),
            ("ServerBusy", "WsusPool"),
            ("ServerChanged", "set up anew"),
            ("SomethingElse", "an old endpoint and a failing upstream"),
        ] {
            let mut evidence = healthy();
            let fault = LoggedFailure::SoapFault { code: code.into() };
            let fact = utc(&mut evidence, "log", "2026-06-15T01:00:00Z", failure("WsusService", fault));
            assert!(asked(&evidence, &fact).contains(names), "{code}: {}", asked(&evidence, &fact));
        }
        // A 407 where no proxy is set is another proxy's.
        let mut evidence = healthy();
        evidence.observations.clear();
        let told = failure("WsusService", LoggedFailure::HttpStatus { code: 407 });
        let fact = utc(&mut evidence, "log", "2026-06-15T01:00:00Z", told);
        assert!(asked(&evidence, &fact).contains("UseProxy = False"), "{}", asked(&evidence, &fact));
    }
}
