//! JSON texts (RFC 8259): finds values and their places, so that a string can be read or replaced and nothing else changes.
//!
//! A text is checked strictly; only a byte order mark before it is accepted. Nothing here recurses or allocates, so a text may be
//! nested [`MAX_DEPTH`] levels. Pointers are JSON Pointers (RFC 6901) or names joined by dots.
//!
//! | to | use |
//! |---|---|
//! | find the value at one pointer | [`find`] |
//! | go through all strings | [`strings`] |
//! | go through everything, with pointers | [`Walk`] |
//! | check that no name occurs twice on the way to some values | [`find_duplicate`] |
//! | read and write the inside of a string | [`unescape`], [`escape`] |

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
