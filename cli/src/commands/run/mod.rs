//! `run`: starts a program with secrets, decrypted into its environment or into files in memory.
//!
//! The program replaces this process (exec), so signals, exit code and terminal are its own. With `--redact` this
//! process stays and forwards the program's output. The program does not get the master key unless the caller asks for
//! that.

mod files;
mod forms;
mod redact;
mod relay;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fernseal_core::Error;
use rustix::process::{Resource, Rlimit};
use zeroize::Zeroizing;

use self::files::{Files, name_for};
use self::redact::Patterns;
use super::{Reading, config_or_default, look, open, opened_value, unsealed};
use crate::audit::{Entry, Outcome, Verb};
use crate::config::placeholder;
use crate::config::text::{ConfigText, Edits, Kind, Leaf, Place, SealedValue, normalized};
use crate::context::Context;
use crate::env::KEY_VARIABLES;
use crate::error::{ConfigFailure, Failure, FileFailure, ProgramFailure, Result, StartFlaw, UsageFailure};
use crate::keys::{KeyOptions, Keyring};
use crate::platform;
use crate::quote::{Pointer, one_line, shown};
use crate::store::ConfigPath;

/// The options of `run`.
pub(crate) struct Options {
    /// If it is `None`, PROXMOX_MCP_CONFIG names it.
    pub(crate) config: Option<PathBuf>,
    /// Variables that get values, as `NAME=POINTER`.
    pub(crate) variables: Vec<String>,
    /// Pointers to objects whose members become variables.
    pub(crate) objects: Vec<String>,
    /// Variables that get the paths of files with values, as `NAME=POINTER`.
    pub(crate) files: Vec<String>,
    /// The variable that gets the path of a file with the config.
    pub(crate) config_env: Option<String>,
    /// The variable that gets the number of a descriptor with the config.
    pub(crate) config_fd: Option<String>,
    /// Whether to fill in placeholders.
    pub(crate) expand: bool,
    pub(crate) redact: bool,
    /// Whether the program gets the variables with the master key.
    pub(crate) keep_key: bool,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
}

/// Runs the command. `core_limit` is the limit on core dumps before this process set it to 0; the program gets it back.
pub(crate) fn run(options: &Options, core_limit: Rlimit, context: &Context) -> Result<()> {
    let path = config_or_default(options.config.as_deref())?;
    let document = look(&ConfigPath::named(&path), options.reading, &context.report)?;
    let handovers = handovers(options, &document)?;
    let wants_config = options.config_env.is_some() || options.config_fd.is_some();
    let keys = Keyring::load(&options.keys, &context.report)?;
    if handovers.is_empty() && !wants_config {
        context.report.warn(format_args!(
            "{} gets no secret from {}: pass some with --env, --env-all, --file, --config-env or --config-fd",
            one_line(&options.program.to_string_lossy()),
            shown(&path)
        ));
    }
    let opened = {
        let named: BTreeSet<&str> = handovers
            .iter()
            .flat_map(|handover| document.tokens_of(&handover.value))
            .map(|token| &*token.pointer)
            .collect();
        let wanted = |token: &&SealedValue| wants_config || named.contains(&*token.pointer);
        let tokens: Vec<&SealedValue> = document.tokens.iter().filter(wanted).collect();
        let secrets = open(&document, &tokens, &keys, options.reading, &context.report)?;
        tokens.into_iter().zip(secrets).collect::<Vec<_>>()
    };

    let mut command = Command::new(&options.program);
    command.args(&options.arguments);
    if !options.keep_key {
        KEY_VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    }
    let mut files = Files::default();
    if wants_config {
        let edits = edits_of_all(&document, options.expand, &opened)?;
        let pieces = edits.pieces();
        let name = path.file_name().unwrap_or(OsStr::new("config"));
        // One file per use: reading through the descriptor must not move the offset of the other file.
        if let Some(variable) = &options.config_env {
            command.env(variable, files.add(name, &pieces, &context.report)?);
        }
        if let Some(variable) = &options.config_fd {
            command.env(variable, files.add_descriptor(name, &pieces)?.to_string());
        }
    }
    for handover in &handovers {
        let value = handover.text(&document, options.expand, &opened)?;
        if handover.in_file {
            let name = name_for(&handover.pointer, &handover.variable);
            command.env(&handover.variable, files.add(&name, &[value.as_bytes()], &context.report)?);
        } else if value.contains('\0') {
            return Err(ConfigFailure::HoldsNul { pointer: handover.pointer.clone() }.into());
        } else {
            command.env(&handover.variable, &*value);
        }
    }
    let mut pointers: Vec<&str> = handovers.iter().map(|handover| &*handover.pointer).collect();
    if wants_config {
        pointers.extend(document.pointers());
    }
    let entry = Entry {
        verb: Verb::Run,
        outcome: Outcome::Started,
        files: &[&path],
        pointers: &pointers,
        keys: &[keys.current()],
    };
    context.audit.record(&entry)?;

    if options.redact {
        return redacted(&command, files, &opened, core_limit, context);
    }
    // Best effort: if this fails, the program has a lower limit on core dumps.
    let _ = rustix::process::setrlimit(Resource::Core, core_limit);
    let error = command.exec();
    Err(not_started(&options.program, error))
}

