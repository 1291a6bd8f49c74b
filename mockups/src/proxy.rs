//! An HTTP proxy: tunnels, passes on, asks for credentials, refuses, lies.

mod auth;
mod inspect;
mod ntlm;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

pub use auth::Accounts;
use auth::{Gate, Session, Step};

use crate::authority::Authority;
use crate::hello::{self, Opening};
use crate::http::{self, Clock, Fate, Incoming, Request, Response, Variation};
use crate::journal::{Event, Journal};
use crate::listen::{self, Prefixed, Running};
use crate::tlspeer::{Policy, TlsPeer};

/// What a proxy does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Passes it on.
    Open,
    /// 407 unless Basic credentials fit those that are accepted.
    Authenticate,
    /// 407 whatever is sent.
    AuthenticateAlways,
    /// 407 at first; the connection is closed on the first message of a scheme.
    AuthenticateBroken,
    /// 407 always, and never a token for the first message of a scheme that has several.
    AuthenticateTokenless,
    /// 403.
    Forbidden,
    /// CONNECT to 443; 403 for other ports.
    Only443,
    /// The configured failure.
    Status,
    /// Bytes without meaning.
    Garbage,
    /// Nothing.
    Silence,
    /// A page, or a redirect to one.
    Portal,
    /// The answer to a name that the proxy cannot resolve, in Squid's words.
    Unresolvable,
    /// 200, and the connection is closed.
    CloseTunnel,
    /// 200, and the connection is closed once a hello was read.
    CloseAfterHello,
    /// 200, and the connection is reset once a hello was read.
    ResetAfterHello,
    /// Passes TLS 1.3 on, and resets a tunnel whose hello offers nothing newer than TLS 1.2.
    ResetTls12,
    /// The session in the tunnel is ended and re-signed.
    Inspect,
    /// 100 MB of headers.
    HugeHeaders,
    /// A byte a second.
    Drip,
}

/// Where a proxy ends a connection that an authentication needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Closes {
    /// Nowhere.
    #[default]
    Never,
    /// After the 407 to a request without credentials, as some proxies always do: no fault.
    AfterDemand,
    /// Nowhere, but after a 407 to a request without credentials nothing is answered on that connection any more, as
    /// mitmproxy 8 does with CONNECT: whoever comes over another one is let in.
    SilentAfterDemand,
    /// After the 407 with a challenge to the first message, so that nothing can be answered.
    AfterFirstMessage,
    /// The same, and the 407 says nothing of authentication, as Squid does where it was told to close.
    InsteadOfToken,
}

/// What a proxy sends as NTLM's challenge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Token {
    /// As it should be.
    #[default]
    Right,
    /// The first 28 bytes of it.
    Cut,
    /// With another signature.
    Signature,
    /// With fields that point outside.
    Offsets,
    /// With the number of the first message.
    Kind,
    /// With a list of properties that does not end.
    Endless,
    /// 200,000 bytes long.
    Huge,
    /// What is no base64.
    NotBase64,
}

/// Destinations that a proxy denies.
#[derive(Debug, Clone, Default)]
pub struct Denies {
    /// Hosts, in lower case.
    pub hosts: Vec<String>,
    /// Ports.
    pub ports: Vec<u16>,
    /// Before it asks who it is.
    pub before_asking: bool,
}

impl Denies {
    fn covers(&self, host: &str, port: u16) -> bool {
        self.hosts.iter().any(|h| h == host) || self.ports.contains(&port)
    }
}

/// Where a destination really is: `None` where the proxy cannot resolve it.
pub type Table = Arc<dyn Fn(&str, u16) -> Option<SocketAddr> + Send + Sync>;

/// A proxy's configuration.
#[derive(Clone)]
pub struct Config {
    /// What it does.
    pub mode: Mode,
    /// What it does for some destinations: `host:port`, `host` or `:port`, in lower case.
    pub to: BTreeMap<String, Mode>,
    /// Where destinations are.
    pub table: Table,
    /// `Proxy-Authenticate` values.
    pub challenges: Vec<String>,
    /// All of them in one header, with commas.
    pub one_header: bool,
    /// As many more schemes, which nobody knows.
    pub more_schemes: usize,
    /// Who may pass; unless it is empty, every request is asked who it is, whatever the mode.
    pub accounts: Accounts,
    /// One more who may, as `user:password`.
    pub accepts: Option<String>,
    /// The last message of NTLM, or any answer to Digest, is let in unread.
    pub accepts_final: bool,
    /// Where it ends the connection.
    pub closes: Closes,
    /// NTLM's challenge.
    pub token: Token,
    /// So many right answers to Digest are called stale first.
    pub stale: usize,
    /// What it denies.
    pub denies: Denies,
    /// Time before each answer; at most a minute.
    pub waits: Duration,
    /// Bytes without meaning at the end of its pages.
    pub pad: usize,
    /// The status of [`Mode::Status`].
    pub status: u16,
    /// `X-Squid-Error` then.
    pub squid_error: Option<String>,
    /// The page's text then.
    pub body: String,
    /// Where [`Mode::Portal`] leads.
    pub redirect: Option<String>,
    /// Who re-signs.
    pub inspector: Option<Authority>,
    /// What that one agrees to.
    pub inspects: Policy,
    /// The world's time, for what is re-signed.
    pub clock: Clock,
    /// What must not matter.
    pub variation: Variation,
}

