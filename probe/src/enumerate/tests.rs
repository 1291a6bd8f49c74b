//! Simulated servers: what they speak is known, and has to be found exactly, whatever the plan.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::likely::{GUESSES, candidates};
use super::*;
use crate::codec::tls::{Exchange, suite};
use crate::evidence::{SpokenPlan, SuiteOrder};

/// A server by its policy.
#[derive(Debug, Default)]
struct Server {
    /// Suites by version, in its order.
    versions: Vec<(u16, Vec<u16>)>,
    /// Whether it decides.
    decides: bool,
    groups: Vec<u16>,
    signatures: Vec<u16>,
    protocols: Vec<&'static str>,
    /// How it refuses.
    refusal: Option<Reply>,
    /// The longest hello that it takes, in bytes.
    longest: usize,
    /// After so many hellos it refuses everything.
    patience: Option<u32>,
    asked: AtomicU32,
}

fn first<T: Copy + PartialEq>(own: &[T], offered: &[T], decides: bool) -> Option<T> {
    let (list, other) = if decides { (own, offered) } else { (offered, own) };
    list.iter().copied().find(|item| other.contains(item))
}

impl Peer for Server {
    async fn ask(&self, hello: &Hello, _: Until) -> Reply {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::task::yield_now().await;
        let refuse = || self.refusal.clone().unwrap_or(Reply::Alert(40));
        if self.patience.is_some_and(|most| asked > most)
            || (self.longest > 0 && hello.bytes(&[0; 32]).len() > self.longest)
        {
            return refuse();
        }
        let spoken = self.versions.iter().rev().find(|(version, _)| hello.offers(*version));
        let Some((version, suites)) = spoken else { return refuse() };
        let Some(code) = first(suites, &hello.suites, self.decides) else { return refuse() };
        let mut flight = ServerFlight { version: *version, suite: code, ..ServerFlight::default() };
        let curves =
            suite(code).is_some_and(|suite| matches!(suite.exchange(), Exchange::Curve | Exchange::Apart));
        if curves && *version > SSL3 {
            flight.group = first(&self.groups, hello.groups(), true);
            if flight.group.is_none() {
                return refuse();
            }
        }
        if *version >= TLS12 {
            flight.signature = first(&self.signatures, hello.signatures(), false);
            if flight.signature.is_none() {
                return refuse();
            }
        }
        if *version < TLS13 {
            flight.alpn = hello
                .extensions
                .iter()
                .find_map(|extension| match extension {
                    Extension::Alpn(names) => {
                        self.protocols.iter().find(|own| names.iter().any(|name| name == *own))
                    }
                    _ => None,
                })
                .map(|name| (*name).to_string());
        }
        Reply::Flight(Box::new(flight))
    }
}

