//! A TLS server that reads the hello itself, decides by a policy, and then serves the session for real, writes a
//! clear flight from memory, or refuses.

mod flight;
mod suites;

use std::collections::BTreeMap;
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
pub use flight::Wrong;
use flight::{certificates, has_share, message, noise, records};
use suites::{Agreed, Exchange, SERVED, Unfit};

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

/// Whose order decides among what both have: suites, groups, signature schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The server's.
    Server,
    /// The client's.
    Client,
    /// The server's, but for clients that prefer ChaCha20 its suites come first.
    ServerButChaCha,
}

/// What is done instead of TLS, or in the midst of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hostile {
    /// A Certificate message of 16 MB.
    HugeCertificate,
    /// A flight, one byte a second.
    Drip,
    /// Bytes without meaning.
    Garbage,
    /// A suite that the client did not offer, to every hello.
    UnofferedSuite,
    /// A version that the client did not offer, to every hello.
    UnofferedVersion,
    /// After its ServerHello an alert, `handshake_failure`. Where nothing is in common it refuses, as in all below.
    AlertAfterHello,
    /// After its ServerHello nothing, and the connection stays.
    SilenceAfterHello,
    /// 20,000 records without content before its flight.
    EmptyRecords,
    /// A list of 1,000 certificates, its own again and again.
    ManyCertificates,
    /// After its ServerHello a Certificate message whose three lengths are 2^24 - 1, of which nothing comes.
    HugeLength,
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
    /// Suites in the server's order; `None`: those of the TLS library. Each is agreed to in the versions that it is for.
    pub suites: Option<Vec<u16>>,
    /// Suites of one version, over `suites`, whatever they are for.
    pub suites_of: BTreeMap<u16, Vec<u16>>,
    /// Whose order decides.
    pub order: Order,
    /// Groups in the server's order.
    pub groups: Vec<u16>,
    /// Signature schemes in the server's order, of which one that fits the key must be offered, by hellos that name any;
    /// `None`: any.
    pub signatures: Option<Vec<u16>>,
    /// Suites are agreed to whatever key they need, as if there were a certificate for each; there is one chain.
    pub both_keys: bool,
    /// Application protocols in the server's order. Empty: ALPN is not known.
    pub alpn: Vec<String>,
    /// Known server names; `None`: any, also none.
    pub names: Option<Vec<String>>,
    /// How it refuses.
    pub refusal: Refusal,
    /// How it refuses where no version is in common; `None`: as else.
    pub version_refusal: Option<Refusal>,
    /// The longest hello that it bears, in bytes of its records; `None`: any.
    pub longest_hello: Option<usize>,
    /// What it does with a longer one; `None`: as it refuses else.
    pub long_refusal: Option<Refusal>,
    /// When.
    pub when: RefuseWhen,
    /// Client certificates.
    pub client_certificate: ClientCertificate,
    /// Size of DHE parameters in bits.
    pub dh_bits: u16,
    /// Write the flight from memory although the session could be served.
    pub scripted: bool,
    /// Put bytes without meaning where flights from memory have a signature or a public key, which costs nothing and
    /// tells nobody who does not check.
    pub unsigned: bool,
    /// Misbehave instead.
    pub hostile: Option<Hostile>,
    /// Write the flight from memory, with that field of its ServerHello wrong.
    pub wrong: Option<Wrong>,
    /// What answers plain HTTP.
    pub to_plain: ToPlain,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            versions: vec![0x0303, 0x0304],
            suites: None,
            suites_of: BTreeMap::new(),
            order: Order::Server,
            groups: vec![0x001d, 0x0017, 0x0018],
            signatures: None,
            both_keys: false,
            alpn: Vec::new(),
            names: None,
            refusal: Refusal::Alert(None),
            version_refusal: None,
            longest_hello: None,
            long_refusal: None,
            when: RefuseWhen::Unfit,
            client_certificate: ClientCertificate::Ignored,
            dh_bits: 2048,
            scripted: false,
            unsigned: false,
            hostile: None,
            wrong: None,
            to_plain: ToPlain::Reset,
        }
    }
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
            self.refuse(stream, self.policy.refusal, 40, 0x0303).await;
            return None;
        }
        let opening = hello::read(&mut stream).await.ok()?;
        self.answer(opening, stream, name, journal).await
    }

    /// The same where what the peer said first was read already.
    pub async fn answer(
        &self,
        opening: Opening,
        stream: TcpStream,
        name: &str,
        journal: &Journal,
    ) -> Option<TlsStream<Prefixed<TcpStream>>> {
        let refusal = self.policy.refusal;
        let (hello, raw) = match opening {
            Opening::Hello(hello, raw) => (hello, raw),
            Opening::Other(_) => {
                self.answer_plain(stream).await;
                return None;
            }
            Opening::Malformed(_) => {
                self.refuse(stream, refusal, 50, 0x0303).await;
                return None;
            }
            Opening::Nothing => return None,
        };
        journal.add(Event::Hello { listener: name.to_owned(), hello: hello.clone() });
        if self.policy.longest_hello.is_some_and(|most| raw.len() > most) {
            let refusal = self.policy.long_refusal.unwrap_or(refusal);
            self.refuse(stream, refusal, 50, hello.legacy_version).await;
            return None;
        }
        if let Some(hostile) = self.policy.hostile.filter(|hostile| hostile.heedless()) {
            self.misbehave(stream, hostile, self.heedless(hostile, &hello), &hello).await;
            return None;
        }
        if self.policy.when == RefuseWhen::Always {
            self.refuse(stream, refusal, 40, hello.legacy_version).await;
            return None;
        }
        let agreed = match self.policy.agree(&hello, self.rsa) {
            Ok(agreed) => agreed,
            Err(Unfit { alert, version }) => {
                let refusal = self.policy.version_refusal.filter(|_| version).unwrap_or(refusal);
                self.refuse(stream, refusal, alert, hello.legacy_version).await;
                return None;
            }
        };
        if let Some(hostile) = self.policy.hostile {
            self.misbehave(stream, hostile, agreed, &hello).await;
            return None;
        }
        let served = SERVED.contains(&agreed.suite)
            && agreed.version >= 0x0303
            && matches!(agreed.group, 0x0017 | 0x0018 | 0x001d)
            && Exchange::of(agreed.suite).fits(self.rsa)
            && !self.policy.scripted
            && self.policy.wrong.is_none();
        match self.key.as_ref().filter(|_| served) {
            Some(key) => {
                let config = self.config(agreed, key.clone()).ok()?;
                TlsAcceptor::from(Arc::new(config)).accept(Prefixed::new(raw, stream)).await.ok()
            }
            None => {
                self.play(stream, agreed, &hello).await;
                None
            }
        }
    }

    fn config(&self, agreed: Agreed, key: Arc<dyn SigningKey>) -> Result<ServerConfig, rustls::Error> {
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(|s| u16::from(s.suite()) == agreed.suite);
        provider.kx_groups.retain(|g| u16::from(g.name()) == agreed.group);
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
        let mut config =
            builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        config.alpn_protocols = self.policy.alpn.iter().map(|p| p.clone().into_bytes()).collect();
        Ok(config)
    }

    async fn refuse(&self, mut stream: TcpStream, how: Refusal, fitting: u8, version: u16) {
        match how {
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

    /// What is answered by a peer that does not heed the hello.
    fn heedless(&self, how: Hostile, hello: &Hello) -> Agreed {
        let policy = Policy { names: None, ..self.policy.clone() };
        let agreed = policy.agree(hello, self.rsa).unwrap_or(Agreed::USUAL);
        match how {
            Hostile::UnofferedSuite => {
                let own = self.policy.suites_of.get(&agreed.version).or(self.policy.suites.as_ref());
                let suites = own.map_or(SERVED, Vec::as_slice);
                let others = suites.iter().copied().chain(0x0001..=0xffff);
                let of_version = |suite: &u16| (agreed.version == 0x0304) == (suite >> 8 == 0x13);
                let suite = others.filter(of_version).find(|suite| !hello.suites.contains(suite));
                Agreed { suite: suite.unwrap_or(0xffff), ..agreed }
            }
            Hostile::UnofferedVersion => {
                let version = (0x0301..=0x0305).rev().find(|v| *v != 0x0304 && !hello.offers(*v));
                Agreed { version: version.unwrap_or(0x0300), ..agreed }
            }
            _ => Agreed::USUAL,
        }
    }

    async fn misbehave(&self, mut stream: TcpStream, how: Hostile, agreed: Agreed, hello: &Hello) {
        match how {
            Hostile::HugeCertificate => {
                let mut flight = self.server_hello(agreed, hello);
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
                for byte in self.flight(agreed, hello) {
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
            Hostile::UnofferedSuite | Hostile::UnofferedVersion => self.play(stream, agreed, hello).await,
            Hostile::AlertAfterHello => {
                let version = agreed.version.min(0x0303).to_be_bytes();
                let mut flight = self.server_hello(agreed, hello);
                flight.extend([21, version[0], version[1], 0, 2, 2, 40]);
                let _ = stream.write_all(&flight).await;
                finish(stream).await;
            }
            Hostile::SilenceAfterHello => {
                let _ = stream.write_all(&self.server_hello(agreed, hello)).await;
                listen::drain(&mut stream, Duration::from_secs(600)).await;
            }
            Hostile::EmptyRecords => {
                let version = agreed.version.min(0x0303).to_be_bytes();
                let empty = [22, version[0], version[1], 0, 0].repeat(20_000);
                if stream.write_all(&empty).await.is_ok() {
                    self.play(stream, agreed, hello).await;
                }
            }
            Hostile::ManyCertificates => {
                let mut flight = self.server_hello(agreed, hello);
                let list = self.chain.iter().cycle().take(1000).map(AsRef::as_ref);
                flight.extend(records(agreed.version, &certificates(list)));
                flight.extend(records(agreed.version, &message(14, &[])));
                let _ = stream.write_all(&flight).await;
                finish(stream).await;
            }
            Hostile::HugeLength => {
                let mut flight = self.server_hello(agreed, hello);
                let head = [&[11][..], &[0xff; 9], &noise(100)].concat();
                flight.extend(records(agreed.version, &head));
                let _ = stream.write_all(&flight).await;
                listen::drain(&mut stream, Duration::from_secs(600)).await;
            }
        }
    }

    /// Writes the flight; after a HelloRetryRequest another hello is read, and answered once.
    async fn play(&self, mut stream: TcpStream, agreed: Agreed, hello: &Hello) {
        if stream.write_all(&self.flight(agreed, hello)).await.is_err() {
            return;
        }
        if agreed.version == 0x0304 && !has_share(hello, agreed.group) {
            if let Ok(Opening::Hello(second, _)) = hello::read(&mut stream).await
                && has_share(&second, agreed.group)
            {
                let _ = stream.write_all(&self.flight(agreed, &second)).await;
            }
            finish(stream).await;
            return;
        }
        let mut scrap = [0; 1024];
        let more = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut scrap)).await;
        if matches!(more, Ok(Ok(1..))) {
            let version = agreed.version.min(0x0303).to_be_bytes();
            let _ = stream.write_all(&[21, version[0], version[1], 0, 2, 2, 40]).await;
        }
        finish(stream).await;
    }
}

impl Hostile {
    /// Whether the hello is not heeded at all.
    fn heedless(self) -> bool {
        matches!(
            self,
            Hostile::HugeCertificate
                | Hostile::Drip
                | Hostile::Garbage
                | Hostile::UnofferedSuite
                | Hostile::UnofferedVersion
        )
    }
}

async fn finish(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    listen::drain(&mut stream, Duration::from_secs(2)).await;
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
