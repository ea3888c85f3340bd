//! include/fernseal.h is what cbindgen makes of ffi/src now. `FERNSEAL_BLESS=1 cargo test -p fernseal-ffi` writes it anew.
//! cbindgen knows no sections: their titles are put in here, before the first function or type of each.
#![allow(clippy::unwrap_used)] // a test ends where something is not as it must be

use std::path::Path;
use std::{env, fs};

/// The first line of each section, and its title.
const SECTIONS: [(&str, &str); 7] = [
    ("typedef int32_t fernseal_status;", "Types"),
    ("#define FERNSEAL_OK 0", "Status: the numbers never change"),
    ("uint32_t fernseal_version_number(void);", "The library"),
    ("fernseal_status fernseal_master_key_parse(", "Master keys"),
    ("int fernseal_token_is_sealed(", "Tokens: \"enc:...\""),
    ("fernseal_status fernseal_pbkdf2(", "PBKDF2 and bare Fernet tokens"),
    ("fernseal_status fernseal_config_open(", "Configs"),
];

fn made() -> String {
    let ffi = Path::new(env!("CARGO_MANIFEST_DIR"));
    let version = env!("CARGO_PKG_VERSION");
    let mut numbers = version.split('.');
    let mut settings = cbindgen::Config::from_file(ffi.join("cbindgen.toml")).unwrap();
    let mut fill = |text: &Option<String>| {
        let numbers: Vec<&str> = numbers.by_ref().collect();
        let filled = text.clone().unwrap().replace("@VERSION@", version);
        Some(match *numbers {
            [major, minor, patch] => {
                filled.replace("@MAJOR@", major).replace("@MINOR@", minor).replace("@PATCH@", patch)
            }
            _ => filled,
        })
    };
    settings.after_includes = fill(&settings.after_includes);
    settings.header = fill(&settings.header);
    let mut out = Vec::new();
    cbindgen::generate_with_config(ffi, settings).unwrap().write(&mut out);

    let mut lines = tidy(&String::from_utf8(out).unwrap());
    for (first, title) in SECTIONS {
        let mut at = lines.iter().position(|line| line.contains(first)).unwrap_or_else(|| panic!("no {first}"));
        // Up to the comment that belongs to it.
        while !lines[at].starts_with("/*") {
            at -= 1;
        }
        lines.insert(at, format!("/* ---- {title} ---- */\n"));
    }
    lines.join("\n") + "\n"
}

/// Comments of one line on one line, arguments beside each other, no empty lines between the numbers.
fn tidy(header: &str) -> Vec<String> {
    let mut tidy: Vec<String> = Vec::new();
    let mut lines = header.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() == "/*" {
            let text = lines.next().unwrap().trim();
            assert_eq!(lines.next().unwrap().trim(), "*/", "a comment of one line: {text}");
            tidy.push(format!("{}/* {text} */", &line[..line.len() - 2]));
        } else if line == "FERNSEAL_MUST_USE" {
            let mut words = line.to_owned();
            while !words.ends_with(';') {
                words = format!("{words} {}", lines.next().unwrap().trim());
            }
            tidy.extend(wrapped(&words));
        } else {
            let is_blank = line.is_empty();
            let after_number =
                tidy.last().is_some_and(|last| last.starts_with("#define FERNSEAL_") && !last.contains('('));
            let before_number = lines.clone().nth(3).is_some_and(|next| next.starts_with("#define FERNSEAL_"));
            let doubled = tidy.last().is_some_and(String::is_empty);
            if !(is_blank && (doubled || after_number && before_number)) {
                tidy.push(line.to_owned());
            }
        }
    }
    tidy
}

/// A declaration in lines of at most 118 characters.
fn wrapped(declaration: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in declaration.split_inclusive(", ") {
        let line = lines.last_mut().unwrap();
        if line.len() + part.trim_end().len() <= 118 {
            line.push_str(part);
        } else {
            *line = line.trim_end().to_owned();
            lines.push(format!("    {part}"));
        }
    }
    lines
}

#[test]
fn the_header_is_what_the_source_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/fernseal.h");
    let made = made();
    if env::var_os("FERNSEAL_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    for (at, (committed, made)) in committed.lines().zip(made.lines()).enumerate() {
        assert_eq!(committed, made, "line {}; FERNSEAL_BLESS=1 cargo test -p fernseal-ffi writes it anew", at + 1);
    }
    assert_eq!(committed.len(), made.len());
}
