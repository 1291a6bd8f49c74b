//! Binary event logs: what the format asks of a file header, of chunks and of records whose BinXml has no templates
//! (libyal's documentation of the Windows XML Event Log format, and MS-EVEN6 section 2.2.12).

/// One event.
#[derive(Clone, Default)]
pub struct Event {
    pub provider: &'static str,
    pub id: u32,
    pub time: &'static str,
    pub computer: &'static str,
    /// Strings, with their names where they have any.
    pub data: Vec<(&'static str, String)>,
}

const CHUNK: usize = 64 * 1024;

/// A log whose chunks hold these events.
pub fn evtx(chunks: &[Vec<Event>]) -> Vec<u8> {
    let mut out = vec![0; 4096];
    out[..8].copy_from_slice(b"ElfFile\0");
    out[16..24].copy_from_slice(&(chunks.len().saturating_sub(1) as u64).to_le_bytes());
    out[32..36].copy_from_slice(&128u32.to_le_bytes());
    out[36..38].copy_from_slice(&1u16.to_le_bytes());
    out[38..40].copy_from_slice(&3u16.to_le_bytes());
    out[40..42].copy_from_slice(&4096u16.to_le_bytes());
    out[42..44].copy_from_slice(&(chunks.len() as u16).to_le_bytes());
    let sum = crc(&[&out[..120]]);
    out[124..128].copy_from_slice(&sum.to_le_bytes());
    let mut next = 1;
    for events in chunks {
        out.extend_from_slice(&chunk(events, &mut next));
    }
    out
}

fn chunk(events: &[Event], next: &mut u64) -> Vec<u8> {
    let mut out = vec![0; 512];
    let first = *next;
    let mut last_at = 512;
    for event in events {
        last_at = out.len();
        let (at, record) = (out.len(), *next);
        out.extend_from_slice(b"**\0\0\0\0\0\0");
        out.extend_from_slice(&record.to_le_bytes());
        let time: jiff::Timestamp = event.time.parse().unwrap();
        let filetime = (time.as_microsecond() + 11_644_473_600_000_000) as u64 * 10;
        out.extend_from_slice(&filetime.to_le_bytes());
        binxml(&mut out, event);
        let size = (out.len() + 4 - at) as u32;
        out.extend_from_slice(&size.to_le_bytes());
        out[at + 4..at + 8].copy_from_slice(&size.to_le_bytes());
        *next += 1;
    }
    let free = out.len();
    assert!(free <= CHUNK, "more events than a chunk holds");
    out.resize(CHUNK, 0);
    out[..8].copy_from_slice(b"ElfChnk\0");
    let last = next.saturating_sub(1);
    for (at, value) in [(8, first), (16, last), (24, first), (32, last)] {
        out[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    for (at, value) in [(40, 128), (44, last_at as u32), (48, free as u32)] {
        out[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    let sum = crc(&[&out[512..free]]);
    out[52..56].copy_from_slice(&sum.to_le_bytes());
    let sum = crc(&[&out[..120], &out[128..512]]);
    out[124..128].copy_from_slice(&sum.to_le_bytes());
    out
}

fn crc(parts: &[&[u8]]) -> u32 {
    let mut sum = flate2::Crc::new();
    parts.iter().for_each(|part| sum.update(part));
    sum.sum()
}

fn binxml(out: &mut Vec<u8>, event: &Event) {
    out.extend_from_slice(&[0x0f, 1, 1, 0]);
    open(out, "Event", &[]);
    open(out, "System", &[]);
    open(out, "Provider", &[("Name", event.provider)]);
    end(out);
    open(out, "EventID", &[]);
    value(out, &event.id.to_string());
    end(out);
    open(out, "TimeCreated", &[("SystemTime", event.time)]);
    end(out);
    open(out, "Computer", &[]);
    value(out, event.computer);
    end(out);
    end(out);
    open(out, "EventData", &[]);
    for (name, text) in &event.data {
        match *name {
            "" => open(out, "Data", &[]),
            name => open(out, "Data", &[("Name", name)]),
        }
        value(out, text);
        end(out);
    }
    end(out);
    end(out);
    out.push(0);
}

fn name(out: &mut Vec<u8>, text: &str) {
    let at = out.len() as u32 + 4;
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    // A hash that the readers of the name do not need.
    out.extend_from_slice(&[0; 2]);
    string(out, text);
    out.extend_from_slice(&[0; 2]);
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.encode_utf16().count() as u16).to_le_bytes());
    text.encode_utf16().for_each(|unit| out.extend_from_slice(&unit.to_le_bytes()));
}

fn open(out: &mut Vec<u8>, tag: &str, attributes: &[(&str, &str)]) {
    out.push(if attributes.is_empty() { 0x01 } else { 0x41 });
    let size_at = out.len();
    out.extend_from_slice(&[0; 4]);
    name(out, tag);
    if !attributes.is_empty() {
        out.extend_from_slice(&[0; 4]);
        for (at, (key, text)) in attributes.iter().enumerate() {
            out.push(if at + 1 < attributes.len() { 0x46 } else { 0x06 });
            name(out, key);
            value(out, text);
        }
    }
    out.push(0x02);
    let size = (out.len() - size_at) as u32;
    out[size_at..size_at + 4].copy_from_slice(&size.to_le_bytes());
}

fn value(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&[0x05, 0x01]);
    string(out, text);
}

fn end(out: &mut Vec<u8>) {
    out.push(0x04);
}
