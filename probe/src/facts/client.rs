//! This server's TLS client, put together from what the facts say of its Windows and of its settings.

use super::{FactView, RegistryValue, SchannelState, Statement};
use crate::schannel::{Caller, Client, ClientHello, Names, Policy, Profile, REFERENCE, Value, profile};
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
        let client = Client::new(known.unwrap_or(REFERENCE), policy(facts));
        OwnClient { client, facts: ids, known: known.is_some() }
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
fn policy(facts: &FactView) -> Policy {
    let mut policy = Policy::default();
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
            Statement::CipherSuites { names } if !names.is_empty() => {
                policy.set_effective(Names::list(names), id);
            }
            Statement::LogSchannel { protocol, state: SchannelState::Disabled } => {
                policy.value(&format!(r"{PROTOCOLS}\{protocol}\Client"), "Enabled", Value::Number(0), id);
            }
            _ => {}
        }
    }
    policy
}
