//! The discipline of output buffers, in one place.
//! A function fills the front of a caller's buffer and returns the used part; what lies behind it is
//! zeroed, and after a failure all of it, so that reading past an error finds nothing.

use core::cell::Cell;
use core::str;
use zeroize::Zeroize;

use crate::{COMPACT, Error};

/// Runs `fill`, which says how many bytes at the front of `out` are its result.
pub(crate) fn fill_bytes(out: &mut [u8], fill: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Result<&[u8], Error> {
    let filled = fill(out);
    used(out, filled)
}

/// As [`fill_bytes`], for results that are text.
pub(crate) fn fill_text(out: &mut [u8], fill: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Result<&str, Error> {
    let filled = fill(out);
    used_text(out, filled)
}

// What follows a filling stays in functions of its own (`inline(never)`), once and not once for each filling.

#[inline(never)]
fn used(out: &mut [u8], filled: Result<usize, Error>) -> Result<&[u8], Error> {
    let filled = filled.and_then(|len| if len <= out.len() { Ok(len) } else { Err(Error::BufferTooSmall) });
    let (used, rest) = out.split_at_mut_checked(filled.unwrap_or(0)).ok_or(Error::BufferTooSmall)?;
    rest.zeroize();
    filled.map(|_| &*used)
}

#[inline(never)]
fn used_text(out: &mut [u8], filled: Result<usize, Error>) -> Result<&str, Error> {
    let filled = filled.and_then(|len| text(out, len).map(str::len));
    str::from_utf8(used(out, filled)?).map_err(|_| Error::NotText)
}

/// The text that is the first `len` bytes of `buf`.
pub(crate) fn text(buf: &[u8], len: usize) -> Result<&str, Error> {
    str::from_utf8(buf.get(..len).ok_or(Error::BufferTooSmall)?).map_err(|_| Error::NotText)
}

/// Copies `bytes` to the front of `out`.
pub(crate) fn put(out: &mut [u8], bytes: &[u8]) -> Result<usize, Error> {
    out.get_mut(..bytes.len()).ok_or(Error::BufferTooSmall)?.copy_from_slice(bytes);
    Ok(bytes.len())
}

/// Moves `len` bytes of `buf` to another place in it; the two may overlap. Where they were, there is no telling.
pub(crate) fn slide(buf: &mut [u8], from: usize, len: usize, to: usize) -> Result<(), Error> {
    if COMPACT {
        return exchange(buf, from, len, to);
    }
    let end = from.max(to).checked_add(len).ok_or(Error::BufferTooSmall)?;
    buf.get_mut(..end).ok_or(Error::BufferTooSmall)?.copy_within(from..from + len, to);
    Ok(())
}

/// As [`slide`], where flash is dear: `copy_within` would link all that a panic needs, and a loop that copies becomes a call
/// of `memmove`, which takes 800 bytes. So bytes change places.
fn exchange(buf: &mut [u8], from: usize, len: usize, to: usize) -> Result<(), Error> {
    let cells = Cell::from_mut(buf).as_slice_of_cells();
    let part = |at: usize| cells.get(at..).and_then(|rest| rest.get(..len)).ok_or(Error::BufferTooSmall);
    let swap = |(from, to): (&Cell<u8>, &Cell<u8>)| from.set(to.replace(from.get()));
    let pairs = part(from)?.iter().zip(part(to)?);
    if to <= from {
        pairs.for_each(swap);
    } else {
        pairs.rev().for_each(swap);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_slide_over_each_other_both_ways_and_not_out_of_the_buffer() {
        for slide in [slide, exchange] {
            for (from, len, to) in [(0, 5, 2), (2, 5, 0), (1, 3, 5), (5, 3, 1), (3, 4, 3), (8, 0, 0)] {
                let mut buf = *b"abcdefgh";
                let mut wanted = buf;
                wanted.copy_within(from..from + len, to);
                assert_eq!(slide(&mut buf, from, len, to), Ok(()));
                assert_eq!(buf.get(to..to + len), wanted.get(to..to + len), "{len} bytes from {from} to {to}");
            }
            for (from, len, to) in [(0, 9, 0), (4, 5, 0), (0, 5, 4), (9, 0, 0), (1, usize::MAX, 0)] {
                let mut buf = *b"abcdefgh";
                assert_eq!(
                    slide(&mut buf, from, len, to),
                    Err(Error::BufferTooSmall),
                    "{len} bytes from {from} to {to}"
                );
                assert_eq!(buf, *b"abcdefgh");
            }
        }
    }
}
