//! The laws of the catalogue, over evidence of every scenario and over evidence that no walk would give.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use wsuslab::load;
use wsuslab::runner;
use wsusprobe::diagnosis::{Confidence, Diagnosis, Finding, Role, Severity, Verdict, judge};
use wsusprobe::evidence::{
    Ask, DialAnswer, Evidence, HandshakeAnswer, HelloAnswer, HttpAnswer, Layer, NameAnswer, Observation,
    Outcome, PathInfo, PathRole, ProxyAnswer, SoapAnswer,
};
use wsusprobe::facts::Statement;

/// The evidence of every scenario, each world brought up once.
static ALL: LazyLock<Vec<(String, Evidence)>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        // Silent worlds wait for the probe's own time-outs: side by side, and not all at once.
        let places = Arc::new(tokio::sync::Semaphore::new(16));
        let scenarios = load::all(&load::home()).expect("the lab's own folder").into_iter().flatten();
        let running: Vec<_> = scenarios
            .map(|scenario| {
                let places = places.clone();
                tokio::spawn(async move {
                    let _place = places.acquire_owned().await;
                    // A command that is not there yet gives no report.
                    let ran = runner::run(&scenario).await.ok()?;
                    let report = ran.report;
                    let (settings, facts) = (report.settings, report.facts);
                    let (paths, observations) = (report.paths, report.observations);
                    Some((scenario.name.clone(), Evidence { settings, facts, paths, observations }))
                })
            })
            .collect();
        let mut all = Vec::new();
        for one in running {
            all.extend(one.await.expect("a scenario"));
        }
        assert!(all.len() > 50, "only {} scenarios gave evidence", all.len());
        all
    })
});

fn causes(diagnosis: &Diagnosis) -> Vec<(&str, &str, Confidence)> {
    let causes = diagnosis.findings.iter().filter(|f| f.role == Role::Cause);
    causes.map(|f| (f.id.as_str(), f.subject.as_str(), f.confidence)).collect()
}

/// What states something of its own about this server, and what only supports.
fn supports(statement: &Statement) -> bool {
    if let Statement::Registry { key, .. } = statement {
        return key.to_ascii_lowercase().ends_with(r"\internet settings");
    }
    matches!(
        statement,
        Statement::WinHttpProxy { .. }
            | Statement::PortTest { .. }
            | Statement::Resolved { .. }
            | Statement::LogFailure { .. }
            | Statement::Console { .. }
            | Statement::ClientLog { .. }
            | Statement::Elsewhere { .. }
            | Statement::Event { .. }
            | Statement::Change { .. }
            | Statement::ClockJump { .. }
            | Statement::InstalledUpdate { .. }
            | Statement::IisAnswer { .. }
            | Statement::ServerName { .. }
            | Statement::NotCollected { .. }
    )
}

/// Whether a step ended its lane, told apart from the rules' own reading.
fn ended(path: &PathInfo, observation: &Observation) -> bool {
    match &observation.outcome {
        Outcome::Dial { answer, .. } => *answer != DialAnswer::Connected,
        Outcome::Proxy { answer, .. } => *answer != ProxyAnswer::Granted,
        // What a client goes on from was offered, and came whole.
        Outcome::Hello { offer, answer } => match answer {
            HelloAnswer::Answered { version, suite, complete, .. } => {
                let offered = *version == offer.version || offer.versions.contains(version);
                !(offered && offer.suites.contains(suite) && *complete)
            }
            _ => true,
        },
        Outcome::Chain(chain) => !chain.acceptable(),
        Outcome::Handshake { answer, client_certificate_asked, .. } => {
            *client_certificate_asked && !matches!(answer, HandshakeAnswer::Done { .. })
        }
        Outcome::Http { answer, .. } => match answer {
            HttpAnswer::Response { status, .. } => {
                path.ask == Ask::Get && !(200..300).contains(status) || !matches!(status, 200 | 500)
            }
            _ => true,
        },
        Outcome::Soap { answer, .. } => !matches!(answer, SoapAnswer::Result { .. }),
        _ => false,
    }
}

