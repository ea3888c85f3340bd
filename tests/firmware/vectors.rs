//! Compares the firmware's tokens with those that Python's cryptography makes, and opens and seals them with core on
//! this machine. `tests/setup.sh python` installs it into target/venv; FERNSEAL_VENV names another place.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a vector that is not there should fail the test

#[path = "../skip.rs"]
mod skip;

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use fernseal_core::{MasterKey, config, token};
use skip::skip;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of `#define NAME "…"` in the committed header; its C escapes are JSON's.
fn vector(name: &str) -> String {
    let header = fs::read_to_string(folder().join("vectors.h")).unwrap();
    let start = format!("#define {name} ");
    serde_json::from_str(header.lines().find_map(|line| line.strip_prefix(&start)).unwrap()).unwrap()
}

fn master() -> MasterKey {
    MasterKey::from_text(&vector("MASTER_KEY")).unwrap()
}

#[test]
fn the_committed_vectors_are_what_python_makes() {
    let venv = env::var_os("FERNSEAL_VENV").map_or_else(|| folder().join("../../target/venv"), PathBuf::from);
    let python = venv.join("bin/python");
    if !python.exists() {
        skip(format_args!("no {}: run tests/setup.sh python", python.display()));
        return;
    }
    let made = env::temp_dir().join(format!("fernseal-vectors-{}", std::process::id()));
    // A killed earlier run may have left the folder.
    let _ = fs::remove_dir_all(&made);
    fs::create_dir(&made).unwrap();
    let done = Command::new(python).arg(folder().join("make_vectors.py")).arg(&made).status().unwrap();
    let files = ["vectors.h", "config.json"].map(|name| (name, fs::read(made.join(name)).ok()));
    fs::remove_dir_all(&made).unwrap();
    assert!(done.success());
    for (name, bytes) in files {
        assert_eq!(bytes, fs::read(folder().join(name)).ok(), "{name} is out of date: run make_vectors.py");
    }
}

#[test]
fn the_firmwares_tokens_open_here() {
    for name in ["SALTED", "LEGACY", "SEALED"] {
        let text = vector(name);
        let mut out = vec![0xa5; token::open_len(text.len())];
        assert_eq!(token::open(&master(), &text, &mut out), Ok(vector("SECRET").as_bytes()), "{name}");
    }
    let text = vector("TAMPERED");
    let mut out = vec![0xa5; token::open_len(text.len())];
    assert_eq!(token::open(&master(), &text, &mut out), Err(fernseal_core::Error::AuthenticationFailed));
    assert!(out.iter().all(|byte| *byte == 0));
}

#[test]
fn the_firmwares_config_opens_here() {
    let mut out = vec![0xa5; vector("CONFIG").len()];
    let keys = [master()];
    assert_eq!(config::open(&vector("CONFIG"), &keys, &mut out), Ok(vector("CONFIG_OPENED").as_str()));
}
