//! Puts a world and the probe together, and compares what comes out with what was written.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use wsusprobe::cli::target::{server, target};
use wsusprobe::diagnosis;
use wsusprobe::evidence::Evidence;
use wsusprobe::facts::Input;
use wsusprobe::report::Report;
use wsusprobe::run::{self, Silent};
use wsusprobe::settings::layers::Given;
use wsusprobe::settings::{Secret, Settings};
use wsusprobe::trust::TrustStore;

use crate::load::Scenario;
use crate::schema::{Ask, Count, Expect, ExpectTls, World};
use crate::witness;
use crate::world::{Running, UpError};

/// Why a scenario gave no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The world did not come up.
    #[error(transparent)]
    Up(#[from] UpError),
    /// The folder cannot be used.
    #[error("the scenario's folder: {0}")]
    Folder(#[from] std::io::Error),
    /// The probe did not take what a user would have written.
    #[error("the probe refuses: {0}")]
    Refused(String),
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// The report.
    pub report: Report,
    /// In what it differs from what was written; empty where it does not.
    pub problems: Vec<String>,
    /// What varied.
    pub seed: u64,
}

/// Brings a scenario's world up and runs the probe's library in it.
///
/// # Errors
/// There was no report at all.
pub async fn run(scenario: &Scenario) -> Result<Ran, RunError> {
    let folder = tempfile::tempdir()?;
    let running = World::up(scenario, folder.path())?;
    let report = by_library(scenario, &running).await?;
    Ok(ran(scenario, &running, report))
}

/// Brings a scenario's world up and runs a built program in it.
///
/// # Errors
/// There was no report at all.
pub async fn run_program(scenario: &Scenario, program: &Path) -> Result<Ran, RunError> {
    let folder = tempfile::tempdir()?;
    let running = World::up(scenario, folder.path())?;
    let mut command = tokio::process::Command::new(program);
    if let Some(password) = &scenario.world.proxy_password {
        command.env("WSUSPROBE_PROXY_PASSWORD", password);
    }
    let ended = command
        .args(&running.args)
        .args(["-o", "json", "-q"])
        .current_dir(&running.dir)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&ended.stdout);
    let report = wsusprobe::report::json::read(&text).map_err(|error| {
        RunError::Refused(format!("{error}; {}", String::from_utf8_lossy(&ended.stderr).trim()))
    })?;
    let mut ran = ran(scenario, &running, report);
    let unreadable = ran.report.findings.iter().any(|f| f.id == "input/unreadable");
    let code = ran.report.verdict.exit_code().max(u8::from(unreadable));
    if ended.status.code() != Some(code.into()) {
        ran.problems.push(format!("the program exits with {:?}, not {code}", ended.status.code()));
    }
    Ok(ran)
}

/// Gives a report back, as saved, to be judged again: in what the answer differs.
pub fn replay(report: &Report) -> Vec<String> {
    let saved = wsusprobe::report::json::render(report);
    let again = match wsusprobe::report::json::read(&saved) {
        Ok(again) => again,
        Err(error) => return vec![format!("the saved report cannot be read: {error}")],
    };
    let Report { settings, facts, paths, observations, .. } = again;
    let evidence = Evidence { settings, facts, paths, observations };
    let judged = Report::new(diagnosis::judge(&evidence), evidence);
    if judged == *report { Vec::new() } else { vec!["replayed, the report is another".to_owned()] }
}

async fn by_library(scenario: &Scenario, running: &Running) -> Result<Report, RunError> {
    let refused = |error: &dyn std::fmt::Display| RunError::Refused(error.to_string());
    let given = Given::from_toml(&running.settings_text, &running.dir).map_err(|e| refused(&e))?;
    let mut settings = given.settings();
    if let Some(until) = &scenario.world.until {
        settings.until = wsusprobe::evidence::Layer::of_id(until);
    }
    give_password(&mut settings, scenario.world.proxy_password.as_deref());
    let store = TrustStore::load(&settings).map_err(|e| refused(&e))?;
    // As whoever stands in the folder names its files.
    let folder = format!("{}/", running.dir.display());
    for file in &mut settings.cacert {
        *file = file.replace(&folder, "");
    }
    for anchor in &mut settings.anchor {
        anchor.file = anchor.file.replace(&folder, "");
    }
    let world = &scenario.world;
    let report = match world.asks() {
        Ask::Check => {
            let targets: Result<Vec<_>, _> = world.check.iter().map(|url| target(url)).collect();
            run::check(&settings, &store, &targets.map_err(|e| refused(&e))?, &Silent).await
        }
        Ask::Tls => {
            let asked = world.check.first().map(String::as_str).unwrap_or_default();
            let files: Vec<_> = world.policy.iter().map(|name| running.dir.join(name)).collect();
            let target = server(asked).map_err(|e| refused(&e))?;
            run::tls(&settings, &store, &target, &files, &Silent).await
        }
        _ => {
            let flags = usize::from(world.until.is_some()) * 2 + world.args.len();
            let inputs: Result<Vec<Input>, std::io::Error> = running.args[1 + flags..]
                .iter()
                .map(|name| Ok(Input::bytes(name.clone(), std::fs::read(running.dir.join(name))?)))
                .collect();
            match world.asks() {
                Ask::Verify => run::verify_inputs(&settings, &store, &inputs?, &Silent).await,
                _ => run::diagnose_inputs(&settings, &store, &inputs?, &Silent).await,
            }
        }
    };
    report.map_err(|e| refused(&e))
}

