//! Logs as a console's window shows them: every line cut at its width, in the middle of a word or at a blank, which is lost
//! where it was the last of its row. How an entry begins or ends tells it from the next one; rows of it that the width has
//! parted are put together again. Nothing else is.

use std::sync::LazyLock;

use regex::Regex;

use super::decode::LONG;
use super::scan;
use super::wrapping::behind_prompt;

/// The widths that a console has unless somebody changes it.
const USUAL: [usize; 2] = [80, 120];
/// The narrowest one: below it, lines are as long by chance.
const NARROWEST: usize = 60;
/// How many columns at the end of a row may be blanks that were lost: a tab's.
const LOST: usize = 8;

/// The end of an entry of Configuration Manager's, in both forms.
static TAIL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:\]LOG\]!><time="[^<>]*>|\$\$<[^<>]*><[^<>]*><thread=[^<>]*>)\s*$"#)
        .expect("fixed pattern")
});

/// Rows put together: each line, and the index of its first row.
pub(super) struct Joined {
    pub(super) lines: Vec<String>,
    pub(super) rows: Vec<usize>,
}

/// Whether an entry begins there by a mark of its own.
fn begins(row: &str) -> bool {
    match row.as_bytes().first() {
        Some(b'<') => row.starts_with("<![LOG[") || scan::is_header(row),
        Some(b'0'..=b'9') => scan::is_header(row),
        _ => false,
    }
}

/// Whether an entry of Configuration Manager's ends there.
fn ends(line: &str) -> bool {
    let mut from = line.len().saturating_sub(1000);
    while !line.is_char_boundary(from) {
        from += 1;
    }
    TAIL.is_match(&line[from..])
}

/// Whether nothing that belongs to an entry stands there.
fn parts(row: &str) -> bool {
    row.trim().is_empty() || behind_prompt(row).is_some()
}

/// Whether a row begins a line of its own within an entry: a stack's.
fn is_frame(row: &str) -> bool {
    let bare = row.trim_start_matches([' ', '\t']);
    bare.len() < row.len() && (bare.starts_with("at ") || bare.starts_with("--- "))
}

/// The rows that may belong to entries, and whether each goes on with the one above.
fn within<S: AsRef<str>>(rows: &[S]) -> Vec<bool> {
    // Configuration Manager's plain form has no mark at its begin.
    let plain = rows.iter().any(|row| row.as_ref().contains("$$<"));
    let mut open = false;
    let rows = rows.iter().map(|row| {
        let row = row.as_ref();
        open = !parts(row) && (open || plain || begins(row));
        let here = open;
        open &= !row.ends_with("\">");
        here
    });
    rows.collect()
}

/// The width that has cut these rows; none where none has.
fn width<S: AsRef<str>>(rows: &[S], within: &[bool]) -> Option<usize> {
    let length = |at: usize| if within[at] { rows[at].as_ref().chars().count() } else { 0 };
    let lengths: Vec<usize> = (0..rows.len()).map(length).collect();
    let width = lengths.iter().copied().max().filter(|&width| width >= NARROWEST)?;
    let full = |at: usize| {
        let next = rows.get(at + 1).map(AsRef::as_ref);
        lengths[at] == width && next.is_some_and(|next| within[at + 1] && !begins(next) && !is_frame(next))
    };
    let full: Vec<usize> = (0..rows.len()).filter(|&at| full(at)).collect();
    // By chance two lines may have the greatest length, and hardly ever one below the other, twice.
    let runs = full.iter().filter(|&&at| lengths.get(at + 1) == Some(&width)).count();
    (runs >= 2 || USUAL.contains(&width) && !full.is_empty()).then_some(width)
}

/// Puts the rows of entries together that a window has cut; nothing where none has.
pub(super) fn join<S: AsRef<str>>(rows: &[S]) -> Option<Joined> {
    if !rows.iter().any(|row| begins(row.as_ref()) || row.as_ref().contains("$$<")) {
        return None;
    }
    let within = within(rows);
    let width = width(rows, &within)?;
    let mut joined = Joined { lines: Vec::new(), rows: Vec::new() };
    // How long the row above is, where another one may go on with it.
    let mut above = 0;
    for (at, row) in rows.iter().enumerate() {
        let row = row.as_ref();
        let goes_on = within[at] && above + LOST >= width && !begins(row) && !is_frame(row);
        match joined.lines.last_mut() {
            Some(line) if goes_on && line.len() + row.len() < LONG => {
                if above < width {
                    line.push(' ');
                }
                line.push_str(row);
            }
            _ => {
                joined.lines.push(row.to_string());
                joined.rows.push(at);
            }
        }
        let ended = row.ends_with('>') && joined.lines.last().is_some_and(|line| ends(line));
        above = if within[at] && !ended { row.chars().count() } else { 0 };
    }
    Some(joined)
}

