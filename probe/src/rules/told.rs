//! Rules over facts that are built here, beside a walk that was saved: what the facts alone change.

use super::tests::of;
use crate::diagnosis::{Confidence, Diagnosis, Finding, Role, Severity, Verdict, judge};
use crate::evidence::Evidence;
use crate::facts::{
    Fact, LoggedFailure, RegistryValue, ServiceState, Source, Statement, SyncEvent, SyncResult,
};

/// A topmost server whose way to Microsoft works; nothing but its configuration is known.
pub(super) fn healthy() -> Evidence {
    let mut evidence = of("tls-dotnet-strong-crypto");
    evidence.facts.retain(|fact| matches!(fact.statement, Statement::Config { .. }));
    evidence
}

/// Adds what a file states, and gives its id.
pub(super) fn add(
    evidence: &mut Evidence,
    file: &str,
    time: &str,
    zone: Option<&str>,
    statement: Statement,
) -> String {
    let n = evidence.facts.len() + 1000;
    let id = format!("f{n}");
    evidence.facts.push(Fact {
        id: id.clone(),
        source: Source { file: file.into(), line: u32::try_from(n).ok() },
        time: (!time.is_empty()).then(|| time.parse().expect("a time")),
        zone: zone.map(str::to_string),
        statement,
    });
    id
}

/// The same in UTC.
pub(super) fn utc(evidence: &mut Evidence, file: &str, time: &str, statement: Statement) -> String {
    add(evidence, file, time, (!time.is_empty()).then_some("UTC"), statement)
}

pub(super) fn ids(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.findings.iter().map(|finding| finding.id.as_str()).collect()
}

pub(super) fn the<'a>(diagnosis: &'a Diagnosis, id: &str) -> &'a Finding {
    diagnosis
        .findings
        .iter()
        .find(|finding| finding.id == id)
        .unwrap_or_else(|| panic!("{:?}", ids(diagnosis)))
}

pub(super) fn sync(event: SyncEvent) -> Statement {
    Statement::LogSync { event, reason: String::new(), process: String::new() }
}

pub(super) fn failure(process: &str, failure: LoggedFailure) -> Statement {
    let process = process.to_string();
    Statement::LogFailure { process, failure, phase: None, count: 1, excerpt: "text".into() }
}

pub(super) fn run(result: SyncResult, new_updates: Option<u64>) -> Statement {
    Statement::SyncRun { result, error: String::new(), text: String::new(), new_updates }
}

pub(super) fn number(key: &str, name: &str, value: u64) -> Statement {
    Statement::Registry { key: key.into(), name: name.into(), value: RegistryValue::Number { value } }
}

fn test(protocol: &str, status: Option<u16>, exception: &str) -> Statement {
    Statement::HttpTest {
        url: "https://sws.update.microsoft.com/ServerSyncWebService/ServerSyncWebService.asmx".into(),
        proxy: String::new(),
        protocol: protocol.into(),
        account: r"CORP\admin".into(),
        status,
        exceptions: if exception.is_empty() { Vec::new() } else { vec![exception.into()] },
    }
}

const BROKEN: &str =
    "System.Net.WebException: The underlying connection was closed: An unexpected error occurred on a send.";

#[test]
fn the_walk_alone_is_healthy() {
    assert!(ids(&judge(&healthy())).is_empty());
}

#[test]
fn a_test_that_needs_tls12_told_is_net_s_setting() {
    let mut evidence = healthy();
    let default = utc(&mut evidence, "test.txt", "", test("", None, BROKEN));
    let with = utc(&mut evidence, "test.txt", "", test("Tls12", Some(200), ""));
    let diagnosis = judge(&evidence);
    let found = the(&diagnosis, "tls/dotnet-strong-crypto");
    assert_eq!((found.role, found.confidence), (Role::Note, Confidence::Certain));
    assert!(found.because.contains(&default) && found.because.contains(&with));
    assert_eq!(diagnosis.verdict, Verdict::Degraded);
    // Strong cryptography is on: a program that was started before does not know it.
    let key = r"HKLM\SOFTWARE\Microsoft\.NETFramework\v4.0.30319";
    utc(&mut evidence, "net.reg", "", number(key, "SchUseStrongCrypto", 1));
    assert_eq!(the(&judge(&evidence), "tls/dotnet-strong-crypto").confidence, Confidence::Likely);
}

#[test]
fn two_tests_that_end_alike_tell_nothing_of_net() {
    for (default, with) in [
        (test("", Some(200), ""), test("Tls12", Some(200), "")),
        (test("", None, BROKEN), test("Tls12", None, BROKEN)),
        (
            test("", None, "Could not establish trust relationship for the SSL/TLS secure channel"),
            test("Tls12", Some(200), ""),
        ),
    ] {
        let mut evidence = healthy();
        utc(&mut evidence, "test.txt", "", default);
        utc(&mut evidence, "test.txt", "", with);
        assert!(!ids(&judge(&evidence)).contains(&"tls/dotnet-strong-crypto"));
    }
}

#[test]
fn a_listed_update_clears_the_missing_fix_and_none_proves_it() {
    let mut evidence = of("tls-sync-fix-missing");
    assert!(ids(&judge(&evidence)).contains(&"tls/sync-fix-missing"));
    let other = Statement::InstalledUpdate { update: "KB5000000".into() };
    utc(&mut evidence, "hotfixes.txt", "", other);
    assert!(ids(&judge(&evidence)).contains(&"tls/sync-fix-missing"));
    utc(&mut evidence, "hotfixes.txt", "", Statement::InstalledUpdate { update: "KB4022720".into() });
    let diagnosis = judge(&evidence);
    assert!(!ids(&diagnosis).contains(&"tls/sync-fix-missing"));
    assert_eq!(diagnosis.verdict, Verdict::Undetermined);
}

