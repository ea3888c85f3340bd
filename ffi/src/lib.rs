//! libfernseal, the C API of Fernseal, in the order of the header. `include/fernseal.h` is generated from this file,
//! `status` and `panic`.
//!
//! Each function turns its pointers into slices (`pointer`), calls core, and returns a status (`status`). It decides
//! nothing about tokens or configs; core does that. To add a function, write it here, test it in `tests/c/functions.c`
//! and `tests/c/rules.c`, and regenerate the header with the command in `cbindgen.toml`.
#![cfg_attr(not(feature = "std"), no_std)]
// A C API passes raw pointers, so this crate needs unsafe code. Among the other crates only core has any, in its module
// kdf::simd.
#![allow(unsafe_code)]
// The types have the names of the C API.
#![allow(non_camel_case_types)]
// Some helpers are unused in a build without all features.
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
use fernseal_core::kdf::{Pace, Salt};
use fernseal_core::token::{self, Cost, Format, KeyParams, Token};
use fernseal_core::{Error, Key, KeyId, MasterKey, kdf};
use zeroize::Zeroize;

use panic::guard;
use pointer::{Extent, input, input_one, output, output_many, output_one, text};
#[cfg(feature = "config")]
use pointer::{Wiped, fill_field};
use random::Random;
pub use random::fernseal_random_fn;
pub use status::*;

/// A master key: the key that the user holds. Wipe it after use with `fernseal_wipe`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fernseal_master_key {
    /// The key in the form that HMAC uses: 64 bytes, whatever the length of its text.
    bytes: [u8; 64],
}

/// The key of one token, derived from a master key. It is as secret as the master key; wipe it after use.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fernseal_key {
    /// 16 bytes that sign, then 16 bytes that encrypt.
    bytes: [u8; 32],
}

/// A derivation that runs in slices, between which a device feeds its watchdog or does other work. It contains secrets:
/// `fernseal_derivation_finish` wipes it. If you abandon it, call `fernseal_wipe`. It may be copied and moved.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fernseal_derivation {
    /// Opaque. Two words are reserved.
    words: [u32; 36],
}

const _: () = assert!(size_of::<fernseal_derivation>() >= size_of::<kdf::Derivation>());

/// An opened ProxmoxMCP config. Each text ends in a NUL. A field that the config lacks has the default of the Python
/// original. Wipe it after use with `fernseal_wipe`. Within a SONAME it may grow at its end, so pass its size to
/// `fernseal_config_read`.
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
    /// logging.format, or date, name, level and message
    log_format: [c_char; 256],
    /// logging.file, or ""
    log_file: [c_char; 256],
    /// proxmox.port, or 8006
    port: u16,
    /// proxmox.verify_ssl, or true
    verify_ssl: bool,
    /// Zero. A later version puts new fields after it.
    reserved: [u8; 5],
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
        self.reserved.zeroize();
    }
}

/// A function that is called during a derivation. It returns 0 to continue and any other value to cancel.
pub type fernseal_tick_fn = Option<unsafe extern "C" fn(ctx: *mut c_void) -> c_int>;

/// What runs during derivations, for example to feed a watchdog, to let other tasks run, or to cancel. Functions that derive
/// take a pointer to it as their last argument, which may be NULL.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fernseal_tick {
    /// Called with `ctx` before each slice of a derivation, including the first.
    pub call: fernseal_tick_fn,
    /// Is passed to `call`.
    pub ctx: *mut c_void,
    /// The number of iterations in a slice; 0 stands for 1 000. On a Cortex-M0 at 48 MHz, 250 take 65 ms. If several
    /// derivations run together, this is the number for each.
    pub distance: u32,
}

impl Pace for fernseal_tick {
    fn next_slice(&self) -> Option<NonZeroU32> {
        const DISTANCE: NonZeroU32 = NonZeroU32::new(1_000).unwrap();
        let Some(call) = self.call else { return Some(NonZeroU32::MAX) };
        // SAFETY: the header requires that `call` may be called with `ctx`.
        if unsafe { call(self.ctx) } == 0 { Some(NonZeroU32::new(self.distance).unwrap_or(DISTANCE)) } else { None }
    }
}

/// The compression function of SHA-256 (FIPS 180-4, section 6.2.2), as a chip computes it: hashes the 64 bytes of `block` into
/// the eight words of `state`.
pub type fernseal_compress_fn = Option<unsafe extern "C" fn(ctx: *mut c_void, state: *mut u32, block: *const u8)>;

/* ---- The library ---- */

/// Returns the version of the library as a number. FERNSEAL_VERSION_NUMBER is that of the header.
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

/// Returns the version of the library as text. FERNSEAL_VERSION_STRING is that of the header.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_version_string() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version has no NUL"),
    };
    VERSION.as_ptr()
}

/// Returns the size of a `fernseal_master_key` in bytes, for languages that cannot read this header. The next three
/// functions have the same purpose.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_master_key_size() -> usize {
    size_of::<fernseal_master_key>()
}

/// Returns the size of a `fernseal_key` in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_key_size() -> usize {
    size_of::<fernseal_key>()
}

