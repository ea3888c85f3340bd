//! Compares three JSON readers on randomly changed configs: ours, serde_json and Python's json. They must accept the
//! same texts and find the same strings in the same order. Also compares the positions with serde_json, and the
//! pointers and the duplicate names with Python.

use std::fmt;
use std::ops::Range;

use fastrand::Rng;
use fernseal_core::{Error, json};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::differences::{Differences, EQUAL_NAMES, JSON, LONE_SURROGATE};
use crate::python::Python;

/// The config of the guide, sealed configs, one with all kinds of JSON values, and one with unusual spelling.
const CONFIGS: [&str; 5] = [
    r#"{
    "proxmox": {"host": "proxmox.example.com", "port": 8006, "verify_ssl": true, "service": "PVE"},
    "auth": {"user": "root@pam", "token_name": "mcp", "token_value": "your-token"},
    "logging": {"level": "INFO", "format": "%(asctime)s - %(message)s", "file": null}
}
"#,
    include_str!("../../cli/fixtures/sealed.json"),
    include_str!("../../firmware/config.json"),
    r#"{"":"a","a/b~c":{"d":["x",{"e":"y"},[],[[ "z" ]],-0.5e+10,1E5,0,null,false]},"t":"\t\"\\\/\b\f\n\r\u00e9\ud83d\ude00é😀","q":"é"}"#,
    "[\"one\" ,\r\n\t\"two\", {\"n\": \"three\", \"m\": {\"n\": \"four\", \"o\": 1e-3}} , \"\\ud800\"]",
];

const PIECES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "/",
    "\\u",
    "\\ud83d",
    "\\udE00",
    "\\n",
    "\\x",
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E",
    "null",
    "true",
    "NaN",
    "Infinity",
    "-Infinity",
    " ",
    "\n",
    "\t",
    "\r",
    "\0",
    "\u{1f}",
    "\u{7f}",
    "\u{a0}",
    "é",
    "😀",
    "\"a\":\"b\",",
    "\"n\":",
    "//",
    "1e999",
];

fn mutated(rng: &mut Rng, text: &str) -> String {
    let mut signs: Vec<char> = text.chars().collect();
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..=signs.len());
        let to = (at + rng.usize(..8)).min(signs.len());
        let piece = PIECES[rng.usize(..PIECES.len())].chars();
        match rng.u8(..5) {
            0 => drop(signs.drain(at..to)),
            1 => signs.truncate(to),
            2 => {
                // Inserts a copy of a part of it somewhere.
                let piece: Vec<char> = signs[at..(at + rng.usize(..40)).min(signs.len())].to_vec();
                let place = rng.usize(..=signs.len());
                signs.splice(place..place, piece);
            }
            3 => drop(signs.splice(at..to.min(at + 1), piece)),
            _ => drop(signs.splice(at..at, piece)),
        }
    }
    let text: String = signs.into_iter().collect();
    match rng.u8(..) {
        0..8 => format!("\u{feff}{text}"),
        8..10 => {
            let levels = rng.usize(json::MAX_DEPTH - 4..json::MAX_DEPTH + 2);
            ["[".repeat(levels), text, "]".repeat(levels)].concat()
        }
        // Python reads integers of up to 4 300 digits.
        10..12 => format!("[{},{text}]", "9".repeat(rng.usize(4_299..4_303))),
        12..20 => text.replace("\"m\"", "\"n\"").replace("token_name", "user"),
        20..24 => text.replace("null", ["NaN", "Infinity", "-Infinity", "nan"][rng.usize(..4)]),
        _ => text,
    }
}

/// A string as we read it. If it contains a lone surrogate, it has no plain text.
struct Found {
    span: Range<usize>,
    pointer: String,
    plain: Option<String>,
    ambiguous: bool,
}

fn strings(text: &str) -> Result<Vec<Found>, Error> {
    json::root(text)?;
    let strings = json::strings(text).map(|value| {
        let value = value?;
        let (span, pointer) = (value.span(), value.pointer().to_string());
        let (mut levels, mut paths) =
            (vec![json::Level::default(); json::MAX_DEPTH], vec![json::PathHash::default(); json::MAX_DEPTH]);
        let is_it = |_, place: Range<usize>| place == span;
        let ambiguous = json::find_duplicate(text, &mut levels, &mut paths, is_it)?.is_some();
        // A pointer cannot contain a lone surrogate.
        if !pointer.contains('\u{fffd}') {
            let found = json::find(text, &pointer).map(|found| found.span());
            assert_eq!(found, if ambiguous { Err(Error::DuplicateKey) } else { Ok(span.clone()) }, "{pointer}");
        }
        let mut out = vec![0xa5; value.raw().len()];
        let plain = match json::unescape(value.raw(), &mut out) {
            Err(Error::NotUtf8) => None,
            plain => Some(plain?.to_owned()),
        };
        Ok(Found { span, pointer, plain, ambiguous })
    });
    strings.collect()
}

