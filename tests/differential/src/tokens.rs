//! Compares tokens and keys: all implementations must seal to the same bytes, open to the same secrets, and reject the
//! same altered texts. Python reads base64 leniently and accepts salts of any length; these must be the only
//! differences. Some tokens have arbitrary contents with a valid MAC, so that padding, lengths and times are compared
//! too.

use std::num::NonZeroU32;

use ::fernet::Fernet as Peer;
use fastrand::Rng;
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::token::{self, Format, Token};
use fernseal_core::{Error, Key, MasterKey, kdf};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::differences::{BASE64, Differences, KEY, SALT, SHORT_KEY};
use crate::input::{self, Script, base64, bytes, hex, mutated};
use crate::python::Python;

const ONCE: NonZeroU32 = NonZeroU32::MIN;

/// The greatest age of a token and the time of opening; `None` accepts any age.
type Moment = Option<(u64, u64)>;

fn open(key: &Key, text: &str, moment: Moment) -> Option<Vec<u8>> {
    let freshness = moment.map_or(Freshness::Any, |(ttl, now)| Freshness::Within { ttl, now });
    let mut out = vec![0xa5; fernet::open_len(text.len())];
    fernet::open(key, text, freshness, &mut out).ok().map(<[u8]>::to_vec)
}

fn peer_open(peer: &Peer, text: &str, moment: Moment) -> Option<Vec<u8>> {
    // Without a time, the crate would reject the future. This is the latest time that it can represent.
    let (ttl, now) = moment.map_or((None, u64::MAX - fernet::MAX_CLOCK_SKEW), |(ttl, now)| (Some(ttl), now));
    peer.decrypt_at_time(text, ttl, now).ok()
}

/// Returns a time: mostly a past one, sometimes any number. It leaves room, because the fernet crate adds to it.
fn any_time(rng: &mut Rng) -> u64 {
    if rng.u8(..16) == 0 { rng.u64(..u64::MAX - 1_000) } else { rng.u64(..1_700_000_000) }
}

/// Returns ages around the limits for a token of this `time`: just expired, or too far in the future.
fn any_moment(rng: &mut Rng, time: u64) -> Moment {
    let ttl = rng.u64(..100);
    let now = time.saturating_sub(63) + rng.u64(..166);
    rng.bool().then_some((ttl, now))
}

/// Returns arbitrary contents with a valid MAC: another version, no block, half a block, or invalid padding.
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
        assert_eq!(open(&key, &token, None).as_ref(), Some(&plain), "our own: {token}");
        let theirs = peer.encrypt(&plain);
        assert_eq!(open(&key, &theirs, None).as_ref(), Some(&plain), "the fernet crate's: {theirs}");

        let mut texts = vec![token.clone(), token.clone(), remade(rng, &key_bytes), remade(rng, &key_bytes)];
        texts.extend((0..2).map(|_| mutated(rng, &token)));
        let texts: Vec<_> = texts.into_iter().map(|text| (text, any_moment(rng, time))).collect();
        cases.push(json!({"kind": "fernet", "key": base64(&key_bytes), "plain": hex(&plain), "time": time,
            "iv": hex(&iv), "texts": texts}));
        ours.push((key, peer, token, texts));
    }
    let mut compared = 0;
    for ((key, peer, token, texts), answer) in ours.iter().zip(python.ask(cases)) {
        assert_eq!(answer["token"], **token, "Python seals the same bytes");
        for (at, (text, moment)) in texts.iter().enumerate() {
            let (python, respelt) = (&answer["opened"][at][0], answer["opened"][at][1].as_str());
            let python = python.as_str().map(input::unhex);
            let peer = peer_open(peer, text, *moment);
            let respelt_for_peer = input::canonical(text);
            for (who, theirs, respelt) in
                [("Python", python, respelt), ("the fernet crate", peer, respelt_for_peer.as_deref())]
            {
                let ours = open(key, text, *moment);
                assert!(ours.is_none() || respelt == Some(text), "opened, but not the one spelling: {text:?}");
                if theirs != ours {
                    // Rejected because it is not canonical; in canonical form it opens to the same secret.
                    let respelt = respelt.unwrap_or_else(|| panic!("{who} opens {text:?}, which is no base64"));
                    assert!(ours.is_none() && respelt != text, "{who}: {theirs:?}, ours: {ours:?}, of {text:?}");
                    assert_eq!(open(key, respelt, *moment), theirs, "{who}: {text:?}");
                    differences.note(BASE64, who);
                }
            }
        }
        compared += texts.len();
    }
    compared
}