/// Returns the size of a `fernseal_derivation` in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_derivation_size() -> usize {
    size_of::<fernseal_derivation>()
}

/// Returns the size of a `fernseal_config` in bytes. Feature `config`.
#[cfg(feature = "config")]
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_config_size() -> usize {
    size_of::<fernseal_config>()
}

/// Returns FERNSEAL_MASTER_KEY_CAP.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_master_key_cap() -> usize {
    45
}

/// Returns a short description of a status, for logs. It is never NULL and must not be freed.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_status_str(status: i32) -> *const c_char {
    status::words(status).as_ptr()
}

/// Zeroes `len` bytes in a way that the compiler cannot remove. Use it on keys and secrets after use.
///
/// # Safety
/// `bytes` points to `len` writable bytes, or is NULL and `len` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_wipe(bytes: *mut c_void, len: usize) {
    let mut used = 0;
    // SAFETY: the caller ensures it, see # Safety.
    if let Ok(output) = unsafe { output(bytes.cast::<u8>(), len, &raw mut used, &[]) } {
        output.wipe();
    }
}

/// Fills `buf` from the operating system's random source. Returns 0, or another value on failure. It is a
/// `fernseal_random_fn` and ignores `ctx`. Feature `os`.
///
/// # Safety
/// `buf` points to `len` writable bytes, or is NULL and `len` is 0.
#[cfg(feature = "os")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_random_os(ctx: *mut c_void, buf: *mut u8, len: usize) -> c_int {
    let _ = ctx;
    let mut used = 0;
    let status = guard(|| {
        let enough = || len;
        // SAFETY: the caller ensures it, see # Safety.
        unsafe { output(buf, len, &raw mut used, &[]) }?.bytes(enough, |out| {
            getrandom::fill(out).map_err(|_| Error::RandomFailed)?;
            Ok(out)
        })
    });
    c_int::from(status != FERNSEAL_OK)
}

/* ---- Master keys ---- */

/// Reads the text of a master key: padded base64url or base64 of one or more bytes. Whitespace around it is ignored.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_master_key_parse(
    out: *mut fernseal_master_key,
    text: *const c_char,
    len: usize,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output_one(out, fernseal_master_key { bytes: [0; 64] }, &[Extent::of(text, len)]) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let text = unsafe { self::text(text, len, Error::KeyCharacter) }?;
        let master = MasterKey::from_text(text)?;
        out.bytes = *master.as_bytes();
        Ok(())
    })
}

/// Generates a 32-byte master key and writes its text. `cap` is at least FERNSEAL_MASTER_KEY_CAP. Feature `seal`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
        // SAFETY: the caller ensures it, see # Safety.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &[])?, Random::new(random, ctx)) };
        let enough = || fernseal_master_key_cap();
        out.text(enough, |out| {
            let text = MasterKey::generate_text(&mut rng)?;
            let out = out.get_mut(..text.len()).ok_or(Error::BufferTooSmall)?;
            out.copy_from_slice(text.as_bytes());
            core::str::from_utf8(out).map_err(|_| Error::NotUtf8)
        })
    })
}

/// Writes the public ID of a master key: 8 hex digits, as the command shows it. Costs a derivation. `cap` is at least
/// FERNSEAL_KEY_ID_CAP.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_master_key_id(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    master: *const fernseal_master_key,
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, cap, out_len, &[Extent::of(master, 1), Extent::of(tick, 1)]) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (master, pace) = unsafe { (master_key(master)?, pace(tick)?) };
        let enough = || 9; // FERNSEAL_KEY_ID_CAP
        out.text(enough, |out| {
            let out = out.get_mut(..8).ok_or(Error::BufferTooSmall)?;
            let mut key = Key::from_bytes(&[0; 32]);
            kdf::derive_in_slices(master, KeyId::LABEL, KeyId::ITERATIONS, pace, &mut key)?;
            let digits = key.as_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]);
            out.iter_mut()
                .zip(digits)
                .for_each(|(slot, digit)| *slot = digit + if digit < 10 { b'0' } else { b'a' - 10 });
            core::str::from_utf8(out).map_err(|_| Error::NotUtf8)
        })
    })
}

/* ---- Tokens ---- */

/// Returns 1 if the text begins with `enc:`, as tokens do, otherwise 0.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_token_is_sealed(text: *const c_char, len: usize) -> c_int {
    // SAFETY: the caller ensures it, see # Safety.
    let bytes = unsafe { input(text.cast::<u8>(), len) };
    c_int::from(bytes.is_ok_and(|bytes| bytes.starts_with(token::PREFIX.as_bytes())))
}

/// Returns the capacity for the token of a secret of `plain_len` bytes: FERNSEAL_TOKEN_SEAL_CAP.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_token_seal_cap(plain_len: usize) -> usize {
    token::token_len(plain_len).saturating_add(1)
}

/// Returns the capacity for the secret of any token of `token_len` characters: FERNSEAL_TOKEN_OPEN_CAP.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_token_open_cap(token_len: usize) -> usize {
    token::open_len(token_len)
}

