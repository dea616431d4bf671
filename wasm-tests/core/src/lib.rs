//! The core where it will run: on wasm32, where a pointer and a `usize` have 32 bits.
//!
//! The tests are in `tests/core.rs`. They run natively with everything else, and under wasm-bindgen-test on node:
//! `scripts/wasm-cargo wasm32-unknown-unknown test -p core-on-wasm32`. What they expect is written down, so both
//! must come to the same numbers.
