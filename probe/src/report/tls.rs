//! What servers were found to speak, as the report has it.

mod clients;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::tls::{alert_name, group_name, signature_name, suite, suite_name, version_name};
use crate::evidence::{Evidence, Observation, Oddity, Outcome, PathInfo, Spoken, SpokenPlan, SuiteOrder};

/// What one server speaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsServer {
    /// `host:port` in the name in use.
    pub target: String,
    /// The address that was asked, or the proxy's.
    pub lane: String,
    /// The proxy through which it was asked, as a URL; empty for none. What is found may then be a signing proxy's.
    #[serde(default)]
    pub proxy: String,
    /// The versions, the lowest first, whether spoken or not.
    pub versions: Vec<TlsVersion>,
    /// The named groups.
    pub groups: Vec<TlsGroup>,
    /// The signature algorithms.
    pub signatures: Vec<TlsSignature>,
    /// The application protocols.
    pub alpn: Vec<String>,
    /// Which Windows Servers connect: by default, and the one that is asked about. Empty for suites alone.
    pub clients: Vec<TlsClient>,
    /// How it was asked.
    pub plan: SpokenPlan,
    /// How many hellos were sent.
    pub handshakes: u32,
    /// How many connections were opened for it.
    pub connections: u32,
    /// How many more hellos were sent on this path: the client's own, the Windows Servers', differentials.
    pub beside: u32,
    /// Answers that no server should give, in words.
    pub odd: Vec<String>,
    /// How many rounds one after the other.
    pub rounds: u32,
    /// The round trip that was measured, in microseconds.
    pub round_trip_us: u64,
    /// Why it is not complete; empty where it is.
    pub unfinished: String,
    /// The observation that it rests on.
    pub because: String,
}

/// One version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsVersion {
    /// `TLS 1.2`.
    pub version: String,
    /// Who decides which suite is taken; null where fewer than two are spoken.
    pub order: Option<SuiteOrder>,
    /// The suites, in the server's order where it decides; none where the version is not spoken.
    pub suites: Vec<TlsSuite>,
    /// What the last refused hello of this version met.
    pub refusal: String,
}

/// A cipher suite by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsSuite {
    /// Four hexadecimal digits.
    pub code: String,
    /// IANA's name.
    pub name: String,
    /// OpenSSL's name; empty where it has none.
    pub openssl: String,
}

/// A named group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsGroup {
    /// IANA's code point.
    pub code: u16,
    /// IANA's name.
    pub name: String,
    /// The versions at which it is taken.
    pub versions: Vec<String>,
}

/// A signature algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsSignature {
    /// Four hexadecimal digits.
    pub code: String,
    /// IANA's name.
    pub name: String,
    /// The versions at which it is taken.
    pub versions: Vec<String>,
}

/// What a Windows Server comes to with a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsClient {
    /// The profile's id, `ws2012r2`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The program that says hello: `synchronization`, `import`, `content`.
    pub caller: String,
    /// Whether it is the server that facts and settings describe, rather than a Windows by default.
    pub own: bool,
    /// Whether its Windows is not known, and this one was taken for it.
    pub assumed: bool,
    /// What of its settings makes it differ from its Windows by default.
    pub settings: Vec<String>,
    /// What of its hello is inferred rather than known.
    pub inferred: Vec<String>,
    /// What its lists and the server's come to; null where the server's have gaps that decide it.
    pub computed: Option<TlsMeeting>,
    /// What its very hello met; null where it sends none, or where it was not tried.
    pub tried: Option<TlsMeeting>,
    /// Whether the two say different things.
    pub differs: bool,
    /// The observation of the trial.
    pub because: Option<String>,
}

/// What a client and a server agree on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsMeeting {
    /// Whether they do.
    pub connects: bool,
    /// The version.
    pub version: Option<String>,
    /// The suite.
    pub suite: Option<TlsSuite>,
    /// The named group; null where there is none, or where it is not known.
    pub group: Option<String>,
    /// The signature algorithm; null where there is none, or where it is not known.
    pub signature: Option<String>,
    /// Whether the suites in common are in cipher block chaining mode alone.
    pub cbc_only: bool,
    /// Why they do not; empty where they do.
    pub why_not: String,
}

impl TlsSuite {
    /// The suite of a code point.
    pub fn of(code: u16) -> TlsSuite {
        let openssl = suite(code).map(|suite| suite.openssl.to_string()).unwrap_or_default();
        TlsSuite { code: format!("{code:04x}"), name: suite_name(code), openssl }
    }
}

/// What the evidence says of every server that was asked.
pub fn servers(evidence: &Evidence) -> Vec<TlsServer> {
    let Evidence { paths, observations, .. } = evidence;
    observations
        .iter()
        .filter_map(|observation| match &observation.outcome {
            Outcome::Spoken(spoken) => Some((observation, spoken)),
            _ => None,
        })
        .filter_map(|(observation, spoken)| {
            let path = paths.iter().find(|path| path.id == observation.path)?;
            Some(server(evidence, path, observation, spoken))
        })
        .collect()
}

fn hellos(evidence: &Evidence, path: &PathInfo) -> u32 {
    let hellos = evidence
        .observations
        .iter()
        .filter(|o| o.path == path.id && matches!(o.outcome, Outcome::Hello { .. }));
    hellos.count() as u32
}

fn odd(oddity: &Oddity) -> String {
    match oddity {
        Oddity::NotOffered { version, suite, .. } => {
            format!("answers {} with {}, which was not offered", version_name(*version), suite_name(*suite))
        }
        Oddity::LongHello => "refuses hellos that are longer than a client's, whatever they offer".into(),
        Oddity::AlertAfter { suite, code } => {
            format!("answers with {} and breaks off: alert {code}, {}", suite_name(*suite), alert_name(*code))
        }
    }
}

fn server(evidence: &Evidence, path: &PathInfo, observation: &Observation, spoken: &Spoken) -> TlsServer {
    let names = |versions: &[u16]| versions.iter().map(|&version| version_name(version)).collect();
    TlsServer {
        target: path.target.subject(),
        lane: observation.lane.clone().unwrap_or_default(),
        proxy: path.proxy.as_ref().map(ToString::to_string).unwrap_or_default(),
        versions: spoken
            .versions
            .iter()
            .map(|version| TlsVersion {
                version: version_name(version.version),
                order: version.order,
                suites: version.suites.iter().map(|&code| TlsSuite::of(code)).collect(),
                refusal: version.refusal.clone(),
            })
            .collect(),
        groups: spoken
            .groups
            .iter()
            .map(|group| TlsGroup {
                code: group.code,
                name: group_name(group.code),
                versions: names(&group.versions),
            })
            .collect(),
        signatures: spoken
            .signatures
            .iter()
            .map(|signature| TlsSignature {
                code: format!("{:04x}", signature.code),
                name: signature_name(signature.code),
                versions: names(&signature.versions),
            })
            .collect(),
        alpn: spoken.alpn.clone(),
        clients: clients::clients(evidence, path, spoken),
        plan: spoken.plan,
        handshakes: spoken.handshakes,
        connections: spoken.connections,
        beside: hellos(evidence, path),
        odd: spoken.odd.iter().map(odd).collect(),
        rounds: spoken.rounds,
        round_trip_us: spoken.round_trip_us,
        unfinished: spoken.unfinished.clone(),
        because: observation.id.clone(),
    }
}
