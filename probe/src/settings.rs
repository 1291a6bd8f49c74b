//! Everything that can change an outcome, as one serialisable value.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Layer, SpokenPlan};

/// Saves and reads types in the form in which people write them.
macro_rules! by_text {
    ($($type:ty),*) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

/// The same, and says so in the schema.
macro_rules! string_form {
    ($type:ty, $name:literal) => {
        by_text!($type);
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }
    };
}

pub mod file;
pub mod layers;
mod proxy;
pub mod values;

pub use proxy::{NamedProxy, ProxyChoice, ProxyHop, ProxyKind};

/// A value that cannot be printed, logged or saved, and that is overwritten when it is no longer needed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: zeroize::Zeroize>(T);

impl<T: zeroize::Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: zeroize::Zeroize> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Secret(value)
    }

    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, for the one place that reads it.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: zeroize::Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What a value of a setting should have looked like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {expected}")]
pub struct BadValue {
    /// What was given.
    pub given: String,
    /// What was expected instead.
    pub expected: &'static str,
}

impl BadValue {
    /// An error about `given`.
    pub fn new(given: &str, expected: &'static str) -> Self {
        BadValue { given: given.chars().flat_map(char::escape_default).take(120).collect(), expected }
    }
}

/// Everything that can change an outcome of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Name servers that are asked directly, as `IP[:PORT]`.
    pub dns: Vec<DnsServer>,
    /// Who resolves names for the walk.
    pub resolver: Resolver,
    /// Redirections of names and addresses, first match wins.
    pub connect_to: Vec<ConnectTo>,
    /// PEM files whose certificates this run trusts besides `trust`.
    pub cacert: Vec<String>,
    /// The store that this run trusts.
    pub trust: Trust,
    /// What makes a host's chain genuine, over the built-in Microsoft roots.
    pub anchor: Vec<Anchor>,
    /// The proxy of the walk.
    pub proxy: ProxyChoice,
    /// The user of the proxy; its password has no key.
    pub proxy_user: Option<String>,
    /// The password of that user, which is never saved.
    #[serde(skip)]
    pub proxy_password: Option<Secret<String>>,
    /// The only address family to walk.
    pub family: Option<Family>,
    /// The time at which certificates are judged; now, if absent.
    pub at: Option<jiff::Timestamp>,
    /// The time of a repair, after which `verify` looks for a success; none for every other command.
    pub since: Option<jiff::Timestamp>,
    /// Layers to report on, others are left out; all, if empty.
    pub only: Vec<Layer>,
    /// Layers to leave out.
    pub skip: Vec<Layer>,
    /// The layer at which every path stops.
    pub until: Option<Layer>,
    /// Judge what was handed over and open no socket.
    pub no_network: bool,
    /// No network by design: no path is planned.
    pub disconnected: bool,
    /// The longest that one step waits.
    pub timeout: Span,
    /// The longest that the whole run takes.
    pub deadline: Span,
    /// Findings not to show, as `ID` or `ID=SUBJECT`.
    pub suppress: Vec<String>,
    /// Enumerate versions, suites and their order alone.
    pub suites: bool,
    /// How a server is enumerated; by the measured round trip, if absent.
    pub plan: Option<SpokenPlan>,
    /// Enumerate with one connection at a time.
    pub polite: bool,
    /// The most connections of an enumeration in a second.
    pub rate: Option<u32>,
    /// The Windows Server whose client is taken, as `ws2012r2`; what the facts say, if absent.
    #[serde(rename = "as")]
    pub client: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            dns: Vec::new(),
            resolver: Resolver::System,
            connect_to: Vec::new(),
            cacert: Vec::new(),
            trust: Trust::System,
            anchor: Vec::new(),
            proxy: ProxyChoice::AsConfigured,
            proxy_user: None,
            proxy_password: None,
            family: None,
            at: None,
            since: None,
            only: Vec::new(),
            skip: Vec::new(),
            until: None,
            no_network: false,
            disconnected: false,
            timeout: Span(Duration::from_secs(10)),
            deadline: Span(Duration::from_secs(60)),
            suppress: Vec::new(),
            suites: false,
            plan: None,
            polite: false,
            rate: None,
            client: None,
        }
    }
}

/// A name server that is asked directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsServer(pub SocketAddr);
string_form!(DnsServer, "DnsServer");

impl fmt::Display for DnsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DnsServer {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(DnsServer(address));
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>()
            .map(|ip| DnsServer(SocketAddr::new(ip, 53)))
            .map_err(|_| BadValue::new(text, "a name server as IP or IP:PORT (IPv6 with a port in brackets)"))
    }
}

/// Who resolves names for the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resolver {
    /// The system's own resolver; servers given with `dns` are asked besides it.
    System,
    /// The servers given with `dns` alone.
    Dns,
    /// Nobody: only addresses and redirected names are walked.
    None,
}

impl FromStr for Resolver {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "system" => Ok(Resolver::System),
            "dns" => Ok(Resolver::Dns),
            "none" => Ok(Resolver::None),
            _ => Err(BadValue::new(text, "system, dns or none")),
        }
    }
}

/// A redirection: connections to `host:port` go to `to` instead. An absent host or port stands for any; a host that is
/// a name stands in for resolution, a host that is an address (or absent) redirects the socket after resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    /// The name or address asked for; any, if absent.
    pub host: Option<String>,
    /// The port asked for; any, if absent.
    pub port: Option<u16>,
    /// The address that the socket connects to.
    pub to: SocketAddr,
}
string_form!(ConnectTo, "ConnectTo");

