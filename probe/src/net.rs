//! The only place that opens a socket, asks the system's resolver or reads the clock.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::evidence::{Broken, DialAnswer, NameAnswer, escape};
use crate::settings::{ConnectTo, Settings};

/// The time of day.
#[allow(clippy::disallowed_methods, reason = "this is the room of the clock")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// This machine's time zone, and its distance from UTC at a time.
pub fn time_zone(at: jiff::Timestamp) -> String {
    let zone = jiff::tz::TimeZone::system();
    let offset = zone.to_offset(at);
    match zone.iana_name() {
        Some(name) => format!("{name} (UTC{offset})"),
        None => format!("UTC{offset}"),
    }
}

/// Both directions of a connection, whatever carries it.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, whatever carries it: a socket, a tunnel, a TLS session.
pub type Stream = Box<dyn Duplex>;

/// The network as a run may use it.
#[derive(Clone, Debug)]
pub struct Net {
    redirections: Vec<ConnectTo>,
    /// The longest that one step waits.
    pub patience: Duration,
    /// When the whole run ends.
    pub deadline: Instant,
    /// The clock of the run: `--at`, or the time of its start.
    pub clock: jiff::Timestamp,
}

impl Net {
    /// The network of a run that begins now.
    pub fn new(settings: &Settings) -> Net {
        Net {
            redirections: settings.connect_to.clone(),
            patience: settings.timeout.0,
            deadline: Instant::now() + settings.deadline.0,
            clock: settings.at.unwrap_or_else(now),
        }
    }

    /// The address that stands in for resolving `host`, where a redirection names it.
    pub fn stand_in(&self, host: &str, port: u16) -> Option<SocketAddr> {
        self.redirections
            .iter()
            .find(|r| {
                r.address().is_none()
                    && r.host.as_deref().is_some_and(|h| h.eq_ignore_ascii_case(host))
                    && r.port.is_none_or(|p| p == port)
            })
            .map(|r| r.to)
    }

    /// Where a socket for `address` goes.
    fn redirected(&self, address: SocketAddr) -> SocketAddr {
        self.redirections
            .iter()
            .find(|r| {
                (r.host.is_none() || r.address() == Some(address.ip()))
                    && r.port.is_none_or(|p| p == address.port())
            })
            .map_or(address, |r| r.to)
    }

    /// Connects to an address, redirected unless it stands in for a name.
    pub async fn dial(
        &self,
        address: SocketAddr,
        stands_in: bool,
        wait: Duration,
    ) -> Result<TcpStream, DialAnswer> {
        let to = if stands_in { address } else { self.redirected(address) };
        #[allow(clippy::disallowed_methods, reason = "this is the room of sockets")]
        let connecting = TcpStream::connect(to);
        match timeout(wait, connecting).await {
            Ok(Ok(stream)) => {
                // Small exchanges: waiting to fill a packet would be measured as the peer's.
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(error)) => Err(dial_answer(&error)),
            Err(_) => Err(DialAnswer::Timeout),
        }
    }

    /// Asks the system's resolver: hosts file, DNS and whatever else it uses.
    pub async fn ask_system(&self, host: &str, wait: Duration) -> NameAnswer {
        #[allow(clippy::disallowed_methods, reason = "this is the room of names")]
        let asking = tokio::net::lookup_host((host, 0));
        match timeout(wait, asking).await {
            Ok(Ok(found)) => {
                let mut addresses: Vec<IpAddr> = Vec::new();
                for address in found.map(|a| a.ip()) {
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                }
                if addresses.is_empty() {
                    NameAnswer::NoAddress
                } else {
                    NameAnswer::Addresses { addresses, canonical: None }
                }
            }
            Ok(Err(error)) => system_answer(&error),
            Err(_) => NameAnswer::Timeout,
        }
    }

    /// Sends one datagram to a name server and waits for one that begins with the same two bytes; it is sent again
    /// once, as resolvers do, after a third of the wait.
    pub async fn ask_udp(&self, server: SocketAddr, question: &[u8], wait: Duration) -> io::Result<Vec<u8>> {
        let any: IpAddr =
            if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        #[allow(clippy::disallowed_methods, reason = "this is the room of sockets")]
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(server).await?;
        let mut buffer = vec![0; 65535];
        let mut receive = async || loop {
            let length = socket.recv(&mut buffer).await?;
            if length >= 2 && buffer[..2] == question[..2] {
                return Ok(buffer[..length].to_vec());
            }
        };
        socket.send(question).await?;
        if let Ok(answer) = timeout(wait / 3, receive()).await {
            return answer;
        }
        socket.send(question).await?;
        timeout(wait - wait / 3, receive()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Asks a name server over TCP (RFC 1035 section 4.2.2).
    pub async fn ask_tcp(&self, server: SocketAddr, question: &[u8], wait: Duration) -> io::Result<Vec<u8>> {
        let exchange = async {
            #[allow(clippy::disallowed_methods, reason = "this is the room of sockets")]
            let mut stream = TcpStream::connect(server).await?;
            let mut framed = (question.len() as u16).to_be_bytes().to_vec();
            framed.extend_from_slice(question);
            stream.write_all(&framed).await?;
            let length = stream.read_u16().await?;
            let mut answer = vec![0; usize::from(length)];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        };
        timeout(wait, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// How a stream ended, by its error.
pub fn broken(error: &io::Error) -> Broken {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Broken::Closed,
        io::ErrorKind::TimedOut => Broken::Timeout,
        _ => Broken::Reset,
    }
}

/// The system's words for an error, without its number.
pub fn words(error: &io::Error) -> String {
    escape(&error.to_string(), 160)
}

fn dial_answer(error: &io::Error) -> DialAnswer {
    use io::ErrorKind::*;
    match error.kind() {
        ConnectionRefused => DialAnswer::Refused,
        TimedOut => DialAnswer::Timeout,
        NetworkUnreachable | HostUnreachable | NetworkDown | AddrNotAvailable => {
            DialAnswer::Unreachable { why: words(error) }
        }
        _ => DialAnswer::Failed { why: words(error) },
    }
}

fn system_answer(error: &io::Error) -> NameAnswer {
    let said = error.to_string();
    match error.raw_os_error() {
        // Winsock: host not found, no data, try again.
        Some(11001) => NameAnswer::NotFound,
        Some(11004) => NameAnswer::NoAddress,
        Some(11002) => NameAnswer::TryAgain,
        // glibc's words, macOS's and musl's.
        _ if said.contains("Name or service not known")
            || said.contains("nodename nor servname")
            || said.contains("Name does not resolve") =>
        {
            NameAnswer::NotFound
        }
        _ if said.contains("No address associated") || said.contains("Name has no usable address") => {
            NameAnswer::NoAddress
        }
        _ if said.contains("Temporary failure in name resolution") || said.ends_with("Try again") => {
            NameAnswer::TryAgain
        }
        _ => NameAnswer::Failed { why: words(error) },
    }
}
