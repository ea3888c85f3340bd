//! Failures around master keys: no usable key, two different keys, no place for a new one.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use fernseal_core::KeyId;

use super::file::LINK_HINT;
use super::{Cause, Exit, Failure, Message, NoPrompt, Refused, message};
use crate::env::{KEY_FILE, PREVIOUS, PREVIOUS_FILE, Unset};
use crate::quote::{quoted_path, relative_to, shown};

#[derive(Debug, Clone)]
pub(crate) enum KeyFailure {
    // The key that a command works with.
    /// No key is set, and the user was not asked. If an option forbids asking, the message says so.
    NoneSet { variable: Unset, unasked: Option<NoPrompt> },
    /// The same as [`Self::NoneSet`], for `doctor`, which never asks.
    NoneFound { variable: Unset },
    /// Two places contain different keys: the name of each place, with the key's id.
    Two { first: (String, KeyId), second: (String, KeyId) },
    /// The key opens, but is too short to seal.
    TooShortToSeal,
    /// The text at this place is not a valid key.
    Invalid { place: String, read_from: ReadFrom, flaw: KeyTextFlaw },
    /// A named key file cannot be found or read.
    FileUnreadable { path: PathBuf, error: Cause },
    /// A key file belongs to another user, or a link of another user leads to it.
    FileNotUsed { path: PathBuf, refused: Refused },
    /// The user gave a key where the path of a key file belongs.
    KeyForFile,
    /// The key file in the home directory is unusable.
    HomeFile { path: PathBuf, flaw: HomeFileFlaw },
    /// A key command did not return a key.
    Command { named_by: NamedBy, flaw: CommandFlaw },
    /// The shell for a key command did not start.
    ShellNotStarted { error: Cause },
    /// The directory of a key file cannot be determined.
    PlaceUnknown { path: PathBuf, error: Cause },

    // A new key.
    /// The system's random source failed.
    RandomFailed,
    /// There is no terminal to show a new key on.
    NowhereToShow { why: NoPrompt },
    /// HOME is not set, so a rotation has no default place for its new key.
    NoHome { variable: Unset },
    /// The directory for the new key of a rotation is not a directory.
    HomeNotADirectory { home: PathBuf },
    /// The file for a new key exists already.
    Exists { path: PathBuf },
    /// The file for the new key of a rotation exists already.
    RotationKeyExists { path: PathBuf },
    /// The file system cannot sync the directory of a key that is needed at once.
    NotLasting { path: PathBuf, error: Cause },
    /// The new key would be stolen together with the configs.
    BesideConfigs { path: PathBuf },
    /// The directory for a new key was not found, so whether configs are in it is unknown.
    DirectoryNotFound { path: PathBuf, error: Cause },
    /// The new key's file is on a file system that loses its files while the configs stay. `is_made` tells whether this
    /// run makes the key.
    OnVolatile { path: PathBuf, place: VolatileFileSystem, is_made: bool },
    /// The file for the new key contains the current one.
    NotNew { path: PathBuf },
    /// The key in the file for the new key is too short to seal.
    NewTooShort { path: PathBuf },
    /// A store did not accept the new key, or does not return it. `old` and `new` are the files with the old and the
    /// new key, and `resume` is the command that rotates without the store.
    NotStored { flaw: StoreFlaw, old: PathBuf, new: PathBuf, resume: String },
    /// The file for the old key of a rotation contains something else.
    OldKeyExists { path: PathBuf },
    /// The keys that unfinished rotations left cannot be listed.
    LeftBehindUnreadable { error: Cause },
}

