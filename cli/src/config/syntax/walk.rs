//! Reads strict JSON. Each query walks through the text, in linear time. No table of all values is kept: for a large
//! config it would be many times the size of the text. Core decides what is valid JSON.
//!
//! Core has a walk too ([`json::Walk`], [`json::find_duplicate`]). It needs no heap, and pays for that: it finds one
//! pointer at a time, and compares names by their hashes, one SHA-256 for each name. With a heap, this walk finds many
//! pointers in one pass and compares the names themselves. Two tests below compare the two walks: one compares the
//! values, their pointers and repeated names, the other the value at each pointer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use fernseal_core::Error;
use fernseal_core::config::{self, ValueKind};
use fernseal_core::json::{self, Event, Events};
use fernseal_core::token;

use super::reading::{
    APPENDED, FoundToken, FoundTokens, Leaf, Owner, Place, ReadError, Reading, SharedText, Spot, Unescaped, ValueError,
    Written, parent, steps, unescaped,
};
use super::{Edit, Kind, Refusal, RefusalReason, TextFormat, member};

/// A JSON text.
pub(super) struct JsonReading {
    text: SharedText,
}

impl JsonReading {
    pub(super) fn new(text: SharedText) -> Self {
        Self { text }
    }
}

/// Returns the kind of the value whose text is `raw`.
fn kind_of(kind: json::Kind, raw: &str) -> Kind {
    match kind {
        json::Kind::String => Kind::String,
        json::Kind::Scalar if raw == "null" => Kind::Null,
        json::Kind::Scalar => Kind::Scalar,
        json::Kind::Object => Kind::Map,
        json::Kind::Array => Kind::List,
    }
}

/// Returns the value of this kind at `span` of `text`.
fn place(text: &str, kind: json::Kind, span: Range<usize>) -> Place<'_> {
    let quote = usize::from(kind == json::Kind::String);
    let raw = &text[span.start + quote..span.end - quote];
    Place::new(Spot::new(kind_of(kind, raw), span), Written::Raw(raw))
}

impl Reading for JsonReading {
    fn tokens(&self) -> Result<FoundTokens, ReadError> {
        find_tokens(&self.text)
    }

    fn leaves<'a>(&'a self, is_wanted: fn(Kind, &str) -> bool) -> Box<dyn Iterator<Item = Leaf<'a>> + 'a> {
        let mut levels = OpenLevels::default();
        // The text is known to be valid JSON, so no event is an error.
        Box::new(Events::new(&self.text).map_while(std::result::Result::ok).filter_map(move |event| {
            levels.follow(&self.text, &event);
            let (kind, span) = match event {
                Event::String(span) => (json::Kind::String, span),
                Event::Scalar(span) => (json::Kind::Scalar, span),
                _ => return None,
            };
            let quote = usize::from(kind == json::Kind::String);
            let raw = &self.text[span.start + quote..span.end - quote];
            is_wanted(kind_of(kind, raw), raw)
                .then(|| Leaf { pointer: levels.pointer(), place: place(&self.text, kind, span) })
        }))
    }

    fn find(&self, pointer: &str) -> Result<Place<'_>, ValueError> {
        let value = json::find(&self.text, pointer)?;
        Ok(place(&self.text, value.kind(), value.span()))
    }

    /// Finds all pointers in one walk through the text, instead of one walk for each.
    fn find_all(&self, pointers: &[&str]) -> Vec<Result<Place<'_>, ValueError>> {
        let mut wanted = PointerTree::new(pointers);
        if !pointers.is_empty() {
            wanted.walk(&self.text);
        }
        wanted.places()
    }

    fn text_at(&self, spot: &Spot) -> Result<Unescaped<'_>, ValueError> {
        let quote = usize::from(spot.kind == Kind::String);
        let raw = &self.text[spot.span.start + quote..spot.span.end - quote];
        if spot.kind == Kind::String { Ok(unescaped(raw)?) } else { Ok(Unescaped::AsWritten(raw)) }
    }

    fn check_replaceable(&self, _: &Spot) -> Result<(), Refusal> {
        Ok(())
    }

    fn replace(&self, spot: &Spot, plain: &str) -> Result<Edit, Refusal> {
        Ok(Edit::new(spot.span.clone(), member::quoted(plain)))
    }

    fn format(&self) -> Option<TextFormat> {
        Some(TextFormat::Json)
    }

    fn insert(&self, pointer: &str, plain: &str) -> Result<Edit, Refusal> {
        let no_place = |_| Refusal::at(0, RefusalReason::NoObject);
        let steps = steps(pointer).map_err(no_place)?;
        let Some(((name, _), parent)) = steps.split_last().zip(parent(pointer)) else {
            return Err(no_place(Error::NotFound));
        };
        let group = json::find(&self.text, parent).map_err(no_place)?;
        let names = match group.kind() {
            json::Kind::Object => std::slice::from_ref(name),
            json::Kind::Array if name == APPENDED => &[],
            _ => return Err(no_place(Error::NotFound)),
        };
        Ok(member::insert(&self.text, false, &group.span(), names, plain))
    }

    fn remove(&self, pointer: &str) -> Result<Edit, ValueError> {
        let value = json::find(&self.text, pointer)?;
        let object = json::find(&self.text, parent(pointer).ok_or(Error::InvalidPointer)?)?;
        Ok(member::remove(&self.text, false, &object.span(), value.span().start)?)
    }

    /// Nothing needs to be checked: core writes the string of each edit.
    fn check(&self, _: &[Edit]) -> Result<(), Refusal> {
        Ok(())
    }
}

