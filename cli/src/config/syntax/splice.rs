//! Adds and removes members for the formats that have a [`Document`]: between brackets (YAML's flow style, TOML's
//! inline tables) and on lines of their own (everything else except JSON, see `member.rs`).

use zeroize::Zeroizing;

use super::{Document, Edit, Name, Refusal, RefusalReason};

/// Returns the members or items of the container at `parent`, in text order.
pub(super) fn children(document: &Document, parent: usize) -> Vec<usize> {
    let is_child = |index: &usize| document.values[*index].parent == Some(parent);
    let mut children: Vec<_> = (0..document.values.len()).filter(is_child).collect();
    children.sort_unstable_by_key(|index| document.values[*index].name_start);
    children
}

/// Returns the end of the value at `index`, including everything in it.
pub(super) fn end(document: &Document, index: usize) -> usize {
    let mut is_within = vec![false; document.values.len()];
    let mut last = document.values[index].span.end;
    is_within[index] = true;
    for (at, value) in document.values.iter().enumerate().skip(index + 1) {
        if value.parent.is_some_and(|parent| is_within[parent]) {
            is_within[at] = true;
            last = last.max(value.span.end);
        }
    }
    last
}

/// Adds `entry` after the last member in the brackets of the container at `parent`, with the spacing of that member.
pub(super) fn add_between_brackets(document: &Document, parent: usize, entry: &str) -> Edit {
    let text = document.text();
    let mut members = children(document, parent);
    let Some(last) = members.pop() else {
        let at = document.values[parent].span.start + 1;
        return Edit::new(at..at, Zeroizing::new(entry.to_owned()));
    };
    let at = end(document, last);
    let before = &text[..document.values[last].name_start];
    let mut space = &before[before.trim_end_matches([' ', '\t', '\r', '\n']).len()..];
    if members.is_empty() && space.is_empty() {
        space = " ";
    }
    // A comment on the line of the last member stays there.
    let line = &text[at..text[at..].find(['\r', '\n']).map_or(text.len(), |end| at + end)];
    let behind = line.trim_start_matches([' ', '\t']);
    let (comma, behind) = behind.strip_prefix(',').map_or(("", behind), |behind| (",", behind.trim_start()));
    if behind.starts_with("//") || behind.starts_with("/*") || behind.starts_with('#') {
        let first = if comma.is_empty() { "," } else { "" };
        let text = Zeroizing::new(format!("{first}{line}{space}{entry}{comma}"));
        return Edit::new(at..at + line.len(), text);
    }
    Edit::new(at..at, Zeroizing::new(format!(",{space}{entry}")))
}

/// Removes the member at `index` from brackets, together with one comma.
pub(super) fn remove_between_brackets(document: &Document, index: usize) -> Result<Edit, Refusal> {
    let value = &document.values[index];
    let siblings = value.parent.map_or_else(Vec::new, |parent| children(document, parent));
    let place = siblings.iter().position(|sibling| *sibling == index).unwrap_or(siblings.len());
    let before = place.checked_sub(1).and_then(|place| siblings.get(place));
    let (span, gap) = match (siblings.get(place + 1), before) {
        (Some(next), _) => {
            let next = document.values[*next].name_start;
            (value.name_start..next, value.span.end..next)
        }
        (None, Some(before)) => {
            let before = end(document, *before);
            (before..value.span.end, before..value.name_start)
        }
        (None, None) => (value.name_start..value.span.end, 0..0),
    };
    if document.text()[gap.clone()].contains(['/', '#']) {
        return Err(Refusal::at(gap.start, RefusalReason::CommentBeside));
    }
    Ok(Edit::new(span, Zeroizing::default()))
}

/// Returns `plain` in double quotes, on one line, with the escapes that YAML and TOML share. `is_escaped` tells which
/// characters need `\u`; all of them have four hexadecimal digits at most.
pub(super) fn double_quoted(plain: &str, is_escaped: impl Fn(char) -> bool) -> Zeroizing<String> {
    let mut written = Zeroizing::new(String::with_capacity(plain.len() * 6 + 2));
    written.push('"');
    for char in plain.chars() {
        match char {
            '"' | '\\' => written.extend(['\\', char]),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            _ if is_escaped(char) => written.push_str(&format!("\\u{:04X}", u32::from(char))),
            _ => written.push(char),
        }
    }
    written.push('"');
    written
}

/// Returns the line end of the first line of `text`.
pub(super) fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Adds `line` below the line that contains the byte before `offset`, or at the top if nothing precedes `offset`.
pub(super) fn add_line_below(text: &str, offset: usize, line: &str) -> Edit {
    let end = line_end(text);
    let above = &text[..offset];
    if above.trim_start_matches('\u{feff}').is_empty() {
        return Edit::new(offset..offset, Zeroizing::new(format!("{line}{end}")));
    }
    // Insert after the line end. If the last line has none, add one.
    let at = if above.ends_with('\n') { Some(offset) } else { text[offset..].find('\n').map(|at| offset + at + 1) };
    match at {
        Some(at) => Edit::new(at..at, Zeroizing::new(format!("{line}{end}"))),
        None => Edit::new(text.len()..text.len(), Zeroizing::new(format!("{end}{line}"))),
    }
}

/// Removes the lines of the member at `index`. Nothing else may be on them.
pub(super) fn remove_lines(document: &Document, index: usize) -> Result<Edit, Refusal> {
    let text = document.text();
    let value = &document.values[index];
    debug_assert!(value.name != Name::Root);
    let start = text[..value.name_start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[value.span.end..].find('\n').map_or(text.len(), |at| value.span.end + at + 1);
    let before = text[start..value.name_start].trim_start_matches('\u{feff}').trim();
    let after = text[value.span.end..end].trim_start();
    if !(before.is_empty() || before == "export") || !(after.is_empty() || after.starts_with(['#', ';'])) {
        return Err(Refusal::at(value.name_start, RefusalReason::NotOnOwnLine));
    }
    let mark = if text[start..].starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    // If the last line has no line end, remove that of the line before.
    let start =
        if text[..end].ends_with('\n') { start + mark } else { text[..start].trim_end_matches(['\r', '\n']).len() };
    Ok(Edit::new(start..end, Zeroizing::default()))
}
