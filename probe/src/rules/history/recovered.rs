//! After a repair: whether synchronization has recovered.

use jiff::Timestamp;

use super::super::{Given, Seen, With, finding, note};
use super::{failed, when, which_came_last, word};
use crate::diagnosis::{Confidence, Role, Severity};
use crate::facts::{Fact, LastRun, Order, RunView, Statement, SyncEvent, Times};

/// How to see it for oneself.
const HAND_OVER: &str =
    "start a synchronization, wait for its end, and hand over SoftwareDistribution.log once more";

/// The last run, where it succeeded after the time given as the repair's.
pub(crate) fn recovered_run<'a>(seen: &Seen<'a>, since: Timestamp) -> Option<RunView<'a>> {
    let times = Times::new(seen.facts.all());
    match seen.facts.last_run() {
        LastRun::One(run) if run.succeeded && times.against(run.fact, since) == Order::After => Some(run),
        _ => None,
    }
}

pub(super) fn give(seen: &Seen, since: Timestamp, given: &mut Given) {
    let times = Times::new(seen.facts.all());
    let question = "Has a synchronization succeeded since the repair?";
    match seen.facts.last_run() {
        LastRun::None => given.open(
            question,
            format!("No run after {since}, and none before it, is on record in what was handed over."),
            HAND_OVER,
            Vec::new(),
        ),
        LastRun::Unsure(good, bad) => given.open(
            question,
            which_came_last(&good, &bad),
            HAND_OVER,
            vec![good.fact.id.clone(), bad.fact.id.clone()],
        ),
        LastRun::One(run) => {
            let ended = if run.succeeded { "succeeded" } else { "failed" };
            match times.against(run.fact, since) {
                Order::After if run.succeeded => succeeded(seen, &times, &run, since, given),
                Order::After => failed(seen, &run, given),
                Order::Before => given.open(
                    question,
                    format!("The last run on record {ended}{}, before {since}.", when(run.fact)),
                    HAND_OVER,
                    vec![run.fact.id.clone()],
                ),
                Order::Unsure => given.open(
                    question,
                    format!(
                        "The last run on record {ended}{}: whether that is after {since} does not show.",
                        when(run.fact)
                    ),
                    HAND_OVER,
                    vec![run.fact.id.clone()],
                ),
            }
        }
    }
}

/// What speaks against a success: an exception, or the server's own check of its health.
fn against(fact: &Fact) -> Option<(&'static str, String)> {
    match &fact.statement {
        Statement::LogFailure { failure, process, .. } => {
            let by = if process.is_empty() { String::new() } else { format!(", logged by {process}") };
            Some(("history/failing", format!("an exception tells of {}{by}", word(failure))))
        }
        Statement::Event { provider, event: 10021, .. } if is_wsus(provider) => {
            Some(("history/stale", "event 10021 says that the last success is too old".into()))
        }
        Statement::Event { provider, event: 10022, .. } if is_wsus(provider) => {
            Some(("history/failing", "event 10022 says that the last synchronization failed".into()))
        }
        _ => None,
    }
}

fn is_wsus(provider: &str) -> bool {
    provider.eq_ignore_ascii_case("Windows Server Update Services")
}

fn succeeded(seen: &Seen, times: &Times, run: &RunView, since: Timestamp, given: &mut Given) {
    let mut clean = true;
    let mut unsure: Vec<&Fact> = Vec::new();
    for fact in seen.facts.all() {
        let Some((id, what)) = against(fact) else { continue };
        match times.order(fact, run.fact) {
            Order::After => {
                clean = false;
                let says = format!(
                    "The run that succeeded{} was followed by something new: {what}{} ({}).",
                    when(run.fact),
                    when(fact),
                    fact.source.file
                );
                let because = vec![fact.id.clone(), run.fact.id.clone()];
                given.add(note(id, &fact.source.file, says, because).likely());
            }
            Order::Unsure if times.against(fact, since) != Order::Before => unsure.push(fact),
            _ => {}
        }
    }
    if !clean {
        return;
    }
    let earlier = seen
        .facts
        .runs()
        .filter(|one| one.succeeded && times.order(one.fact, run.fact) == Order::Before)
        .filter_map(|one| one.fact.time)
        .max();
    let earlier = earlier.map(|at| format!("; the success before it was at {at}")).unwrap_or_default();
    let mut because = vec![run.fact.id.clone()];
    let seen_in_log = covered(seen, since);
    because.extend(seen_in_log.iter().filter(|id| **id != run.fact.id).cloned());
    let mut says = format!(
        "The last run succeeded{}, after {since}{earlier}. Nothing that was handed over tells of an exception, of event 10021 or \
         of event 10022 after it.",
        when(run.fact)
    );
    let sure = !seen_in_log.is_empty() && unsure.is_empty();
    if seen_in_log.is_empty() {
        says.push_str(" A log or events that reach so far are not among it.");
        given.open(
            "Does the log hold a new exception, or the event log a new 10021 or 10022?",
            "Only the history of runs was handed over.".into(),
            "hand over SoftwareDistribution.log, or look for the events: Get-WinEvent -FilterHashtable \
             @{LogName='Application'; ProviderName='Windows Server Update Services'; Id=10021,10022}",
            vec![run.fact.id.clone()],
        );
    }
    if !unsure.is_empty() {
        given.open(
            "Did this come before the last success, or after it?",
            format!(
                "{} tells of something whose time cannot be compared with the run's.",
                unsure[0].source.file
            ),
            "hand over SoftwareDistribution.log, whose times are in UTC",
            unsure.iter().take(10).map(|fact| fact.id.clone()).collect(),
        );
    }
    let confidence = if sure { Confidence::Certain } else { Confidence::Likely };
    given.add(finding("history/recovered", Role::Note, confidence, &run.fact.source.file, says, because));
    if run.new_updates == Some(0) {
        let says = "The run succeeded and brought no new update. The way to the source is in order: look at products and \
                    classifications first, then at content.";
        let found = note("history/no-new-updates", &run.fact.source.file, says, vec![run.fact.id.clone()]);
        given.add(found.severity(Severity::Info));
    }
}

/// The successes after the repair that a log or an event log tells of: such a file would hold what came after them.
fn covered(seen: &Seen, since: Timestamp) -> Vec<String> {
    let times = Times::new(seen.facts.all());
    let told = |fact: &&Fact| {
        matches!(fact.statement, Statement::LogSync { event: SyncEvent::Succeeded, .. })
            && times.against(fact, since) == Order::After
    };
    seen.facts.all().iter().filter(told).map(|fact| fact.id.clone()).take(1).collect()
}

/// Once a run has succeeded since, what else was found explains no failure any more.
pub(crate) fn settle(seen: &Seen, given: &mut Given) {
    let Some(since) = seen.evidence.settings.since else { return };
    if recovered_run(seen, since).is_none() {
        return;
    }
    for found in given.findings.iter_mut().filter(|found| found.role != Role::Note) {
        found.role = Role::Note;
        found.severity = found.severity.max(Severity::Warning);
    }
}
