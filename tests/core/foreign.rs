//! Checks published test vectors for AES-CBC, HMAC-SHA256, PBKDF2 and unusual Fernet tokens (Wycheproof, RFC 4231,
//! pyca).
//!
//! CBC and HMAC have no public API of their own. A CBC vector is put into a token with a MAC that the test computes; an
//! HMAC vector is checked through a derivation with one iteration. (The unit tests of core's fernet.rs check HMAC over
//! any message.)

use crate::common::{Script, counting, unhex};
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::{Error, Key, MasterKey, kdf};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// Returns the tests of a Wycheproof file, each with the key size of its group.
fn wycheproof(text: &str) -> Vec<(Value, Value)> {
    let file: Value = serde_json::from_str(text).unwrap();
    let groups = file["testGroups"].as_array().unwrap();
    let cases = |group: &Value| -> Vec<(Value, Value)> {
        group["tests"].as_array().unwrap().iter().map(|test| (group["keySize"].clone(), test.clone())).collect()
    };
    let all: Vec<_> = groups.iter().flat_map(cases).collect();
    assert_eq!(file["numberOfTests"], all.len());
    all
}

fn hex(case: &Value, field: &str) -> Vec<u8> {
    unhex(case[field].as_str().unwrap())
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::{Base64Url, Encoding};
    let mut out = vec![0; Base64Url::encoded_len(bytes)];
    Base64Url::encode(bytes, &mut out).unwrap().to_owned()
}

/// The signing half of every key in this file.
const SIGNING: [u8; 16] = [0x5a; 16];

/// Returns a token with the given IV and ciphertext and with a valid MAC.
fn token_around(iv: &[u8], ciphertext: &[u8]) -> String {
    let signed = [&[0x80, 0, 0, 0, 0, 0, 0, 0, 7], iv, ciphertext].concat();
    let tag = hmac(&SIGNING, &signed);
    base64(&[signed, tag].concat())
}

#[test]
fn aes_128_cbc_is_as_wycheproof_has_it_both_ways_and_bad_padding_is_refused() {
    let (mut valid, mut invalid) = (0, 0);
    for (size, case) in wycheproof(include_str!("../vectors/wycheproof/aes_cbc_pkcs5_test.json")) {
        if size != 128 {
            continue; // Fernet has 128-bit keys only
        }
        let id = &case["tcId"];
        let key = Key::from_bytes(&[&SIGNING[..], &hex(&case, "key")].concat().try_into().unwrap());
        let (iv, plain, ciphertext) = (hex(&case, "iv"), hex(&case, "msg"), hex(&case, "ct"));
        let text = token_around(&iv, &ciphertext);
        let mut out = vec![0xa5; fernet::open_len(text.len())];
        let opened = fernet::open(&key, &text, Freshness::Any, &mut out).map(<[u8]>::to_vec);
        if case["result"] == "valid" {
            assert_eq!(opened.as_deref(), Ok(&*plain), "case {id}");
            let mut out = vec![0xa5; fernet::token_len(plain.len())];
            assert_eq!(fernet::seal(&key, &plain, 7, &mut Script(iv), &mut out), Ok(&*text), "case {id}");
            valid += 1;
        } else {
            let wanted = if ciphertext.is_empty() { Error::Malformed } else { Error::AuthenticationFailed };
            assert_eq!(opened, Err(wanted), "case {id}");
            assert!(out.iter().all(|byte| *byte == 0), "case {id}");
            invalid += 1;
        }
    }
    assert_eq!((valid, invalid), (24, 48));
}

#[test]
fn an_hmac_key_of_any_length_is_the_same_key_as_a_master_key() {
    let mut seen = 0;
    for (_, case) in wycheproof(include_str!("../vectors/wycheproof/hmac_sha256_test.json")) {
        let (key, message, tag) = (hex(&case, "key"), hex(&case, "msg"), hex(&case, "tag"));
        let master = MasterKey::from_bytes(&key).unwrap();
        let ours = hmac(master.as_bytes(), &message);
        assert_eq!(ours[..tag.len()] == tag, case["result"] == "valid", "case {}", case["tcId"]);
        // A derivation uses our own HMAC, not the hmac crate. With one iteration over a salt it is HMAC(key, salt ‖ 1).
        let derived = kdf::derive(&master, &message, 1.try_into().unwrap());
        let salted = [&*message, &[0, 0, 0, 1]].concat();
        assert_eq!(derived.as_bytes()[..], hmac(&key, &salted), "case {}", case["tcId"]);
        seen += 1;
    }
    assert_eq!(seen, 174);
}

