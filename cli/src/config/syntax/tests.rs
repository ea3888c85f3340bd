//! What the formats have in common, on literal texts. That other readers read the same is for tests/formats to show.

use super::*;

fn parse(format: Format, text: &str) -> Document {
    Document::parse(format, Zeroizing::new(text.to_owned())).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"))
}

/// Pointer, kind and text of all leaves.
fn leaves(format: Format, text: &str) -> Vec<String> {
    let document = parse(format, text);
    let tell = |value: &Value| {
        let text = document.text_of(value).map_or("?".to_owned(), |text| format!("{text:?}"));
        format!("{} {:?} {text}", document.pointer(value), value.kind)
    };
    document.leaves().map(tell).collect()
}

fn replaced(format: Format, text: &str, pointer: &str, plain: &str) -> Result<String, Refusal> {
    let document = parse(format, text);
    let value = document.find(pointer).unwrap_or_else(|error| panic!("{text} {pointer}: {error}"));
    document.replaced(&[(value, plain)]).map(|text| text.to_string())
}

fn edited(document: &Document, edit: &Edit) -> String {
    let text = document.text();
    [&text[..edit.span.start], &edit.text, &text[edit.span.end..]].concat()
}

/// The text with a member added, and what removing it again leaves.
fn inserted(format: Format, text: &str, pointer: &str, plain: &str) -> Result<String, Refusal> {
    let document = parse(format, text);
    let after = edited(&document, &document.insert(pointer, plain)?);
    let again = parse(format, &after);
    assert_eq!(again.text_of(again.find(pointer).unwrap()).unwrap(), plain);
    Ok(after)
}

fn removed(format: Format, text: &str, pointer: &str) -> Result<String, Refusal> {
    let document = parse(format, text);
    let value = document.find(pointer).unwrap_or_else(|error| panic!("{text} {pointer}: {error}"));
    Ok(edited(&document, &document.remove(value)?))
}

