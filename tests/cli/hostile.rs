//! Hostile configs: huge, deeply nested or malformed ones, and special files. Each of them ends in an exit code and a
//! message. Memory is limited to the size of the file, a few MiB, and a few hundred bytes for each token; time grows
//! linearly with the size.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};
use std::{fs, process};

use crate::common::{Folder, Said, Stopped, has, skip};

/// Runs a command as the user nobody. It opens the binary first, because nobody may have no access to its folder.
const AS_NOBODY: [&str; 3] =
    ["sh", "-c", "exec 3<\"$0\" setpriv --reuid=65534 --regid=65534 --clear-groups /proc/self/fd/3 \"$@\""];

/// Runs `status` on the config and checks how it ends.
fn status(folder: &Folder, name: &str) -> Said {
    folder.run(&["status", name])
}

#[test]
fn broken_texts_are_refused_with_their_place() {
    let folder = Folder::new("broken");
    let cases: [(&str, &[u8], i32); 17] = [
        ("empty", b"", 6),
        ("nul", b"{\"a\": \"\0\"}", 6),
        ("raw line end in a string", b"{\"a\": \"\n\"}", 6),
        ("not UTF-8", b"{\"a\": \"\xff\"}", 6),
        ("UTF-16, the low byte first", b"\xff\xfe{\0}\0", 6),
        ("UTF-16, the high byte first", b"\xfe\xff\0{\0}", 6),
        ("UTF-16 without a mark", b"{\0}\0", 6),
        ("a lone surrogate in UTF-8", b"[\"\xed\xa0\x80\"]", 6),
        ("a token's name twice", b"{\"a\": \"enc:x\", \"a\": 1}", 6),
        ("a name twice, away from tokens", b"{\"a\": 1, \"a\": 2}", 0),
        ("two values", b"{} {}", 6),
        ("a comment", b"{} // no", 6),
        ("NaN", b"[NaN]", 6),
        ("a lone surrogate is JSON", b"[\"\\ud800\"]", 0),
        ("a byte order mark is allowed", b"\xef\xbb\xbf{}", 0),
        ("two byte order marks are not", b"\xef\xbb\xbf\xef\xbb\xbf{}", 6),
        ("carriage returns are white space", b"{\r\n}\r\n", 0),
    ];
    for (name, bytes, code) in cases {
        fs::write(folder.path("c.json"), bytes).unwrap();
        let said = status(&folder, "c.json");
        assert_eq!(said.code, Some(code), "{name}: {said:?}");
        assert_eq!(said.err.is_empty(), code == 0, "{name}: {said:?}");
    }
}

#[test]
fn long_numbers_line_ends_marks_and_halves_of_surrogates_stay_as_they_are() {
    let folder = Folder::new("odd");
    let around = |value: &str| {
        let number = "9".repeat(5_000);
        format!("\u{feff}{{\"n\": {number},\r\n\"half\": \"\\udc00\",\r\n\"auth\": {{\"token_value\": {value}}}}}\r\n")
    };
    folder.write("c.json", &around("\"secret\""));
    assert_eq!(folder.run(&["encrypt", "c.json", "--in-place"]).code, Some(0));
    let sealed = folder.read("c.json");
    let token = crate::common::tokens(&sealed).next().unwrap();
    assert_eq!(sealed, around(&format!("\"{token}\"")));
    assert_eq!(folder.run(&["get", "c.json", "auth.token_value"]).out.trim_end(), "secret");
    // A lone surrogate cannot be encoded as UTF-8, so it cannot be sealed.
    folder.write("c.json", &around("\"\\ud800\""));
    let said = folder.run(&["encrypt", "c.json", "--in-place"]);
    assert_eq!(said.code, Some(6), "{said:?}");
    assert_eq!(folder.read("c.json"), around("\"\\ud800\""));
}

