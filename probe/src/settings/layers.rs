//! Where settings come from: flags over environment over file over defaults, each key by itself. A list replaces the
//! list below it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Anchor, BadValue, ConnectTo, DnsServer, Family, NamedProxy, Resolver, Settings, Span, Trust};
use crate::evidence::{Layer, SpokenPlan};
use crate::schannel;

/// The settings file that is read where none is named.
pub const FILE: &str = "wsusprobe.toml";

/// What every environment variable begins with.
pub const PREFIX: &str = "WSUSPROBE_";

/// The options that are flags alone, neither keys nor variables, each with what to write instead of a variable.
pub const FLAGS_ALONE: &[(&str, &str)] = &[
    ("ipv4", "WSUSPROBE_FAMILY=ipv4"),
    ("ipv6", "WSUSPROBE_FAMILY=ipv6"),
    ("proxy-password-fd", "the flag, or WSUSPROBE_PROXY_PASSWORD"),
    ("script", "the flag"),
];

/// A value as a flag or a variable gives it.
trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, BadValue>;
}

macro_rules! from_text {
    ($($type:ty),*) => {$(
        impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, BadValue> {
                text.parse()
            }
        }
    )*};
}
from_text!(
    DnsServer, Resolver, ConnectTo, Trust, Anchor, NamedProxy, Span, At, Until, Output, Colour, ProxyUser,
    Plan, Client, Redact
);

impl FromText for String {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        Ok(text.to_string())
    }
}

impl FromText for bool {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(BadValue::new(text, "true or false")),
        }
    }
}

impl FromText for u8 {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.parse().map_err(|_| BadValue::new(text, "a number from 0 to 2"))
    }
}

impl FromText for u32 {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.parse().ok().filter(|&number| number > 0).ok_or_else(|| BadValue::new(text, "a number from 1"))
    }
}

impl FromText for Family {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        match text {
            "ipv4" => Ok(Family::Ipv4),
            "ipv6" => Ok(Family::Ipv6),
            _ => Err(BadValue::new(text, "ipv4 or ipv6")),
        }
    }
}

impl FromText for Layer {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        Layer::of_id(text).filter(|layer| layer.word() == text).ok_or_else(|| {
            BadValue::new(
                text,
                "a layer: config, name, dial, proxy, tls, trust, http, wsus, content, history, offline, input or \
                 unexplained",
            )
        })
    }
}

by_text!(Until, Output, Colour, ProxyUser, Plan, Client, Redact);

/// The time of a run: RFC 3339, or local where it has no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(pub jiff::Timestamp);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for At {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(At(at));
        }
        text.parse::<jiff::civil::DateTime>()
            .ok()
            .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::system()).ok())
            .map(|zoned| At(zoned.timestamp()))
            .ok_or_else(|| {
                BadValue::new(text, "a time such as 2026-05-01T02:30:00Z, or without a zone in local time")
            })
    }
}

impl Serialize for At {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        // TOML has times of its own: both forms say the same.
        let text = match toml::Value::deserialize(d)? {
            toml::Value::String(text) => text,
            toml::Value::Datetime(time) => time.to_string(),
            other => other.to_string(),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The layer at which a check stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until(pub Layer);

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.word())
    }
}

impl std::str::FromStr for Until {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        use Layer::*;
        [Name, Dial, Proxy, Tls, Trust, Http]
            .into_iter()
            .find(|layer| layer.word() == text)
            .map(Until)
            .ok_or_else(|| BadValue::new(text, "name, dial, proxy, tls, trust or http"))
    }
}

/// How a server is enumerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan(pub SpokenPlan);

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            SpokenPlan::Near => "near",
            SpokenPlan::Far => "far",
            SpokenPlan::Polite => "polite",
        })
    }
}

impl std::str::FromStr for Plan {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "near" => Ok(Plan(SpokenPlan::Near)),
            "far" => Ok(Plan(SpokenPlan::Far)),
            _ => Err(BadValue::new(text, "near or far")),
        }
    }
}

/// A Windows Server by its profile's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client(pub String);

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Client {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let id = text.to_ascii_lowercase();
        match schannel::profile(&id).is_some() {
            true => Ok(Client(id)),
            false => Err(BadValue::new(text, schannel::PROFILE_IDS)),
        }
    }
}

