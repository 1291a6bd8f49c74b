//! Every block proved by a client that is not the lab's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use mockups::authority::{self, Authority, AuthoritySpec, Key, LeafSpec, Minted};
use mockups::hello;
use mockups::http::{Clock, Fate, Variation};
use mockups::journal::Journal;
use mockups::link::{self, Faults};
use mockups::listen::Running;
use mockups::nameserver::{self, Failure, Record, Zone};
use mockups::proxy::{self, Config, Mode, Stranger};
use mockups::silent::{BlackHole, ClosedPort, UNREACHABLE};
use mockups::socks;
use mockups::tlspeer::{ClientCertificate, Policy, Refusal, RefuseWhen, TlsPeer};
use mockups::upstream::{self, Answer, Site};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const NAME: &str = "upstream.example.com";
const PATIENCE: Duration = Duration::from_secs(20);

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

fn site_authority() -> Authority {
    Authority::new(&AuthoritySpec::new("site", "Site Root CA", "Site Issuing CA", now())).unwrap()
}

fn leaf_spec() -> LeafSpec {
    LeafSpec {
        common_name: NAME.to_owned(),
        dns_names: vec![NAME.to_owned()],
        validity: (now() - 86_400, now() + 86_400),
        usages: vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
        ..LeafSpec::default()
    }
}

fn leaf(authority: &Authority) -> Minted {
    authority.issue(&leaf_spec(), &Key::named("server").unwrap()).unwrap()
}

fn chain(authority: &Authority, leaf: &Minted) -> Vec<CertificateDer<'static>> {
    vec![leaf.der.clone(), authority.issuing.as_ref().unwrap().der.clone()]
}

fn peer(policy: Policy, authority: &Authority) -> TlsPeer {
    let leaf = leaf(authority);
    TlsPeer::new(policy, chain(authority, &leaf), &leaf.key)
}

fn tls_site(policy: Policy, authority: &Authority, journal: &Journal) -> Running {
    let site = Site::wsus(NAME, Clock::starting_at(now()));
    upstream::serve_https("upstream:8531", journal, Arc::new(site), peer(policy, authority)).unwrap()
}

