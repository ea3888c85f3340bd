//! The JSON scanner: it accepts exactly RFC 8259, within its limits, and finds the position of every string. The first
//! tests use hand-written lists. The others compare it with serde_json on generated and mutated documents; where the
//! two differ on purpose (a byte order mark, depth, lone surrogates), the test says so.

use fernseal_core::Error;
use fernseal_core::json::{self, Kind};
use proptest::prelude::*;
use serde_json::Value;

/// Finds the second of two equal names on the path to a string that is written `raw`.
fn duplicate(text: &str, paths: usize, raw: &str) -> Result<Option<usize>, Error> {
    let mut levels = vec![json::Level::default(); json::MAX_DEPTH];
    let is_wanted = |kind, span: std::ops::Range<usize>| {
        kind == Kind::String && text.get(span.start + 1..span.end - 1) == Some(raw)
    };
    json::find_duplicate(text, &mut levels, &mut vec![json::PathHash::default(); paths], is_wanted)
}

fn accepts(text: &str) -> Result<(), Error> {
    json::root(text).map(|_| ())
}

#[test]
fn what_rfc_8259_allows_is_read() {
    for text in [
        "0",
        "-0",
        "1",
        "-1",
        "10",
        "1.0",
        "0.10",
        "1e5",
        "1E+5",
        "1e-05",
        "-1.5e300",
        "1e999999",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        "[[]]",
        "{\"\":{}}",
        " \t\r\n1\t\r\n ",
        "[1,2,3]",
        "[ 1 , 2 ]",
        "{\"a\":1,\"b\":[{}]}",
        "{\"a\":1,\"a\":2}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\u{7f}\u{80}\u{2028}ü😀\"",
        "\u{feff}{}",
        "\u{feff} [1]\n",
    ] {
        assert_eq!(accepts(text), Ok(()), "{text:?}");
    }
    let digits = "9".repeat(5_000);
    assert_eq!(accepts(&format!("[{digits}, -{digits}.{digits}e{digits}]")), Ok(()));
}

