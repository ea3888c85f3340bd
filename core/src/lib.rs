#![doc = "work in progress"]
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod error;
pub mod kdf;
mod key;

pub use error::Error;
pub use key::{Key, KeyId, KeyText, MasterKey};

/// JSON
pub mod json {
    /// depth
    pub const MAX_DEPTH: usize = 1024;
}
