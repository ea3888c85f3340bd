//! `completions` and `man`: from the same tree that parses the command line, so that they are never out of date.
//! A package writes them when it is built; a user can print them.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::aot::generate;
use clap_mangen::Man as Page;

use crate::args::{Cli, Completions, Man};
use crate::failure::{Exit, Failure, Result};
use crate::report::{self, shown};

pub(crate) fn completions(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut without_hidden(&Cli::command()), "fernseal", &mut script);
    report::result_bytes(&[&script])
}

/// The tree without its hidden verbs, which clap_complete would offer.
fn without_hidden(tree: &clap::Command) -> clap::Command {
    clap::Command::new("fernseal")
        .version(env!("CARGO_PKG_VERSION"))
        .args(tree.get_arguments().cloned())
        .subcommands(tree.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned())
}

pub(crate) fn man(args: &Man) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display, path: &Path| {
        let what = format!("the manual pages cannot be written to {}: {error}", shown(path));
        Failure::new(Exit::File, what, "name a directory that exists and can be written")
    };
    match &args.dir {
        Some(dir) => clap_mangen::generate_to(Cli::command(), dir).map_err(|error| failed(&error, dir)),
        None => {
            let mut page = Vec::new();
            Page::new(Cli::command()).render(&mut page).map_err(|error| failed(&error, Path::new("memory")))?;
            report::result_bytes(&[&page])
        }
    }
}
