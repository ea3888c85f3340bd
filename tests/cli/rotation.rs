//! Rotation under difficult conditions: two at once, interruption, links, other programs, many files. tests/faults
//! shows that no failing system call loses a secret; transcripts/ shows everyday use.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, str, thread};

use crate::common::{Folder, KEY, Said, Stopped, has, skip, tokens};
use rustix::process::Signal;

/// Creates configs that were rotated to the key in the file `new`, with their backups.
fn rotated(name: &str, count: usize) -> Folder {
    let folder = Folder::new(name);
    folder.make_configs(count);
    assert_eq!(folder.run(&["rotate", "tree", "--new-key-out", "new"]).code, Some(0));
    folder
}

#[test]
fn of_two_rotations_at_once_one_is_refused_and_all_tokens_are_under_one_key() {
    for round in 0..20 {
        let folder = Folder::new(&format!("two-{round}"));
        folder.make_configs(3);
        let start = |key: &str| {
            let mut command = folder.command(&[], &["rotate", "tree", "--new-key-out", key]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let (a, b) = (start("a"), start("b"));
        let (a, b) = (Said::of(a.wait_with_output().unwrap()), Said::of(b.wait_with_output().unwrap()));
        let (won, lost) = if a.code == Some(0) { ("a", b) } else { ("b", a) };
        // The lock stopped it; or, if it came after the other had ended, its key did not open the tokens.
        assert!(lost.code == Some(1) || lost.code == Some(4), "{lost:?}");
        assert!(folder.all_open_with(won), "{lost:?}");
        assert!(!folder.path(if won == "a" { "b" } else { "a" }).exists(), "no second key is made");
    }
}

#[test]
fn a_thousand_configs_are_rotated_with_two_derivations_for_each_token() {
    let folder = Folder::new("thousand");
    folder.make_configs(1_000);
    let rotated = folder.run(&["rotate", "-v", "tree", "--new-key-out", "new", "--no-backup"]);
    assert_eq!(rotated.code, Some(0), "{}", rotated.err);
    assert!(rotated.out.contains("1000 rotated, 0 skipped, 0 failed"));
    // Two derivations for each token, and two for the ids of the keys.
    assert!(rotated.err.contains("debug: keys derived: 2002\n"), "{}", rotated.err.lines().last().unwrap());
    assert!(folder.all_open_with("new"));
}

#[test]
fn the_way_back_derives_for_many_tokens_at_once_and_on_several_threads() {
    if !has("strace") {
        return;
    }
    let folder = rotated("back-in-groups", 150);
    let one_core = thread::available_parallelism().unwrap().get() == 1;
    let new = folder.read("new");
    let configs: Vec<String> = (0..150).map(|at| format!("tree/{at:04}.json")).collect();
    let verify: Vec<&str> = ["verify", "-v"].into_iter().chain(configs.iter().map(String::as_str)).collect();
    for (key, derived, arguments) in [
        (new.trim(), 150, &verify[..]),
        (KEY, 300, &["rotate", "-v", "--rollback", "tree", "--jobs", "2"]),
        (KEY, 150, &["backups", "prune", "-v", "--yes", "tree"]),
    ] {
        let strace = ["strace", "-f", "-qq", "-o", "log", "-e", "trace=clone,clone3"];
        let mut command = folder.command(&strace, arguments);
        let said = Said::of(command.env("PROXMOX_MCP_MASTER_KEY", key).output().unwrap());
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.err.contains(&format!("debug: keys derived: {derived}\n")), "{said:?}");
        let threads = folder.read("log").matches("clone").count();
        assert!(threads > 0 || one_core && arguments[0] != "rotate", "{} used one thread", arguments[0]);
    }
    folder.write("old", KEY);
    assert!(folder.all_open_with("old"));
    assert_eq!(folder.files("tree").len(), 150, "the backups are gone");
}

#[test]
fn of_configs_that_are_judged_together_each_goes_back_by_what_is_true_of_itself() {
    let folder = Folder::new("back-one-by-one");
    folder.make_configs(8);
    let sealed: Vec<String> = (0..8).map(|at| folder.read(&format!("tree/{at:04}.json"))).collect();
    assert_eq!(folder.run(&["rotate", "tree", "--new-key-out", "new"]).code, Some(0));
    let backup = |at: usize| {
        let files = folder.files("tree");
        format!("tree/{}", files.iter().find(|(name, _)| name.starts_with(&format!("{at:04}.json.b"))).unwrap().0)
    };
    let rotated: Vec<String> = (0..8).map(|at| folder.read(&format!("tree/{at:04}.json"))).collect();
    folder.write("tree/0001.json", &sealed[1]);
    fs::remove_file(folder.path(&backup(2))).unwrap();
    folder.write(&backup(3), &rotated[3]);
    folder.write(&backup(4), "{");
    let edited = rotated[5].replace("{\"auth\"", "{\"edited\": true, \"auth\"");
    folder.write("tree/0005.json", &edited);
    folder.write("tree/0006.json", "{");

    let said = folder.run(&["rotate", "--rollback", "tree"]);
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.err.contains("error: 5 files failed; no backup was touched\n"), "{said:?}");
    for line in [
        "restored tree/0000.json from ",
        "skipped tree/0001.json: the current keys already decrypt it\n",
        "failed tree/0002.json: the current keys do not decrypt tree/0002.json, and it has no backup\n",
        "failed tree/0003.json: Token decryption failed: tree/0003.json.backup.",
        "failed tree/0004.json: Invalid JSON: tree/0004.json.backup.",
        "failed tree/0005.json: tree/0005.json was edited after ",
        "failed tree/0006.json: Invalid JSON: tree/0006.json, ",
        "restored tree/0007.json from ",
        "2 restored, 5 failed, of 8\n",
    ] {
        assert!(said.out.contains(line), "{line}: {said:?}");
    }
    let expected = [&sealed[0], &sealed[1], &rotated[2], &rotated[3], &rotated[4], &edited, "{", &sealed[7]];
    for (at, expected) in expected.into_iter().enumerate() {
        assert_eq!(folder.read(&format!("tree/{at:04}.json")), *expected, "{at}");
    }

    // A second path to the same file is not an error.
    assert_eq!(folder.run(&["rotate", "tree/0000.json", "--new-key-file", "new"]).code, Some(0));
    let said = folder.run(&["rotate", "--rollback", "tree/0000.json", "./tree/0000.json"]);
    assert!(said.code == Some(0) && said.out.contains("1 restored, 0 failed, of 1\n"), "{said:?}");

    // Only the backups of configs that open are removed.
    let kept = [3, 4, 5, 6].map(backup);
    let said = folder.run(&["backups", "prune", "--yes", "tree"]);
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.err.contains("error: the backups of 4 configs were kept\n"), "{said:?}");
    let backups: Vec<String> = folder.files("tree").into_iter().map(|(name, _)| format!("tree/{name}")).collect();
    assert_eq!(backups.into_iter().filter(|name| name.contains(".backup.")).collect::<Vec<_>>(), kept);
}

