//! Failures in the content of a config: invalid JSON, missing values, secrets in plain text.

use std::fmt;
use std::path::PathBuf;

use fernseal_core::{Error, json};

use super::{Exit, Message, message};
use crate::config::text::Refusal;
use crate::env::SECRETS_FILE;
use crate::quote::{Pointer, count, one_line, quoted, quoted_path, shown};
use crate::time::MaxAge;

#[derive(Debug, Clone)]
pub(crate) enum ConfigFailure {
    // The text.
    /// The bytes are not UTF-8 at this offset.
    NotUtf8 { config: PathBuf, offset: usize },
    /// The text is invalid JSON from this place on.
    InvalidJson { config: PathBuf, place: TextPosition, flaw: JsonFlaw },
    /// The nesting exceeds the limit of fernseal-core.
    TooDeep { config: PathBuf, offset: usize },
    /// The file contains a master key.
    IsMasterKey { config: PathBuf },
    /// The text has no known format, or is invalid in its format: at this place, or as a whole.
    TextRefused { config: PathBuf, place: Option<TextPosition>, refusal: Refusal },
    /// The names above the values are so long that their pointers would take many times the size of the text.
    LongNames { config: PathBuf },
    /// The tokens need too many different keys, each of which costs a derivation.
    TooManyKeys { config: PathBuf, keys: usize, max: usize },

    // One value.
    /// fernseal-core refused the value, which may be a token.
    Value { config: PathBuf, pointer: Pointer, error: Error },
    /// The format does not allow changing the value, or does not allow the new value.
    ValueRefused { config: PathBuf, pointer: Pointer, refusal: Refusal },
    /// A token outside of all values opens to a secret that is not allowed there.
    OutsideOfValues { config: PathBuf, pointer: Pointer },
    /// There is no value at the pointer. `namesakes` are values with that name elsewhere.
    NoValue { config: PathBuf, pointer: Pointer, aim: Aim, namesakes: Suggestions },
    /// A member cannot be added, because its object does not exist.
    NoObject { config: PathBuf, pointer: Pointer },
    /// A member cannot be added, because the value above it is not an object.
    NoObjectToAddTo { config: PathBuf, pointer: Pointer },
    /// A value cannot be removed, because it is not a member of an object.
    NotAMember { config: PathBuf, pointer: Pointer },
    /// The secrets of the config are not those that were shown before the question.
    ChangedSinceShown { config: PathBuf },
    /// The config has no secret that `encrypt` knows of.
    NoTokenValue { config: PathBuf },
    /// A secret is larger than 1 MiB.
    SecretTooLong { config: PathBuf, pointer: Pointer },
    /// The same for a secret that is not for a config.
    SecretOnStdinTooLong,
    /// The secret on stdin is not text.
    SecretNotUtf8,
    /// The value contains a NUL, which an environment variable cannot contain.
    HoldsNul { pointer: Pointer },

    // `run --env-all`.
    /// The value is not an object.
    NotAnObject { config: PathBuf, pointer: Pointer },
    /// A member is an object or array, not a single value.
    NotASingleValue { config: PathBuf, pointer: Pointer },
    /// A member's name is not a valid variable name.
    NotAVariableName { config: PathBuf, pointer: Pointer },

    // Placeholders of `run --expand`.
    /// A placeholder names a variable of the master key.
    KeyVariable { name: String },
    /// A variable is unset and has no default.
    VariableNotSet { name: String },
    /// A `${NAME:?message}` placeholder failed; the config gives the message.
    VariableMissing { name: String, message: String },
    /// A placeholder has an unsupported form.
    PlaceholderForm { name: String },

    // `merge`.
    /// The file has this many marked conflicts. The two sides have changed the secrets at the `differing` pointers
    /// differently.
    MergeConflicts { config: PathBuf, conflicts: usize, differing: Vec<Pointer> },

    // `check`.
    /// Values are flawed, with the number of each kind.
    Flawed { counts: Vec<(Flaw, usize)>, max_age: Option<MaxAge> },
    /// One value is flawed.
    FlawedValue { config: PathBuf, pointer: Pointer, flaw: Flaw },
    /// None of the examined configs has a value there.
    RequiredNowhere { pointer: Pointer, namesakes: Suggestions },
}

