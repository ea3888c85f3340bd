//! libfernseal: the C API, in the header's order. `include/fernseal.h` is made from this file.
//! Each function turns its pointers into slices (`pointer`), calls core, and returns a status (`status`).
//! What is decided is decided in core; what is unsafe is here.
#![cfg_attr(not(feature = "std"), no_std)]
// A C border is made of raw pointers. (Of the other crates only core has unsafe code, in its module kdf::simd.)
#![allow(unsafe_code)]
// The names are C's.
#![allow(non_camel_case_types)]
// With some features off, some of the helpers help nobody.
#![cfg_attr(not(all(feature = "open", feature = "seal", feature = "config")), allow(unused))]

mod panic;
mod pointer;
mod random;
mod status;

use core::ffi::{CStr, c_char, c_int, c_void};
use core::num::NonZeroU32;

#[cfg(feature = "config")]
use fernseal_core::config;
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::token::{self, Token};
use fernseal_core::{Error, Key, MasterKey, kdf};

use panic::guard;
use pointer::{Extent, input, input_one, output, output_one, text};
#[cfg(feature = "config")]
use pointer::{Wiped, fill_field};
use random::Random;
pub use random::fernseal_random_fn;
pub use status::*;

/// A master key: what the user holds. Wipe it when done: `fernseal_wipe`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fernseal_master_key {
    /// The key as HMAC uses it, whatever its length was.
    bytes: [u8; 64],
}

/// The key of one token, derived from a master key. As secret as that; wipe it when done.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fernseal_key {
    /// 16 bytes that sign, 16 that encrypt.
    bytes: [u8; 32],
}

/// A ProxmoxMCP config, opened: text that ends in a NUL, with the original's defaults where the config says nothing.
/// Wipe it when done.
#[cfg(feature = "config")]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fernseal_config {
    /// proxmox.host
    host: [c_char; 256],
    /// proxmox.service, or "PVE"
    service: [c_char; 64],
    /// auth.user
    user: [c_char; 256],
    /// auth.token_name
    token_name: [c_char; 256],
    /// auth.token_value
    token_value: [c_char; 512],
    /// logging.level, or "INFO"
    log_level: [c_char; 16],
    /// logging.format, or Python's date, name, level and message
    log_format: [c_char; 256],
    /// logging.file, or ""
    log_file: [c_char; 256],
    /// proxmox.port, or 8006
    port: u16,
    /// proxmox.verify_ssl, or true
    verify_ssl: bool,
}

#[cfg(feature = "config")]
impl fernseal_config {
    const EMPTY: Self = Self {
        host: [0; 256],
        service: [0; 64],
        user: [0; 256],
        token_name: [0; 256],
        token_value: [0; 512],
        log_level: [0; 16],
        log_format: [0; 256],
        log_file: [0; 256],
        port: 0,
        verify_ssl: false,
    };
}

#[cfg(feature = "config")]
impl zeroize::Zeroize for fernseal_config {
    fn zeroize(&mut self) {
        self.host.zeroize();
        self.service.zeroize();
        self.user.zeroize();
        self.token_name.zeroize();
        self.token_value.zeroize();
        self.log_level.zeroize();
        self.log_format.zeroize();
        self.log_file.zeroize();
        self.port.zeroize();
        self.verify_ssl.zeroize();
    }
}

/// A tick: called between slices of a derivation, about a hundred times in all, to feed a watchdog; non-zero cancels.
pub type fernseal_tick_fn = Option<unsafe extern "C" fn(ctx: *mut c_void) -> c_int>;

/// Iterations between two ticks.
const SLICE: u32 = kdf::ITERATIONS.get() / 100;

/* ---- The library ---- */

/// The library's version as a number: FERNSEAL_VERSION_NUMBER of the header that belongs to it.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_version_number() -> u32 {
    const VERSION: u32 = {
        const fn number(text: &str) -> u32 {
            let (mut value, mut at) = (0, 0);
            while at < text.len() {
                value = value * 10 + (text.as_bytes()[at] - b'0') as u32;
                at += 1;
            }
            value
        }
        let major = number(env!("CARGO_PKG_VERSION_MAJOR"));
        let minor = number(env!("CARGO_PKG_VERSION_MINOR"));
        major * 1_000_000 + minor * 1_000 + number(env!("CARGO_PKG_VERSION_PATCH"))
    };
    VERSION
}

/// The library's version as text: FERNSEAL_VERSION_STRING of the header that belongs to it.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_version_string() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version has no NUL"),
    };
    VERSION.as_ptr()
}

