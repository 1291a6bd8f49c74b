//! Flights that are written down: messages and records, right ones and wrong ones.

use rustls::SignatureScheme;
use rustls::crypto::ring;

use super::suites::{Agreed, Exchange};
use super::{ClientCertificate, TlsPeer};
use crate::hello::Hello;

/// The random number of a ServerHello that is a HelloRetryRequest (RFC 8446, 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The field of a ServerHello, or around it, that is wrong. Everything else is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The record is of a kind that does not exist.
    RecordKind,
    /// The record's version is 0x0909.
    RecordVersion,
    /// The record announces 65,535 bytes.
    RecordLength,
    /// The message is of a kind that does not exist.
    MessageKind,
    /// The message announces 2^24 - 1 bytes.
    MessageLength,
    /// The message announces ten bytes fewer than it has.
    MessageShort,
    /// The version in its body is 0x0505.
    Version,
    /// The session identifier announces 255 bytes.
    SessionLength,
    /// The suite is 0xffff.
    Suite,
    /// Compression that nobody offered.
    Compression,
    /// The extensions announce 100 bytes more than there are.
    ExtensionsLength,
    /// The first extension announces 65,535 bytes.
    ExtensionLength,
    /// An extension stands there twice.
    RepeatedExtension,
    /// `supported_versions` chooses 0x0505.
    SelectedVersion,
    /// The group, of the key share or of the ServerKeyExchange, is 0xffff.
    Group,
    /// The body ends after the random number, and all lengths agree.
    Truncated,
}

impl Wrong {
    /// All of them.
    pub const ALL: [Wrong; 16] = [
        Wrong::RecordKind,
        Wrong::RecordVersion,
        Wrong::RecordLength,
        Wrong::MessageKind,
        Wrong::MessageLength,
        Wrong::MessageShort,
        Wrong::Version,
        Wrong::SessionLength,
        Wrong::Suite,
        Wrong::Compression,
        Wrong::ExtensionsLength,
        Wrong::ExtensionLength,
        Wrong::RepeatedExtension,
        Wrong::SelectedVersion,
        Wrong::Group,
        Wrong::Truncated,
    ];
}

impl TlsPeer {
    /// The ServerHello alone, in a record of its own.
    pub(super) fn server_hello(&self, agreed: Agreed, hello: &Hello) -> Vec<u8> {
        self.recorded(agreed, &self.server_hello_message(agreed, hello))
    }

    /// Messages in records of which the first is wrong, where the policy wants that.
    fn recorded(&self, agreed: Agreed, messages: &[u8]) -> Vec<u8> {
        let mut out = records(agreed.version, messages);
        match self.policy.wrong {
            Some(Wrong::RecordKind) => out[0] = 99,
            Some(Wrong::RecordVersion) => out[1..3].fill(9),
            Some(Wrong::RecordLength) => out[3..5].fill(0xff),
            _ => {}
        }
        out
    }

