//! Events as text: what the Event Viewer copies, and what PowerShell prints as a list. Labels are in the language of
//! Windows, their order is not.

use std::sync::LazyLock;

use regex::Regex;

use super::event::{Entry, Events, WSUS, matters};
use super::list::{Item, Page};
use super::scan::Scanner;
use super::when::{Order, When, written};
use super::wrapping::{behind_prompt, is_prompt};

/// How many lines a message may have.
const LINES: usize = 500;

/// Where copied events go.
pub(super) struct Copied<'a> {
    pub(super) events: &'a mut Events,
    order: Option<Order>,
}

/// The source that a table's width has cut, where only one is it.
fn uncut(source: &str) -> &str {
    match source.strip_suffix("...").or(source.strip_suffix('\u{2026}')) {
        Some(begin) if begin.len() > "Windows Server ".len() && WSUS.starts_with(begin) => WSUS,
        _ => source,
    }
}

/// Whether a message, which a table's width may have cut, is that of WSUS' event of this number.
fn says(id: u32, message: &str) -> bool {
    const MESSAGES: [(u32, &str); 5] = [
        (381, "A scheduled synchronization was started"),
        (382, "A manual synchronization was started"),
        (384, "Synchronization completed successfully"),
        (386, "Synchronization failed"),
        (10022, "The last catalog synchronization attempt was unsuccessful"),
    ];
    let begin =
        message.strip_suffix("...").or(message.strip_suffix('\u{2026}')).filter(|begin| begin.len() >= 16);
    MESSAGES.iter().any(|(known, text)| {
        *known == id && (message.starts_with(text) || begin.is_some_and(|begin| text.starts_with(begin)))
    })
}

/// What stands above each event that wevtutil prints as text.
static COUNTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s{0,8}Event\[\d{1,9}\]:?\s*$").expect("fixed pattern"));

