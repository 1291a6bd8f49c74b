//! Where no library for tickets is opened in this build, Windows among them.

use super::NoTicket;

/// What tickets are asked for with.
#[derive(Debug)]
pub(super) enum Credential {}

fn none<T>() -> Result<T, NoTicket> {
    Err(NoTicket::new("Kerberos is not available in this build"))
}

impl Credential {
    pub(super) fn by_password(_: &str, _: &str) -> Result<Credential, NoTicket> {
        none()
    }

    pub(super) fn by_cache(_: &str) -> Result<Credential, NoTicket> {
        none()
    }

    pub(super) fn token(&self, _: &str) -> Result<Vec<u8>, NoTicket> {
        match *self {}
    }
}
