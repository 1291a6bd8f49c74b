//! The registry, as far as it decides how a server speaks TLS, how WSUS was set up, what proxy a user has and whether
//! Windows updates its roots: .reg files, `reg query`, and what PowerShell prints of a key. Keys that decide nothing are
//! passed over.

use std::sync::LazyLock;

use encoding_rs::{UTF_16LE, WINDOWS_1252};
use regex::Regex;
use serde_json::{Map, Value};

use super::decode::LONG;
use super::list::{Item, Page};
use super::suites::{self, NAME, NAMES, too_long};
use super::{Found, Kind, RegistryValue, Statement, line_number, netsh, shown};

/// The longest key.
const KEY: usize = 500;
/// The longest text of a value that holds no list.
const TEXT: usize = 1000;
/// The most bytes of a value in hexadecimal: a list of 64 KiB as UTF-16.
const BYTES: usize = 128 * 1024;

/// The key of what a user, or the machine, sets for WinINET.
const INTERNET: &str = r"SOFTWARE\\(?:Policies\\)?Microsoft\\Windows\\CurrentVersion\\Internet Settings";

/// The keys that matter, below `HKLM\`.
static MATTERS: LazyLock<Regex> = LazyLock::new(|| {
    const KEYS: [&str; 11] = [
        r"SYSTEM\\(?:CurrentControlSet|ControlSet\d{3})\\Control\\SecurityProviders\\SCHANNEL\\(?:Protocols|Ciphers|Hashes|KeyExchangeAlgorithms)(?:\\.*)?",
        r"SYSTEM\\(?:CurrentControlSet|ControlSet\d{3})\\Control\\(?:Cryptography\\Configuration\\Local\\SSL\\0001000[23]|Lsa\\FipsAlgorithmPolicy)",
        r"SOFTWARE\\Policies\\Microsoft\\Cryptography\\Configuration\\SSL\\00010002",
        r"SOFTWARE\\(?:Wow6432Node\\)?Microsoft\\\.NETFramework\\v(?:4\.0\.30319|2\.0\.50727)",
        r"SOFTWARE\\(?:Wow6432Node\\)?Microsoft\\Windows\\CurrentVersion\\Internet Settings\\WinHttp",
        r"SOFTWARE\\(?:Wow6432Node\\)?Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections",
        r"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion",
        r"SOFTWARE\\Microsoft\\Update Services\\Server\\Setup",
        r"SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate(?:\\AU)?",
        r"SOFTWARE\\Policies\\Microsoft\\SystemCertificates\\AuthRoot",
        INTERNET,
    ];
    Regex::new(&format!("(?i)^(?:{})$", KEYS.join("|"))).expect("fixed pattern")
});

/// The keys that matter of a user; behind `HKU\` below the identifiers of the accounts that services run under.
static OF_A_USER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("(?i)^{INTERNET}$")).expect("fixed pattern"));

/// The key from `HKLM\`, `HKCU\` or `HKU\` on, if it is one that matters.
fn matters(key: &str) -> Option<String> {
    let key = key.trim().trim_end_matches('\\');
    let after = |prefix: &str| {
        key.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix)).map(|_| &key[prefix.len()..])
    };
    let root = |names: [&str; 3]| names.into_iter().find_map(after).filter(|rest| rest.len() <= KEY);
    if let Some(rest) = root(["HKEY_LOCAL_MACHINE\\", "HKLM\\", "HKLM:\\"]) {
        return MATTERS.is_match(rest).then(|| format!("HKLM\\{}", shown(rest, KEY)));
    }
    if let Some(rest) = root(["HKEY_CURRENT_USER\\", "HKCU\\", "HKCU:\\"]) {
        return OF_A_USER.is_match(rest).then(|| format!("HKCU\\{}", shown(rest, KEY)));
    }
    let rest = root(["HKEY_USERS\\", "HKU\\", "HKU:\\"])?;
    let (account, below) = rest.split_once('\\')?;
    let service =
        ["S-1-5-18", "S-1-5-19", "S-1-5-20", ".DEFAULT"].iter().any(|id| id.eq_ignore_ascii_case(account));
    (service && OF_A_USER.is_match(below)).then(|| format!("HKU\\{}", shown(rest, KEY)))
}

