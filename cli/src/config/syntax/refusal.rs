//! Why a format refuses to read a text or to change a value. [`RefusalReason::words`] has the words of every refusal.
//!
//! A new reason is a variant and an arm. The words are here and not in `error/config.rs`, which adds the path and the
//! place, because `tests/formats` and `tests/fuzz` compile `syntax` without the rest of the command. They contain no
//! part of the text, which may hold secrets.

use std::borrow::Cow;

use super::TextFormat;

/// The reason why a text cannot be read, or why a value cannot be changed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The position in the text, in bytes; `None` for the whole text.
    pub(crate) offset: Option<usize>,
    reason: RefusalReason,
}

impl Refusal {
    pub(super) const fn at(offset: usize, reason: RefusalReason) -> Self {
        Self { offset: Some(offset), reason }
    }

    pub(super) const fn of_whole(reason: RefusalReason) -> Self {
        Self { offset: None, reason }
    }

    /// Returns what is wrong.
    pub(crate) fn what(&self) -> Cow<'static, str> {
        self.reason.words().0
    }

    /// Returns what to do about it.
    #[allow(dead_code)] // the tests outside of the command do not show it
    pub(crate) fn next(&self) -> &'static str {
        self.reason.words().1
    }
}

/// Every reason. Where readers of a format disagree, the name of the variant begins with the reader that is alone, or
/// with the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RefusalReason {
    // The format of the text.
    NoValuesInText,
    UnknownFormat,
    /// The name fits `.env` and this format.
    NameFitsTwo(TextFormat),
    ContentFitsSeveral(Vec<TextFormat>),
    InvalidJson,
    InvalidToml {
        /// The parser's words.
        said: String,
    },
    InvalidYaml,

    // The pointer.
    InvalidPointer,
    NoValuesYet,
    ExistsAlready,
    ParentHasNoNames,
    NameOccursTwice,
    NoObject,
    NotAMember,
    ContainsOthers,
    /// In this format, a container cannot be removed.
    ContainerRemoved(TextFormat),

    // The text after the edit, read again.
    ReplacingChangesOthers,
    AddingChangesOthers,
    RemovingChangesOthers,

    // What is around the value.
    CommentBeside,
    NotOnOwnLine,
    MembersNotOnOwnLines,
    ItemsNotOnOwnLines,
    UnclearValueAbove,
    TomlDottedNames,
    TomlNoHeader,
    TomlItemsAreTables,

    // JSON.
    LoneSurrogate,

    // YAML.
    YamlLineBreak,
    YamlAnchorName,
    YamlAlias,
    YamlAliased,
    YamlColonWithoutSpace,
    YamlNoColon,
    YamlMerged,
    YamlQuestionMark,
    YamlBlockHeader,
    YamlBlockWithoutLines,
    YamlBlockEnd,
    YamlBlockBeginsBlank,
    YamlTypedTag,
    YamlTabFollows,

    // .env: the whole text.
    DotenvLineBreak,
    EnvCarriageReturn,
    EnvNotAssignment,
    ShellOpenQuote,
    ShellParenthesis,
    ShellContinuation,
    EnvCommentStart,
    EnvQuoteEnd,
    EnvOpenQuote,
    EnvAfterQuote,
    // .env: one value.
    EnvByteOrderMark,
    ShellNoSuchName,
    ShellSpaceAfterName,
    ShellSpaceBeforeValue,
    PythonCommentIsValue,
    ShellSpace,
    EnvDollar,
    DotenvComment,
    ShellBackslash,
    ShellQuotes,
    ShellTilde,
    ShellOperator,
    EnvWhitespace,
    ShellSingleQuote,
    PythonBackslashes,
    PythonVariable,
    EnvEscapes,
    EnvDollarOrBacktick,
    EnvDoubleQuote,
    EnvControlCharacter,
    // .env: a new value.
    EnvNoForm,
    EnvNoGroups,
    EnvNoLists,
    EnvInvalidName,

    // INI and .properties: a line.
    IniLineBreak,
    IniIndented,
    IniSectionName,
    IniNotAssignment,
    IniContinuation,
    // INI and .properties: one value.
    IniName,
    IniSpacesAtEnd,
    IniSpacesLost,
    IniBackslash,
    IniDollar,
    IniQuotes,
    IniComment,
    IniPercent,
    IniCharacter,
    // INI and .properties: a new value.
    /// The secret has no form that all readers read alike, for this reason.
    IniNoForm(Box<RefusalReason>),
    IniTooDeep,
    IniNoLists,
}