#[test]
fn a_directory_of_backups_that_is_none_does_not_pass_for_configs_without_backups() {
    let folder = Folder::new("no-backups-there");
    folder.make_configs(1);
    for command in [&["rotate", "--rollback"][..], &["backups", "list"], &["backups", "prune", "--yes"]] {
        let said = folder.run(&[command, &["tree", "--backup-dir", "kept"]].concat());
        assert_eq!((said.code, &*said.out), (Some(7), ""), "{said:?}");
        assert!(said.err.starts_with("error: no backups in kept: it is not a directory\n"), "{said:?}");
    }
}

#[test]
fn what_a_rotation_proposes_can_be_run_as_it_stands() {
    let folder = Folder::new("proposed");
    folder.make_configs(2);
    folder.write("old", KEY);
    fs::set_permissions(folder.path("old"), PermissionsExt::from_mode(0o600)).unwrap();
    fs::create_dir(folder.path("kept here")).unwrap();
    let run = |command: &str| {
        let command = command.replacen("fernseal", env!("CARGO_BIN_EXE_fernseal"), 1);
        let mut command = folder.command(&["sh", "-c", &command], &[]);
        Said::of(command.env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap())
    };
    let after = |text: &str, mark: &str| text.split_once(mark).unwrap().1.lines().next().unwrap().to_owned();
    let options = "--key-file old --audit-log log --backup-dir 'kept here'";
    let rotated = run(&format!("fernseal rotate tree --new-key-out new {options}"));
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let resumed = run(&after(&rotated.err, "finish it with:\n  "));
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    let back = run(&after(&rotated.out, "To go back while the old key is set: "));
    assert!(back.code == Some(0) && back.out.contains("2 restored, 0 failed, of 2\n"), "{back:?}");
    let again = run(&after(&rotated.err, "finish it with:\n  "));
    assert_eq!(again.code, Some(0), "{again:?}");
    let pruned = run(&(after(&again.out, "and remove the backups: ") + " --yes"));
    assert!(pruned.code == Some(0) && pruned.out.contains("4 backups removed, of 2 configs checked\n"), "{pruned:?}");
    let logged = folder.read("log").matches("\"outcome\":\"started\"").count();
    assert_eq!(logged, 5, "each of them goes on with the log");
}

#[test]
fn a_rotation_is_resumed_with_the_options_that_it_was_begun_with() {
    let folder = Folder::new("resumed");
    folder.make_configs(2);
    folder.write("tree/bad.json", "{\"enc:\"");
    let options = " --new-key-file new --no-backup --keep-going --jobs 1\n";
    let begun =
        folder.run(&["rotate", "tree", "--new-key-out", "new", "--jobs", "1", "--keep-going", "--no-backup", "-v"]);
    let command = format!("finish it with:\n  fernseal rotate tree{options}");
    assert!(begun.err.contains(&command), "{begun:?}");
    assert!(begun.err.ends_with(&format!("then finish with: fernseal rotate tree{options}")), "{begun:?}");
}

#[test]
fn what_is_proposed_can_be_run_where_a_variable_names_the_key_file_and_whatever_the_names_are() {
    if !has("bash") {
        return;
    }
    for (name, text) in [(b"it's a tree".as_slice(), KEY), (b"-d \x1b[2J\xff", "")] {
        let folder = Folder::new("variables");
        folder.make_configs(1);
        folder.write("old key", KEY);
        let tree = Path::new(OsStr::from_bytes(name));
        fs::rename(folder.path("tree"), folder.0.join(tree)).unwrap();
        let run = |script: &str| {
            let mut command = folder.command(&["bash", "-c", script], &[]);
            command.arg(tree).env("PROXMOX_MCP_MASTER_KEY_FILE", "old key").env("PROXMOX_MCP_MASTER_KEY", text);
            Said::of(command.output().unwrap())
        };
        let rotated = run("\"$0\" rotate --new-key-out 'a new key' -- \"$1\"");
        assert_eq!(rotated.code, Some(0), "{rotated:?}");
        let (_, exports) = rotated.out.split_once("reads these configs:\n").unwrap();
        let (exports, back) = exports.split_once("To go back while the old key is set: fernseal").unwrap();
        let verified = run(&format!("{exports}\"$0\" verify ./\"$1\"/*.json"));
        assert_eq!(verified.code, Some(0), "{exports}: {verified:?}");
        let back = run(&format!("\"$0\" {}", back.lines().next().unwrap()));
        assert!(back.code == Some(0) && back.out.contains("1 restored, 0 failed, of 1\n"), "{back:?}");
    }
}

