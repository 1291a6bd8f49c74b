//! A ClientHello built to order.

use super::TLS13;

/// What a ClientHello says, every byte but its random.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version that the record carries.
    pub record: u16,
    /// The version that the hello itself carries (`client_version`, TLS 1.3's `legacy_version`).
    pub version: u16,
    /// Whether a session id of 32 bytes is sent, as TLS 1.3's compatibility mode does (RFC 8446 appendix D.4).
    pub session_id: bool,
    /// The suites in order.
    pub suites: Vec<u16>,
    /// The extensions in order; with none, none of their block is sent.
    pub extensions: Vec<Extension>,
}

/// An extension of a ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extension {
    /// server_name (0).
    ServerName(String),
    /// status_request (5): OCSP, no responders.
    StatusRequest,
    /// supported_groups (10).
    Groups(Vec<u16>),
    /// ec_point_formats (11): uncompressed.
    PointFormats,
    /// signature_algorithms (13).
    Signatures(Vec<u16>),
    /// application_layer_protocol_negotiation (16).
    Alpn(Vec<String>),
    /// extended_master_secret (23).
    ExtendedMasterSecret,
    /// session_ticket (35), empty.
    SessionTicket,
    /// supported_versions (43).
    Versions(Vec<u16>),
    /// psk_key_exchange_modes (45): psk_dhe_ke.
    PskModes,
    /// post_handshake_auth (49).
    PostHandshakeAuth,
    /// key_share (51): groups and public keys; empty to be asked for one (HelloRetryRequest).
    KeyShares(Vec<(u16, Vec<u8>)>),
    /// renegotiation_info (65281), empty.
    Renegotiation,
}

fn put(out: &mut Vec<u8>, width: usize, body: &[u8]) {
    let length = (body.len() as u32).to_be_bytes();
    out.extend_from_slice(&length[4 - width..]);
    out.extend_from_slice(body);
}

fn vector(width: usize, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(width + body.len());
    put(&mut out, width, body);
    out
}

fn words(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_be_bytes()).collect()
}

impl Extension {
    /// Its number in IANA's registry "TLS ExtensionType Values".
    pub fn number(&self) -> u16 {
        match self {
            Extension::ServerName(_) => 0,
            Extension::StatusRequest => 5,
            Extension::Groups(_) => 10,
            Extension::PointFormats => 11,
            Extension::Signatures(_) => 13,
            Extension::Alpn(_) => 16,
            Extension::ExtendedMasterSecret => 23,
            Extension::SessionTicket => 35,
            Extension::Versions(_) => 43,
            Extension::PskModes => 45,
            Extension::PostHandshakeAuth => 49,
            Extension::KeyShares(_) => 51,
            Extension::Renegotiation => 65281,
        }
    }

    fn body(&self) -> Vec<u8> {
        match self {
            Extension::ServerName(name) => {
                let mut entry = vec![0];
                put(&mut entry, 2, name.as_bytes());
                vector(2, &entry)
            }
            Extension::StatusRequest => vec![1, 0, 0, 0, 0],
            Extension::Groups(list) | Extension::Signatures(list) => vector(2, &words(list)),
            Extension::PointFormats => vec![1, 0],
            Extension::Alpn(names) => {
                let list: Vec<u8> = names.iter().flat_map(|name| vector(1, name.as_bytes())).collect();
                vector(2, &list)
            }
            Extension::Versions(list) => vector(1, &words(list)),
            Extension::PskModes => vec![1, 1],
            Extension::KeyShares(shares) => {
                let mut list = Vec::new();
                for (group, key) in shares {
                    list.extend_from_slice(&group.to_be_bytes());
                    put(&mut list, 2, key);
                }
                vector(2, &list)
            }
            Extension::Renegotiation => vec![0],
            Extension::ExtendedMasterSecret | Extension::SessionTicket | Extension::PostHandshakeAuth => {
                Vec::new()
            }
        }
    }
}

impl Hello {
    /// The record that carries this hello. `random` becomes the client random and, where one is sent, the session id.
    pub fn bytes(&self, random: &[u8; 32]) -> Vec<u8> {
        let mut body = Vec::with_capacity(1024);
        body.extend_from_slice(&self.version.to_be_bytes());
        body.extend_from_slice(random);
        put(&mut body, 1, if self.session_id { random } else { &[] });
        put(&mut body, 2, &words(&self.suites));
        put(&mut body, 1, &[0]);
        if !self.extensions.is_empty() {
            let mut extensions = Vec::with_capacity(256);
            for extension in &self.extensions {
                extensions.extend_from_slice(&extension.number().to_be_bytes());
                put(&mut extensions, 2, &extension.body());
            }
            put(&mut body, 2, &extensions);
        }
        let mut message = vec![1];
        put(&mut message, 3, &body);
        let mut record = vec![22];
        record.extend_from_slice(&self.record.to_be_bytes());
        put(&mut record, 2, &message);
        record
    }

    /// The highest version that it offers.
    pub fn highest(&self) -> u16 {
        let listed = self.extensions.iter().find_map(|extension| match extension {
            Extension::Versions(list) => list.iter().copied().max(),
            _ => None,
        });
        listed.unwrap_or(self.version)
    }

    /// Whether a server may choose this version in answer.
    pub fn offers(&self, version: u16) -> bool {
        let listed = self.extensions.iter().find_map(|extension| match extension {
            Extension::Versions(list) => Some(list.contains(&version)),
            _ => None,
        });
        // Without the extension every version up to the hello's own may be chosen, and TLS 1.3 never.
        listed.unwrap_or(version <= self.version && version < TLS13)
    }

    /// The groups that it offers, in order.
    pub fn groups(&self) -> &[u16] {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                Extension::Groups(list) => Some(list.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// The signature algorithms that it offers, in order.
    pub fn signatures(&self) -> &[u16] {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                Extension::Signatures(list) => Some(list.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TLS10, TLS12};
    use super::*;

    #[test]
    fn a_hello_has_the_lengths_that_it_says() {
        let hello = Hello {
            record: TLS12,
            version: TLS12,
            session_id: false,
            suites: vec![0xc030, 0xc02f],
            extensions: vec![
                Extension::ServerName("sws.update.microsoft.com".into()),
                Extension::Groups(vec![23]),
            ],
        };
        let bytes = hello.bytes(&[1; 32]);
        assert_eq!(bytes[..3], [22, 3, 3]);
        assert_eq!(usize::from(u16::from_be_bytes([bytes[3], bytes[4]])), bytes.len() - 5);
        assert_eq!(bytes[5], 1);
        assert!(bytes.windows(24).any(|w| w == b"sws.update.microsoft.com"));
        assert_eq!((hello.highest(), hello.offers(TLS10), hello.offers(TLS13)), (TLS12, true, false));
    }

    #[test]
    fn listed_versions_outrank_the_hellos_own() {
        let extensions = vec![Extension::Versions(vec![TLS13])];
        let hello =
            Hello { record: TLS10, version: TLS12, session_id: true, suites: vec![0x1301], extensions };
        assert_eq!((hello.highest(), hello.offers(TLS12), hello.offers(TLS13)), (TLS13, false, true));
    }
}
