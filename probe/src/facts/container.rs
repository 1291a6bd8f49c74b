//! Folders and zip archives: every file in them is read as if it had been handed over by itself. Nothing is unpacked to
//! disk, links are not followed, and what an archive may cost is bounded whatever it says of itself.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, Crc32, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive};

use super::decode::Failing;
use super::{Content, Found, Input, Kind, Reading, file, shown, trouble};
use crate::evidence::escape;

/// The most files that one folder or archive handed over may hold, with all that are inside it.
const ENTRIES: usize = 20_000;
/// The most facts that the files of one folder or archive may give together.
const FACTS: usize = 100_000;
/// How many folders may lie in one another.
const FOLDERS: usize = 64;
/// How many archives may lie in one another.
const ARCHIVES: usize = 2;
/// The largest archive that is held in memory: one inside another, or one from standard input.
const HELD: u64 = 64 * 1024 * 1024;
/// The most bytes that one archive handed over may unpack to, with those inside it.
const UNPACKED: u64 = 4 * 1024 * 1024 * 1024;
/// How many times its packed size a file may have, once it is larger than [`SMALL`]. Logs have ten to sixty; deflate
/// cannot have more than 1032.
const RATIO: u64 = 250;
/// Below it a file may have any ratio.
const SMALL: u64 = 16 * 1024 * 1024;
/// How much of a name is shown.
const NAME: usize = 300;

const READABLE: &str = "a readable file";
const WHOLE: &str = "a whole zip archive";

/// Reads what one name stands for.
pub(super) fn read(input: &Input, reading: &mut Reading) {
    let first = reading.facts.len();
    let mut walk = Walk { reading, first, entries: 0, full: false, unpacked: Cell::new(0) };
    match &input.content {
        Content::Bytes(bytes) => walk.stream(&input.name, Box::new(Cursor::new(bytes.as_slice())), 0),
        Content::File if input.name == "-" => walk.stream("-", Box::new(io::stdin()), 0),
        Content::File => {
            let path = Path::new(&input.name);
            match std::fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => walk.folder(&input.name, path, 0),
                Ok(_) => walk.file(&input.name, path),
                Err(error) => walk.refuse(&input.name, READABLE, trouble(&error)),
            }
        }
    }
}

struct Walk<'a> {
    reading: &'a mut Reading,
    /// How many facts there were before.
    first: usize,
    entries: usize,
    /// No more is read.
    full: bool,
    /// How many bytes came out of archives.
    unpacked: Cell<u64>,
}