fn connector(authority: &Authority) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.der.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn tls(address: SocketAddr, authority: &Authority) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    connector(authority).connect(ServerName::try_from(NAME).unwrap(), stream).await
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn auth_config(path: &str) -> String {
    let body = "<?xml version=\"1.0\"?><q:Envelope xmlns:q=\"http://schemas.xmlsoap.org/soap/envelope/\"><q:Body>\
        <GetAuthConfig xmlns=\"http://www.microsoft.com/SoftwareDistribution\" /></q:Body></q:Envelope>";
    format!(
        "POST {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: text/xml; charset=utf-8\r\n\
         SOAPAction: \"http://www.microsoft.com/SoftwareDistribution/GetAuthConfig\"\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A TLS 1.0 to 1.2 hello as an old client writes it.
fn old_hello(version: u16, suites: &[u16]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend((suites.len() as u16 * 2).to_be_bytes());
    body.extend(suites.iter().flat_map(|s| s.to_be_bytes()));
    body.extend([1, 0]);
    let name = NAME.as_bytes();
    let mut extensions = vec![0, 0];
    extensions.extend((name.len() as u16 + 5).to_be_bytes());
    extensions.extend((name.len() as u16 + 3).to_be_bytes());
    extensions.push(0);
    extensions.extend((name.len() as u16).to_be_bytes());
    extensions.extend(name);
    extensions.extend([0, 10, 0, 6, 0, 4, 0, 23, 0, 24]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut record = vec![22, 3, 1];
    record.extend((body.len() as u16 + 4).to_be_bytes());
    record.extend([1, 0]);
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

/// What a peer says to a hello: bytes, then how it ended.
async fn say(address: SocketAddr, hello: &[u8]) -> (Vec<u8>, Option<std::io::ErrorKind>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(hello).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap() {
            Ok(0) => return (answer, None),
            Ok(size) => {
                answer.extend_from_slice(&buffer[..size]);
                if answer.windows(4).any(|w| w == [14, 0, 0, 0]) && answer.ends_with(&[14, 0, 0, 0]) {
                    return (answer, None);
                }
            }
            Err(error) => return (answer, Some(error.kind())),
        }
    }
}

async fn query(address: SocketAddr, name: &str, kind: RecordType, tcp: bool) -> Message {
    let mut message = Message::query();
    message.metadata.id = 4711;
    message.queries.push(Query::query(Name::from_ascii(name).unwrap(), kind));
    let bytes = message.to_vec().unwrap();
    let answer = if tcp {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&(bytes.len() as u16).to_be_bytes()).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let size = tokio::time::timeout(PATIENCE, stream.read_u16()).await.unwrap().unwrap();
        let mut answer = vec![0; usize::from(size)];
        stream.read_exact(&mut answer).await.unwrap();
        answer
    } else {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(&bytes, address).await.unwrap();
        let mut answer = vec![0; 4096];
        let size = tokio::time::timeout(PATIENCE, socket.recv(&mut answer)).await.unwrap().unwrap();
        answer.truncate(size);
        answer
    };
    let answer = Message::from_vec(&answer).unwrap();
    assert_eq!(answer.metadata.id, 4711);
    answer
}

#[tokio::test]
async fn a_name_server_answers_fails_and_cuts() {
    let journal = Journal::default();
    let record = |failure| Record { failure: Some(failure), ..Record::default() };
    let addresses = vec!["203.0.113.10".parse().unwrap(), "2001:db8::10".parse().unwrap()];
    let zone = Zone::from([
        (NAME.to_owned(), Record { addresses: addresses.clone(), ..Record::default() }),
        ("alias.example.com".to_owned(), Record { alias: Some(NAME.to_owned()), ..Record::default() }),
        ("cut.example.com".to_owned(), Record { addresses, truncated: true, ..Record::default() }),
        ("empty.example.com".to_owned(), record(Failure::NoAddress)),
        ("broken.example.com".to_owned(), record(Failure::ServerFailure)),
        ("closed.example.com".to_owned(), record(Failure::Refused)),
        ("circle.example.com".to_owned(), record(Failure::Loop)),
        ("*.wild.example.com".to_owned(), record(Failure::NoAddress)),
        (
            "odd.example.com".to_owned(),
            Record { alias: Some("o\\007d\\200.example.com".to_owned()), ..Record::default() },
        ),
    ]);
    let server = nameserver::serve("dns", &journal, zone, Variation(5)).unwrap();
    let v4 = query(server.address, "Upstream.Example.com.", RecordType::A, false).await;
    assert_eq!(v4.answers.len(), 1);
    assert!(matches!(&v4.answers[0].data, RData::A(a) if a.0.octets() == [203, 0, 113, 10]));
    let v6 = query(server.address, "upstream.example.com.", RecordType::AAAA, true).await;
    assert!(matches!(&v6.answers[0].data, RData::AAAA(_)));
    assert_eq!(query(server.address, "alias.example.com.", RecordType::A, false).await.answers.len(), 2);
    assert_eq!(query(server.address, "circle.example.com.", RecordType::A, false).await.answers.len(), 2);
    let odd = query(server.address, "odd.example.com.", RecordType::A, false).await;
    let RData::CNAME(target) = &odd.answers[0].data else { panic!("{odd:?}") };
    assert_eq!(target.0.iter().next().unwrap().len(), 4, "raw bytes, not their spelling: {target:?}");
    for (name, code) in [
        ("nowhere.example.com.", ResponseCode::NXDomain),
        ("empty.example.com.", ResponseCode::NoError),
        ("broken.example.com.", ResponseCode::ServFail),
        ("closed.example.com.", ResponseCode::Refused),
        ("a.b.wild.example.com.", ResponseCode::NoError),
    ] {
        let answer = query(server.address, name, RecordType::A, false).await;
        assert_eq!(answer.metadata.response_code, code, "{name}");
        assert!(answer.answers.is_empty(), "{name}");
    }
    assert!(query(server.address, "cut.example.com.", RecordType::A, false).await.metadata.truncation);
    assert_eq!(query(server.address, "cut.example.com.", RecordType::A, true).await.answers.len(), 1);
    assert_eq!(journal.queries()[0], NAME);
}

#[tokio::test]
async fn a_silent_name_server_takes_the_question() {
    let journal = Journal::default();
    let server = nameserver::silent("dns", &journal).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut message = Message::query();
    message.queries.push(Query::query(Name::from_ascii("a.example.com.").unwrap(), RecordType::A));
    socket.send_to(&message.to_vec().unwrap(), server.address).await.unwrap();
    let mut answer = [0; 512];
    assert!(tokio::time::timeout(Duration::from_millis(400), socket.recv(&mut answer)).await.is_err());
    assert_eq!(journal.queries(), ["a.example.com"]);
}

#[test]
fn certificates_say_what_was_asked_for() {
    let authority = site_authority();
    let spec = LeafSpec { aia: Some("http://pki.example.com/issuing.crt".to_owned()), ..leaf_spec() };
    let minted = authority.issue(&spec, &Key::named("server").unwrap()).unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&minted.der).unwrap();
    let issuing = authority.issuing.as_ref().unwrap();
    let (_, above) = x509_parser::parse_x509_certificate(&issuing.der).unwrap();
    let (_, root) = x509_parser::parse_x509_certificate(&authority.root.der).unwrap();
    assert_eq!(leaf.issuer(), above.subject());
    assert_eq!(above.issuer(), root.subject());
    leaf.verify_signature(Some(above.public_key())).unwrap();
    above.verify_signature(Some(root.public_key())).unwrap();
    root.verify_signature(None).unwrap();
    assert!(above.is_ca() && root.is_ca() && !leaf.is_ca());
    assert_eq!(leaf.validity().not_before.timestamp(), spec.validity.0);
    let access = leaf
        .extensions()
        .iter()
        .find_map(|e| match e.parsed_extension() {
            x509_parser::extensions::ParsedExtension::AuthorityInfoAccess(access) => Some(access),
            _ => None,
        })
        .expect("an AuthorityInfoAccess");
    let location = &access.accessdescs[0].access_location;
    assert!(location.to_string().contains("http://pki.example.com/issuing.crt"), "{location}");
    let list = authority.revocation_list(&[minted.serial()], now(), now() + 86_400).unwrap();
    let (_, list) = x509_parser::parse_x509_crl(&list).unwrap();
    assert_eq!(list.iter_revoked_certificates().next().unwrap().raw_serial(), leaf.raw_serial());
    list.verify_signature(above.public_key()).unwrap();
    let alone = authority::self_signed(&spec, &Key::ecdsa().unwrap()).unwrap();
    let (_, alone) = x509_parser::parse_x509_certificate(&alone.der).unwrap();
    alone.verify_signature(None).unwrap();
}

#[test]
fn authorities_do_not_share_keys() {
    let inspector =
        Authority::new(&AuthoritySpec::new("inspector", "Proxy Root", "Proxy CA", now())).unwrap();
    let site = site_authority();
    let (_, leaf) = x509_parser::parse_x509_certificate(&site.issuing.as_ref().unwrap().der).unwrap();
    let (_, other) = x509_parser::parse_x509_certificate(&inspector.root.der).unwrap();
    assert!(leaf.verify_signature(Some(other.public_key())).is_err());
}

#[tokio::test]
async fn a_session_is_served_and_answers_getauthconfig() {
    let (authority, journal) = (site_authority(), Journal::default());
    for versions in [vec![0x0303], vec![0x0304], vec![0x0301, 0x0303, 0x0304]] {
        let newest = *versions.last().unwrap();
        let server = tls_site(Policy { versions, ..Policy::default() }, &authority, &journal);
        let mut session = tls(server.address, &authority).await.unwrap();
        let version = session.get_ref().1.protocol_version().unwrap();
        assert_eq!(u16::from(version), newest);
        let path = "//serversyncwebservice/SERVERSYNCWEBSERVICE.asmx";
        let answer = ask(&mut session, &auth_config(path)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("<PlugInID>DssTargeting</PlugInID>"), "{answer}");
    }
    assert_eq!(journal.hellos()[0].server_name.as_deref(), Some(NAME));
    assert!(journal.requests()[0].ends_with("GetAuthConfig"));
    assert_eq!(journal.connections("upstream:8531"), 3);
}

#[tokio::test]
async fn the_policy_chooses_the_suite() {
    let (authority, journal) = (site_authority(), Journal::default());
    let policy = Policy { versions: vec![0x0303], suites: Some(vec![0xc02f, 0xc030]), ..Policy::default() };
    let server = tls_site(policy, &authority, &journal);
    let session = tls(server.address, &authority).await.unwrap();
    assert_eq!(u16::from(session.get_ref().1.negotiated_cipher_suite().unwrap().suite()), 0xc02f);
}

#[tokio::test]
async fn a_refusal_is_the_policys() {
    let (authority, journal) = (site_authority(), Journal::default());
    let old = old_hello(0x0301, &[0xc014, 0x002f]);
    let none = old_hello(0x0303, &[0x0005]);
    let refusing = |refusal| {
        let policy = Policy { versions: vec![0x0303], refusal, ..Policy::default() };
        tls_site(policy, &authority, &journal)
    };
    let server = refusing(Refusal::Alert(None));
    assert_eq!(say(server.address, &old).await, (vec![21, 3, 1, 0, 2, 2, 70], None));
    assert_eq!(say(server.address, &none).await, (vec![21, 3, 3, 0, 2, 2, 40], None));
    let server = refusing(Refusal::Alert(Some(86)));
    assert_eq!(say(server.address, &old).await.0[6], 86);
    let server = refusing(Refusal::Reset);
    assert_eq!(say(server.address, &old).await, (vec![], Some(std::io::ErrorKind::ConnectionReset)));
    let server = refusing(Refusal::Close);
    assert_eq!(say(server.address, &old).await, (vec![], None));
    let policy = Policy { when: RefuseWhen::Always, refusal: Refusal::Close, ..Policy::default() };
    let server = tls_site(policy, &authority, &journal);
    assert!(tls(server.address, &authority).await.is_err());
}

#[tokio::test]
async fn a_name_that_is_not_known_is_refused() {
    let (authority, journal) = (site_authority(), Journal::default());
    let policy = Policy { names: Some(vec!["other.example.com".to_owned()]), ..Policy::default() };
    let server = tls_site(policy, &authority, &journal);
    assert_eq!(say(server.address, &old_hello(0x0303, &[0xc02f])).await.0[6], 112);
}

#[tokio::test]
async fn an_old_session_is_a_clear_flight() {
    let (authority, journal) = (site_authority(), Journal::default());
    let policy = Policy {
        versions: vec![0x0301],
        suites: Some(vec![0xc014, 0x002f]),
        groups: vec![0x0017],
        client_certificate: ClientCertificate::Optional,
        ..Policy::default()
    };
    let server = tls_site(policy, &authority, &journal);
    let (flight, _) = say(server.address, &old_hello(0x0302, &[0x002f, 0xc014])).await;
    assert_eq!(flight[..3], [22, 3, 1]);
    let mut messages = Vec::new();
    let mut rest = &flight[..];
    while !rest.is_empty() {
        let size = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
        messages.extend_from_slice(&rest[5..5 + size]);
        rest = &rest[5 + size..];
    }
    let mut kinds = Vec::new();
    let mut certificate = Vec::new();
    let mut rest = &messages[..];
    while !rest.is_empty() {
        let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        kinds.push(rest[0]);
        let body = &rest[4..4 + size];
        match rest[0] {
            2 => assert_eq!((body[0], body[1], &body[67..69]), (3, 1, &[0xc0, 0x14][..])),
            11 => {
                let size = u32::from_be_bytes([0, body[3], body[4], body[5]]) as usize;
                certificate = body[6..6 + size].to_vec();
            }
            _ => {}
        }
        rest = &rest[4 + size..];
    }
    assert_eq!(kinds, [2, 11, 12, 13, 14]);
    assert_eq!(certificate, leaf(&authority).der.to_vec());
}

#[tokio::test]
async fn a_required_client_certificate_ends_the_session() {
    let (authority, journal) = (site_authority(), Journal::default());
    for (asked, served) in [(ClientCertificate::Optional, true), (ClientCertificate::Required, false)] {
        let policy = Policy { versions: vec![0x0303], client_certificate: asked, ..Policy::default() };
        let server = tls_site(policy, &authority, &journal);
        let session = tls(server.address, &authority).await;
        assert_eq!(session.is_ok(), served, "{asked:?}");
    }
}

#[tokio::test]
async fn a_wrong_scheme_is_answered_as_http_sys_does() {
    let (authority, journal) = (site_authority(), Journal::default());
    let site = Site::wsus(NAME, Clock::starting_at(now()));
    let plain = upstream::serve_http("upstream:8530", &journal, Arc::new(site)).unwrap();
    let (answer, _) = say(plain.address, &old_hello(0x0303, &[0xc02f])).await;
    let text = String::from_utf8(answer).unwrap();
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{} in {head}", body.len());
    let secure = tls_site(Policy::default(), &authority, &journal);
    let (answer, end) = say(secure.address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.len(), end), (0, Some(std::io::ErrorKind::ConnectionReset)));
}

