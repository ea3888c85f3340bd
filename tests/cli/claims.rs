//! No message claims more than was looked at: where it looked, how much it looked at, and what it skipped stand beside
//! it.

use std::fs;

use crate::common::{Folder, Said};

/// A tree with a config that has nothing encrypted, and an example that no verb looks at.
fn plain_tree(name: &str) -> Folder {
    let folder = Folder::new(&format!("claims-{name}"));
    folder.write("tree/c.json", r#"{"auth": {"token_value": ""}, "password": "plain"}"#);
    folder.write("tree/example.json", "{}");
    folder
}

/// Holds that it says this, on stdout or stderr, with this exit code.
fn says(said: &Said, code: i32, text: &str) {
    assert_eq!(said.code, Some(code), "{said:?}");
    assert!(said.out.contains(text) || said.err.contains(text), "{text}: {said:?}");
}

#[test]
fn encrypt_that_finds_nothing_says_where_it_looked() {
    let folder = plain_tree("encrypt");
    let rest = "; other values were not checked, and nothing was written\n";
    let said = folder.run(&["encrypt", "tree/c.json"]);
    says(&said, 0, &format!("Nothing to encrypt in tree/c.json at /auth/token_value{rest}"));
    folder.write("tree/.fernseal.toml", "secrets = [\"/a\"]");
    folder.write("tree/c.json", r#"{"auth": {"token_value": ""}, "b": ""}"#);
    let said = folder.run(&["encrypt", "--in-place", "tree/c.json", "--field", "/b"]);
    says(&said, 0, &format!("in tree/c.json at /auth/token_value, /a or /b{rest}"));
}

#[test]
fn what_was_skipped_stands_beside_what_was_not_found() {
    let folder = plain_tree("skipped");
    says(&folder.run(&["rotate", "tree"]), 7, "no encrypted value in 1 config; 1 path skipped\n");
    says(&folder.run(&["rotate", "--rollback", "tree"]), 7, "no backup beside 1 config; 1 path skipped\n");
    says(&folder.run(&["verify", "tree"]), 0, "1 config checked: no token found; 1 path skipped\n");
    says(&folder.run(&["status", "tree"]), 0, "1 config checked, 1 skipped, 0 failed\n");
    says(&folder.run(&["backups", "list", "tree"]), 0, "0 backups beside 1 config checked; 1 path skipped\n");
    says(&folder.run(&["backups", "prune", "tree"]), 0, "0 backups removed, of 1 config checked; 1 path skipped\n");
    says(&folder.run(&["check", "tree", "--require", "/x"]), 6, "none of the checked configs has a value at /x\n");
}

#[test]
fn a_broken_file_is_said_to_be_searched_for_what_it_was() {
    let folder = plain_tree("broken");
    // This name is one of a likely secret, which is searched for only in texts that can be read.
    folder.write("tree/d.yaml", "DB_PASSWORD: [hunter2-97,\n");
    let searched = "; searched only for tokens and the names of listed secrets: none found\n";
    says(&folder.run(&["check", "tree"]), 0, searched);
    let said = folder.run(&["check", "tree", "--require", "/DB_PASSWORD"]);
    says(&said, 6, "invalid YAML: tree/d.yaml");
}

#[test]
fn backups_are_said_to_be_where_they_were_looked_for() {
    let folder = Folder::new("claims-backups");
    folder.make_configs(1);
    folder.write("tree/example.json", "{}");
    fs::create_dir(folder.path("kept")).unwrap();
    let at = ["--backup-dir", "kept"];
    let with = |arguments: &[&'static str]| [arguments, &at[..]].concat();
    says(
        &folder.run(&with(&["backups", "list", "tree"])),
        0,
        "0 backups in kept of 1 config checked; 1 path skipped\n",
    );
    folder.write("tree/0000.json", "{}");
    let said = folder.run(&with(&["rotate", "--rollback", "tree"]));
    says(&said, 7, "no backup in kept of 1 config; 1 path skipped\n");
}

#[test]
fn a_rollback_counts_what_it_skipped() {
    let folder = Folder::new("claims-rollback");
    folder.make_configs(1);
    folder.write("old", crate::common::KEY);
    folder.write("tree/example.json", "{}");
    assert_eq!(folder.run(&["rotate", "-q", "tree"]).code, Some(0));
    let said = folder.run(&["rotate", "--rollback", "tree"]);
    says(&said, 0, "1 restored, 0 failed, of 1; 1 path skipped\n");
    says(&folder.run(&["verify", "tree"]), 0, "1 token in 1 config checked: it can be decrypted; 1 path skipped\n");
}
