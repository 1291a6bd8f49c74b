//! `gpresult`'s report, as HTML and as XML: the two policies that order cipher suites and curves. They are told by
//! their names where the report is English, and in any language by what their values hold.

use std::collections::HashMap;
use std::sync::LazyLock;

use memchr::{memchr, memchr3, memmem};
use regex::Regex;

use super::suites::{self, is_curves, is_suites};
use super::{Found, Kind, Statement, line_number, shown};

/// The longest value that is read of a policy, in bytes.
const VALUE: usize = 64 * 1024;
/// The most texts that are kept of one policy.
const TEXTS: usize = 4096;
/// The longest attribute that is looked through for its end.
const ATTRIBUTE: usize = 256 * 1024;
/// The most policies of one report, and the most of its GPOs.
const POLICIES: usize = 4096;

/// Which of the two policies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Suites,
    Curves,
}

/// What a name says. In other languages it says nothing.
fn by_name(name: &str) -> Option<Which> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("SSL Cipher Suite Order") {
        Some(Which::Suites)
    } else if name.eq_ignore_ascii_case("ECC Curve Order") {
        Some(Which::Curves)
    } else {
        None
    }
}

/// What a value says.
fn by_value(value: &str) -> Option<Which> {
    if is_suites(value) {
        Some(Which::Suites)
    } else if is_curves(value) {
        Some(Which::Curves)
    } else {
        None
    }
}

/// A text that was given, at most [`VALUE`] bytes of it, and how many characters it has in all.
#[derive(Clone, Default)]
struct Text {
    text: String,
    characters: u32,
    over: bool,
}

impl Text {
    fn push(&mut self, more: &str) {
        self.characters = self.characters.saturating_add(suites::characters(more));
        if self.text.len() + more.len() <= VALUE {
            self.text.push_str(more);
        } else {
            let mut end = VALUE.saturating_sub(self.text.len());
            while !more.is_char_boundary(end) {
                end -= 1;
            }
            self.text.push_str(&more[..end]);
            self.over = true;
        }
    }

    /// Without the blanks around it.
    fn trimmed(mut self) -> Self {
        let trimmed = self.text.trim();
        if trimmed.len() != self.text.len() {
            let around = suites::characters(&self.text) - suites::characters(trimmed);
            self.characters -= around.min(self.characters);
            self.text = trimmed.to_string();
        }
        self
    }
}

/// A policy as it was reported.
#[derive(Default)]
struct Policy {
    line: u64,
    name: String,
    state: String,
    gpo: String,
    values: Vec<Text>,
}

impl Policy {
    /// Which of the two it is.
    fn which(&self) -> Option<Which> {
        by_name(&self.name).or_else(|| self.values.iter().find_map(|value| by_value(&value.text)))
    }

    /// States it.
    fn tell(self, found: &mut Found) {
        let Some(which) = self.which() else { return };
        let line = line_number(self.line);
        let fits = |value: &&Text| by_value(&value.text) == Some(which);
        let mut values: Vec<&Text> = self.values.iter().filter(fits).collect();
        if values.is_empty() {
            // Under the policy's own name a list may hold what is no suite.
            values = self.values.iter().filter(|value| value.text.contains(',')).collect();
        }
        let over = values.iter().any(|value| value.over);
        // A list that has a row a name is as long as the line that it stands for.
        let characters = values.iter().fold(0u32, |sum, value| sum.saturating_add(value.characters));
        let characters =
            characters.saturating_add(u32::try_from(values.len().saturating_sub(1)).unwrap_or(0));
        let text = values.iter().map(|value| value.text.as_str()).collect::<Vec<_>>().join("\n");
        let (names, size) = suites::names(&text, over, line, found);
        let policy = shown(self.gpo.trim(), 200);
        let state = shown(self.state.trim(), 60);
        let statement = match which {
            Which::Suites => Statement::CipherOrder { policy, suites: names, characters, state },
            Which::Curves => Statement::CurveOrder { policy, curves: names, state },
        };
        found.list(line, size, statement);
    }
}

/// Whether `head` begins as a report in HTML does.
pub(super) fn recognise(head: &str) -> bool {
    static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--[^>]{0,500}-->\s*)?(?:<!doctype html|<html)")
            .expect("fixed pattern")
    });
    static OURS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)gpmc_|rsop").expect("fixed pattern"));
    BEGINS.is_match(head) && OURS.is_match(head)
}

/// Reads a report in HTML. `whole` says whether `text` is all of it.
pub(super) fn read(text: &str, whole: bool, found: &mut Found) {
    found.kind(Kind::GroupPolicy);
    let mut page = Page { text, bytes: text.as_bytes(), ..Page::default() };
    page.read(found);
    if whole && !page.ended {
        let line = line_number(page.line_of(text.len()));
        let given = "the end of the file before it".to_string();
        found.problem(line, "a report in HTML that goes on to `</html>`", given);
    }
}

