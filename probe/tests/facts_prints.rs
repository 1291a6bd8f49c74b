//! What the readers make of what commands print, and of certificate files.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use wsusprobe::facts::{
    ElsewherePart, FactView, Input, Kind, LoggedFailure, Phase, Reading, RegistryValue, ServiceState,
    Statement, StoreAccount, SyncResult, read,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts_prints").join(name)
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn text_of(name: &str) -> String {
    String::from_utf8(bytes_of(name)).unwrap()
}

fn reading(name: &str) -> Reading {
    read(&[Input::bytes(name, bytes_of(name))])
}

fn given(content: impl Into<Vec<u8>>) -> Reading {
    read(&[Input::bytes("given", content)])
}

/// A reading without a problem, of one kind.
fn clean(name: &str, kind: Kind) -> Reading {
    let reading = reading(name);
    assert_eq!(reading.problems, [], "{name}");
    assert_eq!(reading.kinds[0].1, kind, "{name}");
    reading
}

fn problems(reading: &Reading) -> Vec<String> {
    reading.problems.iter().map(|problem| problem.to_string()).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    [0xff, 0xfe].into_iter().chain(units).collect()
}

fn time(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn services(reading: &Reading) -> Vec<(u32, &str, ServiceState, &str)> {
    let services = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::Service { name, state, start } => {
            Some((fact.source.line.unwrap(), name.as_str(), *state, start.as_str()))
        }
        _ => None,
    });
    services.collect()
}

fn pools(reading: &Reading) -> Vec<(u32, &str, ServiceState)> {
    let pools = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::AppPool { name, state } => Some((fact.source.line.unwrap(), name.as_str(), *state)),
        _ => None,
    });
    pools.collect()
}

fn updates(reading: &Reading) -> Vec<(u32, &str, Option<Timestamp>)> {
    let updates = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::InstalledUpdate { update } => {
            assert_eq!(fact.zone, None, "a local time of a zone that is not told");
            Some((fact.source.line.unwrap(), update.as_str(), fact.time))
        }
        _ => None,
    });
    updates.collect()
}

/// A certificate: line, account, store, subject, the end of the fingerprint, until when, key.
type Certificate<'a> = (u32, StoreAccount, &'a str, &'a str, &'a str, Option<Timestamp>, Option<bool>);

fn certificates(reading: &Reading) -> Vec<Certificate<'_>> {
    let certificates = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::StoredCertificate {
            account, store, subject, fingerprint, not_after, private_key, ..
        } => Some((
            fact.source.line.unwrap_or(0),
            *account,
            store.as_str(),
            subject.as_str(),
            &fingerprint[36..],
            *not_after,
            *private_key,
        )),
        _ => None,
    });
    certificates.collect()
}

fn config(reading: &Reading) -> Vec<(u32, &str, &str)> {
    let config = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::Config { property, value } => {
            Some((fact.source.line.unwrap(), property.as_str(), value.as_str()))
        }
        _ => None,
    });
    config.collect()
}

fn runs(reading: &Reading) -> Vec<(u32, SyncResult, &str, &str, Option<Timestamp>)> {
    let runs = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::SyncRun { result, error, text, .. } => {
            Some((fact.source.line.unwrap(), *result, error.as_str(), text.as_str(), fact.time))
        }
        _ => None,
    });
    runs.collect()
}

#[test]
fn services_are_read_in_every_form() {
    use ServiceState::*;
    assert_eq!(
        services(&clean("services-table.txt", Kind::Services)),
        [
            (5, "WsusService", Stopped, ""),
            (6, "W3SVC", Running, ""),
            (7, "MSSQL$MICROSOFT...", Running, ""),
            (9, "BITS", Other, ""),
            (13, "WsusService", Stopped, "Disabled"),
        ]
    );
    assert_eq!(
        services(&clean("services-sc.txt", Kind::Services)),
        [(3, "WsusService", Stopped, "DISABLED"), (21, "W3SVC", Running, ""), (26, "BITS", Other, ""),]
    );
    assert_eq!(
        services(&clean("services.json", Kind::Services)),
        [(5, "WsusService", Stopped, "Automatic"), (11, "W3SVC", Running, "Disabled")]
    );
    assert_eq!(
        services(&clean("services.csv", Kind::Services)),
        [
            (3, "WsusService", Running, "Automatic"),
            (4, "W32Time", Stopped, "Manual"),
            (6, "BITS", Running, "Automatic"),
        ]
    );
    assert_eq!(
        services(&clean("service-absent.txt", Kind::Services)),
        [(2, "WsusService", Absent, ""), (12, "W3SVC", Running, "")]
    );
    assert_eq!(
        services(&clean("service-absent-german.txt", Kind::Services)),
        [(2, "WsusService", Absent, "")]
    );
    for one in ["", "Get-Service: ", "Get-Service : "] {
        let one = given(format!("{one}Cannot find any service with service name 'WsusService'."));
        assert_eq!((services(&one), &one.problems[..]), (vec![(1, "WsusService", Absent, "")], &[][..]));
    }
    // Whoever may not ask was told nothing of the service; which one is not there decides too.
    let refused = reading("service-refused.txt");
    assert_eq!((services(&refused), refused.problems.len()), (vec![], 0));
    let other = given("Get-Service : Cannot find any service with service name 'Spooler'.\n");
    assert_eq!((services(&other), &other.problems[..]), (vec![], &[][..]));
    // How a service starts says nothing of whether it runs.
    let start = "SERVICE_NAME: WsusService\n        TYPE               : 10  WIN32_OWN_PROCESS\n        START_TYPE         : 2   AUTO_START\n";
    assert_eq!(services(&given(start)), [(1, "WsusService", Unknown, "AUTO_START")]);
    let other = given("Name : WsusService\nStatus : Wird ausgeführt\nStartType : Automatisch\n");
    assert_eq!(services(&other), [(1, "WsusService", Running, "Automatisch")]);
    // What is no service of synchronization is known for what it is, and not kept.
    let spooler = given("Name      : Spooler\nStatus    : Stopped\nStartType : Disabled\n");
    assert!(spooler.facts.is_empty() && spooler.kinds[0].1 == Kind::Services);
}

#[test]
fn pools_are_named_by_the_command_where_the_output_has_no_name() {
    use ServiceState::*;
    assert_eq!(
        pools(&clean("pools.txt", Kind::Services)),
        [
            (5, "WsusPool", Stopped),
            (12, "DefaultAppPool", Running),
            (13, "WsusPool", Stopped),
            (16, "DefaultAppPool", Running),
            (17, "WsusPool", Other),
            (23, "WsusPool", Running),
            (27, "WsusPool", Running),
        ]
    );
    assert!(pools(&given("\nValue\n-----\nStopped\n")).is_empty(), "of what?");
}

#[test]
fn updates_have_a_time_only_where_their_dates_have_one_reading() {
    let june = time("2017-06-15T00:00:00Z");
    let may = time("2018-05-09T00:00:00Z");
    // 15 tells that the month stands first.
    assert_eq!(
        updates(&clean("hotfix-table.txt", Kind::Updates)),
        [(5, "KB4022720", june), (6, "KB4103725", may), (7, "KB2919355", None)]
    );
    assert_eq!(
        updates(&clean("hotfix-ambiguous.txt", Kind::Updates)),
        [(1, "KB5005043", None), (6, "KB4486129", time("2021-07-07T00:00:00Z"))]
    );
    assert_eq!(
        updates(&clean("hotfix-german.csv", Kind::Updates)),
        [(2, "KB4022720", june), (3, "KB4103725", may)]
    );
    assert_eq!(
        updates(&clean("hotfix-wmic.txt", Kind::Updates)),
        [
            (3, "KB4022720", june),
            (4, "KB4103725", may),
            (9, "KB2919355", time("2016-04-20T00:00:00Z")),
            (13, "KB3021910", None),
        ]
    );
    assert_eq!(
        updates(&clean("systeminfo.txt", Kind::ServerVersion)),
        [(4, "KB5020627", None), (5, "KB4589208", None)]
    );
    // Two orders in one file prove neither.
    let mixed = text_of("hotfix-ambiguous.txt").replace("07/07/2021", "13/07/2021");
    let mixed = format!("{mixed}\nHotFixID     : KB5000001\nInstalledOn  : 07/13/2021 00:00:00\n");
    assert_eq!(updates(&given(mixed))[0], (1, "KB5005043", None));
    let day_first = text_of("hotfix-ambiguous.txt").replace("07/07/2021", "13/07/2021");
    assert_eq!(updates(&given(day_first))[0], (1, "KB5005043", time("2021-11-08T00:00:00Z")));
}

