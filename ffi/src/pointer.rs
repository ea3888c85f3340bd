//! Turns the pointers of C into Rust slices and checks the header's rules on them. No other module of this crate does
//! so.
//!
//! It checks that a pointer is NULL only with length 0, alignment, that a length is at most half the address space, and
//! that no output overlaps another argument. It cannot check that a pointer points to as many bytes as its length says;
//! the caller must ensure that.

use core::ffi::c_char;
use core::mem;
use core::slice;
use core::str;

use fernseal_core::Error;
use zeroize::Zeroize;

use crate::status::CallError;

/// The address range of an argument, to check for overlaps.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    start: usize,
    len: usize,
}

impl Extent {
    /// Returns the extent of `count` objects at `pointer`.
    pub(crate) fn of<T>(pointer: *const T, count: usize) -> Self {
        Self { start: pointer.addr(), len: count.saturating_mul(size_of::<T>()) }
    }

    /// Returns whether an object can have this range.
    #[inline(never)] // out of line: inlined, each argument would have a copy in flash
    fn is_sound(self) -> bool {
        let fits = isize::try_from(self.len).is_ok() && self.start.checked_add(self.len).is_some();
        fits && (self.len == 0 || self.start != 0)
    }

    /// Returns whether the range shares a byte with `other`, which must be sound. An unsound range overlaps nothing, so
    /// that the other outputs are still zeroed before it is rejected.
    #[inline(never)] // out of line: inlined, each argument would have a copy in flash
    fn overlaps(self, other: Self) -> bool {
        // The end of a sound range does not overflow.
        let (end, other_end) = (self.start.wrapping_add(self.len), other.start.wrapping_add(other.len));
        self.is_sound() && self.len > 0 && other.len > 0 && self.start < other_end && other.start < end
    }
}

impl Extent {
    /// Returns whether an object can have this range, and it shares no byte with `inputs`.
    #[inline(never)] // out of line: inlined, each output would have a copy in flash
    fn may_be_output(self, inputs: &[Self]) -> bool {
        self.is_sound() && !inputs.iter().any(|input| input.overlaps(self))
    }
}

/// Returns whether `pointer` may point to `count` objects.
fn is_sound<T>(pointer: *const T, count: usize) -> bool {
    // A length that overflows saturates in `Extent::of`, and is then not sound.
    pointer.is_aligned() && Extent::of(pointer, count).is_sound()
}

/// Returns an input of `count` objects.
///
/// # Safety
/// If `count` is not 0, `pointer` points to `count` initialised objects, which nothing changes during `'a`.
pub(crate) unsafe fn input<'a, T>(pointer: *const T, count: usize) -> Result<&'a [T], CallError> {
    if !is_sound(pointer, count) {
        return Err(CallError::InvalidArgument);
    }
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, aligned, at most isize::MAX bytes (is_sound); initialised and unchanged (ensured by the
    // caller).
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// Returns an input that is one object.
///
/// # Safety
/// As [`input`], with one object.
pub(crate) unsafe fn input_one<'a, T>(pointer: *const T) -> Result<&'a T, CallError> {
    const { assert!(size_of::<T>() > 0) };
    if !is_sound(pointer, 1) {
        return Err(CallError::InvalidArgument);
    }
    // SAFETY: not NULL, aligned (is_sound, as `T` is not zero-sized); initialised and unchanged (ensured by the
    // caller).
    Ok(unsafe { &*pointer })
}

/// Returns an object that a function reads and changes.
///
/// # Safety
/// If `pointer` is not NULL, it points to one initialised, writable object, which nothing else accesses during `'a`.
pub(crate) unsafe fn input_output<'a, T>(pointer: *mut T) -> Result<&'a mut T, CallError> {
    if !is_sound(pointer, 1) {
        return Err(CallError::InvalidArgument);
    }
    // SAFETY: not NULL, aligned (is_sound); initialised, writable and not accessed by others (ensured by the caller).
    Ok(unsafe { &mut *pointer })
}

/// Returns an input that is text. If it is not UTF-8, the error is `otherwise`.
///
/// # Safety
/// As [`input`].
pub(crate) unsafe fn text<'a>(pointer: *const c_char, len: usize, otherwise: Error) -> Result<&'a str, CallError> {
    // SAFETY: the caller ensures it, see # Safety.
    let bytes = unsafe { input(pointer.cast::<u8>(), len) }?;
    str::from_utf8(bytes).map_err(|_| otherwise.into())
}

/// Sets an output that is one object to `initial`, and returns it.
///
/// # Safety
/// If `pointer` is not NULL, it points to one writable object, which nothing else accesses during `'a`.
pub(crate) unsafe fn output_one<'a, T>(pointer: *mut T, initial: T, inputs: &[Extent]) -> Result<&'a mut T, CallError> {
    const { assert!(size_of::<T>() > 0) };
    if !pointer.is_aligned() || !Extent::of(pointer, 1).may_be_output(inputs) {
        return Err(CallError::InvalidArgument);
    }
    // SAFETY: not NULL, aligned, overlaps no input (checked); writable and not accessed by others (ensured by the
    // caller).
    unsafe {
        pointer.write(initial);
        Ok(&mut *pointer)
    }
}

/// Zeroes an output that is `count` objects, and returns it.
///
/// # Safety
/// If `pointer` is not NULL, `count` objects there are writable, and nothing else accesses them during `'a`. Zero bytes are a
/// valid `T`.
pub(crate) unsafe fn output_many<'a, T>(
    pointer: *mut T,
    count: usize,
    inputs: &[Extent],
) -> Result<&'a mut [T], CallError> {
    if !pointer.is_aligned() || !Extent::of(pointer, count).may_be_output(inputs) {
        return Err(CallError::InvalidArgument);
    }
    if count == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not NULL, aligned, at most isize::MAX bytes, overlaps no input (checked); writable, not accessed by others, and
    // valid when zeroed (ensured by the caller).
    unsafe {
        pointer.write_bytes(0, count);
        Ok(slice::from_raw_parts_mut(pointer, count))
    }
}

