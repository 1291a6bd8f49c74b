//! Bytes to lines: what encoding a file is in, and its text in blocks of whole lines, in bounded memory.

use std::borrow::Cow;
use std::io::{self, Read};

use encoding_rs::{Decoder, Encoding, IBM866, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252};
use memchr::{memchr, memchr_iter, memrchr};

use super::wrapping::Wrapping;
use super::{DOCUMENT, document};

/// The largest certificate file in DER.
const DER: usize = 4 * 1024 * 1024;
/// How much of a file is looked at to recognise it.
pub(super) const HEAD: usize = 64 * 1024;
/// How much text is held at a time.
const BLOCK: usize = 1024 * 1024;
/// How much is read at a time.
const STEP: usize = 256 * 1024;
/// How much of a log's line is kept.
pub(super) const LINE: usize = 16 * 1024;
/// How much of any other text's line is kept: a list of cipher suites is one line.
pub(super) const LONG: usize = 64 * 1024;

/// How the bytes of a file stand for characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// UTF-8, or line by line the code page of western Windows.
    Bytes,
    Utf16Le,
    Utf16Be,
    /// The code page of Japanese Windows and its console (932).
    Japanese,
}

/// A file's beginning, and the means to read it from there to its end.
pub(super) struct Source<'a> {
    inner: Box<dyn Read + 'a>,
    /// Bytes read already and not yet handed on.
    ahead: Vec<u8>,
    decoder: Option<Decoder>,
    /// Lines end with a bare CR.
    bare_cr: bool,
    ended: bool,
    /// Bytes of UTF-16 handed to the decoder, and the last of its units.
    utf16: Option<(u64, [u8; 2])>,
    big_endian: bool,
    /// The beginning is all of it.
    whole: bool,
}

/// What a file's first bytes say.
pub(super) enum Sniffed<'a> {
    /// Text, with its beginning decoded.
    Text(Source<'a>, String),
    /// A binary event log, from its first byte on.
    #[cfg_attr(not(feature = "evtx"), allow(dead_code))]
    EventLog(Box<dyn Read + 'a>),
    /// Nothing but blanks, or nothing at all.
    Empty,
    /// What begins as a certificate file in DER, up to its limit, and whether there is more.
    Der(Vec<u8>, bool),
    /// No text; what it looks like.
    Binary(&'static str),
}

/// Looks at the beginning of `inner`.
pub(super) fn sniff<'a>(mut inner: Box<dyn Read + 'a>) -> io::Result<Sniffed<'a>> {
    let mut head = vec![0; HEAD];
    let mut filled = 0;
    let mut failed = false;
    while filled < HEAD {
        match inner.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if filled == 0 => return Err(error),
            Err(error) => {
                // What came before it is read, and then it is met again.
                inner = Box::new(Failing(Some(error)));
                failed = true;
                break;
            }
        }
    }
    head.truncate(filled);
    let whole = filled < HEAD && !failed;
    #[cfg(feature = "evtx")]
    if head.starts_with(EVENT_LOG) {
        return Ok(Sniffed::EventLog(Box::new(io::Cursor::new(head).chain(inner))));
    }
    if let Some(what) = magic(&head) {
        return Ok(Sniffed::Binary(what));
    }
    if is_der(&head) {
        if !whole {
            inner.take((DER + 1 - filled) as u64).read_to_end(&mut head)?;
        }
        let over = head.len() > DER;
        return Ok(Sniffed::Der(head, over));
    }
    let (coding, mark) = coding(&head);
    head.drain(..mark);
    let text = match coding {
        Coding::Bytes => {
            let cut = if whole { head.len() } else { memrchr(b'\n', &head).map_or(head.len(), |at| at + 1) };
            if memchr(0, &head).is_some() {
                return Ok(Sniffed::Binary("an unknown binary format"));
            }
            let strange =
                head.iter().filter(|&&b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b));
            if strange.count() * 10 > head.len() {
                return Ok(Sniffed::Binary("an unknown binary format"));
            }
            decode_line(&head[..cut]).into_owned()
        }
        Coding::Utf16Le => UTF_16LE.decode_without_bom_handling(&head).0.into_owned(),
        Coding::Utf16Be => UTF_16BE.decode_without_bom_handling(&head).0.into_owned(),
        Coding::Japanese => SHIFT_JIS.decode_without_bom_handling(&head).0.into_owned(),
    };
    if coding != Coding::Bytes && text.contains('\0') {
        return Ok(Sniffed::Binary("an unknown binary format"));
    }
    if whole && text.trim().is_empty() {
        return Ok(Sniffed::Empty);
    }
    let bare_cr = !text.contains('\n') && text.trim_end_matches('\r').contains('\r');
    let decoder = match coding {
        Coding::Bytes => None,
        Coding::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
        Coding::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
        Coding::Japanese => Some(SHIFT_JIS.new_decoder_without_bom_handling()),
    };
    let utf16 = matches!(coding, Coding::Utf16Le | Coding::Utf16Be).then_some((0, [0, 0]));
    let big_endian = coding == Coding::Utf16Be;
    let text = if bare_cr { text.replace('\r', "\n") } else { text };
    let source = Source { inner, ahead: head, decoder, bare_cr, ended: false, utf16, big_endian, whole };
    Ok(Sniffed::Text(source, text))
}

