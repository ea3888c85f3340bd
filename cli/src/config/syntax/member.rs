//! Adds a member to an object of strict JSON, and removes one. Everything else stays byte for byte.
//!
//! A new member is written as its neighbours are: their line ends, their indentation, their space behind the colon. What a
//! pointer means is core's to say; here is only where the bytes go. The other formats do this with their [`Document`].
//!
//! [`Document`]: super::Document

use std::ops::Range;

use fernseal_core::Error;
use fernseal_core::json::{self, Event, Events, Kind};
use zeroize::Zeroizing;

use super::reading::{ValueError, parent, steps};
use super::{Edit, Refusal};

/// The indentation of a level where a text shows none.
const INDENTATION: &str = "  ";

/// The edit that adds the string `plain` at `pointer`, where nothing is yet, to an object that is there.
pub(super) fn insert(text: &str, pointer: &str, plain: &str) -> Result<Edit, Refusal> {
    let no_place = |_| Refusal::new(0, "there is no object to add it to", "add it with `fernseal edit`");
    let name = steps(pointer).ok().and_then(|mut steps| steps.pop()).ok_or(Error::InvalidPointer).map_err(no_place)?;
    let object = parent(pointer).ok_or(Error::InvalidPointer).and_then(|parent| json::find(text, parent));
    let object = object.map_err(no_place)?;
    if object.kind() != Kind::Object {
        return Err(no_place(Error::NotFound));
    }
    let layout = Layout::of(text, &object.span());
    let name = escaped(&name);
    let (span, before, after) = match layout.members.last() {
        Some(last) => {
            let (comma, colon) = (layout.separator(text), colon_of(text, last));
            (last.end..last.end, format!("{comma}\"{name}\"{colon}"), String::new())
        }
        None => {
            let (start, end, colon) = layout.padding(text, &object.span());
            // The new text takes the place of the whitespace in an empty object.
            let inside = object.span().start + 1..object.span().end - 1;
            (inside, format!("{start}\"{name}\"{colon}"), end)
        }
    };
    Ok(Edit::new(span, Zeroizing::new(format!("{before}\"{}\"{after}", escaped(plain)))))
}

/// The edit that removes the member at `pointer`, with its comma and the whitespace that parts it from its neighbour.
pub(super) fn remove(text: &str, pointer: &str) -> Result<Edit, ValueError> {
    let value = json::find(text, pointer)?;
    let object = json::find(text, parent(pointer).ok_or(Error::InvalidPointer)?)?;
    let members = Layout::of(text, &object.span()).members;
    let at = members.iter().position(|member| member.value == value.span().start);
    let no_member = || Refusal::new(value.span().start, "it is not the member of an object", "use `fernseal edit`");
    let at = at.ok_or_else(no_member)?;
    let span = match (&members[..at], &members[at + 1..]) {
        ([], []) => object.span().start + 1..object.span().end - 1,
        (_, [next, ..]) => members[at].name.start..next.name.start,
        ([.., before], []) => before.end..members[at].end,
    };
    Ok(Edit::new(span, Zeroizing::new(String::new())))
}

/// A name or a token, as it stands between quotes.
fn escaped(plain: &str) -> String {
    let mut buf = vec![0; json::escaped_len(plain)];
    // The buffer is as long as the escaped text.
    json::escape(plain, &mut buf).expect("an escaped text has the length that was asked for").to_owned()
}

/// Where the parts of a member are.
struct Member {
    /// Its name, with the quotes.
    name: Range<usize>,
    /// Where its value begins.
    value: usize,
    /// Where its value ends.
    end: usize,
}

/// How an object is laid out.
struct Layout {
    members: Vec<Member>,
    /// The object or array that it is in.
    around: Option<Range<usize>>,
    /// Some member of the text.
    example: Option<Member>,
}

impl Layout {
    /// The layout of the object at `object` in `text`, which was read to its end before.
    fn of(text: &str, object: &Range<usize>) -> Self {
        let mut layout = Self { members: Vec::new(), around: None, example: None };
        // Where the open levels begin.
        let mut levels: Vec<usize> = Vec::new();
        let mut name = None;
        for event in Events::new(text).map_while(std::result::Result::ok) {
            let value = match event {
                Event::Name(span) => {
                    name = Some(span);
                    continue;
                }
                Event::ObjectStart(start) | Event::ArrayStart(start) => {
                    if start == object.start {
                        layout.around = levels.last().map(|around| *around..text.len());
                    }
                    layout.begins(levels.last() == Some(&object.start), name.take(), start);
                    levels.push(start);
                    continue;
                }
                Event::End(end) => {
                    let start = levels.pop();
                    if let Some(around) = &mut layout.around
                        && start == Some(around.start)
                    {
                        around.end = end + 1;
                    }
                    if levels.last() == Some(&object.start)
                        && let Some(member) = layout.members.last_mut()
                    {
                        member.end = end + 1;
                    }
                    continue;
                }
                Event::String(span) | Event::Scalar(span) => span,
            };
            let is_member = levels.last() == Some(&object.start);
            layout.begins(is_member, name.take(), value.start);
            if let Some(member) = layout.members.last_mut().filter(|_| is_member) {
                member.end = value.end;
            }
        }
        layout
    }

