//! Failures of finding, reading and writing files and directories, including stdin and stdout.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::str::Utf8Error;

use super::{Cause, Exit, Message, PatternFlaw, SkipReason, message};
use crate::env::SECRETS_FILE;
use crate::quote::{Pointer, count, one_line, relative_to, shown};

#[derive(Debug, Clone)]
pub(crate) enum FileFailure {
    // Reading.
    /// A config cannot be found or read. `is_default` says whether it is the one in PROXMOX_MCP_CONFIG.
    Unreadable { path: PathBuf, is_default: bool, error: Cause },
    /// A config belongs to another user, or a link of another user leads to it.
    NotUsed { path: PathBuf, refused: Refused },
    /// A config is larger than 64 MiB.
    TooLarge { path: PathBuf },
    /// A config is not a regular file but a pipe, a device or the like.
    NotRegular { path: PathBuf },
    /// A directory cannot be listed.
    DirectoryUnreadable { path: PathBuf, error: Cause },
    /// The type of a directory entry is unknown.
    EntryUnreadable { path: PathBuf, error: Cause },
    /// A directory has no config. `left_out` is the number of entries that were left out, and `first` are some of them,
    /// with the reasons.
    NoConfig { directory: PathBuf, left_out: usize, first: Vec<(PathBuf, SkipReason)> },
    /// All files found were skipped.
    NoConfigLookedAt { skipped: usize },
    /// The path in `--backup-dir` is not a directory, or cannot be opened.
    BackupDirUnusable { directory: PathBuf, error: Cause },
    /// A directory of backups cannot be listed.
    BackupsUnreadable { directory: PathBuf, error: Cause },
    /// The settings beside configs (`.fernseal.toml`) are not UTF-8.
    SettingsNotUtf8 { path: PathBuf, error: Utf8Error },
    /// The settings beside configs are not valid TOML, or have unknown fields.
    SettingsInvalid { path: PathBuf, line: usize, problem: String },
    /// A pattern in the settings beside configs is invalid.
    SettingsPattern { path: PathBuf, text: Pointer, flaw: PatternFlaw },
    /// The directories above a config cannot be searched for settings.
    SettingsNotSought { config: PathBuf, error: Cause },
    /// `set` cannot read the secret from stdin.
    StdinUnreadable { error: Cause },

    // Writing.
    /// Another program saved a config while a command worked on it.
    Changed { path: PathBuf },
    /// Another program saved a config after the rotation had checked it.
    ChangedWhileRotated { path: PathBuf },
    /// Another program saved a config during `edit`; the edited text was written to another file.
    ChangedWhileEdited { path: PathBuf, edited: PathBuf },
    /// Another program saved a file during the exchange, and exchanging back failed.
    SavedWhileReplaced { path: PathBuf, save: PathBuf },
    /// A file was replaced, but contains something else now.
    NotWhatWasWritten { path: PathBuf },
    /// A config that should be replaced has several hard links.
    HardLinks { path: PathBuf, number: u64 },
    /// The directory of a config that should be replaced is not writable.
    DirectoryOfUnwritable { path: PathBuf, error: Cause },
    /// A config that should be replaced is a mount point, as in containers.
    MountPoint { path: PathBuf },
    /// The attributes of a config that should be replaced forbid it.
    Immutable { path: PathBuf },
    /// The attributes of the directory of a config that should be replaced forbid it.
    DirectoryOfImmutable { path: PathBuf },
    /// A config that should be replaced belongs to another user, and its directory is sticky.
    AnothersInSticky { path: PathBuf },
    /// The name of a config's backup would be longer than the file system allows.
    BackupNameTooLong { path: PathBuf, max: u64 },
    /// A step of writing a file failed.
    CannotWrite { step: Step, path: PathBuf, error: Cause },
    /// A copy of a config cannot be written: a backup or the edited text.
    CannotCopy { step: Step, copy: CopyKind, path: PathBuf, error: Cause },
    /// A new file cannot get a property of the old one.
    CannotKeep { property: Property, path: PathBuf, error: Cause },
    /// A new file cannot have the owner and group of the config.
    OwnerNotGiven { uid: u32, gid: u32, path: PathBuf, error: Cause },
    /// A new file with secrets cannot get a private mode.
    ModeNotKept { mode: u32, path: PathBuf, error: Cause },
    /// A backup or a temporary file cannot be removed.
    Unremovable { path: PathBuf, error: Cause },
    /// A file was changed, but syncing its directory failed.
    Unsynced { path: PathBuf, error: Cause },
    /// The output exists, and `--force` is not set.
    OutputExists { path: PathBuf },
    /// The output is a pipe, a device or the like.
    OutputNotRegular { path: PathBuf },
    /// The output is a dangling symlink.
    OutputLeadsNowhere { path: PathBuf },
    /// A line cannot be appended to the audit log.
    AuditLog { path: PathBuf, error: Cause },
    /// The systemd journal, which was named for the audit log, cannot be written.
    Journal { error: Cause },
    /// A manual page cannot be written.
    ManPage { path: PathBuf, error: Cause },
    /// stdout cannot be written.
    Stdout { error: Cause },
    /// The reader of stdout went away. No message is printed.
    ReaderGone,

