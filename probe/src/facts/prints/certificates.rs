//! Certificates in the stores of Windows: `certutil -store`, in any language, and `Get-ChildItem Cert:`.

use std::sync::LazyLock;

use regex::Regex;

use super::{Prints, Record};
use crate::facts::list::Page;
use crate::facts::wrapping::is_prompt;
use crate::facts::{Found, Kind, Statement, StoreAccount, line_number, shown};

/// The longest name of a subject or an issuer.
pub(super) const NAME: usize = 300;

/// A store, and whose it is.
#[derive(Clone)]
struct Place {
    /// The index of the line from which on it holds.
    at: usize,
    account: StoreAccount,
    store: String,
}

/// The stores that commands and headings on a page name.
#[derive(Default)]
pub(super) struct Places {
    places: Vec<Place>,
    /// Where a list of certutil began whose end was not seen yet.
    open: Option<Option<u32>>,
    /// The first lines that show a part of a store alone, and why they do.
    parts: Vec<(Option<u32>, &'static str)>,
}

/// The most parts of stores that are told of one file.
const PARTS: usize = 16;
/// Why a printout is a part of a store.
const CUT: &str = "certutil's list ends before its end";
const SELECTED: &str = "the command asks for some of its certificates";

/// Whether a call asks for some of a store's certificates, or passes them through a filter.
fn selects(text: &str) -> bool {
    static FILTER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)\|\s*(?:where\b|where-object\b|\?|findstr\b|find\b|sls\b|select-string\b|select(?:-object)?\b[^|]*-(?:first|last|skip|index)\b)|\s-(?:dnsname|eku|expiringindays|sslserverauthentication|codesigningcert|include|exclude|filter)\b",
        )
        .expect("fixed pattern")
    });
    static NAMED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)\bcert:[\\/]\w+[\\/]\w+[\\/][0-9a-f]{40}").expect("fixed pattern"));
    // Behind the store certutil takes which certificate; a redirection is none.
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\bcertutil(?:\.exe)?\b.*?[-/](?:view)?store\b([^|<>&]*?)(?:\s[12])?\s*(?:$|[|<>&])")
            .expect("fixed pattern")
    });
    let named = CALL.captures(text).is_some_and(|parts| {
        parts[1].split_whitespace().filter(|word| !word.starts_with(['-', '/'])).count() > 1
    });
    named || FILTER.is_match(text) || NAMED.is_match(text)
}

/// The store that a path of PowerShell names: `Cert:\LocalMachine\Root`, `Certificate::CurrentUser\My`.
fn path(text: &str) -> Option<(StoreAccount, String)> {
    static PATH: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)(?:\bcert:[\\/]|Certificate::)(LocalMachine|CurrentUser)[\\/]([A-Za-z][A-Za-z0-9_-]*)",
        )
        .expect("fixed pattern")
    });
    let parts = text.contains("ert").then(|| PATH.captures(text)).flatten()?;
    let machine = parts[1].eq_ignore_ascii_case("LocalMachine");
    let account = if machine { StoreAccount::Machine } else { StoreAccount::User };
    Some((account, parts[2].to_string()))
}

/// The store that a call of certutil names.
fn call(text: &str) -> Option<(StoreAccount, String)> {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\bcertutil(?:\.exe)?\b(.*?)[-/](?:view)?store\b(.*)$").expect("fixed pattern")
    });
    let parts = text.contains("store").then(|| CALL.captures(text)).flatten()?;
    let options = format!("{} {}", &parts[1], &parts[2]).to_ascii_lowercase();
    let has = |names: &[&str]| {
        options.split_whitespace().any(|word| names.contains(&word.trim_start_matches(['-', '/'])))
    };
    let account = if has(&["user"]) {
        StoreAccount::User
    } else if has(&["enterprise", "grouppolicy", "service"]) {
        StoreAccount::Unknown
    } else {
        StoreAccount::Machine
    };
    let mut words = parts[2].split_whitespace().filter(|word| !word.starts_with(['-', '/']));
    Some((account, words.next().unwrap_or("CA").trim_matches(['"', '\'']).to_string()))
}

