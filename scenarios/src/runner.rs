//! Puts a world and the probe together.

use serde_json::Value;

use crate::load::Scenario;
use crate::schema::Expect;

/// Why a scenario was not run, or what came out otherwise than written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The probe's library is not wired to the lab.
    #[error(
        "{0}: the probe is not wired to the lab yet; `wsuslab up` brings the world up to be probed by hand"
    )]
    NotWired(String),
}

/// Brings a scenario's world up, runs the probe in it and compares what comes out.
///
/// # Errors
/// Always, for now: nothing is run.
pub fn run(scenario: &Scenario) -> Result<(), RunError> {
    Err(RunError::NotWired(scenario.name.clone()))
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
    wrong
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
