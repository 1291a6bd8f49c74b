//! mitmproxy: a proxy that ends the sessions in its tunnels and signs them again.

use std::path::PathBuf;
use std::process::Command;

use crate::server::{Answers, Server, folder, port};
use crate::{installed, write};

/// Whatever name is asked for is on 127.0.0.1.
const HERE: &str =
    "def server_connect(data):\n    data.server.address = (\"127.0.0.1\", data.server.address[1])\n";

/// A running mitmproxy.
#[derive(Debug)]
pub struct Mitmproxy {
    server: Server,
    /// Its port on 127.0.0.1.
    pub at: u16,
}

impl Mitmproxy {
    /// Starts it. It trusts the servers that `roots` vouch for, which is PEM, and asks for Basic where an account
    /// (`user:password`) is given.
    ///
    /// # Errors
    /// It does not start: with what it says.
    pub fn start(roots: &str, account: Option<&str>) -> Result<Mitmproxy, String> {
        let (dir, at) = (folder(), port());
        let script = write(dir.path(), "here.py", HERE);
        let roots = write(dir.path(), "roots.pem", roots);
        let mut command = Command::new(installed("mitmdump").ok_or("no mitmdump")?);
        command.args(["-q", "--listen-host", "127.0.0.1", "-p", &at.to_string(), "-s"]).arg(script);
        command.args(["--set", &format!("confdir={}", dir.path().display())]);
        command.args(["--set", "connection_strategy=lazy"]);
        command.args(["--set", &format!("ssl_verify_upstream_trusted_ca={}", roots.display())]);
        if let Some(account) = account {
            command.args(["--proxyauth", account]);
        }
        Ok(Mitmproxy { server: Server::start(command, dir, Answers::Tcp(at))?, at })
    }

    /// The root that it signs under, which it made at its start.
    pub fn root(&self) -> PathBuf {
        self.server.folder().join("mitmproxy-ca-cert.pem")
    }
}
