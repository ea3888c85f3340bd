//! `seal`: seals one secret and prints the token to stdout, for texts of other programs such as a template, a variable
//! or a database column. The secret comes from stdin or a prompt without echo, never from an argument.

use std::io::{self, IsTerminal};

use zeroize::Zeroizing;

use super::MAX_SECRET;
use super::set::read_stdin;
use crate::args::Seal;
use crate::audit::{Entry, Outcome, Verb};
use crate::context::Context;
use crate::error::{ConfigFailure, Consequence, Result, SecretFor, UsageFailure};
use crate::keys::Keyring;
use crate::output;
use crate::time;
use crate::tokens;

pub(crate) fn run(args: &Seal, context: &Context) -> Result<()> {
    if !args.surplus.is_empty() {
        return Err(UsageFailure::SecretAsArgument { secret: SecretFor::Token }.into());
    }
    let keys = Keyring::load(&context.keys, &context.report)?;
    let master = keys.sealing(args.allow_short_key)?;
    let secret = read_secret(args, context)?;
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

fn read_secret(args: &Seal, context: &Context) -> Result<Zeroizing<String>> {
    let too_long = |len: usize| {
        if len > MAX_SECRET { Err(ConfigFailure::SecretOnStdinTooLong.into()) } else { Ok(()) }
    };
    let secret = if io::stdin().is_terminal() {
        let [first, second] = context
            .keys
            .prompts
            .ask_secret_twice("Secret: ", &Consequence::NothingSealed)?
            .map_err(|why| UsageFailure::SecretMissing { secret: SecretFor::Token, why })?;
        if first != second {
            return Err(UsageFailure::SecretsDiffer { secret: SecretFor::Token }.into());
        }
        first
    } else {
        read_stdin(args.raw, too_long, context)?
    };
    if secret.is_empty() {
        return Err(UsageFailure::SecretEmpty { secret: SecretFor::Token }.into());
    }
    Ok(secret)
}
