//! The values of settings in the forms in which a flag, a variable and a key of the file give them alike.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Anchor, BadValue, ConnectTo, DnsServer, Family, NamedProxy, Resolver, Span, Trust};
use crate::evidence::{Layer, SpokenPlan};
use crate::schannel;

/// A value as a flag or a variable gives it.
pub(super) trait FromText: Sized {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_a_form_and_a_place() {
        assert_eq!("json=a=b".parse::<Output>().unwrap().file.as_deref(), Some("a=b"));
        assert_eq!("json=-".parse::<Output>().unwrap().file, None);
        assert!("html".parse::<Output>().is_err() && "json=".parse::<Output>().is_err());
    }
}
