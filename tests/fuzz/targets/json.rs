//! Any text as JSON: accepted as serde_json accepts it; each string is found by its own pointer and read the same.
#![no_main]

use fernseal_core::{Error, json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let ours = json::root(text).map(|_| ());
    let without_mark = text.strip_prefix('\u{feff}').unwrap_or(text);
    match serde_json::from_str::<serde_json::Value>(without_mark) {
        // serde_json stops at 128 levels and at numbers beyond f64, and builds no lone surrogates.
        Ok(_) => assert_eq!(ours, Ok(())),
        Err(_) => {}
    }
    if ours.is_err() {
        return;
    }
    for value in json::strings(text).take(20) {
        let value = value.expect("the text is JSON");
        let pointer = value.pointer().to_string();
        match json::find(text, &pointer) {
            Ok(found) => assert_eq!(found.span(), value.span()),
            Err(error) => assert!(error == Error::DuplicateKey || pointer.contains('\u{fffd}'), "{error:?} {pointer}"),
        }
        let mut plain = vec![0xa5; value.raw().len()];
        if let Ok(plain) = json::unescape(value.raw(), &mut plain) {
            let mut escaped = vec![0xa5; json::escaped_len(plain)];
            let escaped = json::escape(plain, &mut escaped).expect("fits");
            let replaced = format!("{}{escaped}{}", &text[..value.span().start + 1], &text[value.span().end - 1..]);
            assert_eq!(json::root(&replaced).map(|_| ()), Ok(()));
        }
    }
});
