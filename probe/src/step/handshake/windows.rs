//! Sessions by Windows' own TLS (SCHANNEL), which is what synchronization itself speaks through.
//!
//! It judges nothing: the leaf has to be the one that the chain step accepted, and what SCHANNEL's caller would say of
//! the chain is not asked. No certificate of the account's is offered to a server that wants one.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use schannel::schannel_cred::{Direction, Protocol, SchannelCred};
use schannel::tls_stream::{Builder, HandshakeError, MidHandshakeTlsStream, TlsStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::timeout;
use windows_sys::Win32::Foundation::{
    SEC_E_ALGORITHM_MISMATCH, SEC_E_CERT_UNKNOWN, SEC_E_DECRYPT_FAILURE, SEC_E_ILLEGAL_MESSAGE,
    SEC_E_INTERNAL_ERROR, SEC_E_INVALID_TOKEN, SEC_E_MESSAGE_ALTERED, SEC_E_NO_CREDENTIALS,
    SEC_E_SECPKG_NOT_FOUND, SEC_E_UNSUPPORTED_FUNCTION,
};

use super::Recorder;
use crate::codec::tls::{FlightReader, Reading, SSL3, ServerFlight, TLS10, TLS11, Until, alert_name};
use crate::evidence::{Broken, HandshakeAnswer, Outcome, escape};
use crate::net::{Stream, broken};

/// How this library is called in evidence.
const LIBRARY: &str = "schannel";

macro_rules! symbols {
    ($($name:ident),+ $(,)?) => { [$(($name, stringify!($name))),+] };
}

/// What it may end with, by name.
const STATUS: [(i32, &str); 10] = symbols![
    SEC_E_ALGORITHM_MISMATCH,
    SEC_E_CERT_UNKNOWN,
    SEC_E_DECRYPT_FAILURE,
    SEC_E_ILLEGAL_MESSAGE,
    SEC_E_INTERNAL_ERROR,
    SEC_E_INVALID_TOKEN,
    SEC_E_MESSAGE_ALTERED,
    SEC_E_NO_CREDENTIALS,
    SEC_E_SECPKG_NOT_FOUND,
    SEC_E_UNSUPPORTED_FUNCTION,
];
/// What stands for something that this system does not have.
const ABSENT: [i32; 2] = [SEC_E_SECPKG_NOT_FOUND, SEC_E_UNSUPPORTED_FUNCTION];

/// Makes a handshake at TLS 1.2, or at the lower version that the peer chose before.
pub(super) async fn make(
    stream: Stream,
    version: u16,
    name: ServerName<'static>,
    recorder: Arc<Recorder>,
    wait: Duration,
) -> (Outcome, Option<Stream>) {
    let heard = Arc::new(Heard::default());
    let wire = Wire {
        inner: stream,
        waker: None,
        flight: Some(FlightReader::new(Until::Done)),
        heard: heard.clone(),
        recorder: recorder.clone(),
    };
    let looking = recorder.clone();
    let runtime = Handle::current();
    // SCHANNEL's caller has the system build a chain, which takes what time it takes.
    let shaking = tokio::task::spawn_blocking(move || {
        runtime.block_on(timeout(wait, shake(wire, version, name, looking)))
    });
    let (answer, session) = match timeout(wait, shaking).await {
        // The peer has said all that it has to say in clear: what takes so long is here.
        Err(_) | Ok(Ok(Err(_))) if heard.flight().is_some_and(|flight| flight.complete) => {
            (HandshakeAnswer::Failed { why: "the chain was not built in time".into() }, None)
        }
        Err(_) | Ok(Ok(Err(_))) => (HandshakeAnswer::Broken { how: Broken::Timeout }, None),
        Ok(Err(_)) => (HandshakeAnswer::Failed { why: "it did not come to an end".into() }, None),
        Ok(Ok(Ok(Err(_)))) if heard.refused.load(Ordering::Relaxed) => (HandshakeAnswer::Untrusted, None),
        Ok(Ok(Ok(Err(error)))) => (failed(&error, &heard), None),
        // However SCHANNEL came to an end: nothing is asked of a peer that did not show the accepted leaf.
        Ok(Ok(Ok(Ok(session)))) if !is_accepted(&session, &recorder) => (HandshakeAnswer::Untrusted, None),
        Ok(Ok(Ok(Ok(session)))) => {
            let (version, suite) =
                heard.flight().map_or((version, 0), |flight| (flight.version, flight.suite));
            (HandshakeAnswer::Done { version, suite }, Some(Box::new(Session(session)) as Stream))
        }
    };
    (recorder.outcome(answer, LIBRARY), session)
}

/// A session, or why there is none.
async fn shake(
    wire: Wire,
    version: u16,
    name: ServerName<'static>,
    recorder: Arc<Recorder>,
) -> io::Result<TlsStream<Wire>> {
    let protocol = match version {
        SSL3 => Protocol::Ssl3,
        TLS10 => Protocol::Tls10,
        TLS11 => Protocol::Tls11,
        _ => Protocol::Tls12,
    };
    let credential = SchannelCred::builder().enabled_protocols(&[protocol]).acquire(Direction::Outbound)?;
    let heard = wire.heard.clone();
    let mut builder = Builder::new();
    builder.domain(&name.to_str()).use_sni(matches!(name, ServerName::DnsName(_)));
    builder.verify_callback(move |result| {
        let leaf = result.chain().and_then(|chain| chain.get(0)).map(|leaf| leaf.to_der().to_vec());
        let Some(leaf) = leaf.map(CertificateDer::from) else {
            heard.refused.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::PermissionDenied.into());
        };
        let sent = heard.flight().map(|flight| flight.certificates).unwrap_or_default();
        let others: Vec<_> = sent.into_iter().skip(1).map(CertificateDer::from).collect();
        if recorder.accepts(&leaf, &others, &name, &[]) {
            Ok(())
        } else {
            heard.refused.store(true, Ordering::Relaxed);
            Err(io::ErrorKind::PermissionDenied.into())
        }
    });
    let mut step = Step::Begin(builder, credential, wire);
    std::future::poll_fn(move |context| {
        let came = match std::mem::replace(&mut step, Step::Over) {
            Step::Begin(mut builder, credential, mut wire) => {
                wire.waker = Some(context.waker().clone());
                builder.connect(credential, wire)
            }
            Step::Goes(mut session) => {
                session.get_mut().waker = Some(context.waker().clone());
                session.handshake()
            }
            Step::Over => return Poll::Ready(Err(io::ErrorKind::InvalidInput.into())),
        };
        match came {
            Ok(session) => Poll::Ready(Ok(session)),
            Err(HandshakeError::Failure(error)) => Poll::Ready(Err(error)),
            Err(HandshakeError::Interrupted(session)) => {
                step = Step::Goes(session);
                Poll::Pending
            }
        }
    })
    .await
}

