//! Shell completion: at each TAB the shell's script runs the command, which offers verbs, options, files and pointers.

use std::process::Command;

use crate::common::{Folder, Said, skip};
use crate::pages::VERBS;

/// Returns what the command offers for the last of `words`.
fn offered(folder: &Folder, words: &[&str]) -> Vec<String> {
    let index = (words.len() - 1).to_string();
    let mut command = folder.command(&[], &[&["--"], words].concat());
    command.envs([("_FERNSEAL_COMPLETE", "bash"), ("_CLAP_COMPLETE_INDEX", &index), ("_CLAP_IFS", "\n")]);
    let said = Said::of(command.output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);
    said.out.lines().map(str::to_owned).collect()
}

#[test]
fn verbs_are_offered_also_behind_help_and_hidden_ones_never() {
    let folder = Folder::new("complete-verbs");
    for words in [&["fernseal", ""][..], &["fernseal", "help", ""]] {
        let offered = offered(&folder, words);
        for verb in VERBS {
            assert!(offered.iter().any(|word| word == verb), "{words:?}: {verb}");
        }
        assert!(!offered.iter().any(|word| word == "sweep"), "{words:?}");
    }
    for option in ["--rotate-key-all", "--audit-log", "--version"] {
        assert_eq!(offered(&folder, &["fernseal", option]), [option]);
    }
}

#[test]
fn files_are_offered_where_a_verb_takes_a_file() {
    let folder = Folder::new("complete-files");
    folder.write("my config.json", "{}");
    for verb in ["encrypt", "decrypt", "get", "set", "edit", "status", "verify", "rotate", "check", "run", "doctor"] {
        assert_eq!(offered(&folder, &["fernseal", verb, "my"]), ["my config.json"], "{verb}");
    }
    assert_eq!(offered(&folder, &["fernseal", "rotate", "--key-file", "my"]), ["my config.json"]);
}

#[test]
fn the_pointers_of_the_named_config_are_offered() {
    let folder = Folder::new("complete-pointers");
    folder.write("c.json", r#"{"auth": {"token_value": "x", "user": "y"}, "a/b": [1]}"#);
    for words in [
        &["fernseal", "get", "c.json", "/auth/t"][..],
        &["fernseal", "set", "c.json", "/auth/t"],
        &["fernseal", "encrypt", "c.json", "--field", "/auth/t"],
    ] {
        assert_eq!(offered(&folder, words), ["/auth/token_value"], "{words:?}");
    }
    assert_eq!(offered(&folder, &["fernseal", "run", "c.json", "--env", "T=/auth/u"]), ["T=/auth/user"]);
    assert_eq!(offered(&folder, &["fernseal", "get", "c.json", "/a~1"]), ["/a~1b/0"]);
    assert!(offered(&folder, &["fernseal", "get", "missing.json", "/auth/t"]).is_empty());
}

#[test]
fn programs_and_files_are_offered_for_the_program_of_run() {
    let folder = Folder::new("complete-programs");
    folder.write("c.json", "{}");
    assert!(offered(&folder, &["fernseal", "run", "c.json", "--", "pr"]).iter().any(|word| word == "printf"));
    assert_eq!(offered(&folder, &["fernseal", "run", "c.json", "--", "cat", "c"]), ["c.json"]);
}

#[test]
fn bash_keeps_a_name_with_a_space_whole_and_quotes_it() {
    let folder = Folder::new("complete-bash");
    folder.write("my config.json", "{}");
    let directory = std::path::Path::new(env!("CARGO_BIN_EXE_fernseal")).parent().unwrap();
    let script = r#"
        source <(fernseal completions bash)
        compopt() { printf '%s ' "$@"; }
        COMP_WORDS=(fernseal encrypt my) COMP_CWORD=2
        _fernseal fernseal my encrypt
        printf '[%s]' "${COMPREPLY[@]}"
        complete -p fernseal >/dev/null || echo "not registered"
    "#;
    let path = format!("{}:/usr/bin:/bin", directory.display());
    let bash =
        Command::new("bash").args(["--norc", "-c", script]).env("PATH", path).current_dir(folder.path("")).output();
    match bash {
        Ok(said) => assert_eq!(String::from_utf8_lossy(&said.stdout), "-o filenames [my config.json]"),
        Err(error) => skip(format_args!("no bash: {error}")),
    }
}

#[test]
fn each_shell_gets_a_script_that_asks_the_command() {
    let folder = Folder::new("complete-scripts");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = folder.run(&["completions", shell]);
        assert_eq!(said.code, Some(0));
        assert!(said.out.contains("_FERNSEAL_COMPLETE") && said.out.contains("fernseal"), "{shell}: {}", said.out);
    }
}
