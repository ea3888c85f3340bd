//! `fernseal`: keeps the secrets of JSON configs encrypted at rest.
//! Here: what is done before and after a command. The commands are in `commands/`, one file a verb.
//! What tokens and JSON mean is decided in fernseal-core, how files stay whole in `store`.

mod args;
mod audit;
mod checked;
mod commands;
mod derive;
mod document;
mod failure;
mod git;
mod group;
mod interrupt;
mod keys;
mod parallel;
mod placeholder;
mod progress;
mod report;
mod rollback;
mod rotate;
mod settings;
mod store;
mod terminal;

use std::env;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use fernseal_core::stack;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use args::{Cli, Command};
use audit::Audit;
use failure::Result;
use keys::Keyring;
use report::Report;

/// What every command works with.
struct Context {
    report: Report,
    audit: Audit,
    key_file: Option<PathBuf>,
    threads: NonZeroUsize,
    /// The limit on core dumps as it was: for a program that is started.
    core_limit: Rlimit,
}

impl Context {
    fn keys(&self) -> Result<Keyring> {
        Keyring::load(self.key_file.as_deref(), &self.report)
    }
}

/// What the environment says; an empty variable is as good as none.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The stack that a command or one of its threads uses, and more, in bytes.
const USED_STACK: usize = 64 * 1024;

fn main() -> ExitCode {
    stack::wiped_after::<USED_STACK, _>(run)
}

fn run() -> ExitCode {
    let core_limit = keep_memory_private();
    interrupt::outlive_size_limit();
    let cli = Cli::from_process();
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = cli.command.jobs().unwrap_or(cores);
    let context = Context {
        report: Report::new(cli.common.quiet, cli.common.verbose),
        audit: Audit::new(cli.common.audit_log, threads),
        key_file: cli.common.key_file,
        threads,
        core_limit,
    };
    let done = match &cli.command {
        Command::Encrypt(args) => commands::encrypt::run(args, &context),
        Command::Decrypt(args) => commands::decrypt::run(args, &context),
        Command::Get(args) => commands::get::run(args, &context),
        Command::Set(args) => commands::set::run(args, &context),
        Command::Edit(args) => commands::edit::run(args, &context),
        Command::Status(args) => commands::status::run(args, &context),
        Command::Verify(args) => commands::verify::run(args, &context),
        Command::Keygen(args) => commands::keygen::run(args, &context),
        Command::Rotate(args) => commands::rotate::run(args, &context),
        Command::Backups(args) => commands::backups::run(args, &context),
        Command::Check(args) => commands::check::run(args, &context),
        Command::Run(args) => commands::run::run(args, &context),
        Command::Sweep { folder } => store::sweep(folder),
        Command::Doctor(args) => commands::doctor::run(args, &context),
        Command::Completions(args) => commands::completions::completions(args),
        Command::Man(args) => commands::completions::man(args),
    };
    context.report.trace(format_args!("keys derived: {}", derive::count()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::say_failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// No core dump, no debugger of the same user: keys pass through this memory. Returns the limit on core dumps before.
fn keep_memory_private() -> Rlimit {
    let before = rustix::process::getrlimit(Resource::Core);
    // Where the system will not have it, the command still does its work.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: before.maximum });
    before
}
