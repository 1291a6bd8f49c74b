//! Squid as the proxy.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wsusprobe_suite::probe::Probe;
use wsusprobe_suite::server::{Answers, Server, folder, port};
use wsusprobe_suite::{installed, write};

use super::nginx;
use crate::{Case, Done, HOST, PROGRAM};

pub(crate) fn cases() -> Vec<Case> {
    let list: &[Case] = &[
        ("squid: an open proxy is healthy", &["squid", "nginx"], open),
        ("squid: plain HTTP through it is healthy", &["squid", "nginx"], open_plain),
        ("squid: 407 with Basic", &["squid", "basic_ncsa_auth", "openssl"], basic),
        ("squid: plain HTTP, 407 with Basic", &["squid", "basic_ncsa_auth", "openssl"], basic_plain),
        ("squid: denied by its rules", &["squid"], forbidden),
        ("squid: plain HTTP, denied by its rules", &["squid"], forbidden_plain),
        ("squid: port 443 alone", &["squid"], only_443),
        ("squid: a destination that it cannot resolve", &["squid"], unresolvable),
        ("squid: its page of failed name resolution", &["squid"], says_dns),
        ("squid: a destination that refuses", &["squid"], dead),
        ("squid: plain HTTP, a destination that refuses", &["squid"], dead_plain),
        ("squid: a web server is no proxy", &["nginx"], no_proxy),
    ];
    list.to_vec()
}

/// The name that the probe knows the proxy by.
pub(crate) const PROXY: &str = "proxy.example.test";
/// What lets everyone through.
const ALL: &str = "http_access allow all\n";

/// A name server that knows no name, on port 53 of an address of loopback of its own, as Squid can be given no port.
struct NoNames {
    address: String,
    over: Arc<AtomicBool>,
}

impl NoNames {
    fn start() -> Result<NoNames, String> {
        let mut bound = None;
        for number in 1..=40 {
            let address = format!("127.77.{}.{number}", std::process::id() % 250 + 1);
            if let Ok(socket) = UdpSocket::bind((address.as_str(), 53)) {
                bound = Some((socket, address));
                break;
            }
        }
        // Whoever may not take port 53 has a dead resolver there, which Squid reports alike.
        let Some((socket, address)) = bound else {
            return Ok(NoNames { address: "127.77.0.1".to_owned(), over: Arc::default() });
        };
        socket.set_read_timeout(Some(Duration::from_millis(200))).map_err(|e| e.to_string())?;
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        std::thread::spawn(move || {
            let mut question = [0; 1024];
            while !ended.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
                if length < 12 {
                    continue;
                }
                // Response, recursion available, NXDOMAIN; what was asked comes back.
                let mut answer = question[..length].to_vec();
                answer[2] |= 0x80;
                answer[3] = 0x83;
                let _ = socket.send_to(&answer, from);
            }
        });
        Ok(NoNames { address, over })
    }
}

impl Drop for NoNames {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

pub(crate) struct Squid {
    _server: Server,
    _names: NoNames,
    pub(crate) at: u16,
}

/// A Squid that lets everyone through.
pub(crate) fn open_proxy() -> Result<Squid, String> {
    squid(ALL, &[])
}

/// Starts Squid with these rules, in which `DIR` is its folder.
fn squid(rules: &str, files: &[(&str, String)]) -> Result<Squid, String> {
    let (dir, at, names) = (folder(), port(), NoNames::start()?);
    write(dir.path(), "hosts", format!("127.0.0.1 {HOST} {PROXY} localhost\n"));
    for (name, text) in files {
        write(dir.path(), name, text);
    }
    let folder = dir.path().display().to_string();
    let text = format!(
        "http_port 127.0.0.1:{at}\nvisible_hostname {PROXY}\npid_filename {folder}/pid\n\
         cache_log {folder}/log\naccess_log none\ncache deny all\ncache_mem 1 MB\nnetdb_filename none\n\
         pinger_enable off\ncoredump_dir {folder}\nmax_filedescriptors 1024\ndns_nameservers {}\n\
         hosts_file {folder}/hosts\ndns_timeout 2 seconds\ndns_retransmit_interval 1 second\nconnect_timeout 2 seconds\nforward_max_tries 1\n\
         shutdown_lifetime 0 seconds\n{}",
        names.address,
        rules.replace("DIR", &folder)
    );
    let config = write(dir.path(), "squid.conf", text);
    // It writes there as another user.
    let log = write(dir.path(), "log", "");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&log, open).map_err(|e| e.to_string())?;
    }
    let _ = &log;
    let name = format!("wsusprobe{at}");
    let mut command = Command::new(installed("squid").ok_or("no squid")?);
    command.args(["-N", "-n", &name, "-f"]).arg(config);
    let server = Server::start(command, dir, Answers::Tcp(at))?.sharing(&name);
    Ok(Squid { _server: server, _names: names, at })
}

fn through(squid: &Squid, url: &str) -> Probe {
    Probe::new(PROGRAM, &["check", url, "--proxy", &format!("http://{PROXY}:3128")])
        .redirect(PROXY, 3128, squid.at)
}

