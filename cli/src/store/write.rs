//! How a file comes to be, or to be another: written without a name, synced, put in its place, the directory synced.
//! Owner, mode and extended attributes are right before the first byte is written, and never wider than before.
//! If a step fails, what was there before is there still.
//!
//! A file that is replaced changes places with the new one, in one system call, and is looked at then: if it is not what
//! was read, another program has saved it meanwhile, and the two change back. Editors take no lock; this finds them out.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Access, AtFlags, Gid, Mode, OFlags, Stat, Uid, XattrFlags};
use rustix::io::Errno;

use super::durable::{sync, sync_directory, unsynced};
use super::file::digest;
use super::names::BACKUP_MARK;
use super::temporary::{Replaced, Temporary, create_exclusively, create_nameless, link_nameless, mark_of};
use super::{Caveats, ConfigFile, open_dir, open_dir_in, parent};
use crate::error::{Cause, CopyKind, Failure, FileFailure, KeyFailure, Property, Result, Step, UsageFailure};
use crate::interrupt;
use crate::quote::shown;

impl ConfigFile {
    /// Puts `pieces` in the place of the config's content, durably, with its owner, mode and attributes kept.
    /// Refused if the file changed since it was read, or has other names (hard links).
    pub(crate) fn replace(&self, pieces: &[&[u8]]) -> Result<Caveats> {
        self.check_replaceable()?;
        let failed = |step, error: io::Error| cannot_write(&self.config.path, step, error);
        let mut file = Temporary::create(&self.dir, &self.name).map_err(|error| failed(Step::Create, error))?;
        let mut caveats = self.hand_on_attributes(&file)?;
        file.write(pieces).map_err(|error| failed(Step::Write, error))?;
        self.refuse_changed()?;
        let was_read = |stat: &Stat, old: &File| self.is_what_was_read(stat, old);
        match file.put_over(&self.name, &self.stat, was_read).map_err(|error| failed(Step::Replace, error))? {
            Replaced::Done { old: Some(left) } => caveats.push(left_behind(&self.config.path, &left)),
            Replaced::Done { old: None } => {}
            Replaced::Changed => return Err(self.changed()),
            Replaced::Torn { save } => return Err(saved_while_replaced(&self.config.path, &save)),
        }
        caveats.extend(sync_directory(&self.dir, Some(&file.file), &self.config.path)?);
        Ok(caveats)
    }

    /// Whether a file is what was read: its content decides, as the exchange of names changes the time of the last change,
    /// and on a file system of layers the inode.
    fn is_what_was_read(&self, stat: &Stat, file: &File) -> bool {
        let same = |stat: &Stat| (stat.st_size, stat.st_mode, stat.st_uid, stat.st_gid);
        same(stat) == same(&self.stat) && digest(file).is_ok_and(|found| found == self.digest)
    }

    /// Writes `pieces` to a new file `NAME.MARK.STAMP` beside the config, with its owner and mode; never over a file that
    /// exists. Returns its path.
    pub(crate) fn write_beside(&self, mark: &str, stamp: &str, pieces: &[&[u8]]) -> Result<(PathBuf, Caveats)> {
        let (directory, beside) = self.here().map_err(|error| cannot_write(&self.config.path, Step::Find, error))?;
        let mark = format!(".{mark}.");
        self.write_copy(&directory, &beside, (&mark, stamp), pieces, CopyKind::EditedText)
    }

    /// Writes `bytes`, which were read from the config, to `NAME.backup.STAMP` with the config's owner and mode:
    /// beside it, or below `backup_dir` under its real path. Never over a file that exists.
    pub(crate) fn back_up(&self, bytes: &[u8], stamp: &str, backup_dir: Option<&Path>) -> Result<(PathBuf, Caveats)> {
        let below = |backups: &Path| {
            let (relative, name) = self.config.backup_place()?;
            Ok((make_directories(backups, &relative)?, backups.join(relative).join(name)))
        };
        let place = backup_dir.map_or_else(|| self.here(), below);
        let (directory, beside) =
            place.map_err(|error| cannot_write(&self.config.path, Step::MakeBackupDirectory, error))?;
        self.write_copy(&directory, &beside, (BACKUP_MARK, stamp), &[bytes], CopyKind::Backup)
    }