impl ConfigFailure {
    pub(super) fn message(&self) -> Message {
        let malformed = |what: String, next| message(Exit::Malformed, what, next);
        match self {
            Self::NotUtf8 { config, offset } => malformed(
                format!("{} is not UTF-8 at byte {offset}", shown(config)),
                "a config is text in UTF-8; convert it, for example with iconv",
            ),
            Self::InvalidJson { config, place, flaw } => {
                malformed(format!("Invalid JSON: {}, {place}", shown(config)), flaw.hint())
            }
            Self::TooDeep { config, offset } => malformed(
                format!(
                    "Invalid JSON: {} is nested deeper than {} levels at byte {offset}",
                    shown(config),
                    json::MAX_DEPTH
                ),
                "no config is that deep; check where the file comes from",
            ),
            Self::IsMasterKey { config } => malformed(
                format!("Invalid JSON: {} holds a master key, not a config", shown(config)),
                "were the config and the key file swapped?",
            ),
            Self::TextRefused { config, place, refusal } => {
                let place = place.map_or_else(String::new, |place| format!(", {place}"));
                malformed(format!("{}: {}{place}", refusal.what(), shown(config)), refusal.next())
            }
            Self::LongNames { config } => malformed(
                format!("{} has too many values below very long names", shown(config)),
                "a config does not look like this; check where the file comes from",
            ),
            Self::TooManyKeys { config, keys, max } => message(
                Exit::Malformed,
                format!("{} has {keys} tokens with different salts, and the limit is {max}", shown(config)),
                format!("each one takes time: check who made the config; if you trust it, add --max-tokens {keys}"),
            ),

            Self::Value { config, pointer, error } => {
                message(value_exit(*error), value_problem(&shown(config), pointer, *error), value_hint(*error))
            }
            Self::ValueRefused { config, pointer, refusal } => {
                malformed(format!("{}: {} at {pointer}", refusal.what(), shown(config)), refusal.next())
            }
            Self::OutsideOfValues { config, pointer } => malformed(
                format!("a token outside of a value cannot be replaced by its secret: {} at {pointer}", shown(config)),
                "make the token a value of its own, or remove it",
            ),
            Self::NoValue { config, pointer, aim, namesakes } => message(
                Exit::Malformed,
                value_problem(&shown(config), pointer, Error::NotFound),
                match (namesakes.hint(), aim) {
                    (Some(meant), Aim::Read) => meant,
                    (Some(meant), aim) => format!("{meant} Otherwise {}", aim.hint()),
                    (None, aim) => aim.hint().to_owned(),
                },
            ),
            Self::NoObject { config, pointer } => malformed(
                format!("no object at {pointer} in {}", shown(config)),
                "--create needs an existing object: add the object with `fernseal edit` first",
            ),
            Self::NoObjectToAddTo { config, pointer } => malformed(
                format!("the value{} in {} is not an object", at(pointer), shown(config)),
                "--create adds a value to an object, or at the end of an array with /- behind its pointer",
            ),
            Self::NotAMember { config, pointer } => malformed(
                format!("the value is not a member of an object: {}{}", shown(config), at(pointer)),
                "remove an item of an array, or the whole config, with `fernseal edit`",
            ),
            Self::NoTokenValue { config } => malformed(
                format!("no auth.token_value in {}", shown(config)),
                "name the value to encrypt, as in --field /database/password, or take what looks like a secret: --found",
            ),
            Self::ChangedSinceShown { config } => message(
                Exit::File,
                format!("{} has changed since its secrets were shown", shown(config)),
                "nothing was written; run it again",
            ),
            Self::SecretTooLong { config, pointer } => malformed(
                format!("the secret is longer than 1 MiB: {} {pointer}", shown(config)),
                "nothing was written; keep data of that size in a file of its own",
            ),
            Self::SecretOnStdinTooLong => malformed(
                "the secret on stdin is longer than 1 MiB".to_owned(),
                "nothing was printed; keep data of that size in a file of its own",
            ),
            Self::SecretNotUtf8 => malformed(
                "the secret on stdin is not UTF-8 text".to_owned(),
                "a secret must be text; encode the bytes, for example as base64",
            ),
            Self::HoldsNul { pointer } => {
                malformed(format!("the value at {pointer} contains a NUL character"), "pass it in a file, with --file")
            }

            Self::NotAnObject { config, pointer } => malformed(
                format!("{}: the value at {pointer} is not an object", shown(config)),
                "use --env NAME=POINTER for one value",
            ),
            Self::NotASingleValue { config, pointer } => malformed(
                format!("{}: {pointer} is an object or array, and a variable needs a single value", shown(config)),
                "use --env NAME=POINTER for each member that is a single value",
            ),
            Self::NotAVariableName { config, pointer } => malformed(
                format!("{}: the name of the member {pointer} is not a valid variable name", shown(config)),
                "a variable's name has letters, digits and _ only; use --env NAME=POINTER for each member",
            ),

            Self::KeyVariable { name } => {
                variable(name, "holds the master key", "remove the placeholder from the config")
            }
            Self::VariableNotSet { name } => {
                variable(name, "is not set", "set it, or give it a default: ${NAME:-default}")
            }
            Self::VariableMissing { name, message } => {
                variable(name, &format!("is not set: {}", one_line(message)), "set it")
            }
            Self::PlaceholderForm { name } => variable(
                name,
                "is in a placeholder of an unsupported form",
                "the supported forms are ${NAME}, ${NAME:-default} and ${NAME:?message}",
            ),

            Self::MergeConflicts { config, conflicts, differing } => {
                let secrets: Vec<String> = differing.iter().map(ToString::to_string).collect();
                let secrets = match &*secrets {
                    [] => String::new(),
                    secrets => format!("; each side has set another secret at {}", secrets.join(", ")),
                };
                message(
                    Exit::Other,
                    format!("{} in {}{secrets}", count(*conflicts, "conflict"), shown(config)),
                    "keep the lines of one side in each, with their tokens as they are; `fernseal open` shows what a \
                     token holds",
                )
            }

            Self::Flawed { counts, max_age } => flawed(counts, *max_age),
            Self::FlawedValue { config, pointer, flaw } => message(
                Exit::PlainText,
                format!("{pointer}: {}", flaw.name()),
                flaw.hint(&quoted_path(config), &quoted(&**pointer)),
            ),
            Self::RequiredNowhere { pointer, namesakes } => message(
                Exit::Malformed,
                format!("none of the checked configs has a value at {pointer}"),
                namesakes.hint().unwrap_or_else(|| CHECK_SPELLING.to_owned()),
            ),
        }
    }
}

