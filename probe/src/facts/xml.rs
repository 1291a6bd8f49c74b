//! XML: `Export-Clixml` of the configuration, events as the event viewer saves them, and `gpresult`'s report. Entities of a document's own
//! are never expanded, and depth is bounded.

use std::io;

use memchr::{memchr_iter, memmem};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::config::{self, Configuration};
use super::decode::Source;
use super::event::{Entry, Events};
use super::gpresult::Report;
use super::prints::{Prints, Record};
use super::scan::Scanner;
use super::when::When;
use super::{Found, Kind, Statement, line_number, server, shown};

/// The deepest nesting that is followed.
const DEPTH: usize = 200;
/// The longest text that is kept of one element.
const TEXT: usize = 64 * 1024;

/// The longest export that is read, in bytes.
const EXPORT: u64 = 1024 * 1024 * 1024;
/// The longest event in bytes, and what it begins and ends with.
const LONGEST: usize = 1024 * 1024;
const BEGIN: &[u8] = b"<Event ";
const END: &[u8] = b"</Event>";

/// Whether `head` begins as one of them does.
pub(super) fn recognise(head: &str) -> bool {
    let head = head.trim_start();
    head.starts_with("<?xml")
        || head.starts_with("<Objs")
        || head.starts_with("<Events")
        || head.starts_with("<Event ")
        || head.starts_with("<Rsop")
        || head.starts_with("<GPO ")
        || head.starts_with("<!DOCTYPE")
}

/// One element on the way down.
#[derive(Default)]
struct Open {
    tag: String,
    /// CLIXML's `N`, or an event's `Name`.
    name: Option<String>,
    text: String,
    at: u64,
    children: bool,
}

/// Reads an XML document, or what of one there is at least; how long it is: what follows is none.
pub(super) fn read(text: &str, found: &mut Found, scanner: &mut Scanner, log: &mut Events) -> usize {
    let before = found.facts.len() + found.problems.len();
    let (size, known, broken) = take(text, 1, found, scanner, log);
    if found.facts.len() + found.problems.len() == before && !known {
        let expected = "a WSUS configuration, events or gpresult's report as XML";
        found.problem(None, expected, "XML of another kind".into());
    }
    // Where a damaged one ends is not known.
    if broken { text.len() } else { size }
}

/// Reads a document, or one event behind the other, with which `text` begins on line `first` of its file; how long it is
/// or, where nothing in it is known, how much of `text` was looked at.
pub(super) fn within(
    text: &str,
    first: u64,
    found: &mut Found,
    scanner: &mut Scanner,
    log: &mut Events,
) -> Result<usize, usize> {
    let (before, problems) = (found.facts.len(), found.problems.len());
    let (size, known, _) = take(text, first, found, scanner, log);
    if found.facts.len() == before && !known {
        found.problems.truncate(problems);
        return Err(size);
    }
    Ok(size)
}

