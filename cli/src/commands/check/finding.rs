//! One finding of `check`: the value, what is wrong with it, and what to do.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use fernseal_core::config::ValueKind;

use super::Likely;
use crate::config::findings::Why;
use crate::config::naming::LeafText;
use crate::config::pattern;
use crate::config::text::{Kind, Place, classify};
use crate::error::Flaw;
use crate::output::sarif::Region;
use crate::quote::{Pointer, quoted, quoted_path};

/// A value with a flaw. The type is small, because there may be many findings.
pub(in crate::commands) struct Finding {
    pub(super) file: Arc<File>,
    pub(in crate::commands) pointer: Pointer,
    pub(in crate::commands) flaw: Flaw,
    /// Why it is likely a secret, or how old it is.
    pub(super) reason: Option<Box<str>>,
    /// Its place in the text, if that is known and needed.
    pub(super) place: Option<Box<FoundAt>>,
}

/// The file of a finding.
pub(super) struct File {
    /// The path in the form for messages.
    pub(super) name: String,
    /// The path as the user can name it.
    pub(super) path: PathBuf,
}

/// The place of a finding in its text.
pub(super) enum FoundAt {
    /// In bytes, while the text is in memory.
    Bytes(Range<usize>),
    /// In lines and columns.
    Lines(Region),
}

impl Finding {
    /// Returns what is wrong, in a few words.
    pub(in crate::commands) fn what(&self) -> String {
        match &self.reason {
            Some(reason) if self.flaw.is_likely() => format!("likely: {reason}"),
            Some(reason) => format!("{}: {reason}", self.flaw.name()),
            None => self.flaw.name().to_owned(),
        }
    }

    /// Returns the command that fixes it, or other advice.
    pub(in crate::commands) fn next(&self) -> String {
        // An asterisk in a name is not a wildcard.
        let pointer = pattern::literal(&self.pointer);
        self.flaw.hint(&quoted_path(&self.file.path), &quoted(&*pointer))
    }

    pub(super) fn region(&self) -> Option<Region> {
        match self.place.as_deref()? {
            FoundAt::Lines(region) => Some(*region),
            FoundAt::Bytes(_) => None,
        }
    }

    pub(super) fn fails(&self, likely: Likely) -> bool {
        !self.flaw.is_likely() || likely == Likely::Fail
    }
}

/// Returns the flaw of a value that must be a secret, or `None` if it is as required.
pub(super) fn flaw_of(place: &Place<'_>) -> Option<Flaw> {
    match place.kind {
        Kind::String => (!place.is_empty_string() && classify(place) == ValueKind::Plain).then_some(Flaw::PlainString),
        Kind::Scalar => Some(Flaw::PlainScalar),
        Kind::Null => None,
        Kind::Map | Kind::List => Some(Flaw::Group),
    }
}

/// Returns the flaw of a leaf that is a secret for the reason `why`, or `None` if it is as required.
pub(super) fn flaw_of_leaf(LeafText { leaf, .. }: &LeafText<'_>, why: &Why) -> Option<Flaw> {
    match (why, leaf.place.kind) {
        (Why::Named(_), _) => flaw_of(&leaf.place),
        (Why::Likely(_), Kind::String) => match classify(&leaf.place) {
            ValueKind::Sealed | ValueKind::Lookalike => None,
            ValueKind::Plain | ValueKind::Placeholder => Some(Flaw::LikelyString),
        },
        (Why::Likely(_), Kind::Scalar) => Some(Flaw::LikelyScalar),
        (Why::Likely(_), Kind::Null | Kind::Map | Kind::List) => None,
    }
}
