//! Writes files durably: a config in place of the old one, backups and copies, outputs, key files and log lines.
//!
//! A file is written without a name, synced, then published, and at last its directory is synced. Owner, mode and
//! extended attributes are set before the first byte is written, and never admit more users than before. If a step
//! fails, the previous file is still in place.
//!
//! A config is replaced by an atomic exchange with the new file, and then the old file is compared with what was read.
//! If another program has changed it meanwhile, the two are exchanged back. This check is needed because editors take
//! no lock.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Access, AtFlags, FlockOperation, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use super::durable::{sync, sync_directory, unsynced};
use super::file::digest;
use super::names::{BACKUP_MARK, EDITED_MARK, STAMP_LEN};
use super::temporary::{Replaced, Temporary, create_exclusively, mark_of};
use super::{Caveats, ConfigFile, open_dir, open_dir_in, owners, parent, stat_and_open};
use crate::error::{
    Cause, Caveat, CopyKind, Failure, FileFailure, KeyFailure, Observed, Property, Refused, Result, Step, UsageFailure,
};
use crate::interrupt;
use crate::platform::{self, attribute, attribute_names, create_nameless, link_nameless, set_attribute};

impl ConfigFile {
    /// Replaces the config's content durably, and keeps its owner, mode and attributes. Fails if the file has changed
    /// since it was read or has several hard links.
    pub(crate) fn replace(&self, pieces: &[&[u8]]) -> Result<Caveats> {
        self.check_replaceable()?;
        let failed = |step, error: io::Error| cannot_write(&self.config.path, step, error);
        let mut file = Temporary::create(&self.dir, &self.name).map_err(|error| failed(Step::Create, error))?;
        let mut caveats = self.hand_on_attributes(&file)?;
        file.write(pieces).map_err(|error| failed(Step::Write, error))?;
        self.refuse_changed()?;
        let was_read = |stat: &Stat, old: &File| self.is_what_was_read(stat, old);
        match file.put_over(&self.name, &self.stat, was_read).map_err(|error| failed(Step::Replace, error))? {
            Replaced::Done { old: Some(left) } => caveats.push(old_left(&self.config.path, &left)),
            Replaced::Done { old: None } => {}
            Replaced::Changed => return Err(self.changed()),
            Replaced::Displaced { save } => return Err(saved_while_replaced(&self.config.path, &save)),
        }
        caveats.extend(sync_directory(&self.dir, Some(&file.file), &self.config.path)?);
        Ok(caveats)
    }

    /// Returns every reason why replacing the config or writing its backup would fail. It tries each possible step on
    /// files without names, which vanish at once. If the file system does not support these, the files get names,
    /// unless `is_dry`.
    pub(crate) fn obstacles_to_replacing(&self, backup: &BackupPlace, is_dry: bool) -> Vec<Failure> {
        let mut obstacles = self.obstacles();
        if obstacles.is_empty() {
            obstacles.extend(self.rehearse(&self.dir, is_dry).err());
        }
        if let BackupPlace::Below(backup_dir) = backup {
            let failed = |error| obstacle(cannot_write(&self.config.path, Step::BackUp, error));
            match self.existing_below(backup_dir) {
                Ok(directory) => {
                    obstacles.extend(self.check_backup_name(&directory).err());
                    let tried = can_write_in(&directory).map_err(failed);
                    obstacles.extend(tried.and_then(|()| self.rehearse(&directory, is_dry)).err());
                }
                Err(error) => obstacles.push(failed(error)),
            }
        } else if let BackupPlace::Beside = backup {
            obstacles.extend(self.check_backup_name(&self.dir).err());
        }
        obstacles
    }

    /// Creates a file in `directory` with the owner, attributes and mode of the config, and removes it again.
    fn rehearse(&self, directory: &OwnedFd, is_dry: bool) -> Result<()> {
        let failed = |error: io::Error| obstacle(cannot_write(&self.config.path, Step::WriteBeside, error));
        if is_dry && !matches!(create_nameless(directory), Ok(Some(_))) {
            return Ok(());
        }
        let file = Temporary::create(directory, &self.name).map_err(failed)?;
        self.hand_on_attributes(&file).map(|_caveats| ()).map_err(obstacle)
    }

