//! The schedule: when a success would be due, and what the runs brought.

use jiff::SignedDuration;

use super::super::{Given, Seen, With, note};
use super::when;
use crate::diagnosis::Severity;
use crate::facts::{Fact, LastRun, Order, RunView, Statement, SyncResult, Times};

/// How much later than due a success may end: runs begin up to half an hour late, are repeated twice in half an hour, and
/// last.
const MARGIN: SignedDuration = SignedDuration::from_hours(3);
/// How wrong a time may be whose zone is not told.
const ZONE: SignedDuration = SignedDuration::from_hours(14);
/// Microsoft publishes updates every month at least.
const MONTH: SignedDuration = SignedDuration::from_hours(35 * 24);

pub(super) fn give(seen: &Seen, given: &mut Given) {
    never_succeeded(seen, given);
    stale(seen, given);
    no_new_updates(seen, given);
}

/// No success in a history that was handed over, or the server's own word that none ever ran. A log that holds failures alone
/// proves nothing: it begins somewhere.
fn never_succeeded(seen: &Seen, given: &mut Given) {
    if seen.facts.runs().any(|run| run.succeeded) {
        return;
    }
    let runs: Vec<(&Fact, SyncResult)> = seen
        .facts
        .all()
        .iter()
        .filter_map(|fact| match &fact.statement {
            Statement::SyncRun { result, .. } => Some((fact, *result)),
            _ => None,
        })
        .collect();
    // In a history with a run that came to an end it is the one that still runs.
    let ended = runs.iter().any(|(_, result)| matches!(result, SyncResult::Failed | SyncResult::Canceled));
    let never = runs.iter().find(|(_, result)| *result == SyncResult::NeverRun && !ended);
    let last = seen.facts.subscription("LastSynchronizationTime").filter(|(_, value)| !value.is_empty());
    let year_one = last.filter(|(_, value)| is_year_one(value));
    // A last time is a success, older than what else was handed over.
    if last.is_some() && year_one.is_none() {
        return;
    }
    let mut failed: Vec<&Fact> =
        runs.iter().filter(|(_, result)| *result == SyncResult::Failed).map(|(fact, _)| *fact).collect();
    // The API gives the newest first.
    failed.sort_by_key(|fact| fact.time);
    let found = match (never, year_one, failed.as_slice()) {
        (Some((fact, _)), ..) => note(
            "history/never-succeeded",
            &fact.source.file,
            "The server says that no synchronization has come to an end yet (NeverRun). While the first one still runs, that is \
             as it should be.",
            vec![fact.id.clone()],
        ),
        (None, Some((fact, value)), _) => note(
            "history/never-succeeded",
            &fact.source.file,
            format!("LastSynchronizationTime is {value}: no synchronization has succeeded yet."),
            vec![fact.id.clone()],
        ),
        (None, None, [first, .., last]) => note(
            "history/never-succeeded",
            &last.source.file,
            format!(
                "The history that was handed over holds {} failed runs and no successful one, from{} to{}.",
                failed.len(),
                when(first).trim_start_matches(" at"),
                when(last).trim_start_matches(" at")
            ),
            failed.iter().take(20).map(|fact| fact.id.clone()).collect(),
        )
        .likely(),
        _ => return,
    };
    given.add(found);
}

/// .NET's smallest date, which stands for none.
fn is_year_one(value: &str) -> bool {
    value.split(|c: char| !c.is_ascii_digit()).any(|part| part == "0001")
}

/// How often the subscription synchronizes, and the facts that say so.
fn interval(seen: &Seen) -> Option<(SignedDuration, Vec<String>)> {
    let (automatic, value) = seen.facts.subscription("SynchronizeAutomatically")?;
    if !value.eq_ignore_ascii_case("true") {
        return None;
    }
    let mut because = vec![automatic.id.clone()];
    let number = seen.facts.subscription("NumberOfSynchronizationsPerDay");
    let number = number.and_then(|(fact, value)| Some((fact, value.parse::<u32>().ok()?)));
    because.extend(number.map(|(fact, _)| fact.id.clone()));
    let a_day = number.map_or(1, |(_, number)| number).clamp(1, 24);
    Some((SignedDuration::from_secs(86_400 / i64::from(a_day)), because))
}

