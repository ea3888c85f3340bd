//! Fuzzes the formats of configs. The first byte chooses a format, the second what is written, and the rest is the text.
//!
//! Every value lies within the text. A value that is replaced says what was written, and all other values stay; the same holds
//! for a value that is added, and for one that is removed again. Tokens lie apart and in order.
#![no_main]

#[allow(dead_code, unused_imports)] // what the commands ask of it
#[path = "../../../cli/src/config/syntax/mod.rs"]
mod syntax;

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use syntax::{Edit, FormatSource, Reading, TextFormat};
use zeroize::Zeroizing;

const NEW: [&str; 8] = [
    "enc:AAAAAAAAAAAAAAAAAAAAAA==:AAAA",
    "plain",
    "it's \"quoted\" \\ and # more: {[,&*!|>%@`]}",
    "two\nlines\n",
    " \t",
    "null",
    "${HOME} $(x) \u{e9}\u{1f600}",
    "\u{1}\u{85}\u{2028}\u{feff}\r",
];

fn read(format: TextFormat, text: &str) -> Box<dyn Reading> {
    syntax::read("text", FormatSource::Given(format), &Arc::new(Zeroizing::new(text.to_owned())))
}

fn edited(text: &str, edit: &Edit) -> String {
    [&text[..edit.span.start], &edit.text, &text[edit.span.end..]].concat()
}

/// All values: pointer, kind and text, or nothing where the readers of the format disagree.
fn told(reading: &dyn Reading) -> Vec<(String, syntax::Kind, Option<String>)> {
    let text = |place: &syntax::Place<'_>| place.text().ok().map(|text| text.to_string());
    reading.leaves(|_, _| true).map(|leaf| (leaf.pointer, leaf.place.kind, text(&leaf.place))).collect()
}

/// Makes an edit, if the format takes it. Returns what the text says then.
fn made(format: TextFormat, reading: &dyn Reading, text: &str, edit: Edit) -> Option<(String, Box<dyn Reading>)> {
    let edits = [edit];
    reading.check(&edits).ok()?;
    let after = edited(text, &edits[0]);
    let reading = read(format, &after);
    assert!(reading.obstacle().is_none(), "what is written can be read");
    Some((after, reading))
}

fn says(reading: &dyn Reading, pointer: &str) -> Option<String> {
    Some(reading.find(pointer).ok()?.text().ok()?.to_string())
}

fuzz_target!(|data: &[u8]| {
    let [format, new, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let format = TextFormat::ALL[usize::from(*format) % TextFormat::ALL.len()];
    let new = NEW[usize::from(*new) % NEW.len()];
    let _ = TextFormat::of_content(text);
    let reading = read(format, text);
    // The commands ask for nothing else of a text whose tokens cannot be told.
    let Ok(found) = reading.tokens() else { return };
    let mut end = 0;
    for token in &found.tokens {
        assert!(token.inside.start >= end && text.get(token.inside.clone()).is_some());
        end = token.inside.end;
    }
    if reading.obstacle().is_some() {
        return;
    }

    let before = told(&*reading);
    let places: Vec<_> = reading.leaves(|_, _| true).map(|leaf| (leaf.pointer, leaf.place)).collect();
    for (_, place) in &places {
        assert!(text.get(place.spot.span.clone()).is_some(), "a value lies within the text");
    }
    for (at, (pointer, place)) in places.iter().enumerate().take(4) {
        // A name that occurs twice leads to no value.
        if reading.find(pointer).is_err() || reading.check_replaceable(&place.spot).is_err() {
            continue;
        }
        let Ok(edit) = reading.replace(&place.spot, new) else { continue };
        let Some((_, after)) = made(format, &*reading, text, edit) else { continue };
        assert_eq!(says(&*after, pointer).as_deref(), Some(new), "{format:?} {pointer}");
        let after = told(&*after);
        assert_eq!(after.len(), before.len());
        for (other, (is, was)) in after.iter().zip(&before).enumerate() {
            assert!(other == at || is == was, "{format:?}: {was:?} became {is:?}");
        }
    }

    for pointer in ["/fuzzed", "/-", "/a/fuzzed", "/a/-"] {
        let parent = syntax::parent(pointer).expect("it has one");
        if reading.find(pointer).is_ok() || reading.find(parent).is_err() {
            continue;
        }
        let Ok(edit) = reading.insert(pointer, new) else { continue };
        let Some((text, after)) = made(format, &*reading, text, edit) else { continue };
        assert_eq!(told(&*after).len(), before.len() + 1, "{format:?} {pointer}");
        if syntax::is_append(pointer) && says(&*after, pointer).is_none() {
            continue;
        }
        assert_eq!(says(&*after, pointer).as_deref(), Some(new), "{format:?} {pointer}");
        let Ok(edit) = after.remove(pointer) else { continue };
        let Some((_, after)) = made(format, &*after, &text, edit) else { continue };
        assert_eq!(told(&*after), before, "{format:?} {pointer}");
    }
});
