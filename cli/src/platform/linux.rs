//! Linux: what the kernel offers beyond POSIX. Each function has a twin in `portable.rs`.

#[path = "journal.rs"]
mod journal;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{
    AtFlags, CWD, MemfdFlags, Mode, OFlags, RawDir, RenameFlags, ResolveFlags, StatxAttributes, StatxFlags,
};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, geteuid, getppid, pidfd_open, set_parent_process_death_signal,
};
use rustix::pty::{OpenptFlags, openpt};

use super::{Attributes, FileSystem, Listed};

pub(crate) use journal::send as send_to_journal;

/// How a directory is opened to reach files in it. With O_PATH it need not be readable: search permission is enough.
pub(crate) const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a directory, and follows no link on the way. Returns `None` if the kernel cannot do that: before Linux 5.6, or
/// forbidden in a container.
pub(crate) fn open_without_links(path: &Path) -> rustix::io::Result<Option<OwnedFd>> {
    match rustix::fs::openat2(CWD, path, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Err(Errno::NOSYS | Errno::PERM) => Ok(None),
        opened => opened.map(Some),
    }
}

/// Returns what the system says of the file `name` in the directory `at`, or of `at` itself if that is empty.
pub(crate) fn attributes(at: impl AsFd, name: &OsStr) -> Attributes {
    let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
    let Ok(stat) = rustix::fs::statx(at, name, flags, StatxFlags::empty()) else { return Attributes::default() };
    let told = stat.stx_attributes & stat.stx_attributes_mask;
    Attributes {
        is_mount_root: told.contains(StatxAttributes::MOUNT_ROOT),
        is_fixed: told.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND),
    }
}

/// Creates a file of mode 0600 without a name (O_TMPFILE), which vanishes with the process. Returns `None` if the
/// file system does not support such files or cannot name them later, which requires /proc.
pub(crate) fn create_nameless(dir: &OwnedFd) -> rustix::io::Result<Option<File>> {
    static CAN_BE_NAMED: OnceLock<bool> = OnceLock::new();
    if !CAN_BE_NAMED.get_or_init(|| Path::new("/proc/self/fd").is_dir()) {
        return Ok(None);
    }
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    match rustix::fs::openat(dir, ".", flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives a nameless file a name. Fails if that name exists.
pub(crate) fn link_nameless(file: &File, dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<()> {
    let own_name = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, own_name, dir, name, AtFlags::SYMLINK_FOLLOW)
}

/// Renames a file. Fails if the new name exists, or if the file system does not support that.
pub(crate) fn rename_to_new(dir: &OwnedFd, from: &OsStr, to: &OsStr) -> rustix::io::Result<()> {
    rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE)
}

/// Exchanges two names at once. Fails if the file system does not support that.
pub(crate) fn exchange(dir: &OwnedFd, one: &OsStr, other: &OsStr) -> rustix::io::Result<()> {
    rustix::fs::renameat_with(dir, one, dir, other, RenameFlags::EXCHANGE)
}

/// Makes the names in an open directory durable.
pub(crate) fn sync_directory(dir: &OwnedFd) -> rustix::io::Result<()> {
    rustix::fs::fsync(dir)
}

/// Makes the whole file system of `file` durable.
pub(crate) fn sync_file_system(file: &File) -> rustix::io::Result<()> {
    rustix::fs::syncfs(file)
}

/// Lists a directory in the order in which the kernel returns it, without `.` and `..`.
pub(crate) fn list(directory: &OwnedFd) -> io::Result<Vec<Listed>> {
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut entries = Vec::new();
    let mut listed = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = listed.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            entries.push(Listed { name: OsString::from_vec(name.to_vec()), kind: entry.file_type() });
        }
    }
    Ok(entries)
}

/// Returns the kind of the file system at `path`.
pub(crate) fn file_system(path: &Path) -> io::Result<FileSystem> {
    Ok(match rustix::fs::statfs(path)?.f_type as u32 {
        0x0102_1994 => FileSystem::Tmpfs,
        0x8584_58f6 => FileSystem::Ramfs,
        0x794c_7630 => FileSystem::Overlay,
        _ => FileSystem::Other,
    })
}

