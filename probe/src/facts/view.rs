//! Facts as rules and the plan ask for them.

use super::{Fact, Statement};

/// A look at some facts.
#[derive(Clone, Copy, Debug)]
pub struct FactView<'a> {
    facts: &'a [Fact],
}

impl<'a> FactView<'a> {
    /// A look at these facts.
    pub fn new(facts: &'a [Fact]) -> Self {
        FactView { facts }
    }

    /// Every fact.
    pub fn all(&self) -> &'a [Fact] {
        self.facts
    }

    /// Every value of a configuration property that is not empty, in the order handed over.
    pub fn config_all(&self, property: &str) -> Vec<(&'a Fact, &'a str)> {
        self.facts
            .iter()
            .filter_map(|fact| match &fact.statement {
                Statement::Config { property: p, value } if p.eq_ignore_ascii_case(property) && !value.is_empty() => {
                    Some((fact, value.as_str()))
                }
                _ => None,
            })
            .collect()
    }

    /// The last value of a configuration property that is not empty.
    pub fn config(&self, property: &str) -> Option<(&'a Fact, &'a str)> {
        self.config_all(property).pop()
    }

    /// A property that is `True` or `False`.
    pub fn flag(&self, property: &str) -> Option<(&'a Fact, bool)> {
        let (fact, value) = self.config(property)?;
        match value.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some((fact, true)),
            "false" | "0" => Some((fact, false)),
            _ => None,
        }
    }

    /// A property that is a port.
    pub fn port(&self, property: &str) -> Option<(&'a Fact, u16)> {
        let (fact, value) = self.config(property)?;
        value.trim().parse().ok().filter(|&port| port != 0).map(|port| (fact, port))
    }

    /// The URLs that the service called.
    pub fn endpoints(&self) -> Vec<(&'a Fact, &'a str)> {
        self.facts
            .iter()
            .filter_map(|fact| match &fact.statement {
                Statement::LogEndpoint { url } => Some((fact, url.as_str())),
                _ => None,
            })
            .collect()
    }

    /// WinHTTP's proxy: the last one handed over; an empty list is direct access.
    pub fn winhttp(&self) -> Option<(&'a Fact, &'a [(String, String)])> {
        self.facts.iter().rev().find_map(|fact| match &fact.statement {
            Statement::WinHttpProxy { servers, .. } => Some((fact, servers.as_slice())),
            _ => None,
        })
    }
}
