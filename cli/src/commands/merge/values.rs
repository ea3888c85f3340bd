//! Merges secrets by their pointers. Changes to adjacent lines conflict in git, even if each side has changed a
//! different value. A value that only one side has changed gets the same stand-in in all versions, so that it makes no
//! line differ.
//!
//! This is done for values in objects only: the same index may refer to different items in each version.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::secrets::Secrets;
use crate::config::placeholder;
use crate::config::text::{ConfigText, Kind, Place};
use crate::quote::Pointer;

/// The merged form of a value.
#[derive(Clone)]
pub(super) enum Value<'v> {
    Token(&'v str),
    /// A secret to seal.
    New(Zeroizing<String>),
}

/// The values that can be merged by their pointers.
#[derive(Default)]
pub(super) struct Settled<'v> {
    pub(super) values: Vec<Value<'v>>,
    /// The index of each value, by its pointer.
    pub(super) by_pointer: BTreeMap<Pointer, usize>,
    /// The pointers of the secrets that the two sides have changed differently.
    pub(super) differing: Vec<Pointer>,
}

impl<'v> Settled<'v> {
    pub(super) fn new(documents: &'v [ConfigText; 3], secrets: &Secrets<'_>) -> Self {
        let mut settled = Self::default();
        let tokens = documents.iter().flat_map(|document| &document.tokens).filter(|token| token.is_value());
        let pointers: BTreeSet<&str> =
            tokens.map(|token| &*token.pointer).filter(|pointer| !has_index(pointer)).collect();
        let pointers: Vec<&str> = pointers.into_iter().collect();
        let [base, ours, theirs] = documents.each_ref().map(|document| states(document, &pointers, secrets));
        for (((pointer, base), ours), theirs) in pointers.iter().zip(base).zip(ours).zip(theirs) {
            let (Some(base), Some(ours), Some(theirs)) = (base, ours, theirs) else { continue };
            if *base.said != *ours.said && *base.said != *theirs.said && *ours.said != *theirs.said {
                settled.differing.push((*pointer).to_owned().into());
            } else if let Some(value) = merged(&base, &ours, &theirs) {
                settled.by_pointer.insert((*pointer).to_owned().into(), settled.values.len());
                settled.values.push(value);
            }
        }
        settled
    }
}

/// Reports whether a step of the pointer may be the index of an item.
fn has_index(pointer: &str) -> bool {
    pointer.split('/').skip(1).any(|step| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A value in one version.
struct State<'v> {
    /// Its text; for a token, the opened secret.
    said: Zeroizing<String>,
    token: Option<&'v str>,
}

/// Returns the state of each value at `pointers` that is a string or scalar.
fn states<'v>(document: &'v ConfigText, pointers: &[&str], secrets: &Secrets<'_>) -> Vec<Option<State<'v>>> {
    let state = |place: Place<'_>| {
        if let Some(token) = document.token_at(&place) {
            let token = token.text(document);
            return Some(State { said: Zeroizing::new(secrets.secret_of(token).to_owned()), token: Some(token) });
        }
        let is_text = matches!(place.kind, Kind::String | Kind::Scalar);
        Some(State { said: place.text().ok().filter(|_| is_text)?.into_owned(), token: None })
    };
    document.find_all(pointers).into_iter().map(|place| place.ok().and_then(state)).collect()
}

/// Merges a value that at most one side has changed. Returns `None` if the result is plain text: the merge by lines
/// then writes it.
fn merged<'v>(base: &State<'v>, ours: &State<'v>, theirs: &State<'v>) -> Option<Value<'v>> {
    if *ours.said == *theirs.said {
        return match (ours.token, theirs.token) {
            (Some(ours), Some(theirs)) => Some(Value::Token(if Some(ours) == base.token { theirs } else { ours })),
            // One side has the value in plain text: it was plain text before, or that side has decrypted it.
            (Some(token), None) | (None, Some(token)) if Some(token) != base.token => Some(Value::Token(token)),
            _ => None,
        };
    }
    let (changed, other) = if *base.said == *ours.said { (theirs, ours) } else { (ours, theirs) };
    match (changed.token, other.token) {
        (Some(token), _) => Some(Value::Token(token)),
        // The other side has encrypted the value: the change must not make it plain text again.
        (None, Some(_)) if base.token.is_none() && !changed.said.is_empty() && !is_placeholder(&changed.said) => {
            Some(Value::New(changed.said.clone()))
        }
        (None, _) => None,
    }
}

fn is_placeholder(text: &str) -> bool {
    placeholder::form(text).is_some()
}
