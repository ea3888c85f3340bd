//! The feature `compact`: whether small code and little stack are worth more than speed.
//!
//! Firmware turns it on. A bare-metal build without it works too: it keeps the fast paths (base64 and AES of several blocks at
//! once, batches of derivations), for 4 KiB more of flash to open a token, and 16 KiB more of flash and 13 KiB more of stack to
//! open a whole config, measured on a Cortex-M4. Results are the same either way, with two exceptions, which
//! [`Error`](crate::Error) (its size) and [`config::open`](crate::config::open) (its depth) document.

/// Whether the feature `compact` is on. Where types differ, `#[cfg(feature = "compact")]` stands instead.
pub(crate) const COMPACT: bool = cfg!(feature = "compact");
