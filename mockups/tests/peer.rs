//! The TLS peer as a server that is nothing but a policy: what it agrees to, what it signs, how it refuses and how it
//! misbehaves.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mockups::authority::{Key, LeafSpec, self_signed};
use mockups::http::Clock;
use mockups::journal::Journal;
use mockups::listen::Running;
use mockups::tlspeer::{Hostile, Order, Policy, Refusal, TlsPeer, Wrong};
use mockups::upstream::{self, Site};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

/// A hello to be written.
#[derive(Clone)]
struct Ask {
    version: u16,
    suites: Vec<u16>,
    groups: Vec<u16>,
    schemes: Vec<u16>,
    shares: Vec<u16>,
    alpn: Vec<&'static str>,
    padding: usize,
}

fn ask(version: u16, suites: &[u16]) -> Ask {
    Ask {
        version,
        suites: suites.to_vec(),
        groups: vec![0x001d, 0x0017],
        schemes: vec![0x0401, 0x0403, 0x0804],
        shares: Vec::new(),
        alpn: Vec::new(),
        padding: 0,
    }
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn list(codes: &[u16]) -> Vec<u8> {
    sized(&codes.iter().flat_map(|code| code.to_be_bytes()).collect::<Vec<_>>())
}

impl Ask {
    fn bytes(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut add =
            |kind: u16, data: &[u8]| extensions.extend([&kind.to_be_bytes()[..], &sized(data)].concat());
        add(10, &list(&self.groups));
        add(13, &list(&self.schemes));
        if !self.alpn.is_empty() {
            let names: Vec<u8> =
                self.alpn.iter().flat_map(|p| [&[p.len() as u8], p.as_bytes()].concat()).collect();
            add(16, &sized(&names));
        }
        add(21, &vec![0; self.padding]);
        if self.version == 0x0304 {
            add(43, &[2, 3, 4]);
            let shares: Vec<u8> =
                self.shares.iter().flat_map(|g| [&g.to_be_bytes()[..], &sized(&[9; 32])].concat()).collect();
            add(51, &sized(&shares));
        }
        let mut body = self.version.min(0x0303).to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.extend([4, 1, 2, 3, 4]);
        body.extend(list(&self.suites));
        body.extend([1, 0]);
        body.extend(sized(&extensions));
        let message = [&[1, 0][..], &sized(&body)].concat();
        [&[22, 3, 1][..], &sized(&message)].concat()
    }
}

fn server(policy: Policy, journal: &Journal) -> Running {
    let key = Key::named("server").unwrap();
    let spec =
        LeafSpec { common_name: "peer".to_owned(), validity: (0, 4_000_000_000), ..LeafSpec::default() };
    let leaf = self_signed(&spec, &key).unwrap();
    let peer = TlsPeer::new(policy, vec![leaf.der.clone()], &key);
    let site = Site::wsus("peer", Clock::starting_at(0));
    upstream::serve_https("peer", journal, Arc::new(site), peer).unwrap()
}

/// What comes until the peer ends, or until `enough` says so.
async fn read(stream: &mut TcpStream, enough: impl Fn(&[u8]) -> bool) -> (Vec<u8>, Option<ErrorKind>) {
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 65_536]);
    loop {
        match tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap() {
            Ok(0) => return (answer, None),
            Ok(size) => answer.extend_from_slice(&buffer[..size]),
            Err(error) => return (answer, Some(error.kind())),
        }
        if enough(&answer) {
            return (answer, None);
        }
    }
}

async fn says(at: SocketAddr, ask: &Ask, enough: impl Fn(&[u8]) -> bool) -> (Vec<u8>, Option<ErrorKind>) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(&ask.bytes()).await.unwrap();
    read(&mut stream, enough).await
}

/// The messages of the records in clear, as kind and body; what is not whole is left out.
fn messages(flight: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut text, mut rest) = (Vec::new(), flight);
    while rest.len() >= 5 {
        let size = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
        let Some(content) = rest.get(5..5 + size) else { break };
        if rest[0] == 22 {
            text.extend_from_slice(content);
        }
        rest = &rest[5 + size..];
    }
    let (mut out, mut rest) = (Vec::new(), &text[..]);
    while rest.len() >= 4 {
        let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let Some(body) = rest.get(4..4 + size) else { break };
        out.push((rest[0], body.to_vec()));
        rest = &rest[4 + size..];
    }
    out
}

