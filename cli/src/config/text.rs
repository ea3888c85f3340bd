//! A config as the commands see it: its text, the tokens in it with their pointers, and edits of its values. Everything
//! outside an edited value stays byte for byte. [`Edits`] are the only way to change a text: they are sorted and do not
//! overlap. The formats are in [`syntax`]: nothing here depends on them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fernseal_core::Error;
use fernseal_core::config::{self, ValueKind};
use fernseal_core::fernet::MAX_CLOCK_SKEW;
use fernseal_core::token::{Format as Form, KeyParams};
use zeroize::Zeroizing;

use super::placeholder;
use super::syntax::{self, FoundToken, Owner, ReadError, Reading, Spot};
use crate::error::{
    Advice, Aim, Bug, ConfigFailure, Failure, JsonFlaw, Result, Suggestions, TextPosition, TokenFailure,
};
use crate::quote::{Pointer, is_key_text, shown};
use crate::store;
use crate::time::{self, MaxAge};

pub(crate) use super::syntax::{Edit, FormatSource, Kind, Place, Refusal, TextFormat, Unescaped, ValueError};

/// A config's text and its tokens.
pub(crate) struct ConfigText {
    pub(crate) path: PathBuf,
    /// The path in the form for messages.
    pub(crate) name: String,
    /// The text, which may contain secrets in plain text.
    pub(crate) text: Arc<Zeroizing<String>>,
    /// Everything that begins with `enc:`, in order.
    pub(crate) tokens: Vec<SealedValue>,
    /// The pointers of all values that look like tokens but are not.
    pub(crate) lookalikes: Vec<Pointer>,
    reading: Box<dyn Reading>,
    /// The source from which its format is known, for reading a changed text in the same format.
    pub(crate) source: FormatSource,
}

/// A text that begins with `enc:`.
pub(crate) struct SealedValue {
    pub(crate) pointer: Pointer,
    /// The place of its own characters, without quotes.
    inside: Range<usize>,
    /// Its text without JSON escapes, if there are any.
    unescaped: Option<String>,
    /// The token's format and timestamp, or why it is not a token.
    pub(crate) form: std::result::Result<(Form, u64), Error>,
    owner: Owner,
}

impl SealedValue {
    fn new(found: FoundToken) -> Self {
        let FoundToken { pointer, inside, unescaped, form, owner } = found;
        Self { pointer: pointer.into(), inside, unescaped, form, owner }
    }

    /// Returns the token's text.
    pub(crate) fn text<'a>(&'a self, document: &'a ConfigText) -> &'a str {
        self.unescaped.as_deref().unwrap_or_else(|| &document.text[self.inside.clone()])
    }

    /// Returns the parameters of its key, if it is a token.
    pub(crate) fn key_params(&self) -> Option<KeyParams<'_>> {
        self.form.as_ref().ok().map(|(form, _)| form.key_params())
    }

    /// Returns the place of its own characters in the text.
    pub(crate) fn span(&self) -> Range<usize> {
        self.inside.clone()
    }

    /// Reports whether it is inside this part of the text.
    pub(crate) fn is_within(&self, span: &Range<usize>) -> bool {
        span.start <= self.inside.start && self.inside.end <= span.end
    }

    /// Returns an edit that replaces it with another token.
    pub(crate) fn resealed(&self, token: &str) -> Edit {
        Edit::as_is(self.inside.clone(), token)
    }

    /// Reports whether it is a part of the text of the value at `place`.
    pub(crate) fn is_part_of(&self, place: &Place<'_>) -> bool {
        matches!(&self.owner, Owner::Within(spot) if spot.span == place.spot.span)
    }

    /// Reports whether it is a whole value, not part of another text.
    pub(crate) fn is_value(&self) -> bool {
        matches!(self.owner, Owner::Value(_))
    }
}

/// A string or scalar with its pointer.
pub(crate) struct Leaf<'a> {
    pub(crate) pointer: Pointer,
    pub(crate) place: Place<'a>,
}

