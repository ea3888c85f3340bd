//! The formats of configs: finds the values in a text, and writes new ones.
//!
//! [`read`] is the entry point. It returns a [`Reading`], which has the values with their pointers, the tokens, and the
//! edits that replace a value. An edit changes only its own place; all other bytes stay. If readers of the format
//! disagree on the text of a value, the value is not changed, and a [`Refusal`] names the disagreement. This module
//! never guesses.
//!
//! Strict JSON has its own [`Reading`] in [`walk`]. Each other format has a file here with an implementation of
//! [`Syntax`], which fills a [`Document`]. To add a format, implement [`Syntax`], add a variant to [`TextFormat`], and
//! add the format to the tests in `tests/formats`. Files, keys and the messages of commands do not belong here.

mod detect;
mod env;
mod ini;
mod json;
mod member;
mod reading;
mod refusal;
mod splice;
#[cfg(test)]
mod tests;
mod toml;
mod walk;
mod yaml;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use fernseal_core::Error;
use zeroize::Zeroizing;

pub(crate) use self::reading::{
    APPENDED, FormatSource, FoundToken, Owner, Place, ReadError, Reading, Spot, Unescaped, ValueError, is_append,
    opened, parent, steps,
};
use self::reading::{Obstacle, Plain, SharedText};
pub(crate) use self::refusal::Refusal;
use self::refusal::RefusalReason;
use self::walk::JsonReading;

/// Reads `text`, the content of the file `name`. A text of unknown format has tokens too.
pub(crate) fn read(name: &str, source: FormatSource, text: &SharedText) -> Box<dyn Reading> {
    let plain = |refusal, is_fault| -> Box<dyn Reading> {
        Box::new(Plain { text: Arc::clone(text), obstacle: Obstacle { refusal, is_fault } })
    };
    let format = match source {
        FormatSource::Given(format) => Ok(Some(format)),
        FormatSource::Name => TextFormat::of_file(name, text),
        FormatSource::Content => TextFormat::of_content(text).map(Some),
    };
    match format {
        Ok(Some(TextFormat::Json)) => Box::new(JsonReading::new(Arc::clone(text))),
        Ok(Some(TextFormat::Text)) => plain(Refusal::of_whole(RefusalReason::NoValuesInText), false),
        Ok(Some(format)) => match Document::parse(format, Arc::clone(text)) {
            Ok(document) => Box::new(document),
            Err(refusal) => plain(refusal, true),
        },
        Ok(None) => plain(Refusal::of_whole(RefusalReason::UnknownFormat), false),
        Err(refusal) => plain(refusal, true),
    }
}

/// The supported formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFormat {
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    Env,
    Toml,
    Yaml,
    /// Sections with `name = value`, as in systemd's units.
    Ini,
    /// The same as [`TextFormat::Ini`], without sections.
    Properties,
    /// Any text: it has no values, only tokens.
    Text,
}

impl TextFormat {
    /// Every format.
    pub(crate) const ALL: [Self; 8] =
        [Self::Json, Self::Jsonc, Self::Env, Self::Toml, Self::Yaml, Self::Ini, Self::Properties, Self::Text];

    /// Returns the name for `--format` and for messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonc => "jsonc",
            Self::Env => "env",
            Self::Toml => "toml",
            Self::Yaml => "yaml",
            Self::Ini => "ini",
            Self::Properties => "properties",
            Self::Text => "text",
        }
    }

    /// Returns the name as people write it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Jsonc => "JSON with comments",
            Self::Env => ".env",
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
            Self::Ini => "INI",
            Self::Properties => ".properties",
            Self::Text => "text",
        }
    }

    fn syntax(self) -> &'static dyn Syntax {
        match self {
            // Plain text has no values, so no `Document` is made of it.
            Self::Json | Self::Text => &json::Json { relaxed: false },
            Self::Jsonc => &json::Json { relaxed: true },
            Self::Env => &env::Env,
            Self::Toml => &toml::Toml,
            Self::Yaml => &yaml::Yaml,
            Self::Ini => &ini::Ini { sections: true },
            Self::Properties => &ini::Ini { sections: false },
        }
    }
}