/// Where a byte comes next, remembered: every byte of a report is looked at once however it is nested.
#[derive(Default)]
struct Next {
    at: Option<usize>,
    none: bool,
}

impl Next {
    fn after(&mut self, byte: u8, bytes: &[u8], from: usize) -> Option<usize> {
        if self.none {
            return None;
        }
        if self.at.is_none_or(|at| at < from) {
            self.at = memchr(byte, &bytes[from..]).map(|at| from + at);
            self.none = self.at.is_none();
        }
        self.at
    }
}

/// A report in HTML while it is read.
#[derive(Default)]
struct Page<'a> {
    text: &'a str,
    bytes: &'a [u8],
    counted: usize,
    line: u64,
    double: Next,
    single: Next,
    /// How many tables are open.
    depth: usize,
    /// The text since the last cell or row began.
    cell: Text,
    /// The cells of the row that is open.
    row: Vec<Text>,
    /// The cells of the row before it.
    before: Vec<Text>,
    row_at: u64,
    policy: Option<Open>,
    ended: bool,
}

/// The policy whose rows are being read.
struct Open {
    policy: Policy,
    depth: usize,
    /// Its own row, with its state and its GPO, has ended.
    headed: bool,
    /// How many bytes its values have.
    size: usize,
}

impl<'a> Page<'a> {
    fn line_of(&mut self, at: usize) -> u64 {
        if at > self.counted {
            self.line += memchr::memchr_iter(b'\n', &self.bytes[self.counted..at]).count() as u64;
            self.counted = at;
        }
        self.line + 1
    }

    fn read(&mut self, found: &mut Found) {
        let mut at = 0;
        while at < self.bytes.len() {
            let Some(open) = memchr(b'<', &self.bytes[at..]).map(|open| at + open) else { break };
            self.words(at, open);
            at = self.markup(open, found);
        }
        self.words(at.min(self.bytes.len()), self.bytes.len());
        self.end_row(found);
        self.end_policy(found);
    }

    /// Takes the text between two tags.
    fn words(&mut self, from: usize, to: usize) {
        if from < to && self.depth > 0 {
            let words = &self.text[from..to];
            if words.contains('&') {
                self.cell.push(&plain(words));
            } else {
                self.cell.push(words);
            }
        }
    }

