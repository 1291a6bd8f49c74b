//! Reports made by hand, for the tests of their forms.

use super::Report;
use crate::diagnosis::{Confidence, Diagnosis, Finding, Role, RuledOut, Severity, Unknown, Verdict};
use crate::evidence::{
    Ask, Broken, DialAnswer, Evidence, HelloAnswer, HttpAnswer, Layer, NameAnswer, Observation, Offer,
    Outcome, PathInfo, PathRole, Scheme, Target,
};
use crate::facts::{Fact, Source, Statement};
use crate::pages;
use crate::settings::Settings;

fn path(id: &str, role: PathRole, needed: bool) -> PathInfo {
    let target = Target {
        scheme: Scheme::Https,
        host: "fe2.update.microsoft.com".into(),
        port: if needed { 443 } else { 8531 },
        path: "/v6/ServerSyncWebService/serversyncwebservice.asmx".into(),
    };
    PathInfo { id: id.into(), role, needed, target, proxy: None, ask: Ask::AuthConfig, until: Layer::Wsus }
}

fn seen(
    id: &str,
    path: &str,
    lane: Option<&str>,
    layer: Layer,
    took_us: u64,
    outcome: Outcome,
) -> Observation {
    Observation {
        id: id.into(),
        path: path.into(),
        lane: lane.map(str::to_string),
        layer,
        subject: "fe2.update.microsoft.com:443".into(),
        at: "2026-05-01T02:30:00.123456789Z".parse().unwrap(),
        took_us,
        question: None,
        outcome,
        raw: None,
    }
}

fn dial(address: &str, answer: DialAnswer) -> Outcome {
    Outcome::Dial { address: address.parse().unwrap(), answer }
}

fn named() -> Outcome {
    Outcome::Name {
        server: "192.0.2.53:53".into(),
        record: "A".into(),
        over: "udp".into(),
        answer: NameAnswer::Addresses {
            addresses: vec!["192.0.2.7".parse().unwrap(), "192.0.2.8".parse().unwrap()],
            canonical: None,
        },
    }
}

fn answered(status: u16) -> Outcome {
    Outcome::Http {
        method: "POST".into(),
        url: "https://fe2.update.microsoft.com/".into(),
        answer: HttpAnswer::Response {
            status,
            headers: vec![("server".into(), "Microsoft-HTTPAPI/2.0".into())],
            body: "Service Unavailable".into(),
            complete: true,
        },
    }
}

/// A server on an endpoint that is gone.
pub fn faulty() -> Report {
    let fact = Fact {
        id: "f1".into(),
        source: Source { file: "config.txt".into(), line: Some(3) },
        time: None,
        zone: None,
        statement: Statement::Config {
            property: "MUUrl".into(),
            value: "https://fe2.update.microsoft.com/v6".into(),
        },
    };
    let finding = |id: &str, subject: &str, role, severity, says: &str, because: &[&str]| Finding {
        id: id.into(),
        severity,
        confidence: Confidence::Certain,
        role,
        subject: subject.into(),
        says: says.into(),
        because: because.iter().map(|id| id.to_string()).collect(),
        remedy: pages::remedy(id, subject),
    };
    let diagnosis = Diagnosis {
        verdict: Verdict::Faulty,
        findings: vec![
            finding(
                "config/endpoint-decommissioned",
                "MUUrl",
                Role::Cause,
                Severity::Error,
                "MUUrl is https://fe2.update.microsoft.com/v6, which no longer serves synchronization.",
                &["f1", "o5"],
            ),
            finding(
                "config/winhttp-differs",
                "winhttp",
                Role::Note,
                Severity::Info,
                "WinHTTP has a proxy.",
                &["f1"],
            ),
        ],
        ruled_out: vec![RuledOut {
            layer: Layer::Dial,
            path: "p1".into(),
            subject: "fe2.update.microsoft.com:443".into(),
            says: "2 of 2 addresses connect".into(),
            because: vec!["o2".into(), "o3".into()],
        }],
        unknown: vec![Unknown {
            question: "Is the name the same for the server?".into(),
            says: "This ran elsewhere.".into(),
            would_decide: "this program on the server".into(),
            because: vec![],
        }],
    };
    let connected = DialAnswer::Connected;
    let offer = Offer { client: "ws2019".into(), version: 0x0303, suites: vec![0xc02f], ..Offer::default() };
    let mut differential = seen(
        "o4",
        "p1",
        Some("192.0.2.7"),
        Layer::Tls,
        1_500_000,
        Outcome::Hello { offer, answer: HelloAnswer::Broken { how: Broken::Reset } },
    );
    differential.question = Some("without SNI".into());
    differential.raw = Some("\\x15\\x03".into());
    let mut refused = seen("o5", "p1", Some("192.0.2.7"), Layer::Http, 40_000, answered(503));
    refused.raw = Some("HTTP/1.1 503 Service Unavailable\\r\\n".into());
    let not_reached = Outcome::NotReached { because: "o5".into(), says: "the step before it failed".into() };
    let evidence = Evidence {
        settings: Settings::default(),
        facts: vec![fact],
        paths: vec![path("p1", PathRole::Source, true), path("p2", PathRole::OtherPort, false)],
        observations: vec![
            seen("o1", "p1", None, Layer::Name, 12_000, named()),
            seen("o2", "p1", Some("192.0.2.7"), Layer::Dial, 3_000, dial("192.0.2.7:443", connected.clone())),
            seen("o3", "p1", Some("192.0.2.8"), Layer::Dial, 9_000, dial("192.0.2.8:443", connected)),
            differential,
            refused,
            seen("o6", "p1", Some("192.0.2.7"), Layer::Wsus, 0, not_reached),
            seen(
                "o7",
                "p2",
                Some("192.0.2.7"),
                Layer::Dial,
                900,
                dial("192.0.2.7:8531", DialAnswer::Refused),
            ),
        ],
    };
    Report::new(diagnosis, evidence)
}

/// A path that works.
pub fn healthy() -> Report {
    let diagnosis =
        Diagnosis { verdict: Verdict::Healthy, findings: vec![], ruled_out: vec![], unknown: vec![] };
    let connected = DialAnswer::Connected;
    let evidence = Evidence {
        paths: vec![path("p1", PathRole::Source, true)],
        observations: vec![
            seen("o1", "p1", None, Layer::Name, 12_000, named()),
            seen("o2", "p1", Some("192.0.2.7"), Layer::Dial, 3_000, dial("192.0.2.7:443", connected.clone())),
            seen("o3", "p1", Some("192.0.2.8"), Layer::Dial, 9_000, dial("192.0.2.8:443", connected)),
            seen("o4", "p1", Some("192.0.2.7"), Layer::Http, 40_000, answered(200)),
        ],
        ..Evidence::default()
    };
    Report::new(diagnosis, evidence)
}
