//! Integration tests of the core crate. `cargo test -p fernseal-core --test core NAME` runs the tests of one file, or
//! one test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

mod common;
#[path = "../skip.rs"]
mod skip;

mod api;
mod buffers;
mod config;
#[cfg(feature = "simd")]
mod derive_many;
mod foreign;
mod interop;
mod json;
mod keys;
mod slices;
mod tampering;
mod text;
#[cfg(feature = "typed")]
mod typed;
mod vectors;
