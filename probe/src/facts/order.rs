//! Which of two facts came first, as far as that can be told.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::{Fact, FactView, Statement};

/// The farthest that a local time of a zone that is not told can be from UTC.
const ZONE: SignedDuration = SignedDuration::from_hours(14);
/// What a date without a time leaves open.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How a fact lies to another one, or to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It came before.
    Before,
    /// It came after.
    After,
    /// Which came first does not show.
    Unsure,
}

/// The times of facts: what can be compared with what.
#[derive(Clone, Debug)]
pub struct Times<'a> {
    /// The set-backs of a file's clock, each with its line. In such a file the lines tell the order, and a time above one of
    /// them may be too late by all that the clock went back.
    jumps: HashMap<&'a str, Vec<(Option<u32>, SignedDuration)>>,
    /// Logs of the service, whose lines are in order. What a console printed may begin with the newest.
    logs: HashSet<&'a str>,
}

impl<'a> Times<'a> {
    /// What `facts` tell of their clocks.
    pub fn new(facts: &'a [Fact]) -> Self {
        let mut times = Times { jumps: HashMap::new(), logs: HashSet::new() };
        for fact in facts {
            let file = fact.source.file.as_str();
            match &fact.statement {
                Statement::ClockJump { from } => {
                    let back = fact.time.map_or(SignedDuration::ZERO, |to| from.duration_since(to));
                    times.jumps.entry(file).or_default().push((fact.source.line, back));
                }
                Statement::Log { .. } => {
                    times.logs.insert(file);
                }
                _ => {}
            }
        }
        times
    }

    /// How far the clock of a fact's file was set back below it.
    fn set_back(&self, fact: &Fact) -> SignedDuration {
        let jumps = self.jumps.get(fact.source.file.as_str()).into_iter().flatten();
        // Without a line every one of them may lie below.
        let below = jumps.filter(|(line, _)| line.zip(fact.source.line).is_none_or(|(jump, at)| at < jump));
        below.map(|(_, back)| *back).fold(SignedDuration::ZERO, |all, back| all.saturating_add(back))
    }

    /// The earliest and the latest that a fact with this time can be.
    fn span(&self, fact: &Fact, time: Timestamp) -> (Timestamp, Timestamp) {
        let zone = if fact.zone.is_some() { SignedDuration::ZERO } else { ZONE };
        let early = zone.saturating_add(self.set_back(fact));
        (earlier(time, early), later(time, zone.saturating_add(day(fact))))
    }

    /// How `one` lies to `other`. A local time of a zone that is not told is 14 hours wrong at most; in one file such
    /// times are of one zone. Without times the lines of a log tell, and those of no other file.
    pub fn order(&self, one: &Fact, other: &Fact) -> Order {
        let same_file = one.source.file == other.source.file;
        let by_line = || match (one.source.line, other.source.line) {
            (Some(one), Some(other)) if same_file && one < other => Order::Before,
            (Some(one), Some(other)) if same_file && one > other => Order::After,
            _ => Order::Unsure,
        };
        let (Some(time), Some(than)) = (one.time, other.time) else {
            let is_log = self.logs.contains(one.source.file.as_str());
            return if is_log { by_line() } else { Order::Unsure };
        };
        if same_file && (time == than || self.jumps.contains_key(one.source.file.as_str())) {
            return by_line();
        }
        if same_file {
            return apart((time, later(time, day(one))), (than, later(than, day(other))));
        }
        apart(self.span(one, time), self.span(other, than))
    }

    /// How a fact lies to a moment.
    pub fn against(&self, fact: &Fact, moment: Timestamp) -> Order {
        match fact.time {
            Some(time) => apart(self.span(fact, time), (moment, moment)),
            None => Order::Unsure,
        }
    }
}

/// The successes of synchronization, for asking of many facts whether one came later.
#[derive(Clone, Debug)]
pub struct Successes<'a> {
    times: Times<'a>,
    /// By file.
    runs: HashMap<&'a str, Vec<&'a Fact>>,
    /// The two files whose successes are surely the latest: since when, and which.
    latest: Vec<(Timestamp, &'a str)>,
}

impl<'a> Successes<'a> {
    /// Those among `facts`.
    pub fn new(facts: &'a [Fact]) -> Self {
        let times = Times::new(facts);
        let mut runs: HashMap<&str, Vec<&Fact>> = HashMap::new();
        let mut latest: HashMap<&str, Timestamp> = HashMap::new();
        for run in FactView::new(facts).runs().filter(|run| run.succeeded) {
            let file = run.fact.source.file.as_str();
            runs.entry(file).or_default().push(run.fact);
            if let Some(time) = run.fact.time {
                let since = times.span(run.fact, time).0;
                let known = latest.entry(file).or_insert(since);
                *known = since.max(*known);
            }
        }
        let mut latest: Vec<(Timestamp, &str)> =
            latest.into_iter().map(|(file, since)| (since, file)).collect();
        latest.sort_unstable_by(|one, other| other.cmp(one));
        latest.truncate(2);
        Successes { times, runs, latest }
    }

