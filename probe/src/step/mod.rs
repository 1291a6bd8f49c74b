//! The steps of a walk: each asks one thing and gives one observation.

pub mod chain;
