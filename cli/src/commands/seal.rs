//! `seal`: seals one secret and prints the token to stdout, for texts of other programs such as a template, a variable
//! or a database column. The secret comes from stdin or a prompt without echo, never from an argument.

use std::io::{self, IsTerminal};

use zeroize::Zeroizing;

use super::MAX_SECRET;
use super::set::read_stdin;
use crate::audit::{Entry, Outcome, Verb};
use crate::context::Context;
use crate::error::{ConfigFailure, Consequence, Result, SecretFor, UsageFailure};
use crate::keys::{KeyOptions, Keyring};
use crate::output::{self, Report};
use crate::time;
use crate::tokens;

/// The options of `seal`.
pub(crate) struct Options {
    /// Whether the final line break of stdin is part of the secret.
    pub(crate) raw: bool,
    pub(crate) allow_short_key: bool,
    pub(crate) keys: KeyOptions,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    let keys = Keyring::load(&options.keys, &context.report)?;
    let master = keys.sealing(options.allow_short_key)?;
    let secret = read_secret(options, &context.report)?;
    let token = tokens::seal_one(master, &secret, time::now())?;
    context.audit.record(&Entry {
        verb: Verb::Seal,
        outcome: Outcome::Done,
        files: &[],
        pointers: &[],
        keys: &[master],
    })?;
    output::result_bytes(&[token.as_bytes(), b"\n"])
}

fn read_secret(options: &Options, report: &Report) -> Result<Zeroizing<String>> {
    let too_long = |len: usize| {
        if len > MAX_SECRET { Err(ConfigFailure::SecretOnStdinTooLong.into()) } else { Ok(()) }
    };
    let secret = if io::stdin().is_terminal() {
        let [first, second] = options
            .keys
            .prompts
            .ask_secret_twice("Secret: ", &Consequence::NothingSealed)?
            .map_err(|why| UsageFailure::SecretMissing { secret: SecretFor::Token, why })?;
        if first != second {
            return Err(UsageFailure::SecretsDiffer { secret: SecretFor::Token }.into());
        }
        first
    } else {
        read_stdin(options.raw, too_long, report)?
    };
    if secret.is_empty() {
        return Err(UsageFailure::SecretEmpty { secret: SecretFor::Token }.into());
    }
    Ok(secret)
}
