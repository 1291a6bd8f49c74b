//! A stranger's text and bytes, fit to be kept and shown.

/// Escapes what a stranger wrote: printable characters stay, everything else becomes `\u{…}`; at most `limit`
/// characters, `…` marking a cut.
pub fn escape(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count >= limit {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
            {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// Escapes bytes to printable ASCII, at most the first 256.
pub fn escape_bytes(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(256)].escape_ascii().to_string()
}
