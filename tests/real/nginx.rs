//! nginx as the upstream.

use std::path::Path;
use std::process::Command;

use wsusprobe_suite::certificates::{Served, Site};
use wsusprobe_suite::probe::Probe;
use wsusprobe_suite::server::{Answers, Server, folder, port};
use wsusprobe_suite::{installed, write};

use crate::{Case, Done, HOST, PROGRAM};

pub(crate) fn cases() -> Vec<Case> {
    let list: &[Case] = &[
        ("nginx: a whole chain is healthy", &["nginx"], healthy),
        (
            "nginx: two certificates, and a suite of the second that only we offer",
            &["nginx"],
            two_certificates,
        ),
        ("nginx: a missing intermediate that AIA serves is a warning", &["nginx"], fetched_intermediate),
        (
            "nginx: a missing intermediate that AIA does not serve is the cause",
            &["nginx"],
            missing_intermediate,
        ),
        ("nginx: openssl's expired certificate", &["nginx", "openssl"], expired),
        ("nginx: openssl's certificate, while it was good", &["nginx", "openssl"], not_expired_then),
        ("nginx: another name", &["nginx"], wrong_name),
        ("nginx: the root is sent in the intermediate's place", &["nginx"], root_sent),
        ("nginx: 503 is not HTTP.sys'", &["nginx"], unavailable),
        ("nginx: a redirection", &["nginx"], redirect),
        ("nginx: no such file", &["nginx"], absent),
        ("nginx: plain HTTP on the TLS port", &["nginx"], plain_on_tls),
        ("nginx: plain HTTP to the TLS port", &["nginx"], tls_on_plain),
        ("nginx: a client certificate is demanded", &["nginx"], client_certificate),
        ("nginx: TLS 1.3 alone", &["nginx"], tls13_alone),
        ("nginx: the name is refused", &["nginx"], name_refused),
    ];
    list.to_vec()
}

/// Starts nginx with these `server` blocks; its certificates lie in its folder.
pub(crate) fn nginx(dir: tempfile::TempDir, ready: u16, servers: &str) -> Result<Server, String> {
    let at = dir.path().display().to_string();
    let mut paths = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        paths.push_str(&format!("{kind}_temp_path {at}/{kind};\n"));
    }
    let text = format!(
        "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/log;\nevents {{}}\n\
         http {{\naccess_log off;\n{paths}ssl_session_cache none;\n{servers}\n}}\n"
    );
    let config = write(dir.path(), "nginx.conf", text);
    let mut command = Command::new(installed("nginx").ok_or("no nginx")?);
    command.arg("-e").arg(dir.path().join("log")).arg("-c").arg(config);
    Server::start(command, dir, Answers::Tcp(ready))
}

/// A `server` block that serves TLS with that file's certificates.
fn over_tls(port: u16, dir: &Path, chain: &str, rest: &str) -> String {
    let dir = dir.display();
    format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {dir}/{chain}; ssl_certificate_key {dir}/key.pem;\n{rest} }}"
    )
}

/// Everything there answers 200.
const OK: &str = "default_type text/plain; location / { return 200 'there'; }";

/// A server over TLS, and a check of it that trusts the site's root.
struct Upstream {
    _server: Server,
    probe: Probe,
}

fn upstream(served: impl FnOnce(&Site) -> Served, chain: &str, rest: &str) -> Result<Upstream, String> {
    let (dir, at, site) = (folder(), port(), Site::new());
    served(&site).write(dir.path());
    let root = site.root(dir.path());
    let block = over_tls(at, dir.path(), chain, rest);
    let probe = Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")])
        .trusting(&root)
        .redirect(HOST, 8531, at);
    Ok(Upstream { _server: nginx(dir, at, &block)?, probe })
}

fn usual(site: &Site) -> Served {
    site.issue(&Site::usual(HOST))
}

fn healthy() -> Done {
    upstream(usual, "chain.pem", OK)?.probe.run().expect("healthy", &[])?;
    Ok(())
}

/// A server with an RSA and an ECDSA certificate that prefers a suite which Windows does not offer: the handshake has to
/// meet the certificate that the hello met.
fn two_certificates() -> Done {
    let (dir, at, site) = (folder(), port(), Site::new());
    let second = dir.path().join("second");
    std::fs::create_dir(&second).map_err(|e| e.to_string())?;
    usual(&site).write(dir.path());
    site.issue_for(&Site::usual(HOST), "elliptic").write(&second);
    let root = site.root(dir.path());
    let rest = format!(
        "ssl_certificate {0}/chain.pem; ssl_certificate_key {0}/key.pem; ssl_prefer_server_ciphers on; \
         ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384; {OK}",
        second.display()
    );
    let _server = nginx(dir, at, &over_tls(at, root.parent().ok_or("no folder")?, "chain.pem", &rest))?;
    let probe = Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")])
        .trusting(&root)
        .redirect(HOST, 8531, at);
    probe.run().expect("healthy", &[])?;
    Ok(())
}

