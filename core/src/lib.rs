//! Fernet tokens, PBKDF2 and sealed JSON configs over fixed buffers.
//!
//! The crate uses no standard library, allocation, clock or environment. The caller passes buffers, the time (Unix seconds as
//! [`u64`]) and a random source ([`rand_core::TryCryptoRng`]), and gets back the used part of a buffer. The unused rest of the
//! buffer is zeroed; on error, the whole buffer.
//!
//! ```
//! use fernseal_core::{MasterKey, config};
//! use getrandom::SysRng; // or another random source of rand_core 0.10
//!
//! let text = r#"{"auth": {"user": "root@pam", "token_value": "my secret"}}"#;
//! let keys = [MasterKey::from_text(&MasterKey::generate_text(&mut SysRng)?)?];
//! let now = 1_764_000_000;
//!
//! let mut sealed = [0; 512];
//! let sealed = config::seal(text, &["/auth/token_value"], &keys[0], now, &mut SysRng, &mut sealed)?;
//! assert!(sealed.contains("\"enc:") && !sealed.contains("my secret"));
//!
//! let mut secret = [0; 256]; // as long as the token at least
//! assert_eq!(config::get(sealed, "/auth/token_value", &keys, &mut secret)?, "my secret");
//! # Ok::<(), fernseal_core::Error>(())
//! ```
//!
//! | to | use |
//! |---|---|
//! | read, generate or name a master key | [`MasterKey`], [`KeyId`] |
//! | open or seal the values of a config | [`config::open`], [`config::get`], [`config::seal`] |
//! | seal a config with a new master key | [`config::rotate`] |
//! | read the fields of a ProxmoxMCP config | [`config::Config`] |
//! | open or rotate the tokens in a text of any format | [`text::open`], [`text::rotate`], [`text::tokens`] |
//! | open or seal one `enc:` token | [`token::open`], [`token::seal`] |
//! | derive a key separately from opening or sealing | [`token::KeyParams`], [`token::open_with`], [`token::seal_with`] |
//! | open or seal plain Fernet tokens | [`fernet`] |
//! | find the values of a JSON text | [`json`] |
//! | wipe the stack after work with keys | [`stack::wiped_after`] |
//!
//! | feature | default | effect |
//! |---|---|---|
//! | `typed` | on | adds [`config::Config`], and with it serde |
//! | `simd` | off | derives keys with vector and SHA instructions of the CPU; the only unsafe code; not for bare metal |
//! | `jsonc` | off | adds [`json::Events::relaxed`], which reads JSON with comments; not for bare metal |
//! | `compact` | off | chooses small code and little stack instead of speed, for microcontrollers |
//! | `small-aes` | off | with `compact`: AES of our own, in 1.4 to 1.7 KB less of flash and four times as slow |
//! | `fast` | off | with `compact`: derives in 11 to 13 % fewer instructions, for 290 to 410 bytes of flash |
//!
//! A build for bare metal does not turn `compact` on automatically. Without it, the whole crate works too, but on a Cortex-M4
//! opening a token takes 18 KiB more flash, and opening a whole config 31 KiB more flash and 13 KiB more stack.
#![no_std]
// With `simd`, only the module kdf/simd may contain unsafe code, for CPU instructions. Without it, no module may.
#![cfg_attr(not(feature = "simd"), forbid(unsafe_code))]
#![cfg_attr(feature = "simd", deny(unsafe_code))]
#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod aes128;
mod base64;
mod buffer;
mod compact;
pub mod config;
mod error;
pub mod fernet;
pub mod json;
pub mod kdf;
mod key;
mod key_id;
mod mac;
mod random;
mod sha256;
pub mod stack;
pub mod text;
pub mod token;

pub use error::Error;
pub use key::{Key, KeyText, MIN_SEALING_LEN, MasterKey};
pub use key_id::KeyId;

/// The Rust examples of both READMEs are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../../README.md")]
struct Readme;