impl Config {
    /// An open proxy over that table.
    pub fn open(table: Table, clock: Clock) -> Config {
        Config {
            mode: Mode::Open,
            to: BTreeMap::new(),
            table,
            challenges: Vec::new(),
            one_header: false,
            more_schemes: 0,
            accounts: Accounts::default(),
            accepts: None,
            accepts_final: false,
            closes: Closes::Never,
            token: Token::Right,
            stale: 0,
            denies: Denies::default(),
            waits: Duration::ZERO,
            pad: 0,
            status: 502,
            squid_error: None,
            body: "The proxy could not get the page.".to_owned(),
            redirect: None,
            inspector: None,
            inspects: Policy::default(),
            clock,
            variation: Variation::default(),
        }
    }

    fn mode_for(&self, host: &str, port: u16) -> &Mode {
        self.to
            .get(&format!("{host}:{port}"))
            .or_else(|| self.to.get(host))
            .or_else(|| self.to.get(&format!(":{port}")))
            .unwrap_or(&self.mode)
    }

    fn page(&self, status: u16, text: &str) -> Response {
        let filler = ".".repeat(self.pad);
        let html = format!(
            "<html><head><title>{status}</title></head><body><p>{text}</p>{filler}</body></html>\r\n"
        );
        Response::new(status, "text/html", html)
            .with("Server", "labproxy/1.0")
            .with("Date", &self.clock.http_date())
            .with("Via", "1.1 proxy.example.com (labproxy/1.0)")
    }

    fn everybody(&self) -> Accounts {
        let one = self.accepts.as_ref().and_then(|one| one.split_once(':'));
        let one = one.map(|(user, password)| (user.to_owned(), password.to_owned()));
        self.accounts.clone().into_iter().chain(one).collect()
    }

    fn asks(&self, mode: &Mode) -> bool {
        let asking = [
            Mode::Authenticate,
            Mode::AuthenticateAlways,
            Mode::AuthenticateBroken,
            Mode::AuthenticateTokenless,
        ];
        asking.contains(mode) || !self.accounts.is_empty()
    }

    /// The page that a mode has for every request that is let in; `None` where it is passed on.
    fn says(&self, mode: &Mode, port: u16, connect: bool) -> Option<Response> {
        match mode {
            Mode::Only443 if port == 443 || !connect => None,
            Mode::Only443 | Mode::Forbidden => Some(self.page(403, "Access to this destination is denied.")),
            Mode::Status => {
                let mut page = self.page(self.status, &self.body);
                if let Some(error) = &self.squid_error {
                    page = page.with("X-Squid-Error", error);
                }
                Some(page)
            }
            Mode::Portal => Some(match &self.redirect {
                Some(to) => self.page(302, "Please sign in.").with("Location", to),
                None => self.page(200, "Welcome. Please accept the terms of use to go on."),
            }),
            Mode::Unresolvable => Some(self.unresolvable()),
            Mode::Silence => Some(self.page(200, "").fated(Fate::Silence)),
            Mode::HugeHeaders => Some(self.page(200, "").fated(Fate::HugeHeaders)),
            Mode::Drip => Some(self.page(200, "").fated(Fate::Drip)),
            _ => None,
        }
    }

    fn unresolvable(&self) -> Response {
        self.page(
            503,
            "Unable to determine IP address from host name: the name server says that there is no such name.",
        )
        .with("X-Squid-Error", "ERR_DNS_FAIL 0")
    }
}

const BASE64: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD;

/// Starts a proxy. Must be called inside a runtime.
///
/// # Errors
/// The system gives no port.
pub fn serve(name: &str, journal: &Journal, config: Config) -> io::Result<Running> {
    let (label, record, house) = (name.to_owned(), journal.clone(), Arc::new(House::new(config)));
    listen::listen(name, journal, move |stream: TcpStream| {
        let (label, record, house) = (label.clone(), record.clone(), house.clone());
        async move { talk(stream, &label, &record, &house).await }
    })
}