    /// Takes a tag or a comment at `from`; answers where what follows it begins.
    fn markup(&mut self, from: usize, found: &mut Found) -> usize {
        let rest = &self.bytes[from..];
        if rest.starts_with(b"<!--") {
            return memmem::find(&rest[4..], b"-->").map_or(self.bytes.len(), |end| from + 4 + end + 3);
        }
        if !rest.get(1).is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'!' | b'?')) {
            self.words(from, from + 1);
            return from + 1;
        }
        // The end of the tag; a quotation mark that none closes, and another tag before the end, break it off.
        let mut at = from + 1;
        let (end, after) = loop {
            let Some(stop) = memchr3(b'>', b'<', b'"', &self.bytes[at..]).map(|stop| at + stop) else {
                return self.bytes.len();
            };
            let apostrophe = self.single.after(b'\'', self.bytes, at).filter(|&quote| quote < stop);
            let stop = apostrophe.unwrap_or(stop);
            match self.bytes[stop] {
                b'>' => break (stop, stop + 1),
                b'<' => break (stop, stop),
                quote => {
                    // An apostrophe within a word is none.
                    let is_value = self.bytes[from..stop].iter().rev().find(|b| !b.is_ascii_whitespace());
                    if is_value != Some(&b'=') {
                        at = stop + 1;
                        continue;
                    }
                    let next = if quote == b'"' { &mut self.double } else { &mut self.single };
                    match next.after(quote, self.bytes, stop + 1) {
                        Some(close) if close - stop <= ATTRIBUTE => at = close + 1,
                        _ => break (stop, stop + 1),
                    }
                }
            }
        };
        let tag = &self.text[from + 1..end];
        let (closing, tag) = match tag.strip_prefix('/') {
            Some(tag) => (true, tag),
            None => (false, tag),
        };
        let name_end = tag.bytes().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = tag[..name_end.min(12)].to_ascii_lowercase();
        match name.as_str() {
            "script" | "style" if !closing => return self.skip(after, &name),
            "table" => {
                self.end_row(found);
                if closing {
                    self.depth = self.depth.saturating_sub(1);
                    if self.policy.as_ref().is_some_and(|open| self.depth < open.depth) {
                        self.end_policy(found);
                    }
                } else {
                    self.depth += 1;
                }
            }
            "tr" => self.end_row(found),
            "td" | "th" | "div" | "p" | "li" => self.end_cell(),
            "br" => self.cell.push("\n"),
            "html" if closing => self.ended = true,
            _ => {}
        }
        if !closing && let Some(setting) = attribute(tag) {
            self.end_policy(found);
            let line = self.line_of(from);
            let policy = Policy { line, name: setting, ..Policy::default() };
            self.policy = Some(Open { policy, depth: self.depth, headed: false, size: 0 });
        }
        if self.row.is_empty() && self.cell.text.is_empty() {
            self.row_at = self.line_of(from);
        }
        after
    }

    /// Where a script or a style sheet ends.
    fn skip(&self, from: usize, name: &str) -> usize {
        let mut at = from;
        while let Some(close) = memmem::find(&self.bytes[at..], b"</") {
            let begins = at + close + 2;
            at = begins;
            let is_end = self.bytes[begins..]
                .get(..name.len())
                .is_some_and(|bytes| bytes.eq_ignore_ascii_case(name.as_bytes()));
            if is_end {
                return begins - 2;
            }
        }
        self.bytes.len()
    }

    fn end_cell(&mut self) {
        let cell = std::mem::take(&mut self.cell).trimmed();
        if !cell.text.is_empty() && self.row.len() < 64 {
            self.row.push(cell);
        }
    }

    fn end_row(&mut self, found: &mut Found) {
        self.end_cell();
        let row = std::mem::take(&mut self.row);
        if row.is_empty() {
            return;
        }
        match &mut self.policy {
            Some(open) if !open.headed => {
                open.headed = true;
                let mut cells = row.into_iter().skip(1);
                open.policy.state = cells.next().unwrap_or_default().text;
                open.policy.gpo = cells.next().unwrap_or_default().text;
            }
            Some(open) => {
                let values = &mut open.policy.values;
                if values.len() < TEXTS && open.size <= VALUE * 2 {
                    let kept = |cell: &Text| by_value(&cell.text).is_some() || cell.text.contains(',');
                    for cell in row.into_iter().filter(kept) {
                        open.size += cell.text.len();
                        values.push(cell);
                    }
                } else if let Some(last) = values.last_mut() {
                    last.over = true;
                }
            }
            None => {
                self.loose(&row, found);
                self.before = row;
            }
        }
    }

    /// A row that no policy's name stands before: a list of suites in it is the policy's value nevertheless.
    fn loose(&mut self, row: &[Text], found: &mut Found) {
        let Some(at) = row.iter().position(|cell| {
            by_value(&cell.text) == Some(Which::Suites) && (cell.text.contains(',') || row.len() > 1)
        }) else {
            return;
        };
        let of = |cells: &[Text], at: usize| cells.get(at).map_or_else(String::new, |cell| cell.text.clone());
        // Its own GPO stands behind it where a key of the registry was set, else its state and GPO in the row before.
        let (state, gpo) = match row.get(at + 1) {
            Some(gpo) => (String::new(), gpo.text.clone()),
            None => (of(&self.before, 1), of(&self.before, 2)),
        };
        let values = vec![row[at].clone()];
        Policy { line: self.row_at, name: String::new(), state, gpo, values }.tell(found);
    }

    fn end_policy(&mut self, found: &mut Found) {
        if let Some(open) = self.policy.take() {
            open.policy.tell(found);
        }
    }
}

/// The name of the policy that a tag introduces.
fn attribute(tag: &str) -> Option<String> {
    static SETTING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)\bgpmc_settingName\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"#)
            .expect("fixed pattern")
    });
    if tag.len() < 18 {
        return None;
    }
    let found = SETTING.captures(tag)?;
    let name = found.get(1).or(found.get(2)).or(found.get(3))?.as_str();
    Some(plain(&name.chars().take(300).collect::<String>()))
}

