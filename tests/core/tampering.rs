//! Altered tokens do not open, and leave nothing in the buffer. The tests flip every bit of the text and of the bytes
//! inside the base64, and cut and extend the text in every way.

use crate::common::{MASTER, counting};
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::{Error, Key, MasterKey, kdf, token};

const SECRET: &[u8] = b"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

/// Checks that opening fails with one of the two errors for this, and that the buffer is zeroed.
fn assert_refused(what: &str, text: &str, open: impl Fn(&str, &mut [u8]) -> Result<usize, Error>) {
    let mut out = [0xa5; 512];
    match open(text, &mut out) {
        Err(Error::Malformed | Error::AuthenticationFailed) => {
            assert!(out.iter().all(|byte| *byte == 0), "{what}: {text}");
        }
        other => panic!("{what}: {other:?} for {text}"),
    }
}

/// Alters a text in all ways: flips each bit, cuts both ends, and appends a character.
fn tamper(text: &str, open: impl Fn(&str, &mut [u8]) -> Result<usize, Error>) {
    assert_eq!(open(text, &mut [0xa5; 512]), Ok(SECRET.len()), "untouched, it opens");
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            // Bytes that are not UTF-8 cannot be passed as text.
            if let Ok(changed) = String::from_utf8(bytes) {
                assert_refused(&format!("bit {bit} of character {at}"), &changed, &open);
            }
        }
        assert_refused("cut at the end", &text[..at], &open);
        if at > 0 {
            assert_refused("cut at the front", &text[at..], &open);
        }
    }
    for extra in ["A", "=", "\n", " ", "\0", ":", "AAAA"] {
        assert_refused("longer", &format!("{text}{extra}"), &open);
        assert_refused("longer at the front", &format!("{extra}{text}"), &open);
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::{Base64Url, Encoding};
    let mut out = vec![0; Base64Url::encoded_len(bytes)];
    Base64Url::encode(bytes, &mut out).unwrap().to_owned()
}

fn unbase64(text: &str) -> Vec<u8> {
    use base64ct::{Base64Url, Encoding};
    let mut out = vec![0; text.len()];
    Base64Url::decode(text, &mut out).unwrap().to_vec()
}

fn key() -> Key {
    kdf::derive(&MasterKey::from_text(MASTER).unwrap(), &token::LEGACY_SALT, 1.try_into().unwrap())
}

fn open_fernet(text: &str, out: &mut [u8]) -> Result<usize, Error> {
    fernet::open(&key(), text, Freshness::Any, out).map(<[u8]>::len)
}

fn open_token(text: &str, out: &mut [u8]) -> Result<usize, Error> {
    token::open_with(&key(), text, out).map(<[u8]>::len)
}

fn fernet_token() -> String {
    let mut out = [0; 256];
    fernet::seal(&key(), SECRET, 1_764_000_000, &mut counting(), &mut out).unwrap().to_owned()
}

fn sealed(format: token::Format) -> String {
    let mut out = [0; 512];
    token::seal_with(&key(), &format, SECRET, 1_764_000_000, &mut counting(), &mut out).unwrap().to_owned()
}

#[test]
fn a_changed_fernet_token_is_refused() {
    tamper(&fernet_token(), open_fernet);
}

#[test]
fn a_changed_legacy_token_is_refused() {
    tamper(&sealed(token::Format::Legacy), open_token);
}

#[test]
fn a_changed_salted_token_is_refused() {
    let text = sealed(token::Format::Salted([7; 16]));
    let salt = token::PREFIX.len()..token::PREFIX.len() + 24;
    // `open_with` does not use the salt. So only here, a token with another valid salt still opens.
    tamper(&text, |changed, out| {
        let salt_changed = changed.len() == text.len()
            && changed[salt.end..] == text[salt.end..]
            && changed[..salt.start] == text[..salt.start]
            && changed != text;
        if salt_changed && token::Token::parse(changed).is_ok() {
            out.fill(0);
            return Err(Error::AuthenticationFailed);
        }
        open_token(changed, out)
    });
}

