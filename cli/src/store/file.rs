//! A config's location, and a config that was read.
//!
//! Reading keeps the directory open and remembers size, times and inode, so that a later write can detect a change by
//! another program. `write` replaces files.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::tree::Tree;
use super::{Caveats, MAX_CONFIG, durable, open_dir, owners, parent, stat_and_open};
use crate::env::{CONFIG, variable};
use crate::error::{Cause, Failure, FileFailure, Result, UsageFailure};
use crate::platform::{self, names_descriptor};

/// The longest pause before a config that changed during reading is read again. All pauses together take about twice as
/// long.
const MAX_PAUSE: Duration = Duration::from_millis(256);

/// The location of a config that is not open yet.
#[derive(Debug, Clone)]
pub(crate) struct ConfigPath {
    /// The path in the form in which the user would write it.
    pub(crate) path: PathBuf,
    /// The directory that the user named, if the config was found below one. From there on, no symlink is followed.
    pub(super) root: Option<Arc<Tree>>,
}

impl ConfigPath {
    /// Makes the location of a config that the user named. If it is a symlink, the config is the file that it leads to.
    pub(crate) fn named(path: &Path) -> Self {
        Self { path: path.to_owned(), root: None }
    }

    /// Reports whether it is a stream, which can only be read, and only once: stdin (`-`), or a pipe that a shell made
    /// for the command (`<(…)`).
    pub(crate) fn is_stream(&self) -> bool {
        let is_pipe = || self.path.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
        self.root.is_none() && (self.path.as_os_str() == "-" || names_descriptor(&self.path) && is_pipe())
    }

    /// Reads all of a stream.
    pub(crate) fn read_stream(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = if self.path.as_os_str() == "-" {
            io::stdin().lock().take(MAX_CONFIG + 1).read_to_end(&mut bytes)
        } else {
            File::open(&self.path).and_then(|file| file.take(MAX_CONFIG + 1).read_to_end(&mut bytes))
        };
        read.map_err(|error| self.unreadable(error))?;
        if bytes.len() as u64 > MAX_CONFIG {
            return Err(FileFailure::TooLarge { path: self.path.clone() }.into());
        }
        Ok(bytes)
    }

    /// Returns where backups of the config go: the directory below `backup_dir`, and the config's real name. The
    /// directory repeats the config's real path, so that configs of the same name in two places never share backups.
    pub(super) fn backup_place(&self) -> io::Result<(PathBuf, OsString)> {
        let real = match &self.root {
            Some(root) => root.real().join(root.below(&self.path)?),
            None => self.path.canonicalize()?,
        };
        let directory = parent(&real).strip_prefix("/").unwrap_or(parent(&real)).to_owned();
        Ok((directory, real.file_name().unwrap_or_default().to_owned()))
    }

    /// Reads the config, which must be a regular file of at most 64 MiB. If another program changes it meanwhile, it is
    /// read again, so the result is never a mixture of two versions.
    pub(crate) fn read(&self) -> Result<ConfigFile> {
        let mut pause = Duration::from_millis(1);
        loop {
            let source = self.read_once()?;
            if source.is_unchanged()? {
                return Ok(source);
            }
            if pause > MAX_PAUSE {
                return Err(source.changed());
            }
            thread::sleep(pause);
            pause *= 2;
        }
    }

    /// Reads the config for display. A file of at most one page is read in a single call, so a concurrent write needs
    /// no second attempt.
    pub(crate) fn read_to_look(&self) -> Result<ConfigFile> {
        const PAGE: usize = 4096;
        let source = self.read_once()?;
        let is_small = source.bytes.len() <= PAGE && source.bytes.len() as i64 == source.stat.st_size;
        if is_small || source.is_unchanged()? {
            return Ok(source);
        }
        // Free this copy before reading again, so that two are never in memory.
        drop(source);
        self.read()
    }

