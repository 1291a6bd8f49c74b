//! The machine's GSS-API library (RFC 2743, RFC 2744), opened when a proxy asks for it: the ticket cache, a user's
//! password, krb5.conf and the realm's SRV records are its own business.
#![allow(
    unsafe_code,
    reason = "a C library without bindings that need no headers: every call stands here, with what keeps it sound"
)]

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::{Arc, OnceLock};

use super::{NoTicket, OwnAccount};
use crate::evidence::escape;

/// MIT's library, by the name of its interface.
const LIBRARY: &str = "libgssapi_krb5.so.2";
/// A NetBIOS domain means nothing to the library.
pub(super) const REALMS_ALONE: bool = true;
/// The longest text of an error that is kept.
const WORDS: usize = 240;

#[repr(C)]
struct Buffer {
    length: usize,
    value: *mut c_void,
}

impl Buffer {
    const EMPTY: Buffer = Buffer { length: 0, value: null_mut() };

    /// A view of bytes that the library only reads.
    fn of(bytes: &[u8]) -> Buffer {
        Buffer { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast() }
    }
}

#[repr(C)]
struct Oid {
    length: u32,
    elements: *const c_void,
}

// SAFETY: the statics below point to constants, which nobody writes.
unsafe impl Sync for Oid {}

#[repr(C)]
struct OidSet {
    count: usize,
    elements: *const Oid,
}

/// Kerberos 5, 1.2.840.113554.1.2.2.
static KERBEROS: Oid = Oid { length: 9, elements: c"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02".as_ptr().cast() };
/// A user's name, 1.2.840.113554.1.2.1.1.
static USER_NAME: Oid =
    Oid { length: 10, elements: c"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x01".as_ptr().cast() };
/// A service on a host, 1.2.840.113554.1.2.1.4.
static HOST_SERVICE: Oid =
    Oid { length: 10, elements: c"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04".as_ptr().cast() };

const INITIATE: i32 = 1;
const INDEFINITE: u32 = u32::MAX;
const BY_MECHANISM: i32 = 2;
const BY_CODE: i32 = 1;
const CONTINUE_NEEDED: u32 = 1;

/// The account that the run is under need not be the user's: its tickets are asked for by name.
pub(super) fn own_account() -> Option<Arc<dyn OwnAccount>> {
    None
}

type Name = *mut c_void;
type Cred = *mut c_void;
type Context = *mut c_void;

type ImportName = unsafe extern "C" fn(*mut u32, *const Buffer, *const Oid, *mut Name) -> u32;
type ReleaseHandle = unsafe extern "C" fn(*mut u32, *mut *mut c_void) -> u32;
type AcquireCred = unsafe extern "C" fn(
    *mut u32,
    Name,
    u32,
    *const OidSet,
    i32,
    *mut Cred,
    *mut *mut OidSet,
    *mut u32,
) -> u32;
type AcquireByPassword = unsafe extern "C" fn(
    *mut u32,
    Name,
    *const Buffer,
    u32,
    *const OidSet,
    i32,
    *mut Cred,
    *mut *mut OidSet,
    *mut u32,
) -> u32;
type InitContext = unsafe extern "C" fn(
    *mut u32,
    Cred,
    *mut Context,
    Name,
    *const Oid,
    u32,
    u32,
    *const c_void,
    *const Buffer,
    *mut *mut Oid,
    *mut Buffer,
    *mut u32,
    *mut u32,
) -> u32;
type DeleteContext = unsafe extern "C" fn(*mut u32, *mut Context, *mut Buffer) -> u32;
type ReleaseBuffer = unsafe extern "C" fn(*mut u32, *mut Buffer) -> u32;
type DisplayStatus = unsafe extern "C" fn(*mut u32, u32, i32, *const Oid, *mut u32, *mut Buffer) -> u32;

/// The calls that are used. The library is never closed.
struct Gss {
    import_name: ImportName,
    release_name: ReleaseHandle,
    acquire_cred: AcquireCred,
    acquire_by_password: AcquireByPassword,
    release_cred: ReleaseHandle,
    init_context: InitContext,
    delete_context: DeleteContext,
    release_buffer: ReleaseBuffer,
    display_status: DisplayStatus,
}

