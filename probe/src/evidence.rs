//! What was seen: observations, the paths they belong to, and the form in which they are saved.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::Fact;
use crate::settings::{ProxyHop, Settings};

/// The version of the saved form.
pub const SCHEMA: u32 = 1;

/// Where on the way a step or a finding belongs, in the order in which a synchronization meets them; the last three
/// stand apart.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// What the server is told to do.
    Config,
    /// Name resolution.
    Name,
    /// TCP connection.
    Dial,
    /// The proxy that WSUS is told to use.
    Proxy,
    /// The TLS handshake, without the certificates.
    Tls,
    /// The certificates.
    Trust,
    /// HTTP.
    Http,
    /// The WSUS services.
    Wsus,
    /// Update files.
    Content,
    /// What happened before.
    History,
    /// Export packages.
    Offline,
    /// Files handed over.
    Input,
    /// What no rule explains.
    Unexplained,
}

impl Layer {
    /// The layer's word, as in ids.
    pub fn word(self) -> &'static str {
        match self {
            Layer::Config => "config",
            Layer::Name => "name",
            Layer::Dial => "dial",
            Layer::Proxy => "proxy",
            Layer::Tls => "tls",
            Layer::Trust => "trust",
            Layer::Http => "http",
            Layer::Wsus => "wsus",
            Layer::Content => "content",
            Layer::History => "history",
            Layer::Offline => "offline",
            Layer::Input => "input",
            Layer::Unexplained => "unexplained",
        }
    }

    /// The layer that an id such as `dial/refused` belongs to.
    pub fn of_id(id: &str) -> Option<Layer> {
        let word = id.split('/').next()?;
        use Layer::*;
        [Config, Name, Dial, Proxy, Tls, Trust, Http, Wsus, Content, History, Offline, Input, Unexplained]
            .into_iter()
            .find(|layer| layer.word() == word)
    }
}

/// `host:port`, an IPv6 host in brackets.
pub fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn word(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// The host in the name in use, without brackets, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path on it, with its leading slash.
    pub path: String,
}

impl Target {
    /// `host:port`, the subject of most findings.
    pub fn subject(&self) -> String {
        host_port(&self.host, self.port)
    }

    /// The whole URL; the port is left out where it is the scheme's own.
    pub fn url(&self) -> String {
        let default = if self.scheme == Scheme::Https { 443 } else { 80 };
        let authority = if self.port == default {
            let whole = self.subject();
            whole.rsplit_once(':').map(|(host, _)| host.to_string()).unwrap_or(whole)
        } else {
            self.subject()
        };
        format!("{}://{authority}{}", self.scheme.word(), self.path)
    }
}

/// Why a path is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathRole {
    /// The source of synchronization as configured, or a WSUS base as asked: up to GetAuthConfig.
    Source,
    /// A URL asked for with a path of its own: judged by its status.
    Url,
    /// The client's web service beside the source.
    Client,
    /// The SelfUpdate directory beside the source.
    SelfUpdate,
    /// Another of the four ports on which WSUS is found.
    OtherPort,
    /// The source without the configured proxy.
    Direct,
    /// The source through a proxy that WinHTTP has and WSUS has not.
    WinHttp,
    /// Another host through the same proxy.
    Control,
    /// A plain HTTP answer whose date is a clock that is not ours.
    Clock,
    /// The endpoint that the repair would set.
    Repair,
    /// A server whose TLS is asked for.
    Tls,
    /// Another host through the proxy that WSUS uses for the other scheme.
    OtherProxy,
}

/// What a path asks at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// SOAP GetAuthConfig of the server-to-server service (MS-WSUSSS).
    AuthConfig,
    /// SOAP GetConfig of the client's service (MS-WUSP).
    ClientConfig,
    /// GET of the path.
    Get,
    /// GET of SelfUpdate's wuident.cab, then iuident.cab.
    SelfUpdate,
    /// Nothing over HTTP: what the server's TLS speaks.
    Tls,
}

