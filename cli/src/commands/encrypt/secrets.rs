//! Finds the values that `encrypt` seals: those at the guide's pointer, those that are named, and, on request, those
//! that look like secrets.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Arguments;

use fernseal_core::Error;
use fernseal_core::config::ValueKind;
use zeroize::Zeroizing;

use crate::commands::check::listed;
use crate::commands::check_length;
use crate::config::findings::Why;
use crate::config::naming::{NamedValues, find_leaves};
use crate::config::placeholder;
use crate::config::secrets_file::SecretsFile;
use crate::config::text::{ConfigText, Edits, Kind, Place, ValueError, classify};
use crate::context::Context;
use crate::env::SECRETS_FILE;
use crate::error::{ConfigFailure, Result};
use crate::output;
use crate::quote::{Pointer, one_line};

/// A value to seal.
pub(super) struct Secret<'d> {
    pub(super) pointer: Pointer,
    place: Place<'d>,
    pub(super) text: Zeroizing<String>,
    /// Why it looks like a secret, if nobody named it.
    pub(super) reason: Option<String>,
}

impl Secret<'_> {
    /// Prints where it is, and why it is sealed.
    pub(super) fn show(&self, document: &ConfigText) -> Result<()> {
        let reason = self.reason.as_ref().map_or_else(|| "plain text".to_owned(), |reason| format!("likely: {reason}"));
        output::result(format_args!("{} {}: {reason}", document.name, self.pointer))
    }
}

/// Returns the edits of `document` that replace `secrets` with `tokens`.
///
/// # Errors
/// Fails if the format does not allow a token there.
pub(super) fn sealed<'d>(document: &'d ConfigText, secrets: &[Secret<'_>], tokens: &[String]) -> Result<Edits<'d>> {
    let edit = |(secret, token): (&Secret<'_>, &String)| document.replace(&secret.pointer, &secret.place, token);
    Edits::new(document, secrets.iter().zip(tokens).map(edit).collect::<Result<_>>()?)
}

/// What counts as missing, and which messages are printed.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    /// One config. It must have the values that the command line names.
    One,
    /// Many configs. At least one of them must have these values.
    Many(&'a RefCell<Matches>),
    /// Configs that were checked before. No message is printed twice.
    Again,
}

/// The pointers and patterns of a search in many configs, and which of them have led to a value.
#[derive(Default)]
pub(super) struct Matches {
    /// The patterns of the settings, and whether each has matched anything.
    patterns: BTreeMap<String, bool>,
    /// The pointers and patterns of the command line that have led to a value.
    fields: BTreeSet<String>,
}

impl Matches {
    /// Reports whether `field` of the command line has led to a value.
    pub(super) fn has_matched(&self, field: &str) -> bool {
        self.fields.contains(field)
    }

    /// Returns the patterns of the settings that have matched nothing.
    pub(super) fn unmatched(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().filter(|(_, is_met)| !**is_met).map(|(pattern, _)| &**pattern)
    }
}

/// The values that the user wants to seal.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) fields: &'a NamedValues,
    pub(super) settings: &'a SecretsFile,
    /// Whether to include values that look like secrets.
    pub(super) found: bool,
    pub(super) placeholders: bool,
    pub(super) scope: Scope<'a>,
}

/// A value that the user wants to seal, before its state is checked.
struct SelectedValue<'d> {
    pointer: Pointer,
    place: Place<'d>,
    reason: Option<String>,
}

