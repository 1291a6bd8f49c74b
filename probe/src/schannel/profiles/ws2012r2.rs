//! Windows Server 2012 R2, build 6.3.9600.
//!
//! - Versions: Microsoft, "Protocols in TLS/SSL (Schannel SSP)".
//! - Suites: Microsoft, "TLS Cipher Suites in Windows 8.1", as it stands after KB2919355 and, for the two DHE_RSA
//!   suites with CBC, KB3161639.
//! - Groups: the curve suffixes of the suites, in the order in which they come first.
//! - Signature algorithms: the hello of Internet Explorer 11 on Windows 8.1, kept by testssl.sh; older captures
//!   lack the SHA-512 pair, which came with an update.
//! - Smallest keys: Microsoft, "TLS registry settings". WinHTTP's versions: Microsoft, "Option Flags".

use super::super::profile::{Confidence, CurveModel, Known, Profile, at12, dotnet, old, upto12};
use crate::codec::tls::{SSL3, TLS10, TLS11, TLS12};

/// The suites that are on by default, in order of priority.
#[rustfmt::skip]
const DEFAULT: &[Known] = &[
    at12(0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384_P256"),
    at12(0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384_P384"),
    at12(0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256_P256"),
    at12(0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256_P384"),
    upto12(0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA_P256"),
    upto12(0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA_P384"),
    upto12(0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA_P256"),
    upto12(0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA_P384"),
    at12(0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    at12(0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    upto12(0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    upto12(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    at12(0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    at12(0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    at12(0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    at12(0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    upto12(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    upto12(0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    at12(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384_P384"),
    at12(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256_P256"),
    at12(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256_P384"),
    at12(0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384_P384"),
    at12(0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256_P256"),
    at12(0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256_P384"),
    upto12(0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA_P256"),
    upto12(0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA_P384"),
    upto12(0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA_P256"),
    upto12(0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA_P384"),
    at12(0x006a, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA256"),
    at12(0x0040, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA256"),
    upto12(0x0038, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA"),
    upto12(0x0032, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA"),
    upto12(0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    old(0x0013, "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA"),
    old(0x0005, "TLS_RSA_WITH_RC4_128_SHA").weak(),
    old(0x0004, "TLS_RSA_WITH_RC4_128_MD5").weak(),
    at12(0x003b, "TLS_RSA_WITH_NULL_SHA256").asked(),
    old(0x0002, "TLS_RSA_WITH_NULL_SHA").asked(),
];

/// The suites that are known and off by default.
#[rustfmt::skip]
const AVAILABLE: &[Known] = &[
    at12(0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384_P521"),
    at12(0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256_P521"),
    upto12(0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA_P521"),
    upto12(0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA_P521"),
    at12(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384_P521"),
    at12(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256_P521"),
    at12(0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384_P521"),
    at12(0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256_P521"),
    upto12(0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA_P521"),
    upto12(0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA_P521"),
    old(0x0009, "TLS_RSA_WITH_DES_CBC_SHA"),
    old(0x0064, "TLS_RSA_EXPORT1024_WITH_RC4_56_SHA").weak(),
    old(0x0062, "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA"),
    old(0x0003, "TLS_RSA_EXPORT_WITH_RC4_40_MD5").weak(),
    old(0x0001, "TLS_RSA_WITH_NULL_MD5"),
    old(0x0012, "TLS_DHE_DSS_WITH_DES_CBC_SHA"),
    old(0x0063, "TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA"),
];

/// Windows Server 2012 R2.
pub static PROFILE: Profile = Profile {
    id: "ws2012r2",
    name: "Windows Server 2012 R2",
    build: "6.3.9600",
    confidence: Confidence::High,
    inferred: &[
        "the groups and their order follow the curve suffixes",
        "DHE_RSA with CBC is there from the updates of June 2016 on",
        "the SHA-512 signature algorithms are there after an update",
    ],
    protocols: &[SSL3, TLS10, TLS11, TLS12],
    supported: &[SSL3, TLS10, TLS11, TLS12],
    suites: &dotnet::<26>(DEFAULT),
    defaults: DEFAULT,
    available: AVAILABLE,
    curve_model: CurveModel::Suffix,
    groups: &[23, 24],
    signatures: &[0x0401, 0x0501, 0x0601, 0x0201, 0x0403, 0x0503, 0x0603, 0x0203, 0x0202],
    signatures_before: Some(&[0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203, 0x0202]),
    dh_bits: 1024,
    rsa_bits: 1024,
    session_ticket: true,
    key_shares: &[],
    formats_at_13: true,
    winhttp: 0xaa0,
};