/// Treats a text as in a config, where a text without the prefix stands for itself.
fn open_envelope(master: &MasterKey, text: &str) -> Option<String> {
    if !token::is_sealed(text) {
        return Some(text.to_owned());
    }
    let token = Token::parse(text).ok()?;
    let mut out = vec![0xa5; token::open_len(text.len())];
    let plain = token::open_with(&kdf::derive(master, token.key_params().salt, ONCE), text, &mut out).ok()?;
    Some(String::from_utf8(plain.to_vec()).expect("sealed from text"))
}

fn any_text(rng: &mut Rng) -> String {
    let len = rng.usize(..50);
    (0..len).map(|_| if rng.u8(..9) == 0 { rng.char(..) } else { rng.char(' '..'\u{7f}') }).collect()
}

/// Returns a token whose salt has any length.
fn salted_otherwise(rng: &mut Rng, master: &MasterKey, plain: &str) -> String {
    let (salt_len, time) = (rng.usize(..40), any_time(rng));
    let (salt, iv) = (bytes(rng, salt_len), bytes(rng, 16));
    let mut out = vec![0xa5; fernet::token_len(plain.len())];
    let key = kdf::derive(master, &salt, ONCE);
    let inner = fernet::seal(&key, plain.as_bytes(), time, &mut Script(iv), &mut out).expect("fits");
    format!("enc:{}:{}", base64(&salt), base64(inner.as_bytes()))
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
        let key = kdf::derive(&master, format.key_params().salt, ONCE);
        let token = token::seal_with(&key, &format, plain.as_bytes(), time, &mut Script(iv.clone()), &mut out);
        let token = token.expect("fits").to_owned();
        let mut texts = vec![token.clone(), salted_otherwise(rng, &master, &plain)];
        texts.extend((0..4).map(|_| mutated(rng, &token)));
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
            let (python, respelt) = (&answer["opened"][at][0], answer["opened"][at][1][0].as_str());
            let salt_len = answer["opened"][at][1][1].as_u64();
            if token::is_sealed(text) && ours.is_some() {
                assert_eq!(respelt, Some(&**text), "opened, but not the one spelling");
            }
            if python.as_str() == ours.as_deref() {
                continue;
            }
            assert_eq!(*ours, None, "Python: {python}, of {text:?}");
            let row = if salt_len.is_some_and(|len| len != 16) {
                SALT
            } else {
                let respelt = respelt.expect("it was opened");
                assert_ne!(respelt, text, "Python: {python}");
                assert_eq!(open_envelope(master, respelt).as_deref(), python.as_str(), "{text:?}");
                BASE64
            };
            differences.note(row, "Python");
        }
        compared += texts.len();
    }
    compared
}

/// Returns the bytes of a key and its canonical spelling, from Python's answer.
fn taken(answer: &serde_json::Value) -> Option<(Vec<u8>, String)> {
    let bytes = input::unhex(answer.as_str()?);
    let text = base64(&bytes);
    Some((bytes, text))
}

pub fn key(rng: &mut Rng, python: &mut Python, count: usize, differences: &mut Differences) -> usize {
    let mut texts = Vec::new();
    for _ in 0..count {
        let len = if rng.bool() { 32 } else { rng.usize(..100) };
        let text = base64(&bytes(rng, len));
        texts.push(if rng.u8(..4) == 0 { text } else { mutated(rng, &text) });
    }
    let answers = python.ask(texts.iter().map(|text| json!({"kind": "key", "text": text})).collect());
    for (text, python) in texts.iter().zip(answers) {
        match (MasterKey::from_text(text), taken(&python)) {
            (Err(_), None) => {}
            (Ok(ours), Some((bytes, respelt))) => {
                assert_eq!(text.trim_ascii().len(), respelt.len(), "taken, but not as a whole: {text:?}");
                assert_eq!(*ours.as_bytes(), *MasterKey::from_bytes(&bytes).expect("a byte").as_bytes(), "{text:?}");
            }
            (Err(Error::KeyEmpty), Some((bytes, _))) if bytes.is_empty() => differences.note(SHORT_KEY, "Python"),
            // A rejected key is not in canonical form.
            (Err(error), Some((bytes, respelt))) => {
                assert_ne!(*text, respelt, "{error}");
                assert!(bytes.is_empty() || MasterKey::from_text(&respelt).is_ok(), "{text:?}");
                differences.note(KEY, "Python");
            }
            (Ok(_), None) => panic!("Python refuses the key {text:?}"),
        }
    }
    count
}
