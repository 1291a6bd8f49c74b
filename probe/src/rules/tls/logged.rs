//! What logs and the registry say of this server's own TLS: local causes, where a failure is on record.

use super::super::{Given, Seen, With, finding, record};
use crate::diagnosis::{Confidence, Finding, Role, Severity};
use crate::facts::{Fact, LastRun, LoggedFailure, Phase, RegistryValue, Statement, synchronizes};
use crate::plan::is_microsoft_host;

/// The updates by which synchronization speaks TLS 1.2 on Windows Server 2012 R2 and 2012 (Microsoft: Troubleshoot WSUS import
/// and sync issues).
const FIXES: [&str; 2] = ["KB4022720", "KB4022721"];

/// The failures that TLS versions, suites, policies and .NET's settings share.
fn is_tls_failure(failure: &LoggedFailure) -> bool {
    matches!(
        failure,
        LoggedFailure::ConnectionBroken | LoggedFailure::NoCommonAlgorithm | LoggedFailure::SecureChannel
    )
}

/// Update files are fetched apart from metadata, by another client.
fn is_of_content(phase: Option<Phase>) -> bool {
    phase == Some(Phase::Content)
}

/// The failures on record that a client without TLS 1.2 meets, and that no success followed: of synchronization, at its
/// first contact. Whoever has come further has spoken TLS already.
fn at_first_contact<'s, 'a>(seen: &'s Seen<'a>) -> impl DoubleEndedIterator<Item = &'a Fact> + use<'s, 'a> {
    seen.facts.all().iter().filter(move |fact| match &fact.statement {
        Statement::LogFailure { process, failure, phase, .. } => {
            is_tls_failure(failure)
                && synchronizes(process)
                && matches!(phase, None | Some(Phase::FirstContact))
                && !seen.succeeded_after(fact)
        }
        _ => false,
    })
}

/// The last of those failures.
pub(super) fn failure(seen: &Seen) -> Option<String> {
    at_first_contact(seen).next_back().map(|fact| fact.id.clone())
}

/// Whether a synchronization or an import is on record as broken off at TLS, and no finding rests on that record: the
/// server answered here, and which local cause it was does not show.
pub(crate) fn unexplained_failure(seen: &Seen, findings: &[Finding]) -> bool {
    let in_clear = super::local::in_clear(seen);
    seen.facts.all().iter().any(|fact| {
        let Statement::LogFailure { failure, phase, .. } = &fact.statement else { return false };
        // What is broken off in clear is no TLS; an import speaks TLS to the Catalog all the same.
        if in_clear && *phase != Some(Phase::Import) {
            return false;
        }
        let explained = findings.iter().any(|f| f.id != "history/failing" && f.because.contains(&fact.id));
        is_tls_failure(failure) && !is_of_content(*phase) && !explained && !seen.succeeded_after(fact)
    })
}

