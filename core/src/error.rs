//! The one error type of the crate.
//! A number, no payload: it can be passed through a C border or a register, and nothing secret fits in it.
//! Where the fault lies (file, pointer, offset) is said by the caller, who knows it.

use core::fmt;

/// What went wrong. The numbers never change; up to 11 they are those of the C API's `fernseal_status`, for which others are
/// too fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(not(feature = "compact"), repr(u8))]
// Where code is to be small, a word: results that hold one or a length are then passed in registers.
#[cfg_attr(feature = "compact", repr(u32))]
pub enum Error {
    /// The output buffer is too short; the `*_len` functions say how long it must be.
    BufferTooSmall = 1,
    /// The text is no token: its structure (parts, base64, lengths, version) is not that of [`token`](crate::token).
    Malformed = 2,
    /// The key text has a character that base64 does not have.
    KeyCharacter = 3,
    /// The token was not made with this key, or was changed since: the two cannot be told apart.
    Unauthentic = 4,
    /// The token is older than the TTL allows, or comes from more than 60 seconds in the future.
    Expired = 5,
    /// The random source failed; nothing was sealed.
    RandomFailed = 6,
    /// No value at this pointer.
    NotFound = 10,
    /// The text is not JSON as RFC 8259 has it.
    InvalidJson = 11,
    /// The JSON is nested deeper than [`json::MAX_DEPTH`](crate::json::MAX_DEPTH) levels (16 where a typed config is read).
    TooDeep = 12,
    /// Two members of one object have the same name on the way to this value: readers disagree on which counts.
    DuplicateKey = 13,
    /// The value at this pointer is not a string.
    NotAString = 14,
    /// The opened bytes are not UTF-8 text, so they cannot stand in a JSON string.
    NotText = 15,
    /// The value starts like a token (`enc:`, in any case, after any white space) but is none.
    LooksSealed = 16,
    /// The key text is empty, or nothing but white space and padding.
    KeyEmpty = 17,
    /// The key text's length is no multiple of four, or its `=` padding is missing or misplaced.
    KeyPadding = 18,
    /// The key has fewer than 16 bytes, zeros at its end not counted: too few to seal with; it can still open.
    KeyShort = 19,
    /// The pointer is neither a JSON Pointer (RFC 6901) nor names joined by dots.
    BadPointer = 20,
    /// A value of the typed config is of another kind or range than its field.
    UnexpectedKind = 21,
    /// The name of one of the typed config's fields is written with escapes.
    EscapedName = 22,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall => "the output buffer is too short",
            Self::Malformed => "invalid encrypted token format",
            Self::Unauthentic => "token decryption failed: wrong key, or the token was changed",
            Self::Expired => "the token has expired or comes from the future",
            Self::RandomFailed => "the random source failed",
            Self::NotFound => "no value at this pointer",
            Self::InvalidJson => "invalid JSON",
            Self::TooDeep => "JSON nested too deeply",
            Self::DuplicateKey => "a name occurs twice in one object",
            Self::NotAString => "the value is not a string",
            Self::NotText => "the opened secret is not UTF-8 text",
            Self::LooksSealed => "the value starts with enc: but is not a token",
            Self::KeyEmpty => "the key is empty",
            Self::KeyPadding => "the key's base64 padding is missing or misplaced",
            Self::KeyCharacter => "the key has a character that is not base64",
            Self::BadPointer => "not a JSON Pointer",
            Self::UnexpectedKind => "a value of the config is of another kind than its field",
            Self::EscapedName => "the name of a field of the config is written with escapes",
            Self::KeyShort => "the key is shorter than 16 bytes, too short to seal with",
        })
    }
}

impl core::error::Error for Error {}
