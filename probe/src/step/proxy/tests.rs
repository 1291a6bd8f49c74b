//! The state machine against a small proxy that verifies for itself, in whole runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::gss::NoTicket;
use super::own::{Conversation, OwnAccount};
use crate::codec::challenge::challenges;
use crate::codec::ntlm;
use crate::codec::ntlm::tests::{challenge, proves};
use crate::evidence::{AuthStage, Evidence, Layer, Outcome, ProxyAuth, Target};
use crate::report::Report;
use crate::run::{self, Silent};
use crate::settings::{ProxyChoice, ProxyHop, ProxyKind, Secret, Settings};
use crate::trust::TrustStore;

const SERVER: [u8; 8] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef";
const USER: &str = "EXAMPLE\\wsus";
const PASSWORD: &str = "pä:ss \"w/ört\"%41";

/// How the proxy behaves.
#[derive(Clone, Copy, Debug, Default)]
struct Manner {
    /// Its demands, in order.
    offers: &'static [&'static str],
    /// It closes the connection after a bare demand.
    closes_bare: bool,
    /// It closes after the first message, instead of a challenge.
    closes_between: bool,
    /// It answers the first message with a bare demand.
    forgets: bool,
    /// It sends a challenge that is none.
    garbles: bool,
    /// It calls every nonce of before stale.
    stale: bool,
    /// It closes the connection on the message that decides.
    closes_final: bool,
    /// Its demand repeats the request and the password.
    echoes: bool,
    /// What it sends instead of an answer.
    babbles: usize,
    /// A tunnel leads to a server that refuses every TLS.
    tls: bool,
    /// It asks on after a message of Negotiate that is not NTLM's.
    asks_on: bool,
}

/// A request that carried credentials: which connection, which method, which scheme, whether they were right.
type Tried = (usize, String, String, bool);

#[derive(Debug, Default)]
struct Journal {
    requests: usize,
    connections: usize,
    tried: Vec<Tried>,
    bytes: Vec<u8>,
}

struct Proxy {
    hop: ProxyHop,
    journal: Arc<Mutex<Journal>>,
}

