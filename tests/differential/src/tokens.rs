//! Tokens and keys: sealed to the same bytes, opened alike, and refused alike once they were changed.
//! Python reads base64 leniently and a salt of any length; those differences must be just that, and no others.
//! Tokens with a right MAC over any contents are among them, so that padding and lengths are compared too.

use std::num::NonZeroU32;
use std::time::{SystemTime, UNIX_EPOCH};

use ::fernet::Fernet as Peer;
use fastrand::Rng;
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::token::{self, Format, Token};
use fernseal_core::{Key, MasterKey, kdf};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::Differences;
use crate::input::{self, Script, base64, bytes, hex, mutated};
use crate::python::Python;

const ONCE: NonZeroU32 = NonZeroU32::MIN;

fn open(key: &Key, text: &str) -> Option<Vec<u8>> {
    let mut out = vec![0xa5; fernet::open_len(text.len())];
    fernet::open(key, text, Freshness::Any, &mut out).ok().map(<[u8]>::to_vec)
}

/// Mostly in the past, as one of the readers refuses the future.
fn any_time(rng: &mut Rng) -> u64 {
    if rng.u8(..16) == 0 { rng.u64(..) } else { rng.u64(..1_700_000_000) }
}

/// Any contents under a right MAC: another version, no block, half a block, padding that is none.
fn remade(rng: &mut Rng, key: &[u8; 32]) -> String {
    let mut raw = vec![if rng.u8(..8) == 0 { rng.u8(..) } else { 0x80 }];
    let len = if rng.bool() { 16 * rng.usize(..5) } else { rng.usize(..80) };
    raw.extend(any_time(rng).to_be_bytes());
    raw.extend(bytes(rng, 16 + len));
    let short = rng.u8(..16) == 0;
    raw.truncate(if short { rng.usize(..raw.len()) } else { raw.len() });
    let mut mac = Hmac::<Sha256>::new_from_slice(&key[..16]).expect("any length");
    mac.update(&raw);
    raw.extend(mac.finalize().into_bytes());
    base64(&raw)
}

pub fn fernet(rng: &mut Rng, python: &mut Python, count: usize, differences: &mut Differences) -> usize {
    let mut cases = Vec::new();
    let mut ours = Vec::new();
    for _ in 0..count {
        let key_bytes: [u8; 32] = std::array::from_fn(|_| rng.u8(..));
        let (key, peer) = (Key::from_bytes(&key_bytes), Peer::new(&base64(&key_bytes)).expect("a key"));
        let len = input::length(rng);
        let (plain, iv, time) = (bytes(rng, len), bytes(rng, 16), any_time(rng));

        let mut out = vec![0xa5; fernet::token_len(plain.len())];
        let token = fernet::seal(&key, &plain, time, &mut Script(iv.clone()), &mut out).expect("fits").to_owned();
        let theirs = peer.encrypt(&plain);
        assert_eq!(open(&key, &theirs).as_ref(), Some(&plain), "the fernet crate's: {theirs}");

        let mut texts = vec![token.clone(), remade(rng, &key_bytes), remade(rng, &key_bytes)];
        texts.extend((0..3).map(|_| mutated(rng, &token)));
        let opened: Vec<_> = texts.iter().map(|text| (open(&key, text), peer.decrypt(text).ok())).collect();
        assert_eq!(opened[0].0.as_ref(), Some(&plain), "our own: {token}");
        let (key_text, plain, iv) = (base64(&key_bytes), hex(&plain), hex(&iv));
        cases.push(json!({"kind": "fernet", "key": key_text, "plain": plain, "time": time, "iv": iv, "texts": texts}));
        ours.push((key, token, texts, opened));
    }
    let now = &SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut compared = 0;
    for ((key, token, texts, opened), answer) in ours.iter().zip(python.ask(cases)) {
        assert_eq!(answer["token"], **token, "Python seals the same bytes");
        for (at, (text, (ours, peer))) in texts.iter().zip(opened).enumerate() {
            let (python, canonical) = (&answer["opened"][at][0], answer["opened"][at][1].as_str());
            let ours_hex = ours.as_ref().map(|plain| hex(plain));
            let spelt_otherwise = canonical.is_some_and(|canonical| canonical != text);
            if python.as_str() != ours_hex.as_deref() {
                // Refused, as it is not the one spelling; in that it opens to the same.
                assert!(ours.is_none() && spelt_otherwise, "Python: {python}, ours: {ours_hex:?}, of {text:?}");
                let again = open(key, canonical.expect("some")).map(|plain| hex(&plain));
                assert_eq!(again.as_deref(), python.as_str(), "{text:?}");
                *differences.entry("Python takes base64 that is not canonical").or_default() += 1;
            }
            if peer.is_none() && fernet::timestamp(text).is_ok_and(|time| time > *now + fernet::MAX_CLOCK_SKEW) {
                *differences.entry("the fernet crate refuses a token of the future").or_default() += 1;
            } else if peer != ours {
                let canonical = input::canonical(text).expect("it was opened");
                assert!(ours.is_none() && canonical != *text, "fernet: {peer:?}, ours: {ours_hex:?}, of {text:?}");
                assert_eq!(open(key, &canonical), *peer, "{text:?}");
                *differences.entry("the fernet crate takes base64 that is not canonical").or_default() += 1;
            }
            compared += 2;
        }
    }
    compared
}

