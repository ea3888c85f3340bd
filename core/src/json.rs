//! Where the strings of a JSON text lie, so that one can be read or replaced and nothing else changes.
//! Strict to RFC 8259 (a byte order mark is let pass), without recursion, without allocation: a bit per
//! open level, and at most [`MAX_DEPTH`] levels. Pointers are JSON Pointers (RFC 6901), or names joined by dots.

use core::ops::Range;
use core::{fmt, iter, mem, slice, str};

use crate::{Error, SMALL, buffer};

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
enum Found {
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
    text: &'a str,
    /// What was found last, and where it begins.
    found: Found,
    start: usize,
    offset: usize,
    depth: usize,
    /// One bit a level: set for an object.
    objects: [u32; MAX_DEPTH / 32],
    expect: Expect,
    /// Whether comments and commas before the end of a level are let pass.
    #[cfg(feature = "jsonc")]
    relaxed: bool,
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
    fn at(text: &'a str, offset: usize) -> Self {
        let (found, expect) = (Found::Nothing, Expect::Value);
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

    /// A walk through the whole of `text`, which may have comments (`//` to the end of the line, `/*` to `*/`) and a comma
    /// behind the last member or item: JSONC, as editors read their settings.
    #[cfg(feature = "jsonc")]
    #[must_use]
    pub fn relaxed(text: &'a str) -> Self {
        Self { relaxed: true, ..Self::new(text) }
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

    #[cfg_attr(target_os = "none", inline(never))] // once, not once for each character
    fn take(&mut self, wanted: u8) -> bool {
        let there = self.peek() == wanted;
        self.offset += usize::from(there);
        there
    }

    #[cfg_attr(target_os = "none", inline(never))] // once, not twice a step
    fn skip_white_space(&mut self) {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek() {
            self.offset += 1;
        }
        #[cfg(feature = "jsonc")]
        if self.relaxed {
            self.skip_comments();
        }
    }

    /// Skips the comments that follow, each with the white space behind it. One that is not closed is not skipped.
    #[cfg(feature = "jsonc")]
    fn skip_comments(&mut self) {
        loop {
            let rest = self.text.get(self.offset..).unwrap_or_default();
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

    fn in_object(&self) -> bool {
        let level = self.depth.wrapping_sub(1);
        self.objects.get(level / 32).is_some_and(|bits| bits >> (level % 32) & 1 == 1)
    }

    /// The next step. After an error, as after the end of the text, there is [`Found::Nothing`].
    #[inline]
    fn advance(&mut self) -> Result<Found, Error> {
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
        let in_object = self.in_object();
        if matches!(expect, Expect::First | Expect::Next) && self.close(in_object) {
            return Ok(());
        }
        if expect == Expect::Next && !self.take(b',') || expect == Expect::Colon && !self.take(b':') {
            return Err(Error::InvalidJson);
        }
        self.skip_white_space();
        self.start = self.offset;
        #[cfg(feature = "jsonc")]
        if self.relaxed && expect == Expect::Next && self.close(in_object) {
            return Ok(());
        }
        if !in_object || matches!(expect, Expect::Value | Expect::Colon) {
            return self.value();
        }
        self.string()?;
        self.found = Found::Name;
        self.expect = Expect::Colon;
        Ok(())
    }

    /// Takes the end of the innermost level, if it is next.
    fn close(&mut self, in_object: bool) -> bool {
        let is_end = self.take(if in_object { b'}' } else { b']' });
        if is_end {
            self.depth -= 1;
            self.found = Found::End;
            self.expect = Expect::Next;
        }
        is_end
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

    #[cfg_attr(target_os = "none", inline(never))] // once, not once for each word
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

    #[cfg_attr(target_os = "none", inline(never))] // once, not once for each part of a number
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

    /// The name that was found last, as written between its quotes.
    fn name(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.start + 1..self.offset - 1).unwrap_or_default()
    }

    /// Walks to the end of the value of which the beginning was found last.
    #[cfg_attr(target_os = "none", inline(never))] // once, not once for each who passes something
    fn pass(&mut self, kind: Kind) -> Result<(), Error> {
        let outside = self.depth - usize::from(matches!(kind, Kind::Object | Kind::Array));
        while self.depth > outside {
            self.advance()?;
        }
        Ok(())
    }

    /// The value of which the beginning was found last, once it is passed.
    fn whole(&mut self, kind: Kind) -> Result<Value<'a>, Error> {
        let start = self.start;
        self.pass(kind)?;
        Ok(Value { text: self.text, kind, span: start..self.offset })
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.advance();
        let span = self.start..self.offset;
        match found {
            Ok(Found::Nothing) => None,
            Ok(Found::Name) => Some(Ok(Event::Name(span))),
            Ok(Found::End) => Some(Ok(Event::End(span.start))),
            Ok(Found::Value(Kind::Object)) => Some(Ok(Event::ObjectStart(span.start))),
            Ok(Found::Value(Kind::Array)) => Some(Ok(Event::ArrayStart(span.start))),
            Ok(Found::Value(Kind::String)) => Some(Ok(Event::String(span))),
            Ok(Found::Value(Kind::Scalar)) => Some(Ok(Event::Scalar(span))),
            Err(error) => Some(Err(error)),
        }
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

    /// Its JSON Pointer, worked out when displayed, at the cost of one look at the text before it for each level.
    /// `?` if the text turns out not to be JSON.
    #[must_use]
    pub const fn pointer(&self) -> PointerTo<'a> {
        PointerTo { text: self.text, offset: self.span.start }
    }

    /// Whether every reader finds this value at its pointer: on the way to it no name occurs twice in its object.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`] if one does, [`Error::InvalidJson`] or [`Error::TooDeep`] if the text is no JSON.
    #[inline(never)] // its walks would lie on the stack of all that goes on with the value
    pub fn is_unique(&self) -> Result<(), Error> {
        let mut level = root(self.text)?;
        while let Some(child) = level.child_around(self.span.start) {
            if let Some(name) = child.name
                && level.children().filter_map(|other| other.name).filter(|other| same_text(other, name)).count() > 1
            {
                return Err(Error::DuplicateKey);
            }
            level = child.value;
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
        Children { events, index: 0 }
    }

    /// The child that begins at `offset` or around it.
    fn child_around(&self, offset: usize) -> Option<Child<'a>> {
        self.children().find(|child| child.value.span.contains(&offset))
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
pub fn strings(text: &str) -> impl Iterator<Item = Result<Value<'_>, Error>> {
    let mut events = Events::new(text);
    iter::from_fn(move || {
        loop {
            match events.advance() {
                Ok(Found::Nothing) => return None,
                Ok(Found::Value(Kind::String)) => return Some(events.whole(Kind::String)),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    })
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

/// The length of `plain` as the inside of a JSON string, in bytes.
#[must_use]
pub fn escaped_len(plain: &str) -> usize {
    plain.bytes().map(|byte| escape_of(byte).len()).sum()
}

/// Writes `plain` as the inside of a JSON string, into [`escaped_len`] bytes of `out`: only what must be escaped is.
///
/// # Errors
/// [`Error::BufferTooSmall`]; `out` is zeroed then.
pub fn escape<'o>(plain: &str, out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::put(out, plain.as_bytes())?;
        escape_in_place(plain.len(), out)
    })
}

/// Reads the inside of a JSON string (as [`Value::raw`] gives it) into at most `raw.len()` bytes of `out`.
///
/// # Errors
/// [`Error::InvalidJson`] for a wrong escape, [`Error::NotText`] for half a surrogate pair,
/// [`Error::BufferTooSmall`]; `out` is zeroed then.
pub fn unescape<'o>(raw: &str, out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| unescape_into(raw.as_bytes(), out))
}

/// Writes the first `len` bytes of `buf`, which are text, onto themselves as the inside of a JSON string.
pub(crate) fn escape_in_place(len: usize, buf: &mut [u8]) -> Result<usize, Error> {
    let plain = buf.get(..len).ok_or(Error::BufferTooSmall)?;
    // The text is a secret, and most have nothing to escape: nothing more than that is then told by the time.
    if !SMALL && plain.iter().fold(0, |any, byte| any | must_be_escaped(*byte)) == 0 {
        return Ok(len);
    }
    let escaped_len: usize = plain.iter().map(|byte| escape_of(*byte).len()).sum();
    let buf = buf.get_mut(..escaped_len).ok_or(Error::BufferTooSmall)?;
    // From the last to the first: the escaped text grows away from the bytes that are still to be read.
    let mut at = escaped_len;
    for read in (0..len).rev() {
        let escape = escape_of(buf.get(read).copied().unwrap_or_default());
        at -= escape.len();
        buffer::put(buf.get_mut(at..).ok_or(Error::BufferTooSmall)?, escape.as_bytes())?;
    }
    Ok(escaped_len)
}

/// As [`unescape`], to the front of `out`; half a surrogate pair makes bytes that are no text.
pub(crate) fn unescape_into(raw: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    let mut written = 0;
    for byte in Unescape::new(raw) {
        *out.get_mut(written).ok_or(Error::BufferTooSmall)? = byte?;
        written += 1;
    }
    Ok(written)
}

/// One byte of UTF-8 as it stands in a JSON string.
#[derive(Clone, Copy)]
struct Escape {
    bytes: [u8; 6],
    len: usize,
}

impl Escape {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    const fn len(self) -> usize {
        self.len
    }
}

/// 1 if [`escape_of`] escapes it, 0 if not, without a branch.
fn must_be_escaped(byte: u8) -> u8 {
    u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
}

/// RFC 8259 §7: quotes, backslashes and control characters must be escaped.
fn escape_of(byte: u8) -> Escape {
    let short = |char| Escape { bytes: [b'\\', char, 0, 0, 0, 0], len: 2 };
    match byte {
        b'"' | b'\\' => short(byte),
        0x08 => short(b'b'),
        0x09 => short(b't'),
        0x0a => short(b'n'),
        0x0c => short(b'f'),
        0x0d => short(b'r'),
        0..0x20 => {
            let low = byte & 0xf;
            let digit = if low < 10 { b'0' + low } else { b'a' + low - 10 };
            Escape { bytes: [b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit], len: 6 }
        }
        _ => Escape { bytes: [byte, 0, 0, 0, 0, 0], len: 1 },
    }
}

/// The UTF-8 of a JSON string's inside, a byte at a time. Half a surrogate pair, which RFC 8259 §8.2 lets stand, comes in
/// the three bytes that it would have, which are not UTF-8.
#[derive(Clone)]
pub(crate) struct Unescape<'a> {
    raw: slice::Iter<'a, u8>,
    /// What escapes begin with: `\\`, or in a JSON Pointer `~`.
    mark: u8,
    /// The code point of which bytes are still to come, and the bits that these stand for.
    point: u32,
    bits: u32,
}

impl<'a> Unescape<'a> {
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self::with_mark(raw, b'\\')
    }

    fn with_mark(raw: &'a [u8], mark: u8) -> Self {
        Self { raw: raw.iter(), mark, point: 0, bits: 0 }
    }

    /// What stands for a code point behind the mark.
    fn escaped(&mut self) -> Option<u32> {
        let byte = *self.raw.next()?;
        if self.mark == b'~' {
            return match byte {
                b'0' => Some('~'.into()),
                b'1' => Some('/'.into()),
                _ => None,
            };
        }
        Some(match byte {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => 0x0a,
            b'r' => 0x0d,
            b't' => 0x09,
            b'u' => {
                let high = self.hex()?;
                if let (0xd800..0xdc00, [b'\\', b'u', ahead @ ..]) = (high, self.raw.as_slice()) {
                    let mut ahead = Self::new(ahead);
                    if let low @ 0xdc00..0xe000 = ahead.hex()? {
                        self.raw = ahead.raw;
                        return Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
                    }
                }
                high
            }
            b'"' | b'\\' | b'/' => byte.into(),
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |value, _| Some(value * 16 + char::from(*self.raw.next()?).to_digit(16)?))
    }
}

impl Iterator for Unescape<'_> {
    type Item = Result<u8, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (marks, mask) = if self.bits == 0 {
            let byte = *self.raw.next()?;
            if byte != self.mark {
                return Some(Ok(byte));
            }
            let Some(point) = self.escaped() else { return Some(Err(Error::InvalidJson)) };
            self.point = point;
            // The first byte says how many follow.
            let marks;
            (self.bits, marks) = match point {
                0..0x80 => (0, 0),
                0x80..0x800 => (6, 0xc0),
                0x800..0x1_0000 => (12, 0xe0),
                _ => (18, 0xf0),
            };
            (marks, 0xff)
        } else {
            self.bits -= 6;
            (0x80, 0x3f)
        };
        let [byte, ..] = (self.point >> self.bits).to_le_bytes();
        Some(Ok(marks + (byte & mask)))
    }
}

