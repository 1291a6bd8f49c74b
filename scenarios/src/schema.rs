//! What a world and a fault may say.
//!
//! A world is a whole healthy site: names, servers, certificates, this server's configuration, and what the
//! probe is asked. A fault names a world and the smallest change that breaks it. Every key is optional, has the
//! default that its field states, and a key that does not exist is an error.
//!
//! Words that choose a behaviour are enumerations here; instants are [`When`]; what a directory answers is
//! [`Answer`]; what a name resolves to is [`Record`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// A file under `faults/`: one deviation from a healthy world, and what must come of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// The world that it deviates from: a name under `worlds/`.
    pub world: String,
    /// One sentence: what an administrator would say happened.
    pub about: String,
    /// The finding that this world comes close to and must not give.
    pub near: Option<String>,
    /// Why this scenario is not diagnosed yet. It runs all the same, and must fail.
    pub known_gap: Option<String>,
    /// The deviation: tables are merged into the world's, everything else replaces.
    pub change: World,
    /// What must come out.
    pub expect: Expect,
}

/// A file under `worlds/`, or the `[change]` of a fault.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct World {
    /// One sentence: what this site is.
    pub about: String,
    /// The command that the probe is given. Default: `diagnose`, or `check` where `check` is not empty.
    pub ask: Option<Ask>,
    /// The URLs of `check`, or the one `host:port` of `tls`.
    pub check: Vec<String>,
    /// Whose client `tls` takes: `ws2012r2`. Becomes the setting `as`.
    pub r#as: Option<String>,
    /// Files that tell how the client of `tls` is set: names under `file`, or `config.txt`. Become `--policy`.
    pub policy: Vec<String>,
    /// Versions, suites and order alone. Becomes the setting `suites`.
    pub suites: Option<bool>,
    /// How `tls` enumerates: `near` or `far`. Becomes the setting `plan`.
    pub plan: Option<String>,
    /// One connection at a time. Becomes the setting `polite`.
    pub polite: Option<bool>,
    /// More arguments, after the command and before the files and URLs.
    pub args: Vec<String>,
    /// `until`: where the walk stops. Becomes `--until`.
    pub until: Option<String>,
    /// What time it really is: certificates' relative dates and the servers' clocks count from here.
    /// Default: 2026-06-15T12:00:00Z.
    pub epoch: Option<String>,
    /// What time the probe is told that it is. Default: `epoch`. A [`When`].
    pub at: Option<When>,
    /// The probe's time-out for a step. Default: `2s`.
    pub timeout: Option<String>,
    /// The probe's time-out for all. Default: `20s`.
    pub deadline: Option<String>,
    /// The probe's `proxy` setting. Default: `as-configured` with `diagnose`, else `none`.
    pub via: Option<String>,
    /// The password that goes with `settings.proxy-user`, by the environment: `WSUSPROBE_PROXY_PASSWORD`.
    pub proxy_password: Option<String>,
    /// More keys of the settings file, as they stand.
    pub settings: BTreeMap<String, toml::Value>,
    /// What varies that must not matter. Default: any number, printed.
    pub seed: Option<u64>,
    /// Names.
    pub dns: Dns,
    /// This server's WSUS configuration, property by property; handed over as `config.txt` in the form that
    /// `Format-List` prints. Without a property no such file is written.
    pub config: BTreeMap<String, toml::Value>,
    /// Whether `config.txt` is handed over. Default: yes; `false` for a server whose configuration nobody has.
    pub config_given: Option<bool>,
    /// More files in the probe's folder, by name; handed over as arguments unless they say otherwise.
    pub file: BTreeMap<String, Handed>,
    /// Certificate authorities: `microsoft`, `site`, `inspector` and `public` exist; more may be named.
    pub authority: BTreeMap<String, Authority>,
    /// Whom the probe trusts.
    pub trust: Trust,
    /// Microsoft's synchronization endpoint.
    pub source: Option<Host>,
    /// The WSUS server above this one.
    pub upstream: Option<Host>,
    /// Any other host, by a name of its own: content domains, a PKI's web server, a portal.
    pub extra: BTreeMap<String, Host>,
    /// The proxy.
    pub proxy: Option<Proxy>,
    /// A second proxy, for TLS.
    pub ssl_proxy: Option<Proxy>,
    /// What must come out of the world as it stands: for worlds only. Default: healthy, without findings.
    pub expect: Option<Expect>,
}

/// A command of the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// `diagnose FILE…`
    Diagnose,
    /// `check URL…`
    Check,
    /// `tls HOST`
    Tls,
    /// `cert FILE…`
    Cert,
    /// `domains`
    Domains,
    /// `offline FILE…`
    Offline,
    /// `verify --since TIME FILE…`
    Verify,
}