    /// Opens the directory below `backup_dir` for the config's backup, or the deepest directory of that path that
    /// exists.
    fn existing_below(&self, backup_dir: &Path) -> io::Result<OwnedFd> {
        let mut directory = open_dir(backup_dir)?;
        let (below, _) = self.config.backup_place()?;
        for component in below.components().filter(|component| component.as_os_str() != ".") {
            match open_dir_in(&directory, component.as_os_str().as_ref()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                opened => directory = opened?,
            }
        }
        Ok(directory)
    }

    /// Fails if the name of the config's backup would be too long for `directory`.
    fn check_backup_name(&self, directory: &OwnedFd) -> Result<()> {
        // As in `.backup.20261124_040929`.
        const MORE: usize = BACKUP_MARK.len() + STAMP_LEN;
        let max = rustix::fs::fstatvfs(directory).map_or(u64::MAX, |stat| stat.f_namemax);
        if (self.name.len() + MORE) as u64 > max {
            return Err(FileFailure::BackupNameTooLong { path: self.config.path.clone(), max }.into());
        }
        Ok(())
    }

    /// Reports whether `file` has the content that was read. It compares contents rather than identities, as the
    /// exchange changes the ctime and, on overlay file systems, the inode.
    fn is_what_was_read(&self, stat: &Stat, file: &File) -> bool {
        let same = |stat: &Stat| (stat.st_size, stat.st_mode, stat.st_uid, stat.st_gid);
        same(stat) == same(&self.stat) && digest(file).is_ok_and(|found| found == self.digest)
    }

    /// Writes an edited text to a new file `NAME.edited.STAMP` beside the config, with the config's owner and mode. It
    /// never overwrites a file. Returns the path.
    pub(crate) fn keep_edited(&self, stamp: &str, pieces: &[&[u8]]) -> Result<(PathBuf, Caveats)> {
        let (directory, beside) = self.here().map_err(|error| cannot_write(&self.config.path, Step::Find, error))?;
        self.write_copy(&directory, &beside, (EDITED_MARK, stamp), pieces, CopyKind::EditedText)
    }

    /// Writes a backup, `NAME.backup.STAMP`, with the config's owner and mode: beside the config, or below `backup_dir`
    /// under the config's real path. `bytes` is the content that was read. It never overwrites a file.
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

    /// Returns the config's directory, and its real path.
    fn here(&self) -> io::Result<(OwnedFd, PathBuf)> {
        let named = &self.config.path;
        // A named config may be a symlink to another directory.
        let is_link = named.symlink_metadata()?.is_symlink();
        let real = if is_link { named.canonicalize()? } else { named.clone() };
        Ok((self.dir.try_clone()?, real.with_file_name(&self.name)))
    }

    /// Writes `pieces` to a new file in `directory` with the config's owner and mode. Its name is the config's name,
    /// `mark`, the stamp and, if needed, a counter. `beside` is any path in that directory.
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

    /// Copies the config's owner, extended attributes (including ACLs) and mode to `file`. Attributes in the `user.`
    /// namespace are dropped if the file system does not support them. All others control access, so failing to copy
    /// one is an error.
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
            match set_attribute(&file.file, &name, &value) {
                Err(error @ Errno::OPNOTSUPP) if name.as_bytes().starts_with(b"user.") => {
                    let path = self.config.path.clone();
                    caveats.push(Caveat::AttributeLost { path, property: property(), error: error.into() });
                }
                set => set.map_err(|error| failed(property(), error.into()))?,
            }
        }
        // The mode comes last, because changing the owner clears the set-user-ID and set-group-ID bits.
        set_mode(&file.file, self.mode()).map_err(|error| failed(Property::Mode(self.mode()), error.into()))?;
        Ok(caveats)
    }
}

