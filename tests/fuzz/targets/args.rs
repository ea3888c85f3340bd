//! Fuzzes the command line: parsing never panics, and ends in a command, in help, or in exit code 2. A flag of the
//! guide means the same as its verb wherever it stands, and a verb that is the value of an option is not a verb.
#![no_main]

#[path = "../../../cli/src/args/mod.rs"]
#[allow(dead_code)] // what the command does with them
mod args;
#[path = "../../../cli/src/env.rs"]
#[allow(dead_code)] // quote needs one constant of it
mod env;
#[path = "../../../cli/src/quote.rs"]
#[allow(dead_code)] // the arguments need pointers only
mod quote;
#[path = "../../../cli/src/time.rs"]
#[allow(dead_code)] // the arguments need ages only
mod time;

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

/// Returns the command that `words` mean, as text, or the message for the user.
fn parse<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> Result<String, String> {
    let program = OsString::from("fernseal");
    let args = [program].into_iter().chain(words.into_iter().map(OsStr::to_owned)).collect();
    Cli::from_args(args).map(|cli| format!("{cli:?}")).map_err(|error| {
        assert!(matches!(error.exit_code(), 0 | 2));
        error.to_string()
    })
}

/// The flag of the guide means the verb, wherever it stands.
fn flag_is_verb(flag: &str, verb: &str, words: &[&OsStr]) {
    let has_flag = |word: &OsStr| SPELLINGS[1..].iter().any(|(flag, _)| word.as_bytes().starts_with(flag.as_bytes()));
    let has_verb = words.iter().any(|word| VERBS.iter().any(|verb| *verb.as_str() == **word));
    // Two flags of the guide together are an error, and a verb among the words may be read as a verb.
    if words.iter().any(|word| has_flag(word)) || (has_verb && flag.is_empty()) {
        return;
    }
    let words = || words.iter().copied();
    let flag = || Some(OsStr::new(flag)).filter(|flag| !flag.is_empty());
    let by_verb = parse([OsStr::new(verb)].into_iter().chain(words()));
    let by_guide = parse(flag().into_iter().chain(words()));
    match (&by_verb, &by_guide) {
        // Without a flag, a config whose name resembles a verb is taken for a misspelt verb.
        (Ok(_), Err(said)) if flag().is_none() && said.contains("unrecognized subcommand") => return,
        (Ok(by_verb), Ok(by_guide)) => assert_eq!(by_verb, by_guide),
        _ => assert!(has_verb || by_verb.is_err() && by_guide.is_err(), "{by_verb:?} {by_guide:?}"),
    }
    if by_verb.is_ok() && !has_verb && words().all(|word| word != "--") {
        assert_eq!(parse(words().chain(flag())), by_verb);
    }
}

/// A verb that is the value of an option is not a verb.
fn value_is_no_verb(flag: &str, verb: &str, words: &[&OsStr]) {
    let flag = || Some(OsStr::new(flag)).filter(|flag| !flag.is_empty()).into_iter();
    let words = || words.iter().copied();
    let attached = format!("--key-file={verb}");
    let apart = ["--key-file", verb].map(OsStr::new);
    assert_eq!(
        parse(flag().chain(apart).chain(words())).ok(),
        parse(flag().chain([OsStr::new(&attached)]).chain(words())).ok()
    );
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let words: Vec<&OsStr> = data.split(|byte| *byte == b' ').take(16).map(OsStr::from_bytes).collect();
    let _ = parse(words.iter().copied());
    let choice = usize::from(*choice);
    let (flag, verb) = SPELLINGS[choice % SPELLINGS.len()];
    if choice < 128 {
        flag_is_verb(flag, verb, &words);
    } else {
        value_is_no_verb(flag, &VERBS[choice % VERBS.len()], &words);
    }
});
