//! What the commands ask of a text, whatever its format: its tokens, its values, and edits of one of them.
//!
//! Three kinds of texts answer. Strict JSON is walked through for each question, so that a large config costs no table
//! of its values ([`walk`](super::walk)). The other formats have such a table ([`Document`]). Of any other text only
//! the tokens are known ([`Plain`]).

use std::ops::{Deref, Range};
use std::sync::Arc;

use fernseal_core::config::{self, ValueKind};
use fernseal_core::token::{self, Format as Form, Token};
use fernseal_core::{Error, json, text};
use zeroize::Zeroizing;

use super::{Document, Edit, Kind, Name, Refusal, TextFormat, Value};

/// The offset of what is the matter with all of a text.
pub(super) const WHOLE: usize = usize::MAX;

/// A text that several share. Secrets may stand in it.
pub(crate) type Text = Arc<Zeroizing<String>>;

/// Where a value lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) kind: Kind,
    /// Quotes included.
    pub(crate) span: Range<usize>,
    /// Its number among the values of a [`Document`].
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

/// How the text of a value is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written<'a> {
    /// As the inside of a JSON string, or as a scalar of JSON.
    Raw(&'a str),
    Read(Result<&'a str, &'a Refusal>),
}

impl<'a> Place<'a> {
    pub(super) fn new(spot: Spot, written: Written<'a>) -> Self {
        Self { kind: spot.kind, spot, written }
    }

    /// Where it begins in the text.
    pub(crate) fn start(&self) -> usize {
        self.spot.span.start
    }

    /// Whether it holds other values.
    pub(crate) fn is_group(&self) -> bool {
        matches!(self.kind, Kind::Map | Kind::List)
    }

    /// Of a string its text without quotes and escapes; of a number, a truth value or nothing what is written.
    ///
    /// # Errors
    /// Why nobody can say what it is.
    pub(crate) fn text(&self) -> Result<Unescaped<'a>, ValueError> {
        match self.written {
            Written::Read(Ok(text)) => Ok(Unescaped::AsWritten(text)),
            Written::Read(Err(refusal)) => Err(refusal.clone().into()),
            Written::Raw(raw) if self.kind == Kind::String => Ok(unescaped(raw)?),
            Written::Raw(raw) => Ok(Unescaped::AsWritten(raw)),
        }
    }

    /// Whether it is a string without a character.
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

/// A string value's text, its escapes taken off: as it is written, or a copy that is wiped in the end.
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

/// Why there is no value at a pointer, or nobody can say what its text is.
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

/// Why a text cannot be read at all.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It is not JSON from this byte on.
    InvalidJson(usize),
    /// It is nested too deeply, at this byte.
    TooDeep(usize),
    /// A name on the way to a token, which this pointer leads to, occurs twice.
    NamedTwice(String),
    /// The pointers of its tokens would take up too much memory.
    LongNames,
}

/// The tokens of a text, in order, and where something merely looks like one.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<FoundToken>,
    pub(crate) lookalikes: Vec<String>,
}

/// A token, or what begins like one.
#[derive(Debug)]
pub(crate) struct FoundToken {
    /// Of a value its pointer; elsewhere line and column.
    pub(crate) pointer: String,
    /// Where its own characters stand.
    pub(crate) inside: Range<usize>,
    /// Its text, where escapes make that another than what is written.
    pub(crate) unescaped: Option<String>,
    /// The token's format and timestamp, or why it is not a token.
    pub(crate) form: Result<(Form, u64), Error>,
    pub(crate) owner: Owner,
}

/// What a token stands in.
#[derive(Debug, Clone)]
pub(crate) enum Owner {
    /// It is a whole value.
    Value(Spot),
    /// It is a part of a value's text.
    Within(Spot),
    /// It is no part of a value: it stands in a comment, or the format is not known.
    Nothing,
}

impl FoundToken {
    pub(super) fn form_of(text: &str) -> Result<(Form, u64), Error> {
        Token::parse(text).map(|token| (*token.format(), token.timestamp()))
    }
}

/// What the commands ask of a text.
pub(crate) trait Reading: Send + Sync {
    /// Checks the text, and finds its tokens.
    fn tokens(&self) -> Result<Tokens, ReadError>;

