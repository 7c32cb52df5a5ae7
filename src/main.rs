//! The `wavetank` program.
fn main() {}
