//! `fernseal merge`, git's merge driver: in repositories of git, and with the three files alone.

use crate::common::{Folder, KEY, Said, has};

const OTHER_KEY: &str = "iPo3FKHGHNM9d0Vqyco3JUDREUB6VYqVJQkfIEvP2jk=";

/// A repository whose config was sealed and committed, with the merge driver.
struct Repository(Folder);

impl Repository {
    /// Returns nothing if git is not installed. `config` is the text before the values at `fields` are sealed.
    fn new(name: &str, file: &str, config: &str, fields: &[&str]) -> Option<Self> {
        if !has("git") {
            return None;
        }
        let repository = Self(Folder::new(name));
        repository.0.write(file, config);
        repository.seal(file, fields);
        let driver = format!("'{}' merge --marker-size %L -- %O %A %B %P", env!("CARGO_BIN_EXE_fernseal"));
        repository.sh(&format!(
            "git init -q -b main . && git config user.name n && git config user.email e && \
             git config merge.fernseal.driver \"{driver}\" && echo '{file} merge=fernseal' >.gitattributes && \
             echo /home >.gitignore && git add . && git commit -qm base && git branch other"
        ));
        Some(repository)
    }

    fn seal(&self, file: &str, fields: &[&str]) {
        let fields: Vec<String> = fields.iter().map(|field| format!("--field={field}")).collect();
        let fields = fields.iter().map(String::as_str);
        let arguments: Vec<&str> = ["encrypt", "-q", "--in-place", file].into_iter().chain(fields).collect();
        let said = self.0.run(&arguments);
        assert_eq!(said.code, Some(0), "{said:?}");
    }

    fn try_sh(&self, script: &str) -> Said {
        self.0.run_by(&["sh", "-c", script], &[])
    }

    fn sh(&self, script: &str) -> String {
        let said = self.try_sh(script);
        assert_eq!(said.code, Some(0), "{script}: {said:?}");
        said.out
    }

    /// Runs `ours` on the branch main and `theirs` on the branch other, with the command as `$0`. Each is committed.
    fn branches(&self, ours: &str, theirs: &str) {
        let commit = "git commit -qam change";
        self.sh(&format!(
            "{{ {ours}; }} && {commit} && git checkout -q other && {{ {theirs}; }} && {commit} && git checkout -q main"
        ));
    }

    fn merge(&self) -> Said {
        self.try_sh("git merge -q --no-edit other")
    }

    fn value(&self, file: &str, pointer: &str) -> String {
        let said = self.0.run(&["get", file, pointer]);
        assert_eq!(said.code, Some(0), "{said:?}");
        said.out.trim_end().to_owned()
    }

    /// Git has stopped, or, if it is too old for that, has left the conflicts that it finds itself.
    fn check_stopped(&self, said: &Said, file: &str, ours: &str) {
        let text = self.0.read(file);
        if said.err.contains("failed to execute internal merge") {
            assert_eq!((text.as_str(), self.sh("git status --porcelain").as_str()), (ours, ""));
        } else {
            assert!(text.contains("<<<<<<< ours\n") && text.contains(">>>>>>> theirs\n"), "{text}");
        }
    }

    /// All texts that git has left: the files, and the objects of the repository.
    fn everything(&self) -> String {
        self.sh(
            "cat $(git ls-files); git cat-file --batch-all-objects --batch | cat -v; find . -type f -name '.merge*'",
        )
    }
}

fn set(file: &str, pointer: &str, secret: &str) -> String {
    format!("printf %s '{secret}' | \"$0\" set -q {file} {pointer}")
}

const NEIGHBOURS: &str = "{\n  \"a\": \"first\",\n  \"b\": \"second\",\n  \"c\": \"third\"\n}\n";