impl World {
    /// The command that the probe is given.
    pub fn asks(&self) -> Ask {
        self.ask.unwrap_or(if self.check.is_empty() { Ask::Diagnose } else { Ask::Check })
    }
}

impl Ask {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Ask::Diagnose => "diagnose",
            Ask::Check => "check",
            Ask::Tls => "tls",
            Ask::Cert => "cert",
            Ask::Domains => "domains",
            Ask::Offline => "offline",
            Ask::Verify => "verify",
        }
    }
}

/// What must come of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// `healthy`, `degraded`, `faulty` or `undetermined`. Default: `healthy`.
    pub verdict: Verdict,
    /// Every finding's id, notes included, in the report's order.
    pub findings: Vec<String>,
    /// Layers that must be among the ruled out.
    pub ruled_out: Vec<String>,
    /// Each must be part of some question under *unknown*.
    pub unknown: Vec<String>,
    /// What the time line must hold, in order: each is part of one moment. Not looked at where there is none here.
    pub timeline: Vec<String>,
    /// What the first server that was enumerated must be reported to speak.
    pub tls: Option<ExpectTls>,
    /// What the world must have seen.
    pub journal: ExpectJournal,
}

/// What the report must say of a server that was asked what it speaks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectTls {
    /// The suites by version (`TLS 1.2`), as codes: in order where the server decides, else in any. A version that is
    /// not named must not be spoken.
    pub versions: BTreeMap<String, Vec<String>>,
    /// Who decides, at every version with two suites or more: `server` or `client`.
    pub order: Option<String>,
    /// The named groups by IANA's names, in any order.
    pub groups: Option<Vec<String>>,
    /// The signature algorithms as codes, in any order.
    pub signatures: Option<Vec<String>>,
    /// How many hellos were sent.
    pub handshakes: Option<Count>,
    /// How many connections were opened for it.
    pub connections: Option<Count>,
    /// How many rounds one after the other.
    pub rounds: Option<Count>,
    /// Part of why it is not complete. Default: it is complete.
    pub unfinished: String,
}

/// The four verdicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Exit code 0.
    #[default]
    Healthy,
    /// Exit code 1.
    Degraded,
    /// Exit code 2.
    Faulty,
    /// Exit code 3.
    Undetermined,
}

impl Verdict {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::Degraded => "degraded",
            Verdict::Faulty => "faulty",
            Verdict::Undetermined => "undetermined",
        }
    }
}

/// What the world's servers must have seen. Listeners are named `HOST:PORT` with the host's key in the world and
/// the port as the world writes it (`upstream:8531`, `source:443`, `extra.content:80`), `proxy`, `ssl-proxy`, `dns`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectJournal {
    /// Connections that a listener took: a number, or a range such as `"1..3"`, `"1.."`, `"..4"` (ends included).
    pub connections: BTreeMap<String, Count>,
    /// Each must be part of some request line with its action, such as `POST /x.asmx GetAuthConfig`.
    pub requests: Vec<String>,
    /// None may be part of any such line.
    pub no_requests: Vec<String>,
    /// How many credentials a proxy found true.
    pub accepted: Option<Count>,
    /// How many it found false: each is a failed logon of that account.
    pub refused: Option<Count>,
    /// Destinations that some proxy must have been asked for (`host:port`).
    pub tunnels: Vec<String>,
    /// Destinations that no proxy may have been asked for.
    pub no_tunnels: Vec<String>,
    /// Names that the name server must have been asked for.
    pub queries: Vec<String>,
    /// Names that it may not have been asked for.
    pub no_queries: Vec<String>,
}

/// A number or an inclusive range of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The least.
    pub least: usize,
    /// The most.
    pub most: usize,
}

impl Count {
    /// Whether `n` is within.
    pub fn holds(self, n: usize) -> bool {
        (self.least..=self.most).contains(&n)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Count { least, most } if least == most => write!(to, "{least}"),
            Count { least, most: usize::MAX } => write!(to, "{least}.."),
            Count { least, most } => write!(to, "{least}..{most}"),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Count;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a number, or a range such as \"1..3\", \"1..\" or \"..4\"")
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Count, E> {
                let n = usize::try_from(n).map_err(|_| E::invalid_value(de::Unexpected::Signed(n), &self))?;
                Ok(Count { least: n, most: n })
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
                let wrong = || E::invalid_value(de::Unexpected::Str(text), &self);
                let (least, most) = text.split_once("..").ok_or_else(wrong)?;
                let end = |text: &str, none| {
                    if text.is_empty() { Ok(none) } else { text.parse().map_err(|_| wrong()) }
                };
                Ok(Count { least: end(least, 0)?, most: end(most, usize::MAX)? })
            }
        }
        from.deserialize_any(Reader)
    }
}

