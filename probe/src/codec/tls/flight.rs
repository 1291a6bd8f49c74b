//! A bounded reader of what a server answers in clear to a ClientHello.

use super::{Exchange, TLS12, TLS13, suite};
use crate::evidence::{Looks, escape, escape_bytes};

/// The most bytes of a server's flight that are read: many times a real certificate message.
pub const FLIGHT_LIMIT: usize = 256 * 1024;

/// The random of a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// How far a flight is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// The ServerHello: version and suite.
    ServerHello,
    /// ServerKeyExchange, where the suite has one: group or prime, and signature algorithm.
    KeyExchange,
    /// ServerHelloDone: all that comes in clear.
    #[default]
    Done,
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
    /// Whether it is a HelloRetryRequest.
    pub retry: bool,
    /// The named group: of ServerKeyExchange, or of TLS 1.3's key_share.
    pub group: Option<u16>,
    /// The bits of the prime of a finite-field Diffie-Hellman exchange.
    pub dh_bits: Option<u32>,
    /// The signature algorithm of ServerKeyExchange; TLS 1.2 alone names one.
    pub signature: Option<u16>,
    /// The application protocol chosen, escaped.
    pub alpn: Option<String>,
    /// An alert that came after the ServerHello.
    pub alert: Option<u8>,
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
    until: Until,
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
    /// One that is content once it has read so far.
    pub fn new(until: Until) -> Self {
        FlightReader { until, ..FlightReader::default() }
    }

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
                    return match (&mut self.flight, fragment.get(1)) {
                        (Some(flight), description) => {
                            flight.alert = description.copied();
                            Reading::Flight(flight.clone())
                        }
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
                        let done = flight.complete || self.until == Until::ServerHello;
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
                (12, Some(flight)) => {
                    key_exchange(body, flight);
                    if self.until == Until::KeyExchange {
                        return Some(Reading::Flight(flight.clone()));
                    }
                    true
                }
                (13, Some(flight)) => {
                    flight.client_certificate_asked = true;
                    true
                }
                (14, Some(flight)) => {
                    flight.complete = true;
                    return Some(Reading::Flight(flight.clone()));
                }
                // CertificateStatus and what else a server may send.
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
    let mut flight = ServerFlight { version: number(body, 2)? as u16, ..ServerFlight::default() };
    flight.retry = take(body, 32)? == RETRY;
    let session = number(body, 1)?;
    take(body, session)?;
    flight.suite = number(body, 2)? as u16;
    // No hello of ours offers compression: what chooses one is no answer to it.
    (number(body, 1)? == 0).then_some(())?;
    if let Some(length) = number(body, 2) {
        let mut extensions = take(body, length)?;
        let extensions = &mut extensions;
        while !extensions.is_empty() {
            let kind = number(extensions, 2)?;
            let length = number(extensions, 2)?;
            let mut value = take(extensions, length)?;
            let value = &mut value;
            match kind {
                43 => flight.version = number(value, 2)? as u16,
                // The group, and in a ServerHello the key after it.
                51 => flight.group = Some(number(value, 2)? as u16),
                16 => {
                    number(value, 2)?;
                    let length = number(value, 1)?;
                    flight.alpn = Some(escape(&String::from_utf8_lossy(take(value, length)?), 64));
                }
                _ => {}
            }
        }
    }
    flight.complete = flight.version >= TLS13;
    Some(flight)
}

/// Takes from a ServerKeyExchange what can be read of it (RFC 5246 section 7.4.3, RFC 8422 section 5.4).
fn key_exchange(mut body: &[u8], flight: &mut ServerFlight) {
    let read = |body: &mut &[u8], flight: &mut ServerFlight| -> Option<()> {
        match suite(flight.suite)?.exchange() {
            Exchange::Curve => {
                // named_curve; the two explicit forms are nobody's today.
                if number(body, 1)? != 3 {
                    return None;
                }
                flight.group = Some(number(body, 2)? as u16);
                let length = number(body, 1)?;
                take(body, length)?;
            }
            Exchange::Prime => {
                let length = number(body, 2)?;
                let prime = take(body, length)?;
                let significant =
                    prime.iter().position(|&byte| byte != 0).map_or(&prime[..0], |at| &prime[at..]);
                let first = significant.first().copied().unwrap_or_default();
                flight.dh_bits = Some((significant.len() as u32 * 8).saturating_sub(first.leading_zeros()));
                for _ in 0..2 {
                    let length = number(body, 2)?;
                    take(body, length)?;
                }
            }
            Exchange::Apart | Exchange::Other => return None,
        }
        // An anonymous exchange is not signed: nothing is left.
        if flight.version == TLS12 {
            flight.signature = Some(number(body, 2)? as u16);
        }
        Some(())
    };
    let _ = read(&mut body, flight);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn put(out: &mut Vec<u8>, width: usize, body: &[u8]) {
        out.extend_from_slice(&(body.len() as u32).to_be_bytes()[4 - width..]);
        out.extend_from_slice(body);
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
        all.extend(message(12, &[3, 0, 23, 2, 9, 9, 4, 1, 0, 1, 7]));
        all.extend(message(13, &[1, 1]));
        all.extend(message(14, &[]));
        all
    }

    #[test]
    fn a_flight_reads_the_same_however_it_is_cut() {
        let expected = ServerFlight {
            version: TLS12,
            suite: 0xc030,
            certificates: vec![b"leaf".to_vec(), b"issuer".to_vec()],
            client_certificate_asked: true,
            group: Some(23),
            signature: Some(0x0401),
            complete: true,
            ..ServerFlight::default()
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