/// Sets a file's mode. Some file systems give the same mode to all files; it is accepted if it differs only in the
/// owner's execute bit.
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let set = rustix::fs::fchmod(file, platform::permissions(mode));
    if let Err(error) = set
        && !matches!(error, Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS)
    {
        return Err(error.into());
    }
    let now = platform::mode(&rustix::fs::fstat(file)?) & 0o7777;
    match set {
        _ if now & !0o100 == mode & !0o100 => Ok(()),
        Err(error) => Err(error.into()),
        // Some file systems ignore the call and report success.
        Ok(()) => Err(Observed::OtherMode { mode: now }.into()),
    }
}

/// Who may use a file that a command writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rights {
    mode: u32,
    /// The user and group, if they are not those of the user who runs the command.
    owner: Option<(u32, u32)>,
}

impl Rights {
    /// Only the user may read and write.
    pub(crate) const PRIVATE: Self = Self { mode: 0o600, owner: None };

    /// Returns rights for the user alone, with no more permissions than the owner of `config` has.
    pub(crate) fn of_owner(config: &ConfigFile) -> Self {
        Self { mode: config.mode() & 0o600, owner: None }
    }

    /// Returns the mode of `config`, limited by `mask`, and its owner and group.
    pub(crate) fn kept_from(config: &ConfigFile, mask: u32) -> Self {
        Self { mode: config.mode() & mask, owner: Some((config.stat.st_uid, config.stat.st_gid)) }
    }

    /// Returns the permission bits.
    pub(crate) fn mode(&self) -> u32 {
        self.mode
    }
}

/// Where a rotation keeps the backup of a config.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BackupPlace {
    Nowhere,
    Beside,
    /// In this directory, under the config's real path.
    Below(PathBuf),
}

impl BackupPlace {
    /// Returns the directory that the user named.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Nowhere | Self::Beside => None,
            Self::Below(directory) => Some(directory),
        }
    }
}

/// Marks a failure of a step that was only tried in advance.
fn obstacle(failure: Failure) -> Failure {
    Failure::Obstacle(Box::new(failure))
}

