//! What a world's servers must have seen.

use mockups::journal::{Journal, Outcome};

use crate::schema::ExpectJournal;

/// Everything in which the journal differs from what was expected; empty where it is as expected.
pub fn problems(expect: &ExpectJournal, journal: &Journal) -> Vec<String> {
    let mut wrong = Vec::new();
    for (listener, count) in &expect.connections {
        let seen = journal.connections(listener);
        if !count.holds(seen) {
            wrong.push(format!("{listener} took {seen} connections, not {count}"));
        }
    }
    for (outcome, count) in [(Outcome::Accepted, expect.accepted), (Outcome::Refused, expect.refused)] {
        let seen = journal.authentications(outcome);
        if let Some(count) = count.filter(|count| !count.holds(seen.len())) {
            wrong.push(format!("{outcome:?} were {seen:?}, not {count}"));
        }
    }
    let lists = [
        ("request", journal.requests(), &expect.requests, &expect.no_requests),
        ("tunnel", journal.tunnels(), &expect.tunnels, &expect.no_tunnels),
        ("query", journal.queries(), &expect.queries, &expect.no_queries),
    ];
    for (what, seen, wanted, unwanted) in lists {
        let has = |part: &String| seen.iter().any(|line| line.to_lowercase().contains(&part.to_lowercase()));
        wrong.extend(
            wanted.iter().filter(|w| !has(w)).map(|w| format!("no {what} was `{w}`; seen: {seen:?}")),
        );
        wrong.extend(
            unwanted.iter().filter(|w| has(w)).map(|w| format!("a {what} was `{w}`; seen: {seen:?}")),
        );
    }
    wrong
}