/// How long a document is, whether it is of a kind that is known, and whether it is damaged.
fn take(
    text: &str,
    first: u64,
    found: &mut Found,
    scanner: &mut Scanner,
    log: &mut Events,
) -> (usize, bool, bool) {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut place = Place { text, at: 0, line: first };
    let mut size = text.len();
    let mut stack: Vec<Open> = Vec::new();
    let mut open = Configuration::default();
    let mut event: Option<Entry> = None;
    let mut objects = Objects::default();
    let mut report = Report::default();
    let (mut clixml, mut events, mut broken) = (false, false, false);
    loop {
        let line = place.line(reader.buffer_position());
        let next = match reader.read_event() {
            Ok(next) => next,
            Err(error) => {
                let line = place.line(reader.error_position());
                size = place.at + tags(&text[place.at..]);
                broken = true;
                found.problem(line_number(line), "well-formed XML", shown(&error.to_string(), 200));
                break;
            }
        };
        match next {
            Event::Start(tag) => {
                if stack.len() >= DEPTH {
                    found.problem(line_number(line), "XML that is at most 200 deep", "a deeper one".into());
                    size = place.at + tags(&text[place.at..]);
                    broken = true;
                    break;
                }
                if let Some(parent) = stack.last_mut() {
                    parent.children = true;
                }
                let element = element(&tag, line);
                match element.tag.as_str() {
                    "Objs" => clixml = true,
                    "Event" => {
                        events = true;
                        event = Some(Entry { line, ..Entry::default() });
                    }
                    _ => {}
                }
                event_tag(&tag, &element, &mut event);
                if clixml {
                    objects.start(&element);
                }
                report.start(stack.len(), &element.tag, line);
                stack.push(element);
            }
            Event::Empty(tag) => {
                let element = element(&tag, line);
                event_tag(&tag, &element, &mut event);
                if clixml {
                    objects.value(&element);
                }
                close(element, clixml, &mut open, &mut event, found);
            }
            Event::Text(bytes) => {
                if let Some(element) = stack.last_mut() {
                    push(&mut element.text, &bytes);
                }
            }
            Event::CData(bytes) => {
                if let Some(element) = stack.last_mut() {
                    push(&mut element.text, &bytes);
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(element) = stack.last_mut() {
                    push(&mut element.text, &resolved(&reference));
                }
            }
            Event::End(_) => {
                let Some(element) = stack.pop() else { continue };
                let ended = element.tag == "Event";
                if clixml {
                    objects.end(&element, found);
                }
                if report.seen {
                    let around = stack.iter().map(|open| open.tag.as_str());
                    let text = (!element.children).then_some(element.text.as_str());
                    report.end(around, stack.len(), &element.tag, text);
                }
                close(element, clixml, &mut open, &mut event, found);
                if ended && let Some(entry) = event.take() {
                    log.take(entry, scanner);
                }
                // Behind the last element there may be text of another kind.
                if stack.is_empty() {
                    let at = usize::try_from(reader.buffer_position()).unwrap_or(text.len()).min(text.len());
                    let rest = text[at..].trim_start();
                    if !rest.is_empty() && !rest.starts_with('<') {
                        size = at;
                        break;
                    }
                }
            }
            Event::Eof => {
                if !stack.is_empty() {
                    found.problem(
                        line_number(line),
                        "well-formed XML",
                        "its end before every element was closed".into(),
                    );
                }
                break;
            }
            _ => {}
        }
    }
    open.finish(found);
    objects.prints.finish(found, scanner);
    let known = report.seen || events;
    report.finish(found);
    if events {
        found.kind(Kind::Events);
    }
    (size, known, broken)
}

/// How many bytes of `text` are the rest of a line and lines that begin with a tag.
pub(super) fn tags(text: &str) -> usize {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().map_or(0, str::len);
    first + lines.take_while(|line| line.trim_start().starts_with('<')).map(str::len).sum::<usize>()
}

fn push(into: &mut String, text: &str) {
    if into.len() < TEXT {
        into.push_str(text);
    }
}

/// The five entities that XML has itself, and characters by number; any other stays as it is written.
fn resolved(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return c.to_string();
    }
    match &**reference {
        "amp" => "&".into(),
        "lt" => "<".into(),
        "gt" => ">".into(),
        "quot" => "\"".into(),
        "apos" => "'".into(),
        other => format!("&{};", shown(other, 40)),
    }
}

