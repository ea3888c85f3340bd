//! Turns the arguments of each verb into the options of its command. Options are plain: no command reads clap's structs,
//! except `completions` and `man`, which are about the clap tree.
//!
//! The verbs stand in the order of the help. Each struct is taken apart without `..`, so the compiler names this file
//! when an argument is added. The fuzz target of the command line builds this folder without this file, which needs the
//! whole program.

use std::time::Duration;

use super::backups::{BackupsAt, BackupsVerb, Prune};
use super::check::OnLikely;
use super::key::KeyIds;
use super::{
    Backups, Check, Common, Decrypt, Doctor, Edit, Encrypt, Get, Key, Keygen, Merge, Open, Rotate, Run, Seal, Select,
    Set, Status, Unset, Verify,
};
use crate::audit::Audit;
use crate::commands::backups::{Action, Pruning};
use crate::commands::decrypt::{PlainFile, PlainText};
use crate::commands::encrypt::{Destination, NewFile};
use crate::commands::keygen::KeyDestination;
use crate::commands::rotate::rotation::NewKeySource;
use crate::commands::rotate::{rollback, rotation};
use crate::commands::{
    Reading, backups, check, decrypt, doctor, edit, encrypt, get, key, keygen, merge, open, rotate, run, seal, set,
    status, unset, verify,
};
use crate::config::text::TextFormat;
use crate::context::Context;
use crate::env;
use crate::error::{Result, SecretFor, UsageFailure};
use crate::keys::KeyOptions;
use crate::output::Report;
use crate::output::terminal::Prompts;
use crate::store::{BackupPlace, Glob, Selection};

/// The options that every verb accepts and only some commands need.
pub(crate) struct CommonOptions {
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    /// How long to wait for another run that holds a directory's lock.
    pub(crate) lock_wait: Duration,
}

impl Common {
    /// Returns what every command works with, and the options that only some need.
    pub(crate) fn into_parts(self) -> Result<(Context, CommonOptions)> {
        let Self { key_file, key_command, format, audit_log, lock_wait, max_tokens, no_input, verbose, quiet } = self;
        // clap compares only the options on one side of the verb.
        if key_file.is_some() && key_command.is_some() {
            return Err(UsageFailure::Exclusive { one: "--key-file", other: "--key-command" }.into());
        }
        if quiet && verbose {
            return Err(UsageFailure::Exclusive { one: "--quiet", other: "--verbose" }.into());
        }
        let options = CommonOptions {
            keys: KeyOptions { file: key_file, command: key_command, prompts: Prompts::new(no_input) },
            reading: Reading { format: format.as_deref().and_then(TextFormat::of_option), max_tokens },
            lock_wait: self::lock_wait(lock_wait)?,
        };
        Ok((Context { report: Report::new(quiet, verbose), audit: Audit::new(audit_log) }, options))
    }
}

/// The variable that sets `--lock-wait`.
const LOCK_WAIT: &str = "PROXMOX_MCP_LOCK_WAIT";
/// Longer than a `set` or a rotation of a few configs takes, and short enough for a person to wait.
const DEFAULT_LOCK_WAIT: Duration = Duration::from_secs(10);

/// Returns how long to wait for a lock: the option, or else the variable, or else the default.
fn lock_wait(option: Option<u32>) -> Result<Duration> {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    match (option, env::variable(LOCK_WAIT)) {
        (Some(option), _) => Ok(seconds(option)),
        (None, None) => Ok(DEFAULT_LOCK_WAIT),
        (None, Some(text)) => match text.to_str().and_then(|text| text.parse().ok()) {
            Some(number) => Ok(seconds(number)),
            None => Err(UsageFailure::LockWaitNotSeconds { variable: LOCK_WAIT, value: text }.into()),
        },
    }
}

impl From<Select> for Selection {
    fn from(Select { include, exclude }: Select) -> Self {
        // A glob of the command line is about the directory that is searched.
        let globs = |texts: Vec<String>| texts.into_iter().map(|text| Glob { text, way: "".into() }).collect();
        Self { include: globs(include), exclude: globs(exclude) }
    }
}