impl Proxy {
    async fn start(manner: Manner) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let journal = Arc::new(Mutex::new(Journal::default()));
        let kept = journal.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let journal = kept.clone();
                let number = {
                    let mut journal = journal.lock().unwrap();
                    journal.connections += 1;
                    journal.connections
                };
                tokio::spawn(serve(stream, manner, number, journal));
            }
        });
        let hop = ProxyHop { kind: ProxyKind::Http, host: "127.0.0.1".into(), port };
        Proxy { hop, journal }
    }

    fn tried(&self) -> Vec<Tried> {
        self.journal.lock().unwrap().tried.clone()
    }

    fn wrong(&self) -> usize {
        self.tried().iter().filter(|(.., right)| !right).count()
    }

    async fn run(&self, password: Option<&str>, until: Layer, urls: &[&str]) -> Report {
        let settings = Settings {
            proxy: ProxyChoice::Through(self.hop.clone()),
            proxy_user: password.map(|_| USER.into()),
            proxy_password: password.map(|password| Secret::new(password.into())),
            until: Some(until),
            trust: crate::settings::Trust::None,
            ..Settings::default()
        };
        let targets: Vec<Target> = urls.iter().map(|url| crate::cli::target::target(url).unwrap()).collect();
        run::check(&settings, &TrustStore::default(), &targets, &Silent).await.unwrap()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, number: usize, journal: Arc<Mutex<Journal>>) {
    let (mut bytes, mut nonce, mut challenged) = (Vec::new(), 0, false);
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let header = |name: &str| {
            let line = head.lines().find(|l| l.to_ascii_lowercase().starts_with(&format!("{name}:")));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_string())
        };
        let length: usize = header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        while bytes.len() < end + length {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        bytes.drain(..end + length);
        let mut words = head.split_whitespace();
        if manner.babbles > 0 {
            let _ = stream.write_all(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n").await;
            let line = format!("X: {}\r\n", "y".repeat(1000));
            for _ in 0..manner.babbles / line.len() {
                if stream.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
            return;
        }
        let (method, uri) = (words.next().unwrap().to_string(), words.next().unwrap().to_string());
        journal.lock().unwrap().requests += 1;
        journal.lock().unwrap().bytes.extend_from_slice(head.as_bytes());
        let sent = header("proxy-authorization");
        let (scheme, rest) = sent.as_deref().and_then(|v| v.split_once(' ')).unwrap_or_default();
        let tried = |right: bool| {
            let entry = (number, method.clone(), scheme.to_string(), right);
            journal.lock().unwrap().tried.push(entry);
            right
        };
        let mut stale = false;
        if manner.closes_final
            && !scheme.is_empty()
            && STANDARD.decode(rest).is_ok_and(|m| m.get(8) != Some(&1))
        {
            tried(false);
            return;
        }
        let granted = match scheme {
            "Basic" => tried(STANDARD.decode(rest).unwrap() == format!("{USER}:{PASSWORD}").as_bytes()),
            "Digest" => {
                stale = manner.stale && !std::mem::replace(&mut challenged, true) && nonce <= 1;
                !stale && tried(digest_holds(sent.as_deref().unwrap(), &method, &uri))
            }
            "NTLM" | "Negotiate" => {
                let message = STANDARD.decode(rest).unwrap();
                if manner.asks_on && !message.starts_with(b"NTLMSSP\0") {
                    answer(&mut stream, &["Negotiate b2s=".to_string()], false).await;
                    continue;
                }
                if message.get(8) == Some(&1) {
                    if manner.closes_between {
                        return;
                    }
                    let token =
                        if manner.garbles { b"NTLMSSP\0\x02".to_vec() } else { challenge(SERVER, Some(9)) };
                    let token = STANDARD.encode(token);
                    let demand =
                        if manner.forgets { scheme.to_string() } else { format!("{scheme} {token}") };
                    challenged = true;
                    answer(&mut stream, &[demand], false).await;
                    continue;
                }
                tried(challenged && proves(&message, SERVER, PASSWORD))
            }
            _ => manner.offers.is_empty(),
        };
        if granted && method == "CONNECT" {
            let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
            if manner.tls && stream.read_buf(&mut bytes).await.unwrap_or(0) > 0 {
                // handshake_failure
                let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).await;
                let _ = stream.shutdown().await;
            }
            return;
        }
        if granted {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: x\r\n\r\nok").await;
            return;
        }
        nonce += 1;
        let offers: Vec<String> = manner
            .offers
            .iter()
            .map(|offer| match *offer {
                "Digest" => format!(
                    "Digest realm=\"r\\\"x\", nonce=\"{nonce}\", qop=\"auth\", algorithm=md5, stale={stale}"
                ),
                "Basic" => "Basic realm=\"r\"".into(),
                other => other.into(),
            })
            .collect();
        let closes = manner.closes_bare && scheme.is_empty();
        answer_with(&mut stream, &offers, closes, manner.echoes.then_some(head.as_str())).await;
        if closes {
            return;
        }
    }
}

async fn answer(stream: &mut TcpStream, offers: &[String], closes: bool) {
    answer_with(stream, offers, closes, None).await;
}

async fn answer_with(stream: &mut TcpStream, offers: &[String], closes: bool, echo: Option<&str>) {
    if let Some(echo) = echo {
        let sent = echo.lines().find(|line| line.contains("uthorization")).unwrap_or_default();
        let sent = sent.split(' ').next_back().unwrap_or_default();
        // What it knows it tells: the request and the password that came with it.
        let body = if sent.is_empty() { String::new() } else { format!("{echo}hünter2:\"x/y") };
        let text = format!(
            "HTTP/1.1 407 No\r\nProxy-Authenticate: {}\r\nVia: {sent}\r\nContent-Length: {}\r\n\r\n{body}",
            offers.join(", "),
            body.len()
        );
        let _ = stream.write_all(text.as_bytes()).await;
        return;
    }
    let offers: String = offers.iter().map(|offer| format!("Proxy-Authenticate: {offer}\r\n")).collect();
    let close = if closes { "Connection: close\r\n" } else { "" };
    let text =
        format!("HTTP/1.1 407 No\r\n{offers}{close}Transfer-Encoding: chunked\r\n\r\n3\r\nno\n\r\n0\r\n\r\n");
    let _ = stream.write_all(text.as_bytes()).await;
}

