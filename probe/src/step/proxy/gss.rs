//! Tickets of Kerberos, where this machine has a library for them.

use std::time::Duration;

use super::auth::Account;

/// Why there is no ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoTicket {
    /// Whether the KDC refused the password.
    pub refused: bool,
    /// Why, in words.
    pub why: String,
}

impl NoTicket {
    /// None for this reason, which says nothing of the password.
    pub fn new(why: impl Into<String>) -> NoTicket {
        NoTicket { refused: false, why: why.into() }
    }
}

/// The tickets of a run.
#[derive(Debug, Default)]
pub struct Tickets;

impl Tickets {
    /// A token for `HTTP/host`.
    pub async fn token(&self, host: &str, account: &Account, wait: Duration) -> Result<Vec<u8>, NoTicket> {
        let _ = (host, account, wait);
        Err(NoTicket::new("Kerberos is not available in this build"))
    }
}