#[test]
fn two_branches_set_neighbouring_secrets_without_conflict() {
    for (file, config) in [
        ("c.json", NEIGHBOURS),
        ("c.jsonc", "{\"a\": \"first\", \"b\": \"second\", \"c\": \"third\"} // one line\n"),
        ("c.yaml", "a: first\nb: 'second'\nc: third\n"),
        ("c.toml", "a = \"first\"\nb = \"second\"\nc = \"third\"\n"),
        (".env", "a=first\nb=second\nc=third\n"),
        ("c.ini", "a = first\nb = second\nc = third\n"),
    ] {
        let Some(repository) = Repository::new("merge-two", file, config, &["/a", "/b", "/c"]) else { return };
        let untouched = |text: &str| tokens(text)[2].to_owned();
        let before = untouched(&repository.0.read(file));
        repository.branches(&set(file, "/a", "of ours"), &set(file, "/b", "of theirs"));
        let ours = tokens(&repository.0.read(file))[0].to_owned();
        let said = repository.merge();
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{file}: {said:?}");
        assert_eq!(repository.value(file, "/a"), "of ours", "{file}");
        assert_eq!(repository.value(file, "/b"), "of theirs", "{file}");
        let merged = repository.0.read(file);
        assert_eq!(untouched(&merged), before, "{file}");
        assert_eq!(tokens(&merged)[0], ours, "{file}");
        assert_eq!(tokens(&merged)[1], tokens(&repository.sh(&format!("git show other:{file}")))[1], "{file}");
    }
}

/// The tokens of a text in any format.
fn tokens(text: &str) -> Vec<&str> {
    let is_end = |char: char| !char.is_ascii_alphanumeric() && !"-_:=".contains(char);
    text.match_indices("enc:").map(|(at, _)| text[at..].split(is_end).next().unwrap()).collect()
}

#[test]
fn a_secret_set_twice_conflicts_with_tokens_and_no_plain_text() {
    let Some(repository) = Repository::new("merge-same", "c.json", NEIGHBOURS, &["/a", "/b", "/c"]) else { return };
    let (mine, yours) = ("visible-if-mine-leaks", "visible-if-yours-leaks");
    repository.branches(&set("c.json", "/b", mine), &set("c.json", "/b", yours));
    let ours = repository.0.read("c.json");
    let theirs = repository.sh("git show other:c.json");
    let said = repository.merge();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("1 conflict in c.json; each side has set another secret at /b"), "{said:?}");
    let line = |text: &str| text.lines().nth(2).unwrap().to_owned();
    let expected = ours
        .replace(&line(&ours), &format!("<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs", line(&ours), line(&theirs)));
    assert_eq!(repository.0.read("c.json"), expected);
    let everything = repository.everything();
    assert!(!everything.contains(mine) && !everything.contains(yours) && !everything.contains("stand-in"));
    assert!(!everything.contains(".merge_file"), "{everything}");
    // Resolved by taking one side, as with any conflict.
    repository.sh("git checkout -q --theirs c.json && git commit -qam merged");
    assert_eq!(repository.value("c.json", "/b"), yours);
}

