//! Distinguishes random texts such as keys from texts of words such as names.

/// Reports whether the value looks like a hash: hexadecimal of a hash's length, or `sha512-…`.
pub(super) fn is_hash(value: &str) -> bool {
    let is_hex = value.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_named_hash(value) || is_hex && [32, 40, 56, 64, 96, 128].contains(&value.len())
}

pub(super) fn is_named_hash(value: &str) -> bool {
    ["sha1", "sha256", "sha384", "sha512", "md5", "blake"].iter().any(|name| value.starts_with(name))
}

pub(super) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Returns the Shannon entropy in bits per character.
pub(super) fn bits_a_character(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    value.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let share = |count: u32| f64::from(count) / value.len() as f64;
    counts.iter().filter(|count| **count > 0).map(|count| -share(*count) * share(*count).log2()).sum()
}

/// The letters that often follow each letter, a to z, in English and in identifiers: 316 of 676 pairs, which make 95 % of
/// the pairs in such text and 47 % of those in random letters.
#[rustfmt::skip] // a table
pub(super) const PAIRS: &[&str] = &[
    "bcdfghiklmnprstuvwxy", "aceijlorsuy", "acehiklmoprstuy", "abdeilmorstu", "abcdefghiklmnopqrstuvwxy",
    "aefilorstu", "aeghilnorsu", "aeiortuy", "abcdefgklmnoprstvxz", "aeou", "aeilosu", "acdefilopstuvy",
    "abdeilmopstu", "acdefgiklnopstuvy", "abcdefgiklmnoprstuvwy", "acehiloprstuy", "u", "abcdefgiklmnoprstuvy",
    "acefhiklmnoprstuy", "acdefhilmnoprstuwy", "abcdefgilmnprst", "aeio", "aehinors", "ceipt", "aemnpst", "aei",
];

/// Reports whether the text is random rather than words or names: the share of its character pairs that are common in
/// words is below `most`. The share is about 0.9 in words and names, 0.25 in random text, and 0.47 in random letters of
/// one case. Pairs of digits do not count, so that a date is not random.
pub(super) fn is_random(text: &str, most: f64) -> bool {
    let bytes = text.as_bytes();
    let is_pair = |pair: &[u8]| {
        let follows = bytes_follow(pair[0], pair[1]);
        let is_case_of_word = !(pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        follows && is_case_of_word
    };
    let counted = |pair: &&[u8]| pair.iter().all(u8::is_ascii_alphanumeric) && !pair.iter().all(u8::is_ascii_digit);
    let pairs = bytes.windows(2).filter(counted).count();
    let natural = bytes.windows(2).filter(counted).filter(|pair| is_pair(pair)).count();
    let has = |kind: fn(&u8) -> bool| bytes.iter().any(kind);
    let kinds = [u8::is_ascii_digit, u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_punctuation];
    let mixed = kinds.into_iter().filter(|kind| has(*kind)).count() >= 2;
    let mut seen = [false; 256];
    bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    mixed && distinct >= 6 && pairs >= 3 && (natural as f64) < most * pairs as f64
}

pub(super) fn bytes_follow(first: u8, second: u8) -> bool {
    let row = first.to_ascii_lowercase().wrapping_sub(b'a');
    PAIRS.get(usize::from(row)).is_some_and(|row| row.as_bytes().contains(&second.to_ascii_lowercase()))
}
