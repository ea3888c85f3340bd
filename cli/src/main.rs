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
use rustix::process::Rlimit;

use args::{Cli, Command, CommonOptions};
use context::Context;
use env::USED_STACK;
use error::{Failure, Result};
use keys::derive;

fn main() -> ExitCode {
    stack::wiped_after::<USED_STACK, _>(run)
}

fn run() -> ExitCode {
    commands::completions::answer();
    platform::forbid_debugging();
    let core_limit = env::keep_memory_private();
    interrupt::outlive_size_limit();
    let Cli { common, command, .. } = Cli::from_process();
    let (context, common) = match common.into_parts() {
        Ok(parts) => parts,
        Err(failure) => return fail(&failure),
    };
    let done = dispatch(command, common, core_limit, &context);
    context.report.trace(format_args!("keys derived: {}", derive::count()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

/// Runs the command. `core_limit` is the limit on core dumps before this process set it to 0.
fn dispatch(command: Command, common: CommonOptions, core_limit: Rlimit, context: &Context) -> Result<()> {
    match command {
        Command::Encrypt(args) => commands::encrypt::run(&args.into_options(common), context),
        Command::Decrypt(args) => commands::decrypt::run(&args.into_options(common), context),
        Command::Get(args) => commands::get::run(&args.into_options(common)?, context),
        Command::Set(args) => commands::set::run(&args.into_options(common)?, context),
        Command::Unset(args) => commands::unset::run(&args.into_options(&common), context),
        Command::Edit(args) => commands::edit::run(&args.into_options(common), context),
        Command::Merge(args) => commands::merge::run(&args.into_options(common), context),
        Command::Status(args) => commands::status::run(&args.into_options(common), context),
        Command::Verify(args) => commands::verify::run(&args.into_options(common), context),
        Command::Keygen(args) => commands::keygen::run(&args.into_options(&common), context),
        Command::Key(args) => commands::key::run(&args.into_options(), context),
        Command::Rotate(args) => commands::rotate::run(&args.into_options(common), context),
        Command::Backups(args) => commands::backups::run(&args.into_options(common), context),
        Command::Check(args) => commands::check::run(&args.into_options(&common), context),
        Command::Seal(args) => commands::seal::run(&args.into_options(common)?, context),
        Command::Open(args) => commands::open::run(&args.into_options(common)?, context),
        Command::Run(args) => commands::run::run(&args.into_options(common)?, core_limit, context),
        Command::Bound { parent, program } => keys::run_bound(parent, &program),
        Command::Session { program } => commands::run::session(&program, core_limit),
        Command::Sweep { folder, stay } => store::sweep(&folder, stay),
        Command::Doctor(args) => commands::doctor::run(&args.into_options(common), context),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Man(args) => commands::man::run(&args),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    output::say_failure(failure);
    ExitCode::from(failure.exit() as u8)
}
