//! The paths, in the order that packets take, and what was asked beside them.

use super::layout::{BOLD, DIM, Out, PLAIN};
use crate::describe::{self, Mark, clean};
use crate::diagnosis::Verdict;
use crate::evidence::{HandshakeAnswer, HttpAnswer, Layer, Observation, Outcome, PathInfo, SoapAnswer};
use crate::report::Report;

pub(super) fn paths(out: &mut Out, report: &Report) {
    if report.paths.is_empty() {
        return;
    }
    let brief = report.verdict == Verdict::Healthy && out.options.verbose == 0;
    let (needed, asked): (Vec<_>, Vec<_>) = report.paths.iter().partition(|path| path.needed);
    if !needed.is_empty() {
        out.heading("PATHS, in the order that packets take");
    }
    for path in needed {
        if brief {
            let own = own(report, path);
            let us = own.iter().map(|o| o.took_us).sum();
            let mark = if own.iter().any(|o| mark(report, o) == Mark::Bad) { Mark::Idle } else { Mark::Ok };
            out.mark(
                mark,
                &format!(
                    "{} ({}): {} steps, {}",
                    describe::path(path),
                    describe::role(path.role),
                    own.len(),
                    describe::took(us)
                ),
            );
        } else {
            one_path(out, report, path);
        }
    }
    if asked.is_empty() {
        return;
    }
    if out.options.verbose > 0 {
        for path in asked {
            one_path(out, report, path);
        }
    } else if !brief {
        out.heading("ALSO ASKED (nothing of this is needed)");
        for path in asked {
            beside(out, report, path);
        }
    }
}

/// The path's own steps: no differentials.
pub(super) fn own<'a>(report: &'a Report, path: &PathInfo) -> Vec<&'a Observation> {
    report.observations.iter().filter(|o| o.path == path.id && o.question.is_none()).collect()
}

/// The mark of an observation within its report: an HTTP answer that holds SOAP is judged by the SOAP in it.
pub(super) fn mark(report: &Report, observation: &Observation) -> Mark {
    let soap = |o: &&Observation| o.path == observation.path && o.lane == observation.lane;
    let mut fault = report.observations.iter().filter(soap).filter_map(|o| match &o.outcome {
        Outcome::Soap { answer, .. } => Some(answer),
        _ => None,
    });
    match &observation.outcome {
        Outcome::Http { answer: HttpAnswer::Response { status: 500, complete: true, .. }, .. }
            if fault.any(|answer| matches!(answer, SoapAnswer::Fault { .. })) =>
        {
            Mark::Ok
        }
        // A session that our own client did not complete is no fault of the server.
        Outcome::Handshake { answer, .. }
            if !matches!(answer, HandshakeAnswer::Done { .. }) && report.observations.iter().any(|o| {
                o.path == observation.path
                    && o.lane == observation.lane
                    && matches!(&o.outcome, Outcome::NotReached { because, .. } if because == "own client")
            }) =>
        {
            Mark::Open
        }
        _ => describe::mark(observation),
    }
}