impl Request<'_> {
    /// Finds the requested values in `document` that are neither tokens nor placeholders.
    pub(super) fn find<'d>(&self, document: &'d ConfigText, context: &Context) -> Result<Vec<Secret<'d>>> {
        let mut secrets: Vec<Secret<'d>> = Vec::new();
        // Two pointers may lead to the same value.
        let mut starts = BTreeSet::new();
        for SelectedValue { pointer, place, reason } in self.selected_values(document, context)? {
            if !starts.insert(place.start()) {
                continue;
            }
            if place.kind != Kind::String {
                return Err(document.failure(&pointer, Error::NotAString));
            }
            match classify(&place) {
                ValueKind::Sealed => self.note(document, context, format_args!("{pointer} is encrypted already")),
                ValueKind::Lookalike => {
                    return Err(match document.token_from(place.start()) {
                        Some(token) => document.refusal(token, Error::Lookalike),
                        None => document.failure(&pointer, Error::Lookalike),
                    });
                }
                ValueKind::Placeholder if !self.placeholders => {
                    let form = place.text().ok().and_then(|text| placeholder::form(&text));
                    let form = form.unwrap_or("${…}");
                    let text = format_args!("{pointer} contains a placeholder ({form}), not a secret: not changed");
                    self.note(document, context, text);
                }
                ValueKind::Plain if place.is_empty_string() => {
                    self.note(document, context, format_args!("{pointer} is empty: not changed"));
                }
                ValueKind::Plain | ValueKind::Placeholder => {
                    let text = match place.text().map_err(|error| document.failure(&pointer, error)) {
                        Ok(text) => text.into_owned(),
                        Err(failure) if reason.is_some() => {
                            self.warn(document, context, format_args!("{}: not changed", failure.what()));
                            continue;
                        }
                        Err(failure) => return Err(failure),
                    };
                    if text.trim_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("enc")) {
                        let text = format_args!("{pointer} begins like a token, but is encrypted like any other value");
                        self.warn(document, context, text);
                    }
                    check_length(document, &pointer, text.len())?;
                    secrets.push(Secret { pointer, place, text, reason });
                }
            }
        }
        Ok(secrets)
    }

    /// Prints a note about a value that is left as it is. For many configs it is only a debug message, as there would
    /// be too many notes.
    fn note(&self, document: &ConfigText, context: &Context, text: Arguments<'_>) {
        match self.scope {
            Scope::One => context.report.note(text),
            Scope::Many(_) => context.report.trace(format_args!("{}: {text}", document.name)),
            Scope::Again => {}
        }
    }

    /// Prints a warning about a value that the user should check.
    fn warn(&self, document: &ConfigText, context: &Context, text: Arguments<'_>) {
        match self.scope {
            Scope::One => context.report.warn(text),
            Scope::Many(_) => context.report.warn(format_args!("{}: {text}", document.name)),
            Scope::Again => {}
        }
    }

    /// Returns the message that there is nothing to seal, with the pointers and patterns that were searched for.
    pub(super) fn nothing_in(&self, document: &ConfigText) -> String {
        let patterns =
            [&self.settings.secrets.patterns, &self.fields.patterns].into_iter().flat_map(|list| list.iter());
        let patterns = patterns.map(|(pattern, _)| one_line(pattern.as_str()).into_owned());
        let looked = self.settings.places(self.fields).map(|named| named.written.to_string()).chain(patterns).collect();
        let others = if self.found { "no other value looks like a secret" } else { "other values were not checked" };
        format!("Nothing to encrypt in {} at {}; {others}", document.name, listed(looked, "or"))
    }

    /// Returns the requested values: first those that pointers lead to, then those that patterns match or that are
    /// likely secrets.
    fn selected_values<'d>(&self, document: &'d ConfigText, context: &Context) -> Result<Vec<SelectedValue<'d>>> {
        let others_named = self.found || !self.fields.is_empty() || !self.settings.secrets.is_empty();
        let none = NamedValues::default();
        let optional = self.settings.places(&none).map(|named| (named, false));
        let wanted: Vec<_> = optional.chain(self.fields.pointers.iter().map(|named| (named, true))).collect();
        let exact: Vec<&str> = wanted.iter().map(|(named, _)| named.exact.as_str()).collect();
        let mut selected = Vec::new();
        for ((named, is_wanted), found) in wanted.into_iter().zip(document.find_all(&exact)) {
            let pointer = named.written.clone();
            let place = match found {
                Err(ValueError::Core(Error::NotFound)) if !matches!(self.scope, Scope::One) => continue,
                Err(ValueError::Core(Error::NotFound)) if !is_wanted && others_named => continue,
                Err(ValueError::Core(Error::NotFound)) if !is_wanted => {
                    return Err(ConfigFailure::NoTokenValue { config: document.path.clone() }.into());
                }
                found => found.map_err(|error| document.failure(&pointer, error))?,
            };
            document.check_replaceable(&pointer, &place)?;
            if let (Scope::Many(matches), true) = (self.scope, is_wanted) {
                matches.borrow_mut().fields.insert(String::from(&*pointer));
            }
            selected.push(SelectedValue { pointer, place, reason: None });
        }

        let named = selected.len();
        let mut patterns = [self.settings.secrets.patterns.clone(), self.fields.patterns.clone()];
        let mut ignored = self.settings.ignore.clone();
        let mut refused = Ok(());
        find_leaves(document, &mut patterns, self.found.then_some(&mut ignored), |leaf, why| {
            let (pointer, place) = (leaf.leaf.pointer.clone(), leaf.leaf.place.clone());
            let reason = match why {
                Why::Named(_) => None,
                Why::Likely(reason) => Some(reason.to_string()),
            };
            match (place.kind, document.check_replaceable(&pointer, &place)) {
                (Kind::String, Ok(())) => selected.push(SelectedValue { pointer, place, reason }),
                (Kind::String, Err(failure)) if reason.is_none() => refused = refused.clone().and(Err(failure)),
                (Kind::String, Err(failure)) => {
                    self.warn(document, context, format_args!("{}: not changed", failure.what()));
                }
                (Kind::Scalar, _) => self.warn(
                    document,
                    context,
                    format_args!(
                        "{pointer} is a number, true or false: not changed; `fernseal set` replaces it with a secret"
                    ),
                ),
                (Kind::Null | Kind::Map | Kind::List, _) => {}
            }
        })?;
        refused?;
        // Fail now if a name in a path occurs twice: with a token there, the config could no longer be opened.
        let pointers: Vec<&str> = selected[named..].iter().map(|value| &*value.pointer).collect();
        for (pointer, found) in pointers.iter().zip(document.find_all(&pointers)) {
            found.map_err(|error| document.failure(pointer, error))?;
        }
        let [of_settings, of_caller] = &patterns;
        match self.scope {
            Scope::One => {}
            Scope::Many(matches) => {
                let mut matches = matches.borrow_mut();
                let met = of_caller.iter().filter(|(_, is_met)| *is_met);
                matches.fields.extend(met.map(|(pattern, _)| pattern.as_str().to_owned()));
                for (pattern, is_met) in of_settings.iter() {
                    *matches.patterns.entry(pattern.as_str().to_owned()).or_default() |= is_met;
                }
                return Ok(selected);
            }
            Scope::Again => return Ok(selected),
        }
        if let Some((pattern, _)) = of_caller.iter().find(|(_, is_met)| !is_met) {
            return Err(document.failure(pattern.as_str(), Error::NotFound));
        }
        for (pattern, _) in of_settings.iter().filter(|(_, is_met)| !is_met) {
            context.report.note(format_args!(
                "{}, under secrets in {SECRETS_FILE}, matches nothing in {}",
                one_line(pattern.as_str()),
                document.name
            ));
        }
        Ok(selected)
    }
}
