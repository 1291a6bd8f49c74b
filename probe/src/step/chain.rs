//! The stores of a run: what it trusts, and what makes a host's chain genuine.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::settings::Settings;

/// Why a store cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A file that the settings name holds no certificates.
    #[error("{setting} {file}: {why}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file as given.
        file: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The stores of a run.
#[derive(Clone, Debug, Default)]
pub struct TrustStore {
    /// Trusted besides the machine's store.
    pub added: Vec<CertificateDer<'static>>,
    /// For the names that match a glob: what makes a chain genuine.
    pub anchors: Vec<(String, Vec<CertificateDer<'static>>)>,
}

impl TrustStore {
    /// Loads the files that the settings name.
    pub fn load(settings: &Settings) -> Result<TrustStore, StoreError> {
        let mut store = TrustStore::default();
        for file in &settings.cacert {
            store.added.extend(read("--cacert", file)?);
        }
        for anchor in &settings.anchor {
            store.anchors.push((anchor.glob.clone(), read("--anchor", &anchor.file)?));
        }
        Ok(store)
    }
}

fn read(setting: &'static str, file: &str) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let bad = |why: String| StoreError::File { setting, file: file.to_string(), why };
    let bytes = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| bad(error.to_string()))?;
    if found.is_empty() {
        return Err(bad("expected PEM certificates, found none".into()));
    }
    Ok(found)
}