fn library() -> Result<&'static Gss, NoTicket> {
    static OPENED: OnceLock<Result<Gss, String>> = OnceLock::new();
    OPENED.get_or_init(Gss::open).as_ref().map_err(|why| NoTicket::new(why.clone()))
}

impl Gss {
    fn open() -> Result<Gss, String> {
        if cfg!(target_feature = "crt-static") {
            return Err("this program is static and opens no library".into());
        }
        // SAFETY: the library's initialisers have no preconditions; it is the system's own, by its interface's name.
        let library = unsafe { libloading::Library::new(LIBRARY) }
            .map_err(|_| format!("{LIBRARY} is not on this machine"))?;
        macro_rules! call {
            ($name:literal) => {
                // SAFETY: the types are those of RFC 2744 appendix A and of MIT's header for this interface.
                *unsafe { library.get($name) }
                    .map_err(|_| format!("{LIBRARY} has no {}", String::from_utf8_lossy($name)))?
            };
        }
        let gss = Gss {
            import_name: call!(b"gss_import_name"),
            release_name: call!(b"gss_release_name"),
            acquire_cred: call!(b"gss_acquire_cred"),
            acquire_by_password: call!(b"gss_acquire_cred_with_password"),
            release_cred: call!(b"gss_release_cred"),
            init_context: call!(b"gss_init_sec_context"),
            delete_context: call!(b"gss_delete_sec_context"),
            release_buffer: call!(b"gss_release_buffer"),
            display_status: call!(b"gss_display_status"),
        };
        // The calls stay valid as long as the library is open.
        std::mem::forget(library);
        Ok(gss)
    }

    /// Calls `with` with an imported name, and releases it.
    fn with_name<T>(
        &self,
        text: &str,
        kind: &Oid,
        with: impl FnOnce(Name) -> Result<T, NoTicket>,
    ) -> Result<T, NoTicket> {
        let (mut minor, mut name) = (0, null_mut());
        // SAFETY: all pointers are to live values; the name is written on success and released below.
        let major = unsafe { (self.import_name)(&mut minor, &Buffer::of(text.as_bytes()), kind, &mut name) };
        if failed(major) {
            return Err(self.why(major, minor));
        }
        let done = with(name);
        // SAFETY: the name came from import_name and is not used afterwards.
        unsafe { (self.release_name)(&mut minor, &mut name) };
        done
    }

    /// What the library says of a failure, and whether the KDC refused the password.
    fn why(&self, major: u32, minor: u32) -> NoTicket {
        let words = match self.words(minor, BY_MECHANISM) {
            words if words.is_empty() => self.words(major, BY_CODE),
            words => words,
        };
        NoTicket { refused: refused(minor, &words), why: escape(&words, WORDS) }
    }

    fn words(&self, status: u32, kind: i32) -> String {
        let (mut minor, mut more, mut text) = (0, 0, Buffer::EMPTY);
        // SAFETY: all pointers are to live values; the buffer is the library's until it is released below.
        let major =
            unsafe { (self.display_status)(&mut minor, status, kind, &KERBEROS, &mut more, &mut text) };
        if failed(major) || text.value.is_null() {
            return String::new();
        }
        let words = String::from_utf8_lossy(&copied(&text)).into_owned();
        // SAFETY: the buffer was filled by the library.
        unsafe { (self.release_buffer)(&mut minor, &mut text) };
        words
    }
}

/// A copy of what the library wrote.
fn copied(buffer: &Buffer) -> Vec<u8> {
    if buffer.value.is_null() {
        return Vec::new();
    }
    // SAFETY: the library filled the buffer and says how long it is; it is not released yet.
    unsafe { std::slice::from_raw_parts(buffer.value.cast::<u8>(), buffer.length) }.to_vec()
}

/// The upper half of a code is an error (RFC 2744 section 3.9.1); what is below is information.
fn failed(major: u32) -> bool {
    major & 0xffff_0000 != 0
}

/// Whether an error says that the password, or the account, is refused: codes 18, 23, 24 and 31 of RFC 4120 section 7.5.9, as
/// MIT numbers them, and their texts, which a library of another make may give.
fn refused(minor: u32, words: &str) -> bool {
    const FIRST: i64 = -1_765_328_384;
    let code = i64::from(minor.cast_signed()) - FIRST;
    const TEXTS: [&str; 5] = [
        "preauthentication failed",
        "decrypt integrity check failed",
        "password incorrect",
        "credentials have been revoked",
        "password has expired",
    ];
    let words = words.to_ascii_lowercase();
    matches!(code, 18 | 23 | 24 | 31) || TEXTS.iter().any(|text| words.contains(text))
}