impl ConnectTo {
    const EXPECTED: &str = "HOST:PORT:ADDRESS:PORT (IPv6 in brackets; HOST and the first PORT may be empty)";

    /// The address that `host`, where it is an address.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.as_deref().and_then(|host| host.parse().ok())
    }
}

impl fmt::Display for ConnectTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{host}]")?,
            Some(host) => f.write_str(host)?,
            None => {}
        }
        f.write_str(":")?;
        if let Some(port) = self.port {
            write!(f, "{port}")?;
        }
        write!(f, ":{}", self.to)
    }
}

impl FromStr for ConnectTo {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue::new(text, Self::EXPECTED);
        let (host, rest) = if let Some(open) = text.strip_prefix('[') {
            let (host, rest) = open.split_once("]:").ok_or_else(bad)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?;
            (host, rest)
        } else {
            text.split_once(':').ok_or_else(bad)?
        };
        let (port, to) = rest.split_once(':').ok_or_else(bad)?;
        if host.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(bad());
        }
        let port = match port {
            "" => None,
            digits => Some(digits.parse().map_err(|_| bad())?),
        };
        let to = to.parse().map_err(|_| bad())?;
        Ok(ConnectTo { host: (!host.is_empty()).then(|| host.to_ascii_lowercase()), port, to })
    }
}

/// The store that a run trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The machine's own store.
    System,
    /// Nothing but `cacert`.
    None,
}

impl FromStr for Trust {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "system" => Ok(Trust::System),
            "none" => Ok(Trust::None),
            _ => Err(BadValue::new(text, "system or none")),
        }
    }
}

/// The certificates that make the chains of matching hosts genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Host names, `*` standing for any characters.
    pub glob: String,
    /// The PEM file.
    pub file: String,
}
string_form!(Anchor, "Anchor");

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.glob, self.file)
    }
}

impl FromStr for Anchor {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text.split_once('=') {
            Some((glob, file)) if !glob.is_empty() && !file.is_empty() => {
                Ok(Anchor { glob: glob.to_ascii_lowercase(), file: file.into() })
            }
            _ => Err(BadValue::new(text, "GLOB=FILE")),
        }
    }
}

/// Whether `name` fits `glob`, where `*` stands for any characters; ASCII case does not count.
pub fn glob_matches(glob: &str, name: &str) -> bool {
    fn fits(glob: &[u8], name: &[u8]) -> bool {
        let (mut g, mut n, mut star) = (0, 0, None);
        while n < name.len() {
            if g < glob.len() && glob[g] == b'*' {
                star = Some((g, n));
                g += 1;
            } else if g < glob.len() && glob[g].eq_ignore_ascii_case(&name[n]) {
                g += 1;
                n += 1;
            } else if let Some((at, from)) = star {
                star = Some((at, from + 1));
                g = at + 1;
                n = from + 1;
            } else {
                return false;
            }
        }
        glob[g..].iter().all(|&b| b == b'*')
    }
    fits(glob.as_bytes(), name.as_bytes())
}

impl Settings {
    /// Whether nothing in the settings says by which clock or store certificates are judged, so that what the machine
    /// itself says of them decides.
    pub fn judges_as_the_machine(&self) -> bool {
        self.at.is_none() && self.trust == Trust::System && self.cacert.is_empty()
    }

    /// Whether a layer is reported on, by `only` and `skip`.
    pub fn reports_on(&self, layer: Layer) -> bool {
        (self.only.is_empty() || self.only.contains(&layer)) && !self.skip.contains(&layer)
    }

    /// Whether a finding is not to be shown.
    pub fn suppresses(&self, id: &str, subject: &str) -> bool {
        self.suppress.iter().any(|entry| match entry.split_once('=') {
            Some((only, about)) => only == id && about == subject,
            None => entry == id,
        })
    }
}

/// Splits `HOST:PORT`, an IPv6 host in brackets; the host comes back without them, in lower case.
pub fn split_host_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(open) => open.split_once("]:").filter(|(host, _)| host.parse::<std::net::Ipv6Addr>().is_ok())?,
        None => text.rsplit_once(':').filter(|(host, _)| is_host_name(host))?,
    };
    let port = port.parse().ok().filter(|&port| port != 0)?;
    Some((host.to_ascii_lowercase(), port))
}

/// Whether `text` can be a host name or an IPv4 address: letters, digits, `-`, `_` and single dots.
pub fn is_host_name(text: &str) -> bool {
    let body = text.strip_suffix('.').unwrap_or(text);
    !body.is_empty()
        && body.len() <= 253
        && body.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        })
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
    }
}

/// A duration as people write it: `4s`, `250ms`, `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);
string_form!(Span, "Span");

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms.is_multiple_of(1000) { write!(f, "{}s", ms / 1000) } else { write!(f, "{ms}ms") }
    }
}

impl FromStr for Span {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue::new(text, "a duration such as 250ms, 4s or 2m, above zero and up to an hour");
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (digits, unit) = text.split_at(split);
        let count: u64 = digits.parse().map_err(|_| bad())?;
        let ms = match unit {
            "ms" => count,
            "s" => count.checked_mul(1000).ok_or_else(bad)?,
            "m" => count.checked_mul(60_000).ok_or_else(bad)?,
            _ => return Err(bad()),
        };
        if ms == 0 || ms > 3_600_000 {
            return Err(bad());
        }
        Ok(Span(Duration::from_millis(ms)))
    }
}
