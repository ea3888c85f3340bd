//! Walks through a JSON text and knows the pointer of each event; finds duplicate names on the paths to given
//! values.
//!
//! For a single value, [`find`](super::find) does the same with less memory. This module serves many values in one
//! pass. It needs memory for each open level and, to find duplicates, for each step of the paths. The caller provides
//! it, because this crate has no heap.

use core::fmt;
use core::ops::Range;

use super::pointer::write_name;
use super::scan::{Event, Events, Kind, Lexeme};
use super::text::Unescape;
use crate::error::Error;
use crate::mac::Hasher;

/// Memory of a [`Walk`] for one open object or array.
#[derive(Debug, Clone, Copy, Default)]
pub struct Level {
    /// In an object, the offset of the current member's name. In an array, the number of items up to and including the
    /// current one.
    position: usize,
    /// The hash of the path to this object or array. It is valid only in levels in which [`Walk::mark`] marked the
    /// current step.
    path: PathHash,
}

/// The hash of the path from the root to a value. The hash of the root is zero. Every other hash is the first 8 bytes
/// of the SHA-256 of the parent's hash and of the step: the member's unescaped name or the number of the item. The
/// lowest bit is not part of the hash.
///
/// Different paths may have equal hashes: among n paths with a probability of n² / 2^64. Then [`find_duplicate`]
/// reports a name that occurs only once, and the text is rejected. It never misses a name that does occur twice.
pub type PathHash = [u8; 8];

/// The bit of a [`PathHash`] in a [`PathSet`] that marks the path as already met in the text.
const MET: u8 = 1;

/// A walk through a JSON text that knows the pointer of each [`Event`]. It ends after the first error.
///
/// `L` is the memory for open levels: an array, a slice or a `Vec` of [`Level`]s.
#[derive(Debug, Clone)]
pub struct Walk<'a, L> {
    events: Events<'a>,
    levels: L,
    /// The number of outermost levels whose current step is marked.
    marked: usize,
}

impl<'a, L: AsRef<[Level]> + AsMut<[Level]>> Walk<'a, L> {
    /// Begins a walk through `text`. The text may be nested as deeply as `levels` has elements; their values do not
    /// matter, and [`MAX_DEPTH`](super::MAX_DEPTH) of them are always enough.
    #[must_use]
    pub fn new(text: &'a str, levels: L) -> Self {
        Self { events: Events::new(text), levels, marked: 0 }
    }

    /// Returns how far the walk has come, in bytes. After an error, that is the offset of the error.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.events.offset()
    }

    /// Returns where the last event begins, in bytes.
    pub(super) const fn start(&self) -> usize {
        self.events.start
    }

    /// Writes the JSON Pointer of the last event: of the value, of the value after a name, or of the value that ends.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_pointer(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for (index, level) in self.levels.as_ref().iter().enumerate().take(self.steps()) {
            if self.events.is_object(index) {
                write_name(out, self.events.string_at(level.position).map_err(|_| fmt::Error)?)?;
            } else {
                write!(out, "/{}", level.position.saturating_sub(1))?;
            }
        }
        Ok(())
    }

    /// Returns how many steps the pointer of the last event has.
    fn steps(&self) -> usize {
        let opened = matches!(self.events.found, Lexeme::Value(Kind::Object | Kind::Array));
        self.events.depth - usize::from(opened)
    }

    /// Takes the next step, as [`Events::advance`] does.
    fn advance(&mut self) -> Result<Lexeme, Error> {
        let found = self.events.advance()?;
        let steps = self.steps();
        let parent = steps.checked_sub(1);
        let is_item = matches!(found, Lexeme::Value(_)) && parent.is_some_and(|parent| !self.events.is_object(parent));
        if let Some(parent) = parent
            && (is_item || matches!(found, Lexeme::Name))
        {
            let level = self.levels.as_mut().get_mut(parent).ok_or(Error::TooDeep)?;
            level.position = if is_item { level.position + 1 } else { self.events.start };
            self.marked = self.marked.min(parent);
        }
        if let Lexeme::Value(Kind::Object | Kind::Array) = found {
            *self.levels.as_mut().get_mut(steps).ok_or(Error::TooDeep)? = Level::default();
        }
        Ok(found)
    }

    /// Returns the hash of the path to the current member or item of a level.
    fn path(&self, level: usize) -> Result<PathHash, Error> {
        let Level { position, path } = self.levels.as_ref().get(level).ok_or(Error::TooDeep)?;
        let mut hasher = Hasher::new();
        hasher.push(path);
        if self.events.is_object(level) {
            for byte in Unescape::new(self.events.string_at(*position)?) {
                hasher.push(&[byte?]);
            }
        } else {
            hasher.push(&position.to_be_bytes());
        }
        let [a, b, ..] = hasher.digest();
        Ok(((u64::from(a) << 32 | u64::from(b)) & !u64::from(MET)).to_be_bytes())
    }

    /// Inserts into `paths` the path of the last event and the paths of all its parents, unless they are already in it.
    /// Returns false if `paths` is full.
    fn mark(&mut self, paths: &mut PathSet<'_>) -> Result<bool, Error> {
        while self.marked < self.steps() {
            let path = self.path(self.marked)?;
            if !paths.insert(path) {
                return Ok(false);
            }
            self.marked += 1;
            if let Some(level) = self.levels.as_mut().get_mut(self.marked) {
                level.path = path;
            }
        }
        Ok(true)
    }
}

