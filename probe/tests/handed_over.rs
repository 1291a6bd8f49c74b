//! Containers, encodings, events and logs: what administrators hand over beside a configuration.

mod support;

use std::io::Write;
use std::path::Path;

use support::evtx::{Event, evtx};
use support::zip::{Entry, file, zip};
use wsusprobe::facts::{Input, Kind, LoggedFailure, Phase, Reading, Statement, SyncEvent, read};

const WSUS: &str = "Windows Server Update Services";
const LOG: &str = "2026-03-04 05:00:13.949 UTC\tInfo\tWsusService.49\tThreadEntry\tThreadHelper.ThreadStart\r\n\
2026-03-04 05:00:14.001 UTC\tError\tWsusService.25\tA.B\tSystem.Net.WebException: The remote name could not be resolved: 'sws.update.microsoft.com'\r\n   at ServerSyncLib.InternetGetServerAuthConfig()\r\n";

fn given(content: impl Into<Vec<u8>>) -> Reading {
    read(&[Input::bytes("given", content)])
}

fn problems(reading: &Reading) -> Vec<String> {
    reading.problems.iter().map(|problem| problem.to_string()).collect()
}

fn failures(reading: &Reading) -> Vec<(&str, Option<u32>, &str, &LoggedFailure)> {
    reading
        .facts
        .iter()
        .filter_map(|fact| match &fact.statement {
            Statement::LogFailure { process, failure, .. } => {
                Some((fact.source.file.as_str(), fact.source.line, process.as_str(), failure))
            }
            _ => None,
        })
        .collect()
}

fn steps(reading: &Reading) -> Vec<(Option<u32>, SyncEvent, String)> {
    let steps = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::LogSync { event, .. } => {
            Some((fact.source.line, *event, fact.time.map_or_else(String::new, |time| time.to_string())))
        }
        _ => None,
    });
    steps.collect()
}

fn events(reading: &Reading) -> Vec<(&str, u32, u64)> {
    let events = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::Event { provider, event, count, .. } => Some((provider.as_str(), *event, *count)),
        _ => None,
    });
    events.collect()
}

fn configuration(reading: &Reading) -> Vec<(u32, &str)> {
    let config = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::Config { property, .. } => Some((fact.source.line.unwrap(), property.as_str())),
        _ => None,
    });
    config.collect()
}

fn jumps(reading: &Reading) -> Vec<(Option<u32>, String)> {
    let jumps = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::ClockJump { from } => Some((fact.source.line, from.to_string())),
        _ => None,
    });
    jumps.collect()
}

fn sws() -> LoggedFailure {
    LoggedFailure::NameNotResolved { host: "sws.update.microsoft.com".into() }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts").join(name)).unwrap()
}

mod containers {
    use super::*;