impl Encrypt {
    pub(crate) fn into_options(self, common: CommonOptions) -> encrypt::Options {
        let Self {
            config,
            select,
            output,
            force,
            in_place,
            keep_mode,
            fields,
            found,
            dry_run,
            yes,
            keep_going,
            placeholders,
            legacy,
            allow_short_key,
            json,
        } = self;
        let CommonOptions { keys, reading, lock_wait } = common;
        let new_file = NewFile { path: output, force, keep_mode };
        let destination = if in_place { Destination::InPlace } else { Destination::File(new_file) };
        encrypt::Options {
            config,
            selection: select.into(),
            destination,
            fields,
            found,
            dry_run,
            yes,
            keep_going,
            placeholders,
            legacy,
            allow_short_key,
            json,
            keys,
            reading,
            lock_wait,
        }
    }
}

impl Decrypt {
    pub(crate) fn into_options(self, common: CommonOptions) -> decrypt::Options {
        let Self { config, output, force, keep_mode, textconv, json } = self;
        let CommonOptions { keys, reading, lock_wait } = common;
        let destination = match (textconv, output) {
            (true, _) => PlainText::GitDiff,
            (false, None) => PlainText::Stdout,
            (false, Some(path)) => PlainText::File(PlainFile { path, force, keep_mode, json }),
        };
        decrypt::Options { config, destination, keys, reading, lock_wait }
    }
}

impl Get {
    pub(crate) fn into_options(self, common: CommonOptions) -> Result<get::Options> {
        let Self { mut what, json } = self;
        let pointer = what.pop().and_then(|pointer| pointer.into_string().ok());
        let pointer = pointer.ok_or(UsageFailure::PointerNotUtf8)?;
        let CommonOptions { keys, reading, .. } = common;
        Ok(get::Options { config: what.pop().map(Into::into), pointer: pointer.into(), json, keys, reading })
    }
}

impl Set {
    pub(crate) fn into_options(self, common: CommonOptions) -> Result<set::Options> {
        let Self { config, pointer, create, surplus, discard_old, raw, allow_short_key, json } = self;
        if !surplus.is_empty() {
            return Err(UsageFailure::SecretAsArgument { secret: SecretFor::Value(pointer) }.into());
        }
        let CommonOptions { keys, reading, lock_wait } = common;
        Ok(set::Options { config, pointer, create, discard_old, raw, allow_short_key, json, keys, reading, lock_wait })
    }
}

impl Unset {
    pub(crate) fn into_options(self, common: &CommonOptions) -> unset::Options {
        let Self { config, pointer, json } = self;
        unset::Options { config, pointer, json, reading: common.reading, lock_wait: common.lock_wait }
    }
}

impl Edit {
    pub(crate) fn into_options(self, common: CommonOptions) -> edit::Options {
        let Self { config, fields, allow_short_key, json } = self;
        let CommonOptions { keys, reading, lock_wait } = common;
        edit::Options { config, fields, allow_short_key, json, keys, reading, lock_wait }
    }
}

impl Status {
    pub(crate) fn into_options(self, common: CommonOptions) -> status::Options {
        let Self { paths, select, max_age, verify, json } = self;
        let CommonOptions { keys, reading, .. } = common;
        status::Options { paths, selection: select.into(), max_age, verify, json, keys, reading }
    }
}

impl Verify {
    pub(crate) fn into_options(self, common: CommonOptions) -> verify::Options {
        let Self { paths, select, max_age, json } = self;
        let CommonOptions { keys, reading, .. } = common;
        verify::Options { paths, selection: select.into(), max_age, json, keys, reading }
    }
}

impl Keygen {
    pub(crate) fn into_options(self, common: &CommonOptions) -> keygen::Options {
        let Self { output, print, json } = self;
        let destination = match (output, print) {
            (Some(path), _) => KeyDestination::File { path, json },
            (None, true) => KeyDestination::Stdout,
            (None, false) => KeyDestination::Terminal(common.keys.prompts),
        };
        keygen::Options { destination }
    }
}

impl Key {
    pub(crate) fn into_options(self) -> key::Options {
        let Self::Id(KeyIds { files, json }) = self;
        key::Options { files, json }
    }
}

