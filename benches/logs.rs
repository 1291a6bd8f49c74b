//! A log of a gigabyte through the whole program, beside GNU grep with ten fixed patterns over the same file in the same
//! run. The goals stand in `benches/README.md`; nothing here asserts a time.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use wsusprobe_suite::probe::run;

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_wsusprobe-under-test");
const SIZE: u64 = 1 << 30;
const RUNS: usize = 5;
const DEADLINE: Duration = Duration::from_secs(60);
/// What a log would be searched for by hand.
const PATTERNS: [&str; 10] = [
    "WebException",
    "SoapException",
    "EventId=",
    "SCHANNEL",
    "0x80",
    "HTTP status",
    "underlying connection",
    "could not be resolved",
    "forcibly closed",
    "timed out",
];

fn main() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let mut written = 0;
    let mut number = 0_u64;
    while written < SIZE {
        let block = block(&mut number);
        file.write_all(block.as_bytes()).expect("room for the log");
        written += block.len() as u64;
    }
    let name = file.path().to_string_lossy().into_owned();
    let (mut ours, mut greps, mut peak) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS {
        let mut command = Command::new(PROGRAM);
        command.args(["diagnose", "--no-network", "--trust", "none", "-q", &name]);
        let ran = run(&mut command, DEADLINE);
        assert!(matches!(ran.code, Some(0..=3)), "{:?}\n{}", ran.code, ran.stderr);
        ours.push(ran.took);
        peak = peak.max(ran.peak.unwrap_or(0));
        let mut command = Command::new("grep");
        command.args(["-c", "-F"]).args(PATTERNS.iter().flat_map(|pattern| ["-e", pattern])).arg(&name);
        command.env("LC_ALL", "C");
        let ran = run(&mut command, DEADLINE);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        greps.push(ran.took);
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (ours, grep) = (median(&mut ours), median(&mut greps));
    let times = grep.as_secs_f64() / ours.as_secs_f64();
    println!(
        "log of {written} bytes: ours {ours:?}, grep -c -F {grep:?}, times {times:.2}, most memory {peak} KiB"
    );
}

/// Ten thousand lines or so, as a service writes them: most say nothing, some fail, and each has its own time.
fn block(number: &mut u64) -> String {
    let mut block = String::new();
    for _ in 0..1000 {
        let n = *number;
        *number += 1;
        let (hour, minute, second, milli) = (n / 3_600_000 % 24, n / 60_000 % 60, n / 1000 % 60, n % 1000);
        let day = 1 + n / 86_400_000 % 28;
        let time = format!("2026-06-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03} UTC");
        for what in [
            "Info\tWsusService.49\tThreadEntry\tThreadHelper.ThreadStart",
            "Info\tWsusService.49\tSusEventDispatcher.DispatchManagerWorkerThreadProc\tDispatchManager Worker Thread Processing NotificationEvent: ContentSyncAgent",
            "Info\tw3wp.50\tContentSyncAgent.WakeUpWorkerThreadProc\tServerHealth: Updating Server Health for Component: ContentSyncAgent Running, Marking as Running",
        ] {
            block.push_str(&format!("{time}\t{what}\r\n"));
        }
        if n.is_multiple_of(200) {
            block.push_str(&format!(
                "{time}\tError\tWsusService.25\tWebServiceCommunicationHelper.ProcessWebServiceProxyException\t\
                 ProcessWebServiceProxyException found Exception was WebException. Action: Retry. Exception Details: \
                 System.Net.WebException: Unable to connect to the remote server\r\n   at System.Net.HttpWebRequest.GetRequestStream()\r\n"
            ));
        }
    }
    block
}