    /// Takes note of a value, with its name if it has one.
    fn begins(&mut self, is_member: bool, name: Option<Range<usize>>, value: usize) {
        let Some(name) = name else { return };
        if self.example.is_none() {
            self.example = Some(Member { name: name.clone(), value, end: value });
        }
        if is_member {
            self.members.push(Member { name, value, end: value });
        }
    }

    /// What parts a new last member from the present one.
    fn separator(&self, text: &str) -> String {
        let [.., before, last] = &*self.members else {
            let [only] = &*self.members else { return ",".to_owned() };
            let space = space_before(text, only.name.start);
            let is_airy = !space.is_empty() || colon_of(text, only).ends_with(' ');
            return if space.contains('\n') { format!(",{}", last_line(space)) } else { airy(is_airy, ",") };
        };
        let between = &text[before.end..last.name.start];
        let (before_comma, after_comma) = between.split_once(',').unwrap_or(("", ""));
        format!("{},{}", last_line(before_comma), last_line(after_comma))
    }

    /// What stands before and behind the first member of an object that is empty, and the colon in it.
    fn padding(&self, text: &str, object: &Range<usize>) -> (String, String, String) {
        let colon = self.example.as_ref().map_or(": ".to_owned(), |example| colon_of(text, example));
        let inside = &text[object.start + 1..object.end - 1];
        let around = self.around.as_ref().map(|around| {
            let behind = &text[around.start + 1..];
            let space = &behind[..behind.len() - behind.trim_start().len()];
            (last_line(space), last_line(space_before(text, around.end - 1)))
        });
        // The line end and the indentation of the object's own line, and one level.
        let (line, level) = match around {
            Some((line, outer)) if line.contains('\n') => {
                let level = line.strip_prefix(outer).filter(|level| !level.is_empty() && outer.contains('\n'));
                (line, level.unwrap_or(if line.ends_with('\t') { "\t" } else { INDENTATION }))
            }
            _ if inside.contains('\n') => (last_line(inside), INDENTATION),
            _ => return (inside.to_owned(), inside.to_owned(), colon),
        };
        (format!("{line}{level}"), line.to_owned(), colon)
    }
}

/// The comma or colon, with a space behind it where the text has one.
fn airy(is_airy: bool, mark: &str) -> String {
    if is_airy { format!("{mark} ") } else { mark.to_owned() }
}

/// The colon of a member, with the whitespace around it; without line ends.
fn colon_of(text: &str, member: &Member) -> String {
    let colon = &text[member.name.end..member.value];
    if colon.contains('\n') { ": ".to_owned() } else { colon.to_owned() }
}

/// The whitespace before `end`.
fn space_before(text: &str, end: usize) -> &str {
    let before = &text[..end];
    &before[before.trim_end_matches([' ', '\t', '\n', '\r']).len()..]
}