/// The observation that ended each lane of the needed paths.
fn failed(evidence: &Evidence) -> Vec<(&PathInfo, &Observation)> {
    let mut found = Vec::new();
    for path in evidence.paths.iter().filter(|p| p.needed) {
        let own: Vec<_> =
            evidence.observations.iter().filter(|o| o.path == path.id && o.question.is_none()).collect();
        let mut lanes: Vec<_> = own.iter().filter_map(|o| o.lane.as_deref()).collect();
        lanes.sort_unstable();
        lanes.dedup();
        for lane in lanes {
            let steps = || own.iter().filter(|o| o.lane.as_deref() == Some(lane));
            if steps().any(|o| matches!(o.outcome, Outcome::NotReached { .. })) {
                continue;
            }
            found.extend(steps().find(|o| ended(path, o)).map(|o| (path, *o)));
        }
    }
    found
}

#[test]
fn what_ended_a_lane_is_explained() {
    for (name, evidence) in
        ALL.iter().filter(|(_, e)| e.settings.only.is_empty() && e.settings.skip.is_empty())
    {
        let diagnosis = judge(evidence);
        for (path, observation) in failed(evidence) {
            // The answer that ended a lane and what was read in it are one failure.
            let same = |id: &String| {
                evidence.observations.iter().any(|o| {
                    o.id == *id
                        && o.path == path.id
                        && o.lane == observation.lane
                        && (o.id == observation.id || o.layer.max(observation.layer) >= Layer::Http)
                })
            };
            assert!(
                diagnosis.findings.iter().any(|f| f.because.iter().any(same)),
                "{name}: {} is in no finding: {:?}",
                observation.id,
                observation.outcome
            );
        }
        for path in evidence.paths.iter().filter(|p| p.needed) {
            let names = || evidence.observations.iter().filter(|o| o.path == path.id && o.lane.is_none());
            let nothing = !evidence.observations.iter().any(|o| o.path == path.id && o.lane.is_some());
            let asked = names().any(|o| matches!(o.outcome, Outcome::Name { .. }));
            let resolved = names()
                .any(|o| matches!(o.outcome, Outcome::Name { answer: NameAnswer::Addresses { .. }, .. }));
            if nothing && asked && !resolved {
                let of_name = |id: &String| names().any(|o| o.id == *id);
                assert!(
                    diagnosis.findings.iter().any(|f| f.because.iter().any(of_name)),
                    "{name}: a name that gave nothing is in no finding"
                );
            }
        }
    }
}

#[test]
fn every_finding_names_what_it_rests_on() {
    for (name, evidence) in ALL.iter() {
        let diagnosis = judge(evidence);
        let there = |id: &String| {
            evidence.observations.iter().any(|o| o.id == *id) || evidence.facts.iter().any(|f| f.id == *id)
        };
        for finding in &diagnosis.findings {
            assert!(!finding.because.is_empty(), "{name}: {} rests on nothing", finding.id);
            assert!(finding.because.iter().all(there), "{name}: {} rests on what is not there", finding.id);
        }
        for item in &diagnosis.ruled_out {
            assert!(item.because.iter().all(there), "{name}: {item:?}");
        }
    }
}

#[test]
fn without_what_is_authoritative_no_cause_is_more_than_possible() {
    for (name, evidence) in ALL.iter() {
        let mut bare = evidence.clone();
        let needed = |id: &str| evidence.paths.iter().any(|p| p.id == id && p.needed);
        bare.observations.retain(|o| !needed(&o.path));
        bare.facts.retain(|f| supports(&f.statement));
        let diagnosis = judge(&bare);
        assert_ne!(diagnosis.verdict, Verdict::Faulty, "{name}: {:?}", causes(&diagnosis));
        for (id, _, confidence) in causes(&diagnosis) {
            assert_eq!(confidence, Confidence::Possible, "{name}: {id}");
        }
    }
}

/// A healthy path over TLS alone, to a host that no scenario knows.
fn healthy() -> (PathInfo, Vec<Observation>) {
    let (_, evidence) = ALL.iter().find(|(name, _)| name == "microsoft-direct").expect("the healthy world");
    let mut path = evidence.paths.iter().find(|p| p.needed).expect("its path").clone();
    let mut observations: Vec<_> =
        evidence.observations.iter().filter(|o| o.path == path.id).cloned().collect();
    (path.id, path.role, path.needed) = ("p900".into(), PathRole::Url, false);
    path.target.host = "healthy.example.net".into();
    for (at, observation) in observations.iter_mut().enumerate() {
        (observation.id, observation.path) = (format!("o{}", 9000 + at), path.id.clone());
        observation.subject = path.target.subject();
    }
    (path, observations)
}