/// The user of a proxy, without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUser(pub String);

impl fmt::Display for ProxyUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ProxyUser {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text.contains(':') {
            // What stands behind the colon may be a password: it is not repeated.
            return Err(BadValue::new(
                "(with a colon)",
                "a user's name alone: its password is read from WSUSPROBE_PROXY_PASSWORD",
            ));
        }
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(BadValue::new(text, "a user's name"));
        }
        Ok(ProxyUser(text.to_string()))
    }
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people at a console.
    Text,
    /// One line a finding.
    Short,
    /// The whole document.
    Json,
}

impl Format {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Short => "short",
            Format::Json => "json",
        }
    }
}

/// A form of the report and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The form.
    pub format: Format,
    /// The file; standard output, if absent.
    pub file: Option<String>,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format.word())?;
        self.file.iter().try_for_each(|file| write!(f, "={file}"))
    }
}

impl std::str::FromStr for Output {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (word, file) = match text.split_once('=') {
            Some((word, file)) => (word, Some(file)),
            None => (text, None),
        };
        let format =
            [Format::Text, Format::Short, Format::Json].into_iter().find(|format| format.word() == word);
        match (format, file) {
            (Some(format), None | Some("-")) => Ok(Output { format, file: None }),
            (Some(format), Some(file)) if !file.is_empty() => {
                Ok(Output { format, file: Some(file.to_string()) })
            }
            _ => Err(BadValue::new(text, "text, short or json, with =FILE where it goes to a file")),
        }
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Colour::Auto => "auto",
            Colour::Always => "always",
            Colour::Never => "never",
        })
    }
}

impl std::str::FromStr for Colour {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "auto" => Ok(Colour::Auto),
            "always" => Ok(Colour::Always),
            "never" => Ok(Colour::Never),
            _ => Err(BadValue::new(text, "auto, always or never")),
        }
    }
}

/// What a collection hides besides secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redact {
    /// The names of the site's hosts.
    Names,
}

impl fmt::Display for Redact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names")
    }
}

impl std::str::FromStr for Redact {
    type Err = BadValue;
    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text == "names" { Ok(Redact::Names) } else { Err(BadValue::new(text, "names")) }
    }
}

