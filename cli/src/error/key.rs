//! Master keys: none that is usable, two that differ, a new one without a place.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use fernseal_core::KeyId;

use super::{Absence, Cause, Exit, Message, message};
use crate::quote::{quoted_path, shown};
use crate::store::Forgetful;

#[derive(Debug, Clone)]
pub(crate) enum KeyFailure {
    // The key that a command works with.
    /// Nothing names a key, and nobody is asked: where that is so by an option, the message says so.
    NoneSet { unasked: Option<Absence> },
    /// As [`Self::NoneSet`], for `doctor`, which never asks.
    NoneFound,
    /// Two places hold different keys: the name of each place, and the key's id.
    Two { first: (String, KeyId), second: (String, KeyId) },
    /// The key opens, but is too short to seal.
    TooShortToSeal,
    /// What stands at the place of this name is not a key.
    Invalid { place: String, flaw: KeyTextFlaw },
    /// A key file that was named cannot be found or read.
    FileUnreadable { path: PathBuf, error: Cause },
    /// Somebody gave a key where a key file is named.
    KeyForFile,
    /// The file in the home directory.
    HomeFile { path: PathBuf, flaw: HomeFileFlaw },
    /// A key command gave no key.
    Command { named_by: NamedBy, flaw: CommandFlaw },
    /// The shell for a key command does not start.
    ShellNotStarted { error: Cause },
    /// It is not known where a key file lies.
    PlaceUnknown { path: PathBuf, error: Cause },

    // A new key.
    /// The system gives no random numbers.
    RandomFailed,
    /// No terminal can show a new key once.
    NowhereToShow { why: Absence },
    /// There is no directory for the new key of a rotation.
    NoHome,
    /// A new key is to go where a file is.
    Exists { path: PathBuf },
    /// The new key of a rotation is to go where a file is.
    RotationKeyExists { path: PathBuf },
    /// The file system cannot sync the directory of a key that is needed at once.
    NotLasting { path: PathBuf, error: Cause },
    /// It would be stolen together with the configs.
    BesideConfigs { path: PathBuf },
    /// Whether a new key would lie beside the configs cannot be found out.
    DirectoryNotFound { path: PathBuf, error: Cause },
    /// The file with the new key is on a file system that is emptied while the configs stay.
    /// `is_made` says whether the key is made by this run.
    Forgetful { path: PathBuf, place: Forgetful, is_made: bool },
    /// The file that is to hold the new key holds the present one.
    NotNew { path: PathBuf },
    /// The file that is to hold the new key holds one that is too short to seal.
    NewTooShort { path: PathBuf },
    /// Keys that unfinished rotations left cannot be looked for.
    LeftBehindUnreadable { error: Cause },
}