    /// The config's directory, and its real path there.
    fn here(&self) -> io::Result<(OwnedFd, PathBuf)> {
        let named = &self.config.path;
        // A link that was named leads to another place.
        let is_link = named.symlink_metadata()?.is_symlink();
        let real = if is_link { named.canonicalize()? } else { named.clone() };
        Ok((self.dir.try_clone()?, real.with_file_name(&self.name)))
    }

    /// Writes `pieces` to a file of the config's owner and mode in `directory`, called as the config with `mark` and a stamp
    /// behind. `beside` is a path in that directory.
    fn write_copy(
        &self,
        directory: &OwnedFd,
        beside: &Path,
        (mark, stamp): (&str, &str),
        pieces: &[&[u8]],
        copy: CopyKind,
    ) -> Result<(PathBuf, Caveats)> {
        let failed = |step, error: io::Error| FileFailure::CannotCopy {
            step,
            copy,
            path: self.config.path.clone(),
            error: error.into(),
        };
        let mut file = Temporary::create(directory, &self.name).map_err(|error| failed(Step::Create, error))?;
        let mut caveats = self.hand_on_attributes(&file)?;
        file.write(pieces).map_err(|error| failed(Step::Write, error))?;
        for attempt in 1.. {
            let mut name = self.name.clone();
            name.push(mark);
            name.push(stamp);
            if attempt > 1 {
                name.push(format!("_{attempt}"));
            }
            match file.put_new(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                put => {
                    put.map_err(|error| failed(Step::Publish, error))?;
                    let path = beside.with_file_name(&name);
                    caveats.extend(sync_directory(directory, Some(&file.file), &path)?);
                    return Ok((path, caveats));
                }
            }
        }
        Err(failed(Step::FindName, io::ErrorKind::AlreadyExists.into()).into())
    }

    /// Gives `file` the config's owner, extended attributes (access control lists among them) and mode. Attributes of the
    /// user's own (`user.…`) are left out where the file system does not know them; all others say who may do what.
    fn hand_on_attributes(&self, file: &Temporary<'_>) -> Result<Caveats> {
        let failed =
            |property, error: Cause| FileFailure::CannotKeep { property, path: self.config.path.clone(), error };
        let mut caveats = Caveats::new();
        let made = rustix::fs::fstat(&file.file).map_err(|error| failed(Property::Owner, error.into()))?;
        if (made.st_uid, made.st_gid) != (self.stat.st_uid, self.stat.st_gid) {
            let (uid, gid) = (Uid::from_raw(self.stat.st_uid), Gid::from_raw(self.stat.st_gid));
            rustix::fs::fchown(&file.file, Some(uid), Some(gid)).map_err(|error| {
                failed(Property::OwnerAndGroup { uid: uid.as_raw(), gid: gid.as_raw() }, error.into())
            })?;
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let old = rustix::fs::openat(&self.dir, &self.name, flags, Mode::empty())
            .map_err(|error| failed(Property::Attributes, error.into()))?;
        for name in attribute_names(&old).map_err(|error| failed(Property::Attributes, error.into()))? {
            let property = || Property::Attribute(name.clone());
            let value = attribute(&old, &name).map_err(|error| failed(property(), error.into()))?;
            if attribute(&file.file, &name).ok() == Some(value.clone()) {
                continue;
            }
            match rustix::fs::fsetxattr(&file.file, &*name, &value, XattrFlags::empty()) {
                Err(error @ Errno::OPNOTSUPP) if name.as_bytes().starts_with(b"user.") => {
                    let path = shown(&self.config.path);
                    caveats.push(format!("{path} has lost its {}: {}", property(), io::Error::from(error)));
                }
                set => set.map_err(|error| failed(property(), error.into()))?,
            }
        }
        // Last: a change of owner clears bits of the mode.
        set_mode(&file.file, self.mode()).map_err(|error| failed(Property::Mode(self.mode()), error.into()))?;
        Ok(caveats)
    }
}

/// Gives a file its mode. Where a file system keeps no modes, the one that all its files have will do if it is the same
/// but for the owner's right to execute.
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let set = rustix::fs::fchmod(file, Mode::from_raw_mode(mode));
    if let Err(error) = set
        && !matches!(error, Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS)
    {
        return Err(error.into());
    }
    let now = rustix::fs::fstat(file)?.st_mode & 0o7777;
    match set {
        _ if now & !0o100 == mode & !0o100 => Ok(()),
        Err(error) => Err(error.into()),
        // Not every file system says that it has done nothing.
        Ok(()) => Err(io::Error::other(format!("the file system makes it {now:03o}"))),
    }
}

