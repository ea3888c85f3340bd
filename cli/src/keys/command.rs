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
use crate::error::{Exit, Failure, Result};
use crate::interrupt;

/// The most that a command may print, in bytes: some keys, and by far no log.
const MAX_OUTPUT: usize = 4096;

/// How long a command may take to end after an interrupt.
const GRACE: Duration = Duration::from_secs(2);

/// Runs `command`, which `named_by` names, and returns what it prints.
pub(super) fn read(named_by: &str, command: &OsStr) -> Result<Zeroizing<String>> {
    let by_hand = match named_by.strip_prefix("--") {
        Some(_) => "run the command by hand, and look at what it prints".to_owned(),
        None => format!("run it by hand, and look at what it prints: sh -c \"${named_by}\""),
    };
    let failed =
        |what: String, next: &str| Failure::new(Exit::Key, format!("the key command ({named_by}) {what}"), next);
    let mut started = start(command).map_err(|error| failed(format!("cannot be started: {error}"), &by_hand))?;
    let ended = interrupt::while_waiting(|is_asked_to_end| wait(&mut started, is_asked_to_end));
    let output = match ended.map_err(|error| failed(format!("cannot be read: {error}"), &by_hand))? {
        Ended::Well(output) => output,
        Ended::Failed(status) => return Err(failed(format!("failed ({status})"), &by_hand)),
        Ended::TooLong => {
            let next = "let it print the key alone, as `fernseal keygen --print` does";
            return Err(failed("printed more than 4 KiB".to_owned(), next));
        }
        Ended::Interrupted => {
            return Err(failed("was interrupted".to_owned(), "run it again, and let the command end by itself"));
        }
    };
    if output.contains(&0) {
        let next = "let it print the key's text: 44 characters of base64, not the key's bytes";
        return Err(failed("printed a NUL byte".to_owned(), next));
    }
    if output.trim_ascii().is_empty() {
        return Err(failed("printed nothing".to_owned(), &by_hand));
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
    let failed = |error: io::Error| Failure::new(Exit::Key, format!("sh cannot be started: {error}"), "install sh");
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| failed(error.into()))?;
    // The parent may have ended before that.
    if getppid().map(Pid::as_raw_pid) != Some(parent) {
        return Err(failed(io::Error::other("the process that wants the key has ended")));
    }
    let [program, arguments @ ..] = program else { return Err(failed(io::ErrorKind::InvalidInput.into())) };
    Err(failed(Command::new(program).args(arguments).exec()))
}
