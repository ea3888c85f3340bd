//! Runs programs in C, C++, Python, Node and Go against the installed library, by tests/c/run.sh. The script checks
//! everything, so there is only one test here; it prints the script's output if it fails.

use std::path::Path;
use std::process::Command;

use crate::skip::skip;

#[test]
fn programs_in_other_languages_build_and_run_against_the_installed_library() {
    if cfg!(not(target_os = "linux")) {
        skip("ffi/install.sh is for GNU/Linux");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/c/run.sh");
    let output = Command::new(script).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said.lines().filter_map(|line| line.strip_prefix("SKIPPED: ")).for_each(skip);
}