/// Runs the program as a child and forwards its output without the secrets. Then ends this process in the same way as
/// the program.
fn redacted(
    command: &Command,
    files: Files,
    opened: &[(&SealedValue, Zeroizing<String>)],
    core_limit: Rlimit,
    context: &Context,
) -> Result<()> {
    if files.have_paths_to_descriptors() {
        return Err(FileFailure::NoMemoryForRedact.into());
    }
    let mut texts = Vec::new();
    for (token, secret) in opened {
        if secret.len() < forms::MIN_SECRET {
            context.report.warn(format_args!("{} is shorter than 4 bytes and is not redacted", token.pointer));
        } else {
            texts.extend(forms::forms(secret));
        }
    }
    let patterns = Patterns::new(texts);
    let ended = relay::relay(command, patterns, core_limit);
    // Remove the files now: the next call may end this process by a signal.
    drop(files);
    platform::end_as(ended.map_err(|error| not_started(command.get_program(), error))?)
}

/// Runs the second process of `run --redact` on a terminal.
pub(crate) fn session(program: &[OsString], core_limit: Rlimit) -> Result<()> {
    let name = program.first().map_or(OsStr::new("program"), |name| name);
    platform::end_as(relay::run_session(program, core_limit).map_err(|error| not_started(name, error))?)
}

/// Returns why `program` did not start.
fn not_started(program: &OsStr, error: io::Error) -> Failure {
    let flaw = match error.kind() {
        io::ErrorKind::ArgumentListTooLong => StartFlaw::TooLong,
        io::ErrorKind::NotFound if !program.as_bytes().contains(&b'/') => StartFlaw::NotInPath,
        // The file exists, so what was not found is its interpreter or loader.
        io::ErrorKind::NotFound if Path::new(program).exists() => StartFlaw::InterpreterNotFound,
        io::ErrorKind::NotFound => StartFlaw::NotFound,
        _ => StartFlaw::Other(error.into()),
    };
    ProgramFailure::NotStarted { program: program.to_owned(), flaw }.into()
}

/// A value that the caller wants to hand over.
struct Handover<'d> {
    variable: String,
    pointer: Pointer,
    value: Place<'d>,
    /// Whether the variable gets the path of a file with the value, instead of the value.
    in_file: bool,
}

impl<'d> Handover<'d> {
    fn new(variable: &str, pointer: Pointer, in_file: bool, document: &'d ConfigText) -> Result<Self> {
        let value = document.find(&pointer)?;
        if value.is_group() {
            return Err(document.failure(&pointer, Error::NotAString));
        }
        Ok(Self { variable: variable.to_owned(), pointer, value, in_file })
    }

    /// Parses `NAME=POINTER`.
    fn parse(text: &str, in_file: bool, document: &'d ConfigText) -> Result<Self> {
        let (variable, pointer) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| UsageFailure::NotAnAssignment { text: text.to_owned() })?;
        Self::new(variable, pointer.to_owned().into(), in_file, document)
    }

    /// Returns the value as text, with tokens decrypted and, with `expand`, placeholders filled in.
    fn text(
        &self,
        document: &ConfigText,
        expand: bool,
        opened: &[(&SealedValue, Zeroizing<String>)],
    ) -> Result<Zeroizing<String>> {
        if !expand || document.token_at(&self.value).is_some() {
            return opened_value(document, &self.value, &self.pointer, opened);
        }
        let text = unsealed(document, &self.value, &self.pointer)?;
        document.opened_within(&self.pointer, Zeroizing::new(expanded(&text)?.into_owned()), opened)
    }
}

