//! TLS as far as a first flight goes: ClientHellos built to order, and a bounded reader of what answers in clear.
//!
//! RFC 5246 (TLS 1.2), RFC 8446 (TLS 1.3), RFC 6066 (server name), RFC 8422 (groups).

use crate::evidence::{Looks, escape_bytes};

/// TLS 1.0, as on the wire.
pub const TLS10: u16 = 0x0301;
/// TLS 1.1, as on the wire.
pub const TLS11: u16 = 0x0302;
/// TLS 1.2, as on the wire.
pub const TLS12: u16 = 0x0303;
/// TLS 1.3, as on the wire.
pub const TLS13: u16 = 0x0304;

/// The most bytes of a server's flight that are read: many times a real certificate message.
pub const FLIGHT_LIMIT: usize = 256 * 1024;

/// The name of a version.
pub fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSL 3.0".into(),
        TLS10 => "TLS 1.0".into(),
        TLS11 => "TLS 1.1".into(),
        TLS12 => "TLS 1.2".into(),
        TLS13 => "TLS 1.3".into(),
        other => format!("version {other:04x}"),
    }
}

/// What a ClientHello says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The highest version offered; TLS 1.3 offers itself alone, the others all that the server may choose below.
    pub version: u16,
    /// The suites in order.
    pub suites: Vec<u16>,
    /// The named groups in order.
    pub groups: Vec<u16>,
    /// The signature algorithms in order; none are sent below TLS 1.2.
    pub signatures: Vec<u16>,
    /// The server name; absent where the target is an address.
    pub server_name: Option<String>,
}

fn put(out: &mut Vec<u8>, width: usize, body: &[u8]) {
    let length = (body.len() as u32).to_be_bytes();
    out.extend_from_slice(&length[4 - width..]);
    out.extend_from_slice(body);
}

fn words(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn extension(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    out.extend_from_slice(&kind.to_be_bytes());
    put(out, 2, body);
}

impl Hello {
    /// The record that carries this hello. `random` becomes the client random and, for TLS 1.3, the session id.
    ///
    /// Extensions come in the order in which SCHANNEL's .NET hello sends them: server_name, supported_groups,
    /// ec_point_formats, signature_algorithms, session_ticket, extended_master_secret, renegotiation_info.
    /// A TLS 1.3 hello offers an empty key_share, so that a server answers with HelloRetryRequest.
    pub fn record(&self, random: &[u8; 32]) -> Vec<u8> {
        let mut body = Vec::with_capacity(512);
        body.extend_from_slice(&self.version.min(TLS12).to_be_bytes());
        body.extend_from_slice(random);
        put(&mut body, 1, if self.version >= TLS13 { random } else { &[] });
        put(&mut body, 2, &words(&self.suites));
        put(&mut body, 1, &[0]);
        let mut extensions = Vec::with_capacity(256);
        if let Some(name) = &self.server_name {
            let mut entry = vec![0];
            put(&mut entry, 2, name.as_bytes());
            let mut list = Vec::new();
            put(&mut list, 2, &entry);
            extension(&mut extensions, 0, &list);
        }
        if !self.groups.is_empty() {
            let mut list = Vec::new();
            put(&mut list, 2, &words(&self.groups));
            extension(&mut extensions, 10, &list);
            extension(&mut extensions, 11, &[1, 0]);
        }
        if self.version >= TLS12 && !self.signatures.is_empty() {
            let mut list = Vec::new();
            put(&mut list, 2, &words(&self.signatures));
            extension(&mut extensions, 13, &list);
        }
        if self.version < TLS13 {
            extension(&mut extensions, 35, &[]);
            extension(&mut extensions, 23, &[]);
            extension(&mut extensions, 65281, &[0]);
        } else {
            extension(&mut extensions, 43, &[2, 3, 4]);
            extension(&mut extensions, 45, &[1, 1]);
            extension(&mut extensions, 51, &[0, 0]);
        }
        put(&mut body, 2, &extensions);

        let mut message = vec![1];
        put(&mut message, 3, &body);
        let mut record = vec![22];
        let outer = if self.version >= TLS13 { TLS10 } else { self.version };
        record.extend_from_slice(&outer.to_be_bytes());
        put(&mut record, 2, &message);
        record
    }
}

/// What a server's clear flight holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFlight {
    /// The version chosen.
    pub version: u16,
    /// The suite chosen.
    pub suite: u16,
    /// The certificates, DER, in the order sent.
    pub certificates: Vec<Vec<u8>>,
    /// Whether a CertificateRequest came.
    pub client_certificate_asked: bool,
    /// Whether ServerHelloDone came (TLS 1.3: the ServerHello or HelloRetryRequest, after which nothing is clear).
    pub complete: bool,
}

/// What the bytes so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// More is needed.
    More,
    /// A ServerHello and what came after it.
    Flight(ServerFlight),
    /// An alert before any ServerHello: its description.
    Alert(u8),
    /// Plain HTTP: the status line, escaped.
    PlainHttp(String),
    /// No TLS.
    NotTls(Looks),
}