    // Files in memory.
    /// `edit` cannot create its file in memory.
    NoMemoryForEditor { error: Cause },
    /// `run` cannot create a file in memory.
    NoMemoryForProgram { error: Cause },
    /// `run --redact` needs a memory file system for its files.
    NoMemoryForRedact,
    /// The file that was given to the editor cannot be read.
    EditedUnreadable { error: Cause },
}

/// The hint for a link of another user.
pub(super) const LINK_HINT: &str = "nothing was written; name the file that it leads to, if that is what you want";

/// The hint for an output that is not a regular file.
const NAME_A_FILE: &str = "name a new file or a regular one; `fernseal decrypt` without -o writes to stdout";

impl FileFailure {
    pub(super) fn message(&self) -> Message {
        let file = |what: String, next| message(Exit::File, what, next);
        match self {
            Self::Unreadable { path, is_default, error } => match error.kind() {
                io::ErrorKind::NotFound => file(
                    format!("Config file not found: {}{}", shown(path), relative_to(path)),
                    if *is_default { "PROXMOX_MCP_CONFIG names it: check the path" } else { "check the path" },
                ),
                io::ErrorKind::IsADirectory => file(format!("{} is a directory", shown(path)), "name a config in it"),
                _ => file(format!("{} cannot be read: {error}", shown(path)), "check the path and its permissions"),
            },
            Self::NotUsed { path, refused } => file(
                format!("{} is not used: {refused}", shown(path)),
                match refused {
                    Refused::File { .. } => {
                        "the file must belong to you, to root or to the user who called sudo: change its owner, or name \
                         another file"
                    }
                    Refused::Link { .. } => LINK_HINT,
                },
            ),
            Self::TooLarge { path } => {
                file(format!("{} is larger than 64 MiB", shown(path)), "no config is that large; check the path")
            }
            Self::NotRegular { path } => file(format!("{} is not a regular file", shown(path)), "name a regular file"),
            Self::DirectoryUnreadable { path, error } => file(
                format!("the directory {} cannot be read: {error}", shown(path)),
                "check its permissions; a config in it would be missed",
            ),
            Self::EntryUnreadable { path, error } => file(
                format!("{} cannot be inspected: {error}", shown(path)),
                "check the file system; a config there could be missed",
            ),
            Self::NoConfig { directory, left_out, first } => no_config(directory, *left_out, first),
            Self::NoConfigLookedAt { skipped } => file(
                format!("no config was checked: {} skipped", count(*skipped, "file")),
                "check the path; what was skipped is listed with the reason",
            ),
            Self::BackupDirUnusable { directory, error } => {
                let why = match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "it is not a directory".to_owned(),
                    _ => error.to_string(),
                };
                file(
                    format!("no backups in {}: {why}", shown(directory)),
                    "name the directory that was given to the rotation",
                )
            }
            Self::BackupsUnreadable { directory, error } => file(
                format!("the directory of backups {} cannot be read: {error}", shown(directory)),
                "check its permissions; backups in it would be missed",
            ),
            Self::SettingsNotUtf8 { path, error } => settings_unusable(path, &error.to_string()),
            Self::SettingsInvalid { path, line, problem } => {
                settings_unusable(path, &format!("line {line}: {}", one_line(problem)))
            }
            Self::SettingsPattern { path, text, flaw } => {
                settings_unusable(path, &format!("\"{text}\" is not a pointer or pattern: {flaw}"))
            }
            Self::SettingsNotSought { config, error } => file(
                format!("cannot look for {SECRETS_FILE} above {}: {error}", shown(config)),
                "check the permissions of the directories on the way to the config",
            ),
            Self::StdinUnreadable { error } => {
                file(format!("stdin cannot be read: {error}"), "nothing was changed; try again")
            }

            Self::Changed { path } => file(
                format!("another program changed {}; that change was kept", shown(path)),
                "this command did not change it: run it again when the other program is finished",
            ),
            Self::ChangedWhileRotated { path } => file(
                format!("{} changed while it was being rotated", shown(path)),
                "this file was not rotated; run the rotation again with --new-key-file and the new key's file",
            ),
            Self::ChangedWhileEdited { path, edited } => message(
                Exit::File,
                format!("another program changed {} while it was edited; that change was kept", shown(path)),
                format!("the edited text, encrypted, is in {}: compare the two", shown(edited)),
            ),
            Self::SavedWhileReplaced { path, save } => file(
                format!(
                    "another program saved {} while it was replaced; the new content is in place, and that save is in {}",
                    shown(path),
                    shown(save)
                ),
                "compare the two, and keep what is wanted",
            ),
            Self::NotWhatWasWritten { path } => file(
                format!("{} is not what was written", shown(path)),
                "another program changed it meanwhile; check it with `fernseal verify`",
            ),
            Self::HardLinks { path, number } => file(
                format!("{} has {number} hard links; replacing the file would separate them", shown(path)),
                "remove the other links, or work on a copy of the file",
            ),
            Self::DirectoryOfUnwritable { path, error } => file(
                format!("the directory of {} cannot be written: {error}", shown(path)),
                "check the directory's permissions and its file system",
            ),
            Self::CannotWrite { step: Step::Replace, path, error } if error.kind() == io::ErrorKind::ResourceBusy => {
                file(
                    format!("cannot replace {}: {error}", shown(path)),
                    "nothing was changed there; the file is mounted by itself, as in a container, and cannot be replaced: mount \
                     its directory instead, or run this on the host",
                )
            }
            Self::MountPoint { path } => file(
                format!("{} is mounted as a single file, so it cannot be replaced", shown(path)),
                "change the file on the host, or mount the whole directory instead",
            ),
            Self::Immutable { path } => file(
                format!("{} is immutable or append-only (lsattr)", shown(path)),
                "remove the attribute (chattr -i -a), or do not change this file",
            ),
            Self::DirectoryOfImmutable { path } => file(
                format!("the directory of {} is immutable or append-only (lsattr)", shown(path)),
                "remove the attribute (chattr -i -a), or do not change this config",
            ),
            Self::AnothersInSticky { path } => file(
                format!(
                    "{} belongs to another user, and in a sticky directory only the owner may replace a file",
                    shown(path)
                ),
                "run this as the owner of the file",
            ),
            Self::BackupNameTooLong { path, max } => file(
                format!("the backup of {} would have a name of more than {max} bytes", shown(path)),
                "rename the config, or rotate without backups (--no-backup)",
            ),
            Self::CannotWrite { step, path, error } => cannot(&step.to_string(), path, error),
            Self::CannotCopy { step, copy, path, error } => cannot(&format!("{step} {copy}"), path, error),
            Self::CannotKeep { property, path, error } => cannot(&format!("keep the {property} of"), path, error),
            Self::OwnerNotGiven { uid, gid, path, error } => file(
                format!("cannot give the owner and group of the config ({uid}:{gid}) to {}: {error}", shown(path)),
                "nothing was written; leave out --keep-mode, or run this as a user who may set them",
            ),
            Self::ModeNotKept { mode, path, error } => file(
                format!("cannot give mode {mode:03o} to {}: {error}", shown(path)),
                "its file system has no permissions, so others could read it: use another file system",
            ),
            Self::Unremovable { path, error } => {
                file(format!("{} cannot be removed: {error}", shown(path)), "check the directory's permissions")
            }
            Self::Unsynced { path, error } => file(
                format!("{} is changed, but its directory cannot be synced: {error}", shown(path)),
                "a power failure could undo the change: check the file system, then run `sync`",
            ),
            Self::OutputExists { path } => {
                file(format!("{} exists already", shown(path)), "name another file, or overwrite this one with --force")
            }
            Self::OutputNotRegular { path } => file(format!("{} is not a regular file", shown(path)), NAME_A_FILE),
            Self::OutputLeadsNowhere { path } => {
                file(format!("{} is a broken symbolic link", shown(path)), NAME_A_FILE)
            }
            Self::AuditLog { path, error } => {
                let (from, next) = match error.kind() {
                    io::ErrorKind::NotFound => {
                        (relative_to(path), "nothing was changed; create its directory, or name another log")
                    }
                    _ => {
                        (String::new(), "nothing was changed; check its permissions and the disk, or name another log")
                    }
                };
                file(format!("the audit log {}{from} cannot be written: {error}", shown(path)), next)
            }
            Self::Journal { error } => file(
                format!("systemd's journal cannot be written: {error}"),
                "nothing was changed; see that journald runs here, or name a file for the audit log",
            ),
            Self::ManPage { path, error } => file(
                format!("the manual page {} cannot be written: {error}", shown(path)),
                "name a directory that exists and that you can write to",
            ),
            Self::Stdout { error } => {
                file(format!("stdout cannot be written: {error}"), "the output is incomplete; run it again")
            }
            Self::ReaderGone => file(String::new(), ""),

            Self::NoMemoryForEditor { error } => file(
                format!("no file can be made in memory: {error}"),
                "mount a tmpfs at /dev/shm, or set XDG_RUNTIME_DIR to a folder on one",
            ),
            Self::NoMemoryForProgram { error } => {
                file(format!("no file can be made in memory: {error}"), "free some memory, or use --env")
            }
            Self::NoMemoryForRedact => file(
                "--redact found no writable memory file system for its files".to_owned(),
                "mount a tmpfs at /dev/shm, or use --config-fd or --env with --redact",
            ),
            Self::EditedUnreadable { error } => file(
                format!("the edited text cannot be read: {error}"),
                "nothing was changed; save the file under the name that the editor shows",
            ),
        }
    }
}

