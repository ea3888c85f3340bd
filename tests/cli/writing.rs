//! What `set`, `encrypt`, `decrypt` and `keygen` write, and what they refuse to write: with a key that is not the
//! config's, or over something that is not a file. Also: a secret that was set is newer than any backup.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::common::{Folder, Said, has, skip};

const OTHER_KEY: &str = "bLEDgzUxSiXMMKxMPSR4h9Gzhvbs_yFlqvsM9HsYdtU=";
const TWO: &str = r#"{"auth": {"token_value": "first"}, "more": ["second", "third"]}"#;

/// Creates a config with two tokens and a plain string.
fn two_tokens(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("c.json", TWO);
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json", "--field", "/more/0"]).code, Some(0));
    folder
}

/// Runs a shell line in which `$0` is the command, with `key` as the key and `previous` as the previous keys.
fn under(folder: &Folder, key: &str, previous: &str, line: &str) -> Said {
    let mut command = folder.command(&["sh", "-c", line], &[]);
    command.env("PROXMOX_MCP_MASTER_KEY", key).env("PROXMOX_MCP_MASTER_KEY_PREVIOUS", previous);
    Said::of(command.output().unwrap())
}

#[test]
fn nothing_is_sealed_with_a_key_that_does_not_open_the_other_tokens() {
    let folder = two_tokens("wrong-key");
    let before = folder.read("c.json");
    for line in [
        "printf new | \"$0\" set --discard-old c.json auth.token_value",
        "printf new | \"$0\" set c.json /more/1",
        "\"$0\" encrypt c.json --in-place --field /more/1",
        "\"$0\" encrypt c.json -o out.json --field /more/1",
    ] {
        let said = under(&folder, OTHER_KEY, "", line);
        assert_eq!(said.code, Some(4), "{line}: {said:?}");
        assert!(said.err.contains("this key does not decrypt the other tokens of c.json (tried: "), "{said:?}");
        let next = "next: replace the key from PROXMOX_MCP_MASTER_KEY with the key that they were encrypted with; ";
        assert!(said.err.contains(next), "{said:?}");
        assert!(said.err.contains("; if that key is lost, first replace each of these tokens with \"\"\n"), "{said:?}");
        assert_eq!(folder.read("c.json"), before, "{line}");
        assert!(!folder.path("out.json").exists());
    }
    // If the key is lost, the message says how to go on: remove the tokens and set each secret again.
    let lost = crate::common::tokens(&before).fold(before.clone(), |text, token| text.replace(token, ""));
    folder.write("lost.json", &lost);
    for pointer in ["auth.token_value", "/more/1"] {
        let said = under(&folder, OTHER_KEY, "", &format!("printf new | \"$0\" set lost.json {pointer}"));
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    // A previous key counts as a key of the config.
    let said = under(&folder, OTHER_KEY, crate::common::KEY, "printf new | \"$0\" set c.json auth.token_value");
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn a_token_is_replaced_only_if_it_opens_or_may_be_discarded() {
    let folder = Folder::new("replaced");
    folder.make_configs(1);
    let token = folder.read("tree/0000.json");
    let damaged = token.replace("==\"", "\"").replace("=\"", "\"");
    let lookalike = token.replace("enc:", "ENC:");
    let line = "printf new | \"$0\" set tree/0000.json auth.token_value";
    for (text, key, code) in [(&token, OTHER_KEY, 4), (&damaged, crate::common::KEY, 6), (&lookalike, OTHER_KEY, 6)] {
        folder.write("tree/0000.json", text);
        let said = under(&folder, key, "", line);
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.err.contains("next: nothing was changed; ") && said.err.contains("--discard-old "), "{said:?}");
        assert_eq!(folder.read("tree/0000.json"), *text);
        let said = under(&folder, key, "", &format!("{line} --discard-old"));
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(folder.run_under(key, &["get", "tree/0000.json", "auth.token_value"]).out, "new\n");
    }
    // A previous key counts as a key of the config.
    folder.write("tree/0000.json", &token);
    assert_eq!(under(&folder, OTHER_KEY, crate::common::KEY, line).code, Some(0));
    assert_eq!(under(&folder, OTHER_KEY, "", line).code, Some(0));
}

#[test]
fn of_many_tokens_one_is_tried_before_another_is_set() {
    let folder = Folder::new("tried");
    let members: Vec<String> = (0..20).map(|at| format!("\"s{at}\": \"secret {at}\"")).collect();
    folder.write("c.json", &format!("{{{}, \"plain\": \"\"}}", members.join(", ")));
    let named: Vec<String> = (0..20).map(|at| format!("--field=/s{at}")).collect();
    let arguments: Vec<&str> =
        ["encrypt", "--in-place", "c.json"].into_iter().chain(named.iter().map(String::as_str)).collect();
    assert_eq!(folder.run(&arguments).code, Some(0));
    // One derivation opens a token, one seals, one gives the id of the key.
    for pointer in ["s19", "plain"] {
        let said = under(&folder, crate::common::KEY, "", &format!("printf new | \"$0\" set -v c.json {pointer}"));
        assert!(said.err.contains("debug: keys derived: 3\n"), "{said:?}");
    }
}

#[test]
fn one_line_loses_its_line_end_and_a_text_of_several_keeps_it() {
    let folder = two_tokens("line-ends");
    let value = || -> serde_json::Value {
        let said = folder.run(&["get", "--json", "c.json", "auth.token_value"]);
        serde_json::from_str::<serde_json::Value>(&said.out).unwrap()["value"].clone()
    };
    let key = "-----BEGIN KEY-----\nMC4CAQ\n-----END KEY-----\n";
    for (text, option, secret, is_said) in [
        ("one\n", "", "one", true),
        ("one\r\n", "", "one", true),
        ("one\n\n", "", "one", true),
        ("one", "", "one", false),
        (key, "", key, false),
        ("a\r\nb\r\n", "", "a\r\nb\r\n", false),
        ("one\n", "--raw", "one\n", false),
        ("\n", "--raw", "\n", false),
    ] {
        folder.write("secret", text);
        let line = format!("\"$0\" set c.json auth.token_value {option} <secret");
        let said = under(&folder, crate::common::KEY, "", &line);
        assert_eq!(said.code, Some(0), "{text:?}: {said:?}");
        assert_eq!(value(), secret, "{text:?}");
        let note = "the line break at the end of stdin was left out of the secret (--raw keeps it)\n";
        assert_eq!(said.err.contains(note), is_said, "{text:?}: {said:?}");
    }
    folder.write("secret", "\n\n");
    assert_eq!(under(&folder, crate::common::KEY, "", "\"$0\" set c.json auth.token_value <secret").code, Some(2));
}

#[test]
fn with_the_old_key_every_verb_names_the_new_ones_file() {
    let folder = Folder::new("old-key");
    folder.make_configs(2);
    let old = folder.read("tree/0000.json");
    // The key of an earlier rotation, which opens nothing here.
    folder.write("home/.proxmox_mcp_key.00000000", OTHER_KEY);
    folder.write("home/.proxmox_mcp_key.broken", "no key");
    let rotated = folder.run(&["rotate", "tree"]);
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let id = rotated.out.split("new key ").nth(1).unwrap().split(' ').next().unwrap();
    let file = folder.path(&format!("home/.proxmox_mcp_key.{id}"));
    let told = format!("{} (its id is {id}), which a rotation made, decrypts all of tree/0000.json", file.display());
    let config = "tree/0000.json";
    folder.write("secret", "new");
    folder.write("plain.json", "{\"auth\": {\"token_value\": \"p\"}}");
    for arguments in [
        &["get", config, "auth.token_value"][..],
        &["decrypt", config],
        &["verify", config],
        &["verify", config, "tree/0001.json"],
        &["status", "--verify", config],
        &["edit", config],
        &["set", config, "auth.token_value"],
        &["run", config, "--env", "X=auth.token_value", "--", "true"],
        &["doctor", config],
    ] {
        let mut command = folder.command(&["sh", "-c", "exec \"$0\" \"$@\" <secret"], arguments);
        let said = Said::of(command.output().unwrap());
        assert_eq!(said.code, Some(4), "{arguments:?}: {said:?}");
        let all = said.out + &said.err;
        let lasting = format!(
            ": set it, here and wherever the old key is set: export PROXMOX_MCP_MASTER_KEY=\"$(cat {})\"",
            file.display()
        );
        assert!(all.contains(&told) && all.contains(&lasting), "{arguments:?}: {all}");
        assert!(!all.contains("from a backup"), "{arguments:?}: {all}");
    }
    // The proposed command works as it is printed.
    let line = format!("export PROXMOX_MCP_MASTER_KEY=\"$(cat {})\"; \"$0\" verify {config}", file.display());
    assert_eq!(folder.run_by(&["sh", "-c", &line], &[]).code, Some(0));

    // If the key comes from an option, the message names the option.
    folder.write("old", crate::common::KEY);
    let mut command = folder.command(&[], &["get", config, "auth.token_value", "--key-file", "old"]);
    let said = Said::of(command.env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap());
    assert!(said.err.contains(&format!(": use --key-file {} from now on\n", file.display())), "{said:?}");

    // If no key opens the tokens, the message names the source and the id of the key.
    folder.write(config, &old.replace("secret", ""));
    fs::remove_file(&file).unwrap();
    fs::remove_file(folder.path("home/.proxmox_mcp_key.00000000")).unwrap();
    let third = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=";
    let get = &["get", config, "auth.token_value"];
    let said = folder.run_under(third, get);
    assert_eq!(said.code, Some(4), "{said:?}");
    let next = "next: it was not encrypted with the key from PROXMOX_MCP_MASTER_KEY (its id is ";
    assert!(said.err.contains(next) && said.err.ends_with("restore the config from a backup\n"), "{said:?}");
    folder.write("home/.proxmox_mcp_key.00000000", OTHER_KEY);
    let said = folder.run_under(third, get);
    assert!(
        said.err.ends_with("; the other key that a rotation left in HOME does not decrypt it either\n"),
        "{said:?}"
    );
}

#[test]
fn key_id_names_the_keys_in_files() {
    let folder = Folder::new("key-id");
    for (name, key) in [("a", crate::common::KEY), ("b", OTHER_KEY), ("none", "no key")] {
        folder.write(name, key);
        fs::set_permissions(folder.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let said = folder.run(&["key", "id", "a", "b"]);
    assert_eq!((said.code, &*said.out, &*said.err), (Some(0), "c4dacfde  a\n13ef1898  b\n", ""));
    // An invalid key is an error, and the other keys are still printed.
    let said = folder.run(&["key", "id", "none", "b", "missing"]);
    assert_eq!((said.code, &*said.out), (Some(5), "13ef1898  b\n"));
    assert!(
        said.err.contains("Invalid master key from none") && said.err.contains("Key file not found: missing"),
        "{said:?}"
    );
}

#[test]
fn legacy_tokens_cost_one_derivation_a_run_however_many_there_are() {
    let folder = Folder::new("legacy-once");
    folder.write("c.json", "{\"auth\": {\"token_value\": \"s\"}}");
    let said = folder.run(&["encrypt", "--legacy", "-v", "c.json", "-o", "tree/0.json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let sealed = folder.read("tree/0.json");
    // More configs than are processed at once.
    let names: Vec<String> = (0..600).map(|at| format!("tree/{at}.json")).collect();
    names.iter().for_each(|name| folder.write(name, &sealed));
    let arguments: Vec<&str> = ["verify", "-v"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let said = folder.run(&arguments);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("debug: keys derived: 1\n"), "{}", said.err.lines().last().unwrap());
}

#[test]
fn a_secret_that_is_set_in_the_second_of_a_rotation_outlasts_a_rollback() {
    let lines = [
        "printf new | \"$0\" set -q tree/c.json auth.token_value --key-file new",
        "EDITOR=\"sed -i s/first/new/\" \"$0\" edit -q tree/c.json --key-file new",
    ];
    for (at, line) in lines.into_iter().enumerate() {
        let folder = two_tokens(&format!("same-second-{at}"));
        fs::rename(folder.path("c.json"), folder.path("tree/c.json")).unwrap();
        let rotate =
            format!("\"$0\" rotate -q tree/c.json --new-key-out new && unset PROXMOX_MCP_MASTER_KEY && {line}");
        let said = folder.run_by(&["sh", "-c", &rotate], &[]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let said = folder.run(&["rotate", "--rollback", "tree/c.json"]);
        assert_eq!(said.code, Some(8), "{said:?}");
        assert!(said.out.contains("a secret in tree/c.json was set or moved after"), "{said:?}");
        let mut get = folder.command(&[], &["get", "tree/c.json", "auth.token_value", "--key-file", "new"]);
        assert_eq!(Said::of(get.env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap()).out.trim_end(), "new");
    }
}

#[test]
fn tokens_are_later_than_those_before_them_and_never_far_ahead_of_the_clock() {
    let folder = two_tokens("later");
    let newest = || -> u64 {
        let said = folder.run(&["status", "--json", "c.json"]).out;
        let times = said.split("\"timestamp\":").skip(1).map(|text| text.split([',', '}']).next().unwrap());
        times.map(|time| time.trim_matches('"').parse().unwrap()).max().unwrap()
    };
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut before = newest();
    for round in 0..40 {
        let begun = now();
        let said = folder.run_by(&["sh", "-c", "printf new | \"$0\" set c.json auth.token_value"], &[]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let after = newest();
        assert!(after > before || after >= begun + 30, "{round}: {before}, {after}");
        assert!(after <= now() + 30, "{round}");
        before = after;
    }
}

#[test]
fn pipes_devices_and_links_to_nothing_are_not_replaced_even_by_force() {
    let folder = two_tokens("irregular-output");
    folder.write("plain.json", TWO);
    folder.write("held", "");
    symlink("nowhere", folder.path("dangling")).unwrap();
    symlink("fifo", folder.path("to-fifo")).unwrap();
    symlink("held", folder.path("to-held")).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    assert!(folder.command(&["sh", "-c", "mkfifo fifo"], &[]).status().unwrap().success());
    for force in [&["--force"][..], &[]] {
        for (name, what) in [
            ("fifo", "fifo is not a regular file"),
            ("to-fifo", "to-fifo is not a regular file"),
            ("folder", "folder is not a regular file"),
            ("dangling", "dangling is a broken symbolic link"),
        ] {
            for (command, config) in [("decrypt", "c.json"), ("encrypt", "plain.json")] {
                let said = folder.run(&[&[command, config, "-o", name], force].concat());
                assert_eq!(said.code, Some(7), "{command} {name}: {said:?}");
                assert!(said.err.contains(&format!("error: {what}\n  next: ")), "{said:?}");
            }
        }
    }
    assert!(fs::metadata(folder.path("fifo")).unwrap().file_type().is_fifo());
    assert_eq!(fs::read_link(folder.path("dangling")).unwrap().to_str(), Some("nowhere"));
    assert!(!folder.path("nowhere").exists());
    // A symbolic link stays, and the file that it points to is replaced.
    let said = folder.run(&["decrypt", "c.json", "-o", "to-held", "--force"]);
    assert!(said.err.starts_with("2 values decrypted into to-held (mode 600)\n"), "{said:?}");
    assert_eq!((folder.read("held"), folder.path("to-held").is_symlink()), (TWO.to_owned(), true));
}

#[test]
fn one_value_is_not_told_as_several() {
    let folder = Folder::new("one");
    folder.make_configs(1);
    let said = folder.run(&["decrypt", "tree/0000.json", "-o", "one.json"]);
    assert!(said.err.starts_with("1 value decrypted into one.json (mode 600)\n"), "{said:?}");
}

#[test]
fn a_dash_is_stdout_for_decrypt_and_no_file_for_the_others() {
    let folder = two_tokens("dash");
    folder.write("plain.json", TWO);
    assert_eq!(folder.run(&["decrypt", "c.json", "-o", "-"]).out, TWO);
    for arguments in
        [&["encrypt", "plain.json", "-o", "-"][..], &["keygen", "-o", "-"], &["rotate", "c.json", "--new-key-out", "-"]]
    {
        let said = folder.run(arguments);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("\"-\" is not a file name here"), "{said:?}");
        assert!(!folder.path("-").exists(), "{arguments:?}");
    }
}

#[test]
fn git_goes_on_where_the_key_is_none_or_the_audit_log_cannot_be_written() {
    let folder = two_tokens("textconv-fails");
    let sealed = folder.read("c.json");
    for (key, log, what) in
        [("no key", "log", "Invalid master key"), (crate::common::KEY, "no/folder/log", "no/folder/log")]
    {
        let line = format!("\"$0\" decrypt --textconv c.json --audit-log {log}");
        let said = under(&folder, key, "", &line);
        assert_eq!((said.code, &said.out), (Some(0), &sealed), "{said:?}");
        assert!(said.err.starts_with("warning: ") && said.err.contains(what), "{said:?}");
    }
    assert_eq!(folder.run(&["decrypt", "--textconv", "c.json"]).out, TWO);
}

#[test]
fn a_log_that_fails_once_the_config_is_written_is_warned_of_and_stops_nothing() {
    for (name, arguments) in [
        ("encrypt", &["encrypt", "--in-place", "tree/0000.json", "--field", "note"][..]),
        ("set", &["set", "tree/0000.json", "auth.token_value"]),
        ("edit", &["edit", "tree/0000.json", "--field", "note"]),
        ("keygen", &["keygen", "-o", "tree/key"]),
    ] {
        let prepared = |place: &str| {
            let folder = Folder::new(place);
            folder.make_configs(1);
            let config = folder.read("tree/0000.json").replace("\n", "").replace("}}", "}, \"note\": \"n\"}");
            folder.write("tree/0000.json", &config);
            folder
        };
        crate::common::a_log_that_fails_late_stops_nothing(name, prepared, |folder| {
            let script =
                "printf new | EDITOR='sed -i s/secret/other/' prlimit --fsize=1024 \"$0\" \"$@\" --audit-log log";
            folder.run_by(&["sh", "-c", script], arguments)
        });
    }
}

#[test]
fn what_is_done_is_not_to_be_done_again_because_stdout_is_full() {
    let folder = two_tokens("full-stdout");
    fs::rename(folder.path("c.json"), folder.path("tree/c.json")).unwrap();
    folder.write("plain.json", TWO);
    for line in [
        "printf new | \"$0\" set --json tree/c.json auth.token_value",
        "\"$0\" encrypt --json plain.json",
        "EDITOR='sed -i s/third/3/' \"$0\" edit --json tree/c.json",
        "\"$0\" keygen --json -o key",
        "\"$0\" rotate tree --new-key-out new",
        "\"$0\" rotate --json --rollback tree",
    ] {
        let said = folder.run_by(&["sh", "-c", &format!("{line} >/dev/full")], &[]);
        assert_eq!(said.code, Some(7), "{line}: {said:?}");
        assert!(said.err.contains("error: stdout cannot be written: "), "{line}: {said:?}");
        assert!(said.err.ends_with(" only the output is incomplete: do not run it again\n"), "{line}: {said:?}");
    }
}

#[test]
fn each_way_of_not_being_json_gets_its_own_hint() {
    let folder = Folder::new("not-json");
    let mut hints = std::collections::BTreeSet::new();
    for (text, hint) in [
        ("{\"a\": 1, // no\n\"b\": 2}", "remove the comment"),
        ("{\"a\": 1,}", "remove the comma"),
        ("{\n<<<<<<< ours\n\"a\": 1\n=======\n\"a\": 2\n>>>>>>> theirs\n}", "merge conflict"),
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("{'a': 1}", "single quotes"),
        ("{\"a\": 1", "ends too early"),
        ("auth:\n  token_value: x\n", "say so with --format"),
        ("{\"a\": NaN}", "check the text at this place"),
    ] {
        folder.write("c.json", text);
        let said = folder.run(&["status", "c.json"]);
        assert_eq!(said.code, Some(6), "{text:?}: {said:?}");
        let next = said.err.lines().find(|line| line.starts_with("  next: ")).unwrap().to_owned();
        assert!(next.contains(hint), "{text:?}: {next}");
        hints.insert(next);
    }
    assert_eq!(hints.len(), 8);
}

#[test]
fn placeholders_are_left_and_said_and_sealed_with_an_option() {
    let folder = Folder::new("placeholders");
    let forms = ["Bearer ${env:MAIL}", "${{ secrets.MAIL }}", "{{ mail }}", "$MAIL", "op://a/b/c", "<your-token>"];
    for form in forms {
        let text = format!("{{\"auth\": {{\"token_value\": \"{form}\"}}}}");
        folder.write("c.json", &text);
        let said = folder.run(&["encrypt", "--in-place", "c.json"]);
        assert_eq!((said.code, said.err.matches("placeholder").count()), (Some(0), 1), "{form}: {said:?}");
        assert_eq!(folder.read("c.json"), text, "{form}");
        assert_eq!(folder.run(&["encrypt", "--in-place", "--placeholders", "c.json"]).code, Some(0), "{form}");
        assert_eq!(folder.run(&["get", "c.json", "/auth/token_value"]).out, format!("{form}\n"));
    }
}

#[test]
fn a_key_is_made_where_a_directory_cannot_be_synced_but_not_rotated_to() {
    if !crate::common::has("strace") {
        return;
    }
    let folder = Folder::new("unsyncable");
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EINVAL:when=2+"];
    let said = folder.run_by(&strace, &["keygen", "-o", "key"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("cannot be synced"), "{said:?}");
    folder.make_configs(1);
    let said = folder.run_by(&strace, &["rotate", "tree", "--new-key-out", "new", "--jobs", "1"]);
    assert!(said.code == Some(7) && !folder.path("new").exists(), "{said:?}");
}

/// The mode and group of a file.
fn rights(folder: &Folder, name: &str) -> (u32, u32) {
    let meta = fs::metadata(folder.path(name)).unwrap();
    (meta.permissions().mode() & 0o777, meta.gid())
}

#[test]
fn an_output_keeps_the_rights_of_its_config_only_if_asked() {
    let folder = Folder::new("keep-mode");
    folder.write("c.json", TWO);
    let group = if rustix::process::geteuid().is_root() { 33 } else { rustix::process::getegid().as_raw() };
    chown(folder.path("c.json"), None, Some(group)).unwrap();
    fs::set_permissions(folder.path("c.json"), fs::Permissions::from_mode(0o644)).unwrap();
    let own = rights(&folder, "tree").1;
    for (arguments, out, expected) in [
        (&["encrypt", "c.json", "-o", "a.json"][..], "a.json", (0o600, own)),
        (&["encrypt", "c.json", "-o", "b.json", "--keep-mode"], "b.json", (0o644, group)),
        (&["decrypt", "b.json", "-o", "d.json"], "d.json", (0o600, own)),
        // Plain text is never for everybody.
        (&["decrypt", "b.json", "-o", "e.json", "--keep-mode"], "e.json", (0o640, group)),
        (&["encrypt", "c.json", "-o", "e.json", "--keep-mode", "--force"], "e.json", (0o644, group)),
        (&["encrypt", "c.json", "--in-place"], "c.json", (0o644, group)),
    ] {
        let said = folder.run(arguments);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(rights(&folder, out), expected, "{arguments:?}");
    }
    for arguments in [&["decrypt", "b.json", "--keep-mode"][..], &["encrypt", "c.json", "--in-place", "--keep-mode"]] {
        assert_eq!(folder.run(arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn an_owner_that_cannot_be_given_is_refused_before_a_write() {
    if !rustix::process::geteuid().is_root() || !has("setpriv") {
        return skip("needs root and setpriv");
    }
    let folder = Folder::new("keep-mode-refused");
    folder.write("c.json", TWO);
    fs::set_permissions(folder.path("c.json"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let said = folder.run_by(&nobody, &["encrypt", "c.json", "-o", "out.json", "--keep-mode"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.err.contains("cannot give the owner and group of the config (0:0) to out.json"), "{said:?}");
    assert!(said.err.contains("next: nothing was written; leave out --keep-mode"), "{said:?}");
    assert!(!folder.path("out.json").exists());
}
