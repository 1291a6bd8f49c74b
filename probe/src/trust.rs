//! What a run trusts, and what makes a host's chain genuine: two questions, two sets of certificates.

use std::path::Path;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::codec::certificate::{self, Certificate};
use crate::evidence::CertificateFrom;
use crate::settings::{Anchor, Settings, Trust, glob_matches};

/// Hosts whose chains end in Microsoft's own roots, which no public store holds: sws, sws1, fe2 and the client's
/// locators (roots checked against the chains published for these hosts).
const PRIVATE_PKI_HOSTS: [&str; 8] = [
    "sws.update.microsoft.com",
    "sws1.update.microsoft.com",
    "fe2.update.microsoft.com",
    "sls*.update.microsoft.com",
    "slscr*.update.microsoft.com",
    "fe2cr*.update.microsoft.com",
    "fe3*.delivery.mp.microsoft.com",
    "fe3cr*.delivery.mp.microsoft.com",
];

/// Microsoft Root Certificate Authority 2011 and Microsoft ECC Product Root Certificate Authority 2018.
const MICROSOFT_ROOTS: [&str; 2] =
    [include_str!("roots/ms_root_ca_2011.pem"), include_str!("roots/ms_ecc_product_root_ca_2018.pem")];

/// A certificate file that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: expected PEM certificates, found {found}")]
pub struct BadCertificateFile {
    /// The file as given.
    pub file: String,
    /// What was found instead.
    pub found: String,
}

/// The certificates that a run goes by.
#[derive(Clone, Debug, Default)]
pub struct TrustStore {
    trusted: Vec<Certificate>,
    anchors: Vec<(String, Vec<Certificate>)>,
}

impl TrustStore {
    /// Loads what the settings name. The machine's own store is read here, once.
    pub fn load(settings: &Settings) -> Result<TrustStore, BadCertificateFile> {
        let mut store = TrustStore::default();
        for file in &settings.cacert {
            store.trusted.extend(read_file(file)?);
        }
        for Anchor { glob, file } in &settings.anchor {
            store.anchors.push((glob.clone(), read_file(file)?));
        }
        if settings.trust == Trust::System {
            store.trusted.extend(rustls_native_certs::load_native_certs().certs.iter().filter_map(|der| {
                certificate::read(der, CertificateFrom::Store, Timestamp::UNIX_EPOCH).ok()
            }));
        }
        Ok(store)
    }

    /// The certificates that this run trusts.
    pub fn trusted(&self) -> &[Certificate] {
        &self.trusted
    }

    /// The certificates in one of which a host's chain must end to be genuine; none where any public root may be it.
    pub fn anchors_of(&self, host: &str) -> Option<Vec<Certificate>> {
        let own: Vec<_> = self.anchors.iter().filter(|(glob, _)| glob_matches(glob, host)).collect();
        if !own.is_empty() {
            return Some(own.into_iter().flat_map(|(_, certificates)| certificates.clone()).collect());
        }
        is_private_pki_host(host).then(|| {
            MICROSOFT_ROOTS
                .iter()
                .filter_map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok())
                .filter_map(|der| certificate::read(&der, CertificateFrom::Store, Timestamp::UNIX_EPOCH).ok())
                .collect()
        })
    }
}

/// Whether a host's chain must end in Microsoft's own roots.
pub fn is_private_pki_host(host: &str) -> bool {
    PRIVATE_PKI_HOSTS.iter().any(|glob| glob_matches(glob, host))
}

fn read_file(file: &str) -> Result<Vec<Certificate>, BadCertificateFile> {
    let bad = |found: String| BadCertificateFile { file: file.into(), found };
    let bytes = std::fs::read(Path::new(file)).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => bad("no such file".into()),
        _ => bad(e.to_string()),
    })?;
    let mut found = Vec::new();
    for (index, der) in CertificateDer::pem_slice_iter(&bytes).enumerate() {
        let der = der.map_err(|_| bad("a damaged PEM section".into()))?;
        let read = certificate::read(&der, CertificateFrom::Store, Timestamp::UNIX_EPOCH)
            .map_err(|why| bad(format!("certificate {} that cannot be read ({why})", index + 1)))?;
        found.push(read);
    }
    if found.is_empty() { Err(bad("none".into())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_roots_are_the_two() {
        let roots = TrustStore::default().anchors_of("sws.update.microsoft.com").unwrap();
        let prints: Vec<_> = roots.iter().map(|root| root.seen.sha256[..16].to_string()).collect();
        assert_eq!(prints, ["847df6a78497943f", "caca93b9d23d2b6f"]);
        assert!(TrustStore::default().anchors_of("download.microsoft.com").is_none());
    }
}