/// Reads and writes the values of one format.
trait Syntax {
    /// Finds the values of `text`.
    fn read(&self, text: &str, found: &mut Values) -> Result<(), Refusal>;

    /// Returns the text that writes the string `plain` in place of `value`.
    fn write(&self, text: &str, value: &Value, plain: &str) -> Result<Zeroizing<String>, Refusal>;

    /// Returns an edit that adds the string `plain` as the member `names[0]` of the container at `parent`. Further
    /// names are new containers inside it, and the last name is that of the string.
    fn insert(&self, document: &Document, parent: usize, names: &[String], plain: &str) -> Result<Edit, Refusal>;

    /// Returns an edit that adds the string `plain` after the last item of the list at `parent`.
    fn append(&self, document: &Document, parent: usize, plain: &str) -> Result<Edit, Refusal>;

    /// Returns an edit that removes the value at `index` and its name.
    fn remove(&self, document: &Document, index: usize) -> Result<Edit, Refusal>;
}

/// The kinds of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string for every reader of the format.
    String,
    /// A number, a boolean, a date, or what some reader reads as one of these.
    Scalar,
    /// Nothing: `null`, or no value at all.
    Null,
    /// Named members.
    Map,
    /// Numbered items.
    List,
}

/// How a value is quoted in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
    /// On several lines: a block scalar of YAML, triple quotes of TOML.
    Block,
}

/// The name of a value in its container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// The root value, which is in no container.
    Root,
    Member(String),
    Item(usize),
    /// No pointer leads to the value: it is itself a name, its name is not a string, or it is inside such a value.
    None,
}

/// A value of a text.
#[derive(Debug)]
pub(crate) struct Value {
    /// The index of the container.
    parent: Option<usize>,
    name: Name,
    pub(crate) kind: Kind,
    /// Its position in the text, including quotes.
    pub(crate) span: Range<usize>,
    /// The start of its name, or of the value if it has no name.
    name_start: usize,
    quotes: Quotes,
    /// Whether it and its neighbours are inside brackets, not on lines of their own (YAML and TOML).
    inline: bool,
    /// Its text, if that differs from what is written between the quotes.
    decoded: Option<Zeroizing<String>>,
    /// Whether a name in its pointer occurs twice in its container. Readers disagree on which of the two to use.
    repeated: bool,
    /// The reason why its text is ambiguous, if it is.
    unclear: Option<Box<Refusal>>,
    /// The reason why it must not be replaced: others would change with it, or its type does not allow a string.
    held: Option<Box<Refusal>>,
}

impl Value {
    /// Returns whether it contains no other values.
    pub(crate) const fn is_leaf(&self) -> bool {
        !matches!(self.kind, Kind::Map | Kind::List)
    }

    /// Checks whether it may be replaced.
    ///
    /// # Errors
    /// The reason, if not.
    pub(crate) fn check_replaceable(&self) -> Result<(), Refusal> {
        self.held.as_deref().cloned().map_or(Ok(()), Err)
    }

    /// Marks it as ambiguous, and as one that must not be replaced, for this reason.
    fn hold(&mut self, reason: &RefusalReason) {
        let refusal = Refusal::at(self.span.start, reason.clone());
        self.unclear = Some(Box::new(refusal));
        self.held.clone_from(&self.unclear);
    }

    /// Returns its position without one-character quotes.
    fn inside(&self) -> Range<usize> {
        let quote = usize::from(matches!(self.quotes, Quotes::Single | Quotes::Double));
        self.span.start + quote..self.span.end - quote
    }

    /// Returns a value at `span` with the default properties.
    fn new(parent: Option<usize>, name: Name, kind: Kind, span: Range<usize>) -> Self {
        let (name_start, quotes) = (span.start, Quotes::None);
        let (inline, decoded, repeated, unclear, held) = (false, None, false, None, None);
        Self { parent, name, kind, span, name_start, quotes, inline, decoded, repeated, unclear, held }
    }
}

/// The values of a text in order. Each container comes before its content.
#[derive(Debug, Default)]
struct Values(Vec<Value>);

impl Values {
    /// Adds a value and returns its index.
    fn push(&mut self, value: Value) -> usize {
        self.0.push(value);
        self.0.len() - 1
    }

