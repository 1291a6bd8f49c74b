//! Installed updates: `Get-HotFix`, `wmic qfe list`, `systeminfo`.

use std::sync::LazyLock;

use regex::Regex;

use super::{Prints, Record, of_machine, table};
use crate::facts::list::Page;
use crate::facts::{Found, Kind, Statement, line_number};

/// `KB4022720`, as it is written everywhere.
fn update_of(text: &str) -> Option<String> {
    let digits = text.trim().get(2..)?;
    let is_update = text.trim()[..2].eq_ignore_ascii_case("KB")
        && (5..=8).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit());
    is_update.then(|| format!("KB{digits}"))
}

/// An object that is an update.
pub(super) fn record(record: &Record, found: &mut Found, prints: &mut Prints) -> bool {
    let Some(id) = record.get("HotFixID") else { return false };
    found.kind(Kind::Updates);
    // `Get-HotFix` calls the machine that it asked its source, and wmic the computer system's name.
    let machine = ["PSComputerName", "CSName", "Source", "Node"].iter().find_map(|name| record.some(name));
    if let Some(machine) = machine {
        of_machine(record.line, machine, found);
    }
    // `File 1` stands for what came with a service pack.
    if let Some(update) = update_of(id) {
        let when = record.get("InstalledOn").unwrap_or_default();
        prints.wait(record.line, Statement::InstalledUpdate { update }, when);
    }
    true
}

/// Reads wmic's table and systeminfo's list.
pub(super) fn read(page: &mut Page, found: &mut Found, prints: &mut Prints) {
    static NUMBERED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\s+\[\d{1,3}\]: (KB\d{5,8})\s*$").expect("fixed pattern"));
    static EQUALS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\s*(HotFixID|InstalledOn|CSName)=(.*)$").expect("fixed pattern"));
    let mut pair: [Option<(usize, String)>; 2] = [None, None];
    let (mut at, mut tables) = (0, 0);
    while at < page.lines.len() {
        let line = &page.lines[at];
        if page.claimed[at] || line.len() > 4000 {
            at += 1;
            continue;
        }
        if line.contains("]: KB")
            && let Some(parts) = NUMBERED.captures(line)
        {
            let update = parts[1].to_string();
            found.kind(Kind::Updates);
            prints.wait(line_number(page.number(at)), Statement::InstalledUpdate { update }, "");
            page.claim(at, at);
        } else if line.contains('=')
            && let Some(parts) = EQUALS.captures(line)
        {
            let (which, value) = (usize::from(&parts[1] == "InstalledOn"), parts[2].trim().to_string());
            let of = (&parts[1] == "CSName").then_some(line_number(page.number(at)));
            page.claim(at, at);
            if let Some(line) = of {
                of_machine(line, &value, found);
                at += 1;
                continue;
            }
            if pair[which].is_some() {
                state(page, std::mem::take(&mut pair), found, prints);
            }
            pair[which] = Some((at, value));
        } else if line.contains("HotFixID") && line.contains("  ") && !line.contains([',', ':', ';']) {
            tables += 1;
            let below = page.lines.get(at + 1).is_some_and(|rule| rule.trim_start().starts_with("--"));
            if let Some(table) =
                (!below && tables <= super::CSV).then(|| table::without_dashes(page, at)).flatten()
            {
                for (row, cells) in &table.rows {
                    record(&Record::of_row(page, &table.columns, *row, cells), found, prints);
                }
                page.claim(table.head, table.last);
                at = table.last;
            }
        }
        at += 1;
    }
    state(page, pair, found, prints);
}

/// States an update of wmic's list.
fn state(page: &Page, pair: [Option<(usize, String)>; 2], found: &mut Found, prints: &mut Prints) {
    let [Some((at, id)), when] = pair else { return };
    found.kind(Kind::Updates);
    if let Some(update) = update_of(&id) {
        let when = when.map(|(_, when)| when).unwrap_or_default();
        prints.wait(line_number(page.number(at)), Statement::InstalledUpdate { update }, &when);
    }
}
