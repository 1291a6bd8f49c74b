//! What a healthy diagnosis costs, counted: connections, questions and steps. Times live in `benches/`.

use wsuslab::load::{self, Scenario};
use wsuslab::schema::World;
use wsusprobe::evidence::{Layer, Outcome};
use wsusprobe::facts::Input;
use wsusprobe::report::Report;
use wsusprobe::run::{self, Silent};
use wsusprobe::settings::layers::Given;
use wsusprobe::trust::TrustStore;

/// A healthy world's report, and how many connections each of its listeners took.
async fn diagnosed(name: &str) -> (Report, Vec<(String, usize)>, usize) {
    let scenario: Scenario = load::by_name(&load::home(), name).expect("a world of the lab");
    let folder = tempfile::tempdir().expect("a folder");
    let running = World::up(&scenario, folder.path()).expect("the world");
    let settings =
        Given::from_toml(&running.settings_text, &running.dir).expect("the lab's settings").settings();
    let store = TrustStore::load(&settings).expect("the lab's certificates");
    let inputs: Vec<Input> = running.args[1..]
        .iter()
        .map(|file| {
            Input::bytes(file.clone(), std::fs::read(running.dir.join(file)).expect("the lab's file"))
        })
        .collect();
    let report = run::diagnose_inputs(&settings, &store, &inputs, &Silent).await.expect("a report");
    let mut listeners: Vec<String> = running.places.iter().map(|place| place.listener.clone()).collect();
    listeners.sort();
    listeners.dedup();
    let counted = listeners.into_iter().map(|l| (l.clone(), running.journal.connections(&l))).collect();
    (report, counted, running.journal.queries().len())
}

/// The kinds of the source's own steps, in order.
fn steps(report: &Report) -> Vec<&'static str> {
    let own = report.observations.iter().filter(|o| o.path == "p1" && o.question.is_none());
    own.map(|o| match (&o.outcome, o.layer) {
        (Outcome::Hello { .. }, _) => "hello",
        (Outcome::Handshake { .. }, _) => "handshake",
        (_, Layer::Name) => "name",
        (_, layer) => layer.word(),
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn microsoft_update_costs_two_connections() {
    let (report, connections, queries) = diagnosed("microsoft-direct").await;
    assert_eq!(steps(&report), ["name", "name", "dial", "hello", "trust", "handshake", "http", "wsus"]);
    assert!(connections.contains(&("source:443".into(), 2)), "{connections:?}");
    assert_eq!(connections.iter().map(|(_, count)| count).sum::<usize>(), 2, "{connections:?}");
    assert_eq!(queries, 2, "A and AAAA, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_costs_two_tunnels_and_its_own_name() {
    let (report, connections, queries) = diagnosed("microsoft-proxy").await;
    assert_eq!(
        steps(&report),
        ["name", "name", "dial", "proxy", "hello", "trust", "handshake", "http", "wsus"]
    );
    assert!(connections.contains(&("proxy".into(), 2)), "{connections:?}");
    assert_eq!(queries, 2, "the proxy's name, and nobody else's");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_costs_six_connections_and_one_resolution() {
    let (report, connections, queries) = diagnosed("upstream-https").await;
    assert_eq!(steps(&report), ["name", "name", "dial", "hello", "trust", "handshake", "http", "wsus"]);
    // Its hello and its handshake, and the client's service on the same port.
    assert!(connections.contains(&("upstream:8531".into(), 3)), "{connections:?}");
    // Both files of SelfUpdate, and the question whether WSUS is there too.
    assert!(connections.contains(&("upstream:8530".into(), 3)), "{connections:?}");
    assert_eq!(queries, 2, "a name is asked for once in a run");
}