/// A member of an object or an item of an array.
struct Child<'a> {
    /// The member's name, as written between the quotes; an item has none.
    name: Option<&'a [u8]>,
    index: usize,
    value: Value<'a>,
}

/// The children of one value; ends at the first error.
struct Children<'a> {
    events: Events<'a>,
    index: usize,
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
        let value = self.events.whole(kind).ok()?;
        let index = self.index;
        self.index += 1;
        Some(Child { name, index, value })
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
        let Ok(mut level) = root(self.text) else { return f.write_str("?") };
        while let Some(child) = level.child_around(self.offset) {
            match child.name {
                None => write!(f, "/{}", child.index)?,
                Some(name) => write_name(f, name)?,
            }
            level = child.value;
        }
        Ok(())
    }
}

/// Writes one step of a JSON Pointer: `/` and the name (escaped as in a JSON text) in RFC 6901's escapes.
///
/// # Errors
/// Those of `f`.
pub fn write_step(f: &mut impl fmt::Write, raw_name: &str) -> fmt::Result {
    write_name(f, raw_name.as_bytes())
}

fn write_name(f: &mut impl fmt::Write, raw: &[u8]) -> fmt::Result {
    f.write_char('/')?;
    // A wrong escape becomes what no character begins with.
    let mut bytes = Unescape::new(raw).map(|byte| byte.unwrap_or(0x80));
    while let Some(first) = bytes.next() {
        let mut char = [first, 0, 0, 0];
        let len = match first {
            0..0xc0 => 1,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        };
        char.iter_mut().take(len).skip(1).zip(&mut bytes).for_each(|(slot, byte)| *slot = byte);
        f.write_str(match str::from_utf8(char.get(..len).unwrap_or_default()) {
            Ok("~") => "~0",
            Ok("/") => "~1",
            Ok(char) => char,
            Err(_) => "\u{fffd}",
        })?;
    }
    Ok(())
}

