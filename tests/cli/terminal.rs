//! The command in front of a person: each test has a real pseudo-terminal, types into it and reads what it shows.
//! A key that is shown once leaves nothing in the scrollback; a secret that is typed does not appear;
//! however the command ends, the terminal is as it was.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, tcgetattr};

const KEY: &str = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans=";
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const END: &str = "(the end)";
/// Longer than anything takes, on however slow a machine.
const LONG: Duration = Duration::from_secs(60);

/// A command at a terminal of its own, in a folder that is gone in the end.
struct Terminal {
    master: File,
    slave: File,
    before: Termios,
    child: Child,
    read: Vec<u8>,
    shown: String,
    folder: PathBuf,
}

impl Terminal {
    fn run(name: &str, arguments: &[&str], key: Option<&str>) -> Self {
        let folder = env::temp_dir().join(format!("fernseal-terminal-{}-{name}", process::id()));
        // A run that was killed may have left one.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for fixture in ["config.json", "sealed.json"] {
            let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/cli/fixtures").join(fixture);
            fs::copy(from, folder.join(fixture)).unwrap();
        }
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_fernseal")])
            .args(arguments)
            .current_dir(&folder)
            .env_clear()
            .envs(key.map(|key| ("PROXMOX_MCP_MASTER_KEY", key)))
            .env("HOME", &folder)
            .env("TERM", "xterm")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave.try_clone().unwrap());
        let child = command.spawn().unwrap();
        Self { master: master.into(), slave, before, child, read: Vec::new(), shown: String::new(), folder }
    }

    /// Reads until `text` is shown.
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + LONG;
        while !self.shown.contains(text) {
            assert!(Instant::now() < deadline, "{text:?} was not shown, but {:?}", self.shown);
            self.read(100);
        }
    }

    /// Reads until `text` is shown for the `count`th time.
    fn wait_for_times(&mut self, text: &str, count: usize) {
        let deadline = Instant::now() + LONG;
        while self.shown.matches(text).count() < count {
            assert!(Instant::now() < deadline, "{text:?} was not shown {count} times, but {:?}", self.shown);
            self.read(100);
        }
    }

    /// Reads what comes within some milliseconds.
    fn read(&mut self, milliseconds: i64) {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let timeout = Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
        if poll(&mut fds, Some(&timeout)).unwrap() > 0 {
            let mut buffer = [0; 4096];
            let len = self.master.read(&mut buffer).unwrap();
            self.read.extend(&buffer[..len]);
            // Half a character may be among it.
            self.shown = String::from_utf8_lossy(&self.read).into_owned();
        }
    }

    fn enter(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// The command itself; `setsid` is its parent where it had to fork.
    fn pid(&self) -> Pid {
        let parent = self.child.id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let pid = children.split_whitespace().next().map_or(parent, |pid| pid.parse().unwrap());
        Pid::from_raw(pid.try_into().unwrap()).unwrap()
    }

    /// Waits for the end; the exit code. The terminal must be as it was before.
    fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LONG;
        let status = loop {
            self.read(20);
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {:?}", self.shown);
        };
        // All that it has shown comes before what we show after it.
        self.slave.write_all(END.as_bytes()).unwrap();
        self.wait_for(END);
        let after = tcgetattr(&self.slave).unwrap();
        assert_eq!(after.local_modes, self.before.local_modes);
        assert_eq!(after.input_modes, self.before.input_modes);
        assert_eq!(after.output_modes, self.before.output_modes);
        assert_eq!(self.shown.matches(ENTER).count(), self.shown.matches(LEAVE).count(), "{:?}", self.shown);
        status.code()
    }

    /// What is shown outside the alternate screen: what stays in the scrollback.
    fn scrollback(&self) -> String {
        let mut left = String::new();
        for (at, part) in self.shown.split(ENTER).enumerate() {
            left += if at == 0 { part } else { part.split_once(LEAVE).map_or("", |(_, rest)| rest) };
        }
        left
    }

    /// The key on the alternate screen.
    fn key(&self) -> String {
        let screen = self.shown.split_once(ENTER).unwrap().1;
        screen.split_whitespace().find(|word| word.len() == 44 && word.ends_with('=')).unwrap().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

#[test]
fn a_new_key_is_shown_once_after_enter_and_leaves_nothing_in_the_scrollback() {
    let mut terminal = Terminal::run("shown", &["--generate-key"], None);
    terminal.wait_for("Press Enter");
    terminal.read(200);
    assert!(!terminal.shown.contains(ENTER), "it waits for Enter");
    terminal.enter("\n");
    terminal.wait_for("Type yes: ");
    terminal.enter("no\n");
    terminal.wait_for("no\r\nIs it stored? Type yes: ");
    terminal.enter("yes\n");
    assert_eq!(terminal.end(), Some(0));
    let key = terminal.key();
    assert!(!terminal.scrollback().contains(&key));
    let screen = terminal.shown.split_once(ENTER).unwrap().1.split_once(LEAVE).unwrap().0;
    assert!(screen.ends_with("\x1b[2J\x1b[H"), "the screen is cleared before it is left");
    assert!(terminal.scrollback().contains("your-generated-key"), "{:?}", terminal.scrollback());
}

#[test]
fn control_c_and_signals_while_the_key_is_shown_leave_the_terminal_as_it_was() {
    for (name, signal) in
        [("typed", None), ("int", Some(Signal::INT)), ("term", Some(Signal::TERM)), ("hup", Some(Signal::HUP))]
    {
        let mut terminal = Terminal::run(name, &["keygen"], None);
        terminal.wait_for("Press Enter");
        terminal.enter("\n");
        terminal.wait_for("Type yes: ");
        match signal {
            None => terminal.enter("\x03"),
            Some(signal) => kill_process(terminal.pid(), signal).unwrap(),
        }
        assert_ne!(terminal.end(), Some(0), "{name}");
        let key = terminal.key();
        assert!(!terminal.scrollback().contains(&key), "{name}");
    }
}

#[test]
fn a_secret_is_asked_for_twice_and_does_not_appear() {
    let mut terminal = Terminal::run("set", &["set", "sealed.json", "/auth/token_value"], Some(KEY));
    terminal.wait_for("Secret for /auth/token_value: ");
    terminal.enter("hunter2\x7f3\n");
    terminal.wait_for("The same again: ");
    terminal.enter("hunter3\n");
    assert_eq!(terminal.end(), Some(0));
    assert!(!terminal.shown.contains("hunter"), "{:?}", terminal.shown);
    let get = Command::new(env!("CARGO_BIN_EXE_fernseal"))
        .args(["get", "sealed.json", "auth.token_value"])
        .current_dir(&terminal.folder)
        .env_clear()
        .env("PROXMOX_MCP_MASTER_KEY", KEY)
        .output()
        .unwrap();
    assert_eq!(get.stdout, b"hunter3\n");

    let mut terminal = Terminal::run("differ", &["set", "sealed.json", "/auth/token_value"], Some(KEY));
    let before = fs::read(terminal.folder.join("sealed.json")).unwrap();
    terminal.wait_for("Secret for");
    terminal.enter("one\n");
    terminal.wait_for("The same again: ");
    terminal.enter("two\n");
    assert_eq!(terminal.end(), Some(2));
    assert_eq!(fs::read(terminal.folder.join("sealed.json")).unwrap(), before);
}

#[test]
fn a_master_key_that_is_not_set_is_asked_for_and_does_not_appear_nor_stand_in_the_arguments() {
    let mut terminal = Terminal::run("key", &["get", "sealed.json", "auth.token_value"], None);
    terminal.wait_for(": ");
    let arguments = fs::read(format!("/proc/{}/cmdline", terminal.pid().as_raw_nonzero())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(KEY));
    terminal.enter(KEY);
    terminal.enter("\n");
    assert_eq!(terminal.end(), Some(0));
    assert!(!terminal.shown.contains(KEY), "{:?}", terminal.shown);
    assert!(terminal.shown.contains("F&g+#6k$"), "{:?}", terminal.shown);
}

#[test]
fn a_terminal_that_goes_away_ends_the_command() {
    let mut terminal = Terminal::run("gone", &["set", "sealed.json", "/auth/token_value"], Some(KEY));
    terminal.wait_for("Secret for");
    let before = fs::read(terminal.folder.join("sealed.json")).unwrap();
    let nothing = File::open("/dev/null").unwrap();
    terminal.slave = nothing.try_clone().unwrap();
    terminal.master = nothing;
    let deadline = Instant::now() + LONG;
    while terminal.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not end");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(fs::read(terminal.folder.join("sealed.json")).unwrap(), before);
}

#[test]
fn a_long_check_shows_how_far_it_has_come_and_what_it_says_stays_whole() {
    let configs = ["sealed.json"; 6];
    let arguments = [&["verify"][..], &configs].concat();
    let mut terminal = Terminal::run("progress", &arguments, Some(KEY));
    assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
    assert!(terminal.shown.contains("checking ") && terminal.shown.contains("/6 files"), "{:?}", terminal.shown);
    let line = "sealed.json /auth/token_value: opens\r\n";
    // Each begins a line, or one of which the bar was cleared.
    let is_first = |(at, _): &(usize, &str)| terminal.shown[..*at].ends_with(['\n', 'K']);
    assert_eq!(terminal.shown.match_indices(line).filter(is_first).count(), configs.len(), "{:?}", terminal.shown);
}

#[test]
fn a_redacted_program_has_a_terminal_of_the_same_size() {
    let script =
        "test -t 0 && test -t 1 && test -t 2 && echo all; stty size; echo \"$T\"; read x; echo \"got $x\"; exit 7";
    let arguments = ["run", "sealed.json", "--redact", "--env", "T=auth.token_value", "--", "sh", "-c", script];
    let mut terminal = Terminal::run("redacted", &arguments, Some(KEY));
    terminal.wait_for("all\r\n");
    terminal.wait_for("\r\n[redacted]\r\n");
    terminal.enter("typed\r");
    terminal.wait_for("got typed\r\n");
    assert_eq!(terminal.end(), Some(7));
    let size = rustix::termios::tcgetwinsize(&terminal.slave).unwrap();
    assert!(terminal.shown.contains(&format!("{} {}\r\n", size.ws_row, size.ws_col)), "{:?}", terminal.shown);
}

#[test]
fn a_redacted_program_sees_a_new_size_and_interrupts() {
    let script =
        "trap 'stty size' WINCH; trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done";
    let arguments = ["run", "sealed.json", "--redact", "--env", "T=auth.token_value", "--", "sh", "-c", script];
    let mut terminal = Terminal::run("resized", &arguments, Some(KEY));
    terminal.wait_for("ready\r\n");
    let size = rustix::termios::Winsize { ws_row: 41, ws_col: 97, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal.master, size).unwrap();
    terminal.wait_for("41 97\r\n");
    terminal.enter("\x03");
    terminal.wait_for("interrupted\r\n");
    assert_eq!(terminal.end(), Some(5));
}

#[test]
fn a_redacted_program_is_stopped_and_goes_on_as_a_job() {
    // A shell around it, which controls jobs.
    let arguments =
        ["run", "sealed.json", "--keep-key", "--config-env", "C", "--", "bash", "--norc", "--noediting", "-i"];
    let mut terminal = Terminal::run("job", &arguments, Some(KEY));
    terminal.wait_for("# ");
    let prompt = terminal.shown.clone();
    let script = "echo \"st\"arted; read x; echo \"$T, \"$x";
    let run = format!(
        "'{}' run sealed.json --redact --env T=auth.token_value -- sh -c '{script}'\n",
        env!("CARGO_BIN_EXE_fernseal")
    );
    terminal.enter(&run);
    terminal.wait_for("started\r\n");
    terminal.enter("\x1a");
    terminal.wait_for("Stopped");
    // The shell has its terminal back, which echoes and edits lines.
    terminal.enter(
        "stty -a | grep -c ' icanon.* echo \\|echo .* icanon\\|^icanon'; echo \"j\"obs; jobs -s | grep -c redact\n",
    );
    terminal.wait_for("jobs\r\n1\r\n");
    terminal.enter("fg\n");
    // The shell shows the command, as when it was entered and when it stopped.
    terminal.wait_for_times("read x; echo \"$T, \"$x'\r\n", 3);
    terminal.enter("typed\r");
    // What is typed before the program has ended is the program's.
    terminal.wait_for(&format!("[redacted], typed\r\n{prompt}"));
    terminal.enter("exit 6\n");
    assert_eq!(terminal.end(), Some(6));
}
