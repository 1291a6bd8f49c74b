//! Logging on as the account that the run is under: what its system says to a proxy, message by message. How the
//! messages come about is the system's; that they go out once, and where, is decided where every logon is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::auth::Scheme;
use super::gss::NoTicket;

/// The account that the run is under, where its system logs it on.
pub(super) trait OwnAccount: fmt::Debug + Send + Sync {
    /// Begins a logon at `HTTP/host` with a scheme of the system's: `Negotiate` or `NTLM`. May block.
    fn begin(&self, scheme: &'static str, host: &str) -> Result<Box<dyn Conversation>, NoTicket>;
}

/// The messages of one logon.
pub(super) trait Conversation: Send {
    /// The next message, in answer to what the proxy sent; the first one answers nothing. May block.
    fn next(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, NoTicket>;
}

/// A logon whose next message is there.
pub(super) struct Logon {
    message: Vec<u8>,
    conversation: Box<dyn Conversation>,
    wait: Duration,
}

/// A first message of NTLM, bare or inside SPNEGO (MS-NLMP section 2.2.1.1).
const NTLM_FIRST: [u8; 12] = *b"NTLMSSP\0\x01\0\0\0";

impl Logon {
    /// Begins one. The system is not waited for longer than `wait` for a message.
    pub(super) async fn begin(
        account: Arc<dyn OwnAccount>,
        scheme: &'static str,
        host: &str,
        wait: Duration,
    ) -> Result<Logon, NoTicket> {
        let host = host.to_string();
        Logon::blocking(wait, move || {
            let mut conversation = account.begin(scheme, &host)?;
            let message = conversation.next(None)?;
            Ok(Logon { message, conversation, wait })
        })
        .await
    }

    /// Goes on with what the proxy sent.
    pub(super) async fn answer(self, challenge: Vec<u8>) -> Result<Logon, NoTicket> {
        let Logon { mut conversation, wait, .. } = self;
        Logon::blocking(wait, move || {
            let message = conversation.next(Some(&challenge))?;
            Ok(Logon { message, conversation, wait })
        })
        .await
    }

    async fn blocking(
        wait: Duration,
        work: impl FnOnce() -> Result<Logon, NoTicket> + Send + 'static,
    ) -> Result<Logon, NoTicket> {
        match tokio::time::timeout(wait, tokio::task::spawn_blocking(work)).await {
            Ok(Ok(Ok(logon))) if logon.message.is_empty() => {
                Err(NoTicket::new("the system gave an empty message"))
            }
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(NoTicket::new("the system's logon failed")),
            Err(_) => Err(NoTicket::new(format!("the system gave no message in {} s", wait.as_secs_f32()))),
        }
    }

    /// What is to be sent.
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Whether the message only opens NTLM, and proves nothing yet.
    pub(super) fn opens_ntlm(&self) -> bool {
        memchr::memmem::find(&self.message, &NTLM_FIRST).is_some()
    }

    /// What goes on under a scheme of the system's, by its message.
    pub(super) fn scheme(&self, negotiate: bool) -> Scheme {
        if self.opens_ntlm() || !negotiate { Scheme::Ntlm { negotiate } } else { Scheme::Kerberos }
    }
}
