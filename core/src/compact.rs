//! The feature `compact`, which prefers small code and little stack to speed.
//!
//! Firmware turns it on. It brings a SHA-256, an AES and a base64 of its own ([`sha256`](crate::sha256),
//! [`aes128`](crate::aes128), `base64::chars`). A bare-metal build without it works too, but it contains the fast paths: base64
//! and AES of several blocks at once, and batches of derivations. On a Cortex-M4 they cost 18 KiB more flash to open a token, and
//! 31 KiB more flash and 13 KiB more stack to open a whole config. Results are the same, with two exceptions: the size
//! of [`Error`](crate::Error), and the depth that [`config::open`](crate::config::open) accepts.

/// Whether the feature `compact` is on. Code tests this constant; only where types differ does it use `#[cfg]`.
pub(crate) const COMPACT: bool = cfg!(feature = "compact");

// Without this check, a build for a Cortex-M3 or later would silently be larger. ARMv7-M is detected by its 32-bit
// atomics.
#[cfg(all(
    feature = "compact",
    not(feature = "small-aes"),
    target_os = "none",
    target_arch = "arm",
    target_has_atomic = "32",
    not(any(cpubits = "16", cpubits = "32"))
))]
compile_error!(
    "the feature `compact` needs the flag --cfg cpubits=\"32\", without which AES takes 2 200 bytes more flash: build below \
     fernseal's own .cargo/config.toml without RUSTFLAGS, or add to yours: \
     [target.'cfg(target_os = \"none\")'] rustflags = [\"--cfg\", 'cpubits=\"32\"']"
);