/// The last line end in whitespace and what is behind it: blank lines stand between groups, not between all members.
fn last_line(space: &str) -> &str {
    let at = space.rfind('\n').map(|at| if space[..at].ends_with('\r') { at - 1 } else { at });
    at.map_or(space, |at| &space[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str, edit: &Edit) -> String {
        [&text[..edit.span.start], &edit.text, &text[edit.span.end..]].concat()
    }

    fn added(text: &str, pointer: &str) -> String {
        made(text, &insert(text, pointer, "v").unwrap())
    }

    fn removed(text: &str, pointer: &str) -> String {
        made(text, &remove(text, pointer).unwrap())
    }

    #[test]
    fn a_new_member_is_laid_out_as_its_neighbours_are() {
        for (text, pointer, after) in [
            ("{\"a\":1}", "/n", "{\"a\":1,\"n\":\"v\"}"),
            ("{\"a\": 1}\n", "n", "{\"a\": 1, \"n\": \"v\"}\n"),
            ("{ \"a\": 1 }", "/n", "{ \"a\": 1, \"n\": \"v\" }"),
            ("{\"a\": 1, \"b\": [2]}", "/n", "{\"a\": 1, \"b\": [2], \"n\": \"v\"}"),
            ("{\n  \"a\": {\"b\": 1}\n}\n", "/n", "{\n  \"a\": {\"b\": 1},\n  \"n\": \"v\"\n}\n"),
            ("{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}", "/n", "{\r\n\t\"a\": 1,\r\n\t\"b\": 2,\r\n\t\"n\": \"v\"\r\n}"),
            ("{\n\n  \"a\": 1,\n\n  \"b\" : 2\n}", "/n", "{\n\n  \"a\": 1,\n\n  \"b\" : 2,\n  \"n\" : \"v\"\n}"),
            ("{ \"a\": 1\n, \"b\": 2\n}", "/n", "{ \"a\": 1\n, \"b\": 2\n, \"n\": \"v\"\n}"),
            ("{\n  \"o\": {\n    \"a\": 1\n  }\n}", "o.n", "{\n  \"o\": {\n    \"a\": 1,\n    \"n\": \"v\"\n  }\n}"),
            ("{}", "/n", "{\"n\": \"v\"}"),
            ("{\"\": {}}", ".n", "{\"\": {\"n\": \"v\"}}"),
            ("{ }", "/n", "{ \"n\": \"v\" }"),
            ("{\n}\n", "/n", "{\n  \"n\": \"v\"\n}\n"),
            ("{\"a\":{},\"b\":1}", "/a/n", "{\"a\":{\"n\":\"v\"},\"b\":1}"),
            ("{\n    \"o\": {}\n}", "/o/n", "{\n    \"o\": {\n        \"n\": \"v\"\n    }\n}"),
            ("{\r\n\t\"o\": {\r\n\t}\r\n}", "/o/n", "{\r\n\t\"o\": {\r\n\t\t\"n\": \"v\"\r\n\t}\r\n}"),
            ("{\n  \"l\": [{}, {\"a\": 1}]\n}", "/l/0/n", "{\n  \"l\": [{\"n\": \"v\"}, {\"a\": 1}]\n}"),
            ("{\"a\": 1}", "/x~1y \"z", "{\"a\": 1, \"x/y \\\"z\": \"v\"}"),
            ("\u{feff}{\"ä\": 1}", "/ö", "\u{feff}{\"ä\": 1, \"ö\": \"v\"}"),
        ] {
            assert_eq!(added(text, pointer), after, "{text:?}");
        }
    }

    #[test]
    fn a_member_goes_with_its_comma_and_nothing_else_does() {
        for (text, pointer, after) in [
            ("{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n", "/a", "{\n  \"b\": 2,\n  \"c\": 3\n}\n"),
            ("{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n", "b", "{\n  \"a\": 1,\n  \"c\": 3\n}\n"),
            ("{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n", "/c", "{\n  \"a\": 1,\n  \"b\": 2\n}\n"),
            ("{ \"a\": 1\r\n, \"b\": {\"x\": [1, 2]} }", "/b", "{ \"a\": 1 }"),
            ("{\"o\": {\n\t\"a\": \"}\"\n}, \"p\": 1}", "/o/a", "{\"o\": {}, \"p\": 1}"),
            ("{\"a\":[{\"b\":1,\"c\":2}]}", "/a/0/c", "{\"a\":[{\"b\":1}]}"),
        ] {
            assert_eq!(removed(text, pointer), after, "{text:?}");
        }
    }

    #[test]
    fn what_was_added_and_removed_again_leaves_the_text_as_it_was() {
        for text in ["{\"a\":1}", "{\r\n\t\"a\": {},\r\n\r\n\t\"b\": []\r\n\r\n}", "{ \"a\" : 1\n , \"b\" : 2 }", "{}"]
        {
            assert_eq!(removed(&added(text, "/n"), "/n"), text);
        }
    }

    #[test]
    fn there_is_no_place_for_a_member_but_in_an_object() {
        for (text, pointer) in
            [("{}", ""), ("{}", "/a/b"), ("{}", ".n"), ("{\"a\": 1}", "/a/b"), ("[]", "/-"), ("{}", "/~")]
        {
            assert!(insert(text, pointer, "v").is_err(), "{pointer} in {text}");
        }
        for (text, pointer) in [("{}", ""), ("[1]", "/0"), ("{\"a\": [1]}", "a.0"), ("{\"a\": 1, \"a\": 2}", "/a")] {
            assert!(remove(text, pointer).is_err(), "{pointer} in {text}");
        }
    }
}