/// What a binary event log begins with.
const EVENT_LOG: &[u8] = b"ElfFile\0";

/// An error met while the first bytes were read, given back where it stood.
pub(super) struct Failing(pub(super) Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Whether `head` begins as a certificate, PKCS #7, a PFX or a private key does: a sequence of a length in several bytes,
/// or of an unknown one, that begins with a sequence, an object identifier or a number. No text of any encoding does.
fn is_der(head: &[u8]) -> bool {
    let inner = match head {
        [0x30, length @ 0x80..=0x83, rest @ ..] => rest.get(usize::from(length - 0x80)),
        _ => return false,
    };
    matches!(inner, Some(0x30 | 0x06 | 0x02))
}

/// What well-known bytes a file begins with.
fn magic(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 12] = [
        (b"PK\x03\x04", "a zip archive"),
        (b"PK\x05\x06", "an empty zip archive"),
        (EVENT_LOG, "a binary event log (.evtx)"),
        (b"MSCF", "a cabinet"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"7z\xbc\xaf", "a 7-Zip archive"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"%PDF-", "a PDF document"),
        (b"\x89PNG", "a picture"),
        (b"\xff\xd8\xff", "a picture"),
        (b"\xff\xfe\0\0", "text in UTF-32"),
        (b"\xd0\xcf\x11\xe0", "an old Office or installer file"),
    ];
    let known = KNOWN.iter().find(|(bytes, _)| head.starts_with(bytes)).map(|(_, what)| *what);
    let program = head.starts_with(b"MZ") && head[..head.len().min(1024)].contains(&0);
    known.or(program.then_some("a Windows program or library"))
}

/// The encoding, and the length of its mark.
fn coding(head: &[u8]) -> (Coding, usize) {
    if head.starts_with(b"\xef\xbb\xbf") {
        return (Coding::Bytes, 3);
    }
    if head.starts_with(b"\xff\xfe") {
        return (Coding::Utf16Le, 2);
    }
    if head.starts_with(b"\xfe\xff") {
        return (Coding::Utf16Be, 2);
    }
    // Without a mark: text in Latin letters has a NUL as every second byte.
    let sample = &head[..head.len().min(1024)];
    let (even, odd) = sample.chunks_exact(2).fold((0, 0), |(even, odd), pair| {
        (even + usize::from(pair[0] == 0), odd + usize::from(pair[1] == 0))
    });
    let pairs = sample.len() / 2;
    if pairs >= 8 && odd * 10 >= pairs * 8 && even == 0 {
        return (Coding::Utf16Le, 0);
    }
    if pairs >= 8 && even * 10 >= pairs * 8 && odd == 0 {
        return (Coding::Utf16Be, 0);
    }
    (if is_japanese(head) { Coding::Japanese } else { Coding::Bytes }, 0)
}

