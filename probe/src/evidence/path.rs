//! The ways that are walked, and the layers of each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::settings::ProxyHop;

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