/// Fails if the user may not create files in a directory.
fn can_write_in(directory: &OwnedFd) -> io::Result<()> {
    Ok(rustix::fs::accessat(directory, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}

/// An output file: a new one, or with `force` a replacement of an existing file.
pub(crate) struct Output {
    path: PathBuf,
    dir: OwnedFd,
    name: OsString,
    /// The existing file that will be replaced.
    before: Option<Stat>,
}

impl Output {
    /// Checks `path` before any work is done, and remembers the existing file: a later change to it by another program
    /// is detected and kept.
    pub(crate) fn at(path: &Path, force: bool) -> Result<Self> {
        let failed = |step, error: io::Error| cannot_write(path, step, error);
        refuse_irregular(path)?;
        // With `force`, a symlink stays and its target is replaced.
        let real = match owners::resolve(path) {
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

    /// Writes `pieces` to the file, which gets `rights`, durably. The file gets its name only when its content is
    /// complete.
    pub(crate) fn write(self, rights: Rights, pieces: &[&[u8]]) -> Result<Caveats> {
        let failed = |step, error: io::Error| cannot_write(&self.path, step, error);
        let mut file = Temporary::create(&self.dir, &self.name).map_err(|error| failed(Step::Create, error))?;
        let made = rustix::fs::fstat(&file.file).map_err(|error| failed(Step::LookAt, error.into()))?;
        if let Some((uid, gid)) = rights.owner {
            // Only what differs: a user who may not give a file away may still give it to a group.
            let uid_to_set = (made.st_uid != uid).then(|| Uid::from_raw(uid));
            let gid_to_set = (made.st_gid != gid).then(|| Gid::from_raw(gid));
            rustix::fs::fchown(&file.file, uid_to_set, gid_to_set).map_err(|error| FileFailure::OwnerNotGiven {
                uid,
                gid,
                path: self.path.clone(),
                error: error.into(),
            })?;
        }
        let mode = rights.mode;
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
                Replaced::Done { old: Some(left) } => caveats.push(old_left(&self.path, &left)),
                Replaced::Done { old: None } => {}
                Replaced::Changed => return Err(FileFailure::Changed { path: self.path.clone() }.into()),
                Replaced::Displaced { save } => return Err(saved_while_replaced(&self.path, &save)),
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

/// Refuses an output path that is a device, a pipe or a dangling symlink. Other programs use these, and would find a
/// file with secrets in their place.
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

/// Fails for the path `-`. A user who writes it means stdout, and would get a file of that name.
fn refuse_dash(path: &Path, failure: UsageFailure) -> Result<()> {
    if path == Path::new("-") { Err(failure.into()) } else { Ok(()) }
}

/// Writes a key durably to a new file of mode 0600. It never overwrites a file.
///
/// The file contains the whole key or does not exist; on a system without nameless files it may also be empty. No
/// temporary file ever contains a key. `unsyncable` decides what to do if the file system cannot sync a directory.
pub(crate) fn create_key(path: &Path, text: &str, unsyncable: Unsyncable) -> Result<Caveats> {
    refuse_dash(path, UsageFailure::DashForKey)?;
    let failed = |step, error: io::Error| cannot_write(path, step, error);
    let (dir, name) = directory_of(path).map_err(|error| failed(Step::Create, error))?;
    let line = zeroize::Zeroizing::new(format!("{text}\n"));
    let created = match create_at_once(&dir, name, line.as_bytes()) {
        Ok(false) => create_by_name(&dir, name, line.as_bytes(), unsyncable == Unsyncable::Refuse),
        created => created.map(|_| ()),
    };
    created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFailure::Exists { path: path.to_owned() }.into(),
        _ => failed(Step::Write, error),
    })?;
    let error = match sync(&dir, None) {
        Ok(None) => return Ok(Caveats::new()),
        Ok(Some(error)) if unsyncable == Unsyncable::Tell => return Ok(vec![unsynced(error, path)]),
        Ok(Some(error)) | Err(error) => error,
    };
    remove_unused(&dir, name);
    Err(KeyFailure::NotLasting { path: path.to_owned(), error: error.into() }.into())
}

/// What to do if the file system cannot sync a directory, so that a new key file may vanish in a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsyncable {
    /// Fail: configs are about to be sealed under the key, and would be lost with it.
    Refuse,
    /// Warn: nothing is sealed under the key yet.
    Tell,
}

/// Writes a nameless file and then links it to its name. Returns false if the system does not support nameless files.
fn create_at_once(dir: &OwnedFd, name: &OsStr, bytes: &[u8]) -> io::Result<bool> {
    let Some(mut file) = create_nameless(dir)? else { return Ok(false) };
    file.write_all(bytes)?;
    file.sync_all()?;
    link_nameless(&file, dir, name)?;
    Ok(true)
}

/// Does the same under the final name, for systems without nameless files. On failure it removes the file. With
/// `may_be_empty`, the file may exist and be empty: a killed run left it, and it contains no key.
///
/// The lock separates two runs that create the same file: one must not remove the file that the other is about to
/// write.
fn create_by_name(dir: &OwnedFd, name: &OsStr, bytes: &[u8], may_be_empty: bool) -> io::Result<()> {
    let mut file = match create_exclusively(dir, name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && may_be_empty && remove_empty(dir, name)? => {
            create_exclusively(dir, name)?
        }
        created => created?,
    };
    // If files cannot be locked, `remove_empty` removes none.
    let _ = rustix::fs::flock(&file, FlockOperation::LockExclusive);
    file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| remove_unused(dir, name))?;
    let there = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if platform::id(&there) != platform::id(&rustix::fs::fstat(&file)?) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Ok(())
}

/// Removes a file if it is empty and no run is writing it. Returns whether it did.
fn remove_empty(dir: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    let Some((_, file)) = stat_and_open(dir, name) else { return Ok(false) };
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() || file.metadata()?.len() > 0 {
        return Ok(false);
    }
    rustix::fs::unlinkat(dir, name, AtFlags::empty())?;
    Ok(true)
}

/// Removes a key file under which nothing has been sealed yet.
fn remove_unused(dir: &OwnedFd, name: &OsStr) {
    // Best effort: an unused key does no harm.
    let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
}

/// Syncs an existing key file and its directory: a run that was killed may have written it without syncing. A pipe or a
/// read-only file system needs no sync.
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
        // A user who may not read the directory did not create the file either.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        dir => match sync(&dir.map_err(failed)?, None) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced.and_then(|unsynced| unsynced.map_or(Ok(()), Err)).map_err(failed),
        },
    }
}

