//! PowerShell's `Format-List`: `Name : value`, the rest of a long value on lines indented to the value's column.

use std::sync::LazyLock;

use regex::Regex;

use super::decode::LONG;
use super::scan::Scanner;
use super::window;

/// Some lines of a file, and which of them a reader has understood.
pub(super) struct Page {
    /// The number of the first line, from 1.
    pub(super) first: u64,
    /// The lines, without their ends.
    pub(super) lines: Vec<String>,
    /// Lines that need no further look.
    pub(super) claimed: Vec<bool>,
    /// How far the lines are apart in the file: mail puts an empty one below each.
    step: u64,
    /// Which of the file's lines each begins with, where a window had cut them.
    rows: Option<Vec<usize>>,
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
        let (mut first, mut step) = (first, 1);
        if let Some(odd) = doubled(&lines) {
            let mut at = 0;
            lines.retain(|_| {
                at += 1;
                (at - 1) % 2 == odd
            });
            over = over.into_iter().filter(|at| at % 2 == odd).map(|at| at / 2).collect();
            (first, step) = (first + odd as u64, 2);
        }
        let mut rows = None;
        if let Some(joined) = window::join(&lines) {
            over = over.into_iter().map(|at| joined.rows.partition_point(|&row| row <= at) - 1).collect();
            (lines, rows) = (joined.lines, Some(joined.rows));
        }
        let claimed = vec![false; lines.len()];
        Page { first, lines, claimed, step, rows, over }
    }

    /// The number of a line by its index.
    pub(super) fn number(&self, index: usize) -> u64 {
        let row = self.rows.as_ref().map_or(index, |rows| rows[index]);
        self.first + row as u64 * self.step
    }

    pub(super) fn claim(&mut self, from: usize, to: usize) {
        self.claimed[from..=to].fill(true);
    }
}

/// Which lines of a text hold something where every second one is empty: those at even indices (0), or the others (1).
fn doubled(lines: &[String]) -> Option<usize> {
    let held = |line: &String| !line.trim().is_empty();
    let odd = lines.iter().position(held)? % 2;
    let count = lines.iter().filter(|line| held(line)).count();
    // Blocks of one line may stand apart by themselves; a list, a table or a log has more lines than that.
    let alone = lines.iter().skip(1 - odd).step_by(2).any(held);
    let runs = lines.iter().skip(odd).step_by(2).collect::<Vec<_>>();
    let together = runs.windows(2).filter(|pair| pair.iter().all(|line| held(line))).count();
    (!alone && count >= 3 && together * 2 >= count).then_some(odd)
}

/// Whether a console broke a line between two words and left out their blank: where it cuts words it fills its width,
/// which is a round number, or one less, and that of the next line too.
pub(super) fn between_words(line: &str, next: &str) -> bool {
    let (width, below) = (line.chars().count(), next.chars().count());
    !matches!(width % 20, 0 | 19) && width != below && line.trim().contains(' ')
}

/// Whether the words of a failure are whole only where nothing stands between two parts of a text.
fn is_one_word(above: &str, below: &str) -> bool {
    above.len() + below.len() < 4000
        && Scanner::knows(&format!("{above}{below}"))
        && !Scanner::knows(&format!("{above} {below}"))
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
            // PowerShell cuts at the console's width, in the middle of a word or, by language, between two.
            if item.value.len() < LONG {
                let rest = &line[column..];
                let prose = item.value.contains(' ') && !item.value.ends_with(' ') && !rest.starts_with(' ');
                if prose && between_words(&page.lines[at - 1], line) && !is_one_word(&item.value, rest) {
                    item.value.push(' ');
                }
                item.value.push_str(rest);
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