#[test]
fn new_tokens_of_the_same_secrets_are_no_change() {
    let Some(repository) = Repository::new("merge-rotated", "c.json", NEIGHBOURS, &["/a", "/b", "/c"]) else { return };
    repository.0.write("home/new.key", &format!("{OTHER_KEY}\n"));
    let rotate = "\"$0\" rotate -q --no-backup --new-key-file home/new.key c.json";
    repository.branches(rotate, &format!("{} && {}", rotate, set("--key-file home/new.key c.json", "/b", "new")));
    let ours = repository.0.read("c.json");
    // One key opens neither the base nor what both have written.
    let said = repository.merge();
    assert_ne!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("the secrets were not merged; ") && said.err.contains("_PREVIOUS"), "{said:?}");
    repository.check_stopped(&said, "c.json", &ours);
    repository.sh("git reset -q --hard");
    let keys = format!("PROXMOX_MCP_MASTER_KEY={OTHER_KEY} PROXMOX_MCP_MASTER_KEY_PREVIOUS={KEY}");
    let said = repository.try_sh(&format!("{keys} git merge -q --no-edit other"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let merged = repository.0.read("c.json");
    assert_eq!((tokens(&merged)[0], tokens(&merged)[2]), (tokens(&ours)[0], tokens(&ours)[2]));
    let opened = repository.0.run_under(OTHER_KEY, &["decrypt", "c.json"]).out;
    assert_eq!(opened, NEIGHBOURS.replace("second", "new"));
}

#[test]
fn versions_under_two_keys_become_one_under_the_current_key() {
    let Some(repository) = Repository::new("merge-keys", "c.json", NEIGHBOURS, &["/a", "/b", "/c"]) else { return };
    repository.0.write("home/new.key", &format!("{OTHER_KEY}\n"));
    let rotate = "\"$0\" rotate -q --no-backup --new-key-file home/new.key c.json";
    repository.branches(rotate, &set("c.json", "/b", "new"));
    let keys = format!("PROXMOX_MCP_MASTER_KEY={OTHER_KEY} PROXMOX_MCP_MASTER_KEY_PREVIOUS={KEY}");
    let said = repository.try_sh(&format!("{keys} PROXMOX_MCP_AUDIT_LOG=home/log git merge -q --no-edit other"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let log = repository.0.read("home/log");
    assert!(log.contains("\"command\":\"merge\"") && log.contains("\"outcome\":\"done\""), "{log}");
    assert!(said.err.contains("c.json: 1 value newly encrypted"), "{said:?}");
    let opened = repository.0.run_under(OTHER_KEY, &["decrypt", "c.json"]).out;
    assert_eq!(opened, NEIGHBOURS.replace("second", "new"));
}

#[test]
fn a_rotation_is_kept_in_lines_that_the_other_side_changed() {
    let config = "{\"a\": \"first\", \"b\": \"second\", \"c\": 1}\n";
    let Some(repository) = Repository::new("merge-one-line", "c.json", config, &["/a", "/b"]) else { return };
    repository.0.write("home/new.key", &format!("{OTHER_KEY}\n"));
    let rotate = "\"$0\" rotate -q --no-backup --new-key-file home/new.key c.json";
    let theirs = format!("sed -i 's/: 1/: 2/' c.json && {}", set("c.json", "/b", "new"));
    repository.branches(rotate, &theirs);
    let ours = repository.0.read("c.json");
    let keys = format!("PROXMOX_MCP_MASTER_KEY={OTHER_KEY} PROXMOX_MCP_MASTER_KEY_PREVIOUS={KEY}");
    let said = repository.try_sh(&format!("{keys} git merge -q --no-edit other"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(tokens(&repository.0.read("c.json"))[0], tokens(&ours)[0]);
    let opened = repository.0.run_under(OTHER_KEY, &["decrypt", "c.json"]).out;
    assert_eq!(opened, config.replace("second", "new").replace('1', "2"));
}

#[test]
fn without_a_key_git_stops_and_leaves_the_file_as_it_was() {
    let Some(repository) = Repository::new("merge-no-key", "c.json", NEIGHBOURS, &["/a", "/b", "/c"]) else { return };
    repository.branches(&set("c.json", "/a", "x"), &set("c.json", "/b", "y"));
    let ours = repository.0.read("c.json");
    let said = repository.try_sh("env -u PROXMOX_MCP_MASTER_KEY git merge -q --no-edit other");
    assert_ne!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("PROXMOX_MCP_MASTER_KEY is not set"), "{said:?}");
    repository.check_stopped(&said, "c.json", &ours);
    // The same by hand: the code is one that git takes for no merge.
    repository.sh("for v in $(git merge-base main other) main other; do git show $v:c.json >home/$v; done; git show $(git merge-base main other):c.json >home/base");
    let mut command = repository.0.command(&[], &["merge", "home/base", "home/main", "home/other", "c.json"]);
    let said = Said::of(command.env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap());
    assert_eq!(said.code, Some(129), "{said:?}");
    assert_eq!(repository.0.run(&["merge", "home/base"]).code, Some(129));
}

#[test]
fn a_merge_of_other_lines_needs_no_key() {
    let config = format!("{}\n", NEIGHBOURS.replace("}\n", "  ,\"x\": 1,\n\n\n\"y\": 1}"));
    let Some(repository) = Repository::new("merge-others", "c.json", &config, &["/a", "/b", "/c"]) else { return };
    repository.branches(&set("c.json", "/a", "new"), "sed -i 's/\"y\": 1/\"y\": 2/' c.json");
    let said = repository.try_sh("env -u PROXMOX_MCP_MASTER_KEY git merge -q --no-edit other");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(repository.value("c.json", "/a"), "new");
    assert_eq!(repository.value("c.json", "/y"), "2");
}

#[test]
fn a_value_that_one_side_has_encrypted_never_becomes_plain_again() {
    let Some(repository) = Repository::new("merge-sealed", "c.json", NEIGHBOURS, &["/a"]) else { return };
    let ours = format!("\"$0\" encrypt -q --in-place c.json --field /b && {}", set("c.json", "/a", "x"));
    let theirs = format!("sed -i s/second/changed/ c.json && {}", set("c.json", "/a", "x"));
    repository.branches(&ours, &theirs);
    let said = repository.merge();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(repository.value("c.json", "/b"), "changed");
    assert!(!repository.0.read("c.json").contains("changed"));
}

#[test]
fn lines_that_merge_to_no_config_are_told_as_a_conflict() {
    let Some(repository) = Repository::new("merge-broken", "c.json", NEIGHBOURS, &["/a", "/b", "/c"]) else { return };
    // Each side adds the same name, in another place.
    let add = |line: u32| {
        format!("sed -i '{line}s/.*/&\\n  \"n\": {{\"t\": '$(grep -o '\"enc:[^\"]*\"' c.json | head -n1)'}},/' c.json")
    };
    repository.branches(&add(1), &add(3));
    let said = repository.merge();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("twice") && said.err.contains("do not fit together"), "{said:?}");
}

#[test]
fn tokens_in_any_other_text_are_merged_by_lines() {
    let Some(repository) = Repository::new("merge-text", "c.json", NEIGHBOURS, &["/a", "/b", "/c"]) else { return };
    let text = |values: [&str; 2]| {
        format!("location / {{\n  header A \"{}\";\n  # between\n  header B \"{}\";\n}}\n", values[0], values[1])
    };
    let sealed = |secret: &str| {
        let out = repository.sh(&format!("printf %s '{secret}' | \"$0\" seal"));
        out.trim().to_owned()
    };
    let [a, b] = [sealed("a"), sealed("b")];
    let [again, new, other] = [sealed("b"), sealed("new"), sealed("other")];
    let write = |names: [&str; 3], texts: [String; 3]| {
        names.iter().zip(texts).for_each(|(name, text)| repository.0.write(name, &text));
    };
    write(["base", "ours", "theirs"], [text([&a, &b]), text([&new, &again]), text([&a, &other])]);
    let said = repository.0.run(&["merge", "base", "ours", "theirs", "nginx.snippet"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(repository.0.read("ours"), text([&new, &other]));
}

#[test]
fn of_equal_secrets_each_keeps_a_token_when_lines_move() {
    let folder = Folder::new("merge-equal");
    let seal = |secret: &str| {
        let said = folder.run_by(&["sh", "-c", &format!("printf %s '{secret}' | \"$0\" seal")], &[]);
        assert_eq!(said.code, Some(0), "{said:?}");
        said.out.trim().to_owned()
    };
    let [first, second, other, again] = ["same", "same", "other", "other"].map(seal);
    let list = |items: [&str; 5]| format!("[\n\"{}\"\n]\n", items.join("\",\n\""));
    folder.write("base", &list([&first, &other, "plain", &second, "last"]));
    folder.write("ours", &list([&first, &again, "plain", &second, "last"]));
    folder.write("theirs", &list([&other, "plain", &second, "last", &first]));
    let said = folder.run(&["merge", "base", "ours", "theirs", "c.json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let merged = folder.read("ours");
    assert!([&first, &second, &again].iter().all(|token| merged.contains(*token)), "{merged}");
}
