//! A name server on UDP and TCP.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::time::Duration;

use hickory_proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record as DnsRecord, RecordType};
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;

use crate::http::Variation;
use crate::journal::{Event, Journal};
use crate::listen::Running;

/// What is done instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// NXDOMAIN.
    NoName,
    /// The name exists without an address.
    NoAddress,
    /// SERVFAIL.
    ServerFailure,
    /// REFUSED.
    Refused,
    /// Nothing is said.
    Silence,
    /// Two aliases that lead to each other.
    Loop,
}

/// What a name resolves to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// A and AAAA.
    pub addresses: Vec<IpAddr>,
    /// An alias that is followed where the server knows its target. `\DDD` is the byte with that decimal number.
    pub alias: Option<String>,
    /// Something else than an answer.
    pub failure: Option<Failure>,
    /// Over UDP cut, with TC.
    pub truncated: bool,
}

/// What a name server knows: names in lower case without the last dot; `*.example.com` for what is not listed
/// below it. Anything else does not exist.
pub type Zone = BTreeMap<String, Record>;

/// Finds what the zone says of a name.
pub fn find<'a>(zone: &'a Zone, name: &str) -> Option<&'a Record> {
    if let Some(record) = zone.get(name) {
        return Some(record);
    }
    let mut rest = name;
    while let Some((_, parent)) = rest.split_once('.') {
        if let Some(record) = zone.get(&format!("*.{parent}")) {
            return Some(record);
        }
        rest = parent;
    }
    None
}

/// Starts a name server on the same port of UDP and TCP. Must be called inside a runtime.
///
/// # Errors
/// The system gives no port.
pub fn serve(name: &str, journal: &Journal, zone: Zone, variation: Variation) -> io::Result<Running> {
    let (udp, tcp) = pair()?;
    let address = udp.local_addr()?;
    udp.set_nonblocking(true)?;
    tcp.set_nonblocking(true)?;
    let handler = Handler { name: name.to_owned(), journal: journal.clone(), zone, variation };
    let mut server = Server::new(handler);
    server.register_socket(tokio::net::UdpSocket::from_std(udp)?);
    server.register_listener(tokio::net::TcpListener::from_std(tcp)?, Duration::from_secs(30), 64);
    // Dropping the server stops its tasks.
    let task = tokio::spawn(async move {
        let _ = server.block_until_done().await;
    });
    Ok(Running::new(address, vec![task]))
}

fn pair() -> io::Result<(std::net::UdpSocket, std::net::TcpListener)> {
    let mut last = None;
    for _ in 0..50 {
        let tcp = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        match std::net::UdpSocket::bind(tcp.local_addr()?) {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no port is free for both")))
}

/// A UDP and TCP port that takes questions and never answers.
///
/// # Errors
/// The system gives no port.
pub fn silent(name: &str, journal: &Journal) -> io::Result<Running> {
    let zone =
        Zone::from([("*".to_owned(), Record { failure: Some(Failure::Silence), ..Record::default() })]);
    serve(name, journal, zone, Variation::default())
}

struct Handler {
    name: String,
    journal: Journal,
    zone: Zone,
    variation: Variation,
}

impl Handler {
    fn resolve(
        &self,
        asked: &Name,
        kind: RecordType,
        udp: bool,
    ) -> Option<(ResponseCode, Vec<DnsRecord>, bool)> {
        let mut answers = Vec::new();
        let mut owner = asked.clone();
        for _ in 0..8 {
            let key = owner.to_ascii().trim_end_matches('.').to_ascii_lowercase();
            let Some(record) = find(&self.zone, &key).or_else(|| self.zone.get("*")) else {
                let code = if answers.is_empty() { ResponseCode::NXDomain } else { ResponseCode::NoError };
                return Some((code, answers, false));
            };
            match record.failure {
                Some(Failure::NoName) => return Some((ResponseCode::NXDomain, answers, false)),
                Some(Failure::NoAddress) => return Some((ResponseCode::NoError, answers, false)),
                Some(Failure::ServerFailure) => return Some((ResponseCode::ServFail, Vec::new(), false)),
                Some(Failure::Refused) => return Some((ResponseCode::Refused, Vec::new(), false)),
                Some(Failure::Silence) => return None,
                Some(Failure::Loop) => {
                    let other = Name::from_ascii(format!("loop.{key}.")).ok()?;
                    answers.push(alias(&owner, &other));
                    answers.push(alias(&other, &owner));
                    return Some((ResponseCode::NoError, answers, false));
                }
                None => {}
            }
            if record.truncated && udp {
                return Some((ResponseCode::NoError, Vec::new(), true));
            }
            if let Some(target) = &record.alias {
                let target = name_of(target)?;
                answers.push(alias(&owner, &target));
                owner = target;
                continue;
            }
            let mut addresses: Vec<DnsRecord> = record
                .addresses
                .iter()
                .filter_map(|address| {
                    let data = match (address, kind) {
                        (IpAddr::V4(v4), RecordType::A) => RData::A(A(*v4)),
                        (IpAddr::V6(v6), RecordType::AAAA) => RData::AAAA(AAAA(*v6)),
                        _ => return None,
                    };
                    Some(DnsRecord::from_rdata(owner.clone(), 60, data))
                })
                .collect();
            self.variation.order(&mut addresses);
            answers.append(&mut addresses);
            break;
        }
        Some((ResponseCode::NoError, answers, false))
    }

    async fn handle(&self, request: &Request, mut respond: impl ResponseHandler) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.recursion_available = true;
        let nothing = ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        let Ok(info) = request.request_info() else { return nothing };
        let (asked, kind) = (Name::from(info.query.name()), info.query.query_type());
        let udp = request.protocol() == Protocol::Udp;
        self.journal.add(Event::Query {
            listener: self.name.clone(),
            name: asked.to_ascii().trim_end_matches('.').to_ascii_lowercase(),
            kind: kind.to_string(),
            tcp: !udp,
        });
        let Some((code, answers, truncated)) = self.resolve(&asked, kind, udp) else { return nothing };
        metadata.response_code = code;
        metadata.truncation = truncated;
        let response =
            MessageResponseBuilder::from_message_request(request).build(metadata, answers.iter(), [], [], []);
        respond.send_response(response).await.unwrap_or(nothing)
    }
}

/// A name whose labels may hold any byte, written as a backslash and three decimal digits.
fn name_of(text: &str) -> Option<Name> {
    let label = |text: &str| {
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let Some((first, after)) = rest.split_first() {
            let code = after.get(..3).and_then(|d| std::str::from_utf8(d).ok()?.parse::<u8>().ok());
            match (first, code) {
                (b'\\', Some(code)) => {
                    bytes.push(code);
                    rest = &after[3..];
                }
                _ => {
                    bytes.push(*first);
                    rest = after;
                }
            }
        }
        bytes
    };
    let labels: Vec<Vec<u8>> = text.trim_end_matches('.').split('.').map(label).collect();
    let mut name = Name::from_labels(labels.iter().map(Vec::as_slice)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn alias(from: &Name, to: &Name) -> DnsRecord {
    DnsRecord::from_rdata(from.clone(), 60, RData::CNAME(CNAME(to.clone())))
}

// What `async_trait` would write.
impl RequestHandler for Handler {
    fn handle_request<'own, 'request, 'all, R, T>(
        &'own self,
        request: &'request Request,
        respond: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'all>>
    where
        R: ResponseHandler + 'all,
        T: Time + 'all,
        'own: 'all,
        'request: 'all,
        Self: 'all,
    {
        Box::pin(self.handle(request, respond))
    }
}