fn whole(flight: &[u8]) -> bool {
    let messages = messages(flight);
    messages.iter().any(|(kind, body)| *kind == 14 || (*kind == 2 && tls13(body)))
        || flight.first() == Some(&21)
}

fn at16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// A ServerHello's suite and extensions.
fn hello(body: &[u8]) -> (u16, BTreeMap<u16, Vec<u8>>) {
    let at = 35 + usize::from(body[34]);
    let suite = at16(body, at);
    let (mut extensions, mut rest) = (BTreeMap::new(), body.get(at + 5..).unwrap_or_default());
    while rest.len() >= 4 {
        let size = usize::from(at16(rest, 2));
        extensions.insert(at16(rest, 0), rest[4..4 + size].to_vec());
        rest = &rest[4 + size..];
    }
    (suite, extensions)
}

fn tls13(body: &[u8]) -> bool {
    hello(body).1.contains_key(&43)
}

/// The suite that is answered; `None`: an alert.
async fn suite(at: SocketAddr, ask: &Ask) -> Option<u16> {
    let (flight, _) = says(at, ask, whole).await;
    messages(&flight).first().map(|(_, body)| hello(body).0)
}

/// All that are answered, by leaving each out that was.
async fn eliminated(at: SocketAddr, version: u16, suites: &[u16]) -> Vec<u16> {
    let (mut left, mut out) = (suites.to_vec(), Vec::new());
    while let Some(suite) = suite(at, &ask(version, &left)).await {
        assert!(left.contains(&suite), "{suite:04x} was not offered");
        left.retain(|s| *s != suite);
        out.push(suite);
    }
    out
}

/// A server from memory, as all here.
fn scripted() -> Policy {
    Policy {
        versions: vec![0x0301, 0x0302, 0x0303, 0x0304],
        suites_of: BTreeMap::from([
            (0x0301, vec![0x0035, 0xc014, 0x002f]),
            (0x0302, vec![0xc013]),
            (0x0303, vec![0x009e, 0xc02b, 0xc02f, 0x0034, 0xc018, 0x003c, 0xc030]),
            (0x0304, vec![0x1303, 0x1301]),
        ]),
        groups: vec![0x0017, 0x001d],
        both_keys: true,
        scripted: true,
        unsigned: true,
        ..Policy::default()
    }
}

const ALL: &[u16] = &[
    0x1301, 0x1302, 0x1303, 0xc02f, 0xc030, 0xc02b, 0x009e, 0x002f, 0x0035, 0x003c, 0x0034, 0xc013, 0xc014,
    0xc018,
];

#[tokio::test]
async fn each_version_has_its_suites_in_the_servers_order() {
    let journal = Journal::default();
    let policy = scripted();
    let server = server(policy.clone(), &journal);
    let mut handshakes = 0;
    for (version, suites) in &policy.suites_of {
        assert_eq!(eliminated(server.address, *version, ALL).await, *suites, "{version:04x}");
        handshakes += suites.len() + 1;
    }
    assert_eq!(journal.connections("peer"), handshakes);
}

#[tokio::test]
async fn the_clients_order_decides_where_the_policy_says_so() {
    let journal = Journal::default();
    let server = server(Policy { order: Order::Client, ..scripted() }, &journal);
    for (version, offered) in [
        (0x0301, vec![0x002f, 0x0035, 0xc014]),
        (0x0303, vec![0xc030, 0x003c, 0x009e]),
        (0x0304, vec![0x1301, 0x1303]),
    ] {
        assert_eq!(eliminated(server.address, version, &offered).await, offered);
        let reversed: Vec<u16> = offered.into_iter().rev().collect();
        assert_eq!(eliminated(server.address, version, &reversed).await, reversed);
    }
}

#[tokio::test]
async fn chacha_comes_first_for_clients_that_want_it_first() {
    let journal = Journal::default();
    let suites_of = BTreeMap::from([(0x0303, vec![0xc02f, 0xc030, 0xcca8])]);
    let server = server(Policy { order: Order::ServerButChaCha, suites_of, ..scripted() }, &journal);
    let first = async |offered: &[u16]| suite(server.address, &ask(0x0303, offered)).await;
    assert_eq!(first(&[0xcca8, 0xc030, 0xc02f]).await, Some(0xcca8));
    assert_eq!(first(&[0xc030, 0xcca8, 0xc02f]).await, Some(0xc02f));
}