/// An object or array that is open at the current position.
enum OpenLevel<'a> {
    Object {
        /// Where it begins.
        start: usize,
        /// The name of the current member.
        name: &'a str,
    },
    Array {
        index: usize,
    },
}

/// The objects and arrays that are open at the current position, outermost first.
#[derive(Default)]
struct OpenLevels<'a>(Vec<OpenLevel<'a>>);

/// The pointers that one walk searches for, as a tree of their steps.
struct PointerTree<'a> {
    /// Parents come before their children. The first node is the root value.
    nodes: Vec<Node<'a>>,
    /// For each pointer, its node, or the error of an invalid pointer.
    ends: Vec<Result<usize, Error>>,
}

/// One step of the tree, with the value that was found there.
#[derive(Default)]
struct Node<'a> {
    parent: usize,
    children: BTreeMap<String, usize>,
    place: Option<Place<'a>>,
    /// Whether the name of this step was seen, and whether it was seen twice in its object.
    was_seen: bool,
    is_repeated: bool,
}

impl<'a> PointerTree<'a> {
    fn new(pointers: &[&str]) -> Self {
        let mut wanted = Self { nodes: vec![Node::default()], ends: Vec::with_capacity(pointers.len()) };
        for pointer in pointers {
            let end =
                steps(pointer).map(|steps| steps.into_iter().fold(0, |node, step| wanted.child_or_new(node, step)));
            wanted.ends.push(end);
        }
        wanted
    }

    fn child_or_new(&mut self, parent: usize, step: String) -> usize {
        let new = self.nodes.len();
        let child = *self.nodes[parent].children.entry(step).or_insert(new);
        if child == new {
            self.nodes.push(Node { parent, ..Node::default() });
        }
        child
    }

    /// Returns the child node for a step.
    fn child(&self, parent: Option<usize>, step: impl FnOnce() -> Option<String>) -> Option<usize> {
        let children = &self.nodes[parent?].children;
        if children.is_empty() { None } else { children.get(&step()?).copied() }
    }

    /// Finds the places in `text`, which is known to be valid JSON.
    fn walk(&mut self, text: &'a str) {
        // For each open level: its node, its start, and the index of its next item if it is an array.
        let mut levels: Vec<(Option<usize>, usize, Option<usize>)> = Vec::new();
        let mut next = Some(0);
        for event in Events::new(text).map_while(std::result::Result::ok) {
            if let Event::Name(span) = &event {
                let level = levels.last().and_then(|level| level.0);
                let raw = &text[span.start + 1..span.end - 1];
                next = self.child(level, || unescaped(raw).ok().map(|name| name.to_owned()));
                if let Some(node) = next.map(|node| &mut self.nodes[node]) {
                    node.is_repeated |= std::mem::replace(&mut node.was_seen, true);
                }
                continue;
            }
            if let Event::End(end) = event {
                if let Some((Some(node), start, index)) = levels.pop() {
                    let kind = if index.is_some() { json::Kind::Array } else { json::Kind::Object };
                    self.nodes[node].place = Some(place(text, kind, start..end + 1));
                }
                continue;
            }
            let node = match levels.last_mut() {
                Some((level, _, Some(index))) => {
                    *index += 1;
                    self.child(*level, || Some((*index - 1).to_string()))
                }
                _ => next.take(),
            };
            match event {
                Event::ObjectStart(start) => levels.push((node, start, None)),
                Event::ArrayStart(start) => levels.push((node, start, Some(0))),
                Event::String(span) => self.found(node, text, json::Kind::String, span),
                Event::Scalar(span) => self.found(node, text, json::Kind::Scalar, span),
                Event::Name(_) | Event::End(_) => {}
            }
        }
    }

    fn found(&mut self, node: Option<usize>, text: &'a str, kind: json::Kind, span: Range<usize>) {
        if let Some(node) = node {
            self.nodes[node].place = Some(place(text, kind, span));
        }
    }