#[tokio::test]
async fn directories_answer_as_they_were_told() {
    let journal = Journal::default();
    let mut site = Site::wsus(NAME, Clock::starting_at(1_781_524_800));
    site.directories.insert("serversyncwebservice".to_owned(), Answer::SslRequired);
    site.directories.insert("dssauthwebservice".to_owned(), Answer::PoolDown);
    site.directories.insert("selfupdate".to_owned(), Answer::Absent);
    site.methods.insert("GetConfig".to_owned(), Answer::Fault("ServerBusy".to_owned()));
    let server = upstream::serve_http("upstream:8530", &journal, Arc::new(site)).unwrap();
    let get = |path: &str, more: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n{more}\r\n");
        async move { ask(&mut TcpStream::connect(server.address).await.unwrap(), &request).await }
    };
    let sync = auth_config("/ServerSyncWebService/ServerSyncWebService.asmx");
    let answer = ask(&mut TcpStream::connect(server.address).await.unwrap(), &sync).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let answer = get("/DssAuthWebService/DssAuthWebService.asmx", "").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("Microsoft-HTTPAPI/2.0"), "{answer}");
    assert!(get("/selfupdate/wuident.cab", "").await.starts_with("HTTP/1.1 404 "));
    let fault = auth_config("/ClientWebService/client.asmx").replace("GetAuthConfig", "GetConfig");
    let fault =
        fault.replace("Content-Length", "X-Was").replace("\r\n\r\n", "\r\nContent-Length: 10\r\n\r\n");
    let fault = ask(&mut TcpStream::connect(server.address).await.unwrap(), &fault).await;
    assert!(fault.starts_with("HTTP/1.1 500 ") && fault.contains("<ErrorCode>ServerBusy<"), "{fault}");
    let range = get("/Content/AA/00AA.exe", "Range: bytes=0-3\r\n").await;
    assert!(range.starts_with("HTTP/1.1 206 ") && range.ends_with("\r\n\r\nMSCF"), "{range}");
    assert!(range.contains("Mon, 15 Jun 2026 12:00:0"), "{range}");
}

