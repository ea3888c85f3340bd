//! Keys: which texts are valid, which lengths can seal, and that `Debug` does not show them. The tests compare master
//! keys of all lengths with the `pbkdf2` crate.

use crate::common::{MASTER, Script, counting};
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::{Error, Key, MasterKey, kdf, token};

fn base64(bytes: &[u8]) -> String {
    use base64ct::{Base64Url, Encoding};
    let mut out = vec![0; Base64Url::encoded_len(bytes)];
    Base64Url::encode(bytes, &mut out).unwrap().to_owned()
}

#[test]
fn master_keys_of_all_lengths_derive_as_in_pbkdf2() {
    let iterations = 3.try_into().unwrap();
    for len in [1, 15, 16, 31, 32, 33, 63, 64, 65, 100, 119, 120, 127, 128, 129, 200] {
        let raw: Vec<u8> = (1..=len).map(|at| (at * 37 % 251) as u8 + 1).collect();
        for salt_len in [0, 16, 50, 51, 52, 64, 119, 120, 200] {
            let salt = vec![9; salt_len];
            let mut wanted = [0; 32];
            pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&raw, &salt, 3, &mut wanted);
            let from_text = MasterKey::from_text(&base64(&raw)).unwrap();
            assert_eq!(*kdf::derive(&from_text, &salt, iterations).as_bytes(), wanted, "{len} {salt_len}");
            let from_bytes = MasterKey::from_bytes(&raw).unwrap();
            assert_eq!(*kdf::derive(&from_bytes, &salt, iterations).as_bytes(), wanted, "{len} {salt_len}");
        }
    }
}

#[test]
fn a_derivation_in_slices_is_the_derivation() {
    let master = MasterKey::from_text(MASTER).unwrap();
    for total in 1..40 {
        let wanted = kdf::derive(&master, b"salt", total.try_into().unwrap());
        for slice in 1..=total + 1 {
            let mut derivation = kdf::Derivation::new(&master, b"salt", total.try_into().unwrap());
            let mut done = 1;
            while !derivation.advance(0).is_done() {
                let progress = derivation.advance(slice);
                done = (done + slice).min(total);
                assert_eq!(progress, kdf::Progress { done, total });
            }
            assert_eq!(derivation.finish().as_bytes(), wanted.as_bytes(), "{total} in slices of {slice}");
            let unfinished = kdf::Derivation::new(&master, b"salt", total.try_into().unwrap());
            assert_eq!(unfinished.finish().as_bytes(), wanted.as_bytes());
        }
    }
}

#[test]
fn a_derivation_tells_how_far_it_has_come() {
    let master = MasterKey::from_text(MASTER).unwrap();
    let mut derivation = kdf::Derivation::new(&master, b"salt", 10.try_into().unwrap());
    for (budget, done) in [(0, 1), (3, 4), (5, 9), (1, 10), (7, 10)] {
        let progress = derivation.advance(budget);
        assert_eq!((progress.done, progress.total, progress.is_done()), (done, 10, done == 10));
    }
}

