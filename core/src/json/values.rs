//! Values of a JSON text: the one at a pointer, every string, and where each lies.

use core::fmt;
use core::ops::Range;

use super::pointer::Steps;
use super::scan::{Events, Found, Kind, MAX_DEPTH};
use super::text::same_text;
#[cfg(feature = "typed")]
use super::text::says;
use super::walk::{Level, Walk};
use crate::{COMPACT, Error};

/// One value of a JSON text. `Debug` says what it is and where, and nothing of the text, which may hold secrets.
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
    /// The value of which the beginning was found last; walks to its end.
    fn passed(events: &mut Events<'a>, kind: Kind) -> Result<Self, Error> {
        let start = events.start;
        events.pass(kind)?;
        Ok(Self { text: events.text, kind, span: start..events.offset })
    }

    /// What kind of value it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it lies, in bytes of the text; a string's quotes are included.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The value as it is written; of a string what stands between the quotes, escapes and all.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.text.get(self.inside()).unwrap_or_default()
    }

    /// As [`Value::raw`], for those who need no `str`: a microcontroller is spared what makes sure that it is one.
    pub(crate) fn raw_bytes(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.inside()).unwrap_or_default()
    }

    /// Where the value as it is written lies, without a string's quotes.
    pub(crate) fn inside(&self) -> Range<usize> {
        let quote = usize::from(self.kind == Kind::String);
        self.span.start + quote..self.span.end - quote
    }

    /// Its JSON Pointer, worked out when displayed, at the cost of two walks through the text and 16 KiB of stack: for the
    /// pointers of many values use [`Walk`]. `?` if the text turns out not to be JSON.
    #[must_use]
    pub const fn pointer(&self) -> PointerTo<'a> {
        PointerTo { text: self.text, offset: self.span.start }
    }

    /// Checks that every reader finds this value at its pointer: on the way to it no name occurs twice in its object. Takes
    /// two walks for each level that the value lies below; for many values use [`find_duplicate`](super::find_duplicate).
    ///
    /// # Errors
    /// [`Error::DuplicateKey`] if a name does, [`Error::InvalidJson`] or [`Error::TooDeep`] if the text is no JSON;
    /// [`Error::TooDeep`] with the feature `compact` also if the value lies below more than 64 levels.
    #[inline(never)] // its walks would lie on the stack of all that goes on with the value
    pub fn check_unique(&self) -> Result<(), Error> {
        let mut level = root(self.text)?;
        let mut levels_left = if COMPACT { 64_usize } else { MAX_DEPTH };
        while let Some(child) = level.children().find(|child| child.value.span.contains(&self.span.start)) {
            if let Some(name) = child.name
                && level.children().filter_map(|other| other.name).filter(|other| same_text(other, name)).count() > 1
            {
                return Err(Error::DuplicateKey);
            }
            level = child.value;
            levels_left = levels_left.checked_sub(1).ok_or(Error::TooDeep)?;
        }
        Ok(())
    }

    /// The member called `name` of an object, with its name as it is written; none if there is no such member.
    #[cfg(feature = "typed")]
    pub(crate) fn member(&self, name: &str) -> Result<Option<(&'a [u8], Self)>, Error> {
        let wanted = |child: Child<'a>| Some((child.name.filter(|raw| says(raw, name))?, child.value));
        let mut fitting = self.children().filter_map(wanted);
        let found = fitting.next();
        if fitting.next().is_some() { Err(Error::DuplicateKey) } else { Ok(found) }
    }

    /// The members of an object or the items of an array; of anything else none.
    fn children(&self) -> Children<'a> {
        let mut events = Events::at(self.text, self.span.start);
        let _opened = events.advance();
        Children { events }
    }
}

/// The value that `text` is, once all of it has been checked.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`].
pub fn root(text: &str) -> Result<Value<'_>, Error> {
    find(text, "")
}

/// The string values of `text`, in order. Ends after the first error.
#[must_use]
pub fn strings(text: &str) -> Strings<'_> {
    Strings(Events::new(text))
}

/// The string values of a JSON text, from [`strings`].
#[derive(Debug, Clone)]
pub struct Strings<'a>(Events<'a>);

impl<'a> Iterator for Strings<'a> {
    type Item = Result<Value<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.advance() {
                Ok(Found::Nothing) => return None,
                Ok(Found::Value(Kind::String)) => return Some(Value::passed(&mut self.0, Kind::String)),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The value at `pointer`: `/auth/token_value` (RFC 6901) or `auth.token_value`. The whole text is checked.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`], [`Error::BadPointer`], [`Error::NotFound`]; [`Error::DuplicateKey`] if a
/// name on the way occurs twice in its object.
pub fn find<'a>(text: &'a str, pointer: &str) -> Result<Value<'a>, Error> {
    let steps = Steps::new(pointer)?;
    let mut events = Events::new(text);
    let mut value = Value { text, kind: Kind::Scalar, span: 0..0 };
    let mut found = Err(Error::NotFound);
    // One walk, into the levels that the pointer leads through and past all others: how many levels it has led through,
    // how many items of this level are past, and, unless an item is next, whether it leads there.
    let (mut led, mut index, mut leads) = (0, 0, Some(true));
    loop {
        let level = events.depth;
        let step = steps.within(level);
        match events.advance()? {
            Found::Nothing => return found.map(|()| value),
            Found::End => {}
            Found::Name => leads = Some(step.is_name(events.name())),
            Found::Value(kind) => {
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
                events.pass(kind)?;
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
    /// The member's name, as written between the quotes; an item has none.
    name: Option<&'a [u8]>,
    value: Value<'a>,
}

/// The children of one value; ends at the first error.
struct Children<'a> {
    events: Events<'a>,
}

impl<'a> Iterator for Children<'a> {
    type Item = Child<'a>;

    fn next(&mut self) -> Option<Child<'a>> {
        // Depth 0: the value is closed, or was never open.
        if self.events.depth() == 0 {
            return None;
        }
        let mut found = self.events.advance().ok()?;
        let mut name = None;
        if let Found::Name = found {
            name = Some(self.events.name());
            found = self.events.advance().ok()?;
        }
        let Found::Value(kind) = found else { return None };
        let value = Value::passed(&mut self.events, kind).ok()?;
        Some(Child { name, value })
    }
}

/// The pointer of a value, for display.
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
        // A value of a text that breaks off behind it has no pointer that can be relied on.
        if root(self.text).is_err() {
            return f.write_str("?");
        }
        let mut walk = Walk::new(self.text, [Level::default(); MAX_DEPTH]);
        while walk.start() < self.offset && walk.next().is_some() {}
        walk.write_pointer(f)
    }
}