/// An output buffer and the place for its used length. The buffer is zeroed first, and again if the call fails. The length
/// is then 0, or what is enough if the buffer is too short.
pub(crate) struct Output<'a> {
    buffer: &'a mut [u8],
    len: &'a mut usize,
}

/// Returns an output buffer of `cap` bytes at `pointer`. Its used length is written to `len`, which is 0 until the call
/// ends. Neither may overlap the other or an input. An argument that breaks a rule is not written to.
///
/// # Safety
/// If `pointer` is not NULL, `cap` bytes there are writable, and nothing else accesses them during `'a`. The same holds for `len`.
pub(crate) unsafe fn output<'a, T>(
    pointer: *mut T,
    cap: usize,
    len: *mut usize,
    inputs: &[Extent],
) -> Result<Output<'a>, CallError> {
    const { assert!(size_of::<T>() == 1) };
    let extent = Extent::of(pointer, cap);
    // This check comes first: if `len` overlaps the buffer, setting it to 0 would change the buffer. `output_one`
    // checks `len` itself.
    if extent.overlaps(Extent::of(len, 1)) {
        return Err(CallError::InvalidArgument);
    }
    // SAFETY: the caller ensures it, see # Safety.
    let len = unsafe { output_one(len, 0, inputs) }?;
    if !extent.may_be_output(inputs) {
        return Err(CallError::InvalidArgument);
    }
    let buffer: &mut [u8] = if cap == 0 {
        &mut []
    } else {
        // SAFETY: not NULL, at most isize::MAX bytes, overlaps nothing (checked); writable and not accessed by others
        // (ensured by the caller). C may pass uninitialised memory, so it is zeroed before it becomes a slice.
        unsafe {
            pointer.cast::<u8>().write_bytes(0, cap);
            slice::from_raw_parts_mut(pointer.cast(), cap)
        }
    };
    Ok(Output { buffer, len })
}