/// Returns all values to hand over besides the whole config. Fails if one does not exist or a variable would be set
/// twice.
fn handovers<'d>(options: &Options, document: &'d ConfigText) -> Result<Vec<Handover<'d>>> {
    let mut handovers = Vec::new();
    for (list, in_file) in [(&options.variables, false), (&options.files, true)] {
        for handover in list {
            handovers.push(Handover::parse(handover, in_file, document)?);
        }
    }
    for pointer in &options.objects {
        handovers.extend(members(document, pointer)?);
    }
    let mut variables = BTreeSet::new();
    let named =
        handovers.iter().map(|handover| &handover.variable).chain(&options.config_env).chain(&options.config_fd);
    for name in named {
        if !variables.insert(name) {
            return Err(UsageFailure::VariableTwice { name: name.clone() }.into());
        }
    }
    Ok(handovers)
}

/// Returns the members of the object at `pointer`, each with its name as the variable.
fn members<'d>(document: &'d ConfigText, pointer: &str) -> Result<Vec<Handover<'d>>> {
    let object = document.find(pointer)?;
    let config = || document.path.clone();
    if object.kind != Kind::Map {
        return Err(ConfigFailure::NotAnObject { config: config(), pointer: pointer.to_owned().into() }.into());
    }
    let mut handovers = Vec::new();
    let above = normalized(pointer).map_err(|error| document.failure(pointer, error))?;
    let is_below = |leaf: &Leaf<'_>| leaf.pointer.strip_prefix(&*above).is_some_and(|rest| rest.starts_with('/'));
    for leaf in document.leaves().filter(is_below) {
        let mut segments = leaf.pointer.match_indices('/').map(|(at, _)| at).skip_while(|at| *at < above.len());
        let Some(start) = segments.next() else { continue };
        if let Some(end) = segments.next() {
            let pointer = leaf.pointer[..end].to_owned().into();
            return Err(ConfigFailure::NotASingleValue { config: config(), pointer }.into());
        }
        let name = &leaf.pointer[start + 1..];
        let mut bytes = name.bytes();
        let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        if !bytes.next().is_some_and(is_first) || !bytes.all(|byte| is_first(byte) || byte.is_ascii_digit()) {
            return Err(ConfigFailure::NotAVariableName { config: config(), pointer: leaf.pointer }.into());
        }
        handovers.push(Handover::new(name, leaf.pointer.clone(), false, document)?);
    }
    Ok(handovers)
}

/// Returns the edits that decrypt the whole config and, with `expand`, fill in its placeholders.
fn edits_of_all<'d>(
    document: &'d ConfigText,
    expand: bool,
    opened: &[(&SealedValue, Zeroizing<String>)],
) -> Result<Edits<'d>> {
    let mut edits = Vec::new();
    let holds_placeholder = |leaf: &Leaf<'_>| {
        leaf.place.kind == Kind::String
            && document.token_at(&leaf.place).is_none()
            && leaf.place.text().is_ok_and(|text| text.contains("${"))
    };
    let filled: Vec<Leaf<'_>> = document.leaves().filter(|leaf| expand && holds_placeholder(leaf)).collect();
    for leaf in &filled {
        let text = unsealed(document, &leaf.place, &leaf.pointer)?;
        let text = Zeroizing::new(expanded(&text)?.into_owned());
        let text = document.opened_within(&leaf.pointer, text, opened)?;
        edits.push(document.replace(&leaf.pointer, &leaf.place, &text)?);
    }
    let is_left = |token: &SealedValue| !filled.iter().any(|leaf| token.is_part_of(&leaf.place));
    let left = opened.iter().filter(|(token, _)| is_left(token));
    edits.extend(document.opened_to(left.map(|(token, secret)| (*token, secret.as_str())))?);
    Edits::new(document, edits)
}

/// Fills in the placeholders of `text` from the environment.
fn expanded(text: &str) -> Result<Cow<'_, str>> {
    placeholder::expand(text, |name| Some(env::var_os(name)?.to_string_lossy().into_owned()))
}
