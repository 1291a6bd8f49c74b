//! Completes with the system's OpenSSL what rustls does not speak: TLS 1.0 and 1.1, CBC suites, RSA and
//! finite-field key exchange.
//!
//! It judges nothing: the leaf has to be the one that the chain step accepted, and OpenSSL's own opinion is not
//! asked. What is weakened is weakened in the context of one session: one version, one suite, security level 0.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{self, Ssl, SslContextBuilder, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::{X509Ref, X509StoreContextRef, X509VerifyResult};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_openssl::SslStream;

use super::Recorder;
use crate::codec::tls::{
    FlightReader, Reading, SSL3, TLS10, TLS11, TLS12, Until, alert_name, suite_name, version_name,
};
use crate::evidence::{Broken, HandshakeAnswer, Outcome, escape};
use crate::net::{Stream, broken};

/// The versions that may be asked for, as on the wire.
const VERSIONS: [(u16, SslVersion); 4] = [
    (SSL3, SslVersion::SSL3),
    (TLS10, SslVersion::TLS1),
    (TLS11, SslVersion::TLS1_1),
    (TLS12, SslVersion::TLS1_2),
];
/// OpenSSL's number of its TLS library in errors (`ERR_LIB_SSL`).
const OF_TLS: i32 = 20;
/// The reasons of errors there that stand for an alert received: its description is what is above the first.
const ALERTS: std::ops::RangeInclusive<i32> = 1000..=1255;
/// The reasons that stand for what OpenSSL was built or configured without: `SSL_R_NO_CIPHERS_AVAILABLE` and
/// `SSL_R_NO_PROTOCOLS_AVAILABLE`.
const ABSENT: [i32; 2] = [181, 191];

/// Makes a handshake at one version with one suite.
pub(super) async fn make(
    stream: Stream,
    version: u16,
    suite: u16,
    name: ServerName<'static>,
    recorder: Arc<Recorder>,
    wait: Duration,
) -> (Outcome, Option<Stream>) {
    let refused = Arc::new(AtomicBool::new(false));
    let tap = Tap { inner: stream, flight: Some(FlightReader::new(Until::Done)), recorder: recorder.clone() };
    let prepared = offering(version, suite, name, &recorder, &refused)
        .and_then(|ssl| SslStream::new(ssl, tap).map_err(|error| words(&error)));
    let (answer, session) = match prepared {
        Err(why) => (HandshakeAnswer::OwnLimit { why }, None),
        Ok(mut session) => match timeout(wait, Pin::new(&mut session).connect()).await {
            Err(_) => (HandshakeAnswer::Broken { how: Broken::Timeout }, None),
            Ok(Err(_)) if refused.load(Ordering::Relaxed) => (HandshakeAnswer::Untrusted, None),
            Ok(Err(error)) => (failed(&error), None),
            // However OpenSSL came to an end: nothing is asked of a peer that did not show the accepted leaf.
            Ok(Ok(())) if !is_accepted(session.ssl().peer_certificate().as_deref(), &recorder) => {
                (HandshakeAnswer::Untrusted, None)
            }
            Ok(Ok(())) => (done(session.ssl()), Some(Box::new(session) as Stream)),
        },
    };
    (recorder.outcome(answer, &library()), session)
}

/// `OpenSSL 3.0.19`: the library that is loaded, without its date.
fn library() -> String {
    let words: Vec<_> = openssl::version::version().split(' ').take(2).collect();
    escape(&words.join(" "), 40)
}

/// A session that offers just that, or why there is none.
fn offering(
    version: u16,
    suite: u16,
    name: ServerName<'static>,
    recorder: &Arc<Recorder>,
    refused: &Arc<AtomicBool>,
) -> Result<Ssl, String> {
    let known = VERSIONS.iter().find(|(code, _)| *code == version).map(|(_, known)| *known);
    let known = known.ok_or_else(|| format!("{} is not asked of OpenSSL", version_name(version)))?;
    let cipher = crate::codec::tls::suite(suite).map(|suite| suite.openssl).filter(|name| !name.is_empty());
    let cipher = cipher.ok_or_else(|| format!("OpenSSL does not know {}", suite_name(suite)))?;
    let why = |error: ErrorStack| words(&error);

    let mut context = SslContextBuilder::new(SslMethod::tls_client()).map_err(why)?;
    context.set_security_level(0);
    context.set_min_proto_version(Some(known)).map_err(why)?;
    context.set_max_proto_version(Some(known)).map_err(why)?;
    context.set_cipher_list(cipher).map_err(why)?;
    let hostname = match &name {
        ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
        _ => None,
    };
    let (recorder, refused) = (recorder.clone(), refused.clone());
    // It is called for every complaint and at the end for every certificate, so that the leaf is always looked at.
    context.set_verify_callback(SslVerifyMode::PEER, move |_, chain| {
        let accepted = look(chain, &name, &recorder);
        if !accepted {
            refused.store(true, Ordering::Relaxed);
            chain.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
        }
        accepted
    });
    let mut ssl = Ssl::new(&context.build()).map_err(why)?;
    if let Some(hostname) = hostname {
        ssl.set_hostname(&hostname).map_err(why)?;
    }
    Ok(ssl)
}

