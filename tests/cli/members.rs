//! `set --create` adds a member, `unset` removes one: everything else in the config stays byte for byte.

use crate::common::{Folder, Said, tokens};
use crate::formats::around;

/// `set --create` of a secret at this pointer.
fn create(folder: &Folder, pointer: &str) -> Said {
    create_in(folder, "c.json", pointer)
}

fn create_in(folder: &Folder, config: &str, pointer: &str) -> Said {
    let line = "printf secret | \"$0\" set --create \"$1\" \"$2\"";
    Said::of(folder.command(&["sh", "-c", line], &[config, pointer]).output().unwrap())
}

/// In each of the other formats a text, a pointer, and what `set --create` makes of the text.
const FORMATS: [(&str, &str, &str, &str); 7] = [
    ("c.yaml", "db:\r\n  user: x # c\r\nl: []\r\n", "/db/n", "db:\r\n  user: x # c\r\n  \"n\": @\r\nl: []\r\n"),
    ("c.toml", "a = 1\n[db]\nuser = \"x\" # c\n", "db.user2", "a = 1\n[db]\nuser = \"x\" # c\nuser2 = \"@\"\n"),
    ("c.env", "# c\nexport B=\"x\"\n", "N", "# c\nexport B=\"x\"\nN=@\n"),
    ("c.ini", "; c\n[db]\nuser = x\n[e]\n", "/db/n", "; c\n[db]\nuser = x\nn = @\n[e]\n"),
    ("c.properties", "a = 1\n# c\nb = 2\n", "n", "a = 1\n# c\nb = 2\nn = @\n"),
    (
        "c.jsonc",
        "{\n  // c\n  \"a\": {\"b\": 1}, // d\n}\n",
        "/a/n",
        "{\n  // c\n  \"a\": {\"b\": 1, \"n\": \"@\"}, // d\n}\n",
    ),
    ("d.env", "", "N", "N=@\n"),
];

#[test]
fn in_every_format_unset_takes_back_what_set_create_added() {
    let folder = Folder::new("members-formats");
    for (config, text, pointer, expected) in FORMATS {
        folder.write(config, text);
        let said = create_in(&folder, config, pointer);
        assert_eq!(said.code, Some(0), "{config}: {said:?}");
        assert_eq!(around(&folder.read(config)), expected);
        assert_eq!(folder.run(&["get", config, pointer]).out, "secret\n");
        let said = folder.run(&["unset", config, pointer]);
        assert_eq!(said.err, format!("removed {pointer} from {config}, an encrypted value\n"));
        assert_eq!(folder.read(config), text);
    }
}

#[test]
fn set_create_adds_an_item_behind_the_last_one_of_an_array() {
    let folder = Folder::new("members-items");
    for (config, text, pointer, expected) in [
        ("c.json", "{\"a\": [\n  \"b\"\n]}\n", "/a/-", "{\"a\": [\n  \"b\",\n  \"@\"\n]}\n"),
        ("c.jsonc", "{\"a\": [1, 2,]} // c\n", "a.-", "{\"a\": [1, 2, \"@\",]} // c\n"),
        ("c.yaml", "a:\n- b\nc: 1\n", "/a/-", "a:\n- b\n- @\nc: 1\n"),
        ("c.toml", "a = []\n", "/a/-", "a = [\"@\"]\n"),
    ] {
        folder.write(config, text);
        let said = create_in(&folder, config, pointer);
        assert_eq!(said.code, Some(0), "{config}: {said:?}");
        assert_eq!(around(&folder.read(config)), expected);
        // There is nothing at the pointer itself.
        assert_eq!(folder.run(&["get", config, pointer]).code, Some(6), "{config}");
    }
}