fn digest_holds(sent: &str, method: &str, uri: &str) -> bool {
    let read = challenges([sent.as_bytes()]);
    let values: HashMap<&str, &str> = read[0].params.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let hash = |text: String| format!("{:x}", md5::compute(text));
    let (a1, a2) = (hash(format!("{USER}:r\"x:{PASSWORD}")), hash(format!("{method}:{uri}")));
    let middle = ["nonce", "nc", "cnonce", "qop"].map(|name| values[name]).join(":");
    values["uri"] == uri && values["response"] == hash(format!("{a1}:{middle}:{a2}"))
}

fn auths(report: &Report) -> Vec<ProxyAuth> {
    let auth = |outcome: &Outcome| match outcome {
        Outcome::Proxy { auth, .. } => auth.as_deref().cloned(),
        _ => None,
    };
    report.observations.iter().filter_map(|o| auth(&o.outcome)).collect()
}

fn stages(report: &Report) -> Vec<AuthStage> {
    auths(report).iter().map(|auth| auth.stage).collect()
}

const THREE: [&str; 3] = ["https://a.test/x", "https://b.test/x", "https://c.test/x"];

#[tokio::test]
async fn every_scheme_goes_through_and_is_remembered() {
    for (offers, scheme, mechanism, first, later) in [
        (&["Basic"][..], "Basic", "", 2, 1),
        (&["Basic", "Digest"], "Digest", "", 2, 1),
        (&["Digest", "Basic", "NTLM"], "NTLM", "ntlm", 3, 2),
        (&["Negotiate"], "Negotiate", "ntlm", 3, 2),
    ] {
        let proxy = Proxy::start(Manner { offers, ..Manner::default() }).await;
        let report = proxy.run(Some(PASSWORD), Layer::Proxy, &THREE).await;
        let seen = auths(&report);
        assert_eq!(seen.len(), 3, "{scheme}");
        for auth in &seen {
            assert_eq!(auth.stage, AuthStage::Accepted, "{auth:?}");
            assert_eq!((auth.scheme.as_str(), auth.mechanism.as_str()), (scheme, mechanism));
        }
        assert_eq!(proxy.wrong(), 0);
        assert_eq!(seen.iter().map(|auth| auth.rounds).max(), Some(first), "{scheme}");
        assert!(seen.iter().all(|auth| (later..=first).contains(&auth.rounds)), "{seen:?}");
        assert!(seen.iter().any(|auth| !auth.offered.is_empty()));
        // A password that everyone on the way could read is worth a warning.
        let clear = scheme == "Basic";
        assert_eq!(
            report.verdict == crate::diagnosis::Verdict::Healthy,
            !clear,
            "{scheme}: {:?}",
            report.findings
        );
        assert_eq!(report.findings.iter().any(|f| f.id == "proxy/basic-cleartext"), clear);
    }
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_in_a_run() {
    for offers in [&["Basic"][..], &["Digest", "Basic"], &["Negotiate", "NTLM", "Digest", "Basic"]] {
        let proxy = Proxy::start(Manner { offers, ..Manner::default() }).await;
        let urls = ["https://a.test/x", "https://b.test/x", "http://c.test/x", "http://d.test/x"];
        let report = proxy.run(Some("wrong"), Layer::Http, &urls).await;
        assert_eq!((proxy.tried().len(), proxy.wrong()), (1, 1), "{offers:?}: {:?}", proxy.tried());
        let stages = stages(&report);
        assert_eq!(stages.iter().filter(|stage| **stage == AuthStage::Rejected).count(), 1, "{stages:?}");
        assert_eq!(stages.iter().filter(|stage| **stage == AuthStage::NotSent).count(), 3, "{stages:?}");
    }
}

#[tokio::test]
async fn without_credentials_a_demand_is_kept_as_it_is() {
    let proxy = Proxy::start(Manner { offers: &["NTLM", "Basic"], ..Manner::default() }).await;
    let report = proxy.run(None, Layer::Proxy, &THREE[..1]).await;
    let auth = auths(&report).remove(0);
    assert_eq!(auth.offered, ["NTLM", "Basic"]);
    // Windows logs the account of the run on, if it can: that is said, and nothing goes out under another name.
    assert_eq!(auth.own, cfg!(windows));
    if !auth.own {
        assert!(proxy.tried().is_empty());
        assert_eq!((auth.stage, auth.rounds), (AuthStage::Demanded, 1));
    }
    assert!(report.findings.iter().all(|f| f.id == "proxy/auth-required"), "{:?}", report.findings);
}

#[tokio::test]
async fn the_legs_of_ntlm_are_told_apart() {
    let offers: &[&str] = &["NTLM"];
    let plain = Manner { offers, ..Manner::default() };
    for (manner, stage, connections) in [
        (Manner { closes_bare: true, ..plain }, AuthStage::Accepted, 2),
        (Manner { closes_between: true, ..plain }, AuthStage::ClosedBetweenLegs, 2),
        (Manner { forgets: true, ..plain }, AuthStage::Broken, 2),
        (Manner { garbles: true, ..plain }, AuthStage::Broken, 2),
    ] {
        let proxy = Proxy::start(manner).await;
        let report = proxy.run(Some(PASSWORD), Layer::Proxy, &THREE[..1]).await;
        let seen = auths(&report);
        assert_eq!(seen[0].stage, stage, "{manner:?}: {seen:?}");
        assert_eq!(seen[0].why.is_empty(), stage == AuthStage::Accepted);
        assert_eq!(proxy.journal.lock().unwrap().connections, connections, "{manner:?}");
        assert_eq!(proxy.wrong(), 0);
    }
}

#[tokio::test]
async fn a_stale_nonce_is_no_refusal() {
    let proxy = Proxy::start(Manner { offers: &["Digest"], stale: true, ..Manner::default() }).await;
    let report = proxy.run(Some(PASSWORD), Layer::Proxy, &THREE[..1]).await;
    assert_eq!(stages(&report), [AuthStage::Accepted]);
    assert_eq!(auths(&report)[0].rounds, 3);
}

#[tokio::test]
async fn plain_http_goes_through_the_same_logon() {
    for offers in [&["Basic"][..], &["Digest"], &["NTLM"]] {
        let proxy = Proxy::start(Manner { offers, ..Manner::default() }).await;
        let report = proxy.run(Some(PASSWORD), Layer::Http, &["http://a.test/x", "https://b.test/x"]).await;
        assert!(stages(&report).iter().all(|stage| *stage == AuthStage::Accepted), "{:?}", auths(&report));
        let answered = report.observations.iter().any(|o| {
            matches!(
                &o.outcome,
                Outcome::Http { answer: crate::evidence::HttpAnswer::Response { status: 200, .. }, .. }
            )
        });
        assert!(answered, "{offers:?}");
        assert_eq!(proxy.wrong(), 0);
    }
}

#[tokio::test]
async fn a_connection_that_ends_on_the_final_message_ends_the_tries() {
    for offers in [&["Basic"][..], &["NTLM"]] {
        let proxy = Proxy::start(Manner { offers, closes_final: true, ..Manner::default() }).await;
        let report = proxy.run(Some(PASSWORD), Layer::Proxy, &THREE).await;
        assert_eq!(proxy.tried().len(), 1, "{offers:?}");
        let mut stages = stages(&report);
        stages.sort_by_key(|stage| *stage as u8);
        assert_eq!(stages, [AuthStage::Broken, AuthStage::NotSent, AuthStage::NotSent]);
        let demanded = report.observations.iter().filter(|o| {
            matches!(
                o.outcome,
                Outcome::Proxy { answer: crate::evidence::ProxyAnswer::Status { code: 407, .. }, .. }
            )
        });
        assert_eq!(demanded.count(), 3, "the proxy's own demand is what is kept");
    }
}

#[tokio::test]
async fn a_reply_without_end_is_left_alone() {
    let proxy = Proxy::start(Manner { babbles: 10_000_000, ..Manner::default() }).await;
    let report = proxy.run(Some(PASSWORD), Layer::Proxy, &THREE[..1]).await;
    let answer = report.observations.iter().find_map(|o| match &o.outcome {
        Outcome::Proxy { answer, .. } => Some(answer.clone()),
        _ => None,
    });
    assert!(matches!(answer, Some(crate::evidence::ProxyAnswer::NotHttp { .. })), "{answer:?}");
    assert!(serde_json::to_string(&report).unwrap().len() < 100_000);
}

#[tokio::test]
async fn tunnels_opened_ahead_are_counted() {
    let manner = Manner { offers: &["NTLM"], tls: true, ..Manner::default() };
    let proxy = Proxy::start(manner).await;
    let settings = Settings {
        proxy: ProxyChoice::Through(proxy.hop.clone()),
        proxy_user: Some(USER.into()),
        proxy_password: Some(Secret::new(PASSWORD.into())),
        plan: Some(crate::evidence::SpokenPlan::Far),
        suites: true,
        trust: crate::settings::Trust::None,
        ..Settings::default()
    };
    let target = crate::cli::target::server("a.test:443").unwrap();
    let report = run::tls(&settings, &TrustStore::default(), &target, &[], &Silent).await.unwrap();
    let hellos = report.observations.iter().filter(|o| matches!(o.outcome, Outcome::Hello { .. })).count();
    let spoken = report.observations.iter().find_map(|o| match &o.outcome {
        Outcome::Spoken(spoken) => Some(spoken.clone()),
        _ => None,
    });
    let spoken = spoken.expect("an enumeration");
    assert!(spoken.connections >= spoken.handshakes && spoken.handshakes > 0, "{spoken:?}");
    // The first connection carries the bare demand alone; what was not accepted yet when the run ended is none.
    let taken = proxy.journal.lock().unwrap().connections - 1;
    assert!(taken <= hellos + spoken.connections as usize, "{taken} of {hellos} + {}", spoken.connections);
    assert!(
        taken + 16 > hellos + spoken.connections as usize,
        "{taken} of {hellos} + {}",
        spoken.connections
    );
    assert_eq!(proxy.wrong(), 0);
}

#[tokio::test]
async fn a_password_is_in_nothing_that_a_run_leaves() {
    let odd = "hünter2:\"x/y";
    for (password, offers) in [
        (PASSWORD, &["Basic"][..]),
        (PASSWORD, &["Digest"]),
        (PASSWORD, &["NTLM"]),
        (odd, &["Basic"]),
        (odd, &["NTLM", "Basic"]),
    ] {
        let echoes = password == odd;
        let proxy = Proxy::start(Manner { offers, echoes, ..Manner::default() }).await;
        let report = proxy.run(Some(password), Layer::Http, &["http://a.test/x", "https://b.test/x"]).await;
        let settings = &report.settings;
        assert_eq!(settings.proxy_password, None, "a report holds none");
        let mut texts = vec![
            serde_json::to_string(settings).unwrap(),
            toml::to_string(settings).unwrap(),
            serde_json::to_string(&report).unwrap(),
            format!("{report:?}"),
            crate::report::json::render(&report),
            crate::report::short::render(&report),
        ];
        for verbose in 0..3 {
            let options = crate::report::text::Options { verbose, ..Default::default() };
            texts.push(crate::report::text::render(&report, options));
        }
        let utf16: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let pair = format!("{USER}:{password}");
        let percent: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let url: String = url::form_urlencoded::byte_serialize(password.as_bytes()).collect();
        let escaped = crate::evidence::escape_bytes(password.as_bytes());
        let json = serde_json::to_string(password).unwrap();
        let needles = [
            password.to_string(),
            json.trim_matches('"').to_string(),
            STANDARD.encode(password),
            STANDARD.encode(&pair),
            STANDARD.encode(&utf16),
            String::from_utf8_lossy(&utf16).into_owned(),
            utf16.escape_ascii().to_string(),
            percent,
            url,
            escaped,
            // The messages that prove it can be guessed at offline.
            STANDARD.encode(b"NTLMSSP\0\x03"),
            "cnonce".into(),
        ];
        for text in &texts {
            for needle in &needles {
                assert!(!text.contains(needle.as_str()), "{needle} in {text}");
            }
        }
    }
}

#[tokio::test]
async fn socks_5_takes_the_password_where_it_asks_for_one() {
    for (password, stage) in [(PASSWORD, AuthStage::Accepted), ("wrong", AuthStage::Rejected)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut two = [0; 2];
                stream.read_exact(&mut two).await.unwrap();
                let mut methods = vec![0; usize::from(two[1])];
                stream.read_exact(&mut methods).await.unwrap();
                if !methods.contains(&2) {
                    let _ = stream.write_all(&[5, 0xff]).await;
                    continue;
                }
                stream.write_all(&[5, 2]).await.unwrap();
                let mut version = [0];
                stream.read_exact(&mut version).await.unwrap();
                let mut next = async || {
                    let length = stream.read_u8().await.unwrap();
                    let mut text = vec![0; usize::from(length)];
                    stream.read_exact(&mut text).await.unwrap();
                    String::from_utf8(text).unwrap()
                };
                let (user, password) = (next().await, next().await);
                let right = user == USER && password == PASSWORD;
                kept.lock().unwrap().push(right);
                let _ = stream.write_all(&[1, u8::from(!right)]).await;
                if right {
                    let mut request = [0; 64];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 1]).await;
                    let _ = stream.read(&mut request).await;
                }
            }
        });
        let hop = ProxyHop { kind: ProxyKind::Socks5, host: "127.0.0.1".into(), port };
        let proxy = Proxy { hop, journal: Arc::default() };
        let report = proxy.run(Some(password), Layer::Proxy, &THREE).await;
        let stages = stages(&report);
        assert_eq!(stages.iter().filter(|s| **s == stage).count(), if password == PASSWORD { 3 } else { 1 });
        let tries = seen.lock().unwrap().clone();
        assert_eq!(tries.iter().filter(|right| !**right).count(), usize::from(password != PASSWORD));
    }
}

