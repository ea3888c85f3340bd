//! JSON texts (RFC 8259): finds values and their positions, so that a caller can read or replace a string without
//! changing anything else.
//!
//! The text is checked strictly; the only extension is that a byte order mark may precede it. No function recurses or
//! allocates, so a text may be nested [`MAX_DEPTH`] levels. A pointer is a JSON Pointer (RFC 6901) or names joined by
//! dots.
//!
//! | to | use |
//! |---|---|
//! | find the value at one pointer | [`find`] |
//! | go through all strings | [`strings`] |
//! | go through all values, with pointers | [`Walk`] |
//! | check that no name on the path to a value occurs twice | [`find_duplicate`] |
//! | unescape and escape the contents of a string | [`unescape`], [`escape`] |

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
pub(crate) use text::{same_unescaped, unescaped_eq};
pub use values::{PointerTo, Strings, Value, find, root, strings};
pub use walk::{Level, PathHash, Walk, find_duplicate};