/// An instant: RFC 3339, or an offset from the world's `epoch` such as `-30d`, `+2h`, `+15m`, `+10y`, `0s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// RFC 3339, as written.
    Instant(String),
    /// Seconds after the epoch.
    Offset(i64),
}

impl When {
    /// Reads either form; `None` where it is neither.
    pub fn read(text: &str) -> Option<When> {
        if text.parse::<jiff::Timestamp>().is_ok() {
            return Some(When::Instant(text.to_owned()));
        }
        let unit = match text.chars().last()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'y' => 365 * 86_400,
            _ => return None,
        };
        let number: i64 = text[..text.len() - 1].parse().ok()?;
        number.checked_mul(unit).map(When::Offset)
    }

    /// Seconds since 1970, with `epoch` in the same.
    pub fn seconds(&self, epoch: i64) -> i64 {
        match self {
            When::Offset(seconds) => epoch + seconds,
            When::Instant(text) => text.parse::<jiff::Timestamp>().map(|t| t.as_second()).unwrap_or(epoch),
        }
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        When::read(&text).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &"RFC 3339, or an offset such as \"-30d\"")
        })
    }
}

/// The site's name servers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Who resolves. Default: `dns`.
    pub resolver: Resolver,
    /// What the name server says, by name; `*.example.com` stands for what is not listed below it. Hosts with
    /// addresses are known to it without being listed; everything else does not exist.
    pub records: BTreeMap<String, Record>,
    /// Hosts are not known without being listed: a site where only the proxy resolves the outside.
    pub only_listed: bool,
    /// More name servers, given to the probe after the first, by any name: their records over the first's.
    pub also: BTreeMap<String, BTreeMap<String, Record>>,
    /// The name server does not answer at all: its port is silent.
    pub silent: bool,
}

/// How names become addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolver {
    /// The lab's name server is asked; sockets are redirected by address.
    #[default]
    Dns,
    /// Nobody is asked; each host is redirected by name.
    None,
}

/// What a name resolves to: a list of addresses, a word, or a table.
///
/// Words: `nxdomain`, `nodata`, `servfail`, `refused`, `silence`, `loop`, or `cname NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// A and AAAA.
    pub addresses: Vec<IpAddr>,
    /// An alias first.
    pub cname: Option<String>,
    /// Something other than an answer.
    pub fails: Option<DnsFailure>,
    /// Over UDP the answer is cut (TC) and must be asked for again over TCP.
    pub truncated: bool,
}

/// What a name server does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsFailure {
    /// The name does not exist.
    Nxdomain,
    /// The name exists, without an address.
    Nodata,
    /// The server failed.
    Servfail,
    /// The server refuses.
    Refused,
    /// No answer.
    Silence,
    /// An alias that leads back to itself.
    Loop,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RecordTable {
    addresses: Vec<IpAddr>,
    cname: Option<String>,
    fails: Option<DnsFailure>,
    truncated: bool,
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Record;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str(
                    "a list of addresses, a word (nxdomain, nodata, servfail, refused, silence, loop, cname NAME), \
                     or a table",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Record, E> {
                let fails = match text.to_ascii_lowercase().as_str() {
                    "nxdomain" => DnsFailure::Nxdomain,
                    "nodata" => DnsFailure::Nodata,
                    "servfail" => DnsFailure::Servfail,
                    "refused" => DnsFailure::Refused,
                    "silence" => DnsFailure::Silence,
                    "loop" => DnsFailure::Loop,
                    other => {
                        return match other.strip_prefix("cname ") {
                            Some(name) => {
                                Ok(Record { cname: Some(name.trim().to_owned()), ..Record::default() })
                            }
                            None => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                        };
                    }
                };
                Ok(Record { fails: Some(fails), ..Record::default() })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Record, A::Error> {
                let addresses = Vec::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
                Ok(Record { addresses, ..Record::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Record, A::Error> {
                let RecordTable { addresses, cname, fails, truncated } =
                    RecordTable::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Record { addresses, cname, fails, truncated })
            }
        }
        from.deserialize_any(Reader)
    }
}

/// A file that the probe finds in its folder.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handed {
    /// Its text.
    pub text: Option<String>,
    /// Or: a file under `fixtures/`.
    pub fixture: Option<String>,
    /// Or: its bytes in base64.
    pub base64: Option<String>,
    /// Or: certificates as PEM, of the forms that a certificate's `sends` takes with a host's key before it
    /// (`upstream/leaf`, `site/intermediate`, `site/root`).
    pub certificates: Vec<String>,
    /// How `text` becomes bytes. Default: `utf-8`.
    pub encoding: Encoding,
    /// Whether it becomes an argument. Default: yes.
    pub given: Option<bool>,
}

/// An encoding of text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Without a byte order mark.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// Little endian, with a byte order mark: what Windows PowerShell redirects.
    #[serde(rename = "utf-16")]
    Utf16,
}

