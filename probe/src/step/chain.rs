//! Looks at a presented chain: the way up from the leaf, by signatures, through what was sent, stored or fetched; and, on
//! Windows, what the platform says of it.

#[cfg(windows)]
mod windows;

use std::time::Duration;

use jiff::Timestamp;

use crate::codec::certificate::{self, Certificate};
use crate::evidence::{
    CertificateFrom, ChainEnd, ChainSeen, Fetch, NameFit, PlatformVerdict, Validity, escape,
};
use crate::net::time_zone;
use crate::trust::TrustStore;

/// The longest way that is followed.
const LONGEST: usize = 10;
/// How many missing issuers are fetched.
const MOST_FETCHES: usize = 3;

/// Fetches certificates from the URLs that their subordinates name.
pub trait IssuerSource {
    /// The DER at `url`, or why it is not to be had.
    fn fetch(&self, url: &str) -> impl Future<Output = Result<Vec<u8>, String>> + Send;
}

/// Looks at the chain `sent` by a peer under the name `name`.
pub async fn look(
    sent: &[Vec<u8>],
    name: &str,
    clock: Timestamp,
    store: &TrustStore,
    issuers: &impl IssuerSource,
) -> Option<ChainSeen> {
    let mut unreadable = None;
    let mut certificates = Vec::new();
    for (index, der) in sent.iter().enumerate() {
        match certificate::read(der, CertificateFrom::Sent, clock) {
            Ok(read) => certificates.push(read),
            Err(why) if unreadable.is_none() => {
                unreadable = Some(format!("certificate {} of {}: {why}", index + 1, sent.len()));
            }
            Err(_) => {}
        }
        if index == 0 && certificates.is_empty() {
            break;
        }
    }
    let Some(leaf) = certificates.first().cloned() else {
        return (!sent.is_empty()).then(|| ChainSeen {
            name: name.into(),
            clock,
            time_zone: time_zone(clock),
            sent: Vec::new(),
            way: Vec::new(),
            end: ChainEnd::Missing { issuer: String::new(), fetch: Fetch::NotAsked },
            fetch: Fetch::NotAsked,
            name_fit: NameFit::None,
            in_store: false,
            genuine: None,
            unreadable,
            platform: None,
        });
    };
    let anchors = store.anchors_of(name);
    let held =
        |list: &[Certificate], one: &Certificate| list.iter().any(|c| c.seen.sha256 == one.seen.sha256);
    let issuer_in = |list: &[Certificate], one: &Certificate, way: &[Certificate]| {
        list.iter().find(|c| !held(way, c) && certificate::issued(c, one)).cloned()
    };

    let mut way = vec![leaf.clone()];
    let (mut in_store, mut genuine_end) = (false, false);
    let mut fetch = Fetch::NotNeeded;
    let mut fetches = 0;
    let end = loop {
        let top = way.last().expect("the leaf is there").clone();
        in_store = in_store || held(store.trusted(), &top);
        genuine_end = genuine_end || anchors.as_ref().is_some_and(|list| held(list, &top));
        if in_store || genuine_end {
            break ChainEnd::Trusted;
        }
        let trusted_issuer = [Some(store.trusted()), anchors.as_deref()]
            .into_iter()
            .flatten()
            .find_map(|list| issuer_in(list, &top, &way));
        if let Some(mut issuer) = trusted_issuer {
            issuer.seen.from = CertificateFrom::Store;
            issuer.seen.validity = validity(&issuer, clock);
            way.push(issuer);
            continue;
        }
        if top.seen.self_issued && certificate::issued(&top, &top) {
            break ChainEnd::Root;
        }
        if way.len() >= LONGEST {
            break ChainEnd::Missing { issuer: top.seen.issuer.clone(), fetch: Fetch::NotAsked };
        }
        if let Some(issuer) = issuer_in(&certificates, &top, &way) {
            way.push(issuer);
            continue;
        }
        let missing = |fetch: Fetch| ChainEnd::Missing { issuer: top.seen.issuer.clone(), fetch };
        let Some(url) = top.seen.issuer_urls.first().cloned() else {
            if fetch == Fetch::NotNeeded {
                fetch = Fetch::NoUrl;
            }
            break missing(Fetch::NoUrl);
        };
        if fetches == MOST_FETCHES {
            break missing(Fetch::NotAsked);
        }
        fetches += 1;
        let got = issuers.fetch(&url).await.and_then(|der| {
            let read = certificate::read(&der, CertificateFrom::Fetched, clock)?;
            if certificate::issued(&read, &top) {
                Ok(read)
            } else {
                Err("what is served there is another certificate".into())
            }
        });
        match got {
            Ok(issuer) => {
                fetch = Fetch::Served { url };
                way.push(issuer);
            }
            Err(why) => {
                let failed = Fetch::Failed { url, why: escape(&why, 200) };
                if fetch == Fetch::NotNeeded {
                    fetch = failed.clone();
                }
                break missing(failed);
            }
        }
    };
    Some(ChainSeen {
        name: name.into(),
        clock,
        time_zone: time_zone(clock),
        name_fit: certificate::name_fit(&leaf, name),
        sent: certificates.into_iter().map(|c| c.seen).collect(),
        way: way.into_iter().map(|c| c.seen).collect(),
        end,
        fetch,
        in_store,
        genuine: anchors.map(|_| genuine_end),
        unreadable,
        platform: None,
    })
}

/// What the platform's own verifier says of the chain `sent` under the name `name`: none where it has none that is asked,
/// or has not answered in time. Where the verdict decides, the platform may fetch what it misses, as it does for every
/// client; else nothing is sent for it.
#[cfg(windows)]
pub async fn platform(
    sent: &[Vec<u8>],
    name: &str,
    clock: Timestamp,
    authoritative: bool,
    wait: Duration,
) -> Option<PlatformVerdict> {
    let (sent, name) = (sent.to_vec(), name.to_string());
    let asking = tokio::task::spawn_blocking(move || {
        let why = windows::complaints(&sent, &name, clock, authoritative.then_some(wait))?;
        Some(PlatformVerdict { good: why.is_empty(), why, authoritative })
    });
    tokio::time::timeout(wait, asking).await.ok()?.ok()?
}

/// There is none that is asked.
#[cfg(not(windows))]
pub async fn platform(_: &[Vec<u8>], _: &str, _: Timestamp, _: bool, _: Duration) -> Option<PlatformVerdict> {
    None
}

fn validity(certificate: &Certificate, clock: Timestamp) -> Validity {
    if clock < certificate.seen.not_before {
        Validity::NotYet
    } else if clock > certificate.seen.not_after {
        Validity::Expired
    } else {
        Validity::Current
    }
}