fn open_proxy(journal: &Journal, target: SocketAddr, change: impl FnOnce(&mut Config)) -> Running {
    let table = Arc::new(move |host: &str, _: u16| (host == NAME).then_some(target));
    let mut config = Config::open(table, Clock::starting_at(now()));
    change(&mut config);
    proxy::serve("proxy", journal, config).unwrap()
}

async fn connect(proxy: SocketAddr, target: &str, more: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap() else { break };
        head.push(byte);
    }
    (stream, String::from_utf8_lossy(&head).into_owned())
}

#[tokio::test]
async fn a_proxy_tunnels_and_passes_on() {
    let (authority, journal) = (site_authority(), Journal::default());
    let server = tls_site(Policy::default(), &authority, &journal);
    let proxy = open_proxy(&journal, server.address, |_| {});
    let (stream, head) = connect(proxy.address, "upstream.example.com:8531", "").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let name = ServerName::try_from(NAME).unwrap();
    let mut session = connector(&authority).connect(name, stream).await.unwrap();
    let request = auth_config("/ServerSyncWebService/ServerSyncWebService.asmx");
    assert!(ask(&mut session, &request).await.starts_with("HTTP/1.1 200 "));
    let site = Site::wsus(NAME, Clock::starting_at(now()));
    let plain = upstream::serve_http("upstream:8530", &journal, Arc::new(site)).unwrap();
    let proxy = open_proxy(&journal, plain.address, |_| {});
    let request =
        auth_config("http://upstream.example.com:8530/ServerSyncWebService/ServerSyncWebService.asmx");
    let answer = ask(&mut TcpStream::connect(proxy.address).await.unwrap(), &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (_, head) = connect(proxy.address, "nowhere.example.com:443", "").await;
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("ERR_DNS_FAIL"), "{head}");
    assert_eq!(
        journal.tunnels(),
        ["upstream.example.com:8531", "upstream.example.com:8530", "nowhere.example.com:443"]
    );
}

