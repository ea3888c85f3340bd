//! Reads and writes YAML. granit-parser finds the byte spans of the scalars; this module decides their kinds and writes
//! them.
//!
//! YAML 1.1 and 1.2 resolve plain scalars differently. A plain scalar counts as a string only if it is one in both. A
//! file with several documents is a list of them, so a pointer begins with the document's number:
//! `/1/stringData/password`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use zeroize::Zeroizing;

use super::{Document, Edit, Kind, Name, Quotes, Refusal, RefusalReason, Syntax, Value, Values, splice};

pub(super) struct Yaml;

/// An open container.
struct OpenContainer {
    index: usize,
    is_map: bool,
    /// The number of items or documents so far.
    count: usize,
    /// If the next node is the value of a member: the member's name, and where the name begins and ends.
    member: Option<(Name, usize, usize)>,
    /// Whether its members are merged into another map (`<<`).
    is_merged: bool,
}

impl Syntax for Yaml {
    fn read(&self, text: &str, found: &mut Values) -> Result<(), Refusal> {
        if let Some(at) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
            // These are line ends in YAML 1.1, and not in YAML 1.2.
            return Err(Refusal::at(at, RefusalReason::YamlLineBreak));
        }
        let stream = found.push(Value::new(None, Name::Root, Kind::List, 0..text.len()));
        let mut open = vec![OpenContainer { index: stream, is_map: false, count: 0, member: None, is_merged: false }];
        // The values with anchors as (anchor id, index), and the ids that aliases refer to.
        let mut anchors: Vec<(usize, usize)> = Vec::new();
        let mut aliases = BTreeSet::new();
        let options = granit_parser::options! { emit_comments: false, emit_anchor_events: true };
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| invalid(error.marker().byte_offset().unwrap_or(0)))?;
            let range = span.byte_range().ok_or_else(|| invalid(0))?;
            if range.start > range.end || text.get(range.clone()).is_none() {
                return Err(invalid(0));
            }
            let parent = open.last_mut().ok_or_else(|| invalid(range.start))?;
            let mut value = match &event {
                Event::Scalar(..) => Value::new(Some(parent.index), Name::None, Kind::String, range.clone()),
                Event::Alias(id) => {
                    aliases.insert(*id);
                    let mut value = Value::new(Some(parent.index), Name::None, Kind::Scalar, range.clone());
                    value.unclear = refusal(range.start, RefusalReason::YamlAlias);
                    value.held = value.unclear.clone();
                    value
                }
                Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                    let kind = if matches!(event, Event::MappingStart(..)) { Kind::Map } else { Kind::List };
                    let mut value = Value::new(Some(parent.index), Name::None, kind, range.clone());
                    value.inline = *style == StructureStyle::Flow;
                    value
                }
                Event::Anchor(_, name) => {
                    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
                        return Err(Refusal::at(range.start, RefusalReason::YamlAnchorName));
                    }
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let closed = open.pop().ok_or_else(|| invalid(range.start))?;
                    if found.0[closed.index].inline {
                        found.0[closed.index].span.end = range.end;
                    }
                    continue;
                }
                _ => continue,
            };
            // Everything inside a flow collection is in flow style.
            let is_leaf = value.is_leaf();
            let within_flow = found.0[parent.index].inline;
            value.inline |= within_flow;
            let is_key = parent.is_map && parent.member.is_none();
            let mut is_merged = parent.is_merged;
            let is_hidden = found.0[parent.index].name == Name::None;
            if is_key {
                let name = match &event {
                    // A member without a name has no pointer.
                    Event::Scalar(name, ..) if !is_hidden && !range.is_empty() => Name::Member(name.to_string()),
                    _ => Name::None,
                };
                let is_named = name != Name::None;
                parent.member = Some((name, range.start, range.end));
                if is_named {
                    continue;
                }
            } else if parent.is_map {
                let (name, start, end) = parent.member.take().ok_or_else(|| invalid(range.start))?;
                is_merged |= name == Name::Member("<<".to_owned());
                (value.name, value.name_start) = (name, start);
                if is_leaf && value.span.is_empty() {
                    // The parser places an empty value at the next token. Its place is after the colon.
                    let before = text[end..].trim_start_matches([' ', '\t', '\r', '\n']);
                    let at = text.len() - before.len() + 1;
                    if before.starts_with(':') {
                        value.span = at..at;
                        if value.inline && !text[at..].starts_with([' ', '\t', '\r', '\n']) {
                            value.held = refusal(at, RefusalReason::YamlColonWithoutSpace);
                        }
                    } else {
                        value.held = refusal(end, RefusalReason::YamlNoColon);
                    }
                }
            } else {
                value.name = if is_hidden { Name::None } else { Name::Item(parent.count) };
                parent.count += 1;
            }
            if is_merged && is_leaf {
                value.held = refusal(value.span.start, RefusalReason::YamlMerged);
            }
            if let Some(id) = event.anchor_id() {
                anchors.push((id, found.0.len()));
            }
            if let Event::Scalar(plain, style, _, tag) = event {
                let tag = tag.as_deref().map(|tag| tag.is_yaml_core_schema_tag("str"));
                scalar(text, &mut value, plain, style, tag);
            }
            let (is_map, is_leaf) = (value.kind == Kind::Map, value.is_leaf());
            let index = found.push(value);
            if !is_leaf {
                open.push(OpenContainer { index, is_map, count: 0, member: None, is_merged });
            }
        }
        hold_anchored(found, &anchors, &aliases);
        flatten_one_document(found);
        Ok(())
    }

    fn write(&self, text: &str, value: &Value, plain: &str) -> Result<Zeroizing<String>, Refusal> {
        // An empty value follows `key:`, `-` or a tag without a space.
        let is_close = value.span.is_empty() && !text[..value.span.start].ends_with([' ', '\n']);
        Ok(Zeroizing::new(format!("{}{}", if is_close { " " } else { "" }, *spelled(value, plain))))
    }

    fn insert(&self, document: &Document, parent: usize, names: &[String], plain: &str) -> Result<Edit, Refusal> {
        let text = document.text();
        let map = &document.values[parent];
        let [name, below @ ..] = names else { return Err(invalid(0)) };
        if map.inline {
            let mut head = format!("{}: ", *key(name));
            below.iter().for_each(|name| head += &format!("{{{}: ", *key(name)));
            let entry = Zeroizing::new(format!("{head}{}{}", *quoted(plain), "}".repeat(below.len())));
            return Ok(splice::add_between_brackets(document, parent, &entry));
        }
        let members = splice::children(document, parent);
        let (Some(first), Some(last)) = (members.first(), members.last()) else { return Err(invalid(map.span.start)) };
        let start = document.values[*first].name_start;
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
        // If the map is the first thing in a list item, the dashes count as indentation.
        let indent: String = text[line..start].trim_start_matches('\u{feff}').chars().map(|_| ' ').collect();
        if !text[line..start].trim_start_matches('\u{feff}').chars().all(|char| matches!(char, ' ' | '-')) {
            return Err(Refusal::at(start, RefusalReason::MembersNotOnOwnLines));
        }
        let end = splice::line_end(text);
        let mut entry = format!("{indent}{}:", *key(name));
        for (depth, name) in below.iter().enumerate() {
            entry += &format!("{end}{indent}{}{}:", "  ".repeat(depth + 1), *key(name));
        }
        let written = if is_safe(plain, false) { Zeroizing::new(plain.to_owned()) } else { quoted(plain) };
        let entry = Zeroizing::new(format!("{entry} {}", *written));
        Ok(splice::add_line_below(text, end_to_add_below(document, *last)?, &entry))
    }

    fn append(&self, document: &Document, parent: usize, plain: &str) -> Result<Edit, Refusal> {
        let (text, list) = (document.text(), &document.values[parent]);
        if list.inline {
            return Ok(splice::add_between_brackets(document, parent, &quoted(plain)));
        }
        let items = splice::children(document, parent);
        let (Some(first), Some(last)) = (items.first(), items.last()) else { return Err(invalid(list.span.start)) };
        let start = document.values[*first].span.start;
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let dash = text[line..start].trim_start_matches('\u{feff}');
        if !dash.trim_start_matches(' ').strip_prefix('-').is_some_and(|rest| rest.chars().all(|char| char == ' ')) {
            return Err(Refusal::at(start, RefusalReason::ItemsNotOnOwnLines));
        }
        let written = if is_safe(plain, false) { Zeroizing::new(plain.to_owned()) } else { quoted(plain) };
        let at = end_to_add_below(document, *last)?;
        Ok(splice::add_line_below(text, at, &Zeroizing::new(format!("{dash}{}", *written))))
    }

    fn remove(&self, document: &Document, index: usize) -> Result<Edit, Refusal> {
        let value = &document.values[index];
        let is_in_flow = value.parent.is_some_and(|parent| document.values[parent].inline);
        if is_in_flow {
            splice::remove_between_brackets(document, index)
        } else {
            splice::remove_lines(document, index)
        }
    }
}

