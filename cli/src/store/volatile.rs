//! Recognizes file systems that lose their files at a restart or at the end of a container.
//!
//! It serves one check: a new master key must not disappear before the configs that need it.

use std::io;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;

use super::{ConfigPath, parent};
use crate::error::VolatileFileSystem;
use crate::platform::{self, FileSystem};

fn kind_of(path: &Path) -> io::Result<Option<VolatileFileSystem>> {
    Ok(match platform::file_system(path)? {
        FileSystem::Tmpfs => Some(VolatileFileSystem::Tmpfs),
        FileSystem::Ramfs => Some(VolatileFileSystem::Ramfs),
        FileSystem::Overlay => Some(VolatileFileSystem::Overlay),
        FileSystem::Other => None,
    })
}

/// Returns the volatile file system of `path`, if the file there would be lost while one of `configs` stays. The file
/// need not exist yet. Errors count as "not volatile": whatever cannot be read fails later, before anything is written.
pub(crate) fn goes_before(path: &Path, configs: &[ConfigPath]) -> Option<VolatileFileSystem> {
    let real = path.canonicalize();
    let place = real.as_deref().unwrap_or(parent(path));
    let forgetful = kind_of(place).ok().flatten()?;
    // Kubernetes and systemd mount secrets read-only. Such a file is a copy, and its original is stored elsewhere.
    if rustix::fs::statvfs(place).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return None;
    }
    let device = |directory: &Path| rustix::fs::stat(directory).map(|stat| stat.st_dev).ok();
    let own = device(if place.is_dir() { place } else { parent(place) });
    let mut last = None;
    let stays = |config: &ConfigPath| {
        // Resolve symlinks: a config that the user named may be one.
        let Ok(real) = config.path.canonicalize() else { return false };
        let directory = parent(&real).to_owned();
        if last.as_ref() == Some(&directory) {
            return false;
        }
        let is_in_memory =
            matches!(kind_of(&directory), Ok(Some(VolatileFileSystem::Tmpfs | VolatileFileSystem::Ramfs)));
        let is_elsewhere = device(&directory) != own && !is_in_memory;
        last = Some(directory);
        is_elsewhere
    };
    configs.iter().any(stays).then_some(forgetful)
}
