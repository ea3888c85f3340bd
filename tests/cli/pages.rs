//! Help and manual pages: both list the same verbs, and neither shows hidden ones.

use std::process::Command;

use crate::common::{Folder, skip};

pub(crate) const VERBS: [&str; 20] = [
    "encrypt",
    "decrypt",
    "get",
    "set",
    "unset",
    "edit",
    "status",
    "verify",
    "keygen",
    "key",
    "rotate",
    "backups",
    "merge",
    "check",
    "seal",
    "open",
    "run",
    "doctor",
    "completions",
    "man",
];

#[test]
fn help_and_manual_pages_know_every_verb_and_no_hidden_one() {
    let folder = Folder::new("pages");
    let help = folder.run(&["--help"]).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(listed, [&VERBS[..], &["help"]].concat(), "{help}");

    for help in [help, folder.run(&["help", "run"]).out] {
        let place = |text: &str| help.find(text).unwrap();
        assert!(place("\nUsage:") < place("\nExamples:") && place("\nExamples:") < place("\nOptions:"), "{help}");
    }

    assert_eq!(folder.run(&["man", "tree"]).code, Some(0));
    let mut pages: Vec<String> = folder.files("tree").into_iter().map(|(name, _)| name).collect();
    pages.retain(|page| !page.starts_with("fernseal-backups-") && !page.starts_with("fernseal-key-"));
    let mut expected: Vec<String> = VERBS.iter().map(|verb| format!("fernseal-{verb}.1")).collect();
    expected.push("fernseal.1".to_owned());
    expected.sort();
    assert_eq!(pages, expected);
    let page = folder.run(&["man"]).out;
    assert!(!page.contains("fernseal\\-help(1)") && !page.contains("sweep"), "{page}");
    assert!(VERBS.iter().all(|verb| page.contains(&format!("fernseal\\-{verb}(1)"))), "{page}");
}

#[test]
fn manual_pages_have_the_sections_of_man_pages_in_order() {
    let folder = Folder::new("sections");
    assert_eq!(folder.run(&["man", "tree"]).code, Some(0));
    let sections = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "COMMANDS",
        "ENVIRONMENT",
        "FILES",
        "EXIT STATUS",
        "EXAMPLES",
        "SEE ALSO",
    ];
    for (name, page) in folder.files("tree") {
        let page = String::from_utf8(page).unwrap();
        let found: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let found: Vec<&str> = found.into_iter().map(|title| title.trim_matches('"')).collect();
        let optional = ["COMMANDS", "EXAMPLES"];
        let mut expected = sections.to_vec();
        expected.retain(|title| found.contains(title) || !optional.contains(title));
        assert_eq!(found, expected, "{name}");
    }
    let rotate = std::fs::read_to_string(folder.path("tree/fernseal-rotate.1")).unwrap();
    let examples = rotate.split(".SH EXAMPLES\n").nth(1).unwrap();
    assert!(examples.starts_with(".nf\nfernseal rotate proxmox\\-config/ "), "{examples}");
}

#[test]
fn mandoc_finds_nothing_to_complain_of_in_the_manual_pages() {
    let folder = Folder::new("mandoc");
    assert_eq!(folder.run(&["man", "tree"]).code, Some(0));
    for (name, _) in folder.files("tree") {
        match Command::new("mandoc").args(["-T", "lint"]).arg(folder.path(&format!("tree/{name}"))).output() {
            Ok(lint) => assert_eq!(String::from_utf8_lossy(&lint.stdout), "", "{name}"),
            Err(error) => return skip(format_args!("no mandoc: {error}")),
        }
    }
}
