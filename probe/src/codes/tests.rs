use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::rules::catalogue;

fn keys(text: &str) -> Vec<String> {
    lookup(text).iter().map(|entry| entry.key.to_string()).collect()
}

#[test]
fn every_line_of_the_tables_is_read() {
    let lines = rows(CODES).count() + rows(EVENTS).count();
    assert_eq!(entries().len(), lines);
    assert!(lines > 1_290, "{lines}");
    let mut seen = HashSet::new();
    for entry in entries() {
        assert!(!entry.meaning.trim().is_empty() && entry.meaning.ends_with('.'), "{entry:?}");
        assert!(!entry.meaning.chars().any(char::is_control), "{entry:?}");
        // Event 18456 is one thing, SQL Server's number another; a code's two meanings have different symbols.
        assert!(seen.insert((entry.key, entry.symbols.clone())), "{} twice", entry.key);
    }
}

#[test]
fn findings_and_pages_name_ids_of_the_catalogue() {
    for (name, area) in areas() {
        assert!(!area.not.is_empty() && !area.first.is_empty(), "{name}");
        for id in &area.findings {
            assert!(catalogue::entry(id).is_some_and(|entry| entry.due), "{name}: {id}");
        }
        assert!(entries().iter().any(|entry| std::ptr::eq(entry.area, area)), "no code is of {name}");
    }
    for (key, page) in PAGES {
        let entry = entries().iter().find(|entry| entry.key == key).unwrap();
        assert_eq!(entry.page(), Some(page));
        for heading in [
            "## On the server",
            "## On a client",
            "## What it does not prove",
            "## Likely findings",
            "## First checks",
            "## Never",
        ] {
            assert!(page.contains(heading), "{key}: {heading}");
        }
        let ids = page.split('`').skip(1).step_by(2).filter(|word| {
            word.contains('/') && !word.contains([' ', ':']) && !word.starts_with("http")
                || word.starts_with("http/")
        });
        let mut linked = 0;
        for id in ids {
            linked += 1;
            assert!(catalogue::entry(id).is_some(), "{key}: {id}");
        }
        assert!(linked > 2, "{key}");
        assert!(
            page.contains("says nothing") || page.contains("anything about the server's synchronization")
        );
    }
}

#[test]
fn a_code_is_found_in_the_spellings_of_logs() {
    for spelling in [
        "0x80072EE2",
        "0X80072ee2",
        "80072ee2",
        "-2147012894",
        "2147954402",
        "win32:12002",
        "hr=80072ee2",
        "hr = 0x80072EE2,",
        "(80072EE2)",
        "[0x80072ee2].",
        "error 0x80072EE2",
        "HRESULT: 0x80072EE2",
        "0xFFFFFFFF80072EE2",
        "WININET_E_TIMEOUT",
        "error_winhttp_timeout",
        "  0x80072EE2 ",
    ] {
        assert_eq!(keys(spelling), ["0x80072EE2"], "{spelling}");
    }
    assert_eq!(keys("12002"), ["event:12002", "0x80072EE2"]);
    assert_eq!(keys("0x2EE2"), ["0x80072EE2"]);
    assert_eq!(keys("10060"), ["0x8007274C"]);
    assert_eq!(keys("HRESULT_FROM_WIN32(ERROR_ACCESS_DENIED)"), ["0x80070005"]);
    assert_eq!(keys("2149122451"), ["0x80190193"]);
}

#[test]
fn a_bare_number_has_every_meaning_and_a_word_chooses() {
    assert_eq!(keys("10022"), ["event:10022", "0x80072726"]);
    assert_eq!(keys("event:10022"), ["event:10022"]);
    assert_eq!(keys("EventId=10022"), ["event:10022"]);
    assert_eq!(keys("Event ID 10022"), ["event:10022"]);
    assert_eq!(keys("win32:10022"), ["0x80072726"]);
    assert_eq!(keys("503"), ["event:503", "http:503"]);
    assert_eq!(keys("http:503"), ["http:503"]);
    assert_eq!(keys("HTTP 407"), ["http:407"]);
    assert_eq!(keys("HTTP/1.1 407 Proxy Authentication Required"), ["http:407"]);
    assert_eq!(keys("HTTP status 403.4"), ["http:403.4"]);
    assert_eq!(keys("403.4"), ["http:403.4"]);
    assert_eq!(keys("18456"), ["event:18456", "sql:18456"]);
    assert_eq!(keys("SqlException.Number=-2"), ["sql:-2"]);
    assert_eq!(keys("SCHANNEL event 36887"), ["event:36887"]);
    assert!(
        keys("http:10022").is_empty() && keys("event:80072EE2").is_empty() && keys("win32 http 5").is_empty()
    );
}