    /// For TLS 1.3 without a public key in the agreed group it is a HelloRetryRequest.
    fn server_hello_message(&self, agreed: Agreed, hello: &Hello) -> Vec<u8> {
        let wrong = self.policy.wrong;
        let tls13 = agreed.version == 0x0304;
        let retry = tls13 && !has_share(hello, agreed.group);
        let mut extensions: Vec<(u16, Vec<u8>)> = Vec::new();
        if tls13 {
            let group = if wrong == Some(Wrong::Group) { 0xffff } else { agreed.group }.to_be_bytes();
            let share = if retry {
                group.to_vec()
            } else {
                let key = self.share(agreed.group);
                [&group[..], &(key.len() as u16).to_be_bytes(), &key].concat()
            };
            extensions.push((43, vec![3, 4]));
            extensions.push((51, share));
        } else {
            if hello.renegotiates() {
                extensions.push((0xff01, vec![0]));
            }
            if let Some(protocol) = self.policy.protocol(hello) {
                let size = protocol.len() as u8;
                extensions.push((16, [&[0, size + 1, size][..], protocol.as_bytes()].concat()));
            }
            // TLS 1.4, if it comes to that, is announced as 1.3 is.
            if agreed.version > 0x0304 {
                extensions.push((43, agreed.version.to_be_bytes().to_vec()));
            }
        }
        match wrong {
            Some(Wrong::SelectedVersion) => {
                extensions.retain(|(kind, _)| *kind != 43);
                extensions.push((43, vec![5, 5]));
            }
            // There has to be one for it to be wrong.
            Some(Wrong::ExtensionLength | Wrong::RepeatedExtension) if extensions.is_empty() => {
                extensions.push((0xff01, vec![0]));
            }
            _ => {}
        }
        if wrong == Some(Wrong::RepeatedExtension) {
            extensions.extend(extensions.first().cloned());
        }
        let mut block = Vec::new();
        for (at, (kind, data)) in extensions.iter().enumerate() {
            let size = if at == 0 && wrong == Some(Wrong::ExtensionLength) { 0xffff } else { data.len() };
            block.extend(kind.to_be_bytes());
            block.extend((size as u16).to_be_bytes());
            block.extend(data);
        }
        let version = if wrong == Some(Wrong::Version) { 0x0505 } else { agreed.version.min(0x0303) };
        let random = if retry { RETRY.to_vec() } else { noise(32) };
        let mut body = [&version.to_be_bytes()[..], &random].concat();
        if wrong != Some(Wrong::Truncated) {
            let session = if tls13 { hello.session.clone() } else { noise(32) };
            let suite = if wrong == Some(Wrong::Suite) { 0xffff } else { agreed.suite };
            body.push(if wrong == Some(Wrong::SessionLength) { 255 } else { session.len() as u8 });
            body.extend(session);
            body.extend(suite.to_be_bytes());
            body.push(u8::from(wrong == Some(Wrong::Compression)));
            let more = if wrong == Some(Wrong::ExtensionsLength) { 100 } else { 0 };
            if !block.is_empty() || more > 0 {
                body.extend((block.len() as u16 + more).to_be_bytes());
                body.extend(block);
            }
        }
        let mut hello = message(2, &body);
        match wrong {
            Some(Wrong::MessageKind) => hello[0] = 99,
            Some(Wrong::MessageLength) => hello[1..4].fill(0xff),
            Some(Wrong::MessageShort) => hello[3] = hello[3].saturating_sub(10),
            _ => {}
        }
        hello
    }

    /// ServerHello to ServerHelloDone. For TLS 1.3 what follows the ServerHello cannot be read, nor is it written: bytes
    /// of its size follow, and nothing follows a HelloRetryRequest.
    pub(super) fn flight(&self, agreed: Agreed, hello: &Hello) -> Vec<u8> {
        let mut messages = self.server_hello_message(agreed, hello);
        if agreed.version == 0x0304 {
            let mut out = self.recorded(agreed, &messages);
            if has_share(hello, agreed.group) {
                out.extend([20, 3, 3, 0, 1, 1]);
                for size in [40, 60 + self.chain.iter().map(|c| c.len() + 5).sum::<usize>(), 290, 53] {
                    out.extend([23, 3, 3]);
                    out.extend((size.min(16_400) as u16).to_be_bytes());
                    out.extend(noise(size.min(16_400)));
                }
            }
            return out;
        }
        let exchange = Exchange::of(agreed.suite);
        let server_random = messages.get(6..38).unwrap_or_default().to_vec();
        if !exchange.anonymous() {
            messages.extend(certificates(self.chain.iter().map(AsRef::as_ref)));
        }
        let parameters = match exchange {
            Exchange::EcdheRsa | Exchange::EcdheEcdsa | Exchange::EcdhAnonymous => {
                let point = self.share(agreed.group);
                let wrong = self.policy.wrong == Some(Wrong::Group);
                let group = if wrong { 0xffff } else { agreed.group }.to_be_bytes();
                Some([&[3, group[0], group[1], point.len() as u8][..], &point].concat())
            }
            Exchange::DheRsa | Exchange::DhAnonymous => {
                let size = usize::from(self.policy.dh_bits / 8).max(1);
                let mut prime = noise(size);
                prime[0] |= 0x80;
                prime[size - 1] |= 1;
                let length = (size as u16).to_be_bytes();
                let mut share = noise(size);
                share[0] &= 0x3f;
                Some([&length[..], &prime, &[0, 1, 2], &length, &share].concat())
            }
            Exchange::Rsa | Exchange::Tls13 => None,
        };
        if let Some(parameters) = parameters {
            let mut body = parameters.clone();
            if !exchange.anonymous() {
                if agreed.version >= 0x0303 {
                    body.extend(agreed.scheme.to_be_bytes());
                }
                let signed = [&hello.random[..], &server_random, &parameters].concat();
                let signature = self.sign(agreed, exchange, &signed);
                body.extend((signature.len() as u16).to_be_bytes());
                body.extend(signature);
            }
            messages.extend(message(12, &body));
        }
        if self.policy.client_certificate != ClientCertificate::Ignored {
            let schemes: &[u8] = if agreed.version >= 0x0303 { &[0, 4, 4, 1, 4, 3] } else { &[] };
            messages.extend(message(13, &[&[2, 1, 64], schemes, &[0, 0]].concat()));
        }
        messages.extend(message(14, &[]));
        self.recorded(agreed, &messages)
    }

