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