    /// Marks the values whose name occurs twice in their container, and everything inside them.
    fn mark_repeated(&mut self) {
        // No hashes: std's need random bytes, and panic where the system has none.
        let mut met = BTreeSet::new();
        let repeated: BTreeSet<_> = self
            .0
            .iter()
            .filter(|value| matches!(value.name, Name::Member(_)) && !met.insert((value.parent, &value.name)))
            .map(|value| (value.parent, value.name.clone()))
            .collect();
        if repeated.is_empty() {
            return;
        }
        for index in 0..self.0.len() {
            let value = &self.0[index];
            let above = value.parent.is_some_and(|parent| self.0[parent].repeated);
            self.0[index].repeated = above || repeated.contains(&(value.parent, value.name.clone()));
        }
    }
}

/// A new text for one span of a document.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) span: Range<usize>,
    pub(crate) text: Zeroizing<String>,
    /// The string that the value has after the edit, if it is a value of a [`Document`].
    says: Option<Zeroizing<String>>,
    /// Whether it adds or removes a value, and its effect on all other values was checked.
    is_checked: bool,
}

impl Edit {
    /// Returns an edit that writes `text` without quoting. It replaces a token by a token, which no format quotes
    /// differently.
    pub(crate) fn as_is(span: Range<usize>, text: &str) -> Self {
        Self::new(span, Zeroizing::new(text.to_owned()))
    }

    fn new(span: Range<usize>, text: Zeroizing<String>) -> Self {
        Self { span, text, says: None, is_checked: false }
    }
}

/// A text and its values.
#[derive(Debug)]
pub(crate) struct Document {
    format: TextFormat,
    text: SharedText,
    values: Vec<Value>,
}

impl Document {
    /// Reads `text`.
    ///
    /// # Errors
    /// The text is invalid, or its readers disagree so much that no value is certain.
    pub(crate) fn parse(format: TextFormat, text: impl Into<SharedText>) -> Result<Self, Refusal> {
        let text = text.into();
        let mut found = Values::default();
        format.syntax().read(&text, &mut found)?;
        found.mark_repeated();
        Ok(Self { format, text, values: found.0 })
    }

    /// Returns the format that it was read as.
    pub(crate) const fn format(&self) -> TextFormat {
        self.format
    }

