//! Any other text: what people paste. Every reader of a printed form looks at it; what none of them claims is searched
//! for failures.

use std::io;

use super::copied::Copied;
use super::decode::{Block, Blocks, decode_line};
use super::document::Patience;
use super::iis::Answers;
use super::list::{self, Page};
use super::prints::Prints;
use super::registry::Registry;
use super::scan::{self, Scanner};
use super::suites::Suites;
use super::{Found, config, document, line_number, manager, netsh, nettest, powershell, resolve, server};
use crate::report::Report;

/// Reads what people paste, a block of lines at a time.
pub(super) struct Text<'a> {
    pub(super) scanner: &'a mut Scanner,
    pub(super) events: Copied<'a>,
    pub(super) found: &'a mut Found,
    saved: &'a mut Vec<Report>,
    registry: Registry,
    suites: Suites,
    prints: Prints,
    answers: Answers,
    /// For what begins as a document and is none.
    patience: Patience,
    /// How many pairs of lines were looked at together.
    pairs: usize,
}

impl<'a> Text<'a> {
    pub(super) fn new(
        scanner: &'a mut Scanner,
        events: Copied<'a>,
        found: &'a mut Found,
        saved: &'a mut Vec<Report>,
    ) -> Self {
        let (registry, suites, prints, patience) = Default::default();
        Text {
            scanner,
            events,
            found,
            saved,
            registry,
            suites,
            prints,
            answers: Answers::of_iis(),
            patience,
            pairs: 0,
        }
    }

    /// Reads a text to its end.
    pub(super) fn read(&mut self, blocks: &mut Blocks<'_>) -> io::Result<()> {
        while let Some(block) = blocks.next()? {
            self.block(&block);
        }
        Ok(())
    }

    /// Hands over what had to wait; `whole` where the last line has its end.
    pub(super) fn finish(self, whole: bool) {
        let Text { scanner, found, mut registry, mut suites, prints, answers, .. } = self;
        registry.finish(whole, found);
        suites.finish(found);
        prints.finish(found, scanner);
        answers.finish(found);
    }

    /// Reads a block: what lies between documents, and these as they are read in files of their own.
    pub(super) fn block(&mut self, block: &Block<'_>) {
        if !document::may_begin(block.bytes) {
            return self.page(block);
        }
        let text = decode_line(block.bytes);
        let (mut from, mut line) = (0, block.line);
        let mut documents = document::Search::new(&text);
        // What an event quotes is not what its server printed.
        let quoted = match documents.next() {
            Some(first) => {
                documents.back_to(first);
                let page = Page::new(block.line, block.bytes);
                let lines = |(from, to)| page.number(from)..=page.number(to);
                self.events.quoted(&page).into_iter().map(lines).collect()
            }
            None => Vec::new(),
        };
        while let Some(at) = documents.next() {
            let begins = line + newlines(&text[from..at]);
            if quoted.iter().any(|lines| lines.contains(&begins)) {
                continue;
            }
            if !self.patience.lasts() {
                if self.patience.is_told() {
                    let more = "more of them, which were not looked at".into();
                    self.found.problem(line_number(begins), document::FEW, more);
                }
                break;
            }
            let (before, kind) = (self.found.facts.len(), self.found.kind.take());
            let (found, saved, events) = (&mut *self.found, &mut *self.saved, &mut *self.events.events);
            let taken = document::read(&text[at..], begins, found, saved, self.scanner, events);
            // What stands above comes first, and is read as one where it turns out to be no document.
            let own = self.found.facts.split_off(before);
            let own_kind = std::mem::replace(&mut self.found.kind, kind);
            let size = match taken {
                Ok(size) => size,
                Err(looked) => {
                    self.patience.lose(looked);
                    continue;
                }
            };
            self.page(&Block { line, bytes: text[from..at].as_bytes() });
            self.found.facts.extend(own);
            self.found.kind = self.found.kind.or(own_kind);
            let end = text[at + size..].find('\n').map_or(text.len(), |end| at + size + end + 1);
            line = begins + newlines(&text[at..end]);
            from = end;
            documents.pass(end);
        }
        if from < text.len() {
            self.page(&Block { line, bytes: text[from..].as_bytes() });
        }
    }

