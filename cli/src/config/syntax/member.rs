//! Adds a member to an object of JSON or JSONC and an item to an array, and removes a member. Everything else stays byte for
//! byte.
//!
//! New members follow the style of their neighbours: the same line ends, indentation, and space after the colon. Core
//! decides which values a text has; this module only decides where the bytes go. For flow collections of YAML and
//! inline tables of TOML, see [`splice`](super::splice).

use std::ops::Range;

use fernseal_core::json::{self, Event, Events};
use zeroize::Zeroizing;

use super::{Edit, Refusal, RefusalReason};

/// The indentation of a level if the text has none.
const INDENTATION: &str = "  ";

/// Returns the edit that adds the string `plain` to the object at `group`, as its member `names[0]`. Further names are
/// new objects inside it, and the last name is that of the string. Without a name, the edit adds an item to the array
/// at `group`. `is_relaxed` allows comments and trailing commas.
pub(super) fn insert(text: &str, is_relaxed: bool, group: &Range<usize>, names: &[String], plain: &str) -> Edit {
    let layout = Layout::of(text, is_relaxed, group);
    let example = layout.members.last().filter(|_| !names.is_empty()).or(layout.example.as_ref());
    let colon = example.map_or(": ".to_owned(), |example| layout.colon_of(example));
    let mut entry = Zeroizing::new(String::new());
    for (depth, name) in names.iter().enumerate() {
        entry.push_str(&format!("{}{}{colon}", if depth > 0 { "{" } else { "" }, *quoted(name)));
    }
    entry.push_str(&quoted(plain));
    entry.push_str(&"}".repeat(names.len().saturating_sub(1)));

    let Some(last) = layout.members.last() else {
        let (start, end) = layout.padding(group);
        // The new text takes the place of the whitespace in an empty group.
        return Edit::new(group.start + 1..group.end - 1, Zeroizing::new(format!("{start}{}{end}", *entry)));
    };
    let (before_comma, after_comma) = layout.separator();
    let (behind, has_comma) = layout.behind(last.end, group);
    let text = match (&text[last.end..behind], has_comma) {
        ("", _) => format!("{before_comma},{after_comma}{}", *entry),
        (rest, false) => format!(",{rest}{after_comma}{}", *entry),
        (rest, true) => format!("{rest}{after_comma}{},", *entry),
    };
    Edit::new(last.end..behind, Zeroizing::new(text))
}

/// Returns the edit that removes the member of the object at `group` whose value begins at `value`, with its comma and
/// the whitespace between it and its neighbour.
pub(super) fn remove(text: &str, is_relaxed: bool, group: &Range<usize>, value: usize) -> Result<Edit, Refusal> {
    let layout = Layout::of(text, is_relaxed, group);
    let members = &layout.members;
    let at = members.iter().position(|member| member.value == value && member.name.start < value);
    let at = at.ok_or_else(|| Refusal::at(value, RefusalReason::NotAMember))?;
    let span = match (&members[..at], &members[at + 1..]) {
        ([], []) => group.start + 1..group.end - 1,
        (_, [next, ..]) => members[at].name.start..next.name.start,
        ([.., before], []) => before.end..members[at].end,
    };
    let gaps = [span.start..members[at].name.start, members[at].end..span.end];
    if let Some(gap) = gaps.into_iter().find(|gap| text[gap.clone()] != layout.text()[gap.clone()]) {
        return Err(Refusal::at(gap.start, RefusalReason::CommentBeside));
    }
    Ok(Edit::new(span, Zeroizing::new(String::new())))
}

/// Returns the text with each byte of a comment except line feeds replaced by a space, or `None` if it has no comments.
fn without_comments(text: &str) -> Option<Zeroizing<String>> {
    let bytes = text.as_bytes();
    let mut blank: Option<Zeroizing<String>> = None;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'/' => {
                let rest = &text[at..];
                let is_line = rest.starts_with("//");
                let len = if is_line { rest.find(['\r', '\n']) } else { rest.find("*/").map(|len| len + 2) };
                let len = len.unwrap_or(rest.len());
                let blank = blank.get_or_insert_with(|| Zeroizing::new(text.to_owned()));
                let spaces: String =
                    rest.bytes().take(len).map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
                blank.replace_range(at..at + len, &spaces);
                at += len;
            }
            _ => at += 1,
        }
    }
    blank
}

