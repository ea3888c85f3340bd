//! The interface between the commands and a text of any format: its tokens, its values, and edits of a value.
//!
//! There are three implementations. Strict JSON is walked through for each query, so that a large config needs no table
//! of its values ([`walk`](super::walk)). The other formats have such a table ([`Document`]). For a text of unknown
//! format, only the tokens are known ([`Plain`]).

use std::ops::{Deref, Range};
use std::sync::Arc;

use fernseal_core::config::{self, ValueKind};
use fernseal_core::token::{self, Format as Form, Token};
use fernseal_core::{Error, json, text};
use zeroize::Zeroizing;

use super::{Document, Edit, Kind, Name, Refusal, TextFormat, Value};

/// A shared text. It may contain secrets.
pub(crate) type SharedText = Arc<Zeroizing<String>>;

/// The place of a value in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) kind: Kind,
    /// Its bytes, including quotes.
    pub(crate) span: Range<usize>,
    /// Its index among the values of a [`Document`].
    index: usize,
}

impl Spot {
    pub(super) fn new(kind: Kind, span: Range<usize>) -> Self {
        Self { kind, span, index: 0 }
    }

    fn of(document: &Document, index: usize) -> Self {
        let Value { kind, span, .. } = &document.values[index];
        Self { kind: *kind, span: span.clone(), index }
    }
}

/// A value that a pointer leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) kind: Kind,
    pub(crate) spot: Spot,
    written: Written<'a>,
}

/// The text of a value, decoded or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written<'a> {
    /// The source text of a JSON scalar, or of a JSON string without its quotes.
    Raw(&'a str),
    Read(Result<&'a str, &'a Refusal>),
}

impl<'a> Place<'a> {
    pub(super) fn new(spot: Spot, written: Written<'a>) -> Self {
        Self { kind: spot.kind, spot, written }
    }

    /// Returns its offset in the text.
    pub(crate) fn start(&self) -> usize {
        self.spot.span.start
    }

    /// Reports whether it is a container.
    pub(crate) fn is_group(&self) -> bool {
        matches!(self.kind, Kind::Map | Kind::List)
    }

    /// Returns the text of a string without quotes and escapes, and of any other scalar the text as it is written.
    ///
    /// # Errors
    /// Fails if the text is ambiguous or invalid.
    pub(crate) fn text(&self) -> Result<Unescaped<'a>, ValueError> {
        match self.written {
            Written::Read(Ok(text)) => Ok(Unescaped::AsWritten(text)),
            Written::Read(Err(refusal)) => Err(refusal.clone().into()),
            Written::Raw(raw) if self.kind == Kind::String => Ok(unescaped(raw)?),
            Written::Raw(raw) => Ok(Unescaped::AsWritten(raw)),
        }
    }

    /// Reports whether it is an empty string.
    pub(crate) fn is_empty_string(&self) -> bool {
        self.kind == Kind::String && self.text().is_ok_and(|text| text.is_empty())
    }
}

/// A string or scalar with its pointer.
#[derive(Debug)]
pub(crate) struct Leaf<'a> {
    pub(crate) pointer: String,
    pub(crate) place: Place<'a>,
}

/// The text of a string value without escapes: borrowed from the source, or a copy that is wiped when dropped.
#[derive(Debug)]
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

/// The reason why there is no value at a pointer, or why its text is ambiguous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueError {
    Core(Error),
    Refused(Box<Refusal>),
}

impl From<Error> for ValueError {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<Refusal> for ValueError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// The reason why a text cannot be read at all.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It is invalid JSON from this byte on.
    InvalidJson(usize),
    /// It is nested too deeply, at this byte.
    TooDeep(usize),
    /// A name in the pointer of a token, which is given here, occurs twice in its object.
    NamedTwice(String),
    /// The pointers of its tokens would take up too much memory.
    LongNames,
}

/// The tokens of a text in order, and the places of values that only look like tokens.
#[derive(Debug, Default)]
pub(crate) struct FoundTokens {
    pub(crate) tokens: Vec<FoundToken>,
    pub(crate) lookalikes: Vec<String>,
}

/// A token, or a text that begins like one.
#[derive(Debug)]
pub(crate) struct FoundToken {
    /// The pointer of a value; outside of values, the line and column.
    pub(crate) pointer: String,
    /// The place of its own characters, without quotes.
    pub(crate) inside: Range<usize>,
    /// Its text, if that differs from the source because of escapes.
    pub(crate) unescaped: Option<String>,
    /// The token's format and timestamp, or why it is not a token.
    pub(crate) form: Result<(Form, u64), Error>,
    pub(crate) owner: Owner,
}