/// Returns the directories for plaintext files, on memory file systems: the user's own, and /dev/shm. A directory of
/// another user is excluded, as its owner could replace files in it.
pub(crate) fn places_for_plaintext() -> Vec<PathBuf> {
    let user = geteuid().as_raw();
    let is_own = |path: &PathBuf| fs::metadata(path).is_ok_and(|meta| meta.is_dir() && meta.uid() == user);
    let named = crate::env::variable("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let own = [PathBuf::from(format!("/run/user/{user}"))];
    let mut places: Vec<PathBuf> = named.into_iter().chain(own).filter(is_own).collect();
    places.push(PathBuf::from("/dev/shm"));
    places.retain(|path| matches!(file_system(path), Ok(FileSystem::Tmpfs | FileSystem::Ramfs)));
    places.dedup();
    places
}

/// Creates an empty file of mode 0600 without a name, in memory. A program that is started inherits it.
pub(crate) fn create_for_inheritance(name: &OsStr) -> io::Result<File> {
    let file = File::from(rustix::fs::memfd_create(name, MemfdFlags::empty())?);
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    Ok(file)
}

/// Returns a path of an open file. It is valid for this process, for a program that replaces it (exec), and for other
/// processes of the same user.
pub(crate) fn path_of_descriptor(descriptor: RawFd) -> PathBuf {
    format!("/proc/{}/fd/{descriptor}", std::process::id()).into()
}

/// Opens the terminal at stderr once more, so that flags set on it change nothing for others.
pub(crate) fn reopen_stderr(flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/proc/self/fd/2", flags, Mode::empty())?)
}

/// Opens a pseudo-terminal. The programs that are started do not inherit it.
pub(crate) fn open_pseudo_terminal() -> io::Result<OwnedFd> {
    Ok(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?)
}

/// Returns the path of the running program, even if the file was replaced or removed.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    Ok("/proc/self/exe".into())
}

/// Disables core dumps and debugging by other processes of the same user.
pub(crate) fn forbid_debugging() {
    // Best effort: if the system refuses, the command still works.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Replaces this process with a program that does not outlive the process `parent`: the kernel kills it when `parent`
/// ends. Returns only on failure.
///
/// A process can request this only for itself; the setting survives exec.
pub(crate) fn run_until_parent_ends(parent: Pid, command: &mut Command) -> io::Result<ExitStatus> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A race: the parent may have ended before the call above, and then no signal would ever come.
    if getppid() != Some(parent) {
        return Err(io::Error::other("the process that started it has ended"));
    }
    Err(command.exec())
}

/// Kills a program that was started by [`run_until_parent_ends`].
pub(crate) fn kill_bound(child: &mut Child) -> io::Result<()> {
    child.kill()
}

/// Reports whether two results of [`start_of`] are of one process.
pub(crate) fn is_same_start(one: u64, other: u64) -> bool {
    one == other
}

/// Returns the start time of a process in kernel clock ticks. A zombie gets a time that no process has.
pub(crate) fn start_of(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    // The program's name may contain spaces and parentheses, so fields count from the last parenthesis (proc(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    // A zombie has ended and only waits to be reaped.
    Some(if matches!(state, "Z" | "X") { u64::MAX } else { start })
}

/// Returns the inode number of this process's PID namespace, or 0 if it is unknown.
pub(crate) fn pid_namespace() -> u64 {
    let link = fs::read_link("/proc/self/ns/pid").ok();
    let digits =
        link.as_deref().and_then(Path::to_str).map(|text| text.trim_matches(|char: char| !char.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Waits for the end of a process. `is_alive` reports whether it still runs.
pub(crate) fn wait_for_end(pid: Pid, is_alive: impl Fn() -> bool) {
    // Check after opening: if the process is alive now, the descriptor cannot refer to a later process with the same id.
    if let Ok(process) = pidfd_open(pid, PidfdFlags::empty())
        && is_alive()
    {
        while poll(&mut [PollFd::new(&process, PollFlags::IN)], None) == Err(Errno::INTR) {}
        return;
    }
    // The kernel is too old, or a sandbox forbids pidfd_open.
    while is_alive() {
        thread::sleep(Duration::from_millis(100));
    }
}

/// Returns the set of signals that this process ignores, one bit per signal.
pub(crate) fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_else(|_| String::new());
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