/// Whether the chain begins with the accepted leaf; webpki's opinion of it is written down.
fn look(chain: &X509StoreContextRef, name: &ServerName<'_>, recorder: &Recorder) -> bool {
    let certificates: Vec<CertificateDer<'_>> = chain
        .chain()
        .into_iter()
        .flatten()
        .filter_map(|certificate| certificate.to_der().ok().map(CertificateDer::from))
        .collect();
    certificates
        .split_first()
        .is_some_and(|(leaf, intermediates)| recorder.accepts(leaf, intermediates, name, &[]))
}

fn is_accepted(leaf: Option<&X509Ref>, recorder: &Recorder) -> bool {
    let leaf = leaf.and_then(|leaf| leaf.to_der().ok());
    leaf.is_some() && leaf == recorder.accepted_leaf
}

fn done(session: &ssl::SslRef) -> HandshakeAnswer {
    let version = VERSIONS.iter().find(|(_, known)| session.version2() == Some(*known));
    HandshakeAnswer::Done {
        version: version.map_or(0, |(code, _)| *code),
        suite: session.current_cipher().map_or(0, |cipher| u16::from_be_bytes(cipher.protocol_id())),
    }
}

fn failed(error: &ssl::Error) -> HandshakeAnswer {
    if let Some(error) = error.io_error() {
        return HandshakeAnswer::Broken { how: broken(error) };
    }
    let Some(stack) = error.ssl_error() else { return HandshakeAnswer::Broken { how: Broken::Closed } };
    let reasons = || stack.errors().iter().filter(|e| e.library_code() == OF_TLS).map(|e| e.reason_code());
    let alert = reasons().find(|reason| ALERTS.contains(reason));
    if let Some(code) = alert.and_then(|reason| u8::try_from(reason - ALERTS.start()).ok()) {
        return HandshakeAnswer::Alert { code, name: alert_name(code).into() };
    }
    let why = words(stack);
    if reasons().any(|reason| ABSENT.contains(&reason)) {
        HandshakeAnswer::OwnLimit { why }
    } else {
        HandshakeAnswer::Failed { why }
    }
}

/// OpenSSL's words for its errors, the last one first.
fn words(stack: &ErrorStack) -> String {
    let reasons: Vec<_> = stack.errors().iter().rev().filter_map(|error| error.reason()).collect();
    escape(if reasons.is_empty() { "no reason given".into() } else { reasons.join("; ") }.as_str(), 160)
}

/// The connection below the session: it notices a CertificateRequest in the clear flight, and says of a stream that
/// ends that it ended, which OpenSSL tells in other words from version to version.
struct Tap {
    inner: Stream,
    /// The flight, until it was read.
    flight: Option<FlightReader>,
    recorder: Arc<Recorder>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        let fresh = &buffer.filled()[before..];
        // A session that was closed properly is not read any further.
        if matches!(polled, Poll::Ready(Ok(()))) && fresh.is_empty() && buffer.remaining() > 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        match self.flight.as_mut().map(|flight| flight.push(fresh)) {
            None | Some(Reading::More) => {}
            Some(Reading::Flight(flight)) => {
                self.flight = None;
                if flight.client_certificate_asked {
                    self.recorder.asked();
                }
            }
            Some(_) => self.flight = None,
        }
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;
    use openssl::ssl::SslContext;
    use openssl::x509::{X509, X509Name};

    use super::super::{Terms, make};
    use super::*;
    use crate::trust::TrustStore;

    const NAME: &str = "upstream.example.test";
    const CBC: u16 = 0xc028;
    const RC4: u16 = 0x0005;
    const WAIT: Duration = Duration::from_secs(5);

