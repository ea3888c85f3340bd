//! `fernseal edit`: it seals changed secrets, keeps the tokens of unchanged ones, and leaves the decrypted text
//! nowhere. The editors are shell scripts that get the path of the text in $1.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::common::{Folder, Said, has, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// The end of a message about an encrypted value: the id of the tests' key.
const UNDER: &str = "; the key's id is c4dacfde\n";

const CONFIG: &str =
    "{ \"auth\": {\"user\": \"root@pam\", \"token_value\": \"first\"},\n  \"more\": [\"second\", 1.50] }\n";

/// A folder with a sealed config, and a folder in memory for the decrypted text.
struct Desk {
    folder: Folder,
    memory: PathBuf,
}

impl Desk {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        folder.write("c.json", CONFIG);
        assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json", "--field", "/more/0"]).code, Some(0));
        let memory = PathBuf::from(format!("/dev/shm/fernseal-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&memory);
        fs::create_dir_all(&memory).unwrap();
        Self { folder, memory }
    }

    fn command(&self, editor: &str, arguments: &[&str]) -> Command {
        // nohup ignores SIGHUP, and child processes inherit that.
        let before = ["env", "--default-signal=HUP"];
        let mut command = self.folder.command(&before, &[&["edit", "c.json"][..], arguments].concat());
        command.env("EDITOR", format!("sh -c '{editor}' --")).env("XDG_RUNTIME_DIR", &self.memory);
        command
    }

    fn edit(&self, editor: &str, arguments: &[&str]) -> Said {
        let said = Said::of(self.command(editor, arguments).output().unwrap());
        assert_eq!(self.in_memory(), 0, "nothing is left in memory");
        assert!(!["first", "second"].iter().any(|secret| said.err.contains(secret)), "{said:?}");
        said
    }

    fn in_memory(&self) -> usize {
        fs::read_dir(&self.memory).unwrap().count()
    }

    fn opened(&self) -> String {
        self.folder.run(&["decrypt", "c.json"]).out
    }

    fn tokens(&self) -> Vec<String> {
        crate::common::tokens(&self.folder.read("c.json")).map(str::to_owned).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.memory).unwrap();
    }
}

#[test]
fn the_editor_sees_the_opened_config_in_a_private_file_and_no_master_key() {
    let desk = Desk::new("sees");
    let editor = "cp \"$1\" seen; stat -c %a \"$1\" \"$(dirname \"$1\")\" >modes; env >environment";
    let before = desk.folder.read("c.json");
    let said = desk.edit(editor, &[]);
    assert_eq!((said.code, &*said.err), (Some(0), "c.json: nothing was changed\n"));
    assert_eq!(desk.folder.read("c.json"), before);
    assert_eq!(desk.folder.read("seen"), CONFIG);
    assert_eq!(desk.folder.read("modes"), "600\n700\n");
    assert!(!desk.folder.read("environment").contains(crate::common::KEY));
}

#[test]
fn only_what_was_changed_is_sealed_anew() {
    let desk = Desk::new("changed");
    let before = desk.tokens();
    let said = desk.edit("sed -i s/second/third/ \"$1\"", &[]);
    assert_eq!(
        (said.code, &*said.err),
        (Some(0), &*format!("encrypted /more/0\nc.json saved; 1 value newly encrypted{UNDER}"))
    );
    assert_eq!(desk.opened(), CONFIG.replace("second", "third"));
    let after = desk.tokens();
    assert_eq!(after[0], before[0]);
    assert_ne!(after[1], before[1]);

    // A change outside the secrets keeps all tokens, byte for byte.
    assert_eq!(desk.edit("sed -i s/root@pam/admin@pve/ \"$1\"", &[]).code, Some(0));
    assert_eq!(desk.tokens(), after);
    assert!(desk.opened().contains("admin@pve"));
}

#[test]
fn a_secret_that_was_moved_or_copied_is_not_saved_in_plain_text() {
    let desk = Desk::new("moved");
    let before = desk.tokens();
    let text = r#"{"renamed": {"t": "first"}, "more": ["new one", "second", "second"], "x": "plain", "auth": {}}"#;
    desk.folder.write("new", text);
    assert_eq!(desk.edit("cp new \"$1\"", &["--field", "/x"]).code, Some(0));
    assert_eq!(desk.opened(), text);
    let saved = desk.folder.read("c.json");
    // The quotes exclude parts of tokens, which contain none.
    for secret in ["first", "second", "new one", "plain"].map(|secret| format!("\"{secret}\"")) {
        assert!(!saved.contains(&secret), "{secret}: {saved}");
    }
    let after = desk.tokens();
    assert!(after.iter().all(|token| !before.contains(token)), "{after:?}");
}