/// Checks that backups can be written in `backup_dir`. Call this before anything is changed.
pub(crate) fn check_backup_dir(backup_dir: &Path) -> Result<()> {
    open_dir(backup_dir)
        .and_then(|dir| can_write_in(&dir))
        .map_err(|error| cannot_write(backup_dir, Step::KeepBackupsIn, error))
}

/// Checks that a new key file can be created at `path`. Call this before anything is changed.
pub(crate) fn check_creatable(path: &Path) -> Result<()> {
    refuse_dash(path, UsageFailure::DashForKey)?;
    let failed = |error: io::Error| cannot_write(path, Step::Create, error);
    let (dir, name) = directory_of(path).map_err(failed)?;
    let left_empty = |stat: &Stat| stat.st_size == 0 && matches!(create_nameless(&dir), Ok(None));
    if rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| !left_empty(&stat)) {
        return Err(KeyFailure::RotationKeyExists { path: path.to_owned() }.into());
    }
    can_write_in(&dir).map_err(failed)
}

/// Appends `line` durably, in one write. A new file gets mode 0600. If the last line is incomplete, because of a full
/// disk or a power failure, `line` begins on a new line. The directory is synced each time, because a killed run may
/// have created the file without syncing.
pub(crate) fn append_line(path: &Path, line: &str) -> io::Result<()> {
    owners::check_links(path)?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?);
    let meta = file.metadata()?;
    owners::check_owner(&file, path)?;
    let start = if ends_torn(path, &meta) { "\n" } else { "" };
    let bytes = format!("{start}{line}\n").into_bytes();
    match file.write(&bytes)? {
        len if len < bytes.len() => Err(io::ErrorKind::WriteZero.into()),
        // Pipes and terminals, such as /dev/stderr, cannot be synced.
        _ if !meta.is_file() => Ok(()),
        _ => file.sync_all().and_then(|()| sync_directory_of_log(path, &file)),
    }
}

/// Makes sure that the name of a log outlasts a power failure, where its file system can do that.
fn sync_directory_of_log(path: &Path, file: &File) -> io::Result<()> {
    // A link leads to the directory that has the name.
    let real = path.canonicalize()?;
    sync(&open_dir(parent(&real))?, Some(file)).map(|_cannot| ())
}

/// Reports whether the last line lacks its newline. Returns false if the file may only be appended to.
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

/// Creates the directories of `relative` below `root` with mode 0700, and opens the last one without following
/// symlinks.
///
/// An existing directory may come from a killed run, or from another thread that has not synced it yet. So each
/// directory's parent is synced once per process, under a lock.
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
            // Ignore a file system that cannot sync directories: the caller reports that when the backup is written.
            sync(&dir, None)?;
            durable.insert(path.clone());
        }
        dir = open_dir_in(&dir, component.as_os_str().as_ref())?;
    }
    Ok(dir)
}

/// Returns the caveat for a replaced file that is still there under another name.
fn old_left(path: &Path, left: &OsStr) -> Caveat {
    Caveat::OldLeft { path: path.to_owned(), left: parent(path).join(left) }
}

/// Returns the failure for a config that another program saved during the exchange. The saved version is now called
/// `save`.
fn saved_while_replaced(path: &Path, save: &OsStr) -> Failure {
    FileFailure::SavedWhileReplaced { path: path.to_owned(), save: parent(path).join(save) }.into()
}

fn cannot_write(path: &Path, step: Step, error: io::Error) -> Failure {
    let path = path.to_owned();
    match Refused::of(&error) {
        Some(refused) => FileFailure::NotUsed { path, refused }.into(),
        None => FileFailure::CannotWrite { step, path, error: error.into() }.into(),
    }
}
