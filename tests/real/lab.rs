//! Real clients against the lab: what the probe is proved with is itself proved.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::LazyLock;

use mockups::journal::{Journal, Outcome};
use mockups::nameserver::{self, Failure, Record, Zone};
use tokio::runtime::Runtime;
use wsuslab::load;
use wsuslab::schema::{Closes, Proxy, ProxyMode, Speaks, Token, World};
use wsuslab::world::Running;

use crate::{Case, Done};

pub(crate) fn cases() -> Vec<Case> {
    let list: &[Case] = &[
        ("curl: the lab's upstream answers GetAuthConfig over TLS", &["curl"], auth_config),
        ("curl: the lab's upstream answers GetAuthConfig in clear", &["curl"], auth_config_plain),
        ("curl: the lab's upstream serves ranges", &["curl"], range),
        ("curl: the lab's proxy opens tunnels", &["curl"], tunnel),
        ("curl: the lab's proxy passes plain HTTP on", &["curl"], absolute),
        ("curl: the lab's proxy asks for Basic", &["curl"], basic),
        ("curl: the lab's proxy checks Digest", &["curl"], digest),
        ("curl: the lab's proxy checks who passes plain HTTP through it", &["curl"], absolute_checked),
        ("curl: the lab's proxy calls an answer to Digest stale", &["curl"], stale),
        ("curl: the lab's proxy checks NTLM", &["curl"], ntlm),
        ("curl: the lab's proxy takes nothing of Negotiate that it cannot read", &["curl"], negotiate),
        ("curl: the lab's proxy closes between the legs", &["curl"], closes),
        ("curl: the lab's proxy sends broken challenges", &["curl"], broken),
        ("curl: the lab's proxy denies before and after it asks", &["curl"], denies),
        ("curl: the lab's proxy is spoken to over TLS", &["curl"], secure_proxy),
        ("curl: the lab's proxy breaks TLS 1.2 alone", &["curl"], breaks_1_2),
        ("curl: the lab's proxy breaks tunnels and takes its time", &["curl"], tunnels),
        ("curl: the lab's SOCKS proxy refuses in every way", &["curl"], socks),
        ("curl: the lab's proxy refuses ports", &["curl"], port_denied),
        ("curl: the lab's inspecting proxy re-signs", &["curl"], inspects),
        ("s_client: the lab's chain verifies", &["openssl"], chain),
        ("s_client: the lab's server without its intermediate does not verify", &["openssl"], leaf_alone),
        ("s_client: the lab's TLS 1.2 and 1.3", &["openssl"], versions),
        ("dig: the lab's name server", &["dig"], names),
        ("dig: the lab's name server, cut over UDP", &["dig"], truncated),
    ];
    list.to_vec()
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// A world that is up, dated from now.
struct Up {
    world: Running,
    folder: tempfile::TempDir,
}

fn up(name: &str, change: impl FnOnce(&mut World)) -> Result<Up, String> {
    let mut scenario = load::by_name(&load::home(), name).map_err(|error| error.to_string())?;
    scenario.world.epoch = Some(now());
    change(&mut scenario.world);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let _inside = RUNTIME.enter();
    let world = World::up(&scenario, folder.path()).map_err(|error| error.to_string())?;
    Ok(Up { world, folder })
}

/// This second, as a world's `epoch` is written.
fn now() -> String {
    mockups::http::Clock::starting_at(wsusprobe_suite::certificates::now()).xml_time(0)
}

impl Up {
    /// Where a name and port of the site really are.
    fn at(&self, name: &str, port: u16) -> Result<SocketAddr, String> {
        let place = self.world.places.iter().find(|p| p.name == name && p.port == port);
        place.map(|p| p.at).ok_or_else(|| format!("{name}:{port} is not in {:?}", self.world.places))
    }

    /// The roots that the site trusts, in one file.
    fn root(&self) -> Result<String, String> {
        let mut all = Vec::new();
        for file in self.world.files.iter().filter(|file| file.extension().is_some_and(|e| e == "pem")) {
            let file = self.folder.path().join(file);
            all.extend(std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?);
        }
        Ok(wsusprobe_suite::write(self.folder.path(), "all.crt", all).display().to_string())
    }
}

/// Runs a client to its end: its exit code and what it says.
fn client(program: &str, arguments: &[&str]) -> Result<(Option<i32>, String), String> {
    let ran = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let says = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    Ok((ran.status.code(), says))
}

/// curl on loopback alone: what is not redirected goes to a port where nothing listens.
fn curl(arguments: &[&str]) -> Result<(Option<i32>, String), String> {
    let usual = ["-q", "-sS", "--max-time", "10", "-w", "\n%{http_code} %{http_connect}\n"];
    let rest = ["--connect-to", "::127.0.0.1:1"];
    client("curl", &[&usual[..], arguments, &rest].concat())
}

fn has((code, says): &(Option<i32>, String), wanted: i32, texts: &[&str]) -> Done {
    for text in texts {
        if !says.contains(text) {
            return Err(format!("{text:?} is not in:\n{says}").into());
        }
    }
    if *code != Some(wanted) {
        return Err(format!("the exit code is {code:?}, not {wanted}:\n{says}").into());
    }
    Ok(())
}

const SERVICE: &str = "/ServerSyncWebService/ServerSyncWebService.asmx";
/// A call as Microsoft's own description of the service writes it ([MS-WSUSSS] section 4).
const ENVELOPE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
    <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
    <GetAuthConfig xmlns=\"http://www.microsoft.com/SoftwareDistribution\" /></soap:Body></soap:Envelope>";
const CALL: [&str; 6] = [
    "-H",
    "Content-Type: text/xml; charset=utf-8",
    "-H",
    "SOAPAction: \"http://www.microsoft.com/SoftwareDistribution/GetAuthConfig\"",
    "-d",
    ENVELOPE,
];
const UPSTREAM: &str = "upstream.example.com";
const MICROSOFT: &str = "sws.update.microsoft.com";
const PROXY: &str = "proxy.example.com";

fn auth_config() -> Done {
    let up = up("check-upstream", |_| {})?;
    let to = format!("{UPSTREAM}:8531:{}", up.at(UPSTREAM, 8531)?);
    let url = format!("https://{UPSTREAM}:8531{SERVICE}");
    let root = up.root()?;
    let direct = ["--noproxy", "*", "--cacert", &root, "--connect-to", &to, &url];
    let ran = curl(&[&CALL[..], &direct].concat())?;
    has(&ran, 0, &["GetAuthConfigResult", "DssAuthWebService/DssAuthWebService.asmx", "\n200 000"])
}

fn auth_config_plain() -> Done {
    let up = up("upstream-http", |_| {})?;
    let to = format!("{UPSTREAM}:8530:{}", up.at(UPSTREAM, 8530)?);
    let url = format!("http://{UPSTREAM}:8530{SERVICE}");
    let ran = curl(&[&CALL[..], &["--noproxy", "*", "--connect-to", &to, &url]].concat())?;
    has(&ran, 0, &["GetAuthConfigResult", "\n200 000"])
}

fn range() -> Done {
    let up = up("upstream-http", |_| {})?;
    let to = format!("{UPSTREAM}:8530:{}", up.at(UPSTREAM, 8530)?);
    let url = format!("http://{UPSTREAM}:8530/selfupdate/wuident.cab");
    let ran = curl(&["--noproxy", "*", "-r", "0-3", "-i", "--connect-to", &to, &url])?;
    has(&ran, 0, &["MSCF", "bytes 0-3/", "\n206 000"])
}

/// curl's arguments for a call to Microsoft through the lab's proxy.
fn by_proxy<'a>(root: &'a str, proxy: &'a str, url: &'a str) -> Vec<&'a str> {
    [&CALL[..], &["--cacert", root, "-x", proxy, url]].concat()
}

