//! Peers that mean harm, and files that are none: the program ends in time, holds little memory, and lets no control
//! character through to a terminal.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use mockups::authority::{Authority, AuthoritySpec, Key, KeyUsage, LeafSpec, self_signed};
use mockups::http::{Clock, Fate, Variation};
use mockups::journal::Journal;
use mockups::listen::{Running, listen};
use mockups::nameserver::{self, Failure, Record, Zone};
use mockups::proxy::{self, Mode, Stranger};
use mockups::tlspeer::{Hostile, Policy, Refusal, RefuseWhen, TlsPeer};
use mockups::upstream::{self, Answer, Site};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use wsusprobe_suite::certificates::now;
use wsusprobe_suite::probe::{GRACE, Probe, Ran, run};
use wsusprobe_suite::write;

/// The built programs.
const PROGRAM: &str = env!("CARGO_BIN_EXE_wsusprobe-under-test");
const LAB: &str = env!("CARGO_BIN_EXE_wsuslab-under-test");
/// When a run has to end.
const DEADLINE: Duration = Duration::from_secs(3);
/// The most memory that it may hold.
#[cfg(target_os = "linux")]
const MOST_KIB: u64 = 64 * 1024;
const HOST: &str = "upstream.example.test";
/// What a terminal would obey: clear the screen, set its title, ring, the same as 8-bit controls in UTF-8, and text
/// that runs the other way.
const ESCAPES: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{8}\u{7f}\u{9b}31m\u{9d}0;owned\u{9c}\u{202e}\u{2066}\r";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Starts servers of the lab in the runtime that outlives the test.
fn inside<T>(start: impl FnOnce(&Journal) -> std::io::Result<T>) -> T {
    let _inside = RUNTIME.enter();
    start(&Journal::default()).expect("a server")
}

/// Starts a server of the test's own.
fn own<Fut: Future<Output = ()> + Send + 'static>(
    handler: impl Fn(TcpStream) -> Fut + Send + Sync + 'static,
) -> Running {
    inside(|journal| listen("own", journal, handler))
}

/// A step may take as long as the whole run, so that nothing but the deadline ends it.
fn check(url: &str) -> Probe {
    Probe::new(PROGRAM, &["check", url]).step("60s").deadline(DEADLINE)
}

/// Runs it in every form of the report, side by side, and checks what holds of every run; gives the JSON's.
fn survives(probe: impl Fn() -> Probe + Sync) -> Ran {
    let probe = &probe;
    std::thread::scope(|scope| {
        let others =
            ["text", "short"].map(|form| scope.spawn(move || probe().with(&["-vv"]).form(form).run()));
        let ran = probe().run();
        sane(&ran);
        let findings = ran.findings();
        assert!(!findings.iter().any(|f| f.ends_with("unexplained")), "{findings:?}\n{}", ran.stdout);
        for other in others {
            let other = other.join().expect("a run");
            sane(&other);
            assert!(!other.stdout.is_empty());
            assert_eq!(other.code, ran.code, "{}\n{}\n{findings:?}", other.stdout, other.stderr);
        }
        assert!(matches!(ran.code, Some(1..=3)), "{:?} {findings:?}", ran.code);
        ran
    })
}

fn sane(ran: &Ran) {
    for said in [&ran.stdout, &ran.stderr] {
        let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let control = said.chars().find(|c| (c.is_control() && *c != '\n') || turns(*c));
        assert_eq!(control, None, "{said:?}");
    }
    assert!(ran.took <= DEADLINE + GRACE, "{:?}", ran.took);
    // A run may be over before it was looked at; one that met a peer for a while may not.
    #[cfg(target_os = "linux")]
    match ran.peak {
        Some(peak) => assert!((1..=MOST_KIB).contains(&peak), "{peak} KiB"),
        None => assert!(ran.took < Duration::from_millis(200), "how much memory was held is not known"),
    }
    assert!(!ran.stderr.contains("internal error"), "{}", ran.stderr);
}

