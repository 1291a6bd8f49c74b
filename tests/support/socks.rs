//! Real SOCKS proxies: Dante and microsocks.

use std::process::Command;

use crate::server::{Answers, Server, folder, port};
use crate::{installed, ran, write};

/// A running SOCKS proxy.
#[derive(Debug)]
pub struct Socks {
    _server: Server,
    /// Its port on 127.0.0.1.
    pub at: u16,
}

/// Both resolve through the system's library, which this one stands before.
fn knowing(command: &mut Command, dir: &std::path::Path, known: &[&str]) {
    let hosts = write(dir, "hosts", format!("127.0.0.1 {} localhost\n", known.join(" ")));
    command.env("LD_PRELOAD", "libnss_wrapper.so").env("NSS_WRAPPER_HOSTS", hosts);
}

/// Starts Dante. It finds those names on 127.0.0.1, blocks what `rules` block (`socks block { … }`), and asks for a
/// password where an account is given. Needs root.
///
/// # Errors
/// It does not start: with what it says.
pub fn dante(known: &[&str], rules: &str, account: Option<(&str, &str)>) -> Result<Socks, String> {
    let (dir, at) = (folder(), port());
    let method = if account.is_some() { "username" } else { "none" };
    let config = write(
        dir.path(),
        "danted.conf",
        format!(
            "logoutput: stderr\ninternal: 127.0.0.1 port = {at}\nexternal: lo\nclientmethod: none\n\
             socksmethod: {method}\nuser.privileged: root\nuser.unprivileged: nobody\n\
             client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}\n{rules}\n\
             socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}\n"
        ),
    );
    let mut command = Command::new(installed("danted").ok_or("no danted")?);
    command.args(["-N", "1", "-f"]).arg(config).arg("-p").arg(dir.path().join("pid"));
    knowing(&mut command, dir.path(), known);
    if let Some((user, password)) = account {
        // It looks accounts up as the system does.
        let hash = ran(Command::new("openssl").args(["passwd", "-6", password]))?;
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let group = std::fs::read_to_string("/etc/group").unwrap_or_default();
        let text = format!("{passwd}{user}:x:60001:60000::/nonexistent:/bin/false\n");
        command.env("NSS_WRAPPER_PASSWD", write(dir.path(), "passwd", text));
        command.env("NSS_WRAPPER_GROUP", write(dir.path(), "group", format!("{group}users:x:60000:\n")));
        let shadow = format!("{user}:{}:19000:0:99999:7:::\n", hash.trim());
        command.env("NSS_WRAPPER_SHADOW", write(dir.path(), "shadow", shadow));
    }
    Ok(Socks { _server: Server::start(command, dir, Answers::Tcp(at))?, at })
}

/// Starts microsocks. It finds those names on 127.0.0.1, and asks for a password where an account is given.
///
/// # Errors
/// It does not start: with what it says.
pub fn microsocks(known: &[&str], account: Option<(&str, &str)>) -> Result<Socks, String> {
    let (dir, at) = (folder(), port());
    let mut command = Command::new(installed("microsocks").ok_or("no microsocks")?);
    command.args(["-i", "127.0.0.1", "-p", &at.to_string()]);
    knowing(&mut command, dir.path(), known);
    if let Some((user, password)) = account {
        command.args(["-u", user, "-P", password]);
    }
    Ok(Socks { _server: Server::start(command, dir, Answers::Tcp(at))?, at })
}
