//! `open`: prints the secret of one token from stdin. It is the counterpart of `seal`, for tokens that are not in a
//! config.

use std::io::{self, Read};

use fernseal_core::token::token_len;

use super::{MAX_SECRET, open_one};
use crate::audit::{Entry, Outcome, Verb};
use crate::config::text::{ConfigText, FormatSource, TextFormat};
use crate::context::Context;
use crate::error::{FileFailure, Result, TokenFailure};
use crate::keys::{KeyOptions, Keyring};
use crate::output;

/// The options of `open`.
pub(crate) struct Options {
    pub(crate) keys: KeyOptions,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    // A line end, and spaces that a person has copied with it.
    let room = token_len(MAX_SECRET) + 100;
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(room as u64).read_to_end(&mut bytes);
    read.map_err(|error| FileFailure::StdinUnreadable { error: error.into() })?;
    let document = ConfigText::parse("stdin", bytes.trim_ascii().to_vec(), FormatSource::Given(TextFormat::Text))?;
    let [token] = &*document.tokens else { return Err(TokenFailure::NotOneToken.into()) };
    if token.text(&document) != document.text.as_str() {
        return Err(TokenFailure::NotOneToken.into());
    }
    let keys = Keyring::load(&options.keys, &context.report)?;
    let secret = open_one(&document, token, &keys, &context.report)?;
    context.audit.record(&Entry {
        verb: Verb::Open,
        outcome: Outcome::Done,
        files: &[],
        pointers: &[],
        keys: &[keys.current()],
    })?;
    output::result_bytes(&[secret.as_bytes(), b"\n"])
}
