//! How a file comes to be, or to be another: written under a temporary name, synced, renamed, the directory synced.
//! Owner, mode and extended attributes are right before the first byte is written, and never wider than before.
//! If a step fails, what was there before is there still, and the temporary file is gone.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Access, AtFlags, Gid, Mode, OFlags, RenameFlags, Uid, XattrFlags};
use rustix::io::Errno;

use super::names::{BACKUP_MARK, TEMPORARY_END, TEMPORARY_MARK, random_digits, shortened};
use super::{ConfigFile, MAX_CONFIG, open_dir, open_dir_in, parent};
use crate::error::{Exit, Failure, Result};
use crate::quote::{quoted_path, shown};

const KEY_TO_STDOUT: &str = "name a file; only `fernseal keygen --print` writes a key to stdout";

impl ConfigFile {
    /// Puts `pieces` in the place of the config's content, durably, with its owner, mode and attributes kept.
    /// Refused if the file changed since it was read, or has other names (hard links).
    pub(crate) fn replace(&self, pieces: &[&[u8]]) -> Result<()> {
        self.check_replaceable()?;
        let failed = |step: &str, error: io::Error| cannot_write(&self.config.path, step, &error);
        let mut file = Temporary::create(&self.dir, &self.name).map_err(|error| failed("create", error))?;
        self.hand_on_attributes(&file).map_err(|error| failed("keep the owner, mode or attributes of", error))?;
        file.write(pieces).map_err(|error| failed("write", error))?;
        self.refuse_changed()?;
        file.rename_over(&self.name).map_err(|error| failed("replace", error))?;
        sync_directory(&self.dir, &self.config.path)
    }

    /// Writes `bytes`, which were read from the config, to `NAME.backup.STAMP` with the config's owner and mode:
    /// beside it, or below `backup_dir` under its real path. Never over a file that exists.
    pub(crate) fn back_up(&self, bytes: &[u8], stamp: &str, backup_dir: Option<&Path>) -> Result<PathBuf> {
        let failed = |step: &str, error: io::Error| cannot_write(&self.config.path, step, &error);
        let below = |backups: &Path| {
            let (relative, name) = self.config.backup_place()?;
            Ok((make_directories(backups, &relative)?, backups.join(relative).join(name)))
        };
        let here = || -> io::Result<_> {
            let named = &self.config.path;
            // A link that was named leads to another place.
            let is_link = named.symlink_metadata()?.is_symlink();
            let real = if is_link { named.canonicalize()? } else { named.clone() };
            Ok((self.dir.try_clone()?, real.with_file_name(&self.name)))
        };
        let place = backup_dir.map_or_else(here, below);
        let (directory, beside) = place.map_err(|error| failed("make the directory of the backup of", error))?;
        for attempt in 1.. {
            let mut name = self.name.clone();
            name.push(OsStr::from_bytes(BACKUP_MARK));
            name.push(stamp);
            if attempt > 1 {
                name.push(format!("_{attempt}"));
            }
            let mut file =
                Temporary::create(&directory, &name).map_err(|error| failed("create the backup of", error))?;
            self.hand_on_attributes(&file).map_err(|error| failed("keep the owner or mode in the backup of", error))?;
            file.write(&[bytes]).map_err(|error| failed("write the backup of", error))?;
            match file.rename_to_new(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                renamed => {
                    renamed.map_err(|error| failed("publish the backup of", error))?;
                    let path = beside.with_file_name(&name);
                    sync_directory(&directory, &path)?;
                    return Ok(path);
                }
            }
        }
        Err(failed("find a name for the backup of", io::ErrorKind::AlreadyExists.into()))
    }

