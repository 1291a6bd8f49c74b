//! What consoles and programs show of logs, tables and answers: cut at a window's width, or without its heading. Beside
//! each, the text that is none.

#[path = "support/readings.rs"]
mod readings;

use readings::http_tests as tests;
use std::path::Path;

use wsusprobe::diagnosis::judge;
use wsusprobe::evidence::Evidence;
use wsusprobe::facts::{Input, Kind, Reading, ServiceState, Statement, SyncEvent, SyncResult, read};

fn bytes_of(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    std::fs::read(path).expect("a fixture")
}

fn text_of(name: &str) -> String {
    String::from_utf8(bytes_of(name)).expect("UTF-8")
}

fn given(content: impl Into<Vec<u8>>) -> Reading {
    read(&[Input::bytes("given", content)])
}

/// A reading without a problem.
fn shown(name: &str) -> Reading {
    let reading = given(bytes_of(&format!("as_shown/{name}")));
    assert_eq!(reading.problems, [], "{name}");
    reading
}

/// The findings' ids.
fn findings(reading: &Reading) -> Vec<String> {
    let evidence = Evidence { facts: reading.facts.clone(), ..Evidence::default() };
    judge(&evidence).findings.into_iter().map(|finding| finding.id).collect()
}

/// Time, zone and statement of each fact, whatever blanks stand between words.
fn told(reading: &Reading) -> Vec<String> {
    let facts = reading.facts.iter().map(|fact| {
        let mut statement = fact.statement.clone();
        if let Statement::Log { lines, .. } = &mut statement {
            *lines = 0;
        }
        let told = format!("{:?} {:?} {statement:?}", fact.time, fact.zone).replace("\\t", " ");
        told.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    facts.collect()
}

/// Steps of synchronizations: line, time, event, reason.
fn steps(reading: &Reading) -> Vec<(u32, String, SyncEvent, &str)> {
    let steps = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::LogSync { event, reason, .. } => {
            let time = fact.time.map_or_else(String::new, |time| time.to_string());
            Some((fact.source.line.unwrap(), time, *event, reason.as_str()))
        }
        _ => None,
    });
    steps.collect()
}

/// What a window of a width shows of a text: tabs are blanks, and of the blanks at a row's end copying may leave none.
fn window(text: &str, width: usize, trimmed: bool) -> String {
    let mut rows = String::new();
    for line in text.lines() {
        let mut chars: Vec<char> = Vec::new();
        for c in line.chars() {
            match c {
                '\t' => chars.resize(chars.len() / 8 * 8 + 8, ' '),
                c => chars.push(c),
            }
        }
        for row in chars.chunks(width) {
            let row: String = row.iter().collect();
            rows.push_str(if trimmed { row.trim_end() } else { &row });
            rows.push('\n');
        }
    }
    rows
}

#[test]
fn a_log_in_a_window_says_what_the_log_says() {
    for name in ["service.log", "wsyncmgr.log", "wsyncmgr-tagged.log", "wcm.log", "change.log"] {
        let log = text_of(&format!("facts/{name}"));
        let whole = given(log.clone());
        for (width, trimmed) in [(80, false), (80, true), (120, false), (120, true)] {
            let rows = window(&log, width, trimmed);
            let cut = given(rows.clone());
            assert_eq!(told(&cut), told(&whole), "{name} {width} {trimmed}");
            assert_eq!((&cut.kinds, &cut.problems), (&whole.kinds, &whole.problems), "{name} {width}");
            // Each fact names a row of its entry.
            let rows: Vec<&str> = rows.lines().collect();
            assert!(cut.facts.iter().all(|f| f.source.line.is_none_or(|line| line as usize <= rows.len())));
        }
    }
}

