//! The secrets of all versions, indexed by the texts of their tokens.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::NAMES;
use crate::commands::{Reading, UNINTERRUPTED, into_text};
use crate::config::text::{ConfigText, SealedValue};
use crate::error::{Failure, Result};
use crate::interrupt;
use crate::keys::Keyring;
use crate::tokens;

/// The opened tokens of all versions.
pub(super) struct Secrets<'v> {
    by_token: BTreeMap<&'v str, Opened>,
    /// Each secret once.
    secrets: Vec<Zeroizing<String>>,
}

struct Opened {
    /// The index of its secret.
    secret: usize,
    /// The index of the master key in the keyring.
    key: usize,
}

impl<'v> Secrets<'v> {
    /// Opens every token. The same token in several versions is opened once.
    pub(super) fn open(documents: &'v [ConfigText; 3], keys: &Keyring, reading: Reading) -> Result<Self> {
        let mut first: BTreeMap<&str, (usize, &SealedValue)> = BTreeMap::new();
        for (version, document) in documents.iter().enumerate() {
            reading.check_cost(document)?;
            for token in &document.tokens {
                first.entry(token.text(document)).or_insert((version, token));
            }
        }
        let all: Vec<_> = first.values().map(|(version, token)| (&documents[*version], *token)).collect();
        let mut opened = Vec::with_capacity(all.len());
        for part in all.chunks(UNINTERRUPTED) {
            interrupt::stop_if_requested()?;
            opened.extend(tokens::open(part, keys));
        }
        let any_opened = opened.iter().any(std::result::Result::is_ok);
        let (mut by_token, mut secrets) = (BTreeMap::new(), Vec::<Zeroizing<String>>::new());
        for ((text, (version, token)), opened) in first.into_iter().zip(opened) {
            let opened = opened.and_then(|opened| Ok((opened.master, into_text(opened.plain)?)));
            let (key, secret) = opened.map_err(|error| {
                let failure = tokens::refusal(&documents[version], token, error, keys);
                Failure::InVersion { version: NAMES[version], others_open: any_opened, failure: Box::new(failure) }
            })?;
            let number = secrets.iter().position(|known| **known == *secret).unwrap_or(secrets.len());
            if number == secrets.len() {
                secrets.push(secret);
            }
            by_token.insert(text, Opened { secret: number, key });
        }
        Ok(Self { by_token, secrets })
    }

    /// Returns the number of distinct secrets.
    pub(super) fn count(&self) -> usize {
        self.secrets.len()
    }

    /// Returns the index of a token's secret. Equal secrets have the same index.
    pub(super) fn number_of(&self, token: &str) -> usize {
        self.by_token[token].secret
    }

    /// Returns a token of this secret.
    pub(super) fn token_of(&self, number: usize) -> &'v str {
        let found = self.by_token.iter().find(|(_, opened)| opened.secret == number);
        // A stand-in has the index of a secret, and each secret comes from a token.
        found.map(|(token, _)| *token).expect("a stand-in that was made")
    }

    pub(super) fn secret_of(&self, token: &str) -> &str {
        &self.secrets[self.number_of(token)]
    }

    /// Returns the index, in the keyring, of the master key that a token is under.
    pub(super) fn key_of(&self, token: &str) -> usize {
        self.by_token[token].key
    }
}
