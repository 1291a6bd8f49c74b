//! Failures that are none of the way to the source: the import's, the database's, Configuration Manager's.

use super::super::{Given, Seen, With, note};
use super::{when, word};
use crate::facts::{ElsewherePart, Fact, LastRun, LoggedFailure, Order, Phase, Statement, Times};

pub(super) fn give(seen: &Seen, given: &mut Given) {
    import_only(seen, given);
    database(seen, given);
    configmgr_database(seen, given);
}

/// Failures of the import or the console alone: w3wp logged them, and the service's own runs succeed.
fn import_only(seen: &Seen, given: &mut Given) {
    let mut import: Option<(&Fact, &LoggedFailure, u64)> = None;
    for fact in seen.facts.all() {
        let Statement::LogFailure { process, failure, phase, count, .. } = &fact.statement else { continue };
        if process == "w3wp" || *phase == Some(Phase::Import) {
            import = import.or(Some((fact, failure, *count)));
        } else if *phase != Some(Phase::Content) && !seen.succeeded_after(fact) {
            // The service fails too, or a text does not say who logged it.
            return;
        }
    }
    let (Some((fact, failure, count)), LastRun::One(run)) = (import, seen.facts.last_run()) else {
        return;
    };
    if !run.succeeded {
        return;
    }
    let times = if count > 1 { format!(", {count} times") } else { String::new() };
    let says = format!(
        "{} tells of {} in the import or the console{times} (w3wp), and the service's own synchronization succeeds ({}{}): what \
         fails is none of its way.",
        fact.source.file,
        word(failure),
        run.fact.source.file,
        when(run.fact)
    );
    let because = vec![fact.id.clone(), run.fact.id.clone()];
    given.add(note("history/import-only", &fact.source.file, says, because));
}

/// The database was lost, or answers too late: a log, an event or a run's own error says so, and no success followed.
fn database(seen: &Seen, given: &mut Given) {
    let times = Times::new(seen.facts.all());
    let followed = |fact: &Fact| {
        seen.facts.runs().any(|run| run.succeeded && times.order(run.fact, fact) == Order::After)
    };
    // The last of a file stands for all that it tells.
    let mut last: Vec<(&Fact, String)> = Vec::new();
    for fact in seen.facts.all() {
        let Some(what) = lost_database(fact).filter(|_| !followed(fact)) else { continue };
        match last.iter_mut().find(|(known, _)| known.source.file == fact.source.file) {
            Some(known) if times.order(known.0, fact) != Order::After => *known = (fact, what),
            Some(_) => {}
            None => last.push((fact, what)),
        }
    }
    for (fact, what) in last {
        let says = format!(
            "{} tells of a database that was lost or answered too late{}: {what}. That is this server's own, and none of the \
             way to its source.",
            fact.source.file,
            when(fact)
        );
        given.add(note("history/database", &fact.source.file, says, vec![fact.id.clone()]));
    }
}

/// What a fact tells of a database that was lost, or that answers too late; nothing where it tells of none.
pub(super) fn lost_database(fact: &Fact) -> Option<String> {
    Some(match &fact.statement {
        Statement::Elsewhere { part: ElsewherePart::Database, excerpt } => {
            format!("\"{}\"", excerpt.chars().take(160).collect::<String>())
        }
        Statement::Event { provider, event: event @ (421 | 11002), .. }
            if provider.eq_ignore_ascii_case("Windows Server Update Services") =>
        {
            format!("event {event}")
        }
        Statement::Event { provider, event: event @ (17207 | 18456), .. }
            if provider.to_ascii_uppercase().starts_with("MSSQL") =>
        {
            format!("event {event} of {provider}")
        }
        Statement::SyncRun { error, text, .. } if error.starts_with("LocalDB") => {
            format!("{error} ({})", text.chars().take(160).collect::<String>())
        }
        _ => return None,
    })
}

/// Configuration Manager's own database rejects what WSUS delivered.
fn configmgr_database(seen: &Seen, given: &mut Given) {
    const REJECTS: [&str; 5] =
        ["Violation of", "CI_Files", "CI_DocumentStore", "CCISource", "Failed to save update"];
    for fact in seen.facts.all() {
        let Statement::Elsewhere { part: ElsewherePart::ConfigurationManager, excerpt } = &fact.statement
        else {
            continue;
        };
        if !REJECTS.iter().any(|text| excerpt.contains(text)) {
            continue;
        }
        let shown: String = excerpt.chars().take(160).collect();
        let says = format!(
            "{} tells of Configuration Manager's own database, which rejects an update that WSUS has delivered (\"{shown}\"): \
             WSUS is not at fault there.",
            fact.source.file
        );
        let found = note("history/configmgr-database", &fact.source.file, says, vec![fact.id.clone()]);
        // A text of the database names its constraint; what merely could not be saved says less.
        let plain = excerpt.contains("Violation of") || excerpt.contains("CI_");
        given.add(if plain { found } else { found.likely() });
    }
}
