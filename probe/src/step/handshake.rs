//! Makes one real handshake. The only room that knows the TLS library.
//!
//! Its verifier writes down what the library says of the chain and lets the chain step's answer decide: a peer whose
//! chain is not accepted gets no request from us.
//!
//! On Windows the session is SCHANNEL's, and a build for Linux with the feature `legacy-sessions` has the system's OpenSSL
//! complete what the library does not speak.

#[cfg(all(feature = "legacy-sessions", target_os = "linux"))]
mod legacy;
#[cfg(windows)]
mod windows;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::codec::tls::{TLS12, alert_name};
use crate::evidence::{Broken, HandshakeAnswer, Outcome, escape};
use crate::net::{Stream, broken};
use crate::trust::TrustStore;

/// How this library calls itself in evidence.
const LIBRARY: &str = "rustls";

/// What a handshake may go by.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// The name in use.
    pub name: &'a str,
    /// The leaf that the chain step accepted, or none: then no chain is accepted.
    pub accepted_leaf: Option<&'a [u8]>,
    /// The version and the suite that the peer chose before: the suite alone is offered where this library speaks it, so
    /// that the peer shows the same certificate, and the version alone by SCHANNEL. None: whatever this library speaks.
    pub met: Option<(u16, u16)>,
    /// The store of the run.
    pub store: &'a TrustStore,
    /// The clock of the run.
    pub clock: jiff::Timestamp,
}

#[derive(Debug)]
struct Recorder {
    webpki: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    accepted_leaf: Option<Vec<u8>>,
    clock: UnixTime,
    said: Mutex<String>,
    /// What the peer shows, leaf first, DER.
    shown: Mutex<Vec<Vec<u8>>>,
    asked_certificate: Mutex<bool>,
}

impl Recorder {
    fn new(terms: &Terms<'_>, provider: &Arc<CryptoProvider>) -> Recorder {
        let mut roots = RootCertStore::empty();
        let anchors = terms.store.anchors_of(terms.name).unwrap_or_default();
        for certificate in terms.store.trusted().iter().chain(&anchors) {
            let _ = roots.add(CertificateDer::from(certificate.der.as_slice()));
        }
        let webpki = (!roots.is_empty())
            .then(|| WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()))
            .and_then(|builder| builder.build().ok());
        Recorder {
            webpki,
            provider: provider.clone(),
            accepted_leaf: terms.accepted_leaf.map(<[u8]>::to_vec),
            clock: UnixTime::since_unix_epoch(Duration::from_secs(terms.clock.as_second().max(0) as u64)),
            said: Mutex::default(),
            shown: Mutex::default(),
            asked_certificate: Mutex::default(),
        }
    }

    /// Writes a chain and webpki's opinion of it down, and says whether its leaf is the accepted one.
    fn accepts(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
    ) -> bool {
        let verdict = match &self.webpki {
            Some(webpki) => {
                webpki.verify_server_cert(leaf, intermediates, name, ocsp, self.clock).map(|_| ())
            }
            None => Err(rustls::CertificateError::UnknownIssuer.into()),
        };
        if let Ok(mut said) = self.said.lock() {
            *said = verdict.err().map(|error| escape(&error.to_string(), 200)).unwrap_or_default();
        }
        if let Ok(mut shown) = self.shown.lock() {
            *shown = [leaf].into_iter().chain(intermediates).map(|one| one.to_vec()).collect();
        }
        self.accepted_leaf.as_deref() == Some(leaf.as_ref())
    }

    fn asked(&self) {
        if let Ok(mut asked) = self.asked_certificate.lock() {
            *asked = true;
        }
    }

    fn outcome(&self, answer: HandshakeAnswer, library: &str) -> Outcome {
        Outcome::Handshake {
            answer,
            verifier: self.said.lock().map(|said| said.clone()).unwrap_or_default(),
            client_certificate_asked: self.asked_certificate.lock().is_ok_and(|asked| *asked),
            library: library.into(),
        }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.accepts(leaf, intermediates, name, ocsp) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.asked();
        None
    }

    fn has_certs(&self) -> bool {
        // Else the library would not say that it was asked.
        true
    }
}

