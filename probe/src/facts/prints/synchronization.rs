//! The schedule and the history of synchronizations, as the WSUS API's objects print.

use regex::Regex;

use super::{Prints, Record};
use crate::facts::list::Page;
use crate::facts::{Found, Kind, Statement, SyncResult, shown};

/// What of ISubscription is kept.
const KEPT: [&str; 6] = [
    "SynchronizeAutomatically",
    "SynchronizeAutomaticallyTimeOfDay",
    "NumberOfSynchronizationsPerDay",
    "LastSynchronizationTime",
    "LastModifiedTime",
    "IsCategoryOnlySync",
];

/// SynchronizationError of the WSUS API, by number.
const ERRORS: [&str; 18] = [
    "NotApplicable",
    "Unknown",
    "LocalDBConnectFail",
    "LocalDBTooBusy",
    "LocalDBOtherError",
    "ProxyError",
    "UssNotFound",
    "UssBusy",
    "UssInternalError",
    "DssAuthenticationError",
    "UssCommunicationError",
    "UssOtherError",
    "UserCanceled",
    "ImportUpdateError",
    "ApprovalError",
    "LocalUpdateMissingForApproval",
    "IncompatibleProtocolVersion",
    "IncompatibleProtocolVersionOnUss",
];

/// The most tables of runs on one page.
const TABLES: usize = 16;

fn result_of(text: &str) -> Option<SyncResult> {
    Some(match text.to_ascii_lowercase().as_str() {
        "neverrun" | "0" => SyncResult::NeverRun,
        "succeeded" | "1" => SyncResult::Succeeded,
        "failed" | "2" => SyncResult::Failed,
        "canceled" | "3" => SyncResult::Canceled,
        "unknown" | "4" => SyncResult::Unknown,
        _ => return None,
    })
}

/// The class of an error: a name as PowerShell prints it, or its number in JSON. None where nothing failed.
fn error_of(text: &str) -> String {
    let name = text.parse().ok().and_then(|number: usize| ERRORS.get(number).copied()).unwrap_or(text);
    if name == "NotApplicable" { String::new() } else { shown(name, 60) }
}

/// An error's text with each frame of its stack on a line of its own: a list has joined them.
fn parted(text: &str) -> String {
    let mut parted = text.to_string();
    for frame in ["at Microsoft.", "at System."] {
        parted = parted.replace(frame, &format!("\n   {frame}"));
    }
    parted
}

/// What it says, without its stack.
fn first_line(text: &str) -> String {
    shown(parted(text).trim_start().lines().next().unwrap_or_default().trim_end(), 300)
}

/// An object that is a schedule, a run, or the event of a run.
pub(super) fn record(record: &Record, found: &mut Found, prints: &mut Prints) -> bool {
    if record.has("SynchronizeAutomatically") {
        found.kind(Kind::Schedule);
        for (line, name, value) in record.fields() {
            if let Some(property_name) = KEPT.iter().find(|kept| kept.eq_ignore_ascii_case(name)) {
                prints.dates.learn(value);
                let (property, printed) = ((*property_name).to_string(), shown(value, 100));
                let statement = Statement::Subscription { property, value: printed };
                // The year 1 stands for no date.
                if *property_name == "LastSynchronizationTime" && !value.contains("0001") {
                    prints.wait(line, statement, value);
                } else {
                    found.fact(line, None, statement);
                }
            }
        }
        return true;
    }
    event(record, found, prints) || run(record, found, prints)
}

/// ISynchronizationInfo.
fn run(record: &Record, found: &mut Found, prints: &mut Prints) -> bool {
    let beside = ["StartedManually", "ErrorText", "UpdateErrors", "Error", "EndTime"];
    let Some(result) = record.get("Result") else { return false };
    if !record.has("StartTime") || !beside.iter().any(|name| record.has(name)) {
        return false;
    }
    let line = record.line_of("Result");
    let Some(result) = result_of(result) else {
        found.problem(line, "the result of a synchronization", format!("`{}`", shown(result, 60)));
        return false;
    };
    found.kind(Kind::Schedule);
    let text = record.get("ErrorText").unwrap_or_default();
    let statement = Statement::SyncRun {
        result,
        error: error_of(record.get("Error").unwrap_or_default()),
        text: first_line(text),
        new_updates: record.get("NewUpdates").and_then(|count| count.parse().ok()),
    };
    let when = record.some("EndTime").filter(|time| !time.contains("0001")).or(record.some("StartTime"));
    let waiting = prints.wait(record.line, statement, when.unwrap_or_default());
    if let Some(waiting) = waiting
        && result == SyncResult::Failed
        && !text.is_empty()
    {
        waiting.failure = Some((record.line_of("ErrorText"), parted(text)));
    }
    true
}

