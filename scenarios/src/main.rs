//! The program `wsuslab`.
fn main() {}
