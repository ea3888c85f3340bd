//! `run --redact`: runs the program as a child and forwards its output without the secrets.
//!
//! If stdout is a terminal, the program gets a pseudo-terminal with the same size and mode, in its own session. Its
//! parent there is the monitor, a second process of this program (`fernseal session`), because job control requires a
//! parent in the same session. If the program stops, the monitor stops; this process notices, stops too, and the
//! calling shell notices that. Streams that are not terminals become pipes. Without a terminal the program stays in
//! this process group, so that signals from the terminal reach it directly.
//!
//! This prevents accidents, such as secrets in logs or in the context of agents. It is not a security boundary: a
//! program can print a secret in an encoding that is not searched for.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, kill_process, waitpid};
use rustix::pty::{grantpt, ptsname, unlockpt};
use rustix::termios::{self, OptionalActions, OutputModes, Termios};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH};

use super::redact::{Patterns, Redactor};
use crate::platform;

/// The size of one read.
const CHUNK: usize = 64 * 1024;

/// Runs `program` and forwards its output with the secrets replaced. Returns how it ended.
pub(super) fn relay(program: &Command, patterns: Patterns, core_limit: Rlimit) -> io::Result<ExitStatus> {
    let patterns = Arc::new(patterns);
    let terminal = io::stdout().is_terminal();
    let mut signals = Signals::new(if terminal { &[SIGWINCH, SIGCONT] } else { &[] })?;
    let mut pumps = Vec::new();
    let (mut child, screen) = if terminal {
        let (screen, slave) = Screen::open()?;
        let mut monitor = monitor(program)?;
        let slave = || slave.try_clone();
        if io::stdin().is_terminal() {
            monitor.stdin(slave()?);
        }
        monitor.stdout(slave()?);
        monitor.stderr(if io::stderr().is_terminal() { slave()?.into() } else { Stdio::piped() });
        (spawn(&mut monitor, core_limit)?, Some(screen))
    } else {
        let mut command = copy_of(program, program.get_program().into(), &[]);
        command.args(program.get_args()).stdout(Stdio::piped()).stderr(Stdio::piped());
        (spawn(&mut command, core_limit)?, None)
    };
    if let Some(screen) = &screen {
        screen.take_over();
        pumps.push(pump(screen.master.try_clone()?, io::stdout().as_fd().try_clone_to_owned()?, &patterns));
        if io::stdin().is_terminal() {
            pass_keys_on(io::stdin().as_fd().try_clone_to_owned()?, screen.master.try_clone()?);
        }
    }
    if let Some(stdout) = child.stdout.take() {
        pumps.push(pump(stdout.into(), io::stdout().as_fd().try_clone_to_owned()?, &patterns));
    }
    if let Some(stderr) = child.stderr.take() {
        pumps.push(pump(stderr.into(), io::stderr().as_fd().try_clone_to_owned()?, &patterns));
    }
    let ended = signals.wait_for(&child, screen.as_ref());
    // Forward the last output before anything else is printed.
    for pump in pumps {
        let _ = pump.join();
    }
    ended
}

/// Starts a process with the original limit on core dumps.
fn spawn(command: &mut Command, core_limit: Rlimit) -> io::Result<Child> {
    let own = rustix::process::getrlimit(Resource::Core);
    // Best effort: if this fails, the program has a lower limit.
    let _ = rustix::process::setrlimit(Resource::Core, core_limit);
    let child = command.spawn();
    let _ = rustix::process::setrlimit(Resource::Core, own);
    child
}

/// Returns the command that runs `program` in its own session.
fn monitor(program: &Command) -> io::Result<Command> {
    let mut monitor = copy_of(program, platform::this_program()?.into(), &["session", "--"]);
    monitor.arg0("fernseal").arg(program.get_program()).args(program.get_args());
    Ok(monitor)
}

/// Returns a command with the environment of `program`.
fn copy_of(program: &Command, name: OsString, arguments: &[&str]) -> Command {
    let mut copy = Command::new(name);
    copy.args(arguments);
    for (variable, value) in program.get_envs() {
        match value {
            Some(value) => copy.env(variable, value),
            None => copy.env_remove(variable),
        };
    }
    copy
}