#[test]
fn every_format_tells_its_values_by_the_same_pointers() {
    let json = r#"{"a":{"b/c":"x\ty","d":[1,"z",null]},"e~":true}"#;
    assert_eq!(
        leaves(Format::Json, json),
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
        leaves(Format::Yaml, yaml),
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
        leaves(Format::Toml, toml),
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
        leaves(Format::Env, env),
        [r#"/A String "x""#, r#"/B String "y z""#, r#"/C String "1\n2""#, r#"/D String """#]
    );
    let ini = "a = 1\n; c\n[s t]\nb=x y\n# c\nc =\n";
    assert_eq!(leaves(Format::Ini, ini), [r#"/a String "1""#, r#"/s t/b String "x y""#, r#"/s t/c String """#]);
    assert_eq!(leaves(Format::Properties, "! c\na.b=1\nc = x;y\n"), [r#"/a.b String "1""#, r#"/c String "x;y""#]);
}

#[test]
fn a_value_is_found_by_pointer_and_by_dotted_names() {
    let document = parse(Format::Yaml, "a:\n  - b: x\n  - c\n");
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
        (Format::Json, r#"{"a":{"b":1},"a":{}}"#, "/a/b"),
        (Format::Yaml, "a:\n  b: 1\na: {}\n", "/a/b"),
        (Format::Env, "A=1\nA=2\n", "/A"),
        (Format::Ini, "[s]\nA=1\n[s]\nB=2\n", "/s/A"),
        (Format::Ini, "[s]\nA=1\na=2\n", "/s/A"),
    ] {
        let document = parse(format, text);
        assert_eq!(document.find(pointer).err(), Some(Error::DuplicateKey), "{text}");
    }
}

#[test]
fn a_value_is_written_in_the_quotes_that_stand_there() {
    let token = "enc:AAECAw==:Z0FBQUFB-_=";
    for (format, text) in [
        (Format::Json, "\u{feff}{ \"a\" : \"@\",\r\n\t\"b\":[1.50] }\n"),
        (Format::Jsonc, "// c \"\n{ /* { */ \"a\": /**/ \"@\", // }\n \"b\": [1, /*]*/ ], }\n/* d */"),
        (Format::Yaml, "# c\r\nb: {x: 1}\r\na: @ # the one\r\nc: [ d ]\r\n"),
        (Format::Yaml, "a: '@'\n"),
        (Format::Yaml, "b: [1,2]\na: \"@\"   # c\n"),
        (Format::Toml, "a = \"@\" # c\n[b]\nc=1"),
        (Format::Toml, "a='@'"),
        (Format::Env, "export A=1\na=@   # c\nB='x'"),
        (Format::Env, "a='@' # c\r\n"),
        (Format::Env, "a=\"@\"\n"),
        (Format::Ini, "; c\na = @  \n[s]\nx=1\n"),
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
        (Format::Yaml, "a: @\n", "yes", "a: \"yes\"\n"),
        (Format::Yaml, "a: @\n", "1e3", "a: \"1e3\"\n"),
        (Format::Yaml, "a: @\n", "x y", "a: \"x y\"\n"),
        (Format::Yaml, "a: @\n", "1\n2", "a: \"1\\n2\"\n"),
        (Format::Yaml, "a: '@'\n", "it's", "a: 'it''s'\n"),
        (Format::Yaml, "a: {b: @}\n", "enc:x", "a: {b: \"enc:x\"}\n"),
        (Format::Yaml, "a: [@]\n", "plain", "a: [plain]\n"),
        (Format::Yaml, "a: |\n  @\n  more\n\nb: 1\n", "enc:x", "a: enc:x\n\nb: 1\n"),
        (Format::Yaml, "a: >-\n  @\n\n  more\n# c\n", "enc:x", "a: enc:x\n# c\n"),
        (Format::Yaml, "a:\nb: 1\n", "enc:x", "a: enc:x\nb: 1\n"),
        (Format::Yaml, "a: # c\nb: 1\n", "enc:x", "a: enc:x # c\nb: 1\n"),
        (Format::Yaml, "a: 12\n", "enc:x", "a: enc:x\n"),
        (Format::Toml, "a = 12 # c\n", "enc:x", "a = \"enc:x\" # c\n"),
        (Format::Toml, "a = '@'\n", "it's", "a = \"it's\"\n"),
        (Format::Toml, "a = \"\"\"\n@\nmore\"\"\"\n", "enc:x", "a = \"enc:x\"\n"),
        (Format::Toml, "a = '@'\n", "C:\\x", "a = 'C:\\x'\n"),
        (Format::Env, "a=@\n", "x y", "a='x y'\n"),
        (Format::Env, "a=@\n", "it's", "a=\"it's\"\n"),
        (Format::Env, "a='@'\n", "it's", "a=\"it's\"\n"),
        (Format::Env, "a=\n", "x", "a=x\n"),
        (Format::Ini, "a =\n", "x", "a = x\n"),
        (Format::Json, "{\"a\": 12}", "q\"", "{\"a\": \"q\\\"\"}"),
    ] {
        let text = text.replace('@', "value");
        let pointer = leaves(format, &text)[0].split(' ').next().unwrap().to_owned();
        assert_eq!(replaced(format, &text, &pointer, plain).as_deref(), Ok(after), "{text}");
    }
}

#[test]
fn what_readers_disagree_on_is_named_and_left() {
    for (format, text, said) in [
        (Format::Env, "a=x y\n", "a shell ends a value"),
        (Format::Env, "a=x#y\n", "dotenv takes #"),
        (Format::Env, "a=\"x\\n\"\n", "other escapes"),
        (Format::Env, "a='${x}'\n", "python-dotenv fills in"),
        (Format::Env, "a = x\n", "a shell wants ="),
        (Format::Env, "a= x\n", "a shell wants the value"),
        (Format::Env, "a-b=x\n", "no variable of this name"),
        (Format::Ini, "a = x ; c\n", "; and #"),
        (Format::Ini, "a = \"x\"\n", "quotes"),
        (Format::Ini, "a = 50%\n", "%"),
        (Format::Properties, "a = \\u0041b\n", "escape"),
        (Format::Properties, "a = b \n", "spaces"),
    ] {
        let document = parse(format, text);
        let value = document.leaves().next().unwrap();
        let refusal = document.text_of(value).unwrap_err();
        assert!(refusal.what.contains(said), "{text}: {refusal:?}");
    }
}

#[test]
fn what_is_not_a_value_of_its_own_is_not_replaced() {
    for (text, pointer, said) in [
        ("a: &x b\nc: *x\n", "/a", "alias repeats"),
        ("a: &x b\nc: *x\n", "/c", "an alias stands there"),
        ("a: &x {b: c}\nd: *x\n", "/a/b", "alias repeats"),
        ("a: {<<: {b: c}}\n", "/a/<</b", "merged"),
        ("a: !vault x\n", "/a", "tag"),
        ("a: |2\n   x\n", "/a", "first line"),
        ("a: |\n  x", "/a", "an end"),
        ("a: |\n  x\n  ", "/a", "an end"),
        ("a: [?x]\n", "/a/0", "begins a name"),
        ("a: 1\n \t\nb: 2\n", "/a", "a tab follows"),
    ] {
        let document = parse(Format::Yaml, text);
        let refusal = document.find(pointer).unwrap().check_replaceable().unwrap_err();
        assert!(refusal.what.contains(said), "{text}: {refusal:?}");
    }
    let document = parse(Format::Yaml, "a: &unused b\n");
    assert!(document.find("/a").unwrap().check_replaceable().is_ok());
}

#[test]
fn a_text_that_cannot_be_read_without_doubt_is_refused() {
    for (format, text) in [
        (Format::Json, "{\"a\":1,}"),
        (Format::Json, "{\"a\":1} // c"),
        (Format::Jsonc, "{\"a\":1,,}"),
        (Format::Jsonc, "{,}"),
        (Format::Jsonc, "{} /* c"),
        (Format::Jsonc, "{} / c"),
        (Format::Yaml, "a: [b\n"),
        (Format::Yaml, "a: \u{2028}b\n"),
        (Format::Yaml, "a: &b:c d\n"),
        (Format::Toml, "a = \n"),
        (Format::Env, "a='x\n"),
        (Format::Env, "a=it's\n"),
        (Format::Env, "a=x\\\nb=y\n"),
        (Format::Env, "a=(x)\n"),
        (Format::Env, "a: b\n"),
        (Format::Env, "A=1\rB=2\n"),
        (Format::Ini, "server {\n  listen 80;\n}\n"),
        (Format::Ini, "[a]\nb = 1\n  c = 2\n"),
        (Format::Ini, "[a\nb = 1\n"),
        (Format::Ini, "a = b\\\nc\n"),
        (Format::Properties, "[a]\nb=1\n"),
    ] {
        assert!(Document::parse(format, Zeroizing::new(text.to_owned())).is_err(), "{text}");
    }
}

#[test]
fn documents_of_one_yaml_file_are_told_by_their_numbers() {
    assert_eq!(
        leaves(Format::Yaml, "a: x\n---\n- q\n---\nz\n"),
        [r#"/0/a String "x""#, r#"/1/0 String "q""#, r#"/2 String "z""#]
    );
    assert_eq!(leaves(Format::Yaml, "--- # c\nx\n...\n"), [r#" String "x""#]);
    assert!(leaves(Format::Yaml, "# c\n").is_empty());
}

#[test]
fn a_member_is_added_as_its_neighbours_stand() {
    for (format, text, pointer, after) in [
        (Format::Json, "{\n  \"a\": 1\n}\n", "/b", "{\n  \"a\": 1,\n  \"b\": \"x\"\n}\n"),
        (Format::Json, "{\"a\":{\"c\":1}}", "/a/b", "{\"a\":{\"c\":1,\"b\":\"x\"}}"),
        (Format::Json, "{\"a\":[1],\n\t\"c\" : {}}", "/b", "{\"a\":[1],\n\t\"c\" : {},\n\t\"b\":\"x\"}"),
        (Format::Json, "{}", "/a/b", "{\"a\": {\"b\": \"x\"}}"),
        (Format::Jsonc, "{\n  \"a\": 1 // c\n}", "/b", "{\n  \"a\": 1, // c\n  \"b\": \"x\"\n}"),
        (Format::Jsonc, "{\n  \"a\": 1, // c\n}", "/b", "{\n  \"a\": 1, // c\n  \"b\": \"x\",\n}"),
        (Format::Yaml, "a: 1\n# end\n", "/b", "a: 1\nb: x\n# end\n"),
        (
            Format::Yaml,
            "a:\n    c: |\n        y\n    d:\n    - 1\nz: 1\n",
            "/a/b",
            "a:\n    c: |\n        y\n    d:\n    - 1\n    b: x\nz: 1\n",
        ),
        (Format::Yaml, "- a: 1\n  c: 2\n- d\n", "/0/b", "- a: 1\n  c: 2\n  b: x\n- d\n"),
        (Format::Yaml, "a: {c: 1}\n", "/a/b", "a: {c: 1,b: \"x\"}\n"),
        (Format::Yaml, "a: {c: 1, d: 2}\r\n", "/b", "a: {c: 1, d: 2}\r\nb: x\r\n"),
        (Format::Yaml, "a: 1", "/b/c", "a: 1\nb:\n  c: x"),
        (Format::Yaml, "a:\n", "/b", "a:\nb: x\n"),
        (Format::Toml, "a = 1\n\n[t]\nc = 2 # c\n\n[u]\n", "/t/b", "a = 1\n\n[t]\nc = 2 # c\nb = \"x\"\n\n[u]\n"),
        (Format::Toml, "a = 1\n\n[t]\nc = 2\n", "/b", "a = 1\nb = \"x\"\n\n[t]\nc = 2\n"),
        (Format::Toml, "[t]\nc = 2\n", "/b", "b = \"x\"\n[t]\nc = 2\n"),
        (Format::Toml, "[t]\n[u]\n", "/t/b", "[t]\nb = \"x\"\n[u]\n"),
        (Format::Toml, "t = { c = 2 }\n", "/t/b", "t = { c = 2, b = \"x\" }\n"),
        (Format::Toml, "a = 1\n", "/t/b c", "a = 1\nt.\"b c\" = \"x\"\n"),
        (Format::Toml, "[[t]]\na = 1\n[[t]]\na = 2\n", "/t/0/b", "[[t]]\na = 1\nb = \"x\"\n[[t]]\na = 2\n"),
        (Format::Env, "# c\nA='1\n2'\n# d\n", "/B", "# c\nA='1\n2'\nB=x\n# d\n"),
        (Format::Env, "", "/B", "B=x\n"),
        (Format::Env, "A=1", "/B", "A=1\nB=x"),
        (Format::Ini, "[s]\na = 1\n\n[t]\nc = 2\n", "/s/b", "[s]\na = 1\nb = x\n\n[t]\nc = 2\n"),
        (Format::Ini, "[s]\na=1\n", "/t/b", "[s]\na=1\n\n[t]\nb=x\n"),
        (Format::Ini, "[s]\n[t]\nc=1\n", "/s/b", "[s]\nb=x\n[t]\nc=1\n"),
        (Format::Ini, "[s]\nc=1\n", "/b", "b=x\n\n[s]\nc=1\n"),
        (Format::Properties, "a=1\n", "/b.c", "a=1\nb.c=x\n"),
    ] {
        let said = inserted(format, text, pointer, "x");
        assert_eq!(said.as_deref(), Ok(after), "{text} {pointer}");
    }
}

#[test]
fn a_member_is_removed_with_what_belongs_to_it() {
    for (format, text, pointer, after) in [
        (Format::Json, "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "/b", "{\n  \"a\": 1\n}\n"),
        (Format::Json, "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "/a", "{\n  \"b\": 2\n}\n"),
        (Format::Json, "{\"a\":1}", "/a", "{}"),
        (Format::Yaml, "a: 1\nb: x # c\nc: 2\n", "/b", "a: 1\nc: 2\n"),
        (Format::Yaml, "a: 1\nb: |\n  x\n  y\nc: 2\n", "/b", "a: 1\nc: 2\n"),
        (Format::Yaml, "a: {b: 1, c: 2}\n", "/a/b", "a: {c: 2}\n"),
        (Format::Toml, "a = 1\nb = '''\nx'''\nc = 2\n", "/b", "a = 1\nc = 2\n"),
        (Format::Toml, "t = { a = 1, b = 2 }\n", "/t/b", "t = { a = 1 }\n"),
        (Format::Env, "A=1\nexport B='x\ny' # c\nC=2\n", "/B", "A=1\nC=2\n"),
        (Format::Env, "A=1\nB=2", "/B", "A=1"),
        (Format::Ini, "[s]\na=1\nb=2\n", "/s/a", "[s]\nb=2\n"),
    ] {
        assert_eq!(removed(format, text, pointer).as_deref(), Ok(after), "{text} {pointer}");
    }
    for (format, text, pointer) in [
        (Format::Yaml, "a:\n  b: 1\nc: 2\n", "/a/b"),
        (Format::Yaml, "- a: 1\n  b: 2\n", "/0/a"),
        (Format::Toml, "t.a = 1\n", "/t/a"),
    ] {
        assert!(removed(format, text, pointer).is_err(), "{text}");
    }
}

#[test]
fn the_format_is_told_by_the_name() {
    for (name, format) in [
        ("config.json", Some(Format::Json)),
        ("tsconfig.json", Some(Format::Jsonc)),
        ("x.jsonc", Some(Format::Jsonc)),
        ("values.yaml", Some(Format::Yaml)),
        ("C.YML", Some(Format::Yaml)),
        (".env", Some(Format::Env)),
        (".env.local", Some(Format::Env)),
        ("prod.env", Some(Format::Env)),
        ("pyproject.toml", Some(Format::Toml)),
        ("my.conf", Some(Format::Ini)),
        ("x.service", Some(Format::Ini)),
        ("a.properties", Some(Format::Properties)),
        ("Dockerfile", None),
        ("main.tf", None),
    ] {
        assert_eq!(Format::of_name(name), Ok(format), "{name}");
    }
    assert_eq!(Format::of_name(".env.json").unwrap_err().what, "by its name it is env or json");
}

#[test]
fn the_format_of_a_pipe_is_told_by_what_is_in_it() {
    for (text, said) in [
        ("{\"a\": 1}", Ok(Format::Json)),
        ("[1, 2]", Ok(Format::Json)),
        ("// c\n{\"a\": 1,}", Ok(Format::Jsonc)),
        ("a: 1\nb: [c]\n", Ok(Format::Yaml)),
        ("[t]\na = \"x\"\nb = [1, 2]\n[[u]]\n", Ok(Format::Toml)),
        ("export A='x y'\nB=1.a\n", Ok(Format::Env)),
        ("[s]\na = b c\n", Ok(Format::Ini)),
        ("A=1\nB=2\n", Err("by what is in it, it is env or toml or ini")),
        ("A=x\n", Err("by what is in it, it is env or ini")),
        ("hello\n", Err("it has none of the formats that are known")),
        ("", Err("it has none of the formats that are known")),
    ] {
        let told = Format::of_content(text);
        assert_eq!(told.as_ref().map_err(|refusal| &*refusal.what), said.as_ref().map_err(|said| *said), "{text}");
    }
}
