//! Any words as the command's arguments: parsing never panics, and the guide's spelling means what its verb means.
#![no_main]

#[path = "../../../cli/src/args.rs"]
#[allow(dead_code)] // what the command does with them
mod args;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::LazyLock;

use args::Cli;
use clap::CommandFactory;
use libfuzzer_sys::fuzz_target;

const SPELLINGS: [(&str, &str); 5] = [
    ("", "encrypt"),
    ("--status", "status"),
    ("--generate-key", "keygen"),
    ("--rotate-key", "rotate"),
    ("--rotate-key-all", "rotate"),
];

static VERBS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let verbs = Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect::<Vec<_>>();
    [verbs, vec!["help".to_owned()]].concat()
});

/// The command that `words` mean, as text; or what a person is told.
fn parse<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> Result<String, String> {
    let program = OsString::from("fernseal");
    let args = [program].into_iter().chain(words.into_iter().map(OsStr::to_owned)).collect();
    Cli::from_args(args).map(|cli| format!("{cli:?}")).map_err(|error| {
        assert!(matches!(error.exit_code(), 0 | 2));
        error.to_string()
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let words: Vec<&OsStr> = data.split(|byte| *byte == b' ').map(OsStr::from_bytes).collect();
    let _ = parse(words.iter().copied());

    let (flag, verb) = SPELLINGS[usize::from(*choice) % SPELLINGS.len()];
    let has_flag =
        words.iter().any(|word| SPELLINGS[1..].iter().any(|(flag, _)| word.as_bytes().starts_with(flag.as_bytes())));
    let has_verb = words.iter().any(|word| VERBS.iter().any(|verb| *verb.as_str() == **word));
    // Two of the guide's flags are refused, and a verb among the words may be taken for one.
    if has_flag || (has_verb && flag.is_empty()) {
        return;
    }
    let by_verb = parse([OsStr::new(verb)].into_iter().chain(words.iter().copied()));
    let flag = Some(OsStr::new(flag)).filter(|flag| !flag.is_empty());
    let by_guide = parse(flag.into_iter().chain(words.iter().copied()));
    match (&by_verb, &by_guide) {
        (Ok(by_verb), Ok(by_guide)) => assert_eq!(by_verb, by_guide),
        (by_verb, by_guide) => assert!(has_verb || by_verb.is_err() && by_guide.is_err(), "{by_verb:?} {by_guide:?}"),
    }
    if by_verb.is_ok() && !has_verb && !words.contains(&OsStr::new("--")) {
        assert_eq!(parse(words.iter().copied().chain(flag)), by_verb);
    }
});
