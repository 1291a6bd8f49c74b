//! Worlds and faults: every diagnosis proved, any site's failure reproduced.
//!
//! [`schema`] says what a file may hold, [`load`] reads files and merges a fault into its world, [`world`] brings
//! one up, [`witness`] compares what its servers saw, [`runner`] puts it and the probe together.

pub mod cli;
pub mod codes;
pub mod load;
pub mod runner;
pub mod schema;
pub mod witness;
pub mod world;
