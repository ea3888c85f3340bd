//! The JSON scanner: finds the lexical elements of a text (RFC 8259) one after another, and rejects invalid JSON.
//!
//! It neither recurses nor allocates. For each open level it stores one bit, which says whether the level is an object
//! or an array; so nesting is limited to [`MAX_DEPTH`] levels. [`Events`] is the public interface. The other modules of
//! `json` use [`Lexeme`], which is smaller.

use core::ops::Range;
use core::{fmt, mem};

use crate::error::Error;

/// How many levels a text may be nested.
pub const MAX_DEPTH: usize = 1024;

/// A lexical element of a JSON text. Offsets and ranges are in bytes of the text; a string's range includes its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The `{` at this offset.
    ObjectStart(usize),
    /// The `[` at this offset.
    ArrayStart(usize),
    /// The `}` or `]` at this offset, which closes the innermost level.
    End(usize),
    /// The name of a member. Its value follows.
    Name(Range<usize>),
    /// A string value.
    String(Range<usize>),
    /// A number, `true`, `false` or `null`.
    Scalar(Range<usize>),
}

/// The result of a step. Its text is between the `start` and the `offset` of [`Events`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Lexeme {
    /// The name of a member.
    Name,
    /// A whole string or scalar, or the first character of an object or array.
    Value(Kind),
    /// The end of the innermost level.
    End,
    /// The end of the text.
    Nothing,
}

/// The tokens that the grammar allows next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// A value.
    Value,
    /// The end of the innermost level, or its first member or item.
    First,
    /// The end of the innermost level, or a comma and the next member or item. Outside all levels, the end of the text.
    Next,
    /// The colon after a name, and a value.
    Colon,
    /// Nothing: the text or the walk has ended.
    Nothing,
}

/// A walk through a JSON text, one [`Event`] at a time. It ends after the first error. [`Walk`](super::Walk) also knows the
/// pointer of each event.
#[derive(Clone)]
pub struct Events<'a> {
    pub(super) text: &'a str,
    /// What was found last.
    pub(super) found: Lexeme,
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// Where it ends, and the next step begins.
    pub(super) offset: usize,
    /// How many levels are open.
    pub(super) depth: usize,
    /// A bit for each open level: 1 for an object, 0 for an array.
    objects: [u32; MAX_DEPTH / 32],
    expect: Expect,
    /// Whether comments, and a comma before the end of a level, are accepted.
    #[cfg(feature = "jsonc")]
    relaxed: bool,
}

impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("offset", &self.offset).field("depth", &self.depth).finish_non_exhaustive()
    }
}

