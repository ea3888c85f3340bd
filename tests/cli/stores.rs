//! `rotate --new-key-command`: a key store gets the new key before any config changes, and no key is lost whatever it does.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::common::{Folder, KEY, Said, has, wait_until};

const VARIABLE: &str = "PROXMOX_MCP_MASTER_KEY";
const COMMAND: &str = "PROXMOX_MCP_MASTER_KEY_COMMAND";
const PREVIOUS_FILE: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS_FILE";

/// Creates a folder with three configs under [`KEY`], which is in the file `store`.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(&format!("stores-{name}"));
    folder.make_configs(3);
    folder.write("store", &format!("{KEY}\n"));
    folder
}

/// Returns the command that rotates all configs, with the key from `store` and the new one handed to `store_command`.
fn rotate(folder: &Folder, before: &[&str], store_command: &str, more: &[&str]) -> Command {
    let arguments = ["rotate", "tree", "--key-command", "cat store", "--new-key-command", store_command];
    let mut command = folder.command(before, &[&arguments, more].concat());
    command.env_remove(VARIABLE);
    command
}

fn said(mut command: Command) -> Said {
    Said::of(command.output().unwrap())
}

/// Returns the path of the file with the old key, or with the new one.
fn key_file(folder: &Folder, is_old: bool) -> String {
    let names: Vec<String> = folder.files("home").into_iter().map(|(name, _)| name).collect();
    let is_it = |name: &&String| name.starts_with(".proxmox_mcp_key.") && name.ends_with(".old") == is_old;
    let found: Vec<&String> = names.iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "{names:?}");
    format!("home/{}", found[0])
}

/// Runs the command that the program printed, as a user would.
fn follow(folder: &Folder, said: &Said) -> Said {
    let printed = said.err.split("fernseal rotate").nth(1).unwrap().lines().next().unwrap();
    let line = format!("\"$0\" rotate{printed}");
    let mut command = folder.command(&["sh", "-c", &line], &[]);
    command.env_remove(VARIABLE);
    Said::of(command.output().unwrap())
}

/// Checks that the store failed in this way before any config changed, and that the printed command finishes.
fn check_refused(folder: &Folder, before: &[(String, Vec<u8>)], said: &Said, what: &str) {
    assert_eq!(said.code, Some(5), "{said:?}");
    let message = format!("error: the store (--new-key-command) {what}");
    assert!(said.err.contains(&message) && said.err.contains("; no config was changed\n"), "{said:?}");
    assert_eq!(folder.files("tree"), before);
    assert!(folder.all_open_with(&key_file(folder, true)));
    let finished = follow(folder, said);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(folder.all_open_with(&key_file(folder, false)));
}

#[test]
fn a_store_has_the_new_key_before_a_config_changes() {
    let folder = folder("works");
    let said = said(rotate(&folder, &[], "cp -r tree seen; cat >store", &[]));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("in the store and in") && said.out.contains("3 rotated, 0 skipped, 0 failed"),
        "{said:?}"
    );
    for (_, text) in folder.files("seen") {
        folder.write("seen.json", std::str::from_utf8(&text).unwrap());
        assert_eq!(folder.run(&["verify", "-q", "seen.json"]).code, Some(0));
    }
    assert!(folder.all_open_with("store"));
    // The key that the store replaced is in a file, and the way back is the one that was printed.
    assert_eq!(folder.read(&key_file(&folder, true)), format!("{KEY}\n"));
    assert_eq!(folder.read(&key_file(&folder, false)), folder.read("store"));
    let back = said.out.split("To go back: fernseal ").nth(1).unwrap().lines().next().unwrap();
    let mut command = folder.command(&["sh", "-c", &format!("\"$0\" {back}")], &[]);
    assert_eq!(command.env_remove(VARIABLE).output().unwrap().status.code(), Some(0));
    assert!(folder.all_open_with(&key_file(&folder, true)));
}

