//! macOS, the BSDs and, to test this file, Linux: the counterpart of `linux.rs`, with what POSIX and these systems
//! have.
//!
//! The comment of each function says where it is weaker than on Linux. This file was only run on Linux so far, by
//! `tests/platforms.sh`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, Dir, Mode, OFlags};
use rustix::io::{Errno, FdFlags};
use rustix::process::{Pid, Signal, geteuid, getppid, kill_process, test_kill_process};
use rustix::pty::{OpenptFlags, openpt};
use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM};

use super::{Attributes, FileSystem, Listed};

/// How a directory is opened to reach files in it. It must be readable.
pub(crate) const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Opens a directory, and follows no link on the way: name by name.
pub(crate) fn open_without_links(path: &Path) -> rustix::io::Result<Option<OwnedFd>> {
    let start = if path.is_absolute() { "/" } else { "." };
    let mut directory = rustix::fs::openat(CWD, start, DIRECTORY, Mode::empty())?;
    for component in path.components() {
        if let Component::Normal(_) | Component::ParentDir = component {
            let flags = DIRECTORY | OFlags::NOFOLLOW;
            directory = rustix::fs::openat(&directory, component.as_os_str(), flags, Mode::empty())?;
        }
    }
    Ok(Some(directory))
}

/// Returns what the system says of the file `name` in the directory `at`, or of `at` itself if that is empty. These systems
/// mount directories only; their flags are those of chflags(1).
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
pub(crate) fn attributes(at: impl AsFd, name: &OsStr) -> Attributes {
    /// UF_IMMUTABLE, UF_APPEND, SF_IMMUTABLE and SF_APPEND of sys/stat.h.
    const FIXED: u32 = 0x2 | 0x4 | 0x2_0000 | 0x4_0000;
    let stat = match name.is_empty() {
        true => rustix::fs::fstat(at),
        false => rustix::fs::statat(at, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW),
    };
    Attributes { is_mount_root: false, is_fixed: stat.is_ok_and(|stat| stat.st_flags & FIXED != 0) }
}

/// Returns no attributes, as none are known on these systems.
#[cfg(not(any(target_vendor = "apple", target_os = "freebsd")))]
pub(crate) fn attributes(_at: impl AsFd, _name: &OsStr) -> Attributes {
    Attributes::default()
}

/// Returns `None`: these systems have no files without a name.
pub(crate) fn create_nameless(_dir: &OwnedFd) -> rustix::io::Result<Option<File>> {
    Ok(None)
}

/// Always fails: [`create_nameless`] never returns a file.
pub(crate) fn link_nameless(_file: &File, _dir: &OwnedFd, _name: &OsStr) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}

/// Renames a file. Fails if the new name exists, or if the file system does not support that.
#[cfg(target_vendor = "apple")]
pub(crate) fn rename_to_new(dir: &OwnedFd, from: &OsStr, to: &OsStr) -> rustix::io::Result<()> {
    rustix::fs::renameat_with(dir, from, dir, to, rustix::fs::RenameFlags::NOREPLACE)
}

/// Always fails. The caller then makes a hard link, which fails if the name exists, and removes the old name.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn rename_to_new(_dir: &OwnedFd, _from: &OsStr, _to: &OsStr) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}

/// Exchanges two names at once. Fails if the file system does not support that.
#[cfg(target_vendor = "apple")]
pub(crate) fn exchange(dir: &OwnedFd, one: &OsStr, other: &OsStr) -> rustix::io::Result<()> {
    rustix::fs::renameat_with(dir, one, dir, other, rustix::fs::RenameFlags::EXCHANGE)
}

/// Always fails. The caller then compares the old file and renames. A save by another program between these two steps
/// is lost.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn exchange(_dir: &OwnedFd, _one: &OsStr, _other: &OsStr) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}

/// Makes the names in an open directory durable. On macOS fsync leaves them in the cache of the disk; for files, std calls
/// F_FULLFSYNC itself.
#[cfg(target_vendor = "apple")]
pub(crate) fn sync_directory(dir: &OwnedFd) -> rustix::io::Result<()> {
    match rustix::fs::fcntl_fullfsync(dir) {
        // The file system, for example that of a server, does not support it.
        Err(Errno::NOTSUP | Errno::OPNOTSUPP | Errno::NOTTY | Errno::INVAL) => rustix::fs::fsync(dir),
        synced => synced,
    }
}

