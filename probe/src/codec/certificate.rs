//! X.509 certificates as evidence (RFC 5280): what they say, whether one signed another, and how a name fits.

use std::net::IpAddr;

use jiff::Timestamp;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS, OID_X509_COMMON_NAME};
use x509_parser::prelude::{FromDer, X509Certificate, X509Error};
use x509_parser::signature_algorithm::SignatureAlgorithm;

use crate::evidence::{CertificateFrom, CertificateSeen, NameFit, Validity, escape};

/// A certificate's DER, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The DER itself.
    pub der: Vec<u8>,
    /// What it says, held against a clock.
    pub seen: CertificateSeen,
    /// The subject's DER.
    pub subject: Vec<u8>,
    /// The issuer's DER.
    pub issuer: Vec<u8>,
    /// The addresses among its alternative names.
    pub addresses: Vec<IpAddr>,
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Reads a certificate and holds its validity against `clock`.
pub fn read(der: &[u8], from: CertificateFrom, clock: Timestamp) -> Result<Certificate, String> {
    let (rest, parsed) = X509Certificate::from_der(der).map_err(|e| escape(&e.to_string(), 120))?;
    if !rest.is_empty() {
        return Err(format!("{} bytes follow the certificate", rest.len()));
    }
    let not_before = time(parsed.validity().not_before.timestamp());
    let not_after = time(parsed.validity().not_after.timestamp());
    let (mut names, mut addresses, mut issuer_urls) = (Vec::new(), Vec::new(), Vec::new());
    for extension in parsed.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(list) => {
                for name in list.general_names.iter().take(200) {
                    match name {
                        GeneralName::DNSName(name) => names.push(escape(name, 253)),
                        GeneralName::IPAddress(bytes) => {
                            addresses.extend(<[u8; 4]>::try_from(*bytes).map(IpAddr::from));
                            addresses.extend(<[u8; 16]>::try_from(*bytes).map(IpAddr::from));
                        }
                        _ => {}
                    }
                }
            }
            ParsedExtension::AuthorityInfoAccess(access) => {
                for description in &access.accessdescs {
                    if let (true, GeneralName::URI(url)) = (
                        description.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS,
                        &description.access_location,
                    ) && issuer_urls.len() < 4
                    {
                        issuer_urls.push(escape(url, 300));
                    }
                }
            }
            _ => {}
        }
    }
    let common_name = parsed
        .subject()
        .iter_by_oid(&OID_X509_COMMON_NAME)
        .last()
        .and_then(|attribute| attribute.as_str().ok())
        .map(|name| escape(name, 253));
    let self_issued = parsed.subject().as_raw() == parsed.issuer().as_raw();
    let seen = CertificateSeen {
        subject: escape(&parsed.subject().to_string(), 300),
        issuer: escape(&parsed.issuer().to_string(), 300),
        serial: parsed.raw_serial().iter().take(32).map(|byte| format!("{byte:02x}")).collect(),
        sha256: sha256(der),
        not_before,
        not_after,
        names,
        common_name,
        issuer_urls,
        self_issued,
        is_ca: parsed.is_ca(),
        scheme: scheme(&parsed),
        from,
        validity: if clock < not_before {
            Validity::NotYet
        } else if clock > not_after {
            Validity::Expired
        } else {
            Validity::Current
        },
    };
    Ok(Certificate {
        der: der.to_vec(),
        seen,
        subject: parsed.subject().as_raw().to_vec(),
        issuer: parsed.issuer().as_raw().to_vec(),
        addresses,
    })
}