/// Starts a proxy that is spoken to over TLS. Must be called inside a runtime.
///
/// # Errors
/// The system gives no port.
pub fn serve_secure(name: &str, journal: &Journal, config: Config, peer: TlsPeer) -> io::Result<Running> {
    let house = Arc::new((House::new(config), peer));
    let (label, record) = (name.to_owned(), journal.clone());
    listen::listen(name, journal, move |stream: TcpStream| {
        let (label, record, house) = (label.clone(), record.clone(), house.clone());
        async move {
            if let Some(session) = house.1.accept(stream, &label, &record).await {
                talk(session, &label, &record, &house.0).await;
            }
        }
    })
}

/// A proxy with what it remembers.
struct House {
    config: Config,
    gate: Gate,
}

impl House {
    fn new(config: Config) -> House {
        House { config, gate: Gate::default() }
    }
}

/// What a client speaks to a proxy over.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Sized {
    fn bare(&self) -> &TcpStream;
    /// Nothing where it is more than TCP.
    fn into_bare(self) -> Option<TcpStream>;
}

impl Wire for TcpStream {
    fn bare(&self) -> &TcpStream {
        self
    }
    fn into_bare(self) -> Option<TcpStream> {
        Some(self)
    }
}

impl Wire for TlsStream<Prefixed<TcpStream>> {
    fn bare(&self) -> &TcpStream {
        self.get_ref().0.inner()
    }
    fn into_bare(self) -> Option<TcpStream> {
        None
    }
}

/// Starts a port that speaks TLS where a proxy is expected; whoever does so finds an open proxy inside.
///
/// # Errors
/// The system gives no port.
pub fn serve_tls(name: &str, journal: &Journal, peer: TlsPeer) -> io::Result<Running> {
    let (label, record, peer) = (name.to_owned(), journal.clone(), Arc::new(peer));
    listen::listen(name, journal, move |stream: TcpStream| {
        let (label, record, peer) = (label.clone(), record.clone(), peer.clone());
        async move {
            if let Some(mut session) = peer.accept(stream, &label, &record).await {
                let _ = session.write_all(http::CLEAR_BAD_REQUEST.as_bytes()).await;
                let _ = session.shutdown().await;
            }
        }
    })
}

async fn talk<W: Wire>(mut stream: W, name: &str, journal: &Journal, house: &House) {
    let config = &house.config;
    let mut buffer = Vec::new();
    let mut session = Session::default();
    loop {
        let request = match http::read_request(&mut stream, &mut buffer).await {
            Incoming::Request(request) => request,
            Incoming::Other => {
                let page = config.page(400, "This is no request.");
                let _ = http::write(&mut stream, &page, false, true, config.variation).await;
                break;
            }
            Incoming::End => break,
        };
        let connect = request.method.eq_ignore_ascii_case("CONNECT");
        let Some((host, port)) = destination(&request, connect) else {
            let page = config.page(400, "This is no destination.");
            let _ = http::write(&mut stream, &page, false, true, config.variation).await;
            break;
        };
        let scheme = request.header("Proxy-Authorization").and_then(|v| v.split(' ').next()).unwrap_or("");
        journal.add(Event::Tunnel {
            listener: name.to_owned(),
            target: format!("{host}:{port}"),
            scheme: scheme.to_owned(),
        });
        let mode = config.mode_for(&host, port).clone();
        tokio::time::sleep(config.waits.min(Duration::from_secs(60))).await;
        let denied = config.denies.covers(&host, port);
        let asks = config.asks(&mode) && !(denied && config.denies.before_asking);
        let step = match asks {
            true => house.gate.step(config, &mode, &mut session, &request, name, journal),
            false => Step::In,
        };
        let (mut answer, close) = match step {
            Step::Hangup => break,
            Step::Ask(page, close) => (page, close),
            Step::In if denied => (config.page(403, "Access to this destination is denied."), true),
            Step::In => match mode {
                Mode::Garbage => {
                    let noise: Vec<u8> = (0..600).map(|_| fastrand::u8(128..)).collect();
                    let _ = stream.write_all(&noise).await;
                    break;
                }
                Mode::CloseTunnel if connect => {
                    let _ = stream.write_all(ESTABLISHED).await;
                    break;
                }
                _ => match config.says(&mode, port, connect) {
                    Some(page) => (page, true),
                    None => {
                        let asked = Asked { request: &request, host: &host, port, connect, mode: &mode };
                        match pass(stream, asked, config, name, journal).await {
                            Some(rest) => stream = rest,
                            None => return,
                        }
                        break;
                    }
                },
            },
        };
        config.variation.order(&mut answer.headers);
        if !http::write(&mut stream, &answer, false, close, config.variation).await || close {
            break;
        }
        if config.closes == Closes::SilentAfterDemand && request.header("Proxy-Authorization").is_none() {
            listen::drain(&mut stream, Duration::from_secs(600)).await;
            break;
        }
    }
    let _ = stream.shutdown().await;
    listen::drain(&mut stream, Duration::from_secs(1)).await;
}

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