impl KeyFailure {
    pub(super) fn message(&self) -> Message {
        let key = |what: String, next| message(Exit::Key, what, next);
        match self {
            Self::NoneSet { unasked } => {
                let unasked = match unasked {
                    Some(why) => format!(", and it is not asked for, as {why}"),
                    None => String::new(),
                };
                key(
                    format!("no master key: PROXMOX_MCP_MASTER_KEY is not set{unasked}"),
                    "set it (export PROXMOX_MCP_MASTER_KEY=\"$(cat KEYFILE)\"), or name a file with --key-file; \
                     `fernseal keygen` makes a new key",
                )
            }
            Self::NoneFound => key(
                "PROXMOX_MCP_MASTER_KEY is not set, nor is a key file named".to_owned(),
                "export PROXMOX_MCP_MASTER_KEY=\"$(cat KEYFILE)\", or name the file with --key-file",
            ),
            Self::Two { first: (first, first_id), second: (second, second_id) } => key(
                format!("two different master keys: {first} ({first_id}) and {second} ({second_id})"),
                "unset the one that is out of date",
            ),
            Self::TooShortToSeal => key(
                "the master key is shorter than 16 bytes: it opens, but does not seal".to_owned(),
                "make a new key with `fernseal keygen` and rotate to it; --allow-short-key seals all the same",
            ),
            Self::Invalid { place, flaw } => key(format!("Invalid master key from {place}: {flaw}"), flaw.hint()),
            Self::FileUnreadable { path, error } => {
                let what = match error.kind() {
                    std::io::ErrorKind::NotFound => format!("Key file not found: {}", shown(path)),
                    _ => format!("key file {} cannot be read: {error}", shown(path)),
                };
                key(what, "name a file that holds the master key's text and that you can read")
            }
            Self::KeyForFile => key(
                "what is named as a key file is a master key itself".to_owned(),
                "put the key into a file of mode 600, and name that",
            ),
            Self::HomeFile { path, flaw } => {
                let next = match flaw {
                    HomeFileFlaw::Unreadable(_) => "mend it, remove it, or name another with --key-file".to_owned(),
                    HomeFileFlaw::NotRegular => "remove it, or name another with --key-file".to_owned(),
                    HomeFileFlaw::OfAnotherUser => "name a key file with --key-file".to_owned(),
                    HomeFileFlaw::OpenToOthers { .. } => format!("chmod 600 {}", quoted_path(path)),
                };
                message(Exit::Key, format!("the key file {} is not used: {flaw}", shown(path)), next)
            }
            Self::Command { named_by, flaw } => {
                message(Exit::Key, format!("the key command ({named_by}) {flaw}"), flaw.hint(*named_by))
            }
            Self::ShellNotStarted { error } => key(format!("sh cannot be started: {error}"), "install sh"),
            Self::PlaceUnknown { path, error } => message(
                Exit::File,
                format!("where the key file {} lies cannot be found out: {error}", shown(path)),
                "check the permissions on the way to it",
            ),

            Self::RandomFailed => message(
                Exit::Other,
                "the system's random source failed",
                "no key was made; without random numbers none can be",
            ),
            Self::NowhereToShow { why } => message(
                Exit::Usage,
                format!("no terminal to show the new key on: {why}"),
                "no key was made; write it to a file with -o FILE, or print it with --print where no log can catch it",
            ),
            Self::NoHome => message(
                Exit::File,
                "HOME is not set: no place for the new key",
                "nothing was changed; set HOME, or name a place with --new-key-out FILE",
            ),
            Self::Exists { path } => message(
                Exit::File,
                format!("{} exists already", shown(path)),
                "name another file; what is there may be a key in use",
            ),
            Self::RotationKeyExists { path } => message(
                Exit::File,
                format!("{} exists already", shown(path)),
                format!(
                    "it may hold the key of a rotation that did not finish: finish that with --new-key-file {}; \
                     or name another file",
                    quoted_path(path)
                ),
            ),
            Self::NotLasting { path, error } => message(
                Exit::File,
                format!("cannot sync the directory of {}: {error}", shown(path)),
                "a key that a power failure can take away is of no use: name a place on another file system",
            ),
            Self::BesideConfigs { path } => message(
                Exit::Usage,
                format!("the new key would lie beside the configs: {}", shown(path)),
                "name a place apart from them with --new-key-out FILE",
            ),
            Self::DirectoryNotFound { path, error } => message(
                Exit::File,
                format!("the directory of {} cannot be found: {error}", shown(path)),
                "nothing was changed; name a place apart from the configs with --new-key-out FILE",
            ),
            Self::Forgetful { path, place, is_made } => {
                let option = if *is_made { "--new-key-out" } else { "--new-key-file" };
                message(
                    Exit::Usage,
                    format!("{}: without backups the secrets would be lost", lies_on(path, *place)),
                    format!("nothing was changed; name a file on a disk with {option} FILE, or leave --no-backup out"),
                )
            }
            Self::NotNew { path } => key(
                format!("{} holds the present master key", shown(path)),
                "the present key must be the old one (PROXMOX_MCP_MASTER_KEY), the new one is in the file",
            ),
            Self::NewTooShort { path } => key(
                format!("the key in {} is shorter than 16 bytes", shown(path)),
                "make a new key with `fernseal keygen -o FILE`",
            ),
            Self::LeftBehindUnreadable { error } => message(
                Exit::File,
                format!("no key file can be looked for: {error}"),
                "nothing was changed; it may hold the key of a rotation that did not finish: check the directory",
            ),
        }
    }
}

