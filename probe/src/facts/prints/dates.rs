//! Dates as consoles print them. `6/7/2026` has two readings; which is meant is told by another date of the same file,
//! in which one number is greater than 12, or not at all.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use regex::{Captures, Regex};

/// How the dates of one file are written, as far as they tell.
#[derive(Default)]
pub(super) struct Dates {
    day_first: bool,
    month_first: bool,
}

/// The parts of a date: with the year first, or three numbers of which the last is the year.
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(\d{1,4})([./\-])\s?(\d{1,2})[./\-]\s?(\d{1,4})\.?(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?(?:\s?([AaPp])\.?\s?[Mm]\.?)?\s?(Z|[+-]\d\d:?\d\d)?)?$",
    )
    .expect("fixed pattern")
});
static JSON: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\\?/Date\((-?\d{1,15})(?:[+-]\d{4})?\)\\?/$").expect("fixed pattern"));

/// A date without the blanks and marks that newer consoles put between its parts.
fn plain(text: &str) -> String {
    text.trim()
        .chars()
        .take(60)
        .filter(|c| !matches!(c, '\u{200e}' | '\u{200f}'))
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .collect()
}

fn number(found: &Captures<'_>, at: usize) -> Option<i16> {
    found.get(at)?.as_str().parse().ok()
}

impl Dates {
    /// Learns from a date how the others of its file are written.
    pub(super) fn learn(&mut self, text: &str) {
        let text = plain(text);
        let Some(found) = DATE.captures(&text) else { return };
        if found[1].len() > 2 || &found[2] == "." {
            return;
        }
        let (first, second) = (number(&found, 1), number(&found, 3));
        self.day_first |= first.is_some_and(|number| number > 12);
        self.month_first |= second.is_some_and(|number| number > 12);
    }

    /// The moment that a date names, with its zone where it names one; nothing where it has two readings.
    pub(super) fn read(&self, text: &str) -> Option<(Timestamp, Option<String>)> {
        let text = plain(text);
        if let Some(found) = JSON.captures(&text) {
            let time = Timestamp::from_millisecond(found[1].parse().ok()?).ok()?;
            return (time > Timestamp::UNIX_EPOCH).then(|| (time, Some("UTC".to_string())));
        }
        let found = DATE.captures(&text)?;
        let (first, second, third) = (number(&found, 1)?, number(&found, 3)?, number(&found, 4)?);
        let (year, month, day) = match (&found[2], found[1].len(), found[4].len()) {
            (_, 4, 1..=2) => (first, second, third),
            // A point stands in no date that begins with its month.
            (".", 1..=2, 4) => (third, second, first),
            (_, 1..=2, 4) if first == second || first > 12 => (third, second, first),
            (_, 1..=2, 4) if second > 12 => (third, first, second),
            (_, 1..=2, 4) => match (self.day_first, self.month_first) {
                (true, false) => (third, second, first),
                (false, true) => (third, first, second),
                _ => return None,
            },
            _ => return None,
        };
        let (mut hour, minute) = (number(&found, 5).unwrap_or(0), number(&found, 6).unwrap_or(0));
        match found.get(8).map(|half| half.as_str().to_ascii_lowercase()).as_deref() {
            Some(_) if !(1..=12).contains(&hour) => return None,
            Some("p") => hour = hour % 12 + 12,
            Some(_) => hour %= 12,
            None => {}
        }
        // What .NET prints of a date that is not set.
        if year < 1990 {
            return None;
        }
        let small = |number: i16| i8::try_from(number).ok();
        let second = small(number(&found, 7).unwrap_or(0))?;
        let civil =
            DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, second, 0).ok()?;
        let written = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let Some(zone) = found.get(9).map(|zone| zone.as_str()) else { return Some((written, None)) };
        if zone == "Z" {
            return Some((written, Some("UTC".to_string())));
        }
        let digits = |from: usize| zone.get(from..from + 2).and_then(|two| two.parse::<i64>().ok());
        let (hours, minutes) = (digits(1)?, digits(zone.len() - 2)?);
        if hours > 14 || minutes > 59 {
            return None;
        }
        let ahead = (hours * 60 + minutes) * if zone.starts_with('-') { -60 } else { 60 };
        let time = Timestamp::from_second(written.as_second() - ahead).ok()?;
        Some((time, Some(format!("{}{hours:02}:{minutes:02}", &zone[..1]))))
    }
}