#[test]
fn the_backups_of_a_config_that_lost_its_tokens_stay() {
    let folder = rotated("emptied", 2);
    folder.write("tree/0000.json", "{}");
    let said = folder.run_under(&folder.read("new"), &["backups", "prune", "--yes", "tree"]);
    assert!(said.code == Some(8) && said.out.ends_with("\n1 backup removed, of 2 configs checked\n"), "{said:?}");
    assert!(
        said.err.contains("the backups of tree/0000.json were kept: tree/0000.json no longer has encrypted values"),
        "{said:?}"
    );
    let left = folder.run(&["backups", "list", "tree"]);
    assert!(
        left.out.contains("tree/0000.json.backup.") && left.out.ends_with("\n1 backup beside 2 configs checked\n"),
        "{left:?}"
    );
}

#[test]
fn a_backup_that_two_paths_lead_to_is_one() {
    let folder = rotated("twice", 2);
    symlink("tree/0001.json", folder.path("link.json")).unwrap();
    let paths = ["tree", "tree/0000.json", "./tree/../tree", "link.json"];
    let listed = folder.run(&[&["backups", "list"][..], &paths].concat());
    assert!(listed.code == Some(0) && listed.out.ends_with("\n2 backups beside 2 configs checked\n"), "{listed:?}");
    let pruned = folder.run_under(&folder.read("new"), &[&["backups", "prune", "--yes"][..], &paths].concat());
    assert!(
        pruned.code == Some(0) && pruned.out.ends_with("\n2 backups removed, of 2 configs checked\n"),
        "{pruned:?}"
    );
}

#[test]
fn a_file_under_a_third_key_is_left_out_and_not_said_to_open() {
    let folder = Folder::new("third-key");
    folder.make_configs(1);
    folder.write("tree/third.json", &folder.read("tree/0000.json"));
    assert_eq!(folder.run(&["rotate", "tree/third.json", "--new-key-out", "third", "--no-backup"]).code, Some(0));
    let third = folder.read("tree/third.json");
    let said = folder.run(&["rotate", "tree", "--new-key-out", "new", "--keep-going"]);
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.err.contains("error: 1 file left out and not changed\n"), "{said:?}");
    assert!(!said.out.contains("remove the backups") && !said.err.contains("opens with"), "{said:?}");
    assert_eq!(folder.read("tree/third.json"), third);
}

