//! Windows' verifier of chains (`CertGetCertificateChain`, `CertVerifyCertificateChainPolicy`), asked as .NET asks it: for
//! server authentication, without revocation, with what was sent at hand; by the store of the machine, which a service
//! goes by whoever runs this.
#![allow(
    unsafe_code,
    reason = "the interface is C: every call stands here, with what keeps it sound, and nothing else does"
)]

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::time::Duration;

use jiff::Timestamp;
use windows_sys::Win32::Foundation::{
    CERT_E_CHAINING, CERT_E_CN_NO_MATCH, CERT_E_CRITICAL, CERT_E_EXPIRED, CERT_E_INVALID_NAME,
    CERT_E_INVALID_POLICY, CERT_E_PURPOSE, CERT_E_REVOKED, CERT_E_ROLE, CERT_E_UNTRUSTEDCA,
    CERT_E_UNTRUSTEDROOT, CERT_E_VALIDITYPERIODNESTING, CERT_E_WRONG_USAGE, CRYPT_E_REVOKED, FILETIME,
    TRUST_E_BASIC_CONSTRAINTS, TRUST_E_CERT_SIGNATURE, TRUST_E_EXPLICIT_DISTRUST,
};
use windows_sys::Win32::Security::Cryptography::{
    AUTHTYPE_SERVER, CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL, CERT_CHAIN_CONTEXT, CERT_CHAIN_PARA,
    CERT_CHAIN_POLICY_ALLOW_UNKNOWN_CA_FLAG, CERT_CHAIN_POLICY_IGNORE_ALL_NOT_TIME_VALID_FLAGS,
    CERT_CHAIN_POLICY_IGNORE_WRONG_USAGE_FLAG, CERT_CHAIN_POLICY_PARA, CERT_CHAIN_POLICY_SSL,
    CERT_CHAIN_POLICY_STATUS, CERT_CONTEXT, CERT_STORE_ADD_ALWAYS, CERT_STORE_PROV_MEMORY,
    CERT_TRUST_HAS_EXCLUDED_NAME_CONSTRAINT, CERT_TRUST_HAS_NOT_PERMITTED_NAME_CONSTRAINT,
    CERT_TRUST_HAS_NOT_SUPPORTED_CRITICAL_EXT, CERT_TRUST_HAS_WEAK_SIGNATURE,
    CERT_TRUST_INVALID_BASIC_CONSTRAINTS, CERT_TRUST_INVALID_EXTENSION, CERT_TRUST_INVALID_NAME_CONSTRAINTS,
    CERT_TRUST_INVALID_POLICY_CONSTRAINTS, CERT_TRUST_IS_CYCLIC, CERT_TRUST_IS_EXPLICIT_DISTRUST,
    CERT_TRUST_IS_NOT_SIGNATURE_VALID, CERT_TRUST_IS_NOT_TIME_VALID, CERT_TRUST_IS_NOT_VALID_FOR_USAGE,
    CERT_TRUST_IS_PARTIAL_CHAIN, CERT_TRUST_IS_REVOKED, CERT_TRUST_IS_UNTRUSTED_ROOT,
    CertAddEncodedCertificateToStore, CertCloseStore, CertFreeCertificateChain, CertFreeCertificateContext,
    CertGetCertificateChain, CertOpenStore, CertVerifyCertificateChainPolicy, HCERTSTORE,
    HTTPSPolicyCallbackData, PKCS_7_ASN_ENCODING, USAGE_MATCH_TYPE_AND, X509_ASN_ENCODING,
    szOID_PKIX_KP_SERVER_AUTH,
};

/// The chain engine of the machine (`HCCE_LOCAL_MACHINE`).
const MACHINE: *mut c_void = 1 as *mut c_void;
/// What of a chain the policy of TLS passes over when it is asked for the name alone (`SECURITY_FLAG_IGNORE_UNKNOWN_CA`,
/// `_WRONG_USAGE` and `_CERT_DATE_INVALID`).
const NAME_ALONE: u32 = 0x100 | 0x200 | 0x2000;
/// The most certificates of a peer that are handed over.
const MOST: usize = 32;
/// Seconds from the epoch of FILETIME (1601) to that of Unix.
const EPOCHS: i64 = 11_644_473_600;

