//! Hostile configs: huge, deeply nested or malformed ones, and special files. Each of them ends in an exit code and a
//! message. Memory is limited to the size of the file, a few MiB, and a few hundred bytes for each token; time grows
//! linearly with the size.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};
use std::{fs, process};

use crate::common::{Folder, KEY, Said, Stopped, has, skip};

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
        assert!(said.err.contains("too many values below very long names"), "{said:?}");
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
fn made_up_salts_cost_no_derivation() {
    let folder = Folder::new("salts");
    folder.make_configs(1);
    let token = folder.read("tree/0000.json").split('"').find(|text| text.starts_with("enc:")).unwrap().to_owned();
    let body = token.rsplit_once(':').unwrap().1;
    let salted = |salts: usize| {
        let salt = |at: usize| format!("{}AAAAAAAAAAAAAAAAAA==", letters(at));
        let tokens = (0..salts).map(|at| format!("\"enc:{}:{body}\"", salt(at)));
        format!("[{}]", tokens.collect::<Vec<_>>().join(",\n"))
    };
    folder.write("c.json", &salted(2049));
    folder.write("tree/0000.json", &salted(2049));
    let commands: [&[&str]; 8] = [
        &["verify", "c.json"],
        &["status", "--verify", "c.json"],
        &["decrypt", "c.json"],
        &["run", "c.json", "--config-env", "C", "--", "true"],
        &["doctor", "c.json"],
        &["edit", "c.json"],
        &["rotate", "tree", "--new-key-out", "new"],
        &["rotate", "--rollback", "tree"],
    ];
    for arguments in commands {
        let said = folder.run(&[&["-v"], arguments].concat());
        assert!(matches!(said.code, Some(6 | 8)), "{arguments:?}: {said:?}");
        let told = said.err.contains("--max-tokens 2049") || said.out.contains("--max-tokens 2049");
        let derived =
            said.err.rsplit_once("keys derived: ").unwrap().1.lines().next().unwrap().parse::<usize>().unwrap();
        assert!(told && derived <= 4, "{arguments:?}: {derived} {said:?}");
    }
    // Who lifts the limit gets what he asks for.
    folder.write("c.json", &salted(6));
    assert_eq!(folder.run(&["verify", "c.json", "--max-tokens", "5"]).code, Some(6));
    assert_eq!(folder.run(&["verify", "c.json", "--max-tokens", "6"]).code, Some(4));
    // One token of many is opened by itself.
    folder.write("c.json", &salted(2049).replacen('[', &format!("[\"{token}\","), 1));
    assert_eq!(folder.run(&["get", "c.json", "/0"]).code, Some(0));
}

/// Four characters of base64 that tell numbers apart.
fn letters(number: usize) -> String {
    (0..4).map(|at| char::from(b'a' + (number >> (4 * at) & 15) as u8)).collect()
}

#[test]
fn many_pointers_in_the_settings_cost_time_that_grows_with_them() {
    let folder = Folder::new("pointers");
    let costs = [2_400, 24_000].map(|pointers| {
        let members = (0..pointers).map(|at| format!("\"a{at}\": {{\"b\": \"\"}}"));
        folder.write("c.json", &format!("{{{}}}", members.collect::<Vec<_>>().join(",\n")));
        let pointers = (0..pointers).map(|at| format!("\"/a{at}/b\""));
        folder.write(".fernseal.toml", &format!("secrets = [{}]", pointers.collect::<Vec<_>>().join(",\n")));
        [&["check", "c.json"][..], &["encrypt", "c.json", "-o", "out.json", "--force"], &["doctor", "c.json"]]
            .map(|arguments| cost(&folder, arguments))
    });
    for (few, many) in costs[0].iter().zip(&costs[1]) {
        assert_eq!(few.0, many.0);
        // Ten times as many; quadratic growth would take a hundred times as long.
        assert!(many.2 < few.2 * 30 + Duration::from_secs(1), "{few:?}, then {many:?}");
    }
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
    assert!(said.code == Some(7) && said.out.contains("\n2 backups beside 2 configs checked\n"), "{said:?}");
    let said = run(&["backups", "prune", "--yes", "tree", "--key-file", "home/new"]);
    assert!(said.code == Some(7) && said.out.is_empty(), "{said:?}");
    let said = run(&["rotate", "--rollback", "tree"]);
    assert!(said.code == Some(8) && said.out.contains("2 restored, 1 failed, of 3\n"), "{said:?}");
    assert_eq!(folder.files("tree").iter().filter(|file| before.contains(file)).count(), 2);
}

const OTHER: &str = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=";

/// A user to whom nothing here belongs.
const STRANGER: Option<u32> = Some(54_321);