/// Gives the library's run what the built program takes from its environment, and no file may hold.
fn give_password(settings: &mut Settings, password: Option<&str>) {
    settings.proxy_password = password.map(|password| Secret::new(password.to_string()));
}

fn ran(scenario: &Scenario, running: &Running, report: Report) -> Ran {
    let value = serde_json::to_value(&report).unwrap_or_default();
    let mut wrong = problems(&scenario.expect, &value);
    wrong.extend(witness::problems(&scenario.expect.journal, &running.journal));
    Ran { report, problems: wrong, seed: running.seed }
}

/// Everything in which the probe's JSON report (schema 1) differs from what was expected; empty where it is as
/// expected. The journal is [`crate::witness`]'s business.
pub fn problems(expect: &Expect, report: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let verdict = report["verdict"].as_str().unwrap_or("nothing");
    if verdict != expect.verdict.word() {
        wrong.push(format!("the verdict is {verdict}, not {}", expect.verdict.word()));
    }
    let found = texts(report, "findings", "id");
    if found != expect.findings {
        wrong.push(format!("the findings are {found:?}, not {:?}", expect.findings));
    }
    let out = texts(report, "ruled_out", "layer");
    for layer in expect.ruled_out.iter().filter(|layer| !out.contains(layer)) {
        wrong.push(format!("{layer} is not ruled out; ruled out are {out:?}"));
    }
    let questions = texts(report, "unknown", "question");
    for part in &expect.unknown {
        if !questions.iter().any(|q| q.to_lowercase().contains(&part.to_lowercase())) {
            wrong.push(format!("nothing unknown asks for `{part}`; unknown are {questions:?}"));
        }
    }
    let told = texts(report, "timeline", "says");
    let as_told = told.len() == expect.timeline.len()
        && expect.timeline.iter().zip(&told).all(|(part, says)| says.contains(part.as_str()));
    if !expect.timeline.is_empty() && !as_told {
        wrong.push(format!("the time line is {told:?}, not {:?}", expect.timeline));
    }
    match (&expect.tls, report["tls"].get(0)) {
        (None, _) => {}
        (Some(_), None) => wrong.push("no server was asked what it speaks".to_owned()),
        (Some(expect), Some(spoken)) => speaks(expect, spoken, &mut wrong),
    }
    wrong
}

