//! What a hello and a server of known habits agree on, computed.

use super::client::{ClientHello, WhyNone};
use crate::codec::tls::{Exchange, TLS10, TLS12, TLS13, suite};
use crate::evidence::{Offer, Spoken, SpokenVersion, SuiteOrder};

/// What a computed handshake comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Both agree.
    Connects {
        /// The version, as on the wire.
        version: u16,
        /// The suite.
        suite: u16,
        /// The named group of the key exchange; none where there is none, or where the server's are not known.
        group: Option<u16>,
        /// The signature algorithm of the key exchange; none where it has none, or where the server's are not known.
        signature: Option<u16>,
    },
    /// They do not.
    Refused {
        /// On what they do not agree.
        because: Reason,
    },
}

/// On what a client and a server do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The client sends no hello.
    NoHello(WhyNone),
    /// No version.
    NoVersion {
        /// The client's, the lowest first.
        client: Vec<u16>,
        /// The server's, the lowest first.
        server: Vec<u16>,
    },
    /// No suite at the version that both have.
    NoSuite {
        /// The version.
        version: u16,
        /// The client's, in order, for every version.
        client: Vec<u16>,
        /// The server's at this version, in order.
        server: Vec<u16>,
    },
    /// Suites, and no named group for any of them.
    NoGroup {
        /// The version.
        version: u16,
        /// The suites that both have.
        suites: Vec<u16>,
        /// The client's groups.
        client: Vec<u16>,
        /// The server's at this version.
        server: Vec<u16>,
    },
    /// Suites, and no signature algorithm for any of them.
    NoSignature {
        /// The version.
        version: u16,
        /// The suites that both have.
        suites: Vec<u16>,
        /// The client's signature algorithms.
        client: Vec<u16>,
        /// The server's at this version.
        server: Vec<u16>,
    },
    /// A prime that the client does not take.
    WeakDh {
        /// The version.
        version: u16,
        /// The suite.
        suite: u16,
        /// The bits of the server's prime.
        bits: u32,
        /// The bits from which on the client takes one.
        least: u32,
    },
}

/// What a client says, as far as a server chooses by it.
struct Says<'a> {
    versions: Vec<u16>,
    suites: &'a [u16],
    groups: &'a [u16],
    signatures: &'a [u16],
    min_dh_bits: Option<u32>,
}

/// What this hello and this server agree on.
pub fn meet(hello: &ClientHello, server: &Spoken) -> Meeting {
    meet_with_prime(hello, server, None)
}

/// The same with the bits of the prime that the server uses, where they are known.
pub fn meet_with_prime(hello: &ClientHello, server: &Spoken, dh_bits: Option<u32>) -> Meeting {
    if let Some(why) = &hello.why_none {
        return Meeting::Refused { because: Reason::NoHello(why.clone()) };
    }
    let says = Says {
        versions: hello.versions.clone(),
        suites: &hello.offer.suites,
        groups: &hello.offer.groups,
        signatures: &hello.offer.signatures,
        min_dh_bits: Some(hello.min_dh_bits),
    };
    compute(&says, server, dh_bits)
}

/// The same for an offer on record, which says its highest version alone: the older ones, as far as it has suites for them,
/// are taken to be offered too.
pub fn meet_offer(offer: &Offer, server: &Spoken) -> Meeting {
    let has = |version: u16| {
        offer.suites.iter().any(|code| suite(*code).is_none_or(|s| s.is_tls13()) == (version >= TLS13))
    };
    let says = Says {
        versions: (TLS10..=offer.version.min(TLS13)).filter(|version| has(*version)).collect(),
        suites: &offer.suites,
        groups: &offer.groups,
        signatures: &offer.signatures,
        min_dh_bits: None,
    };
    compute(&says, server, None)
}

