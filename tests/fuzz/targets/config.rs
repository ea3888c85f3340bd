//! Fuzzes configs: any JSON is sealed, read, opened and rotated, and all bytes around the value stay the same.
#![no_main]

mod common;

use common::Random;
use fernseal_core::config::{self, Config, ValueKind};
use fernseal_core::{Error, MasterKey, json, token};
use libfuzzer_sys::fuzz_target;

const RANDOM: &[u8] = b"salt and IV";

fn master(byte: u8) -> MasterKey {
    MasterKey::from_bytes(&[byte; 32]).expect("32 bytes")
}

fn unescape(raw: &str) -> Result<String, Error> {
    let mut plain = vec![0xa5; raw.len()];
    json::unescape(raw, &mut plain).map(str::to_owned)
}

/// Returns what `fill` writes into a buffer of `capacity` bytes. Checks that the buffer is zeroed after a failure.
fn filled(capacity: usize, fill: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Result<String, Error> {
    let mut out = vec![0xa5; capacity];
    let filled = fill(&mut out);
    assert!(filled.is_ok() || out.iter().all(|byte| *byte == 0));
    filled.map(|len| String::from_utf8(out[..len].to_vec()).expect("text"))
}

fn open(text: &str, key: u8) -> Result<String, Error> {
    filled(4 * text.len(), |out| config::open(text, &[master(key)], out).map(str::len))
}

fn get(text: &str, pointer: &str, key: u8) -> Result<String, Error> {
    filled(text.len(), |out| config::get(text, pointer, &[master(key)], out).map(str::len))
}

/// The typed config returns the same values as the pointers.
fn typed(text: &str) {
    let Ok(config) = Config::read(text) else { return };
    let fields = [
        ("/proxmox/host", config.proxmox.host),
        ("/auth/user", config.auth.user),
        ("/auth/token_name", config.auth.token_name),
        ("/auth/token_value", config.auth.token_value),
    ];
    for (pointer, field) in fields {
        let found = json::find(text, pointer).expect("no field occurs twice");
        assert_eq!(found.raw(), field.raw());
        let opened = filled(field.raw().len(), |out| field.open(&[master(1)], out).map(str::len));
        assert_eq!(opened, get(text, pointer, 1));
    }
}

fuzz_target!(|text: &str| {
    let opened = open(text, 1);
    let is_json = json::root(text).map(|_| ());
    if let Err(error) = is_json {
        return assert_eq!(opened, Err(error));
    }
    typed(text);
    let raws: Vec<_> = json::strings(text).map(|value| value.expect("the text is JSON")).collect();
    let is_sealed = |raw: &str| unescape(raw).is_ok_and(|plain| token::is_sealed(&plain));
    if !raws.iter().any(|value| value.raw().contains("\\u") || is_sealed(value.raw())) {
        assert_eq!(opened.as_deref(), Ok(text));
    }

    for value in raws.iter().take(3) {
        let pointer = value.pointer().to_string();
        if json::find(text, &pointer).is_err() {
            continue;
        }
        let plain = unescape(value.raw());
        let plain_len = plain.as_ref().map_or(0, String::len);
        let sealed = filled(text.len() + token::token_len(plain_len), |out| {
            config::seal(text, &[&pointer], &master(1), 1, &mut Random::of(RANDOM), out).map(str::len)
        });
        let plain = match plain {
            Ok(plain) => plain,
            Err(error) => {
                assert_eq!(sealed, Err(error));
                continue;
            }
        };
        match config::classify(&plain) {
            ValueKind::Sealed | ValueKind::Placeholder => assert_eq!(sealed.as_deref(), Ok(text)),
            ValueKind::Lookalike => assert_eq!(sealed, Err(Error::Lookalike)),
            ValueKind::Plain => {
                let sealed = sealed.expect("fits");
                let (before, after) = (&text[..=value.span().start], &text[value.span().end - 1..]);
                assert!(sealed.starts_with(before) && sealed.ends_with(after));
                assert_eq!(get(&sealed, &pointer, 1).as_ref(), Ok(&plain));
                assert_eq!(get(&sealed, &pointer, 2), Err(Error::AuthenticationFailed));
                if opened.as_deref() != Ok(text) {
                    continue;
                }
                let mut escaped = vec![0; json::escaped_len(&plain)];
                let escaped = json::escape(&plain, &mut escaped).expect("fits");
                assert_eq!(open(&sealed, 1), Ok(format!("{before}{escaped}{after}")));
                let rotated = filled(sealed.len(), |out| {
                    config::rotate(&sealed, &[master(1)], &master(2), 2, &mut Random::of(RANDOM), out).map(str::len)
                });
                let rotated = rotated.expect("fits");
                assert!(rotated.starts_with(before) && rotated.ends_with(after));
                assert_eq!(get(&rotated, &pointer, 2), Ok(plain));
            }
        }
    }
});
