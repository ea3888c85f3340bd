//! What a message says to do next is right for this very case: the slip that was made, the place that was used.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::{Folder, KEY, Said, has, skip};

const VARIABLE: &str = "PROXMOX_MCP_MASTER_KEY";
const OTHER_KEY: &str = "bLEDgzUxSiXMMKxMPSR4h9Gzhvbs_yFlqvsM9HsYdtU=";

/// A folder with a config under [`KEY`], which is in the file `key`.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(&format!("hints-{name}"));
    folder.write("c.json", r#"{"auth": {"token_value": "the secret", "user": "u"}}"#);
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json"]).code, Some(0));
    write_key(&folder, "key", KEY);
    folder
}

fn write_key(folder: &Folder, name: &str, text: &str) {
    folder.write(name, text);
    fs::set_permissions(folder.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs the command under these variables alone.
fn run(folder: &Folder, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    Said::of(folder.command(&[], arguments).env_remove(VARIABLE).envs(variables.iter().copied()).output().unwrap())
}

/// Holds that it fails with this code and says these texts.
fn fails(said: &Said, code: i32, texts: &[&str]) {
    assert_eq!((said.code, &*said.out), (Some(code), ""), "{said:?}");
    for text in texts {
        assert!(said.err.contains(text), "{text}: {said:?}");
    }
}

#[test]
fn a_config_and_a_pointer_that_are_swapped_are_told_so() {
    let folder = folder("swapped");
    for (arguments, command) in [
        (&["get", "/auth/token_value", "c.json"][..], "fernseal get c.json /auth/token_value"),
        (&["set", "auth.token_value", "c.json"], "fernseal set c.json auth.token_value"),
        (&["set", "--create", "/new", "c.json"], "fernseal set c.json /new"),
        (&["unset", "/auth/user", "c.json"], "fernseal unset c.json /auth/user"),
        (&["encrypt", "/auth/user", "--field", "c.json"], "fernseal encrypt c.json --field /auth/user"),
        (&["/auth/user", "--field", "c.json"], "fernseal encrypt c.json --field /auth/user"),
        (&["edit", "/auth/user", "--field", "c.json"], "fernseal edit c.json --field /auth/user"),
    ] {
        fails(&folder.run(arguments), 2, &["are swapped", &format!("next: the config comes first: {command}\n")]);
    }
    let said = Said::of(folder.command(&[], &["get", "c.json"]).env("PROXMOX_MCP_CONFIG", "/auth/x").output().unwrap());
    fails(&said, 2, &["are swapped"]);
}

#[test]
fn a_key_in_the_configs_place_is_not_shown() {
    let folder = folder("swapped-key");
    for arguments in [&["get", KEY, "c.json"][..], &["unset", KEY, "c.json"], &["encrypt", KEY, "--field", "c.json"]] {
        let said = folder.run(arguments);
        fails(&said, 7, &["(a master key, not a path)"]);
        assert!(!said.err.contains(KEY), "{said:?}");
    }
}

/// What stands where a key should, what is said of it, and what is said to do where the variable holds it and where a
/// file does.
fn slips() -> [(String, &'static str, &'static str, &'static str); 8] {
    let behind = "keep only the key's text: the part after PROXMOX_MCP_MASTER_KEY=";
    let once = "keep the key only once";
    let (in_variable, that) = ("name the file in PROXMOX_MCP_MASTER_KEY_FILE instead", "name that file instead");
    [
        (format!("{VARIABLE}={KEY}"), "it is a line PROXMOX_MCP_MASTER_KEY=…, not a key", behind, behind),
        (format!("# made by hand\nexport {VARIABLE}={KEY}\n"), "it is a line PROXMOX_MCP_MASTER_KEY=…", behind, behind),
        (format!("{KEY}{KEY}"), "it contains the same key more than once", once, once),
        (format!("{KEY}\n{KEY}\n"), "it contains the same key more than once", once, once),
        (format!("{KEY}\n{OTHER_KEY}"), "it contains 2 different keys", "PREVIOUS", "PREVIOUS"),
        ("key".to_owned(), "it is the path of a file, not a key", in_variable, that),
        ("/etc/keys/main".to_owned(), "it looks like a path, not a key", in_variable, that),
        ("~/.proxmox_mcp_key".to_owned(), "it looks like a path, not a key", in_variable, that),
    ]
}

#[test]
fn what_stands_in_a_keys_place_is_named_wherever_keys_are() {
    let folder = folder("slips");
    let get = ["get", "c.json", "/auth/token_value"];
    for (text, what, in_variable, in_file) in slips() {
        write_key(&folder, "slip", &text);
        let invalid = |source: &str| format!("Invalid master key from {source}: {what}");
        fails(&run(&folder, &[(VARIABLE, &text)], &get), 5, &[&invalid(VARIABLE), in_variable]);
        let file = "PROXMOX_MCP_MASTER_KEY_FILE";
        fails(&run(&folder, &[(file, "slip")], &get), 5, &[&invalid(&format!("{file} slip")), in_file]);
        for verb in ["verify", "encrypt", "decrypt", "rotate", "run"] {
            let arguments = [verb, "c.json", "--key-file", "slip"];
            let arguments = if verb == "run" {
                [&arguments[..], &["--env-all=/auth", "--", "true"]].concat()
            } else {
                if verb == "encrypt" { [&arguments[..], &["--field=/auth/user"]].concat() } else { arguments.to_vec() }
            };
            fails(&run(&folder, &[], &arguments), 5, &[&invalid("--key-file slip"), in_file]);
        }
        fails(&folder.run(&["key", "id", "slip"]), 5, &[what, in_file]);
        fails(&folder.run(&["rotate", "c.json", "--new-key-file", "slip"]), 5, &[what, in_file]);
        assert!(!run(&folder, &[(VARIABLE, &text)], &get).err.contains(KEY));
    }
}

#[test]
fn a_key_that_was_encoded_twice_is_told_so() {
    let folder = folder("twice");
    for (line, is_same) in [(KEY.to_owned(), true), (format!("{KEY}\n"), true), (OTHER_KEY.to_owned(), false)] {
        folder.write("text", &line);
        let encoded = Said::of(folder.command(&["sh", "-c", "base64 -w0 text"], &[]).output().unwrap()).out;
        let said = run(&folder, &[(VARIABLE, &encoded)], &["get", "c.json", "/auth/token_value"]);
        fails(&said, 4, &["is base64-encoded twice"]);
        let hint = "decrypts this token: replace the key with the output of `base64 -d`";
        assert_eq!(said.err.contains(hint), is_same, "{said:?}");
    }
    // One to rotate to, too.
    write_key(&folder, "new", &Said::of(folder.command(&["sh", "-c", "base64 -w0 text"], &[]).output().unwrap()).out);
    let said = folder.run(&["rotate", "c.json", "--dry-run", "--new-key-file", "new"]);
    assert!(said.err.contains("warning: the master key from new is base64-encoded twice"), "{said:?}");
    // A key of as many bytes that is no text.
    let said = run(&folder, &[(VARIABLE, &"A".repeat(60))], &["get", "c.json", "/auth/token_value"]);
    assert!(!said.err.contains("encoded twice"), "{said:?}");
    // Nor is a key that lacks its end a path because base64 may begin with a slash.
    let said = run(
        &folder,
        &[(VARIABLE, "/aZZ0/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789a")],
        &["get", "c.json", "/auth/token_value"],
    );
    assert!(said.err.contains("is the final = missing"), "{said:?}");
}

#[test]
fn without_a_home_a_rotation_leads_to_new_key_out() {
    let folder = folder("home");
    folder.write("no-home", "");
    for (home, what) in [
        (None, "HOME is not set, so there is no place for the new key"),
        (Some(""), "HOME is empty, so there is no place for the new key"),
        (Some("/nonexistent"), "HOME is not a directory (/nonexistent), so there is no place for the new key"),
    ] {
        let mut command = folder.command(&[], &["rotate", "c.json"]);
        match home {
            None => command.env_remove("HOME"),
            Some(home) => command.env("HOME", home),
        };
        fails(&Said::of(command.output().unwrap()), 7, &[what, "--new-key-out FILE"]);
    }
}

#[test]
fn a_bare_name_leads_to_the_pointers_that_end_in_it() {
    let folder = folder("bare");
    let meant = "did you mean /auth/token_value?";
    for arguments in [
        &["get", "c.json", "token_value"][..],
        &["get", "c.json", "/token_value"],
        &["unset", "c.json", "token_value"],
        &["set", "c.json", "token_value"],
        &["encrypt", "c.json", "--field", "token_value"],
        &["run", "c.json", "--env", "T=token_value", "--", "true"],
        &["run", "c.json", "--file", "T=token_value", "--", "true"],
        &["check", "c.json", "--require", "token_value"],
    ] {
        let said = folder.run(arguments);
        assert!(matches!(said.code, Some(6 | 7)), "{arguments:?}: {said:?}");
        assert!(said.err.contains(meant), "{arguments:?}: {said:?}");
    }
    folder.write(
        "many.json",
        r#"{"a": {"p": 1}, "b": {"p": 1}, "c": {"p": 1}, "d": {"p": 1}, "e": {"q": 1}, "f": {"q": 1}}"#,
    );
    fails(&folder.run(&["get", "many.json", "p"]), 6, &["did you mean /a/p or another value of that name?"]);
    fails(&folder.run(&["get", "many.json", "q"]), 6, &["did you mean /e/q or /f/q?"]);
    assert!(!folder.run(&["get", "many.json", "/e/p"]).err.contains("did you mean"));
}

#[test]
fn a_config_that_is_a_mount_point_is_told_so() {
    if !has("strace") {
        return;
    }
    let folder = folder("busy");
    folder.write("secret", "new");
    fs::rename(folder.path("c.json"), folder.path("tree/c.json")).unwrap();
    let before = folder.read("tree/c.json");
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=renameat2:error=EBUSY"];
    for line in [
        "set tree/c.json /auth/user <secret",
        "set --create tree/c.json /new <secret",
        "unset tree/c.json /auth/user",
        "encrypt --in-place tree/c.json --field /auth/user",
        "rotate tree/c.json --no-backup",
        "edit tree/c.json",
    ] {
        let script = format!("exec {} \"$0\" {line}", strace.join(" "));
        let mut command = folder.command(&["sh", "-c", &script], &[]);
        let said = Said::of(command.env("EDITOR", "sed -i s/the/a/").output().unwrap());
        assert!(matches!(said.code, Some(7 | 8)), "{line}: {said:?}");
        let all = format!("{}{}", said.out, said.err);
        assert!(all.contains("the file is mounted by itself, as in a container"), "{line}: {said:?}");
        assert_eq!(folder.read("tree/c.json"), before, "{line}");
    }
}

#[test]
fn a_relative_path_is_told_with_what_it_is_relative_to() {
    let folder = folder("relative");
    let from = format!(" (relative to {})", folder.0.display());
    let with = |text: &str| format!("{text}{from}");
    let get = ["get", "c.json", "/auth/token_value"];
    let file = "PROXMOX_MCP_MASTER_KEY_FILE";
    fails(&run(&folder, &[(file, "no/key")], &get), 5, &[&with("Key file not found: no/key")]);
    fails(
        &folder.run(&["get", "no.json", "/a"]),
        7,
        &[&with("Config file not found: no.json"), "next: check the path\n"],
    );
    let said = run(&folder, &[("PROXMOX_MCP_CONFIG", "no.json")], &["status"]);
    fails(&said, 7, &[&with("no.json"), "next: PROXMOX_MCP_CONFIG names it: check the path\n"]);
    fails(&folder.run(&["keygen", "-o", "no/key"]), 7, &[&with("check that the directory no"), " exists\n"]);
    let said = folder.run(&["get", "c.json", "/auth/token_value", "--audit-log", "no/log"]);
    fails(&said, 7, &[&with("the audit log no/log"), "create its directory, or name another log"]);
    fails(&folder.run(&["get", "/no.json", "/a"]), 7, &["Config file not found: /no.json\n"]);
}

#[test]
fn what_is_empty_is_not_said_to_be_unset() {
    let folder = folder("empty");
    let get = ["get", "c.json", "/auth/token_value"];
    let said = |variables: &[(&str, &str)], arguments: &[&str]| run(&folder, variables, arguments);
    for name in [VARIABLE, "PROXMOX_MCP_MASTER_KEY_FILE", "PROXMOX_MCP_MASTER_KEY_COMMAND"] {
        fails(&said(&[(name, "")], &get), 5, &[&format!("no master key: {name} is empty\n")]);
        let doctor = said(&[(name, "")], &["doctor", "c.json"]);
        assert!(doctor.out.contains(&format!("{name}: empty, which counts as not set")), "{doctor:?}");
        assert!(doctor.out.contains(&format!("{name} is empty, and no key file is named")), "{doctor:?}");
    }
    fails(&said(&[(VARIABLE, " ")], &get), 5, &["no master key: PROXMOX_MCP_MASTER_KEY is empty\n"]);
    fails(&said(&[], &get), 5, &["no master key: PROXMOX_MCP_MASTER_KEY is not set\n"]);
    fails(
        &said(&[("PROXMOX_MCP_CONFIG", "")], &["status"]),
        2,
        &["no config named, and PROXMOX_MCP_CONFIG is empty\n"],
    );
    fails(&said(&[], &["status"]), 2, &["no config named, and PROXMOX_MCP_CONFIG is not set\n"]);
    let status = said(&[(VARIABLE, "")], &["status", "c.json"]);
    assert!(status.out.contains("Master key: NOT SET (PROXMOX_MCP_MASTER_KEY is empty)\n"), "{status:?}");
}

/// A key file with this mode, where root owns it and another user reads it if `by_nobody`.
fn warns(folder: &Folder, mode: u32, by_nobody: bool, variables: &[(&str, &str)], options: &[&str]) -> bool {
    fs::set_permissions(folder.path("creds/proxmox_mcp_master_key"), fs::Permissions::from_mode(mode)).unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=0"];
    let before = if by_nobody { &nobody[..] } else { &[] };
    let mut command = folder.command(before, &[&["get", "c.json", "/auth/token_value"], options].concat());
    let said = Said::of(command.env_remove(VARIABLE).envs(variables.iter().copied()).output().unwrap());
    assert_eq!((said.code, &*said.out), (Some(0), "the secret\n"), "{said:?}");
    said.err.contains("can be used by others")
}

#[test]
fn nobody_is_told_to_chmod_a_key_that_was_handed_over() {
    let folder = folder("handed-over");
    fs::create_dir(folder.path("creds")).unwrap();
    write_key(&folder, "creds/proxmox_mcp_master_key", KEY);
    let file = folder.path("creds/proxmox_mcp_master_key").into_os_string().into_string().unwrap();
    let credentials = folder.path("creds").into_os_string().into_string().unwrap();
    let by_file = ["--key-file", &file];
    let in_place = [("CREDENTIALS_DIRECTORY", &*credentials)];
    for mode in [0o440, 0o444] {
        assert!(!warns(&folder, mode, false, &in_place, &[]), "{mode:o}");
        assert!(!warns(&folder, mode, false, &in_place, &by_file), "{mode:o}");
        // Elsewhere its owner can follow the advice, unless only what went wrong is to be said.
        assert!(warns(&folder, mode, false, &[], &by_file), "{mode:o}");
        assert!(!warns(&folder, mode, false, &[], &["--key-file", &file, "-q"]), "{mode:o}");
    }
    // Whoever can write it can change the key.
    assert!(warns(&folder, 0o666, false, &in_place, &[]));
    if !rustix::process::geteuid().is_root() || !has("setpriv") {
        return skip("needs root and setpriv");
    }
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(folder.path("c.json"), fs::Permissions::from_mode(0o644)).unwrap();
    for mode in [0o440, 0o444] {
        assert!(!warns(&folder, mode, true, &[], &by_file), "{mode:o}");
    }
    assert!(warns(&folder, 0o666, true, &[], &by_file));
}