fn compute(client: &Says, server: &Spoken, dh_bits: Option<u32>) -> Meeting {
    let refused = |because| Meeting::Refused { because };
    let spoken = server.versions.iter().filter(|version| !version.suites.is_empty());
    // A hello below TLS 1.3 says its highest version alone: the server takes the highest that it has up to there, whether the
    // client has that one or not. From TLS 1.3 on the versions are a list.
    let highest = client.versions.iter().copied().max().unwrap_or_default();
    let taken = spoken
        .clone()
        .filter(|at| at.version <= highest)
        .filter(|at| highest < TLS13 || client.versions.contains(&at.version))
        .max_by_key(|at| at.version);
    let Some(at) = taken.filter(|at| client.versions.contains(&at.version)) else {
        let mut theirs: Vec<u16> = spoken.map(|at| at.version).collect();
        theirs.sort_unstable();
        return refused(Reason::NoVersion { client: client.versions.clone(), server: theirs });
    };
    let version = at.version;
    let suites = agreed(client.suites, at);
    if suites.is_empty() {
        let client = client.suites.to_vec();
        return refused(Reason::NoSuite { version, client, server: at.suites.clone() });
    }
    // Below TLS 1.3 groups are asked for at TLS 1.2, and signatures are not negotiated before it.
    let asked = if version >= TLS13 { TLS13 } else { TLS12 };
    let groups: Vec<u16> = server
        .groups
        .iter()
        .filter(|group| group.versions.contains(&asked))
        .map(|group| group.code)
        .collect();
    let signed = server.signatures.iter().filter(|signature| signature.versions.contains(&version));
    let signatures: Vec<u16> = signed.map(|signature| signature.code).collect();
    let mut no_group = false;
    for &code in &suites {
        let exchange = suite(code).map_or(Exchange::Other, |suite| suite.exchange());
        let mut group = None;
        if matches!(exchange, Exchange::Curve | Exchange::Apart) && !groups.is_empty() {
            group = client.groups.iter().copied().find(|group| groups.contains(group));
            if group.is_none() {
                no_group = true;
                continue;
            }
        }
        let fits = |signature: &u16| signs(code, version, *signature);
        let theirs: Vec<u16> = signatures.iter().copied().filter(fits).collect();
        let mut signature = None;
        if !theirs.is_empty() {
            let mut ours = client.signatures.iter().copied().filter(fits);
            signature = ours.find(|signature| theirs.contains(signature));
            if signature.is_none() {
                continue;
            }
        }
        if let (Exchange::Prime, Some(bits), Some(least)) = (exchange, dh_bits, client.min_dh_bits)
            && bits < least
        {
            // The server does not know of the client's limit: it has chosen, and the client leaves.
            return refused(Reason::WeakDh { version, suite: code, bits, least });
        }
        return Meeting::Connects { version, suite: code, group, signature };
    }
    refused(if no_group {
        Reason::NoGroup { version, suites, client: client.groups.to_vec(), server: groups }
    } else {
        Reason::NoSignature { version, suites, client: client.signatures.to_vec(), server: signatures }
    })
}

/// The suites that both have, in the order of who decides.
fn agreed(client: &[u16], server: &SpokenVersion) -> Vec<u16> {
    let (first, second) = match server.order {
        Some(SuiteOrder::Client) => (client, server.suites.as_slice()),
        Some(SuiteOrder::Server) | None => (server.suites.as_slice(), client),
    };
    first.iter().copied().filter(|code| second.contains(code)).collect()
}

