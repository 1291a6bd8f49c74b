//! What happened between the last success and the failures after it, in order. It is shown, and never a cause by itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::{
    Fact, FactView, Order, RunView, SchannelState, Statement, StoreAccount, Times, happening,
};

/// The most moments between success and failure that are told: the latest.
const MOST: usize = 40;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// When; read as if it were UTC where the zone is not told.
    pub time: Option<Timestamp>,
    /// The zone that its source names; none where it is not told.
    pub zone: Option<String>,
    /// What happened, in a sentence; ends with `(order unsure)` where it may lie outside.
    pub says: String,
    /// The facts that it rests on.
    pub because: Vec<String>,
}

/// The last success, what came after it, and the failures since; empty where nothing lies between them.
pub fn between(facts: &FactView) -> Vec<Moment> {
    let times = Times::new(facts.all());
    let Some((success, first, last)) = bounds(facts, &times) else { return Vec::new() };
    let mut inside: Vec<Moment> = Vec::new();
    let mut known: HashMap<(Option<Timestamp>, String), usize> = HashMap::new();
    for fact in facts.all() {
        for (time, says) in told(fact) {
            let zone = match &fact.statement {
                // A certificate's own dates are in UTC; a printout's are as local as the rest of it.
                Statement::StoredCertificate { der, .. } if !der.is_empty() => Some("UTC".to_string()),
                _ => fact.zone.clone(),
            };
            let happened = Fact { time, zone: zone.clone(), ..fact.clone() };
            let (after, before) = (times.order(&happened, success.fact), times.order(&happened, first.fact));
            if after == Order::Before || before == Order::After {
                continue;
            }
            let unsure = after == Order::Unsure || before == Order::Unsure;
            let says = if unsure { format!("{says} (order unsure)") } else { says };
            let moment = Moment { time, zone, says, because: vec![fact.id.clone()] };
            match known.entry((moment.time, moment.says.clone())) {
                Entry::Occupied(at) => inside[*at.get()].because.extend(moment.because),
                Entry::Vacant(new) => {
                    new.insert(inside.len());
                    inside.push(moment);
                }
            }
        }
    }
    if inside.is_empty() {
        return Vec::new();
    }
    inside.sort_by_key(|moment| moment.time);
    let more = inside.len().saturating_sub(MOST);
    let mut all = vec![run(&success, "The last success")];
    all.extend(inside.into_iter().skip(more));
    all.push(run(&first, "The first failure after it"));
    if last.fact.id != first.fact.id {
        all.push(run(&last, "The last failure"));
    }
    all
}

/// The last success, and the first and the last failure after it.
fn bounds<'a>(facts: &FactView<'a>, times: &Times) -> Option<(RunView<'a>, RunView<'a>, RunView<'a>)> {
    let runs: Vec<RunView> = facts.runs().filter(|run| run.fact.time.is_some()).collect();
    let later = |one: &RunView<'a>, other: RunView<'a>| times.order(one.fact, other.fact) == Order::Before;
    let success = runs
        .iter()
        .filter(|run| run.succeeded)
        .copied()
        .reduce(|one, other| if later(&one, other) { other } else { one })?;
    let mut failures = runs
        .iter()
        .filter(|run| !run.succeeded && times.order(run.fact, success.fact) == Order::After)
        .copied();
    let (mut first, mut last) = failures.next().map(|run| (run, run))?;
    for run in failures {
        if later(&run, first) {
            first = run;
        } else if later(&last, run) {
            last = run;
        }
    }
    Some((success, first, last))
}

fn run(run: &RunView, what: &str) -> Moment {
    let reason = match (run.error, run.text) {
        ("", "") => String::new(),
        ("", text) | (text, "") => format!(": {text}"),
        (error, text) => format!(": {error}, {text}"),
    };
    Moment {
        time: run.fact.time,
        zone: run.fact.zone.clone(),
        says: format!("{what} ({}){reason}", run.fact.source.file),
        because: vec![run.fact.id.clone()],
    }
}

