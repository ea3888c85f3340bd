//! Secrets within a value: in command lines, headers, assignments and connection strings.

use super::names::{by_name, smell_of, smells_at_all};
use super::placeholders::{is_placeholder, is_word_of_config};
use super::shapes::may_be_secret;
use super::values::{has_digits, is_made};
use super::words::Smell;
use super::words::words;
use super::{Reason, step};

/// Finds a secret within `value` and returns the reason: `NAME=secret`, `--token=secret`, `--token secret`,
/// `Authorization: Bearer secret`, `Server=…;Password=secret`.
pub(super) fn embedded(value: &str) -> Option<Reason> {
    if value.len() > 64 * 1024 || !value.contains(['=', ':', ' ']) || !smells_at_all(value) {
        return None;
    }
    let is_line = !value.contains('\n');
    // The whole value is one assignment or header.
    let in_name = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    for mark in ["=", ": "] {
        if let Some((name, secret)) = value.split_once(mark)
            && is_line
            && !name.is_empty()
            && name.chars().all(in_name)
        {
            let secret = secret.trim_matches(['"', '\'']);
            let name = name.trim_start_matches('-');
            let found = match mark {
                "=" => by_name(&step(name), secret, false),
                _ => by_name(&step(name), secret, true),
            };
            if let Some(reason) = found.filter(|_| may_be_secret(secret)) {
                return Some(reason);
            }
        }
    }
    let pairs = value.split([';', '&', '?', ',', ' ', '\n']).filter_map(|piece| piece.split_once('='));
    let count = value.matches('=').count();
    for (name, secret) in pairs {
        let is_option = name.starts_with("--");
        let name = name.trim_matches(['"', '\'', ' ', '-']);
        let secret = secret.trim_matches(['"', '\'']);
        if name.len() > 64 || !name.chars().all(|char| in_name(char) || char == ' ') || !may_be_secret(secret) {
            continue;
        }
        let Some(Reason::Name(name)) = by_name(&step(name), secret, !is_line) else { continue };
        let is_certain = is_line && (count >= 2 || is_option && has_digits(secret, 1));
        let is_exact = smell_of(&words(&name), "") == Some(Smell::Chosen) && is_certain;
        if is_exact || is_made(secret) {
            let is_string = count >= 2 && !value.contains("://") && !value.starts_with('-');
            return Some(if is_string { Reason::ConnectionString } else { Reason::Name(name) });
        }
    }
    // Options and headers in a command line.
    let mut pieces = value.split_whitespace().peekable();
    while let Some(piece) = pieces.next() {
        let piece = piece.trim_matches(['"', '\'']);
        let Some(mut next) = pieces.peek().map(|next| next.trim_matches(['"', '\''])) else { break };
        let name = match (piece.strip_prefix("--"), piece.strip_suffix(':')) {
            (Some(option), _) if !option.contains('=') => option,
            (_, Some(header)) => header,
            _ => continue,
        };
        if !smells_at_all(name) {
            continue;
        }
        if ["bearer", "basic", "token"].iter().any(|scheme| next.eq_ignore_ascii_case(scheme)) {
            next = pieces.clone().nth(1).unwrap_or_default().trim_matches(['"', '\'']);
        }
        // In a sentence the next word can be any word, so it counts only if it looks generated.
        let is_made_for = is_made(next) && by_name(&step(name), next, true).is_some();
        let is_option = is_line && piece.starts_with("--") && has_digits(next, 1) && !next.starts_with('-');
        let is_chosen_for = is_option && by_name(&step(name), next, false).is_some();
        if may_be_secret(next) && (is_made_for || is_chosen_for) {
            return Some(Reason::Name(name.to_owned()));
        }
    }
    None
}

/// Reports whether a value in the data of a Kubernetes Secret is worth sealing.
pub(super) fn is_secret_data(name: &str, value: &str) -> bool {
    #[rustfmt::skip] // a table
    const NO_SECRETS: &[&str] = &[
        "user", "username", "host", "hostname", "port", "database", "dbname", "name", "namespace", "type", "url",
        "endpoint", "region", "email", "ca", "crt", "cert", "bucket", "server", "uri",
    ];
    let words = words(name);
    !words.last().is_some_and(|word| NO_SECRETS.contains(&word.as_str()))
        && !is_placeholder(value)
        && !is_word_of_config(value)
}
