//! Verifies that every token of a set of configs opens, in batches, without keeping any plaintext.
//!
//! `verify`, `status` and `doctor` use it to report; `rollback` and `backups prune` use it before they change or remove
//! something.

use std::path::Path;

use fernseal_core::Error;

use crate::audit::{Audit, Entry, Outcome, Verb};
use crate::config::text::{ConfigText, SealedValue};
use crate::error::{Bug, Result};
use crate::keys::Keyring;
use crate::output::Report;
use crate::output::progress::Progress;
use crate::tokens::batch::{next_batch, open_each};
use crate::tokens::{self, Opened};

/// The result for each token of a config: the index of the key that opened it, or the error.
pub(crate) struct Verification(Vec<std::result::Result<usize, Error>>);

/// Verifies every token of each of `configs`, in batches, and passes the results to `then` in order.
pub(crate) fn verify_each<T>(
    configs: Vec<T>,
    load: impl Fn(&T) -> Result<ConfigText>,
    keys: &Keyring,
    report: &Report,
    mut then: impl FnMut(T, Result<(ConfigText, Verification)>),
) {
    let progress = Progress::new("checking", configs.len(), report);
    let mut waiting = configs.into_iter();
    loop {
        let load = |config| (load(&config), config);
        let group = next_batch(&mut waiting, load, |(document, _)| document.iter().collect());
        if group.is_empty() {
            break;
        }
        let documents: Vec<&ConfigText> = group.iter().flat_map(|(document, _)| document).collect();
        let mut checked = verify_all(&documents, keys).into_iter();
        group.iter().for_each(|_| progress.step());
        progress.beside(|| {
            for (document, config) in group {
                let verified = document.and_then(|document| match checked.next() {
                    Some(checked) => Ok((document, checked)),
                    None => Err(Bug::NotVerified { config: document.path }.into()),
                });
                then(config, verified);
            }
        });
    }
}

/// Verifies every token of `documents` at once.
pub(crate) fn verify_all(documents: &[&ConfigText], keys: &Keyring) -> Vec<Verification> {
    open_each(documents, keys).into_iter().map(Verification::of).collect()
}

/// Verifies every token of `document`.
pub(crate) fn check(document: &ConfigText, keys: &Keyring) -> Verification {
    let tokens: Vec<_> = document.tokens.iter().map(|token| (document, token)).collect();
    Verification::of(tokens::open(&tokens, keys))
}

/// Which kind of key opened a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenedBy {
    /// The current master key.
    Current,
    /// A previous key. The token must be rotated before that key is retired.
    Previous,
}

impl OpenedBy {
    /// Returns the name for JSON output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

impl Verification {
    fn of(opened: Vec<std::result::Result<Opened, Error>>) -> Self {
        Self(opened.into_iter().map(|opened| opened.map(|opened| opened.master)).collect())
    }

    /// Writes the audit log line for this verification of the document at `path`.
    pub(crate) fn record(
        &self,
        verb: Verb,
        path: &Path,
        document: &ConfigText,
        keys: &Keyring,
        audit: &Audit,
    ) -> Result<()> {
        let failure = self.first_unopened(document).map(|(token, error)| document.refusal(token, error));
        audit.record(&Entry {
            verb,
            outcome: failure.map_or(Outcome::Done, Outcome::Refused),
            files: &[path],
            pointers: &document.pointers(),
            keys: &[keys.current()],
        })
    }

    /// Returns which kind of key opened the token, or `None` if none did.
    pub(crate) fn opens(&self, at: usize) -> Option<OpenedBy> {
        match self.0.get(at)?.ok()? {
            0 => Some(OpenedBy::Current),
            _ => Some(OpenedBy::Previous),
        }
    }

    /// Returns the index of the master key that opened the token.
    pub(crate) fn master(&self, at: usize) -> Option<usize> {
        self.0.get(at)?.ok()
    }

    pub(crate) fn words(&self, at: usize) -> &'static str {
        match (self.opens(at), self.0.get(at)) {
            (Some(OpenedBy::Current), _) => "can be decrypted",
            (Some(OpenedBy::Previous), _) => "only a previous key decrypts it: rotate before that key is retired",
            (None, Some(Err(Error::Malformed))) => "Invalid encrypted token format",
            (None, _) => "Token decryption failed",
        }
    }

    /// Returns the first token that does not open, with the error.
    fn first_unopened<'d>(&self, document: &'d ConfigText) -> Option<(&'d SealedValue, Error)> {
        let unopened = |(at, token)| {
            // A token without a result counts as not opened.
            let error = self.0.get(at).copied().unwrap_or(Err(Error::AuthenticationFailed)).err()?;
            Some((token, error))
        };
        document.tokens.iter().enumerate().find_map(unopened)
    }

    /// Reports whether every token opens.
    pub(crate) fn opens_all(&self, document: &ConfigText) -> bool {
        self.first_unopened(document).is_none()
    }

    /// Fails if a token does not open. The failure concerns the first such token.
    pub(crate) fn verdict(&self, document: &ConfigText, keys: &Keyring) -> Result<()> {
        self.first_unopened(document)
            .map_or(Ok(()), |(token, error)| Err(tokens::refusal(document, token, error, keys)))
    }
}