fn speaks(expect: &ExpectTls, spoken: &Value, wrong: &mut Vec<String>) {
    let versions = spoken["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let nothing = Vec::new();
    for version in versions {
        let name = version["version"].as_str().unwrap_or("");
        let wanted = expect.versions.get(name).unwrap_or(&nothing);
        let found = texts(version, "suites", "code");
        let order = version["order"].as_str();
        let same = if order == Some("server") { found == *wanted } else { sorted(&found) == sorted(wanted) };
        if !same {
            wrong.push(format!("{name} has {found:?}, not {wanted:?}"));
        }
        if expect.order.is_some() && found.len() > 1 && order != expect.order.as_deref() {
            wrong.push(format!("at {name} {order:?} decides, not {:?}", expect.order));
        }
    }
    let asked = |name: &String| versions.iter().any(|v| v["version"].as_str() == Some(name));
    for name in expect.versions.keys().filter(|name| !asked(name)) {
        wrong.push(format!("nothing is reported of {name}"));
    }
    let sets = [("groups", "name", &expect.groups), ("signatures", "code", &expect.signatures)];
    for (list, key, wanted) in sets {
        let found = texts(spoken, list, key);
        if let Some(wanted) = wanted.as_ref().filter(|wanted| sorted(wanted) != sorted(&found)) {
            wrong.push(format!("the {list} are {found:?}, not {wanted:?}"));
        }
    }
    let counts: [(&str, Option<Count>); 3] =
        [("handshakes", expect.handshakes), ("connections", expect.connections), ("rounds", expect.rounds)];
    for (key, count) in counts {
        let found = spoken[key].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
        if let Some(count) = count.filter(|count| !count.holds(found)) {
            wrong.push(format!("{found} {key}, not {count}"));
        }
    }
    let unfinished = spoken["unfinished"].as_str().unwrap_or("");
    if expect.unfinished.is_empty() != unfinished.is_empty() || !unfinished.contains(&expect.unfinished) {
        wrong.push(format!("unfinished for `{unfinished}`, not `{}`", expect.unfinished));
    }
}

fn sorted(list: &[String]) -> Vec<String> {
    let mut list = list.to_vec();
    list.sort();
    list
}

fn texts(report: &Value, list: &str, key: &str) -> Vec<String> {
    let items = report[list].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item[key].as_str().unwrap_or("").to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Verdict;

    fn report() -> Value {
        serde_json::json!({
            "schema": 1,
            "verdict": "faulty",
            "findings": [{ "id": "trust/expired" }, { "id": "wsus/replica-note" }],
            "ruled_out": [{ "layer": "name" }, { "layer": "tls" }],
            "unknown": [{ "question": "Does the server fetch AIA?" }],
        })
    }

    #[test]
    fn what_is_as_written_has_no_problems() {
        let expect = Expect {
            verdict: Verdict::Faulty,
            findings: vec!["trust/expired".to_owned(), "wsus/replica-note".to_owned()],
            ruled_out: vec!["tls".to_owned()],
            unknown: vec!["aia".to_owned()],
            ..Expect::default()
        };
        assert_eq!(problems(&expect, &report()), Vec::<String>::new());
    }

    #[test]
    fn what_a_server_speaks_is_held_to_what_was_written() {
        let suites =
            |codes: &[&str]| codes.iter().map(|code| serde_json::json!({ "code": code })).collect::<Value>();
        let spoken = |order: &str, codes: &[&str]| {
            serde_json::json!({
                "verdict": "healthy",
                "tls": [{
                    "versions": [
                        { "version": "TLS 1.3", "order": null, "suites": [] },
                        { "version": "TLS 1.2", "order": order, "suites": suites(codes) },
                    ],
                    "groups": [{ "name": "x25519" }],
                    "rounds": 7,
                    "unfinished": "",
                }],
            })
        };
        let tls = ExpectTls {
            versions: [("TLS 1.2".to_owned(), vec!["c030".to_owned(), "c02f".to_owned()])].into(),
            order: Some("server".to_owned()),
            groups: Some(vec!["x25519".to_owned()]),
            rounds: Some(Count { least: 0, most: 7 }),
            ..ExpectTls::default()
        };
        let expect = Expect { tls: Some(tls.clone()), ..Expect::default() };
        assert_eq!(problems(&expect, &spoken("server", &["c030", "c02f"])), Vec::<String>::new());
        // Another order, one suite more, another who decides, and nothing at all.
        assert_eq!(problems(&expect, &spoken("server", &["c02f", "c030"])).len(), 1);
        assert_eq!(problems(&expect, &spoken("server", &["c030", "c02f", "c028"])).len(), 1);
        assert_eq!(problems(&expect, &spoken("client", &["c02f", "c030"])).len(), 1);
        assert_eq!(problems(&expect, &serde_json::json!({ "verdict": "healthy" })).len(), 1);
        let tls = ExpectTls {
            versions: [("TLS 1.1".to_owned(), vec!["c014".to_owned()])].into(),
            groups: Some(Vec::new()),
            rounds: Some(Count { least: 8, most: 9 }),
            unfinished: "deadline".to_owned(),
            ..tls
        };
        let expect = Expect { tls: Some(tls), ..Expect::default() };
        assert_eq!(problems(&expect, &spoken("server", &["c030", "c02f"])).len(), 5);
    }

    #[test]
    fn order_counts_and_so_does_everything_else() {
        let expect = Expect {
            findings: vec!["wsus/replica-note".to_owned(), "trust/expired".to_owned()],
            ruled_out: vec!["dial".to_owned()],
            unknown: vec!["CRL".to_owned()],
            ..Expect::default()
        };
        assert_eq!(problems(&expect, &report()).len(), 4);
        assert_eq!(problems(&Expect::default(), &Value::Null).len(), 1);
    }
}