/// A few words for a status, for a log; never NULL, never to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_status_str(status: i32) -> *const c_char {
    status::words(status).as_ptr()
}

/// Zeroes `len` bytes in a way that the compiler may not remove: for keys and secrets that have served.
///
/// # Safety
/// `bytes` leads to `len` writable bytes; NULL only with length 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_wipe(bytes: *mut c_void, len: usize) {
    let mut used = 0;
    // SAFETY: the caller's promise is the same.
    if let Ok(output) = unsafe { output(bytes.cast::<u8>(), len, &raw mut used, &[]) } {
        output.wipe();
    }
}

/// The operating system's random source, to be handed to functions that want one; `ctx` is not used. Feature `std`.
///
/// # Safety
/// `buf` leads to `len` writable bytes; NULL only with length 0.
#[cfg(feature = "std")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_random_os(ctx: *mut c_void, buf: *mut u8, len: usize) -> c_int {
    let _ = ctx;
    let mut used = 0;
    let status = guard(|| {
        // SAFETY: the caller's promise is the same.
        unsafe { output(buf, len, &raw mut used, &[]) }?.bytes(|out| {
            getrandom::fill(out).map_err(|_| Error::RandomFailed)?;
            Ok(out)
        })
    });
    c_int::from(status != FERNSEAL_OK)
}

/* ---- Master keys ---- */

/// Reads a master key's text: base64url or base64 of one or more bytes, padded; white space around it is ignored.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_master_key_parse(
    out: *mut fernseal_master_key,
    text: *const c_char,
    len: usize,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller's promise is the same.
        let out = unsafe { output_one(out, fernseal_master_key { bytes: [0; 64] }, &[Extent::of(text, len)]) }?;
        // SAFETY: the caller's promise is the same.
        let text = unsafe { self::text(text, len, Error::KeyCharacter) }?;
        let master = MasterKey::from_text(text)?;
        out.bytes = *master.as_bytes();
        Ok(())
    })
}

/// Makes a new 32-byte master key and writes its text; `cap` is FERNSEAL_MASTER_KEY_CAP. Feature `seal`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "seal")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_master_key_generate(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    random: fernseal_random_fn,
    ctx: *mut c_void,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller's promise is the same.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &[])?, Random::new(random, ctx)) };
        out.text(|out| {
            let text = MasterKey::generate_text(&mut rng)?;
            let out = out.get_mut(..text.len()).ok_or(Error::BufferTooSmall)?;
            out.copy_from_slice(text.as_bytes());
            core::str::from_utf8(out).map_err(|_| Error::NotUtf8)
        })
    })
}

/* ---- Tokens ---- */

/// 1 if the text begins as a token does (`enc:`), otherwise 0.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_token_is_sealed(text: *const c_char, len: usize) -> c_int {
    // SAFETY: the caller's promise is the same.
    let bytes = unsafe { input(text.cast::<u8>(), len) };
    c_int::from(bytes.is_ok_and(|bytes| bytes.starts_with(token::PREFIX.as_bytes())))
}

/// The capacity that seals a secret of `plain_len` bytes into a token: FERNSEAL_TOKEN_SEAL_CAP.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_token_seal_cap(plain_len: usize) -> usize {
    token::token_len(plain_len).saturating_add(1)
}

/// The capacity that opens any token of `token_len` characters: FERNSEAL_TOKEN_OPEN_CAP.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_token_open_cap(token_len: usize) -> usize {
    token::open_len(token_len)
}

/// Seals a secret at `now` (Unix seconds) into a token with a salt of its own, at the cost of a derivation.
/// `cap` is FERNSEAL_TOKEN_SEAL_CAP(plain_len). Feature `seal`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "seal")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_token_seal(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    master: *const fernseal_master_key,
    plain: *const u8,
    plain_len: usize,
    now: u64,
    random: fernseal_random_fn,
    ctx: *mut c_void,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(master, 1), Extent::of(plain, plain_len)];
        // SAFETY: the caller's promise is the same.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller's promise is the same.
        let (master, plain) = unsafe { (master_key(master)?, input(plain, plain_len)?) };
        out.text(|out| token::seal(master, plain, now, &mut rng, out))
    })
}

/// Opens a token, at the cost of a derivation; `cap` is FERNSEAL_TOKEN_OPEN_CAP(token_len). Feature `open`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "open")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_token_open(
    out: *mut u8,
    cap: usize,
    out_len: *mut usize,
    master: *const fernseal_master_key,
    token: *const c_char,
    token_len: usize,
) -> fernseal_status {
    // SAFETY: the caller's promise is the same.
    unsafe { fernseal_token_open_any(out, cap, out_len, master, 1, token, token_len) }
}