#[test]
fn a_printout_that_names_its_machine_is_that_machine_s() {
    let named = |text: &str| {
        let facts = given(text).facts;
        facts.iter().find_map(|fact| match &fact.statement {
            Statement::ServerName { name } => Some(name.clone()),
            _ => None,
        })
    };
    const WMIC: &str = "Caption                   CSName  HotFixID   InstalledOn\n\
                        http://support.microsoft.com/?kbid=5000001  UP      KB5000001  6/14/2026\n";
    for (text, name) in [
        (
            "Host Name:                 UP\nOS Name:                   Microsoft Windows Server 2012 R2 Standard\n",
            "UP",
        ),
        (
            "Hostname:                                      PC042\n\
          Betriebssystemname:                            Microsoft Windows 10 Pro\n",
            "PC042",
        ),
        (
            "Source        Description      HotFixID      InstalledBy          InstalledOn\n\
          ------        -----------      --------      -----------          -----------\n\
          UP            Update           KB5000001     NT AUTHORITY\\SYSTEM  6/14/2026 12:00:00 AM\n",
            "UP",
        ),
        ("PSComputerName : up.example.com\nHotFixID       : KB5000001\n", "up.example.com"),
        (&WMIC.replace("Caption                   ", "Caption                                     "), "UP"),
        ("CSName=UP\nHotFixID=KB5000001\nInstalledOn=6/14/2026\n", "UP"),
        ("PSComputerName : up.example.com\nName : WsusPool\nState : Stopped\n", "up.example.com"),
        (
            "\nName     State   PSComputerName\n----     -----   --------------\nWsusPool Stopped up.example.com\n",
            "up.example.com",
        ),
    ] {
        assert_eq!(named(text).as_deref(), Some(name), "{text}");
    }
    for text in [
        "HotFixID    : KB5000001\nInstalledOn : 6/14/2026\n",
        "PSComputerName : localhost\nName : WsusPool\nState : Stopped\n",
        // What stands above the Windows' name in another list is no host.
        "LogonServer : DC1\nOsName      : Microsoft Windows Server 2019 Standard\n",
        "Bemerkung:    UP\nOS Name:                   Microsoft Windows Server 2019 Standard\n",
    ] {
        assert_eq!(named(text), None, "{text}");
    }
}

#[test]
fn the_clocks_source_is_told_by_shape() {
    let clock = |name: &str| {
        let reading = clean(name, Kind::Clock);
        match &reading.facts[..] {
            [fact] => (fact.source.line, fact.statement.clone()),
            other => panic!("{name}: {other:?}"),
        }
    };
    let says = |source: &str, synchronized| Statement::ClockSource { source: source.into(), synchronized };
    assert_eq!(clock("w32tm-english.txt"), (Some(9), says("dc1.example.test", true)));
    assert_eq!(clock("w32tm-german-local.txt"), (Some(8), says("Local CMOS Clock", false)));
    let own = text_of("w32tm-english.txt").replace("C0000235", "4C4F434C");
    assert_eq!(given(own).facts[0].statement, says("dc1.example.test", false));
    let none = text_of("w32tm-english.txt").replace("dc1.example.test", "");
    assert_eq!(problems(&given(none)), ["given:9: expected the source of the clock's time, found `Source:`"]);
}

#[test]
fn bindings_of_certificates_are_told_by_shape() {
    let binding = |endpoint: &str, certificate: &str, store: &str| Statement::SslBinding {
        endpoint: endpoint.into(),
        certificate: certificate.into(),
        store: store.into(),
    };
    let english = clean("sslcert.txt", Kind::SslBindings);
    let stated: Vec<_> =
        english.facts.iter().map(|fact| (fact.source.line, fact.statement.clone())).collect();
    assert_eq!(
        stated,
        [
            (Some(5), binding("0.0.0.0:8531", "9f3c0000000000000000000000000000000000aa", "My")),
            (Some(13), binding("upstream.example.test:443", "", "(null)")),
        ]
    );
    let german = clean("sslcert-german.txt", Kind::SslBindings);
    assert_eq!(
        german.facts[0].statement,
        binding("[::]:8531", "9f3c0000000000000000000000000000000000ab", "WebHosting")
    );
}

#[test]
fn winhttps_json_is_read_and_a_script_leaves_the_proxy_open() {
    let reading = clean("advproxy.txt", Kind::WinHttp);
    let pair = |scheme: &str, server: &str| (scheme.to_string(), server.to_string());
    let servers = vec![pair("http", "p1.example.com:8080"), pair("https", "p2.example.com:8443")];
    let expected = Statement::WinHttpProxy { servers, bypass: "<local>".into() };
    assert_eq!(reading.facts[0].statement, expected);
    let (_, alone) =
        text_of("advproxy.txt").split_once(":\n\n").map(|(a, b)| (a.len(), b.to_string())).unwrap();
    assert_eq!(given(alone).facts[0].statement, expected);
    let script = text_of("advproxy.txt").replace("false", "true");
    let script = given(script);
    assert!(script.facts.is_empty() && script.kinds[0].1 == Kind::WinHttp);
}

#[test]
fn a_stores_account_is_what_the_command_says() {
    use StoreAccount::*;
    let wsus = "CN=wsus01.example.test";
    assert_eq!(
        certificates(&clean("certutil-store.txt", Kind::Certificates)),
        [
            (3, Machine, "My", wsus, "00aa", time("2026-09-28T10:34:00Z"), Some(true)),
            (
                17,
                Machine,
                "My",
                "CN=wsus01.example.test, O=\"Example, Inc.\"",
                "00ab",
                time("2024-09-08T10:34:00Z"),
                Some(false)
            ),
            (32, User, "Root", "CN=Example Root CA", "11cc", time("2039-12-31T23:59:00Z"), Some(false)),
        ]
    );
    let german = clean("certutil-store-german.txt", Kind::Certificates);
    let root = "CN=Microsoft Root Certificate Authority 2010, O=Microsoft Corporation, L=Redmond, S=Washington, C=US";
    assert_eq!(
        certificates(&german),
        [(2, Unknown, "Root", root, "5bd5"[..].into(), time("2035-06-24T00:04:00Z"), None)]
    );
    assert_eq!(
        certificates(&clean("cert-drive.txt", Kind::Certificates)),
        [
            (
                7,
                Machine,
                "Root",
                "CN=Microsoft Root Certificate Authority 2011, O=Microsoft Corporation...",
                "bcfe",
                None,
                None
            ),
            (8, Machine, "Root", "CN=Example Root CA", "11cc", None, None),
            (12, User, "My", "CN=someone", "00ac", time("2026-09-28T10:34:00Z"), Some(true)),
            // Another command in between: whose store it is is not known.
            (23, Unknown, "", "CN=another", "00ad", time("2026-08-09T10:34:00Z"), None),
        ]
    );
    let json = "[{\"Thumbprint\": \"9F3C0000000000000000000000000000000000AA\", \"Subject\": \"CN=x\", \"NotAfter\": \"\\/Date(1790591640000)\\/\", \"HasPrivateKey\": false, \"PSParentPath\": \"Microsoft.PowerShell.Security\\\\Certificate::LocalMachine\\\\My\"}]";
    assert_eq!(
        certificates(&given(json)),
        [(1, Machine, "My", "CN=x", "00aa", time("2026-09-28T10:34:00Z"), Some(false))]
    );
    let cut = text_of("certutil-store-german.txt");
    let cut = &cut[..cut.find("Zertifikathash").unwrap()];
    assert_eq!(
        problems(&given(cut)),
        ["given:2: expected the whole of a certificate, found its end before the fingerprint"]
    );
}