#[test]
fn what_a_format_cannot_take_or_lose_is_refused_by_its_name() {
    let folder = Folder::new("members-refused");
    for (config, text, pointer, creates, what) in [
        ("c.yaml", "a: {b: 1}\n", "/a", false, "in YAML, a value that contains others cannot be removed"),
        ("c.toml", "[a]\nb = 1\n", "/a", false, "in TOML, a value that contains others cannot be removed"),
        ("c.ini", "[a]\nb = 1\n", "/a", false, "in INI, a value that contains others cannot be removed"),
        ("c.yaml", "a: [1]\n", "/a/1", true, "the value at /a in c.yaml is not an object"),
        ("c.toml", "[[a]]\nb = 1\n", "/a/-", true, "its items are tables under headers"),
        ("c.yaml", "a: [1]\n", "/a/0", false, "the value is not a member of an object: c.yaml at /a/0"),
        ("c.yaml", "a: &x 1\nb: *x\n", "/a", false, "c.yaml"),
        ("c.toml", "a = 1\n", "/b/c", true, "no object at /b in c.toml"),
        ("c.env", "A=1\n", "/A/c", true, "the value at /A in c.env is not an object"),
        ("c.env", "A=1\n", "/b-c", true, "c.env"),
        ("c.yaml", "", "/a", true, "the text has no values yet"),
        ("c.txt", "text\n", "/a", true, "its format was not recognized: c.txt"),
        ("c.txt", "text\n", "/a", false, "its format was not recognized: c.txt"),
    ] {
        folder.write(config, text);
        let said = if creates { create_in(&folder, config, pointer) } else { folder.run(&["unset", config, pointer]) };
        assert_eq!((said.code, &*said.out), (Some(6), ""), "{config} {pointer}: {said:?}");
        assert!(said.err.contains(what), "{config} {pointer}: {said:?}");
        assert_eq!(folder.read(config), text);
    }
}

const LAYOUTS: [(&str, &str, &str); 6] = [
    ("{\"a\":{\"b\":1}}", "/a/n", "{\"a\":{\"b\":1,\"n\":\"TOKEN\"}}"),
    ("{ \"a\": 1.50 }\n\n", "n", "{ \"a\": 1.50, \"n\": \"TOKEN\" }\n\n"),
    ("{\r\n\t\"a\": \"\\u0041\"\r\n}\r\n", "/n", "{\r\n\t\"a\": \"\\u0041\",\r\n\t\"n\": \"TOKEN\"\r\n}\r\n"),
    ("{\n  \"a\": {}\n}", "a.n", "{\n  \"a\": {\n    \"n\": \"TOKEN\"\n  }\n}"),
    ("{}", "/n", "{\"n\": \"TOKEN\"}"),
    ("\u{feff}[{\"a\": 1}, 2]", "/0/n", "\u{feff}[{\"a\": 1, \"n\": \"TOKEN\"}, 2]"),
];

#[test]
fn set_create_adds_a_member_and_changes_no_other_byte() {
    let folder = Folder::new("create");
    for (text, pointer, expected) in LAYOUTS {
        folder.write("c.json", text);
        let said = create(&folder, pointer);
        assert_eq!(said.code, Some(0), "{text}: {said:?}");
        let now = folder.read("c.json");
        let token = tokens(&now).next().unwrap().to_owned();
        assert_eq!(now.replace(&token, "TOKEN"), expected);
        assert_eq!(folder.run(&["get", "c.json", pointer]).out, "secret\n");
    }
}

#[test]
fn set_create_replaces_a_value_that_is_there() {
    let folder = Folder::new("create-there");
    folder.write("c.json", "{\"a\" : 1, \"b\": null}");
    assert_eq!(create(&folder, "/b").code, Some(0));
    assert_eq!(folder.run(&["get", "c.json", "/b"]).out, "secret\n");
    assert!(folder.read("c.json").starts_with("{\"a\" : 1, \"b\": \"enc:"));
}