/// Text with the references in it resolved.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|b| b == b';');
        let resolved = end.and_then(|end| {
            let name = &rest[1..end];
            let c = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => ' ',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    if code == 0xa0 { ' ' } else { char::from_u32(code)? }
                }
            };
            Some((c, end + 1))
        });
        match resolved {
            Some((c, length)) => {
                out.push(c);
                rest = &rest[length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// A report in XML while the reader of XML goes through it.
#[derive(Default)]
pub(super) struct Report {
    /// Whether it is one.
    pub(super) seen: bool,
    /// GPOs by their identifiers.
    names: HashMap<String, String>,
    /// The identifier and the name of the GPO that is open.
    gpo: (String, String),
    open: Option<Setting>,
    settings: Vec<Setting>,
    /// How many bytes their values have.
    size: usize,
}

/// A policy in it.
struct Setting {
    /// How many elements are around it.
    depth: usize,
    policy: Policy,
    /// The identifier of its GPO.
    id: String,
    /// 1 wins.
    precedence: Option<u32>,
    size: usize,
}

impl Report {
    /// An element begins, `depth` elements deep.
    pub(super) fn start(&mut self, depth: usize, tag: &str, line: u64) {
        // The root, or below the `report` of several GPOs.
        self.seen |= depth < 2 && matches!(tag, "Rsop" | "GPO");
        if !self.seen || self.open.is_some() {
            return;
        }
        match tag {
            "Policy" | "RegistrySetting" => {
                let policy = Policy { line, ..Policy::default() };
                self.open = Some(Setting { depth, policy, id: String::new(), precedence: None, size: 0 });
            }
            "GPO" => self.gpo = Default::default(),
            _ => {}
        }
    }

    /// An element ends: those around it, and the text in it if it holds no others.
    pub(super) fn end<'t>(
        &mut self,
        around: impl DoubleEndedIterator<Item = &'t str>,
        depth: usize,
        tag: &str,
        text: Option<&str>,
    ) {
        if !self.seen {
            return;
        }
        let mut around = around.rev();
        let parent = around.next().unwrap_or_default();
        let text = text.map(str::trim);
        if let Some(setting) = &mut self.open {
            if depth == setting.depth {
                self.close(around.any(|tag| tag == "GPO") || parent == "GPO");
                return;
            }
            let Some(text) = text else { return };
            match (depth - setting.depth, tag) {
                (1, "Name") => setting.policy.name = shown(text, 300),
                (1, "State") => setting.policy.state = shown(text, 60),
                (1, "Precedence") => setting.precedence = text.parse().ok(),
                (_, "Identifier") if parent == "GPO" => setting.id = text.chars().take(100).collect(),
                (_, "Name") if parent == "GPO" => setting.policy.gpo = text.chars().take(300).collect(),
                (1, "Explain" | "Supported" | "Category" | "KeyPath") => {}
                (_, "Name" | "State" | "Domain") => {}
                _ if by_value(text).is_some() || text.contains(',') => {
                    let values = &mut setting.policy.values;
                    if values.len() < TEXTS && setting.size <= 2 * VALUE {
                        let mut value = Text::default();
                        value.push(text);
                        // What the reader of XML kept of it may be less.
                        value.over |= text.len() >= VALUE;
                        setting.size += value.text.len();
                        values.push(value);
                    } else if let Some(last) = values.last_mut() {
                        last.over = true;
                    }
                }
                _ => {}
            }
        } else if let Some(text) = text {
            let grandparent = around.next().unwrap_or_default();
            let short = || text.chars().take(300).collect();
            match tag {
                "Name" if parent == "GPO" => self.gpo.1 = short(),
                "Identifier" if parent == "GPO" || grandparent == "GPO" => self.gpo.0 = short(),
                _ => {}
            }
        } else if tag == "GPO" && self.names.len() < POLICIES {
            let (id, name) = self.gpo.clone();
            self.names.insert(id, name);
        }
    }

    /// A policy came to its end; `inside` says that it stands in its GPO.
    fn close(&mut self, inside: bool) {
        let Some(mut setting) = self.open.take() else { return };
        if inside && setting.policy.gpo.is_empty() && setting.id.is_empty() {
            setting.policy.gpo = self.gpo.1.clone();
        }
        let room = self.settings.len() < POLICIES && self.size < super::LISTS;
        if room && setting.policy.which().is_some() {
            self.size += setting.size;
            self.settings.push(setting);
        }
    }

    /// Hands over what was read: of one policy from several GPOs the one that wins.
    pub(super) fn finish(self, found: &mut Found) {
        if !self.seen {
            return;
        }
        found.kind(Kind::GroupPolicy);
        let first = |which: Option<Which>| {
            self.settings
                .iter()
                .filter(|setting| setting.policy.which() == which)
                .filter_map(|setting| setting.precedence)
                .min()
        };
        let (suites, curves) = (first(Some(Which::Suites)), first(Some(Which::Curves)));
        for mut setting in self.settings {
            let winner = match setting.policy.which() {
                Some(Which::Suites) => suites,
                _ => curves,
            };
            if setting.precedence.is_some() && setting.precedence != winner {
                continue;
            }
            if setting.policy.gpo.is_empty() {
                setting.policy.gpo = self.names.get(&setting.id).cloned().unwrap_or_default();
            }
            setting.policy.tell(found);
        }
    }
}
