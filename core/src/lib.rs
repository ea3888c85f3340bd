//! Fernet tokens, PBKDF2 and sealed JSON configs over fixed buffers.
//!
//! No standard library, no allocation, no clock, no environment: the caller hands in buffers, the time
//! ([`u64`] Unix seconds) and a random source ([`rand_core::TryCryptoRng`]), and gets back the used part of a buffer.
//! What lies behind the used part is zeroed; after an error, all of the buffer is.
//!
//! ```
//! use fernseal_core::{MasterKey, config};
//! use getrandom::SysRng; // or another random source of rand_core 0.10
//!
//! let text = r#"{"auth": {"user": "root@pam", "token_value": "my secret"}}"#;
//! let keys = [MasterKey::from_text(&MasterKey::generate(&mut SysRng)?)?];
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
//! | read a master key, make one, name one | [`MasterKey`], [`KeyId`] |
//! | open or seal the values of a config | [`config::open`], [`config::get`], [`config::seal`] |
//! | give a config a new master key | [`config::rotate`] |
//! | read the fields of a ProxmoxMCP config | [`config::Config`] |
//! | open or rotate the tokens in a text of any format | [`text::open`], [`text::rotate`], [`text::tokens`] |
//! | open or seal one `enc:` token | [`token::open`], [`token::seal`] |
//! | pay for the derivation once, or elsewhere | [`kdf::derive`], [`token::open_with`], [`token::seal_with`] |
//! | work with bare Fernet tokens | [`fernet`] |
//! | find the strings of a JSON text | [`json`] |
//! | overwrite the stack that keys were on | [`stack::wiped_after`] |
//!
//! The feature `typed` (on by default) brings [`config::Config`], and with it serde. `simd` (off) derives keys with the
//! processor's own instructions; it is the one part with unsafe code, and not for bare metal.
#![no_std]
// With `simd` one module, kdf/simd, may call processor instructions; without it nothing can.
#![cfg_attr(not(feature = "simd"), forbid(unsafe_code))]
#![cfg_attr(feature = "simd", deny(unsafe_code))]
#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod base64;
mod buffer;
pub mod config;
mod error;
pub mod fernet;
mod hmac;
pub mod json;
pub mod kdf;
mod key;
mod random;
pub mod stack;
pub mod text;
pub mod token;

pub use error::Error;
pub use key::{Key, KeyId, KeyText, MIN_SEALING_LEN, MasterKey};

/// Whether flash and stack are dear, and worth more than time.
const SMALL: bool = cfg!(target_os = "none");

/// The Rust examples of both READMEs are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../../README.md")]
struct Readme;
