//! Windows' security packages (SSPI): tickets of Kerberos for a user with a password, and logons of the account that the
//! run is under with Negotiate or NTLM. Accounts, tickets, realms and policy are the system's own business.
#![allow(
    unsafe_code,
    reason = "the interface is C: every call stands here, with what keeps it sound, and nothing else does"
)]

use std::ptr::{null, null_mut};
use std::sync::Arc;

use windows_sys::Win32::Foundation::{
    SEC_E_INVALID_TOKEN, SEC_E_LOGON_DENIED, SEC_E_NO_AUTHENTICATING_AUTHORITY, SEC_E_NO_CREDENTIALS,
    SEC_E_OK, SEC_E_SECPKG_NOT_FOUND, SEC_E_TARGET_UNKNOWN, SEC_E_TIME_SKEW, SEC_E_UNKNOWN_CREDENTIALS,
    SEC_E_UNSUPPORTED_FUNCTION, SEC_I_CONTINUE_NEEDED,
};
use windows_sys::Win32::Security::Authentication::Identity::{
    AcquireCredentialsHandleW, DeleteSecurityContext, FreeContextBuffer, FreeCredentialsHandle,
    ISC_REQ_ALLOCATE_MEMORY, ISC_REQ_CONNECTION, InitializeSecurityContextW, SECBUFFER_TOKEN,
    SECBUFFER_VERSION, SECPKG_CRED_OUTBOUND, SECURITY_NATIVE_DREP, SecBuffer, SecBufferDesc,
};
use windows_sys::Win32::Security::Credentials::SecHandle;
use windows_sys::Win32::System::Rpc::{SEC_WINNT_AUTH_IDENTITY_UNICODE, SEC_WINNT_AUTH_IDENTITY_W};
use zeroize::Zeroizing;

use super::{Conversation, NoTicket, OwnAccount};

/// A NetBIOS domain is known to the system.
pub(super) const REALMS_ALONE: bool = false;

/// The longest challenge that is handed to the system, in bytes.
const LONGEST: usize = 64 * 1024;

/// The account that the run is under.
pub(super) fn own_account() -> Option<Arc<dyn OwnAccount>> {
    Some(Arc::new(RunAccount))
}

#[derive(Debug)]
struct RunAccount;

impl OwnAccount for RunAccount {
    fn begin(&self, scheme: &'static str, host: &str) -> Result<Box<dyn Conversation>, NoTicket> {
        Ok(Box::new(Context::new(Credential::acquire(scheme, None)?, host)))
    }
}

/// A user whom somebody named.
struct Identity<'a> {
    name: &'a str,
    password: &'a str,
}

/// What messages are asked for with.
#[derive(Debug)]
pub(super) struct Credential(Handle);

/// A handle of the system's.
struct Handle(SecHandle);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        // SAFETY: the handle came from an acquiring call, and nobody uses it afterwards.
        unsafe { FreeCredentialsHandle(&self.0.0) };
    }
}

impl Credential {
    /// One that asks the domain with this password: `DOMAIN\user`, `user@REALM` or `user`.
    pub(super) fn by_password(name: &str, password: &str) -> Result<Credential, NoTicket> {
        Credential::acquire("Kerberos", Some(Identity { name, password }))
    }

    /// The system's tickets belong to the account that the run is under, and to nobody else.
    pub(super) fn by_cache(_: &str) -> Result<Credential, NoTicket> {
        Err(NoTicket::new("Windows has no ticket of a user who is named without a password"))
    }

    /// The first message for `HTTP/host`, which is the only one: the proxy does not prove itself.
    pub(super) fn token(&self, host: &str) -> Result<Vec<u8>, NoTicket> {
        let target = target(host);
        let (status, token) = Security::default().step(self, &target, None);
        match status {
            SEC_E_OK if token.is_empty() => Err(NoTicket::new("Windows gave an empty token")),
            SEC_E_OK => Ok(token),
            SEC_I_CONTINUE_NEEDED => Err(NoTicket::new("Windows wants a further message")),
            failed => Err(why(failed)),
        }
    }

