//! A config's text with its tokens and their pointers, and edits to its strings.
//!
//! Parsing takes two passes, in linear time. A changed text is made only through [`Edits`], which are sorted and do not
//! overlap, so everything outside an edited string stays byte for byte. What JSON and tokens mean is defined in
//! fernseal-core; this module remembers where they are.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use fernseal_core::Error;
use fernseal_core::config::{self, ValueKind};
use fernseal_core::fernet::MAX_CLOCK_SKEW;
use fernseal_core::json::{self, Event, Events, Kind};
use fernseal_core::token::{self, Format, Token};

use crate::config::placeholder;
use zeroize::Zeroizing;

use crate::error::{Advice, Aim, Bug, ConfigFailure, Failure, JsonFlaw, Namesakes, Result, TokenFailure};
use crate::output::time;
use crate::quote::{Pointer, is_key_text, shown};

/// A config's text and its tokens.
pub(crate) struct ConfigText {
    pub(crate) path: PathBuf,
    /// The path in the form for messages.
    pub(crate) name: String,
    /// The text, which may contain secrets in plain text.
    pub(crate) text: Zeroizing<String>,
    /// Every string value that begins with `enc:`, in order.
    pub(crate) tokens: Vec<SealedValue>,
    /// The pointers of all values that look like tokens but are not.
    pub(crate) lookalikes: Vec<Pointer>,
}

/// A string value that begins with `enc:`.
pub(crate) struct SealedValue {
    pub(crate) pointer: Pointer,
    /// Its byte range, without the quotes.
    inside: Range<usize>,
    /// Its text without JSON escapes, if there are any.
    unescaped: Option<String>,
    /// Its format and timestamp, or why it is not a valid token.
    pub(crate) form: std::result::Result<(Format, u64), Error>,
}

impl SealedValue {
    /// Returns the token's text.
    pub(crate) fn text<'a>(&'a self, document: &'a ConfigText) -> &'a str {
        self.unescaped.as_deref().unwrap_or_else(|| &document.text[self.inside.clone()])
    }

    /// Whether it lies in this part of the text.
    pub(crate) fn is_within(&self, span: &Range<usize>) -> bool {
        span.start <= self.inside.start && self.inside.end <= span.end
    }

    /// Returns an edit that replaces the token with `plain`.
    pub(crate) fn replaced_by(&self, plain: &str) -> Edit {
        Edit::new(self.inside.clone(), plain)
    }
}

/// A string, number, boolean or null: a value without children.
pub(crate) struct Leaf<'a> {
    pub(crate) pointer: Pointer,
    pub(crate) kind: Kind,
    /// The value as written; a string without its quotes.
    pub(crate) raw: &'a str,
    span: Range<usize>,
}

impl Leaf<'_> {
    /// Returns the offset of the value in the text.
    pub(crate) fn start(&self) -> usize {
        self.span.start
    }

    /// Returns an edit that replaces the value with the string `plain`.
    pub(crate) fn replaced_by(&self, plain: &str) -> Edit {
        Edit::of_value(self.kind, self.span.clone(), plain)
    }
}

/// The value at a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) kind: Kind,
    /// The value as written; a string without its quotes.
    pub(crate) raw: &'a str,
    span: Range<usize>,
}

impl<'a> Place<'a> {
    fn new(text: &'a str, kind: Kind, span: Range<usize>) -> Self {
        let quote = usize::from(kind == Kind::String);
        Self { kind, raw: &text[span.start + quote..span.end - quote], span }
    }

    /// Returns the offset of the value in the text.
    pub(crate) fn start(&self) -> usize {
        self.span.start
    }

    /// Returns an edit that replaces the value, a string or scalar, with the string `plain`.
    pub(crate) fn replaced_by(&self, plain: &str) -> Edit {
        Edit::of_value(self.kind, self.span.clone(), plain)
    }
}

/// A replacement for one range of the text.
pub(crate) struct Edit {
    inside: Range<usize>,
    escaped: Zeroizing<String>,
}

