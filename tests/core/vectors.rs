//! Tokens that other implementations made: ours opens each to the same bytes, refuses what they refuse,
//! and seals to the same text when handed the same salt, IV and time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a vector file with a hole in it should fail the test

use fernseal_core::fernet::{self, Freshness};
use fernseal_core::{Error, Key, MasterKey, token};
use serde_json::Value;

fn cases(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A random source that yields the given bytes and then fails.
struct Script(Vec<u8>);

impl rand_core::TryRng for Script {
    type Error = core::fmt::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Err(core::fmt::Error)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Err(core::fmt::Error)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        if self.0.len() < out.len() {
            return Err(core::fmt::Error);
        }
        out.copy_from_slice(&self.0.drain(..out.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Script {}

#[test]
fn tokens_of_the_python_original_open_to_their_plaintext_and_seal_to_the_same_text() {
    for case in cases(include_str!("../vectors/valid.json")) {
        let id = text(&case, "id");
        let master = MasterKey::from_text(text(&case, "master_key")).unwrap();
        let plain = text(&case, "plaintext").as_bytes();
        let token = text(&case, "token");
        let mut out = vec![0xa5; token::open_len(token.len())];
        assert_eq!(token::open(&master, token, &mut out), Ok(plain), "{id}");

        let now = case["timestamp"].as_u64().unwrap();
        let (salt, iv) = (unhex(text(&case, "salt_hex")), unhex(text(&case, "iv_hex")));
        let legacy = text(&case, "format") == "v1";
        let mut script = Script(if legacy { iv } else { [salt, iv].concat() });
        let mut out = vec![0xa5; token::token_len(plain.len())];
        let sealed = match legacy {
            true => token::seal_legacy(&master, plain, now, &mut script, &mut out),
            false => token::seal(&master, plain, now, &mut script, &mut out),
        };
        if master.is_short() {
            assert_eq!(sealed, Err(Error::KeyShort), "{id}");
        } else {
            assert_eq!(sealed, Ok(token), "{id}");
        }
    }
}

#[test]
fn what_the_python_original_refuses_is_refused_and_leaves_no_plaintext() {
    for case in cases(include_str!("../vectors/invalid.json")) {
        let id = text(&case, "id");
        let master = MasterKey::from_text(text(&case, "master_key"));
        if case["verdict"] == "badkey" {
            assert!(matches!(master, Err(Error::KeyPadding | Error::KeyCharacter)), "{id}: {master:?}");
            continue;
        }
        let token = text(&case, "token");
        let mut out = vec![0xa5; token.len()];
        let opened = token::open(&master.unwrap(), token, &mut out).map(<[u8]>::to_vec);
        if case["class"] == "non-utf8-plaintext" {
            assert!(opened.is_ok_and(|plain| String::from_utf8(plain).is_err()), "{id}");
        } else {
            assert!(matches!(opened, Err(Error::Malformed | Error::Unauthentic)), "{id}: {opened:?}");
            assert!(out.iter().all(|byte| *byte == 0), "{id}");
        }
    }
}

#[test]
fn fernet_tokens_are_fresh_or_stale_exactly_when_pyca_says_so() {
    for case in cases(include_str!("../vectors/fernet_ttl.json")) {
        let key = Key::from_text(text(&case, "key")).unwrap();
        let token = text(&case, "token");
        let freshness = match (case["now"].as_u64(), case["ttl"].as_u64()) {
            (Some(now), Some(ttl)) => Freshness::Within { now, ttl },
            _ => Freshness::Any,
        };
        let mut out = vec![0xa5; fernet::open_len(token.len())];
        let opened = fernet::open(&key, token, freshness, &mut out);
        match text(&case, "result") {
            "valid" => assert_eq!(opened, Ok(&*unhex(text(&case, "plaintext_hex"))), "{}", case["id"]),
            _ => assert!(opened.is_err(), "{}", case["id"]),
        }
    }
}
