//! The plaintext files that `run` gives to a program: files in a [`MemoryFolder`], or descriptors of files without names if
//! no such folder can be made.

use std::ffi::{OsStr, OsString};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use crate::error::{FileFailure, Result};
use crate::output::Report;
use crate::platform;
use crate::store::MemoryFolder;

/// The files of one program. They vanish when the program ends.
#[derive(Default)]
pub(super) struct Files {
    /// `None` until the first file is created.
    place: Option<Place>,
    /// Descriptors that the program inherits.
    descriptors: Vec<OwnedFd>,
}

enum Place {
    Folder(MemoryFolder),
    Descriptors,
}

impl Files {
    /// Creates a file with this content. Returns its path, which is valid for the program and everything that it
    /// starts.
    pub(super) fn add(&mut self, name: &OsStr, pieces: &[&[u8]], report: &Report) -> Result<PathBuf> {
        let place = self.place.get_or_insert_with(|| match MemoryFolder::create() {
            Ok(folder) => Place::Folder(folder),
            Err(error) => {
                report.trace(format_args!("no folder in memory, descriptors instead: {error}"));
                Place::Descriptors
            }
        });
        match place {
            Place::Folder(folder) => Ok(folder.add(name, pieces).map_err(failed)?),
            Place::Descriptors => {
                let number = self.add_descriptor(name, pieces)?;
                Ok(platform::path_of_descriptor(number))
            }
        }
    }

    /// Reports whether paths lead to descriptors of this process. On Linux other processes can follow such a path only after
    /// exec, because this process is not dumpable.
    pub(super) fn have_paths_to_descriptors(&self) -> bool {
        matches!(self.place, Some(Place::Descriptors))
    }

    /// Creates a file in memory with this content. Returns the number of its descriptor, which is positioned at the
    /// start.
    pub(super) fn add_descriptor(&mut self, name: &OsStr, pieces: &[&[u8]]) -> Result<RawFd> {
        let make = || -> io::Result<OwnedFd> {
            let mut file = platform::create_for_inheritance(name)?;
            pieces.iter().try_for_each(|piece| file.write_all(piece))?;
            file.rewind()?;
            Ok(file.into())
        };
        let file = make().map_err(failed)?;
        let number = file.as_raw_fd();
        self.descriptors.push(file);
        Ok(number)
    }
}

fn failed(error: io::Error) -> FileFailure {
    FileFailure::NoMemoryForProgram { error: error.into() }
}

/// Chooses a file name for the value at `pointer`: the last name of the pointer, or `variable` if that name has unusual
/// characters.
pub(super) fn name_for(pointer: &str, variable: &str) -> OsString {
    let own = pointer.rsplit(['/', '.']).next().unwrap_or(pointer);
    let own = if pointer.starts_with('/') { pointer.rsplit('/').next().unwrap_or(pointer) } else { own };
    let is_plain = |name: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        name.bytes().all(allowed) && name.starts_with(|char: char| char.is_ascii_alphanumeric()) && name.len() <= 100
    };
    [own, variable].iter().find(|name| is_plain(name)).map_or("secret", |name| name).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_name_of_its_value() {
        for (pointer, name) in [
            ("/ssh/id_ed25519", "id_ed25519"),
            ("ssh.key", "key"),
            ("/tls/server.pem", "server.pem"),
            ("/a/..", "NAME"),
            ("/a/.hidden", "NAME"),
            ("/a/b c", "NAME"),
            ("/a/", "NAME"),
            ("/a/~1etc~1passwd", "NAME"),
            ("/hosts/0", "0"),
        ] {
            assert_eq!(name_for(pointer, "NAME"), OsStr::new(name), "{pointer}");
        }
        assert_eq!(name_for("/a/..", "../x"), OsStr::new("secret"));
    }
}
