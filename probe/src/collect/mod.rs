//! This server's own state: the commands that print it, run here or printed as a script.
//!
//! One table of sources serves both. What a source prints is read like any file handed over, so nothing here judges;
//! each source fails by itself, with its reason.

mod live;
mod redact;
mod script;

pub use live::{collect, logs, no_role};
pub use redact::names;
pub use script::script;

use std::time::Duration;

use crate::facts::hide;

/// Whether this machine can be asked: only Windows has what is asked for.
pub const HERE: bool = cfg!(windows);

/// What a collection holds besides the server's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The tests that go out to the source of synchronization.
    pub network: bool,
    /// The end of the service's logs, which may be read whole beside it.
    pub logs: bool,
    /// How long it may take: what has not come by then has failed.
    pub within: Duration,
}

/// A thing to be asked for.
#[derive(Clone, Copy, Debug)]
struct Source {
    /// Its name in a collection.
    name: &'static str,
    /// How it is asked.
    by: By,
}

/// How a source is asked.
#[derive(Clone, Copy, Debug)]
enum By {
    /// By lines of PowerShell, of which the first, a comment, says what they read.
    PowerShell(&'static str),
    /// The same in a PowerShell of its own, with the protocol that .NET is told to speak; it goes out to the network.
    HttpTest(&'static str),
    /// By programs of Windows, each with what it is told; together they say this.
    Programs(&'static str, &'static [&'static [&'static str]]),
    /// By the end of a file.
    File(Place, &'static str),
}

/// Where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Among the logs of the service.
    Logs,
    /// With the configuration of IIS.
    Iis,
}

impl Place {
    /// The variable that Windows sets, and the folder below it.
    fn folder(self) -> (&'static str, &'static str) {
        match self {
            Place::Logs => ("ProgramFiles", r"Update Services\LogFiles"),
            Place::Iis => ("SystemRoot", r"System32\inetsrv\config"),
        }
    }
}

const HTTP_TEST: &str = include_str!("sources/http-test.ps1");

/// Everything that is asked for, in the order of a collection.
const SOURCES: &[Source] = &[
    powershell("configuration", include_str!("sources/configuration.ps1")),
    powershell("server", include_str!("sources/server.ps1")),
    powershell("subscription", include_str!("sources/subscription.ps1")),
    powershell("history", include_str!("sources/history.ps1")),
    Source {
        name: "registry",
        by: By::Programs("The registry: TLS, .NET, policies and the setup of WSUS", REGISTRY),
    },
    Source {
        name: "winhttp",
        by: By::Programs("The proxy of WinHTTP", &[&["netsh.exe", "winhttp", "show", "proxy"]]),
    },
    powershell("events", include_str!("sources/events.ps1")),
    powershell("services", include_str!("sources/services.ps1")),
    powershell("pool", include_str!("sources/pool.ps1")),
    Source { name: "iis", by: By::File(Place::Iis, "applicationHost.config") },
    Source {
        name: "sslcert",
        by: By::Programs("The certificates of HTTP.sys", &[&["netsh.exe", "http", "show", "sslcert"]]),
    },
    powershell("certificates", include_str!("sources/certificates.ps1")),
    powershell("updates", include_str!("sources/updates.ps1")),
    powershell("suites", include_str!("sources/suites.ps1")),
    Source {
        name: "clock",
        by: By::Programs("Where the clock takes its time from", &[&["w32tm.exe", "/query", "/status"]]),
    },
    Source { name: "log", by: By::File(Place::Logs, "SoftwareDistribution.log") },
    Source { name: "log-old", by: By::File(Place::Logs, "SoftwareDistribution.log.old") },
    Source { name: "changes", by: By::File(Place::Logs, "Change.log") },
    Source { name: "http-test-default", by: By::HttpTest("") },
    Source { name: "http-test-tls12", by: By::HttpTest("Tls12") },
];

/// The keys that say how this server speaks TLS, what policies set, and how WSUS was set up.
const REGISTRY: &[&[&str]] = &[
    &["reg.exe", "query", r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL", "/s"],
    &[
        "reg.exe",
        "query",
        r"HKLM\SYSTEM\CurrentControlSet\Control\Cryptography\Configuration\Local\SSL\00010002",
    ],
    &["reg.exe", "query", r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Policies\Microsoft\Cryptography\Configuration\SSL\00010002"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Microsoft\.NETFramework\v4.0.30319"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Wow6432Node\Microsoft\.NETFramework\v4.0.30319"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp"],
    &[
        "reg.exe",
        "query",
        r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections",
        "/v",
        "WinHttpSettings",
    ],
    // By name: beside them lies the key of the licence.
    &["reg.exe", "query", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "/v", "ProductName"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "/v", "CurrentBuild"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "/v", "UBR"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Microsoft\Update Services\Server\Setup"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate", "/s"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates\AuthRoot"],
    &["reg.exe", "query", r"HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"],
    &["reg.exe", "query", r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings"],
];

const fn powershell(name: &'static str, lines: &'static str) -> Source {
    Source { name, by: By::PowerShell(lines) }
}

impl Source {
    /// What it reads, in words.
    fn says(&self) -> String {
        let first =
            |lines: &str| lines.lines().next().unwrap_or_default().trim_start_matches("# ").to_string();
        match self.by {
            By::PowerShell(lines) => first(lines),
            By::HttpTest("") => format!("{}; as .NET speaks by default", first(HTTP_TEST)),
            By::HttpTest(protocol) => format!("{}; told to speak {protocol}", first(HTTP_TEST)),
            By::Programs(says, _) => says.to_string(),
            By::File(Place::Iis, file) => format!("The configuration of IIS, {file}"),
            By::File(Place::Logs, file) => format!("The end of {file}"),
        }
    }
}

/// A text without the secrets that it may hold, line by line.
fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        out.push_str(&hide(line));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_a_password_is_stored_is_no_secret() {
        let list = include_str!("../../tests/facts/config-list.txt");
        assert!(list.contains("HasProxyPassword"));
        for (line, after) in list.lines().zip(without_secrets(list).lines()) {
            let secret = line.starts_with("ProxyPassword") || line.starts_with("EncryptionKey");
            assert_eq!(secret, line != after, "{after}");
        }
        for line in [r#""HasProxyPassword":  true,"#, r#"<B N="HasProxyPassword">true</B>"#] {
            assert_eq!(hide(line), line);
        }
        for line in ["ProxyPassword : True-love", "password=falsetto", "ProxyPassword=secret"] {
            assert!(hide(line).ends_with("(hidden)"), "{}", hide(line));
        }
    }
}
