//! Reads a ClientHello: the lab's own reader, which shares nothing with the probe's writer.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a ClientHello says. Codes are as on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// The version of the record that it came in.
    pub record_version: u16,
    /// The version in its body: the newest, for clients without `supported_versions`.
    pub legacy_version: u16,
    /// The client's random number.
    pub random: [u8; 32],
    /// The list of the `supported_versions` extension; empty without it.
    pub versions: Vec<u16>,
    /// The session identifier, which TLS 1.3 has the server send back.
    pub session: Vec<u8>,
    /// Cipher suites, the client's preference.
    pub suites: Vec<u16>,
    /// The server name; `None` without the extension.
    pub server_name: Option<String>,
    /// `supported_groups`; `None` without the extension.
    pub groups: Option<Vec<u16>>,
    /// `signature_algorithms`; `None` without the extension.
    pub signatures: Option<Vec<u16>>,
    /// Groups of `key_share`, empty where it asks to be asked for one; `None` without the extension.
    pub key_shares: Option<Vec<u16>>,
    /// ALPN protocols.
    pub alpn: Vec<String>,
    /// Types of all extensions, in order.
    pub extensions: Vec<u16>,
}

impl Hello {
    /// Whether the client would speak that version.
    pub fn offers(&self, version: u16) -> bool {
        if self.versions.is_empty() {
            version <= self.legacy_version && version >= 0x0300
        } else {
            self.versions.contains(&version)
        }
    }

    /// Whether it asks for secure renegotiation: by the extension, or by the suite that stands for it.
    pub fn renegotiates(&self) -> bool {
        self.extensions.contains(&0xff01) || self.suites.contains(&0x00ff)
    }

    /// The newest version that it offers, GREASE aside.
    pub fn newest(&self) -> u16 {
        self.versions.iter().copied().filter(|v| v >> 8 == 3).max().unwrap_or(self.legacy_version)
    }
}

/// What came instead of, or as, a hello.
#[derive(Debug)]
pub enum Opening {
    /// A hello, and the bytes that it was read from.
    Hello(Box<Hello>, Vec<u8>),
    /// Bytes that are not TLS.
    Other(Vec<u8>),
    /// TLS that cannot be read.
    Malformed(Vec<u8>),
    /// The peer closed before it said enough.
    Nothing,
}

/// Reads records until the ClientHello is whole. Waits at most 30 seconds.
///
/// # Errors
/// The connection broke.
pub async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Opening> {
    match tokio::time::timeout(Duration::from_secs(30), read_records(stream)).await {
        Ok(result) => result,
        Err(_) => Ok(Opening::Nothing),
    }
}

async fn read_records<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Opening> {
    let mut raw = Vec::new();
    let mut message = Vec::new();
    let mut at = 0;
    let mut record_version = 0;
    loop {
        while raw.len() < at + 5 {
            if !raw.is_empty() && raw[0] != 22 {
                return Ok(Opening::Other(raw));
            }
            if stream.read_buf(&mut raw).await? == 0 {
                return Ok(Opening::Nothing);
            }
        }
        if raw[at] != 22 || raw[at + 1] != 3 {
            return Ok(if at == 0 { Opening::Other(raw) } else { Opening::Malformed(raw) });
        }
        if at == 0 {
            record_version = u16::from_be_bytes([raw[1], raw[2]]);
        }
        let size = usize::from(u16::from_be_bytes([raw[at + 3], raw[at + 4]]));
        if size == 0 || size > 16_640 {
            return Ok(Opening::Malformed(raw));
        }
        while raw.len() < at + 5 + size {
            if stream.read_buf(&mut raw).await? == 0 {
                return Ok(Opening::Nothing);
            }
        }
        message.extend_from_slice(&raw[at + 5..at + 5 + size]);
        at += 5 + size;
        if message[0] != 1 {
            return Ok(Opening::Malformed(raw));
        }
        if message.len() >= 4 {
            let whole = 4
                + usize::from(message[1]) * 65_536
                + usize::from(message[2]) * 256
                + usize::from(message[3]);
            if whole > 131_072 {
                return Ok(Opening::Malformed(raw));
            }
            if message.len() >= whole {
                return Ok(match parse(&message[4..whole]) {
                    Some(mut hello) => {
                        hello.record_version = record_version;
                        Opening::Hello(Box::new(hello), raw)
                    }
                    None => Opening::Malformed(raw),
                });
            }
        }
    }
}

/// Reads the body of a ClientHello, without the four bytes of its handshake header. `None` where it is malformed.
pub fn parse(body: &[u8]) -> Option<Hello> {
    let mut rest = Reader(body);
    let mut hello = Hello { legacy_version: rest.u16()?, ..Hello::default() };
    hello.random = *rest.take(32)?.first_chunk()?;
    let session = usize::from(rest.u8()?);
    hello.session = rest.take(session)?.to_vec();
    let suites = usize::from(rest.u16()?);
    hello.suites = codes(rest.take(suites)?)?;
    let methods = usize::from(rest.u8()?);
    rest.take(methods)?;
    if rest.0.is_empty() {
        return Some(hello);
    }
    let size = usize::from(rest.u16()?);
    let mut extensions = Reader(rest.take(size)?);
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let size = usize::from(extensions.u16()?);
        let mut data = Reader(extensions.take(size)?);
        hello.extensions.push(kind);
        match kind {
            0 => {
                let size = usize::from(data.u16()?);
                let mut names = Reader(data.take(size)?);
                if names.u8()? == 0 {
                    let size = usize::from(names.u16()?);
                    hello.server_name = Some(String::from_utf8_lossy(names.take(size)?).into_owned());
                }
            }
            10 => {
                let size = usize::from(data.u16()?);
                hello.groups = Some(codes(data.take(size)?)?);
            }
            13 => {
                let size = usize::from(data.u16()?);
                hello.signatures = Some(codes(data.take(size)?)?);
            }
            16 => {
                let size = usize::from(data.u16()?);
                let mut list = Reader(data.take(size)?);
                while !list.0.is_empty() {
                    let size = usize::from(list.u8()?);
                    hello.alpn.push(String::from_utf8_lossy(list.take(size)?).into_owned());
                }
            }
            43 => {
                let size = usize::from(data.u8()?);
                hello.versions = codes(data.take(size)?)?;
            }
            51 => {
                let size = usize::from(data.u16()?);
                let mut list = Reader(data.take(size)?);
                let mut groups = Vec::new();
                while !list.0.is_empty() {
                    groups.push(list.u16()?);
                    let size = usize::from(list.u16()?);
                    list.take(size)?;
                }
                hello.key_shares = Some(groups);
            }
            _ => {}
        }
    }
    Some(hello)
}

fn codes(bytes: &[u8]) -> Option<Vec<u16>> {
    bytes
        .len()
        .is_multiple_of(2)
        .then(|| bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(taken)
    }
    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }
    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }
}
