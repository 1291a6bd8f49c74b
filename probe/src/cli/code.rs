//! `explain` of a code: what it means, where it is seen, what it does not prove, and the first check.

use super::explain::{bold, distance, hang, markdown};
use crate::codes::{self, Entry, Family, Key};

/// What `explain` prints of a code in any spelling; none where no meaning is known.
pub fn explain(text: &str, colour: bool) -> Option<String> {
    let found = codes::lookup(text);
    if found.is_empty() {
        return None;
    }
    let mut out = String::new();
    if found.len() > 1 {
        let mut keys: Vec<String> = found.iter().map(|entry| chosen(entry)).collect();
        keys.dedup();
        let choice = if keys.len() > 1 { format!(": {}", keys.join(", ")) } else { " of one number".into() };
        hang(&mut out, "", &format!("{} meanings{choice}", found.len()));
        out.push('\n');
    }
    let meanings: Vec<String> = found.iter().map(|entry| meaning(entry, colour)).collect();
    out.push_str(&meanings.join("\n"));
    Some(out)
}

/// What to write for one meaning alone.
fn chosen(entry: &Entry) -> String {
    match entry.key {
        Key::Code(code) if code >> 16 == 0x8007 => format!("win32:{}", code & 0xFFFF),
        key => key.to_string(),
    }
}

fn meaning(entry: &Entry, colour: bool) -> String {
    let mut out = String::new();
    let title = match entry.key {
        Key::Event(id) => format!("Event {id}"),
        Key::Http(status, None) => format!("HTTP {status}"),
        Key::Http(status, Some(sub)) => format!("HTTP {status}.{sub}"),
        Key::Soap(code) => format!("SoapFault:{code}"),
        Key::Sql(number) => format!("SqlException {number}"),
        key => key.to_string(),
    };
    let names = match entry.key {
        Key::Soap(_) | Key::Name(_) => String::new(),
        _ if entry.symbols.is_empty() => String::new(),
        _ => format!("  {}", entry.symbols.join(", ")),
    };
    out.push_str(&format!("{}{names}\n", bold(&title, colour)));
    let memory =
        if entry.from_memory { " (From memory: not checked against a header or a log.)" } else { "" };
    hang(&mut out, "", &format!("{}{memory}", entry.meaning));
    out.push('\n');
    if let Key::Code(code) = entry.key {
        let mut also = format!("{}, {code}", code.cast_signed());
        if code >> 16 == 0x8007 {
            also.push_str(&format!(", Win32 {}", code & 0xFFFF));
        }
        hang(&mut out, "Also       ", &also);
    }
    hang(&mut out, "Seen       ", &entry.seen());
    let mut not = vec![entry.area.not.as_str()];
    if let Family::Codes(family) = &entry.family {
        not.extend((!family.not.is_empty()).then_some(family.not.as_str()));
    }
    match entry.page() {
        Some(page) => {
            markdown(&mut out, page, &|text| bold(text, colour));
        }
        None => {
            hang(&mut out, "Not proved ", &not.join(" "));
            hang(&mut out, "First      ", &entry.area.first);
            if !entry.area.findings.is_empty() {
                hang(&mut out, "Findings   ", &entry.area.findings.join(", "));
            }
        }
    }
    out
}

/// Whose range a code is in that has no meaning here.
pub fn owner(text: &str) -> Option<&'static str> {
    let code = codes::hresult(text)?;
    Some(match code >> 16 {
        0x8024 | 0x0024 => "the Windows Update agent",
        0x8020 | 0x0020 => "BITS",
        0x8019 => "HTTP statuses that BITS wrapped",
        0x8009 | 0x0009 => "SCHANNEL, SSPI and certificates",
        0x800B => "certificates and signatures",
        0x8013 => ".NET",
        0x80D0 => "Delivery Optimization",
        0x8007 => "Windows' own errors",
        _ => return None,
    })
}

/// At most three symbols that a word may have meant.
pub fn nearest(word: &str) -> Vec<&'static str> {
    let word: String = word.to_ascii_uppercase().chars().take(80).collect();
    let mut ranked: Vec<(usize, &'static str)> = codes::symbols()
        .filter(|symbol| symbol.len().abs_diff(word.len()) <= 2)
        .map(|symbol| (distance(&word, &symbol.to_ascii_uppercase()), symbol))
        .filter(|&(far, _)| far <= 2 && word.len() > 4)
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(3).map(|(_, symbol)| symbol).collect()
}