    fn key() -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
    }

    fn certificate(key: &PKey<Private>) -> X509 {
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_text("CN", NAME).unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        // Out of date: whether that matters is the chain step's to say.
        builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(1).unwrap()).unwrap();
        builder.set_pubkey(key).unwrap();
        builder.sign(key, MessageDigest::sha256()).unwrap();
        builder.build()
    }

    fn server(certificate: &X509, key: &PKey<Private>, version: SslVersion) -> SslContextBuilder {
        let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
        context.set_security_level(0);
        context.set_certificate(certificate).unwrap();
        context.set_private_key(key).unwrap();
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        context
    }

    /// What the client makes of a server, whether it has a session, and the name that the server was called by; an
    /// error where the server has none.
    async fn met(
        context: SslContext,
        accepted: Option<&[u8]>,
        met: (u16, u16),
    ) -> (Outcome, bool, Result<Option<String>, String>) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let server = tokio::spawn(async move {
            let mut session = SslStream::new(Ssl::new(&context).unwrap(), theirs).unwrap();
            let accepted = Pin::new(&mut session).accept().await;
            accepted.map_err(|error| error.to_string())?;
            Ok(session.ssl().servername(ssl::NameType::HOST_NAME).map(str::to_owned))
        });
        let store = TrustStore::default();
        let clock = jiff::Timestamp::UNIX_EPOCH;
        let terms = Terms { name: NAME, accepted_leaf: accepted, met: Some(met), store: &store, clock };
        let (outcome, session) = make(Box::new(ours), terms, WAIT).await;
        let has = session.is_some();
        drop(session);
        (outcome, has, server.await.unwrap())
    }

    fn answer(outcome: &Outcome) -> (&HandshakeAnswer, bool) {
        let Outcome::Handshake { answer, client_certificate_asked, library, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(library.starts_with("OpenSSL "), "{library}");
        (answer, *client_certificate_asked)
    }

    #[tokio::test]
    async fn the_leaf_alone_decides_and_the_name_is_sent() {
        let key = key();
        let leaf = certificate(&key);
        let der = leaf.to_der().unwrap();
        for (version, known, suite) in [
            (TLS12, SslVersion::TLS1_2, CBC),
            (TLS11, SslVersion::TLS1_1, 0xc014),
            (TLS10, SslVersion::TLS1, 0x35),
        ] {
            let context = server(&leaf, &key, known).build();
            let (outcome, has, served) = met(context, Some(&der), (version, suite)).await;
            assert_eq!(answer(&outcome), (&HandshakeAnswer::Done { version, suite }, false));
            assert!(has);
            assert_eq!(served, Ok(Some(NAME.to_owned())));
        }
    }

    #[tokio::test]
    async fn another_leaf_gets_no_session() {
        let key = key();
        let (leaf, other) = (certificate(&key), certificate(&key).to_der().unwrap());
        let other = [&other[..], &[0]].concat();
        for accepted in [None, Some(&other[..])] {
            let context = server(&leaf, &key, SslVersion::TLS1_2).build();
            let (outcome, has, served) = met(context, accepted, (TLS12, CBC)).await;
            assert_eq!(answer(&outcome).0, &HandshakeAnswer::Untrusted);
            assert!(!has);
            // It was told in the handshake.
            assert!(served.is_err_and(|error| error.contains("alert")));
        }
    }

    #[tokio::test]
    async fn a_demand_for_a_certificate_is_written_down_and_not_met() {
        let key = key();
        let leaf = certificate(&key);
        let der = leaf.to_der().unwrap();
        let (send, shown) = mpsc::channel();
        let mut context = server(&leaf, &key, SslVersion::TLS1_2);
        context.set_verify_callback(SslVerifyMode::PEER, move |_, _| send.send(()).is_ok());
        let (outcome, has, served) = met(context.build(), Some(&der), (TLS12, CBC)).await;
        assert_eq!(answer(&outcome), (&HandshakeAnswer::Done { version: TLS12, suite: CBC }, true));
        assert!(has && served.is_ok());
        assert!(shown.try_recv().is_err());

        let mut context = server(&leaf, &key, SslVersion::TLS1_2);
        context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        let (outcome, has, _) = met(context.build(), Some(&der), (TLS12, CBC)).await;
        let (answer, asked) = answer(&outcome);
        assert!(matches!(answer, HandshakeAnswer::Alert { .. }), "{answer:?}");
        assert!(asked && !has);
    }

    #[tokio::test]
    async fn what_openssl_has_not_is_our_limit_and_an_end_is_an_end() {
        let key = key();
        let leaf = certificate(&key);
        let der = leaf.to_der().unwrap();
        // A suite that it was built without, one that the version has not, and a version that is none of its.
        for known in [(TLS12, 0x0000), (TLS12, 0xfefe), (TLS10, CBC), (0x0200, CBC)] {
            let context = server(&leaf, &key, SslVersion::TLS1_2).build();
            let (outcome, has, _) = met(context, Some(&der), known).await;
            assert!(matches!(answer(&outcome).0, HandshakeAnswer::OwnLimit { .. }), "{outcome:?}");
            assert!(!has);
        }
        // Builds differ: one that has it hears from the server, which has not.
        let context = server(&leaf, &key, SslVersion::TLS1_2).build();
        let (outcome, ..) = met(context, Some(&der), (TLS12, RC4)).await;
        let said = answer(&outcome).0;
        assert!(matches!(said, HandshakeAnswer::OwnLimit { .. } | HandshakeAnswer::Alert { .. }), "{said:?}");

        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        drop(theirs);
        let store = TrustStore::default();
        let clock = jiff::Timestamp::UNIX_EPOCH;
        let terms =
            Terms { name: NAME, accepted_leaf: Some(&der), met: Some((TLS12, CBC)), store: &store, clock };
        let (outcome, _) = make(Box::new(ours), terms, WAIT).await;
        assert!(matches!(answer(&outcome).0, HandshakeAnswer::Broken { .. }), "{outcome:?}");
    }
}