impl Edit {
    /// An edit that puts `text` as it is in the place of `span`, which may lie between values.
    pub(super) fn raw(span: Range<usize>, text: Zeroizing<String>) -> Self {
        Self { inside: span, escaped: text }
    }

    fn new(inside: Range<usize>, plain: &str) -> Self {
        let mut buf = Zeroizing::new(vec![0; json::escaped_len(plain)]);
        // The buffer has exactly the length of the escaped text.
        let escaped = json::escape(plain, &mut buf).expect("an escaped text has the length that was asked for");
        Self { inside, escaped: Zeroizing::new(escaped.to_owned()) }
    }

    /// Makes an edit that replaces the string or scalar `value` with the string `plain`.
    pub(crate) fn of(value: &json::Value<'_>, plain: &str) -> Self {
        Self::of_value(value.kind(), value.span(), plain)
    }

    fn of_value(kind: Kind, span: Range<usize>, plain: &str) -> Self {
        if kind == Kind::String {
            return Self::new(span.start + 1..span.end - 1, plain);
        }
        let mut edit = Self::new(span, plain);
        edit.escaped = Zeroizing::new(format!("\"{}\"", *edit.escaped));
        edit
    }
}

/// An object or array that is open at the current position.
enum Level<'a> {
    Object {
        /// The offset of its brace.
        start: usize,
        /// The name of the current member.
        name: &'a str,
    },
    Array {
        index: usize,
    },
}

/// The objects and arrays that are open at the current position of a walk through the text.
#[derive(Default)]
struct Levels<'a>(Vec<Level<'a>>);

