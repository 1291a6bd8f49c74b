//! Real proxies that want to know who somebody is, or look into tunnels, or speak SOCKS.
//!
//! Each is first proved by curl: with the right password it opens a tunnel, with a wrong one it does not, or what our
//! program is refused by would prove nothing.

use std::path::Path;
use std::process::Command;

use wsusprobe_suite::certificates::Site;
use wsusprobe_suite::kerberos::Realm;
use wsusprobe_suite::mitmproxy::Mitmproxy;
use wsusprobe_suite::probe::Probe;
use wsusprobe_suite::samba::{DOMAIN, Samba};
use wsusprobe_suite::server::{Server, port};
use wsusprobe_suite::socks::{self, Socks};
use wsusprobe_suite::squid::{PROXY, Setup, Squid, refusals};

use super::nginx;
use crate::{Case, Done, HOST, PROGRAM, ROOT};

/// Whether the program answers a proxy that asks.
const CLIENT_SIDE: bool = true;

pub(crate) fn cases() -> Vec<Case> {
    let proved: &[Case] = &[
        ("curl: squid checks Basic", &["squid", "curl", "nginx", "openssl"], curl_basic),
        ("curl: squid checks Digest", &["squid", "curl", "nginx", "digest_file_auth"], curl_digest),
        ("curl: squid and Samba check NTLM", NTLM, curl_ntlm),
        ("curl: squid checks Kerberos", KERBEROS, curl_kerberos),
        ("curl: squid asks as in a domain", DOMAIN_NEEDS, curl_domain),
        (
            "curl: squid denies by host, by port and by name",
            &["squid", "curl", "nginx", "openssl"],
            curl_denied,
        ),
        ("curl: squid signs again", &["squid", "security_file_certgen", "curl", "nginx"], curl_bump),
        ("curl: mitmproxy signs again", &["mitmdump", "curl", "nginx"], curl_mitmproxy),
        ("curl: dante opens and refuses", DANTE, curl_dante),
        ("curl: microsocks opens and refuses", &["microsocks", NAMES, "curl", "nginx"], curl_microsocks),
        ("squid signs again: inspection", &["squid", "security_file_certgen", "nginx"], bump),
        (
            "squid passes tunnels on that it could sign again",
            &["squid", "security_file_certgen", "nginx"],
            splice,
        ),
        ("mitmproxy signs again: inspection", &["mitmdump", "nginx"], mitmproxy),
        ("mitmproxy asks for Basic", &["mitmdump", "nginx"], mitmproxy_asks),
        ("dante passes on", DANTE, dante),
        ("dante blocks by a rule", DANTE, dante_blocks),
        ("microsocks passes on", &["microsocks", NAMES, "nginx"], microsocks),
        ("microsocks cannot resolve or reach", &["microsocks", NAMES], microsocks_cannot),
    ];
    // What the program does with a user and a password.
    let asked: &[Case] = &[
        ("squid: Basic", &["squid", "nginx", "openssl"], basic),
        ("squid: Digest", &["squid", "nginx", "digest_file_auth"], digest),
        ("squid: NTLM", NTLM, ntlm),
        ("squid: Kerberos by a ticket", KERBEROS, kerberos_ticket),
        ("squid: Kerberos by a password", KERBEROS, kerberos_password),
        ("squid: as in a domain, without a ticket", DOMAIN_NEEDS, domain),
        ("squid: logged on, and denied all the same", &["squid", "openssl"], denied),
        ("dante: a user and a password", DANTE, dante_user),
        ("microsocks: a user and a password", &["microsocks", NAMES, "nginx"], microsocks_user),
        ("mitmproxy: Basic, and it signs again", &["mitmdump", "nginx"], mitmproxy_basic),
    ];
    if CLIENT_SIDE { [proved, asked].concat() } else { proved.to_vec() }
}

const NTLM: &[&str] = &["squid", NAMES, "winbindd", "smbpasswd", "ntlm_auth", "curl", "nginx", ROOT];
const KERBEROS: &[&str] =
    &["squid", "negotiate_kerberos_auth", "krb5kdc", "kadmin.local", "kinit", "curl", "nginx"];
