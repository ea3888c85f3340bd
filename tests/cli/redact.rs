//! `fernseal run --redact`: the program's output passes through without the secrets and otherwise unchanged.
//! terminal.rs tests it on a terminal.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Folder, Said, wait_until};

const SECRET: &str = "p\"ss/w0rd & more\nsecond line";

/// Creates a folder with a config whose only secret is [`SECRET`].
fn folder(name: &str) -> Folder {
    let folder = Folder::new(&format!("redact-{name}"));
    let secret = serde_json::to_string(SECRET).unwrap();
    folder.write("c.json", &format!("{{\"auth\": {{\"token_value\": {secret}, \"user\": \"root@pam\"}}}}\n"));
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json"]).code, Some(0));
    folder
}

/// Returns the command that runs a script with the secret in $T and the path of the config in $C.
fn command(folder: &Folder, script: &str) -> Command {
    let options =
        ["run", "c.json", "--redact", "--env", "T=/auth/token_value", "--config-env", "C", "--env", "U=/auth/user"];
    folder.command(&["env", "--default-signal=HUP"], &[&options[..], &["--", "sh", "-c", script]].concat())
}

#[test]
fn secrets_are_replaced_on_both_streams_and_the_rest_stays() {
    let folder = folder("forms");
    for (script, out) in [
        ("echo \"$T\"", "[redacted]\n"),
        ("cat \"$C\"", "{\"auth\": {\"token_value\": \"[redacted]\", \"user\": \"root@pam\"}}\n"),
        ("printf '<%s>' \"$T\" \"$U\"", "<[redacted]><root@pam>"),
        ("printf %s \"$T\" | base64", "[redacted]\n"),
        ("printf %s \"$T\" | od -An -tx1 | tr -d ' \\n'", "[redacted]"),
        ("printf 'p\"ss/w0'; sleep 0.2; printf 'rd & more\\nsecond line'; sleep 0.1; echo .", "[redacted].\n"),
        ("printf 'p\"ss/w0'; sleep 0.2; echo rd", "p\"ss/w0rd\n"),
        ("printf 'p\"ss'", "p\"ss"),
        ("true", ""),
    ] {
        let said = Said::of(command(&folder, script).output().unwrap());
        assert_eq!((said.code, &*said.out, &*said.err), (Some(0), out, ""), "{script}");
        let said = Said::of(command(&folder, &format!("{{ {script}; }} >&2")).output().unwrap());
        assert_eq!((said.code, &*said.err, &*said.out), (Some(0), out, ""), "{script}");
    }
}

#[test]
fn output_without_secrets_passes_byte_for_byte() {
    let folder = folder("bytes");
    let mut bytes = Vec::new();
    let mut state = 1_u64;
    while bytes.len() < 3 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_le_bytes()[3..]);
    }
    fs::write(folder.path("bytes"), &bytes).unwrap();
    let output = command(&folder, "cat bytes").output().unwrap();
    assert!(output.stdout == bytes && output.stderr.is_empty());
}

#[test]
fn a_server_answers_each_request_at_once() {
    let folder = folder("mcp");
    // As in MCP over stdio: one line of JSON answers another while both pipes stay open.
    let script =
        "while read -r line; do printf '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"user\":\"%s\"}}\\n' \"$T\"; done";
    let mut child = command(&folder, script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for _ in 0..3 {
        stdin.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}\n").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"user\":\"[redacted]\"}}\n");
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn exit_codes_and_deaths_are_the_programs() {
    let folder = folder("ends");
    for (script, code, signal) in [
        ("exit 42", Some(42), None),
        ("kill -TERM $$", None, Some(15)),
        ("kill -KILL $$", None, Some(9)),
        ("kill -SEGV $$", None, Some(11)),
    ] {
        let status = command(&folder, script).status().unwrap();
        assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
    }
    for (program, code) in [("no-such-program", 127), ("/", 126)] {
        let said = folder.run(&["run", "c.json", "--redact", "--env", "T=/auth/token_value", "--", program]);
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.err.contains("cannot be started: "), "{said:?}");
    }
}

#[test]
fn signals_reach_the_program() {
    let folder = folder("signals");
    for name in ["TERM", "HUP", "USR1", "USR2"] {
        let script = format!("trap 'echo got {name}; exit 3' {name}; echo \"$C\"; while :; do :; done");
        let mut child = command(&folder, &script).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let signal = match name {
            "TERM" => Signal::TERM,
            "HUP" => Signal::HUP,
            "USR1" => Signal::USR1,
            _ => Signal::USR2,
        };
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut rest = String::new();
        stdout.read_line(&mut rest).unwrap();
        assert_eq!((&*rest, child.wait().unwrap().code()), (&*format!("got {name}\n"), Some(3)));
        // The file with the config is removed.
        wait_until("the sweeping", || !fs::exists(line.trim()).unwrap());
    }
    // An ignored signal stays ignored.
    let script = "kill -HUP $$; kill -TERM $$; echo \"still there\"";
    let line = "trap '' HUP TERM; exec \"$0\" \"$@\"";
    let options = ["run", "c.json", "--redact", "--env", "T=/auth/token_value", "--", "sh", "-c", script];
    assert_eq!(folder.run_by(&["sh", "-c", line], &options).out, "still there\n");
}

#[test]
fn a_reader_that_goes_away_ends_the_program() {
    let folder = folder("reader");
    let line = "{ \"$0\" \"$@\"; echo $? >code; } | head -n 1";
    let options = ["run", "c.json", "--redact", "--env", "T=/auth/token_value", "--", "yes"];
    assert_eq!(folder.run_by(&["sh", "-c", line], &options).out, "y\n");
    assert_eq!(folder.read("code"), "141\n");
}

#[test]
fn short_secrets_are_not_redacted_and_that_is_said() {
    let folder = Folder::new("redact-short");
    folder.write("c.json", r#"{"auth": {"token_value": "abc"}}"#);
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json"]).code, Some(0));
    let said = folder.run(&["run", "c.json", "--redact", "--env", "T=/auth/token_value", "--", "sh", "-c", "echo $T"]);
    assert_eq!((said.code, &*said.out), (Some(0), "abc\n"));
    assert!(said.err.contains("/auth/token_value is shorter than 4 bytes and is not redacted"), "{said:?}");
}
