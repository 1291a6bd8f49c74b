//! What was handed over, file by file, fact by fact, and in the order of time.

use std::collections::{HashMap, HashSet};

use super::layout::{DIM, Out, PLAIN};
use super::place;
use crate::describe::clean;
use crate::facts::{Fact, FactView, LastRun, ServiceState, Statement};
use crate::report::Report;

/// The words for one of a kind, those for several, and which statements are of it.
type Counted = (&'static str, &'static str, fn(&Statement) -> bool);

/// What a file may hold several of.
const COUNTED: [Counted; 17] = [
    (
        "a service",
        "services",
        |s| matches!(s, Statement::Service { state, .. } if *state != ServiceState::Absent),
    ),
    ("an application pool", "application pools", |s| matches!(s, Statement::AppPool { .. })),
    ("an installed update", "installed updates", |s| matches!(s, Statement::InstalledUpdate { .. })),
    ("a binding of IIS", "bindings of IIS", |s| matches!(s, Statement::IisBinding { .. })),
    ("a directory's access", "directories' access", |s| matches!(s, Statement::IisAccess { .. })),
    ("a setting of a pool", "settings of pools", |s| matches!(s, Statement::PoolSetting { .. })),
    ("a binding of a certificate", "bindings of certificates", |s| matches!(s, Statement::SslBinding { .. })),
    ("a certificate", "certificates", |s| matches!(s, Statement::StoredCertificate { .. })),
    ("certutil's verdict on a chain", "verdicts on chains", |s| matches!(s, Statement::ChainVerdict { .. })),
    ("a value of the schedule", "values of the schedule", |s| matches!(s, Statement::Subscription { .. })),
    ("a run of synchronization", "runs of synchronization", |s| matches!(s, Statement::SyncRun { .. })),
    ("a test by HttpWebRequest", "tests by HttpWebRequest", |s| matches!(s, Statement::HttpTest { .. })),
    ("a source that was not collected", "sources that were not collected", |s| {
        matches!(s, Statement::NotCollected { .. })
    }),
    ("a kind of failure", "kinds of failures", |s| matches!(s, Statement::LogFailure { .. })),
    ("a kind of event", "kinds of events", |s| matches!(s, Statement::Event { .. })),
    ("a change", "changes", |s| matches!(s, Statement::Change { .. })),
    ("a kind of answer of IIS", "kinds of answers of IIS", |s| matches!(s, Statement::IisAnswer { .. })),
];

