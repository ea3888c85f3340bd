//! Counts the differences that occur, by their names in the table of core/README.md. The run fails on a difference that
//! the table does not name, and on a name that the table no longer has. Each count also names the implementation that
//! differs: Python, and in some cases the fernet crate.

use std::collections::BTreeMap;
use std::fmt;

pub const BASE64: &str = "base64 of tokens";
pub const SALT: &str = "salt of a token";
pub const KEY: &str = "master key";
pub const SHORT_KEY: &str = "short master key";
pub const JSON: &str = "JSON that is read";
pub const EQUAL_NAMES: &str = "equal names in an object";
pub const LONE_SURROGATE: &str = "lone surrogate";

/// Returns the first cells of the table of differences in the README.
fn rows() -> impl Iterator<Item = &'static str> {
    let readme = include_str!("../../../core/README.md");
    let (_, section) = readme.split_once("## Differences from the Python original").expect("a section");
    let table = section.lines().skip(1).take_while(|line| !line.starts_with('#'));
    table.filter_map(|line| Some(line.strip_prefix("| ")?.split_once(" | ")?.0))
}

#[derive(Default)]
pub struct Differences(BTreeMap<(&'static str, &'static str), usize>);

impl Differences {
    pub fn note(&mut self, row: &'static str, who: &'static str) {
        let count = self.0.entry((row, who)).or_insert_with(|| {
            assert!(rows().any(|other| other == row), "the README's table of differences has no row '{row}'");
            0
        });
        *count += 1;
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|((row, who), count)| write!(f, "\n    {row}, {who}: {count}"))
    }
}
