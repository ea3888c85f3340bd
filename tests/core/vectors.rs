//! Tokens made by other implementations: we open each to the same bytes, reject what they reject, and, with the same
//! salt, IV and time, seal to the same text.

use crate::common::{Script, unhex};
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::kdf;
use fernseal_core::{Error, Key, MasterKey, token};
use serde_json::Value;

fn cases(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap()
}

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
            assert!(matches!(opened, Err(Error::Malformed | Error::AuthenticationFailed)), "{id}: {opened:?}");
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

/// Converts a time of the specification. All of them are within two minutes of 1985-10-26T01:20:00-07:00.
fn spec_time(text: &str) -> u64 {
    let (hour_minute, second) = text.strip_prefix("1985-10-26T01:").unwrap().split_at(2);
    499_162_800 + (hour_minute.parse::<u64>().unwrap() - 20) * 60 + second[1..3].parse::<u64>().unwrap()
}

fn spec(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_fernet_specifications_token_is_generated() {
    for case in spec(include_str!("../vectors/fernet-spec-generate.json")) {
        let iv = case["iv"].as_array().unwrap().iter().map(|byte| byte.as_u64().unwrap() as u8).collect();
        let key = Key::from_text(text(&case, "secret")).unwrap();
        let plain = text(&case, "src").as_bytes();
        let mut out = vec![0xa5; fernet::token_len(plain.len())];
        let token = fernet::seal(&key, plain, spec_time(text(&case, "now")), &mut Script(iv), &mut out);
        assert_eq!(token, Ok(text(&case, "token")));
    }
}

#[test]
fn the_fernet_specifications_token_is_verified() {
    for case in spec(include_str!("../vectors/fernet-spec-verify.json")) {
        let key = Key::from_text(text(&case, "secret")).unwrap();
        let freshness =
            Freshness::Within { now: spec_time(text(&case, "now")), ttl: case["ttl_sec"].as_u64().unwrap() };
        let mut out = vec![0xa5; fernet::open_len(text(&case, "token").len())];
        let opened = fernet::open(&key, text(&case, "token"), freshness, &mut out);
        assert_eq!(opened, Ok(text(&case, "src").as_bytes()));
    }
}

#[test]
fn the_fernet_specifications_invalid_tokens_are_refused_for_the_right_reason() {
    for case in spec(include_str!("../vectors/fernet-spec-invalid.json")) {
        let key = Key::from_text(text(&case, "secret")).unwrap();
        let freshness =
            Freshness::Within { now: spec_time(text(&case, "now")), ttl: case["ttl_sec"].as_u64().unwrap() };
        let mut out = vec![0xa5; 256];
        let error = fernet::open(&key, text(&case, "token"), freshness, &mut out).unwrap_err();
        let wanted = match text(&case, "desc") {
            "incorrect mac" | "payload padding error" | "incorrect IV (causes padding error)" => {
                Error::AuthenticationFailed
            }
            "far-future TS (unacceptable clock skew)" | "expired TTL" => Error::Expired,
            _ => Error::Malformed,
        };
        assert_eq!(error, wanted, "{}", case["desc"]);
        assert!(out.iter().all(|byte| *byte == 0), "{}", case["desc"]);
    }
}

/// Password, salt, iterations and output: RFC 7914 §11, and the inputs of RFC 6070 with published SHA-256 outputs.
const PBKDF2: &[(&str, &str, u32, &str)] = &[
    (
        "passwd",
        "salt",
        1,
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
         49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
    ),
    (
        "Password",
        "NaCl",
        80_000,
        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56\
         a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
    ),
    ("password", "salt", 1, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"),
    ("password", "salt", 2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"),
    ("password", "salt", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"),
    (
        "passwordPASSWORDpassword",
        "saltSALTsaltSALTsaltSALTsaltSALTsalt",
        4096,
        "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1c635518c7dac47e9",
    ),
    ("pass\0word", "sa\0lt", 4096, "89b69d0516f829893c696226650a8687"),
];

#[test]
fn pbkdf2_gives_the_published_outputs() {
    for (password, salt, iterations, hex) in PBKDF2 {
        let wanted = unhex(hex);
        let iterations = (*iterations).try_into().unwrap();
        let mut out = vec![0xa5; wanted.len()];
        kdf::pbkdf2(password.as_bytes(), salt.as_bytes(), iterations, &mut out);
        assert_eq!(out, wanted);
        // A token's key is the first 32 bytes, which `derive` computes separately.
        let key = kdf::derive(&MasterKey::from_bytes(password.as_bytes()).unwrap(), salt.as_bytes(), iterations);
        let len = wanted.len().min(32);
        assert_eq!(key.as_bytes()[..len], wanted[..len]);
    }
}
