//! PowerShell's `Format-List`: `Name : value`, the rest of a long value on lines indented to the value's column.

use std::sync::LazyLock;

use regex::Regex;

use super::decode::LONG;

/// Some lines of a file, and which of them a reader has understood.
pub(super) struct Page {
    /// The number of the first line, from 1.
    pub(super) first: u64,
    /// The lines, without their ends.
    pub(super) lines: Vec<String>,
    /// Lines that need no further look.
    pub(super) claimed: Vec<bool>,
    /// The indices of lines that are longer than what is kept of them.
    pub(super) over: Vec<usize>,
}

impl Page {
    pub(super) fn new(first: u64, bytes: &[u8]) -> Self {
        let mut over = Vec::new();
        let mut lines: Vec<String> = bytes
            .split(|&b| b == b'\n')
            .enumerate()
            .map(|(at, line)| {
                if line.len() > LONG {
                    over.push(at);
                }
                let line = &line[..line.len().min(LONG)];
                super::decode::decode_line(line).trim_end_matches('\r').to_string()
            })
            .collect();
        if bytes.last() == Some(&b'\n') {
            lines.pop();
        }
        let claimed = vec![false; lines.len()];
        Page { first, lines, claimed, over }
    }

    /// The number of a line by its index.
    pub(super) fn number(&self, index: usize) -> u64 {
        self.first + index as u64
    }

    pub(super) fn claim(&mut self, from: usize, to: usize) {
        self.claimed[from..=to].fill(true);
    }
}

/// One property of a list.
#[derive(Debug)]
pub(super) struct Item {
    /// The index of its line.
    pub(super) at: usize,
    /// The index of its last line.
    pub(super) last: usize,
    /// Its name.
    pub(super) name: String,
    /// Its value, joined.
    pub(super) value: String,
    /// Which of the lists on the page it belongs to: a blank line ends one.
    pub(super) list: usize,
}

/// Every property on a page.
pub(super) fn items(page: &Page) -> Vec<Item> {
    static PROPERTY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^( {0,4}([A-Za-z_][A-Za-z0-9_]{0,80}) *:)(?: (.*))?$").expect("fixed pattern")
    });
    let mut items: Vec<Item> = Vec::new();
    let (mut list, mut open) = (0, None::<usize>);
    for (at, line) in page.lines.iter().enumerate() {
        if line.trim().is_empty() {
            list += 1;
            open = None;
            continue;
        }
        let indent = line.len() - line.trim_start_matches(' ').len();
        if let (Some(column), Some(item)) = (open, items.last_mut())
            && indent >= column
        {
            // PowerShell cuts at the console's width, in the middle of a word.
            if item.value.len() < LONG {
                item.value.push_str(&line[column..]);
            }
            item.last = at;
            continue;
        }
        open = None;
        if let Some(found) = PROPERTY.captures(line) {
            let column = found[1].len() + 1;
            let value = found.get(3).map_or("", |value| value.as_str());
            items.push(Item { at, last: at, name: found[2].to_string(), value: value.to_string(), list });
            open = (column >= 6).then_some(column);
        }
    }
    for item in &mut items {
        let trimmed = item.value.trim();
        if trimmed.len() != item.value.len() {
            item.value = trimmed.to_string();
        }
    }
    items
}
