//! The places that a master key can come from, and their precedence: options, then environment variables, then a file
//! in the home directory.
//!
//! To add a source, begin here (CONTRIBUTING names the other files). Which keys a command then works with is defined in `keyring`.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fernseal_core::{Error, MasterKey, stack};
use rustix::fs::StatVfsMountFlags;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use crate::env::{
    self, KEY, KEY_COMMAND, KEY_FILE, KEY_VARIABLES, PREVIOUS, PREVIOUS_COMMAND, PREVIOUS_FILE, USED_STACK, variable,
};
use crate::error::{
    Failure, HomeFileFlaw, KeyCaveat, KeyFailure, KeySource, KeyTextFlaw, NamedBy, ReadFrom, Refused, Result,
};
use crate::keys::double_encoding::warn_if_encoded_twice;
use crate::keys::{Master, command, derive};
use crate::output::Report;
use crate::output::terminal::Prompts;
use crate::quote::{is_key_text, shown};
use crate::store::owners;

const CREDENTIAL: &str = "proxmox_mcp_master_key";

/// The limit on what is read from a key file, in bytes: a device or a log that was named by mistake then fails quickly.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// The default key file in the home directory.
const HOME_FILE: &str = ".proxmox_mcp_key";

/// The options that name the master key, and whether the user may be asked for it. `file` and `command` can both be set:
/// clap refuses that only if the two stand on the same side of the verb. Then they must name the same key.
pub(crate) struct KeyOptions {
    /// The value of `--key-file`.
    pub(crate) file: Option<PathBuf>,
    /// The value of `--key-command`.
    pub(crate) command: Option<OsString>,
    pub(crate) prompts: Prompts,
}

impl KeyOptions {
    /// Reports whether an option names the key.
    pub(crate) fn is_any(&self) -> bool {
        self.file.is_some() || self.command.is_some()
    }
}

/// The precedence of places. If a place of one rank has a key, later ranks are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Option,
    /// A variable or systemd's credential. Two of them with different keys are an error.
    Environment,
    Home,
}

/// A source of key text that is set.
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
    /// The file in the home directory. As the user did not name it, it must be private to the user.
    HomeFile(PathBuf),
}