/// Returns the message about the number of values with each kind of flaw, and what to do about each kind.
fn flawed(counts: &[(Flaw, usize)], max_age: Option<MaxAge>) -> Message {
    let of = |kinds: &[Flaw]| -> usize {
        counts.iter().filter(|(flaw, _)| kinds.contains(flaw)).map(|(_, number)| number).sum()
    };
    let legacy = of(&[Flaw::Legacy]);
    let likely = of(&[Flaw::LikelyString, Flaw::LikelyScalar]);
    let secrets = of(&[Flaw::PlainString, Flaw::PlainScalar, Flaw::Group, Flaw::Lookalike]);
    let aged = of(&[Flaw::Aged]);
    let what = [
        (secrets > 0).then(|| format!("{} in plain text or damaged", count(secrets, "secret"))),
        (likely > 0).then(|| format!("{} in plain text", count(likely, "likely secret"))),
        (legacy > 0).then(|| count(legacy, "legacy token")),
        max_age.filter(|_| aged > 0).map(|max_age| format!("{} older than {max_age}", count(aged, "token"))),
    ];
    let mut next: Vec<String> = Vec::new();
    for (flaw, _) in counts {
        let hint = flaw.hint("CONFIG", "POINTER");
        if !next.contains(&hint) {
            next.push(hint);
        }
    }
    if likely > 0 {
        next.push(format!("what is no secret is listed under ignore in {SECRETS_FILE}"));
    }
    if counts.iter().any(|(flaw, _)| !matches!(flaw, Flaw::Lookalike | Flaw::Legacy | Flaw::Aged)) {
        next.push("if a secret was committed or shared before, change it at its service".to_owned());
    }
    message(Exit::PlainText, what.into_iter().flatten().collect::<Vec<_>>().join(", "), next.join("; "))
}