/// What tickets are asked for with.
#[derive(Debug)]
pub(super) struct Credential(Cred);

// SAFETY: the library's handles may be used from any thread, one at a time; this one is behind a lock.
unsafe impl Send for Credential {}

impl Drop for Credential {
    fn drop(&mut self) {
        if let Ok(gss) = library() {
            let mut minor = 0;
            // SAFETY: the handle came from an acquiring call and nobody uses it afterwards.
            unsafe { (gss.release_cred)(&mut minor, &mut self.0) };
        }
    }
}

impl Credential {
    /// One that asks the KDC with this password; nothing is written to a cache of files.
    pub(super) fn by_password(name: &str, password: &str) -> Result<Credential, NoTicket> {
        let gss = library()?;
        let kerberos = OidSet { count: 1, elements: &KERBEROS };
        gss.with_name(name, &USER_NAME, |name| {
            let (mut minor, mut cred) = (0, null_mut());
            let password = Buffer::of(password.as_bytes());
            // SAFETY: all pointers are to live values, or null where RFC 2744 allows it.
            let major = unsafe {
                (gss.acquire_by_password)(
                    &mut minor,
                    name,
                    &password,
                    INDEFINITE,
                    &kerberos,
                    INITIATE,
                    &mut cred,
                    null_mut(),
                    null_mut(),
                )
            };
            if failed(major) { Err(gss.why(major, minor)) } else { Ok(Credential(cred)) }
        })
    }

    /// One of the tickets that this user has already.
    pub(super) fn by_cache(name: &str) -> Result<Credential, NoTicket> {
        let gss = library()?;
        let kerberos = OidSet { count: 1, elements: &KERBEROS };
        gss.with_name(name, &USER_NAME, |name| {
            let (mut minor, mut cred) = (0, null_mut());
            // SAFETY: all pointers are to live values, or null where RFC 2744 allows it.
            let major = unsafe {
                (gss.acquire_cred)(
                    &mut minor,
                    name,
                    INDEFINITE,
                    &kerberos,
                    INITIATE,
                    &mut cred,
                    null_mut(),
                    null_mut(),
                )
            };
            if failed(major) { Err(gss.why(major, minor)) } else { Ok(Credential(cred)) }
        })
    }

    /// The first message for `HTTP/host`, which is the only one: the proxy does not prove itself.
    pub(super) fn token(&self, host: &str) -> Result<Vec<u8>, NoTicket> {
        let gss = library()?;
        gss.with_name(&format!("HTTP@{host}"), &HOST_SERVICE, |name| {
            let (mut minor, mut context, mut token) = (0, null_mut(), Buffer::EMPTY);
            // SAFETY: all pointers are to live values, or null where RFC 2744 allows it.
            let major = unsafe {
                (gss.init_context)(
                    &mut minor,
                    self.0,
                    &mut context,
                    name,
                    &KERBEROS,
                    0,
                    0,
                    null(),
                    null(),
                    null_mut(),
                    &mut token,
                    null_mut(),
                    null_mut(),
                )
            };
            let came = if failed(major) { Err(gss.why(major, minor)) } else { Ok(copied(&token)) };
            let mut ignored = 0;
            // SAFETY: what the call left behind is released once; both calls take empty values too.
            unsafe {
                (gss.release_buffer)(&mut ignored, &mut token);
                (gss.delete_context)(&mut ignored, &mut context, null_mut());
            }
            match came {
                Ok(token) if token.is_empty() => {
                    Err(NoTicket::new("the Kerberos library gave an empty token"))
                }
                Ok(_) if major & CONTINUE_NEEDED != 0 => {
                    Err(NoTicket::new("the Kerberos library wants a further message"))
                }
                other => other,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_code_and_by_text() {
        let code = |n: i64| u32::from_ne_bytes(((-1_765_328_384 + n) as i32).to_ne_bytes());
        assert!(refused(code(24), "") && refused(code(18), "") && refused(0, "Preauthentication failed"));
        assert!(!refused(code(6), "Client not found in Kerberos database"));
        assert!(!refused(code(7), "Server not found in Kerberos database"));
    }
}
