//! What a value may be: chosen by a person, made by a machine, or a pair of user and password.

use super::placeholders::{is_placeholder, is_reference, is_word_of_config};
use super::randomness::{bits_a_character, is_hash, is_named_hash, is_random, is_uuid};

/// Whether a person would choose the value as a password. `changeme` is one: it is what the program takes.
pub(super) fn is_chosen(value: &str, is_prose: bool, name: &[String]) -> bool {
    if value.len() > 512
        || value.contains('\n')
        || is_placeholder(value)
        || is_reference(value)
        || is_word_of_config(value)
    {
        return false;
    }
    let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
    let has_digit = has(u8::is_ascii_digit);
    let is_digits = value.bytes().all(|byte| byte.is_ascii_digit() || b"+-.,_".contains(&byte));
    if is_digits {
        return value.len() >= 8;
    }
    if value.contains(char::is_whitespace) {
        return !is_prose && is_phrase(value);
    }
    let is_weak_name = matches!(name, [word] if ["pass", "pw"].contains(&word.as_str()));
    let is_secret_name = name.last().is_some_and(|word| word.ends_with("secret") || word == "key");
    let letters = value.chars().filter(|char| char.is_alphabetic()).count();
    if letters == value.chars().count() {
        // A word. With a capital letter, or one that ASCII lacks, it is the label of a form.
        let is_lower = value.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_mixed = value.is_ascii() && is_random(value, 0.5) && value.len() >= 8;
        return is_mixed || !is_prose && is_lower && !is_weak_name && (value.len() >= 8 || !is_secret_name);
    }
    if is_prose {
        return has_digit && letters > 0 && is_made(value);
    }
    has_digit || value.is_ascii() && !is_weak_name
}

/// Whether there are so many digits.
pub(super) fn has_digits(value: &str, count: usize) -> bool {
    value.bytes().filter(u8::is_ascii_digit).count() >= count
}

/// Four or more plain words, as a passphrase has them, and none that make a sentence.
pub(super) fn is_phrase(value: &str) -> bool {
    #[rustfmt::skip] // a table
    const SENTENCE: &[&str] = &[
        "the", "a", "an", "your", "is", "to", "for", "of", "and", "must", "enter", "please", "or", "not", "this",
        "with", "in", "if", "be", "used", "on", "password", "token", "secret",
    ];
    let words: Vec<&str> = value.split(' ').collect();
    words.len() >= 4
        && words.iter().all(|word| {
            word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_lowercase()) && !SENTENCE.contains(word)
        })
}

/// Whether a machine would make the value as a token.
pub(super) fn is_made(value: &str) -> bool {
    let token = ["Bearer ", "bearer ", "Basic ", "basic ", "Token ", "token ", "ApiKey ", "Api-Key "]
        .iter()
        .find_map(|scheme| value.strip_prefix(scheme))
        .unwrap_or(value);
    let is_printable = token.bytes().all(|byte| byte.is_ascii_graphic());
    (8..=8192).contains(&token.len())
        && is_printable
        && !is_placeholder(token)
        && !is_reference(token)
        && !is_word_of_config(token)
        && !is_named_hash(token)
        && is_random(token, if token.len() < 20 { 0.5 } else { 0.6 })
}

/// Whether the value is `user:password`, as basic authentication has it, plain or in base64.
pub(super) fn is_pair(name: &[String], value: &str) -> bool {
    let is_auth = name.last().is_some_and(|word| word == "auth" || word == "basicauth");
    let decoded = is_auth.then(|| decoded_base64(value)).flatten();
    let Some((user, password)) = decoded.as_deref().unwrap_or(value).split_once(':') else { return false };
    let in_user = |char: char| char.is_ascii_alphanumeric() || "-_.@".contains(char);
    let is_number = password.bytes().all(|byte| byte.is_ascii_digit());
    let has_other = password.bytes().any(|byte| !byte.is_ascii_lowercase());
    is_auth
        && !user.is_empty()
        && user.chars().all(in_user)
        && !is_number
        && has_other
        && password.len() >= 6
        && !password.contains(|char: char| char.is_whitespace() || char == '/')
        && !is_placeholder(password)
}

/// The ASCII text that the value is the base64 of.
pub(super) fn decoded_base64(value: &str) -> Option<String> {
    let mut text = String::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in value.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(digit), count + 6);
        if count >= 8 {
            count -= 8;
            let byte = u8::try_from(bits >> count & 0xff)
                .ok()
                .filter(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))?;
            text.push(char::from(byte));
            bits &= (1 << count) - 1;
        }
    }
    value.len().is_multiple_of(4).then_some(text)
}

/// At least 20 characters of base64, base64url or the like, of 3.5 bits each, that are no hash, no UUID and no public key.
pub(super) fn is_key_text(value: &str) -> bool {
    let in_key = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_.~!".contains(&byte);
    let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
    (20..=256).contains(&value.len())
        && value.bytes().all(in_key)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && bits_a_character(value) >= 3.5
        && !is_hash(value)
        && !is_uuid(value)
        && !["MII", "MIG", "MFk", "MCo", "AAAA", "ssh-"].iter().any(|start| value.starts_with(start))
        && !is_placeholder(value)
        && !is_reference(value)
        && is_random(value, 0.45)
}
