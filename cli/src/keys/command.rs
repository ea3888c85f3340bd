//! A command that prints a key: the door to password managers, key services, hardware tokens and age.
//! The command has stdin, stderr and the terminal of this process, so it can ask for a PIN or a touch.
//!
//! It dies with this process. A signal at the terminal reaches both, as they are of one process group. If this process
//! alone is killed, the system kills the command (PR_SET_PDEATHSIG). That must be set in the new process before it becomes
//! the shell, which std allows only in unsafe code. So this program is started once more, sets it there, and becomes the
//! shell: the setting outlives an exec. What the shell itself has started ends when it writes to the closed pipe.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use zeroize::Zeroizing;

use crate::env::KEY_VARIABLES;
use crate::error::{CommandFlaw, KeyFailure, NamedBy, Result};
use crate::interrupt;

/// The most that a command may print, in bytes: some keys, and by far no log.
const MAX_OUTPUT: usize = 4096;

/// How long a command may take to end after an interrupt.
const GRACE: Duration = Duration::from_secs(2);

/// Runs `command`, which `named_by` names, and returns what it prints.
pub(super) fn read(named_by: NamedBy, command: &OsStr) -> Result<Zeroizing<String>> {
    let failed = |flaw| KeyFailure::Command { named_by, flaw };
    let mut started = start(command).map_err(|error| failed(CommandFlaw::NotStarted(error.into())))?;
    let ended = interrupt::while_waiting(|is_asked_to_end| wait(&mut started, is_asked_to_end));
    let output = match ended.map_err(|error| failed(CommandFlaw::Unreadable(error.into())))? {
        Ended::Well(output) => output,
        Ended::Failed(status) => return Err(failed(CommandFlaw::Failed(status)).into()),
        Ended::TooLong => return Err(failed(CommandFlaw::TooLong).into()),
        Ended::Interrupted => return Err(failed(CommandFlaw::Interrupted).into()),
    };
    if output.contains(&0) {
        return Err(failed(CommandFlaw::PrintedNul).into());
    }
    if output.trim_ascii().is_empty() {
        return Err(failed(CommandFlaw::PrintedNothing).into());
    }
    // What is not UTF-8 is no key; the replacement character makes the message say so.
    Ok(Zeroizing::new(String::from_utf8_lossy(&output).into_owned()))
}

/// How a command ended.
enum Ended {
    Well(Zeroizing<Vec<u8>>),
    Failed(std::process::ExitStatus),
    TooLong,
    Interrupted,
}

fn start(command: &OsStr) -> io::Result<Child> {
    let mut bound = Command::new("/proc/self/exe");
    bound.arg0("fernseal").arg("bound").arg("--parent").arg(std::process::id().to_string());
    bound.args(["--", "sh", "-c"]).arg(command).stdout(Stdio::piped());
    KEY_VARIABLES.iter().for_each(|name| _ = bound.env_remove(name));
    bound.spawn()
}

/// Reads all that the command prints, and waits for its end.
fn wait(child: &mut Child, is_asked_to_end: &dyn Fn() -> bool) -> io::Result<Ended> {
    let mut output = Zeroizing::new(Vec::with_capacity(MAX_OUTPUT + 1));
    let Some(mut stdout) = child.stdout.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
    let mut deadline = None;
    let ended = loop {
        if is_asked_to_end() && Instant::now() >= *deadline.get_or_insert_with(|| Instant::now() + GRACE) {
            break Some(Ended::Interrupted);
        }
        if !is_readable(&stdout)? {
            continue;
        }
        // One byte too many tells that the output is too long.
        let room = MAX_OUTPUT + 1 - output.len();
        let mut buffer = Zeroizing::new([0; MAX_OUTPUT + 1]);
        match stdout.read(&mut buffer[..room])? {
            0 => break None,
            len => output.extend_from_slice(&buffer[..len]),
        }
        if output.len() > MAX_OUTPUT {
            break Some(Ended::TooLong);
        }
    };
    drop(stdout);
    if let Some(ended) = ended {
        // It fails if the command has just ended.
        let _ = child.kill();
        child.wait()?;
        return Ok(ended);
    }
    // It has closed its stdout, but may run on.
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if is_asked_to_end() && Instant::now() >= *deadline.get_or_insert_with(|| Instant::now() + GRACE) {
            let _ = child.kill();
            break child.wait()?;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ok(match is_asked_to_end() {
        true => Ended::Interrupted,
        false if status.success() => Ended::Well(output),
        false => Ended::Failed(status),
    })
}

/// Whether something can be read, or the end was reached, within a tenth of a second.
fn is_readable(stdout: &ChildStdout) -> io::Result<bool> {
    let timeout = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    match poll(&mut [PollFd::new(stdout, PollFlags::IN)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Becomes `program`, which is killed when the process `parent` ends.
pub(crate) fn run_bound(parent: i32, program: &[OsString]) -> Result<()> {
    let failed = |error: io::Error| KeyFailure::ShellNotStarted { error: error.into() };
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| failed(error.into()))?;
    // The parent may have ended before that.
    if getppid().map(Pid::as_raw_pid) != Some(parent) {
        return Err(failed(io::Error::other("the process that wants the key has ended")).into());
    }
    let [program, arguments @ ..] = program else { return Err(failed(io::ErrorKind::InvalidInput.into()).into()) };
    Err(failed(Command::new(program).args(arguments).exec()).into())
}
