//! Certificate authorities and what they issue.

use std::sync::Arc;
use std::time::Duration;

pub use rcgen::ExtendedKeyUsagePurpose as KeyUsage;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint,
    CustomExtension, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, RevocationReason, RevokedCertParams,
    SanType, SerialNumber,
};
pub use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Seconds since 1970 as the type that rcgen wants, which it does not name.
macro_rules! time {
    ($seconds:expr) => {{
        let seconds: i64 = $seconds;
        let size = Duration::from_secs(seconds.unsigned_abs());
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        if seconds >= 0 { epoch + size } else { epoch - size }
    }};
}

/// Why a certificate could not be made: what was asked for cannot be encoded or signed.
#[derive(Debug, thiserror::Error)]
#[error("certificate: {0}")]
pub struct AuthorityError(#[from] rcgen::Error);

/// A key pair.
#[derive(Debug, Clone)]
pub struct Key(Arc<KeyPair>);

const COMMITTED: &[(&str, &str)] = &[
    ("microsoft-root", include_str!("../keys/microsoft-root.pem")),
    ("microsoft-issuing", include_str!("../keys/microsoft-issuing.pem")),
    ("site-root", include_str!("../keys/site-root.pem")),
    ("site-issuing", include_str!("../keys/site-issuing.pem")),
    ("inspector-root", include_str!("../keys/inspector-root.pem")),
    ("inspector-issuing", include_str!("../keys/inspector-issuing.pem")),
    ("public-root", include_str!("../keys/public-root.pem")),
    ("public-issuing", include_str!("../keys/public-issuing.pem")),
    ("server", include_str!("../keys/server.pem")),
    ("server-2", include_str!("../keys/server-2.pem")),
];

impl Key {
    /// The committed RSA test key of that name (see `keys/`), or a new P-256 key where there is none.
    ///
    /// # Errors
    /// The key cannot be read or made.
    pub fn named(name: &str) -> Result<Key, AuthorityError> {
        match COMMITTED.iter().find(|(known, _)| *known == name) {
            Some((_, pem)) => Ok(Key(Arc::new(KeyPair::from_pem(pem)?))),
            None => Key::ecdsa(),
        }
    }

    /// A new P-256 key.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn ecdsa() -> Result<Key, AuthorityError> {
        Ok(Key(Arc::new(KeyPair::generate()?)))
    }

    /// The private key as PKCS#8.
    pub fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }

    /// Whether it is an RSA key.
    pub fn is_rsa(&self) -> bool {
        self.0.is_compatible(&rcgen::PKCS_RSA_SHA256)
    }
}

/// How a two-tier authority is made. Times are seconds since 1970.
#[derive(Debug, Clone)]
pub struct AuthoritySpec {
    /// Chooses the keys: `site` takes the committed `site-root` and `site-issuing`.
    pub key: String,
    /// The root's common name.
    pub root_name: String,
    /// The issuing authority's common name; `None`: the root issues.
    pub issuing_name: Option<String>,
    /// The root's validity.
    pub root_validity: (i64, i64),
    /// The issuing certificate's validity.
    pub issuing_validity: (i64, i64),
    /// The issuing certificate says that it is no authority.
    pub issuing_not_a_ca: bool,
    /// The root's path length.
    pub root_path_length: Option<u8>,
    /// DNS suffixes that the issuing certificate permits; empty: all.
    pub permits: Vec<String>,
    /// DNS suffixes that it excludes.
    pub excludes: Vec<String>,
    /// caIssuers in the issuing certificate.
    pub aia: Option<String>,
}

impl AuthoritySpec {
    /// A usual authority: the root from ten years before `now` to ten after, the issuing one five.
    pub fn new(key: &str, root_name: &str, issuing_name: &str, now: i64) -> AuthoritySpec {
        const YEAR: i64 = 365 * 86_400;
        AuthoritySpec {
            key: key.to_owned(),
            root_name: root_name.to_owned(),
            issuing_name: Some(issuing_name.to_owned()),
            root_validity: (now - 10 * YEAR, now + 10 * YEAR),
            issuing_validity: (now - 5 * YEAR, now + 5 * YEAR),
            issuing_not_a_ca: false,
            root_path_length: None,
            permits: Vec::new(),
            excludes: Vec::new(),
            aia: None,
        }
    }
}

/// How a leaf is made.
#[derive(Debug, Clone, Default)]
pub struct LeafSpec {
    /// The Subject's common name.
    pub common_name: String,
    /// DNS names of the SAN; without any there is no SAN.
    pub dns_names: Vec<String>,
    /// Seconds since 1970.
    pub validity: (i64, i64),
    /// caIssuers.
    pub aia: Option<String>,
    /// CRL distribution point.
    pub crl: Option<String>,
    /// Extended key usages; without any there is no such extension.
    pub usages: Vec<ExtendedKeyUsagePurpose>,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// Its key.
    pub key: Key,
    params: CertificateParams,
}

impl Minted {
    /// The certificate as PEM.
    pub fn pem(&self) -> String {
        pem(&self.der)
    }

    /// Its serial number.
    pub fn serial(&self) -> Vec<u8> {
        self.params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default()
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &*self.key.0)
    }
}

/// The certificates in a text of PEM; what is none is left out.
pub fn read_pem(text: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(text.as_bytes()).filter_map(Result::ok).collect()
}