impl Output<'_> {
    /// Zeroes the buffer in a way that the compiler cannot remove.
    pub(crate) fn wipe(self) {
        self.buffer.zeroize();
    }

    /// Calls `fill` to write bytes to the front of the buffer. `fill` returns the used part. If the buffer is too short, the
    /// length becomes what `enough` returns, a capacity with which the call does not fail so.
    pub(crate) fn bytes(
        self,
        enough: impl FnOnce() -> usize,
        fill: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b [u8], Error>,
    ) -> Result<(), CallError> {
        let used = fill(self.buffer).map(<[u8]>::len);
        self.finish(used, enough)
    }

    /// Calls `fill` to write text, as [`Output::bytes`] does. A NUL follows the text; the length does not count it, but
    /// `enough` does.
    pub(crate) fn text(
        self,
        enough: impl FnOnce() -> usize,
        fill: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b str, Error>,
    ) -> Result<(), CallError> {
        // Core zeroes the rest of the buffer that it gets. It does not get the last byte, which is already zero.
        let used = match self.buffer.split_last_mut() {
            Some((_, buffer)) => fill(&mut *buffer).map(str::len).and_then(|used| check_no_nul(buffer, used)),
            None => Err(Error::BufferTooSmall),
        };
        self.finish(used, enough)
    }

    fn finish(self, used: Result<usize, Error>, enough: impl FnOnce() -> usize) -> Result<(), CallError> {
        match used {
            Ok(used) => {
                *self.len = used;
                mem::forget(self);
                Ok(())
            }
            Err(error) => {
                // Not in a compact build: to compute what is enough takes up to 250 bytes of flash.
                if matches!(error, Error::BufferTooSmall) && cfg!(not(feature = "compact")) {
                    *self.len = enough();
                }
                Err(error.into())
            }
        }
    }
}

/// Returns `used` if the first `used` bytes of `buffer` contain no NUL, because C would read a text only up to it. All bytes
/// are checked, so that the time does not reveal where one is.
fn check_no_nul(buffer: &mut [u8], used: usize) -> Result<usize, Error> {
    if buffer.iter().take(used).fold(false, |found, byte| found | (*byte == 0)) {
        buffer.zeroize();
        return Err(Error::Malformed);
    }
    Ok(used)
}

/// Zeroes the buffer if the call fails or panics. On bare metal a panic does not return, and core zeroes the buffer on
/// failure.
#[cfg(feature = "os")]
impl Drop for Output<'_> {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

/// An output that is one object. It is wiped on drop, unless `keep` was called.
#[cfg(feature = "config")]
pub(crate) struct Wiped<'a, T: Zeroize> {
    object: &'a mut T,
    kept: bool,
}

#[cfg(feature = "config")]
impl<'a, T: Zeroize> Wiped<'a, T> {
    pub(crate) fn new(object: &'a mut T) -> Self {
        Self { object, kept: false }
    }

    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

#[cfg(feature = "config")]
impl<T: Zeroize> core::ops::Deref for Wiped<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.object
    }
}

#[cfg(feature = "config")]
impl<T: Zeroize> core::ops::DerefMut for Wiped<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.object
    }
}

#[cfg(feature = "config")]
impl<T: Zeroize> Drop for Wiped<'_, T> {
    fn drop(&mut self) {
        if !self.kept {
            self.object.zeroize();
        }
    }
}

/// Calls `fill` to write text into a field. A NUL follows the text, which itself must not contain one.
#[cfg(feature = "config")]
pub(crate) fn fill_field(
    field: &mut [c_char],
    fill: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b str, Error>,
) -> Result<(), CallError> {
    // SAFETY: a c_char is a byte, signed or not, and the slice lives only as long as the borrow of the field.
    let bytes = unsafe { slice::from_raw_parts_mut(field.as_mut_ptr().cast::<u8>(), field.len()) };
    // As in `Output::text`.
    let (_, bytes) = bytes.split_last_mut().ok_or(Error::BufferTooSmall)?;
    if fill(bytes)?.contains('\0') { Err(Error::Malformed.into()) } else { Ok(()) }
}

/// Returns an input that is the text of a token. Text that is not ASCII is not a token.
///
/// # Safety
/// As [`input`].
#[inline(never)] // out of line: inlined, each function would have a copy in flash
pub(crate) unsafe fn token<'a>(pointer: *const c_char, len: usize) -> Result<&'a str, CallError> {
    // SAFETY: the caller ensures it, see # Safety.
    let bytes = unsafe { input(pointer.cast::<u8>(), len) }?;
    if bytes.iter().all(u8::is_ascii) {
        // SAFETY: ASCII is UTF-8. (from_utf8 would add 370 bytes to firmware that only opens tokens.)
        Ok(unsafe { str::from_utf8_unchecked(bytes) })
    } else {
        Err(Error::Malformed.into())
    }
}
