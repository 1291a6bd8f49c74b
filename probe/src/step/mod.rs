//! One step of the walk, one file, one observation. A step sees and records; it never judges what it means.

pub mod chain;
pub mod dial;
pub mod exchange;
pub mod handshake;
pub mod hello;
pub mod name;
pub mod proxy;
