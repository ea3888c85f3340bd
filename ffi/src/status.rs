//! The status that every function that can fail returns.
//! Core's finer errors fall together where C has one number for them; the numbers never change.
//! 0 is success, so that a status can be tested as it is.

use fernseal_core::Error;

/* ---- Types ---- */

/// What a function returns: 0, or what went wrong. The numbers never change.
pub type fernseal_status = i32;

/* ---- Status: what a function returns ---- */

/// It worked.
pub const FERNSEAL_OK: fernseal_status = 0;
/// The output buffer is too short: see the function for the capacity that is enough.
pub const FERNSEAL_BUFFER_TOO_SMALL: fernseal_status = 1;
/// Not a token; or a secret that is not text where text is wanted, or a value that looks like a damaged token.
pub const FERNSEAL_MALFORMED: fernseal_status = 2;
/// The key's text is not base64, or the key is too short to seal with (under 16 bytes without zeros at its end).
pub const FERNSEAL_INVALID_KEY: fernseal_status = 3;
/// A wrong key or a changed token: the two cannot be told apart.
pub const FERNSEAL_UNAUTHENTIC: fernseal_status = 4;
/// The token is older than the TTL allows, or from more than 60 seconds in the future.
pub const FERNSEAL_EXPIRED: fernseal_status = 5;
/// The random source failed; nothing was sealed.
pub const FERNSEAL_RANDOM_FAILED: fernseal_status = 6;
/// An argument against the rules: NULL, overlapping buffers, a length or a pointer that makes no sense.
pub const FERNSEAL_INVALID_ARGUMENT: fernseal_status = 7;
/// The tick function asked to stop.
pub const FERNSEAL_CANCELLED: fernseal_status = 8;
/// A fault in the library; please report it.
pub const FERNSEAL_INTERNAL: fernseal_status = 9;
/// No value at the pointer, or a field that a config must have is missing.
pub const FERNSEAL_NOT_FOUND: fernseal_status = 10;
/// Not JSON, nested too deeply, a name that occurs twice on the way, or a value of another kind than is wanted.
pub const FERNSEAL_INVALID_JSON: fernseal_status = 11;

/// Why a function fails.
#[derive(Clone, Copy)]
pub(crate) enum Failure {
    InvalidArgument,
    Cancelled,
    Core(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

/// What a function returns.
#[inline(never)] // once, not once for each function
pub(crate) fn of(result: Result<(), Failure>) -> fernseal_status {
    let error = match result {
        Ok(()) => return FERNSEAL_OK,
        Err(Failure::InvalidArgument) => return FERNSEAL_INVALID_ARGUMENT,
        Err(Failure::Cancelled) => return FERNSEAL_CANCELLED,
        Err(Failure::Core(error)) => error,
    };
    match error {
        Error::BufferTooSmall => FERNSEAL_BUFFER_TOO_SMALL,
        Error::AuthenticationFailed => FERNSEAL_UNAUTHENTIC,
        Error::Expired => FERNSEAL_EXPIRED,
        Error::RandomFailed => FERNSEAL_RANDOM_FAILED,
        Error::NotFound => FERNSEAL_NOT_FOUND,
        Error::InvalidPointer => FERNSEAL_INVALID_ARGUMENT,
        Error::KeyCharacter | Error::KeyEmpty | Error::KeyPadding | Error::KeyShort => FERNSEAL_INVALID_KEY,
        Error::InvalidJson
        | Error::TooDeep
        | Error::DuplicateKey
        | Error::NotAString
        | Error::UnexpectedKind
        | Error::EscapedName => FERNSEAL_INVALID_JSON,
        Error::Malformed | Error::NotUtf8 | Error::Lookalike => FERNSEAL_MALFORMED,
        _ => FERNSEAL_INTERNAL,
    }
}

/// The words for a status, each ending in a NUL.
pub(crate) const fn words(status: i32) -> &'static core::ffi::CStr {
    match status {
        FERNSEAL_OK => c"ok",
        FERNSEAL_BUFFER_TOO_SMALL => c"the output buffer is too short",
        FERNSEAL_MALFORMED => c"invalid encrypted token format",
        FERNSEAL_INVALID_KEY => c"invalid key",
        FERNSEAL_UNAUTHENTIC => c"token decryption failed: wrong key, or the token was changed",
        FERNSEAL_EXPIRED => c"the token has expired or comes from the future",
        FERNSEAL_RANDOM_FAILED => c"the random source failed",
        FERNSEAL_INVALID_ARGUMENT => c"invalid argument",
        FERNSEAL_CANCELLED => c"cancelled",
        FERNSEAL_INTERNAL => c"internal error",
        FERNSEAL_NOT_FOUND => c"no value at this pointer",
        FERNSEAL_INVALID_JSON => c"invalid JSON",
        _ => c"unknown status",
    }
}
