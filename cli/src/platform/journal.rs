//! Writes an entry to systemd's journal by its native protocol: a datagram of `FIELD=value` lines. An entry that is too
//! long for a datagram is written to a memory file with seals (memfd), whose descriptor is sent (systemd,
//! `docs/JOURNAL_NATIVE_PROTOCOL.md`).

use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

/// Sends an entry to the journal at `socket`. No value may contain a line end.
pub(crate) fn send(socket: &Path, fields: &[(&str, &str)]) -> io::Result<()> {
    let entry: String = fields.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let address = SocketAddrUnix::new(socket)?;
    let sender = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    match rustix::net::sendto(&sender, entry.as_bytes(), SendFlags::NOSIGNAL, &address) {
        Err(Errno::MSGSIZE | Errno::NOBUFS) => {}
        sent => return Ok(sent.map(|_| ())?),
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = std::fs::File::from(rustix::fs::memfd_create("fernseal-journal", flags)?);
    file.write_all(entry.as_bytes())?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [file.as_fd()];
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    rustix::net::sendmsg_addr(&sender, &address, &[IoSlice::new(&[])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{IoSliceMut, Read, Seek};
    use std::os::unix::net::UnixDatagram;

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

    use super::*;

    #[test]
    fn an_entry_of_any_length_reaches_the_journal() {
        let place = std::env::temp_dir().join(format!("fernseal-journal-{}", std::process::id()));
        let journal = UnixDatagram::bind(&place).unwrap();
        for len in [10, 1 << 20] {
            let long = "x".repeat(len);
            send(&place, &[("MESSAGE", &long), ("PRIORITY", "6")]).unwrap();
            let mut datagram = vec![0; 1 << 16];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let slices = &mut [IoSliceMut::new(&mut datagram)];
            let received = rustix::net::recvmsg(&journal, slices, &mut control, RecvFlags::empty()).unwrap();
            let mut text = String::from_utf8(datagram[..received.bytes].to_vec()).unwrap();
            for message in control.drain() {
                let RecvAncillaryMessage::ScmRights(descriptors) = message else { continue };
                for descriptor in descriptors {
                    let mut file = File::from(descriptor);
                    file.rewind().unwrap();
                    file.read_to_string(&mut text).unwrap();
                }
            }
            assert_eq!(text, format!("MESSAGE={long}\nPRIORITY=6\n"), "{len}");
        }
        std::fs::remove_file(&place).unwrap();
        assert_eq!(send(&place, &[]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