impl KeyFailure {
    pub(super) fn message(&self) -> Message {
        let key = |what: String, next| message(Exit::Key, what, next);
        match self {
            Self::NoneSet { variable, unasked } => {
                let unasked = match unasked {
                    Some(why) => format!(", and there is no prompt because {why}"),
                    None => String::new(),
                };
                key(
                    format!("no master key: {variable}{unasked}"),
                    "set it (export PROXMOX_MCP_MASTER_KEY=\"$(cat KEYFILE)\"), or name a file with --key-file; \
                     `fernseal keygen` makes a new key",
                )
            }
            Self::NoneFound { variable } => key(
                format!("{variable}, and no key file is named"),
                "export PROXMOX_MCP_MASTER_KEY=\"$(cat KEYFILE)\", or name the file with --key-file",
            ),
            Self::Two { first: (first, first_id), second: (second, second_id) } => key(
                format!("two different master keys: {first} ({first_id}) and {second} ({second_id})"),
                "remove the one that is out of date",
            ),
            Self::TooShortToSeal => key(
                "the master key is shorter than 16 bytes: it decrypts, but does not encrypt".to_owned(),
                "make a new key with `fernseal keygen` and rotate to it; --allow-short-key encrypts anyway",
            ),
            Self::Invalid { place, read_from, flaw } => {
                message(Exit::Key, format!("Invalid master key from {place}: {flaw}"), flaw.hint(*read_from))
            }
            Self::FileUnreadable { path, error } => {
                let what = match error.kind() {
                    std::io::ErrorKind::NotFound => format!("Key file not found: {}{}", shown(path), relative_to(path)),
                    _ => format!("key file {} cannot be read: {error}", shown(path)),
                };
                key(what, "name a file that holds the master key's text and that you can read")
            }
            Self::FileNotUsed { path, refused } => key(
                format!("the key file {} is not used: {refused}", shown(path)),
                match refused {
                    Refused::File { .. } => {
                        "a key file must belong to you, to root or to the user who called sudo: check the key, and copy it to a \
                         file of your own (mode 600)"
                    }
                    Refused::Link { .. } => LINK_HINT,
                },
            ),
            Self::KeyForFile => key(
                "the path of the key file is itself a master key".to_owned(),
                "write the key to a file of mode 600, and name that file",
            ),
            Self::HomeFile { path, flaw } => {
                let next = match flaw {
                    HomeFileFlaw::Unreadable(_) => {
                        "repair it, remove it, or name another file with --key-file".to_owned()
                    }
                    HomeFileFlaw::NotRegular => "remove it, or name another with --key-file".to_owned(),
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
                format!("cannot find the directory of the key file {}: {error}", shown(path)),
                "check the permissions of the directories above it",
            ),

            Self::RandomFailed => {
                message(Exit::Other, "the system's random source failed", "no key was made; a key needs random numbers")
            }
            Self::NowhereToShow { why } => message(
                Exit::Usage,
                format!("no terminal to show the new key on: {why}"),
                "no key was made; write it to a file with -o FILE, or print it with --print where no log can catch it",
            ),
            Self::NoHome { variable } => message(
                Exit::File,
                format!("{variable}, so there is no place for the new key"),
                "nothing was changed; set HOME, or name a place with --new-key-out FILE",
            ),
            Self::HomeNotADirectory { home } => message(
                Exit::File,
                format!("HOME is not a directory ({}), so there is no place for the new key", shown(home)),
                "nothing was changed; name a place with --new-key-out FILE",
            ),
            Self::Exists { path } => message(
                Exit::File,
                format!("{} exists already", shown(path)),
                "name another file; this one may contain a key that is in use",
            ),
            Self::RotationKeyExists { path } => message(
                Exit::File,
                format!("{} exists already", shown(path)),
                format!(
                    "it may contain the key of an unfinished rotation: finish that with --new-key-file {}; \
                     or name another file",
                    quoted_path(path)
                ),
            ),
            Self::NotLasting { path, error } => message(
                Exit::File,
                format!("cannot sync the directory of {}: {error}", shown(path)),
                "a power failure could delete the new key: name a file on another file system",
            ),
            Self::BesideConfigs { path } => message(
                Exit::Usage,
                format!("the new key would lie beside the configs: {}", shown(path)),
                "name a file in another directory with --new-key-out FILE",
            ),
            Self::DirectoryNotFound { path, error } => message(
                Exit::File,
                format!("the directory of {} cannot be found: {error}", shown(path)),
                "nothing was changed; name a file in a directory without configs with --new-key-out FILE",
            ),
            Self::OnVolatile { path, place, is_made } => {
                let option = if *is_made { "--new-key-out" } else { "--new-key-file" };
                message(
                    Exit::Usage,
                    format!("{}; without backups the secrets would be lost", volatile_warning(path, *place)),
                    format!("nothing was changed; name a file on a disk with {option} FILE, or leave --no-backup out"),
                )
            }
            Self::NotNew { path } => key(
                format!("{} contains the current master key", shown(path)),
                "a rotation needs a different key: name a file that contains the new one",
            ),
            Self::NewTooShort { path } => key(
                format!("the key in {} is shorter than 16 bytes", shown(path)),
                "make a new key with `fernseal keygen -o FILE`",
            ),
            Self::NotStored { flaw, old, new, resume } => message(
                Exit::Key,
                format!("the store (--new-key-command) {flaw}; no config was changed"),
                format!(
                    "the configs are under the old key, which is in {}; put the key in {} into the store by hand, then go \
                     on with: {resume}",
                    shown(old),
                    shown(new)
                ),
            ),
            Self::OldKeyExists { path } => message(
                Exit::File,
                format!("{} exists already, and does not contain the old key", shown(path)),
                "nothing was changed; move it away, or name another place with --new-key-out FILE",
            ),
            Self::LeftBehindUnreadable { error } => message(
                Exit::File,
                format!("cannot look for the keys of unfinished rotations: {error}"),
                "nothing was changed; check the permissions of your home directory",
            ),
        }
    }
}

/// The kind of place that the master key came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// `--key-file`.
    Option,
    /// `--key-command` or its variable.
    Command,
    /// PROXMOX_MCP_MASTER_KEY or PROXMOX_MCP_MASTER_KEY_FILE.
    Variable,
    Credential,
    /// `~/.proxmox_mcp_key`.
    Home,
    Prompt,
}