    #[test]
    fn a_folder_is_walked_and_its_links_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("logs");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("SoftwareDistribution.log"), LOG).unwrap();
        std::fs::write(folder.path().join("config.txt"), "UseProxy : True\n").unwrap();
        std::fs::write(folder.path().join("photo.png"), b"\x89PNG\r\n\x1a\n\0\0").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&inner, folder.path().join("again")).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link")).unwrap();
        }
        let name = folder.path().to_string_lossy().into_owned();
        let reading = read(&[Input::file(name.clone())]);
        let log = format!("{name}/logs/SoftwareDistribution.log");
        assert_eq!(failures(&reading), [(log.as_str(), Some(2), "WsusService", &sws())]);
        assert!(reading.kinds.contains(&(name.clone(), Kind::Folder)));
        assert!(reading.kinds.contains(&(log, Kind::ServerLog)));
        let found: Vec<&str> = reading.problems.iter().map(|problem| problem.found.as_str()).collect();
        let link = "a link, which is not followed";
        assert_eq!(found, if cfg!(unix) { vec![link, link, "a picture"] } else { vec!["a picture"] });
        assert_eq!(reading.problems.last().unwrap().file, format!("{name}/photo.png"));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_a_folder_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        let reading = read(&[Input::file(folder.path().to_string_lossy())]);
        assert_eq!(reading.problems.len(), 1);
        assert_eq!(reading.problems[0].found, "a pipe, a socket or a device");
    }

    #[test]
    fn an_archive_and_one_inside_it_say_what_their_files_say() {
        let inner = zip(&[file("b/SoftwareDistribution.log", LOG.as_bytes())]);
        let outer =
            zip(&[file("a/config.txt", b"UseProxy : True\n"), file("a/", b""), file("logs.zip", &inner)]);
        for stored in [&outer, &zip(&[Entry { deflated: false, ..file("bundle.zip", &inner) }])] {
            let reading = given(stored.clone());
            assert!(reading.problems.is_empty(), "{:?}", reading.problems);
            assert_eq!(failures(&reading).len(), 1);
            assert!(failures(&reading)[0].0.ends_with(".zip/b/SoftwareDistribution.log"));
        }
        let reading = given(outer.clone());
        assert_eq!(reading.facts[0].source.file, "given/a/config.txt");
        // On disk, where it is not held in memory.
        let mut named = tempfile::NamedTempFile::new().unwrap();
        named.write_all(&outer).unwrap();
        assert_eq!(failures(&read(&[Input::file(named.path().to_string_lossy())])).len(), 1);
        // Two deep and no deeper.
        let third = zip(&[file("2.zip", &zip(&[file("1.zip", &inner)]))]);
        assert!(problems(&given(third))[0].contains("archives that lie at most two deep"));
    }

    #[test]
    fn what_an_archive_cannot_give_costs_itself_alone() {
        let good = file("good.log", LOG.as_bytes());
        let archive = zip(&[
            file("../../etc/passwd", b"UseProxy : True\n"),
            Entry { flags: 1, ..file("secret.txt", b"x") },
            Entry { method: Some(14), ..file("lzma.txt", b"x") },
            Entry { mode: 0o120_777, ..file("link", b"/etc/passwd") },
            Entry { wrong_sum: true, ..file("sum.log", LOG.as_bytes()) },
            good,
        ]);
        let reading = given(archive);
        assert_eq!(
            problems(&reading),
            [
                "given/secret.txt: expected a file without a password, found an encrypted one",
                "given/lzma.txt: expected a file that is stored or deflated, found one packed by method 14",
                "given/link: expected a readable file, found a link, which is not followed",
                "given/sum.log:3: expected a readable file, found content that does not fit its checksum",
            ]
        );
        assert_eq!(reading.facts[0].source.file, "given/(..)/(..)/etc/passwd");
        assert_eq!(failures(&reading).len(), 2, "what came before a wrong checksum is kept");
    }

    #[test]
    fn a_bomb_is_bounded() {
        let text = format!("{}\n", "x".repeat(60_000)).repeat(320).into_bytes();
        let reading = given(zip(&[file("bomb.txt", &text), file("good.log", LOG.as_bytes())]));
        assert_eq!(
            problems(&reading)[0].split(": ").nth(1).unwrap(),
            "expected a readable file, found more than 250 times its packed size"
        );
        assert_eq!(failures(&reading).len(), 1);
        // What is binary is not unpacked past its beginning.
        let nothing = vec![0; 20 * 1024 * 1024];
        let reading = given(zip(&[file("zeros", &nothing)]));
        assert_eq!(problems(&reading).len(), 1);
        assert!(problems(&reading)[0].contains("an unknown binary format"));
    }

    #[test]
    fn more_files_than_anybody_has_are_one_problem() {
        let many: Vec<Entry> = (0..20_100).map(|_| Entry { mode: 0o120_777, ..file("a", b"b") }).collect();
        let reading = given(zip(&many));
        assert_eq!(reading.problems.len(), 20_001);
        let last = reading.problems.last().unwrap();
        assert_eq!(last.expected, "at most 20,000 files in one folder or archive");
    }

    #[test]
    fn every_cut_of_an_archive_is_one_problem() {
        let whole = zip(&[file("a.log", LOG.as_bytes()), file("b.txt", b"UseProxy : True\n")]);
        for end in 4..whole.len() {
            let reading = given(&whole[..end]);
            assert_eq!(reading.problems.len(), 1, "{end}");
            assert_eq!(reading.kinds[0].1, Kind::Archive);
        }
    }

    #[test]
    fn an_office_document_is_named() {
        let reading = given(zip(&[file("[Content_Types].xml", b"<x/>"), file("word/document.xml", b"<x/>")]));
        assert_eq!(reading.problems.len(), 1);
        assert_eq!(reading.problems[0].found, "an Office document");
    }
}

