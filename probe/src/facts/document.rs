//! Documents of JSON and XML in the midst of other text: behind a prompt, in a mail, one below the other.

use super::event::Events;
use super::scan::Scanner;
use super::{Found, json, prints, xml};
use crate::report::Report;

/// The most beginnings that are looked at in one block of lines.
const BEGINNINGS: usize = 256;
/// The most bytes of one file that are looked at in vain behind beginnings that turn out to be none.
const IN_VAIN: usize = 16 * 1024 * 1024;
/// How much of a document is looked at to recognise it.
const HEAD: usize = super::decode::HEAD;

/// Whether a document may begin on one of the lines: cheap, for most texts have none.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    let begins = |at: usize| {
        let before = bytes[..at].iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
        before.is_none_or(|&before| before == b'\n')
    };
    memchr::memchr3_iter(b'{', b'[', b'<', bytes).any(begins)
}

/// Where documents may begin in a text.
pub(super) struct Search<'a> {
    text: &'a str,
    /// Where the next line begins that was not looked at.
    at: usize,
    seen: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Search { text, at: 0, seen: 0 }
    }

    /// The next line that begins as a document does.
    pub(super) fn next(&mut self) -> Option<usize> {
        while self.at < self.text.len() && self.seen < BEGINNINGS {
            let at = self.at;
            let rest = &self.text[at..];
            let line = rest.find('\n').map_or(rest, |end| &rest[..=end]);
            self.at += line.len();
            let line = line.trim();
            if line.starts_with(['{', '[', '<']) {
                let begins = begins(head(rest));
                // To be told by what stands far below takes time too.
                self.seen +=
                    usize::from(begins || line.starts_with("<!--") || line.starts_with("<configuration"));
                if begins {
                    return Some(at);
                }
            }
        }
        None
    }

    /// Looks once more at the line that begins at `at`.
    pub(super) fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Goes on behind what was read.
    pub(super) fn pass(&mut self, to: usize) {
        self.at = to.max(self.at);
    }
}

fn head(text: &str) -> &str {
    let mut end = text.len().min(HEAD);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn begins(head: &str) -> bool {
    json::recognise(head) || xml::recognise(head) || prints::is_iis_config(head)
}

/// Whether a document begins on a line of `text`.
pub(super) fn is_in(text: &str) -> bool {
    Search::new(text).next().is_some()
}

/// How much of a file may still be looked at in vain.
pub(super) struct Patience {
    left: usize,
    told: bool,
}

/// What a file has to be.
pub(super) const FEW: &str = "few beginnings of documents that are none";

impl Default for Patience {
    fn default() -> Self {
        Patience { left: IN_VAIN, told: false }
    }
}

impl Patience {
    /// Whether any is left.
    pub(super) fn lasts(&self) -> bool {
        self.left > 0
    }

    /// Whether that it is over is to be told now: once.
    pub(super) fn is_told(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }

    /// Takes what was looked at in vain.
    pub(super) fn lose(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

/// Reads the document with which `text` begins on line `first` of its file; how long it is or, where nothing in it is
/// known, how much of `text` was looked at.
pub(super) fn read(
    text: &str,
    first: u64,
    found: &mut Found,
    saved: &mut Vec<Report>,
    scanner: &mut Scanner,
    events: &mut Events,
) -> Result<usize, usize> {
    let head = head(text);
    if json::recognise(head) {
        json::within(text, first, found, saved, scanner)
    } else if prints::is_iis_config(head) {
        Ok(prints::iis_config(text, first, found))
    } else {
        xml::within(text, first, found, scanner, events)
    }
}
