//! `run --redact`: stays the program's parent and passes on what it prints, without the secrets.
//!
//! Where stdout is a terminal, the program gets a pseudo-terminal of the same size and mode, in a session of its own. Its
//! parent there is the monitor, a second process of ours (`fernseal session`), because only a parent in the same session
//! makes job control work: the monitor stops when the program stops, we see that and stop too, and the shell that started
//! us sees us stop. All else (pipes, files) gets pipes, and the program stays in our process group, so that the terminal's
//! signals reach it directly.
//!
//! This protects from accidents, in agents and logs. It is no border: a program can print a secret in a form that is not
//! looked for.

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
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{self, OptionalActions, OutputModes, Termios};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH};

use super::redact::{Patterns, Redactor};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Runs `program` and passes on what it prints, with the secrets replaced. Returns how it ended.
pub(super) fn relay(program: &Command, patterns: Patterns, core_limit: Rlimit) -> io::Result<ExitStatus> {
    let patterns = Arc::new(patterns);
    let terminal = io::stdout().is_terminal();
    let mut signals = Signals::new(if terminal { &[SIGWINCH, SIGCONT] } else { &[] })?;
    let mut pumps = Vec::new();
    let (mut child, screen) = if terminal {
        let (screen, slave) = Screen::open()?;
        let mut monitor = monitor(program);
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
    // What the program printed last comes before what is said or shown after it.
    for pump in pumps {
        let _ = pump.join();
    }
    ended
}

/// Ends this process as `status` tells: with the same code, or by the same signal.
pub(super) fn end_as(status: ExitStatus) -> ! {
    if let Some(signal) = status.signal() {
        // It returns where the signal does not end a process.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    std::process::exit(code)
}

/// Starts a process that has the limit on core dumps that we had before.
fn spawn(command: &mut Command, core_limit: Rlimit) -> io::Result<Child> {
    let own = rustix::process::getrlimit(Resource::Core);
    // Where the system refuses this, the program has a smaller limit.
    let _ = rustix::process::setrlimit(Resource::Core, core_limit);
    let child = command.spawn();
    let _ = rustix::process::setrlimit(Resource::Core, own);
    child
}

/// The command that runs `program` in a session of its own.
fn monitor(program: &Command) -> Command {
    let mut monitor = copy_of(program, "/proc/self/exe".into(), &["session", "--"]);
    monitor.arg0("fernseal").arg(program.get_program()).args(program.get_args());
    monitor
}

/// A command with the environment of `program`.
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

/// Passes what `from` gives on to `to`, with the secrets replaced, until the end of either.
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
                // The other end of a pseudo-terminal is closed.
                Err(_) => break,
            }
            // A reader that went away ends the program with its next output: `from` closes.
            if to.write_all(&out).is_err() {
                return;
            }
            out.clear();
        }
        redactor.finish(&mut out);
        let _ = to.write_all(&out);
    })
}

/// Passes keys on to the pseudo-terminal, while we are in the foreground: in the background, reading would stop us.
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

/// Whether what is typed at this terminal is for our process group.
fn is_foreground(terminal: BorrowedFd<'_>) -> bool {
    termios::tcgetpgrp(terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// The terminal that we have, and the pseudo-terminal that the program has.
struct Screen {
    master: OwnedFd,
    /// The mode of our terminal before.
    before: Termios,
}

impl Screen {
    /// Opens a pseudo-terminal that is like ours.
    fn open() -> io::Result<(Self, OwnedFd)> {
        let before = termios::tcgetattr(io::stdout())?;
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        termios::tcsetattr(&slave, OptionalActions::Now, &before)?;
        let screen = Self { master, before };
        screen.resize();
        Ok((screen, slave))
    }

    /// Gives the pseudo-terminal the size of ours.
    fn resize(&self) {
        // A terminal without a size leaves the other without one.
        if let Ok(size) = termios::tcgetwinsize(io::stdout()) {
            let _ = termios::tcsetwinsize(&self.master, size);
        }
    }

    /// Lets our terminal pass everything on as it is, if it is ours to set: the other one does what a terminal does.
    fn take_over(&self) {
        if !is_foreground(io::stdout().as_fd()) {
            return;
        }
        let mut mode = self.before.clone();
        if io::stdin().is_terminal() {
            mode.make_raw();
        } else {
            // Nobody passes keys on, so those that make signals still make them here.
            mode.output_modes -= OutputModes::OPOST;
        }
        let _ = termios::tcsetattr(io::stdout(), OptionalActions::Drain, &mode);
    }

    /// Puts our terminal into its mode of before.
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

/// Signals that came, each through a pipe of its own.
struct Signals {
    pipes: Vec<(i32, UnixStream)>,
}

impl Signals {
    /// The signals that end or wake a program, and those of `more`.
    fn new(more: &[i32]) -> io::Result<Self> {
        let mut wanted = vec![SIGCHLD, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2];
        let from_terminal = [SIGINT, SIGQUIT];
        wanted.extend(from_terminal);
        wanted.extend(more);
        let ignored = ignored_signals();
        let mut pipes = Vec::new();
        // What nohup and the like ignore stays ignored, for the program too.
        for signal in wanted.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0) {
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal, write)?;
            pipes.push((signal, read));
        }
        Ok(Self { pipes })
    }

    /// Waits until one comes.
    fn next(&mut self) -> Vec<i32> {
        let mut fds: Vec<_> = self.pipes.iter().map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)).collect();
        // Interrupted by the very signal: the next call finds it.
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

    /// Waits until the stop that was just asked for is over. Another thread may have taken the signal, so this one may run
    /// on for a moment.
    fn wait_for_continuation(&self) {
        let continued = self.pipes.iter().filter(|(signal, _)| *signal == SIGCONT);
        let mut fds: Vec<_> = continued.map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)).collect();
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 200_000_000 }));
    }

    /// Waits for the end of `child`, and meanwhile passes signals on to it.
    fn wait_for(&mut self, child: &Child, screen: Option<&Screen>) -> io::Result<ExitStatus> {
        let pid = Pid::from_child(child);
        // The terminal sends these to the whole group, the program among it.
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
                                // The monitor has stopped, as the program has.
                                screen.give_back();
                                let _ = rustix::process::kill_current_process_group(Signal::TSTP);
                                // Now we are stopped, until somebody lets us go on; or nobody controls jobs here.
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

/// The signals that this process ignores, each a bit.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_else(|_| String::new());
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// The monitor: runs `program` in a session of its own on the terminal at stdout, and ends and stops as it does.
pub(crate) fn run_session(program: &[OsString], core_limit: Rlimit) -> io::Result<ExitStatus> {
    let [name, arguments @ ..] = program else { return Err(io::ErrorKind::InvalidInput.into()) };
    // The last two come from the terminal, and only until the program has it.
    let mut signals = Signals::new(&[SIGWINCH, SIGTSTP])?;
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(io::stdout())?;
    // A group of its own, which is not the monitor's, can be stopped by the terminal.
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
                // One that was quick may have read from the terminal before it had it.
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