/// A file that a command will write: a new one, or with force one in the place of what is there.
pub(crate) struct Output {
    path: PathBuf,
    dir: OwnedFd,
    name: OsString,
    /// What is there and will be replaced.
    before: Option<Stat>,
}

impl Output {
    /// Looks at what is at `path`; asked before anything is worked out. What is saved there from now on survives.
    pub(crate) fn at(path: &Path, force: bool) -> Result<Self> {
        let failed = |step, error: io::Error| cannot_write(path, step, error);
        refuse_irregular(path)?;
        // With force, a link stays and what it leads to is replaced.
        let real = match path.canonicalize() {
            Ok(real) if force => real,
            Err(error) if force && error.kind() != io::ErrorKind::NotFound => return Err(failed(Step::Find, error)),
            _ => path.to_owned(),
        };
        let (dir, name) = directory_of(&real).map_err(|error| failed(Step::Create, error))?;
        let before = match rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) if !force => return Err(FileFailure::OutputExists { path: path.to_owned() }.into()),
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(failed(Step::LookAt, error.into())),
        };
        let name = name.to_owned();
        Ok(Self { path: path.to_owned(), dir, name, before })
    }

    /// Writes `pieces` to the file, which gets `mode`, durably. The file has no name before all is in it.
    pub(crate) fn write(self, mode: u32, pieces: &[&[u8]]) -> Result<Caveats> {
        let failed = |step, error: io::Error| cannot_write(&self.path, step, error);
        let mut file = Temporary::create(&self.dir, &self.name).map_err(|error| failed(Step::Create, error))?;
        set_mode(&file.file, mode).map_err(|error| FileFailure::ModeNotKept {
            mode,
            path: self.path.clone(),
            error: error.into(),
        })?;
        file.write(pieces).map_err(|error| failed(Step::Write, error))?;
        interrupt::stop_if_requested()?;
        let mut caveats = Caveats::new();
        if let Some(before) = &self.before {
            let is_before = |stat: &Stat, _: &File| mark_of(stat) == mark_of(before);
            match file.put_over(&self.name, before, is_before).map_err(|error| failed(Step::Replace, error))? {
                Replaced::Done { old: Some(left) } => caveats.push(left_behind(&self.path, &left)),
                Replaced::Done { old: None } => {}
                Replaced::Changed => return Err(FileFailure::Changed { path: self.path.clone() }.into()),
                Replaced::Torn { save } => return Err(saved_while_replaced(&self.path, &save)),
            }
        } else {
            file.put_new(&self.name).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => FileFailure::OutputExists { path: self.path.clone() }.into(),
                _ => failed(Step::Publish, error),
            })?;
        }
        caveats.extend(sync_directory(&self.dir, Some(&file.file), &self.path)?);
        Ok(caveats)
    }
}