impl ConfigText {
    /// Parses the bytes of a config. `path` is for messages.
    pub(crate) fn parse(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Self> {
        let path = path.into();
        let text = Zeroizing::new(String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            drop(Zeroizing::new(error.into_bytes()));
            ConfigFailure::NotUtf8 { config: path.clone(), offset }
        })?);
        let (tokens, lookalikes) = find_tokens(&path, &text)?;
        Ok(Self { name: shown(&path), path, text, tokens, lookalikes })
    }

    /// Returns the failure for the value at `pointer`.
    pub(crate) fn failure(&self, pointer: &str, error: Error) -> Failure {
        if error == Error::NotFound {
            return self.missing(pointer, Aim::Read);
        }
        value_failure(&self.path, pointer.to_owned().into(), error)
    }

    /// No value is at `pointer`.
    pub(crate) fn missing(&self, pointer: &str, aim: Aim) -> Failure {
        let (config, namesakes) = (self.path.clone(), self.namesakes(pointer));
        ConfigFailure::NoValue { config, pointer: pointer.to_owned().into(), aim, namesakes }.into()
    }

    /// The values whose name is `pointer`, which says nothing of the objects that it is in.
    pub(crate) fn namesakes(&self, pointer: &str) -> Namesakes {
        let name = pointer.strip_prefix('/').unwrap_or(pointer);
        if name.is_empty() || name.contains(['/', '.']) {
            return Namesakes::none();
        }
        let is_meant = |leaf: &Leaf<'_>| leaf.pointer.rsplit_once('/').is_some_and(|(_, last)| last == name);
        Namesakes::from_iter(self.leaves().filter(is_meant).map(|leaf| leaf.pointer))
    }

    /// Returns the failure for a refused token. A common mistake gets its own message.
    pub(crate) fn refusal(&self, token: &SealedValue, error: Error) -> Failure {
        // In base64, every Fernet token begins with `gAAAA`: its version byte and the leading zeros of its time.
        let is_bare_fernet =
            matches!(error, Error::Malformed | Error::Lookalike) && token.text(self).contains(":gAAAA");
        self.refusal_with(token, error, if is_bare_fernet { Advice::BareFernet } else { Advice::Usual })
    }

    /// Does the same as [`Self::refusal`], with advice.
    pub(crate) fn refusal_with(&self, token: &SealedValue, error: Error, advice: Advice) -> Failure {
        TokenFailure::Refused { config: self.path.clone(), pointer: token.pointer.clone(), error, advice }.into()
    }

    /// Finds the value at `pointer`.
    pub(crate) fn find(&self, pointer: &str) -> Result<json::Value<'_>> {
        json::find(&self.text, pointer).map_err(|error| self.failure(pointer, error))
    }

    /// Returns all strings and scalars with their pointers, in order and in one pass. Calling [`Self::find`] for each
    /// of them would take a pass each.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = Leaf<'_>> {
        let mut levels = Levels::default();
        // `parse` has read the whole text without an error.
        Events::new(&self.text).map_while(std::result::Result::ok).filter_map(move |event| {
            levels.follow(&self.text, &event);
            let (kind, span, quote) = match event {
                Event::String(span) => (Kind::String, span, 1),
                Event::Scalar(span) => (Kind::Scalar, span, 0),
                _ => return None,
            };
            let raw = &self.text[span.start + quote..span.end - quote];
            Some(Leaf { pointer: levels.pointer(), kind, raw, span })
        })
    }

    /// Finds the values at `pointers` in one pass, with the same results as [`Self::find`], which takes a pass each.
    pub(crate) fn find_all(&self, pointers: &[&str]) -> Vec<std::result::Result<Place<'_>, Error>> {
        let mut wanted = Wanted::new(pointers);
        wanted.walk(&self.text);
        wanted.places()
    }

    /// Returns the timestamp for new tokens, which is later than that of every token here. So a value that is set in
    /// the same second as a rotation still counts as newer than the rotation's backup. Tokens from a clock far ahead
    /// are followed only up to half of [`MAX_CLOCK_SKEW`].
    pub(crate) fn sealing_time(&self, now: u64) -> u64 {
        let newest = self.tokens.iter().filter_map(|token| Some(token.form.ok()?.1)).max();
        newest.map_or(now, |newest| newest.saturating_add(1).clamp(now, now.saturating_add(MAX_CLOCK_SKEW / 2)))
    }

    /// Returns the token at `value`, if it is one.
    pub(crate) fn token_at(&self, value: &json::Value<'_>) -> Option<&SealedValue> {
        self.token_from(value.span().start)
    }

    /// Returns the token whose string begins at `start`, if there is one.
    pub(crate) fn token_from(&self, start: usize) -> Option<&SealedValue> {
        let at = self.tokens.binary_search_by_key(&(start + 1), |token| token.inside.start).ok()?;
        self.tokens.get(at)
    }

    /// The tokens in the old form, which share one salt.
    pub(crate) fn legacy_tokens(&self) -> impl Iterator<Item = &SealedValue> {
        self.tokens.iter().filter(|token| matches!(token.form, Ok((Format::Legacy, _))))
    }

    /// How many keys are derived, for each master key, to open all tokens.
    pub(crate) fn salts(&self) -> usize {
        let salts = self.tokens.iter().filter_map(|token| Some(*token.form.ok()?.0.salt()));
        salts.collect::<BTreeSet<_>>().len()
    }

    /// Returns the pointers of the tokens.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        self.tokens.iter().map(|token| &*token.pointer).collect()
    }

    /// Returns the edits that replace each token with its secret.
    pub(crate) fn opened_to(&self, secrets: &[Zeroizing<String>]) -> Vec<Edit> {
        self.tokens.iter().zip(secrets).map(|(token, secret)| token.replaced_by(secret)).collect()
    }

    /// Reports whether the two texts are equal except for their tokens.
    pub(crate) fn differs_only_in_tokens(&self, other: &Self) -> bool {
        self.around_tokens().eq(other.around_tokens())
    }

    /// Reports whether a token was sealed after `stamp`, the time stamp in a backup's name. A rotation uses the same
    /// time for its tokens and for the names of its backups.
    pub(crate) fn is_newer_than(&self, stamp: &str) -> bool {
        self.tokens.iter().any(|token| token.form.is_ok_and(|(_, sealed)| *time::stamp(sealed) > *stamp))
    }

    /// Returns the text before, between and after the tokens.
    fn around_tokens(&self) -> impl Iterator<Item = &str> {
        let starts = [0].into_iter().chain(self.tokens.iter().map(|token| token.inside.end));
        let ends = self.tokens.iter().map(|token| token.inside.start).chain([self.text.len()]);
        starts.zip(ends).map(|(start, end)| &self.text[start..end])
    }

    /// Reports whether the config turns on the guide's debug mode.
    pub(crate) fn wants_debug(&self) -> bool {
        json::find(&self.text, "/logging/level").is_ok_and(|level| level.raw().eq_ignore_ascii_case("DEBUG"))
    }
}

