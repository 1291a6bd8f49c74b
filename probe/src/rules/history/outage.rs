//! The pattern of an outage at Microsoft: every local check passes, and what failed were time-outs alone.

use super::super::{Given, LaneEnd, Seen, With, note};
use super::when;
use crate::diagnosis::{Role, Severity};
use crate::evidence::{Broken, HttpAnswer, Layer, Outcome};
use crate::facts::{LastRun, LoggedFailure, Phase, Statement};
use crate::plan::is_microsoft_host;

/// Looks at everything that was found: whatever is wrong here, however little, is looked at first.
pub(crate) fn conclude(seen: &Seen, given: &mut Given) {
    let LastRun::One(last) = seen.facts.last_run() else { return };
    let worked_before = seen.facts.runs().any(|run| run.succeeded);
    if last.succeeded || !worked_before || seen.evidence.settings.since.is_some() {
        return;
    }
    let mut timeouts: Vec<String> = Vec::new();
    for fact in seen.facts.all() {
        let Statement::LogFailure { failure, process, phase, .. } = &fact.statement else { continue };
        if seen.succeeded_after(fact) || process == "w3wp" || *phase == Some(Phase::Content) {
            continue;
        }
        if *failure != LoggedFailure::Timeout {
            return;
        }
        timeouts.push(fact.id.clone());
    }
    let local = |found: &&crate::diagnosis::Finding| {
        found.id != "http/timeout"
            && (found.role != Role::Note
                || (found.severity <= Severity::Warning && found.layer() < Layer::History))
    };
    if timeouts.is_empty()
        || given.findings.iter().any(|found| local(&found))
        || !crate::timeline::between(&seen.facts).is_empty()
    {
        return;
    }
    let mut needed = 0;
    let mut silent: Vec<String> = Vec::new();
    for path in seen.needed() {
        needed += 1;
        if !is_microsoft_host(&path.info.target.host) || path.lanes.is_empty() {
            return;
        }
        for lane in &path.lanes {
            match lane.end {
                LaneEnd::Works => {}
                LaneEnd::Failed(observation) if is_silence(&observation.outcome) => {
                    silent.push(observation.id.clone());
                }
                _ => return,
            }
        }
    }
    let Some(subject) = seen.needed().next().filter(|_| needed > 0).map(|path| path.subject()) else {
        return;
    };
    let now = if silent.is_empty() {
        "the service answers now"
    } else {
        "the service itself does not answer now either"
    };
    let says = format!(
        "The last synchronization failed{} by time-outs alone, an earlier one succeeded, and nothing is known to have changed here \
         between. Name, connection, proxy, TLS and certificates are in order, and {now}: so it looks where Microsoft's own \
         service has an outage.",
        when(last.fact)
    );
    let mut because = vec![last.fact.id.clone()];
    because.extend(timeouts);
    let still = !silent.is_empty();
    because.extend(silent);
    let found = note("history/microsoft-side", &subject, says, because);
    given.add(if still { found.likely() } else { found.possible() });
    given.open(
        "Do other sites meet it too?",
        "One server alone cannot tell an outage from a slow way.".into(),
        "look at Windows release health, and synchronize a server of another network; then start a synchronization by hand",
        vec![last.fact.id.clone()],
    );
}

/// Whether a request was sent and nothing came back.
fn is_silence(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Http { answer: HttpAnswer::Broken { how: Broken::Timeout }, .. })
}
