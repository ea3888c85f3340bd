//! `fernseal decrypt --textconv`: `git diff` shows which secrets changed, and nothing if none did. check.rs tests how
//! `fernseal check` reads git's index.

use crate::common::{Folder, has};

#[test]
fn git_diff_shows_secrets_that_changed_and_none_that_were_only_sealed_anew() {
    if !has("git") {
        return;
    }
    let folder = Folder::new("textconv");
    let config =
        |secret: &str, port: u32| format!("{{\n\"auth\": {{\"token_value\": \"{secret}\"}},\n\"port\": {port}\n}}\n");
    let git = |script: &str| folder.run_by(&["sh", "-c", script], &[]);
    let seal = |secret, port| {
        folder.write("c.json", &config(secret, port));
        assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json"]).code, Some(0));
    };
    seal("first", 1);
    let textconv = env!("CARGO_BIN_EXE_fernseal");
    let set_up = format!(
        "git init -q . && echo 'c.json diff=fernseal' >.gitattributes && git add . && \
         git config diff.fernseal.textconv '{textconv} decrypt --textconv'"
    );
    assert_eq!(git(&set_up).code, Some(0));
    seal("first", 2);
    let diff = git("git diff").out;
    assert!(diff.contains("-\"port\": 1\n+\"port\": 2") && !diff.contains("-\"auth\""), "{diff}");
    seal("second", 2);
    let diff = git("git diff").out;
    assert!(diff.contains("-\"auth\": {\"token_value\": \"first\"},\n"), "{diff}");
    let diff = git("env -u PROXMOX_MCP_MASTER_KEY git diff").out;
    assert!(diff.contains("+\"auth\": {\"token_value\": \"enc:"), "without a key the tokens are shown: {diff}");
}
