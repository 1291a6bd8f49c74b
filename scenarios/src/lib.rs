//! Worlds and faults.
