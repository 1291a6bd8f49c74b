//! The program `wsusprobe`.
fn main() {}