    fn read_once(&self) -> Result<ConfigFile> {
        let (dir, name, file, stat) = self.open()?;
        let too_large = || FileFailure::TooLarge { path: self.path.clone() };
        let size = u64::try_from(stat.st_size).ok().filter(|size| *size <= MAX_CONFIG).ok_or_else(too_large)?;
        let bytes = read_whole(&file, size as usize).map_err(|error| self.unreadable(error))?;
        // The file may have grown since `fstat`.
        if bytes.len() as u64 > MAX_CONFIG {
            return Err(too_large().into());
        }
        let digest = digest(&*bytes).map_err(|error| self.unreadable(error))?;
        Ok(ConfigFile { config: self.clone(), dir, name, bytes, stat, digest })
    }

    /// Reports whether the file contains exactly `pieces`, in order. It compares block by block, as the file may be
    /// large.
    pub(crate) fn holds(&self, pieces: &[&[u8]]) -> Result<bool> {
        let (_, _, mut file, _) = self.open()?;
        let mut holds = || -> io::Result<bool> {
            const PART: usize = 1 << 14;
            let mut buf = [0; PART];
            for part in pieces.iter().flat_map(|piece| piece.chunks(PART)) {
                let read = &mut buf[..part.len()];
                file.read_exact(read)?;
                if read != part {
                    return Ok(false);
                }
            }
            Ok(file.read(&mut buf)? == 0)
        };
        match holds() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            held => held.map_err(|error| self.unreadable(error)),
        }
    }

    /// Opens the file, which must be a regular file. Returns its directory, its name there, the file and its metadata.
    pub(super) fn open(&self) -> Result<(Arc<OwnedFd>, OsString, File, Stat)> {
        if self.path.as_os_str() == "-" {
            return Err(UsageFailure::StdinForFile.into());
        }
        let (dir, name) = self.open_directory().map_err(|error| self.unreadable(error))?;
        // O_NONBLOCK: opening a FIFO must return, so that it can be refused.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let fd = rustix::fs::openat(&dir, &name, flags, Mode::empty()).map_err(|error| self.unreadable(error))?;
        let stat = rustix::fs::fstat(&fd).map_err(|error| self.unreadable(error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((dir, name, File::from(fd), stat)),
            FileType::Directory => Err(self.unreadable(io::ErrorKind::IsADirectory)),
            _ => Err(FileFailure::NotRegular { path: self.path.clone() }.into()),
        }
    }

    /// Returns the file `name` in the config's directory with its content, if it exists. It must belong to the config's
    /// owner or to a trusted user, because other users could create one in a shared directory.
    pub(crate) fn beside(&self, name: &str) -> Result<Option<(PathBuf, Vec<u8>)>> {
        self.settings_in(Self { path: self.path.with_file_name(name), root: self.root.clone() })
    }

    /// Does the same as [`Self::beside`], for a file in a directory above the config's.
    pub(crate) fn above(&self, path: &Path) -> Result<Option<(PathBuf, Vec<u8>)>> {
        self.settings_in(Self::named(path))
    }

    fn settings_in(&self, beside: Self) -> Result<Option<(PathBuf, Vec<u8>)>> {
        if !beside.exists()? {
            return Ok(None);
        }
        let mut source = beside.read()?;
        let owner_of_config = self.open().map(|(.., stat)| stat.st_uid).ok();
        if owner_of_config != Some(source.stat.st_uid) {
            let (_, _, file, stat) = beside.open()?;
            if Identity::of(&stat) != source.identity() {
                return Err(source.changed());
            }
            owners::check_owner(&file, &beside.path).map_err(|error| beside.unreadable(error))?;
        }
        Ok(Some((beside.path, source.take_bytes())))
    }

    /// Removes the file and syncs its directory.
    pub(crate) fn remove(&self) -> Result<Caveats> {
        let failed = |error: Cause| FileFailure::Unremovable { path: self.path.clone(), error };
        let (dir, name) = self.open_directory().map_err(|error| failed(error.into()))?;
        rustix::fs::unlinkat(&dir, &name, AtFlags::empty()).map_err(|error| failed(error.into()))?;
        durable::sync_directory(&dir, None, &self.path)
    }

    /// Reports whether a file of any kind exists at this path.
    ///
    /// # Errors
    /// Fails if the path cannot be checked.
    pub(crate) fn exists(&self) -> Result<bool> {
        let stat = self.open_directory().and_then(|(dir, name)| {
            match rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => Ok(false),
                stat => Ok(stat.map(|_| true)?),
            }
        });
        stat.map_err(|error| self.unreadable(error))
    }

    /// Reports whether the path still leads to the regular file with this identity.
    pub(crate) fn is_still(&self, identity: Identity) -> bool {
        self.open().is_ok_and(|(_, _, _, stat)| Identity::of(&stat) == identity)
    }

    /// Opens the file's directory, and returns it with the file's name there.
    pub(super) fn open_directory(&self) -> io::Result<(Arc<OwnedFd>, OsString)> {
        let name = |path: &Path| path.file_name().map(ToOwned::to_owned).ok_or(io::ErrorKind::IsADirectory);
        if let Some(root) = &self.root {
            let below = root.below(&self.path)?;
            return Ok((root.directory(below.parent().unwrap_or(Path::new("")))?, name(below)?));
        }
        let (is_link, real) = match self.path.symlink_metadata() {
            Ok(meta) if meta.is_symlink() => (true, owners::resolve(&self.path)?),
            Ok(_) => (false, self.path.clone()),
            // The file may be about to be created. If it must exist, opening it fails later.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (false, self.path.clone()),
            Err(error) => return Err(error),
        };
        if is_link {
            return Ok((Arc::new(owners::open_dir_without_links(parent(&real))?), name(&real)?));
        }
        owners::check_links(parent(&real))?;
        Ok((Arc::new(open_dir(parent(&real))?), name(&real)?))
    }

    pub(super) fn unreadable(&self, error: impl Into<Cause>) -> Failure {
        let (path, error) = (self.path.clone(), error.into());
        match error.refused() {
            Some(refused) => FileFailure::NotUsed { path, refused }.into(),
            None => {
                let is_default = variable(CONFIG).is_some_and(|default| default == *path);
                FileFailure::Unreadable { path, is_default, error }.into()
            }
        }
    }
}

