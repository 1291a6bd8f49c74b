//! What an enumeration costs, counted by a peer that takes each connection: rounds one after the other, and connections.
//! The far plan is forced; a dependent connection and its hello are one round.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mockups::authority::{Key, LeafSpec, self_signed};
use mockups::http::Clock;
use mockups::journal::Journal;
use mockups::listen::Running;
use mockups::tlspeer::{Order, Policy, Refusal, TlsPeer};
use mockups::upstream::{self, Site};
use wsusprobe::codec::tls::{SUITES, suite_name};
use wsusprobe::evidence::Outcome;
use wsusprobe::report::tls::TlsServer;
use wsusprobe::run::{self, Silent};
use wsusprobe::settings::layers::Given;
use wsusprobe::trust::TrustStore;

const TLS10: u16 = 0x0301;
const TLS11: u16 = 0x0302;
const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

/// OpenSSL's suites by its names, in the order given.
fn by_openssl(names: &str) -> Vec<u16> {
    let code = |name: &str| SUITES.iter().find(|suite| suite.openssl == name).map(|suite| suite.code);
    names
        .split([':', '\n', ' '])
        .filter(|name| !name.is_empty())
        .map(|name| code(name).expect(name))
        .collect()
}

/// The 27 suites of TLS 1.2 that OpenSSL 3.0 has by default for an RSA certificate without DH parameters.
const NGINX: &str = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ARIA256-GCM-SHA384:\
    ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ARIA128-GCM-SHA256:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-CAMELLIA256-SHA384:\
    ECDHE-RSA-AES128-SHA256:ECDHE-RSA-CAMELLIA128-SHA256:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA:\
    AES256-GCM-SHA384:AES256-CCM8:AES256-CCM:ARIA256-GCM-SHA384:AES128-GCM-SHA256:AES128-CCM8:AES128-CCM:\
    ARIA128-GCM-SHA256:AES256-SHA256:CAMELLIA256-SHA256:AES128-SHA256:CAMELLIA128-SHA256:AES256-SHA:\
    CAMELLIA256-SHA:AES128-SHA:CAMELLIA128-SHA";
/// Mozilla's intermediate list for an RSA certificate (server side TLS 5.7).
const MOZILLA: &str = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:\
    DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";
const NEW: [u16; 3] = [0x1302, 0x1303, 0x1301];

/// Everything that OpenSSL 3.0 has, in its own order: 77 suites at TLS 1.2, 23 of them below too. The order is one that
/// `openssl ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0` prints for RSA, ECDSA and anonymous exchanges.
fn everything() -> (Vec<u16>, Vec<u16>) {
    let order = include_str!("fixtures/openssl-everything.txt");
    let at_12 = by_openssl(order);
    let old = |code: &u16| {
        let name = suite_name(*code);
        name.ends_with("_SHA") || name.ends_with("_MD5")
    };
    let below = at_12.iter().copied().filter(old).collect();
    (at_12, below)
}

fn policy(suites_of: &[(u16, Vec<u16>)], order: Order) -> Policy {
    Policy {
        versions: suites_of.iter().map(|(version, _)| *version).collect(),
        suites: Some(Vec::new()),
        suites_of: BTreeMap::from_iter(suites_of.iter().cloned()),
        order,
        groups: vec![29, 23, 30, 25, 24],
        signatures: Some(vec![
            0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0301, 0x0403, 0x0503, 0x0603,
        ]),
        both_keys: true,
        scripted: true,
        unsigned: true,
        ..Policy::default()
    }
}

fn serve(policy: Policy, journal: &Journal) -> Running {
    let key = Key::named("server").expect("a key");
    let spec = LeafSpec { common_name: "peer".into(), validity: (0, 4_000_000_000), ..LeafSpec::default() };
    let leaf = self_signed(&spec, &key).expect("a leaf");
    let peer = TlsPeer::new(policy, vec![leaf.der.clone()], &key);
    let site = Site::wsus("peer", Clock::starting_at(0));
    upstream::serve_https("peer", journal, Arc::new(site), peer).expect("a peer")
}

/// What is found, and how many connections the peer took for it, the client's own hello left out.
async fn enumerate(policy: Policy, settings: &str) -> (TlsServer, usize) {
    let journal = Journal::default();
    let peer = serve(policy, &journal);
    let target = wsusprobe::cli::target::server(&peer.address.to_string()).expect("an address");
    let settings = Given::from_toml(settings, Path::new("")).expect("settings").settings();
    let store = TrustStore::default();
    let report = run::tls(&settings, &store, &target, &[], &Silent).await.expect("a report");
    // The reference client's own, and those of the Windows Servers.
    let hellos = report.observations.iter().filter(|o| matches!(o.outcome, Outcome::Hello { .. })).count();
    let server = report.tls.into_iter().next().expect("a server");
    (server, journal.connections("peer") - hellos)
}