#[tokio::test]
async fn a_retry_names_suite_and_group_and_the_second_hello_is_answered() {
    let journal = Journal::default();
    let server = server(scripted(), &journal);
    let mut asks = ask(0x0304, &[0x1301, 0x1303]);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&asks.bytes()).await.unwrap();
    let (flight, _) = read(&mut stream, whole).await;
    let (kind, body) = messages(&flight).remove(0);
    let (suite, extensions) = hello(&body);
    assert_eq!((kind, suite, &body[2..6]), (2, 0x1303, &[0xcf, 0x21, 0xad, 0x74][..]));
    assert_eq!(body[34..39], [4, 1, 2, 3, 4], "the session identifier comes back");
    assert_eq!((&extensions[&43][..], &extensions[&51][..]), (&[3, 4][..], &[0, 0x17][..]));
    asks.shares = vec![0x0017];
    stream.write_all(&asks.bytes()).await.unwrap();
    let (flight, _) = read(&mut stream, whole).await;
    let (_, extensions) = hello(&messages(&flight)[0].1);
    assert_eq!((&extensions[&51][..2], extensions[&51].len()), (&[0, 0x17][..], 4 + 65));
    // A key of a group that the server has saves the retry, whichever it would choose.
    asks.shares = vec![0x001d];
    let (flight, _) = says(server.address, &asks, whole).await;
    let body = messages(&flight).remove(0).1;
    assert_ne!(body[2..6], [0xcf, 0x21, 0xad, 0x74]);
    assert_eq!((&hello(&body).1[&51][..2], hello(&body).1[&51].len()), (&[0, 0x1d][..], 4 + 32));
}

/// The body of a ServerKeyExchange; `None` without one.
async fn key_exchange(at: SocketAddr, ask: &Ask) -> Option<Vec<u8>> {
    let (flight, _) = says(at, ask, whole).await;
    messages(&flight).into_iter().find(|(kind, _)| *kind == 12).map(|(_, body)| body)
}

#[tokio::test]
async fn groups_and_schemes_are_the_policys() {
    let journal = Journal::default();
    let mut policy = scripted();
    policy.signatures = Some(vec![0x0804, 0x0601, 0x0403]);
    policy.dh_bits = 1024;
    let server = server(policy, &journal);
    let mut asks = ask(0x0303, &[0xc02f]);
    // Group, size of the point, scheme.
    let chosen = async |asks: &Ask| {
        let body = key_exchange(server.address, asks).await?;
        let point = usize::from(body[3]);
        Some((at16(&body, 1), point, at16(&body, 4 + point)))
    };
    assert_eq!(chosen(&asks).await, Some((0x0017, 65, 0x0804)));
    asks.groups = vec![0x001d];
    asks.schemes = vec![0x0403, 0x0401, 0x0601];
    assert_eq!(chosen(&asks).await, Some((0x001d, 32, 0x0601)));
    asks.suites = vec![0xc02b];
    assert_eq!(chosen(&asks).await, Some((0x001d, 32, 0x0403)));
    asks.schemes = vec![0x0401];
    assert_eq!(chosen(&asks).await, None);
    asks.suites = vec![0x009e, 0x003c];
    assert_eq!(suite(server.address, &asks).await, Some(0x003c), "a suite that signs nothing is left");
    asks.groups = vec![0x0019];
    asks.schemes = vec![0x0804];
    let body = key_exchange(server.address, &asks).await.unwrap();
    assert_eq!((at16(&body, 0), at16(&body, 2 + 128 + 3)), (128, 128), "DHE needs no group");
    asks.suites = vec![0xc02f];
    assert_eq!(suite(server.address, &asks).await, None);
    // In TLS 1.3 a group is refused alike, and schemes of PKCS #1 do not count.
    let mut asks = ask(0x0304, &[0x1301]);
    assert_eq!(suite(server.address, &asks).await, Some(0x1301));
    asks.schemes = vec![0x0601];
    assert_eq!(suite(server.address, &asks).await, None);
    asks.schemes = vec![0x0804];
    asks.groups = vec![0x0019];
    assert_eq!(suite(server.address, &asks).await, None);
}

