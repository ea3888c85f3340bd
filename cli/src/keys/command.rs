//! Runs a command that prints a key or stores one, such as that of a password manager, a key service, a hardware token or
//! age.
//!
//! The command inherits stderr and the terminal, so it can ask for a PIN or a touch. A command that prints a key inherits
//! stdin too; one that stores a key reads the key there. The command must not outlive this process:
//!
//! * A signal from the terminal reaches both, as they share a process group.
//! * If only this process is killed, the command is too (`platform::run_until_parent_ends`). On Linux a process must ask the
//!   kernel for that itself, between fork and exec, which std allows only in unsafe code. So this program starts itself once
//!   more (`fernseal bound`), and asks there.
//! * Programs that the shell has started end when they write to the closed pipe.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Pid;
use zeroize::Zeroizing;

use crate::env::KEY_VARIABLES;
use crate::error::{CommandFlaw, KeyFailure, NamedBy, Result};
use crate::interrupt;
use crate::platform;

/// The limit on the command's output, in bytes: room for several keys, but not for a log.
const MAX_OUTPUT: usize = 4096;

/// How long a command may take to end after an interrupt before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// Runs `command` and returns its output. `named_by` is the option or variable that contains the command.
pub(super) fn read(named_by: NamedBy, command: &OsStr) -> Result<Zeroizing<String>> {
    let failed = |flaw| KeyFailure::Command { named_by, flaw };
    let started = start(command, Stdio::inherit(), Stdio::piped());
    let mut started = started.map_err(|error| failed(CommandFlaw::NotStarted(error.into())))?;
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
    // Invalid UTF-8 is never a valid key. With the replacement character, parsing fails with the right message.
    Ok(Zeroizing::new(String::from_utf8_lossy(&output).into_owned()))
}

/// Runs `command` with `input` on its stdin, and discards its stdout, because some commands, such as `tee`, print the
/// key there.
pub(super) fn write(command: &OsStr, input: &[u8]) -> std::result::Result<(), CommandFlaw> {
    let started = start(command, Stdio::piped(), Stdio::null());
    let mut child = started.map_err(|error| CommandFlaw::NotStarted(error.into()))?;
    let unwritable = |error: io::Error| CommandFlaw::Unwritable(error.into());
    // A key is smaller than the buffer of a pipe, so this does not block.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    match written {
        // The command did not read all of it. Reading the key back will show whether the store has it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.map_err(unwritable)?,
    }
    let ended = interrupt::while_waiting(|is_asked_to_end| wait_for_end(&mut child, is_asked_to_end, None));
    match ended.map_err(unwritable)? {
        None => Err(CommandFlaw::Interrupted),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(CommandFlaw::Failed(status)),
    }
}

/// How a command ended.
enum Ended {
    Well(Zeroizing<Vec<u8>>),
    Failed(ExitStatus),
    TooLong,
    Interrupted,
}

fn start(command: &OsStr, stdin: Stdio, stdout: Stdio) -> io::Result<Child> {
    let mut bound = Command::new(platform::this_program()?);
    bound.arg0("fernseal").arg("bound").arg("--parent").arg(std::process::id().to_string());
    bound.args(["--", "sh", "-c"]).arg(command).stdin(stdin).stdout(stdout);
    KEY_VARIABLES.iter().for_each(|name| _ = bound.env_remove(name));
    bound.spawn()
}

/// Reads the command's whole output, and waits for its end.
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
        // One byte more than the limit shows that the output is too long.
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
        // This fails if the command has just ended.
        let _ = platform::kill_bound(child);
        child.wait()?;
        return Ok(ended);
    }
    // The command has closed its stdout but may still run.
    Ok(match wait_for_end(child, is_asked_to_end, deadline)? {
        None => Ended::Interrupted,
        Some(status) if status.success() => Ended::Well(output),
        Some(status) => Ended::Failed(status),
    })
}

/// Waits for the command's end. After an interrupt it returns `None`, and kills the command at `deadline`, or after
/// [`GRACE`] if there is none.
fn wait_for_end(
    child: &mut Child,
    is_asked_to_end: &dyn Fn() -> bool,
    mut deadline: Option<Instant>,
) -> io::Result<Option<ExitStatus>> {
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if is_asked_to_end() && Instant::now() >= *deadline.get_or_insert_with(|| Instant::now() + GRACE) {
            // This fails if the command has just ended.
            let _ = platform::kill_bound(child);
            break child.wait()?;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ok((!is_asked_to_end()).then_some(status))
}

/// Waits up to 100 ms for output or its end. Reports whether either has arrived.
fn is_readable(stdout: &ChildStdout) -> io::Result<bool> {
    let timeout = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    match poll(&mut [PollFd::new(stdout, PollFlags::IN)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Runs `program`, which is killed when the process `parent` ends. Then ends this process in the same way as the
/// program.
pub(crate) fn run_bound(parent: i32, program: &[OsString]) -> Result<()> {
    let failed = |error: io::Error| KeyFailure::ShellNotStarted { error: error.into() };
    let ([program, arguments @ ..], Some(parent)) = (program, Pid::from_raw(parent)) else {
        return Err(failed(io::ErrorKind::InvalidInput.into()).into());
    };
    let ended = platform::run_until_parent_ends(parent, Command::new(program).args(arguments));
    platform::end_as(ended.map_err(failed)?)
}