/// A call through the proxy: no `--connect-to`, which would change the destination that the proxy is asked for.
fn call_by_proxy(up: &Up, more: &[&str]) -> Result<(Option<i32>, String), String> {
    let (root, proxy) = (up.root()?, format!("http://{}", up.at(PROXY, 8080)?));
    let url = format!("https://{MICROSOFT}{SERVICE}");
    let usual = ["-q", "-sS", "--max-time", "10", "-w", "\n%{http_code} %{http_connect}\n"];
    client("curl", &[&usual[..], &by_proxy(&root, &proxy, &url), more].concat())
}

fn tunnel() -> Done {
    let up = up("microsoft-proxy", |_| {})?;
    has(&call_by_proxy(&up, &[])?, 0, &["GetAuthConfigResult", "\n200 200"])
}

fn absolute() -> Done {
    let up = up("microsoft-proxy", |_| {})?;
    let proxy = format!("http://{}", up.at(PROXY, 8080)?);
    let usual = ["-q", "-sS", "--max-time", "10", "-w", "\n%{http_code} %{http_connect}\n"];
    let url = "http://download.windowsupdate.com/x.cab";
    let ran = client("curl", &[&usual[..], &["-x", &proxy, url]].concat())?;
    has(&ran, 0, &["\n200 000"])
}