impl ConfigText {
    /// Reads the bytes of a config. `path` is the file, for messages and for the format.
    pub(crate) fn parse(path: impl Into<PathBuf>, bytes: Vec<u8>, source: FormatSource) -> Result<Self> {
        let path = path.into();
        let text = Zeroizing::new(String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            drop(Zeroizing::new(error.into_bytes()));
            ConfigFailure::NotUtf8 { config: path.clone(), offset }
        })?);
        let text = Arc::new(text);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let reading = syntax::read(store::name_without_copy_mark(&name), source, &text);
        let found = reading.tokens().map_err(|error| unreadable(&path, &text, error))?;
        if reading.obstacle().is_some() && is_key_text(&text) {
            return Err(ConfigFailure::IsMasterKey { config: path }.into());
        }
        let tokens = found.tokens.into_iter().map(SealedValue::new).collect();
        let lookalikes = found.lookalikes.into_iter().map(Pointer::from).collect();
        Ok(Self { name: shown(&path), path, text, tokens, lookalikes, reading, source })
    }

    /// Returns its format, if that is known.
    pub(crate) fn format(&self) -> Option<TextFormat> {
        self.reading.format()
    }

    /// Fails if only the tokens of the text are known, not its values.
    pub(crate) fn check_values_known(&self) -> Result<()> {
        self.reading.obstacle().map_or(Ok(()), |obstacle| Err(self.refused(&obstacle.refusal)))
    }

    /// Returns the failure if the values of the text are not known although it has a format, or seems to have one.
    pub(crate) fn fault(&self) -> Option<Failure> {
        self.reading.obstacle().filter(|obstacle| obstacle.is_fault).map(|obstacle| self.refused(&obstacle.refusal))
    }

    /// Returns the failure for the value at `pointer`.
    pub(crate) fn failure(&self, pointer: &str, error: impl Into<ValueError>) -> Failure {
        match error.into() {
            ValueError::Core(Error::NotFound) => self.missing(pointer, Aim::Read),
            ValueError::Core(error) => value_failure(&self.path, pointer.to_owned().into(), error),
            ValueError::Refused(refusal) if self.reading.obstacle().is_some() => self.refused(&refusal),
            ValueError::Refused(refusal) => self.refused_at(pointer, &refusal),
        }
    }

    /// Returns the failure for a pointer without a value.
    pub(crate) fn missing(&self, pointer: &str, aim: Aim) -> Failure {
        let (config, namesakes) = (self.path.clone(), self.namesakes(pointer));
        ConfigFailure::NoValue { config, pointer: pointer.to_owned().into(), aim, namesakes }.into()
    }

    /// Returns suggestions: values whose last name is `pointer`, for a user who gave only a name.
    pub(crate) fn namesakes(&self, pointer: &str) -> Suggestions {
        let name = pointer.strip_prefix('/').unwrap_or(pointer);
        if name.is_empty() || name.contains(['/', '.']) {
            return Suggestions::none();
        }
        let is_meant = |leaf: &Leaf<'_>| leaf.pointer.rsplit_once('/').is_some_and(|(_, last)| last == name);
        Suggestions::from_iter(self.leaves().filter(is_meant).map(|leaf| leaf.pointer))
    }

    /// Returns the failure if the format refuses the whole text.
    fn refused(&self, refusal: &Refusal) -> Failure {
        refused(&self.path, &self.text, refusal)
    }

    /// Returns the failure if the format refuses the value at `pointer`, or a replacement for it.
    pub(crate) fn refused_at(&self, pointer: &str, refusal: &Refusal) -> Failure {
        let (config, pointer) = (self.path.clone(), pointer.to_owned().into());
        ConfigFailure::ValueRefused { config, pointer, refusal: refusal.clone() }.into()
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
    pub(crate) fn find(&self, pointer: &str) -> Result<Place<'_>> {
        self.reading.find(pointer).map_err(|error| self.failure(pointer, error))
    }

    /// Returns the value at `pointer`, or the reason why there is none.
    pub(crate) fn look_up(&self, pointer: &str) -> std::result::Result<Place<'_>, ValueError> {
        self.reading.find(pointer)
    }

    /// Returns all strings and scalars with their pointers, in order and in one pass. Calling [`Self::find`] for each
    /// of them would take a pass each.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = Leaf<'_>> {
        self.leaves_where(|_, _| true)
    }

    /// Returns the strings and scalars that `is_wanted` selects by their kind and source text.
    pub(crate) fn leaves_where(&self, is_wanted: fn(Kind, &str) -> bool) -> impl Iterator<Item = Leaf<'_>> {
        self.reading.leaves(is_wanted).map(|leaf| Leaf { pointer: leaf.pointer.into(), place: leaf.place })
    }

    /// Finds the values at `pointers` in one pass, with the same results as [`Self::find`], which takes a pass each.
    pub(crate) fn find_all(&self, pointers: &[&str]) -> Vec<std::result::Result<Place<'_>, ValueError>> {
        self.reading.find_all(pointers)
    }

    /// Fails if the format does not allow replacing the value at `place`, which is at `pointer`.
    pub(crate) fn check_replaceable(&self, pointer: &str, place: &Place<'_>) -> Result<()> {
        self.reading.check_replaceable(&place.spot).map_err(|refusal| self.refused_at(pointer, &refusal))
    }

    /// Returns an edit that replaces the value at `place`, which is at `pointer`, with the string `plain`.
    pub(crate) fn replace(&self, pointer: &str, place: &Place<'_>, plain: &str) -> Result<Edit> {
        self.reading.replace(&place.spot, plain).map_err(|refusal| self.refused_at(pointer, &refusal))
    }

    /// Returns the timestamp for new tokens, which is later than that of every token here. So a value that is set in
    /// the same second as a rotation still counts as newer than the rotation's backup. Tokens from a clock far ahead
    /// are followed only up to half of [`MAX_CLOCK_SKEW`].
    pub(crate) fn sealing_time(&self, now: u64) -> u64 {
        let newest = self.tokens.iter().filter_map(|token| Some(token.form.ok()?.1)).max();
        newest.map_or(now, |newest| newest.saturating_add(1).clamp(now, now.saturating_add(MAX_CLOCK_SKEW / 2)))
    }

    /// Returns an edit that adds the string `plain` at `pointer`, where no value exists yet, to an existing container.
    pub(crate) fn insert(&self, pointer: &str, plain: &str) -> Result<Edit> {
        let parent = syntax::parent(pointer).ok_or_else(|| self.failure(pointer, Error::InvalidPointer))?;
        let (config, object) = (self.path.clone(), parent.to_owned().into());
        match self.look_up(parent) {
            Ok(parent) if parent.kind == Kind::Map => {}
            Ok(parent) if parent.kind == Kind::List && syntax::is_append(pointer) => {}
            Ok(_) => return Err(ConfigFailure::NoObjectToAddTo { config, pointer: object }.into()),
            // An empty text has no root value, and some formats allow adding one.
            Err(ValueError::Core(Error::NotFound)) if parent.is_empty() => {}
            Err(ValueError::Core(Error::NotFound)) => {
                return Err(ConfigFailure::NoObject { config, pointer: object }.into());
            }
            Err(error) => return Err(self.failure(parent, error)),
        }
        self.reading.insert(pointer, plain).map_err(|refusal| self.refused_at(pointer, &refusal))
    }

    /// Returns an edit that removes the value at `pointer` and its name.
    pub(crate) fn remove(&self, pointer: &str) -> Result<Edit> {
        match self.look_up(pointer) {
            Err(ValueError::Core(Error::NotFound)) => return Err(self.missing(pointer, Aim::Remove)),
            found => found.map_err(|error| self.failure(pointer, error))?,
        };
        let object = syntax::parent(pointer).map(|parent| self.find(parent)).transpose()?;
        if object.is_none_or(|object| object.kind != Kind::Map) {
            let (config, pointer) = (self.path.clone(), pointer.to_owned().into());
            return Err(ConfigFailure::NotAMember { config, pointer }.into());
        }
        self.reading.remove(pointer).map_err(|error| self.failure(pointer, error))
    }

    /// Returns the value at `place` as a token, if it is one.
    pub(crate) fn token_at(&self, place: &Place<'_>) -> Option<&SealedValue> {
        self.token_from(place.start())
    }

    /// Returns the tokens that the value at `place` is or contains.
    pub(crate) fn tokens_of(&self, place: &Place<'_>) -> Vec<&SealedValue> {
        match self.token_at(place) {
            Some(token) => vec![token],
            None => self.tokens.iter().filter(|token| token.is_part_of(place)).collect(),
        }
    }

    /// Returns `text`, which is that of the value at `pointer`, with its tokens replaced by their secrets. `opened`
    /// contains the secrets of the config.
    pub(crate) fn opened_within(
        &self,
        pointer: &str,
        text: Zeroizing<String>,
        opened: &[(&SealedValue, Zeroizing<String>)],
    ) -> Result<Zeroizing<String>> {
        if opened.is_empty() {
            return Ok(text);
        }
        let secret = |token: &str| {
            let found = opened.iter().find(|(opened, _)| opened.text(self) == token);
            found.map(|(_, secret)| secret.as_str())
        };
        syntax::opened(&text, secret).ok_or_else(|| self.outside_of_values(&pointer.to_owned().into()))
    }

    /// Returns the token that is the value at offset `start`, if there is one.
    pub(crate) fn token_from(&self, start: usize) -> Option<&SealedValue> {
        let token = self.tokens.get(self.tokens.partition_point(|token| token.inside.start < start))?;
        matches!(&token.owner, Owner::Value(spot) if spot.span.start == start).then_some(token)
    }

    /// Returns the tokens in the old form, which share one salt.
    pub(crate) fn legacy_tokens(&self) -> impl Iterator<Item = &SealedValue> {
        self.tokens.iter().filter(|token| matches!(token.form, Ok((Form::Legacy, _))))
    }

    /// Returns the tokens that are older than `max_age`.
    pub(crate) fn aged_tokens(&self, max_age: MaxAge) -> impl Iterator<Item = &SealedValue> {
        let now = time::now();
        self.tokens.iter().filter(move |token| token.form.is_ok_and(|(_, sealed)| max_age.is_exceeded(sealed, now)))
    }

    /// Returns the number of keys to derive for each master key to open all tokens.
    pub(crate) fn keys_to_derive(&self) -> usize {
        self.tokens.iter().filter_map(SealedValue::key_params).collect::<BTreeSet<_>>().len()
    }

    /// Returns the pointers of the tokens.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        self.tokens.iter().map(|token| &*token.pointer).collect()
    }

    /// Returns the edits that replace `tokens` with `secrets`. In a value, the format's rules for strings apply;
    /// outside of values, the secrets are written as they are.
    pub(crate) fn opened_to<'t>(
        &self,
        secrets: impl IntoIterator<Item = (&'t SealedValue, &'t str)>,
    ) -> Result<Vec<Edit>> {
        if let Some(failure) = self.fault() {
            return Err(Failure::OrAsText(Box::new(failure)));
        }
        let mut edits = Vec::new();
        // The values that contain tokens, with the secrets of these tokens.
        let mut filled: BTreeMap<usize, (&Pointer, &Spot, Vec<&str>)> = BTreeMap::new();
        for (token, secret) in secrets {
            match &token.owner {
                Owner::Value(spot) => {
                    let edit = self.reading.replace(spot, secret);
                    edits.push(edit.map_err(|refusal| self.refused_at(&token.pointer, &refusal))?);
                }
                Owner::Within(spot) => {
                    filled.entry(spot.span.start).or_insert((&token.pointer, spot, Vec::new())).2.push(secret);
                }
                Owner::Nothing => {
                    if self.reading.obstacle().is_none() && secret.contains(char::is_control) {
                        return Err(self.outside_of_values(&token.pointer));
                    }
                    edits.push(Edit::as_is(token.inside.clone(), secret));
                }
            }
        }
        for (pointer, spot, secrets) in filled.into_values() {
            let text = self.reading.text_at(spot).map_err(|error| self.failure(pointer, error))?;
            let mut secrets = secrets.into_iter();
            let whole = syntax::opened(&text, |_| secrets.next()).filter(|_| secrets.next().is_none());
            let whole = whole.ok_or_else(|| self.outside_of_values(pointer))?;
            let edit = self.reading.replace(spot, &whole);
            edits.push(edit.map_err(|refusal| self.refused_at(pointer, &refusal))?);
        }
        Ok(edits)
    }

    fn outside_of_values(&self, pointer: &Pointer) -> Failure {
        ConfigFailure::OutsideOfValues { config: self.path.clone(), pointer: pointer.clone() }.into()
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
        let level = self.reading.find("/logging/level").and_then(|level| level.text());
        level.is_ok_and(|level| level.eq_ignore_ascii_case("DEBUG"))
    }
}