/// An output is a new file or a regular one. What else stands there, a device, a pipe or a link to nothing, is used by
/// others, who would find a file with secrets in its place.
fn refuse_irregular(path: &Path) -> Result<()> {
    refuse_dash(path, UsageFailure::DashForOutput)?;
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let failed = |error: io::Error| Err(cannot_write(path, Step::LookAt, error));
    match path.metadata() {
        Ok(meta) if !meta.is_file() => Err(FileFailure::OutputNotRegular { path: path.to_owned() }.into()),
        Ok(_) => Ok(()),
        Err(error) if !is_missing(&error) && error.raw_os_error() != Some(Errno::LOOP.raw_os_error()) => failed(error),
        Err(_) => match path.symlink_metadata() {
            Ok(_) => Err(FileFailure::OutputLeadsNowhere { path: path.to_owned() }.into()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => failed(error),
        },
    }
}

/// Whoever writes `-` means stdout, and would leave a file of that name behind.
fn refuse_dash(path: &Path, failure: UsageFailure) -> Result<()> {
    if path == Path::new("-") { Err(failure.into()) } else { Ok(()) }
}

/// Writes a key to a new file of mode 0600, durably, never over an existing one.
/// The file is there with the whole key in it, or it is not there: no temporary file ever holds a key.
/// `unsyncable` says what to do where the file system cannot sync a directory.
pub(crate) fn create_key(path: &Path, text: &str, unsyncable: Unsyncable) -> Result<Caveats> {
    refuse_dash(path, UsageFailure::DashForKey)?;
    let failed = |step, error: io::Error| cannot_write(path, step, error);
    let (dir, name) = directory_of(path).map_err(|error| failed(Step::Create, error))?;
    let line = zeroize::Zeroizing::new(format!("{text}\n"));
    let created = match create_at_once(&dir, name, line.as_bytes()) {
        Ok(false) => create_by_name(&dir, name, line.as_bytes()),
        created => created.map(|_| ()),
    };
    created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFailure::Exists { path: path.to_owned() }.into(),
        _ => failed(Step::Write, error),
    })?;
    let error = match sync(&dir, None) {
        Ok(None) => return Ok(Caveats::new()),
        Ok(Some(error)) if unsyncable == Unsyncable::Tell => return Ok(vec![unsynced(&error, path)]),
        Ok(Some(error)) | Err(error) => error,
    };
    remove_unused(&dir, name);
    Err(KeyFailure::NotLasting { path: path.to_owned(), error: error.into() }.into())
}

/// What to do where a file system cannot sync a directory, so that a new file may be gone after a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsyncable {
    /// Refuse: configs will be under the key at once, and would be lost with it.
    Refuse,
    /// Say so: nothing is under the key yet.
    Tell,
}

/// Writes a file that has no name yet, and gives it one when all is in it. False, where such files are not known.
fn create_at_once(dir: &OwnedFd, name: &OsStr, bytes: &[u8]) -> io::Result<bool> {
    let Some(mut file) = create_nameless(dir)? else { return Ok(false) };
    file.write_all(bytes)?;
    file.sync_all()?;
    link_nameless(&file, dir, name)?;
    Ok(true)
}

/// The same where a file system or the system knows no files without a name.
fn create_by_name(dir: &OwnedFd, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_exclusively(dir, name)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| remove_unused(dir, name))
}

/// Removes a key that nothing was sealed with yet.
fn remove_unused(dir: &OwnedFd, name: &OsStr) {
    // If even this fails, the key is in nobody's way.
    let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
}

/// Makes sure that a key file which is there already outlasts a power failure: a run that was killed may have
/// written it and not more. A pipe or a file system that is never written to needs nothing.
pub(crate) fn make_durable(path: &Path) -> Result<()> {
    let failed = |error: io::Error| cannot_write(path, Step::Sync, error);
    if !path.metadata().map_err(failed)?.is_file() {
        return Ok(());
    }
    let real = path.canonicalize().map_err(failed)?;
    match File::open(&real).map_err(failed)?.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {}
        synced => synced.map_err(failed)?,
    }
    match open_dir(parent(&real)) {
        // Whoever may not read the directory did not make the file either.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        dir => match sync(&dir.map_err(failed)?, None) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced.and_then(|unsynced| unsynced.map_or(Ok(()), Err)).map_err(failed),
        },
    }
}

/// Whether backups can be made in `backup_dir`; asked before anything is changed.
pub(crate) fn check_backup_dir(backup_dir: &Path) -> Result<()> {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    open_dir(backup_dir)
        .and_then(|dir| Ok(rustix::fs::accessat(&dir, ".", access, AtFlags::EACCESS)?))
        .map_err(|error| cannot_write(backup_dir, Step::KeepBackupsIn, error))
}