#[test]
fn what_equals_a_secret_and_was_plain_before_stays_plain_and_what_gets_a_token_is_named() {
    let desk = Desk::new("equal");
    let token = &desk.tokens()[0];
    let text = format!("{{\"token_value\": \"{token}\", \"user\": \"first\", \"note\": \"a\"}}\n");
    desk.folder.write("c.json", &text);
    let said = desk.edit("sed -i s/\\\"a\\\"/\\\"b\\\"/ \"$1\"", &[]);
    assert_eq!((said.code, &*said.err), (Some(0), "c.json saved; 0 values newly encrypted\n"));
    assert_eq!(desk.folder.read("c.json"), text.replace("\"a\"", "\"b\""));

    // A plain string is treated as a secret if it is new, or if it is named as one.
    let copied = "encrypted /note: it contains the secret that was at /token_value\n";
    let said = desk.edit("sed -i s/\\\"b\\\"/\\\"first\\\"/ \"$1\"", &[]);
    assert_eq!(said.err, format!("{copied}c.json saved; 1 value newly encrypted{UNDER}"));
    assert_eq!((&desk.tokens()[0], desk.tokens().len()), (token, 2));
    let said = desk.edit("echo >>\"$1\"", &["--field", "/user", "--json"]);
    assert!(said.out.contains("\"encrypted\":[\"/user\"]"), "{said:?}");
    assert_eq!((&desk.tokens()[0], desk.tokens().len()), (token, 3));
}

