//! `fernseal run`: the program gets the requested secrets in the requested way, and never the master key.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Folder, KEY, Said, has, skip, wait_until};

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
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "--placeholders", "e.json"]).code, Some(0));
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

#[test]
fn exit_codes_of_programs_that_do_not_start_are_those_of_env() {
    let folder = folder("not-started");
    folder.write("not-executable", "");
    folder.write("no-interpreter", "#!/no/such/interpreter\n");
    fs::set_permissions(folder.path("no-interpreter"), fs::Permissions::from_mode(0o755)).unwrap();
    for (program, code, what) in [
        ("no-such-program", 127, "it is not in any directory of PATH"),
        ("./no-such-program", 127, "it was not found"),
        ("./no-interpreter", 127, "its interpreter or loader was not found"),
        ("./not-executable", 126, "Permission denied"),
        ("/", 126, "Permission denied"),
    ] {
        let memory = Memory::new("not-started");
        let mut command = folder.command(&[], &["run", "c.json", "--config-env", "C", "--", program]);
        let said = Said::of(command.env("XDG_RUNTIME_DIR", &memory.0).output().unwrap());
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.err.contains(&format!("error: {program} cannot be started: {what}")), "{said:?}");
        let env = Command::new("env").arg(program).current_dir(&folder.0).stderr(Stdio::null()).status().unwrap();
        assert_eq!(env.code(), Some(code), "{program}");
        assert_eq!(memory.folders().len(), 0, "{program}");
    }
}

