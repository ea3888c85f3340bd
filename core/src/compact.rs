//! The feature `compact`, which prefers small code and little stack to speed.
//!
//! Firmware turns it on. A bare-metal build without it works too, but it contains the fast paths: base64 and AES of
//! several blocks at once, and batches of derivations. On a Cortex-M4 they cost 4 KiB more flash to open a token, and
//! 16 KiB more flash and 13 KiB more stack to open a whole config. Results are the same, with two exceptions: the size
//! of [`Error`](crate::Error), and the depth that [`config::open`](crate::config::open) accepts.

/// Whether the feature `compact` is on. Code tests this constant; only where types differ does it use `#[cfg]`.
pub(crate) const COMPACT: bool = cfg!(feature = "compact");
