//! What the evidence means: one file per layer of the catalogue.

pub mod catalogue;
