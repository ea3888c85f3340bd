//! The keyring: one master key that opens and seals, and previous keys that only open.
//!
//! Where keys come from is defined in `source`.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;

use ctutils::CtEq;
use fernseal_core::MasterKey;

use crate::env::{self, KEY, KEY_COMMAND, KEY_FILE, Unset};
use crate::error::{Consequence, KeyCaveat, KeyFailure, KeySource, NoPrompt, ReadFrom, Result};
use crate::keys::double_encoding::warn_if_encoded_twice;
use crate::keys::left_behind::{self, LeftBehind};
use crate::keys::source::{KeyOptions, KeyPlace, PlaceContent, Source, parse, places, previous_sources, sources};
use crate::keys::{Master, derive};
use crate::output::Report;
use crate::output::terminal::Prompts;

/// The master key, followed by previous keys.
///
/// Keys are reference-counted and never move: a list of plain keys would leave copies in memory when it grows.
pub(crate) struct Keyring {
    keys: Vec<Rc<Master>>,
    /// The number of previous keys.
    previous: usize,
    /// Where the master key came from, for messages.
    source: (String, KeySource),
    /// The other keys, in files left by rotations. They are read on first use.
    left_behind: OnceCell<Vec<LeftBehind>>,
}

impl Keyring {
    /// Loads the keys from where the user set them, or asks for the master key at the terminal. A command calls this
    /// before it changes anything: the message after a cancelled prompt says that nothing was changed.
    pub(crate) fn load(options: &KeyOptions, report: &Report) -> Result<Self> {
        Self::from_places(places(options, report), options.prompts, report)
    }

    /// Loads the master key from what was found in `places`, and the previous keys. If no place has a master key, asks
    /// for it at the terminal.
    pub(crate) fn from_places(places: Vec<KeyPlace>, prompts: Prompts, report: &Report) -> Result<Self> {
        let mut found: Option<(Rc<Master>, (String, KeySource))> = None;
        for KeyPlace { name, kind, found: here } in places {
            let key = match here {
                PlaceContent::Nothing | PlaceContent::Overridden => continue,
                PlaceContent::Failed(failure) => return Err(failure),
                PlaceContent::Key(key) => key,
            };
            report.trace(format_args!("master key from {name}"));
            match &found {
                Some((first, (first_name, _))) if !bool::from(first.ct_eq(&key)) => {
                    let ids = derive::ids(&[first, &key]);
                    let first = (first_name.clone(), ids[0]);
                    return Err(KeyFailure::Two { first, second: (name, ids[1]) }.into());
                }
                Some(_) => {}
                None => found = Some((key, (name, kind))),
            }
        }
        let (current, source) = match found {
            Some(found) => found,
            None => {
                let text = prompts.ask_secret("Master key: ", &Consequence::NoKey)?.map_err(|why| {
                    // The absence of a terminal is not mentioned: it is normal for a service.
                    let unasked = (why == NoPrompt::Forbidden).then_some(why);
                    KeyFailure::NoneSet { variable: unset_variable(), unasked }
                })?;
                (parse(&text, "the prompt", ReadFrom::Prompt)?, ("the prompt".to_owned(), KeySource::Prompt))
            }
        };
        warn_if_encoded_twice(&current, &source.0, report);
        if current.is_short() {
            report.warn(KeyCaveat::Short);
        }
        let mut keys = vec![current];
        for source in previous_sources() {
            let text = source.read(report)?;
            for part in text.split([',', '\n']).filter(|part| !part.trim().is_empty()) {
                keys.push(parse(part, &source.name(), source.read_from())?);
            }
        }
        report.trace(format_args!("{} previous keys", keys.len() - 1));
        let previous = keys.len() - 1;
        Ok(Self { keys, previous, source, left_behind: OnceCell::new() })
    }

    /// Returns a keyring of keys that only open, in any order, or `None` if there is no key.
    pub(crate) fn to_open_with(keys: Vec<Rc<Master>>) -> Option<Self> {
        let source = ("the available keys".to_owned(), KeySource::Home);
        let previous = keys.len().checked_sub(1)?;
        Some(Self { keys, previous, source, left_behind: OnceCell::from(Vec::new()) })
    }

    /// Reports whether a master key is set anywhere, so that no prompt is needed.
    pub(crate) fn is_set(options: &KeyOptions) -> bool {
        !sources(options).is_empty()
    }

    /// Returns the files from which the master key would be read.
    pub(crate) fn files(options: &KeyOptions) -> Vec<PathBuf> {
        let file = |source| match source {
            Source::File { path, .. } | Source::HomeFile(path) => Some(path),
            Source::Text { .. } | Source::Command { .. } => None,
        };
        sources(options).into_iter().filter_map(file).collect()
    }

    /// Reports whether there are previous keys.
    pub(crate) fn has_previous(&self) -> bool {
        self.previous > 0
    }

    /// Returns the name of the place that the master key came from.
    pub(crate) fn source(&self) -> &str {
        &self.source.0
    }

    /// Returns the kind of place that the master key came from.
    pub(crate) fn source_kind(&self) -> KeySource {
        self.source.1
    }

    /// Returns the keys in files left by rotations, except those already in the keyring.
    pub(crate) fn left_behind(&self) -> &[LeftBehind] {
        self.left_behind.get_or_init(|| {
            // If the home directory is unreadable, the list is empty, as no file in it could be named.
            let mut left = left_behind::keys(left_behind::files().unwrap_or_default());
            left.retain(|left| self.place_of(&left.master).is_none());
            left
        })
    }

    /// Adds a key unless the keyring has it already. Returns its index.
    pub(crate) fn add(&mut self, key: Rc<Master>) -> usize {
        self.place_of(&key).unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }

    /// Returns the index of a key.
    pub(crate) fn place_of(&self, key: &MasterKey) -> Option<usize> {
        self.keys.iter().position(|known| known.ct_eq(key).into())
    }

    /// Returns all keys; the first one seals.
    pub(crate) fn all(&self) -> &[Rc<Master>] {
        &self.keys
    }

    /// Returns the key that seals.
    pub(crate) fn current(&self) -> &Master {
        // The constructors guarantee at least one key.
        &self.keys[0]
    }

    /// Returns the key that seals. Fails if it is too short, unless the user allows that.
    pub(crate) fn sealing(&self, allow_short: bool) -> Result<&Master> {
        if self.current().is_short() && !allow_short {
            return Err(KeyFailure::TooShortToSeal.into());
        }
        Ok(self.current())
    }
}

/// Returns the variable for the message that no master key is set: the first empty one, or PROXMOX_MCP_MASTER_KEY.
pub(crate) fn unset_variable() -> Unset {
    let empty = [KEY, KEY_FILE, KEY_COMMAND].into_iter().map(env::unset).find(Unset::is_empty);
    empty.unwrap_or_else(|| env::unset(KEY))
}
