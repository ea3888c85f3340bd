//! Where master keys come from, and in which order: options, variables, and a file in the home directory.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fernseal_core::{Error, MasterKey, stack};
use rustix::process::geteuid;
use zeroize::Zeroizing;

use crate::env::{KEY, KEY_COMMAND, KEY_FILE, PREVIOUS, PREVIOUS_COMMAND, PREVIOUS_FILE, USED_STACK, variable};
use crate::error::{Failure, HomeFileFlaw, KeyFailure, KeyTextFlaw, NamedBy, Result};
use crate::keys::{Master, command, derive};
use crate::output::Report;
use crate::quote::{is_key_text, quoted, quoted_path, shown};

const CREDENTIAL: &str = "proxmox_mcp_master_key";

/// No key file is longer; whoever names a device or a log by mistake is told soon.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// The file that the master key is in where nothing else names one.
const HOME_FILE: &str = ".proxmox_mcp_key";

/// The options that name the master key.
#[derive(Clone, Copy)]
pub(crate) struct KeyOptions<'a> {
    pub(crate) file: Option<&'a Path>,
    pub(crate) command: Option<&'a OsStr>,
}

impl KeyOptions<'_> {
    pub(crate) fn is_any(&self) -> bool {
        self.file.is_some() || self.command.is_some()
    }
}

/// How places outrank each other: where one of a rank names a key, those of the later ranks are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Option,
    /// A variable or systemd's credential. Two that hold different keys are an error.
    Environment,
    Home,
}

/// What a place that a key can come from holds.
pub(super) enum Source {
    Text {
        variable: &'static str,
        text: Zeroizing<String>,
    },
    File {
        named_by: &'static str,
        path: PathBuf,
    },
    Command {
        named_by: NamedBy,
        command: OsString,
    },
    /// The file in the home directory. Nobody named it, so it must be the user's alone.
    HomeFile(PathBuf),
}

impl Source {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Text { variable, .. } => (*variable).to_owned(),
            Self::File { named_by, path } => format!("{named_by} {}", shown(path)),
            // The command itself may hold a secret.
            Self::Command { named_by, .. } => named_by.to_string(),
            Self::HomeFile(path) => shown(path),
        }
    }

    pub(super) fn read(&self, report: &Report) -> Result<Zeroizing<String>> {
        match self {
            Self::Text { text, .. } => Ok(text.clone()),
            Self::File { path, .. } => read_key_file(path, Some(report)),
            Self::Command { named_by, command } => command::read(*named_by, command),
            Self::HomeFile(path) => {
                check_private(path)?;
                read_key_file(path, Some(report))
            }
        }
    }
}

/// A place that a master key can come from, and what was found there.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(super) kind: KeySource,
    pub(crate) found: Found,
}

