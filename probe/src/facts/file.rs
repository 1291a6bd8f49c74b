//! One file: its encoding, its kind, and the reader of that kind.

use std::io::Read;

use super::copied::Copied;
use super::decode::Block;
use super::event::Events;
use super::text::Text;
use super::wrapping::Wrapping;
use super::{
    DOCUMENT, EXPECTED, Found, Kind, Statement, config, decode, exported, gpresult, iis, is_config_line,
    json, line_number, log, manager, prints, scan, shown, trouble, when, window, xml,
};
use crate::report::Report;

const READABLE: &str = "a readable file";
const WHOLE: &str = "whole UTF-16 characters";
const HALF: &str = "half of one at the end";
const LARGEST: &str = "a document of at most 64 MiB";

/// Reads as much of a document as is read of one: its text, whether there is more, whether it ends within a character.
fn beginning(
    source: &mut decode::Source<'_>,
    found: &mut Found,
    read: impl FnOnce(&str, bool, bool, &mut Found),
) {
    match source.first(DOCUMENT) {
        Ok((text, over)) => {
            read(&text, over, source.cut(), found);
            if over {
                found.problem(None, LARGEST, "a larger one, the first 64 MiB of which were read".into());
            }
        }
        Err(error) => found.problem(None, READABLE, trouble(&error)),
    }
}

/// What follows the document that a file begins with.
struct Rest {
    /// The line on which it begins.
    line: u64,
    text: String,
}

impl Rest {
    /// What stands behind the first `end` bytes, without what lies around its lines.
    fn of(text: &str, end: usize) -> Option<Rest> {
        let (document, rest) = text.split_at_checked(end)?;
        if rest.trim().is_empty() {
            return None;
        }
        let line = 1 + memchr::memchr_iter(b'\n', document.as_bytes()).count() as u64;
        Some(Rest { line, text: Wrapping::of(rest).undone(rest.to_string()) })
    }
}

/// Reads a file that begins with a document, of JSON or XML, and what follows that; says whether it is one.
fn whole_document(
    source: &mut decode::Source<'_>,
    head: &str,
    found: &mut Found,
    saved: &mut Vec<Report>,
) -> bool {
    let (mut scanner, mut events) = (scan::Scanner::default(), Events::default());
    let (is_json, is_xml) = (json::recognise(head), xml::recognise(head));
    let mut rest = None;
    if gpresult::recognise(head) {
        beginning(source, found, |text, over, cut, found| {
            let end = text.find("</html>").map_or(text.len(), |end| end + "</html>".len());
            // Of two reports, one behind the other, both are read.
            let end = if text[end..].trim_start().starts_with('<') { text.len() } else { end };
            gpresult::read(&text[..end], !over && !cut, found);
            rest = Rest::of(text, end);
        });
    } else if is_xml && head.contains("<Event ") {
        match source.first(DOCUMENT) {
            Ok((text, false)) => {
                let end = xml::read(&text, found, &mut scanner, &mut events);
                rest = Rest::of(&text, end);
            }
            // The newest event may be the last one: a long export is read to its end, one event at a time.
            Ok((text, true)) => {
                let long = xml::long_export(text, source, found, &mut scanner, &mut events);
                if let Err(error) = long {
                    found.problem(None, READABLE, trouble(&error));
                }
            }
            Err(error) => found.problem(None, READABLE, trouble(&error)),
        }
    } else if is_json || is_xml || prints::is_iis_config(head) {
        match source.whole(DOCUMENT) {
            Ok(Some(text)) => {
                let end = if is_json {
                    json::read(&text, found, saved, &mut scanner)
                } else if prints::is_iis_config(head) {
                    prints::iis_config(&text, 1, found)
                } else {
                    xml::read(&text, found, &mut scanner, &mut events)
                };
                rest = Rest::of(&text, end);
            }
            Ok(None) => found.problem(None, LARGEST, "a larger one".into()),
            Err(error) => found.problem(None, READABLE, trouble(&error)),
        }
    } else {
        return false;
    }
    let mut lines = 0;
    if let Some(rest) = rest {
        lines = rest.line + rest.text.lines().count() as u64 - 1;
        let order = when::order(&rest.text);
        let mut text = Text::new(&mut scanner, Copied::new(&mut events, order), found, saved);
        text.block(&Block { line: rest.line, bytes: rest.text.as_bytes() });
        text.finish(rest.text.ends_with('\n'));
    }
    scanner.finish(lines, found);
    events.finish(found);
    if source.cut() {
        found.problem(None, WHOLE, HALF.into());
    }
    true
}