#[test]
fn whichever_command_opens_every_token_logs_it() {
    for (command, arguments) in [
        ("verify", &["verify", "tree/0000.json"][..]),
        ("status", &["status", "--verify", "tree/0000.json"]),
        ("doctor", &["doctor", "tree/0000.json"]),
    ] {
        let folder = Folder::new(&format!("logged-{command}"));
        folder.make_configs(1);
        let said = folder.run(&[arguments, &["--audit-log", "log"]].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        let log = folder.read("log");
        assert_eq!(log.lines().count(), 1, "{log}");
        for field in [&*format!("\"command\":\"{command}\""), "\"outcome\":\"done\"", "[\"/auth/token_value\"]"] {
            assert!(log.contains(field), "{field}: {log}");
        }
    }
}

#[test]
fn more_configs_than_a_process_may_have_files_open_are_rotated() {
    let folder = Folder::new("few-files");
    folder.make_configs(600);
    let few = ["sh", "-c", "ulimit -S -n 100 && exec \"$0\" \"$@\""];
    let command = &["rotate", "tree", "--jobs", "4", "--new-key-out", "new", "--no-backup"];
    let said = folder.run_by(&few, command);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(folder.all_open_with("new"));
}

#[test]
fn what_came_of_the_files_is_told_in_their_order_however_many_threads_there_are() {
    for jobs in ["1", "2", "5"] {
        let folder = Folder::new(&format!("order-{jobs}"));
        folder.make_configs(300);
        let rotated = folder.run(&["rotate", "-v", "tree", "--jobs", jobs, "--new-key-out", "new"]);
        assert_eq!(rotated.code, Some(0), "{}", rotated.err);
        let lines: Vec<String> = rotated.out.lines().map(|line| line.chars().take(22).collect()).collect();
        let expected: Vec<String> = (0..300).map(|at| format!("rotated tree/{at:04}.json")).collect();
        assert_eq!(lines[..300], expected);
        assert!(rotated.out.contains("300 rotated, 0 skipped, 0 failed\n"));
        assert!(rotated.err.contains("debug: keys derived: 602\n"), "two for each token, and two that name the keys");
        assert!(folder.all_open_with("new"));
    }
}

#[test]
fn threads_that_are_interrupted_finish_what_they_have_begun_and_what_is_left_is_counted() {
    if !has("strace") {
        return;
    }
    let folder = Folder::new("interrupted-threads");
    // Enough configs for more than one group.
    folder.make_configs(200);
    let command = &["rotate", "tree", "--jobs", "2", "--new-key-out", "new"];
    // Stopped when the first backup gets its name.
    let stopped = Stopped::after("renameat2", &["-f"], &folder, command);
    stopped.signal(Signal::TERM);
    let said = stopped.go_on();
    assert_eq!(said.code, Some(9), "{said:?}");
    let rotated = said.out.lines().filter(|line| line.starts_with("rotated ")).count();
    assert!((1..100).contains(&rotated), "not even of the first group all files are begun: {said:?}");
    let told = format!("{rotated} rotated, 0 skipped, 0 failed, {} not reached\n", 200 - rotated);
    assert!(said.out.contains(&told), "{said:?}");
    let names: Vec<String> = folder.files("tree").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.iter().filter(|name| name.contains(".backup.")).count(), rotated);
    assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");

    let resumed = folder.run(&["rotate", "tree", "--new-key-file", "new"]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    let told = format!("{} rotated, {rotated} skipped, 0 failed\n", 200 - rotated);
    assert!(resumed.out.contains(&told), "{resumed:?}");
    assert!(folder.all_open_with("new"));
}

#[test]
fn of_several_threads_each_tells_of_the_file_that_it_could_not_replace() {
    if !has("strace") {
        return;
    }
    let folder = Folder::new("failing-threads");
    folder.make_configs(20);
    // The first renaming of each thread fails. The delay lets every thread get at least one config.
    let slow = "inject=fsync:delay_enter=50000";
    let failing = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=renameat2:error=EIO:when=1", "-e", slow];
    let command = &["rotate", "tree", "--jobs", "2", "--new-key-out", "new", "--json"];
    let said = folder.run_by(&failing, command);
    assert_eq!(said.code, Some(8), "{said:?}");
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let files = |what: &str| -> Vec<String> {
        told[what].as_array().unwrap().iter().map(|file| file["file"].as_str().unwrap().to_owned()).collect()
    };
    let (rotated, failed) = (files("rotated"), files("failed"));
    assert!(failed.len() > 1 && !rotated.is_empty(), "{said:?}");
    let each = format!("error: {} files failed; keep the old key and the new one\n", failed.len());
    assert!(said.err.contains(&each), "{said:?}");
    assert!(failed.is_sorted() && rotated.is_sorted(), "{said:?}");
    let mut all = [rotated.clone(), failed.clone()].concat();
    all.sort();
    assert_eq!(all, (0..20).map(|at| format!("tree/{at:04}.json")).collect::<Vec<_>>());

    let verify = |files: &[String], key: &str| {
        let arguments =
            [&["verify", "-q", "--key-file", key], &*files.iter().map(String::as_str).collect::<Vec<_>>()].concat();
        folder.command(&[], &arguments).env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap().status.code()
    };
    folder.write("old", KEY);
    assert_eq!((verify(&rotated, "new"), verify(&failed, "old")), (Some(0), Some(0)));
}

#[test]
fn where_the_system_gives_no_thread_or_a_few_a_rotation_does_all_the_same() {
    if !has("strace") {
        return;
    }
    for (at, when) in ["1+", "2+", "3"].into_iter().enumerate() {
        let folder = Folder::new(&format!("threadless-{at}"));
        folder.make_configs(40);
        let failing = format!("inject=clone,clone3:error=EAGAIN:when={when}");
        let strace = ["strace", "-f", "-qq", "-o", "log", "-e", "trace=clone,clone3", "-e", &failing];
        let command = &["rotate", "-v", "tree", "--jobs", "4", "--new-key-out", "new"];
        let said = folder.run_by(&strace, command);
        assert!(folder.read("log").contains("(INJECTED)"), "{said:?}");
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("40 rotated, 0 skipped, 0 failed\n"), "{said:?}");
        assert!(said.err.contains("debug: keys derived: 82\n"), "{said:?}");
        assert!(folder.all_open_with("new"));
    }
}

#[test]
fn an_interrupted_rotation_says_how_to_go_on_and_then_does() {
    if !has("strace") {
        return;
    }
    for signal in [Signal::INT, Signal::TERM] {
        let folder = Folder::new(&format!("interrupted-{}", signal.as_raw()));
        folder.make_configs(40);
        let command = &["rotate", "tree", "--jobs", "1", "--new-key-out", "new"];
        // Stopped when the first backup gets its name.
        let stopped = Stopped::after("renameat2", &[], &folder, command);
        stopped.signal(signal);
        let said = stopped.go_on();
        assert_eq!(said.code, Some(9), "{said:?}");
        assert!(said.err.contains("finish with: fernseal rotate tree --new-key-file new"), "{said:?}");
        assert!(said.out.contains("To go back while the old key is set: "), "{said:?}");
        for too_early in ["Update the environment", "remove the backups"] {
            assert!(!said.out.contains(too_early), "{said:?}");
        }
        assert!(!folder.all_open_with("new"), "it was interrupted before the end");

        let refused = folder.run(&["rotate", "tree", "--new-key-out", "another"]);
        assert_eq!(refused.code, Some(4), "{refused:?}");
        let resumed = folder.run(&["rotate", "tree", "--new-key-file", "new"]);
        assert_eq!(resumed.code, Some(0), "{resumed:?}");
        assert!(resumed.out.contains("already under the new key"));
        assert!(folder.all_open_with("new"));
    }
}