/// A certificate authority: a root and, below it, an issuing one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authority {
    /// The root's common name. Default: the key, as `Site Root CA`.
    pub root_name: Option<String>,
    /// The issuing authority's. Default: as `Site Issuing CA`.
    pub name: Option<String>,
    /// The root itself issues: there is no issuing authority.
    pub one_tier: bool,
    /// When the root starts. Default: `-10y`.
    pub root_not_before: Option<When>,
    /// When the root ends. Default: `+10y`.
    pub root_not_after: Option<When>,
    /// When the issuing authority starts. Default: `-5y`.
    pub not_before: Option<When>,
    /// When the issuing authority ends. Default: `+5y`.
    pub not_after: Option<When>,
    /// The issuing certificate says that it is no authority.
    pub not_a_ca: bool,
    /// The root allows no authority below it (a path length of 0), although there is one.
    pub root_path_length: Option<u8>,
    /// Only names below these DNS suffixes may be issued.
    pub permits: Vec<String>,
    /// No name below these may be.
    pub excludes: Vec<String>,
    /// Where the issuing certificate says that the root can be fetched.
    pub aia: Option<String>,
    /// Hosts (by key) whose certificates its revocation list names.
    pub revoked: Vec<String>,
}

/// Whom the probe trusts. A certificate is written `AUTHORITY` or `AUTHORITY/root`, `AUTHORITY/intermediate`, or
/// `HOST/leaf`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// In the machine's store: each becomes a `--cacert`. Default: none.
    pub cacert: Vec<String>,
    /// What makes a host genuine: `GLOB = CERTIFICATE`.
    pub anchor: BTreeMap<String, String>,
    /// Whether the machine's real store is read too. Default: no (`trust = "none"`).
    pub system: bool,
}

/// A host with its services.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// The name in use.
    pub name: String,
    /// More names of the same host; `*.example.com` stands for every name below.
    pub aliases: Vec<String>,
    /// Its addresses, documentation ones. Default: 203.0.113.N, a number of its own.
    pub addresses: Vec<IpAddr>,
    /// What kind of server. Default: `microsoft` for `[source]`, `wsus` for `[upstream]`, `web` for others.
    pub kind: Option<HostKind>,
    /// Its ports, as the site knows them: `[upstream.port.8531]`. A port that is not listed is closed.
    pub port: BTreeMap<PortNumber, Port>,
    /// Addresses of its own that differ from the rest: `[upstream.address."203.0.113.11"]`.
    pub address: BTreeMap<String, Address>,
    /// Its certificate, on every port with TLS.
    pub certificate: Certificate,
    /// Its TLS policy, on every port with TLS.
    pub tls: Tls,
    /// The `Server` header of its web server. Default: `Microsoft-IIS/10.0`.
    pub server: Option<String>,
    /// What virtual directories answer: `ServerSyncWebService`, `DssAuthWebService`, `ClientWebService`,
    /// `SimpleAuthWebService`, `ReportingWebService`, `SelfUpdate`, `Content`; `*` for every one not listed.
    pub dir: BTreeMap<String, Answer>,
    /// What SOAP methods answer, over what their directory does: `GetAuthConfig`, `GetAuthorizationCookie`,
    /// `GetCookie`, `GetConfigData`, `GetConfig`.
    pub method: BTreeMap<String, Answer>,
    /// Paths that answer with certificates or lists, by path: `AUTHORITY/intermediate` (DER), `AUTHORITY/crl`.
    pub serves: BTreeMap<String, String>,
    /// The protocol version that GetConfigData states. Default: `1.20`; `1.21` for `microsoft`.
    pub protocol: Option<String>,
    /// What `wusserverversion.xml` says. Default: `10.0.26100.1`.
    pub build: Option<String>,
    /// How far its clock is from the truth. Default: `0s`.
    pub clock: Option<When>,
    /// Whether `/iuident.cab` is served at the root. Default: no, as on a modern server.
    pub iuident: bool,
}

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// Synchronization only.
    Microsoft,
    /// All services of a WSUS.
    Wsus,
    /// A web server that answers 200 to every path, with ranges.
    Web,
}

