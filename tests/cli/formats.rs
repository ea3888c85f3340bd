//! Every verb on every format: the commands reach its values, and change the bytes of one value and no others. What
//! another reader makes of the text is for tests/formats to show.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::{Folder, Said, has};

/// A config's name, its text with one secret, and where that is.
const CONFIGS: [(&str, &str, &str); 9] = [
    ("c.json", "{\"db\": {\"password\": \"s3cret\"},\r\n \"n\": 1.50}\n", "/db/password"),
    ("c.jsonc", "{ // c\n \"db\": {\"password\": \"s3cret\",}, /* d */\n}\n", "/db/password"),
    ("tsconfig.json", "{ // c\n \"db\": {\"password\": \"s3cret\"} }\n", "/db/password"),
    (".env", "# c\nexport DB_PASSWORD=s3cret # d\nOTHER='x y'\n", "/DB_PASSWORD"),
    ("c.yaml", "# c\ndb:\n  password: s3cret   # d\n  list: [a,  b]\n", "/db/password"),
    ("c.toml", "# c\n[db]\nport = 1\npassword = \"s3cret\"  # d\n", "/db/password"),
    ("c.ini", "; c\n[db]\npassword = s3cret\nport=1\n", "/db/password"),
    ("c.service", "[Service]\nEnvironmentFile=x\nPassword=s3cret\n", "/Service/Password"),
    ("c.properties", "# c\ndb.password=s3cret\nport=1\n", "/db.password"),
];

/// The tokens in a text of any format.
fn tokens(text: &str) -> Vec<&str> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || "-_=:".contains(char);
    let found = text.match_indices("enc:").map(|(at, _)| &text[at..]);
    found.map(|rest| &rest[..rest.find(|char| !is_part(char)).unwrap_or(rest.len())]).collect()
}

/// The text with a mark in the place of each token.
pub(crate) fn around(text: &str) -> String {
    tokens(text).iter().fold(text.to_owned(), |text, token| text.replacen(token, "@", 1))
}

/// A folder with all of [`CONFIGS`] in `tree`, encrypted.
fn sealed(name: &str) -> Folder {
    let folder = Folder::new(name);
    for (name, text, pointer) in CONFIGS {
        folder.write(&format!("tree/{name}"), text);
        let said = folder.run(&["encrypt", "-q", "--in-place", &format!("tree/{name}"), "--field", pointer]);
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
    }
    folder
}

fn piped(command: &mut Command, input: &str) -> Said {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever refuses to read closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Said::of(child.wait_with_output().unwrap())
}

impl Folder {
    /// As [`Self::run`], with `input` on stdin.
    fn run_on(&self, input: &str, arguments: &[&str]) -> Said {
        piped(&mut self.command(&[], arguments), input)
    }

    /// What a command prints that must be well.
    fn out(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.out
    }
}

#[test]
fn encrypt_and_decrypt_change_the_value_alone() {
    let folder = sealed("formats-encrypt");
    for (name, text, _) in CONFIGS {
        let path = format!("tree/{name}");
        let encrypted = folder.read(&path);
        assert_eq!(tokens(&encrypted).len(), 1, "{encrypted}");
        // TOML and JSON have quotes around it, as before.
        assert_eq!(around(&encrypted), text.replace("s3cret", "@"), "{name}");
        assert_eq!(folder.out(&["decrypt", &path]), text, "{name}");
        assert_eq!(folder.out(&["decrypt", "--textconv", &path]), text, "{name}");
    }
}

#[test]
fn get_set_and_run_reach_the_values_of_every_format() {
    let folder = sealed("formats-values");
    for (name, text, pointer) in CONFIGS {
        let path = format!("tree/{name}");
        assert_eq!(folder.out(&["get", &path, pointer]), "s3cret\n", "{name}");
        let said = folder.run_on("other one", &["set", &path, pointer]);
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
        assert_eq!(around(&folder.read(&path)), text.replace("s3cret", "@"), "{name}");
        assert_eq!(folder.out(&["get", &path, pointer]), "other one\n", "{name}");
        let variable = format!("X={pointer}");
        assert_eq!(folder.out(&["run", &path, "--env", &variable, "--", "sh", "-c", "echo $X"]), "other one\n");
        let said = folder.run(&["run", &path, "--config-env", "C", "--", "sh", "-c", "cat $C; basename $C"]);
        assert!(said.out.contains("other one") && said.out.ends_with(&format!("{name}\n")), "{name}: {said:?}");
        // What is no secret is read as it is.
        let missing = folder.run(&["get", &path, "/nothing/here"]);
        assert_eq!(missing.code, Some(6), "{name}: {missing:?}");
    }
    assert_eq!(folder.out(&["get", "tree/c.yaml", "db.list.1"]), "b\n");
    assert_eq!(folder.out(&["get", "tree/.env", "OTHER"]), "x y\n");
    assert_eq!(folder.out(&["run", "tree/.env", "--env-all", "", "--", "sh", "-c", "echo $OTHER"]), "x y\n");
}

