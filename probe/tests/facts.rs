//! What the readers make of each form of file.

use std::path::{Path, PathBuf};

use wsusprobe::evidence::NameAnswer;
use wsusprobe::facts::{
    ElsewherePart, Fact, FactView, Input, Kind, LoggedFailure, Phase, Reading, RegistryValue, SchannelState,
    Statement, SyncEvent, read,
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
fn a_proxy_of_winhttp_that_is_not_there_is_no_direct_access() {
    let stated = |given: &str| {
        let reading = text(given);
        let told =
            reading.facts.iter().filter(|fact| matches!(fact.statement, Statement::WinHttpProxy { .. }));
        (told.count(), reading.problems.iter().map(|problem| problem.line).collect::<Vec<_>>())
    };
    let german = "Aktuelle WinHTTP-Proxyeinstellungen:\n\n    Proxyserver:";
    let english = "Current WinHTTP proxy settings:\n\n    Proxy Server(s) :";
    for head in [german, english] {
        for rest in [
            "",
            "\n",
            "   ",
            "\n    proxy.example.com:8080\n    Bypass List     :  (none)\n",
            "\n  http=proxy:8080\n",
        ] {
            assert_eq!(stated(&format!("{head}{rest}")), (0, vec![Some(3)]), "{rest:?}");
        }
        for end in [head.len() - 1, head.len() - 6] {
            assert_eq!(stated(&head[..end]), (0, vec![Some(3)]), "{}", &head[..end]);
        }
        assert_eq!(stated(&format!("{head}  proxy.example.com:8080\n")), (1, vec![]));
    }
    for direct in ["Direktzugriff (kein Proxyserver).", "Direct access (no proxy server)."] {
        assert_eq!(stated(&format!("Current WinHTTP proxy settings:\n\n    {direct}")), (1, vec![]));
    }
}

#[test]
fn an_answer_that_was_cut_has_not_no_address() {
    let table = "Name                           Type   TTL   Section    NameHost\n\
        ----                           ----   ---   -------    --------\n\
        sws.example.com                CNAME  3600  Answer     sws.example.net\n";
    let record = "\nName       : sws.example.net\nQueryType  : A\nTTL        : 300\nSection    : Answer\nIP4Address : ";
    let answers = |given: &str| {
        let answers = text(given).facts.into_iter().filter_map(|fact| match fact.statement {
            Statement::Resolved { answer, .. } => Some(answer),
            _ => None,
        });
        answers.collect::<Vec<_>>()
    };
    for end in 2..=record.len() {
        let given = format!("{table}{}", &record[..end]);
        assert_eq!(answers(&given), [], "{end}");
        assert_eq!(text(&*given).problems.len(), 1, "{end} {:?}", text(&*given).problems);
    }
    assert!(matches!(answers(&format!("{table}{record}192.0.2.1"))[..], [NameAnswer::Addresses { .. }]));
    // The prompt below says that this was all.
    assert_eq!(answers(&format!("{table}\n\nPS C:\\>\n")), [NameAnswer::NoAddress]);
    let soa = "\nName       : example.net\nQueryType  : SOA\nTTL        : 300\nSection    : Authority\n";
    assert!(answers(&format!("{table}{soa}")).contains(&NameAnswer::NoAddress));
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
            Statement::LogSync { event, reason, .. } => {
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
        "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Cryptography\\Configuration\\SSL\\00010002]\n\"Functions\"=\"TLS_A_B,\n".into(),
        "\"Functions\"=hex(7):54,00,\\\n  00,00\n".into(),
        "    Functions    REG_MULTI_SZ    TLS_A\\0TLS_B\n".into(),
        "Name\n----\nTLS_A_B\n".into(),
        "Name : TLS_A_B\n".into(),
        "TLS_A_B,\n".into(),
        "TLS_A_B,".into(),
        "TLS_A_B,TLS_C_D\n\n".into(),
        "<q1:Policy><q1:State/><q1:Value>TLS_A_B</q1:Value></q1:Policy>".into(),
        "<q1:Value>TLS_A_B</q1:Value>".into(),
        "<td>TLS_A_B".into(),
        "<tr><td>TLS_A_B".into(),
        "<td gpmc_settingName='SSL Cipher Suite Order'><tr><td>TLS_A_B".into(),
        "<td x=\"".into(),
        "<td x='\" ".into(),
        "<table>".into(),
    ] {
        let opening = match unit.as_bytes()[0] {
            b'{' => "[",
            b'[' | b'"' => "Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\FipsAlgorithmPolicy]\n",
            b' ' if unit.contains("REG_") => "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\FipsAlgorithmPolicy\n",
            b'<' if unit.starts_with("<q1:") => "<Rsop><q1:Policy>",
            b'<' if unit.starts_with("<t") => "<html><!-- gpmc_ --><table><tr><td gpmc_settingName=x>",
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
fn beginnings_of_documents_that_are_none_are_looked_at_within_bounds() {
    let lines = "some line of a text &amp; more\n".repeat(30_000);
    let document = "{\"UseProxy\": true}\n";
    for begin in ["<Events>\n", "<?xml version=\"1.0\"?>\n<a>\n", "{\"a\":\n"] {
        let few = text(format!("text\n{}{lines}{document}", begin.repeat(5)));
        assert_eq!(few.problems, [], "{begin}");
        assert_eq!(configuration(&few).len(), 1, "{begin}");
    }
    let many = text(format!("text\n{}{lines}{document}", "<Events>\n".repeat(40)));
    assert_eq!(configuration(&many), []);
    assert_eq!(many.problems.len(), 1, "{:?}", many.problems);
}

#[test]
fn what_an_event_quotes_is_not_what_its_server_printed() {
    let event = "Log Name:      Application\nSource:        SomeApp\nDate:          3/15/2026 2:00:42 AM\n\
        Event ID:      1000\nTask Category: None\nLevel:         Error\nKeywords:      Classic\nUser:          N/A\n\
        Computer:      OTHER.example.com\nDescription:\nThe agent's settings:\n";
    for held in
        ["{\n  \"UseProxy\": true,\n  \"ProxyName\": \"agent\"\n}\n", "UseProxy : True\nProxyName : agent\n"]
    {
        assert_eq!(configuration(&text(format!("{event}{held}"))), [], "{held}");
        // Below an empty line or a prompt it is.
        for apart in ["\n", "PS C:\\> $config\n"] {
            let reading = text(format!("{event}{apart}{held}"));
            let lines: Vec<_> = configuration(&reading).iter().map(|(line, ..)| *line).collect();
            let first = if held.starts_with('{') { 14 } else { 13 };
            assert_eq!(lines, [first, first + 1], "{apart:?} {held}");
        }
        let both = text(format!("{event}{held}\nUseProxy : False\n"));
        let values: Vec<_> = configuration(&both).iter().map(|(.., value)| *value).collect();
        assert_eq!(values, ["False"], "{held}");
    }
}

#[test]
fn what_follows_a_document_that_begins_a_file_is_read() {
    let documents = [
        "{\n\"UseProxy\": true\n}".to_string(),
        "<Objs><Obj><Props><B N=\"UseProxy\">true</B></Props></Obj></Objs>".into(),
        "<?xml version=\"1.0\"?>\n<configuration><system.applicationHost/></configuration>".into(),
        "<Events><Event xmlns='x'><System><EventID>1</EventID></System></Event></Events>".into(),
        read_utf16(&bytes_of("gpresult-german.html")).trim_end().to_string(),
    ];
    let step = "2026-03-26 02:05:42.500 UTC\tInfo\tWsusService.15\tEventLogEventReporter.ReportEvent\tEventId=384,Type=Information,Category=Synchronization,Message=Synchronization completed successfully.\n";
    for document in documents {
        let alone = text(document.clone());
        let lines = document.lines().count() as u32;
        let reading = text(format!("{document}\n\nPS C:\\> $config\nIsReplicaServer : True\n{step}"));
        assert_eq!(reading.problems, alone.problems, "{document}");
        let last = configuration(&reading).last().copied();
        assert_eq!(last, Some((lines + 3, "IsReplicaServer", "True")), "{document}");
        assert_eq!(configuration(&reading).len(), configuration(&alone).len() + 1, "{document}");
        assert_eq!(steps(&reading).len(), steps(&alone).len() + 1, "{document}");
    }
    // Of a damaged document nobody knows where it ends.
    for damaged in ["{\"UseProxy\": true\n", "{\"UseProxy\": true}\n}\n", "<Objs><Obj></Objs>\n"] {
        let reading = text(format!("{damaged}IsReplicaServer : True\n"));
        assert_eq!(reading.problems.len(), 1, "{damaged}");
        assert!(configuration(&reading).iter().all(|(_, name, _)| *name == "UseProxy"), "{damaged}");
    }
}

#[test]
fn lines_below_a_log_of_configuration_manager_keep_their_numbers() {
    let log = "<![LOG[Sync failed]LOG]!><time=\"02:00:42.320-60\" date=\"03-05-2026\" component=\"SMS_WSUS_SYNC_MANAGER\" context=\"\" type=\"3\" thread=\"1\" file=\"a\">\n";
    let list = "\nUseProxy          : True\nProxyName         : proxy\nProxyServerPort   : 8080\n";
    let once = format!("{}{list}", log.repeat(4));
    let lines = |given: &str| configuration(&text(given)).iter().map(|(line, ..)| *line).collect::<Vec<_>>();
    assert_eq!(lines(&once), [6, 7, 8]);
    // Mail puts an empty line below each.
    assert_eq!(lines(&once.replace('\n', "\n\n")), [11, 13, 15]);
}

#[test]
fn a_document_far_below_is_read_as_a_whole() {
    let event = |id: u32| {
        format!(
            "<Event xmlns='x'>\n<System><Provider Name='a'/><EventID>{id}</EventID><Computer>HOST{}</Computer></System>\n</Event>\n",
            id % 4
        )
    };
    let events = format!("<Events>\n{}</Events>\n", (0..12_000).map(event).collect::<String>());
    let json = format!(
        "{{\n\"UseProxy\": true,\n{}\"ProxyName\": \"proxy\"\n}}\n",
        "\"Other\": \"value\",\n".repeat(60_000)
    );
    for (above, mark) in [(0, ""), (1500, ""), (1500, "> "), (20_000, "")] {
        for document in [&json, &events] {
            let text_above = "some line of a text that says nothing, but is long enough\n".repeat(above);
            let given: String = format!("{text_above}{document}IsReplicaServer : True\n")
                .lines()
                .map(|line| format!("{mark}{line}\n"))
                .collect();
            let reading = text(given);
            assert_eq!(reading.problems, [], "{above} {mark:?}");
            let names: Vec<_> = configuration(&reading).iter().map(|(_, name, _)| *name).collect();
            let expected: &[&str] = if document == &json {
                &["UseProxy", "ProxyName", "IsReplicaServer"]
            } else {
                &["IsReplicaServer"]
            };
            assert_eq!(names, expected, "{above} {mark:?}");
        }
    }
}

#[test]
fn what_stands_below_a_long_log_is_read() {
    let line = "2026-03-25 02:05:42.500 UTC\tInfo\tWsusService.15\tA.B\tnothing\n";
    let ended = "2026-03-26 02:05:42.500 UTC\tInfo\tWsusService.15\tEventLogEventReporter.ReportEvent\tEventId=384,Type=Information,Category=Synchronization,Message=Synchronization completed successfully.\n";
    let failed = "2026-03-26 02:04:42.500 UTC\tError\tWsusService.15\tA.B\tSystem.Net.WebException: x\n\nReason: The operation has timed out\n";
    let log = line.repeat(20_000);
    for below in ["PS C:\\> $config\nUseProxy : True\n", "UseProxy : True\n", "{\n\"UseProxy\": true\n}\n"] {
        let apart = if below.starts_with('U') { "\n" } else { "" };
        let reading = text(format!("{log}{failed}{apart}{below}{ended}"));
        assert_eq!(configuration(&reading), [(20_005, "UseProxy", "True")], "{below}");
        assert_eq!(steps(&reading).len(), 1, "{below}");
        // An entry may hold an empty line.
        let alone = text(format!("{log}{failed}{ended}"));
        assert_eq!(failures(&reading), failures(&alone), "{below}");
        assert_eq!(reading.problems, []);
    }
}

#[test]
fn a_document_may_be_announced() {
    let document = "{\n  \"UseProxy\": true,\n  \"ProxyName\": \"proxy\"\n}\n";
    for above in ["Here is our configuration:\n", "Configuration:\n\n", "config.json:\n```json\n"] {
        assert_eq!(configuration(&text(format!("{above}{document}"))).len(), 2, "{above}");
    }
    // An event's own XML, which its copy announces, is no second event.
    let copy = "Log Name:      Application\nSource:        Windows Server Update Services\n\
        Date:          3/15/2026 2:00:42 AM\nEvent ID:      386\nTask Category: 1\nLevel:         Error\n\
        Keywords:      Classic\nUser:          N/A\nComputer:      WSUS01\nDescription:\nSynchronization failed.\n\
        Event Xml:\n";
    let xml = "<Event xmlns='x'><System><Provider Name='Windows Server Update Services'/><EventID>386</EventID>\
        <TimeCreated SystemTime='2026-03-15T01:00:42.000Z'/></System><EventData><Data>The operation has timed out\
        </Data></EventData></Event>\n";
    assert_eq!(failures(&text(format!("{copy}{xml}"))), []);
    assert_eq!(failures(&text(format!("The event:\n{xml}"))).len(), 1);
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
        // What stands below is the server's own all the same.
        let log = String::from_utf8_lossy(&bytes_of(name)).into_owned();
        let lines = log.lines().count() as u32;
        for below in [
            "{\n\"UseProxy\": true\n}\n",
            "Current WinHTTP proxy settings:\n\n    Direct access (no proxy server).\n",
            "Status   Name               DisplayName\n------   ----               -----------\nStopped  WsusService        WSUS Service\n",
        ] {
            let reading = text(format!("{}\n\n{below}", log.trim_end()));
            let told: Vec<_> = stated(&reading).into_iter().map(|(line, _)| line.unwrap() > lines).collect();
            assert!(
                told.len() == 2 && told.contains(&false) && told.contains(&true),
                "{name} {below} {:?}",
                reading.facts
            );
        }
    }
}

#[test]
fn configuration_manager_and_events_tell_of_synchronization_too() {
    let manager = reading("wsyncmgr.log");
    assert_eq!(
        failures(&manager),
        [(1, "SMS_WSUS_SYNC_MANAGER", &host("sws.update.microsoft.com"), Some(Phase::FirstContact), 1)]
    );
    assert!(manager.facts.iter().any(|fact| matches!(&fact.statement, Statement::LogSync { event: SyncEvent::Failed, reason, .. }
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

/// The steps that a reading tells of, each with who logged it.
fn steps(reading: &Reading) -> Vec<(SyncEvent, &str)> {
    let steps = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::LogSync { event, process, .. } => Some((*event, process.as_str())),
        _ => None,
    });
    steps.collect()
}

#[test]
fn what_configuration_manager_does_after_the_server_s_run_is_none_of_that_run() {
    const WSUS: &str =
        "Microsoft.SystemsManagementServer.SoftwareUpdatesManagement.WsusSyncAction.WSyncAction";
    let line = |text: &str| {
        format!("{text}  $$<SMS_WSUS_SYNC_MANAGER><06-15-2026 03:00:12.123+240><thread=4100 (0x1004)>\n")
    };
    let message = |step: &str, error: &str| {
        line(&format!(
            "STATMSG: ID=6703 SEV=E LEV=M SOURCE=\"SMS Server\" ISTR0=\"{step}\" ISTR1=\"{error}\""
        ))
    };
    let uss = "UssCommunicationError: WebException: The operation has timed out";
    let some = "Failed to sync some of the updates";
    let own = [
        line(&format!("Sync failed: {some}. Source: {WSUS}.SyncUpdates")),
        line(
            "Sync failed: WSUS server not configured. Please refer to WCM.log for details.. Source: CWSyncMgr::DoSync",
        ),
        line(&format!("Sync failed: {some}")),
        message(&format!("{WSUS}.SyncUpdates"), some),
        message("", some),
        line(&format!("Sync failed: {some}. Source: {WSUS}.SyncUpdates")) + &message("", ""),
    ];
    for log in &own {
        let reading = text(log.as_str());
        assert!(steps(&reading).is_empty(), "{log}");
        let part = ElsewherePart::ConfigurationManager;
        let told =
            |fact: &Fact| matches!(&fact.statement, Statement::Elsewhere { part: its, .. } if *its == part);
        assert!(reading.facts.iter().any(told), "{log}");
    }
    let server = [
        line(&format!("Sync failed: {uss}~~at System.Net. Source: {WSUS}.SyncWSUS")),
        line(&format!("Sync failed: {uss}")),
        message(&format!("{WSUS}.SyncWSUS"), uss),
        line(&format!("Sync failed: {uss}. Source: {WSUS}.SyncWSUS")) + &message("", ""),
    ];
    for log in &server {
        assert_eq!(steps(&text(log.as_str())), [(SyncEvent::Failed, "SMS_WSUS_SYNC_MANAGER")], "{log}");
    }
}

#[test]
fn a_step_says_who_logged_it() {
    let log = "2026-06-15 03:00:00.000 UTC\tInfo\tWsusService.15\tEventLogEventReporter.ReportEvent\tEventId=384,Type=Information,Category=Synchronization,Message=Synchronization completed successfully.\n";
    assert_eq!(steps(&text(log)), [(SyncEvent::Succeeded, "WsusService")]);
    assert_eq!(steps(&reading("events.xml")), [(SyncEvent::Failed, ""), (SyncEvent::Succeeded, "")]);
}

/// The events that a reading tells of: their numbers, times and how many each stands for.
fn events(reading: &Reading) -> Vec<(u32, String, u64)> {
    let events = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::Event { event, count, .. } => {
            Some((*event, fact.time.map_or(String::new(), |time| time.to_string()), *count))
        }
        _ => None,
    });
    events.collect()
}

#[test]
fn of_what_may_change_a_server_each_event_is_told_and_of_the_rest_the_last() {
    let row = |day: u32, id: u32, provider: &str| {
        format!("\"2026-05-{day:02}T01:00:00Z\",\"{id}\",\"Information\",\"{provider}\",\"WSUS1\",\"text\"\n")
    };
    let head = "\"TimeCreated\",\"Id\",\"LevelDisplayName\",\"ProviderName\",\"MachineName\",\"Message\"\n";
    let kernel = "Microsoft-Windows-Kernel-General";
    let wsus = "Windows Server Update Services";
    // The newest stands first.
    let rows = [(14, 1, kernel), (13, 10022, wsus), (12, 10022, wsus), (11, 1, kernel)];
    let csv: String = rows.iter().map(|(day, id, provider)| row(*day, *id, provider)).collect();
    let day = |day: u32| format!("2026-05-{day:02}T01:00:00Z");
    assert_eq!(
        events(&text(format!("{head}{csv}"))),
        [(1, day(14), 1), (10022, day(13), 2), (1, day(11), 1)]
    );
    // Of very many the latest, and the earliest of them stands for those before it.
    for newest_first in [true, false] {
        let mut days: Vec<u32> = (1..=20).collect();
        if newest_first {
            days.reverse();
        }
        let csv: String = days.iter().map(|day| row(*day, 1, kernel)).collect();
        let mut told = events(&text(format!("{head}{csv}")));
        told.sort_by(|one, other| one.1.cmp(&other.1));
        let expected: Vec<_> = (5..=20).map(|at| (1, day(at), if at == 5 { 5 } else { 1 })).collect();
        assert_eq!(told, expected, "{newest_first}");
    }
}

#[test]
fn a_log_s_events_are_in_the_order_of_its_lines() {
    let line = |time: &str, id: u32| {
        format!(
            "{time} UTC\tInfo\tWsusService.1\tEventLogEventReporter.ReportEvent\tEventId={id},Type=Warning,Category=x,Message=text\n"
        )
    };
    // Its clock was set back between them.
    let log = line("2026-06-16 03:00:00.000", 10021)
        + &line("2026-06-15 11:00:00.000", 10021)
        + &line("2026-06-15 11:30:00.000", 501)
        + &line("2026-06-15 11:40:00.000", 501);
    let time = |time: &str| format!("2026-06-15T{time}Z");
    assert_eq!(
        events(&text(log)),
        [(10021, time("11:00:00"), 2), (501, time("11:30:00"), 1), (501, time("11:40:00"), 1)]
    );
}

#[test]
fn a_file_that_did_not_download_is_told_apart_from_a_run_that_failed_alike() {
    let line = |id: u32, message: &str| {
        format!(
            "2026-06-15 03:00:00.000 UTC\tError\tWsusService.1\tEventLogEventReporter.ReportEvent\tEventId={id},Type=Error,Category=Synchronization,Message={message}\n"
        )
    };
    let content = line(364, "Content file download failed. Reason: The operation has timed out");
    let run = line(386, "Synchronization failed. Reason: The operation has timed out.");
    let reading = text(content + &run);
    let told: Vec<_> = failures(&reading).into_iter().map(|(line, .., phase, _)| (line, phase)).collect();
    assert_eq!(told, [(1, Some(Phase::Content)), (2, None)]);
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
        [
            (Some(3), &version("6.2.20348.143")),
            (Some(2), &Statement::ServerName { name: "w".into() }),
            (Some(6), &version("Windows Server 2012 R2"))
        ]
    );
    assert_eq!(FactView::new(&reading.facts[..1]).version_is_2012_family(), Some(false));
    assert_eq!(FactView::new(&reading.facts[2..]).version_is_2012_family(), Some(true));
    assert_eq!(
        FactView::new(&reading.facts).version_is_2012_family(),
        None,
        "one of them is another machine's"
    );
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
    assert_eq!(found(b"PK\x03\x04...."), ["a damaged one (Missing end of central directory)"]);
    assert_eq!(found(b"ElfFile\0...."), ["one that ends in its header"]);
    assert_eq!(found(b"MZ\x90\0\x03\0"), ["a Windows program or library"]);
    assert_eq!(found(b"MSCF\0\0\0\0"), ["a cabinet"]);
    assert_eq!(found(b"abc\0\x01\x02"), ["an unknown binary format"]);
    assert_eq!(found(b"to buy:\x07 milk\n"), ["text of another kind that begins `to buy:\\u{7} milk`"]);
    assert_eq!(found(b"{\"a\": 1}"), ["JSON of another kind"]);
    let missing = read(&[Input::file("/nowhere/at all")]);
    let words: Vec<&str> = missing.problems.iter().map(|problem| problem.found.as_str()).collect();
    assert_eq!(words, ["no such file"]);
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
fn what_mail_and_markdown_put_around_a_text_costs_nothing_of_it() {
    let names = [
        "config-list.txt",
        "winhttp-english.txt",
        "winhttp-german-direct.txt",
        "service.log",
        "change.log",
        "wsyncmgr.log",
        "wsyncmgr-tagged.log",
        "u_ex260304.log",
        "httperr1.log",
        "events-german.txt",
        "cipher-suites-table.txt",
        "port-test.txt",
        "resolve.txt",
    ];
    for name in names {
        let plain = String::from_utf8(bytes_of(name)).unwrap();
        let expected = reading(name);
        assert!(!expected.facts.is_empty());
        let each = |begin: &str| plain.lines().map(|line| format!("{begin}{line}\n")).collect::<String>();
        let broken = plain.replace("  ", "\u{a0}\u{a0}");
        for wrapped in [each("> "), each(">\u{a0}"), each("    "), each("\t"), each("> \t"), broken] {
            let other = read(&[Input::bytes(name, wrapped.clone())]);
            assert_eq!(other.facts, expected.facts, "{name} as {wrapped}");
        }
    }
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
        // Of a long one every fifth: of UTF-16 that is every second whole character too.
        let step = if bytes.len() > 2000 { 5 } else { 1 };
        for end in (0..bytes.len()).step_by(step) {
            let reading = text(&bytes[..end]);
            let all = format!("{reading:?}");
            assert!(!all.contains("Geheim-4"), "{} cut at {end}: {all}", path.display());
        }
    }
}

/// Values of the registry: the line, the end of the key, the name, what it holds.
fn registry(reading: &Reading) -> Vec<(u32, &str, &str, String)> {
    let values = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::Registry { key, name, value } => {
            assert!(key.starts_with("HKLM\\"), "{key}");
            let end = key.rmatch_indices('\\').nth(1).map_or(0, |(at, _)| at + 1);
            let value = match value {
                RegistryValue::Number { value } => value.to_string(),
                RegistryValue::Text { value } => format!("'{value}'"),
                RegistryValue::List { values } => values.join("|"),
            };
            Some((fact.source.line.unwrap_or(0), &key[end..], name.as_str(), value))
        }
        _ => None,
    });
    values.collect()
}