/// Seals a secret as a token with a new salt. `now` is the time in Unix seconds. Costs a derivation.
/// `cap` is at least FERNSEAL_TOKEN_SEAL_CAP(plain_len). Feature `seal`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(master, 1), Extent::of(plain, plain_len), Extent::of(tick, 1)];
        // SAFETY: the caller ensures it, see # Safety.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller ensures it, see # Safety.
        let (master, plain, pace) = unsafe { (master_key(master)?, input(plain, plain_len)?, pace(tick)?) };
        let enough = || fernseal_token_seal_cap(plain.len());
        out.text(enough, |out| token::seal_in_slices(master, plain, now, &mut rng, pace, out))
    })
}

/// Seals a secret as a token with a key that was derived from the 16 bytes of `salt`, which `fernseal_token_salt` returns.
/// Takes microseconds. `cap` is at least FERNSEAL_TOKEN_SEAL_CAP(plain_len). Feature `seal`.
///
/// # Safety
/// The arguments follow the rules at the top of the header. `salt` has FERNSEAL_SALT_LEN bytes.
#[cfg(feature = "seal")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_token_seal_with(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    key: *const fernseal_key,
    salt: *const u8,
    plain: *const u8,
    plain_len: usize,
    now: u64,
    random: fernseal_random_fn,
    ctx: *mut c_void,
) -> fernseal_status {
    guard(|| {
        let salt = salt.cast::<Salt>();
        let inputs = [Extent::of(key, 1), Extent::of(salt, 1), Extent::of(plain, plain_len)];
        // SAFETY: the caller ensures it, see # Safety.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller ensures it, see # Safety.
        let (key, salt, plain) = unsafe { (derived_key(key)?, input_one(salt)?, input(plain, plain_len)?) };
        let enough = || fernseal_token_seal_cap(plain.len());
        out.text(enough, |out| token::seal_with(key, &Format::Salted(*salt), plain, now, &mut rng, out))
    })
}

/// Opens a token. Costs a derivation. `cap` is at least FERNSEAL_TOKEN_OPEN_CAP(token_len). Feature `open`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    // SAFETY: the caller ensures it, see # Safety.
    unsafe { fernseal_token_open_any(out, cap, out_len, master, 1, token, token_len, tick) }
}

/// Opens a token as `fernseal_token_open` does, with the first of `count` master keys that sealed it: the current key, then
/// previous ones. Costs a derivation for each key that is tried. Feature `open`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(masters, count), Extent::of(token, token_len), Extent::of(tick, 1)];
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (masters, token, pace) =
            unsafe { (master_keys(masters, count)?, pointer::token(token, token_len)?, pace(tick)?) };
        let enough = || fernseal_token_open_cap(token.len());
        out.bytes(enough, |out| token::open_any_in_slices(masters, token, pace, out))
    })
}

/// Derives the key of a token. Feature `open`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[cfg(feature = "open")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_derive(
    out: *mut fernseal_key,
    master: *const fernseal_master_key,
    token: *const c_char,
    token_len: usize,
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(master, 1), Extent::of(token, token_len), Extent::of(tick, 1)];
        // SAFETY: the caller ensures it, see # Safety. The layouts match, as for `derived_key`.
        let out = unsafe { output_one(out.cast::<Key>(), Key::from_bytes(&[0; 32]), &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (master, token, pace) = unsafe { (master_key(master)?, pointer::token(token, token_len)?, pace(tick)?) };
        let parsed = Token::parse(token);
        // Borrowed: moving it out of the result takes 40 bytes of flash and of stack.
        let token = parsed.as_ref().map_err(|error| *error)?;
        Ok(token.key_params().derive_in_slices(master, pace, out)?)
    })
}

