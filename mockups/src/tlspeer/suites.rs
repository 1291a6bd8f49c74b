//! What a server agrees to: versions, suites, groups and signature schemes, by its policy and a hello.

use super::{Order, Policy};
use crate::hello::Hello;

/// The suites that the TLS library can serve, its order.
pub(super) const SERVED: &[u16] = &[0x1302, 0x1301, 0x1303, 0xc030, 0xc02f, 0xcca8, 0xc02c, 0xc02b, 0xcca9];

/// The signature schemes of a server that names none, for an RSA key.
const RSA_SCHEMES: &[u16] = &[0x0401, 0x0501, 0x0601, 0x0804, 0x0805, 0x0806, 0x0201];
/// The same for an ECDSA key.
const ECDSA_SCHEMES: &[u16] = &[0x0403, 0x0503, 0x0603, 0x0203];

/// Why a hello is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit {
    /// The number of the alert that says so.
    pub(super) alert: u8,
    /// No version is in common.
    pub(super) version: bool,
}

impl Unfit {
    fn alert(alert: u8) -> Unfit {
        Unfit { alert, version: false }
    }
}

/// What was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) version: u16,
    pub(super) suite: u16,
    pub(super) group: u16,
    /// Of the ServerKeyExchange in TLS 1.2.
    pub(super) scheme: u16,
}

impl Agreed {
    /// What a server that does not care for the hello answers.
    pub(super) const USUAL: Agreed = Agreed { version: 0x0303, suite: 0xc02f, group: 0x0017, scheme: 0x0401 };
}

impl Policy {
    pub(super) fn agree(&self, hello: &Hello, rsa: bool) -> Result<Agreed, Unfit> {
        if let Some(names) = &self.names {
            let known =
                hello.server_name.as_ref().is_some_and(|n| names.iter().any(|k| k.eq_ignore_ascii_case(n)));
            if !known {
                return Err(Unfit::alert(112));
            }
        }
        let version = self
            .versions
            .iter()
            .copied()
            .filter(|v| hello.offers(*v))
            .max()
            .ok_or(Unfit { alert: 70, version: true })?;
        if version == 0x0304 && hello.key_shares.is_none() {
            return Err(Unfit::alert(109));
        }
        if !self.alpn.is_empty() && !hello.alpn.is_empty() && self.protocol(hello).is_none() {
            return Err(Unfit::alert(120));
        }
        let group = self.group(hello, version);
        let own = self.suites_of.get(&version);
        let suites = own.or(self.suites.as_ref()).map_or(SERVED, Vec::as_slice);
        let fits = |suite: u16| {
            let exchange = Exchange::of(suite);
            let of_version = own.is_some()
                || ((version == 0x0304) == (suite >> 8 == 0x13)
                    && (version >= 0x0303 || !needs_tls12(suite)));
            of_version
                && (self.both_keys || exchange.fits(rsa))
                && (!exchange.needs_group() || group.is_some())
                && self.scheme(hello, version, exchange, rsa).is_some()
        };
        let suite = self.order.choose(suites, &hello.suites, fits).ok_or(Unfit::alert(40))?;
        let scheme = self.scheme(hello, version, Exchange::of(suite), rsa).unwrap_or_default();
        Ok(Agreed { version, suite, group: group.unwrap_or(0x0017), scheme })
    }

    /// The application protocol: the first of the server's that the client offers.
    pub(super) fn protocol(&self, hello: &Hello) -> Option<&str> {
        self.alpn.iter().find(|p| hello.alpn.contains(p)).map(String::as_str)
    }

    fn group(&self, hello: &Hello, version: u16) -> Option<u16> {
        let offered = hello.groups.clone().unwrap_or_else(|| vec![0x0017]);
        // A public key that is there already saves a HelloRetryRequest.
        let there = hello.key_shares.iter().flatten().copied().filter(|_| version == 0x0304);
        there
            .into_iter()
            .find(|g| self.groups.contains(g) && offered.contains(g))
            .or_else(|| self.order.choose(&self.groups, &offered, |_| true))
    }

    /// The scheme that the server signs with: anything where nothing is signed or no scheme is named; `None` where
    /// none is in common.
    fn scheme(&self, hello: &Hello, version: u16, exchange: Exchange, rsa: bool) -> Option<u16> {
        let ecdsa = match exchange {
            Exchange::EcdheEcdsa => true,
            Exchange::Tls13 => !rsa,
            _ => false,
        };
        let usual = if ecdsa { 0x0403 } else { 0x0401 };
        if version < 0x0303 || !exchange.signs() {
            return Some(usual);
        }
        let Some(offered) = &hello.signatures else { return Some(usual) };
        let either = self.both_keys && exchange == Exchange::Tls13;
        let fits = |scheme: u16| {
            // Those of PKCS #1, of DSA, and SHA-1.
            let old = matches!(scheme & 0xff, 1 | 2) || scheme == 0x0203;
            (either || is_ecdsa(scheme) == ecdsa) && !(version == 0x0304 && old)
        };
        match &self.signatures {
            Some(known) => self.order.choose(known, offered, fits),
            None => {
                let known = if ecdsa { ECDSA_SCHEMES } else { RSA_SCHEMES };
                Some(self.order.choose(known, offered, fits).unwrap_or(usual))
            }
        }
    }
}