#[tokio::test]
async fn an_anonymous_suite_has_no_certificate_and_no_signature() {
    let journal = Journal::default();
    let server = server(scripted(), &journal);
    for (suite, size) in [(0x0034, 2 + 256 + 3 + 2 + 256), (0xc018, 4 + 65)] {
        let (flight, _) = says(server.address, &ask(0x0303, &[suite]), whole).await;
        let kinds: Vec<(u8, usize)> = messages(&flight).iter().map(|(k, b)| (*k, b.len())).collect();
        assert_eq!(kinds[1..], [(12, size), (14, 0)]);
    }
}

#[tokio::test]
async fn application_protocols_are_the_servers() {
    let journal = Journal::default();
    let server = server(Policy { alpn: vec!["h2".into(), "http/1.1".into()], ..scripted() }, &journal);
    let mut asks = ask(0x0303, &[0x003c]);
    for (offered, chosen) in [(vec!["http/1.1", "h2"], "h2"), (vec!["http/1.1"], "http/1.1"), (vec![], "")] {
        asks.alpn = offered;
        let (flight, _) = says(server.address, &asks, whole).await;
        let extension = hello(&messages(&flight)[0].1).1.remove(&16).unwrap_or_default();
        assert_eq!(extension.get(3..).unwrap_or_default(), chosen.as_bytes());
    }
    asks.alpn = vec!["spdy/1"];
    assert_eq!(says(server.address, &asks, whole).await.0[5..], [2, 120]);
}