fn asks_for_basic(world: &mut World) {
    if let Some(proxy) = &mut world.proxy {
        proxy.mode = ProxyMode::Authenticate;
        proxy.challenge = vec!["Basic realm=\"proxy\"".to_owned()];
        proxy.accepts = Some("user:secret".to_owned());
    }
}

fn basic() -> Done {
    let up = up("microsoft-proxy", asks_for_basic)?;
    has(&call_by_proxy(&up, &[])?, 56, &["\n000 407"])?;
    has(&call_by_proxy(&up, &["--proxy-basic", "-U", "user:wrong"])?, 56, &["\n000 407"])?;
    has(&call_by_proxy(&up, &["--proxy-basic", "-U", "user:secret"])?, 0, &["\n200 200"])?;
    // It asks first and then takes what was offered.
    has(&call_by_proxy(&up, &["--proxy-anyauth", "-U", "user:secret"])?, 0, &["\n200 200"])
}

/// The site behind a proxy that knows EXAMPLE\\wsus.
fn asking(challenges: &[&str], change: impl FnOnce(&mut Proxy)) -> Result<Up, String> {
    up("microsoft-proxy", |world| {
        if let Some(proxy) = &mut world.proxy {
            proxy.accounts = [("EXAMPLE\\wsus".to_owned(), "secret".to_owned())].into();
            proxy.challenge = challenges.iter().map(|&c| c.to_owned()).collect();
            change(proxy);
        }
    })
}

const USER: &str = "EXAMPLE\\wsus:secret";
const LIAR: &str = "EXAMPLE\\wsus:wrong";

/// What came of all credentials: how many were true, and how many false.
fn counted(up: &Up, accepted: usize, refused: usize) -> Done {
    let journal = &up.world.journal;
    let seen = [Outcome::Accepted, Outcome::Refused].map(|outcome| journal.authentications(outcome));
    if (seen[0].len(), seen[1].len()) == (accepted, refused) {
        return Ok(());
    }
    Err(format!("accepted and refused were {seen:?}, not {accepted} and {refused}").into())
}

fn digest() -> Done {
    for more in ["", ", algorithm=SHA-256", ", algorithm=MD5-sess", ", algorithm=md5, opaque=\"a, b\""] {
        let challenge = format!("Digest realm=\"a \\\"proxy\\\"\", qop=\"auth\"{more}");
        let up = asking(&["Basic realm=\"x\"", &challenge], |_| {})?;
        has(&call_by_proxy(&up, &["--proxy-digest", "-U", USER])?, 0, &["\n200 200"])?;
        counted(&up, 1, 0)?;
        has(&call_by_proxy(&up, &["--proxy-digest", "-U", LIAR])?, 56, &["\n000 407"])?;
        counted(&up, 1, 1)?;
    }
    // As RFC 2069 has it, without a quality of protection.
    let up = asking(&["Digest realm=\"x\""], |_| {})?;
    has(&call_by_proxy(&up, &["--proxy-digest", "-U", USER])?, 0, &["\n200 200"])?;
    has(&call_by_proxy(&up, &["--proxy-digest", "-U", LIAR])?, 56, &["\n000 407"])?;
    counted(&up, 1, 1)
}