#[test]
fn key_text_may_have_white_space_around_it_and_the_other_alphabet() {
    let raw = [0xfb, 0xff, 0xfe, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
    let wanted = *MasterKey::from_bytes(&raw).unwrap().as_bytes();
    let text = base64(&raw);
    assert!(text.starts_with("-__-"));
    for text in
        [text.clone(), text.replace('-', "+").replace('_', "/"), format!("\t {text}\r\n"), format!("{text}\n\n")]
    {
        assert_eq!(*MasterKey::from_text(&text).unwrap().as_bytes(), wanted, "{text:?}");
    }
    // The spare bits of the last character of a key are ignored, as in Python.
    assert_eq!(*MasterKey::from_text("AR==").unwrap().as_bytes(), *MasterKey::from_text("AQ==").unwrap().as_bytes());
}

#[test]
fn what_is_no_key_is_refused_for_the_right_reason() {
    let key = &MASTER[..43];
    for (text, wanted) in [
        ("", Error::KeyEmpty),
        (" \n", Error::KeyEmpty),
        ("====", Error::KeyEmpty),
        (key, Error::KeyPadding),
        (&*format!("{MASTER}="), Error::KeyPadding),
        (&*format!("{MASTER}===="), Error::KeyPadding),
        ("A", Error::KeyPadding),
        ("AA", Error::KeyPadding),
        ("AAA", Error::KeyPadding),
        ("A===", Error::KeyPadding),
        ("A=AA", Error::KeyPadding),
        ("=AAA", Error::KeyPadding),
        ("AA=A", Error::KeyPadding),
        ("AA==AAAA", Error::KeyPadding),
        ("AAAA AAAA AA", Error::KeyCharacter),
        ("AA\nA", Error::KeyCharacter),
        ("AAA!", Error::KeyCharacter),
        ("AAAÄ", Error::KeyPadding),
        ("\"AAAAAA\"", Error::KeyCharacter),
    ] {
        assert_eq!(MasterKey::from_text(text).map(|_| ()), Err(wanted), "{text:?}");
    }
    assert_eq!(MasterKey::from_bytes(&[]).map(|_| ()), Err(Error::KeyEmpty));
    assert_eq!(Key::from_text("AAAA").map(|_| ()), Err(Error::KeyPadding));
    assert_eq!(Key::from_text(&format!("AAAA{MASTER}")).map(|_| ()), Err(Error::KeyPadding));
}

#[test]
fn a_key_of_fifteen_bytes_opens_and_does_not_seal() {
    let fifteen = MasterKey::from_bytes(&[1; 15]).unwrap();
    let sixteen = MasterKey::from_bytes(&[1; 16]).unwrap();
    assert!(!MasterKey::from_bytes(&[1; 17]).unwrap().is_short(), "equal bytes do not undo each other");
    assert!(fifteen.is_short());
    assert!(!sixteen.is_short());
    let mut out = [0xa5; 512];
    assert_eq!(token::seal(&fifteen, b"x", 0, &mut counting(), &mut out), Err(Error::KeyShort));
    assert_eq!(token::seal_legacy(&fifteen, b"x", 0, &mut counting(), &mut out), Err(Error::KeyShort));
    assert!(out.iter().all(|byte| *byte == 0));
    token::seal(&sixteen, b"x", 0, &mut counting(), &mut out).unwrap();

    // A short key can still seal a token through an explicit derivation.
    let key = token::Format::Legacy.key_params().derive(&fifteen);
    let text = token::seal_with(&key, &token::Format::Legacy, b"x", 0, &mut counting(), &mut out).unwrap().to_owned();
    assert_eq!(token::open(&fifteen, &text, &mut out), Ok(&b"x"[..]));
}

#[test]
fn a_new_key_is_44_characters_of_the_random_sources_bytes() {
    let text = MasterKey::generate_text(&mut Script((0..32).collect())).unwrap();
    assert_eq!(text.as_str(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    assert_eq!(Key::generate_text(&mut Script((0..32).collect())).unwrap().as_str(), text.as_str());
}

#[test]
fn the_key_id_does_not_reveal_the_key() {
    let master = MasterKey::from_text(MASTER).unwrap();
    let id = master.id().to_string();
    assert_eq!(id.len(), 8);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(id, MasterKey::from_text(MASTER).unwrap().id().to_string());
    assert_ne!(id, MasterKey::from_bytes(&[1; 32]).unwrap().id().to_string());
    let mut label = [0; 32];
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&unbase64(MASTER), b"fernseal master key id", 100_000, &mut label);
    assert!(label.starts_with(&crate::common::unhex(&id)));
}

fn unbase64(text: &str) -> Vec<u8> {
    use base64ct::{Base64Url, Encoding};
    let mut out = vec![0; 64];
    Base64Url::decode(text, &mut out).unwrap().to_vec()
}

#[test]
fn debug_hides_keys_and_drop_wipes_them() {
    let master = MasterKey::from_text(MASTER).unwrap();
    let key = Key::from_text(MASTER).unwrap();
    assert_eq!(format!("{master:?} {key:?}"), "MasterKey(hidden) Key(hidden)");
    let derivation = token::Format::Legacy.key_params().start(&master);
    assert_eq!(format!("{derivation:?}"), "Derivation { chain: Chain(hidden), total: 100000 }");
    assert!(core::mem::needs_drop::<MasterKey>());
    assert!(core::mem::needs_drop::<Key>());
    assert!(core::mem::needs_drop::<kdf::Derivation>());
    let derivation = token::Format::Legacy.key_params().start(&master);
    assert!(!format!("{derivation:?}").contains(|char: char| char.is_ascii_digit() && char != '1' && char != '0'));
    // With `compact` it is a word, so that it is passed in a register.
    let size = if cfg!(feature = "compact") { 4 } else { 1 };
    assert_eq!((size_of::<Error>(), size_of::<Result<(), Error>>()), (size, size));
}

#[test]
fn each_error_says_what_it_is() {
    assert_eq!(Error::KeyShort.to_string(), "the key is shorter than 16 bytes, too short to seal with");
    assert_eq!(Error::AuthenticationFailed.to_string(), "token decryption failed: wrong key, or the token was changed");
}

#[test]
fn several_fernet_keys_open_with_any_and_seal_with_the_first() {
    let keys = [Key::from_bytes(&[1; 32]), Key::from_bytes(&[2; 32])];
    let (mut sealed, mut out) = ([0; 256], [0; 256]);
    let old = fernet::seal(&keys[1], b"secret", 77, &mut counting(), &mut sealed).unwrap().to_owned();
    assert_eq!(fernet::open_any(&keys, &old, Freshness::Any, &mut out), Ok(&b"secret"[..]));
    assert_eq!(fernet::open_any(&keys[..1], &old, Freshness::Any, &mut out), Err(Error::AuthenticationFailed));
    assert_eq!(fernet::open_any(&[], &old, Freshness::Any, &mut out), Err(Error::AuthenticationFailed));

    let new = fernet::rotate(&keys, &old, &mut counting(), &mut sealed).unwrap().to_owned();
    assert_eq!(fernet::open(&keys[0], &new, Freshness::Any, &mut out), Ok(&b"secret"[..]));
    assert_eq!(fernet::timestamp(&new), Ok(77), "the timestamp stays");
    assert_eq!(fernet::verified_timestamp(&keys[0], &new), Ok(77));
    assert_eq!(fernet::verified_timestamp(&keys[1], &new), Err(Error::AuthenticationFailed));
    assert_eq!(fernet::rotate(&[], &old, &mut counting(), &mut sealed), Err(Error::AuthenticationFailed));
    assert_eq!(fernet::timestamp("gAAA"), Err(Error::Malformed));
}