/// The offsets of the parts of a member. An item has only a value.
struct Member {
    /// Its name including quotes; for an item, the empty range before its value.
    name: Range<usize>,
    /// Where its value begins.
    value: usize,
    /// Where its value ends.
    end: usize,
}

/// The layout of an object or array.
struct Layout<'t> {
    written: &'t str,
    /// The text without its comments, if it has some.
    blank: Option<Zeroizing<String>>,
    members: Vec<Member>,
    /// The object or array that contains it.
    around: Option<Range<usize>>,
    /// Any member of the text, as an example of the style.
    example: Option<Member>,
}

impl<'t> Layout<'t> {
    /// Returns the layout of the object or array at `group` in `text`, which was already checked to be valid.
    fn of(text: &'t str, is_relaxed: bool, group: &Range<usize>) -> Self {
        let blank = if is_relaxed { without_comments(text) } else { None };
        let mut layout = Self { written: text, blank, members: Vec::new(), around: None, example: None };
        // The starts of the open levels.
        let mut levels: Vec<usize> = Vec::new();
        let mut name = None;
        let events = if is_relaxed { Events::relaxed(text) } else { Events::new(text) };
        for event in events.map_while(std::result::Result::ok) {
            let value = match event {
                Event::Name(span) => {
                    name = Some(span);
                    continue;
                }
                Event::ObjectStart(start) | Event::ArrayStart(start) => {
                    if start == group.start {
                        layout.around = levels.last().map(|around| *around..text.len());
                    }
                    layout.begins(levels.last() == Some(&group.start), name.take(), start);
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
                    if levels.last() == Some(&group.start)
                        && let Some(member) = layout.members.last_mut()
                    {
                        member.end = end + 1;
                    }
                    continue;
                }
                Event::String(span) | Event::Scalar(span) => span,
            };
            let is_member = levels.last() == Some(&group.start);
            layout.begins(is_member, name.take(), value.start);
            if let Some(member) = layout.members.last_mut().filter(|_| is_member) {
                member.end = value.end;
            }
        }
        layout
    }

    /// Returns the text with spaces in place of comments.
    fn text(&self) -> &str {
        self.blank.as_deref().map_or(self.written, String::as_str)
    }

    /// Records a value, with its name if it has one.
    fn begins(&mut self, is_member: bool, name: Option<Range<usize>>, value: usize) {
        if let Some(name) = name.clone().filter(|_| self.example.is_none()) {
            self.example = Some(Member { name, value, end: value });
        }
        if is_member {
            self.members.push(Member { name: name.unwrap_or(value..value), value, end: value });
        }
    }

    /// Returns the offset for a new last member, which is after the last one, its comma and a comment on the same line,
    /// and whether that comma exists.
    fn behind(&self, end: usize, group: &Range<usize>) -> (usize, bool) {
        let comma = self.text()[end..group.end - 1].find(',').map(|at| end + at + 1);
        let after = comma.unwrap_or(end);
        let rest = &self.text()[after..group.end - 1];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let has_comment = self.written[after..after + blanks] != rest[..blanks];
        (if has_comment { after + blanks } else { after }, comma.is_some())
    }

    /// Returns the whitespace before and after the comma between a new last member and the present last one.
    fn separator(&self) -> (&str, &str) {
        let text = self.text();
        let [.., before, last] = &*self.members else {
            let [only] = &*self.members else { return ("", "") };
            let space = space_before(text, only.name.start);
            let has_space = |member: &Member| self.colon_of(member).ends_with(' ');
            let named = Some(only).filter(|only| only.name.start < only.value).or(self.example.as_ref());
            let is_airy = !space.is_empty() || named.is_some_and(has_space);
            return (
                "",
                if space.contains('\n') {
                    last_line(space)
                } else if is_airy {
                    " "
                } else {
                    ""
                },
            );
        };
        let between = &text[before.end..last.name.start];
        let (before_comma, after_comma) = between.split_once(',').unwrap_or(("", ""));
        (last_line(before_comma), last_line(after_comma))
    }

