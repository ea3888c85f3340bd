//! Compares the public API of core, as rustdoc reports it, with the recorded one in api.txt, so that no change of it is
//! accidental.
//! To record it anew: SNAPSHOTS=overwrite cargo test -p fernseal-core --test core api
//! The output of rustdoc differs between versions of Rust. If public-api cannot read this version's output, the test
//! prints SKIPPED.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::skip::skip;

/// The version of rustdoc's JSON format that public-api reads: that of Rust 1.95.
const FORMAT: u64 = 57;

#[test]
fn the_public_api_is_the_recorded_one() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/core");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let written = Command::new(env!("CARGO"))
        .args([
            "rustdoc",
            "--quiet",
            "--locked",
            "--offline",
            "-p",
            "fernseal-core",
            "--features",
            "typed,simd",
            "--target-dir",
        ])
        .arg(&target)
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .env("RUSTDOC", here.join("rustdoc.sh"))
        .status()
        .unwrap();
    assert!(written.success(), "rustdoc writes no JSON");

    let json = target.join("doc/fernseal_core.json");
    let document: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let format = document["format_version"].as_u64().unwrap();
    if format != FORMAT {
        skip(format_args!("this rustdoc's JSON has version {format}, public-api reads {FORMAT}"));
        return;
    }
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .unwrap()
        .to_string();

    let record = here.join("api.txt");
    if env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
        fs::write(&record, &api).unwrap();
    }
    let recorded = fs::read_to_string(&record).unwrap();
    let only_in = |one: &str, other: &str, sign: &str| -> Vec<String> {
        one.lines()
            .filter(|line| !other.lines().any(|known| known == *line))
            .map(|line| format!("{sign} {line}"))
            .collect()
    };
    let changes = [only_in(&recorded, &api, "-"), only_in(&api, &recorded, "+")].concat();
    assert!(
        api == recorded,
        "the public API has changed:\n{}\nif that is meant: SNAPSHOTS=overwrite cargo test -p fernseal-core --test core api",
        changes.join("\n")
    );
}