/// Orders of suites and curves: the line, the policy, its state, the names, how long the value is.
fn orders(reading: &Reading) -> Vec<(u32, &str, &str, String, u32)> {
    let orders = reading.facts.iter().filter_map(|fact| {
        let line = fact.source.line.unwrap_or(0);
        match &fact.statement {
            Statement::CipherOrder { policy, suites, characters, state } => {
                Some((line, policy.as_str(), state.as_str(), suites.join("|"), *characters))
            }
            Statement::CurveOrder { policy, curves, state } => {
                Some((line, policy.as_str(), state.as_str(), curves.join("|"), 0))
            }
            _ => None,
        }
    });
    orders.collect()
}

fn listings(reading: &Reading) -> Vec<(u32, String)> {
    let listings = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::CipherSuites { names } => Some((fact.source.line.unwrap_or(0), names.join("|"))),
        _ => None,
    });
    listings.collect()
}

#[test]
fn a_reg_file_keeps_the_keys_that_decide() {
    let reading = reading("schannel.reg");
    assert_eq!(reading.kinds[0].1, Kind::Registry);
    assert!(reading.problems.is_empty(), "{:?}", reading.problems);
    let own = |values: Vec<(u32, &'static str, &'static str, &str)>| {
        values.into_iter().map(|(l, k, n, v)| (l, k, n, v.to_string())).collect::<Vec<_>>()
    };
    let order = "'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'";
    assert_eq!(
        registry(&reading),
        own(vec![
            (8, r"Ciphers\RC4 128/128", "Enabled", "0"),
            (13, r"TLS 1.2\Client", "Enabled", "4294967295"),
            (14, r"TLS 1.2\Client", "DisabledByDefault", "0"),
            (20, r"SSL\00010002", "Functions", order),
            (21, r"SSL\00010002", "EccCurves", "NistP256|curve25519"),
            (25, r"SSL\00010003", "Functions", "RSAE-PSS/SHA256"),
            (30, r".NETFramework\v4.0.30319", "SchUseStrongCrypto", "1"),
            (31, r".NETFramework\v4.0.30319", "SystemDefaultTlsVersions", "1"),
            (34, r"Windows NT\CurrentVersion", "ProductName", "'Windows Server 2016 Standard'"),
            (35, r"Windows NT\CurrentVersion", "UBR", "8000"),
        ])
    );
    assert!(
        reading.facts.iter().any(|fact| matches!(&fact.statement,
            Statement::Registry { key, .. } if key.starts_with(r"HKLM\SOFTWARE\WOW6432Node\"))),
        "the key stands as printed"
    );
    assert_eq!(FactView::new(&reading.facts).build().map(|(_, build)| build), Some(14393));
    // A file of keys that decide nothing is known all the same.
    let other = text("REGEDIT4\r\n\r\n[HKEY_CURRENT_USER\\Software\\x]\r\n\"a\"=dword:1\r\n");
    assert!(other.facts.is_empty() && other.problems.is_empty());
    assert_eq!(other.kinds[0].1, Kind::Registry);
    let ansi = text(
        "REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Cryptography\\Configuration\\Local\\SSL\\00010002]\n\"Functions\"=hex(7):54,4c,53,5f,41,\\\n  00,54,4c,53,5f,42,00,00\n",
    );
    assert_eq!(registry(&ansi)[0].3, "TLS_A|TLS_B");
}

#[test]
fn a_reg_file_cut_anywhere_loses_only_the_value_that_was_cut() {
    let bytes = bytes_of("schannel.reg");
    let whole = reading("schannel.reg");
    let all = registry(&whole);
    let file = read_utf16(&bytes);
    let lines: Vec<&str> = file.lines().collect();
    for end in (2..bytes.len()).step_by(2) {
        let given = read_utf16(&bytes[..end]);
        let line = given.lines().count();
        let cut = text(&bytes[..end]);
        let kept = registry(&cut);
        assert!(all.starts_with(&kept), "{end}: {kept:?}");
        // The values before the line that was cut.
        let before = all.iter().filter(|value| (value.0 as usize) < line);
        let before = before.filter(|value| (value.0 as usize..line).any(|at| !lines[at - 1].ends_with('\\')));
        assert!(kept.len() >= before.count(), "{end}: {kept:?}");
        let last = given.lines().next_back().unwrap_or_default().trim_end_matches('\r');
        let is_whole = line == 0 || last == lines[line - 1] && !last.ends_with('\\');
        if line < 4 || is_whole {
            assert!(line < 4 || cut.problems.is_empty(), "{end}: {last:?}: {:?}", cut.problems);
        } else if line < lines.len() - 2 && !last.is_empty() && !last.ends_with("00,0") {
            assert_eq!(cut.problems.len(), 1, "{end}: {last:?}");
            assert_eq!(cut.problems[0].expected, "the whole of a registry value");
            let at = cut.problems[0].line.unwrap() as usize;
            assert!(at == line || lines[at - 1].ends_with('\\'), "{end}: {last:?}");
        }
    }
    let key = r"[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Cryptography\Configuration\Local\SSL\00010002]";
    let cut = text(format!(
        "Windows Registry Editor Version 5.00\n\n{key}\n\"A\"=dword:00000001\n\"Functions\"=hex(7):54,00,\\\n  4c,00,"
    ));
    assert_eq!(registry(&cut).len(), 1);
    assert_eq!(
        problems(&cut),
        [
            "given:5: expected the whole of a registry value, found the end of the file behind `\"Functions\"=hex(7):54,00,\\`"
        ]
    );
    // What is wrong in the middle costs its own value.
    let wrong = text(format!(
        "REGEDIT4\n{key}\n\"A\"=dword:xyz\n\"B\"=\"TLS_A\n\"C\"=hex(7):zz,00\n\"D\"=hex(b):01\n\"Enabled\"=hex:01\nE\"=1\n"
    ));
    assert_eq!(wrong.problems.len(), 5, "{:?}", problems(&wrong));
    assert_eq!(
        wrong.problems.iter().map(|problem| problem.line.unwrap()).collect::<Vec<_>>(),
        [3, 4, 5, 6, 7]
    );
}

#[test]
fn what_prints_keys_says_the_same_as_a_file() {
    let query = reading("reg-query-german-oem.txt");
    assert_eq!(query.kinds[0].1, Kind::Registry);
    assert!(query.problems.is_empty(), "{:?}", query.problems);
    let values: Vec<(u32, &str, String)> =
        registry(&query).into_iter().map(|(line, _, name, value)| (line, name, value)).collect();
    let value = |line, name, value: &str| (line, name, value.to_string());
    assert_eq!(
        values,
        [
            value(4, "Enabled", "0"),
            value(5, "DisabledByDefault", "1"),
            value(
                8,
                "Functions",
                "TLS_AES_256_GCM_SHA384|TLS_AES_128_GCM_SHA256|TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
            ),
            value(9, "EccCurves", "curve25519|NistP256|NistP384"),
            value(12, "DefaultSecureProtocols", "2560"),
            value(16, "CurrentBuild", "'9600'"),
            value(17, "ProductName", "'Windows Server 2012 R2 Standard'"),
        ]
    );
    assert_eq!(FactView::new(&query.facts).version_is_2012_family(), Some(true));

    let property = reading("item-property.txt");
    assert_eq!(property.kinds[0].1, Kind::Registry);
    let values: Vec<(u32, &str, &str, String)> = registry(&property);
    assert_eq!(
        values,
        [
            (2, r".NETFramework\v4.0.30319", "SchUseStrongCrypto", "1".to_string()),
            (3, r".NETFramework\v4.0.30319", "SystemDefaultTlsVersions", "1".to_string()),
            (13, r"SSL\00010002", "EccCurves", "curve25519|NistP256".to_string()),
            (18, r"TLS 1.2\Client", "Enabled", "4294967295".to_string()),
        ]
    );
    assert_eq!(property.problems.len(), 1);
    assert!(
        problems(&property)[0].starts_with("item-property.txt:11: expected the whole list, found `{TLS_")
    );

    let json = text(
        r#"{"Enabled": -1, "Functions": ["TLS_A_B", "TLS_C_D"], "PSPath": "Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.0\\Client"}"#,
    );
    assert_eq!(registry(&json).len(), 2);
    assert_eq!(json.kinds[0].1, Kind::Registry);
    // A console that breaks the line of a long list.
    let broken = text(
        "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Cryptography\\Configuration\\SSL\\00010002\n    Functions    REG_SZ    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RS\nA_WITH_AES_128_GCM_SHA256\n",
    );
    assert_eq!(
        registry(&broken)[0].3,
        "'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'"
    );
}

#[test]
fn a_group_policy_report_is_read_in_any_language() {
    let german = reading("gpresult-german.html");
    assert_eq!(german.kinds[0].1, Kind::GroupPolicy);
    assert!(german.problems.is_empty(), "{:?}", german.problems);
    let suites = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384_P384|TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256_P256|TLS_RSA_WITH_AES_256_CBC_SHA";
    assert_eq!(
        orders(&german),
        [
            (11, "Härtung & TLS", "Aktiviert", suites.to_string(), suites.len() as u32),
            (15, "Kurven", "Aktiviert", "NistP256|NistP384".to_string(), 0),
        ]
    );
    let xml = reading("gpresult.xml");
    assert_eq!(xml.kinds[0].1, Kind::GroupPolicy);
    assert!(xml.problems.is_empty(), "{:?}", xml.problems);
    let suites = "TLS_RSA_WITH_AES_256_CBC_SHA256|tls_rsa_with_aes_128_cbc_sha256|TLS_MADE_UP|TLS_RSA_WITH_AES_256_CBC_SHA256";
    assert_eq!(
        orders(&xml),
        [
            (14, "Baseline", "Enabled", suites.to_string(), suites.len() as u32 + 1),
            (23, "Curves", "Enabled", "NistP384|curve25519".to_string(), 0),
        ]
    );
    // A report about other policies says nothing and is known.
    for other in [
        "<html gpmc_reportInitialized=\"false\"><table><tr><td>a</td><td>b, c</td></tr></table></html>",
        "<?xml version=\"1.0\"?><Rsop><ComputerResults/></Rsop>",
        "<GPO xmlns=\"http://www.microsoft.com/GroupPolicy/Settings\"><Name>x</Name></GPO>",
    ] {
        let other = text(other);
        assert!(other.facts.is_empty(), "{:?}", other.facts);
        assert_eq!(other.kinds[0].1, Kind::GroupPolicy);
    }
    // A policy that is turned off has no list.
    let off = text(
        "<html><!-- gpmc_ --><table><tr><td><a gpmc_settingname='SSL Cipher Suite Order'>x</a></td><td>Disabled</td><td>P</td></tr></table></html>",
    );
    assert_eq!(orders(&off), [(1, "P", "Disabled", String::new(), 0)]);
    // The same policy without its template: a key of the registry.
    let key = text(
        "<html rsop><table><tr><td>Software\\Policies\\Microsoft\\Cryptography\\Configuration\\SSL\\00010002\\Functions</td><td>TLS_A_B,TLS_C_D</td><td>P</td></tr></table></html>",
    );
    assert_eq!(orders(&key), [(1, "P", "", "TLS_A_B|TLS_C_D".to_string(), 15)]);
    // A GPO's own report names it once.
    let gpo = text(
        "<?xml version=\"1.0\"?><GPO><Name>Own</Name><Computer><ExtensionData><Extension><q1:Policy><q1:Name>x</q1:Name><q1:State>An</q1:State><q1:EditText><q1:Value>TLS_A_B</q1:Value></q1:EditText></q1:Policy></Extension></ExtensionData></Computer></GPO>",
    );
    assert_eq!(orders(&gpo), [(1, "Own", "An", "TLS_A_B".to_string(), 7)]);
}

#[test]
fn a_report_cut_short_or_badly_nested_gives_what_stands_in_it() {
    let german = read_utf16(&bytes_of("gpresult-german.html"));
    let end = german.find("TLS_RSA_WITH").unwrap();
    let cut = text(&german[..end]);
    assert_eq!(orders(&cut).len(), 1);
    assert_eq!(
        orders(&cut)[0].3,
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384_P384|TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256_P256"
    );
    assert_eq!(
        problems(&cut),
        [
            "given:13: expected a report in HTML that goes on to `</html>`, found the end of the file before it"
        ]
    );
    let xml = read_utf16(&bytes_of("gpresult.xml"));
    let cut = text(&xml[..xml.find("ECC Curve Order").unwrap()]);
    // The GPO of the first policy was named before the cut.
    assert_eq!(orders(&cut)[0].1, "Baseline");
    assert_eq!(cut.problems.len(), 1);
    let begin =
        "<html gpmc_x><table><tr><td><a gpmc_settingName=\"SSL Cipher Suite Order\">x</a><td>On<td>P<tr><td>";
    let value = "TLS_A_B,TLS_C_D";
    for (name, nested) in [
        ("tables", format!("{begin}{}{value}", "<table><tr><td>".repeat(30_000))),
        ("ends", format!("{begin}{}{value}", "</tr></td>".repeat(30_000))),
        ("a tag in a tag", format!("{begin}<td <td class=\"a\" <td>{value}</html>")),
        ("a quotation mark that none closes", format!("{begin}<td class=\">{value}</html>")),
        ("references", format!("{begin}<td>&bogus;&#x110000;&#;&</td><td>{value}")),
        ("a comment within", format!("{begin}<!-- <td> -->{value}<!-- no end {begin}")),
    ] {
        let reading = text(nested);
        let orders = orders(&reading);
        assert_eq!(orders.len(), 1, "{name}: {:?}", reading.facts);
        assert!(orders[0].3.contains("TLS_C_D"), "{name}: {orders:?}");
    }
}

fn read_utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes[2..].chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).unwrap()
}

#[test]
fn the_suites_in_effect_are_read_in_every_form() {
    let names = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384|TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384|TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA";
    for (name, line) in [("cipher-suites-list.txt", 11), ("cipher-suites.json", 5)] {
        let reading = reading(name);
        assert_eq!(listings(&reading), [(line, names.to_string())], "{name}");
        assert_eq!(reading.kinds[0].1, Kind::CipherSuites);
        assert_eq!(reading.facts.len(), 1, "{:?}", reading.facts);
    }
    assert_eq!(
        listings(&reading("cipher-suites-table.txt")),
        [
            (
                5,
                "TLS_AES_256_GCM_SHA384|TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384|TLS_RSA_WITH_NULL_SHA256"
                    .into()
            ),
            (13, "TLS_RSA_WITH_NULL_SHA256".to_string()),
        ]
    );
    let bare = text("TLS_AES_256_GCM_SHA384\r\nTLS_AES_128_GCM_SHA256\r\n");
    assert_eq!(listings(&bare), [(1, "TLS_AES_256_GCM_SHA384|TLS_AES_128_GCM_SHA256".to_string())]);
    let json = text("[\n \"TLS_AES_256_GCM_SHA384\",\n \"TLS_AES_128_GCM_SHA256\"\n]");
    assert_eq!(listings(&json).len(), 1);
    // What is damaged gives the names before the damage.
    let damaged = text(&bytes_of("cipher-suites.json")[..320]);
    assert_eq!(damaged.problems.len(), 1);
    assert_eq!(listings(&damaged)[0].1.split('|').count(), 2);
    let cut = text(
        "Name                        Exchange\n----                        --------\nTLS_AES_256_GCM_SHA384      ECDH\nTLS_ECDHE_RSA_WITH_AES_2... ECDH\n",
    );
    assert_eq!(listings(&cut), [(3, "TLS_AES_256_GCM_SHA384".to_string())]);
    assert!(
        problems(&cut)[0].starts_with("given:4: expected whole names of cipher suites"),
        "{:?}",
        problems(&cut)
    );
}

#[test]
fn the_list_of_a_policy_is_read_as_it_stands() {
    let listed = reading("policy-list.txt");
    assert_eq!(listed.kinds[0].1, Kind::GroupPolicy);
    let names = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384|TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256|TLS_RSA_WITH_AES_128_CBC_SHA|AES128-SHA";
    assert_eq!(orders(&listed), [(2, "", "", names.to_string(), 118)]);
    for (given, expected) in [
        ("TLS_A_B, TLS_C_D ,\tTLS_E_F,,TLS_A_B,", "TLS_A_B|TLS_C_D|TLS_E_F|TLS_A_B"),
        ("TLS_A_B,\n\nTLS_C_D", "TLS_A_B|TLS_C_D"),
        ("tls_a_b,unknown,TLS_E_F", "tls_a_b|unknown|TLS_E_F"),
        ("TLS_A_B TLS_C_D", "TLS_A_B TLS_C_D"),
        ("\"TLS_A_B,TLS_C_D\"", "TLS_A_B|TLS_C_D"),
        ("Functions    REG_SZ    TLS_A_B,TLS_C_D", "TLS_A_B|TLS_C_D"),
        ("SSL-Verschlüsselungssammlungen: TLS_A_B,TLS_C_D", "TLS_A_B|TLS_C_D"),
        ("TLS_A_B", "TLS_A_B"),
    ] {
        let reading = text(given);
        let found: Vec<String> = orders(&reading).into_iter().map(|order| order.3).collect();
        assert_eq!(found, [expected], "{given}");
    }
    let oem = text(b"SSL-Verschl\x81sselungssammlungen: TLS_A_B,TLS_C_D\r\n".to_vec());
    assert_eq!(orders(&oem).len(), 1);
    // No list: sentences, what other programs print, single names in other text.
    for given in [
        "TLS_RSA_WITH_RC4_128_SHA is weak, and so is the rest\n",
        "|   TLS_RSA_WITH_AES_128_CBC_SHA (rsa 2048) - A\n",
        "a\nTLS_RSA_WITH_AES_128_CBC_SHA\nb\n",
        "Cipher: TLS_AES_256_GCM_SHA384\n",
    ] {
        assert!(orders(&text(given)).is_empty(), "{given}");
    }
    // A list longer than the policy's editor takes is read to its end, and one without an end is bounded.
    let long = vec!["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"; 1500].join(",");
    let reading = text(long.clone());
    assert_eq!(orders(&reading)[0].4, long.len() as u32);
    assert_eq!(orders(&reading)[0].3.split('|').count(), 1500);
    assert!(reading.problems.is_empty());
    for long in [
        vec!["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"; 100_000].join(","),
        vec!["TLS_A_B"; 5000].join(","),
        vec!["TLS_A_B,"; 100_000].join("\n"),
    ] {
        let reading = text(long);
        assert!(orders(&reading)[0].3.split('|').count() <= 2000);
        assert!(
            problems(&reading)[0].starts_with("given:1: expected a list of at most 2000 names in 64 KiB"),
            "{:?}",
            problems(&reading)
        );
    }
}

#[test]
fn a_list_of_suites_that_was_cut_on_its_way_is_said_to_be_none() {
    let key = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Cryptography\\Configuration\\SSL\\00010002";
    let file =
        |list: &str| format!("Windows Registry Editor Version 5.00\n\n[{key}]\n\"Functions\"=\"{list}\"\n");
    let query = |list: &str| format!("{key}\n    Functions    REG_SZ    {list}\n\nC:\\>\n");
    let label = |list: &str| format!("SSL Cipher Suite Order: {list}\n");
    let is_read = |reading: &Reading| !orders(reading).is_empty() || !registry(reading).is_empty();
    let one = "TLS_RSA_WITH_AES_256_GCM_SHA384";
    for last in [
        "T",
        "TLS",
        "TLS_ECDH",
        "TLS_ECDHE_RSA_WITH_AES_128_GC",
        "TLS_ECDH...",
        "TLS_RSA_WITH_AES_128_CBC_SHA256_P2",
    ] {
        let list = format!("{one},TLS_RSA_WITH_AES_128_GCM_SHA256,{last}");
        for given in [file(&list), query(&list), label(&list)] {
            let reading = text(given.clone());
            assert!(!is_read(&reading), "{given}");
            assert_eq!(reading.problems[0].expected, "the whole list of cipher suites", "{given}");
        }
    }
    // Names that this program does not know are no cut ones, and a suite may be the beginning of another one's name.
    for last in [
        "TLS_RSA_WITH_RC4_40_MD5",
        "tls_rsa_with_aes_128_cbc_sha",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256_P256",
        "x",
        "",
    ] {
        let list = format!("{one},TLS_RSA_WITH_AES_128_GCM_SHA256,{last}");
        for given in [file(&list), query(&list), label(&list)] {
            let reading = text(given.clone());
            assert!(is_read(&reading) && reading.problems.is_empty(), "{given} {:?}", reading.problems);
        }
    }
    // The policy's editor cuts as well.
    let long = format!("{}TLS_ECDH", format!("{one},").repeat(32));
    assert!(is_read(&text(file(&long))));
    // What a mail program breaks.
    for broken in [",\n", "\n,"] {
        let list = format!("{one}{broken}TLS_RSA_WITH_AES_128_GCM_SHA256");
        assert!(!is_read(&text(file(&list))), "{list}");
    }
    let whole = file(&format!("{one},TLS_RSA_WITH_AES_128_GCM_SHA256"));
    let at = whole.find("\\0001").unwrap() + 2;
    let last = whole.rfind("TLS_").unwrap() + 3;
    let wrapped = format!("{}\n{}\n{}", &whole[..at], &whole[at..last], &whole[last..]);
    assert!(!is_read(&text(wrapped.clone())), "{:?}", text(wrapped).facts);
}

#[test]
fn what_says_how_tls_is_set_may_stand_in_one_paste_with_the_rest() {
    let one = |name: &str| String::from_utf8_lossy(&bytes_of(name)).into_owned();
    let reading = text(format!(
        "{}\n{}\n{}\n{}\n{}{}",
        one("config-list.txt"),
        one("reg-query-german-oem.txt"),
        one("cipher-suites-list.txt"),
        read_utf16(&bytes_of("schannel.reg")),
        one("policy-list.txt"),
        one("service.log"),
    ));
    assert_eq!(configuration(&reading).len(), 14);
    assert_eq!(registry(&reading).len(), 17);
    assert_eq!(listings(&reading).len(), 1);
    assert_eq!(orders(&reading).len(), 1);
    assert_eq!(failures(&reading).len(), 4);
}

#[test]
fn every_encoding_of_what_says_how_tls_is_set_says_the_same() {
    let reg = read_utf16(&bytes_of("schannel.reg"));
    let html = read_utf16(&bytes_of("gpresult-german.html"));
    let list = String::from_utf8(bytes_of("policy-list.txt")).unwrap();
    for plain in [reg, html, list] {
        let expected = text(plain.clone()).facts;
        assert!(!expected.is_empty());
        for bytes in [
            [b"\xef\xbb\xbf".to_vec(), plain.clone().into_bytes()].concat(),
            [b"\xff\xfe".to_vec(), utf16(&plain, false)].concat(),
            [b"\xfe\xff".to_vec(), utf16(&plain, true)].concat(),
            utf16(&plain, false),
            utf16(&plain, true),
        ] {
            assert_eq!(text(bytes).facts, expected);
        }
    }
}

/// What is made to take long or to fill memory.
#[test]
fn endless_documents_are_bounded() {
    let key = r"[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Cryptography\Configuration\Local\SSL\00010002]";
    let huge = format!(
        "Windows Registry Editor Version 5.00\n{key}\n\"Functions\"=hex(7):{}",
        "54,00,4c,00,\\\n  ".repeat(300_000)
    );
    let reading = text(huge);
    assert_eq!(reading.problems.len(), 1);
    assert_eq!(reading.problems[0].line, Some(3));
    let huge = format!(
        "Windows Registry Editor Version 5.00\n{key}\n\"Functions\"=hex(7):{}00,00,00,00\n\"EccCurves\"=dword:1\n",
        "54,00,4c,00,\\\n  ".repeat(100_000)
    );
    let reading = text(huge);
    assert_eq!(reading.problems.len(), 1, "{:?}", reading.problems);
    assert_eq!(registry(&reading).len(), 2);
    for part in [
        "<",
        "<a \"",
        "<td x='",
        "<td>&",
        "<a gpmc_settingName=\"x\" ",
        "<!--",
        "<script>",
        "<td>TLS_A_B,</td>",
        "</table>",
    ] {
        let html = format!("<html gpmc_x>{}", part.repeat(4 * 1024 * 1024 / part.len()));
        let reading = text(html);
        assert!(reading.problems.len() <= 4, "{part}: {:?}", reading.problems);
        assert!(orders(&reading).iter().map(|order| order.3.len()).sum::<usize>() < 5 * 1024 * 1024);
    }
    // Past 64 MiB the rest is passed over and what stood before it is kept.
    let row = "<tr><td gpmc_settingName=\"SSL Cipher Suite Order\">x</td><td>On</td><td>P</td></tr><tr><td>TLS_A_B</td></tr>";
    let reading = text(format!("<html><table>{row}{}", " ".repeat(65 * 1024 * 1024)));
    assert_eq!(orders(&reading).len(), 1);
    assert_eq!(
        problems(&reading),
        [
            "given: expected a document of at most 64 MiB, found a larger one, the first 64 MiB of which were read"
        ]
    );
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
                Just("Windows Registry Editor Version 5.00".to_string()),
                Just("[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Cryptography\\Configuration\\SSL\\00010002]".to_string()),
                Just("HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\FipsAlgorithmPolicy".to_string()),
                Just("\"Functions\"=\"TLS_A".to_string()),
                Just("\"EccCurves\"=hex(7):54,00,\\".to_string()),
                Just("  00,00,5".to_string()),
                Just("    Functions    REG_MULTI_SZ    TLS_A\\0TLS\u{1b}_B".to_string()),
                Just("Functions : {TLS_A, TLS_B\u{9b}}".to_string()),
                Just("PSPath : Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\FipsAlgorithmPolicy".to_string()),
                Just("Name".to_string()),
                Just("----".to_string()),
                Just("TLS_AES_256_GCM_SHA384".to_string()),
                Just("Name : TLS_AES_256_GCM_SHA384".to_string()),
                Just("TLS_A_B,TLS_C_D,".to_string()),
            ],
            0..30,
        )) {
            let reading = read(&[Input::bytes("x", lines.join("\n"))]);
            for fact in &reading.facts {
                let shown = match &fact.statement {
                    Statement::Config { value, .. } => value.clone(),
                    Statement::LogFailure { excerpt, .. } => excerpt.clone(),
                    Statement::Unreadable { found, .. } => found.clone(),
                    Statement::Registry { key, name, value } => format!("{key}{name}{value:?}"),
                    Statement::CipherOrder { suites, .. } => suites.concat(),
                    Statement::CipherSuites { names } => names.concat(),
                    _ => String::new(),
                };
                prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
            }
        }

        #[test]
        fn any_report_of_policies(parts in proptest::collection::vec(
            prop_oneof![
                "[ -~]{0,20}",
                "\\PC{0,10}",
                Just("<td>".to_string()),
                Just("</td>".to_string()),
                Just("<tr>".to_string()),
                Just("<table>".to_string()),
                Just("</table>".to_string()),
                Just("<a gpmc_settingName=\"SSL Cipher Suite Order\">".to_string()),
                Just("<q1:Policy>".to_string()),
                Just("</q1:Policy>".to_string()),
                Just("<Precedence>1</Precedence>".to_string()),
                Just("<GPO><Name>\u{1b}x</Name></GPO>".to_string()),
                Just("<q1:Value>TLS_A_B,TLS_C_D</q1:Value>".to_string()),
                Just("TLS_A_B,TLS_\u{1b}C_D".to_string()),
                Just("<script>".to_string()),
                Just("<!--".to_string()),
                Just("-->".to_string()),
                Just("<p x='".to_string()),
                Just("&#27;".to_string()),
            ],
            0..40,
        ), xml in any::<bool>()) {
            let begin = if xml { "<?xml version=\"1.0\"?><Rsop>" } else { "<html gpmc_x>" };
            let reading = read(&[Input::bytes("x", format!("{begin}{}", parts.concat()))]);
            for fact in &reading.facts {
                if let Statement::CipherOrder { policy, suites, state, .. } = &fact.statement {
                    let shown = format!("{policy}{state}{}", suites.concat());
                    prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
                }
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
        let step =
            (Some(18), &Statement::LogSync { event: SyncEvent::Failed, reason, process: String::new() });
        assert!(stated(&reading).contains(&step), "{:?}", stated(&reading));
        let run = reading.facts.iter().find(|fact| matches!(fact.statement, Statement::SyncRun { .. }));
        assert_eq!(run.and_then(|run| run.time), Some("2017-10-26T11:41:44Z".parse().unwrap()));
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
        let step = |event| Statement::LogSync { event, reason: String::new(), process: "WsusService".into() };
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

#[test]
fn a_table_of_get_winevent_is_read_whose_newest_event_stands_first() {
    let text = "PS C:\\> Get-WinEvent -ProviderName 'Windows Server Update Services' -MaxEvents 3\n\n\n   \
                ProviderName: Windows Server Update Services\n\n\
                TimeCreated                     Id LevelDisplayName Message\n\
                -----------                     -- ---------------- -------\n\
                6/15/2026 3:01:00 AM         10022 Error            The last catalog synchronization attempt was unsu...\n\
                6/15/2026 3:00:00 AM           386 Error            Synchronization failed. Reason: WebException: The...\n\
                6/14/2026 3:01:00 AM           384 Information      Synchronization completed successfully.\n\n";
    let reading = wsusprobe::facts::read(&[wsusprobe::facts::Input::bytes("events.txt", text)]);
    assert_eq!(reading.problems, []);
    let view = wsusprobe::facts::FactView::new(&reading.facts);
    let wsusprobe::facts::LastRun::One(run) = view.last_run() else { panic!("{:?}", reading.facts) };
    assert!(!run.succeeded);
    assert_eq!(run.fact.time, Some("2026-06-15T03:00:00Z".parse().unwrap()));
    assert_eq!((run.fact.source.line, &run.fact.zone), (Some(9), &None));
    assert!(view.events(&[10022]).next().is_some());
}