fn value_failure(file: &Path, pointer: Pointer, error: Error) -> Failure {
    ConfigFailure::Value { config: file.to_owned(), pointer, error }.into()
}

/// Returns the failure for a text that its format refuses.
fn refused(file: &Path, text: &str, refusal: &Refusal) -> Failure {
    let place = refusal.offset.map(|offset| TextPosition::of(text, offset));
    ConfigFailure::TextRefused { config: file.to_owned(), place, refusal: refusal.clone() }.into()
}

/// Returns the failure for a text that cannot be read.
fn unreadable(file: &Path, text: &str, error: ReadError) -> Failure {
    let config = file.to_owned();
    match error {
        ReadError::InvalidJson(_) if is_key_text(text) => ConfigFailure::IsMasterKey { config }.into(),
        ReadError::InvalidJson(offset) => {
            ConfigFailure::InvalidJson { config, place: TextPosition::of(text, offset), flaw: flaw(text, offset) }
                .into()
        }
        ReadError::TooDeep(offset) => ConfigFailure::TooDeep { config, offset }.into(),
        ReadError::NamedTwice(pointer) => value_failure(file, pointer.into(), Error::DuplicateKey),
        ReadError::LongNames => ConfigFailure::LongNames { config }.into(),
    }
}

/// Recognizes common mistakes in a text that is invalid JSON from `offset` on.
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