#[test]
fn versions_that_contradict_one_another_are_told_and_name_no_windows() {
    let mut evidence = of("tls-sync-fix-missing");
    evidence.facts.retain(|fact| !matches!(fact.statement, Statement::ServerVersion { .. }));
    let version = |version: &str| Statement::ServerVersion { version: version.into() };
    let old = utc(&mut evidence, "systeminfo.txt", "", version("Windows Server 2012 R2"));
    assert_eq!(the(&judge(&evidence), "tls/sync-fix-missing").confidence, Confidence::Likely);
    // The same Windows by its build is no other one.
    let mut alike = evidence.clone();
    utc(&mut alike, "server.txt", "", version("6.3.9600.18694"));
    assert!(!ids(&judge(&alike)).contains(&"input/contradictory"));
    for first in [true, false] {
        let mut evidence = evidence.clone();
        let own = utc(&mut evidence, "server.txt", "", version("Windows Server 2019"));
        if first {
            evidence.facts.reverse();
        }
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "tls/sync-fix-missing").confidence, Confidence::Possible);
        let said = the(&diagnosis, "input/contradictory");
        assert!(said.because.contains(&old) && said.because.contains(&own));
    }
}

#[test]
fn a_hotfix_list_without_the_fix_and_without_a_log_says_nothing() {
    let mut evidence = healthy();
    utc(
        &mut evidence,
        "server.txt",
        "",
        Statement::ServerVersion { version: "Windows Server 2012 R2".into() },
    );
    utc(&mut evidence, "hotfixes.txt", "", Statement::InstalledUpdate { update: "KB5000000".into() });
    assert!(!ids(&judge(&evidence)).contains(&"tls/sync-fix-missing"));
}

const TLS12: &str =
    r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client";

#[test]
fn a_test_with_tls12_on_the_server_overrules_the_registry() {
    // The walk offered what the settings leave, and was refused: taken from a server that speaks TLS 1.2 alone.
    let mut evidence = healthy();
    let off = utc(&mut evidence, "schannel.reg", "", number(TLS12, "Enabled", 0));
    let tried = utc(&mut evidence, "test.txt", "", test("Tls12", Some(200), ""));
    let diagnosis = judge(&evidence);
    let contradiction = the(&diagnosis, "input/contradictory");
    assert!(contradiction.because.contains(&off) && contradiction.because.contains(&tried));
    assert!(diagnosis.findings.iter().all(|f| f.role != Role::Cause || f.confidence == Confidence::Possible));
}

#[test]
fn files_of_two_servers_are_named_and_not_joined() {
    let mut evidence = healthy();
    let name = |name: &str| Statement::ServerName { name: name.into() };
    let one = utc(&mut evidence, "one.xml", "", name("WSUS1.example.com"));
    let failed = utc(&mut evidence, "one.xml", "2026-06-15T01:00:00Z", sync(SyncEvent::Failed));
    let two = utc(&mut evidence, "two.xml", "", name("WSUS2.example.com"));
    utc(&mut evidence, "two.xml", "2026-06-15T03:00:00Z", sync(SyncEvent::Succeeded));
    let diagnosis = judge(&evidence);
    let said = the(&diagnosis, "input/contradictory");
    assert!(said.because.contains(&one) && said.because.contains(&two));
    assert!(said.says.contains("WSUS1.example.com") && said.says.contains("WSUS2.example.com"));
    assert!(diagnosis.unknown.iter().any(|open| open.question.contains("Which server")));
    // What each of them tells by itself is not lost.
    let theirs = the(&diagnosis, "history/failing");
    assert!(theirs.because.contains(&failed) && theirs.says.contains("WSUS1.example.com"));
    // With the first one's configuration its failure stands, whatever the other one did since.
    let config: Vec<Fact> =
        evidence.facts.iter().filter(|f| matches!(f.statement, Statement::Config { .. })).cloned().collect();
    let file = config[0].source.file.clone();
    utc(&mut evidence, &file, "", name("wsus1"));
    let diagnosis = judge(&evidence);
    assert!(the(&diagnosis, "history/failing").because.contains(&failed));
    // The same two files of one server: it has recovered.
    evidence.facts.retain(|f| !matches!(f.statement, Statement::ServerName { .. }));
    assert!(ids(&judge(&evidence)).is_empty());
}

#[test]
fn another_server_s_policy_is_none_of_this_one_s() {
    let mut evidence = healthy();
    let file = evidence.facts[0].source.file.clone();
    utc(&mut evidence, &file, "", Statement::ServerName { name: "wsus1".into() });
    utc(&mut evidence, "gpresult.html", "", Statement::ServerName { name: "wsus2".into() });
    let order = Statement::CipherOrder {
        policy: "TLS".into(),
        suites: vec!["TLS_RSA_WITH_NULL_SHA".into()],
        characters: 21,
        state: "Enabled".into(),
    };
    utc(&mut evidence, "gpresult.html", "", order.clone());
    assert_eq!(ids(&judge(&evidence)), ["input/contradictory"]);
    evidence.facts.retain(|f| !matches!(f.statement, Statement::ServerName { .. }));
    assert!(ids(&judge(&evidence)).contains(&"tls/cipher-policy"));
}

#[test]
fn a_run_of_the_history_counts_as_one_of_the_log() {
    let mut evidence = healthy();
    utc(&mut evidence, "history.txt", "2026-06-14T01:00:00Z", run(SyncResult::Succeeded, None));
    let error = Statement::SyncRun {
        result: SyncResult::Failed,
        error: "UssCommunicationError".into(),
        text: "WebException".into(),
        new_updates: None,
    };
    let failed = utc(&mut evidence, "history.txt", "2026-06-15T01:00:00Z", error);
    let diagnosis = judge(&evidence);
    let found = the(&diagnosis, "history/failing");
    assert!(found.because.contains(&failed) && found.says.contains("UssCommunicationError"));
}

#[test]
fn an_order_that_does_not_show_is_asked_for() {
    let mut evidence = healthy();
    utc(&mut evidence, "log", "2026-06-15T01:00:00Z", sync(SyncEvent::Succeeded));
    add(&mut evidence, "history.txt", "2026-06-15T05:00:00Z", None, run(SyncResult::Failed, None));
    let diagnosis = judge(&evidence);
    assert!(ids(&diagnosis).is_empty());
    assert!(
        diagnosis.unknown.iter().any(|open| open.question.contains("last synchronization succeed or fail"))
    );
    // Beyond fourteen hours it shows.
    evidence.facts.last_mut().expect("it").time = Some("2026-06-15T20:00:00Z".parse().expect("a time"));
    assert_eq!(ids(&judge(&evidence)), ["history/failing"]);
}