/// Whether `head` is in the Japanese code page. Its characters of two bytes may end in a byte of ASCII: what is taken for it
/// wrongly loses letters below 0x80 too. So nothing in it may be wrong, most of its characters stand beside each other, and
/// many of them are kana, which no western, Cyrillic or Chinese text has beside each other where it is read so.
fn is_japanese(head: &[u8]) -> bool {
    if std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true) {
        return false;
    }
    let (mut pairs, mut beside, mut kana, mut halves) = (0, 0, 0, 0);
    let (mut at, mut last) = (0, 0);
    while let Some(&byte) = head.get(at) {
        at += 1;
        match byte {
            0..=0x7f => {}
            0xa1..=0xdf => halves += 1,
            0x81..=0x9f | 0xe0..=0xfc => {
                // The head may end within a character.
                let Some(&trail) = head.get(at) else { break };
                if !matches!(trail, 0x40..=0x7e | 0x80..=0xfc) {
                    return false;
                }
                let together = pairs > 0 && last + 1 == at;
                pairs += 1;
                beside += usize::from(together);
                kana += usize::from(
                    together
                        && matches!((byte, trail), (0x82, 0x9f..=0xf1) | (0x83, 0x40..=0x7e | 0x80..=0x96)),
                );
                at += 1;
                last = at;
            }
            _ => return false,
        }
    }
    pairs >= 8 && beside * 2 >= pairs && kana * 5 >= pairs && halves * 4 <= pairs
}

/// One or more lines as text: UTF-8, or else the code page that their letters speak for. A wrong guess costs letters
/// above ASCII, and nothing that any form is told by.
pub(crate) fn decode_line(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        // A cut in the middle of a character at the very end is no other code page.
        Err(error) if error.error_len().is_none() && error.valid_up_to() + 4 > bytes.len() => {
            String::from_utf8_lossy(bytes)
        }
        Err(_) => match code_page(bytes) {
            Page::Windows(encoding) => encoding.decode_without_bom_handling(bytes).0,
            Page::Console(table) => Cow::Owned(oem_cp::decode_string_complete_table(bytes, table)),
        },
    }
}

/// A code page.
enum Page {
    Windows(&'static Encoding),
    Console(&'static [char; 128]),
}

/// Cyrillic letters stand beside each other; western ones above ASCII stand alone, among letters below.
fn code_page(bytes: &[u8]) -> Page {
    let bytes = &bytes[..bytes.len().min(HEAD)];
    let high = |at: usize| bytes.get(at).is_some_and(|&byte| byte >= 0x80);
    let letter = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphabetic);
    let (mut all, mut together) = (0, 0);
    let (mut windows_cyrillic, mut console_cyrillic) = (0, 0);
    let (mut windows, mut console) = (0, 0);
    for (at, &byte) in bytes.iter().enumerate().filter(|(_, byte)| **byte >= 0x80) {
        all += 1;
        let (before, after) = (at > 0 && high(at - 1), high(at + 1));
        together += usize::from(before && (after || high(at.wrapping_sub(2))) || after && high(at + 2));
        match byte {
            0x80..=0xaf => console_cyrillic += 1,
            0xc0..=0xdf | 0xf2..=0xff => windows_cyrillic += 1,
            _ => {}
        }
        let (left, right) = (letter(at.checked_sub(1)), letter(Some(at + 1)));
        match byte {
            // Quotation marks and dashes of Windows, which lie where the console has letters.
            0x82 | 0x84 | 0x93 | 0x94 => console += usize::from(left && right),
            0x85 | 0x91 | 0x92 | 0x95..=0x97 => {}
            0x80..=0x90 | 0x99 | 0x9a | 0xa0..=0xa5 => console += usize::from(left || right),
            0xc0..=0xff => windows += usize::from(left || right),
            _ => {}
        }
    }
    if all >= 4 && together * 2 > all {
        return if console_cyrillic > windows_cyrillic {
            Page::Windows(IBM866)
        } else {
            Page::Windows(WINDOWS_1251)
        };
    }
    if console > windows {
        Page::Console(&oem_cp::code_table::DECODING_TABLE_CP850)
    } else {
        Page::Windows(WINDOWS_1252)
    }
}

impl Source<'_> {
    /// Whether the beginning that was looked at is all of the file.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Appends more text to `out`; false at the end.
    pub(super) fn more(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let from = out.len();
        let mut raw = std::mem::take(&mut self.ahead);
        if raw.is_empty() {
            if self.decoder.is_none() {
                // The usual case goes without a copy.
                out.resize(from + STEP, 0);
                let n = read_some(&mut self.inner, &mut out[from..]);
                out.truncate(from + *n.as_ref().unwrap_or(&0));
                if n? == 0 {
                    self.ended = true;
                    return Ok(false);
                }
                self.mend(out, from);
                return Ok(true);
            }
            raw.resize(STEP, 0);
            let n = read_some(&mut self.inner, &mut raw)?;
            raw.truncate(n);
            self.ended = n == 0;
        }
        let Some(decoder) = &mut self.decoder else {
            out.extend_from_slice(&raw);
            self.mend(out, from);
            return Ok(true);
        };
        if let Some((total, unit)) = &mut self.utf16 {
            *total += raw.len() as u64;
            match raw[..] {
                [.., a, b] => *unit = [a, b],
                [b] => *unit = [unit[1], b],
                [] => {}
            }
        }
        let mut text =
            String::with_capacity(decoder.max_utf8_buffer_length(raw.len()).unwrap_or(raw.len() * 3));
        let (_, _, _) = decoder.decode_to_string(&raw, &mut text, self.ended);
        out.extend_from_slice(text.as_bytes());
        self.mend(out, from);
        Ok(!self.ended || out.len() > from)
    }

