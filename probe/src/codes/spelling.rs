//! How a code may be written: read into what it can mean, without a look at what is known.

use super::Key;

/// More than any code, with words before it.
const LONGEST: usize = 200;

/// Something that a text can mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This code.
    Key(Key),
    /// A code of this kind that has this name, in any case.
    Name(Kind, String),
}

/// What the words before a code say that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: every kind.
    Any,
    /// An HRESULT or a Win32 error.
    Code,
    /// A Win32 or Winsock error.
    Win32,
    /// An event id.
    Event,
    /// An HTTP status.
    Http,
    /// The ErrorCode of a SOAP fault.
    Soap,
    /// A SynchronizationError.
    Sync,
    /// A SynchronizationUpdateError.
    SyncUpdate,
    /// The number of a SqlException.
    Sql,
}

impl Kind {
    /// Whether a code is of this kind.
    pub fn takes(self, key: Key) -> bool {
        match self {
            Kind::Any => true,
            Kind::Code => matches!(key, Key::Code(_)),
            Kind::Win32 => matches!(key, Key::Code(code) if code >> 16 == 0x8007),
            Kind::Event => matches!(key, Key::Event(_)),
            Kind::Http => matches!(key, Key::Http(..)),
            Kind::Soap => matches!(key, Key::Soap(_)),
            Kind::Sync => matches!(key, Key::Sync(_)),
            Kind::SyncUpdate => matches!(key, Key::SyncUpdate(_)),
            Kind::Sql => matches!(key, Key::Sql(_)),
        }
    }
}

/// The word of a kind; none where it is no such word.
fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "error" | "errorcode" | "code" | "status" | "result" | "id" | "number" => Kind::Any,
        // The number of a Win32Exception is SCHANNEL's as well: 0x80090331.
        "hr" | "hresult" | "hresult_from_win32" | "nativeerrorcode" | "win32exception"
        | "socketexception" => Kind::Code,
        "win32" | "winsock" | "wsa" => Kind::Win32,
        "event" | "eventid" | "schannel" | "statmsg" => Kind::Event,
        "http" | "http/1.0" | "http/1.1" | "http/2" | "sc-status" => Kind::Http,
        "soap" | "soapfault" => Kind::Soap,
        "sync" | "synchronizationerror" => Kind::Sync,
        "syncupdate" | "synchronizationupdateerror" => Kind::SyncUpdate,
        "sql" | "sqlerror" | "sqlexception" | "sqlexception.number" => Kind::Sql,
        _ => return None,
    })
}

/// A Win32 error as an HRESULT (HRESULT_FROM_WIN32); a code that is one already stays.
pub fn hresult(code: u32) -> u32 {
    if (1..=0xFFFF).contains(&code) { 0x8007_0000 | code } else { code }
}

/// What a text can mean, the likeliest first.
pub fn read(text: &str) -> Vec<Wanted> {
    if let Some(id) = mirrored(text) {
        return vec![Wanted::Key(Key::Event(id))];
    }
    if text.len() > LONGEST {
        return Vec::new();
    }
    // Word processors make a minus or a dash of a hyphen.
    let lower = text.to_ascii_lowercase().replace(['\u{2212}', '\u{2013}'], "-");
    if let Some(wanted) = exception(&lower).or_else(|| status(&lower)) {
        return wanted;
    }
    let words = words(&lower);
    let mut told = Kind::Any;
    for (at, &word) in words.iter().enumerate() {
        let last = at + 1 == words.len();
        match kind(word).filter(|_| !last) {
            Some(Kind::Any) => {}
            Some(one) if told == Kind::Any || told == one => told = one,
            Some(_) => return Vec::new(),
            None if words.iter().any(|word| is_substatus(word)) => return substatus(told, &words[at..]),
            // The reason phrase of a status line, and the message of an exception, may stand behind.
            None if last || told == Kind::Http => return value(told, word),
            None if at == 0 => return vec![Wanted::Name(told, word.to_owned())],
            None => return Vec::new(),
        }
    }
    Vec::new()
}

/// The words of a text in small letters: without what people and logs put around a code, and a member of an enumeration
/// (`SynchronizationError.UssBusy`) as its type and its name.
fn words(lower: &str) -> Vec<&str> {
    let apart = |c: char| c.is_whitespace() || ":=#,;()[]{}<>\"'`“”„‟«»‹›‘’‚‛".contains(c);
    let mut words = Vec::new();
    for word in lower.split(apart).map(|word| word.trim_end_matches('.')).filter(|word| !word.is_empty()) {
        match word.rsplit_once('.').map(|(path, name)| (path.rsplit('.').next().unwrap_or(path), name)) {
            Some((type_name, name)) if matches!(kind(type_name), Some(Kind::Sync | Kind::SyncUpdate)) => {
                words.extend([type_name, name]);
            }
            _ => words.push(word),
        }
    }
    words
}

/// The event of a line that WSUS writes into its own log: `EventId=386,Type=Error,Category=...,Message=...`. It may be
/// longer than a code.
fn mirrored(text: &str) -> Option<u32> {
    let (id, rest) = after(text.trim_start(), "EventId=")?.split_once(',')?;
    after(rest, "Type=")?;
    id.bytes().all(|b| b.is_ascii_digit()).then(|| id.parse().ok())?
}

