//! Two writers of one config: a command waits for another command, and an editor's save survives a command. Also tests
//! what a killed command leaves behind: no plain text, and nothing that the next command does not remove.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{FlockOperation, XattrFlags, flock};
use rustix::process::{Signal, geteuid};

use crate::common::{Folder, KEY, Said, Stopped, has, skip, wait_until};

const PLAIN: &str = r#"{"auth": {"token_value": "first-secret"}, "a": "plain-a", "b": "plain-b", "note": "a note"}"#;
const LOCK: &str = ".fernseal.lock";
/// A user who owns no files.
const NOBODY: u32 = 65_534;

/// Creates a folder with a config in `tree` that has a token at auth.token_value, a new key, and a secret.
fn desk(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("tree/c.json", PLAIN);
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "tree/c.json"]).code, Some(0));
    assert_eq!(folder.run(&["keygen", "-q", "-o", "new"]).code, Some(0));
    folder.write("secret", "new-secret");
    folder
}

/// Gives a command its secret on stdin, and an editor that changes a secret.
fn furnish(folder: &Folder, command: &mut Command) {
    command.stdin(File::open(folder.path("secret")).unwrap());
    command.env("EDITOR", "sed -i s/first-secret/new-secret/").env("XDG_RUNTIME_DIR", "/dev/shm");
}

fn run(folder: &Folder, before: &[&str], arguments: &[&str]) -> Said {
    let mut command = folder.command(before, arguments);
    furnish(folder, &mut command);
    Said::of(command.output().unwrap())
}

fn stopped_after(call: &str, options: &[&str], folder: &Folder, arguments: &[&str]) -> Stopped {
    Stopped::after_with(call, options, folder, arguments, |command| furnish(folder, command))
}

fn get(folder: &Folder, config: &str, pointer: &str) -> String {
    let said = folder.run(&["get", config, pointer]);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.out.trim_end().to_owned()
}

fn names(folder: &Folder, directory: &str) -> Vec<String> {
    folder.files(directory).into_iter().map(|(name, _)| name).collect()
}

/// The commands that replace a file, each with that file.
const REPLACING: [(&[&str], &str); 9] = [
    (&["set", "tree/c.json", "/a"], "tree/c.json"),
    (&["set", "--create", "tree/c.json", "/new"], "tree/c.json"),
    (&["unset", "tree/c.json", "/b"], "tree/c.json"),
    (&["encrypt", "--in-place", "tree/c.json", "--field", "/b"], "tree/c.json"),
    (&["encrypt", "tree/c.json", "--field", "/b", "-o", "tree/out.json", "--force"], "tree/out.json"),
    (&["edit", "tree/c.json"], "tree/c.json"),
    (&["rotate", "tree/c.json", "--no-backup", "--new-key-file", "new", "--jobs", "1"], "tree/c.json"),
    (&["rotate", "--rollback", "tree/c.json", "--key-file", "old"], "tree/c.json"),
    (&["decrypt", "tree/c.json", "-o", "tree/out.json", "--force"], "tree/out.json"),
];