const CHECK_SPELLING: &str = "check the pointer's spelling";

/// Returns the place of a value as the end of a phrase, or an empty text for the whole config.
fn at(pointer: &Pointer) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at {pointer}") }
}

/// The purpose of a search for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    Read,
    /// `set` replaces it.
    Replace,
    /// `unset` removes it.
    Remove,
}

impl Aim {
    /// Returns what to do if the value does not exist.
    fn hint(self) -> &'static str {
        match self {
            Self::Read => value_hint(Error::NotFound),
            Self::Replace => "check the pointer's spelling, or add the value with --create",
            Self::Remove => CHECK_SPELLING,
        }
    }
}

/// The pointers of values that the user may have meant by a name: at most one more than are printed, to show that there
/// are more.
#[derive(Debug, Clone)]
pub(crate) struct Suggestions(Vec<Pointer>);

impl Suggestions {
    /// The number of pointers that are printed.
    const FEW: usize = 3;

    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a question whether one of them is meant.
    fn hint(&self) -> Option<String> {
        let first = self.0.first()?;
        if self.0.len() > Self::FEW {
            return Some(format!("did you mean {first} or another value of that name?"));
        }
        let shown: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        Some(match &*shown {
            [others @ .., last] if !others.is_empty() => format!("did you mean {} or {last}?", others.join(", ")),
            _ => format!("did you mean {first}?"),
        })
    }
}

impl FromIterator<Pointer> for Suggestions {
    fn from_iter<T: IntoIterator<Item = Pointer>>(pointers: T) -> Self {
        Self(pointers.into_iter().take(Self::FEW + 1).collect())
    }
}

fn value_exit(error: Error) -> Exit {
    match error {
        Error::AuthenticationFailed => Exit::Unopened,
        Error::InvalidPointer => Exit::Usage,
        Error::RandomFailed => Exit::Other,
        Error::KeyShort => Exit::Key,
        _ => Exit::Malformed,
    }
}

/// Describes an error of fernseal-core, at `pointer` in `place`.
pub(super) fn value_problem(place: &str, pointer: &Pointer, error: Error) -> String {
    let what = match error {
        Error::AuthenticationFailed => "Token decryption failed",
        Error::Malformed => "Invalid encrypted token format",
        Error::Lookalike => "Invalid encrypted token format: the value begins like a token but is not one",
        Error::NotUtf8 => "the value is not UTF-8 text",
        Error::DuplicateKey => "a name in this pointer occurs twice in its object",
        Error::NotFound => "no value at this pointer",
        Error::InvalidPointer => "not a valid pointer",
        Error::NotAString => "the value is not a string",
        Error::RandomFailed => "the system's random source failed",
        Error::KeyShort => "the master key is shorter than 16 bytes",
        _ => "Invalid JSON",
    };
    format!("{what}: {place} at {pointer}")
}

/// Returns what to do about a value that fernseal-core refused.
pub(crate) fn value_hint(error: Error) -> &'static str {
    match error {
        Error::AuthenticationFailed => {
            "set the master key that the token was encrypted with; if it is set, the token was changed: \
             restore the config from a backup"
        }
        Error::Malformed => {
            "a token is enc: and base64 on one line; check whether the file was damaged when it was copied"
        }
        Error::Lookalike => "restore the token, or put the plain secret in its place",
        Error::NotUtf8 => "a JSON string cannot contain such bytes; encrypt them as text, for example as base64",
        Error::DuplicateKey => "programs disagree on which of the two to use: remove one of them",
        Error::NotFound => {
            "`fernseal status CONFIG` lists the encrypted values; a pointer looks like /auth/token_value"
        }
        Error::InvalidPointer => "a pointer looks like /auth/token_value or auth.token_value",
        Error::NotAString => "name a string inside it",
        Error::RandomFailed => "nothing was written; encryption needs random numbers",
        Error::KeyShort => "make a new key with `fernseal keygen`; a short key still decrypts its own tokens",
        _ => "check the file with a JSON validator",
    }
}