/// A certificate as PEM.
pub fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

/// A root and, usually, an issuing authority below it.
#[derive(Debug, Clone)]
pub struct Authority {
    /// The root.
    pub root: Minted,
    /// The one that issues; `None` where the root does.
    pub issuing: Option<Minted>,
}

impl Authority {
    /// Makes both certificates.
    ///
    /// # Errors
    /// They cannot be encoded or signed.
    pub fn new(spec: &AuthoritySpec) -> Result<Authority, AuthorityError> {
        let key = Key::named(&format!("{}-root", spec.key))?;
        let mut params = params(&spec.root_name, spec.root_validity, &spec.root_name);
        params.is_ca = IsCa::Ca(
            spec.root_path_length.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained),
        );
        params.key_usages = authority_usages();
        let root = Minted { der: params.self_signed(&*key.0)?.der().clone(), key, params };
        let Some(name) = &spec.issuing_name else { return Ok(Authority { root, issuing: None }) };
        let key = Key::named(&format!("{}-issuing", spec.key))?;
        let mut params = self::params(name, spec.issuing_validity, &format!("{name} of {}", spec.root_name));
        params.is_ca = if spec.issuing_not_a_ca {
            IsCa::ExplicitNoCa
        } else {
            IsCa::Ca(BasicConstraints::Constrained(0))
        };
        params.key_usages = authority_usages();
        params.use_authority_key_identifier_extension = true;
        let subtrees =
            |names: &[String]| names.iter().map(|n| GeneralSubtree::DnsName(n.clone())).collect::<Vec<_>>();
        if !spec.permits.is_empty() || !spec.excludes.is_empty() {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: subtrees(&spec.permits),
                excluded_subtrees: subtrees(&spec.excludes),
            });
        }
        params.custom_extensions.extend(spec.aia.as_deref().map(ca_issuers));
        let der = params.signed_by(&*key.0, &root.issuer())?.der().clone();
        Ok(Authority { issuing: Some(Minted { der, key, params }), root })
    }

    /// The certificate that signs leaves.
    pub fn signer(&self) -> &Minted {
        self.issuing.as_ref().unwrap_or(&self.root)
    }

    /// Issues a leaf for that key.
    ///
    /// # Errors
    /// It cannot be encoded or signed.
    pub fn issue(&self, spec: &LeafSpec, key: &Key) -> Result<Minted, AuthorityError> {
        let params = leaf_params(spec, &self.signer().der)?;
        let der = params.signed_by(&*key.0, &self.signer().issuer())?.der().clone();
        Ok(Minted { der, key: key.clone(), params })
    }

    /// A revocation list (DER) that names those serial numbers. Times are seconds since 1970.
    ///
    /// # Errors
    /// It cannot be encoded or signed.
    pub fn revocation_list(
        &self,
        serials: &[Vec<u8>],
        this_update: i64,
        next_update: i64,
    ) -> Result<Vec<u8>, AuthorityError> {
        let list = CertificateRevocationListParams {
            this_update: time!(this_update),
            next_update: time!(next_update),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: serials
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from_slice(serial),
                    revocation_time: time!(this_update),
                    reason_code: Some(RevocationReason::Superseded),
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.signer().issuer())?.der().to_vec())
    }
}

/// A leaf that signs itself.
///
/// # Errors
/// It cannot be encoded or signed.
pub fn self_signed(spec: &LeafSpec, key: &Key) -> Result<Minted, AuthorityError> {
    let params = leaf_params(spec, b"self")?;
    Ok(Minted { der: params.self_signed(&*key.0)?.der().clone(), key: key.clone(), params })
}

fn leaf_params(spec: &LeafSpec, issuer: &[u8]) -> Result<CertificateParams, AuthorityError> {
    let salt = format!("{spec:?}{}", issuer.iter().map(|&b| u64::from(b)).sum::<u64>());
    let mut params = params(&spec.common_name, spec.validity, &salt);
    for name in &spec.dns_names {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = spec.usages.clone();
    params.use_authority_key_identifier_extension = true;
    params.custom_extensions.extend(spec.aia.as_deref().map(ca_issuers));
    if let Some(crl) = &spec.crl {
        params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![crl.clone()] }];
    }
    Ok(params)
}

fn params(name: &str, validity: (i64, i64), salt: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
    params.distinguished_name = subject;
    (params.not_before, params.not_after) = (time!(validity.0), time!(validity.1));
    // A number that depends on nothing but what is certified: FNV, with the highest bit clear.
    let hash = salt.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    params.serial_number = Some(SerialNumber::from((hash >> 1) | 1 << 62));
    params
}

fn authority_usages() -> Vec<KeyUsagePurpose> {
    vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature]
}

/// AuthorityInfoAccess with one caIssuers URL.
fn ca_issuers(url: &str) -> CustomExtension {
    let location = der(0x86, url.as_bytes());
    let method = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
    let description = der(0x30, &[&method[..], &location].concat());
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], der(0x30, &description))
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        small @ 0..=127 => out.push(small as u8),
        medium @ 128..=255 => out.extend([0x81, medium as u8]),
        large => out.extend([0x82, (large >> 8) as u8, large as u8]),
    }
    out.extend_from_slice(content);
    out
}
