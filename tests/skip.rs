//! Reports tests that are skipped because a program is missing. It writes to stderr directly, because cargo hides the
//! output of `println!` and `eprintln!` of tests that pass. `.ci/run` searches for these lines.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints that a test, or a part of it, is skipped, and why.
#[allow(clippy::unwrap_used)] // a test whose stderr is gone has failed
pub(crate) fn skip(why: impl Display) {
    io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}