/// Edits of a config's text: sorted, within the text, and without overlaps.
pub(crate) struct Edits<'d> {
    text: &'d str,
    edits: Vec<Edit>,
}

impl<'d> Edits<'d> {
    /// Sorts the edits of `document`. Overlapping edits would produce a broken text, so they are an error.
    pub(crate) fn new(document: &'d ConfigText, mut edits: Vec<Edit>) -> Result<Self> {
        let text = document.text.as_str();
        edits.sort_by_key(|edit| (edit.inside.start, edit.inside.end));
        let mut end = 0;
        for (at, edit) in edits.iter().enumerate() {
            // There is at least a quote or a comma between two values, even if a string is empty.
            let is_apart = at == 0 || edit.inside.start > end;
            if !is_apart || text.get(edit.inside.clone()).is_none() {
                return Err(Bug::EditsOverlap { config: document.path.clone(), offset: edit.inside.start }.into());
            }
            end = edit.inside.end;
        }
        Ok(Self { text, edits })
    }

    /// Returns the number of edits.
    pub(crate) fn len(&self) -> usize {
        self.edits.len()
    }

    /// Returns the edited text in pieces.
    pub(crate) fn pieces(&self) -> Vec<&[u8]> {
        let mut pieces = Vec::with_capacity(self.edits.len() * 2 + 1);
        let mut read = 0;
        for edit in &self.edits {
            pieces.push(&self.text.as_bytes()[read..edit.inside.start]);
            pieces.push(edit.escaped.as_bytes());
            read = edit.inside.end;
        }
        pieces.push(&self.text.as_bytes()[read..]);
        pieces
    }
}

/// The pointers to find in one pass, as a tree of their steps.
struct Wanted<'a> {
    /// Parents precede their children. The first node is the root value.
    nodes: Vec<Node<'a>>,
    /// The node of each pointer, or the error for an invalid pointer.
    ends: Vec<std::result::Result<usize, Error>>,
}

/// A step that several pointers may share.
#[derive(Default)]
struct Node<'a> {
    parent: usize,
    children: BTreeMap<String, usize>,
    place: Option<Place<'a>>,
    /// Whether a name that leads here has been met, and whether it has been met twice in its object.
    is_met: bool,
    is_doubled: bool,
}

impl<'a> Wanted<'a> {
    fn new(pointers: &[&str]) -> Self {
        let mut wanted = Self { nodes: vec![Node::default()], ends: Vec::with_capacity(pointers.len()) };
        for pointer in pointers {
            let end =
                steps(pointer).map(|steps| steps.into_iter().fold(0, |node, step| wanted.child_or_new(node, step)));
            wanted.ends.push(end);
        }
        wanted
    }

    fn child_or_new(&mut self, parent: usize, step: String) -> usize {
        let new = self.nodes.len();
        let child = *self.nodes[parent].children.entry(step).or_insert(new);
        if child == new {
            self.nodes.push(Node { parent, ..Node::default() });
        }
        child
    }

    /// Returns the node that a step leads to.
    fn child(&self, parent: Option<usize>, step: impl FnOnce() -> Option<String>) -> Option<usize> {
        let children = &self.nodes[parent?].children;
        if children.is_empty() { None } else { children.get(&step()?).copied() }
    }

