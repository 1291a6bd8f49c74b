//! Services and application pools: `Get-Service`, `Win32_Service`, `sc query`, `sc qc`, `Get-WebAppPoolState`,
//! `Get-IISAppPool`, `appcmd list apppool`.

use std::sync::LazyLock;

use regex::Regex;

use super::{Prints, Record, of_machine};
use crate::facts::list::Page;
use crate::facts::{Found, Kind, ServiceState, Statement, line_number, shown};

/// The services that synchronization, its database, its downloads or its clock need, or that use the same server. A
/// name with `$` behind it is that of a named instance.
const KEPT: [&str; 18] = [
    "WsusService",
    "WsusCertServer",
    "W3SVC",
    "WAS",
    "HTTP",
    "AppHostSvc",
    "MSSQLSERVER",
    "MSSQL$",
    "BITS",
    "W32Time",
    "CryptSvc",
    "Dnscache",
    "WinHttpAutoProxySvc",
    "wuauserv",
    "SMS_EXECUTIVE",
    "SMS_SITE_COMPONENT_MANAGER",
    "EventLog",
    "Schedule",
];

/// Whether a service matters. Of a name that a table has cut off what is left of it decides.
fn is_kept(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let whole = lower.trim_end_matches(['.', '…']);
    KEPT.iter().map(|kept| kept.to_ascii_lowercase()).any(|kept| {
        kept == whole
            || kept.ends_with('$') && whole.starts_with(&kept)
            || whole.len() < lower.len() && whole.len() > 5 && kept.starts_with(whole)
    })
}

/// What a word, or the number of PowerShell's enumeration, says of a service.
fn state_of(word: &str) -> ServiceState {
    match word.trim().to_lowercase().as_str() {
        "running"
        | "4"
        | "gestartet"
        | "wird ausgeführt"
        | "ausgeführt"
        | "démarré"
        | "en cours d'exécution"
        | "en cours d’exécution"
        | "en cours" => ServiceState::Running,
        "stopped" | "1" | "beendet" | "arrêté" => ServiceState::Stopped,
        "" => ServiceState::Unknown,
        _ => ServiceState::Other,
    }
}

/// How a service starts, where PowerShell prints the number of its enumeration.
fn start_of(word: &str) -> String {
    match word {
        "2" => "Automatic".into(),
        "3" => "Manual".into(),
        "4" => "Disabled".into(),
        other => shown(other, 60),
    }
}

fn pool_state(word: &str) -> ServiceState {
    match word.trim().to_lowercase().as_str() {
        "started" | "1" | "gestartet" | "démarré" => ServiceState::Running,
        "stopped" | "3" | "beendet" | "arrêté" => ServiceState::Stopped,
        "" => ServiceState::Unknown,
        _ => ServiceState::Other,
    }
}

fn pool(line: Option<u32>, name: &str, state: &str, found: &mut Found) {
    found.kind(Kind::Services);
    let state = pool_state(state);
    found.fact(line, None, Statement::AppPool { name: shown(name, 100), state });
}

/// The pool's name in the path of an element of IIS' configuration.
fn pool_of(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("applicationPools/add[@name='")?;
    rest.split('\'').next()
}

/// An object that is a service or a pool.
pub(super) fn record(record: &Record, found: &mut Found) -> bool {
    let mut pool = |name: &str, state: &str| {
        if let Some(machine) = record.some("PSComputerName") {
            of_machine(record.line, machine, found);
        }
        pool(record.line, name, state, found);
        true
    };
    if let (Some(name), Some(state)) = (record.get("ItemXPath").and_then(pool_of), record.some("Value")) {
        return pool(name, state);
    }
    let Some(name) = record.some("Name").or(record.some("ServiceName")) else { return false };
    let Some(state) = record.some("State").or(record.some("Status")) else { return false };
    let has = |names: &[&str]| names.iter().any(|name| record.has(name));
    if has(&["Applications", "CLR Ver", "Pipeline Mode", "managedRuntimeVersion"])
        || name.eq_ignore_ascii_case("WsusPool")
    {
        return pool(name, state);
    }
    let told = has(&["DisplayName", "StartType", "StartMode", "ServiceType", "CanStop"]);
    if !told && !is_kept(name) {
        return false;
    }
    found.kind(Kind::Services);
    let machine = record.some("PSComputerName").or(record.some("MachineName"));
    if let Some(machine) = machine.filter(|_| is_own(name)) {
        of_machine(record.line, machine, found);
    }
    if is_kept(name) {
        let start = record.get("StartType").or(record.get("StartMode")).unwrap_or_default();
        let (name, state, start) = (shown(name, 100), state_of(state), start_of(start));
        found.fact(record.line, None, Statement::Service { name, state, start });
    }
    true
}

/// A service that was asked for by its name and is not there.
pub(in crate::facts) fn absent(line: Option<u32>, name: &str, found: &mut Found) {
    found.kind(Kind::Services);
    if is_kept(name) {
        let (name, state, start) = (shown(name, 100), ServiceState::Absent, String::new());
        found.fact(line, None, Statement::Service { name, state, start });
    }
}

