//! Output buffers: a buffer of the documented length is enough, a buffer that is one byte shorter is an error and is
//! zeroed, and nothing is written after a result. All buffers begin as 0xa5, so that unwritten bytes are visible.

use crate::common::{MASTER, Script, counting};
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::{Error, Key, MasterKey, config, json, kdf, token};

const SECRET: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

fn master() -> MasterKey {
    MasterKey::from_text(MASTER).unwrap()
}

fn key() -> Key {
    kdf::derive(&master(), b"salt", 1.try_into().unwrap())
}

/// Checks that `run` accepts a buffer of `len` bytes and fills or zeroes all of it, and that it rejects `len - 1`
/// bytes.
fn holds_at(what: &str, len: usize, run: impl Fn(&mut [u8]) -> Result<usize, Error>) {
    for len in [len, len + 1, len + 100] {
        let mut out = vec![0xa5; len];
        let used = run(&mut out).unwrap_or_else(|error| panic!("{what}: {error:?} with {len} bytes"));
        assert!(out[..used].iter().all(|byte| *byte != 0xa5), "{what}: a byte of the result was not written");
        assert!(out[used..].iter().all(|byte| *byte == 0), "{what}: something lies behind the result");
    }
    for len in [len - 1, len / 2, 1, 0].into_iter().filter(|short| *short < len) {
        let mut out = vec![0xa5; len];
        assert_eq!(run(&mut out), Err(Error::BufferTooSmall), "{what} with {len} bytes");
        assert!(out.iter().all(|byte| *byte == 0), "{what}: {len} bytes were not zeroed");
    }
}

#[test]
fn sealing_needs_the_tokens_length_and_not_a_byte_less() {
    let plain = SECRET.as_bytes();
    holds_at("fernet::seal", fernet::token_len(36), |out| {
        fernet::seal(&key(), plain, 0, &mut counting(), out).map(str::len)
    });
    holds_at("token::seal_with", token::token_len(36), |out| {
        token::seal_with(&key(), &token::Format::Salted([1; 16]), plain, 0, &mut counting(), out).map(str::len)
    });
    holds_at("token::seal", token::token_len(36), |out| {
        token::seal(&master(), plain, 0, &mut counting(), out).map(str::len)
    });
    // A legacy token contains no salt, so it is 25 characters shorter.
    holds_at("token::seal_legacy", token::token_len(36) - 25, |out| {
        token::seal_legacy(&master(), plain, 0, &mut counting(), out).map(str::len)
    });
}

#[test]
fn opening_needs_what_lies_beneath_the_base64_and_not_a_byte_less() {
    let mut buf = [0; 512];
    let text = fernet::seal(&key(), SECRET.as_bytes(), 0, &mut counting(), &mut buf).unwrap().to_owned();
    let need = text.len() / 4 * 3 - text.matches('=').count();
    assert!(need <= fernet::open_len(text.len()));
    holds_at("fernet::open", need, |out| fernet::open(&key(), &text, Freshness::Any, out).map(<[u8]>::len));
    let keys = [kdf::derive(&master(), b"other", 1.try_into().unwrap()), key()];
    holds_at("fernet::open_any", need, |out| fernet::open_any(&keys, &text, Freshness::Any, out).map(<[u8]>::len));
    holds_at("fernet::rotate", text.len(), |out| fernet::rotate(&keys, &text, &mut counting(), out).map(str::len));

    let text = token::seal_legacy(&master(), SECRET.as_bytes(), 0, &mut counting(), &mut buf).unwrap().to_owned();
    let need = 1 + 8 + 16 + 48 + 32; // the Fernet token inside both layers of base64
    assert!(need <= token::open_len(text.len()));
    let derived = token::Format::Legacy.key_params().derive(&master());
    holds_at("token::open_with", need, |out| token::open_with(&derived, &text, out).map(<[u8]>::len));
    holds_at("token::open", need, |out| token::open(&master(), &text, out).map(<[u8]>::len));
}

