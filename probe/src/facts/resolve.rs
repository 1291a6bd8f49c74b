//! `Resolve-DnsName`: tables and lists of records, and its errors.

use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

use super::list::{Item, Page};
use super::{Found, Kind, Statement, line_number, shown};
use crate::evidence::NameAnswer;

/// One question and what came.
struct Asked {
    line: Option<u32>,
    name: String,
    aliases: Vec<String>,
    addresses: Vec<IpAddr>,
}

/// Reads answers and errors from a page.
pub(super) fn read(page: &mut Page, items: &[Item], found: &mut Found) {
    let mut records = Vec::new();
    tables(page, &mut records);
    lists(page, items, &mut records);
    records.sort_by_key(|record: &Record| record.at);
    // The text ends within a record, whose address may have stood below.
    let open = records.last().is_some_and(|record| {
        let below = &page.lines[record.at + 1..];
        let another =
            below.iter().skip_while(|line| !line.trim().is_empty()).any(|line| !line.trim().is_empty());
        is_end(below)
            && match record.value {
                Value::Missing => true,
                Value::Alias(_) => another,
                Value::Address(_) | Value::Other => false,
            }
    });
    let mut asked: Vec<Asked> = Vec::new();
    for Record { at, name, value } in records {
        let known = asked.iter().rposition(|asked| {
            asked.name.eq_ignore_ascii_case(&name)
                || asked
                    .aliases
                    .iter()
                    .any(|alias| alias.eq_ignore_ascii_case(&name) || is_cut_from(alias, &name))
        });
        let open = match known {
            Some(known) => known,
            None if asked.len() >= 64 => continue,
            None => {
                let line = line_number(page.number(at));
                let name = name.clone();
                asked.push(Asked { line, name, aliases: Vec::new(), addresses: Vec::new() });
                asked.len() - 1
            }
        };
        let open = &mut asked[open];
        if let Some(cut) = open.aliases.iter_mut().find(|alias| is_cut_from(alias, &name)) {
            cut.clone_from(&name);
        }
        match value {
            Value::Address(address) if open.addresses.len() < 256 => open.addresses.push(address),
            Value::Alias(alias) if open.aliases.len() < 16 => open.aliases.push(alias),
            _ => {}
        }
    }
    let last = asked.len().saturating_sub(1);
    for (index, Asked { line, name, aliases, addresses }) in asked.into_iter().enumerate() {
        if index == last && open && addresses.is_empty() {
            found.kind(Kind::NameLookup);
            found.problem(line, "the whole answer", "one that ends within a record".into());
            continue;
        }
        // Where the chain goes on is not known, and so is not whether it ends in an address.
        if addresses.is_empty() && aliases.iter().any(|alias| is_cut(alias)) {
            found.kind(Kind::NameLookup);
            let expected = "names as a whole (print them with Format-List)";
            found.problem(line, expected, "an alias that the width of the table has cut".into());
            continue;
        }
        let answer = if addresses.is_empty() {
            NameAnswer::NoAddress
        } else {
            NameAnswer::Addresses {
                addresses,
                canonical: aliases.last().filter(|alias| !is_cut(alias)).map(|alias| shown(alias, 255)),
            }
        };
        found.kind(Kind::NameLookup);
        found.fact(line, None, Statement::Resolved { name: shown(&name, 255), answer });
    }
    errors(page, found);
}

/// Whether lines are nothing but what may stand in a record, the last one cut perhaps.
fn is_end(lines: &[String]) -> bool {
    const NAMES: [&str; 8] =
        ["Name", "QueryType", "TTL", "Section", "IP4Address", "IP6Address", "IPAddress", "NameHost"];
    lines.iter().all(|line| {
        let name = line.split(':').next().unwrap_or_default().trim();
        NAMES.iter().any(|known| known.starts_with(name))
    })
}

/// What a table's width has left of a name: it ends in dots, or at a dot where the rest is on the next line.
fn is_cut(alias: &str) -> bool {
    alias.ends_with(['.', '\u{2026}'])
}

/// Whether a table's width has made `alias` of `name`.
fn is_cut_from(alias: &str, name: &str) -> bool {
    let left = alias.trim_end_matches(['.', '\u{2026}']);
    let begins = name.get(..left.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(left));
    is_cut(alias) && !left.is_empty() && begins && name.len() > left.len()
}

enum Value {
    Address(IpAddr),
    Alias(String),
    /// What the record holds does not stand there.
    Missing,
    /// Of a kind that holds neither.
    Other,
}

struct Record {
    at: usize,
    name: String,
    value: Value,
}

fn value_of(text: &str) -> Value {
    match text.parse::<IpAddr>() {
        Ok(address) => Value::Address(address),
        Err(_) if text.is_empty() => Value::Missing,
        Err(_) => Value::Alias(text.to_string()),
    }
}