#[tokio::test]
async fn a_proxy_asks_for_credentials() {
    let journal = Journal::default();
    let proxy = open_proxy(&journal, "127.0.0.1:1".parse().unwrap(), |config| {
        config.mode = Mode::Authenticate;
        config.challenges = vec!["Negotiate".to_owned(), "Basic realm=\"lab\"".to_owned()];
        config.accepts = Some("user:secret".to_owned());
        config.to.insert(":8443".to_owned(), Mode::Forbidden);
    });
    let (_, head) = connect(proxy.address, "upstream.example.com:443", "").await;
    assert!(head.starts_with("HTTP/1.1 407 "), "{head}");
    assert_eq!(head.to_lowercase().matches("proxy-authenticate:").count(), 2);
    let wrong = "Proxy-Authorization: Basic dXNlcjp3cm9uZw==\r\n";
    assert!(connect(proxy.address, "upstream.example.com:443", wrong).await.1.contains(" 407 "));
    let right = "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n";
    // Let in, and then nothing listens at the destination.
    assert!(connect(proxy.address, "upstream.example.com:443", right).await.1.contains(" 503 "));
    assert!(connect(proxy.address, "upstream.example.com:8443", right).await.1.contains(" 403 "));
}

#[tokio::test]
async fn ntlm_takes_two_messages_on_one_connection() {
    let journal = Journal::default();
    let serve = |mode, accepts_final| {
        open_proxy(&journal, "127.0.0.1:1".parse().unwrap(), move |config| {
            config.mode = mode;
            config.accepts_final = accepts_final;
            config.challenges = vec!["NTLM".to_owned()];
        })
    };
    let target = "upstream.example.com:443";
    // "NTLMSSP", a zero, and 1 or 3 in four bytes.
    let first = "Proxy-Authorization: NTLM TlRMTVNTUAABAAAA\r\n";
    let last = "Proxy-Authorization: NTLM TlRMTVNTUAADAAAA\r\n";
    for (mode, accepts_final, ends) in [
        (Mode::Authenticate, true, " 503 "),
        (Mode::Authenticate, false, " 407 "),
        (Mode::AuthenticateAlways, true, " 407 "),
    ] {
        let proxy = serve(mode, accepts_final);
        let (mut stream, head) = connect(proxy.address, target, first).await;
        let head = head.to_lowercase();
        assert!(head.contains("proxy-authenticate: ntlm tlrmtvntuaac"), "{head}");
        let length = head.split_once("content-length: ").unwrap().1.split("\r\n").next().unwrap();
        stream.read_exact(&mut vec![0; length.parse().unwrap()]).await.unwrap();
        stream.write_all(format!("CONNECT {target} HTTP/1.1\r\n{last}\r\n").as_bytes()).await.unwrap();
        let mut head = vec![0; 24];
        stream.read_exact(&mut head).await.unwrap();
        assert!(String::from_utf8_lossy(&head).contains(ends), "{head:?}");
    }
    let proxy = serve(Mode::AuthenticateTokenless, true);
    let (_, head) = connect(proxy.address, target, first).await;
    assert!(head.to_lowercase().contains("proxy-authenticate: ntlm\r\n"), "{head}");
    let proxy = serve(Mode::AuthenticateBroken, true);
    assert_eq!(connect(proxy.address, target, first).await.1, "");
}