/// One direction that was walked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PathInfo {
    /// `p1`, `p2` …
    pub id: String,
    /// Why it is walked.
    pub role: PathRole,
    /// Whether synchronization (or the question as asked) needs it.
    pub needed: bool,
    /// Where it leads.
    pub target: Target,
    /// The proxy on the way.
    pub proxy: Option<ProxyHop>,
    /// What is asked at its end.
    pub ask: Ask,
    /// The last layer that it goes to.
    pub until: Layer,
}

/// What one step saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// `o1`, `o2` …
    pub id: String,
    /// The path's id.
    pub path: String,
    /// The address of the lane, where there is one, before any redirection: the proxy's where a proxy is on the way.
    pub lane: Option<String>,
    /// Where it belongs.
    pub layer: Layer,
    /// `host:port` in the name in use.
    pub subject: String,
    /// When it began.
    pub at: jiff::Timestamp,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// What a differential asks; absent for the path's own step.
    pub question: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The peer's first bytes, at most 256, escaped to printable ASCII.
    pub raw: Option<String>,
}

/// What came of a step. A refused connection is a successful observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// A name was asked for.
    Name {
        /// The server as `IP:PORT`, or `system`.
        server: String,
        /// `A`, `AAAA`, or `any` of the system's resolver.
        record: String,
        /// `udp`, `tcp` or `system`.
        over: String,
        /// The answer.
        answer: NameAnswer,
    },
    /// A TCP connection was tried.
    Dial {
        /// The address connected to, before redirection.
        address: SocketAddr,
        /// The answer.
        answer: DialAnswer,
    },
    /// A proxy was asked.
    Proxy {
        /// The request line's method and target.
        asked: String,
        /// The last answer.
        answer: ProxyAnswer,
        /// What was done about credentials, where the proxy demanded them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        auth: Option<Box<ProxyAuth>>,
    },
    /// A crafted ClientHello was sent.
    Hello {
        /// What it offered.
        offer: Offer,
        /// The answer.
        answer: HelloAnswer,
    },
    /// What a server speaks was asked by many hellos.
    Spoken(Box<Spoken>),
    /// A presented chain was looked at.
    Chain(Box<ChainSeen>),
    /// A real handshake was tried.
    Handshake {
        /// The answer.
        answer: HandshakeAnswer,
        /// What the TLS library's own verifier said of the chain; empty if content.
        verifier: String,
        /// Whether the server asked for a client certificate.
        client_certificate_asked: bool,
        /// The TLS library that made it: `rustls`, or the system's, as `OpenSSL 3.0.19`. Empty: an older report.
        #[serde(default)]
        library: String,
    },
    /// An HTTP request was sent.
    Http {
        /// `GET` or `POST`.
        method: String,
        /// The URL asked for.
        url: String,
        /// The answer.
        answer: HttpAnswer,
    },
    /// An HTTP answer was read as SOAP.
    Soap {
        /// The operation asked for.
        operation: String,
        /// What it holds.
        answer: SoapAnswer,
    },
    /// The step was not reached.
    NotReached {
        /// The observation that ended the lane, or `own client`.
        because: String,
        /// Why, in words.
        says: String,
    },
    /// The step was not asked.
    NotAsked {
        /// Why not.
        reason: String,
    },
}

/// What a resolver answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum NameAnswer {
    /// Addresses.
    Addresses {
        /// In the order given.
        addresses: Vec<IpAddr>,
        /// The last name of the alias chain, where there was one.
        canonical: Option<String>,
    },
    /// NXDOMAIN (RFC 1035 section 4.1.1, RCODE 3).
    NotFound,
    /// The name exists and has no such record.
    NoAddress,
    /// SERVFAIL (RCODE 2).
    ServerFailure,
    /// REFUSED (RCODE 5).
    Refused,
    /// No answer in time.
    Timeout,
    /// The system's resolver gave up for now: its servers failed or did not answer, and which of it is not said
    /// (EAI_AGAIN, WSATRY_AGAIN).
    TryAgain,
    /// An answer that is none.
    Malformed {
        /// Why.
        why: String,
    },
    /// Another failure: another RCODE, or the socket's own.
    Failed {
        /// Which.
        why: String,
    },
}

