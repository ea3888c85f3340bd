//! Tests what all formats have in common, on literal texts. tests/formats compares them with other readers.

use super::*;

fn parse(format: TextFormat, text: &str) -> Document {
    Document::parse(format, Zeroizing::new(text.to_owned())).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"))
}

/// Returns the pointer, kind and text of each leaf.
fn leaves(format: TextFormat, text: &str) -> Vec<String> {
    let document = parse(format, text);
    let tell = |value: &Value| {
        let text = document.text_of(value).map_or("?".to_owned(), |text| format!("{text:?}"));
        format!("{} {:?} {text}", document.pointer(value), value.kind)
    };
    document.leaves().map(tell).collect()
}

fn replaced(format: TextFormat, text: &str, pointer: &str, plain: &str) -> Result<String, Refusal> {
    let document = parse(format, text);
    let value = document.find(pointer).unwrap_or_else(|error| panic!("{text} {pointer}: {error}"));
    document.replaced(&[(value, plain)]).map(|text| text.to_string())
}

fn edited(document: &Document, edit: &Edit) -> String {
    let text = document.text();
    [&text[..edit.span.start], &edit.text, &text[edit.span.end..]].concat()
}

/// Adds a member, checks that it can be read back, and returns the text.
fn inserted(format: TextFormat, text: &str, pointer: &str, plain: &str) -> Result<String, Refusal> {
    let document = parse(format, text);
    let after = edited(&document, &document.insert(pointer, plain)?);
    let again = parse(format, &after);
    assert_eq!(again.text_of(again.find(pointer).unwrap()).unwrap(), plain);
    Ok(after)
}

fn removed(format: TextFormat, text: &str, pointer: &str) -> Result<String, Refusal> {
    let document = parse(format, text);
    let value = document.find(pointer).unwrap_or_else(|error| panic!("{text} {pointer}: {error}"));
    Ok(edited(&document, &document.remove(value)?))
}