/// A label and its value.
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s{0,8}(\p{L}[^:\r\n]{0,40}?)[ \u{a0}]?:\s*(\S.*?)?\s*$").expect("fixed pattern")
});
static SYSTEM_TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"SystemTime=["']([^"']{10,40})["']"#).expect("fixed pattern"));

impl<'a> Copied<'a> {
    /// Events go to `events`; dates are read in `order` where that is told.
    pub(super) fn new(events: &'a mut Events, order: Option<Order>) -> Self {
        Copied { events, order }
    }

    /// Whether the day or the month stands first in this file's dates, where that is told.
    pub(super) fn order(&self) -> Option<Order> {
        self.order
    }

    /// Takes the events on a page.
    pub(super) fn read(&mut self, page: &mut Page, items: &[Item], scanner: &mut Scanner) {
        self.lists(page, items, scanner);
        self.tables(page, scanner);
        self.indexed(page, scanner);
        self.rows(page, scanner);
        self.copies(page, scanner);
    }

    /// `Get-WinEvent` as PowerShell prints it: a table for each provider, the newest event first. Its messages are cut off
    /// at the console's edge; the number tells what they say.
    fn tables(&mut self, page: &mut Page, scanner: &mut Scanner) {
        let mut provider = String::new();
        let mut at = 0;
        while at + 2 < page.lines.len() {
            let line = &page.lines[at];
            if let Some(name) = line.trim_start().strip_prefix("ProviderName:") {
                provider = name.trim().to_string();
            }
            let columns = ["TimeCreated", "LevelDisplayName", "Message"].map(|name| line.find(name));
            let [Some(0), Some(level), Some(message)] = columns else {
                at += 1;
                continue;
            };
            if provider.is_empty() || line.len() > 400 || !page.lines[at + 1].starts_with("---") {
                at += 1;
                continue;
            }
            let head = at;
            at += 2;
            while at < page.lines.len() && !page.lines[at].trim().is_empty() && !page.claimed[at] {
                if let Some(entry) = self.row(page, at, &provider, level, message)
                    && matters(&provider)
                {
                    self.events.take(entry, scanner);
                }
                at += 1;
            }
            page.claim(head, at - 1);
        }
    }

    /// A row of such a table: the number stands before the level, right under its heading's end.
    fn row(&self, page: &Page, at: usize, provider: &str, level: usize, message: usize) -> Option<Entry> {
        let line = &page.lines[at];
        let (before, text) = (line.get(..level)?, line.get(message..)?);
        let (time, id) = before.trim_end().rsplit_once(char::is_whitespace)?;
        Some(Entry {
            line: page.number(at),
            id: Some(id.parse().ok()?),
            provider: provider.to_string(),
            when: written(time.trim(), self.order),
            computer: String::new(),
            text: text.trim_end().to_string(),
            named: Vec::new(),
        })
    }

    /// `Get-EventLog` as PowerShell prints it. Its times have no year, so that they are none; the index counts upwards, and
    /// of the runs that ended the one with the highest is the last: of those before it nothing is said, because
    /// nothing would tell when they were.
    fn indexed(&mut self, page: &mut Page, scanner: &mut Scanner) {
        const HEADING: [&str; 6] = ["Index", "Time", "EntryType", "Source", "InstanceID", "Message"];
        static ROW: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^\s*(\d{1,10})\s+\S.{4,20}?\d\d[:.]\d\d\s+\S+\s+(\S.*?)\s+(\d{1,10})\s(.*)$")
                .expect("fixed pattern")
        });
        let mut at = 0;
        while at + 2 < page.lines.len() {
            let head = page.claimed[at]
                || page.lines[at].len() > 400
                || !page.lines[at].split_whitespace().eq(HEADING)
                || !page.lines[at + 1].trim_start().starts_with("---");
            if head {
                at += 1;
                continue;
            }
            let head = at;
            at += 2;
            let mut rows: Vec<(u64, Entry)> = Vec::new();
            while at < page.lines.len() && !page.claimed[at] {
                let Some(found) = ROW.captures(&page.lines[at]) else { break };
                let number = |group: usize| found[group].parse::<u64>().unwrap_or_default();
                rows.push((
                    number(1),
                    Entry {
                        line: page.number(at),
                        // The high half marks whose number it is.
                        id: u32::try_from(number(3) & 0xFFFF).ok(),
                        provider: uncut(&found[2]).to_string(),
                        text: found[4].trim_end().to_string(),
                        ..Entry::default()
                    },
                ));
                at += 1;
            }
            page.claim(head, at - 1);
            rows.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
            let mut ended = false;
            for (_, entry) in rows {
                let step = entry.provider == WSUS && matches!(entry.id, Some(381 | 382 | 384 | 386));
                if !(step && ended) && matters(&entry.provider) {
                    ended |= step && matches!(entry.id, Some(384 | 386));
                    self.events.take(entry, scanner);
                }
            }
        }
    }

    /// Rows of such a table without the line that names their source, and of the Event Viewer's, parted by tabs. Whose a row is
    /// the command above it tells, or its own words beside its number; where neither does it is no event.
    fn rows(&mut self, page: &mut Page, scanner: &mut Scanner) {
        static ROW: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r"^ {0,4}(\d{1,4}[-./]\d{1,2}[-./]\d{1,4} \d{1,2}:\d\d(?::\d\d)?(?:[ \u{a0}\u{202f}]?[AaPp]\.?[Mm]\.?)?) +(\d{1,5}) +(?:(?:Critical|Error|Warning|Information|Verbose) +)?(\S.*)$",
            )
            .expect("fixed pattern")
        });
        static ASKED: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(&format!(
                r#"(?i)\bGet-WinEvent\b.*\bProviderName\s*[=\s]\s*["']{WSUS}["']\s*(?:[;}}|-]|$)"#
            ))
            .expect("fixed pattern")
        });
        let mut asked = false;
        for at in 0..page.lines.len() {
            let line = &page.lines[at];
            if page.claimed[at] || line.len() > 4000 {
                continue;
            }
            if let Some(command) = behind_prompt(line) {
                asked = command.contains("Get-WinEvent") && ASKED.is_match(command);
                continue;
            }
            let entry = match (line.contains('\t'), ROW.captures(line)) {
                (true, _) => self.parted(page, at),
                (_, Some(found)) => {
                    let (id, text) = (found[2].parse().ok(), found[3].trim_end().to_string());
                    let ours = asked || id.is_some_and(|id| says(id, &text));
                    ours.then(|| Entry {
                        line: page.number(at),
                        id,
                        provider: WSUS.to_string(),
                        when: written(&found[1], self.order),
                        text,
                        ..Entry::default()
                    })
                }
                _ => None,
            };
            let Some(entry) = entry else { continue };
            self.events.take(entry, scanner);
            // The dashes above it, and the names of the columns above these.
            let dashes = |at: usize| {
                let line = page.lines[at].trim();
                line.starts_with("--") && line.bytes().all(|byte| matches!(byte, b'-' | b' '))
            };
            let named = |at: usize| page.lines[at].trim_start().starts_with("TimeCreated");
            let mut from = at;
            if from > 0 && dashes(from - 1) {
                from -= 1;
                from -= usize::from(from > 0 && named(from - 1));
            }
            page.claim(from, at);
        }
    }

    /// A row that the Event Viewer copies: level, date, source, number, category, parted by tabs.
    fn parted(&self, page: &Page, at: usize) -> Option<Entry> {
        let cells: Vec<&str> = page.lines[at].splitn(6, '\t').map(str::trim).collect();
        let [_, date, source, id, category, ..] = cells[..] else { return None };
        written(date, Some(self.order.unwrap_or(Order::Day)))
            .or_else(|| written(date, Some(Order::Month)))?;
        Some(Entry {
            line: page.number(at),
            id: Some(id.parse().ok()?),
            provider: Some(source).filter(|source| matters(source))?.to_string(),
            when: written(date, self.order),
            text: cells.get(5).unwrap_or(&category).to_string(),
            ..Entry::default()
        })
    }

    /// `Get-WinEvent | Format-List` and `Get-EventLog | Format-List`: the number tells what the message says.
    fn lists(&mut self, page: &mut Page, items: &[Item], scanner: &mut Scanner) {
        for event in items.chunk_by(|one, next| one.list == next.list) {
            let value = |name: &str| event.iter().find(|item| item.name.eq_ignore_ascii_case(name));
            let Some(provider) = value("ProviderName").or(value("Source")) else { continue };
            let id = value("Id").or(value("EventID")).or(value("InstanceId"));
            let (Some(id), Some(message)) = (id.and_then(|item| item.value.parse().ok()), value("Message"))
            else {
                continue;
            };
            if event.iter().any(|item| page.claimed[item.at]) {
                continue;
            }
            // Of others nothing is used either: their text is no word of synchronization.
            if matters(&provider.value) {
                let time = value("TimeCreated").or(value("TimeGenerated"));
                let computer = value("MachineName").map_or("", |item| &item.value);
                let entry = Entry {
                    line: page.number(message.at),
                    id: Some(id),
                    provider: provider.value.clone(),
                    when: time.and_then(|item| written(&item.value, self.order)),
                    computer: computer.to_string(),
                    text: message.value.clone(),
                    named: Vec::new(),
                };
                self.events.take(entry, scanner);
            }
            for item in event {
                page.claim(item.at, item.last);
            }
        }
    }

    /// What "Copy details as text" gives: log, source, date, number, category, level, keywords, user, computer, and the
    /// description below its label.
    fn copies(&mut self, page: &mut Page, scanner: &mut Scanner) {
        let mut at = 0;
        while at + 9 < page.lines.len() {
            match self.copy(page, at) {
                Some((entry, last)) => {
                    if matters(&entry.provider) {
                        self.events.take(entry, scanner);
                    }
                    page.claim(at, last);
                    at = last + 1;
                }
                None => at += 1,
            }
        }
    }

    fn copy(&self, page: &Page, at: usize) -> Option<(Entry, usize)> {
        // Cheap first: the fourth line ends with a number.
        if page.claimed[at] || !page.lines[at + 3].trim_end().ends_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let mut values: [String; 9] = Default::default();
        for (value, line) in values.iter_mut().zip(&page.lines[at..at + 9]) {
            let found = LABEL.captures(line)?;
            *value = found.get(2).map_or_else(String::new, |found| found.as_str().to_string());
        }
        let [_, provider, date, id, _, _, _, _, mut computer] = values;
        let id = id.parse().ok()?;
        // A date that can be read in two ways is a date all the same.
        written(&date, Some(self.order.unwrap_or(Order::Day)))
            .or_else(|| written(&date, Some(Order::Month)))?;
        let mut head = at + 9;
        if let Some(name) = named_user(page, at) {
            (computer, head) = (name, at + 11);
        }
        let label = LABEL.captures(page.lines.get(head)?)?;
        let mut text = label.get(2).map_or_else(String::new, |rest| rest.as_str().to_string());
        let (mut last, mut next) = (head, head + 1);
        let mut when = written(&date, self.order);
        let mut xml = false;
        while next < page.lines.len() && next - at < LINES && !page.claimed[next] {
            let line = page.lines[next].as_str();
            if line.trim_start().starts_with("<Event ") {
                xml = true;
            }
            if xml {
                if let Some(found) = SYSTEM_TIME.captures(line) {
                    when = found[1].parse().ok().map(When::utc).or(when);
                }
                last = next;
                if line.contains("</Event>") {
                    break;
                }
            } else if self.starts(page, next) || COUNTED.is_match(line) {
                break;
            } else if !line.trim().is_empty() {
                // "Event Xml:" in any language, before the XML itself.
                let before_xml = page.lines.get(next + 1).is_some_and(|line| line.starts_with("<Event "));
                if !before_xml {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(line);
                }
                last = next;
            }
            next += 1;
        }
        let line = page.number(at);
        Some((Entry { line, id: Some(id), provider, when, computer, text, named: Vec::new() }, last))
    }

    /// Which lines of a page are copies' own, from and to: up to the first empty line or prompt, and the XML that a label
    /// announces. What follows may be the description still, but as well be what the server printed.
    pub(super) fn quoted(&self, page: &Page) -> Vec<(usize, usize)> {
        let (mut ranges, mut at) = (Vec::new(), 0);
        while at + 9 < page.lines.len() {
            let Some((_, last)) = self.copy(page, at) else {
                at += 1;
                continue;
            };
            let lines = &page.lines[at..=last];
            let held = |line: &String| !line.trim().is_empty() && !is_prompt(line);
            let own = 10 + lines.iter().skip(10).take_while(|line| held(line)).count();
            ranges.push((at, last.min(at + own - 1)));
            let xml = lines.iter().position(|line| line.trim_start().starts_with("<Event "));
            if let Some(xml) = xml
                && lines[..xml].iter().rfind(|line| held(line)).is_some_and(|label| label.ends_with(':'))
            {
                ranges.push((at + xml, last));
            }
            at = last + 1;
        }
        ranges
    }

    /// Whether another copy begins there.
    fn starts(&self, page: &Page, at: usize) -> bool {
        let Some(lines) = page.lines.get(at..at + 9) else { return false };
        let Some(id) =
            LABEL.captures(&lines[3]).and_then(|found| found.get(2).map(|id| id.as_str().to_string()))
        else {
            return false;
        };
        id.parse::<u32>().is_ok() && lines.iter().all(|line| LABEL.is_match(line))
    }
}

/// The computer where wevtutil prints the event: it has an operation's code and the user's name besides, and all its
/// labels stand below the event's number, or at least to the right of the description.
fn named_user(page: &Page, at: usize) -> Option<String> {
    let counted = at > 0 && COUNTED.is_match(&page.lines[at - 1]);
    let value = |line: &String| {
        let found = LABEL.captures(line)?;
        Some(found.get(2).map_or_else(String::new, |value| value.as_str().to_string()))
    };
    let lines = page.lines.get(at + 9..at + 12)?;
    let (user, computer, _) = (value(&lines[0])?, value(&lines[1])?, value(&lines[2])?);
    let indented = lines.iter().all(|line| line.starts_with([' ', '\t']));
    let is_name = !computer.is_empty() && !computer.contains(char::is_whitespace);
    ((counted || indented && !user.is_empty()) && is_name).then_some(computer)
}
