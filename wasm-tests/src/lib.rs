//! Tests of the built module.
