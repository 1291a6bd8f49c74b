//! How long the program's main jobs take. The goals stand in `benches/README.md`; nothing here asserts a time.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wsuslab::load;
use wsuslab::runner;
use wsuslab::schema::World;
use wsusprobe::diagnosis;
use wsusprobe::evidence::Evidence;
use wsusprobe::facts::{self, Input};
use wsusprobe::report::Report;

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_wsusprobe-under-test");

fn start_of_the_program(c: &mut Criterion) {
    c.bench_function("start of the program", |b| {
        b.iter(|| {
            let ended = Command::new(PROGRAM).arg("list").stdout(Stdio::null()).status();
            assert!(ended.is_ok_and(|status| status.success()));
        });
    });
}

fn a_code_explained(c: &mut Criterion) {
    for code in ["-2147012894", "WININET_E_TIMEOUT", "10022"] {
        c.bench_function(&format!("explain {code}"), |b| {
            b.iter(|| {
                let ended = Command::new(PROGRAM).args(["explain", code]).stdout(Stdio::null()).status();
                assert!(ended.is_ok_and(|status| status.success()));
            });
        });
    }
}

fn world_started(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    for name in ["microsoft-direct", "upstream-https"] {
        let scenario = load::by_name(&load::home(), name).expect("a world of the lab");
        c.bench_function(&format!("world started: {name}"), |b| {
            b.iter_batched(
                || tempfile::tempdir().expect("a folder"),
                |folder| (World::up(&scenario, folder.path()).expect("the world"), folder),
                BatchSize::PerIteration,
            );
        });
    }
}

fn healthy_diagnosis(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for name in ["microsoft-direct", "microsoft-proxy", "upstream-https"] {
        let scenario = load::by_name(&load::home(), name).expect("a world of the lab");
        c.bench_function(&format!("world and healthy diagnosis: {name}"), |b| {
            b.iter(|| runtime.block_on(runner::run(&scenario)).expect("a report"));
        });
    }
}

fn rules_on_ten_thousand_observations(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let scenario = load::by_name(&load::home(), "upstream-https").expect("a world of the lab");
    let report = runtime.block_on(runner::run(&scenario)).expect("a report").report;
    let evidence = repeated(&report, 10_000);
    c.bench_function("rules on 10,000 observations", |b| b.iter(|| diagnosis::judge(&evidence)));
}

/// The evidence of a report, its paths repeated under other ids until there are `count` observations.
fn repeated(report: &Report, count: usize) -> Evidence {
    let mut evidence = Evidence {
        settings: report.settings.clone(),
        facts: report.facts.clone(),
        paths: Vec::new(),
        observations: Vec::new(),
    };
    let mut round = 0;
    while evidence.observations.len() < count {
        for path in &report.paths {
            let mut path = path.clone();
            path.id = format!("{}r{round}", path.id);
            evidence.paths.push(path);
        }
        for observation in &report.observations {
            let mut observation = observation.clone();
            observation.path = format!("{}r{round}", observation.path);
            observation.id = format!("o{}", evidence.observations.len() + 1);
            evidence.observations.push(observation);
        }
        round += 1;
    }
    evidence
}

fn log_of_a_hundred_megabytes(c: &mut Criterion) {
    const SIZE: u64 = 100_000_000;
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let quiet =
        "2026-06-15 03:00:13.949 UTC\tInfo\tWsusService.49\tThreadEntry\tThreadHelper.ThreadStart\r\n";
    let fails = "2026-06-15 03:00:14.001 UTC\tError\tWsusService.25\t\
        WebServiceCommunicationHelper.ProcessWebServiceProxyException\tProcessWebServiceProxyException found \
        Exception was WebException. Action: Retry. Exception Details: System.Net.WebException: Unable to connect to the \
        remote server\r\n   at System.Net.HttpWebRequest.GetRequestStream()\r\n";
    let mut block = quiet.repeat(500);
    block.push_str(fails);
    let mut written = 0;
    while written < SIZE {
        file.write_all(block.as_bytes()).expect("room for the log");
        written += block.len() as u64;
    }
    let name = file.path().to_string_lossy().into_owned();
    let mut group = c.benchmark_group("log");
    group.throughput(Throughput::Bytes(written)).sample_size(10).measurement_time(Duration::from_secs(8));
    group.bench_function("100 MB", |b| b.iter(|| facts::read(&[Input::file(name.clone())])));
    group.finish();
}

/// A support folder: logs, configurations, and much that is nothing known.
fn folder_of_two_thousand_files(c: &mut Criterion) {
    const FILES: usize = 2000;
    let folder = tempfile::tempdir().expect("a folder");
    let log =
        "2026-06-15 03:00:13.949 UTC\tError\tWsusService.49\tA.B\tSystem.Net.WebException: x\r\n".repeat(400);
    let answers = format!(
        "#Software: Microsoft Internet Information Services 10.0\r\n#Fields: date time cs-uri-stem sc-status\r\n{}",
        "2026-06-15 03:00:13 /ClientWebService/client.asmx 200\r\n".repeat(400)
    );
    let noise: Vec<u8> = (0..30_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    for number in 0..FILES {
        let inner = folder.path().join(format!("{}", number % 40));
        std::fs::create_dir_all(&inner).expect("a folder");
        let content: &[u8] = match number % 4 {
            0 => log.as_bytes(),
            1 => answers.as_bytes(),
            2 => b"SyncFromMicrosoftUpdate : True\r\nUseProxy : False\r\n",
            _ => &noise,
        };
        std::fs::write(inner.join(format!("{number}.txt")), content).expect("room for a file");
    }
    c.bench_function("folder of 2000 files", |b| {
        b.iter(|| {
            let ran = Command::new(PROGRAM)
                .args(["diagnose", "--no-network", "--trust", "none", "-q"])
                .arg(folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            assert!(ran.is_ok());
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(4));
    targets = start_of_the_program, a_code_explained, world_started, healthy_diagnosis, rules_on_ten_thousand_observations,
        log_of_a_hundred_megabytes, folder_of_two_thousand_files
}
criterion_main!(benches);