#[test]
fn every_format_tells_its_values_by_the_same_pointers() {
    let json = r#"{"a":{"b/c":"x\ty","d":[1,"z",null]},"e~":true}"#;
    assert_eq!(
        leaves(TextFormat::Json, json),
        [
            r#"/a/b~1c String "x\ty""#,
            r#"/a/d/0 Scalar "1""#,
            r#"/a/d/1 String "z""#,
            r#"/a/d/2 Null "null""#,
            r#"/e~0 Scalar "true""#
        ]
    );
    let yaml = "a:\n  b/c: \"x\\ty\"\n  d: [1, z, null]\n'e~': yes\n";
    assert_eq!(
        leaves(TextFormat::Yaml, yaml),
        [
            r#"/a/b~1c String "x\ty""#,
            r#"/a/d/0 Scalar "1""#,
            r#"/a/d/1 String "z""#,
            r#"/a/d/2 Null "null""#,
            r#"/e~0 Scalar "yes""#
        ]
    );
    let toml = "\"e~\" = true\n[a]\n\"b/c\" = \"x\\ty\"\nd = [1, 'z', 1979-05-27]\n[[a.t]]\nx.y = '''\nq'''\n";
    assert_eq!(
        leaves(TextFormat::Toml, toml),
        [
            r#"/e~0 Scalar "true""#,
            r#"/a/b~1c String "x\ty""#,
            r#"/a/d/0 Scalar "1""#,
            r#"/a/d/1 String "z""#,
            r#"/a/d/2 Scalar "1979-05-27""#,
            r#"/a/t/0/x/y String "q""#
        ]
    );
    let env = "# c\nexport A=x # c\nB='y z'\nC=\"1\n2\"\nD=\n";
    assert_eq!(
        leaves(TextFormat::Env, env),
        [r#"/A String "x""#, r#"/B String "y z""#, r#"/C String "1\n2""#, r#"/D String """#]
    );
    let ini = "a = 1\n; c\n[s t]\nb=x y\n# c\nc =\n";
    assert_eq!(leaves(TextFormat::Ini, ini), [r#"/a String "1""#, r#"/s t/b String "x y""#, r#"/s t/c String """#]);
    assert_eq!(leaves(TextFormat::Properties, "! c\na.b=1\nc = x;y\n"), [r#"/a.b String "1""#, r#"/c String "x;y""#]);
}

#[test]
fn a_value_is_found_by_pointer_and_by_dotted_names() {
    let document = parse(TextFormat::Yaml, "a:\n  - b: x\n  - c\n");
    for pointer in ["/a/0/b", "a.0.b"] {
        assert_eq!(document.text_of(document.find(pointer).unwrap()), Ok("x"));
    }
    assert_eq!(document.find("").unwrap().kind, Kind::Map);
    assert_eq!(document.find("/a").unwrap().kind, Kind::List);
    for (pointer, error) in [("/a/00", Error::NotFound), ("/a/2", Error::NotFound), ("/~2", Error::InvalidPointer)] {
        assert_eq!(document.find(pointer).err(), Some(error), "{pointer}");
    }
}

#[test]
fn a_name_that_occurs_twice_is_an_error_on_the_way_to_a_value() {
    for (format, text, pointer) in [
        (TextFormat::Json, r#"{"a":{"b":1},"a":{}}"#, "/a/b"),
        (TextFormat::Yaml, "a:\n  b: 1\na: {}\n", "/a/b"),
        (TextFormat::Env, "A=1\nA=2\n", "/A"),
        (TextFormat::Ini, "[s]\nA=1\n[s]\nB=2\n", "/s/A"),
        (TextFormat::Ini, "[s]\nA=1\na=2\n", "/s/A"),
    ] {
        let document = parse(format, text);
        assert_eq!(document.find(pointer).err(), Some(Error::DuplicateKey), "{text}");
    }
}

#[test]
fn a_value_is_written_in_the_quotes_that_stand_there() {
    let token = "enc:AAECAw==:Z0FBQUFB-_=";
    for (format, text) in [
        (TextFormat::Json, "\u{feff}{ \"a\" : \"@\",\r\n\t\"b\":[1.50] }\n"),
        (TextFormat::Jsonc, "// c \"\n{ /* { */ \"a\": /**/ \"@\", // }\n \"b\": [1, /*]*/ ], }\n/* d */"),
        (TextFormat::Yaml, "# c\r\nb: {x: 1}\r\na: @ # the one\r\nc: [ d ]\r\n"),
        (TextFormat::Yaml, "a: '@'\n"),
        (TextFormat::Yaml, "b: [1,2]\na: \"@\"   # c\n"),
        (TextFormat::Toml, "a = \"@\" # c\n[b]\nc=1"),
        (TextFormat::Toml, "a='@'"),
        (TextFormat::Env, "export A=1\na=@   # c\nB='x'"),
        (TextFormat::Env, "a='@' # c\r\n"),
        (TextFormat::Env, "a=\"@\"\n"),
        (TextFormat::Ini, "; c\na = @  \n[s]\nx=1\n"),
    ] {
        let before = text.replace('@', "value");
        let after = replaced(format, &before, "/a", token).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
        assert_eq!(after, text.replace('@', token));
        assert_eq!(replaced(format, &after, "/a", "value").unwrap(), before);
    }
}

#[test]
fn a_value_is_quoted_only_where_the_format_needs_it() {
    for (format, text, plain, after) in [
        (TextFormat::Yaml, "a: @\n", "yes", "a: \"yes\"\n"),
        (TextFormat::Yaml, "a: @\n", "1e3", "a: \"1e3\"\n"),
        (TextFormat::Yaml, "a: @\n", "x y", "a: \"x y\"\n"),
        (TextFormat::Yaml, "a: @\n", "1\n2", "a: \"1\\n2\"\n"),
        (TextFormat::Yaml, "a: '@'\n", "it's", "a: 'it''s'\n"),
        (TextFormat::Yaml, "a: {b: @}\n", "enc:x", "a: {b: \"enc:x\"}\n"),
        (TextFormat::Yaml, "a: [@]\n", "plain", "a: [plain]\n"),
        (TextFormat::Yaml, "a: |\n  @\n  more\n\nb: 1\n", "enc:x", "a: enc:x\n\nb: 1\n"),
        (TextFormat::Yaml, "a: >-\n  @\n\n  more\n# c\n", "enc:x", "a: enc:x\n# c\n"),
        (TextFormat::Yaml, "a:\nb: 1\n", "enc:x", "a: enc:x\nb: 1\n"),
        (TextFormat::Yaml, "a: # c\nb: 1\n", "enc:x", "a: enc:x # c\nb: 1\n"),
        (TextFormat::Yaml, "a: 12\n", "enc:x", "a: enc:x\n"),
        (TextFormat::Toml, "a = 12 # c\n", "enc:x", "a = \"enc:x\" # c\n"),
        (TextFormat::Toml, "a = '@'\n", "it's", "a = \"it's\"\n"),
        (TextFormat::Toml, "a = \"\"\"\n@\nmore\"\"\"\n", "enc:x", "a = \"enc:x\"\n"),
        (TextFormat::Toml, "a = '@'\n", "C:\\x", "a = 'C:\\x'\n"),
        (TextFormat::Env, "a=@\n", "x y", "a='x y'\n"),
        (TextFormat::Env, "a=@\n", "it's", "a=\"it's\"\n"),
        (TextFormat::Env, "a='@'\n", "it's", "a=\"it's\"\n"),
        (TextFormat::Env, "a=\n", "x", "a=x\n"),
        (TextFormat::Ini, "a =\n", "x", "a = x\n"),
        (TextFormat::Json, "{\"a\": 12}", "q\"", "{\"a\": \"q\\\"\"}"),
    ] {
        let text = text.replace('@', "value");
        let pointer = leaves(format, &text)[0].split(' ').next().unwrap().to_owned();
        assert_eq!(replaced(format, &text, &pointer, plain).as_deref(), Ok(after), "{text}");
    }
}

#[test]
fn what_readers_disagree_on_is_named_and_left() {
    for (format, text, said) in [
        (TextFormat::Env, "a=x y\n", "a shell ends a value"),
        (TextFormat::Env, "a=x#y\n", "dotenv takes #"),
        (TextFormat::Env, "a=\"x\\n\"\n", "other escapes"),
        (TextFormat::Env, "a='${x}'\n", "python-dotenv expands"),
        (TextFormat::Env, "a = x\n", "a shell wants ="),
        (TextFormat::Env, "a= x\n", "a shell wants the value"),
        (TextFormat::Env, "a-b=x\n", "no variable of this name"),
        (TextFormat::Ini, "a = x ; c\n", "; and #"),
        (TextFormat::Ini, "a = \"x\"\n", "quotes"),
        (TextFormat::Ini, "a = 50%\n", "%"),
        (TextFormat::Properties, "a = \\u0041b\n", "escape"),
        (TextFormat::Properties, "a = b \n", "spaces"),
    ] {
        let document = parse(format, text);
        let value = document.leaves().next().unwrap();
        let refusal = document.text_of(value).unwrap_err();
        assert!(refusal.what().contains(said), "{text}: {refusal:?}");
    }
}

#[test]
fn what_is_not_a_value_of_its_own_is_not_replaced() {
    for (text, pointer, said) in [
        ("a: &x b\nc: *x\n", "/a", "an alias refers to it"),
        ("a: &x b\nc: *x\n", "/c", "it is an alias of another value"),
        ("a: &x {b: c}\nd: *x\n", "/a/b", "an alias refers to it"),
        ("a: {<<: {b: c}}\n", "/a/<</b", "merged"),
        ("a: !vault x\n", "/a", "tag"),
        ("a: |2\n   x\n", "/a", "first line"),
        ("a: |\n  x", "/a", "ends with a line break"),
        ("a: |\n  x\n  ", "/a", "ends with a line break"),
        ("a: [?x]\n", "/a/0", "begins a name"),
        ("a: 1\n \t\nb: 2\n", "/a", "a tab follows"),
    ] {
        let document = parse(TextFormat::Yaml, text);
        let refusal = document.find(pointer).unwrap().check_replaceable().unwrap_err();
        assert!(refusal.what().contains(said), "{text}: {refusal:?}");
    }
    let document = parse(TextFormat::Yaml, "a: &unused b\n");
    assert!(document.find("/a").unwrap().check_replaceable().is_ok());
}

#[test]
fn a_text_that_cannot_be_read_without_doubt_is_refused() {
    for (format, text) in [
        (TextFormat::Json, "{\"a\":1,}"),
        (TextFormat::Json, "{\"a\":1} // c"),
        (TextFormat::Jsonc, "{\"a\":1,,}"),
        (TextFormat::Jsonc, "{,}"),
        (TextFormat::Jsonc, "{} /* c"),
        (TextFormat::Jsonc, "{} / c"),
        (TextFormat::Yaml, "a: [b\n"),
        (TextFormat::Yaml, "a: \u{2028}b\n"),
        (TextFormat::Yaml, "a: &b:c d\n"),
        (TextFormat::Toml, "a = \n"),
        (TextFormat::Env, "a='x\n"),
        (TextFormat::Env, "a=it's\n"),
        (TextFormat::Env, "a=x\\\nb=y\n"),
        (TextFormat::Env, "a=(x)\n"),
        (TextFormat::Env, "a: b\n"),
        (TextFormat::Env, "A=1\rB=2\n"),
        (TextFormat::Ini, "server {\n  listen 80;\n}\n"),
        (TextFormat::Ini, "[a]\nb = 1\n  [c]\nd = 2\n"),
        (TextFormat::Ini, "a = b\\\n[c]\n"),
        (TextFormat::Ini, "a = b\\\n# c\n[d]\n"),
        (TextFormat::Properties, "[a]\nb=1\n"),
    ] {
        assert!(Document::parse(format, Zeroizing::new(text.to_owned())).is_err(), "{text}");
    }
}

/// Some readers take an indented line, and one after a backslash, for a part of the value above.
#[test]
fn ini_values_that_may_share_a_line_are_held() {
    for (text, held) in [
        ("a = 1\n  b = 2\n  c\n\n  d = 3\ne = 4\n", &["/a", "/b", "/d"][..]),
        ("a = 1\n  # c\ne = 4\n", &[]),
        ("[s]\n  a = 1\n  b = 2\n c = 3\n  d = 4\n[t]\n\te=5\n", &["/s/c", "/s/d"]),
        ("a = x \\\n  -y=z \\\n  q\nb = 2\n", &["/a", "/-y"]),
        ("a = x\\\n# c\nb = 2\nc = 3\n", &["/a", "/b"]),
        ("a = x\\\n\nb = 2\n", &["/a"]),
        ("[s \"t\"]\na = 1\n[u]\nb = 2\n", &["/[s \"t\"]/a"]),
        ("[s\na = 1\n", &["/[s/a"]),
    ] {
        let document = parse(TextFormat::Ini, text);
        for value in document.leaves() {
            let pointer = document.pointer(value);
            let is_held = held.contains(&&*pointer);
            assert_eq!(document.text_of(value).is_err(), is_held, "{text}{pointer}");
            assert_eq!(value.check_replaceable().is_err(), is_held, "{text}{pointer}");
            assert_eq!(document.remove(value).is_err(), is_held, "{text}{pointer}");
        }
    }
    let same_indent = "[s]\n\ta = 1\n\tb = 2\n";
    let after = "[s]\n\ta = 1\n\tb = 2\n\tc = x\n";
    assert_eq!(inserted(TextFormat::Ini, same_indent, "/s/c", "x").unwrap(), after);
    for text in ["[s]\na = 1\n  b\n[t]\n", "[s]\na = 1\\\nb = 2\n[t]\n"] {
        assert!(parse(TextFormat::Ini, text).insert("/s/c", "x").is_err(), "{text}");
        assert!(parse(TextFormat::Ini, text).insert("/t/c", "x").is_ok(), "{text}");
    }
}

#[test]
fn documents_of_one_yaml_file_are_told_by_their_numbers() {
    assert_eq!(
        leaves(TextFormat::Yaml, "a: x\n---\n- q\n---\nz\n"),
        [r#"/0/a String "x""#, r#"/1/0 String "q""#, r#"/2 String "z""#]
    );
    assert_eq!(leaves(TextFormat::Yaml, "--- # c\nx\n...\n"), [r#" String "x""#]);
    assert!(leaves(TextFormat::Yaml, "# c\n").is_empty());
}

#[test]
fn a_member_is_added_as_its_neighbours_stand() {
    for (format, text, pointer, after) in [
        (TextFormat::Json, "{\n  \"a\": 1\n}\n", "/b", "{\n  \"a\": 1,\n  \"b\": \"x\"\n}\n"),
        (TextFormat::Json, "{\"a\":{\"c\":1}}", "/a/b", "{\"a\":{\"c\":1,\"b\":\"x\"}}"),
        (TextFormat::Json, "{\"a\":[1],\n\t\"c\" : {}}", "/b", "{\"a\":[1],\n\t\"c\" : {},\n\t\"b\" : \"x\"}"),
        (TextFormat::Json, "{}", "/a/b", "{\"a\": {\"b\": \"x\"}}"),
        (TextFormat::Jsonc, "{\n  \"a\": 1 // c\n}", "/b", "{\n  \"a\": 1, // c\n  \"b\": \"x\"\n}"),
        (TextFormat::Jsonc, "{\n  \"a\": 1, // c\n}", "/b", "{\n  \"a\": 1, // c\n  \"b\": \"x\",\n}"),
        (TextFormat::Jsonc, "{\"a\": 1} // c", "/b", "{\"a\": 1, \"b\": \"x\"} // c"),
        (TextFormat::Jsonc, "{\"a\":1,}", "/b", "{\"a\":1,\"b\":\"x\",}"),
        (TextFormat::Jsonc, "{\"a\": \"/*\" /* , */ }", "/b", "{\"a\": \"/*\", /* , */  \"b\": \"x\"}"),
        (TextFormat::Jsonc, "{\"a\": {} /* c */}", "/a/b", "{\"a\": {\"b\": \"x\"} /* c */}"),
        (TextFormat::Yaml, "a: 1\n# end\n", "/b", "a: 1\nb: x\n# end\n"),
        (
            TextFormat::Yaml,
            "a:\n    c: |\n        y\n    d:\n    - 1\nz: 1\n",
            "/a/b",
            "a:\n    c: |\n        y\n    d:\n    - 1\n    b: x\nz: 1\n",
        ),
        (TextFormat::Yaml, "- a: 1\n  c: 2\n- d\n", "/0/b", "- a: 1\n  c: 2\n  b: x\n- d\n"),
        (TextFormat::Yaml, "a: {c: 1}\n", "/a/b", "a: {c: 1, b: \"x\"}\n"),
        (TextFormat::Yaml, "a: {c: 1, d: 2}\r\n", "/b", "a: {c: 1, d: 2}\r\nb: x\r\n"),
        (TextFormat::Yaml, "a: 1", "/b/c", "a: 1\nb:\n  c: x"),
        (TextFormat::Yaml, "a:\n", "/b", "a:\nb: x\n"),
        (TextFormat::Toml, "a = 1\n\n[t]\nc = 2 # c\n\n[u]\n", "/t/b", "a = 1\n\n[t]\nc = 2 # c\nb = \"x\"\n\n[u]\n"),
        (TextFormat::Toml, "a = 1\n\n[t]\nc = 2\n", "/b", "a = 1\nb = \"x\"\n\n[t]\nc = 2\n"),
        (TextFormat::Toml, "[t]\nc = 2\n", "/b", "b = \"x\"\n[t]\nc = 2\n"),
        (TextFormat::Toml, "[t]\n[u]\n", "/t/b", "[t]\nb = \"x\"\n[u]\n"),
        (TextFormat::Toml, "t = { c = 2 }\n", "/t/b", "t = { c = 2, b = \"x\" }\n"),
        (TextFormat::Toml, "a = 1\n", "/t/b c", "a = 1\nt.\"b c\" = \"x\"\n"),
        (TextFormat::Toml, "[[t]]\na = 1\n[[t]]\na = 2\n", "/t/0/b", "[[t]]\na = 1\nb = \"x\"\n[[t]]\na = 2\n"),
        (TextFormat::Env, "# c\nA='1\n2'\n# d\n", "/B", "# c\nA='1\n2'\nB=x\n# d\n"),
        (TextFormat::Env, "", "/B", "B=x\n"),
        (TextFormat::Env, "A=1", "/B", "A=1\nB=x"),
        (TextFormat::Ini, "[s]\na = 1\n\n[t]\nc = 2\n", "/s/b", "[s]\na = 1\nb = x\n\n[t]\nc = 2\n"),
        (TextFormat::Ini, "[s]\na=1\n", "/t/b", "[s]\na=1\n\n[t]\nb=x\n"),
        (TextFormat::Ini, "[s]\n[t]\nc=1\n", "/s/b", "[s]\nb=x\n[t]\nc=1\n"),
        (TextFormat::Ini, "[s]\nc=1\n", "/b", "b=x\n\n[s]\nc=1\n"),
        (TextFormat::Properties, "a=1\n", "/b.c", "a=1\nb.c=x\n"),
    ] {
        let said = inserted(format, text, pointer, "x");
        assert_eq!(said.as_deref(), Ok(after), "{text} {pointer}");
    }
}

#[test]
fn an_item_is_added_behind_the_last_one() {
    let appended = |format, text: &str, pointer: &str| {
        let document = parse(format, text);
        document.insert(pointer, "x").map(|edit| edited(&document, &edit))
    };
    for (format, text, pointer, after) in [
        (TextFormat::Json, "[1, 2]", "/-", "[1, 2, \"x\"]"),
        (TextFormat::Jsonc, "{\"a\": [\n  1, // c\n]}", "/a/-", "{\"a\": [\n  1, // c\n  \"x\",\n]}"),
        (TextFormat::Jsonc, "{\"a\": [ ] /* c */}", "a.-", "{\"a\": [ \"x\" ] /* c */}"),
        (TextFormat::Yaml, "a: [b]\n", "/a/-", "a: [b, \"x\"]\n"),
        (TextFormat::Yaml, "a: []\n", "/a/-", "a: [\"x\"]\n"),
        (TextFormat::Yaml, "a:\n  - b: 1\n    c: 2\nd: 3\n", "/a/-", "a:\n  - b: 1\n    c: 2\n  - x\nd: 3\n"),
        (TextFormat::Yaml, "- b\n- c # d\n", "/-", "- b\n- c # d\n- x\n"),
        (TextFormat::Toml, "a = [\n  1,\n]\n", "/a/-", "a = [\n  1,\n  \"x\",\n]\n"),
    ] {
        assert_eq!(appended(format, text, pointer).as_deref(), Ok(after), "{text} {pointer}");
    }
    for (format, text, pointer) in [
        (TextFormat::Json, "[1]", "/1"),
        (TextFormat::Yaml, "- - b\n", "/0/-"),
        (TextFormat::Yaml, "a: &x [b]\nc: *x\n", "/c/-"),
        (TextFormat::Toml, "[[a]]\nb = 1\n", "/a/-"),
        (TextFormat::Env, "A=1\n", "/A/-"),
        (TextFormat::Ini, "[s]\na = 1\n", "/s/a/-"),
    ] {
        assert!(appended(format, text, pointer).is_err(), "{text} {pointer}");
    }
}

#[test]
fn a_member_is_removed_with_what_belongs_to_it() {
    for (format, text, pointer, after) in [
        (TextFormat::Jsonc, "{\"a\": 1, \"b\": 2, } // c", "/b", "{\"a\": 1, } // c"),
        (TextFormat::Jsonc, "{ \"a\": 1, }", "/a", "{}"),
        (TextFormat::Json, "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "/b", "{\n  \"a\": 1\n}\n"),
        (TextFormat::Json, "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "/a", "{\n  \"b\": 2\n}\n"),
        (TextFormat::Json, "{\"a\":1}", "/a", "{}"),
        (TextFormat::Yaml, "a: 1\nb: x # c\nc: 2\n", "/b", "a: 1\nc: 2\n"),
        (TextFormat::Yaml, "a: 1\nb: |\n  x\n  y\nc: 2\n", "/b", "a: 1\nc: 2\n"),
        (TextFormat::Yaml, "a: {b: 1, c: 2}\n", "/a/b", "a: {c: 2}\n"),
        (TextFormat::Toml, "a = 1\nb = '''\nx'''\nc = 2\n", "/b", "a = 1\nc = 2\n"),
        (TextFormat::Toml, "t = { a = 1, b = 2 }\n", "/t/b", "t = { a = 1 }\n"),
        (TextFormat::Env, "A=1\nexport B='x\ny' # c\nC=2\n", "/B", "A=1\nC=2\n"),
        (TextFormat::Env, "A=1\nB=2", "/B", "A=1"),
        (TextFormat::Ini, "[s]\na=1\nb=2\n", "/s/a", "[s]\nb=2\n"),
    ] {
        assert_eq!(removed(format, text, pointer).as_deref(), Ok(after), "{text} {pointer}");
    }
    for (format, text, pointer) in [
        (TextFormat::Jsonc, "{\"a\": 1 /* c */, \"b\": 2}", "/a"),
        (TextFormat::Yaml, "a:\n  b: 1\nc: 2\n", "/a/b"),
        (TextFormat::Yaml, "- a: 1\n  b: 2\n", "/0/a"),
        (TextFormat::Toml, "t.a = 1\n", "/t/a"),
    ] {
        assert!(removed(format, text, pointer).is_err(), "{text}");
    }
}

#[test]
fn the_format_is_told_by_the_name() {
    for (name, format) in [
        ("config.json", Some(TextFormat::Json)),
        ("tsconfig.json", Some(TextFormat::Jsonc)),
        ("x.jsonc", Some(TextFormat::Jsonc)),
        ("values.yaml", Some(TextFormat::Yaml)),
        ("C.YML", Some(TextFormat::Yaml)),
        (".env", Some(TextFormat::Env)),
        (".env.local", Some(TextFormat::Env)),
        ("prod.env", Some(TextFormat::Env)),
        ("pyproject.toml", Some(TextFormat::Toml)),
        ("my.conf", Some(TextFormat::Ini)),
        ("x.service", Some(TextFormat::Ini)),
        ("a.properties", Some(TextFormat::Properties)),
        ("Dockerfile", None),
        ("main.tf", None),
    ] {
        assert_eq!(TextFormat::of_name(name), Ok(format), "{name}");
    }
    assert_eq!(TextFormat::of_name(".env.json").unwrap_err().what(), "its name fits two formats: env and json");
}

#[test]
fn the_format_of_a_pipe_is_told_by_what_is_in_it() {
    for (text, said) in [
        ("{\"a\": 1}", Ok(TextFormat::Json)),
        ("[1, 2]", Ok(TextFormat::Json)),
        ("// c\n{\"a\": 1,}", Ok(TextFormat::Jsonc)),
        ("a: 1\nb: [c]\n", Ok(TextFormat::Yaml)),
        ("[t]\na = \"x\"\nb = [1, 2]\n[[u]]\n", Ok(TextFormat::Toml)),
        ("export A='x y'\nB=1.a\n", Ok(TextFormat::Env)),
        ("[s]\na = b c\n", Ok(TextFormat::Ini)),
        ("A=1\nB=2\n", Err("its content fits several formats: env or toml or ini")),
        ("A=x\n", Err("its content fits several formats: env or ini")),
        ("hello\n", Err("its format was not recognized")),
        ("", Err("its format was not recognized")),
    ] {
        let told = TextFormat::of_content(text);
        assert_eq!(told.map_err(|refusal| refusal.what()), said.map_err(Into::into), "{text}");
    }
}