/// A port number as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortNumber(pub u16);

impl<'de> Deserialize<'de> for PortNumber {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(PortNumber).map_err(|_| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &"a port: a number from 0 to 65535")
        })
    }
}

/// One port of a host.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Port {
    /// What is there. Default: `https` for 443 and 8531, else `http`.
    pub speaks: Option<Speaks>,
    /// What answers plain HTTP on a port with TLS. Default: `reset`.
    pub to_plain: Option<ToPlain>,
    /// A TLS policy of its own, instead of the host's.
    pub tls: Option<Tls>,
    /// A certificate of its own, instead of the host's.
    pub certificate: Option<Certificate>,
    /// Directories that answer otherwise on this port, over the host's.
    pub dir: BTreeMap<String, Answer>,
    /// Methods likewise.
    pub method: BTreeMap<String, Answer>,
    /// The line to it.
    pub link: Link,
}

/// What a port does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    /// HTTP in clear. TLS is answered with a clear 400, as HTTP.sys does.
    Http,
    /// HTTP over TLS.
    Https,
    /// Nothing listens: refused.
    Closed,
    /// Connects are never answered.
    Blackhole,
    /// No route.
    Unreachable,
    /// Connects, and never says anything.
    Mute,
    /// Connects, and is closed at once.
    Hangup,
    /// An SSH banner.
    Ssh,
    /// Bytes without meaning.
    Garbage,
}

/// What a TLS port does with plain HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToPlain {
    /// The connection is reset.
    #[default]
    Reset,
    /// A clear 400 of HTTP.sys.
    BadRequest,
}

/// How one address of a host differs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Address {
    /// What every port of this address does.
    pub speaks: Option<Speaks>,
    /// What this address presents instead, on ports with TLS.
    pub certificate: Option<Certificate>,
    /// Its own policy.
    pub tls: Option<Tls>,
    /// Its own directories.
    pub dir: BTreeMap<String, Answer>,
}

/// What a host presents.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Certificate {
    /// The authority that issued it. Default: `microsoft` for `[source]`, `site` for `[upstream]`, else `public`.
    pub issuer: Option<String>,
    /// The Subject's common name. Default: the host's name.
    pub cn: Option<String>,
    /// DNS names in the SAN; `[]` for none. Default: the host's name and aliases.
    pub san: Option<Vec<String>>,
    /// Its start. Default: `-30d`.
    pub not_before: Option<When>,
    /// Its end. Default: `+335d`.
    pub not_after: Option<When>,
    /// It signs itself.
    pub self_signed: bool,
    /// What is sent, in order: `leaf`, `intermediate`, `root`, `AUTHORITY/intermediate`, `AUTHORITY/root`, or
    /// `pem:FILE` under `fixtures/`. Default: `["leaf", "intermediate"]`, or what there is of it.
    pub sends: Option<Vec<String>>,
    /// Where it says that its issuer can be fetched. Default: nowhere.
    pub aia: Option<String>,
    /// Where it says that its revocation list is. Default: nowhere.
    pub crl: Option<String>,
    /// What it may be used for: `server`, `client`; `[]` for no restriction. Default: `["server"]`.
    pub usage: Option<Vec<Usage>>,
    /// Its key. Default: `rsa`.
    pub key: KeyKind,
}

/// An extended key usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// TLS server.
    Server,
    /// TLS client.
    Client,
    /// Code signing.
    Code,
}

/// A kind of key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// RSA with 2048 bits.
    #[default]
    Rsa,
    /// P-256.
    Ecdsa,
}