/// Derives the keys of `count` tokens together, with the processor's vector instructions: on a server this takes a
/// fraction of the time of `count` calls. Key i is derived from master key i and from the 16 bytes at `salts` + 16 * i, which
/// `fernseal_token_salt` returns. If `master_count` is 1, that master key is used for all; otherwise it equals `count`.
///
/// # Safety
/// The arguments follow the rules at the top of the header. `out` has `count` elements, and `salts` has 16 * `count` bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_derive_many(
    out: *mut fernseal_key,
    count: usize,
    masters: *const fernseal_master_key,
    master_count: usize,
    salts: *const u8,
    tick: *const fernseal_tick,
) -> fernseal_status {
    /// The jobs that core is given at a time. It runs as many together.
    const BATCH: usize = 32;
    guard(|| {
        let salts = salts.cast::<Salt>();
        let inputs = [Extent::of(masters, master_count), Extent::of(salts, count), Extent::of(tick, 1)];
        // SAFETY: the caller ensures it, see # Safety. The layouts match, as for `derived_key`.
        let out = unsafe { output_many(out.cast::<Key>(), count, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (masters, salts, pace) =
            unsafe { (master_keys(masters, master_count)?, input(salts, count)?, pace(tick)?) };
        let next_master = usize::from(master_count > 1);
        if count > 0 && master_count != 1 && master_count != count {
            return Err(CallError::InvalidArgument);
        }
        let mut jobs = salts.iter().enumerate().filter_map(|(at, salt)| {
            Some(KeyParams { salt, cost: Cost::Standard }.job(masters.get(at * next_master)?))
        });
        let mut done = 0;
        while let Some(first) = jobs.next() {
            let mut batch = [first; BATCH];
            let mut len = 1;
            for (slot, job) in batch.iter_mut().skip(1).zip(jobs.by_ref().take(BATCH - 1)) {
                *slot = job;
                len += 1;
            }
            let part = out.get_mut(done..done + len).ok_or(CallError::InvalidArgument)?;
            if let Err(error) = kdf::derive_many_in_slices(batch.split_at(len).0, part, pace) {
                out.iter_mut().for_each(Zeroize::zeroize);
                return Err(error.into());
            }
            done += len;
        }
        Ok(())
    })
}

/// Begins to derive a key from a salt of any length, as `fernseal_token_salt` returns it. Runs the first of the 100 000
/// iterations.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_derivation_begin(
    out: *mut fernseal_derivation,
    master: *const fernseal_master_key,
    salt: *const u8,
    salt_len: usize,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(master, 1), Extent::of(salt, salt_len)];
        // SAFETY: the caller ensures it, see # Safety.
        unsafe { output_one(out, fernseal_derivation { words: [0; 36] }, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (master, salt) = unsafe { (master_key(master)?, input(salt, salt_len)?) };
        // SAFETY: `out` was checked above, and `derivation` says why the layouts match.
        unsafe { out.cast::<kdf::Derivation>().write(kdf::Derivation::new(master, salt, Cost::Standard.iterations())) };
        Ok(())
    })
}

/// Runs up to `iterations` more iterations and sets `left` to the number that remain. On a Cortex-M0 at 48 MHz, 250
/// take 65 ms. When `left` is 0, call `fernseal_derivation_finish`.
///
/// # Safety
/// The arguments follow the rules at the top of the header. The derivation was begun.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_derivation_advance(
    left: *mut u32,
    derivation: *mut fernseal_derivation,
    iterations: u32,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller ensures it, see # Safety.
        let left = unsafe { output_one(left, 0, &[Extent::of(derivation, 1)]) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let progress = unsafe { self::derivation(derivation) }?.advance(iterations);
        *left = progress.total.saturating_sub(progress.done);
        Ok(())
    })
}

/// Runs iterations as `fernseal_derivation_advance` does, with the SHA-256 of a chip: `compress` is called twice for
/// each iteration, with `ctx`. If `compress` is wrong, the key is wrong, and opening a token with it returns
/// FERNSEAL_UNAUTHENTIC.
///
/// # Safety
/// The arguments follow the rules at the top of the header. The derivation was begun.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_derivation_advance_with(
    left: *mut u32,
    derivation: *mut fernseal_derivation,
    iterations: u32,
    compress: fernseal_compress_fn,
    ctx: *mut c_void,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller ensures it, see # Safety.
        let left = unsafe { output_one(left, 0, &[Extent::of(derivation, 1)]) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let derivation = unsafe { self::derivation(derivation) }?;
        let compress = compress.ok_or(CallError::InvalidArgument)?;
        let progress = derivation.advance_with(iterations, &mut |state, block| {
            // SAFETY: the header requires that `compress` may be called with `ctx`, a state and a block.
            unsafe { compress(ctx, state.as_mut_ptr(), block.as_ptr()) }
        });
        *left = progress.total.saturating_sub(progress.done);
        Ok(())
    })
}

/// Returns the key of a finished derivation, and wipes the derivation. If iterations are left, or if the derivation was
/// never begun, the function returns FERNSEAL_INVALID_ARGUMENT and leaves the derivation unchanged.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_derivation_finish(
    out: *mut fernseal_key,
    derivation: *mut fernseal_derivation,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output_one(out, fernseal_key { bytes: [0; 32] }, &[Extent::of(derivation, 1)]) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let begun = unsafe { self::derivation(derivation) }?;
        let progress = begun.progress();
        if progress.total == 0 || !progress.is_done() {
            return Err(CallError::InvalidArgument);
        }
        // SAFETY: `derivation` points to a derivation (checked above). It is wiped below, so that no second owner remains.
        out.bytes = *unsafe { derivation.cast::<kdf::Derivation>().read() }.finish().as_bytes();
        // SAFETY: as above; any words are a derivation.
        unsafe { &mut (*derivation).words }.zeroize();
        Ok(())
    })
}

/// Returns the salt of a token: 16 bytes, from which `fernseal_derivation_begin` derives its key. A device with SHA-256 in
/// hardware can also compute PBKDF2 (100 000 iterations, 32 bytes) itself and fill a `fernseal_key`.
///
/// # Safety
/// The arguments follow the rules at the top of the header. `out` has FERNSEAL_SALT_LEN bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_token_salt(out: *mut u8, token: *const c_char, token_len: usize) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output_one(out.cast::<Salt>(), [0; 16], &[Extent::of(token, token_len)]) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let parsed = Token::parse(unsafe { pointer::token(token, token_len) }?);
        // A token with another cost must be refused here: functions that take a bare salt derive at this one.
        let KeyParams { salt, cost: Cost::Standard } = parsed.as_ref().map_err(|error| *error)?.key_params();
        *out = *salt;
        Ok(())
    })
}

