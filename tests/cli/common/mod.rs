//! A folder of its own for a test, and the command run in it: HOME is inside, nothing is inherited.
#![allow(dead_code)] // each test uses its own part

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs, process};

#[path = "../../skip.rs"]
mod skip;

pub(crate) use skip::skip;

pub(crate) const KEY: &str = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans=";

/// A folder that is gone when the test is done.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("fernseal-test-{}-{name}", process::id()));
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
            .env("PROXMOX_MCP_MASTER_KEY", KEY)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.run_by(&[], arguments)
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
        for (at, token) in all.split('"').filter(|text| text.starts_with("enc:")).enumerate() {
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