/// Whether `line` is the last one of `head`, which may be cut.
fn is_last(head: &str, line: &str) -> bool {
    std::ptr::eq(line.as_bytes().as_ptr_range().end, head.as_bytes().as_ptr_range().end)
}

/// Reads one file to its end.
pub(super) fn read(inner: Box<dyn Read + '_>, found: &mut Found, saved: &mut Vec<Report>) {
    let (mut source, head) = match decode::sniff(inner) {
        Ok(decode::Sniffed::Text(source, head)) => (source, head),
        #[cfg(feature = "evtx")]
        Ok(decode::Sniffed::EventLog(inner)) => return super::evtx::read(inner, found),
        #[cfg(not(feature = "evtx"))]
        Ok(decode::Sniffed::EventLog(_)) => return,
        Ok(decode::Sniffed::Empty) => return found.problem(None, EXPECTED, "an empty file".into()),
        Ok(decode::Sniffed::Der(bytes, over)) => return prints::certificate_file(&bytes, over, found),
        Ok(decode::Sniffed::Binary(what)) => return found.problem(None, EXPECTED, what.into()),
        Err(error) => return found.problem(None, READABLE, trouble(&error)),
    };
    if whole_document(&mut source, &head, found, saved) {
        return;
    }
    let (mut scanner, mut events) = (scan::Scanner::default(), Events::default());
    // A log of its own is read as it is; of everything else what lies around it is undone first.
    let plain = iis::recognise(&head)
        || log::recognise(&head, source.is_whole()) && !head.lines().any(is_config_line);
    let wrapping = (!plain).then(|| Wrapping::of(&head));
    let head = wrapping.iter().fold(head, |head, wrapping| wrapping.undone(head));
    // A client's log says nothing about the server: its name is all there is to know, however long it is. What somebody put
    // below one may say more.
    let mut lines = head.lines().filter(|line| !line.trim().is_empty());
    if let Some(log) = lines.next().and_then(scan::client_log)
        && lines.take(2000).all(|line| {
            scan::client_log(line).is_some() || line.starts_with([' ', '\t']) || is_last(&head, line)
        })
    {
        found.kind(Kind::ClientLog);
        return found.fact(Some(1), None, Statement::ClientLog { log: log.to_string() });
    }
    // What a window has cut is put together where it is read; here it tells what the file is.
    let whole = window::joined(&head);
    let only_log =
        whole.is_none() && log::recognise(&head, source.is_whole()) && !head.lines().any(is_config_line);
    let head = whole.unwrap_or(head);
    let columns = if only_log { None } else { exported::recognise(&head) };
    let order = when::order(&head);
    let mut blocks = decode::Blocks::new(source, wrapping);
    if !plain {
        blocks.keep_documents();
    }
    let mut text = Text::new(&mut scanner, Copied::new(&mut events, order), found, saved);
    let result = if iis::recognise(&head) {
        iis::read(&mut blocks, &mut text)
    } else if manager::recognise(&head) {
        manager::read(&mut blocks, &mut text)
    } else if let Some(columns) = columns {
        exported::read(&mut blocks, columns, &mut text)
    } else if only_log {
        text.scanner.only_changes = log::only_changes(&head);
        log::read(&mut blocks, &mut text)
    } else {
        text.read(&mut blocks)
    };
    text.finish(blocks.ends_in_line());
    let lines = blocks.lines();
    scanner.finish(lines, found);
    events.finish(found);
    if let Err(error) = result {
        found.problem(line_number(lines), READABLE, trouble(&error));
    }
    if blocks.cut() {
        found.problem(line_number(lines.max(1)), WHOLE, HALF.into());
    }
    if found.facts.is_empty() && found.problems.is_empty() && found.kind.is_none() {
        let first = head.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        found.problem(
            None,
            EXPECTED,
            if first.split_whitespace().filter(|word| config::is_property(word)).count() > 1 {
                "a configuration as a table, which cuts values off (print it with Format-List)".into()
            } else {
                format!("text of another kind that begins `{}`", shown(first.trim(), 60))
            },
        );
    }
}