/// Returns when a token was sealed, in Unix seconds. Only opening the token shows that this is authentic.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_token_timestamp(
    out: *mut u64,
    token: *const c_char,
    token_len: usize,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output_one(out, 0, &[Extent::of(token, token_len)]) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let parsed = Token::parse(unsafe { pointer::token(token, token_len) }?);
        *out = parsed.as_ref().map_err(|error| *error)?.timestamp();
        Ok(())
    })
}

/// Finds the first token of a text in any format that begins at `offset` or later. Continue at `start` + `len`. After
/// the last one, the function returns FERNSEAL_NOT_FOUND. If a part of the text only looks like a token, it returns
/// FERNSEAL_MALFORMED, and `start` and `len` say where that part is: the only failure after which they are not 0. The
/// text is UTF-8, which each call checks from the beginning.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_text_next(
    start: *mut usize,
    len: *mut usize,
    text: *const c_char,
    text_len: usize,
    offset: usize,
) -> fernseal_status {
    guard(|| {
        let text_extent = Extent::of(text, text_len);
        // SAFETY: the caller ensures it, see # Safety.
        let (start, len) =
            unsafe { (output_one(start, 0, &[Extent::of(len, 1), text_extent])?, output_one(len, 0, &[text_extent])?) };
        // SAFETY: the caller ensures it, see # Safety.
        let text = unsafe { self::text(text, text_len, Error::NotUtf8) }?;
        let found = fernseal_core::text::tokens_from(text, offset).next().ok_or(Error::NotFound)?;
        let span = found.span();
        (*start, *len) = (span.start, span.len());
        found.token().map(|_| ()).map_err(CallError::from)
    })
}

/// Opens a token with the key that `fernseal_derive` derived for it. Takes microseconds. `cap` is at least
/// FERNSEAL_TOKEN_OPEN_CAP(token_len). Feature `open`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (key, token) = unsafe { (derived_key(key)?, pointer::token(token, token_len)?) };
        out.bytes(|| fernseal_token_open_cap(token.len()), |out| token::open_with(key, token, out))
    })
}

/* ---- PBKDF2 and bare Fernet tokens ---- */

/// Computes PBKDF2-HMAC-SHA256 (RFC 8018, section 5.2) and fills all `out_len` bytes. `iterations` is at least 1.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(password, password_len), Extent::of(salt, salt_len), Extent::of(tick, 1)];
        let mut used = 0;
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, out_len, &raw mut used, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (password, salt, pace) = unsafe { (input(password, password_len)?, input(salt, salt_len)?, pace(tick)?) };
        let iterations = NonZeroU32::new(iterations).ok_or(CallError::InvalidArgument)?;
        let enough = || out_len;
        out.bytes(enough, |out| {
            kdf::pbkdf2_in_slices(password, salt, iterations, pace, out)?;
            Ok(out)
        })
    })
}

/// Returns the capacity for the Fernet token of a secret of `plain_len` bytes: FERNSEAL_FERNET_SEAL_CAP.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_fernet_seal_cap(plain_len: usize) -> usize {
    fernet::token_len(plain_len).saturating_add(1)
}

/// Returns the capacity for the secret of any Fernet token of `token_len` characters: FERNSEAL_FERNET_OPEN_CAP.
#[unsafe(no_mangle)]
pub extern "C" fn fernseal_fernet_open_cap(token_len: usize) -> usize {
    fernet::open_len(token_len)
}

/// Seals a secret as a Fernet token. `key_text` is the base64url of 32 bytes, and `now` is the time in Unix seconds.
/// `cap` is at least FERNSEAL_FERNET_SEAL_CAP(plain_len). Feature `seal`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
        // SAFETY: the caller ensures it, see # Safety.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller ensures it, see # Safety.
        let (key, plain) = unsafe { (text(key_text, key_len, Error::KeyCharacter)?, input(plain, plain_len)?) };
        let key = Key::from_text(key)?;
        out.text(|| fernseal_fernet_seal_cap(plain.len()), |out| fernet::seal(&key, plain, now, &mut rng, out))
    })
}

/// Reads the text of a Fernet key: padded base64url or base64 of 32 bytes.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_key_parse(
    out: *mut fernseal_key,
    text: *const c_char,
    len: usize,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output_one(out, fernseal_key { bytes: [0; 32] }, &[Extent::of(text, len)]) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let text = unsafe { self::text(text, len, Error::KeyCharacter) }?;
        out.bytes = *Key::from_text(text)?.as_bytes();
        Ok(())
    })
}

