//! Where master keys come from, and the opening and sealing of many tokens at once.
//! Never an argument; two sources that disagree are an error; the prompt is the last resort.
//! Keys named PREVIOUS open and never seal.

use std::env;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fernseal_core::token::{self, Format};
use fernseal_core::{Error, Key, MasterKey, stack};
use getrandom::SysRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::derive::{self, Derived, Master, Task};
use crate::document::{Document, Sealed};
use crate::failure::{Exit, Failure, Result};
use crate::report::{Report, is_key_text, quoted, quoted_path, shown};
use crate::{USED_STACK, terminal};

const KEY: &str = "PROXMOX_MCP_MASTER_KEY";
const KEY_FILE: &str = "PROXMOX_MCP_MASTER_KEY_FILE";
const PREVIOUS: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS";
const PREVIOUS_FILE: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS_FILE";
const CREDENTIAL: &str = "proxmox_mcp_master_key";

/// The variables that hold a master key or lead to one.
pub(crate) const VARIABLES: [&str; 4] = [KEY, KEY_FILE, PREVIOUS, PREVIOUS_FILE];

/// No key file is longer; whoever names a device or a log by mistake is told soon.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// The master key, then the previous ones.
///
/// Each stays where it is: a list of the keys themselves would leave copies behind when it grows.
pub(crate) struct Keyring(Vec<Rc<Master>>);

impl Keyring {
    /// Takes the keys from where they are; asks at the terminal if there is none.
    pub(crate) fn load(key_file: Option<&Path>, report: &Report) -> Result<Self> {
        let mut found: Option<(Rc<Master>, String)> = None;
        for source in sources(key_file) {
            let key = parse(&source.read(report)?, &source.name())?;
            report.trace(format_args!("master key from {}", source.name()));
            match &found {
                Some((first, name)) if !bool::from(first.ct_eq(&key)) => {
                    return Err(Failure::new(
                        Exit::Key,
                        format!("two different master keys: {name} and {}", source.name()),
                        "unset the one that is out of date",
                    ));
                }
                Some(_) => {}
                None => found = Some((key, source.name())),
            }
        }
        let current = match found {
            Some((key, _)) => key,
            None => match terminal::ask_secret("Master key: ")? {
                Some(text) => parse(&text, "the prompt")?,
                None => {
                    return Err(Failure::new(
                        Exit::Key,
                        "no master key: PROXMOX_MCP_MASTER_KEY is not set",
                        "set it (export PROXMOX_MCP_MASTER_KEY=\"$(cat KEYFILE)\"), or name a file with --key-file; \
                         `fernseal keygen` makes a new key",
                    ));
                }
            },
        };
        if current.is_short() {
            report.warn("the master key is shorter than 16 bytes, and can be guessed: rotate to a new one");
        }
        let mut keys = vec![current];
        for source in previous_sources() {
            let text = source.read(report)?;
            for part in text.split([',', '\n']).filter(|part| !part.trim().is_empty()) {
                keys.push(parse(part, &source.name())?);
            }
        }
        report.trace(format_args!("{} previous keys", keys.len() - 1));
        Ok(Self(keys))
    }

    /// Whether a master key is set anywhere but at the prompt.
    pub(crate) fn is_set(key_file: Option<&Path>) -> bool {
        !sources(key_file).is_empty()
    }

    /// The files that the master key would be read from.
    pub(crate) fn files(key_file: Option<&Path>) -> Vec<PathBuf> {
        let file = |source| match source {
            Source::File { path, .. } => Some(path),
            Source::Text { .. } => None,
        };
        sources(key_file).into_iter().filter_map(file).collect()
    }

    /// Only the given key.
    pub(crate) fn of(key: Rc<Master>) -> Self {
        Self(vec![key])
    }

    /// Adds a key, unless it is there already, and says at which place.
    pub(crate) fn add(&mut self, key: Rc<Master>) -> usize {
        self.place_of(&key).unwrap_or_else(|| {
            self.0.push(key);
            self.0.len() - 1
        })
    }

    /// The place of a key.
    pub(crate) fn place_of(&self, key: &MasterKey) -> Option<usize> {
        self.0.iter().position(|known| known.ct_eq(key).into())
    }

    /// All keys, the one that seals first.
    pub(crate) fn all(&self) -> &[Rc<Master>] {
        &self.0
    }

    /// The key that seals.
    pub(crate) fn current(&self) -> &Master {
        // There is always one: the constructors see to it.
        &self.0[0]
    }

    /// The key that seals, if it is long enough to.
    pub(crate) fn sealing(&self, allow_short: bool) -> Result<&Master> {
        if self.current().is_short() && !allow_short {
            return Err(Failure::new(
                Exit::Key,
                "the master key is shorter than 16 bytes: it opens, but does not seal",
                "make a new key with `fernseal keygen` and rotate to it; --allow-short-key seals all the same",
            ));
        }
        Ok(self.current())
    }
}

/// A secret, and what opened it.
pub(crate) struct Opened {
    pub(crate) plain: Zeroizing<Vec<u8>>,
    /// The place of the master key in the keyring.
    pub(crate) master: usize,
    pub(crate) key: Derived,
}