#[test]
fn a_healthy_path_elsewhere_changes_no_cause() {
    let (path, observations) = healthy();
    for (name, evidence) in ALL.iter() {
        let mut more = evidence.clone();
        more.paths.push(path.clone());
        more.observations.extend(observations.iter().cloned());
        assert_eq!(causes(&judge(&more)), causes(&judge(evidence)), "{name}");
    }
}

/// The other half of what proves an id, by kind: without any one of these nothing is certain.
fn halves(id: &str, observation: &Observation, path: &PathInfo) -> Option<&'static str> {
    let question = observation.question.as_deref();
    let answered = matches!(observation.outcome, Outcome::Hello { answer: HelloAnswer::Answered { .. }, .. });
    let date = |headers: &[(String, String)]| headers.iter().any(|(name, _)| name == "date");
    match (id, question) {
        ("tls/no-common-cipher", Some("every suite at TLS 1.2")) => Some("more suites"),
        ("tls/no-common-cipher", Some("every group and signature at TLS 1.2")) => Some("more groups"),
        ("tls/version-unsupported", Some(asked)) if asked.ends_with("alone") && answered => {
            Some("another version")
        }
        ("tls/version-unsupported", Some("every suite, group and signature at TLS 1.2")) => {
            Some("all of the version")
        }
        ("proxy/port-denied", Some("the same destination on port 443")) => Some("port 443"),
        ("proxy/closed", Some("a tunnel into which nothing is sent")) => Some("an empty tunnel"),
        ("proxy/closed", Some("the same hello to another host")) => Some("another host"),
        ("wsus/port-mismatch", None) if path.role == PathRole::OtherPort => Some("the other port"),
        ("trust/clock-skew", None) => match &observation.outcome {
            Outcome::Http { url, answer: HttpAnswer::Response { headers, .. }, .. } => {
                (url.starts_with("http://") && date(headers)).then_some("another clock")
            }
            Outcome::Proxy { answer: ProxyAnswer::Status { headers, .. }, .. } => {
                (!path.needed && date(headers)).then_some("another clock")
            }
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn half_of_a_differential_proves_nothing() {
    const PROVED: [&str; 6] = [
        "tls/no-common-cipher",
        "tls/version-unsupported",
        "proxy/port-denied",
        "proxy/closed",
        "wsus/port-mismatch",
        "trust/clock-skew",
    ];
    let certain = |diagnosis: &Diagnosis, id: &str| {
        diagnosis
            .findings
            .iter()
            .any(|f| f.id == id && f.confidence == Confidence::Certain && f.role == Role::Cause)
    };
    let mut tried: Vec<(&str, &str)> = Vec::new();
    for (name, evidence) in ALL.iter() {
        let diagnosis = judge(evidence);
        for id in PROVED.into_iter().filter(|id| certain(&diagnosis, id)) {
            let kind = |o: &Observation| {
                let path = evidence.paths.iter().find(|p| p.id == o.path)?;
                halves(id, o, path)
            };
            let mut kinds: Vec<&str> = evidence.observations.iter().filter_map(kind).collect();
            kinds.sort_unstable();
            kinds.dedup();
            // A server that itself chooses another version, and a proxy that says in words that it is the port, have
            // said all in one answer.
            let by_word = evidence.observations.iter().any(|o| match &o.outcome {
                Outcome::Hello { answer: HelloAnswer::Answered { version, .. }, .. } => {
                    id == "tls/version-unsupported" && o.question.is_none() && *version != 0x0303
                }
                Outcome::Proxy { answer: ProxyAnswer::Status { says_port, .. }, .. } => {
                    id == "proxy/port-denied" && *says_port
                }
                _ => false,
            });
            assert!(by_word || !kinds.is_empty(), "{name}: nothing proves {id}");
            for half in kinds.into_iter().filter(|_| !by_word) {
                let mut less = evidence.clone();
                less.observations.retain(|o| kind(o) != Some(half));
                assert!(!certain(&judge(&less), id), "{name}: {id} is certain without {half}");
                tried.push((id, half));
            }
        }
    }
    for id in ["tls/no-common-cipher", "tls/version-unsupported", "wsus/port-mismatch", "trust/clock-skew"] {
        assert!(tried.iter().any(|(tried, _)| *tried == id), "no scenario proves {id}");
    }
}

fn rank(finding: &Finding) -> impl Ord + use<> {
    (
        finding.role,
        finding.severity,
        finding.layer(),
        finding.confidence,
        finding.id.clone(),
        finding.subject.clone(),
    )
}

#[test]
fn findings_stand_in_the_catalogues_order() {
    for (name, evidence) in ALL.iter() {
        let findings = judge(evidence).findings;
        assert!(findings.is_sorted_by_key(rank), "{name}");
        let mut told: Vec<_> = findings.iter().map(|f| (&f.id, &f.subject)).collect();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), findings.len(), "{name}: one is told twice");
    }
    let layers = ["config", "name", "dial", "proxy", "tls", "trust", "http", "wsus", "content", "history"];
    let last = ["offline", "input", "unexplained"];
    let order: Vec<_> = layers.iter().chain(&last).map(|word| Layer::of_id(word).expect("a layer")).collect();
    assert!(order.is_sorted());
}