/// Of keys that hold much else, the values that are kept.
const KEPT: [(&str, &[&str]); 6] = [
    (r"\windows nt\currentversion", &["ProductName", "CurrentBuild", "UBR"]),
    (
        r"\update services\server\setup",
        &[
            "PortNumber",
            "UsingSSL",
            "ServerCertificateName",
            "ContentDir",
            "SqlServerName",
            "SqlDatabaseName",
            "IISTargetWebSiteIndex",
            "VersionString",
        ],
    ),
    (
        r"\windows\windowsupdate",
        &[
            "WUServer",
            "WUStatusServer",
            "UpdateServiceUrlAlternate",
            "DoNotConnectToWindowsUpdateInternetLocations",
        ],
    ),
    (r"\windowsupdate\au", &["UseWUServer"]),
    (r"\internet settings\connections", &[WINHTTP]),
    (
        r"\internet settings",
        &[
            "ProxyEnable",
            "ProxyServer",
            "ProxyOverride",
            "AutoConfigURL",
            "AutoDetect",
            "ProxySettingsPerUser",
        ],
    ),
];

/// The value in which `netsh winhttp` keeps WinHTTP's proxy, below `Internet Settings\Connections`.
const WINHTTP: &str = "WinHttpSettings";

/// Whether a value of a key that matters is kept.
fn is_kept(key: &str, name: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let names = KEPT.iter().find(|(end, _)| key.ends_with(end));
    names.is_none_or(|(_, names)| names.iter().any(|kept| kept.eq_ignore_ascii_case(name)))
}

/// Whether a value of this name holds a list.
fn is_listed(name: &str) -> bool {
    name.eq_ignore_ascii_case("Functions") || name.eq_ignore_ascii_case("EccCurves")
}

/// A value before it is bounded.
enum Raw {
    Number(u64),
    Text(String),
    List(Vec<String>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// What is none of these, under the name of its type.
    Other(String),
}

/// States a value.
fn state(line: u64, key: &str, name: &str, raw: Raw, over: bool, found: &mut Found) {
    if name.is_empty() || !is_kept(key, name) {
        return;
    }
    let line = line_number(line);
    let name = shown(name, NAME);
    // A mail program breaks a line behind a comma, too.
    let cut = name.eq_ignore_ascii_case("Functions")
        && matches!(&raw, Raw::Text(text)
            if text.contains('\n') || suites::is_broken(&text.split(',').collect::<Vec<_>>()));
    if cut && !over {
        return suites::broken(line, found);
    }
    let (value, size) = match raw {
        Raw::Number(value) => (RegistryValue::Number { value }, 0),
        Raw::Text(text) => {
            let limit = if is_listed(&name) { LONG } else { TEXT };
            if is_listed(&name) && (over || text.len() > LONG) {
                too_long(line, text.split(',').count(), found);
            }
            let value = if is_cut_url(&text) { "(hidden)".to_string() } else { shown(&text, limit) };
            let size = value.len();
            (RegistryValue::Text { value }, size)
        }
        Raw::List(texts) => {
            let values: Vec<String> = texts.iter().take(NAMES).map(|text| shown(text, NAME)).collect();
            if over || texts.len() > NAMES {
                too_long(line, values.len(), found);
            }
            let size = values.iter().map(String::len).sum();
            (RegistryValue::List { values }, size)
        }
        Raw::Bytes(bytes) if name.eq_ignore_ascii_case(WINHTTP) => {
            // A 32-bit program's own is not the service's.
            if !key.to_ascii_lowercase().contains("wow6432node")
                && let Some((servers, bypass)) = netsh::settings(&bytes)
            {
                found.fact(line, None, Statement::WinHttpProxy { servers, bypass });
            }
            return;
        }
        Raw::Bytes(_) | Raw::Other(_) => {
            let what = match raw {
                Raw::Other(what) => what,
                _ => "REG_BINARY".to_string(),
            };
            // What is a number or a list in every Windows was written by a hand.
            const KNOWN: [&str; 14] = [
                "Enabled",
                "DisabledByDefault",
                "Functions",
                "EccCurves",
                "SchUseStrongCrypto",
                "SystemDefaultTlsVersions",
                "DefaultSecureProtocols",
                "PortNumber",
                "UsingSSL",
                "UseWUServer",
                "ProxyEnable",
                "ProxyServer",
                "ProxySettingsPerUser",
                "DisableRootAutoUpdate",
            ];
            if KNOWN.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                found.problem(line, "a number or a list", format!("{} as {name}", shown(&what, 60)));
            }
            return;
        }
    };
    let windows = match &value {
        RegistryValue::Text { value } if name.eq_ignore_ascii_case("ProductName") => windows(value),
        _ => None,
    };
    found.list(line, size, Statement::Registry { key: key.to_string(), name, value });
    if let Some(version) = windows {
        found.fact(line, None, Statement::ServerVersion { version });
    }
}