#[test]
fn the_server_s_own_check_counts_where_no_run_is_on_record() {
    let mut evidence = healthy();
    let event = |event| Statement::Event {
        provider: "Windows Server Update Services".into(),
        event,
        count: 1,
        excerpt: String::new(),
    };
    utc(&mut evidence, "events.xml", "2026-06-15T01:00:00Z", event(10022));
    assert_eq!(ids(&judge(&evidence)), ["history/failing"]);
    utc(&mut evidence, "events.xml", "2026-06-15T02:00:00Z", sync(SyncEvent::Succeeded));
    assert!(ids(&judge(&evidence)).is_empty());
}

/// An event of WSUS.
fn wsus_event(event: u32) -> Statement {
    let provider = "Windows Server Update Services".into();
    Statement::Event { provider, event, count: 1, excerpt: String::new() }
}

#[test]
fn the_server_s_own_check_answers_what_it_said_before() {
    for (event, id) in [(10022, "history/failing"), (10021, "history/stale")] {
        let mut evidence = healthy();
        let said = utc(&mut evidence, "events.xml", "2026-06-14T01:00:00Z", wsus_event(event));
        utc(&mut evidence, "events.xml", "2026-06-13T01:00:00Z", wsus_event(10020));
        assert!(the(&judge(&evidence), id).because.contains(&said), "{event}");
        evidence.facts.last_mut().expect("it").time = Some("2026-06-15T01:00:00Z".parse().expect("a time"));
        assert!(ids(&judge(&evidence)).is_empty(), "{event}");
    }
    // A run that was given up is no matter of that check.
    let mut evidence = healthy();
    utc(&mut evidence, "events.xml", "2026-06-14T01:00:00Z", wsus_event(425));
    utc(&mut evidence, "events.xml", "2026-06-15T01:00:00Z", wsus_event(10020));
    assert_eq!(ids(&judge(&evidence)), ["history/failing"]);
}

#[test]
fn what_failed_at_update_files_is_no_failed_synchronization() {
    use crate::facts::Phase;
    let at = |phase| {
        let mut evidence = healthy();
        utc(&mut evidence, "log", "2026-06-15T01:00:00Z", sync(SyncEvent::Succeeded));
        let mut statement = failure("WsusService", LoggedFailure::ConnectionBroken);
        if let Statement::LogFailure { phase: its, .. } = &mut statement {
            *its = phase;
        }
        let failed = utc(&mut evidence, "log", "2026-06-15T02:00:00Z", statement);
        (evidence, failed)
    };
    let asked = |diagnosis: &Diagnosis, id: &String| -> Vec<String> {
        let open = diagnosis.unknown.iter().filter(|open| open.because.contains(id));
        open.map(|open| open.question.clone()).collect()
    };
    let (mut evidence, failed) = at(Some(Phase::Content));
    let diagnosis = judge(&evidence);
    assert_eq!((ids(&diagnosis), diagnosis.verdict), (Vec::new(), Verdict::Healthy));
    assert_eq!(asked(&diagnosis, &failed), ["Do update files arrive?"]);
    // Nor does it speak against a success after a repair.
    evidence.settings.since = Some("2026-06-15T00:30:00Z".parse().expect("a time"));
    let diagnosis = judge(&evidence);
    assert_eq!((ids(&diagnosis), diagnosis.verdict), (vec!["history/recovered"], Verdict::Healthy));
    for phase in [None, Some(Phase::FirstContact)] {
        let (mut evidence, failed) = at(phase);
        let diagnosis = judge(&evidence);
        assert_eq!((ids(&diagnosis), diagnosis.verdict), (vec!["history/failing"], Verdict::Undetermined));
        assert_eq!(asked(&diagnosis, &failed), ["Why was the TLS connection broken off?"]);
        evidence.settings.since = Some("2026-06-15T00:30:00Z".parse().expect("a time"));
        assert!(!ids(&judge(&evidence)).contains(&"history/recovered"));
    }
}

#[test]
fn a_proxy_s_407_at_update_files_is_none_of_synchronization_s() {
    use crate::facts::Phase;
    for (phase, found) in [(Some(Phase::Content), false), (Some(Phase::FirstContact), true)] {
        let mut evidence = super::tests::of("proxy-closed");
        evidence.observations.clear();
        evidence.facts.retain(|fact| matches!(fact.statement, Statement::Config { .. }));
        let mut statement = failure("WsusService", LoggedFailure::HttpStatus { code: 407 });
        if let Statement::LogFailure { phase: its, .. } = &mut statement {
            *its = phase;
        }
        utc(&mut evidence, "log", "2026-06-15T02:00:00Z", statement);
        assert_eq!(ids(&judge(&evidence)).contains(&"proxy/auth-required"), found, "{phase:?}");
    }
}

#[test]
fn the_upstream_s_record_is_none_of_this_server_s() {
    use crate::facts::ServiceState;
    // This server failed, and the upstream succeeded since.
    let with = |named: &str| {
        let mut evidence = super::tests::of("tls-dotnet-strong-crypto");
        evidence.facts.retain(|fact| matches!(fact.statement, Statement::Config { .. }));
        let property = "UpstreamWsusServerName".into();
        let upstream = Statement::Config { property, value: "up.example.com".into() };
        let names = utc(&mut evidence, "config.txt", "", upstream);
        let failed = utc(&mut evidence, "log", "2026-06-15T03:02:00Z", sync(SyncEvent::Failed));
        utc(&mut evidence, "events.csv", "", Statement::ServerName { name: named.into() });
        utc(&mut evidence, "events.csv", "2026-06-15T05:00:00Z", sync(SyncEvent::Succeeded));
        (evidence, names, failed)
    };
    let (mut evidence, names, failed) = with("up.example.com");
    let diagnosis = judge(&evidence);
    assert_eq!(the(&diagnosis, "history/failing").because, std::slice::from_ref(&failed));
    let said = the(&diagnosis, "input/contradictory");
    assert!(said.because.contains(&names) && said.says.contains("up.example.com"), "{}", said.says);
    evidence.settings.since = Some("2026-06-15T04:00:00Z".parse().expect("a time"));
    assert_eq!(judge(&evidence).verdict, Verdict::Undetermined);
    // A service that stands still there leaves a walk that was answered as it is.
    evidence.settings.since = None;
    let stopped =
        Statement::Service { name: "WsusService".into(), state: ServiceState::Stopped, start: String::new() };
    utc(&mut evidence, "events.csv", "", stopped.clone());
    assert!(!ids(&judge(&evidence)).contains(&"config/service-stopped"));
    // This server's own name joins them, where a run that both tell of says that it is its own.
    let (mut evidence, ..) = with("WSUS1");
    utc(&mut evidence, "events.csv", "2026-06-15T03:02:01Z", sync(SyncEvent::Failed));
    assert!(!ids(&judge(&evidence)).contains(&"history/failing"));
    utc(&mut evidence, "events.csv", "", stopped);
    assert!(ids(&judge(&evidence)).contains(&"config/service-stopped"));
}

