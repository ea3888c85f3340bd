//! Explains why a token does not open. It also tries the keys that rotations left in the home directory, so that the
//! message can name the right one.

use std::cell::Cell;

use fernseal_core::Error;
use zeroize::Zeroizing;

use crate::config::text::{ConfigText, SealedValue};
use crate::error::{Advice, Failure, KeyElsewhere};
use crate::keys::{KeyRequest, Keyring, Master, derive, encoded_twice};
use crate::tokens::open_with;

thread_local! {
    /// The number of tokens for which no key was found in this run. The search stops at [`MAX_FAILURES`]: if the key
    /// of a whole tree is lost, each further file would cost one derivation per key.
    static IN_VAIN: Cell<u32> = const { Cell::new(0) };
}
const MAX_FAILURES: u32 = 8;

/// The result of searching the keys that rotations left.
enum Search {
    Found(KeyElsewhere),
    /// This many keys were tried, and none opens the token.
    InVain(usize),
    /// Nothing was searched: the token is malformed, or too many searches have failed.
    Omitted,
}

/// Returns the failure for a refused token. If no key of `keys` opens it, the failure names a key left by a rotation
/// that does, if there is one.
pub(crate) fn refusal(document: &ConfigText, token: &SealedValue, error: Error, keys: &Keyring) -> Failure {
    if error != Error::AuthenticationFailed {
        return document.refusal(token, error);
    }
    if opens_decoded_once(document, token, keys) {
        return document.refusal_with(token, error, Advice::EncodedTwice { key_from: keys.source().to_owned() });
    }
    let tried = match search(document, token, keys) {
        Search::Found(elsewhere) => {
            return document.refusal_with(token, error, Advice::Elsewhere(Box::new(elsewhere)));
        }
        Search::InVain(number) => number,
        Search::Omitted => 0,
    };
    let advice = Advice::OtherKey {
        key_from: keys.source().to_owned(),
        id: derive::key_id(keys.current()),
        has_previous: keys.has_previous(),
        tried,
    };
    document.refusal_with(token, error, advice)
}

/// Reports whether the current key was encoded twice and the key that it decodes to opens the token.
fn opens_decoded_once(document: &ConfigText, token: &SealedValue, keys: &Keyring) -> bool {
    encoded_twice(keys.current()).is_some_and(|key| opens(&key, document, &[token]))
}

/// Searches the keys that rotations left for one that opens the token.
pub(crate) fn found_elsewhere(document: &ConfigText, token: &SealedValue, keys: &Keyring) -> Option<KeyElsewhere> {
    match search(document, token, keys) {
        Search::Found(elsewhere) => Some(elsewhere),
        Search::InVain(_) | Search::Omitted => None,
    }
}

fn search(document: &ConfigText, token: &SealedValue, keys: &Keyring) -> Search {
    if token.form.is_err() || IN_VAIN.get() >= MAX_FAILURES {
        return Search::Omitted;
    }
    let left_behind = keys.left_behind();
    let Some(left) = left_behind.iter().find(|left| opens(&left.master, document, &[token])) else {
        IN_VAIN.set(IN_VAIN.get() + 1);
        return Search::InVain(left_behind.len());
    };
    let all: Vec<&SealedValue> = document.tokens.iter().collect();
    Search::Found(KeyElsewhere {
        file: left.file.clone(),
        id: derive::key_id(&left.master),
        opens_all_of: opens(&left.master, document, &all).then(|| document.path.clone()),
        present: keys.source_kind(),
    })
}

/// Reports whether `master` opens all of `tokens`.
pub(crate) fn opens(master: &Master, document: &ConfigText, tokens: &[&SealedValue]) -> bool {
    let tokens: Vec<_> = tokens.iter().map(|token| (document, *token)).collect();
    open_under(master, &tokens).iter().all(std::result::Result::is_ok)
}

/// Opens each of `tokens` with `master` alone.
pub(crate) fn open_under(
    master: &Master,
    tokens: &[(&ConfigText, &SealedValue)],
) -> Vec<std::result::Result<Zeroizing<Vec<u8>>, Error>> {
    let params = tokens.iter().filter_map(|(_, token)| token.key_params());
    let jobs: Vec<_> = params.map(|params| KeyRequest { master, params }).collect();
    let mut keys = derive::keys(&jobs).into_iter();
    let open = |(document, token): &(&ConfigText, &SealedValue)| {
        token.form?;
        // `keys` has one entry for each well-formed token, in order.
        keys.next().ok_or(Error::AuthenticationFailed).and_then(|key| open_with(&key, token.text(document)))
    };
    tokens.iter().map(open).collect()
}