#[test]
fn a_file_of_another_user_decides_nothing() {
    let folder = Folder::new("owners");
    folder.make_configs(1);
    folder.write("key", KEY);
    folder.write("tree/.fernseal.toml", "secrets = []\n");
    folder.write("log", "");
    if !rustix::process::geteuid().is_root() {
        skip("only root can give a file to another user");
        return;
    }
    let give = |name: &str, owner| std::os::unix::fs::lchown(folder.path(name), owner, None).unwrap();
    let private = |name: &str| fs::set_permissions(folder.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    private("key");
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = folder.command(&[], arguments);
        command.env_remove("PROXMOX_MCP_MASTER_KEY").envs(variables.iter().copied());
        Said::of(command.output().unwrap())
    };
    let verify = &["verify", "-q", "tree/0000.json"][..];
    let with_option = [verify, &["--key-file", "key"]].concat();
    let (key, key_variable) = (folder.path("key"), ("PROXMOX_MCP_MASTER_KEY_FILE", "key"));
    fs::create_dir(folder.path("credentials")).unwrap();
    fs::copy(&key, folder.path("credentials/proxmox_mcp_master_key")).unwrap();
    let by_key = [
        ("key", with_option, vec![]),
        ("key", verify.to_vec(), vec![key_variable]),
        (
            "key",
            verify.to_vec(),
            vec![("PROXMOX_MCP_MASTER_KEY", KEY), ("PROXMOX_MCP_MASTER_KEY_PREVIOUS_FILE", "key")],
        ),
        ("credentials/proxmox_mcp_master_key", verify.to_vec(), vec![("CREDENTIALS_DIRECTORY", "credentials")]),
        ("key", vec!["rotate", "tree", "--new-key-file", "key", "--dry-run"], vec![("PROXMOX_MCP_MASTER_KEY", OTHER)]),
    ];
    for (name, arguments, variables) in by_key {
        for (owner, is_refused) in [(STRANGER, true), (Some(0), false)] {
            give(name, owner);
            let said = run(&arguments, &variables);
            let refuses =
                said.code == Some(5) && said.err.contains("is not used: it belongs to another user (uid 54321)");
            assert_eq!(refuses, is_refused, "{arguments:?} {variables:?}: {said:?}");
        }
        // The user who called sudo has chosen the command.
        give(name, STRANGER);
        let said = run(&arguments, &[&*variables, &[("SUDO_UID", "54321")]].concat());
        assert!(!said.err.contains("another user"), "{said:?}");
        give(name, Some(0));
    }

    // What root has mounted by itself, as Compose does with secrets, was handed over.
    if folder.command(&["unshare", "--mount", "true"], &[]).output().is_ok_and(|done| done.status.success()) {
        give("key", STRANGER);
        let mounted = ["unshare", "--mount", "sh", "-c", "mount --bind key key && exec \"$0\" \"$@\""];
        let said = folder.run_by(&mounted, &["verify", "-q", "tree/0000.json", "--key-file", "key"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(folder.run(&["verify", "-q", "tree/0000.json", "--key-file", "key"]).code, Some(5));
    } else {
        skip("no right to mount");
    }

    give("log", STRANGER);
    let before = folder.files("tree");
    let rotation = ["rotate", "tree", "--new-key-out", "new", "--audit-log", "log"];
    let said = folder.run(&rotation);
    assert!(said.code == Some(7) && said.err.contains("log is not used: it belongs to another user"), "{said:?}");
    assert!(folder.files("tree") == before && folder.read("log").is_empty() && !folder.path("new").exists());

    give("tree/.fernseal.toml", STRANGER);
    let said = folder.run(&["check", "tree"]);
    let expected = "tree/.fernseal.toml is not used: it belongs to another user";
    assert!(said.code == Some(7) && said.err.contains(expected), "{said:?}");
    // Whoever owns the config could change it as well.
    give("tree/0000.json", STRANGER);
    assert_eq!(folder.run(&["check", "tree"]).code, Some(0));
}

#[test]
fn root_follows_no_link_that_the_kernel_would_refuse() {
    let folder = Folder::new("planted");
    folder.make_configs(1);
    folder.write("key", KEY);
    folder.write("victim.json", &folder.read("tree/0000.json"));
    if !rustix::process::geteuid().is_root() {
        skip("only root can give a link to another user");
        return;
    }
    for (target, name) in [("../victim.json", "c.json"), ("../key", "key"), ("../log", "log"), ("..", "up")] {
        fs::create_dir_all(folder.path("shared")).unwrap();
        symlink(target, folder.path("shared").join(name)).unwrap();
    }
    folder.write("log", "");
    let links = ["c.json", "key", "log", "up"].map(|name| folder.path("shared").join(name));
    let give = |owner| links.iter().for_each(|link| std::os::unix::fs::lchown(link, owner, None).unwrap());
    let before = folder.files(".");
    let commands: [&[&str]; 7] = [
        &["status", "shared/c.json"],
        &["rotate", "shared/c.json", "--new-key-out", "home/new"],
        &["decrypt", "tree/0000.json", "--force", "-o", "shared/c.json"],
        &["verify", "tree/0000.json", "--key-file", "shared/key"],
        &["verify", "tree/0000.json", "--audit-log", "shared/log"],
        &["check", "shared/up"],
        &["status", "shared/up/victim.json"],
    ];
    // In a shared directory, and in one of the other user's.
    for (mode, owner) in [(0o1777, Some(0)), (0o755, STRANGER)] {
        fs::set_permissions(folder.path("shared"), fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(folder.path("shared"), owner, None).unwrap();
        give(STRANGER);
        for arguments in commands {
            let said = folder.run(arguments);
            assert!(matches!(said.code, Some(5 | 7)), "{arguments:?}: {said:?}");
            assert!(said.err.contains("is a link of another user (uid 54321)"), "{arguments:?}: {said:?}");
            assert_eq!(folder.files("."), before, "{arguments:?}");
        }
    }
    // The user's own links are followed, and another's to a file of that other.
    give(Some(0));
    assert_eq!(folder.run(commands[0]).code, Some(0));
    give(STRANGER);
    std::os::unix::fs::chown(folder.path("victim.json"), STRANGER, None).unwrap();
    assert_eq!(folder.run(commands[0]).code, Some(0));
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
