//! Binary event logs (.evtx): a header, and chunks of 64 KiB that are read one by one, so that a damaged one costs itself
//! alone and a large log no memory.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use evtx::{EvtxChunkData, ParserSettings};

use super::event::{Events, matters};
use super::scan::Scanner;
use super::{Found, Kind, trouble, xml};

/// The size of the file's header.
const HEADER: usize = 4096;
/// The size of a chunk.
const CHUNK: usize = 64 * 1024;
/// How many chunks the header can count.
const CHUNKS: u32 = 65_536;
/// How many empty chunks end a file that was made larger than what it holds.
const EMPTY: u32 = 1024;
/// What a chunk begins with.
const MARK: &[u8] = b"ElfChnk\0";

/// Reads a log to its end.
pub(super) fn read(mut inner: Box<dyn Read + '_>, found: &mut Found) {
    found.kind(Kind::Events);
    let mut scanner = Scanner::default();
    let mut events = Events::default();
    let mut damage = Damage::default();
    let settings = Arc::new(ParserSettings::new().num_threads(1));
    let mut chunk = vec![0; HEADER];
    let header = fill(&mut inner, &mut chunk, found);
    if header < HEADER {
        found.problem(None, "a whole event log", "one that ends in its header".into());
        return;
    }
    let mut empty = 0;
    for number in 1..=CHUNKS {
        chunk.resize(CHUNK, 0);
        let filled = fill(&mut inner, &mut chunk, found);
        if filled == 0 {
            break;
        }
        if chunk.iter().all(|&byte| byte == 0) {
            empty += 1;
            if filled < CHUNK || empty == EMPTY {
                break;
            }
            continue;
        }
        empty = 0;
        if filled < CHUNK {
            chunk[filled..].fill(0);
            damage.chunk(number, "is cut short");
        }
        if !chunk.starts_with(MARK) {
            damage.chunk(number, "has no beginning");
            continue;
        }
        // The library is bounded, and has not met every file there is.
        let data = std::mem::take(&mut chunk);
        let done = catch_unwind(AssertUnwindSafe(|| {
            records(data, &settings, number, &mut events, &mut scanner, &mut damage);
        }));
        if done.is_err() {
            damage.chunk(number, "cannot be read");
        }
        if filled < CHUNK {
            break;
        }
    }
    scanner.finish(0, found);
    events.finish(found);
    damage.finish(found);
}

fn records(
    data: Vec<u8>,
    settings: &Arc<ParserSettings>,
    number: u32,
    events: &mut Events,
    scanner: &mut Scanner,
    damage: &mut Damage,
) {
    // Sums are looked at apart: a record that can be read is worth having.
    let mut chunk = match EvtxChunkData::new(data, false) {
        Ok(chunk) => chunk,
        Err(_) => return damage.chunk(number, "has a damaged beginning"),
    };
    if !chunk.validate_checksum() {
        damage.chunk(number, "does not fit its checksum");
    }
    let mut chunk = match chunk.parse(settings.clone()) {
        Ok(chunk) => chunk,
        Err(_) => return damage.chunk(number, "has a damaged beginning"),
    };
    for record in chunk.iter() {
        let entry = record.and_then(|record| record.into_xml()).map(|record| xml::event(&record.data));
        match entry {
            Ok(Some(entry)) if matters(&entry.provider) => events.take(entry, scanner),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => damage.record(number),
        }
    }
}

/// Reads until `into` is full or there is no more.
fn fill(inner: &mut dyn Read, into: &mut [u8], found: &mut Found) -> usize {
    let mut filled = 0;
    while filled < into.len() {
        match inner.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                found.problem(None, "a readable file", trouble(&error));
                break;
            }
        }
    }
    filled
}

/// What could not be read, told once.
#[derive(Default)]
struct Damage {
    chunks: u32,
    records: u32,
    first: Option<(u32, &'static str)>,
    /// The last chunk that is counted.
    last: u32,
}

impl Damage {
    fn chunk(&mut self, number: u32, what: &'static str) {
        self.first.get_or_insert((number, what));
        if self.last != number {
            self.chunks += 1;
            self.last = number;
        }
    }

    fn record(&mut self, number: u32) {
        self.records += 1;
        self.chunk(number, "has a damaged record");
    }

    fn finish(self, found: &mut Found) {
        let Some((number, what)) = self.first else { return };
        let why = format!(
            "{} damaged, the first of them chunk {number}, which {what}; {} of the records seen could not be read",
            self.chunks, self.records
        );
        found.problem(None, "an event log whose chunks are whole", why);
    }
}