    /// Finds the values in `text`, which was parsed without an error before.
    fn walk(&mut self, text: &'a str) {
        // For each open level: its node, its offset, and for an array the index of the next item.
        let mut levels: Vec<(Option<usize>, usize, Option<usize>)> = Vec::new();
        let mut next = Some(0);
        for event in Events::new(text).map_while(std::result::Result::ok) {
            if let Event::Name(span) = &event {
                let level = levels.last().and_then(|level| level.0);
                let raw = &text[span.start + 1..span.end - 1];
                next = self.child(level, || unescaped(raw).ok().map(|name| name.to_owned()));
                if let Some(node) = next.map(|node| &mut self.nodes[node]) {
                    node.is_doubled |= std::mem::replace(&mut node.is_met, true);
                }
                continue;
            }
            if let Event::End(end) = event {
                if let Some((Some(node), start, index)) = levels.pop() {
                    let kind = if index.is_some() { Kind::Array } else { Kind::Object };
                    self.nodes[node].place = Some(Place::new(text, kind, start..end + 1));
                }
                continue;
            }
            let node = match levels.last_mut() {
                Some((level, _, Some(index))) => {
                    *index += 1;
                    self.child(*level, || Some((*index - 1).to_string()))
                }
                _ => next.take(),
            };
            match event {
                Event::ObjectStart(start) => levels.push((node, start, None)),
                Event::ArrayStart(start) => levels.push((node, start, Some(0))),
                Event::String(span) => self.found(node, text, Kind::String, span),
                Event::Scalar(span) => self.found(node, text, Kind::Scalar, span),
                Event::Name(_) | Event::End(_) => {}
            }
        }
    }

    fn found(&mut self, node: Option<usize>, text: &'a str, kind: Kind, span: Range<usize>) {
        if let Some(node) = node {
            self.nodes[node].place = Some(Place::new(text, kind, span));
        }
    }

    /// Returns the result for each pointer.
    fn places(mut self) -> Vec<std::result::Result<Place<'a>, Error>> {
        for at in 1..self.nodes.len() {
            self.nodes[at].is_doubled |= self.nodes[self.nodes[at].parent].is_doubled;
        }
        let place = |node: usize| match &self.nodes[node] {
            Node { is_doubled: true, .. } => Err(Error::DuplicateKey),
            Node { place: Some(place), .. } => Ok(place.clone()),
            Node { place: None, .. } => Err(Error::NotFound),
        };
        self.ends.iter().map(|end| end.and_then(place)).collect()
    }
}

/// Splits a pointer into steps: an RFC 6901 pointer with its escapes decoded, or names joined by dots.
pub(super) fn steps(pointer: &str) -> std::result::Result<Vec<String>, Error> {
    let Some(steps) = pointer.strip_prefix('/') else {
        let dotted = pointer.split('.').map(str::to_owned);
        return Ok(if pointer.is_empty() { Vec::new() } else { dotted.collect() });
    };
    let step = |step: &str| {
        let mut parts = step.split('~');
        let mut text = parts.next().unwrap_or(step).to_owned();
        for part in parts {
            let (char, rest) = match part.as_bytes() {
                [b'0', ..] => ('~', &part[1..]),
                [b'1', ..] => ('/', &part[1..]),
                _ => return Err(Error::InvalidPointer),
            };
            text.push(char);
            text.push_str(rest);
        }
        Ok(text)
    };
    steps.split('/').map(step).collect()
}

/// The text of a string value without its escapes: borrowed if there are none, and otherwise a copy that is wiped when
/// dropped.
pub(crate) enum Unescaped<'a> {
    AsWritten(&'a str),
    Copy(Zeroizing<String>),
}

impl Deref for Unescaped<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::AsWritten(text) => text,
            Self::Copy(text) => text,
        }
    }
}

impl Unescaped<'_> {
    pub(crate) fn into_owned(self) -> Zeroizing<String> {
        match self {
            Self::AsWritten(text) => Zeroizing::new(text.to_owned()),
            Self::Copy(text) => text,
        }
    }
}

/// Decodes the escapes of a string value.
pub(crate) fn unescaped(raw: &str) -> std::result::Result<Unescaped<'_>, Error> {
    if !raw.contains('\\') {
        return Ok(Unescaped::AsWritten(raw));
    }
    let mut buf = Zeroizing::new(vec![0; raw.len()]);
    json::unescape(raw, &mut buf).map(|text| Unescaped::Copy(Zeroizing::new(text.to_owned())))
}

