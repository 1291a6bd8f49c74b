//! Named groups, signature algorithms and application protocols.

use futures_util::future::{join, join_all};

use super::{Asker, Peer};
use crate::codec::tls::{
    Exchange, Extension, GROUPS, Hello, SIGNATURES, SSL3, ServerFlight, TLS12, TLS13, Until, suite,
};
use crate::evidence::{SpokenGroup, SpokenPlan, SpokenSignature};

/// How many of the groups are asked for alone where rounds count: curves that servers speak.
const LIKELY_GROUPS: usize = 5;
/// The protocols that are asked for (IANA, "TLS ALPN Protocol IDs").
const PROTOCOLS: [&str; 5] = ["h2", "http/1.1", "http/1.0", "spdy/3.1", "acme-tls/1"];
/// The signature algorithms that TLS 1.3 may use in a handshake (RFC 8446 section 4.2.3, RFC 8734, RFC 8998).
const SIGNATURES_13: [u16; 15] = [
    0x0804, 0x0805, 0x0806, 0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080a, 0x080b, 0x081a, 0x081b,
    0x081c, 0x0708,
];
/// The generator of P-256 (SEC 2 section 2.4.2): a public key as good as any, since no handshake is finished.
const P256_POINT: [u8; 65] = [
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
    0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce,
    0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

impl<P: Peer> Asker<'_, P> {
    /// Groups, signature algorithms and protocols of what is spoken by now.
    pub(super) async fn names(&self) {
        let after = self.found().rounds;
        let old = self.found().versions.iter().rev().find_map(|v| {
            (v.version < TLS13 && v.version > SSL3 && !v.suites.is_empty())
                .then(|| (v.version, v.suites.clone()))
        });
        let new = self.suites_of(TLS13);
        let signed: Vec<u16> = old.iter().flat_map(|(_, suites)| suites).copied().filter(is_signed).collect();
        let curves: Vec<u16> = old
            .iter()
            .flat_map(|(_, suites)| suites)
            .copied()
            .filter(|&code| is(code, Exchange::Curve))
            .collect();
        let version = old.as_ref().map_or(TLS12, |(version, _)| *version);
        let all = old.map(|(_, suites)| suites).unwrap_or_default();
        let new_groups = async {
            if new.is_empty() {
                return Vec::new();
            }
            self.groups(TLS13, &new, after).await
        };
        let old_groups = async {
            if curves.is_empty() {
                return Vec::new();
            }
            self.groups(version, &curves, after).await
        };
        let signatures = async {
            if version == TLS12 && !signed.is_empty() {
                self.signatures(&signed, after).await
            } else {
                Vec::new()
            }
        };
        let protocols = async {
            if !all.is_empty() {
                self.protocols(version, &all, after).await;
            }
        };
        let (new_groups, old_groups, signatures) = match self.terms.plan {
            SpokenPlan::Polite => {
                let found = (new_groups.await, old_groups.await, signatures.await);
                protocols.await;
                found
            }
            SpokenPlan::Near | SpokenPlan::Far => {
                let ((a, b), (c, ())) = join(join(new_groups, old_groups), join(signatures, protocols)).await;
                (a, b, c)
            }
        };
        let new_signatures = match (all.is_empty(), new_groups.is_empty()) {
            (true, false) => self.signatures_13(&new, &new_groups, after).await,
            _ => Vec::new(),
        };
        let mut found = self.found();
        for (list, version) in [(new_groups, TLS13), (old_groups, version)] {
            for code in list {
                match found.groups.iter_mut().find(|group| group.code == code) {
                    Some(group) => group.versions.push(version),
                    None => found.groups.push(SpokenGroup { code, versions: vec![version] }),
                }
            }
        }
        for (list, version) in [(signatures, TLS12), (new_signatures, TLS13)] {
            found
                .signatures
                .extend(list.into_iter().map(|code| SpokenSignature { code, versions: vec![version] }));
        }
    }

    async fn groups(&self, version: u16, suites: &[u16], after: u32) -> Vec<u16> {
        let all: Vec<u16> = GROUPS.iter().map(|(code, _)| *code).collect();
        let until = if version >= TLS13 { Until::ServerHello } else { Until::KeyExchange };
        let hello = |groups: &[u16]| {
            let signatures = SIGNATURES.iter().map(|(code, _)| *code).collect();
            self.hello_with(version, suites, groups.to_vec(), signatures)
        };
        self.named(hello, until, |flight| flight.group, all.split_at(LIKELY_GROUPS), after).await
    }

    async fn signatures(&self, suites: &[u16], after: u32) -> Vec<u16> {
        let holds = |kind: &str| suites.iter().filter_map(|&code| suite(code)).any(|s| s.name.contains(kind));
        let (rsa, ecdsa, dss) = (holds("_RSA_"), holds("_ECDSA_"), holds("_DSS_"));
        // The low byte is the signature's kind, or the hash of RSA-PSS.
        let likely = |code: u16| match (code >> 8, code & 0xff) {
            (8, 4..=6) | (2 | 4..=6, 1) => rsa,
            (2 | 4..=6, 3) => ecdsa,
            (2 | 4, 2) => dss,
            _ => false,
        };
        let all = SIGNATURES.iter().map(|(code, _)| *code);
        let (mut list, rest): (Vec<u16>, Vec<u16>) = all.partition(|&code| likely(code));
        let first = list.len();
        list.extend(rest);
        let groups: Vec<u16> = GROUPS.iter().map(|(code, _)| *code).collect();
        let hello = |signatures: &[u16]| self.hello_with(TLS12, suites, groups.clone(), signatures.to_vec());
        self.named(hello, Until::KeyExchange, |flight| flight.signature, list.split_at(first), after).await
    }

    /// At TLS 1.3 the signature is encrypted: whether one is taken shows by the ServerHello, each alone.
    async fn signatures_13(&self, suites: &[u16], groups: &[u16], after: u32) -> Vec<u16> {
        let share = if groups.contains(&29) {
            // Any 32 bytes are a public key of X25519 (RFC 7748 section 5).
            (29, vec![9; 32])
        } else if groups.contains(&23) {
            (23, P256_POINT.to_vec())
        } else {
            return Vec::new();
        };
        let asked = SIGNATURES_13.map(|code| {
            let mut hello = self.hello_with(TLS13, suites, vec![share.0], vec![code]);
            for extension in &mut hello.extensions {
                if let Extension::KeyShares(shares) = extension {
                    *shares = vec![share.clone()];
                }
            }
            self.ask(hello, Until::ServerHello, after)
        });
        let told = join_all(asked).await;
        let taken = SIGNATURES_13.iter().zip(told).filter(|(_, told)| told.flight().is_some());
        taken.map(|(&code, _)| code).collect()
    }

    async fn protocols(&self, version: u16, suites: &[u16], after: u32) {
        let mut left = PROTOCOLS.to_vec();
        let mut round = after;
        while !left.is_empty() {
            let mut hello = self.hello(version, suites);
            hello.extensions.push(Extension::Alpn(left.iter().map(|name| (*name).to_string()).collect()));
            let told = self.ask(hello, Until::ServerHello, round).await;
            round = told.round;
            let Some(name) = told.flight().and_then(|flight| flight.alpn.clone()) else { break };
            let before = left.len();
            left.retain(|&other| other != name);
            self.found().alpn.push(name);
            if left.len() == before {
                // One that was not offered: nothing is learnt by going on.
                break;
            }
        }
    }

    /// Asks a list down, or, where rounds count, its likely part one by one beside the rest.
    async fn named(
        &self,
        hello: impl Fn(&[u16]) -> Hello,
        until: Until,
        read: impl Fn(&ServerFlight) -> Option<u16>,
        (likely, rest): (&[u16], &[u16]),
        after: u32,
    ) -> Vec<u16> {
        if self.terms.plan != SpokenPlan::Far {
            return self.named_down(&hello, until, &read, [likely, rest].concat(), after).await;
        }
        let alone = join_all(likely.iter().map(|&code| {
            let asked = self.ask(hello(&[code]), until, after);
            async move { (code, asked.await) }
        }));
        let (alone, more) = join(alone, self.named_down(&hello, until, &read, rest.to_vec(), after)).await;
        let taken = alone.into_iter().filter(|(code, told)| told.flight().and_then(&read) == Some(*code));
        taken.map(|(code, _)| code).chain(more).collect()
    }

    async fn named_down(
        &self,
        hello: &impl Fn(&[u16]) -> Hello,
        until: Until,
        read: &impl Fn(&ServerFlight) -> Option<u16>,
        mut left: Vec<u16>,
        after: u32,
    ) -> Vec<u16> {
        let (mut taken, mut round) = (Vec::new(), after);
        while !left.is_empty() {
            let told = self.ask(hello(&left), until, round).await;
            round = told.round;
            // One that was not offered ends it: the server does not go by the list.
            let Some(code) = told.flight().and_then(read).filter(|code| left.contains(code)) else { break };
            taken.push(code);
            left.retain(|&other| other != code);
        }
        taken
    }
}

fn is(code: u16, exchange: Exchange) -> bool {
    suite(code).is_some_and(|suite| suite.exchange() == exchange)
}

/// Whether the key exchange of a suite is signed.
fn is_signed(code: &u16) -> bool {
    (is(*code, Exchange::Curve) || is(*code, Exchange::Prime))
        && suite(*code).is_some_and(|suite| !suite.name.contains("_anon_"))
}
