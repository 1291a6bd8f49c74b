//! Times as files write them, and the zone that they name.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use regex::Regex;

/// A time and what the file says of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct When {
    /// The time; read as if it were UTC where the zone is not told.
    pub(super) time: Timestamp,
    /// Its zone.
    pub(super) zone: Zone,
}

/// A zone as a file names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Zone {
    Utc,
    /// So many minutes east of UTC.
    East(i16),
    /// Somebody's local time.
    Untold,
}

impl Zone {
    /// As facts name it.
    pub(super) fn name(self) -> Option<String> {
        match self {
            Zone::Utc => Some("UTC".into()),
            Zone::East(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.unsigned_abs();
                Some(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
            }
            Zone::Untold => None,
        }
    }
}

impl When {
    /// A time in UTC.
    pub(super) fn utc(time: Timestamp) -> Self {
        When { time, zone: Zone::Utc }
    }

    /// A time in a zone by the name that facts have for it.
    pub(super) fn named(time: Timestamp, zone: Option<&str>) -> Self {
        let east = |zone: &str| {
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let minutes = hours.parse::<i16>().ok()?.checked_mul(60)?.checked_add(minutes.parse().ok()?)?;
            Some(Zone::East(if zone.starts_with('-') { -minutes } else { minutes }))
        };
        let zone = match zone {
            Some("UTC") => Zone::Utc,
            Some(zone) => east(zone).unwrap_or(Zone::Untold),
            None => Zone::Untold,
        };
        When { time, zone }
    }

    /// A civil time so many minutes east of UTC.
    pub(super) fn east(civil: DateTime, minutes: i16) -> Option<Self> {
        let offset = Offset::from_seconds(i32::from(minutes) * 60).ok()?;
        Some(When { time: offset.to_timestamp(civil).ok()?, zone: Zone::East(minutes) })
    }

    /// A civil time of nobody knows where.
    fn untold(civil: DateTime) -> Option<Self> {
        Some(When { time: Offset::UTC.to_timestamp(civil).ok()?, zone: Zone::Untold })
    }
}

/// Whether the day or the month comes first between strokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Day,
    Month,
}

static STROKES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(\d{1,2})/(\d{1,2})/\d{4} \d{1,2}:\d\d").expect("fixed pattern"));
static WRITTEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(\d{1,4})([-./])(\d{1,2})[-./](\d{1,4})[T ,]{1,2}(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?[ \u{a0}\u{202f}]?([AaPp]\.?[Mm]\.?)?(Z|UTC|[+-]\d\d:?\d\d)?$",
    )
    .expect("fixed pattern")
});

/// What the dates in a text say of their order. AM and PM say nothing of it: not only the United States write them.
pub(super) fn order(text: &str) -> Option<Order> {
    STROKES.captures_iter(text).take(2000).find_map(|found| {
        let number = |at: usize| found[at].parse::<u8>().unwrap_or_default();
        if number(1) > 12 {
            Some(Order::Day)
        } else if number(2) > 12 {
            Some(Order::Month)
        } else {
            // One zero alone: a day without, and a month with its zero.
            (!found[1].starts_with('0') && found[2].starts_with('0')).then_some(Order::Day)
        }
    })
}

