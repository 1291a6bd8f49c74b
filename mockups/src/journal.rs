//! What happened in a world: an ordered record that every server writes to and a test counts in.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::hello::Hello;

/// One thing that a server saw. `listener` is the name that the server was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection was accepted.
    Connection {
        /// Who accepted it.
        listener: String,
    },
    /// An HTTP request was read to its end.
    Request {
        /// Who read it.
        listener: String,
        /// Its method.
        method: String,
        /// Its target as sent.
        target: String,
        /// The SOAP method that it asks for, or nothing.
        action: String,
    },
    /// A proxy was asked for a tunnel, or to pass on a request.
    Tunnel {
        /// The proxy.
        listener: String,
        /// `host:port`.
        target: String,
        /// The `Proxy-Authorization` scheme, or nothing.
        scheme: String,
    },
    /// Credentials were sent to a proxy.
    Authentication {
        /// The proxy.
        listener: String,
        /// The scheme as it was written; `socks5` for a password of SOCKS.
        scheme: String,
        /// Who it says it is, `DOMAIN\\USER` where there is a domain; nothing where the message does not say.
        user: String,
        /// Which message of the scheme.
        leg: Leg,
        /// What came of it.
        outcome: Outcome,
    },
    /// A name server was asked.
    Query {
        /// The name server.
        listener: String,
        /// The name without its last dot, in lower case.
        name: String,
        /// The record type, as `A`.
        kind: String,
        /// Whether over TCP.
        tcp: bool,
    },
    /// A ClientHello was read.
    Hello {
        /// Who read it.
        listener: String,
        /// What it says.
        hello: Box<Hello>,
    },
}

/// Which message of an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// The first of NTLM, which holds no secret.
    First,
    /// The one that proves who it is.
    Final,
}

/// What came of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A first message was answered with a challenge.
    Challenged,
    /// It is true.
    Accepted,
    /// It is not: what counts towards a lock on the account.
    Refused,
    /// Nothing was looked at but the nonce, which is old.
    Stale,
    /// No account was looked at: the scheme is not offered, the message cannot be read or answers nothing that was
    /// asked on this connection, or the proxy never listens.
    Ignored,
}

impl fmt::Display for Event {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Connection { listener } => write!(to, "{listener}: connection"),
            Event::Request { listener, method, target, action } => {
                write!(to, "{listener}: {method} {target} {action}")
            }
            Event::Tunnel { listener, target, scheme } => write!(to, "{listener}: CONNECT {target} {scheme}"),
            Event::Authentication { listener, scheme, user, leg, outcome } => {
                write!(to, "{listener}: {scheme} {leg:?} {user} {outcome:?}")
            }
            Event::Query { listener, name, kind, tcp } => {
                write!(to, "{listener}: {name} {kind}{}", if *tcp { " over TCP" } else { "" })
            }
            Event::Hello { listener, hello } => write!(
                to,
                "{listener}: hello for {} at most {:04x}",
                hello.server_name.as_deref().unwrap_or("no name"),
                hello.newest()
            ),
        }
    }
}

/// The record. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Event>>>);

impl Journal {
    /// Adds an event at the end.
    pub fn add(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// All events so far, in order.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections that listener accepted.
    pub fn connections(&self, of: &str) -> usize {
        self.events().iter().filter(|e| matches!(e, Event::Connection { listener } if listener == of)).count()
    }

    /// Every request as `METHOD TARGET ACTION`.
    pub fn requests(&self) -> Vec<String> {
        self.pick(|event| match event {
            Event::Request { method, target, action, .. } => {
                Some(format!("{method} {target} {action}").trim_end().to_owned())
            }
            _ => None,
        })
    }

    /// Every destination that a proxy was asked for.
    pub fn tunnels(&self) -> Vec<String> {
        self.pick(|event| match event {
            Event::Tunnel { target, .. } => Some(target.clone()),
            _ => None,
        })
    }

    /// Every `SCHEME USER` that came to that end: with [`Outcome::Refused`] each is one failed logon.
    pub fn authentications(&self, with: Outcome) -> Vec<String> {
        self.pick(|event| match event {
            Event::Authentication { scheme, user, outcome, .. } if *outcome == with => {
                Some(format!("{scheme} {user}").trim_end().to_owned())
            }
            _ => None,
        })
    }

    /// Every name that a name server was asked for.
    pub fn queries(&self) -> Vec<String> {
        self.pick(|event| match event {
            Event::Query { name, .. } => Some(name.clone()),
            _ => None,
        })
    }

    /// Every hello that was read.
    pub fn hellos(&self) -> Vec<Hello> {
        self.pick(|event| match event {
            Event::Hello { hello, .. } => Some((**hello).clone()),
            _ => None,
        })
    }

    fn pick<T>(&self, choose: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.events().iter().filter_map(choose).collect()
    }
}
