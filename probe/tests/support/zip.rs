//! Zip archives, well-formed or as wrong as a test wants them.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// One entry.
pub struct Entry<'a> {
    pub name: &'a [u8],
    pub content: &'a [u8],
    pub deflated: bool,
    pub flags: u16,
    /// What the archive says is the method; its own where none.
    pub method: Option<u16>,
    /// The mode of a Unix file.
    pub mode: u32,
    /// The checksum is another.
    pub wrong_sum: bool,
}

/// A deflated file.
pub fn file<'a>(name: &'a str, content: &'a [u8]) -> Entry<'a> {
    Entry {
        name: name.as_bytes(),
        content,
        deflated: true,
        flags: 0x800,
        method: None,
        mode: 0o100_644,
        wrong_sum: false,
    }
}

/// An archive of these entries.
pub fn zip(entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let packed = if entry.deflated {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(entry.content).unwrap();
            encoder.finish().unwrap()
        } else {
            entry.content.to_vec()
        };
        let mut sum = flate2::Crc::new();
        sum.update(entry.content);
        let sum = sum.sum() ^ u32::from(entry.wrong_sum);
        let method = entry.method.unwrap_or(if entry.deflated { 8 } else { 0 });
        let at = out.len() as u32;
        let mut common = Vec::new();
        common.extend_from_slice(&entry.flags.to_le_bytes());
        common.extend_from_slice(&method.to_le_bytes());
        common.extend_from_slice(&[0; 4]);
        common.extend_from_slice(&sum.to_le_bytes());
        common.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        common.extend_from_slice(&(entry.content.len() as u32).to_le_bytes());
        common.extend_from_slice(&(entry.name.len() as u16).to_le_bytes());
        common.extend_from_slice(&[0; 2]);
        out.extend_from_slice(b"PK\x03\x04\x14\0");
        out.extend_from_slice(&common);
        out.extend_from_slice(entry.name);
        out.extend_from_slice(&packed);
        directory.extend_from_slice(b"PK\x01\x02\x14\x03\x14\0");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(entry.mode << 16).to_le_bytes());
        directory.extend_from_slice(&at.to_le_bytes());
        directory.extend_from_slice(entry.name);
    }
    let at = out.len() as u32;
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out
}