#[tokio::test]
async fn a_reset_tells_no_version_from_no_suite_and_an_own_refusal_does() {
    let journal = Journal::default();
    let (version, none) = (ask(0x0302, ALL), ask(0x0303, &[0x0005]));
    let policy = Policy { versions: vec![0x0303], refusal: Refusal::Reset, ..scripted() };
    let peer = server(policy.clone(), &journal);
    for ask in [&version, &none] {
        let answer = says(peer.address, ask, whole).await;
        assert_eq!(answer, (vec![], Some(ErrorKind::ConnectionReset)));
    }
    let peer = server(Policy { version_refusal: Some(Refusal::Alert(None)), ..policy }, &journal);
    assert_eq!(says(peer.address, &version, whole).await.0[5..], [2, 70]);
    assert_eq!(says(peer.address, &none, whole).await.1, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_long_hello_is_not_borne() {
    let journal = Journal::default();
    let mut asks = ask(0x0303, ALL);
    asks.padding = 300;
    let size = asks.bytes().len();
    let policy = Policy { longest_hello: Some(size), long_refusal: Some(Refusal::Reset), ..scripted() };
    let peer = server(policy, &journal);
    assert_eq!(suite(peer.address, &asks).await, Some(0x009e));
    asks.padding += 1;
    assert_eq!(says(peer.address, &asks, whole).await, (vec![], Some(ErrorKind::ConnectionReset)));
    // Without a refusal of its own it refuses as else.
    let peer = server(Policy { longest_hello: Some(size), ..scripted() }, &journal);
    assert_eq!(says(peer.address, &asks, whole).await.0[0], 21);
}

#[tokio::test]
async fn misbehaviour_is_as_announced() {
    let journal = Journal::default();
    let asks = ask(0x0303, &[0xc02f, 0x009e]);
    let misbehaving = |hostile| server(Policy { hostile: Some(hostile), ..scripted() }, &journal);

    let peer = misbehaving(Hostile::UnofferedSuite);
    for asks in [&asks, &ask(0x0303, ALL), &ask(0x0304, &[0x1301]), &ask(0x0303, &[0xfefe])] {
        assert!(!asks.suites.contains(&suite(peer.address, asks).await.unwrap()));
    }

    let peer = misbehaving(Hostile::UnofferedVersion);
    let (flight, _) = says(peer.address, &ask(0x0301, &[0x0035]), whole).await;
    assert_eq!(messages(&flight)[0].1[..2], [3, 3]);
    let (flight, _) = says(peer.address, &asks, whole).await;
    assert_eq!(hello(&messages(&flight)[0].1).1[&43], [3, 5]);

    let peer = misbehaving(Hostile::AlertAfterHello);
    let (flight, end) = says(peer.address, &asks, |_| false).await;
    assert_eq!((messages(&flight).len(), flight.ends_with(&[21, 3, 3, 0, 2, 2, 40]), end), (1, true, None));
    // Where nothing is in common there is no ServerHello.
    assert_eq!(says(peer.address, &ask(0x0303, &[0x0005]), whole).await.0[0], 21);

    let peer = misbehaving(Hostile::SilenceAfterHello);
    let mut stream = TcpStream::connect(peer.address).await.unwrap();
    stream.write_all(&asks.bytes()).await.unwrap();
    let (flight, _) = read(&mut stream, |flight| !messages(flight).is_empty()).await;
    assert_eq!(messages(&flight)[0].0, 2);
    assert!(tokio::time::timeout(Duration::from_millis(100), stream.read(&mut [0; 1])).await.is_err());

    let peer = misbehaving(Hostile::EmptyRecords);
    let (flight, _) = says(peer.address, &asks, |flight| flight.ends_with(&[14, 0, 0, 0])).await;
    assert!(flight[..100_000].chunks(5).all(|record| record == [22, 3, 3, 0, 0]));
    assert_eq!(messages(&flight)[0].0, 2);

    let peer = misbehaving(Hostile::ManyCertificates);
    let (flight, _) = says(peer.address, &asks, whole).await;
    let (kind, list) = messages(&flight).remove(1);
    let one = 3 + u32::from_be_bytes([0, list[3], list[4], list[5]]) as usize;
    assert_eq!((kind, list.len()), (11, 3 + 1000 * one));

    let peer = misbehaving(Hostile::HugeLength);
    let announces = |flight: &[u8]| flight.windows(10).any(|w| w[0] == 11 && w[1..] == [255; 9]);
    let (flight, _) = says(peer.address, &asks, announces).await;
    assert!(announces(&flight));
}

#[tokio::test]
async fn one_field_is_wrong_at_a_time() {
    let journal = Journal::default();
    for wrong in Wrong::ALL {
        let peer = server(Policy { wrong: Some(wrong), ..scripted() }, &journal);
        for (version, offered) in [(0x0303, 0xc02f), (0x0304, 0x1301)] {
            let enough = |flight: &[u8]| flight.len() >= if wrong == Wrong::Truncated { 43 } else { 65 };
            let (flight, _) = says(peer.address, &ask(version, &[offered]), enough).await;
            let (record, message, body) = (&flight[..5], &flight[5..9], &flight[9..]);
            let session = 35 + usize::from(body.get(34).copied().unwrap_or_default());
            let seen = match wrong {
                Wrong::RecordKind => record[0] == 99,
                Wrong::RecordVersion => record[1..3] == [9, 9],
                Wrong::RecordLength => record[3..5] == [255, 255],
                Wrong::MessageKind => message[0] == 99,
                Wrong::MessageLength => message[1..] == [255, 255, 255],
                // Ten bytes of the ServerHello are left over.
                Wrong::MessageShort => {
                    let size = usize::from(at16(message, 2));
                    let ends = session + 5 + usize::from(at16(body, session + 3));
                    let without = version == 0x0303 && ends > body.len();
                    without || size + 10 == ends || size + 10 == session + 3
                }
                Wrong::Version => body[..2] == [5, 5],
                Wrong::SessionLength => body[34] == 255,
                Wrong::Suite => at16(body, session) == 0xffff,
                Wrong::Compression => body[session + 2] == 1,
                Wrong::ExtensionsLength => at16(body, session + 3) >= 100,
                Wrong::ExtensionLength => at16(body, session + 7) == 0xffff,
                Wrong::RepeatedExtension => {
                    let size = usize::from(at16(body, session + 7));
                    let block = &body[session + 5..session + 5 + usize::from(at16(body, session + 3))];
                    block.ends_with(&block[..4 + size]) && block.len() > 4 + size
                }
                Wrong::SelectedVersion => hello(&messages(&flight)[0].1).1[&43] == [5, 5],
                Wrong::Group if version == 0x0304 => hello(&messages(&flight)[0].1).1[&51] == [255, 255],
                Wrong::Group => {
                    let body = key_exchange(peer.address, &ask(version, &[offered])).await.unwrap();
                    at16(&body, 1) == 0xffff
                }
                Wrong::Truncated => message[1..] == [0, 0, 34],
            };
            assert!(seen, "{wrong:?} at {version:04x}: {flight:02x?}");
        }
    }
}
