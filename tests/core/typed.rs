//! The typed config: the guide's fields and their defaults, and the texts that are refused rather than misread.
#![allow(clippy::unwrap_used)] // a test ends where something is not as it must be

use fernseal_core::Error;
use fernseal_core::config::{Config, MAX_DEPTH};

const AUTH: &str = r#""auth":{"user":"root@pam","token_name":"t","token_value":"s"}"#;

fn with(proxmox: &str) -> String {
    format!(r#"{{"proxmox":{proxmox},{AUTH}}}"#)
}

#[test]
fn the_guides_fields_are_read_and_what_is_not_given_has_its_default() {
    let text = with(r#"{"host":"pve.example"}"#);
    let config = Config::read(&text).unwrap();
    assert_eq!(config.proxmox.host, "pve.example");
    assert_eq!((config.proxmox.port, config.proxmox.verify_ssl), (8006, true));
    assert_eq!(config.proxmox.service, "PVE");
    assert_eq!(config.auth.user, "root@pam");
    assert_eq!(config.auth.token_name, "t");
    assert_eq!(config.auth.token_value, "s");
    assert_eq!(config.logging.level, "INFO");
    assert!(config.logging.format.is_none() && config.logging.file.is_none());
}

#[test]
fn every_field_can_be_given_in_any_order_among_others_and_behind_a_bom() {
    let text = "\u{feff}{\"logging\":{\"file\":\"/a\",\"level\":\"DEBUG\",\"format\":null},\"x\":[{\"y\":[1,-2.5e3,true,null]}],\
                \"auth\":{\"token_value\":\"enc:x\",\"z\":{},\"user\":\"u\",\"token_name\":\"n\"},\
                \"proxmox\":{\"service\":\"PMG\",\"verify_ssl\":false,\"port\":443,\"host\":\"h\"}}\r\n";
    let config = Config::read(text).unwrap();
    assert_eq!((config.proxmox.port, config.proxmox.verify_ssl), (443, false));
    assert_eq!(config.proxmox.service, "PMG");
    assert_eq!(config.logging.level, "DEBUG");
    assert_eq!(config.logging.file.unwrap(), "/a");
    assert!(config.logging.format.is_none());
}

#[test]
fn escapes_in_names_and_values_are_taken_off() {
    let text = with(r#"{"ho\u0073t":"a\u0062\"\ud83d\ude00"}"#);
    let config = Config::read(&text).unwrap();
    let mut buf = [0xa5; 32];
    assert_eq!(config.proxmox.host.read(&mut buf).unwrap(), "ab\"\u{1f600}");
    assert_eq!(config.proxmox.host, "ab\"\u{1f600}");
    assert_ne!(config.proxmox.host, "ab\"");
    assert_eq!(config.proxmox.host.raw(), r#"a\u0062\"\ud83d\ude00"#);
}

#[test]
fn what_serde_json_core_alone_would_take_is_refused() {
    for proxmox in
        [r#"{"host":"h","x":1.2.3abc}"#, r#"{"host":"h","x":[1 2]}"#, r#"{"host":"h","x":nul}"#, r#"{"host":"h",}"#]
    {
        assert_eq!(Config::read(&with(proxmox)).unwrap_err(), Error::InvalidJson, "{proxmox}");
    }
    let deep = |levels: usize| with(&format!(r#"{{"host":"h","x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels)));
    assert!(Config::read(&deep(MAX_DEPTH - 2)).is_ok());
    assert_eq!(Config::read(&deep(MAX_DEPTH - 1)).unwrap_err(), Error::TooDeep);
    assert_eq!(Config::read(&deep(200_000)).unwrap_err(), Error::TooDeep);
}

#[test]
fn a_field_that_is_missing_twice_there_or_of_another_type_is_refused() {
    for proxmox in [
        r#"{}"#,
        r#"{"host":1}"#,
        r#"{"host":"h","host":"g"}"#,
        r#"{"host":"h","port":"8006"}"#,
        r#"{"host":"h","port":65536}"#,
        r#"{"host":"h","port":8006.0}"#,
        r#"{"host":"h","port":-1}"#,
        r#"{"host":"h","verify_ssl":1}"#,
        r#"{"host":"h","\ud83d\ude00":1}"#,
        r#"["h"]"#,
        r#"null"#,
    ] {
        assert_eq!(Config::read(&with(proxmox)).unwrap_err(), Error::NotAConfig, "{proxmox}");
    }
    assert_eq!(Config::read(r#"{"proxmox":{"host":"h"}}"#).unwrap_err(), Error::NotAConfig);
    assert_eq!(Config::read("").unwrap_err(), Error::InvalidJson);
}

#[test]
fn debug_hides_the_secret() {
    let text = with(r#"{"host":"h"}"#).replace(r#":"s""#, r#":"hunter2""#);
    assert!(!format!("{:?}", Config::read(&text).unwrap()).contains("hunter2"));
}