impl<'a> Events<'a> {
    /// Begins a walk through `text`, after a byte order mark if there is one.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        Self::at(text, if text.as_bytes().starts_with(MARK) { MARK.len() } else { 0 })
    }

    /// Begins a walk at the value at `offset`. When that value has ended, the depth is 0, and the caller must stop.
    pub(super) fn at(text: &'a str, offset: usize) -> Self {
        let (found, expect) = (Lexeme::Nothing, Expect::Value);
        Self {
            text,
            found,
            start: offset,
            offset,
            depth: 0,
            objects: [0; MAX_DEPTH / 32],
            expect,
            #[cfg(feature = "jsonc")]
            relaxed: false,
        }
    }

    /// Begins a walk through `text`, which may have comments (`//` to the end of the line, `/*` to `*/`) and a comma after the
    /// last member or item: JSONC, as editors read their settings.
    #[cfg(feature = "jsonc")]
    #[must_use]
    pub fn relaxed(text: &'a str) -> Self {
        Self { relaxed: true, ..Self::new(text) }
    }

    /// Returns how far the walk has come, in bytes. After an error, that is the offset of the error.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns how many levels are open.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the next byte, or a NUL at the end of the text. The grammar does not allow a NUL anywhere, so both are
    /// rejected alike.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.offset).copied().unwrap_or(0)
    }

    /// Advances past the byte `wanted` if it comes next. Returns whether it did.
    #[cfg_attr(feature = "compact", inline(never))] // inlining it at its 15 callers costs 400 bytes of flash
    fn take(&mut self, wanted: u8) -> bool {
        let there = self.peek() == wanted;
        self.offset += usize::from(there);
        there
    }

    #[cfg_attr(feature = "compact", inline(never))] // out of line: inlined, both callers would hold a copy in flash
    fn skip_whitespace(&mut self) {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek() {
            self.offset += 1;
        }
        #[cfg(feature = "jsonc")]
        if self.relaxed {
            self.skip_comments();
        }
    }

    /// Skips the comments that follow, and the whitespace after each. It does not skip one that is not closed.
    #[cfg(feature = "jsonc")]
    #[cold] // strict JSON, which is read most, is not to pay for it
    #[inline(never)]
    fn skip_comments(&mut self) {
        loop {
            let rest = self.text.get(self.offset..).unwrap_or("");
            let len = if let Some(line) = rest.strip_prefix("//") {
                Some(line.find(['\n', '\r']).map_or(rest.len(), |len| len + 2))
            } else {
                rest.strip_prefix("/*").and_then(|inside| Some(inside.find("*/")? + 4))
            };
            let Some(len) = len else { return };
            self.offset += len;
            while let b' ' | b'\t' | b'\n' | b'\r' = self.peek() {
                self.offset += 1;
            }
        }
    }

    /// Returns whether an open level is an object, counted from 0 for the outermost.
    pub(super) fn is_object(&self, level: usize) -> bool {
        self.objects.get(level / 32).is_some_and(|bits| bits >> (level % 32) & 1 == 1)
    }

    /// Takes the next step and returns what it found. After the end of the text and after an error, that is
    /// [`Lexeme::Nothing`].
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Lexeme, Error> {
        self.step().map(|()| self.found)
    }

    fn step(&mut self) -> Result<(), Error> {
        let expect = mem::replace(&mut self.expect, Expect::Nothing);
        self.found = Lexeme::Nothing;
        if expect == Expect::Nothing {
            return Ok(());
        }
        self.skip_whitespace();
        self.start = self.offset;
        if expect == Expect::Next && self.depth == 0 {
            return if self.offset == self.text.len() { Ok(()) } else { Err(Error::InvalidJson) };
        }
        let in_object = self.is_object(self.depth.wrapping_sub(1));
        if matches!(expect, Expect::First | Expect::Next) && self.close(in_object) {
            return Ok(());
        }
        if expect == Expect::Next && !self.take(b',') || expect == Expect::Colon && !self.take(b':') {
            return Err(Error::InvalidJson);
        }
        self.skip_whitespace();
        self.start = self.offset;
        #[cfg(feature = "jsonc")]
        if self.relaxed && expect == Expect::Next && self.close(in_object) {
            return Ok(());
        }
        if !in_object || matches!(expect, Expect::Value | Expect::Colon) {
            return self.value();
        }
        self.string()?;
        self.found = Lexeme::Name;
        self.expect = Expect::Colon;
        Ok(())
    }

    /// Passes the end of the innermost level if it is next, and returns whether it was.
    fn close(&mut self, in_object: bool) -> bool {
        let closes = self.take(if in_object { b'}' } else { b']' });
        if closes {
            self.depth -= 1;
            self.found = Lexeme::End;
            self.expect = Expect::Next;
        }
        closes
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
        self.found = Lexeme::Value(kind);
        self.expect = Expect::Next;
        Ok(())
    }

    fn open(&mut self, kind: Kind) -> Result<(), Error> {
        let bits = self.objects.get_mut(self.depth / 32).ok_or(Error::TooDeep)?;
        let bit = 1 << (self.depth % 32);
        *bits = if kind == Kind::Object { *bits | bit } else { *bits & !bit };
        self.depth += 1;
        self.offset += 1;
        self.found = Lexeme::Value(kind);
        self.expect = Expect::First;
        Ok(())
    }

    #[cfg_attr(feature = "compact", inline(never))] // inlined, flash would hold a copy for each of three words
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

    #[cfg_attr(feature = "compact", inline(never))] // inlined, flash would hold a copy for each part of a number
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

    /// Advances to the last character of an escape.
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

    /// Returns the inside of the string that begins at `start`, with its escapes.
    pub(super) fn string_at(&self, start: usize) -> Result<&'a [u8], Error> {
        let mut string = Self::at(self.text, start);
        string.string()?;
        string.name()
    }

    /// Returns the JSON text of the name that was found last, without quotes.
    pub(super) fn name(&self) -> Result<&'a [u8], Error> {
        self.text.as_bytes().get(self.start + 1..self.offset - 1).ok_or(Error::InvalidJson)
    }

    /// Returns what was found last as an event; none at the end of the text.
    pub(super) fn event(&self, found: Lexeme) -> Option<Event> {
        let span = self.start..self.offset;
        Some(match found {
            Lexeme::Nothing => return None,
            Lexeme::Name => Event::Name(span),
            Lexeme::End => Event::End(span.start),
            Lexeme::Value(Kind::Object) => Event::ObjectStart(span.start),
            Lexeme::Value(Kind::Array) => Event::ArrayStart(span.start),
            Lexeme::Value(Kind::String) => Event::String(span),
            Lexeme::Value(Kind::Scalar) => Event::Scalar(span),
        })
    }

    /// Walks to the end of the value whose beginning was found last.
    #[cfg_attr(feature = "compact", inline(never))] // out of line: inlined, each caller would hold a copy in flash
    pub(super) fn skip_value(&mut self, kind: Kind) -> Result<(), Error> {
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
