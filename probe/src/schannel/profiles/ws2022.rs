//! Windows Server 2022, build 10.0.20348.
//!
//! - Versions: Microsoft, "Protocols in TLS/SSL (Schannel SSP)".
//! - Suites: Microsoft, "TLS Cipher Suites in Windows Server 2022".
//! - Groups: Microsoft, "TLS Elliptic Curves in Windows 10 version 1607 and later" and "TLS Supported Groups"; the
//!   registry of installed servers has the same.
//! - Signature algorithms: the registry of an installed server, published in the tests of mondoo's mql; the JA4_c
//!   36bf25f296df says the same.
//! - Smallest keys: Microsoft, "TLS registry settings". WinHTTP's versions: Microsoft, "Option Flags".

use super::super::profile::{Confidence, CurveModel, Known, Profile, at12, at13, dotnet, old, upto12};
use crate::codec::tls::{SSL3, TLS10, TLS11, TLS12, TLS13};

/// The suites that are on by default, in order of priority.
#[rustfmt::skip]
const DEFAULT: &[Known] = &[
    at13(0x1302, "TLS_AES_256_GCM_SHA384"),
    at13(0x1301, "TLS_AES_128_GCM_SHA256"),
    at12(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    at12(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    at12(0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    at12(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    at12(0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    at12(0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    at12(0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    at12(0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    at12(0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    at12(0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    upto12(0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    upto12(0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    upto12(0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    upto12(0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    at12(0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    at12(0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    at12(0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    at12(0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    upto12(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    upto12(0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    upto12(0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA").weak(),
    at12(0x003b, "TLS_RSA_WITH_NULL_SHA256").weak().asked(),
    old(0x0002, "TLS_RSA_WITH_NULL_SHA").weak().asked(),
];

/// The suites that are known and off by default.
#[rustfmt::skip]
const AVAILABLE: &[Known] = &[
    at13(0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    upto12(0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    upto12(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    at12(0x006a, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA256"),
    at12(0x0040, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA256"),
    upto12(0x0038, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA"),
    upto12(0x0032, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA"),
    old(0x0013, "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA").weak(),
    old(0x0005, "TLS_RSA_WITH_RC4_128_SHA").weak(),
    old(0x0004, "TLS_RSA_WITH_RC4_128_MD5").weak(),
    old(0x0009, "TLS_RSA_WITH_DES_CBC_SHA").weak(),
    old(0x0012, "TLS_DHE_DSS_WITH_DES_CBC_SHA").weak(),
    old(0x0063, "TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA").weak(),
    old(0x0001, "TLS_RSA_WITH_NULL_MD5").weak().asked(),
    old(0x0064, "TLS_RSA_EXPORT1024_WITH_RC4_56_SHA").weak(),
    old(0x0003, "TLS_RSA_EXPORT_WITH_RC4_40_MD5").weak(),
    old(0x0062, "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA").weak(),
];

/// Windows Server 2022.
pub static PROFILE: Profile = Profile {
    id: "ws2022",
    name: "Windows Server 2022",
    build: "10.0.20348",
    confidence: Confidence::High,
    inferred: &[
        "the versions that WinHTTP takes by default are those of Windows 11",
        "the order of extensions at TLS 1.3 is that of Windows 11",
    ],
    protocols: &[TLS10, TLS11, TLS12, TLS13],
    supported: &[SSL3, TLS10, TLS11, TLS12, TLS13],
    suites: &dotnet::<20>(DEFAULT),
    defaults: DEFAULT,
    available: AVAILABLE,
    curve_model: CurveModel::Order,
    groups: &[29, 23, 24],
    signatures: &[
        0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203, 0x0202, 0x0601, 0x0603,
    ],
    signatures_before: None,
    dh_bits: 1024,
    rsa_bits: 1024,
    session_ticket: true,
    key_shares: &[29, 23, 24],
    formats_at_13: true,
    winhttp: 0x2800,
};
