//! Any text as a token: it is refused, or it is one, and then only what was sealed comes out.
#![no_main]

use fernseal_core::token::{self, Token};
use fernseal_core::{Error, Key, fernet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let key = Key::from_bytes(&[7; 32]);
    let mut out = vec![0xa5; token::open_len(text.len())];
    let opened = token::open_with(&key, text, &mut out).map(<[u8]>::len);
    match Token::parse(text) {
        Err(error) => assert_eq!(opened, Err(error)),
        // The buffer is never too short for what is a token.
        Ok(_) => assert_ne!(opened, Err(Error::BufferTooSmall)),
    }
    if opened.is_err() {
        assert!(out.iter().all(|byte| *byte == 0));
    }
    let mut out = vec![0xa5; fernet::open_len(text.len())];
    if fernet::open(&key, text, fernet::Freshness::Any, &mut out).is_err() {
        assert!(out.iter().all(|byte| *byte == 0));
    }
    if fernet::verified_timestamp(&key, text).is_ok() {
        assert!(fernet::timestamp(text).is_ok());
    }
});