/// What a connection attempt met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum DialAnswer {
    /// Connected.
    Connected,
    /// Actively refused.
    Refused,
    /// No answer in time.
    Timeout,
    /// No route, or a router says so.
    Unreachable {
        /// The system's words.
        why: String,
    },
    /// Another failure.
    Failed {
        /// The system's words.
        why: String,
    },
}

/// How a stream ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Broken {
    /// Closed in order (FIN).
    Closed,
    /// Reset (RST).
    Reset,
    /// Nothing more came in time.
    Timeout,
}

/// What bytes that are not the expected protocol look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Looks {
    /// A TLS record.
    Tls,
    /// An HTTP answer.
    Http,
    /// A line of text that a server sends unasked, such as SSH's or SMTP's.
    Banner,
    /// Nothing known.
    Unknown,
    /// More than this program reads.
    TooLarge,
}

/// What a proxy answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum ProxyAnswer {
    /// A 2xx to CONNECT, or a SOCKS grant: the tunnel stands. Of a request with the whole URL: it was let through after a
    /// logon, and what answered it is the next observation.
    Granted,
    /// An HTTP status that is no grant.
    Status {
        /// The status code.
        code: u16,
        /// The reason phrase, escaped.
        reason: String,
        /// The names of the schemes of `Proxy-Authenticate`, in order.
        schemes: Vec<String>,
        /// Telling headers, by lower-case name (via, server, x-squid-error, proxy-status, location, date …), escaped.
        headers: Vec<(String, String)>,
        /// The beginning of the body, escaped, at most 512 characters.
        body: String,
        /// Whether a header or the body says that the destination's name could not be resolved.
        says_dns: bool,
        /// Whether the body or a header says that the port is not allowed.
        says_port: bool,
    },
    /// Something that is no HTTP.
    NotHttp {
        /// What it looks like.
        looks: Looks,
    },
    /// Nothing but an end.
    Broken {
        /// How.
        how: Broken,
    },
    /// The tunnel stood and was closed before a byte was sent into it.
    ClosedTunnel,
    /// A SOCKS refusal.
    Socks {
        /// What it says.
        #[serde(default)]
        refusal: SocksRefusal,
        /// The reply in words.
        why: String,
    },
}

/// What a SOCKS proxy refuses with: the reply's code (RFC 1928, section 6; SOCKS4), or the end of the logon before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SocksRefusal {
    /// Without credentials it gives nothing (RFC 1928, section 3).
    LogonDemanded,
    /// The user and the password (RFC 1929).
    Password,
    /// The user's name (version 4, codes 92 and 93).
    UserName,
    /// Its rules do not allow the connection (2).
    NotAllowed,
    /// It cannot reach the network or the host, or was refused there (3, 4, 5, 6).
    NotReached,
    /// Anything else: a failure that it does not explain, or what is no word of SOCKS.
    #[default]
    Other,
}

/// How far a logon at a proxy came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthStage {
    /// Credentials were demanded, and this run was given none.
    #[default]
    Demanded,
    /// They were accepted: whatever the answer says comes after that.
    Accepted,
    /// The final message was answered with another demand, or the KDC refused the password.
    Rejected,
    /// The scheme could not be carried through.
    Broken,
    /// The connection ended, or was announced to end, after the first message and before the last.
    ClosedBetweenLegs,
    /// This run has credentials and sent none here.
    NotSent,
}

/// What was done about the credentials that a proxy demanded. No credential is ever part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProxyAuth {
    /// How far it came.
    pub stage: AuthStage,
    /// The scheme that was used: `Negotiate`, `NTLM`, `Digest`, `Basic`, `SOCKS5 password`; empty if none was.
    pub scheme: String,
    /// What went under `Negotiate`: `kerberos` or `ntlm`; `ntlm` under `NTLM`; else empty.
    pub mechanism: String,
    /// Why it came no further, in words; empty where it was accepted.
    pub why: String,
    /// Requests that were answered on the way, the first without credentials among them.
    pub rounds: u32,
    /// The schemes that the proxy offered, in order, where it was asked without credentials.
    pub offered: Vec<String>,
    /// Schemes that were offered and could not be answered.
    pub passed_over: Vec<PassedOver>,
    /// The name that a ticket was asked for, `HTTP/HOST`; empty where none was.
    pub spn: String,
    /// Whether no user was named and the logon was that of the account that the run was under (Windows alone).
    pub own: bool,
}

