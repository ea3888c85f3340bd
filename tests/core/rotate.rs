//! Rotation of one config: every token under the new key, salted, and every other byte as it was.
//! Opened with foreign eyes: the result is taken apart here, not by the function under test.
#![allow(clippy::unwrap_used)] // what is missing should fail the test

mod common;

use common::{MASTER, Script, counting};
use fernseal_core::token::{self, Format, Token};
use fernseal_core::{Error, MasterKey, config, kdf};

fn old() -> MasterKey {
    MasterKey::from_text(MASTER).unwrap()
}

fn previous() -> MasterKey {
    MasterKey::from_bytes(&[7; 20]).unwrap()
}

fn new() -> MasterKey {
    MasterKey::from_bytes(&[9; 32]).unwrap()
}

fn sealed(master: &MasterKey, plain: &[u8], format: Format) -> String {
    let key = kdf::derive(master, format.salt(), kdf::ITERATIONS);
    let mut out = vec![0; token::token_len(plain.len())];
    token::seal_with(&key, &format, plain, 5, &mut counting(), &mut out).unwrap().to_owned()
}

#[test]
fn every_token_is_sealed_anew_and_nothing_else_changes() {
    let tokens = [
        sealed(&old(), b"first", Format::Salted([3; 16])),
        sealed(&previous(), b"", Format::Legacy),
        sealed(&old(), b"\xff\x00 not text", Format::Legacy),
    ];
    let [a, b, c] = &tokens;
    let escaped = b.replacen("enc:", "\\u0065nc\\u003a", 1);
    let json =
        format!("\u{feff}{{ \"a\":\t\"{a}\",\r\n\"x\": [1.50e+00, \"enc\", \"{escaped}\"],\"\\u0063\" : \"{c}\" }}\n");
    let mut out = vec![0xa5; json.len() + 2 * 25];
    let rotated = config::rotate(&json, &[old(), previous()], &new(), 77, &mut counting(), &mut out).unwrap();

    let texts: Vec<&str> = rotated.split('"').filter(|text| text.starts_with("enc:")).collect();
    assert_eq!(texts.len(), 3, "{rotated}");
    assert_eq!(rotated, json.replace(a, texts[0]).replace(&escaped, texts[1]).replace(c, texts[2]));
    let salts: Vec<_> = texts.iter().map(|text| *Token::parse(text).unwrap().salt()).collect();
    assert!(salts[0] != salts[1] && salts[1] != salts[2] && !salts.contains(&token::LEGACY_SALT));
    for (text, plain) in texts.iter().zip([&b"first"[..], b"", b"\xff\x00 not text"]) {
        let mut out = vec![0xa5; token::open_len(text.len())];
        assert_eq!(Token::parse(text).unwrap().timestamp(), 77);
        assert_eq!(token::open(&new(), text, &mut out), Ok(plain));
        assert_eq!(token::open(&old(), text, &mut out), Err(Error::Unauthentic));
    }
}

#[test]
fn a_config_without_tokens_stays() {
    let json = "{\"a\":\"${VAR}\",\"b\":\"plain\"}";
    let mut out = vec![0xa5; json.len()];
    assert_eq!(config::rotate(json, &[], &new(), 0, &mut Script(vec![]), &mut out), Ok(json));
}

#[test]
fn what_cannot_be_rotated_leaves_zeros() {
    let token = sealed(&old(), b"s", Format::Salted([3; 16]));
    let json = format!("[\"{token}\"]");
    let rotate = |json: &str, keys: &[MasterKey], new: &MasterKey, random: Script, cap: usize| {
        let mut random = random;
        let mut out = vec![0xa5; cap];
        let error = config::rotate(json, keys, new, 0, &mut random, &mut out).err();
        assert!(error.is_none() || out.iter().all(|byte| *byte == 0), "{error:?}");
        error
    };
    let cap = json.len();
    assert_eq!(rotate(&json, &[old()], &new(), counting(), cap), None);
    assert_eq!(rotate(&json, &[old()], &new(), counting(), cap - 1), Some(Error::BufferTooSmall));
    assert_eq!(rotate(&json, &[previous()], &new(), counting(), cap), Some(Error::Unauthentic));
    assert_eq!(rotate(&json, &[], &new(), counting(), cap), Some(Error::Unauthentic));
    let short = MasterKey::from_bytes(&[9; 15]).unwrap();
    assert_eq!(rotate(&json, &[old()], &short, counting(), cap), Some(Error::KeyShort));
    assert_eq!(rotate(&json, &[old()], &new(), Script(vec![1; 31]), cap), Some(Error::RandomFailed));
    assert_eq!(rotate("[\"enc:x\"]", &[old()], &new(), counting(), 99), Some(Error::Malformed));
    assert_eq!(rotate(&json[..cap - 1], &[old()], &new(), counting(), cap), Some(Error::InvalidJson));
    let twice = format!("{{\"a\":\"{token}\",\"a\":1}}");
    assert_eq!(rotate(&twice, &[old()], &new(), counting(), 999), Some(Error::DuplicateKey));
}