const DOMAIN_NEEDS: &[&str] = &[
    "squid",
    "negotiate_kerberos_auth",
    "negotiate_wrapper_auth",
    NAMES,
    "krb5kdc",
    "kadmin.local",
    "kinit",
    "winbindd",
    "smbpasswd",
    "ntlm_auth",
    "curl",
    "nginx",
    "openssl",
    ROOT,
];
const DANTE: &[&str] = &["danted", NAMES, "curl", "nginx", "openssl", ROOT];
/// What servers find users and hosts in that the system does not have.
const NAMES: &str = "libnss_wrapper.so";

const USER: &str = "wsus";
const PASSWORD: &str = "Un-wahr-8";
const WRONG: &str = "Un-wahr-9";

/// The site behind the proxies: a healthy server, and the file of its root.
struct Behind {
    _nginx: Server,
    roots: tempfile::TempDir,
    url: String,
}

fn behind() -> Result<Behind, String> {
    let (nginx, roots, at) = nginx::healthy_server()?;
    Ok(Behind { _nginx: nginx, roots, url: format!("https://{HOST}:{at}/there") })
}

impl Behind {
    fn root(&self) -> std::path::PathBuf {
        self.roots.path().join("root.pem")
    }

    fn pem(&self) -> Result<String, String> {
        std::fs::read_to_string(self.root()).map_err(|error| error.to_string())
    }