/// A scheme that was offered and could not be answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PassedOver {
    /// The scheme.
    pub scheme: String,
    /// Why, in words.
    pub why: String,
}

/// The words of the differentials about TLS, by which rules find what the walk asked.
pub mod question {
    /// TLS 1.0 and nothing else, with everything that it may have.
    pub const TLS10_ALONE: &str = "TLS 1.0 alone";
    /// TLS 1.1 and nothing else.
    pub const TLS11_ALONE: &str = "TLS 1.1 alone";
    /// TLS 1.3 and nothing else.
    pub const TLS13_ALONE: &str = "TLS 1.3 alone";
    /// The client's hello with every suite.
    pub const EVERY_SUITE: &str = "every suite at TLS 1.2";
    /// The client's hello with every group.
    pub const EVERY_GROUP: &str = "every group at TLS 1.2";
    /// The client's hello with every signature algorithm.
    pub const EVERY_SIGNATURE: &str = "every signature algorithm at TLS 1.2";
    /// Both of the last.
    pub const EVERY_GROUP_AND_SIGNATURE: &str = "every group and signature at TLS 1.2";
    /// All three.
    pub const EVERYTHING: &str = "every suite, group and signature at TLS 1.2";
    /// What this server's Windows sends where nothing is set on it.
    pub const UNCHANGED: &str = "this Windows Server without its own settings";
    /// This server's hello with TLS 1.2, where its settings leave it out.
    pub const WITH_TLS12: &str = "TLS 1.2 as this Windows Server would send it";
    /// The client's hello without suites in cipher block chaining mode.
    pub const WITHOUT_CBC: &str = "the same hello without CBC suites";
    /// A hello that no server can take, for the size of its answer.
    pub const SMALL_ANSWER: &str = "an answer of a few bytes";
    /// The hello of this server's manual import.
    pub const IMPORT: &str = "the hello of a manual import";
    /// The chain that is shown at a version which the client does not offer.
    pub const OTHER_VERSION_CHAIN: &str = "the certificate at another version";
    /// TLS, asked of a proxy that answers nothing.
    pub const TLS_TO_PROXY: &str = "TLS to the proxy itself";
    /// A tunnel to another host, asked of a proxy that answers nothing.
    pub const OTHER_DESTINATION: &str = "another destination through the same proxy";
    /// A tunnel to port 443, asked of a proxy that gives none to another port.
    pub const PORT_443: &str = "the same destination on port 443";
    /// A tunnel that is left alone.
    pub const EMPTY_TUNNEL: &str = "a tunnel into which nothing is sent";
    /// The client's hello to another host through the same proxy.
    pub const OTHER_HOST: &str = "the same hello to another host";
    /// TLS, asked of a port that did not answer plain HTTP as wanted.
    pub const TLS_ON_PORT: &str = "TLS on the same port";
    /// An enumeration.
    pub const SPOKEN: &str = "what the server speaks";

    /// The hello of a Windows Server by default.
    pub fn client(name: &str) -> String {
        format!("the hello of {name}")
    }

    /// The hello of a program of the server that is asked about.
    pub fn own_client(caller: &str) -> String {
        format!("the hello of this server: {caller}")
    }
}

impl Offer {
    /// Whether the client goes on with this version.
    pub fn takes(&self, version: u16) -> bool {
        version == self.version || self.versions.contains(&version)
    }
}

/// What a ClientHello offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// Whose hello it is: a profile's id such as `ws2019`, or `all`.
    pub client: String,
    /// What of this server's own settings made it differ from the profile's default; empty: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
    /// The program that says hello: `synchronization`, `import`, `content`; empty where it is none of a Windows Server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub caller: String,
    /// The highest version offered, as in the handshake (`0x0303` is TLS 1.2, `0x0304` is TLS 1.3).
    pub version: u16,
    /// The versions that the client takes in answer, the lowest first; empty: the highest alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<u16>,
    /// The suites offered, in order.
    pub suites: Vec<u16>,
    /// The named groups offered, in order.
    #[serde(default)]
    pub groups: Vec<u16>,
    /// The signature algorithms offered, in order.
    #[serde(default)]
    pub signatures: Vec<u16>,
}

