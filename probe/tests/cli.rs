//! The built program from outside: arguments, settings, streams and exit codes.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder of a test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn program(folder: &PathBuf) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsusprobe"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn run(name: &str, line: &[&str]) -> Output {
    program(&folder(name)).args(line).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn usage_is_64_and_says_so_on_standard_error_alone() {
    let lines: &[&[&str]] = &[
        &["nonsense"],
        &["serve"],
        &["--nonsense"],
        &["check"],
        &["check", "upstream"],
        &["check", "ftp://a"],
        &["check", "http://a:0"],
        &["check", "http://a:99999"],
        &["check", "http://a\u{1b}b"],
        &["check", "http://user:hunter2@a"],
        &["check", "http://a", "--until", "wsus"],
        &["check", "http://a", "--timeout", "soon"],
        &["check", "http://a", "-4", "-6"],
        &["check", "http://a", "-o", "html"],
        &["check", "http://a", "-o", "json", "-o", "text"],
        &["check", "http://a", "-o", "json=no/such/folder/x"],
        &["check", "http://a", "--dns", "name"],
        &["check", "http://a", "--only", "everything"],
        &["check", "http://a", "--at", "yesterday"],
        &["verify", "log"],
        &["verify", "--since", "yesterday", "log"],
        &["check", "http://a", "--proxy", "http://user:hunter2@proxy"],
        &["check", "http://a", "--proxy", "http://user:hunter2@proxy:3128/path"],
        &["check", "http://a", "--proxy", "https://user:hunter2@proxy:3128"],
        &["check", "http://a", "--proxy-password-fd", "0"],
        &["check", "http://a", "--proxy-user", "user", "--proxy-password-fd", "hunter2"],
        &["check", "http://a", "--proxy-user", "user", "--proxy-password-fd", "4040"],
        &["check", "http://a", "--proxy-user", "user:hunter2"],
        &["check", "http://a", "--cacert", "absent.pem"],
        &["check", "http://a", "--anchor", "*=absent.pem"],
        &["check", "http://a", "--config", "absent.toml"],
        &["http://user:hunter2@a"],
        &["tls", "a", "--as", "ws2003"],
        &["tls", "a", "--plan", "sideways"],
        &["tls", "a", "--rate", "0"],
        &["tls", "a/b c"],
        &["explain"],
        &["explain", "trust/missing-intermediat"],
        &["explain", "0xC0FFEE00"],
        &["explain", "WININET_E_TIMEOU"],
        &["explain", "event:80072EE2"],
        &["explain", "401.99"],
        &["explain", "HTTP 403 substatus 99"],
        &["explain", "10022", "nothing/such"],
        &["explain", "\u{1b}]0;title\u{7}"],
        &["config"],
        &["config", "check", "--config", "absent.toml"],
        &["list", "-o", "json=r.json"],
        &["-o", "short", "list"],
        &["explain", "12002", "-o", "json"],
        &["explain", "12002", "-o", "text=page.txt"],
        &["config", "init", "-o", "json"],
        &["collect", "--script", "-o", "json=r.json"],
        &["collect", "--redact", "everything"],
        &["collect", "--script", "--redact", "names"],
    ];
    for line in lines {
        let output = run("usage", line);
        let says = stderr(&output);
        assert_eq!(output.status.code(), Some(64), "{line:?}: {says}");
        assert!(output.stdout.is_empty(), "{line:?}");
        assert!(says.starts_with("wsusprobe: "), "{line:?}: {says}");
        assert!(!says.contains("hunter2"), "{line:?}: {says}");
        assert!(!says.chars().any(|c| c.is_control() && c != '\n'), "{line:?}: {says:?}");
        assert!(!says.contains("internal error"), "{line:?}: {says}");
    }
}

