//! Differences that were met, by the README's names for them.
//! One that is no row of the table there ends the run, and so does a row that the README has lost.
//! Who differs is kept with it: Python, and here and there the fernet crate.

use std::collections::BTreeMap;
use std::fmt;

pub const BASE64: &str = "base64 of tokens";
pub const SALT: &str = "salt of a token";
pub const KEY: &str = "master key";
pub const SHORT_KEY: &str = "short master key";
pub const JSON: &str = "JSON that is read";
pub const EQUAL_NAMES: &str = "equal names in an object";
pub const LONE_SURROGATE: &str = "a lone surrogate";

/// The first cells of the README's table of differences.
fn rows() -> impl Iterator<Item = &'static str> {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("## Where it differs from the Python original").expect("a section");
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