impl Walk<'_> {
    fn refuse(&mut self, name: &str, expected: &str, why: String) {
        let mut found = Found::default();
        found.problem(None, expected, why);
        self.reading.take(name, found);
    }

    /// Whether one more file may be read; says so once where it may not.
    fn room(&mut self, container: &str) -> bool {
        if self.full {
            return false;
        }
        if self.entries >= ENTRIES {
            self.full = true;
            self.refuse(container, "at most 20,000 files in one folder or archive", "more of them".into());
        } else if self.reading.facts.len() - self.first >= FACTS {
            self.full = true;
            self.refuse(container, "files that say at most 100,000 things together", "more of them".into());
        }
        self.entries += 1;
        !self.full
    }

    fn folder(&mut self, name: &str, path: &Path, depth: usize) {
        if depth == 0 {
            self.reading.kinds.push((name.to_string(), Kind::Folder));
        }
        if depth > FOLDERS {
            return self.refuse(name, "folders that lie at most 64 deep", "deeper ones".into());
        }
        let mut inside: Vec<(String, std::path::PathBuf, std::fs::FileType)> = Vec::new();
        match std::fs::read_dir(path) {
            Ok(entries) => {
                for entry in entries.take(ENTRIES + 1) {
                    match entry.and_then(|entry| Ok((entry.file_type()?, entry))) {
                        Ok((kind, entry)) => {
                            inside.push((
                                entry.file_name().to_string_lossy().into_owned(),
                                entry.path(),
                                kind,
                            ));
                        }
                        Err(error) => self.refuse(name, "a readable folder", trouble(&error)),
                    }
                }
            }
            Err(error) => return self.refuse(name, "a readable folder", trouble(&error)),
        }
        if depth == 0 && inside.is_empty() {
            return self.refuse(name, "files", "an empty folder".into());
        }
        inside.sort_by(|a, b| a.0.cmp(&b.0));
        let base = name.trim_end_matches(['/', std::path::MAIN_SEPARATOR]);
        for (inner, path, kind) in inside {
            if !self.room(name) {
                return;
            }
            let inner = format!("{base}/{inner}");
            if kind.is_dir() {
                self.folder(&inner, &path, depth + 1);
            } else if kind.is_symlink() {
                self.refuse(&inner, READABLE, "a link, which is not followed".into());
            } else if kind.is_file() {
                self.file(&inner, &path);
            } else {
                self.refuse(&inner, READABLE, "a pipe, a socket or a device".into());
            }
        }
    }

    fn file(&mut self, name: &str, path: &Path) {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return self.refuse(name, READABLE, trouble(&error)),
        };
        let mut mark = [0; 4];
        let mut filled = 0;
        while filled < mark.len() {
            match file.read(&mut mark[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.refuse(name, READABLE, trouble(&error)),
            }
        }
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if regular && is_zip(&mark[..filled]) {
            self.unpacked.set(0);
            let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
            match ZipArchive::from_file(file, &mut buffer) {
                Ok(archive) => self.archive(name, &archive, 0),
                Err(error) => self.damaged(name, &error),
            }
            return;
        }
        self.stream(name, Box::new(Cursor::new(mark[..filled].to_vec()).chain(file)), 0);
    }

    /// Reads bytes that cannot be gone through again. `depth` archives are around them.
    fn stream(&mut self, name: &str, mut inner: Box<dyn Read + '_>, depth: usize) {
        let mut mark = Vec::new();
        let began = (&mut inner).take(4).read_to_end(&mut mark);
        if is_zip(&mark) {
            if depth >= ARCHIVES {
                return self.refuse(
                    name,
                    "archives that lie at most two deep",
                    "a deeper zip archive".into(),
                );
            }
            if let Err(error) = (&mut inner).take(HELD).read_to_end(&mut mark) {
                return self.refuse(name, READABLE, trouble(&error));
            }
            drop(inner);
            if mark.len() as u64 > HELD {
                let expected =
                    "a zip archive of at most 64 MiB where it is inside another or on standard input";
                return self.refuse(name, expected, "a larger one".into());
            }
            if depth == 0 {
                self.unpacked.set(0);
            }
            match ZipArchive::from_slice(mark) {
                Ok(archive) => self.archive(name, &archive.into_reader_archive(), depth),
                Err(error) => self.damaged(name, &error),
            }
            return;
        }
        let rest = Failing(began.err()).chain(inner);
        let mut found = Found::default();
        file::read(Box::new(Cursor::new(mark).chain(rest)), &mut found, &mut self.reading.saved);
        self.reading.take(name, found);
    }

    fn damaged(&mut self, name: &str, error: &rawzip::Error) {
        self.reading.kinds.push((name.to_string(), Kind::Archive));
        self.refuse(name, WHOLE, format!("a damaged one ({})", shown(&error.to_string(), 100)));
    }

    fn archive<R: ReaderAt>(&mut self, name: &str, archive: &ZipArchive<R>, depth: usize) {
        self.reading.kinds.push((name.to_string(), Kind::Archive));
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let mut entries = archive.entries(&mut buffer);
        let mut any = false;
        loop {
            let entry = match entries.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) if any => return,
                Ok(None) => return self.refuse(name, "files", "an empty zip archive".into()),
                Err(error) => return self.damaged(name, &error),
            };
            if !any && entry.file_path().as_bytes() == b"[Content_Types].xml" {
                return self.refuse(name, super::EXPECTED, "an Office document".into());
            }
            any = true;
            if !self.room(name) {
                return;
            }
            if entry.is_dir() {
                continue;
            }
            let inner = format!("{name}/{}", inner_name(entry.file_path().as_bytes()));
            if entry.mode().is_symlink() {
                self.refuse(&inner, READABLE, "a link, which is not followed".into());
                continue;
            }
            if entry.flags().is_encrypted() {
                self.refuse(&inner, "a file without a password", "an encrypted one".into());
                continue;
            }
            let method = entry.compression_method();
            if !matches!(method, CompressionMethod::STORE | CompressionMethod::DEFLATE) {
                let found = format!("one packed by method {}", method.as_u16());
                self.refuse(&inner, "a file that is stored or deflated", found);
                continue;
            }
            let (packed, crc) = (entry.compressed_size_hint(), entry.crc32());
            let unpacked = self.unpacked.get();
            if unpacked >= UNPACKED {
                self.full = true;
                return self.refuse(name, "an archive of at most 4 GiB unpacked", "a larger one".into());
            }
            let entry = match archive.get_entry(entry.wayfinder()) {
                Ok(entry) => entry,
                Err(error) => {
                    let why = format!(
                        "one that is not where the archive says ({})",
                        shown(&error.to_string(), 100)
                    );
                    self.refuse(&inner, READABLE, why);
                    continue;
                }
            };
            let reader: Box<dyn Read + '_> = if method == CompressionMethod::STORE {
                Box::new(entry.reader())
            } else {
                Box::new(DeflateDecoder::new(entry.reader()))
            };
            // Counted apart from the walk, which the reading borrows as a whole.
            let total = Cell::new(unpacked);
            let bounded = Bounded { inner: reader, packed, crc, given: 0, sum: Crc32::new(), total: &total };
            self.stream(&inner, Box::new(bounded), depth + 1);
            self.unpacked.set(self.unpacked.get().max(total.get()));
        }
    }
}

