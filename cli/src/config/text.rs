//! A config as the commands see it: its text, the tokens in it with their pointers, and edits to its strings.
//! Two passes, linear in the text; everything outside an edited string stays byte for byte.
//! [`Edits`] are the only way to a changed text: they are in order, and none overlaps another.
//! What bytes mean is core's to say; here they are only remembered.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Deref, Range};

use fernseal_core::Error;
use fernseal_core::config::{self, ValueKind};
use fernseal_core::fernet::MAX_CLOCK_SKEW;
use fernseal_core::json::{self, Event, Events, Kind};
use fernseal_core::token::{self, Format, Token};

use crate::config::placeholder;
use zeroize::Zeroizing;

use crate::error::{Exit, Failure, Result};
use crate::output::time;
use crate::quote::{Pointer, is_key_text};

/// A config file's text and the tokens in it.
pub(crate) struct ConfigText {
    /// The file, for messages.
    pub(crate) name: String,
    /// Secrets may stand in it in plain text.
    pub(crate) text: Zeroizing<String>,
    /// Every string value that begins with `enc:`, in order.
    pub(crate) tokens: Vec<SealedValue>,
    /// The pointers of all that looks like a token and is none.
    pub(crate) lookalikes: Vec<Pointer>,
}

/// A string value that begins with `enc:`.
pub(crate) struct SealedValue {
    pub(crate) pointer: Pointer,
    /// Where it stands between its quotes.
    inside: Range<usize>,
    /// Its text, where escapes make that another than what is written.
    unescaped: Option<String>,
    /// Format and timestamp, if it is a token at all.
    pub(crate) form: std::result::Result<(Format, u64), Error>,
}

impl SealedValue {
    /// The token's text.
    pub(crate) fn text<'a>(&'a self, document: &'a ConfigText) -> &'a str {
        self.unescaped.as_deref().unwrap_or_else(|| &document.text[self.inside.clone()])
    }

    /// An edit that puts `plain` in the place of the token.
    pub(crate) fn replaced_by(&self, plain: &str) -> Edit {
        Edit::new(self.inside.clone(), plain)
    }
}

/// A string or scalar: a value that holds no others.
pub(crate) struct Leaf<'a> {
    pub(crate) pointer: Pointer,
    pub(crate) kind: Kind,
    /// As it is written; of a string what stands between the quotes.
    pub(crate) raw: &'a str,
    span: Range<usize>,
}

impl Leaf<'_> {
    /// Where it begins in the text.
    pub(crate) fn start(&self) -> usize {
        self.span.start
    }

    /// An edit that makes it the string `plain`.
    pub(crate) fn replaced_by(&self, plain: &str) -> Edit {
        Edit::of_value(self.kind, self.span.clone(), plain)
    }
}

/// A value that a pointer leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) kind: Kind,
    /// As it is written; of a string what stands between the quotes.
    pub(crate) raw: &'a str,
    span: Range<usize>,
}

impl<'a> Place<'a> {
    fn new(text: &'a str, kind: Kind, span: Range<usize>) -> Self {
        let quote = usize::from(kind == Kind::String);
        Self { kind, raw: &text[span.start + quote..span.end - quote], span }
    }

    /// Where it begins in the text.
    pub(crate) fn start(&self) -> usize {
        self.span.start
    }

    /// An edit that makes it, a string or scalar, the string `plain`.
    pub(crate) fn replaced_by(&self, plain: &str) -> Edit {
        Edit::of_value(self.kind, self.span.clone(), plain)
    }
}

/// A new text for the inside of one string.
pub(crate) struct Edit {
    inside: Range<usize>,
    escaped: Zeroizing<String>,
}

impl Edit {
    fn new(inside: Range<usize>, plain: &str) -> Self {
        let mut buf = Zeroizing::new(vec![0; json::escaped_len(plain)]);
        // The buffer is as long as the escaped text.
        let escaped = json::escape(plain, &mut buf).expect("an escaped text has the length that was asked for");
        Self { inside, escaped: Zeroizing::new(escaped.to_owned()) }
    }

    /// An edit of the string or scalar `value`, which becomes the string `plain`.
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

/// An open level of the text.
enum Level<'a> {
    Object {
        /// Where it begins.
        start: usize,
        /// The name of the present member.
        name: &'a str,
    },
    Array {
        index: usize,
    },
}

/// The levels that are open, of a text that is walked through.
#[derive(Default)]
struct Levels<'a>(Vec<Level<'a>>);