/// What a fact tells that happened, and when.
fn told(fact: &Fact) -> Vec<(Option<Timestamp>, String)> {
    let at = |says: String| if fact.time.is_some() { vec![(fact.time, says)] } else { Vec::new() };
    match &fact.statement {
        Statement::Change { says } => at(format!("Changed on this server: {says}")),
        Statement::InstalledUpdate { update } => at(format!("{update} was installed")),
        Statement::ClockJump { from } => {
            let back = fact.time.map_or(SignedDuration::ZERO, |to| from.duration_since(to));
            at(format!("The clock went back by {}", span(back)))
        }
        Statement::Event { provider, event, count, excerpt } => match happening(provider, *event) {
            Some(what) => {
                let which = if *count > 1 { format!(", the last of {count}") } else { String::new() };
                let text: String = excerpt.chars().take(120).collect();
                let text = if text.is_empty() { text } else { format!(": {text}") };
                at(format!("{what} (event {event}{which}){text}"))
            }
            None => Vec::new(),
        },
        Statement::LogSchannel { protocol, state } => {
            let state = match state {
                SchannelState::Enabled => "on",
                SchannelState::Disabled => "off",
                SchannelState::Unrecognised => return Vec::new(),
            };
            at(format!("The service started; SCHANNEL has {protocol} {state}"))
        }
        Statement::StoredCertificate { account, store, subject, not_before, not_after, .. }
            if *account != StoreAccount::User =>
        {
            let place = if store.is_empty() { "in a file".to_string() } else { format!("in {store}") };
            [(not_before, "begins to be valid"), (not_after, "ends")]
                .into_iter()
                .filter_map(|(time, what)| {
                    Some((Some((*time)?), format!("The certificate \"{subject}\" ({place}) {what}")))
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

fn span(time: SignedDuration) -> String {
    match time.as_secs().unsigned_abs() {
        seconds @ 0..=120 => format!("{seconds} seconds"),
        seconds @ 121..=7200 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Source, SyncEvent};

    fn fact(n: usize, file: &str, time: &str, zone: Option<&str>, statement: Statement) -> Fact {
        Fact {
            id: format!("f{n}"),
            source: Source { file: file.into(), line: u32::try_from(n).ok() },
            time: Some(time.parse().expect("a time")),
            zone: zone.map(str::to_string),
            statement,
        }
    }

    fn sync(n: usize, time: &str, event: SyncEvent) -> Fact {
        fact(
            n,
            "log",
            time,
            Some("UTC"),
            Statement::LogSync { event, reason: String::new(), process: String::new() },
        )
    }

    fn update(n: usize, time: &str, zone: Option<&str>) -> Fact {
        fact(n, "hotfixes.txt", time, zone, Statement::InstalledUpdate { update: "KB5000000".into() })
    }

    const SUCCESS: &str = "2026-06-10T03:00:00Z";
    const FIRST: &str = "2026-06-12T03:00:00Z";
    const LAST: &str = "2026-06-13T03:00:00Z";

    fn log() -> Vec<Fact> {
        vec![
            sync(1, SUCCESS, SyncEvent::Succeeded),
            sync(2, FIRST, SyncEvent::Failed),
            sync(3, LAST, SyncEvent::Failed),
        ]
    }

    fn ids(facts: &[Fact]) -> Vec<String> {
        between(&FactView::new(facts)).iter().flat_map(|moment| moment.because.clone()).collect()
    }

    #[test]
    fn what_lies_between_success_and_failure_is_told_in_order() {
        let mut facts = log();
        facts.push(update(4, "2026-06-11T12:00:00Z", Some("UTC")));
        facts.push(fact(
            5,
            "change.log",
            "2026-06-11T09:00:00Z",
            Some("UTC"),
            Statement::Change { says: "UseProxy".into() },
        ));
        assert_eq!(ids(&facts), ["f1", "f5", "f4", "f2", "f3"]);
    }

    #[test]
    fn nothing_between_is_nothing_told() {
        assert!(ids(&log()).is_empty());
        let mut facts = log();
        facts.push(update(4, "2026-06-01T12:00:00Z", Some("UTC")));
        facts.push(update(5, "2026-06-12T12:00:00Z", Some("UTC")));
        assert!(ids(&facts).is_empty());
        // A server that recovered has no failure after its last success.
        let mut facts = log();
        facts.push(update(4, "2026-06-11T12:00:00Z", Some("UTC")));
        facts.push(sync(6, "2026-06-14T03:00:00Z", SyncEvent::Succeeded));
        assert!(ids(&facts).is_empty());
    }

    #[test]
    fn a_zone_that_is_not_told_leaves_the_order_unsure_within_fourteen_hours() {
        let mut facts = log();
        facts.push(update(4, "2026-06-12T10:00:00Z", None));
        let told = between(&FactView::new(&facts));
        assert_eq!(told[1].because, ["f4"]);
        assert!(told[1].says.ends_with("(order unsure)"), "{told:?}");
        facts[3].time = Some("2026-06-11T10:00:00Z".parse().unwrap());
        assert!(!between(&FactView::new(&facts))[1].says.contains("unsure"));
        facts[3].time = Some("2026-06-12T18:00:00Z".parse().unwrap());
        assert!(between(&FactView::new(&facts)).is_empty());
    }

    #[test]
    fn certificates_begin_and_end() {
        let mut facts = log();
        facts.push(Fact {
            time: None,
            ..fact(
                4,
                "my.txt",
                SUCCESS,
                None,
                Statement::StoredCertificate {
                    account: StoreAccount::Machine,
                    store: "My".into(),
                    subject: "CN=wsus1".into(),
                    issuer: "CN=ca".into(),
                    fingerprint: String::new(),
                    not_before: Some("2025-06-11T00:00:00Z".parse().unwrap()),
                    not_after: Some("2026-06-11T00:00:00Z".parse().unwrap()),
                    private_key: None,
                    der: String::new(),
                },
            )
        });
        let told = between(&FactView::new(&facts));
        assert_eq!(told.len(), 4);
        assert!(told[1].says.contains("CN=wsus1") && told[1].says.contains("ends"), "{told:?}");
    }
}
