//! `completions`: scripts for shells, from the same tree that parses the command line.

use clap::CommandFactory;
use clap_complete::aot::generate;

use crate::args::{Cli, Completions};
use crate::error::Result;
use crate::output;

pub(crate) fn run(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut without_hidden(&Cli::command()), "fernseal", &mut script);
    output::result_bytes(&[&script])
}

/// The tree without its hidden verbs, which clap_complete would offer.
fn without_hidden(tree: &clap::Command) -> clap::Command {
    clap::Command::new("fernseal")
        .version(env!("CARGO_PKG_VERSION"))
        .args(tree.get_arguments().cloned())
        .subcommands(tree.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned())
}