/// An account that the run is under, on a system that logs it on.
#[derive(Debug)]
struct Machine {
    password: Option<&'static str>,
    /// What it says under Negotiate before NTLM.
    ticket: Option<&'static [u8]>,
    begun: std::sync::atomic::AtomicUsize,
}

impl Machine {
    fn new(password: Option<&'static str>, ticket: Option<&'static [u8]>) -> Arc<Machine> {
        Arc::new(Machine { password, ticket, begun: 0.into() })
    }

    fn begun(&self) -> usize {
        self.begun.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl OwnAccount for Machine {
    fn begin(&self, scheme: &'static str, host: &str) -> Result<Box<dyn Conversation>, NoTicket> {
        assert_eq!(host, "127.0.0.1");
        self.begun.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let password = self.password.ok_or_else(|| NoTicket::new("nobody is here"))?;
        let ticket = self.ticket.filter(|_| scheme == "Negotiate");
        Ok(Box::new(Messages { password, ticket }))
    }
}

struct Messages {
    password: &'static str,
    ticket: Option<&'static [u8]>,
}

impl Conversation for Messages {
    fn next(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, NoTicket> {
        if let Some(ticket) = self.ticket.take() {
            return Ok(ticket.to_vec());
        }
        let Some(bytes) = challenge.filter(|bytes| *bytes != b"ok") else { return Ok(ntlm::negotiate()) };
        let challenge = ntlm::Challenge::read(bytes).map_err(|why| NoTicket::new(why.to_string()))?;
        let who = ntlm::Account { domain: "EXAMPLE", user: "machine", workstation: "HERE" };
        ntlm::authenticate(&challenge, who, self.password, ntlm::Fresh { client: [7; 8], time: 1 })
            .map_err(|why| NoTicket::new(why.to_string()))
    }
}

/// A way with as many connections as are asked for.
struct Again(u16);

impl super::Dial for Again {
    async fn again(&self) -> Option<crate::net::Stream> {
        #[allow(clippy::disallowed_methods, reason = "the test's own proxy")]
        let stream = TcpStream::connect(("127.0.0.1", self.0)).await.unwrap();
        Some(Box::new(stream))
    }
}

/// Asks a proxy of this manner for tunnels, one after the other, in a run without a user.
async fn under(machine: &Arc<Machine>, manner: Manner, tunnels: usize) -> (Proxy, Vec<ProxyAuth>) {
    let proxy = Proxy::start(manner).await;
    let hops = vec![proxy.hop.clone()];
    let auth = super::Auth::new(&Settings::default(), hops, false, jiff::Timestamp::UNIX_EPOCH);
    let auth = auth.under(machine.clone());
    let mut seen = Vec::new();
    for _ in 0..tunnels {
        let dial = Again(proxy.hop.port);
        let stream = super::Dial::again(&dial).await.unwrap();
        let wait = std::time::Duration::from_secs(5);
        let way = super::Way { auth: &auth, hop: &proxy.hop, dial, wait };
        let answer = super::tunnel(&way, stream, "a.test", 443).await;
        let Outcome::Proxy { auth: Some(auth), .. } = answer.outcome else { panic!() };
        assert_eq!(answer.tunnel.is_some(), auth.stage == AuthStage::Accepted);
        seen.push(*auth);
    }
    (proxy, seen)
}

#[tokio::test]
async fn without_a_user_the_account_of_the_run_logs_on() {
    for (offers, scheme, passed) in [
        (&["NTLM"][..], "NTLM", 0),
        (&["Negotiate"], "Negotiate", 0),
        (&["Basic", "NTLM", "Digest", "Negotiate"], "Negotiate", 2),
    ] {
        let machine = Machine::new(Some(PASSWORD), None);
        let (proxy, seen) = under(&machine, Manner { offers, ..Manner::default() }, 2).await;
        for auth in &seen {
            assert_eq!((auth.stage, auth.own), (AuthStage::Accepted, true), "{auth:?}");
            assert_eq!((auth.scheme.as_str(), auth.mechanism.as_str()), (scheme, "ntlm"));
            assert!(crate::describe::logon(auth).contains("own account"));
        }
        assert_eq!((seen[0].rounds, seen[0].passed_over.len(), seen[1].rounds), (3, passed, 2), "{seen:?}");
        assert_eq!((proxy.tried().len(), proxy.wrong()), (2, 0));
        // The first request of the run carried nothing.
        let journal = proxy.journal.lock().unwrap();
        let first = String::from_utf8_lossy(&journal.bytes);
        assert!(!first.split("\r\n\r\n").next().unwrap().contains("uthorization"));
    }
}

#[tokio::test]
async fn an_account_of_the_run_that_is_refused_is_sent_once() {
    let machine = Machine::new(Some("wrong"), None);
    let manner = Manner { offers: &["Negotiate", "NTLM"], ..Manner::default() };
    let (proxy, seen) = under(&machine, manner, 3).await;
    assert_eq!(
        seen.iter().map(|auth| auth.stage).collect::<Vec<_>>(),
        [AuthStage::Rejected, AuthStage::Demanded, AuthStage::Demanded]
    );
    assert!(seen[1].own && !seen[1].why.is_empty(), "{seen:?}");
    assert_eq!((proxy.tried().len(), proxy.wrong(), machine.begun()), (1, 1, 1));
}

#[tokio::test]
async fn an_account_that_does_not_log_on_is_a_fact_with_a_name() {
    let machine = Machine::new(None, None);
    let manner = Manner { offers: &["Negotiate", "NTLM", "Basic"], ..Manner::default() };
    let (proxy, seen) = under(&machine, manner, 2).await;
    assert!(proxy.tried().is_empty());
    assert_eq!((seen[0].stage, seen[0].own, seen[0].rounds), (AuthStage::Demanded, true, 1));
    let passed: Vec<&str> = seen[0].passed_over.iter().map(|one| one.scheme.as_str()).collect();
    assert_eq!(passed, ["Basic", "Negotiate", "NTLM"]);
    assert!(crate::describe::logon(&seen[0]).contains("nobody is here"));
    // The system was asked for both schemes once.
    assert_eq!((seen[1].stage, machine.begun()), (AuthStage::Demanded, 2));
    let machine = Machine::new(Some(PASSWORD), None);
    let (proxy, seen) = under(&machine, Manner { offers: &["Basic"], ..Manner::default() }, 1).await;
    assert_eq!((seen[0].stage, machine.begun(), proxy.tried().len()), (AuthStage::Demanded, 0, 0));
}

#[tokio::test]
async fn a_ticket_that_is_refused_is_final_and_one_that_is_asked_on_goes_on() {
    let manner = Manner { offers: &["Negotiate"], ..Manner::default() };
    let machine = Machine::new(Some(PASSWORD), Some(b"a ticket"));
    let (proxy, seen) = under(&machine, manner, 1).await;
    assert_eq!((seen[0].stage, seen[0].mechanism.as_str()), (AuthStage::Rejected, "kerberos"));
    assert_eq!((seen[0].spn.as_str(), proxy.wrong()), ("HTTP/127.0.0.1", 1));
    let machine = Machine::new(Some(PASSWORD), Some(b"a ticket"));
    let (proxy, seen) = under(&machine, Manner { asks_on: true, ..manner }, 2).await;
    assert_eq!((seen[0].stage, seen[0].mechanism.as_str()), (AuthStage::Accepted, "ntlm"), "{seen:?}");
    assert_eq!((seen[0].rounds, seen[1].rounds, proxy.wrong()), (4, 3, 0));
}

#[tokio::test]
async fn a_challenge_that_the_system_does_not_take_ends_the_logon() {
    let machine = Machine::new(Some(PASSWORD), None);
    let manner = Manner { offers: &["NTLM"], garbles: true, ..Manner::default() };
    let (proxy, seen) = under(&machine, manner, 2).await;
    assert_eq!((seen[0].stage, seen[1].stage), (AuthStage::Broken, AuthStage::Demanded));
    assert!(proxy.tried().is_empty() && machine.begun() == 1);
}

/// Nobody said that the account of the run may pass: that it may not is no cause.
#[tokio::test]
async fn a_refusal_of_the_account_of_the_run_is_judged_as_the_demand_that_it_is() {
    let proxy = Proxy::start(Manner { offers: &["NTLM"], ..Manner::default() }).await;
    let report = proxy.run(Some("wrong"), Layer::Proxy, &THREE[..1]).await;
    let ids = |report: &Report| report.findings.iter().map(|f| f.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&report), ["proxy/auth-rejected"]);
    let Report { settings, facts, paths, mut observations, .. } = report;
    for observation in &mut observations {
        if let Outcome::Proxy { auth: Some(auth), .. } = &mut observation.outcome {
            auth.own = true;
        }
    }
    let again = crate::diagnosis::judge(&Evidence { settings, facts, paths, observations });
    let found: Vec<&str> = again.findings.iter().map(|f| f.id.as_str()).collect();
    assert_eq!(found, ["proxy/auth-required"]);
    assert!(again.unknown.iter().any(|open| open.question.contains("another account")));
}

/// A way without a second connection.
struct Once;

impl super::Dial for Once {
    async fn again(&self) -> Option<crate::net::Stream> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_is_not_waited_for() {
    let auth = super::Auth::new(&Settings::default(), Vec::new(), false, jiff::Timestamp::UNIX_EPOCH);
    let hop = ProxyHop { kind: ProxyKind::Http, host: "proxy.test".into(), port: 1 };
    for (text, expected) in
        [("HTTP/1.1 407 No\r\nX: yyyyyyyyyyyyyyyyyyyyy", true), ("SSH-2.0-OpenSSH", false)]
    {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            for byte in text.bytes().cycle() {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                if theirs.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        });
        let wait = std::time::Duration::from_secs(12);
        let way = super::Way { auth: &auth, hop: &hop, dial: Once, wait };
        let begun = tokio::time::Instant::now();
        let answer = super::tunnel(&way, Box::new(ours), "a.test", 443).await;
        assert!(begun.elapsed() <= wait);
        let Outcome::Proxy { answer, auth: None, .. } = answer.outcome else { panic!() };
        let cut = answer == crate::evidence::ProxyAnswer::Broken { how: crate::evidence::Broken::Timeout };
        assert_eq!(cut, expected, "{answer:?}");
    }
}
