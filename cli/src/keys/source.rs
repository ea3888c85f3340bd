//! Where master keys come from: an option, variables, files, a credential.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fernseal_core::{Error, MasterKey, stack};
use zeroize::Zeroizing;

use crate::env::{KEY, KEY_FILE, PREVIOUS, PREVIOUS_FILE, USED_STACK, variable};
use crate::error::{Exit, Failure, Result};
use crate::keys::Master;
use crate::output::Report;
use crate::quote::{is_key_text, quoted, quoted_path, shown};

const CREDENTIAL: &str = "proxmox_mcp_master_key";

/// No key file is longer; whoever names a device or a log by mistake is told soon.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// One place that a key can come from.
pub(super) enum Source {
    Text { variable: &'static str, text: Zeroizing<String> },
    File { named_by: &'static str, path: PathBuf },
}

/// What names a key file.
const OPTION: &str = "--key-file";
const THE_CREDENTIAL: &str = "the credential";

impl Source {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Text { variable, .. } => (*variable).to_owned(),
            Self::File { named_by, path } => format!("{named_by} {}", shown(path)),
        }
    }

    pub(super) fn kind(&self) -> KeySource {
        match self {
            Self::File { named_by: OPTION, .. } => KeySource::Option,
            Self::File { named_by: THE_CREDENTIAL, .. } => KeySource::Credential,
            Self::Text { .. } | Self::File { .. } => KeySource::Variable,
        }
    }

    pub(super) fn read(&self, report: &Report) -> Result<Zeroizing<String>> {
        match self {
            Self::Text { text, .. } => Ok(text.clone()),
            Self::File { path, .. } => read_key_file(path, Some(report)),
        }
    }
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

/// What to do so that the key in `file` is the master key from now on, in the place of the one from `present`.
pub(crate) fn make_permanent(file: &Path, present: KeySource) -> String {
    let option = format!("use --key-file {}", quoted_path(file));
    let exports: Vec<_> = exports(file).lines().map(|line| line.trim().to_owned()).collect();
    let exports = exports.join("; ");
    match present {
        KeySource::Option => format!("{option} from now on"),
        KeySource::Credential => format!("put the text in that file in the place of the credential {CREDENTIAL}"),
        KeySource::Variable => format!("set it, here and wherever the old key is set: {exports}"),
        KeySource::Prompt => format!("{option}, or set it for good: {exports}"),
    }
}

/// What kind of place the master key came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// `--key-file`.
    Option,
    /// PROXMOX_MCP_MASTER_KEY or PROXMOX_MCP_MASTER_KEY_FILE.
    Variable,
    Credential,
    Prompt,
}

/// The sources that are set, the strongest first. An empty variable is as good as none.
pub(super) fn sources(key_file: Option<&Path>) -> Vec<Source> {
    let file = |named_by, path: PathBuf| Source::File { named_by, path };
    let credential = env::var_os("CREDENTIALS_DIRECTORY")
        .map(|directory| Path::new(&directory).join(CREDENTIAL))
        // One that cannot be looked at counts: reading it says why.
        .filter(|path| !matches!(path.try_exists(), Ok(false)));
    [
        key_file.map(|path| file(OPTION, path.to_owned())),
        text_variable(KEY),
        file_variable(KEY_FILE),
        credential.map(|path| file(THE_CREDENTIAL, path)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(super) fn previous_sources() -> impl Iterator<Item = Source> {
    text_variable(PREVIOUS).into_iter().chain(file_variable(PREVIOUS_FILE))
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

/// Reads a key file's text. A warning, where one is wanted, if others can read it too.
fn read_key_file(path: &Path, report: Option<&Report>) -> Result<Zeroizing<String>> {
    let unreadable = |error: &std::io::Error| {
        if path.to_str().is_some_and(is_key_text) {
            let next = "put the key into a file of mode 600, and name that";
            return Failure::new(Exit::Key, "what is named as a key file is a master key itself", next);
        }
        let what = match error.kind() {
            std::io::ErrorKind::NotFound => format!("Key file not found: {}", shown(path)),
            _ => format!("key file {} cannot be read: {error}", shown(path)),
        };
        Failure::new(Exit::Key, what, "name a file that holds the master key's text and that you can read")
    };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let meta = file.metadata().map_err(|error| unreadable(&error))?;
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
    file.take(MAX_KEY_FILE).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
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
        let count = text.chars().count();
        let quoted = |quote| text.starts_with(quote) || text.ends_with(quote);
        let (what, next) = if text.starts_with("your-") {
            ("it is still the guide's placeholder".to_owned(), "put the key there that `fernseal keygen` made")
        } else if text.starts_with('{') {
            ("it is JSON, not a key".to_owned(), "were the config and the key file swapped?")
        } else if quoted('"') || quoted('\'') {
            ("there are quotes around it".to_owned(), "remove the quotes: they are part of the value here")
        } else {
            match error {
                Error::KeyEmpty => ("it is empty".to_owned(), "put the master key's text there"),
                Error::KeyPadding => (
                    format!(
                        "{count} characters; a 32-byte key has 44: is the final = missing, or a character too many?"
                    ),
                    "copy the whole key, with the = at its end",
                ),
                _ => ("it has a character that is not base64".to_owned(), "copy the key again, and nothing around it"),
            }
        };
        Failure::new(Exit::Key, format!("Invalid master key from {source}: {what}"), next)
    })
}