#[test]
fn pbkdf2_is_as_wycheproof_has_it_whole_in_slices_and_many_at_once() {
    let mut seen = 0;
    for (_, case) in wycheproof(include_str!("../vectors/wycheproof/pbkdf2_hmacsha256_test.json")) {
        let id = &case["tcId"];
        let (password, salt, wanted) = (hex(&case, "password"), hex(&case, "salt"), hex(&case, "dk"));
        let iterations = u32::try_from(case["iterationCount"].as_u64().unwrap()).unwrap().try_into().unwrap();
        let mut out = vec![0xa5; wanted.len()];
        kdf::pbkdf2(&password, &salt, iterations, &mut out);
        assert_eq!(out, wanted, "case {id}");
        assert_eq!(case["dkLen"], wanted.len());
        seen += 1;
        // A master key must have at least one byte.
        let Ok(master) = MasterKey::from_bytes(&password) else {
            assert!(password.is_empty(), "case {id}");
            continue;
        };
        let first = wanted.len().min(32);
        assert_eq!(kdf::derive(&master, &salt, iterations).as_bytes()[..first], wanted[..first], "case {id}");
        let mut derivation = kdf::Derivation::new(&master, &salt, iterations);
        while !derivation.advance(777).is_done() {}
        assert_eq!(derivation.finish().as_bytes()[..first], wanted[..first], "case {id}");
        let jobs = [kdf::Job { master: &master, salt: &salt, iterations }; 3];
        // Every back end that this CPU supports.
        for backend in kdf::Backend::ALL.iter().filter(|backend| backend.is_available()) {
            let mut many = [Key::from_bytes(&[0xa5; 32]), Key::from_bytes(&[0xa5; 32]), Key::from_bytes(&[0xa5; 32])];
            kdf::derive_many_by(*backend, &jobs, &mut many);
            assert!(many.iter().all(|key| key.as_bytes()[..first] == wanted[..first]), "{backend:?}, case {id}");
        }
    }
    assert_eq!(seen, 60);
}