fn variable(name: &str, problem: &str, next: &'static str) -> Message {
    message(Exit::Other, format!("the config's variable {} {problem}", one_line(name)), next)
}

/// A place in a text. Lines and columns count from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextPosition {
    line: usize,
    column: usize,
    /// In bytes.
    offset: usize,
}

impl TextPosition {
    /// Returns the place at `offset`, or the end of `text` if that is outside.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|char| *char != '\n').count() + 1;
        Self { line, column, offset }
    }
}

impl fmt::Display for TextPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {} (byte {})", self.line, self.column, self.offset)
    }
}

/// A common mistake in a text that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonFlaw {
    Empty,
    MergeConflict,
    Comment,
    TrailingComma,
    SingleQuotes,
    /// The text ends too early.
    Cut,
    /// YAML, TOML, INI or the like.
    AnotherFormat,
    Other,
}

impl JsonFlaw {
    fn hint(self) -> &'static str {
        match self {
            Self::Empty => "the file is empty: restore it from a backup, or write {} into it",
            Self::MergeConflict => "the file contains the markers of a merge conflict: resolve it first",
            Self::Comment => "a config is strict JSON, which has no comments: remove the comment",
            Self::TrailingComma => {
                "a config is strict JSON, which has no comma before a closing bracket: remove the comma"
            }
            Self::SingleQuotes => "a config is strict JSON, which has no single quotes: use double quotes",
            Self::Cut => "the text ends too early: the file may have been cut; restore it from a backup",
            Self::AnotherFormat => {
                "the text does not begin like JSON: if it is YAML, TOML, INI or .env, say so with --format"
            }
            Self::Other => "a config is strict JSON: check the text at this place",
        }
    }
}

/// What is wrong with a value that must be a secret or looks like a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flaw {
    /// An unencrypted string.
    PlainString,
    /// A number or boolean.
    PlainScalar,
    /// An unencrypted string that looks like a secret.
    LikelyString,
    /// A number that looks like a secret.
    LikelyScalar,
    /// An object or an array.
    Group,
    /// It begins almost like a token.
    Lookalike,
    /// A token in the old form, without its own salt, where that is not allowed.
    Legacy,
    /// A token that is older than the caller allows.
    Aged,
}

impl Flaw {
    /// Reports whether nobody named the value: it only looks like a secret.
    pub(crate) fn is_likely(self) -> bool {
        matches!(self, Self::LikelyString | Self::LikelyScalar)
    }

    /// Returns the flaw in a few words, as `check` prints it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PlainString | Self::PlainScalar => "plain text",
            Self::LikelyString | Self::LikelyScalar => "likely a secret, in plain text",
            Self::Group => "not a string, but an object or array",
            Self::Lookalike => "looks like a token, but is not one",
            Self::Legacy => "legacy token, without a salt of its own",
            Self::Aged => "old token",
        }
    }

    /// Returns what to do about the flaw. `config` and `pointer` are quoted for a shell.
    pub(crate) fn hint(self, config: &str, pointer: &str) -> String {
        match self {
            Self::PlainString | Self::LikelyString => format!("fernseal encrypt --in-place {config} --field {pointer}"),
            Self::PlainScalar | Self::LikelyScalar => format!("fernseal set {config} {pointer}"),
            Self::Group => value_hint(Error::NotAString).to_owned(),
            Self::Lookalike => value_hint(Error::Lookalike).to_owned(),
            Self::Legacy => format!("fernseal rotate {config} (it gives each token a salt of its own)"),
            Self::Aged => format!("fernseal rotate {config} (it gives a new key, and each token the present time)"),
        }
    }
}