#[test]
fn the_verdict_follows_from_what_is_told() {
    for (name, evidence) in ALL.iter() {
        let Diagnosis { verdict, findings, .. } = judge(evidence);
        let cause = |f: &&Finding| f.role == Role::Cause;
        let sure = findings
            .iter()
            .filter(cause)
            .any(|f| f.severity == Severity::Error && f.confidence != Confidence::Possible);
        let guesses = findings.iter().filter(cause).count() > 0
            && findings.iter().filter(cause).all(|f| f.confidence == Confidence::Possible);
        let open = findings.iter().any(|f| f.id == "unexplained");
        let warns = findings.iter().any(|f| f.severity <= Severity::Warning);
        match verdict {
            Verdict::Faulty => assert!(sure, "{name}"),
            Verdict::Undetermined => assert!(!sure, "{name}"),
            Verdict::Degraded => assert!(!sure && !guesses && !open && warns, "{name}"),
            Verdict::Healthy => assert!(!sure && !guesses && !open && !warns, "{name}"),
        }
        if sure {
            assert_eq!(verdict, Verdict::Faulty, "{name}");
        } else if guesses || open {
            assert_eq!(verdict, Verdict::Undetermined, "{name}");
        }
    }
}

#[test]
fn the_verdict_table() {
    let evidence = |name: &str| {
        let found = ALL.iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("{name}")).1.clone()
    };
    // Nothing needed came to its end, and nothing says why.
    let mut nothing = evidence("upstream-http");
    nothing.observations.clear();
    assert_eq!(judge(&nothing).verdict, Verdict::Undetermined);
    // Nothing is known at all.
    assert_eq!(judge(&Evidence::default()).verdict, Verdict::Undetermined);
    // A warning is a warning as a note too; below it stands what is merely worth knowing.
    assert_eq!(judge(&evidence("wsus/selfupdate-missing")).verdict, Verdict::Degraded);
    assert_eq!(judge(&evidence("wsus/selfupdate-missing-older-file-alone")).verdict, Verdict::Healthy);
    // A certain cause stands whatever else is open.
    assert_eq!(judge(&evidence("trust/missing-intermediate")).verdict, Verdict::Faulty);
    assert_eq!(
        judge(&evidence("trust/missing-intermediate-or-untrusted-root")).verdict,
        Verdict::Undetermined
    );
    let codes = [Verdict::Healthy, Verdict::Degraded, Verdict::Faulty, Verdict::Undetermined];
    assert_eq!(codes.map(Verdict::exit_code), [0, 1, 2, 3]);
}