#[test]
fn any_token_opens_with_open_len_and_fits_token_len() {
    let (key, master) = (key(), master());
    let derived = token::Format::Legacy.key_params().derive(&master);
    for len in (0..100).chain([1000, 4096]) {
        let plain = vec![b'x'; len];
        let mut out = vec![0; fernet::token_len(len)];
        let text = fernet::seal(&key, &plain, 0, &mut counting(), &mut out).unwrap();
        assert_eq!(text.len(), fernet::token_len(len));
        let mut opened = vec![0; fernet::open_len(text.len())];
        assert_eq!(fernet::open(&key, text, Freshness::Any, &mut opened), Ok(&*plain));

        for format in [token::Format::Legacy, token::Format::Salted(token::LEGACY_SALT)] {
            let mut out = vec![0; token::token_len(len)];
            let text = token::seal_with(&derived, &format, &plain, 0, &mut counting(), &mut out).unwrap();
            assert_eq!(text.len(), token::token_len(len) - if format == token::Format::Legacy { 25 } else { 0 });
            let mut opened = vec![0; token::open_len(text.len())];
            assert_eq!(token::open_with(&derived, text, &mut opened), Ok(&*plain));
        }
    }
}

#[test]
fn lengths_are_known_at_compile_time_and_do_not_overflow() {
    const TOKEN: [u8; token::token_len(36)] = [0; token::token_len(36)];
    const OPENED: [u8; token::open_len(217)] = [0; token::open_len(217)];
    assert_eq!(TOKEN.len(), 217);
    assert!(OPENED.len() >= 36 + 16);
    for len in [usize::MAX, usize::MAX - 1, usize::MAX / 2, usize::MAX / 4 * 3] {
        assert!(fernet::token_len(len) >= len);
        assert!(token::token_len(len) >= len);
        assert!(token::open_len(len) <= len);
    }
    assert_eq!(token::token_len(usize::MAX), usize::MAX);
    assert_eq!(token::open_len(0), 0);
}

