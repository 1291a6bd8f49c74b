//! Where settings come from: flags over environment over file over defaults, each key by itself. A list replaces the
//! list below it.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::values::{At, Client, Colour, FromText, Output, Plan, ProxyUser, Redact, Until};
use super::{Anchor, BadValue, ConnectTo, DnsServer, Family, NamedProxy, Resolver, Settings, Span, Trust};
use crate::evidence::Layer;

/// What every environment variable begins with.
pub const PREFIX: &str = "WSUSPROBE_";

/// The options that are flags alone, neither keys nor variables, each with what to write instead of a variable.
pub const FLAGS_ALONE: &[(&str, &str)] = &[
    ("ipv4", "WSUSPROBE_FAMILY=ipv4"),
    ("ipv6", "WSUSPROBE_FAMILY=ipv6"),
    ("proxy-password-fd", "the flag, or WSUSPROBE_PROXY_PASSWORD"),
    ("script", "the flag"),
];

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

#[cfg(test)]
mod tests {
    use std::path::Path;

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
    fn a_password_is_not_repeated() {
        let mut given = Given::default();
        let error = given.set("proxy-user", &["wsus:hunter2".to_string()]).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(error.to_string().contains("WSUSPROBE_PROXY_PASSWORD"));
    }
}