/// As `fernseal_token_open`, with the first of `count` master keys that fits: the present one, then previous ones.
/// Feature `open`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "open")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_token_open_any(
    out: *mut u8,
    cap: usize,
    out_len: *mut usize,
    masters: *const fernseal_master_key,
    count: usize,
    token: *const c_char,
    token_len: usize,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(masters, count), Extent::of(token, token_len)];
        // SAFETY: the caller's promise is the same.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller's promise is the same.
        let (masters, token) = unsafe { (master_keys(masters, count)?, pointer::token(token, token_len)?) };
        out.bytes(|out| token::open_any(masters, token, out))
    })
}

/// Derives the key of a token, in slices between which `tick`, if not NULL, is called with `ctx`. Feature `open`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "open")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_derive(
    out: *mut fernseal_key,
    master: *const fernseal_master_key,
    token: *const c_char,
    token_len: usize,
    tick: fernseal_tick_fn,
    ctx: *mut c_void,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(master, 1), Extent::of(token, token_len)];
        // SAFETY: the caller's promise is the same.
        let out = unsafe { output_one(out, fernseal_key { bytes: [0; 32] }, &inputs) }?;
        // SAFETY: the caller's promise is the same.
        let (master, token) = unsafe { (master_key(master)?, pointer::token(token, token_len)?) };
        let parsed = Token::parse(token);
        // Looked at where it is: a copy takes 40 bytes of flash and of stack.
        let token = parsed.as_ref().map_err(|error| *error)?;
        let mut derivation = kdf::Derivation::new(master, token.salt(), kdf::ITERATIONS);
        while !derivation.advance(SLICE).is_done() {
            // SAFETY: the header's rule: `tick`, if not NULL, may be called with `ctx`.
            if tick.is_some_and(|tick| unsafe { tick(ctx) } != 0) {
                return Err(Failure::Cancelled);
            }
        }
        out.bytes = *derivation.finish().as_bytes();
        Ok(())
    })
}

/// Opens a token with the key that `fernseal_derive` made for it, at once; `cap` is FERNSEAL_TOKEN_OPEN_CAP(token_len).
/// Feature `open`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "open")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_token_open_with(
    out: *mut u8,
    cap: usize,
    out_len: *mut usize,
    key: *const fernseal_key,
    token: *const c_char,
    token_len: usize,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(key, 1), Extent::of(token, token_len)];
        // SAFETY: the caller's promise is the same.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller's promise is the same.
        let (key, token) = unsafe { (derived_key(key)?, pointer::token(token, token_len)?) };
        out.bytes(|out| token::open_with(key, token, out))
    })
}

/* ---- PBKDF2 and bare Fernet tokens ---- */

/// PBKDF2-HMAC-SHA256 (RFC 8018, section 5.2): fills all `out_len` bytes; `iterations` is at least 1.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_pbkdf2(
    out: *mut u8,
    out_len: usize,
    password: *const u8,
    password_len: usize,
    salt: *const u8,
    salt_len: usize,
    iterations: u32,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(password, password_len), Extent::of(salt, salt_len)];
        let mut used = 0;
        // SAFETY: the caller's promise is the same.
        let out = unsafe { output(out, out_len, &raw mut used, &inputs) }?;
        // SAFETY: the caller's promise is the same.
        let (password, salt) = unsafe { (input(password, password_len)?, input(salt, salt_len)?) };
        let iterations = NonZeroU32::new(iterations).ok_or(Failure::InvalidArgument)?;
        out.bytes(|out| {
            kdf::pbkdf2(password, salt, iterations, out);
            Ok(out)
        })
    })
}

/// The capacity that seals a secret of `plain_len` bytes into a Fernet token: FERNSEAL_FERNET_SEAL_CAP.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_fernet_seal_cap(plain_len: usize) -> usize {
    fernet::token_len(plain_len).saturating_add(1)
}

/// The capacity that opens any Fernet token of `token_len` characters: FERNSEAL_FERNET_OPEN_CAP.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_fernet_open_cap(token_len: usize) -> usize {
    fernet::open_len(token_len)
}

