//! Squid on loopback.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::server::{Answers, Server, folder, port};
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

/// A running Squid.
#[derive(Debug)]
pub struct Squid {
    _server: Server,
    _names: NoNames,
    /// Its port on 127.0.0.1.
    pub at: u16,
}

impl Squid {
    /// Starts Squid with these rules, in which `DIR` is its folder. It finds those names on 127.0.0.1 and no others.
    ///
    /// # Errors
    /// It does not start: with what it says.
    pub fn start(known: &[&str], rules: &str, files: &[(&str, String)]) -> Result<Squid, String> {
        let (dir, at, names) = (folder(), port(), NoNames::start()?);
        write(dir.path(), "hosts", format!("127.0.0.1 {} {PROXY} localhost\n", known.join(" ")));
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
}
