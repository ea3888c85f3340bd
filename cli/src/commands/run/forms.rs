//! The forms in which a program may print a secret: as it is, in JSON, in base64, in hex, percent-encoded.
//! Add a form here if programs are seen to print one that is missing.

use std::fmt::Write as _;

use zeroize::Zeroizing;

/// Shorter secrets are not looked for: they occur everywhere by chance, and what is replaced would show them.
pub(super) const MIN_SECRET: usize = 4;

/// Encoded pieces that are shorter are not looked for.
const MIN_ENCODED: usize = 4;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// All forms of a secret; some may be the same.
pub(super) fn forms(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = Vec::new();
    let mut add = |form: String| forms.push(Zeroizing::new(form.into_bytes()));
    add(secret.to_owned());
    // A terminal ends its lines so.
    add(secret.replace('\n', "\r\n"));
    for escape in [json_short, json_ascii_lower, json_ascii_upper, json_html] {
        let escaped = escaped_in_json(secret, escape);
        add(escaped.replace('/', "\\/"));
        add(escaped);
    }
    let mut hex = String::new();
    secret.bytes().for_each(|byte| _ = write!(hex, "{byte:02x}"));
    add(hex.to_uppercase());
    add(hex);
    for kept in ["-_.~", "-_.~!'()*", "-_.~!'()*;/?:@&=+$,#", "-_.~/", "-_.*"] {
        let encoded = percent_encoded(secret, kept);
        add(encoded.replace("%20", "+"));
        add(lower_hex_of(&encoded));
        add(encoded);
    }
    for alphabet in [STANDARD, URL_SAFE] {
        for phase in 0..3 {
            let piece = base64_piece(secret.as_bytes(), alphabet, phase);
            if piece.len() >= MIN_ENCODED {
                // As base64(1) and MIME break lines, and PEM does; where the text does not begin with the secret, lines
                // break elsewhere.
                for width in [76, 64] {
                    for end in ["\n", "\r\n"] {
                        add(broken(&piece, width, end));
                    }
                }
                add(piece);
            }
        }
        let whole = base64_whole(secret.as_bytes(), alphabet);
        add(whole.trim_end_matches('=').to_owned());
        add(whole);
    }
    forms
}

/// `text` as it stands in a JSON string, with `escape` for what need not stay as it is.
fn escaped_in_json(text: &str, escape: fn(char) -> Option<String>) -> String {
    let mut escaped = String::with_capacity(text.len() * 2);
    for char in text.chars() {
        match char {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\x08' => escaped.push_str("\\b"),
            '\x0c' => escaped.push_str("\\f"),
            _ => match escape(char) {
                Some(other) => escaped.push_str(&other),
                None => escaped.push(char),
            },
        }
    }
    escaped
}

/// What must be escaped, as serde_json and JavaScript do.
fn json_short(char: char) -> Option<String> {
    (char < ' ').then(|| units(char, false))
}

/// All but ASCII, as Python does.
fn json_ascii_lower(char: char) -> Option<String> {
    (!(' '..='\x7e').contains(&char)).then(|| units(char, false))
}

/// The same with upper-case digits, as .NET and Java do.
fn json_ascii_upper(char: char) -> Option<String> {
    (!(' '..='\x7e').contains(&char)).then(|| units(char, true))
}

/// What HTML would take for its own, as Go does.
fn json_html(char: char) -> Option<String> {
    (char < ' ' || "<>&\u{2028}\u{2029}".contains(char)).then(|| units(char, false))
}

/// `\uXXXX`, for what is beyond 16 bits as a surrogate pair.
fn units(char: char, upper: bool) -> String {
    let mut text = String::new();
    for unit in char.encode_utf16(&mut [0; 2]) {
        let _ = if upper { write!(text, "\\u{unit:04X}") } else { write!(text, "\\u{unit:04x}") };
    }
    text
}

/// Every byte but letters, digits and those of `kept` as %XX.
fn percent_encoded(text: &str, kept: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            true => encoded.push(byte.into()),
            false => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}

