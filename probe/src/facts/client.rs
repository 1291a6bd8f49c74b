//! This server's TLS client, put together from what the facts say of its Windows and of its settings.

use super::{FactView, RegistryValue, SchannelState, Statement};
use crate::schannel::{
    Caller, Client, ClientHello, CurveModel, Names, Policy, Profile, REFERENCE, Value, profile,
};
use crate::settings::Settings;

/// The registry key whose values a start-up line of the log speaks of.
const PROTOCOLS: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols";

/// A TLS client, and where its Windows is known from.
#[derive(Clone, Debug)]
pub struct OwnClient {
    /// The client.
    pub client: Client,
    /// The facts that name its Windows; empty where a setting names it, or where the reference is taken.
    pub facts: Vec<String>,
    /// Whether its Windows is known, from a fact or a setting.
    pub known: bool,
    /// A fact that names another Windows than the setting that was taken, and which.
    pub against: Option<(String, &'static str)>,
}

impl OwnClient {
    /// The client that settings and facts describe; the reference where they say nothing of its Windows.
    pub fn new(settings: &Settings, facts: &FactView) -> OwnClient {
        let stated = settings.client.as_deref().and_then(profile);
        let named = facts.all().iter().rev().find_map(|fact| match &fact.statement {
            Statement::ServerVersion { version } => Some((fact, Profile::of_version(version)?)),
            _ => None,
        });
        let (known, ids) = match (stated, named) {
            (Some(stated), _) => (Some(stated), Vec::new()),
            (None, Some((fact, named))) => (Some(named), vec![fact.id.clone()]),
            (None, None) => (None, Vec::new()),
        };
        let profile = known.unwrap_or(REFERENCE);
        let against = named.filter(|(_, named)| known.is_some() && named.id != profile.id);
        OwnClient {
            client: Client::new(profile, policy(profile, facts)),
            facts: ids,
            known: known.is_some(),
            against: against.map(|(fact, named)| (fact.id.clone(), named.name)),
        }
    }

    /// The hello that synchronization sends to a host of this name. What is not known of the client is taken from the
    /// reference at TLS 1.2; a client that would send no hello at all is asked for its Windows' own.
    pub fn hello(&self, server_name: Option<String>) -> ClientHello {
        let own = self.client.hello(Caller::Synchronization, server_name.clone());
        let mut hello = match own.hello {
            Some(_) => own,
            None => self.client.without_policy().with_tls12().hello(Caller::Synchronization, server_name),
        };
        if !self.known {
            hello.offer.versions.retain(|&version| version == hello.offer.version);
        }
        hello
    }
}

/// How the facts say that a client departs from its Windows' default.
fn policy(profile: &Profile, facts: &FactView) -> Policy {
    let mut policy = Policy::default();
    let in_registry = |protocol: &str| {
        let end = format!(r"\PROTOCOLS\{}\CLIENT", protocol.to_ascii_uppercase());
        facts.all().iter().any(|fact| {
            matches!(&fact.statement, Statement::Registry { key, .. } if key.to_ascii_uppercase().ends_with(&end))
        })
    };
    for fact in facts.all() {
        let id = fact.id.as_str();
        match &fact.statement {
            Statement::Registry { key, name, value } => {
                let value = match value {
                    RegistryValue::Number { value } => Value::Number(*value),
                    RegistryValue::Text { value } => Value::Text(value),
                    RegistryValue::List { values } => Value::List(values),
                };
                policy.value(key, name, value, id);
            }
            // A policy that is not in force has no list.
            Statement::CipherOrder { suites, characters, .. } if !suites.is_empty() => {
                let names = Names { names: suites.clone(), characters: *characters as usize };
                policy.set_order(names, id);
            }
            Statement::CurveOrder { curves, .. } if !curves.is_empty() => {
                policy.set_curves(Names::list(curves), id);
            }
            // Where Get-TlsCipherSuite does not exist, a list of names is one that somebody wants to set.
            Statement::CipherSuites { names } if !names.is_empty() => match profile.curve_model {
                CurveModel::Suffix => policy.set_order(Names::list(names), id),
                CurveModel::Order => policy.set_effective(Names::list(names), id),
            },
            // The registry outranks what a start-up line read of it.
            Statement::LogSchannel { protocol, state: SchannelState::Disabled } if !in_registry(protocol) => {
                policy.value(&format!(r"{PROTOCOLS}\{protocol}\Client"), "Enabled", Value::Number(0), id);
            }
            _ => {}
        }
    }
    policy
}