#[tokio::test]
async fn an_inspecting_proxy_signs_again() {
    let (authority, journal) = (site_authority(), Journal::default());
    let inspector =
        Authority::new(&AuthoritySpec::new("inspector", "Proxy Root", "Proxy CA", now())).unwrap();
    let server = tls_site(Policy::default(), &authority, &journal);
    let proxy = open_proxy(&journal, server.address, |config| {
        config.mode = Mode::Inspect;
        config.inspector = Some(inspector.clone());
    });
    let (stream, _) = connect(proxy.address, "upstream.example.com:8531", "").await;
    let name = ServerName::try_from(NAME).unwrap();
    assert!(connector(&authority).connect(name.clone(), stream).await.is_err());
    let (stream, _) = connect(proxy.address, "upstream.example.com:8531", "").await;
    let mut session = connector(&inspector).connect(name, stream).await.unwrap();
    let request = auth_config("/ServerSyncWebService/ServerSyncWebService.asmx");
    assert!(ask(&mut session, &request).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_proxy_that_closes_the_tunnel_and_one_that_is_none() {
    let journal = Journal::default();
    let target = "127.0.0.1:1".parse().unwrap();
    let proxy = open_proxy(&journal, target, |config| config.mode = Mode::CloseTunnel);
    let (mut stream, head) = connect(proxy.address, "upstream.example.com:443", "").await;
    assert!(head.contains(" 200 "), "{head}");
    assert_eq!(tokio::time::timeout(PATIENCE, stream.read(&mut [0; 16])).await.unwrap().unwrap(), 0);
    let ssh = proxy::stranger("proxy", &journal, Stranger::Ssh).unwrap();
    let mut stream = TcpStream::connect(ssh.address).await.unwrap();
    let mut banner = [0; 4];
    stream.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-");
    let portal = open_proxy(&journal, target, |config| config.mode = Mode::Portal);
    assert!(connect(portal.address, "upstream.example.com:443", "").await.1.contains("text/html"));
}

#[tokio::test]
async fn hostile_answers_are_hostile() {
    let journal = Journal::default();
    let mut site = Site::wsus(NAME, Clock::starting_at(now()));
    for (directory, fate) in [
        ("content", Fate::HugeHeaders),
        ("selfupdate", Fate::EndlessHeader),
        ("clientwebservice", Fate::Drip),
        ("serversyncwebservice", Fate::Truncated),
        ("dssauthwebservice", Fate::Silence),
    ] {
        site.directories.insert(directory.to_owned(), Answer::Sent(fate));
    }
    let server = upstream::serve_http("upstream:8530", &journal, Arc::new(site)).unwrap();
    let read = async |path: &str, most: usize, patience: u64| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\n\r\n").as_bytes()).await.unwrap();
        let (mut size, mut blanks, mut buffer) = (0, false, vec![0; 65_536]);
        let all = async {
            while size < most {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return true,
                    Ok(n) => {
                        size += n;
                        blanks |= buffer[..n].windows(4).any(|w| w == b"\r\n\r\n");
                    }
                }
            }
            false
        };
        let ended = tokio::time::timeout(Duration::from_millis(patience), all).await.unwrap_or(false);
        (size, blanks, ended)
    };
    let (size, blanks, _) = read("/Content/AA/00.exe", 50_000_000, 20_000).await;
    assert!(size >= 50_000_000 && !blanks, "{size}");
    let (size, blanks, _) = read("/SelfUpdate/wuident.cab", 5_000_000, 20_000).await;
    assert!(size >= 5_000_000 && !blanks, "{size}");
    let (size, _, ended) = read("/ClientWebService/wusserverversion.xml", 1_000, 300).await;
    assert!((1..4).contains(&size) && !ended, "{size}");
    let (_, blanks, ended) = read("/ServerSyncWebService/ServerSyncWebService.asmx", 1_000_000, 20_000).await;
    assert!(blanks && ended);
    assert_eq!(read("/DssAuthWebService/DssAuthWebService.asmx", 1, 300).await, (0, false, false));
}

