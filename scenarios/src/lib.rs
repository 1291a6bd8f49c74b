//! Worlds and faults: every diagnosis proved, any site's failure reproduced.
//!
//! [`schema`] says what a file may hold, [`load`] reads files and merges a fault into its world.

pub mod load;
pub mod schema;