/// Whether a code is seen on clients alone. The pages of two of them tell the server's side and the client's apart.
fn of_clients(entry: &Entry) -> bool {
    match &entry.family {
        Family::Codes(family) => {
            ["the Windows Update agent", "Delivery Optimization"].contains(&family.name.as_str())
        }
        Family::Event { source, .. } => *source == "Microsoft-Windows-WindowsUpdateClient",
    }
}

/// Whether a code is seen only while update files are fetched.
fn of_files(entry: &Entry) -> bool {
    matches!(&entry.family, Family::Codes(family) if family.not.starts_with("Metadata does not travel"))
        || matches!(&entry.family, Family::Event { source: "Microsoft-Windows-Bits-Client", .. })
}

fn findings(entry: &Entry) -> Vec<&str> {
    entry.area.findings.iter().map(String::as_str).collect()
}

#[test]
fn what_only_clients_and_file_transfers_see_sends_nobody_to_synchronization() {
    let (mut clients, mut files) = (0, 0);
    for entry in entries() {
        let allowed = match () {
            () if of_clients(entry) => "history/client-log",
            () if of_files(entry) => "content/",
            () => continue,
        };
        clients += usize::from(of_clients(entry));
        files += usize::from(of_files(entry));
        for id in findings(entry) {
            assert!(id.starts_with(allowed), "{}: {id}", entry.key);
        }
        for setting in ["MUUrl", "WSUS' own configuration", "synchroniz"] {
            assert!(!entry.area.first.contains(setting), "{}: {}", entry.key, entry.area.first);
        }
    }
    assert!(clients > 400 && files > 100, "{clients} {files}");
    // Each of these was sent to the server's synchronization once.
    for (code, first) in [
        ("0x80244010", "superseded"),
        ("0x80244012", "own log"),
        ("0x80244007", "ErrorCode in the client's WindowsUpdate.log"),
        ("0x8024401B", "netsh winhttp show proxy"),
        ("0x80244004", "WUServer"),
        ("0x8024401F", "WSUS server that it is pointed at"),
        ("0x80D02002", "client's WindowsUpdate.log"),
    ] {
        assert!(lookup(code)[0].area.first.contains(first), "{code}: {}", lookup(code)[0].area.first);
    }
}

#[test]
fn the_endpoint_is_named_only_where_the_topmost_server_can_have_met_it() {
    let mut met = Vec::new();
    for entry in entries() {
        let listed = findings(entry).iter().any(|id| id.starts_with("config/endpoint-"));
        assert_eq!(listed, entry.area.first.contains("MUUrl"), "{}", entry.key);
        if listed {
            met.push(entry.key.to_string());
        }
        // No replica has an endpoint of its own, and no other program of the server reads it.
        assert!(!listed || !entry.meaning.starts_with("Replica"), "{}", entry.key);
    }
    met.sort();
    assert_eq!(met, ["SoapException", "SynchronizationError:8", "soap:InternalServerError"]);
    let replica = entries().iter().filter(|entry| entry.meaning.starts_with("Replica")).count();
    assert_eq!(replica, 2);
    for code in ["InvalidCookie", "CookieExpired", "ConfigChanged", "InvalidAuthorizationCookie"] {
        assert!(lookup(code)[0].area.not.contains("recovers by itself"), "{code}");
    }
}

#[test]
fn an_event_sends_where_the_rules_do() {
    for entry in entries() {
        if let Key::Event(7032..=7053) = entry.key {
            assert_eq!(findings(entry), ["history/console-only"], "{}", entry.key);
            assert!(entry.area.not.contains("synchronization"), "{}", entry.key);
        } else {
            assert!(!findings(entry).contains(&"history/console-only"), "{}", entry.key);
        }
    }
    for (event, ids) in [
        ("event:36870", ["wsus/binding-certificate"]),
        ("event:506", ["wsus/selfupdate-missing"]),
        ("event:13042", ["wsus/selfupdate-missing"]),
        ("event:10021", ["history/stale"]),
        ("event:10022", ["history/failing"]),
        ("event:425", ["history/failing"]),
        ("event:421", ["history/database"]),
        ("event:11002", ["history/database"]),
    ] {
        assert_eq!(findings(lookup(event)[0]), ids, "{event}");
    }
}