/// Returns the end of the value at `index`. Fails if no line can be added below it.
fn end_to_add_below(document: &Document, index: usize) -> Result<usize, Refusal> {
    let at = splice::end(document, index);
    if document.values.iter().any(|value| value.unclear.is_some() && value.span.end == at) {
        return Err(Refusal::at(at, RefusalReason::UnclearValueAbove));
    }
    Ok(at)
}

fn invalid(offset: usize) -> Refusal {
    Refusal::at(offset, RefusalReason::InvalidYaml)
}

#[allow(clippy::unnecessary_wraps)] // the fields of a value are options
fn refusal(offset: usize, reason: RefusalReason) -> Option<Box<Refusal>> {
    Some(Box::new(Refusal::at(offset, reason)))
}

/// Marks the values that aliases repeat: changing one would change the others.
fn hold_anchored(found: &mut Values, anchors: &[(usize, usize)], aliases: &BTreeSet<usize>) {
    let used: BTreeSet<_> = anchors.iter().filter(|(id, _)| aliases.contains(id)).map(|(_, index)| *index).collect();
    if used.is_empty() {
        return;
    }
    let mut is_used = vec![false; found.0.len()];
    for index in 0..found.0.len() {
        is_used[index] = used.contains(&index) || found.0[index].parent.is_some_and(|parent| is_used[parent]);
        let value = &mut found.0[index];
        if is_used[index] && value.is_leaf() && value.held.is_none() {
            value.held = refusal(value.span.start, RefusalReason::YamlAliased);
        }
    }
}