    /// The strings and scalars that are wanted, in order. `is_wanted` gets the kind of each, and its text as far as
    /// that is known without work: of a string of JSON what is written. A pointer, which costs most, is made for these
    /// alone.
    fn leaves<'a>(&'a self, is_wanted: fn(Kind, &str) -> bool) -> Box<dyn Iterator<Item = Leaf<'a>> + 'a>;

    /// The value at `pointer`: `/auth/token_value` (RFC 6901) or `auth.token_value`.
    fn find(&self, pointer: &str) -> Result<Place<'_>, ValueError>;

    /// The values at `pointers`, each as [`Self::find`] finds it.
    fn find_all(&self, pointers: &[&str]) -> Vec<Result<Place<'_>, ValueError>>;

    /// The text of the value at `spot`.
    fn text_at(&self, spot: &Spot) -> Result<Unescaped<'_>, ValueError>;

    /// Whether the value at `spot` may become another one.
    fn check_replaceable(&self, spot: &Spot) -> Result<(), Refusal>;

    /// An edit that makes the value at `spot` the string `plain`.
    fn replace(&self, spot: &Spot, plain: &str) -> Result<Edit, Refusal>;

    /// An edit that adds the string `plain` at `pointer`, where nothing is yet, and the containers on the way to it.
    fn insert(&self, pointer: &str, plain: &str) -> Result<Edit, Refusal>;

    /// An edit that removes the value at `pointer` and its name.
    fn remove(&self, pointer: &str) -> Result<Edit, ValueError>;

    /// Checks that `edits`, which are in order, change what they are to change and nothing else.
    fn check(&self, edits: &[Edit]) -> Result<(), Refusal>;

    /// The format, if it is known.
    fn format(&self) -> Option<TextFormat>;

    /// Why values of the text are not known.
    fn obstacle(&self) -> Option<&Obstacle> {
        None
    }
}

/// Why nothing but the tokens of a text is known.
#[derive(Debug, Clone)]
pub(crate) struct Obstacle {
    pub(crate) refusal: Refusal,
    /// Whether the text has a format, or may have one, that cannot be read: then it is not known how a secret is
    /// written there.
    pub(crate) is_fault: bool,
}

/// Where the format of a text is known from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FormatSource {
    /// The user has named it.
    Given(TextFormat),
    /// The name of its file tells it.
    Name,
    /// It comes from a pipe: its content tells it.
    Content,
}

/// A text of which only the tokens are known.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) text: Text,
    pub(super) obstacle: Obstacle,
}

impl Reading for Plain {
    fn tokens(&self) -> Result<Tokens, ReadError> {
        let mut tokens = Tokens::default();
        apart(&self.text, &mut tokens, |_| Some(Owner::Nothing));
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

/// Adds the tokens of `text` by their grammar. `owner` tells what each stands in, or that it is known already.
fn apart(text: &str, found: &mut Tokens, owner: impl Fn(&Range<usize>) -> Option<Owner>) {
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

    /// The token that the value at `index` is, or what looks like one.
    fn whole_token(&self, index: usize) -> Option<FoundToken> {
        let value = &self.values[index];
        let said = self.text_of(value).ok().filter(|said| value.kind == Kind::String && token::is_sealed(said))?;
        // In a text over several lines the token may stand as it is.
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
    fn tokens(&self) -> Result<Tokens, ReadError> {
        let mut found = Tokens::default();
        // The values that are tokens or look like one, and all strings and scalars, by their places.
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
        let mut others = Tokens::default();
        apart(&self.text, &mut others, |span| {
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
        // Each value that is added or removed was checked by itself.
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

/// The last step of a pointer to the item that is to be added behind the last one of an array (RFC 6901).
pub(crate) const APPENDED: &str = "-";

/// Whether the pointer leads behind the last item of an array.
pub(crate) fn is_append(pointer: &str) -> bool {
    steps(pointer).is_ok_and(|steps| steps.last().is_some_and(|step| step == APPENDED))
}

/// The steps of a pointer: those of RFC 6901 with their escapes taken off, or names that are joined by dots.
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

/// The pointer of the object that the value at `pointer` is in; none, if it is in none.
pub(crate) fn parent(pointer: &str) -> Option<&str> {
    let separator = if pointer.starts_with('/') { '/' } else { '.' };
    match pointer.rsplit_once(separator) {
        _ if pointer.is_empty() => None,
        // Names joined by dots cannot say that there is one name, and that it is empty.
        Some(("", _)) if separator == '.' => Some("/"),
        parent => Some(parent.map_or("", |(parent, _)| parent)),
    }
}

/// `text` with its tokens opened: `secret` has that of each token, which are asked for in order. Returns nothing if it
/// lacks one.
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