/// What a column of a table of runs holds, as far as it is told from its neighbours whatever stands between them.
fn column(name: &str) -> Option<&'static str> {
    const DATE: &str =
        r"(\d{1,4}[-./]\d{1,2}[-./]\d{1,4} \d{1,2}:\d\d(?::\d\d)?(?:[ \u{a0}\u{202f}]?[AaPp]\.?[Mm]\.?)?)";
    Some(match name {
        "StartTime" | "EndTime" => DATE,
        "StartedManually" => "(True|False)",
        "Result" => "(NeverRun|Succeeded|Failed|Canceled|Unknown)",
        "Error" => r"([A-Za-z]{2,60})",
        "Id" => r"([0-9A-Fa-f-]{36})",
        _ => return None,
    })
}

/// Runs as a table, in whatever columns, aligned to the left or right, or parted by one blank where their alignment was lost.
/// What a row holds tells its columns apart; one that the console's width has cut elsewhere than at its end is none.
pub(super) fn tables(page: &mut Page, found: &mut Found, prints: &mut Prints) {
    let (mut at, mut seen) = (0, 0);
    while at < page.lines.len() && seen < TABLES {
        let head = at;
        at += 1;
        let line = &page.lines[head];
        if page.claimed[head] || line.len() > 400 || !line.contains("StartTime") || !line.contains("Result") {
            continue;
        }
        let columns: Vec<String> = line.split_whitespace().map(String::from).collect();
        let (text, typed) = match columns.split_last() {
            Some((last, before)) if last == "ErrorText" => (true, before),
            _ => (false, &columns[..]),
        };
        let Some(patterns) = typed.iter().map(|name| column(name)).collect::<Option<Vec<_>>>() else {
            continue;
        };
        // A name that comes twice is no heading, and the pattern stays small.
        if typed.iter().enumerate().any(|(at, name)| typed[..at].contains(name)) {
            continue;
        }
        // Backups and tasks have begins, ends and results too.
        let own = typed.iter().any(|name| matches!(name.as_str(), "Error" | "StartedManually"));
        let asked = |line: &String| {
            line.contains("GetSynchronizationHistory") || line.contains("GetLastSynchronizationInfo")
        };
        if !own && !page.lines[head.saturating_sub(5)..head].iter().any(asked) {
            continue;
        }
        seen += 1;
        let rest = if text { r"(?:\s+(\S.*?))?" } else { "" };
        let Ok(row) = Regex::new(&format!(r"^\s*{}{rest}\s*$", patterns.join(r"\s+"))) else { continue };
        let dashes =
            |line: &String| line.contains('-') && line.bytes().all(|byte| matches!(byte, b'-' | b' '));
        at += usize::from(page.lines.get(at).is_some_and(dashes));
        while let Some(cells) =
            page.lines.get(at).filter(|_| !page.claimed[at]).and_then(|line| row.captures(line))
        {
            let value = |at: usize| cells.get(at + 1).map_or("", |cell| cell.as_str()).to_string();
            let values: Vec<String> = (0..columns.len()).map(value).collect();
            let record = Record::of_row(page, &columns, at, &values);
            if !run(&record, found, prints) {
                break;
            }
            page.claim(head, at);
            at += 1;
        }
    }
}

/// The event of a subscription that ended. Its texts stay for the search for failures.
fn event(record: &Record, found: &mut Found, prints: &mut Prints) -> bool {
    let Some(id) = record.get("WsusEventId") else { return false };
    let result = match id {
        _ if id.contains("SynchronizationCompletedFail") => SyncResult::Failed,
        _ if id.contains("SynchronizationCompletedSucc") => SyncResult::Succeeded,
        _ if id.contains("SynchronizationCancel") => SyncResult::Canceled,
        _ => return false,
    };
    found.kind(Kind::Schedule);
    let statement = Statement::SyncRun {
        result,
        error: error_of(record.get("Error").unwrap_or_default()),
        text: first_line(record.get("ErrorText").unwrap_or_default()),
        new_updates: None,
    };
    prints.wait(record.line, statement, record.get("CreationDate").unwrap_or_default());
    false
}
