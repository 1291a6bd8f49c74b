//! What the sources of a collection print, in the forms that their commands give, is read back: each source is of use.

use wsusprobe::facts::{Input, Reading, Statement, read};

fn reading() -> Reading {
    read(&[Input::bytes("collected.json", include_bytes!("facts/collected.json").as_slice())])
}

/// Whether a source gave a statement of which this holds.
fn gives(reading: &Reading, source: &str, holds: impl Fn(&Statement) -> bool) -> bool {
    let file = format!("collected.json#{source}");
    reading.facts.iter().any(|fact| fact.source.file == file && holds(&fact.statement))
}

#[test]
fn every_source_is_read() {
    use Statement::*;
    let reading = reading();
    assert_eq!(reading.problems, []);
    type Wanted = fn(&Statement) -> bool;
    let wanted: [(&str, Wanted); 16] = [
        (
            "configuration",
            |s| matches!(s, Config { property, value } if property == "UpstreamWsusServerPortNumber" && value == "8531"),
        ),
        ("server", |s| matches!(s, ServerVersion { version } if version == "10.0.17763.2989")),
        (
            "subscription",
            |s| matches!(s, Subscription { property, value } if property == "NumberOfSynchronizationsPerDay" && value == "1"),
        ),
        ("history", |s| matches!(s, SyncRun { error, .. } if error == "UssCommunicationError")),
        ("registry", |s| matches!(s, Registry { name, .. } if name == "DisabledByDefault")),
        (
            "registry",
            |s| matches!(s, Registry { key, name, .. } if key.starts_with("HKCU") && name == "ProxyServer"),
        ),
        ("winhttp", |s| matches!(s, WinHttpProxy { servers, .. } if servers.is_empty())),
        ("events", |s| matches!(s, Event { event: 10022, .. })),
        ("services", |s| matches!(s, Service { name, .. } if name == "W3SVC")),
        ("pool", |s| matches!(s, AppPool { name, .. } if name == "WsusPool")),
        ("sslcert", |s| matches!(s, SslBinding { endpoint, .. } if endpoint == "0.0.0.0:8531")),
        ("certificates", |s| {
            matches!(s, StoredCertificate { private_key: Some(true), not_after: Some(_), .. })
        }),
        ("updates", |s| matches!(s, InstalledUpdate { update } if update == "KB5070000")),
        ("suites", |s| matches!(s, CipherSuites { names } if names.len() == 2)),
        ("clock", |s| matches!(s, ClockSource { synchronized: true, .. })),
        (
            "http-test-tls12",
            |s| matches!(s, HttpTest { protocol, status: Some(200), .. } if protocol == "Tls12"),
        ),
    ];
    for (source, holds) in wanted {
        assert!(gives(&reading, source, holds), "{source}");
    }
    assert!(
        reading.facts.iter().any(|f| matches!(&f.statement, NotCollected { source, .. } if source == "iis"))
    );
    assert!(reading.facts.iter().any(|f| matches!(&f.statement, ServerName { name } if name == "WSUS7")));
}

#[test]
fn an_update_that_an_event_names_is_no_version_of_the_server() {
    let reading = reading();
    assert!(gives(
        &reading,
        "events",
        |s| matches!(s, Statement::InstalledUpdate { update } if update == "KB5070000")
    ));
    assert!(!gives(&reading, "events", |s| matches!(s, Statement::ServerVersion { .. })));
}

#[test]
fn times_are_in_utc_whatever_the_language() {
    let reading = reading();
    for source in ["history", "events"] {
        let file = format!("collected.json#{source}");
        let timed: Vec<_> =
            reading.facts.iter().filter(|f| f.source.file == file && f.time.is_some()).collect();
        assert!(!timed.is_empty());
        assert!(timed.iter().all(|fact| fact.zone.as_deref() == Some("UTC")), "{timed:?}");
    }
}
