//! Layers of the source in cli/src: which files may name a module of another layer.

use std::fs;
use std::path::{Path, PathBuf};

/// Lists the source files below `folder`.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// Holds that only files whose paths begin with one of `allowed` contain one of `words`.
fn only_in(allowed: &[&str], words: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root);
    assert!(files.len() > 50, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
        if !allowed.iter().any(|start| name.starts_with(start)) {
            words.iter().for_each(|word| assert!(!text.contains(word), "{name} names {word}"));
        }
    }
}

#[test]
fn only_completions_and_man_read_the_clap_tree() {
    only_in(&["main.rs", "args/", "commands/completions.rs", "commands/man.rs"], &["args::", "clap::Args"]);
}

#[test]
fn nothing_below_the_commands_takes_their_context() {
    only_in(&["main.rs", "context.rs", "args/", "commands/"], &["context::", "&Context"]);
}