/// If there is only one document, makes it the root instead of the list of documents.
fn flatten_one_document(found: &mut Values) {
    let is_document = |value: &&Value| value.parent == Some(0);
    match found.0.iter().filter(is_document).count() {
        0 => found.0.clear(),
        1 => {
            found.0.remove(0);
            for value in &mut found.0 {
                match value.parent {
                    Some(0) | None => (value.parent, value.name) = (None, Name::Root),
                    Some(parent) => value.parent = Some(parent - 1),
                }
            }
        }
        _ => {}
    }
}

/// Sets the kind, quotes and text of a scalar. If it has a tag, `tag` says whether that is the tag of strings.
fn scalar(text: &str, value: &mut Value, plain: Cow<'_, str>, style: ScalarStyle, tag: Option<bool>) {
    let start = value.span.start;
    // For an empty value the parser returns `~`.
    let plain = if value.span.is_empty() { Cow::Borrowed("") } else { plain };
    match style {
        ScalarStyle::Plain if value.inline && plain.starts_with('?') => {
            value.held = refusal(start, RefusalReason::YamlQuestionMark);
            value.unclear = value.held.clone();
        }
        ScalarStyle::Plain if tag == Some(true) => {}
        ScalarStyle::Plain => {
            value.kind = match &*plain {
                "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
                plain if is_string(plain) => Kind::String,
                _ => Kind::Scalar,
            };
        }
        ScalarStyle::SingleQuoted => value.quotes = Quotes::Single,
        ScalarStyle::DoubleQuoted => value.quotes = Quotes::Double,
        ScalarStyle::Literal | ScalarStyle::Folded => {
            value.quotes = Quotes::Block;
            match block_span(text, start) {
                Ok(span) => value.span = span,
                Err(reason) => {
                    value.held = refusal(start, reason);
                    value.unclear = value.held.clone();
                }
            }
        }
    }
    if tag == Some(false) {
        value.held = refusal(start, RefusalReason::YamlTypedTag);
        if value.kind == Kind::String {
            value.kind = Kind::Scalar;
        }
    }
    let behind = &text[value.span.end..];
    let blank = &behind[..behind.len() - behind.trim_start_matches([' ', '\t', '\r', '\n']).len()];
    if blank.trim_start_matches([' ', '\t']).contains('\t') && value.held.is_none() {
        value.held = refusal(start, RefusalReason::YamlTabFollows);
    }
    if value.quotes == Quotes::Block || text[value.inside()] != *plain {
        value.decoded = Some(Zeroizing::new(plain.into_owned()));
    }
}

/// Returns the span of the block scalar whose content begins at `content`: from its `|` or `>` to the end of its last
/// line that is not blank.
fn block_span(text: &str, content: usize) -> Result<Range<usize>, RefusalReason> {
    let before = text[..content].trim_end_matches([' ', '\t', '\r', '\n']);
    let header = &before[before.rfind([' ', '\t', '\n']).map_or(0, |at| at + 1)..];
    if !matches!(header, "|" | ">" | "|-" | ">-" | "|+" | ">+") {
        return Err(RefusalReason::YamlBlockHeader);
    }
    let start = before.len() - header.len();
    let Some(lines) = text[before.len()..].find('\n').map(|at| before.len() + at + 1) else {
        return Err(RefusalReason::YamlBlockWithoutLines);
    };
    let (mut at, mut end, mut indent) = (lines, None, None);
    for line in text[lines..].split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let width = content.len() - content.trim_start_matches(' ').len();
        let is_blank = content.len() == width;
        // A line with less indentation than the first one ends the block.
        if !is_blank && (width == 0 || width < *indent.get_or_insert(width)) {
            break;
        }
        if !line.ends_with('\n') {
            return Err(RefusalReason::YamlBlockEnd);
        }
        if !is_blank {
            end = Some(at + content.len());
        } else if indent.is_none() && width > 0 {
            return Err(RefusalReason::YamlBlockBeginsBlank);
        }
        at += line.len();
    }
    end.map(|end| start..end).ok_or(RefusalReason::YamlBlockWithoutLines)
}