/// The hint if no file has the name of a config.
const NO_CONFIG_NAME: &str =
    "check the path; configs end in .json, .yaml, .toml, .env, .ini and the like, others need --include";

fn no_config(directory: &Path, left_out: usize, first: &[(PathBuf, SkipReason)]) -> Message {
    let directory = shown(directory);
    if left_out == 0 {
        return message(
            Exit::File,
            format!("no config in {directory}: no file in it has a config's name"),
            NO_CONFIG_NAME,
        );
    }
    let first: Vec<_> = first.iter().map(|(path, why)| format!("{}: {why}", shown(path))).collect();
    message(
        Exit::File,
        match left_out {
            1 => format!("no config in {directory}: 1 entry left out"),
            number => format!("no config in {directory}: {number} entries left out"),
        },
        format!("check the path, or name a file directly to include it ({})", first.join("; ")),
    )
}

fn settings_unusable(path: &Path, problem: &str) -> Message {
    message(
        Exit::Malformed,
        format!("{} cannot be used: {problem}", shown(path)),
        "it looks like this: secrets = [\"/database/password\", \"**/token\"]",
    )
}

/// Returns the message for a file that cannot be written. `step` says what was tried.
fn cannot(step: &str, path: &Path, error: &Cause) -> Message {
    let next = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room and run it again; nothing was changed",
        io::ErrorKind::ReadOnlyFilesystem => "its file system is read-only; nothing was changed",
        io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let directory = format!("{}{}", shown(parent), relative_to(parent));
            let next = format!("check that the directory {directory} exists");
            return message(Exit::File, format!("cannot {step} {}: {error}", shown(path)), next);
        }
        _ => "nothing was changed there; check the permissions and the disk, then run it again",
    };
    message(Exit::File, format!("cannot {step} {}: {error}", shown(path)), next)
}