macro_rules! symbols {
    ($($name:ident),+ $(,)?) => { [$(($name, stringify!($name))),+] };
}

/// The trust status of a chain, bit by bit.
const STATUS: [(u32, &str); 16] = symbols![
    CERT_TRUST_IS_NOT_TIME_VALID,
    CERT_TRUST_IS_REVOKED,
    CERT_TRUST_IS_NOT_SIGNATURE_VALID,
    CERT_TRUST_IS_NOT_VALID_FOR_USAGE,
    CERT_TRUST_IS_UNTRUSTED_ROOT,
    CERT_TRUST_IS_CYCLIC,
    CERT_TRUST_INVALID_EXTENSION,
    CERT_TRUST_INVALID_POLICY_CONSTRAINTS,
    CERT_TRUST_INVALID_BASIC_CONSTRAINTS,
    CERT_TRUST_INVALID_NAME_CONSTRAINTS,
    CERT_TRUST_HAS_NOT_PERMITTED_NAME_CONSTRAINT,
    CERT_TRUST_HAS_EXCLUDED_NAME_CONSTRAINT,
    CERT_TRUST_IS_PARTIAL_CHAIN,
    CERT_TRUST_HAS_WEAK_SIGNATURE,
    CERT_TRUST_IS_EXPLICIT_DISTRUST,
    CERT_TRUST_HAS_NOT_SUPPORTED_CRITICAL_EXT,
];

/// The policy's errors.
const ERRORS: [(i32, &str); 17] = symbols![
    CERT_E_CHAINING,
    CERT_E_CN_NO_MATCH,
    CERT_E_CRITICAL,
    CERT_E_EXPIRED,
    CERT_E_INVALID_NAME,
    CERT_E_INVALID_POLICY,
    CERT_E_PURPOSE,
    CERT_E_REVOKED,
    CERT_E_ROLE,
    CERT_E_UNTRUSTEDCA,
    CERT_E_UNTRUSTEDROOT,
    CERT_E_VALIDITYPERIODNESTING,
    CERT_E_WRONG_USAGE,
    CRYPT_E_REVOKED,
    TRUST_E_BASIC_CONSTRAINTS,
    TRUST_E_CERT_SIGNATURE,
    TRUST_E_EXPLICIT_DISTRUST,
];

/// What it has against the chain `sent` (leaf first, DER) under the name `name`, as symbols: nothing where it accepts it,
/// none where it could not be asked. It fetches what it misses for at most that long, or nothing.
pub(super) fn complaints(
    sent: &[Vec<u8>],
    name: &str,
    clock: Timestamp,
    fetch: Option<Duration>,
) -> Option<Vec<String>> {
    let store = Store::open()?;
    let (leaf, others) = sent.split_first()?;
    let leaf = store.add(leaf)?;
    // What cannot be read is no part of a chain.
    let _others: Vec<_> = others.iter().take(MOST).filter_map(|der| store.add(der)).collect();
    let chain = Chain::build(&leaf, &store, clock, fetch)?;
    let mut why: Vec<String> = chain.status().map(str::to_string).collect();
    let error = chain.policy(name, 0, 0)?;
    if error == 0 {
        // The policy of TLS may pass over what .NET does not: it takes no chain with an error in its status.
        return Some(why);
    }
    let about_the_chain = CERT_CHAIN_POLICY_ALLOW_UNKNOWN_CA_FLAG
        | CERT_CHAIN_POLICY_IGNORE_ALL_NOT_TIME_VALID_FLAGS
        | CERT_CHAIN_POLICY_IGNORE_WRONG_USAGE_FLAG;
    let of_the_name = chain.policy(name, about_the_chain, NAME_ALONE).filter(|&e| e == CERT_E_CN_NO_MATCH);
    for error in [Some(error), of_the_name].into_iter().flatten() {
        let known = ERRORS.iter().find(|(code, _)| *code == error);
        let symbol = known.map_or_else(|| format!("0x{:08X}", error.cast_unsigned()), |(_, s)| s.to_string());
        if !why.contains(&symbol) {
            why.push(symbol);
        }
    }
    Some(why)
}

/// A store in memory.
struct Store(HCERTSTORE);

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: the handle came from opening it, and nobody uses it afterwards.
        unsafe { CertCloseStore(self.0, 0) };
    }
}

