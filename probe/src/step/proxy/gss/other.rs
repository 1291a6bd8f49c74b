//! Where no library for tickets is opened in this build.

use std::sync::Arc;

use super::{NoTicket, OwnAccount};

/// Nobody asks with a realm.
pub(super) const REALMS_ALONE: bool = true;

/// No account of the system's logs on.
pub(super) fn own_account() -> Option<Arc<dyn OwnAccount>> {
    None
}

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
