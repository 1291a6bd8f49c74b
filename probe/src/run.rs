//! The whole of a run: from settings and files to a report.

use std::path::PathBuf;

use crate::collect::{self, Wanted};
use crate::diagnosis;
use crate::evidence::{Evidence, Observation, PathInfo, Target};
use crate::facts::{self, Fact, FactView, Input, Problem, Reading, Statement};
use crate::plan;
use crate::report::Report;
use crate::settings::Settings;
use crate::trust::TrustStore;
use crate::walk;

/// Who is told of a run while it goes on.
pub trait Observer: Send + Sync {
    /// A step came to its end.
    fn observed(&self, path: &PathInfo, observation: &Observation);

    /// What takes a while before the first step.
    fn begins(&self, says: &str) {
        let _ = says;
    }

    /// Something handed over could not be used, `FILE:LINE: expected X, found Y`; the run goes on without it.
    fn trouble(&self, says: &str) {
        let _ = says;
    }
}

/// Tells nobody.
pub struct Silent;

impl Observer for Silent {
    fn observed(&self, _: &PathInfo, _: &Observation) {}
}

/// Why a run gives no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// There is nothing to judge.
    #[error("{says}")]
    NoInput {
        /// What to hand over instead.
        says: String,
    },
    /// The program's own fault.
    #[error("{says}")]
    Internal {
        /// What happened.
        says: String,
    },
}

/// What a machine without WSUS is told.
pub const NO_ROLE: &str = "\
this machine has no WSUS: neither its API nor its setup is there. What can still be done here:

  wsusprobe check URL          walks to an address
  wsusprobe tls HOST:PORT      asks what a server speaks
  wsusprobe diagnose FILE...   reads what the WSUS server's administrator hands over";

/// What to hand over where this machine's own state cannot be read.
pub const HAND_OVER: &str = "\
nothing to diagnose: this machine's own WSUS configuration cannot be read here.
Hand over files of the WSUS server, or run this program on it:

  wsusprobe diagnose config.txt SoftwareDistribution.log

On the WSUS server, in PowerShell as administrator, this writes config.txt:

  Import-Module UpdateServices
  $server = Get-WsusServer
  $config = $server.GetConfiguration()
  $config | Format-List SyncFromMicrosoftUpdate, IsReplicaServer, MUUrl,
    RedirectorChangeNumber, UpstreamWsusServerName, UpstreamWsusServerPortNumber,
    UpstreamWsusServerUseSsl, UseProxy, ProxyName, ProxyServerPort, AnonymousProxyAccess,
    HasProxyPassword, AllowProxyCredentialsOverNonSsl, UseSeparateProxyForSsl, SslProxyName,
    SslProxyServerPort |
    Out-File config.txt

The log is %ProgramFiles%\\Update Services\\LogFiles\\SoftwareDistribution.log.
Without any file, one address can be tested: wsusprobe check https://sws.update.microsoft.com";

/// What to hand over where nothing tells whether a server has recovered.
pub const HAND_OVER_RECORD: &str = "\
nothing to verify: this machine's own record of synchronizations cannot be read here.
Start a synchronization after the repair, wait for its end, then hand over what the WSUS server wrote about it:

  wsusprobe verify --since TIME SoftwareDistribution.log

The log is %ProgramFiles%\\Update Services\\LogFiles\\SoftwareDistribution.log. The events tell as well; on the WSUS
server, in PowerShell:

  Get-WinEvent -FilterHashtable @{LogName='Application';
    ProviderName='Windows Server Update Services'} | Format-List | Out-File events.txt";

/// Says whether synchronization has recovered since `settings.since`, by the record alone: nothing is walked.
pub async fn verify_inputs(
    settings: &Settings,
    store: &TrustStore,
    inputs: &[Input],
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    if inputs.is_empty() {
        return Err(RunError::NoInput { says: HAND_OVER_RECORD.to_string() });
    }
    let mut report = diagnose_inputs(settings, store, inputs, observer).await?;
    if report.settings.since != settings.since {
        // A saved report was made for another question.
        report.settings.since = settings.since;
        let Report { settings, facts, .. } = report;
        let evidence = Evidence { settings, facts, paths: Vec::new(), observations: Vec::new() };
        return Ok(judged(evidence));
    }
    Ok(report)
}

/// Diagnoses this server, or the one that the files come from; where `settings.since` is given, says whether its
/// synchronization has recovered since.
pub async fn diagnose(
    settings: &Settings,
    store: &TrustStore,
    files: &[PathBuf],
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    let (inputs, settings) = handed_over_or_own(settings, files, observer).await?;
    match settings.since {
        Some(_) => verify_inputs(&settings, store, &inputs, observer).await,
        None => diagnose_inputs(&settings, store, &inputs, observer).await,
    }
}

