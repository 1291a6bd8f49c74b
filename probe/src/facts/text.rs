//! Any other text: what people paste. Every reader of a printed form looks at it; what none of them claims is searched
//! for failures.

use std::io;

use super::decode::Blocks;
use super::list::{self, Item, Page};
use super::prints::Prints;
use super::registry::Registry;
use super::scan::Scanner;
use super::suites::Suites;
use super::{Found, config, netsh, nettest, powershell, resolve, server};

/// Reads a text to its end; returns how many lines it has.
pub(super) fn read(blocks: &mut Blocks, scanner: &mut Scanner, found: &mut Found) -> io::Result<u64> {
    let mut state = (Registry::default(), Suites::default(), Prints::default());
    let result = pages(blocks, scanner, found, &mut state);
    let (mut registry, mut suites, prints) = state;
    registry.finish(blocks.ends_in_line(), found);
    suites.finish(found);
    prints.finish(found, scanner);
    result.map(|()| blocks.lines())
}

fn pages(
    blocks: &mut Blocks,
    scanner: &mut Scanner,
    found: &mut Found,
    (registry, suites, prints): &mut (Registry, Suites, Prints),
) -> io::Result<()> {
    while let Some(block) = blocks.next()? {
        let mut page = Page::new(block.line, block.bytes);
        let items = list::items(&page);
        registry.read(&mut page, found);
        super::registry::objects(&mut page, &items, found);
        suites.read(&mut page, &items, found);
        // An error first: the empty properties that follow it say nothing more.
        powershell::read(&mut page, found);
        config::read(&mut page, &items, found);
        netsh::read(&mut page, found);
        nettest::read(&mut page, &items, found);
        resolve::read(&mut page, &items, found);
        server::read(&mut page, &items, found);
        prints.read(&mut page, &items, found);
        events(&mut page, &items, scanner);
        entries(&page, scanner);
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

/// `Get-WinEvent | Format-List`: the number tells what the message says, in whatever language it is.
fn events(page: &mut Page, items: &[Item], scanner: &mut Scanner) {
    for event in items.chunk_by(|one, next| one.list == next.list) {
        let value = |name: &str| event.iter().find(|item| item.name == name);
        let ours = value("ProviderName")
            .or(value("Source"))
            .is_some_and(|item| item.value.contains("Update Services"));
        let id =
            value("Id").or(value("EventID")).or(value("InstanceId")).and_then(|item| item.value.parse().ok());
        if let (true, Some(id), Some(message)) = (ours, id, value("Message")) {
            scanner.event(page.number(message.at), None, id, &message.value);
            for item in event {
                page.claim(item.at, item.last);
            }
        }
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
