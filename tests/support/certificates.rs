//! A site's certificates as files for real servers.

use std::path::{Path, PathBuf};

use mockups::authority::{Authority, AuthoritySpec, Key, KeyUsage, LeafSpec, Minted, pem};

use crate::write;

const DAY: i64 = 86_400;

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}

/// A two-tier authority of a site, valid now.
#[derive(Debug, Clone)]
pub struct Site {
    authority: Authority,
}

/// A server's certificate.
#[derive(Debug, Clone)]
pub struct Served {
    leaf: Minted,
    issuing: Minted,
}

impl Site {
    /// Makes the authority.
    ///
    /// # Panics
    /// Certificates cannot be made.
    pub fn new() -> Site {
        let spec = AuthoritySpec::new("site", "Interop Root CA", "Interop Issuing CA", now());
        Site { authority: Authority::new(&spec).expect("an authority") }
    }

    /// What a healthy server of that name has: good from yesterday for a month.
    pub fn usual(name: &str) -> LeafSpec {
        LeafSpec {
            common_name: name.to_owned(),
            dns_names: vec![name.to_owned()],
            validity: (now() - DAY, now() + 30 * DAY),
            usages: vec![KeyUsage::ServerAuth],
            ..LeafSpec::default()
        }
    }

    /// Issues a certificate.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn issue(&self, spec: &LeafSpec) -> Served {
        self.issue_for(spec, "server")
    }

    /// Issues a certificate for a key of mockups: `server` is RSA, a name that it does not keep a new one on P-256.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn issue_for(&self, spec: &LeafSpec, key: &str) -> Served {
        let key = Key::named(key).expect("a key");
        let leaf = self.authority.issue(spec, &key).expect("a leaf");
        Served { leaf, issuing: self.authority.signer().clone() }
    }

    /// Writes the root as `root.pem`.
    pub fn root(&self, folder: &Path) -> PathBuf {
        write(folder, "root.pem", self.authority.root.pem())
    }

    /// An authority that inspects: one that no site has.
    ///
    /// # Panics
    /// Certificates cannot be made.
    pub fn inspector() -> Site {
        let spec = AuthoritySpec::new("inspector", "Interop Inspection Root", "Interop Inspection CA", now());
        Site { authority: Authority::new(&spec).expect("an authority") }
    }

    /// The certificate that signs, with those above it, and its key, both as PEM.
    pub fn signer(&self) -> (String, String) {
        let signer = self.authority.signer();
        let key = pem(signer.key.private().secret_der()).replace(" CERTIFICATE", " PRIVATE KEY");
        (format!("{}{}", signer.pem(), self.authority.root.pem()), key)
    }

    /// Writes the issuing certificate in DER, as AIA serves it.
    pub fn issuing(&self, file: &Path) {
        std::fs::write(file, &self.authority.signer().der).expect("the test's folder");
    }
}

impl Default for Site {
    fn default() -> Self {
        Site::new()
    }
}

impl Served {
    /// Writes `chain.pem` (leaf and intermediate), `leaf.pem` and `key.pem`.
    pub fn write(&self, folder: &Path) {
        write(folder, "chain.pem", format!("{}{}", self.leaf.pem(), self.issuing.pem()));
        write(folder, "leaf.pem", self.leaf.pem());
        let key = self.leaf.key.private();
        write(folder, "key.pem", pem(key.secret_der()).replace(" CERTIFICATE", " PRIVATE KEY"));
    }
}