/// Whether a scheme signs with a key of the elliptic kind.
fn is_ecdsa(scheme: u16) -> bool {
    matches!(scheme, 0x0203 | 0x0303 | 0x0403 | 0x0503 | 0x0603 | 0x0807 | 0x0808 | 0x081a..=0x081c)
}

fn is_chacha(suite: u16) -> bool {
    matches!(suite, 0x1303 | 0xcca8..=0xccae)
}

impl Order {
    fn choose(self, mine: &[u16], theirs: &[u16], fits: impl Fn(u16) -> bool) -> Option<u16> {
        let first = |of: &[u16], with: &[u16], wanted: &dyn Fn(u16) -> bool| {
            of.iter().copied().find(|code| with.contains(code) && wanted(*code) && fits(*code))
        };
        match self {
            Order::Server => first(mine, theirs, &|_| true),
            Order::Client => first(theirs, mine, &|_| true),
            Order::ServerButChaCha => {
                let leads = theirs.iter().find(|code| *code & 0x0f0f != 0x0a0a);
                leads
                    .filter(|code| is_chacha(**code))
                    .and_then(|_| first(mine, theirs, &is_chacha))
                    .or_else(|| first(mine, theirs, &|_| true))
            }
        }
    }
}

/// How a suite exchanges keys and signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    Tls13,
    EcdheRsa,
    EcdheEcdsa,
    EcdhAnonymous,
    DheRsa,
    DhAnonymous,
    Rsa,
}

impl Exchange {
    pub(super) fn of(suite: u16) -> Exchange {
        match suite {
            0x1300..=0x13ff => Exchange::Tls13,
            0xc010..=0xc014
            | 0xc027
            | 0xc028
            | 0xc02f
            | 0xc030
            | 0xc04c
            | 0xc04d
            | 0xc060
            | 0xc061
            | 0xc076
            | 0xc077
            | 0xc08a
            | 0xc08b
            | 0xcca8 => Exchange::EcdheRsa,
            0xc006..=0xc00a
            | 0xc023
            | 0xc024
            | 0xc02b
            | 0xc02c
            | 0xc048
            | 0xc049
            | 0xc05c
            | 0xc05d
            | 0xc072
            | 0xc073
            | 0xc086
            | 0xc087
            | 0xc0ac..=0xc0af
            | 0xcca9 => Exchange::EcdheEcdsa,
            0xc015..=0xc019 => Exchange::EcdhAnonymous,
            0x0014..=0x0016
            | 0x0033
            | 0x0039
            | 0x0045
            | 0x0067
            | 0x006b
            | 0x0088
            | 0x009a
            | 0x009e
            | 0x009f
            | 0x00be
            | 0x00c4
            | 0xc044
            | 0xc045
            | 0xc052
            | 0xc053
            | 0xc07c
            | 0xc07d
            | 0xc09e
            | 0xc09f
            | 0xc0a2
            | 0xc0a3
            | 0xccaa => Exchange::DheRsa,
            0x0017..=0x001b
            | 0x0034
            | 0x003a
            | 0x0046
            | 0x006c
            | 0x006d
            | 0x0089
            | 0x009b
            | 0x00a6
            | 0x00a7
            | 0x00bf
            | 0x00c5
            | 0xc046
            | 0xc047
            | 0xc05a
            | 0xc05b
            | 0xc084
            | 0xc085 => Exchange::DhAnonymous,
            _ => Exchange::Rsa,
        }
    }

    pub(super) fn fits(self, rsa: bool) -> bool {
        match self {
            Exchange::Tls13 | Exchange::EcdhAnonymous | Exchange::DhAnonymous => true,
            Exchange::EcdheEcdsa => !rsa,
            _ => rsa,
        }
    }

    fn needs_group(self) -> bool {
        matches!(self, Exchange::Tls13 | Exchange::EcdheRsa | Exchange::EcdheEcdsa | Exchange::EcdhAnonymous)
    }

    pub(super) fn anonymous(self) -> bool {
        matches!(self, Exchange::EcdhAnonymous | Exchange::DhAnonymous)
    }

    fn signs(self) -> bool {
        matches!(self, Exchange::Tls13 | Exchange::EcdheRsa | Exchange::EcdheEcdsa | Exchange::DheRsa)
    }
}

fn needs_tls12(suite: u16) -> bool {
    matches!(
        suite,
        0x003b..=0x0040
            | 0x0067..=0x006d
            | 0x009c..=0x00ad
            | 0x00ba..=0x00c5
            | 0xc023..=0xc032
            | 0xc03c..=0xc093
            | 0xc09c..=0xc0af
            | 0xcca8..=0xccae
    )
}
