//! Runs the command in a folder of its own for each test: HOME is inside the folder, and no variable is inherited.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) use crate::skip::skip;

pub(crate) const KEY: &str = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans=";

/// A temporary folder for one test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        // Two tests may choose the same name.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("fernseal-test-{}-{count}-{name}", process::id()));
        // A killed earlier run may have left the folder, because process ids are reused.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("home")).unwrap();
        fs::create_dir_all(folder.join("tree")).unwrap();
        Self(folder.canonicalize().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Returns the command `fernseal` in this folder, with [`KEY`]; `before` is a program that starts it.
    pub(crate) fn command(&self, before: &[&str], arguments: &[&str]) -> Command {
        let words = [before, &[env!("CARGO_BIN_EXE_fernseal")], arguments].concat();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(&self.0)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.path("home"))
            // The machine's git configuration, or a repository around the folder, must not affect a test.
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", self.0.parent().unwrap())
            .env("PROXMOX_MCP_MASTER_KEY", KEY)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.run_by(&[], arguments)
    }

    /// Runs the command as [`Self::run`] does, with another master key.
    pub(crate) fn run_under(&self, key: &str, arguments: &[&str]) -> Said {
        Said::of(self.command(&[], arguments).env("PROXMOX_MCP_MASTER_KEY", key).output().unwrap())
    }

    /// Runs the command as [`Self::run`] does, by another program: `before` contains its name and arguments.
    pub(crate) fn run_by(&self, before: &[&str], arguments: &[&str]) -> Said {
        Said::of(self.command(before, arguments).output().unwrap())
    }

    /// Creates configs with one token each. Every token has its own salt.
    pub(crate) fn make_configs(&self, count: usize) {
        let names: Vec<String> = (0..count).map(|at| format!("--field=/s{at}")).collect();
        let members: Vec<String> = (0..count).map(|at| format!("\"s{at}\": \"secret {at}\"")).collect();
        self.write("all.json", &format!("{{{}}}", members.join(", ")));
        let arguments: Vec<&str> =
            ["encrypt", "-q", "--in-place", "all.json"].into_iter().chain(names.iter().map(String::as_str)).collect();
        assert_eq!(self.run(&arguments).code, Some(0));
        let all = self.read("all.json");
        for (at, token) in tokens(&all).enumerate() {
            self.write(&format!("tree/{at:04}.json"), &format!("{{\"auth\": {{\"token_value\": \"{token}\"}}}}\n"));
        }
        fs::remove_file(self.path("all.json")).unwrap();
    }

    /// Returns the names and contents of a directory's files.
    pub(crate) fn files(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.path(name))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    /// Returns whether every token of the tree opens with the key in this file.
    pub(crate) fn all_open_with(&self, key: &str) -> bool {
        let files = self.files("tree");
        let names: Vec<String> =
            files.iter().filter(|(name, _)| name.ends_with(".json")).map(|(name, _)| format!("tree/{name}")).collect();
        let arguments: Vec<&str> =
            ["verify", "-q", "--key-file", key].into_iter().chain(names.iter().map(String::as_str)).collect();
        let verified = self.command(&[], &arguments).env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap();
        verified.status.code() == Some(0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Returns the tokens in the text of a config.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').filter(|text| text.starts_with("enc:"))
}

/// Runs a command and prints its exit code, its peak memory in MiB and its CPU time, which hardly depends on other work
/// of the machine. It may take a minute of CPU time.
const COST: &str = "import os,resource,sys
resource.setrlimit(resource.RLIMIT_CPU,(60,60))
null=os.open('/dev/null',os.O_RDWR)
to=[(os.POSIX_SPAWN_DUP2,null,1),(os.POSIX_SPAWN_DUP2,null,2)]
pid=os.posix_spawn(sys.argv[1],sys.argv[1:],os.environ,file_actions=to)
_,status,usage=os.wait4(pid,0)
print(os.waitstatus_to_exitcode(status),usage.ru_maxrss//1024,int((usage.ru_utime+usage.ru_stime)*1000))";

/// Returns the exit code, the peak memory in MiB and the CPU time of `fernseal` with further variables. Its output is
/// discarded.
pub(crate) fn cost(folder: &Folder, variables: &[(&str, &str)], arguments: &[&str]) -> (i32, u64, Duration) {
    let mut command = folder.command(&["python3", "-c", COST], arguments);
    let said = Said::of(command.envs(variables.iter().copied()).output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    let [code, memory, time] = said.out.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{said:?}") };
    (code.parse().unwrap(), memory.parse().unwrap(), Duration::from_millis(time.parse().unwrap()))
}

/// Waits until `holds` returns true. The limit is long enough for slow machines.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(300);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A command that strace has stopped at a system call.
pub(crate) struct Stopped(Child);

impl Stopped {
    /// Runs `fernseal` until it has made the system call `call` for the first time; the options of strace select the
    /// calls that count. Then all of its threads are stopped.
    pub(crate) fn after(call: &str, options: &[&str], folder: &Folder, arguments: &[&str]) -> Self {
        Self::after_with(call, options, folder, arguments, |_| {})
    }

    /// Stops a command as [`Self::after`] does, after `prepare` has changed it (variables, stdin).
    pub(crate) fn after_with(
        call: &str,
        options: &[&str],
        folder: &Folder,
        arguments: &[&str],
        prepare: impl Fn(&mut Command),
    ) -> Self {
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=STOP:when=1"));
        let strace = ["strace", "-D", "-qq", "-o", "strace.log", "-e", &trace, "-e", &inject];
        let mut command = folder.command(&[&strace, options].concat(), arguments);
        prepare(&mut command);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = folder.path("strace.log");
        wait_until(call, || fs::read_to_string(&log).is_ok_and(|log| log.contains("--- stopped by SIGSTOP ---")));
        fs::remove_file(log).unwrap();
        Self(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Continues the command to its end, whenever a thread stops at that system call.
    pub(crate) fn go_on(mut self) -> Said {
        wait_until("the end", || {
            self.signal(Signal::CONT);
            self.0.try_wait().unwrap().is_some()
        });
        Said::of(self.0.wait_with_output().unwrap())
    }
}

/// The output of a command, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What `check` prints to stdout, without the lines that say what to do.
    pub(crate) fn findings(&self) -> String {
        self.out.split_inclusive('\n').filter(|line| !line.starts_with("  next: ")).collect()
    }
}

/// Returns whether a program is installed. Prints SKIPPED if it is not.
pub(crate) fn has(program: &str) -> bool {
    let found = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].iter().any(|dir| Path::new(dir).join(program).exists());
    if !found {
        skip(format_args!("no {program}; tests/setup.sh installs it"));
    }
    found
}

/// Checks that a command whose audit log fails only at its end has done its work and prints a warning. `prepared` makes
/// a folder, and `run` runs the command in it with the audit log `log`, which cannot grow beyond 1 024 bytes.
pub(crate) fn a_log_that_fails_late_stops_nothing(
    name: &str,
    prepared: impl Fn(&str) -> Folder,
    run: impl Fn(&Folder) -> Said,
) {
    let done = |place: &str, log: &str| {
        let folder = prepared(&format!("late-log-{}-{place}", name.replace(' ', "-")));
        folder.write("log", log);
        let before = folder.files("tree");
        let said = run(&folder);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_ne!(folder.files("tree"), before);
        (said, folder.read("log").replacen(log, "", 1))
    };
    let (said, log) = done("whole", "");
    assert!(!said.err.contains("warning"), "{said:?}");
    let first = log.lines().next().unwrap();
    assert!(first.contains("\"outcome\":\"started\"") && log.lines().count() == 2, "{log}");

    // There is room for the first line, and almost none for the second.
    let (said, _) = done("cut", &"x\n".repeat((1_024 - first.len() - 20) / 2));
    assert!(said.err.contains("warning: the audit log log cannot be written: "), "{said:?}");
    assert!(said.err.contains(&format!("; the result of {name} is: done\n")), "{said:?}");
    assert!(!said.err.contains("nothing was changed"), "{said:?}");
}