/// The last success is older than the schedule allows, and no failure followed it: nothing ran since, or nothing that ran is on
/// record.
fn stale(seen: &Seen, given: &mut Given) {
    let Some(now) = seen.now() else { return };
    let yellow = || {
        let answered = |fact: &Fact| seen.succeeded_after(fact) || seen.facts.found_well_after(fact);
        let mut events = seen.facts.events(&[10021]).filter(|(fact, _)| !answered(fact));
        events.next().map(|(fact, _)| fact)
    };
    let stated = stated_last(seen);
    let last = match seen.facts.last_run() {
        // Of a success on record and the time that the server states the later one counts.
        LastRun::One(run) if run.succeeded => match stated {
            Some(stated) if Times::new(seen.facts.all()).order(stated, run.fact) == Order::After => {
                Some(stated)
            }
            _ => Some(run.fact),
        },
        LastRun::None => stated,
        // A failure that came after it says more.
        _ => return,
    };
    by_hand(seen, now, last, given);
    if let (Some(last), Some((interval, mut because))) = (last, interval(seen))
        && let Some(at) = last.time
    {
        let zone = if last.zone.is_some() { SignedDuration::ZERO } else { ZONE };
        let age = now.duration_since(at);
        // The server's own check has found it new enough since.
        if age > interval + MARGIN + zone && !seen.facts.found_well_after(last) {
            because.insert(0, last.id.clone());
            let of = match &last.statement {
                Statement::Subscription { .. } => "LastSynchronizationTime lies",
                _ => "The last success on record ended",
            };
            let says = format!(
                "{of}{}, {} before {now}; the schedule wants one every {}.",
                when(last),
                hours(age),
                hours(interval)
            );
            let found = note("history/stale", &last.source.file, says, because);
            // What was handed over may be from before: only the settings say when it was taken.
            given.add(if seen.evidence.settings.at.is_some() { found } else { found.likely() });
            return;
        }
    }
    if let Some(fact) = yellow() {
        let says = format!(
            "{} holds event 10021{}: the server's own check found its last success too old.",
            fact.source.file,
            when(fact)
        );
        given.add(note("history/stale", &fact.source.file, says, vec![fact.id.clone()]).likely());
    }
}

/// The time of the last synchronization as the subscription states it.
pub(super) fn stated_last<'a>(seen: &Seen<'a>) -> Option<&'a Fact> {
    let (fact, _) = seen.facts.subscription("LastSynchronizationTime")?;
    fact.time.is_some().then_some(fact)
}

/// Whether the last run on record succeeded within a month of the judgement: a server without a network has been given
/// something.
pub(crate) fn something_arrived(seen: &Seen) -> bool {
    let LastRun::One(run) = seen.facts.last_run() else { return false };
    let fresh = |at| seen.now().is_none_or(|now| now.duration_since(at) <= MONTH);
    run.succeeded && run.fact.time.is_some_and(fresh)
}

/// Nothing synchronizes by itself, and nobody has for a month.
fn by_hand(seen: &Seen, now: jiff::Timestamp, last: Option<&Fact>, given: &mut Given) {
    let Some((manual, value)) = seen.facts.subscription("SynchronizeAutomatically") else { return };
    let Some((last, at)) = last.and_then(|last| Some((last, last.time?))) else { return };
    let age = now.duration_since(at);
    if !value.eq_ignore_ascii_case("false") || age <= MONTH {
        return;
    }
    given.open(
        "Who starts synchronization?",
        format!(
            "It runs by hand alone (SynchronizeAutomatically = False, {}), and the last one on record lies {} before {now}: that \
             is no failure, and nothing new arrives meanwhile.",
            manual.source.file,
            hours(age)
        ),
        "start one and see how it ends: (Get-WsusServer).GetSubscription().StartSynchronization()",
        vec![manual.id.clone(), last.id.clone()],
    );
}