/// What a server speaks, found by hellos that differ in one thing each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spoken {
    /// The versions, the lowest first, whether spoken or not.
    pub versions: Vec<SpokenVersion>,
    /// The named groups, those of TLS 1.3 and of TLS 1.2; empty where they were not asked for.
    pub groups: Vec<SpokenGroup>,
    /// The signature algorithms that the server signs its key exchange with at TLS 1.2, or takes at TLS 1.3.
    pub signatures: Vec<SpokenSignature>,
    /// The application protocols, escaped.
    pub alpn: Vec<String>,
    /// Answers that no server should give, each once.
    pub odd: Vec<Oddity>,
    /// How it was asked.
    pub plan: SpokenPlan,
    /// The round trip that was measured, connection included, in microseconds.
    pub round_trip_us: u64,
    /// How many hellos were sent.
    pub handshakes: u32,
    /// How many connections were opened.
    pub connections: u32,
    /// How many rounds one after the other: a connection and its hello are one.
    pub rounds: u32,
    /// Why it is not complete; empty where it is.
    pub unfinished: String,
}

/// How a server was asked what it speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SpokenPlan {
    /// Few handshakes: a version's suites one after the other, versions side by side.
    #[default]
    Near,
    /// Few rounds: many hellos side by side, split where one is answered.
    Far,
    /// One connection at a time.
    Polite,
}

/// One version of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpokenVersion {
    /// As on the wire.
    pub version: u16,
    /// The suites: in the server's order where it decides, else in the order in which they were found. Empty: the
    /// version is not spoken. SSL 3.0 is asked for one.
    pub suites: Vec<u16>,
    /// Who decides; none where fewer than two suites were found.
    pub order: Option<SuiteOrder>,
    /// What a hello that the version does not take met: `alert 70, protocol_version`.
    pub refusal: String,
}

/// Who decides which suite is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SuiteOrder {
    /// The server.
    Server,
    /// The client.
    Client,
}

/// A named group that a server takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpokenGroup {
    /// IANA's code point.
    pub code: u16,
    /// The versions at which it is taken, as on the wire.
    pub versions: Vec<u16>,
}

/// A signature algorithm that a server takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpokenSignature {
    /// IANA's code point.
    pub code: u16,
    /// The versions at which it is taken, as on the wire.
    pub versions: Vec<u16>,
}

/// An answer that no server should give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "oddity", rename_all = "kebab-case")]
pub enum Oddity {
    /// A suite, version or group that was not offered.
    NotOffered {
        /// The version chosen.
        version: u16,
        /// The suite chosen.
        suite: u16,
        /// The highest version offered.
        offered: u16,
    },
    /// Hellos that are longer than a client's are refused, whatever they offer.
    LongHello,
    /// An alert after the ServerHello.
    AlertAfter {
        /// The suite chosen.
        suite: u16,
        /// The alert's description.
        code: u8,
    },
}

/// What a ClientHello met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum HelloAnswer {
    /// A ServerHello, and what came with it in clear.
    Answered {
        /// The version chosen.
        version: u16,
        /// The suite chosen.
        suite: u16,
        /// The certificates in the order sent, DER in base64; empty where they are encrypted (TLS 1.3).
        certificates: Vec<String>,
        /// Whether a CertificateRequest came.
        client_certificate_asked: bool,
        /// Whether the flight came to its end.
        complete: bool,
        /// The named group of the key exchange, or that of TLS 1.3's key_share.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<u16>,
        /// The bits of a finite-field Diffie-Hellman prime.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dh_bits: Option<u32>,
        /// The signature algorithm of the key exchange.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<u16>,
        /// The description of an alert that came after the ServerHello.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alert: Option<u8>,
        /// How the flight ended before its end, otherwise than by an alert.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut: Option<Broken>,
    },
    /// An alert (RFC 5246 section 7.2).
    Alert {
        /// Its description's code.
        code: u8,
        /// Its name.
        name: String,
    },
    /// Plain HTTP.
    PlainHttp {
        /// The status line, escaped.
        status: String,
    },
    /// Something that is no TLS.
    NotTls {
        /// What it looks like.
        looks: Looks,
    },
    /// Nothing but an end.
    Broken {
        /// How.
        how: Broken,
    },
}

