//! Output buffers. Every function that returns text or bytes writes to the front of the caller's buffer and returns
//! that part. The unused rest of the buffer is zeroed; on error, the whole buffer, so that no plaintext remains in it.

use core::cell::Cell;
use core::str;

use zeroize::Zeroize;

use crate::compact::COMPACT;
use crate::error::Error;

/// Runs `fill`, which writes to the front of `out` and returns how many bytes it wrote; returns these bytes.
pub(crate) fn fill_bytes(out: &mut [u8], fill: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Result<&[u8], Error> {
    let filled = fill(out);
    used(out, filled)
}

/// Runs `fill` as [`fill_bytes`] does, for text: bytes that are not UTF-8 are [`Error::NotUtf8`].
pub(crate) fn fill_text(out: &mut [u8], fill: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Result<&str, Error> {
    let filled = fill(out);
    used_text(out, filled)
}

// These two functions are out of line: inlined, each caller of `fill_bytes` and `fill_text` would hold a copy in flash.

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
    str::from_utf8(used(out, filled)?).map_err(|_| Error::NotUtf8)
}

/// Returns the first `len` bytes of `buf` as text.
pub(crate) fn text(buf: &[u8], len: usize) -> Result<&str, Error> {
    str::from_utf8(buf.get(..len).ok_or(Error::BufferTooSmall)?).map_err(|_| Error::NotUtf8)
}

/// Copies `bytes` to the front of `out` and returns their number.
pub(crate) fn copy_to_front(out: &mut [u8], bytes: &[u8]) -> Result<usize, Error> {
    out.get_mut(..bytes.len()).ok_or(Error::BufferTooSmall)?.copy_from_slice(bytes);
    Ok(bytes.len())
}

/// Moves `len` bytes of `buf` from offset `from` to offset `to`. The two ranges may overlap. The contents of the source
/// range are unspecified afterwards.
pub(crate) fn move_within(buf: &mut [u8], from: usize, len: usize, to: usize) -> Result<(), Error> {
    if COMPACT {
        return swap_within(buf, from, len, to);
    }
    let end = from.max(to).checked_add(len).ok_or(Error::BufferTooSmall)?;
    buf.get_mut(..end).ok_or(Error::BufferTooSmall)?.copy_within(from..from + len, to);
    Ok(())
}

/// Moves bytes as [`move_within`] does, by swapping them one by one. On a microcontroller, `copy_within` would link a
/// panic path, and the compiler would turn a copying loop into a call of `memmove`, which takes 800 bytes of flash.
fn swap_within(buf: &mut [u8], from: usize, len: usize, to: usize) -> Result<(), Error> {
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
    fn bytes_move_within_a_buffer_both_ways_and_not_out_of_it() {
        for move_within in [move_within, swap_within] {
            for (from, len, to) in [(0, 5, 2), (2, 5, 0), (1, 3, 5), (5, 3, 1), (3, 4, 3), (8, 0, 0)] {
                let mut buf = *b"abcdefgh";
                let mut wanted = buf;
                wanted.copy_within(from..from + len, to);
                assert_eq!(move_within(&mut buf, from, len, to), Ok(()));
                assert_eq!(buf.get(to..to + len), wanted.get(to..to + len), "{len} bytes from {from} to {to}");
            }
            for (from, len, to) in [(0, 9, 0), (4, 5, 0), (0, 5, 4), (9, 0, 0), (1, usize::MAX, 0)] {
                let mut buf = *b"abcdefgh";
                assert_eq!(
                    move_within(&mut buf, from, len, to),
                    Err(Error::BufferTooSmall),
                    "{len} bytes from {from} to {to}"
                );
                assert_eq!(buf, *b"abcdefgh");
            }
        }
    }
}