    fn mend(&self, out: &mut [u8], from: usize) {
        if self.bare_cr {
            out[from..].iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        }
    }

    /// Whether the file ended in the middle of a UTF-16 character.
    pub(super) fn cut(&self) -> bool {
        let Some((total, unit)) = self.utf16 else { return false };
        let high = if self.big_endian { unit[0] } else { unit[1] };
        self.ended && (total % 2 == 1 || (total > 0 && (0xd8..0xdc).contains(&high)))
    }

    /// All of it, up to `limit` bytes; `None` where there is more.
    pub(super) fn whole(&mut self, limit: usize) -> io::Result<Option<String>> {
        let (text, over) = self.first(limit)?;
        Ok((!over).then_some(text))
    }

    /// Its beginning up to about `limit` bytes, and whether there is more.
    pub(super) fn first(&mut self, limit: usize) -> io::Result<(String, bool)> {
        let mut out = Vec::new();
        let mut over = false;
        while self.more(&mut out)? {
            over = out.len() > limit;
            if over {
                break;
            }
        }
        let text = match String::from_utf8(out) {
            Ok(text) => text,
            // Cut in the middle of a character.
            Err(error) if over && error.utf8_error().error_len().is_none() => {
                let valid = error.utf8_error().valid_up_to();
                let mut bytes = error.into_bytes();
                bytes.truncate(valid);
                String::from_utf8(bytes).unwrap_or_default()
            }
            Err(error) => WINDOWS_1252.decode_without_bom_handling(error.as_bytes()).0.into_owned(),
        };
        Ok((text, over))
    }
}

fn read_some(inner: &mut dyn Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match inner.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Whole lines of a file, a block at a time.
pub(super) struct Blocks<'a> {
    source: Source<'a>,
    buffer: Vec<u8>,
    /// How much of the buffer was handed out.
    used: usize,
    /// The number of the buffer's first line.
    line: u64,
    /// The rest of an overlong line is being passed over.
    skipping: bool,
    /// Whether the last byte seen ended a line.
    at_start: bool,
    /// An error that is told once what came before it was handed out.
    trouble: Option<io::Error>,
    /// How much text is held before it is handed out.
    size: usize,
    /// What is undone before lines are handed out.
    wrapping: Option<Wrapping>,
    /// A block of which something was undone.
    undone: Vec<u8>,
    /// Whether a document is handed out as a whole.
    documents: bool,
}