/// Whether a text ends within the name and password of a URL: what follows the colon is no port.
fn is_cut_url(text: &str) -> bool {
    static AUTHORITY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"://[^/\\\s@:\[]+:([^/\\\s@]*)$").expect("fixed pattern"));
    text.contains("://")
        && AUTHORITY.captures(text).is_some_and(|parts| !parts[1].bytes().all(|b| b.is_ascii_digit()))
}

/// `Windows Server 2012 R2`, without the edition.
fn windows(product: &str) -> Option<String> {
    static NAMED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\bWindows Server 20\d\d(?: R2)?\b").expect("fixed pattern"));
    NAMED.find(product).map(|named| named.as_str().to_string())
}

/// What lines are part of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Outside,
    /// A .reg file.
    File,
    /// `reg query`.
    Query,
}

/// A value whose end has not come yet.
struct Open {
    line: u64,
    name: String,
    /// As it began, for a report of what is wrong with it.
    began: String,
    over: bool,
    form: Form,
}

enum Form {
    /// A text in quotes that goes over several lines.
    Quoted(String),
    /// The type as written between the brackets, and the bytes so far; nothing where a word is no byte.
    Hex(String, Option<Vec<u8>>),
    /// A list of `reg query` that a console may have broken in two: whether it is a REG_MULTI_SZ, and its text.
    Broken(bool, String),
}

/// What is read of the registry, on however many pages.
#[derive(Default)]
pub(super) struct Registry {
    mode: Mode,
    /// The key, if it matters.
    key: Option<String>,
    /// Texts in hexadecimal have one byte a character.
    ansi: bool,
    open: Option<Open>,
    /// A whole value that may be half of one if the file ends with it.
    last: Option<(u64, String, Raw, bool, String)>,
    /// A line that could not be read; at the end of the file it was cut.
    bad: Option<(u64, String)>,
}

impl Registry {
    /// Reads what is of the registry on a page.
    pub(super) fn read(&mut self, page: &mut Page, found: &mut Found) {
        let mut over = page.over.clone().into_iter().peekable();
        for at in 0..page.lines.len() {
            let is_over = over.next_if_eq(&at).is_some();
            if self.line(page.number(at), &page.lines[at], is_over, found) {
                page.claim(at, at);
            }
        }
    }