fn one_path(out: &mut Out, report: &Report, path: &PathInfo) {
    let head = format!("{}  {} ({})", clean(&path.id), describe::path(path), describe::role(path.role));
    out.line(BOLD, &head);
    let mut layers: Vec<Layer> =
        report.observations.iter().filter(|o| o.path == path.id).map(|o| o.layer).collect();
    layers.sort();
    layers.dedup();
    layers.retain(|&layer| report.settings.reports_on(layer));
    let own = own(report, path);
    for layer in layers {
        let mut rows: Vec<(Mark, String, Vec<&Observation>)> = Vec::new();
        for observation in own.iter().copied().filter(|o| o.layer == layer) {
            let (mark, says) = (mark(report, observation), describe::outcome(&observation.outcome));
            match rows.iter_mut().find(|row| row.0 == mark && row.1 == says) {
                Some(row) => row.2.push(observation),
                None => rows.push((mark, says, vec![observation])),
            }
        }
        for (n, (mark, says, observations)) in rows.iter().enumerate() {
            let word = if n == 0 { layer.word() } else { "" };
            let mut lanes: Vec<String> =
                observations.iter().filter_map(|o| o.lane.as_deref().map(clean)).collect();
            lanes.dedup();
            let lane = if lanes.is_empty() { String::new() } else { format!("{}  ", lanes.join(", ")) };
            // A step that was not taken took no time.
            let taken =
                !matches!(observations[0].outcome, Outcome::NotReached { .. } | Outcome::NotAsked { .. });
            let took = if taken { format!("  {}", duration(observations)) } else { String::new() };
            out.row(*mark, &format!("{word:<8} "), &format!("{lane}{says}{took}"));
            let failed = *mark == Mark::Bad;
            for observation in observations.iter().take(if failed { 1 } else { 0 }) {
                for line in describe::evidence(observation) {
                    out.prose(DIM, "                 ", &line);
                }
            }
            if out.options.verbose > 0
                && let Some(library) = describe::library(observations[0])
            {
                out.prose(DIM, "                 ", &library);
            }
            if out.options.verbose > 1 {
                let skip = usize::from(failed);
                for raw in observations.iter().skip(skip).filter_map(|o| describe::raw(o)) {
                    out.prose(DIM, "                 ", &raw);
                }
            }
        }
        if out.options.verbose > 0 {
            questions(out, report, path, layer);
        }
    }
}

/// The differentials of a layer: questions, and no failures.
fn questions(out: &mut Out, report: &Report, path: &PathInfo, layer: Layer) {
    let asked = report.observations.iter().filter(|o| o.path == path.id && o.layer == layer);
    for observation in asked {
        let Some(question) = &observation.question else { continue };
        let lane = observation.lane.iter().map(|lane| format!("{}  ", clean(lane))).collect::<String>();
        let text = format!(
            "{lane}{}: {}  {}",
            clean(question),
            describe::outcome(&observation.outcome),
            describe::took(observation.took_us)
        );
        out.prose(PLAIN, "               ? ", &text);
        if out.options.verbose > 1 {
            for line in describe::evidence(observation) {
                out.prose(DIM, "                 ", &line);
            }
        }
    }
}

fn beside(out: &mut Out, report: &Report, path: &PathInfo) {
    let mut own = own(report, path);
    if own.is_empty() {
        // Asked of a path that is walked no further.
        own = report.observations.iter().filter(|o| o.path == path.id).collect();
    }
    let failed = own.iter().find(|o| mark(report, o) == Mark::Bad);
    let open = own.iter().rev().find(|o| mark(report, o) == Mark::Open);
    let last = own.iter().rev().find(|o| mark(report, o) == Mark::Ok);
    let (sign, step) = match (failed, last) {
        // Where one lane fails and another comes to the end, the end counts.
        (Some(failed), Some(last)) if last.layer > failed.layer => (Mark::Ok, Some(last)),
        (Some(failed), _) => (Mark::Idle, Some(failed)),
        (None, Some(last)) if open.is_some_and(|open| open.layer >= last.layer) => (Mark::Open, open),
        (None, Some(last)) => (Mark::Ok, Some(last)),
        (None, None) => (Mark::Idle, own.last()),
    };
    let says = step.map_or_else(
        || "not walked".to_string(),
        |o| format!("{}: {}", o.layer.word(), describe::outcome(&o.outcome)),
    );
    out.mark(sign, &format!("{} ({})  {says}", describe::path(path), describe::role(path.role)));
}

fn duration(observations: &[&Observation]) -> String {
    let least = observations.iter().map(|o| o.took_us).min().unwrap_or_default();
    let most = observations.iter().map(|o| o.took_us).max().unwrap_or_default();
    let (least, most) = (describe::took(least), describe::took(most));
    if least == most { least } else { format!("{least} to {most}") }
}
