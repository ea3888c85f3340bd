//! A folder of its own for a test, and the command run in it: HOME is inside, nothing is inherited.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) use crate::skip::skip;

pub(crate) const KEY: &str = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans=";

/// A folder that is gone when the test is done.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        // Two tests may have chosen one name.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("fernseal-test-{}-{count}-{name}", process::id()));
        // A run that was killed may have left one: the numbers of processes come again.
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

    /// `fernseal` in this folder, under [`KEY`]; perhaps another program in front of it.
    pub(crate) fn command(&self, before: &[&str], arguments: &[&str]) -> Command {
        let words = [before, &[env!("CARGO_BIN_EXE_fernseal")], arguments].concat();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(&self.0)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.path("home"))
            // This machine's git, and a repository around the folder, are nothing to a test.
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", self.0.parent().unwrap())
            .env("PROXMOX_MCP_MASTER_KEY", KEY)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.run_by(&[], arguments)
    }

    /// As [`Self::run`], under another master key.
    pub(crate) fn run_under(&self, key: &str, arguments: &[&str]) -> Said {
        Said::of(self.command(&[], arguments).env("PROXMOX_MCP_MASTER_KEY", key).output().unwrap())
    }

    /// As [`Self::run`], by another program: `before` is its name and arguments.
    pub(crate) fn run_by(&self, before: &[&str], arguments: &[&str]) -> Said {
        Said::of(self.command(before, arguments).output().unwrap())
    }

    /// Configs with one token each, every token with a salt of its own.
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

    /// The names and contents of a directory's files.
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

    /// Whether every token of the tree opens with the key in this file.
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

/// The tokens in a config's text.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').filter(|text| text.starts_with("enc:"))
}

/// Runs a command: its exit code, the most memory in MiB, and the processor's time, which is much the same however busy the
/// machine is. A minute of it ends what grows too fast.
const COST: &str = "import os,resource,sys
resource.setrlimit(resource.RLIMIT_CPU,(60,60))
null=os.open('/dev/null',os.O_RDWR)
to=[(os.POSIX_SPAWN_DUP2,null,1),(os.POSIX_SPAWN_DUP2,null,2)]
pid=os.posix_spawn(sys.argv[1],sys.argv[1:],os.environ,file_actions=to)
_,status,usage=os.wait4(pid,0)
print(os.waitstatus_to_exitcode(status),usage.ru_maxrss//1024,int((usage.ru_utime+usage.ru_stime)*1000))";

/// Exit code, the most memory in MiB, and the processor's time of `fernseal` with further variables; nobody reads what it
/// says.
pub(crate) fn cost(folder: &Folder, variables: &[(&str, &str)], arguments: &[&str]) -> (i32, u64, Duration) {
    let mut command = folder.command(&["python3", "-c", COST], arguments);
    let said = Said::of(command.envs(variables.iter().copied()).output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    let [code, memory, time] = said.out.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{said:?}") };
    (code.parse().unwrap(), memory.parse().unwrap(), Duration::from_millis(time.parse().unwrap()))
}

/// Waits for what must come, however slow this machine is.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(300);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A command that strace has stopped on its way.
pub(crate) struct Stopped(Child);

impl Stopped {
    /// Runs `fernseal` until it has done the system call `call` for the first time; `options` of strace say which of
    /// those count. All its threads stand still then.
    pub(crate) fn after(call: &str, options: &[&str], folder: &Folder, arguments: &[&str]) -> Self {
        Self::after_with(call, options, folder, arguments, |_| {})
    }

    /// As [`Self::after`], with what else `prepare` gives the command: variables, stdin.
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

    /// Lets it go on to its end, as often as one of its threads comes to that system call.
    pub(crate) fn go_on(mut self) -> Said {
        wait_until("the end", || {
            self.signal(Signal::CONT);
            self.0.try_wait().unwrap().is_some()
        });
        Said::of(self.0.wait_with_output().unwrap())
    }
}

/// What a command said, and how it ended.
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
}

/// Whether a program is there; says so if it is not.
pub(crate) fn has(program: &str) -> bool {
    let found = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].iter().any(|dir| Path::new(dir).join(program).exists());
    if !found {
        skip(format_args!("no {program}; tests/setup.sh installs it"));
    }
    found
}

/// Holds that a command whose audit log fails only at the end has done its work and says so. `run` runs it on a folder that
/// `prepared` makes, with the log at `log`, which cannot grow beyond 1 024 bytes.
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

    // The first line has room, but for the second there is next to none.
    let (said, _) = done("cut", &"x\n".repeat((1_024 - first.len() - 20) / 2));
    assert!(said.err.contains("warning: the audit log log cannot be written: "), "{said:?}");
    assert!(said.err.contains(&format!("; {name} itself: done\n")), "{said:?}");
    assert!(!said.err.contains("nothing was changed"), "{said:?}");
}
