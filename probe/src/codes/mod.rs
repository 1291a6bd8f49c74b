//! What codes mean: those of Windows, SCHANNEL, WinHTTP, BITS, the update agent, .NET, SQL Server, WSUS and HTTP, and the
//! events of the logs that synchronization touches.
//!
//! `codes.tsv` and `events.tsv` hold one meaning a line; `families.toml` says where the codes of a family are seen,
//! `areas.toml` what a code leaves open and what to look at first, `pages/` has a page for the commonest ones. Codes,
//! symbols and event ids are those of Microsoft's headers and of the WSUS event table. All of it is read when it is
//! first asked for.

mod spelling;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use serde::Deserialize;

use self::spelling::Wanted;

const CODES: &str = include_str!("codes.tsv");
const EVENTS: &str = include_str!("events.tsv");
const AREAS: &str = include_str!("areas.toml");
const FAMILIES: &str = include_str!("families.toml");

/// The pages that are written by hand, by what they are about.
const PAGES: [(Key, &str); 6] = [
    (Key::Code(0x8007_2EE2), include_str!("pages/80072EE2.md")),
    (Key::Code(0x8007_2EFD), include_str!("pages/80072EFD.md")),
    (Key::Code(0x8007_2F8F), include_str!("pages/80072F8F.md")),
    (Key::Code(0x8024_4022), include_str!("pages/80244022.md")),
    (Key::Code(0x8024_402C), include_str!("pages/8024402C.md")),
    (Key::Name("SoapException"), include_str!("pages/soapexception.md")),
];

/// What a code is, apart from how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// An HRESULT. A Win32 or Winsock error has the one that HRESULT_FROM_WIN32 makes of it: 12002 is 0x80072EE2.
    Code(u32),
    /// An event id of a Windows log, or a status message of ConfigMgr.
    Event(u32),
    /// An HTTP status, and the substatus that IIS adds.
    Http(u16, Option<u8>),
    /// The ErrorCode of a SOAP fault.
    Soap(&'static str),
    /// A SynchronizationError of WSUS.
    Sync(u32),
    /// A SynchronizationUpdateError of WSUS.
    SyncUpdate(u32),
    /// The number of a SqlException.
    Sql(i32),
    /// An exception of .NET, or a WebExceptionStatus, by its name.
    Name(&'static str),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Code(code) => write!(f, "0x{code:08X}"),
            Key::Event(id) => write!(f, "event:{id}"),
            Key::Http(status, None) => write!(f, "http:{status}"),
            Key::Http(status, Some(sub)) => write!(f, "http:{status}.{sub}"),
            Key::Soap(code) => write!(f, "soap:{code}"),
            Key::Sync(n) => write!(f, "SynchronizationError:{n}"),
            Key::SyncUpdate(n) => write!(f, "SynchronizationUpdateError:{n}"),
            Key::Sql(n) => write!(f, "sql:{n}"),
            Key::Name(name) => f.write_str(name),
        }
    }
}

/// One meaning of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The code.
    pub key: Key,
    /// Its names, the one that update logs use first; none where it has none.
    pub symbols: Vec<&'static str>,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
    /// Whether this is from memory, and was not checked against a header, a specification or a log.
    pub from_memory: bool,
    /// Who uses the code.
    pub family: Family,
    /// What kind of trouble it is.
    pub area: &'static Area,
}

/// Who uses a code, and where it is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Family {
    /// A family of codes.
    Codes(&'static CodeFamily),
    /// An event.
    Event {
        /// The event's source.
        source: &'static str,
        /// The log that it is in.
        log: &'static str,
        /// `error`, `warning` or `information`.
        severity: &'static str,
    },
}

/// A family of codes, as `families.toml` has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeFamily {
    /// Its name for people.
    pub name: String,
    /// Where its codes are seen, on the server and on clients.
    pub seen: String,
    /// What that place leaves open.
    #[serde(default)]
    pub not: String,
}

/// A kind of trouble, as `areas.toml` has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// What none of its codes proves.
    pub not: String,
    /// What to look at first, for each of them.
    pub first: String,
    /// Ids of findings that they may come to, all of which are diagnosed.
    pub findings: Vec<String>,
}

impl Entry {
    /// The page about it, in Markdown, where there is one.
    pub fn page(&self) -> Option<&'static str> {
        // A code that has two meanings has one page: that of the meaning that update logs have.
        let own = |key: Key| key == self.key && self.symbols.first() != Some(&"WININET_E_DECODING_FAILED");
        PAGES.iter().find(|&&(key, _)| own(key)).map(|&(_, page)| page)
    }

    /// Where it is seen.
    pub fn seen(&self) -> String {
        match &self.family {
            Family::Codes(family) => family.seen.clone(),
            Family::Event { source, log, severity } => {
                let place = match *log {
                    "ConfigMgr status" => "ConfigMgr's status messages".to_string(),
                    log => format!("The {log} log"),
                };
                format!("{place} of the computer that it concerns: source {source}, {severity}.")
            }
        }
    }
}

/// Every meaning of a code, in any spelling: `0x80072EE2`, `80072ee2`, `-2147012894`, `2147954402`, `12002`,
/// `hr=80072ee2`, `(800B0109)`, a symbol, `event:10022`, `HTTP 403.4`, `SoapFault:ServerBusy`, and as logs and exceptions
/// print it: `EventId=386,Type=Error`, `(407) Proxy Authentication Required`, `Exception from HRESULT: 0x80072EE2`. Nothing
/// where none is known or the text is no code.
pub fn lookup(text: &str) -> Vec<&'static Entry> {
    let wanted = spelling::read(text);
    let found = known(&wanted);
    if found.is_empty() { known(&wanted.iter().filter_map(wrapped).collect::<Vec<_>>()) } else { found }
}