    /// Gives `file` the config's owner, extended attributes (access control lists among them) and mode.
    fn hand_on_attributes(&self, file: &Temporary<'_>) -> io::Result<()> {
        let made = rustix::fs::fstat(&file.file)?;
        if (made.st_uid, made.st_gid) != (self.stat.st_uid, self.stat.st_gid) {
            let (uid, gid) = (Uid::from_raw(self.stat.st_uid), Gid::from_raw(self.stat.st_gid));
            rustix::fs::fchown(&file.file, Some(uid), Some(gid))?;
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let old = rustix::fs::openat(&self.dir, &self.name, flags, Mode::empty())?;
        for name in attribute_names(&old)? {
            let value = attribute(&old, &name)?;
            if attribute(&file.file, &name).ok() != Some(value.clone()) {
                rustix::fs::fsetxattr(&file.file, &*name, &value, XattrFlags::empty())?;
            }
        }
        // Last: a change of owner clears bits of the mode.
        Ok(rustix::fs::fchmod(&file.file, Mode::from_raw_mode(self.mode()))?)
    }
}

/// Writes `pieces` to a new file of `mode`, durably; over an existing one only with `force`.
pub(crate) fn create(path: &Path, mode: u32, pieces: &[&[u8]], force: bool) -> Result<()> {
    let failed = |step: &str, error: io::Error| cannot_write(path, step, &error);
    refuse_irregular(path)?;
    // With force, a link stays and what it leads to is replaced.
    let real = match path.canonicalize() {
        Ok(real) if force => real,
        Err(error) if force && error.kind() != io::ErrorKind::NotFound => return Err(failed("find", error)),
        _ => path.to_owned(),
    };
    let (dir, name) = directory_of(&real).map_err(|error| failed("create", error))?;
    if !force && rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(exists(path));
    }
    let mut file = Temporary::create(&dir, name).map_err(|error| failed("create", error))?;
    rustix::fs::fchmod(&file.file, Mode::from_raw_mode(mode))
        .map_err(|error| failed("set the mode of", error.into()))?;
    file.write(pieces).map_err(|error| failed("write", error))?;
    let renamed = if force { file.rename_over(name) } else { file.rename_to_new(name) };
    renamed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => failed("publish", error),
    })?;
    sync_directory(&dir, path)
}

/// An output is a new file or a regular one. What else stands there, a device, a pipe or a link to nothing, is used by
/// others, who would find a file with secrets in its place.
fn refuse_irregular(path: &Path) -> Result<()> {
    let next = "name a new file or a regular one; `fernseal decrypt` without -o writes to stdout";
    refuse_dash(path, next)?;
    let irregular = |what| Err(Failure::new(Exit::File, format!("{} {what}", shown(path)), next));
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let failed = |error: io::Error| Err(cannot_write(path, "look at", &error));
    match path.metadata() {
        Ok(meta) if !meta.is_file() => irregular("is not a regular file"),
        Ok(_) => Ok(()),
        Err(error) if !is_missing(&error) && error.raw_os_error() != Some(Errno::LOOP.raw_os_error()) => failed(error),
        Err(_) => match path.symlink_metadata() {
            Ok(_) => irregular("is a link that leads to no file"),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => failed(error),
        },
    }
}

/// Whoever writes `-` means stdout, and would leave a file of that name behind.
fn refuse_dash(path: &Path, next: &str) -> Result<()> {
    if path == Path::new("-") {
        return Err(Failure::new(Exit::Usage, "- is no name for a file (./- is)", next));
    }
    Ok(())
}

/// Writes a key to a new file of mode 0600, durably, never over an existing one.
/// The file is there with the whole key in it, or it is not there: no temporary file ever holds a key.
pub(crate) fn create_key(path: &Path, text: &str) -> Result<()> {
    refuse_dash(path, KEY_TO_STDOUT)?;
    let failed = |step: &str, error: io::Error| cannot_write(path, step, &error);
    let (dir, name) = directory_of(path).map_err(|error| failed("create", error))?;
    let line = zeroize::Zeroizing::new(format!("{text}\n"));
    let created = match create_at_once(&dir, name, line.as_bytes()) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {
            create_by_name(&dir, name, line.as_bytes())
        }
        created => created.map_err(io::Error::from),
    };
    created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => key_exists(path),
        _ => failed("write", error),
    })?;
    rustix::fs::fsync(&dir).map_err(|error| {
        remove_unused(&dir, name);
        failed("sync the directory of", error.into())
    })
}

/// Writes a file that has no name yet, and gives it one when all is in it.
fn create_at_once(dir: &OwnedFd, name: &OsStr, bytes: &[u8]) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(dir, ".", flags, Mode::from_raw_mode(0o600))?);
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let own_name = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(rustix::fs::CWD, own_name, dir, name, AtFlags::SYMLINK_FOLLOW)
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
    let failed = |error: io::Error| cannot_write(path, "sync", &error);
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
        dir => rustix::fs::fsync(&dir.map_err(failed)?).map_err(|error| failed(error.into())),
    }
}