/// RFC 4231 §4: key, data and HMAC-SHA-256 (for test case 5 the first 128 bits).
fn rfc_4231() -> Vec<(Vec<u8>, Vec<u8>, &'static str)> {
    let long = "This is a test using a larger than block-size key and a larger than block-size data. \
                The key needs to be hashed before being used by the HMAC algorithm.";
    vec![
        (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ((1..=25).collect(), vec![0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (vec![0x0c; 20], b"Test With Truncation".to_vec(), "a3b6167473100ee06e0c796c2955552b"),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (vec![0xaa; 131], long.as_bytes().to_vec(), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ]
}

#[test]
fn a_master_key_of_any_length_makes_the_hmacs_of_rfc_4231() {
    for (key, data, tag) in rfc_4231() {
        let tag = unhex(tag);
        let master = MasterKey::from_bytes(&key).unwrap();
        assert_eq!(hmac(master.as_bytes(), &data)[..tag.len()], tag);
    }
}

// The rest are the cases of pyca/cryptography's test_fernet.py that concern tokens and keys, under its names.

fn pyca_keys() -> [Key; 2] {
    [Key::from_bytes(&[0; 32]), Key::from_bytes(&[1; 32])]
}

fn pyca_seal(key: &Key, plain: &[u8], now: u64) -> String {
    let mut out = vec![0xa5; fernet::token_len(plain.len())];
    fernet::seal(key, plain, now, &mut counting(), &mut out).unwrap().to_owned()
}

fn pyca_open(keys: &[Key], token: &str, freshness: Freshness) -> Result<Vec<u8>, Error> {
    let mut out = vec![0xa5; 256];
    let opened = fernet::open_any(keys, token, freshness, &mut out).map(<[u8]>::to_vec);
    assert!(opened.is_ok() || out.iter().all(|byte| *byte == 0), "{token}");
    opened
}

#[test]
fn pyca_invalid_start_byte_timestamp_too_short_and_non_base64_are_refused() {
    for token in [&*base64(b"\x81"), &*base64(b"\x80abc"), "\0", "nonsensetoken", &"\0".repeat(16), ""] {
        assert_eq!(pyca_open(&pyca_keys(), token, Freshness::Any), Err(Error::Malformed), "{token:?}");
        assert_eq!(fernet::timestamp(token), Err(Error::Malformed), "{token:?}");
        assert_eq!(fernet::verified_timestamp(&pyca_keys()[0], token), Err(Error::Malformed), "{token:?}");
    }
}

#[test]
fn a_token_without_a_block_has_no_timestamp() {
    let head_and_mac = format!("gAAAAAAdwJ6w{}", "A".repeat(64));
    assert_eq!(fernet::timestamp(&head_and_mac), Err(Error::Malformed));
    let with_a_block = format!("gAAAAAAdwJ6w{}==", "A".repeat(86));
    assert_eq!(fernet::timestamp(&with_a_block), Ok(499_162_800));
}

#[test]
fn pyca_roundtrips_and_extract_timestamp() {
    let [key, other] = pyca_keys();
    for message in [&b""[..], b"Abc!", b"\x00\xff\x00\x80"] {
        let token = pyca_seal(&key, message, 1_526_138_327);
        assert_eq!(pyca_open(std::slice::from_ref(&key), &token, Freshness::Any).as_deref(), Ok(message));
        assert_eq!(fernet::timestamp(&token), Ok(1_526_138_327));
        assert_eq!(fernet::verified_timestamp(&key, &token), Ok(1_526_138_327));
        assert_eq!(fernet::verified_timestamp(&other, &token), Err(Error::AuthenticationFailed));
    }
}

#[test]
fn pyca_bad_keys_are_refused() {
    for text in ["YWJj", "abc", ""] {
        assert!(Key::from_text(text).is_err(), "{text:?}");
    }
}

#[test]
fn pyca_decrypt_at_time() {
    let [key, _] = pyca_keys();
    let token = pyca_seal(&key, b"encrypt me", 100);
    let at = |now, ttl| pyca_open(std::slice::from_ref(&key), &token, Freshness::Within { now, ttl });
    assert_eq!(at(100, 1).as_deref(), Ok(&b"encrypt me"[..]));
    assert_eq!(at(101, 1).as_deref(), Ok(&b"encrypt me"[..]));
    assert_eq!(at(102, 1), Err(Error::Expired));
}

#[test]
fn pyca_multifernet_decrypts_with_any_key_and_encrypts_with_the_first() {
    let keys = pyca_keys();
    for key in &keys {
        assert_eq!(pyca_open(&keys, &pyca_seal(key, b"abc", 0), Freshness::Any).as_deref(), Ok(&b"abc"[..]));
    }
    assert_eq!(pyca_open(&[], &pyca_seal(&keys[0], b"abc", 0), Freshness::Any), Err(Error::AuthenticationFailed));
}

#[test]
fn pyca_rotate_keeps_the_timestamp_and_wants_a_key_that_fits() {
    let [first, second] = pyca_keys();
    let old = pyca_seal(&first, b"abc", 1_526_138_327);
    let both = [Key::from_bytes(second.as_bytes()), Key::from_bytes(first.as_bytes())];
    let mut out = [0xa5; 256];
    let rotated = fernet::rotate(&both, &old, &mut counting(), &mut out).unwrap().to_owned();
    assert_ne!(rotated, old);
    assert_eq!(fernet::timestamp(&rotated), Ok(1_526_138_327));
    assert_eq!(pyca_open(&both, &rotated, Freshness::Any).as_deref(), Ok(&b"abc"[..]));
    assert_eq!(pyca_open(std::slice::from_ref(&first), &rotated, Freshness::Any), Err(Error::AuthenticationFailed));
    let rotated = fernet::rotate(std::slice::from_ref(&second), &old, &mut counting(), &mut out);
    assert_eq!(rotated, Err(Error::AuthenticationFailed));
    assert!(out.iter().all(|byte| *byte == 0));
}
