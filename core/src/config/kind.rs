//! Classifies the strings of a config: tokens, strings that look like damaged tokens, placeholders, and plain text. All
//! code that must tell these apart uses [`classify`]; a new kind is added here.

use crate::error::Error;
use crate::json::{self, Unescape};
use crate::token::{self, Open, Token};

/// The kind of a string value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A token.
    Sealed,
    /// Not a token, but it begins with `enc:` in any case, after any whitespace. It may be a damaged token.
    Lookalike,
    /// A placeholder and nothing else: `${NAME}`, `${NAME:-default}` or the like, which the reader of the config
    /// replaces.
    Placeholder,
    /// Any other text.
    Plain,
}

/// Returns the kind of the string `text`, which is unescaped. A token is recognised by its structure, without a key.
#[must_use]
pub fn classify(text: &str) -> ValueKind {
    let start = text.trim_start().as_bytes();
    if Token::parse(text).is_ok() {
        ValueKind::Sealed
    } else if start.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(token::PREFIX.as_bytes())) {
        ValueKind::Lookalike
    } else if is_placeholder(text) {
        ValueKind::Placeholder
    } else {
        ValueKind::Plain
    }
}

fn is_placeholder(text: &str) -> bool {
    let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else { return false };
    let rest = inner.trim_start_matches(|char: char| char.is_ascii_alphanumeric() || char == '_');
    let starts_with_name = inner.len() > rest.len() && !inner.starts_with(|char: char| char.is_ascii_digit());
    starts_with_name && (rest.is_empty() || rest.starts_with([':', '-', '?', '+', '=']) && !rest.contains('}'))
}

/// Returns whether a string begins with `enc:`. `raw` is the inside of the JSON string, with its escapes.
pub(super) fn begins_sealed(raw: &[u8]) -> bool {
    let mut start = Unescape::new(raw);
    token::PREFIX.bytes().all(|byte| start.next() == Some(Ok(byte)))
}

/// Unescapes a string to the front of `buf` and opens it if it begins with `enc:`. The text is then at the front of `buf`;
/// returns its length. `raw` is the inside of the JSON string, with its escapes.
pub(super) fn open_string(raw: &[u8], opener: &mut dyn Open, buf: &mut [u8]) -> Result<usize, Error> {
    let len = json::unescape_into(raw, buf)?;
    if begins_sealed(raw) { token::open_in_place(opener, len, buf) } else { Ok(len) }
}
