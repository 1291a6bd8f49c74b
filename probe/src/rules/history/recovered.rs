//! After a repair: whether synchronization has recovered.

use jiff::Timestamp;

use super::super::{Given, Seen, With, finding, note};
use super::others::lost_database;
use super::{failed, when, which_came_last, word};
use crate::diagnosis::{Confidence, Role, Severity};
use crate::facts::{
    ElsewherePart, Fact, LastRun, Order, Phase, RunView, Servers, Statement, SyncEvent, SyncResult, Times,
    is_configuration_manager,
};

/// The event of a synchronization that somebody cancelled.
const CANCELLED: u32 = 387;

/// How to see it for oneself.
const HAND_OVER: &str =
    "start a synchronization, wait for its end, and hand over SoftwareDistribution.log once more";

/// What the record says of the time after a repair.
pub(crate) enum AfterRepair<'a> {
    /// The last run succeeded then, and whether something against it came after that run shows.
    Succeeded(RunView<'a>),
    /// The last run succeeded then; these may have come after it.
    Unsure(RunView<'a>, Vec<&'a Fact>),
    /// The last run failed then.
    Failed(RunView<'a>),
    /// No run is known to have ended then.
    NotKnown,
}

/// What the record says of the time after `since`.
pub(crate) fn after_repair<'a>(seen: &Seen<'a>, since: Timestamp) -> AfterRepair<'a> {
    let times = Times::new(seen.facts.all());
    let LastRun::One(run) = seen.facts.last_run() else { return AfterRepair::NotKnown };
    if times.against(run.fact, since) != Order::After || is_ahead(seen, &times, run.fact) {
        return AfterRepair::NotKnown;
    }
    if !run.succeeded {
        return AfterRepair::Failed(run);
    }
    let orders: Vec<(&Fact, Order)> = seen
        .facts
        .all()
        .iter()
        .filter(|fact| against(seen, fact).is_some())
        .map(|fact| (fact, times.order(fact, run.fact)))
        .collect();
    let may_be_later =
        |fact: &Fact, order: Order| order == Order::Unsure && times.against(fact, since) != Order::Before;
    let unsure: Vec<&Fact> =
        orders.iter().filter(|(fact, order)| may_be_later(fact, *order)).map(|(fact, _)| *fact).collect();
    // What came after for sure is told, and leaves nothing open.
    if unsure.is_empty() || orders.iter().any(|(_, order)| *order == Order::After) {
        return AfterRepair::Succeeded(run);
    }
    AfterRepair::Unsure(run, unsure)
}

/// Whether a fact lies after the time of the judgement: some clock was wrong, and when it happened does not show.
fn is_ahead(seen: &Seen, times: &Times, fact: &Fact) -> bool {
    seen.now().is_some_and(|now| times.against(fact, now) == Order::After)
}