/// What a TLS server agrees to and how it refuses.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Versions that it has: `1.0`, `1.1`, `1.2`, `1.3`. Default: `["1.2", "1.3"]`; `["1.2"]` for `microsoft`.
    pub versions: Option<Vec<String>>,
    /// Suites by IANA name or code (`c030`), the server's preference. Default: what the TLS library has.
    pub suites: Option<Vec<String>>,
    /// Suites of one version, by version, whatever they are for. Default: `suites`.
    pub suites_of: BTreeMap<String, Vec<String>>,
    /// Whose order decides. Default: `server`.
    pub order: SuiteOrder,
    /// Groups by name or code: `x25519`, `secp256r1`, `secp384r1`, `secp521r1`, `x448`, `0100`. Default: the first three.
    pub groups: Option<Vec<String>>,
    /// Signature schemes by code (`0401`): one that fits the key must be offered. Default: any.
    pub signatures: Option<Vec<String>>,
    /// Agrees to suites whatever key they need, as if there were a certificate for each.
    pub both_keys: bool,
    /// Application protocols (ALPN). Default: not known to it.
    pub alpn: Vec<String>,
    /// Server names (SNI) that it knows. Default: any, also none.
    pub names: Option<Vec<String>>,
    /// How it refuses: `rst`, `fin`, `silence`, `alert N`. Default: `alert` with the fitting number; `rst` for
    /// `microsoft`.
    pub refuses: Option<String>,
    /// How it refuses where no version is in common. Default: as `refuses`.
    pub refuses_version: Option<String>,
    /// The longest hello that it bears, in bytes of its records. Default: any.
    pub longest_hello: Option<usize>,
    /// What it does with a longer one. Default: as `refuses`.
    pub refuses_long: Option<String>,
    /// When it refuses: `unfit` (no version, suite, group, signature or name in common), `always`, `before-hello`.
    pub refuses_when: RefusesWhen,
    /// Whether it asks for a client's certificate.
    pub client_certificate: ClientCertificate,
    /// Size of DHE parameters in bits, for DHE suites. Default: 2048.
    pub dh_bits: Option<u16>,
    /// Answers with a clear flight that is written down, although the session could be served.
    pub scripted: bool,
    /// Its written flights have bytes without meaning for signatures and public keys, which costs no time.
    pub unsigned: bool,
    /// Misbehaves instead.
    pub hostile: Option<HostileTls>,
    /// Writes its flight down, with that field of its ServerHello wrong.
    pub wrong: Option<WrongField>,
}

/// Whose order decides among suites, groups and signature schemes that both have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuiteOrder {
    /// The server's.
    #[default]
    Server,
    /// The client's.
    Client,
    /// The server's, but for clients that prefer ChaCha20 its suites come first.
    #[serde(rename = "server-but-chacha")]
    ServerButChaCha,
}

/// When a TLS server refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusesWhen {
    /// Where it has nothing in common with the client.
    #[default]
    Unfit,
    /// Every hello.
    Always,
    /// Before it has read one.
    BeforeHello,
}

/// Whether a client's certificate is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// No.
    #[default]
    Ignored,
    /// Asked for, not needed.
    Optional,
    /// The handshake fails without one.
    Required,
}

/// TLS that means harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostileTls {
    /// A Certificate message of 16 MB.
    HugeCertificate,
    /// One byte a second.
    Drip,
    /// Bytes without meaning.
    Garbage,
    /// A suite that was not offered.
    UnofferedSuite,
    /// A version that was not offered.
    UnofferedVersion,
    /// An alert after its ServerHello.
    AlertAfterHello,
    /// Silence after its ServerHello.
    SilenceAfterHello,
    /// 20,000 empty records before its flight.
    EmptyRecords,
    /// 1,000 certificates.
    ManyCertificates,
    /// A Certificate message that announces 16 MB, of which nothing comes.
    HugeLength,
}

/// A field of a ServerHello, or of the record and the message that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // mockups says what is wrong with each
pub enum WrongField {
    RecordKind,
    RecordVersion,
    RecordLength,
    MessageKind,
    MessageLength,
    MessageShort,
    Version,
    SessionLength,
    Suite,
    Compression,
    ExtensionsLength,
    ExtensionLength,
    RepeatedExtension,
    SelectedVersion,
    Group,
    Truncated,
}

/// The line to a port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Link {
    /// Milliseconds before each piece.
    pub latency: Option<u64>,
    /// Bytes a second.
    pub bandwidth: Option<u64>,
    /// Milliseconds before an end is passed on.
    pub slow_close: Option<u64>,
    /// Reset after so many milliseconds.
    pub reset: Option<u64>,
    /// Pieces of at most so many bytes.
    pub slicer: Option<usize>,
    /// Closed after so many bytes towards the client.
    pub limit: Option<u64>,
    /// What the server sends in more than so many bytes at a time is lost, and all after it: packets that are too
    /// large.
    pub hole: Option<usize>,
}

