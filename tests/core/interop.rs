//! Interoperability with Python's cryptography, run live on random input: it opens our tokens, and we open its tokens.
//! `tests/setup.sh python` installs it into target/venv; FERNSEAL_VENV names another place.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::common::Script;
use crate::skip::skip;
use fernseal_core::{MasterKey, token};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

struct Python {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let venv = std::env::var_os("FERNSEAL_VENV").map_or_else(|| root.join("target/venv"), PathBuf::from);
        let python = venv.join("bin/python");
        if !python.exists() {
            skip(format_args!("no {}: run tests/setup.sh python", python.display()));
            return None;
        }
        let mut command = Command::new(python);
        command.arg(root.join("tests/interop/original.py")).env("PYTHONIOENCODING", "utf-8");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self { requests: child.stdin.take(), answers, child })
    }

    fn ask(&mut self, request: &Value) -> String {
        writeln!(self.requests.as_mut().unwrap(), "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        answer["ok"].as_str().unwrap_or_else(|| panic!("Python answered {line} to {request}")).to_owned()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.requests = None; // closing its input ends it
        let _ = self.child.wait();
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::{Base64Url, Encoding};
    let mut out = vec![0; Base64Url::encoded_len(bytes)];
    Base64Url::encode(bytes, &mut out).unwrap().to_owned()
}

#[test]
fn python_and_we_open_each_others_tokens() {
    let Some(mut python) = Python::start() else { return };
    let mut runner = TestRunner::new(Config { failure_persistence: None, cases: 24, ..Config::default() });
    let python = std::cell::RefCell::new(&mut python);
    let input = (prop::collection::vec(any::<u8>(), 16..100), any::<[u8; 32]>(), any::<u32>(), "\\PC{0,80}");
    runner
        .run(&input, |(key, random, now, plain)| {
            let mut python = python.borrow_mut();
            let master_key = base64(&key);
            let master = MasterKey::from_text(&master_key).unwrap();
            let mut out = vec![0xa5; token::token_len(plain.len())];
            for legacy in [false, true] {
                let seal = if legacy { token::seal_legacy::<Script> } else { token::seal };
                let ours = seal(&master, plain.as_bytes(), now.into(), &mut Script(random.to_vec()), &mut out).unwrap();
                let open = json!({"op": "open", "master_key": master_key, "token": ours});
                prop_assert_eq!(&python.ask(&open), &plain);

                let op = if legacy { "seal_legacy" } else { "seal" };
                let theirs = python.ask(&json!({"op": op, "master_key": master_key, "plain": plain, "time": now}));
                let mut opened = vec![0xa5; token::open_len(theirs.len())];
                prop_assert_eq!(token::open(&master, &theirs, &mut opened), Ok(plain.as_bytes()));
            }
            Ok(())
        })
        .unwrap();
}
