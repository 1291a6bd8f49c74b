//! What logs and the registry say of this server's own TLS: local causes, where a failure is on record.

use super::super::{Given, Seen, With, finding};
use crate::diagnosis::{Confidence, Finding, Role, Severity};
use crate::evidence::Scheme;
use crate::facts::{LoggedFailure, Phase, Statement, SyncEvent, synchronizes};

/// The failures that TLS versions, suites, policies and .NET's settings share.
fn is_tls_failure(failure: &LoggedFailure) -> bool {
    matches!(
        failure,
        LoggedFailure::ConnectionBroken | LoggedFailure::NoCommonAlgorithm | LoggedFailure::SecureChannel
    )
}

/// The last failure on record that TLS may stand behind, and that no success followed.
pub(super) fn failure(seen: &Seen) -> Option<String> {
    let failures = seen.facts.all().iter().rev().filter(|fact| match &fact.statement {
        Statement::LogFailure { failure, .. } => is_tls_failure(failure),
        _ => false,
    });
    failures.filter(|fact| !seen.facts.succeeded_after(fact)).map(|fact| fact.id.clone()).next()
}

/// Whether a synchronization or an import is on record as broken off at TLS, and no finding rests on that record: the
/// server answered here, and which local cause it was does not show.
pub(crate) fn unexplained_failure(seen: &Seen, findings: &[Finding]) -> bool {
    seen.facts.all().iter().any(|fact| {
        let Statement::LogFailure { failure, .. } = &fact.statement else { return false };
        let explained = findings.iter().any(|f| f.id != "history/failing" && f.because.contains(&fact.id));
        is_tls_failure(failure) && !explained && !seen.facts.succeeded_after(fact)
    })
}

pub(super) fn sync_fix_missing(seen: &Seen, given: &mut Given) {
    // Where the source is spoken to in clear, no TLS of this server was broken off.
    if seen.needed().next().is_some() && seen.needed().all(|p| p.info.target.scheme == Scheme::Http) {
        return;
    }
    let logs = seen.facts.all().iter().filter_map(|fact| match &fact.statement {
        Statement::Log { startup: Some(line), schannel: false, .. } => Some((fact, *line)),
        _ => None,
    });
    let failures: Vec<&str> = seen
        .facts
        .all()
        .iter()
        .filter_map(|fact| match &fact.statement {
            Statement::LogFailure { process, failure, phase, .. }
                if is_tls_failure(failure)
                    && synchronizes(process)
                    && *phase != Some(Phase::Import)
                    && !seen.facts.succeeded_after(fact) =>
            {
                Some(fact.id.as_str())
            }
            _ => None,
        })
        .collect();
    // Only these two lack TLS 1.2 without an update; on another the absence of the lines proves nothing.
    let version = seen.facts.version_is_2012_family();
    if version == Some(false) {
        return;
    }
    for (fact, line) in logs {
        let Some(failure) = failures.first() else { continue };
        // A walk that the server itself ended leaves the client's side open.
        let server_refuses =
            seen.needed().any(|p| p.failures().any(|(_, o)| super::super::seen::kind(&o.outcome) == "hello"));
        let mut because = vec![fact.id.clone(), failure.to_string()];
        because.extend(seen.facts.build().map(|(fact, _)| fact.id.clone()));
        let says = format!(
            "The log holds a start-up of the service ({}:{line}) and no SCHANNEL line with it; a server that has the update \
             by which synchronization speaks TLS 1.2 writes them there. Connections are on record as broken off.{}",
            fact.source.file,
            if version.is_some() { " The server is Windows Server 2012 or 2012 R2." } else { "" }
        );
        let role = if server_refuses { Role::Contributing } else { Role::Cause };
        let found = finding(
            "tls/sync-fix-missing",
            role,
            Confidence::Likely,
            "SoftwareDistribution.log",
            says,
            because,
        );
        given.add(if version.is_some() && !server_refuses { found } else { found.possible() });
        if version.is_none() {
            given.open(
                "Which Windows Server is it?",
                "Only Windows Server 2012 and 2012 R2 lack TLS 1.2 for synchronization without an update; elsewhere the \
                 absence of these lines proves nothing."
                    .into(),
                "hand over the output of `(Get-WsusServer).Version`, or of `winver`",
                vec![fact.id.clone()],
            );
        }
    }
}

pub(super) fn dotnet(seen: &Seen, given: &mut Given) {
    let mut import = None;
    let mut service_fails = false;
    let mut synchronized = None;
    for fact in seen.facts.all() {
        match &fact.statement {
            Statement::LogFailure { process, failure, phase, .. } if is_tls_failure(failure) => {
                match (process.as_str(), phase) {
                    ("w3wp", _) | (_, Some(Phase::Import)) => import = import.or(Some(fact)),
                    ("WsusService", _) => service_fails = true,
                    // A text that does not say who logged it tells neither.
                    _ => {}
                }
            }
            Statement::LogSync { event: SyncEvent::Succeeded, .. } => synchronized = Some(fact),
            _ => {}
        }
    }
    let Some(import) = import else { return };
    if service_fails {
        return;
    }
    let subject = "SchUseStrongCrypto";
    let mut because = vec![import.id.clone()];
    because.extend(synchronized.map(|f| f.id.clone()));
    let walked = seen.needed().any(|p| p.works());
    let role = if walked || synchronized.is_some() { Role::Note } else { Role::Cause };
    let says = format!(
        "Only the import path failed ({}, logged by w3wp){}: .NET there begins with TLS 1.0.",
        import.source.file,
        if synchronized.is_some() { ", and the service's own synchronization succeeded" } else { "" }
    );
    let found = finding("tls/dotnet-strong-crypto", role, Confidence::Likely, subject, says, because);
    let found = found.severity(Severity::Warning);
    given.add(if synchronized.is_some() { found } else { found.possible() });
}