/// What became of a real handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum HandshakeAnswer {
    /// It was completed.
    Done {
        /// The version.
        version: u16,
        /// The suite.
        suite: u16,
    },
    /// This program's TLS library cannot speak what the server chose: our limit.
    OwnLimit {
        /// Why.
        why: String,
    },
    /// The peer's chain was not accepted, and nothing more was said to it.
    Untrusted,
    /// The peer sent an alert.
    Alert {
        /// Its description's code.
        code: u8,
        /// Its name.
        name: String,
    },
    /// The stream ended.
    Broken {
        /// How.
        how: Broken,
    },
    /// Another failure of the library.
    Failed {
        /// Its words.
        why: String,
    },
}

/// One certificate of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateSeen {
    /// Its subject, escaped.
    pub subject: String,
    /// Its issuer, escaped.
    pub issuer: String,
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// SHA-256 over its DER, in hexadecimal.
    pub sha256: String,
    /// The start of its validity.
    pub not_before: jiff::Timestamp,
    /// The end of its validity.
    pub not_after: jiff::Timestamp,
    /// Its DNS names, escaped.
    pub names: Vec<String>,
    /// Its subject's common name, escaped.
    pub common_name: Option<String>,
    /// The URLs at which its issuer is served (RFC 5280 section 4.2.2.1, id-ad-caIssuers).
    pub issuer_urls: Vec<String>,
    /// Whether it names itself as its issuer.
    pub self_issued: bool,
    /// Whether it may issue certificates.
    pub is_ca: bool,
    /// What it is signed with, as IANA numbers signature algorithms; none where it is nothing of TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<u16>,
    /// Where it came from.
    pub from: CertificateFrom,
    /// Where it stands against the clock of the run.
    pub validity: Validity,
}

/// Where a certificate came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateFrom {
    /// The peer sent it.
    Sent,
    /// A store of the run holds it.
    Store,
    /// It was fetched from the URL that its subordinate names.
    Fetched,
}

/// Where a validity stands against a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// Within it.
    Current,
    /// Before its start.
    NotYet,
    /// After its end.
    Expired,
}

/// How a name fits a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NameFit {
    /// A DNS or IP name of the subject alternative names fits.
    Alternative,
    /// There is no DNS alternative name and the subject's common name fits.
    Subject,
    /// The name in use has no dot and is the first label of a name of the leaf.
    FirstLabel,
    /// None fits.
    None,
}

/// How the way up from a leaf ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum ChainEnd {
    /// In a certificate that this run trusts, or in the host's own anchor.
    Trusted,
    /// In a self-issued certificate that it does not trust.
    Root,
    /// The next issuer was neither sent, nor in a store, nor to be had.
    Missing {
        /// The name of the missing issuer, escaped.
        issuer: String,
        /// What became of fetching it.
        fetch: Fetch,
    },
}

/// What became of fetching an issuer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fetch", rename_all = "kebab-case")]
pub enum Fetch {
    /// Nothing had to be fetched.
    NotNeeded,
    /// The certificate names no URL.
    NoUrl,
    /// It was served.
    Served {
        /// Where.
        url: String,
    },
    /// It was not to be had.
    Failed {
        /// Where.
        url: String,
        /// Why not.
        why: String,
    },
    /// It was not asked for.
    NotAsked,
}