#[tokio::test]
async fn a_socks_proxy_passes_on_and_refuses() {
    let journal = Journal::default();
    let site = Site::wsus(NAME, Clock::starting_at(now()));
    let server = upstream::serve_http("upstream:8530", &journal, Arc::new(site)).unwrap();
    let target = server.address;
    let serve = |accepts: Option<&str>, refuses| {
        let table = Arc::new(move |host: &str, _: u16| (host == NAME).then_some(target));
        let accepts = accepts.map(str::to_owned);
        socks::serve("proxy", &journal, socks::Config { table, accepts, refuses }).unwrap()
    };
    let name = [&[5, 1, 0, 3, NAME.len() as u8], NAME.as_bytes(), &8530_u16.to_be_bytes()].concat();
    let get = format!("GET /SelfUpdate/wuident.cab HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n");
    let open = async |proxy: &Running, hello: &[u8], said: &[u8], request: &[u8]| {
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        stream.write_all(hello).await.unwrap();
        let mut answer = vec![0; said.len()];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, said);
        let mut reply = vec![0; if hello.first() == Some(&5) { 10 } else { 8 }];
        stream.write_all(request).await.unwrap();
        stream.read_exact(&mut reply).await.unwrap();
        (stream, reply[1])
    };
    let proxy = serve(None, None);
    let (mut stream, code) = open(&proxy, &[5, 1, 0], &[5, 0], &name).await;
    assert_eq!(code, 0);
    assert!(ask(&mut stream, &get).await.starts_with("HTTP/1.1 200 "));
    let four = [&[4, 1, 0x21, 0x52, 0, 0, 0, 1, b'u', 0], NAME.as_bytes(), &[0]].concat();
    let (mut stream, code) = open(&proxy, &[], &[], &four).await;
    assert_eq!(code, 90);
    assert!(ask(&mut stream, &get).await.starts_with("HTTP/1.1 200 "));
    let nowhere = [5, 1, 0, 3, 1, b'x', 0, 80];
    assert_eq!(open(&proxy, &[5, 1, 0], &[5, 0], &nowhere).await.1, 4);
    assert_eq!(open(&serve(None, Some(2)), &[5, 1, 0], &[5, 0], &name).await.1, 2);
    let secret = [5, 1, 2, 1, 1, b'u', 1, b'p'];
    let (_, code) = open(&serve(Some("u:p"), None), &secret, &[5, 2, 1, 0], &name).await;
    assert_eq!(code, 0);
    assert_eq!(journal.tunnels().len(), 5);
}

