//! `fernseal`: keeps the secrets of configs encrypted at rest. This file has the steps before and after a command. The
//! commands are in `commands/`, one file for each verb. fernseal-core defines tokens and JSON, and `store` replaces
//! files safely.

mod args;
mod audit;
mod commands;
mod config;
mod context;
mod env;
mod error;
mod interrupt;
mod keys;
mod output;
mod platform;
mod quote;
mod store;
mod time;
mod tokens;

use std::process::ExitCode;

use fernseal_core::stack;

use args::{Cli, Command};
use audit::Audit;
use commands::Reading;
use config::text::TextFormat;
use context::Context;
use env::USED_STACK;
use error::Failure;
use keys::{KeyOptions, derive};
use output::Report;
use output::terminal::Prompts;

fn main() -> ExitCode {
    stack::wiped_after::<USED_STACK, _>(run)
}

fn run() -> ExitCode {
    commands::completions::answer();
    platform::forbid_debugging();
    let core_limit = env::keep_memory_private();
    interrupt::outlive_size_limit();
    let cli = Cli::from_process();
    let lock_wait = match context::lock_wait(cli.common.lock_wait) {
        Ok(wait) => wait,
        Err(failure) => return fail(&failure),
    };
    let context = Context {
        report: Report::new(cli.common.quiet, cli.common.verbose),
        audit: Audit::new(cli.common.audit_log),
        keys: KeyOptions {
            file: cli.common.key_file,
            command: cli.common.key_command,
            prompts: Prompts::new(cli.common.no_input),
        },
        reading: Reading {
            format: cli.common.format.as_deref().and_then(TextFormat::of_option),
            max_tokens: cli.common.max_tokens,
        },
        lock_wait,
    };
    let done = match &cli.command {
        Command::Encrypt(args) => commands::encrypt::run(args, &context),
        Command::Decrypt(args) => commands::decrypt::run(args, &context),
        Command::Get(args) => commands::get::run(args, &context),
        Command::Set(args) => commands::set::run(args, &context),
        Command::Unset(args) => commands::unset::run(args, &context),
        Command::Edit(args) => commands::edit::run(args, &context),
        Command::Merge(args) => commands::merge::run(args, &context),
        Command::Status(args) => commands::status::run(args, &context),
        Command::Verify(args) => commands::verify::run(args, &context),
        Command::Keygen(args) => commands::keygen::run(args, &context),
        Command::Key(args) => commands::key::run(args, &context),
        Command::Rotate(args) => commands::rotate::run(args, &context),
        Command::Backups(args) => commands::backups::run(args, &context),
        Command::Check(args) => commands::check::run(args, &context),
        Command::Seal(args) => commands::seal::run(args, &context),
        Command::Open(args) => commands::open::run(args, &context),
        Command::Run(args) => commands::run::run(args, core_limit, &context),
        Command::Bound { parent, program } => keys::run_bound(*parent, program),
        Command::Session { program } => commands::run::session(program, core_limit),
        Command::Sweep { folder, stay } => store::sweep(folder, *stay),
        Command::Doctor(args) => commands::doctor::run(args, &context),
        Command::Completions(args) => commands::completions::run(args),
        Command::Man(args) => commands::man::run(args),
    };
    context.report.trace(format_args!("keys derived: {}", derive::count()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    output::say_failure(failure);
    ExitCode::from(failure.exit() as u8)
}