/// The heading of certutil's list of a store: `Root "Trusted Root Certification Authorities"`.
fn heading(page: &Page, at: usize) -> Option<String> {
    static HEADING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^\s{0,4}([A-Za-z][A-Za-z0-9_-]{0,40})(?: "[^"]*")?\s*$"#).expect("fixed pattern")
    });
    let line = page.lines.get(at).filter(|line| line.len() < 200)?;
    let next = page.lines[at + 1..].iter().take(2).find(|line| !line.trim().is_empty())?;
    if !is_rule(next) {
        return None;
    }
    HEADING.captures(line).map(|parts| parts[1].to_string())
}

/// `================ Certificate 0 ================`, whatever the word is.
fn is_rule(line: &str) -> bool {
    static RULE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\s{0,4}={4,40} [^=]+ [0-9]{1,6} ={4,40}\s*$").expect("fixed pattern"));
    line.len() < 200 && line.contains("====") && RULE.is_match(line)
}

impl Places {
    /// Looks for what names a store on a page. `command` is what the whole text came from, where that is known.
    pub(super) fn look(&mut self, page: &Page, command: Option<&str>) {
        let before = self.places.pop().map(|place| Place { at: 0, ..place });
        self.places.clear();
        self.places.extend(before);
        if page.first == 1
            && let Some((account, store)) = command.and_then(|text| call(text).or_else(|| path(text)))
        {
            self.places.push(Place { at: 0, account, store });
        }
        for (at, line) in page.lines.iter().enumerate() {
            let short = line.len() < 1000;
            // A prompt before the end of a list: somebody has cut it, or stopped it.
            if short
                && is_prompt(line)
                && let Some(begun) = self.open.take()
            {
                self.part(begun, CUT);
            }
            if is_rule(line) {
                self.open.get_or_insert(line_number(page.number(at)));
            } else if line.starts_with("CertUtil:") {
                self.open = None;
            }
            // certutil's last line names its verb as a call does.
            let ended = line.starts_with("CertUtil:");
            let asked = (short && !ended).then(|| call(line).or_else(|| path(line))).flatten();
            if asked.is_some() && selects(line) {
                self.part(line_number(page.number(at)), SELECTED);
            }
            if let Some((account, store)) = asked {
                self.places.push(Place { at, account, store });
            } else if ended || short && is_prompt(line) {
                self.places.push(Place { at, account: StoreAccount::Unknown, store: String::new() });
            } else if let Some(store) = heading(page, at) {
                // The call right above says whose store it is; the heading itself does not.
                let account = match self.places.last() {
                    Some(place) if place.store.eq_ignore_ascii_case(&store) => place.account,
                    _ => StoreAccount::Unknown,
                };
                self.places.push(Place { at, account, store });
            }
        }
    }

    /// Notes that what a file shows from a line on is a part of a store.
    fn part(&mut self, line: Option<u32>, why: &'static str) {
        if self.parts.len() < PARTS {
            self.parts.push((line, why));
        }
    }

    /// States which stores are shown in part, at the end of the file.
    pub(super) fn finish(mut self, found: &mut Found) {
        if let Some(begun) = self.open.take() {
            self.part(begun, CUT);
        }
        for (line, why) in self.parts {
            found.fact(line, None, Statement::PartOfStore { why: why.into() });
        }
    }

    /// The store that the line at an index belongs to.
    fn of(&self, at: usize) -> (StoreAccount, String) {
        let upto = self.places.partition_point(|place| place.at <= at);
        match upto.checked_sub(1).and_then(|last| self.places.get(last)) {
            Some(place) => (place.account, shown(&place.store, 60)),
            None => (StoreAccount::Unknown, String::new()),
        }
    }
}

/// A fingerprint of SHA-1 without its blanks; empty where it is none.
fn fingerprint(text: &str) -> String {
    let text: String = text.chars().filter(|c| !matches!(c, ' ' | ':' | '\u{200e}')).take(41).collect();
    let is_one = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_one { text.to_ascii_lowercase() } else { String::new() }
}

