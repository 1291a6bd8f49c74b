//! An HTTP proxy: tunnels, passes on, asks for credentials, refuses, lies.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::authority::{Authority, Key, LeafSpec};
use crate::hello::{self, Opening};
use crate::http::{self, Clock, Fate, Incoming, Request, Response, Variation};
use crate::journal::{Event, Journal};
use crate::listen::{self, Prefixed, Running};
use crate::tlspeer::TlsPeer;

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
    /// 200, and the connection is closed.
    CloseTunnel,
    /// The session in the tunnel is ended and re-signed.
    Inspect,
    /// 100 MB of headers.
    HugeHeaders,
    /// A byte a second.
    Drip,
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
    /// `user:password` for Basic.
    pub accepts: Option<String>,
    /// The last message of NTLM, or any answer to Digest, is let in unread.
    pub accepts_final: bool,
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
            accepts: None,
            accepts_final: false,
            status: 502,
            squid_error: None,
            body: "The proxy could not get the page.".to_owned(),
            redirect: None,
            inspector: None,
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
        let html = format!("<html><head><title>{status}</title></head><body><p>{text}</p></body></html>\r\n");
        Response::new(status, "text/html", html)
            .with("Server", "labproxy/1.0")
            .with("Date", &self.clock.http_date())
            .with("Via", "1.1 proxy.example.com (labproxy/1.0)")
    }

    fn challenge(&self) -> Response {
        let mut response = self.page(407, "The proxy wants to know who you are.");
        if self.one_header {
            response = response.with("Proxy-Authenticate", &self.challenges.join(", "));
        } else {
            for challenge in &self.challenges {
                response = response.with("Proxy-Authenticate", challenge);
            }
        }
        response
    }

    fn lets_in(&self, request: &Request) -> bool {
        let Some((scheme, token)) = request.header("Proxy-Authorization").and_then(|v| v.split_once(' '))
        else {
            return false;
        };
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => self.accepts.as_ref().is_some_and(|accepts| token.trim() == BASE64.encode(accepts)),
            "digest" => self.accepts_final,
            _ => self.accepts_final && ntlm_message(token) == Some(3),
        }
    }

    /// The second message of NTLM, where the first came and its scheme was offered.
    fn second_leg(&self, request: &Request) -> Option<Response> {
        let (scheme, token) = request.header("Proxy-Authorization")?.split_once(' ')?;
        let offered = self.challenges.iter().any(|c| c.eq_ignore_ascii_case(scheme));
        (offered && ntlm_message(token) == Some(1)).then(|| {
            self.page(407, "Go on.")
                .with("Proxy-Authenticate", &format!("{scheme} {}", BASE64.encode(ntlm_challenge())))
        })
    }
}

const BASE64: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD;

/// The number of an NTLM message in base64.
fn ntlm_message(token: &str) -> Option<u32> {
    let bytes = BASE64.decode(token.trim()).ok()?;
    let number = bytes.strip_prefix(b"NTLMSSP\0")?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*number))
}

/// An NTLM CHALLENGE of a domain called EXAMPLE, laid out as [MS-NLMP] 2.2.1.2 says.
fn ntlm_challenge() -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let domain = utf16("EXAMPLE");
    let mut info = Vec::new();
    for (id, value) in [(2_u16, domain.clone()), (1, utf16("PROXY")), (0, Vec::new())] {
        info.extend(id.to_le_bytes());
        info.extend((value.len() as u16).to_le_bytes());
        info.extend(value);
    }
    let field = |size: usize, offset: usize| {
        let size = (size as u16).to_le_bytes();
        [&size[..], &size, &(offset as u32).to_le_bytes()].concat()
    };
    // Unicode, target requested, NTLM, always sign, target is a domain, extended security, target info, version,
    // 128 and 56 bits.
    let flags = 0x1_u32
        | 0x4
        | 0x200
        | 0x8000
        | 0x1_0000
        | 0x8_0000
        | 0x80_0000
        | 0x200_0000
        | 0x2000_0000
        | 0x8000_0000;
    [
        b"NTLMSSP\0".as_slice(),
        &2_u32.to_le_bytes(),
        &field(domain.len(), 56),
        &flags.to_le_bytes(),
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[0; 8],
        &field(info.len(), 56 + domain.len()),
        &[10, 0, 0x7c, 0x4f, 0, 0, 0, 15],
        &domain,
        &info,
    ]
    .concat()
}