/// Classifies the string value `raw` by its form.
pub(crate) fn classify(raw: &str) -> ValueKind {
    let Ok(text) = unescaped(raw) else { return ValueKind::Plain };
    match config::classify(&text) {
        ValueKind::Plain if placeholder::form(&text).is_some() => ValueKind::Placeholder,
        kind => kind,
    }
}

/// The names on the way to tokens, as (offset of the object, name), each with whether it was met.
type Ways<'a> = BTreeMap<(usize, Cow<'a, str>), bool>;

/// Finds the tokens of `text`, and the pointers of values that only look like tokens.
fn find_tokens(file: &Path, text: &str) -> Result<(Vec<SealedValue>, Vec<Pointer>)> {
    let (mut tokens, mut lookalikes) = (Vec::new(), Vec::new());
    let mut ways = Ways::new();
    // A limit on the length of all pointers: a few long names above many tokens would need many times the text.
    let mut room = text.len().saturating_mul(4) + (1 << 20);
    let mut told = |levels: &Levels<'_>| {
        let pointer = levels.pointer();
        room = room.checked_sub(pointer.len()).ok_or_else(|| ConfigFailure::LongNames { config: file.to_owned() })?;
        Result::Ok(pointer)
    };
    let mut levels = Levels::default();
    let mut events = Events::new(text);
    while let Some(event) = events.next() {
        let event = event.map_err(|error| broken(file, text, &events, error))?;
        levels.follow(text, &event);
        let Event::String(span) = event else { continue };
        let inside = span.start + 1..span.end - 1;
        let Ok(said) = unescaped(&text[inside.clone()]) else { continue };
        // Parse each token only once, as that decodes all of it.
        let form =
            token::is_sealed(&said).then(|| Token::parse(&said).map(|token| (*token.format(), token.timestamp())));
        let looks_sealed = match &form {
            Some(form) => form.is_err(),
            None => config::classify(&said) == ValueKind::Lookalike,
        };
        if looks_sealed {
            lookalikes.push(told(&levels)?);
        }
        let Some(form) = form else { continue };
        for level in &levels.0 {
            if let Level::Object { start, name } = level {
                ways.insert((*start, said_by(name)), false);
            }
        }
        let unescaped = matches!(said, Unescaped::Copy(_)).then(|| said.to_owned());
        tokens.push(SealedValue { pointer: told(&levels)?, inside, unescaped, form });
    }
    refuse_equal_names(file, text, ways)?;
    Ok((tokens, lookalikes))
}

/// Fails if a name on the way to a token occurs twice in its object. This takes a second pass, because the relevant
/// names are known only after the first one; remembering all names would take more memory than the text.
fn refuse_equal_names<'a>(file: &Path, text: &'a str, mut ways: Ways<'a>) -> Result<()> {
    if ways.is_empty() {
        return Ok(());
    }
    let mut levels = Levels::default();
    for event in Events::new(text).map_while(std::result::Result::ok) {
        levels.follow(text, &event);
        if let (Event::Name(_), Some(Level::Object { start, name })) = (event, levels.0.last())
            && let Some(met) = ways.get_mut(&(*start, said_by(name)))
            && std::mem::replace(met, true)
        {
            return Err(value_failure(file, levels.pointer(), Error::DuplicateKey));
        }
    }
    Ok(())
}

/// Decodes the escapes of a name.
fn said_by(name: &str) -> Cow<'_, str> {
    match unescaped(name) {
        Ok(Unescaped::Copy(text)) => Cow::Owned(text.to_string()),
        Ok(Unescaped::AsWritten(_)) | Err(_) => Cow::Borrowed(name),
    }
}

