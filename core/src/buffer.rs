//! The discipline of output buffers, in one place.
//! A function fills the front of a caller's buffer and returns the used part; what lies behind it is
//! zeroed, and after a failure all of it, so that reading past an error finds nothing.

use core::cell::Cell;
use core::str;
use zeroize::Zeroize;

use crate::Error;

/// Runs `fill`, which says how many bytes at the front of `out` are its result.
pub(crate) fn fill_bytes(out: &mut [u8], fill: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Result<&[u8], Error> {
    let result = fill(out);
    used(out, result)
}

/// The used part of `out`, once what lies behind it is zeroed.
#[inline(never)] // once, not once for each function with a buffer
fn used(out: &mut [u8], result: Result<usize, Error>) -> Result<&[u8], Error> {
    let result = result.and_then(|len| if len <= out.len() { Ok(len) } else { Err(Error::BufferTooSmall) });
    let (used, rest) = out.split_at_mut_checked(result.unwrap_or(0)).ok_or(Error::BufferTooSmall)?;
    rest.zeroize();
    result.map(|_| &*used)
}

/// As [`fill_bytes`], for results that are text.
pub(crate) fn fill_text(out: &mut [u8], fill: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Result<&str, Error> {
    let bytes = fill_bytes(out, |out| {
        let len = fill(out)?;
        let text = out.get(..len).ok_or(Error::BufferTooSmall)?;
        str::from_utf8(text).map(str::len).map_err(|_| Error::NotText)
    })?;
    str::from_utf8(bytes).map_err(|_| Error::NotText)
}

/// Moves `len` bytes of `buf` from one offset to another, which may overlap, and leaves zeros where they were.
/// (`copy_within` would leave them there, has a panic path, and is larger.)
pub(crate) fn shift(buf: &mut [u8], from: usize, to: usize, len: usize) -> Result<(), Error> {
    let cells = Cell::from_mut(buf).as_slice_of_cells();
    let at = |start: usize| start.checked_add(len).and_then(|end| cells.get(start..end)).ok_or(Error::BufferTooSmall);
    let pairs = at(from)?.iter().zip(at(to)?);
    if to < from {
        pairs.for_each(|(from, to)| to.set(from.take()));
    } else {
        pairs.rev().for_each(|(from, to)| to.set(from.take()));
    }
    Ok(())
}

/// What lies before and behind the first `separator`, which is ASCII. (`str::split_once`, but for its panic.)
pub(crate) fn split_once(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Copies `bytes` to the front of `out`.
pub(crate) fn put(out: &mut [u8], bytes: &[u8]) -> Result<usize, Error> {
    out.get_mut(..bytes.len()).ok_or(Error::BufferTooSmall)?.copy_from_slice(bytes);
    Ok(bytes.len())
}
