//! What this machine's own system says to a proxy: tickets of Kerberos, where it has a library for them, and on Windows the
//! logon of the account that the run is under. Whether it has either is a fact of the run like any other.

#[cfg(target_os = "linux")]
#[path = "gss/linux.rs"]
mod system;
#[cfg(windows)]
#[path = "gss/windows.rs"]
mod system;
#[cfg(not(any(target_os = "linux", windows)))]
#[path = "gss/other.rs"]
mod system;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::auth::Account;
#[cfg(windows)]
use super::own::Conversation;
use super::own::OwnAccount;
use crate::codec::spnego;

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

/// The account that the run is under, where the system logs it on.
pub(super) fn own_account() -> Option<Arc<dyn OwnAccount>> {
    system::own_account()
}

/// The tickets of a run. What was obtained once serves every further connection.
#[derive(Debug, Default)]
pub struct Tickets {
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    Credential(system::Credential),
    /// The KDC refused the password: it is not asked again.
    Refused(NoTicket),
}

impl Tickets {
    /// A token for `HTTP/host` in the form that `Negotiate` carries. The library blocks: it has a thread of its own and
    /// is not waited for longer than `wait`.
    pub async fn token(&self, host: &str, account: &Account, wait: Duration) -> Result<Vec<u8>, NoTicket> {
        let (held, host, account) = (self.held.clone(), host.to_string(), account.clone());
        let asking = tokio::task::spawn_blocking(move || {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            obtain(&mut held, &host, &account)
        });
        match tokio::time::timeout(wait, asking).await {
            Ok(Ok(token)) => token.map(|token| spnego::kerberos(&token)),
            Ok(Err(_)) => Err(NoTicket::new("the Kerberos library failed")),
            Err(_) => {
                Err(NoTicket::new(format!("the Kerberos library gave no answer in {} s", wait.as_secs_f32())))
            }
        }
    }
}

fn obtain(held: &mut Held, host: &str, account: &Account) -> Result<Vec<u8>, NoTicket> {
    let kept = match held {
        Held::Refused(why) => return Err(why.clone()),
        Held::Credential(credential) => return credential.token(host),
        Held::Nothing => held,
    };
    let name = if system::REALMS_ALONE { principal(&account.name) } else { account.name.clone() };
    let password = account.password.as_ref().map(|password| password.expose().as_str());
    // A NetBIOS domain names no realm: the default one's KDC would be searched for, and may be asked for a stranger.
    let password = password.filter(|_| !(system::REALMS_ALONE && names_no_realm(&account.name)));
    let by_password = password.map(|password| {
        let credential = system::Credential::by_password(&name, password)?;
        // The password is first proved when a ticket is asked for.
        let token = credential.token(host)?;
        Ok((credential, token))
    });
    let tried = match by_password {
        Some(Err(NoTicket { refused: true, why })) => {
            let why = NoTicket { refused: true, why };
            *kept = Held::Refused(why.clone());
            return Err(why);
        }
        Some(Ok((credential, token))) => {
            *kept = Held::Credential(credential);
            return Ok(token);
        }
        Some(Err(other)) => Some(other),
        None => None,
    };
    let by_cache = system::Credential::by_cache(&name).and_then(|credential| {
        let token = credential.token(host)?;
        Ok((credential, token))
    });
    match by_cache {
        Ok((credential, token)) => {
            *kept = Held::Credential(credential);
            Ok(token)
        }
        // A ticket that is not there is no word about the password.
        Err(other) => Err(NoTicket { refused: false, ..tried.unwrap_or(other) }),
    }
}

/// Whether a user stands in a domain that is no DNS name.
fn names_no_realm(user: &str) -> bool {
    user.split_once('\\').is_some_and(|(domain, _)| !domain.contains('.'))
}

/// The principal of a user: a domain that is a DNS name is taken for the realm, another one is not known to Kerberos.
fn principal(user: &str) -> String {
    match user.split_once('\\') {
        Some((domain, user)) if domain.contains('.') => format!("{user}@{}", domain.to_ascii_uppercase()),
        Some((_, user)) => user.to_string(),
        None => user.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_become_principals() {
        for (user, expected) in [
            ("wsus", "wsus"),
            ("wsus@EXAMPLE.TEST", "wsus@EXAMPLE.TEST"),
            ("EXAMPLE\\wsus", "wsus"),
            ("example.test\\wsus", "wsus@EXAMPLE.TEST"),
        ] {
            assert_eq!(principal(user), expected);
        }
        assert!(
            names_no_realm("EXAMPLE\\wsus")
                && !names_no_realm("example.test\\wsus")
                && !names_no_realm("wsus")
        );
    }
}
