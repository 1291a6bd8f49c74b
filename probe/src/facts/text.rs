//! Any other text: what people paste. Every reader of a printed form looks at it; what none of them claims is searched
//! for failures.

use std::io;

use super::copied::Copied;
use super::decode::Blocks;
use super::list::{self, Page};
use super::prints::Prints;
use super::registry::Registry;
use super::scan::{self, Scanner};
use super::suites::Suites;
use super::{Found, config, manager, netsh, nettest, powershell, resolve, server};

/// Reads a text to its end.
pub(super) fn read(
    blocks: &mut Blocks<'_>,
    scanner: &mut Scanner,
    events: &mut Copied<'_>,
    found: &mut Found,
) -> io::Result<()> {
    let mut state = (Registry::default(), Suites::default(), Prints::default());
    let result = pages(blocks, scanner, events, found, &mut state);
    let (mut registry, mut suites, prints) = state;
    registry.finish(blocks.ends_in_line(), found);
    suites.finish(found);
    prints.finish(found, scanner);
    result
}

fn pages(
    blocks: &mut Blocks<'_>,
    scanner: &mut Scanner,
    events: &mut Copied<'_>,
    found: &mut Found,
    (registry, suites, prints): &mut (Registry, Suites, Prints),
) -> io::Result<()> {
    let mut pairs = 0;
    while let Some(block) = blocks.next()? {
        let mut page = Page::new(block.line, block.bytes);
        let items = list::items(&page);
        registry.read(&mut page, found);
        super::registry::objects(&mut page, &items, found);
        suites.read(&mut page, &items, found);
        // What an event quotes is not what its server printed.
        events.read(&mut page, &items, scanner);
        // An error first: the empty properties that follow it say nothing more.
        powershell::read(&mut page, found);
        config::read(&mut page, &items, found);
        netsh::read(&mut page, found);
        nettest::read(&mut page, &items, found);
        resolve::read(&mut page, &items, found);
        server::read(&mut page, &items, found);
        prints.read(&mut page, &items, found);
        manager::lines(&mut page, events.order(), scanner);
        entries(&page, scanner);
        broken(&page, scanner, &mut pairs);
        // A value that the console's width has cut in two.
        for item in items.iter().filter(|item| item.last > item.at && !page.claimed[item.at]) {
            let apart = page.lines[item.at..=item.last].join("\n");
            if !Scanner::knows(&apart) && Scanner::knows(&item.value) {
                scanner.text_entry(page.number(item.at), &item.value);
            }
        }
    }
    Ok(())
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