impl Place {
    /// What was found, in words.
    pub(crate) fn words(&self) -> String {
        match &self.found {
            Found::Nothing if matches!(self.kind, KeySource::Credential | KeySource::Home) => "not there".to_owned(),
            Found::Nothing => "not set".to_owned(),
            Found::Outranked => "set, but outranked".to_owned(),
            Found::Key(key) => format!("key {}", derive::id(key, NonZeroUsize::MIN)),
            Found::Failed(_) => "set, but unusable".to_owned(),
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        !matches!(self.found, Found::Nothing)
    }
}

/// What was found at a place.
pub(crate) enum Found {
    /// Nothing is set there.
    Nothing,
    /// Something is set, but a place before it outranks it, so nobody looked at it.
    Outranked,
    Key(Rc<Master>),
    Failed(Failure),
}

/// All places in their order, and what is found in each. Runs a key command where one counts.
pub(crate) fn places(options: KeyOptions<'_>, report: &Report) -> Vec<Place> {
    let candidates = candidates(options);
    let first = candidates.iter().filter(|candidate| candidate.source.is_some()).map(|candidate| candidate.rank).min();
    let look = |Candidate { rank, kind, name, source }: Candidate| {
        let Some(source) = source else { return Place { name: name.to_owned(), kind, found: Found::Nothing } };
        let name = source.name();
        let found = if first.is_some_and(|first| first < rank) {
            Found::Outranked
        } else {
            source.read(report).and_then(|text| parse(&text, &name)).map_or_else(Found::Failed, Found::Key)
        };
        Place { name, kind, found }
    };
    candidates.into_iter().map(look).collect()
}

/// The sources that count: all that are set of the first rank that has any.
pub(super) fn sources(options: KeyOptions<'_>) -> Vec<Source> {
    let set: Vec<(Rank, Source)> =
        candidates(options).into_iter().filter_map(|candidate| Some((candidate.rank, candidate.source?))).collect();
    let first = set.first().map(|(rank, _)| *rank);
    set.into_iter().filter(|(rank, _)| Some(*rank) == first).map(|(_, source)| source).collect()
}

/// A place where a master key may be.
struct Candidate {
    rank: Rank,
    kind: KeySource,
    /// The name of the place, while nothing is there.
    name: &'static str,
    /// None where nothing is set.
    source: Option<Source>,
}

/// All places in their order. An empty variable is as good as none.
fn candidates(options: KeyOptions<'_>) -> [Candidate; 7] {
    let file = |named_by, path: PathBuf| Source::File { named_by, path };
    let option = options
        .command
        .map(|command| Source::Command { named_by: NamedBy::Option("--key-command"), command: command.to_owned() });
    let credential = env::var_os("CREDENTIALS_DIRECTORY")
        .map(|directory| Path::new(&directory).join(CREDENTIAL))
        // What cannot be looked at counts: reading it says why.
        .filter(|path| !matches!(path.try_exists(), Ok(false)));
    let is_there = |path: &PathBuf| match path.symlink_metadata() {
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        Ok(_) => true,
    };
    let home = variable("HOME").map(|home| Path::new(&home).join(HOME_FILE)).filter(is_there);
    let place = |rank, kind, name, source| Candidate { rank, kind, name, source };
    let option_file = options.file.map(|path| file("--key-file", path.to_owned()));
    let credential = credential.map(|path| file("the credential", path));
    [
        place(Rank::Option, KeySource::Option, "--key-file", option_file),
        place(Rank::Option, KeySource::Command, "--key-command", option),
        place(Rank::Environment, KeySource::Variable, KEY, text_variable(KEY)),
        place(Rank::Environment, KeySource::Variable, KEY_FILE, file_variable(KEY_FILE)),
        place(Rank::Environment, KeySource::Command, KEY_COMMAND, command_variable(KEY_COMMAND)),
        place(Rank::Environment, KeySource::Credential, "$CREDENTIALS_DIRECTORY/proxmox_mcp_master_key", credential),
        place(Rank::Home, KeySource::Home, "~/.proxmox_mcp_key", home.map(Source::HomeFile)),
    ]
}

/// The lines with which a shell takes the key in `file` for the master key: where a variable names a key file already it
/// must name the new one, as two keys that differ are refused.
pub(crate) fn exports(file: &Path) -> String {
    let as_text = format!("  export {KEY}=\"$(cat {})\"", quoted_path(file));
    if file_variable(KEY_FILE).is_none() {
        return as_text;
    }
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let by_name = format!("  export {KEY_FILE}={}", quoted(absolute));
    if text_variable(KEY).is_some() { format!("{as_text}\n{by_name}") } else { by_name }
}

/// What kind of place the master key came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// `--key-file`.
    Option,
    /// `--key-command` or its variable.
    Command,
    /// PROXMOX_MCP_MASTER_KEY or PROXMOX_MCP_MASTER_KEY_FILE.
    Variable,
    Credential,
    /// `~/.proxmox_mcp_key`.
    Home,
    Prompt,
}