/// A time as Windows writes it. A date that may be read in two ways is none, unless `order` tells.
pub(super) fn written(text: &str, order: Option<Order>) -> Option<When> {
    let text = text.trim().trim_matches(['\u{200e}', '\u{200f}']);
    if text.len() > 60 {
        return None;
    }
    let found = WRITTEN.captures(text)?;
    let number = |at: usize| found.get(at).map_or(Some(0), |part| part.as_str().parse::<i16>().ok());
    let (a, b, c) = (number(1)?, number(3)?, number(4)?);
    let (year, month, day) = match (found[1].len(), &found[2]) {
        (4, _) => (a, b, c),
        (_, _) if found[4].len() != 4 => return None,
        (_, "/") if a > 12 => (c, b, a),
        (_, "/") if b > 12 => (c, a, b),
        (_, "/") if a == b => (c, a, b),
        (_, "/") => match order? {
            Order::Day => (c, b, a),
            Order::Month => (c, a, b),
        },
        _ => (c, b, a),
    };
    let mut hour = number(5)?;
    if let Some(half) = found.get(9) {
        let afternoon = half.as_str().starts_with(['p', 'P']);
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    let fraction = found.get(8).map_or("", |part| part.as_str());
    let nano = format!("{fraction:0<9}").parse::<i32>().ok()?;
    let small = |value: i16| i8::try_from(value).ok();
    let civil = DateTime::new(
        year,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(number(6)?)?,
        small(number(7)?)?,
        nano,
    )
    .ok()?;
    match found.get(10).map(|zone| zone.as_str()) {
        Some("Z" | "UTC") => Some(When::utc(Offset::UTC.to_timestamp(civil).ok()?)),
        Some(east) => {
            let digits: String = east[1..].chars().filter(char::is_ascii_digit).collect();
            let minutes: i16 = digits[..2].parse::<i16>().ok()? * 60 + digits[2..].parse::<i16>().ok()?;
            When::east(civil, if east.starts_with('-') { -minutes } else { minutes })
        }
        None => When::untold(civil),
    }
}

/// How far a log's clock may go back between two lines: threads write a little out of order.
const BACK: i64 = 3600;
/// The most jumps that are kept.
const JUMPS: usize = 64;

/// Looks for a clock that goes back.
#[derive(Default)]
pub(super) struct Clock {
    last: Option<Timestamp>,
    /// The line below each jump, its time, and the time above.
    pub(super) jumps: Vec<(u64, When, Timestamp)>,
}

impl Clock {
    /// Takes the time of the next line.
    pub(super) fn take(&mut self, line: u64, when: When) {
        if let Some(last) = self.last {
            self.back(line, last, when);
        }
        self.last = Some(when.time);
    }

    /// Takes a line whose time may be before that of the one above.
    pub(super) fn back(&mut self, line: u64, above: Timestamp, when: When) {
        let back = above.as_second().saturating_sub(when.time.as_second());
        if back > BACK && self.jumps.len() < JUMPS {
            self.jumps.push((line, when, above));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, order: Option<Order>) -> Option<(String, Option<String>)> {
        written(text, order).map(|when| (when.time.to_string(), when.zone.name()))
    }

    #[test]
    fn a_date_that_can_be_read_in_two_ways_is_none() {
        assert_eq!(read("3/4/2026 6:00:14 AM", None), None);
        let time = |text: &str| Some((text.to_string(), None));
        assert_eq!(read("3/4/2026 6:00:14 PM", Some(Order::Month)), time("2026-03-04T18:00:14Z"));
        assert_eq!(read("03/04/2026 06:00:14", Some(Order::Day)), time("2026-04-03T06:00:14Z"));
        assert_eq!(read("25/04/2026 06:00:14", None), time("2026-04-25T06:00:14Z"));
        assert_eq!(read("04.03.2026 06:00:14", None), time("2026-03-04T06:00:14Z"));
        assert_eq!(read("2026-03-04 06:00:14", None), time("2026-03-04T06:00:14Z"));
        assert_eq!(read("12/12/2026 12:00:14 AM", None), time("2026-12-12T00:00:14Z"));
        assert_eq!(read("40.03.2026 06:00:14", None), None);
    }

    #[test]
    fn a_zone_is_kept() {
        let utc = Some(("2026-03-04T05:00:14.5Z".to_string(), Some("UTC".to_string())));
        assert_eq!(read("2026-03-04T05:00:14.5000000Z", None), utc);
        let east = Some(("2026-03-04T05:00:14Z".to_string(), Some("+01:00".to_string())));
        assert_eq!(read("2026-03-04T06:00:14+01:00", None), east);
    }

    #[test]
    fn the_order_is_told_by_any_date_that_tells_it() {
        assert_eq!(order("x 3/4/2026 6:00\n13/4/2026 6:00"), Some(Order::Day));
        // Australia, New Zealand and Singapore write so too, by version.
        assert_eq!(order("3/4/2026 6:00:14 AM"), None);
        assert_eq!(order("3/4/2026 6:00:14 AM\n3/14/2026 6:00:14 AM"), Some(Order::Month));
        assert_eq!(order("4/03/2026 6:00:14 AM"), Some(Order::Day));
        assert_eq!(order("03/04/2026 06:00:14"), None);
    }
}
