//! Puts causes before symptoms: a configuration that predicts a failure outranks the failure, a lower layer what
//! follows from it, and the loser of a tie-break is not said.

use super::{Given, Seen};
use crate::diagnosis::{Confidence, Finding, Role};
use crate::evidence::Layer;
use crate::facts::{LoggedFailure, Statement};

/// Of two ids that could both be the cause of one observation the first stands and the second is not said.
const DECIDED: &[(&str, &[&str])] = &[
    (
        "config/port-ssl-mismatch",
        &[
            "tls/plain-http",
            "http/ssl-required",
            "http/redirect",
            "http/truncated",
            "http/not-wsus",
            "wsus/ssl-mismatch",
            "wsus/port-mismatch",
        ],
    ),
    (
        "wsus/ssl-mismatch",
        &[
            "tls/plain-http",
            "http/ssl-required",
            "http/redirect",
            "http/truncated",
            "http/not-wsus",
            "http/unauthorized",
        ],
    ),
    (
        "wsus/port-mismatch",
        &[
            "dial/refused",
            "dial/timeout",
            "dial/unreachable",
            "tls/plain-http",
            "http/not-wsus",
            "http/not-found",
            "http/no-site",
            "http/redirect",
            "proxy/cannot-connect",
        ],
    ),
    ("wsus/not-an-upstream", &["http/not-found", "http/not-wsus"]),
    ("tls/client-certificate", &["http/client-certificate"]),
    ("proxy/closed", &["tls/refused"]),
    ("trust/clock-skew", &["trust/expired", "trust/not-yet-valid", "trust/intermediate-expired"]),
    ("config/proxy-only-in-winhttp", &["config/winhttp-differs"]),
    ("trust/user-store-only", &["trust/untrusted-root", "trust/self-signed"]),
    ("trust/microsoft-root-missing", &["trust/untrusted-root"]),
];

/// What a configuration finding predicts: the failures of its own path, which contribute then.
fn predicts(finding: &Finding, other: &Finding) -> bool {
    match finding.id.as_str() {
        "config/endpoint-decommissioned" | "config/endpoint-retiring" | "config/endpoint-unknown" => {
            matches!(
                other.layer(),
                Layer::Name | Layer::Dial | Layer::Tls | Layer::Trust | Layer::Http | Layer::Wsus
            ) || matches!(
                other.id.as_str(),
                "proxy/cannot-resolve" | "proxy/cannot-connect" | "proxy/forbidden"
            )
        }
        "config/proxy-only-in-winhttp" => {
            finding.confidence <= Confidence::Likely
                && matches!(other.layer(), Layer::Name | Layer::Dial | Layer::Tls | Layer::Trust)
        }
        "name/sinkhole" => {
            matches!(other.layer(), Layer::Dial | Layer::Tls | Layer::Trust | Layer::Http)
        }
        _ => false,
    }
}

/// Settles the roles of what the rules gave.
pub(crate) fn settle(seen: &Seen, given: &mut Given) {
    let findings = &mut given.findings;
    let shares = |a: &Finding, b: &Finding| a.because.iter().any(|id| b.because.contains(id));
    let mut dropped = vec![false; findings.len()];
    for (at, finding) in findings.iter().enumerate() {
        let Some((_, losers)) = DECIDED.iter().find(|(id, _)| *id == finding.id) else { continue };
        for (other_at, other) in findings.iter().enumerate() {
            let notes = other.id.starts_with("config/");
            if at != other_at && losers.contains(&other.id.as_str()) && (notes || shares(finding, other)) {
                dropped[other_at] = true;
            }
        }
    }
    let mut keep = dropped.iter().map(|dropped| !dropped);
    findings.retain(|_| keep.next().unwrap_or(true));

    let causes: Vec<Finding> = findings.iter().filter(|f| f.role == Role::Cause).cloned().collect();
    // A proxy of which nothing is proved contributes to what is known to fail.
    let known = causes.iter().any(|c| c.confidence != Confidence::Possible);
    for finding in findings.iter_mut().filter(|f| f.role == Role::Cause) {
        let unproved = ["config/proxy-only-in-winhttp", "config/proxy-only-in-user"];
        if known && unproved.contains(&finding.id.as_str()) && finding.confidence == Confidence::Possible {
            finding.role = Role::Contributing;
        }
    }
    for finding in findings.iter_mut().filter(|f| f.role == Role::Cause) {
        let outranked = causes.iter().any(|c| {
            c.id != finding.id
                && c.confidence != Confidence::Possible
                && predicts(c, finding)
                && same_path(seen, c, finding)
        });
        if outranked {
            finding.role = Role::Contributing;
        }
    }
    answered(seen, given);
}

/// What a log's text leaves open is answered where a cause of that kind is known.
fn answered(seen: &Seen, given: &mut Given) {
    let Given { findings, unknown } = given;
    let causes: Vec<Layer> = findings
        .iter()
        .filter(|f| f.role == Role::Cause && f.confidence <= Confidence::Likely)
        .map(Finding::layer)
        .collect();
    unknown.retain(|open| {
        let told = seen.facts.all().iter().find_map(|fact| match &fact.statement {
            Statement::LogFailure { failure, .. } if open.because == [fact.id.as_str()] => Some(failure),
            _ => None,
        });
        told.is_none_or(|failure| !causes.iter().any(|layer| writes(*layer, failure)))
    });
}

/// Whether what fails in a layer is logged so.
fn writes(layer: Layer, failure: &LoggedFailure) -> bool {
    use LoggedFailure::*;
    match failure {
        NameNotResolved { .. } => matches!(layer, Layer::Config | Layer::Name),
        ProxyNotResolved { .. } => matches!(layer, Layer::Config | Layer::Proxy),
        ConnectTimeout | ConnectRefused | ConnectFailed | Timeout => {
            matches!(layer, Layer::Config | Layer::Name | Layer::Dial | Layer::Proxy)
        }
        ConnectionBroken | NoCommonAlgorithm | SecureChannel => {
            matches!(layer, Layer::Config | Layer::Proxy | Layer::Tls)
        }
        NotTrusted | RootCheck => matches!(layer, Layer::Config | Layer::Proxy | Layer::Trust),
        HttpStatus { .. } | ContentType { .. } => {
            matches!(layer, Layer::Config | Layer::Proxy | Layer::Http | Layer::Wsus)
        }
        SoapFault { .. } => matches!(layer, Layer::Config | Layer::Wsus),
        Code { .. } => false,
    }
}

/// Whether a finding about the configuration, or about a name, speaks of the path of another finding.
fn same_path(seen: &Seen, cause: &Finding, other: &Finding) -> bool {
    let mut paths = seen.needed().filter(|p| p.own.iter().any(|o| other.because.contains(&o.id)));
    match cause.layer() {
        Layer::Config if cause.id.starts_with("config/endpoint-") => {
            paths.any(|p| cause.says.contains(&p.info.target.host))
        }
        Layer::Config => paths.next().is_some(),
        _ => paths.any(|p| p.own.iter().any(|o| cause.because.contains(&o.id))),
    }
}
