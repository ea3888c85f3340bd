//! The error type of the crate: a number without further data. So it fits into a register, passes through the C API as
//! an integer, and cannot contain a secret. The caller reports which file, pointer or key failed.
//!
//! A new variant takes a new number; map it to a status of the C API in `ffi/src/status.rs`.

use core::fmt;

/// What went wrong. The numbers never change. Up to 11 they are those of the C API's `fernseal_status`; higher ones are
/// finer distinctions that C does not make.
///
/// One byte; with the feature `compact` a word of four, so that a `Result` fits into registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(not(feature = "compact"), repr(u8))]
#[cfg_attr(feature = "compact", repr(u32))]
pub enum Error {
    /// The output buffer is too short. The `*_len` functions return the length that is needed.
    BufferTooSmall = 1,
    /// The text is not a token: its parts, base64, lengths or version are not as [`token`](crate::token) or
    /// [`fernet`](crate::fernet) requires.
    Malformed = 2,
    /// The key text contains a character that is not base64.
    KeyCharacter = 3,
    /// The MAC does not match: the key is wrong or the token was altered. The two cannot be told apart.
    AuthenticationFailed = 4,
    /// The token is older than the TTL allows, or its timestamp is more than 60 seconds in the future.
    Expired = 5,
    /// The random source failed. Nothing was sealed.
    RandomFailed = 6,
    /// A [`Pace`](crate::kdf::Pace) cancelled the derivation.
    Cancelled = 8,
    /// There is no value at the pointer.
    NotFound = 10,
    /// The text is not JSON by RFC 8259.
    InvalidJson = 11,
    /// The JSON is nested more deeply than [`json::MAX_DEPTH`](crate::json::MAX_DEPTH) levels, or than the lower limit
    /// that the function documents.
    TooDeep = 12,
    /// An object on the path to the value contains the same name twice. JSON readers disagree on which of the two
    /// counts.
    DuplicateKey = 13,
    /// The value at the pointer is not a string.
    NotAString = 14,
    /// The opened secret or the string is not valid UTF-8, so it cannot be text.
    NotUtf8 = 15,
    /// The value starts like a token (`enc:` in any case, after any whitespace) but is not one.
    Lookalike = 16,
    /// The key text is empty, or consists of whitespace and padding only.
    KeyEmpty = 17,
    /// The length of the key text is not a multiple of four, or its `=` padding is missing or misplaced.
    KeyPadding = 18,
    /// The key has fewer than 16 bytes, not counting trailing zero bytes. It opens tokens, but seals none.
    KeyShort = 19,
    /// The pointer is neither a JSON Pointer (RFC 6901) nor names joined by dots.
    InvalidPointer = 20,
    /// A value of the typed config has a kind or range that its field does not allow.
    UnexpectedKind = 21,
    /// The name of a field of the typed config is written with escapes.
    EscapedName = 22,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall => "the output buffer is too short",
            Self::Malformed => "invalid encrypted token format",
            Self::AuthenticationFailed => "token decryption failed: wrong key, or the token was changed",
            Self::Expired => "the token has expired or comes from the future",
            Self::RandomFailed => "the random source failed",
            Self::Cancelled => "cancelled",
            Self::NotFound => "no value at this pointer",
            Self::InvalidJson => "invalid JSON",
            Self::TooDeep => "JSON nested too deeply",
            Self::DuplicateKey => "a name occurs twice in one object",
            Self::NotAString => "the value is not a string",
            Self::NotUtf8 => "the opened secret is not UTF-8 text",
            Self::Lookalike => "the value looks like a token but is not one",
            Self::KeyEmpty => "the key is empty",
            Self::KeyPadding => "the key's base64 padding is missing or misplaced",
            Self::KeyCharacter => "the key has a character that is not base64",
            Self::InvalidPointer => "not a JSON Pointer",
            Self::UnexpectedKind => "a value of the config does not have the type of its field",
            Self::EscapedName => "the name of a field of the config is written with escapes",
            Self::KeyShort => "the key is shorter than 16 bytes, too short to seal with",
        })
    }
}

impl core::error::Error for Error {}