    fn page(&mut self, block: &Block<'_>) {
        if block.bytes.is_empty() {
            return;
        }
        let Text { scanner, events, found, registry, suites, prints, answers, pairs, .. } = self;
        let mut page = Page::new(block.line, block.bytes);
        let mut items = list::items(&page);
        registry.read(&mut page, found);
        super::registry::objects(&mut page, &items, found);
        suites.read(&mut page, &items, found);
        // What an event quotes is not what its server printed.
        let quoted = events.quoted(&page);
        events.read(&mut page, &items, scanner);
        items.retain(|item| !quoted.iter().any(|&(from, to)| (from..=to).contains(&item.at)));
        // An error first: the empty properties that follow it say nothing more.
        powershell::read(&mut page, found);
        config::read(&mut page, &items, found);
        netsh::read(&mut page, found);
        nettest::read(&mut page, &items, found);
        resolve::read(&mut page, &items, found);
        server::read(&mut page, &items, found);
        prints.read(&mut page, &items, found);
        manager::lines(&mut page, events.order(), scanner);
        answers.page(&mut page, found);
        entries(&page, scanner);
        broken(&page, scanner, pairs);
        // A value that the console's width has cut in two.
        for item in items.iter().filter(|item| item.last > item.at && !page.claimed[item.at]) {
            let apart = page.lines[item.at..=item.last].join("\n");
            if !Scanner::knows(&apart) && Scanner::knows(&item.value) {
                scanner.text_entry(page.number(item.at), &item.value);
            }
        }
    }
}

fn newlines(text: &str) -> u64 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64
}

/// The lines of a block that the reader of a log has no use for, at their places.
#[derive(Default)]
pub(super) struct Rest {
    bytes: Vec<u8>,
    lines: u64,
}

impl Rest {
    /// Keeps a line that stands `at` lines below the block's first.
    pub(super) fn line(&mut self, at: u64, line: &[u8]) {
        let above = usize::try_from(at.saturating_sub(self.lines)).unwrap_or(0);
        self.bytes.resize(self.bytes.len() + above, b'\n');
        self.bytes.extend_from_slice(line);
        if line.last() != Some(&b'\n') {
            self.bytes.push(b'\n');
        }
        self.lines = at + 1;
    }

    /// Has them read, where there are any.
    pub(super) fn hand_over(&mut self, first: u64, text: &mut Text<'_>) {
        if !self.bytes.is_empty() {
            text.block(&Block { line: first, bytes: &self.bytes });
            self.bytes.clear();
        }
        self.lines = 0;
    }
}

/// Splits what is left into entries: a line, and the lines below it that belong to it.
fn entries(page: &Page, scanner: &mut Scanner) {
    let mut at = 0;
    while at < page.lines.len() {
        if page.claimed[at] || page.lines[at].trim().is_empty() {
            at += 1;
            continue;
        }
        let mut end = at + 1;
        let mut size = page.lines[at].len();
        while end < page.lines.len() && end - at < 500 && size < 64 * 1024 && !page.claimed[end] {
            let line = &page.lines[end];
            let belongs =
                line.starts_with([' ', '\t']) || line.starts_with("at ") || line.starts_with("--- ");
            if !belongs || line.trim().is_empty() {
                break;
            }
            size += line.len();
            end += 1;
        }
        if end == at + 1 {
            scanner.text_entry(page.number(at), &page.lines[at]);
        } else {
            scanner.text_entry(page.number(at), &page.lines[at..end].join("\n"));
        }
        at = end;
    }
}

/// The most pairs of lines that are looked at together in one file.
const PAIRS: usize = 5_000;

/// Failures that a console's width or a mail program has broken over two lines.
fn broken(page: &Page, scanner: &mut Scanner, pairs: &mut usize) {
    for (at, pair) in page.lines.windows(2).enumerate() {
        let [first, second] = pair else { continue };
        let apart = page.claimed[at]
            || page.claimed[at + 1]
            || !(60..=400).contains(&first.len())
            || second.is_empty()
            || second.starts_with([' ', '\t'])
            || second.starts_with("at ")
            || scan::is_header(second);
        if apart || *pairs >= PAIRS {
            continue;
        }
        *pairs += 1;
        if Scanner::knows(first) || Scanner::knows(second) {
            continue;
        }
        let joined = [format!("{first}{second}"), format!("{first} {second}")];
        if let Some(whole) = joined.iter().find(|joined| Scanner::knows(joined)) {
            scanner.text_entry(page.number(at), whole);
        }
    }
}
