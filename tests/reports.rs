//! Three whole reports as an administrator reads them: the first screen holds the verdict, the cause, where to run the
//! repair and where never.

use insta::Settings;
use wsuslab::load;
use wsuslab::runner;

/// Lines of a console window.
const SCREEN: usize = 24;

/// Runs a scenario and gives its report as text.
fn report(name: &str) -> String {
    let mut scenario = load::by_name(&load::home(), name).expect("a fault of the lab");
    scenario.world.seed = Some(1);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ran = runtime.block_on(runner::run(&scenario)).expect("a report");
    assert_eq!(ran.problems, Vec::<String>::new(), "{name}, seed {}", ran.seed);
    wsusprobe::report::text::render(&ran.report, Default::default())
}

/// What varies and does not matter: loopback ports, durations, folders, the numbers of observations made side by side,
/// the order and case of headers.
fn settled(check: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
    settings.add_filter(r"(<1|\d+(\.\d+)?) ms( to \d+ ms)?", "TIME");
    settings.add_filter(r"\bo\d+\b", "oN");
    settings.add_filter(r"(?s)\nSettings of this run:.*?\n\n", "\n[settings]\n\n");
    settings.add_filter(r"(?m)^ +(< |first bytes:).*\n(?:^ {17}.*\n)*", "");
    settings.bind(check);
}

/// Words of a report without what its run chose: ports of loopback, and times.
fn words(text: &str) -> Vec<String> {
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").expect("fixed pattern");
    let time = regex::Regex::new(r"(<1|\d+)\s+ms").expect("fixed pattern");
    let text = time.replace_all(text, "TIME");
    port.replace_all(&text, "127.0.0.1:PORT").split_whitespace().map(str::to_string).collect()
}

#[test]
fn the_sample_that_is_shown_first_is_what_comes_out() {
    let readme = include_str!("../README.md");
    let sample =
        readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a sample");
    // Its first line is the scenario's.
    let (_, sample) = sample.split_once("\n\n").expect("a report below it");
    assert_eq!(words(sample), words(&report("proxy/auth-required")));
}

fn first_screen_holds(text: &str, parts: &[&str]) {
    let screen: Vec<&str> = text.lines().take(SCREEN).collect();
    let screen = screen.join("\n");
    for part in parts {
        assert!(screen.contains(part), "{part:?} is not on the first screen:\n{text}");
    }
}

#[test]
fn a_proxy_that_demands_credentials() {
    let text = report("proxy/auth-required");
    first_screen_holds(&text, &["Verdict: faulty", "CAUSE  proxy/auth-required", "407", "Repair", "Never"]);
    settled(|| insta::assert_snapshot!("auth-required", text));
}

#[test]
fn a_server_2012_r2_without_its_rollup() {
    let text = report("tls/sync-fix-missing");
    first_screen_holds(
        &text,
        &["Verdict: faulty", "CAUSE  tls/sync-fix-missing", "2012 R2", "Repair", "Never"],
    );
    settled(|| insta::assert_snapshot!("sync-fix-missing", text));
}

#[test]
fn the_wrong_port() {
    let text = report("wsus/port-mismatch");
    first_screen_holds(&text, &["Verdict: faulty", "CAUSE  wsus/port-mismatch", "8530", "Repair", "Never"]);
    settled(|| insta::assert_snapshot!("port-mismatch", text));
}
