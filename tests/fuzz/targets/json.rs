//! Fuzzes the JSON reader: it accepts the same texts as serde_json, and each string is found by its own pointer with
//! the same contents. Replacing a string (by control characters and the text itself) changes nothing else, and the new
//! string is found again.
#![no_main]

use fernseal_core::{Error, json};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fn unescape(raw: &str) -> Result<String, Error> {
    let mut plain = vec![0xa5; raw.len()];
    json::unescape(raw, &mut plain).map(str::to_owned)
}

fn raw_strings(text: &str) -> Vec<&str> {
    json::strings(text).map(|value| value.expect("the text is JSON").raw()).collect()
}

fuzz_target!(|text: &str| {
    let unmarked = text.strip_prefix('\u{feff}').unwrap_or(text);
    match json::root(text) {
        Err(Error::TooDeep) => return,
        // For values that it ignores, serde_json checks the grammar only: any depth, any number, lone surrogates.
        ours => assert_eq!(ours.is_ok(), serde_json::from_str::<IgnoredAny>(unmarked).is_ok()),
    }
    if json::root(text).is_err() {
        return;
    }
    let theirs = serde_json::from_str::<serde_json::Value>(unmarked);
    let raws = raw_strings(text);
    let new: String = (0..0x20).map(char::from).chain(text.chars()).collect();
    for (at, value) in json::strings(text).take(16).enumerate() {
        let value = value.expect("the text is JSON");
        let pointer = value.pointer().to_string();
        let (mut levels, mut paths) =
            (vec![json::Level::default(); json::MAX_DEPTH], vec![json::PathHash::default(); json::MAX_DEPTH]);
        let start = value.span().start;
        let unique = match json::find_duplicate(text, &mut levels, &mut paths, |_, span| span.start == start) {
            Ok(Some(_)) => Err(Error::DuplicateKey),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        match json::find(text, &pointer) {
            Ok(found) => assert_eq!((found.span(), unique), (value.span(), Ok(()))),
            // A name with a lone surrogate has no pointer.
            Err(error) => assert!(unique == Err(error) || pointer.contains('\u{fffd}'), "{error:?} {pointer}"),
        }
        if unique.is_ok()
            && let Ok(theirs) = &theirs
        {
            let read = theirs.pointer(&pointer).and_then(serde_json::Value::as_str);
            assert_eq!(unescape(value.raw()).as_deref().ok(), read);
        }

        let mut escaped = vec![0xa5; json::escaped_len(&new)];
        let escaped = json::escape(&new, &mut escaped).expect("fits");
        let (before, after) = (&text[..=value.span().start], &text[value.span().end - 1..]);
        let replaced = format!("{before}{escaped}{after}");
        assert!(json::root(&replaced).is_ok());
        let mut wanted = raws.clone();
        wanted[at] = escaped;
        assert_eq!(raw_strings(&replaced), wanted);
        if json::find(text, &pointer).is_ok() {
            let found = json::find(&replaced, &pointer).expect("where it was");
            assert_eq!(unescape(found.raw()).as_deref(), Ok(&*new));
        }
    }
});