mod encodings {
    use super::*;

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    }

    #[test]
    fn a_log_says_the_same_in_every_encoding_and_disguise() {
        let marked =
            |mark: &str| LOG.lines().map(|line| format!("{mark}{line}\n")).collect::<String>().into_bytes();
        let forms: Vec<(&str, Vec<u8>)> = vec![
            ("as it is", LOG.into()),
            ("lf", LOG.replace("\r\n", "\n").into()),
            ("cr", LOG.replace("\r\n", "\r").into()),
            ("utf-8 with a mark", [b"\xef\xbb\xbf", LOG.as_bytes()].concat()),
            ("utf-16le with a mark", [b"\xff\xfe".to_vec(), utf16(LOG, false)].concat()),
            ("utf-16be with a mark", [b"\xfe\xff".to_vec(), utf16(LOG, true)].concat()),
            ("utf-16le", utf16(LOG, false)),
            ("utf-16be", utf16(LOG, true)),
            ("quoted", marked("> ")),
            ("hash", marked("# ")),
            ("slashes", marked("// ")),
            ("semicolon", marked("; ")),
            ("rem", marked("REM ")),
            ("indented", marked("        ")),
        ];
        for (name, bytes) in forms {
            let reading = given(bytes);
            assert_eq!(failures(&reading), [("given", Some(2), "WsusService", &sws())], "{name}");
            let fact = reading.facts.iter().find(|f| matches!(f.statement, Statement::LogFailure { .. }));
            let fact = fact.unwrap();
            assert_eq!(fact.time.unwrap().to_string(), "2026-03-04T05:00:14.001Z", "{name}");
            assert_eq!(fact.zone.as_deref(), Some("UTC"), "{name}");
            let Statement::LogFailure { phase, .. } = fact.statement else { unreachable!() };
            assert_eq!(phase, Some(Phase::FirstContact), "{name}");
        }
    }

    #[test]
    fn a_line_that_is_a_comment_is_not_in_effect() {
        let reading = given("UseProxy : True\n# ProxyName : other.example\n");
        let config = reading.facts.iter().filter(|fact| matches!(fact.statement, Statement::Config { .. }));
        assert_eq!(config.count(), 1);
    }

    #[test]
    fn code_pages_cost_no_more_than_letters() {
        for (name, excerpt) in [
            ("german-850.log", "Der Remotename konnte nicht aufgelöst werden"),
            ("german-1252.log", "Der Remotename konnte nicht aufgelöst werden"),
            ("french-850.log", "Le nom distant n'a pas pu être résolu"),
            ("french-1252.log", "Le nom distant n'a pas pu être résolu"),
        ] {
            let reading = given(fixture(name));
            assert_eq!(failures(&reading), [("given", Some(2), "WsusService", &sws())], "{name}");
            let told = format!("{reading:?}");
            assert!(told.contains(excerpt), "{name}: {told}");
        }
        for name in ["russian-866.txt", "russian-1251.txt"] {
            let reading = given(fixture(name));
            assert_eq!(events(&reading), [(WSUS, 10022, 1)], "{name}");
            assert_eq!(steps(&reading).len(), 1, "{name}");
            let told = format!("{reading:?}");
            assert!(told.contains("Последняя попытка синхронизации"), "{name}: {told}");
        }
    }

    #[test]
    fn a_failure_that_is_broken_over_two_lines_is_found() {
        let reading = given(
            "somebody wrote that his server says WebException: The remote name could not be re\nsolved: 'sws.update.microsoft.com' and nothing else\n",
        );
        assert_eq!(failures(&reading), [("given", Some(1), "", &sws())]);
        let pasted = reading.facts.iter().any(|fact| matches!(&fact.statement, Statement::PastedText { .. }));
        assert!(pasted, "what nobody vouches for is marked");
        assert_eq!(reading.kinds[0].1, Kind::PastedText);
    }
}

mod event_logs {
    use super::*;

    fn event(provider: &'static str, id: u32, time: &'static str, data: &[&str]) -> Event {
        let data = data.iter().map(|text| ("", text.to_string())).collect();
        Event { provider, id, time, computer: "WSUS1.example.test", data }
    }

    fn log() -> Vec<u8> {
        evtx(&[
            vec![
                event(WSUS, 382, "2026-03-04T05:00:00Z", &[]),
                event(
                    WSUS,
                    386,
                    "2026-03-04T05:00:14Z",
                    &["The remote name could not be resolved: 'sws.update.microsoft.com'"],
                ),
                event("Some Other Program", 386, "2026-03-04T05:00:15Z", &["x"]),
                event(WSUS, 10022, "2026-03-04T05:00:16Z", &[]),
            ],
            vec![
                event("Schannel", 36871, "2026-03-04T06:00:00Z", &["client", "10013"]),
                event("Schannel", 36871, "2026-03-04T06:01:00Z", &["client", "10011"]),
                event(
                    "Microsoft-Windows-Kernel-General",
                    1,
                    "2026-03-04T06:02:00Z",
                    &["2026-03-04T06:02:00Z"],
                ),
                event("Microsoft-Windows-Kernel-General", 12, "2026-03-04T06:02:00Z", &["boot"]),
                event("Service Control Manager", 7031, "2026-03-04T06:03:00Z", &["WSUS Service", "1"]),
                event("Service Control Manager", 7036, "2026-03-04T06:03:00Z", &["Print Spooler", "stopped"]),
                event("Microsoft-Windows-WAS", 5002, "2026-03-04T06:04:00Z", &["WsusPool"]),
                event("Microsoft-Windows-WAS", 5002, "2026-03-04T06:04:00Z", &["DefaultAppPool"]),
                event(
                    "Microsoft-Windows-WindowsUpdateClient",
                    19,
                    "2026-03-04T06:05:00Z",
                    &["2026-02 Update (KB5012345)"],
                ),
                event(
                    "Microsoft-Windows-WindowsUpdateClient",
                    20,
                    "2026-03-04T06:05:00Z",
                    &["2026-02 Update (KB5099999)"],
                ),
            ],
            vec![event(WSUS, 384, "2026-03-05T05:00:14Z", &[])],
        ])
    }

