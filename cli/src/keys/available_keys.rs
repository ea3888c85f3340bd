//! Finds all keys in the usual places, including those that no command would use now. `doctor DIR` uses it.

use std::path::PathBuf;
use std::rc::Rc;

use ctutils::CtEq;

use super::keyring::Keyring;
use super::left_behind;
use super::source::{KeyOptions, PlaceContent, from_file_silently, home_file, parse, places, previous_sources};
use crate::error::{Failure, KeyFailure};
use crate::keys::Master;
use crate::output::Report;
use crate::quote::shown;

/// A key, with the places where it was found.
pub(crate) struct AvailableKey {
    pub(crate) master: Rc<Master>,
    /// The places, for messages.
    pub(crate) names: Vec<String>,
    /// The files among them that rotations or users put into the home directory.
    pub(crate) files: Vec<PathBuf>,
    /// Whether commands seal with it now.
    pub(crate) is_current: bool,
}

/// Returns all available keys, each once, and the failures of the places that could not be read. The first key is the
/// one that commands seal with, if there is one.
pub(crate) fn available_keys(options: &KeyOptions, report: &Report) -> (Vec<AvailableKey>, Vec<Failure>) {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for place in places(options, report) {
        match place.found {
            PlaceContent::Key(key) => add(&mut found, key, place.name, None, true),
            PlaceContent::Failed(failure) => failures.push(failure),
            PlaceContent::Nothing | PlaceContent::Overridden => {}
        }
    }
    for source in previous_sources() {
        let text = match source.read(report) {
            Ok(text) => text,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        for part in text.split([',', '\n']).filter(|part| !part.trim().is_empty()) {
            match parse(part, &source.name(), source.read_from()) {
                Ok(key) => add(&mut found, key, source.name(), None, false),
                Err(failure) => failures.push(failure),
            }
        }
    }
    let in_home = left_behind::files().unwrap_or_else(|error| {
        failures.push(KeyFailure::LeftBehindUnreadable { error: error.into() }.into());
        Vec::new()
    });
    for file in home_file().filter(|file| file.is_file()).into_iter().chain(in_home) {
        match from_file_silently(&file) {
            Ok(key) => add(&mut found, key, shown(&file), Some(file), false),
            Err(failure) => failures.push(failure),
        }
    }
    (found, failures)
}

fn add(found: &mut Vec<AvailableKey>, key: Rc<Master>, name: String, file: Option<PathBuf>, is_current: bool) {
    let known = found.iter_mut().find(|known| known.master.ct_eq(&key).into());
    match known {
        Some(known) => {
            if !known.names.contains(&name) {
                known.names.push(name);
            }
            known.files.extend(file);
        }
        None => {
            found.push(AvailableKey { master: key, names: vec![name], files: file.into_iter().collect(), is_current });
        }
    }
}

/// Returns a keyring that tries all of `keys`, or `None` if there is none.
pub(crate) fn keyring_of(keys: &[AvailableKey]) -> Option<Keyring> {
    Keyring::to_open_with(keys.iter().map(|key| Rc::clone(&key.master)).collect())
}
