//! Events as comma-separated values: what `Export-Csv` and `ConvertTo-Csv` write of `Get-WinEvent` and `Get-EventLog`,
//! and what the Event Viewer saves, whose headings are in the language of Windows.

use std::io;

use super::decode::{Blocks, LONG, decode_line};
use super::event::{Entry, matters};
use super::text::{Rest, Text};
use super::when::{Order, written};
use super::wrapping::is_prompt;
use super::{Found, Kind, line_number};

/// The longest record that is put together from lines, in bytes.
const RECORD: usize = 256 * 1024;

/// Where what stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    delimiter: u8,
    /// How many fields a record has.
    fields: usize,
    id: usize,
    provider: usize,
    time: Option<usize>,
    message: Option<usize>,
    computer: Option<usize>,
    /// How many lines there are up to the heading.
    heading: u64,
    /// Every field is in quotes, as PowerShell writes them.
    quoted: bool,
    order: Option<Order>,
}

/// How many lines may stand above the names of an export's columns: prompts, a mail's words.
const ABOVE: usize = 200;

/// The columns of an export that begins in the first lines of a file.
pub(super) fn recognise(head: &str) -> Option<Columns> {
    let names = |line: &str| !line.starts_with("#TYPE ") && !is_prompt(line) && !line.contains('|');
    // Cheap first: the names of an export's columns, or as many of them as the Event Viewer has.
    let many = |line: &str| {
        let named = line.contains("ProviderName") || line.contains("Source");
        [',', ';', '\t'].iter().any(|delimiter| match line.matches(*delimiter).count() {
            4 => true,
            count => count >= 3 && named,
        })
    };
    let mut lines = head.lines();
    for heading in 1..=ABOVE {
        let line = lines.next()?;
        let below = || lines.clone().find(|line| !line.trim().is_empty());
        if many(line)
            && names(line)
            && let Some(columns) = columns(head, line, heading as u64, below())
        {
            return Some(columns);
        }
    }
    None
}

/// The columns that `first` names, where `below` is the line that follows it.
fn columns(head: &str, first: &str, heading: u64, below: Option<&str>) -> Option<Columns> {
    let order = || super::when::order(head);
    let quoted = first.starts_with('"');
    for delimiter in [b',', b';', b'\t'] {
        let names = fields(first.as_bytes(), delimiter)?;
        if names.len() < 4 || names.len() > 64 {
            continue;
        }
        let of = |wanted: &[&str]| {
            wanted.iter().find_map(|wanted| names.iter().position(|name| name.eq_ignore_ascii_case(wanted)))
        };
        let id = of(&["Id", "EventID", "InstanceId"]);
        let provider = of(&["ProviderName", "Source"]);
        let is_record = |line: &str| line.starts_with('"') || line.as_bytes().contains(&delimiter);
        if let (Some(id), Some(provider)) = (id, provider)
            && below.is_none_or(is_record)
        {
            return Some(Columns {
                delimiter,
                heading,
                fields: names.len(),
                id,
                provider,
                time: of(&["TimeCreated", "TimeGenerated", "TimeWritten"]),
                message: of(&["Message"]),
                computer: of(&["MachineName", "Computer"]),
                quoted,
                order: order(),
            });
        }
        // Level, date, source, number, category, and a message that has no heading.
        if names.len() == 5
            && let Some(record) = below.and_then(|line| begun(line.as_bytes(), delimiter))
            && record.len() == 6
            && record[3].trim().parse::<u32>().is_ok()
            && written(&record[1], Some(order().unwrap_or(Order::Month))).is_some()
        {
            return Some(Columns {
                delimiter,
                heading,
                fields: 6,
                id: 3,
                provider: 2,
                time: Some(1),
                message: Some(5),
                computer: None,
                quoted,
                order: order(),
            });
        }
    }
    None
}

/// The fields of one record; none where its quotes are not closed.
fn fields(record: &[u8], delimiter: u8) -> Option<Vec<String>> {
    if open(record) { None } else { begun(record, delimiter) }
}

/// The fields of a record that may go on.
fn begun(record: &[u8], delimiter: u8) -> Option<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(record);
    let mut raw = csv::ByteRecord::new();
    let read = reader.read_byte_record(&mut raw).is_ok_and(|read| read);
    read.then(|| raw.iter().map(|field| decode_line(&field[..field.len().min(LONG)]).into_owned()).collect())
}

/// Whether a quote is open at the end.
fn open(record: &[u8]) -> bool {
    memchr::memchr_iter(b'"', record).count() % 2 == 1
}

