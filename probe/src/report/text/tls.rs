//! What servers speak, for people at a console.

use super::layout::{BOLD, DIM, Out, PLAIN, YELLOW};
use crate::describe::{Mark, clean, took};
use crate::evidence::{SpokenPlan, SuiteOrder};
use crate::report::Report;
use crate::report::tls::{TlsClient, TlsMeeting, TlsServer, TlsVersion};
use crate::schannel::UPDATED;

/// Everything that was found of every server.
pub(super) fn servers(out: &mut Out, report: &Report) {
    for server in &report.tls {
        let through = match server.proxy.as_str() {
            "" => String::new(),
            proxy => format!(" as met through {}", clean(proxy)),
        };
        out.heading(&format!("TLS of {}{through}", clean(&server.target)));
        clients(out, server);
        for version in server.versions.iter().rev() {
            one_version(out, version, server.unfinished.is_empty());
        }
        named(out, "Groups", server.groups.iter().map(|group| (&group.name, &group.versions)));
        named(out, "Signatures", server.signatures.iter().map(|s| (&s.name, &s.versions)));
        if !server.alpn.is_empty() {
            out.prose(BOLD, "  ALPN        ", &clean(&server.alpn.join(", ")));
        }
        asked(out, server);
    }
}

fn one_version(out: &mut Out, version: &TlsVersion, whole: bool) {
    let count = version.suites.len();
    if count == 0 {
        let refusal = if version.refusal.is_empty() { "refused" } else { &version.refusal };
        let found = if whole { "not spoken" } else { "nothing found" };
        out.line(PLAIN, &format!("  {}     {found} ({})", version.version, clean(refusal)));
        return;
    }
    let who = match version.order {
        Some(SuiteOrder::Server) => ", the server decides, in this order",
        Some(SuiteOrder::Client) => ", the client decides",
        None => "",
    };
    let suites = if count == 1 { "1 suite".to_string() } else { format!("{count} suites") };
    out.line(BOLD, &format!("  {}     {suites}{who}", version.version));
    for suite in &version.suites {
        out.line(PLAIN, &format!("    {}  {:<50} {}", suite.code, suite.name, suite.openssl));
    }
}

/// Names under a label, those that are taken at the same versions together.
fn named<'a>(out: &mut Out, label: &str, names: impl Iterator<Item = (&'a String, &'a Vec<String>)>) {
    let mut groups: Vec<(&[String], Vec<&str>)> = Vec::new();
    for (name, versions) in names {
        match groups.iter_mut().find(|(known, _)| *known == versions.as_slice()) {
            Some((_, list)) => list.push(name),
            None => groups.push((versions, vec![name])),
        }
    }
    for (n, (versions, list)) in groups.iter().enumerate() {
        let label = if n == 0 { label } else { "" };
        let mut versions = versions.to_vec();
        versions.sort();
        let says = format!("{} ({})", list.join(", "), versions.join(" and "));
        out.prose(BOLD, &format!("  {label:<12}"), &clean(&says));
    }
}

/// Which Windows Servers connect, and which do not.
fn clients(out: &mut Out, server: &TlsServer) {
    let (own, defaults): (Vec<&TlsClient>, Vec<&TlsClient>) =
        server.clients.iter().partition(|client| client.own);
    if !own.is_empty() {
        let what = if own[0].assumed {
            "taken for the server that is asked about: its Windows is not known"
        } else {
            "as it was asked about"
        };
        out.line(BOLD, &format!("  {}, {what}", clean(&own[0].name)));
        for client in &own {
            one_client(out, &client.caller, client);
        }
        let settings = unique(own.iter().flat_map(|client| &client.settings));
        for (n, setting) in settings.into_iter().enumerate() {
            out.prose(DIM, if n == 0 { "      set there: " } else { "                 " }, &clean(setting));
        }
        for (n, note) in unique(own.iter().flat_map(|client| &client.inferred)).into_iter().enumerate() {
            out.prose(DIM, if n == 0 { "      inferred:  " } else { "                 " }, &clean(note));
        }
    }
    if !defaults.is_empty() {
        out.line(BOLD, "  Windows Servers by default, each synchronization's very hello tried on the wire");
        for client in defaults {
            one_client(out, &client.name, client);
        }
    }
    if server.clients.iter().any(|client| client.differs) {
        out.prose(
            PLAIN,
            "      ",
            "Where the two differ the server may go by more than the lists, or several servers answer here.",
        );
    }
}

fn unique<'a>(list: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut found: Vec<&String> = Vec::new();
    for item in list {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

fn one_client(out: &mut Out, label: &str, client: &TlsClient) {
    let column = format!("{label:<24}");
    let update =
        if client.inferred.iter().any(|note| note == UPDATED) && label != "content" && label != "import" {
            "; with its update for TLS 1.2"
        } else {
            ""
        };
    let mark = |meeting: &TlsMeeting| if meeting.connects { Mark::Ok } else { Mark::Bad };
    match (&client.tried, &client.computed) {
        (Some(tried), Some(computed)) if client.differs => {
            out.row(mark(tried), &column, &format!("tried: {}", meeting(tried, update)));
            out.row(Mark::Open, &format!("{:<24}", ""), &format!("by the lists: {}", meeting(computed, "")));
        }
        // Both say the same; why not is told by the lists.
        (Some(tried), Some(computed)) if !tried.connects => {
            out.row(Mark::Bad, &column, &meeting(computed, ""))
        }
        (Some(tried), _) => out.row(mark(tried), &column, &meeting(tried, update)),
        (None, Some(computed)) => out.row(mark(computed), &column, &meeting(computed, "")),
        (None, None) => out.row(Mark::Open, &column, "not tried, and the lists have gaps"),
    }
}

fn meeting(meeting: &TlsMeeting, update: &str) -> String {
    let Some(suite) = &meeting.suite else { return clean(&meeting.why_not) };
    let mut says = format!("{} {}", meeting.version.as_deref().unwrap_or_default(), suite.name);
    for part in [&meeting.group, &meeting.signature].into_iter().flatten() {
        says.push_str(&format!(", {part}"));
    }
    if meeting.cbc_only {
        says.push_str("; nothing but CBC in common");
    }
    if meeting.connects {
        says.push_str(update);
    }
    clean(&says)
}

fn asked(out: &mut Out, server: &TlsServer) {
    let plan = match server.plan {
        SpokenPlan::Near => "few handshakes, since it is near",
        SpokenPlan::Far => "few rounds, since it is far",
        SpokenPlan::Polite => "one connection at a time",
    };
    let says = format!(
        "{} hellos over {} connections in {} rounds: {plan} (a connection takes {}). {} more hellos beside it: {} connections in all.",
        server.handshakes,
        server.connections,
        server.rounds,
        took(server.round_trip_us),
        server.beside,
        server.connections + server.beside
    );
    out.prose(BOLD, "  Asked with  ", &says);
    for odd in &server.odd {
        out.prose(YELLOW, "  Odd         ", &clean(odd));
    }
    if !server.unfinished.is_empty() {
        out.prose(YELLOW, "  Incomplete  ", &clean(&server.unfinished));
    }
}
