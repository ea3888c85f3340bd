//! Writes a new file completely before it appears under its name, and replaces an existing file by an atomic exchange.
//!
//! Where the system supports it (O_TMPFILE), the file has no name until it is complete. The exchange (RENAME_EXCHANGE)
//! leaves the old file under a temporary name. If that is not the file that was expected, another program saved it
//! meanwhile (a TOCTOU race), and the two are exchanged back.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::names::{mark_digits, random_digits, temporary_name};
use super::{MAX_CONFIG, stat_and_open};
use crate::error::Observed;
use crate::platform::{self, create_nameless, link_nameless};

/// A file that is being written. It has no name where the system supports that, and otherwise a temporary name.
/// Dropping it removes the file, unless it has reached its place.
pub(super) struct Temporary<'d> {
    dir: &'d OwnedFd,
    target: OsString,
    pub(super) file: File,
    /// The file's temporary name, if it has one now.
    name: Option<OsString>,
}

/// The result of replacing a file.
pub(super) enum Replaced {
    /// The new file is in place. If the old file cannot be removed, it remains under the name `old`.
    Done { old: Option<OsString> },
    /// Another program saved the file meanwhile. Its version is in place, and the new file is discarded.
    Changed,
    /// Another program saved the file meanwhile, and exchanging back failed. That version is kept under the name
    /// `save`.
    Displaced { save: OsString },
}

/// The number of attempts to exchange back. Each failed attempt means that another program saved the file within the
/// microseconds since the last one.
const MAX_EXCHANGES: usize = 8;

impl<'d> Temporary<'d> {
    /// Creates the file with mode 0600, so that others can never read it.
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

    /// Writes and syncs the content. Refuses content above the size limit, which could not be read again.
    pub(super) fn write(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        if pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() > MAX_CONFIG {
            return Err(Observed::TooLarge { mebibytes: MAX_CONFIG >> 20 }.into());
        }
        let mut out = BufWriter::with_capacity(1 << 16, &self.file);
        pieces.iter().try_for_each(|piece| out.write_all(piece))?;
        out.flush()?;
        drop(out);
        self.file.sync_all()
    }

    /// Publishes the file under the name `target`. Fails if that name exists; the caller can then retry with another.
    pub(super) fn put_new(&mut self, target: &OsStr) -> io::Result<()> {
        let Some(name) = &self.name else { return Ok(link_nameless(&self.file, self.dir, target)?) };
        if platform::move_to_new(self.dir, name, target)? {
            self.name = None;
        }
        Ok(())
    }

    /// Replaces the file `target`, provided that it is still the file `before`. `is_before` recognizes that file.
    pub(super) fn put_over(
        &mut self,
        target: &OsStr,
        before: &Stat,
        is_before: impl Fn(&Stat, &File) -> bool,
    ) -> io::Result<Replaced> {
        let new = rustix::fs::fstat(&self.file)?;
        let waiting = self.take_name(&mark_digits(mark_of(&new), mark_of(before)))?;
        let exchange = || platform::exchange(self.dir, &waiting, target);
        match exchange() {
            Ok(()) => {}
            // The file system cannot exchange (NFS, for example). A change between this check and the rename goes
            // unnoticed.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                match stat_and_open(self.dir, target) {
                    Some((stat, old)) if is_before(&stat, &old) => {}
                    _ => return Ok(Replaced::Changed),
                }
                rustix::fs::renameat(self.dir, &waiting, self.dir, target)?;
                self.name = None;
                return Ok(Replaced::Done { old: None });
            }
            // The target is missing: some editors move the old file away before they write the new one.
            Err(Errno::NOENT) => return Ok(Replaced::Changed),
            Err(error) => return Err(error.into()),
        }
        // From here on the temporary name belongs to the replaced file, so dropping this must not remove it.
        self.name = None;
        if stat_and_open(self.dir, &waiting).is_some_and(|(stat, old)| is_before(&stat, &old)) {
            let removed = rustix::fs::unlinkat(self.dir, &waiting, AtFlags::empty());
            return Ok(Replaced::Done { old: removed.is_err().then_some(waiting) });
        }
        let file_at = |name: &OsStr| {
            let stat = rustix::fs::statat(self.dir, name, AtFlags::SYMLINK_NOFOLLOW);
            stat.map(|stat| platform::id(&stat))
        };
        let change_back = || -> rustix::io::Result<bool> {
            for _ in 0..MAX_EXCHANGES {
                exchange()?;
                let out = file_at(&waiting)?;
                if out == platform::id(&new) {
                    return Ok(true);
                }
                // Another program saved the file again between the two exchanges, over the new file. Its latest version
                // must stay in place; the earlier version, which it would have overwritten, takes the temporary name.
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
        Ok(Replaced::Displaced { save: waiting })
    }

    /// Gives the complete file a temporary name with these digits.
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
            // Best effort: on failure, the next command that writes in this directory removes the file.
            let _ = rustix::fs::unlinkat(self.dir, name, AtFlags::empty());
        }
    }
}

/// Computes a fingerprint of a file's mode, size and modification time, by which a later run recognizes the file. It
/// omits the inode, which changes on overlay file systems and when a tree is copied.
pub(super) fn mark_of(stat: &Stat) -> u64 {
    let (seconds, nanoseconds) = platform::modified(stat);
    mark(&[platform::mode(stat).into(), stat.st_size as u64, seconds as u64, nanoseconds])
}

/// Hashes with FNV-1a, which is stable across processes. No input depends on the content, so the fingerprint reveals
/// nothing of it.
fn mark(numbers: &[u64]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    numbers.iter().flat_map(|number| number.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, step)
}

/// Reports whether `stat` matches one of the two fingerprints in a temporary name that a killed run left.
pub(super) fn is_expected(stat: &Stat, (new, old): (u64, u64)) -> bool {
    let mark = mark_of(stat);
    mark == new || mark == old
}

/// Creates a new file of mode 0600. The umask cannot widen that.
pub(super) fn create_exclusively(dir: &OwnedFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))?;
    Ok(File::from(file))
}
