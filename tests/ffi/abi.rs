//! Compares the ABI with the recorded one in abi.txt: every declaration of the header, which are the functions, the fields of
//! the structs, and the numbers of statuses. SNAPSHOTS=overwrite records what is now; before, read the promise in the header.

use std::path::Path;
use std::{env, fs};

/// Returns the header's declarations, without comments and without what only texts and macros say.
fn declarations(header: &str) -> String {
    let (mut out, mut rest) = (String::new(), header);
    while let Some((code, comment)) = rest.split_once("/*") {
        out += code;
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    out += rest;
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = out.lines().map(words).filter(|line| {
        !line.is_empty()
            && (!line.starts_with('#') || line.starts_with("#define FERNSEAL_") && !line.contains("VERSION"))
    });
    lines.map(|line| line + "\n").collect()
}

#[test]
fn the_abi_is_the_recorded_one() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (header, record) = (here.join("include/fernseal.h"), here.join("tests/ffi/abi.txt"));
    let now = declarations(&fs::read_to_string(header).unwrap());
    if env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
        fs::write(record, now).unwrap();
        return;
    }
    let recorded = fs::read_to_string(record).unwrap();
    let lost: Vec<&str> = recorded.lines().filter(|line| !now.lines().any(|other| other == *line)).collect();
    assert!(lost.is_empty(), "changed or removed, which needs a new SONAME:\n{}", lost.join("\n"));
    assert!(now == recorded, "additions to the ABI: record them with SNAPSHOTS=overwrite");
}