impl<L: AsRef<[Level]> + AsMut<[Level]>> Iterator for Walk<'_, L> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().map(|found| self.events.event(found)).transpose()
    }
}

/// Checks all of `text`, and finds an object that contains the same name twice, if that name is on the path to a value
/// that `wanted` picks: JSON readers disagree on which of the two counts. Returns the offset of the second name.
///
/// `wanted` is called for each value, in order, with its kind and its position in the text. For an object or array,
/// that is the position of its first character. `levels` is the memory of [`Walk::new`]. `paths` is memory, too: if it
/// has an element for each picked value and for each object and array that contains one, the check takes two walks
/// through the text. With fewer elements it takes two walks for each time that `paths` fills up.
///
/// # Errors
/// [`Error::InvalidJson`] or [`Error::TooDeep`]; [`Error::BufferTooSmall`] if `paths` has fewer elements than the pointer of a
/// picked value has steps.
pub fn find_duplicate(
    text: &str,
    levels: &mut [Level],
    paths: &mut [PathHash],
    mut wanted: impl FnMut(Kind, Range<usize>) -> bool,
) -> Result<Option<usize>, Error> {
    // Each round checks the picked values from `begin` on, as many as `paths` has room for.
    let mut begin = 0;
    loop {
        let mut paths = PathSet { memory: paths, len: 0 };
        let next = paths.fill(text, levels, begin, &mut wanted)?;
        if next == Some(begin) {
            return Err(Error::BufferTooSmall);
        }
        let duplicate = paths.find_duplicate(text, levels)?;
        match next {
            Some(offset) if duplicate.is_none() => begin = offset,
            _ => return Ok(duplicate),
        }
    }
}

/// A set of paths. With each path it contains the paths of all parents.
struct PathSet<'m> {
    memory: &'m mut [PathHash],
    len: usize,
}

/// The result of [`PathSet::meet`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    /// The path is not in the set.
    Unknown,
    /// It was met for the first time.
    First,
    /// It was met before.
    Again,
}

impl PathSet<'_> {
    /// Inserts the paths of the picked values that begin at offset `begin` or later. Returns the offset of the first
    /// value for which there is no room, or `None` after it has checked the text to its end.
    fn fill(
        &mut self,
        text: &str,
        levels: &mut [Level],
        begin: usize,
        wanted: &mut impl FnMut(Kind, Range<usize>) -> bool,
    ) -> Result<Option<usize>, Error> {
        let mut walk = Walk::new(text, levels);
        loop {
            let found = walk.advance()?;
            let span = walk.events.start..walk.events.offset;
            match found {
                Lexeme::Value(kind) if span.start >= begin => {
                    let start = span.start;
                    if wanted(kind, span) && !walk.mark(self)? {
                        return Ok(Some(start));
                    }
                }
                Lexeme::Value(_) | Lexeme::Name | Lexeme::End => {}
                Lexeme::Nothing => return Ok(None),
            }
        }
    }

    /// Inserts a path. Returns whether there was room.
    fn insert(&mut self, path: PathHash) -> bool {
        let Some(slot) = self.memory.get_mut(self.len) else { return false };
        *slot = path;
        self.len += 1;
        true
    }

    /// Walks through those parts of `text` that contain a path of the set. Returns the offset of the first name whose
    /// path has already been met.
    fn find_duplicate(&mut self, text: &str, levels: &mut [Level]) -> Result<Option<usize>, Error> {
        let Some(paths @ [_, ..]) = self.memory.get_mut(..self.len) else { return Ok(None) };
        paths.sort_unstable();
        let mut walk = Walk::new(text, levels);
        // The path to the next value, if it is in the set.
        let mut next = Some(PathHash::default());
        loop {
            let found = walk.advance()?;
            let parent = walk.steps().checked_sub(1);
            match (found, parent) {
                (Lexeme::Nothing, _) => return Ok(None),
                (Lexeme::Name, Some(parent)) => {
                    let path = walk.path(parent)?;
                    next = match self.meet(&path) {
                        Met::Unknown => None,
                        Met::First => Some(path),
                        Met::Again => return Ok(Some(walk.events.start)),
                    };
                }
                (Lexeme::Value(kind @ (Kind::Object | Kind::Array)), _) => {
                    if let Some(parent) = parent
                        && !walk.events.is_object(parent)
                    {
                        let path = walk.path(parent)?;
                        next = if self.meet(&path) == Met::Unknown { None } else { Some(path) };
                    }
                    match next {
                        Some(path) => {
                            let level = parent.map_or(0, |parent| parent + 1);
                            walk.levels.get_mut(level).ok_or(Error::TooDeep)?.path = path;
                        }
                        None => walk.events.skip_value(kind)?,
                    }
                }
                (Lexeme::Value(_) | Lexeme::Name | Lexeme::End, _) => {}
            }
        }
    }

    /// Looks up a path in the set, which is sorted, and marks it as met.
    fn meet(&mut self, path: &PathHash) -> Met {
        let without_mark = |known: &PathHash| (u64::from_be_bytes(*known) & !u64::from(MET)).to_be_bytes();
        let Some(paths) = self.memory.get_mut(..self.len) else { return Met::Unknown };
        let at = paths.binary_search_by_key(path, without_mark);
        match at.ok().and_then(|at| paths.get_mut(at)) {
            None => Met::Unknown,
            Some([.., last]) if *last & MET == 0 => {
                *last |= MET;
                Met::First
            }
            Some(_) => Met::Again,
        }
    }
}
