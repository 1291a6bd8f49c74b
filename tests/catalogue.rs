//! The catalogue against the scenarios, both ways: every id has a world that gives it and a near one that does not, and
//! no scenario speaks of an id that the catalogue does not have.

use std::collections::{BTreeMap, BTreeSet};

use wsuslab::load::{self, Scenario};
use wsusprobe::pages;

/// What no rule explains is said by its own scenarios alone.
const UNEXPLAINED: &str = "unexplained";

fn scenarios() -> Vec<Scenario> {
    let all = load::all(&load::home()).expect("the lab's own folder");
    all.into_iter().map(|scenario| scenario.unwrap_or_else(|error| panic!("{error}"))).collect()
}

fn layer(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

/// The ids that a rule gives.
fn due() -> BTreeSet<&'static str> {
    pages::ids().filter(|entry| entry.due).map(|entry| entry.id).collect()
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

#[test]
fn every_id_has_a_fault_that_gives_it() {
    let all = scenarios();
    // A healthy world's own notes are no fault: the deviation is what must give it.
    let gives = |id: &str| all.iter().any(|s| s.base.is_some() && s.expect.findings.iter().any(|f| f == id));
    let wrong: Vec<String> = due().into_iter().filter(|id| !gives(id)).map(str::to_owned).collect();
    none(&wrong);
}

#[test]
fn every_id_has_a_near_miss() {
    let all = scenarios();
    let nears = |id: &str| all.iter().any(|s| s.near.as_deref() == Some(id));
    let wrong: Vec<String> = due().into_iter().filter(|id| !nears(id)).map(str::to_owned).collect();
    none(&wrong);
}

#[test]
fn every_id_of_a_scenario_is_in_the_catalogue_and_due() {
    let ids: BTreeMap<&str, bool> = pages::ids().map(|entry| (entry.id, entry.due)).collect();
    let mut wrong = Vec::new();
    for scenario in scenarios() {
        for id in scenario.expect.findings.iter().chain(&scenario.near) {
            match ids.get(id.as_str()) {
                None => wrong.push(format!("{}: {id} is not in the catalogue", scenario.name)),
                Some(false) if scenario.known_gap.is_none() => {
                    wrong.push(format!("{}: {id} is not due yet", scenario.name));
                }
                Some(_) => {}
            }
        }
    }
    none(&wrong);
}

#[test]
fn unexplained_stands_in_its_own_scenarios_alone() {
    let speaks = |s: &Scenario| s.expect.findings.iter().any(|f| f == UNEXPLAINED);
    let elsewhere = |s: &Scenario| layer(&s.name) != UNEXPLAINED;
    let wrong: Vec<String> =
        scenarios().into_iter().filter(|s| speaks(s) && elsewhere(s)).map(|s| s.name).collect();
    none(&wrong);
}

#[test]
fn what_is_due_has_no_known_gap() {
    let due = due();
    let mut wrong = Vec::new();
    for scenario in scenarios().into_iter().filter(|s| s.known_gap.is_some()) {
        let speaks =
            scenario.expect.findings.iter().chain(&scenario.near).any(|id| due.contains(id.as_str()));
        if speaks {
            wrong.push(scenario.name);
        }
    }
    none(&wrong);
}

#[test]
fn a_scenario_lies_in_the_layer_that_it_is_about() {
    let mut wrong = Vec::new();
    for scenario in scenarios().into_iter().filter(|s| s.base.is_some()) {
        let about = |id: &String| layer(id) == layer(&scenario.name);
        let silent = scenario.expect.findings.is_empty() && scenario.near.is_none();
        if !silent && !scenario.expect.findings.iter().chain(&scenario.near).any(about) {
            wrong.push(format!("{}: neither a finding nor the near miss is of that layer", scenario.name));
        }
    }
    none(&wrong);
}

#[test]
fn every_scenario_differs_from_its_world() {
    let all = scenarios();
    let same = |s: &Scenario| {
        let base = s.base.as_deref().and_then(|base| all.iter().find(|world| world.name == base));
        base.is_some_and(|world| format!("{:?}", world.world) == format!("{:?}", s.world))
    };
    let wrong: Vec<String> = all.iter().filter(|s| same(s)).map(|s| s.name.clone()).collect();
    none(&wrong);
}

#[test]
fn every_published_failure_has_a_scenario_or_a_reason() {
    let text = std::fs::read_to_string(load::home().join("COVERAGE.md")).expect("the table");
    let names: BTreeSet<String> = scenarios().into_iter().map(|scenario| scenario.name).collect();
    let (mut rows, mut wrong) = (BTreeSet::new(), Vec::new());
    for line in text.lines().filter(|line| line.starts_with("| C")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (case, answer) = (cells[1], cells[3]);
        let unknown = answer.split('`').skip(1).step_by(2).filter(|name| !names.contains(*name));
        wrong.extend(unknown.map(|name| format!("{case}: there is no scenario {name}")));
        if !answer.contains('`') && !answer.starts_with("Not: ") {
            wrong.push(format!("{case}: neither a scenario nor a reason"));
        }
        if !rows.insert(case.to_owned()) {
            wrong.push(format!("{case}: twice"));
        }
    }
    wrong.extend((1..=76).map(|n| format!("C{n:02}")).filter(|case| !rows.contains(case)));
    none(&wrong);
}