/// Makes a handshake at TLS 1.2, the version that synchronization speaks; at what the peer chose before where the
/// system's library, SCHANNEL or OpenSSL, makes the session.
pub async fn make(stream: Stream, terms: Terms<'_>, wait: Duration) -> (Outcome, Option<Stream>) {
    let mut provider = rustls::crypto::ring::default_provider();
    let chosen = |suite: &rustls::SupportedCipherSuite| {
        terms.met.is_some_and(|(_, chosen)| u16::from(suite.suite()) == chosen)
    };
    let spoken = provider.cipher_suites.iter().any(chosen);
    if spoken {
        provider.cipher_suites.retain(chosen);
    }
    let provider = Arc::new(provider);
    let recorder = Arc::new(Recorder::new(&terms, &provider));
    let Ok(name) = ServerName::try_from(terms.name.to_string()) else {
        return (recorder.outcome(unnameable(), LIBRARY), None);
    };
    #[cfg(all(feature = "legacy-sessions", target_os = "linux"))]
    if let Some((version, suite)) = terms.met
        && !(spoken && version == TLS12)
    {
        return legacy::make(stream, version, suite, name, recorder, wait).await;
    }
    #[cfg(windows)]
    if let Some((version, _)) = terms.met {
        return windows::make(stream, version, name, recorder, wait).await;
    }
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .map(|builder| {
            builder
                .dangerous()
                .with_custom_certificate_verifier(recorder.clone())
                .with_client_cert_resolver(recorder.clone())
        });
    let Ok(config) = config else { return (recorder.outcome(unnameable(), LIBRARY), None) };
    let (answer, session) =
        match timeout(wait, TlsConnector::from(Arc::new(config)).connect(name, stream)).await {
            Err(_) => (HandshakeAnswer::Broken { how: Broken::Timeout }, None),
            Ok(Err(error)) => (failed(&error), None),
            Ok(Ok(session)) => {
                let (_, state) = session.get_ref();
                let version = state.protocol_version().map_or(TLS12, u16::from);
                let suite = state.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite()));
                (HandshakeAnswer::Done { version, suite }, Some(Box::new(session) as Stream))
            }
        };
    (recorder.outcome(answer, LIBRARY), session)
}

/// The certificates that a peer shows at TLS 1.3, which no crafted hello can read: there they are encrypted. `terms` accept
/// no leaf, so the session ends with them. Leaf first, DER; empty where none came.
pub async fn shown_at_tls13(stream: Stream, terms: Terms<'_>, wait: Duration) -> Vec<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let recorder = Arc::new(Recorder::new(&terms, &provider));
    let Ok(name) = ServerName::try_from(terms.name.to_string()) else { return Vec::new() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map(|builder| builder.dangerous().with_custom_certificate_verifier(recorder.clone()));
    if let Ok(config) = config {
        let config = Arc::new(config.with_no_client_auth());
        let _ = timeout(wait, TlsConnector::from(config).connect(name, stream)).await;
    }
    recorder.shown.lock().map(|shown| shown.clone()).unwrap_or_default()
}

/// Whether the system's library did not come to a session, for no reason that has to do with certificates: this one may
/// still come to one.
pub fn gave_up(outcome: &Outcome) -> bool {
    use HandshakeAnswer::{Alert, Broken as End, Failed, OwnLimit};
    match outcome {
        Outcome::Handshake { answer, client_certificate_asked: false, library, .. } => {
            library != LIBRARY
                && matches!(
                    answer,
                    OwnLimit { .. }
                        | Failed { .. }
                        | Alert { .. }
                        | End { how: Broken::Closed | Broken::Reset }
                )
        }
        _ => false,
    }
}

fn unnameable() -> HandshakeAnswer {
    HandshakeAnswer::OwnLimit { why: "the name in use cannot stand in a TLS hello".into() }
}

fn failed(error: &std::io::Error) -> HandshakeAnswer {
    use rustls::{CertificateError, Error};
    let Some(inner) = error.get_ref().and_then(|e| e.downcast_ref::<Error>()) else {
        return HandshakeAnswer::Broken { how: broken(error) };
    };
    match inner {
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
            HandshakeAnswer::Untrusted
        }
        Error::AlertReceived(alert) => {
            let code = u8::from(*alert);
            HandshakeAnswer::Alert { code, name: alert_name(code).into() }
        }
        Error::PeerIncompatible(why) => HandshakeAnswer::OwnLimit { why: escape(&format!("{why:?}"), 120) },
        other => HandshakeAnswer::Failed { why: escape(&other.to_string(), 160) },
    }
}
