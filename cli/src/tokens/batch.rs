//! Configs that are worked on together: their tokens are derived for at once, which keeps all cores busy.
//! No more are held at a time than a process may have open and memory should be taken for.
//! What is done with a group is the matter of `rotate`, `rollback` and the commands.

use std::num::NonZeroUsize;

use fernseal_core::Error;

use crate::config::text::ConfigText;
use crate::keys::Keyring;
use crate::tokens;
use crate::tokens::Opened;

/// Tokens that are worked on at once for each thread: enough to keep all lanes of a core busy.
const THREAD_TOKENS: usize = 64;
/// And on all threads: each file's directory is held open, of two groups, and most processes may have a thousand files open.
const TOKENS: usize = 256;
/// The text of a group, in bytes: with the config that reaches as much it is full.
pub(crate) const BYTES: usize = 4 << 20;

/// The next of `waiting`, each as it was loaded: so many that their tokens, which are derived for at once, keep all cores
/// busy, and no more than may be held at once. `documents` are those that one of them holds.
pub(crate) fn next_batch<T, L>(
    waiting: &mut impl Iterator<Item = T>,
    threads: NonZeroUsize,
    mut load: impl FnMut(T) -> L,
    documents: impl Fn(&L) -> Vec<&ConfigText>,
) -> Vec<L> {
    let enough = THREAD_TOKENS.saturating_mul(threads.get()).min(TOKENS);
    let (mut tokens, mut bytes) = (0, 0);
    let mut group = Vec::new();
    while tokens < enough
        && bytes < BYTES
        && let Some(next) = waiting.next()
    {
        let loaded = load(next);
        for document in documents(&loaded) {
            // One without tokens holds its directory open all the same.
            tokens += document.tokens.len().max(1);
            bytes += document.text.len();
        }
        group.push(loaded);
    }
    group
}

/// Opens all tokens of `documents` at once. For each document, what came of each of its tokens.
pub(crate) fn open_each(
    documents: &[&ConfigText],
    keys: &Keyring,
    threads: NonZeroUsize,
) -> Vec<Vec<std::result::Result<Opened, Error>>> {
    let tokens: Vec<_> = documents.iter().flat_map(|file| file.tokens.iter().map(|token| (*file, token))).collect();
    let mut opened = tokens::open(&tokens, keys, threads).into_iter();
    documents.iter().map(|file| opened.by_ref().take(file.tokens.len()).collect()).collect()
}