/// Whether a suite's key exchange can be signed by an algorithm, by the suite's kind of key.
fn signs(code: u16, version: u16, signature: u16) -> bool {
    let name = suite(code).map_or("", |suite| suite.name);
    let rsa =
        matches!(signature, 0x0804..=0x0806 | 0x0809..=0x080b) || signature & 0xff == 1 && signature < 0x0700;
    let ecdsa =
        matches!(signature, 0x0807 | 0x0808 | 0x081a..=0x081c) || signature & 0xff == 3 && signature < 0x0700;
    let dsa = signature & 0xff == 2 && signature < 0x0700;
    if version >= TLS13 {
        // TLS 1.3 signs with neither PKCS #1 nor SHA-1 (RFC 8446 section 4.2.3).
        signature >= 0x0800 || matches!(signature, 0x0403 | 0x0503 | 0x0603)
    } else if version < TLS12 {
        false
    } else if name.contains("_ECDSA_") {
        ecdsa
    } else if name.starts_with("TLS_DHE_DSS_") {
        dsa
    } else if name.starts_with("TLS_ECDHE_RSA_") || name.starts_with("TLS_DHE_RSA_") {
        rsa
    } else {
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::client::{Caller, Client};
    use super::super::policy::{Names, Policy};
    use super::super::profile::{PROFILES, profile};
    use super::*;
    use crate::codec::tls::{GROUPS, SIGNATURES, SUITES, TLS11};
    use crate::evidence::{SpokenGroup, SpokenSignature};

    fn at(version: u16, suites: &[u16]) -> SpokenVersion {
        SpokenVersion {
            version,
            suites: suites.to_vec(),
            order: Some(SuiteOrder::Server),
            refusal: String::new(),
        }
    }

    fn server(versions: Vec<SpokenVersion>, groups: &[u16], signatures: &[u16]) -> Spoken {
        let groups = groups.iter().map(|&code| SpokenGroup { code, versions: vec![TLS12, TLS13] });
        let signatures =
            signatures.iter().map(|&code| SpokenSignature { code, versions: vec![TLS12, TLS13] });
        Spoken { versions, groups: groups.collect(), signatures: signatures.collect(), ..Spoken::default() }
    }

    /// The suites that Microsoft gave for its service in August 2020.
    fn sws() -> Spoken {
        let versions = vec![at(TLS10, &[]), at(TLS11, &[]), at(TLS12, &[0xc030, 0xc02f, 0xc028, 0xc027])];
        server(versions, &[23, 24, 25, 29], &[0x0401, 0x0501, 0x0601])
    }

    fn client(id: &str) -> Client {
        Client::new(profile(id).unwrap(), Policy::default())
    }

    fn synchronizes(client: &Client, server: &Spoken) -> Meeting {
        meet(&client.hello(Caller::Synchronization, None), server)
    }

    #[test]
    fn every_server_meets_microsofts_service_as_far_as_its_windows_goes() {
        for (id, suite, group) in [
            ("ws2012", 0xc028, 23),
            ("ws2012r2", 0xc028, 23),
            ("ws2016", 0xc030, 29),
            ("ws2019", 0xc030, 29),
            ("ws2022", 0xc030, 29),
            ("ws2025", 0xc030, 29),
        ] {
            let (group, signature) = (Some(group), Some(0x0401));
            let expected = Meeting::Connects { version: TLS12, suite, group, signature };
            assert_eq!(synchronizes(&client(id), &sws()), expected, "{id}");
        }
        let oldest = client("ws2008r2");
        let no_version = Reason::NoVersion { client: vec![TLS10], server: vec![TLS12] };
        assert_eq!(synchronizes(&oldest, &sws()), Meeting::Refused { because: no_version });
        let with = synchronizes(&oldest.with_tls12(), &sws());
        assert!(matches!(with, Meeting::Connects { suite: 0xc028, .. }), "{with:?}");
    }

    #[test]
    fn without_cbc_the_older_two_have_no_suite() {
        let mut server = sws();
        server.versions[2].suites.truncate(2);
        let met = synchronizes(&client("ws2012r2"), &server);
        let Meeting::Refused { because: Reason::NoSuite { version: TLS12, server: theirs, .. } } = met else {
            panic!("{met:?}");
        };
        assert_eq!(theirs, [0xc030, 0xc02f]);
        assert!(matches!(synchronizes(&client("ws2016"), &server), Meeting::Connects { .. }));
    }

    #[test]
    fn who_decides_decides() {
        let mut server = sws();
        server.versions[2].suites.reverse();
        let suite = |server: &Spoken| match synchronizes(&client("ws2019"), server) {
            Meeting::Connects { suite, .. } => suite,
            refused => panic!("{refused:?}"),
        };
        assert_eq!(suite(&server), 0xc027);
        server.versions[2].order = Some(SuiteOrder::Client);
        assert_eq!(suite(&server), 0xc030);
    }

    #[test]
    fn a_suite_without_a_common_group_or_signature_is_passed_over() {
        let suites = [0xc030, 0x009c];
        let only_521 = server(vec![at(TLS12, &suites)], &[25], &[]);
        let rsa = Meeting::Connects { version: TLS12, suite: 0x009c, group: None, signature: None };
        assert_eq!(synchronizes(&client("ws2019"), &only_521), rsa);
        let only_pss = server(vec![at(TLS12, &suites)], &[23], &[0x0804]);
        assert_eq!(synchronizes(&client("ws2019"), &only_pss), rsa);
        let pss =
            Meeting::Connects { version: TLS12, suite: 0xc030, group: Some(23), signature: Some(0x0804) };
        assert_eq!(synchronizes(&client("ws2022"), &only_pss), pss);

        let refuses = |server: &Spoken| match synchronizes(&client("ws2019"), server) {
            Meeting::Refused { because } => because,
            met => panic!("{met:?}"),
        };
        let group = refuses(&server(vec![at(TLS12, &[0xc030])], &[25], &[]));
        assert!(matches!(&group, Reason::NoGroup { server, .. } if server == &[25]), "{group:?}");
        let signature = refuses(&server(vec![at(TLS12, &[0xc030])], &[23], &[0x0804]));
        assert!(matches!(&signature, Reason::NoSignature { .. }), "{signature:?}");
    }

    #[test]
    fn what_is_not_known_of_the_server_refuses_nothing() {
        let unknown = server(vec![at(TLS12, &[0xc030])], &[], &[]);
        let met = Meeting::Connects { version: TLS12, suite: 0xc030, group: None, signature: None };
        assert_eq!(synchronizes(&client("ws2019"), &unknown), met);
    }

    #[test]
    fn a_prime_below_the_limit_is_refused_by_the_client() {
        let mut policy = Policy::default();
        let sizes = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\KeyExchangeAlgorithms\Diffie-Hellman";
        policy.value(sizes, "ClientMinKeyBitLength", super::super::Value::Number(2048), "f1");
        let client = Client::new(profile("ws2019").unwrap(), policy);
        let hello = client.hello(Caller::Synchronization, None);
        let server = server(vec![at(TLS12, &[0x009f, 0x009d])], &[], &[]);
        let weak = Reason::WeakDh { version: TLS12, suite: 0x009f, bits: 1024, least: 2048 };
        assert_eq!(meet_with_prime(&hello, &server, Some(1024)), Meeting::Refused { because: weak });
        assert!(matches!(meet_with_prime(&hello, &server, Some(2048)), Meeting::Connects { .. }));
        assert!(matches!(meet(&hello, &server), Meeting::Connects { .. }));
    }

    #[test]
    fn a_server_chooses_by_the_highest_version_alone() {
        let mut policy = Policy::default();
        let protocol =
            r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.1\Client";
        policy.value(protocol, "Enabled", super::super::Value::Number(0), "f1");
        let gap = Client::new(profile("ws2019").unwrap(), policy);
        let older = server(vec![at(TLS10, &[0x002f]), at(TLS11, &[0x002f])], &[], &[]);
        let expected = Reason::NoVersion { client: vec![TLS10, TLS12], server: vec![TLS10, TLS11] };
        assert_eq!(synchronizes(&gap, &older), Meeting::Refused { because: expected });
        let whole = synchronizes(&client("ws2019"), &older);
        assert!(matches!(whole, Meeting::Connects { version: TLS11, .. }), "{whole:?}");
    }

    #[test]
    fn tls_13_has_groups_and_signatures_of_its_own() {
        let server =
            server(vec![at(TLS12, &[0xc030]), at(TLS13, &[0x1302, 0x1301])], &[24], &[0x0401, 0x0806]);
        let hello = client("ws2022").hello(Caller::Content, None);
        let met =
            Meeting::Connects { version: TLS13, suite: 0x1302, group: Some(24), signature: Some(0x0806) };
        assert_eq!(meet(&hello, &server), met);
        assert_eq!(meet_offer(&hello.offer, &server), met);
        assert!(matches!(synchronizes(&client("ws2022"), &server), Meeting::Connects { version: TLS12, .. }));
    }

    #[test]
    fn a_client_without_a_hello_meets_nobody() {
        let mut policy = Policy::default();
        policy.set_order(Names::text("TLS_NEVER"), "f1");
        let client = Client::new(profile("ws2019").unwrap(), policy);
        let none = WhyNone::NoSuite { versions: vec![TLS10, TLS11, TLS12] };
        assert_eq!(synchronizes(&client, &sws()), Meeting::Refused { because: Reason::NoHello(none) });
        assert!(matches!(synchronizes(&client.without_policy(), &sws()), Meeting::Connects { .. }));
    }

    fn some_of(codes: Vec<u16>, most: usize) -> impl Strategy<Value = Vec<u16>> {
        let most = most.min(codes.len());
        proptest::sample::subsequence(codes, 0..=most).prop_shuffle()
    }

    fn any_server() -> impl Strategy<Value = Spoken> {
        let suites = || some_of(SUITES.iter().map(|suite| suite.code).collect(), 60);
        let groups = some_of(GROUPS.iter().map(|(code, _)| *code).collect(), 10);
        let signatures = some_of(SIGNATURES.iter().map(|(code, _)| *code).collect(), 10);
        (suites(), suites(), suites(), groups, signatures).prop_map(|(a, b, c, groups, signatures)| {
            server(vec![at(TLS10, &a), at(TLS12, &b), at(TLS13, &c)], &groups, &signatures)
        })
    }

    proptest! {
        #[test]
        fn what_connects_was_offered_and_is_spoken(server in any_server(), which in 0usize..7) {
            for caller in [Caller::Synchronization, Caller::Import, Caller::Content] {
                let hello = Client::new(PROFILES[which], Policy::default()).hello(caller, None);
                if let Meeting::Connects { version, suite, group, signature } = meet(&hello, &server) {
                    prop_assert!(hello.versions.contains(&version));
                    prop_assert!(hello.offer.suites.contains(&suite));
                    let at = server.versions.iter().find(|at| at.version == version);
                    prop_assert!(at.is_some_and(|at| at.suites.contains(&suite)));
                    prop_assert!(group.is_none_or(|group| hello.offer.groups.contains(&group)));
                    prop_assert!(signature.is_none_or(|s| hello.offer.signatures.contains(&s)));
                }
            }
        }

        #[test]
        fn more_on_the_server_takes_no_connection_away(mut server in any_server(), which in 0usize..7) {
            let client = Client::new(PROFILES[which], Policy::default()).with_tls12();
            let hello = client.hello(Caller::Synchronization, None);
            let before = meet(&hello, &server);
            server.versions[1].suites.extend([0xc030, 0xc02f, 0xc028, 0xc027]);
            server.groups.extend([SpokenGroup { code: 23, versions: vec![TLS12] }]);
            server.signatures.extend([SpokenSignature { code: 0x0401, versions: vec![TLS12] }]);
            let after = meet(&hello, &server);
            prop_assert!(matches!(after, Meeting::Connects { version: TLS12, .. }), "{before:?} {after:?}");
        }
    }
}
