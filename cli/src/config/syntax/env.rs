//! Reads and writes `.env` files.
//!
//! The format has no standard. Docker Compose, npm's dotenv, python-dotenv and shells read it, and this scanner accepts
//! what these four read alike. If they disagree about a value, the value is unclear and has the reason. If they
//! disagree about where a value ends, the whole text is refused. On lines that end in CR LF the shell does not count,
//! because it takes the CR as part of every value. `tests/formats/dialects.py` compares the scanner with all four.

use zeroize::Zeroizing;

use super::{Document, Edit, Kind, Name, Quotes, Refusal, RefusalReason, Syntax, Value, Values, splice};

pub(super) struct Env;

impl Syntax for Env {
    fn read(&self, text: &str, found: &mut Values) -> Result<(), Refusal> {
        if let Some(at) = text.find(['\u{2028}', '\u{2029}', '\0']) {
            return Err(Refusal::at(at, RefusalReason::DotenvLineBreak));
        }
        let root = found.push(Value::new(None, Name::Root, Kind::Map, 0..text.len()));
        let mut scan = Scanner { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 } };
        while scan.at < text.len() {
            if let Some(mut value) = scan.line()? {
                value.parent = Some(root);
                if text.starts_with('\u{feff}') && !text[..value.name_start].contains('\n') {
                    value.unclear = Some(Box::new(Refusal::at(0, RefusalReason::EnvByteOrderMark)));
                }
                found.push(value);
            }
        }
        Ok(())
    }

    fn write(&self, _: &str, value: &Value, plain: &str) -> Result<Zeroizing<String>, Refusal> {
        written(value.quotes, plain, value.span.start)
    }

    fn insert(&self, document: &Document, _: usize, names: &[String], plain: &str) -> Result<Edit, Refusal> {
        let [name] = names else {
            return Err(Refusal::at(0, RefusalReason::EnvNoGroups));
        };
        if !is_name(name) {
            return Err(Refusal::at(0, RefusalReason::EnvInvalidName));
        }
        let text = document.text();
        let line = Zeroizing::new(format!("{name}={}", *written(Quotes::None, plain, text.len())?));
        let last = document.values.iter().skip(1).map(|value| value.span.end).max();
        Ok(splice::add_line_below(text, last.unwrap_or(text.len()), &line))
    }

    fn append(&self, _: &Document, _: usize, _: &str) -> Result<Edit, Refusal> {
        Err(Refusal::at(0, RefusalReason::EnvNoLists))
    }

    fn remove(&self, document: &Document, index: usize) -> Result<Edit, Refusal> {
        splice::remove_lines(document, index)
    }
}

/// Reports whether every reader accepts a variable of this name.
fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
}

/// Returns `plain` in the first form that all readers read alike. It tries the present quotes, then none, then the
/// others.
fn written(quotes: Quotes, plain: &str, offset: usize) -> Result<Zeroizing<String>, Refusal> {
    for quotes in [quotes, Quotes::None, Quotes::Single, Quotes::Double] {
        let quote = match quotes {
            Quotes::None if bare_fault(plain).is_none() => "",
            Quotes::Single if single_fault(plain).is_none() => "'",
            Quotes::Double if double_fault(plain).is_none() => "\"",
            _ => continue,
        };
        return Ok(Zeroizing::new(format!("{quote}{plain}{quote}")));
    }
    Err(Refusal::at(offset, RefusalReason::EnvNoForm))
}

/// Returns why the readers disagree about a value without quotes, if they do.
fn bare_fault(value: &str) -> Option<RefusalReason> {
    value.chars().find_map(|char| match char {
        ' ' | '\t' => Some(RefusalReason::ShellSpace),
        '$' => Some(RefusalReason::EnvDollar),
        '#' => Some(RefusalReason::DotenvComment),
        '\\' => Some(RefusalReason::ShellBackslash),
        '\'' | '"' | '`' => Some(RefusalReason::ShellQuotes),
        '~' => Some(RefusalReason::ShellTilde),
        '&' | '|' | ';' | '<' | '>' | '(' | ')' => Some(RefusalReason::ShellOperator),
        _ if char.is_ascii_graphic() || char.is_alphanumeric() => None,
        _ => Some(RefusalReason::EnvWhitespace),
    })
}

