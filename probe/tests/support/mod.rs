//! Writers of what the readers read, so that no file of anybody else's is needed.

pub mod evtx;
pub mod zip;