/// What was seen of a presented chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChainSeen {
    /// The name in use.
    pub name: String,
    /// The clock against which it was held.
    pub clock: jiff::Timestamp,
    /// This machine's time zone and its distance from UTC at that time.
    pub time_zone: String,
    /// Every certificate sent, in the order sent.
    pub sent: Vec<CertificateSeen>,
    /// The way up from the leaf as far as it could be followed: every link signed by the next.
    pub way: Vec<CertificateSeen>,
    /// How the way ends.
    pub end: ChainEnd,
    /// What became of fetching missing issuers.
    pub fetch: Fetch,
    /// How the name fits the leaf.
    pub name_fit: NameFit,
    /// Whether the store of the run trusts the end of the way.
    pub in_store: bool,
    /// Whether the host has anchors of its own, and whether the way ends in one.
    pub genuine: Option<bool>,
    /// A certificate that could not be read: its index and why.
    pub unreadable: Option<String>,
    /// What the platform's own verifier says, where it has one that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformVerdict>,
}

/// What Windows says of a chain under the name in use, by the store of the machine (not of a user).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlatformVerdict {
    /// Whether it accepts the chain.
    pub good: bool,
    /// Why not: the symbols of its trust status and of its policy, `CERT_TRUST_IS_UNTRUSTED_ROOT`. Empty where it accepts.
    pub why: Vec<String>,
    /// Whether it decides: it does where the settings give neither a clock nor a store.
    pub authoritative: bool,
}

impl ChainSeen {
    /// Whether Windows' .NET client would go on after this chain: what the platform said where that decides, else what
    /// this program's own rules say.
    pub fn acceptable(&self) -> bool {
        match self.decided() {
            Some(verdict) => verdict.good,
            None => self.fits_rules(),
        }
    }

    /// The platform's verdict, where it decides.
    pub fn decided(&self) -> Option<&PlatformVerdict> {
        self.platform.as_ref().filter(|verdict| verdict.authoritative)
    }

    /// Whether the chain fits this program's own rules: it ends in trust, every certificate is current, and the name
    /// fits the alternative names, or the subject where there are none.
    pub fn fits_rules(&self) -> bool {
        self.end == ChainEnd::Trusted
            && self.way.iter().all(|c| c.validity == Validity::Current)
            && matches!(self.name_fit, NameFit::Alternative | NameFit::Subject)
            && self.unreadable.is_none()
    }
}

/// What an HTTP request met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum HttpAnswer {
    /// A response.
    Response {
        /// The status code.
        status: u16,
        /// Telling headers, by lower-case name, escaped (server, content-type, location, www-authenticate, via, date …).
        headers: Vec<(String, String)>,
        /// The beginning of the body, escaped, at most 1024 characters.
        body: String,
        /// Whether the body came to its end.
        complete: bool,
    },
    /// Something that is no HTTP.
    NotHttp {
        /// What it looks like.
        looks: Looks,
    },
    /// Nothing but an end.
    Broken {
        /// How.
        how: Broken,
    },
}

impl HttpAnswer {
    /// The value of a header of a response.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            HttpAnswer::Response { headers, .. } => {
                headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
            }
            _ => None,
        }
    }
}

/// What an answer holds, read as SOAP 1.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum SoapAnswer {
    /// The operation's result.
    Result {
        /// What it says, by name: the plug-in's id, the service's URL, a protocol version.
        values: Vec<(String, String)>,
    },
    /// A fault (MS-WSUSSS section 2.2.2.4).
    Fault {
        /// The detail's ErrorCode, or empty.
        code: String,
        /// The detail's Message and the fault string, escaped.
        message: String,
    },
    /// No SOAP at all.
    NotSoap,
}

/// Everything that a diagnosis rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The settings of the run.
    pub settings: Settings,
    /// What is known of the server.
    pub facts: Vec<Fact>,
    /// The directions that were walked.
    pub paths: Vec<PathInfo>,
    /// What was seen on them.
    pub observations: Vec<Observation>,
}

/// Escapes what a stranger wrote: printable characters stay, everything else becomes `\u{…}`; at most `limit`
/// characters, `…` marking a cut.
pub fn escape(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count >= limit {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
            {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// Escapes bytes to printable ASCII, at most the first 256.
pub fn escape_bytes(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(256)].escape_ascii().to_string()
}