/// Opens a Fernet token that is at most `ttl` seconds old at the time `now` (Unix seconds). If `ttl` is 0, the token
/// may be of any age. `cap` is at least FERNSEAL_FERNET_OPEN_CAP(token_len). Feature `open`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (key, token) =
            unsafe { (text(key_text, key_len, Error::KeyCharacter)?, pointer::token(token, token_len)?) };
        let key = Key::from_text(key)?;
        let enough = || fernseal_fernet_open_cap(token.len());
        out.bytes(enough, |out| fernet::open(&key, token, freshness(now, ttl), out))
    })
}

/// Opens a Fernet token as `fernseal_fernet_open` does, with the first of `count` keys that sealed it, as Python's
/// MultiFernet does. Feature `open`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[cfg(feature = "open")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_fernet_open_any(
    out: *mut u8,
    cap: usize,
    out_len: *mut usize,
    keys: *const fernseal_key,
    count: usize,
    token: *const c_char,
    token_len: usize,
    now: u64,
    ttl: u64,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(keys, count), Extent::of(token, token_len)];
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (keys, token) = unsafe { (derived_keys(keys, count)?, pointer::token(token, token_len)?) };
        let enough = || fernseal_fernet_open_cap(token.len());
        out.bytes(enough, |out| fernet::open_any(keys, token, freshness(now, ttl), out))
    })
}

/// Opens a Fernet token of any age with the first of `count` keys that sealed it, and seals its secret with the first key. The
/// time in the token stays. `cap` is at least `token_len` + 1. Features `open` and `seal`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[cfg(all(feature = "open", feature = "seal"))]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_fernet_rotate(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    keys: *const fernseal_key,
    count: usize,
    token: *const c_char,
    token_len: usize,
    random: fernseal_random_fn,
    ctx: *mut c_void,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(keys, count), Extent::of(token, token_len)];
        // SAFETY: the caller ensures it, see # Safety.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller ensures it, see # Safety.
        let (keys, token) = unsafe { (derived_keys(keys, count)?, pointer::token(token, token_len)?) };
        out.text(|| token.len() + 1, |out| fernet::rotate(keys, token, &mut rng, out))
    })
}

/* ---- Configs ---- */

/// Checks everything in a config that can be checked without a key, and returns the position of the first fault:
/// `offset` is the number of bytes before it. For this fault `fernseal_config_open` refuses the config:
/// FERNSEAL_INVALID_JSON or FERNSEAL_TOO_DEEP, then FERNSEAL_DUPLICATE_NAME at the second name (in a build with the
/// feature `compact`, at the token), then FERNSEAL_MALFORMED at a string that begins with `enc:` and is not a token.
/// (It does not check a token that is written with escapes.) After success, and after FERNSEAL_INVALID_ARGUMENT,
/// `offset` is 0. Feature `config`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[cfg(feature = "config")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_check(
    offset: *mut usize,
    json: *const c_char,
    json_len: usize,
) -> fernseal_status {
    guard(|| {
        // SAFETY: the caller ensures it, see # Safety.
        let offset = unsafe { output_one(offset, 0, &[Extent::of(json, json_len)]) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let json = unsafe { input(json.cast::<u8>(), json_len) }?;
        let checked = match str::from_utf8(json) {
            Ok(json) => config::check(json),
            Err(error) => Err((Error::InvalidJson, error.valid_up_to())),
        };
        checked.map_err(|(error, at)| {
            *offset = at;
            error.into()
        })
    })
}

/// Opens every token of a config and copies all other bytes unchanged. Costs one derivation for each salt, so at most
/// one for each 165 bytes of `json`: limit `json_len` if you open untrusted configs. All other work takes time linear
/// in `json_len`. `cap` is at least `json_len` + 1. It is more if secrets contain many characters that JSON escapes, or
/// if tokens are nested more than 20 levels deep: 4 * `json_len` + 1 is always enough. In a build with the feature
/// `compact`, a token that is nested more than 64 levels deep is refused with FERNSEAL_TOO_DEEP. Feature `config`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    // SAFETY: the caller ensures it, see # Safety.
    unsafe { fernseal_config_open_any(out, cap, out_len, master, 1, json, json_len, tick) }
}

/// Opens a config as `fernseal_config_open` does, each token with the first of `count` master keys that sealed it. Costs a
/// derivation for each key that is tried. Feature `config`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(masters, count), Extent::of(json, json_len), Extent::of(tick, 1)];
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (masters, json) = unsafe { (master_keys(masters, count)?, text(json, json_len, Error::InvalidJson)?) };
        // SAFETY: the caller ensures it, see # Safety.
        let pace = unsafe { pace(tick) }?;
        out.text(|| rewritten_cap(json), |out| config::open_in_slices(json, masters, pace, out))
    })
}

/// Writes the value at `pointer` ("/auth/token_value" or "auth.token_value"). Opens it if it is a token. `cap` is at
/// least the length of the value in the JSON text, and at least 1; `json_len` + 1 is always enough. Feature `config`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    // SAFETY: the caller ensures it, see # Safety.
    unsafe { fernseal_config_get_any(out, cap, out_len, master, 1, json, json_len, pointer, pointer_len, tick) }
}

