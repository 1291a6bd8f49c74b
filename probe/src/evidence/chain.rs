//! The certificates that a server presented, and what was made of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One certificate of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateSeen {
    /// Its subject, escaped.
    pub subject: String,
    /// Its issuer, escaped.
    pub issuer: String,
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// SHA-256 over its DER, in hexadecimal.
    pub sha256: String,
    /// The start of its validity.
    pub not_before: jiff::Timestamp,
    /// The end of its validity.
    pub not_after: jiff::Timestamp,
    /// Its DNS names, escaped.
    pub names: Vec<String>,
    /// Its subject's common name, escaped.
    pub common_name: Option<String>,
    /// The URLs at which its issuer is served (RFC 5280 section 4.2.2.1, id-ad-caIssuers).
    pub issuer_urls: Vec<String>,
    /// Whether it names itself as its issuer.
    pub self_issued: bool,
    /// Whether it may issue certificates.
    pub is_ca: bool,
    /// What it is signed with, as IANA numbers signature algorithms; none where it is nothing of TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<u16>,
    /// Where it came from.
    pub from: CertificateFrom,
    /// Where it stands against the clock of the run.
    pub validity: Validity,
}

/// Where a certificate came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateFrom {
    /// The peer sent it.
    Sent,
    /// A store of the run holds it.
    Store,
    /// It was fetched from the URL that its subordinate names.
    Fetched,
}

/// Where a validity stands against a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// Within it.
    Current,
    /// Before its start.
    NotYet,
    /// After its end.
    Expired,
}

/// How a name fits a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NameFit {
    /// A DNS or IP name of the subject alternative names fits.
    Alternative,
    /// There is no DNS alternative name and the subject's common name fits.
    Subject,
    /// The name in use has no dot and is the first label of a name of the leaf.
    FirstLabel,
    /// None fits.
    None,
}

/// How the way up from a leaf ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum ChainEnd {
    /// In a certificate that this run trusts, or in the host's own anchor.
    Trusted,
    /// In a self-issued certificate that it does not trust.
    Root,
    /// The next issuer was neither sent, nor in a store, nor to be had.
    Missing {
        /// The name of the missing issuer, escaped.
        issuer: String,
        /// What became of fetching it.
        fetch: Fetch,
    },
}

/// What became of fetching an issuer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fetch", rename_all = "kebab-case")]
pub enum Fetch {
    /// Nothing had to be fetched.
    NotNeeded,
    /// The certificate names no URL.
    NoUrl,
    /// It was served.
    Served {
        /// Where.
        url: String,
    },
    /// It was not to be had.
    Failed {
        /// Where.
        url: String,
        /// Why not.
        why: String,
    },
    /// It was not asked for.
    NotAsked,
}

/// What was seen of a presented chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChainSeen {
    /// The name in use.
    pub name: String,
    /// The clock against which it was held.
    pub clock: jiff::Timestamp,
    /// This machine's time zone and its distance from UTC at that time.
    pub time_zone: String,
    /// Every certificate sent, in the order sent.
    pub sent: Vec<CertificateSeen>,
    /// The way up from the leaf as far as it could be followed: every link signed by the next.
    pub way: Vec<CertificateSeen>,
    /// How the way ends.
    pub end: ChainEnd,
    /// What became of fetching missing issuers.
    pub fetch: Fetch,
    /// How the name fits the leaf.
    pub name_fit: NameFit,
    /// Whether the store of the run trusts the end of the way.
    pub in_store: bool,
    /// Whether the host has anchors of its own, and whether the way ends in one.
    pub genuine: Option<bool>,
    /// A certificate that could not be read: its index and why.
    pub unreadable: Option<String>,
    /// What the platform's own verifier says, where it has one that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformVerdict>,
}

/// What Windows says of a chain under the name in use, by the store of the machine (not of a user).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlatformVerdict {
    /// Whether it accepts the chain.
    pub good: bool,
    /// Why not: the symbols of its trust status and of its policy, `CERT_TRUST_IS_UNTRUSTED_ROOT`. Empty where it accepts.
    pub why: Vec<String>,
    /// Whether it decides: it does where the settings give neither a clock nor a store.
    pub authoritative: bool,
}

impl ChainSeen {
    /// Whether Windows' .NET client would go on after this chain: what the platform said where that decides, else what
    /// this program's own rules say.
    pub fn acceptable(&self) -> bool {
        match self.decided() {
            Some(verdict) => verdict.good,
            None => self.fits_rules(),
        }
    }

    /// The platform's verdict, where it decides.
    pub fn decided(&self) -> Option<&PlatformVerdict> {
        self.platform.as_ref().filter(|verdict| verdict.authoritative)
    }

    /// Whether the chain fits this program's own rules: it ends in trust, every certificate is current, and the name
    /// fits the alternative names, or the subject where there are none.
    pub fn fits_rules(&self) -> bool {
        self.end == ChainEnd::Trusted
            && self.way.iter().all(|c| c.validity == Validity::Current)
            && matches!(self.name_fit, NameFit::Alternative | NameFit::Subject)
            && self.unreadable.is_none()
    }
}