/// What a directory or a method answers: a word, with its argument after a colon.
///
/// | word | answer |
/// | --- | --- |
/// | `ok` | as a healthy server |
/// | `absent` | 404 of IIS |
/// | `ssl-required` | 403 as IIS sends for 403.4, in clear; `ok` over TLS |
/// | `ssl-required-here` | the same over TLS too |
/// | `client-certificate` | 403 as IIS sends for 403.7 |
/// | `forbidden` | 403 |
/// | `unauthorized` | 401 with Negotiate and NTLM |
/// | `pool-down` | 503 of HTTP.sys |
/// | `no-site` | 404 of HTTP.sys |
/// | `bad-request` | 400 of HTTP.sys |
/// | `error` | 500 with ASP.NET's page |
/// | `fault:CODE` | a SOAP fault with that ErrorCode |
/// | `redirect:URL` | 302; `redirect:https` for the same over TLS |
/// | `portal` | 200 with a page of something else |
/// | `text` | 200 with plain text |
/// | `silence` | nothing, the connection stays |
/// | `truncated` | the answer ends before its length |
/// | `status:N` | that status with a short page |
/// | `no-range` | 200 in full where a range was asked for |
/// | `range-refused` | 403 where a range was asked for |
/// | `huge-headers`, `endless-header`, `drip` | means harm |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The word.
    pub word: AnswerWord,
    /// What follows the colon.
    pub argument: String,
}

/// The word of an [`Answer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the table of `Answer` says what each is
pub enum AnswerWord {
    Ok,
    Absent,
    SslRequired,
    SslRequiredHere,
    ClientCertificate,
    Forbidden,
    Unauthorized,
    PoolDown,
    NoSite,
    BadRequest,
    Error,
    Fault,
    Redirect,
    Portal,
    Text,
    Silence,
    Truncated,
    Status,
    NoRange,
    RangeRefused,
    HugeHeaders,
    EndlessHeader,
    Drip,
}

const ANSWERS: &[(&str, AnswerWord)] = &[
    ("ok", AnswerWord::Ok),
    ("absent", AnswerWord::Absent),
    ("ssl-required", AnswerWord::SslRequired),
    ("ssl-required-here", AnswerWord::SslRequiredHere),
    ("client-certificate", AnswerWord::ClientCertificate),
    ("forbidden", AnswerWord::Forbidden),
    ("unauthorized", AnswerWord::Unauthorized),
    ("pool-down", AnswerWord::PoolDown),
    ("no-site", AnswerWord::NoSite),
    ("bad-request", AnswerWord::BadRequest),
    ("error", AnswerWord::Error),
    ("fault", AnswerWord::Fault),
    ("redirect", AnswerWord::Redirect),
    ("portal", AnswerWord::Portal),
    ("text", AnswerWord::Text),
    ("silence", AnswerWord::Silence),
    ("truncated", AnswerWord::Truncated),
    ("status", AnswerWord::Status),
    ("no-range", AnswerWord::NoRange),
    ("range-refused", AnswerWord::RangeRefused),
    ("huge-headers", AnswerWord::HugeHeaders),
    ("endless-header", AnswerWord::EndlessHeader),
    ("drip", AnswerWord::Drip),
];

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let (word, argument) = text.split_once(':').unwrap_or((text.as_str(), ""));
        let Some((_, found)) = ANSWERS.iter().find(|(known, _)| *known == word) else {
            let known: Vec<&str> = ANSWERS.iter().map(|(known, _)| *known).collect();
            return Err(de::Error::custom(format!(
                "unknown answer `{word}`, expected one of {}",
                known.join(", ")
            )));
        };
        let wants = matches!(found, AnswerWord::Fault | AnswerWord::Redirect | AnswerWord::Status);
        if wants == argument.is_empty() {
            let says = if wants { "needs an argument after a colon" } else { "takes no argument" };
            return Err(de::Error::custom(format!("answer `{word}` {says}")));
        }
        if *found == AnswerWord::Status && !argument.parse::<u16>().is_ok_and(|n| (100..1000).contains(&n)) {
            return Err(de::Error::custom(format!("answer `status` takes a status, not `{argument}`")));
        }
        Ok(Answer { word: *found, argument: argument.to_owned() })
    }
}

