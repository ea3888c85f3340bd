//! The sources of the master key: their order, commands that print it, and the file in the home directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::common::{Folder, KEY, Said, has, skip, wait_until};

const OTHER_KEY: &str = "bLEDgzUxSiXMMKxMPSR4h9Gzhvbs_yFlqvsM9HsYdtU=";
const VARIABLE: &str = "PROXMOX_MCP_MASTER_KEY";
const COMMAND: &str = "PROXMOX_MCP_MASTER_KEY_COMMAND";
const PREVIOUS_COMMAND: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS_COMMAND";

/// Creates a folder with a config sealed with [`KEY`], and with files that contain that key and another one.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(&format!("keys-{name}"));
    folder.write("c.json", r#"{"auth": {"token_value": "the secret"}}"#);
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json"]).code, Some(0));
    for (name, key) in [("key", KEY), ("other", OTHER_KEY)] {
        folder.write(name, &format!("{key}\n"));
        fs::set_permissions(folder.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

/// Returns the command `fernseal get` for the secret, with these variables and options.
fn get(folder: &Folder, variables: &[(&str, &str)], options: &[&str]) -> Command {
    let mut command = folder.command(&[], &[&["get", "c.json", "/auth/token_value"], options].concat());
    command.env_remove(VARIABLE).envs(variables.iter().copied());
    command
}

fn said(mut command: Command) -> Said {
    Said::of(command.output().unwrap())
}

fn opens(said: &Said) -> bool {
    (said.code, &*said.out) == (Some(0), "the secret\n")
}

#[test]
fn a_command_prints_the_key() {
    let folder = folder("command");
    for options in [&["--key-command", "cat key"][..], &["--key-command", "printf %s \"$(head -n 1 <key)\""]] {
        assert!(opens(&said(get(&folder, &[], options))), "{options:?}");
    }
    assert!(opens(&said(get(&folder, &[(COMMAND, "cat key")], &[]))));
    let previous = [(VARIABLE, OTHER_KEY), (PREVIOUS_COMMAND, "cat other key")];
    assert!(opens(&said(get(&folder, &previous, &[]))));
    // A key command that reads the stdin of the command.
    let mut command = get(&folder, &[], &["--key-command", "cat"]);
    assert!(opens(&Said::of(command.stdin(fs::File::open(folder.path("key")).unwrap()).output().unwrap())));
}

#[test]
fn options_outrank_variables_and_these_the_home_file() {
    let folder = folder("order");
    let home = |key: &str| {
        folder.write("home/.proxmox_mcp_key", key);
        fs::set_permissions(folder.path("home/.proxmox_mcp_key"), fs::Permissions::from_mode(0o600)).unwrap();
    };
    home(KEY);
    assert!(opens(&said(get(&folder, &[], &[]))));
    home(OTHER_KEY);
    let file_variable = "PROXMOX_MCP_MASTER_KEY_FILE";
    for (variables, options) in [
        (&[][..], &["--key-file", "key"][..]),
        (&[], &["--key-command", "cat key"]),
        (&[(VARIABLE, OTHER_KEY), (file_variable, "other")], &["--key-file", "key"]),
        // A source that is outranked is not read.
        (&[(file_variable, "missing"), (COMMAND, "touch ran; false")], &["--key-command", "cat key"]),
        (&[(COMMAND, "cat key")], &[]),
        (&[(VARIABLE, KEY), (file_variable, "key"), (COMMAND, "cat key")], &[]),
    ] {
        let said = said(get(&folder, variables, options));
        assert!(opens(&said), "{variables:?} {options:?}: {said:?}");
    }
    assert!(!folder.path("ran").exists());
    assert_eq!(said(get(&folder, &[], &["--key-file", "key", "--key-command", "cat key"])).code, Some(2));
}

#[test]
fn options_that_exclude_each_other_do_so_around_the_verb() {
    let folder = folder("around");
    for [one, other] in [["--key-file=key", "--key-command=cat key"], ["--quiet", "--verbose"]] {
        for (before, after) in [(one, other), (other, one)] {
            let said = folder.run(&[before, "status", after, "c.json"]);
            assert!(said.code == Some(2) && said.err.contains("cannot be used with"), "{said:?}");
        }
    }
}

#[test]
fn variables_that_differ_are_refused_with_both_ids() {
    let folder = folder("differ");
    let id = |key: &str| {
        let said = folder.run_under(key, &["doctor", "c.json"]);
        said.out.split("its id is ").nth(1).unwrap()[..8].to_owned()
    };
    let said = said(get(&folder, &[(VARIABLE, KEY), (COMMAND, "cat other")], &[]));
    assert_eq!(said.code, Some(5), "{said:?}");
    let (first, second) = (format!("{VARIABLE} ({})", id(KEY)), format!("{COMMAND} ({})", id(OTHER_KEY)));
    assert!(said.err.contains(&format!("two different master keys: {first} and {second}\n")), "{said:?}");
}

#[test]
fn each_failure_of_a_command_is_named() {
    let folder = folder("failures");
    for (command, what) in [
        ("exit 3", "failed (exit status: 3)"),
        ("cat key; exit 1", "failed (exit status: 1)"),
        ("no-such-command-at-all", "failed (exit status: 127)"),
        ("kill -9 $$", "failed (signal: 9 (SIGKILL))"),
        ("true", "printed nothing"),
        ("echo", "printed nothing"),
        ("printf 'a\\0b'", "printed a NUL byte"),
        ("head -c 1048576 /dev/zero | tr '\\0' a", "printed more than 4 KiB"),
        ("yes", "printed more than 4 KiB"),
        ("head -c 4097 /dev/zero | tr '\\0' a; exec sleep 1000", "printed more than 4 KiB"),
    ] {
        for (variables, options, name) in
            [(&[][..], &["--key-command", command][..], "--key-command"), (&[(COMMAND, command)], &[], COMMAND)]
        {
            let said = said(get(&folder, variables, options));
            assert_eq!((said.code, &*said.out), (Some(5), ""), "{command}: {said:?}");
            assert!(said.err.contains(&format!("error: the key command ({name}) {what}\n  next: ")), "{said:?}");
        }
    }
    let said = said(get(&folder, &[(COMMAND, "echo not a key")], &[]));
    assert_eq!(said.code, Some(5));
    assert!(said.err.contains(&format!("Invalid master key from {COMMAND}: ")), "{said:?}");
}

#[test]
fn a_command_that_hangs_ends_with_an_interrupt() {
    let folder = folder("hangs");
    // The terminal sends a signal to the whole process group; `kill` sends it to the command alone.
    for to_group in [true, false] {
        // A shell that gets the signal while it starts a program ends without the program, so for the group it becomes
        // one.
        let hanging = if to_group { "touch started; exec sleep 1000" } else { "touch started; sleep 1000; echo" };
        let mut command = get(&folder, &[], &["--key-command", hanging]);
        let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("the command", || folder.path("started").exists());
        let pid = Pid::from_child(&child);
        if to_group { kill_process_group(pid, Signal::INT) } else { kill_process(pid, Signal::INT) }.unwrap();
        let said = if to_group {
            Said::of(child.wait_with_output().unwrap())
        } else {
            // A program that the shell started keeps stderr open and is not ended.
            let mut child = child;
            let code = child.wait().unwrap().code();
            let mut err = vec![0; 200];
            let len = std::io::Read::read(child.stderr.as_mut().unwrap(), &mut err).unwrap();
            kill_process_group(pid, Signal::KILL).unwrap();
            Said { code, out: String::new(), err: String::from_utf8_lossy(&err[..len]).into_owned() }
        };
        assert_eq!(said.code, Some(5), "{said:?}");
        assert!(said.err.contains("the key command (--key-command) was interrupted"), "{said:?}");
        fs::remove_file(folder.path("started")).unwrap();
    }
}

#[test]
fn an_interrupt_after_a_key_command_ends_the_command() {
    let folder = folder("after");
    // Nobody reads the output, which is larger than a pipe's buffer.
    let text = folder.read("c.json").replacen('{', &format!("{{\"note\": \"{}\", ", "x".repeat(1 << 20)), 1);
    folder.write("c.json", &text);
    let mut command =
        folder.command(&["env", "--default-signal=INT"], &["decrypt", "c.json", "--key-command", "cat key"]);
    let mut child = command.env_remove(VARIABLE).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn a_command_is_killed_with_us() {
    let folder = folder("killed");
    let mut child = get(&folder, &[], &["--key-command", "echo $$ >pid; exec sleep 1000"]).spawn().unwrap();
    let pid = || fs::read_to_string(folder.path("pid")).ok().filter(|text| text.ends_with('\n'));
    wait_until("the command", || pid().is_some());
    let process = format!("/proc/{}/stat", pid().unwrap().trim());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("its end", || {
        fs::read_to_string(&process).is_ok_and(|stat| stat.contains(") Z ")) || !fs::exists(&process).unwrap()
    });
}

#[test]
fn a_command_gets_no_key_and_its_key_goes_into_no_arguments() {
    let folder = folder("scrubbed");
    let variables = [
        (COMMAND, "env >environment; cat key"),
        (VARIABLE, KEY),
        ("PROXMOX_MCP_MASTER_KEY_FILE", "key"),
        ("PROXMOX_MCP_MASTER_KEY_PREVIOUS", OTHER_KEY),
        ("PROXMOX_MCP_MASTER_KEY_PREVIOUS_FILE", "other"),
        (PREVIOUS_COMMAND, "cat other"),
        ("KEPT", "kept"),
    ];
    assert!(opens(&said(get(&folder, &variables, &[]))));
    let environment = folder.read("environment");
    assert!(environment.contains("KEPT=kept") && !environment.contains("MASTER_KEY"), "{environment}");
    if !has("strace") {
        return;
    }
    let strace = ["strace", "-f", "-qq", "-v", "-s", "9999", "-e", "trace=execve", "-o", "log"];
    let arguments = ["run", "c.json", "--key-command", "cat key", "--config-env", "C", "--", "sh", "-c", "cat \"$C\""];
    let mut command = folder.command(&strace, &arguments);
    let ran = Said::of(command.env_remove(VARIABLE).output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let log = folder.read("log");
    assert!(log.matches("execve").count() >= 5 && !log.contains(KEY) && !log.contains("the secret"), "{log}");
}

#[test]
fn the_home_file_is_refused_unless_it_is_private() {
    let folder = folder("home");
    let path = folder.path("home/.proxmox_mcp_key");
    let refused = |what: &str| {
        let said = said(get(&folder, &[], &[]));
        assert_eq!(said.code, Some(5), "{said:?}");
        assert!(said.err.contains(what), "{said:?}");
        // If another source provides the key, the file in the home directory does not matter.
        assert!(opens(&self::said(get(&folder, &[(VARIABLE, KEY)], &[]))));
    };
    refused("no master key");
    fs::copy(folder.path("key"), &path).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o644, 0o610] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        refused(&format!("is not used: others can use it (mode {mode:03o})\n  next: chmod 600 "));
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(opens(&said(get(&folder, &[], &[]))));
    }
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(1000), None).unwrap();
        refused("is not used: it belongs to another user");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("is not used: it is not a regular file");
    fs::remove_dir(&path).unwrap();
    symlink("../key", &path).unwrap();
    assert!(opens(&said(get(&folder, &[], &[]))));
    fs::remove_file(&path).unwrap();
    symlink("nowhere", &path).unwrap();
    refused("is not used: No such file");
}

#[test]
fn no_file_beside_a_config_names_a_command() {
    let folder = folder("beside");
    for (name, text) in [
        (".env", format!("{COMMAND}='touch ran; cat key'\n")),
        (".fernseal", "key-command = \"touch ran; cat key\"\n".to_owned()),
    ] {
        folder.write(name, &text);
    }
    assert_eq!(said(get(&folder, &[], &[])).code, Some(5));
    folder.write(".fernseal.toml", "key_command = \"touch ran; cat key\"\n");
    let _ = folder.run(&["check", "c.json"]);
    assert_eq!(said(get(&folder, &[], &[])).code, Some(5));
    assert!(!folder.path("ran").exists());
}

#[test]
fn systemd_creds_prints_the_key() {
    if !has("systemd-creds") {
        return;
    }
    let folder = folder("systemd-creds");
    // The test uses its own secret instead of the machine's.
    let secret = folder.path("machine-secret");
    let mut command = folder.command(&["sh", "-c", "systemd-creds encrypt --with-key=host --name=k key key.cred"], &[]);
    let made = command.env("SYSTEMD_CREDENTIAL_SECRET", &secret).output().unwrap();
    if !made.status.success() {
        skip(format_args!("systemd-creds encrypts nothing here: {}", String::from_utf8_lossy(&made.stderr)));
        return;
    }
    let mut command = get(&folder, &[], &["--key-command", "systemd-creds decrypt --name=k key.cred -"]);
    let said = Said::of(command.env("SYSTEMD_CREDENTIAL_SECRET", &secret).output().unwrap());
    assert!(opens(&said), "{said:?}");
}

#[test]
fn keygen_says_how_the_new_key_is_found() {
    let folder = folder("found");
    let keygen = |path: &str, variables: &[(&str, &str)]| {
        let mut command = folder.command(&[], &["keygen", "-o", path]);
        command.env_remove(VARIABLE).envs(variables.iter().copied());
        let said = said(command);
        assert_eq!(said.code, Some(0), "{said:?}");
        said.err
    };
    let err = keygen("home/.proxmox_mcp_key", &[]);
    assert!(err.contains(". Every command reads it from there.\n") && !err.contains("export"), "{err}");
    // A variable outranks the file, and another file is read only if it is named.
    fs::remove_file(folder.path("home/.proxmox_mcp_key")).unwrap();
    let err = keygen("home/.proxmox_mcp_key", &[(VARIABLE, KEY)]);
    assert!(err.contains(". To use it:\n  export PROXMOX_MCP_MASTER_KEY="), "{err}");
    let err = keygen("new", &[]);
    assert!(err.contains(". To use it:\n  export PROXMOX_MCP_MASTER_KEY=\"$(cat new)\"\n"), "{err}");
}