#[test]
fn check_finds_plain_text_in_every_format() {
    let folder = sealed("formats-check");
    for (name, text, pointer) in CONFIGS {
        let path = format!("tree/{name}");
        assert_eq!(folder.run(&["check", &path, "--require", pointer]).code, Some(0), "{name}");
        folder.write(&path, text);
        let said = folder.run(&["check", &path, "--require", pointer]);
        assert_eq!(said.code, Some(3), "{name}: {said:?}");
        assert_eq!(said.findings(), format!("{path} {pointer}: plain text\n"));
        let lookalike = text.replace("s3cret", "enc:Zm9vYmFyYmF6cXV4Zm9vYmFy");
        folder.write(&path, &lookalike);
        let said = folder.run(&["check", &path]);
        assert!(said.out.contains("looks like a token, but is not one"), "{name}: {said:?}");
    }
}

#[test]
fn edit_seals_anew_what_was_changed_in_every_format() {
    let folder = sealed("formats-edit");
    for (name, text, pointer) in CONFIGS {
        let path = format!("tree/{name}");
        let before = folder.read(&path);
        let edit = |script: &str| {
            let memory = folder.path("home");
            let mut command = folder.command(&[], &["edit", &path]);
            Said::of(command.env("EDITOR", format!("sed -i {script}")).env("XDG_RUNTIME_DIR", memory).output().unwrap())
        };
        let said = edit("s/s3cret/changed/");
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
        assert_eq!(around(&folder.read(&path)), text.replace("s3cret", "@"), "{name}");
        assert_ne!(folder.read(&path), before);
        assert_eq!(folder.out(&["get", &path, pointer]), "changed\n", "{name}");
        // A secret that is not touched keeps its token.
        let before = folder.read(&path);
        let said = edit("s/c$/cc/");
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
        assert_eq!(tokens(&folder.read(&path)), tokens(&before), "{name}");
    }
}

