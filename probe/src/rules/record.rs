//! How far the last run on record came, and which causes could have ended it there. It weighs what was not walked, as a walk
//! would.

use jiff::{SignedDuration, Timestamp};

use super::history::{phase_word, when, word};
use super::{Seen, With};
use crate::diagnosis::{Finding, Role, Severity};
use crate::evidence::Layer;
use crate::facts::{
    Fact, FailureView, LastRun, LoggedFailure, Order, Phase, Statement, SyncEvent, Times,
    fails_synchronization,
};

/// What is older than this says little of today: a server synchronizes every month at least.
const OLD: SignedDuration = SignedDuration::from_hours(35 * 24);
/// No run lasts so long after it met a failure.
const RUN: SignedDuration = SignedDuration::from_hours(3);
/// A log, an event and the history tell of one end within that.
const TOLD_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// The most failures that are looked at, with a time and without one.
const MOST: usize = 64;

/// What the record tells of the last run.
enum Last<'a> {
    /// Nothing, or not by what it failed.
    Untold,
    /// It failed after every failure on record, and by what does not show.
    Unseen(&'a Fact),
    /// It succeeded.
    Succeeded(&'a Fact),
    /// It failed by these, the last one first.
    Failed(Vec<FailureView<'a>>),
    /// One failed, and whether this success came later does not show.
    Unsure(&'a Fact),
}

impl<'a> Last<'a> {
    /// What is told of the time after `since`.
    fn of(seen: &Seen<'a>, since: Option<Timestamp>) -> Self {
        let times = Times::new(seen.facts.all());
        let told = |fact: &Fact| since.is_none_or(|since| times.against(fact, since) != Order::Before);
        let mut failures = seen.facts.failures();
        failures.retain(|one| fails_synchronization(one.process, one.phase));
        keep_latest(&mut failures);
        failures.retain(|one| !seen.succeeded_after(one.fact));
        // A code alone does not say on which connection it came.
        let (codes, all): (Vec<FailureView>, Vec<FailureView>) =
            failures.into_iter().partition(|one| matches!(one.failure, LoggedFailure::Code { .. }));
        let is_last =
            |one: &FailureView| !all.iter().any(|other| times.order(one.fact, other.fact) == Order::Before);
        let last: Vec<FailureView> = all.iter().rev().filter(|one| is_last(one)).copied().collect();
        if last.is_empty() {
            return match seen.facts.last_run() {
                LastRun::One(run) if run.succeeded && told(run.fact) => Last::Succeeded(run.fact),
                LastRun::Unsure(good, _) if told(good.fact) => Last::Unsure(good.fact),
                _ => Last::Untold,
            };
        }
        let later = seen
            .facts
            .runs()
            .filter(|run| run.succeeded && told(run.fact))
            .find(|run| last.iter().any(|one| times.order(one.fact, run.fact) == Order::Unsure));
        if let Some(run) = later {
            return Last::Unsure(run.fact);
        }
        let apart = |one: &Fact, other: &Fact, by: SignedDuration| {
            one.time.zip(other.time).is_some_and(|(one, other)| other.duration_since(one) > by)
        };
        let unseen = |failure: &Fact, end: &Fact| {
            times.order(failure, end) == Order::Before && apart(failure, end, RUN)
        };
        let logged = codes.iter().filter(|one| !one.process.is_empty()).map(|one| one.fact);
        let mut ends = seen.facts.runs().map(|run| run.fact).chain(logged);
        if let Some(end) = ends.find(|end| last.iter().all(|one| unseen(one.fact, end))) {
            return Last::Unseen(end);
        }
        let steps: Vec<&Fact> = seen
            .facts
            .all()
            .iter()
            .filter(|fact| matches!(fact.statement, Statement::LogSync { .. } | Statement::SyncRun { .. }))
            .collect();
        // The text of a run's end stands at the end itself.
        let at_once = |one: &Fact, other: &Fact| one.source == other.source && one.time == other.time;
        let starts =
            |step: &Fact| matches!(step.statement, Statement::LogSync { event: SyncEvent::Started, .. });
        let between = |one: &Fact, other: &Fact| {
            steps.iter().any(|step| {
                (at_once(one, step) || times.order(one, step) == Order::Before)
                    && times.order(step, other) == Order::Before
                    && (starts(step) || apart(step, other, TOLD_AGAIN))
            })
        };
        let earlier = all.iter().rev().filter(|one| {
            !is_last(one)
                && last.iter().any(|last| {
                    times.order(one.fact, last.fact) == Order::Before && !between(one.fact, last.fact)
                })
        });
        let mut of_run: Vec<FailureView> = last.iter().chain(earlier).copied().collect();
        // An event repeats a text, and not how far the run had come.
        let phased: Vec<&LoggedFailure> =
            of_run.iter().filter(|one| one.phase.is_some()).map(|one| one.failure).collect();
        of_run.retain(|one| one.phase.is_some() || !phased.contains(&one.failure));
        Last::Failed(of_run)
    }
}

/// Leaves the latest failures of many, and as many whose time is not told: each is compared with each.
fn keep_latest(failures: &mut Vec<FailureView>) {
    let mut times: Vec<Timestamp> = failures.iter().filter_map(|one| one.fact.time).collect();
    times.sort_unstable();
    let earliest = times.len().checked_sub(MOST).map(|at| times[at]);
    let (mut told, mut untold) = (0, 0);
    failures.retain(|one| {
        let count = match one.fact.time {
            Some(time) if earliest.is_some_and(|earliest| time < earliest) => return false,
            Some(_) => &mut told,
            None => &mut untold,
        };
        *count += 1;
        *count <= 2 * MOST
    });
}

/// A cause that was not walked, as the record has it: as it stands where the last run could have failed by it, or nothing is
/// told; possible where that failed otherwise, and where the cause rests on a failure that is old; a note where the last run
/// succeeded.
pub(super) fn weighed(seen: &Seen, found: Finding) -> Finding {
    weighed_since(seen, found, None)
}

/// The same for a cause that is one only since a moment.
pub(super) fn weighed_since(seen: &Seen, mut found: Finding, since: Option<Timestamp>) -> Finding {
    if found.role == Role::Note {
        return found;
    }
    let failures = seen.facts.failures();
    let rests = failures.iter().any(|one| found.because.contains(&one.fact.id));
    match Last::of(seen, since) {
        Last::Untold => found,
        Last::Unseen(_) if !rests => found,
        Last::Unseen(run) => {
            found.says.push_str(&format!(" A run failed{} since, and by what does not show.", when(run)));
            found.because.push(run.id.clone());
            found.possible()
        }
        Last::Succeeded(run) if is_old(seen, run) => found,
        Last::Succeeded(run) => {
            // What a log named after it is no matter of that success.
            match named(seen, &found).map(|fact| Times::new(seen.facts.all()).order(fact, run)) {
                Some(Order::After) => return found,
                Some(Order::Unsure) => return perhaps_before(found, run),
                Some(Order::Before) | None => {}
            }
            found.says.push_str(&format!(
                " The last synchronization on record succeeded{} nevertheless.",
                when(run)
            ));
            found.because.push(run.id.clone());
            let severity = found.severity.max(Severity::Warning);
            found.role(Role::Note).severity(severity)
        }
        Last::Unsure(run) if is_old(seen, run) && !rests => found,
        Last::Unsure(run) => perhaps_before(found, run),
        Last::Failed(failures) => {
            let last = &failures[0];
            if is_old(seen, last.fact) {
                if !rests {
                    return found;
                }
                found.says.push_str(&format!(
                    " The last run on record failed{}, which says little of today (--at TIME judges as of then).",
                    when(last.fact)
                ));
                return found.possible();
            }
            if failures.iter().any(|one| explains(&found, one.failure, one.phase)) {
                return found;
            }
            let at = last.phase.map(|phase| format!(", at {}", phase_word(phase))).unwrap_or_default();
            found.says.push_str(&format!(
                " The last run on record failed{} by {}{at}, which is none of its effects.",
                when(last.fact),
                word(last.failure)
            ));
            if !found.because.contains(&last.fact.id) {
                found.because.push(last.fact.id.clone());
            }
            found.possible()
        }
    }
}

/// The URL in a log that a finding rests on.
fn named<'a>(seen: &Seen<'a>, found: &Finding) -> Option<&'a Fact> {
    seen.facts.endpoints().into_iter().map(|(fact, _)| fact).find(|fact| found.because.contains(&fact.id))
}

/// A cause that a success may have followed.
fn perhaps_before(mut found: Finding, run: &Fact) -> Finding {
    found.says.push_str(&format!(
        " A synchronization succeeded{}, and whether that was later does not show.",
        when(run)
    ));
    found.because.push(run.id.clone());
    found.possible()
}

/// Whether a fact is so old that it says little of today.
fn is_old(seen: &Seen, fact: &Fact) -> bool {
    let before = seen.now().and_then(|now| now.checked_sub(OLD).ok());
    before.is_some_and(|before| Times::new(seen.facts.all()).against(fact, before) == Order::Before)
}

/// Whether a cause would have written a failure's text, and at that phase of a synchronization. A code alone is no text.
pub(super) fn explains(found: &Finding, failure: &LoggedFailure, phase: Option<Phase>) -> bool {
    use LoggedFailure as F;
    // Whoever came further has passed everything below the service already.
    let first = matches!(phase, None | Some(Phase::FirstContact));
    let name = matches!(failure, F::NameNotResolved { .. } | F::ProxyNotResolved { .. });
    let refused = matches!(failure, F::ConnectRefused);
    let silent = matches!(failure, F::ConnectTimeout | F::ConnectFailed | F::Timeout);
    let broken = matches!(failure, F::ConnectionBroken | F::NoCommonAlgorithm | F::SecureChannel);
    let untrusted = matches!(failure, F::NotTrusted | F::RootCheck);
    let demand = matches!(failure, F::HttpStatus { code: 407 });
    let status = !demand && matches!(failure, F::HttpStatus { .. } | F::ContentType { .. });
    let fault = matches!(failure, F::SoapFault { .. });
    match (found.layer(), found.id.as_str()) {
        (
            Layer::Config,
            "config/endpoint-decommissioned" | "config/endpoint-retiring" | "config/endpoint-unknown",
        ) => {
            matches!(failure, F::NameNotResolved { .. })
                || refused
                || silent
                || broken
                || untrusted
                || status
                || fault
        }
        (Layer::Config, "config/upstream-missing") => first && (name || refused || silent),
        (Layer::Config, "config/upstream-short-name") => first && matches!(failure, F::NotTrusted),
        (Layer::Config, "config/port-ssl-mismatch") => {
            first && (broken || matches!(failure, F::HttpStatus { code: 400 }))
        }
        (
            Layer::Config,
            "config/proxy-incomplete" | "config/ssl-proxy-incomplete" | "config/proxy-only-in-winhttp",
        ) => first && (name || refused || silent || broken),
        (Layer::Config, "config/proxy-credentials-missing") => demand,
        // What stands still on the upstream (W3SVC of HOST) is met from here; what does on this server writes none of these.
        (Layer::Config, "config/service-stopped") => {
            found.subject.contains(" of ")
                && (refused || matches!(failure, F::ConnectFailed | F::HttpStatus { code: 503 }))
        }
        (Layer::Config, _) => false,
        (Layer::Name, _) => name || silent,
        (Layer::Dial, _) => refused || silent,
        (Layer::Proxy, "proxy/name-not-found") => name,
        (Layer::Proxy, "proxy/unreachable") => refused || silent,
        (Layer::Proxy, "proxy/cannot-connect" | "proxy/cannot-resolve") => status || silent,
        (Layer::Proxy, "proxy/forbidden" | "proxy/port-denied") => status,
        (Layer::Proxy, "proxy/not-a-proxy") => status || broken || silent,
        (Layer::Proxy, "proxy/closed") => broken || silent,
        (Layer::Proxy, "proxy/inspection") => broken || untrusted,
        (Layer::Proxy, _) => demand,
        (Layer::Tls, "tls/sync-fix-missing" | "tls/client-tls12-disabled") => first && broken,
        (Layer::Tls, _) => broken || silent,
        (Layer::Trust, _) => untrusted,
        (Layer::Http, _) => status || silent,
        (Layer::Wsus, _) => broken || refused || silent || status || fault,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{add, failure, healthy, ids, sync, the, utc};
    use super::*;
    use crate::diagnosis::{Confidence, Diagnosis, Verdict, judge};
    use crate::evidence::Evidence;

    const NOW: &str = "2026-06-15T12:00:00Z";

    /// What was handed over and nothing walked: a configuration.
    fn configured(values: &[(&str, &str)]) -> Evidence {
        let mut evidence = healthy();
        evidence.paths.clear();
        evidence.observations.clear();
        evidence.facts.clear();
        evidence.settings.at = Some(NOW.parse().expect("a time"));
        for (property, value) in values {
            config(&mut evidence, property, value);
        }
        evidence
    }

    fn config(evidence: &mut Evidence, property: &str, value: &str) {
        let statement = Statement::Config { property: property.into(), value: value.into() };
        utc(evidence, "config.txt", "", statement);
    }

    /// Values of a configuration.
    type Values = &'static [(&'static str, &'static str)];

    const SHORT_NAME: Values = &[
        ("SyncFromMicrosoftUpdate", "False"),
        ("UpstreamWsusServerName", "UP"),
        ("UpstreamWsusServerPortNumber", "8531"),
        ("UpstreamWsusServerUseSsl", "True"),
    ];
    const TLS_ON_8530: Values = &[
        ("SyncFromMicrosoftUpdate", "False"),
        ("UpstreamWsusServerName", "up.example.com"),
        ("UpstreamWsusServerPortNumber", "8530"),
        ("UpstreamWsusServerUseSsl", "True"),
    ];
    const NO_PASSWORD: Values = &[
        ("SyncFromMicrosoftUpdate", "True"),
        ("UseProxy", "True"),
        ("ProxyName", "proxy.example.com"),
        ("ProxyServerPort", "8080"),
        ("AnonymousProxyAccess", "False"),
        ("HasProxyPassword", "False"),
    ];
    const NO_PROXY: Values = &[
        ("SyncFromMicrosoftUpdate", "True"),
        ("UseProxy", "True"),
        ("ProxyName", ""),
        ("ProxyServerPort", "80"),
    ];
    const FE2: Values = &[("SyncFromMicrosoftUpdate", "True"), ("MUUrl", "https://fe2.update.microsoft.com")];

    /// Causes of the configuration, each with a failure that it brings about.
    fn causes() -> [(&'static str, Values, LoggedFailure); 5] {
        [
            ("config/upstream-short-name", SHORT_NAME, LoggedFailure::NotTrusted),
            ("config/port-ssl-mismatch", TLS_ON_8530, LoggedFailure::ConnectionBroken),
            ("config/proxy-credentials-missing", NO_PASSWORD, LoggedFailure::HttpStatus { code: 407 }),
            ("config/proxy-incomplete", NO_PROXY, LoggedFailure::ProxyNotResolved { host: String::new() }),
            ("config/endpoint-decommissioned", FE2, LoggedFailure::SoapFault { code: String::new() }),
        ]
    }

    fn failed(evidence: &mut Evidence, at: &str, by: LoggedFailure, phase: Option<Phase>) -> String {
        let mut statement = failure("WsusService", by);
        if let Statement::LogFailure { phase: its, .. } = &mut statement {
            *its = phase;
        }
        utc(evidence, "log", at, sync(SyncEvent::Started));
        let id = utc(evidence, "log", at, statement);
        utc(evidence, "log", at, sync(SyncEvent::Failed));
        id
    }

    fn asks(diagnosis: &Diagnosis, id: &String) -> bool {
        diagnosis.unknown.iter().any(|open| open.because.contains(id))
    }

    #[test]
    fn a_cause_is_likely_where_the_last_run_failed_as_it_would_have() {
        for (id, values, by) in causes() {
            let mut evidence = configured(values);
            let failed = failed(&mut evidence, "2026-06-15T03:00:00Z", by, Some(Phase::FirstContact));
            let diagnosis = judge(&evidence);
            let found = the(&diagnosis, id);
            assert_eq!((found.role, diagnosis.verdict), (Role::Cause, Verdict::Faulty), "{id}");
            assert!(found.confidence <= Confidence::Likely && !asks(&diagnosis, &failed), "{id}");
        }
    }

    #[test]
    fn what_the_last_run_refutes_is_possible_and_its_question_stays() {
        let name = || LoggedFailure::NameNotResolved { host: "up".into() };
        let status = |code| LoggedFailure::HttpStatus { code };
        for (id, values, by) in [
            // The run came further.
            ("config/upstream-short-name", SHORT_NAME, status(503)),
            ("config/port-ssl-mismatch", TLS_ON_8530, LoggedFailure::NotTrusted),
            ("config/port-ssl-mismatch", TLS_ON_8530, LoggedFailure::SoapFault { code: String::new() }),
            ("config/proxy-credentials-missing", NO_PASSWORD, LoggedFailure::NotTrusted),
            ("config/proxy-incomplete", NO_PROXY, status(503)),
            // Or it never came so far.
            ("config/upstream-short-name", SHORT_NAME, name()),
            ("config/upstream-short-name", SHORT_NAME, LoggedFailure::ConnectRefused),
            ("config/port-ssl-mismatch", TLS_ON_8530, LoggedFailure::ConnectTimeout),
            ("config/proxy-credentials-missing", NO_PASSWORD, name()),
            ("config/endpoint-decommissioned", FE2, status(407)),
        ] {
            let mut evidence = configured(values);
            let failed = failed(&mut evidence, "2026-06-15T03:00:00Z", by.clone(), None);
            let diagnosis = judge(&evidence);
            let found = the(&diagnosis, id);
            assert_eq!((found.role, found.confidence), (Role::Cause, Confidence::Possible), "{id}: {by:?}");
            assert!(found.because.contains(&failed) && asks(&diagnosis, &failed), "{id}: {by:?}");
            assert_eq!(diagnosis.verdict, Verdict::Undetermined, "{id}: {by:?}");
        }
    }

    #[test]
    fn a_phase_beyond_the_first_contact_has_passed_tls() {
        for (phase, confidence) in
            [(Phase::FirstContact, Confidence::Likely), (Phase::Metadata, Confidence::Possible)]
        {
            let mut evidence = configured(SHORT_NAME);
            failed(&mut evidence, "2026-06-15T03:00:00Z", LoggedFailure::NotTrusted, Some(phase));
            // The event repeats the text without its stack.
            let repeated = failure("WsusService", LoggedFailure::NotTrusted);
            utc(&mut evidence, "events.xml", "2026-06-15T03:00:01Z", repeated);
            let found = the(&judge(&evidence), "config/upstream-short-name").confidence;
            assert_eq!(found, confidence, "{phase:?}");
        }
    }

    #[test]
    fn a_success_makes_a_note_of_what_it_was_set_to() {
        for (id, values, by) in causes() {
            let mut evidence = configured(values);
            failed(&mut evidence, "2026-06-14T03:00:00Z", by, None);
            let good = utc(&mut evidence, "log", "2026-06-15T03:00:00Z", sync(SyncEvent::Succeeded));
            let diagnosis = judge(&evidence);
            let found = the(&diagnosis, id);
            assert_eq!((found.role, found.severity), (Role::Note, Severity::Warning), "{id}");
            assert!(found.because.contains(&good), "{id}");
            // So old a success says nothing of today.
            evidence.settings.at = Some("2026-09-15T03:00:00Z".parse().expect("a time"));
            assert_eq!(the(&judge(&evidence), id).role, Role::Cause, "{id}");
        }
    }

    #[test]
    fn a_success_of_an_endpoint_that_was_not_shut_yet_says_nothing() {
        for (at, role) in [("2019-06-01T03:00:00Z", Role::Cause), ("2019-08-01T03:00:00Z", Role::Note)] {
            let mut evidence = configured(FE2);
            evidence.settings.at = None;
            utc(&mut evidence, "log", at, sync(SyncEvent::Succeeded));
            assert_eq!(the(&judge(&evidence), "config/endpoint-decommissioned").role, role, "{at}");
        }
    }

    #[test]
    fn the_last_run_alone_counts_with_all_that_it_met() {
        let broken = LoggedFailure::ConnectionBroken;
        // The same run met both.
        let mut evidence = configured(TLS_ON_8530);
        utc(&mut evidence, "log", "2026-06-15T03:00:00Z", sync(SyncEvent::Started));
        utc(&mut evidence, "log", "2026-06-15T03:00:10Z", failure("WsusService", broken.clone()));
        utc(
            &mut evidence,
            "log",
            "2026-06-15T03:00:20Z",
            failure("WsusService", LoggedFailure::ConnectFailed),
        );
        utc(&mut evidence, "log", "2026-06-15T03:00:20Z", sync(SyncEvent::Failed));
        assert_eq!(the(&judge(&evidence), "config/port-ssl-mismatch").confidence, Confidence::Likely);
        // An earlier one did.
        let mut evidence = configured(TLS_ON_8530);
        failed(&mut evidence, "2026-06-01T03:00:00Z", broken, None);
        failed(&mut evidence, "2026-06-15T03:00:00Z", LoggedFailure::ConnectFailed, None);
        assert_eq!(the(&judge(&evidence), "config/port-ssl-mismatch").confidence, Confidence::Possible);
        assert!(ids(&judge(&evidence)).contains(&"history/failing"));
    }

    /// A proxy that is sent nothing, and was seen to demand a logon.
    const ANONYMOUS: Values = &[
        ("SyncFromMicrosoftUpdate", "True"),
        ("UseProxy", "True"),
        ("ProxyName", "proxy.example.com"),
        ("ProxyServerPort", "8080"),
        ("AnonymousProxyAccess", "True"),
    ];

    /// A configuration through a proxy, with the path that it names.
    fn through_a_proxy() -> Evidence {
        let mut evidence = configured(ANONYMOUS);
        evidence.paths = super::super::tests::of("proxy-closed").paths;
        evidence
    }

    #[test]
    fn an_older_demand_of_the_proxy_is_not_today_s_failure() {
        let demand = || LoggedFailure::HttpStatus { code: 407 };
        let name = || LoggedFailure::NameNotResolved { host: "sws.update.microsoft.com".into() };
        for (today, confidence) in [
            (demand(), Confidence::Likely),
            (name(), Confidence::Possible),
            (LoggedFailure::ConnectTimeout, Confidence::Possible),
            (LoggedFailure::HttpStatus { code: 502 }, Confidence::Possible),
        ] {
            let mut evidence = through_a_proxy();
            if today != demand() {
                failed(&mut evidence, "2026-06-01T03:00:00Z", demand(), None);
            }
            let last = failed(&mut evidence, "2026-06-15T03:00:00Z", today.clone(), None);
            let diagnosis = judge(&evidence);
            assert_eq!(the(&diagnosis, "proxy/auth-required").confidence, confidence, "{today:?}");
            let open = confidence == Confidence::Possible;
            assert_eq!(asks(&diagnosis, &last), open, "{today:?}");
            let verdict = if open { Verdict::Undetermined } else { Verdict::Faulty };
            assert_eq!(diagnosis.verdict, verdict, "{today:?}");
        }
    }

    #[test]
    fn a_demand_of_years_ago_is_possible_and_its_age_is_told() {
        for (at, confidence) in [("2026-06-10", Confidence::Likely), ("2019-06-01", Confidence::Possible)] {
            let mut evidence = through_a_proxy();
            let demand = LoggedFailure::HttpStatus { code: 407 };
            failed(&mut evidence, &format!("{at}T03:00:00Z"), demand, None);
            let diagnosis = judge(&evidence);
            let found = the(&diagnosis, "proxy/auth-required");
            assert_eq!(found.confidence, confidence, "{at}");
            assert!(found.says.contains(at), "{}", found.says);
        }
    }

    #[test]
    fn a_later_run_that_failed_by_what_does_not_show_leaves_the_demand_possible() {
        let mut evidence = through_a_proxy();
        failed(&mut evidence, "2026-06-01T03:00:00Z", LoggedFailure::HttpStatus { code: 407 }, None);
        let later = utc(&mut evidence, "history.txt", "2026-06-15T03:00:00Z", sync(SyncEvent::Failed));
        let diagnosis = judge(&evidence);
        let found = the(&diagnosis, "proxy/auth-required");
        assert!(found.confidence == Confidence::Possible && found.because.contains(&later), "{}", found.says);
        // The history tells of the same run.
        evidence.facts.last_mut().expect("it").time = Some("2026-06-01T03:00:05Z".parse().expect("a time"));
        assert_eq!(the(&judge(&evidence), "proxy/auth-required").confidence, Confidence::Likely);
    }

    /// A Server 2012 R2 whose log begins without SCHANNEL's lines.
    fn without_the_fix(values: &[(&str, &str)]) -> Evidence {
        let mut evidence = configured(values);
        let version = Statement::ServerVersion { version: "Windows Server 2012 R2".into() };
        utc(&mut evidence, "server.txt", "", version);
        utc(&mut evidence, "log", "", Statement::Log { startup: Some(1), schannel: false, lines: 9 });
        evidence
    }

    #[test]
    fn a_later_code_alone_tells_no_more_of_the_run() {
        let mut evidence = through_a_proxy();
        failed(&mut evidence, "2026-06-01T03:00:00Z", LoggedFailure::HttpStatus { code: 407 }, None);
        let code = failure("WsusService", LoggedFailure::Code { code: "0x80072EE7".into() });
        let later = utc(&mut evidence, "log", "2026-06-15T03:00:00Z", code);
        let diagnosis = judge(&evidence);
        let found = the(&diagnosis, "proxy/auth-required");
        assert!(found.confidence == Confidence::Possible && found.because.contains(&later), "{}", found.says);
    }

    #[test]
    fn a_success_whose_order_does_not_show_leaves_it_possible() {
        for (succeeded, role, confidence) in [
            // Fourteen hours are what a zone can make.
            ("2026-06-15T01:00:00Z", Role::Cause, Confidence::Possible),
            ("2026-06-13T01:00:00Z", Role::Cause, Confidence::Likely),
            ("2026-06-17T01:00:00Z", Role::Note, Confidence::Likely),
        ] {
            let mut evidence = configured(FE2);
            evidence.settings.at = None;
            utc(&mut evidence, "log", "2026-06-15T03:00:00Z", sync(SyncEvent::Failed));
            add(&mut evidence, "history.txt", succeeded, None, sync(SyncEvent::Succeeded));
            let diagnosis = judge(&evidence);
            let found = the(&diagnosis, "config/endpoint-decommissioned");
            assert_eq!((found.role, found.confidence), (role, confidence), "{succeeded}");
        }
    }

    #[test]
    fn a_missing_fix_explains_no_name_that_does_not_resolve() {
        let today = |by: LoggedFailure| {
            let mut evidence = without_the_fix(&[("SyncFromMicrosoftUpdate", "True")]);
            failed(&mut evidence, "2026-06-01T03:00:00Z", LoggedFailure::ConnectionBroken, None);
            failed(&mut evidence, "2026-06-15T03:00:00Z", by, None);
            the(&judge(&evidence), "tls/sync-fix-missing").confidence
        };
        assert_eq!(today(LoggedFailure::SecureChannel), Confidence::Likely);
        assert_eq!(today(LoggedFailure::NameNotResolved { host: String::new() }), Confidence::Possible);
    }

    #[test]
    fn an_upstream_may_take_older_tls_than_microsoft() {
        for (source, confidence) in
            [("sws.update.microsoft.com", Confidence::Likely), ("up.example.com", Confidence::Possible)]
        {
            let mut evidence = without_the_fix(&[]);
            // The path is planned, and was not walked.
            evidence.paths = healthy().paths;
            evidence.paths.retain(|path| path.needed);
            for path in &mut evidence.paths {
                path.target.host = source.into();
            }
            let broken = LoggedFailure::ConnectionBroken;
            let failed = failed(&mut evidence, "2026-06-15T03:00:00Z", broken, None);
            let diagnosis = judge(&evidence);
            assert_eq!(the(&diagnosis, "tls/sync-fix-missing").confidence, confidence, "{source}");
            assert_eq!(asks(&diagnosis, &failed), confidence == Confidence::Possible, "{source}");
        }
    }

    #[test]
    fn a_fault_without_a_time_may_be_older_than_a_success() {
        for (succeeded, confidence) in [
            (None, Confidence::Likely),
            // The endpoint was not shut yet: that success says nothing of it.
            (Some("2019-06-01T03:00:00Z"), Confidence::Likely),
            (Some("2026-06-15T03:00:00Z"), Confidence::Possible),
        ] {
            let mut evidence = configured(&[]);
            evidence.settings.at = None;
            let url = "https://fe2.update.microsoft.com/v6/ServerSyncWebService".into();
            utc(&mut evidence, "fault.txt", "", Statement::LogEndpoint { url });
            if let Some(at) = succeeded {
                utc(&mut evidence, "log", at, sync(SyncEvent::Succeeded));
            }
            // The URL alone, and with the failure.
            for _ in 0..2 {
                let diagnosis = judge(&evidence);
                let found = the(&diagnosis, "config/endpoint-decommissioned");
                assert_eq!((found.role, found.confidence), (Role::Cause, confidence), "{succeeded:?}");
                let fault = failure("WsusService", LoggedFailure::SoapFault { code: String::new() });
                utc(&mut evidence, "fault.txt", "", fault);
            }
        }
    }

    #[test]
    fn of_two_configurations_neither_is_a_sure_cause() {
        for (id, values, property, other) in [
            ("config/endpoint-decommissioned", FE2, "MUUrl", "https://sws.update.microsoft.com"),
            ("config/port-ssl-mismatch", TLS_ON_8530, "UpstreamWsusServerPortNumber", "8531"),
            ("config/proxy-incomplete", NO_PROXY, "ProxyName", "proxy.example.com"),
        ] {
            let said = values.iter().find(|(name, _)| *name == property).expect("it").1;
            for (second, confidence) in [(said, None), (other, Some(Confidence::Possible))] {
                let mut evidence = configured(&[(property, second)]);
                let theirs = evidence.facts[0].id.clone();
                for (property, value) in values {
                    config(&mut evidence, property, value);
                }
                let diagnosis = judge(&evidence);
                let found = the(&diagnosis, id);
                match confidence {
                    Some(possible) => {
                        assert_eq!((found.role, found.confidence), (Role::Cause, possible), "{id}");
                        assert!(found.because.contains(&theirs), "{id}");
                        assert_eq!(diagnosis.verdict, Verdict::Undetermined, "{id}");
                    }
                    None => assert_eq!(diagnosis.verdict, Verdict::Faulty, "{id}"),
                }
            }
        }
    }
}