/// Why a file of another user, or a link of another user on the way to a file, is not used.
#[derive(Debug, Clone)]
pub(crate) enum Refused {
    File { owner: u32 },
    Link { link: PathBuf, owner: u32 },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { owner } => write!(f, "it belongs to another user (uid {owner})"),
            Self::Link { link, owner } => write!(f, "{} is a link of another user (uid {owner})", shown(link)),
        }
    }
}

impl Error for Refused {}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, refused)
    }
}

impl Refused {
    /// Returns the refusal inside an error, if there is one.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().cloned()
    }
}

/// What this program observed, or refused to do, where the system reported no error. It travels as an [`io::Error`], beside those of the
/// system.
#[derive(Debug)]
pub(crate) enum Observed {
    /// The file system gives the file this mode instead of the one that was set.
    OtherMode { mode: u32 },
    /// The file would be larger than a config may be.
    TooLarge { mebibytes: u64 },
    /// The process that removes secrets from memory after this one has ended did not start.
    SweeperFailed { status: ExitStatus },
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherMode { mode } => write!(f, "the file system makes it {mode:03o}"),
            Self::TooLarge { mebibytes } => write!(f, "it would be larger than {mebibytes} MiB"),
            Self::SweeperFailed { status } => write!(f, "the process that would remove it: {status}"),
        }
    }
}