/// What contains a token.
#[derive(Debug, Clone)]
pub(crate) enum Owner {
    /// It is a whole value.
    Value(Spot),
    /// It is a part of a value's text.
    Within(Spot),
    /// It is outside of all values: in a comment, or in a text of unknown format.
    Nothing,
}

impl FoundToken {
    pub(super) fn form_of(text: &str) -> Result<(Form, u64), Error> {
        Token::parse(text).map(|token| (*token.format(), token.timestamp()))
    }
}

/// A text that was read, for queries and edits.
pub(crate) trait Reading: Send + Sync {
    /// Checks the text and finds its tokens.
    fn tokens(&self) -> Result<FoundTokens, ReadError>;

    /// Returns the strings and scalars that `is_wanted` selects, in order. It gets the kind of each value, and its text
    /// as far as that is known without decoding: for a JSON string, the source text. Only the selected values get a
    /// pointer, as making one costs most.
    fn leaves<'a>(&'a self, is_wanted: fn(Kind, &str) -> bool) -> Box<dyn Iterator<Item = Leaf<'a>> + 'a>;

    /// Returns the value at `pointer`: `/auth/token_value` (RFC 6901) or `auth.token_value`.
    fn find(&self, pointer: &str) -> Result<Place<'_>, ValueError>;

    /// Returns the values at `pointers`, with the same results as [`Self::find`].
    fn find_all(&self, pointers: &[&str]) -> Vec<Result<Place<'_>, ValueError>>;

    /// Returns the text of the value at `spot`.
    fn text_at(&self, spot: &Spot) -> Result<Unescaped<'_>, ValueError>;

    /// Fails if the value at `spot` must not be replaced.
    fn check_replaceable(&self, spot: &Spot) -> Result<(), Refusal>;

    /// Returns an edit that replaces the value at `spot` with the string `plain`.
    fn replace(&self, spot: &Spot, plain: &str) -> Result<Edit, Refusal>;

    /// Returns an edit that adds the string `plain` at `pointer`, where no value exists yet, and the missing containers
    /// above it.
    fn insert(&self, pointer: &str, plain: &str) -> Result<Edit, Refusal>;

    /// Returns an edit that removes the value at `pointer` and its name.
    fn remove(&self, pointer: &str) -> Result<Edit, ValueError>;

    /// Fails if `edits`, which are sorted, change anything except the values that they are for.
    fn check(&self, edits: &[Edit]) -> Result<(), Refusal>;

    /// Returns the format, if it is known.
    fn format(&self) -> Option<TextFormat>;

    /// Returns the reason why the values of the text are not known, if they are not.
    fn obstacle(&self) -> Option<&Obstacle> {
        None
    }
}

/// The reason why only the tokens of a text are known, not its values.
#[derive(Debug, Clone)]
pub(crate) struct Obstacle {
    pub(crate) refusal: Refusal,
    /// Whether the text has, or may have, a format that cannot be read. Then it is unknown how that format writes a
    /// secret.
    pub(crate) is_fault: bool,
}

/// The source from which the format of a text is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FormatSource {
    /// The user named it.
    Given(TextFormat),
    /// The name of the file determines it.
    Name,
    /// The text comes from a pipe, and its content determines the format.
    Content,
}

/// A text of which only the tokens are known.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) text: SharedText,
    pub(super) obstacle: Obstacle,
}

impl Reading for Plain {
    fn tokens(&self) -> Result<FoundTokens, ReadError> {
        let mut tokens = FoundTokens::default();
        add_by_grammar(&self.text, &mut tokens, |_| Some(Owner::Nothing));
        Ok(tokens)
    }

    fn leaves<'a>(&'a self, _: fn(Kind, &str) -> bool) -> Box<dyn Iterator<Item = Leaf<'a>> + 'a> {
        Box::new(std::iter::empty())
    }

    fn find(&self, _: &str) -> Result<Place<'_>, ValueError> {
        Err(self.obstacle.refusal.clone().into())
    }

    fn find_all(&self, pointers: &[&str]) -> Vec<Result<Place<'_>, ValueError>> {
        pointers.iter().map(|pointer| self.find(pointer)).collect()
    }

    fn text_at(&self, _: &Spot) -> Result<Unescaped<'_>, ValueError> {
        Err(self.obstacle.refusal.clone().into())
    }

    fn check_replaceable(&self, _: &Spot) -> Result<(), Refusal> {
        Err(self.obstacle.refusal.clone())
    }

    fn replace(&self, _: &Spot, _: &str) -> Result<Edit, Refusal> {
        Err(self.obstacle.refusal.clone())
    }

    fn insert(&self, _: &str, _: &str) -> Result<Edit, Refusal> {
        Err(self.obstacle.refusal.clone())
    }

    fn remove(&self, _: &str) -> Result<Edit, ValueError> {
        Err(self.obstacle.refusal.clone().into())
    }

    fn check(&self, _: &[Edit]) -> Result<(), Refusal> {
        Ok(())
    }

    fn format(&self) -> Option<TextFormat> {
        None
    }

    fn obstacle(&self) -> Option<&Obstacle> {
        Some(&self.obstacle)
    }
}