/// That the new key's file at `path` goes while the configs stay; a warning begins with it too.
pub(crate) fn lies_on(path: &Path, place: Forgetful) -> String {
    format!(
        "the new key's file {} is on {}, which {} empties, and the configs stay",
        shown(path),
        place.name(),
        place.end()
    )
}

/// Why a text is not a master key; slips that are often made have words of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyTextFlaw {
    /// `your-generated-key` and the like.
    GuidesPlaceholder,
    Json,
    Quotes,
    Empty,
    /// So many characters, and not the padding that they need.
    Padding {
        characters: usize,
    },
    NotBase64,
}

impl fmt::Display for KeyTextFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GuidesPlaceholder => "it is still the guide's placeholder",
            Self::Json => "it is JSON, not a key",
            Self::Quotes => "there are quotes around it",
            Self::Empty => "it is empty",
            Self::Padding { characters } => {
                return write!(
                    f,
                    "{characters} characters; a 32-byte key has 44: is the final = missing, or a character too many?"
                );
            }
            Self::NotBase64 => "it has a character that is not base64",
        })
    }
}

impl KeyTextFlaw {
    fn hint(self) -> &'static str {
        match self {
            Self::GuidesPlaceholder => "put the key there that `fernseal keygen` made",
            Self::Json => "were the config and the key file swapped?",
            Self::Quotes => "remove the quotes: they are part of the value here",
            Self::Empty => "put the master key's text there",
            Self::Padding { .. } => "copy the whole key, with the = at its end",
            Self::NotBase64 => "copy the key again, and nothing around it",
        }
    }
}

/// Why the key file in the home directory, which nobody named, is not used.
#[derive(Debug, Clone)]
pub(crate) enum HomeFileFlaw {
    Unreadable(Cause),
    NotRegular,
    OfAnotherUser,
    OpenToOthers { mode: u32 },
}

impl fmt::Display for HomeFileFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::NotRegular => f.write_str("it is not a regular file"),
            Self::OfAnotherUser => f.write_str("it belongs to another user"),
            Self::OpenToOthers { mode } => write!(f, "others can use it (mode {mode:03o})"),
        }
    }
}

/// What names a key command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedBy {
    Option(&'static str),
    Variable(&'static str),
}

impl fmt::Display for NamedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Option(name) | Self::Variable(name)) = self;
        f.write_str(name)
    }
}

/// Why a key command gave no key.
#[derive(Debug, Clone)]
pub(crate) enum CommandFlaw {
    NotStarted(Cause),
    Unreadable(Cause),
    Failed(ExitStatus),
    TooLong,
    Interrupted,
    PrintedNul,
    PrintedNothing,
}

impl fmt::Display for CommandFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(error) => write!(f, "cannot be started: {error}"),
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::Failed(status) => write!(f, "failed ({status})"),
            Self::TooLong => f.write_str("printed more than 4 KiB"),
            Self::Interrupted => f.write_str("was interrupted"),
            Self::PrintedNul => f.write_str("printed a NUL byte"),
            Self::PrintedNothing => f.write_str("printed nothing"),
        }
    }
}

impl CommandFlaw {
    fn hint(&self, named_by: NamedBy) -> String {
        match self {
            Self::NotStarted(_) | Self::Unreadable(_) | Self::Failed(_) | Self::PrintedNothing => match named_by {
                NamedBy::Option(_) => "run the command by hand, and look at what it prints".to_owned(),
                NamedBy::Variable(name) => {
                    format!("run it by hand, and look at what it prints: sh -c \"${name}\"")
                }
            },
            Self::TooLong => "let it print the key alone, as `fernseal keygen --print` does".to_owned(),
            Self::Interrupted => "run it again, and let the command end by itself".to_owned(),
            Self::PrintedNul => "let it print the key's text: 44 characters of base64, not the key's bytes".to_owned(),
        }
    }
}