/// Returns why the readers disagree about a value in single quotes, if they do.
fn single_fault(value: &str) -> Option<RefusalReason> {
    if value.contains('\'') || value.ends_with('\\') {
        return Some(RefusalReason::ShellSingleQuote);
    }
    if value.contains("\\\\") {
        return Some(RefusalReason::PythonBackslashes);
    }
    if value.contains("${") {
        return Some(RefusalReason::PythonVariable);
    }
    control_fault(value)
}

/// Returns why the readers disagree about a value in double quotes, if they do.
fn double_fault(value: &str) -> Option<RefusalReason> {
    let fault = value.chars().find_map(|char| match char {
        '\\' => Some(RefusalReason::EnvEscapes),
        '$' | '`' => Some(RefusalReason::EnvDollarOrBacktick),
        '"' => Some(RefusalReason::EnvDoubleQuote),
        _ => None,
    });
    fault.or_else(|| control_fault(value))
}

fn control_fault(value: &str) -> Option<RefusalReason> {
    let is_odd =
        |char: char| char.is_control() && !matches!(char, '\n' | '\t') || matches!(char, '\u{2028}' | '\u{2029}');
    if value.contains(is_odd) { Some(RefusalReason::EnvControlCharacter) } else { None }
}

/// The scanner's position in the text. Between two values it is the start of a line.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Returns the rest of the line without its line end.
    fn rest_of_line(&self) -> &'a str {
        let rest = self.rest();
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        line.strip_suffix('\r').unwrap_or(line)
    }

    /// Skips spaces and tabs. Returns their number.
    fn skip_blanks(&mut self) -> usize {
        let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        self.at += blanks;
        blanks
    }

    fn refuse<T>(&self, at: usize, reason: RefusalReason) -> Result<T, Refusal> {
        Err(Refusal::at(at, reason))
    }

    /// Reads the next line, or the lines of a value of several.
    fn line(&mut self) -> Result<Option<Value>, Refusal> {
        self.skip_blanks();
        let line = self.rest_of_line();
        if line.contains('\r') {
            return self.refuse(self.at, RefusalReason::EnvCarriageReturn);
        }
        let value = if line.is_empty() || line.starts_with('#') {
            self.at += line.len();
            None
        } else {
            self.assignment()?
        };
        // The rest of the line was checked already.
        self.at += self.rest().find('\n').map_or(self.rest().len(), |end| end + 1);
        Ok(value)
    }

    fn assignment(&mut self) -> Result<Option<Value>, Refusal> {
        if let Some(rest) = self.rest_of_line().strip_prefix("export")
            && rest.starts_with([' ', '\t'])
        {
            self.at += "export".len();
            self.skip_blanks();
        }
        let start = self.at;
        let line = self.rest_of_line();
        let name =
            &line[..line.find(|char: char| !(char.is_alphanumeric() || "_.-".contains(char))).unwrap_or(line.len())];
        if name.is_empty() {
            return self.refuse(start, RefusalReason::EnvNotAssignment);
        }
        let mut unclear = (!is_name(name)).then_some(RefusalReason::ShellNoSuchName);
        self.at += name.len();
        if self.skip_blanks() > 0 && self.rest().starts_with('=') {
            unclear = Some(RefusalReason::ShellSpaceAfterName);
        }
        if self.rest_of_line().is_empty() {
            // Docker Compose passes on the variable of that name. There is no value in the file.
            return Ok(None);
        }
        if !self.rest().starts_with('=') {
            return self.refuse(self.at, RefusalReason::EnvNotAssignment);
        }
        self.at += 1;
        let mut value = self.value(&mut unclear)?;
        value.name = Name::Member(name.to_owned());
        value.name_start = start;
        value.unclear = unclear.map(|reason| Box::new(Refusal::at(value.span.start, reason)));
        Ok(Some(value))
    }

    /// Reads the value after the equals sign.
    fn value(&mut self, unclear: &mut Option<RefusalReason>) -> Result<Value, Refusal> {
        let behind = self.at;
        let blanks = self.skip_blanks();
        let line = self.rest_of_line();
        if line.is_empty() {
            return Ok(Value::new(None, Name::Root, Kind::String, behind..behind));
        }
        if blanks > 0 && line.starts_with('#') {
            unclear.get_or_insert(RefusalReason::PythonCommentIsValue);
            self.at += line.len();
            return Ok(Value::new(None, Name::Root, Kind::String, behind..behind));
        }
        if blanks > 0 {
            unclear.get_or_insert(RefusalReason::ShellSpaceBeforeValue);
        }
        match line.as_bytes().first() {
            Some(b'\'') => self.quoted('\'', unclear),
            Some(b'"') => self.quoted('"', unclear),
            _ => self.bare(unclear),
        }
    }

    fn bare(&mut self, unclear: &mut Option<RefusalReason>) -> Result<Value, Refusal> {
        let (start, line) = (self.at, self.rest_of_line());
        let is_comment = |(at, _): &(usize, &str)| line[..*at].ends_with([' ', '\t']);
        let end = line.match_indices('#').find(is_comment).map_or(line.len(), |(at, _)| at);
        let (value, comment) = (line[..end].trim_end_matches([' ', '\t']), &line[end..]);
        if let Some(quote) = ['\'', '"', '`'].into_iter().find(|quote| value.matches(*quote).count() % 2 == 1) {
            let at = start + value.find(quote).unwrap_or(0);
            return self.refuse(at, RefusalReason::ShellOpenQuote);
        }
        let parentheses =
            value.split_inclusive('(').filter(|part| part.ends_with('(') && !part.ends_with("$(")).count();
        if parentheses > 0 || value.matches('(').count() != value.matches(')').count() {
            return self.refuse(start, RefusalReason::ShellParenthesis);
        }
        if value.ends_with('\\') {
            return self.refuse(start + value.len() - 1, RefusalReason::ShellContinuation);
        }
        // If a shell does not take this as a comment, it takes the quotes in it as quotes.
        if value.contains('#') && comment.contains(['\'', '"', '`']) {
            return self.refuse(start, RefusalReason::EnvCommentStart);
        }
        *unclear = unclear.take().or_else(|| bare_fault(value));
        self.at += line.len();
        Ok(Value::new(None, Name::Root, Kind::String, start..start + value.len()))
    }

    fn quoted(&mut self, quote: char, unclear: &mut Option<RefusalReason>) -> Result<Value, Refusal> {
        let start = self.at;
        let rest = &self.rest()[1..];
        let closes = |at: usize| {
            let before = &rest[..at];
            let backslashes = before.len() - before.trim_end_matches('\\').len();
            match (quote, backslashes) {
                (_, 0) => Ok(true),
                ('"', 1) => Ok(false),
                _ => self.refuse(start + 1 + at, RefusalReason::EnvQuoteEnd),
            }
        };
        let mut end = None;
        for (at, _) in rest.match_indices(quote) {
            if closes(at)? {
                end = Some(at);
                break;
            }
        }
        let Some(end) = end else { return self.refuse(start, RefusalReason::EnvOpenQuote) };
        let inside = &rest[..end];
        let fault = if quote == '"' { double_fault(inside) } else { single_fault(inside) };
        self.at = start + end + 2;
        let line = self.rest_of_line();
        let after = line.trim_start_matches([' ', '\t']);
        if !(after.is_empty() || after.starts_with('#') && after.len() < line.len()) {
            return self.refuse(self.at, RefusalReason::EnvAfterQuote);
        }
        *unclear = unclear.take().or(fault);
        let mut value = Value::new(None, Name::Root, Kind::String, start..self.at);
        value.quotes = if quote == '"' { Quotes::Double } else { Quotes::Single };
        Ok(value)
    }
}