#[test]
fn a_run_of_what_may_be_the_upstream_under_another_name_is_no_recovery() {
    let with = |upstream: &str, from_microsoft: bool| {
        let mut evidence = repaired();
        let config = |property: &str, value: &str| Statement::Config {
            property: property.into(),
            value: value.into(),
        };
        if !from_microsoft {
            evidence.facts.retain(|fact| !matches!(fact.statement, Statement::Config { .. }));
            utc(&mut evidence, "config.txt", "", config("SyncFromMicrosoftUpdate", "False"));
        }
        utc(&mut evidence, "config.txt", "", config("UpstreamWsusServerName", upstream));
        let name = Statement::ServerName { name: "SRV0042.example.com".into() };
        utc(&mut evidence, "events.csv", "", name);
        utc(&mut evidence, "events.csv", "2026-06-15T05:00:00Z", sync(SyncEvent::Succeeded));
        evidence
    };
    let asks =
        |diagnosis: &Diagnosis| diagnosis.unknown.iter().any(|open| open.question.starts_with("Whose"));
    for upstream in ["wsus.example.com", "10.0.0.5"] {
        let evidence = with(upstream, false);
        let diagnosis = judge(&evidence);
        assert_eq!(
            (ids(&diagnosis), diagnosis.verdict),
            (vec!["input/contradictory"], Verdict::Undetermined)
        );
        assert!(asks(&diagnosis));
        // Without a record of this server's own the run may be its own.
        let mut alone = evidence.clone();
        alone.facts.retain(|fact| fact.source.file != "log");
        let diagnosis = judge(&alone);
        assert_eq!(the(&diagnosis, "history/recovered").confidence, Confidence::Likely);
        assert!(asks(&diagnosis));
        // A run that both files tell of makes them one server's.
        for (zone, at) in [(Some("UTC"), "2026-06-15T01:00:01Z"), (None, "2026-06-15T03:00:01Z")] {
            let mut own = evidence.clone();
            add(&mut own, "events.csv", at, zone, sync(SyncEvent::Failed));
            let diagnosis = judge(&own);
            assert_eq!(the(&diagnosis, "history/recovered").confidence, Confidence::Certain, "{at}");
            assert!(!asks(&diagnosis));
        }
    }
    // A server that synchronizes from Microsoft has no upstream, whatever name was left behind.
    let diagnosis = judge(&with("wsus.example.com", true));
    assert_eq!(the(&diagnosis, "history/recovered").confidence, Confidence::Certain);
}

/// A server below up.example.com that nobody walked: its configuration, and a file that names `named`.
fn below_an_upstream(named: &str) -> Evidence {
    let mut evidence = healthy();
    evidence.facts.clear();
    evidence.paths.clear();
    evidence.observations.clear();
    for (property, value) in [
        ("SyncFromMicrosoftUpdate", "False"),
        ("UpstreamWsusServerName", "up.example.com"),
        ("UseProxy", "False"),
    ] {
        let statement = Statement::Config { property: property.into(), value: value.into() };
        utc(&mut evidence, "config.txt", "", statement);
    }
    utc(&mut evidence, "events.csv", "", Statement::ServerName { name: named.into() });
    evidence
}

#[test]
fn another_server_s_failure_decides_no_verdict() {
    let with = |named: &str| {
        let mut evidence = below_an_upstream(named);
        evidence.settings.since = Some("2026-06-15T04:00:00Z".parse().expect("a time"));
        utc(&mut evidence, "log", "2026-06-15T05:00:00Z", sync(SyncEvent::Succeeded));
        let failed = utc(&mut evidence, "events.csv", "2026-06-15T06:00:00Z", sync(SyncEvent::Failed));
        (evidence, failed)
    };
    let (mut evidence, failed) = with("up.example.com");
    let diagnosis = judge(&evidence);
    assert_eq!(diagnosis.verdict, Verdict::Healthy);
    assert_eq!(the(&diagnosis, "history/recovered").confidence, Confidence::Certain);
    let told = the(&diagnosis, "history/failing");
    assert!(told.severity == Severity::Info && told.because.contains(&failed));
    // A second one that is neither the upstream nor this server for sure may be the one that is judged.
    utc(&mut evidence, "one.csv", "", Statement::ServerName { name: "WSUS1".into() });
    utc(&mut evidence, "two.csv", "", Statement::ServerName { name: "WSUS2".into() });
    utc(&mut evidence, "two.csv", "2026-06-15T06:00:00Z", sync(SyncEvent::Failed));
    assert_eq!(judge(&evidence).verdict, Verdict::Degraded);
}

