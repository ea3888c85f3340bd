//! Help, completions and manual pages: all know the same verbs, and none shows what is hidden.

use crate::common::Folder;

const VERBS: [&str; 16] = [
    "encrypt",
    "decrypt",
    "get",
    "set",
    "edit",
    "status",
    "verify",
    "keygen",
    "key",
    "rotate",
    "backups",
    "check",
    "run",
    "doctor",
    "completions",
    "man",
];

#[test]
fn help_completions_and_manual_pages_know_every_verb_and_no_hidden_one() {
    let folder = Folder::new("pages");
    let help = folder.run(&["--help"]).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(listed, [&VERBS[..], &["help"]].concat(), "{help}");

    for help in [help, folder.run(&["help", "run"]).out] {
        let place = |text: &str| help.find(text).unwrap();
        assert!(place("\nUsage:") < place("\nExamples:") && place("\nExamples:") < place("\nOptions:"), "{help}");
    }

    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = folder.run(&["completions", shell]);
        assert_eq!(said.code, Some(0));
        for word in VERBS.iter().copied().chain(["rotate-key-all", "audit-log", "in-place", "version", "prune"]) {
            assert!(said.out.contains(word), "{shell}: {word}");
        }
        assert!(!said.out.contains("sweep"), "{shell}");
    }

    assert_eq!(folder.run(&["man", "tree"]).code, Some(0));
    let mut pages: Vec<String> = folder.files("tree").into_iter().map(|(name, _)| name).collect();
    pages.retain(|page| !page.starts_with("fernseal-backups-") && !page.starts_with("fernseal-key-"));
    let mut expected: Vec<String> = VERBS.iter().map(|verb| format!("fernseal-{verb}.1")).collect();
    expected.push("fernseal.1".to_owned());
    expected.sort();
    assert_eq!(pages, expected);
    let page = folder.run(&["man"]).out;
    let run = std::fs::read_to_string(folder.path("tree/fernseal-run.1")).unwrap();
    assert!(page.contains("Examples:") && run.contains("Examples:") && !page.contains("fernseal\\-help(1)"), "{page}");
    assert!(
        VERBS.iter().all(|verb| page.contains(&format!("fernseal\\-{verb}(1)"))) && !page.contains("sweep"),
        "{page}"
    );
}