pub(super) fn sync_fix_missing(seen: &Seen, given: &mut Given) {
    // Where the source is spoken to in clear, no TLS of this server was broken off.
    if super::local::in_clear(seen) {
        return;
    }
    let logs = seen.facts.all().iter().filter_map(|fact| match &fact.statement {
        Statement::Log { startup: Some(line), schannel: false, .. } => Some((fact, *line)),
        _ => None,
    });
    let Some(failure) = at_first_contact(seen).next() else { return };
    // Only these two lack TLS 1.2 without an update; on another the absence of the lines proves nothing.
    let version = seen.facts.version_is_2012_family();
    if version == Some(false) {
        return;
    }
    // A list of updates proves that one is there, and of none that it is missing: later rollups have other numbers.
    let installed = seen.facts.all().iter().any(|fact| {
        matches!(&fact.statement, Statement::InstalledUpdate { update } if FIXES.iter().any(|fix| fix.eq_ignore_ascii_case(update)))
    });
    if installed {
        return;
    }
    let from_microsoft = seen.needed().any(|path| is_microsoft_host(&path.info.target.host));
    let another = seen.needed().next().filter(|_| !from_microsoft);
    let other_log =
        seen.facts.all().iter().find(|fact| matches!(&fact.statement, Statement::Log { schannel: true, .. }));
    for (fact, line) in logs {
        let since = seen.facts.runs().find(|run| {
            let source = &run.fact.source;
            run.succeeded && source.file == fact.source.file && source.line > Some(line)
        });
        if since.is_some() && from_microsoft {
            // Microsoft takes TLS 1.2 alone: the service that was started there speaks it.
            continue;
        }
        // A walk that the server itself ended leaves the client's side open.
        let server_refuses =
            seen.needed().any(|p| p.failures().any(|(_, o)| super::super::seen::kind(&o.outcome) == "hello"));
        let mut because = vec![fact.id.clone(), failure.id.clone()];
        because.extend(seen.facts.build().map(|(fact, _)| fact.id.clone()));
        let mut says = format!(
            "The log holds a start-up of the service ({}:{line}) and no SCHANNEL line with it; a server that has the update \
             by which synchronization speaks TLS 1.2 writes them there. Connections are on record as broken off.{}",
            fact.source.file,
            if version.is_some() { " The server is Windows Server 2012 or 2012 R2." } else { "" }
        );
        if let Some(run) = since {
            says.push_str(" A synchronization succeeded after that start-up, which speaks against it unless the source took an older TLS then.");
            because.push(run.fact.id.clone());
        }
        if let Some(other) = other_log {
            says.push_str(&format!(" {} has those lines, which speaks against it.", other.source.file));
            because.push(other.id.clone());
        }
        if let Some(path) = another {
            says.push_str(&format!(
                " Of Microsoft it is known that it takes TLS 1.2 alone, and not of {}.",
                path.info.target.host
            ));
        }
        let role = if server_refuses { Role::Contributing } else { Role::Cause };
        let found = finding(
            "tls/sync-fix-missing",
            role,
            Confidence::Likely,
            "SoftwareDistribution.log",
            says,
            because,
        );
        let unopposed = since.is_none() && other_log.is_none() && another.is_none();
        let found = record::weighed(seen, found);
        given.add(if version.is_some() && !server_refuses && unopposed { found } else { found.possible() });
        if let Some(listed) = later_update(seen) {
            given.open(
                "Is one of the installed updates a Monthly Rollup?",
                "Every Monthly Rollup since June 2017 brings what this server seems to lack, under a number of its own; \
                 Security-Only updates never do."
                    .into(),
                "look the listed numbers up in the update history of Windows Server 2012 R2 or 2012",
                vec![listed.id.clone()],
            );
        }
        if version.is_none() {
            given.open(
                "Which Windows Server is it?",
                "Only Windows Server 2012 and 2012 R2 lack TLS 1.2 for synchronization without an update; elsewhere the \
                 absence of these lines proves nothing."
                    .into(),
                "hand over the output of `(Get-WsusServer).Version`, or of `systeminfo`",
                vec![fact.id.clone()],
            );
        }
    }
}

/// An installed update that is newer than the fix, by its number.
fn later_update<'a>(seen: &Seen<'a>) -> Option<&'a Fact> {
    let number = |update: &str| update.get(2..).and_then(|digits| digits.parse::<u64>().ok());
    let fix = FIXES.iter().filter_map(|fix| number(fix)).max();
    seen.facts
        .all()
        .iter()
        .rev()
        .find(|fact| matches!(&fact.statement, Statement::InstalledUpdate { update } if number(update) > fix))
}

/// Whether .NET Framework is set to begin with TLS 1.2 in 64-bit programs, such as w3wp.
fn strong_crypto<'a>(seen: &Seen<'a>) -> Option<(&'a Fact, bool)> {
    let key = r"\Microsoft\.NETFramework\v4.0.30319";
    let stated = |fact: &&Fact, wanted: &str| match &fact.statement {
        Statement::Registry { key: its, name, value: RegistryValue::Number { .. } } => {
            let its = its.to_ascii_lowercase();
            its.ends_with(&key.to_ascii_lowercase())
                && !its.contains("wow6432node")
                && name.eq_ignore_ascii_case(wanted)
        }
        _ => false,
    };
    let last = |wanted: &str| seen.facts.all().iter().rev().find(|fact| stated(fact, wanted));
    let on = |fact: &Fact| {
        matches!(fact.statement, Statement::Registry { value: RegistryValue::Number { value: 1.. }, .. })
    };
    let both = [last("SchUseStrongCrypto"), last("SystemDefaultTlsVersions")];
    both.into_iter()
        .flatten()
        .find(|fact| on(fact))
        .map(|fact| (fact, true))
        .or_else(|| both[0].map(|fact| (fact, false)))
}

/// Whether a test's exceptions tell of TLS, and not of a chain that is not trusted.
fn broke_at_tls(exceptions: &[String]) -> bool {
    const TEXTS: [&str; 8] = [
        "secure channel",
        "SecureChannelFailure",
        "underlying connection was closed",
        "forcibly closed",
        "common algorithm",
        "-2146893007",
        "80090331",
        "10054",
    ];
    const TRUST: [&str; 3] = ["trust relationship", "TrustFailure", "remote certificate is invalid"];
    let has = |texts: &[&str]| exceptions.iter().any(|text| texts.iter().any(|part| text.contains(part)));
    has(&TEXTS) && !has(&TRUST)
}

