//! Asks one server for one kind of record.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::evidence::{NameAnswer, Outcome, escape};
use crate::net::{Net, words};

/// The most addresses that are kept of one answer.
const MOST: usize = 64;

/// Asks the system's own resolver.
pub async fn ask_system(net: &Net, host: &str, wait: Duration) -> Outcome {
    Outcome::Name {
        server: "system".into(),
        record: "any".into(),
        over: "system".into(),
        answer: net.ask_system(host, wait).await,
    }
}

/// Asks a name server directly, over UDP, and over TCP where the answer says that it is cut.
pub async fn ask(net: &Net, server: SocketAddr, host: &str, record: RecordType, wait: Duration) -> Outcome {
    let (over, answer) = exchange(net, server, host, record, wait).await;
    Outcome::Name { server: server.to_string(), record: record.to_string(), over: over.into(), answer }
}

async fn exchange(
    net: &Net,
    server: SocketAddr,
    host: &str,
    record: RecordType,
    wait: Duration,
) -> (&'static str, NameAnswer) {
    let malformed = |why: String| NameAnswer::Malformed { why };
    let absolute = if host.ends_with('.') { host.to_string() } else { format!("{host}.") };
    let Ok(name) = Name::from_utf8(&absolute) else {
        return ("udp", malformed("the name cannot stand in a DNS query".into()));
    };
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name, record));
    let Ok(bytes) = question.to_vec() else {
        return ("udp", malformed("the name cannot stand in a DNS query".into()));
    };
    let read = |answer: std::io::Result<Vec<u8>>| match answer {
        Ok(bytes) => Message::from_vec(&bytes).map_err(|e| malformed(escape(&e.to_string(), 120))),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(NameAnswer::Timeout),
        Err(error) => Err(NameAnswer::Failed { why: words(&error) }),
    };
    let by_udp = match read(net.ask_udp(server, &bytes, wait).await) {
        Ok(message) => message,
        Err(answer) => return ("udp", answer),
    };
    if !by_udp.metadata.truncation {
        return ("udp", answer(&by_udp));
    }
    match read(net.ask_tcp(server, &bytes, wait).await) {
        Ok(message) => ("tcp", answer(&message)),
        Err(answer) => ("tcp", answer),
    }
}

fn answer(message: &Message) -> NameAnswer {
    match message.metadata.response_code {
        ResponseCode::NoError => {
            let mut addresses: Vec<IpAddr> = Vec::new();
            let mut canonical = None;
            for record in message.answers.iter().take(1000) {
                let address = match &record.data {
                    RData::A(a) => IpAddr::from(a.0),
                    RData::AAAA(aaaa) => IpAddr::from(aaaa.0),
                    RData::CNAME(name) => {
                        canonical = Some(escape(name.0.to_string().trim_end_matches('.'), 253));
                        continue;
                    }
                    _ => continue,
                };
                if !addresses.contains(&address) && addresses.len() < MOST {
                    addresses.push(address);
                }
            }
            if addresses.is_empty() {
                NameAnswer::NoAddress
            } else {
                NameAnswer::Addresses { addresses, canonical }
            }
        }
        ResponseCode::NXDomain => NameAnswer::NotFound,
        ResponseCode::ServFail => NameAnswer::ServerFailure,
        ResponseCode::Refused => NameAnswer::Refused,
        other => NameAnswer::Failed { why: escape(&other.to_string(), 60) },
    }
}
