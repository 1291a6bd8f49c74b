//! Sends one crafted ClientHello and reads the clear flight that answers it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::codec::tls::{FlightReader, Hello, Reading, ServerFlight, Until, alert_name};
use crate::evidence::{Broken, HelloAnswer, Offer, Outcome, escape_bytes};
use crate::net::{Stream, broken};

/// What came of a hello: the observation's outcome, the peer's first bytes, and the flight where there was one.
pub struct Answer {
    /// The outcome.
    pub outcome: Outcome,
    /// The first bytes, escaped.
    pub raw: Option<String>,
    /// The flight.
    pub flight: Option<ServerFlight>,
}

/// Sends `hello` over `stream` and reads what answers, until it is as much as `until` wants.
pub async fn meet(
    stream: &mut Stream,
    hello: &Hello,
    until: Until,
    wait: Duration,
) -> (Result<Reading, Broken>, FlightReader) {
    let end = Instant::now() + wait;
    let mut reader = FlightReader::new(until);
    // On the heap: many such futures stand inside each other, and a stack may be 1 MB.
    let mut buffer = Vec::with_capacity(8 * 1024);
    let mut random = [0; 32];
    // The random of a handshake that is never finished needs no secrecy, only to differ.
    let entropy = ring::rand::SystemRandom::new();
    let _ = ring::rand::SecureRandom::fill(&entropy, &mut random);
    // A peer that has closed already may still have said why: only a write that cannot end is an end.
    if timeout_at(end, stream.write_all(&hello.bytes(&random))).await.is_err() {
        return (Err(Broken::Timeout), reader);
    }
    loop {
        buffer.clear();
        match timeout_at(end, stream.read_buf(&mut buffer)).await {
            Err(_) => return (Err(Broken::Timeout), reader),
            Ok(Ok(0)) => return (Err(Broken::Closed), reader),
            Ok(Err(error)) => return (Err(broken(&error)), reader),
            Ok(Ok(_)) => match reader.push(&buffer) {
                Reading::More => {}
                other => return (Ok(other), reader),
            },
        }
    }
}

/// Sends `hello` over `stream`, which is closed afterwards.
pub async fn ask(mut stream: Stream, hello: &Hello, offer: Offer, wait: Duration) -> Answer {
    let (answer, reader) = meet(&mut stream, hello, Until::Done, wait).await;
    let raw = (!reader.bytes().is_empty()).then(|| escape_bytes(reader.bytes()));
    let (answer, flight) = match answer {
        Ok(Reading::Flight(flight)) => (answered(&flight, None), Some(flight)),
        Ok(Reading::Alert(code)) => (HelloAnswer::Alert { code, name: alert_name(code).into() }, None),
        Ok(Reading::PlainHttp(status)) => (HelloAnswer::PlainHttp { status }, None),
        Ok(Reading::NotTls(looks)) => (HelloAnswer::NotTls { looks }, None),
        Ok(Reading::More) | Err(_) => {
            let how = answer.err().unwrap_or(Broken::Closed);
            match reader.cut() {
                Some(flight) => (answered(&flight, Some(how)), Some(flight)),
                None => (HelloAnswer::Broken { how }, None),
            }
        }
    };
    Answer { outcome: Outcome::Hello { offer, answer }, raw, flight }
}

fn answered(flight: &ServerFlight, cut: Option<Broken>) -> HelloAnswer {
    HelloAnswer::Answered {
        version: flight.version,
        suite: flight.suite,
        certificates: flight.certificates.iter().map(|der| STANDARD.encode(der)).collect(),
        client_certificate_asked: flight.client_certificate_asked,
        complete: flight.complete,
        group: flight.group,
        dh_bits: flight.dh_bits,
        signature: flight.signature,
        alert: flight.alert,
        cut,
    }
}
