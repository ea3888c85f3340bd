//! `fernseal check`: it finds secrets in plain text, in files and in git's index, and reports nothing else.

use std::fs;
use std::os::unix::fs::symlink;

use crate::common::{Folder, Said, has};

const PLAIN: &str = r#"{"auth": {"token_value": "plain"}}"#;

/// Creates a git repository in a folder. Returns `None` if git is missing.
fn repository(name: &str) -> Option<Folder> {
    has("git").then(|| {
        let folder = Folder::new(name);
        shell(&folder, "git init -q .");
        folder
    })
}

fn shell(folder: &Folder, script: &str) {
    assert!(folder.command(&["sh", "-c", script], &[]).status().unwrap().success(), "{script}");
}

#[test]
fn plain_secrets_and_damaged_tokens_are_found_and_tokens_and_placeholders_are_not() {
    let folder = Folder::new("check");
    folder.make_configs(1);
    folder.write("tree/placeholder.json", r#"{"auth": {"token_value": "${TOKEN}"}}"#);
    folder.write("tree/other.json", r#"{"x": 1, "db": {"password": "p"}}"#);
    let said = folder.run(&["check", "tree"]);
    let told = "3 configs checked: no plain text at /auth/token_value (in 2); no other value looks like a secret\n";
    assert_eq!((said.code, &*said.err), (Some(0), told));

    let said = folder.run(&["check", "tree", "--require", "/db/password"]);
    assert_eq!((said.code, &*said.findings()), (Some(3), "tree/other.json /db/password: plain text\n"));
    assert!(!said.err.contains("\"p\""));

    folder.write("tree/plain.json", r#"{"auth": {"token_value": "aaaa-bbbb"}, "x": ["ENC:abc", " enc:z"]}"#);
    let said = folder.run(&["check", "tree", "--json", "--require", "auth.token_value"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.starts_with("error: 3 secrets in plain text or damaged\n  next: "), "{said:?}");
    for finding in ["/auth/token_value", "/x/0", "/x/1"] {
        assert!(said.out.contains(&format!("\"pointer\":\"{finding}\"")), "{said:?}");
    }
    assert!(!said.out.contains("aaaa-bbbb") && !said.err.contains("aaaa-bbbb"));
}

#[test]
fn what_is_staged_counts_not_what_lies_in_the_folder() {
    let Some(folder) = repository("staged") else { return };
    folder.write("c.json", r#"{"auth": {"token_value": "plain"}}"#);
    shell(&folder, "git add c.json");
    let encrypted = folder.run(&["encrypt", "-q", "--in-place", "c.json"]);
    assert_eq!(encrypted.code, Some(0));
    let said = folder.run(&["check", "--staged"]);
    assert_eq!((said.code, &*said.findings()), (Some(3), "c.json /auth/token_value: plain text\n"), "{said:?}");
    shell(&folder, "git add c.json");
    assert_eq!(folder.run(&["check", "--staged"]).code, Some(0));
}

#[test]
fn the_settings_beside_a_config_name_its_secrets_for_check_and_encrypt() {
    let folder = Folder::new("settings");
    folder.write("tree/.fernseal.toml", "secrets = [\"/db/password\", \"smtp.password\"]\n");
    folder.write("tree/a.json", r#"{"db": {"password": "p1"}, "x": "plain"}"#);
    folder.write("tree/b.json", r#"{"auth": {"token_value": "p2"}, "smtp": {"password": "third-password"}}"#);
    let said = folder.run(&["check", "tree"]);
    let found = "tree/a.json /db/password: plain text\ntree/b.json /auth/token_value: plain text\ntree/b.json smtp.password: plain text\n";
    assert_eq!((said.code, &*said.findings()), (Some(3), found));
    for config in ["tree/a.json", "tree/b.json"] {
        assert_eq!(folder.run(&["encrypt", "-q", "--in-place", config]).code, Some(0));
    }
    assert_eq!(folder.run(&["check", "tree"]).code, Some(0));
    assert!(
        folder.read("tree/a.json").contains("\"x\": \"plain\"")
            && !folder.read("tree/b.json").contains("third-password")
    );

    folder.write("tree/.fernseal.toml", "secret = []\n");
    let said = folder.run(&["check", "tree"]);
    assert_eq!(said.code, Some(6));
    assert!(said.err.starts_with("error: tree/.fernseal.toml cannot be used: line 1: unknown field"), "{said:?}");
    assert_eq!(said.err.lines().count(), 2, "told once, not for each config: {said:?}");
}

#[test]
fn staged_settings_count_and_not_those_in_the_folder() {
    let Some(folder) = repository("staged-settings") else { return };
    folder.write("tree/c.json", r#"{"db": {"password": "plain"}}"#);
    shell(&folder, "git add tree/c.json");
    folder.write("tree/.fernseal.toml", "secrets = [\"/db/password\"]\n");
    assert_eq!(folder.run(&["check", "--staged"]).code, Some(0));
    shell(&folder, "git add tree/.fernseal.toml && rm tree/.fernseal.toml");
    let said = folder.run(&["check", "--staged"]);
    assert_eq!((said.code, &*said.findings()), (Some(3), "tree/c.json /db/password: plain text\n"), "{said:?}");
}

#[test]
fn all_that_is_staged_is_looked_at_from_any_folder_of_the_repository() {
    let Some(folder) = repository("subfolder") else { return };
    fs::create_dir_all(folder.path("sub/folder")).unwrap();
    folder.write("tree/c.json", r#"{"auth": {"token_value": "plain"}, "db": {"password": "p"}}"#);
    folder.write("tree/.fernseal.toml", "secrets = [\"/db/password\"]\n");
    shell(&folder, "git add . && git config diff.relative true && git config diff.noprefix true");
    let check = ["sh", "-c", "cd sub/folder && exec \"$0\" check --staged"];
    let said = folder.run_by(&check, &[]);
    let found = "tree/c.json /auth/token_value: plain text\ntree/c.json /db/password: plain text\n";
    assert_eq!((said.code, &*said.findings()), (Some(3), found), "{said:?}");
}

#[test]
fn of_what_is_staged_only_what_a_directory_has_as_configs_is_looked_at_and_the_rest_is_told() {
    let Some(folder) = repository("staged-kinds") else { return };
    fs::create_dir_all(folder.path("tree/.vscode")).unwrap();
    folder.write("tree/.vscode/settings.json", "{} // a comment");
    folder.write("tree/config.example.json", PLAIN);
    folder.write("tree/new\nline.json", PLAIN);
    symlink("nowhere", folder.path("tree/l.json")).unwrap();
    symlink("nowhere", folder.path("tree/was-a-link.json")).unwrap();
    shell(&folder, "git add . && git -c user.name=n -c user.email=e commit -qm links -- tree/was-a-link.json");
    fs::remove_file(folder.path("tree/was-a-link.json")).unwrap();
    folder.write("tree/was-a-link.json", PLAIN);
    shell(&folder, "git add .");
    let told = "skipped tree/.vscode/settings.json: in a hidden directory\n\
                skipped tree/config.example.json: an example\n\
                skipped tree/l.json: a symbolic link: name it directly to include its target\n\
                tree/new\\nline.json /auth/token_value: plain text\n\
                tree/was-a-link.json /auth/token_value: plain text\n";
    let said = folder.run(&["check", "--staged"]);
    assert_eq!((said.code, &*said.findings()), (Some(3), told), "{said:?}");

    let told = told.replace(".vscode/settings.json: in a hidden", ".vscode: hidden");
    let said = folder.run(&["check", "tree"]);
    assert_eq!((said.code, said.findings()), (Some(3), told));
}

#[test]
fn a_broken_file_hides_no_finding() {
    let folder = Folder::new("broken");
    folder.write("tree/a.json", "{\"db\": 1} // a comment");
    folder.write("tree/b.json", r#"{"auth": {"token_value": 1, "token_value": 2}, "db": "plain"}"#);
    folder.write("tree/c.json", PLAIN);
    let found = "tree/b.json /db: plain text\ntree/c.json /auth/token_value: plain text\n";
    let said = folder.run(&["check", "missing.json", "tree", "--require", "/db"]);
    assert_eq!((said.code, &*said.findings()), (Some(3), found), "{said:?}");
    for failure in
        ["Config file not found: missing.json", "Invalid JSON: tree/a.json", "twice in its object: tree/b.json"]
    {
        assert!(said.err.contains(failure), "{said:?}");
    }
    assert!(said.err.contains("error: 2 secrets in plain text or damaged"), "{said:?}");
    folder.write("tree/a.json", "{\"token_value\": 1} // a comment");
    let said = folder.run(&["check", "tree", "--json"]);
    let failed = "\"failed\":[{\"file\":\"tree/a.json\",\"next\":\"a config is strict JSON, which has no comments: \
                  remove the comment\",\"reason\":\"Invalid JSON: tree/a.json, line 1, column 20 (byte 19)\"},{\"file\":\"tree/b.json\",";
    assert!(said.code == Some(3) && said.out.contains(failed), "{said:?}");

    fs::remove_file(folder.path("tree/c.json")).unwrap();
    let said = folder.run(&["check", "tree", "--require", "/perhaps/in/a"]);
    assert_eq!((said.code, &*said.findings()), (Some(6), ""), "{said:?}");
    assert!(!said.err.contains("no secret in plain text") && !said.err.contains("/perhaps"), "{said:?}");

    let Some(folder) = repository("staged-broken") else { return };
    folder.write("tree/a.json", "{\"token_value\": 1} // a comment");
    folder.write("tree/c.json", PLAIN);
    shell(&folder, "git add .");
    let said = folder.run(&["check", "--staged"]);
    assert_eq!((said.code, &*said.findings()), (Some(3), "tree/c.json /auth/token_value: plain text\n"), "{said:?}");
    assert!(said.err.contains("Invalid JSON: tree/a.json"), "{said:?}");
}

#[test]
fn a_required_pointer_that_no_config_has_is_a_failure() {
    let folder = Folder::new("required");
    folder.write("tree/a.json", r#"{"database": {"password": "${P}"}}"#);
    folder.write("tree/b.json", "{}");
    assert_eq!(folder.run(&["check", "tree", "--require", "/database/password"]).code, Some(0));
    let said = folder.run(&["check", "tree", "--require", "/databse/passwrd"]);
    let told =
        "error: none of the checked configs has a value at /databse/passwrd\n  next: check the pointer's spelling\n";
    assert_eq!((said.code, &*said.findings(), &*said.err), (Some(6), "", told));
    let said = folder.run(&["check", "tree", "--require", "/~3"]);
    assert_eq!((said.code, said.err.matches("not a pointer or pattern").count()), (Some(2), 1), "{said:?}");

    folder.write("tree/.fernseal.toml", "secrets = [\"/databse/passwrd\"]\n");
    assert_eq!(folder.run(&["check", "tree"]).code, Some(0), "a folder's configs need not have all secrets");

    let Some(folder) = repository("required-staged") else { return };
    folder.write("package.json", "{}");
    shell(&folder, "git add .");
    let said = folder.run(&["check", "--staged", "--require", "/databse/passwrd"]);
    let told = "none of the checked configs has a value at /databse/passwrd (among the staged configs)\n1 staged config checked: \
                none has a value at /auth/token_value or /databse/passwrd; no other value looks like a secret\n";
    assert_eq!((said.code, &*said.err), (Some(0), told), "a commit need not have the config in it");
}

#[test]
fn outside_a_repository_git_says_so_in_a_line() {
    if !has("git") {
        return;
    }
    let folder = Folder::new("no-repository");
    let said = folder.run(&["check", "--staged"]);
    assert_eq!((said.code, said.err.lines().count()), (Some(1), 2), "{said:?}");
    assert!(said.err.starts_with("error: git failed: fatal: not a git repository"), "{said:?}");
}

#[test]
fn the_advice_for_each_kind_of_value_leads_on() {
    let folder = Folder::new("advice");
    for (value, what, next) in [
        ("12345", "plain text", "fernseal set c.json /auth/token_value"),
        ("\"p\"", "plain text", "fernseal encrypt --in-place c.json --field /auth/token_value"),
        (
            "\"ENC:abcdef\"",
            "looks like a token, but is not one",
            "restore the token, or put the plain secret in its place",
        ),
        ("{\"a\": \"p\"}", "not a string, but an object or array", "name a string inside it"),
    ] {
        folder.write("c.json", &format!("{{\"auth\": {{\"token_value\": {value}}}}}"));
        let told = format!("WRONG plain text: /auth/token_value: {what}\n      next: {next}\n");
        let said = folder.run(&["doctor", "c.json"]);
        assert!(said.code == Some(3) && said.out.contains(&told), "{value}: {said:?}");
        let said = folder.run(&["check", "c.json"]);
        let told = format!("c.json /auth/token_value: {what}\n  next: {next}\n");
        assert_eq!((said.code, said.out), (Some(3), told));
        let next = next.replace("c.json", "CONFIG").replace("/auth/token_value", "POINTER");
        assert!(said.err.contains(&format!("  next: {next}")), "{value}: {}", said.err);
    }
    folder.write("c.json", r#"{"auth": {"token_value": 12345}}"#);
    folder.write("secret", "s3cret\n");
    let mut set = folder.command(&[], &["set", "c.json", "/auth/token_value"]);
    set.stdin(fs::File::open(folder.path("secret")).unwrap());
    assert!(set.output().unwrap().status.success());
    assert_eq!(folder.run(&["check", "c.json"]).code, Some(0));

    folder.write("c.json", r#"{"auth": {"token_value": null}}"#);
    assert_eq!(folder.run(&["check", "c.json"]).code, Some(0), "null is no secret");
}

#[test]
fn a_link_to_a_directory_is_told_of() {
    let folder = Folder::new("linked");
    fs::create_dir(folder.path("elsewhere")).unwrap();
    folder.write("elsewhere/c.json", PLAIN);
    symlink("../elsewhere", folder.path("tree/linked")).unwrap();
    symlink("../nowhere", folder.path("tree/dangling")).unwrap();
    folder.write("tree/a.json", "{}");
    let said = folder.run(&["check", "tree"]);
    let told = "skipped tree/linked: a symbolic link: name it directly to include its target\n";
    assert_eq!((said.code, &*said.findings()), (Some(0), told));
    assert!(said.err.ends_with("; 1 path skipped\n"), "{said:?}");
    let said = folder.run(&["check", "tree", "--json"]);
    assert!(said.out.contains("\"skipped\":[{\"file\":\"tree/linked\",\"reason\":\"a symbolic link: "), "{said:?}");
    let said = folder.run(&["check", "tree/linked"]);
    assert_eq!((said.code, &*said.findings()), (Some(3), "tree/linked/c.json /auth/token_value: plain text\n"));
}

#[test]
fn a_legacy_token_is_a_finding_where_it_is_not_wanted() {
    let Some(folder) = repository("legacy") else { return };
    for name in ["old.json", "new.json"] {
        folder.write(&format!("tree/{name}"), "{\"auth\": {\"token_value\": \"s\"}, \"n\": 1}");
        let legacy = if name == "old.json" { &["--legacy"][..] } else { &[] };
        let path = format!("tree/{name}");
        assert_eq!(folder.run(&[&["encrypt", "-q", "--in-place", &path], legacy].concat()).code, Some(0));
    }
    assert_eq!(folder.run(&["check", "tree"]).code, Some(0), "legacy tokens are allowed unless they are refused");
    let found = |said: Said| {
        assert_eq!(said.code, Some(3), "{said:?}");
        let line = "tree/old.json /auth/token_value: legacy token, without a salt of its own\n";
        assert!(said.findings() == line && said.err.contains("error: 1 legacy token\n"), "{said:?}");
    };
    found(folder.run(&["check", "--no-legacy", "tree"]));
    let said = folder.run(&["check", "--no-legacy", "tree/new.json"]);
    assert!(said.code == Some(0) && said.err.contains("no legacy token"), "{said:?}");

    folder.write("tree/.fernseal.toml", "no_legacy = true\n");
    found(folder.run(&["check", "tree"]));
    shell(&folder, "git add tree");
    found(folder.run(&["check", "--staged"]));

    for (name, legacy) in [("old", 1), ("new", 0)] {
        let path = format!("tree/{name}.json");
        let said = folder.run(&["status", &path]);
        assert_eq!(said.out.contains("\nLegacy tokens: 1 "), legacy == 1, "{said:?}");
        let said = folder.run(&["status", &path, "--json"]);
        assert!(said.out.contains(&format!("\"legacy\":{legacy},")), "{said:?}");
    }
    assert_eq!(folder.run(&["rotate", "tree", "--new-key-out", "new", "--no-backup"]).code, Some(0));
    assert_eq!(folder.run(&["check", "tree"]).code, Some(0), "a rotation gives each token a salt");
}