const AIA: &str = "http://pki.example.test/issuing.crt";

/// The leaf alone, which names where its issuer is served.
fn leaf_with_aia(alive: bool) -> Result<(Server, Probe), String> {
    let (dir, at, plain, site) = (folder(), port(), port(), Site::new());
    let mut spec = Site::usual(HOST);
    spec.aia = Some(AIA.to_owned());
    site.issue(&spec).write(dir.path());
    site.issuing(&dir.path().join("issuing.crt"));
    let root = site.root(dir.path());
    let pki = format!("server {{ listen 127.0.0.1:{plain}; root {}; }}", dir.path().display());
    let blocks = over_tls(at, dir.path(), "leaf.pem", OK) + &pki;
    let mut probe = Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")])
        .trusting(&root)
        .redirect(HOST, 8531, at);
    // Nothing listens on the other.
    probe = probe.redirect("pki.example.test", 80, if alive { plain } else { port() });
    Ok((nginx(dir, at, &blocks)?, probe))
}

fn fetched_intermediate() -> Done {
    let (_server, probe) = leaf_with_aia(true)?;
    let ran = probe.run();
    ran.expect("degraded", &["note warning certain trust/missing-intermediate"])?;
    ran.says("trust/missing-intermediate", AIA)?;
    Ok(())
}

fn missing_intermediate() -> Done {
    let (_server, probe) = leaf_with_aia(false)?;
    let ran = probe.run();
    ran.expect("faulty", &["cause error certain trust/missing-intermediate"])?;
    ran.says("trust/missing-intermediate", AIA)?.says("trust/missing-intermediate", "Interop Issuing CA")?;
    Ok(())
}

/// A root and a leaf by `openssl`, the leaf good in January 2024.
fn by_openssl() -> Result<(Server, Probe), String> {
    let (dir, at) = (folder(), port());
    let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n\
                  policy=p\nx509_extensions=leaf\n[p]\ncommonName=supplied\n[req]\ndistinguished_name=n\n[n]\n\
                  [root]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
                  subjectKeyIdentifier=hash\n[leaf]\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n\
                  authorityKeyIdentifier=keyid\nsubjectAltName=DNS:upstream.example.test\n";
    write(dir.path(), "ca.cnf", config);
    write(dir.path(), "index", "");
    write(dir.path(), "serial", "4D2A\n");
    let steps = [
        "req -config ca.cnf -new -newkey rsa:2048 -nodes -keyout ca.key -out root.csr -subj /CN=OpenSSL-Root",
        "ca -batch -notext -config ca.cnf -selfsign -keyfile ca.key -in root.csr -out root.pem -extensions root \
         -startdate 20230101000000Z -enddate 20400101000000Z",
        "req -config ca.cnf -new -newkey rsa:2048 -nodes -keyout key.pem -out leaf.csr -subj /CN=upstream.example.test",
        "ca -batch -notext -config ca.cnf -cert root.pem -keyfile ca.key -in leaf.csr -out leaf.pem \
         -startdate 20240101000000Z -enddate 20240131000000Z",
    ];
    for step in steps {
        let ran = Command::new("openssl")
            .args(step.split_whitespace())
            .current_dir(dir.path())
            .output()
            .map_err(|error| format!("openssl: {error}"))?;
        if !ran.status.success() {
            return Err(format!("openssl {step}: {}", String::from_utf8_lossy(&ran.stderr)));
        }
    }
    let probe = Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")])
        .trusting(&dir.path().join("root.pem"))
        .redirect(HOST, 8531, at);
    let block = over_tls(at, dir.path(), "leaf.pem", OK);
    Ok((nginx(dir, at, &block)?, probe))
}

fn expired() -> Done {
    let (_server, probe) = by_openssl()?;
    let ran = probe.run();
    ran.expect("faulty", &["cause error certain trust/expired"])?.says("trust/expired", "2024-01-31")?;
    Ok(())
}

fn not_expired_then() -> Done {
    let (_server, probe) = by_openssl()?;
    probe.with(&["--at", "2024-01-15T12:00:00Z"]).run().expect("healthy", &[])?;
    Ok(())
}

fn wrong_name() -> Done {
    let up = upstream(|site| site.issue(&Site::usual("other.example.test")), "chain.pem", OK)?;
    let ran = up.probe.run();
    ran.expect("faulty", &["cause error certain trust/name-mismatch"])?;
    ran.says("trust/name-mismatch", "other.example.test")?;
    Ok(())
}