macro_rules! layer {
    ($($(#[$doc:meta])* $field:ident $key:literal $kind:ident $type:ty;)*) => {
        /// What one source says; what it does not name is absent.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Given {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<layer!(@type $kind $type)>,)*
        }

        impl Given {
            /// Every key, in the order in which they are shown.
            pub const KEYS: &[&str] = &[$($key),*];

            /// This, and where it is silent what lies below.
            #[must_use]
            pub fn over(self, below: Given) -> Given {
                Given { $($field: self.$field.or(below.$field),)* }
            }

            /// Whether a key is named.
            pub fn has(&self, key: &str) -> bool {
                match key {
                    $($key => self.$field.is_some(),)*
                    _ => false,
                }
            }

            /// Sets a key from text; one value, or a list's.
            pub fn set(&mut self, key: &str, values: &[String]) -> Result<(), BadValue> {
                match key {
                    $($key => self.$field = Some(layer!(@parse $kind $type, values)),)*
                    _ => return Err(BadValue::new(key, "a key of the settings")),
                }
                Ok(())
            }

            /// Whether a key holds a list.
            pub fn is_list(key: &str) -> bool {
                match key {
                    $($key => layer!(@list $kind),)*
                    _ => false,
                }
            }
        }
    };
    (@type list $type:ty) => { Vec<$type> };
    (@type one $type:ty) => { $type };
    (@parse list $type:ty, $values:ident) => {
        $values.iter().map(|value| <$type>::from_text(value)).collect::<Result<Vec<_>, _>>()?
    };
    (@parse one $type:ty, $values:ident) => {
        match $values { [value] => <$type>::from_text(value)?, _ => return Err(BadValue::new(&$values.join(","), "one value")) }
    };
    (@list list) => { true };
    (@list one) => { false };
}

layer! {
    /// Name servers that are asked directly.
    dns "dns" list DnsServer;
    /// Who resolves names.
    resolver "resolver" one Resolver;
    /// Redirections.
    connect_to "connect-to" list ConnectTo;
    /// PEM files to trust.
    cacert "cacert" list String;
    /// The store to trust.
    trust "trust" one Trust;
    /// What makes hosts genuine.
    anchor "anchor" list Anchor;
    /// The proxy.
    proxy "proxy" one NamedProxy;
    /// Its user.
    proxy_user "proxy-user" one ProxyUser;
    /// The only address family.
    family "family" one Family;
    /// The time of the run.
    at "at" one At;
    /// The time of a repair.
    since "since" one At;
    /// Layers to report on.
    only "only" list Layer;
    /// Layers to leave out.
    skip "skip" list Layer;
    /// Where a check stops.
    until "until" one Until;
    /// Open no socket.
    no_network "no-network" one bool;
    /// No network by design.
    disconnected "disconnected" one bool;
    /// The longest step.
    timeout "timeout" one Span;
    /// The longest run.
    deadline "deadline" one Span;
    /// Findings not to show.
    suppress "suppress" list String;
    /// Versions, suites and order alone.
    suites "suites" one bool;
    /// How a server is enumerated.
    plan "plan" one Plan;
    /// One connection at a time.
    polite "polite" one bool;
    /// Connections in a second.
    rate "rate" one u32;
    /// Whose client is taken.
    r#as "as" one Client;
    /// Files that say how that client is set.
    policy "policy" list String;
    /// What a collection hides.
    redact "redact" one Redact;
    /// The forms of the report.
    output "output" list Output;
    /// No progress.
    quiet "quiet" one bool;
    /// How much is told.
    verbose "verbose" one u8;
    /// When to colour.
    color "color" one Colour;
}

impl Given {
    /// The settings of a run; what nobody names has its default.
    pub fn settings(&self) -> Settings {
        let given = self.clone();
        let default = Settings::default();
        let dns = given.dns.unwrap_or_default();
        let resolver = if dns.is_empty() { default.resolver } else { Resolver::Dns };
        let named = given.proxy.unwrap_or(NamedProxy { choice: default.proxy, user: None, password: None });
        let NamedProxy { choice: proxy, user: url_user, password: url_password } = named;
        let user = given.proxy_user.map(|user| user.0).or_else(|| url_user.clone());
        // A URL's password is its own user's.
        let password = url_password.filter(|_| user == url_user);
        Settings {
            resolver: given.resolver.unwrap_or(resolver),
            dns,
            connect_to: given.connect_to.unwrap_or_default(),
            cacert: given.cacert.unwrap_or_default(),
            trust: given.trust.unwrap_or(default.trust),
            anchor: given.anchor.unwrap_or_default(),
            proxy,
            proxy_user: user,
            proxy_password: password,
            family: given.family,
            at: given.at.map(|at| at.0),
            since: given.since.map(|since| since.0),
            only: given.only.unwrap_or_default(),
            skip: given.skip.unwrap_or_default(),
            until: given.until.map(|until| until.0),
            no_network: given.no_network.unwrap_or(default.no_network),
            disconnected: given.disconnected.unwrap_or(default.disconnected),
            timeout: given.timeout.unwrap_or(default.timeout),
            deadline: given.deadline.unwrap_or(default.deadline),
            suppress: given.suppress.unwrap_or_default(),
            suites: given.suites.unwrap_or(default.suites),
            plan: given.plan.map(|plan| plan.0),
            polite: given.polite.unwrap_or(default.polite),
            rate: given.rate,
            client: given.r#as.map(|client| client.0),
        }
    }

    /// Reads the text of a settings file. `folder` is what relative paths in it are relative to.
    pub fn from_toml(text: &str, folder: &Path) -> Result<Given, toml::de::Error> {
        let mut given: Given = toml::from_str(text)?;
        let below = |file: &mut String| {
            if !folder.as_os_str().is_empty() && Path::new(file.as_str()).is_relative() {
                *file = folder.join(file.as_str()).to_string_lossy().into_owned();
            }
        };
        given.cacert.iter_mut().flatten().for_each(below);
        given.policy.iter_mut().flatten().for_each(below);
        given.anchor.iter_mut().flatten().for_each(|anchor| below(&mut anchor.file));
        Ok(given)
    }

    /// Reads the environment: `WSUSPROBE_` and the key in capitals, lists separated by commas. An empty variable is
    /// none; that of an option which has none is refused, for whoever sets it counts on it.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Given, SettingsError> {
        let mut given = Given::default();
        let set = |key: &str| variable(&variable_name(key)).is_some_and(|value| !value.is_empty());
        if let Some((flag, instead)) = FLAGS_ALONE.iter().find(|(flag, _)| set(flag)) {
            return Err(SettingsError::NoVariable { flag, instead });
        }
        for key in Self::KEYS {
            let name = variable_name(key);
            let Some(value) = variable(&name).filter(|value| !value.is_empty()) else { continue };
            let bad = |error| SettingsError::Value { origin: name.clone(), error };
            let text = value
                .into_string()
                .map_err(|raw| bad(BadValue::new(&raw.to_string_lossy(), "text in UTF-8")))?;
            let values: Vec<String> = if Self::is_list(key) {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_string).collect()
            } else {
                vec![text]
            };
            given.set(key, &values).map_err(bad)?;
        }
        Ok(given)
    }
}