/// Returns `plain` as it is written in place of `value`.
fn spelled(value: &Value, plain: &str) -> Zeroizing<String> {
    match value.quotes {
        Quotes::Single if plain.chars().all(is_printable) => {
            let mut written = Zeroizing::new(String::with_capacity(plain.len() * 2 + 2));
            written.push('\'');
            for char in plain.chars() {
                written.push_str(if char == '\'' { "'" } else { "" });
                written.push(char);
            }
            written.push('\'');
            written
        }
        Quotes::None | Quotes::Block if is_safe(plain, value.inline) => Zeroizing::new(plain.to_owned()),
        _ => quoted(plain),
    }
}

/// Returns a name as a key, quoted if necessary.
fn key(name: &str) -> Zeroizing<String> {
    if is_safe(name, true) { Zeroizing::new(name.to_owned()) } else { quoted(name) }
}

/// Reports whether a character needs no escape in quotes.
fn is_printable(char: char) -> bool {
    !char.is_control() && !matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Returns `plain` in double quotes, on one line.
fn quoted(plain: &str) -> Zeroizing<String> {
    splice::double_quoted(plain, |char| !is_printable(char))
}

/// Reports whether `plain` needs no quotes: every reader takes it as this string.
fn is_safe(plain: &str, in_flow: bool) -> bool {
    let is_inner = |char: char| char.is_ascii_alphanumeric() || "_./+=@-".contains(char);
    let colons_are_inner = |(at, _): (usize, &str)| {
        // YAML 1.1 forbids colons in flow style. In block style a colon is safe between two such characters.
        !in_flow && plain[at + 1..].starts_with(is_inner) && plain[..at].ends_with(is_inner)
    };
    plain.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_' || first == '/')
        && plain.chars().all(|char| is_inner(char) || char == ':')
        && plain.match_indices(':').all(colons_are_inner)
        && is_string(plain)
}

/// Reports whether the plain scalar `plain` is a string in YAML 1.1 and in YAML 1.2.
fn is_string(plain: &str) -> bool {
    const WORDS: [&str; 14] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<", "nan"];
    if WORDS.iter().any(|word| plain.eq_ignore_ascii_case(word)) {
        return false;
    }
    let unsigned = plain.strip_prefix(['-', '+']).unwrap_or(plain);
    let digits = unsigned.replace(['_', ','], "").to_ascii_lowercase();
    if matches!(&*digits, ".inf" | ".nan") {
        return false;
    }
    let all = |text: &str, is_digit: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(is_digit);
    let based = digits.strip_prefix('0').and_then(|rest| rest.split_at_checked(1));
    let is_based = match based {
        Some(("x", rest)) => all(rest, u8::is_ascii_hexdigit),
        Some(("o" | "b", rest)) => all(rest, u8::is_ascii_digit),
        _ => false,
    };
    let has_digit = digits.bytes().any(|byte| byte.is_ascii_digit());
    let is_decimal = has_digit && digits.bytes().all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte)) && {
        // YAML 1.1 also allows an exponent without digits.
        digits.parse::<f64>().is_ok() || digits.trim_end_matches(['e', '+', '-']).parse::<f64>().is_ok()
    };
    let parts: Vec<_> = digits.split(':').collect();
    let is_sexagesimal = parts.len() > 1
        && parts.iter().enumerate().all(|(at, part)| {
            let part = if at == parts.len() - 1 { part.replace('.', "") } else { (*part).to_owned() };
            all(&part, u8::is_ascii_digit)
        });
    let mut date = unsigned.splitn(3, '-');
    let is_date = date.next().is_some_and(|year| year.len() == 4 && all(year, u8::is_ascii_digit))
        && date.next().is_some_and(|month| all(month, u8::is_ascii_digit))
        && date.next().is_some_and(|day| day.starts_with(|digit: char| digit.is_ascii_digit()));
    !(is_based || is_decimal || is_sexagesimal || is_date)
}
