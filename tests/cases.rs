//! Published failures, each handed over beside a healthy configuration in a healthy world: no cause is claimed that the text
//! does not prove, and where it cannot tell, the report names the test that would.
//!
//! The texts are not part of the project: `WSUSPROBE_SHARED` names the folder that holds `cases/`. Without it every case is
//! skipped by name.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use wsuslab::load;
use wsuslab::schema::World;
use wsusprobe::diagnosis::{Confidence, Role, Verdict};
use wsusprobe::facts::Input;
use wsusprobe::report::Report;
use wsusprobe::run::{self, Silent};
use wsusprobe::settings::layers::Given;
use wsusprobe::trust::TrustStore;

/// A case, the causes that may be called possible (none may be called more), and a part of a question or an id of a
/// note that must be there.
const CASES: &[(&str, &[&str], &str)] = &[
    ("01-import-tls10-reset-softwaredistribution", &[], "TLS connection"),
    ("03-sync-2012r2-no-monthly-rollup", &[], "TLS connection"),
    ("04-wsyncmgr-surface-drivers-import", &[], "tls/dotnet-strong-crypto"),
    ("05-cipher-suite-order-gpo", &[], "TLS connection"),
    ("07-fe2-softwaredistribution-log", &["config/endpoint-decommissioned"], "input/contradictory"),
    ("08-dns-fe2-eventhistory", &["config/endpoint-decommissioned"], "history/failing"),
    ("09-cert-800b0109-sha2", &[], "certificate is not trusted"),
    ("12-503-adminproxy-wsuspool", &[], "console's message"),
    ("13-httperr-appoffline", &[], "synchronization itself"),
    ("13b-console-remote-api", &[], "console's message"),
    ("16-507-kb3159706-german", &[], "synchronization itself"),
    ("18-shared-susdb-timeout", &[], "connection lost"),
    ("20-content-401-3-acl", &[], "synchronization itself"),
    ("22-http400-ssl-required", &[], "console's message"),
    ("24-trust-cleanup-unresolved", &[], "console's message"),
    ("25-centreon-french-reset", &[], "console's message"),
    ("28-wsyncmgr-ci-files-unique", &[], "synchronization itself"),
    ("29-wsyncmgr-ci-documentstore", &[], "synchronization itself"),
    ("30-client-soapfault-kb954960", &[], "server's own log"),
    ("31-client-invalidparameters-400", &[], "synchronization itself"),
    ("35-client-407-proxy-pac", &[], "synchronization itself"),
    ("36-baseline-success", &[], ""),
];

/// A published text that several causes share, with what tells them apart beside it, and the finding that must come of it.
struct Told {
    name: &'static str,
    /// What stands before the text on its line.
    before: &'static str,
    /// The file beside it.
    beside: &'static str,
    id: &'static str,
    verdict: Verdict,
}

