//! Reads and writes INI files, systemd units and `.properties`: lines `name = value`, with or without sections.
//!
//! It accepts what the dialects have in common: those of Python's configparser, git's config, systemd and MySQL; for
//! `.properties`, that of Java. A value that they read differently is unclear, and a line that they read differently
//! makes the text refused.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{Document, Edit, Kind, Name, Quotes, Refusal, RefusalReason, Syntax, Value, Values, splice};

pub(super) struct Ini {
    /// Whether a line in brackets begins a section.
    pub(super) sections: bool,
}

impl Syntax for Ini {
    fn read(&self, text: &str, found: &mut Values) -> Result<(), Refusal> {
        let root = found.push(Value::new(None, Name::Root, Kind::Map, 0..text.len()));
        let (mut section, mut end) = (root, 0);
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
            let refuse = |reason| Err(Refusal::at(start, reason));
            if line.contains([
                '\r', '\0', '\u{85}', '\u{2028}', '\u{2029}', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}',
            ]) {
                return refuse(RefusalReason::IniLineBreak);
            }
            let content = line.trim_start_matches([' ', '\t']);
            if content.is_empty()
                || content.starts_with('#')
                || content.starts_with(if self.sections { ';' } else { '!' })
            {
                continue;
            }
            if content.len() < line.len() {
                return refuse(RefusalReason::IniIndented);
            }
            if self.sections && line.starts_with('[') {
                let name = line.trim_end_matches([' ', '\t']).strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                let Some(name) =
                    name.filter(|name| !name.is_empty() && !name.contains(['[', ']', '"', '\\', '#', ';']))
                else {
                    return refuse(RefusalReason::IniSectionName);
                };
                let name = Name::Member(name.to_owned());
                section = found.push(Value::new(Some(root), name, Kind::Map, start..start + line.len()));
                continue;
            }
            let Some(equals) = line.find('=') else {
                if self.sections
                    && line.trim_end().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
                {
                    // MySQL's options may have a name without a value.
                    continue;
                }
                return refuse(RefusalReason::IniNotAssignment);
            };
            let name = line[..equals].trim_end_matches([' ', '\t']);
            if name.is_empty() {
                return refuse(RefusalReason::IniNotAssignment);
            }
            let behind = &line[equals + 1..];
            let value = behind.trim_start_matches([' ', '\t']);
            let at = if value.is_empty() { start + equals + 1 } else { start + line.len() - value.len() };
            let written = value;
            let value = value.trim_end_matches([' ', '\t']);
            let is_odd = |char: char| {
                let is_plain = char.is_alphanumeric() || "_.-/@ ".contains(char);
                if self.sections { !is_plain } else { !is_plain || char == ' ' || !char.is_ascii() }
            };
            let fault = if name.contains(is_odd) {
                Some(RefusalReason::IniName)
            } else if !self.sections && value.len() < written.len() {
                Some(RefusalReason::IniSpacesAtEnd)
            } else if value.ends_with('\\') {
                return refuse(RefusalReason::IniContinuation);
            } else {
                self.fault(value)
            };
            let mut value =
                Value::new(Some(section), Name::Member(name.to_owned()), Kind::String, at..at + value.len());
            value.name_start = start;
            value.unclear = fault.map(|reason| Box::new(Refusal::at(at, reason)));
            let index = found.push(value);
            let name = if self.sections { name.to_lowercase() } else { name.to_owned() };
            if let Some(namesake) = met.insert((section, name), index) {
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
                let head = &document.values[parent];
                let below = match last {
                    Some(last) => last.span.end,
                    None if head.name == Name::Root => {
                        lines.first().map_or(text.len(), |first| document.values[*first].span.start)
                    }
                    None => head.span.end,
                };
                let below_nothing = last.is_none() && head.name == Name::Root && !lines.is_empty();
                if below_nothing {
                    let end = splice::line_end(text);
                    return Ok(Edit::new(below..below, Zeroizing::new(format!("{}{end}{end}", *line(name)))));
                }
                Ok(splice::add_line_below(text, below, &line(name)))
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
        splice::remove_lines(document, index)
    }
}

impl Ini {
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