#[tokio::test]
async fn dead_ends_are_dead() {
    let hole = BlackHole::open().unwrap();
    let tried = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(hole.address)).await;
    assert!(tried.is_err(), "{tried:?}");
    let closed = ClosedPort::open().unwrap();
    let refused = TcpStream::connect(closed.address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let no_route = TcpStream::connect((UNREACHABLE, 443)).await.unwrap_err();
    assert_eq!(no_route.kind(), std::io::ErrorKind::NetworkUnreachable);
}

#[tokio::test]
async fn a_line_cuts_slices_and_loses() {
    let (authority, journal) = (site_authority(), Journal::default());
    let server = tls_site(Policy::default(), &authority, &journal);
    let sliced = link::open(server.address, Faults { slicer: Some(7), ..Faults::default() }).unwrap();
    tls(sliced.address, &authority).await.unwrap();
    let cut = link::open(server.address, Faults { limit: Some(100), ..Faults::default() }).unwrap();
    assert!(tls(cut.address, &authority).await.is_err());
    let hole = link::open(server.address, Faults { hole: Some(1_300), ..Faults::default() }).unwrap();
    let hanging = tokio::time::timeout(Duration::from_millis(500), tls(hole.address, &authority)).await;
    assert!(hanging.is_err(), "a full flight must not arrive");
    // A small answer does.
    assert_eq!(say(hole.address, &old_hello(0x0301, &[0x002f])).await.0[6], 70);
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let journal = Journal::default();
    let site = Site::wsus(NAME, Clock::starting_at(now()));
    let server = upstream::serve_http("upstream:8530", &journal, Arc::new(site)).unwrap();
    let address = server.address;
    let mut stream = TcpStream::connect(address).await.unwrap();
    drop(server);
    assert!(matches!(
        tokio::time::timeout(PATIENCE, stream.read(&mut [0; 16])).await.unwrap(),
        Ok(0) | Err(_)
    ));
    assert!(TcpStream::connect(address).await.is_err());
}

#[test]
fn a_malformed_hello_is_none() {
    let good = old_hello(0x0303, &[0xc02f]);
    let body = &good[9..];
    let read = hello::parse(body).unwrap();
    assert_eq!((read.server_name.as_deref(), read.suites.as_slice()), (Some(NAME), &[0xc02f][..]));
    // A hello may end before its extensions; any other cut is an error.
    for cut in 36..body.len() {
        if cut != 2 + 32 + 1 + 2 + 2 + 2 {
            assert!(hello::parse(&body[..cut]).is_none(), "cut at {cut}");
        }
    }
}
