//! Runs the transcripts, which are documentation and tests: each file in transcripts/ is one case. The lines after `$`
//! run in a fresh folder with the fixtures, and must print what the file says.
//!
//! A case whose first line is `<!-- needs: PROGRAM… -->` is skipped if one of the programs is missing.
//! `SNAPSHOTS=overwrite cargo test -p fernseal --test cli transcripts` writes the present output into the files; read
//! the diff.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, process};

use snapbox::{Assert, Data, Redactions};

use crate::common::has;

/// Output that differs from run to run, with its placeholders.
const CHANGING: [(&str, &str); 6] = [
    ("[DATE]", r"(?<redacted>20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC \([^)]*\))"),
    ("[TIME]", r"(?<redacted>20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ)"),
    ("[STAMP]", r"backup\.(?<redacted>\d{8}_\d{6})"),
    ("[ID]", r"proxmox_mcp_key\.(?<redacted>[0-9a-f]{8})"),
    ("[ID]", r"(new key|Old key|id is|: key) (?<redacted>[0-9a-f]{8})"),
    ("[TOKEN]", r"enc:(?<redacted>[A-Za-z0-9_=-]{24}:[A-Za-z0-9_=-]{100,})"),
];

/// A temporary folder for one case.
struct Folder(PathBuf);

impl Folder {
    fn with_fixtures(case: &str) -> Self {
        let folder = Self(env::temp_dir().join(format!("fernseal-{}-{case}", process::id())));
        // A killed earlier run may have left the folder.
        let _ = fs::remove_dir_all(&folder.0);
        fs::create_dir_all(folder.0.join("home")).unwrap();
        for fixture in fs::read_dir(tests().join("fixtures")).unwrap() {
            let fixture = fixture.unwrap();
            let copy = folder.0.join(fixture.file_name());
            fs::copy(fixture.path(), &copy).unwrap();
            // Git does not store these modes, so the test sets them.
            let mode = if copy.extension().is_some() { 0o644 } else { 0o600 };
            fs::set_permissions(&copy, PermissionsExt::from_mode(mode)).unwrap();
        }
        folder
    }

    /// Returns the output of a shell line (stdout and stderr together), and its exit code if it is not 0.
    fn run(&self, line: &str) -> String {
        let binary = Path::new(env!("CARGO_BIN_EXE_fernseal"));
        let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
        let done = Command::new("sh")
            .args(["-c", &format!("umask 022; exec 2>&1\n{line}")])
            .current_dir(&self.0)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.0.join("home"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let mut said = String::from_utf8(done.stdout).unwrap();
        if !said.is_empty() && !said.ends_with('\n') {
            said.push('\n');
        }
        match done.status.code() {
            Some(0) => {}
            Some(code) => writeln!(said, "[exit {code}]").unwrap(),
            None => said.push_str("[killed]\n"),
        }
        said.replace(&self.0.display().to_string(), "[FOLDER]")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cli")
}

/// Returns the case with the present output of its commands.
fn replay(case: &str, text: &str) -> String {
    let folder = Folder::with_fixtures(case);
    let mut now = String::new();
    let mut lines = text.lines().peekable();
    let mut inside = false;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            inside = line == "```console";
        }
        let Some(command) = line.strip_prefix("$ ").filter(|_| inside) else {
            writeln!(now, "{line}").unwrap();
            continue;
        };
        let mut command = command.to_owned();
        writeln!(now, "{line}").unwrap();
        while let Some(more) = lines.next_if(|line| line.starts_with("> ")) {
            command = format!("{command}\n{}", &more[2..]);
            writeln!(now, "{more}").unwrap();
        }
        now += &folder.run(&command);
        while lines.next_if(|line| !line.starts_with("$ ") && !line.starts_with("```")).is_some() {}
    }
    now
}

#[test]
fn the_command_says_what_the_transcripts_say() {
    let mut redactions = Redactions::new();
    for (name, pattern) in CHANGING {
        redactions.insert(name, regex::Regex::new(pattern).unwrap()).unwrap();
    }
    let mut cases: Vec<PathBuf> =
        fs::read_dir(tests().join("transcripts")).unwrap().map(|file| file.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 10);
    for case in cases {
        let text = fs::read_to_string(&case).unwrap();
        let needs =
            text.strip_prefix("<!-- needs: ").and_then(|rest| rest.split_once(" -->")).map_or("", |needs| needs.0);
        if !needs.split_whitespace().all(has) {
            continue;
        }
        let now = redactions.redact(&replay(case.file_stem().unwrap().to_str().unwrap(), &text));
        Assert::new().action_env("SNAPSHOTS").eq(now, Data::read_from(&case, None).raw());
    }
}
