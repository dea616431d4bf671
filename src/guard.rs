//! The runaway-loop guard.

pub mod rule;
