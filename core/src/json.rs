//! Where the strings of a JSON text lie, so that one can be read or replaced and nothing else changes.
//! Strict to RFC 8259 (a byte order mark is let pass), without recursion, without allocation: a bit per
//! open level, and at most [`MAX_DEPTH`] levels. Pointers are JSON Pointers (RFC 6901), or names joined by dots.

use core::fmt;
use core::ops::Range;
use core::str::Chars;

use crate::{Error, buffer};

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

/// What may stand next in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ItemOrEnd,
    NameOrEnd,
    Name,
    CommaOrEnd,
    Nothing,
}

/// A walk through a JSON text, one [`Event`] at a time. It ends after the first error.
#[derive(Debug, Clone)]
pub struct Events<'a> {
    text: &'a str,
    offset: usize,
    depth: usize,
    /// One bit a level: set for an object.
    objects: [u32; MAX_DEPTH / 32],
    expect: Option<Expect>,
}

impl<'a> Events<'a> {
    /// A walk through the whole of `text`.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self::at(text, if text.starts_with('\u{feff}') { 3 } else { 0 })
    }

    /// A walk from the value that begins at `offset`, to its end if the caller stops there.
    fn at(text: &'a str, offset: usize) -> Self {
        Self { text, offset, depth: 0, objects: [0; MAX_DEPTH / 32], expect: Some(Expect::Value) }
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

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        self.take_if(|byte| byte == wanted).is_some()
    }

    fn take_if(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let byte = self.peek().filter(|byte| wanted(*byte))?;
        self.offset += 1;
        Some(byte)
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let start = self.offset;
        while self.take_if(&wanted).is_some() {}
        self.offset - start
    }

    fn skip_white_space(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn in_object(&self) -> bool {
        let level = self.depth.wrapping_sub(1);
        self.objects.get(level / 32).is_some_and(|bits| bits >> (level % 32) & 1 == 1)
    }

    fn step(&mut self, expect: Expect) -> Result<Option<Event>, Error> {
        self.skip_white_space();
        let Some(byte) = self.peek() else {
            return if expect == Expect::Nothing { Ok(None) } else { Err(Error::InvalidJson) };
        };
        match (expect, byte) {
            (Expect::CommaOrEnd, b',') => {
                self.offset += 1;
                let next = if self.in_object() { Expect::Name } else { Expect::Value };
                self.step(next)
            }
            (Expect::ItemOrEnd, b']') | (Expect::NameOrEnd, b'}') => Ok(Some(self.close())),
            (Expect::CommaOrEnd, b']') if !self.in_object() => Ok(Some(self.close())),
            (Expect::CommaOrEnd, b'}') if self.in_object() => Ok(Some(self.close())),
            (Expect::Name | Expect::NameOrEnd, b'"') => {
                let name = self.string()?;
                self.skip_white_space();
                self.take(b':').then_some(()).ok_or(Error::InvalidJson)?;
                self.expect = Some(Expect::Value);
                Ok(Some(Event::Name(name)))
            }
            (Expect::Value | Expect::ItemOrEnd, byte) => self.value(byte).map(Some),
            _ => Err(Error::InvalidJson),
        }
    }

    fn value(&mut self, first: u8) -> Result<Event, Error> {
        let start = self.offset;
        let event = match first {
            b'{' => return self.open(true).map(|()| Event::ObjectStart(start)),
            b'[' => return self.open(false).map(|()| Event::ArrayStart(start)),
            b'"' => Event::String(self.string()?),
            b't' => Event::Scalar(self.word("true")?),
            b'f' => Event::Scalar(self.word("false")?),
            b'n' => Event::Scalar(self.word("null")?),
            _ => Event::Scalar(self.number()?),
        };
        self.after_value();
        Ok(event)
    }

    fn after_value(&mut self) {
        self.expect = Some(if self.depth == 0 { Expect::Nothing } else { Expect::CommaOrEnd });
    }

    fn open(&mut self, object: bool) -> Result<(), Error> {
        let bits = self.objects.get_mut(self.depth / 32).ok_or(Error::TooDeep)?;
        let bit = 1 << (self.depth % 32);
        *bits = if object { *bits | bit } else { *bits & !bit };
        self.depth += 1;
        self.offset += 1;
        self.expect = Some(if object { Expect::NameOrEnd } else { Expect::ItemOrEnd });
        Ok(())
    }

    fn close(&mut self) -> Event {
        let at = self.offset;
        self.depth -= 1;
        self.offset += 1;
        self.after_value();
        Event::End(at)
    }

    fn word(&mut self, word: &str) -> Result<Range<usize>, Error> {
        let start = self.offset;
        if word.bytes().all(|byte| self.take(byte)) { Ok(start..self.offset) } else { Err(Error::InvalidJson) }
    }

    fn number(&mut self) -> Result<Range<usize>, Error> {
        let start = self.offset;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take_if(|byte| matches!(byte, b'e' | b'E')).is_some() {
            self.take_if(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(start..self.offset)
    }

    fn digits(&mut self) -> Result<(), Error> {
        if self.skip_while(|byte| byte.is_ascii_digit()) == 0 { Err(Error::InvalidJson) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Range<usize>, Error> {
        let start = self.offset;
        self.offset += 1;
        loop {
            self.skip_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20));
            match self.take_if(|byte| matches!(byte, b'"' | b'\\')) {
                Some(b'"') => return Ok(start..self.offset),
                Some(_) => match self
                    .take_if(|byte| matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u'))
                {
                    Some(b'u') => {
                        for _ in 0..4 {
                            self.take_if(|byte| byte.is_ascii_hexdigit()).ok_or(Error::InvalidJson)?;
                        }
                    }
                    Some(_) => {}
                    None => return Err(Error::InvalidJson),
                },
                None => return Err(Error::InvalidJson),
            }
        }
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // Whatever goes wrong in the step, there is no next one.
        let expect = self.expect.take()?;
        self.step(expect).transpose()
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

/// One value of a JSON text.
#[derive(Debug, Clone)]
pub struct Value<'a> {
    text: &'a str,
    kind: Kind,
    span: Range<usize>,
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
        match self.kind {
            Kind::String => between_quotes(self.text, &self.span),
            _ => self.text.get(self.span()).unwrap_or_default(),
        }
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
    pub(crate) fn member(&self, name: &str) -> Result<Option<(&'a str, Self)>, Error> {
        let wanted = |child: Child<'a>| Some((child.name.filter(|raw| says(raw, name))?, child.value));
        let mut fitting = self.children().filter_map(wanted);
        let found = fitting.next();
        if fitting.next().is_some() { Err(Error::DuplicateKey) } else { Ok(found) }
    }

    /// The members of an object or the items of an array; of anything else none.
    fn children(&self) -> Children<'a> {
        let mut events = Events::at(self.text, self.span.start);
        events.next();
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
    let mut events = Events::new(text);
    let first = events.next().ok_or(Error::InvalidJson)??;
    let (kind, span) = events.rest_of(first).ok_or(Error::InvalidJson)??;
    match events.next() {
        None => Ok(Value { text, kind, span }),
        Some(Err(error)) => Err(error),
        Some(Ok(_)) => Err(Error::InvalidJson),
    }
}

/// The string values of `text`, in order. Ends after the first error.
pub fn strings(text: &str) -> impl Iterator<Item = Result<Value<'_>, Error>> {
    Events::new(text).filter_map(move |event| match event {
        Ok(Event::String(span)) => Some(Ok(Value { text, kind: Kind::String, span })),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The value at `pointer`: `/auth/token_value` (RFC 6901) or `auth.token_value`. The whole text is checked.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`], [`Error::BadPointer`], [`Error::NotFound`]; [`Error::DuplicateKey`] if a
/// name on the way occurs twice in its object.
pub fn find<'a>(text: &'a str, pointer: &str) -> Result<Value<'a>, Error> {
    let mut value = root(text)?;
    for step in Steps::new(pointer)? {
        let mut found = None;
        for child in value.children() {
            if step.leads_to(&child) && found.replace(child.value).is_some() {
                return Err(Error::DuplicateKey);
            }
        }
        value = found.ok_or(Error::NotFound)?;
    }
    Ok(value)
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
    buffer::fill_text(out, |out| unescape_into(raw, out))
}

/// Writes the first `len` bytes of `buf`, which are text, onto themselves as the inside of a JSON string.
pub(crate) fn escape_in_place(len: usize, buf: &mut [u8]) -> Result<usize, Error> {
    let plain = buf.get(..len).ok_or(Error::BufferTooSmall)?;
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

pub(crate) fn unescape_into(raw: &str, out: &mut [u8]) -> Result<usize, Error> {
    let mut written = 0;
    for point in Unescape::new(raw) {
        let char = char::from_u32(point?).ok_or(Error::NotText)?;
        let rest = out.get_mut(written..).ok_or(Error::BufferTooSmall)?;
        written += buffer::put(rest, char.encode_utf8(&mut [0; 4]).as_bytes())?;
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

/// The code points of a JSON string's inside. Half a surrogate pair comes as it is: RFC 8259 §8.2 lets it stand.
#[derive(Clone)]
pub(crate) struct Unescape<'a>(Chars<'a>);

impl<'a> Unescape<'a> {
    pub(crate) fn new(raw: &'a str) -> Self {
        Self(raw.chars())
    }

    fn char(&mut self) -> Option<char> {
        self.0.next()
    }

    fn escaped(&mut self) -> Option<u32> {
        Some(match self.char()? {
            'b' => 0x08,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'u' => {
                let high = self.hex()?;
                let mut ahead = self.clone();
                match (high, ahead.char(), ahead.char()) {
                    (0xd800..0xdc00, Some('\\'), Some('u')) => match ahead.hex()? {
                        low @ 0xdc00..0xe000 => {
                            *self = ahead;
                            0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
                        }
                        _ => high,
                    },
                    _ => high,
                }
            }
            char @ ('"' | '\\' | '/') => char.into(),
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |value, _| Some(value * 16 + self.char()?.to_digit(16)?))
    }
}

impl Iterator for Unescape<'_> {
    type Item = Result<u32, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.char()? {
            '\\' => Some(self.escaped().ok_or(Error::InvalidJson)),
            char => Some(Ok(char.into())),
        }
    }
}

/// A member of an object or an item of an array.
struct Child<'a> {
    /// The member's name, as written between the quotes; an item has none.
    name: Option<&'a str>,
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
        let text = self.events.text;
        let (name, first) = match self.events.next()?.ok()? {
            Event::Name(span) => (Some(between_quotes(text, &span)), self.events.next()?.ok()?),
            event => (None, event),
        };
        let (kind, span) = self.events.rest_of(first)?.ok()?;
        let index = self.index;
        self.index += 1;
        Some(Child { name, index, value: Value { text, kind, span } })
    }
}

impl Events<'_> {
    /// Walks to the end of the value that `first` begins; none if it begins none.
    fn rest_of(&mut self, first: Event) -> Option<Result<(Kind, Range<usize>), Error>> {
        let (kind, start) = match first {
            Event::String(span) => return Some(Ok((Kind::String, span))),
            Event::Scalar(span) => return Some(Ok((Kind::Scalar, span))),
            Event::ObjectStart(start) => (Kind::Object, start),
            Event::ArrayStart(start) => (Kind::Array, start),
            Event::Name(_) | Event::End(_) => return None,
        };
        let outside = self.depth() - 1;
        while self.depth() > outside {
            if let Err(error) = self.next()? {
                return Some(Err(error));
            }
        }
        Some(Ok((kind, start..self.offset())))
    }
}

/// The pointer of a value, for display.
#[derive(Debug, Clone, Copy)]
pub struct PointerTo<'a> {
    text: &'a str,
    offset: usize,
}

impl fmt::Display for PointerTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A value of a text that breaks off behind it has no pointer that can be relied on.
        let Ok(mut level) = root(self.text) else { return f.write_str("?") };
        while let Some(child) = level.child_around(self.offset) {
            match child.name {
                None => write!(f, "/{}", child.index)?,
                Some(name) => write_step(f, name)?,
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
    f.write_char('/')?;
    for point in Unescape::new(raw_name) {
        match point.ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER) {
            '~' => f.write_str("~0")?,
            '/' => f.write_str("~1")?,
            char => f.write_char(char)?,
        }
    }
    Ok(())
}

/// Whether a JSON string, as written between the quotes, says `plain`.
#[cfg(feature = "typed")]
pub(crate) fn says(raw: &str, plain: &str) -> bool {
    Unescape::new(raw).eq(plain.chars().map(|char| Ok(char.into())))
}

/// Whether two JSON strings, as written between the quotes, say the same.
pub(crate) fn same_text(a: &str, b: &str) -> bool {
    Unescape::new(a).eq(Unescape::new(b))
}

/// The steps of a pointer, each still in its notation.
struct Steps<'p> {
    rest: Option<&'p str>,
    separator: u8,
}

impl<'p> Steps<'p> {
    fn new(pointer: &'p str) -> Result<Self, Error> {
        let Some(first) = pointer.strip_prefix("/") else {
            let rest = if pointer.is_empty() { None } else { Some(pointer) };
            return Ok(Self { rest, separator: b'.' });
        };
        let mut bytes = first.bytes().peekable();
        while let Some(byte) = bytes.next() {
            if byte == b'~' && !matches!(bytes.peek(), Some(b'0' | b'1')) {
                return Err(Error::BadPointer);
            }
        }
        Ok(Self { rest: Some(first), separator: b'/' })
    }
}

impl<'p> Iterator for Steps<'p> {
    type Item = Step<'p>;

    fn next(&mut self) -> Option<Step<'p>> {
        let rest = self.rest?;
        let (text, rest) = match split_once(rest, self.separator) {
            Some((text, rest)) => (text, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(Step { text, tildes: self.separator == b'/' })
    }
}

/// As `str::split_once`, for an ASCII character; that one can panic, as far as the compiler knows.
pub(crate) fn split_once(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// One step of a pointer.
struct Step<'p> {
    text: &'p str,
    /// Whether `~0` and `~1` stand for `~` and `/`.
    tildes: bool,
}

impl Step<'_> {
    fn leads_to(&self, child: &Child<'_>) -> bool {
        match child.name {
            Some(name) => {
                let mut points = Unescape::new(name);
                self.chars().all(|char| points.next() == Some(Ok(char.into()))) && points.next().is_none()
            }
            // RFC 6901 §4: no leading zeros.
            None => {
                (self.text == "0" || !matches!(self.text.bytes().next(), Some(b'0' | b'+')))
                    && self.text.parse() == Ok(child.index)
            }
        }
    }

    fn chars(&self) -> impl Iterator<Item = char> {
        let mut text = Unescape::new(self.text);
        core::iter::from_fn(move || match text.char()? {
            '~' if self.tildes => Some(if text.char() == Some('1') { '/' } else { '~' }),
            char => Some(char),
        })
    }
}

/// What stands between the quotes of the string at `span`.
fn between_quotes<'a>(text: &'a str, span: &Range<usize>) -> &'a str {
    text.get(span.start + 1..span.end.saturating_sub(1)).unwrap_or_default()
}
