//! Every scenario, three ways: through the library, replayed from its saved evidence, and through the built program.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use wsuslab::load::{self, Scenario};
use wsuslab::runner;

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_wsusprobe-under-test");

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let mut trials = Vec::new();
    for scenario in load::all(&load::home()).expect("the lab's own folder") {
        let scenario = match scenario {
            Ok(scenario) => Arc::new(scenario),
            Err(error) => {
                let says = error.to_string();
                trials.push(Trial::test("a scenario that cannot be read", move || Err(says.into())));
                continue;
            }
        };
        let (here, rt) = (scenario.clone(), runtime.clone());
        trials.push(Trial::test(format!("{} by the library", scenario.name), move || {
            judged(&here, || {
                let ran = rt.block_on(runner::run(&here)).map_err(|e| e.to_string())?;
                let mut problems = ran.problems;
                problems.extend(runner::replay(&ran.report));
                Ok((problems, ran.seed))
            })
        }));
        let (here, rt) = (scenario.clone(), runtime.clone());
        trials.push(Trial::test(format!("{} by the program", scenario.name), move || {
            judged(&here, || {
                let ran =
                    rt.block_on(runner::run_program(&here, PROGRAM.as_ref())).map_err(|e| e.to_string())?;
                Ok((ran.problems, ran.seed))
            })
        }));
    }
    // Silent worlds wait for the probe's own time-outs: side by side.
    let threads = arguments.test_threads.unwrap_or(24);
    libtest_mimic::run(&Arguments { test_threads: Some(threads), ..arguments }, trials).exit_code()
}

/// A known gap runs all the same, and fails on the day it passes.
fn judged(
    scenario: &Scenario,
    run: impl FnOnce() -> Result<(Vec<String>, u64), String>,
) -> Result<(), Failed> {
    let (problems, seed) = run().map_err(Failed::from)?;
    match (&scenario.known_gap, problems.is_empty()) {
        (None, true) | (Some(_), false) => Ok(()),
        (Some(why), true) => Err(format!("passes now: take `known_gap` out ({why})").into()),
        (None, false) => Err(format!("seed {seed}:\n  {}", problems.join("\n  ")).into()),
    }
}
