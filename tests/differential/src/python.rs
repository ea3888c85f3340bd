//! Talks to Python through a pipe: sends a list of cases as one line, and reads the list of answers as one line.
//! peer.py documents the answers.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

pub struct Python {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    pub fn start() -> Self {
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/peer.py");
        let mut command = Command::new(python);
        command.arg(peer).env("PYTHONIOENCODING", "utf-8").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python is there: tests/setup.sh python");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { requests: child.stdin.take(), answers, child }
    }

    /// Returns one answer for each case.
    pub fn ask(&mut self, cases: Vec<Value>) -> Vec<Value> {
        let count = cases.len();
        writeln!(self.requests.as_mut().expect("open"), "{}", Value::Array(cases)).expect("Python reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("Python answers");
        let answers: Vec<Value> = serde_json::from_str(&line).expect("a list");
        assert_eq!(answers.len(), count);
        answers
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.requests = None; // closing its input ends it
        let _ = self.child.wait();
    }
}