    /// Hands over what is left. `ends` says whether the file's last line has its end.
    pub(super) fn finish(&mut self, ends: bool, found: &mut Found) {
        const WHOLE: &str = "the whole of a registry value";
        let cut = |began: &str| format!("the end of the file behind `{}`", shown(began, 60));
        let key = self.key.take();
        if let Some(open) = self.open.take() {
            match (open.form, key) {
                (Form::Broken(multiple, text), Some(key)) => {
                    state(open.line, &key, &open.name, query_text(multiple, &text), open.over, found);
                }
                (Form::Broken(..), None) => {}
                _ => found.problem(line_number(open.line), WHOLE, cut(&open.began)),
            }
        } else if let Some((line, name, raw, over, began)) = self.last.take() {
            match key {
                _ if !ends => found.problem(line_number(line), WHOLE, cut(&began)),
                Some(key) => state(line, &key, &name, raw, over, found),
                None => {}
            }
        } else if let Some((line, began)) = self.bad.take() {
            found.problem(line_number(line), WHOLE, cut(&began));
        }
    }

    /// Takes a line; whether it is one of the registry.
    fn line(&mut self, number: u64, line: &str, over: bool, found: &mut Found) -> bool {
        if let Some(open) = self.open.take()
            && self.goes_on(open, line, over, found)
        {
            return true;
        }
        let text = line.trim();
        if text.is_empty() {
            return false;
        }
        self.settle(found);
        let ansi = text == "REGEDIT4";
        if ansi || text.starts_with("Windows Registry Editor Version ") && text.len() < 60 {
            found.kind(Kind::Registry);
            *self = Registry { mode: Mode::File, ansi, ..Registry::default() };
            return true;
        }
        let is_key = |text: &str| text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("HKEY_"));
        if let Some(inner) = line.strip_prefix('[') {
            let deleted = inner.starts_with('-');
            let inner = inner.trim_end();
            if is_key(inner.trim_start_matches('-'))
                && let Some(key) = inner.strip_suffix(']')
            {
                found.kind(Kind::Registry);
                self.mode = Mode::File;
                self.key = matters(key).filter(|_| !deleted);
                return true;
            }
            if self.mode == Mode::File {
                self.key = None;
                self.bad = Some((number, begin(line)));
                return true;
            }
            return false;
        }
        if is_key(line) && line.contains('\\') && line.len() < 2 * KEY && !over {
            found.kind(Kind::Registry);
            self.mode = Mode::Query;
            self.key = matters(line);
            return true;
        }
        match self.mode {
            Mode::Outside => false,
            Mode::File if text.starts_with(';') => true,
            Mode::File if text.starts_with(['"', '@']) => {
                self.value(number, text, over, found);
                true
            }
            // What follows bytes that were given up.
            Mode::File if is_hex(line) && line.starts_with(' ') => true,
            Mode::Query if line.starts_with([' ', '\t']) => {
                self.query(number, text, over, found);
                text.contains("REG_")
            }
            _ => {
                (self.mode, self.key) = (Mode::Outside, None);
                false
            }
        }
    }

    /// What came before is whole: something follows it.
    fn settle(&mut self, found: &mut Found) {
        if let Some((line, name, raw, over, _)) = self.last.take()
            && let Some(key) = &self.key
        {
            state(line, key, &name, raw, over, found);
        }
        if let Some((line, began)) = self.bad.take()
            && self.key.is_some()
        {
            found.problem(line_number(line), "a registry value", format!("`{}`", shown(&began, 60)));
        }
    }

    /// A line of the form `"name"=value`.
    fn value(&mut self, number: u64, text: &str, over: bool, found: &mut Found) {
        let began = begin(text);
        let (name, rest) = match text.strip_prefix('@') {
            Some(rest) => (String::new(), rest),
            None => match quoted(&text[1..]) {
                (name, Some(rest)) => (name, rest),
                (_, None) => {
                    self.bad = Some((number, began));
                    return;
                }
            },
        };
        let Some(rest) = rest.trim_start().strip_prefix('=').map(str::trim_start) else {
            self.bad = Some((number, began));
            return;
        };
        if rest == "-" {
            return;
        }
        let lower = |count: usize| rest.get(..count).map(str::to_ascii_lowercase).unwrap_or_default();
        if let Some(inner) = rest.strip_prefix('"') {
            match quoted(inner) {
                (value, Some(_)) => self.whole(number, &name, Raw::Text(value), over, found),
                (value, None) => {
                    let form = Form::Quoted(if self.key.is_some() { value } else { String::new() });
                    self.open = Some(Open { line: number, name, began, over, form });
                }
            }
        } else if lower(6) == "dword:" {
            let digits = rest[6..].split(';').next().unwrap_or_default().trim();
            match u32::from_str_radix(digits, 16) {
                Ok(value) if digits.len() == 8 => {
                    self.whole(number, &name, Raw::Number(value.into()), over, found);
                }
                Ok(value) if digits.len() < 8 => {
                    self.last = Some((number, name, Raw::Number(value.into()), over, began));
                }
                _ => self.bad = Some((number, began)),
            }
        } else if lower(3) == "hex"
            && let Some((kind, bytes)) = rest[3..].split_once(':')
            && kind.len() < 12
        {
            let kind = kind.trim_matches(['(', ')']).to_ascii_lowercase();
            let form = Form::Hex(kind, Some(Vec::new()));
            let open = Open { line: number, name, began, over, form };
            self.hex(open, bytes, found);
        } else {
            self.bad = Some((number, began));
        }
    }

    /// Takes more bytes of a value in hexadecimal.
    fn hex(&mut self, mut open: Open, text: &str, found: &mut Found) {
        let text = text.trim();
        let (text, goes_on) = match text.strip_suffix('\\') {
            Some(text) => (text, true),
            None => (text, false),
        };
        if let Form::Hex(_, bytes) = &mut open.form
            && self.key.is_some()
        {
            for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                let Some(list) = bytes else { break };
                match u8::from_str_radix(word, 16) {
                    Ok(_) if list.len() >= BYTES => open.over = true,
                    Ok(byte) if word.len() <= 2 => list.push(byte),
                    _ => *bytes = None,
                }
            }
        }
        if goes_on {
            self.open = Some(open);
        } else {
            self.bytes(open, found);
        }
    }

    /// A value in hexadecimal came to its end.
    fn bytes(&mut self, open: Open, found: &mut Found) {
        let Open { line, name, began, over, form: Form::Hex(kind, bytes) } = open else { return };
        let Some(bytes) = bytes else {
            self.bad = Some((line, began));
            return;
        };
        let number = |width: usize, big: bool| {
            let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
            let value = if big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) };
            (bytes.len() == width).then_some(Raw::Number(value))
        };
        let raw = match kind.as_str() {
            "4" => number(4, false),
            "5" => number(4, true),
            "b" => number(8, false),
            "1" | "2" | "7" => {
                let width = if self.ansi { 1 } else { 2 };
                let text = if self.ansi {
                    WINDOWS_1252.decode_without_bom_handling(&bytes).0
                } else {
                    UTF_16LE.decode_without_bom_handling(&bytes).0
                };
                let ends = if kind == "7" { 2 * width } else { width };
                let has_end = bytes.len().is_multiple_of(width)
                    && (bytes.len() >= ends && bytes.iter().rev().take(ends).all(|&byte| byte == 0));
                let raw = if kind == "7" {
                    Raw::List(text.split('\0').filter(|text| !text.is_empty()).map(String::from).collect())
                } else {
                    Raw::Text(text.trim_end_matches('\0').to_string())
                };
                if !has_end && !over {
                    self.last = Some((line, name, raw, over, began));
                    return;
                }
                Some(raw)
            }
            "" | "3" => Some(Raw::Bytes(bytes)),
            _ => Some(Raw::Other(began.clone())),
        };
        match raw {
            Some(raw) => self.whole(line, &name, raw, over, found),
            None => self.bad = Some((line, began)),
        }
    }

    fn whole(&mut self, line: u64, name: &str, raw: Raw, over: bool, found: &mut Found) {
        if let Some(key) = &self.key {
            state(line, key, name, raw, over, found);
        }
    }

    /// Whether a line belongs to the value that is open.
    fn goes_on(&mut self, mut open: Open, line: &str, over: bool, found: &mut Found) -> bool {
        open.over |= over;
        match &mut open.form {
            Form::Hex(..) if is_hex(line) => {
                self.hex(open, line, found);
                true
            }
            Form::Quoted(text) if !begins(line) => {
                let (more, rest) = quoted(line);
                if self.key.is_some() {
                    if text.len() + more.len() < LONG {
                        text.push('\n');
                        text.push_str(&more);
                    } else {
                        open.over = true;
                    }
                }
                if rest.is_none() {
                    self.open = Some(open);
                } else if let Form::Quoted(text) = open.form {
                    self.whole(open.line, &open.name, Raw::Text(text), open.over, found);
                }
                true
            }
            Form::Broken(_, text) if is_rest(line) => {
                if text.len() + line.len() <= LONG {
                    text.push_str(line.trim_end());
                } else {
                    open.over = true;
                }
                self.open = Some(open);
                true
            }
            Form::Broken(multiple, text) => {
                let raw = query_text(*multiple, text);
                self.whole(open.line, &open.name, raw, open.over, found);
                false
            }
            _ => {
                // Something else begins where it should go on.
                self.bad = Some((open.line, open.began));
                false
            }
        }
    }

    /// A line of the form `    name    REG_TYPE    value`.
    fn query(&mut self, number: u64, text: &str, over: bool, found: &mut Found) {
        static VALUE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^(\S.{0,250}?)\s+(REG_[A-Z_]{2,30})(?:\s+(.*))?$").expect("fixed pattern")
        });
        let Some(parts) = VALUE.captures(text) else {
            self.bad = Some((number, begin(text)));
            return;
        };
        // `(Default)`, in any language.
        if self.key.is_none() || parts[1].starts_with('(') {
            return;
        }
        let (name, value) = (parts[1].to_string(), parts.get(3).map_or("", |value| value.as_str()));
        match &parts[2] {
            "REG_DWORD" | "REG_QWORD" | "REG_DWORD_BIG_ENDIAN" | "REG_DWORD_LITTLE_ENDIAN" => {
                let digits = value.trim();
                let parsed = match digits.strip_prefix("0x") {
                    Some(hex) => u64::from_str_radix(hex, 16).ok(),
                    None => digits.parse().ok(),
                };
                match parsed {
                    Some(value) => self.whole(number, &name, Raw::Number(value), over, found),
                    None => self.bad = Some((number, begin(text))),
                }
            }
            "REG_SZ" | "REG_EXPAND_SZ" | "REG_MULTI_SZ" => {
                let multiple = &parts[2] == "REG_MULTI_SZ";
                if is_listed(&name) {
                    let form = Form::Broken(multiple, value.to_string());
                    self.open = Some(Open { line: number, name, began: begin(text), over, form });
                } else {
                    self.whole(number, &name, query_text(multiple, value), over, found);
                }
            }
            "REG_BINARY" => match from_hex(value.trim()) {
                Some(bytes) => self.whole(number, &name, Raw::Bytes(bytes), over, found),
                None => self.whole(number, &name, Raw::Other("REG_BINARY".into()), over, found),
            },
            other => self.whole(number, &name, Raw::Other(other.to_string()), over, found),
        }
    }
}