fn absolute_checked() -> Done {
    for (scheme, challenge) in [
        ("--proxy-basic", "Basic realm=\"x\""),
        ("--proxy-digest", "Digest realm=\"x\", qop=\"auth\""),
        ("--proxy-ntlm", "NTLM"),
    ] {
        let up = asking(&[challenge], |_| {})?;
        let proxy = format!("http://{}", up.at(PROXY, 8080)?);
        let get = |credentials: &str| {
            let usual = ["-q", "-sS", "--max-time", "10", "-w", "\n%{http_code} %{http_connect}\n"];
            let more =
                ["-x", &proxy, scheme, "-U", credentials, "http://download.windowsupdate.com/x.cab?y=/z"];
            client("curl", &[&usual[..], &more].concat())
        };
        has(&get(USER)?, 0, &["\n200 000"])?;
        has(&get(LIAR)?, 0, &["\n407 000"])?;
        counted(&up, 1, 1)?;
    }
    Ok(())
}

fn stale() -> Done {
    let up = asking(&["Digest realm=\"x\", qop=\"auth\""], |proxy| proxy.stale = 1)?;
    has(&call_by_proxy(&up, &["--proxy-digest", "-U", USER])?, 0, &["\n200 200"])?;
    counted(&up, 1, 0)?;
    if up.world.journal.authentications(Outcome::Stale).len() != 1 {
        return Err("nothing was called stale".into());
    }
    Ok(())
}

fn ntlm() -> Done {
    let up = asking(&["Negotiate", "NTLM"], |_| {})?;
    has(&call_by_proxy(&up, &["--proxy-ntlm", "-U", USER])?, 0, &["\n200 200"])?;
    counted(&up, 1, 0)?;
    // A server with one domain does not insist on its name.
    has(&call_by_proxy(&up, &["--proxy-ntlm", "-U", "wsus:secret"])?, 0, &["\n200 200"])?;
    counted(&up, 2, 0)?;
    has(&call_by_proxy(&up, &["--proxy-ntlm", "-U", LIAR])?, 56, &["\n000 407"])?;
    counted(&up, 2, 1)?;
    has(&call_by_proxy(&up, &["--proxy-ntlm", "-U", "OTHER\\wsus:secret"])?, 56, &["\n000 407"])?;
    counted(&up, 2, 2)?;
    // Neither is what was not offered looked at.
    has(&call_by_proxy(&up, &["--proxy-basic", "-U", USER])?, 56, &["\n000 407"])?;
    counted(&up, 2, 2)
}

/// curl's Negotiate is Kerberos, or NTLM in SPNEGO: either needs more than a password, or more than a raw NTLM server.
fn negotiate() -> Done {
    let up = asking(&["Negotiate"], |_| {})?;
    let (code, says) = call_by_proxy(&up, &["--proxy-negotiate", "-U", USER])?;
    if code == Some(0) {
        return Err(format!("it was let in:\n{says}").into());
    }
    counted(&up, 0, 0)
}

fn closes() -> Done {
    let up = asking(&["NTLM"], |proxy| proxy.closes = Closes::AfterDemand)?;
    has(&call_by_proxy(&up, &["--proxy-anyauth", "-U", USER])?, 0, &["\n200 200"])?;
    counted(&up, 1, 0)?;
    // Whoever asks first waits for ever, and whoever comes with credentials does not.
    let up = asking(&["Basic realm=\"x\""], |proxy| proxy.closes = Closes::SilentAfterDemand)?;
    has(&call_by_proxy(&up, &["--max-time", "1", "--proxy-anyauth", "-U", USER])?, 28, &["\n000 407"])?;
    has(&call_by_proxy(&up, &["--proxy-basic", "-U", USER])?, 0, &["\n200 200"])?;
    counted(&up, 1, 0)?;
    for how in [Closes::AfterFirstMessage, Closes::InsteadOfToken] {
        let up = asking(&["NTLM"], |proxy| proxy.closes = how)?;
        let (code, says) = call_by_proxy(&up, &["--proxy-ntlm", "-U", USER])?;
        if code == Some(0) {
            return Err(format!("{how:?}: it was let in:\n{says}").into());
        }
        counted(&up, 0, 0)?;
    }
    Ok(())
}