fn http(fate: Fate) -> Running {
    inside(|journal| {
        let mut site = Site::wsus(HOST, Clock::starting_at(now()));
        site.directories.insert("*".to_owned(), Answer::Sent(fate));
        upstream::serve_http("http", journal, Arc::new(site))
    })
}

fn plain(server: &Running) -> Ran {
    let at = server.address.port();
    survives(|| check(&format!("http://{HOST}:8530/there")).redirect(HOST, 8530, at))
}

fn tls(policy: Policy, spec: &LeafSpec) -> Running {
    inside(|journal| {
        let key = Key::named("server").expect("a key");
        let leaf = self_signed(spec, &key).expect("a certificate");
        let peer = TlsPeer::new(policy, vec![leaf.der.clone()], &key);
        let site = Site::wsus(HOST, Clock::starting_at(now()));
        upstream::serve_https("tls", journal, Arc::new(site), peer)
    })
}

fn leaf(common_name: &str) -> LeafSpec {
    LeafSpec {
        common_name: common_name.to_owned(),
        validity: (now() - 86_400, now() + 86_400),
        usages: vec![KeyUsage::ServerAuth],
        ..LeafSpec::default()
    }
}

fn secure(server: &Running) -> Ran {
    let at = server.address.port();
    survives(|| check(&format!("https://{HOST}:8531/there")).redirect(HOST, 8531, at))
}

fn by_proxy(server: &Running, url: &str) -> Ran {
    let at = server.address.port();
    survives(|| {
        check(url).with(&["--proxy", "http://proxy.example.test:3128"]).redirect(
            "proxy.example.test",
            3128,
            at,
        )
    })
}

fn proxy_of(mode: Mode) -> Running {
    proxy_with(|config| config.mode = mode)
}

fn proxy_with(change: impl FnOnce(&mut proxy::Config)) -> Running {
    inside(|journal| {
        let table = Arc::new(|_: &str, _: u16| None::<SocketAddr>);
        let mut config = proxy::Config::open(table, Clock::starting_at(now()));
        change(&mut config);
        proxy::serve("proxy", journal, config)
    })
}

/// A run that has credentials for the proxy.
fn logging_on(server: &Running) -> Ran {
    let at = server.address.port();
    survives(|| {
        check(&format!("https://{HOST}:8531/there"))
            .with(&["--proxy", "http://proxy.example.test:3128", "--proxy-user", "EXAMPLE\\wsus"])
            .environment("WSUSPROBE_PROXY_PASSWORD", "secret")
            .redirect("proxy.example.test", 3128, at)
    })
}

// ---- HTTP ------------------------------------------------------------------------------------------------------

#[test]
fn a_hundred_megabytes_of_headers() {
    let ran = plain(&http(Fate::HugeHeaders));
    ran.expect("faulty", &["cause error certain http/not-wsus"]).unwrap();
}

#[test]
fn a_header_that_never_ends() {
    let ran = plain(&http(Fate::EndlessHeader));
    ran.expect("faulty", &["cause error certain http/not-wsus"]).unwrap();
}

#[test]
fn an_answer_of_a_byte_a_second() {
    plain(&http(Fate::Drip)).expect("undetermined", &[]).unwrap();
}

#[test]
fn an_answer_that_never_comes() {
    plain(&http(Fate::Silence)).expect("undetermined", &[]).unwrap();
}

/// 200, and then chunks for ever.
async fn endless_body(mut stream: TcpStream) {
    let mut some = [0; 4096];
    let _ = stream.read(&mut some).await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("2000\r\n{}\r\n", "<p>".repeat(0x2000).split_at(0x2000).0);
    let mut sent = stream.write_all(head.as_bytes()).await;
    while sent.is_ok() {
        sent = stream.write_all(chunk.as_bytes()).await;
    }
}

#[test]
fn a_body_without_end() {
    let server = own(endless_body);
    let at = server.address.port();
    let ran = survives(|| check(&format!("http://{HOST}:8530")).redirect(HOST, 8530, at));
    assert!(ran.findings()[0].ends_with("http/not-wsus"), "{:?}", ran.findings());
}