#[test]
fn certificate_files_are_read_in_every_form() {
    use StoreAccount::File;
    let until = time("2081-08-29T00:41:40Z");
    let leaf = |line| (line, File, "", "CN=upstream.example.test", "ace9", until, None);
    let root = |line| (line, File, "", "CN=Example Root CA", "aaed", until, None);
    assert_eq!(certificates(&clean("certificates.pem", Kind::Certificates)), [leaf(2), root(11), leaf(20)]);
    assert_eq!(certificates(&clean("leaf.cer", Kind::Certificates)), [leaf(0)]);
    assert_eq!(certificates(&clean("both.p7b", Kind::Certificates)), [leaf(0), root(0)]);
    let der = |name: &str| match &reading(name).facts[0].statement {
        Statement::StoredCertificate { der, .. } => der.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(der("leaf.cer"), der("certificates.pem"));
    assert_eq!(der("leaf.cer"), der("both.p7b"));
}

#[test]
fn what_holds_a_private_key_is_named_and_not_read() {
    let pfx = [&[0x30, 0x82, 0x0a, 0x00, 0x02, 0x01, 0x03, 0x30, 0x82][..], &[0x41; 3000]].concat();
    let indefinite = [&[0x30, 0x80, 0x02, 0x01, 0x03, 0x30, 0x80][..], &[0x41; 300]].concat();
    for bytes in [pfx, indefinite] {
        let reading = given(bytes);
        assert_eq!(
            problems(&reading),
            [
                "given: expected a certificate, or certificates as PKCS #7, found a PFX (PKCS #12), which holds a private key: keep it, and hand over the certificate alone"
            ]
        );
        assert_eq!(reading.facts.len(), 1);
    }
    let key = [&[0x30, 0x82, 0x00, 0x10, 0x02, 0x01, 0x00][..], &[0x41; 13]].concat();
    assert!(problems(&given(key))[0].contains("a private key: keep it to yourself"));
    let pem = "-----BEGIN PRIVATE KEY-----\nR2VoZWltLTQ3MTE=\n-----END PRIVATE KEY-----\n";
    let reading = given(pem);
    assert!(problems(&reading)[0].contains("given:1: expected a certificate"), "{:?}", problems(&reading));
    assert!(!format!("{reading:?}").contains("R2Vo"));
}

#[test]
fn a_damaged_certificate_is_one_clear_error() {
    let whole = bytes_of("leaf.cer");
    for end in 8..whole.len() {
        assert_eq!(
            problems(&given(&whole[..end])),
            [format!("given: expected the whole of a certificate, found its end after {end} bytes")]
        );
    }
    let mut bad = whole.clone();
    bad[8] = 0x77;
    assert_eq!(problems(&given(bad)).len(), 1);
    let pem = text_of("certificates.pem");
    let cut = &pem[..pem.find("-----END").unwrap()];
    assert_eq!(
        problems(&given(cut)),
        ["given:2: expected the whole of a certificate, found its end before `-----END`"]
    );
    let garbled = "-----BEGIN CERTIFICATE-----\n*\u{1b}*\n-----END CERTIFICATE-----\n";
    assert!(problems(&given(garbled))[0].starts_with("given:1: expected base64, found "));
    let large = [&whole[..8], &vec![0; 5 * 1024 * 1024]].concat();
    assert_eq!(
        problems(&given(large)),
        ["given: expected a certificate file of at most 4 MiB, found a larger one"]
    );
}

#[test]
fn windows_verdict_on_a_chain_is_read_in_any_language() {
    let verdict = |name: &str| clean(name, Kind::ChainVerdict).facts[0].statement.clone();
    assert_eq!(
        verdict("verify-bad.txt"),
        Statement::ChainVerdict {
            subject: "CN=upstream.example.test".into(),
            good: false,
            errors: [
                "CERT_TRUST_REVOCATION_STATUS_UNKNOWN",
                "CERT_TRUST_IS_OFFLINE_REVOCATION",
                "CERT_TRUST_IS_UNTRUSTED_ROOT",
                "CRYPT_E_REVOCATION_OFFLINE"
            ]
            .map(String::from)
            .to_vec(),
            unreachable: vec!["http://crl.example.test/issuing.crl".into()],
        }
    );
    assert_eq!(
        verdict("verify-good.txt"),
        Statement::ChainVerdict {
            subject: "CN=upstream.example.test".into(),
            good: true,
            errors: vec![],
            unreachable: vec![]
        }
    );
    // What was cut off is no good verdict.
    let good = text_of("verify-good.txt");
    let cut = given(&good[..good.find("CertUtil:").unwrap()]);
    assert_eq!(
        problems(&cut),
        ["given:5: expected the whole of what certutil printed, found its end before the verdict"]
    );
    assert!(!cut.facts.iter().any(|fact| matches!(fact.statement, Statement::ChainVerdict { .. })));
}

#[test]
fn the_schedule_and_the_history_are_read_in_every_form() {
    let schedule = clean("subscription.txt", Kind::Schedule);
    let mut values: Vec<_> = schedule
        .facts
        .iter()
        .map(|fact| match &fact.statement {
            Statement::Subscription { property, value } => {
                (fact.source.line.unwrap(), property.as_str(), value.as_str())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    // What has a time waits for the end of the file.
    values.sort_unstable();
    assert_eq!(
        values,
        [
            (2, "SynchronizeAutomatically", "True"),
            (3, "SynchronizeAutomaticallyTimeOfDay", "03:00:00"),
            (4, "LastModifiedTime", "4/20/2026 7:12:00 AM"),
            (6, "LastSynchronizationTime", "4/21/2026 3:00:11 AM"),
            (7, "NumberOfSynchronizationsPerDay", "1"),
            (9, "IsCategoryOnlySync", "False"),
        ]
    );
    use SyncResult::*;
    let list = clean("history.txt", Kind::Schedule);
    let broken =
        "WebException: The underlying connection was closed: An unexpected error occurred on a send.";
    assert_eq!(
        runs(&list),
        [
            (1, Failed, "UssCommunicationError", broken, time("2026-04-21T03:00:55Z")),
            (11, Succeeded, "", "", time("2026-04-05T03:02:00Z")),
        ]
    );
    let failures = |reading: &Reading| {
        let view = FactView::new(&reading.facts);
        let failures = view.failures().into_iter();
        failures
            .map(|one| {
                (one.fact.source.line.unwrap(), one.failure.clone(), one.phase, one.count, one.fact.time)
            })
            .collect::<Vec<_>>()
    };
    let then = time("2026-04-21T03:00:55Z");
    let broken = LoggedFailure::ConnectionBroken;
    assert_eq!(failures(&list), [(7, broken, Some(Phase::FirstContact), 1, then)]);

    let json = clean("history.json", Kind::Schedule);
    let named = "WebException: The remote name could not be resolved: 'sws.update.microsoft.com'";
    let then = time("2026-04-21T03:00:55Z");
    assert_eq!(
        runs(&json),
        [(7, Failed, "UssCommunicationError", named, then), (17, NeverRun, "", "", None)]
    );
    let host = LoggedFailure::NameNotResolved { host: "sws.update.microsoft.com".into() };
    assert_eq!(failures(&json), [(7, host, None, 1, then)]);
    assert_eq!(json.facts, read(&[Input::bytes("history.json", utf16(&text_of("history.json")))]).facts);

    let clixml = clean("history.clixml", Kind::Schedule);
    let demanded = "WebException: The remote server returned an error: (407) Proxy Authentication Required.";
    assert_eq!(runs(&clixml), [(2, Failed, "ProxyError", demanded, then)]);
    assert_eq!(failures(&clixml), [(12, LoggedFailure::HttpStatus { code: 407 }, None, 1, then)]);
    assert_eq!(
        clixml.facts.iter().filter(|f| matches!(f.statement, Statement::Subscription { .. })).count(),
        2
    );
    let offset = text_of("history.clixml").replace("03:00:55Z", "05:00:55+02:00");
    let offset = given(offset);
    assert_eq!(runs(&offset)[0].4, then);
    assert_eq!(offset.facts[2].zone.as_deref(), Some("+02:00"));

    let event = clean("history-event.txt", Kind::Schedule);
    let named = "WebException: The remote name could not be resolved: 'upstream.example.test'";
    assert_eq!(runs(&event), [(1, Failed, "UssCommunicationError", named, time("2017-10-26T11:41:44Z"))]);
    let odd = given(text_of("history.txt").replace("Succeeded", "Gelungen"));
    assert_eq!(problems(&odd), ["given:15: expected the result of a synchronization, found `Gelungen`"]);
}

#[test]
fn wsusutil_is_known_for_what_it_says() {
    let reading = clean("wsusutil.txt", Kind::WsusUtil);
    assert_eq!(
        config(&reading),
        [
            (2, "UseSeparateProxyForSsl", "True"),
            (2, "SslProxyName", "sslproxy.example.test"),
            (2, "SslProxyServerPort", "8443"),
        ]
    );
    assert!(matches!(
        reading.facts[3].statement,
        Statement::Elsewhere { part: ElsewherePart::ServiceStart, .. }
    ));
    assert_eq!(reading.facts.len(), 4);
    let off = given("SSL proxy enabled: False server:  port: 0\n");
    assert_eq!(
        config(&off),
        [(1, "UseSeparateProxyForSsl", "False"), (1, "SslProxyName", ""), (1, "SslProxyServerPort", "0")]
    );
    for named in [
        "Done. Please check event log for events with source \"x\".\n",
        "Post install has successfully completed\n",
        "URL: https://wsus01.example.test:8531\n",
    ] {
        let reading = given(named);
        assert!(reading.facts.is_empty() && reading.kinds[0].1 == Kind::WsusUtil, "{named}");
    }
}

#[test]
fn the_test_on_the_server_is_read_as_the_script_and_as_powershell_print_it() {
    let own = clean("http-test.txt", Kind::HttpTest);
    assert_eq!(
        own.facts[0].statement,
        Statement::HttpTest {
            url: "https://upstream.example.test:8531/ServerSyncWebService/ServerSyncWebService.asmx".into(),
            proxy: "proxy.example.test:8080".into(),
            protocol: "Tls12".into(),
            account: "NT AUTHORITY\\NETWORK SERVICE".into(),
            status: None,
            exceptions: vec![
                "System.Net.WebException | The underlying connection was closed: Could not establish trust relationship. | -2146233079".into(),
                "System.Security.Authentication.AuthenticationException | The remote certificate is invalid. | -2146233087".into(),
            ],
        }
    );
    assert!(matches!(own.facts[1].statement, Statement::HttpTest { status: Some(200), .. }));
    assert_eq!(own.facts[1].source.line, Some(10));
    assert_eq!(own.facts.len(), 2, "a test is no failure of synchronization");

    let typed = clean("http-test-typed.txt", Kind::HttpTest);
    let said: Vec<_> = typed
        .facts
        .iter()
        .map(|fact| match &fact.statement {
            Statement::HttpTest { url, status, exceptions, .. } if url.is_empty() => {
                (fact.source.line.unwrap(), *status, exceptions.join(" / "))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        said,
        [
            (1, None, "System.Net.WebException | The underlying connection was closed: Could not establish trust relationship for the SSL/TLS secure channel. | ".to_string()),
            (8, Some(403), " | Der Remoteserver hat einen Fehler zurückgegeben: (403) Unzulässig. | ".to_string()),
        ]
    );
    for (text, expected) in [
        (
            "wsusprobe-http-test: 2\nUrl: x\nStatus: 200\n",
            "given:1: expected a test of version 1, found version `2`",
        ),
        ("wsusprobe-http-test: 1\nUrl: x\nStatus: OK\n", "given:3: expected an HTTP status, found `OK`"),
        (
            "wsusprobe-http-test: 1\nUrl: x\n",
            "given:1: expected a test with its URL and what came of it, found one without them",
        ),
    ] {
        assert_eq!(problems(&given(text)), [expected]);
    }
}

#[test]
fn iis_configuration_gives_bindings_access_and_pools_and_no_password() {
    let reading = clean("applicationHost.config", Kind::Iis);
    let (mut bindings, mut access, mut settings) = (Vec::new(), Vec::new(), Vec::new());
    for fact in &reading.facts {
        match &fact.statement {
            Statement::IisBinding { site, protocol, port, host, .. } => {
                bindings.push((site.as_str(), protocol.as_str(), *port, host.as_str()));
            }
            Statement::IisAccess { path, requires_tls, requires_certificate } => {
                access.push((path.as_str(), *requires_tls, *requires_certificate));
            }
            Statement::PoolSetting { pool, setting, value } => {
                settings.push((pool.as_str(), setting.as_str(), value.as_str()));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        bindings,
        [
            ("Default Web Site", "http", 80, ""),
            ("WSUS Administration", "http", 8530, ""),
            ("WSUS Administration", "https", 8531, "wsus01.example.test"),
        ]
    );
    assert_eq!(
        access,
        [
            ("WSUS Administration/ServerSyncWebService", true, true),
            ("WSUS Administration/SelfUpdate", true, false),
            ("WSUS Administration/Content", false, false),
        ]
    );
    assert!(settings.contains(&("WsusPool", "queueLength", "1000")));
    assert!(settings.contains(&("WsusPool", "privateMemory", "1843200")));
    assert!(settings.contains(&("", "identityType", "ApplicationPoolIdentity")));
    assert_eq!(settings.len(), 9);
    let said = format!("{reading:?}");
    assert!(!said.contains("Geheim") && !said.contains("svc"), "{said}");

    let odd =
        text_of("applicationHost.config").replace("*:8530:", "*:acht:").replace("\"None\"", "\"Sicher\"");
    assert_eq!(
        problems(&given(odd)),
        [
            "given:28: expected a binding as `address:port:host`, found `*:acht:`",
            "given:41: expected `Ssl`, `SslRequireCert` and the like, or their sum, found `Sicher`",
        ]
    );
    let whole = text_of("applicationHost.config");
    let cut = given(&whole[..whole.find("</sites>").unwrap()]);
    assert_eq!(problems(&cut).len(), 1);
    assert_eq!(cut.facts.iter().filter(|f| matches!(f.statement, Statement::IisBinding { .. })).count(), 3);
    let deep = given(format!("<configuration><location path=''>{}", "<x>".repeat(100_000)));
    assert_eq!(problems(&deep), ["given:1: expected XML that is at most 100 deep, found a deeper one"]);
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE c [<!ENTITY a \"aaaa\">]><configuration><system.applicationHost><sites><site name=\"&a;&a;\"><bindings><binding protocol=\"http\" bindingInformation=\"*:80:\"/></bindings></site></sites></system.applicationHost></configuration>";
    assert!(
        matches!(&given(bomb).facts[0].statement, Statement::IisBinding { site, .. } if site == "&a;&a;")
    );
}

#[test]
fn bindings_that_tools_print_have_their_site_where_it_is_told() {
    let reading = clean("bindings.txt", Kind::Iis);
    let said: Vec<_> = reading
        .facts
        .iter()
        .map(|fact| match &fact.statement {
            Statement::IisBinding { site, protocol, port, host, certificate } => (
                fact.source.line.unwrap(),
                site.as_str(),
                protocol.as_str(),
                *port,
                host.as_str(),
                certificate.as_str(),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    let site = "WSUS Administration";
    assert_eq!(
        said,
        [
            (5, "", "http", 8530, "", ""),
            (6, "", "https", 8531, "wsus01", ""),
            (9, site, "http", 8530, "", ""),
            (9, site, "https", 8531, "", ""),
            (11, site, "https", 8531, "", "9f3c0000000000000000000000000000000000aa"),
        ]
    );
}

#[test]
fn the_registry_says_how_wsus_was_set_up_and_what_a_users_proxy_is() {
    let values = |name: &str| {
        let reading = clean(name, Kind::Registry);
        let values: Vec<_> = reading
            .facts
            .iter()
            .map(|fact| match &fact.statement {
                Statement::Registry { key, name, value } => {
                    let value = match value {
                        RegistryValue::Number { value } => value.to_string(),
                        RegistryValue::Text { value } => value.clone(),
                        RegistryValue::List { values } => values.join("|"),
                    };
                    let start = key.split('\\').next().unwrap();
                    (start.to_string(), name.clone(), value)
                }
                other => panic!("{other:?}"),
            })
            .collect();
        values
    };
    let one = |root: &str, name: &str, value: &str| (root.to_string(), name.to_string(), value.to_string());
    assert_eq!(
        values("internet-settings.txt"),
        [
            one("HKCU", "ProxyEnable", "1"),
            one("HKCU", "ProxyServer", "proxy.example.test:8080"),
            one("HKCU", "ProxyOverride", "*.example.test;<local>"),
            one("HKCU", "AutoConfigURL", "http://(hidden)pac.example.test/p.pac"),
            one("HKU", "ProxyEnable", "0"),
            one("HKLM", "ProxySettingsPerUser", "0"),
            one("HKLM", "DisableRootAutoUpdate", "1"),
            one("HKLM", "WUServer", "http://wsus01.example.test:8530"),
            one("HKLM", "UseWUServer", "1"),
        ]
    );
    assert_eq!(
        values("setup.reg"),
        [
            one("HKLM", "PortNumber", "8531"),
            one("HKLM", "UsingSSL", "1"),
            one("HKLM", "ServerCertificateName", "wsus01.example.test"),
            one("HKLM", "ContentDir", "D:\\WSUS"),
            one("HKLM", "SqlServerName", "MICROSOFT##WID"),
        ]
    );
}

#[test]
fn the_databases_configuration_is_read_and_its_secrets_are_not() {
    for (name, line) in [("susdb.txt", 5), ("susdb-list.txt", 0)] {
        let reading = clean(name, Kind::Configuration);
        let said: Vec<_> = config(&reading).into_iter().map(|(_, name, value)| (name, value)).collect();
        let mut expected = vec![
            ("SyncFromMicrosoftUpdate", "False"),
            ("UpstreamWsusServerName", "upstream.example.test"),
            ("UpstreamWsusServerPortNumber", "8531"),
            ("UpstreamWsusServerUseSsl", "True"),
            ("UseProxy", "True"),
            ("ProxyName", "proxy.example.test"),
            ("ProxyServerPort", "8080"),
            ("AnonymousProxyAccess", "False"),
            ("ProxyUserName", "(set)"),
        ];
        if line == 5 {
            assert!(config(&reading).iter().all(|(at, ..)| *at == line));
            expected.push(("HasProxyPassword", "True"));
        }
        assert_eq!(said, expected, "{name}");
        assert!(!format!("{reading:?}").contains("Geheim"), "{name}");
    }
}

#[test]
fn a_configuration_in_any_wrapper_says_the_same() {
    let object = "{\"UseProxy\": true, \"ProxyName\": \"p\", \"ProxyServerPort\": 8080, \"LogLevel\": 4, \"ProxyPassword\": \"Geheim-4711\", \"LastConfigChange\": \"\\/Date(1509014504000)\\/\", \"UpdateServer\": \"Microsoft.UpdateServices.Internal.BaseApi.UpdateServer\"}";
    let expected = [("UseProxy", "True"), ("ProxyName", "p"), ("ProxyServerPort", "8080")];
    for text in [
        object.to_string(),
        format!("[{object}]"),
        format!("{{\"value\": [{object}], \"Count\": 1}}"),
        format!("{{\"Value\": {{\"configuration\": {object}}}}}"),
        "UseProxy,ProxyName,ProxyServerPort,ProxyPassword\nTrue,p,8080,Geheim-4711\n".to_string(),
    ] {
        for bytes in [text.clone().into_bytes(), utf16(&text)] {
            let reading = given(bytes);
            let mut said: Vec<_> =
                config(&reading).into_iter().map(|(_, name, value)| (name, value)).collect();
            said.sort_unstable_by_key(|(name, _)| expected.iter().position(|(known, _)| known == name));
            assert_eq!(said, expected, "{text}");
            assert_eq!(problems(&reading), [""; 0]);
            assert!(!format!("{reading:?}").contains("Geheim"));
        }
    }
}

#[test]
fn a_configuration_is_read_as_a_dictionary_and_as_one_answer_after_the_other() {
    let table = given(
        "\nName                           Value\n----                           -----\nUseProxy                       True\nProxyName                      proxy.example.com\nSslProxyName                   \nMUUrl                          https://sws.update...\n",
    );
    let expected = [(4, "UseProxy", "True"), (5, "ProxyName", "proxy.example.com"), (6, "SslProxyName", "")];
    assert_eq!(config(&table), expected);
    assert_eq!(table.problems, []);
    let asked = given(
        "PS C:\\> $config.UseProxy\nTrue\nPS C:\\> $config.SslProxyName\n\nPS C:\\> $config.ProxyPassword\nGeheim-4\nPS C:\\> $config.ProxyName\nPS C:\\> $config.MUUrl\n",
    );
    assert_eq!(config(&asked), [(2, "UseProxy", "True"), (4, "SslProxyName", "")]);
    assert_eq!(asked.problems, []);
    assert!(!format!("{asked:?}").contains("Geheim-4"));
}

#[test]
fn a_piece_of_iis_configuration_is_read() {
    let whole = reading("applicationHost.config");
    let text = text_of("applicationHost.config");
    let from = text.find("<site name=").unwrap();
    let piece = &text[from..text.rfind("</site>").unwrap() + 7];
    let given = given(format!("from applicationHost.config:\n\n            {piece}\n"));
    let own = |fact: &&wsusprobe::facts::Fact| matches!(&fact.statement, Statement::IisBinding { site, .. } if site == "WSUS Administration");
    let bindings = |reading: &Reading| {
        reading.facts.iter().filter(own).map(|fact| fact.statement.clone()).collect::<Vec<_>>()
    };
    assert_eq!(bindings(&whole).len(), 2);
    assert_eq!(bindings(&given), bindings(&whole));
    assert_eq!(given.problems, []);
}

#[test]
fn the_servers_own_name_is_kept() {
    let list =
        "WebServiceUrl : http://w:8530/x.asmx\nName          : WSUS01\nVersion       : 6.3.9600.18694\n";
    let reading = given(list);
    assert_eq!(reading.facts[1].statement, Statement::ServerName { name: "WSUS01".into() });
    let table = "Name   PortNumber ServerProtocolVersion\n----   ---------- ---------------------\nWSUS01 8530       1.20\n";
    assert_eq!(given(table).facts[0].statement, Statement::ServerName { name: "WSUS01".into() });
    let json = "{\"WebServiceUrl\": \"http://w\", \"Name\": \"WSUS01\", \"Version\": \"6.3.9600.18694\"}";
    assert!(given(json).facts.iter().any(|f| f.statement == Statement::ServerName { name: "WSUS01".into() }));
}

#[test]
fn a_collections_sources_are_read_as_files_of_their_own() {
    let reading = reading("collection.json");
    let kinds: Vec<_> = reading.kinds.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    assert_eq!(
        kinds,
        [
            ("collection.json", Kind::Collection),
            ("collection.json#services", Kind::Services),
            ("collection.json#root", Kind::Certificates),
            ("collection.json#pool", Kind::Services),
            ("collection.json#config", Kind::Configuration),
            ("collection.json#strange", Kind::Unknown),
        ]
    );
    assert_eq!(reading.facts[0].statement, Statement::ServerName { name: "WSUS01.example.test".into() });
    assert_eq!(
        reading.facts[1].statement,
        Statement::NotCollected { source: "events".into(), why: "access denied \\u{1b}[31m".into() }
    );
    assert_eq!(services(&reading), [(2, "WsusService", ServiceState::Stopped, "Automatic")]);
    // The command tells whose store it is, and of which pool the state is.
    assert_eq!(
        certificates(&reading)[0],
        (2, StoreAccount::User, "Root", "CN=Example Root CA", "11cc", time("2039-12-31T23:59:00Z"), None)
    );
    assert_eq!(pools(&reading), [(4, "WsusPool", ServiceState::Running)]);
    assert_eq!(config(&reading), [(1, "UseProxy", "True")]);
    assert_eq!(problems(&reading).len(), 1);
    assert!(problems(&reading)[0].starts_with("collection.json#strange: expected "));
    assert!(!format!("{reading:?}").contains("Geheim"));
    let ids: Vec<String> = reading.facts.iter().map(|fact| fact.id.clone()).collect();
    let expected: Vec<String> = (1..=ids.len()).map(|n| format!("f{n}")).collect();
    assert_eq!(ids, expected);
}

#[test]
fn a_collection_of_another_form_is_one_clear_error() {
    for (text, expected) in [
        (
            "{\n \"wsusprobe-collection\": 2, \"sources\": []}",
            "given:2: expected a collection of version 1, found version 2, which another version of this program wrote",
        ),
        (
            "{\"wsusprobe-collection\": \"1\"}",
            "given:1: expected a collection of version 1, found another value of `wsusprobe-collection`",
        ),
    ] {
        assert_eq!(problems(&given(text)), [expected]);
    }
    let shape = given("{\"wsusprobe-collection\": 1,\n \"sources\": [{\"name\": 1}]}");
    assert!(
        problems(&shape)[0].starts_with("given:2: expected a collection of version 1, found "),
        "{shape:?}"
    );
    let inner = serde_json::to_string(&text_of("collection.json")).unwrap();
    let nested = format!(
        "{{\"wsusprobe-collection\": 1, \"sources\": [{{\"name\": \"a\", \"command\": \"\", \"text\": {inner}}}]}}"
    );
    let nested = given(nested);
    assert_eq!(
        problems(&nested),
        ["given#a: expected files that are not nested, found a collection within a collection"]
    );
    assert!(services(&nested).is_empty());
    let many = "{\"name\": \"a\", \"failed\": \"x\"},".repeat(600);
    let many =
        given(format!("{{\"wsusprobe-collection\": 1, \"sources\": [{}]}}", many.trim_end_matches(',')));
    assert_eq!(problems(&many).len(), 1);
    assert_eq!(many.facts.len(), 513);
}

#[test]
fn a_collection_gives_a_bounded_number_of_facts() {
    let text = "HotFixID : KB4022720\\n\\n".repeat(20_000);
    let source = format!("{{\"name\": \"a\", \"text\": \"{text}\"}}");
    let sources = [source.as_str(); 8].join(",");
    let reading = given(format!("{{\"wsusprobe-collection\": 1, \"sources\": [{sources}]}}"));
    assert_eq!(reading.facts.len(), 50_001);
    assert_eq!(
        problems(&reading),
        ["given#a: expected at most 50000 facts in one collection, found more of them"]
    );
}

#[test]
fn what_one_side_writes_the_other_reads() {
    use wsusprobe::collection::{Came, Collection, Source, VERSION};
    let source = |name: &str, came| Source { name: name.into(), command: "x".into(), came };
    let collection = Collection {
        version: VERSION,
        server: "WSUS01".into(),
        time: "2026-04-21T03:00:00Z".into(),
        account: "NT AUTHORITY\\SYSTEM".into(),
        sources: vec![
            source("clock", Came::Text(text_of("w32tm-english.txt"))),
            source("log", Came::Failed("no such file".into())),
        ],
    };
    let text = serde_json::to_string(&collection).unwrap();
    assert_eq!(serde_json::from_str::<Collection>(&text).unwrap(), collection);
    let reading = given(text);
    assert_eq!(reading.problems, []);
    assert_eq!(reading.facts.len(), 3);
}

#[test]
fn every_encoding_and_mark_of_a_mail_says_the_same() {
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let plain = given(text.clone());
        let expected: Vec<_> = plain.facts.iter().map(|fact| &fact.statement).collect();
        for bytes in [
            utf16(&text),
            utf16(&text.replace('\n', "\r\n")),
            text.replace('\n', "\r\n").into_bytes(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ] {
            let other = given(bytes);
            let said: Vec<_> = other.facts.iter().map(|fact| &fact.statement).collect();
            assert_eq!(said, expected, "{}", path.display());
        }
        let is_document = ["json", "clixml", "config", "csv", "reg", "pem"]
            .iter()
            .any(|end| path.extension().is_some_and(|extension| extension == *end));
        if !is_document {
            let each = |begin: &str| text.lines().map(|line| format!("{begin}{line}\n")).collect::<String>();
            let broken = text.replace("  ", "\u{a0} ");
            for wrapped in [each("> "), each("    "), each("\t"), broken, format!("```\n{text}```\n")] {
                let other = given(wrapped.clone());
                let said: Vec<_> = other.facts.iter().map(|fact| &fact.statement).collect();
                assert_eq!(said, expected, "{} as {wrapped}", path.display());
            }
        }
    }
}

#[test]
fn a_document_inside_a_text_says_what_it_says_alone() {
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts");
    let documents: [(PathBuf, &str); 7] = [
        (other.join("config.json"), "PS C:\\> $config | ConvertTo-Json\n"),
        (other.join("config.clixml"), "PS C:\\> Get-Content config.clixml\n"),
        (other.join("events.xml"), "PS C:\\> wevtutil qe Application\n"),
        (fixture("applicationHost.config"), "C:\\>type applicationHost.config\n"),
        (fixture("history.json"), "the history:\n\n"),
        (fixture("services.json"), "and the services\n"),
        (fixture("collection.json"), "PS C:\\> type server.json\n"),
    ];
    let service =
        "PS C:\\> Get-Service WsusService | fl Name, Status\n\nName   : WsusService\nStatus : Stopped\n";
    for (path, above) in documents {
        let document = std::fs::read_to_string(&path).unwrap();
        let alone = given(document.clone());
        assert!(!alone.facts.is_empty());
        let moved = above.lines().count() as u32;
        let expected: Vec<_> = alone
            .facts
            .iter()
            .map(|fact| {
                let part = fact.source.file != "given";
                let line = fact.source.line.map(|line| if part { line } else { line + moved });
                (line, &fact.statement)
            })
            .collect();
        let quoted = |text: String| text.lines().map(|line| format!("> {line}\n")).collect::<String>();
        let text = format!("{above}{}\n{service}", document.trim_end());
        for text in [text.clone(), quoted(text.clone()), text.replace('\n', "\r\n")] {
            let inside = given(text);
            let own = |statement: &Statement| {
                matches!(statement, Statement::Service { state: ServiceState::Stopped, .. })
            };
            let all = inside.facts.iter().map(|fact| (fact.source.line, &fact.statement));
            let said: Vec<_> = all.collect();
            let missing: Vec<_> = expected.iter().filter(|fact| !said.contains(fact)).collect();
            assert!(missing.is_empty(), "{}: {missing:?} not in {said:?}", path.display());
            assert_eq!(said.len(), expected.len() + 1, "{}: {said:?}", path.display());
            assert!(inside.facts.iter().any(|fact| own(&fact.statement)), "{}", path.display());
        }
    }
}

#[test]
fn braces_and_tags_in_a_text_are_text() {
    for text in ["{\n", "[\n", "{}\n", "[{}]\n{\"a\": 1}\n", "<Event \n", "{\"UseProxy\": 1\n", "<?xml\n"] {
        let reading = given(format!("UseProxy : True\n\n{text}\nProxyName : a\n"));
        let last = 4 + text.lines().count() as u32;
        assert_eq!(config(&reading).first(), Some(&(1, "UseProxy", "True")), "{text}");
        assert_eq!(config(&reading).last(), Some(&(last, "ProxyName", "a")), "{text}");
        assert!(reading.problems.len() <= 1, "{text}: {:?}", reading.problems);
    }
}

#[test]
fn a_blank_lost_between_two_words_comes_back() {
    let error = |above: &str, below: &str| {
        let quoted = "Exception calling \"GetResponse\" with \"0\" argument(s): ";
        let given = given(format!(
            "{quoted}\"{above}\n{below}\"\nAt line:1 char:1\n+ FullyQualifiedErrorId : WebException\n"
        ));
        match &given.facts[0].statement {
            Statement::HttpTest { exceptions, .. } => exceptions[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    let whole = "System.Net.WebException | The underlying connection was closed: Could not establish trust relationship for the SSL/TLS secure channel. | ";
    let closed = "The underlying connection was closed: Could not establish trust";
    assert_eq!(error(closed, "relationship for the SSL/TLS secure channel."), whole);
    // A window of 120 columns, filled.
    assert_eq!(error(&format!("{closed} r"), "elationship for the SSL/TLS secure channel."), whole);
    let event = given(
        "ProviderName : Windows Server Update Services\nId           : 386\nMessage      : Synchronization failed. Reason: The underlying connection was closed: An unexpected error occurred on\n               a send.\n",
    );
    let reason = event.facts.iter().find_map(|fact| match &fact.statement {
        Statement::LogSync { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert_eq!(reason, Some("The underlying connection was closed: An unexpected error occurred on a send"));
}

#[test]
fn an_empty_line_below_each_costs_nothing() {
    let names = [
        "services-table.txt",
        "hotfix-table.txt",
        "w32tm-english.txt",
        "sslcert.txt",
        "certutil-store.txt",
        "verify-bad.txt",
        "history.txt",
        "subscription.txt",
        "http-test.txt",
    ];
    for name in names {
        let alone = reading(name);
        let apart = given(text_of(name).replace('\n', "\n\n"));
        let line = |line: Option<u32>| line.map(|line| line * 2 - 1);
        let expected: Vec<_> =
            alone.facts.iter().map(|fact| (line(fact.source.line), &fact.statement)).collect();
        let said: Vec<_> = apart.facts.iter().map(|fact| (fact.source.line, &fact.statement)).collect();
        assert_eq!(said, expected, "{name}");
    }
}

#[test]
fn several_outputs_stand_in_one_paste() {
    let names = [
        "services-table.txt",
        "service-absent.txt",
        "hotfix-table.txt",
        "w32tm-english.txt",
        "sslcert.txt",
        "certutil-store.txt",
        "verify-bad.txt",
        "history.txt",
        "wsusutil.txt",
        "http-test.txt",
        "internet-settings.txt",
        "certificates.pem",
    ];
    let paste: String = names.iter().map(|name| text_of(name) + "\n").collect();
    let together = given(paste);
    assert_eq!(together.problems, []);
    for name in names {
        for fact in &reading(name).facts {
            // What the dates of the other outputs tell makes some of these more.
            let same = |other: &wsusprobe::facts::Fact| other.statement == fact.statement;
            assert!(together.facts.iter().any(same), "{name}: {:?}", fact.statement);
        }
    }
}

#[test]
fn no_prefix_of_a_fixture_panics_or_tells_a_secret() {
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for end in 0..bytes.len() {
            let reading = given(&bytes[..end]);
            let all = format!("{reading:?}");
            assert!(!all.contains("Geheim-4"), "{} cut at {end}: {all}", path.display());
        }
    }
}

const REPEATED: [&str; 37] = [
    "x\n{}\n",
    "x\n[{},\n",
    "x\n{\"UseProxy\": \"a\",\n",
    "x\n{\"UseProxy\": true}\n",
    "x\n<Event >\n",
    "x\n<Event ></Event>\n",
    "x\n<?xml\n",
    "x\n<configuration>\n",
    "x\n<!-- -->\n",
    "CertContext[0][0]: dwInfoStatus=0 dwErrorStatus=0\n",
    "================ x 0 ================\n",
    "-----BEGIN CERTIFICATE-----\n",
    "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "HotFixID  InstalledOn\n  x  y\n",
    "HotFixID=KB4022720\n",
    "\"HotFixID\",\"a\n",
    "HotFixID,a\nKB4022720,b\n",
    "HotFixID\n--------\nKB4022720\n",
    "HotFixID : KB4022720\n",
    "SERVICE_NAME: WsusService\n        STATE              : 1  STOPPED\n",
    "SERVICE_NAME: WsusService\n",
    "a: 0(x)\n",
    "a: 0x00000000\n",
    "    a : 0.0.0.0:1\n",
    "wsusprobe-http-test: 1\nUrl: a\nStatus: 200\n",
    "Exception: \"GetResponse\" x: \"a\n",
    "Exception: \"GetResponse\" x: \"a\"\n",
    "Get-WebAppPoolState a\nValue\n-----\nx\n",
    "WsusEventId : SynchronizationCompletedFailure\n\n",
    "StartTime : 1/2/2026\nResult : Failed\nErrorText : The operation has timed out\n\n",
    "Thumbprint : 9F3C0000000000000000000000000000000000AA\nSubject : a\n\n",
    "certutil -store My\n",
    "SITE \"a\" (id:1,bindings:http/*:1:,state:Started)\n",
    "- - - - - - - - - - - - - - - - - - - -\n",
    "x",
    ": ",
    "2026-03-04 05:00:00, Info  CBS  some other text of a usual length: with a colon, and (a bracket) or 0x80070002\n",
];

#[test]
fn huge_lines_and_endless_repetition_are_bounded() {
    for part in REPEATED {
        let reading = given(part.repeat(100 * 1024 / part.len()));
        assert!(reading.facts.len() <= 20_000, "{part}: {}", reading.facts.len());
    }
    let line = given("Name : ".to_string() + &"x".repeat(9 * 1024 * 1024));
    assert_eq!((line.facts.len(), line.problems.len()), (1, 1));
}

/// Meant for a build that is optimized: twenty megabytes of each.
#[test]
#[ignore = "measures"]
fn no_repetition_takes_long() {
    for part in REPEATED {
        let text = part.repeat(20_000_000 / part.len());
        let begin = std::time::Instant::now();
        given(text);
        let took = begin.elapsed();
        println!("{:6} ms: {}", took.as_millis(), part.lines().next().unwrap());
        assert!(cfg!(debug_assertions) || took.as_secs() < 10, "{part}: {took:?}");
    }
}

mod hostile {
    use proptest::prelude::*;
    use wsusprobe::facts::{Input, read};

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn any_change_of_a_fixture(which in 0usize..64, at in any::<prop::sample::Index>(), change in proptest::collection::vec(any::<u8>(), 0..4)) {
            let mut names: Vec<_> = std::fs::read_dir(super::fixture("")).unwrap().map(|e| e.unwrap().path()).collect();
            names.sort();
            let mut bytes = std::fs::read(&names[which % names.len()]).unwrap();
            let at = at.index(bytes.len());
            bytes.splice(at..at + 1, change);
            let reading = read(&[Input::bytes("x", bytes)]);
            let said = serde_json::to_string(&reading.facts).unwrap();
            prop_assert!(!said.contains("\\u001b") && !said.contains('\u{9b}'), "{said}");
        }
    }
}

fn parts_of_stores(reading: &Reading) -> usize {
    reading.facts.iter().filter(|fact| matches!(fact.statement, Statement::PartOfStore { .. })).count()
}

#[test]
fn a_store_that_was_cut_or_asked_for_in_part_is_said_to_be_a_part() {
    let whole = text_of("certutil-store.txt");
    assert_eq!(parts_of_stores(&given(whole.clone())), 0);
    assert_eq!(parts_of_stores(&reading("certutil-store-german.txt")), 0);
    assert_eq!(parts_of_stores(&reading("cert-drive.txt")), 0);
    let last = whole.rfind("CertUtil:").unwrap();
    assert_eq!(parts_of_stores(&given(&whole[..last])), 1);
    // Somebody stopped the first list and went on.
    let first = whole.find("CertUtil:").unwrap();
    let rest = &whole[first..];
    let rest = &rest[rest.find("C:\\>").unwrap()..];
    assert_eq!(parts_of_stores(&given(format!("{}{rest}", &whole[..first]))), 1);
    for (call, parts) in [
        ("certutil -store My", 0),
        ("certutil -store My > my.txt", 0),
        ("certutil -store My 2>&1", 0),
        ("certutil -v -store My | more", 0),
        ("certutil -store My 4a0000000312", 1),
        ("certutil -store My \"wsus01\"", 1),
        ("certutil -store My | findstr /i wsus", 1),
    ] {
        let text = whole.replacen("certutil -store My", call, 1);
        assert_eq!(parts_of_stores(&given(text)), parts, "{call}");
    }
    for (pipe, parts) in
        [(" | fl *", 0), (" | Where-Object Subject -like '*wsus*' | fl *", 1), (" -DnsName wsus1 | fl *", 1)]
    {
        let text = format!(
            "PS C:\\> Get-ChildItem Cert:\\LocalMachine\\My{pipe}\n\nThumbprint : {}\nSubject : CN=a\nIssuer : CN=b\n",
            "9F".repeat(20)
        );
        assert_eq!(parts_of_stores(&given(text)), parts, "{pipe}");
    }
}

fn names(reading: &Reading) -> Vec<&str> {
    let names = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::ServerName { name } => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

#[test]
fn services_of_another_machine_name_it() {
    let table = "Status   Name               DisplayName\n------   ----               -----------\n\
                 Stopped  WsusService        WSUS Service\n";
    for (call, own) in [
        ("Get-Service WsusService -ComputerName WSUS9", vec!["WSUS9"]),
        ("Get-Service -ComputerName 'wsus9.example.test' WsusService", vec!["wsus9.example.test"]),
        ("Get-Service WsusService", vec![]),
        ("Get-Service W32Time -ComputerName DC1", vec![]),
    ] {
        assert_eq!(names(&given(format!("PS C:\\> {call}\n\n{table}"))), own, "{call}");
    }
    let sc = "C:\\>sc \\\\WSUS9 query WsusService\n\nSERVICE_NAME: WsusService\n        TYPE               : 10  WIN32_OWN_PROCESS\n        \
              STATE              : 1  STOPPED\n";
    assert_eq!(names(&given(sc)), ["WSUS9"]);
    for (machine, own) in [("WSUS9", vec!["WSUS9"]), (".", vec![])] {
        let csv = format!(
            "\"Name\",\"DisplayName\",\"Status\",\"StartType\",\"MachineName\"\n\
             \"WsusService\",\"WSUS Service\",\"Stopped\",\"Automatic\",\"{machine}\"\n\
             \"W3SVC\",\"WWW\",\"Running\",\"Automatic\",\"{machine}\"\n"
        );
        assert_eq!(names(&given(csv)), own);
    }
}

#[test]
fn a_version_s_own_table_is_a_version_and_powershell_s_is_none() {
    let table = |parts: [&str; 4]| {
        let [major, minor, build, revision] = parts;
        given(format!(
            "\nMajor  Minor  Build  Revision\n-----  -----  -----  --------\n{major:<5}  {minor:<5}  {build:<5}  {revision:<8}\n\n"
        ))
    };
    let versions = |reading: &Reading| -> Vec<String> {
        let versions = reading.facts.iter().filter_map(|fact| match &fact.statement {
            Statement::ServerVersion { version } => Some(version.clone()),
            _ => None,
        });
        versions.collect()
    };
    let known = table(["6", "3", "9600", "18694"]);
    assert_eq!(versions(&known), ["6.3.9600.18694"]);
    assert_eq!(FactView::new(&known.facts).version_is_2012_family(), Some(true));
    assert_eq!(versions(&table(["10", "0", "17763", "1"])), ["10.0.17763.1"]);
    assert!(versions(&table(["5", "1", "17763", "5328"])).is_empty());
    assert_eq!(
        versions(&given("Major    : 6\nMinor    : 3\nBuild    : 9600\nRevision : 18694\n")),
        ["6.3.9600.18694"]
    );
}

#[test]
fn the_subscription_s_last_time_is_a_time() {
    let list = |time: &str| {
        format!(
            "SynchronizeAutomatically : True\nLastSynchronizationTime : {time}\nNumberOfSynchronizationsPerDay : 1\n"
        )
    };
    let last = |text: String| {
        let reading = given(text);
        let fact = reading.facts.iter().find(|fact| {
            matches!(&fact.statement, Statement::Subscription { property, .. } if property == "LastSynchronizationTime")
        });
        let fact = fact.expect("it");
        (fact.time, fact.zone.clone())
    };
    assert_eq!(last(list("1/31/2025 4:12:08 PM")), (time("2025-01-31T16:12:08Z"), None));
    assert_eq!(last(list("6/7/2026 4:12:08 PM")), (None, None), "the day or the month");
    assert_eq!(last(list("1/1/0001 12:00:00 AM")), (None, None));
}

#[test]
fn a_version_of_wsus_3_and_a_history_of_four_columns_are_read() {
    let read = |text: &str| read(&[Input::bytes("given", text.as_bytes())]);
    let reading =
        read("\nMajor  Minor  Build  Revision\n-----  -----  -----  --------\n3      2      7600   283\n\n");
    assert!(reading.facts.iter().any(|fact| {
        matches!(&fact.statement, Statement::ServerVersion { version } if version == "3.2.7600.283")
    }));
    let history = "\"StartTime\",\"EndTime\",\"Result\",\"Error\"\n\
        \"6/15/2026 3:00:00 AM\",\"6/15/2026 3:05:00 AM\",\"Failed\",\"UssCommunicationError\"\n";
    let reading = read(history);
    assert_eq!(reading.problems, []);
    assert!(reading.facts.iter().any(|fact| {
        matches!(&fact.statement, Statement::SyncRun { error, .. } if error == "UssCommunicationError")
    }));
}