    /// Returns the whole text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the values that contain no others and that a pointer leads to.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = &Value> {
        self.values.iter().filter(|value| value.is_leaf() && value.name != Name::None)
    }

    /// Returns the text of `value`: for a string, its text without quotes and escapes; for a scalar, the text as it is
    /// written.
    ///
    /// # Errors
    /// The readers of the format disagree on the text.
    pub(crate) fn text_of<'a>(&'a self, value: &'a Value) -> Result<&'a str, Refusal> {
        value.unclear.as_deref().cloned().map_or_else(|| Ok(self.raw_text(value)), Err)
    }

    fn raw_text<'a>(&'a self, value: &'a Value) -> &'a str {
        value.decoded.as_deref().map_or(&self.text[value.inside()], String::as_str)
    }

    /// Returns the pointer of `value` (RFC 6901).
    pub(crate) fn pointer(&self, value: &Value) -> String {
        let mut steps = Vec::new();
        let mut here = Some(value);
        while let Some(value) = here {
            match &value.name {
                Name::Root => {}
                Name::Member(name) => steps.push(format!("/{}", name.replace('~', "~0").replace('/', "~1"))),
                Name::Item(index) => steps.push(format!("/{index}")),
                Name::None => steps.push("/?".to_owned()),
            }
            here = value.parent.map(|parent| &self.values[parent]);
        }
        steps.iter().rev().map(String::as_str).collect()
    }

    /// Returns the value at `pointer`: `/auth/token_value` (RFC 6901) or `auth.token_value`.
    ///
    /// # Errors
    /// [`Error::InvalidPointer`], [`Error::NotFound`]; [`Error::DuplicateKey`] if a name in the pointer occurs twice in
    /// its object.
    pub(crate) fn find(&self, pointer: &str) -> Result<&Value, Error> {
        self.find_index(pointer).map(|index| &self.values[index])
    }

    fn find_index(&self, pointer: &str) -> Result<usize, Error> {
        let steps = steps(pointer)?;
        // If a name occurs twice, the rest of the path may be in the other value of that name.
        let above = || (0..steps.len()).filter_map(|len| self.index_of(&steps[..len]));
        match self.index_of(&steps) {
            Some(index) if !self.values[index].repeated => Ok(index),
            None if !above().any(|index| self.values[index].repeated) => Err(Error::NotFound),
            _ => Err(Error::DuplicateKey),
        }
    }

    fn index_of(&self, steps: &[String]) -> Option<usize> {
        let root = self.values.iter().position(|value| value.name == Name::Root)?;
        steps.iter().try_fold(root, |parent, step| {
            let leads = |value: &Value| {
                value.parent == Some(parent)
                    && match &value.name {
                        Name::Member(name) => name == step,
                        Name::Item(index) => index.to_string() == *step,
                        Name::Root | Name::None => false,
                    }
            };
            // The content of a container comes after it.
            self.values[parent..].iter().position(leads).map(|at| parent + at)
        })
    }

    /// Returns an edit that replaces `value` with the string `plain`.
    ///
    /// # Errors
    /// The format cannot write the string there.
    pub(crate) fn replace(&self, value: &Value, plain: &str) -> Result<Edit, Refusal> {
        if !value.is_leaf() {
            return Err(Refusal::at(value.span.start, RefusalReason::ContainsOthers));
        }
        let text = self.format.syntax().write(&self.text, value, plain)?;
        Ok(Edit { span: value.span.clone(), text, says: Some(Zeroizing::new(plain.to_owned())), is_checked: false })
    }

    /// Returns an edit that adds the string `plain` at `pointer`, and the missing containers above it.
    ///
    /// # Errors
    /// There is a value already, or the format cannot add one there.
    pub(crate) fn insert(&self, pointer: &str, plain: &str) -> Result<Edit, Refusal> {
        let steps = steps(pointer).map_err(|_| Refusal::at(0, RefusalReason::InvalidPointer))?;
        // The longest existing part of the path.
        let known = (0..=steps.len()).rev().find_map(|len| Some((len, self.index_of(&steps[..len])?)));
        let Some((len, parent)) = known else {
            return Err(Refusal::at(0, RefusalReason::NoValuesYet));
        };
        let names = &steps[len..];
        let value = &self.values[parent];
        let at = value.span.start;
        if names.is_empty() {
            return Err(Refusal::at(at, RefusalReason::ExistsAlready));
        }
        let is_appended = value.kind == Kind::List && names == [APPENDED];
        if value.kind != Kind::Map && !is_appended {
            return Err(Refusal::at(at, RefusalReason::ParentHasNoNames));
        }
        if value.repeated {
            return Err(Refusal::at(at, RefusalReason::NameOccursTwice));
        }
        let (syntax, mut steps) = (self.format.syntax(), steps.clone());
        let edit = if is_appended {
            let is_item = |value: &&Value| value.parent == Some(parent) && matches!(value.name, Name::Item(_));
            steps[len] = self.values.iter().filter(is_item).count().to_string();
            syntax.append(self, parent, plain)?
        } else {
            syntax.insert(self, parent, names, plain)?
        };
        let after = self.read_again(std::slice::from_ref(&edit))?;
        let added: Vec<_> = (len + 1..=steps.len()).map(|len| after.index_of(&steps[..len])).collect();
        let has_new_value = added.last().copied().flatten().is_some_and(|index| {
            let value = &after.values[index];
            value.kind == Kind::String && !value.repeated && after.text_of(value) == Ok(plain)
        });
        if has_new_value && self.equals(&after, |_| false, |index| added.contains(&Some(index))) {
            return Ok(Edit { is_checked: true, ..edit });
        }
        Err(Refusal::at(edit.span.start, RefusalReason::AddingChangesOthers))
    }

    /// Returns an edit that removes `value` and its name.
    ///
    /// # Errors
    /// The value cannot be removed without changing others.
    pub(crate) fn remove(&self, value: &Value) -> Result<Edit, Refusal> {
        let at = |other: &Value| std::ptr::eq(other, value);
        let doubt = || Refusal::at(value.span.start, RefusalReason::RemovingChangesOthers);
        let index = self.values.iter().position(at).ok_or_else(doubt)?;
        if !matches!(value.name, Name::Member(_)) || !value.is_leaf() {
            return Err(Refusal::at(value.span.start, RefusalReason::ContainerRemoved(self.format)));
        }
        let edit = self.format.syntax().remove(self, index)?;
        let after = self.read_again(std::slice::from_ref(&edit))?;
        if self.equals(&after, |other| other == index, |_| false) {
            Ok(Edit { is_checked: true, ..edit })
        } else {
            Err(doubt())
        }
    }

    /// Applies `replacements`, each the new string of a value. Then reads the result again, and fails if another value
    /// has changed: a bug in this code causes a refusal, not a damaged text.
    ///
    /// # Errors
    /// The format cannot write one of them.
    #[allow(dead_code)] // for tests, those of tests/formats too
    pub(crate) fn replaced(&self, replacements: &[(&Value, &str)]) -> Result<Zeroizing<String>, Refusal> {
        let mut edits = Vec::with_capacity(replacements.len());
        for (value, plain) in replacements {
            edits.push(self.replace(value, plain)?);
        }
        edits.sort_unstable_by_key(|edit| edit.span.start);
        Ok(Arc::unwrap_or_clone(self.edited(&edits)?.text))
    }

    /// Applies `edits`, which must be sorted and must not overlap. Then reads the result again, and fails unless each
    /// edited value has its new text and all others are unchanged.
    fn edited(&self, edits: &[Edit]) -> Result<Self, Refusal> {
        let doubt = || {
            let start = edits.first().map_or(0, |edit| edit.span.start);
            Refusal::at(start, RefusalReason::ReplacingChangesOthers)
        };
        let after = self.read_again(edits).map_err(|_| doubt())?;
        let edit_of = |index: usize| {
            let value = &self.values[index];
            let first = edits.partition_point(|edit| edit.span.start < value.span.start);
            edits.get(first).filter(|edit| value.is_leaf() && edit.span.end <= value.span.end)
        };
        let has_new_value = |(index, new): (usize, &Value)| match edit_of(index) {
            None => true,
            Some(Edit { says: Some(says), .. }) => {
                new.kind == Kind::String && after.text_of(new) == Ok(says) && new.name == self.values[index].name
            }
            // A token was replaced by another token.
            Some(_) => new.kind == self.values[index].kind && new.name == self.values[index].name,
        };
        let is_changed = |index: usize| edit_of(index).is_some();
        let is_well = self.values.len() == after.values.len()
            && after.values.iter().enumerate().all(has_new_value)
            && self.equals(&after, is_changed, is_changed);
        if is_well { Ok(after) } else { Err(doubt()) }
    }

    /// Applies `edits`, which must be sorted, and reads the resulting text in this format.
    fn read_again(&self, edits: &[Edit]) -> Result<Self, Refusal> {
        let length = edits.iter().map(|edit| edit.text.len()).sum::<usize>();
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + length));
        let mut read = 0;
        for edit in edits {
            text.push_str(&self.text[read..edit.span.start]);
            text.push_str(&edit.text);
            read = edit.span.end;
        }
        text.push_str(&self.text[read..]);
        Self::parse(self.format, text)
    }

    /// Returns whether both have the same values, apart from the excluded ones.
    fn equals(&self, other: &Self, but: impl Fn(usize) -> bool, but_of_other: impl Fn(usize) -> bool) -> bool {
        let ours = (0..self.values.len()).filter(|index| !but(*index));
        let theirs = (0..other.values.len()).filter(|index| !but_of_other(*index));
        ours.map(|index| self.read_as(index)).eq(theirs.map(|index| other.read_as(index)))
    }

    /// Returns what a reader sees of a value: its depth, its name, its kind, and its text if it contains no others.
    fn read_as(&self, index: usize) -> (usize, &Name, Kind, &str) {
        let value = &self.values[index];
        let above = std::iter::successors(value.parent, |parent| self.values[*parent].parent);
        (above.count(), &value.name, value.kind, if value.is_leaf() { self.raw_text(value) } else { "" })
    }
}