#[test]
fn an_issuer_that_is_served_without_end() {
    let pki = own(endless_body);
    let key = Key::named("server").expect("a key");
    let mut spec = leaf(HOST);
    spec.aia = Some("http://pki.example.test/issuing.crt".to_owned());
    let authority = AuthoritySpec::new("site", "Site Root", "Site Issuing", now());
    let issued = Authority::new(&authority).expect("an authority").issue(&spec, &key).expect("a leaf");
    let server = inside(|journal| {
        let peer = TlsPeer::new(Policy::default(), vec![issued.der.clone()], &key);
        let site = Site::wsus(HOST, Clock::starting_at(now()));
        upstream::serve_https("tls", journal, Arc::new(site), peer)
    });
    let (at, pki) = (server.address.port(), pki.address.port());
    let ran = survives(|| {
        check(&format!("https://{HOST}:8531/there")).redirect(HOST, 8531, at).redirect(
            "pki.example.test",
            80,
            pki,
        )
    });
    assert!(ran.findings()[0].ends_with("trust/missing-intermediate"), "{:?}", ran.findings());
}

#[test]
fn headers_and_a_page_that_talk_to_the_terminal() {
    let server = own(|mut stream: TcpStream| async move {
        let mut some = [0; 4096];
        let _ = stream.read(&mut some).await;
        let answer = format!(
            "HTTP/1.1 302 {ESCAPES}\r\nServer: {ESCAPES}\r\nLocation: http://{ESCAPES}/\r\nContent-Type: text/{ESCAPES}\r\n\
             Connection: close\r\n\r\n{ESCAPES}"
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        while stream.read(&mut some).await.is_ok_and(|n| n > 0) {}
    });
    plain(&server).expect("faulty", &["cause error certain http/not-wsus"]).unwrap();
}

#[test]
fn a_redirection_that_talks_to_the_terminal_above_ascii() {
    // HTTP's grammar lets bytes above 0x7f through in values, and C1 controls in UTF-8 are such bytes.
    let server = own(|mut stream: TcpStream| async move {
        let mut some = [0; 4096];
        let _ = stream.read(&mut some).await;
        let answer = "HTTP/1.1 302 Found\r\nServer: \u{9b}2J\r\nLocation: http://\u{9b}2J\u{9d}/\r\nConnection: close\r\n\
                      Content-Length: 6\r\n\r\n\u{9b}2J\u{85}";
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        while stream.read(&mut some).await.is_ok_and(|n| n > 0) {}
    });
    plain(&server).expect("faulty", &["cause error certain http/redirect"]).unwrap();
}

// ---- banners ---------------------------------------------------------------------------------------------------

fn banner() -> Running {
    own(|mut stream: TcpStream| async move {
        let line = format!("SSH-2.0-{ESCAPES}OpenSSH\u{1b}[31m\r\n");
        let _ = stream.write_all(line.as_bytes()).await;
        // The same in a code page of one byte.
        let _ = stream.write_all(&[0x9b, b'2', b'J', 0x9d, 0x90, 0x1b, b'c']).await;
        let mut some = [0; 4096];
        while stream.read(&mut some).await.is_ok_and(|n| n > 0) {}
    })
}

#[test]
fn a_banner_that_talks_to_the_terminal_where_http_is_expected() {
    plain(&banner()).expect("faulty", &["cause error certain http/not-wsus"]).unwrap();
}

#[test]
fn a_banner_that_talks_to_the_terminal_where_tls_is_expected() {
    secure(&banner()).expect("faulty", &["cause error certain http/not-wsus"]).unwrap();
}

#[test]
fn a_banner_that_talks_to_the_terminal_where_a_proxy_is_expected() {
    let ran = by_proxy(&banner(), &format!("https://{HOST}:8531/there"));
    ran.expect("faulty", &["cause error certain proxy/not-a-proxy"]).unwrap();
}

// ---- TLS -------------------------------------------------------------------------------------------------------

#[test]
fn a_certificate_message_of_sixteen_megabytes() {
    let server = tls(Policy { hostile: Some(Hostile::HugeCertificate), ..Policy::default() }, &leaf(HOST));
    secure(&server).expect("faulty", &["cause error certain http/not-wsus"]).unwrap();
}

#[test]
fn a_flight_of_a_byte_a_second() {
    let server = tls(Policy { hostile: Some(Hostile::Drip), ..Policy::default() }, &leaf(HOST));
    secure(&server).expect("undetermined", &[]).unwrap();
}

#[test]
fn garbage_instead_of_tls() {
    let server = tls(Policy { hostile: Some(Hostile::Garbage), ..Policy::default() }, &leaf(HOST));
    secure(&server).expect("faulty", &["cause error certain http/not-wsus"]).unwrap();
}

#[test]
fn no_answer_to_a_hello() {
    let policy = Policy { when: RefuseWhen::Always, refusal: Refusal::Silence, ..Policy::default() };
    secure(&tls(policy, &leaf(HOST))).expect("undetermined", &[]).unwrap();
}

#[test]
fn a_certificate_whose_name_talks_to_the_terminal() {
    let ran = secure(&tls(Policy::default(), &leaf(&format!("x{ESCAPES}y"))));
    assert!(
        ran.findings().contains(&"cause error certain trust/self-signed".to_owned()),
        "{:?}",
        ran.findings()
    );
}

// ---- proxies ---------------------------------------------------------------------------------------------------

#[test]
fn a_proxy_that_never_answers() {
    for url in ["https://upstream.example.test:8531/there", "http://upstream.example.test:8530/there"] {
        by_proxy(&proxy_of(Mode::Silence), url).expect("undetermined", &[]).unwrap();
    }
}

#[test]
fn a_proxy_that_takes_nothing_at_all() {
    let server = inside(|journal| proxy::stranger("mute", journal, Stranger::Mute));
    by_proxy(&server, &format!("https://{HOST}:8531/there")).expect("undetermined", &[]).unwrap();
}

#[test]
fn a_proxy_of_a_byte_a_second() {
    by_proxy(&proxy_of(Mode::Drip), &format!("https://{HOST}:8531/there"))
        .expect("undetermined", &[])
        .unwrap();
}

#[test]
fn a_proxy_with_a_hundred_megabytes_of_headers() {
    let ran = by_proxy(&proxy_of(Mode::HugeHeaders), &format!("https://{HOST}:8531/there"));
    ran.expect("faulty", &["cause error certain proxy/not-a-proxy"]).unwrap();
}

#[test]
fn a_proxy_whose_pages_have_ten_megabytes() {
    for (status, finding) in
        [(403, "proxy/forbidden"), (503, "proxy/cannot-connect"), (407, "proxy/auth-required")]
    {
        let server = proxy_with(|config| {
            (config.mode, config.status, config.pad) = (Mode::Status, status, 10_000_000);
            if status == 407 {
                (config.mode, config.challenges) = (Mode::Authenticate, vec!["NTLM".to_owned()]);
            }
        });
        let ran = by_proxy(&server, &format!("https://{HOST}:443/there"));
        ran.expect("faulty", &[&format!("cause error certain {finding}")]).unwrap();
    }
}

#[test]
fn a_demand_that_talks_to_the_terminal() {
    let asks = |challenges: &[String], one_header| {
        let server = proxy_with(|config| {
            (config.mode, config.one_header) = (Mode::Authenticate, one_header);
            config.challenges = challenges.to_vec();
        });
        by_proxy(&server, &format!("https://{HOST}:8531/there"));
        logging_on(&server);
    };
    // Without a line's end, which would be another header.
    let escapes = ESCAPES.trim_end_matches('\r');
    for scheme in ["Basic", "Digest", "NTLM", "Negotiate", escapes] {
        asks(
            &[format!("{scheme} realm=\"{escapes}\", nonce=\"{escapes}\""), format!("{scheme} {escapes}")],
            true,
        );
        asks(&[format!("{scheme} realm=\"a\rb\""), "\r".to_owned(), "=,=\"".to_owned()], false);
    }
}

#[test]
fn a_demand_of_two_thousand_schemes_and_one_of_none() {
    for (more_schemes, one_header) in [(2_000, true), (2_000, false), (0, false)] {
        let server = proxy_with(|config| {
            config.mode = Mode::Authenticate;
            (config.more_schemes, config.one_header) = (more_schemes, one_header);
        });
        by_proxy(&server, &format!("https://{HOST}:8531/there"));
        logging_on(&server);
    }
}

#[test]
fn challenges_of_ntlm_that_are_broken() {
    use proxy::Token::{Cut, Endless, Huge, Kind, NotBase64, Offsets, Signature};
    for token in [Cut, Endless, Huge, Kind, NotBase64, Offsets, Signature] {
        let server = proxy_with(|config| {
            (config.mode, config.token) = (Mode::Authenticate, token);
            config.challenges = vec!["Negotiate".to_owned(), "NTLM".to_owned()];
        });
        logging_on(&server);
    }
}

#[test]
fn a_proxy_whose_refusal_never_ends() {
    let server = own(|mut stream: TcpStream| async move {
        let mut some = [0; 4096];
        let _ = stream.read(&mut some).await;
        let mut sent = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n").await;
        while sent.is_ok() {
            sent = stream.write_all(ESCAPES.repeat(500).as_bytes()).await;
        }
    });
    let ran = by_proxy(&server, &format!("https://{HOST}:443/there"));
    ran.expect("faulty", &["cause error certain proxy/forbidden"]).unwrap();
}

// ---- name servers ----------------------------------------------------------------------------------------------

#[test]
fn a_name_server_that_never_answers() {
    let server = inside(|journal| nameserver::silent("dns", journal));
    survives(|| check(&format!("http://{HOST}:8530/there")).dns(server.address))
        .expect("undetermined", &[])
        .unwrap();
}

#[test]
fn a_name_server_whose_alias_talks_to_the_terminal() {
    let server = inside(|journal| {
        let alias = "x\\027[2J\\155\\007.example.test".to_owned();
        let zone = Zone::from([
            (HOST.to_owned(), Record { alias: Some(alias), ..Record::default() }),
            ("*.example.test".to_owned(), Record { failure: Some(Failure::NoAddress), ..Record::default() }),
        ]);
        nameserver::serve("dns", journal, zone, Variation::default())
    });
    survives(|| check(&format!("http://{HOST}:8530/there")).dns(server.address))
        .expect("faulty", &["cause error certain name/no-address"])
        .unwrap();
}

#[test]
fn a_name_server_whose_aliases_lead_in_a_circle() {
    let server = inside(|journal| {
        let circle = Record { failure: Some(Failure::Loop), ..Record::default() };
        nameserver::serve("dns", journal, Zone::from([(HOST.to_owned(), circle)]), Variation::default())
    });
    survives(|| check(&format!("http://{HOST}:8530/there")).dns(server.address))
        .expect("faulty", &["cause error certain name/no-address"])
        .unwrap();
}

// ---- what is handed over ---------------------------------------------------------------------------------------

/// Runs a program in a folder with those files: no socket is opened.
fn handed(program: &str, files: &[(&str, &[u8])], arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        write(folder.path(), name, bytes);
    }
    let ran = run(Command::new(program).args(arguments).current_dir(folder.path()), DEADLINE);
    sane(&ran);
    ran
}

