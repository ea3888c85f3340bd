//! The output of `--json` and the audit log: each line matches cli/schema.json, on which scripts rely. The test uses
//! every form of the schema, so that none is out of date.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use crate::common::{Folder, KEY, Said};
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The forms of the schema, and those that occurred.
struct Schema {
    schemas: Schemas,
    whole: SchemaIndex,
    forms: Vec<(String, SchemaIndex)>,
    met: BTreeSet<String>,
}

impl Schema {
    fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        let text: Value = serde_json::from_str(&std::fs::read_to_string(Path::new(path)).unwrap()).unwrap();
        let references = text["oneOf"].as_array().unwrap().clone();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("schema.json", text).unwrap();
        let whole = compiler.compile("schema.json", &mut schemas).unwrap();
        let forms = references.iter().map(|reference| {
            let reference = reference["$ref"].as_str().unwrap();
            let form = compiler.compile(&format!("schema.json{reference}"), &mut schemas).unwrap();
            (reference.to_owned(), form)
        });
        let forms = forms.collect();
        Self { schemas, whole, forms, met: BTreeSet::new() }
    }

    /// Checks that a line matches exactly one form.
    fn check(&mut self, line: &str) -> Value {
        let value: Value = serde_json::from_str(line).unwrap();
        if let Err(error) = self.schemas.validate(&value, self.whole) {
            panic!("{line}\n{error:#}");
        }
        let fits = self.forms.iter().find(|(_, form)| self.schemas.validate(&value, *form).is_ok());
        self.met.insert(fits.unwrap().0.clone());
        value
    }
}

#[test]
fn all_that_is_said_in_json_fits_the_schema_and_all_of_the_schema_is_met() {
    let folder = Folder::new("json");
    let mut schema = Schema::load();
    let plain = "{\"auth\": {\"token_value\": \"s\", \"user\": \"u\"}, \"db\": \"p\"}\n";
    folder.write("tree/a.json", plain);
    folder.write("tree/none.json", "{}");
    folder.write("secret", "secret\n");
    let mut run = |code: i32, arguments: &[&str], more: &[(&str, &str)]| {
        let mut command = folder.command(&[], &[arguments, &["--json", "--audit-log", "audit"]].concat());
        command.stdin(File::open(folder.path("secret")).unwrap());
        let said = Said::of(command.envs(more.iter().copied()).output().unwrap());
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
        assert_eq!(said.out.lines().count(), 1, "{arguments:?}: {said:?}");
        schema.check(&said.out)
    };
    folder.write("tree/example.json", "{}");
    folder.write("tree/broken.json", "{ token_value");
    run(3, &["check", "tree"], &[]);
    std::fs::remove_file(folder.path("tree/broken.json")).unwrap();
    run(3, &["doctor", "tree/a.json"], &[]);
    run(0, &["encrypt", "--in-place", "tree/a.json"], &[]);
    run(0, &["encrypt", "--found", "--dry-run", "tree/a.json"], &[]);
    fs::create_dir(folder.path("found")).unwrap();
    folder.write("found/a.json", "{\"password\": \"hunter2\"}");
    run(0, &["encrypt", "found", "--dry-run"], &[]);
    run(0, &["encrypt", "found", "--yes"], &[]);
    run(0, &["encrypt", "tree/a.json"], &[]);
    run(0, &["set", "tree/a.json", "/db"], &[]);
    run(0, &["set", "--create", "tree/a.json", "/new"], &[]);
    run(0, &["unset", "tree/a.json", "/new"], &[]);
    run(0, &["get", "tree/a.json", "auth.user"], &[]);
    run(0, &["decrypt", "tree/a.json", "-o", "plain.json"], &[]);
    run(0, &["edit", "tree/a.json"], &[("EDITOR", "true")]);
    run(0, &["edit", "tree/a.json"], &[("EDITOR", "sed -i s/secret/new/")]);
    run(0, &["keygen", "-o", "new.key"], &[]);
    run(0, &["key", "id", "new.key"], &[]);
    run(0, &["status", "tree/a.json"], &[]);
    run(0, &["status", "tree/a.json", "--verify"], &[]);
    run(0, &["status", "tree", "--verify"], &[]);
    run(0, &["verify", "tree/a.json"], &[]);
    run(0, &["verify", "tree"], &[]);
    run(0, &["doctor", "tree/a.json"], &[]);
    run(0, &["rotate", "--dry-run", "tree"], &[]);
    run(0, &["rotate", "--new-key-file", "new.key", "tree"], &[]);
    let old_and_new = [
        ("PROXMOX_MCP_MASTER_KEY_FILE", "new.key"),
        ("PROXMOX_MCP_MASTER_KEY", ""),
        ("PROXMOX_MCP_MASTER_KEY_PREVIOUS", crate::common::KEY),
    ];
    run(0, &["backups", "list", "tree"], &[]);
    run(0, &["rotate", "--rollback", "--dry-run", "tree"], &old_and_new);
    run(8, &["backups", "prune", "--yes", "tree"], &[]);
    run(0, &["backups", "prune", "--yes", "tree"], &old_and_new);
    for line in folder.read("audit").lines() {
        schema.check(line);
    }
    let forms: BTreeSet<String> = schema.forms.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(schema.met, forms);
}