#[test]
fn configs_need_the_stated_room_and_not_a_byte_less() {
    let plain = format!(r#"{{"auth": {{"token_value": "{SECRET}"}}, "n": 1}}"#);
    let sealed_len = plain.len() - SECRET.len() + token::token_len(SECRET.len());
    holds_at("config::seal", sealed_len, |out| {
        config::seal(&plain, &["/auth/token_value"], &master(), 0, &mut counting(), out).map(str::len)
    });
    let mut buf = vec![0; sealed_len];
    let sealed =
        config::seal(&plain, &["/auth/token_value"], &master(), 0, &mut counting(), &mut buf).unwrap().to_owned();

    // Opening uses the part of the buffer after the text that is already written, so json.len() is always enough, and
    // less may be.
    let keys = [master()];
    let mut out = vec![0xa5; sealed.len()];
    assert_eq!(config::open(&sealed, &keys, &mut out), Ok(&*plain));
    assert!(out[plain.len()..].iter().all(|byte| *byte == 0));
    let mut out = vec![0xa5; plain.len()];
    assert_eq!(config::open(&sealed, &keys, &mut out), Err(Error::BufferTooSmall));
    assert!(out.iter().all(|byte| *byte == 0));

    holds_at("config::get", token::token_len(SECRET.len()), |out| {
        config::get(&sealed, "/auth/token_value", &keys, out).map(str::len)
    });
    holds_at("config::get of a number", 1, |out| config::get(&sealed, "/n", &keys, out).map(str::len));
}

#[test]
fn whatever_is_wrong_with_a_config_the_buffer_is_zeroed() {
    let deep = "[".repeat(1025) + &"]".repeat(1025);
    for (json, pointer, error) in [
        (r#"{"a": "s"}"#, "/b", Error::NotFound),
        (r#"{"a": 1}"#, "/a", Error::NotAString),
        (r#"{"a": "s""#, "/a", Error::InvalidJson),
        (r#"{"a": "s", "a": "t"}"#, "/a", Error::DuplicateKey),
        (r#"{"a": "s"}"#, "/~2", Error::InvalidPointer),
        (r#"{"a": "\ud800"}"#, "/a", Error::NotUtf8),
        (r#"{"a": "ENC:s"}"#, "/a", Error::Lookalike),
        (&*deep, "/0", Error::TooDeep),
    ] {
        let mut out = vec![0xa5; 4096];
        assert_eq!(config::seal(json, &[pointer], &master(), 0, &mut counting(), &mut out), Err(error));
        assert!(out.iter().all(|byte| *byte == 0), "{error:?} leaves what was there");
    }
    for (json, error) in
        [(r#"{"a": "enc:s"}"#, Error::Malformed), (r#"{"a": "s""#, Error::InvalidJson), (&*deep, Error::TooDeep)]
    {
        let mut out = vec![0xa5; 4096];
        assert_eq!(config::open(json, &[master()], &mut out), Err(error));
        assert!(out.iter().all(|byte| *byte == 0), "{error:?} leaves what was there");
        out.fill(0xa5);
        assert_eq!(config::rotate(json, &[master()], &master(), 0, &mut counting(), &mut out), Err(error));
        assert!(out.iter().all(|byte| *byte == 0), "{error:?} leaves what was there");
    }
}

#[test]
fn escapes_need_the_stated_room_and_not_a_byte_less() {
    let plain = "q\" b\\ n\n u\u{1} ü 😀";
    holds_at("json::escape", json::escaped_len(plain), |out| json::escape(plain, out).map(str::len));
    let mut buf = [0; 64];
    let escaped = json::escape(plain, &mut buf).unwrap();
    assert_eq!(escaped, "q\\\" b\\\\ n\\n u\\u0001 ü 😀");
    holds_at("json::unescape", plain.len(), |out| json::unescape(escaped, out).map(str::len));
}

#[test]
fn a_random_source_that_fails_seals_nothing() {
    let plain = SECRET.as_bytes();
    // The random source fails at the salt, at the IV, or in the middle of the IV.
    for bytes in [0, 15, 16, 31] {
        let mut out = [0xa5; 512];
        let sealed = token::seal(&master(), plain, 0, &mut Script(vec![1; bytes]), &mut out).map(str::len);
        assert_eq!(sealed, Err(Error::RandomFailed));
        assert!(out.iter().all(|byte| *byte == 0));
    }
    let mut out = [0xa5; 512];
    assert_eq!(fernet::seal(&key(), plain, 0, &mut Script(vec![1; 15]), &mut out), Err(Error::RandomFailed));
    assert!(out.iter().all(|byte| *byte == 0));
    assert_eq!(MasterKey::generate_text(&mut Script(vec![1; 31])).map(|_| ()), Err(Error::RandomFailed));
}

/// A random source that returns success without writing anything. It fails if its buffer is not zeroed.
struct Idle;

impl rand_core::TryRng for Idle {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        assert!(out.iter().all(|byte| *byte == 0), "the source sees {out:?}");
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Idle {}

#[test]
fn a_random_source_that_does_nothing_seals_nothing_and_sees_no_secret() {
    if cfg!(feature = "compact") {
        return; // a compact build does not detect this
    }
    let plain = SECRET.as_bytes();
    let mut out = [0xa5; 512];
    assert_eq!(fernet::seal(&key(), plain, 0, &mut Idle, &mut out), Err(Error::RandomFailed));
    assert!(out.iter().all(|byte| *byte == 0));
    out.fill(0xa5);
    let salted = token::Format::Salted([1; 16]);
    assert_eq!(token::seal_with(&key(), &salted, plain, 0, &mut Idle, &mut out), Err(Error::RandomFailed));
    assert!(out.iter().all(|byte| *byte == 0));
    assert_eq!(token::Format::salted(&mut Idle), Err(Error::RandomFailed));
    assert_eq!(MasterKey::generate_text(&mut Idle).map(|_| ()), Err(Error::RandomFailed));
}

#[test]
fn debug_of_a_walk_and_of_what_it_finds_says_nothing_of_the_text() {
    let json = format!(r#"{{"auth": {{"user": "u", "token_value": "{SECRET}"}}}}"#);
    let value = json::find(&json, "/auth/user").unwrap();
    let shown = format!("{value:?} {:?} {:?}", value.pointer(), json::Events::new(&json));
    let wanted =
        "Value { kind: String, span: 18..21, .. } PointerTo { offset: 18, .. } Events { offset: 0, depth: 0, .. }";
    assert_eq!(shown, wanted);
}