fn diagnosed(files: &[(&str, &[u8])]) -> Ran {
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    handed(PROGRAM, files, &[&["diagnose", "--no-network", "--trust", "none", "-q"][..], &names].concat())
}

/// Whether it ends with that code, and says these things in the first line of standard error. Where no input is left
/// a second line says so.
#[track_caller]
fn refused(ran: &Ran, code: i32, says: &[&str]) {
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stderr.lines().count(), if code == 65 { 2 } else { 1 }, "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    for text in says {
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!(first.contains(text), "{text:?} is not in {first:?}");
    }
}

#[test]
fn an_empty_file() {
    let ran = diagnosed(&[("empty.txt", b"")]);
    refused(&ran, 65, &["empty.txt: expected "]);
}

#[test]
fn a_binary_file() {
    let noise: Vec<u8> = (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    refused(&diagnosed(&[("noise.bin", &noise)]), 65, &["noise.bin: expected "]);
}

/// A gigabyte that takes no room on disk: a hole within a log is one line of it.
#[test]
fn a_line_of_a_gigabyte() {
    use std::io::{Seek, SeekFrom, Write};
    let line = "2026-06-15 10:00:00.000 UTC\tError\tWsusService.20\tA.B\tSystem.Net.WebException: The operation has timed out\r\n";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("SoftwareDistribution.log");
    let mut file = std::fs::File::create(&path).expect("a file");
    file.write_all(line.repeat(1000).as_bytes()).expect("room for lines");
    file.seek(SeekFrom::Current(1 << 30)).expect("a hole");
    file.write_all(format!("\r\n{line}").as_bytes()).expect("room for a line");
    let arguments = ["diagnose", "--no-network", "--trust", "none", "-q", "--output", "json"];
    let ran = run(Command::new(PROGRAM).args(arguments).arg(&path), Duration::from_secs(60));
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("\"count\": 1001"), "{}", ran.stdout);
    #[cfg(target_os = "linux")]
    assert!(ran.peak.is_some_and(|peak| peak <= MOST_KIB), "{:?}", ran.peak);
}