/// Edits of a config's text: sorted, within the text, and without overlaps.
pub(crate) struct Edits<'d> {
    text: &'d str,
    edits: Vec<Edit>,
}

impl<'d> Edits<'d> {
    /// Sorts edits of `document`. Fails if two of them overlap, as the text would be broken, or if one changes more
    /// than its own value.
    pub(crate) fn new(document: &'d ConfigText, mut edits: Vec<Edit>) -> Result<Self> {
        let text = document.text.as_str();
        edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
        let mut end = 0;
        for (at, edit) in edits.iter().enumerate() {
            // Two values have at least a quote or a comma between them, even if one is an empty string.
            let is_apart = at == 0 || edit.span.start > end;
            if !is_apart || text.get(edit.span.clone()).is_none() {
                return Err(Bug::EditsOverlap { config: document.path.clone(), offset: edit.span.start }.into());
            }
            end = edit.span.end;
        }
        document.reading.check(&edits).map_err(|refusal| document.refused(&refusal))?;
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
            pieces.push(&self.text.as_bytes()[read..edit.span.start]);
            pieces.push(edit.text.as_bytes());
            read = edit.span.end;
        }
        pieces.push(&self.text.as_bytes()[read..]);
        pieces
    }
}

/// Returns a pointer in the form of RFC 6901. Names joined by dots are converted.
pub(crate) fn normalized(pointer: &str) -> std::result::Result<String, Error> {
    let steps = syntax::steps(pointer)?;
    Ok(steps.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect())
}

