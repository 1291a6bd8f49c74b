//! TLS as far as a first flight goes: ClientHellos built to order, and a bounded reader of what answers in clear.
//!
//! RFC 5246 (TLS 1.2), RFC 8446 (TLS 1.3), RFC 6066 (server name), RFC 8422 (groups).

mod flight;
mod hello;
mod names;
mod suites;

pub use flight::{FLIGHT_LIMIT, FlightReader, Reading, ServerFlight, Until, looks_like};
pub use hello::{Extension, Hello};
pub use names::{GROUPS, SIGNATURES, alert_name, group_name, signature_name, version_name};
pub use suites::{Exchange, SUITES, Suite, suite, suite_name};

/// SSL 3.0, as on the wire.
pub const SSL3: u16 = 0x0300;
/// TLS 1.0, as on the wire.
pub const TLS10: u16 = 0x0301;
/// TLS 1.1, as on the wire.
pub const TLS11: u16 = 0x0302;
/// TLS 1.2, as on the wire.
pub const TLS12: u16 = 0x0303;
/// TLS 1.3, as on the wire.
pub const TLS13: u16 = 0x0304;
