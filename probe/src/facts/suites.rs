//! Lists of cipher suites: what `Get-TlsCipherSuite` prints, and what stands in the policy's editor.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use regex::Regex;

use super::decode::LONG;
use super::list::{Item, Page};
use super::{Found, Kind, Statement, line_number, shown};
use crate::codec::tls::SUITES;

/// The most names that are kept of one list.
pub(super) const NAMES: usize = 2000;
/// The longest name.
pub(super) const NAME: usize = 200;

/// Whether `word` is written as the name of a suite is. Whether there is such a suite is not asked.
pub(super) fn is_suite(word: &str) -> bool {
    (6..=120).contains(&word.len())
        && word
            .get(..4)
            .is_some_and(|head| head.eq_ignore_ascii_case("TLS_") || head.eq_ignore_ascii_case("SSL_"))
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether `word` is the name of a curve in Windows.
pub(super) fn is_curve(word: &str) -> bool {
    static CURVE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)^(?:curve25519|x25519|curve448|nistp\d{3}|brainpoolp\d{3}[rt]1|secp\d{3}[rk][12]|ec\d{3}wapi|wtls\d{1,2}|x962p\d{3}v\d|numsp\d{3}t1)$",
        )
        .expect("fixed pattern")
    });
    word.len() <= 20 && CURVE.is_match(word)
}

/// How many characters a policy's list has where its editor may have cut it.
const EDITED: usize = 1000;

/// Whether nothing but the rest of a name is missing: a name of a suite begins with it, and none is it.
fn is_cut(name: &str) -> bool {
    /// Every name that is known, and those that say a curve.
    static WHOLE: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let ends = ["", "_P256", "_P384", "_P521"];
        SUITES.iter().flat_map(|suite| ends.map(|end| format!("{}{end}", suite.name))).collect()
    });
    if name.ends_with("...") || name.ends_with('\u{2026}') {
        return true;
    }
    let name = name.to_ascii_uppercase();
    let next = WHOLE.range(name.clone()..).next();
    !name.is_empty() && next.is_some_and(|next| next.len() > name.len() && next.starts_with(&name))
}

/// Whether a list was cut or broken on its way: one of its names is not whole. Where the policy's editor cuts, the last
/// one stands so in the policy itself.
pub(super) fn is_broken(names: &[impl AsRef<str>]) -> bool {
    let size: usize = names.iter().map(|name| name.as_ref().len() + 1).sum();
    let own = usize::from(size > EDITED);
    names.iter().rev().skip(own).any(|name| is_cut(name.as_ref().trim_matches([' ', '\t'])))
}

/// Reports a list with a name that is not whole.
pub(super) fn broken(line: Option<u32>, found: &mut Found) {
    found.problem(line, "the whole list of cipher suites", "one with a name that is cut in two".into());
}

/// What separates the words of a list, whatever else stands between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\t', '\r', '\n', ';']).filter(|word| !word.is_empty())
}

/// Whether at least half of the words of `text` are names of suites.
pub(super) fn is_suites(text: &str) -> bool {
    let (mut all, mut ours) = (0, 0);
    for word in words(text).take(NAMES) {
        all += 1;
        ours += usize::from(is_suite(word));
    }
    ours > 0 && ours * 2 >= all
}

/// Whether every word of `text` is the name of a curve.
pub(super) fn is_curves(text: &str) -> bool {
    let mut words = words(text).take(NAMES).peekable();
    words.peek().is_some() && words.all(is_curve)
}

/// The names of a list that commas or line ends part, and how many bytes they have. `over` says that more stood there
/// than was kept; this and too many names are reported.
pub(super) fn names(text: &str, over: bool, line: Option<u32>, found: &mut Found) -> (Vec<String>, usize) {
    let mut parts = text.split([',', '\r', '\n']).map(str::trim).filter(|part| !part.is_empty());
    let names: Vec<String> = parts.by_ref().take(NAMES).map(|part| shown(part, NAME)).collect();
    if over || parts.next().is_some() {
        too_long(line, names.len(), found);
    }
    let size = names.iter().map(String::len).sum();
    (names, size)
}

/// Reports a list that is longer than what is kept.
pub(super) fn too_long(line: Option<u32>, kept: usize, found: &mut Found) {
    let longer = format!("a longer one, of which {kept} names were kept");
    found.problem(line, "a list of at most 2000 names in 64 KiB", longer);
}

/// How many characters `text` has.
pub(super) fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// The listing of `Get-TlsCipherSuite` that is being read, on however many pages.
#[derive(Default)]
pub(super) struct Suites {
    names: Vec<String>,
    known: HashSet<String>,
    at: u64,
    over: bool,
}

impl Suites {
    /// Reads everything of the kind on a page.
    pub(super) fn read(&mut self, page: &mut Page, items: &[Item], found: &mut Found) {
        self.records(page, items, found);
        self.tables(page, found);
        self.lists(page, found);
    }

    /// Takes the next name of a listing; one that came already begins another listing.
    pub(super) fn take(&mut self, line: u64, name: &str, found: &mut Found) {
        let name = shown(name, NAME);
        if self.known.contains(&name.to_ascii_uppercase()) {
            self.finish(found);
        }
        if self.names.is_empty() {
            self.at = line;
        }
        if self.names.len() >= NAMES {
            self.over = true;
            return;
        }
        self.known.insert(name.to_ascii_uppercase());
        self.names.push(name);
    }

    /// Hands over the listing that is open.
    pub(super) fn finish(&mut self, found: &mut Found) {
        let Suites { names, at, over, .. } = std::mem::take(self);
        if names.is_empty() {
            return;
        }
        found.kind(Kind::CipherSuites);
        let line = line_number(at);
        if over {
            too_long(line, names.len(), found);
        }
        let size = names.iter().map(String::len).sum();
        found.list(line, size, Statement::CipherSuites { names });
    }