#[test]
fn set_create_refuses_where_no_object_takes_the_member() {
    let folder = Folder::new("create-refused");
    for (text, pointer, what) in [
        ("{\"a\": 1}", "/x/n", "no object at /x in c.json"),
        ("{\"a\": 1}", "/a/n", "the value at /a in c.json is not an object"),
        ("{\"a\": [1]}", "/a/1", "the value at /a in c.json is not an object"),
        ("[]", "n", "the value in c.json is not an object"),
        ("{\"n\": 1, \"\\u006e\": 2}", "/n", "occurs twice"),
        ("{\"a\": {}, \"a\": {}}", "/a/n", "occurs twice"),
    ] {
        folder.write("c.json", text);
        let said = create(&folder, pointer);
        assert_eq!((said.code, &*said.out), (Some(6), ""), "{text}: {said:?}");
        assert!(said.err.contains(what), "{text}: {said:?}");
        assert_eq!(folder.read("c.json"), text);
    }
}

#[test]
fn set_create_takes_no_key_that_is_not_the_configs() {
    let folder = Folder::new("create-key");
    folder.write("c.json", "{}");
    assert_eq!(create(&folder, "/a").code, Some(0));
    let before = folder.read("c.json");
    let line = "printf secret | \"$0\" set --create c.json /b";
    let mut command = folder.command(&["sh", "-c", line], &[]);
    command.env("PROXMOX_MCP_MASTER_KEY", "bLEDgzUxSiXMMKxMPSR4h9Gzhvbs_yFlqvsM9HsYdtU=");
    let said = Said::of(command.output().unwrap());
    assert_eq!(said.code, Some(4), "{said:?}");
    assert_eq!(folder.read("c.json"), before);
}

#[test]
fn unset_takes_back_what_set_create_added() {
    let folder = Folder::new("create-unset");
    for (text, pointer, _) in LAYOUTS {
        folder.write("c.json", text);
        assert_eq!(create(&folder, pointer).code, Some(0));
        let said = folder.run(&["unset", "c.json", pointer]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(said.err, format!("removed {pointer} from c.json, an encrypted value\n"));
        assert_eq!(folder.read("c.json"), text);
    }
}

#[test]
fn unset_removes_one_member_needs_no_key_and_is_audited() {
    let folder = Folder::new("unset");
    folder.write("c.json", "{\"a\": {\"s\": \"1\", \"t\": \"2\", \"u\": 3},\r\n \"b\": 4}");
    assert_eq!(folder.run(&["encrypt", "-q", "--in-place", "c.json", "--field=/a/s", "--field=/a/t"]).code, Some(0));
    let mut command = folder.command(&[], &["unset", "c.json", "/a", "--json", "--audit-log", "log", "--no-input"]);
    let said = Said::of(command.env_remove("PROXMOX_MCP_MASTER_KEY").output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains(r#""encrypted":["/a/s","/a/t"],"removed":"/a""#), "{said:?}");
    assert_eq!(folder.read("c.json"), "{\"b\": 4}");
    let log = folder.read("log");
    assert_eq!(log.matches(r#""pointers":["/a","/a/s","/a/t"]"#).count(), 2, "{log}");
    assert!(log.contains(r#""outcome":"started""#) && log.contains(r#""outcome":"done""#), "{log}");
}

#[test]
fn unset_refuses_what_is_no_member_or_one_of_two() {
    let folder = Folder::new("unset-refused");
    for (text, pointer, what) in [
        ("{\"a\": [1, 2]}", "/a/0", "the value is not a member of an object: c.json at /a/0"),
        ("{\"a\": 1}", "", "not a member of an object"),
        ("{\"a\": 1}", "/b", "no value at this pointer"),
        ("{\"a\": 1, \"a\": 2}", "/a", "occurs twice"),
    ] {
        folder.write("c.json", text);
        let said = folder.run(&["unset", "c.json", pointer]);
        assert_eq!((said.code, &*said.out), (Some(6), ""), "{text}: {said:?}");
        assert!(said.err.contains(what), "{text}: {said:?}");
        assert_eq!(folder.read("c.json"), text);
    }
}