fn broken() -> Done {
    use Token::{Cut, Huge, Kind, NotBase64, Offsets, Signature};
    for token in [Cut, Signature, Offsets, Kind, Huge, NotBase64] {
        let up = asking(&["NTLM"], |proxy| proxy.token = token)?;
        let (code, says) = call_by_proxy(&up, &["--proxy-ntlm", "-U", USER])?;
        if code == Some(0) {
            return Err(format!("{token:?}: it was let in:\n{says}").into());
        }
        counted(&up, 0, 0)?;
    }
    Ok(())
}

fn denies() -> Done {
    let with = ["--proxy-ntlm", "-U", USER];
    let up = asking(&["NTLM"], |proxy| proxy.denies.host = vec![MICROSOFT.to_owned()])?;
    has(&call_by_proxy(&up, &[])?, 56, &["\n000 407"])?;
    has(&call_by_proxy(&up, &with)?, 56, &["\n000 403"])?;
    counted(&up, 1, 0)?;
    let up = asking(&["NTLM"], |proxy| {
        proxy.denies.port = vec![443];
        proxy.denies.before_asking = true;
    })?;
    has(&call_by_proxy(&up, &with)?, 56, &["\n000 403"])?;
    counted(&up, 0, 0)
}

fn secure_proxy() -> Done {
    let up = asking(&["NTLM"], |proxy| proxy.speaks = Some(Speaks::Https))?;
    let (root, at) = (up.root()?, up.at(PROXY, 8080)?);
    let proxy = format!("https://{PROXY}:{}", at.port());
    let to = format!("{PROXY}:{}:127.0.0.1", at.port());
    let url = format!("https://{MICROSOFT}{SERVICE}");
    let usual = ["-q", "-sS", "--max-time", "10", "-w", "\n%{http_code} %{http_connect}\n"];
    let more = ["--resolve", &to, "--proxy-insecure", "--proxy-ntlm", "-U", USER];
    let ran = client("curl", &[&usual[..], &by_proxy(&root, &proxy, &url), &more].concat())?;
    has(&ran, 0, &["GetAuthConfigResult", "\n200 200"])?;
    counted(&up, 1, 0)
}

fn breaks_1_2() -> Done {
    let resets = |proxy: &mut Proxy| proxy.mode = ProxyMode::ResetTls12;
    let signs = |proxy: &mut Proxy| {
        proxy.mode = ProxyMode::Inspect;
        proxy.tls.versions = Some(vec!["1.3".to_owned()]);
        proxy.tls.refuses = Some("rst".to_owned());
    };
    for change in [resets as fn(&mut Proxy), signs] {
        // Microsoft's own server has TLS 1.2 alone.
        let up = up("microsoft-proxy", |world| {
            if let Some(source) = &mut world.source {
                source.tls.versions = Some(vec!["1.2".to_owned(), "1.3".to_owned()]);
                source.tls.suites = Some(vec!["1302".to_owned(), "c02f".to_owned()]);
            }
            if let Some(proxy) = &mut world.proxy {
                change(proxy);
            }
        })?;
        has(&call_by_proxy(&up, &["-k"])?, 0, &["GetAuthConfigResult", "\n200 200"])?;
        has(&call_by_proxy(&up, &["-k", "--tls-max", "1.2"])?, 35, &["\n000 200"])?;
    }
    let up = up("microsoft-proxy", |world| {
        if let Some(proxy) = &mut world.proxy {
            proxy.mode = ProxyMode::Inspect;
            proxy.tls.versions = Some(vec!["1.1".to_owned()]);
        }
    })?;
    has(&call_by_proxy(&up, &["-k"])?, 35, &["\n000 200"])
}