#[test]
fn secrets_that_changed_places_are_noticed_by_a_rollback() {
    let desk = Desk::new("swapped");
    let new_key = desk.memory.join("new");
    let new_key = new_key.to_str().unwrap();
    let rotated = desk.folder.run(&["rotate", "c.json", "--new-key-out", new_key]);
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let editor = "sed -i \"s/first/x/; s/second/first/; s/\\bx\\b/second/\" \"$1\"";
    let mut command = desk.command(editor, &["--key-file", new_key]);
    let said = Said::of(command.env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    for line in [
        "encrypted /auth/token_value: it contains the secret that was at /more/0\n",
        "encrypted /more/0: it contains the secret that was at /auth/token_value\n",
        "c.json saved; 2 values newly encrypted; ",
    ] {
        assert!(said.err.contains(line), "{said:?}");
    }
    let swapped = desk.folder.read("c.json");
    let back = desk.folder.run(&["rotate", "--rollback", "c.json"]);
    assert_eq!(back.code, Some(8), "{back:?}");
    assert!(back.out.contains("a secret in c.json was set or moved after"), "{back:?}");
    assert_eq!(desk.folder.read("c.json"), swapped);
}

#[test]
fn a_token_that_is_pasted_must_open() {
    let desk = Desk::new("pasted");
    let before = desk.folder.read("c.json");
    desk.folder.write("other.json", "{\"auth\": {\"token_value\": \"other\"}}");
    let other_key = "bLEDgzUxSiXMMKxMPSR4h9Gzhvbs_yFlqvsM9HsYdtU=";
    let said = desk.folder.run_under(other_key, &["encrypt", "--in-place", "other.json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let other = crate::common::tokens(&desk.folder.read("other.json")).next().unwrap().to_owned();
    for place in ["first", "root@pam"] {
        let said = desk.edit(&format!("sed -i s/{place}/{other}/ \"$1\""), &[]);
        assert_eq!(said.code, Some(4), "{said:?}");
        assert!(said.err.contains("Token decryption failed: c.json at /auth/"), "{said:?}");
        assert_eq!(desk.folder.read("c.json"), before);
    }
    // A token that opens is kept as it is.
    let own = desk.tokens()[1].clone();
    let said = desk.edit(&format!("sed -i s/root@pam/{own}/ \"$1\""), &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(desk.tokens()[0], own);
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let desk = Desk::new("twice");
    let before = desk.folder.read("c.json");
    // The copied secret becomes a token on whose path a name occurs twice.
    desk.folder.write("new", r#"{"auth": {"token_value": "first"}, "a": {"b": "second"}, "a": 1}"#);
    let said = desk.edit("cp new \"$1\"", &[]);
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(said.err.contains("occurs twice in its object: c.json at /a"), "{said:?}");
    assert_eq!(desk.folder.read("c.json"), before);
}

#[test]
fn time_grows_with_the_number_of_tokens_and_not_with_its_square() {
    let desk = Desk::new("many");
    desk.folder.write("one.json", r#"{"auth": {"token_value": "first"}}"#);
    assert_eq!(desk.folder.run(&["encrypt", "one.json", "--legacy", "-o", "legacy.json"]).code, Some(0));
    let sealed = desk.folder.read("legacy.json");
    let token = crate::common::tokens(&sealed).next().unwrap();
    let memory = desk.memory.to_str().unwrap();
    let time = |count: usize| {
        let members: Vec<String> = (0..count).map(|at| format!("\"s{at}\": \"{token}\"")).collect();
        let text = format!("{{{}}}", members.join(", "));
        desk.folder.write("c.json", &text);
        let variables = [("EDITOR", "sh -c 'echo >>\"$1\"' --"), ("XDG_RUNTIME_DIR", memory)];
        let (code, _, time) = crate::common::cost(&desk.folder, &variables, &["edit", "c.json"]);
        assert_eq!(code, 0);
        assert_eq!(desk.folder.read("c.json"), text + "\n");
        time
    };
    let (few, many) = (time(2_000), time(16_000));
    // There are eight times as many tokens; quadratic work would take 64 times as long.
    assert!(many < few * 20 + Duration::from_secs(1), "{few:?} for 2 000 tokens, {many:?} for 16 000");
}

/// Creates an editor `vim` that records its arguments, in a folder that comes first in PATH.
fn fake_vim(desk: &Desk, editor: &str) -> String {
    fs::create_dir_all(desk.folder.path("bin")).unwrap();
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >'{}'\n", desk.folder.path("arguments").display());
    for name in ["vim", "plain", "real.vim"] {
        desk.folder.write(&format!("bin/{name}"), &script);
        fs::set_permissions(desk.folder.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755)).unwrap();
    }
    if !desk.folder.path("bin/linked").exists() {
        symlink("real.vim", desk.folder.path("bin/linked")).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", desk.folder.path("bin").display());
    let mut command = desk.command("", &[]);
    let said = Said::of(command.env("EDITOR", editor).env("PATH", path).output().unwrap());
    assert_eq!(said.code, Some(0), "{editor}: {said:?}");
    desk.folder.read("arguments")
}

#[test]
fn vim_is_known_whatever_stands_around_it_and_told_to_keep_no_copy() {
    let desk = Desk::new("vim");
    let bin = desk.folder.path("bin").display().to_string();
    for editor in [
        "vim",
        " vim -f",
        "vim -c 'normal ggyG' -c q",
        "linked -f",
        "env vim",
        "exec env -u X A=b vim -f",
        "A=/b vim",
        "'vim' -f",
        "nice -n 5 linked",
        &format!("{bin}/vim -f"),
        &format!("\"{bin}/linked\" -f"),
    ] {
        assert!(fake_vim(&desk, editor).contains("-n\n-i\nNONE\n-c\nset no"), "{editor}");
    }
    for editor in ["plain", "plain vim", "env plain", "sh -c 'plain vim \"$1\"' --", "env sh -c 'exec vim \"$1\"' --"] {
        assert!(!fake_vim(&desk, editor).contains("NONE"), "{editor}");
    }
}

#[test]
fn the_real_vim_leaves_no_secret_in_the_home_folder() {
    if !has("vim") {
        return;
    }
    let desk = Desk::new("viminfo");
    for editor in ["vim --not-a-term -c 'normal ggyG' -c q", "vim -f --not-a-term -c 'normal ggyG' -c q"] {
        let mut command = desk.command("", &[]);
        command.env("EDITOR", editor).env("TERM", "dumb").env("LANG", "C.UTF-8");
        assert_eq!(command.output().unwrap().status.code(), Some(0), "{editor}");
        let home = desk.folder.files("home");
        assert!(!home.iter().any(|(_, text)| String::from_utf8_lossy(text).contains("second")), "{editor}: {home:?}");
        // A control without the command: it shows that vim would write these files.
        let plain = format!("{editor} c.json");
        assert!(desk.folder.command(&["sh", "-c", &plain], &[]).env("TERM", "dumb").output().unwrap().status.success());
        assert!(desk.folder.path("home/.viminfo").exists(), "vim keeps what was yanked");
        fs::remove_file(desk.folder.path("home/.viminfo")).unwrap();
    }
}

#[test]
fn what_cannot_be_saved_changes_nothing() {
    let desk = Desk::new("refused");
    let before = desk.folder.read("c.json");
    for (editor, code) in [
        ("exit 1", 1),
        ("echo { >\"$1\"", 6),
        ("rm \"$1\"", 7),
        ("sed -i \"s/.first./12345/\" \"$1\"", 6),
        ("sed -i \"s/first/ENC:zzz/\" \"$1\"", 6),
        ("sed -i \"s/.user./\\\"token_value\\\"/\" \"$1\"", 6),
        ("echo \" \" >>c.json; cp c.json kept; echo {} >\"$1\"", 7),
    ] {
        let said = desk.edit(editor, &[]);
        assert_eq!(said.code, Some(code), "{editor}: {said:?}");
        assert!(code == 1 || said.err.contains("next: "), "{said:?}");
        assert!(desk.folder.read("c.json").starts_with(&before), "{editor}");
    }
}

#[test]
fn nothing_is_left_when_the_command_is_killed() {
    for signal in [Signal::KILL, Signal::TERM, Signal::HUP] {
        let desk = Desk::new(&format!("killed-{}", signal.as_raw()));
        // The editor runs longer than the command: until its file is gone.
        let editor = "touch started; while [ -e \"$1\" ]; do sleep 0.1; done";
        let mut child = desk.command(editor, &[]).spawn().unwrap();
        wait_until("the editor", || desk.folder.path("started").exists());
        assert_eq!(desk.in_memory(), 1);
        kill_process(Pid::from_child(&child), signal).unwrap();
        wait_until("the end", || child.try_wait().unwrap().is_some());
        wait_until("the sweeping", || desk.in_memory() == 0);
    }
}
