//! Reads and writes INI files, systemd units and `.properties`: lines `name = value`, with or without sections.
//!
//! It accepts what the dialects have in common: those of Python's configparser, git's config, systemd and MySQL; for
//! `.properties`, that of Java. A value that they read differently is unclear. So are values that may go on in the next
//! line, and those of a section whose name is read differently. Any other line that they read differently makes the
//! text refused.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{Document, Edit, Kind, Name, Quotes, Refusal, RefusalReason, Syntax, Value, Values, splice};

pub(super) struct Ini {
    /// Whether a line in brackets begins a section.
    pub(super) sections: bool,
}

/// What the lines above mean for the next one.
struct Above {
    section: usize,
    /// Why the values of the section are unclear, if its name is.
    doubt: Option<RefusalReason>,
    /// The last value of the section, and the indentation of its line in bytes.
    value: Option<(usize, usize)>,
    /// Whether the last line ends with a backslash.
    continues: bool,
}

impl Syntax for Ini {
    fn read(&self, text: &str, found: &mut Values) -> Result<(), Refusal> {
        let root = found.push(Value::new(None, Name::Root, Kind::Map, 0..text.len()));
        let mut above = Above { section: root, doubt: None, value: None, continues: false };
        let mut end = 0;
        // Python ignores case, so two names that differ only in case count as the same name.
        let mut met: BTreeMap<(usize, String), usize> = BTreeMap::new();
        for line in text.split_inclusive('\n') {
            let mut start = end;
            end += line.len();
            let mut line = line.strip_suffix('\n').unwrap_or(line);
            line = line.strip_suffix('\r').unwrap_or(line);
            if let Some(rest) = line.strip_prefix('\u{feff}').filter(|_| start == 0) {
                (line, start) = (rest, '\u{feff}'.len_utf8());
            }
            if line.contains([
                '\r', '\0', '\u{85}', '\u{2028}', '\u{2029}', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}',
            ]) {
                return Err(Refusal::at(start, RefusalReason::IniLineBreak));
            }
            let content = line.trim_matches([' ', '\t']);
            let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
            let start = start + indent;
            let refuse = |reason| Err(Refusal::at(start, reason));
            if content.is_empty() {
                above.continues = false;
                continue;
            }
            if content.starts_with('#') || content.starts_with(if self.sections { ';' } else { '!' }) {
                continue;
            }
            let shared = self.may_belong_to_value(&above, indent);
            if let (Some(reason), Some((index, _))) = (&shared, above.value) {
                found.0[index].hold(reason);
            }
            if self.sections && content.starts_with('[') {
                if let Some(reason) = shared {
                    return refuse(reason);
                }
                let name = section_name(content);
                let doubt = name.is_none().then_some(RefusalReason::IniSectionName);
                let name = Name::Member(name.unwrap_or(content).to_owned());
                let mut value = Value::new(Some(root), name, Kind::Map, start..start + content.len());
                doubt.iter().for_each(|reason| value.hold(reason));
                above = Above { section: found.push(value), doubt, value: None, continues: false };
                continue;
            }
            above.continues = content.ends_with('\\');
            let Some((name, behind)) = content.split_once('=').filter(|(name, _)| !name.is_empty()) else {
                // MySQL's options may have a name without a value.
                let is_option = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
                if shared.is_some() || self.sections && content.bytes().all(is_option) {
                    continue;
                }
                return refuse(RefusalReason::IniNotAssignment);
            };
            let written = behind.trim_start_matches([' ', '\t']);
            let at = if written.is_empty() { start + name.len() + 1 } else { start + content.len() - written.len() };
            let name = name.trim_end_matches([' ', '\t']);
            let mut value =
                Value::new(Some(above.section), Name::Member(name.to_owned()), Kind::String, at..at + written.len());
            value.name_start = start;
            let ends_in_spaces = indent + content.len() < line.len();
            if let Some(reason) = shared.as_ref().or(above.doubt.as_ref()) {
                value.hold(reason);
            } else if above.continues {
                value.hold(&RefusalReason::IniContinuation);
            } else {
                value.unclear =
                    self.doubt(name, written, ends_in_spaces).map(|reason| Box::new(Refusal::at(at, reason)));
            }
            let index = found.push(value);
            // To Python, the lines of a value are those that are indented further than the first one.
            let first = above.value.filter(|_| shared == Some(RefusalReason::IniIndented)).map(|(_, indent)| indent);
            above.value = Some((index, first.unwrap_or(indent)));
            let name = if self.sections { name.to_lowercase() } else { name.to_owned() };
            if let Some(namesake) = met.insert((above.section, name), index) {
                found.0[namesake].repeated = true;
                found.0[index].repeated = true;
            }
        }
        Ok(())
    }

    fn write(&self, text: &str, value: &Value, plain: &str) -> Result<Zeroizing<String>, Refusal> {
        debug_assert_eq!(value.quotes, Quotes::None);
        let written = self.written(plain, value.span.start)?;
        // If the value was empty and a space precedes the =, another one follows it.
        let space = if value.span.is_empty() && text[..value.span.start].ends_with(" =") { " " } else { "" };
        Ok(Zeroizing::new(format!("{space}{}", *written)))
    }

    fn insert(&self, document: &Document, parent: usize, names: &[String], plain: &str) -> Result<Edit, Refusal> {
        let text = document.text();
        let plain = self.written(plain, text.len())?;
        document.values[parent].check_replaceable()?;
        let line = |name: &str| {
            let first = document.values.iter().find(|value| value.kind == Kind::String);
            let head = first.map_or("name = ", |value| text[value.name_start..value.span.start].trim_end_matches('\n'));
            let equals = if head.contains(" =") || first.is_none() && self.sections { " = " } else { "=" };
            Zeroizing::new(format!("{name}{equals}{}", *plain))
        };
        match names {
            [name] => {
                // The new line goes below the last line of its section; without a section, above the first one.
                let lines = splice::children(document, parent);
                let last = lines.iter().map(|index| &document.values[*index]).rfind(|value| value.kind == Kind::String);
                if last.is_some_and(|last| last.held.is_some()) {
                    return Err(Refusal::at(text.len(), RefusalReason::UnclearValueAbove));
                }
                let head = &document.values[parent];
                let below = match last {
                    Some(last) => last.span.end,
                    None if head.name == Name::Root => lines.first().map_or(text.len(), |first| {
                        let above = &text[..document.values[*first].span.start];
                        above.trim_end_matches([' ', '\t']).len()
                    }),
                    None => head.span.end,
                };
                let below_nothing = last.is_none() && head.name == Name::Root && !lines.is_empty();
                if below_nothing {
                    let end = splice::line_end(text);
                    return Ok(Edit::new(below..below, Zeroizing::new(format!("{}{end}{end}", *line(name)))));
                }
                let indent = last.map_or("", |last| {
                    let above = text[..last.name_start].trim_end_matches([' ', '\t']).len();
                    &text[above..last.name_start]
                });
                Ok(splice::add_line_below(text, below, &Zeroizing::new(format!("{indent}{}", *line(name)))))
            }
            [section, name] if self.sections && document.values[parent].name == Name::Root => {
                let end = splice::line_end(text);
                let gap = if text.is_empty() {
                    ""
                } else if text.ends_with('\n') {
                    end
                } else {
                    &end.repeat(2)
                };
                let added = Zeroizing::new(format!("{gap}[{section}]{end}{}{end}", *line(name)));
                Ok(Edit::new(text.len()..text.len(), added))
            }
            _ => Err(Refusal::at(text.len(), RefusalReason::IniTooDeep)),
        }
    }

    fn append(&self, document: &Document, _: usize, _: &str) -> Result<Edit, Refusal> {
        Err(Refusal::at(document.text().len(), RefusalReason::IniNoLists))
    }

    fn remove(&self, document: &Document, index: usize) -> Result<Edit, Refusal> {
        document.values[index].check_replaceable()?;
        splice::remove_lines(document, index)
    }
}