    /// What curl meets: its exit code, and the status of the page and of the tunnel.
    fn curl(
        &self,
        proxy: &str,
        root: &Path,
        more: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Met, String> {
        let ran = Command::new("curl")
            .args(["-q", "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code} %{http_connect}"])
            .args(["-x", proxy, "--cacert"])
            .arg(root)
            .args(more)
            .arg(&self.url)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(environment.iter().copied())
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(|error| format!("curl: {error}"))?;
        Ok(Met {
            code: ran.status.code(),
            statuses: String::from_utf8_lossy(&ran.stdout).into_owned(),
            says: String::from_utf8_lossy(&ran.stderr).into_owned(),
        })
    }
}

#[derive(Debug)]
struct Met {
    code: Option<i32>,
    statuses: String,
    says: String,
}

impl Met {
    fn is(&self, code: i32, statuses: &str) -> Done {
        if self.code == Some(code) && self.statuses == statuses {
            return Ok(());
        }
        Err(format!("not {code} with {statuses}: {:?} with {}: {}", self.code, self.statuses, self.says)
            .into())
    }
}

/// The right password opens a tunnel, the wrong one does not and was refused once, by this Squid.
fn curl_proves(squid: Squid, behind: &Behind, scheme: &str, user: &str) -> Done {
    let proxy = format!("http://127.0.0.1:{}", squid.at);
    let with = |password: &str| {
        let credentials = format!("{user}:{password}");
        behind.curl(&proxy, &behind.root(), &[scheme, "-U", &credentials], &[])
    };
    with(PASSWORD)?.is(0, "200 200").map_err(|error| format!("{error:?}\n{}", squid.says()))?;
    with(WRONG)?.is(56, "000 407")?;
    refused(squid, 1)
}

/// How many logons this Squid has refused.
fn refused(squid: Squid, times: usize) -> Done {
    let answered = squid.stop();
    if refusals(&answered).len() == times {
        return Ok(());
    }
    Err(format!("not {times} were refused: {answered:#?}").into())
}

/// Whether whoever knows the passwords has refused one logon.
fn one_refusal(written: &[String]) -> Done {
    if written.len() == 1 { Ok(()) } else { Err(format!("not one was refused: {written:#?}").into()) }
}

fn curl_basic() -> Done {
    curl_proves(Setup::basic(&[HOST], USER, PASSWORD)?.start()?, &behind()?, "--proxy-basic", USER)
}

fn curl_digest() -> Done {
    curl_proves(Setup::digest(&[HOST], USER, PASSWORD)?.start()?, &behind()?, "--proxy-digest", USER)
}

fn curl_ntlm() -> Done {
    let samba = Samba::start(&[(USER, PASSWORD)])?;
    let squid = Setup::ntlm(&[HOST], &samba).start()?;
    curl_proves(squid, &behind()?, "--proxy-ntlm", &format!("{DOMAIN}\\{USER}"))?;
    one_refusal(&samba.refusals())
}

fn curl_kerberos() -> Done {
    let realm = Realm::start(&[(USER, PASSWORD)])?;
    let squid = Setup::kerberos(&[HOST], &realm)?.start()?;
    let behind = behind()?;
    // By its name: there is no key for an address.
    let proxy = format!("http://localhost:{}", squid.at);
    let config = realm.config().display().to_string();
    let with = |ticket: &str| {
        let environment = [("KRB5_CONFIG", config.as_str()), ("KRB5CCNAME", ticket)];
        behind.curl(&proxy, &behind.root(), &["--proxy-negotiate", "-U", ":"], &environment)
    };
    with(&realm.ticket("good", USER, PASSWORD)?)?.is(0, "200 200")?;
    with(&realm.no_ticket())?.is(56, "000 407")?;
    if realm.ticket("bad", USER, WRONG).is_ok() {
        return Err("a wrong password gave a ticket".into());
    }
    one_refusal(&realm.refusals())?;
    refused(squid, 0)
}

fn curl_domain() -> Done {
    let samba = Samba::start(&[(USER, PASSWORD)])?;
    let realm = Realm::start(&[(USER, PASSWORD)])?;
    let squid = Setup::domain(&[HOST], &realm, &samba, USER, PASSWORD)?.start()?;
    let behind = behind()?;
    let proxy = format!("http://localhost:{}", squid.at);
    let (config, ticket) = (realm.config().display().to_string(), realm.ticket("good", USER, PASSWORD)?);
    let environment = [("KRB5_CONFIG", config.as_str()), ("KRB5CCNAME", ticket.as_str())];
    behind.curl(&proxy, &behind.root(), &["--proxy-negotiate", "-U", ":"], &environment)?.is(0, "200 200")?;
    let account = format!("{USER}:{PASSWORD}");
    for scheme in ["--proxy-ntlm", "--proxy-basic"] {
        behind.curl(&proxy, &behind.root(), &[scheme, "-U", &account], &[])?.is(0, "200 200")?;
    }
    refused(squid, 0)
}

/// Rules for whoever has shown who he is.
fn denying() -> Result<Setup<'static>, String> {
    let mut setup = Setup::basic(&[HOST, "denied.example.test"], USER, PASSWORD)?;
    let rules = "acl host dstdomain denied.example.test\nacl port port 8531\nhttp_access deny host\n\
                 http_access deny CONNECT port\nhttp_access allow all\n";
    setup.rules = setup.rules.replace("http_access allow all\n", rules);
    Ok(setup)
}

fn curl_denied() -> Done {
    let squid = denying()?.start()?;
    let mut behind = behind()?;
    let proxy = format!("http://127.0.0.1:{}", squid.at);
    let account = format!("{USER}:{PASSWORD}");
    let there = behind.url.clone();
    for (url, code, statuses) in [
        (there.as_str(), 0, "200 200"),
        ("https://denied.example.test/there", 56, "000 403"),
        ("https://upstream.example.test:8531/there", 56, "000 403"),
        // Squid 5 says 500 of a name that nobody knows, others 503.
        ("https://nothere.example.test/there", 56, "000 50"),
    ] {
        behind.url = url.to_owned();
        let met = behind.curl(&proxy, &behind.root(), &["-U", &account], &[])?;
        if met.code != Some(code) || !met.statuses.starts_with(statuses) {
            return Err(format!("{url}: {met:?}").into());
        }
    }
    Ok(())
}

