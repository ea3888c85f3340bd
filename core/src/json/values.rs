//! Finds the value at a pointer, and all strings, of a JSON text. A [`Value`] knows its position in the text, so that a
//! caller can replace it without changing anything else.

use core::fmt;
use core::ops::Range;

use super::pointer::Steps;
use super::scan::{Events, Kind, Lexeme, MAX_DEPTH};
use super::text::same_unescaped;
#[cfg(feature = "typed")]
use super::text::unescaped_eq;
use super::walk::{Level, Walk};
use crate::compact::COMPACT;
use crate::error::Error;

/// One value of a JSON text. `Debug` shows its kind and place, but not the text, which may contain secrets.
#[derive(Clone)]
pub struct Value<'a> {
    text: &'a str,
    kind: Kind,
    span: Range<usize>,
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("kind", &self.kind).field("span", &self.span).finish_non_exhaustive()
    }
}

impl<'a> Value<'a> {
    /// Walks to the end of the value whose beginning was found last, and returns it.
    fn skip_to_end(events: &mut Events<'a>, kind: Kind) -> Result<Self, Error> {
        let start = events.start;
        events.skip_value(kind)?;
        Ok(Self { text: events.text, kind, span: start..events.offset })
    }

    /// Returns the kind of the value.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the range of the value in the text, in bytes. The range of a string includes its quotes.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Returns the JSON text of the value. For a string, that is the part between the quotes, with its escapes.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        let inside = self.inside();
        self.text.split_at(inside.end).0.split_at(inside.start).1
    }

    /// Returns the bytes of [`Value::raw`]. Firmware uses this function, because slicing a `str` checks character
    /// boundaries, which costs flash.
    ///
    /// # Errors
    /// None. A fault in this module would be reported as [`Error::InvalidJson`].
    pub(crate) fn raw_bytes(&self) -> Result<&'a [u8], Error> {
        self.text.as_bytes().get(self.inside()).ok_or(Error::InvalidJson)
    }

    /// Returns the range of the value in the text, in bytes. The range of a string excludes its quotes.
    pub(crate) fn inside(&self) -> Range<usize> {
        let quote = usize::from(self.kind == Kind::String);
        self.span.start + quote..self.span.end - quote
    }

    /// Returns the JSON Pointer of the value, for display. Displaying it takes two walks through the text and 16 KiB of
    /// stack; a [`Walk`] yields the pointers of all values in one walk. If the text after the value is not JSON, it
    /// displays `?`.
    #[must_use]
    pub const fn pointer(&self) -> PointerTo<'a> {
        PointerTo { text: self.text, offset: self.span.start }
    }

    /// Checks that no name on the path to this value occurs twice in its object. If one does, JSON readers disagree on
    /// which value is at the pointer.
    ///
    /// It takes two walks through the text for each level above the value. For many values use
    /// [`find_duplicate`](super::find_duplicate), which is linear but needs memory. Both exist because this one takes
    /// 1.5 KB less of a microcontroller's flash. `tests/core/json.rs` compares their results.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`] if a name occurs twice; [`Error::InvalidJson`] or [`Error::TooDeep`] if the text after
    /// the value is not JSON; with the feature `compact`, [`Error::TooDeep`] if the value is more than 64 levels deep.
    #[inline(never)] // out of line: inlined, its walks would be on the stack while the value is opened
    pub fn check_unique(&self) -> Result<(), Error> {
        let mut level = root(self.text)?;
        // A token at the limit costs 128 walks. For a text of 32 KiB they take a tenth of the time of the token's
        // derivation.
        let mut levels_left = if COMPACT { 64_usize } else { MAX_DEPTH };
        while let Some(child) = level.children().find(|child| child.value.span.contains(&self.span.start)) {
            if let Some(name) = child.name
                && level.children().filter_map(|other| other.name).filter(|other| same_unescaped(other, name)).count()
                    > 1
            {
                return Err(Error::DuplicateKey);
            }
            level = child.value;
            levels_left = levels_left.checked_sub(1).ok_or(Error::TooDeep)?;
        }
        Ok(())
    }

    /// Returns the member called `name` of an object, and the JSON text of its name.
    #[cfg(feature = "typed")]
    pub(crate) fn member(&self, name: &str) -> Result<Option<(&'a [u8], Self)>, Error> {
        let wanted = |child: Child<'a>| Some((child.name.filter(|raw| unescaped_eq(raw, name))?, child.value));
        let mut fitting = self.children().filter_map(wanted);
        let found = fitting.next();
        if fitting.next().is_some() { Err(Error::DuplicateKey) } else { Ok(found) }
    }

    /// Returns the members of an object or the items of an array; a string or scalar has none.
    fn children(&self) -> Children<'a> {
        let mut events = Events::at(self.text, self.span.start);
        let _opened = events.advance();
        Children { events }
    }
}

