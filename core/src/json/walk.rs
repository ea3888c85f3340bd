//! A walk that knows where it is: each event of a text together with its pointer, and whether a name on the way to it
//! occurs twice. Whoever needs the pointers of many values uses this; [`find`](super::find) is for one.
//!
//! The walk needs memory for every open level, which the caller provides, because this crate has no heap.

use core::fmt;
use core::ops::Range;

use super::pointer::write_name;
use super::scan::{Event, Events, Found, Kind};
use super::text::Unescape;
use crate::Error;
use crate::mac::Hasher;

/// The walk's memory for one open object or array.
#[derive(Debug, Clone, Copy, Default)]
pub struct Level {
    /// Of an object, where the present member's name begins; of an array, the index of the present item.
    position: usize,
    /// The path to this object or array. It is known only on the way to values that were marked.
    path: Path,
}

/// Before the first item: one more is index 0.
const NO_ITEM: usize = usize::MAX;

/// Stands for the path from the root to a value: the first 8 bytes of the SHA-256 of the path to its parent and of the
/// step from there (the member's name without escapes, or the item's index). The root's is zero. The lowest bit is
/// not part of it.
///
/// Among n paths, two have the same 63 bits by chance once in 2^64 / n² texts; they are then taken for one path that
/// occurs twice, and the text is refused. A path that does occur twice is never overlooked.
pub type Path = [u8; 8];

/// The bit of a [`Path`] in a [`Paths`] that says that the path was met in the text.
const MET: u8 = 1;

/// A walk through a JSON text that follows which member or item it is in. It ends after the first error, as [`Events`] does.
#[derive(Debug, Clone)]
pub struct Walk<'a, L> {
    events: Events<'a>,
    levels: L,
    /// Of how many of the outermost levels the present step was marked.
    marked: usize,
}

impl<'a, L: AsRef<[Level]> + AsMut<[Level]>> Walk<'a, L> {
    /// Begins a walk through `text`, which may be nested as deeply as `levels` has elements ([`MAX_DEPTH`](super::MAX_DEPTH)
    /// are always enough; what they hold does not matter).
    #[must_use]
    pub fn new(text: &'a str, levels: L) -> Self {
        Self { events: Events::new(text), levels, marked: 0 }
    }

    /// How far the walk has come, in bytes; after an error, where it lies.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.events.offset()
    }

    /// Where what was found last begins.
    pub(super) const fn start(&self) -> usize {
        self.events.start
    }

    /// Writes the JSON Pointer of what was found last: of a value, of the value that a name belongs to, or of the object or
    /// array that has ended.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_pointer(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for (index, level) in self.levels.as_ref().iter().enumerate().take(self.steps()) {
            if self.events.is_object(index) {
                write_name(out, self.events.string_at(level.position))?;
            } else {
                write!(out, "/{}", level.position)?;
            }
        }
        Ok(())
    }

    /// How many steps lead from the root to what was found last.
    fn steps(&self) -> usize {
        let opened = matches!(self.events.found, Found::Value(Kind::Object | Kind::Array));
        self.events.depth - usize::from(opened)
    }

    /// The next step, as [`Events::advance`] has it.
    fn step(&mut self) -> Result<Found, Error> {
        let found = self.events.advance()?;
        let steps = self.steps();
        let mut here = self.levels.as_mut().iter_mut().skip(steps.wrapping_sub(1));
        match found {
            Found::Name => {
                self.marked = self.marked.min(steps - 1);
                here.next().ok_or(Error::TooDeep)?.position = self.events.start;
            }
            Found::Value(kind) => {
                if steps > 0 && !self.events.is_object(steps - 1) {
                    self.marked = self.marked.min(steps - 1);
                    let level = here.next().ok_or(Error::TooDeep)?;
                    level.position = level.position.wrapping_add(1);
                }
                if let Kind::Object | Kind::Array = kind {
                    let level = self.levels.as_mut().get_mut(steps).ok_or(Error::TooDeep)?;
                    *level = Level { position: NO_ITEM, path: Path::default() };
                }
            }
            Found::End | Found::Nothing => {}
        }
        Ok(found)
    }

    /// The path that the present step of a level leads to.
    fn path(&self, level: usize) -> Result<Path, Error> {
        let Level { position, path } = self.levels.as_ref().get(level).ok_or(Error::TooDeep)?;
        let mut hasher = Hasher::new();
        hasher.push(path);
        if self.events.is_object(level) {
            for byte in Unescape::new(self.events.string_at(*position)) {
                hasher.push(&[byte?]);
            }
        } else {
            hasher.push(&position.to_be_bytes());
        }
        let [a, b, ..] = hasher.digest();
        Ok(((u64::from(a) << 32 | u64::from(b)) & !u64::from(MET)).to_be_bytes())
    }

    /// Puts the paths of what was found last and of all that it lies in into `paths`; false if there is no room.
    fn mark(&mut self, paths: &mut Paths<'_>) -> Result<bool, Error> {
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
        self.step().map(|found| self.events.event(found)).transpose()
    }
}

