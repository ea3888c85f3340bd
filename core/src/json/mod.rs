//! Where the strings of a JSON text lie, so that one can be read or replaced and nothing else changes.
//! Strict to RFC 8259 (a byte order mark is let pass), without recursion, without allocation: a bit per
//! open level, and at most [`MAX_DEPTH`] levels. Pointers are JSON Pointers (RFC 6901), or names joined by dots.

mod pointer;
mod scan;
mod text;
mod values;
mod walk;

pub use pointer::write_step;
pub use scan::{Event, Events, Kind, MAX_DEPTH};
pub(crate) use text::{Unescape, escape_in_place, unescape_into};
pub use text::{escape, escaped_len, unescape};
#[cfg(feature = "typed")]
pub(crate) use text::{same_text, says};
pub use values::{PointerTo, Strings, Value, find, root, strings};
pub use walk::{Level, Path, Walk, find_duplicate};