fn suites(server: &TlsServer, version: &str) -> Vec<u16> {
    let version = server.versions.iter().find(|v| v.version == version).expect("a version");
    version.suites.iter().map(|suite| u16::from_str_radix(&suite.code, 16).expect("a code")).collect()
}

fn sorted(mut list: Vec<u16>) -> Vec<u16> {
    list.sort_unstable();
    list
}

const FAR: &str = "suites = true\nplan = \"far\"\ntrust = \"none\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_default_nginx_costs_eight_rounds_and_120_connections() {
    let truth = by_openssl(NGINX);
    assert_eq!(truth.len(), 27);
    let nginx = policy(&[(TLS12, truth.clone()), (TLS13, NEW.to_vec())], Order::Client);
    let (found, connections) = enumerate(nginx, FAR).await;
    assert_eq!(sorted(suites(&found, "TLS 1.2")), sorted(truth));
    assert_eq!(sorted(suites(&found, "TLS 1.3")), sorted(NEW.to_vec()));
    assert_eq!(found.connections as usize, connections, "what is printed is what the peer took");
    assert!(found.rounds <= 8 && connections <= 120, "{} rounds, {connections} connections", found.rounds);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_costs_ten_rounds() {
    let (at_12, below) = everything();
    assert_eq!((at_12.len(), below.len()), (77, 23));
    let versions = [(TLS10, below.clone()), (TLS11, below.clone()), (TLS12, at_12.clone())];
    let (found, connections) = enumerate(policy(&versions, Order::Server), FAR).await;
    assert_eq!(suites(&found, "TLS 1.2"), at_12);
    assert_eq!(suites(&found, "TLS 1.1"), below);
    assert_eq!(suites(&found, "TLS 1.0"), below);
    assert_eq!(found.connections as usize, connections);
    assert!(found.rounds <= 10, "{} rounds", found.rounds);
}

#[tokio::test(flavor = "multi_thread")]
async fn mozillas_list_costs_six_rounds() {
    let truth = by_openssl(MOZILLA);
    let mozilla = policy(&[(TLS12, truth.clone()), (TLS13, NEW.to_vec())], Order::Server);
    let (found, connections) = enumerate(mozilla, FAR).await;
    assert_eq!(suites(&found, "TLS 1.2"), truth);
    assert_eq!(suites(&found, "TLS 1.3"), NEW);
    assert_eq!(found.connections as usize, connections);
    assert!(found.rounds <= 6, "{} rounds", found.rounds);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_signatures_cost_thirty_connections() {
    for plan in ["near", "far"] {
        let versions = [(TLS12, by_openssl(NGINX)), (TLS13, NEW.to_vec())];
        let suites_alone = format!("suites = true\nplan = \"{plan}\"\ntrust = \"none\"\n");
        let all = format!("plan = \"{plan}\"\ntrust = \"none\"\n");
        let (_, less) = enumerate(policy(&versions, Order::Client), &suites_alone).await;
        let (found, more) = enumerate(policy(&versions, Order::Client), &all).await;
        assert!(!found.groups.is_empty() && !found.signatures.is_empty());
        assert!(more - less <= 30, "{plan}: {more} - {less}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn politeness_costs_little_more_than_there_are_suites() {
    let polite = "suites = true\npolite = true\ntrust = \"none\"\n";
    for order in [Order::Server, Order::Client] {
        let truth = by_openssl(MOZILLA);
        let peer = policy(&[(TLS12, truth.clone()), (TLS13, NEW.to_vec())], order);
        let (found, connections) = enumerate(peer, polite).await;
        let most: usize = found.versions.iter().map(|version| version.suites.len() + 1 + 2).sum();
        assert!(connections <= most, "{connections} of {most}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_resets_costs_no_more() {
    let truth = vec![0xc030, 0xc02f, 0xc028, 0xc027];
    for plan in ["near", "far"] {
        let endpoint = Policy { refusal: Refusal::Reset, ..policy(&[(TLS12, truth.clone())], Order::Server) };
        let settings = format!("suites = true\nplan = \"{plan}\"\ntrust = \"none\"\n");
        let (found, connections) = enumerate(endpoint, &settings).await;
        assert_eq!(suites(&found, "TLS 1.2"), truth);
        assert_eq!(found.unfinished, "");
        assert!(connections <= 60, "{plan}: {connections}");
    }
}