#[test]
fn depth_is_refused_without_a_stack_to_overflow() {
    let folder = Folder::new("deep");
    let binary = env!("CARGO_BIN_EXE_fernseal");
    for (levels, code) in [(1_000, 0), (1_024, 0), (1_025, 6), (200_000, 6)] {
        folder.write("c.json", &format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
        // In KiB. Without optimisation, building the command line takes 300 KiB.
        let stack = if cfg!(debug_assertions) { 384 } else { 256 };
        let script = format!("ulimit -s {stack}; exec {binary} status c.json");
        let said = folder.run_by(&["sh", "-c", &script], &[]);
        assert_eq!(said.code, Some(code), "{levels} levels: {said:?}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    let folder = Folder::new("irregular");
    fs::create_dir(folder.path("d.json")).unwrap();
    symlink("nowhere", folder.path("dangling.json")).unwrap();
    symlink("loop.json", folder.path("loop.json")).unwrap();
    assert!(folder.command(&["sh", "-c", "mkfifo fifo.json"], &[]).status().unwrap().success());
    for name in ["d.json", "dangling.json", "loop.json", "fifo.json", "/dev/zero", "/dev/null", "missing/c.json"] {
        let start = Instant::now();
        let said = status(&folder, name);
        assert_eq!(said.code, Some(7), "{name}: {said:?}");
        assert!(said.err.contains("next: "), "{name}: {said:?}");
        assert!(start.elapsed() < Duration::from_secs(60), "{name}");
    }
}

#[test]
fn limits_are_stated_and_held() {
    let folder = Folder::new("limits");
    for (len, code) in [(64 << 20, 0), ((64 << 20) + 1, 7)] {
        folder.write("large.json", &format!("{{}}{}", " ".repeat(len - 2)));
        let said = status(&folder, "large.json");
        assert_eq!(said.code, Some(code), "{said:?}");
        assert_eq!(said.err.contains("larger than 64 MiB"), code == 7, "{said:?}");
    }
    // With the token, the config would exceed the size that can be read again.
    let text = "{\"auth\": {\"token_value\": \"secret\"}}";
    let text = format!("{text}{}", " ".repeat((64 << 20) - text.len()));
    folder.write("large.json", &text);
    let said = folder.run(&["encrypt", "large.json", "--in-place"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.err.contains("larger than 64 MiB"), "{said:?}");
    assert!(folder.read("large.json") == text);
    fs::remove_file(folder.path("large.json")).unwrap();
    for (len, code) in [(1 << 20, 0), ((1 << 20) + 1, 6)] {
        let secret = "s".repeat(len);
        folder.write("c.json", &format!("{{\"auth\": {{\"token_value\": \"{secret}\"}}}}"));
        folder.write("secret", &secret);
        for script in ["\"$0\" encrypt c.json -o sealed.json --force", "\"$0\" set c.json auth.token_value <secret"] {
            let before = folder.files(".");
            let said = folder.run_by(&["sh", "-c", script], &[]);
            assert_eq!(said.code, Some(code), "{script}: {said:?}");
            assert_eq!(said.err.contains("longer than 1 MiB"), code == 6, "{script}: {said:?}");
            assert_eq!(folder.files(".") == before, code == 6, "{script}");
        }
        let opened = folder.run(&["get", "c.json", "auth.token_value"]).out;
        assert!(code == 6 || opened.trim_end() == secret, "{} bytes came back", opened.len());
    }
}

/// Returns the exit code, the peak memory in MiB and the CPU time of a command.
fn cost(folder: &Folder, arguments: &[&str]) -> (i32, u64, Duration) {
    crate::common::cost(folder, &[], arguments)
}

/// Writes a config of about `mebibytes` MiB with one secret; it leaves room for the token.
fn make_config(folder: &Folder, name: &str, mebibytes: usize) {
    let item = "{\"a name of some length\": [1, 2.5e3, true, null, \"a value of some length\"]},\n";
    let items = item.repeat(((mebibytes << 20) - 2048) / item.len());
    let text = format!("{{\"auth\": {{\"token_value\": \"secret\"}}, \"x\": [{items}0]}}");
    folder.write(name, &format!("{text}{}", " ".repeat((mebibytes << 20) - 1024 - text.len())));
}

#[test]
fn every_command_takes_the_memory_of_the_text_and_a_few_mebibytes_and_time_that_grows_with_it() {
    let folder = Folder::new("large");
    let commands: [(&[&str], i32); 8] = [
        (&["check", "c.json"], 3),
        (&["encrypt", "c.json", "-o", "tree/c.json"], 0),
        (&["status", "tree/c.json"], 0),
        (&["verify", "tree/c.json"], 0),
        (&["get", "tree/c.json", "auth.token_value"], 0),
        (&["decrypt", "tree/c.json", "-o", "opened.json"], 0),
        (&["doctor", "tree/c.json"], 0),
        (&["rotate", "tree", "--new-key-out", "new"], 0),
    ];
    let mut costs = Vec::new();
    for mebibytes in [1, 5, 64] {
        make_config(&folder, "c.json", mebibytes);
        costs.push(commands.map(|(arguments, code)| {
            let (ended, memory, time) = cost(&folder, arguments);
            assert_eq!(ended, code, "{arguments:?}, {mebibytes} MiB");
            (memory, time)
        }));
        for name in ["tree", "opened.json", "new"] {
            let path = folder.path(name);
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
        fs::create_dir(folder.path("tree")).unwrap();
    }
    for (at, (arguments, _)) in commands.iter().enumerate() {
        let [(least, _), (memory, time), (most, longest)] = [0, 1, 2].map(|size| costs[size][at]);
        assert!(memory <= least + 5 + 2, "{arguments:?}: {memory} MiB for a config of 5 MiB, {least} for a small one");
        assert!(most <= least + 64 + 3, "{arguments:?}: {most} MiB for a config of 64 MiB, {least} for a small one");
        // The text is thirteen times as long; quadratic work would take 169 times as long.
        assert!(longest < time * 40 + Duration::from_secs(1), "{arguments:?}: {time:?}, then {longest:?}");
    }
}

#[test]
fn of_two_large_configs_a_rotation_holds_one_at_a_time() {
    let folder = Folder::new("two-large");
    let rotation = ["rotate", "tree", "--jobs", "2", "--new-key-out", "new", "--no-backup"];
    let [small, large] = [1, 40].map(|mebibytes| {
        for name in ["tree/a.json", "tree/b.json"] {
            make_config(&folder, "c.json", mebibytes);
            assert_eq!(cost(&folder, &["encrypt", "c.json", "-o", name, "--force"]).0, 0);
        }
        let (ended, memory, _) = cost(&folder, &rotation);
        assert_eq!(ended, 0);
        fs::remove_file(folder.path("new")).unwrap();
        memory
    });
    assert!(large <= small + 40 + 3, "{large} MiB for two configs of 40 MiB, {small} for two small ones");
}

#[test]
fn a_million_names_cost_no_memory() {
    let folder = Folder::new("names");
    folder.write("small.json", "{}");
    let names: String = (0..1_000_000).map(|at| format!("\"{at}\":0,")).collect();
    folder.write("large.json", &format!("{{{names}\"x\":\"enc:x\"}}"));
    let (_, least, _) = cost(&folder, &["check", "small.json"]);
    let (code, memory, _) = cost(&folder, &["check", "large.json"]);
    assert_eq!(code, 3);
    assert!(memory <= least + (names.len() >> 20) as u64 + 3, "{memory} MiB, {least} for a small one");
}

#[test]
fn long_names_above_many_tokens_are_refused_before_they_cost_memory() {
    let folder = Folder::new("long-names");
    folder.write("small.json", "{}");
    let (name, tokens) = ("n".repeat(100_000), "\"enc:x\",".repeat(2_000));
    folder.write("wide.json", &format!("{{\"{name}\":[{tokens}0]}}"));
    let (open, close) = ("{\"n\":".repeat(1_000), "}".repeat(1_000));
    folder.write("deep.json", &format!("{open}[{}0]{close}", "\"enc:x\",".repeat(20_000)));
    let (_, least, _) = cost(&folder, &["check", "small.json"]);
    for (command, config) in [("check", "wide.json"), ("status", "wide.json"), ("check", "deep.json")] {
        let (code, memory, _) = cost(&folder, &[command, config]);
        assert_eq!(code, 6, "{command} {config}");
        assert!(memory <= least + 8, "{command} {config}: {memory} MiB, {least} for a small one");
        let said = folder.run(&[command, config]);
        assert!(said.err.contains("names too long"), "{said:?}");
    }
}

#[test]
fn a_million_tokens_and_what_looks_like_them_are_listed_in_time_and_memory_that_grow_with_their_number() {
    let folder = Folder::new("many");
    folder.write("token.json", "{\"auth\": {\"token_value\": \"s\"}}");
    assert_eq!(folder.run(&["encrypt", "token.json", "--legacy", "--in-place"]).code, Some(0));
    let text = folder.read("token.json");
    let token = crate::common::tokens(&text).next().unwrap();
    for (value, commands, code) in [
        (token, ["status", "check"], [0, 0]),
        ("enc:x", ["status", "check"], [6, 3]),
        (" ENC:x", ["check", "check"], [3, 3]),
    ] {
        // There are a million values in three configs, because one config cannot hold them.
        let make = |count: usize| format!("[{}0]", format!("\"{value}\",").repeat(count));
        folder.write("few.json", &make(40_000));
        folder.write("many.json", &make(400_000));
        for (command, code) in commands.into_iter().zip(code) {
            let (ended, _, few) = cost(&folder, &[command, "few.json"]);
            assert_eq!(ended, code, "{command} {value}");
            let (ended, memory, many) = cost(&folder, &[command, "many.json"]);
            assert_eq!(ended, code, "{command} {value}");
            // There are ten times as many; quadratic work would take a hundred times as long.
            assert!(many < few * 30 + Duration::from_secs(1), "{command} {value}: {few:?}, then {many:?}");
            let text = (make(400_000).len() >> 20) as u64;
            assert!(memory < 12 + text + 400_000 * 400 / (1 << 20), "{command} {value}: {memory} MiB");
        }
    }
    folder.write("most.json", &format!("[{}0]", format!("\"{token}\",").repeat(1_000_000)));
    let (code, memory, _) = cost(&folder, &["status", "most.json"]);
    assert_eq!(code, 7, "a million in one config are more than a config may have");
    assert!(memory < 16, "{memory} MiB");
}

#[test]
fn a_config_that_changes_while_it_is_read_is_refused_or_read_whole() {
    if !has("strace") {
        return;
    }
    let folder = Folder::new("changing");
    let config = folder.path("c.json");
    for (change, code, said_so) in [
        ("echo '{}' >>c.json", 6, "Invalid JSON: c.json, line 1, column 9"),
        (": >c.json", 6, "Invalid JSON: c.json"),
        ("mv other.json c.json", 0, ""),
        ("rm c.json", 7, "Config file not found: c.json"),
        ("rm c.json; mkfifo c.json", 7, "c.json is not a regular file"),
    ] {
        let _ = fs::remove_file(&config);
        folder.write("c.json", "{\"a\": 1}");
        folder.write("other.json", "{\"a\": 2}");
        // The command has opened the file and read nothing yet.
        let stopped = Stopped::after("fstat", &["-P", config.to_str().unwrap()], &folder, &["status", "c.json"]);
        assert!(folder.command(&["sh", "-c", change], &[]).status().unwrap().success());
        let said = stopped.go_on();
        // The command reads the present contents completely.
        assert_eq!(said.code, Some(code), "{change}: {said:?}");
        assert!(said.err.contains(said_so), "{change}: {said:?}");
    }
}

#[test]
fn a_directory_that_is_gone_or_not_ours_to_write_is_told_and_nothing_is_left_in_it() {
    let folder = Folder::new("directories");
    folder.make_configs(1);
    folder.write("c.json", "{\"auth\": {\"token_value\": \"s\"}}");
    for command in ["status c.json", "encrypt ../c.json -o out.json", "rotate c.json", "keygen -o key"] {
        let script = format!("mkdir gone; cd gone; rmdir ../gone; exec \"$0\" {command}");
        let said = folder.run_by(&["sh", "-c", &script], &[]);
        assert_eq!(said.code, Some(7), "{command}: {said:?}");
        assert!(said.err.contains("next: "), "{command}: {said:?}");
    }
    if !rustix::process::geteuid().is_root() || !has("setpriv") {
        skip("only root can become a user to whom the directory does not belong");
        return;
    }
    let before = (folder.files("."), folder.files("tree"));
    let key = format!("/dev/shm/fernseal-test-{}-key", process::id());
    for command in [
        &["encrypt", "c.json"][..],
        &["encrypt", "c.json", "--in-place"],
        &["decrypt", "tree/0000.json", "-o", "tree/opened.json"],
        &["rotate", "tree", "--new-key-out", &key],
        &["keygen", "-o", "key"],
    ] {
        let said = folder.run_by(&AS_NOBODY, command);
        assert_eq!(said.code, Some(7), "{command:?}: {said:?}");
        assert!(said.err.contains("next: "), "{command:?}: {said:?}");
        assert_eq!((folder.files("."), folder.files("tree")), before, "{command:?}");
    }
    assert!(!std::path::Path::new(&key).exists());
}

#[test]
fn a_directory_that_cannot_be_read_is_told_and_the_others_are_looked_at() {
    let folder = Folder::new("unread");
    if !rustix::process::geteuid().is_root() || !has("setpriv") {
        skip("only root can become a user who may not read a directory");
        return;
    }
    folder.make_configs(2);
    fs::create_dir_all(folder.path("tree/0/closed")).unwrap();
    folder.write("tree/0/closed/x.json", &folder.read("tree/0000.json"));
    folder.write("tree/2.json", "{\"auth\": {\"token_value\": \"s\"}}");
    let owner = |path: &str| std::os::unix::fs::chown(folder.path(path), Some(65_534), Some(65_534)).unwrap();
    ["home", "tree", "tree/0", "tree/0000.json", "tree/0001.json", "tree/2.json"].into_iter().for_each(owner);
    fs::set_permissions(folder.path("tree/0/closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let run = |arguments: &[&str]| {
        let said = folder.run_by(&AS_NOBODY, arguments);
        let told = said.err.contains("the directory tree/0/closed cannot be read: Permission denied")
            || said.out.contains("failed tree/0/closed: the directory tree/0/closed cannot be read: Permission denied");
        assert!(told, "{said:?}");
        said
    };
    let before = folder.files("tree");

    let said = run(&["check", "tree"]);
    assert!(said.code == Some(3) && said.out.contains("tree/2.json /auth/token_value: plain text\n"), "{said:?}");
    fs::remove_file(folder.path("tree/2.json")).unwrap();
    assert_eq!(run(&["check", "tree"]).code, Some(7));
    // Nothing changes unless `--keep-going` allows files to be left out.
    let said = run(&["rotate", "tree", "--new-key-out", "home/new"]);
    assert!(said.code == Some(7) && said.err.contains("--keep-going"), "{said:?}");
    assert!(!folder.path("home/new").exists());
    assert_eq!(folder.files("tree"), before[..2]);
    let said = run(&["rotate", "tree", "--new-key-out", "home/new", "--keep-going"]);
    assert!(said.code == Some(8) && said.out.contains("2 rotated, 0 skipped, 1 failed\n"), "{said:?}");

    let said = run(&["backups", "list", "tree"]);
    assert!(said.code == Some(7) && said.out.contains("\n2 backups of 2 configs looked at\n"), "{said:?}");
    let said = run(&["backups", "prune", "--yes", "tree", "--key-file", "home/new"]);
    assert!(said.code == Some(7) && said.out.is_empty(), "{said:?}");
    let said = run(&["rotate", "--rollback", "tree"]);
    assert!(said.code == Some(8) && said.out.contains("2 put back, 1 failed, of 3\n"), "{said:?}");
    assert_eq!(folder.files("tree").iter().filter(|file| before.contains(file)).count(), 2);
}

#[test]
fn links_in_another_users_directory_make_nobody_write_elsewhere() {
    let folder = Folder::new("links");
    folder.make_configs(1);
    folder.write("c.json", "{\"auth\": {\"token_value\": \"s\"}}");
    folder.write("victim.json", &folder.read("tree/0000.json"));
    // The owner of the directory places symbolic links under the names that the command will use.
    fs::copy(folder.path("c.json"), folder.path("tree/plain.json")).unwrap();
    for (to, link) in [
        ("../victim.json", "linked.json"),
        ("../victim.json", "plain.encrypted.json"),
        ("../victim.json", "opened.json"),
        ("../made", "key"),
        ("..", "inside"),
    ] {
        symlink(to, folder.path("tree").join(link)).unwrap();
    }
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(folder.path("tree"), Some(65_534), Some(65_534)).unwrap();
    }
    let before = folder.files(".");
    for (command, code) in [
        (&["encrypt", "tree/plain.json"][..], 7),
        (&["decrypt", "tree/0000.json", "-o", "tree/opened.json"], 7),
        (&["keygen", "-o", "tree/key"], 7),
        (&["rotate", "tree", "--new-key-out", "tree/key"], 7),
        (&["rotate", "tree", "--new-key-out", "home/new"], 0),
    ] {
        let said = folder.run(command);
        assert_eq!(said.code, Some(code), "{command:?}: {said:?}");
        assert_eq!(folder.files("."), before, "{command:?}");
    }
    assert!(folder.path("tree/linked.json").is_symlink() && folder.path("tree/inside").is_symlink());
}