/// Forwards from `from` to `to` with the secrets replaced, until either end is closed.
fn pump(from: OwnedFd, to: OwnedFd, patterns: &Arc<Patterns>) -> JoinHandle<()> {
    let patterns = Arc::clone(patterns);
    thread::spawn(move || {
        let (mut from, mut to) = (File::from(from), File::from(to));
        let (mut redactor, mut chunk, mut out) = (Redactor::new(&patterns), vec![0; CHUNK], Vec::new());
        loop {
            match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(len) => redactor.push(&chunk[..len], &mut out),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // EIO means that the other end of the pseudo-terminal is closed.
                Err(_) => break,
            }
            // If the reader went away, return and close `from`: the program's next write then fails.
            if to.write_all(&out).is_err() {
                return;
            }
            out.clear();
        }
        redactor.finish(&mut out);
        let _ = to.write_all(&out);
    })
}

/// Forwards keys to the pseudo-terminal while this process is in the foreground. In the background, reading would stop
/// it.
fn pass_keys_on(keys: OwnedFd, master: OwnedFd) {
    thread::spawn(move || {
        let (mut keys, mut master) = (File::from(keys), File::from(master));
        let mut chunk = [0; 4096];
        loop {
            if !is_foreground(keys.as_fd()) {
                thread::sleep(Duration::from_millis(50));
                continue;
            }
            let timeout = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            if !matches!(poll(&mut [PollFd::new(&keys, PollFlags::IN)], Some(&timeout)), Ok(1..)) {
                continue;
            }
            match keys.read(&mut chunk) {
                Ok(len) if len > 0 && master.write_all(&chunk[..len]).is_ok() => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    });
}

/// Reports whether this process group is in the foreground of the terminal.
fn is_foreground(terminal: BorrowedFd<'_>) -> bool {
    termios::tcgetpgrp(terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// The real terminal and the program's pseudo-terminal.
struct Screen {
    master: OwnedFd,
    /// The previous mode of the real terminal.
    before: Termios,
}

impl Screen {
    /// Opens a pseudo-terminal with the mode and size of the real one.
    fn open() -> io::Result<(Self, OwnedFd)> {
        let before = termios::tcgetattr(io::stdout())?;
        let master = platform::open_pseudo_terminal()?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        termios::tcsetattr(&slave, OptionalActions::Now, &before)?;
        let screen = Self { master, before };
        screen.resize();
        Ok((screen, slave))
    }

    /// Copies the size of the real terminal to the pseudo-terminal.
    fn resize(&self) {
        // If the real terminal has no size, neither has the pseudo-terminal.
        if let Ok(size) = termios::tcgetwinsize(io::stdout()) {
            let _ = termios::tcsetwinsize(&self.master, size);
        }
    }

    /// Sets the real terminal to raw mode if this process is in the foreground, as the pseudo-terminal does the
    /// processing.
    fn take_over(&self) {
        if !is_foreground(io::stdout().as_fd()) {
            return;
        }
        let mut mode = self.before.clone();
        if io::stdin().is_terminal() {
            mode.make_raw();
        } else {
            // No keys are forwarded, so Ctrl-C and the like must still act on the real terminal.
            mode.output_modes -= OutputModes::OPOST;
        }
        let _ = termios::tcsetattr(io::stdout(), OptionalActions::Drain, &mode);
    }

    /// Restores the previous mode of the real terminal.
    fn give_back(&self) {
        if is_foreground(io::stdout().as_fd()) {
            let _ = termios::tcsetattr(io::stdout(), OptionalActions::Drain, &self.before);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The signals that arrived, each through its own pipe.
struct Signals {
    pipes: Vec<(i32, UnixStream)>,
}

impl Signals {
    /// Listens to the signals that end or wake up a program, and to those of `more`.
    fn new(more: &[i32]) -> io::Result<Self> {
        let mut wanted = vec![SIGCHLD, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2];
        let from_terminal = [SIGINT, SIGQUIT];
        wanted.extend(from_terminal);
        wanted.extend(more);
        let ignored = platform::ignored_signals();
        let mut pipes = Vec::new();
        // A signal that nohup or the like ignores stays ignored, for the program too.
        for signal in wanted.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0) {
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal, write)?;
            pipes.push((signal, read));
        }
        Ok(Self { pipes })
    }

    /// Waits for at least one signal.
    fn next(&mut self) -> Vec<i32> {
        let mut fds: Vec<_> = self.pipes.iter().map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)).collect();
        // A signal interrupts the poll, and the loop below finds it.
        let _ = poll(&mut fds, None);
        drop(fds);
        let mut came = Vec::new();
        for (signal, pipe) in &mut self.pipes {
            if pipe.read(&mut [0; 64]).is_ok_and(|len| len > 0) {
                came.push(*signal);
            }
        }
        came
    }

    /// Waits up to 200 ms for SIGCONT after requesting a stop. The kernel may deliver the stop signal to another
    /// thread, so this thread may run on for a moment before it stops.
    fn wait_for_continuation(&self) {
        let continued = self.pipes.iter().filter(|(signal, _)| *signal == SIGCONT);
        let mut fds: Vec<_> = continued.map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)).collect();
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 200_000_000 }));
    }

    /// Waits for `child` to end, and forwards signals to it meanwhile.
    fn wait_for(&mut self, child: &Child, screen: Option<&Screen>) -> io::Result<ExitStatus> {
        let pid = Pid::from_child(child);
        // The terminal sends SIGINT and SIGQUIT to the whole process group, which includes the program.
        let terminal_reaches_it = screen.is_none() && File::open("/dev/tty").is_ok();
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        loop {
            for signal in self.next() {
                match signal {
                    SIGCHLD => {
                        while let Some((_, status)) = waitpid(Some(pid), options)? {
                            if !status.stopped() {
                                return Ok(ExitStatus::from_raw(status.as_raw()));
                            }
                            if let Some(screen) = screen {
                                // The monitor has stopped because the program has.
                                screen.give_back();
                                let _ = rustix::process::kill_current_process_group(Signal::TSTP);
                                // This process is stopped here until somebody continues it, unless there is no job
                                // control.
                                self.wait_for_continuation();
                                screen.take_over();
                                let _ = kill_process(pid, Signal::CONT);
                            }
                        }
                    }
                    SIGWINCH => screen.iter().for_each(|screen| screen.resize()),
                    SIGCONT => screen.iter().for_each(|screen| {
                        screen.resize();
                        screen.take_over();
                    }),
                    SIGINT | SIGQUIT if terminal_reaches_it => {}
                    _ => {
                        if let Some(signal) = Signal::from_named_raw(signal) {
                            let _ = kill_process(pid, signal);
                        }
                    }
                }
            }
        }
    }
}