/// What shows that the success was not the last that ran: a run that somebody cancelled, or one that was begun and whose end
/// is not told.
fn begun_later<'a>(seen: &Seen<'a>, times: &Times, run: &RunView) -> Option<&'a Fact> {
    seen.facts.all().iter().find(|fact| {
        matches!(
            fact.statement,
            Statement::SyncRun { result: SyncResult::Canceled, .. }
                | Statement::LogSync { event: SyncEvent::Started, .. }
                | Statement::Event { event: CANCELLED, .. }
        ) && times.order(fact, run.fact) == Order::After
    })
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
        LastRun::One(last) => {
            let run = match after_repair(seen, since) {
                AfterRepair::Succeeded(run) => return succeeded(seen, &times, &run, since, given),
                AfterRepair::Unsure(run, unsure) => return unsure_after(&run, &unsure, given),
                AfterRepair::Failed(run) => return failed(seen, &run, given),
                AfterRepair::NotKnown => last,
            };
            let ended = if run.succeeded { "succeeded" } else { "failed" };
            match times.against(run.fact, since) {
                Order::Before => given.open(
                    question,
                    format!("The last run on record {ended}{}, before {since}.", when(run.fact)),
                    HAND_OVER,
                    vec![run.fact.id.clone()],
                ),
                Order::After if is_ahead(seen, &times, run.fact) => given.open(
                    question,
                    format!(
                        "The last run on record {ended}{}, which lies ahead: a clock was wrong, and when it was does not show.",
                        when(run.fact)
                    ),
                    HAND_OVER,
                    vec![run.fact.id.clone()],
                ),
                Order::Unsure | Order::After => given.open(
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

/// What speaks against a success: an exception, a run that was given up, a database or a start that failed, or the server's
/// own check of its health. With it the finding that says so; none where another rule gives its own.
fn against(seen: &Seen, fact: &Fact) -> Option<(Option<&'static str>, String)> {
    match &fact.statement {
        Statement::LogFailure { failure, process, phase, .. } if *phase != Some(Phase::Content) => {
            let by = if process.is_empty() { String::new() } else { format!(", logged by {process}") };
            Some((Some("history/failing"), format!("an exception tells of {}{by}", word(failure))))
        }
        Statement::Elsewhere { part: ElsewherePart::ServiceStart, .. } => {
            Some((None, "the service failed to start".into()))
        }
        Statement::Event { provider, event, .. } if is_wsus(provider) => match event {
            425 => Some((Some("history/failing"), "event 425 says that a run was given up".into())),
            507 => Some((None, "event 507 says that the service failed to start".into())),
            10021 if !seen.facts.found_well_after(fact) => {
                Some((Some("history/stale"), "event 10021 says that the last success is too old".into()))
            }
            10022 if !seen.facts.found_well_after(fact) => Some((
                Some("history/failing"),
                "event 10022 says that the last synchronization failed".into(),
            )),
            _ => lost_database(fact).map(|what| (None, what)),
        },
        _ => lost_database(fact).map(|what| (None, what)),
    }
}

fn is_wsus(provider: &str) -> bool {
    provider.eq_ignore_ascii_case("Windows Server Update Services")
}

/// Whether this came before the success or after it does not show: neither does whether synchronization has recovered.
fn unsure_after(run: &RunView, unsure: &[&Fact], given: &mut Given) {
    let because = std::iter::once(run.fact).chain(unsure.iter().copied().take(10));
    given.open(
        "Did this come before the last success, or after it?",
        format!(
            "The last run succeeded{}, and {} tells of something{} whose time cannot be compared with the run's.",
            when(run.fact),
            unsure[0].source.file,
            when(unsure[0])
        ),
        "hand over SoftwareDistribution.log, whose times are in UTC",
        because.map(|fact| fact.id.clone()).collect(),
    );
}

fn succeeded(seen: &Seen, times: &Times, run: &RunView, since: Timestamp, given: &mut Given) {
    let mut clean = true;
    for fact in seen.facts.all() {
        let Some((id, what)) = against(seen, fact) else { continue };
        if times.order(fact, run.fact) != Order::After {
            continue;
        }
        clean = false;
        let Some(id) = id else { continue };
        let says = format!(
            "The run that succeeded{} was followed by something new: {what}{} ({}).",
            when(run.fact),
            when(fact),
            fact.source.file
        );
        let because = vec![fact.id.clone(), run.fact.id.clone()];
        given.add(note(id, &fact.source.file, says, because).likely());
    }
    if !clean {
        return;
    }
    let earlier = seen
        .facts
        .runs()
        .filter(|one| one.succeeded && times.order(one.fact, run.fact) == Order::Before)
        .map(|one| one.fact)
        .filter(|fact| fact.time.is_some())
        .reduce(|one, other| if times.order(one, other) == Order::Before { other } else { one });
    let earlier =
        earlier.map(|fact| format!("; the success before it was{}", when(fact))).unwrap_or_default();
    let mut because = vec![run.fact.id.clone()];
    let seen_in_log = covered(seen, since);
    because.extend(seen_in_log.iter().filter(|id| **id != run.fact.id).cloned());
    let mut says = format!(
        "The last run that ended succeeded{}, after {since}{earlier}. Nothing that was handed over tells of an exception, of a run \
         that was given up, of a failed start, of a lost database or of event 10021 or 10022 after it that still counts.",
        when(run.fact)
    );
    let begun = begun_later(seen, times, run);
    let doubt = Servers::new(seen.facts.all()).doubt().is_some();
    let sure = !seen_in_log.is_empty() && begun.is_none() && !doubt;
    let confidence = if sure { Confidence::Certain } else { Confidence::Likely };
    if let Some(begun) = begun {
        says.push_str(&format!(
            " Another one was begun or cancelled after it{}: its end is not on record.",
            when(begun)
        ));
        because.push(begun.id.clone());
    }
    if seen_in_log.is_empty() {
        says.push_str(" A log or events that reach so far are not among it.");
        let only = match run.fact.statement {
            Statement::LogSync { .. } => {
                "Only Configuration Manager's log was handed over: the server's own exceptions stand elsewhere."
            }
            _ => "Only the history of runs was handed over.",
        };
        given.open(
            "Does the log hold a new exception, or the event log a new 10021 or 10022?",
            only.into(),
            "hand over SoftwareDistribution.log, or look for the events: Get-WinEvent -FilterHashtable \
             @{LogName='Application'; ProviderName='Windows Server Update Services'; Id=10021,10022}",
            vec![run.fact.id.clone()],
        );
    }
    given.add(finding("history/recovered", Role::Note, confidence, &run.fact.source.file, says, because));
    if run.new_updates == Some(0) {
        let says = "The run succeeded and brought no new update. The way to the source is in order: look at products and \
                    classifications first, then at content.";
        let found = note("history/no-new-updates", &run.fact.source.file, says, vec![run.fact.id.clone()]);
        given.add(found.severity(Severity::Info));
    }
}

/// The successes after the repair that the server's own log or its events tell of: such a file would hold what came after
/// them. Configuration Manager's holds neither the server's exceptions nor its health.
fn covered(seen: &Seen, since: Timestamp) -> Vec<String> {
    let times = Times::new(seen.facts.all());
    let told = |fact: &&Fact| {
        matches!(&fact.statement, Statement::LogSync { event: SyncEvent::Succeeded, process, .. }
            if !is_configuration_manager(process))
            && times.against(fact, since) == Order::After
    };
    seen.facts.all().iter().filter(told).map(|fact| fact.id.clone()).take(1).collect()
}

/// After a repair the record of runs answers. What else was found explains nothing once a run has succeeded; before one has
/// ended it was not tried, because no path is walked. A run that failed again may be explained by it.
pub(crate) fn settle(seen: &Seen, given: &mut Given) {
    let Some(since) = seen.evidence.settings.since else { return };
    let answered = match after_repair(seen, since) {
        AfterRepair::Succeeded(_) | AfterRepair::Unsure(..) => true,
        AfterRepair::NotKnown => false,
        AfterRepair::Failed(_) => return,
    };
    for found in given.findings.iter_mut().filter(|found| found.role != Role::Note) {
        found.role = Role::Note;
        found.severity = found.severity.max(Severity::Warning);
        if !answered {
            found.confidence = Confidence::Possible;
        }
    }
}
