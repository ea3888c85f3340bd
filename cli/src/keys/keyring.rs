//! The keys that a command works with: one that opens and seals, and previous ones that only open.

use std::cell::OnceCell;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::rc::Rc;

use ctutils::CtEq;
use fernseal_core::MasterKey;

use crate::error::{Absence, KeyFailure, Otherwise, Result};
use crate::keys::left_behind::{self, LeftBehind};
use crate::keys::source::{Found, KeyOptions, KeySource, Place, Source, parse, places, previous_sources, sources};
use crate::keys::{Master, derive};
use crate::output::Report;
use crate::output::terminal::Prompts;

/// The master key, then the previous ones.
///
/// Each stays where it is: a list of the keys themselves would leave copies behind when it grows.
pub(crate) struct Keyring {
    keys: Vec<Rc<Master>>,
    /// How many of the keys are previous ones.
    previous: usize,
    /// Where the master key came from, for messages.
    source: (String, KeySource),
    /// The other keys, in files that rotations left; read when they are asked for.
    left_behind: OnceCell<Vec<LeftBehind>>,
}

impl Keyring {
    /// Takes the keys from where they are; asks at the terminal if there is none. A command loads them before it changes
    /// anything, which is what the prompt says.
    pub(crate) fn load(options: KeyOptions<'_>, prompts: Prompts, report: &Report) -> Result<Self> {
        Self::from_places(places(options, report), prompts, report)
    }

    /// Takes the master key from what was found in `places`, and the previous keys; asks at the terminal if there is none.
    pub(crate) fn from_places(places: Vec<Place>, prompts: Prompts, report: &Report) -> Result<Self> {
        let mut found: Option<(Rc<Master>, (String, KeySource))> = None;
        for Place { name, kind, found: here } in places {
            let key = match here {
                Found::Nothing | Found::Outranked => continue,
                Found::Failed(failure) => return Err(failure),
                Found::Key(key) => key,
            };
            report.trace(format_args!("master key from {name}"));
            match &found {
                Some((first, (first_name, _))) if !bool::from(first.ct_eq(&key)) => {
                    let ids = derive::ids(&[first, &key], NonZeroUsize::MIN);
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
                let text = prompts.ask_secret("Master key: ", &Otherwise::NoKey)?.map_err(|why| {
                    // That there is no terminal is what a service expects.
                    KeyFailure::NoneSet { unasked: (why == Absence::Forbidden).then_some(why) }
                })?;
                (parse(&text, "the prompt")?, ("the prompt".to_owned(), KeySource::Prompt))
            }
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
        let previous = keys.len() - 1;
        Ok(Self { keys, previous, source, left_behind: OnceCell::new() })
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

    /// Whether there are previous keys.
    pub(crate) fn has_previous(&self) -> bool {
        self.previous > 0
    }

    /// The name of the place that the master key came from.
    pub(crate) fn source(&self) -> &str {
        &self.source.0
    }

    /// What kind of place that is.
    pub(crate) fn source_kind(&self) -> KeySource {
        self.source.1
    }

    /// The keys in files that rotations left, but for those that are at hand anyway.
    pub(crate) fn left_behind(&self) -> &[LeftBehind] {
        self.left_behind.get_or_init(|| {
            // A home that cannot be read holds none that could be named.
            let mut left = left_behind::keys(left_behind::files().unwrap_or_default());
            left.retain(|left| self.place_of(&left.master).is_none());
            left
        })
    }

    /// Adds a key, unless it is there already, and says at which place.
    pub(crate) fn add(&mut self, key: Rc<Master>) -> usize {
        self.place_of(&key).unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }

    /// The place of a key.
    pub(crate) fn place_of(&self, key: &MasterKey) -> Option<usize> {
        self.keys.iter().position(|known| known.ct_eq(key).into())
    }

    /// All keys, the one that seals first.
    pub(crate) fn all(&self) -> &[Rc<Master>] {
        &self.keys
    }

    /// The key that seals.
    pub(crate) fn current(&self) -> &Master {
        // There is always one: the constructors see to it.
        &self.keys[0]
    }

    /// The key that seals, if it is long enough to.
    pub(crate) fn sealing(&self, allow_short: bool) -> Result<&Master> {
        if self.current().is_short() && !allow_short {
            return Err(KeyFailure::TooShortToSeal.into());
        }
        Ok(self.current())
    }
}