fn destination(request: &Request, connect: bool) -> Option<(String, u16)> {
    let (authority, default) = if connect {
        (request.target.as_str(), 443)
    } else {
        let (scheme, rest) = request.target.split_once("://")?;
        let default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        (rest.split(['/', '?']).next()?, default)
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, default),
    };
    Some((host.trim_matches(['[', ']']).to_ascii_lowercase(), port))
}

/// A request that is let in.
struct Asked<'a> {
    request: &'a Request,
    host: &'a str,
    port: u16,
    connect: bool,
    mode: &'a Mode,
}

/// Passes a request on; gives back what is left of the client's connection.
async fn pass<W: Wire>(
    mut stream: W,
    asked: Asked<'_>,
    config: &Config,
    name: &str,
    journal: &Journal,
) -> Option<W> {
    let Asked { request, host, port, connect, mode } = asked;
    let Some(address) = (config.table)(host, port) else {
        let _ = http::write(&mut stream, &config.unresolvable(), false, true, config.variation).await;
        return Some(stream);
    };
    let reached = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await;
    let Ok(Ok(mut server)) = reached else {
        let status = if reached.is_err() { 504 } else { 503 };
        let page =
            config.page(status, "The proxy could not connect.").with("X-Squid-Error", "ERR_CONNECT_FAIL 111");
        let _ = http::write(&mut stream, &page, false, true, config.variation).await;
        return Some(stream);
    };
    if connect {
        stream.write_all(ESTABLISHED).await.ok()?;
        match mode {
            Mode::Inspect => {
                let client = stream.into_bare()?;
                let _ = inspect::inspect(client, server, host, config, name, journal).await;
                return None;
            }
            Mode::CloseAfterHello | Mode::ResetAfterHello | Mode::ResetTls12 => {
                let opening = hello::read(&mut stream).await.ok()?;
                let (new, said) = match opening {
                    Opening::Hello(hello, raw) => {
                        let new = hello.newest() > 0x0303;
                        journal.add(Event::Hello { listener: name.to_owned(), hello });
                        (new, raw)
                    }
                    Opening::Other(raw) | Opening::Malformed(raw) => (true, raw),
                    Opening::Nothing => return Some(stream),
                };
                if *mode == Mode::CloseAfterHello {
                    return Some(stream);
                }
                if *mode == Mode::ResetAfterHello || !new {
                    listen::reset(stream.bare());
                    return None;
                }
                server.write_all(&said).await.ok()?;
            }
            _ => {}
        }
        if tokio::io::copy_bidirectional(&mut stream, &mut server).await.is_err() {
            listen::reset(stream.bare());
        }
        return Some(stream);
    }
    let path = request.target.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, path.unwrap_or("/"));
    for (name, value) in &request.headers {
        let own = [
            "Proxy-Authorization",
            "Proxy-Connection",
            "Connection",
            "Expect",
            "Transfer-Encoding",
            "Content-Length",
        ];
        if !own.iter().any(|n| n.eq_ignore_ascii_case(name)) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", request.body.len()));
    let sent = server.write_all(&[head.as_bytes(), &request.body].concat()).await;
    if sent.is_ok() {
        let _ = tokio::io::copy(&mut server, &mut stream).await;
    }
    Some(stream)
}

/// What a port says that is no server at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// An SSH banner at once.
    Ssh,
    /// Bytes without meaning once something was said.
    Garbage,
    /// Nothing, ever.
    Mute,
    /// Closes at once.
    Hangup,
}

/// Starts such a port.
///
/// # Errors
/// The system gives no port.
pub fn stranger(name: &str, journal: &Journal, what: Stranger) -> io::Result<Running> {
    listen::listen(name, journal, move |mut stream: TcpStream| async move {
        match what {
            Stranger::Ssh => {
                let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").await;
                listen::drain(&mut stream, Duration::from_secs(30)).await;
            }
            Stranger::Garbage => {
                let mut some = [0; 256];
                let _ = stream.read(&mut some).await;
                let noise: Vec<u8> = (0..600).map(|_| fastrand::u8(128..)).collect();
                let _ = stream.write_all(&noise).await;
                let _ = stream.shutdown().await;
                listen::drain(&mut stream, Duration::from_secs(1)).await;
            }
            Stranger::Mute => listen::drain(&mut stream, Duration::from_secs(600)).await,
            Stranger::Hangup => {
                // FIN, whatever the client is saying.
                let _ = stream.shutdown().await;
                listen::drain(&mut stream, Duration::from_secs(1)).await;
            }
        }
    })
}