/// The environment variable of a key: `WSUSPROBE_CONNECT_TO`.
pub fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('-', "_"))
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A flag or a variable has a value that it cannot have.
    #[error("{origin}: {error}")]
    Value {
        /// The flag or the variable.
        origin: String,
        /// What is wrong.
        error: BadValue,
    },
    /// A variable of an option that has none.
    #[error("{}: --{flag} has no variable; use {instead}", variable_name(flag))]
    NoVariable {
        /// The option.
        flag: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
    /// The settings file cannot be read.
    #[error("{}: {why}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: String,
    },
    /// The settings file says something that it cannot say.
    #[error("{}:{line}:{column}: {message}\n{caret}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
        /// The line itself, marked.
        caret: String,
    },
}

/// Reads a settings file: the named one, which must be there, or the one of this folder, which need not be.
pub fn read_file(named: Option<&Path>) -> Result<Option<(PathBuf, Given)>, SettingsError> {
    let file = named.unwrap_or(Path::new(FILE));
    let unreadable = |why: String| SettingsError::Unreadable { file: file.to_path_buf(), why };
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    // PowerShell's redirection writes UTF-16.
    let text = match encoding_rs::Encoding::for_bom(&bytes) {
        Some((encoding, mark)) => encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned(),
        None => String::from_utf8(bytes).map_err(|_| unreadable("expected text in UTF-8".into()))?,
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    match Given::from_toml(&text, folder) {
        Ok(given) => Ok(Some((file.to_path_buf(), given))),
        Err(error) => Err(locate(file, &text, &error)),
    }
}

fn locate(file: &Path, text: &str, error: &toml::de::Error) -> SettingsError {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    // TOML's own display: a headline that repeats the place, the line with its marks, and the message.
    let whole = error.to_string();
    let mut caret: Vec<&str> =
        whole.lines().filter(|line| line.contains(" | ") || line.trim_end().ends_with('|')).collect();
    // A line that may hold a password is not repeated.
    let marked = caret.concat().to_ascii_lowercase();
    if ["@", "pass", "proxy"].iter().any(|word| marked.contains(word)) {
        caret.clear();
    }
    SettingsError::File {
        file: file.to_path_buf(),
        line,
        column,
        message: error.message().to_string(),
        caret: caret.join("\n"),
    }
}

/// A settings file to begin with: every key, commented out.
pub const TEMPLATE: &str = r#"# Settings of wsusprobe. A flag or a WSUSPROBE_ variable of the same name outranks a key here.
# Every key is shown with its default, or with an example where there is none.

# Name servers that are asked directly.
#dns = ["192.0.2.53", "192.0.2.54:5353"]

# Who resolves names: "system", "dns" (those above, the default once there are some) or "none".
#resolver = "system"

# HOST:PORT:ADDRESS:PORT, as curl has it: where HOST is a name no resolver is asked, where it is an address its
# connections go elsewhere.
#connect-to = ["upstream.example.test:8531:192.0.2.10:8531"]

# PEM files whose certificates are trusted besides the machine's store; relative to this file.
#cacert = ["root.pem"]

# The store that is trusted: "system", or "none" for the files above alone.
#trust = "system"

# What makes a host's chain genuine, GLOB=FILE: replaces the built-in Microsoft roots for the names that it matches.
#anchor = ["*.update.microsoft.com=anchor.pem"]

# The proxy: "as-configured" in WSUS, "none", or http://, socks4://, socks4a:// or socks5:// with HOST:PORT. Credentials
# in it are taken with a warning.
#proxy = "as-configured"

# The user of the proxy, as DOMAIN\user, user@REALM or user. A password has no key: it is read from
# WSUSPROBE_PROXY_PASSWORD, from --proxy-password-fd or at the terminal.
#proxy-user = "EXAMPLE\\wsus"

# The only address family: "ipv4" or "ipv6".
#family = "ipv4"

# The time at which certificates are judged.
#at = "2026-05-01T02:30:00Z"

# `wsusprobe verify`: the time of the repair.
#since = "2026-05-01T02:30:00Z"

# Layers to report on, and layers to leave out.
#only = ["name", "dial"]
#skip = ["content"]

# The last layer of a check: "name", "dial", "proxy", "tls", "trust" or "http".
#until = "tls"

# Judge what is handed over and open no socket.
#no-network = false

# `wsusprobe tls`: versions, suites and order alone; one connection at a time; connections in a second; "near" or "far" by
# the measured round trip where nothing is said; the Windows Server whose client is taken.
#suites = false
#polite = false
#rate = 20
#plan = "far"
#as = "ws2012r2"

# `wsusprobe tls`: files that say how this client is set; relative to this file.
#policy = ["policy.html", "schannel.reg"]

# `wsusprobe collect`: hide the names of the site's hosts too.
#redact = "names"

# This server has no network by design.
#disconnected = false

# The longest that one step and the whole run take.
#timeout = "10s"
#deadline = "60s"

# Findings not to show, ID or ID=SUBJECT.
#suppress = ["history/client-log"]

# The forms of the report: "text", "short" or "json", with =FILE where it goes to a file.
#output = ["text"]

# No progress; how much the report tells, 0 to 2; colour: "auto", "always" or "never".
#quiet = false
#verbose = 0
#color = "auto"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Given {
        Given::from_toml(text, Path::new("")).unwrap()
    }

    #[test]
    fn each_key_falls_through_by_itself() {
        let env = |name: &str| match name {
            "WSUSPROBE_TIMEOUT" => Some("2s".into()),
            "WSUSPROBE_DNS" => Some("192.0.2.1, 192.0.2.2:54,".into()),
            "WSUSPROBE_PROXY" => Some("".into()),
            _ => None,
        };
        let mut flags = Given::default();
        flags.set("timeout", &["1s".to_string()]).unwrap();
        let below = file("timeout = \"3s\"\ndeadline = \"9s\"\ndns = [\"192.0.2.9\"]\nproxy = \"none\"");
        let settings = flags.over(Given::from_environment(&env).unwrap()).over(below).settings();
        assert_eq!(settings.timeout.to_string(), "1s");
        assert_eq!(settings.deadline.to_string(), "9s");
        assert_eq!(
            settings.dns.iter().map(|d| d.to_string()).collect::<Vec<_>>(),
            ["192.0.2.1:53", "192.0.2.2:54"]
        );
        assert_eq!(settings.resolver, Resolver::Dns);
        assert_eq!(settings.proxy, crate::settings::ProxyChoice::None);
    }

    #[test]
    fn nothing_given_is_the_default() {
        assert_eq!(Given::default().settings(), Settings::default());
    }

    #[test]
    fn a_named_resolver_outranks_what_dns_implies() {
        assert_eq!(
            file("dns = [\"192.0.2.1\"]\nresolver = \"system\"").settings().resolver,
            Resolver::System
        );
    }

    #[test]
    fn every_key_of_the_template_is_one_and_every_one_is_there() {
        let mut seen: Vec<String> = Vec::new();
        let text: String = TEMPLATE
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')))
            .inspect(|line| seen.extend(line.split_once(" = ").map(|(key, _)| key.to_string())))
            .map(|line| format!("{line}\n"))
            .collect();
        file(&text);
        seen.sort();
        let mut keys: Vec<_> = Given::KEYS.iter().map(|key| key.to_string()).collect();
        keys.sort();
        assert_eq!(seen, keys);
    }

    #[test]
    fn a_variable_of_a_flag_alone_is_refused() {
        for (flag, _) in FLAGS_ALONE {
            let name = variable_name(flag);
            let env = |asked: &str| (asked == name).then(|| "1".into());
            let error = Given::from_environment(&env).unwrap_err().to_string();
            assert!(error.starts_with(&name), "{error}");
            assert!(Given::from_environment(&|asked| (asked == name).then(OsString::new)).is_ok());
        }
    }

    #[test]
    fn every_setting_has_a_key() {
        let settings = serde_json::to_value(Settings::default()).unwrap();
        for key in settings.as_object().unwrap().keys() {
            assert!(Given::KEYS.contains(&key.as_str()), "{key}");
        }
    }

    #[test]
    fn files_are_relative_to_the_settings_file() {
        let given = Given::from_toml(
            "cacert = [\"ca.pem\"]\nanchor = [\"*=a.pem\"]\npolicy = [\"p.reg\"]",
            Path::new("conf"),
        )
        .unwrap();
        assert_eq!(Path::new(&given.cacert.unwrap()[0]), Path::new("conf/ca.pem"));
        assert_eq!(Path::new(&given.anchor.unwrap()[0].file), Path::new("conf/a.pem"));
        assert_eq!(Path::new(&given.policy.unwrap()[0]), Path::new("conf/p.reg"));
    }

    #[test]
    fn an_error_in_the_file_shows_where() {
        let text = "timeout = \"4s\"\n  prox = \"none\"\n";
        let error = Given::from_toml(text, Path::new("")).unwrap_err();
        let shown = locate(Path::new("w.toml"), text, &error).to_string();
        assert!(shown.starts_with("w.toml:2:3: unknown field `prox`"), "{shown}");
        assert!(shown.contains("^^^^") && shown.contains("prox = \"none\""), "{shown}");
        let text = "timeout = \"soon\"";
        let shown = locate(Path::new("w.toml"), text, &Given::from_toml(text, Path::new("")).unwrap_err())
            .to_string();
        assert!(shown.starts_with("w.toml:1:11: `soon` is not a duration"), "{shown}");
    }

    #[test]
    fn times_are_strings_or_tomls_own() {
        for text in
            ["at = \"2026-05-01T02:30:00Z\"", "at = 2026-05-01T02:30:00Z", "at = 2026-05-01 04:30:00+02:00"]
        {
            assert_eq!(file(text).at.unwrap().to_string(), "2026-05-01T02:30:00Z", "{text}");
        }
        assert!(Given::from_toml("at = 7", Path::new("")).is_err());
        assert!("2026-05-01T02:30".parse::<At>().is_ok());
    }

    #[test]
    fn a_password_in_a_url_is_its_users_and_an_error_does_not_repeat_it() {
        let settings = file("proxy = \"http://wsus:hunter2@p:1\"").settings();
        assert_eq!(settings.proxy_user.as_deref(), Some("wsus"));
        assert_eq!(settings.proxy_password.unwrap().expose(), "hunter2");
        let settings = file("proxy = \"http://wsus:hunter2@p:1\"\nproxy-user = \"other\"").settings();
        assert_eq!((settings.proxy_user.as_deref(), settings.proxy_password), (Some("other"), None));
        for text in [
            "proxy = \"http://wsus:hunter2@p\"",
            "proxy-user = \"wsus:hunter2\"",
            "proxy-password = \"hunter2\"",
            "proxy = \"http://wsus:hunter2@p:1",
        ] {
            let error = Given::from_toml(text, Path::new("")).unwrap_err();
            let shown = locate(Path::new("w.toml"), text, &error).to_string();
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.starts_with("w.toml:1:"), "{shown}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let mut given = Given::default();
        let error = given.set("proxy-user", &["wsus:hunter2".to_string()]).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(error.to_string().contains("WSUSPROBE_PROXY_PASSWORD"));
    }

    #[test]
    fn outputs_are_a_form_and_a_place() {
        assert_eq!("json=a=b".parse::<Output>().unwrap().file.as_deref(), Some("a=b"));
        assert_eq!("json=-".parse::<Output>().unwrap().file, None);
        assert!("html".parse::<Output>().is_err() && "json=".parse::<Output>().is_err());
    }
}
