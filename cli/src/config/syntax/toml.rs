//! Reads and writes TOML. The `toml` crate finds the spans of the values and limits the depth of nesting.

use ::toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::{Document, Edit, Kind, Name, Quotes, Refusal, RefusalReason, Syntax, Value, Values, splice};

pub(super) struct Toml;

impl Syntax for Toml {
    fn read(&self, text: &str, found: &mut Values) -> Result<(), Refusal> {
        let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let table = DeTable::parse(&text[mark..]).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            Refusal::at(at + mark, RefusalReason::InvalidToml { said: error.message().to_owned() })
        })?;
        let span = table.span();
        let root = Value::new(None, Name::Root, Kind::Map, span.start + mark..span.end + mark);
        // Values that are not yet in `found`, the next one last.
        let mut waiting = vec![(root, DeValue::Table(table.into_inner()))];
        while let Some((mut value, de)) = waiting.pop() {
            let is_inline =
                matches!(text.as_bytes().get(value.span.start), Some(b'{' | b'[')) && value.name != Name::Root;
            let (index, next) = match de {
                DeValue::Table(table) => {
                    // If a table has a header, its span is the header's.
                    value.inline |= is_inline && text[value.span.start..].starts_with('{');
                    let inline = value.inline;
                    let index = found.push(value);
                    let members = table.into_iter().map(|(name, member)| {
                        let (start, span) = (name.span().start + mark, member.span());
                        let name = Name::Member(name.into_inner().into_owned());
                        let (span, kind) = (span.start + mark..span.end + mark, kind_of(member.get_ref()));
                        let mut value = Value::new(Some(index), name, kind, span);
                        (value.name_start, value.inline) = (start, inline);
                        (value, member.into_inner())
                    });
                    (index, members.collect::<Vec<_>>())
                }
                DeValue::Array(array) => {
                    let index = found.push(value);
                    let items = array.into_iter().enumerate().map(|(at, item)| {
                        let span = item.span();
                        let (span, kind) = (span.start + mark..span.end + mark, kind_of(item.get_ref()));
                        let mut value = Value::new(Some(index), Name::Item(at), kind, span);
                        // The items of an array of tables have headers.
                        value.inline = kind != Kind::Map || text[value.span.start..].starts_with('{');
                        (value, item.into_inner())
                    });
                    (index, items.collect())
                }
                DeValue::String(plain) => {
                    value.quotes = quotes_of(&text[value.span.clone()]);
                    let plain = Zeroizing::new(plain.into_owned());
                    if value.quotes == Quotes::Block || text[value.inside()] != **plain {
                        value.decoded = Some(plain);
                    }
                    found.push(value);
                    continue;
                }
                _ => {
                    found.push(value);
                    continue;
                }
            };
            let mut next = next;
            next.sort_unstable_by_key(|(value, _)| std::cmp::Reverse(value.name_start));
            if found.0[index].kind == Kind::List {
                next.sort_unstable_by_key(|(value, _)| match value.name {
                    Name::Item(at) => std::cmp::Reverse(at),
                    _ => std::cmp::Reverse(0),
                });
            }
            waiting.append(&mut next);
        }
        Ok(())
    }

    fn write(&self, _: &str, value: &Value, plain: &str) -> Result<Zeroizing<String>, Refusal> {
        let is_literal = value.quotes == Quotes::Single && !plain.contains(|char: char| char == '\'' || is_odd(char));
        Ok(if is_literal { Zeroizing::new(format!("'{plain}'")) } else { quoted(plain) })
    }

    fn insert(&self, document: &Document, parent: usize, names: &[String], plain: &str) -> Result<Edit, Refusal> {
        let text = document.text();
        let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
        let entry = Zeroizing::new(format!("{} = {}", keys.join("."), *quoted(plain)));
        let table = &document.values[parent];
        if table.inline {
            return Ok(splice::add_between_brackets(document, parent, &entry));
        }
        // Only members on the table's own lines count, not tables with headers of their own.
        let members = splice::children(document, parent);
        let own = |index: &&usize| document.values[**index].is_leaf() || document.values[**index].inline;
        if let Some(last) = members.iter().rfind(own) {
            let start = document.values[*last].name_start;
            let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
            let indent = &text[line..start];
            if !indent.trim_start_matches('\u{feff}').trim().is_empty() {
                return Err(Refusal::at(start, RefusalReason::TomlDottedNames));
            }
            let line = Zeroizing::new(format!("{}{}", indent.trim_start_matches('\u{feff}'), *entry));
            return Ok(splice::add_line_below(text, splice::end(document, *last), &line));
        }
        if table.name == Name::Root {
            let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
            let end = splice::line_end(text);
            return Ok(Edit::new(mark..mark, Zeroizing::new(format!("{}{end}", *entry))));
        }
        if !text[table.span.clone()].starts_with('[') {
            return Err(Refusal::at(table.span.start, RefusalReason::TomlNoHeader));
        }
        Ok(splice::add_line_below(text, table.span.end, &entry))
    }

    fn append(&self, document: &Document, parent: usize, plain: &str) -> Result<Edit, Refusal> {
        let list = &document.values[parent];
        if splice::children(document, parent).iter().any(|item| !document.values[*item].inline) {
            return Err(Refusal::at(list.span.start, RefusalReason::TomlItemsAreTables));
        }
        Ok(splice::add_between_brackets(document, parent, &quoted(plain)))
    }

    fn remove(&self, document: &Document, index: usize) -> Result<Edit, Refusal> {
        if document.values[index].inline {
            splice::remove_between_brackets(document, index)
        } else {
            splice::remove_lines(document, index)
        }
    }
}

fn kind_of(value: &DeValue<'_>) -> Kind {
    match value {
        DeValue::String(_) => Kind::String,
        DeValue::Array(_) => Kind::List,
        DeValue::Table(_) => Kind::Map,
        _ => Kind::Scalar,
    }
}

/// Returns the quotes of a string from its source text.
fn quotes_of(written: &str) -> Quotes {
    if written.starts_with("\"\"\"") || written.starts_with("'''") {
        // An empty string has only two quotes.
        Quotes::Block
    } else if written.starts_with('\'') {
        Quotes::Single
    } else {
        Quotes::Double
    }
}

/// Reports whether a character must be escaped: TOML allows no control character except the tab.
fn is_odd(char: char) -> bool {
    char.is_ascii_control() && char != '\t'
}

/// Returns `plain` as a basic string on one line.
fn quoted(plain: &str) -> Zeroizing<String> {
    splice::double_quoted(plain, is_odd)
}

/// Returns a name as a key, quoted if necessary.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare { name.to_owned() } else { quoted(name).to_string() }
}
