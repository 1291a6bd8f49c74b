//! What servers speak, for people at a console.

use super::{BOLD, DIM, Out, PLAIN, YELLOW};
use crate::describe::{Mark, clean, took};
use crate::evidence::{SpokenPlan, SuiteOrder};
use crate::report::Report;
use crate::report::tls::{TlsClient, TlsMeeting, TlsServer, TlsVersion};

/// Everything that was found of every server.
pub(super) fn servers(out: &mut Out, report: &Report) {
    for server in &report.tls {
        out.heading(&format!("TLS of {}", clean(&server.target)));
        clients(out, server);
        for version in server.versions.iter().rev() {
            one_version(out, version);
        }
        named(out, "Groups", server.groups.iter().map(|group| (&group.name, &group.versions)));
        named(out, "Signatures", server.signatures.iter().map(|s| (&s.name, &s.versions)));
        if !server.alpn.is_empty() {
            out.prose(BOLD, "  ALPN        ", &clean(&server.alpn.join(", ")));
        }
        asked(out, server);
    }
}

fn one_version(out: &mut Out, version: &TlsVersion) {
    let count = version.suites.len();
    if count == 0 {
        let refusal = if version.refusal.is_empty() { "refused" } else { &version.refusal };
        out.line(PLAIN, &format!("  {}     not spoken ({})", version.version, clean(refusal)));
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
        out.line(BOLD, &format!("  {}, as it was asked about", clean(&own[0].name)));
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
    let shown = client.tried.as_ref().unwrap_or(&client.computed);
    let mark = if shown.connects { Mark::Ok } else { Mark::Bad };
    let column = format!("{label:<24}");
    if client.differs {
        out.row(mark, &column, &format!("tried: {}", meeting(shown)));
        out.row(Mark::Open, &format!("{:<24}", ""), &format!("by the lists: {}", meeting(&client.computed)));
    } else {
        // Both say the same; why not is told by the lists.
        let says = if shown.connects { meeting(shown) } else { meeting(&client.computed) };
        out.row(mark, &column, &says);
    }
}

fn meeting(meeting: &TlsMeeting) -> String {
    let Some(suite) = &meeting.suite else { return clean(&meeting.why_not) };
    let mut says = format!("{} {}", meeting.version.as_deref().unwrap_or_default(), suite.name);
    for part in [&meeting.group, &meeting.signature].into_iter().flatten() {
        says.push_str(&format!(", {part}"));
    }
    if meeting.cbc_only {
        says.push_str("; nothing but CBC in common");
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
        "{} hellos over {} connections in {} rounds: {plan} (a connection takes {}).",
        server.handshakes,
        server.connections,
        server.rounds,
        took(server.round_trip_us)
    );
    out.prose(BOLD, "  Asked with  ", &says);
    if !server.unfinished.is_empty() {
        out.prose(YELLOW, "  Incomplete  ", &clean(&server.unfinished));
    }
}
