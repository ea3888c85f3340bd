//! The command on a terminal: each test types into a real pseudo-terminal and reads what it shows. A new key that is
//! shown leaves nothing in the scrollback, a typed secret is not echoed, and however the command ends, it restores the
//! terminal.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{env, process, str, thread};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, tcgetattr};

const KEY: &str = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans=";
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const END: &str = "(the end)";
/// A time limit that even a slow machine does not reach.
const LONG: Duration = Duration::from_secs(60);

/// A command on its own terminal, in a temporary folder.
struct Terminal {
    master: File,
    slave: File,
    before: Termios,
    child: Child,
    read: Vec<u8>,
    shown: String,
    folder: PathBuf,
}

/// The path of the command; `$0` in a shell line.
const BINARY: &str = env!("CARGO_BIN_EXE_fernseal");

impl Terminal {
    fn run(name: &str, arguments: &[&str], key: Option<&str>) -> Self {
        let variables: Vec<_> = key.map(|key| ("PROXMOX_MCP_MASTER_KEY", key)).into_iter().collect();
        Self::start(name, &[&[BINARY], arguments].concat(), &variables, |_| {})
    }

    /// Runs a shell line in which `$0` is the command.
    fn run_line(name: &str, line: &str, variables: &[(&str, &str)]) -> Self {
        Self::start(name, &["bash", "-c", line, BINARY], variables, |_| {})
    }

    /// Starts a command in a folder, after `prepare` has changed it.
    fn start(name: &str, words: &[&str], variables: &[(&str, &str)], prepare: impl Fn(&Path)) -> Self {
        let folder = env::temp_dir().join(format!("fernseal-terminal-{}-{name}", process::id()));
        // A killed earlier run may have left the folder.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for fixture in ["config.json", "sealed.json"] {
            let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/cli/fixtures").join(fixture);
            fs::copy(from, folder.join(fixture)).unwrap();
        }
        prepare(&folder);
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait"])
            .args(words)
            .current_dir(&folder)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &folder)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .envs(variables.iter().copied())
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

    /// Reads until `text` is shown, at most for this long. Returns whether it is shown.
    fn shows_within(&mut self, text: &str, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while !self.shown.contains(text) && Instant::now() < deadline {
            self.read(100);
        }
        self.shown.contains(text)
    }

    /// Reads until `text` is shown the given number of times.
    fn wait_for_times(&mut self, text: &str, times: usize) {
        let deadline = Instant::now() + LONG;
        while self.shown.matches(text).count() < times {
            assert!(Instant::now() < deadline, "{text:?} was not shown {times} times, but {:?}", self.shown);
            self.read(100);
        }
    }

    /// Reads the output of the next milliseconds.
    fn read(&mut self, milliseconds: i64) {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let timeout = Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
        if poll(&mut fds, Some(&timeout)).unwrap() > 0 {
            let mut buffer = [0; 4096];
            let len = self.master.read(&mut buffer).unwrap();
            self.read.extend(&buffer[..len]);
            // The output may end in the middle of a character.
            self.shown = String::from_utf8_lossy(&self.read).into_owned();
        }
    }

    fn enter(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Disconnects the terminal.
    fn hang_up(&mut self) {
        let nothing = File::open("/dev/null").unwrap();
        self.slave = nothing.try_clone().unwrap();
        self.master = nothing;
        let deadline = Instant::now() + LONG;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns all files of the folder, with their contents.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut waiting = vec![self.folder.clone()];
        let mut files = Vec::new();
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                match fs::read(&entry) {
                    Ok(bytes) => files.push((entry, bytes)),
                    Err(_) => waiting.push(entry),
                }
            }
        }
        files.sort();
        files
    }

    /// Returns a value that the command decrypts with [`KEY`].
    fn get(&self, pointer: &str) -> String {
        let mut get = Command::new(BINARY);
        get.args(["get", "sealed.json", pointer]).current_dir(&self.folder).env_clear();
        String::from_utf8(get.env("PROXMOX_MCP_MASTER_KEY", KEY).output().unwrap().stdout).unwrap()
    }

    /// Returns the process id of the command. If `setsid` had to fork, the command is its child.
    fn pid(&self) -> Pid {
        let parent = self.child.id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let is_setsid = fs::read_to_string(format!("/proc/{parent}/comm")).is_ok_and(|name| name == "setsid\n");
        let child = children.split_whitespace().next().filter(|_| is_setsid);
        let pid = child.map_or(parent, |pid| pid.parse().unwrap());
        Pid::from_raw(pid.try_into().unwrap()).unwrap()
    }

    /// Waits for the end and returns the exit code. The command must have restored the terminal.
    fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LONG;
        let status = loop {
            self.read(20);
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {:?}", self.shown);
        };
        // The marker comes after all output of the command.
        self.slave.write_all(END.as_bytes()).unwrap();
        self.wait_for(END);
        let after = tcgetattr(&self.slave).unwrap();
        assert_eq!(after.local_modes, self.before.local_modes);
        assert_eq!(after.input_modes, self.before.input_modes);
        assert_eq!(after.output_modes, self.before.output_modes);
        assert_eq!(self.shown.matches(ENTER).count(), self.shown.matches(LEAVE).count(), "{:?}", self.shown);
        status.code()
    }

    /// Returns the output outside the alternate screen, which stays in the scrollback.
    fn scrollback(&self) -> String {
        let mut left = String::new();
        for (at, part) in self.shown.split(ENTER).enumerate() {
            left += if at == 0 { part } else { part.split_once(LEAVE).map_or("", |(_, rest)| rest) };
        }
        left
    }

    /// Returns the key on the alternate screen.
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
    assert_eq!(terminal.get("auth.token_value"), "hunter3\n");

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