impl ConfigText {
    /// Reads a config's bytes. `name` is the file, for messages.
    pub(crate) fn parse(name: String, bytes: Vec<u8>) -> Result<Self> {
        let text = Zeroizing::new(String::from_utf8(bytes).map_err(|error| {
            let what = format!("{name} is not UTF-8 at byte {}", error.utf8_error().valid_up_to());
            drop(Zeroizing::new(error.into_bytes()));
            Failure::new(Exit::Malformed, what, "a config is JSON in UTF-8; convert it, for example with iconv")
        })?);
        let (tokens, lookalikes) = find_tokens(&name, &text)?;
        Ok(Self { name, text, tokens, lookalikes })
    }

    /// What is wrong with the value at `pointer`.
    pub(crate) fn failure(&self, pointer: &str, error: Error) -> Failure {
        Failure::at(&self.name, pointer, error)
    }

    /// Why `token` was refused; a slip that is often made gets words of its own.
    pub(crate) fn refusal(&self, token: &SealedValue, error: Error) -> Failure {
        let mut failure = self.failure(&token.pointer, error);
        // A Fernet token begins with its version and the first bytes of a time.
        if matches!(error, Error::Malformed | Error::Lookalike) && token.text(self).contains(":gAAAA") {
            failure.next = "a Fernet token stands there as it is: write its text in base64 once more, \
                            or put the plain secret there and encrypt that"
                .to_owned();
        }
        failure
    }

    /// The value at `pointer`.
    pub(crate) fn find(&self, pointer: &str) -> Result<json::Value<'_>> {
        json::find(&self.text, pointer).map_err(|error| self.failure(pointer, error))
    }

    /// The strings and scalars with their pointers, in order and in one pass: [`Self::find`] for each would look at the
    /// text once a value.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = Leaf<'_>> {
        let mut levels = Levels::default();
        // It was read to its end before.
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

    /// The values at `pointers`, each as [`Self::find`] finds it, in one walk through the text: to find them one by one
    /// costs a walk for each.
    pub(crate) fn find_all(&self, pointers: &[&str]) -> Vec<std::result::Result<Place<'_>, Error>> {
        let mut wanted = Wanted::new(pointers);
        wanted.walk(&self.text);
        wanted.places()
    }

    /// The time to seal at: later than all tokens here, so that what is set after a rotation, were it in the same second,
    /// is newer than the rotation's backup. Tokens of a clock that is far ahead are not followed: half of what
    /// [`MAX_CLOCK_SKEW`] lets pass.
    pub(crate) fn sealing_time(&self, now: u64) -> u64 {
        let newest = self.tokens.iter().filter_map(|token| Some(token.form.ok()?.1)).max();
        newest.map_or(now, |newest| newest.saturating_add(1).clamp(now, now.saturating_add(MAX_CLOCK_SKEW / 2)))
    }

    /// The token that `value` is, if it is one.
    pub(crate) fn token_at(&self, value: &json::Value<'_>) -> Option<&SealedValue> {
        self.token_from(value.span().start)
    }

    /// The token whose string begins at `start`, if there is one.
    pub(crate) fn token_from(&self, start: usize) -> Option<&SealedValue> {
        let at = self.tokens.binary_search_by_key(&(start + 1), |token| token.inside.start).ok()?;
        self.tokens.get(at)
    }

    /// Where the tokens are.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        self.tokens.iter().map(|token| &*token.pointer).collect()
    }

    /// The edits that put `secrets` in the places of the tokens, one for each.
    pub(crate) fn opened_to(&self, secrets: &[Zeroizing<String>]) -> Vec<Edit> {
        self.tokens.iter().zip(secrets).map(|(token, secret)| token.replaced_by(secret)).collect()
    }

    /// Whether the two texts are the same but for the tokens in them.
    pub(crate) fn differs_only_in_tokens(&self, other: &Self) -> bool {
        self.around_tokens().eq(other.around_tokens())
    }

    /// Whether a token was sealed after `stamp`, as it stands in a backup's name. A rotation seals at the very time that
    /// it puts into the names of its backups.
    pub(crate) fn is_newer_than(&self, stamp: &str) -> bool {
        self.tokens.iter().any(|token| token.form.is_ok_and(|(_, sealed)| *time::stamp(sealed) > *stamp))
    }

    /// What stands before, between and behind the tokens.
    fn around_tokens(&self) -> impl Iterator<Item = &str> {
        let starts = [0].into_iter().chain(self.tokens.iter().map(|token| token.inside.end));
        let ends = self.tokens.iter().map(|token| token.inside.start).chain([self.text.len()]);
        starts.zip(ends).map(|(start, end)| &self.text[start..end])
    }

    /// Whether the config asks for the guide's debug mode.
    pub(crate) fn wants_debug(&self) -> bool {
        json::find(&self.text, "/logging/level").is_ok_and(|level| level.raw().eq_ignore_ascii_case("DEBUG"))
    }
}