    /// A true signature where the library can make one (TLS 1.2) and the policy wants one, else bytes of its size.
    fn sign(&self, agreed: Agreed, exchange: Exchange, what: &[u8]) -> Vec<u8> {
        let scheme = SignatureScheme::from(agreed.scheme);
        let truly = agreed.version == 0x0303 && !self.policy.unsigned && exchange.fits(self.rsa);
        let signer = self.key.as_ref().filter(|_| truly).and_then(|key| key.choose_scheme(&[scheme]));
        signer
            .and_then(|signer| signer.sign(what).ok())
            .unwrap_or_else(|| noise(if exchange == Exchange::EcdheEcdsa { 70 } else { 256 }))
    }

    /// A public key in that group: a true one where the library has the group and the policy wants true ones, else
    /// bytes of its size.
    fn share(&self, group: u16) -> Vec<u8> {
        let known = ring::ALL_KX_GROUPS.iter().find(|g| u16::from(g.name()) == group);
        let made = known.filter(|_| !self.policy.unsigned).and_then(|g| g.start().ok());
        if let Some(made) = made {
            return made.pub_key().to_vec();
        }
        let point = |size| [vec![4], noise(size)].concat();
        match group {
            0x0017 | 0x001a => point(64),
            0x0018 | 0x001b => point(96),
            0x001c => point(128),
            0x001d => noise(32),
            0x001e => noise(56),
            0x0100 => noise(256),
            0x0101 => noise(384),
            0x0102 => noise(512),
            0x0103 => noise(768),
            0x0104 => noise(1024),
            0x11eb => [point(64), noise(1088)].concat(),
            0x11ec => noise(1120),
            0x11ed => [point(96), noise(1568)].concat(),
            _ => point(132),
        }
    }
}

pub(super) fn has_share(hello: &Hello, group: u16) -> bool {
    hello.key_shares.iter().flatten().any(|g| *g == group)
}

/// A Certificate message with those certificates.
pub(super) fn certificates<'a>(chain: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let list: Vec<u8> = chain.flat_map(|c| [&(c.len() as u32).to_be_bytes()[1..], c].concat()).collect();
    message(11, &[&(list.len() as u32).to_be_bytes()[1..], &list].concat())
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u32).to_be_bytes();
    [&[kind, size[1], size[2], size[3]], body].concat()
}

pub(super) fn records(version: u16, messages: &[u8]) -> Vec<u8> {
    let version = version.min(0x0303).to_be_bytes();
    messages
        .chunks(16_384)
        .flat_map(|part| {
            let size = (part.len() as u16).to_be_bytes();
            [&[22, version[0], version[1], size[0], size[1]], part].concat()
        })
        .collect()
}

pub(super) fn noise(size: usize) -> Vec<u8> {
    (0..size).map(|_| fastrand::u8(..)).collect()
}
