//! The whole of a run: from settings and files to a report.

use std::path::PathBuf;

use crate::diagnosis::{Diagnosis, Verdict};
use crate::evidence::{Evidence, Observation, PathInfo, Target};
use crate::report::Report;
use crate::settings::Settings;
use crate::trust::TrustStore;

/// Who is told of a run while it goes on.
pub trait Observer: Send + Sync {
    /// A step came to its end.
    fn observed(&self, path: &PathInfo, observation: &Observation);

    /// Something handed over could not be used, `FILE:LINE: expected X, found Y`; the run goes on without it.
    fn trouble(&self, says: &str) {
        let _ = says;
    }
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
    HasProxyPassword, UseSeparateProxyForSsl, SslProxyName, SslProxyServerPort |
    Out-File config.txt

The log is %ProgramFiles%\\Update Services\\LogFiles\\SoftwareDistribution.log.
Without any file, one address can be tested: wsusprobe check https://sws.update.microsoft.com";

/// Diagnoses this server, or the one that the files come from.
pub async fn diagnose(
    settings: &Settings,
    store: &TrustStore,
    files: &[PathBuf],
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    let _ = (store, observer);
    if files.is_empty() {
        return Err(RunError::NoInput { says: HAND_OVER.to_string() });
    }
    Ok(nothing(settings))
}

/// Walks to the targets as asked, without facts.
pub async fn check(
    settings: &Settings,
    store: &TrustStore,
    urls: &[Target],
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    let _ = (store, urls, observer);
    Ok(nothing(settings))
}

fn nothing(settings: &Settings) -> Report {
    let diagnosis = Diagnosis {
        verdict: Verdict::Undetermined,
        findings: Vec::new(),
        ruled_out: Vec::new(),
        unknown: Vec::new(),
    };
    Report::new(diagnosis, Evidence { settings: settings.clone(), ..Evidence::default() })
}
