//! Names of values in configs: a pointer leads to one value, and a pattern matches any number of values.
//!
//! They differ in cost and in meaning. A pointer is looked up, may lead to an object, and detects a name that occurs
//! twice. A pattern is matched against every string and scalar.

use std::cell::Cell;

use super::findings::{self, KIND, Which, Why};
use super::pattern::{InvalidPattern, Pattern, Patterns};
use super::text::{ConfigText, Kind, Leaf, Unescaped};
use crate::error::{ConfigFailure, Result, UsageFailure};
use crate::quote::Pointer;

/// A pointer as the user wrote it, and in the form of RFC 6901.
#[derive(Debug, Clone)]
pub(crate) struct NamedPointer {
    pub(crate) written: Pointer,
    pub(crate) exact: String,
}

/// The pointers and patterns in a settings file or on a command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamedValues {
    pub(crate) pointers: Vec<NamedPointer>,
    pub(crate) patterns: Patterns,
}

impl NamedValues {
    pub(crate) fn parse(texts: &[Pointer]) -> std::result::Result<Self, InvalidPattern> {
        let (mut pointers, mut patterns) = (Vec::new(), Vec::new());
        for text in texts {
            let pattern = Pattern::parse(text)?;
            match pattern.pointer() {
                Some(exact) => pointers.push(NamedPointer { written: text.clone(), exact }),
                None => patterns.push(pattern),
            }
        }
        Ok(Self { pointers, patterns: Patterns::new(patterns) })
    }

    /// Parses the values of `option` on the command line.
    pub(crate) fn of_option(option: &'static str, texts: &[Pointer]) -> Result<Self> {
        let invalid =
            |error: InvalidPattern| UsageFailure::NotAPattern { option, text: error.text.into(), flaw: error.flaw };
        Ok(Self::parse(texts).map_err(invalid)?)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pointers.is_empty() && self.patterns.is_empty()
    }
}

/// A string or scalar of a config, with its text.
pub(crate) struct LeafText<'d> {
    pub(crate) leaf: Leaf<'d>,
    text: Unescaped<'d>,
}

impl findings::JudgedLeaf for LeafText<'_> {
    fn pointer(&self) -> &str {
        &self.leaf.pointer
    }

    fn value(&self) -> &str {
        &self.text
    }
}

/// Finds the leaves of `document` that patterns name or that are likely secrets; see [`findings::find`].
///
/// # Errors
/// Fails if long names are above many values: the pointers would take many times the size of the text.
pub(crate) fn find_leaves<'d>(
    document: &'d ConfigText,
    secrets: &mut [Patterns],
    ignored: Option<&mut Patterns>,
    mut found: impl FnMut(&LeafText<'d>, Why),
) -> Result<()> {
    let is_too_long = Cell::new(false);
    let is_too_long = &is_too_long;
    // Without patterns, only strings and long numbers can be secrets.
    let all = secrets.iter().any(|patterns| !patterns.is_empty());
    let leaves = |which: Which| {
        let mut room = document.text.len().saturating_mul(4) + (1 << 20);
        let is_wanted: fn(Kind, &str) -> bool = match which {
            Which::Strings => |kind, _| kind == Kind::String,
            Which::Kinds => |kind, text| kind == Kind::String && text == KIND,
            Which::All if all => |_, _| true,
            Which::All => |kind, text| kind == Kind::String || kind == Kind::Scalar && text.len() >= 8,
        };
        document.leaves_where(is_wanted).map_while(move |leaf| {
            is_too_long.set(is_too_long.get() || leaf.pointer.len() > room);
            room = room.saturating_sub(leaf.pointer.len());
            // If readers disagree on the text, the source text is checked.
            let written = || document.text[leaf.place.spot.span.clone()].trim_matches(['"', '\'']);
            let text = leaf.place.text().unwrap_or_else(|_| Unescaped::AsWritten(written()));
            (!is_too_long.get()).then_some(LeafText { leaf, text })
        })
    };
    findings::find(leaves, secrets, ignored, |leaf, why| found(leaf, why));
    match is_too_long.get() {
        true => Err(ConfigFailure::LongNames { config: document.path.clone() }.into()),
        false => Ok(()),
    }
}