fn open_envelope(master: &MasterKey, text: &str) -> Option<String> {
    let token = Token::parse(text).ok()?;
    let mut out = vec![0xa5; token::open_len(text.len())];
    let plain = token::open_with(&kdf::derive(master, token.salt(), ONCE), text, &mut out).ok()?;
    Some(String::from_utf8(plain.to_vec()).expect("sealed from text"))
}

fn any_text(rng: &mut Rng) -> String {
    let len = rng.usize(..50);
    (0..len).map(|_| if rng.u8(..9) == 0 { rng.char(..) } else { rng.char(' '..'\u{7f}') }).collect()
}

pub fn envelope(rng: &mut Rng, python: &mut Python, count: usize, differences: &mut Differences) -> usize {
    let mut cases = Vec::new();
    let mut ours = Vec::new();
    for _ in 0..count {
        let master_len = 16 + rng.usize(..80);
        let master_key = base64(&bytes(rng, master_len));
        let master = MasterKey::from_text(&master_key).expect("a key");
        let salt: Option<[u8; 16]> = rng.bool().then(|| std::array::from_fn(|_| rng.u8(..)));
        let format = salt.map_or(Format::Legacy, Format::Salted);
        let (plain, iv, time) = (any_text(rng), bytes(rng, 16), any_time(rng));

        let mut out = vec![0xa5; token::token_len(plain.len())];
        let key = kdf::derive(&master, format.salt(), ONCE);
        let token = token::seal_with(&key, &format, plain.as_bytes(), time, &mut Script(iv.clone()), &mut out);
        let token = token.expect("fits").to_owned();
        let mut texts = vec![token.clone()];
        texts.extend((0..5).map(|_| mutated(rng, &token)));
        let opened: Vec<_> = texts.iter().map(|text| open_envelope(&master, text)).collect();
        assert_eq!(opened[0].as_ref(), Some(&plain), "our own: {token}");
        let (salt, iv) = (salt.map(|salt| hex(&salt)), hex(&iv));
        cases.push(json!({"kind": "envelope", "master_key": master_key, "salt": salt, "plain": plain, "time": time,
            "iv": iv, "texts": texts}));
        ours.push((master, token, texts, opened));
    }
    let mut compared = 0;
    for ((master, token, texts, opened), answer) in ours.iter().zip(python.ask(cases)) {
        assert_eq!(answer["token"], **token, "Python seals the same bytes");
        for (at, (text, ours)) in texts.iter().zip(opened).enumerate() {
            let (python, canonical) = (&answer["opened"][at][0], &answer["opened"][at][1]);
            compared += 1;
            if python.as_str() == ours.as_deref() {
                continue;
            }
            assert_eq!(*ours, None, "Python: {python}, of {text:?}");
            let name = if !token::is_sealed(text) {
                // Plain text, as the original says by giving it back.
                assert_eq!(python, text);
                "the original takes what is no token for a secret in plain text"
            } else if canonical[1].as_u64().is_some_and(|len| len != 16) {
                "the original takes a salt of any length"
            } else {
                let canonical = canonical[0].as_str().expect("it was opened");
                assert_ne!(canonical, text, "Python: {python}");
                assert_eq!(open_envelope(master, canonical).as_deref(), python.as_str(), "{text:?}");
                "the original takes base64 that is not canonical"
            };
            *differences.entry(name).or_default() += 1;
        }
    }
    compared
}

pub fn key(rng: &mut Rng, python: &mut Python, count: usize, differences: &mut Differences) -> usize {
    let mut texts = Vec::new();
    for _ in 0..count {
        let len = if rng.bool() { 32 } else { rng.usize(..100) };
        let text = base64(&bytes(rng, len));
        texts.push(if rng.u8(..4) == 0 { text } else { mutated(rng, &text) });
    }
    let answers = python.ask(texts.iter().map(|text| json!({"kind": "key", "text": text})).collect());
    // Where ours takes a text, it takes the bytes that Python reads of the text as ours spells it.
    let spelt = |text: &str| text.trim_ascii().replace('+', "-").replace('/', "_");
    let again = texts.iter().map(|text| json!({"kind": "key", "text": spelt(text)})).collect();
    for ((text, python), respelt) in texts.iter().zip(answers).zip(python.ask(again)) {
        let ours = MasterKey::from_text(text).ok();
        let block = |hex: &serde_json::Value| {
            let bytes: Vec<u8> = hex.as_str()?.as_bytes().chunks(2).map(unhex).collect();
            MasterKey::from_bytes(&bytes).ok()
        };
        let same = |key: &Option<MasterKey>| {
            key.as_ref().map(|key| *key.as_bytes()) == ours.as_ref().map(|key| *key.as_bytes())
        };
        if same(&block(&python)) {
            continue;
        }
        let name = if ours.is_some() {
            assert!(same(&block(&respelt)), "{text:?}");
            assert_ne!(spelt(text), *text);
            "the original drops + and /"
        } else {
            let canonical = respelt.as_str().map(|hex| base64(&hex.as_bytes().chunks(2).map(unhex).collect::<Vec<_>>()));
            assert_ne!(canonical.as_deref(), Some(&*spelt(text)), "refused, though canonical: {text:?}");
            "the original skips what is not base64 in a key"
        };
        *differences.entry(name).or_default() += 1;
    }
    count
}

fn unhex(digits: &[u8]) -> u8 {
    let digits = std::str::from_utf8(digits).expect("hex");
    u8::from_str_radix(digits, 16).expect("hex")
}