/// A file system that does not keep its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VolatileFileSystem {
    Tmpfs,
    Ramfs,
    /// The writable layer of a container, or of a live system.
    Overlay,
}

impl VolatileFileSystem {
    fn name(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Ramfs => "ramfs",
            Self::Overlay => "overlay",
        }
    }

    /// Returns when the files are lost.
    fn end(self) -> &'static str {
        match self {
            Self::Tmpfs | Self::Ramfs => "a restart",
            Self::Overlay => "the end of its container",
        }
    }
}

/// Returns a sentence saying that the new key's file will be lost while the configs stay. Warnings use it too.
pub(crate) fn volatile_warning(path: &Path, place: VolatileFileSystem) -> String {
    format!(
        "the new key's file {} is on {}: {} deletes it, but not the configs",
        shown(path),
        place.name(),
        place.end()
    )
}

/// Why a text is not a master key. Common mistakes have their own variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyTextFlaw {
    /// A placeholder from the guide, such as `your-generated-key`.
    GuidesPlaceholder,
    Json,
    Quotes,
    Empty,
    /// This many characters, without the padding that they need.
    Padding {
        characters: usize,
    },
    NotBase64,
    /// A line of an environment file. `variable` is `None` if the name is not that of a variable for keys.
    Line {
        variable: Option<&'static str>,
    },
    SameKeyTwice,
    SeveralKeys {
        number: usize,
    },
    /// The path of an existing file.
    PathOfFile,
    /// It begins like a path.
    LikePath,
}

/// The source of a text that should be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadFrom {
    /// The variable that contains the text itself.
    Variable(&'static str),
    File,
    Command,
    Prompt,
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
                    "it has {characters} characters, not the 44 of a 32-byte key: is the final = missing, or was too much copied?"
                );
            }
            Self::NotBase64 => "it has a character that is not base64",
            Self::Line { variable } => return write!(f, "it is a line {}=…, not a key", variable.unwrap_or(NAME)),
            Self::SameKeyTwice => "it contains the same key more than once",
            Self::SeveralKeys { number } => return write!(f, "it contains {number} different keys"),
            Self::PathOfFile => "it is the path of a file, not a key",
            Self::LikePath => "it looks like a path, not a key",
        })
    }
}

