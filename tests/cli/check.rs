//! `fernseal check`: secrets in plain text are found, in files and in what is staged in git, and nothing else is.
#![allow(clippy::unwrap_used)] // a test ends where something is not as it must be

mod common;

use common::{Folder, has};

#[test]
fn plain_secrets_and_damaged_tokens_are_found_and_tokens_and_placeholders_are_not() {
    let folder = Folder::new("check");
    folder.make_configs(1);
    folder.write("tree/placeholder.json", r#"{"auth": {"token_value": "${TOKEN}"}}"#);
    folder.write("tree/other.json", r#"{"x": 1, "db": {"password": "p"}}"#);
    let said = folder.run(&["check", "tree"]);
    assert_eq!((said.code, &*said.err), (Some(0), "3 configs: no secret in plain text\n"));

    let said = folder.run(&["check", "tree", "--require", "/db/password"]);
    assert_eq!((said.code, &*said.out), (Some(3), "tree/other.json /db/password: plain text\n"));
    assert!(!said.err.contains("\"p\""));

    folder.write("tree/plain.json", r#"{"auth": {"token_value": "aaaa-bbbb"}, "x": ["ENC:abc", " enc:z"]}"#);
    let said = folder.run(&["check", "tree", "--json"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.starts_with("error: 3 secrets in plain text or damaged\n  next: "), "{said:?}");
    for finding in ["/auth/token_value", "/x/0", "/x/1"] {
        assert!(said.out.contains(&format!("\"pointer\":\"{finding}\"")), "{said:?}");
    }
    assert!(!said.out.contains("aaaa-bbbb") && !said.err.contains("aaaa-bbbb"));
}

#[test]
fn what_is_staged_counts_not_what_lies_in_the_folder() {
    if !has("git") {
        return;
    }
    let folder = Folder::new("staged");
    let git = |script: &str| assert!(folder.command(&["sh", "-c", script], &[]).status().unwrap().success());
    folder.write("c.json", r#"{"auth": {"token_value": "plain"}}"#);
    git("git init -q . && git add c.json");
    let encrypted = folder.run(&["encrypt", "-q", "--in-place", "c.json"]);
    assert_eq!(encrypted.code, Some(0));
    let said = folder.run(&["check", "--staged"]);
    assert_eq!((said.code, &*said.out), (Some(3), "c.json /auth/token_value: plain text\n"), "{said:?}");
    git("git add c.json");
    assert_eq!(folder.run(&["check", "--staged"]).code, Some(0));
}

#[test]
fn the_settings_beside_a_config_name_its_secrets_for_check_and_encrypt() {
    let folder = Folder::new("settings");
    folder.write("tree/.fernseal.toml", "secrets = [\"/db/password\", \"smtp.password\"]\n");
    folder.write("tree/a.json", r#"{"db": {"password": "p1"}, "x": "plain"}"#);
    folder.write("tree/b.json", r#"{"auth": {"token_value": "p2"}, "smtp": {"password": "p3"}}"#);
    let said = folder.run(&["check", "tree"]);
    let found = "tree/a.json /db/password: plain text\ntree/b.json /auth/token_value: plain text\ntree/b.json smtp.password: plain text\n";
    assert_eq!((said.code, &*said.out), (Some(3), found));
    for config in ["tree/a.json", "tree/b.json"] {
        assert_eq!(folder.run(&["encrypt", "-q", "--in-place", config]).code, Some(0));
    }
    assert_eq!(folder.run(&["check", "tree"]).code, Some(0));
    assert!(folder.read("tree/a.json").contains("\"x\": \"plain\"") && !folder.read("tree/b.json").contains("p3"));

    folder.write("tree/.fernseal.toml", "secret = []\n");
    let said = folder.run(&["check", "tree"]);
    assert_eq!(said.code, Some(6));
    assert!(said.err.starts_with("error: tree/.fernseal.toml cannot be used: line 1: unknown field"), "{said:?}");
}

#[test]
fn staged_settings_count_and_not_those_in_the_folder() {
    if !has("git") {
        return;
    }
    let folder = Folder::new("staged-settings");
    let git = |script: &str| assert!(folder.command(&["sh", "-c", script], &[]).status().unwrap().success());
    folder.write("tree/c.json", r#"{"db": {"password": "plain"}}"#);
    git("git init -q . && git add tree/c.json");
    folder.write("tree/.fernseal.toml", "secrets = [\"/db/password\"]\n");
    assert_eq!(folder.run(&["check", "--staged"]).code, Some(0));
    git("git add tree/.fernseal.toml && rm tree/.fernseal.toml");
    let said = folder.run(&["check", "--staged"]);
    assert_eq!((said.code, &*said.out), (Some(3), "tree/c.json /db/password: plain text\n"), "{said:?}");
}