    /// Credentials of a package, the run's own where no user is named.
    fn acquire(package: &str, identity: Option<Identity<'_>>) -> Result<Credential, NoTicket> {
        let package_name = wide(package);
        let (domain, user) = match &identity {
            Some(identity) => identity.name.split_once('\\').unwrap_or(("", identity.name)),
            None => ("", ""),
        };
        let (mut user, mut domain) = (wide(user), wide(domain));
        let mut password = Zeroizing::new(identity.as_ref().map_or_else(Vec::new, |one| wide(one.password)));
        let length = |text: &[u16]| text.len().saturating_sub(1) as u32;
        let given = SEC_WINNT_AUTH_IDENTITY_W {
            User: user.as_mut_ptr(),
            UserLength: length(&user),
            Domain: domain.as_mut_ptr(),
            DomainLength: length(&domain),
            Password: password.as_mut_ptr(),
            PasswordLength: length(&password),
            Flags: SEC_WINNT_AUTH_IDENTITY_UNICODE,
        };
        let auth = if identity.is_some() { (&raw const given).cast() } else { null() };
        let (mut handle, mut expiry) = (SecHandle::default(), 0);
        // SAFETY: the texts end in zero, the structure and what it points to outlive the call, and null stands where the
        // interface allows it.
        let status = unsafe {
            AcquireCredentialsHandleW(
                null(),
                package_name.as_ptr(),
                SECPKG_CRED_OUTBOUND,
                null(),
                auth,
                None,
                null(),
                &mut handle,
                &mut expiry,
            )
        };
        if status == SEC_E_OK { Ok(Credential(Handle(handle))) } else { Err(why(status)) }
    }
}

/// One logon, as far as it came.
struct Context {
    credential: Credential,
    target: Vec<u16>,
    security: Security,
}

impl Context {
    fn new(credential: Credential, host: &str) -> Context {
        Context { credential, target: target(host), security: Security::default() }
    }
}

impl Conversation for Context {
    fn next(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, NoTicket> {
        let length = challenge.map_or(0, <[u8]>::len);
        if length > LONGEST || (challenge.is_some() && self.security.0.is_none()) {
            return Err(NoTicket::new("the challenge fits no logon"));
        }
        match self.security.step(&self.credential, &self.target, challenge) {
            (SEC_E_OK | SEC_I_CONTINUE_NEEDED, message) if !message.is_empty() => Ok(message),
            (SEC_E_OK | SEC_I_CONTINUE_NEEDED, _) => Err(NoTicket::new("Windows has no further message")),
            (failed, _) => Err(why(failed)),
        }
    }
}

/// The system's side of a logon, once there is one.
#[derive(Default)]
struct Security(Option<SecHandle>);

impl Drop for Security {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            // SAFETY: the handle came from the system, and nobody uses it afterwards.
            unsafe { DeleteSecurityContext(handle) };
        }
    }
}

impl Security {
    /// One step: the status, and a copy of the message where there is one.
    fn step(&mut self, credential: &Credential, target: &[u16], challenge: Option<&[u8]>) -> (i32, Vec<u8>) {
        let bytes = challenge.unwrap_or_default();
        let mut given = SecBuffer {
            cbBuffer: bytes.len() as u32,
            BufferType: SECBUFFER_TOKEN,
            pvBuffer: bytes.as_ptr().cast_mut().cast(),
        };
        let input = SecBufferDesc { ulVersion: SECBUFFER_VERSION, cBuffers: 1, pBuffers: &mut given };
        let mut got = SecBuffer { cbBuffer: 0, BufferType: SECBUFFER_TOKEN, pvBuffer: null_mut() };
        let mut output = SecBufferDesc { ulVersion: SECBUFFER_VERSION, cBuffers: 1, pBuffers: &mut got };
        let old = self.0;
        let (mut new, mut attributes, mut expiry) = (old.unwrap_or_default(), 0, 0);
        // SAFETY: every pointer is to a live value or null where the interface allows it; the target ends in zero; the
        // challenge is only read; the system allocates the output, which is released below.
        let status = unsafe {
            InitializeSecurityContextW(
                &credential.0.0,
                old.as_ref().map_or(null(), |handle| handle),
                target.as_ptr(),
                ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_CONNECTION,
                0,
                SECURITY_NATIVE_DREP,
                challenge.map_or(null(), |_| &raw const input),
                0,
                &mut new,
                &mut output,
                &mut attributes,
                &mut expiry,
            )
        };
        // A first call that failed made no context; a later one leaves the old one to be deleted.
        if status >= 0 {
            self.0 = Some(new);
        }
        if got.pvBuffer.is_null() {
            return (status, Vec::new());
        }
        // SAFETY: the system allocated the buffer and says how long it is; it is released once, here.
        let message = unsafe {
            let copy = std::slice::from_raw_parts(got.pvBuffer.cast::<u8>(), got.cbBuffer as usize).to_vec();
            FreeContextBuffer(got.pvBuffer);
            copy
        };
        (status, message)
    }
}