fn element(tag: &BytesStart<'_>, at: u64) -> Open {
    let tag_name = tag.local_name().into_inner().to_string();
    Open {
        tag: tag_name,
        name: attribute(tag, "N").or_else(|| attribute(tag, "Name")),
        at,
        ..Open::default()
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.attributes().flatten().take(64).find(|attribute| attribute.key.as_ref() == name)?;
    Some(found.value.into_owned())
}

fn event_tag(tag: &BytesStart<'_>, element: &Open, event: &mut Option<Entry>) {
    let Some(event) = event else { return };
    match element.tag.as_str() {
        "TimeCreated" => {
            event.when = attribute(tag, "SystemTime").and_then(|time| time.parse().ok()).map(When::utc);
        }
        "Provider" => event.provider = element.name.clone().unwrap_or_default(),
        _ => {}
    }
}

fn close(
    element: Open,
    clixml: bool,
    open: &mut Configuration,
    event: &mut Option<Entry>,
    found: &mut Found,
) {
    let line = line_number(element.at);
    let text = element.text.trim();
    if let Some(event) = event {
        match element.tag.as_str() {
            "EventID" => event.id = text.parse().ok(),
            "Computer" => event.computer = text.to_string(),
            // A message in words says what the strings say and more; it comes last.
            "Message" => event.text = text.to_string(),
            "System" | "EventData" | "UserData" | "Event" | "Provider" | "Binary" | "RenderingInfo" => {}
            "EventRecordID" | "Correlation" | "Execution" | "Security" => {}
            "Level" | "Task" | "Opcode" | "Keywords" | "Keyword" | "Channel" | "Version" => {}
            name if !element.children && !text.is_empty() && event.named.len() < 32 => {
                if event.text.len() < TEXT {
                    if !event.text.is_empty() {
                        event.text.push(' ');
                    }
                    event.text.push_str(text);
                }
                let name = element.name.as_deref().unwrap_or(name);
                event.named.push((name.to_string(), text.to_string()));
            }
            _ => {}
        }
    }
    let Some(name) = element.name.filter(|_| clixml) else { return };
    if config::is_property(&name) {
        // `Nil` closes without a text; an object in a value's place is no value.
        let value = if element.children { "(an object)" } else { text };
        let value = match (element.tag.as_str(), value) {
            ("B", "true") => "True",
            ("B", "false") => "False",
            (_, value) => value,
        };
        open.take(found, line, &name, value);
    } else if element.tag == "Version" && name == "Version" && server::is_version(text) {
        found.kind(Kind::ServerVersion);
        found.fact(line, None, Statement::ServerVersion { version: text.to_string() });
    }
}

/// Reads the events of an export that is longer than a document may be, one at a time, from its beginning `text` to the end
/// of `source`. One that cannot be read costs itself alone.
pub(super) fn long_export(
    text: String,
    source: &mut Source<'_>,
    found: &mut Found,
    scanner: &mut Scanner,
    log: &mut Events,
) -> io::Result<()> {
    found.kind(Kind::Events);
    let mut ahead = text.into_bytes();
    let (mut line, mut unread, mut first_unread) = (1, 0_u64, None);
    let mut read = 0;
    loop {
        let mut taken = 0;
        while let Some((begin, end)) = next_event(&ahead[taken..]) {
            let (begin, end) = (taken + begin, taken + end);
            line += memchr_iter(b'\n', &ahead[taken..begin]).count() as u64;
            match std::str::from_utf8(&ahead[begin..end]).ok().and_then(event) {
                Some(entry) => log.take(Entry { line, ..entry }, scanner),
                None => {
                    unread += 1;
                    first_unread.get_or_insert(line);
                }
            }
            line += memchr_iter(b'\n', &ahead[begin..end]).count() as u64;
            taken = end;
        }
        if ahead.len() - taken > LONGEST {
            // What does not end within that is none: only its last bytes may begin another one.
            unread += 1;
            first_unread.get_or_insert(line);
            let end = ahead.len() - BEGIN.len();
            line += memchr_iter(b'\n', &ahead[taken..end]).count() as u64;
            taken = end;
        }
        ahead.drain(..taken);
        read += taken as u64;
        if read > EXPORT {
            found.problem(line_number(line), "an export of at most 1 GiB", "a larger one".into());
            break;
        }
        if !source.more(&mut ahead)? {
            break;
        }
    }
    if let Some(line) = first_unread {
        found.problem(line_number(line), "well-formed XML", format!("{unread} events that are not"));
    }
    Ok(())
}

/// Where the next whole event begins and ends.
fn next_event(bytes: &[u8]) -> Option<(usize, usize)> {
    let begin = memmem::find(bytes, BEGIN)?;
    let end = begin + memmem::find(&bytes[begin..], END)? + END.len();
    Some((begin, end))
}

/// The first event in an XML text; none where there is none that can be read.
pub(super) fn event(text: &str) -> Option<Entry> {
    let mut reader = Reader::from_str(text);
    let mut stack: Vec<Open> = Vec::new();
    let mut event: Option<Entry> = None;
    let (mut open, mut found) = (Configuration::default(), Found::default());
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                if stack.len() >= DEPTH {
                    return None;
                }
                if let Some(parent) = stack.last_mut() {
                    parent.children = true;
                }
                let element = element(&tag, 0);
                if element.tag == "Event" {
                    event = Some(Entry::default());
                }
                event_tag(&tag, &element, &mut event);
                stack.push(element);
            }
            Event::Empty(tag) => event_tag(&tag, &element(&tag, 0), &mut event),
            Event::Text(bytes) => stack.last_mut().into_iter().for_each(|open| push(&mut open.text, &bytes)),
            Event::CData(bytes) => stack.last_mut().into_iter().for_each(|open| push(&mut open.text, &bytes)),
            Event::GeneralRef(reference) => {
                stack.last_mut().into_iter().for_each(|open| push(&mut open.text, &resolved(&reference)));
            }
            Event::End(_) => {
                let element = stack.pop()?;
                if element.tag == "Event" {
                    return event;
                }
                close(element, false, &mut open, &mut event, &mut found);
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// The objects of CLIXML that are open, each with what it has so far.
#[derive(Default)]
struct Objects {
    open: Vec<(Record, Option<String>)>,
    prints: Prints,
}

impl Objects {
    fn start(&mut self, element: &Open) {
        if element.tag == "Obj" {
            self.open.push((Record::new(line_number(element.at)), None));
        }
    }

    /// Takes an element that holds a text.
    fn value(&mut self, element: &Open) {
        let Some((record, own)) = self.open.last_mut() else { return };
        let text = match element.tag.as_str() {
            "B" if element.text.trim() == "true" => "True",
            "B" if element.text.trim() == "false" => "False",
            _ => element.text.trim(),
        };
        match &element.name {
            Some(name) if !element.children => record.add(line_number(element.at), name, text),
            // What an enumeration calls its value.
            None if element.tag == "ToString" => *own = Some(text.to_string()),
            _ => {}
        }
    }

    fn end(&mut self, element: &Open, found: &mut Found) {
        if element.tag != "Obj" {
            return self.value(element);
        }
        let Some((record, own)) = self.open.pop() else { return };
        self.prints.record(&record, found);
        if let (Some((parent, _)), Some(name), Some(own)) = (self.open.last_mut(), &element.name, own) {
            parent.add(line_number(element.at), name, &own);
        }
    }
}

/// Lines by position, counted on.
struct Place<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Place<'_> {
    fn line(&mut self, position: u64) -> u64 {
        let to = usize::try_from(position).unwrap_or(usize::MAX).min(self.text.len());
        if to > self.at {
            self.line += memchr::memchr_iter(b'\n', &self.text.as_bytes()[self.at..to]).count() as u64;
            self.at = to;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::{Sniffed, sniff};
    use super::*;
    use crate::facts::SyncEvent;

    fn one(id: u32, second: usize) -> String {
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider \
             Name='Windows Server Update Services'/><EventID>{id}</EventID><TimeCreated \
             SystemTime='2026-06-15T{:02}:{:02}:{:02}Z'/></System><EventData><Data>Text</Data></EventData></Event>\n",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }

    #[test]
    fn a_long_export_is_read_to_its_last_event() {
        let mut text = String::from("<?xml version='1.0'?><Events>\n");
        for second in 0..2000 {
            text.push_str(&one(386, second));
        }
        text.push_str("<Event broken='<'></Event>\n");
        text.push_str(&"<Event never='".repeat(3));
        text.push_str(&"x".repeat(2 * LONGEST));
        text.push_str(&one(384, 7200));
        text.push_str("</Events>\n");
        let Ok(Sniffed::Text(mut source, _)) = sniff(Box::new(text.as_bytes())) else { panic!("text") };
        let (first, over) = source.first(1000).expect("readable");
        assert!(over && first.len() < text.len());
        let (mut found, mut scanner, mut log) = (Found::default(), Scanner::default(), Events::default());
        long_export(first, &mut source, &mut found, &mut scanner, &mut log).expect("readable");
        scanner.finish(0, &mut found);
        log.finish(&mut found);
        let succeeded = found
            .facts
            .iter()
            .find(|fact| matches!(fact.statement, Statement::LogSync { event: SyncEvent::Succeeded, .. }));
        let succeeded = succeeded.expect("the last event");
        assert_eq!(succeeded.line, Some(2003));
        assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
        assert_eq!(found.problems[0].line, Some(2002));
    }
}
