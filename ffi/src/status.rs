//! The status that a function of the C API returns. Several errors of core map to one status, because C needs fewer
//! distinctions. The numbers never change. A new error of core is added to [`of`].

use fernseal_core::Error;

/* ---- Types ---- */

/// The result of a function: FERNSEAL_OK (0), or the kind of failure. The numbers never change.
pub type fernseal_status = i32;

/* ---- Status ---- */

/// The call succeeded.
pub const FERNSEAL_OK: fernseal_status = 0;
/// The output buffer, or a field of `fernseal_config`, is too short. If the function has an `out_len`, `*out_len` is then a
/// sufficient capacity, except in a build with the feature `compact`.
pub const FERNSEAL_BUFFER_TOO_SMALL: fernseal_status = 1;
/// The text is not a token; or a value looks like a damaged token; or a value that is returned as text is not UTF-8 or
/// contains a NUL.
pub const FERNSEAL_MALFORMED: fernseal_status = 2;
/// The key text is not base64; or the key is too short to seal with (under 16 bytes, not counting trailing zeros).
pub const FERNSEAL_INVALID_KEY: fernseal_status = 3;
/// The key is wrong or the token was altered. The two cannot be told apart.
pub const FERNSEAL_UNAUTHENTIC: fernseal_status = 4;
/// The token is older than the TTL allows, or its time is more than 60 seconds in the future.
pub const FERNSEAL_EXPIRED: fernseal_status = 5;
/// The random source failed. Nothing was sealed.
pub const FERNSEAL_RANDOM_FAILED: fernseal_status = 6;
/// An argument breaks the rules: NULL, overlapping buffers, an impossible length, or an invalid JSON Pointer.
pub const FERNSEAL_INVALID_ARGUMENT: fernseal_status = 7;
/// The tick function cancelled the call.
pub const FERNSEAL_CANCELLED: fernseal_status = 8;
/// The library contains a fault. Please report it.
pub const FERNSEAL_INTERNAL: fernseal_status = 9;
/// There is no value at the pointer, the text has no further token, or the config lacks a required field.
pub const FERNSEAL_NOT_FOUND: fernseal_status = 10;
/// The text is not JSON, or the name of a field of `fernseal_config` is written with escapes.
pub const FERNSEAL_INVALID_JSON: fernseal_status = 11;
/// The JSON is nested too deeply.
pub const FERNSEAL_TOO_DEEP: fernseal_status = 12;
/// A name on the path to the value occurs twice.
pub const FERNSEAL_DUPLICATE_NAME: fernseal_status = 13;
/// The value is not a string, or its kind or range is not that of its field.
pub const FERNSEAL_WRONG_KIND: fernseal_status = 14;

/// The reason why a call failed: the errors of this crate and those of core.
#[derive(Clone, Copy)]
pub(crate) enum CallError {
    InvalidArgument,
    Core(Error),
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

/// Returns the status of a result.
#[inline(never)] // out of line: inlined, each function would have a copy in flash
pub(crate) fn of(result: Result<(), CallError>) -> fernseal_status {
    match result {
        Ok(()) => FERNSEAL_OK,
        Err(CallError::InvalidArgument) => FERNSEAL_INVALID_ARGUMENT,
        Err(CallError::Core(error)) => of_core(error).into(),
    }
}

/// Returns the status of an error of core. It is a byte because the compiler makes a table of the match: of words, it would
/// take 69 bytes more.
#[inline(never)]
fn of_core(error: Error) -> u8 {
    let status = match error {
        Error::BufferTooSmall => FERNSEAL_BUFFER_TOO_SMALL,
        Error::AuthenticationFailed => FERNSEAL_UNAUTHENTIC,
        Error::Expired => FERNSEAL_EXPIRED,
        Error::RandomFailed => FERNSEAL_RANDOM_FAILED,
        Error::Cancelled => FERNSEAL_CANCELLED,
        Error::NotFound => FERNSEAL_NOT_FOUND,
        Error::InvalidPointer => FERNSEAL_INVALID_ARGUMENT,
        Error::KeyCharacter | Error::KeyEmpty | Error::KeyPadding | Error::KeyShort => FERNSEAL_INVALID_KEY,
        Error::InvalidJson | Error::EscapedName => FERNSEAL_INVALID_JSON,
        Error::TooDeep => FERNSEAL_TOO_DEEP,
        Error::DuplicateKey => FERNSEAL_DUPLICATE_NAME,
        Error::NotAString | Error::UnexpectedKind => FERNSEAL_WRONG_KIND,
        Error::Malformed | Error::NotUtf8 | Error::Lookalike => FERNSEAL_MALFORMED,
        _ => FERNSEAL_INTERNAL,
    };
    status as u8
}

/// Returns the description of a status.
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
        FERNSEAL_TOO_DEEP => c"JSON nested too deeply",
        FERNSEAL_DUPLICATE_NAME => c"a name occurs twice in one object",
        FERNSEAL_WRONG_KIND => c"a value of the wrong kind",
        _ => c"unknown status",
    }
}