/// Seals a secret at `now` (Unix seconds) into a Fernet token; `key_text` is base64url of 32 bytes.
/// `cap` is FERNSEAL_FERNET_SEAL_CAP(plain_len). Feature `seal`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "seal")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_fernet_seal(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    key_text: *const c_char,
    key_len: usize,
    plain: *const u8,
    plain_len: usize,
    now: u64,
    random: fernseal_random_fn,
    ctx: *mut c_void,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(key_text, key_len), Extent::of(plain, plain_len)];
        // SAFETY: the caller's promise is the same.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller's promise is the same.
        let (key, plain) = unsafe { (text(key_text, key_len, Error::KeyCharacter)?, input(plain, plain_len)?) };
        let key = Key::from_text(key)?;
        out.text(|out| fernet::seal(&key, plain, now, &mut rng, out))
    })
}

/// Opens a Fernet token that is at most `ttl` seconds old at `now` (Unix seconds), or of any age if `ttl` is 0.
/// `cap` is FERNSEAL_FERNET_OPEN_CAP(token_len). Feature `open`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "open")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_fernet_open(
    out: *mut u8,
    cap: usize,
    out_len: *mut usize,
    key_text: *const c_char,
    key_len: usize,
    token: *const c_char,
    token_len: usize,
    now: u64,
    ttl: u64,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(key_text, key_len), Extent::of(token, token_len)];
        // SAFETY: the caller's promise is the same.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller's promise is the same.
        let (key, token) =
            unsafe { (text(key_text, key_len, Error::KeyCharacter)?, pointer::token(token, token_len)?) };
        let key = Key::from_text(key)?;
        let freshness = if ttl == 0 { Freshness::Any } else { Freshness::Within { now, ttl } };
        out.bytes(|out| fernet::open(&key, token, freshness, out))
    })
}

/* ---- Configs ---- */

/// Opens every token of a config, at the cost of a derivation each; all else stays byte for byte.
/// `cap` is `json_len` + 1, or more where secrets hold many characters that JSON escapes: 4 * `json_len` + 1 always does.
/// Feature `config`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "config")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_open(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    master: *const fernseal_master_key,
    json: *const c_char,
    json_len: usize,
) -> fernseal_status {
    // SAFETY: the caller's promise is the same.
    unsafe { fernseal_config_open_any(out, cap, out_len, master, 1, json, json_len) }
}

/// As `fernseal_config_open`, each token with the first of `count` master keys that fits. Feature `config`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "config")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_open_any(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    masters: *const fernseal_master_key,
    count: usize,
    json: *const c_char,
    json_len: usize,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(masters, count), Extent::of(json, json_len)];
        // SAFETY: the caller's promise is the same.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller's promise is the same.
        let (masters, json) = unsafe { (master_keys(masters, count)?, text(json, json_len, Error::InvalidJson)?) };
        out.text(|out| config::open(json, masters, out))
    })
}

/// The value at `pointer` ("/auth/token_value" or "auth.token_value"), opened if it is a token.
/// `cap` is the length of the value as it is written and a NUL: `json_len` + 1 always does. Feature `config`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "config")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_get(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    master: *const fernseal_master_key,
    json: *const c_char,
    json_len: usize,
    pointer: *const c_char,
    pointer_len: usize,
) -> fernseal_status {
    // SAFETY: the caller's promise is the same.
    unsafe { fernseal_config_get_any(out, cap, out_len, master, 1, json, json_len, pointer, pointer_len) }
}

/// As `fernseal_config_get`, with the first of `count` master keys that fits. Feature `config`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "config")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_get_any(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    masters: *const fernseal_master_key,
    count: usize,
    json: *const c_char,
    json_len: usize,
    pointer: *const c_char,
    pointer_len: usize,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(masters, count), Extent::of(json, json_len), Extent::of(pointer, pointer_len)];
        // SAFETY: the caller's promise is the same.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller's promise is the same.
        let (masters, json) = unsafe { (master_keys(masters, count)?, text(json, json_len, Error::InvalidJson)?) };
        // SAFETY: the caller's promise is the same.
        let pointer = unsafe { text(pointer, pointer_len, Error::InvalidPointer) }?;
        out.text(|out| config::get(json, pointer, masters, out))
    })
}

/// Seals the string at `pointer` at `now` (Unix seconds); a token or a placeholder (`${NAME}`) there stays.
/// `cap` is `json_len` + FERNSEAL_TOKEN_SEAL_CAP(the string's length). Features `config` and `seal`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(all(feature = "config", feature = "seal"))]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_seal(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    master: *const fernseal_master_key,
    json: *const c_char,
    json_len: usize,
    pointer: *const c_char,
    pointer_len: usize,
    now: u64,
    random: fernseal_random_fn,
    ctx: *mut c_void,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(master, 1), Extent::of(json, json_len), Extent::of(pointer, pointer_len)];
        // SAFETY: the caller's promise is the same.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller's promise is the same.
        let (master, json) = unsafe { (master_key(master)?, text(json, json_len, Error::InvalidJson)?) };
        // SAFETY: the caller's promise is the same.
        let pointer = unsafe { text(pointer, pointer_len, Error::InvalidPointer) }?;
        out.text(|out| config::seal(json, &[pointer], master, now, &mut rng, out))
    })
}