#[test]
fn a_file_that_another_program_saves_meanwhile_is_left_as_that_program_saved_it() {
    if !has("strace") {
        return;
    }
    let folder = Folder::new("meanwhile");
    folder.make_configs(1);
    let before = folder.read("tree/0000.json");
    let command = &["rotate", "tree", "--jobs", "1", "--new-key-out", "new", "--no-backup"];
    // The new config exists and has no name yet. (The first file that gets a mode only shows whether that works.)
    let stopped = Stopped::after("fchmod", &["-e", "inject=fchmod:signal=STOP:when=2"], &folder, command);
    let names: Vec<String> = folder.files("tree").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [".fernseal.lock", "0000.json"]);
    let saved = before.replace("{\"auth\"", "{\"edited\": true, \"auth\"");
    folder.write("tree/0000.json", &saved);
    let said = stopped.go_on();
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.out.contains("another program changed tree/0000.json; that change was kept"), "{said:?}");
    assert_eq!(folder.files("tree"), [("0000.json".to_owned(), saved.into_bytes())]);
}

#[test]
fn a_rollback_notices_secrets_that_changed_places_by_hand() {
    let folder = Folder::new("swapped-by-hand");
    folder.make_configs(3);
    let two = |a: &str, b: &str| format!("{{\"a\": \"{a}\", \"b\": \"{b}\"}}\n");
    let all = folder.read("tree/0000.json") + &folder.read("tree/0001.json");
    let sealed: Vec<&str> = tokens(&all).collect();
    let names = ["tree/0000.json", "tree/0001.json"];
    names.iter().for_each(|name| folder.write(name, &two(sealed[0], sealed[1])));
    // The key is where rotations store it, beside the key of another rotation.
    folder.write("home/.proxmox_mcp_key.00000000", "bLEDgzUxSiXMMKxMPSR4h9Gzhvbs_yFlqvsM9HsYdtU=");
    assert_eq!(folder.run(&["rotate", "tree"]).code, Some(0));
    let rotated = folder.read(names[1]);
    let rotated: Vec<&str> = tokens(&rotated).collect();
    folder.write(names[1], &two(rotated[1], rotated[0]));
    let said = folder.run(&["rotate", "--rollback", "tree"]);
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.out.contains("failed tree/0001.json: a secret in tree/0001.json was set or moved after "), "{said:?}");
    assert!(said.out.contains("2 restored, 1 failed, of 3\n"), "{said:?}");
    assert_eq!(folder.read(names[0]), two(sealed[0], sealed[1]));
    assert_eq!(folder.read(names[1]), two(rotated[1], rotated[0]));
}

#[test]
fn without_backups_the_new_key_does_not_go_before_the_configs() {
    let magic = |path: &Path| rustix::fs::statfs(path).unwrap().f_type as u32;
    let memory = Path::new("/dev/shm");
    let folder = Folder::new("forgetful");
    folder.make_configs(1);
    if magic(memory) != 0x0102_1994 || magic(&folder.0) == 0x0102_1994 {
        skip("the tests' folder is in memory, or /dev/shm is not");
        return;
    }
    let key = memory.join(format!("fernseal-test-{}-key", std::process::id()));
    let key = key.to_str().unwrap();
    let before = folder.files("tree");
    let what = format!("the new key's file {key} is on tmpfs: a restart deletes it, but not the configs");
    let refused = |option: &str| {
        let said = folder.run(&["rotate", "tree", "--no-backup", option, key]);
        assert_eq!(said.code, Some(2), "{said:?}");
        let next =
            format!("next: nothing was changed; name a file on a disk with {option} FILE, or leave --no-backup out\n");
        assert!(said.err.contains(&what) && said.err.contains(&next), "{said:?}");
        assert_eq!(folder.files("tree"), before);
    };
    refused("--new-key-out");
    assert!(!Path::new(key).exists());
    fs::write(key, "bLEDgzUxSiXMMKxMPSR4h9Gzhvbs_yFlqvsM9HsYdtU=").unwrap();
    refused("--new-key-file");
    let said = folder.run(&["rotate", "tree", "--new-key-file", key]);
    // If the configs disappear at the next restart too, the key may do so.
    let copy = memory.join(format!("fernseal-test-{}-configs", std::process::id()));
    fs::create_dir(&copy).unwrap();
    fs::write(copy.join("c.json"), &before[0].1).unwrap();
    let beside = folder.run(&["rotate", copy.to_str().unwrap(), "--no-backup", "--new-key-file", key]);
    fs::remove_file(key).unwrap();
    fs::remove_dir_all(&copy).unwrap();
    assert_eq!(beside.code, Some(0), "{beside:?}");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains(&format!("warning: {what}; copy it to a disk first\n")), "{said:?}");

    // Credentials of a service manager are copies in a read-only mount.
    fs::create_dir(folder.path("mnt")).unwrap();
    let unshare = |line: &str| folder.run_by(&["unshare", "--mount", "sh", "-c", line], &[]);
    let secret = "mount -t tmpfs none mnt && echo bLEDgzUxSiXMMKxMPSR4h9Gzhvbs_yFlqvsM9HsYdtU= >mnt/key && \
                  chmod 600 mnt/key && mount -o remount,ro mnt";
    if !has("unshare") || unshare(secret).code != Some(0) {
        skip("only root can mount, and not in every container");
        return;
    }
    folder.write("tree/0000.json", str::from_utf8(&before[0].1).unwrap());
    let said = unshare(&format!("{secret}; \"$0\" rotate tree --no-backup --new-key-file mnt/key"));
    assert_eq!((said.code, &*said.err), (Some(0), ""), "{said:?}");

    // The top layer of a container is lost with it; what is mounted into it stays.
    let overlay = "mount -t tmpfs none mnt && mkdir mnt/u mnt/w mnt/l mnt/m && \
                   mount -t overlay -o upperdir=mnt/u,workdir=mnt/w,lowerdir=mnt/l none mnt/m";
    if unshare(overlay).code != Some(0) {
        skip("only root can mount an overlay, and not in every container");
        return;
    }
    folder.write("tree/0000.json", str::from_utf8(&before[0].1).unwrap());
    let said = unshare(&format!("{overlay}; \"$0\" rotate tree --no-backup --new-key-out mnt/m/key"));
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains(" is on overlay: the end of its container deletes it, "), "{said:?}");
}

