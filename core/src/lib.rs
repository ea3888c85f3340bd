//! Fernet tokens, PBKDF2 and sealed JSON configs over fixed buffers.
//!
//! No standard library, no allocation, no clock, no environment: the caller hands in buffers, the time
//! ([`u64`] Unix seconds) and a random source ([`rand_core::TryCryptoRng`]), and gets back the used part of a buffer.
//! What lies behind the used part is zeroed; after an error, all of the buffer is.
//!
//! | to | use |
//! |---|---|
//! | read a master key, make one, name one | [`MasterKey`], [`KeyId`] |
//! | open or seal the values of a config | [`config::open`], [`config::get`], [`config::seal`] |
//! | give a config a new master key | [`config::rotate`] |
//! | read the fields of a ProxmoxMCP config | [`config::Config`] |
//! | open or seal one `enc:` token | [`token::open`], [`token::seal`] |
//! | pay for the derivation once, or elsewhere | [`kdf::derive`], [`token::open_with`], [`token::seal_with`] |
//! | work with bare Fernet tokens | [`fernet`] |
//! | find the strings of a JSON text | [`json`] |
//! | overwrite the stack that keys were on | [`stack::wiped_after`] |
//!
//! ```
//! use fernseal_core::{Error, MasterKey, token};
//! use rand_core::TryCryptoRng;
//!
//! const SECRET: &[u8] = b"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
//! const TOKEN_LEN: usize = token::token_len(SECRET.len());
//!
//! fn seal_and_open(now: u64, rng: &mut impl TryCryptoRng) -> Result<(), Error> {
//!     let master = MasterKey::from_text(&MasterKey::generate(rng)?)?;
//!     let (mut sealed, mut opened) = ([0; TOKEN_LEN], [0; token::open_len(TOKEN_LEN)]);
//!     let token = token::seal(&master, SECRET, now, rng, &mut sealed)?;
//!     assert_eq!(token::open(&master, token, &mut opened)?, SECRET);
//!     Ok(())
//! }
//! ```
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
pub mod token;

pub use error::Error;
pub use key::{Key, KeyId, KeyText, MIN_SEALING_LEN, MasterKey};

/// Whether flash and stack are dear, and worth more than time.
const SMALL: bool = cfg!(target_os = "none");

/// The README's Rust is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
