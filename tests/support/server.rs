//! Real servers on loopback, in the foreground, that stop when they are dropped.

use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Ports are taken below the range that systems give to outgoing connections, or one of those would take them.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// The longest that a server may take to answer.
const START: Duration = Duration::from_secs(15);
/// The longest that it may take to end.
const STOP: Duration = Duration::from_secs(5);

/// A port of 127.0.0.1 that is free for TCP and UDP, and is given to nobody else in this process.
///
/// # Panics
/// None is free.
pub fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Runs beside each other begin at different places.
    let from = u16::try_from(std::process::id() * 97 % u32::from(PORTS.end - PORTS.start)).unwrap_or(0);
    let size = PORTS.end - PORTS.start;
    for _ in 0..size {
        let at = PORTS.start + (from + NEXT.fetch_add(1, Ordering::Relaxed) % size) % size;
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, at));
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, at));
        if tcp.is_ok() && udp.is_ok() {
            return at;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// A folder of a server's own, into which those can go who give root up.
///
/// # Panics
/// There is no room for temporary files.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("wsusprobe-interop-").tempdir().expect("a temporary folder");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("a folder of our own");
    }
    folder
}

/// Lets a file, or a folder and all in it, be read and written by whoever gives root up.
///
/// # Errors
/// They are not ours.
pub fn open_to_all(path: &Path) -> Result<(), String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = if path.is_dir() { 0o777 } else { 0o666 };
        let open = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, open).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        open_to_all(&entry.path())?;
    }
    Ok(())
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    shared_memory: Option<String>,
    log: PathBuf,
    folder: tempfile::TempDir,
}

/// How a server is known to answer.
#[derive(Debug, Clone, Copy)]
pub enum Answers {
    /// It takes connections on that port.
    Tcp(u16),
    /// It says something to a question over UDP.
    Dns(SocketAddr),
}

impl Server {
    /// Starts a program in its folder, with what it says in `log`, and waits until it answers.
    ///
    /// # Errors
    /// It does not start, ends, or does not answer in time: with the end of its log.
    pub fn start(command: Command, folder: tempfile::TempDir, answers: Answers) -> Result<Server, String> {
        Server::start_until(command, folder, || answers.tried())
    }

    /// The same where something else says whether it answers.
    ///
    /// # Errors
    /// As above.
    pub fn start_until(
        mut command: Command,
        folder: tempfile::TempDir,
        mut answers: impl FnMut() -> bool,
    ) -> Result<Server, String> {
        let named = Path::new(command.get_program()).file_name().unwrap_or_default();
        let named = named.to_string_lossy().into_owned();
        let log = folder.path().join("log");
        let open = || std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let (out, err) = open()
            .and_then(|out| Ok((out, open()?)))
            .map_err(|error| format!("{}: {error}", log.display()))?;
        let child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| format!("{named}: {error}"))?;
        let mut server = Server { child, shared_memory: None, log, folder };
        let began = Instant::now();
        while began.elapsed() < START {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!("{named} ended at its start ({status}):\n{}", server.tail()));
            }
            if answers() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("{named} does not answer within {START:?}:\n{}", server.tail()))
    }

    /// Has what a server leaves in /dev/shm under that name removed when it is killed.
    #[must_use]
    pub fn sharing(mut self, name: &str) -> Server {
        self.shared_memory = Some(name.to_owned());
        self
    }

    /// The end of what it said.
    pub fn tail(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = std::fs::File::open(&self.log) {
            let size = file.metadata().map_or(0, |m| m.len());
            let _ = file.seek(SeekFrom::Start(size.saturating_sub(3000)));
            let _ = file.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Answers {
    fn tried(self) -> bool {
        match self {
            Answers::Tcp(port) => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
            Answers::Dns(server) => asked(server).unwrap_or(false),
        }
    }
}

/// Whether a name server answers a question at all: version.bind, which none has to know.
fn asked(server: SocketAddr) -> std::io::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03";
    socket.send_to(question, server)?;
    let mut answer = [0; 512];
    match socket.recv_from(&mut answer) {
        Ok((length, _)) => Ok(length >= 12 && answer[..2] == question[..2]),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Server {
    /// Ends it, so that whatever it had to write is written.
    pub fn stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // The child is not waited for yet, so that its number is nobody else's.
        let patience = if terminate(self.child.id()) { STOP } else { Duration::ZERO };
        let began = Instant::now();
        while began.elapsed() < patience {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let Some(name) = &self.shared_memory else { return };
        for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!("{name}-")) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Asks a process to end.
pub(crate) fn terminate(process: u32) -> bool {
    let number = process.to_string();
    let asked = Command::new("/bin/sh").args(["-c", "kill -TERM \"$1\"", "sh", &number]).status();
    asked.is_ok_and(|status| status.success())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