fn open() -> Done {
    let (_nginx, roots, at) = nginx::healthy_server()?;
    let squid = squid(ALL, &[])?;
    let ran =
        through(&squid, &format!("https://{HOST}:{at}/there")).trusting(&roots.path().join("root.pem")).run();
    ran.expect("healthy", &[])?;
    Ok(())
}

fn open_plain() -> Done {
    let (_nginx, at) = nginx::plain("there")?;
    let squid = squid(ALL, &[])?;
    through(&squid, &format!("http://{HOST}:{at}/there")).run().expect("healthy", &[])?;
    Ok(())
}

/// A Squid that wants Basic credentials.
fn asking() -> Result<Squid, String> {
    let hash = Command::new("openssl")
        .args(["passwd", "-apr1", "secret"])
        .output()
        .map_err(|error| format!("openssl: {error}"))?;
    let users = format!("user:{}", String::from_utf8_lossy(&hash.stdout));
    let helper = installed("basic_ncsa_auth").ok_or("no basic_ncsa_auth")?;
    let rules = format!(
        "auth_param basic program {} DIR/users\nauth_param basic children 2 startup=1\nacl in proxy_auth REQUIRED\n\
         http_access deny !in\nhttp_access allow all\n",
        helper.display()
    );
    squid(&rules, &[("users", users)])
}

fn basic() -> Done {
    let ran = through(&asking()?, &format!("https://{HOST}:8531/there")).run();
    ran.expect("faulty", &["cause error certain proxy/auth-required"])?
        .says("proxy/auth-required", "Basic")?;
    Ok(())
}

fn basic_plain() -> Done {
    let ran = through(&asking()?, &format!("http://{HOST}:8530/there")).run();
    ran.expect("faulty", &["cause error certain proxy/auth-required"])?
        .says("proxy/auth-required", "Basic")?;
    Ok(())
}

fn forbidden() -> Done {
    let squid = squid("http_access deny all\n", &[])?;
    let ran = through(&squid, &format!("https://{HOST}:8531/there")).run();
    ran.expect("faulty", &["cause error certain proxy/forbidden"])?
        .says("proxy/forbidden", "ERR_ACCESS_DENIED")?;
    Ok(())
}

fn forbidden_plain() -> Done {
    let squid = squid("http_access deny all\n", &[])?;
    let ran = through(&squid, &format!("http://{HOST}:8530/there")).run();
    ran.expect("faulty", &["cause error certain proxy/forbidden"])?
        .says("proxy/forbidden", "ERR_ACCESS_DENIED")?;
    Ok(())
}

fn only_443() -> Done {
    let squid = squid("acl ok port 443\nhttp_access deny CONNECT !ok\nhttp_access allow all\n", &[])?;
    let ran = through(&squid, &format!("https://{HOST}:8531/there")).run();
    ran.expect("faulty", &["cause error likely proxy/port-denied"])?.says("proxy/port-denied", "8531")?;
    Ok(())
}

fn unresolvable() -> Done {
    let squid = squid(ALL, &[])?;
    let ran = through(&squid, "https://nothere.example.test:8531/there").run();
    // Squid 5 says 500 and not why; others say 503 and that it is DNS.
    let silent = ran.expect("faulty", &["cause error certain proxy/cannot-connect"]);
    if silent.and_then(|ran| ran.says("proxy/cannot-connect", "ERR_CANNOT_FORWARD")).is_err() {
        ran.expect("faulty", &["cause error certain proxy/cannot-resolve"])?
            .says("proxy/cannot-resolve", "ERR_DNS_FAIL")?;
    }
    Ok(())
}

fn says_dns() -> Done {
    let squid = squid(
        "acl r dst all\ndeny_info 503:ERR_DNS_FAIL r\nhttp_access deny !r\nhttp_access allow all\n",
        &[],
    )?;
    let ran = through(&squid, "https://nothere.example.test:8531/there").run();
    ran.expect("faulty", &["cause error certain proxy/cannot-resolve"])?
        .says("proxy/cannot-resolve", "ERR_DNS_FAIL")?;
    Ok(())
}

fn dead() -> Done {
    let squid = squid(ALL, &[])?;
    let ran = through(&squid, &format!("https://{HOST}:{}/there", port())).run();
    ran.expect("faulty", &["cause error certain proxy/cannot-connect"])?
        .says("proxy/cannot-connect", "ERR_CONNECT_FAIL 111")?;
    Ok(())
}

fn dead_plain() -> Done {
    let squid = squid(ALL, &[])?;
    let ran = through(&squid, &format!("http://{HOST}:{}/there", port())).run();
    ran.expect("faulty", &["cause error certain proxy/cannot-connect"])?
        .says("proxy/cannot-connect", "ERR_CONNECT_FAIL 111")?;
    Ok(())
}

fn no_proxy() -> Done {
    let (_nginx, at) = nginx::plain("there")?;
    let ran = Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")])
        .with(&["--proxy", &format!("http://{PROXY}:3128")])
        .redirect(PROXY, 3128, at)
        .run();
    ran.expect("faulty", &["cause error likely proxy/not-a-proxy"])?;
    Ok(())
}