const NAME_THE_FORMAT: &str = "name the format with --format";
const BY_HAND: &str = "add it by hand";
const ONE_BY_HAND: &str = "add one by hand";
const REMOVE_BY_HAND: &str = "remove it by hand";
const PLAIN_OR_QUOTED: &str = "write the value itself there, plain or in quotes";
const ENV_LINE: &str = "write it as NAME=value or NAME='value'";
const ENV_QUOTES: &str = "put it in single quotes, in a form that all of them read alike";
const OTHER_VALUE: &str = "choose another value, or keep it in another format";

impl RefusalReason {
    /// Returns what is wrong, and what to do about it.
    fn words(&self) -> (Cow<'static, str>, &'static str) {
        let (what, next) = match self {
            Self::NoValuesInText => ("as plain text it has no values, only tokens", "name another --format"),
            Self::UnknownFormat => ("its format was not recognized", NAME_THE_FORMAT),
            Self::NameFitsTwo(other) => {
                return (format!("its name fits two formats: env and {}", other.name()).into(), NAME_THE_FORMAT);
            }
            Self::ContentFitsSeveral(formats) => {
                let names: Vec<_> = formats.iter().map(|format| format.name()).collect();
                return (format!("its content fits several formats: {}", names.join(" or ")).into(), NAME_THE_FORMAT);
            }
            Self::InvalidJson => ("invalid JSON", "check the file with a JSON validator"),
            Self::InvalidToml { said } => return (format!("invalid TOML: {said}").into(), "check the file"),
            Self::InvalidYaml => ("invalid YAML", "check the file with a YAML linter"),

            Self::InvalidPointer => ("not a valid pointer", "a pointer looks like /auth/token_value"),
            Self::NoValuesYet => ("the text has no values yet", "write the first one by hand"),
            Self::ExistsAlready => ("a value exists there already", "set it without --create"),
            Self::ParentHasNoNames => ("its container has no named members", "name another pointer"),
            Self::NameOccursTwice => ("a name on the way to it occurs twice", "remove one of the two"),
            Self::NoObject => ("there is no object to add it to", "add it with `fernseal edit`"),
            Self::NotAMember => ("it is not the member of an object", "use `fernseal edit`"),
            Self::ContainsOthers => ("it contains other values", "name one of them"),
            Self::ContainerRemoved(format) => {
                let what = format!("in {}, a value that contains others cannot be removed", format.title());
                return (what.into(), "remove those in it one by one, or use `fernseal edit`");
            }

            Self::ReplacingChangesOthers => {
                ("writing it there could change other values", "write the value in quotes, on one line, and try again")
            }
            Self::AddingChangesOthers => ("adding it there could change other values", BY_HAND),
            Self::RemovingChangesOthers => ("removing it could change other values", REMOVE_BY_HAND),

            Self::CommentBeside => ("a comment is beside it", REMOVE_BY_HAND),
            Self::NotOnOwnLine => ("it is not on a line of its own", REMOVE_BY_HAND),
            Self::MembersNotOnOwnLines => ("its members are not on lines of their own", BY_HAND),
            Self::ItemsNotOnOwnLines => ("its items are not on lines of their own", ONE_BY_HAND),
            Self::UnclearValueAbove => ("readers disagree on the value above", BY_HAND),
            Self::TomlDottedNames => ("its members have dotted names", BY_HAND),
            Self::TomlNoHeader => ("its table has no header of its own", BY_HAND),
            Self::TomlItemsAreTables => ("its items are tables under headers", ONE_BY_HAND),

            Self::LoneSurrogate => ("a string holds a lone surrogate", "write it as a whole character"),

            Self::YamlLineBreak => {
                ("a character that is a line break in YAML 1.1 but not in 1.2", "write it as an escape")
            }
            Self::YamlAnchorName => {
                ("an anchor's name that ends earlier for readers of YAML 1.1", "use only letters, digits, - and _")
            }
            Self::YamlAlias => ("it is an alias of another value", PLAIN_OR_QUOTED),
            Self::YamlAliased => ("an alias refers to it", PLAIN_OR_QUOTED),
            Self::YamlColonWithoutSpace => ("readers disagree on a colon without a space after it", PLAIN_OR_QUOTED),
            Self::YamlNoColon => ("there is no value, not even a colon", PLAIN_OR_QUOTED),
            Self::YamlMerged => ("it is merged into another map (<<)", PLAIN_OR_QUOTED),
            Self::YamlQuestionMark => ("? between brackets begins a name for readers of YAML 1.1", PLAIN_OR_QUOTED),
            Self::YamlBlockHeader => ("the first line of the block scalar says more than | or >", PLAIN_OR_QUOTED),
            Self::YamlBlockWithoutLines => ("a block scalar without lines", PLAIN_OR_QUOTED),
            Self::YamlBlockEnd => ("readers disagree on whether its last line ends with a line break", PLAIN_OR_QUOTED),
            Self::YamlBlockBeginsBlank => ("the first lines of the block scalar are blank", PLAIN_OR_QUOTED),
            Self::YamlTypedTag => ("its tag requires a type that a token does not have", PLAIN_OR_QUOTED),
            Self::YamlTabFollows => {
                ("a line with a tab follows, which some readers reject after a quoted value", PLAIN_OR_QUOTED)
            }

            Self::DotenvLineBreak => ("a character that dotenv, but not a shell, treats as a line break", "remove it"),
            Self::EnvCarriageReturn => ("a CR within a line is a line end to some of its readers", ENV_LINE),
            Self::EnvNotAssignment => ("this is not NAME=value", ENV_LINE),
            Self::ShellOpenQuote => ("a quote that is not closed: a shell reads on after the line", ENV_LINE),
            Self::ShellParenthesis => ("a shell reads nothing after a ( or ) without quotes", ENV_LINE),
            Self::ShellContinuation => ("a \\ at the end: a shell continues on the next line", ENV_LINE),
            Self::EnvCommentStart => ("its readers disagree on where the comment begins", ENV_LINE),
            Self::EnvQuoteEnd => ("its readers disagree on whether this quote ends the value", ENV_LINE),
            Self::EnvOpenQuote => ("a quote that is not closed", ENV_LINE),
            Self::EnvAfterQuote => ("its readers disagree on what follows the closing quote", ENV_LINE),
            Self::EnvByteOrderMark => (
                "python-dotenv and shells take the byte order mark for a part of its name",
                "save the file without one",
            ),
            Self::ShellNoSuchName => {
                ("a shell has no variable of this name", "rename it: letters, digits and _, and no digit first")
            }
            Self::ShellSpaceAfterName => ("a shell wants = right after the name", ENV_LINE),
            Self::ShellSpaceBeforeValue => ("a shell wants the value right after =", ENV_LINE),
            Self::PythonCommentIsValue => (
                "python-dotenv takes a comment right after = for the value, others do not",
                "write the comment on a line of its own",
            ),
            Self::ShellSpace => ("a shell ends a value without quotes at a space", ENV_QUOTES),
            Self::EnvDollar => ("some of its readers expand what follows a $", ENV_QUOTES),
            Self::DotenvComment => ("dotenv takes # for the beginning of a comment, others do not", ENV_QUOTES),
            Self::ShellBackslash => ("a shell removes \\, others do not", ENV_QUOTES),
            Self::ShellQuotes => ("a shell removes quotes within a value, others do not", ENV_QUOTES),
            Self::ShellTilde => ("a shell replaces ~ with the home directory", ENV_QUOTES),
            Self::ShellOperator => ("a shell gives this character a meaning of its own", ENV_QUOTES),
            Self::EnvWhitespace => ("its readers disagree on which of these characters are whitespace", ENV_QUOTES),
            Self::ShellSingleQuote => {
                ("a shell ends a value at its next single quote, others not after a \\", OTHER_VALUE)
            }
            Self::PythonBackslashes => {
                ("python-dotenv takes \\\\ between single quotes for one \\, others do not", OTHER_VALUE)
            }
            Self::PythonVariable => ("python-dotenv expands ${…} between single quotes, others do not", OTHER_VALUE),
            Self::EnvEscapes => (
                "dotenv, python-dotenv, Docker Compose and shells each take other escapes between double quotes",
                ENV_QUOTES,
            ),
            Self::EnvDollarOrBacktick => ("some of its readers expand what follows $ or `, others do not", ENV_QUOTES),
            Self::EnvDoubleQuote => ("its readers disagree on how a double quote is written", ENV_QUOTES),
            Self::EnvControlCharacter => ("its readers disagree on control characters", OTHER_VALUE),
            Self::EnvNoForm => (
                "the value has no form that Docker Compose, dotenv, python-dotenv and shells read alike",
                "choose a secret without quotes, $, ` and \\, or keep it in another format",
            ),
            Self::EnvNoGroups => ("a .env has no groups of values", "name one, as in /NAME"),
            Self::EnvNoLists => ("a .env has no lists", "name a variable, as in /NAME"),
            Self::EnvInvalidName => ("not a valid variable name", "letters, digits and _, as in /API_TOKEN"),

            Self::IniLineBreak => ("a character that some readers treat as a line break", "remove it"),
            Self::IniIndented => (
                "some of its readers take an indented line for a part of the value above",
                "write each value on one line, and begin all lines alike",
            ),
            Self::IniSectionName => (
                "a section's name that its readers do not read alike",
                "write it as [name], without quotes, brackets, \\, # and ;",
            ),
            Self::IniNotAssignment => ("this is not name = value", "write it as name = value, or as a comment"),
            Self::IniContinuation => (
                "some of its readers continue a value in the next line after a \\",
                "write the value on one line, without a \\ at the end",
            ),
            Self::IniName => {
                ("a name that its readers do not read alike", "use only letters, digits, _, ., -, / and @ in the name")
            }
            Self::IniSpacesAtEnd => ("the spaces at its end belong to it for some of its readers", "remove them"),
            Self::IniSpacesLost => ("spaces at the start or the end are lost", OTHER_VALUE),
            Self::IniBackslash => ("some of its readers take \\ for an escape", OTHER_VALUE),
            Self::IniDollar => ("some of its readers expand what follows a $", OTHER_VALUE),
            Self::IniQuotes => ("some of its readers remove quotes, others do not", "write the value without quotes"),
            Self::IniComment => (
                "some of its readers take ; and # for the beginning of a comment",
                "write the comment on a line of its own; a value with ; or # needs another format",
            ),
            Self::IniPercent => ("Python and systemd expand what follows a %, others do not", OTHER_VALUE),
            Self::IniCharacter => ("its readers disagree on characters such as this", OTHER_VALUE),
            Self::IniNoForm(reason) => {
                let what = format!("the value has no form that all readers of INI read alike: {}", reason.words().0);
                return (what.into(), "choose another secret, or keep it in another format");
            }
            Self::IniTooDeep => ("a value is in a section or in none, not deeper", "name it as /section/name"),
            Self::IniNoLists => ("it has no lists", "name a value, as in /section/name"),
        };
        (Cow::Borrowed(what), next)
    }
}