/// The placeholder for the name of a variable that is unknown.
const NAME: &str = "NAME";

impl KeyTextFlaw {
    fn hint(self, read_from: ReadFrom) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::GuidesPlaceholder => "replace it with a key that `fernseal keygen` made",
            Self::Json => "were the config and the key file swapped?",
            Self::Quotes => "remove the quotes: they are part of the value here",
            Self::Empty => "put the master key's text there",
            Self::Padding { .. } => "copy the whole key, with the = at its end",
            Self::NotBase64 => "copy the key again, without anything around it",
            Self::Line { variable } => {
                let name = variable.unwrap_or(NAME);
                return format!("keep only the key's text: the part after {name}=").into();
            }
            Self::SameKeyTwice => "keep the key only once",
            Self::SeveralKeys { .. } => {
                return format!("keep only the current key; previous keys belong in {PREVIOUS}").into();
            }
            Self::PathOfFile | Self::LikePath => match read_from {
                ReadFrom::Variable(PREVIOUS) => return format!("name the file in {PREVIOUS_FILE} instead").into(),
                ReadFrom::Variable(_) => {
                    return format!("name the file in {KEY_FILE} instead, or with --key-file").into();
                }
                ReadFrom::File => "name that file instead",
                ReadFrom::Command => "let the command print what is in that file",
                ReadFrom::Prompt => "type the key's text, or name the file with --key-file",
            },
        })
    }
}

/// Why the key file in the home directory, which the user did not name, is not used.
#[derive(Debug, Clone)]
pub(crate) enum HomeFileFlaw {
    Unreadable(Cause),
    NotRegular,
    OpenToOthers { mode: u32 },
}

impl fmt::Display for HomeFileFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::NotRegular => f.write_str("it is not a regular file"),
            Self::OpenToOthers { mode } => write!(f, "others can use it (mode {mode:03o})"),
        }
    }
}

/// The option or variable that contains a key command.
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

/// Why a key command did not return a key.
#[derive(Debug, Clone)]
pub(crate) enum CommandFlaw {
    NotStarted(Cause),
    Unreadable(Cause),
    Failed(ExitStatus),
    TooLong,
    Interrupted,
    PrintedNul,
    PrintedNothing,
    /// It does not read its stdin.
    Unwritable(Cause),
}

/// Why a store does not have the new key, as far as the key command shows.
#[derive(Debug, Clone)]
pub(crate) enum StoreFlaw {
    Command(CommandFlaw),
    NotReadBack(Box<Failure>),
    AnotherKey { key_command: String },
}

impl fmt::Display for StoreFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(flaw) => flaw.fmt(f),
            Self::NotReadBack(failure) => write!(f, "does not give the new key back: {}", failure.what()),
            Self::AnotherKey { key_command } => {
                write!(f, "does not give the new key back: the key command ({key_command}) prints another")
            }
        }
    }
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
            Self::Unwritable(error) => write!(f, "cannot be written to: {error}"),
        }
    }
}

impl CommandFlaw {
    fn hint(&self, named_by: NamedBy) -> String {
        match self {
            Self::NotStarted(_)
            | Self::Unreadable(_)
            | Self::Unwritable(_)
            | Self::Failed(_)
            | Self::PrintedNothing => match named_by {
                NamedBy::Option(_) => "run the command by hand, and look at what it prints".to_owned(),
                NamedBy::Variable(name) => {
                    format!("run it by hand, and look at what it prints: sh -c \"${name}\"")
                }
            },
            Self::TooLong => "let it print the key alone, as `fernseal keygen --print` does".to_owned(),
            Self::Interrupted => "run it again, and wait until the key command ends".to_owned(),
            Self::PrintedNul => "let it print the key's text: 44 characters of base64, not the key's bytes".to_owned(),
        }
    }
}