/// Whether a text names a service that makes the machine a server of WSUS: that of another one's clock does not.
fn is_own(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["wsus", "w3svc", "mssql"].iter().any(|own| text.contains(own))
}

/// What `sc` has said of one service so far.
struct Open {
    at: usize,
    name: String,
    state: ServiceState,
    start: String,
    told: bool,
}

impl Open {
    fn close(self, page: &Page, found: &mut Found) {
        let Open { at, name, state, start, told } = self;
        if told && is_kept(&name) {
            let line = line_number(page.number(at));
            found.fact(line, None, Statement::Service { name: shown(&name, 100), state, start });
        }
    }
}

/// Reads what `sc` and IIS' own tools print. The words for a state and a start are the same in every language; the
/// labels before them are not.
pub(super) fn read(page: &mut Page, found: &mut Found, _: &mut Prints) {
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\s{0,4}\p{Lu}[\p{Lu}_ ]+: ?([^\s:]+)\s*$").expect("fixed pattern"));
    static VALUE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^[^:]+:\s*(?:[1-7]\s+(STOPPED|START_PENDING|STOP_PENDING|RUNNING|CONTINUE_PENDING|PAUSE_PENDING|PAUSED)|[0-4]\s+(BOOT_START|SYSTEM_START|AUTO_START|DEMAND_START|DISABLED)|[0-9a-f]{1,4}\s+(?:WIN32|KERNEL|FILE_SYSTEM|USER_)\w*)\b",
        )
        .expect("fixed pattern")
    });
    static APPCMD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^\s*APPPOOL "([^"]+)" \(.*\bstate:([A-Za-z]+)\)"#).expect("fixed pattern")
    });
    static ASKED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)\bGet-WebAppPoolState\s+(?:-Name\s+)?["']?([A-Za-z0-9_ .-]+?)["']?\s*$"#)
            .expect("fixed pattern")
    });
    static ELSEWHERE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"(?i)\bGet-Service\b.*\s-(?:ComputerName|Cn)[\s:]+["']?([A-Za-z0-9_.-]+)|\bsc(?:\.exe)?\s+\\\\([A-Za-z0-9_.-]+)\s+q"#,
        )
        .expect("fixed pattern")
    });
    for at in 0..page.lines.len() {
        let line = &page.lines[at];
        if line.len() < 400
            && is_own(line)
            && (line.contains("Get-Service") || line.contains(r"\\"))
            && let Some(parts) = ELSEWHERE.captures(line)
            && let Some(name) = parts.get(1).or(parts.get(2))
        {
            of_machine(line_number(page.number(at)), name.as_str(), found);
        }
    }
    let mut open: Option<Open> = None;
    let mut asked =
        found.command.as_deref().and_then(|command| ASKED.captures(command)).map(|name| name[1].to_string());
    for at in 0..page.lines.len() {
        let line = &page.lines[at];
        let telling = line.contains(':') || line.contains("Value") || line.contains("Get-Web");
        if !telling || page.claimed[at] || line.len() > 400 {
            continue;
        }
        let line = line.clone();
        if line.contains("Get-Web")
            && let Some(name) = ASKED.captures(&line)
        {
            asked = Some(name[1].to_string());
        }
        if line.contains("APPPOOL")
            && let Some(parts) = APPCMD.captures(&line)
        {
            pool(line_number(page.number(at)), &parts[1], &parts[2], found);
            page.claim(at, at);
            continue;
        }
        // Get-WebAppPoolState prints no name: the command above it does.
        if line.trim() == "Value"
            && let Some(name) = &asked
            && page.lines.get(at + 1).is_some_and(|rule| rule.trim() == "-----")
            && let Some(state) = page.lines.get(at + 2).map(|state| state.trim())
            && !state.is_empty()
        {
            pool(line_number(page.number(at + 2)), name, state, found);
            page.claim(at, at + 2);
            asked = None;
            continue;
        }
        if let Some(value) = VALUE.captures(&line)
            && let Some(service) = &mut open
        {
            found.kind(Kind::Services);
            if let Some(state) = value.get(1) {
                service.state = state_of(state.as_str());
                service.told = true;
            }
            if let Some(start) = value.get(2) {
                service.start = start.as_str().to_string();
                service.told = true;
            }
            page.claim(service.at, at);
        } else if let Some(name) = NAME.captures(&line)
            && !line.contains("DISPLAY_NAME")
        {
            let same =
                open.as_ref().is_some_and(|open| open.told && open.name.eq_ignore_ascii_case(&name[1]));
            if same {
                // `sc qc` below `sc query`.
                continue;
            }
            if let Some(open) = open.take() {
                open.close(page, found);
            }
            let (name, start) = (name[1].to_string(), String::new());
            open = Some(Open { at, name, state: ServiceState::Unknown, start, told: false });
        } else if open.as_ref().is_some_and(|open| !open.told && at > open.at + 4) {
            open = None;
        }
    }
    if let Some(open) = open {
        open.close(page, found);
    }
}
