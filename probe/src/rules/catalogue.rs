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
    (@due $due:ident) => { true };
    (@source due $id:literal) => { Some(include_str!(concat!("pages/", $id, ".md"))) };
    (@source $kind:ident $id:literal) => { None };
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
    later "config/proxy-only-in-user" Error,
    later "config/service-stopped" Error,
    due "config/replica-of-microsoft" Warning,
    due "config/winhttp-differs" Info,
    due "name/not-found" Error,
    due "name/no-address" Error,
    due "name/server-failure" Error,
    due "name/refused" Error,
    due "name/timeout" Error,
    due "name/sinkhole" Error,
    due "name/resolvers-disagree" Warning,
    awaited "dial/timeout" Error,
    awaited "dial/refused" Error,
    awaited "dial/unreachable" Error,
    awaited "dial/partial" Warning,
    awaited "dial/family-unusable" Info,
    later "dial/mtu" Error,
    awaited "proxy/name-not-found" Error,
    awaited "proxy/unreachable" Error,
    awaited "proxy/not-a-proxy" Error,
    awaited "proxy/auth-required" Error,
    awaited "proxy/auth-untested" Info,
    later "proxy/auth-rejected" Error,
    later "proxy/auth-broken" Error,
    awaited "proxy/auth-unsupported" Error,
    awaited "proxy/basic-not-allowed" Error,
    awaited "proxy/basic-cleartext" Warning,
    awaited "proxy/forbidden" Error,
    awaited "proxy/port-denied" Error,
    awaited "proxy/cannot-resolve" Error,
    awaited "proxy/cannot-connect" Error,
    awaited "proxy/closed" Error,
    awaited "proxy/inspection" Error,
    later "proxy/ssl-proxy-differs" Error,
    awaited "tls/timeout" Error,
    awaited "tls/refused" Error,
    awaited "tls/version-unsupported" Error,
    awaited "tls/no-common-cipher" Error,
    later "tls/no-common-group" Error,
    later "tls/no-common-signature" Error,
    later "tls/cipher-policy" Error,
    later "tls/client-tls12-disabled" Error,
    awaited "tls/sync-fix-missing" Error,
    awaited "tls/dotnet-strong-crypto" Warning,
    later "tls/cbc-only" Warning,
    later "tls/weak-dh" Error,
    awaited "tls/plain-http" Error,
    awaited "tls/client-certificate" Error,
    awaited "trust/missing-intermediate" Error,
    awaited "trust/untrusted-root" Error,
    awaited "trust/self-signed" Error,
    awaited "trust/expired" Error,
    awaited "trust/not-yet-valid" Error,
    awaited "trust/intermediate-expired" Error,
    awaited "trust/clock-skew" Error,
    awaited "trust/name-mismatch" Error,
    awaited "trust/short-name" Error,
    later "trust/common-name-only" Warning,
    later "trust/weak-signature" Warning,
    later "trust/weak-key" Warning,
    later "trust/not-a-ca" Error,
    later "trust/name-constraints" Error,
    later "trust/usage" Error,
    later "trust/revoked" Warning,
    later "trust/revocation-unreachable" Warning,
    later "trust/chain-order" Warning,
    awaited "trust/root-sent-for-intermediate" Error,
    later "trust/intermediate-in-root-store" Error,
    later "trust/microsoft-root-missing" Error,
    later "trust/user-store-only" Error,
    awaited "http/pool-down" Error,
    awaited "http/unavailable" Error,
    awaited "http/ssl-required" Error,
    awaited "http/client-certificate" Error,
    awaited "http/no-site" Error,
    awaited "http/not-found" Error,
    awaited "http/unauthorized" Error,
    awaited "http/redirect" Error,
    awaited "http/server-error" Error,
    awaited "http/timeout" Error,
    awaited "http/truncated" Error,
    awaited "http/not-wsus" Error,
    awaited "wsus/port-mismatch" Error,
    awaited "wsus/ssl-mismatch" Error,
    later "wsus/selfupdate-requires-ssl" Warning,
    later "wsus/content-requires-ssl" Error,
    awaited "wsus/selfupdate-missing" Warning,
    later "wsus/version-order" Error,
    later "wsus/version-undecidable" Info,
    awaited "wsus/not-an-upstream" Error,
    awaited "wsus/server-busy" Error,
    awaited "wsus/server-error" Error,
    later "wsus/cookie-rejected" Error,
    later "wsus/upstream-rebuilt" Error,
    later "wsus/incompatible-protocol" Error,
    later "wsus/clock-difference" Error,
    later "wsus/binding-certificate" Error,
    awaited "wsus/replica-note" Info,
    later "content/domain-blocked" Warning,
    later "content/port-blocked" Warning,
    later "content/range-refused" Warning,
    awaited "content/source-note" Info,
    later "history/never-succeeded" Warning,
    awaited "history/failing" Warning,
    later "history/stale" Warning,
    later "history/recovered" Info,
    later "history/import-only" Warning,
    awaited "history/console-only" Info,
    awaited "history/client-log" Info,
    later "history/database" Warning,
    later "history/configmgr-database" Warning,
    later "history/no-new-updates" Warning,
    later "history/microsoft-side" Warning,
    later "offline/package-truncated" Error,
    later "offline/package-invalid" Error,
    later "offline/package-empty" Error,
    later "offline/newer-than-importer" Error,
    later "offline/content-damaged" Error,
    later "offline/content-missing" Error,
    later "offline/import-failed" Error,
    later "offline/stale" Error,
    later "offline/mirror-unsafe" Error,
    awaited "input/unreadable" Warning,
    awaited "input/contradictory" Warning,
    awaited "unexplained" Error,
}