const TOLD: &[Told] = &[
    Told {
        name: "01-import-tls10-reset-softwaredistribution",
        before: "2026-06-15 01:04:10.000 UTC\tInfo\tWsusService.15\tEventLogEventReporter.ReportEvent\tEventId=384,\
                 Type=Information,Category=Synchronization,Message=Synchronization completed successfully.\n\
                 2026-06-15 01:20:16.000 UTC\tError\tw3wp.126\tWebServiceCommunicationHelper.\
                 ProcessWebServiceProxyException\t",
        beside: "OsName : Microsoft Windows Server 2016 Standard\n",
        id: "tls/dotnet-strong-crypto",
        verdict: Verdict::Degraded,
    },
    Told {
        name: "03-sync-2012r2-no-monthly-rollup",
        before: "2026-06-15 01:00:00.001 UTC\tInfo\tWsusService.4\tEventLogEventReporter.ReportEvent\tEventId=501,\
                 Type=Information,Category=WsusService,Message=Update Services Service Started\n\
                 2026-06-15 01:00:09.000 UTC\tChange\tw3wp.6\tAdminDataAccess.StartSubscriptionManually\t\
                 Synchronization manually started\n2026-06-15 01:00:11.000 UTC\tError\tWsusService.15\t",
        beside: "OsName : Microsoft Windows Server 2012 R2 Standard\n",
        id: "tls/sync-fix-missing",
        verdict: Verdict::Faulty,
    },
    Told {
        name: "05-cipher-suite-order-gpo",
        before: "2026-06-15 01:00:11.000 UTC\tError\tWsusService.15\tWebServiceCommunicationHelper.\
                 ProcessWebServiceProxyException\t",
        beside: "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Cryptography\\Configuration\\SSL\\00010002\n    \
                 Functions    REG_SZ    TLS_RSA_WITH_AES_256_GCM_SHA384,TLS_RSA_WITH_AES_128_GCM_SHA256\n",
        id: "tls/cipher-policy",
        verdict: Verdict::Faulty,
    },
    Told {
        name: "28-wsyncmgr-ci-files-unique",
        before: "",
        beside: "",
        id: "history/configmgr-database",
        verdict: Verdict::Degraded,
    },
    Told {
        name: "29-wsyncmgr-ci-documentstore",
        before: "",
        beside: "",
        id: "history/configmgr-database",
        verdict: Verdict::Degraded,
    },
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    #[allow(clippy::disallowed_methods, reason = "tests may read the environment")]
    let folder = std::env::var_os("WSUSPROBE_SHARED").map(|shared| PathBuf::from(shared).join("cases"));
    let trials = CASES.iter().map(|&(name, possible, open)| match &folder {
        None => Trial::test(format!("{name}: skipped, WSUSPROBE_SHARED is not set"), || Ok(()))
            .with_ignored_flag(true),
        Some(folder) => {
            let (file, runtime) = (folder.join(format!("{name}.txt")), runtime.clone());
            Trial::test(name, move || {
                let text = std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
                let report = runtime.block_on(beside_a_healthy_server(text, ""));
                judged(&report, possible, open)
            })
        }
    });
    let told = TOLD.iter().map(|case| match &folder {
        None => Trial::test(format!("{}, told: skipped, WSUSPROBE_SHARED is not set", case.name), || Ok(()))
            .with_ignored_flag(true),
        Some(folder) => {
            let (file, runtime) = (folder.join(format!("{}.txt", case.name)), runtime.clone());
            Trial::test(format!("{}, told", case.name), move || {
                let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
                let text = format!("{}{text}", case.before);
                let report = runtime.block_on(beside_a_healthy_server(text.into_bytes(), case.beside));
                let found: Vec<&str> = report.findings.iter().map(|f| f.id.as_str()).collect();
                if !found.contains(&case.id) || report.verdict != case.verdict {
                    return Err(format!("{}: {found:?} is {}", case.id, report.verdict.word()).into());
                }
                Ok(())
            })
        }
    });
    let trials = trials.chain(told).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

async fn beside_a_healthy_server(text: Vec<u8>, beside: &str) -> Report {
    let scenario = load::by_name(&load::home(), "microsoft-direct").expect("a world of the lab");
    let folder = tempfile::tempdir().expect("a folder");
    let running = World::up(&scenario, folder.path()).expect("the world");
    let settings =
        Given::from_toml(&running.settings_text, &running.dir).expect("the lab's settings").settings();
    let store = TrustStore::load(&settings).expect("the lab's certificates");
    let config = std::fs::read(running.dir.join("config.txt")).expect("the lab's configuration");
    let mut inputs = vec![Input::bytes("config.txt", config), Input::bytes("case.txt", text)];
    if !beside.is_empty() {
        inputs.push(Input::bytes("beside.txt", beside));
    }
    run::diagnose_inputs(&settings, &store, &inputs, &Silent).await.expect("a report")
}

fn judged(report: &Report, possible: &[&str], open: &str) -> Result<(), Failed> {
    for finding in report.findings.iter().filter(|f| f.role == Role::Cause) {
        if !possible.contains(&finding.id.as_str()) || finding.confidence != Confidence::Possible {
            return Err(format!("claims {} ({:?}): {}", finding.id, finding.confidence, finding.says).into());
        }
    }
    if report.verdict == Verdict::Faulty {
        return Err("calls a healthy path faulty".into());
    }
    let asked = report.unknown.iter().any(|u| u.question.contains(open) && !u.would_decide.is_empty());
    let noted = report.findings.iter().any(|f| f.id == open);
    if open.is_empty() && report.verdict != Verdict::Healthy {
        return Err(format!("calls a success {}", report.verdict.word()).into());
    }
    if !open.is_empty() && !asked && !noted {
        return Err(
            format!("neither asks nor notes {open:?}: {:?} {:?}", report.findings, report.unknown).into()
        );
    }
    Ok(())
}