#[test]
fn a_name_without_a_domain_may_be_this_server_s_or_the_upstream_s() {
    let asks =
        |diagnosis: &Diagnosis| diagnosis.unknown.iter().any(|open| open.question.starts_with("Whose"));
    let with = |named: &str| {
        let mut evidence = below_an_upstream(named);
        let failed = utc(&mut evidence, "events.csv", "2026-06-15T03:00:00Z", sync(SyncEvent::Failed));
        (evidence, failed)
    };
    let (mut evidence, failed) = with("UP");
    let diagnosis = judge(&evidence);
    assert!(asks(&diagnosis));
    let told = the(&diagnosis, "history/failing");
    assert!(told.severity == Severity::Warning && told.because.contains(&failed));
    // A record of this server's own that tells of the same run makes it this server.
    utc(&mut evidence, "log", "2026-06-15T03:00:01Z", sync(SyncEvent::Failed));
    let diagnosis = judge(&evidence);
    assert!(!asks(&diagnosis) && !ids(&diagnosis).contains(&"input/contradictory"));
    // The whole name is the upstream's; so is its first part beside this server's own name.
    let (evidence, _) = with("up.example.com");
    assert!(!asks(&judge(&evidence)));
    let (mut evidence, _) = with("UP");
    utc(&mut evidence, "config.txt", "", Statement::ServerName { name: "WSUS1".into() });
    let diagnosis = judge(&evidence);
    assert!(!asks(&diagnosis));
    assert_eq!(the(&diagnosis, "history/failing").severity, Severity::Info);
}

#[test]
fn what_stands_still_on_the_upstream_answers_what_this_server_met() {
    use crate::facts::ServiceState::Stopped;
    let web = || Statement::Service { name: "W3SVC".into(), state: Stopped, start: String::new() };
    let pool = || Statement::AppPool { name: "WsusPool".into(), state: Stopped };
    let refused = || LoggedFailure::ConnectRefused;
    let busy = || LoggedFailure::HttpStatus { code: 503 };
    let with = |stands: Statement, met: LoggedFailure| {
        let mut evidence = below_an_upstream("up.example.com");
        let stopped = utc(&mut evidence, "events.csv", "", stands);
        let failed = utc(&mut evidence, "log", "2026-06-15T03:00:00Z", failure("WsusService", met));
        utc(&mut evidence, "log", "2026-06-15T03:00:02Z", sync(SyncEvent::Failed));
        (evidence, stopped, failed)
    };
    for (stands, met) in [(web(), refused()), (pool(), busy())] {
        let (evidence, stopped, failed) = with(stands, met);
        let diagnosis = judge(&evidence);
        let found = the(&diagnosis, "config/service-stopped");
        assert_eq!((found.role, found.confidence), (Role::Cause, Confidence::Likely));
        assert!(found.because.contains(&stopped) && found.because.contains(&failed));
        assert!(found.subject.contains("up.example.com"), "{}", found.subject);
        assert_eq!(diagnosis.verdict, Verdict::Faulty);
        let asked = |open: &crate::diagnosis::Unknown| open.because.contains(&failed);
        assert!(!diagnosis.unknown.iter().any(asked));
        // Through a proxy it may be the proxy's own answer.
        let mut by_proxy = evidence.clone();
        let uses = Statement::Config { property: "UseProxy".into(), value: "True".into() };
        utc(&mut by_proxy, "config.txt", "", uses);
        let diagnosis = judge(&by_proxy);
        assert_eq!(the(&diagnosis, "config/service-stopped").role, Role::Note);
        assert!(diagnosis.unknown.iter().any(asked));
        // A success since, or a later failure of another kind, is told of no such thing.
        let name = LoggedFailure::NameNotResolved { host: "up.example.com".into() };
        for later in [sync(SyncEvent::Succeeded), failure("WsusService", name)] {
            let mut evidence = evidence.clone();
            utc(&mut evidence, "log", "2026-06-15T04:00:00Z", later);
            let found = judge(&evidence);
            let found = the(&found, "config/service-stopped");
            assert_eq!((found.role, found.severity), (Role::Note, Severity::Info));
        }
    }
    for (stands, met) in [(web(), busy()), (pool(), refused())] {
        let (evidence, ..) = with(stands, met);
        assert_eq!(the(&judge(&evidence), "config/service-stopped").role, Role::Note);
    }
    // Of another server that is not the upstream nothing is told.
    let (mut evidence, ..) = with(web(), refused());
    utc(&mut evidence, "config.txt", "", Statement::ServerName { name: "WSUS1".into() });
    for fact in &mut evidence.facts {
        if let Statement::ServerName { name } = &mut fact.statement
            && name == "up.example.com"
        {
            *name = "other.example.com".into();
        }
    }
    assert!(!ids(&judge(&evidence)).contains(&"config/service-stopped"));
}

/// A repair at four, a failure before it and what came after.
fn repaired() -> Evidence {
    let mut evidence = healthy();
    evidence.settings.since = Some("2026-06-15T04:00:00Z".parse().expect("a time"));
    evidence.paths.clear();
    evidence.observations.clear();
    utc(&mut evidence, "log", "2026-06-15T01:00:00Z", failure("WsusService", LoggedFailure::ConnectTimeout));
    utc(&mut evidence, "log", "2026-06-15T01:00:00Z", sync(SyncEvent::Failed));
    evidence
}

#[test]
fn recovered_is_a_success_with_nothing_new_after_it() {
    let mut evidence = repaired();
    assert_eq!(judge(&evidence).verdict, Verdict::Undetermined);
    utc(&mut evidence, "log", "2026-06-15T05:00:00Z", sync(SyncEvent::Succeeded));
    let diagnosis = judge(&evidence);
    assert_eq!((ids(&diagnosis), diagnosis.verdict), (vec!["history/recovered"], Verdict::Healthy));
    assert_eq!(diagnosis.findings[0].confidence, Confidence::Certain);
    for event in [425, 10021, 10022] {
        let mut again = evidence.clone();
        utc(&mut again, "events.xml", "2026-06-15T06:00:00Z", wsus_event(event));
        let diagnosis = judge(&again);
        assert!(!ids(&diagnosis).contains(&"history/recovered"), "{event}");
        assert_eq!(diagnosis.verdict, Verdict::Degraded, "{event}");
        // The same event from before the run stands for what was repaired.
        again.facts.last_mut().expect("it").time = Some("2026-06-15T04:30:00Z".parse().expect("a time"));
        assert_eq!(ids(&judge(&again)), ["history/recovered"], "{event}");
    }
}

