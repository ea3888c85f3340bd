//! Patterns over JSON Pointers: which values of a config a user means by `/mcpServers/*/env/*` or `**/password`.
//!
//! A pattern is a pointer (`/a/b`), or names joined by dots (`a.b`), of which a step may be
//! - `*`: any one step, or a part of a name (`/env/*_TOKEN`, `/*_PASSWORD`);
//! - `**`: any number of steps, including none.
//!
//! In the form with slashes, `~1` is a slash, `~0` a tilde (RFC 6901), and `~2` a literal asterisk. The first slash may
//! be omitted before `*` and `**`. The dotted form has no escapes, as everywhere in Fernseal.
//!
//! Matching backtracks to the last `**` and, within a name, to the last `*` only, so its time is bounded by the product
//! of the lengths for every pattern. This module depends on no file and no format.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::PatternFlaw;

/// A pattern that matches pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// As the user wrote it.
    text: String,
    steps: Vec<PatternStep>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PatternStep {
    /// `**`
    Levels,
    /// A name: the parts between its `*`, without escapes. A name without `*` has one part.
    Name(Vec<String>),
}

/// A text that is not a pattern, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidPattern {
    pub(crate) text: String,
    pub(crate) flaw: PatternFlaw,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let invalid = |flaw| InvalidPattern { text: text.to_owned(), flaw };
        let begins_with_wildcard = text.starts_with("*/") || text.starts_with("**/");
        let steps: Result<Vec<PatternStep>, PatternFlaw> = match text.strip_prefix('/') {
            _ if text.is_empty() => Err(PatternFlaw::Empty),
            Some(rest) => rest.split('/').map(|step| PatternStep::parse(step, true)).collect(),
            None if begins_with_wildcard => text.split('/').map(|step| PatternStep::parse(step, true)).collect(),
            None => text.split('.').map(|step| PatternStep::parse(step, false)).collect(),
        };
        Ok(Self { text: text.to_owned(), steps: steps.map_err(invalid)? })
    }

    /// Returns the pattern as the user wrote it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the only pointer (RFC 6901) that a pattern without wildcards matches, or `None` if it has wildcards.
    pub(crate) fn pointer(&self) -> Option<String> {
        let name = |step: &PatternStep| match step {
            PatternStep::Name(parts) => match parts.as_slice() {
                [name] => Some(format!("/{}", name.replace('~', "~0").replace('/', "~1"))),
                _ => None,
            },
            PatternStep::Levels => None,
        };
        self.steps.iter().map(name).collect()
    }

    /// Returns a text that every config with a match contains: the last part of a name in the pattern.
    pub(crate) fn word(&self) -> &str {
        let parts = self.steps.iter().rev().filter_map(|step| match step {
            PatternStep::Name(parts) => parts.iter().max_by_key(|part| part.len()),
            PatternStep::Levels => None,
        });
        parts.map(String::as_str).find(|part| !part.is_empty()).unwrap_or("")
    }

    /// Reports whether the pattern matches the value at `pointer` (RFC 6901).
    pub(crate) fn matches(&self, pointer: &str) -> bool {
        // `rest` is the unmatched rest of the pointer, with the slash before each step. `last` is where to continue if
        // a later step does not match: the last `**` then takes one more step.
        let (mut step, mut rest) = (0, pointer);
        let mut last: Option<(usize, &str)> = None;
        loop {
            match (self.steps.get(step), split_step(rest)) {
                (None, None) => return true,
                (Some(PatternStep::Levels), _) => {
                    last = Some((step + 1, rest));
                    step += 1;
                    continue;
                }
                (Some(PatternStep::Name(parts)), Some((name, after))) if parts_match(parts, &unescaped(name)) => {
                    (step, rest) = (step + 1, after);
                    continue;
                }
                _ => {}
            }
            let Some((from, (_, after))) = last.and_then(|(from, rest)| Some((from, split_step(rest)?))) else {
                return false;
            };
            last = Some((from, after));
            (step, rest) = (from, after);
        }
    }
}

impl PatternStep {
    fn parse(text: &str, is_escaped: bool) -> Result<Self, PatternFlaw> {
        if text == "**" {
            return Ok(Self::Levels);
        }
        if text.contains("**") {
            return Err(PatternFlaw::LevelsNotAlone);
        }
        let parts: Result<Vec<String>, PatternFlaw> =
            text.split('*').map(|part| if is_escaped { without_escapes(part) } else { Ok(part.to_owned()) }).collect();
        Ok(Self::Name(parts?))
    }
}

fn without_escapes(part: &str) -> Result<String, PatternFlaw> {
    let mut name = String::new();
    let mut chars = part.chars();
    while let Some(char) = chars.next() {
        name.push(match char {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                Some('2') => '*',
                _ => return Err(PatternFlaw::UnknownEscape),
            },
            other => other,
        });
    }
    Ok(name)
}

/// Returns the text of a pattern that matches only `pointer` (RFC 6901), for commands that a message suggests.
pub(crate) fn literal(pointer: &str) -> Cow<'_, str> {
    if pointer.contains('*') { Cow::Owned(pointer.replace('*', "~2")) } else { Cow::Borrowed(pointer) }
}

