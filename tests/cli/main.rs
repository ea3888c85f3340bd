//! Integration tests of the command. Each test runs it in its own folder. `cargo test -p fernseal --test cli NAME` runs
//! the tests of one file, or one test.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;
#[path = "../skip.rs"]
mod skip;

mod check;
mod claims;
mod completions;
mod edit;
mod findings;
mod formats;
mod git;
mod hints;
mod hostile;
mod json;
mod keys;
mod layers;
mod locking;
mod members;
mod merge;
mod pages;
mod redact;
mod rotation;
mod run;
mod stores;
mod terminal;
mod transcripts;
mod writing;