#[test]
fn a_history_alone_makes_a_recovery_likely_and_a_run_without_updates_asks_for_subscriptions() {
    let mut evidence = repaired();
    utc(&mut evidence, "history.txt", "2026-06-15T05:00:00Z", run(SyncResult::Succeeded, Some(0)));
    let diagnosis = judge(&evidence);
    assert_eq!(the(&diagnosis, "history/recovered").confidence, Confidence::Likely);
    assert!(ids(&diagnosis).contains(&"history/no-new-updates"));
    assert_eq!(diagnosis.verdict, Verdict::Healthy);
    assert!(!diagnosis.unknown.is_empty());
    // A local time that may lie before the repair proves nothing.
    let last = evidence.facts.last_mut().expect("it");
    last.zone = None;
    assert_eq!(judge(&evidence).verdict, Verdict::Undetermined);
}

#[test]
fn a_run_that_failed_after_the_repair_warns_and_none_is_undetermined() {
    let mut evidence = repaired();
    assert_eq!(judge(&evidence).verdict, Verdict::Undetermined);
    let again = utc(&mut evidence, "log", "2026-06-15T05:00:00Z", sync(SyncEvent::Failed));
    let diagnosis = judge(&evidence);
    assert_eq!(diagnosis.verdict, Verdict::Degraded);
    assert!(the(&diagnosis, "history/failing").because.contains(&again));
    // Where that is not to be told nothing says that it has recovered.
    evidence.settings.suppress.push("history/failing".into());
    let diagnosis = judge(&evidence);
    assert_eq!((ids(&diagnosis), diagnosis.verdict), (Vec::new(), Verdict::Undetermined));
}

#[test]
fn a_failed_start_or_a_lost_database_after_the_success_is_no_recovery() {
    let start = Statement::Elsewhere {
        part: crate::facts::ElsewherePart::ServiceStart,
        excerpt: "Update Services failed its initialization and stopped.".into(),
    };
    for (statement, verdict) in [
        (start, Verdict::Undetermined),
        (wsus_event(421), Verdict::Degraded),
        (wsus_event(11002), Verdict::Degraded),
    ] {
        let mut evidence = repaired();
        utc(&mut evidence, "log", "2026-06-15T05:00:00Z", sync(SyncEvent::Succeeded));
        utc(&mut evidence, "log", "2026-06-15T06:00:00Z", statement);
        let diagnosis = judge(&evidence);
        assert!(!ids(&diagnosis).contains(&"history/recovered"));
        assert_eq!(diagnosis.verdict, verdict);
        evidence.facts.last_mut().expect("it").time = Some("2026-06-15T04:30:00Z".parse().expect("a time"));
        assert_eq!(ids(&judge(&evidence)), ["history/recovered"]);
    }
}

#[test]
fn what_may_have_come_after_the_success_leaves_recovery_open() {
    let mut evidence = repaired();
    let good = utc(&mut evidence, "log", "2026-06-15T05:00:00Z", sync(SyncEvent::Succeeded));
    let event = add(&mut evidence, "events.csv", "2026-06-15T07:00:00Z", None, wsus_event(10022));
    let diagnosis = judge(&evidence);
    assert_eq!((ids(&diagnosis), diagnosis.verdict), (Vec::new(), Verdict::Undetermined));
    assert!(diagnosis.unknown.iter().any(|open| open.because == [good.clone(), event.clone()]));
    // What came after for sure is told beside it.
    let mut sure = evidence.clone();
    let after = utc(&mut sure, "events.xml", "2026-06-15T06:00:00Z", wsus_event(10022));
    let diagnosis = judge(&sure);
    assert!(the(&diagnosis, "history/failing").because.contains(&after));
    assert_eq!(diagnosis.verdict, Verdict::Degraded);
    // A day earlier it stands for what was repaired.
    evidence.facts.last_mut().expect("it").time = Some("2026-06-14T07:00:00Z".parse().expect("a time"));
    let diagnosis = judge(&evidence);
    assert_eq!((ids(&diagnosis), diagnosis.verdict), (vec!["history/recovered"], Verdict::Healthy));
}

#[test]
fn a_success_above_a_set_back_clock_proves_no_recovery() {
    let jump = Statement::ClockJump { from: "2026-06-16T03:10:00Z".parse().expect("a time") };
    let mut evidence = repaired();
    utc(&mut evidence, "log", "2026-06-16T03:00:00Z", sync(SyncEvent::Succeeded));
    utc(&mut evidence, "log", "2026-06-15T03:30:00Z", jump);
    let diagnosis = judge(&evidence);
    assert_eq!((ids(&diagnosis), diagnosis.verdict), (Vec::new(), Verdict::Undetermined));
    utc(&mut evidence, "log", "2026-06-15T05:00:00Z", sync(SyncEvent::Succeeded));
    let diagnosis = judge(&evidence);
    assert_eq!((ids(&diagnosis), diagnosis.verdict), (vec!["history/recovered"], Verdict::Healthy));
}

#[test]
fn configuration_manager_s_word_alone_makes_a_recovery_likely() {
    for (process, confidence) in
        [("SMS_WSUS_SYNC_MANAGER", Confidence::Likely), ("WsusService", Confidence::Certain)]
    {
        let mut evidence = repaired();
        let (event, reason) = (SyncEvent::Succeeded, String::new());
        let good = Statement::LogSync { event, reason, process: process.into() };
        let good = utc(&mut evidence, "other.log", "2026-06-15T05:00:00Z", good);
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "history/recovered").confidence, confidence, "{process}");
        let asked = diagnosis.unknown.iter().any(|open| open.because == [good.clone()]);
        assert_eq!(asked, confidence == Confidence::Likely, "{process}");
    }
}

#[test]
fn a_success_that_lies_ahead_of_now_is_no_recovery() {
    for (at, recovered) in [("2026-06-15T18:00:00Z", true), ("2026-06-15T12:30:00Z", false)] {
        let mut evidence = repaired();
        evidence.settings.at = Some(at.parse().expect("a time"));
        utc(&mut evidence, "log", "2026-06-15T13:05:00Z", sync(SyncEvent::Succeeded));
        let diagnosis = judge(&evidence);
        assert_eq!(ids(&diagnosis).contains(&"history/recovered"), recovered, "{at}");
        assert_eq!(diagnosis.verdict == Verdict::Undetermined, !recovered, "{at}");
    }
}

