//! Squid on loopback.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::certificates::Site;
use crate::kerberos::Realm;
use crate::samba::Samba;
use crate::server::{Answers, Server, folder, open_to_all, port};
use crate::{installed, write};

/// The name that the probe knows the proxy by.
pub const PROXY: &str = "proxy.example.test";
/// The rules that let everyone through.
pub const ALL: &str = "http_access allow all\n";

/// A name server that knows no name, on port 53 of an address of loopback of its own, as Squid can be given no port.
#[derive(Debug)]
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

/// A Squid to be started.
#[derive(Debug, Default)]
pub struct Setup<'a> {
    /// Names that it finds on 127.0.0.1; it finds no others.
    pub known: &'a [&'a str],
    /// What stands behind its port in `http_port`.
    pub port: String,
    /// Its rules. `DIR` is its folder.
    pub rules: String,
    /// Files in its folder.
    pub files: Vec<(&'a str, String)>,
    /// More of its environment, which its helpers have too.
    pub environment: Vec<(&'static str, String)>,
}

/// A running Squid.
#[derive(Debug)]
pub struct Squid {
    server: Server,
    _names: NoNames,
    /// Its port on 127.0.0.1.
    pub at: u16,
}

/// One request that Squid answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// `CONNECT`, `GET`, …
    pub method: String,
    /// What it found the user to be called, or `-`.
    pub user: String,
    /// `Proxy-Authorization`, or `-`.
    pub credentials: String,
}

impl Squid {
    /// Starts Squid with these rules, in which `DIR` is its folder. It finds those names on 127.0.0.1 and no others.
    ///
    /// # Errors
    /// It does not start: with what it says.
    pub fn start(known: &[&str], rules: &str, files: &[(&str, String)]) -> Result<Squid, String> {
        Setup { known, rules: rules.to_owned(), files: files.to_vec(), ..Setup::default() }.start()
    }

    /// Ends it; gives what it answered, in order.
    pub fn stop(mut self) -> Vec<Answered> {
        self.server.stop();
        let text = std::fs::read_to_string(self.server.folder().join("access")).unwrap_or_default();
        let line = |line: &str| {
            let mut parts = line.splitn(4, ' ').map(str::to_owned);
            Some(Answered {
                status: parts.next()?.parse().ok()?,
                method: parts.next()?,
                user: parts.next()?,
                credentials: parts.next()?,
            })
        };
        text.lines().filter_map(line).collect()
    }

    /// The end of what it said.
    pub fn says(&self) -> String {
        self.server.tail()
    }
}

/// The answers that refused credentials for good: not those to the first message of NTLM.
pub fn refusals(answered: &[Answered]) -> Vec<&Answered> {
    let first = |a: &Answered| a.credentials.contains(" TlRMTVNTUAAB");
    answered.iter().filter(|a| a.status == 407 && a.credentials != "-" && !first(a)).collect()
}

/// Rules that let in whoever shows that he is somebody, by these `auth_param` lines.
pub fn asking(schemes: &str) -> String {
    format!("{schemes}acl in proxy_auth REQUIRED\nhttp_access deny !in\nhttp_access allow all\n")
}

/// A helper of Squid's.
///
/// # Errors
/// It is not installed.
pub fn helper(name: &str) -> Result<String, String> {
    Ok(installed(name).ok_or_else(|| format!("no {name}"))?.display().to_string())
}

