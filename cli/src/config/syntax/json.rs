//! Reads and writes JSONC, and JSON as a [`Document`], with core's parser. All readers of JSON agree on a valid text,
//! so only invalid texts are refused.

use std::ops::Range;

use fernseal_core::json::{self, Event, Events};
use zeroize::Zeroizing;

use super::{Document, Edit, Kind, Name, Quotes, Refusal, RefusalReason, Syntax, Value, Values, member};

pub(super) struct Json {
    /// Whether comments and trailing commas are allowed.
    pub(super) relaxed: bool,
}

impl Syntax for Json {
    fn read(&self, text: &str, found: &mut Values) -> Result<(), Refusal> {
        let mut events = if self.relaxed { Events::relaxed(text) } else { Events::new(text) };
        // The open containers, with the number of items so far.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut member: Option<(String, usize)> = None;
        while let Some(event) = events.next() {
            let event = event.map_err(|_| invalid(events.offset()))?;
            let (kind, span) = match event {
                Event::Name(span) => {
                    let name = unescaped(text, &span)?;
                    let name = name.map_or_else(|| inside(text, &span).to_owned(), |name| name.to_string());
                    member = Some((name, span.start));
                    continue;
                }
                Event::End(at) => {
                    if let Some((container, _)) = open.pop() {
                        found.0[container].span.end = at + 1;
                    }
                    continue;
                }
                Event::ObjectStart(at) => (Kind::Map, at..at + 1),
                Event::ArrayStart(at) => (Kind::List, at..at + 1),
                Event::String(span) => (Kind::String, span),
                Event::Scalar(span) if text[span.clone()] == *"null" => (Kind::Null, span),
                Event::Scalar(span) => (Kind::Scalar, span),
            };
            let mut value = Value::new(open.last().map(|(container, _)| *container), Name::Root, kind, span);
            if let Some((name, start)) = member.take() {
                value.name = Name::Member(name);
                value.name_start = start;
            } else if let Some((_, count)) = open.last_mut() {
                value.name = Name::Item(*count);
                *count += 1;
            }
            if kind == Kind::String {
                value.quotes = Quotes::Double;
                match unescaped(text, &value.span) {
                    Ok(decoded) => value.decoded = decoded,
                    Err(refusal) => value.unclear = Some(Box::new(refusal)),
                }
            }
            let index = found.push(value);
            if matches!(kind, Kind::Map | Kind::List) {
                open.push((index, 0));
            }
        }
        Ok(())
    }

    fn write(&self, _: &str, _: &Value, plain: &str) -> Result<Zeroizing<String>, Refusal> {
        Ok(member::quoted(plain))
    }

    fn insert(&self, document: &Document, parent: usize, names: &[String], plain: &str) -> Result<Edit, Refusal> {
        Ok(member::insert(document.text(), self.relaxed, &document.values[parent].span, names, plain))
    }

    fn append(&self, document: &Document, parent: usize, plain: &str) -> Result<Edit, Refusal> {
        self.insert(document, parent, &[], plain)
    }

    fn remove(&self, document: &Document, index: usize) -> Result<Edit, Refusal> {
        let Value { parent, span, .. } = &document.values[index];
        let Some(object) = parent.map(|parent| &document.values[parent].span) else { return Err(invalid(span.start)) };
        member::remove(document.text(), self.relaxed, object, span.start)
    }
}

fn invalid(offset: usize) -> Refusal {
    Refusal::at(offset, RefusalReason::InvalidJson)
}

/// Returns the source text between the quotes of the string at `span`.
fn inside<'a>(text: &'a str, span: &Range<usize>) -> &'a str {
    &text[span.start + 1..span.end - 1]
}

/// Returns the text of the string at `span`, if it contains escapes.
fn unescaped(text: &str, span: &Range<usize>) -> Result<Option<Zeroizing<String>>, Refusal> {
    let raw = inside(text, span);
    if !raw.contains('\\') {
        return Ok(None);
    }
    let mut buf = Zeroizing::new(vec![0; raw.len()]);
    match json::unescape(raw, &mut buf) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(Refusal::at(span.start, RefusalReason::LoneSurrogate)),
    }
}
