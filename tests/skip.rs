//! What a test does where a program that it needs is missing: it says so.
//! Not by `println!` or `eprintln!`, which a test that passes keeps to itself.
//! `.ci/run` looks for these lines.

use std::fmt::Display;
use std::io::{self, Write};

/// Says that a test, or a part of it, is skipped, and why.
#[allow(clippy::unwrap_used)] // a test whose stderr is gone has failed
pub(crate) fn skip(why: impl Display) {
    io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}
