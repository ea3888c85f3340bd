//! Extended attributes of files. Linux and macOS have the same calls; for the BSDs, which have others, rustix has none.

#[cfg(any(target_vendor = "apple", target_os = "linux"))]
mod calls {
    use std::ffi::{OsStr, OsString};
    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::ffi::OsStringExt;

    use rustix::fs::XattrFlags;
    use rustix::io::Errno;

    /// Returns the names of a file's extended attributes. On Linux ACLs are among them; on macOS they are not, and are not
    /// copied.
    pub(crate) fn attribute_names(file: impl AsFd) -> io::Result<Vec<OsString>> {
        let mut buf = vec![0_u8; 1 << 16];
        match rustix::fs::flistxattr(file, &mut buf) {
            Ok(len) => {
                buf.truncate(len);
                let names = buf.split(|byte| *byte == 0);
                Ok(names.filter(|name| !name.is_empty()).map(|name| OsString::from_vec(name.to_vec())).collect())
            }
            // These are one error number on Linux and two on macOS.
            Err(error) if [Errno::OPNOTSUPP, Errno::NOTSUP].contains(&error) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the value of an extended attribute.
    pub(crate) fn attribute(file: impl AsFd, name: &OsStr) -> io::Result<Vec<u8>> {
        let mut value = vec![0_u8; 1 << 16];
        let len = rustix::fs::fgetxattr(file, name, &mut value)?;
        value.truncate(len);
        Ok(value)
    }

    /// Sets an extended attribute.
    pub(crate) fn set_attribute(file: impl AsFd, name: &OsStr, value: &[u8]) -> rustix::io::Result<()> {
        rustix::fs::fsetxattr(file, name, value, XattrFlags::empty())
    }
}

#[cfg(not(any(target_vendor = "apple", target_os = "linux")))]
mod calls {
    use std::ffi::{OsStr, OsString};
    use std::io;
    use std::os::fd::AsFd;

    use rustix::io::Errno;

    /// Returns no extended attributes: the BSDs have other calls for them, which rustix does not have.
    pub(crate) fn attribute_names(_file: impl AsFd) -> io::Result<Vec<OsString>> {
        Ok(Vec::new())
    }

    /// Always fails: [`attribute_names`] returns no names.
    pub(crate) fn attribute(_file: impl AsFd, _name: &OsStr) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Always fails: [`attribute_names`] returns no names.
    pub(crate) fn set_attribute(_file: impl AsFd, _name: &OsStr, _value: &[u8]) -> rustix::io::Result<()> {
        Err(Errno::OPNOTSUPP)
    }
}

pub(crate) use calls::*;