/// Checks all of `text` and returns its outermost value.
///
/// # Errors
/// [`Error::InvalidJson`] or [`Error::TooDeep`].
pub fn root(text: &str) -> Result<Value<'_>, Error> {
    find(text, "")
}

/// Returns the string values of `text`, in order.
#[must_use]
pub fn strings(text: &str) -> Strings<'_> {
    Strings(Events::new(text))
}

/// The string values of a JSON text, from [`strings`]. It ends after the first error.
#[derive(Debug, Clone)]
pub struct Strings<'a>(Events<'a>);

impl<'a> Iterator for Strings<'a> {
    type Item = Result<Value<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.advance() {
                Ok(Lexeme::Nothing) => return None,
                Ok(Lexeme::Value(Kind::String)) => return Some(Value::skip_to_end(&mut self.0, Kind::String)),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Checks all of `text` and returns the value at `pointer`, which is a JSON Pointer (`/auth/token_value`, RFC 6901) or names
/// joined by dots (`auth.token_value`). Takes one walk through the text.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`], [`Error::InvalidPointer`] or [`Error::NotFound`];
/// [`Error::DuplicateKey`] if a name on the path occurs twice in its object.
pub fn find<'a>(text: &'a str, pointer: &str) -> Result<Value<'a>, Error> {
    let steps = Steps::new(pointer)?;
    let mut events = Events::new(text);
    let mut value = Value { text, kind: Kind::Scalar, span: 0..0 };
    let mut found = Err(Error::NotFound);
    // The walk enters the objects and arrays on the path and skips all others. `led` is the number of levels of the
    // path that it has entered. `index` is the number of items that it has passed in the innermost of them. `leads`
    // says whether the next member is on the path; for an item it is `None`, because there the index decides.
    let (mut led, mut index, mut leads) = (0, 0, Some(true));
    loop {
        let level = events.depth;
        let step = steps.within(level);
        match events.advance()? {
            Lexeme::Nothing => return found.map(|()| value),
            Lexeme::End => {}
            Lexeme::Name => leads = Some(step.is_name(events.name()?)),
            Lexeme::Value(kind) => {
                let leads = leads.take().unwrap_or_else(|| {
                    index += 1;
                    led == level && step.is_index(index - 1)
                });
                let first = led == level;
                let start = events.start;
                if leads && first {
                    (led, index) = (level + 1, 0);
                    if led <= steps.count {
                        continue;
                    }
                }
                events.skip_value(kind)?;
                if leads {
                    value = Value { text, kind, span: start..events.offset };
                    found = if first { Ok(()) } else { Err(Error::DuplicateKey) };
                }
            }
        }
    }
}

/// A member of an object or an item of an array.
struct Child<'a> {
    /// The JSON text of the member's name, without quotes. An item has none.
    name: Option<&'a [u8]>,
    value: Value<'a>,
}

/// The children of one value. It ends at the first error.
struct Children<'a> {
    events: Events<'a>,
}

impl<'a> Iterator for Children<'a> {
    type Item = Child<'a>;

    fn next(&mut self) -> Option<Child<'a>> {
        // The depth is 0 after the end of the value, and for a string or scalar.
        if self.events.depth() == 0 {
            return None;
        }
        let mut found = self.events.advance().ok()?;
        let mut name = None;
        if let Lexeme::Name = found {
            name = Some(self.events.name().ok()?);
            found = self.events.advance().ok()?;
        }
        let Lexeme::Value(kind) = found else { return None };
        let value = Value::skip_to_end(&mut self.events, kind).ok()?;
        Some(Child { name, value })
    }
}

/// The JSON Pointer of a value, for display, from [`Value::pointer`].
#[derive(Clone, Copy)]
pub struct PointerTo<'a> {
    text: &'a str,
    offset: usize,
}

impl fmt::Debug for PointerTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointerTo").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl fmt::Display for PointerTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Another reader may see other levels in a text that is not valid JSON.
        if root(self.text).is_err() {
            return f.write_str("?");
        }
        let mut walk = Walk::new(self.text, [Level::default(); MAX_DEPTH]);
        while walk.start() < self.offset && walk.next().is_some() {}
        walk.write_pointer(f)
    }
}