/// Writes a value as `fernseal_config_get` does, opened with the first of `count` master keys that sealed it. Feature `config`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        let inputs = [
            Extent::of(masters, count),
            Extent::of(json, json_len),
            Extent::of(pointer, pointer_len),
            Extent::of(tick, 1),
        ];
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (masters, json) = unsafe { (master_keys(masters, count)?, text(json, json_len, Error::InvalidJson)?) };
        // SAFETY: the caller ensures it, see # Safety.
        let (pointer, pace) = unsafe { (text(pointer, pointer_len, Error::InvalidPointer)?, pace(tick)?) };
        out.text(|| json.len() + 1, |out| config::get_in_slices(json, pointer, masters, pace, out))
    })
}

/// Writes a value as `fernseal_config_get` does. If it is a token, it is opened with `key`, which must have been
/// derived for that token. Takes microseconds for each kilobyte. Feature `config`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[cfg(feature = "config")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_get_with(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    key: *const fernseal_key,
    json: *const c_char,
    json_len: usize,
    pointer: *const c_char,
    pointer_len: usize,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(key, 1), Extent::of(json, json_len), Extent::of(pointer, pointer_len)];
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let (key, json) = unsafe { (derived_key(key)?, text(json, json_len, Error::InvalidJson)?) };
        // SAFETY: the caller ensures it, see # Safety.
        let pointer = unsafe { text(pointer, pointer_len, Error::InvalidPointer) }?;
        out.text(|| json.len() + 1, |out| config::get_with(json, pointer, key, out))
    })
}

/// Writes the string at `pointer` without opening it: a token as its text, from which its key can be derived. `cap` is
/// at least the length of the string in the JSON text, and at least 1; `json_len` + 1 is always enough. Feature
/// `config`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[cfg(feature = "config")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_find(
    out: *mut c_char,
    cap: usize,
    out_len: *mut usize,
    json: *const c_char,
    json_len: usize,
    pointer: *const c_char,
    pointer_len: usize,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(json, json_len), Extent::of(pointer, pointer_len)];
        // SAFETY: the caller ensures it, see # Safety.
        let out = unsafe { output(out, cap, out_len, &inputs) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let json = unsafe { text(json, json_len, Error::InvalidJson) }?;
        // SAFETY: the caller ensures it, see # Safety.
        let pointer = unsafe { text(pointer, pointer_len, Error::InvalidPointer) }?;
        out.text(|| json.len() + 1, |out| config::find(json, pointer, out))
    })
}

/// Seals the string at `pointer` and copies all other bytes unchanged. A token or a placeholder (`${NAME}`) stays as it
/// is. `now` is the time in Unix seconds. `cap` is at least `json_len` + FERNSEAL_TOKEN_SEAL_CAP(the string's length);
/// `json_len` + FERNSEAL_TOKEN_SEAL_CAP(`json_len`) is always enough. Features `config` and `seal`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        let inputs =
            [Extent::of(master, 1), Extent::of(json, json_len), Extent::of(pointer, pointer_len), Extent::of(tick, 1)];
        // SAFETY: the caller ensures it, see # Safety.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller ensures it, see # Safety.
        let (master, json) = unsafe { (master_key(master)?, text(json, json_len, Error::InvalidJson)?) };
        // SAFETY: the caller ensures it, see # Safety.
        let (pointer, pace) = unsafe { (text(pointer, pointer_len, Error::InvalidPointer)?, pace(tick)?) };
        let enough = || json.len().saturating_add(fernseal_token_seal_cap(json.len()));
        out.text(enough, |out| config::seal_in_slices(json, &[pointer], master, now, &mut rng, pace, out))
    })
}

/// Opens every token of a config with the first of `count` old master keys that sealed it, seals its secret with the
/// new master key, and copies all other bytes unchanged. `now` is the time in Unix seconds. Costs two derivations for
/// each token. `cap` is at least `json_len` + 1, and 25 more for each legacy token. It is more for tokens that are
/// nested more than 20 levels deep; 4 * `json_len` + 1 is always enough. Features `config` and `seal`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
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
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        let inputs = [
            Extent::of(old_masters, count),
            Extent::of(new_master, 1),
            Extent::of(json, json_len),
            Extent::of(tick, 1),
        ];
        // SAFETY: the caller ensures it, see # Safety.
        let (out, mut rng) = unsafe { (output(out, cap, out_len, &inputs)?, Random::new(random, ctx)) };
        // SAFETY: the caller ensures it, see # Safety.
        let (old, new) = unsafe { (master_keys(old_masters, count)?, master_key(new_master)?) };
        // SAFETY: the caller ensures it, see # Safety.
        let (json, pace) = unsafe { (text(json, json_len, Error::InvalidJson)?, pace(tick)?) };
        let enough = || rewritten_cap(json);
        out.text(enough, |out| config::rotate_in_slices(json, old, new, now, &mut rng, pace, out))
    })
}

