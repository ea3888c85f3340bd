//! Groups configs into batches, so that the keys of many tokens are derived at once on all cores.
//!
//! A batch is bounded: each config keeps a directory open and its text in memory. What happens to a batch is up to the
//! callers (`verify`, `rotate`, `rollback`).

use fernseal_core::Error;

use crate::config::text::ConfigText;
use crate::keys::{Keyring, derive};
use crate::tokens;
use crate::tokens::Opened;

/// Tokens per thread in a batch: enough to fill the SIMD lanes of a core.
const THREAD_TOKENS: usize = 64;
/// Tokens in a batch. Each config keeps its directory open, two batches exist at a time, and the usual limit is 1024
/// open files.
const TOKENS: usize = 256;
/// Text in a batch, in bytes. The config that reaches this limit is the last of its batch.
pub(crate) const BYTES: usize = 4 << 20;

/// Takes the next batch from `waiting` and loads it: enough tokens to keep all cores busy, within the limits above.
/// `documents` returns the documents of a loaded item.
pub(crate) fn next_batch<T, L>(
    waiting: &mut impl Iterator<Item = T>,
    mut load: impl FnMut(T) -> L,
    documents: impl Fn(&L) -> Vec<&ConfigText>,
) -> Vec<L> {
    let enough = THREAD_TOKENS.saturating_mul(derive::threads().get()).min(TOKENS);
    let (mut tokens, mut bytes) = (0, 0);
    let mut group = Vec::new();
    while tokens < enough
        && bytes < BYTES
        && let Some(next) = waiting.next()
    {
        let loaded = load(next);
        for document in documents(&loaded) {
            // A config without tokens counts as one, as it keeps its directory open too.
            tokens += document.tokens.len().max(1);
            bytes += document.text.len();
        }
        group.push(loaded);
    }
    group
}

/// Opens all tokens of `documents` at once. Returns one list per document, with one result per token.
pub(crate) fn open_each(documents: &[&ConfigText], keys: &Keyring) -> Vec<Vec<std::result::Result<Opened, Error>>> {
    let tokens: Vec<_> = documents.iter().flat_map(|file| file.tokens.iter().map(|token| (*file, token))).collect();
    let mut opened = tokens::open(&tokens, keys).into_iter();
    documents.iter().map(|file| opened.by_ref().take(file.tokens.len()).collect()).collect()
}