/// The same with lower-case digits.
fn lower_hex_of(encoded: &str) -> String {
    let mut text = String::with_capacity(encoded.len());
    let mut digits = 0;
    for char in encoded.chars() {
        digits = if char == '%' { 3 } else { digits - i32::from(digits > 0) };
        text.push(if digits > 0 { char.to_ascii_lowercase() } else { char });
    }
    text
}

/// The characters that `bytes` alone decide, where `phase` other bytes stand before them in a group of three.
fn base64_piece(bytes: &[u8], alphabet: &[u8; 64], phase: usize) -> String {
    let padded = [&[0; 2][..phase], bytes].concat();
    let first = (phase * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    (first..end).map(|at| char::from(alphabet[usize::from(sextet(&padded, at))])).collect()
}

/// The whole encoding, with its padding.
fn base64_whole(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let count = (bytes.len() * 8).div_ceil(6);
    let mut text: String = (0..count).map(|at| char::from(alphabet[usize::from(sextet(bytes, at))])).collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// The `at`th group of six bits; zeros follow the bytes.
fn sextet(bytes: &[u8], at: usize) -> u8 {
    let (byte, bit) = (at * 6 / 8, at * 6 % 8);
    let byte_at = |at: usize| u16::from(bytes.get(at).copied().unwrap_or(0));
    ((byte_at(byte) << 8 | byte_at(byte + 1)) >> (10 - bit)) as u8 & 0x3f
}

/// `text` in lines of `width` characters.
fn broken(text: &str, width: usize, end: &str) -> String {
    let lines: Vec<&str> = (0..text.len()).step_by(width).map(|at| &text[at..text.len().min(at + width)]).collect();
    lines.join(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(secret: &str, form: &str) {
        assert!(forms(secret).iter().any(|known| ***known == *form.as_bytes()), "{form}");
    }

    #[test]
    fn a_secret_is_known_in_each_form() {
        let secret = "p\"ä/ <\n1😀";
        for form in [
            secret,
            "p\"ä/ <\r\n1😀",
            "p\\\"ä/ <\\n1😀",
            "p\\\"ä\\/ <\\n1😀",
            "p\\\"\\u00e4/ <\\n1\\ud83d\\ude00",
            "p\\\"\\u00E4\\/ <\\n1\\uD83D\\uDE00",
            "p\\\"ä/ \\u003c\\n1😀",
            "7022c3a42f203c0a31f09f9880",
            "7022C3A42F203C0A31F09F9880",
            "p%22%C3%A4%2F%20%3C%0A1%F0%9F%98%80",
            "p%22%c3%a4%2f%20%3c%0a1%f0%9f%98%80",
            "p%22%C3%A4/%20%3C%0A1%F0%9F%98%80",
            "p%22%C3%A4%2F+%3C%0A1%F0%9F%98%80",
            "cCLDpC8gPAox8J+YgA==",
            "cCLDpC8gPAox8J-YgA",
        ] {
            has(secret, form);
        }
    }

    #[test]
    fn base64_is_known_wherever_the_secret_stands() {
        let secret = "the secret";
        for before in ["", "x", "xy", "xyz"] {
            let text = base64_whole(format!("{before}{secret} and more").as_bytes(), STANDARD);
            let is_in = |form: &Zeroizing<Vec<u8>>| text.contains(std::str::from_utf8(form).unwrap());
            let longest = forms(secret).iter().filter(|form| is_in(form)).map(|form| form.len()).max();
            // Of 80 bits up to four at each end share a character with other bytes.
            assert!(longest.unwrap() >= 12, "{before:?}");
        }
        assert_eq!(base64_whole(b"foob", STANDARD), "Zm9vYg==");
        assert_eq!(base64_whole(&[0xfb, 0xff], URL_SAFE), "-_8=");
    }

    #[test]
    fn long_base64_is_known_in_lines() {
        let secret = "s".repeat(100);
        let whole = base64_piece(secret.as_bytes(), STANDARD, 0);
        has(&secret, &format!("{}\n{}", &whole[..76], &whole[76..]));
        has(&secret, &format!("{}\r\n{}\r\n{}", &whole[..64], &whole[64..128], &whole[128..]));
    }
}
