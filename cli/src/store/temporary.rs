//! A file on its way to its place: without a name until it is whole, where the system can do that. It takes the place of
//! another file by an exchange, so that a save of another program in between is noticed and put back.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::names::{mark_digits, random_digits, temporary_name};
use super::{MAX_CONFIG, stat_and_open};

/// A file on its way to a place in a directory. It has no name until it is whole, where the system can do that; else it has
/// a temporary one, which is removed when this is dropped.
pub(super) struct Temporary<'d> {
    dir: &'d OwnedFd,
    target: OsString,
    pub(super) file: File,
    /// Its name now, if that is a temporary one.
    name: Option<OsString>,
}

/// What came of putting a file in the place of another.
pub(super) enum Replaced {
    /// It is there. `old` is the name under which the file that was replaced is left, if it cannot be removed.
    Done { old: Option<OsString> },
    /// Another program has saved the file, and that is what is there.
    Changed,
    /// Another program has saved the file, and the two do not change back: that save is left under this name.
    Torn { save: OsString },
}

/// How often two files change back before it is given up: each time, another program must have saved the file in the
/// microseconds since the last.
const MAX_EXCHANGES: usize = 8;

impl<'d> Temporary<'d> {
    /// Mode 0600 from the first byte.
    pub(super) fn create(dir: &'d OwnedFd, target: &OsStr) -> io::Result<Self> {
        let target = target.to_owned();
        match create_nameless(dir) {
            Ok(Some(file)) => Ok(Self { dir, target, file, name: None }),
            Ok(None) => {
                let name = temporary_name(&target, &random_digits()?);
                let file = create_exclusively(dir, &name)?;
                Ok(Self { dir, target, file, name: Some(name) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes and syncs; not what would be too large to be read again.
    pub(super) fn write(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        if pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() > MAX_CONFIG {
            return Err(io::Error::other("it would be larger than 64 MiB"));
        }
        let mut out = BufWriter::with_capacity(1 << 16, &self.file);
        pieces.iter().try_for_each(|piece| out.write_all(piece))?;
        out.flush()?;
        drop(out);
        self.file.sync_all()
    }

    /// Gives the file its name. Fails if there is one of that name, and can be tried again with another.
    pub(super) fn put_new(&mut self, target: &OsStr) -> io::Result<()> {
        let Some(name) = &self.name else { return Ok(link_nameless(&self.file, self.dir, target)?) };
        match rustix::fs::renameat_with(self.dir, name, self.dir, target, RenameFlags::NOREPLACE) {
            // A file system that does not know the flag: a second name fails too if there is one already.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                rustix::fs::linkat(self.dir, name, self.dir, target, AtFlags::empty())?;
                rustix::fs::unlinkat(self.dir, name, AtFlags::empty())?;
            }
            renamed => renamed?,
        }
        self.name = None;
        Ok(())
    }

    /// Puts the file in the place of the one that was `before`, if that is there still: `is_before` knows it.
    pub(super) fn put_over(
        &mut self,
        target: &OsStr,
        before: &Stat,
        is_before: impl Fn(&Stat, &File) -> bool,
    ) -> io::Result<Replaced> {
        let new = rustix::fs::fstat(&self.file)?;
        let waiting = self.take_name(&mark_digits(mark_of(&new), mark_of(before)))?;
        let exchange = || rustix::fs::renameat_with(self.dir, &waiting, self.dir, target, RenameFlags::EXCHANGE);
        match exchange() {
            Ok(()) => {}
            // A file system that cannot do it, as NFS: what happens between this look and the renaming goes unnoticed.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                match stat_and_open(self.dir, target) {
                    Some((stat, old)) if is_before(&stat, &old) => {}
                    _ => return Ok(Replaced::Changed),
                }
                rustix::fs::renameat(self.dir, &waiting, self.dir, target)?;
                self.name = None;
                return Ok(Replaced::Done { old: None });
            }
            // An editor that moves the old file out of the way first.
            Err(Errno::NOENT) => return Ok(Replaced::Changed),
            Err(error) => return Err(error.into()),
        }
        // From here on, what has the temporary name is another's.
        self.name = None;
        if stat_and_open(self.dir, &waiting).is_some_and(|(stat, old)| is_before(&stat, &old)) {
            let removed = rustix::fs::unlinkat(self.dir, &waiting, AtFlags::empty());
            return Ok(Replaced::Done { old: removed.is_err().then_some(waiting) });
        }
        let file_at = |name: &OsStr| {
            let stat = rustix::fs::statat(self.dir, name, AtFlags::SYMLINK_NOFOLLOW);
            stat.map(|stat| (stat.st_dev, stat.st_ino))
        };
        let change_back = || -> rustix::io::Result<bool> {
            for _ in 0..MAX_EXCHANGES {
                exchange()?;
                let out = file_at(&waiting)?;
                if out == (new.st_dev, new.st_ino) {
                    return Ok(true);
                }
                // Saved once more between the two exchanges, over the new file. That save is the one to stay; the earlier
                // one, which it would have replaced, is what the temporary name is left with.
                exchange()?;
                if file_at(target)? == out {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        if change_back() == Ok(true) {
            self.name = Some(waiting);
            return Ok(Replaced::Changed);
        }
        Ok(Replaced::Torn { save: waiting })
    }

    /// Gives the file, which is whole, a temporary name of these digits.
    fn take_name(&mut self, digits: &str) -> io::Result<OsString> {
        let name = temporary_name(&self.target, digits);
        match &self.name {
            None => link_nameless(&self.file, self.dir, &name)?,
            Some(present) => rustix::fs::renameat(self.dir, present, self.dir, &name)?,
        }
        self.name = Some(name.clone());
        Ok(name)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // If even this fails, the next command that writes here removes it.
            let _ = rustix::fs::unlinkat(self.dir, name, AtFlags::empty());
        }
    }
}

/// The mark by which a file is known again: one that another program puts in its place has another time or size. Without the
/// inode, which changes on a file system of layers, and where a tree is copied.
pub(super) fn mark_of(stat: &Stat) -> u64 {
    mark(&[u64::from(stat.st_mode), stat.st_size as u64, stat.st_mtime as u64, stat.st_mtime_nsec])
}

/// FNV-1a: the marks outlast the process, and hold nothing of the content.
fn mark(numbers: &[u64]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    numbers.iter().flat_map(|number| number.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, step)
}

/// What a file is that was left under a temporary name with these marks, by a run that was killed.
pub(super) fn is_expected(stat: &Stat, (new, old): (u64, u64)) -> bool {
    let mark = mark_of(stat);
    mark == new || mark == old
}

/// A new file of mode 0600 without a name, which is gone with the process; none, where the file system or the system does
/// not know such files or cannot give them a name later.
pub(super) fn create_nameless(dir: &OwnedFd) -> rustix::io::Result<Option<File>> {
    static CAN_BE_NAMED: OnceLock<bool> = OnceLock::new();
    if !CAN_BE_NAMED.get_or_init(|| Path::new("/proc/self/fd").is_dir()) {
        return Ok(None);
    }
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    match rustix::fs::openat(dir, ".", flags, Mode::from_raw_mode(0o600)) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives a file without a name one; fails if there is one of that name.
pub(super) fn link_nameless(file: &File, dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<()> {
    let own_name = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(rustix::fs::CWD, own_name, dir, name, AtFlags::SYMLINK_FOLLOW)
}

/// A new file of mode 0600, whatever the umask.
pub(super) fn create_exclusively(dir: &OwnedFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))?;
    Ok(File::from(file))
}