    /// Returns what was found for each pointer.
    fn places(mut self) -> Vec<Result<Place<'a>, ValueError>> {
        for at in 1..self.nodes.len() {
            self.nodes[at].is_repeated |= self.nodes[self.nodes[at].parent].is_repeated;
        }
        let place = |node: usize| match &self.nodes[node] {
            Node { is_repeated: true, .. } => Err(Error::DuplicateKey),
            Node { place: Some(place), .. } => Ok(place.clone()),
            Node { place: None, .. } => Err(Error::NotFound),
        };
        self.ends.iter().map(|end| Ok(place((*end)?)?)).collect()
    }
}

/// The names in the pointers of tokens: (start of the object, name), and whether the second walk has seen the name.
type NamesAboveTokens<'a> = BTreeMap<(usize, Cow<'a, str>), bool>;

/// Finds the tokens of `text`, and the pointers of values that only look like tokens.
fn find_tokens(text: &str) -> Result<FoundTokens, ReadError> {
    let mut found = FoundTokens::default();
    let mut ways = NamesAboveTokens::new();
    // With long names above many tokens, the pointers could take many times the memory of the text.
    let mut room = text.len().saturating_mul(4) + (1 << 20);
    let mut told = |levels: &OpenLevels<'_>| {
        let pointer = levels.pointer();
        room = room.checked_sub(pointer.len()).ok_or(ReadError::LongNames)?;
        Ok::<_, ReadError>(pointer)
    };
    let mut levels = OpenLevels::default();
    let mut events = Events::new(text);
    while let Some(event) = events.next() {
        let event = event.map_err(|error| broken(events.offset(), error))?;
        levels.follow(text, &event);
        let Event::String(span) = event else { continue };
        let inside = span.start + 1..span.end - 1;
        let Ok(said) = unescaped(&text[inside.clone()]) else { continue };
        // Parsing decodes the whole token, so it is done only once.
        let form = token::is_sealed(&said).then(|| FoundToken::form_of(&said));
        let looks_sealed = match &form {
            Some(form) => form.is_err(),
            None => config::classify(&said) == ValueKind::Lookalike,
        };
        if looks_sealed {
            found.lookalikes.push(told(&levels)?);
        }
        let Some(form) = form else { continue };
        for level in &levels.0 {
            if let OpenLevel::Object { start, name } = level {
                ways.insert((*start, unescaped_name(name)), false);
            }
        }
        let unescaped = matches!(said, Unescaped::Copy(_)).then(|| said.to_owned());
        let owner = Owner::Value(Spot::new(Kind::String, span));
        found.tokens.push(FoundToken { pointer: told(&levels)?, inside, unescaped, form, owner });
    }
    check_names_unique(text, ways)?;
    Ok(found)
}

/// Walks through the text again, and fails if a name in the pointer of a token occurs twice in its object. Only the
/// first walk shows which names to look for; remembering all names would take more memory than the text.
fn check_names_unique<'a>(text: &'a str, mut ways: NamesAboveTokens<'a>) -> Result<(), ReadError> {
    if ways.is_empty() {
        return Ok(());
    }
    let mut levels = OpenLevels::default();
    for event in Events::new(text).map_while(std::result::Result::ok) {
        levels.follow(text, &event);
        if let (Event::Name(_), Some(OpenLevel::Object { start, name })) = (event, levels.0.last())
            && let Some(met) = ways.get_mut(&(*start, unescaped_name(name)))
            && std::mem::replace(met, true)
        {
            return Err(ReadError::NamedTwice(levels.pointer()));
        }
    }
    Ok(())
}

/// Returns a name without its escapes.
fn unescaped_name(name: &str) -> Cow<'_, str> {
    match unescaped(name) {
        Ok(Unescaped::Copy(text)) => Cow::Owned(text.to_string()),
        Ok(Unescaped::AsWritten(_)) | Err(_) => Cow::Borrowed(name),
    }
}

impl<'a> OpenLevels<'a> {
    /// Updates the open levels for an event.
    fn follow(&mut self, text: &'a str, event: &Event) {
        if let Event::String(_) | Event::Scalar(_) | Event::ObjectStart(_) | Event::ArrayStart(_) = event
            && let Some(OpenLevel::Array { index }) = self.0.last_mut()
        {
            *index = index.wrapping_add(1);
        }
        match event {
            Event::ObjectStart(start) => self.0.push(OpenLevel::Object { start: *start, name: "" }),
            // The first item makes it 0.
            Event::ArrayStart(_) => self.0.push(OpenLevel::Array { index: usize::MAX }),
            Event::End(_) => _ = self.0.pop(),
            Event::Name(span) => {
                if let Some(OpenLevel::Object { name, .. }) = self.0.last_mut() {
                    *name = &text[span.start + 1..span.end - 1];
                }
            }
            Event::String(_) | Event::Scalar(_) => {}
        }
    }