/// The same of a file's beginning.
pub(super) fn joined(head: &str) -> Option<String> {
    let rows: Vec<&str> = head.lines().collect();
    join(&rows).map(|joined| joined.lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts a text as a window does, with or without the blanks at the ends of its rows.
    fn cut(text: &str, width: usize, keep: bool) -> String {
        let mut rows = Vec::new();
        for line in text.lines() {
            let chars: Vec<char> = line.chars().collect();
            for row in chars.chunks(width) {
                let row: String = row.iter().collect();
                rows.push(if keep { row } else { row.trim_end().to_string() });
            }
        }
        rows.join("\n")
    }

    const SERVICE: &str = "2026-03-05 01:00:42.700 UTC     Error   WsusService.15  EventLogEventReporter.ReportEvent       \
EventId=386,Type=Error,Category=Synchronization,Message=Synchronization failed. Reason: The remote name could not be resolved: \
'proxy.corp.example.com' and some more words that make it long enough.\n   at System.Net.HttpWebRequest.GetRequestStream()\n\
2026-03-05 01:00:43.700 UTC     Info    WsusService.15  Short.Line      one";
    const TAGGED: &str = "<![LOG[Sync failed: UssCommunicationError: WebException: The remote name could not be resolved: \
'sws.update.microsoft.com'~~at System.Net.HttpWebRequest.GetRequestStream()]LOG]!><time=\"02:00:42.120-60\" \
date=\"03-05-2026\" component=\"SMS_WSUS_SYNC_MANAGER\" context=\"\" type=\"3\" thread=\"4660\" file=\"wsyncmgr.cpp:456\">\n\
<![LOG[Wakeup for a polling cycle]LOG]!><time=\"02:00:00.120-60\" date=\"03-05-2026\" component=\"SMS_WSUS_SYNC_MANAGER\" \
context=\"\" type=\"1\" thread=\"4660\" file=\"wsyncmgr.cpp:123\">";
    const PLAIN: &str = "Wakeup for a polling cycle  $$<SMS_WSUS_SYNC_MANAGER><03-05-2026 02:00:00.120-60><thread=4660 (0x1234)>\n\
Sync failed: UssCommunicationError: WebException: The remote name could not be resolved: 'sws.update.microsoft.com'~~at \
System.Net.HttpWebRequest.GetRequestStream()  $$<SMS_WSUS_SYNC_MANAGER><03-05-2026 02:00:42.120-60><thread=4660 (0x1234)>";

    #[test]
    fn what_a_window_has_cut_is_as_it_was() {
        let words = |text: &str| {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        for text in [SERVICE, TAGGED, PLAIN] {
            for width in [80, 120, 90, 77] {
                for keep in [true, false] {
                    let shown = cut(text, width, keep);
                    // Of two lines that fit there is no telling, unless the width is a usual one.
                    let Some(whole) = joined(&shown) else {
                        assert!(width != 80 && width != 120, "{width} {shown}");
                        continue;
                    };
                    assert_eq!(words(&whole), words(text), "{width} {keep}");
                }
            }
        }
    }

    #[test]
    fn a_log_that_no_window_has_cut_stays() {
        for text in [SERVICE, TAGGED, PLAIN, "", "a : b\nc : d\n"] {
            assert!(join(&text.lines().collect::<Vec<_>>()).is_none(), "{text}");
        }
        // Lines of one length are no rows: each begins an entry, or a stack's frame.
        let head = "2026-03-05 01:00:43.700 UTC\tInfo\tWsusService.15\tA.B\t";
        let line = format!("{head}{}", "x".repeat(120 - head.chars().count()));
        assert!(joined(&format!("{line}\n{line}\n   at A.B()\n{line}")).is_none());
        // A line below one that does not fill the width is a line.
        let told = format!("{line}\nmore\n{head}short\nown line");
        assert_eq!(joined(&told).as_deref(), Some(&*format!("{line}more\n{head}short\nown line")));
    }

    #[test]
    fn what_stands_around_a_log_is_no_part_of_it() {
        let shown = format!("PS C:\\> type x.log\n{}\nPS C:\\>\nUseProxy : True", cut(PLAIN, 80, false));
        let whole = joined(&shown).unwrap();
        assert!(whole.starts_with("PS C:\\> type x.log\nWakeup"), "{whole}");
        assert!(whole.ends_with(")>\nPS C:\\>\nUseProxy : True"), "{whole}");
    }
}
