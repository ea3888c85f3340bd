//! `man`: prints the manual pages, or writes them to a directory when a package is built.
//!
//! The pages are generated from the clap tree that parses the command line, so they are never out of date.

use std::{fs, iter};

use clap::{Arg, Command, CommandFactory};
use roff::{Roff, bold, roman};

use crate::args::man::Man;
use crate::args::{Cli, reference};
use crate::error::{FileFailure, Result};
use crate::output;

/// The date of the last change to the texts.
const DATE: &str = "2026-11-29";

/// The maximum length of a line in a page's source, in bytes. Single words and examples may exceed it.
const LINE: usize = 80;

pub(crate) fn run(args: &Man) -> Result<()> {
    let mut tree = Cli::command().disable_help_subcommand(true);
    // `build` propagates the global options to every verb and sets its full name.
    tree.build();
    let Some(dir) = &args.dir else { return output::result_bytes(&[page(&tree).render().as_bytes()]) };
    for command in with_subcommands(&tree) {
        let path = dir.join(format!("{}.1", name(command)));
        fs::write(&path, page(command).render())
            .map_err(|error| FileFailure::ManPage { path: path.clone(), error: error.into() })?;
    }
    Ok(())
}

/// Returns the command and all its visible subcommands.
fn with_subcommands(command: &Command) -> Vec<&Command> {
    iter::once(command).chain(subcommands(command).flat_map(with_subcommands)).collect()
}

fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| !verb.is_hide_set())
}

/// Returns the name of the page, such as `fernseal-backups-list`.
fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-")
}

/// Renders one page, with the sections in the order of man-pages(7).
fn page(command: &Command) -> Roff {
    let name = name(command);
    let is_main = name == "fernseal";
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut page = Roff::new();
    let source = concat!("fernseal ", env!("CARGO_PKG_VERSION"));
    page.control("TH", [&*name.to_uppercase(), "1", DATE, source, "Fernseal"]);

    section(&mut page, "NAME");
    text(&mut page, &format!("{name} - {}", about.trim_end_matches('.')));

    section(&mut page, "SYNOPSIS");
    let usage = command.clone().render_usage().to_string();
    block(&mut page, usage.trim_start_matches("Usage:").lines().map(str::trim));

    section(&mut page, "DESCRIPTION");
    text(&mut page, &format!("{}.", about.trim_end_matches('.')));
    // For the main command, the sections below replace the text after its help.
    let notes = command.get_after_help().filter(|_| !is_main).map(ToString::to_string);
    paragraphs(&mut page, &notes.unwrap_or_default());

    options(&mut page, command);
    if subcommands(command).next().is_some() {
        section(&mut page, "COMMANDS");
        for verb in subcommands(command) {
            item(&mut page, verb.get_name(), &verb.get_about().map(ToString::to_string).unwrap_or_default());
        }
    }
    for (title, items) in [
        ("ENVIRONMENT", &reference::ENVIRONMENT[..]),
        ("FILES", &reference::FILES),
        ("EXIT STATUS", &reference::EXIT_STATUS),
    ] {
        section(&mut page, title);
        items.iter().for_each(|(tag, meaning)| item(&mut page, tag, meaning));
    }

    if let Some(examples) = command.get_before_help().map(ToString::to_string) {
        section(&mut page, "EXAMPLES");
        // Skip the first line, which is the heading.
        block(&mut page, examples.lines().skip(1).map(|line| line.strip_prefix("  ").unwrap_or(line)));
    }

    section(&mut page, "SEE ALSO");
    let others: Vec<String> = with_subcommands(&tree_of(command)).into_iter().map(self::name).collect();
    let others: Vec<String> = others.into_iter().filter(|other| *other != name).map(|other| other + "(1)").collect();
    text(&mut page, &others.join(", "));
    page
}

/// Returns the command itself if it has subcommands, and otherwise the root command.
fn tree_of(command: &Command) -> Command {
    if command.has_subcommands() {
        return command.clone();
    }
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    whole
}

fn section(page: &mut Roff, title: &str) {
    page.control("SH", [title]);
}

/// Adds the options, under the same headings as in the help.
fn options(page: &mut Roff, command: &Command) {
    let visible: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    section(page, "OPTIONS");
    let mut headings: Vec<Option<&str>> = visible.iter().map(|arg| arg.get_help_heading()).collect();
    headings.sort_unstable();
    headings.dedup();
    for heading in headings {
        if let Some(heading) = heading {
            page.control("SS", [heading]);
        }
        for arg in visible.iter().filter(|arg| arg.get_help_heading() == heading) {
            item(page, &spelled(arg), &arg.get_help().map(ToString::to_string).unwrap_or_default());
        }
    }
}

/// Returns an option or argument as the user types it: `-o, --output OUT`.
fn spelled(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    let takes_value = arg.is_positional() || arg.get_action().takes_values();
    let values =
        arg.get_value_names().filter(|_| takes_value).unwrap_or_default().iter().map(|value| value.to_string());
    iter::once(names).filter(|names| !names.is_empty()).chain(values).collect::<Vec<_>>().join(" ")
}

/// Adds a term and its meaning.
fn item(page: &mut Roff, tag: &str, meaning: &str) {
    page.control("TP", []);
    page.text([bold(tag)]);
    text(page, meaning);
}

/// Adds a filled paragraph.
fn text(page: &mut Roff, text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && escaped_len(&line) + 1 + escaped_len(word) > LINE {
            page.text([roman(&*line)]);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        page.text([roman(line)]);
    }
}

/// Returns the length of text in a page's source, where hyphens and apostrophes are escaped.
fn escaped_len(text: &str) -> usize {
    text.bytes()
        .map(|byte| {
            if byte == b'\'' {
                5
            } else if byte == b'-' {
                2
            } else {
                1
            }
        })
        .sum()
}

/// Adds lines that are not filled.
fn block<'a>(page: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    page.control("nf", []);
    lines.for_each(|line| _ = page.text([roman(line)]));
    page.control("fi", []);
}

/// Adds paragraphs. Lines that begin with a space are not filled.
fn paragraphs(page: &mut Roff, text: &str) {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        page.control("PP", []);
        let is_block = line.starts_with(' ');
        let more = iter::from_fn(|| lines.next_if(|next| next.starts_with(' ') == is_block && !next.is_empty()));
        let whole: Vec<&str> = iter::once(line).chain(more).collect();
        if is_block {
            block(page, whole.into_iter());
        } else {
            self::text(page, &whole.join(" "));
        }
    }
}