/// Reads a ProxmoxMCP config and opens the tokens among its fields, each with the first of `count` master keys that
/// sealed it. `size` is sizeof(fernseal_config). `count` may be 0 if nothing is sealed. The config may be nested up to
/// 16 levels deep. If a value or token is longer than its field, the function returns FERNSEAL_BUFFER_TOO_SMALL; if a
/// value contains a NUL, FERNSEAL_MALFORMED. Feature `config`.
///
/// # Safety
/// The arguments follow the rules at the top of the header.
#[cfg(feature = "config")]
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fernseal_config_read(
    out: *mut fernseal_config,
    size: usize,
    masters: *const fernseal_master_key,
    count: usize,
    json: *const c_char,
    json_len: usize,
    tick: *const fernseal_tick,
) -> fernseal_status {
    guard(|| {
        let inputs = [Extent::of(masters, count), Extent::of(json, json_len), Extent::of(tick, 1)];
        if !out.is_aligned() || size < size_of::<fernseal_config>() {
            return Err(CallError::InvalidArgument);
        }
        // SAFETY: the caller ensures it, see # Safety.
        unsafe { output_many(out.cast::<u8>(), size, &inputs) }?;
        // SAFETY: checked above: not NULL, aligned, and as long; zero bytes are a config.
        let mut out = Wiped::new(unsafe { &mut *out });
        // SAFETY: the caller ensures it, see # Safety.
        let (masters, json) = unsafe { (master_keys(masters, count)?, text(json, json_len, Error::InvalidJson)?) };
        // SAFETY: the caller ensures it, see # Safety.
        let pace = unsafe { pace(tick) }?;
        let config::Config { proxmox, auth, logging, .. } = config::Config::read(json)?;
        let fill = |field: &mut [c_char], text: config::Text<'_>| {
            fill_field(field, |out| text.open_in_slices(masters, pace, out))
        };
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

/// Returns a capacity that is enough to open or rotate any config of the length of `json`.
#[cfg(feature = "config")]
const fn rewritten_cap(json: &str) -> usize {
    json.len().saturating_mul(4).saturating_add(1)
}

/// Returns how old a Fernet token may be.
const fn freshness(now: u64, ttl: u64) -> Freshness {
    if ttl == 0 { Freshness::Any } else { Freshness::Within { now, ttl } }
}

/// Returns the derivation at `pointer`, to run it on.
///
/// # Safety
/// If `pointer` is not NULL, it points to one derivation, which nothing else accesses during `'a`.
unsafe fn derivation<'a>(pointer: *mut fernseal_derivation) -> Result<&'a mut kdf::Derivation, CallError> {
    // SAFETY: the caller ensures it. The type of core is 34 words of which any are valid (repr(C), see there), and this one
    // has 36 with the same alignment.
    unsafe { pointer::input_output(pointer.cast::<kdf::Derivation>()) }
}

/// Returns what runs between the slices of a derivation.
///
/// # Safety
/// As [`input_one`], but `tick` may be NULL.
#[inline(never)] // out of line: inlined, each function would have a copy in flash
unsafe fn pace<'a>(tick: *const fernseal_tick) -> Result<&'a fernseal_tick, CallError> {
    const NOTHING: &fernseal_tick = &fernseal_tick { call: None, ctx: core::ptr::null_mut(), distance: 0 };
    // SAFETY: the caller ensures it, see # Safety.
    if tick.is_null() { Ok(NOTHING) } else { unsafe { input_one(tick) } }
}

/// Returns the key at `pointer`.
///
/// # Safety
/// As [`input_one`].
unsafe fn derived_key<'a>(pointer: *const fernseal_key) -> Result<&'a Key, CallError> {
    // SAFETY: the caller ensures it, and the layouts match: both types are 32 bytes and nothing else (repr(C) around an array
    // here, repr(transparent) around one in core), and any bytes are a key.
    unsafe { input_one(pointer.cast::<Key>()) }
}

/// Returns the `count` keys at `pointer`.
///
/// # Safety
/// As [`input`].
unsafe fn derived_keys<'a>(pointer: *const fernseal_key, count: usize) -> Result<&'a [Key], CallError> {
    // SAFETY: the caller ensures it, and the layouts match, as for `derived_key`.
    unsafe { input(pointer.cast::<Key>(), count) }
}

/// Returns the master key at `pointer`.
///
/// # Safety
/// As [`input_one`].
unsafe fn master_key<'a>(pointer: *const fernseal_master_key) -> Result<&'a MasterKey, CallError> {
    // SAFETY: the caller ensures it, and the layouts match, as for `master_keys`.
    unsafe { input_one(pointer.cast::<MasterKey>()) }
}

/// Returns the `count` master keys at `pointer`.
///
/// # Safety
/// As [`input`].
unsafe fn master_keys<'a>(pointer: *const fernseal_master_key, count: usize) -> Result<&'a [MasterKey], CallError> {
    // SAFETY: the caller ensures it, and the layouts match: both types are 64 bytes and nothing else (repr(C) around an array
    // here, repr(transparent) around one in core), and any bytes are a master key.
    unsafe { input(pointer.cast::<MasterKey>(), count) }
}
