//! What the suite's tests share: the program under test on a leash, servers that stop with the test that started
//! them, and certificates for both.

pub mod certificates;
pub mod probe;
pub mod server;
pub mod squid;
pub mod targets;

use std::path::{Path, PathBuf};

/// A program of the system: in `PATH`, or where servers are and an ordinary user's `PATH` does not lead.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let beside = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/squid"].map(PathBuf::from);
    std::env::split_paths(&path).chain(beside).map(|dir| dir.join(name)).find(|file| file.is_file())
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
