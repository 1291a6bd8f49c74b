//! A TLS server that reads the hello itself, decides by a policy, and then serves the session for real, writes a
//! clear flight from memory, or refuses.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authority::Key;
use crate::hello::{self, Hello, Opening};
use crate::journal::{Event, Journal};
use crate::listen::{self, Prefixed};

/// How a session is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A fatal alert: with this number, or with the one that fits the reason.
    Alert(Option<u8>),
    /// RST.
    Reset,
    /// FIN.
    Close,
    /// The connection stays, nothing is said.
    Silence,
}

/// When a session is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefuseWhen {
    /// Where nothing is in common.
    Unfit,
    /// Always, once the hello was read.
    Always,
    /// Before a byte was read.
    BeforeHello,
}

/// Whether a client's certificate is asked for. Any is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Not asked for.
    Ignored,
    /// Asked for.
    Optional,
    /// Asked for; without one the handshake fails.
    Required,
}

/// What is done instead of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hostile {
    /// A Certificate message of 16 MB.
    HugeCertificate,
    /// A flight, one byte a second.
    Drip,
    /// Bytes without meaning.
    Garbage,
}

/// What answers plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToPlain {
    /// RST.
    Reset,
    /// A clear 400.
    BadRequest,
}

/// What a server agrees to. Codes are as on the wire.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Versions: 0x0301 is TLS 1.0.
    pub versions: Vec<u16>,
    /// Suites in the server's order; `None`: those of the TLS library.
    pub suites: Option<Vec<u16>>,
    /// Groups in the server's order.
    pub groups: Vec<u16>,
    /// Signature schemes of which one must be offered; `None`: any.
    pub signatures: Option<Vec<u16>>,
    /// Known server names; `None`: any, also none.
    pub names: Option<Vec<String>>,
    /// How it refuses.
    pub refusal: Refusal,
    /// When.
    pub when: RefuseWhen,
    /// Client certificates.
    pub client_certificate: ClientCertificate,
    /// Size of DHE parameters in bits.
    pub dh_bits: u16,
    /// Write the flight from memory although the session could be served.
    pub scripted: bool,
    /// Misbehave instead.
    pub hostile: Option<Hostile>,
    /// What answers plain HTTP.
    pub to_plain: ToPlain,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            versions: vec![0x0303, 0x0304],
            suites: None,
            groups: vec![0x001d, 0x0017, 0x0018],
            signatures: None,
            names: None,
            refusal: Refusal::Alert(None),
            when: RefuseWhen::Unfit,
            client_certificate: ClientCertificate::Ignored,
            dh_bits: 2048,
            scripted: false,
            hostile: None,
            to_plain: ToPlain::Reset,
        }
    }
}

/// The suites that the TLS library can serve, its order.
const SERVED: &[u16] = &[0x1302, 0x1301, 0x1303, 0xc030, 0xc02f, 0xcca8, 0xc02c, 0xc02b, 0xcca9];

/// Why a hello is refused, as the number of the alert that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unfit(u8);

/// What was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Agreed {
    version: u16,
    suite: u16,
    group: u16,
}

impl Policy {
    fn agree(&self, hello: &Hello, rsa: bool) -> Result<Agreed, Unfit> {
        if let Some(names) = &self.names {
            let known =
                hello.server_name.as_ref().is_some_and(|n| names.iter().any(|k| k.eq_ignore_ascii_case(n)));
            if !known {
                return Err(Unfit(112));
            }
        }
        let version = self.versions.iter().copied().filter(|v| hello.offers(*v)).max().ok_or(Unfit(70))?;
        let offered = hello.groups.clone().unwrap_or_else(|| vec![0x0017]);
        let group = self.groups.iter().copied().find(|g| offered.contains(g));
        let suites = self.suites.as_deref().unwrap_or(SERVED);
        let suite = suites
            .iter()
            .copied()
            .filter(|s| hello.suites.contains(s))
            .filter(|s| (version == 0x0304) == (s >> 8 == 0x13))
            .filter(|s| version >= 0x0303 || !needs_tls12(*s))
            .filter(|s| Exchange::of(*s).fits(rsa))
            .find(|s| !Exchange::of(*s).needs_group() || group.is_some())
            .ok_or(Unfit(40))?;
        if let (Some(known), Some(offered)) = (&self.signatures, &hello.signatures)
            && Exchange::of(suite) != Exchange::Rsa
            && !known.iter().any(|s| offered.contains(s))
        {
            return Err(Unfit(40));
        }
        Ok(Agreed { version, suite, group: group.unwrap_or(0x0017) })
    }
}

