//! SoftwareDistribution.log: read in blocks, only the entries that can matter in full.

use std::io;
use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memmem, memrchr};
use regex::bytes::Regex;

use super::decode::{Block, Blocks, LINE, decode_line};
use super::json;
use super::scan::{self, Scanner};
use super::text::Text;
use super::wrapping::is_prompt;

/// The longest entry that is looked at, in bytes.
const ENTRY: usize = 64 * 1024;
/// How many lines above a telling one its entry's head is looked for.
const BACK: usize = 200;

/// Whether `head` is the service's log, and nothing else where it is a whole file. A long one may begin within an entry.
pub(super) fn recognise(head: &str, whole: bool) -> bool {
    let own = |line: &&str| !line.trim().is_empty() && !line.starts_with([' ', '\t']);
    let (mut lines, mut headers) = (0, 0);
    for line in head.lines().filter(own).take(if whole { usize::MAX } else { 400 }) {
        lines += 1;
        headers += usize::from(scan::is_header(line));
    }
    if whole { headers > 0 && headers == lines } else { headers * 2 >= lines.max(1) }
}

/// What every telling entry holds. The names of .NET's classes are the same in every language.
static TELLING: LazyLock<Regex> = LazyLock::new(|| {
    let needles = [
        "Exception",
        "EventId=",
        "SCHANNEL",
        "signed root",
        "0x80",
        "(80",
        "hr=8",
        "hr = 8",
        "-2147",
        "-2146",
        "HTTP status",
        "underlying connection",
        "could not be resolved",
        "trust relationship",
        "secure channel",
        "common algorithm",
        "forcibly closed",
        "remote server",
        "timed out",
        "Sync failed",
        "Change\t",
        " Change ",
        "Changew3wp",
        "ChangeWsus",
    ];
    Regex::new(&needles.map(regex::escape).join("|")).expect("fixed pattern")
});

/// Whether every line of the service's log in `head` is of level Change: it is Change.log, which tells of nothing else.
pub(super) fn only_changes(head: &str) -> bool {
    head.lines().filter(|line| scan::is_header(line)).all(scan::is_change)
}

/// Follows the clock of a log. Lines are in order but for a few milliseconds, so that as a rule one comparison a line is
/// enough.
#[derive(Default)]
struct Hours {
    /// `2026-03-04 05:00`, as a number: the same form sorts as its time.
    last: u128,
    /// The last line was empty, or the block begins.
    apart: bool,
    /// Where what is no part of the log began, while it goes on: its place in the block, and its line.
    other: Option<(usize, u64)>,
    /// What of the block is none: where it begins and ends, and its first line.
    others: Vec<(usize, usize, u64)>,
}

impl Hours {
    fn take(&mut self, block: &Block<'_>, scanner: &mut Scanner) {
        let (mut line, mut at) = (block.line, 0);
        let bytes = block.bytes;
        self.others.clear();
        if let Some(other) = &mut self.other {
            *other = (0, block.line);
        }
        loop {
            if let Some(found) = bytes[at..].first_chunk::<16>()
                && begins(found)
            {
                if let Some((from, first)) = self.other.take() {
                    self.others.push((from, at, first));
                }
                self.apart = false;
                let now = u128::from_be_bytes(*found);
                if now < self.last {
                    let above = self.last.to_be_bytes();
                    scanner.clock_between(
                        line,
                        &decode_line(&above),
                        &decode_line(&bytes[at..line_end(bytes, at)]),
                    );
                }
                self.last = now;
            } else if self.other.is_none() {
                let own = &bytes[at..line_end(bytes, at)];
                let told = matches!(own, [b'{' | b'[' | b'P', ..] | [_, b':', b'\\', ..]);
                if (told || self.apart) && is_other(own, self.apart) {
                    self.other = Some((at, line));
                }
                self.apart = own.iter().all(u8::is_ascii_whitespace);
            }
            match memchr(b'\n', &bytes[at..]) {
                Some(end) => at += end + 1,
                None => break,
            }
            line += 1;
        }
        if let Some((from, first)) = self.other {
            self.others.push((from, bytes.len(), first));
        }
    }
}

/// Whether a line begins something that is printed below a log: a prompt or JSON; `apart`, below an empty line, a list or
/// another document too.
fn is_other(line: &[u8], apart: bool) -> bool {
    static LABEL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\w[\w ()-]{0,60}:(?:\s|$)").expect("fixed pattern"));
    let Some(first) = line.first().filter(|first| !first.is_ascii_whitespace()) else { return false };
    let line = &line[..line.len().min(1000)];
    let text = || decode_line(line);
    let may = apart && (*first == b'<' || LABEL.is_match(line))
        || json::recognise(&text())
        || is_prompt(text().trim_end());
    may && !Scanner::knows(&text())
}

