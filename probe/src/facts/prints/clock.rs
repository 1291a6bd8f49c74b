//! `w32tm /query /status`, in any language: told by the shape of its first lines.

use std::sync::LazyLock;

use regex::Regex;

use crate::facts::list::Page;
use crate::facts::wrapping::behind_prompt;
use crate::facts::{Found, Kind, ServiceState, Statement, line_number, shown};

/// What stands behind the label of each line: leap indicator, stratum, precision, root delay, root dispersion, the
/// reference's id, the time of the last synchronization.
static SHAPE: LazyLock<[Regex; 6]> = LazyLock::new(|| {
    [
        r"^[^:]+: ?([0-3])\s?\(.*\)\s*$",
        r"^[^:]+: ?(\d{1,3})\s?\(.*\)\s*$",
        r"^[^:]+: ?-?\d{1,3}\s?\(.*\)\s*$",
        r"^[^:]+: ?-?\d{1,9}[.,]\d{1,9}s\s*$",
        r"^[^:]+: ?-?\d{1,9}[.,]\d{1,9}s\s*$",
        r"^[^:]+: ?0x([0-9A-Fa-f]{8})\b",
    ]
    .map(|pattern| Regex::new(pattern).expect("fixed pattern"))
});

/// The error in place of a state: the service of that name was not started. Its words are in the language of Windows.
const NOT_STARTED: &str = "(0x80070426)";

/// Reads that w32tm met no service that runs. The error does not say what was asked: the command does, above it or by itself.
fn not_started(page: &mut Page, found: &mut Found) {
    for at in 0..page.lines.len() {
        if page.claimed[at] || !page.lines[at].trim_end().ends_with(NOT_STARTED) {
            continue;
        }
        // A console may have cut the error before its code.
        let above = (at.saturating_sub(3)..at)
            .rev()
            .find_map(|above| behind_prompt(&page.lines[above]).map(|command| (above, command.to_string())));
        let (from, command) =
            above.or(found.command.clone().map(|command| (at, command))).unwrap_or_default();
        let command = command.to_ascii_lowercase();
        if !command.contains("w32tm") {
            continue;
        }
        found.kind(Kind::Clock);
        // Of another machine it says nothing of this one.
        if !command.contains("/computer") {
            let (name, state, start) = ("W32Time".into(), ServiceState::Stopped, String::new());
            found.fact(line_number(page.number(at)), None, Statement::Service { name, state, start });
        }
        page.claim(from, at);
    }
}

/// Reads the state of the clock from a page.
pub(super) fn read(page: &mut Page, found: &mut Found) {
    not_started(page, found);
    for at in 0..page.lines.len().saturating_sub(7) {
        if !page.lines[at].trim_end().ends_with(')') {
            continue;
        }
        let fits = |(index, shape): (usize, &Regex)| {
            let line = &page.lines[at + index];
            line.len() < 300 && !page.claimed[at + index] && shape.is_match(line)
        };
        if !SHAPE.iter().enumerate().all(fits) {
            continue;
        }
        let value = |index: usize, line: usize| {
            SHAPE[index]
                .captures(&page.lines[at + line])
                .map(|parts| parts[1].to_string())
                .unwrap_or_default()
        };
        let (leap, reference) = (value(0, 0), value(5, 5));
        let source = page.lines[at + 7].split_once(':').map(|(_, source)| source.trim()).unwrap_or_default();
        found.kind(Kind::Clock);
        let line = line_number(page.number(at + 7));
        if source.is_empty() {
            let given = format!("`{}`", shown(page.lines[at + 7].trim(), 60));
            found.problem(line, "the source of the clock's time", given);
            continue;
        }
        // `LOCL` is the machine's own clock; no reference at all is none.
        let own = matches!(reference.to_ascii_uppercase().as_str(), "00000000" | "4C4F434C");
        let local = ["Local CMOS Clock", "Free-running System Clock"].contains(&source);
        let synchronized = leap != "3" && !own && !local;
        let source = shown(source, 300);
        found.fact(line, None, Statement::ClockSource { source, synchronized });
        page.claim(at, (at + 8).min(page.lines.len() - 1));
    }
}
