//! What a Windows Server puts into its ClientHello.
//!
//! `profile` holds what each Windows does by default, `policy` how one server departs from that, `client` what both come
//! to for a program, and `meet` what that hello and a server of known habits agree on. Nothing here does I/O.
//!
//! Where nothing is known of the server, the reference client is taken: Windows Server 2019. A .NET program sends no
//! status_request and no ALPN.

mod client;
mod meet;
mod policy;
mod profile;
mod profiles;

#[cfg(test)]
mod fingerprint;

pub use client::{Caller, Client, ClientHello, Departure, UPDATED, WhyNone};
pub use meet::{Meeting, Reason, meet, meet_offer, meet_with_prime};
pub use policy::{
    DotNet, Family, LIST_LIMIT, ListReading, Names, Policy, Protocol, SSL2, Setting, Switch, Unread, Value,
    read_curves, read_signatures, read_suites,
};
pub use profile::{Confidence, CurveModel, Known, PROFILES, Profile, REFERENCE, ids, profile};

use crate::codec::tls::{Extension, Hello, SUITES, TLS10, TLS12, TLS13, suite};
use crate::evidence::Offer;

/// Groups that servers are known to want: the reference's, secp521r1, x448, and the finite fields of RFC 7919.
const WIDE_GROUPS: [u16; 10] = [29, 23, 24, 25, 30, 256, 257, 258, 259, 260];

/// Signature algorithms beyond the reference's: RSA-PSS, Ed25519, Ed448 and the older ones.
const WIDE_SIGNATURES: [u16; 20] = [
    0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0403, 0x0503, 0x0603, 0x0809, 0x080a, 0x080b, 0x0807,
    0x0808, 0x0201, 0x0203, 0x0202, 0x0301, 0x0303, 0x0101,
];

/// What a hello widens over the reference client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widening {
    /// Every suite in place of the profile's.
    pub suites: bool,
    /// Every group in place of the profile's.
    pub groups: bool,
    /// Every signature algorithm in place of the profile's.
    pub signatures: bool,
}

/// A hello of the reference client at `version`, widened, for the name in use, and the offer to record beside it.
pub fn hello(version: u16, widening: Widening, server_name: Option<String>) -> (Hello, Offer) {
    let suites = match (version, widening.suites) {
        (TLS13, _) => vec![0x1302, 0x1301, 0x1303],
        (_, true) => every_suite(),
        // Below TLS 1.2 neither GCM nor SHA-2 suites can be chosen; they do no harm in the list.
        (_, false) => REFERENCE.suites.to_vec(),
    };
    hello_with(version, widening, server_name, suites)
}

/// The same with these suites.
pub fn hello_with(
    version: u16,
    widening: Widening,
    server_name: Option<String>,
    suites: Vec<u16>,
) -> (Hello, Offer) {
    let wide = widening.groups || widening.signatures;
    let groups = if widening.groups { WIDE_GROUPS.to_vec() } else { REFERENCE.groups.to_vec() };
    let signatures =
        if widening.signatures { WIDE_SIGNATURES.to_vec() } else { REFERENCE.signatures.to_vec() };
    let offer = Offer {
        client: if widening.suites || wide || version != TLS12 { "all".into() } else { REFERENCE.id.into() },
        settings: Vec::new(),
        caller: String::new(),
        version,
        versions: Vec::new(),
        suites: suites.clone(),
        groups: groups.clone(),
        signatures: signatures.clone(),
    };
    let mut extensions: Vec<Extension> = server_name.map(Extension::ServerName).into_iter().collect();
    extensions.extend([Extension::Groups(groups), Extension::PointFormats]);
    if version >= TLS12 {
        extensions.push(Extension::Signatures(signatures));
    }
    if version < TLS13 {
        extensions.extend([
            Extension::SessionTicket,
            Extension::ExtendedMasterSecret,
            Extension::Renegotiation,
        ]);
    } else {
        extensions.extend([
            Extension::Versions(vec![TLS13]),
            Extension::PskModes,
            Extension::KeyShares(Vec::new()),
        ]);
    }
    let hello = Hello {
        record: if version >= TLS13 { TLS10 } else { version },
        version: version.min(TLS12),
        session_id: version >= TLS13,
        suites,
        extensions,
    };
    (hello, offer)
}

/// A client's hello with something of it widened, and the offer to record beside it. None where the client sends none.
/// `groups` are those that the client has for suites that need one: every suite is offered with them where none of its
/// own suites needed any.
pub fn widened(of: &ClientHello, widening: Widening, groups: &[u16]) -> Option<(Hello, Offer)> {
    let (mut hello, mut offer) = (of.hello.clone()?, of.offer.clone());
    offer.client = "all".into();
    offer.caller = String::new();
    offer.settings = Vec::new();
    if widening.suites {
        offer.suites = every_suite();
        hello.suites.clone_from(&offer.suites);
    }
    for extension in &mut hello.extensions {
        match extension {
            Extension::Groups(groups) if widening.groups => {
                *groups = WIDE_GROUPS.to_vec();
                offer.groups.clone_from(groups);
            }
            Extension::Signatures(signatures) if widening.signatures => {
                *signatures = WIDE_SIGNATURES.to_vec();
                offer.signatures.clone_from(signatures);
            }
            _ => {}
        }
    }
    if (widening.groups || widening.suites) && offer.groups.is_empty() {
        // A client without any suite that needs a group sends none.
        offer.groups = if widening.groups { WIDE_GROUPS.to_vec() } else { groups.to_vec() };
        hello.extensions.extend([Extension::Groups(offer.groups.clone()), Extension::PointFormats]);
    }
    Some((hello, offer))
}

/// A client's hello without its suites in cipher block chaining mode; none where nothing else is left.
pub fn without_cbc(of: &ClientHello) -> Option<(Hello, Offer)> {
    let (mut hello, mut offer) = (of.hello.clone()?, of.offer.clone());
    hello.suites.retain(|&code| suite(code).is_some_and(|suite| !suite.is_cbc()));
    offer.suites.clone_from(&hello.suites);
    (!hello.suites.is_empty()).then_some((hello, offer))
}

/// Every suite of TLS 1.2 and below.
fn every_suite() -> Vec<u16> {
    SUITES.iter().filter(|suite| !suite.is_tls13()).map(|suite| suite.code).collect()
}

/// The ids of the profiles, as a sentence of an error has them.
pub const PROFILE_IDS: &str = "ws2008r2, ws2012, ws2012r2, ws2016, ws2019, ws2022 or ws2025";