/// Opens `tokens`, each with the first of the keys that fits. No key is derived twice.
pub(crate) fn open(
    tokens: &[(&Document, &Sealed)],
    keys: &Keyring,
    threads: NonZeroUsize,
) -> Vec<std::result::Result<Opened, Error>> {
    let mut results: Vec<_> =
        tokens.iter().map(|(_, token)| Err(token.form.err().unwrap_or(Error::Unauthentic))).collect();
    for (index, master) in keys.all().iter().enumerate() {
        let (places, tasks): (Vec<usize>, Vec<Task<'_>>) = tokens
            .iter()
            .enumerate()
            .filter(|(place, _)| matches!(results.get(*place), Some(Err(Error::Unauthentic))))
            .filter_map(|(place, (_, token))| Some((place, Task { master, salt: *token.form.ok()?.0.salt() })))
            .unzip();
        for (place, key) in places.into_iter().zip(derive::keys(&tasks, threads)) {
            let Some(((document, token), result)) = tokens.get(place).zip(results.get_mut(place)) else { continue };
            *result = open_with(&key, token.text(document)).map(|plain| Opened { plain, master: index, key });
        }
    }
    results
}

/// Refuses keys that do not open what `document` holds already, where they are to seal something more in it: it would be
/// under two keys then, and none would open all of it. Of `others`, the tokens that stay, one is tried.
pub(crate) fn check_fit<'a>(
    document: &Document,
    mut others: impl Iterator<Item = &'a Sealed>,
    keys: &Keyring,
    threads: NonZeroUsize,
) -> Result<()> {
    let Some(token) = others.find(|token| token.form.is_ok()) else { return Ok(()) };
    if open(&[(document, token)], keys, threads).iter().any(std::result::Result::is_ok) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Unopened,
        format!("the other tokens of {} do not open with this key (tried: {})", document.name, token.pointer),
        "set the key they were sealed with (PROXMOX_MCP_MASTER_KEY), or rotate first; \
         `fernseal verify` says which tokens open; if that key is lost, put \"\" in the place of each of them first",
    ))
}

/// Seals each secret under a salt of its own (or the legacy one), as of the time `at`, and checks each token by opening it.
pub(crate) fn seal(
    master: &MasterKey,
    secrets: &[&str],
    legacy: bool,
    at: u64,
    threads: NonZeroUsize,
) -> Result<Vec<String>> {
    let failed = |error| {
        let next = "nothing was written; try again, and if it stays so report it";
        Failure::new(Exit::Other, format!("sealing failed: {error}"), next)
    };
    let format = |_| if legacy { Ok(Format::Legacy) } else { Format::salted(&mut SysRng) };
    let formats: Vec<Format> = secrets.iter().map(format).collect::<std::result::Result<_, _>>().map_err(failed)?;
    let tasks: Vec<Task<'_>> = formats.iter().map(|format| Task { master, salt: *format.salt() }).collect();
    let keys = derive::keys(&tasks, threads);
    let seal_one = |(secret, (format, key)): (&&str, (&Format, Derived))| {
        let mut out = vec![0; token::token_len(secret.len())];
        let sealed = token::seal_with(&key, format, secret.as_bytes(), at, &mut SysRng, &mut out)?.to_owned();
        match open_with(&key, &sealed) {
            Ok(plain) if *plain == secret.as_bytes() => Ok(sealed),
            _ => Err(Error::Unauthentic),
        }
    };
    secrets.iter().zip(formats.iter().zip(keys)).map(seal_one).collect::<std::result::Result<_, _>>().map_err(failed)
}

/// Opens one token with its derived key.
pub(crate) fn open_with(key: &Key, text: &str) -> std::result::Result<Zeroizing<Vec<u8>>, Error> {
    let mut plain = Zeroizing::new(vec![0; token::open_len(text.len())]);
    let len = token::open_with(key, text, &mut plain)?.len();
    plain.truncate(len);
    Ok(plain)
}

/// One place that a key can come from.
enum Source {
    Text { variable: &'static str, text: Zeroizing<String> },
    File { named_by: &'static str, path: PathBuf },
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::Text { variable, .. } => (*variable).to_owned(),
            Self::File { named_by, path } => format!("{named_by} {}", shown(path)),
        }
    }

    fn read(&self, report: &Report) -> Result<Zeroizing<String>> {
        match self {
            Self::Text { text, .. } => Ok(text.clone()),
            Self::File { path, .. } => read_key_file(path, report),
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

/// The sources that are set, the strongest first. An empty variable is as good as none.
fn sources(key_file: Option<&Path>) -> Vec<Source> {
    let file = |named_by, path: PathBuf| Source::File { named_by, path };
    let credential = env::var_os("CREDENTIALS_DIRECTORY")
        .map(|directory| Path::new(&directory).join(CREDENTIAL))
        .filter(|path| path.exists());
    [
        key_file.map(|path| file("--key-file", path.to_owned())),
        text_variable(KEY),
        file_variable(KEY_FILE),
        credential.map(|path| file("the credential", path)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn previous_sources() -> impl Iterator<Item = Source> {
    text_variable(PREVIOUS).into_iter().chain(file_variable(PREVIOUS_FILE))
}

fn file_variable(variable: &'static str) -> Option<Source> {
    crate::variable(variable).map(|path| Source::File { named_by: variable, path: path.into() })
}

fn text_variable(variable: &'static str) -> Option<Source> {
    let value = Zeroizing::new(env::var_os(variable)?.into_encoded_bytes());
    // What is not UTF-8 is no key; the replacement character makes the message say so.
    let text = Zeroizing::new(String::from_utf8_lossy(&value).into_owned());
    (!text.trim().is_empty()).then_some(Source::Text { variable, text })
}

/// Reads a key file's text. A warning if others can read it too.
fn read_key_file(path: &Path, report: &Report) -> Result<Zeroizing<String>> {
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
    if meta.is_file() && meta.permissions().mode() & 0o077 != 0 {
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
    parse(&read_key_file(path, report)?, &shown(path))
}

/// Reads key text; a slip that is often made gets words of its own.
fn parse(text: &str, source: &str) -> Result<Rc<Master>> {
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