/// A certificate as the system holds it.
struct Held(*const CERT_CONTEXT);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the context came from the system, which counts its references, and this one is given up once.
        unsafe { CertFreeCertificateContext(self.0) };
    }
}

impl Store {
    fn open() -> Option<Store> {
        // SAFETY: a store in memory takes neither a provider nor a parameter.
        let handle = unsafe { CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, null()) };
        (!handle.is_null()).then_some(Store(handle))
    }

    fn add(&self, der: &[u8]) -> Option<Held> {
        let mut held = null_mut();
        // SAFETY: the bytes are only read, for the length that is given, and the context is written where there is room.
        let added = unsafe {
            CertAddEncodedCertificateToStore(
                self.0,
                X509_ASN_ENCODING | PKCS_7_ASN_ENCODING,
                der.as_ptr(),
                u32::try_from(der.len()).ok()?,
                CERT_STORE_ADD_ALWAYS,
                &mut held,
            )
        };
        (added != 0 && !held.is_null()).then_some(Held(held))
    }
}

/// A chain as the system built it.
struct Chain(*const CERT_CHAIN_CONTEXT);

impl Drop for Chain {
    fn drop(&mut self) {
        // SAFETY: the context came from the system, and nobody uses it afterwards.
        unsafe { CertFreeCertificateChain(self.0) };
    }
}

impl Chain {
    fn build(leaf: &Held, store: &Store, clock: Timestamp, fetch: Option<Duration>) -> Option<Chain> {
        let mut usages = [szOID_PKIX_KP_SERVER_AUTH.cast_mut()];
        let mut asked = CERT_CHAIN_PARA { cbSize: size_of::<CERT_CHAIN_PARA>() as u32, ..Default::default() };
        asked.RequestedUsage.dwType = USAGE_MATCH_TYPE_AND;
        asked.RequestedUsage.Usage.cUsageIdentifier = usages.len() as u32;
        asked.RequestedUsage.Usage.rgpszUsageIdentifier = usages.as_mut_ptr();
        asked.dwUrlRetrievalTimeout =
            fetch.map_or(0, |wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        let time = filetime(clock);
        let flags = if fetch.is_some() { 0 } else { CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL };
        let mut chain = null_mut();
        // SAFETY: every pointer is to a value that outlives the call, or null where the interface allows it; the system
        // only reads them and writes the chain where there is room.
        let built = unsafe {
            CertGetCertificateChain(MACHINE, leaf.0, &time, store.0, &asked, flags, null(), &mut chain)
        };
        (built != 0 && !chain.is_null()).then_some(Chain(chain))
    }

    /// The symbols of its trust status.
    fn status(&self) -> impl Iterator<Item = &'static str> + use<> {
        // SAFETY: the system built the chain, and it lives as long as this does.
        let status = unsafe { (*self.0).TrustStatus.dwErrorStatus };
        STATUS.iter().filter(move |(bit, _)| status & bit != 0).map(|(_, symbol)| *symbol)
    }

    /// The error of the policy of TLS for a server of that name: 0 where there is none.
    fn policy(&self, name: &str, flags: u32, checks: u32) -> Option<i32> {
        let mut name: Vec<u16> = name.encode_utf16().filter(|&unit| unit != 0).chain([0]).collect();
        let mut extra = HTTPSPolicyCallbackData {
            dwAuthType: AUTHTYPE_SERVER,
            fdwChecks: checks,
            pwszServerName: name.as_mut_ptr(),
            ..Default::default()
        };
        extra.Anonymous.cbSize = size_of::<HTTPSPolicyCallbackData>() as u32;
        let asked = CERT_CHAIN_POLICY_PARA {
            cbSize: size_of::<CERT_CHAIN_POLICY_PARA>() as u32,
            dwFlags: flags,
            pvExtraPolicyPara: (&raw mut extra).cast(),
        };
        let mut said = CERT_CHAIN_POLICY_STATUS {
            cbSize: size_of::<CERT_CHAIN_POLICY_STATUS>() as u32,
            ..Default::default()
        };
        // SAFETY: the chain is the system's; the structures and the name, which ends in zero, outlive the call.
        let asked_it =
            unsafe { CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_SSL, self.0, &asked, &mut said) };
        (asked_it != 0).then_some(said.dwError.cast_signed())
    }
}

