//! The one place where C's pointers become Rust's slices, and where the header's rules on them are checked.
//! NULL only with length 0, no length past half the address space, no output that overlaps another argument.
//! What cannot be checked, that a pointer leads to that many bytes, is the caller's promise.

use core::ffi::c_char;
use core::mem;
use core::slice;
use core::str;

use fernseal_core::Error;
use zeroize::Zeroize;

use crate::status::Failure;

/// The bytes of an argument, by address: for the check that nothing overlaps.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    start: usize,
    len: usize,
}

impl Extent {
    /// The extent of `count` objects at `pointer`.
    pub(crate) fn of<T>(pointer: *const T, count: usize) -> Self {
        Self { start: pointer.addr(), len: count.saturating_mul(size_of::<T>()) }
    }

    #[inline(never)] // once, not once for each argument
    fn is_sound(self) -> bool {
        let fits = isize::try_from(self.len).is_ok() && self.start.checked_add(self.len).is_some();
        fits && (self.len == 0 || self.start != 0)
    }

    /// Whether it shares a byte with `other`, which is sound. What is not, and is refused for that, overlaps nothing: the
    /// outputs are zeroed all the same.
    #[inline(never)] // once, not once for each argument
    fn overlaps(self, other: Self) -> bool {
        // No end of what is sound lies past the last address.
        let (end, other_end) = (self.start.wrapping_add(self.len), other.start.wrapping_add(other.len));
        self.is_sound() && self.len > 0 && other.len > 0 && self.start < other_end && other.start < end
    }
}

/// Whether `pointer` may stand for `count` objects.
fn is_sound<T>(pointer: *const T, count: usize) -> bool {
    // Extent::len is no more than what saturates, so a length that overflows is none that fits.
    pointer.is_aligned() && Extent::of(pointer, count).is_sound()
}

/// An input: `count` objects that stay as they are during the call.
///
/// # Safety
/// If `count` is not 0, `pointer` leads to `count` initialised objects that nobody changes during `'a`.
pub(crate) unsafe fn input<'a, T>(pointer: *const T, count: usize) -> Result<&'a [T], Failure> {
    if !is_sound(pointer, count) {
        return Err(Failure::InvalidArgument);
    }
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, aligned, within isize::MAX bytes (is_sound); initialised and unchanged (the caller's promise).
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// An input that is one object.
///
/// # Safety
/// As [`input`], with one object.
pub(crate) unsafe fn input_one<'a, T>(pointer: *const T) -> Result<&'a T, Failure> {
    const { assert!(size_of::<T>() > 0) };
    if !is_sound(pointer, 1) {
        return Err(Failure::InvalidArgument);
    }
    // SAFETY: not NULL, aligned (is_sound, and it has a size); initialised and unchanged (the caller's promise).
    Ok(unsafe { &*pointer })
}

/// An input that is text. What is not UTF-8 is `otherwise`.
///
/// # Safety
/// As [`input`].
pub(crate) unsafe fn text<'a>(pointer: *const c_char, len: usize, otherwise: Error) -> Result<&'a str, Failure> {
    // SAFETY: the caller's promise is the same.
    let bytes = unsafe { input(pointer.cast::<u8>(), len) }?;
    str::from_utf8(bytes).map_err(|_| otherwise.into())
}

/// An output that is one object; it begins as `initial`.
///
/// # Safety
/// If `pointer` is not NULL, it leads to one writable object that nobody else touches during `'a`.
pub(crate) unsafe fn output_one<'a, T>(pointer: *mut T, initial: T, inputs: &[Extent]) -> Result<&'a mut T, Failure> {
    let extent = Extent::of(pointer, 1);
    if !is_sound(pointer, 1) || inputs.iter().any(|input| input.overlaps(extent)) {
        return Err(Failure::InvalidArgument);
    }
    // SAFETY: not NULL, aligned, overlaps no input (checked); writable, and nobody else's (the caller's promise).
    unsafe {
        pointer.write(initial);
        Ok(&mut *pointer)
    }
}

/// An output buffer with the place for its used length. It begins zeroed, and core leaves it so when it fails.
pub(crate) struct Output<'a> {
    buffer: &'a mut [u8],
    len: &'a mut usize,
}

/// An output buffer of `cap` bytes at `pointer`, and its length at `len`; neither may overlap the other or an input.
/// The length is 0 until the call succeeds. What is at fault is not written to.
///
/// # Safety
/// If `pointer` is not NULL, `cap` bytes there are writable, and nobody else touches them during `'a`; so is `*len`.
pub(crate) unsafe fn output<'a, T>(
    pointer: *mut T,
    cap: usize,
    len: *mut usize,
    inputs: &[Extent],
) -> Result<Output<'a>, Failure> {
    const { assert!(size_of::<T>() == 1) };
    let extent = Extent::of(pointer, cap);
    // Before the length becomes 0, as that would change the buffer. (A length that is not sound is refused below.)
    if extent.overlaps(Extent::of(len, 1)) {
        return Err(Failure::InvalidArgument);
    }
    // SAFETY: the caller's promise is the same.
    let len = unsafe { output_one(len, 0, inputs) }?;
    if !is_sound(pointer, cap) || inputs.iter().any(|input| input.overlaps(extent)) {
        return Err(Failure::InvalidArgument);
    }
    let buffer: &mut [u8] = if cap == 0 {
        &mut []
    } else {
        // SAFETY: not NULL, within isize::MAX bytes, overlaps nothing (checked); writable and nobody else's (the
        // caller's promise). C need not have initialised it, so that is done first.
        unsafe {
            pointer.cast::<u8>().write_bytes(0, cap);
            slice::from_raw_parts_mut(pointer.cast(), cap)
        }
    };
    Ok(Output { buffer, len })
}