fn root_sent() -> Done {
    let (dir, at, site) = (folder(), port(), Site::new());
    usual(&site).write(dir.path());
    let root = site.root(dir.path());
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    write(dir.path(), "odd.pem", read("leaf.pem") + &read("root.pem"));
    let block = over_tls(at, dir.path(), "odd.pem", OK);
    let probe = Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")])
        .trusting(&root)
        .redirect(HOST, 8531, at);
    let _server = nginx(dir, at, &block)?;
    probe.run().expect("faulty", &["cause error certain trust/root-sent-for-intermediate"])?;
    Ok(())
}

fn unavailable() -> Done {
    let ran = upstream(usual, "chain.pem", "location / { return 503; }")?.probe.run();
    ran.expect("faulty", &["cause error certain http/unavailable"])?.says("http/unavailable", "nginx")?;
    Ok(())
}

fn redirect() -> Done {
    let to = "location / { return 302 https://portal.example.test/login; }";
    let ran = upstream(usual, "chain.pem", to)?.probe.run();
    ran.expect("faulty", &["cause error certain http/redirect"])?;
    ran.says("http/redirect", "https://portal.example.test/login")?;
    Ok(())
}

fn absent() -> Done {
    let ran = upstream(usual, "chain.pem", "location / { return 404; }")?.probe.run();
    ran.expect("faulty", &["cause error certain http/not-found"])?;
    Ok(())
}

fn plain_on_tls() -> Done {
    let (dir, at) = (folder(), port());
    let block = format!("server {{ listen 127.0.0.1:{at}; {OK} }}");
    let _server = nginx(dir, at, &block)?;
    let ran =
        Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")]).redirect(HOST, 8531, at).run();
    ran.expect("faulty", &["cause error certain tls/plain-http"])?
        .says("tls/plain-http", "400 Bad Request")?;
    Ok(())
}

fn tls_on_plain() -> Done {
    let (dir, at, site) = (folder(), port(), Site::new());
    usual(&site).write(dir.path());
    let block = over_tls(at, dir.path(), "chain.pem", OK);
    let _server = nginx(dir, at, &block)?;
    let asked = |path: &str| {
        Probe::new(PROGRAM, &["check", &format!("http://{HOST}:8530{path}")]).redirect(HOST, 8530, at).run()
    };
    asked("/there").expect("faulty", &["cause error certain http/ssl-required"])?;
    // As a WSUS base more is asked, of which none is the cause.
    asked("").says("http/ssl-required", "400")?.says("http/ssl-required", "speaks TLS")?;
    Ok(())
}

fn client_certificate() -> Done {
    let (dir, at, site) = (folder(), port(), Site::new());
    usual(&site).write(dir.path());
    let root = site.root(dir.path());
    let asks = format!("ssl_client_certificate {}; ssl_verify_client on; {OK}", root.display());
    let block = over_tls(at, dir.path(), "chain.pem", &asks);
    let probe = Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")])
        .trusting(&root)
        .redirect(HOST, 8531, at);
    let _server = nginx(dir, at, &block)?;
    let ran = probe.run();
    ran.expect("faulty", &["cause error certain tls/client-certificate"])?
        .says("tls/client-certificate", "400")?;
    Ok(())
}

fn tls13_alone() -> Done {
    let ran = upstream(usual, "chain.pem", &format!("ssl_protocols TLSv1.3; {OK}"))?.probe.run();
    ran.expect("faulty", &["cause error likely tls/version-unsupported"])?
        .says("tls/version-unsupported", "TLS 1.3")?;
    Ok(())
}

fn name_refused() -> Done {
    let ran = upstream(usual, "chain.pem", "ssl_reject_handshake on;")?.probe.run();
    ran.expect("faulty", &["cause error certain tls/refused"])?.says("tls/refused", "112")?;
    Ok(())
}

/// A plain server that says 200 to everything, for whoever needs something behind it.
pub(crate) fn plain(says: &str) -> Result<(Server, u16), String> {
    let (dir, at) = (folder(), port());
    let block = format!(
        "server {{ listen 127.0.0.1:{at}; default_type text/plain; location / {{ return 200 '{says}'; }} }}"
    );
    Ok((nginx(dir, at, &block)?, at))
}

/// A healthy TLS server, with the folder of its root and its port.
pub(crate) fn healthy_server() -> Result<(Server, tempfile::TempDir, u16), String> {
    let (dir, at, site, roots) = (folder(), port(), Site::new(), folder());
    usual(&site).write(dir.path());
    site.root(roots.path());
    let block = over_tls(at, dir.path(), "chain.pem", OK);
    Ok((nginx(dir, at, &block)?, roots, at))
}