/// Evidence that no walk gives: steps of many worlds on the paths of one, in any order and number.
fn shuffled(base: usize, picks: &[(usize, usize, u8)]) -> Evidence {
    let all = &*ALL;
    let mut evidence = all[base % all.len()].1.clone();
    let mut lanes: Vec<Option<String>> = vec![None, Some("192.0.2.1:443".into())];
    lanes.extend(evidence.observations.iter().map(|o| o.lane.clone()).take(6));
    for (n, &(from, which, how)) in picks.iter().enumerate() {
        let other = &all[from % all.len()].1;
        if let Some(one) = other.observations.get(which % other.observations.len().max(1)) {
            let mut one = one.clone();
            one.id = if how % 11 == 0 { "o1".into() } else { format!("o{}", 5000 + n) };
            if let Some(path) = evidence.paths.get(which % evidence.paths.len().max(1)) {
                one.path = path.id.clone();
            }
            one.lane = lanes[usize::from(how) % lanes.len()].clone();
            if how % 3 == 0 {
                one.question = None;
            }
            let at = which % (evidence.observations.len() + 1);
            evidence.observations.insert(at, one);
        }
        if how % 5 == 0 && !evidence.observations.is_empty() {
            let at = from % evidence.observations.len();
            evidence.observations.remove(at);
        }
        if let (true, Some(fact)) = (how % 7 == 0, other.facts.get(which % other.facts.len().max(1))) {
            let mut fact = fact.clone();
            fact.id = format!("f{}", 5000 + n);
            evidence.facts.push(fact);
        }
        if let (true, Some(path)) = (how % 13 == 0, other.paths.get(which % other.paths.len().max(1))) {
            evidence.paths.push(path.clone());
        }
    }
    evidence
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_seen_is_judged(
        base in any::<usize>(),
        picks in proptest::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 0..40),
    ) {
        let evidence = shuffled(base, &picks);
        let diagnosis = judge(&evidence);
        prop_assert!(diagnosis.findings.is_sorted_by_key(rank));
        for finding in &diagnosis.findings {
            prop_assert!(!finding.because.is_empty(), "{} rests on nothing", finding.id);
        }
        prop_assert_eq!(&judge(&evidence), &diagnosis);
    }

    #[test]
    fn what_only_supports_never_makes_a_fault(
        picks in proptest::collection::vec((any::<usize>(), any::<usize>()), 0..40),
    ) {
        let mut evidence = Evidence::default();
        for (n, (from, which)) in picks.into_iter().enumerate() {
            let (_, other) = &ALL[from % ALL.len()];
            let facts: Vec<_> = other.facts.iter().filter(|f| supports(&f.statement)).collect();
            if let Some(fact) = facts.get(which % facts.len().max(1)) {
                let mut fact = (*fact).clone();
                fact.id = format!("f{}", n + 1);
                evidence.facts.push(fact);
            }
        }
        let diagnosis = judge(&evidence);
        prop_assert_ne!(diagnosis.verdict, Verdict::Faulty);
        for (id, _, confidence) in causes(&diagnosis) {
            prop_assert_eq!(confidence, Confidence::Possible, "{}", id);
        }
    }
}

/// Writes the evidence that the probe's own tests read: `cargo test --test laws -- --ignored save`.
#[test]
#[ignore = "writes probe/tests/evidence anew"]
fn save_the_evidence_of_some_worlds() {
    const WORLDS: [&str; 20] = [
        "config/port-ssl-mismatch",
        "config/proxy-only-in-winhttp",
        "config/upstream-short-name",
        "dial/family-unusable",
        "http/client-certificate",
        "http/pool-down-behind-old-tls",
        "http/ssl-required",
        "name/sinkhole",
        "proxy/inspection",
        "proxy/closed",
        "proxy/port-denied",
        "tls/client-certificate",
        "tls/dotnet-strong-crypto",
        "tls/no-common-cipher",
        "tls/sync-fix-missing",
        "tls/version-unsupported",
        "trust/clock-skew",
        "trust/missing-intermediate-or-untrusted-root",
        "wsus/port-mismatch",
        "wsus/selfupdate-missing",
    ];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("probe/tests/evidence");
    std::fs::create_dir_all(&folder).expect("the folder");
    for world in WORLDS {
        let (_, evidence) = ALL.iter().find(|(name, _)| name == world).unwrap_or_else(|| panic!("{world}"));
        let mut evidence = evidence.clone();
        // Nothing of the machine that ran it.
        let name = |file: &str| file.rsplit(['/', '\\']).next().unwrap_or_default().to_string();
        evidence.settings.cacert.iter_mut().for_each(|file| *file = name(file));
        evidence.settings.anchor.iter_mut().for_each(|anchor| anchor.file = name(&anchor.file));
        for observation in &mut evidence.observations {
            observation.took_us = 1000;
        }
        let report = wsusprobe::report::Report::new(judge(&evidence), evidence);
        let mut text = wsusprobe::report::json::render(&report);
        text.push('\n');
        std::fs::write(folder.join(format!("{}.json", world.replace('/', "-"))), text).expect("a file");
    }
}