/// Whether a JSON string, as written between the quotes, says `plain`.
#[cfg(feature = "typed")]
pub(crate) fn says(raw: &[u8], plain: &str) -> bool {
    Unescape::new(raw).eq(plain.bytes().map(Ok))
}

/// Whether two JSON strings, as written between the quotes, say the same.
pub(crate) fn same_text(a: &[u8], b: &[u8]) -> bool {
    Unescape::new(a).eq(Unescape::new(b))
}

/// The steps of a pointer.
struct Steps<'p> {
    text: &'p [u8],
    separator: u8,
    /// What escapes begin with; dotted names have none.
    mark: u8,
    count: usize,
}

impl<'p> Steps<'p> {
    fn new(pointer: &'p str) -> Result<Self, Error> {
        let (text, separator, mark) = match pointer.as_bytes() {
            [b'/', text @ ..] => (text, b'/', b'~'),
            text => (text, b'.', 0xff),
        };
        if Unescape::with_mark(text, mark).any(|byte| byte.is_err()) {
            return Err(Error::BadPointer);
        }
        let separators = text.iter().filter(|byte| **byte == separator).count();
        Ok(Self { text, separator, mark, count: separators + usize::from(!pointer.is_empty()) })
    }

    /// The step that leads on from a value when so many levels are open; an empty one behind the last.
    fn within(&self, levels: usize) -> Step<'p> {
        let text = self.text.split(|byte| *byte == self.separator).nth(levels.wrapping_sub(1)).unwrap_or_default();
        Step { text, mark: self.mark }
    }
}

/// One step of a pointer, still in its notation.
struct Step<'p> {
    text: &'p [u8],
    mark: u8,
}

impl Step<'_> {
    /// Whether it leads to the member whose name is written `raw`.
    fn is_name(&self, raw: &[u8]) -> bool {
        Unescape::new(raw).eq(Unescape::with_mark(self.text, self.mark))
    }

    /// Whether it leads to the item with this index. RFC 6901 §4: digits, without leading zeros.
    fn is_index(&self, index: usize) -> bool {
        if let [] | [b'0', _, ..] = self.text {
            return false;
        }
        let mut value = 0;
        for byte in self.text {
            // A greater one no text is long enough for.
            if !byte.is_ascii_digit() || value >= usize::MAX / 10 {
                return false;
            }
            value = value * 10 + usize::from(byte - b'0');
        }
        value == index
    }
}