    const KEPT: [(&str, u32, u64); 5] = [
        (WSUS, 10022, 1),
        ("Schannel", 36871, 2),
        ("Microsoft-Windows-Kernel-General", 1, 1),
        ("Service Control Manager", 7031, 1),
        ("Microsoft-Windows-WAS", 5002, 1),
    ];

    #[test]
    #[cfg(feature = "evtx")]
    fn a_binary_log_is_read_by_number() {
        let reading = given(log());
        assert!(reading.problems.is_empty(), "{:?}", reading.problems);
        assert_eq!(reading.kinds[0].1, Kind::Events);
        assert_eq!(events(&reading), KEPT);
        let times: Vec<_> = steps(&reading).into_iter().map(|(_, event, time)| (event, time)).collect();
        assert_eq!(
            times,
            [
                (SyncEvent::Started, "2026-03-04T05:00:00Z".into()),
                (SyncEvent::Failed, "2026-03-04T05:00:14Z".into()),
                (SyncEvent::Succeeded, "2026-03-05T05:00:14Z".into()),
            ]
        );
        assert_eq!(failures(&reading), [("given", None, "", &sws())]);
        let stated = |wanted: &Statement| reading.facts.iter().any(|fact| fact.statement == *wanted);
        assert!(stated(&Statement::ServerName { name: "WSUS1.example.test".into() }));
        assert!(stated(&Statement::InstalledUpdate { update: "KB5012345".into() }));
        assert!(!stated(&Statement::InstalledUpdate { update: "KB5099999".into() }));
        let schannel = reading.facts.iter().find(
            |fact| matches!(&fact.statement, Statement::Event { event: 36871, excerpt, .. } if excerpt == "client 10011"),
        );
        assert_eq!(schannel.unwrap().time.unwrap().to_string(), "2026-03-04T06:01:00Z");
    }

    #[test]
    #[cfg(feature = "evtx")]
    fn a_damaged_chunk_costs_itself_alone() {
        let whole = log();
        let mut damaged = whole.clone();
        damaged[4096 + 65536..4096 + 65536 + 64].fill(0xaa);
        let reading = given(damaged);
        assert_eq!(events(&reading), [(WSUS, 10022, 1)]);
        assert_eq!(steps(&reading).len(), 3);
        assert_eq!(
            problems(&reading),
            [
                "given: expected an event log whose chunks are whole, found 1 damaged, the first of them chunk 2, which has no beginning; 0 of the records seen could not be read"
            ]
        );
        // A record that is overwritten costs itself; what can be read behind it is.
        let mut damaged = whole.clone();
        let second = 4096 + 512 + 24 + 100;
        damaged[second..second + 40].fill(0xff);
        let reading = given(damaged);
        assert_eq!(problems(&reading).len(), 1);
        assert!(events(&reading).len() >= 4, "{:?}", events(&reading));
        // Cut anywhere.
        for end in (8..whole.len()).step_by(997) {
            let reading = given(&whole[..end]);
            let even = end >= 4096 && (end - 4096) % 65536 == 0;
            assert!(reading.problems.len() == usize::from(!even) || end > whole.len() - 60_000, "{end}");
        }
    }

    #[test]
    #[cfg(feature = "evtx")]
    fn any_byte_of_a_binary_log_may_be_wrong() {
        let whole = log();
        for at in (4096..4096 + 6000).step_by(7) {
            for value in [0, 0xff, whole[at] ^ 0x40] {
                let mut changed = whole.clone();
                changed[at] = value;
                let reading = given(changed);
                assert!(reading.problems.len() <= 1);
                assert!(steps(&reading).iter().any(|(_, event, _)| *event == SyncEvent::Succeeded), "{at}");
            }
        }
    }

