//! What the suite's tests share: the program under test on a leash, servers that stop with the test that started
//! them, and certificates for both.

pub mod certificates;
pub mod kerberos;
pub mod mitmproxy;
pub mod probe;
pub mod samba;
pub mod server;
pub mod socks;
pub mod squid;
pub mod targets;

use std::path::{Path, PathBuf};

/// A program of the system: in `PATH`, or where servers are and an ordinary user's `PATH` does not lead. Or a library
/// that a server is started with.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let beside = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/squid", "/usr/lib64"].map(PathBuf::from);
    let libraries = PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    std::env::split_paths(&path)
        .chain(beside)
        .chain([libraries])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Whether what runs may do everything: some servers start as nobody else.
pub fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.starts_with(b"0\n"))
}

/// Runs a program to its end, on loopback's terms: what it says, where it ends well.
///
/// # Errors
/// It does not start, or fails: with what it says.
pub fn ran(command: &mut std::process::Command) -> Result<String, String> {
    let named = command.get_program().to_string_lossy().into_owned();
    let ran =
        command.stdin(std::process::Stdio::null()).output().map_err(|error| format!("{named}: {error}"))?;
    let says = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    if ran.status.success() { Ok(says) } else { Err(format!("{named}: {}\n{says}", ran.status)) }
}

/// Writes a file of a test's own folder and gives its path.
///
/// # Panics
/// The folder cannot be written to.
pub fn write(folder: &Path, name: &str, what: impl AsRef<[u8]>) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, what).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    file
}
