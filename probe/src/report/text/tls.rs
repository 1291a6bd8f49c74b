//! What servers speak, for people at a console.

use super::{BOLD, Out, PLAIN, YELLOW};
use crate::describe::{clean, took};
use crate::evidence::{SpokenPlan, SuiteOrder};
use crate::report::Report;
use crate::report::tls::{TlsServer, TlsVersion};

/// Everything that was found of every server.
pub(super) fn servers(out: &mut Out, report: &Report) {
    for server in &report.tls {
        out.heading(&format!("TLS of {}", clean(&server.target)));
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