    /// Whether one came after what a fact tells: by time, or further down in the same file.
    pub fn after(&self, fact: &Fact) -> bool {
        let file = fact.source.file.as_str();
        let until = fact.time.map(|time| self.times.span(fact, time).1);
        let elsewhere = self.latest.iter().find(|(_, other)| *other != file);
        if elsewhere.zip(until).is_some_and(|((since, _), until)| *since > until) {
            return true;
        }
        let here = self.runs.get(file).into_iter().flatten();
        here.into_iter().any(|run| self.times.order(run, fact) == Order::After)
    }
}

/// How far a fact may lie behind its time: a day without an hour is the day's beginning.
fn day(fact: &Fact) -> SignedDuration {
    let day_alone = matches!(fact.statement, Statement::InstalledUpdate { .. })
        && fact.time.is_some_and(|time| time.as_second() % 86_400 == 0);
    if day_alone { DAY } else { SignedDuration::ZERO }
}

fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// How `one` lies to `other`, each somewhere from its earliest to its latest.
fn apart(one: (Timestamp, Timestamp), other: (Timestamp, Timestamp)) -> Order {
    if one.1 < other.0 {
        Order::Before
    } else if one.0 > other.1 {
        Order::After
    } else {
        Order::Unsure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Source;

    fn fact(file: &str, line: u32, time: &str, zone: Option<&str>) -> Fact {
        Fact {
            id: "f1".into(),
            source: Source { file: file.into(), line: Some(line) },
            time: (!time.is_empty()).then(|| time.parse().expect("a time")),
            zone: zone.map(str::to_string),
            statement: Statement::ServerName { name: "wsus1".into() },
        }
    }

    #[test]
    fn a_zone_that_is_not_told_is_fourteen_hours_wrong_at_most() {
        let times = Times::new(&[]);
        let utc = fact("a", 1, "2026-06-15T12:00:00Z", Some("UTC"));
        let near = fact("b", 1, "2026-06-15T20:00:00Z", None);
        let far = fact("b", 2, "2026-06-16T03:00:00Z", None);
        assert_eq!(times.order(&near, &utc), Order::Unsure);
        assert_eq!(times.order(&far, &utc), Order::After);
        assert_eq!(times.order(&utc, &far), Order::Before);
        // One file, one zone; two that are not told add up.
        assert_eq!(times.order(&near, &far), Order::Before);
        let other = fact("c", 1, "2026-06-16T20:00:00Z", None);
        assert_eq!(times.order(&near, &other), Order::Unsure);
        assert_eq!(times.against(&near, "2026-06-15T12:00:00Z".parse().unwrap()), Order::Unsure);
        assert_eq!(times.against(&far, "2026-06-15T12:00:00Z".parse().unwrap()), Order::After);
    }

    #[test]
    fn lines_tell_where_times_do_not() {
        let mut log = fact("a", 1, "", None);
        log.statement = Statement::Log { lines: 9, startup: None, schannel: false };
        let facts = [log];
        let times = Times::new(&facts);
        assert_eq!(times.order(&fact("a", 1, "", None), &fact("a", 2, "", None)), Order::Before);
        // What a console prints may begin with the newest.
        assert_eq!(times.order(&fact("b", 1, "", None), &fact("b", 2, "", None)), Order::Unsure);
        assert_eq!(times.order(&fact("a", 1, "", None), &fact("b", 2, "", None)), Order::Unsure);
        let at = "2026-06-15T12:00:00Z";
        assert_eq!(times.order(&fact("a", 3, at, None), &fact("a", 2, at, None)), Order::After);
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_the_order_to_the_lines() {
        let mut jump = fact("a", 5, "2026-06-15T12:00:00Z", Some("UTC"));
        jump.statement = Statement::ClockJump { from: "2026-06-15T18:00:00Z".parse().unwrap() };
        let facts = [jump];
        let times = Times::new(&facts);
        let before = fact("a", 4, "2026-06-15T18:00:00Z", Some("UTC"));
        let after = fact("a", 9, "2026-06-15T12:30:00Z", Some("UTC"));
        assert_eq!(times.order(&before, &after), Order::Before);
    }

    #[test]
    fn above_a_set_back_a_time_may_be_too_late_by_all_of_it() {
        let mut jump = fact("a", 5, "2026-06-15T11:00:00Z", Some("UTC"));
        jump.statement = Statement::ClockJump { from: "2026-06-16T03:00:00Z".parse().unwrap() };
        let facts = [jump];
        let times = Times::new(&facts);
        let moment: Timestamp = "2026-06-15T12:00:00Z".parse().unwrap();
        let order = |line, time| times.against(&fact("a", line, time, Some("UTC")), moment);
        assert_eq!(order(4, "2026-06-16T03:00:00Z"), Order::Unsure);
        assert_eq!(order(4, "2026-06-16T05:00:00Z"), Order::After);
        assert_eq!(order(4, "2026-06-15T11:00:00Z"), Order::Before);
        // Below it the clock is the one that it was set to.
        assert_eq!(order(6, "2026-06-15T13:00:00Z"), Order::After);
        assert_eq!(order(6, "2026-06-15T11:30:00Z"), Order::Before);
        // Another file's times are no surer beside it.
        let other = fact("b", 1, "2026-06-15T12:00:00Z", Some("UTC"));
        assert_eq!(times.order(&fact("a", 4, "2026-06-16T03:00:00Z", Some("UTC")), &other), Order::Unsure);
        assert_eq!(times.order(&fact("a", 6, "2026-06-15T13:00:00Z", Some("UTC")), &other), Order::After);
    }

    #[test]
    fn a_day_without_an_hour_reaches_forward_alone() {
        let times = Times::new(&[]);
        let installed = |time, zone| {
            let statement = Statement::InstalledUpdate { update: "KB5000000".into() };
            Fact { statement, ..fact("hotfixes.txt", 1, time, zone) }
        };
        let failed = fact("log", 1, "2026-06-15T03:00:00Z", Some("UTC"));
        // At UTC+14 the sixteenth begins at ten in the morning of the fifteenth.
        assert_eq!(times.order(&installed("2026-06-16T00:00:00Z", None), &failed), Order::After);
        assert_eq!(times.order(&failed, &installed("2026-06-16T00:00:00Z", None)), Order::Before);
        assert_eq!(times.order(&installed("2026-06-15T00:00:00Z", None), &failed), Order::Unsure);
        // At UTC-14 the fourteenth ends at two in the afternoon of the fifteenth.
        assert_eq!(times.order(&installed("2026-06-14T00:00:00Z", None), &failed), Order::Unsure);
        assert_eq!(times.order(&installed("2026-06-13T00:00:00Z", None), &failed), Order::Before);
        assert_eq!(times.order(&installed("2026-06-15T00:00:00Z", Some("UTC")), &failed), Order::Unsure);
        assert_eq!(times.order(&installed("2026-06-14T00:00:00Z", Some("UTC")), &failed), Order::Before);
    }

    #[test]
    fn a_success_is_found_as_if_each_had_been_compared() {
        let done = || Statement::LogSync {
            event: crate::facts::SyncEvent::Succeeded,
            reason: String::new(),
            process: String::new(),
        };
        let mut facts = Vec::new();
        for (file, zone) in [("a", Some("UTC")), ("b", None), ("c", Some("UTC"))] {
            for (line, time) in [(2, "2026-06-15T12:00:00Z"), (4, "2026-06-15T20:00:00Z"), (6, "")] {
                let mut run = fact(file, line, time, zone);
                run.statement = done();
                facts.push(run);
            }
        }
        let mut jump = fact("c", 3, "2026-06-15T09:00:00Z", Some("UTC"));
        jump.statement = Statement::ClockJump { from: "2026-06-15T18:00:00Z".parse().unwrap() };
        facts.push(jump);
        let mut log = fact("a", 1, "", None);
        log.statement = Statement::Log { lines: 9, startup: None, schannel: false };
        facts.push(log);
        let (successes, times) = (Successes::new(&facts), Times::new(&facts));
        let mut seen = [false, false];
        for file in ["a", "b", "c", "d"] {
            for line in 1..8 {
                for time in ["", "2026-06-14T01:00:00Z", "2026-06-15T11:00:00Z", "2026-06-15T21:00:00Z"] {
                    for zone in [None, Some("UTC")] {
                        let one = fact(file, line, time, zone);
                        let runs =
                            facts.iter().filter(|fact| matches!(fact.statement, Statement::LogSync { .. }));
                        let expected = runs.into_iter().any(|run| times.order(run, &one) == Order::After);
                        assert_eq!(successes.after(&one), expected, "{file} {line} {time} {zone:?}");
                        seen[usize::from(expected)] = true;
                    }
                }
            }
        }
        assert_eq!(seen, [true, true]);
    }
}
