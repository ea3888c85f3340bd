//! The typed config: it reads fields and defaults as ProxmoxMCP does, and rejects invalid configs. The tests compare it
//! with serde_json on random documents, and try deep and malformed ones that serde-json-core alone would accept.

use crate::common::{MASTER, counting};
use fernseal_core::config::{self, Config};
use fernseal_core::{Error, MasterKey};
use proptest::prelude::*;
use serde_json::Value;

const FULL: &str = r#"{
  "proxmox": {"host": "pve.example.org", "port": 443, "verify_ssl": false, "service": "PBS"},
  "auth": {"user": "root@pam", "token_name": "mcp", "token_value": "aaaaaaaa-bbbb"},
  "logging": {"level": "DEBUG", "format": "%(message)s", "file": "/var/log/mcp.log"}
}"#;

const LEAST: &str = r#"{"auth":{"user":"u","token_name":"n","token_value":"v"},"proxmox":{"host":"h"}}"#;

#[test]
fn every_field_is_read() {
    let config = Config::read(FULL).unwrap();
    assert_eq!(config.proxmox.host, "pve.example.org");
    assert_eq!(config.proxmox.port, 443);
    assert!(!config.proxmox.verify_ssl);
    assert_eq!(config.proxmox.service, "PBS");
    assert_eq!(config.auth.user, "root@pam");
    assert_eq!(config.auth.token_name, "mcp");
    assert_eq!(config.auth.token_value, "aaaaaaaa-bbbb");
    assert_eq!(config.logging.level, "DEBUG");
    assert_eq!(config.logging.format, "%(message)s");
    assert_eq!(config.logging.file.unwrap(), "/var/log/mcp.log");
    // The strings are borrowed from the text.
    assert!(FULL.as_bytes().as_ptr_range().contains(&config.auth.user.raw().as_ptr()));
}

#[test]
fn what_is_not_said_has_the_originals_defaults() {
    for json in [LEAST, &LEAST.replace("{\"auth\"", "{\"logging\":{\"file\":null},\"auth\"")] {
        let config = Config::read(json).unwrap();
        assert_eq!((config.proxmox.port, config.proxmox.verify_ssl), (8006, true));
        assert_eq!(config.proxmox.service, "PVE");
        assert_eq!(config.logging.level, "INFO");
        assert_eq!(config.logging.format, "%(asctime)s - %(name)s - %(levelname)s - %(message)s");
        assert_eq!(config.logging.file, None);
    }
}

#[test]
fn a_secret_is_opened_and_hidden_from_debug() {
    let master = MasterKey::from_text(MASTER).unwrap();
    let mut out = vec![0xa5; 1024];
    let sealed = config::seal(FULL, &[config::TOKEN_VALUE], &master, 0, &mut counting(), &mut out).unwrap();
    let sealed = sealed.replace("enc:", "enc\\u003a");
    let config = Config::read(&sealed).unwrap();
    assert!(config.auth.token_value.is_sealed() && !config.auth.user.is_sealed());
    let keys = [master];
    let mut out = vec![0xa5; config.auth.token_value.raw().len()];
    assert_eq!(config.auth.token_value.open(&keys, &mut out), Ok("aaaaaaaa-bbbb"));
    assert_eq!(config.auth.token_value.open(&[], &mut out), Err(Error::AuthenticationFailed));
    assert!(out.iter().all(|byte| *byte == 0));
    assert_eq!(config.auth.user.open(&[], &mut out), Ok("root@pam"));

    let shown = format!("{:?} {:?}", Config::read(FULL).unwrap(), config);
    assert!(shown.contains("root@pam") && !shown.contains("aaaaaaaa") && !shown.contains("enc"), "{shown}");
}