fn inspecting(behind: &Behind) -> Result<(Squid, tempfile::TempDir, std::path::PathBuf), String> {
    let (site, folder) = (Site::inspector(), wsusprobe_suite::server::folder());
    let root = site.root(folder.path());
    Ok((Setup::inspecting(&[HOST], &site, behind.pem()?)?.start()?, folder, root))
}

fn curl_bump() -> Done {
    let behind = behind()?;
    let (squid, _folder, root) = inspecting(&behind)?;
    let proxy = format!("http://127.0.0.1:{}", squid.at);
    behind.curl(&proxy, &root, &[], &[])?.is(0, "200 200").map_err(|e| format!("{e:?}\n{}", squid.says()))?;
    behind.curl(&proxy, &behind.root(), &[], &[])?.is(60, "000 200")
}

fn curl_mitmproxy() -> Done {
    let behind = behind()?;
    let account = format!("{USER}:{PASSWORD}");
    let mitm = Mitmproxy::start(&behind.pem()?, Some(&account))?;
    let proxy = format!("http://127.0.0.1:{}", mitm.at);
    behind.curl(&proxy, &mitm.root(), &["-U", &account], &[])?.is(0, "200 200")?;
    behind.curl(&proxy, &behind.root(), &["-U", &account], &[])?.is(60, "000 200")?;
    behind.curl(&proxy, &mitm.root(), &["-U", &format!("{USER}:{WRONG}")], &[])?.is(56, "000 407")
}

/// Both SOCKS proxies: without a password, with the right one, with a wrong one, and to a port where nothing listens.
fn curl_socks(start: impl Fn(Option<(&str, &str)>) -> Result<Socks, String>) -> Done {
    let mut behind = behind()?;
    let proxy = |socks: &Socks| format!("socks5h://127.0.0.1:{}", socks.at);
    let free = start(None)?;
    behind.curl(&proxy(&free), &behind.root(), &[], &[])?.is(0, "200 000")?;
    let asks = start(Some((USER, PASSWORD)))?;
    let with = |behind: &Behind, password: &str| {
        behind.curl(&proxy(&asks), &behind.root(), &["-U", &format!("{USER}:{password}")], &[])
    };
    with(&behind, PASSWORD)?.is(0, "200 000")?;
    with(&behind, WRONG)?.is(97, "000 000")?;
    behind.url = format!("https://{HOST}:{}/there", port());
    with(&behind, PASSWORD)?.is(97, "000 000")
}

fn curl_dante() -> Done {
    curl_socks(|account| socks::dante(&[HOST], "", account))
}

fn curl_microsocks() -> Done {
    curl_socks(|account| socks::microsocks(&[HOST], account))
}

// ---- The program, which asks for nothing but a way --------------------------------------------------------------

/// A check through an HTTP proxy on that port.
fn through(behind: &Behind, at: u16) -> Probe {
    Probe::new(PROGRAM, &["check", &behind.url, "--proxy", &format!("http://{PROXY}:3128")])
        .trusting(&behind.root())
        .redirect(PROXY, 3128, at)
}

/// The findings' names alone.
fn found(probe: Probe, verdict: &str, ids: &[&str]) -> Done {
    let ran = probe.run();
    let findings = ran.findings();
    let same =
        findings.len() == ids.len() && findings.iter().zip(ids).all(|(f, id)| f.ends_with(&format!(" {id}")));
    // Says what came out instead, where it differs.
    let wanted: Vec<&str> = if same { findings.iter().map(String::as_str).collect() } else { ids.to_vec() };
    ran.expect(verdict, &wanted)?;
    Ok(())
}

fn bump() -> Done {
    let behind = behind()?;
    let (squid, _folder, root) = inspecting(&behind)?;
    found(through(&behind, squid.at), "faulty", &["trust/untrusted-root"])?;
    // What the store vouches for is as good as the server's own, as far as this machine can tell.
    found(through(&behind, squid.at).trusting(&root), "healthy", &[])
}

fn splice() -> Done {
    let behind = behind()?;
    let mut setup = Setup::inspecting(&[HOST], &Site::inspector(), behind.pem()?)?;
    setup.rules = setup.rules.replace("ssl_bump bump all", "ssl_bump splice all");
    found(through(&behind, setup.start()?.at), "healthy", &[])
}