/// A time as Windows counts it: 100 nanoseconds since 1601.
fn filetime(clock: Timestamp) -> FILETIME {
    let ticks = (clock.as_second() + EPOCHS) * 10_000_000 + i64::from(clock.subsec_nanosecond()) / 100;
    let ticks = ticks.max(0).cast_unsigned();
    FILETIME { dwLowDateTime: ticks as u32, dwHighDateTime: (ticks >> 32) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::certificate;
    use crate::evidence::CertificateFrom;
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    const NAME: &str = "upstream.example.test";

    fn now() -> Timestamp {
        "2027-01-01T00:00:00Z".parse().unwrap()
    }

    /// A server's certificate and the root that it is of, which no store holds.
    fn strangers() -> Vec<Vec<u8>> {
        let pem = include_bytes!("stranger.pem");
        CertificateDer::pem_slice_iter(pem).map(|one| one.unwrap().to_vec()).collect()
    }

    fn against(sent: &[Vec<u8>], name: &str, clock: Timestamp) -> Vec<String> {
        complaints(sent, name, clock, None).expect("a verdict")
    }

    #[test]
    fn a_time_is_counted_from_1601() {
        let at = filetime("1970-01-01T00:00:01Z".parse().unwrap());
        let ticks = (u64::from(at.dwHighDateTime) << 32) | u64::from(at.dwLowDateTime);
        assert_eq!(ticks, 116_444_736_010_000_000);
    }

    fn has(why: &[String], symbol: &str) -> bool {
        why.iter().any(|one| one == symbol)
    }

    #[test]
    fn a_root_that_is_not_in_the_store_is_named() {
        let why = against(&strangers(), NAME, now());
        assert!(has(&why, "CERT_TRUST_IS_UNTRUSTED_ROOT"), "{why:?}");
        for other in ["CERT_TRUST_IS_PARTIAL_CHAIN", "CERT_TRUST_IS_NOT_TIME_VALID", "CERT_E_CN_NO_MATCH"] {
            assert!(!has(&why, other), "{why:?}");
        }
    }

    #[test]
    fn another_name_is_named_beside_the_root() {
        let why = against(&strangers(), "other.example.test", now());
        assert!(has(&why, "CERT_E_CN_NO_MATCH") && has(&why, "CERT_TRUST_IS_UNTRUSTED_ROOT"), "{why:?}");
    }

    #[test]
    fn an_issuer_that_is_not_there_is_named() {
        let why = against(&strangers()[..1], NAME, now());
        assert!(has(&why, "CERT_TRUST_IS_PARTIAL_CHAIN"), "{why:?}");
    }

    #[test]
    fn the_clock_that_is_given_is_the_one_it_goes_by() {
        let why = against(&strangers(), NAME, "1990-01-01T00:00:00Z".parse().unwrap());
        assert!(has(&why, "CERT_TRUST_IS_NOT_TIME_VALID"), "{why:?}");
    }

    #[test]
    fn a_root_of_the_store_is_accepted_under_its_own_name_and_no_other() {
        let clock = now();
        let roots = rustls_native_certs::load_native_certs().certs;
        let one = roots.iter().find_map(|der| {
            let read = certificate::read(der, CertificateFrom::Store, clock).ok()?.seen;
            let fits = read.self_issued && read.not_before < clock && clock < read.not_after;
            let name = read.common_name.filter(|_| fits && read.names.is_empty())?;
            against(&[der.to_vec()], &name, clock).is_empty().then(|| (der.to_vec(), name))
        });
        // A machine without roots has nothing to accept.
        let Some((der, _)) = one else { return assert!(roots.is_empty(), "{} roots", roots.len()) };
        assert_eq!(against(&[der], "upstream.example.com", clock), ["CERT_E_CN_NO_MATCH"]);
    }

    #[test]
    fn what_is_no_certificate_has_no_verdict() {
        assert!(complaints(&[], "a.example.com", now(), None).is_none());
        assert!(complaints(&[vec![0x30, 0x03, 1, 2, 3]], "a.example.com", now(), None).is_none());
        let with_rest = [strangers().remove(0), b"no certificate".to_vec()];
        assert!(has(&against(&with_rest, NAME, now()), "CERT_TRUST_IS_PARTIAL_CHAIN"));
    }
}