/// Runs the monitor: runs `program` in a new session on the terminal at stdout, and stops and ends like the program.
pub(crate) fn run_session(program: &[OsString], core_limit: Rlimit) -> io::Result<ExitStatus> {
    let [name, arguments @ ..] = program else { return Err(io::ErrorKind::InvalidInput.into()) };
    // SIGWINCH and SIGTSTP come from the terminal, and only until the program is in the foreground.
    let mut signals = Signals::new(&[SIGWINCH, SIGTSTP])?;
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(io::stdout())?;
    // The terminal can stop the program only in a process group of its own, apart from the monitor's.
    let child = spawn(Command::new(name).args(arguments).process_group(0), core_limit)?;
    let pid = Pid::from_child(&child);
    termios::tcsetpgrp(io::stdout(), pid)?;
    loop {
        for signal in signals.next() {
            if signal != SIGCHLD {
                if let Some(signal) = Signal::from_named_raw(signal) {
                    let _ = kill_process(pid, signal);
                }
                continue;
            }
            while let Some((_, status)) = waitpid(Some(pid), WaitOptions::NOHANG | WaitOptions::UNTRACED)? {
                if !status.stopped() {
                    return Ok(ExitStatus::from_raw(status.as_raw()));
                }
                // A race: the program may have accessed the terminal before it was in the foreground.
                let was_too_quick = status.stopping_signal().and_then(Signal::from_named_raw).is_some_and(|signal| {
                    [Signal::TTIN, Signal::TTOU].contains(&signal)
                        && termios::tcgetpgrp(io::stdout()).is_ok_and(|group| group == pid)
                });
                if !was_too_quick {
                    let _ = kill_process(rustix::process::getpid(), Signal::STOP);
                }
                let _ = rustix::process::kill_process_group(pid, Signal::CONT);
            }
        }
    }
}