/// Creates a desk on which a command of [`REPLACING`] has something to do.
fn desk_for(name: &str, arguments: &[&str]) -> Folder {
    let folder = desk(name);
    folder.write("tree/out.json", "{}");
    if arguments.contains(&"--rollback") {
        folder.write("old", KEY);
        fs::set_permissions(folder.path("old"), PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(folder.run(&["rotate", "-q", "tree/c.json", "--new-key-file", "new"]).code, Some(0));
    }
    folder
}

#[test]
fn several_sets_at_once_succeed_one_after_the_other() {
    for round in 0..5 {
        let folder = Folder::new(&format!("sets-{round}"));
        folder.write("c.json", r#"{"a": "1", "b": "2", "c": "3", "d": "4"}"#);
        let start = |pointer: &str| -> Child {
            let line = format!("printf new-{pointer} | \"$0\" set c.json /{pointer} --lock-wait 60");
            folder.command(&["sh", "-c", &line], &[]).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children = ["a", "b", "c", "d"].map(|pointer| (pointer, start(pointer)));
        for (pointer, child) in children {
            let said = Said::of(child.wait_with_output().unwrap());
            assert_eq!(said.code, Some(0), "{pointer}: {said:?}");
        }
        for pointer in ["a", "b", "c", "d"] {
            assert_eq!(get(&folder, "c.json", &format!("/{pointer}")), format!("new-{pointer}"));
        }
        assert_eq!(crate::common::tokens(&folder.read("c.json")).count(), 4);
        assert!(!folder.path(LOCK).exists());
    }
}

#[test]
fn whoever_may_only_read_cannot_hold_up_a_command() {
    let folder = desk("readers");
    let lock = |name: &str| {
        let file = File::open(folder.path(name)).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        file
    };
    // All files that a reader can open, and the parent directories.
    let _held = ["tree/c.json", "tree", "."].map(lock);
    for arguments in [
        &["set", "tree/c.json", "/a", "--lock-wait", "0"][..],
        &["rotate", "tree", "--new-key-file", "new", "--lock-wait", "0"],
    ] {
        let said = run(&folder, &[], arguments);
        assert_eq!((said.code, said.err.contains("lock")), (Some(0), false), "{said:?}");
    }
}

#[test]
fn the_lock_is_for_those_who_may_write_in_the_directory() {
    if !has("strace") {
        return;
    }
    for (mode, lock_mode) in [(0o755, 0o600), (0o775, 0o660), (0o777, 0o666), (0o1777, 0o600)] {
        let folder = desk(&format!("lock-mode-{mode:o}"));
        fs::set_permissions(folder.path("tree"), PermissionsExt::from_mode(mode)).unwrap();
        let stopped = stopped_after("linkat", &[], &folder, &["set", "tree/c.json", "/a"]);
        let meta = fs::metadata(folder.path("tree").join(LOCK)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, lock_mode, "in a directory of mode {mode:o}");
        assert_eq!(stopped.go_on().code, Some(0));
        assert!(!folder.path("tree").join(LOCK).exists());
    }
}

#[test]
fn a_lock_that_root_holds_can_be_waited_for_by_the_owner() {
    if !has("strace") || !has("setpriv") {
        return;
    }
    if !geteuid().is_root() {
        skip("only root can write for another user");
        return;
    }
    let folder = desk("owner");
    let tree = folder.path("tree");
    chown(&tree, Some(NOBODY), Some(NOBODY)).unwrap();
    chown(tree.join("c.json"), Some(NOBODY), Some(NOBODY)).unwrap();
    let stopped = stopped_after("linkat", &[], &folder, &["set", "tree/c.json", "/a"]);
    let pid = stopped.pid();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let said = run(&folder, &nobody, &["set", "tree/c.json", "/b", "--lock-wait", "0"]);
    assert!(said.code == Some(1) && said.err.contains(&format!("process {pid} holds the lock on tree")), "{said:?}");
    stopped.signal(Signal::KILL);
    stopped.go_on();
    let said = run(&folder, &nobody, &["set", "tree/c.json", "/b", "--lock-wait", "0"]);
    assert_eq!(said.code, Some(0), "the lock of a run that was killed is none: {said:?}");
    assert_eq!(names(&folder, "tree"), ["c.json"]);
}

#[test]
fn who_waits_in_vain_is_told_for_which_process() {
    if !has("strace") {
        return;
    }
    let folder = desk("busy");
    symlink("tree", folder.path("link")).unwrap();
    symlink("tree/c.json", folder.path("c-link.json")).unwrap();
    let before = folder.read("tree/c.json");
    let stopped = stopped_after("linkat", &[], &folder, &["set", "tree/c.json", "/a"]);
    let holder = format!("error: process {} holds the lock on ", stopped.pid());
    for arguments in [
        &["set", "tree/c.json", "/b"][..],
        &["set", "link/c.json", "/b"],
        &["set", "c-link.json", "/b"],
        &["rotate", "tree", "--new-key-out", "third"],
        &["rotate", ".", "--new-key-file", "new"],
        &["rotate", "link/c.json", "--new-key-out", "third"],
        &["decrypt", "tree/c.json", "-o", "link/out.json"],
        &["encrypt", "tree/c.json", "--in-place", "--field", "/b"],
        &["edit", "link/c.json"],
    ] {
        let said = run(&folder, &[], &[arguments, &["--lock-wait", "0"]].concat());
        assert_eq!(said.code, Some(1), "{arguments:?}: {said:?}");
        assert!(
            said.err.contains(&holder) && said.err.contains("(waited 0 s)\n  next: nothing was changed"),
            "{said:?}"
        );
    }
    assert_eq!(folder.read("tree/c.json"), before);
    assert!(!folder.path("third").exists());
    // A command that only reads does not wait.
    assert_eq!(get(&folder, "tree/c.json", "/a"), "plain-a");
    assert_eq!(stopped.go_on().code, Some(0));
    assert_eq!(get(&folder, "tree/c.json", "/a"), "new-secret");
}

#[test]
fn the_time_to_wait_can_be_set_by_option_and_variable() {
    if !has("strace") {
        return;
    }
    let folder = desk("lock-wait");
    let stopped = stopped_after("linkat", &[], &folder, &["set", "tree/c.json", "/a"]);
    let set = |variable: &str, options: &[&str]| {
        let mut command = folder.command(&[], &[&["set", "tree/c.json", "/b"], options].concat());
        furnish(&folder, &mut command);
        Said::of(command.env("PROXMOX_MCP_LOCK_WAIT", variable).output().unwrap())
    };
    for (variable, options, waited) in [("0", &[][..], "0 s"), ("1", &[], "1 s"), ("x", &["--lock-wait", "0"], "0 s")] {
        let said = set(variable, options);
        assert!(said.code == Some(1) && said.err.contains(&format!("(waited {waited})")), "{said:?}");
    }
    let said = set("ten", &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("PROXMOX_MCP_LOCK_WAIT is not a number of seconds: ten\n  next: "), "{said:?}");
    // A command that waits long enough gets the lock.
    let mut command = folder.command(&[], &["set", "tree/c.json", "/b", "--lock-wait", "600"]);
    furnish(&folder, &mut command);
    let waiting = command.stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(stopped.go_on().code, Some(0));
    let said = Said::of(waiting.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(
        (get(&folder, "tree/c.json", "/a"), get(&folder, "tree/c.json", "/b")),
        ("new-secret".into(), "new-secret".into())
    );
}

#[test]
fn two_trees_that_share_only_what_is_above_never_meet() {
    if !has("strace") {
        return;
    }
    let folder = desk("neighbours");
    fs::create_dir(folder.path("tree/inner")).unwrap();
    fs::create_dir(folder.path("other")).unwrap();
    fs::copy(folder.path("tree/c.json"), folder.path("other/c.json")).unwrap();
    fs::copy(folder.path("tree/c.json"), folder.path("tree/inner/c.json")).unwrap();
    let stopped =
        Stopped::after("linkat", &[], &folder, &["rotate", "tree/inner", "--new-key-file", "new", "--jobs", "1"]);
    let said = folder.run(&["rotate", "other", "--new-key-file", "new", "--lock-wait", "0"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    // A rotation of a tree that contains the locked directory must wait.
    let said = folder.run(&["rotate", "tree", "--new-key-file", "new", "--lock-wait", "0"]);
    assert!(said.code == Some(1) && said.err.contains("holds the lock on tree/inner"), "{said:?}");
    assert_eq!(stopped.go_on().code, Some(0));
}

#[test]
fn a_foreign_file_in_place_of_the_lock_stops_nobody() {
    let folder = desk("foreign");
    let lock = folder.path("tree").join(LOCK);
    let place = |kind: &str| match kind {
        "directory" => fs::create_dir(&lock).unwrap(),
        "link" => symlink("../secret", &lock).unwrap(),
        "fifo" => assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success()),
        "hard link" => fs::hard_link(folder.path("secret"), &lock).unwrap(),
        _ => fs::write(&lock, "x".repeat(100)).unwrap(),
    };
    for kind in ["directory", "link", "fifo", "hard link", "file"] {
        place(kind);
        let said = run(&folder, &[], &["set", "tree/c.json", "/a", "--lock-wait", "0"]);
        assert_eq!(said.code, Some(0), "{kind}: {said:?}");
        assert!(said.err.contains("warning: the directory tree cannot be locked ("), "{kind}: {said:?}");
        assert_eq!(folder.read("secret"), "new-secret", "{kind}");
        if kind == "directory" { fs::remove_dir(&lock).unwrap() } else { fs::remove_file(&lock).unwrap() }
    }
    // In a directory in which everybody may write, such as /tmp, anybody can create the lock file and hold the lock.
    if geteuid().is_root() {
        fs::set_permissions(folder.path("tree"), PermissionsExt::from_mode(0o1777)).unwrap();
        fs::write(&lock, "1\n").unwrap();
        chown(&lock, Some(NOBODY), None).unwrap();
        let held = File::open(&lock).unwrap();
        flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        let said = run(&folder, &[], &["set", "tree/c.json", "/a", "--lock-wait", "0"]);
        assert!(said.code == Some(0) && said.err.contains("is not a lock of those who may write there"), "{said:?}");
    }
}

#[test]
fn where_no_lock_can_be_had_the_command_says_so_and_goes_on() {
    if !has("strace") {
        return;
    }
    for error in ["ENOLCK", "EBADF", "ENOSYS", "EOPNOTSUPP", "EIO"] {
        let folder = desk(&format!("no-lock-{error}"));
        let inject = format!("inject=flock:error={error}");
        let said = run(&folder, &["strace", "-qq", "-o", "/dev/null", "-e", &inject], &["set", "tree/c.json", "/a"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let protected = "; each file is still compared with what was read before it is replaced\n";
        assert!(
            said.err.contains("warning: the directory tree cannot be locked (") && said.err.contains(protected),
            "{said:?}"
        );
        assert_eq!(get(&folder, "tree/c.json", "/a"), "new-secret");
    }
}

#[test]
fn an_editors_save_outlasts_whichever_command_replaces_the_file() {
    if !has("strace") {
        return;
    }
    for (at, (arguments, target)) in REPLACING.into_iter().enumerate() {
        for by_rename in [false, true] {
            let folder = desk_for(&format!("save-{at}-{by_rename}"), arguments);
            // The new file is complete and has its temporary name. The next step exchanges the two.
            let stopped = stopped_after("linkat", &[], &folder, arguments);
            let save = r#"{"auth": {"token_value": "saved"}}"#;
            if by_rename {
                folder.write("tree/editor~", save);
                fs::rename(folder.path("tree/editor~"), folder.path(target)).unwrap();
            } else {
                folder.write(target, save);
            }
            let said = stopped.go_on();
            let code = if arguments[0] == "rotate" { 8 } else { 7 };
            assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
            assert!((said.out + &said.err).contains(" changed "), "{arguments:?}");
            assert_eq!(folder.read(target), save, "{arguments:?}");
            let left = names(&folder, "tree");
            assert!(!left.iter().any(|name| name.starts_with('.')), "{arguments:?}: {left:?}");
        }
    }
}

#[test]
fn a_file_that_an_editor_moves_away_is_not_put_back() {
    if !has("strace") {
        return;
    }
    let folder = desk("moved-away");
    let stopped = stopped_after("linkat", &[], &folder, &["set", "tree/c.json", "/a"]);
    fs::rename(folder.path("tree/c.json"), folder.path("tree/c.json~")).unwrap();
    let said = stopped.go_on();
    assert!(
        said.code == Some(7) && said.err.contains("another program changed tree/c.json; that change was kept"),
        "{said:?}"
    );
    assert_eq!(names(&folder, "tree"), ["c.json~"]);
}

#[test]
fn a_save_that_cannot_be_put_back_is_named() {
    if !has("strace") {
        return;
    }
    let folder = desk("torn");
    let failing = ["-e", "trace=linkat,renameat2", "-e", "inject=renameat2:error=EIO:when=2"];
    let stopped = stopped_after("linkat", &failing, &folder, &["set", "tree/c.json", "/a"]);
    folder.write("tree/c.json", "saved");
    let said = stopped.go_on();
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(!said.err.contains("nothing was changed"), "{said:?}");
    let name = said.err.split_once("that save is in ").unwrap().1.lines().next().unwrap();
    assert_eq!(folder.read(name), "saved");
}

#[test]
fn a_save_that_a_killed_run_had_moved_aside_is_brought_back() {
    if !has("strace") {
        return;
    }
    let folder = desk("rescued");
    // Killed between the first and the second exchange.
    let killed = ["-e", "trace=linkat,renameat2", "-e", "inject=renameat2:signal=KILL:when=2"];
    let stopped = stopped_after("linkat", &killed, &folder, &["set", "tree/c.json", "/a"]);
    folder.write("tree/c.json", "saved");
    assert_eq!(stopped.go_on().code, None);
    assert_eq!(get(&folder, "tree/c.json", "/a"), "new-secret", "the new file is in place");
    let said = run(&folder, &[], &["set", "tree/c.json", "/b"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("that save is now in tree/c.json.saved.1: compare the two"), "{said:?}");
    assert_eq!(folder.read("tree/c.json.saved.1"), "saved");
    assert_eq!(names(&folder, "tree"), ["c.json", "c.json.saved.1"]);
}

#[test]
fn an_edit_of_a_config_that_changed_is_kept_beside_it() {
    let folder = desk("edit-changed");
    let editor = "sh -c 'printf other | \"$FERNSEAL\" set -q tree/c.json /b; sed -i s/first-secret/edited/ \"$1\"' --";
    let mut command = folder.command(&[], &["edit", "tree/c.json"]);
    command.env("EDITOR", editor).env("FERNSEAL", env!("CARGO_BIN_EXE_fernseal")).env("XDG_RUNTIME_DIR", "/dev/shm");
    folder.write("home/.proxmox_mcp_key", KEY);
    let key = folder.path("home/.proxmox_mcp_key");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    // The editor gets no key in an environment variable.
    let editor = editor.replace("set -q", &format!("set -q --key-file {}", key.display()));
    let said = Said::of(command.env("EDITOR", editor).output().unwrap());
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.err.contains("tree/c.json while it was edited; that change was kept"), "{said:?}");
    let kept = said.err.split_once("encrypted, is in ").unwrap().1.split_once(": compare").unwrap().0;
    assert!(kept.starts_with("tree/c.json.edited."), "{kept}");
    assert_eq!(
        (get(&folder, "tree/c.json", "/b"), get(&folder, "tree/c.json", "/auth/token_value")),
        ("other".into(), "first-secret".into())
    );
    assert_eq!(
        (get(&folder, kept, "/b"), get(&folder, kept, "/auth/token_value")),
        ("plain-b".into(), "edited".into())
    );
    assert!(!folder.read(kept).contains("edited"));
}

#[test]
fn a_config_that_changed_since_it_was_judged_is_judged_again() {
    if !has("strace") {
        return;
    }
    let folder = desk_for("prune-changed", &["--rollback"]);
    let backups = names(&folder, "tree");
    // The backups are checked and the lock is held; no backup is removed yet.
    let prune = ["backups", "prune", "--yes", "tree", "--key-file", "new"];
    let stopped = Stopped::after_with("flock", &[], &folder, &prune, |command| {
        command.env_remove("PROXMOX_MCP_MASTER_KEY");
    });
    folder.write("tree/c.json", "{}");
    let said = stopped.go_on();
    assert_eq!((said.code, &*said.out), (Some(8), "0 backups removed, of 2 configs checked\n"), "{said:?}");
    assert!(
        said.err.contains("the backups of tree/c.json were kept: tree/c.json no longer has encrypted values"),
        "{said:?}"
    );
    assert_eq!(names(&folder, "tree"), backups);
}

#[test]
fn a_removal_that_stops_between_two_backups_has_named_those_that_are_gone() {
    if !has("strace") {
        return;
    }
    for signal in [Signal::TERM, Signal::KILL] {
        let folder = Folder::new(&format!("prune-stopped-{}", signal.as_raw()));
        folder.make_configs(3);
        assert_eq!(folder.run(&["rotate", "-q", "tree", "--new-key-out", "new"]).code, Some(0));
        let all: Vec<String> = names(&folder, "tree").into_iter().filter(|name| name.contains(".backup.")).collect();
        let prune = ["backups", "prune", "--yes", "tree", "--key-file", "new"];
        let two = ["-e", "inject=unlinkat:signal=STOP:when=2"];
        let stopped = Stopped::after_with("unlinkat", &two, &folder, &prune, |command| {
            command.env_remove("PROXMOX_MCP_MASTER_KEY");
        });
        wait_until("the second backup's end", || !folder.path("tree").join(&all[1]).exists());
        stopped.signal(signal);
        let said = stopped.go_on();
        let gone: Vec<&String> = all.iter().filter(|name| !folder.path("tree").join(name).exists()).collect();
        assert_eq!(gone.len(), 2);
        if signal == Signal::TERM {
            assert!(said.code == Some(9) && said.err.contains("interrupted: 1 backup not removed"), "{said:?}");
            let named = said.out.lines().filter(|line| line.starts_with("tree/")).count();
            assert!(named == 2 && said.out.ends_with("2 backups removed, of 3 configs checked\n"), "{said:?}");
        } else {
            assert!(said.out.contains(&*all[0]), "{said:?}");
        }
        let mut again = folder.command(&[], &prune);
        let said = Said::of(again.env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap());
        assert_eq!(
            (said.code, said.out),
            (Some(0), format!("tree/{}\n1 backup removed, of 3 configs checked\n", all[2]))
        );
    }
}

#[test]
fn a_backup_that_cannot_be_removed_does_not_hide_those_that_are() {
    if !has("strace") {
        return;
    }
    let folder = Folder::new("prune-fails");
    folder.make_configs(3);
    assert_eq!(folder.run(&["rotate", "-q", "tree", "--new-key-out", "new"]).code, Some(0));
    let failing = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=unlinkat:error=EACCES:when=2"];
    let mut command = folder.command(&failing, &["backups", "prune", "--yes", "tree", "--key-file", "new"]);
    let said = Said::of(command.env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap());
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(
        said.out.lines().count() == 3 && said.out.ends_with("\n2 backups removed, of 3 configs checked\n"),
        "{said:?}"
    );
    assert!(said.err.contains("error: tree/0001.json.backup.") && said.err.contains("cannot be removed"), "{said:?}");
}

/// Returns the file in `tree`, other than `except`, that contains the decrypted secret.
fn plain_text_in(folder: &Folder, except: &str) -> Option<String> {
    let holds =
        |(name, bytes): &(String, Vec<u8>)| name != except && bytes.windows(12).any(|part| part == b"first-secret");
    folder.files("tree").into_iter().find(holds).map(|(name, _)| name)
}

/// Runs the command without /proc, so that it cannot give a name to an unnamed file, as on NFS.
const WITHOUT_PROC: [&str; 6] =
    ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$0\" \"$@\"", "strace"];

fn can_mount(folder: &Folder) -> bool {
    let can = has("unshare") && folder.command(&["unshare", "--mount", "true"], &[]).status().unwrap().success();
    if !can {
        skip("only root can mount, and not in every container");
    }
    can
}

#[test]
fn decrypted_text_has_no_name_before_it_is_whole() {
    if !has("strace") {
        return;
    }
    for force in [&[][..], &["--force"]] {
        for call in ["openat", "fchmod", "write", "fsync", "linkat", "renameat2"] {
            for when in 1..60 {
                let folder = desk(&format!("killed-{call}-{}-{when}", force.len()));
                if !force.is_empty() {
                    folder.write("tree/out.json", "{}");
                }
                let inject = format!("inject={call}:signal=KILL:when={when}");
                let strace = ["strace", "-qq", "-o", "/dev/null", "-e", &inject];
                let decrypt = [&["decrypt", "tree/c.json", "-o", "tree/out.json"], force].concat();
                if folder.run_by(&strace, &decrypt).code == Some(0) {
                    break;
                }
                let out = fs::read_to_string(folder.path("tree/out.json")).unwrap_or_else(|_| "{}".to_owned());
                assert!(out == "{}" || out == PLAIN, "{call} {when}: {out}");
                // A complete file may have its temporary name until the exchange is done.
                let other = plain_text_in(&folder, "out.json");
                let is_exchanging = call == "renameat2" && other.as_ref().is_some_and(|name| name.starts_with(".out"));
                assert!(other.is_none() || is_exchanging, "{call} {when}: {other:?}");
                // The next command that writes in the directory removes all leftovers.
                assert_eq!(run(&folder, &[], &["set", "-q", "tree/c.json", "/a"]).code, Some(0));
                let left = names(&folder, "tree");
                assert!(!left.iter().any(|name| name.starts_with('.')), "{call}: {left:?}");
            }
        }
    }
}

#[test]
fn where_a_file_must_have_a_name_the_next_command_removes_what_was_left() {
    if !has("strace") || !can_mount(&desk("named-mount")) {
        return;
    }
    let killed = [&WITHOUT_PROC[..], &["-qq", "-o", "/dev/null", "-e", "inject=fsync:signal=KILL:when=1"]].concat();
    for (at, (next, _)) in REPLACING.into_iter().enumerate() {
        let folder = desk_for(&format!("named-{at}"), next);
        folder.write("plain.json", r#"{"a": "first-secret", "auth": {"token_value": "x"}}"#);
        folder.run_by(&killed, &["encrypt", "plain.json", "-o", "tree/another.json"]);
        let left = plain_text_in(&folder, "out.json");
        assert!(left.as_ref().is_some_and(|name| name.starts_with(".another.json.fernseal-")), "{next:?}: {left:?}");
        let said = run(&folder, &[], next);
        assert_eq!(said.code, Some(0), "{said:?}");
        let removed = format!("removed tree/{}, left by a run that was killed\n", left.unwrap());
        assert!(said.err.contains(&removed), "{said:?}");
        assert_eq!(plain_text_in(&folder, "out.json"), None);
    }
}

#[test]
fn a_signal_leaves_nothing_where_a_file_must_have_a_name() {
    if !has("strace") || !can_mount(&desk("named-signal-mount")) {
        return;
    }
    for (arguments, target) in REPLACING {
        // `rotate` resumes its own work (rotation.rs), and `edit` needs /proc.
        if ["rotate", "edit"].contains(&arguments[0]) {
            continue;
        }
        let folder = desk_for("named-signal", arguments);
        let before = (folder.read("tree/c.json"), folder.read(target));
        let interrupted =
            [&WITHOUT_PROC[..], &["-qq", "-o", "/dev/null", "-e", "inject=flock:signal=TERM:when=1"]].concat();
        let said = run(&folder, &interrupted, arguments);
        assert_eq!(said.code, Some(9), "{arguments:?}: {said:?}");
        assert!(said.err.contains("interrupted\n  next: nothing was changed"), "{said:?}");
        assert_eq!((folder.read("tree/c.json"), folder.read(target)), before);
        assert!(names(&folder, "tree").iter().all(|name| !name.starts_with('.')), "{arguments:?}");
    }
}

#[test]
fn what_a_live_run_has_under_a_temporary_name_stays() {
    let folder = desk("live");
    if !has("strace") || !can_mount(&folder) {
        return;
    }
    fs::create_dir(folder.path("tree/sub")).unwrap();
    fs::copy(folder.path("tree/c.json"), folder.path("tree/sub/c.json")).unwrap();
    fs::create_dir(folder.path("tree/out")).unwrap();
    // Its write is delayed until the other command has ended.
    let slow =
        [&WITHOUT_PROC[..], &["-qq", "-o", "/dev/null", "-e", "inject=fsync:delay_enter=3000000:when=1"]].concat();
    let mut command = folder.command(&slow, &["decrypt", "tree/c.json", "-o", "tree/out/out.json"]);
    let slow = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let temporary = || names(&folder, "tree/out").into_iter().find(|name| name.ends_with(".tmp"));
    wait_until("the temporary file", || temporary().is_some());
    // A rotation of the whole tree locks only directories with configs, and this directory has none.
    let said = folder.run(&["rotate", "tree", "--new-key-file", "new", "--lock-wait", "0"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!said.err.contains("removed"), "{said:?}");
    let said = Said::of(slow.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(names(&folder, "tree/out"), ["out.json"]);
}

#[test]
fn a_directory_that_may_be_searched_and_not_listed_is_enough() {
    if !has("setpriv") {
        return;
    }
    if !geteuid().is_root() {
        skip("only root can write for another user");
        return;
    }
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    for (mode, writes) in [(0o711, false), (0o733, true)] {
        let folder = desk(&format!("search-{mode:o}"));
        let tree = folder.path("tree");
        chown(tree.join("c.json"), Some(NOBODY), Some(NOBODY)).unwrap();
        fs::set_permissions(&tree, PermissionsExt::from_mode(mode)).unwrap();
        let said = folder.run_by(&nobody, &["get", "tree/c.json", "/auth/token_value"]);
        assert_eq!((said.code, &*said.out), (Some(0), "first-secret\n"), "{said:?}");
        assert_eq!(folder.run_by(&nobody, &["verify", "tree/c.json"]).code, Some(0));
        let said = run(&folder, &nobody, &["set", "tree/c.json", "/a"]);
        assert_eq!(said.code, Some(if writes { 0 } else { 7 }), "{said:?}");
        assert_eq!(get(&folder, "tree/c.json", "/a"), if writes { "new-secret" } else { "plain-a" });
        assert!(!tree.join(LOCK).exists());
    }
}

#[test]
fn a_file_system_that_cannot_sync_a_directory_is_told_of() {
    if !has("strace") {
        return;
    }
    let failing = |when: &str| {
        ["strace", "-qq", "-o", "/dev/null", "-e"]
            .into_iter()
            .chain([format!("inject=fsync:error=EINVAL:when={when}").leak() as &str])
            .collect::<Vec<_>>()
    };
    for (at, (arguments, _)) in REPLACING.into_iter().enumerate() {
        let folder = desk_for(&format!("unsynced-{at}"), arguments);
        let when = if arguments[0] == "rotate" && arguments.contains(&"--new-key-file") { "4" } else { "2" };
        let said = run(&folder, &failing(when), arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        let warning = "cannot be synced (Invalid argument (os error 22)): a power failure could undo the change\n";
        assert!(
            said.err.contains("warning: the directory of tree/") && said.err.contains(warning),
            "{arguments:?}: {said:?}"
        );
    }
    // `keygen` creates a key that seals nothing yet, so it goes on; a rotation must be sure that its key is on disk.
    let folder = desk("unsynced-key");
    let said = folder.run_by(&failing("2"), &["keygen", "-o", "third"]);
    assert!(said.code == Some(0) && said.err.contains("warning: the directory of third cannot be synced"), "{said:?}");
    let rotate = ["rotate", "tree", "--new-key-out", "fourth", "--jobs", "1"];
    let said = folder.run_by(&failing("2"), &rotate);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.err.contains("cannot sync the directory of fourth: Invalid argument"), "{said:?}");
    assert!(said.err.contains("name a file on another file system") && !folder.path("fourth").exists(), "{said:?}");
}

#[test]
fn an_attribute_that_the_file_system_does_not_know_is_told_of_unless_it_gives_rights() {
    let folder = desk("attributes-left-out");
    let config = folder.path("tree/c.json");
    if !has("strace") {
        return;
    }
    if rustix::fs::setxattr(&config, "user.note", b"kept", XattrFlags::empty()).is_err() {
        skip("this file system has no extended attributes");
        return;
    }
    let failing = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=fsetxattr:error=EOPNOTSUPP"];
    let said = run(&folder, &failing, &["set", "tree/c.json", "/a"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.err.contains("warning: tree/c.json has lost its attribute user.note: Operation not supported"),
        "{said:?}"
    );

    // An access control list that lets one more user read.
    let acl: Vec<u8> = [2_u32.to_le_bytes().to_vec()]
        .into_iter()
        .chain([(1, 6, u32::MAX), (2, 4, NOBODY), (4, 0, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)].map(
            |(tag, rights, id): (u16, u16, u32)| {
                [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
            },
        ))
        .flatten()
        .collect();
    if rustix::fs::setxattr(&config, "system.posix_acl_access", &acl, XattrFlags::empty()).is_err() {
        skip("this file system has no access control lists");
        return;
    }
    let before = folder.read("tree/c.json");
    let said = run(&folder, &failing, &["set", "tree/c.json", "/b"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.err.contains("cannot keep the attribute system.posix_acl_access of tree/c.json"), "{said:?}");
    assert_eq!(folder.read("tree/c.json"), before);
    assert_eq!(run(&folder, &[], &["set", "tree/c.json", "/b"]).code, Some(0), "where it is known it is kept");
    let mut value = [0; 64];
    let path = CString::new(config.to_str().unwrap()).unwrap();
    let len = rustix::fs::getxattr(&path, "system.posix_acl_access", &mut value).unwrap();
    assert_eq!(value[..len], acl);
}

#[test]
fn a_mode_that_cannot_be_set_matters_where_others_could_read() {
    if !has("strace") {
        return;
    }
    let failing = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=fchmod:error=EPERM"];
    for (mode, code) in [(0o600, 0), (0o640, 7), (0o400, 7)] {
        let folder = desk(&format!("mode-{mode:o}"));
        fs::set_permissions(folder.path("tree/c.json"), PermissionsExt::from_mode(mode)).unwrap();
        let said = run(&folder, &failing, &["set", "tree/c.json", "/a"]);
        assert_eq!(said.code, Some(code), "{mode:o}: {said:?}");
        assert!(code == 0 || said.err.contains(&format!("cannot keep the mode {mode:03o} of tree/c.json")), "{said:?}");
        assert_eq!(fs::metadata(folder.path("tree/c.json")).unwrap().mode() & 0o7777, mode);
    }
}

#[test]
fn a_file_system_that_exchanges_no_names_does_what_it_can() {
    if !has("strace") {
        return;
    }
    for (at, (arguments, target)) in REPLACING.into_iter().enumerate() {
        for error in ["EINVAL", "ENOSYS"] {
            let folder = desk_for(&format!("no-exchange-{at}-{error}"), arguments);
            let before = folder.read(target);
            let inject = format!("inject=renameat2:error={error}");
            let said = run(&folder, &["strace", "-qq", "-o", "/dev/null", "-e", &inject], arguments);
            assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
            assert_ne!(folder.read(target), before);
            assert!(names(&folder, "tree").iter().all(|name| !name.starts_with('.')), "{arguments:?}");

            let folder = desk_for(&format!("no-exchange-saved-{at}-{error}"), arguments);
            let options = ["-e", "trace=linkat,renameat2", "-e", &inject];
            let stopped = stopped_after("linkat", &options, &folder, arguments);
            folder.write(target, "saved");
            let said = stopped.go_on();
            assert!(said.code == Some(7) || said.code == Some(8), "{arguments:?}: {said:?}");
            assert_eq!(folder.read(target), "saved");
        }
    }
}

#[test]
fn nothing_is_left_beside_the_configs_by_any_command() {
    for (at, (arguments, _)) in REPLACING.into_iter().enumerate() {
        let folder = desk_for(&format!("litter-{at}"), arguments);
        assert_eq!(run(&folder, &[], arguments).code, Some(0));
        let is_known = |name: &String| ["c.json", "out.json"].contains(&&**name) || name.starts_with("c.json.backup.");
        let left = names(&folder, "tree");
        assert!(left.iter().all(is_known), "{arguments:?}: {left:?}");
        assert!(Path::new(&folder.path("tree/c.json")).exists());
    }
}