    /// The default form: a record a suite.
    fn records(&mut self, page: &mut Page, items: &[Item], found: &mut Found) {
        for record in items.chunk_by(|one, next| one.list == next.list) {
            let mut ours = false;
            for item in record.iter().filter(|item| item.name == "Name" && is_suite(&item.value)) {
                self.take(page.number(item.at), &item.value, found);
                ours = true;
            }
            for item in record.iter().filter(|_| ours) {
                page.claim(item.at, item.last);
            }
        }
    }

    /// `Format-Table` with the column `Name`.
    fn tables(&mut self, page: &mut Page, found: &mut Found) {
        let mut at = 1;
        while at < page.lines.len() {
            let rule = page.lines[at].trim();
            let head = &page.lines[at - 1];
            let is_table = rule.starts_with('-')
                && rule.bytes().all(|b| matches!(b, b'-' | b' '))
                && head.len() < 1000
                && head.split_whitespace().any(|word| word.eq_ignore_ascii_case("Name"));
            let from = at + 1;
            at += 1;
            if !is_table {
                continue;
            }
            let (mut rows, mut cut) = (0, None);
            while let Some(row) = page.lines.get(at) {
                let name = row.split_whitespace().take(32).find_map(|word| {
                    let whole = word.trim_end_matches(['.', '…']);
                    is_suite(whole).then_some((whole, whole.len() < word.len()))
                });
                let Some((name, is_cut)) = name else { break };
                if rows == 0 {
                    self.finish(found);
                }
                rows += 1;
                if is_cut {
                    cut.get_or_insert(at);
                } else {
                    let name = name.to_string();
                    self.take(page.number(at), &name, found);
                }
                at += 1;
            }
            if rows > 0 {
                page.claim(from - 2, at - 1);
                found.kind(Kind::CipherSuites);
            }
            if let Some(cut) = cut {
                let given = format!(
                    "`{}`, which the table cuts off (print it with Format-List Name)",
                    shown(page.lines[cut].trim(), 80)
                );
                found.problem(line_number(page.number(cut)), "whole names of cipher suites", given);
            }
        }
    }

    /// Lines that hold nothing but names. With commas they are what the policy holds; names alone, one a line, are what
    /// `(Get-TlsCipherSuite).Name` prints.
    fn lists(&mut self, page: &mut Page, found: &mut Found) {
        let alone = page.first == 1 && page.lines.iter().filter(|line| !line.trim().is_empty()).count() == 1;
        let mut at = 0;
        while at < page.lines.len() {
            let Some(first) = (!page.claimed[at]).then(|| beginning(&page.lines[at])).flatten() else {
                at += 1;
                continue;
            };
            let (mut text, mut last, mut count) = (first.to_string(), at, 1);
            let mut over = page.over.contains(&at);
            let mut next = at + 1;
            while next < page.lines.len() && !page.claimed[next] {
                let line = &page.lines[next];
                if line.trim().is_empty() {
                    if !text.ends_with(',') || next - last > 3 {
                        break;
                    }
                } else if is_list(line) {
                    over |= page.over.contains(&next);
                    if text.len() + line.len() <= LONG {
                        text.push('\n');
                        text.push_str(line.trim());
                    } else {
                        over = true;
                    }
                    (last, count) = (next, count + 1);
                } else {
                    break;
                }
                next += 1;
            }
            let number = page.number(at);
            let several = words(&text).nth(1).is_some();
            if !several && !alone {
                at = last + 1;
                continue;
            }
            let listing = count > 1 && text.lines().all(|line| is_suite(line.trim()));
            if listing {
                self.finish(found);
                for name in text.lines() {
                    self.take(number, name.trim(), found);
                }
                self.over |= over;
                self.finish(found);
            } else {
                found.kind(Kind::GroupPolicy);
                let line = line_number(number);
                let (suites, size) = names(&text, over, line, found);
                page.claim(at, last);
                at = last + 1;
                if is_broken(&suites) {
                    broken(line, found);
                    continue;
                }
                let characters = characters(&text);
                let (policy, state) = (String::new(), String::new());
                found.list(line, size, Statement::CipherOrder { policy, suites, characters, state });
                continue;
            }
            page.claim(at, last);
            at = last + 1;
        }
    }
}

/// The list that a line holds, behind a label or without one.
fn beginning(line: &str) -> Option<&str> {
    static LABEL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*(?:[^,:=]{1,60}\s*[:=]|Functions\s+REG_SZ)\s*").expect("fixed pattern")
    });
    let text = line.trim().trim_matches(['"', '\'']);
    if text.len() < 6 {
        return None;
    }
    if is_suite(text.split([',', ' ', '\t', ';']).next().unwrap_or_default()) {
        return is_list(text).then_some(text);
    }
    let rest = &text[LABEL.find(text)?.end()..];
    let rest = rest.trim_matches(['"', '\'']);
    let begins = is_suite(rest.split([',', ' ', '\t', ';']).next().unwrap_or_default());
    (begins && rest.contains(',') && is_list(rest)).then_some(rest)
}

/// Whether a line has nothing but what lists are made of, and names of suites as at least half of it.
fn is_list(line: &str) -> bool {
    let plain = |b: u8| {
        b.is_ascii_alphanumeric()
            || matches!(b, b'_' | b'-' | b'.' | b'/' | b'+' | b',' | b' ' | b'\t' | b';')
    };
    line.trim().bytes().all(plain) && is_suites(line)
}