/// The signature algorithm of a certificate as TLS numbers it (RFC 8446 section 4.2.3; RFC 5246 section 7.4.1.4.1 for
/// the older pairs, in which a curve is not bound to a hash).
fn scheme(certificate: &X509Certificate) -> Option<u16> {
    match SignatureAlgorithm::try_from(&certificate.signature_algorithm).ok()? {
        SignatureAlgorithm::RSASSA_PSS(parameters) => {
            match parameters.hash_algorithm_oid().to_id_string().as_str() {
                "2.16.840.1.101.3.4.2.1" => Some(0x0804),
                "2.16.840.1.101.3.4.2.2" => Some(0x0805),
                "2.16.840.1.101.3.4.2.3" => Some(0x0806),
                _ => None,
            }
        }
        SignatureAlgorithm::ED25519 => Some(0x0807),
        SignatureAlgorithm::RSA | SignatureAlgorithm::DSA | SignatureAlgorithm::ECDSA => {
            match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
                "1.2.840.113549.1.1.4" => Some(0x0101),
                "1.2.840.113549.1.1.5" => Some(0x0201),
                "1.2.840.113549.1.1.14" => Some(0x0301),
                "1.2.840.113549.1.1.11" => Some(0x0401),
                "1.2.840.113549.1.1.12" => Some(0x0501),
                "1.2.840.113549.1.1.13" => Some(0x0601),
                "1.2.840.10045.4.1" => Some(0x0203),
                "1.2.840.10045.4.3.1" => Some(0x0303),
                "1.2.840.10045.4.3.2" => Some(0x0403),
                "1.2.840.10045.4.3.3" => Some(0x0503),
                "1.2.840.10045.4.3.4" => Some(0x0603),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether `issuer` issued `subject`: the names fit and the signature verifies. An algorithm that cannot be verified
/// here does not tell against it.
pub fn issued(issuer: &Certificate, subject: &Certificate) -> bool {
    if issuer.subject != subject.issuer {
        return false;
    }
    let (Ok((_, issuer)), Ok((_, subject))) =
        (X509Certificate::from_der(&issuer.der), X509Certificate::from_der(&subject.der))
    else {
        return false;
    };
    match subject.verify_signature(Some(issuer.public_key())) {
        Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm) => true,
        Err(_) => false,
    }
}

/// How `name` fits `leaf`, as Windows' .NET client sees it: the subject's common name counts where there is no DNS
/// alternative name (RFC 6125 section 6.4.4).
pub fn name_fit(leaf: &Certificate, name: &str) -> NameFit {
    if let Ok(address) = name.parse::<IpAddr>() {
        let fits = leaf.addresses.contains(&address) || leaf.seen.names.iter().any(|n| n == name);
        let by_subject = leaf.seen.names.is_empty() && leaf.seen.common_name.as_deref() == Some(name);
        return if fits {
            NameFit::Alternative
        } else if by_subject {
            NameFit::Subject
        } else {
            NameFit::None
        };
    }
    if leaf.seen.names.iter().any(|pattern| host_fits(pattern, name)) {
        return NameFit::Alternative;
    }
    let common = leaf.seen.common_name.as_deref();
    if leaf.seen.names.is_empty() && common.is_some_and(|pattern| host_fits(pattern, name)) {
        return NameFit::Subject;
    }
    let first_label = |full: &str| {
        full.split_once('.').is_some_and(|(label, _)| label.eq_ignore_ascii_case(name) && label != "*")
    };
    let candidates = leaf.seen.names.iter().map(String::as_str).chain(common);
    if !name.contains('.') && candidates.into_iter().any(first_label) {
        return NameFit::FirstLabel;
    }
    NameFit::None
}

/// Whether a certificate's name, whose first label may be `*`, fits a host (RFC 6125 section 6.4.3).
fn host_fits(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let pattern = pattern.trim_end_matches('.');
    match pattern.strip_prefix("*.") {
        Some(domain) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(host_fits("*.example.com", "a.example.com"));
        assert!(host_fits("A.example.com", "a.EXAMPLE.com."));
        assert!(!host_fits("*.example.com", "a.b.example.com"));
        assert!(!host_fits("*.example.com", "example.com"));
    }

    proptest::proptest! {
        #[test]
        fn strangers_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _ = read(&bytes, CertificateFrom::Sent, Timestamp::UNIX_EPOCH);
        }
    }
}