/// `Name Type TTL Section IPAddress`, and `NameHost` in its place.
fn tables(page: &mut Page, records: &mut Vec<Record>) {
    let mut open = false;
    for at in 0..page.lines.len() {
        let words: Vec<&str> = page.lines[at].split_whitespace().take(7).collect();
        match words[..] {
            ["Name", "Type", "TTL", "Section", ..] => open = true,
            [name, kind, ttl, _, ref rest @ ..] if open && ttl.bytes().all(|b| b.is_ascii_digit()) => {
                let value = rest.first().copied().unwrap_or_default();
                match kind {
                    "A" | "AAAA" if value.parse::<IpAddr>().is_ok() => {
                        records.push(Record { at, name: name.into(), value: value_of(value) });
                    }
                    "CNAME" => records.push(Record { at, name: name.into(), value: value_of(value) }),
                    "SOA" => records.push(Record { at, name: name.into(), value: Value::Other }),
                    _ => continue,
                }
            }
            [dashes, ..] if open && dashes.bytes().all(|b| b == b'-') => {}
            [] => continue,
            _ => {
                open = false;
                continue;
            }
        }
        page.claim(at, at);
    }
}

/// `Name : …`, `QueryType : A`, `IP4Address : …`.
fn lists(page: &mut Page, items: &[Item], records: &mut Vec<Record>) {
    for (index, kind) in items.iter().enumerate().filter(|(_, item)| item.name == "QueryType") {
        let same = |other: &&Item| other.list == kind.list;
        let Some(name) =
            items[..index].iter().rev().take(16).take_while(same).find(|item| item.name == "Name")
        else {
            continue;
        };
        let later =
            items[index + 1..].iter().take(16).take_while(same).take_while(|item| item.name != "Name");
        let mut value = if kind.value == "SOA" { Value::Other } else { Value::Missing };
        for item in later {
            let fits = matches!(item.name.as_str(), "IP4Address" | "IP6Address" | "IPAddress" | "NameHost");
            if fits {
                value = value_of(&item.value);
            }
            if fits || matches!(item.name.as_str(), "TTL" | "Section") {
                page.claim(item.at, item.last);
            }
        }
        page.claim(name.at, name.last);
        page.claim(kind.at, kind.last);
        if matches!(kind.value.as_str(), "A" | "AAAA" | "CNAME" | "SOA") {
            records.push(Record { at: name.at, name: name.value.clone(), value });
        }
    }
}

/// `Resolve-DnsName : NAME : DNS name does not exist`, the error's id deciding where there is one.
fn errors(page: &mut Page, found: &mut Found) {
    static FIRST: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^Resolve-DnsName ?: ([^\s:]{1,255}) ?:\s*(.*)$").expect("fixed pattern")
    });
    static TARGET: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\(([^\s():]{1,255}):String\) \[Resolve-DnsName\]").expect("fixed pattern")
    });
    let mut at = 0;
    while at < page.lines.len() {
        let line = &page.lines[at];
        if !(line.starts_with("Resolve-DnsName :") || line.starts_with("Resolve-DnsName:")) {
            at += 1;
            continue;
        }
        let first = FIRST.captures(line);
        let mut end = at + 1;
        while end < page.lines.len() && end < at + 12 {
            let line = page.lines[end].trim();
            if line.is_empty() || line.starts_with("Resolve-DnsName") {
                break;
            }
            end += 1;
        }
        let block = page.lines[at..end].join("\n");
        let name = match (&first, TARGET.captures(&block)) {
            (Some(first), _) => first[1].to_string(),
            (None, Some(target)) => target[1].to_string(),
            (None, None) => String::new(),
        };
        let answer = if block.contains("DNS_ERROR_RCODE_NAME_ERROR")
            || block.contains("DNS name does not exist")
        {
            NameAnswer::NotFound
        } else if block.contains("DNS_INFO_NO_RECORDS") || block.contains("No records found") {
            NameAnswer::NoAddress
        } else if block.contains("DNS_ERROR_RCODE_SERVER_FAILURE") || block.contains("DNS server failure") {
            NameAnswer::ServerFailure
        } else if block.contains("DNS_ERROR_RCODE_REFUSED") || block.contains("DNS operation refused") {
            NameAnswer::Refused
        } else if block.contains("ERROR_TIMEOUT") || block.contains("timeout period expired") {
            NameAnswer::Timeout
        } else {
            let why =
                first.as_ref().map_or(line.as_str(), |first| first.get(2).map_or("", |rest| rest.as_str()));
            NameAnswer::Failed { why: shown(why, 200) }
        };
        found.kind(Kind::NameLookup);
        found.fact(
            line_number(page.number(at)),
            None,
            Statement::Resolved { name: shown(&name, 255), answer },
        );
        page.claim(at, end - 1);
        at = end;
    }
}