/// How far a handshake has come.
enum Step {
    Begin(Builder, SchannelCred, Wire),
    Goes(MidHandshakeTlsStream<Wire>),
    Over,
}

fn is_accepted(session: &TlsStream<Wire>, recorder: &Recorder) -> bool {
    let leaf = session.peer_certificate().ok().map(|leaf| leaf.to_der().to_vec());
    leaf.is_some() && leaf == recorder.accepted_leaf
}

fn failed(error: &io::Error, heard: &Heard) -> HandshakeAnswer {
    if let Some(code) = heard.alert() {
        return HandshakeAnswer::Alert { code, name: alert_name(code).into() };
    }
    let status = error.raw_os_error().filter(|status| status.cast_unsigned() >> 16 == 0x8009);
    let Some(status) = status else { return HandshakeAnswer::Broken { how: broken(error) } };
    let symbol = STATUS.iter().find(|(code, _)| *code == status).map(|(_, symbol)| *symbol);
    let why = escape(symbol.unwrap_or(&format!("status 0x{:08X}", status.cast_unsigned())), 80);
    if ABSENT.contains(&status) { HandshakeAnswer::OwnLimit { why } } else { HandshakeAnswer::Failed { why } }
}

/// What was heard on the way.
#[derive(Default)]
struct Heard {
    /// Whether the leaf is another than the accepted one.
    refused: AtomicBool,
    reading: Mutex<Option<Reading>>,
}

impl Heard {
    fn flight(&self) -> Option<ServerFlight> {
        match self.reading.lock().ok()?.as_ref()? {
            Reading::Flight(flight) => Some(flight.clone()),
            _ => None,
        }
    }

    fn alert(&self) -> Option<u8> {
        match self.reading.lock().ok()?.as_ref()? {
            Reading::Alert(code) => Some(*code),
            Reading::Flight(flight) => flight.alert,
            _ => None,
        }
    }
}

/// The connection below the session, as SCHANNEL's caller reads and writes it: what would wait says so, and wakes the
/// task that polls. It reads the clear flight along, and says of a stream that ends that it ended.
struct Wire {
    inner: Stream,
    waker: Option<Waker>,
    /// The flight, until it was read.
    flight: Option<FlightReader>,
    heard: Arc<Heard>,
    recorder: Arc<Recorder>,
}

