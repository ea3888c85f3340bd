//! `completions` and `man`: from the same tree that parses the command line, so that they are never out of date.
//! A package writes them when it is built; a user can print them.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::aot::generate;
use clap_mangen::Man as Page;

use crate::args::{Cli, Completions, Man};
use crate::error::{Exit, Failure, Result};
use crate::output;
use crate::quote::shown;

pub(crate) fn completions(args: &Completions) -> Result<()> {
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

pub(crate) fn man(args: &Man) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display, path: &Path| {
        let what = format!("the manual pages cannot be written to {}: {error}", shown(path));
        Failure::new(Exit::File, what, "name a directory that exists and can be written")
    };
    match &args.dir {
        Some(dir) => clap_mangen::generate_to(for_man(Cli::command()), dir).map_err(|error| failed(&error, dir)),
        None => {
            let mut page = Vec::new();
            Page::new(for_man(Cli::command()))
                .render(&mut page)
                .map_err(|error| failed(&error, Path::new("memory")))?;
            output::result_bytes(&[&page])
        }
    }
}

/// The tree with the examples where clap_mangen prints them too, behind the options; and without `help`, which has no page.
fn for_man(tree: clap::Command) -> clap::Command {
    let texts = [tree.get_before_help(), tree.get_after_help()].map(|text| text.map(ToString::to_string));
    let tree = match texts.into_iter().flatten().collect::<Vec<_>>() {
        texts if texts.is_empty() => tree,
        texts => tree.after_help(texts.join("\n\n")),
    };
    tree.disable_help_subcommand(true).mut_subcommands(for_man)
}