/// An object that is a certificate.
pub(super) fn record(record: &Record, found: &mut Found, prints: &mut Prints) -> bool {
    let (Some(thumbprint), Some(subject)) = (record.get("Thumbprint"), record.get("Subject")) else {
        return false;
    };
    let fingerprint = fingerprint(thumbprint);
    if fingerprint.is_empty() {
        return false;
    }
    found.kind(Kind::Certificates);
    let own = record.get("PSParentPath").or(record.get("PSPath")).and_then(path);
    let asked = || found.command.as_deref().filter(|_| prints.places.places.is_empty()).and_then(path);
    let (account, store) = own.or_else(asked).unwrap_or_else(|| prints.places.of(record.at));
    let private_key = match record.get("HasPrivateKey") {
        Some(value) if value.eq_ignore_ascii_case("true") => Some(true),
        Some(value) if value.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    };
    let text = |name: &str| shown(record.get(name).unwrap_or_default(), NAME);
    let date = |name: &str| record.get(name).unwrap_or_default().to_string();
    let statement = Statement::StoredCertificate {
        account,
        store: shown(&store, 60),
        subject: shown(subject, NAME),
        issuer: text("Issuer"),
        fingerprint,
        not_before: None,
        not_after: None,
        private_key,
        der: String::new(),
    };
    keep(prints, record.line, statement, [date("NotBefore"), date("NotAfter")]);
    true
}

fn keep(prints: &mut Prints, line: Option<u32>, statement: Statement, valid: [String; 2]) {
    valid.iter().for_each(|date| prints.dates.learn(date));
    if let Some(waiting) = prints.wait(line, statement, "") {
        waiting.valid = valid.map(|date| date.chars().take(60).collect());
    }
}

/// What certutil prints of one certificate: the lines from its rule to the next one or to the end.
pub(super) fn read(page: &mut Page, found: &mut Found, prints: &mut Prints) {
    let mut at = 0;
    while at < page.lines.len() {
        if !is_rule(&page.lines[at]) {
            at += 1;
            continue;
        }
        let mut end = at + 1;
        while end < page.lines.len()
            && end < at + 60
            && !is_rule(&page.lines[end])
            && !is_prompt(&page.lines[end])
            && !page.lines[end].starts_with("CertUtil:")
        {
            end += 1;
        }
        found.kind(Kind::Certificates);
        certificate(page, at, end, found, prints);
        page.claim(at, end - 1);
        at = end;
    }
}

fn certificate(page: &Page, rule: usize, end: usize, found: &mut Found, prints: &mut Prints) {
    static HASH: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^\s*[^:]*\(sha1\): ?([0-9a-f ]{40,60})\s*$").expect("fixed pattern")
    });
    let lines = || page.lines[rule + 1..end].iter().filter(|line| line.len() < 4000);
    let value =
        |line: &String| line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_string());
    let outer = |line: &&String| !line.starts_with([' ', '\t']) && line.contains(':');
    // The order is the same in every language: serial number, issuer, the two dates (indented), subject.
    let mut labelled = lines().filter(outer).map(value);
    let (_serial, issuer, subject) = (labelled.next(), labelled.next(), labelled.next());
    let mut dates = lines().filter(|line| line.starts_with([' ', '\t']) && line.contains(':')).map(value);
    let valid = [dates.next().unwrap_or_default(), dates.next().unwrap_or_default()];
    let hash = lines().find_map(|line| HASH.captures(line)).map(|parts| fingerprint(&parts[1]));
    let line = line_number(page.number(rule));
    let (Some(issuer), Some(subject), Some(hash)) = (issuer, subject, hash.filter(|hash| !hash.is_empty()))
    else {
        found.problem(line, "the whole of a certificate", "its end before the fingerprint".into());
        return;
    };
    let has = |words: &[&str]| lines().any(|line| words.iter().any(|word| line.contains(word)));
    const WITHOUT: [&str; 5] = [
        "Missing stored keyset",
        "No key provider information",
        "Cannot find the certificate and private key",
        "Gespeicherter Schlüsselsatz fehlt",
        "Jeu de clés stocké manquant",
    ];
    const WITH: [&str; 5] = [
        "Encryption test passed",
        "Signature test passed",
        "Private key is NOT exportable",
        "Verschlüsselungstest wurde durchgeführt",
        "Verschlüsselungstest bestanden",
    ];
    let private_key = match (has(&WITH), has(&WITHOUT)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    };
    let (account, store) = prints.places.of(rule);
    let statement = Statement::StoredCertificate {
        account,
        store,
        subject: shown(&subject, NAME),
        issuer: shown(&issuer, NAME),
        fingerprint: hash,
        not_before: None,
        not_after: None,
        private_key,
        der: String::new(),
    };
    keep(prints, line, statement, valid);
}