/// The ways in which a person or the system ends a prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Typed(&'static str),
    Sent(Signal),
    HungUp,
}

const ENDS: [End; 7] = [
    End::Typed("\x03"),
    End::Typed("\x04"),
    End::Typed("\x1c"),
    End::Sent(Signal::INT),
    End::Sent(Signal::TERM),
    End::Sent(Signal::HUP),
    End::HungUp,
];

/// A prompt of a command: how to reach it, and the message after it is ended.
struct Prompt {
    name: &'static str,
    words: &'static [&'static str],
    key: bool,
    /// What is shown and what is then typed, before the prompt.
    steps: &'static [(&'static str, &'static str)],
    prompt: &'static str,
    said: &'static str,
}

const NOTHING_CHANGED: &str = "next: nothing was changed";
const NOTHING_PRINTED: &str = "next: nothing was printed; run it again when ready";

/// Returns the prompt for the master key, for a verb that has it.
const fn key_prompt(name: &'static str, words: &'static [&'static str]) -> Prompt {
    Prompt { name, words, key: false, steps: &[], prompt: "Master key: ", said: NOTHING_CHANGED }
}

const PROMPTS: [Prompt; 20] = [
    key_prompt("get", &["get", "sealed.json", "auth.token_value"]),
    key_prompt("set", &["set", "sealed.json", "auth.token_value"]),
    key_prompt("edit", &["edit", "sealed.json"]),
    key_prompt("encrypt", &["encrypt", "config.json"]),
    key_prompt("in-place", &["encrypt", "--in-place", "config.json"]),
    key_prompt("decrypt", &["decrypt", "sealed.json", "-o", "plain.json"]),
    key_prompt("verify", &["verify", "sealed.json"]),
    key_prompt("status", &["status", "--verify", "sealed.json"]),
    key_prompt("rotate", &["rotate", "sealed.json"]),
    key_prompt("rollback", &["rotate", "--rollback", "rotated"]),
    key_prompt("prune", &["backups", "prune", "rotated"]),
    key_prompt("run", &["run", "sealed.json", "--env", "X=auth.token_value", "--", "touch", "started"]),
    Prompt {
        name: "secret",
        words: &["set", "sealed.json", "auth.token_value"],
        key: true,
        steps: &[],
        prompt: "Secret for auth.token_value: ",
        said: NOTHING_CHANGED,
    },
    Prompt {
        name: "again",
        words: &["set", "sealed.json", "auth.token_value"],
        key: true,
        steps: &[("Secret for auth.token_value: ", "new\n")],
        prompt: "The same again: ",
        said: NOTHING_CHANGED,
    },
    Prompt { name: "seal", words: &["seal"], key: true, steps: &[], prompt: "Secret: ", said: NOTHING_PRINTED },
    Prompt {
        name: "seal-again",
        words: &["seal"],
        key: true,
        steps: &[("Secret: ", "new\n")],
        prompt: "The same again: ",
        said: NOTHING_PRINTED,
    },
    Prompt {
        name: "press-enter",
        words: &["keygen"],
        key: true,
        steps: &[],
        prompt: "Press Enter to see it: ",
        said: "next: the key was not shown and is not stored anywhere; ",
    },
    Prompt {
        name: "stored",
        words: &["keygen"],
        key: true,
        steps: &[("Press Enter to see it: ", "\n")],
        prompt: "Type yes: ",
        said: "next: the key that was shown is not in any file: ",
    },
    Prompt {
        name: "edit-again",
        words: &["edit", "sealed.json"],
        key: true,
        steps: &[],
        prompt: "Edit it again? ",
        said: "next: sealed.json was not changed, and your changes are lost",
    },
    Prompt {
        name: "confirm-prune",
        words: &["backups", "prune", "rotated", "--key-file", "new"],
        key: false,
        steps: &[],
        prompt: "Remove 1 backup? Type yes: ",
        said: "next: nothing was removed; ",
    },
];

/// A temporary folder in memory for the texts that are edited.
struct Memory(PathBuf);

impl Memory {
    fn new(name: &str) -> Self {
        let memory = PathBuf::from(format!("/dev/shm/fernseal-terminal-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&memory);
        fs::create_dir_all(&memory).unwrap();
        Self(memory)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// Waits until the folder is empty.
    fn wait_until_empty(&self) {
        let deadline = Instant::now() + LONG;
        while fs::read_dir(&self.0).unwrap().next().is_some() {
            assert!(Instant::now() < deadline, "an edited text is left in memory");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// An editor that makes the config invalid and records how often it was started.
const BREAKING: &str = "sh -c 'echo started >>starts; sed -i s/,$// \"$1\"' --";

impl Prompt {
    fn start(&self, name: &str, more: &[&str], memory: &Memory) -> Terminal {
        let words = [&[BINARY], self.words, more].concat();
        let key = if self.key { KEY } else { "" };
        let variables = [("PROXMOX_MCP_MASTER_KEY", key), ("EDITOR", BREAKING), ("XDG_RUNTIME_DIR", memory.path())];
        Terminal::start(name, &words, &variables, |folder| {
            fs::write(folder.join("starts"), "").unwrap();
            if !self.words.contains(&"rotated") {
                return;
            }
            // A rotated config with its backup.
            fs::create_dir(folder.join("rotated")).unwrap();
            fs::copy(folder.join("sealed.json"), folder.join("rotated/c.json")).unwrap();
            let mut rotate = Command::new(BINARY);
            rotate.args(["rotate", "-q", "rotated", "--new-key-out", "new"]).current_dir(folder).env_clear();
            assert!(rotate.env("PROXMOX_MCP_MASTER_KEY", KEY).output().unwrap().status.success());
        })
    }
}

#[test]
fn a_prompt_that_is_ended_says_what_is_true_of_the_disk() {
    let memory = Memory::new("ended");
    for prompt in PROMPTS {
        for (at, end) in ENDS.into_iter().enumerate() {
            let name = format!("ended-{}-{at}", prompt.name);
            let mut terminal = prompt.start(&name, &[], &memory);
            let mut before = terminal.files();
            for (text, typed) in prompt.steps {
                terminal.wait_for(text);
                terminal.enter(typed);
            }
            terminal.wait_for(prompt.prompt);
            match end {
                End::Typed(key) => terminal.enter(key),
                End::Sent(signal) => kill_process(terminal.pid(), signal).unwrap(),
                End::HungUp => terminal.hang_up(),
            }
            if end != End::HungUp {
                assert_eq!(terminal.end(), Some(1), "{name}: {:?}", terminal.shown);
                // It begins its own line.
                let said = format!("prompt\r\n  {}", prompt.said);
                assert!(terminal.scrollback().contains(&said), "{name}: {:?}", terminal.shown);
            }
            // The tests' editor writes this file.
            let mut after = terminal.files();
            [&mut before, &mut after].into_iter().for_each(|files| files.retain(|(file, _)| !file.ends_with("starts")));
            assert_eq!(after, before, "{name}");
            memory.wait_until_empty();
        }
    }
}

#[test]
fn with_no_input_nothing_is_asked_and_what_is_missing_is_named() {
    let memory = Memory::new("no-input");
    for prompt in PROMPTS {
        let mut terminal = prompt.start(&format!("no-input-{}", prompt.name), &["--no-input"], &memory);
        if prompt.name == "run" {
            // After `--` it is an argument of the program.
            continue;
        }
        let before = terminal.files();
        assert_ne!(terminal.end(), Some(0), "{}: {:?}", prompt.name, terminal.shown);
        assert!(!terminal.shown.contains(prompt.prompt), "{}: {:?}", prompt.name, terminal.shown);
        let missing = match prompt.name {
            "secret" | "again" => {
                "the secret for auth.token_value is not on stdin, and there is no prompt because --no-input"
            }
            "seal" | "seal-again" => "the secret is not on stdin, and there is no prompt because --no-input is given",
            "press-enter" | "stored" => "no terminal to show the new key on: --no-input is given",
            "edit-again" => "Invalid JSON: sealed.json",
            "confirm-prune" => "\"Remove 1 backup?\" was not asked because --no-input is given",
            _ => "no master key: PROXMOX_MCP_MASTER_KEY is empty, and there is no prompt because --no-input is given",
        };
        assert!(terminal.shown.contains(missing), "{}: {:?}", prompt.name, terminal.shown);
        let changed = |(file, _): &&(PathBuf, Vec<u8>)| !file.ends_with("starts");
        assert_eq!(terminal.files().iter().filter(changed).count(), before.iter().filter(changed).count());
    }
}

#[test]
fn enter_y_and_yes_edit_again_and_only_discard_discards() {
    let memory = Memory::new("again");
    let prompt = PROMPTS.iter().find(|prompt| prompt.name == "edit-again").unwrap();
    let mut terminal = prompt.start("again-and-again", &[], &memory);
    let before = fs::read(terminal.folder.join("sealed.json")).unwrap();
    let mut starts = 1;
    for (asked, answer) in (1..).zip(["\n", "y\n", "YES\n", "n\n", "no\n", "x\x15discar\n", "discard\n"]) {
        terminal.wait_for_times("Edit it again? ", asked);
        assert_eq!(fs::read_to_string(terminal.folder.join("starts")).unwrap().lines().count(), starts, "{answer:?}");
        terminal.enter(answer);
        starts += usize::from(["\n", "y\n", "YES\n"].contains(&answer));
    }
    assert_eq!(terminal.end(), Some(1));
    assert!(terminal.shown.contains("error: the changes were discarded\r\n  next: sealed.json was not changed"));
    assert_eq!(fs::read(terminal.folder.join("sealed.json")).unwrap(), before);
}

#[test]
fn control_c_in_the_editor_is_for_the_editor_each_time() {
    let memory = Memory::new("interrupted-editor");
    // The editor catches each interrupt, and then makes the config invalid.
    let editor = "exec bash -c 'trap \"n=1; echo caught >>caught\" INT; echo ready; \
                  while [ -z \"$n\" ]; do sleep 0.05; done; echo x >>\"$1\"' --";
    let variables = [("PROXMOX_MCP_MASTER_KEY", KEY), ("EDITOR", editor), ("XDG_RUNTIME_DIR", memory.path())];
    let mut terminal = Terminal::start("interrupted-editor", &[BINARY, "edit", "sealed.json"], &variables, |_| {});
    for round in 1..=3 {
        terminal.wait_for_times("ready", round);
        terminal.enter("\x03");
        terminal.wait_for_times("Edit it again? ", round);
        terminal.enter(if round < 3 { "\n" } else { "discard\n" });
    }
    assert_eq!(terminal.end(), Some(1));
    assert_eq!(fs::read_to_string(terminal.folder.join("caught")).unwrap().lines().count(), 3);
}

#[test]
fn after_a_prompt_a_signal_ends_the_command_as_it_does_without_one() {
    // Opening the fifo for reading waits for a writer.
    let line = "mkfifo wait; exec \"$0\" run sealed.json --env X=auth.token_value -- cat wait";
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut terminal = Terminal::run_line(&format!("after-{}", signal.as_raw()), line, &[]);
        terminal.wait_for("Master key: ");
        terminal.enter(&format!("{KEY}\n"));
        let deadline = Instant::now() + LONG;
        let name = format!("/proc/{}/comm", terminal.pid().as_raw_nonzero());
        while fs::read_to_string(&name).unwrap() != "cat\n" {
            assert!(Instant::now() < deadline, "the program is not started: {:?}", terminal.shown);
            thread::sleep(Duration::from_millis(5));
        }
        kill_process(terminal.pid(), signal).unwrap();
        assert_ne!(terminal.end(), Some(0));
    }
}

#[test]
fn the_keys_that_edit_a_line_do_what_the_terminal_does() {
    let mut terminal = Terminal::run("line", &["set", "sealed.json", "/auth/token_value"], Some(KEY));
    // Ctrl-U, Ctrl-W, Backspace, Delete, a character of several bytes, Ctrl-D after text, and Ctrl-V before Ctrl-C.
    for (prompt, typed) in [
        ("Secret for /auth/token_value: ", "wrong\x15one wrong \x17ä\x7fb\x08two\x04\x16\x03\n"),
        ("The same again: ", "one two\x16\x03\n"),
    ] {
        terminal.wait_for(prompt);
        terminal.enter(typed);
    }
    assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
    assert_eq!(terminal.get("auth.token_value"), "one two\u{3}\n");

    // If the line is echoed, erased characters disappear from the screen, and the question stays.
    let memory = Memory::new("line");
    let prompt = PROMPTS.iter().find(|prompt| prompt.name == "confirm-prune").unwrap();
    let mut terminal = prompt.start("line-shown", &[], &memory);
    terminal.wait_for("Type yes: ");
    terminal.enter("\x7f\x15nä\x7f\x7f\x7fab cd\x17\x15yes\n");
    assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
    let line = terminal.shown.split_once("Type yes: ").unwrap().1.split_once("\r\n").unwrap().0;
    let rub_out = "\x08 \x08";
    assert_eq!(line, format!("n{rub_out}ab cd{}{}yes", rub_out.repeat(2), rub_out.repeat(3)));
    assert!(terminal.shown.contains("1 backup removed"), "{:?}", terminal.shown);
}

#[test]
fn control_z_suspends_and_the_prompt_comes_again() {
    let line =
        "set -m; \"$0\" set sealed.json auth.token_value; echo \"stopped $?\"; stty -a; fg >fg; echo \"ended $?\"";
    let mut terminal = Terminal::run_line("suspended", line, &[("PROXMOX_MCP_MASTER_KEY", KEY)]);
    terminal.wait_for("Secret for auth.token_value: ");
    terminal.enter("half\x1a");
    terminal.wait_for("stopped 148");
    terminal.wait_for_times("Secret for auth.token_value: ", 2);
    let settings = terminal.shown.split_once("stopped 148").unwrap().1;
    let is_set = |name: &str| settings.split_whitespace().any(|word| word == name);
    assert!(["echo", "icanon", "isig"].into_iter().all(is_set), "{settings}");
    terminal.enter("whole\n");
    terminal.wait_for("The same again: ");
    terminal.enter("whole\n");
    terminal.wait_for("ended 0");
    assert_eq!(terminal.end(), Some(0));
    assert!(!terminal.shown.contains("half") && !terminal.shown.contains("whole"), "{:?}", terminal.shown);
    assert_eq!(terminal.get("auth.token_value"), "whole\n");
}

#[test]
fn a_key_that_is_shown_leaves_the_screen_while_the_command_is_suspended() {
    let line = "set -m; \"$0\" keygen; echo \"stopped $?\"; fg >fg; echo \"ended $?\"";
    let mut terminal = Terminal::run_line("suspended-key", line, &[]);
    terminal.wait_for("Press Enter");
    terminal.enter("\n");
    terminal.wait_for("Type yes: ");
    terminal.enter("\x1a");
    terminal.wait_for("stopped 148");
    terminal.wait_for_times("Type yes: ", 2);
    let key = terminal.key();
    let (_, after) = terminal.shown.split_once("stopped 148").unwrap();
    assert!(after.contains(ENTER) && after.contains(&key), "it is shown again: {after:?}");
    terminal.enter("y\n");
    terminal.wait_for("ended 0");
    assert_eq!(terminal.end(), Some(0));
    assert!(!terminal.scrollback().contains(&key), "{:?}", terminal.shown);
}

/// What a terminal shows of one of our messages and of one of clap's.
fn two_errors(variables: &[(&str, &str)], to: &str) -> String {
    let line = format!("{{ \"$0\" get no.json /a; \"$0\" get --no-such-option; }} 2>&1 {to}");
    let mut terminal = Terminal::run_line("colors", &line, variables);
    terminal.end();
    terminal.shown.clone()
}

#[test]
fn messages_have_colors_where_claps_have_them() {
    const RED: &str = "\x1b[1m\x1b[31merror:\x1b[0m ";
    for (variables, to, colored) in [
        (&[("NO_COLOR", "")][..], "", true),
        (&[("NO_COLOR", "1")], "", false),
        (&[("NO_COLOR", ""), ("TERM", "dumb")], "", false),
        (&[("NO_COLOR", ""), ("CLICOLOR", "0")], "", false),
        (&[("NO_COLOR", "")], "| cat", false),
        (&[("NO_COLOR", ""), ("CLICOLOR_FORCE", "1")], "| cat", true),
        (&[("NO_COLOR", ""), ("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], "", true),
        (&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], "", false),
    ] {
        let shown = two_errors(variables, to);
        let errors = if colored { RED } else { "error: " };
        assert_eq!(shown.matches(errors).count(), 2, "{variables:?} {to}: {shown:?}");
        assert_eq!(shown.contains("\x1b[32m  next:\x1b[0m "), colored, "{variables:?} {to}: {shown:?}");
        assert_eq!(shown.contains('\x1b'), colored, "{variables:?} {to}: {shown:?}");
    }
}

#[test]
fn a_warning_is_yellow_and_what_it_tells_is_escaped() {
    let line = "printf %s \"$KEY\" >$'k\\e[31m'; chmod 644 k*; env -u KEY \"$0\" verify sealed.json --key-file k*";
    let mut terminal = Terminal::run_line("yellow", line, &[("NO_COLOR", ""), ("KEY", KEY)]);
    assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
    let warning = "\x1b[1m\x1b[33mwarning:\x1b[0m key file k\\u{1b}[31m can be used by others";
    assert!(terminal.shown.contains(warning), "{:?}", terminal.shown);
}

#[test]
fn a_terminal_without_escape_codes_gets_none_and_shows_no_key() {
    for term in ["dumb", ""] {
        let variables = [("TERM", term), ("NO_COLOR", ""), ("PROXMOX_MCP_MASTER_KEY", KEY)];
        let mut terminal = Terminal::start("dumb-keygen", &[BINARY, "keygen"], &variables, |_| {});
        assert_eq!(terminal.end(), Some(2), "{:?}", terminal.shown);
        assert!(
            terminal.shown.contains("next: no key was made; write it to a file with -o FILE"),
            "{:?}",
            terminal.shown
        );
        let words = [&[BINARY, "verify"][..], &["sealed.json"; 6]].concat();
        let mut verify = Terminal::start("dumb-verify", &words, &variables, |_| {});
        assert_eq!(verify.end(), Some(0), "{:?}", verify.shown);
        assert!(!terminal.shown.contains('\x1b') && !verify.shown.contains('\x1b'), "{:?}", verify.shown);
    }
}

#[test]
fn a_key_does_not_vanish_where_stdout_is_no_terminal() {
    for line in
        ["\"$0\" keygen >file", "\"$0\" keygen | cat >file; exit ${PIPESTATUS[0]}", "\"$0\" --generate-key >file"]
    {
        let mut terminal = Terminal::run_line("redirected", line, &[]);
        assert_eq!(terminal.end(), Some(2), "{line}: {:?}", terminal.shown);
        assert!(
            terminal.shown.contains("stdout is not a terminal\r\n  next: no key was made; "),
            "{:?}",
            terminal.shown
        );
        assert_eq!(fs::read(terminal.folder.join("file")).unwrap(), b"", "{line}");
    }
}

#[test]
fn a_rotation_asks_nothing_once_it_has_the_old_key() {
    for options in [&[][..], &["--no-backup"]] {
        let words = [&[BINARY, "rotate", "tree"], options].concat();
        let mut terminal = Terminal::start("unwatched", &words, &[("PROXMOX_MCP_MASTER_KEY", KEY)], |folder| {
            fs::create_dir(folder.join("tree")).unwrap();
            fs::copy(folder.join("sealed.json"), folder.join("tree/c.json")).unwrap();
        });
        // Nothing is typed.
        assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
        let is_key = |(file, _): &(PathBuf, Vec<u8>)| file.display().to_string().contains(".proxmox_mcp_key.");
        let (file, key) = terminal.files().into_iter().find(is_key).unwrap();
        assert!(terminal.shown.contains(&format!("in {}\r\n", file.display())), "{:?}", terminal.shown);
        assert!(!terminal.shown.contains(str::from_utf8(&key).unwrap().trim()), "{:?}", terminal.shown);
    }
}

#[test]
fn a_long_check_shows_how_far_it_has_come_and_what_it_says_stays_whole() {
    let configs = 6;
    let variables = [("PROXMOX_MCP_MASTER_KEY", KEY)];
    let mut terminal = Terminal::start("progress", &[BINARY, "verify", "tree"], &variables, |folder| {
        fs::create_dir(folder.join("tree")).unwrap();
        let sealed = fs::read(folder.join("sealed.json")).unwrap();
        (0..configs).for_each(|at| fs::write(folder.join(format!("tree/{at}.sealed.json")), &sealed).unwrap());
    });
    assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
    assert!(terminal.shown.contains("checking ") && terminal.shown.contains("/6 files"), "{:?}", terminal.shown);
    let line = ".sealed.json /auth/token_value: can be decrypted\r\n";
    // Each line begins after a newline or after the progress bar was cleared.
    let path = "tree/0".len();
    let is_first = |(at, _): &(usize, &str)| terminal.shown[..*at - path].ends_with(['\n', 'K']);
    assert_eq!(terminal.shown.match_indices(line).filter(is_first).count(), configs, "{:?}", terminal.shown);
}

#[test]
fn a_terminal_that_nobody_reads_does_not_hold_up_a_rotation() {
    let variables = [("PROXMOX_MCP_MASTER_KEY", KEY)];
    let line = "exec \"$0\" rotate tree --new-key-out new >told";
    let mut terminal = Terminal::start("unread", &["bash", "-c", line, BINARY], &variables, |folder| {
        fs::create_dir(folder.join("tree")).unwrap();
        let sealed = fs::read(folder.join("sealed.json")).unwrap();
        (0..300).for_each(|at| fs::write(folder.join(format!("tree/{at}.json")), &sealed).unwrap());
    });
    let deadline = Instant::now() + LONG * 4;
    while terminal.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not end");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
    let told = fs::read_to_string(terminal.folder.join("told")).unwrap();
    assert!(told.contains("300 rotated, 0 skipped, 0 failed"), "{told}");
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
    // It waits in `read`: dash loses a signal that arrives while it starts a program.
    let script = "trap 'stty size' WINCH; trap 'echo interrupted; exit 5' INT; echo ready; while :; do read line; done";
    let arguments = ["run", "sealed.json", "--redact", "--env", "T=auth.token_value", "--", "sh", "-c", script];
    let mut terminal = Terminal::run("resized", &arguments, Some(KEY));
    terminal.wait_for("ready\r\n");
    let size = rustix::termios::Winsize { ws_row: 41, ws_col: 97, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal.master, size).unwrap();
    terminal.wait_for("41 97\r\n");
    // On a busy machine the shell may still wait for `stty` and lose the signal, so the user presses Ctrl-C again.
    for _ in 0..10 {
        terminal.enter("\x03");
        if terminal.shows_within("interrupted\r\n", Duration::from_secs(3)) {
            break;
        }
    }
    terminal.wait_for("interrupted\r\n");
    assert_eq!(terminal.end(), Some(5));
}

#[test]
fn a_redacted_program_is_stopped_and_goes_on_as_a_job() {
    // The program is a shell with job control.
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
    // The shell has its terminal back, with echo and line editing.
    terminal.enter(
        "stty -a | grep -c ' icanon.* echo \\|echo .* icanon\\|^icanon'; echo \"j\"obs; jobs -s | grep -c redact\n",
    );
    terminal.wait_for("jobs\r\n1\r\n");
    terminal.enter("fg\n");
    // The shell prints the command when it is typed and when it stops.
    terminal.wait_for_times("read x; echo \"$T, \"$x'\r\n", 3);
    terminal.enter("typed\r");
    // Input that is typed before the program ends belongs to the program.
    terminal.wait_for(&format!("[redacted], typed\r\n{prompt}"));
    terminal.enter("exit 6\n");
    assert_eq!(terminal.end(), Some(6));
}
