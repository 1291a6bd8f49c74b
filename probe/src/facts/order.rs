//! Which of two facts came first, as far as that can be told.

use jiff::{SignedDuration, Timestamp};

use super::{Fact, Statement};

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
    /// Files whose clock was set back: their lines tell the order, their times do not.
    jumped: Vec<&'a str>,
    /// Logs of the service, whose lines are in order. What a console printed may begin with the newest.
    logs: Vec<&'a str>,
}

impl<'a> Times<'a> {
    /// What `facts` tell of their clocks.
    pub fn new(facts: &'a [Fact]) -> Self {
        let jumps = facts.iter().filter(|fact| matches!(fact.statement, Statement::ClockJump { .. }));
        let mut jumped: Vec<&str> = jumps.map(|fact| fact.source.file.as_str()).collect();
        jumped.dedup();
        let logs = facts.iter().filter(|fact| matches!(fact.statement, Statement::Log { .. }));
        Times { jumped, logs: logs.map(|fact| fact.source.file.as_str()).collect() }
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
            let is_log = self.logs.contains(&one.source.file.as_str());
            return if is_log { by_line() } else { Order::Unsure };
        };
        if same_file && self.jumped.contains(&one.source.file.as_str()) {
            return by_line();
        }
        if same_file {
            return if time == than { by_line() } else { apart(time, than, SignedDuration::ZERO) };
        }
        apart(time, than, slack(one) + slack(other))
    }

    /// How a fact lies to a moment.
    pub fn against(&self, fact: &Fact, moment: Timestamp) -> Order {
        match fact.time {
            Some(time) => apart(time, moment, slack(fact)),
            None => Order::Unsure,
        }
    }
}

/// By how much the time of a fact may be wrong.
fn slack(fact: &Fact) -> SignedDuration {
    // A day without an hour is the day's beginning.
    let day_alone = matches!(fact.statement, Statement::InstalledUpdate { .. })
        && fact.time.is_some_and(|time| time.as_second() % 86_400 == 0);
    match (&fact.zone, day_alone) {
        (Some(_), false) => SignedDuration::ZERO,
        (Some(_), true) => DAY,
        (None, false) => ZONE,
        (None, true) => ZONE + DAY,
    }
}

/// How `one` lies to `other` where they may be wrong by `slack` together.
fn apart(one: Timestamp, other: Timestamp, slack: SignedDuration) -> Order {
    let distance = one.duration_since(other);
    if distance.abs() <= slack {
        Order::Unsure
    } else if distance.is_negative() {
        Order::Before
    } else {
        Order::After
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
}
