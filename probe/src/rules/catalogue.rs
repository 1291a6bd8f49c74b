//! Every id of the catalogue, in the catalogue's order: a public contract. An id never changes its meaning, and a
//! retired one stays listed.

use crate::diagnosis::Severity;

/// One id of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The id.
    pub id: &'static str,
    /// How much it matters, unless the evidence says otherwise.
    pub severity: Severity,
    /// Whether a rule gives it; those that are not due yet stand here all the same, so that nobody reuses them.
    pub due: bool,
    /// Its page as written: front matter and text.
    pub source: Option<&'static str>,
}

/// The entry of an id.
pub fn entry(id: &str) -> Option<&'static Entry> {
    position(id).map(|at| &CATALOGUE[at])
}

/// Where an id stands in the catalogue.
pub fn position(id: &str) -> Option<usize> {
    CATALOGUE.iter().position(|entry| entry.id == id)
}

// `due` stands for an id that a rule gives and that has a page, `later` for one that is not diagnosed yet.
macro_rules! catalogue {
    ($($kind:ident $id:literal $severity:ident,)*) => {
        /// The whole catalogue.
        pub static CATALOGUE: &[Entry] = &[$(
            Entry {
                id: $id,
                severity: Severity::$severity,
                due: catalogue!(@due $kind),
                source: catalogue!(@source $kind $id),
            },
        )*];
    };
    (@due later) => { false };
    (@due due) => { true };
    (@source due $id:literal) => { Some(include_str!(concat!("pages/", $id, ".md"))) };
    (@source later $id:literal) => { None };
}

catalogue! {
    due "config/endpoint-decommissioned" Error,
    due "config/endpoint-retiring" Warning,
    due "config/endpoint-unknown" Error,
    due "config/redirector-number" Warning,
    due "config/proxy-incomplete" Error,
    due "config/ssl-proxy-incomplete" Error,
    due "config/proxy-credentials-missing" Error,
    due "config/proxy-only-in-winhttp" Error,
    due "config/upstream-missing" Error,
    due "config/upstream-short-name" Error,
    due "config/port-ssl-mismatch" Error,
    due "config/proxy-only-in-user" Error,
    due "config/service-stopped" Error,
    due "config/replica-of-microsoft" Warning,
    due "config/winhttp-differs" Info,
    due "name/not-found" Error,
    due "name/no-address" Error,
    due "name/server-failure" Error,
    due "name/refused" Error,
    due "name/timeout" Error,
    due "name/sinkhole" Error,
    due "name/resolvers-disagree" Warning,
    due "dial/timeout" Error,
    due "dial/refused" Error,
    due "dial/unreachable" Error,
    due "dial/partial" Warning,
    due "dial/family-unusable" Info,
    due "dial/mtu" Error,
    due "proxy/name-not-found" Error,
    due "proxy/unreachable" Error,
    due "proxy/not-a-proxy" Error,
    due "proxy/auth-required" Error,
    due "proxy/auth-untested" Info,
    due "proxy/auth-rejected" Error,
    due "proxy/auth-broken" Error,
    due "proxy/auth-unsupported" Error,
    due "proxy/basic-not-allowed" Error,
    due "proxy/basic-cleartext" Warning,
    due "proxy/forbidden" Error,
    due "proxy/port-denied" Error,
    due "proxy/cannot-resolve" Error,
    due "proxy/cannot-connect" Error,
    due "proxy/closed" Error,
    due "proxy/inspection" Error,
    due "proxy/ssl-proxy-differs" Error,
    due "tls/timeout" Error,
    due "tls/refused" Error,
    due "tls/version-unsupported" Error,
    due "tls/no-common-cipher" Error,
    due "tls/no-common-group" Error,
    due "tls/no-common-signature" Error,
    due "tls/cipher-policy" Error,
    due "tls/client-tls12-disabled" Error,
    due "tls/sync-fix-missing" Error,
    due "tls/dotnet-strong-crypto" Warning,
    due "tls/cbc-only" Warning,
    due "tls/weak-dh" Error,
    due "tls/answer-not-offered" Error,
    due "tls/broken-off" Error,
    due "tls/plain-http" Error,
    due "tls/client-certificate" Error,
    due "trust/missing-intermediate" Error,
    due "trust/untrusted-root" Error,
    due "trust/self-signed" Error,
    due "trust/expired" Error,
    due "trust/not-yet-valid" Error,
    due "trust/intermediate-expired" Error,
    due "trust/clock-skew" Error,
    due "trust/name-mismatch" Error,
    due "trust/short-name" Error,
    later "trust/common-name-only" Warning,
    later "trust/weak-signature" Warning,
    later "trust/weak-key" Warning,
    later "trust/not-a-ca" Error,
    later "trust/name-constraints" Error,
    later "trust/usage" Error,
    later "trust/revoked" Warning,
    later "trust/revocation-unreachable" Warning,
    later "trust/chain-order" Warning,
    due "trust/root-sent-for-intermediate" Error,
    due "trust/intermediate-in-root-store" Error,
    due "trust/microsoft-root-missing" Error,
    due "trust/user-store-only" Error,
    due "http/pool-down" Error,
    due "http/unavailable" Error,
    due "http/ssl-required" Error,
    due "http/client-certificate" Error,
    due "http/no-site" Error,
    due "http/not-found" Error,
    due "http/unauthorized" Error,
    due "http/redirect" Error,
    due "http/server-error" Error,
    due "http/timeout" Error,
    due "http/truncated" Error,
    due "http/not-wsus" Error,
    due "wsus/port-mismatch" Error,
    due "wsus/ssl-mismatch" Error,
    later "wsus/selfupdate-requires-ssl" Warning,
    later "wsus/content-requires-ssl" Error,
    due "wsus/selfupdate-missing" Warning,
    later "wsus/version-order" Error,
    later "wsus/version-undecidable" Info,
    due "wsus/not-an-upstream" Error,
    due "wsus/server-busy" Error,
    due "wsus/server-error" Error,
    later "wsus/cookie-rejected" Error,
    later "wsus/upstream-rebuilt" Error,
    later "wsus/incompatible-protocol" Error,
    later "wsus/clock-difference" Error,
    due "wsus/binding-certificate" Error,
    due "wsus/replica-note" Info,
    later "content/domain-blocked" Warning,
    later "content/port-blocked" Warning,
    later "content/range-refused" Warning,
    due "content/source-note" Info,
    due "history/never-succeeded" Warning,
    due "history/failing" Warning,
    due "history/stale" Warning,
    due "history/recovered" Info,
    due "history/import-only" Warning,
    due "history/console-only" Info,
    due "history/client-log" Info,
    due "history/database" Warning,
    due "history/configmgr-database" Warning,
    due "history/no-new-updates" Warning,
    due "history/microsoft-side" Warning,
    later "offline/package-truncated" Error,
    later "offline/package-invalid" Error,
    later "offline/package-empty" Error,
    later "offline/newer-than-importer" Error,
    later "offline/content-damaged" Error,
    later "offline/content-missing" Error,
    later "offline/import-failed" Error,
    later "offline/stale" Error,
    later "offline/mirror-unsafe" Error,
    due "input/unreadable" Warning,
    due "input/contradictory" Warning,
    due "unexplained" Error,
}