/// The service that a proxy is.
fn target(host: &str) -> Vec<u16> {
    wide(&format!("HTTP/{host}"))
}

/// UTF-16 that ends in zero, written at once so that no copy is left behind.
fn wide(text: &str) -> Vec<u16> {
    let mut wide = Vec::with_capacity(text.len() + 1);
    wide.extend(text.encode_utf16());
    wide.push(0);
    wide
}

/// What a status says, and whether it is a word about the password.
fn why(status: i32) -> NoTicket {
    let words = match status {
        SEC_E_LOGON_DENIED => "SEC_E_LOGON_DENIED, the logon was denied",
        SEC_E_INVALID_TOKEN => "SEC_E_INVALID_TOKEN, it does not go on from what the proxy sent",
        SEC_E_NO_AUTHENTICATING_AUTHORITY => {
            "SEC_E_NO_AUTHENTICATING_AUTHORITY, no domain controller was reached"
        }
        SEC_E_NO_CREDENTIALS => "SEC_E_NO_CREDENTIALS, there are no credentials to be had",
        SEC_E_SECPKG_NOT_FOUND => "SEC_E_SECPKG_NOT_FOUND, there is no such package here",
        SEC_E_TARGET_UNKNOWN => "SEC_E_TARGET_UNKNOWN, the domain does not know the proxy's service name",
        SEC_E_TIME_SKEW => "SEC_E_TIME_SKEW, the clocks are too far apart",
        SEC_E_UNKNOWN_CREDENTIALS => "SEC_E_UNKNOWN_CREDENTIALS, the package does not know the credentials",
        SEC_E_UNSUPPORTED_FUNCTION => "SEC_E_UNSUPPORTED_FUNCTION, the package does not do this",
        _ => "",
    };
    let words =
        if words.is_empty() { format!("status 0x{:08X}", status.cast_unsigned()) } else { words.into() };
    NoTicket { refused: status == SEC_E_LOGON_DENIED, why: format!("Windows: {words}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::ntlm::tests::{challenge, proves};

    #[test]
    fn a_denied_logon_is_a_word_about_the_password_and_nothing_else_is() {
        assert!(why(SEC_E_LOGON_DENIED).refused);
        for status in [SEC_E_NO_CREDENTIALS, SEC_E_TARGET_UNKNOWN, SEC_E_NO_AUTHENTICATING_AUTHORITY, -1] {
            assert!(!why(status).refused);
        }
        assert!(why(-1).why.contains("0xFFFFFFFF"));
    }

    #[test]
    fn a_package_that_is_not_there_is_a_named_fact() {
        let none = Credential::acquire("no such package", None).unwrap_err();
        assert!(!none.refused && none.why.contains("SEC_E_SECPKG_NOT_FOUND"), "{none:?}");
    }

    #[test]
    fn a_challenge_before_the_first_message_fits_no_logon() {
        let Ok(credential) = Credential::acquire("NTLM", None) else { return };
        let mut context = Context::new(credential, "proxy.test");
        assert!(context.next(Some(&challenge(*b"01234567", Some(9)))).is_err());
    }

    /// Both of NTLM's messages are the system's, and prove the password.
    #[test]
    fn ntlm_goes_through_its_messages() {
        let identity = Identity { name: "EXAMPLE\\wsus", password: "hunter2 ä" };
        let credential = Credential::acquire("NTLM", Some(identity)).unwrap();
        let mut context = Context::new(credential, "proxy.test");
        let first = context.next(None).unwrap();
        assert!(first.starts_with(b"NTLMSSP\0\x01"), "{first:?}");
        let last = context.next(Some(&challenge(*b"01234567", Some(9)))).unwrap();
        assert!(last.starts_with(b"NTLMSSP\0\x03"));
        assert!(proves(&last, *b"01234567", "hunter2 ä"));
        assert!(!proves(&last, *b"01234567", "hunter3 ä"));
    }

    #[test]
    fn a_challenge_that_is_none_ends_the_logon() {
        let identity = Identity { name: "EXAMPLE\\wsus", password: "hunter2" };
        let credential = Credential::acquire("NTLM", Some(identity)).unwrap();
        let mut context = Context::new(credential, "proxy.test");
        context.next(None).unwrap();
        let none = context.next(Some(b"NTLMSSP\0\x02")).unwrap_err();
        assert!(!none.refused, "{none:?}");
        assert!(context.next(Some(&[0; LONGEST + 1])).is_err());
    }
}