    #[test]
    fn xml_says_the_same() {
        let record = |provider: &str, id: u32, time: &str, data: &str| {
            format!(
                "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='{provider}'/><EventID>{id}</EventID><EventRecordID>77</EventRecordID><TimeCreated SystemTime='{time}'/><Computer>WSUS1.example.test</Computer></System><EventData>{data}</EventData></Event>\n"
            )
        };
        let reading = given(format!(
            "<?xml version=\"1.0\"?>\n<Events>{}{}{}</Events>",
            record(
                "Schannel",
                36871,
                "2026-03-04T06:01:00Z",
                "<Data Name='Type'>client</Data><Data Name='ErrorState'>10011</Data>"
            ),
            record(
                "Schannel",
                36871,
                "2026-03-04T06:00:00Z",
                "<Data Name='Type'>client</Data><Data Name='ErrorState'>10013</Data>"
            ),
            record(
                "Microsoft-Windows-WindowsUpdateClient",
                19,
                "2026-03-04T06:05:00Z",
                "<Data Name='updateTitle'>2026-02 (KB5012345)</Data>"
            ),
        ));
        assert_eq!(events(&reading), [("Schannel", 36871, 2)]);
        // Exports begin with the newest.
        let fact =
            reading.facts.iter().find(|fact| matches!(fact.statement, Statement::Event { .. })).unwrap();
        assert_eq!((fact.source.line, fact.zone.as_deref()), (Some(2), Some("UTC")));
        assert!(matches!(&fact.statement, Statement::Event { excerpt, .. } if excerpt == "client 10011"));
        assert!(
            reading
                .facts
                .iter()
                .any(|fact| fact.statement == Statement::InstalledUpdate { update: "KB5012345".into() })
        );
    }

    #[test]
    fn what_the_viewer_copies_is_read_in_any_language() {
        let reading = given(fixture("events-german.txt"));
        assert_eq!(events(&reading), [("Schannel", 36871, 1)]);
        let fact =
            reading.facts.iter().find(|fact| matches!(fact.statement, Statement::Event { .. })).unwrap();
        assert_eq!(fact.time.unwrap().to_string(), "2026-03-04T05:00:14.5Z");
        assert_eq!((fact.source.line, fact.zone.as_deref()), (Some(1), Some("UTC")));
        assert_eq!(failures(&reading), [("given", Some(20), "", &sws())]);
        assert_eq!(steps(&reading), [(Some(20), SyncEvent::Failed, "2026-03-04T06:01:00Z".into())]);
        let failed =
            reading.facts.iter().find(|fact| matches!(fact.statement, Statement::LogSync { .. })).unwrap();
        assert_eq!(failed.zone, None, "a local time of nobody knows where");
        assert!(
            reading
                .facts
                .iter()
                .any(|fact| fact.statement == Statement::ServerName { name: "WSUS1.example.test".into() })
        );
    }

    #[test]
    fn comma_separated_events_are_read() {
        let reading = given(fixture("events.csv"));
        assert!(reading.problems.is_empty(), "{:?}", reading.problems);
        assert_eq!(reading.kinds[0].1, Kind::Events);
        assert_eq!(events(&reading), [(WSUS, 12012, 1), (WSUS, 10022, 1)]);
        assert_eq!(steps(&reading), [(Some(3), SyncEvent::Failed, "2026-03-14T06:00:14Z".into())]);
        assert_eq!(failures(&reading), [("given", Some(3), "", &sws())]);
        let viewer = given(fixture("events-viewer-german.csv"));
        assert!(viewer.problems.is_empty(), "{:?}", viewer.problems);
        assert_eq!(events(&viewer), [("Schannel", 36871, 1)]);
        assert_eq!(steps(&viewer).len(), 2);
    }

    #[test]
    fn a_quote_that_is_missing_costs_its_own_record() {
        let whole = String::from_utf8(fixture("events.csv")).unwrap();
        let broken = whole.replace("working.\",\"12012\"", "working.,\"12012\"");
        let reading = given(broken);
        assert_eq!(
            problems(&reading),
            ["given:5: expected a record whose quotes are closed, found a quote that stays open"]
        );
        assert_eq!(events(&reading), [(WSUS, 10022, 1)]);
        assert_eq!(steps(&reading).len(), 1);
        // The very last one.
        let reading = given(whole.trim_end().trim_end_matches('"'));
        assert_eq!(problems(&reading).len(), 1);
        assert_eq!(events(&reading).len(), 2);
    }

    #[test]
    fn a_prompt_is_no_heading_and_what_follows_an_export_is_read() {
        let list = "PS C:\\> Get-WinEvent -MaxEvents 1 | fl TimeCreated,ProviderName,Id,Message\n\nTimeCreated  : 04.03.2026 06:00:14\nProviderName : Windows Server Update Services\nId           : 10022\nMessage      : x\n";
        let reading = given(list);
        assert_eq!(problems(&reading), [] as [&str; 0]);
        assert_eq!(events(&reading), [(WSUS, 10022, 1)]);
        let settings = "\n\nPS C:\\> $config | fl *\n\nUseProxy  : True\nProxyName : a, \"b\n";
        let exported = String::from_utf8(fixture("events.csv")).unwrap();
        for (export, first) in [(exported.clone(), 8), (format!("PS C:\\> a | ConvertTo-Csv\n{exported}"), 9)]
        {
            let alone = given(exported.clone());
            let both = given(export + settings);
            assert_eq!(problems(&both), [] as [&str; 0]);
            assert_eq!(events(&both), events(&alone));
            assert_eq!(steps(&both)[0].1, steps(&alone)[0].1);
            assert!(steps(&alone).len() == 1);
            assert_eq!(configuration(&both), [(first + 4, "UseProxy"), (first + 5, "ProxyName")]);
        }
    }

