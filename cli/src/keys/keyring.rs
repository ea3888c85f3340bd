//! The keys that a command works with: one that opens and seals, and previous ones that only open.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use fernseal_core::MasterKey;
use subtle::ConstantTimeEq;

use crate::error::{Exit, Failure, Result};
use crate::keys::Master;
use crate::keys::source::{Source, parse, previous_sources, sources};
use crate::output::{Report, terminal};

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
