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
fn completions_and_manual_pages_know_every_verb() {
    let folder = Folder::new("pages");
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let said = folder.run(&["completions", shell]);
        assert_eq!(said.code, Some(0));
        assert!(said.out.contains("rotate-key-all") && said.out.contains("keygen"), "{shell}");
    }
    assert!(folder.run(&["man"]).out.contains("fernseal"));
    assert_eq!(folder.run(&["man", "tree"]).code, Some(0));
    let pages: Vec<String> = folder.files("tree").into_iter().map(|(name, _)| name).collect();
    for verb in ["encrypt", "rotate", "run", "check"] {
        assert!(pages.contains(&format!("fernseal-{verb}.1")), "{pages:?}");
    }
}