/// Bytes as `reg query` prints them.
fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if digits.len() > 2 * BYTES || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

/// The beginning of a line, for a report: of a text in it nothing.
fn begin(line: &str) -> String {
    let text = line.find("=\"").map(|at| at + 2).or_else(|| line.find("_SZ").map(|at| at + 3));
    line[..text.unwrap_or(line.len())].chars().take(100).collect()
}

/// Whether a line begins another value or key of a .reg file.
fn begins(line: &str) -> bool {
    line.starts_with("[HKEY_")
        || line.starts_with("[-HKEY_")
        || line.starts_with('"') && line.contains("\"=")
        || line.starts_with("@=")
}

/// Whether a line is nothing but bytes in hexadecimal.
fn is_hex(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b',' | b' ' | b'\t' | b'\\'))
}

/// Whether a line is the rest of a list that a console broke.
fn is_rest(line: &str) -> bool {
    let text = line.trim_end();
    let listed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b',' | b'\\' | b'/' | b'-');
    !text.is_empty()
        && text.bytes().all(listed)
        && text.contains(['_', ','])
        && !text.to_ascii_uppercase().starts_with("HKEY_")
}

/// What `reg query` prints of a text.
fn query_text(multiple: bool, text: &str) -> Raw {
    let text = text.trim();
    if multiple {
        Raw::List(text.split("\\0").filter(|text| !text.is_empty()).map(String::from).collect())
    } else {
        Raw::Text(text.to_string())
    }
}

