//! The building blocks of a false WSUS world on loopback.
//!
//! Every server listens on a port that the system gives, records what it sees in a [`journal::Journal`], and stops
//! when its [`listen::Running`] is dropped. Nothing here knows of the probe.

pub mod authority;
pub mod hello;
pub mod http;
pub mod journal;
pub mod link;
pub mod listen;
pub mod microsoft;
pub mod nameserver;
pub mod proxy;
pub mod silent;
pub mod socks;
pub mod tlspeer;
pub mod upstream;
