//! Names of what TLS writes as numbers.

/// A version as people write it.
pub fn version(name: &str) -> Option<u16> {
    Some(match name {
        "1.0" => 0x0301,
        "1.1" => 0x0302,
        "1.2" => 0x0303,
        "1.3" => 0x0304,
        _ => return None,
    })
}

/// Four hexadecimal digits.
pub fn hexadecimal(text: &str) -> Option<u16> {
    (text.len() == 4).then(|| u16::from_str_radix(text, 16).ok()).flatten()
}

/// A group by its code or IANA's name.
pub fn group(name: &str) -> Option<u16> {
    Some(match name {
        "secp256r1" => 0x0017,
        "secp384r1" => 0x0018,
        "secp521r1" => 0x0019,
        "x25519" => 0x001d,
        "x448" => 0x001e,
        "ffdhe2048" => 0x0100,
        "X25519MLKEM768" => 0x11ec,
        code => return hexadecimal(code),
    })
}

/// A cipher suite by its code or IANA's name.
pub fn suite(name: &str) -> Option<u16> {
    hexadecimal(name).or_else(|| SUITES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code))
}

const SUITES: &[(&str, u16)] = &[
    ("TLS_AES_128_GCM_SHA256", 0x1301),
    ("TLS_AES_256_GCM_SHA384", 0x1302),
    ("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9),
    ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", 0x009e),
    ("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", 0x009f),
    ("TLS_DHE_RSA_WITH_AES_128_CBC_SHA", 0x0033),
    ("TLS_DHE_RSA_WITH_AES_256_CBC_SHA", 0x0039),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 0xc023),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", 0xc024),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 0xc027),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", 0xc028),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xc00a),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xc013),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xc014),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", 0x009c),
    ("TLS_RSA_WITH_AES_256_GCM_SHA384", 0x009d),
    ("TLS_RSA_WITH_AES_128_CBC_SHA256", 0x003c),
    ("TLS_RSA_WITH_AES_256_CBC_SHA256", 0x003d),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", 0x002f),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", 0x0035),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", 0x000a),
    ("TLS_RSA_WITH_RC4_128_SHA", 0x0005),
    ("TLS_RSA_WITH_RC4_128_MD5", 0x0004),
];