fn is_zip(mark: &[u8]) -> bool {
    matches!(mark, b"PK\x03\x04" | b"PK\x05\x06" | b"PK\x06\x06")
}

/// The name of an entry as it is shown. What would lead out of the archive is put in brackets: nothing is ever written
/// there, and nobody shall think so.
fn inner_name(raw: &[u8]) -> String {
    let name = match std::str::from_utf8(raw) {
        Ok(name) => name.to_string(),
        Err(_) => oem_cp::decode_string_complete_table(raw, &oem_cp::code_table::DECODING_TABLE_CP437),
    };
    let name = name.replace('\\', "/");
    let inside = name.trim_start_matches('/');
    let root = if inside.len() < name.len() { "(/)" } else { "" };
    let steps: Vec<&str> = inside.split('/').map(|step| if step == ".." { "(..)" } else { step }).collect();
    escape(&format!("{root}{}", steps.join("/")), NAME)
}

/// A file on its way out of an archive.
struct Bounded<'a> {
    inner: Box<dyn Read + 'a>,
    packed: u64,
    crc: u32,
    given: u64,
    sum: Crc32,
    total: &'a Cell<u64>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => io::Error::other("packed data that is damaged or cut short"),
        })?;
        if n == 0 {
            if !into.is_empty() && self.sum.checksum() != self.crc {
                return Err(io::Error::other("content that does not fit its checksum"));
            }
            return Ok(0);
        }
        self.sum.update(&into[..n]);
        self.given += n as u64;
        self.total.set(self.total.get() + n as u64);
        if self.given > SMALL && self.given / self.packed.max(1) > RATIO {
            return Err(io::Error::other("more than 250 times its packed size"));
        }
        if self.total.get() > UNPACKED {
            return Err(io::Error::other("an archive of more than 4 GiB unpacked"));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere() {
        assert_eq!(inner_name(b"../../etc/passwd"), "(..)/(..)/etc/passwd");
        assert_eq!(inner_name(b"\\\\server\\share\\..\\x"), "(/)server/share/(..)/x");
        assert_eq!(inner_name(b"a/b.log"), "a/b.log");
        assert_eq!(inner_name(b"\x81ber.log"), "\u{fc}ber.log");
        assert!(!inner_name(b"a\x1b[2Jb").contains('\u{1b}'));
    }
}
