//! Microsoft Update as a synchronization source: what differs from a site's own WSUS.

use crate::http::Clock;
use crate::tlspeer::{Policy, Refusal};
use crate::upstream::{Kind, Site};

/// The site: synchronization and its authorization, nothing for clients; protocol 1.21, cookies for an hour.
pub fn site(name: &str, clock: Clock) -> Site {
    Site { kind: Kind::Microsoft, protocol: "1.21".to_owned(), cookie_minutes: 60, ..Site::wsus(name, clock) }
}

/// Its TLS policy: 1.2 only, the four published suites, and RST for whoever does not fit.
pub fn policy() -> Policy {
    Policy {
        versions: vec![0x0303],
        suites: Some(vec![0xc030, 0xc02f, 0xc028, 0xc027]),
        groups: vec![0x001d, 0x0017, 0x0018],
        refusal: Refusal::Reset,
        ..Policy::default()
    }
}
