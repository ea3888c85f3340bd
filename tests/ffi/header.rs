//! Checks that the committed header is the one that cbindgen generates now, and that its version is that of the
//! library. To write it, run FERNSEAL_WRITE_HEADER=1 cargo test -p fernseal-ffi --test ffi cbindgen.
//!
//! The test adds the section comments of the source to cbindgen's output, and removes paragraphs that are for Rust
//! callers only.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn ffi() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header() -> PathBuf {
    ffi().join("../include/fernseal.h")
}

fn made() -> String {
    let builder =
        cbindgen::Builder::new().with_config(cbindgen::Config::from_file(ffi().join("cbindgen.toml")).unwrap());
    let src = ffi().join("src");
    let mut bytes = Vec::new();
    builder.with_src(src.join("lib.rs")).generate().unwrap().write(&mut bytes);
    let sources = ["status.rs", "lib.rs", "panic.rs"].map(|name| fs::read_to_string(src.join(name)).unwrap());
    finish(&String::from_utf8(bytes).unwrap(), sections(&sources.concat()))
}

/// Returns the section comments of the source, each with the name of the item that follows it.
fn sections(source: &str) -> Vec<(&str, &str)> {
    let name = |line: &str| {
        let kind = ["fn ", "type ", "const "].into_iter().find(|kind| line.contains(kind))?;
        Some(line.contains("fernseal") || line.contains("FERNSEAL")).filter(|named| *named)?;
        let at = line.find(kind)? + kind.len();
        Some((at, line[at..].find(|char| !is_name(char))? + at))
    };
    let heads = source.match_indices("/* ---- ").map(|(at, _)| &source[at..]);
    heads
        .map(|rest| {
            let item = rest.lines().skip(1).find_map(|line| name(line).map(|(start, end)| &line[start..end]));
            (rest.lines().next().unwrap(), item.unwrap())
        })
        .collect()
}

fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// Rewrites cbindgen's output, comment by comment.
fn finish(text: &str, mut sections: Vec<(&str, &str)>) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "/**" {
            if !(line.is_empty() && out.ends_with("\n\n")) {
                // C90 has no such comments.
                match line.split_once(" // ") {
                    Some((code, comment)) => out += &format!("{} /* {comment} */\n", code.trim_end()),
                    None => out += &format!("{line}\n"),
                }
            }
            continue;
        }
        let indent = &line[..line.find('/').unwrap()];
        let comment: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "*/").collect();
        let said = comment.iter().map(|line| line.trim().trim_start_matches('*').trim());
        let said: Vec<&str> = said.take_while(|line| *line != "# Safety").collect();
        let said = said.join("\n").trim_end().replace('`', "").replace('\n', &format!("\n{indent} *  "));
        let comment = format!("{indent}/** {said} */\n");

        let follows = lines.clone().next().unwrap_or_default();
        let item = if follows.starts_with("FERNSEAL_API") || follows.contains('(') && !follows.contains("typedef") {
            let mut ended = false;
            let ends = |line: &&str| !std::mem::replace(&mut ended, line.ends_with(';'));
            wrapped(&lines.by_ref().take_while(ends).collect::<Vec<_>>().join(" "))
        } else {
            format!("{}\n", lines.next().unwrap())
        };
        let names: Vec<&str> = item.split(|char| !is_name(char)).collect();
        if let Some(at) = sections.iter().position(|(_, name)| names.contains(name)) {
            out += &format!("{}\n\n", sections.remove(at).0);
        }
        out += &comment;
        out += &item;
    }
    out
}

/// Wraps a declaration into as few lines as possible.
fn wrapped(declaration: &str) -> String {
    let mut lines = vec![String::new()];
    for word in declaration.replace(", ", ",\0").split_inclusive(['\0', '(']) {
        let word: String = word.split_whitespace().collect::<Vec<_>>().join(" ").replace('\0', " ");
        if lines.last().unwrap().len() + word.trim_end().len() > 120 {
            lines.push("    ".to_owned());
        }
        *lines.last_mut().unwrap() += &word;
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect::<String>() + "\n"
}

#[test]
fn the_header_is_what_cbindgen_makes_of_the_source() {
    let made = made();
    if env::var_os("FERNSEAL_WRITE_HEADER").is_some() {
        fs::write(header(), made).unwrap();
        return;
    }
    let committed = fs::read_to_string(header()).unwrap();
    assert!(made == committed, "include/fernseal.h is out of date: run with FERNSEAL_WRITE_HEADER=1, and commit it");
}

#[test]
fn every_version_macro_is_the_packages_version() {
    let header = fs::read_to_string(header()).unwrap();
    let macro_of = |name: &str| {
        let start = format!("#define FERNSEAL_VERSION_{name} ");
        let mut values = header.lines().filter_map(|line| line.strip_prefix(&start));
        let value = values.next().unwrap_or_else(|| panic!("no {start}"));
        assert_eq!(values.next(), None, "{start} twice");
        value
    };
    assert_eq!(macro_of("MAJOR"), env!("CARGO_PKG_VERSION_MAJOR"));
    assert_eq!(macro_of("MINOR"), env!("CARGO_PKG_VERSION_MINOR"));
    assert_eq!(macro_of("PATCH"), env!("CARGO_PKG_VERSION_PATCH"));
    assert_eq!(macro_of("STRING"), format!("\"{}\"", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_exported_function_stands_in_the_header_and_no_other() {
    let source = fs::read_to_string(ffi().join("src/lib.rs")).unwrap();
    let after = |text: &str| text.split_once("extern \"C\" fn ").unwrap().1.split_once('(').unwrap().0.to_owned();
    let mut exported: Vec<String> = source.split("#[unsafe(no_mangle)]").skip(1).map(after).collect();
    exported.push("fernseal_panic".to_owned()); // the firmware defines this function
    let header = fs::read_to_string(header()).unwrap();
    let declared = header.lines().filter(|line| !line.starts_with([' ', '/', '#']) && !line.starts_with("typedef"));
    let mut declared: Vec<String> = declared
        .filter_map(|line| line.split_once('('))
        .map(|(head, _)| head[head.rfind(|char| !is_name(char)).unwrap() + 1..].to_owned())
        .collect();
    exported.sort();
    declared.sort();
    assert_eq!(declared, exported);
}