/// Reads a server's first flight from bytes that arrive in any pieces.
#[derive(Debug, Default)]
pub struct FlightReader {
    bytes: Vec<u8>,
    /// Where the next record begins.
    at: usize,
    handshake: Vec<u8>,
    /// Where the next handshake message begins.
    next: usize,
    flight: Option<ServerFlight>,
}

fn take<'a>(from: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = from.split_at_checked(count)?;
    *from = tail;
    Some(head)
}

fn number(from: &mut &[u8], width: usize) -> Option<usize> {
    Some(take(from, width)?.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
}

/// Whether bytes that are no TLS look like something known.
pub fn looks_like(bytes: &[u8]) -> Looks {
    if bytes.starts_with(b"HTTP/") {
        Looks::Http
    } else if bytes.len() >= 3 && matches!(bytes[0], 20..=23) && bytes[1] == 3 && bytes[2] <= 4 {
        Looks::Tls
    } else if bytes.len() >= 4
        && bytes.iter().take(64).all(|&b| (0x20..0x7f).contains(&b) || matches!(b, b'\r' | b'\n' | b'\t'))
    {
        Looks::Banner
    } else {
        Looks::Unknown
    }
}

impl FlightReader {
    /// Takes more bytes and says what they are by now.
    pub fn push(&mut self, more: &[u8]) -> Reading {
        if self.bytes.len() + more.len() > FLIGHT_LIMIT {
            return Reading::NotTls(Looks::TooLarge);
        }
        self.bytes.extend_from_slice(more);
        self.read()
    }

    /// Every byte so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What has been read when nothing more comes: a flight cut short, if there was a ServerHello.
    pub fn cut(self) -> Option<ServerFlight> {
        self.flight
    }

    fn read(&mut self) -> Reading {
        if self.at == 0 && !self.bytes.is_empty() && self.handshake.is_empty() {
            if self.bytes.starts_with(b"HTTP/") {
                let line = self.bytes.split(|&b| b == b'\r' || b == b'\n').next().unwrap_or_default();
                if line.len() < self.bytes.len() || self.bytes.len() > 64 {
                    return Reading::PlainHttp(escape_bytes(line));
                }
                return Reading::More;
            }
            if b"HTTP/".starts_with(&self.bytes[..]) {
                return Reading::More;
            }
            let looks = looks_like(&self.bytes);
            if looks != Looks::Tls && (self.bytes.len() >= 5 || !matches!(self.bytes[0], 20..=23)) {
                return Reading::NotTls(looks);
            }
        }
        while let Some(header) = self.bytes.get(self.at..self.at + 5) {
            let (kind, major) = (header[0], header[1]);
            let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
            // RFC 5246 section 6.2.3: a record's fragment is at most 2^14 + 2048 bytes.
            if major != 3 || length > 16384 + 2048 || !matches!(kind, 20..=23) {
                return self.stop(Looks::Unknown);
            }
            let Some(fragment) = self.bytes.get(self.at + 5..self.at + 5 + length) else {
                return Reading::More;
            };
            match kind {
                22 => {
                    self.handshake.extend_from_slice(fragment);
                    self.at += 5 + length;
                    if let Some(reading) = self.messages() {
                        return reading;
                    }
                }
                21 => {
                    return match (&self.flight, fragment.get(1)) {
                        (Some(flight), _) => Reading::Flight(flight.clone()),
                        (None, Some(&description)) => Reading::Alert(description),
                        (None, None) => Reading::NotTls(Looks::Unknown),
                    };
                }
                // A change of cipher or application data: nothing clear comes after it.
                _ => return self.stop(Looks::Unknown),
            }
        }
        Reading::More
    }

    fn stop(&self, looks: Looks) -> Reading {
        match &self.flight {
            Some(flight) => Reading::Flight(flight.clone()),
            None => Reading::NotTls(looks),
        }
    }

    fn messages(&mut self) -> Option<Reading> {
        while let Some(header) = self.handshake.get(self.next..self.next + 4) {
            let kind = header[0];
            let length = usize::from(header[1]) << 16 | usize::from(header[2]) << 8 | usize::from(header[3]);
            if length > FLIGHT_LIMIT {
                return Some(Reading::NotTls(Looks::TooLarge));
            }
            let body = self.handshake.get(self.next + 4..self.next + 4 + length)?;
            let understood = match (kind, &mut self.flight) {
                (2, None) => match server_hello(body) {
                    Some(flight) => {
                        let done = flight.complete;
                        self.flight = Some(flight);
                        if done {
                            return self.flight.clone().map(Reading::Flight);
                        }
                        true
                    }
                    None => false,
                },
                (11, Some(flight)) => match certificates(body) {
                    Some(list) => {
                        flight.certificates = list;
                        true
                    }
                    None => false,
                },
                (13, Some(flight)) => {
                    flight.client_certificate_asked = true;
                    true
                }
                (14, Some(flight)) => {
                    flight.complete = true;
                    return Some(Reading::Flight(flight.clone()));
                }
                // ServerKeyExchange, CertificateStatus and what else a server may send.
                (_, Some(_)) => true,
                // HelloRequest.
                (0, None) => true,
                (_, None) => false,
            };
            if !understood {
                return Some(self.stop(Looks::Unknown));
            }
            self.next += 4 + length;
        }
        None
    }
}

fn server_hello(mut body: &[u8]) -> Option<ServerFlight> {
    let body = &mut body;
    let mut version = number(body, 2)? as u16;
    take(body, 32)?;
    let session = number(body, 1)?;
    take(body, session)?;
    let suite = number(body, 2)? as u16;
    take(body, 1)?;
    if let Some(length) = number(body, 2) {
        let mut extensions = take(body, length)?;
        let extensions = &mut extensions;
        while !extensions.is_empty() {
            let kind = number(extensions, 2)?;
            let length = number(extensions, 2)?;
            let mut value = take(extensions, length)?;
            if kind == 43 {
                version = number(&mut value, 2)? as u16;
            }
        }
    }
    Some(ServerFlight { version, suite, complete: version >= TLS13, ..ServerFlight::default() })
}

fn certificates(mut body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let length = number(&mut body, 3)?;
    let mut list = take(&mut body, length)?;
    let mut found = Vec::new();
    while !list.is_empty() {
        let length = number(&mut list, 3)?;
        let der = take(&mut list, length)?;
        // A chain of more than 32 is nobody's: the rest is left.
        if found.len() < 32 {
            found.push(der.to_vec());
        }
    }
    Some(found)
}

/// The name of an alert's description (RFC 8446 section 6, RFC 5246 section 7.2).
pub fn alert_name(code: u8) -> &'static str {
    match code {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "unassigned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            version: TLS12,
            suites: vec![0xc030, 0xc02f],
            groups: vec![29, 23],
            signatures: vec![0x0401],
            server_name: Some("sws.update.microsoft.com".into()),
        }
    }

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind, 3, 3];
        put(&mut out, 2, body);
        out
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        put(&mut out, 3, body);
        out
    }

    fn flight() -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0xc0, 0x30, 0]);
        let mut list = Vec::new();
        put(&mut list, 3, b"leaf");
        put(&mut list, 3, b"issuer");
        let mut certificate = Vec::new();
        put(&mut certificate, 3, &list);
        let mut all = message(2, &body);
        all.extend(message(11, &certificate));
        all.extend(message(13, &[1, 1]));
        all.extend(message(14, &[]));
        all
    }

    #[test]
    fn a_hello_has_the_lengths_that_it_says() {
        let bytes = hello().record(&[1; 32]);
        assert_eq!(bytes[..3], [22, 3, 3]);
        assert_eq!(usize::from(u16::from_be_bytes([bytes[3], bytes[4]])), bytes.len() - 5);
        assert_eq!(bytes[5], 1);
        assert!(bytes.windows(24).any(|w| w == b"sws.update.microsoft.com"));
    }

    #[test]
    fn a_flight_reads_the_same_however_it_is_cut() {
        let expected = ServerFlight {
            version: TLS12,
            suite: 0xc030,
            certificates: vec![b"leaf".to_vec(), b"issuer".to_vec()],
            client_certificate_asked: true,
            complete: true,
        };
        for size in 1..40 {
            let bytes: Vec<u8> = flight().chunks(size).flat_map(|piece| record(22, piece)).collect();
            let mut reader = FlightReader::default();
            let mut last = Reading::More;
            for byte in bytes.chunks(3) {
                last = reader.push(byte);
            }
            assert_eq!(last, Reading::Flight(expected.clone()), "records of {size}");
        }
    }

    #[test]
    fn other_protocols_are_told_apart() {
        assert_eq!(FlightReader::default().push(&[21, 3, 3, 0, 2, 2, 40]), Reading::Alert(40));
        let http = FlightReader::default().push(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n");
        assert_eq!(http, Reading::PlainHttp("HTTP/1.1 400 Bad Request".into()));
        assert_eq!(FlightReader::default().push(b"SSH-2.0-OpenSSH_9.2\r\n"), Reading::NotTls(Looks::Banner));
        assert_eq!(FlightReader::default().push(&[0, 1, 2, 3, 4, 5]), Reading::NotTls(Looks::Unknown));
        assert_eq!(FlightReader::default().push(b"HT"), Reading::More);
    }

    #[test]
    fn a_message_of_sixteen_megabytes_is_not_waited_for() {
        let mut reader = FlightReader::default();
        let mut body = flight();
        body.truncate(42);
        body.extend_from_slice(&[11, 0xff, 0xff, 0xff]);
        assert_eq!(reader.push(&record(22, &body)), Reading::NotTls(Looks::TooLarge));
    }

    proptest::proptest! {
        #[test]
        fn strangers_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), cut in 1usize..50) {
            let mut reader = FlightReader::default();
            for piece in bytes.chunks(cut) {
                if reader.push(piece) != Reading::More {
                    break;
                }
            }
        }

        #[test]
        fn a_changed_flight_never_panics(at in 0usize..120, value in proptest::num::u8::ANY) {
            let mut bytes = record(22, &flight());
            let at = at % bytes.len();
            bytes[at] = value;
            FlightReader::default().push(&bytes);
        }
    }
}