    /// Returns the pointer of the current value.
    fn pointer(&self) -> String {
        let steps = self.0.iter().map(|level| match level {
            OpenLevel::Object { name, .. } => step(name),
            OpenLevel::Array { index } => format!("/{index}"),
        });
        steps.collect()
    }
}

fn step(raw_name: &str) -> String {
    let mut step = String::new();
    // Writing to a String cannot fail.
    let _ = json::write_step(&mut step, raw_name);
    step
}

fn broken(offset: usize, error: Error) -> ReadError {
    if error == Error::TooDeep { ReadError::TooDeep(offset) } else { ReadError::InvalidJson(offset) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zeroize::Zeroizing;

    use super::*;

    /// Returns what core's walk finds: the pointers of the strings and scalars, and whether a name in the pointer of a
    /// token occurs twice.
    fn by_core(text: &str) -> (Vec<String>, bool) {
        let mut levels = vec![json::Level::default(); json::MAX_DEPTH];
        let mut walk = json::Walk::new(text, &mut levels);
        let mut pointers = Vec::new();
        while let Some(event) = walk.next() {
            if let Event::String(_) | Event::Scalar(_) = event.unwrap() {
                let mut pointer = String::new();
                walk.write_pointer(&mut pointer).unwrap();
                pointers.push(pointer);
            }
        }
        let is_token = |kind, span: Range<usize>| {
            let raw = || &text[span.start + 1..span.end - 1];
            kind == json::Kind::String && unescaped(raw()).is_ok_and(|said| token::is_sealed(&said))
        };
        let mut paths = vec![json::PathHash::default(); text.len()];
        let twice = json::find_duplicate(text, &mut levels, &mut paths, is_token).unwrap();
        (pointers, twice.is_some())
    }

    #[test]
    fn values_and_names_that_occur_twice_are_those_of_core() {
        for text in [
            r#"{"a":["x",{"b/c":"enc:1"},"enc:2",[[],{}],null],"d":{},"e~":"\u0065nc:3","":"enc:4","\u0061b":1}"#,
            r#"{"a":"enc:1","a":"x"}"#,
            r#"{"a":"x","\u0061":"enc:1"}"#,
            r#"{"a":{"b":"enc:1"},"c":1,"a":{}}"#,
            r#"[{"a":{"b":{"c":"enc:1"},"b":0}}, {"a":1,"a":2}]"#,
            r#"{"x":1,"x":2,"a":{"b":"enc:1"},"c":{"y":1,"y":2}}"#,
            r#"[{"a":"enc:1"},{"a":"enc:2"},{"a":{"a":"enc:3"}}]"#,
            "\u{feff} \"enc:1\" ",
        ] {
            let walk = JsonReading::new(Arc::new(Zeroizing::new(text.to_owned())));
            let pointers: Vec<String> = walk.leaves(|_, _| true).map(|leaf| leaf.pointer).collect();
            let is_twice = matches!(walk.tokens(), Err(ReadError::NamedTwice(_)));
            assert_eq!((pointers, is_twice), by_core(text), "{text}");
        }
    }

    #[test]
    fn many_pointers_lead_where_each_of_them_leads_alone() {
        let texts = [
            r#"{"a": {"b": ["x", {"c": 1}, [true]], "0": "zero", "": {"": "e"}}, "a.b": 5, "x/y~z": null}"#,
            r#"{"a": 1, "a": {"b": 2}, "c": {"d": 1, "d": {"e": 3}}}"#,
            r#"{"a": {"b": 1, "\u0062": 2}, "0": [], "c": "\ud800", "\ud800": 1}"#,
            r#"[["p", "q"], {"a": [0]}, "r"]"#,
            "\u{feff} \"only\" ",
            "{}",
        ];
        let pointers = [
            "",
            "/",
            "/a",
            "a",
            "/a/b",
            "a.b",
            "/a.b",
            "/a/b/0",
            "/a/b/1/c",
            "a.b.1.c",
            "/a/b/2/0",
            "/a/b/01",
            "/a/0",
            "a.",
            "/a//",
            "a..",
            ".",
            "/x~1y~0z",
            "/x~2",
            "/~",
            "/c",
            "/c/d",
            "/c/d/e",
            "/0",
            "/0/1",
            "0.1",
            "/1/a/0",
            "/2",
            "/3",
            "/a/b/3",
            "/-",
            "/a/b/+1",
            "/a/b/18446744073709551616",
            "/\u{fffd}",
        ];
        for text in texts {
            let walk = JsonReading::new(Arc::new(Zeroizing::new(text.to_owned())));
            for (pointer, found) in pointers.iter().zip(walk.find_all(&pointers)) {
                assert_eq!(found, walk.find(pointer), "{pointer} in {text}");
            }
        }
    }
}