/// Adds the tokens that the grammar of tokens finds in `text`. `owner` returns what contains a token, or `None` if the
/// token was added already.
fn add_by_grammar(text: &str, found: &mut FoundTokens, owner: impl Fn(&Range<usize>) -> Option<Owner>) {
    let (mut line, mut line_start, mut counted) = (1, 0, 0);
    for token in text::tokens(text) {
        let span = token.span();
        let Some(owner) = owner(&span) else { continue };
        let before = &text[counted..span.start];
        line += before.matches('\n').count();
        line_start = before.rfind('\n').map_or(line_start, |at| counted + at + 1);
        counted = span.start;
        let column = text[line_start..span.start].chars().count() + 1;
        let pointer = format!("line {line}, column {column}");
        let form = token.token().map(|token| (*token.format(), token.timestamp()));
        if form.is_err() {
            found.lookalikes.push(pointer.clone());
        }
        if form != Err(Error::Lookalike) {
            found.tokens.push(FoundToken { pointer, inside: span, unescaped: None, form, owner });
        }
    }
}

impl Document {
    fn place(&self, index: usize) -> Place<'_> {
        let value = &self.values[index];
        let written = value.unclear.as_deref().map_or_else(|| Ok(self.raw_text(value)), Err);
        Place::new(Spot::of(self, index), Written::Read(written))
    }

    /// Returns the value at `index` as a token, if it is one or looks like one.
    fn whole_token(&self, index: usize) -> Option<FoundToken> {
        let value = &self.values[index];
        let said = self.text_of(value).ok().filter(|said| value.kind == Kind::String && token::is_sealed(said))?;
        // A string of several lines may contain the token as it is.
        let written = &self.text[value.span.clone()];
        let inside = match written.find(said).filter(|_| written.matches(said).count() == 1) {
            Some(at) => value.span.start + at..value.span.start + at + said.len(),
            None => value.inside(),
        };
        let unescaped = (self.text[inside.clone()] != *said).then(|| said.to_owned());
        let (pointer, owner) = (self.pointer(value), Owner::Value(Spot::of(self, index)));
        Some(FoundToken { pointer, inside, unescaped, form: FoundToken::form_of(said), owner })
    }
}

impl Reading for Document {
    fn tokens(&self) -> Result<FoundTokens, ReadError> {
        let mut found = FoundTokens::default();
        // The places of the values that are tokens or look like one, and the indices of all strings and scalars.
        let mut known: Vec<Range<usize>> = Vec::new();
        let mut leaves: Vec<usize> = Vec::new();
        for (index, value) in self.values.iter().enumerate().filter(|(_, value)| value.is_leaf()) {
            leaves.push(index);
            if value.name == Name::None {
                continue;
            }
            let token = self.whole_token(index);
            let looks_sealed = match &token {
                Some(token) => token.form.is_err(),
                None => {
                    value.kind == Kind::String
                        && self.text_of(value).is_ok_and(|said| config::classify(said) == ValueKind::Lookalike)
                }
            };
            if looks_sealed {
                found.lookalikes.push(self.pointer(value));
            }
            if looks_sealed || token.is_some() {
                known.push(value.span.clone());
            }
            found.tokens.extend(token);
        }
        known.sort_unstable_by_key(|span| span.start);
        leaves.sort_unstable_by_key(|index| self.values[*index].span.start);
        let is_in = |outer: &Range<usize>, inner: &Range<usize>| outer.start <= inner.start && inner.end <= outer.end;
        let mut others = FoundTokens::default();
        add_by_grammar(&self.text, &mut others, |span| {
            let at = known.partition_point(|known| known.start <= span.start);
            if at > 0 && is_in(&known[at - 1], span) {
                return None;
            }
            let at = leaves.partition_point(|index| self.values[*index].span.start <= span.start);
            let leaf = at.checked_sub(1).map(|at| leaves[at]).filter(|index| is_in(&self.values[*index].span, span));
            Some(leaf.map_or(Owner::Nothing, |index| Owner::Within(Spot::of(self, index))))
        });
        found.tokens.extend(others.tokens);
        found.lookalikes.extend(others.lookalikes);
        found.tokens.sort_unstable_by_key(|token| token.inside.start);
        Ok(found)
    }