    #[test]
    fn what_content_and_the_console_meet_is_no_failure_of_synchronization() {
        let list = |id: u32, message: &str| {
            format!(
                "TimeCreated  : 04.03.2026 06:00:14\nProviderName : {WSUS}\nId           : {id}\nMessage      : {message}\n"
            )
        };
        let reading =
            given(list(364, "Inhalt. Ursache: The request failed with HTTP status 404: Not Found."));
        let phase = reading.facts.iter().find_map(|fact| match fact.statement {
            Statement::LogFailure { phase, .. } => Some(phase),
            _ => None,
        });
        assert_eq!(phase, Some(Some(Phase::Content)));
        let reading =
            given(list(7053, "System.Net.WebException: The request failed with HTTP status 503: x"));
        assert!(failures(&reading).is_empty());
        assert!(reading.facts.iter().any(|fact| matches!(fact.statement, Statement::Console { .. })));
    }
}

mod logs {
    use super::*;

    #[test]
    fn changes_are_kept_and_a_change_log_claims_nothing_else() {
        let reading = given(fixture("change.log"));
        assert_eq!(reading.kinds[0].1, Kind::ServerLog);
        let says: Vec<_> = reading
            .facts
            .iter()
            .map(|fact| match &fact.statement {
                Statement::Change { says } => (fact.source.line.unwrap(), says.as_str()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            says,
            [
                (1, "Synchronization manually started"),
                (2, r"WSUS configuration has been changed by EXAMPLE\admin")
            ]
        );
        let many = format!("{LOG}{}", "2026-03-04 06:00:00.001 UTC\tChange\tw3wp.6\tA.B\tx\n".repeat(1000));
        let reading = given(many);
        let changes = reading.facts.iter().filter(|f| matches!(f.statement, Statement::Change { .. }));
        assert_eq!(
            changes.map(|f| f.source.line.unwrap()).collect::<Vec<_>>(),
            (748..1004).collect::<Vec<_>>()
        );
        assert!(reading.facts.iter().any(|f| matches!(f.statement, Statement::Log { .. })));
    }

    #[test]
    fn a_clock_that_goes_back_is_told() {
        let line = |time: &str| {
            format!("2026-03-04 {time} UTC\tInfo\tWsusService.49\tThreadEntry\tThreadHelper.ThreadStart\n")
        };
        let log: String =
            ["05:00:00.000", "04:59:59.900", "05:30:00.000", "04:31:00.000", "06:00:00.000", "04:00:00.000"]
                .map(line)
                .concat();
        let reading = given(log.clone());
        assert_eq!(jumps(&reading), [(Some(6), "2026-03-04T06:00:59Z".to_string())]);
        let jump = reading.facts.iter().find(|f| matches!(f.statement, Statement::ClockJump { .. })).unwrap();
        assert_eq!(jump.time.unwrap().to_string(), "2026-03-04T04:00:00Z");
        // The same in a text that is not the log alone.
        let reading = given(format!("my log:\n{log}"));
        assert_eq!(jumps(&reading).iter().map(|jump| jump.0).collect::<Vec<_>>(), [Some(7)]);
        let forth_and_back = [line("09:00:00.000"), line("01:00:00.000")].concat().repeat(500);
        assert_eq!(jumps(&given(forth_and_back)).len(), 64);
    }

    #[test]
    fn configuration_manager_tells_its_zone() {
        let reading = given(fixture("wsyncmgr-tagged.log"));
        assert_eq!(reading.kinds[0].1, Kind::ManagerLog);
        assert_eq!(
            steps(&reading),
            [
                (Some(2), SyncEvent::Started, "2026-03-04T05:10:01Z".into()),
                (Some(3), SyncEvent::Failed, "2026-03-04T05:10:11.123Z".into()),
                (Some(6), SyncEvent::Succeeded, "2026-03-04T07:00:00Z".into()),
            ]
        );
        assert_eq!(failures(&reading), [("given", Some(3), "SMS_WSUS_SYNC_MANAGER", &sws())]);
        let zones: Vec<_> = reading.facts.iter().filter_map(|fact| fact.zone.as_deref()).collect();
        assert!(zones.len() >= 4 && zones.iter().all(|zone| *zone == "+01:00"), "{zones:?}");
        let plain = given(fixture("wcm.log"));
        assert_eq!(plain.kinds[0].1, Kind::ManagerLog);
        assert_eq!(
            failures(&plain),
            [("given", Some(2), "SMS_WSUS_CONFIGURATION_MANAGER", &LoggedFailure::HttpStatus { code: 503 })]
        );
        assert_eq!(jumps(&plain), [(Some(3), "2026-03-04T10:10:11Z".to_string())]);
        // Without the failed line the status message alone tells.
        let text = String::from_utf8(fixture("wsyncmgr-tagged.log")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let reading = given([lines[0], lines[1], lines[4], lines[5]].join("\n"));
        assert_eq!(steps(&reading)[1].1, SyncEvent::Failed);
    }

    fn answers(reading: &Reading) -> Vec<(&str, u16, u16, &str, u64, u32)> {
        let answers = reading.facts.iter().filter_map(|fact| match &fact.statement {
            Statement::IisAnswer { directory, status, substatus, reason, count } => {
                assert_eq!(fact.zone.as_deref(), Some("UTC"));
                Some((
                    directory.as_str(),
                    *status,
                    *substatus,
                    reason.as_str(),
                    *count,
                    fact.source.line.unwrap(),
                ))
            }
            _ => None,
        });
        answers.collect()
    }

    #[test]
    fn answers_of_iis_are_counted() {
        let reading = given(fixture("u_ex260304.log"));
        assert_eq!(reading.kinds[0].1, Kind::WebLog);
        assert_eq!(
            answers(&reading),
            [
                ("/ServerSyncWebService", 200, 0, "", 1, 5),
                ("/ServerSyncWebService", 500, 24, "", 2, 7),
                ("/Content", 401, 3, "", 1, 9),
            ]
        );
        let reading = given(fixture("httperr1.log"));
        let refused = [
            ("/SimpleAuthWebService", 503, 0, "AppOffline", 2, 6),
            ("/ClientWebService", 0, 0, "Connection_Dropped", 1, 7),
        ];
        assert_eq!(answers(&reading), refused);
        // A line alone, as people paste it.
        let pasted = given(
            "2017-05-08 05:03:53 203.0.113.144 56433 203.0.113.4 80 HTTP/1.1 POST /SimpleAuthWebService/SimpleAuth.asmx 503 707060612 AppOffline WsusPool\n",
        );
        assert_eq!(answers(&pasted), [("/SimpleAuthWebService", 503, 0, "AppOffline", 1, 1)]);
        let odd = given(
            "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time c-ip\n2026-03-04 05:00:00 x\n",
        );
        assert_eq!(odd.problems.len(), 1);
    }

    #[test]
    fn what_follows_a_log_in_the_same_file_is_read() {
        let settings = "\nPS C:\\> $config | fl *\n\nUseProxy  : True\nProxyName : proxy.example.com\n";
        for name in ["wsyncmgr-tagged.log", "wsyncmgr.log", "wcm.log", "u_ex260304.log", "httperr1.log"] {
            let log = String::from_utf8(fixture(name)).unwrap();
            let lines = log.lines().count() as u32;
            let alone = given(log.clone());
            // Before, between and behind its lines.
            let (head, tail) = log.split_at(log.trim_end().rfind('\n').map_or(0, |end| end + 1));
            for both in [given(format!("{log}{settings}")), given(format!("{head}{settings}{tail}"))] {
                assert_eq!(problems(&both), [] as [&str; 0], "{name}");
                let without =
                    both.facts.iter().filter(|fact| !matches!(fact.statement, Statement::Config { .. }));
                assert!(
                    without.map(|fact| &fact.statement).eq(alone.facts.iter().map(|fact| &fact.statement)),
                    "{name}"
                );
                assert_eq!(configuration(&both).len(), 2, "{name}");
            }
            let both = given(format!("{log}{settings}"));
            assert_eq!(both.kinds[0].1, alone.kinds[0].1, "{name}");
            assert_eq!(configuration(&both), [(lines + 4, "UseProxy"), (lines + 5, "ProxyName")], "{name}");
        }
    }

    #[test]
    fn every_cut_of_a_log_is_survived() {
        for name in [
            "wsyncmgr-tagged.log",
            "wcm.log",
            "u_ex260304.log",
            "httperr1.log",
            "events.csv",
            "events-german.txt",
            "change.log",
        ] {
            let whole = fixture(name);
            for end in 1..whole.len() {
                let reading = given(&whole[..end]);
                assert!(reading.problems.len() <= 1, "{name} cut at {end}: {:?}", reading.problems);
            }
        }
    }
}

mod bad_input {
    use super::*;

    /// A file that says it has ten gigabytes.
    fn sparse(begin: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(begin).unwrap();
        file.as_file().set_len(10 * 1024 * 1024 * 1024).unwrap();
        file
    }

    #[test]
    fn ten_gigabytes_of_nothing_are_recognised_by_their_beginning() {
        let mut gif = b"GIF89a".to_vec();
        gif.extend_from_slice(&[0, 1, 2, 3]);
        for (begin, found) in [
            (&b""[..], "an unknown binary format"),
            (&gif[..], "an unknown binary format"),
            (b"PK\x03\x04", "a damaged one"),
            (b"MZ\x90\0", "a Windows program or library"),
        ] {
            let file = sparse(begin);
            let started = std::time::Instant::now();
            let reading = read(&[Input::file(file.path().to_string_lossy())]);
            assert!(started.elapsed().as_secs() < 2);
            assert_eq!(reading.problems.len(), 1);
            assert!(reading.problems[0].found.starts_with(found), "{:?}", reading.problems);
        }
        #[cfg(feature = "evtx")]
        {
            let reading = read(&[Input::file(sparse(b"ElfFile\0").path().to_string_lossy())]);
            assert_eq!(reading.kinds[0].1, Kind::Events);
        }
    }

    #[test]
    fn a_document_type_and_ten_thousand_levels() {
        let lol = "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><Events><Event ><System><Provider Name=\"Schannel\"/><EventID>36871</EventID></System><EventData><Data>&b;</Data></EventData></Event></Events>";
        let reading = given(lol);
        assert_eq!(events(&reading), [("Schannel", 36871, 1)]);
        assert!(format!("{reading:?}").contains("&b;"), "an entity of its own is not expanded");
        let deep = format!("<Events><Event >{}", "<a>".repeat(10_000));
        assert_eq!(
            problems(&given(deep)),
            ["given:1: expected XML that is at most 200 deep, found a deeper one"]
        );
    }

    #[test]
    fn an_endless_line_is_passed_over() {
        struct Line(u64);
        impl std::io::Read for Line {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                let n = self.0.min(into.len() as u64) as usize;
                into[..n].fill(b'x');
                self.0 -= n as u64;
                Ok(n)
            }
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(LOG.as_bytes()).unwrap();
        std::io::copy(&mut Line(64 * 1024 * 1024), file.as_file_mut()).unwrap();
        file.write_all(b"\r\n").unwrap();
        file.write_all(LOG.replace("05:00", "06:00").as_bytes()).unwrap();
        let reading = read(&[Input::file(file.path().to_string_lossy())]);
        let Statement::LogFailure { count, .. } = &reading
            .facts
            .iter()
            .find(|f| matches!(f.statement, Statement::LogFailure { .. }))
            .unwrap()
            .statement
        else {
            unreachable!()
        };
        assert_eq!(*count, 2);
        for begin in [
            "#Software: Microsoft Internet Information Services 10.0\r\n#Fields: date time cs-uri-stem sc-status\r\n",
            "<![LOG[",
            "\"Message\",\"Id\",\"ProviderName\",\"x\"\r\n\"",
        ] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(begin.as_bytes()).unwrap();
            std::io::copy(&mut Line(16 * 1024 * 1024), file.as_file_mut()).unwrap();
            let reading = read(&[Input::file(file.path().to_string_lossy())]);
            assert!(reading.problems.len() <= 1, "{:?}", reading.problems);
        }
    }

    #[test]
    fn nothing_talks_to_the_terminal() {
        let evil = "\u{1b}[2J\u{7}\u{9b}31m";
        let archive =
            zip(&[file(&format!("a{evil}.log"), LOG.as_bytes()), file("b", format!("{evil} x").as_bytes())]);
        let csv = format!(
            "\"Message\",\"Id\",\"ProviderName\",\"MachineName\"\n\"{evil}\",\"36871\",\"Schannel\",\"{evil}\"\n"
        );
        let httperr = format!(
            "#Fields: date time cs-uri sc-status s-reason\n2026-03-04 05:00:00 /Content/x 503 {evil}\n"
        );
        let change = format!("2026-03-04 05:00:00.001 UTC\tChange\tw3wp.6\tA.B\t{evil}\n");
        let manager =
            format!("HTTP status 503 {evil} $$<{evil}><03-04-2026 05:10:10.000+300><thread=1 (0x1)>\n");
        for content in [archive, csv.into(), httperr.into(), change.into(), manager.into()] {
            let reading = given(content);
            assert!(!reading.facts.is_empty());
            for fact in &reading.facts {
                let told = serde_json::to_string(fact).unwrap();
                assert!(
                    !told.contains("\\u001b") && !told.contains("\\u0007") && !told.contains('\u{9b}'),
                    "{told}"
                );
            }
        }
    }
}