impl Rotate {
    pub(crate) fn into_options(self, common: CommonOptions) -> rotate::Options {
        let Self {
            paths,
            select,
            new_key_file,
            new_key_out,
            new_key_command,
            backup_dir,
            no_backup,
            keep_going,
            dry_run,
            rollback,
            jobs,
            json,
        } = self;
        let selection = select.into();
        let CommonOptions { keys, reading, lock_wait } = common;
        if rollback {
            let options =
                rollback::Options { paths, selection, backup_dir, dry_run, jobs, json, keys, reading, lock_wait };
            return rotate::Options::Rollback(options);
        }
        let new_key = match new_key_file {
            Some(path) => NewKeySource::File(path),
            None => NewKeySource::Made { out: new_key_out, store: new_key_command },
        };
        let backups = match (no_backup, backup_dir) {
            (true, _) => BackupPlace::Nowhere,
            (false, None) => BackupPlace::Beside,
            (false, Some(directory)) => BackupPlace::Below(directory),
        };
        rotate::Options::Rotation(rotation::Options {
            paths,
            selection,
            new_key,
            backups,
            keep_going,
            dry_run,
            jobs,
            json,
            keys,
            reading,
            lock_wait,
        })
    }
}

impl Backups {
    pub(crate) fn into_options(self, common: CommonOptions) -> backups::Options {
        let Self { verb, at } = self;
        let (BackupsAt { paths, select, backup_dir, json }, action) = match verb {
            None => (at, Action::List),
            Some(BackupsVerb::List(at)) => (at, Action::List),
            Some(BackupsVerb::Prune(Prune { at, yes })) => {
                let CommonOptions { keys, reading, lock_wait } = common;
                (at, Action::Prune(Pruning { yes, keys, reading, lock_wait }))
            }
        };
        backups::Options { paths, selection: select.into(), backup_dir, json, action }
    }
}

impl Merge {
    pub(crate) fn into_options(self, common: CommonOptions) -> merge::Options {
        let Self { base, ours, theirs, path, marker_size } = self;
        let CommonOptions { keys, reading, lock_wait } = common;
        merge::Options { base, ours, theirs, path, marker_size, keys, reading, lock_wait }
    }
}

impl Check {
    pub(crate) fn into_options(self, common: &CommonOptions) -> check::Options {
        let Self { paths, select, required, likely, max_age, no_legacy, staged, json, sarif } = self;
        let configs = match (staged, paths.is_empty()) {
            (true, _) => check::Configs::Staged,
            (false, true) => check::Configs::At { paths: vec![".".into()], selection: select.into() },
            (false, false) => check::Configs::At { paths, selection: select.into() },
        };
        let form = match (json, sarif) {
            (true, _) => check::Form::Json,
            (_, true) => check::Form::Sarif,
            (false, false) => check::Form::Words,
        };
        let likely = match likely {
            OnLikely::Fail => check::Likely::Fail,
            OnLikely::Warn => check::Likely::Warn,
            OnLikely::Ignore => check::Likely::Ignore,
        };
        check::Options { configs, required, likely, max_age, no_legacy, form, reading: common.reading }
    }
}

impl Seal {
    pub(crate) fn into_options(self, common: CommonOptions) -> Result<seal::Options> {
        let Self { surplus, raw, allow_short_key } = self;
        if !surplus.is_empty() {
            return Err(UsageFailure::SecretAsArgument { secret: SecretFor::Token }.into());
        }
        Ok(seal::Options { raw, allow_short_key, keys: common.keys })
    }
}

impl Open {
    pub(crate) fn into_options(self, common: CommonOptions) -> Result<open::Options> {
        let Self { surplus } = self;
        if !surplus.is_empty() {
            return Err(UsageFailure::TokenAsArgument.into());
        }
        Ok(open::Options { keys: common.keys })
    }
}

impl Run {
    pub(crate) fn into_options(self, common: CommonOptions) -> Result<run::Options> {
        let Self { config, variables, objects, files, config_env, config_fd, expand, redact, keep_key, program } = self;
        let CommonOptions { keys, reading, .. } = common;
        let mut arguments = program.into_iter();
        Ok(run::Options {
            config,
            variables,
            objects,
            files,
            config_env,
            config_fd,
            expand,
            redact,
            keep_key,
            program: arguments.next().ok_or(UsageFailure::NoProgram)?,
            arguments: arguments.collect(),
            keys,
            reading,
        })
    }
}

impl Doctor {
    pub(crate) fn into_options(self, common: CommonOptions) -> doctor::Options {
        let Self { config, select, json } = self;
        let CommonOptions { keys, reading, .. } = common;
        doctor::Options { config, selection: select.into(), json, keys, reading }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FORMATS;
    use super::*;

    #[test]
    fn the_option_has_the_names_of_all_formats() {
        assert_eq!(TextFormat::ALL.map(TextFormat::name), FORMATS);
        assert!(FORMATS.iter().all(|name| TextFormat::of_option(name).is_some()));
    }
}
