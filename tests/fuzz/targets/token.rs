//! Fuzzes tokens: any bytes as a token, as the signed part of one, and as a secret. Only sealed secrets open, and open
//! unchanged.
#![no_main]

mod common;

use base64ct::{Base64Url, Encoding};
use common::Random;
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::token::{self, Format, Token};
use fernseal_core::{Error, Key};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

const KEY: [u8; 32] = *b"0123456789abcdefABCDEFGHIJKLMNOP";

/// Opens a Fernet token in its own buffer. Checks that the buffer is zeroed after a failure.
fn open(text: &str, freshness: Freshness) -> Result<Vec<u8>, Error> {
    let mut out = vec![0xa5; fernet::open_len(text.len())];
    let opened = fernet::open(&Key::from_bytes(&KEY), text, freshness, &mut out).map(<[u8]>::to_vec);
    assert!(opened.is_ok() || out.iter().all(|byte| *byte == 0));
    opened
}

/// Opens an `enc:` token in the same way.
fn open_sealed(text: &str, capacity: usize) -> Result<Vec<u8>, Error> {
    let mut out = vec![0xa5; capacity];
    let opened = token::open_with(&Key::from_bytes(&KEY), text, &mut out).map(<[u8]>::to_vec);
    assert!(opened.is_ok() || out.iter().all(|byte| *byte == 0));
    opened
}

fn as_a_token(text: &str) {
    let opened = open_sealed(text, token::open_len(text.len()));
    match Token::parse(text) {
        Err(error) => assert_eq!(opened, Err(error)),
        // The buffer is long enough for every valid token.
        Ok(_) => assert_ne!(opened, Err(Error::BufferTooSmall)),
    }
    assert_ne!(open(text, Freshness::Any), Err(Error::BufferTooSmall));
    if fernet::verified_timestamp(&Key::from_bytes(&KEY), text).is_ok() {
        assert!(fernet::timestamp(text).is_ok());
    }
}

/// The MAC is valid, so that the steps after it are tested.
fn as_what_is_signed(signed: &[u8]) {
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY[..16]).expect("any length");
    mac.update(signed);
    let text = Base64Url::encode_string(&[signed, &mac.finalize().into_bytes()].concat());
    let opened = open(&text, Freshness::Any);
    assert_eq!(open_sealed(&format!("enc:{}", Base64Url::encode_string(text.as_bytes())), text.len()), opened);
    let key = Key::from_bytes(&KEY);
    let Some((head, body)) = signed
        .split_first_chunk::<25>()
        .filter(|(head, body)| head[0] == 0x80 && !body.is_empty() && body.len().is_multiple_of(16))
    else {
        assert_eq!(opened, Err(Error::Malformed));
        return assert_eq!(fernet::verified_timestamp(&key, &text), Err(Error::Malformed));
    };
    let sealed_at = u64::from_be_bytes(head[1..9].try_into().expect("8 bytes"));
    assert_eq!(fernet::verified_timestamp(&key, &text), Ok(sealed_at));
    match &opened {
        // With the same IV, a secret has only one token.
        Ok(plain) => {
            let mut again = vec![0xa5; text.len()];
            // A random source that returns only zeros counts as failed.
            let iv = &head[9..];
            let wanted = if iv.iter().all(|byte| *byte == 0) { Err(Error::RandomFailed) } else { Ok(&*text) };
            assert_eq!(fernet::seal(&key, plain, sealed_at, &mut Random::of(iv), &mut again), wanted);
        }
        Err(error) => assert_eq!(*error, Error::AuthenticationFailed),
    }
    // The time and the TTL come from the ciphertext.
    let [now, ttl] = [&body[..8], &body[8..16]].map(|bytes| u64::from_be_bytes(bytes.try_into().expect("8 bytes")));
    for (now, ttl) in
        [(now, ttl), (sealed_at.wrapping_add(ttl % 128), now % 128), (sealed_at.wrapping_sub(ttl % 128), now)]
    {
        let (at, late) = (u128::from(sealed_at), u128::from(sealed_at) + u128::from(ttl) < u128::from(now));
        let early = at > u128::from(now) + 60;
        let wanted = if late || early { Err(Error::Expired) } else { opened.clone() };
        assert_eq!(open(&text, Freshness::Within { now, ttl }), wanted);
    }
}

fn as_a_secret(plain: &[u8]) {
    let (key, last) = (Key::from_bytes(&KEY), plain.last().copied().unwrap_or_default());
    let format = if last & 1 == 0 { Format::Legacy } else { Format::Salted([last; 16]) };
    let mut out = vec![0xa5; token::token_len(plain.len())];
    let sealed =
        token::seal_with(&key, &format, plain, 1, &mut Random::of(&[last, 1]), &mut out).expect("fits").to_owned();
    assert_eq!(open_sealed(&sealed, token::open_len(sealed.len())).as_deref(), Ok(plain));

    let mut short = vec![0xa5; sealed.len() - 1];
    let refused = token::seal_with(&key, &format, plain, 1, &mut Random::of(&[last, 1]), &mut short).map(str::len);
    assert_eq!((refused, short.iter().all(|byte| *byte == 0)), (Err(Error::BufferTooSmall), true));
    let mut failing = Random { bytes: &[last, 1], left: 0 };
    let refused = token::seal_with(&key, &format, plain, 1, &mut failing, &mut out).map(str::len);
    assert_eq!((refused, out.iter().all(|byte| *byte == 0)), (Err(Error::RandomFailed), true));
    // With any capacity the result is the secret or an error.
    let opened = open_sealed(&sealed, plain.iter().map(|byte| usize::from(*byte)).sum::<usize>() % (sealed.len() + 1));
    assert!(opened == Err(Error::BufferTooSmall) || opened.as_deref() == Ok(plain));

    // With one character changed.
    let mut changed = sealed.into_bytes();
    let at =
        plain.iter().fold(0, |at: usize, byte| at.wrapping_mul(31).wrapping_add(usize::from(*byte))) % changed.len();
    changed[at] ^= 1 << (last % 7);
    let changed = String::from_utf8(changed).expect("ASCII");
    // With the salt changed. No MAC covers the salt; it leads to another key.
    match Token::parse(&changed) {
        Ok(parsed) if *parsed.format() != format => {}
        _ => assert!(open_sealed(&changed, changed.len()).is_err()),
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = str::from_utf8(data) {
        as_a_token(text);
    }
    as_what_is_signed(data);
    as_a_secret(data);
});
