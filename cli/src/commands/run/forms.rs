//! The encodings in which a program may print a secret: verbatim, JSON, base64, hex and percent-encoding.
//!
//! `run --redact` searches the output for all of them. Add an encoding here if a program is found that prints another
//! one.

use std::fmt::Write as _;

use zeroize::Zeroizing;

/// The minimum length of a secret to redact. Shorter ones occur everywhere by chance, and replacing them would reveal
/// them.
pub(super) const MIN_SECRET: usize = 4;

/// The minimum length of an encoded piece to search for.
const MIN_ENCODED: usize = 4;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Returns all encodings of a secret. Some may be equal.
pub(super) fn forms(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = Vec::new();
    let mut add = |form: String| forms.push(Zeroizing::new(form.into_bytes()));
    add(secret.to_owned());
    // A terminal turns LF into CRLF.
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
                // base64(1) and MIME break lines at 76 characters, PEM at 64. If the text does not begin with the
                // secret, lines break elsewhere, and a secret that spans a line break is not found.
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

/// Escapes `text` for a JSON string. `escape` decides about characters without a short escape.
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

/// Escapes only what JSON requires, like serde_json and JavaScript.
fn json_short(char: char) -> Option<String> {
    (char < ' ').then(|| units(char, false))
}

/// Escapes everything but ASCII, like Python.
fn json_ascii_lower(char: char) -> Option<String> {
    (!(' '..='\x7e').contains(&char)).then(|| units(char, false))
}

/// Does the same with upper-case digits, like .NET and Java.
fn json_ascii_upper(char: char) -> Option<String> {
    (!(' '..='\x7e').contains(&char)).then(|| units(char, true))
}

/// Escapes characters that are special in HTML, like Go.
fn json_html(char: char) -> Option<String> {
    (char < ' ' || "<>&\u{2028}\u{2029}".contains(char)).then(|| units(char, false))
}

/// Formats `\uXXXX`, with a surrogate pair above 16 bits.
fn units(char: char, upper: bool) -> String {
    let mut text = String::new();
    for unit in char.encode_utf16(&mut [0; 2]) {
        let _ = if upper { write!(text, "\\u{unit:04X}") } else { write!(text, "\\u{unit:04x}") };
    }
    text
}

/// Percent-encodes every byte except letters, digits and those of `kept`.
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

/// Converts the digits of a percent-encoding to lower case.
fn lower_hex_of(encoded: &str) -> String {
    let mut text = String::with_capacity(encoded.len());
    let mut digits = 0;
    for char in encoded.chars() {
        digits = if char == '%' { 3 } else { digits - i32::from(digits > 0) };
        text.push(if digits > 0 { char.to_ascii_lowercase() } else { char });
    }
    text
}

/// Returns the base64 characters that depend on `bytes` alone, if `phase` other bytes precede them in a group of three.
fn base64_piece(bytes: &[u8], alphabet: &[u8; 64], phase: usize) -> String {
    let padded = [&[0; 2][..phase], bytes].concat();
    let first = (phase * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    (first..end).map(|at| char::from(alphabet[usize::from(sextet(&padded, at))])).collect()
}

/// Returns the whole base64 encoding with padding.
fn base64_whole(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let count = (bytes.len() * 8).div_ceil(6);
    let mut text: String = (0..count).map(|at| char::from(alphabet[usize::from(sextet(bytes, at))])).collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Returns the sextet number `at`. Zeros follow the last byte.
fn sextet(bytes: &[u8], at: usize) -> u8 {
    let (byte, bit) = (at * 6 / 8, at * 6 % 8);
    let byte_at = |at: usize| u16::from(bytes.get(at).copied().unwrap_or(0));
    ((byte_at(byte) << 8 | byte_at(byte + 1)) >> (10 - bit)) as u8 & 0x3f
}

/// Breaks `text` into lines of `width` characters.
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
