//! Why a token does not open, and which other key does: the keys that rotations left in files are tried.

use std::cell::Cell;
use std::num::NonZeroUsize;

use fernseal_core::Error;
use zeroize::Zeroizing;

use crate::config::text::{ConfigText, SealedValue};
use crate::error::{Exit, Failure};
use crate::keys::{Job, Keyring, Master, derive, make_permanent};
use crate::quote::shown;
use crate::tokens::open_with;

thread_local! {
    /// Tokens for which no key was found. After a few the search ends: a tree under a lost key would cost a derivation
    /// for each of its files and each key.
    static IN_VAIN: Cell<u32> = const { Cell::new(0) };
}
const ENOUGH_IN_VAIN: u32 = 8;

/// What came of a search among the keys that rotations left.
enum Search {
    /// What to do with the key that was found.
    Found(String),
    /// So many keys do not open the token.
    InVain(usize),
    /// There is nothing to search for, or it was searched often enough.
    Omitted,
}

/// Why `token` was refused, and what to do. Where `keys` do not open it, a key that a rotation left may.
pub(crate) fn refusal(
    document: &ConfigText,
    token: &SealedValue,
    error: Error,
    keys: &Keyring,
    threads: NonZeroUsize,
) -> Failure {
    let failure = document.refusal(token, error);
    if failure.exit != Exit::Unopened {
        return failure;
    }
    let tried = match search(document, token, keys, threads) {
        Search::Found(next) => return Failure { next, ..failure },
        Search::InVain(1) => "; the other key that a rotation left in HOME does not open it either".to_owned(),
        Search::InVain(number) if number > 1 => {
            format!("; none of the {number} other keys that rotations left in HOME opens it either")
        }
        Search::InVain(_) | Search::Omitted => String::new(),
    };
    let previous = if keys.has_previous() { " and than the previous ones" } else { "" };
    let next = format!(
        "it was encrypted with another key than the one from {} (its id is {}){previous}, or it was changed since: \
         set the right key, or restore the config from a backup{tried}",
        keys.source(),
        derive::id(keys.current(), threads),
    );
    Failure { next, ..failure }
}

/// What to do about a token that another key opens, one that a rotation left in a file.
pub(crate) fn found_elsewhere(
    document: &ConfigText,
    token: &SealedValue,
    keys: &Keyring,
    threads: NonZeroUsize,
) -> Option<String> {
    match search(document, token, keys, threads) {
        Search::Found(next) => Some(next),
        Search::InVain(_) | Search::Omitted => None,
    }
}

fn search(document: &ConfigText, token: &SealedValue, keys: &Keyring, threads: NonZeroUsize) -> Search {
    if token.form.is_err() || IN_VAIN.get() >= ENOUGH_IN_VAIN {
        return Search::Omitted;
    }
    let left_behind = keys.left_behind();
    let Some(left) = left_behind.iter().find(|left| opens(&left.master, document, &[token], threads)) else {
        IN_VAIN.set(IN_VAIN.get() + 1);
        return Search::InVain(left_behind.len());
    };
    let all: Vec<&SealedValue> = document.tokens.iter().collect();
    let what = if opens(&left.master, document, &all, threads) {
        format!("all of {}", document.name)
    } else {
        "this token".to_owned()
    };
    Search::Found(format!(
        "the key in {} (its id is {}), where a rotation left it, opens {what}: {}",
        shown(&left.file),
        derive::id(&left.master, threads),
        make_permanent(&left.file, keys.source_kind())
    ))
}

/// Whether `master` opens each of `tokens`.
pub(crate) fn opens(master: &Master, document: &ConfigText, tokens: &[&SealedValue], threads: NonZeroUsize) -> bool {
    let tokens: Vec<_> = tokens.iter().map(|token| (document, *token)).collect();
    open_under(master, &tokens, threads).iter().all(std::result::Result::is_ok)
}

/// Opens each of `tokens` with `master` alone.
pub(crate) fn open_under(
    master: &Master,
    tokens: &[(&ConfigText, &SealedValue)],
    threads: NonZeroUsize,
) -> Vec<std::result::Result<Zeroizing<Vec<u8>>, Error>> {
    let salts = tokens.iter().filter_map(|(_, token)| Some(*token.form.ok()?.0.salt()));
    let jobs: Vec<_> = salts.map(|salt| Job { master, salt }).collect();
    let mut keys = derive::keys(&jobs, threads).into_iter();
    let open = |(document, token): &(&ConfigText, &SealedValue)| {
        token.form?;
        // There is one for each token that has a form.
        keys.next().ok_or(Error::AuthenticationFailed).and_then(|key| open_with(&key, token.text(document)))
    };
    tokens.iter().map(open).collect()
}
