//! Replaces tokens with stand-ins, and stand-ins with tokens again.
//!
//! Equal secrets have equal stand-ins, so that git merges the texts as it would merge the opened ones. A stand-in looks
//! like a token, so that each format writes it as it writes tokens.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::secrets::Secrets;
use super::values::{Settled, Value};
use super::{BASE, NAMES, OURS, THEIRS};
use crate::config::text::{ConfigText, Edit};

/// The stand-ins of one merge.
pub(super) struct StandIns {
    /// The prefix of each stand-in. None of the texts contains it.
    prefix: String,
}

/// The number of digits of a stand-in.
const DIGITS: usize = 10;

impl StandIns {
    pub(super) fn new(texts: [&str; 3]) -> Self {
        let mut prefix = "enc:stand-in-for-secret-".to_owned();
        while texts.iter().any(|text| text.contains(&prefix)) {
            prefix.push('x');
        }
        // The digits after the prefix must not be read as a part of it.
        prefix.push('-');
        Self { prefix }
    }

    /// Returns the stand-in with this number.
    fn text(&self, number: usize) -> String {
        format!("{}{number:0DIGITS$}", self.prefix)
    }

    /// Returns the labels for conflicts. No version contains them.
    pub(super) fn labels(&self) -> [String; 3] {
        NAMES.map(|name| format!("{}{name}", self.prefix))
    }

    /// Splits a text at its stand-ins. Returns the text before each stand-in with its number, and the text after the
    /// last one.
    fn split<'t>(&self, text: &'t str) -> (Vec<(&'t str, usize)>, &'t str) {
        let (mut found, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once(&self.prefix) {
            let Some((number, after)) = after.split_at_checked(DIGITS) else { break };
            let Ok(number) = number.parse() else { break };
            found.push((before, number));
            rest = after;
        }
        (found, rest)
    }
}

/// A version with stand-ins.
pub(super) struct Marked<'v> {
    pub(super) text: Zeroizing<String>,
    /// The tokens that the stand-ins replace, in order; `None` for a settled value.
    tokens: Vec<Option<&'v str>>,
}

impl<'v> Marked<'v> {
    pub(super) fn new(
        document: &'v ConfigText,
        secrets: &Secrets<'_>,
        settled: &Settled<'_>,
        stand_ins: &StandIns,
    ) -> Self {
        let mut edits: Vec<(Edit, Option<&str>)> = Vec::new();
        let settled_at = |number: usize| stand_ins.text(secrets.count() + number);
        for token in &document.tokens {
            let text = token.text(document);
            edits.push(match settled.by_pointer.get(&token.pointer).filter(|_| token.is_value()) {
                Some(number) => (token.resealed(&settled_at(*number)), None),
                None => (token.resealed(&stand_ins.text(secrets.number_of(text))), Some(text)),
            });
        }
        // Some settled values are plain text in this version.
        for (pointer, number) in &settled.by_pointer {
            let plain = document.look_up(pointer).ok().filter(|place| document.token_at(place).is_none());
            let edit = plain.and_then(|place| document.replace(pointer, &place, &settled_at(*number)).ok());
            edits.extend(edit.map(|edit| (edit, None)));
        }
        edits.sort_by_key(|(edit, _)| edit.span.start);
        let mut text = Zeroizing::new(String::with_capacity(document.text.len()));
        let mut read = 0;
        for (edit, _) in &edits {
            text.push_str(&document.text[read..edit.span.start]);
            text.push_str(&edit.text);
            read = edit.span.end;
        }
        text.push_str(&document.text[read..]);
        Self { text, tokens: edits.into_iter().map(|(_, token)| token).collect() }
    }

    /// Returns the tokens that stand-ins replace.
    fn tokens(&self) -> BTreeSet<&'v str> {
        self.tokens.iter().copied().flatten().collect()
    }

    /// Returns how many stand-ins replace `token`.
    fn count(&self, token: &str) -> usize {
        self.tokens.iter().filter(|other| **other == Some(token)).count()
    }

    /// Returns the tokens of each line that contains any, once for each occurrence of the line.
    fn lines(&self, stand_ins: &StandIns) -> Lines<'_, 'v> {
        let mut lines: Lines<'_, 'v> = BTreeMap::new();
        let mut tokens = self.tokens.iter().copied();
        for line in self.text.split_inclusive('\n') {
            let count = stand_ins.split(line).0.len();
            if count > 0 {
                lines.entry(line.trim_end()).or_default().push(tokens.by_ref().take(count).collect());
            }
        }
        lines
    }
}

type Lines<'m, 'v> = BTreeMap<&'m str, Vec<Vec<Option<&'v str>>>>;