/// Returns the values of an object, including those with equal names and those whose names are not text.
struct Members<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Deserialize<'de> for Name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_bytes(Self)
            }
        }
        impl Visitor<'_> for Name {
            type Value = Self;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_bytes<E>(self, _: &[u8]) -> Result<Self, E> {
                Ok(Self)
            }
        }
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some((Name, value)) = map.next_entry()? {
                    values.push(value);
                }
                Ok(Members(values))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Returns where serde_json finds the strings of a text.
fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut values: Vec<&RawValue> = vec![serde_json::from_str(text).expect("it was accepted")];
    while let Some(value) = values.pop() {
        let raw = value.get();
        match raw.as_bytes()[0] {
            b'"' => {
                let start = raw.as_ptr().addr() - text.as_ptr().addr();
                spans.push(start..start + raw.len());
            }
            b'{' => values.extend(serde_json::from_str::<Members<'_>>(raw).expect("an object").0),
            b'[' => values.extend(serde_json::from_str::<Vec<&RawValue>>(raw).expect("an array")),
            _ => {}
        }
    }
    spans.sort_unstable_by_key(|span| span.start);
    spans
}

fn compare_with_serde_json(text: &str, ours: &Result<Vec<Found>, Error>) {
    let unmarked = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mark = text.len() - unmarked.len();
    let theirs = serde_json::from_str::<IgnoredAny>(unmarked);
    let Ok(ours) = ours else {
        assert!(theirs.is_err() || matches!(ours, Err(Error::TooDeep)), "serde_json takes {text:?}");
        return;
    };
    assert!(theirs.is_ok(), "serde_json: {theirs:?}, of {text:?}");
    let theirs = spans(unmarked);
    assert_eq!(ours.len(), theirs.len(), "{text:?}");
    for (ours, span) in ours.iter().zip(theirs) {
        assert_eq!(ours.span, mark + span.start..mark + span.end, "{text:?}");
        let raw = &unmarked[span];
        assert_eq!(serde_json::from_str::<String>(raw).ok(), ours.plain, "{raw} of {text:?}");
        let Some(plain) = &ours.plain else { continue };
        let mut out = vec![0xa5; json::escaped_len(plain)];
        let escaped = format!("\"{}\"", json::escape(plain, &mut out).expect("it fits"));
        assert_eq!(serde_json::from_str::<String>(&escaped).as_ref().ok(), Some(plain), "{escaped}");
    }
}

pub fn document(rng: &mut Rng, python: &mut Python, count: usize, differences: &mut Differences) -> usize {
    let texts: Vec<String> = (0..count).map(|at| mutated(rng, CONFIGS[at % CONFIGS.len()])).collect();
    let ours: Vec<_> = texts.iter().map(|text| strings(text)).collect();
    let cases = texts.iter().zip(&ours).map(|(text, ours)| {
        let listed = |found: &Found| json!([found.pointer, found.plain, found.ambiguous]);
        let strings = ours.as_ref().ok().map(|strings| strings.iter().map(listed).collect::<Value>());
        json!({"kind": "document", "text": text, "strings": strings})
    });
    for ((text, ours), answer) in texts.iter().zip(&ours).zip(python.ask(cases.collect())) {
        compare_with_serde_json(text, ours);
        let known = match answer["difference"].as_str() {
            None => true,
            Some("refused: Unexpected UTF-8 BOM (decode using utf-8-sig)") => text.starts_with('\u{feff}'),
            Some("refused: Exceeds the limit (4300 digits) for integer string conversion") => ours.is_ok(),
            Some("accepted") if matches!(ours, Err(Error::TooDeep)) => true,
            // Words that Python reads as numbers, although JSON does not have them.
            Some("accepted") => {
                let plain =
                    ["-Infinity", "Infinity", "NaN"].iter().fold(text.clone(), |text, word| text.replace(word, "0"));
                plain != *text && strings(&plain).is_ok()
            }
            Some(_) => false,
        };
        assert!(known, "Python: {}, of {text:?}", answer["difference"]);
        if !answer["difference"].is_null() {
            differences.note(JSON, "Python");
        }
        for found in ours.iter().flatten() {
            if found.ambiguous {
                differences.note(EQUAL_NAMES, "Python");
            }
            if found.plain.is_none() {
                differences.note(LONE_SURROGATE, "Python");
            }
        }
    }
    count
}