impl<'a> Levels<'a> {
    /// Updates the levels for an event.
    fn follow(&mut self, text: &'a str, event: &Event) {
        if let Event::String(_) | Event::Scalar(_) | Event::ObjectStart(_) | Event::ArrayStart(_) = event
            && let Some(Level::Array { index }) = self.0.last_mut()
        {
            *index = index.wrapping_add(1);
        }
        match event {
            Event::ObjectStart(start) => self.0.push(Level::Object { start: *start, name: "" }),
            // The first item wraps the index to 0.
            Event::ArrayStart(_) => self.0.push(Level::Array { index: usize::MAX }),
            Event::End(_) => _ = self.0.pop(),
            Event::Name(span) => {
                if let Some(Level::Object { name, .. }) = self.0.last_mut() {
                    *name = &text[span.start + 1..span.end - 1];
                }
            }
            Event::String(_) | Event::Scalar(_) => {}
        }
    }

    /// Returns the pointer of the current value.
    fn pointer(&self) -> Pointer {
        let steps = self.0.iter().map(|level| match level {
            Level::Object { name, .. } => step(name),
            Level::Array { index } => format!("/{index}"),
        });
        steps.collect::<String>().into()
    }
}

fn step(raw_name: &str) -> String {
    let mut step = String::new();
    // Writing to a String cannot fail.
    let _ = json::write_step(&mut step, raw_name);
    step
}

fn value_failure(file: &Path, pointer: Pointer, error: Error) -> Failure {
    ConfigFailure::Value { config: file.to_owned(), pointer, error }.into()
}

fn broken(file: &Path, text: &str, events: &Events<'_>, error: Error) -> ConfigFailure {
    let (config, offset) = (file.to_owned(), events.offset());
    if error == Error::TooDeep {
        return ConfigFailure::TooDeep { config, offset };
    }
    if is_key_text(text) {
        return ConfigFailure::IsMasterKey { config };
    }
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|char| *char != '\n').count() + 1;
    ConfigFailure::InvalidJson { config, line, column, offset, flaw: flaw(text, offset) }
}

