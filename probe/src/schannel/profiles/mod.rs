//! One file a server.

pub(super) mod ws2008r2;
pub(super) mod ws2012;
pub(super) mod ws2012r2;
pub(super) mod ws2016;
pub(super) mod ws2019;
pub(super) mod ws2022;
pub(super) mod ws2025;
