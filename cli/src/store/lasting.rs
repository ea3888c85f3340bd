//! Which files a restart or the end of a container takes away, while others stay.

use std::io;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;

use super::{ConfigPath, parent};

/// What `statfs` says of file systems that forget, and their names.
const FORGETFUL: [(u32, Forgetful); 3] =
    [(0x0102_1994, Forgetful::Tmpfs), (0x8584_58f6, Forgetful::Ramfs), (0x794c_7630, Forgetful::Overlay)];

/// A file system that does not keep its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgetful {
    Tmpfs,
    Ramfs,
    /// The writable layer of a container, or of a live system.
    Overlay,
}

impl Forgetful {
    fn of(path: &Path) -> io::Result<Option<Self>> {
        let kind = rustix::fs::statfs(path)?.f_type as u32;
        Ok(FORGETFUL.iter().find(|(magic, _)| *magic == kind).map(|(_, forgetful)| *forgetful))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Ramfs => "ramfs",
            Self::Overlay => "overlay",
        }
    }

    /// When the files go.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Self::Tmpfs | Self::Ramfs => "a restart",
            Self::Overlay => "the end of its container",
        }
    }
}

/// Whether the file at `path`, which may be yet to come, goes while one of `configs` stays. What cannot be looked at is
/// met elsewhere, before anything is written.
pub(crate) fn goes_before(path: &Path, configs: &[ConfigPath]) -> Option<Forgetful> {
    let real = path.canonicalize();
    let place = real.as_deref().unwrap_or(parent(path));
    let forgetful = Forgetful::of(place).ok().flatten()?;
    // What a service manager hands over, as Kubernetes and systemd do, is mounted read-only: a copy, of which it has the
    // original.
    if rustix::fs::statvfs(place).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return None;
    }
    let device = |directory: &Path| rustix::fs::stat(directory).map(|stat| stat.st_dev).ok();
    let own = device(if place.is_dir() { place } else { parent(place) });
    let mut last = None;
    let stays = |config: &ConfigPath| {
        // A link that was named leads to another place.
        let Ok(real) = config.path.canonicalize() else { return false };
        let directory = parent(&real).to_owned();
        if last.as_ref() == Some(&directory) {
            return false;
        }
        let is_in_memory = matches!(Forgetful::of(&directory), Ok(Some(Forgetful::Tmpfs | Forgetful::Ramfs)));
        let is_elsewhere = device(&directory) != own && !is_in_memory;
        last = Some(directory);
        is_elsewhere
    };
    configs.iter().any(stays).then_some(forgetful)
}