/// Whether a new key can be written to `path`; asked before anything is changed.
pub(crate) fn check_creatable(path: &Path) -> Result<()> {
    refuse_dash(path, UsageFailure::DashForKey)?;
    let failed = |error: io::Error| cannot_write(path, Step::Create, error);
    let (dir, name) = directory_of(path).map_err(failed)?;
    if rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(KeyFailure::RotationKeyExists { path: path.to_owned() }.into());
    }
    rustix::fs::accessat(&dir, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|error| failed(error.into()))
}

/// Appends `line` in one write, durably; a file that is made for it has mode 0600. Behind a line that was torn, by a full
/// disk or the power, it begins anew.
pub(crate) fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?);
    let meta = file.metadata()?;
    let start = if ends_torn(path, &meta) { "\n" } else { "" };
    let bytes = format!("{start}{line}\n").into_bytes();
    match file.write(&bytes)? {
        len if len < bytes.len() => Err(io::ErrorKind::WriteZero.into()),
        // A pipe or a terminal, as behind /dev/stderr, cannot be synced.
        _ if !meta.is_file() => Ok(()),
        _ => file.sync_all(),
    }
}

/// Whether the last line of a file has no end. Whoever may only append to it is not told.
fn ends_torn(path: &Path, meta: &Metadata) -> bool {
    let mut last = [b'\n'];
    if meta.is_file() && meta.len() > 0 {
        let _ = File::open(path).and_then(|file| file.read_exact_at(&mut last, meta.len() - 1));
    }
    last != [b'\n']
}

fn directory_of(path: &Path) -> io::Result<(OwnedFd, &OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    Ok((open_dir(parent(path))?, name))
}

/// Makes the directories of `relative` below `root`, for the user alone, and opens the last; follows no link.
/// What is there already may be of a run that was killed, or of a thread that has not synced it yet: each is made durable
/// once, one thread after the other.
fn make_directories(root: &Path, relative: &Path) -> io::Result<OwnedFd> {
    static DURABLE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut durable = DURABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut dir, mut path) = (open_dir(root)?, root.to_owned());
    for component in relative.components().filter(|component| component.as_os_str() != ".") {
        path.push(component);
        match rustix::fs::mkdirat(&dir, component.as_os_str(), Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        if !durable.contains(&path) {
            // A file system that cannot sync directories is told of when the backup is there.
            sync(&dir, None)?;
            durable.insert(path.clone());
        }
        dir = open_dir_in(&dir, component.as_os_str().as_ref())?;
    }
    Ok(dir)
}

fn attribute_names(file: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut buf = vec![0_u8; 1 << 16];
    match rustix::fs::flistxattr(file, &mut buf) {
        Ok(len) => {
            let names = buf.get(..len).unwrap_or_default().split(|byte| *byte == 0);
            Ok(names.filter(|name| !name.is_empty()).map(|name| OsStr::from_bytes(name).to_owned()).collect())
        }
        Err(Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn attribute(file: impl AsFd, name: &OsStr) -> io::Result<Vec<u8>> {
    let mut value = vec![0_u8; 1 << 16];
    let len = rustix::fs::fgetxattr(file, name, &mut value)?;
    value.truncate(len);
    Ok(value)
}

/// A file that was replaced, and is still there under another name.
fn left_behind(path: &Path, left: &OsStr) -> String {
    let left = parent(path).join(left);
    format!("the old content of {} cannot be removed: remove {} by hand", shown(path), shown(&left))
}

/// Another program saved the file at `path` while it was replaced, and the save, called `save`, could not be put back.
fn saved_while_replaced(path: &Path, save: &OsStr) -> Failure {
    FileFailure::SavedWhileReplaced { path: path.to_owned(), save: parent(path).join(save) }.into()
}

fn cannot_write(path: &Path, step: Step, error: io::Error) -> Failure {
    FileFailure::CannotWrite { step, path: path.to_owned(), error: error.into() }.into()
}