fn known(wanted: &[Wanted]) -> Vec<&'static Entry> {
    let mut found: Vec<&'static Entry> = Vec::new();
    for wanted in wanted {
        let entries = entries().iter().filter(|entry| match wanted {
            Wanted::Key(key) => entry.key == *key,
            Wanted::Name(kind, name) => {
                kind.takes(entry.key) && entry.symbols.iter().any(|symbol| symbol.eq_ignore_ascii_case(name))
            }
        });
        for entry in entries {
            if !found.contains(&entry) {
                found.push(entry);
            }
        }
    }
    found
}

/// An HTTP status that BITS has wrapped into an HRESULT (0x80190194 is 404).
fn wrapped(wanted: &Wanted) -> Option<Wanted> {
    match wanted {
        Wanted::Key(Key::Code(code)) if code >> 16 == 0x8019 => {
            u16::try_from(code & 0xFFFF).ok().map(|status| Wanted::Key(Key::Http(status, None)))
        }
        _ => None,
    }
}

/// The name of a code and what it means, for a report that quotes it. A Win32 error counts as its HRESULT. What is from
/// memory is left out: a report has no room to say so.
pub fn short(code: u32) -> Option<(&'static str, &'static str)> {
    let key = Key::Code(spelling::hresult(code));
    let entry = entries().iter().find(|entry| entry.key == key && !entry.from_memory)?;
    entry.symbols.first().map(|&symbol| (symbol, entry.meaning))
}

/// Whether a text reads as a code, known or not.
pub fn reads_as_code(text: &str) -> bool {
    spelling::read(text).iter().any(|wanted| matches!(wanted, Wanted::Key(_)))
}

/// The HRESULT that a text reads as, known or not.
pub fn hresult(text: &str) -> Option<u32> {
    spelling::read(text).into_iter().find_map(|wanted| match wanted {
        Wanted::Key(Key::Code(code)) => Some(code),
        _ => None,
    })
}

/// The status that a text names with a substatus, where the status alone has a meaning.
pub fn status_alone(text: &str) -> Option<u16> {
    spelling::read(text).into_iter().find_map(|wanted| match wanted {
        Wanted::Key(Key::Http(status, Some(_))) => {
            (!known(&[Wanted::Key(Key::Http(status, None))]).is_empty()).then_some(status)
        }
        _ => None,
    })
}

/// Every name that a code has.
pub fn symbols() -> impl Iterator<Item = &'static str> {
    entries().iter().flat_map(|entry| entry.symbols.iter().copied())
}

/// Every meaning, codes by their number and then events.
pub fn entries() -> &'static [Entry] {
    static READ: OnceLock<Vec<Entry>> = OnceLock::new();
    READ.get_or_init(|| {
        let codes = rows(CODES).filter_map(code);
        codes.chain(rows(EVENTS).filter_map(event)).collect()
    })
}

fn rows(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with('#'))
}

fn code(row: &'static str) -> Option<Entry> {
    let [code, symbols, family, area, meaning] = fields(row)?;
    let key = match code.split_once(':') {
        None => Key::Code(u32::from_str_radix(code, 16).ok()?),
        Some(("http", status)) => match status.split_once('.') {
            None => Key::Http(status.parse().ok()?, None),
            Some((status, sub)) => Key::Http(status.parse().ok()?, Some(sub.parse().ok()?)),
        },
        Some(("soap", name)) => Key::Soap(name),
        Some(("sync", n)) => Key::Sync(n.parse().ok()?),
        Some(("syncupdate", n)) => Key::SyncUpdate(n.parse().ok()?),
        Some(("sql", n)) => Key::Sql(n.parse().ok()?),
        Some(("name", name)) => Key::Name(name),
        Some(_) => return None,
    };
    let family = Family::Codes(families().get(family)?);
    entry(key, symbols, family, area, meaning)
}

fn event(row: &'static str) -> Option<Entry> {
    let [id, source, log, severity, symbol, area, meaning] = fields(row)?;
    entry(Key::Event(id.parse().ok()?), symbol, Family::Event { source, log, severity }, area, meaning)
}

fn fields<const N: usize>(row: &'static str) -> Option<[&'static str; N]> {
    row.split('\t').collect::<Vec<_>>().try_into().ok()
}

fn entry(
    key: Key,
    symbols: &'static str,
    family: Family,
    area: &'static str,
    meaning: &'static str,
) -> Option<Entry> {
    let (area, from_memory) = area.strip_suffix('?').map_or((area, false), |area| (area, true));
    let area = areas().get(area)?;
    Some(Entry { key, symbols: symbols.split_whitespace().collect(), meaning, from_memory, family, area })
}

fn areas() -> &'static BTreeMap<String, Area> {
    static READ: OnceLock<BTreeMap<String, Area>> = OnceLock::new();
    READ.get_or_init(|| toml::from_str(AREAS).unwrap_or_default())
}

fn families() -> &'static BTreeMap<String, CodeFamily> {
    static READ: OnceLock<BTreeMap<String, CodeFamily>> = OnceLock::new();
    READ.get_or_init(|| toml::from_str(FAMILIES).unwrap_or_default())
}

#[cfg(test)]
mod tests;