#[test]
fn hard_links_are_refused_before_anything_is_changed() {
    let folder = Folder::new("hard");
    folder.make_configs(2);
    fs::hard_link(folder.path("tree/0001.json"), folder.path("other-name")).unwrap();
    let before = folder.files("tree");
    let said = folder.run(&["rotate", "tree", "--new-key-out", "new"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.err.contains("2 hard links"), "{said:?}");
    assert_eq!(folder.files("tree"), before);
    assert!(!folder.path("new").exists());
}

#[test]
fn a_link_that_is_named_stays_a_link_and_one_in_the_tree_is_not_followed() {
    let folder = Folder::new("links");
    folder.make_configs(1);
    folder.write("victim.json", &folder.read("tree/0000.json"));
    let victim = folder.read("victim.json");
    symlink("../victim.json", folder.path("tree/link.json")).unwrap();
    let said = folder.run(&["rotate", "tree", "--new-key-out", "new"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("skipped tree/link.json: a symbolic link"), "{said:?}");
    assert_eq!(folder.read("victim.json"), victim);

    let said = folder.run(&["rotate", "tree/link.json", "--new-key-file", "new"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(folder.path("tree/link.json").is_symlink());
    assert_ne!(folder.read("victim.json"), victim);
    let backup = said.out.lines().next().and_then(|line| line.split_once(", backup ")).unwrap().1;
    assert_eq!(folder.read(backup.strip_suffix(')').unwrap()), victim, "the backup is where it is said to be");
}

#[test]
fn mode_owner_and_extended_attributes_stay_whatever_the_umask() {
    let folder = Folder::new("attributes");
    folder.make_configs(1);
    let config = folder.path("tree/0000.json");
    fs::set_permissions(&config, PermissionsExt::from_mode(0o640)).unwrap();
    let attribute = rustix::fs::setxattr(&config, "user.note", b"kept", rustix::fs::XattrFlags::empty());
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(&config, Some(12_345), Some(54_321)).unwrap();
    }
    let binary = env!("CARGO_BIN_EXE_fernseal");
    let script = format!("umask 000; exec {binary} rotate tree --new-key-out new");
    let mut command = folder.command(&["sh", "-c", &script], &[]);
    assert!(command.status().unwrap().success());
    let after = fs::metadata(&config).unwrap();
    assert_eq!(after.permissions().mode() & 0o7777, 0o640);
    if is_root {
        assert_eq!((after.uid(), after.gid()), (12_345, 54_321));
    }
    match attribute {
        Ok(()) => {
            let mut value = [0; 16];
            let len = rustix::fs::getxattr(&config, "user.note", &mut value).unwrap();
            assert_eq!(&value[..len], b"kept");
        }
        Err(_) => skip("this file system has no extended attributes"),
    }
    let backup = folder.files("tree").into_iter().find(|(name, _)| name.contains(".backup.")).unwrap().0;
    assert_eq!(fs::metadata(folder.path("tree").join(backup)).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(fs::metadata(folder.path("new")).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn where_nothing_can_be_written_nothing_is_begun() {
    let folder = Folder::new("read-only");
    if !has("unshare") || !folder.command(&["unshare", "--mount", "true"], &[]).status().unwrap().success() {
        skip("only root can mount a read-only file system, and not in every container");
        return;
    }
    folder.make_configs(2);
    let before = folder.files("tree");
    let script = "mount --bind tree tree && mount -o remount,ro,bind tree && exec \"$0\" rotate tree --new-key-out new";
    let said = folder.run_by(&["unshare", "--mount", "sh", "-c", script], &[]);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.err.contains("nothing was changed"), "{said:?}");
    assert_eq!(folder.files("tree"), before);
    assert!(!folder.path("new").exists(), "{said:?}");
}

#[test]
fn tokens_under_a_previous_key_are_rotated_too() {
    let folder = Folder::new("previous");
    folder.make_configs(2);
    assert_eq!(folder.run(&["rotate", "tree/0000.json", "--new-key-out", "middle", "--no-backup"]).code, Some(0));
    let said = Said::of(
        folder
            .command(&[], &["rotate", "tree", "--new-key-out", "new"])
            .env("PROXMOX_MCP_MASTER_KEY", folder.read("middle"))
            .env("PROXMOX_MCP_MASTER_KEY_PREVIOUS", KEY)
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(folder.all_open_with("new"));
}

#[test]
fn temporary_files_of_a_killed_run_are_removed_by_the_next_and_others_are_not() {
    let folder = Folder::new("leftovers");
    folder.make_configs(1);
    folder.write("tree/.0000.json.fernseal-0123456789abcdef.tmp", "x");
    folder.write("tree/.0000.json.fernseal-short.tmp", "mine");
    let said = folder.run(&["rotate", "tree", "--new-key-out", "new", "--no-backup"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let names: Vec<String> = folder.files("tree").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [".0000.json.fernseal-short.tmp", "0000.json"]);
}

#[test]
fn the_audit_log_has_a_line_for_the_new_key_and_one_for_the_rotation_and_no_secret() {
    let folder = Folder::new("audit");
    folder.make_configs(1);
    let said = folder.run(&["rotate", "tree", "--new-key-out", "new", "--audit-log", "log"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let log = folder.read("log");
    let commands: Vec<&str> = log.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert_eq!(commands, ["rotate", "keygen", "keygen", "rotate"], "{log}");
    let whole: Vec<bool> = log.lines().map(|line| line.contains("\"pointers\":[\"/auth/token_value\"]")).collect();
    assert_eq!(whole, [true, false, false, true], "{log}");
    let id = Command::new("id").arg("-un").output().unwrap();
    let user = format!("\"user\":\"{}\"", String::from_utf8(id.stdout).unwrap().trim());
    assert!(log.lines().all(|line| line.contains(&user)), "no variable names {user}: {log}");
    for secret in [KEY, folder.read("new").trim(), "secret 0"] {
        assert!(!log.contains(secret) && !said.out.contains(secret) && !said.err.contains(secret));
    }
    let full = folder.run(&["rotate", "tree", "--new-key-file", "new", "--audit-log", "/dev/full"]);
    assert_eq!(full.code, Some(0), "nothing left to do, nothing to log: {full:?}");
    folder.make_configs(1);
    let before = folder.files("tree");
    let full = folder.run(&["rotate", "tree", "--new-key-out", "third", "--audit-log", "/dev/full"]);
    assert_eq!(full.code, Some(7), "{full:?}");
    assert_eq!(folder.files("tree"), before);
    assert!(!folder.path("third").exists());
}

#[test]
fn after_a_torn_line_the_audit_log_goes_on_in_a_line_of_its_own() {
    let folder = Folder::new("torn");
    folder.make_configs(1);
    for torn in ["", "{\"schema\":1}\n", "{\"schema\":1}\n{\"sche"] {
        folder.write("log", torn);
        for _ in 0..2 {
            assert_eq!(folder.run(&["verify", "tree/0000.json", "--audit-log", "log"]).code, Some(0));
        }
        let log = folder.read("log");
        let lines: Vec<&str> = log.strip_prefix(torn).unwrap().trim_start().lines().collect();
        assert!(lines.iter().all(|line| line.starts_with('{') && line.ends_with('}')), "{log}");
        assert_eq!(log.lines().count(), torn.lines().count() + 2, "{log}");
    }
}

#[test]
fn the_audit_log_may_be_a_pipe_or_a_device() {
    let folder = Folder::new("log-pipe");
    folder.make_configs(1);
    for (log, lines) in [("/dev/stderr", 1), ("/dev/null", 0)] {
        let said = folder.run(&["verify", "tree/0000.json", "--audit-log", log]);
        assert_eq!((said.code, said.err.lines().count()), (Some(0), lines), "{said:?}");
    }
}

#[test]
fn a_directory_is_read_a_few_times_however_many_configs_in_it_have_backups() {
    if !has("strace") {
        return;
    }
    let folder = rotated("listed", 100);
    let strace = ["strace", "-f", "-qq", "-o", "log", "-e", "trace=getdents64"];
    for command in [&["backups", "list", "tree"][..], &["rotate", "--rollback", "tree"]] {
        let said = folder.run_by(&strace, command);
        assert_eq!(said.code, Some(0), "{said:?}");
        let calls = folder.read("log").lines().count();
        assert!(calls < 20, "{command:?}: {calls} times");
    }
    folder.write("old", KEY);
    assert!(folder.all_open_with("old"));
}

#[test]
fn a_key_that_is_named_in_many_places_is_derived_once_for_its_name() {
    let folder = Folder::new("names");
    folder.make_configs(1);
    fs::create_dir_all(folder.path("home")).unwrap();
    // It occurs in the name of the file with the new key, in four lines of the log, and in the final message.
    let rotated = folder.run(&["rotate", "-v", "tree", "--audit-log", "log"]);
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    assert_eq!(folder.read("log").lines().count(), 4);
    assert!(
        rotated.err.contains("debug: keys derived: 4\n"),
        "two for the token, and two that name the keys: {rotated:?}"
    );
}

#[test]
fn a_log_that_fails_only_at_the_end_is_warned_of_and_what_is_done_is_done() {
    for (name, arguments) in [
        ("rotate", &["rotate", "tree", "--new-key-file", "third"][..]),
        ("rollback", &["rotate", "--rollback", "tree"]),
        ("backups prune", &["backups", "prune", "--yes", "tree"]),
    ] {
        let prepared = |place: &str| {
            let folder = Folder::new(place);
            folder.make_configs(1);
            assert_eq!(folder.run(&["keygen", "-q", "-o", "third"]).code, Some(0));
            let arguments = ["rotate", "tree", "--new-key-out", "new"];
            assert!(name == "rotate" || folder.run(&arguments).code == Some(0));
            folder
        };
        crate::common::a_log_that_fails_late_stops_nothing(name, prepared, |folder| {
            let arguments = [arguments, &["--audit-log", "log"]].concat();
            let mut command = folder.command(&["prlimit", "--fsize=1024"], &arguments);
            if name == "backups prune" {
                command.env("PROXMOX_MCP_MASTER_KEY", folder.read("new"));
            }
            Said::of(command.output().unwrap())
        });
    }
}

#[test]
fn a_rotation_whose_output_cannot_be_written_is_done_all_the_same() {
    for (name, redirect) in [("full", ">/dev/full"), ("closed", ">&-"), ("gone", "| true")] {
        let folder = Folder::new(&format!("output-{name}"));
        folder.make_configs(2);
        let binary = env!("CARGO_BIN_EXE_fernseal");
        let script = format!("{binary} rotate tree --new-key-out new {redirect}");
        folder.command(&["sh", "-c", &script], &[]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(folder.all_open_with("new"), "{name}");
    }
}

#[test]
fn the_audit_log_is_durable_before_the_first_config_changes() {
    let folder = rotated("durable-log", 1);
    if !has("strace") {
        skip("no strace");
        return;
    }
    fs::create_dir(folder.path("logs")).unwrap();
    let strace = ["strace", "-f", "-y", "-s0", "-o", "trace", "-e", "trace=openat,write,fsync,renameat2,linkat"];
    let log = folder.path("logs/audit");
    let rotation = ["rotate", "tree", "--new-key-out", "newer", "--jobs", "1", "--audit-log", log.to_str().unwrap()];
    let said = folder.run_by(&strace, &[&rotation[..], &["--key-file", "new"]].concat());
    let trace = folder.read("trace");
    let first = |what: &str, text: &str| {
        let is_it = |line: &str| line.contains(what) && line.contains(text);
        trace.lines().position(is_it).unwrap_or_else(|| panic!("no {what} of {text}: {said:?} {trace}"))
    };
    let (name, directory) = (format!("<{}>", log.display()), format!("<{}>", folder.path("logs").display()));
    let [made, synced, named] = [first("write(", &name), first("fsync(", &name), first("fsync(", &directory)];
    assert!(made < synced && synced < named, "{trace}");
    assert!(named < first("linkat(", ""), "the name of the log is synced before the new key has one: {trace}");
    assert!(named < first("renameat2(", ""), "and before a config changes: {trace}");
}

#[test]
fn what_would_fail_later_is_found_before_the_new_key_is_made() {
    let folder = Folder::new("obstacles");
    if !rustix::process::geteuid().is_root()
        || folder.command(&["unshare", "--mount", "true"], &[]).output().is_ok_and(|done| !done.status.success())
        || !has("strace")
    {
        skip("no strace, or no right to mount");
        return;
    }
    folder.make_configs(5);
    let long = format!("tree/{}.json", "n".repeat(230));
    fs::rename(folder.path("tree/0000.json"), folder.path(&long)).unwrap();
    fs::create_dir(folder.path("tree/ro")).unwrap();
    fs::rename(folder.path("tree/0001.json"), folder.path("tree/ro/1.json")).unwrap();
    let set = rustix::fs::setxattr(folder.path("tree/0003.json"), "user.note", b"x", rustix::fs::XattrFlags::empty());
    std::os::unix::fs::chown(folder.path("tree/0004.json"), Some(54_321), None).unwrap();
    let before = folder.files("tree");
    let run = |script: &str, options: &[&str]| {
        let arguments = [&["rotate", "tree", "--new-key-out", "new"], options].concat();
        let said = folder.run_by(&["unshare", "--mount", "sh", "-c", script], &arguments);
        assert!(folder.files("tree") == before && !folder.path("new").exists(), "{said:?}");
        said
    };

    let script = "mount --bind tree/0002.json tree/0002.json && mount --bind tree/ro tree/ro \
                  && mount -o remount,bind,ro tree/ro \
                  && exec strace -f -qq -o /dev/null -e inject=fsetxattr,fchown:error=EPERM \"$0\" \"$@\"";
    for options in [&[][..], &["--dry-run"]] {
        let said = run(script, options);
        assert_eq!(said.code, Some(7), "{said:?}");
        let mut expected = vec![
            "would have a name of more than 255 bytes",
            "the directory of tree/ro/1.json cannot be written: Read-only file system",
            "tree/0002.json is mounted as a single file",
            "cannot keep the owner and group (54321:0) of tree/0004.json: Operation not permitted",
        ];
        // Not every file system has attributes.
        expected.extend(set.is_ok().then_some("cannot keep the attribute user.note of tree/0003.json"));
        for what in expected {
            assert!(said.err.contains(what), "{what}: {said:?}");
        }
    }
    // The backup of what lies elsewhere has no longer name there, and a file is in the way of the directories.
    fs::create_dir(folder.path("backups")).unwrap();
    let first = folder.0.components().nth(1).unwrap();
    fs::write(folder.path("backups").join(first), "").unwrap();
    let said = run("exec \"$0\" \"$@\"", &["--backup-dir", "backups"]);
    assert_eq!(said.err.matches("cannot back up tree/").count(), 5, "{said:?}");
    // What is in the way of all is told with what is in the way of each.
    let said = run("exec \"$0\" \"$@\"", &["--backup-dir", "nowhere"]);
    assert!(said.code == Some(7) && said.err.contains("cannot keep backups in nowhere"), "{said:?}");
    let link = (folder.path("tree/0002.json"), folder.path("tree/2.json"));
    fs::hard_link(&link.0, &link.1).unwrap();
    let said = folder.run(&["rotate", "tree", "--new-key-out", "new", "--backup-dir", "nowhere"]);
    let all = ["cannot keep backups in nowhere", "0002.json has 2 hard links"];
    assert!(all.iter().all(|what| said.err.contains(what)) && !folder.path("new").exists(), "{said:?}");
}