/// A proxy.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// Its name. Default: `proxy.example.com`; `ssl-proxy.example.com` for the second.
    pub name: Option<String>,
    /// Its addresses. Default: one of its own.
    pub addresses: Vec<IpAddr>,
    /// Its port. Default: 8080; 8443 for the second.
    pub port: Option<u16>,
    /// What its port does before any proxying; `http` is a proxy, `https` one that is spoken to over TLS, under a
    /// certificate of the site's. Default: `http`.
    pub speaks: Option<Speaks>,
    /// What it does with requests. Default: `open`.
    pub mode: ProxyMode,
    /// `Proxy-Authenticate` values of a 407. `Digest` without a nonce is given one.
    pub challenge: Vec<String>,
    /// All of them in one header line, with commas.
    pub one_header: bool,
    /// As many more schemes, which nobody knows.
    pub more_schemes: usize,
    /// Passwords by `USER` or `DOMAIN\\USER`. Where there are any, everybody is asked, whatever the mode; Basic, Digest
    /// and NTLM are let in where they are right, as far as `challenge` offers them.
    pub accounts: BTreeMap<String, String>,
    /// `user:password`, as one more account. With `mode = "socks"`: what version 5 demands.
    pub accepts: Option<String>,
    /// The last message of NTLM (also inside Negotiate), or any answer to Digest, is let in unread.
    pub accepts_final: bool,
    /// Where it ends a connection that an authentication needs.
    pub closes: Closes,
    /// What it sends as NTLM's challenge.
    pub token: Token,
    /// So many right answers to Digest are called stale before one is let in.
    pub stale: usize,
    /// What it denies, whatever the mode.
    pub denies: Denies,
    /// Milliseconds before each of its answers; at most a minute.
    pub waits: u64,
    /// So many bytes more in its pages.
    pub pad: usize,
    /// The status of `mode = "status"`. Default: 502. With `mode = "socks"`: the code of every reply. Default: passes on.
    pub status: Option<u16>,
    /// What `X-Squid-Error` says then, such as `ERR_DNS_FAIL 0`.
    pub squid_error: Option<String>,
    /// The text of the page then.
    pub body: Option<String>,
    /// Where `mode = "portal"` leads; without it a page is sent with 200.
    pub redirect: Option<String>,
    /// Who re-signs with `mode = "inspect"`. Default: `inspector`.
    pub inspects_as: Option<String>,
    /// What is agreed to there, as of a host.
    pub tls: Tls,
    /// Otherwise for some destinations: `host:port`, `host`, `:port`.
    pub to: BTreeMap<String, ProxyMode>,
    /// The line to it.
    pub link: Link,
}

/// Where a proxy ends a connection that an authentication needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closes {
    /// Nowhere.
    #[default]
    Never,
    /// After a 407 to a request without credentials: no fault.
    AfterDemand,
    /// Nowhere, but after a 407 to a request without credentials it answers nothing more there: no fault, as whoever
    /// comes over another connection is let in.
    SilentAfterDemand,
    /// After the challenge to NTLM's first message.
    AfterFirstMessage,
    /// The same, without the challenge and without any scheme, as Squid closes.
    InsteadOfToken,
}

/// What a proxy sends as NTLM's challenge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Token {
    /// As it should be.
    #[default]
    Right,
    /// The beginning of it.
    Cut,
    /// With another signature.
    Signature,
    /// With fields that point outside.
    Offsets,
    /// With the number of the first message.
    Kind,
    /// With a list of properties that does not end.
    Endless,
    /// 200,000 bytes long.
    Huge,
    /// What is no base64.
    NotBase64,
}

/// What a proxy denies with 403.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Denies {
    /// Hosts.
    pub host: Vec<String>,
    /// Ports.
    pub port: Vec<u16>,
    /// Before it asks for credentials. Default: after.
    pub before_asking: bool,
}

/// What a proxy does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyMode {
    /// Passes on.
    #[default]
    Open,
    /// 407 with the challenges, unless the credentials are those that it accepts.
    Authenticate,
    /// 407 without regard of any credentials.
    AuthenticateAlways,
    /// The connection is closed after the first message of a scheme that takes several.
    AuthenticateBroken,
    /// 407 always, and never a token for such a first message.
    AuthenticateTokenless,
    /// 403.
    Forbidden,
    /// CONNECT to 443 only; 403 for other ports.
    #[serde(rename = "only-443")]
    Only443,
    /// `status`, with `squid_error` and `body`.
    Status,
    /// Bytes without meaning.
    Garbage,
    /// Nothing.
    Silence,
    /// Every request is answered with a page, or led to `redirect`.
    Portal,
    /// What the proxy answers for a name that it cannot resolve.
    Unresolvable,
    /// The tunnel opens and is closed at once.
    CloseTunnel,
    /// It is closed once a hello was sent into it.
    CloseAfterHello,
    /// It is reset then.
    ResetAfterHello,
    /// It is reset where the hello offers nothing newer than TLS 1.2.
    #[serde(rename = "reset-tls-1.2")]
    ResetTls12,
    /// TLS in the tunnel is ended and re-signed.
    Inspect,
    /// The reply's head never ends.
    HugeHeaders,
    /// The reply comes a byte a second.
    Drip,
    /// The port speaks TLS.
    Tls,
    /// It is a SOCKS proxy (4, 4a, 5): `accepts` is demanded by 5, `status` is the code that refuses all.
    Socks,
}