/// Identifies one version of a file. Any write, replacement or change of attributes gives a different identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    file: (u64, u64),
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Identity {
    fn of(stat: &Stat) -> Self {
        Self {
            file: platform::id(stat),
            size: stat.st_size,
            modified: platform::modified(stat),
            changed: platform::changed(stat),
        }
    }

    /// Returns device and inode, which identify the file whatever it contains.
    pub(crate) fn file(&self) -> (u64, u64) {
        self.file
    }
}

/// A config that was read, with its directory held open.
pub(crate) struct ConfigFile {
    pub(super) config: ConfigPath,
    pub(super) dir: Arc<OwnedFd>,
    pub(super) name: OsString,
    pub(super) bytes: Vec<u8>,
    pub(super) stat: Stat,
    /// The digest of the bytes, for comparison after the caller has taken them.
    pub(super) digest: u64,
}

/// Computes a keyed hash that distinguishes contents within this process. The random seed keeps others from
/// constructing a collision.
pub(super) fn digest(mut from: impl Read) -> io::Result<u64> {
    // Without random numbers the seed is 0 and the hash predictable, but sealing fails then anyway. std's `RandomState`
    // would panic.
    static SEED: LazyLock<u64> = LazyLock::new(|| getrandom::u64().unwrap_or(0));
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(*SEED);
    let mut part = Zeroizing::new([0; 1 << 14]);
    loop {
        // Hash blocks of a fixed size: the result must not depend on how much each read returns.
        let mut len = 0;
        while len < part.len() {
            match from.read(&mut part[len..]) {
                Ok(0) => break,
                Ok(read) => len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        hasher.write(&part[..len]);
        if len < part.len() {
            return Ok(hasher.finish());
        }
    }
}

impl ConfigFile {
    /// Takes the content out, leaving it empty.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::of(&self.stat)
    }

    /// Returns the permission bits.
    pub(crate) fn mode(&self) -> u32 {
        platform::mode(&self.stat) & 0o7777
    }

    /// Syncs the file's directory: a run that was killed may have renamed the file without syncing.
    pub(crate) fn make_durable(&self) -> Result<Caveats> {
        let file = stat_and_open(&self.dir, &self.name).map(|(_, file)| file);
        durable::sync_directory(&self.dir, file.as_ref(), &self.config.path)
    }

    /// Reports whether `path` leads to this very file (same device and inode).
    pub(crate) fn is_at(&self, path: &Path) -> Result<bool> {
        match rustix::fs::stat(path) {
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(ConfigPath::named(path).unreadable(error)),
            Ok(stat) => Ok(Identity::of(&stat).file == self.identity().file),
        }
    }

    /// Checks that the config can be replaced: it has no other hard links, and its directory is writable. Call this
    /// before anything is changed.
    pub(crate) fn check_replaceable(&self) -> Result<()> {
        self.obstacles().into_iter().next().map_or(Ok(()), Err)
    }

    /// Returns all problems with replacing the config that can be detected without writing.
    pub(super) fn obstacles(&self) -> Vec<Failure> {
        let path = || self.config.path.clone();
        let mut obstacles = Vec::new();
        let links = platform::links(&self.stat);
        if links > 1 {
            obstacles.push(FileFailure::HardLinks { path: path(), number: links });
        }
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        if let Err(error) = rustix::fs::accessat(&self.dir, ".", access, AtFlags::EACCESS) {
            obstacles.push(FileFailure::DirectoryOfUnwritable { path: path(), error: error.into() });
        }
        let attributes = platform::attributes(&self.dir, &self.name);
        if attributes.is_mount_root {
            obstacles.push(FileFailure::MountPoint { path: path() });
        }
        if attributes.is_fixed {
            obstacles.push(FileFailure::Immutable { path: path() });
        }
        if platform::attributes(&self.dir, OsStr::new("")).is_fixed {
            obstacles.push(FileFailure::DirectoryOfImmutable { path: path() });
        }
        if self.is_anothers_in_shared_directory() {
            obstacles.push(FileFailure::AnothersInSticky { path: path() });
        }
        obstacles.into_iter().map(Failure::from).collect()
    }

    fn is_anothers_in_shared_directory(&self) -> bool {
        const STICKY: u32 = 0o1000;
        let user = geteuid();
        let directory = rustix::fs::fstat(&self.dir);
        !user.is_root()
            && self.stat.st_uid != user.as_raw()
            && directory.is_ok_and(|stat| platform::mode(&stat) & STICKY != 0 && stat.st_uid != user.as_raw())
    }

    /// Fails if the file has changed since it was read.
    pub(super) fn refuse_changed(&self) -> Result<()> {
        match self.is_unchanged() {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.changed()),
            Err(failure) => Err(failure),
        }
    }

    /// Reports whether the file is unchanged since it was read.
    ///
    /// # Errors
    /// Fails if the file cannot be checked.
    pub(crate) fn is_unchanged(&self) -> Result<bool> {
        match rustix::fs::statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Identity::of(&stat) == self.identity()),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.config.unreadable(error)),
        }
    }

    /// Returns the failure for a file that changed since it was read.
    pub(super) fn changed(&self) -> Failure {
        FileFailure::Changed { path: self.config.path.clone() }.into()
    }
}

/// Reads a file of `size` bytes in one call. If the file has grown, reads the rest too, up to one byte more than the
/// limit.
fn read_whole(file: &File, size: usize) -> io::Result<Vec<u8>> {
    // One byte of spare room: a read that does not fill it has reached the end.
    let mut bytes = Vec::with_capacity(size + 1);
    while bytes.len() <= size {
        match rustix::io::read(file, spare_capacity(&mut bytes)) {
            Err(Errno::INTR) => {}
            read if read? == 0 || bytes.len() == size => return Ok(bytes),
            _ => {}
        }
    }
    file.take(MAX_CONFIG + 1 - bytes.len() as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