/// Makes the names in an open directory durable.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn sync_directory(dir: &OwnedFd) -> rustix::io::Result<()> {
    rustix::fs::fsync(dir)
}

/// Always fails: these systems cannot sync a single file system.
pub(crate) fn sync_file_system(_file: &File) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}

/// Lists a directory in the order in which the kernel returns it, without `.` and `..`.
pub(crate) fn list(directory: &OwnedFd) -> io::Result<Vec<Listed>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            entries.push(Listed { name: OsString::from_vec(name.to_vec()), kind: entry.file_type() });
        }
    }
    Ok(entries)
}

/// Returns the kind of the file system at `path`.
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
pub(crate) fn file_system(path: &Path) -> io::Result<FileSystem> {
    let stat = rustix::fs::statfs(path)?;
    let name: Vec<u8> = stat.f_fstypename.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
    Ok(if name == b"tmpfs" { FileSystem::Tmpfs } else { FileSystem::Other })
}

/// Returns [`FileSystem::Other`], as the kind is unknown on these systems.
#[cfg(not(any(target_vendor = "apple", target_os = "freebsd")))]
pub(crate) fn file_system(path: &Path) -> io::Result<FileSystem> {
    path.metadata()?;
    Ok(FileSystem::Other)
}

/// Returns the directories for plaintext files: the user's own, and that for temporary files, which macOS has for each user.
/// They may be on a disk. A directory of another user is excluded, unless its files are safe from others (sticky).
pub(crate) fn places_for_plaintext() -> Vec<PathBuf> {
    const STICKY: u32 = 0o1000;
    let user = geteuid().as_raw();
    let is_safe = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|meta| meta.uid() == user || meta.uid() == 0 && meta.mode() & STICKY != 0)
    };
    let named = crate::env::variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    named.into_iter().chain([env::temp_dir()]).filter(|path| path.is_absolute()).filter(is_safe).collect()
}

/// Creates an empty file of mode 0600 and removes its name at once. A program that is started inherits the file.
pub(crate) fn create_for_inheritance(_name: &OsStr) -> io::Result<File> {
    let name = format!("fernseal-{:016x}", getrandom::u64().map_err(io::Error::other)?);
    let path = env::temp_dir().join(name);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let file = File::from(rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?);
    fs::remove_file(path)?;
    Ok(file)
}

/// Returns a path of an open file. It is valid for this process, for a program that replaces it (exec), and for
/// processes that inherit the file.
pub(crate) fn path_of_descriptor(descriptor: RawFd) -> PathBuf {
    format!("/dev/fd/{descriptor}").into()
}

/// Opens the terminal at stderr once more, so that flags set on it change nothing for others.
pub(crate) fn reopen_stderr(flags: OFlags) -> io::Result<OwnedFd> {
    let name = rustix::termios::ttyname(io::stderr(), Vec::new())?;
    Ok(rustix::fs::open(name, flags, Mode::empty())?)
}

/// Opens a pseudo-terminal. The programs that are started do not inherit it.
pub(crate) fn open_pseudo_terminal() -> io::Result<OwnedFd> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&master, FdFlags::CLOEXEC)?;
    Ok(master)
}

/// Returns the path of the running program.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    env::current_exe()
}

/// Does nothing: the calls of these systems need unsafe code. The resource limit disables core dumps.
pub(crate) fn forbid_debugging() {}

/// The interval at which this process checks whether another one has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a program that does not outlive the process `parent`, and returns how it ended. This process stays, watches its
/// parent, and kills the program when the parent has ended or when this process gets SIGTERM. If this process itself is
/// killed, the program continues.
pub(crate) fn run_until_parent_ends(parent: Pid, command: &mut Command) -> io::Result<ExitStatus> {
    // The program gets the signals of the terminal too, and decides what they mean.
    let (asked, ignored) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    signal_hook::flag::register(SIGTERM, Arc::clone(&asked))?;
    for signal in [SIGINT, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::clone(&ignored))?;
    }
    let mut child = command.spawn()?;
    // The parent waits for the program to close the pipe, so this process must not keep it open.
    close_streams()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if asked.load(Ordering::Relaxed) || getppid() != Some(parent) {
            child.kill()?;
            return child.wait();
        }
        thread::sleep(LOOK);
    }
}