fn tunnels() -> Done {
    for mode in [ProxyMode::CloseTunnel, ProxyMode::CloseAfterHello, ProxyMode::ResetAfterHello] {
        let up = asking(&["Basic realm=\"x\""], |proxy| proxy.mode = mode)?;
        has(&call_by_proxy(&up, &[])?, 56, &["\n000 407"])?;
        has(&call_by_proxy(&up, &["-U", USER])?, 35, &["\n000 200"])?;
    }
    let up = asking(&["Basic realm=\"x\""], |proxy| proxy.mode = ProxyMode::Unresolvable)?;
    has(&call_by_proxy(&up, &["-v", "-U", USER])?, 56, &["\n000 503", "ERR_DNS_FAIL"])?;
    let up = asking(&["Basic realm=\"x\""], |proxy| {
        (proxy.waits, proxy.pad, proxy.more_schemes) = (300, 100_000, 100);
    })?;
    let began = std::time::Instant::now();
    has(&call_by_proxy(&up, &["--proxy-anyauth", "-U", USER])?, 0, &["\n200 200"])?;
    if began.elapsed() < std::time::Duration::from_millis(600) {
        return Err("two answers came without their wait".into());
    }
    counted(&up, 1, 0)
}

fn socks() -> Done {
    for (code, scheme) in (1..=8).map(|code| (code, "socks5h")).chain((91..=93).map(|code| (code, "socks4a")))
    {
        let up = up("microsoft-proxy", |world| {
            if let Some(proxy) = &mut world.proxy {
                (proxy.mode, proxy.status) = (ProxyMode::Socks, Some(code));
            }
        })?;
        has(&call_by_socks(&up, scheme, &[])?, 97, &[&format!("({code})")])?;
    }
    for (scheme, password, ends) in
        [("socks5h", "user:secret", 0), ("socks5h", "user:wrong", 97), ("socks5h", "", 97)]
    {
        let up = up("microsoft-proxy", |world| {
            if let Some(proxy) = &mut world.proxy {
                (proxy.mode, proxy.accepts) = (ProxyMode::Socks, Some("user:secret".to_owned()));
            }
        })?;
        let with: &[&str] = if password.is_empty() { &[] } else { &["-U", password] };
        has(&call_by_socks(&up, scheme, with)?, ends, &[])?;
        counted(&up, usize::from(ends == 0), usize::from(password == "user:wrong"))?;
    }
    let up = up("microsoft-proxy", |world| {
        if let Some(proxy) = &mut world.proxy {
            proxy.mode = ProxyMode::Socks;
        }
    })?;
    has(&call_by_socks(&up, "socks4a", &[])?, 0, &["GetAuthConfigResult"])
}

fn call_by_socks(up: &Up, scheme: &str, more: &[&str]) -> Result<(Option<i32>, String), String> {
    let (root, proxy) = (up.root()?, format!("{scheme}://{}", up.at(PROXY, 8080)?));
    let url = format!("https://{MICROSOFT}{SERVICE}");
    client("curl", &[&["-q", "-sS", "--max-time", "10"][..], &by_proxy(&root, &proxy, &url), more].concat())
}

fn port_denied() -> Done {
    let up = up("microsoft-proxy", |world| {
        if let Some(proxy) = &mut world.proxy {
            proxy.mode = ProxyMode::Forbidden;
        }
    })?;
    has(&call_by_proxy(&up, &[])?, 56, &["\n000 403"])
}

fn inspects() -> Done {
    let up = up("microsoft-proxy", |world| {
        if let Some(proxy) = &mut world.proxy {
            proxy.mode = ProxyMode::Inspect;
        }
    })?;
    // Not trusted by the site; a session all the same for who does not look.
    has(&call_by_proxy(&up, &[])?, 60, &["\n000 200"])?;
    has(&call_by_proxy(&up, &["-k"])?, 0, &["GetAuthConfigResult", "\n200 200"])
}

fn s_client(up: &Up, more: &[&str]) -> Result<(Option<i32>, String), String> {
    let (at, root) = (up.at(UPSTREAM, 8531)?.to_string(), up.root()?);
    let usual = ["s_client", "-connect", &at, "-servername", UPSTREAM, "-CAfile", &root, "-no-CApath"];
    let strict = ["-verify_hostname", UPSTREAM, "-auth_level", "2", "-purpose", "sslserver"];
    client("openssl", &[&usual[..], &strict, more].concat())
}

