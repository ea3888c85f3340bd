//! `fernseal run`: the program gets the secrets that were asked for, in the way that was asked for, and no master key.

use std::process::Stdio;

use crate::common::{Folder, KEY, Said};

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("c.json", "{\"auth\": {\"token_value\": \"the secret\", \"user\": \"root@pam\"}, \"port\": 8006}\n");
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json"]).code, Some(0));
    folder
}

#[test]
fn secrets_arrive_in_variables_and_in_files_and_the_master_key_does_not() {
    let folder = folder("run");
    let script = "echo \"$TOKEN|$PORT|$(cat \"$FILE\")|${PROXMOX_MCP_MASTER_KEY-none}\"; cat \"$PROXMOX_MCP_CONFIG\"";
    let arguments = ["run", "c.json", "--env", "TOKEN=/auth/token_value", "--env", "PORT=port"];
    let more = ["--file", "FILE=auth.token_value", "--config-env", "PROXMOX_MCP_CONFIG", "--", "sh", "-c", script];
    let said = folder.run(&[&arguments[..], &more].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    let config = "{\"auth\": {\"token_value\": \"the secret\", \"user\": \"root@pam\"}, \"port\": 8006}";
    assert_eq!(said.out, format!("the secret|8006|the secret|none\n{config}\n"));

    let said = folder.run(&["run", "c.json", "--keep-key", "--", "sh", "-c", "echo $PROXMOX_MCP_MASTER_KEY"]);
    assert_eq!(said.out, format!("{KEY}\n"));
}

#[test]
fn the_programs_exit_code_process_and_input_are_its_own() {
    let folder = folder("exec");
    assert_eq!(folder.run(&["run", "c.json", "--", "sh", "-c", "exit 42"]).code, Some(42));
    let child = folder
        .command(&[], &["run", "c.json", "--", "sh", "-c", "echo $$; cat /proc/self/environ"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!(said.out.lines().next(), Some(&*pid.to_string()), "the same process");
    assert!(!said.out.contains(KEY));
}

#[test]
fn nothing_is_started_when_something_is_wrong() {
    let folder = folder("wrong");
    let touch = ["--", "touch", "started"];
    for (wish, code) in [("X=/nothing", 6), ("X=/auth", 6), ("no pointer", 2), ("=/auth/user", 2)] {
        let said = folder.run(&[&["run", "c.json", "--env", wish][..], &touch].concat());
        assert_eq!(said.code, Some(code), "{wish}: {said:?}");
    }
    let wrong = folder
        .command(&[], &[&["run", "c.json", "--env", "X=auth.token_value"][..], &touch].concat())
        .env("PROXMOX_MCP_MASTER_KEY", "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(4));
    assert!(!folder.path("started").exists());
    assert_eq!(folder.run(&["run", "c.json", "--", "no-such-program"]).code, Some(7));
}

#[test]
fn a_program_reads_the_config_from_a_descriptor_that_it_is_given() {
    let folder = folder("fd");
    let said = folder.run(&["run", "c.json", "--config-fd", "FD", "--", "sh", "-c", "cat <&$FD"]);
    let config = "{\"auth\": {\"token_value\": \"the secret\", \"user\": \"root@pam\"}, \"port\": 8006}\n";
    assert_eq!((said.code, &*said.out), (Some(0), config), "{said:?}");
}

#[test]
fn placeholders_are_filled_in_when_asked_and_secrets_and_the_master_key_never() {
    let folder = folder("expand");
    let secret = "the ${HOST} secret";
    folder.write(
        "e.json",
        &format!("{{\"auth\": {{\"token_value\": \"{secret}\"}}, \"url\": \"https://${{HOST}}:${{PORT:-8006}}\"}}"),
    );
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "e.json"]).code, Some(0));
    let script = "cat $C; echo \"|$U\"";
    let run = |more: &[&str], host: Option<&str>| {
        let arguments =
            [&["run", "e.json", "--config-env", "C", "--env", "U=/url"][..], more, &["--", "sh", "-c", script]];
        Said::of(folder.command(&[], &arguments.concat()).envs(host.map(|host| ("HOST", host))).output().unwrap())
    };
    let filled = format!(
        "{{\"auth\": {{\"token_value\": \"{secret}\"}}, \"url\": \"https://p\\\"ve:8006\"}}|https://p\"ve:8006\n"
    );
    assert_eq!(run(&["--expand"], Some("p\"ve")).out, filled);
    assert!(run(&[], Some("pve")).out.contains("https://${HOST}:${PORT:-8006}"));
    let said = run(&["--expand"], None);
    assert_eq!((said.code, &*said.out), (Some(1), ""));
    assert!(said.err.contains("variable HOST is not set"), "{said:?}");

    folder.write("k.json", "{\"x\": \"${PROXMOX_MCP_MASTER_KEY}\"}");
    let said = folder.run(&["run", "k.json", "--expand", "--env", "X=/x", "--", "env"]);
    assert_eq!(said.code, Some(1));
    assert!(!said.out.contains(KEY) && !said.err.contains(KEY), "{said:?}");
}