#[test]
fn a_tree_of_formats_rotates_and_comes_back() {
    let folder = sealed("formats-rotate");
    let before = folder.files("tree");
    assert_eq!(folder.run(&["verify", "tree"]).code, Some(0));
    let status = folder.out(&["status", "tree"]);
    for (name, _, pointer) in CONFIGS.iter().filter(|(name, ..)| *name != "c.service") {
        assert!(status.contains(&format!("\ntree/{name} ")), "{status}");
        assert!(folder.out(&["status", &format!("tree/{name}")]).contains(&format!("  {pointer}: ")), "{name}");
    }
    let said = folder.run(&["rotate", "tree", "tree/c.service", "--new-key-out", "new"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for (name, text, pointer) in CONFIGS {
        let path = format!("tree/{name}");
        assert_eq!(around(&folder.read(&path)), text.replace("s3cret", "@"));
        assert_eq!(folder.out(&["get", &path, pointer, "--key-file", "new"]), "s3cret\n");
        assert_eq!(folder.run(&["verify", &path]).code, Some(4));
    }
    let listed = folder.out(&["backups", "tree", "tree/c.service"]);
    assert_eq!(listed.matches(".backup.").count(), CONFIGS.len(), "{listed}");
    assert_eq!(folder.run(&["rotate", "--rollback", "tree", "tree/c.service"]).code, Some(0));
    let after = folder.files("tree").into_iter().filter(|(name, _)| !name.contains(".backup."));
    assert_eq!(after.collect::<Vec<_>>(), before);
}

#[test]
fn tokens_of_any_text_rotate_and_all_else_stays() {
    let folder = Folder::new("formats-any");
    let token = folder.run_on("s3cret", &["seal"]).out.trim().to_owned();
    for (name, template) in [
        ("a.xml", "<a b=\"@\">@</a><!-- @ -->\r\n"),
        ("main.tf", "resource \"x\" {\n  password = \"@\"\n}\n"),
        ("nginx.conf", "location / {\n  proxy_set_header Authorization \"Bearer @\"; # @\n}\n"),
        ("Dockerfile", "ARG TOKEN=@\nRUN x '@'|y\n"),
        ("broken.yaml", "a: [@\n\tb: @\n"),
        ("c.yaml", "# password: @\nurl: postgres://user:@@host/db\n"),
    ] {
        let template = template.replacen("@@host", "@ host", 1);
        let key = format!("home/key-of-{name}");
        let name = &format!("tree/{name}");
        folder.write(name, &template.replace('@', &token));
        let count = template.matches('@').count();
        let said = folder.run(&["status", name]);
        assert!(said.out.contains(&format!("Encrypted values: {count}\n")), "{name}: {said:?}");
        assert_eq!(folder.run(&["verify", name]).code, Some(0), "{name}");
        let said = folder.run(&["rotate", name, "--new-key-out", &key, "--no-backup"]);
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
        let rotated = folder.read(name);
        assert_eq!(around(&rotated), template, "{name}");
        assert!(!rotated.contains(&token));
        let opened = folder.run(&["decrypt", name, "--format", "text", "--key-file", &key]);
        assert_eq!(opened.out, template.replace('@', "s3cret"), "{name}: {opened:?}");
    }
}

#[test]
fn a_secret_beside_other_text_is_written_as_the_format_has_it() {
    let folder = Folder::new("formats-beside");
    let token = folder.run_on("a'b\"c", &["seal"]).out.trim().to_owned();
    for (name, text, opened) in [
        ("c.yaml", "url: x @ y # @\n", "url: \"x a'b\\\"c y\" # a'b\"c\n"),
        ("c.toml", "url = 'x @'\n", "url = \"x a'b\\\"c\"\n"),
        ("c.jsonc", "{\"url\": \"x @\" /* @ */}", "{\"url\": \"x a'b\\\"c\" /* a'b\"c */}"),
    ] {
        folder.write(name, &text.replace('@', &token));
        assert_eq!(folder.out(&["decrypt", name]), opened, "{name}");
    }
    // In a comment there is no way to write a line end.
    let token = folder.run_on("a\nb: c\n", &["seal", "--raw"]).out.trim().to_owned();
    folder.write("c.yaml", &format!("a: 1\n# {token}\n"));
    let said = folder.run(&["decrypt", "c.yaml"]);
    assert_eq!((said.code, &*said.out), (Some(6), ""), "{said:?}");
    assert!(
        said.err.contains("a token outside of a value cannot be replaced by its secret: c.yaml at line 2, column 3"),
        "{said:?}"
    );
}

#[test]
fn get_and_run_open_the_tokens_within_a_text_as_decrypt_does() {
    let folder = Folder::new("formats-within-get");
    let token = |secret: &str| folder.run_on(secret, &["seal"]).out.trim().to_owned();
    let (user, pass) = (token("${U}"), token("p@ss"));
    let said = format!("https://${{H:-host}}:{user}:x@{pass}/");
    for (name, text, pointer) in [
        ("c.yaml", format!("url: {said}\nn: 1\n"), "/url"),
        ("c.toml", format!("url = '{said}'\n"), "url"),
        ("c.jsonc", format!("{{\"url\": \"{said}\"}} // c\n"), "/url"),
    ] {
        folder.write(name, &text);
        let opened = |host: &str| format!("https://{host}:${{U}}:x@p@ss/");
        assert!(folder.out(&["decrypt", name]).contains(&opened("${H:-host}")), "{name}");
        assert_eq!(folder.out(&["get", name, pointer]).trim_end(), opened("${H:-host}"), "{name}");
        let variable = format!("V={pointer}");
        let print = ["--", "sh", "-c", "printf '%s\n' \"$V\"; [ -z \"$F\" ] || cat \"$F\""];
        let run = |options: &[&str]| folder.out(&[&["run", name, "--env", &variable], options, &print].concat());
        assert_eq!(run(&[]).trim_end(), opened("${H:-host}"), "{name}");
        let expanded = run(&["--expand", "--config-env", "F"]);
        assert_eq!(expanded.lines().next(), Some(&*opened("host")), "{name}");
        assert_eq!(expanded.matches(&opened("host")).count(), 2, "{name}: {expanded}");
    }
    // In JSON a token is a whole string, for every command.
    folder.write("c.json", &format!("{{\"url\": \"{said}\"}}\n"));
    assert_eq!(folder.out(&["get", "c.json", "/url"]).trim_end(), said);
    assert_eq!(folder.out(&["decrypt", "c.json"]), folder.read("c.json"));
}

#[test]
fn what_a_format_leaves_in_doubt_is_refused_and_left() {
    let folder = Folder::new("formats-doubt");
    for (name, text, pointer, why) in [
        ("c.yaml", "a: &x s3cret\nb: *x\n", "/a", "alias"),
        ("c.yaml", "a: !vault s3cret\n", "/a", "tag"),
        ("c.yaml", "a: s3cret\na: other\n", "/a", "twice"),
        (".env", "A=s3cret$B\n", "/A", "$"),
        (".env", "A='s3cret\n", "/A", "not closed"),
        ("c.ini", "[s]\na = \"s3cret\"\n", "/s/a", "quotes"),
        ("c.toml", "a = \n", "/a", "invalid TOML"),
        ("c.json", "{\"a\": \"s3cret\"} // c\n", "/a", "remove the comment"),
        (".env.json", "A=s3cret\n", "/A", "env and json"),
        ("notes", "a: s3cret\n", "/a", "its format was not recognized"),
    ] {
        folder.write(name, text);
        let said = folder.run(&["encrypt", "--in-place", name, "--field", pointer]);
        assert_eq!(said.code, Some(6), "{name} {text}: {said:?}");
        assert!(said.err.contains(why), "{name} {text}: {said:?}");
        assert!(!said.err.contains("s3cret"), "{said:?}");
        assert_eq!(folder.read(name), text);
        std::fs::remove_file(folder.path(name)).unwrap();
    }
    // Nobody types into an editor what cannot be saved.
    folder.write("notes", "a: s3cret\n");
    let said = Said::of(folder.command(&[], &["edit", "notes"]).env("EDITOR", "touch started").output().unwrap());
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(!folder.path("started").exists());
    // With the format named there is no doubt.
    folder.write("notes", "a: s3cret\n");
    assert_eq!(folder.run(&["encrypt", "--in-place", "notes", "--field", "/a", "--format", "yaml"]).code, Some(0));
    assert_eq!(folder.out(&["get", "notes", "/a", "--format", "yaml"]), "s3cret\n");
}

#[test]
fn a_secret_that_a_format_cannot_say_is_refused_when_opened() {
    let folder = Folder::new("formats-unsayable");
    for (name, text, pointer, secret) in [
        ("c.ini", "[s]\na = x\n", "/s/a", "two\nlines"),
        (".env", "A=x\n", "/A", "it's \"$both\""),
        ("c.properties", "a=x\n", "/a", "back\\slash"),
    ] {
        folder.write(name, text);
        // Encrypted it can be kept there, and read.
        assert_eq!(folder.run_on(secret, &["set", name, pointer]).code, Some(0));
        assert_eq!(folder.out(&["get", name, pointer]), format!("{secret}\n"));
        let said = folder.run(&["decrypt", name]);
        assert_eq!((said.code, &*said.out), (Some(6), ""), "{name}: {said:?}");
        assert!(said.err.contains("no form that"), "{name}: {said:?}");
    }
}

#[test]
fn files_that_hold_tokens_under_other_names_are_told() {
    let folder = sealed("formats-others");
    let token = folder.run_on("x", &["seal"]).out;
    folder.write("tree/notes.txt", &token);
    folder.write("tree/plain.txt", "nothing\n");
    let reason = "skipped tree/notes.txt: it contains a token, but its name is not a config's name";
    for arguments in [["status", "tree"], ["verify", "tree"], ["check", "tree"]] {
        let said = folder.run(&arguments);
        assert!(said.out.contains(reason) && !said.out.contains("plain.txt"), "{arguments:?}: {said:?}");
        // A unit of systemd is known when it is named, and looked at with --include.
        assert!(said.out.contains("skipped tree/c.service: it contains a token"), "{said:?}");
    }
    let said = folder.run(&["rotate", "--dry-run", "tree"]);
    assert!(said.out.contains(reason), "{said:?}");
}

#[test]
fn include_and_exclude_choose_the_files_of_directories() {
    let folder = sealed("formats-globs");
    let token = folder.run_on("x", &["seal"]).out;
    std::fs::create_dir(folder.path("tree/sub")).unwrap();
    folder.write("tree/sub/notes.txt", &token);
    let verified = folder.out(&["verify", "tree", "--include", "sub/*.txt", "--exclude", "c.*"]);
    assert!(verified.contains("tree/sub/notes.txt line 1, column 1: can be decrypted\n"), "{verified}");
    assert!(verified.contains("tree/.env /DB_PASSWORD: can be decrypted\n"), "{verified}");
    // What is left out is told where it holds a token.
    assert!(verified.contains("skipped tree/c.yaml: it contains a token"), "{verified}");
    let said = folder.run(&["rotate", "tree", "--include", "*.txt", "--new-key-out", "new"]);
    assert!(said.err.contains("fernseal rotate tree --include '*.txt' --new-key-file"), "{said:?}");
    assert!(said.out.contains("rotated tree/sub/notes.txt"), "{said:?}");
}

#[test]
fn pipes_are_read_and_written() {
    let folder = Folder::new("formats-pipes");
    for (name, text, pointer) in CONFIGS {
        let format = match name.rsplit_once('.') {
            Some(("tsconfig", _)) => "jsonc",
            Some((_, "service")) => "ini",
            Some((_, ending)) => ending,
            None => unreachable!(),
        };
        let option = ["--format", format];
        let encrypted = folder.run_on(text, &[&["encrypt", "-", "--field", pointer], &option[..]].concat());
        assert_eq!(encrypted.code, Some(0), "{name}: {encrypted:?}");
        assert_eq!(around(&encrypted.out), text.replace("s3cret", "@"), "{name}");
        let decrypted = folder.run_on(&encrypted.out, &[&["decrypt", "-"], &option[..]].concat());
        assert_eq!(decrypted.out, text, "{name}: {decrypted:?}");
        let got = folder.run_on(&encrypted.out, &[&["get", "-", pointer], &option[..]].concat());
        assert_eq!(got.out, "s3cret\n", "{name}: {got:?}");
        for verb in ["status", "verify", "check"] {
            let said = folder.run_on(&encrypted.out, &[&[verb, "-"], &option[..]].concat());
            assert_eq!(said.code, Some(0), "{verb} {name}: {said:?}");
        }
    }
    let said = folder.run_on("{\"a\": \"x\"}", &["encrypt", "-", "--field", "/a", "-o", "out.json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(folder.out(&["get", "out.json", "/a"]), "x\n");
    let line = "\"$0\" get <(cat out.json) /a && cat out.json | \"$0\" get /dev/stdin /a";
    if has("bash") {
        let said = folder.run_by(&["bash", "-c", line], &[]);
        assert_eq!(said.out, "x\nx\n", "{said:?}");
    }
}

#[test]
fn a_pipe_that_could_be_two_formats_is_refused() {
    let folder = Folder::new("formats-two");
    for (text, said) in [
        ("A=1\nB=2\n", "fits several formats: env or toml or ini"),
        ("hello\n", "its format was not recognized"),
        ("", "its format was not recognized"),
    ] {
        let refused = folder.run_on(text, &["get", "-", "/A"]);
        assert_eq!(refused.code, Some(6), "{text}: {refused:?}");
        assert!(refused.err.contains(said) && refused.err.contains("--format"), "{text}: {refused:?}");
    }
    for (text, pointer) in [
        ("{\"A\": \"x\"}", "/A"),
        ("// c\n{\"A\": \"x\",}", "/A"),
        ("A: x\nB: [c]\n", "/A"),
        ("[t]\nA = \"x\"\nB = [1, 2]\n[[u]]\n", "/t/A"),
        ("export A='x'\nB=1.a\n", "/A"),
    ] {
        let said = folder.run_on(text, &["get", "-", pointer]);
        assert_eq!((said.code, &*said.out), (Some(0), "x\n"), "{text}: {said:?}");
    }
}

#[test]
fn a_pipe_has_no_mode_to_keep() {
    let folder = Folder::new("formats-pipe-mode");
    for verb in ["encrypt", "decrypt"] {
        let said = folder.run_on("{}", &[verb, "-", "-o", "out.json", "--keep-mode"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("a pipe has no owner and no mode"), "{said:?}");
        assert!(!folder.path("out.json").exists());
    }
}

#[test]
fn commands_that_write_refuse_a_pipe() {
    let folder = Folder::new("formats-write-pipe");
    let text = "{\"a\": \"x\"}";
    for arguments in [
        &["set", "-", "/a"][..],
        &["edit", "-"],
        &["rotate", "-", "--new-key-out", "new"],
        &["encrypt", "--in-place", "-", "--field", "/a"],
    ] {
        let said = folder.run_on(text, arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:?}");
        assert!(!folder.path("new").exists());
    }
    folder.write("-", text);
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "./-", "--field", "/a"]).code, Some(0));
    assert_eq!(folder.out(&["get", "./-", "/a"]), "x\n");
}

#[test]
fn seal_and_open_are_each_others_inverse() {
    let folder = Folder::new("formats-seal");
    for (secret, opened) in [("x", "x\n"), ("x\n", "x\n"), ("a\nb\n", "a\nb\n\n"), ("\u{e4} '\"$", "\u{e4} '\"$\n")] {
        let token = folder.run_on(secret, &["seal", "-q"]);
        assert_eq!(token.code, Some(0), "{token:?}");
        assert!(token.out.starts_with("enc:") && token.out.ends_with('\n') && token.out.lines().count() == 1);
        assert_eq!(folder.run_on(&token.out, &["open"]).out, opened);
        // As a person copies it.
        assert_eq!(folder.run_on(&format!("  {}\r\n", token.out), &["open"]).out, opened);
    }
    let raw = folder.run_on("x\n", &["seal", "--raw"]).out;
    assert_eq!(folder.run_on(&raw, &["open"]).out, "x\n\n");
}

#[test]
fn open_takes_one_token_and_seal_one_secret() {
    let folder = Folder::new("formats-one");
    let token = folder.run_on("x", &["seal"]).out;
    for text in [&*format!("{token}{token}"), &format!("a {token}"), "x", "", "enc:x", &token[..100]] {
        let said = folder.run_on(text, &["open"]);
        assert_eq!((said.code, &*said.out), (Some(6), ""), "{text}: {said:?}");
    }
    let said = piped(folder.command(&[], &["open"]).env("PROXMOX_MCP_MASTER_KEY", "A".repeat(43) + "="), &token);
    assert_eq!((said.code, &*said.out), (Some(4), ""), "{said:?}");
    for (arguments, input) in [(&["seal", "s3cret"][..], ""), (&["open", &token], ""), (&["seal"], "")] {
        let said = folder.run_on(input, arguments);
        assert_eq!((said.code, &*said.out), (Some(2), ""), "{said:?}");
        assert!(!said.err.contains("s3cret"), "{said:?}");
    }
}

#[test]
fn seal_speaks_of_seal_and_of_what_it_prints() {
    let folder = Folder::new("formats-words");
    let long = "x".repeat((1 << 20) + 1);
    let piped_in = "pipe the secret in: printf %s \"$SECRET\" | fernseal seal\n";
    for (arguments, input, hint) in [
        (&["seal", "s3cret"][..], "", piped_in),
        (&["seal"], "", "nothing was printed; type or pipe the secret in\n"),
        (&["seal"], &long, "nothing was printed; keep data of that size in a file of its own\n"),
    ] {
        let said = folder.run_on(input, arguments);
        assert!(said.err.ends_with(&format!("  next: {hint}")), "{said:?}");
    }
}

#[test]
fn what_is_staged_is_checked_in_every_format() {
    if !has("git") {
        return;
    }
    let folder = Folder::new("formats-staged");
    folder.write(".env", "DB_PASSWORD=s3cret\n");
    folder.write(".fernseal.toml", "secrets = [\"/DB_PASSWORD\"]\n");
    let said =
        folder.run_by(&["sh", "-c", "git init -q . && git add .env .fernseal.toml && exec \"$0\" check --staged"], &[]);
    assert_eq!((said.code, &*said.findings()), (Some(3), ".env /DB_PASSWORD: plain text\n"), "{said:?}");
}

#[test]
fn the_output_of_encrypt_is_named_as_its_format() {
    let folder = Folder::new("formats-names");
    for (name, out, text, field) in [
        ("c.yaml", "c.encrypted.yaml", "a: x\n", "/a"),
        ("c.yml", "c.encrypted.yml", "a: x\n", "/a"),
        (".env", ".env.encrypted", "a=x\n", "/a"),
        ("c.toml", "c.encrypted.toml", "a = \"x\"\n", "/a"),
        ("c.service", "c.encrypted.service", "[s]\na=x\n", "/s/a"),
    ] {
        folder.write(name, text);
        assert_eq!(folder.run(&["encrypt", "-q", name, "--field", field]).code, Some(0), "{name}");
        // And that name tells the format again.
        assert_eq!(folder.out(&["get", out, field]), "x\n", "{name}");
    }
}
