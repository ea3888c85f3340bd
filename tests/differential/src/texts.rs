//! JSON texts: configs, changed at random, read alike by ours, by Python's json and by serde_json.
//! Read alike: accepted or not, and the same strings at the same pointers in the same order.
//! Names that stand twice on the way to a string are refused by ours, and by ours alone.

use fastrand::Rng;
use fernseal_core::{Error, json};
use serde_json::{Value, json};

use crate::Differences;
use crate::python::Python;

/// The guide's config, one with all that JSON has, and one that looks odd.
const CONFIGS: [&str; 3] = [
    r#"{
    "proxmox": {"host": "proxmox.example.com", "port": 8006, "verify_ssl": true, "service": "PVE"},
    "auth": {"user": "root@pam", "token_name": "mcp", "token_value": "enc:c2FsdA==:Z0FBQUFB"},
    "logging": {"level": "INFO", "format": "%(asctime)s - %(message)s", "file": null}
}
"#,
    r#"{"":"a","a/b~c":{"d":["x",{"e":"y"},[],[[ "z" ]],-0.5e+10,1E5,0,null,false]},"t":"\t\"\\\/\b\f\n\r\u00e9\ud83d\ude00é😀","q":"é"}"#,
    "[\"one\" ,\r\n\t\"two\", {\"n\": \"three\", \"m\": {\"n\": \"four\", \"o\": 1e-3}} , \"\\ud800\"]",
];

const PIECES: [&str; 38] = [
    "{", "}", "[", "]", ",", ":", "\"", "\\", "/", "\\u", "\\ud83d", "\\udE00", "\\n", "\\x", "0", "1", "-", "+", ".",
    "e", "E", "null", "true", "NaN", "Infinity", " ", "\n", "\t", "\r", "\0", "\u{1f}", "\u{feff}", "\u{a0}", "é", "😀",
    "\"a\":\"b\",", "\"n\":", "//",
];

fn mutated(rng: &mut Rng, text: &str) -> String {
    let mut signs: Vec<char> = text.chars().collect();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=signs.len());
        let to = (at + rng.usize(..8)).min(signs.len());
        match rng.u8(..5) {
            0 => drop(signs.drain(at..to)),
            1 => signs.truncate(to),
            2 => {
                // A piece of it once more, somewhere.
                let piece: Vec<char> = signs[at..(at + rng.usize(..40)).min(signs.len())].to_vec();
                let place = rng.usize(..=signs.len());
                signs.splice(place..place, piece);
            }
            3 => drop(signs.splice(at..to.min(at + 1), PIECES[rng.usize(..PIECES.len())].chars())),
            _ => drop(signs.splice(at..at, PIECES[rng.usize(..PIECES.len())].chars())),
        }
    }
    signs.into_iter().collect()
}

/// Pointer, raw text, and whether a name on the way stands twice, of each string; none if it is no JSON.
fn strings(text: &str) -> Option<Vec<(String, &str, bool)>> {
    json::root(text).ok()?;
    let strings = json::strings(text).map(|value| {
        let value = value.expect("the text is JSON");
        let pointer = value.pointer().to_string();
        let found = json::find(text, &pointer).map(|found| found.span());
        if !pointer.contains('\u{fffd}') {
            assert!(found == Ok(value.span()) || found == Err(Error::DuplicateKey), "{found:?} {pointer} of {text}");
        }
        assert_eq!(value.is_unique().is_err(), found == Err(Error::DuplicateKey), "{pointer} of {text}");
        (pointer, value.raw(), found == Err(Error::DuplicateKey))
    });
    Some(strings.collect())
}

pub fn document(rng: &mut Rng, python: &mut Python, count: usize, differences: &mut Differences) -> usize {
    let texts: Vec<String> = (0..count).map(|at| mutated(rng, CONFIGS[at % CONFIGS.len()])).collect();
    let ours: Vec<_> = texts.iter().map(|text| strings(text)).collect();
    let cases = texts.iter().zip(&ours).map(|(text, strings)| {
        json!({"kind": "document", "text": text, "strings": strings})
    });
    let mut compared = 0;
    for ((text, ours), answer) in texts.iter().zip(&ours).zip(python.ask(cases.collect())) {
        let unmarked = text.strip_prefix('\u{feff}');
        if let Some(difference) = answer.as_str() {
            assert!(difference == "refused" && unmarked.is_some(), "Python: {difference}, of {text:?}");
            *differences.entry("Python refuses a byte order mark").or_default() += 1;
        }
        match serde_json::from_str::<Value>(unmarked.unwrap_or(text)) {
            Ok(_) => assert!(ours.is_some(), "serde_json takes {text:?}"),
            Err(error) if ours.is_some() => {
                let reason = error.to_string();
                let name = if reason.contains("surrogate") || reason.contains("unexpected end of hex escape") {
                    "serde_json refuses halves of surrogate pairs"
                } else if reason.contains("number out of range") {
                    "serde_json refuses numbers beyond a double"
                } else {
                    panic!("serde_json: {reason}, of {text:?}");
                };
                *differences.entry(name).or_default() += 1;
            }
            Err(_) => {}
        }
        compared += 2;
    }
    compared
}
