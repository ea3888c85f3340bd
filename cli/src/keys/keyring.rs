//! The keys that a command works with: one that opens and seals, and previous ones that only open.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::rc::Rc;

use fernseal_core::MasterKey;
use subtle::ConstantTimeEq;

use crate::error::{Exit, Failure, Result};
use crate::keys::source::{Found, KeyOptions, Place, Source, parse, places, previous_sources, sources};
use crate::keys::{Master, derive};
use crate::output::{Report, terminal};

/// The master key, then the previous ones.
///
/// Each stays where it is: a list of the keys themselves would leave copies behind when it grows.
pub(crate) struct Keyring(Vec<Rc<Master>>);

impl Keyring {
    /// Takes the keys from where they are; asks at the terminal if there is none.
    pub(crate) fn load(options: KeyOptions<'_>, report: &Report) -> Result<Self> {
        Self::from_places(places(options, report), report)
    }

    /// Takes the master key from what was found in `places`, and the previous keys; asks at the terminal if there is none.
    pub(crate) fn from_places(places: Vec<Place>, report: &Report) -> Result<Self> {
        let mut found: Option<(Rc<Master>, String)> = None;
        for Place { name, found: here } in places {
            let key = match here {
                Found::Nothing | Found::Outranked => continue,
                Found::Failed(failure) => return Err(failure),
                Found::Key(key) => key,
            };
            report.trace(format_args!("master key from {name}"));
            match &found {
                Some((first, first_name)) if !bool::from(first.ct_eq(&key)) => {
                    let ids = derive::ids(&[first, &key], NonZeroUsize::MIN);
                    let [first_id, id] = &*ids else { unreachable!("two keys have two ids") };
                    let what = format!("two different master keys: {first_name} ({first_id}) and {name} ({id})");
                    return Err(Failure::new(Exit::Key, what, "unset the one that is out of date"));
                }
                Some(_) => {}
                None => found = Some((key, name)),
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
    pub(crate) fn is_set(options: KeyOptions<'_>) -> bool {
        !sources(options).is_empty()
    }

    /// The files that the master key would be read from.
    pub(crate) fn files(options: KeyOptions<'_>) -> Vec<PathBuf> {
        let file = |source| match source {
            Source::File { path, .. } | Source::HomeFile(path) => Some(path),
            Source::Text { .. } | Source::Command { .. } => None,
        };
        sources(options).into_iter().filter_map(file).collect()
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