/// The files; where there are none and this is a Windows, its own state, and the settings with what that left of the
/// deadline.
async fn handed_over_or_own(
    settings: &Settings,
    files: &[PathBuf],
    observer: &dyn Observer,
) -> Result<(Vec<Input>, Settings), RunError> {
    let named = |files: &[PathBuf]| -> Vec<Input> {
        files.iter().map(|file| Input::file(file.to_string_lossy())).collect()
    };
    if !files.is_empty() || !collect::HERE {
        return Ok((named(files), settings.clone()));
    }
    observer.begins("reading this server's own state");
    let began = std::time::Instant::now();
    let wanted = Wanted { network: !settings.no_network, logs: false, within: settings.deadline.0 / 2 };
    let collection = collect::collect(wanted).await;
    if let Some(why) = collect::no_role(&collection) {
        return Err(RunError::NoInput { says: format!("{NO_ROLE}\n({why})") });
    }
    let json =
        serde_json::to_vec(&collection).map_err(|error| RunError::Internal { says: error.to_string() })?;
    let mut inputs = vec![Input::bytes("this server", json)];
    inputs.extend(named(&collect::logs()));
    let mut settings = settings.clone();
    settings.deadline.0 = settings.deadline.0.saturating_sub(began.elapsed());
    Ok((inputs, settings))
}

/// Diagnoses the server that these inputs come from.
pub async fn diagnose_inputs(
    settings: &Settings,
    store: &TrustStore,
    inputs: &[Input],
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    if inputs.is_empty() {
        return Err(RunError::NoInput { says: HAND_OVER.to_string() });
    }
    // A pipe that nobody writes to cannot be read, and not be waited for past the deadline either.
    let given = inputs.to_vec();
    let reading = tokio::task::spawn_blocking(move || facts::read(&given));
    let Ok(Ok(reading)) = tokio::time::timeout(settings.deadline.0, reading).await else {
        let says = format!("the files were not read to their end by the deadline of {}", settings.deadline);
        return Err(RunError::NoInput { says });
    };
    let Reading { facts, saved, problems, .. } = reading;
    tell(&problems, observer);
    let usable = facts.iter().any(|fact| !matches!(fact.statement, Statement::Unreadable { .. }));
    match saved.as_slice() {
        [] if !usable => Err(RunError::NoInput { says: "none of the files could be used".into() }),
        [] => {
            let paths = plan::plan(settings, &FactView::new(&facts));
            let evidence = walk::walk(settings, store, facts, paths, observer).await;
            Ok(judged(evidence))
        }
        [report] => Ok(judged(replayed(report.clone(), facts))),
        _ => {
            Err(RunError::NoInput { says: "several saved reports at once are not read yet: give one".into() })
        }
    }
}

/// Walks to the targets as asked, without facts.
pub async fn check(
    settings: &Settings,
    store: &TrustStore,
    urls: &[Target],
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    let paths = plan::asked(settings, urls);
    let evidence = walk::walk(settings, store, Vec::new(), paths, observer).await;
    Ok(judged(evidence))
}

/// Asks what a server's TLS speaks; `files` say how the client is set.
pub async fn tls(
    settings: &Settings,
    store: &TrustStore,
    target: &Target,
    files: &[PathBuf],
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    let inputs: Vec<Input> = files.iter().map(|file| Input::file(file.to_string_lossy())).collect();
    let Reading { facts, problems, .. } = facts::read(&inputs);
    tell(&problems, observer);
    let paths = plan::tls(settings, &FactView::new(&facts), target);
    let evidence = walk::walk(settings, store, facts, paths, observer).await;
    Ok(judged(evidence))
}

/// The most troubles that are told one by one while the run goes on: the report has them all.
const TOLD: usize = 20;

fn tell(problems: &[Problem], observer: &dyn Observer) {
    for problem in problems.iter().take(TOLD) {
        observer.trouble(&problem.to_string());
    }
    if problems.len() > TOLD {
        let rest = problems.len() - TOLD;
        observer
            .trouble(&format!("{rest} more files or parts of them could not be used; the report names each"));
    }
}

fn judged(evidence: Evidence) -> Report {
    let diagnosis = diagnosis::judge(&evidence);
    Report::new(diagnosis, evidence)
}

/// Saved evidence as it was, and what is handed over beside it. Its own facts keep their ids; others come after.
fn replayed(report: Report, beside: Vec<Fact>) -> Evidence {
    let Report { settings, mut facts, paths, observations, .. } = report;
    for mut fact in beside {
        fact.id = format!("f{}", facts.len() + 1);
        facts.push(fact);
    }
    Evidence { settings, facts, paths, observations }
}