/// Returns the first step of a pointer, and the rest.
fn split_step(pointer: &str) -> Option<(&str, &str)> {
    let rest = pointer.strip_prefix('/')?;
    Some(rest.split_at(rest.find('/').unwrap_or(rest.len())))
}

/// Returns a step of a pointer without escapes.
fn unescaped(step: &str) -> Cow<'_, str> {
    // The order matters: `~01` is a tilde and a 1.
    if step.contains('~') { Cow::Owned(step.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(step) }
}

/// Reports whether `name` consists of the parts in order, with any text between two of them. It is enough to take the
/// first occurrence of each part: a later one would leave less of the name for the parts that follow.
fn parts_match(parts: &[String], name: &str) -> bool {
    let (first, last, middle) = match parts {
        [] => return false,
        [whole] => return whole == name,
        [first, middle @ .., last] => (first, last, middle),
    };
    let Some(mut rest) = name.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str())) else {
        return false;
    };
    for part in middle {
        let Some(at) = rest.find(part.as_str()) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Several patterns, and which of them have matched anything. Patterns without wildcards are looked up in a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patterns {
    parsed: Arc<Parsed>,
    /// For each pattern, whether it has matched anything.
    is_used: Vec<bool>,
}

/// The parsed patterns, which clones share.
#[derive(Debug, Default)]
struct Parsed {
    all: Vec<Pattern>,
    /// The indices of the patterns without wildcards, by pointer.
    literal: BTreeMap<String, Vec<usize>>,
    /// The indices of the patterns with wildcards.
    wild: Vec<usize>,
}

impl Patterns {
    pub(crate) fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, InvalidPattern> {
        let all: Vec<Pattern> =
            texts.into_iter().map(|text| Pattern::parse(text.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self::new(all))
    }

    pub(crate) fn new(all: Vec<Pattern>) -> Self {
        let mut literal: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut wild = Vec::new();
        for (at, pattern) in all.iter().enumerate() {
            match pattern.pointer() {
                Some(pointer) => literal.entry(pointer).or_default().push(at),
                None => wild.push(at),
            }
        }
        let is_used = vec![false; all.len()];
        Self { parsed: Arc::new(Parsed { all, literal, wild }), is_used }
    }

    /// Returns the first pattern that matches the value at `pointer`. Every pattern that matches counts as used.
    pub(crate) fn find(&mut self, pointer: &str) -> Option<&Pattern> {
        let Self { parsed, is_used } = self;
        let mut first = None;
        for at in parsed.literal.get(pointer).into_iter().flatten() {
            is_used[*at] = true;
            first.get_or_insert(*at);
        }
        for at in &parsed.wild {
            // A pattern that is already used and could not be the first match need not be tried.
            let is_first = first.is_none_or(|first| *at < first);
            if (is_first || !is_used[*at]) && parsed.all[*at].matches(pointer) {
                is_used[*at] = true;
                first = first.min(Some(*at)).or(Some(*at));
            }
        }
        first.map(|at| &parsed.all[at])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parsed.all.is_empty()
    }

    /// Returns each pattern, and whether it has matched anything so far.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Pattern, bool)> {
        self.parsed.all.iter().zip(self.is_used.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_its_steps_say() {
        for (pattern, matched, unmatched) in [
            ("/a/b", &["/a/b"][..], &["/a", "/a/b/c", "/a/B", "a/b", ""][..]),
            ("a.b", &["/a/b"], &["/a.b", "/a"]),
            ("/a/*/b", &["/a/x/b", "/a/0/b", "/a//b", "/a/x~1y/b"], &["/a/b", "/a/x/y/b", "/a/x/b/c"]),
            ("/mcpServers/*/env/*", &["/mcpServers/git/env/TOKEN"], &["/mcpServers/env/TOKEN", "/mcpServers/git/env"]),
            ("**/password", &["/password", "/a/password", "/a/0/b/password"], &["/a/password/b", "/a/xpassword"]),
            ("/**/password", &["/password", "/a/b/password"], &["/a"]),
            ("**.password", &["/password", "/a/password"], &["/password/a"]),
            ("/a/**", &["/a", "/a/b", "/a/b/0/c"], &["/b", "/ab", ""]),
            ("/a/**/b/**/c", &["/a/b/c", "/a/1/b/2/3/c", "/a/b/b/c/c"], &["/a/c/b", "/a/b"]),
            ("**", &["", "/a", "/a/b"], &[]),
            ("*", &["/a"], &["", "/a/b"]),
            ("*/a", &["/x/a"], &["/a"]),
            ("/env/*_TOKEN", &["/env/A_TOKEN", "/env/_TOKEN"], &["/env/TOKEN", "/env/A_TOKEN_B", "/env/a/b_TOKEN"]),
            ("/a*b*c", &["/abc", "/a-b-b-c"], &["/acb", "/ab"]),
            ("/ab*ba", &["/abba", "/ab-ba"], &["/aba"]),
            ("/a~1b/~0~2", &["/a~1b/~0*"], &["/a/b/~0*", "/a~1b/~0x"]),
            ("/*/x", &["/a~1b/x"], &["/a/b/x"]),
            ("/~01", &["/~01"], &["/~1", "/~0"]),
            ("/a/", &["/a/"], &["/a"]),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            for pointer in matched {
                assert!(parsed.matches(pointer), "{pattern} must match {pointer}");
            }
            for pointer in unmatched {
                assert!(!parsed.matches(pointer), "{pattern} must not match {pointer}");
            }
        }
    }

    #[test]
    fn what_is_not_a_pattern_is_refused_by_name() {
        for (text, flaw) in [
            ("", PatternFlaw::Empty),
            ("/a~", PatternFlaw::UnknownEscape),
            ("/a~3/b", PatternFlaw::UnknownEscape),
            ("/a/x**", PatternFlaw::LevelsNotAlone),
        ] {
            assert_eq!(Pattern::parse(text), Err(InvalidPattern { text: text.to_owned(), flaw }));
        }
        assert!(Pattern::parse("a~b").unwrap().matches("/a~0b"));
    }

    #[test]
    fn a_pattern_without_wildcards_is_a_pointer() {
        for (pattern, pointer) in [("/a/b~1c", "/a/b~1c"), ("a.b", "/a/b"), ("a~/b", "/a~0~1b"), ("/x~2", "/x*")] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.pointer().as_deref(), Some(pointer));
            assert!(parsed.matches(pointer));
        }
        for pattern in ["/a/*", "**/a", "a.*_KEY"] {
            assert_eq!(Pattern::parse(pattern).unwrap().pointer(), None);
        }
    }

    #[test]
    fn a_literal_matches_its_pointer_alone() {
        for pointer in ["/paths/@app~1*", "/a~0/*", "/**/b", "/plain"] {
            let parsed = Pattern::parse(&literal(pointer)).unwrap();
            assert_eq!(parsed.pointer().as_deref(), Some(pointer));
            assert!(!parsed.matches(&pointer.replace('*', "x").replace("plain", "other")));
        }
    }

    /// Matches by trying every possibility: slow, but obviously correct.
    fn matches_slowly(steps: &[PatternStep], pointer: &str) -> bool {
        match (steps.split_first(), split_step(pointer)) {
            (None, rest) => rest.is_none(),
            (Some((PatternStep::Levels, after)), rest) => {
                matches_slowly(after, pointer) || rest.is_some_and(|(_, rest)| matches_slowly(steps, rest))
            }
            (Some((PatternStep::Name(parts), after)), Some((name, rest))) => {
                parts_match(parts, name) && matches_slowly(after, rest)
            }
            (Some(_), None) => false,
        }
    }

    #[test]
    fn all_short_patterns_match_as_a_full_search_says() {
        let all = |steps: &[&str], longest: u32| -> Vec<String> {
            let mut texts = Vec::new();
            for len in 0..=longest {
                for mut number in 0..steps.len().pow(len) {
                    let mut text = String::new();
                    for _ in 0..len {
                        text = format!("{text}/{}", steps[number % steps.len()]);
                        number /= steps.len();
                    }
                    texts.push(text);
                }
            }
            texts
        };
        for pattern in all(&["a", "b", "*", "**"], 5).iter().skip(1) {
            let parsed = Pattern::parse(pattern).unwrap();
            for pointer in all(&["a", "b"], 5) {
                assert_eq!(parsed.matches(&pointer), matches_slowly(&parsed.steps, &pointer), "{pattern} {pointer}");
            }
        }
    }

    #[test]
    fn a_chain_of_wildcards_does_not_multiply_the_work() {
        // A search that tries every possibility would never finish on these.
        let deep = "/a".repeat(1000);
        assert!(!Pattern::parse(&format!("/{}b", "**/a/".repeat(100))).unwrap().matches(&deep));
        assert!(!Pattern::parse(&format!("{}/b", "/**".repeat(200))).unwrap().matches(&deep));
        let wide = format!("/{}", "a".repeat(2000));
        assert!(!Pattern::parse(&format!("/{}b", "a*".repeat(200))).unwrap().matches(&wide));
    }

    #[test]
    fn patterns_know_which_of_them_matched_nothing() {
        let mut patterns = Patterns::parse(["/a/*", "**/x", "/a/x", "/never"]).unwrap();
        assert_eq!(patterns.find("/a/x").map(Pattern::as_str), Some("/a/*"));
        assert_eq!(patterns.find("/b"), None);
        assert_eq!(patterns.find("/b/x").map(Pattern::as_str), Some("**/x"));
        let unused = patterns.iter().filter(|(_, is_used)| !is_used).map(|(pattern, _)| pattern.as_str());
        assert_eq!(unused.collect::<Vec<_>>(), ["/never"]);
        assert_eq!(patterns.iter().count(), 4);
        assert!(Patterns::parse(["/a", "/b~"]).is_err());
    }
}