fn hours(time: SignedDuration) -> String {
    match time.as_hours() {
        hours @ 0..72 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

/// Every success on record brought nothing new. One run that brings nothing is as it should be.
fn no_new_updates(seen: &Seen, given: &mut Given) {
    let LastRun::One(last) = seen.facts.last_run() else { return };
    let counted: Vec<RunView> =
        seen.facts.runs().filter(|run| run.succeeded && run.new_updates.is_some()).collect();
    if !last.succeeded || counted.len() < 2 || counted.iter().any(|run| run.new_updates != Some(0)) {
        return;
    }
    let times = || counted.iter().filter_map(|run| run.fact.time);
    let span =
        times().min().zip(times().max()).map_or(SignedDuration::ZERO, |(from, to)| to.duration_since(from));
    let says = format!(
        "Synchronization succeeds, and the {} successful runs on record brought no new update ({}). Look at products and \
         classifications first, then at content; the way to the source is in order.",
        counted.len(),
        hours(span)
    );
    let because = counted.iter().take(20).map(|run| run.fact.id.clone()).collect();
    let found = note("history/no-new-updates", &last.fact.source.file, says, because);
    given.add(if span > MONTH { found } else { found.severity(Severity::Info) });
}

#[cfg(test)]
mod tests {
    use super::super::super::told::{add, healthy, ids, run, the, utc};
    use crate::diagnosis::{Confidence, Severity, judge};
    use crate::evidence::Evidence;
    use crate::facts::{Statement, SyncResult};

    fn subscription(evidence: &mut Evidence, property: &str, value: &str) -> String {
        let statement = Statement::Subscription { property: property.into(), value: value.into() };
        utc(evidence, "subscription.txt", "", statement)
    }

    /// A nightly schedule, judged at noon of the fifteenth.
    fn nightly() -> Evidence {
        let mut evidence = healthy();
        evidence.settings.at = Some("2026-06-15T12:00:00Z".parse().expect("a time"));
        subscription(&mut evidence, "SynchronizeAutomatically", "True");
        subscription(&mut evidence, "NumberOfSynchronizationsPerDay", "1");
        evidence
    }

    #[test]
    fn a_success_that_is_older_than_the_schedule_allows_is_stale() {
        for (time, zone, stale) in [
            ("2026-06-13T03:00:00Z", Some("UTC"), true),
            ("2026-06-14T11:00:00Z", Some("UTC"), false),
            ("2026-06-14T10:00:00Z", None, false),
            ("2026-06-13T10:00:00Z", None, true),
        ] {
            let mut evidence = nightly();
            let last = add(&mut evidence, "history.txt", time, zone, run(SyncResult::Succeeded, None));
            let diagnosis = judge(&evidence);
            assert_eq!(ids(&diagnosis).contains(&"history/stale"), stale, "{time} {zone:?}");
            if stale {
                let found = the(&diagnosis, "history/stale");
                assert!(found.because.contains(&last) && found.because.len() == 3);
                assert_eq!(found.confidence, Confidence::Certain);
                // Without a stated time what was handed over may be from before.
                evidence.settings.at = None;
                for observation in &mut evidence.observations {
                    observation.at = "2026-06-15T12:00:00Z".parse().expect("a time");
                }
                assert_eq!(the(&judge(&evidence), "history/stale").confidence, Confidence::Likely);
            }
        }
    }

    #[test]
    fn by_hand_alone_and_without_a_schedule_nothing_is_stale() {
        let mut evidence = nightly();
        utc(&mut evidence, "history.txt", "2026-06-01T03:00:00Z", run(SyncResult::Succeeded, None));
        assert!(ids(&judge(&evidence)).contains(&"history/stale"));
        subscription(&mut evidence, "SynchronizeAutomatically", "False");
        assert!(ids(&judge(&evidence)).is_empty());
        evidence.facts.retain(|fact| !matches!(fact.statement, Statement::Subscription { .. }));
        assert!(ids(&judge(&evidence)).is_empty());
    }

    #[test]
    fn a_failure_says_more_than_an_old_success() {
        let mut evidence = nightly();
        utc(&mut evidence, "history.txt", "2026-06-01T03:00:00Z", run(SyncResult::Succeeded, None));
        utc(&mut evidence, "history.txt", "2026-06-15T03:00:00Z", run(SyncResult::Failed, None));
        assert_eq!(ids(&judge(&evidence)), ["history/failing"]);
    }

    #[test]
    fn never_is_the_server_s_own_word_or_a_history_of_failures() {
        let mut evidence = healthy();
        utc(&mut evidence, "history.txt", "", run(SyncResult::NeverRun, None));
        assert_eq!(the(&judge(&evidence), "history/never-succeeded").confidence, Confidence::Certain);
        let mut evidence = healthy();
        subscription(&mut evidence, "LastSynchronizationTime", "1/1/0001 12:00:00 AM");
        assert_eq!(ids(&judge(&evidence)), ["history/never-succeeded"]);
        let mut evidence = healthy();
        utc(&mut evidence, "history.txt", "2026-06-14T03:00:00Z", run(SyncResult::Failed, None));
        assert_eq!(ids(&judge(&evidence)), ["history/failing"]);
        utc(&mut evidence, "history.txt", "2026-06-15T03:00:00Z", run(SyncResult::Failed, None));
        assert_eq!(the(&judge(&evidence), "history/never-succeeded").confidence, Confidence::Likely);
        utc(&mut evidence, "history.txt", "2026-06-13T03:00:00Z", run(SyncResult::Succeeded, None));
        assert_eq!(ids(&judge(&evidence)), ["history/failing"]);
    }

    #[test]
    fn a_stated_last_time_is_a_success_that_the_history_no_longer_holds() {
        for (value, never) in [("6/13/2026 3:04:00 AM", false), ("1/1/0001 12:00:00 AM", true), ("", true)] {
            let mut evidence = healthy();
            utc(&mut evidence, "history.txt", "2026-06-14T03:00:00Z", run(SyncResult::Failed, None));
            utc(&mut evidence, "history.txt", "2026-06-15T03:00:00Z", run(SyncResult::Failed, None));
            subscription(&mut evidence, "LastSynchronizationTime", value);
            let diagnosis = judge(&evidence);
            assert_eq!(ids(&diagnosis).contains(&"history/never-succeeded"), never, "{value}");
            assert!(ids(&diagnosis).contains(&"history/failing"), "{value}");
        }
    }

    #[test]
    fn a_run_that_goes_on_beside_failed_ones_is_not_never() {
        let mut evidence = healthy();
        utc(&mut evidence, "history.txt", "2026-06-15T03:00:00Z", run(SyncResult::Failed, None));
        utc(&mut evidence, "history.txt", "", run(SyncResult::NeverRun, None));
        assert_eq!(ids(&judge(&evidence)), ["history/failing"]);
        // The newest stands first in the API's list, and is told last.
        utc(&mut evidence, "history.txt", "2026-06-14T03:00:00Z", run(SyncResult::Failed, None));
        let diagnosis = judge(&evidence);
        let says = &the(&diagnosis, "history/never-succeeded").says;
        assert!(says.contains("from 2026-06-14T03:00:00Z to 2026-06-15T03:00:00Z"), "{says}");
    }

    #[test]
    fn the_subscription_s_own_last_time_is_compared_with_its_schedule() {
        for (time, stale) in [("2026-06-01T03:00:00Z", true), ("2026-06-15T03:00:00Z", false)] {
            let mut evidence = nightly();
            let statement = Statement::Subscription {
                property: "LastSynchronizationTime".into(),
                value: "as printed".into(),
            };
            let last = utc(&mut evidence, "subscription.txt", time, statement);
            let diagnosis = judge(&evidence);
            assert_eq!(ids(&diagnosis).contains(&"history/stale"), stale, "{time}");
            if stale {
                assert!(the(&diagnosis, "history/stale").because.contains(&last));
            }
        }
    }

    #[test]
    fn by_hand_alone_is_a_question_once_nobody_has_for_a_month() {
        let asked = |time: &str| {
            let mut evidence = nightly();
            subscription(&mut evidence, "SynchronizeAutomatically", "False");
            utc(&mut evidence, "history.txt", time, run(SyncResult::Succeeded, None));
            let diagnosis = judge(&evidence);
            assert!(ids(&diagnosis).is_empty(), "{:?}", ids(&diagnosis));
            diagnosis.unknown.iter().any(|open| open.question.contains("Who starts"))
        };
        assert!(asked("2025-01-31T03:00:00Z"));
        assert!(!asked("2026-06-01T03:00:00Z"));
    }

    #[test]
    fn several_runs_that_bring_nothing_send_to_subscriptions() {
        let mut evidence = healthy();
        utc(&mut evidence, "history.txt", "2026-04-15T03:00:00Z", run(SyncResult::Succeeded, Some(0)));
        assert!(ids(&judge(&evidence)).is_empty());
        utc(&mut evidence, "history.txt", "2026-04-16T03:00:00Z", run(SyncResult::Succeeded, Some(0)));
        assert_eq!(the(&judge(&evidence), "history/no-new-updates").severity, Severity::Info);
        utc(&mut evidence, "history.txt", "2026-06-14T03:00:00Z", run(SyncResult::Succeeded, Some(0)));
        assert_eq!(the(&judge(&evidence), "history/no-new-updates").severity, Severity::Warning);
        utc(&mut evidence, "history.txt", "2026-06-13T03:00:00Z", run(SyncResult::Succeeded, Some(7)));
        assert!(ids(&judge(&evidence)).is_empty());
    }
}