impl<'a> Setup<'a> {
    /// Asks for Basic.
    ///
    /// # Errors
    /// Its helper, or openssl, is not installed.
    pub fn basic(known: &'a [&'a str], user: &str, password: &str) -> Result<Setup<'a>, String> {
        let hash = Command::new("openssl")
            .args(["passwd", "-apr1", password])
            .output()
            .map_err(|error| format!("openssl: {error}"))?;
        let users = format!("{user}:{}", String::from_utf8_lossy(&hash.stdout));
        let rules = format!(
            "auth_param basic program {} DIR/users\nauth_param basic children 2 startup=1\n",
            helper("basic_ncsa_auth")?
        );
        Ok(Setup { known, rules: asking(&rules), files: vec![("users", users)], ..Setup::default() })
    }

    /// Asks for Digest.
    ///
    /// # Errors
    /// Its helper is not installed.
    pub fn digest(known: &'a [&'a str], user: &str, password: &str) -> Result<Setup<'a>, String> {
        let rules = format!(
            "auth_param digest program {} DIR/users\nauth_param digest children 2 startup=1\n\
             auth_param digest realm Interop\n",
            helper("digest_file_auth")?
        );
        let users = format!("{user}:{password}\n");
        Ok(Setup { known, rules: asking(&rules), files: vec![("users", users)], ..Setup::default() })
    }

    /// Asks for NTLM, which Samba checks.
    pub fn ntlm(known: &'a [&'a str], samba: &Samba) -> Setup<'a> {
        let rules = format!(
            "auth_param ntlm program {} --helper-protocol=squid-2.5-ntlmssp\n\
             auth_param ntlm children 4 startup=1\nauth_param ntlm keep_alive on\n",
            samba.ntlm_auth().display()
        );
        Setup { known, rules: asking(&rules), ..Setup::default() }
    }

    /// Asks for Negotiate, which is Kerberos.
    ///
    /// # Errors
    /// Its helper is not installed.
    pub fn kerberos(known: &'a [&'a str], realm: &Realm) -> Result<Setup<'a>, String> {
        let rules = format!(
            "auth_param negotiate program {} -k {} -s GSS_C_NO_NAME\n\
             auth_param negotiate children 4 startup=1\nauth_param negotiate keep_alive on\n",
            helper("negotiate_kerberos_auth")?,
            realm.keytab().display()
        );
        let environment = vec![("KRB5_CONFIG", realm.config().display().to_string())];
        Ok(Setup { known, rules: asking(&rules), environment, ..Setup::default() })
    }

    /// Asks as a site with a domain does: Negotiate for both, NTLM and Basic.
    ///
    /// # Errors
    /// A helper, or openssl, is not installed.
    pub fn domain(
        known: &'a [&'a str],
        realm: &Realm,
        samba: &Samba,
        user: &str,
        password: &str,
    ) -> Result<Setup<'a>, String> {
        let ntlm_auth = samba.ntlm_auth().display().to_string();
        let Setup { rules: basic, files, .. } = Setup::basic(known, user, password)?;
        let rules = format!(
            "auth_param negotiate program {} --kerberos {} -k {} -s GSS_C_NO_NAME --ntlm {ntlm_auth} \
             --helper-protocol=squid-2.5-ntlmssp\nauth_param negotiate children 4 startup=1\n\
             auth_param negotiate keep_alive on\n\
             auth_param ntlm program {ntlm_auth} --helper-protocol=squid-2.5-ntlmssp\n\
             auth_param ntlm children 4 startup=1\nauth_param ntlm keep_alive on\n{basic}",
            helper("negotiate_wrapper_auth")?,
            helper("negotiate_kerberos_auth")?,
            realm.keytab().display()
        );
        let environment = vec![("KRB5_CONFIG", realm.config().display().to_string())];
        Ok(Setup { known, rules, files, environment, ..Setup::default() })
    }

    /// Ends the sessions in its tunnels and signs them again, as an authority of `inspector`; trusts servers that `roots`
    /// vouch for, which is PEM.
    ///
    /// # Errors
    /// This Squid was built without OpenSSL.
    pub fn inspecting(known: &'a [&'a str], inspector: &Site, roots: String) -> Result<Setup<'a>, String> {
        let certgen = helper("security_file_certgen")?;
        let (certificate, key) = inspector.signer();
        let rules = format!(
            "sslcrtd_program {certgen} -s DIR/ssl_db -M 4MB\nsslcrtd_children 2 startup=1\n\
             tls_outgoing_options cafile=DIR/roots.pem\nacl s1 at_step SslBump1\nssl_bump peek s1\nssl_bump bump all\n{ALL}"
        );
        let port = " ssl-bump tls-cert=DIR/inspector.pem tls-key=DIR/inspector.key \
                    generate-host-certificates=on dynamic_cert_mem_cache_size=1MB";
        let files = vec![("inspector.pem", certificate), ("inspector.key", key), ("roots.pem", roots)];
        Ok(Setup { known, port: port.to_owned(), rules, files, ..Setup::default() })
    }

    /// Starts it.
    ///
    /// # Errors
    /// It does not start: with what it says.
    pub fn start(self) -> Result<Squid, String> {
        let (dir, at, names) = (folder(), port(), NoNames::start()?);
        write(dir.path(), "hosts", format!("127.0.0.1 {} {PROXY} localhost\n", self.known.join(" ")));
        for (name, text) in &self.files {
            write(dir.path(), name, text);
        }
        let folder = dir.path().display().to_string();
        let text = format!(
            "http_port 127.0.0.1:{at}{}\nvisible_hostname {PROXY}\npid_filename {folder}/pid\n\
             logformat seen %03>Hs %rm %un %'{{Proxy-Authorization}}>h\n\
             cache_log {folder}/log\naccess_log stdio:{folder}/access logformat=seen\ncache deny all\ncache_mem 1 MB\nnetdb_filename none\n\
             pinger_enable off\ncoredump_dir {folder}\nmax_filedescriptors 1024\ndns_nameservers {}\n\
             hosts_file {folder}/hosts\ndns_timeout 2 seconds\ndns_retransmit_interval 1 second\nconnect_timeout 2 seconds\nforward_max_tries 1\n\
             shutdown_lifetime 0 seconds\n{}",
            self.port.replace("DIR", &folder),
            names.address,
            self.rules.replace("DIR", &folder)
        );
        let config = write(dir.path(), "squid.conf", text);
        if self.rules.contains("ssl_db") {
            let ran = Command::new(helper("security_file_certgen")?)
                .args(["-c", "-s", &format!("{folder}/ssl_db"), "-M", "4MB"])
                .output()
                .map_err(|error| format!("security_file_certgen: {error}"))?;
            if !ran.status.success() {
                return Err(format!("security_file_certgen: {}", String::from_utf8_lossy(&ran.stderr)));
            }
            open_to_all(&dir.path().join("ssl_db"))?;
        }
        // It writes there as another user.
        for name in ["log", "access"] {
            open_to_all(&write(dir.path(), name, ""))?;
        }
        let name = format!("wsusprobe{at}");
        let mut command = Command::new(installed("squid").ok_or("no squid")?);
        command.args(["-N", "-n", &name, "-f"]).arg(config).envs(self.environment);
        let server = Server::start(command, dir, Answers::Tcp(at))?.sharing(&name);
        Ok(Squid { server, _names: names, at })
    }
}
