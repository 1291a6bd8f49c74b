//! Logs of Configuration Manager (wsyncmgr.log, WCM.log, WSUSCtrl.log): lines as CMTrace reads them, in both of their
//! forms, whose times are local and say how far their clock is from UTC; and lines as CMTrace copies them, whose times are
//! written in the manner of who copied and do not say so.

use std::io;
use std::sync::LazyLock;

use jiff::civil::DateTime;
use regex::Regex;

use super::Kind;
use super::decode::Blocks;
use super::list::Page;
use super::scan::Scanner;
use super::text::{Rest, Text};
use super::when::{Order, When, written};

/// The most lines that one entry may have.
const LINES: usize = 500;

/// `<![LOG[text]LOG]!><time="05:10:11.123+000" date="03-04-2026" component="…" context="" type="3" …>`.
static TAGGED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"\]LOG\]!><time="(\d\d:\d\d:\d\d(?:\.\d{1,7})?)([+-]\d{1,4})?" date="(\d{1,2})-(\d{1,2})-(\d{4})" component="([^"]{0,100})"(?: context="[^"]{0,200}")?(?: type="(\d)")?"#,
    )
    .expect("fixed pattern")
});
/// `text  $$<COMPONENT><03-04-2026 05:10:11.123+00><thread=4120 (0x1018)>`.
static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\$\$<([^<>]{0,100})><(?:[A-Za-z]{3} )?(\d{1,2})-(\d{1,2})-(\d{4}) (\d\d:\d\d:\d\d(?:\.\d{1,7})?)([+-]\d{1,4})?>",
    )
    .expect("fixed pattern")
});

/// `text⇥component⇥3/26/2026 2:00:42 AM⇥5116 (0x13FC)`; blanks stand for the tabs where a program replaced them.
static COPIED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(.*?)(?:\t| {2,})([A-Za-z]\w{2,99})(?:\t| {2,})(\d{1,4}[-./]\d{1,2}[-./]\d{1,4} [^\t]{5,20}?)(?:\t| {2,})\d{1,10} \(0x[0-9A-Fa-f]{1,8}\)\s*$",
    )
    .expect("fixed pattern")
});

/// Whether a file begins as one of these logs does.
pub(super) fn recognise(head: &str) -> bool {
    let is = |line: &str| line.starts_with("<![LOG[") || line.contains("]LOG]!>") || line.contains("$$<");
    let mut lines = head.lines().filter(|line| !line.trim().is_empty()).take(400).map(is);
    // Stacks below an entry may outnumber entries.
    let first = lines.next().unwrap_or(false);
    let (all, known) =
        lines.fold((1, usize::from(first)), |(all, known), is| (all + 1, known + usize::from(is)));
    known > 0 && (first && known * 20 >= all || known * 2 >= all)
}

/// Reads a log to its end; `text` reads what is none of its lines.
pub(super) fn read(blocks: &mut Blocks<'_>, text: &mut Text<'_>) -> io::Result<()> {
    text.found.kind(Kind::ManagerLog);
    let mut rest = Rest::default();
    while let Some(block) = blocks.next()? {
        let mut page = Page::new(block.line, block.bytes);
        lines(&mut page, None, text.scanner);
        for (at, line) in page.lines.iter().enumerate() {
            if !page.claimed[at] && !line.trim().is_empty() {
                rest.line(page.number(at) - block.line, line.as_bytes());
            }
        }
        rest.hand_over(block.line, text);
    }
    Ok(())
}

/// Takes every line of these logs on a page; dates of copied ones are read in `order` where that is told.
pub(super) fn lines(page: &mut Page, order: Option<Order>, scanner: &mut Scanner) {
    let mut at = 0;
    while at < page.lines.len() {
        if page.claimed[at] {
            at += 1;
            continue;
        }
        let line = &page.lines[at];
        if let Some(begin) = line.strip_prefix("<![LOG[") {
            let last = (at..page.lines.len().min(at + LINES))
                .take_while(|&next| next == at || !page.lines[next].starts_with("<![LOG["))
                .find(|&next| page.lines[next].contains("]LOG]!>"));
            if let Some(last) = last {
                let joined = match last == at {
                    true => begin.to_string(),
                    false => format!("{begin}\n{}", page.lines[at + 1..=last].join("\n")),
                };
                if let Some(found) = TAGGED.captures(&joined) {
                    let text = &joined[..found.get(0).map_or(0, |whole| whole.start())];
                    let date = (&found[3], &found[4], &found[5]);
                    let when = moment(date, &found[1], found.get(2).map(|bias| bias.as_str()));
                    let level = match found.get(7).map_or("", |kind| kind.as_str()) {
                        "1" => "Info",
                        "2" => "Warning",
                        "3" => "Error",
                        _ => "",
                    };
                    entry(scanner, page.number(at), text, &found[6], level, when);
                    page.claim(at, last);
                    at = last + 1;
                    continue;
                }
            }
        } else if line.contains("$$<")
            && let Some(found) = PLAIN.captures(line)
        {
            let text = line[..found.get(0).map_or(0, |whole| whole.start())].to_string();
            let date = (&found[2], &found[3], &found[4]);
            let when = moment(date, &found[5], found.get(6).map(|bias| bias.as_str()));
            entry(scanner, page.number(at), &text, &found[1], "", when);
            page.claim(at, at);
        } else if line.trim_end().ends_with(')')
            && let Some(found) = COPIED.captures(line)
        {
            let (text, component) = (found[1].to_string(), found[2].to_string());
            entry(scanner, page.number(at), &text, &component, "", written(&found[3], order));
            page.claim(at, at);
        }
        at += 1;
    }
}

/// A local time and its distance from UTC in minutes, which is counted from the place to UTC: -60 stands east of it.
fn moment((month, day, year): (&str, &str, &str), time: &str, bias: Option<&str>) -> Option<When> {
    let civil: DateTime = format!("{year}-{month:0>2}-{day:0>2}T{time}").parse().ok()?;
    match bias {
        Some(bias) => When::east(civil, bias.parse::<i16>().ok()?.checked_neg()?),
        None => When::east(civil, 0).map(|when| When { zone: super::when::Zone::Untold, ..when }),
    }
}

fn entry(scanner: &mut Scanner, line: u64, text: &str, component: &str, level: &str, when: Option<When>) {
    // `~` and `~~` stand for line ends; those within stay, so that lines are counted right.
    scanner.manager_entry(line, text.trim_end_matches(['~', ' ', '\t', '\r', '\n']), component, level, when);
}