/// Recognizes common mistakes in a text that is not JSON from `offset` on.
fn flaw(text: &str, offset: usize) -> JsonFlaw {
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let line = before.rsplit('\n').next().unwrap_or(before).to_owned() + after.lines().next().unwrap_or("");
    let is_marker = |line: &str| ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|marker| line.starts_with(marker));
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        JsonFlaw::Empty
    } else if is_marker(&line) {
        JsonFlaw::MergeConflict
    } else if after.starts_with(['/', '#']) {
        JsonFlaw::Comment
    } else if after.starts_with(['}', ']']) && before.trim_end().ends_with(',') {
        JsonFlaw::TrailingComma
    } else if after.starts_with('\'') {
        JsonFlaw::SingleQuotes
    } else if after.is_empty() {
        JsonFlaw::Cut
    } else if before.trim().is_empty() && !after.starts_with(['{', '[', '"']) {
        JsonFlaw::AnotherFormat
    } else {
        JsonFlaw::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    fn pointers(text: &str) -> Vec<String> {
        let document = ConfigText::parse("c.json", text.into()).unwrap();
        document.tokens.into_iter().map(|token| token.pointer.to_string()).collect()
    }

    #[test]
    fn tokens_are_found_with_the_pointers_that_core_gives_them() {
        let text = r#"{"a":["x",{"b/c":"enc:1"},"enc:2"],"d":{},"e~":"\u0065nc:3","":"enc:4"}"#;
        assert_eq!(pointers(text), ["/a/1/b~1c", "/a/2", "/e~0", "/"]);
        let by_core: Vec<String> = json::strings(text)
            .map(|value| value.unwrap())
            .filter(|value| unescaped(value.raw()).unwrap().starts_with("enc:"))
            .map(|value| value.pointer().to_string())
            .collect();
        assert_eq!(pointers(text), by_core);
    }

    #[test]
    fn a_name_that_occurs_twice_is_an_error_only_on_the_way_to_a_token() {
        for text in [
            r#"{"a":"enc:1","a":"x"}"#,
            r#"{"a":"x","\u0061":"enc:1"}"#,
            r#"{"a":{"b":"enc:1"},"c":1,"a":{}}"#,
            r#"[{"a":{"b":{"c":"enc:1"},"b":0}}]"#,
        ] {
            let failure = ConfigText::parse("c.json", text.into()).err().unwrap();
            assert_eq!(failure.exit(), Exit::Malformed, "{text}");
            assert!(failure.what().contains("twice"), "{text}");
        }
        assert_eq!(pointers(r#"{"x":1,"x":2,"a":{"b":"enc:1"},"c":{"y":1,"y":2}}"#), ["/a/b"]);
    }

    fn document(text: &str) -> ConfigText {
        ConfigText::parse("c.json", text.into()).unwrap()
    }

    #[test]
    fn an_edit_changes_the_inside_of_its_string_and_nothing_else() {
        let text = "\u{feff}{ \"a\" : \"enc:1\",\r\n\t\"b\":[1.50,\"enc:2\"] }\n";
        let document = document(text);
        let expected = text.replace("enc:1", "q\\\"\\n").replace("enc:2", "q\\\"\\n");
        // In whichever order they come.
        for order in [[0, 1], [1, 0]] {
            let edits = order.map(|at| document.tokens[at].replaced_by("q\"\n")).into();
            let edited = Edits::new(&document, edits).unwrap().pieces().concat();
            assert_eq!(String::from_utf8(edited).unwrap(), expected);
        }
    }

    #[test]
    fn many_pointers_lead_where_each_of_them_leads_alone() {
        let texts = [
            r#"{"a": {"b": ["x", {"c": 1}, [true]], "0": "zero", "": {"": "e"}}, "a.b": 5, "x/y~z": null}"#,
            r#"{"a": 1, "a": {"b": 2}, "c": {"d": 1, "d": {"e": 3}}}"#,
            r#"{"a": {"b": 1, "\u0062": 2}, "0": [], "c": "\ud800", "\ud800": 1}"#,
            r#"[["p", "q"], {"a": [0]}, "r"]"#,
            "\u{feff} \"only\" ",
            "{}",
        ];
        let pointers = [
            "",
            "/",
            "/a",
            "a",
            "/a/b",
            "a.b",
            "/a.b",
            "/a/b/0",
            "/a/b/1/c",
            "a.b.1.c",
            "/a/b/2/0",
            "/a/b/01",
            "/a/0",
            "a.",
            "/a//",
            "a..",
            ".",
            "/x~1y~0z",
            "/x~2",
            "/~",
            "/c",
            "/c/d",
            "/c/d/e",
            "/0",
            "/0/1",
            "0.1",
            "/1/a/0",
            "/2",
            "/3",
            "/a/b/3",
            "/-",
            "/a/b/+1",
            "/a/b/18446744073709551616",
            "/\u{fffd}",
        ];
        for text in texts {
            let document = document(text);
            for (pointer, found) in pointers.iter().zip(document.find_all(&pointers)) {
                let alone = json::find(text, pointer);
                let alone = alone.map(|value| Place { kind: value.kind(), raw: value.raw(), span: value.span() });
                assert_eq!(found, alone, "{pointer} in {text}");
            }
        }
    }

    #[test]
    fn edits_that_overlap_or_lie_outside_the_text_are_refused() {
        let document = document("{\"a\": \"one\", \"b\": \"\", \"c\": \"ä\"}");
        let whole = document.text.len();
        for (first, second) in [(7..10, 7..10), (7..10, 9..12), (7..15, 8..9), (19..19, 19..19), (7..10, 10..12)] {
            for ranges in [[first.clone(), second.clone()], [second, first]] {
                let edits = ranges.map(|range| Edit::new(range, "x")).into();
                let failure = Edits::new(&document, edits).err().unwrap();
                assert!(failure.what().contains("two edits of c.json overlap"), "{failure:?}");
            }
        }
        let inside_a_character = document.text.find('ä').unwrap() + 1;
        for range in [whole - 1..whole + 1, whole + 1..whole + 2, inside_a_character..inside_a_character + 1] {
            assert!(Edits::new(&document, vec![Edit::new(range, "x")]).is_err());
        }
    }
}