/// A line that begins an entry: with a date, or with the placeholder of a published excerpt.
fn begins(line: &[u8]) -> bool {
    match line {
        [a, b, c, d, b'-', e, f, b'-', ..] => [a, b, c, d, e, f].into_iter().all(u8::is_ascii_digit),
        _ => line.starts_with(b"<Date>"),
    }
}

/// Reads a log to its end; `text` reads what stands between its lines or below them.
pub(super) fn read(blocks: &mut Blocks<'_>, text: &mut Text<'_>) -> io::Result<()> {
    let w3wp = memmem::Finder::new("w3wp.");
    let mut hours = Hours::default();
    text.scanner.is_log = true;
    while let Some(block) = blocks.next()? {
        hours.take(&block, text.scanner);
        let (mut at, mut line) = (0, block.line);
        for &(from, to, first) in &hours.others {
            block_of(&Block { line, bytes: &block.bytes[at..from] }, text.scanner, &w3wp);
            text.block(&Block { line: first, bytes: &block.bytes[from..to] });
            line = first + memchr_iter(b'\n', &block.bytes[from..to]).count() as u64;
            at = to;
        }
        block_of(&Block { line, bytes: &block.bytes[at..] }, text.scanner, &w3wp);
    }
    Ok(())
}

fn block_of(block: &Block<'_>, scanner: &mut Scanner, w3wp: &memmem::Finder<'_>) {
    let bytes = block.bytes;
    let (mut line, mut counted) = (block.line, 0);
    let (mut from, mut floor) = (0, 0);
    let mut web = Web { bytes, finder: w3wp, next: None };
    if scanner.pending.is_some() && web.follows(0) {
        scanner.w3wp();
    }
    while let Some(hit) = TELLING.find_at(bytes, from) {
        let mut start = memrchr(b'\n', &bytes[..hit.start()]).map_or(0, |at| at + 1).max(floor);
        let own = start;
        for _ in 0..BACK {
            if begins(&bytes[start..]) || start <= floor {
                break;
            }
            start = memrchr(b'\n', &bytes[..start - 1]).map_or(0, |at| at + 1).max(floor);
        }
        if !begins(&bytes[start..]) {
            start = own;
        }
        let mut end = line_end(bytes, hit.end());
        while end < bytes.len() && !begins(&bytes[end..]) {
            end = line_end(bytes, end);
        }
        line += memchr_iter(b'\n', &bytes[counted..start]).count() as u64;
        counted = start;
        scanner.log_entry(line, &text_of(&bytes[start..end]));
        if scanner.pending.is_some() && web.follows(end) {
            scanner.w3wp();
        }
        (from, floor) = (end, end);
    }
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |at| from + at + 1)
}

/// The lines of w3wp in a block.
struct Web<'a> {
    bytes: &'a [u8],
    finder: &'a memmem::Finder<'a>,
    /// The last answer: where the next of them begins, or that there is none.
    next: Option<Option<usize>>,
}

impl Web<'_> {
    /// Whether one follows `from`, which never goes back.
    fn follows(&mut self, from: usize) -> bool {
        match self.next {
            Some(None) => return false,
            Some(Some(at)) if at >= from => return true,
            _ => {}
        }
        let own = |at: &usize| {
            let start = memrchr(b'\n', &self.bytes[..*at]).map_or(0, |end| end + 1);
            let end = line_end(self.bytes, *at).min(start + 200);
            at - start < 100 && {
                let line = decode_line(&self.bytes[start..end]);
                scan::is_header(&line)
                    && self.bytes[start..*at]
                        .split(u8::is_ascii_whitespace)
                        .filter(|word| !word.is_empty())
                        .count()
                        <= 4
            }
        };
        let next = self.finder.find_iter(&self.bytes[from..]).map(|at| from + at).find(own);
        self.next = Some(next);
        next.is_some()
    }
}

/// An entry as text: every line shortened to what is looked at, and the whole as well.
pub(super) fn text_of(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(ENTRY)];
    if bytes.len() <= LINE
        && let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains('\r')
    {
        return text.trim_end().to_string();
    }
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split(|&b| b == b'\n') {
        text.push_str(decode_line(&line[..line.len().min(LINE)]).trim_end_matches('\r'));
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}
