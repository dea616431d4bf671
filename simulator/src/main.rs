//! The simulated provider.

fn main() {}