fn mitmproxy() -> Done {
    let behind = behind()?;
    let mitm = Mitmproxy::start(&behind.pem()?, None)?;
    // It sends what it signed and nothing above it.
    let ids = ["trust/missing-intermediate", "trust/untrusted-root"];
    found(through(&behind, mitm.at), "undetermined", &ids)?;
    found(through(&behind, mitm.at).trusting(&mitm.root()), "healthy", &[])
}

fn mitmproxy_asks() -> Done {
    let behind = behind()?;
    let mitm = Mitmproxy::start(&behind.pem()?, Some("user:secret"))?;
    found(through(&behind, mitm.at), "faulty", &["proxy/auth-required"])
}

/// A check through a SOCKS proxy on that port.
fn by_socks(behind: &Behind, at: u16) -> Probe {
    Probe::new(PROGRAM, &["check", &behind.url, "--proxy", &format!("socks5://{PROXY}:1080")])
        .trusting(&behind.root())
        .redirect(PROXY, 1080, at)
}

fn dante() -> Done {
    let (behind, socks) = (behind()?, socks::dante(&[HOST], "", None)?);
    found(by_socks(&behind, socks.at), "healthy", &[])
}

fn dante_blocks() -> Done {
    let rule = "socks block { from: 127.0.0.0/8 to: 127.0.0.0/8 }";
    let (behind, socks) = (behind()?, socks::dante(&[HOST], rule, None)?);
    let ran = by_socks(&behind, socks.at).run();
    ran.expect("faulty", &["cause error certain proxy/forbidden"])?
        .says("proxy/forbidden", "not allowed by ruleset")?;
    Ok(())
}

fn microsocks() -> Done {
    let (behind, socks) = (behind()?, socks::microsocks(&[HOST], None)?);
    found(by_socks(&behind, socks.at), "healthy", &[])
}

fn microsocks_cannot() -> Done {
    let socks = socks::microsocks(&[HOST], None)?;
    let probe = |url: &str| {
        Probe::new(PROGRAM, &["check", url, "--proxy", &format!("socks5://{PROXY}:1080")])
            .redirect(PROXY, 1080, socks.at)
    };
    // It says of a name that it cannot resolve no more than that something failed.
    found(probe("https://nothere.example.test:8531/there"), "faulty", &["proxy/cannot-connect"])?;
    found(probe(&format!("https://{HOST}:{}/there", port())), "faulty", &["proxy/cannot-connect"])
}

// ---- The program, which shows who it is -------------------------------------------------------------------------

fn logged_on(behind: &Behind, at: u16, user: &str, password: &str) -> Probe {
    through(behind, at).with(&["--proxy-user", user]).environment("WSUSPROBE_PROXY_PASSWORD", password)
}

/// The right password is as good as no proxy; the wrong one is said to be, and was tried once.
fn proves(start: impl Fn() -> Result<Squid, String>, user: &str, notes: (&str, &[&str])) -> Done {
    let (behind, squid) = (behind()?, start()?);
    found(logged_on(&behind, squid.at, user, PASSWORD), notes.0, notes.1)?;
    refused(squid, 0)?;
    let squid = start()?;
    found(logged_on(&behind, squid.at, user, WRONG), "faulty", &["proxy/auth-rejected"])?;
    refused(squid, 1)
}

fn basic() -> Done {
    // Over a proxy that is spoken to in clear.
    let clear: (&str, &[&str]) = ("degraded", &["proxy/basic-cleartext"]);
    proves(|| Setup::basic(&[HOST], USER, PASSWORD)?.start(), USER, clear)
}

fn digest() -> Done {
    proves(|| Setup::digest(&[HOST], USER, PASSWORD)?.start(), USER, ("healthy", &[]))
}

fn ntlm() -> Done {
    let samba = Samba::start(&[(USER, PASSWORD)])?;
    let user = format!("{DOMAIN}\\{USER}");
    proves(|| Setup::ntlm(&[HOST], &samba).start(), &user, ("healthy", &[]))?;
    one_refusal(&samba.refusals())
}

