//! Secrets that are recognized by the names in their pointers: `db_password`, `x-api-key`, `tokens: {github: …}`.

use super::values::{has_digits, is_chosen, is_key_text, is_made, is_pair};
use super::words::{ABOUT, BLANK, ENDS, FLAGS, KEYWORDS, NEUTRAL, NEVER, OPEN, RANDOM_PLACES, Smell, words};
use super::{Reason, is_index, unescaped};

/// The maximum length of a name, in bytes; real names are shorter. Without a limit, a long name above many values would
/// be split into words once for each value.
const LONGEST: usize = 256;

/// Returns why the value is likely a secret by the names in its pointer. In a list of messages (`is_prose`), a name
/// alone is weak evidence.
pub(super) fn by_name(pointer: &str, value: &str, is_prose: bool) -> Option<Reason> {
    let (name, above, is_child) = names(pointer)?;
    if name.len().max(above.len()) > LONGEST {
        return None;
    }
    let name = unescaped(name);
    if !smells_at_all(&name) && !smells_at_all(above) {
        return None;
    }
    let words = words(&name);
    let smell = smell_of(&words, &unescaped(above)).map(|smell| match smell {
        // A list with such a name often contains the names of secrets.
        Smell::Chosen if is_child => Smell::Made,
        Smell::Made | Smell::Either if is_child => Smell::Perhaps,
        other => other,
    });
    // `tokens: {"github": "…"}`
    let from_above = || {
        let words = self::words(&unescaped(above));
        let last = words.last()?;
        let singular = last.strip_suffix('s')?;
        let smell = smell_of(&[&words[..words.len() - 1], &[singular.to_owned()]].concat(), "")?;
        let names = self::words(&name);
        let is_name_of_secret = !words_about(&names) && !names.iter().any(|word| NEVER.contains(&word.as_str()));
        let smell = match (singular, smell) {
            _ if !is_name_of_secret => return None,
            (_, Smell::Perhaps) => return None,
            ("password", _) => Smell::Chosen,
            (_, Smell::Made) => Smell::Made,
            _ if is_child => Smell::Made,
            _ => Smell::Either,
        };
        Some(smell)
    };
    let (smell, name) = match smell {
        Some(smell) => (smell, name),
        None => (from_above()?, unescaped(above)),
    };
    let is_likely = match smell {
        Smell::Chosen => is_chosen(value, is_prose, &words),
        Smell::Made => is_made(value) && !(is_prose && value.contains(' ')),
        Smell::Either => is_made(value) || has_digits(value, 2) && is_chosen(value, is_prose, &words),
        Smell::Perhaps => is_pair(&words, value) || is_key_text(value),
    };
    is_likely.then(|| Reason::Name(name.into_owned()))
}

/// Finds random text in places where keys are kept: at least 20 characters with 3.5 bits each.
pub(super) fn random(pointer: &str, value: &str) -> Option<Reason> {
    // The cheapest check comes first. It rejects most values.
    if !is_key_text(value) {
        return None;
    }
    let (name, above, _) = names(pointer)?;
    if name.len().max(above.len()) > LONGEST {
        return None;
    }
    let mut around = words(&unescaped(name));
    if around.iter().any(|word| NEVER.contains(&word.as_str())) {
        return None;
    }
    around.extend(words(&unescaped(above)));
    let smells = around.iter().any(|word| RANDOM_PLACES.contains(&word.as_str()));
    smells.then(|| Reason::Random(value.chars().count()))
}

/// Returns the last meaningful name of a pointer, the name above it, and whether the value is a list item.
pub(super) fn names(pointer: &str) -> Option<(&str, &str, bool)> {
    let (mut rest, mut last) = pointer.rsplit_once('/')?;
    let is_child = is_index(last);
    while is_index(last) || BLANK.contains(&last) {
        let Some((before, name)) = rest.rsplit_once('/') else { break };
        (rest, last) = (before, name);
    }
    let above = rest.rsplit('/').find(|name| !is_index(name)).unwrap_or_default();
    Some((last, above, is_child))
}