/// Edits of a config's text: in order, within the text, and none overlaps another.
pub(crate) struct Edits<'d> {
    text: &'d str,
    edits: Vec<Edit>,
}

impl<'d> Edits<'d> {
    /// Puts edits of `document` in order. Two that overlap would give a broken text: they are refused.
    pub(crate) fn new(document: &'d ConfigText, mut edits: Vec<Edit>) -> Result<Self> {
        let text = document.text.as_str();
        edits.sort_by_key(|edit| (edit.inside.start, edit.inside.end));
        let mut end = 0;
        for (at, edit) in edits.iter().enumerate() {
            // A quote or a comma is between two values, even where an empty string takes up no byte.
            let is_apart = at == 0 || edit.inside.start > end;
            if !is_apart || text.get(edit.inside.clone()).is_none() {
                let what = format_args!("two edits of {} overlap at byte {}", document.name, edit.inside.start);
                return Err(Failure::broken(what));
            }
            end = edit.inside.end;
        }
        Ok(Self { text, edits })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.edits.len()
    }

    /// The text with the edits made, in pieces.
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

/// Pointers that are looked for in one walk: a tree of their steps.
struct Wanted<'a> {
    /// Parents stand before their children; the first is the text's value itself.
    nodes: Vec<Node<'a>>,
    /// The node that each pointer leads to, unless it is no pointer.
    ends: Vec<std::result::Result<usize, Error>>,
}

/// What pointers with a common beginning lead to.
#[derive(Default)]
struct Node<'a> {
    parent: usize,
    children: BTreeMap<String, usize>,
    place: Option<Place<'a>>,
    /// Whether a name that leads here was met, and whether it was met twice in its object.
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

    /// The node that a step leads to.
    fn child(&self, parent: Option<usize>, step: impl FnOnce() -> Option<String>) -> Option<usize> {
        let children = &self.nodes[parent?].children;
        if children.is_empty() { None } else { children.get(&step()?).copied() }
    }

    /// Finds the places in `text`, which was read to its end before.
    fn walk(&mut self, text: &'a str) {
        // Of each open level its node, where it begins, and the number of its next item if it is an array.
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

    /// What each pointer leads to.
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

/// The steps of a pointer: those of RFC 6901 with their escapes taken off, or names that are joined by dots.
fn steps(pointer: &str) -> std::result::Result<Vec<String>, Error> {
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

/// A string value's text, its escapes taken off: as it is written, or a copy that is wiped in the end.
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

/// What a string value says.
pub(crate) fn unescaped(raw: &str) -> std::result::Result<Unescaped<'_>, Error> {
    if !raw.contains('\\') {
        return Ok(Unescaped::AsWritten(raw));
    }
    let mut buf = Zeroizing::new(vec![0; raw.len()]);
    json::unescape(raw, &mut buf).map(|text| Unescaped::Copy(Zeroizing::new(text.to_owned())))
}

/// What the string value `raw` is, by its looks.
pub(crate) fn classify(raw: &str) -> ValueKind {
    let Ok(text) = unescaped(raw) else { return ValueKind::Plain };
    match config::classify(&text) {
        ValueKind::Plain if placeholder::form(&text).is_some() => ValueKind::Placeholder,
        kind => kind,
    }
}

/// The names that tokens lie under: where their objects begin, and whether the name was met.
type Ways<'a> = BTreeMap<(usize, Cow<'a, str>), bool>;

/// The tokens of `text`, and the pointers of what merely looks like one.
fn find_tokens(file: &str, text: &str) -> Result<(Vec<SealedValue>, Vec<Pointer>)> {
    let (mut tokens, mut lookalikes) = (Vec::new(), Vec::new());
    let mut ways = Ways::new();
    // A few long names above many tokens would come to many times the text.
    let mut room = text.len().saturating_mul(4) + (1 << 20);
    let mut told = |levels: &Levels<'_>| {
        let pointer = levels.pointer();
        room = room.checked_sub(pointer.len()).ok_or_else(|| {
            let what = format!("{file} has names too long to be told above so many tokens");
            Failure::new(Exit::Malformed, what, "no config is like that; check where the file comes from")
        })?;
        Ok(pointer)
    };
    let mut levels = Levels::default();
    let mut events = Events::new(text);
    while let Some(event) = events.next() {
        let event = event.map_err(|error| broken(file, text, &events, error))?;
        levels.follow(text, &event);
        let Event::String(span) = event else { continue };
        let inside = span.start + 1..span.end - 1;
        let Ok(said) = unescaped(&text[inside.clone()]) else { continue };
        // A token is parsed once: all of it is decoded for that.
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

/// Walks through the text once more: no name on the way to a token may occur twice in its object. Only then is it known
/// which names those are; all names would take more memory than the text.
fn refuse_equal_names<'a>(file: &str, text: &'a str, mut ways: Ways<'a>) -> Result<()> {
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
            return Err(Failure::at(file, &levels.pointer(), Error::DuplicateKey));
        }
    }
    Ok(())
}