#[test]
fn a_window_with_its_prompts_is_read_from_timestamp_to_timestamp() {
    let reading = shown("window-80.txt");
    let (first, second) = ("2026-03-05T01:00:00.12Z".to_string(), "2026-03-05T01:00:42.7Z".to_string());
    assert_eq!(
        steps(&reading),
        [
            (3, first, SyncEvent::Started, ""),
            (6, second, SyncEvent::Failed, "The remote name could not be resolved: 'proxy.corp.example.com'"),
        ]
    );
    assert!(told(&reading).iter().any(|fact| fact.contains(r#"host: "proxy.corp.example.com""#)));
    // Lines that fill no window are lines: what stands below is not joined.
    let log = "2026-03-05 01:00:42.700 UTC\tError\tWsusService.15\tA.B\tThe remote name could not be resolved: 'one.example\n\
        .com'\n";
    assert!(!told(&given(log)).iter().any(|fact| fact.contains("one.example.com")));
}

#[test]
fn a_history_as_a_table_gives_its_runs() {
    let runs = |reading: &Reading| -> Vec<(u32, SyncResult, String, String, String)> {
        let runs = reading.facts.iter().filter_map(|fact| match &fact.statement {
            Statement::SyncRun { result, error, text, .. } => {
                let time = fact.time.map_or_else(String::new, |time| time.to_string());
                Some((fact.source.line.unwrap(), *result, time, error.clone(), text.clone()))
            }
            _ => None,
        });
        runs.collect()
    };
    let run = |line, result, time: &str, error: &str, text: &str| {
        (line, result, time.to_string(), error.to_string(), text.to_string())
    };
    let (failed, succeeded) = (SyncResult::Failed, SyncResult::Succeeded);
    let table = shown("history-table.txt");
    assert_eq!(table.kinds[0].1, Kind::Schedule);
    assert_eq!(
        runs(&table),
        [
            run(5, failed, "2026-03-25T01:00:42Z", "UssCommunicationError", "WebException: The remote n..."),
            run(6, succeeded, "2026-03-24T01:02:11Z", "", ""),
            run(7, succeeded, "2026-03-23T01:02:09Z", "", ""),
        ]
    );
    assert_eq!(
        runs(&shown("history-parted.txt")),
        [
            run(2, failed, "2026-03-25T01:00:00Z", "UssCommunicationError", ""),
            run(3, succeeded, "2026-03-24T01:00:00Z", "", ""),
        ]
    );
    let parted = text_of("as_shown/history-parted.txt");
    for other in [
        // Another program's runs, a date that was cut, and two columns where nothing names whose they are.
        parted.replace("Error", "Job"),
        parted.replace("3/25/2026 1:00:00 AM", "3/25/202...").replace("3/24/2026 1:00:00 AM", "3/24/202..."),
        "StartTime EndTime Result\n3/25/2026 1:00:00 AM 3/25/2026 1:00:42 AM Failed\n".into(),
    ] {
        assert_eq!(runs(&given(other.clone())), [], "{other}");
    }
}

const URL: &str = "https://upstream.corp.example.com:8531/ClientWebService/client.asmx";

#[test]
fn a_test_on_the_server_is_told_with_its_url_and_its_success() {
    for name in ["http-answer.txt", "http-status.txt"] {
        let reading = shown(name);
        assert_eq!((tests(&reading), reading.kinds[0].1), (vec![(URL, Some(200), "")], Kind::HttpTest));
    }
    let text = text_of("as_shown/http-answer.txt");
    // The one that answered is told, wherever the request began.
    let elsewhere = text
        .replace("ResponseUri             : https://upstream", "ResponseUri             : https://portal");
    assert_eq!(tests(&given(elsewhere))[0].0, URL.replace("upstream", "portal"));
    assert_eq!(tests(&given(window(&text, 80, true))), [(URL, Some(200), "")]);
    // A list without its status tells of no answer.
    assert_eq!(tests(&given(text.replace("StatusCode   ", "StatusNote   "))), []);
    let status = text_of("as_shown/http-status.txt");
    assert_eq!(tests(&given(status.replace("OK: 200", "OK"))), [(URL, Some(200), "")]);
    // What was caught is no success.
    let caught = given(status.replace("OK: 200", "The operation has timed out"));
    assert_eq!(tests(&caught), [(URL, None, " | The operation has timed out | ")]);

    let error = text_of("as_shown/http-error.txt");
    let message = "System.Net.WebException | The underlying connection was closed: Could not establish trust \
        relationship for the SSL/TLS secure channel. | ";
    assert_eq!(tests(&shown("http-error.txt")), [(URL, None, message)]);
    for other in [error.replace("$request = [", "$other = ["), error.replace("::Create", "::Remove")] {
        assert_eq!(tests(&given(other.clone())), [("", None, message)], "{other}");
    }
    // Of two requests the one that is sent.
    let both = format!("PS C:\\> $one = [Net.WebRequest]::Create('https://one.example.test/')\n{error}");
    assert_eq!(tests(&given(both.clone()))[0].0, URL);
    assert_eq!(
        tests(&given(both.replace("$request.GetResponse", "$one.GetResponse")))[0].0,
        "https://one.example.test/"
    );
}

#[test]
fn lines_of_iis_log_are_known_without_their_heading() {
    let answers = |reading: &Reading| -> Vec<(u32, u16, u16, String)> {
        let answers = reading.facts.iter().filter_map(|fact| match &fact.statement {
            Statement::IisAnswer { status, substatus, .. } => {
                Some((fact.source.line.unwrap(), *status, *substatus, fact.time.unwrap().to_string()))
            }
            _ => None,
        });
        answers.collect()
    };
    let tail = text_of("as_shown/iis-tail.log");
    let expected = |first: u32| {
        vec![
            (first, 500, 24, "2026-03-05T01:00:42Z".to_string()),
            (first + 1, 403, 4, "2026-03-05T01:00:43Z".to_string()),
        ]
    };
    let alone = shown("iis-tail.log");
    assert_eq!((answers(&alone), alone.kinds[0].1), (expected(1), Kind::WebLog));
    assert_eq!(answers(&given(format!("PS C:\\> gc u_ex.log -Tail 2\n{tail}"))), expected(2));
    // Older ones have no page that led there.
    assert_eq!(answers(&given(tail.replace(" - 500", " 500").replace(" - 403", " 403"))), expected(1));
    // A heading in the text tells what somebody has changed.
    let heading = "#Fields: date time cs-uri-stem sc-substatus sc-status\n";
    let row = "2026-03-05 01:00:42 /ServerSyncWebService/x.asmx 24 500\n";
    assert_eq!(answers(&given(format!("PS C:\\> gc u_ex.log\n{heading}{row}"))), expected(3)[..1]);
    // What stands at its head beside that is no other part of the server.
    let software = "#Software: Microsoft Internet Information Services 10.0\n";
    let elsewhere = |text: String| {
        let facts = given(text).facts;
        facts.iter().any(|fact| matches!(fact.statement, Statement::Elsewhere { .. }))
    };
    assert!(!elsewhere(format!("PS C:\\> gc u_ex.log\n{software}{heading}{row}")));
    assert!(elsewhere(format!("PS C:\\> gc u_ex.log -Head 1\n{software}")));
    // Without it, other columns are not known: another one among them, or none that is a status.
    for other in [row.to_string(), tail.replace(" 50 601", " 50 601 77").replace(" 5 12", " 5 12 77")] {
        assert_eq!(answers(&given(other.clone())), [], "{other}");
    }
}

#[test]
fn that_the_time_service_does_not_run_is_a_fact_and_no_cause() {
    let services = |reading: &Reading| -> Vec<(u32, String, ServiceState)> {
        let services = reading.facts.iter().filter_map(|fact| match &fact.statement {
            Statement::Service { name, state, .. } => Some((fact.source.line.unwrap(), name.clone(), *state)),
            _ => None,
        });
        services.collect()
    };
    let reading = shown("w32tm-not-started.txt");
    assert_eq!(services(&reading), [(2, "W32Time".to_string(), ServiceState::Stopped)]);
    assert_eq!((reading.kinds[0].1, findings(&reading)), (Kind::Clock, vec![]));
    let text = text_of("as_shown/w32tm-not-started.txt");
    for other in [
        // Another machine's, another command's, and nobody's.
        text.replace("/status", "/status /computer:dc1"),
        text.replace("w32tm /query /status", "net stop spooler"),
        text.lines().skip(1).collect::<Vec<_>>().join("\n"),
        text.replace("0x80070426", "0x80070005"),
    ] {
        assert_eq!(services(&given(other.clone())), [], "{other}");
    }
}

#[test]
fn an_event_in_the_japanese_code_page_is_read() {
    let reason = "同期に失敗しました。理由: リモート名を解決できませんでした。: 'sws.update.microsoft.com'";
    let time = "2026-03-05T02:00:42Z".to_string();
    let reading = shown("event-japanese-932.txt");
    assert_eq!(steps(&reading), [(1, time, SyncEvent::Failed, reason)]);
    let name = Statement::ServerName { name: "WSUS01.corp.example.com".into() };
    assert!(reading.facts.iter().any(|fact| fact.statement == name));
    // Letters that look alike there lose nothing of what stands beside them: no character ends in one of ASCII.
    for name in [
        "french-850.log",
        "french-1252.log",
        "german-850.log",
        "german-1252.log",
        "russian-866.txt",
        "russian-1251.txt",
        "winhttp-french-oem.txt",
        "reg-query-german-oem.txt",
    ] {
        let bytes = bytes_of(&format!("facts/{name}"));
        let kana = |text: &str| text.chars().any(|c| ('\u{3040}'..='\u{9fff}').contains(&c));
        assert!(!told(&given(bytes)).iter().any(|fact| kana(fact)), "{name}");
    }
    let french =
        b"Un b\x83timent, une t\x83che, un g\x83teau, un ch\x83teau, un m\x83t, un p\x83t\x82 : b\x83clera\n\
        UseProxy : True\nProxyName : t\x83che.example.test\n";
    assert!(told(&given(french.to_vec())).iter().any(|fact| fact.contains("che.example.test")));
}

#[test]
fn rows_of_events_without_their_heading_are_events_where_their_source_shows() {
    let at = |time: &str| format!("2026-03-{time}Z");
    let (failed, reason) = (SyncEvent::Failed, "The operation has timed out");
    assert_eq!(
        steps(&shown("event-rows.txt")),
        [
            (3, at("25T03:00:42"), failed, reason),
            (4, at("24T03:02:11"), SyncEvent::Succeeded, ""),
            (5, at("24T03:00:00"), SyncEvent::Started, ""),
        ]
    );
    let viewer = [(1, at("26T03:02:11"), SyncEvent::Succeeded, ""), (2, at("25T03:00:42"), failed, reason)];
    assert_eq!(steps(&shown("event-rows-viewer.txt")), viewer);
    let asked = text_of("as_shown/event-rows-asked.txt");
    let expected = [(5, at("26T03:02:11"), SyncEvent::Succeeded, ""), (6, at("25T03:00:42"), failed, reason)];
    assert_eq!(steps(&shown("event-rows-asked.txt")), expected);
    // In another language the command tells whose they are, and the numbers what they say.
    let german = asked
        .replace("Synchronization completed successfully.", "Die Synchronisierung wurde abgeschlossen.")
        .replace("Synchronization failed. Reason: ", "Fehler. Ursache: ");
    let events: Vec<SyncEvent> =
        steps(&given(german.clone())).into_iter().map(|(_, _, event, _)| event).collect();
    assert_eq!(events, [SyncEvent::Succeeded, failed]);
    // Without it they are anybody's; so are numbers with other words.
    let untold = german.replace("ProviderName='Windows Server Update Services'", "ID=384,386");
    assert_eq!(steps(&given(untold)), []);
    let several = german.replace("Services'}", "Services','Backup'}");
    assert_eq!(steps(&given(several)), []);
    let rows = text_of("as_shown/event-rows.txt");
    let other = rows.replace(" 384 ", " 385 ").replace(" 386 ", " 387 ").replace(" 381 ", " 382 ");
    assert!(steps(&given(other)).iter().all(|(_, time, ..)| time.is_empty()));
    let viewer =
        text_of("as_shown/event-rows-viewer.txt").replace("Windows Server Update Services", "Backup");
    assert!(steps(&given(viewer)).iter().all(|(_, time, ..)| time.is_empty()));
}
