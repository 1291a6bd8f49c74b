//! Sessions that rustls does not speak. A program with the feature `legacy-sessions` reaches what is above them; any
//! other says that this is its own client's limit, and finds nothing.

use std::net::SocketAddr;
use std::sync::LazyLock;

use serde_json::Value;
use tokio::runtime::Runtime;
use wsuslab::load;
use wsuslab::schema::World;
use wsuslab::world::Running;
use wsusprobe_suite::certificates::{Site, now};
use wsusprobe_suite::probe::{Probe, Ran};
use wsusprobe_suite::server::{Server, folder, port};
use wsusprobe_suite::targets::DH;
use wsusprobe_suite::write;

use super::nginx::nginx;
use super::s_server::against;
use crate::{Case, Done, PROGRAM};

/// Whether the program under test has the feature.
const COMPLETES: bool = cfg!(all(feature = "legacy-sessions", target_os = "linux"));
/// The upstream of the lab.
const UPSTREAM: &str = "upstream.example.com";

pub(crate) fn cases() -> Vec<Case> {
    let list: &[Case] = &[
        ("legacy: TLS 1.2 with ECDHE and CBC alone", &["nginx"], cbc),
        ("legacy: TLS 1.2 with RSA key exchange alone", &["nginx"], rsa),
        ("legacy: TLS 1.2 with RSA key exchange and CBC alone", &["nginx"], rsa_cbc),
        ("legacy: TLS 1.2 with DHE alone", &["nginx"], dhe),
        ("legacy: TLS 1.0, to a Windows Server 2012 R2", &["nginx"], tls10),
        ("legacy: TLS 1.1, to a Windows Server 2012 R2", &["nginx"], tls11),
        ("legacy: an ordinary session is rustls' own", &["nginx"], ordinary),
        ("legacy: a chain that is not trusted gets no request", &["nginx"], untrusted),
        ("legacy: a client certificate is demanded after the handshake", &["nginx"], asked_then_refused),
        ("legacy: a client certificate is demanded in the handshake", &["openssl"], asked_in_handshake),
        ("s_server: CBC alone", &["openssl"], s_server_cbc),
        ("s_server: DHE alone", &["openssl"], s_server_dhe),
    ];
    list.to_vec()
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// The lab's upstream in clear, and nginx before it that speaks TLS for it.
struct Terminated {
    _world: Running,
    _folder: tempfile::TempDir,
    _server: Server,
    probe: Probe,
}

/// What the probe is told of the server.
enum Told {
    /// Where its upstream is, and nothing of its Windows.
    Nothing,
    /// That it is a Windows Server 2012 R2.
    Windows2012R2,
}

impl Terminated {
    /// `tls` stands in nginx' `server` block; its root is trusted where `trusted`.
    fn start(told: &Told, tls: &str, trusted: bool) -> Result<Terminated, String> {
        let mut scenario =
            load::by_name(&load::home(), "upstream-http").map_err(|error| error.to_string())?;
        scenario.world.epoch = Some(mockups::http::Clock::starting_at(now()).xml_time(0));
        let lab = folder();
        let world = {
            let _inside = RUNTIME.enter();
            World::up(&scenario, lab.path()).map_err(|error| error.to_string())?
        };
        let place = world.places.iter().find(|p| p.name == UPSTREAM && p.port == 8530);
        let behind: SocketAddr = place.ok_or("the lab's upstream has no port 8530")?.at;

        let (dir, at, site) = (folder(), port(), Site::new());
        site.issue(&Site::usual(UPSTREAM)).write(dir.path());
        write(dir.path(), "dh.pem", DH);
        let issuer = site.root(dir.path());
        let root = site.root(lab.path());
        let mut files = vec![write(
            lab.path(),
            "told-config.txt",
            format!(
                "SyncFromMicrosoftUpdate : False\nUpstreamWsusServerName : {UPSTREAM}\n\
                 UpstreamWsusServerPortNumber : 8531\nUpstreamWsusServerUseSsl : True\nIsReplicaServer : False\n\
                 UseProxy : False\n"
            ),
        )];
        if matches!(told, Told::Windows2012R2) {
            let text = "Name : wsus.example.com\nVersion : 6.3.9600.18838\nServerProtocolVersion : 1.8\n";
            files.push(write(lab.path(), "told-server.txt", text));
        }
        let here = dir.path().display();
        let block = format!(
            "server {{ listen 127.0.0.1:{at} ssl; ssl_certificate {here}/chain.pem; ssl_certificate_key {here}/key.pem;\n\
             ssl_dhparam {here}/dh.pem; {}\nlocation / {{ proxy_pass http://{behind}; proxy_set_header Host {UPSTREAM}:8530; }} }}",
            tls.replace("ISSUER", &issuer.display().to_string())
        );
        let server = nginx(dir, at, &block)?;
        let mut arguments = vec!["diagnose".to_owned()];
        arguments.extend(files.iter().map(|file| file.display().to_string()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut probe = Probe::new(PROGRAM, &arguments);
        if trusted {
            probe = probe.trusting(&root);
        }
        let probe = probe.redirect(UPSTREAM, 8531, at).redirect(UPSTREAM, 8530, behind.port());
        Ok(Terminated { _world: world, _folder: lab, _server: server, probe })
    }
}

/// What came of the steps of a kind at a port.
fn seen(ran: &Ran, kind: &str, port: u16) -> Vec<Value> {
    let report = ran.report();
    let observations = report["observations"].as_array().into_iter().flatten();
    let there =
        observations.filter(|o| o["subject"].as_str().is_some_and(|s| s.ends_with(&format!(":{port}"))));
    there.map(|o| o["outcome"].clone()).filter(|outcome| outcome["kind"] == kind).collect()
}

/// Whether every handshake came out like that, by that library.
fn made(ran: &Ran, answer: &str, library: &str) -> Result<(), String> {
    let handshakes = seen(ran, "handshake", 8531);
    let wanted = |outcome: &Value| {
        outcome["answer"]["answer"] == answer
            && outcome["library"].as_str().is_some_and(|name| name.starts_with(library))
    };
    if !handshakes.is_empty() && handshakes.iter().all(wanted) {
        return Ok(());
    }
    Err(format!("not {answer} by {library}, but {handshakes:?}"))
}

/// Whether the WSUS services answered over TLS.
fn soap(ran: &Ran) -> bool {
    seen(ran, "soap", 8531).iter().any(|outcome| outcome["answer"]["answer"] == "result")
}

/// That the client has nothing but CBC in common with the server, which is no matter of the session.
const CBC_ONLY: &str = "note warning certain tls/cbc-only";

/// SOAP is reached over that session with nothing but these findings, or it is left open by name.
fn reaches(told: &Told, tls: &str, suite: &str, findings: &[&str]) -> Done {
    let ran = Terminated::start(told, tls, true)?.probe.run();
    if COMPLETES {
        ran.expect(if findings.is_empty() { "healthy" } else { "degraded" }, findings)?;
        made(&ran, "done", "OpenSSL ")?;
    } else {
        ran.expect("undetermined", findings)?.leaves_open(suite)?.leaves_open("own TLS library")?;
    }
    if soap(&ran) == COMPLETES { Ok(()) } else { Err(ran.stdout.into()) }
}

fn cbc() -> Done {
    let tls = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-SHA384;";
    reaches(&Told::Nothing, tls, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", &[CBC_ONLY])
}

fn rsa_cbc() -> Done {
    let tls = "ssl_protocols TLSv1.2; ssl_ciphers AES256-SHA256;";
    reaches(&Told::Nothing, tls, "TLS_RSA_WITH_AES_256_CBC_SHA256", &[CBC_ONLY])
}

fn rsa() -> Done {
    let tls = "ssl_protocols TLSv1.2; ssl_ciphers AES256-GCM-SHA384;";
    reaches(&Told::Nothing, tls, "TLS_RSA_WITH_AES_256_GCM_SHA384", &[])
}

/// No Windows has DHE with CBC and SHA-256.
fn dhe() -> Done {
    let tls = "ssl_protocols TLSv1.2; ssl_ciphers DHE-RSA-AES256-GCM-SHA384;";
    reaches(&Told::Nothing, tls, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", &[])
}

fn tls10() -> Done {
    let tls = "ssl_protocols TLSv1; ssl_ciphers AES256-SHA:@SECLEVEL=0;";
    reaches(&Told::Windows2012R2, tls, "TLS_RSA_WITH_AES_256_CBC_SHA", &[])
}

fn tls11() -> Done {
    let tls = "ssl_protocols TLSv1.1; ssl_ciphers ECDHE-RSA-AES256-SHA:@SECLEVEL=0;";
    reaches(&Told::Windows2012R2, tls, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", &[])
}

fn ordinary() -> Done {
    let up = Terminated::start(&Told::Nothing, "", true)?;
    let ran = up.probe.run();
    ran.expect("healthy", &[])?;
    made(&ran, "done", "rustls")?;
    let text = up.probe.with(&["-v"]).form("text").run().stdout;
    if text.contains("the TLS library: rustls") { Ok(()) } else { Err(text.into()) }
}

fn untrusted() -> Done {
    let tls = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-SHA384;";
    let ran = Terminated::start(&Told::Nothing, tls, false)?.probe.run();
    ran.says("trust/untrusted-root", "Interop Root CA")?;
    if COMPLETES {
        made(&ran, "untrusted", "OpenSSL ")?;
    }
    if seen(&ran, "http", 8531).is_empty() { Ok(()) } else { Err(ran.stdout.into()) }
}

fn asked_then_refused() -> Done {
    let tls = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-SHA384; \
               ssl_client_certificate ISSUER; ssl_verify_client on;";
    let ran = Terminated::start(&Told::Nothing, tls, true)?.probe.run();
    if COMPLETES {
        made(&ran, "done", "OpenSSL ")?;
        ran.says("tls/client-certificate", "refuses the request (400)")?;
    } else {
        ran.leaves_open("own TLS library")?;
    }
    Ok(())
}

fn asked_in_handshake() -> Done {
    let ran = against("-tls1_2 -cipher ECDHE-RSA-AES256-SHA384 -Verify 3 -verify_return_error")?;
    if COMPLETES {
        ran.expect("faulty", &["cause error certain tls/client-certificate", CBC_ONLY])?
            .says("tls/client-certificate", "breaks it off")?;
        made(&ran, "alert", "OpenSSL ")?;
    }
    Ok(())
}

fn s_server(cipher: &str, suite: &str, findings: &[&str]) -> Done {
    let ran = against(&format!("-tls1_2 -cipher {cipher}"))?;
    if COMPLETES {
        ran.expect(if findings.is_empty() { "healthy" } else { "degraded" }, findings)?;
    } else {
        ran.expect("undetermined", findings)?.leaves_open(suite)?;
    }
    Ok(())
}

fn s_server_cbc() -> Done {
    s_server("ECDHE-RSA-AES256-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", &[CBC_ONLY])
}

fn s_server_dhe() -> Done {
    s_server("DHE-RSA-AES256-GCM-SHA384", "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", &[])
}
