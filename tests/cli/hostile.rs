//! Files that somebody made to hurt: huge, deep, broken, or no files at all.
//! Each gets an exit code and a message; memory stays within the file and a few MiB, time grows with the size.
#![allow(clippy::unwrap_used)] // a test ends where something is not as it must be

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use common::{Folder, Said};

/// Runs `status` on the config and looks at how it ends.
fn status(folder: &Folder, name: &str) -> Said {
    folder.run(&["status", name])
}

#[test]
fn broken_texts_are_refused_with_their_place() {
    let folder = Folder::new("broken");
    let cases: [(&str, &[u8], i32); 12] = [
        ("empty", b"", 6),
        ("nul", b"{\"a\": \"\0\"}", 6),
        ("raw line end in a string", b"{\"a\": \"\n\"}", 6),
        ("not UTF-8", b"{\"a\": \"\xff\"}", 6),
        ("UTF-16", b"\xff\xfe{\0}\0", 6),
        ("two values", b"{} {}", 6),
        ("a comment", b"{} // no", 6),
        ("NaN", b"[NaN]", 6),
        ("a lone surrogate is JSON", b"[\"\\ud800\"]", 0),
        ("a byte order mark is allowed", b"\xef\xbb\xbf{}", 0),
        ("two byte order marks are not", b"\xef\xbb\xbf\xef\xbb\xbf{}", 6),
        ("carriage returns are white space", b"{\r\n}\r\n", 0),
    ];
    for (name, bytes, code) in cases {
        fs::write(folder.path("c.json"), bytes).unwrap();
        let said = status(&folder, "c.json");
        assert_eq!(said.code, Some(code), "{name}: {said:?}");
        assert_eq!(said.err.is_empty(), code == 0, "{name}: {said:?}");
    }
    let number = format!("[{}]", "9".repeat(5_000));
    folder.write("c.json", &number);
    assert_eq!(status(&folder, "c.json").code, Some(0), "a long number is JSON");
}

#[test]
fn depth_is_refused_without_a_stack_to_overflow() {
    let folder = Folder::new("deep");
    let binary = env!("CARGO_BIN_EXE_fernseal");
    for (levels, code) in [(1_000, 0), (1_024, 0), (1_025, 6), (200_000, 6)] {
        folder.write("c.json", &format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
        let script = format!("ulimit -s 256; exec {binary} status c.json");
        let said = Said::of(folder.command(&["sh", "-c", &script], &[]).output().unwrap());
        assert_eq!(said.code, Some(code), "{levels} levels: {said:?}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    let folder = Folder::new("irregular");
    fs::create_dir(folder.path("d.json")).unwrap();
    symlink("nowhere", folder.path("dangling.json")).unwrap();
    symlink("loop.json", folder.path("loop.json")).unwrap();
    assert!(folder.command(&["sh", "-c", "mkfifo fifo.json"], &[]).status().unwrap().success());
    for name in ["d.json", "dangling.json", "loop.json", "fifo.json", "/dev/zero", "/dev/null", "missing/c.json"] {
        let start = Instant::now();
        let said = status(&folder, name);
        assert_eq!(said.code, Some(7), "{name}: {said:?}");
        assert!(said.err.contains("next: "), "{name}: {said:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{name}");
    }
}

#[test]
fn limits_are_stated_and_held() {
    let folder = Folder::new("limits");
    let file = fs::File::create(folder.path("large.json")).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    let said = status(&folder, "large.json");
    assert_eq!(said.code, Some(7));
    assert!(said.err.contains("larger than 64 MiB"), "{said:?}");
}

/// The most memory that a command took, in KiB, and how long it ran.
fn cost(folder: &Folder, name: &str) -> (i64, Duration) {
    let script = format!(
        "import os,sys\npid=os.spawnv(os.P_NOWAIT,sys.argv[1],[sys.argv[1],'status','-q','{name}'])\n\
         _,status,usage=os.wait4(pid,0)\nassert status==0,status\nprint(usage.ru_maxrss)"
    );
    let start = Instant::now();
    let said = Said::of(
        folder.command(&["python3", "-c", &script], &[]).stdout(std::process::Stdio::piped()).output().unwrap(),
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    (said.out.lines().last().unwrap().parse().unwrap(), start.elapsed())
}

#[test]
fn a_large_config_takes_the_memory_of_its_text_and_a_few_mebibytes() {
    let folder = Folder::new("memory");
    folder.write("small.json", "{}");
    let members = "\"a name of some length\": [1, 2.5e3, true, null, \"a value of some length\"],\n";
    let count = (60 << 20) / members.len();
    let mut text = String::from("{\"x\": [");
    for _ in 0..count {
        text += "{";
        text += members.trim_end_matches(",\n");
        text += "},\n";
    }
    text += "0]}";
    assert!(text.len() < 64 << 20);
    folder.write("large.json", &text);
    let (small, _) = cost(&folder, "small.json");
    let (large, _) = cost(&folder, "large.json");
    let taken = (large - small) / 1024;
    let size = i64::try_from(text.len() >> 20).unwrap();
    assert!(taken <= size + 4, "{taken} MiB for a text of {size} MiB");
}

#[test]
fn very_many_tokens_are_listed_in_time_that_grows_with_their_number() {
    let folder = Folder::new("many");
    folder.make_configs(1);
    let token = folder.read("tree/0000.json").split('"').find(|text| text.starts_with("enc:")).unwrap().to_owned();
    let make = |count: usize| format!("[{}]", vec![format!("\"{token}\""); count].join(","));
    folder.write("few.json", &make(2_000));
    folder.write("many.json", &make(100_000));
    let (_, few) = cost(&folder, "few.json");
    let (_, many) = cost(&folder, "many.json");
    // Fifty times as many; quadratic growth would take 2 500 times as long.
    assert!(many < (few * 500).max(Duration::from_secs(5)), "{few:?}, then {many:?}");
}