#[test]
fn a_finding_is_listed_by_codes_that_can_come_to_it() {
    for entry in entries() {
        for id in findings(entry) {
            let fits = match (id, entry.key) {
                // A pool that is down answers 503; beside that it is seen in the events of its own server.
                ("http/pool-down", key) => {
                    matches!(key, Key::Http(503, _) | Key::Event(_) | Key::Sync(7))
                        || key == Key::Soap("ServerBusy")
                }
                ("http/ssl-required", key) => matches!(key, Key::Http(400 | 403, _)),
                ("http/unauthorized", key) => matches!(key, Key::Http(401 | 403, _) | Key::Sync(9)),
                ("http/not-found" | "http/no-site", key) => matches!(key, Key::Http(400 | 404, _)),
                ("history/database", key) => {
                    matches!(key, Key::Sql(_) | Key::Sync(2..=4) | Key::Event(_) | Key::Code(0x8013_1904))
                }
                ("wsus/replica-note", key) => matches!(key, Key::Sync(14 | 15)),
                _ => true,
            };
            assert!(fits, "{}: {id}", entry.key);
        }
    }
    for (code, wrong) in [
        ("0x80070032", "http/"),
        ("0x80070008", "http/"),
        ("0x8007000E", "http/"),
        ("0x80072740", "http/pool-down"),
        ("0x80004003", "config/"),
        ("0x80131537", "config/"),
        ("0x80096010", "proxy/"),
        ("0x80096002", "trust/"),
        ("SynchronizationUpdateError:1", "history/database"),
        ("InvalidAuthorizationCookie", "proxy/"),
    ] {
        let found = lookup(code);
        assert!(!found.is_empty() && !findings(found[0]).iter().any(|id| id.starts_with(wrong)), "{code}");
    }
    assert!(lookup("0x80072740")[0].area.first.contains("8530 and 8531"));
}

#[test]
fn a_code_is_found_as_logs_and_exceptions_print_it() {
    let long = format!("EventId=386,Type=Error,Category=Synchronization,Message={}", "x".repeat(5_000));
    for (spelling, key) in [
        ("EventId=386,Type=Error", "event:386"),
        ("EventId=386,Type=Error,Category=Synchronization,Message=Synchronization failed.", "event:386"),
        (" eventid=10022,type=error", "event:10022"),
        (&long, "event:386"),
        ("(407) Proxy Authentication Required", "http:407"),
        ("(407) Proxyauthentifizierung erforderlich.", "http:407"),
        ("The remote server returned an error: (407) Proxy Authentication Required.", "http:407"),
        ("(503) Server Unavailable", "http:503"),
        ("Exception from HRESULT: 0x80072EE2", "0x80072EE2"),
        ("(Exception from HRESULT: 0x80072EE2)", "0x80072EE2"),
        ("The operation timed out (Exception from HRESULT: 0x80072EE2)", "0x80072EE2"),
        ("Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))", "0x80070005"),
        ("Win32Exception (0x80090331)", "0x80090331"),
        ("Win32Exception: 0x80090331", "0x80090331"),
        ("System.ComponentModel.Win32Exception (0x80090331): no common algorithm, 2 tries", "0x80090331"),
        ("SocketException (10060)", "0x8007274C"),
        ("System.Net.Sockets.SocketException (0x8007274C)", "0x8007274C"),
        ("System.Data.SqlClient.SqlException (0x80131904): Timeout expired", "0x80131904"),
        ("SynchronizationError.UssCommunicationError", "SynchronizationError:10"),
        (
            "Microsoft.UpdateServices.Administration.SynchronizationError.UssCommunicationError",
            "SynchronizationError:10",
        ),
        ("SynchronizationUpdateError.DependencyNotFound", "SynchronizationUpdateError:1"),
        ("“0x80072EE2”", "0x80072EE2"),
        ("„0x80072EE2“", "0x80072EE2"),
        ("«0x80072EE2»", "0x80072EE2"),
        ("« 0x80072EE2 »", "0x80072EE2"),
        ("‹0x80072EE2›", "0x80072EE2"),
        ("‘0x80072EE2’", "0x80072EE2"),
        ("\u{2212}2147012894", "0x80072EE2"),
        ("\u{2013}2147012894", "0x80072EE2"),
        ("HTTP 403 substatus 16", "http:403.16"),
        ("403 substatus 16", "http:403.16"),
        ("HTTP status 403, sub-status: 16", "http:403.16"),
        ("sc-status=403 sc-substatus=16", "http:403.16"),
    ] {
        assert_eq!(keys(spelling), [key], "{spelling}");
        assert_eq!(lookup(spelling), lookup(key), "{spelling}");
    }
}