#[test]
fn a_run_that_was_begun_or_cancelled_after_the_success_leaves_it_likely() {
    for (later, confidence) in [
        (None, Confidence::Certain),
        (Some(sync(SyncEvent::Started)), Confidence::Likely),
        (Some(run(SyncResult::Canceled, None)), Confidence::Likely),
    ] {
        let mut evidence = repaired();
        evidence.settings.at = Some("2026-06-15T18:00:00Z".parse().expect("a time"));
        utc(&mut evidence, "log", "2026-06-15T13:00:00Z", sync(SyncEvent::Started));
        utc(&mut evidence, "log", "2026-06-15T13:05:00Z", sync(SyncEvent::Succeeded));
        if let Some(later) = later {
            utc(&mut evidence, "log", "2026-06-15T14:00:00Z", later);
        }
        assert_eq!(the(&judge(&evidence), "history/recovered").confidence, confidence);
    }
}

#[test]
fn what_was_not_tried_after_a_repair_is_possible_and_no_verdict() {
    let mut evidence = repaired();
    let state = ServiceState::Stopped;
    let statement = Statement::Service { name: "WsusService".into(), state, start: String::new() };
    utc(&mut evidence, "services.txt", "", statement);
    let diagnosis = judge(&evidence);
    let found = the(&diagnosis, "config/service-stopped");
    assert_eq!((found.role, found.confidence), (Role::Note, Confidence::Possible));
    assert_eq!(diagnosis.verdict, Verdict::Undetermined);
}

#[test]
fn a_stated_last_time_that_is_newer_and_a_later_check_are_no_stale_success() {
    let stated = |property: &str, value: &str| Statement::Subscription {
        property: property.into(),
        value: value.into(),
    };
    let begin = || {
        let mut evidence = healthy();
        evidence.settings.at = Some("2026-06-15T12:00:00Z".parse().expect("a time"));
        utc(&mut evidence, "s.txt", "", stated("SynchronizeAutomatically", "True"));
        utc(&mut evidence, "log", "2026-06-01T03:00:00Z", sync(SyncEvent::Succeeded));
        evidence
    };
    let stale = |evidence: &Evidence| ids(&judge(evidence)).contains(&"history/stale");
    assert!(stale(&begin()));
    for (time, expected) in [("2026-05-15T03:00:00Z", true), ("2026-06-15T03:00:00Z", false)] {
        let mut evidence = begin();
        utc(&mut evidence, "s.txt", time, stated("LastSynchronizationTime", time));
        assert_eq!(stale(&evidence), expected, "{time}");
        let mut evidence = begin();
        let green = Statement::Event {
            provider: "Windows Server Update Services".into(),
            event: 10020,
            count: 1,
            excerpt: String::new(),
        };
        utc(&mut evidence, "events.csv", time, green);
        assert_eq!(stale(&evidence), expected, "{time}");
    }
}

#[test]
fn the_success_before_is_told_in_the_zone_that_its_source_names() {
    let mut evidence = repaired();
    evidence.settings.at = Some("2026-06-17T12:00:00Z".parse().expect("a time"));
    add(&mut evidence, "history.txt", "2026-06-13T03:04:00Z", None, run(SyncResult::Succeeded, None));
    add(&mut evidence, "history.txt", "2026-06-16T03:04:00Z", None, run(SyncResult::Succeeded, None));
    let says = the(&judge(&evidence), "history/recovered").says.clone();
    assert!(says.contains("2026-06-13 03:04:00 (local") && !says.contains("2026-06-13T"), "{says}");
}

#[test]
fn a_failure_that_a_success_followed_is_not_the_last_run_s() {
    let name = || LoggedFailure::NameNotResolved { host: "sws.update.microsoft.com".into() };
    let mut evidence = healthy();
    let old = utc(&mut evidence, "log", "2026-06-01T01:00:00Z", failure("WsusService", name()));
    utc(&mut evidence, "log", "2026-06-02T01:00:00Z", sync(SyncEvent::Succeeded));
    let failed = utc(&mut evidence, "log", "2026-06-15T01:00:00Z", sync(SyncEvent::Failed));
    let diagnosis = judge(&evidence);
    assert_eq!(the(&diagnosis, "history/failing").because, std::slice::from_ref(&failed));
    let open = |diagnosis: &Diagnosis, id: &String| {
        diagnosis.unknown.iter().find(|open| open.because.contains(id)).expect("it").says.clone()
    };
    assert!(open(&diagnosis, &old).contains("has succeeded since"));
    let new = utc(&mut evidence, "log", "2026-06-15T00:59:00Z", failure("WsusService", name()));
    let diagnosis = judge(&evidence);
    assert_eq!(the(&diagnosis, "history/failing").because, [failed, new.clone()]);
    assert!(!open(&diagnosis, &new).contains("has succeeded since"));
}

#[test]
fn of_several_failures_the_one_before_the_run_s_end_is_its_own() {
    let name = LoggedFailure::NameNotResolved { host: "sws.update.microsoft.com".into() };
    let mut evidence = healthy();
    // The newest stands first.
    let failed = utc(&mut evidence, "events.csv", "2026-06-15T01:00:00Z", sync(SyncEvent::Failed));
    let new = utc(&mut evidence, "events.csv", "2026-06-15T01:00:00Z", failure("", LoggedFailure::Timeout));
    let old = utc(&mut evidence, "events.csv", "2026-06-10T01:00:00Z", failure("", name));
    assert_eq!(the(&judge(&evidence), "history/failing").because, [failed.clone(), new.clone()]);
    // Without their times neither is.
    for fact in evidence.facts.iter_mut().filter(|fact| fact.id == new || fact.id == old) {
        fact.time = None;
    }
    assert_eq!(the(&judge(&evidence), "history/failing").because, [failed]);
}