#[test]
fn escapes_are_taken_off_and_surrogate_pairs_joined() {
    let json = LEAST.replace("\"u\"", r#""\u00fc\/\n\"\\\ud83d\ude00""#);
    let user = Config::read(&json).unwrap().auth.user;
    assert_eq!(user, "ü/\n\"\\😀");
    assert_eq!(user.as_str(), None);
    let mut out = [0xa5; 64];
    assert_eq!(user.unescape(&mut out), Ok("ü/\n\"\\😀"));
    assert_eq!(user, Config::read(&json.replace("\\/", "/")).unwrap().auth.user, "written otherwise");
    assert_ne!(user, Config::read(LEAST).unwrap().auth.user);
    for other in ["ü/\n\"\\", "ü/\n\"\\😀.", "x", ""] {
        assert_ne!(user, other);
        assert_ne!(user, *other);
    }
    let half = LEAST.replace("\"u\"", r#""\ud83d""#);
    assert_eq!(Config::read(&half).unwrap().auth.user.unescape(&mut out), Err(Error::NotUtf8));
    assert_eq!(Config::read(LEAST).unwrap().auth.user.as_str(), Some("u"));
}

#[test]
fn fields_it_does_not_know_are_ignored_whatever_they_hold() {
    let long = "\\n".repeat(5000);
    for junk in [
        "1.5e-7".to_owned(),
        "[]".to_owned(),
        "[[],{},[{\"host\":1}]]".to_owned(),
        "{\"host\":\"x\",\"auth\":{}}".to_owned(),
        format!("\"{long}\\ud83d\\ude00\\ud83d\""),
        "null".to_owned(),
    ] {
        let json = LEAST.replacen('{', &format!("\u{feff}{{\"x\\u0031\":{junk} ,\n"), 1);
        let json = json.replace("\"host\"", &format!("\"more\" : {junk}\t, \"host\""));
        let config = Config::read(&json).unwrap_or_else(|error| panic!("{error:?} {json:.200}"));
        assert_eq!(config, Config::read(LEAST).unwrap());
    }
}

#[test]
fn sixteen_levels_are_read_and_no_more() {
    let nested = |levels: usize| format!("{{\"x\":{}{},{}", "[".repeat(levels), "]".repeat(levels), &LEAST[1..]);
    assert!(Config::read(&nested(config::MAX_DEPTH - 1)).is_ok());
    assert_eq!(Config::read(&nested(config::MAX_DEPTH)), Err(Error::TooDeep));
    assert_eq!(Config::read(&nested(1000)), Err(Error::TooDeep));
    assert_eq!(Config::read(&"[".repeat(1_000_000)), Err(Error::TooDeep));
    assert_eq!(Config::read(&"{\"x\":".repeat(1_000_000)), Err(Error::TooDeep));
}

#[test]
fn junk_that_serde_json_core_skips_is_refused() {
    for junk in ["1.2.3abc", "[1 2]", "01", "nul", "\"\\x\"", "[1,]", "{\"a\" 1}", "+1", "'x'", "NaN", ""] {
        let json = format!("{{\"x\":{junk},{}", &LEAST[1..]);
        assert_eq!(Config::read(&json), Err(Error::InvalidJson), "{json}");
    }
    assert_eq!(Config::read(&format!("{LEAST} x")), Err(Error::InvalidJson));
    assert_eq!(Config::read(&format!("\u{feff}\u{feff}{LEAST}")), Err(Error::InvalidJson));
    assert_eq!(Config::read(""), Err(Error::InvalidJson));
}

#[test]
fn a_field_without_a_default_must_be_there() {
    for field in ["user", "token_name", "token_value", "host", "auth", "proxmox"] {
        let json = LEAST.replace(&format!("\"{field}\""), "\"other\"");
        assert_eq!(Config::read(&json), Err(Error::NotFound), "{json}");
    }
    assert_eq!(Config::read("{}"), Err(Error::NotFound));
}

#[test]
fn a_value_of_another_kind_is_refused() {
    for (field, wrong) in [
        ("host", "1 null true [] {}"),
        ("port", "\"8006\" null -1 65536 8006.0 8e3 1.5 true [] 99999999999999999999"),
        ("verify_ssl", "\"true\" null 1 []"),
        ("service", "null 1"),
        ("user", "null 1 false"),
        ("token_name", "null"),
        ("token_value", "null [\"v\"]"),
        ("level", "null 10"),
        ("format", "null {}"),
        ("file", "1 false [\"x\"]"),
        ("proxmox", "null [] \"x\" 1"),
        ("auth", "null [] [\"u\",\"n\",\"v\"]"),
        ("logging", "null [] \"x\""),
    ] {
        for wrong in wrong.split(' ') {
            let mut json: Value = serde_json::from_str(FULL).unwrap();
            let place = match field {
                "proxmox" | "auth" | "logging" => &mut json[field],
                _ => json.as_object_mut().unwrap().values_mut().find_map(|section| section.get_mut(field)).unwrap(),
            };
            *place = Value::String("HERE".to_owned());
            let json = json.to_string().replace("\"HERE\"", wrong);
            assert_eq!(Config::read(&json), Err(Error::UnexpectedKind), "{json}");
        }
    }
    for root in ["[]", "1", "\"x\"", "null"] {
        assert_eq!(Config::read(root), Err(Error::UnexpectedKind), "{root}");
    }
}

#[test]
fn names_that_readers_disagree_on_are_refused() {
    for field in ["proxmox", "auth", "logging", "host", "port", "verify_ssl", "service", "user", "token_name"] {
        let name = format!("\"{field}\":");
        let json: String = FULL.split_whitespace().collect();
        let twice = json.replacen(&name, &format!("{name}1,{name}"), 1);
        assert_eq!(Config::read(&twice), Err(Error::DuplicateKey), "{twice}");
        let hidden = format!("\"\\u{:04x}{}\":", u32::from(field.as_bytes()[0]), &field[1..]);
        let twice = json.replacen(&name, &format!("{hidden}1,{name}"), 1);
        assert_eq!(Config::read(&twice), Err(Error::DuplicateKey), "{twice}");
        let escaped = json.replacen(&name, &hidden, 1);
        assert_eq!(Config::read(&escaped), Err(Error::EscapedName), "{escaped}");
    }
}

/// Generates JSON values whose member names are sometimes those of a config.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\"\\\\\n😀]{0,6}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        "[a-z]{1,4}".boxed(),
        Just("host".to_owned()).boxed(),
        Just("port".to_owned()).boxed(),
        Just("auth".to_owned()).boxed()
    ];
    leaf.prop_recursive(4, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_reads_what_serde_json_reads(junk in prop::collection::vec(("[a-z]{5,9}-", value()), 0..4), port: u16, user in "\\PC{0,8}") {
        let mut json: Value = serde_json::from_str(LEAST).unwrap();
        json["proxmox"]["port"] = port.into();
        json["auth"]["user"] = user.clone().into();
        for (name, value) in junk {
            json[&name] = value.clone();
            json["auth"][&name] = value;
        }
        for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
            let config = Config::read(&text).unwrap();
            prop_assert_eq!(config.proxmox.port, port);
            prop_assert_eq!(config.auth.user, &*user);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:\\\\a-z0-9 .-]{0,60}", at in 0..LEAST.len()) {
        let _ = Config::read(&text);
        let _ = Config::read(&format!("{}{text}{}", &LEAST[..at], &LEAST[at..]));
    }
}
