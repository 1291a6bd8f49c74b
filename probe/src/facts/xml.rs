//! XML: `Export-Clixml` of the configuration, events as the event viewer saves them, and `gpresult`'s report. Entities of a document's own
//! are never expanded, and depth is bounded.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::config::{self, Configuration};
use super::gpresult::Report;
use super::prints::{Prints, Record};
use super::scan::Scanner;
use super::{Found, Kind, Statement, line_number, server, shown};

/// The deepest nesting that is followed.
const DEPTH: usize = 200;
/// The longest text that is kept of one element.
const TEXT: usize = 64 * 1024;

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

/// One event.
#[derive(Default)]
struct Entry {
    at: u64,
    id: Option<u32>,
    provider: String,
    time: Option<jiff::Timestamp>,
    data: Vec<String>,
    message: String,
}

/// Reads an XML document.
pub(super) fn read(text: &str, found: &mut Found, scanner: &mut Scanner) {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut place = Place { text, at: 0, line: 1 };
    let mut stack: Vec<Open> = Vec::new();
    let mut open = Configuration::default();
    let mut event: Option<Entry> = None;
    let mut objects = Objects::default();
    let mut report = Report::default();
    let before = found.facts.len() + found.problems.len();
    let (mut clixml, mut events) = (false, false);
    loop {
        let line = place.line(reader.buffer_position());
        let next = match reader.read_event() {
            Ok(next) => next,
            Err(error) => {
                let line = place.line(reader.error_position());
                found.problem(line_number(line), "well-formed XML", shown(&error.to_string(), 200));
                break;
            }
        };
        match next {
            Event::Start(tag) => {
                if stack.len() >= DEPTH {
                    found.problem(line_number(line), "XML that is at most 200 deep", "a deeper one".into());
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
                        event = Some(Entry { at: line, ..Entry::default() });
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
                    judge(entry, scanner);
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
    let is_report = report.seen;
    report.finish(found);
    if events {
        found.kind(Kind::Events);
    }
    let silent = found.facts.len() + found.problems.len() == before;
    if silent && !events && !is_report {
        let expected = "a WSUS configuration, events or gpresult's report as XML";
        found.problem(None, expected, "XML of another kind".into());
    }
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
        "TimeCreated" => event.time = attribute(tag, "SystemTime").and_then(|time| time.parse().ok()),
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
            "Data" if event.data.len() < 32 => event.data.push(text.to_string()),
            "Message" => event.message = text.to_string(),
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

/// Hands an event of WSUS to the scanner as the line that the service's own log would hold.
fn judge(event: Entry, scanner: &mut Scanner) {
    if !event.provider.contains("Update Services") {
        return;
    }
    let Some(id) = event.id else { return };
    let message = if event.message.is_empty() { event.data.join(" ") } else { event.message };
    scanner.event(event.at, event.time, id, &message);
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
