//! AES-128-CBC for microcontrollers (FIPS 197, SP 800-38A), in a build with the feature `compact`. There are two versions,
//! and a build contains one:
//!
//! - [`crate_round`] takes the round of AES from the crate `aes`, and adds the key schedule and the inverse cipher.
//! - [`computed`], with the feature `small-aes`, is AES of our own. It takes 1.4 to 1.7 KB less of flash, and four times as
//!   long for each block.
//!
//! The tests compare both with the cipher of the crate. Nothing in them branches or indexes on data.

#[cfg(any(feature = "small-aes", test))]
mod computed;
#[cfg(any(not(feature = "small-aes"), test))]
mod crate_round;

#[cfg(feature = "small-aes")]
pub(crate) use computed::{decrypt, encrypt};
#[cfg(not(feature = "small-aes"))]
pub(crate) use crate_round::{decrypt, encrypt};