    fn leaves<'a>(&'a self, is_wanted: fn(Kind, &str) -> bool) -> Box<dyn Iterator<Item = Leaf<'a>> + 'a> {
        let is_leaf = move |(_, value): &(usize, &Value)| {
            value.is_leaf() && value.name != Name::None && is_wanted(value.kind, self.raw_text(value))
        };
        let leaf = |(index, value)| Leaf { pointer: self.pointer(value), place: self.place(index) };
        Box::new(self.values.iter().enumerate().filter(is_leaf).map(leaf))
    }

    fn find(&self, pointer: &str) -> Result<Place<'_>, ValueError> {
        Ok(self.place(self.find_index(pointer)?))
    }

    fn find_all(&self, pointers: &[&str]) -> Vec<Result<Place<'_>, ValueError>> {
        pointers.iter().map(|pointer| Reading::find(self, pointer)).collect()
    }

    fn text_at(&self, spot: &Spot) -> Result<Unescaped<'_>, ValueError> {
        self.place(spot.index).text()
    }

    fn check_replaceable(&self, spot: &Spot) -> Result<(), Refusal> {
        self.values[spot.index].check_replaceable()
    }

    fn replace(&self, spot: &Spot, plain: &str) -> Result<Edit, Refusal> {
        Document::replace(self, &self.values[spot.index], plain)
    }

    fn check(&self, edits: &[Edit]) -> Result<(), Refusal> {
        // An edit that adds or removes a value was checked when it was made.
        if let [edit] = edits
            && edit.is_checked
        {
            return Ok(());
        }
        self.edited(edits).map(|_| ())
    }

    fn format(&self) -> Option<TextFormat> {
        Some(Document::format(self))
    }

    fn insert(&self, pointer: &str, plain: &str) -> Result<Edit, Refusal> {
        Document::insert(self, pointer, plain)
    }

    fn remove(&self, pointer: &str) -> Result<Edit, ValueError> {
        Ok(Document::remove(self, Document::find(self, pointer)?)?)
    }
}

/// The last step of a pointer to a new item after the last one of an array (RFC 6901).
pub(crate) const APPENDED: &str = "-";

/// Reports whether the pointer is for a new item after the last one of an array.
pub(crate) fn is_append(pointer: &str) -> bool {
    steps(pointer).is_ok_and(|steps| steps.last().is_some_and(|step| step == APPENDED))
}

/// Returns the steps of a pointer: those of RFC 6901 without escapes, or names joined by dots.
pub(crate) fn steps(pointer: &str) -> Result<Vec<String>, Error> {
    let Some(rest) = pointer.strip_prefix('/') else {
        return Ok(if pointer.is_empty() { Vec::new() } else { pointer.split('.').map(str::to_owned).collect() });
    };
    let unescape = |step: &str| {
        let well = step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if well { Ok(step.replace("~1", "/").replace("~0", "~")) } else { Err(Error::InvalidPointer) }
    };
    rest.split('/').map(unescape).collect()
}

/// Returns the pointer of the container of the value at `pointer`, or `None` for the root value.
pub(crate) fn parent(pointer: &str) -> Option<&str> {
    let separator = if pointer.starts_with('/') { '/' } else { '.' };
    match pointer.rsplit_once(separator) {
        _ if pointer.is_empty() => None,
        // Names joined by dots cannot express a single empty name.
        Some(("", _)) if separator == '.' => Some("/"),
        parent => Some(parent.map_or("", |(parent, _)| parent)),
    }
}

/// Returns `text` with each token replaced by its secret. `secret` is called for each token in order. Returns `None` if
/// `secret` does.
pub(crate) fn opened<'s>(text: &str, mut secret: impl FnMut(&str) -> Option<&'s str>) -> Option<Zeroizing<String>> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut read = 0;
    for token in text::tokens(text).filter(|token| token.token().is_ok()) {
        out.push_str(&text[read..token.span().start]);
        out.push_str(secret(&text[token.span()])?);
        read = token.span().end;
    }
    out.push_str(&text[read..]);
    Some(out)
}

/// Returns the text of a string value without its escapes.
pub(super) fn unescaped(raw: &str) -> Result<Unescaped<'_>, Error> {
    if !raw.contains('\\') {
        return Ok(Unescaped::AsWritten(raw));
    }
    let mut buf = Zeroizing::new(vec![0; raw.len()]);
    json::unescape(raw, &mut buf).map(|text| Unescaped::Copy(Zeroizing::new(text.to_owned())))
}
