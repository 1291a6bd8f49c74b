//! What must not be claimed of a text, and beside it the text of which it may be.

#[path = "support/readings.rs"]
mod readings;

use readings::http_tests as tests;
use std::path::Path;

use wsusprobe::diagnosis::{Diagnosis, judge};
use wsusprobe::evidence::{Evidence, NameAnswer};
use wsusprobe::facts::{Fact, FactView, Input, LastRun, LoggedFailure, Reading, Statement, SyncEvent, read};
use wsusprobe::report::Report;

fn bytes_of(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/claims").join(name);
    std::fs::read_to_string(path).expect("a fixture")
}

fn given(text: impl Into<Vec<u8>>) -> Reading {
    read(&[Input::bytes("given", text)])
}

fn judged(reading: &Reading) -> Diagnosis {
    judge(&Evidence { facts: reading.facts.clone(), ..Evidence::default() })
}

/// The findings of failing synchronizations: how sure each is.
fn failing(reading: &Reading) -> Vec<String> {
    let findings = judged(reading).findings;
    let failing = findings.iter().filter(|finding| finding.id == "history/failing");
    failing.map(|finding| format!("{:?}", finding.confidence)).collect()
}

/// The last run: whether it succeeded, its line and its time.
fn last(reading: &Reading) -> (bool, Option<u32>, String) {
    let LastRun::One(run) = FactView::new(&reading.facts).last_run() else { panic!("{:?}", reading.facts) };
    let time = run.fact.time.map_or_else(String::new, |time| time.to_string());
    (run.succeeded, run.fact.source.line, time)
}

fn steps(reading: &Reading) -> usize {
    let ended = |fact: &&Fact| {
        matches!(fact.statement, Statement::LogSync { event: SyncEvent::Succeeded | SyncEvent::Failed, .. })
    };
    reading.facts.iter().filter(ended).count()
}

fn failures(reading: &Reading) -> Vec<(&str, &LoggedFailure)> {
    FactView::new(&reading.facts).failures().iter().map(|one| (one.process, one.failure)).collect()
}