fn find(server: &Server, plan: SpokenPlan, suites_only: bool) -> Spoken {
    let terms = Terms {
        server_name: Some("server.example.test".into()),
        plan,
        suites_only,
        round_trip: Duration::from_millis(1),
        known: watch::channel(Some(server.versions.last().map(|(version, suites)| (*version, suites[0])))).1,
    };
    let found = Mutex::new(Spoken::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(enumerate(server, &terms, &found));
    found.into_inner().unwrap()
}

const PLANS: [SpokenPlan; 3] = [SpokenPlan::Near, SpokenPlan::Far, SpokenPlan::Polite];

fn check(server: &Server) {
    for plan in PLANS {
        server.asked.store(0, Ordering::Relaxed);
        let found = find(server, plan, true);
        assert_eq!(found.unfinished, "", "{plan:?}");
        assert!(found.odd.is_empty(), "{plan:?}: {:?}", found.odd);
        assert_eq!(found.connections, server.asked.load(Ordering::Relaxed));
        for version in &found.versions {
            let truth = server.versions.iter().find(|(v, _)| *v == version.version);
            let truth = truth.map(|(_, suites)| suites.clone()).unwrap_or_default();
            let (mut got, mut want) = (version.suites.clone(), truth.clone());
            if server.decides && truth.len() > 1 {
                assert_eq!(version.order, Some(SuiteOrder::Server), "{plan:?}");
            } else if truth.len() > 1 {
                assert_eq!(version.order, Some(SuiteOrder::Client), "{plan:?}");
                got.sort_unstable();
                want.sort_unstable();
            }
            assert_eq!(got, want, "{plan:?} {:04x}", version.version);
        }
        if plan == SpokenPlan::Polite {
            let most: usize = found.versions.iter().map(|v| v.suites.len() + 1 + 2).sum();
            assert!(found.connections as usize <= most, "{} of {most}", found.connections);
        }
    }
}

fn server(versions: &[(u16, &[u16])], decides: bool) -> Server {
    Server {
        versions: versions.iter().map(|(version, suites)| (*version, suites.to_vec())).collect(),
        decides,
        groups: vec![29, 23, 24],
        signatures: vec![0x0804, 0x0401, 0x0403],
        ..Server::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn every_server_is_found_exactly(
        old in proptest::sample::subsequence(candidates(false), 1..40).prop_shuffle(),
        new in proptest::sample::subsequence(candidates(true), 0..6).prop_shuffle(),
        decides: bool,
        lowest in 0usize..3,
    ) {
        let mut versions: Vec<(u16, Vec<u16>)> =
            [TLS10, TLS11, TLS12][lowest..].iter().map(|&version| (version, old.clone())).collect();
        if !new.is_empty() {
            versions.push((TLS13, new));
        }
        check(&Server { versions, ..server(&[], decides) });
    }
}

#[test]
fn a_known_order_is_proved_in_few_rounds() {
    let suites: Vec<u16> = GUESSES[0]
        .iter()
        .copied()
        .filter(|&code| suite(code).is_some_and(|s| !s.is_tls13()))
        .take(77)
        .collect();
    let everything = server(&[(TLS10, &suites[..23]), (TLS11, &suites[..23]), (TLS12, &suites)], true);
    check(&everything);
    let found = find(&everything, SpokenPlan::Far, true);
    assert!(found.rounds <= 10, "{}", found.rounds);
    // An order that no guess has costs more rounds, and fewer than there are suites.
    let mut turned = suites.clone();
    turned.reverse();
    let found = find(&server(&[(TLS12, &turned)], true), SpokenPlan::Far, true);
    assert_eq!(found.versions[3].suites, turned);
    assert!(found.rounds <= 40, "{}", found.rounds);
}

#[test]
fn a_reset_endpoint_is_no_different() {
    let mut endpoint = server(&[(TLS12, &[0xc030, 0xc02f, 0xc028, 0xc027])], true);
    for refusal in [Reply::Reset, Reply::Closed] {
        endpoint.refusal = Some(refusal);
        for plan in PLANS {
            let found = find(&endpoint, plan, true);
            assert_eq!(found.versions[3].suites, [0xc030, 0xc02f, 0xc028, 0xc027]);
            assert_eq!(found.unfinished, "");
        }
    }
}

#[test]
fn a_server_that_stops_answering_is_not_taken_for_a_short_list() {
    let mut endpoint = server(&[(TLS12, &[0xc030, 0xc02f, 0xc028, 0xc027])], true);
    endpoint.refusal = Some(Reply::Reset);
    endpoint.patience = Some(4);
    let found = find(&endpoint, SpokenPlan::Polite, true);
    assert!(!found.unfinished.is_empty());
}

#[test]
fn a_silent_server_is_left_alone() {
    let silent = Server { refusal: Some(Reply::Silence), ..Server::default() };
    for plan in PLANS {
        let found = find(&silent, plan, false);
        assert!(found.connections <= MOST_SILENT + AT_ONCE as u32, "{plan:?}: {}", found.connections);
        assert!(!found.unfinished.is_empty());
    }
}

#[test]
fn a_server_that_takes_short_hellos_alone_is_found_out() {
    let mut short = server(&[(TLS12, &[0xc030, 0xc02f, 0xc028, 0xc027])], true);
    short.longest = 270;
    for refusal in [Reply::Reset, Reply::Alert(50)] {
        short.refusal = Some(refusal);
        for plan in PLANS {
            let found = find(&short, plan, true);
            assert_eq!(found.versions[3].suites, [0xc030, 0xc02f, 0xc028, 0xc027], "{plan:?}");
            assert_eq!(found.odd, [Oddity::LongHello]);
        }
    }
}

#[test]
fn groups_signatures_and_protocols_are_found_with_few_connections() {
    let mut nginx = server(&[(TLS12, &[0xc02f, 0xc030, 0x009c]), (TLS13, &[0x1302, 0x1301])], true);
    nginx.groups = vec![29, 23, 30, 25, 24];
    nginx.signatures = vec![0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0301, 0x0201];
    nginx.protocols = vec!["http/1.1"];
    for plan in PLANS {
        let found = find(&nginx, plan, false);
        let mut groups: Vec<u16> = found.groups.iter().map(|group| group.code).collect();
        groups.sort_unstable();
        assert_eq!(groups, [23, 24, 25, 29, 30], "{plan:?}");
        assert!(found.groups.iter().all(|group| group.versions == [TLS13, TLS12]));
        let mut signatures: Vec<u16> = found.signatures.iter().map(|signature| signature.code).collect();
        signatures.sort_unstable();
        let mut want = nginx.signatures.clone();
        want.sort_unstable();
        assert_eq!(signatures, want, "{plan:?}");
        assert_eq!(found.alpn, ["http/1.1"]);
        let names = found.connections - find(&nginx, plan, true).connections;
        // Two of them are the protocols'.
        assert!(names <= 32, "{plan:?}: {names}");
    }
}

#[test]
fn an_answer_that_was_not_offered_is_odd_and_no_suite() {
    struct Stubborn;
    impl Peer for Stubborn {
        async fn ask(&self, _: &Hello, _: Until) -> Reply {
            Reply::Flight(Box::new(ServerFlight { version: TLS12, suite: 0x1234, ..ServerFlight::default() }))
        }
    }
    let terms = Terms {
        server_name: None,
        plan: SpokenPlan::Near,
        suites_only: false,
        round_trip: Duration::ZERO,
        known: watch::channel(Some(None)).1,
    };
    let found = Mutex::new(Spoken::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(enumerate(&Stubborn, &terms, &found));
    let found = found.into_inner().unwrap();
    assert!(found.versions.iter().all(|version| version.suites.is_empty()));
    assert!(matches!(found.odd[0], Oddity::NotOffered { suite: 0x1234, .. }));
}