/// A record that is being put together.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    line: u64,
    /// Whether a quote is open.
    open: bool,
    /// It is longer than what is kept: the rest is passed over up to the next record.
    over: bool,
}

/// Reads an export to its end; `text` reads what is no record.
pub(super) fn read(blocks: &mut Blocks<'_>, columns: Columns, text: &mut Text<'_>) -> io::Result<()> {
    text.found.kind(Kind::Events);
    let mut pending = Pending::default();
    let mut rest = Rest::default();
    let mut result = Ok(());
    loop {
        let block = match blocks.next() {
            Ok(Some(block)) => block,
            Ok(None) => break,
            Err(error) => {
                result = Err(error);
                break;
            }
        };
        for (here, line) in (block.line..).zip(block.bytes.split_inclusive(|&byte| byte == b'\n')) {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
            if here <= columns.heading {
                if here < columns.heading && bare.iter().any(|byte| !byte.is_ascii_whitespace()) {
                    rest.line(here - block.line, bare);
                }
                continue;
            }
            if pending.open && begins(bare, &columns) {
                // A quote that nobody closed: what began there is lost, what begins here is not.
                lost(&pending, text.found);
                pending = Pending::default();
            }
            if pending.over {
                continue;
            }
            if !pending.open {
                if bare.iter().all(u8::is_ascii_whitespace) || bare.starts_with(b"#TYPE ") {
                    continue;
                }
                let may_begin = match columns.quoted {
                    true => bare.starts_with(b"\""),
                    false => memchr::memchr(columns.delimiter, bare).is_some(),
                };
                if !may_begin {
                    rest.line(here - block.line, bare);
                    continue;
                }
                pending = Pending { line: here, ..Pending::default() };
            } else {
                pending.bytes.push(b'\n');
            }
            pending.bytes.extend_from_slice(bare);
            pending.open ^= open(bare);
            pending.over = pending.bytes.len() > RECORD && pending.open;
            if !pending.open {
                let is_one = record(&pending, &columns, text);
                if !is_one && pending.line == here {
                    rest.line(here - block.line, bare);
                }
            }
        }
        rest.hand_over(block.line, text);
    }
    if pending.open {
        lost(&pending, text.found);
    }
    result
}

/// Whether a line is a whole record, or the beginning of one, by itself.
fn begins(line: &[u8], columns: &Columns) -> bool {
    if columns.quoted != line.starts_with(b"\"") {
        return false;
    }
    // Cheap first: lines of a message seldom have as many delimiters.
    if memchr::memchr_iter(columns.delimiter, line).count() + 1 < columns.fields.min(columns.id + 2) {
        return false;
    }
    let Some(record) = begun(line, columns.delimiter) else { return false };
    let whole = !open(line) && record.len() == columns.fields;
    let starts = open(line) && record.len() > columns.id.max(columns.provider);
    (whole || starts)
        && record.get(columns.id).is_some_and(|id| id.trim().parse::<u32>().is_ok())
        && record.get(columns.provider).is_some_and(|provider| !provider.is_empty() && provider.len() < 100)
        && columns.time.is_none_or(|at| {
            record
                .get(at)
                .is_none_or(|time| written(time, Some(columns.order.unwrap_or(Order::Day))).is_some())
        })
}

fn lost(pending: &Pending, found: &mut Found) {
    found.problem(
        line_number(pending.line),
        "a record whose quotes are closed",
        "a quote that stays open".into(),
    );
}

/// Takes a record; whether it is one.
fn record(pending: &Pending, columns: &Columns, text: &mut Text<'_>) -> bool {
    let Some(values) = fields(&pending.bytes, columns.delimiter) else { return false };
    let get = |at: Option<usize>| at.and_then(|at| values.get(at)).map_or("", |value| value.trim());
    let Ok(id) = get(Some(columns.id)).parse::<u32>() else {
        // What has other fields is no record, and another reader's.
        if values.len() == columns.fields && text.found.problems.is_empty() {
            let expected = "a record with an event's number";
            let why = format!("one of {} fields without it", values.len());
            text.found.problem(line_number(pending.line), expected, why);
        }
        return false;
    };
    let provider = get(Some(columns.provider));
    if !matters(provider) {
        return true;
    }
    let entry = Entry {
        line: pending.line,
        id: Some(id),
        provider: provider.to_string(),
        when: written(get(columns.time), columns.order),
        computer: get(columns.computer).to_string(),
        text: get(columns.message).to_string(),
        named: Vec::new(),
    };
    text.events.events.take(entry, text.scanner);
    true
}