/// Starts a proxy. Must be called inside a runtime.
///
/// # Errors
/// The system gives no port.
pub fn serve(name: &str, journal: &Journal, config: Config) -> io::Result<Running> {
    let (label, record, config) = (name.to_owned(), journal.clone(), Arc::new(config));
    listen::listen(name, journal, move |stream: TcpStream| {
        let (label, record, config) = (label.clone(), record.clone(), config.clone());
        async move { talk(stream, &label, &record, &config).await }
    })
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

async fn talk(mut stream: TcpStream, name: &str, journal: &Journal, config: &Config) {
    let mut buffer = Vec::new();
    let mut authorized = false;
    loop {
        let request = match http::read_request(&mut stream, &mut buffer).await {
            Incoming::Request(request) => request,
            Incoming::Other => {
                let _ = http::write(
                    &mut stream,
                    &config.page(400, "This is no request."),
                    false,
                    true,
                    config.variation,
                )
                .await;
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
        let sent_credentials = request.header("Proxy-Authorization").is_some();
        let answer = match mode {
            Mode::Authenticate if authorized || config.lets_in(&request) => {
                authorized = true;
                None
            }
            Mode::AuthenticateBroken if sent_credentials => break,
            Mode::Authenticate | Mode::AuthenticateAlways => {
                Some(config.second_leg(&request).unwrap_or_else(|| config.challenge()))
            }
            Mode::AuthenticateBroken | Mode::AuthenticateTokenless => Some(config.challenge()),
            Mode::Open | Mode::Inspect | Mode::CloseTunnel => None,
            Mode::Only443 if port == 443 || !connect => None,
            Mode::Only443 | Mode::Forbidden => {
                Some(config.page(403, "Access to this destination is denied."))
            }
            Mode::Status => {
                let mut page = config.page(config.status, &config.body);
                if let Some(error) = &config.squid_error {
                    page = page.with("X-Squid-Error", error);
                }
                Some(page)
            }
            Mode::Garbage => {
                let noise: Vec<u8> = (0..600).map(|_| fastrand::u8(128..)).collect();
                let _ = stream.write_all(&noise).await;
                break;
            }
            Mode::Portal => Some(match &config.redirect {
                Some(to) => config.page(302, "Please sign in.").with("Location", to),
                None => config.page(200, "Welcome. Please accept the terms of use to go on."),
            }),
            Mode::Silence => Some(config.page(200, "").fated(Fate::Silence)),
            Mode::HugeHeaders => Some(config.page(200, "").fated(Fate::HugeHeaders)),
            Mode::Drip => Some(config.page(200, "").fated(Fate::Drip)),
        };
        if let Some(mut answer) = answer {
            config.variation.order(&mut answer.headers);
            let close = answer.status != 407;
            if !http::write(&mut stream, &answer, false, close, config.variation).await || close {
                break;
            }
            continue;
        }
        if connect && mode == Mode::CloseTunnel {
            let _ = stream.write_all(ESTABLISHED).await;
            break;
        }
        pass(&mut stream, &request, &host, port, connect, &mode, config, name, journal).await;
        break;
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

#[allow(clippy::too_many_arguments)] // one connection's whole state, used in one place
async fn pass(
    stream: &mut TcpStream,
    request: &Request,
    host: &str,
    port: u16,
    connect: bool,
    mode: &Mode,
    config: &Config,
    name: &str,
    journal: &Journal,
) {
    let Some(address) = (config.table)(host, port) else {
        let page = config
            .page(503, "The proxy was unable to determine an address for the host name.")
            .with("X-Squid-Error", "ERR_DNS_FAIL 0");
        let _ = http::write(stream, &page, false, true, config.variation).await;
        return;
    };
    let reached = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await;
    let Ok(Ok(mut server)) = reached else {
        let status = if reached.is_err() { 504 } else { 503 };
        let page =
            config.page(status, "The proxy could not connect.").with("X-Squid-Error", "ERR_CONNECT_FAIL 111");
        let _ = http::write(stream, &page, false, true, config.variation).await;
        return;
    };
    if connect {
        if stream.write_all(ESTABLISHED).await.is_err() {
            return;
        }
        if *mode == Mode::Inspect
            && let Some(inspector) = &config.inspector
        {
            let _ = inspect(stream, server, host, inspector, config, name, journal).await;
        } else if copy_with_resets(stream, &mut server).await.is_err() {
            listen::reset(stream);
        }
        return;
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
        let _ = tokio::io::copy(&mut server, stream).await;
    }
}

/// Copies both ways; an error where the server's side was reset, so that it can be passed on.
async fn copy_with_resets(client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
    tokio::io::copy_bidirectional(client, server).await.map(|_| ())
}

async fn inspect(
    client: &mut TcpStream,
    server: TcpStream,
    host: &str,
    inspector: &Authority,
    config: &Config,
    name: &str,
    journal: &Journal,
) -> io::Result<()> {
    let Opening::Hello(hello, raw) = hello::read(client).await? else { return Ok(()) };
    journal.add(Event::Hello { listener: name.to_owned(), hello: hello.clone() });
    let subject = hello.server_name.clone().unwrap_or_else(|| host.to_owned());
    let now = config.clock.now();
    let spec = LeafSpec {
        common_name: subject.clone(),
        dns_names: vec![subject.clone()],
        validity: (now - 86_400, now + 90 * 86_400),
        usages: vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
        ..LeafSpec::default()
    };
    let key = Key::named("server-2").map_err(io::Error::other)?;
    let leaf = inspector.issue(&spec, &key).map_err(io::Error::other)?;
    let mut chain = vec![leaf.der.clone()];
    chain.extend(inspector.issuing.as_ref().map(|issuing| issuing.der.clone()));
    let provider = Arc::new(ring::default_provider());
    let serving = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key.private())
        .map_err(io::Error::other)?;
    let mut inside = TlsAcceptor::from(Arc::new(serving)).accept(Prefixed::new(raw, client)).await?;
    let asking = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_no_client_auth();
    let server_name = ServerName::try_from(subject).map_err(io::Error::other)?;
    let mut outside = TlsConnector::from(Arc::new(asking)).connect(server_name, server).await?;
    tokio::io::copy_bidirectional(&mut inside, &mut outside).await.map(|_| ())
}

/// An inspecting proxy that checks nothing.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
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
