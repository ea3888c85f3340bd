//! Tests of the command, from outside: each runs it in a folder of its own.
//! `cargo test -p fernseal --test cli NAME` runs those of one file, or one of them.
#![allow(clippy::unwrap_used)] // a test ends where something is not as it must be

mod common;
#[path = "../skip.rs"]
mod skip;

mod check;
mod completions;
mod edit;
mod formats;
mod git;
mod hostile;
mod json;
mod keys;
mod locking;
mod pages;
mod redact;
mod rotation;
mod run;
mod terminal;
mod transcripts;
mod writing;