pub(super) fn previous_sources() -> impl Iterator<Item = Source> {
    let others = file_variable(PREVIOUS_FILE).into_iter().chain(command_variable(PREVIOUS_COMMAND));
    text_variable(PREVIOUS).into_iter().chain(others)
}

fn file_variable(name: &'static str) -> Option<Source> {
    variable(name).map(|path| Source::File { named_by: name, path: path.into() })
}

fn text_variable(variable: &'static str) -> Option<Source> {
    let value = Zeroizing::new(env::var_os(variable)?.into_encoded_bytes());
    // What is not UTF-8 is no key; the replacement character makes the message say so.
    let text = Zeroizing::new(String::from_utf8_lossy(&value).into_owned());
    (!text.trim().is_empty()).then_some(Source::Text { variable, text })
}

fn command_variable(name: &'static str) -> Option<Source> {
    variable(name).map(|command| Source::Command { named_by: NamedBy::Variable(name), command })
}

/// Refuses a key file that is not the user's own, or that others can use.
fn check_private(path: &Path) -> Result<()> {
    let refused = |flaw| Err(KeyFailure::HomeFile { path: path.to_owned(), flaw }.into());
    let meta = match path.metadata() {
        Ok(meta) => meta,
        Err(error) => return refused(HomeFileFlaw::Unreadable(error.into())),
    };
    let mode = meta.permissions().mode() & 0o777;
    if !meta.is_file() {
        refused(HomeFileFlaw::NotRegular)
    } else if meta.uid() != geteuid().as_raw() {
        refused(HomeFileFlaw::OfAnotherUser)
    } else if mode & 0o077 != 0 {
        refused(HomeFileFlaw::OpenToOthers { mode })
    } else {
        Ok(())
    }
}

/// Reads a key file's text. A warning, where one is wanted, if others can read it too.
fn read_key_file(path: &Path, report: Option<&Report>) -> Result<Zeroizing<String>> {
    let unreadable = |error: std::io::Error| {
        if path.to_str().is_some_and(is_key_text) {
            return KeyFailure::KeyForFile;
        }
        KeyFailure::FileUnreadable { path: path.to_owned(), error: error.into() }
    };
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if let Some(report) = report
        && meta.is_file()
        && meta.permissions().mode() & 0o077 != 0
    {
        report.warn(format_args!(
            "key file {} can be used by others (mode {:03o}): chmod 600 it",
            shown(path),
            meta.permissions().mode() & 0o777
        ));
    }
    let mut text = Zeroizing::new(String::with_capacity(256));
    file.take(MAX_KEY_FILE).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// Reads the master key in the file at `path`.
pub(crate) fn from_file(path: &Path, report: &Report) -> Result<Rc<Master>> {
    parse(&read_key_file(path, Some(report))?, &shown(path))
}

/// As [`from_file`], for a file that nobody named: no warning.
pub(super) fn from_file_silently(path: &Path) -> Result<Rc<Master>> {
    parse(&read_key_file(path, None)?, &shown(path))
}

/// Reads key text; a slip that is often made gets words of its own.
pub(super) fn parse(text: &str, source: &str) -> Result<Rc<Master>> {
    let parsed = stack::wiped_after::<USED_STACK, _>(|| MasterKey::from_text(text).map(|key| Rc::new(key.into())));
    parsed.map_err(|error| {
        let text = text.trim();
        let quoted = |quote| text.starts_with(quote) || text.ends_with(quote);
        let flaw = if text.starts_with("your-") {
            KeyTextFlaw::GuidesPlaceholder
        } else if text.starts_with('{') {
            KeyTextFlaw::Json
        } else if quoted('"') || quoted('\'') {
            KeyTextFlaw::Quotes
        } else {
            match error {
                Error::KeyEmpty => KeyTextFlaw::Empty,
                Error::KeyPadding => KeyTextFlaw::Padding { characters: text.chars().count() },
                _ => KeyTextFlaw::NotBase64,
            }
        };
        KeyFailure::Invalid { place: source.to_owned(), flaw }.into()
    })
}