impl Source {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Text { variable, .. } => (*variable).to_owned(),
            Self::File { named_by, path } => format!("{named_by} {}", shown(path)),
            // The name only: the command line itself may contain a secret.
            Self::Command { named_by, .. } => named_by.to_string(),
            Self::HomeFile(path) => shown(path),
        }
    }

    /// Returns what the key's text is read from.
    pub(super) fn read_from(&self) -> ReadFrom {
        match self {
            Self::Text { variable, .. } => ReadFrom::Variable(variable),
            Self::File { .. } | Self::HomeFile(_) => ReadFrom::File,
            Self::Command { .. } => ReadFrom::Command,
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

/// A place that a master key can come from, with what was found there.
pub(crate) struct KeyPlace {
    pub(crate) name: String,
    pub(super) kind: KeySource,
    pub(crate) found: PlaceContent,
}

impl KeyPlace {
    /// Describes what was found.
    pub(crate) fn words(&self) -> String {
        match &self.found {
            PlaceContent::Nothing if matches!(self.kind, KeySource::Credential | KeySource::Home) => {
                "not there".to_owned()
            }
            PlaceContent::Nothing if env::is_empty(&self.name) => "empty, which counts as not set".to_owned(),
            PlaceContent::Nothing => "not set".to_owned(),
            PlaceContent::Overridden => "set, but not used: another source has priority".to_owned(),
            PlaceContent::Key(key) => format!("key {}", derive::id(key)),
            PlaceContent::Failed(_) => "set, but unusable".to_owned(),
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        !matches!(self.found, PlaceContent::Nothing)
    }
}

/// What was found at a place.
pub(crate) enum PlaceContent {
    /// Nothing is set there.
    Nothing,
    /// Something is set there, but another place takes precedence, so it was not read.
    Overridden,
    Key(Rc<Master>),
    Failed(Failure),
}

/// Reads all places, in order of precedence. Runs a key command only if no place takes precedence over it.
pub(crate) fn places(options: &KeyOptions, report: &Report) -> Vec<KeyPlace> {
    let places = unread_places(options);
    let first = places.iter().filter(|place| place.source.is_some()).map(|place| place.rank).min();
    let look = |UnreadPlace { rank, kind, name, source }: UnreadPlace| {
        let Some(source) = source else {
            return KeyPlace { name: name.to_owned(), kind, found: PlaceContent::Nothing };
        };
        let (name, read_from) = (source.name(), source.read_from());
        let found = if first.is_some_and(|first| first < rank) {
            PlaceContent::Overridden
        } else {
            source
                .read(report)
                .and_then(|text| parse(&text, &name, read_from))
                .map_or_else(PlaceContent::Failed, PlaceContent::Key)
        };
        KeyPlace { name, kind, found }
    };
    places.into_iter().map(look).collect()
}

/// Returns the sources that apply: all that are set in the first rank that has any.
pub(super) fn sources(options: &KeyOptions) -> Vec<Source> {
    let set: Vec<(Precedence, Source)> =
        unread_places(options).into_iter().filter_map(|place| Some((place.rank, place.source?))).collect();
    let first = set.first().map(|(rank, _)| *rank);
    set.into_iter().filter(|(rank, _)| Some(*rank) == first).map(|(_, source)| source).collect()
}

/// Reports whether commands read the key in `path` by default: it is `~/.proxmox_mcp_key`, and no variable outranks
/// that.
pub(crate) fn is_default_key_file(path: &Path) -> bool {
    let same = |home: &Path| matches!((home.canonicalize(), path.canonicalize()), (Ok(home), Ok(path)) if home == path);
    let no_options = KeyOptions { file: None, command: None, prompts: Prompts::new(true) };
    matches!(sources(&no_options).as_slice(), [Source::HomeFile(home)] if same(home))
}

/// Returns the key command, whether or not it takes precedence.
pub(super) fn key_command(options: &KeyOptions) -> Option<Source> {
    let is_command = |place: &UnreadPlace| matches!(place.source, Some(Source::Command { .. }));
    unread_places(options).into_iter().find(is_command)?.source
}

/// A place that a master key can come from, before it is read.
struct UnreadPlace {
    rank: Precedence,
    kind: KeySource,
    /// The name of the place, for messages if nothing is set there.
    name: &'static str,
    /// What is set there, if anything.
    source: Option<Source>,
}

/// Lists all places in order of precedence. An empty variable counts as unset.
fn unread_places(options: &KeyOptions) -> [UnreadPlace; 7] {
    let file = |named_by, path: PathBuf| Source::File { named_by, path };
    let option =
        options.command.clone().map(|command| Source::Command { named_by: NamedBy::Option("--key-command"), command });
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY")
        .map(|directory| Path::new(&directory).join(CREDENTIAL))
        // If the file's existence is unknown, it counts as set: reading it then reports why.
        .filter(|path| !matches!(path.try_exists(), Ok(false)));
    let is_there = |path: &PathBuf| match path.symlink_metadata() {
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        Ok(_) => true,
    };
    let home = home_file().filter(is_there);
    let place = |rank, kind, name, source| UnreadPlace { rank, kind, name, source };
    let option_file = options.file.clone().map(|path| file("--key-file", path));
    let credential = credential.map(|path| file("the credential", path));
    [
        place(Precedence::Option, KeySource::Option, "--key-file", option_file),
        place(Precedence::Option, KeySource::Command, "--key-command", option),
        place(Precedence::Environment, KeySource::Variable, KEY, text_variable(KEY)),
        place(Precedence::Environment, KeySource::Variable, KEY_FILE, file_variable(KEY_FILE)),
        place(Precedence::Environment, KeySource::Command, KEY_COMMAND, command_variable(KEY_COMMAND)),
        place(
            Precedence::Environment,
            KeySource::Credential,
            "$CREDENTIALS_DIRECTORY/proxmox_mcp_master_key",
            credential,
        ),
        place(Precedence::Home, KeySource::Home, "~/.proxmox_mcp_key", home.map(Source::HomeFile)),
    ]
}

pub(super) fn previous_sources() -> impl Iterator<Item = Source> {
    let others = file_variable(PREVIOUS_FILE).into_iter().chain(command_variable(PREVIOUS_COMMAND));
    text_variable(PREVIOUS).into_iter().chain(others)
}

fn file_variable(name: &'static str) -> Option<Source> {
    variable(name).map(|path| Source::File { named_by: name, path: path.into() })
}

fn text_variable(variable: &'static str) -> Option<Source> {
    let value = Zeroizing::new(std::env::var_os(variable)?.into_encoded_bytes());
    // Invalid UTF-8 is never a valid key. With the replacement character, parsing fails with the right message.
    let text = Zeroizing::new(String::from_utf8_lossy(&value).into_owned());
    (!text.trim().is_empty()).then_some(Source::Text { variable, text })
}

fn command_variable(name: &'static str) -> Option<Source> {
    variable(name).map(|command| Source::Command { named_by: NamedBy::Variable(name), command })
}

/// Fails if other users can access a key file. The rules about its owner are those for every key file.
fn check_private(path: &Path) -> Result<()> {
    let refused = |flaw| Err(KeyFailure::HomeFile { path: path.to_owned(), flaw }.into());
    let meta = match path.metadata() {
        Ok(meta) => meta,
        Err(error) => return refused(HomeFileFlaw::Unreadable(error.into())),
    };
    let mode = meta.permissions().mode() & 0o777;
    if !meta.is_file() {
        refused(HomeFileFlaw::NotRegular)
    } else if mode & 0o077 != 0 {
        refused(HomeFileFlaw::OpenToOthers { mode })
    } else {
        Ok(())
    }
}

/// The directories in which Docker, Compose and Kubernetes put secrets.
const SECRETS: [&str; 2] = ["/run/secrets", "/var/run/secrets"];

/// Reports whether a key file needs no warning about its mode: other users can only read it, and the user cannot change
/// its mode. This is so for the files that systemd, Kubernetes and Compose create (0440 or 0444): files of root, files
/// in a directory of secrets, and files on a read-only file system.
fn is_handed_over(path: &Path, file: &File, meta: &Metadata) -> bool {
    if meta.permissions().mode() & 0o022 != 0 {
        return false;
    }
    let credentials = variable("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let is_in = |directory: PathBuf| {
        let real = |path: &Path| path.canonicalize().ok();
        real(&directory).zip(real(path)).is_some_and(|(directory, path)| path.starts_with(directory))
    };
    let is_read_only =
        || rustix::fs::fstatvfs(file).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY));
    meta.uid() == 0 && !geteuid().is_root()
        || credentials.into_iter().chain(SECRETS.map(PathBuf::from)).any(is_in)
        || is_read_only()
}

/// Reads a key file's text. With a `report`, warns if other users can access the file.
fn read_key_file(path: &Path, report: Option<&Report>) -> Result<Zeroizing<String>> {
    let unreadable = |error: std::io::Error| {
        if path.to_str().is_some_and(is_key_text) {
            return KeyFailure::KeyForFile;
        }
        match Refused::of(&error) {
            Some(refused) => KeyFailure::FileNotUsed { path: path.to_owned(), refused },
            None => KeyFailure::FileUnreadable { path: path.to_owned(), error: error.into() },
        }
    };
    owners::check_links(path).map_err(unreadable)?;
    let file = File::open(path).map_err(unreadable)?;
    owners::check_owner(&file, path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if let Some(report) = report
        && meta.is_file()
        && meta.permissions().mode() & 0o077 != 0
        && !is_handed_over(path, &file, &meta)
    {
        let owner = Some(meta.uid()).filter(|owner| ![0, *owner].contains(&geteuid().as_raw()));
        let mode = meta.permissions().mode() & 0o777;
        report.advise(KeyCaveat::Shared { path: path.to_owned(), mode, owner });
    }
    let mut text = Zeroizing::new(String::with_capacity(256));
    file.take(MAX_KEY_FILE).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// Returns the path of the key file in the home directory, which need not exist.
pub(super) fn home_file() -> Option<PathBuf> {
    variable("HOME").map(|home| Path::new(&home).join(HOME_FILE))
}

/// Reads the master key in the file at `path`.
pub(crate) fn from_file(path: &Path, report: &Report) -> Result<Rc<Master>> {
    let key = parse(&read_key_file(path, Some(report))?, &shown(path), ReadFrom::File)?;
    warn_if_encoded_twice(&key, &shown(path), report);
    Ok(key)
}

/// Does the same as [`from_file`] without a warning, for a file that the user did not name.
pub(super) fn from_file_silently(path: &Path) -> Result<Rc<Master>> {
    parse(&read_key_file(path, None)?, &shown(path), ReadFrom::File)
}

/// Recognizes a text that is not a key by a common mistake.
fn common_mistake(text: &str) -> Option<KeyTextFlaw> {
    let named = |line: &str| {
        let line = line.trim().trim_start_matches("export ");
        let (name, value) = line.split_once('=')?;
        let is_name = name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        (is_name && !value.trim_matches('=').is_empty()).then(|| name.to_owned())
    };
    if let Some(name) = text.lines().find_map(named) {
        // Any other name could be part of a secret.
        return Some(KeyTextFlaw::Line { variable: KEY_VARIABLES.into_iter().find(|variable| *variable == name) });
    }
    let mut keys: Vec<&str> = text.split([' ', '\t', '\n', '\r', ',']).filter(|part| !part.is_empty()).collect();
    if let [one] = *keys
        && let Some((first, second)) = one.split_at_checked(KEY_TEXT_LEN)
    {
        keys = vec![first, second];
    }
    if keys.len() > 1 && keys.iter().all(|key| is_key_text(key)) {
        let are_same = keys.iter().all(|key| *key == keys[0]);
        return Some(if are_same {
            KeyTextFlaw::SameKeyTwice
        } else {
            KeyTextFlaw::SeveralKeys { number: keys.len() }
        });
    }
    if !text.contains('\n') && Path::new(text).is_file() {
        return Some(KeyTextFlaw::PathOfFile);
    }
    looks_like_path(text).then_some(KeyTextFlaw::LikePath)
}

/// Reports whether a text that is not a key begins like a path. Base64 may begin with `/`, but hardly with the name of
/// a directory.
fn looks_like_path(text: &str) -> bool {
    let root = || text.strip_prefix('/').and_then(|rest| rest.split_once('/'));
    ["./", "../", "~/"].iter().any(|start| text.starts_with(start))
        || root().is_some_and(|(first, _)| !first.is_empty() && Path::new("/").join(first).is_dir())
}

/// The length of the text of a 32-byte key.
const KEY_TEXT_LEN: usize = 44;

/// Parses key text. Common mistakes get messages of their own.
pub(super) fn parse(text: &str, place: &str, read_from: ReadFrom) -> Result<Rc<Master>> {
    let invalid = |flaw| KeyFailure::Invalid { place: place.to_owned(), read_from, flaw }.into();
    let parsed = stack::wiped_after::<USED_STACK, _>(|| {
        MasterKey::from_text(text).map(|key| (key.is_short(), Rc::new(key.into())))
    });
    // A short path can be read as base64.
    if !matches!(parsed, Ok((false, _)))
        && let Some(flaw) = common_mistake(text.trim())
    {
        return Err(invalid(flaw));
    }
    parsed.map(|(_, key)| key).map_err(|error| {
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
        invalid(flaw)
    })
}