#[test]
fn what_only_resembles_a_spelling_is_no_code() {
    for spelling in [
        "EventId=386,386",
        "EventId=386,Typed=Error",
        "EventId=,Type=Error",
        "EventId=-386,Type=Error",
        "EventId=99999999999,Type=Error",
        "EventId=80072EE2,Type=Error",
        "EventId",
        "(407) 10022",
        "(407) Proxy 10022",
        "(4071) Proxy Authentication Required",
        "(99) Proxy Authentication Required",
        "(407) event 386",
        "Win32: (407) Proxy Authentication Required",
        "0x80072EE2: (407) Proxy Authentication Required",
        "(0x80072EE2) (407) Proxy Authentication Required",
        "Exception from HRESULT:",
        "Exception from HRESULT: 0x80072EE2 0x80072EFD",
        "Exception from HRESULT: event 386",
        "Exception from HRESULT: 0x80072EE",
        "Exception from event 386",
        "Win32Exception ()",
        "Win32Exception (0x80090331) (0x80090302)",
        "Win32Exception (0x80090331) event 386",
        "Win32Exceptional (0x80090331)",
        "win32:0x80090331",
        "SynchronizationErrors.UssCommunicationError",
        "SynchronizationError.InvalidCookie",
        "SynchronizationUpdateError.UssCommunicationError",
        "SynchronizationError.",
        "UssCommunicationError.SynchronizationError",
        "\u{2212}0x80072EE2",
        "\u{2212}\u{2212}2147012894",
        "2147012894\u{2212}",
        "“0x80072EE2”0x80072EFD”",
        "HTTP 403 substatus",
        "HTTP 403 substatus x",
        "HTTP 403 substatus 999",
        "HTTP 403 substatus 16 17",
        "HTTP 403 Forbidden substatus 16",
        "event 403 substatus 16",
        "substatus 16",
    ] {
        assert_eq!(keys(spelling), Vec::<String>::new(), "{spelling}");
    }
    assert_eq!(status_alone("401.99"), Some(401));
    assert_eq!(status_alone("HTTP 403 substatus 99"), Some(403));
    for spelling in ["999.1", "401", "401.999", "1.5", "event:401.99"] {
        assert_eq!(status_alone(spelling), None, "{spelling}");
    }
}

#[test]
fn names_are_found_in_any_case() {
    assert_eq!(keys("UssCommunicationError"), ["SynchronizationError:10"]);
    assert_eq!(keys("USSCommunicationError: WebException: The remote name"), ["SynchronizationError:10"]);
    assert_eq!(keys("SynchronizationError:10"), ["SynchronizationError:10"]);
    assert_eq!(keys("SynchronizationError: usscommunicationerror"), ["SynchronizationError:10"]);
    assert_eq!(keys("InvalidCookie"), ["soap:InvalidCookie"]);
    assert_eq!(keys("SoapFault:ServerBusy"), ["soap:ServerBusy"]);
    assert_eq!(keys("ErrorCode=InternalServerError"), ["http:500", "soap:InternalServerError"]);
    assert_eq!(keys("soap:InternalServerError"), ["soap:InternalServerError"]);
    assert_eq!(keys("HealthCoreCatalogSyncRed"), ["event:10022"]);
    assert_eq!(keys("SoapException: Fault occurred"), ["SoapException"]);
    assert_eq!(keys("TrustFailure"), ["TrustFailure"]);
}

#[test]
fn one_number_with_two_names_shows_both() {
    let names: Vec<_> = lookup("12175").iter().map(|entry| entry.symbols[0]).collect();
    assert_eq!(names, ["ERROR_WINHTTP_SECURE_FAILURE", "WININET_E_DECODING_FAILED"]);
    assert!(lookup("0x80072F8F")[0].page().is_some() && lookup("0x80072F8F")[1].page().is_none());
}

#[test]
fn statuses_that_were_wrapped_are_named() {
    let update = [400, 401, 403, 404, 405, 407, 408, 409, 410, 500, 501, 502, 503, 504, 505];
    for (code, status) in (0x8024_4016u32..).zip(update) {
        assert!(short(code).unwrap().1.contains(&format!("HTTP {status}")), "{code:08X}");
    }
    for entry in entries() {
        if let Key::Code(code) = entry.key
            && code >> 16 == 0x8019
            && code & 0xFFFF >= 100
        {
            assert!(entry.meaning.contains(&format!("HTTP {}.", code & 0xFFFF)), "{code:08X}");
        }
    }
    assert_eq!(keys("0x801901AD"), ["http:429"], "no code of its own");
}