impl Error for Observed {}

impl From<Observed> for io::Error {
    fn from(observed: Observed) -> Self {
        Self::other(observed)
    }
}

/// A step of writing a file. A message shows it between "cannot" and the file's name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    BackUp,
    Find,
    FindName,
    LookAt,
    Create,
    Write,
    WriteBeside,
    Publish,
    Replace,
    Sync,
    KeepBackupsIn,
    MakeBackupDirectory,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackUp => "back up",
            Self::Find => "find",
            Self::FindName => "find a name for",
            Self::LookAt => "inspect",
            Self::Create => "create",
            Self::Write => "write",
            Self::WriteBeside => "create a temporary file beside",
            Self::Publish => "finish writing",
            Self::Replace => "replace",
            Self::Sync => "sync",
            Self::KeepBackupsIn => "keep backups in",
            Self::MakeBackupDirectory => "create the directory for the backup of",
        })
    }
}

/// The purpose of a copy of a config.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CopyKind {
    Backup,
    EditedText,
}

impl fmt::Display for CopyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backup => "the backup of",
            Self::EditedText => "the edited text of",
        })
    }
}

/// A property of a file besides its content.
#[derive(Debug, Clone)]
pub(crate) enum Property {
    Owner,
    OwnerAndGroup { uid: u32, gid: u32 },
    Attributes,
    Attribute(OsString),
    Mode(u32),
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.write_str("owner"),
            Self::OwnerAndGroup { uid, gid } => write!(f, "owner and group ({uid}:{gid})"),
            Self::Attributes => f.write_str("attributes"),
            Self::Attribute(name) => write!(f, "attribute {}", shown(Path::new(name))),
            Self::Mode(mode) => write!(f, "mode {mode:03o}"),
        }
    }
}