/// A part of the merged text.
pub(super) enum Part<'v> {
    Text(&'v str),
    Token(&'v str),
    /// A token in a conflict.
    InConflict(&'v str),
    /// A value that was merged by its pointer.
    Value(&'v Value<'v>),
}

impl<'v> Part<'v> {
    fn token(&self) -> Option<&'v str> {
        match self {
            Self::Token(token) | Self::Value(Value::Token(token)) => Some(token),
            _ => None,
        }
    }
}

/// Returns the merged text with tokens in place of stand-ins. Each line gets the tokens of a version that contains it:
/// those of ours if possible, unless only theirs has sealed the secret again.
pub(super) fn restore<'v>(
    merged: &'v str,
    marked: &[Marked<'v>; 3],
    stand_ins: &StandIns,
    secrets: &Secrets<'v>,
    settled: &'v Settled<'v>,
    marker_size: usize,
) -> Vec<Part<'v>> {
    let lines = marked.each_ref().map(|marked| marked.lines(stand_ins));
    let labels = stand_ins.labels();
    // The number of times that each line occurred so far, by version.
    let mut met: [BTreeMap<&str, usize>; 3] = Default::default();
    // The version that the current lines of a conflict come from.
    let mut conflict: Option<usize> = None;
    let tokens = marked.each_ref().map(Marked::tokens);
    // How often each token was used so far.
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    let mut parts = Vec::new();
    for line in merged.split_inclusive('\n') {
        let key = line.trim_end();
        let marks = |mark: char, version: usize| {
            key.strip_suffix(&labels[version]).is_some_and(|start| start.trim_end().chars().all(|char| char == mark))
        };
        let marker =
            [('|', BASE), ('<', OURS), ('>', THEIRS)].into_iter().find(|(mark, version)| marks(*mark, *version));
        if let Some((_, version)) = marker {
            conflict = (version != THEIRS).then_some(version);
            let start = key.len() - labels[version].len();
            parts.extend([&line[..start], NAMES[version], &line[key.len()..]].map(Part::Text));
            continue;
        }
        if conflict.is_some() && key.len() == marker_size && key.bytes().all(|byte| byte == b'=') {
            conflict = Some(THEIRS);
        }
        let (found, rest) = stand_ins.split(line);
        let mut from = [None; 3];
        for version in [BASE, OURS, THEIRS] {
            if !found.is_empty() && conflict.is_none_or(|conflict| conflict == version) {
                let count = met[version].entry(key).or_default();
                from[version] = lines[version].get(key).and_then(|times| times.get(*count).or(times.last()));
                *count += 1;
            }
        }
        for (at, (before, number)) in found.into_iter().enumerate() {
            parts.push(Part::Text(before));
            if let Some(value) = number.checked_sub(secrets.count()) {
                parts.push(Part::Value(&settled.values[value]));
                continue;
            }
            let token = |version: usize| from[version].and_then(|tokens: &Vec<Option<&'v str>>| *tokens.get(at)?);
            // Equal lines are interchangeable. A token that neither side has changed stays.
            let is_untouched =
                |token: &&str| tokens.iter().all(|tokens| tokens.contains(token)) && !used.contains_key(token);
            let untouched = [OURS, THEIRS].into_iter().filter_map(token).find(is_untouched);
            let mut token = untouched.filter(|_| conflict.is_none()).unwrap_or_else(|| {
                match (token(BASE), token(OURS), token(THEIRS)) {
                    (base, Some(ours), Some(theirs)) if base == Some(ours) => theirs,
                    (_, Some(token), _) | (_, None, Some(token)) | (Some(token), None, None) => token,
                    (None, None, None) => secrets.token_of(number),
                }
            });
            // A line that moved may ask for a token that an equal line has taken. It gets another one of the same secret.
            let is_taken =
                used.get(token).is_some_and(|times| marked.iter().all(|marked| marked.count(token) <= *times));
            if is_taken && conflict.is_none() {
                let is_free = |other: &&&str| is_untouched(other) && secrets.number_of(other) == number;
                token = tokens[OURS].iter().find(is_free).copied().unwrap_or(token);
            }
            *used.entry(token).or_default() += 1;
            parts.push(if conflict.is_some() { Part::InConflict(token) } else { Part::Token(token) });
        }
        parts.push(Part::Text(rest));
    }
    renew(&mut parts, marked, secrets);
    parts
}

/// Replaces tokens of the base with those of a side that has sealed their secrets again. The other side has changed
/// something else in the same lines: without this step, a rotation of one side would be lost there.
fn renew<'v>(parts: &mut [Part<'v>], marked: &[Marked<'v>; 3], secrets: &Secrets<'v>) {
    let [base, ours, theirs] = marked.each_ref().map(Marked::tokens);
    let mut used: BTreeSet<&str> = parts.iter().filter_map(Part::token).collect();
    for part in parts {
        let Part::Token(token) = part else { continue };
        if !base.contains(token) || ours.contains(token) && theirs.contains(token) {
            continue;
        }
        let side = if ours.contains(token) { &theirs } else { &ours };
        let is_new = |new: &&&str| {
            !base.contains(*new) && !used.contains(*new) && secrets.number_of(new) == secrets.number_of(token)
        };
        if let Some(new) = side.iter().find(is_new).copied() {
            used.insert(new);
            *token = new;
        }
    }
}