/// What follows a beginning, in any case.
fn after<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    let head = text.get(..begin.len())?;
    head.eq_ignore_ascii_case(begin).then(|| &text[begin.len()..])
}

/// How .NET prints the code of an exception: `Exception from HRESULT: 0x80070005 (E_ACCESSDENIED)` behind any message, and
/// `System.ComponentModel.Win32Exception (0x80090331): ...`.
fn exception(lower: &str) -> Option<Vec<Wanted>> {
    if let Some((_, behind)) = lower.split_once("exception from hresult:") {
        return Some(match words(behind)[..] {
            [code] => value(Kind::Code, code),
            [code, name] if name.contains('_') => value(Kind::Code, code),
            _ => Vec::new(),
        });
    }
    let (name, rest) = lower.trim_start().split_once(" (")?;
    let (code, rest) = rest.split_once(')')?;
    let name = name.rsplit('.').next().unwrap_or(name);
    if !name.ends_with("exception") || !(rest.trim().is_empty() || rest.starts_with(':')) {
        return None;
    }
    // In hexadecimal it is the HRESULT that every exception has.
    let kind = if code.starts_with("0x") { Kind::Code } else { kind(name)? };
    Some(value(kind, code))
}

/// A status as .NET's message has it, with its reason in any language: `(407) Proxy Authentication Required`.
fn status(lower: &str) -> Option<Vec<Wanted>> {
    let (before, rest) = lower.split_once('(')?;
    let (number, reason) = rest.split_once(')')?;
    let before = before.trim();
    let plain = |word: &str| {
        !word.contains(|c: char| c.is_ascii_digit())
            && matches!(kind(word), None | Some(Kind::Any | Kind::Http))
    };
    let status: u16 = number.parse().ok().filter(|status| (100..600).contains(status))?;
    let reason = words(reason);
    let sentence = (before.is_empty() || before.ends_with(':')) && words(before).into_iter().all(plain);
    let spoken = !reason.is_empty() && reason.into_iter().all(|word| kind(word).is_none() && plain(word));
    (sentence && spoken).then(|| vec![Wanted::Key(Key::Http(status, None))])
}

fn is_substatus(word: &str) -> bool {
    matches!(word, "substatus" | "sub-status" | "sc-substatus")
}

/// `403 substatus 16`, and nothing where that is not all of it: the status alone would be another code.
fn substatus(told: Kind, words: &[&str]) -> Vec<Wanted> {
    match words {
        [status, between, sub] if is_substatus(between) && matches!(told, Kind::Any | Kind::Http) => {
            match (status.parse(), sub.parse()) {
                (Ok(status), Ok(sub)) => vec![Wanted::Key(Key::Http(status, Some(sub)))],
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn value(kind: Kind, word: &str) -> Vec<Wanted> {
    let mut keys: Vec<Key> = Vec::new();
    let hex = word.strip_prefix("0x");
    let bare = word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(code) = hex.or(bare.then_some(word)).and_then(hexadecimal) {
        codes(&mut keys, kind, code);
    }
    if let (None, Ok(number)) = (hex, word.parse::<i64>()) {
        numbers(&mut keys, kind, number);
    }
    if let Some((status, sub)) = word.split_once('.')
        && let (Ok(status), Ok(sub)) = (status.parse(), sub.parse())
        && matches!(kind, Kind::Any | Kind::Http)
    {
        keys.push(Key::Http(status, Some(sub)));
    }
    if keys.is_empty() {
        return vec![Wanted::Name(kind, word.to_owned())];
    }
    keys.into_iter().map(Wanted::Key).collect()
}

/// Up to 32 bits, or 32 bits that were widened to 64.
fn hexadecimal(digits: &str) -> Option<u32> {
    let digits = match digits.len() {
        16 => digits.strip_prefix("ffffffff").or_else(|| digits.strip_prefix("00000000"))?,
        1..=8 => digits,
        _ => return None,
    };
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

fn codes(keys: &mut Vec<Key>, kind: Kind, code: u32) {
    match kind {
        Kind::Any | Kind::Code => {
            keys.push(Key::Code(code));
            if hresult(code) != code {
                keys.push(Key::Code(hresult(code)));
            }
        }
        Kind::Win32 if hresult(code) >> 16 == 0x8007 => keys.push(Key::Code(hresult(code))),
        _ => {}
    }
}

fn numbers(keys: &mut Vec<Key>, kind: Kind, number: i64) {
    let is = |one: Kind| kind == Kind::Any || kind == one;
    let positive = u32::try_from(number).ok();
    if let (true, Some(id)) = (is(Kind::Event), positive) {
        keys.push(Key::Event(id));
    }
    if let (true, Ok(status)) = (is(Kind::Http), u16::try_from(number)) {
        keys.push(Key::Http(status, None));
    }
    if let Some(code) = positive.or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned)) {
        codes(keys, kind, code);
    }
    if let (true, Some(n)) = (is(Kind::Sync), positive) {
        keys.push(Key::Sync(n));
    }
    if let (true, Some(n)) = (is(Kind::SyncUpdate), positive) {
        keys.push(Key::SyncUpdate(n));
    }
    if let (true, Ok(n)) = (is(Kind::Sql), i32::try_from(number)) {
        keys.push(Key::Sql(n));
    }
}
