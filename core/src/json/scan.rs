//! The scanner: the events of a JSON text, one at a time.

use core::ops::Range;
use core::{fmt, mem};

use crate::Error;

/// The greatest depth of nesting that is read.
pub const MAX_DEPTH: usize = 1024;

/// What the next step of a scan found. A range is in bytes of the text and includes a string's quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `{`, at this offset.
    ObjectStart(usize),
    /// `[`, at this offset.
    ArrayStart(usize),
    /// The `}` or `]` that closes the innermost level, at this offset.
    End(usize),
    /// The name of an object's member; its value follows.
    Name(Range<usize>),
    /// A string value.
    String(Range<usize>),
    /// A number, `true`, `false` or `null`.
    Scalar(Range<usize>),
}

/// What a step of a walk came to, for this module's own use: where it lies is between the walk's `start` and `offset`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// The name of an object's member.
    Name,
    /// A string or scalar, or the first character of an object or array.
    Value(Kind),
    /// The end of the innermost level.
    End,
    /// The end of the text.
    Nothing,
}

/// What may stand next in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// A value.
    Value,
    /// A level's end, or its first member or item.
    First,
    /// A level's end, or a comma and its next member or item; outside all levels the end of the text.
    Next,
    /// The colon behind a name, and a value.
    Colon,
    /// Nothing: the walk is over.
    Nothing,
}

/// A walk through a JSON text, one [`Event`] at a time. It ends after the first error.
#[derive(Clone)]
pub struct Events<'a> {
    pub(super) text: &'a str,
    /// What was found last, and where it begins.
    pub(super) found: Found,
    pub(super) start: usize,
    pub(super) offset: usize,
    pub(super) depth: usize,
    /// One bit a level: set for an object.
    objects: [u32; MAX_DEPTH / 32],
    expect: Expect,
}

impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("offset", &self.offset).field("depth", &self.depth).finish_non_exhaustive()
    }
}