fn kerberos_ticket() -> Done {
    let (realm, behind) = (Realm::start(&[(USER, PASSWORD)])?, behind()?);
    let squid = Setup::kerberos(&[HOST], &realm)?.start()?;
    let config = realm.config().display().to_string();
    // A user without a password is one who has a ticket already.
    let with = |ticket: &str| {
        through(&behind, squid.at)
            .with(&["--proxy-user", USER])
            .environment("KRB5_CONFIG", &config)
            .environment("KRB5CCNAME", ticket)
    };
    found(with(&realm.ticket("good", USER, PASSWORD)?), "healthy", &[])?;
    // Without one nothing was sent that could be refused.
    let ran = with(&realm.no_ticket()).run();
    if ran.code == Some(0) || ran.findings().iter().any(|f| f.ends_with("proxy/auth-rejected")) {
        return Err(format!("{:?}\n{}", ran.findings(), ran.stdout).into());
    }
    refused(squid, 0)
}

fn kerberos_password() -> Done {
    let (realm, behind) = (Realm::start(&[(USER, PASSWORD)])?, behind()?);
    let squid = Setup::kerberos(&[HOST], &realm)?.start()?;
    let config = realm.config().display().to_string();
    let with = |password: &str| {
        logged_on(&behind, squid.at, USER, password)
            .environment("KRB5_CONFIG", &config)
            .environment("KRB5CCNAME", &realm.no_ticket())
    };
    found(with(PASSWORD), "healthy", &[])?;
    found(with(WRONG), "faulty", &["proxy/auth-rejected"])?;
    one_refusal(&realm.refusals())?;
    refused(squid, 0)
}

fn domain() -> Done {
    let samba = Samba::start(&[(USER, PASSWORD)])?;
    let realm = Realm::start(&[(USER, PASSWORD)])?;
    let start = || Setup::domain(&[HOST], &realm, &samba, USER, PASSWORD)?.start();
    proves(start, &format!("{DOMAIN}\\{USER}"), ("healthy", &[]))
}

fn denied() -> Done {
    let squid = denying()?.start()?;
    let probe = Probe::new(PROGRAM, &["check", "https://denied.example.test/there"])
        .with(&["--proxy", &format!("http://{PROXY}:3128"), "--proxy-user", USER])
        .environment("WSUSPROBE_PROXY_PASSWORD", PASSWORD)
        .redirect(PROXY, 3128, squid.at);
    found(probe, "faulty", &["proxy/forbidden", "proxy/basic-cleartext"])?;
    refused(squid, 0)
}

/// It answers one CONNECT on a connection: who asked without credentials has to come over another.
fn mitmproxy_basic() -> Done {
    let behind = behind()?;
    let mitm = Mitmproxy::start(&behind.pem()?, Some(&format!("{USER}:{PASSWORD}")))?;
    let probe = |password: &str| logged_on(&behind, mitm.at, USER, password).trusting(&mitm.root());
    found(probe(PASSWORD), "degraded", &["proxy/basic-cleartext"])?;
    found(probe(WRONG), "faulty", &["proxy/auth-rejected"])
}

/// With the right password as without a proxy; with a wrong one refused.
fn proves_socks(socks: &Socks) -> Done {
    let behind = behind()?;
    let probe = |password: &str| {
        by_socks(&behind, socks.at)
            .with(&["--proxy-user", USER])
            .environment("WSUSPROBE_PROXY_PASSWORD", password)
    };
    found(probe(PASSWORD), "healthy", &[])?;
    found(probe(WRONG), "faulty", &["proxy/auth-rejected"])
}

fn dante_user() -> Done {
    proves_socks(&socks::dante(&[HOST], "", Some((USER, PASSWORD)))?)
}

fn microsocks_user() -> Done {
    proves_socks(&socks::microsocks(&[HOST], Some((USER, PASSWORD)))?)
}