/// The server's own test with .NET's default protocol is broken off, and the same with TLS 1.2 is answered. Which of them
/// synchronization takes is the second alone.
fn tested(seen: &Seen, given: &mut Given) {
    let tests = || {
        seen.facts.all().iter().filter_map(|fact| match &fact.statement {
            // One that was typed names no account: what protocol was set before it does not show.
            Statement::HttpTest { url, proxy, protocol, account, status, exceptions }
                if !account.is_empty() =>
            {
                Some((fact, url, proxy, protocol.as_str(), status, exceptions))
            }
            _ => None,
        })
    };
    for (default, url, proxy, protocol, status, exceptions) in tests() {
        if !(protocol.is_empty() && status.is_none() && broke_at_tls(exceptions)) {
            continue;
        }
        let answered = tests().find(|(_, its, through, protocol, status, _)| {
            *its == url && *through == proxy && protocol.eq_ignore_ascii_case("Tls12") && status.is_some()
        });
        let Some((with, ..)) = answered else { continue };
        let mut because = vec![default.id.clone(), with.id.clone()];
        let mut says = format!(
            ".NET's own test of {url} is broken off with its default protocol, and answered with TLS 1.2: .NET begins with an \
             older one here. Imports and the console go that way; synchronization speaks TLS 1.2 by itself."
        );
        let strong = strong_crypto(seen);
        if let Some((fact, on)) = strong {
            because.push(fact.id.clone());
            if on {
                says.push_str(" The registry turns strong cryptography on: programs that were started before do not know it.");
            }
        }
        let found = finding(
            "tls/dotnet-strong-crypto",
            Role::Note,
            Confidence::Certain,
            "SchUseStrongCrypto",
            says,
            because,
        );
        let found = found.severity(Severity::Warning);
        given.add(if strong.is_some_and(|(_, on)| on) { found.likely() } else { found });
    }
}

pub(super) fn dotnet(seen: &Seen, given: &mut Given) {
    tested(seen, given);
    let mut import = None;
    let mut service_fails = false;
    for fact in seen.facts.all() {
        let Statement::LogFailure { process, failure, phase, .. } = &fact.statement else { continue };
        match (process.as_str(), phase) {
            ("w3wp", _) | (_, Some(Phase::Import)) if is_tls_failure(failure) => {
                import = import.or(Some(fact))
            }
            ("w3wp", _) | (_, Some(Phase::Import | Phase::Content)) => {}
            // What is broken off at TLS is the service's own, whatever came of it later.
            ("WsusService", _) => {
                service_fails = service_fails || is_tls_failure(failure) || !seen.succeeded_after(fact);
            }
            // A text that does not say who logged it tells neither.
            _ => {}
        }
    }
    let synchronized = seen.facts.runs().filter(|run| run.succeeded).last().map(|run| run.fact);
    let failed = match seen.facts.last_run() {
        LastRun::One(run) => !run.succeeded,
        LastRun::Unsure(..) => true,
        LastRun::None => false,
    };
    let Some(import) = import else { return };
    if service_fails || failed {
        return;
    }
    let strong = strong_crypto(seen);
    if strong.is_some_and(|(_, on)| on) {
        // It begins with TLS 1.2: something else breaks the import off.
        return;
    }
    let subject = "SchUseStrongCrypto";
    let mut because = vec![import.id.clone()];
    because.extend(strong.map(|(fact, _)| fact.id.clone()));
    because.extend(synchronized.map(|f| f.id.clone()));
    let walked = seen.needed().any(|p| p.works());
    let role = if walked || synchronized.is_some() { Role::Note } else { Role::Cause };
    let by_web = matches!(&import.statement, Statement::LogFailure { process, .. } if process == "w3wp");
    let says = format!(
        "Only the import path failed ({}{}){}: .NET begins with TLS 1.0 there where nothing tells it otherwise.",
        import.source.file,
        if by_web { ", logged by w3wp" } else { "" },
        if synchronized.is_some() { ", and the service's own synchronization succeeded" } else { "" }
    );
    let found = finding("tls/dotnet-strong-crypto", role, Confidence::Likely, subject, says, because);
    let found = found.severity(Severity::Warning);
    // SCHANNEL without TLS 1.2 breaks an import off as well.
    let alone = super::local::tls12_off(seen).is_empty();
    given.add(if alone && (synchronized.is_some() || strong.is_some()) { found } else { found.possible() });
}
