//! Placeholders such as `${NAME}`: recognizes their forms, and fills them in from the environment for `run --expand`.
//!
//! If the variable is unset or empty, `${NAME:-default}` gives the default and `${NAME:?message}` is an error. The
//! variables of the master key are never filled in, because the author of a config must not get the key.

use std::borrow::Cow;

use crate::env::KEY_VARIABLES;
use crate::error::{ConfigFailure, Result};

/// Fills in the placeholders of `text` with the values that `variable` returns. An unset variable without a default is
/// an error.
pub(crate) fn expand<'t>(text: &'t str, variable: impl Fn(&str) -> Option<String>) -> Result<Cow<'t, str>> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, inner, after)) = next(rest) {
        let (name, rule) = inner.split_at(name_len(inner));
        let owned = || name.to_owned();
        if KEY_VARIABLES.contains(&name) {
            return Err(ConfigFailure::KeyVariable { name: owned() }.into());
        }
        filled += before;
        let value = variable(name);
        filled += &match (rule.get(..2), value) {
            (None, Some(value)) if rule.is_empty() => value,
            (Some(":-" | ":?"), Some(value)) if !value.is_empty() => value,
            (Some(":-"), _) => rule[2..].to_owned(),
            (Some(":?"), _) => {
                return Err(ConfigFailure::VariableMissing { name: owned(), message: rule[2..].to_owned() }.into());
            }
            (None, None) if rule.is_empty() => return Err(ConfigFailure::VariableNotSet { name: owned() }.into()),
            _ => return Err(ConfigFailure::PlaceholderForm { name: owned() }.into()),
        };
        rest = after;
    }
    Ok(if rest.len() == text.len() { Cow::Borrowed(text) } else { Cow::Owned(filled + rest) })
}

/// Returns the form of a placeholder that `text` is or contains. Other programs fill these in, so such a value is not a
/// secret.
pub(crate) fn form(text: &str) -> Option<&'static str> {
    let holds = |open: &str, close: &str| text.split_once(open).is_some_and(|(_, rest)| rest.contains(close));
    let is_word = |word: &str, extra: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.as_bytes().contains(&byte))
    };
    if holds("${{", "}}") {
        Some("${{ … }}")
    } else if next(text).is_some() {
        Some("${…}")
    } else if holds("{{", "}}") {
        Some("{{ … }}")
    } else if text
        .strip_prefix('$')
        .is_some_and(|name| name_len(name) == name.len() && name == name.to_ascii_uppercase() && !name.is_empty())
    {
        Some("$NAME")
    } else if text.starts_with("op://") {
        Some("op://…")
    } else if text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).is_some_and(|word| is_word(word, " -_")) {
        Some("<…>")
    } else {
        None
    }
}

/// Splits `text` at the next placeholder: the text before it, its content, and the text after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(at) = text[from..].find("${") {
        let (before, after) = text.split_at(from + at);
        let (inner, after) = after[2..].split_once('}')?;
        if name_len(inner) > 0 {
            return Some((before, inner, after));
        }
        from += at + 2;
    }
    None
}

/// Returns the length of the variable name at the start of `text`.
fn name_len(text: &str) -> usize {
    let len = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    if text.starts_with(|char: char| char.is_ascii_digit()) { 0 } else { len }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> std::result::Result<String, String> {
        let variable = |name: &str| match name {
            "HOST" => Some("pve".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand(text, variable).map(Cow::into_owned).map_err(|failure| failure.what())
    }

    #[test]
    fn placeholders_are_filled_in_and_all_else_stays() {
        for (text, result) in [
            ("${HOST}", "pve"),
            ("https://${HOST}:${PORT:-8006}/${EMPTY}", "https://pve:8006/"),
            ("${EMPTY:-x}${EMPTY}${NO:-}", "x"),
            ("${HOST:?m}${HOST:-n}", "pvepve"),
            ("$HOST ${} ${1} ${", "$HOST ${} ${1} ${"),
            ("${ ${HOST}}", "${ pve}"),
            ("${NO:-ü}é", "üé"),
            ("", ""),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn what_is_missing_unknown_or_the_master_key_is_an_error() {
        for (text, said) in [
            ("${NO}", "variable NO is not set"),
            ("${EMPTY:?say it}", "variable EMPTY is not set: say it"),
            ("${HOST-x}", "variable HOST is in a placeholder of an unsupported form"),
            ("${HOST:+x}", "variable HOST is in a placeholder of an unsupported form"),
            ("${PROXMOX_MCP_MASTER_KEY:-}", "variable PROXMOX_MCP_MASTER_KEY holds the master key"),
        ] {
            let what = expanded(text).unwrap_err();
            assert!(what.ends_with(said), "{text}: {what}");
        }
    }

    #[test]
    fn common_forms_are_known_and_secrets_are_not_taken_for_them() {
        for (text, wanted) in [
            ("${TOKEN}", Some("${…}")),
            ("${input:mail}", Some("${…}")),
            ("Bearer ${env:MAIL}", Some("${…}")),
            ("${{ secrets.MAIL }}", Some("${{ … }}")),
            ("{{ vault_token }}", Some("{{ … }}")),
            ("$MAIL", Some("$NAME")),
            ("op://vault/item/field", Some("op://…")),
            ("<your-token>", Some("<…>")),
            ("", None),
            ("$", None),
            ("$5ecret", None),
            ("$ecret", None),
            ("p$$W0RD", None),
            ("${}", None),
            ("<a>b</a>", None),
            ("{\"a\": 1}", None),
            ("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", None),
        ] {
            assert_eq!(form(text), wanted, "{text}");
        }
    }
}