#[test]
fn a_password_in_a_url_is_taken_with_a_warning_and_said_nowhere() {
    let proxy = "http://user:hunter2@127.0.0.1:1";
    let output = run("warning", &["check", "http://127.0.0.1:1/x", "--proxy", proxy, "-o", "json"]);
    assert!(stderr(&output).contains("warning: the proxy's URL holds a password"), "{}", stderr(&output));
    assert!(stdout(&output).contains("\"proxy-user\": \"user\""), "{}", stdout(&output));
    let shown = run("warning", &["config", "show", "--proxy", proxy]);
    assert!(stdout(&shown).contains("http://127.0.0.1:1"), "{}", stdout(&shown));
    for output in [output, shown] {
        assert!(!stdout(&output).contains("hunter2") && !stderr(&output).contains("hunter2"));
    }
}

#[test]
fn a_bad_url_is_one_line() {
    let says = stderr(&run("one-line", &["check", "http://ok.test", "upstream:8530"]));
    assert_eq!(says.lines().count(), 1, "{says}");
    assert!(says.contains("upstream:8530: a URL begins with http:// or https://"), "{says}");
}

#[test]
fn what_does_not_exist_cannot_be_suppressed() {
    let output = run("suppress", &["check", "http://127.0.0.1:1", "--suppress", "dial/refusd=127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("dial/refusd") && stderr(&output).contains("dial/refused"));
}

#[test]
fn help_and_version_are_answers() {
    for line in
        [&["--help"][..], &["-h"], &["check", "--help"], &["--version"], &["config", "init", "--help"]]
    {
        let output = run("help", line);
        assert_eq!(output.status.code(), Some(0), "{line:?}");
        assert!(stdout(&output).contains("wsusprobe") && output.stderr.is_empty(), "{line:?}");
    }
    assert!(stdout(&run("help", &["--help"])).contains("Exit codes"));
}

#[test]
fn list_has_every_finding_and_explain_its_page() {
    let output = run("list", &["list"]);
    assert_eq!(output.status.code(), Some(0));
    let list = stdout(&output);
    assert!(list.contains("trust/missing-intermediate"));
    let ids: Vec<&str> = list.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(ids.len(), 138);
    let output = run("list", &["explain", "dial/refused"]);
    assert_eq!(output.status.code(), Some(0));
    let page = stdout(&output);
    for part in ["dial/refused", "Where  ", "Never  ", "STEPS", "WHAT WAS SEEN", "CONFIRM BY HAND"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let output = run("list", &["explain", "offline/stale"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("not diagnosed yet"));
    assert!(
        stderr(&run("list", &["explain", "missing-intermediate"])).contains("trust/missing-intermediate")
    );
}

#[test]
fn explain_takes_a_code_in_any_spelling() {
    let timeout = stdout(&run("codes", &["explain", "0x80072EE2"]));
    for part in [
        "WININET_E_TIMEOUT",
        "-2147012894",
        "ON THE SERVER",
        "ON A CLIENT",
        "WHAT IT DOES NOT PROVE",
        "NEVER",
    ] {
        assert!(timeout.contains(part), "{part}\n{timeout}");
    }
    for spelling in
        ["80072ee2", "-2147012894", "2147954402", "hr=80072ee2", "win32:12002", "wininet_e_timeout"]
    {
        let output = run("codes", &["explain", spelling]);
        assert_eq!(output.status.code(), Some(0), "{spelling}: {}", stderr(&output));
        assert_eq!(stdout(&output), timeout, "{spelling}");
    }
    for (line, parts) in [
        (&["explain", "12002"][..], &["Event 12002", "WININET_E_TIMEOUT", "win32:12002"][..]),
        (&["explain", "(800B0109)"], &["CERT_E_UNTRUSTEDROOT", "Seen", "Not proved", "First"]),
        (&["explain", "UssCommunicationError"], &["SynchronizationError:10"]),
        (&["explain", "SynchronizationError:10"], &["UssCommunicationError"]),
        (&["explain", "386"], &["Event 386", "SynchronizationCompletedFailure"]),
        (&["explain", "event:10022"], &["HealthCoreCatalogSyncRed"]),
        (&["explain", "10022"], &["HealthCoreCatalogSyncRed", "WSAEINVAL"]),
        (&["explain", "InvalidCookie"], &["SoapFault:InvalidCookie"]),
        (&["explain", "SoapFault:ServerBusy"], &["SoapFault:ServerBusy"]),
        (&["explain", "403.4"], &["HTTP 403.4", "From memory"]),
        (&["explain", "http:503"], &["HTTP 503"]),
        (&["explain", "EventId=386,Type=Error"], &["Event 386"]),
        (&["explain", "HTTP 403 substatus 16"], &["HTTP 403.16"]),
        (&["explain", "Win32Exception (0x80090331)"], &["SEC_E_ALGORITHM_MISMATCH"]),
        (&["explain", "HTTP 407"], &["HTTP 407"]),
        (&["explain", "HTTP", "407"], &["HTTP 407"]),
        (
            &["explain", "0x8024402C", "dial/refused"],
            &["WU_E_PT_WINHTTP_NAME_NOT_RESOLVED", "dial/refused  ("],
        ),
    ] {
        let output = run("codes", line);
        assert_eq!(output.status.code(), Some(0), "{line:?}: {}", stderr(&output));
        for part in parts {
            assert!(stdout(&output).contains(part), "{line:?}: {part}\n{}", stdout(&output));
        }
    }
    let says = stderr(&run("codes", &["explain", &"x".repeat(100_000)]));
    assert!(says.len() < 400, "{says}");
}

#[test]
fn an_unknown_key_is_shown_with_line_column_and_caret() {
    let folder = folder("unknown-key");
    std::fs::write(folder.join("wsusprobe.toml"), "timeout = \"4s\"\nprox = \"none\"\n").unwrap();
    for line in [&["config", "check"][..], &["check", "http://a.test"], &[]] {
        let output = program(&folder).args(line).output().unwrap();
        let says = stderr(&output);
        assert_eq!(output.status.code(), Some(64), "{says}");
        assert!(says.contains("wsusprobe.toml:2:1: unknown field `prox`") && says.contains("^^^^"), "{says}");
    }
    // What needs no settings is not stopped by them, nor by the form that it has anyway.
    assert_eq!(program(&folder).args(["list", "-o", "text"]).output().unwrap().status.code(), Some(0));
    assert_eq!(program(&folder).arg("list").output().unwrap().status.code(), Some(0));
}

#[test]
fn flags_outrank_the_environment_and_it_the_file() {
    let folder = folder("precedence");
    let file = "timeout = \"1s\"\ndeadline = \"5s\"\nproxy = \"http://proxy.test:3128\"\nonly = [\"dial\"]\n";
    std::fs::write(folder.join("other.toml"), file).unwrap();
    let output = program(&folder)
        .args(["config", "show", "--config", "other.toml", "--timeout", "3s"])
        .env("WSUSPROBE_TIMEOUT", "2s")
        .env("WSUSPROBE_DEADLINE", "6s")
        .env("WSUSPROBE_SKIP", "http, wsus")
        .output()
        .unwrap();
    let shown = stdout(&output);
    for line in [
        "timeout = \"3s\"  # --timeout",
        "deadline = \"6s\"  # WSUSPROBE_DEADLINE",
        "proxy = \"http://proxy.test:3128\"  # other.toml",
        "only = [\"dial\"]  # other.toml",
        "skip = [\"http\", \"wsus\"]  # WSUSPROBE_SKIP",
        "trust = \"system\"  # default",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}{}", stderr(&output));
    }
    // What is shown is a settings file.
    std::fs::write(folder.join("wsusprobe.toml"), &shown).unwrap();
    let output = program(&folder).args(["config", "check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = program(&folder).args(["config", "show"]).env("WSUSPROBE_TIMEOUT", "soon").output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("WSUSPROBE_TIMEOUT: `soon` is not a duration"), "{}", stderr(&output));
}

#[test]
fn a_policy_is_a_flag_a_variable_or_a_key() {
    let folder = folder("policy");
    std::fs::create_dir(folder.join("conf")).unwrap();
    std::fs::write(folder.join("conf/w.toml"), "policy = [\"absent.reg\"]\n").unwrap();
    let ask = |line: &[&str], variable: &str| {
        let tls = ["tls", "127.0.0.1:1", "--no-network", "-q", "-o", "json"];
        let line = [&tls[..], line].concat();
        let output = program(&folder).args(line).env("WSUSPROBE_POLICY", variable).output().unwrap();
        stderr(&output) + &stdout(&output)
    };
    for (line, variable, named) in [
        (&["--policy", "of-the-flag"][..], "of-the-variable", "of-the-flag"),
        (&[], "of-the-variable", "of-the-variable"),
        (&["--config", "conf/w.toml"], "", "absent.reg"),
    ] {
        let said = ask(line, variable);
        assert!(said.contains("input/unreadable") && said.contains(named), "{named}\n{said}");
        assert_eq!(said.contains("of-the-variable"), named == "of-the-variable", "{said}");
    }
    let checked = program(&folder).args(["config", "check", "--config", "conf/w.toml"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(64));
    assert!(stderr(&checked).contains("absent.reg"), "{}", stderr(&checked));
}

#[test]
fn a_variable_of_an_option_is_never_ignored() {
    let folder = folder("variables");
    for (name, value, line) in [
        ("WSUSPROBE_REDACT", "all", &["collect"][..]),
        ("WSUSPROBE_REDACT", "names", &["collect", "--script"]),
        ("WSUSPROBE_SCRIPT", "1", &["collect"]),
        ("WSUSPROBE_PROXY_PASSWORD_FD", "3", &["check", "http://127.0.0.1:1"]),
        ("WSUSPROBE_IPV4", "1", &["check", "http://127.0.0.1:1"]),
    ] {
        let output = program(&folder).args(line).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{name}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{name}");
    }
    let shown = program(&folder).args(["config", "show"]).env("WSUSPROBE_REDACT", "names").output().unwrap();
    assert!(stdout(&shown).contains("redact = \"names\"  # WSUSPROBE_REDACT"), "{}", stdout(&shown));
    // A page needs no settings.
    let page = program(&folder).args(["explain", "12002"]).env("WSUSPROBE_SCRIPT", "1").output().unwrap();
    assert_eq!(page.status.code(), Some(0));
}

#[test]
fn certificates_are_looked_for_beside_the_settings_file() {
    let folder = folder("beside");
    std::fs::create_dir(folder.join("conf")).unwrap();
    std::fs::write(folder.join("conf/ca.pem"), "no certificate").unwrap();
    std::fs::write(folder.join("conf/w.toml"), "cacert = [\"ca.pem\"]\n").unwrap();
    let output = program(&folder).args(["config", "check", "--config", "conf/w.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let says = stderr(&output);
    assert!(says.contains("ca.pem: expected PEM certificates"), "{says}");
}

#[test]
fn init_writes_a_file_that_is_in_order_and_never_over_another() {
    let folder = folder("init");
    let init = || program(&folder).args(["config", "init"]).output().unwrap();
    assert_eq!(init().status.code(), Some(0));
    let written = std::fs::read(folder.join("wsusprobe.toml")).unwrap();
    assert_eq!(program(&folder).args(["config", "check"]).output().unwrap().status.code(), Some(0));
    assert_eq!(init().status.code(), Some(64));
    assert_eq!(std::fs::read(folder.join("wsusprobe.toml")).unwrap(), written);
}

/// On a WSUS server itself it would read that server.
#[cfg(not(windows))]
#[test]
fn alone_where_nothing_can_be_read_it_says_what_to_hand_over() {
    for line in [&[][..], &["diagnose"], &["-q"]] {
        let output = run("alone", line);
        assert_eq!(output.status.code(), Some(65), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
        let says = stderr(&output);
        for part in ["Get-WsusServer", "SoftwareDistribution.log", "wsusprobe diagnose"] {
            assert!(says.contains(part), "{part}\n{says}");
        }
    }
}

#[test]
fn a_file_without_its_command_is_pointed_to_it() {
    let folder = folder("bare-file");
    std::fs::write(folder.join("config.txt"), "").unwrap();
    let output = program(&folder).arg("config.txt").output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("wsusprobe diagnose config.txt"), "{}", stderr(&output));
}

/// A check that opens no socket: what is judged is not the point here, where it goes is.
#[test]
fn reports_go_where_they_are_sent() {
    let folder = folder("outputs");
    let line = [
        "check",
        "http://a.test:8530",
        "--no-network",
        "-o",
        "json=r.json",
        "-o",
        "short",
        "-o",
        "text=r.txt",
    ];
    let output = program(&folder).args(line).args(["--color", "always"]).output().unwrap();
    let said = stdout(&output);
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("r.json")).unwrap()).unwrap();
    let verdict = json["verdict"].as_str().unwrap();
    assert_eq!(json["schema"], 1);
    let last = format!("Verdict: {verdict}");
    assert!(said.lines().last().unwrap().starts_with(&last), "{said}");
    let text = std::fs::read_to_string(folder.join("r.txt")).unwrap();
    assert!(text.lines().last().unwrap().starts_with(&last) && !text.contains('\u{1b}'), "{text}");
    let code =
        ["healthy", "degraded", "faulty", "undetermined"].iter().position(|word| *word == verdict).unwrap();
    assert_eq!(output.status.code(), Some(code as i32), "{}", stderr(&output));
}

#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let mut child =
        program(&folder("pipe")).arg("list").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}

#[test]
fn a_recovery_is_0_and_what_is_none_is_not() {
    let folder = folder("verify");
    let event = |time: &str, id: u32, says: &str| {
        format!(
            "{time} UTC\tInfo\tWsusService.15\tEventLogEventReporter.ReportEvent\tEventId={id},Type=Information,Category=Synchronization,Message={says}\n"
        )
    };
    let failed = event("2026-06-15 01:00:00.000", 386, "Synchronization failed. Reason: x.");
    let good = event("2026-06-15 05:00:00.000", 384, "Synchronization completed successfully.");
    std::fs::write(folder.join("log"), format!("{failed}{good}")).unwrap();
    std::fs::write(folder.join("old"), &failed).unwrap();
    let verify = |since: &str, files: &[&str]| {
        let line = [&["verify", "--since", since, "-o", "short"], files].concat();
        program(&folder).args(line).output().unwrap()
    };
    let recovered = verify("2026-06-15T04:00:00Z", &["log"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", stderr(&recovered));
    assert!(stdout(&recovered).contains("history/recovered"));
    // With an offset the same moment is another text.
    assert_eq!(verify("2026-06-15T06:00:00+02:00", &["log"]).status.code(), Some(0));
    // A run that failed again is told from none since.
    for (since, file, code) in [("2026-06-15T05:30:00Z", "log", 3), ("2026-06-15T00:00:00Z", "old", 1)] {
        let not = verify(since, &[file]);
        assert_eq!(not.status.code(), Some(code), "{since}");
        assert!(!stdout(&not).contains("history/recovered"));
    }
    let nothing = verify("2026-06-15T04:00:00Z", &[]);
    assert_eq!(nothing.status.code(), Some(65));
    // A Windows is asked for its own state.
    let told = ["SoftwareDistribution.log", "this machine has no WSUS"];
    assert!(told.iter().any(|says| stderr(&nothing).contains(says)) && stdout(&nothing).is_empty());
}

#[test]
fn a_saved_report_is_asked_whether_it_has_recovered() {
    let folder = folder("verify-saved");
    let good = "2026-06-15 05:00:00.000 UTC\tInfo\tWsusService.15\tEventLogEventReporter.ReportEvent\tEventId=384,Type=Information,Category=Synchronization,Message=Synchronization completed successfully.\n";
    std::fs::write(folder.join("log"), good).unwrap();
    let line = ["diagnose", "log", "--no-network", "-o", "json=saved.json", "-q"];
    program(&folder).args(line).output().unwrap();
    for (since, code) in [("2026-06-15T04:00:00Z", 0), ("2026-06-15T06:00:00Z", 3)] {
        let output = program(&folder).args(["verify", "--since", since, "saved.json"]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{since}: {}{}", stdout(&output), stderr(&output));
    }
}