impl<'a> Events<'a> {
    /// A walk through the whole of `text`.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        Self::at(text, if text.as_bytes().starts_with(MARK) { MARK.len() } else { 0 })
    }

    /// A walk from the value that begins at `offset`, to its end if the caller stops there.
    pub(super) fn at(text: &'a str, offset: usize) -> Self {
        let (found, expect) = (Found::Nothing, Expect::Value);
        Self { text, found, start: offset, offset, depth: 0, objects: [0; MAX_DEPTH / 32], expect }
    }

    /// How far the walk has come, in bytes; after an error, where it lies.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// How many levels are open.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// The next byte; 0, which no more belongs here, at the end of the text.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.offset).copied().unwrap_or_default()
    }

    #[cfg_attr(feature = "compact", inline(never))] // once, not once for each character
    fn take(&mut self, wanted: u8) -> bool {
        let there = self.peek() == wanted;
        self.offset += usize::from(there);
        there
    }

    #[cfg_attr(feature = "compact", inline(never))] // once, not twice a step
    fn skip_white_space(&mut self) {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek() {
            self.offset += 1;
        }
    }

    /// Whether an open level is that of an object.
    pub(super) fn is_object(&self, level: usize) -> bool {
        self.objects.get(level / 32).is_some_and(|bits| bits >> (level % 32) & 1 == 1)
    }

    /// The next step. After an error, as after the end of the text, there is [`Found::Nothing`].
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Found, Error> {
        self.step().map(|()| self.found)
    }

    fn step(&mut self) -> Result<(), Error> {
        let expect = mem::replace(&mut self.expect, Expect::Nothing);
        self.found = Found::Nothing;
        if expect == Expect::Nothing {
            return Ok(());
        }
        self.skip_white_space();
        self.start = self.offset;
        if expect == Expect::Next && self.depth == 0 {
            return if self.offset == self.text.len() { Ok(()) } else { Err(Error::InvalidJson) };
        }
        let in_object = self.is_object(self.depth.wrapping_sub(1));
        if matches!(expect, Expect::First | Expect::Next) && self.take(if in_object { b'}' } else { b']' }) {
            self.depth -= 1;
            self.found = Found::End;
            self.expect = Expect::Next;
            return Ok(());
        }
        if expect == Expect::Next && !self.take(b',') || expect == Expect::Colon && !self.take(b':') {
            return Err(Error::InvalidJson);
        }
        self.skip_white_space();
        self.start = self.offset;
        if !in_object || matches!(expect, Expect::Value | Expect::Colon) {
            return self.value();
        }
        self.string()?;
        self.found = Found::Name;
        self.expect = Expect::Colon;
        Ok(())
    }

    fn value(&mut self) -> Result<(), Error> {
        let mut kind = Kind::Scalar;
        match self.peek() {
            b'{' => return self.open(Kind::Object),
            b'[' => return self.open(Kind::Array),
            b'"' => {
                kind = Kind::String;
                self.string()
            }
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }?;
        self.found = Found::Value(kind);
        self.expect = Expect::Next;
        Ok(())
    }

    fn open(&mut self, kind: Kind) -> Result<(), Error> {
        let bits = self.objects.get_mut(self.depth / 32).ok_or(Error::TooDeep)?;
        let bit = 1 << (self.depth % 32);
        *bits = if kind == Kind::Object { *bits | bit } else { *bits & !bit };
        self.depth += 1;
        self.offset += 1;
        self.found = Found::Value(kind);
        self.expect = Expect::First;
        Ok(())
    }

    #[cfg_attr(feature = "compact", inline(never))] // once, not once for each word
    fn word(&mut self, word: &[u8]) -> Result<(), Error> {
        if word.iter().all(|byte| self.take(*byte)) { Ok(()) } else { Err(Error::InvalidJson) }
    }

    fn number(&mut self) -> Result<(), Error> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    #[cfg_attr(feature = "compact", inline(never))] // once, not once for each part of a number
    fn digits(&mut self) -> Result<(), Error> {
        let start = self.offset;
        while self.peek().is_ascii_digit() {
            self.offset += 1;
        }
        if self.offset == start { Err(Error::InvalidJson) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<(), Error> {
        if !self.take(b'"') {
            return Err(Error::InvalidJson);
        }
        loop {
            match self.peek() {
                0..0x20 => return Err(Error::InvalidJson),
                b'"' => break,
                b'\\' => self.escape()?,
                _ => {}
            }
            self.offset += 1;
        }
        self.offset += 1;
        Ok(())
    }

    /// Walks from the backslash of an escape to its last character.
    fn escape(&mut self) -> Result<(), Error> {
        self.offset += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => (0..4).try_for_each(|_| {
                self.offset += 1;
                if self.peek().is_ascii_hexdigit() { Ok(()) } else { Err(Error::InvalidJson) }
            }),
            _ => Err(Error::InvalidJson),
        }
    }

    /// The inside of the string that begins at `start`, which was found before.
    pub(super) fn string_at(&self, start: usize) -> &'a [u8] {
        let mut string = Self::at(self.text, start);
        match string.string() {
            Ok(()) => self.text.as_bytes().get(start + 1..string.offset - 1).unwrap_or_default(),
            Err(_) => &[],
        }
    }

    /// The name that was found last, as written between its quotes.
    pub(super) fn name(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.start + 1..self.offset - 1).unwrap_or_default()
    }

    /// What was found last, as an event; none at the end of the text.
    pub(super) fn event(&self, found: Found) -> Option<Event> {
        let span = self.start..self.offset;
        Some(match found {
            Found::Nothing => return None,
            Found::Name => Event::Name(span),
            Found::End => Event::End(span.start),
            Found::Value(Kind::Object) => Event::ObjectStart(span.start),
            Found::Value(Kind::Array) => Event::ArrayStart(span.start),
            Found::Value(Kind::String) => Event::String(span),
            Found::Value(Kind::Scalar) => Event::Scalar(span),
        })
    }

    /// Walks to the end of the value of which the beginning was found last.
    #[cfg_attr(feature = "compact", inline(never))] // once, not once for each who passes something
    pub(super) fn pass(&mut self, kind: Kind) -> Result<(), Error> {
        let outside = self.depth - usize::from(matches!(kind, Kind::Object | Kind::Array));
        while self.depth > outside {
            self.advance()?;
        }
        Ok(())
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().map(|found| self.event(found)).transpose()
    }
}

/// The kinds of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A number, `true`, `false` or `null`.
    Scalar,
    /// An object.
    Object,
    /// An array.
    Array,
}