fn servers(reading: &Reading) -> Vec<&str> {
    let names = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::ServerName { name } => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

#[test]
fn in_a_table_of_get_eventlog_the_highest_index_is_the_last() {
    let table = bytes_of("event-log-table.txt");
    let reading = given(table.clone());
    assert_eq!(last(&reading), (true, Some(5), String::new()), "the year of a time is not told");
    assert!(failing(&reading).is_empty());
    // In the other order, as `-Newest 4 | sort Index` prints it.
    let mut lines: Vec<&str> = table.lines().collect();
    lines[4..8].reverse();
    assert_eq!(last(&given(lines.join("\n"))), (true, Some(8), String::new()));
    // The near miss: the newest run failed.
    let failed = table.replace("48212", "48216");
    assert_eq!(last(&given(failed.clone())), (false, Some(7), String::new()));
    assert_eq!(failing(&given(failed)), ["Certain"]);
    // Another source, whose name is cut too.
    assert_eq!(steps(&given(table.replace("Windows Server Up...", "Windows Search Ser..."))), 0);
}

#[test]
fn lines_that_cmtrace_copied_tell_who_and_when() {
    let log = bytes_of("wsyncmgr-copied.log");
    let reading = given(log.clone());
    assert_eq!(last(&reading), (true, Some(5), "2026-03-26T02:00:42Z".into()));
    assert_eq!(steps(&reading), 2, "a line and its status message are one end");
    assert!(failing(&reading).is_empty());
    assert!(failures(&reading).iter().all(|(process, _)| *process == "SMS_WSUS_SYNC_MANAGER"));
    let first_two: Vec<&str> = log.lines().take(2).collect();
    let failed = given(first_two.join("\n"));
    assert_eq!(last(&failed), (false, Some(1), "2026-03-25T02:00:01Z".into()));
    assert_eq!(failing(&failed), ["Certain"]);
    // A date with two readings is none; what happened is told all the same.
    let (succeeded, _, time) = last(&given(log.lines().last().unwrap().replace("3/26/2026", "3/6/2026")));
    assert_eq!((succeeded, time.as_str()), (true, ""));
}

#[test]
fn that_it_succeeded_counts_as_that_it_failed_does() {
    let log = bytes_of("wsyncmgr-succeeded.log");
    let reading = given(log.clone());
    assert_eq!(last(&reading), (true, Some(2), "2026-03-26T01:00:01.32Z".into()));
    assert!(failing(&reading).is_empty());
    assert_eq!(failing(&given(log.lines().next().unwrap())), ["Certain"]);
    // Another component's word is none of synchronization.
    let other = log.replace(
        "01.320-60\" date=\"03-26-2026\" component=\"SMS_WSUS_SYNC_MANAGER",
        "01.320-60\" date=\"03-26-2026\" component=\"SMS_OTHER",
    );
    assert!(!last(&given(other)).0);
}

#[test]
fn a_test_that_was_typed_is_no_synchronization() {
    let url = "https://upstream.corp.example.com:8531/ClientWebService/client.asmx";
    let message = bytes_of("http-test-message.txt");
    let reading = given(message.clone());
    let text = "The remote certificate is invalid according to the validation procedure.";
    assert_eq!(tests(&reading), [(url, None, format!(" | {text} | ").as_str())]);
    assert!(failing(&reading).is_empty() && failures(&reading).is_empty());
    let reading = given(bytes_of("http-test-list.txt"));
    let [(its, None, exception)] = tests(&reading)[..] else { panic!("{:?}", reading.facts) };
    assert_eq!(its, url);
    assert!(
        exception.starts_with("System.Net.Sockets.SocketException | ") && exception.ends_with(" | 10061")
    );
    assert!(failing(&reading).is_empty() && failures(&reading).is_empty());
    // The same with a status, and what is no exception but an answer.
    let denied = message.replace(text, "The remote server returned an error: (403) Forbidden.");
    assert_eq!(tests(&given(denied))[0].1, Some(403));
    assert_eq!(tests(&given(message.replace(text, "OK"))), [(url, Some(200), "")]);
    // The same words alone may be a synchronization's.
    assert_eq!(failing(&given(text)), ["Likely"]);
}

#[test]
fn what_another_command_met_is_no_synchronization() {
    let typed = bytes_of("invoke-webrequest.txt");
    let reading = given(typed.clone());
    assert_eq!(failures(&reading), [("Invoke-WebRequest", &LoggedFailure::ConnectionBroken)]);
    assert!(failing(&reading).is_empty());
    let error = typed.lines().nth(1).unwrap().trim_start_matches("Invoke-WebRequest : ").to_string();
    assert_eq!(failing(&given(error)), ["Likely"]);
}

#[test]
fn a_client_s_log_with_a_margin_is_a_client_s() {
    let line = "{5C1E1B6C-0F0B-4E1C-8F0B-3D0C1F2A4B5C}\t2026-03-05 02:00:42:312+0100\t1\t148\t[AGENT_DETECTION_FAILED]\t101\t{00000000-0000-0000-0000-000000000000}\t0\t80072ee2\tAutomaticUpdates\tFailure\tSoftware Synchronization\tWindows Update Client failed to detect with error 0x80072ee2.\n";
    for margin in ["", "    ", "\t"] {
        let reading = given(format!("{margin}{line}"));
        assert!(failing(&reading).is_empty() && failures(&reading).is_empty(), "{:?}", reading.facts);
        let own = |fact: &Fact| matches!(fact.statement, Statement::ClientLog { .. });
        assert!(reading.facts.iter().any(own), "{:?}", reading.facts);
    }
}

#[test]
fn wevtutil_prints_a_user_before_the_computer() {
    let text = bytes_of("wevtutil.txt");
    let reading = given(text.clone());
    assert_eq!(servers(&reading), ["WSUS01.corp.example.com"]);
    assert_eq!(last(&reading), (false, Some(3), "2026-03-25T03:00:42Z".into()));
    let reason = reading.facts.iter().find_map(|fact| match &fact.statement {
        Statement::LogSync { event: SyncEvent::Failed, reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert_eq!(reason, Some("The operation has timed out"));
    // Without the number above it, as a cut copy begins.
    let cut: Vec<&str> = text.lines().skip(2).take(13).collect();
    assert_eq!(servers(&given(cut.join("\n"))), ["WSUS01.corp.example.com"]);
    // The Event Viewer's own copy has neither, whatever its message looks like.
    let viewer = "Log Name:      Application\nSource:        Windows Server Update Services\nDate:          25.03.2026 03:00:42\nEvent ID:      386\nTask Category: Synchronization\nLevel:         Error\nKeywords:      Classic\nUser:          N/A\nComputer:      WSUS02.corp.example.com\nDescription:\nReason: timeout\nServer: WSUS03\nState: failed\n";
    assert_eq!(servers(&given(viewer)), ["WSUS02.corp.example.com"]);
}

#[test]
fn an_alias_that_a_table_cut_is_no_name_without_an_address() {
    let answers = |reading: &Reading| -> Vec<(String, NameAnswer)> {
        let answers = reading.facts.iter().filter_map(|fact| match &fact.statement {
            Statement::Resolved { name, answer } => Some((name.clone(), answer.clone())),
            _ => None,
        });
        answers.collect()
    };
    let text = bytes_of("resolve-cut.txt");
    let address = |canonical: &str| {
        let addresses = vec!["20.10.20.30".parse().unwrap()];
        vec![(
            "sws.update.microsoft.com".to_string(),
            NameAnswer::Addresses { addresses, canonical: Some(canonical.into()) },
        )]
    };
    let whole = "sws.update.microsoft.com.nsatc.net";
    assert_eq!(answers(&given(text.clone())), address(whole));
    // Broken at a dot, and not cut at all.
    let broken = text.replace("sws.update.microsoft.com.n...", "sws.update.microsoft.com.\nnsatc.net");
    assert_eq!(answers(&given(broken)), address(whole));
    assert_eq!(answers(&given(text.replace("sws.update.microsoft.com.n...", whole))), address(whole));
    // The table alone: nothing is known, and that is said.
    let alone: String = text.lines().take(5).map(|line| format!("{line}\n")).collect();
    let reading = given(alone.clone());
    assert!(answers(&reading).is_empty());
    assert_eq!(reading.problems.len(), 1);
    // The near miss: an alias as a whole, without an address.
    let none = answers(&given(alone.replace("sws.update.microsoft.com.n...", whole)));
    assert_eq!(none, [("sws.update.microsoft.com".into(), NameAnswer::NoAddress)]);
}

/// Answers: directory, status, reason.
fn refused(reading: &Reading) -> Vec<(&str, u16, &str)> {
    let answers = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::IisAnswer { directory, status, reason, .. } => {
            Some((directory.as_str(), *status, reason.as_str()))
        }
        _ => None,
    });
    answers.collect()
}

#[test]
fn lines_of_httperr_are_read_by_their_names_or_their_number() {
    let tail = bytes_of("httperr-tail.log");
    let both = [("/ServerSyncWebService", 503, "QueueFull"), ("/ClientWebService", 503, "AppOffline")];
    assert_eq!(refused(&given(tail.clone())), both);
    // As a server wrote them that spoke no HTTP/2.
    let older = tail.replace(" - 503 ", " 503 ").replace(" TCP", "");
    assert_eq!(refused(&given(older.clone())), both);
    // Names in the middle of other text decide, whatever the number of values.
    let named = "#Fields: date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid x-new s-reason s-queuename transport";
    let other = older.replace(" 1284583532 ", " 1284583532 x ").replace("WsusPool", "WsusPool TCP");
    assert_eq!(refused(&given(format!("Hello,\n{named}\n{other}"))), both);
}

#[test]
fn the_last_run_of_a_list_without_times_is_not_told_by_its_lines() {
    let shown = |reading: &Reading| {
        let report =
            Report::new(judged(reading), Evidence { facts: reading.facts.clone(), ..Evidence::default() });
        wsusprobe::report::text::render(&report, wsusprobe::report::text::Options::default())
    };
    // Their dates have two readings: they are no times.
    let rows = bytes_of("event-rows.txt").replace("3/25/", "3/5/").replace("3/24/", "3/4/");
    let reading = given(rows.clone());
    assert!(matches!(FactView::new(&reading.facts).last_run(), LastRun::Unsure(..)));
    assert!(!shown(&reading).contains("its last run"), "{}", shown(&reading));
    // The near miss: one kind of end alone.
    let failed: Vec<&str> = rows.lines().filter(|line| !line.contains("384")).collect();
    assert!(shown(&given(failed.join("\n"))).contains("its last run failed"));
}

#[test]
fn a_date_with_two_readings_is_not_an_american_one() {
    let list = |date: &str| {
        format!(
            "TimeCreated  : {date}\nProviderName : Windows Server Update Services\nId           : 386\nMessage      : Synchronization failed. Reason: The operation has timed out.\n\n"
        )
    };
    assert_eq!(last(&given(list("5/12/2026 2:00:42 AM"))), (false, Some(4), String::new()));
    // Another date of the file tells.
    let both = list("5/12/2026 2:00:42 AM") + &list("4/30/2026 2:00:42 AM");
    assert_eq!(last(&given(both)).2, "2026-05-12T02:00:42Z");
    let both = list("5/12/2026 2:00:42 AM") + &list("30/11/2026 2:00:42 AM");
    assert_eq!(last(&given(both)).2, "2026-12-05T02:00:42Z");
}

#[test]
fn a_verdict_that_was_cut_names_no_error_that_it_does_not_name() {
    let cut = bytes_of("verify-cut.txt");
    let verdicts = |reading: &Reading| -> Vec<Vec<String>> {
        let verdicts = reading.facts.iter().filter_map(|fact| match &fact.statement {
            Statement::ChainVerdict { errors, .. } => Some(errors.clone()),
            _ => None,
        });
        verdicts.collect()
    };
    let reading = given(cut.clone());
    assert!(verdicts(&reading).is_empty());
    assert_eq!(reading.problems.len(), 1);
    // The near miss: cut below the name of an error.
    let named = cut + " 9/9/2026 10:34 AM\n  Element.dwErrorStatus = CERT_TRUST_IS_PARTIAL_CHAIN (0x10000)\n";
    assert_eq!(verdicts(&given(named)), [["CERT_TRUST_IS_PARTIAL_CHAIN"]]);
}

#[test]
fn a_log_that_names_the_console_s_library_is_no_word_of_the_console() {
    let log = bytes_of("wsusctrl-copied.log");
    let console = |reading: &Reading| {
        reading.facts.iter().any(|fact| matches!(fact.statement, Statement::Console { .. }))
    };
    for text in [log.clone(), log.replace("SMS_WSUS_CONTROL_MANAGER", "-")] {
        let reading = given(text);
        assert!(!console(&reading), "{:?}", reading.facts);
        let [(_, LoggedFailure::ConnectRefused)] = failures(&reading)[..] else {
            panic!("{:?}", reading.facts)
        };
    }
    // The near miss: the console's own words, which begin above the stack and below what somebody wrote.
    let stack = "Hello,\n\nSystem.Net.WebException: Unable to connect to the remote server\n   at Microsoft.UpdateServices.Administration.UpdateServer.GetStatus()\n";
    let reading = given(stack);
    let said = reading.facts.iter().find_map(|fact| match &fact.statement {
        Statement::Console { excerpt } => Some((fact.source.line, excerpt.as_str())),
        _ => None,
    });
    assert_eq!(said, Some((Some(3), "System.Net.WebException: Unable to connect to the remote server")));
    assert!(failures(&reading).is_empty());
}

#[test]
fn no_prefix_of_a_fixture_panics() {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/claims")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for end in (0..bytes.len()).step_by(7) {
            given(&bytes[..end]);
        }
    }
}