    /// Returns the whitespace before and after the first member of an empty group.
    fn padding(&self, group: &Range<usize>) -> (String, String) {
        let text = self.text();
        let inside = &text[group.start + 1..group.end - 1];
        let around = self.around.as_ref().map(|around| {
            let behind = &text[around.start + 1..];
            let space = &behind[..behind.len() - behind.trim_start().len()];
            (last_line(space), last_line(space_before(text, around.end - 1)))
        });
        // The line end and indentation of the group's own line, and the indentation of one level.
        let (line, level) = match around {
            Some((line, outer)) if line.contains('\n') => {
                let level = line.strip_prefix(outer).filter(|level| !level.is_empty() && outer.contains('\n'));
                (line, level.unwrap_or(if line.ends_with('\t') { "\t" } else { INDENTATION }))
            }
            _ if inside.contains('\n') => (last_line(inside), INDENTATION),
            _ => return (inside.to_owned(), inside.to_owned()),
        };
        (format!("{line}{level}"), line.to_owned())
    }

    /// Returns the colon of a member with the whitespace around it, without line ends.
    fn colon_of(&self, member: &Member) -> String {
        let colon = &self.text()[member.name.end..member.value];
        if colon.contains('\n') { ": ".to_owned() } else { colon.to_owned() }
    }
}

/// Returns the whitespace before `end`.
fn space_before(text: &str, end: usize) -> &str {
    let before = &text[..end];
    &before[before.trim_end_matches([' ', '\t', '\n', '\r']).len()..]
}

/// Returns the last line end in whitespace and the text after it. Blank lines separate groups of members, so they are
/// not copied.
fn last_line(space: &str) -> &str {
    let at = space.rfind('\n').map(|at| if space[..at].ends_with('\r') { at - 1 } else { at });
    at.map_or(space, |at| &space[at..])
}

/// Returns `plain` as a JSON string.
pub(super) fn quoted(plain: &str) -> Zeroizing<String> {
    let mut buf = Zeroizing::new(vec![0; json::escaped_len(plain)]);
    let escaped = json::escape(plain, &mut buf).expect("the buffer has the length that core asks for");
    // Allocate everything at once: a growing string would leave copies of the secret in memory.
    let mut quoted = Zeroizing::new(String::with_capacity(escaped.len() + 2));
    ["\"", escaped, "\""].iter().for_each(|part| quoted.push_str(part));
    quoted
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{FormatSource, Reading};
    use super::*;

    fn made(text: &str, edit: &Edit) -> String {
        [&text[..edit.span.start], &edit.text, &text[edit.span.end..]].concat()
    }

    fn read(text: &str) -> Box<dyn Reading> {
        super::super::read("c.json", FormatSource::Name, &Arc::new(Zeroizing::new(text.to_owned())))
    }

    fn added(text: &str, pointer: &str) -> String {
        made(text, &read(text).insert(pointer, "v").unwrap())
    }

    fn removed(text: &str, pointer: &str) -> String {
        made(text, &read(text).remove(pointer).unwrap())
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
            ("[]", "/-", "[\"v\"]"),
            ("{\"l\": [1]}", "/l/-", "{\"l\": [1, \"v\"]}"),
            ("{\"l\":[[1]]}", "l.0.-", "{\"l\":[[1,\"v\"]]}"),
            ("{\n  \"l\": [\n    {},\n    2\n  ]\n}", "/l/-", "{\n  \"l\": [\n    {},\n    2,\n    \"v\"\n  ]\n}"),
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
            [("{}", ""), ("{}", "/a/b"), ("{}", ".n"), ("{\"a\": 1}", "/a/b"), ("[]", "/0"), ("{}", "/~")]
        {
            assert!(read(text).insert(pointer, "v").is_err(), "{pointer} in {text}");
        }
        for (text, pointer) in [("{}", ""), ("[1]", "/0"), ("{\"a\": [1]}", "a.0"), ("{\"a\": 1, \"a\": 2}", "/a")] {
            assert!(read(text).remove(pointer).is_err(), "{pointer} in {text}");
        }
    }
}