/// Whether backups can be made in `backup_dir`; asked before anything is changed.
pub(crate) fn check_backup_dir(backup_dir: &Path) -> Result<()> {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    open_dir(backup_dir)
        .and_then(|dir| Ok(rustix::fs::accessat(&dir, ".", access, AtFlags::EACCESS)?))
        .map_err(|error| cannot_write(backup_dir, "keep backups in", &error))
}

/// Whether a new key can be written to `path`; asked before anything is changed.
pub(crate) fn check_creatable(path: &Path) -> Result<()> {
    refuse_dash(path, KEY_TO_STDOUT)?;
    let failed = |error: io::Error| cannot_write(path, "create", &error);
    let (dir, name) = directory_of(path).map_err(failed)?;
    if rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        let next = format!(
            "it may hold the key of a rotation that did not finish: finish that with --new-key-file {}; \
             or name another file",
            quoted_path(path)
        );
        return Err(Failure { next, ..key_exists(path) });
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

/// A file under a temporary name; removed when dropped, unless it was renamed.
struct Temporary<'d> {
    dir: &'d OwnedFd,
    name: OsString,
    file: File,
    renamed: bool,
}

impl<'d> Temporary<'d> {
    /// Mode 0600 from the first byte.
    fn create(dir: &'d OwnedFd, target: &OsStr) -> io::Result<Self> {
        let mut name = OsString::from(".");
        name.push(OsStr::from_bytes(shortened(target)));
        name.push(format!("{TEMPORARY_MARK}{}{TEMPORARY_END}", random_digits()?));
        let file = create_exclusively(dir, &name)?;
        Ok(Self { dir, name, file, renamed: false })
    }

    /// Writes and syncs; not what would be too large to be read again.
    fn write(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        if pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() > MAX_CONFIG {
            return Err(io::Error::other("it would be larger than 64 MiB"));
        }
        let mut out = BufWriter::with_capacity(1 << 16, &self.file);
        pieces.iter().try_for_each(|piece| out.write_all(piece))?;
        out.flush()?;
        drop(out);
        self.file.sync_all()
    }

    fn rename_over(mut self, target: &OsStr) -> io::Result<()> {
        rustix::fs::renameat(self.dir, &self.name, self.dir, target)?;
        self.renamed = true;
        Ok(())
    }

    /// Fails if `target` exists.
    fn rename_to_new(mut self, target: &OsStr) -> io::Result<()> {
        match rustix::fs::renameat_with(self.dir, &self.name, self.dir, target, RenameFlags::NOREPLACE) {
            // A file system that does not know the flag: a second name fails too if there is one already.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(self.dir, &self.name, self.dir, target, AtFlags::empty())?;
                rustix::fs::unlinkat(self.dir, &self.name, AtFlags::empty())?;
            }
            renamed => renamed?,
        }
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.renamed {
            // If even this fails, the next rotation removes it.
            let _ = rustix::fs::unlinkat(self.dir, &self.name, AtFlags::empty());
        }
    }
}

/// A new file of mode 0600, whatever the umask.
fn create_exclusively(dir: &OwnedFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))?;
    Ok(File::from(file))
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
            rustix::fs::fsync(&dir)?;
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

pub(super) fn sync_directory(dir: &OwnedFd, path: &Path) -> Result<()> {
    rustix::fs::fsync(dir).map_err(|error| {
        let error = io::Error::from(error);
        let what = format!("{} is written, but its directory cannot be synced: {error}", shown(path));
        Failure::new(Exit::File, what, "it is there now; whether it outlasts a power failure is not known")
    })
}

fn cannot_write(path: &Path, step: &str, error: &io::Error) -> Failure {
    let next = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room and run it again; nothing was changed",
        io::ErrorKind::ReadOnlyFilesystem => "its file system is read-only; nothing was changed",
        io::ErrorKind::NotFound => "check that the directory exists",
        _ => "nothing was changed there; check the permissions and the disk, then run it again",
    };
    Failure::new(Exit::File, format!("cannot {step} {}: {error}", shown(path)), next)
}

fn key_exists(path: &Path) -> Failure {
    let next = "name another file; what is there may be a key in use";
    Failure::new(Exit::File, format!("{} exists already", shown(path)), next)
}

fn exists(path: &Path) -> Failure {
    let next = "name another file, or remove that one (--force overwrites, where a command has it)";
    Failure::new(Exit::File, format!("{} exists already", shown(path)), next)
}