/// Finds a name that occurs twice in its object, where that object and name lie on the way to a value that `wanted` picks:
/// readers disagree on which of the two counts. Returns the offset of the second such name.
///
/// `wanted` is asked about each value, in order, by its kind and place in the text (of an object or array, the place of its
/// first character). `levels` are as in [`Walk::new`]. `paths` are memory too: as many as there are values and objects and
/// arrays around them let it end after two walks through the text; with fewer it takes more walks, two for each time that
/// they are full.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`]; [`Error::BufferTooSmall`] if `paths` are fewer than the levels that a picked
/// value lies below.
pub fn find_duplicate(
    text: &str,
    levels: &mut [Level],
    paths: &mut [Path],
    mut wanted: impl FnMut(Kind, Range<usize>) -> bool,
) -> Result<Option<usize>, Error> {
    let mut begin = 0;
    loop {
        let mut paths = Paths { memory: paths, len: 0 };
        let mut walk = Walk::new(text, &mut *levels);
        // Where the next round begins.
        let mut next = None;
        while let found @ (Found::Name | Found::End | Found::Value(_)) = walk.step()? {
            let span = walk.events.start..walk.events.offset;
            if let Found::Value(kind) = found
                && span.start >= begin
                && wanted(kind, span.clone())
                && !walk.mark(&mut paths)?
            {
                next = Some(span.start);
                break;
            }
        }
        if next == Some(begin) {
            return Err(Error::BufferTooSmall);
        }
        paths.sort();
        let duplicate = paths.find_again(text, levels)?;
        match next {
            Some(offset) if duplicate.is_none() => begin = offset,
            _ => return Ok(duplicate),
        }
    }
}

/// A set of paths, each with all that it leads through.
struct Paths<'m> {
    memory: &'m mut [Path],
    len: usize,
}

/// How often a path was met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    /// It is not in the set.
    Unknown,
    First,
    Again,
}

impl Paths<'_> {
    /// Puts a path into the set, once; false if there is no room.
    fn insert(&mut self, path: Path) -> bool {
        let Some(slot) = self.memory.get_mut(self.len) else { return false };
        *slot = path;
        self.len += 1;
        true
    }

    /// Gets the set ready for [`Paths::meet`].
    fn sort(&mut self) {
        if let Some(paths) = self.memory.get_mut(..self.len) {
            paths.sort_unstable();
        }
    }

    fn meet(&mut self, path: &Path) -> Met {
        let bare = |known: &Path| (u64::from_be_bytes(*known) & !u64::from(MET)).to_be_bytes();
        let Some(paths) = self.memory.get_mut(..self.len) else { return Met::Unknown };
        let at = paths.binary_search_by_key(path, bare);
        match at.ok().and_then(|at| paths.get_mut(at)) {
            None => Met::Unknown,
            Some([.., last]) if *last & MET == 0 => {
                *last |= MET;
                Met::First
            }
            Some(_) => Met::Again,
        }
    }

    /// Walks through `text` where the paths lead, and returns the offset of the first name that is met again.
    fn find_again(&mut self, text: &str, levels: &mut [Level]) -> Result<Option<usize>, Error> {
        let mut walk = Walk::new(text, levels);
        let mut next = Some(Path::default());
        loop {
            let found = walk.step()?;
            let level = walk.steps().wrapping_sub(1);
            match found {
                Found::Nothing => return Ok(None),
                Found::End => {}
                Found::Name => {
                    let path = walk.path(level)?;
                    next = match self.meet(&path) {
                        Met::Unknown => None,
                        Met::First => Some(path),
                        Met::Again => return Ok(Some(walk.events.start)),
                    };
                }
                Found::Value(kind @ (Kind::Object | Kind::Array)) => {
                    if level != usize::MAX && !walk.events.is_object(level) {
                        let path = walk.path(level)?;
                        next = Some(path).filter(|path| self.meet(path) != Met::Unknown);
                    }
                    match (next, walk.levels.get_mut(level.wrapping_add(1))) {
                        (Some(path), Some(level)) => level.path = path,
                        _ => walk.events.pass(kind)?,
                    }
                }
                Found::Value(_) => {}
            }
        }
    }
}