#[test]
fn a_store_can_be_one_that_does_not_have_the_old_key() {
    let folder = folder("first");
    folder.write("old", KEY);
    let arguments = ["rotate", "tree", "--key-file", "old", "--new-key-command", "cat >new-store"];
    let mut command = folder.command(&[], &arguments);
    let said = Said::of(command.env_remove(VARIABLE).env(COMMAND, "cat new-store").output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(folder.all_open_with("new-store"));
}

#[test]
fn a_store_that_fails_changes_no_config() {
    for (store, what) in [
        ("exit 3", "failed (exit status: 3)"),
        ("cat >store; exit 1", "failed (exit status: 1)"),
        ("no-such-command-at-all", "failed (exit status: 127)"),
        ("kill -9 $$", "failed (signal: 9 (SIGKILL))"),
        (">store", "does not give the new key back: the key command (--key-command) printed nothing"),
        ("rm store", "does not give the new key back: the key command (--key-command) failed (exit status: 1)"),
        ("echo junk! >store", "does not give the new key back: Invalid master key from --key-command"),
        ("true", "does not give the new key back: the key command (--key-command) prints another"),
        ("cat >elsewhere", "does not give the new key back: the key command (--key-command) prints another"),
        ("rev >store", "does not give the new key back: "),
    ] {
        let folder = folder("fails");
        let before = folder.files("tree");
        check_refused(&folder, &before, &said(rotate(&folder, &[], store, &[])), what);
    }
}

#[test]
fn a_store_that_hangs_ends_with_an_interrupt() {
    let folder = folder("hangs");
    let before = folder.files("tree");
    let mut command = rotate(&folder, &[], "cat >store; touch started; exec sleep 1000", &[]);
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the store", || folder.path("started").exists());
    kill_process_group(Pid::from_child(&child), Signal::INT).unwrap();
    check_refused(&folder, &before, &Said::of(child.wait_with_output().unwrap()), "was interrupted");
}

#[test]
fn a_rotation_killed_in_its_store_is_finished_as_it_said() {
    for store in ["touch started; exec sleep 1000", "cat >store; touch started; exec sleep 1000"] {
        let folder = folder("killed");
        let mut command = rotate(&folder, &[], store, &[]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("the store", || folder.path("started").exists());
        child.kill().unwrap();
        let said = Said::of(child.wait_with_output().unwrap());
        assert!(folder.all_open_with(&key_file(&folder, true)));
        let finished = follow(&folder, &said);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(folder.all_open_with(&key_file(&folder, false)));
    }
}

#[test]
fn a_rerun_after_the_store_names_the_old_key_or_takes_it() {
    let folder = folder("rerun");
    assert_eq!(said(rotate(&folder, &[], "cat >store", &[])).code, Some(0));
    // As after an interruption: one config is still under the old key.
    let backup = folder.files("tree").into_iter().find(|(name, _)| name.contains(".backup.")).unwrap();
    fs::write(folder.path("tree/0000.json"), backup.1).unwrap();
    let refused = said(rotate(&folder, &[], "cat >store", &[]));
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(
        refused.err.contains("decrypts it: finish the rotation from that key with: fernseal rotate"),
        "{refused:?}"
    );
    let finished = follow(&folder, &refused);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(folder.all_open_with("store"));

    let backup = folder.files("tree").into_iter().find(|(name, _)| name.contains(".backup.")).unwrap();
    fs::write(folder.path("tree/0000.json"), backup.1).unwrap();
    let mut command = rotate(&folder, &[], "cat >store", &[]);
    command.env(PREVIOUS_FILE, folder.path(&key_file(&folder, true)));
    assert_eq!(said(command).code, Some(0));
    assert!(folder.all_open_with("store"));
}

#[test]
fn a_store_needs_a_key_command_and_a_new_key() {
    let folder = folder("usage");
    let before = folder.files("tree");
    let none = folder.run(&["rotate", "tree", "--new-key-command", "touch ran"]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(none.err.contains("no key command reads the new key back"), "{none:?}");
    assert_eq!(said(rotate(&folder, &[], "touch ran", &["--new-key-file", "store"])).code, Some(2));
    assert_eq!(said(rotate(&folder, &[], "touch ran", &["--dry-run"])).code, Some(0));
    assert!(!folder.path("ran").exists());
    assert_eq!(folder.files("tree"), before);
}

#[test]
fn a_store_gets_no_variable_and_its_key_goes_into_no_arguments() {
    let folder = folder("scrubbed");
    // What a store prints may be the key, as of `tee`.
    let store = "env >environment; tee store";
    let strace = ["strace", "-f", "-qq", "-v", "-s", "9999", "-e", "trace=execve", "-o", "log"];
    let before: &[&str] = if has("strace") { &strace } else { &[] };
    let mut command = rotate(&folder, before, store, &["--audit-log", "audit"]);
    command.env("PROXMOX_MCP_MASTER_KEY_FILE", "store").env(PREVIOUS_FILE, "store").env("KEPT", "kept");
    let said = said(command);
    assert_eq!(said.code, Some(0), "{said:?}");
    let key = folder.read("store").trim().to_owned();
    let environment = folder.read("environment");
    assert!(environment.contains("KEPT=kept") && !environment.contains("MASTER_KEY"), "{environment}");
    let audit = folder.read("audit");
    assert_eq!(audit.matches("\"store key\"").count(), 2, "{audit}");
    let mut told = vec![said.out, said.err, audit];
    if !before.is_empty() {
        let log = folder.read("log");
        assert!(log.matches("execve").count() >= 8, "{log}");
        told.push(log);
    }
    for text in told {
        assert!(!text.contains(&key) && !text.contains(KEY), "{text}");
    }
}