#[test]
fn each_member_of_an_object_becomes_a_variable() {
    let folder = Folder::new("env-all");
    folder.write("c.json", r#"{"env": {"A": "first", "B_1": 5, "_c": "x\"y"}, "auth": {"token_value": "t"}}"#);
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json", "--field", "/env/A"]).code, Some(0));
    for pointer in ["/env", "env"] {
        let script = "echo \"$A|$B_1|$_c|$token_value\"";
        let said = folder.run(&["run", "c.json", "--env-all", pointer, "--env-all=auth", "--", "sh", "-c", script]);
        assert_eq!((said.code, &*said.out), (Some(0), "first|5|x\"y|t\n"), "{said:?}");
    }
    let top = r#"{"A": "one", "b": null}"#;
    folder.write("top.json", top);
    let said = folder.run(&["run", "top.json", "--env-all", "", "--", "sh", "-c", "echo $A"]);
    assert_eq!((said.code, &*said.out), (Some(0), "one\n"), "{said:?}");
}

#[test]
fn members_that_are_no_variables_are_refused() {
    let folder = Folder::new("env-all-refused");
    for (object, what) in [
        (r#"{"a b": 1}"#, "the member /env/a b is not a valid variable name"),
        (r#"{"1a": 1}"#, "the member /env/1a is not a valid variable name"),
        (r#"{"": 1}"#, "the member /env/ is not a valid variable name"),
        (r#"{"a-b": 1}"#, "the member /env/a-b is not a valid variable name"),
        (r#"{"a=b": 1}"#, "the member /env/a=b is not a valid variable name"),
        (r#"{"a": [1]}"#, "/env/a is an object or array, and a variable needs a single value"),
        (r#"{"a": {"b": 1}}"#, "/env/a is an object or array, and a variable needs a single value"),
        (r#"{"a": {"b": {"c": 1}}}"#, "/env/a is an object or array, and a variable needs a single value"),
        (r#"["a"]"#, "the value at /env is not an object"),
        (r#""a""#, "the value at /env is not an object"),
    ] {
        folder.write("c.json", &format!("{{\"env\": {object}}}"));
        let said = folder.run(&["run", "c.json", "--env-all", "/env", "--", "touch", "started"]);
        assert_eq!((said.code, folder.path("started").exists()), (Some(6), false), "{object}: {said:?}");
        assert!(said.err.contains(what), "{object}: {said:?}");
    }
    folder.write("c.json", r#"{"env": {"A": "1"}}"#);
    for more in ["--env=A=/env/A", "--file=A=/env/A", "--config-env=A", "--config-fd=A"] {
        let said = folder.run(&["run", "c.json", "--env-all", "/env", more, "--", "touch", "started"]);
        assert_eq!((said.code, folder.path("started").exists()), (Some(2), false), "{more}: {said:?}");
        assert!(said.err.contains("the variable A would be set twice"), "{said:?}");
    }
}

#[test]
fn a_program_that_gets_nothing_is_warned_about() {
    let folder = folder("nothing");
    let said = folder.run(&["run", "c.json", "--", "echo", "started"]);
    assert_eq!((said.code, &*said.out), (Some(0), "started\n"));
    assert!(said.err.starts_with("warning: echo gets no secret from c.json: "), "{said:?}");
}

/// A folder in memory that belongs to one test.
struct Memory(PathBuf);

impl Memory {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/fernseal-test-{}-run-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn folders(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn files_are_private_real_and_named_as_what_they_hold() {
    let folder = folder("real");
    let memory = Memory::new("real");
    let script = "stat -c '%F %a' \"$C\" \"$T\" \"$U\" \"$(dirname \"$C\")\"; basename \"$C\" \"$T\"; \
                  realpath \"$C\" | grep -c fernseal-test; sh -c 'cat \"$T\"'; echo; basename \"$U\"";
    let options = ["--config-env", "C", "--file", "T=/auth/token_value", "--file", "U=auth.token_value"];
    let arguments = [&["run", "c.json"], &options[..], &["--", "sh", "-c", script]].concat();
    let said = Said::of(folder.command(&[], &arguments).env("XDG_RUNTIME_DIR", &memory.0).output().unwrap());
    let file = "regular file 600\n";
    let expected = format!("{file}{file}{file}directory 700\nc.json\n1\nthe secret\ntoken_value-2\n");
    assert_eq!(said.out, expected, "{said:?}");
    wait_until("the sweeping", || memory.folders().is_empty());
}

/// Returns the sweepers of a folder in memory: the processes that remove its files.
fn sweepers(memory: &Path) -> Vec<Pid> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_sweeper = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.starts_with("fernseal\0sweep\0--stay") && line.contains(memory.to_str().unwrap())
    };
    processes.filter(is_sweeper).filter_map(Pid::from_raw).collect()
}

#[test]
fn files_are_gone_when_the_program_has_ended_however_it_ends() {
    let folder = folder("gone");
    let memory = Memory::new("gone");
    let start = || {
        // The tests may run with ignored signals (under nohup), which the program would inherit.
        let mut command = folder.command(
            &["env", "--default-signal"],
            &["run", "c.json", "--config-env", "C", "--", "sh", "-c", "echo started; exec sleep 1000"],
        );
        let mut child = command.env("XDG_RUNTIME_DIR", &memory.0).stdout(Stdio::piped()).spawn().unwrap();
        let mut started = [0; 8];
        child.stdout.as_mut().unwrap().read_exact(&mut started).unwrap();
        child
    };
    for signal in [Signal::KILL, Signal::TERM, Signal::HUP, Signal::INT] {
        let mut child = start();
        assert_eq!(memory.folders().len(), 1);
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        wait_until("the sweeping", || memory.folders().is_empty());
    }

    // If the sweeper is killed too, the next run removes the leftovers. Files in use stay.
    let (mut killed, mut alive) = (start(), start());
    wait_until("the start of both sweepers", || sweepers(&memory.0).len() == 2);
    for sweeper in sweepers(&memory.0) {
        kill_process(sweeper, Signal::KILL).unwrap();
    }
    wait_until("the end of the sweepers", || sweepers(&memory.0).is_empty());
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(memory.folders().len(), 2);
    let mut next = start();
    assert_eq!(memory.folders().len(), 2, "that of the living, and a new one");
    let pid = format!("fernseal-memory-{}-", alive.id());
    assert!(memory.folders().iter().any(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&pid)));
    for child in [&mut alive, &mut next] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut last = start();
    last.kill().unwrap();
    last.wait().unwrap();
    wait_until("the sweeping", || memory.folders().is_empty());
}

#[test]
fn a_program_that_waits_for_all_its_children_ends() {
    let folder = folder("no-child");
    let script = "import os\nwhile True:\n  try: os.wait()\n  except ChildProcessError: break\nprint('no child')";
    if has("python3") {
        let said = folder.run(&["run", "c.json", "--config-env", "C", "--", "python3", "-c", script]);
        assert_eq!((said.code, &*said.out), (Some(0), "no child\n"), "{said:?}");
    }
}

#[test]
fn without_a_memory_file_system_files_are_descriptors() {
    let folder = folder("descriptors");
    let script = "stat -Lc '%a' \"$C\"; echo \"$C\" | sed \"s/$$/PID/\"; sh -c 'cat \"$C\"'";
    let before = ["unshare", "-rm", "sh", "-c", "mount --bind /usr /dev/shm && exec \"$0\" \"$@\""];
    if !folder.command(&before, &[]).arg("--version").output().unwrap().status.success() {
        skip("mount namespaces are not allowed here");
        return;
    }
    let arguments = ["run", "c.json", "-v", "--config-env", "C", "--", "sh", "-c", script];
    let said = folder.run_by(&before, &arguments);
    assert!(said.out.starts_with("600\n/proc/PID/fd/"), "{said:?}");
    assert!(said.out.ends_with("\"port\": 8006}\n"), "{said:?}");
}

/// Writes a config with one secret at /secret, as `name`.
fn config_with(folder: &Folder, name: &str, secret: &str) {
    folder.write(name, &format!("{{\"secret\": {}}}\n", serde_json::to_string(secret).unwrap()));
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", name, "--field", "/secret"]).code, Some(0));
}

#[test]
fn ssh_takes_a_key_from_a_file() {
    if !has("ssh-keygen") {
        return;
    }
    let folder = Folder::new("ssh");
    for name in ["user", "host"] {
        let script = format!("ssh-keygen -q -t ed25519 -N '' -f {name}");
        assert_eq!(folder.run_by(&["sh", "-c", &script], &[]).code, Some(0));
    }
    config_with(&folder, "c.json", &folder.read("user"));
    let public = folder.read("user.pub");
    let public: Vec<&str> = public.split(' ').take(2).collect();
    let said = folder.run(&["run", "c.json", "--file", "K=/secret", "--", "sh", "-c", "ssh-keygen -y -f \"$K\""]);
    assert!(said.out.starts_with(&public.join(" ")), "{said:?}");

    if !has("sshd") {
        return;
    }
    fs::create_dir_all("/run/sshd").unwrap();
    let here = folder.0.display();
    folder.write(
        "sshd_config",
        &format!("HostKey {here}/host\nAuthorizedKeysFile {here}/user.pub\nStrictModes no\nUsePAM no\nPidFile none\n"),
    );
    // sshd uses its stdin and stdout, so no port is needed.
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let ssh = format!(
        "ssh -F none -o ProxyCommand='/usr/sbin/sshd -i -f {here}/sshd_config' -o StrictHostKeyChecking=no \
         -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o IdentitiesOnly=yes -i \"$K\" {}@test echo logged in",
        user.trim()
    );
    let said = folder.run(&["run", "c.json", "--file", "K=/secret", "--", "sh", "-c", &ssh]);
    assert_eq!((said.code, &*said.out), (Some(0), "logged in\n"), "{said:?}");
}

#[test]
fn libpq_takes_a_password_from_a_file() {
    if !has("psql") {
        return;
    }
    let folder = Folder::new("libpq");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    config_with(&folder, "c.json", &format!("127.0.0.1:{port}:db:user:the password\n"));
    // A server that asks for the password in plain text and then closes the connection.
    let answer = thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let mut message = |kind: usize| {
            let mut head = [0; 5];
            client.read_exact(&mut head[..kind + 4]).unwrap();
            let len = u32::from_be_bytes(head[kind..kind + 4].try_into().unwrap()) as usize;
            let mut body = vec![0; len - 4];
            client.read_exact(&mut body).unwrap();
            if kind == 0 {
                client.write_all(b"R\0\0\0\x08\0\0\0\x03").unwrap();
            }
            body
        };
        message(0);
        message(1)
    });
    let psql = format!(
        "PGPASSFILE=$F psql 'host=127.0.0.1 port={port} dbname=db user=user sslmode=disable gssencmode=disable' -w"
    );
    let said = folder.run(&["run", "c.json", "--file", "F=/secret", "--", "sh", "-c", &psql]);
    assert!(!said.err.contains("WARNING"), "{said:?}");
    assert_eq!(answer.join().unwrap(), b"the password\0", "{said:?}");
}

#[test]
fn mariadb_takes_its_options_from_a_file() {
    if !has("mariadb") {
        return;
    }
    let folder = Folder::new("mariadb");
    config_with(&folder, "c.json", "[client]\npassword=the-password\nuser=me\n");
    let script = "mariadb --defaults-file=\"$F\" --print-defaults";
    let said = folder.run(&["run", "c.json", "--file", "F=/secret", "--", "sh", "-c", script]);
    assert!(said.out.contains("--user=me") && !said.err.contains("ignored"), "{said:?}");
}

#[test]
fn npm_and_npx_hand_a_file_on_to_what_they_start() {
    if !has("npm") || !has("npx") {
        return;
    }
    let folder = folder("npm");
    let read = "node -e 'console.log(require(require(\"path\").resolve(process.env.C)).auth.token_value)'";
    folder.write("package.json", &serde_json::json!({"name": "x", "scripts": {"start": read}}).to_string());
    for program in [&["npm", "start", "--silent"][..], &["npx", "--offline", "-c", read]] {
        let arguments = [&["run", "c.json", "--config-env", "C", "--"], program].concat();
        let said =
            Said::of(folder.command(&[], &arguments).env("npm_config_update_notifier", "false").output().unwrap());
        assert_eq!((said.code, &*said.out), (Some(0), "the secret\n"), "{said:?}");
    }
}

#[test]
fn pythons_processes_and_paths_open_a_file() {
    if !has("python3") {
        return;
    }
    let folder = folder("python");
    folder.write(
        "server.py",
        "import json, multiprocessing, os, pathlib, subprocess, sys\n\
         def token(path): return json.loads(pathlib.Path(path).resolve(strict=True).read_text())['auth']['token_value']\n\
         if __name__ == '__main__':\n\
         \x20   path = os.environ['C']\n\
         \x20   for method in ['fork', 'spawn', 'forkserver']:\n\
         \x20       with multiprocessing.get_context(method).Pool(1) as pool: print(pool.map(token, [path])[0])\n\
         \x20   print(subprocess.run(['grep', '-c', 'the secret', path], capture_output=True, text=True).stdout, end='')\n",
    );
    let said = folder.run(&["run", "c.json", "--config-env", "C", "--", "python3", "server.py"]);
    assert_eq!((said.code, &*said.out), (Some(0), "the secret\nthe secret\nthe secret\n1\n"), "{said:?}");
}

#[test]
fn the_recipe_for_mcp_starts_its_server_with_its_secrets() {
    let folder = Folder::new("mcp");
    let recipe: serde_json::Value = serde_json::from_str(include_str!("../../cli/deploy/mcp.json")).unwrap();
    let server = &recipe["mcpServers"]["proxmox"];
    assert_eq!(server["command"], "fernseal");
    folder.write(
        "servers.json",
        r#"{"proxmox": {"env": {"PROXMOX_HOST": "pve.example.org", "PROXMOX_TOKEN": "the token"}}}"#,
    );
    let field = "/proxmox/env/PROXMOX_TOKEN";
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "servers.json", "--field", field]).code, Some(0));
    folder.write("home/.proxmox_mcp_key", KEY);
    fs::set_permissions(folder.path("home/.proxmox_mcp_key"), fs::Permissions::from_mode(0o600)).unwrap();
    // A substitute for npx and its package: a server that answers one request.
    fs::create_dir(folder.path("bin")).unwrap();
    let npx = "#!/bin/sh\nread -r line\necho \"{\\\"jsonrpc\\\": \\\"2.0\\\", \\\"id\\\": 1, \\\"result\\\": \\\"$* $PROXMOX_HOST $PROXMOX_TOKEN\\\"}\"\n";
    folder.write("bin/npx", npx);
    fs::set_permissions(folder.path("bin/npx"), fs::Permissions::from_mode(0o755)).unwrap();
    let text = |value: &serde_json::Value| {
        value
            .as_str()
            .unwrap()
            .replace("/home/me/mcp", folder.0.to_str().unwrap())
            .replace("/home/me", folder.path("home").to_str().unwrap())
    };
    let arguments: Vec<String> = server["args"].as_array().unwrap().iter().map(text).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = folder.command(&[], &arguments);
    command.env_remove("PROXMOX_MCP_MASTER_KEY").env("PATH", format!("{}:/usr/bin:/bin", folder.path("bin").display()));
    for (variable, value) in server["env"].as_object().unwrap() {
        command.env(variable, text(value));
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"initialize\"}\n").unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(answer["result"], "-y @example/proxmox-mcp pve.example.org the token", "{said:?}");
}

#[test]
fn a_value_too_long_for_a_variable_leads_to_a_file() {
    let folder = Folder::new("too-long");
    let secret = "a".repeat(200_000);
    folder.write("c.json", &format!("{{\"a\": \"{secret}\"}}"));
    let said = folder.run(&["run", "c.json", "--env", "A=/a", "--", "true"]);
    assert_eq!(said.code, Some(126), "{said:?}");
    assert!(said.err.contains("too long") && said.err.contains("--file NAME=POINTER"), "{said:?}");
    assert_eq!(folder.run(&["run", "c.json", "--file", "A=/a", "--", "true"]).code, Some(0));
}