/// How a suite exchanges keys and signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchange {
    Tls13,
    EcdheRsa,
    EcdheEcdsa,
    DheRsa,
    Rsa,
}

impl Exchange {
    fn of(suite: u16) -> Exchange {
        match suite {
            0x1300..=0x13ff => Exchange::Tls13,
            0xc011..=0xc014 | 0xc027 | 0xc028 | 0xc02f | 0xc030 | 0xcca8 => Exchange::EcdheRsa,
            0xc006..=0xc00a | 0xc023 | 0xc024 | 0xc02b | 0xc02c | 0xcca9 => Exchange::EcdheEcdsa,
            0x0016 | 0x0033 | 0x0039 | 0x0067 | 0x006b | 0x009e | 0x009f | 0xccaa => Exchange::DheRsa,
            _ => Exchange::Rsa,
        }
    }
    fn fits(self, rsa: bool) -> bool {
        match self {
            Exchange::Tls13 => true,
            Exchange::EcdheEcdsa => !rsa,
            _ => rsa,
        }
    }
    fn needs_group(self) -> bool {
        matches!(self, Exchange::Tls13 | Exchange::EcdheRsa | Exchange::EcdheEcdsa)
    }
}

fn needs_tls12(suite: u16) -> bool {
    matches!(suite, 0x003b..=0x0040 | 0x0067 | 0x006a | 0x006b | 0x009c..=0x00a7 | 0xc023..=0xc032 | 0xcca8..=0xccaa)
}

/// A TLS server: its certificates, sent exactly in this order, its key and its policy.
#[derive(Debug, Clone)]
pub struct TlsPeer {
    policy: Policy,
    chain: Vec<CertificateDer<'static>>,
    rsa: bool,
    key: Option<Arc<dyn SigningKey>>,
}

impl TlsPeer {
    /// Sets a server up.
    pub fn new(policy: Policy, chain: Vec<CertificateDer<'static>>, key: &Key) -> TlsPeer {
        let signer = ring::sign::any_supported_type(&key.private()).ok();
        TlsPeer { policy, chain, rsa: key.is_rsa(), key: signer }
    }

    /// Carries the handshake through on a connection that was just accepted. Gives the session where one comes of
    /// it; `None` where the peer was refused or answered otherwise, and the connection is then done with.
    pub async fn accept(
        &self,
        mut stream: TcpStream,
        name: &str,
        journal: &Journal,
    ) -> Option<TlsStream<Prefixed<TcpStream>>> {
        if self.policy.when == RefuseWhen::BeforeHello {
            self.refuse(stream, 40, 0x0303).await;
            return None;
        }
        let (hello, raw) = match hello::read(&mut stream).await.ok()? {
            Opening::Hello(hello, raw) => (hello, raw),
            Opening::Other(_) => {
                self.answer_plain(stream).await;
                return None;
            }
            Opening::Malformed(_) => {
                self.refuse(stream, 50, 0x0303).await;
                return None;
            }
            Opening::Nothing => return None,
        };
        journal.add(Event::Hello { listener: name.to_owned(), hello: hello.clone() });
        if let Some(hostile) = self.policy.hostile {
            self.misbehave(stream, hostile).await;
            return None;
        }
        if self.policy.when == RefuseWhen::Always {
            self.refuse(stream, 40, hello.legacy_version).await;
            return None;
        }
        let agreed = match self.policy.agree(&hello, self.rsa) {
            Ok(agreed) => agreed,
            Err(Unfit(alert)) => {
                self.refuse(stream, alert, hello.legacy_version).await;
                return None;
            }
        };
        let served = SERVED.contains(&agreed.suite)
            && agreed.version >= 0x0303
            && matches!(agreed.group, 0x0017 | 0x0018 | 0x001d)
            && !self.policy.scripted;
        match self.key.as_ref().filter(|_| served) {
            Some(key) => {
                let config = self.config(agreed, key.clone()).ok()?;
                TlsAcceptor::from(Arc::new(config)).accept(Prefixed::new(raw, stream)).await.ok()
            }
            None => {
                self.play(stream, agreed, &hello.random).await;
                None
            }
        }
    }