#[test]
fn ten_gigabytes_of_which_the_beginning_is_known() {
    for begin in [&b""[..], b"PK\x03\x04\x14\0", b"ElfFile\0"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = write(folder.path(), "large", begin);
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(10 << 30))
            .expect("a file with a hole");
        let ran = run(
            Command::new(PROGRAM).args(["diagnose", "--no-network", "--trust", "none", "-q"]).arg(&path),
            DEADLINE,
        );
        sane(&ran);
        assert!(ran.code == Some(65) || begin == b"ElfFile\0", "{:?}\n{}", ran.code, ran.stderr);
    }
}

#[test]
fn a_folder_of_files_that_are_none_is_told_in_a_few_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..300 {
        write(folder.path(), &format!("{number}.txt"), "to buy: milk\n");
    }
    write(folder.path(), "config.txt", CONFIGURATION);
    let arguments = ["diagnose", "--no-network", "--trust", "none", "-q"];
    let ran = run(Command::new(PROGRAM).args(arguments).arg(folder.path()), DEADLINE);
    sane(&ran);
    assert!(matches!(ran.code, Some(1..=3)), "{:?}\n{}\n{}", ran.code, ran.stdout, ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 21, "{}", ran.stderr);
    assert!(ran.stdout.lines().count() < 150, "{}", ran.stdout);
    assert!(ran.stdout.contains("295 more of them"), "{}", ran.stdout);
}