/// Some whole lines.
pub(super) struct Block<'a> {
    /// The number of the first of them, from 1.
    pub(super) line: u64,
    /// Their bytes, in UTF-8 or a code page.
    pub(super) bytes: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// The lines of `source`, of which `wrapping` is undone; as they are where there is none.
    pub(super) fn new(source: Source<'a>, wrapping: Option<Wrapping>) -> Self {
        Blocks {
            source,
            buffer: Vec::new(),
            used: 0,
            line: 1,
            skipping: false,
            at_start: true,
            trouble: None,
            size: BLOCK,
            documents: false,
            wrapping,
            undone: Vec::new(),
        }
    }

    /// Hands out what holds a document with as much as may be of one.
    pub(super) fn keep_documents(&mut self) {
        self.documents = true;
    }

    /// Whether a document begins in what was read.
    fn holds_document(&mut self) -> bool {
        let bytes = match &self.wrapping {
            Some(wrapping) if wrapping.concerns(&self.buffer) => {
                self.undone.clear();
                wrapping.undo(&self.buffer, &mut self.undone);
                &self.undone
            }
            _ => &self.buffer,
        };
        document::may_begin(bytes) && document::is_in(&decode_line(bytes))
    }

    /// The next block; none at the end. An error ends the file, what came before it is kept.
    pub(super) fn next(&mut self) -> io::Result<Option<Block<'_>>> {
        self.buffer.drain(..self.used);
        self.used = 0;
        if let Some(error) = self.trouble.take() {
            return Err(error);
        }
        let mut ended = false;
        loop {
            if self.buffer.len() >= self.size {
                if !self.documents || self.size >= DOCUMENT || !self.holds_document() {
                    break;
                }
                self.size = DOCUMENT;
            }
            match self.source.more(&mut self.buffer) {
                Ok(true) => {}
                Ok(false) => {
                    ended = true;
                    break;
                }
                Err(error) if self.buffer.is_empty() => return Err(error),
                Err(error) => {
                    self.trouble = Some(error);
                    break;
                }
            }
            if self.skipping {
                match memchr(b'\n', &self.buffer) {
                    Some(at) => {
                        self.buffer.drain(..=at);
                        self.skipping = false;
                        self.line += 1;
                        self.at_start = true;
                    }
                    None => self.buffer.clear(),
                }
            }
        }
        if self.skipping || self.buffer.is_empty() {
            return match self.trouble.take() {
                Some(error) => Err(error),
                None => Ok(None),
            };
        }
        let line = self.line;
        let cut = if ended || self.trouble.is_some() {
            self.buffer.len()
        } else {
            match boundary(&self.buffer) {
                Some(cut) => cut,
                None => {
                    // One line fills the block: its beginning is kept, the rest passed over.
                    self.skipping = true;
                    self.at_start = false;
                    self.used = self.buffer.len();
                    return Ok(Some(self.block(line, LONG + 1)));
                }
            }
        };
        let bytes = &self.buffer[..cut];
        self.line += memchr_iter(b'\n', bytes).count() as u64;
        self.at_start = bytes.last() == Some(&b'\n');
        self.used = cut;
        Ok(Some(self.block(line, cut)))
    }

    /// The first `cut` bytes of the buffer.
    fn block(&mut self, line: u64, cut: usize) -> Block<'_> {
        let bytes = &self.buffer[..cut];
        match &self.wrapping {
            Some(wrapping) if wrapping.concerns(bytes) => {
                self.undone.clear();
                wrapping.undo(bytes, &mut self.undone);
                Block { line, bytes: &self.undone }
            }
            _ => Block { line, bytes },
        }
    }

    /// Whether the last line that was seen has its end.
    pub(super) fn ends_in_line(&self) -> bool {
        self.at_start
    }

    /// How many lines there were.
    pub(super) fn lines(&self) -> u64 {
        if self.at_start { self.line - 1 } else { self.line }
    }

    /// Whether the file ended in the middle of a UTF-16 character.
    pub(super) fn cut(&self) -> bool {
        self.source.cut()
    }
}

/// Where a block may end: behind the last line that a line without indentation follows, else behind the last line.
fn boundary(bytes: &[u8]) -> Option<usize> {
    let floor = bytes.len().saturating_sub(STEP);
    let mut end = bytes.len();
    while let Some(at) = memrchr(b'\n', &bytes[..end]) {
        if at < floor {
            break;
        }
        if bytes.get(at + 1).is_some_and(|b| !b.is_ascii_whitespace()) {
            return Some(at + 1);
        }
        end = at;
    }
    memrchr(b'\n', bytes).map(|at| at + 1)
}