#[test]
fn what_rfc_8259_does_not_allow_is_refused() {
    for text in [
        "",
        " ",
        "\u{feff}",
        "\u{feff}\u{feff}{}",
        " \u{feff}{}",
        "{}\u{feff}",
        "\u{a0}{}",
        "\x0c{}",
        "{}\0",
        "\0",
        "01",
        "-",
        "-a",
        "+1",
        "1.",
        ".5",
        "1.e5",
        "1e",
        "1e+",
        "0x1",
        "1_000",
        "NaN",
        "Infinity",
        "-Infinity",
        "True",
        "tru",
        "truee",
        "nul",
        "nulll",
        "'a'",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\",
        "\"\\a\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\U0041\"",
        "\"\n\"",
        "\"\t\"",
        "\"\0\"",
        "\"\u{1f}\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "}",
        "{]",
        "{\"a\":1]",
        "[{\"a\":1]]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\"::1}",
        "{\"a\":}",
        "1 2",
        "{}{}",
        "[] []",
        "{} x",
        "// c\n{}",
        "/* */{}",
        "{}//",
    ] {
        assert_eq!(accepts(text), Err(Error::InvalidJson), "{text:?}");
    }
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let thread = std::thread::Builder::new().stack_size(64 * 1024).spawn(move || {
        for text in [nested(1_000), objects(1_000), nested(json::MAX_DEPTH), objects(json::MAX_DEPTH)] {
            assert_eq!(accepts(&text), Ok(()));
        }
        for text in [nested(json::MAX_DEPTH + 1), objects(json::MAX_DEPTH + 1), nested(200_000), "[".repeat(200_000)] {
            assert_eq!(accepts(&text), Err(Error::TooDeep));
            assert_eq!(json::find(&text, "/a").map(|_| ()), Err(Error::TooDeep));
            assert_eq!(json::strings(&text).last().map(|last| last.map(|_| ())), Some(Err(Error::TooDeep)));
        }
        let text = objects(1_000);
        assert_eq!(json::find(&text, &"/a".repeat(1_000)).unwrap().raw(), "1");
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn a_fault_is_found_at_its_offset_and_ends_the_walk() {
    let mut events = json::Events::new("{\"a\": [1, x]}");
    assert!(events.by_ref().any(|event| event == Err(Error::InvalidJson)));
    assert_eq!(events.offset(), 10);
    assert_eq!(events.next(), None);
}

#[test]
fn pointers_find_what_rfc_6901_says() {
    // The document and the pointers are those of RFC 6901 §5.
    let text = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
    for (pointer, raw) in [
        ("/foo", r#"["bar","baz"]"#),
        ("/foo/0", "bar"),
        ("/foo/1", "baz"),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ("/k\"l", "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
    ] {
        assert_eq!(json::find(text, pointer).unwrap().raw(), raw, "{pointer}");
    }
    assert_eq!(json::find(text, "").unwrap().span(), 0..text.len());
    assert_eq!(json::find(text, "").unwrap().kind(), Kind::Object);
    assert_eq!(json::find(text, "foo.1").unwrap().raw(), "baz");
    assert_eq!(json::find(text, "a/b").unwrap().raw(), "1", "a dotted name may hold a slash");
    for pointer in [
        "/foo/2",
        "/foo/01",
        "/foo/-",
        "/foo/+1",
        "/foo/ 1",
        "/foo/99999999999999999999",
        "/fo",
        "/foo/0/x",
        "/FOO",
        "/a/b",
        "foo.",
        "//",
    ] {
        assert_eq!(json::find(text, pointer).map(|_| ()), Err(Error::NotFound), "{pointer}");
    }
    for pointer in ["/m~", "/m~2n", "/~", "/a~"] {
        assert_eq!(json::find(text, pointer).map(|_| ()), Err(Error::InvalidPointer), "{pointer}");
    }
}

#[test]
fn each_item_is_found_by_its_index() {
    let items: Vec<String> = (1_000..1_120).map(|item| item.to_string()).collect();
    let text = format!("[{}]", items.join(","));
    for (index, item) in items.iter().enumerate() {
        assert_eq!(json::find(&text, &format!("/{index}")).unwrap().raw(), item);
    }
    assert_eq!(json::find(&text, "/120").map(|_| ()), Err(Error::NotFound));
}

#[test]
fn a_step_is_written_in_the_escapes_of_pointers_without_those_of_json() {
    let mut pointer = String::new();
    for raw_name in [r"a\/b", r"~\u00fc\/", "", r"\ud83d\ude00", r"\ud800\x"] {
        json::write_step(&mut pointer, raw_name).unwrap();
    }
    assert_eq!(pointer, "/a~1b/~0ü~1//😀/\u{fffd}\u{fffd}");
}

#[test]
fn in_names_joined_by_dots_a_tilde_is_a_tilde() {
    let text = r#"{"a~1b":{"m~0n":"x"},"a/b":{"m~n":"y"}}"#;
    assert_eq!(json::find(text, "a~1b.m~0n").unwrap().raw(), "x");
    assert_eq!(json::find(text, "/a~1b/m~0n").unwrap().raw(), "y");
    assert_eq!(json::find(text, "a/b.m~n").unwrap().raw(), "y");
}

#[test]
fn escapes_in_names_are_seen_through() {
    let text = r#"{"\u0061uth":{"token\u005fvalue":"x","\ud83d\ude00":"y","\u00fc/":"z"}}"#;
    assert_eq!(json::find(text, "/auth/token_value").unwrap().raw(), "x");
    assert_eq!(json::find(text, "auth.token_value").unwrap().raw(), "x");
    assert_eq!(json::find(text, "/auth/😀").unwrap().raw(), "y");
    assert_eq!(json::find(text, "/auth/ü~1").unwrap().raw(), "z");
}

#[test]
fn a_name_that_occurs_twice_on_the_way_is_reported() {
    for text in [
        r#"{"a":{"b":1},"a":{"b":2}}"#,
        r#"{"a":{"b":1},"\u0061":0}"#,
        r#"{"a":0,"x":1,"a":{"b":2}}"#,
        r#"{"a":{"b":1,"c":2,"b":3}}"#,
        r#"{"a":{"b":1,"\u0062":[]}}"#,
    ] {
        assert_eq!(json::find(text, "/a/b").map(|_| ()), Err(Error::DuplicateKey), "{text}");
    }
    let elsewhere = r#"{"x":1,"x":2,"a":{"b":"v","c":{"d":1,"d":2}},"y":[{"a":1,"a":1}]}"#;
    assert_eq!(json::find(elsewhere, "/a/b").unwrap().raw(), "v");
    assert_eq!(duplicate(elsewhere, 64, "v"), Ok(None));

    let twice = r#"{"a":["s",{"b":"t"}],"c":"u","a":1}"#;
    let at = twice.rfind("\"a\"");
    assert_eq!(["s", "t", "u"].map(|raw| duplicate(twice, 64, raw)), [Ok(at), Ok(at), Ok(None)]);
}

#[test]
fn two_equal_names_are_found_however_little_memory_there_is() {
    let text = r#"[{"a":{"b":"x","c":["x",{"d":"x"}]},"e":{"b":"x"}},{"a":"x","z":0,"z":1,"e":{"f":"x","f":2}},"x"]"#;
    let last = text.rfind("\"f\"");
    for paths in 5..40 {
        assert_eq!(duplicate(text, paths, "x"), Ok(last), "{paths}");
        assert_eq!(duplicate(&text.replace("\"f\":2", "\"g\":2"), paths, "x"), Ok(None), "{paths}");
    }
    for paths in 0..5 {
        assert_eq!(duplicate(text, paths, "x"), Err(Error::BufferTooSmall), "{paths}");
    }
    assert_eq!(duplicate(text, 0, "y"), Ok(None));
    assert_eq!(duplicate("[\"x\"", 64, "x"), Err(Error::InvalidJson));
}

#[test]
fn a_walk_knows_the_pointer_of_each_event() {
    let text = r#"{"a":[1,{"b/c":[],"":{}}],"\u0064":null}"#;
    let mut walk = json::Walk::new(text, vec![json::Level::default(); 4]);
    let mut pointers = Vec::new();
    while let Some(event) = walk.next() {
        let mut pointer = String::new();
        walk.write_pointer(&mut pointer).unwrap();
        pointers.push((text.get(walk.offset() - 1..walk.offset()).unwrap(), pointer));
        event.unwrap();
    }
    let pointers: Vec<String> = pointers.into_iter().map(|(last, pointer)| format!("{last} {pointer}")).collect();
    assert_eq!(
        pointers,
        [
            "{ ",
            "\" /a",
            "[ /a",
            "1 /a/0",
            "{ /a/1",
            "\" /a/1/b~1c",
            "[ /a/1/b~1c",
            "] /a/1/b~1c",
            "\" /a/1/",
            "{ /a/1/",
            "} /a/1/",
            "} /a/1",
            "] /a",
            "\" /d",
            "l /d",
            "} "
        ]
    );
}

#[test]
fn a_walk_is_as_deep_as_its_levels() {
    for (text, depth) in [("[[]]", 2), ("{\"a\":{\"a\":[1]}}", 3), ("1", 0)] {
        let walk = |levels: usize| json::Walk::new(text, vec![json::Level::default(); levels]).find_map(Result::err);
        assert_eq!(walk(depth), None, "{text}");
        if depth > 0 {
            assert_eq!(walk(depth - 1), Some(Error::TooDeep), "{text}");
        }
    }
}

#[test]
fn each_control_character_has_its_one_escape() {
    let plain: String = (0..=0x22_u8).chain([b'/', b'\\', 0x7f]).map(char::from).collect();
    let escaped = "\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f\\u0010\\u0011\\u0012\\u0013\
                   \\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f !\\\"/\\\\\u{7f}";
    let mut out = [0xa5; 256];
    assert_eq!(json::escape(&plain, &mut out), Ok(escaped));
    let mut out = [0xa5; 256];
    assert_eq!(json::unescape(escaped, &mut out), Ok(&*plain));
    let mut out = [0xa5; 16];
    assert_eq!(json::unescape("\\/\\u00E9\\uFfFd", &mut out), Ok("/é\u{fffd}"));
}

#[test]
fn a_lone_surrogate_is_accepted_but_never_unescaped() {
    let text = r#"{"a":"\ud800","b":"ok"}"#;
    assert_eq!(json::find(text, "/b").unwrap().raw(), "ok");
    let mut out = [0xa5; 64];
    assert_eq!(json::unescape(json::find(text, "/a").unwrap().raw(), &mut out), Err(Error::NotUtf8));
    assert!(out.iter().all(|byte| *byte == 0));
    for raw in ["\\", "\\u12", "\\x", "\\u", "\\uD83D\\u12"] {
        assert_eq!(json::unescape(raw, &mut out), Err(Error::InvalidJson), "{raw}");
    }
}

/// Generates documents with random whitespace and escapes.
fn document() -> impl Strategy<Value = String> {
    let space = || prop::sample::select(vec!["", "", "", " ", "\n", "\t", "\r\n", "  "]);
    let string = prop::collection::vec(
        prop_oneof![
            "[ -!#-\\[\\]-~äß€😀\u{7f}]{0,6}".prop_map(|text| text),
            prop::sample::select(vec![
                "\\n",
                "\\\"",
                "\\\\",
                "\\/",
                "\\u0041",
                "\\u00fc",
                "\\ud83d\\ude00",
                "\\u0000",
                "\\b",
                "enc:",
                "/",
                "~",
            ])
            .prop_map(str::to_owned),
        ],
        0..4,
    )
    .prop_map(|parts| format!("\"{}\"", parts.concat()));
    let number = prop::sample::select(vec!["0", "-0", "1", "-12.5", "1e3", "2E-2", "123456789012345678901234567890"]);
    let word = prop::sample::select(vec!["true", "false", "null"]);
    let leaf = prop_oneof![3 => string.clone(), 1 => number.prop_map(str::to_owned), 1 => word.prop_map(str::to_owned)];
    let value = leaf.prop_recursive(5, 40, 6, move |inner| {
        let item = (space(), inner.clone(), space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let member = (space(), string.clone(), space(), space(), inner, space())
            .prop_map(|(a, name, b, c, value, d)| format!("{a}{name}{b}:{c}{value}{d}"));
        prop_oneof![
            (space(), prop::collection::vec(item, 0..6)).prop_map(|(space, items)| if items.is_empty() {
                format!("[{space}]")
            } else {
                format!("[{}]", items.join(","))
            }),
            (space(), prop::collection::vec(member, 0..6)).prop_map(|(space, members)| if members.is_empty() {
                format!("{{{space}}}")
            } else {
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    (space(), value, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"))
}

/// Generates documents in which a few characters are changed, removed or inserted.
fn mutated() -> impl Strategy<Value = String> {
    let change = (
        any::<prop::sample::Index>(),
        0..3,
        prop::sample::select("{}[]\",:\\u0 1e.-+tfn/\t\x01ü".chars().collect::<Vec<_>>()),
    );
    (document(), prop::collection::vec(change, 1..4)).prop_map(|(text, changes)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (index, kind, char) in changes {
            let at = index.index(chars.len() + 1);
            match kind {
                0 => chars.insert(at, char),
                1 if at < chars.len() => drop(chars.remove(at)),
                _ if at < chars.len() => chars[at] = char,
                _ => {}
            }
        }
        chars.into_iter().collect()
    })
}

/// Returns whether serde_json accepts the text as JSON. It ignores the values, so that it accepts numbers of any size.
fn serde_accepts(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Collects the strings of a serde_json value with their pointers, in the order of the document.
fn serde_strings(value: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((pointer.to_owned(), text.clone())),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                serde_strings(item, &format!("{pointer}/{at}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                serde_strings(member, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

fn our_strings(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for value in json::strings(text) {
        let value = value.unwrap();
        let mut out = vec![0; value.raw().len()];
        found.push((value.pointer().to_string(), json::unescape(value.raw(), &mut out).unwrap().to_owned()));
    }
    found
}

fn duplicate_on_the_way(text: &str, value: &json::Value<'_>) -> Option<usize> {
    let mut levels = [json::Level::default(); 64];
    let mut paths = [json::PathHash::default(); 64];
    json::find_duplicate(text, &mut levels, &mut paths, |_, span| span.start == value.span().start).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn generated_documents_are_read_as_serde_json_reads_them(text in document()) {
        prop_assert_eq!(accepts(&text), Ok(()));
        prop_assert!(serde_accepts(&text));
        let mut theirs = Vec::new();
        serde_strings(&serde_json::from_str(&text).unwrap(), "", &mut theirs);
        let mut ours = our_strings(&text);
        // If members have the same name, serde_json keeps the last one. It also sorts the members.
        ours.retain(|(pointer, _)| json::find(&text, pointer).err() != Some(Error::DuplicateKey));
        theirs.retain(|(pointer, _)| json::find(&text, pointer).err() != Some(Error::DuplicateKey));
        ours.sort();
        theirs.sort();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn mutated_documents_are_accepted_exactly_when_serde_json_accepts_them(text in mutated()) {
        prop_assert_eq!(accepts(&text).is_ok(), serde_accepts(&text), "{:?}", text);
    }

    #[test]
    fn every_string_is_found_again_at_its_pointer(text in document()) {
        for value in json::strings(&text) {
            let value = value.unwrap();
            match json::find(&text, &value.pointer().to_string()) {
                Ok(found) => {
                    prop_assert_eq!(found.span(), value.span());
                    prop_assert_eq!(duplicate_on_the_way(&text, &value), None);
                }
                Err(error) => {
                    prop_assert_eq!(error, Error::DuplicateKey);
                    prop_assert!(duplicate_on_the_way(&text, &value).is_some());
                }
            }
        }
    }

    #[test]
    fn replacing_a_string_changes_its_span_and_nothing_else(
        text in document(), which in any::<prop::sample::Index>(), new in "\\PC{0,12}[\"\\\\\u{0}\n]{0,2}",
    ) {
        let values: Vec<_> = json::strings(&text).map(Result::unwrap).collect();
        if values.is_empty() {
            return Ok(());
        }
        let value = which.get(&values);
        let mut out = vec![0; json::escaped_len(&new)];
        let escaped = json::escape(&new, &mut out).unwrap();
        let span = value.span();
        let replaced = format!("{}\"{escaped}\"{}", &text[..span.start], &text[span.end..]);
        prop_assert!(serde_accepts(&replaced));
        let mut expected = our_strings(&text);
        which.get_mut(&mut expected).1 = new;
        prop_assert_eq!(our_strings(&replaced), expected);
    }

    #[test]
    fn what_is_escaped_is_unescaped_by_both_readers(text in any::<String>()) {
        let mut out = vec![0; json::escaped_len(&text)];
        let escaped = json::escape(&text, &mut out).unwrap().to_owned();
        prop_assert_eq!(&serde_json::from_str::<String>(&format!("\"{escaped}\"")).unwrap(), &text);
        let mut back = vec![0; text.len()];
        prop_assert_eq!(json::unescape(&escaped, &mut back), Ok(&*text));
    }
}

#[test]
fn a_byte_order_mark_is_the_one_thing_that_serde_json_refuses_and_we_read() {
    assert!(!serde_accepts("\u{feff}{}"));
    assert_eq!(accepts("\u{feff}{}"), Ok(()));
}

#[cfg(feature = "jsonc")]
#[test]
fn comments_and_trailing_commas_are_read_where_wanted() {
    use fernseal_core::json::{Event, Events};

    let strings = |text: &str| -> Result<Vec<String>, Error> {
        let event = |event| match event {
            Ok(Event::String(span) | Event::Name(span)) => Some(Ok(text[span].to_owned())),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        };
        Events::relaxed(text).filter_map(event).collect()
    };
    for (text, said) in [
        ("{\"a\":\"b\"}", vec!["\"a\"", "\"b\""]),
        ("\u{feff}// \"c\"\r\n{/**/\"a\"//x\n:/* \"d\" // */\"b\",//y\n}", vec!["\"a\"", "\"b\""]),
        ("[\"//a\",[],{},[1,],\"/*b*/\" , /*,*/ ]//", vec!["\"//a\"", "\"/*b*/\""]),
        ("/***/1", vec![]),
    ] {
        assert_eq!(strings(text).unwrap(), said, "{text}");
        let is_strict = !text.contains(",]") && !text.contains("/*") && !text.contains('\r');
        assert_eq!(json::root(text).is_ok(), is_strict, "{text}");
    }
    for text in [
        "[,]",
        "{,}",
        "[1,,]",
        "[1]/*",
        "[1]/",
        "[1 /* */ 2]",
        "/* [1]",
        "[1]/*/",
        "# c\n1",
        "",
        "// c",
        "{\"a\":1,/*}",
    ] {
        assert_eq!(strings(text), Err(Error::InvalidJson), "{text}");
    }
}