    fn config(&self, agreed: Agreed, key: Arc<dyn SigningKey>) -> Result<ServerConfig, rustls::Error> {
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(|s| u16::from(s.suite()) == agreed.suite);
        provider.kx_groups.retain(|g| self.policy.groups.contains(&u16::from(g.name())));
        let version =
            if agreed.version == 0x0304 { &rustls::version::TLS13 } else { &rustls::version::TLS12 };
        let builder =
            ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[version])?;
        let builder = match self.policy.client_certificate {
            ClientCertificate::Ignored => builder.with_no_client_auth(),
            asked => {
                let mandatory = asked == ClientCertificate::Required;
                builder.with_client_cert_verifier(Arc::new(AnyClient {
                    provider: ring::default_provider(),
                    mandatory,
                }))
            }
        };
        let certified = CertifiedKey::new(self.chain.clone(), key);
        Ok(builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified))))
    }

    async fn refuse(&self, mut stream: TcpStream, fitting: u8, version: u16) {
        match self.policy.refusal {
            Refusal::Alert(number) => {
                let version = version.clamp(0x0301, 0x0303).to_be_bytes();
                let alert = [21, version[0], version[1], 0, 2, 2, number.unwrap_or(fitting)];
                let _ = stream.write_all(&alert).await;
                finish(stream).await;
            }
            Refusal::Reset => listen::reset(&stream),
            Refusal::Close => finish(stream).await,
            Refusal::Silence => listen::drain(&mut stream, Duration::from_secs(600)).await,
        }
    }

    async fn answer_plain(&self, mut stream: TcpStream) {
        match self.policy.to_plain {
            ToPlain::Reset => listen::reset(&stream),
            ToPlain::BadRequest => {
                let _ = stream.write_all(crate::http::CLEAR_BAD_REQUEST.as_bytes()).await;
                finish(stream).await;
            }
        }
    }

    async fn misbehave(&self, mut stream: TcpStream, how: Hostile) {
        match how {
            Hostile::HugeCertificate => {
                let mut flight = records(0x0303, &server_hello(0x0303, 0xc02f));
                // A Certificate message that announces 16 MB and sends them.
                let mut head = vec![11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc, 0xff, 0xff, 0xf9];
                head.resize(16_000, 0x30);
                flight.extend(records(0x0303, &head));
                let filler = records(0x0303, &[0x30; 16_000]);
                let _ = stream.write_all(&flight).await;
                for _ in 0..1049 {
                    if stream.write_all(&filler).await.is_err() {
                        return;
                    }
                }
                finish(stream).await;
            }
            Hostile::Drip => {
                for byte in self.flight(Agreed { version: 0x0303, suite: 0xc02f, group: 0x0017 }, &[0; 32]) {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            Hostile::Garbage => {
                let noise: Vec<u8> =
                    (0..512_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect();
                let _ = stream.write_all(&noise).await;
                finish(stream).await;
            }
        }
    }

    async fn play(&self, mut stream: TcpStream, agreed: Agreed, random: &[u8; 32]) {
        if stream.write_all(&self.flight(agreed, random)).await.is_err() {
            return;
        }
        let mut scrap = [0; 1024];
        let more = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut scrap)).await;
        if matches!(more, Ok(Ok(1..))) {
            let version = agreed.version.to_be_bytes();
            let _ = stream.write_all(&[21, version[0], version[1], 0, 2, 2, 40]).await;
        }
        finish(stream).await;
    }

    /// A true signature where the library can make one (TLS 1.2), else bytes of its size.
    fn sign(&self, version: u16, what: &[u8]) -> Vec<u8> {
        let scheme =
            if self.rsa { SignatureScheme::RSA_PKCS1_SHA256 } else { SignatureScheme::ECDSA_NISTP256_SHA256 };
        let signer =
            self.key.as_ref().filter(|_| version == 0x0303).and_then(|key| key.choose_scheme(&[scheme]));
        signer
            .and_then(|signer| signer.sign(what).ok())
            .unwrap_or_else(|| noise(if self.rsa { 256 } else { 70 }))
    }

    /// ServerHello to ServerHelloDone (or, for TLS 1.3, the ServerHello alone).
    fn flight(&self, agreed: Agreed, client_random: &[u8; 32]) -> Vec<u8> {
        let mut messages = server_hello(agreed.version, agreed.suite);
        let server_random = messages[6..38].to_vec();
        let list: Vec<u8> =
            self.chain.iter().flat_map(|c| [&(c.len() as u32).to_be_bytes()[1..], c].concat()).collect();
        messages.extend(message(11, &[&(list.len() as u32).to_be_bytes()[1..], &list].concat()));
        let exchange = Exchange::of(agreed.suite);
        let parameters = match exchange {
            Exchange::EcdheRsa | Exchange::EcdheEcdsa => {
                let point = share(agreed.group);
                let group = agreed.group.to_be_bytes();
                Some([&[3, group[0], group[1], point.len() as u8][..], &point].concat())
            }
            Exchange::DheRsa => {
                let size = usize::from(self.policy.dh_bits / 8);
                let mut prime = noise(size);
                prime[0] |= 0x80;
                prime[size - 1] |= 1;
                let length = (size as u16).to_be_bytes();
                let mut share = noise(size);
                share[0] &= 0x3f;
                Some([&length[..], &prime, &[0, 1, 2], &length, &share].concat())
            }
            Exchange::Rsa | Exchange::Tls13 => None,
        };
        if let Some(parameters) = parameters {
            let mut body = parameters.clone();
            if agreed.version >= 0x0303 {
                body.extend(if self.rsa { [4, 1] } else { [4, 3] });
            }
            let signed = [client_random, server_random.as_slice(), &parameters].concat();
            let signature = self.sign(agreed.version, &signed);
            body.extend((signature.len() as u16).to_be_bytes());
            body.extend(signature);
            messages.extend(message(12, &body));
        }
        if self.policy.client_certificate != ClientCertificate::Ignored {
            let schemes: &[u8] = if agreed.version >= 0x0303 { &[0, 4, 4, 1, 4, 3] } else { &[] };
            messages.extend(message(13, &[&[2, 1, 64], schemes, &[0, 0]].concat()));
        }
        messages.extend(message(14, &[]));
        records(agreed.version, &messages)
    }
}