const CONFIGURATION: &str = "SyncFromMicrosoftUpdate : True\r\nMUUrl : https://sws.update.microsoft.com\r\n\
     RedirectorChangeNumber : 4002\r\nUseProxy : True\r\nProxyName : proxy.example.test\r\nProxyServerPort : 8080\r\n";

#[test]
fn a_log_that_is_cut_inside_a_character() {
    let log = "2026-06-15 10:00:00.000 UTC\tInfo\tWsusService.20\tCatalogSyncAgentCore.ExecuteSyncProtocol\tbegin\r\n";
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(log.repeat(3).encode_utf16().flat_map(u16::to_le_bytes));
    bytes.pop();
    let ran = diagnosed(&[("SoftwareDistribution.log", &bytes)]);
    // What came before it is used all the same.
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("input/unreadable"), "{}", ran.stdout);
    let says = "SoftwareDistribution.log:3: expected whole UTF-16 characters";
    assert!(ran.stderr.contains(says) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[test]
fn a_port_that_is_no_number() {
    let text = CONFIGURATION.replace("8080", "abc");
    let ran = diagnosed(&[("config.txt", text.as_bytes())]);
    assert!(matches!(ran.code, Some(1..=3)), "{:?}\n{}\n{}", ran.code, ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("input/unreadable"), "{}", ran.stdout);
    let says = "config.txt:6: expected a port number from 1 to 65535, found `abc` as ProxyServerPort";
    assert!(ran.stderr.contains(says) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[test]
fn values_that_talk_to_the_terminal() {
    let text = CONFIGURATION.replace("proxy.example.test", ESCAPES).replace("4002", ESCAPES);
    let ran = diagnosed(&[("config.txt", text.as_bytes())]);
    assert!(matches!(ran.code, Some(1..=3)), "{:?}\n{}\n{}", ran.code, ran.stdout, ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_file_whose_name_talks_to_the_terminal() {
    let name = "a\u{1b}[2Jb\u{9b}.txt";
    refused(&diagnosed(&[(name, b"")]), 65, &[]);
    let ran = diagnosed(&[(name, CONFIGURATION.as_bytes())]);
    assert!(matches!(ran.code, Some(0..=3)), "{:?}\n{}", ran.code, ran.stderr);
}

#[test]
fn no_files_where_nothing_can_be_read() {
    if cfg!(windows) {
        return;
    }
    let ran = handed(PROGRAM, &[], &["--no-network"]);
    assert_eq!(ran.code, Some(65), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("SoftwareDistribution.log"), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_not_there() {
    let ran = handed(PROGRAM, &[], &["diagnose", "absent.txt", "--no-network", "--trust", "none"]);
    refused(&ran, 65, &["absent.txt: expected "]);
}

#[test]
fn usage_is_one_line_that_says_what_was_expected() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["check", "http://a.test", "--cacert", "none.pem"], &["none.pem", "certificate"]),
        (&["check", "http://a.test", "--anchor", "*.test=none.pem"], &["none.pem", "certificate"]),
        (&["check", "upstream.example.test:8531"], &["http:// or https://"]),
        (&["check", "http://up\u{1b}[2Jstream.test"], &["control"]),
        (&["check", "http://up\nstream.test"], &["control"]),
        (&["check", "http://a.test", "--connect-to", "a\u{7}:80:127.0.0.1:80"], &["--connect-to"]),
        (&["check", "http://a.test", "--proxy", "http://\u{1b}[2J:80"], &["--proxy"]),
        (&["explain", "trust/\u{1b}[2J"], &["trust/"]),
        (&["explain", "trust/missing-intermediat"], &["trust/missing-intermediat"]),
    ];
    for (arguments, says) in cases {
        let ran = handed(PROGRAM, &[("none.pem", b"this is no certificate\n")], arguments);
        refused(&ran, 64, says);
    }
}

#[test]
fn a_scenario_with_a_key_that_is_misspelt() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join("worlds")).expect("a folder");
    let text = "about = \"a site\"\n\n[upstream]\nname = \"up.example.com\"\nport.8530 = {}\n\n[proxy]\nmoed = \"open\"\n";
    write(&home.path().join("worlds"), "site.toml", text);
    let home = home.path().display().to_string();
    for arguments in [&["--home", &home, "run", "site"][..], &["--home", &home, "up", "site"]] {
        let ran = handed(LAB, &[], arguments);
        assert_eq!(ran.code, Some(64), "{}", ran.stderr);
        for part in ["site.toml:8:1", "moed = \"open\"", "^^^^", "mode"] {
            assert!(ran.stderr.contains(part), "{part:?} is not in {}", ran.stderr);
        }
    }
    let ran = handed(LAB, &[], &["--home", &home, "run", "sites"]);
    refused(&ran, 64, &["sites"]);
    assert!(Path::new(&home).is_dir());
}
