//! Integration tests of the C library. `cargo test -p fernseal-ffi --test ffi NAME` runs the tests of one file, or one
//! test.
#![allow(clippy::unwrap_used)] // a test may panic

mod abi;
mod header;
mod programs;
#[path = "../skip.rs"]
mod skip;