/// Classifies the string value at `place`.
pub(crate) fn classify(place: &Place<'_>) -> ValueKind {
    let Ok(text) = place.text() else { return ValueKind::Plain };
    match config::classify(&text) {
        ValueKind::Plain if placeholder::form(&text).is_some() => ValueKind::Placeholder,
        kind => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    fn document(text: &str) -> ConfigText {
        ConfigText::parse("c.json", text.into(), FormatSource::Name).unwrap()
    }

    fn pointers(text: &str) -> Vec<String> {
        document(text).tokens.into_iter().map(|token| token.pointer.to_string()).collect()
    }

    #[test]
    fn a_copy_is_read_in_the_format_of_its_config() {
        for name in ["c.yaml", "c.yaml.backup.20261124_040929", "c.yaml.edited.20261124_040929_2", "c.yaml.saved.1"] {
            let document = ConfigText::parse(name, b"a: b\n".to_vec(), FormatSource::Name).unwrap();
            assert_eq!(document.format(), Some(TextFormat::Yaml), "{name}");
        }
    }

    #[test]
    fn tokens_are_found_with_the_pointers_that_core_gives_them() {
        let text = r#"{"a":["x",{"b/c":"enc:1"},"enc:2"],"d":{},"e~":"\u0065nc:3","":"enc:4"}"#;
        assert_eq!(pointers(text), ["/a/1/b~1c", "/a/2", "/e~0", "/"]);
        let by_core: Vec<String> = fernseal_core::json::strings(text)
            .map(|value| value.unwrap())
            .filter(|value| value.raw().starts_with("enc:") || value.raw().starts_with("\\u0065nc:"))
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
            let failure = ConfigText::parse("c.json", text.into(), FormatSource::Name).err().unwrap();
            assert_eq!(failure.exit(), Exit::Malformed, "{text}");
            assert!(failure.what().contains("twice"), "{text}");
        }
        assert_eq!(pointers(r#"{"x":1,"x":2,"a":{"b":"enc:1"},"c":{"y":1,"y":2}}"#), ["/a/b"]);
    }

    #[test]
    fn an_edit_changes_the_inside_of_its_string_and_nothing_else() {
        let text = "\u{feff}{ \"a\" : \"enc:1\",\r\n\t\"b\":[1.50,\"enc:2\"] }\n";
        let document = document(text);
        let expected = text.replace("enc:1", "q\\\"\\n").replace("enc:2", "q\\\"\\n");
        // The order of the edits does not matter.
        for order in [[0, 1], [1, 0]] {
            let secrets = order.map(|at| (&document.tokens[at], "q\"\n"));
            let edits = document.opened_to(secrets).unwrap();
            let edited = Edits::new(&document, edits).unwrap().pieces().concat();
            assert_eq!(String::from_utf8(edited).unwrap(), expected);
        }
    }

    #[test]
    fn edits_that_overlap_or_lie_outside_the_text_are_refused() {
        let document = document("{\"a\": \"one\", \"b\": \"\", \"c\": \"ä\"}");
        let whole = document.text.len();
        for (first, second) in [(7..10, 7..10), (7..10, 9..12), (7..15, 8..9), (19..19, 19..19), (7..10, 10..12)] {
            for ranges in [[first.clone(), second.clone()], [second, first]] {
                let edits = ranges.map(|range| Edit::as_is(range, "x")).into();
                let failure = Edits::new(&document, edits).err().unwrap();
                assert!(failure.what().contains("two edits of c.json overlap"), "{failure:?}");
            }
        }
        let inside_a_character = document.text.find('ä').unwrap() + 1;
        for range in [whole - 1..whole + 1, whole + 1..whole + 2, inside_a_character..inside_a_character + 1] {
            assert!(Edits::new(&document, vec![Edit::as_is(range, "x")]).is_err());
        }
    }
}