/// What was handed over, file by file: how much of it is used, and the last run that it records.
pub(super) fn handed_over(out: &mut Out, report: &Report) {
    let mut files: Vec<(&str, Vec<&Fact>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for fact in &report.facts {
        let place = *places.entry(&fact.source.file).or_insert_with(|| {
            files.push((&fact.source.file, Vec::new()));
            files.len() - 1
        });
        files[place].1.push(fact);
    }
    if files.is_empty() {
        return;
    }
    out.heading("HANDED OVER");
    // Of a folder with much else in it, what is used.
    let mut passed_over = 0;
    for (file, held) in files {
        if held.iter().all(|fact| matches!(fact.statement, Statement::Unreadable { .. }))
            && out.options.verbose == 0
            && places.len() > FILES
        {
            passed_over += 1;
            continue;
        }
        let here = || held.iter().copied();
        let mut parts: Vec<String> = Vec::new();
        let count = |wanted: fn(&Statement) -> bool| here().filter(|f| wanted(&f.statement)).count();
        let values = count(|s| matches!(s, Statement::Config { .. }));
        if values > 0 {
            parts.push(format!("a WSUS configuration, {values} values"));
        }
        let registry = count(|s| matches!(s, Statement::Registry { .. }));
        if registry > 0 {
            parts.push(format!("{registry} values of the registry"));
        }
        for fact in here() {
            let part = match &fact.statement {
                Statement::Log { lines, .. } => format!("a log of {lines} lines"),
                Statement::ServerVersion { version } => format!("the server's version, {version}"),
                Statement::WinHttpProxy { .. } => "WinHTTP's proxy".into(),
                Statement::PortTest { .. } => "a Test-NetConnection".into(),
                Statement::Resolved { .. } => "a Resolve-DnsName".into(),
                Statement::ClientLog { log } => log.clone(),
                Statement::ServerName { name } => format!("the server's name, {name}"),
                Statement::ClockSource { .. } => "the state of the clock".into(),
                Statement::PartOfStore { .. } => "a part of a certificate store".into(),
                Statement::Console { .. } => "a message of the console".into(),
                Statement::ConfigUnavailable { .. } => "an error in place of a configuration".into(),
                Statement::Elsewhere { .. } => "text about another part than synchronization".into(),
                Statement::CipherOrder { suites, .. } => {
                    format!("a policy that orders {} cipher suites", suites.len())
                }
                Statement::CurveOrder { curves, .. } => {
                    format!("a policy that orders {} curves", curves.len())
                }
                Statement::Service { name, state: ServiceState::Absent, .. } => {
                    format!("the answer that there is no {name}")
                }
                Statement::CipherSuites { names } => format!("the {} cipher suites in effect", names.len()),
                _ => continue,
            };
            if !parts.contains(&part) && parts.len() < 8 {
                parts.push(part);
            }
        }
        // Of events that are told one by one the first stands for its kind.
        let mut kinds = HashSet::new();
        let told: Vec<&Fact> = here()
            .filter(|fact| match &fact.statement {
                Statement::Event { provider, event, .. } => kinds.insert((provider, *event)),
                _ => true,
            })
            .collect();
        for (one, several, wanted) in COUNTED {
            match told.iter().filter(|fact| wanted(&fact.statement)).count() {
                0 => {}
                1 => parts.push(one.into()),
                many => parts.push(format!("{many} {several}")),
            }
        }
        // Of one file alone: its lines and times tell which run was the last, or nothing does.
        let told = |s: &Statement| {
            matches!(s, Statement::LogSync { .. } | Statement::Log { .. } | Statement::ClockJump { .. })
        };
        let own: Vec<Fact> = here().filter(|fact| told(&fact.statement)).cloned().collect();
        match FactView::new(&own).last_run() {
            LastRun::One(run) => {
                let how = if run.succeeded { "succeeded" } else { "failed" };
                let when = run.fact.time.map(|at| format!(" at {at}")).unwrap_or_default();
                parts.push(format!("its last run {how}{when}"));
            }
            LastRun::Unsure(..) => parts.push("runs that succeeded and that failed, in no order".into()),
            LastRun::None => {}
        }
        if count(|s| matches!(s, Statement::Unreadable { .. })) > 0 {
            parts.push("a part that could not be read".into());
        }
        let says = if parts.is_empty() { "nothing that is used".into() } else { parts.join("; ") };
        out.prose(PLAIN, &format!("  {}  ", clean(file)), &clean(&says));
    }
    if passed_over > 0 {
        out.line(PLAIN, &format!("  and {passed_over} more that could not be read: -v tells which"));
    }
}

/// So many files are told of one by one, whatever is in them.
const FILES: usize = 10;

pub(super) fn facts(out: &mut Out, report: &Report) {
    if report.facts.is_empty() {
        return;
    }
    out.heading("FACTS");
    for fact in &report.facts {
        let says = serde_json::to_value(&fact.statement).map(|mut value| {
            // Whether maps keep their order is a feature that any dependency may turn on.
            value.sort_all_objects();
            flat(&value)
        });
        let says = says.unwrap_or_default();
        out.prose(PLAIN, "  ", &format!("{}  {}", place(report, &fact.id), clean(&says)));
    }
}

/// A statement as `states name = value, …`.
pub(super) fn flat(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join(" "),
        Value::Object(map) => {
            let mut parts: Vec<String> = map
                .iter()
                .filter(|(key, _)| *key != "states" && *key != "der")
                .map(|(key, value)| match value.get(key) {
                    // A choice inside says its own name again: `answer = not-found` is enough.
                    Some(choice) => {
                        let rest = value.as_object().into_iter().flatten().filter(|(inner, _)| *inner != key);
                        let rest: String = rest.map(|(k, v)| format!(", {k} = {}", flat(v))).collect();
                        format!("{key} = {}{rest}", flat(choice))
                    }
                    None => format!("{key} = {}", flat(value)),
                })
                .collect();
            if let Some(states) = map.get("states") {
                parts.insert(0, flat(states));
            }
            parts.join(", ")
        }
        other => other.to_string(),
    }
}

/// What lies between the last success and the failures after it.
pub(super) fn timeline(out: &mut Out, report: &Report) {
    if report.timeline.is_empty() {
        return;
    }
    out.heading(
        "TIME LINE, between the last success and the failures after it (it shows no cause by itself)",
    );
    for moment in &report.timeline {
        let time = match (moment.time, moment.zone.as_deref()) {
            (Some(time), Some(_)) => format!("{}", time.strftime("%Y-%m-%d %H:%M:%SZ")),
            (Some(time), None) => format!("{} ", time.strftime("%Y-%m-%d %H:%M:%S")),
            (None, _) => String::new(),
        };
        out.prose(DIM, &format!("  {time:20}  "), &clean(&moment.says));
    }
    if report.timeline.iter().any(|moment| moment.zone.is_none()) {
        out.prose(DIM, "  ", "Times without Z are local ones of a zone that is not told.");
    }
}