/// A name, its escapes taken off.
fn said_by(name: &str) -> Cow<'_, str> {
    match unescaped(name) {
        Ok(Unescaped::Copy(text)) => Cow::Owned(text.to_string()),
        Ok(Unescaped::AsWritten(_)) | Err(_) => Cow::Borrowed(name),
    }
}

impl<'a> Levels<'a> {
    /// Takes note of the event.
    fn follow(&mut self, text: &'a str, event: &Event) {
        if let Event::String(_) | Event::Scalar(_) | Event::ObjectStart(_) | Event::ArrayStart(_) = event
            && let Some(Level::Array { index }) = self.0.last_mut()
        {
            *index = index.wrapping_add(1);
        }
        match event {
            Event::ObjectStart(start) => self.0.push(Level::Object { start: *start, name: "" }),
            // The first item makes it 0.
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

    /// The pointer of the present value.
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

fn broken(file: &str, text: &str, events: &Events<'_>, error: Error) -> Failure {
    let offset = events.offset();
    if error == Error::TooDeep {
        let what = format!("Invalid JSON: {file} is nested deeper than {} levels at byte {offset}", json::MAX_DEPTH);
        return Failure::new(Exit::Malformed, what, "no config is that deep; check where the file comes from");
    }
    if is_key_text(text) {
        let what = format!("Invalid JSON: {file} holds a master key, not a config");
        return Failure::new(Exit::Malformed, what, "were the config and the key file swapped?");
    }
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|char| *char != '\n').count() + 1;
    Failure::new(
        Exit::Malformed,
        format!("Invalid JSON: {file}, line {line}, column {column} (byte {offset})"),
        hint(text, offset),
    )
}

/// What to do about a text that is not JSON from `offset` on.
fn hint(text: &str, offset: usize) -> &'static str {
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let line = before.rsplit('\n').next().unwrap_or(before).to_owned() + after.lines().next().unwrap_or("");
    let is_marker = |line: &str| ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|marker| line.starts_with(marker));
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        "the file is empty: restore it from a backup, or write {} into it"
    } else if is_marker(&line) {
        "these are the marks of a merge conflict: resolve it first"
    } else if after.starts_with(['/', '#']) {
        "a config is strict JSON, which has no comments: remove the comment"
    } else if after.starts_with(['}', ']']) && before.trim_end().ends_with(',') {
        "a config is strict JSON, which has no comma before a closing bracket: remove the comma"
    } else if after.starts_with('\'') {
        "a config is strict JSON, which has no single quotes: use double quotes"
    } else if after.is_empty() {
        "the text ends too early: the file may have been cut; restore it from a backup"
    } else if before.trim().is_empty() && !after.starts_with(['{', '[', '"']) {
        "the text does not begin like JSON: only JSON configs are supported, not YAML, TOML, INI or .env"
    } else {
        "a config is strict JSON: check the text at this place"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(text: &str) -> Vec<String> {
        let document = ConfigText::parse("c.json".to_owned(), text.into()).unwrap();
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
            let failure = ConfigText::parse("c.json".to_owned(), text.into()).err().unwrap();
            assert_eq!(failure.exit, Exit::Malformed, "{text}");
            assert!(failure.what.contains("twice"), "{text}");
        }
        assert_eq!(pointers(r#"{"x":1,"x":2,"a":{"b":"enc:1"},"c":{"y":1,"y":2}}"#), ["/a/b"]);
    }

    fn document(text: &str) -> ConfigText {
        ConfigText::parse("c.json".to_owned(), text.into()).unwrap()
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
                assert!(failure.what.contains("two edits of c.json overlap"), "{}", failure.what);
            }
        }
        let inside_a_character = document.text.find('ä').unwrap() + 1;
        for range in [whole - 1..whole + 1, whole + 1..whole + 2, inside_a_character..inside_a_character + 1] {
            assert!(Edits::new(&document, vec![Edit::new(range, "x")]).is_err());
        }
    }
}
