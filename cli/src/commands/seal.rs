//! `seal`: one secret becomes one token, on stdout. For texts that another program makes: a template, a variable, a column of
//! a database. The secret comes from stdin or a prompt without echo, never from an argument.

use std::io::{self, IsTerminal};

use zeroize::Zeroizing;

use super::MAX_SECRET;
use super::set::read_stdin;
use crate::args::Seal;
use crate::audit::Entry;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::output::{self, time};
use crate::tokens;

pub(crate) fn run(args: &Seal, context: &Context) -> Result<()> {
    if !args.surplus.is_empty() {
        return Err(Failure::secret_is_no_argument("pipe the secret in: printf %s \"$SECRET\" | fernseal seal"));
    }
    let keys = context.keys()?;
    let master = keys.sealing(args.allow_short_key)?;
    let secret = read_secret(args, context)?;
    let token = tokens::seal_one(master, &secret, time::now(), context.threads)?;
    context.audit.record(&Entry { command: "seal", outcome: "done", keys: &[master], ..Entry::default() })?;
    output::result_bytes(&[token.as_bytes(), b"\n"])
}

fn read_secret(args: &Seal, context: &Context) -> Result<Zeroizing<String>> {
    let too_long = |len: usize| if len > MAX_SECRET { Err(Failure::secret_too_long("stdin")) } else { Ok(()) };
    let secret = if io::stdin().is_terminal() {
        match context.prompts.ask_secret_twice("Secret: ", "nothing was printed; run it again when ready")? {
            Some([first, second]) if first == second => first,
            Some(_) => return Err(Failure::secrets_differ("nothing was printed; try again")),
            None => return Err(Failure::no_secret_on_stdin(context.prompts.absence())),
        }
    } else {
        read_stdin(args.raw, too_long, context)?
    };
    if secret.is_empty() {
        return Err(Failure::secret_is_empty("nothing was printed; type or pipe the secret in"));
    }
    Ok(secret)
}
