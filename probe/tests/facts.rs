//! What the readers make of each form of file.

use std::path::{Path, PathBuf};

use wsusprobe::evidence::NameAnswer;
use wsusprobe::facts::{
    ElsewherePart, Fact, FactView, Input, Kind, LoggedFailure, Phase, Reading, SchannelState, Statement,
    SyncEvent, read,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts").join(name)
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn reading(name: &str) -> Reading {
    read(&[Input::bytes(name, bytes_of(name))])
}

fn text(content: impl Into<Vec<u8>>) -> Reading {
    read(&[Input::bytes("given", content)])
}

/// What is stated, with its lines.
fn stated(reading: &Reading) -> Vec<(Option<u32>, &Statement)> {
    reading.facts.iter().map(|fact| (fact.source.line, &fact.statement)).collect()
}

fn configuration(reading: &Reading) -> Vec<(u32, &str, &str)> {
    let config = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::Config { property, value } => {
            Some((fact.source.line.unwrap_or(0), property.as_str(), value.as_str()))
        }
        _ => None,
    });
    config.collect()
}

fn problems(reading: &Reading) -> Vec<String> {
    reading.problems.iter().map(|problem| problem.to_string()).collect()
}

fn failures(reading: &Reading) -> Vec<(u32, &str, &LoggedFailure, Option<Phase>, u64)> {
    let view = FactView::new(&reading.facts);
    view.failures()
        .into_iter()
        .map(|failure| {
            let line = failure.fact.source.line.unwrap_or(0);
            (line, failure.process, failure.failure, failure.phase, failure.count)
        })
        .collect()
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn host(name: &str) -> LoggedFailure {
    LoggedFailure::NameNotResolved { host: name.into() }
}

#[test]
fn a_list_keeps_what_synchronization_uses_and_reports_what_is_wrong() {
    let reading = reading("config-list.txt");
    assert_eq!(reading.kinds, [("config-list.txt".to_string(), Kind::Configuration)]);
    assert_eq!(
        configuration(&reading),
        [
            (2, "SyncFromMicrosoftUpdate", "False"),
            (3, "IsReplicaServer", "True"),
            (4, "MUUrl", "https://sws.update.microsoft.com"),
            (7, "RedirectorChangeNumber", "4002"),
            (8, "UpstreamWsusServerName", "upstream.branch.example.com"),
            (10, "UpstreamWsusServerPortNumber", "8531"),
            (11, "UpstreamWsusServerUseSsl", "True"),
            (12, "UseProxy", "True"),
            (13, "ProxyName", "proxy.example.com"),
            (15, "ProxyUserName", "(set)"),
            (21, "HasProxyPassword", "True"),
            (22, "UseSeparateProxyForSsl", "False"),
            (23, "SslProxyName", ""),
            (24, "SslProxyServerPort", "0"),
        ]
    );
    assert_eq!(
        problems(&reading),
        [
            "config-list.txt:14: expected a port number from 1 to 65535, found `abc` as ProxyServerPort",
            "config-list.txt:20: expected True or False, found `Falsch` as AnonymousProxyAccess",
        ]
    );
    assert_eq!(
        reading.facts.iter().filter(|f| matches!(f.statement, Statement::Unreadable { .. })).count(),
        2
    );
    assert!(failures(&reading).is_empty(), "a password's continuation is no log");
    let ids: Vec<&str> = reading.facts.iter().map(|fact| fact.id.as_str()).collect();
    let expected: Vec<String> = (1..=ids.len()).map(|n| format!("f{n}")).collect();
    assert_eq!(ids, expected);
}

#[test]
fn json_and_clixml_say_the_same_in_their_forms() {
    let json = reading("config.json");
    assert_eq!(
        configuration(&json),
        [
            (2, "SyncFromMicrosoftUpdate", "True"),
            (3, "MUUrl", "https://fe2.update.microsoft.com/v6"),
            (4, "RedirectorChangeNumber", "3011"),
            (5, "UseProxy", "False"),
            (6, "ProxyName", ""),
            (7, "ProxyServerPort", "80"),
            (9, "ProxyUserName", "(set)"),
        ]
    );
    assert_eq!(
        problems(&json),
        ["config.json:8: expected a port number from 1 to 65535, found `70000` as SslProxyServerPort"]
    );
    assert_eq!(FactView::new(&json.facts).version_is_2012_family(), Some(true));

    let clixml = reading("config.clixml");
    assert_eq!(
        configuration(&clixml),
        [
            (6, "SyncFromMicrosoftUpdate", "True"),
            (7, "MUUrl", "https://sws.update.microsoft.com/a?b&c"),
            (9, "ProxyName", ""),
            (10, "ProxyServerPort", "8080"),
            (15, "SslProxyName", ""),
        ]
    );
    assert_eq!(problems(&clixml), ["config.clixml:8: expected True or False, found `maybe` as UseProxy"]);
    assert_eq!(FactView::new(&clixml.facts).build().map(|(_, build)| build), Some(9200));
    // As Windows PowerShell writes it.
    let wide = text(
        [vec![0xff, 0xfe], utf16(&String::from_utf8(bytes_of("config.clixml")).unwrap(), false)].concat(),
    );
    assert_eq!(configuration(&wide), configuration(&clixml));
}

#[test]
fn a_damaged_document_loses_only_what_is_behind_the_damage() {
    let json = text(
        "{\n \"MUUrl\": \"https://sws.update.microsoft.com\",\n \"UseProxy\": true,\n \"ProxyPassword\": \"Geheim-4711\",\n",
    );
    assert_eq!(
        configuration(&json),
        [(2, "MUUrl", "https://sws.update.microsoft.com"), (3, "UseProxy", "True")]
    );
    assert_eq!(problems(&json).len(), 1);
    assert!(
        problems(&json)[0].starts_with("given:5: expected well-formed JSON, found "),
        "{:?}",
        problems(&json)
    );
    let whole = String::from_utf8(bytes_of("config.clixml")).unwrap();
    let cut = text(&whole[..whole.find("<I32 N=\"ProxyServerPort\"").unwrap()]);
    assert_eq!(configuration(&cut).len(), 3);
    assert_eq!(problems(&cut).len(), 2);
    let deep = text("[".repeat(100_000) + "{");
    assert_eq!(deep.problems.len(), 1);
    let deep = text(format!("<Objs>{}", "<Obj>".repeat(100_000)));
    assert_eq!(deep.problems.len(), 1);
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Objs><S N=\"MUUrl\">&b;</S></Objs>";
    assert_eq!(configuration(&text(bomb)), [(1, "MUUrl", "&b;")]);
}

#[test]
fn two_configurations_are_both_kept_and_compared() {
    let one = "UseProxy : True\nProxyName : one\n\nUseProxy : true\nProxyName : ONE\n";
    let two = "UseProxy : True\nProxyName : two\n";
    let reading = read(&[Input::bytes("a", one), Input::bytes("b", two)]);
    let view = FactView::new(&reading.facts);
    assert_eq!(view.config_all("proxyname").len(), 3);
    assert_eq!(
        view.config("ProxyName").map(|(fact, value)| (fact.source.file.as_str(), value)),
        Some(("b", "two"))
    );
    let contradictions = view.contradictions();
    assert_eq!(contradictions.len(), 1, "{contradictions:?}");
    assert_eq!(contradictions[0].0, "ProxyName");
    assert_eq!(view.flag("UseProxy").map(|(_, value)| value), Some(true));
    assert_eq!(view.port("ProxyServerPort").map(|(_, value)| value), None);
}

#[test]
fn the_red_error_in_place_of_a_configuration_is_understood_in_any_language() {
    for (name, why) in [
        ("error-english.txt", "Import-Module : The specified module 'UpdateServices' was not loaded"),
        ("error-german.txt", "Import-Module : Das angegebene Modul \"UpdateServices\" wurde nicht geladen"),
    ] {
        let reading = reading(name);
        let facts = stated(&reading);
        assert!(
            matches!(&facts[..], [(Some(_), Statement::ConfigUnavailable { why: found })] if found.starts_with(why)),
            "{name}: {facts:?}"
        );
        assert!(reading.problems.is_empty());
    }
    let alone = text("Get-WsusServer: The term 'Get-WsusServer' is not recognized as a name of a cmdlet.\n");
    assert!(matches!(stated(&alone)[..], [(Some(1), Statement::ConfigUnavailable { .. })]));
    let empty = text("SyncFromMicrosoftUpdate : \nMUUrl                   : \nUseProxy                : \n");
    assert!(matches!(stated(&empty)[..], [(Some(1), Statement::ConfigUnavailable { .. })]));
}

#[test]
fn winhttp_is_told_by_its_shape() {
    let proxy = |name: &str| match &reading(name).facts[..] {
        [Fact { statement: Statement::WinHttpProxy { servers, bypass }, source, .. }] => {
            (source.line, servers.clone(), bypass.clone())
        }
        other => panic!("{name}: {other:?}"),
    };
    let pair = |scheme: &str, server: &str| (scheme.to_string(), server.to_string());
    assert_eq!(
        proxy("winhttp-english.txt"),
        (
            Some(4),
            vec![pair("http", "p1.example.com:8080"), pair("https", "p2.example.com:8443")],
            "*.local;169.254/16".to_string()
        )
    );
    assert_eq!(
        proxy("winhttp-french-oem.txt"),
        (Some(4), vec![pair("*", "proxy.exemple.fr:3128")], "(aucun)".to_string())
    );
    assert_eq!(proxy("winhttp-german-direct.txt"), (Some(4), vec![], String::new()));
}

#[test]
fn port_tests_and_name_tests_are_read() {
    let test = |host: &str, port, connected| Statement::PortTest { host: host.into(), port, connected };
    assert_eq!(
        stated(&reading("port-test.txt")),
        [
            (Some(11), &test("sws.update.microsoft.com", 443, false)),
            (Some(18), &test("upstream.example.com", 8531, true))
        ]
    );
    let resolved = |name: &str, answer| Statement::Resolved { name: name.into(), answer };
    let addresses = |list: &[&str], canonical: Option<&str>| NameAnswer::Addresses {
        addresses: list.iter().map(|address| address.parse().unwrap()).collect(),
        canonical: canonical.map(String::from),
    };
    assert_eq!(
        stated(&reading("resolve.txt")),
        [
            (
                Some(4),
                &resolved(
                    "sws.update.microsoft.com",
                    addresses(&["2001:db8::7", "192.0.2.7"], Some("sws.example.net"))
                )
            ),
            (Some(21), &resolved("upstream.example.com", addresses(&["10.1.2.3"], None)))
        ]
    );
    assert_eq!(
        stated(&reading("resolve-error.txt")),
        [
            (Some(1), &resolved("nowhere.example.com", NameAnswer::NotFound)),
            (Some(7), &resolved("slow.example.com", NameAnswer::Timeout))
        ]
    );
}

#[test]
fn the_service_log_gives_start_up_failures_and_steps() {
    let reading = reading("service.log");
    assert_eq!(reading.kinds[0].1, Kind::ServerLog);
    assert!(reading.problems.is_empty());
    let first = &reading.facts[0].statement;
    assert_eq!(*first, Statement::Log { lines: 26, startup: Some(1), schannel: true });
    assert_eq!(
        failures(&reading),
        [
            (12, "WsusService", &host("sws.update.microsoft.com"), Some(Phase::FirstContact), 3),
            (
                17,
                "WsusService",
                &LoggedFailure::SoapFault { code: "ServerBusy".into() },
                Some(Phase::Metadata),
                1
            ),
            (22, "w3wp", &LoggedFailure::ConnectionBroken, Some(Phase::Import), 1),
            (24, "WsusService", &LoggedFailure::Code { code: "0x80072EE2".into() }, None, 1),
        ]
    );
    let states: Vec<_> = reading
        .facts
        .iter()
        .filter_map(|fact| match &fact.statement {
            Statement::LogSchannel { protocol, state } => {
                Some((fact.source.line.unwrap(), protocol.as_str(), *state))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        states,
        [
            (2, "TLS 1.0", SchannelState::Disabled),
            (3, "TLS 1.2", SchannelState::Enabled),
            (4, "TLS 1.3", SchannelState::Unrecognised)
        ]
    );
    let view = FactView::new(&reading.facts);
    let endpoints: Vec<&str> = view.endpoints().into_iter().map(|(_, url)| url).collect();
    assert_eq!(
        endpoints,
        ["https://upstream.example.com:8531/ServerSyncWebService/ServerSyncWebService.asmx"]
    );
    let steps: Vec<_> = reading
        .facts
        .iter()
        .filter_map(|fact| match &fact.statement {
            Statement::LogSync { event, reason } => {
                Some((fact.source.line.unwrap(), *event, reason.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        steps,
        [
            (6, SyncEvent::Started, ""),
            (19, SyncEvent::Failed, "The remote name could not be resolved: 'sws.update.microsoft.com'")
        ]
    );
    let failed = reading.facts.iter().find(|fact| fact.source.line == Some(12)).unwrap();
    // The last mention, by the event, is the latest.
    assert_eq!(failed.time, Some("2026-03-04T05:00:14Z".parse().unwrap()));
}

#[test]
fn a_log_inside_other_text_says_the_same_as_alone() {
    let alone = reading("service.log");
    let mixed = text([b"UseProxy : True\n".to_vec(), bytes_of("service.log")].concat());
    let shift =
        |fact: &Fact, by: u32| (fact.source.line.map(|line| line + by), fact.time, fact.statement.clone());
    let mut alone: Vec<_> = alone.facts.iter().map(|fact| shift(fact, 1)).collect();
    let mixed: Vec<_> = mixed.facts.iter().skip(1).map(|fact| shift(fact, 0)).collect();
    alone[0].2 = Statement::Log { lines: 27, startup: Some(2), schannel: true };
    assert_eq!(alone, mixed);
}

#[test]
fn a_start_up_counts_only_when_the_web_service_came_up_behind_it() {
    let started = "2026-03-04 05:00:00.001 UTC\tInfo\tWsusService.4\tA.B\tEventId=501,Type=Information,Category=WsusService,Message=x\n";
    let web = "2026-03-04 05:00:00.001 UTC\tInfo\tw3wp.4\tA.B\tsomething\n";
    let startup = |text: &str| match &read(&[Input::bytes("log", text)]).facts[0].statement {
        Statement::Log { startup, .. } => *startup,
        other => panic!("{other:?}"),
    };
    assert_eq!(startup(started), None);
    assert_eq!(startup(&format!("{web}{started}")), None);
    assert_eq!(startup(&format!("{web}{started}{started}{web}")), Some(3));
    let far = "2026-03-04 05:00:00.001 UTC\tInfo\tWsusService.4\tA.B\tnothing of interest\n".repeat(60_000);
    assert_eq!(startup(&format!("{started}{far}{web}{started}{far}")), Some(1));
}

#[test]
fn a_large_log_keeps_little_and_counts_right() {
    let plain = "2026-03-04 05:00:00.001 UTC\tInfo\tWsusService.4\tA.B\tnothing of interest\n";
    let failing = "2026-03-04 05:00:00.001 UTC\tError\tWsusService.4\tA.B\tSystem.Net.WebException: The operation has timed out\n   at System.Net.X\n";
    let log = format!("{}{failing}", plain.repeat(99)).repeat(400);
    let reading = text(log);
    assert_eq!(reading.facts.len(), 2);
    assert!(matches!(reading.facts[0].statement, Statement::Log { lines: 40_400, .. }));
    assert_eq!(failures(&reading), [(40_399, "WsusService", &LoggedFailure::Timeout, None, 400)]);
    // A line of any length does not hide the next one.
    let long = format!("{plain}{}\n{failing}", "x".repeat(5_000_000));
    assert_eq!(failures(&text(long)), [(3, "WsusService", &LoggedFailure::Timeout, None, 1)]);
}

/// Run with `--release -- --ignored` on a machine that does nothing else.
#[test]
#[ignore = "measures"]
#[allow(clippy::disallowed_methods)]
fn a_log_of_100_megabytes_is_read_quickly() {
    let plain = "2026-03-04 05:00:00.001 UTC\tInfo\tWsusService.4\tSusEventDispatcher.DispatchManagerWorkerThreadProc\tDispatchManager Worker Thread Processing NotificationEvent: ContentSyncAgent\r\n";
    let web = "2026-03-04 05:00:00.001 UTC\tInfo\tw3wp.4\tThreadEntry\t_ThreadPoolWaitCallback.PerformWaitCallback\r\n";
    let failing = "2026-03-04 05:00:00.001 UTC\tError\tWsusService.4\tA.B\tSystem.Net.WebException: The operation has timed out\r\n   at System.Net.X\r\n   at Y\r\n";
    let few = format!("{}{failing}", [plain, web].concat().repeat(100));
    let many = format!("{}{failing}", [plain, web].concat().repeat(2));
    let folder = std::env::temp_dir().join(format!("wsusprobe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, unit) in [("few failures", few), ("many failures", many)] {
        let path = folder.join("big.log");
        let log = unit.repeat(100_000_000 / unit.len() + 1);
        std::fs::write(&path, &log).unwrap();
        let begin = std::time::Instant::now();
        let reading = read(&[Input::file(path.to_str().unwrap())]);
        let took = begin.elapsed();
        assert_eq!(failures(&reading).len(), 1);
        println!("{name}: {:.0} MB/s", log.len() as f64 / 1e6 / took.as_secs_f64());
        if name == "few failures" && !cfg!(debug_assertions) {
            assert!(took.as_secs_f64() < log.len() as f64 / 300e6, "{took:?}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Run with `--release -- --ignored`.
#[test]
#[ignore = "measures"]
#[allow(clippy::disallowed_methods)]
fn no_repetition_takes_long() {
    let log = "2026-03-04 05:00:00.001 UTC\tInfo\tWsusService.4\tA.B\t";
    for unit in [
        "Version : 1.2.345\n".to_string(),
        "QueryType : A\n".into(),
        "Name : a\nQueryType : A\n".into(),
        "Import-Module : UpdateServices\n".into(),
        "Resolve-DnsName : a : b\n".into(),
        "TcpTestSucceeded : True\n".into(),
        "ComputerName : a\nRemotePort : 1\nTcpTestSucceeded : True\n".into(),
        "Current WinHTTP proxy settings:\n    a : b\n".into(),
        "UseProxy : True\n".into(),
        "UseProxy : x\n".into(),
        "Name Type TTL Section IPAddress\na CNAME 1 Answer b\n".into(),
        "   at x the underlying connection was closed\n".into(),
        "                    x\n".into(),
        format!("{log}EventId=501,Type=Information,Category=A,Message=w3wp.\n"),
        format!("{log}w3wp.1 EventId=386,Type=Error,Category=A,Message=x\nw3wp. Exception\n"),
        format!("{log}Exception\n{}", "x\n".repeat(300)),
        "{\"UseProxy\":true,\"Version\":1},\n".into(),
        "<Obj><B N=\"UseProxy\">true</B></Obj>\n".into(),
        "&x;".into(),
        "x".into(),
    ] {
        let opening = match unit.as_bytes()[0] {
            b'{' => "[",
            b'<' | b'&' => "<Objs>",
            _ => "",
        };
        let begin = std::time::Instant::now();
        text(format!("{opening}{}", unit.repeat(20_000_000 / unit.len())));
        let took = begin.elapsed();
        println!("{:5} ms: {}", took.as_millis(), unit.lines().next().unwrap());
        assert!(cfg!(debug_assertions) || took.as_secs() < 10, "{unit}");
    }
}

#[test]
fn client_logs_are_named_and_say_nothing_more() {
    for (name, log) in [
        ("reporting-events.log", "ReportingEvents.log"),
        ("windows-update-old.log", "WindowsUpdate.log"),
        ("windows-update-new.log", "WindowsUpdate.log"),
    ] {
        let reading = reading(name);
        assert_eq!(stated(&reading), [(Some(1), &Statement::ClientLog { log: log.into() })], "{name}");
        assert_eq!(reading.kinds[0].1, Kind::ClientLog);
    }
}

#[test]
fn configuration_manager_and_events_tell_of_synchronization_too() {
    let manager = reading("wsyncmgr.log");
    assert_eq!(
        failures(&manager),
        [(1, "", &host("sws.update.microsoft.com"), Some(Phase::FirstContact), 1)]
    );
    assert!(manager.facts.iter().any(|fact| matches!(&fact.statement, Statement::LogSync { event: SyncEvent::Failed, reason }
        if reason == "UssCommunicationError: WebException: The remote name could not be resolved: 'sws.update.microsoft.com'")));
    let events = reading("events.xml");
    assert_eq!(events.kinds[0].1, Kind::Events);
    assert_eq!(failures(&events), [(2, "", &LoggedFailure::ConnectRefused, None, 1)]);
    let steps: Vec<_> = events
        .facts
        .iter()
        .filter_map(|fact| match &fact.statement {
            Statement::LogSync { event, .. } => Some((*event, fact.time.map(|time| time.to_string()))),
            _ => None,
        })
        .collect();
    assert_eq!(
        steps,
        [
            (SyncEvent::Failed, Some("2026-03-04T05:00:14Z".into())),
            (SyncEvent::Succeeded, Some("2026-03-05T05:00:14Z".into()))
        ]
    );
}

#[test]
fn printed_events_are_understood_in_any_language() {
    let events = text(
        "TimeCreated  : 04.03.2026 06:00:14\nProviderName : Windows Server Update Services\nId           : 386\nMessage      : Fehler bei der Synchronisierung. Ursache: Der Remotename konnte nicht aufge\n               löst werden: 'sws.update.microsoft.com'.\n\nTimeCreated  : 05.03.2026 06:00:14\nProviderName : Windows Server Update Services\nId           : 384\nMessage      : Die Synchronisierung wurde erfolgreich abgeschlossen.\n",
    );
    assert_eq!(failures(&events), [(4, "", &host("sws.update.microsoft.com"), None, 1)]);
    let steps = events.facts.iter().filter(|fact| matches!(fact.statement, Statement::LogSync { .. }));
    assert_eq!(steps.map(|fact| fact.source.line.unwrap()).collect::<Vec<_>>(), [4, 10]);
}

#[test]
fn what_the_server_asks_itself_and_its_database_are_no_failures_of_synchronization() {
    let log = "2026-03-04 05:00:00.001 UTC\tError\tWsusService.9\tHmtWebServices.CheckApiRemotingWebService\tApiRemoting WebService WebException:System.Net.WebException: The request failed with HTTP status 503: Service Unavailable.\n2026-03-04 05:00:01.001 UTC\tError\tw3wp.9\tDBConnection.OnReceivingInfoMessage\tSystem.Data.SqlClient.SqlException: A transport-level error: an existing connection was forcibly closed by the remote host.\n";
    let reading = text(log);
    assert!(failures(&reading).is_empty());
    let parts: Vec<_> = reading
        .facts
        .iter()
        .filter_map(|fact| match fact.statement {
            Statement::Elsewhere { part, .. } => Some((fact.source.line.unwrap(), part)),
            _ => None,
        })
        .collect();
    assert_eq!(parts, [(1, ElsewherePart::Iis), (2, ElsewherePart::Database)]);
}

#[test]
fn one_paste_may_hold_everything() {
    let log = String::from_utf8(bytes_of("service.log")).unwrap();
    let winhttp = String::from_utf8(bytes_of("winhttp-english.txt")).unwrap();
    let test = String::from_utf8(bytes_of("port-test.txt")).unwrap();
    let config = String::from_utf8(bytes_of("config-list.txt")).unwrap();
    let reading = text(format!("{log}{winhttp}PS C:\\> test\n{test}{config}"));
    assert_eq!(failures(&reading).len(), 4);
    assert_eq!(configuration(&reading).len(), 14);
    let count =
        |wanted: fn(&Statement) -> bool| reading.facts.iter().filter(|f| wanted(&f.statement)).count();
    assert_eq!(count(|statement| matches!(statement, Statement::WinHttpProxy { .. })), 1);
    assert_eq!(count(|statement| matches!(statement, Statement::PortTest { .. })), 2);
}

#[test]
fn the_build_number_tells_the_server() {
    let reading = reading("server.txt");
    let version = |text: &str| Statement::ServerVersion { version: text.into() };
    assert_eq!(
        stated(&reading),
        [(Some(3), &version("6.2.20348.143")), (Some(6), &version("Windows Server 2012 R2"))]
    );
    assert_eq!(FactView::new(&reading.facts[..1]).version_is_2012_family(), Some(false));
    assert_eq!(FactView::new(&reading.facts).version_is_2012_family(), Some(true));
    assert_eq!(FactView::new(&[]).version_is_2012_family(), None);
}

#[test]
fn every_encoding_says_the_same() {
    let plain = String::from_utf8(bytes_of("config-list.txt")).unwrap();
    let expected = configuration(&reading("config-list.txt")).len();
    let forms: [(&str, Vec<u8>); 7] = [
        ("crlf", plain.replace('\n', "\r\n").into_bytes()),
        ("cr", plain.replace('\n', "\r").into_bytes()),
        ("utf-8 with a mark", [b"\xef\xbb\xbf".to_vec(), plain.clone().into_bytes()].concat()),
        ("utf-16le with a mark", [b"\xff\xfe".to_vec(), utf16(&plain, false)].concat()),
        ("utf-16be with a mark", [b"\xfe\xff".to_vec(), utf16(&plain, true)].concat()),
        ("utf-16le", utf16(&plain, false)),
        ("utf-16be", utf16(&plain, true)),
    ];
    for (name, bytes) in forms {
        let reading = text(bytes);
        assert_eq!(configuration(&reading).len(), expected, "{name}");
        assert_eq!(configuration(&reading)[2], (4, "MUUrl", "https://sws.update.microsoft.com"), "{name}");
    }
    let western = text(b"ProxyName : pr\xfcfung.example\n".to_vec());
    assert_eq!(configuration(&western), [(1, "ProxyName", "prüfung.example")]);
    // A log cut within a character gives everything before it.
    let log = String::from_utf8(bytes_of("service.log")).unwrap();
    let mut cut = [b"\xff\xfe".to_vec(), utf16(&log, false)].concat();
    cut.pop();
    let reading = text(cut);
    assert_eq!(
        problems(&reading),
        ["given:26: expected whole UTF-16 characters, found half of one at the end"]
    );
    assert_eq!(failures(&reading).len(), 4);
}

#[test]
fn what_is_no_evidence_is_said_to_be_none() {
    let found =
        |content: &[u8]| text(content.to_vec()).problems.iter().map(|p| p.found.clone()).collect::<Vec<_>>();
    assert_eq!(found(b""), ["an empty file"]);
    assert_eq!(found(b" \r\n\r\n"), ["an empty file"]);
    assert_eq!(found(b"PK\x03\x04...."), ["a zip archive"]);
    assert_eq!(found(b"ElfFile\0...."), ["a binary event log (.evtx)"]);
    assert_eq!(found(b"MZ\x90\0\x03\0"), ["a Windows program or library"]);
    assert_eq!(found(b"MSCF\0\0\0\0"), ["a cabinet"]);
    assert_eq!(found(b"abc\0\x01\x02"), ["an unknown binary format"]);
    assert_eq!(found(b"to buy:\x07 milk\n"), ["text of another kind that begins `to buy:\\u{7} milk`"]);
    assert_eq!(found(b"{\"a\": 1}"), ["JSON of another kind"]);
    let folder = read(&[Input::file(env!("CARGO_MANIFEST_DIR")), Input::file("/nowhere/at all")]);
    let words: Vec<&str> = folder.problems.iter().map(|problem| problem.found.as_str()).collect();
    assert_eq!(words, ["a folder (hand over the files in it)", "no such file"]);
    let odd = read(&[Input::bytes("a\nb", "")]);
    assert!(!problems(&odd)[0].contains('\n'));
    // One file's trouble costs the others nothing.
    let mixed = read(&[Input::bytes("bad", ""), Input::bytes("good", "UseProxy : True\n")]);
    assert_eq!(configuration(&mixed), [(1, "UseProxy", "True")]);
}

#[test]
fn pasted_codes_are_normalised() {
    for given in ["sync fails with 0x80072ee2\n", "Result (80072EE2)\n", "it says -2147012894 only\n"] {
        let reading = text(given);
        let code = LoggedFailure::Code { code: "0x80072EE2".into() };
        assert_eq!(failures(&reading), [(1, "", &code, None, 1)], "{given}");
        assert_eq!(reading.kinds[0].1, Kind::PastedText);
    }
    assert!(failures(&text("HRESULT 0x80131509 of .NET\nand 0x800710dd\n")).is_empty());
}

#[test]
fn the_innermost_reason_decides() {
    use LoggedFailure::*;
    for (text_given, expected) in [
        (
            "System.Net.WebException: Unable to connect to the remote server ---> System.Net.Sockets.SocketException: No connection could be made because the target machine actively refused it 192.0.2.1:8530",
            ConnectRefused,
        ),
        (
            "The underlying connection was closed: An unexpected error occurred on a receive. ---> System.ComponentModel.Win32Exception: The client and server cannot communicate, because they do not possess a common algorithm",
            NoCommonAlgorithm,
        ),
        ("WebException: The request was aborted: Could not create SSL/TLS secure channel.", SecureChannel),
        (
            "The underlying connection was closed: Could not establish trust relationship for the SSL/TLS secure channel. ---> AuthenticationException: The remote certificate is invalid according to the validation procedure.",
            NotTrusted,
        ),
        (
            "System.Net.WebException: The proxy name could not be resolved: 'proxy.example.com'",
            ProxyNotResolved { host: "proxy.example.com".into() },
        ),
        (
            "System.Net.WebException: Der Remotename konnte nicht aufgelöst werden: 'sws.update.microsoft.com'",
            host("sws.update.microsoft.com"),
        ),
        (
            "System.Net.WebException: Le nom distant n'a pas pu être résolu: 'sws.update.microsoft.com'",
            host("sws.update.microsoft.com"),
        ),
        (
            "System.Net.WebException: The request failed with HTTP status 407: Proxy Authentication Required.",
            HttpStatus { code: 407 },
        ),
        (
            "System.Net.WebException: Le serveur distant a retourné une erreur : (502) Passerelle incorrecte.",
            HttpStatus { code: 502 },
        ),
        (
            "InvalidOperationException: Client found response content type of 'text/html', but expected 'text/xml'.",
            ContentType { content_type: "text/html".into() },
        ),
        ("System.Web.Services.Protocols.SoapException: Fault occurred", SoapFault { code: String::new() }),
        ("System.Net.WebException: Unable to connect to the remote server", ConnectFailed),
    ] {
        assert_eq!(failures(&text(text_given)), [(1, "", &expected, None, 1)], "{text_given}");
    }
}

#[test]
fn credentials_inside_urls_and_messages_are_hidden() {
    let reading = text(
        "MUUrl : https://user:Geheim-4711@host.example/x\nSystem.Net.WebException: Unable to connect to the remote server http://u:Geheim-4711@p:8080 Password=Geheim-4711; x\n",
    );
    let all = format!("{reading:?}");
    assert!(!all.contains("Geheim"), "{all}");
    assert_eq!(configuration(&reading)[0].2, "https://(hidden)host.example/x");
    // Without a scheme, in the cmdlet that sets it, and in a header.
    for line in [
        "System.Net.WebException: The remote name could not be resolved: 'svc:Geheim-4711@proxy.example'",
        "Get-WsusServer : $config.SetProxyPassword(\"Geheim-4711\") failed with WebException",
        "System.Net.WebException: Unable to connect to the remote server Proxy-Authorization: Basic Geheim-4711",
    ] {
        let all = format!("{:?}", text(line));
        assert!(!all.contains("Geheim"), "{all}");
    }
}

#[test]
fn what_a_mail_quotes_is_read() {
    let reading = text(
        "Hi,\n\n> SyncFromMicrosoftUpdate : True\n> > MUUrl : https://sws.update.microsoft.com\n\nregards\n",
    );
    assert_eq!(
        configuration(&reading),
        [(3, "SyncFromMicrosoftUpdate", "True"), (4, "MUUrl", "https://sws.update.microsoft.com")]
    );
}

#[test]
fn a_configuration_as_a_table_says_what_to_print() {
    let reading = text(
        "SyncFromMicrosoftUpdate IsReplicaServer MUUrl\n----------------------- --------------- -----\n",
    );
    assert!(problems(&reading)[0].contains("Format-List"), "{:?}", problems(&reading));
}

#[test]
fn a_saved_report_comes_back_and_a_newer_one_is_one_clear_error() {
    use wsusprobe::diagnosis::{Diagnosis, Verdict};
    use wsusprobe::evidence::Evidence;
    let diagnosis =
        Diagnosis { verdict: Verdict::Healthy, findings: vec![], ruled_out: vec![], unknown: vec![] };
    let report = wsusprobe::report::Report::new(diagnosis, Evidence::default());
    let json = serde_json::to_string_pretty(&report).unwrap();
    let reading = text(json.clone());
    assert_eq!(reading.saved, [report]);
    assert_eq!(reading.kinds[0].1, Kind::Saved);
    assert!(reading.facts.is_empty());
    let newer = text(json.replace("\"schema\": 1", "\"schema\": 2"));
    assert_eq!(
        problems(&newer),
        [
            "given:2: expected a saved report of schema 1, found schema 2, which a newer version of this program wrote"
        ]
    );
    assert!(newer.saved.is_empty());
}

#[test]
fn no_prefix_of_a_fixture_panics_or_tells_a_secret() {
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for end in 0..bytes.len() {
            let reading = text(&bytes[..end]);
            let all = format!("{reading:?}");
            assert!(!all.contains("Geheim-4"), "{} cut at {end}: {all}", path.display());
        }
    }
}

mod hostile {
    use proptest::prelude::*;
    use wsusprobe::facts::{Input, Statement, read};

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            read(&[Input::bytes("x", bytes)]);
        }

        #[test]
        fn any_lines(lines in proptest::collection::vec(
            prop_oneof![
                "[ -~]{0,80}",
                "\\PC{0,40}",
                Just("UseProxy : x\u{1b}[31m".to_string()),
                Just("2026-03-04 05:00:00.001 UTC\tError\tw3wp.4\tA.B\tEventId=501,Type=Error,Category=X,Message=Exception".to_string()),
                Just("   at ServerSyncLib.Authenticate the underlying connection was closed".to_string()),
                Just("Current WinHTTP proxy settings:".to_string()),
                Just("    a : b=c;d".to_string()),
                Just("Resolve-DnsName : x : y".to_string()),
                Just("Name Type TTL Section IPAddress".to_string()),
                Just("Import-Module : UpdateServices".to_string()),
                Just("{".to_string()),
                Just("<Objs>".to_string()),
            ],
            0..30,
        )) {
            let reading = read(&[Input::bytes("x", lines.join("\n"))]);
            for fact in &reading.facts {
                let shown = match &fact.statement {
                    Statement::Config { value, .. } => value.clone(),
                    Statement::LogFailure { excerpt, .. } => excerpt.clone(),
                    Statement::Unreadable { found, .. } => found.clone(),
                    _ => String::new(),
                };
                prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
            }
        }

        #[test]
        fn any_change_of_a_fixture(which in 0usize..64, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut names: Vec<_> = std::fs::read_dir(super::fixture("")).unwrap().map(|e| e.unwrap().path()).collect();
            names.sort();
            let mut bytes = std::fs::read(&names[which % names.len()]).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            read(&[Input::bytes("x", bytes)]);
        }
    }
}

/// The published cases: their folder is named by WSUSPROBE_SHARED.
mod published {
    use super::*;

    #[allow(clippy::disallowed_methods)]
    fn case(test: &str, name: &str) -> Option<Reading> {
        let Ok(shared) = std::env::var("WSUSPROBE_SHARED") else {
            println!("skipped {test}: WSUSPROBE_SHARED is not set");
            return None;
        };
        let path = Path::new(&shared).join("cases").join(name);
        let reading = read(&[Input::file(path.to_str().unwrap())]);
        assert!(reading.problems.is_empty(), "{name}: {:?}", reading.problems);
        Some(reading)
    }

    fn only(name: &str, expected: &[(u32, &str, LoggedFailure, Option<Phase>, u64)]) {
        let Some(reading) = case("published failures", name) else { return };
        let expected: Vec<_> = expected.iter().map(|(l, p, f, phase, n)| (*l, *p, f, *phase, *n)).collect();
        assert_eq!(failures(&reading), expected, "{name}");
    }

    fn elsewhere(name: &str, part: ElsewherePart) {
        let Some(reading) = case("published cases of other parts", name) else { return };
        let parts: Vec<_> = reading
            .facts
            .iter()
            .filter_map(|fact| match fact.statement {
                Statement::Elsewhere { part, .. } => Some(part),
                _ => None,
            })
            .collect();
        assert_eq!(parts, [part], "{name}");
    }

    #[test]
    fn failures_of_synchronization() {
        use LoggedFailure::*;
        only("01-import-tls10-reset-softwaredistribution.txt", &[(1, "", ConnectionBroken, None, 1)]);
        only("03-sync-2012r2-no-monthly-rollup.txt", &[(1, "", ConnectionBroken, None, 1)]);
        only("04-wsyncmgr-surface-drivers-import.txt", &[(3, "", ConnectionBroken, Some(Phase::Import), 2)]);
        only("05-cipher-suite-order-gpo.txt", &[(1, "", ConnectionBroken, None, 1)]);
        let fault = SoapFault { code: "InternalServerError".into() };
        only("07-fe2-softwaredistribution-log.txt", &[(13, "WsusService", fault, Some(Phase::Metadata), 2)]);
        let fe2 = host("fe2.update.microsoft.com");
        only("08-dns-fe2-eventhistory.txt", &[(3, "", fe2, Some(Phase::FirstContact), 2)]);
        only("09-cert-800b0109-sha2.txt", &[(1, "", RootCheck, None, 1), (2, "", NotTrusted, None, 1)]);
        only("18-shared-susdb-timeout.txt", &[(1, "", ConnectTimeout, None, 1)]);
    }

    #[test]
    fn the_endpoint_in_the_actor() {
        let Some(reading) = case("the_endpoint_in_the_actor", "07-fe2-softwaredistribution-log.txt") else {
            return;
        };
        assert_eq!(reading.facts[0].statement, Statement::Log { lines: 20, startup: None, schannel: false });
        let endpoints: Vec<_> =
            FactView::new(&reading.facts).endpoints().into_iter().map(|(_, url)| url).collect();
        assert_eq!(
            endpoints,
            ["https://fe2.update.microsoft.com/v6/ServerSyncWebService/ServerSyncWebService.asmx"]
        );
    }

    #[test]
    fn the_failed_synchronization_of_an_event() {
        let Some(reading) = case("the_failed_synchronization_of_an_event", "08-dns-fe2-eventhistory.txt")
        else {
            return;
        };
        let reason = "The remote name could not be resolved: 'fe2.update.microsoft.com'".to_string();
        assert_eq!(stated(&reading)[1], (Some(18), &Statement::LogSync { event: SyncEvent::Failed, reason }));
    }

    #[test]
    fn other_parts() {
        elsewhere("04-wsyncmgr-surface-drivers-import.txt", ElsewherePart::ConfigurationManager);
        elsewhere("13-httperr-appoffline.txt", ElsewherePart::Iis);
        elsewhere("15-import-unexpected-eof.txt", ElsewherePart::Import);
        elsewhere("16-507-kb3159706-german.txt", ElsewherePart::ServiceStart);
        elsewhere("20-content-401-3-acl.txt", ElsewherePart::Content);
        elsewhere("28-wsyncmgr-ci-files-unique.txt", ElsewherePart::ConfigurationManager);
        elsewhere("29-wsyncmgr-ci-documentstore.txt", ElsewherePart::ConfigurationManager);
        elsewhere("31-client-invalidparameters-400.txt", ElsewherePart::ClientScan);
        elsewhere("32-client-simpleauth-503.txt", ElsewherePart::ClientScan);
        elsewhere("35-client-407-proxy-pac.txt", ElsewherePart::ClientScan);
        for name in [
            "28-wsyncmgr-ci-files-unique.txt",
            "29-wsyncmgr-ci-documentstore.txt",
            "35-client-407-proxy-pac.txt",
        ] {
            only(name, &[]);
        }
        if let Some(client) = case("other_parts", "30-client-soapfault-kb954960.txt") {
            assert_eq!(
                stated(&client),
                [(Some(1), &Statement::ClientLog { log: "WindowsUpdate.log".into() })]
            );
        }
    }

    #[test]
    fn the_console_alone() {
        for (name, excerpt) in [
            ("12-503-adminproxy-wsuspool.txt", "Message: The request failed with HTTP status 503"),
            ("13b-console-remote-api.txt", "The WSUS administration console was unable to connect"),
            (
                "22-http400-ssl-required.txt",
                "Get-WsusClassification : The request failed with HTTP status 400",
            ),
            (
                "24-trust-cleanup-unresolved.txt",
                "Invoke-WsusServerCleanup : The underlying connection was closed",
            ),
            ("25-centreon-french-reset.txt", "System.Management.Automation.MethodInvocationException"),
        ] {
            let Some(reading) = case("the_console_alone", name) else { return };
            let facts = stated(&reading);
            assert!(
                matches!(facts[..], [(Some(1), Statement::Console { excerpt: found })] if found.starts_with(excerpt)),
                "{name}: {facts:?}"
            );
        }
    }

    #[test]
    fn a_healthy_log_has_no_failure() {
        let Some(reading) = case("a_healthy_log_has_no_failure", "36-baseline-success.txt") else { return };
        let step = |event| Statement::LogSync { event, reason: String::new() };
        assert_eq!(
            stated(&reading),
            [
                (None, &Statement::Log { lines: 2, startup: None, schannel: false }),
                (Some(1), &step(SyncEvent::Started)),
                (Some(2), &step(SyncEvent::Succeeded))
            ]
        );
        let time = "2014-01-16T18:55:05.166Z".parse().unwrap();
        assert_eq!(reading.facts[2].time, Some(time));
    }
}