async fn finish(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    listen::drain(&mut stream, Duration::from_secs(2)).await;
}

fn server_hello(version: u16, suite: u16) -> Vec<u8> {
    let (version, suite) = (version.min(0x0303).to_be_bytes(), suite.to_be_bytes());
    let body =
        [&version[..], &noise(32), &[32], &noise(32), &suite, &[0], &[0, 5, 0xff, 1, 0, 1, 0]].concat();
    message(2, &body)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u32).to_be_bytes();
    [&[kind, size[1], size[2], size[3]], body].concat()
}

fn records(version: u16, messages: &[u8]) -> Vec<u8> {
    let version = version.min(0x0303).to_be_bytes();
    messages
        .chunks(16_384)
        .flat_map(|part| {
            let size = (part.len() as u16).to_be_bytes();
            [&[22, version[0], version[1], size[0], size[1]], part].concat()
        })
        .collect()
}

/// A public key in that group: a true one where the library has the group.
fn share(group: u16) -> Vec<u8> {
    let known = ring::ALL_KX_GROUPS.iter().find(|g| u16::from(g.name()) == group);
    match known.and_then(|g| g.start().ok()) {
        Some(exchange) => exchange.pub_key().to_vec(),
        None if group == 0x001e => noise(56),
        None => [vec![4], noise(132)].concat(),
    }
}

fn noise(size: usize) -> Vec<u8> {
    (0..size).map(|_| fastrand::u8(..)).collect()
}

/// Lets every client in: who it is is not the lab's question.
#[derive(Debug)]
struct AnyClient {
    provider: CryptoProvider,
    mandatory: bool,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