#[test]
fn with_json_stdout_has_json_alone_whatever_stands_beside() {
    let folder = Folder::new("json-alone");
    folder.make_configs(1);
    let config = "tree/0000.json";
    for arguments in [
        &["keygen", "--print"][..],
        &["keygen"],
        &["keygen", "-o", "-"],
        &["decrypt", config, "--textconv"],
        &["decrypt", config],
        &["decrypt", config, "-o", "-"],
        &["decrypt", config, "-o", "plain.json"],
        &["edit", config],
        &["verify", config, "-v"],
        &["key", "id", "no-such-file"],
        &["rotate", "tree", "-v", "--dry-run"],
        &["rotate", "--rollback", "tree", "-v"],
        &["backups", "prune", "tree"],
    ] {
        let mut command = folder.command(&[], &[arguments, &["--json"]].concat());
        let said = Said::of(command.env("EDITOR", "cat").output().unwrap());
        let lines: Vec<&str> = said.out.lines().collect();
        assert!(lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{arguments:?}: {said:?}");
        assert!(lines.len() == 1 || lines.is_empty() && said.code == Some(2), "{arguments:?}: {said:?}");
    }
}

/// The verbs that print JSON, and what stands behind them on the command line.
const IN_JSON: [(&str, &[&str]); 16] = [
    ("encrypt", &["tree/c.json"]),
    ("decrypt", &["tree/c.json"]),
    ("get", &["tree/c.json", "/auth/token_value"]),
    ("set", &["tree/c.json", "/auth/token_value"]),
    ("unset", &["tree/c.json", "/auth/token_value"]),
    ("edit", &["tree/c.json"]),
    ("status", &["tree"]),
    ("verify", &["tree"]),
    ("keygen", &[]),
    ("key id", &["key"]),
    ("rotate", &["tree"]),
    ("backups", &["tree"]),
    ("backups list", &["tree"]),
    ("backups prune", &["tree"]),
    ("check", &["tree"]),
    ("doctor", &["tree/c.json"]),
];

/// The options that a verb has by its help, each with a value if it takes one: its own, and those of every command.
fn options(folder: &Folder, verb: &str) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let help = folder.run(&[&["help"], &verb.split(' ').collect::<Vec<_>>()[..]].concat()).out;
    let (own, common) = help.split_once("Options of every command:").unwrap();
    let of = |text: &str| -> Vec<Vec<String>> {
        let words = text.lines().filter_map(|line| line.split_once("--").filter(|(start, _)| start.len() <= 6));
        let words = words.map(|(_, rest)| rest.split([' ', '\n']).take(2).collect::<Vec<_>>());
        let words = words.filter(|words| !["json", "help", "version"].contains(&words[0]));
        let value = |words: &[&str]| match (words[0], words.get(1).copied().unwrap_or_default()) {
            ("key-file", _) => Some("key"),
            ("new-key-file", _) => Some("new"),
            (_, "<FILE>") => Some("file"),
            (_, "<OUT>") => Some("out.json"),
            (_, "<COMMAND>") => Some("cat key"),
            (_, "<STORE>") => Some("tee key"),
            (_, "<DIR>") => Some("backups"),
            (_, "<POINTER>") => Some("/auth/user"),
            (_, "<SECONDS>" | "<N>") => Some("2"),
            (_, "<FORMAT>") => Some("json"),
            (_, "<GLOB>") => Some("c.*"),
            (_, "<WHAT>") => Some("warn"),
            (_, "<AGE>") => Some("365d"),
            (_, value) => {
                assert!(!value.starts_with('<'), "a value for {words:?}?");
                None
            }
        };
        words
            .map(|words| [format!("--{}", words[0])].into_iter().chain(value(&words).map(str::to_owned)).collect())
            .collect()
    };
    (of(own.split_once("\nOptions:").map_or("", |(_, own)| own)), of(common))
}

#[test]
fn no_option_puts_anything_beside_the_json_on_stdout() {
    let model = Folder::new("json-model");
    model.write("c.json", r#"{"auth": {"token_value": "s", "user": "u"}, "logging": {"level": "DEBUG"}}"#);
    assert_eq!(model.run(&["encrypt", "-q", "--in-place", "c.json"]).code, Some(0));
    assert_eq!(model.run(&["keygen", "-q", "-o", "new"]).code, Some(0));
    let (text, new) = (model.read("c.json"), model.read("new"));
    let mut succeeded = BTreeSet::new();
    for (verb, arguments) in IN_JSON {
        let (own, common) = options(&model, verb);
        assert!(common.len() >= 7, "{common:?}");
        let pairs = own.iter().flat_map(|one| own.iter().map(move |other| [&one[..], other].concat()));
        let pairs = pairs.filter(|pair| pair[0] <= *pair.iter().rfind(|word| word.starts_with("--")).unwrap());
        let cases = pairs.chain(own.iter().cloned()).chain(common).chain([Vec::new()]);
        for case in cases.map(|mut case| {
            case.dedup();
            case
        }) {
            let folder = Folder::new("json-options");
            fs::create_dir(folder.path("backups")).unwrap();
            for (name, text) in [("tree/c.json", &*text), ("key", KEY), ("new", &new), ("secret", "secret\n")] {
                folder.write(name, text);
            }
            let verb: Vec<&str> = verb.split(' ').collect();
            let case: Vec<&str> = case.iter().map(String::as_str).collect();
            let mut command = folder.command(&[], &[&verb[..], arguments, &case, &["--json"]].concat());
            command.stdin(File::open(folder.path("secret")).unwrap()).env("EDITOR", "cat");
            let said = Said::of(command.output().unwrap());
            let lines: Vec<&str> = said.out.lines().collect();
            assert!(lines.len() == 1 || lines.is_empty() && said.code != Some(0), "{verb:?} {case:?}: {said:?}");
            assert!(
                lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()),
                "{verb:?} {case:?}: {said:?}"
            );
            succeeded.extend((said.code == Some(0)).then(|| verb.join(" ")));
        }
    }
    // A case that always fails shows nothing.
    let expected: BTreeSet<String> = IN_JSON.iter().map(|(verb, _)| (*verb).to_owned()).collect();
    assert_eq!(succeeded, expected);
}