fn chain() -> Done {
    let up = up("check-upstream", |_| {})?;
    let ran = s_client(&up, &["-verify_return_error"])?;
    has(&ran, 0, &["Verify return code: 0 (ok)", "Verified peername: upstream.example.com"])
}

fn leaf_alone() -> Done {
    let up = up("check-upstream", |world| {
        if let Some(upstream) = &mut world.upstream {
            upstream.certificate.sends = Some(vec!["leaf".to_owned()]);
        }
    })?;
    let ran = s_client(&up, &["-verify_return_error"])?;
    has(&ran, 1, &["unable to get local issuer certificate"])
}

fn versions() -> Done {
    let up = up("check-upstream", |_| {})?;
    has(&s_client(&up, &["-tls1_2"])?, 0, &["New, TLSv1.2", "Verify return code: 0 (ok)"])?;
    has(&s_client(&up, &["-tls1_3"])?, 0, &["New, TLSv1.3", "Verify return code: 0 (ok)"])
}

/// A name server of the lab that knows one name of each kind.
fn name_server() -> Result<mockups::listen::Running, String> {
    let addresses = vec!["203.0.113.10".parse().expect("an address"), "2001:db8::10".parse().expect("one")];
    let record = |failure| Record { failure: Some(failure), ..Record::default() };
    let zone = Zone::from([
        ("a.example.test".to_owned(), Record { addresses: addresses.clone(), ..Record::default() }),
        (
            "alias.example.test".to_owned(),
            Record { alias: Some("a.example.test".into()), ..Record::default() },
        ),
        ("none.example.test".to_owned(), record(Failure::NoAddress)),
        ("servfail.example.test".to_owned(), record(Failure::ServerFailure)),
        ("refused.example.test".to_owned(), record(Failure::Refused)),
        ("silent.example.test".to_owned(), record(Failure::Silence)),
        ("long.example.test".to_owned(), Record { addresses, truncated: true, ..Record::default() }),
    ]);
    let _inside = RUNTIME.enter();
    nameserver::serve("dns", &Journal::default(), zone, mockups::http::Variation(7))
        .map_err(|e| e.to_string())
}

fn dig(server: &mockups::listen::Running, more: &[&str]) -> Result<(Option<i32>, String), String> {
    let port = server.address.port().to_string();
    client("dig", &[&["-r", "@127.0.0.1", "-p", &port, "+time=2", "+tries=1"][..], more].concat())
}

fn names() -> Done {
    let server = name_server()?;
    has(&dig(&server, &["a.example.test", "A"])?, 0, &["status: NOERROR", "A\t203.0.113.10"])?;
    has(&dig(&server, &["a.example.test", "AAAA"])?, 0, &["status: NOERROR", "AAAA\t2001:db8::10"])?;
    has(&dig(&server, &["alias.example.test", "A"])?, 0, &["CNAME\ta.example.test.", "A\t203.0.113.10"])?;
    has(&dig(&server, &["none.example.test", "A"])?, 0, &["status: NOERROR", "ANSWER: 0"])?;
    has(&dig(&server, &["other.example.test", "A"])?, 0, &["status: NXDOMAIN"])?;
    has(&dig(&server, &["servfail.example.test", "A"])?, 0, &["status: SERVFAIL"])?;
    has(&dig(&server, &["refused.example.test", "A"])?, 0, &["status: REFUSED"])?;
    has(&dig(&server, &["silent.example.test", "A"])?, 9, &["no servers could be reached"])?;
    has(&dig(&server, &["+noedns", "a.example.test", "A"])?, 0, &["status: NOERROR", "203.0.113.10"])
}

fn truncated() -> Done {
    let server = name_server()?;
    has(&dig(&server, &["+ignore", "long.example.test", "A"])?, 0, &[" tc", "ANSWER: 0"])?;
    let whole = dig(&server, &["long.example.test", "A"])?;
    has(&whole, 0, &["retrying in TCP mode", "A\t203.0.113.10"])
}