/// Returns the name of a section, if all readers read it alike. `line` begins with a bracket.
fn section_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    (!name.is_empty() && !name.contains(['[', ']', '"', '\\', '#', ';'])).then_some(name)
}

impl Ini {
    /// Returns why some readers take the next line, with this indentation, for a part of the value above, if they do.
    fn may_belong_to_value(&self, above: &Above, indent: usize) -> Option<RefusalReason> {
        if above.continues {
            return Some(RefusalReason::IniContinuation);
        }
        // Java removes the indentation.
        let is_deeper = self.sections && above.value.is_some_and(|(_, first)| indent > first);
        is_deeper.then_some(RefusalReason::IniIndented)
    }

    /// Returns why the readers disagree about a line `name = value`, if they do.
    fn doubt(&self, name: &str, value: &str, ends_in_spaces: bool) -> Option<RefusalReason> {
        let is_odd = |char: char| {
            let is_plain = char.is_alphanumeric() || "_.-/@ ".contains(char);
            if self.sections { !is_plain } else { !is_plain || char == ' ' || !char.is_ascii() }
        };
        if name.contains(is_odd) {
            Some(RefusalReason::IniName)
        } else if !self.sections && ends_in_spaces {
            Some(RefusalReason::IniSpacesAtEnd)
        } else {
            self.fault(value)
        }
    }

    /// Returns why the readers disagree about a value, if they do.
    fn fault(&self, value: &str) -> Option<RefusalReason> {
        value.chars().find_map(|char| match char {
            '\\' => Some(RefusalReason::IniBackslash),
            '$' => Some(RefusalReason::IniDollar),
            '"' | '\'' | '`' if self.sections => Some(RefusalReason::IniQuotes),
            ';' | '#' if self.sections => Some(RefusalReason::IniComment),
            '%' if self.sections => Some(RefusalReason::IniPercent),
            ' ' => None,
            _ if char.is_ascii_graphic() || self.sections && char.is_alphanumeric() => None,
            _ => Some(RefusalReason::IniCharacter),
        })
    }

    fn written(&self, plain: &str, offset: usize) -> Result<Zeroizing<String>, Refusal> {
        let fault = self.fault(plain).or((plain.trim() != plain).then_some(RefusalReason::IniSpacesLost));
        match fault {
            None => Ok(Zeroizing::new(plain.to_owned())),
            Some(fault) => Err(Refusal::at(offset, RefusalReason::IniNoForm(Box::new(fault)))),
        }
    }
}