/// Replaces stdin and stdout with /dev/null.
fn close_streams() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

/// Kills a program that was started by [`run_until_parent_ends`].
pub(crate) fn kill_bound(child: &mut Child) -> io::Result<()> {
    Ok(kill_process(Pid::from_child(child), Signal::TERM)?)
}

/// Reports whether two results of [`start_of`] are of one process. Some systems compute the start time from a running
/// clock, so it may differ by a little.
pub(crate) fn is_same_start(one: u64, other: u64) -> bool {
    one.abs_diff(other) <= 2
}

/// Returns the start time of a process, in seconds from some point. A zombie gets a time that no process has.
pub(crate) fn start_of(pid: Pid) -> Option<u64> {
    let mut ps = Command::new("/bin/ps");
    ps.args(["-o", "stat=", "-o", "lstart=", "-p"]).arg(pid.as_raw_pid().to_string());
    // ps prints local time and translated names, so set the time zone and the language.
    ps.env_clear().env("TZ", "UTC0").env("LC_ALL", "C").stdin(Stdio::null()).stderr(Stdio::null());
    parse_start(std::str::from_utf8(&ps.output().ok()?.stdout).ok()?)
}

/// Parses what ps prints, such as `S+ Sun Nov 29 11:13:16 2026`.
fn parse_start(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [state, _, month, day, time, year] = words[..] else { return None };
    if state.starts_with('Z') {
        return Some(u64::MAX);
    }
    let month = MONTHS.find(month)? as u64 / 3;
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    let mut seconds = (year * 12 + month) * 31 + day;
    let parts = time.split(':').collect::<Vec<_>>();
    for (part, size) in parts.iter().zip([24, 60, 60]) {
        seconds = seconds * size + part.parse::<u64>().ok()?;
    }
    (parts.len() == 3).then_some(seconds)
}

/// Returns 0, as these systems have no PID namespaces.
pub(crate) fn pid_namespace() -> u64 {
    0
}

/// Waits for the end of a process. `is_alive` reports whether it still runs. Each call starts a process, so the calls
/// become less frequent; it is also called as soon as no process has this id any more.
pub(crate) fn wait_for_end(pid: Pid, is_alive: impl Fn() -> bool) {
    const MOST: u32 = 200;
    let mut looks = 1;
    while is_alive() {
        for _ in 0..looks {
            if test_kill_process(pid) == Err(Errno::SRCH) {
                return;
            }
            thread::sleep(LOOK);
        }
        looks = (looks * 2).min(MOST);
    }
}

/// Returns no signals: a query for the ignored ones needs unsafe code. So `run --redact` passes on a hangup even under
/// nohup.
pub(crate) fn ignored_signals() -> u64 {
    0
}

/// Always fails: systemd's journal exists only on Linux.
pub(crate) fn send_to_journal(_socket: &Path, _fields: &[(&str, &str)]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process_is_read_from_ps() {
        let at = |time: &str| parse_start(&format!("S+   Sun Nov 29 {time} 2026\n"));
        assert_eq!(at("11:13:16").unwrap() + 1, at("11:13:17").unwrap());
        assert_eq!(at("11:59:59").unwrap() + 1, at("12:00:00").unwrap());
        assert_eq!(parse_start("Z Sun Nov 29 11:13:16 2026"), Some(u64::MAX));
        assert!([at("11:13"), parse_start(""), parse_start("S x")].iter().all(Option::is_none));
        assert!(start_of(rustix::process::getpid()).is_some_and(|start| start < u64::MAX));
    }

    #[test]
    fn no_link_is_followed_on_the_way_to_a_directory() {
        let place = env::temp_dir().join(format!("fernseal-links-{}", std::process::id()));
        fs::create_dir_all(place.join("a/b")).unwrap();
        std::os::unix::fs::symlink("a", place.join("l")).unwrap();
        let place = place.canonicalize().unwrap();
        assert!(open_without_links(&place.join("a/b")).is_ok());
        assert!(open_without_links(&place.join("l/b")).is_err());
        assert!(open_without_links(&place.join("a/../l")).is_err());
        fs::remove_dir_all(place).unwrap();
    }
}