#[test]
fn a_token_whose_salt_was_changed_is_refused() {
    let master = MasterKey::from_text(MASTER).unwrap();
    let mut out = [0; 512];
    let text = token::seal(&master, SECRET, 0, &mut counting(), &mut out).unwrap().to_owned();
    for at in [4, 12, 25] {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'Q' { b'g' } else { b'Q' };
        let changed = String::from_utf8(changed).unwrap();
        assert_refused("salt", &changed, |text, out| token::open(&master, text, out).map(<[u8]>::len));
    }
}

#[test]
fn every_bit_beneath_the_base64_counts() {
    let raw = unbase64(&fernet_token());
    for at in 0..raw.len() {
        for bit in 0..8 {
            let mut changed = raw.clone();
            changed[at] ^= 1 << bit;
            assert_refused("raw bit", &base64(&changed), open_fernet);
            let envelope = format!("{}{}", token::PREFIX, base64(base64(&changed).as_bytes()));
            assert_refused("raw bit in an envelope", &envelope, open_token);
        }
        assert_refused("raw cut", &base64(&raw[..at]), open_fernet);
        assert_refused("raw head cut", &base64(&raw[at + 1..]), open_fernet);
    }
}

#[test]
fn one_spelling_of_a_token_is_accepted_and_no_other() {
    let key = key();
    for len in 0..6 {
        let mut out = [0; 512];
        let text = fernet::seal(&key, &SECRET[..len], 0, &mut counting(), &mut out).unwrap().to_owned();
        let unpadded = text.trim_end_matches('=').to_owned();
        let mut spellings = vec![format!("{text}\n"), text.replace(['-', '_'], "+"), format!("{unpadded}====")];
        if unpadded != text {
            // Spare bits in the last character, missing padding, and too much padding.
            let mut stray = text.clone().into_bytes();
            stray[unpadded.len() - 1] += 1;
            spellings.extend([unpadded.clone(), format!("{unpadded}==="), String::from_utf8(stray).unwrap()]);
        }
        for spelling in spellings.iter().filter(|spelling| **spelling != text) {
            assert_refused("spelling", spelling, |text, out| {
                fernet::open(&key, text, Freshness::Any, out).map(<[u8]>::len)
            });
            let envelope = format!("{}{}", token::PREFIX, base64(spelling.as_bytes()));
            assert_refused("spelling within", &envelope, |text, out| {
                token::open_with(&key, text, out).map(<[u8]>::len)
            });
        }
    }
}

#[test]
fn what_begins_with_the_prefix_counts_as_sealed() {
    for (text, sealed) in [("enc:", true), ("enc:AAAA", true), ("enc", false), ("ENC:AAAA", false), (" enc:", false)] {
        assert_eq!(token::is_sealed(text), sealed, "{text:?}");
    }
}

#[test]
fn padding_in_the_middle_of_a_text_is_no_token() {
    // Two base64 texts of 35 and 38 bytes in a row. Together they would have the length of a Fernet token.
    let raw = [0x80; 73];
    let twice = format!("{}{}", base64(&raw[..35]), base64(&raw[35..]));
    assert_eq!(token::Token::parse(&format!("enc:{}", base64(twice.as_bytes()))).err(), Some(Error::Malformed));
    let once = base64(&raw);
    assert!(token::Token::parse(&format!("enc:{}", base64(once.as_bytes()))).is_ok());
}

#[test]
fn the_mac_that_was_begun_while_base64_was_taken_off_counts_for_the_first_key_alone() {
    let keys = [Key::from_bytes(&[7; 32]), Key::from_bytes(&[8; 32])];
    let [first, second] = &keys;
    for len in 0..400 {
        let plain: Vec<u8> = (0..=255).cycle().take(len).collect();
        for (sealer, fits) in [(first, true), (second, false)] {
            let mut buf = vec![0xa5; fernet::token_len(len)];
            let token = fernet::seal(sealer, &plain, 0, &mut counting(), &mut buf).unwrap();
            let mut out = vec![0xa5; fernet::open_len(token.len())];
            assert_eq!(fernet::open_any(&keys, token, Freshness::Any, &mut out), Ok(&*plain), "{len} bytes");
            let opened = fernet::open(first, token, Freshness::Any, &mut out);
            assert_eq!(opened, if fits { Ok(&*plain) } else { Err(Error::AuthenticationFailed) }, "{len} bytes");
        }
    }
}
