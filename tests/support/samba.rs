//! Samba's winbindd without a domain: who checks NTLM for a real proxy.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::server::{Server, folder, terminate};
use crate::{installed, ran, write};

/// The domain of its accounts.
pub const DOMAIN: &str = "EXAMPLE";

/// A running winbindd with accounts of its own.
#[derive(Debug)]
pub struct Samba {
    server: Server,
}

/// Accounts are known to its programs by this library alone, so that none has to be made in the system; the folder of
/// its sockets can be chosen only with it.
fn environment(dir: &Path) -> Vec<(&'static str, String)> {
    let file = |name: &str| dir.join(name).display().to_string();
    vec![
        ("LD_PRELOAD", "libnss_wrapper.so".to_owned()),
        ("NSS_WRAPPER_PASSWD", file("passwd")),
        ("NSS_WRAPPER_GROUP", file("group")),
        ("SELFTEST_WINBINDD_SOCKET_DIR", file("sockets")),
    ]
}

impl Samba {
    /// Starts it with these users and passwords. Needs root.
    ///
    /// # Errors
    /// It does not start: with what it says; or it lets in whoever has a wrong password.
    pub fn start(users: &[(&str, &str)]) -> Result<Samba, String> {
        let dir = folder();
        let at = dir.path().display().to_string();
        for sub in ["private", "state", "cache", "lock", "pid", "ncalrpc", "logs"] {
            let sub = dir.path().join(sub);
            std::fs::create_dir(&sub).map_err(|error| format!("{}: {error}", sub.display()))?;
        }
        let config = write(
            dir.path(),
            "smb.conf",
            format!(
                "[global]\nserver role = standalone server\nnetbios name = {DOMAIN}\nworkgroup = INTEROP\n\
                 passdb backend = tdbsam:{at}/private/passdb.tdb\nprivate dir = {at}/private\n\
                 state directory = {at}/state\ncache directory = {at}/cache\nlock directory = {at}/lock\n\
                 pid directory = {at}/pid\nncalrpc dir = {at}/ncalrpc\nwinbindd socket directory = {at}/sockets\n\
                 interfaces = lo\nbind interfaces only = yes\ndisable netbios = yes\nntlm auth = ntlmv2-only\n\
                 idmap config * : backend = tdb\nidmap config * : range = 100000-199999\n\
                 log level = 0 auth_audit:2\n"
            ),
        );
        // Who the servers run as must be known there too.
        let system = |file: &str, names: &[&str]| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let known = |line: &&str| names.contains(&line.split(':').next().unwrap_or(""));
            text.lines().filter(known).map(|line| format!("{line}\n")).collect::<String>()
        };
        let mut passwd = system("/etc/passwd", &["root", "nobody", "proxy"]);
        for ((user, _), number) in users.iter().zip(60_001..) {
            passwd.push_str(&format!("{user}:x:{number}:60000::/nonexistent:/bin/false\n"));
        }
        write(dir.path(), "passwd", passwd);
        let groups = system("/etc/group", &["root", "nogroup", "proxy"]);
        write(dir.path(), "group", format!("{groups}winbindd_priv:x:59999:\nusers:x:60000:\n"));
        for (user, password) in users {
            let secret = write(dir.path(), "secret", format!("{password}\n{password}\n"));
            let secret = std::fs::File::open(secret).map_err(|error| error.to_string())?;
            let made = Command::new(installed("smbpasswd").ok_or("no smbpasswd")?)
                .arg("-c")
                .arg(&config)
                .args(["-s", "-a", user])
                .envs(environment(dir.path()))
                .stdin(secret)
                .stderr(Stdio::piped())
                .output()
                .map_err(|error| format!("smbpasswd: {error}"))?;
            if !made.status.success() {
                return Err(format!("smbpasswd: {}", String::from_utf8_lossy(&made.stderr)));
            }
        }
        let program = installed("ntlm_auth").ok_or("no ntlm_auth")?;
        let variables = environment(dir.path());
        let variables: Vec<String> =
            variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        write(
            dir.path(),
            "ntlm_auth",
            format!(
                "#!/bin/sh\nexec env {} {} --configfile={} \"$@\"\n",
                variables.join(" "),
                program.display(),
                config.display()
            ),
        );
        executable(&dir.path().join("ntlm_auth"))?;
        let mut command = Command::new(installed("winbindd").ok_or("no winbindd")?);
        command.args(["-F", "--no-process-group", "-s"]).arg(&config).arg("-l").arg(dir.path().join("logs"));
        command.envs(environment(dir.path()));
        let (user, password) = *users.first().ok_or("no users")?;
        let script = dir.path().join("ntlm_auth");
        let server = Server::start_until(command, dir, || logon(&script, user, password).is_ok())?;
        let samba = Samba { server };
        // Squid's helper is no root, and needs the socket of those who may ask for everything.
        let privileged =
            ["state", "lock"].map(|sub| samba.server.folder().join(sub).join("winbindd_privileged"));
        for folder in privileged.iter().filter(|folder| folder.is_dir()) {
            ran(Command::new("chgrp").arg("proxy").arg(folder))?;
        }
        match logon(&script, user, &format!("{password}?")) {
            Ok(_) => Err("winbindd lets in whoever has a wrong password".to_owned()),
            Err(_) => Ok(samba),
        }
    }

    /// The program that speaks NTLM and asks this winbindd.
    pub fn ntlm_auth(&self) -> PathBuf {
        self.server.folder().join("ntlm_auth")
    }

    /// The NTLM logons that it refused, as it wrote them down: one line each, beside those of the account database.
    pub fn refusals(&self) -> Vec<String> {
        let mut found = Vec::new();
        for file in std::fs::read_dir(self.server.folder().join("logs")).into_iter().flatten().flatten() {
            let text = std::fs::read(file.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let refused =
                |l: &&str| l.contains(",NTLM_AUTH,") && l.contains("status [NT_STATUS_WRONG_PASSWORD]");
            found.extend(text.lines().filter(refused).map(str::to_owned));
        }
        found
    }
}

fn logon(script: &Path, user: &str, password: &str) -> Result<String, String> {
    let domain = format!("--domain={DOMAIN}");
    let (user, password) = (format!("--username={user}"), format!("--password={password}"));
    ran(Command::new(script).args([domain, user, password]))
}

fn executable(file: &Path) -> Result<(), String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(file, mode).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let _ = file;
    Ok(())
}

impl Drop for Samba {
    fn drop(&mut self) {
        // It leaves these behind, in sessions of their own, with the folder in their arguments.
        let folder = self.server.folder().display().to_string();
        self.server.stop();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(&folder) {
                terminate(number);
            }
        }
    }
}