/// Seals the secret of every token of a config anew, opened with the first of `count` old master keys that fits, under
/// the new one at `now` (Unix seconds); all else stays byte for byte. Two derivations a token.
/// `cap` is `json_len` + 1, and 25 more for each token of the legacy form. Features `config` and `seal`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(all(feature = "config", feature = "seal"))]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_rotate(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    old_masters: *const fernseal_master_key,
    count: usize,
    new_master: *const fernseal_master_key,
    json: *const c_char,
    json_len: usize,
    now: u64,
    random: fernseal_random_fn,
    ctx: *mut c_void,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(old_masters, count), Extent::of(new_master, 1), Extent::of(json, json_len)];
        // SAFETY: the caller's promise is the same.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller's promise is the same.
        let (old, new) = unsafe { (master_keys(old_masters, count)?, master_key(new_master)?) };
        // SAFETY: the caller's promise is the same.
        let json = unsafe { text(json, json_len, Error::InvalidJson) }?;
        out.text(|out| config::rotate(json, old, new, now, &mut rng, out))
    })
}

/// Reads a ProxmoxMCP config, at most 16 levels deep, and opens the tokens among its fields with the first of `count`
/// master keys that fits (none are needed if nothing is sealed). A field that is too long is FERNSEAL_BUFFER_TOO_SMALL,
/// a token longer than its field too; one with a NUL in it is FERNSEAL_MALFORMED. Feature `config`.
///
/// # Safety
/// The rules on arguments at the top of the header.
#[cfg(feature = "config")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_read(
    out: *mut fernseal_config,
    masters: *const fernseal_master_key,
    count: usize,
    json: *const c_char,
    json_len: usize,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(masters, count), Extent::of(json, json_len)];
        // SAFETY: the caller's promise is the same.
        let mut out = Wiped::new(unsafe { output_one(out, fernseal_config::EMPTY, &inputs) }?);
        // SAFETY: the caller's promise is the same.
        let (masters, json) = unsafe { (master_keys(masters, count)?, text(json, json_len, Error::InvalidJson)?) };
        let config::Config { proxmox, auth, logging, .. } = config::Config::read(json)?;
        let fill = |field: &mut [c_char], text: config::Text<'_>| fill_field(field, |out| text.open(masters, out));
        fill(&mut out.host, proxmox.host)?;
        fill(&mut out.service, proxmox.service)?;
        fill(&mut out.user, auth.user)?;
        fill(&mut out.token_name, auth.token_name)?;
        fill(&mut out.token_value, auth.token_value)?;
        fill(&mut out.log_level, logging.level)?;
        fill(&mut out.log_format, logging.format)?;
        if let Some(file) = logging.file {
            fill(&mut out.log_file, file)?;
        }
        out.port = proxmox.port;
        out.verify_ssl = proxmox.verify_ssl;
        out.keep();
        Ok(())
    })
}

/// The key at `pointer`.
///
/// # Safety
/// As [`input_one`].
unsafe fn derived_key<'a>(pointer: *const fernseal_key) -> Result<&'a Key, Failure> {
    // SAFETY: the caller's promise, and the layout: both types are 32 bytes and nothing else (repr(C) around an array
    // here, repr(transparent) around one in core), and any bytes are a key.
    unsafe { input_one(pointer.cast::<Key>()) }
}

/// The master key at `pointer`.
///
/// # Safety
/// As [`input_one`].
unsafe fn master_key<'a>(pointer: *const fernseal_master_key) -> Result<&'a MasterKey, Failure> {
    // SAFETY: the caller's promise, and the layout, as for `master_keys`.
    unsafe { input_one(pointer.cast::<MasterKey>()) }
}

/// The `count` master keys at `pointer`.
///
/// # Safety
/// As [`input`].
unsafe fn master_keys<'a>(pointer: *const fernseal_master_key, count: usize) -> Result<&'a [MasterKey], Failure> {
    // SAFETY: the caller's promise, and the layout: both types are 64 bytes and nothing else (repr(C) around an array
    // here, repr(transparent) around one in core), and any bytes are a master key.
    unsafe { input(pointer.cast::<MasterKey>(), count) }
}