#[test]
fn a_code_that_nobody_logged_is_a_question_alone() {
    let code = || LoggedFailure::Code { code: "0x80072EE2".into() };
    for (process, said) in [("", false), ("WsusService", true)] {
        let mut evidence = healthy();
        let told = utc(&mut evidence, "mail.txt", "", failure(process, code()));
        let diagnosis = judge(&evidence);
        assert_eq!(ids(&diagnosis).contains(&"history/failing"), said, "{process}");
        assert!(diagnosis.unknown.iter().any(|open| open.because.contains(&told)));
    }
}

#[test]
fn without_times_a_console_s_lines_are_in_no_order() {
    // The newest stands first, and its time could not be read.
    let mut evidence = healthy();
    let bad = utc(&mut evidence, "events.txt", "", sync(SyncEvent::Failed));
    let good = utc(&mut evidence, "events.txt", "", sync(SyncEvent::Succeeded));
    let diagnosis = judge(&evidence);
    assert!(ids(&diagnosis).is_empty());
    let open = diagnosis.unknown.iter().find(|open| open.question.contains("succeed or fail")).expect("it");
    assert!(open.because.contains(&bad) && open.because.contains(&good));
    // A log's are.
    let log = Statement::Log { lines: 9, startup: None, schannel: false };
    utc(&mut evidence, "events.txt", "", log);
    let diagnosis = judge(&evidence);
    assert!(!diagnosis.unknown.iter().any(|open| open.question.contains("succeed or fail")));
}

#[test]
fn a_later_success_answers_whether_synchronization_fails() {
    let elsewhere = Statement::Elsewhere {
        part: crate::facts::ElsewherePart::ConfigurationManager,
        excerpt: "Sync failed".into(),
    };
    let asked = |evidence: &Evidence| {
        judge(evidence).unknown.iter().any(|open| open.question == "Does synchronization itself fail?")
    };
    let mut evidence = healthy();
    utc(&mut evidence, "wsyncmgr.log", "2026-06-15T01:00:00Z", elsewhere);
    assert!(asked(&evidence));
    utc(&mut evidence, "wsyncmgr.log", "2026-06-15T03:00:00Z", sync(SyncEvent::Succeeded));
    assert!(!asked(&evidence));
}

#[test]
fn an_import_that_configuration_manager_made_was_not_logged_by_w3wp() {
    for (process, named) in [("w3wp", true), ("SMS_WSUS_SYNC_MANAGER", false)] {
        let mut evidence = healthy();
        let mut statement = failure(process, LoggedFailure::ConnectionBroken);
        if let Statement::LogFailure { phase, .. } = &mut statement {
            *phase = Some(crate::facts::Phase::Import);
        }
        utc(&mut evidence, "log", "2026-06-15T01:00:00Z", statement);
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "tls/dotnet-strong-crypto").says.contains("w3wp"), named);
    }
}

#[test]
fn a_lost_database_in_a_run_s_own_error_is_the_database_s() {
    let mut evidence = healthy();
    let lost = Statement::SyncRun {
        result: SyncResult::Failed,
        error: "LocalDBConnectFail".into(),
        text: String::new(),
        new_updates: None,
    };
    utc(&mut evidence, "history.txt", "2026-06-15T05:00:00Z", lost);
    assert!(ids(&judge(&evidence)).contains(&"history/database"));
    utc(&mut evidence, "history.txt", "2026-06-15T09:00:00Z", run(SyncResult::Succeeded, None));
    assert!(ids(&judge(&evidence)).is_empty());
}

/// What every rule may read, in one server's evidence.
pub(super) fn everything() -> Vec<(String, Evidence)> {
    use crate::facts::{ServiceState, StoreAccount};
    let store =
        |account, store: &str, subject: &str, issuer: &str, fingerprint: &str| Statement::StoredCertificate {
            account,
            store: store.into(),
            subject: subject.into(),
            issuer: issuer.into(),
            fingerprint: fingerprint.into(),
            not_before: None,
            not_after: None,
            private_key: Some(false),
            der: String::new(),
        };
    let mut evidence = healthy();
    evidence.settings.at = Some("2026-06-15T12:00:00Z".parse().expect("a time"));
    let event = |event| Statement::Event {
        provider: "Windows Server Update Services".into(),
        event,
        count: 1,
        excerpt: String::new(),
    };
    for (time, statement) in [
        ("2026-04-01T01:00:00Z", run(SyncResult::Succeeded, Some(0))),
        ("2026-05-20T01:00:00Z", run(SyncResult::Succeeded, Some(0))),
        ("", Statement::Subscription { property: "SynchronizeAutomatically".into(), value: "True".into() }),
        ("2026-05-21T01:00:00Z", event(11002)),
        ("2026-05-21T02:00:00Z", failure("w3wp", LoggedFailure::Timeout)),
        ("", Statement::Service { name: "W3SVC".into(), state: ServiceState::Stopped, start: String::new() }),
        ("", Statement::AppPool { name: "WsusPool".into(), state: ServiceState::Running }),
        ("", Statement::AppPool { name: "WsusPool".into(), state: ServiceState::Stopped }),
        ("", number(r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings", "ProxyEnable", 1)),
        ("", number(TLS12, "Enabled", 0)),
        ("", test("", None, BROKEN)),
        ("", test("Tls12", Some(200), "")),
        ("", store(StoreAccount::Machine, "Root", "CN=a", "CN=b", "")),
        ("", store(StoreAccount::Machine, "My", "CN=c", "CN=b", "11")),
        (
            "",
            Statement::SslBinding {
                endpoint: "0.0.0.0:8531".into(),
                certificate: "11".into(),
                store: "MY".into(),
            },
        ),
        ("", Statement::ServerName { name: "wsus1".into() }),
    ] {
        utc(&mut evidence, "all.txt", time, statement);
    }
    let mut after = repaired();
    utc(&mut after, "log", "2026-06-15T05:00:00Z", sync(SyncEvent::Succeeded));
    let mut two = healthy();
    utc(&mut two, "one.xml", "", Statement::ServerName { name: "wsus1".into() });
    utc(&mut two, "two.xml", "", Statement::ServerName { name: "wsus2".into() });
    vec![("told".into(), evidence), ("told after a repair".into(), after), ("told of two".into(), two)]
}