/// A text up to its closing quotation mark, without its escapes, and what follows that; nothing where none comes.
fn quoted(text: &str) -> (String, Option<&str>) {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (out, Some(&text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, c)) => out.push(c),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    (out, None)
}

/// Properties that PowerShell adds to a key.
fn is_added(name: &str) -> bool {
    ["PSPath", "PSParentPath", "PSChildName", "PSDrive", "PSProvider"].contains(&name)
}

/// The key that `PSPath` names: nothing where it is no key of the registry, nothing inside where it does not matter.
fn named(path: &str) -> Option<Option<String>> {
    let (_, key) = path.split_once("Registry::")?;
    Some(matters(key))
}

/// Reads what `Get-ItemProperty` prints of keys.
pub(super) fn objects(page: &mut Page, items: &[Item], found: &mut Found) {
    for object in items.chunk_by(|one, next| one.list == next.list) {
        let Some(key) = object.iter().find(|item| item.name == "PSPath").and_then(|item| named(&item.value))
        else {
            continue;
        };
        found.kind(Kind::Registry);
        for item in object {
            page.claim(item.at, item.last);
            let Some(key) = key.as_ref().filter(|_| !is_added(&item.name) && !item.value.is_empty()) else {
                continue;
            };
            let line = page.number(item.at);
            let inner = item.value.strip_prefix('{').map(|rest| rest.strip_suffix('}').unwrap_or(rest));
            let raw = match (inner, item.value.parse::<i64>()) {
                (Some(list), _) => {
                    let whole = list.trim_end_matches(['.', '…']);
                    if whole.len() < list.len() {
                        let given = format!("`{}`, which PowerShell cuts off", shown(&item.value, 60));
                        found.problem(line_number(line), "the whole list", given);
                        continue;
                    }
                    Raw::List(list.split(", ").map(|name| name.trim().to_string()).collect())
                }
                (None, Ok(number)) => Raw::Number(unsigned(number)),
                (None, Err(_)) => Raw::Text(item.value.clone()),
            };
            state(line, key, &item.name, raw, item.value.len() >= LONG, found);
        }
    }
}

/// PowerShell prints a DWORD with a sign.
fn unsigned(number: i64) -> u64 {
    match i32::try_from(number) {
        Ok(number) if number < 0 => u64::from(number.cast_unsigned()),
        _ => number.cast_unsigned(),
    }
}

/// Reads what `Get-ItemProperty | ConvertTo-Json` prints of a key; whether `map` is one.
pub(super) fn json(map: &Map<String, Value>, line: Option<u32>, found: &mut Found) -> bool {
    let Some(key) = map.get("PSPath").and_then(Value::as_str).and_then(named) else { return false };
    found.kind(Kind::Registry);
    let Some(key) = key else { return true };
    for (name, value) in map.iter().filter(|(name, _)| !is_added(name)) {
        let raw = match value {
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Raw::Number(number),
                (None, Some(number)) => Raw::Number(unsigned(number)),
                _ => continue,
            },
            Value::String(text) => Raw::Text(text.clone()),
            Value::Array(list) => {
                Raw::List(list.iter().filter_map(Value::as_str).map(String::from).collect())
            }
            _ => continue,
        };
        state(line.map_or(0, u64::from), &key, name, raw, false, found);
    }
    true
}