impl Wire {
    /// Polls the connection for the task that polls the session.
    fn now<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let Some(waker) = &self.waker else { return Err(io::ErrorKind::WouldBlock.into()) };
        match poll(Pin::new(&mut self.inner), &mut Context::from_waker(waker)) {
            Poll::Ready(came) => came,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn hear(&mut self, fresh: &[u8]) {
        match self.flight.as_mut().map(|flight| flight.push(fresh)) {
            None | Some(Reading::More) => {}
            Some(reading) => {
                self.flight = None;
                if matches!(&reading, Reading::Flight(flight) if flight.client_certificate_asked) {
                    self.recorder.asked();
                }
                if let Ok(mut heard) = self.heard.reading.lock() {
                    *heard = Some(reading);
                }
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.now(|stream, context| {
            let mut buffer = ReadBuf::new(bytes);
            ready!(stream.poll_read(context, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().len()))
        })?;
        // A session that was closed properly is not read any further.
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hear(&bytes[..count]);
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.now(|stream, context| stream.poll_write(context, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.now(|stream, context| stream.poll_flush(context))
    }
}

/// A session over a connection.
struct Session(TlsStream<Wire>);

impl Session {
    fn poll<T>(
        &mut self,
        context: &Context<'_>,
        act: impl FnOnce(&mut TlsStream<Wire>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        self.0.get_mut().waker = Some(context.waker().clone());
        match act(&mut self.0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            came => Poll::Ready(came),
        }
    }
}

impl AsyncRead for Session {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = ready!(self.poll(context, |session| session.read(buffer.initialize_unfilled())))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Session {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, |session| session.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, Write::flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll(context, TlsStream::shutdown))?;
        Pin::new(&mut self.0.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::{Terms, gave_up, make};
    use super::*;
    use crate::codec::tls::TLS12;
    use crate::trust::TrustStore;

    /// What comes of a peer that reads a hello and then does that.
    async fn met<F: Future<Output = ()>>(
        wait: Duration,
        peer: impl FnOnce(tokio::io::DuplexStream) -> F,
    ) -> (Outcome, bool) {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let store = TrustStore::default();
        let terms = Terms {
            name: "upstream.example.test",
            accepted_leaf: None,
            met: Some((TLS12, 0xc02f)),
            store: &store,
            clock: jiff::Timestamp::UNIX_EPOCH,
        };
        let answering = async {
            let mut hello = [0; 5];
            // A system without SCHANNEL sends none.
            if theirs.read_exact(&mut hello).await.is_ok() {
                assert_eq!(hello[0], 22);
                peer(theirs).await;
            }
        };
        let ((outcome, session), ()) = tokio::join!(make(Box::new(ours), terms, wait), answering);
        (outcome, session.is_some())
    }

    fn answer(outcome: &Outcome) -> &HandshakeAnswer {
        let Outcome::Handshake { answer, library, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(library, LIBRARY);
        answer
    }

    #[tokio::test]
    async fn what_ends_without_a_session_leaves_it_to_the_other_library() {
        let wait = Duration::from_secs(20);
        for bytes in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28"] {
            let (outcome, has) =
                met(wait, |mut peer| async move { peer.write_all(bytes).await.unwrap() }).await;
            assert!(!has && gave_up(&outcome), "{bytes:?}: {outcome:?}");
            answer(&outcome);
        }
    }

    #[tokio::test]
    async fn an_alert_is_named() {
        let alert = b"\x15\x03\x03\x00\x02\x02\x28";
        let (outcome, _) =
            met(Duration::from_secs(20), |mut peer| async move { peer.write_all(alert).await.unwrap() })
                .await;
        if !matches!(answer(&outcome), HandshakeAnswer::OwnLimit { .. }) {
            assert_eq!(answer(&outcome), &HandshakeAnswer::Alert { code: 40, name: alert_name(40).into() });
        }
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_is_not_waited_for_longer() {
        let (outcome, has) = met(Duration::from_millis(300), |mut peer| async move {
            let _ = peer.read_to_end(&mut Vec::new()).await;
        })
        .await;
        assert!(!has);
        let timeout = HandshakeAnswer::Broken { how: Broken::Timeout };
        assert!(
            *answer(&outcome) == timeout || matches!(answer(&outcome), HandshakeAnswer::OwnLimit { .. }),
            "{outcome:?}"
        );
    }
}
