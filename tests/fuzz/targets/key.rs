//! Any text as a key: white space around it and the other alphabet change nothing; what is made of it has its length.
#![no_main]

use fernseal_core::{Key, MasterKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = MasterKey::from_text(text).map(|key| *key.as_bytes());
    let spaced = format!(" \t{text}\r\n");
    assert_eq!(parsed, MasterKey::from_text(&spaced).map(|key| *key.as_bytes()));
    let other = text.replace('-', "+").replace('_', "/");
    assert_eq!(parsed, MasterKey::from_text(&other).map(|key| *key.as_bytes()));
    if Key::from_text(text).is_ok() {
        assert!(parsed.is_ok());
    }
});