#[test]
fn what_is_from_memory_stays_marked() {
    assert!(lookup("sql:1105")[0].from_memory && lookup("event:7042")[0].from_memory);
    assert!(lookup("403.4")[0].from_memory && !lookup("0x80072EE2")[0].from_memory);
}

#[test]
fn a_short_answer_has_name_and_meaning() {
    assert_eq!(short(0x8024_402C).unwrap().0, "WU_E_PT_WINHTTP_NAME_NOT_RESOLVED");
    assert_eq!(short(12002), short(0x8007_2EE2));
    assert_eq!(short(0xC0FF_EE00), None);
    assert!(lookup("0x80072F90")[0].from_memory && short(0x8007_2F90).is_none());
}

#[test]
fn every_name_finds_its_code() {
    for entry in entries() {
        for symbol in &entry.symbols {
            assert!(lookup(symbol).contains(&entry), "{symbol}");
            assert!(lookup(&symbol.to_lowercase()).contains(&entry), "{symbol}");
        }
        assert!(lookup(&entry.key.to_string()).contains(&entry), "{}", entry.key);
    }
}

fn spellings(code: u32) -> Vec<String> {
    let signed = code.cast_signed();
    let mut all = vec![
        format!("0x{code:08X}"),
        format!("0x{code:x}"),
        format!("{code:08x}"),
        format!("{code:08X}"),
        code.to_string(),
        signed.to_string(),
        format!("hr={code:08x}"),
        format!("({code:08X})"),
        format!("HRESULT: 0x{code:08X}."),
        format!("error 0x{code:08x}"),
        format!("0x{:016X}", i64::from(signed)),
    ];
    if code >> 16 == 0x8007 {
        all.extend([(code & 0xFFFF).to_string(), format!("win32:{}", code & 0xFFFF)]);
    }
    all
}

#[test]
fn every_code_in_every_spelling_finds_its_meaning() {
    for entry in entries() {
        if let Key::Code(code) = entry.key {
            for spelling in spellings(code) {
                assert!(lookup(&spelling).contains(&entry), "{spelling}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in any::<String>(), word in "[a-z0-9x:=.( -]{0,40}") {
        for text in [&text, &word] {
            for entry in lookup(text) {
                prop_assert!(!entry.meaning.is_empty());
            }
        }
    }
}

/// The tables that codes and events were taken from are not part of the project: `WSUSPROBE_SHARED` names the folder that
/// holds `reference/`.
#[test]
fn nothing_of_the_reference_is_missing_and_no_text_is_its() {
    #[allow(clippy::disallowed_methods, reason = "tests may read the environment")]
    let Some(shared) = std::env::var_os("WSUSPROBE_SHARED") else {
        println!("skipped: WSUSPROBE_SHARED is not set");
        return;
    };
    let read = |name: &str| {
        let file = std::path::Path::new(&shared).join("reference").join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let plain = |text: &str| {
        let words: Vec<String> = text
            .to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_string)
            .collect();
        words.join(" ")
    };
    let mut theirs: HashMap<String, String> = HashMap::new();
    let mut count = 0;
    for row in table(&read("error_codes.csv")) {
        let (code, symbol, meaning) = (&row[0], &row[1], &row[2]);
        let found = lookup(code);
        assert!(!found.is_empty(), "{code} {symbol}");
        if symbol.contains('_') {
            assert!(lookup(symbol).iter().any(|entry| found.contains(entry)), "{code} {symbol}");
        }
        theirs.insert(plain(meaning), code.clone());
        count += 1;
    }
    assert!(count > 1_200, "{count}");
    for row in table(&read("events.csv")) {
        let found = lookup(&format!("event:{}", row[0]));
        assert!(
            found
                .iter()
                .any(|entry| matches!(entry.family, Family::Event { source, .. } if source == row[1]))
        );
        theirs.extend([(plain(&row[6]), row[0].clone()), (plain(&row[7]), row[0].clone())]);
    }
    for entry in entries() {
        let same = theirs.get(&plain(entry.meaning));
        assert_eq!(same, None, "{}: {}", entry.key, entry.meaning);
    }
}

/// The rows of a CSV without its heading: quoted fields, quotes doubled in them.
fn table(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            c => field.push(c),
        }
    }
    rows.remove(0);
    rows
}
