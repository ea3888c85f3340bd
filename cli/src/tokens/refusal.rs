//! Why a token does not open, and which other key does: the keys that rotations left in files are tried.

use std::cell::Cell;
use std::num::NonZeroUsize;

use fernseal_core::Error;
use zeroize::Zeroizing;

use crate::config::text::{ConfigText, SealedValue};
use crate::error::{Advice, Failure, KeyElsewhere};
use crate::keys::{Job, Keyring, Master, derive};
use crate::tokens::open_with;

thread_local! {
    /// Tokens for which no key was found. After a few the search ends: a tree under a lost key would cost a derivation
    /// for each of its files and each key.
    static IN_VAIN: Cell<u32> = const { Cell::new(0) };
}
const ENOUGH_IN_VAIN: u32 = 8;

/// What came of a search among the keys that rotations left.
enum Search {
    Found(KeyElsewhere),
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
    if error != Error::AuthenticationFailed {
        return document.refusal(token, error);
    }
    let tried = match search(document, token, keys, threads) {
        Search::Found(elsewhere) => {
            return document.refusal_with(token, error, Advice::Elsewhere(Box::new(elsewhere)));
        }
        Search::InVain(number) => number,
        Search::Omitted => 0,
    };
    let advice = Advice::OtherKey {
        key_from: keys.source().to_owned(),
        id: derive::key_id(keys.current(), threads),
        has_previous: keys.has_previous(),
        tried,
    };
    document.refusal_with(token, error, advice)
}

/// The key that opens a token which `keys` do not open, one that a rotation left in a file.
pub(crate) fn found_elsewhere(
    document: &ConfigText,
    token: &SealedValue,
    keys: &Keyring,
    threads: NonZeroUsize,
) -> Option<KeyElsewhere> {
    match search(document, token, keys, threads) {
        Search::Found(elsewhere) => Some(elsewhere),
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
    Search::Found(KeyElsewhere {
        file: left.file.clone(),
        id: derive::key_id(&left.master, threads),
        opens_all_of: opens(&left.master, document, &all, threads).then(|| document.path.clone()),
        present: keys.source_kind(),
    })
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