/// Returns what the words of a name tell about the value. `above` is the name above it.
pub(super) fn smell_of(words: &[String], above: &str) -> Option<Smell> {
    // The last keyword counts: `token_secret` is a secret, `secret_token_file` is about a token.
    let (start, len, smell) = (0..words.len()).rev().find_map(|end| keyword_at(&words[..=end]))?;
    let after = &words[start + len..];
    let is_number = |word: &String| word.bytes().all(|byte| byte.is_ascii_digit());
    let before = |list: &[&str]| {
        let words = &words[..start];
        [words.first(), words.last()].into_iter().flatten().any(|word| list.contains(&word.as_str()))
    };
    if words_about(after) || before(OPEN) {
        return None;
    }
    if before(FLAGS) {
        return (smell == Smell::Chosen).then_some(Smell::Made);
    }
    if !after.iter().all(|word| is_number(word) || NEUTRAL.contains(&word.as_str())) {
        return Some(Smell::Perhaps);
    }
    // `api: {key: …}`
    if words.len() == 1 && smell == Smell::Perhaps && words[0] == "key" {
        let mut path = self::words(above);
        path.push("key".to_owned());
        return keyword_at(&path).map(|(_, _, smell)| smell);
    }
    Some(smell)
}

pub(super) fn words_about(words: &[String]) -> bool {
    words.iter().any(|word| ABOUT.contains(&word.as_str()))
}

/// Finds the keyword at the end of `words`. Returns its start, its number of words, and its meaning.
pub(super) fn keyword_at(words: &[String]) -> Option<(usize, usize, Smell)> {
    let ends = |keyword: &[&str]| {
        words.len() >= keyword.len()
            && words[words.len() - keyword.len()..].iter().zip(keyword).all(|(word, key)| word == key)
    };
    if let Some((keyword, smell)) =
        KEYWORDS.iter().filter(|(keyword, _)| ends(keyword)).max_by_key(|(keyword, _)| keyword.len())
    {
        return Some((words.len() - keyword.len(), keyword.len(), *smell));
    }
    let last = words.last()?;
    if let Some((_, smell)) = ENDS.iter().rev().find(|(end, _)| last.ends_with(end)) {
        return Some((words.len() - 1, 1, *smell));
    }
    // A plural may be a list of names, so its value must look generated.
    let singular = last.strip_suffix('s')?;
    let is_plural = ["password", "secret", "token", "credential", "key", "cred", "apikey"].contains(&singular);
    let mut words = words.to_vec();
    if let (true, Some(last)) = (is_plural, words.last_mut()) {
        singular.clone_into(last);
        return keyword_at(&words).map(|(start, len, smell)| {
            (
                start,
                len,
                match smell {
                    Smell::Either => Smell::Either,
                    Smell::Perhaps => Smell::Perhaps,
                    _ if singular == "token" => Smell::Perhaps,
                    _ => Smell::Made,
                },
            )
        });
    }
    None
}

/// Reports whether `name` may contain a keyword. The test is cheap, and most names fail it.
pub(super) fn smells_at_all(name: &str) -> bool {
    #[rustfmt::skip] // a table
    const PARTS: &[&str] = &[
        "auth", "api", "bearer", "contrase", "cookie", "cred", "haslo", "key", "mnemonic", "motdepasse", "pass", "pat",
        "phrase", "psk", "pw", "salt", "secret", "seed", "senha", "token", "wort", "woord",
    ];
    let bytes = name.as_bytes();
    (0..bytes.len()).any(|at| {
        let rest = &bytes[at..];
        b"abchkmpstw".contains(&rest[0].to_ascii_lowercase())
            && PARTS
                .iter()
                .any(|part| rest.get(..part.len()).is_some_and(|start| start.eq_ignore_ascii_case(part.as_bytes())))
    })
}