impl Output<'_> {
    /// Zeroes the buffer, whatever the compiler thinks of its use.
    pub(crate) fn wipe(self) {
        self.buffer.zeroize();
    }

    /// Lets `fill` write bytes; what it returns is the used part, at the buffer's front.
    pub(crate) fn bytes(
        self,
        fill: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b [u8], Error>,
    ) -> Result<(), Failure> {
        let used = fill(self.buffer)?.len();
        self.keep(used);
        Ok(())
    }

    /// As [`Output::bytes`], for text: a NUL follows it, which the length does not count.
    pub(crate) fn text(self, fill: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b str, Error>) -> Result<(), Failure> {
        // Core zeroes what lies behind the used part; the last byte stays zero as it was made.
        let (_, buffer) = self.buffer.split_last_mut().ok_or(Error::BufferTooSmall)?;
        let used = fill(buffer)?.len();
        self.keep(used);
        Ok(())
    }

    fn keep(self, used: usize) {
        *self.len = used;
        mem::forget(self);
    }
}

/// What is not kept is zeroed, after a panic that unwinds too (on bare metal none does, and core has zeroed it).
#[cfg(feature = "std")]
impl Drop for Output<'_> {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

/// An output that is one object, wiped in the end unless it is kept.
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

/// Lets `fill` write text into an array of C's characters; a NUL follows it, and none may be in it.
#[cfg(feature = "config")]
pub(crate) fn fill_field(
    field: &mut [c_char],
    fill: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b str, Error>,
) -> Result<(), Failure> {
    // SAFETY: a c_char is a byte, of whatever sign, and the field is borrowed for as long.
    let bytes = unsafe { slice::from_raw_parts_mut(field.as_mut_ptr().cast::<u8>(), field.len()) };
    // Core zeroes what lies behind the used part; the last byte is zero as it was made.
    let (_, bytes) = bytes.split_last_mut().ok_or(Error::BufferTooSmall)?;
    if fill(bytes)?.contains('\0') { Err(Error::Malformed.into()) } else { Ok(()) }
}

/// An input that is a token's text: ASCII, or it is none.
///
/// # Safety
/// As [`input`].
#[inline(never)] // once, not once for each function
pub(crate) unsafe fn token<'a>(pointer: *const c_char, len: usize) -> Result<&'a str, Failure> {
    // SAFETY: the caller's promise is the same.
    let bytes = unsafe { input(pointer.cast::<u8>(), len) }?;
    if bytes.iter().all(u8::is_ascii) {
        // SAFETY: ASCII is UTF-8. (from_utf8 would add 370 bytes to firmware that does nothing but open tokens.)
        Ok(unsafe { str::from_utf8_unchecked(bytes) })
    } else {
        Err(Error::Malformed.into())
    }
}
