//! Opens and seals configs as people write them, and checks that all bytes outside the values stay the same. Covers
//! line ends, byte order marks, whitespace, escapes, placeholders, damaged tokens and several keys.

use crate::common::{MASTER, Script, counting, unhex};
use fernseal_core::config::{self, ValueKind};
use fernseal_core::{Error, MasterKey, kdf, token};

/// Returns the token of `plain` in the given form.
fn token_for(master: &MasterKey, plain: &[u8], format: token::Format) -> String {
    let key = format.key_params().derive(master);
    let mut out = vec![0; token::token_len(plain.len())];
    token::seal_with(&key, &format, plain, 0, &mut counting(), &mut out).unwrap().to_owned()
}

fn master() -> MasterKey {
    MasterKey::from_text(MASTER).unwrap()
}

const ODD: &str = "\u{feff}{ \"logging\" : {\"level\":\"DEBUG\",\"n\":1.50e+00},\r\n\t\"\\u0061uth\":\r\n\
                   {\"token_name\":\"\\u00fc\\/\", \"token_value\" : \"SECRET\"},\"x\":[null,true,\"enc\"]  }";

#[test]
fn opening_changes_the_tokens_and_nothing_else() {
    let sealed = ODD.replace("SECRET", &token_for(&master(), b"s3cret", token::Format::Legacy));
    let mut out = vec![0xa5; sealed.len()];
    assert_eq!(config::open(&sealed, &[master()], &mut out), Ok(&*ODD.replace("SECRET", "s3cret")));
    assert_eq!(config::get(&sealed, "/auth/token_value", &[master()], &mut out), Ok("s3cret"));
    assert_eq!(config::get(&sealed, "auth.token_name", &[], &mut out), Ok("ü/"));
    assert_eq!(config::get(&sealed, "/logging/n", &[], &mut out), Ok("1.50e+00"));
    assert_eq!(config::get(&sealed, "/auth", &[], &mut out), Err(Error::NotAString));
}

#[test]
fn tokens_that_share_a_salt_cost_one_derivation() {
    let token = token_for(&master(), b"s", token::Format::Legacy);
    let time = |count: usize| {
        let json = format!("[{}0]", format!("\"{token}\",").repeat(count));
        let mut out = vec![0xa5; json.len()];
        let start = std::time::Instant::now();
        config::open(&json, &[master()], &mut out).unwrap();
        start.elapsed()
    };
    // The two are timed in turn, and the best time of each counts, because the machine may be busy.
    let times: Vec<_> = (0..10).map(|_| (time(1), time(50))).collect();
    let (one, many) = (times.iter().map(|time| time.0).min().unwrap(), times.iter().map(|time| time.1).min().unwrap());
    assert!(many < one * 10, "{one:?} for one, {many:?} for fifty");
}

#[test]
fn sealing_changes_the_named_values_and_nothing_else() {
    let mut out = vec![0xa5; ODD.len() + token::token_len(6)];
    let sealed = config::seal(ODD, &["/auth/token_value"], &master(), 0, &mut counting(), &mut out).unwrap().to_owned();
    let (before, after) = ODD.split_once("SECRET").unwrap();
    let sealed_token = sealed.strip_prefix(before).unwrap().strip_suffix(after).unwrap();
    let mut plain = vec![0; token::open_len(sealed_token.len())];
    assert_eq!(token::open(&master(), sealed_token, &mut plain), Ok(&b"SECRET"[..]));
    // Sealing again changes nothing.
    let mut again = vec![0xa5; sealed.len()];
    let same = config::seal(&sealed, &["/auth/token_value"], &master(), 0, &mut counting(), &mut again);
    assert_eq!(same, Ok(&*sealed));
}

#[test]
fn a_token_written_with_escapes_is_the_token() {
    let text = token_for(&master(), b"s3cret", token::Format::Legacy);
    let escaped: String = text.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect();
    for value in [escaped, text.replacen("enc:", "\\u0065nc:", 1), text.replacen("enc:", "enc\\u003A", 1)] {
        let json = format!("{{\"a\":\"{value}\"}}");
        let mut out = vec![0xa5; json.len()];
        assert_eq!(config::open(&json, &[master()], &mut out), Ok("{\"a\":\"s3cret\"}"));
        assert_eq!(config::get(&json, "/a", &[master()], &mut out), Ok("s3cret"));
    }
}

#[test]
fn a_secret_that_json_must_escape_is_escaped() {
    for secret in ["\"\\/\u{8}\u{c}\n\r\t", "\u{0}\u{1f}\u{7f}", "ü€😀", "{\"a\": 1}"] {
        let json = format!("{{\"a\":\"{}\"}}", token_for(&master(), secret.as_bytes(), token::Format::Legacy));
        let mut out = vec![0xa5; 4 * json.len()];
        let opened = config::open(&json, &[master()], &mut out).unwrap();
        let value: serde_json::Value = serde_json::from_str(opened).unwrap();
        assert_eq!(value["a"], secret);
    }
}

#[test]
fn four_times_the_json_is_room_enough_for_the_worst_secrets() {
    for (len, count) in [(1, 1), (16, 3), (1000, 1), (100, 8)] {
        let worst = token_for(&master(), &vec![1; len], token::Format::Legacy);
        let json = format!("[{}]", vec![format!("\"{worst}\""); count].join(","));
        let mut out = vec![0xa5; 4 * json.len()];
        let opened = config::open(&json, &[master()], &mut out).unwrap();
        assert_eq!(opened.len(), 1 + count * (6 * len + 3), "{len} {count}");
    }
}

#[test]
fn every_token_counts_wherever_it_stands_and_one_that_does_not_open_ends_it() {
    let good = token_for(&master(), b"s", token::Format::Legacy);
    let other = token_for(&MasterKey::from_bytes(&[1; 32]).unwrap(), b"t", token::Format::Legacy);
    let json = format!("{{\"enc:name\":1,\"a\":[\"{good}\",{{\"b\":\"{good}\"}}],\"c\":\"{other}\"}}");
    let mut out = vec![0xa5; json.len()];
    assert_eq!(config::open(&json, &[master()], &mut out), Err(Error::AuthenticationFailed));
    assert!(out.iter().all(|byte| *byte == 0));
    let keys = [master(), MasterKey::from_bytes(&[1; 32]).unwrap()];
    assert_eq!(config::open(&json, &keys, &mut out), Ok("{\"enc:name\":1,\"a\":[\"s\",{\"b\":\"s\"}],\"c\":\"t\"}"));
    assert_eq!(config::get(&json, "/c", &keys, &mut out), Ok("t"));
    assert_eq!(config::get(&json, "/c", &keys[..1], &mut out), Err(Error::AuthenticationFailed));
    assert_eq!(config::get(&json, "/c", &[], &mut out), Err(Error::AuthenticationFailed));
}

#[test]
fn what_is_damaged_or_ambiguous_is_refused() {
    let good = token_for(&master(), b"s", token::Format::Legacy);
    for (json, wanted) in [
        ("{\"a\":\"enc:junk\"}".to_owned(), Error::Malformed),
        ("{\"a\":\"enc:\"}".to_owned(), Error::Malformed),
        (format!("{{\"a\":\"{good}\",\"a\":\"x\"}}"), Error::DuplicateKey),
        (format!("{{\"a\":[\"{good}\"],\"\\u0061\":1}}"), Error::DuplicateKey),
        (format!("{{\"a\":\"{good}\"}}x"), Error::InvalidJson),
        (format!("{{\"a\":\"{good}\",}}"), Error::InvalidJson),
    ] {
        let mut out = vec![0xa5; json.len() * 2];
        assert_eq!(config::open(&json, &[master()], &mut out), Err(wanted), "{json}");
        assert!(out.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_secret_that_is_not_text_cannot_stand_in_a_config() {
    let json = format!("{{\"a\":\"{}\"}}", token_for(&master(), &unhex("ff00fe"), token::Format::Legacy));
    let mut out = vec![0xa5; json.len()];
    assert_eq!(config::open(&json, &[master()], &mut out), Err(Error::NotUtf8));
    assert_eq!(config::get(&json, "/a", &[master()], &mut out), Err(Error::NotUtf8));
    assert!(out.iter().all(|byte| *byte == 0));
    // The error is that of the first invalid value.
    let json = format!("[{},\"enc:junk\"]", &json[5..json.len() - 1]);
    assert_eq!(config::open(&json, &[master()], &mut out), Err(Error::NotUtf8));
}

#[test]
fn sealing_leaves_tokens_and_placeholders_and_refuses_what_looks_like_a_token() {
    let good = token_for(&master(), b"s", token::Format::Legacy);
    let seal = |value: &str| {
        let json = format!("{{\"a\":{value}}}");
        let mut out = vec![0xa5; 1024];
        config::seal(&json, &["/a"], &master(), 0, &mut counting(), &mut out).map(|sealed| sealed == json)
    };
    assert_eq!(seal(&format!("\"{good}\"")), Ok(true));
    assert_eq!(seal("\"${PROXMOX_TOKEN}\""), Ok(true));
    assert_eq!(seal("\"plain\""), Ok(false));
    assert_eq!(seal("\"\""), Ok(false));
    for near in ["\"enc:junk\"", "\"ENC:abc\"", "\" enc:abc\"", "\"\\tEnc:x\""] {
        assert_eq!(seal(near), Err(Error::Lookalike), "{near}");
    }
    assert_eq!(seal("1"), Err(Error::NotAString));
    assert_eq!(seal("{}"), Err(Error::NotAString));
    let mut out = [0xa5; 64];
    for (pointer, wanted) in [("/b", Error::NotFound), ("/~", Error::InvalidPointer)] {
        assert_eq!(config::seal("{\"a\":\"x\"}", &[pointer], &master(), 0, &mut counting(), &mut out), Err(wanted));
    }
}

#[test]
fn values_are_told_apart_by_their_looks() {
    let good = token_for(&master(), b"s", token::Format::Legacy);
    for (text, wanted) in [
        (&*good, ValueKind::Sealed),
        ("enc:", ValueKind::Lookalike),
        ("enc:AAAA", ValueKind::Lookalike),
        ("ENC:AAAA", ValueKind::Lookalike),
        (&*format!(" {good}"), ValueKind::Lookalike),
        (&*format!("{good}\n"), ValueKind::Lookalike),
        ("${VAR}", ValueKind::Placeholder),
        ("${_V1}", ValueKind::Placeholder),
        ("${VAR:-default}", ValueKind::Placeholder),
        ("${VAR:?must be set}", ValueKind::Placeholder),
        ("${}", ValueKind::Plain),
        ("${A B}", ValueKind::Plain),
        ("${A:-}}", ValueKind::Plain),
        ("${1A}", ValueKind::Plain),
        ("x${VAR}", ValueKind::Plain),
        ("${A}${B}", ValueKind::Plain),
        ("$VAR", ValueKind::Plain),
        ("encore", ValueKind::Plain),
        ("", ValueKind::Plain),
    ] {
        assert_eq!(config::classify(text), wanted, "{text}");
    }
}

#[test]
fn rotating_moves_every_token_to_the_new_key_and_changes_nothing_else() {
    let old = [MasterKey::from_bytes(&[7; 32]).unwrap(), MasterKey::from_bytes(&[8; 32]).unwrap()];
    let new = MasterKey::from_bytes(&[9; 32]).unwrap();
    let (mut a, mut b, mut c) = ([0; 512], [0; 512], [0; 512]);
    let a = token::seal(&old[0], b"first", 1, &mut counting(), &mut a).unwrap();
    let b = token::seal_legacy(&old[1], b"\xff second", 2, &mut counting(), &mut b).unwrap();
    let c = token::seal_legacy(&old[1], b"third", 3, &mut counting(), &mut c).unwrap();
    let json = format!("\u{feff}{{ \"a\":\"{a}\",\r\n\"x\":[1.0,\"{b}\"], \"c\":\"{c}\",\"p\":\"plain\" }}\n");

    let mut out = vec![0xa5; json.len() + 50];
    let rotated = config::rotate(&json, &old, &new, 99, &mut counting(), &mut out).unwrap();
    let tokens: Vec<&str> = rotated.split('"').filter(|text| text.starts_with("enc:")).collect();
    assert_eq!(rotated.replace(tokens[0], a).replace(tokens[1], b).replace(tokens[2], c), json);
    for (token, plain) in tokens.iter().zip([&b"first"[..], b"\xff second", b"third"]) {
        assert_eq!(token::open(&new, token, &mut [0xa5; 256]).unwrap(), plain);
        assert_eq!(token::Token::parse(token).unwrap().timestamp(), 99);
    }

    for len in [0, json.len(), json.len() + 49] {
        let mut out = vec![0xa5; len];
        let short = config::rotate(&json, &old, &new, 99, &mut counting(), &mut out).unwrap_err();
        assert_eq!((short, out), (Error::BufferTooSmall, vec![0; len]));
    }
    let mut out = vec![0xa5; json.len() + 50];
    let refused = config::rotate(&json, &old[..1], &new, 99, &mut counting(), &mut out).unwrap_err();
    assert_eq!((refused, out.iter().all(|byte| *byte == 0)), (Error::AuthenticationFailed, true));
}

#[test]
fn a_token_whose_secret_is_no_text_is_rotated_but_never_opened_into_a_config() {
    let json = format!("{{\"a\":\"{}\"}}", token_for(&master(), b"\xff\xfe", token::Format::Legacy));
    let mut out = vec![0xa5; json.len()];
    assert_eq!(config::open(&json, &[master()], &mut out), Err(Error::NotUtf8));
    assert!(out.iter().all(|byte| *byte == 0));
    assert_eq!(config::get(&json, "/a", &[master()], &mut out), Err(Error::NotUtf8));
    let mut out = vec![0xa5; json.len() + 25];
    assert!(config::rotate(&json, &[master()], &master(), 0, &mut counting(), &mut out).is_ok());
}

#[test]
fn two_tokens_of_one_salt_open_and_so_does_a_third_of_another() {
    let salts = [token::Format::Salted([1; 16]), token::Format::Salted([1; 16]), token::Format::Salted([2; 16])];
    let [one, two, three] = salts.map(|format| token_for(&master(), b"s3cret", format));
    let json = format!("[\"{one}\",\"{two}\",\"{three}\"]");
    let mut out = vec![0xa5; json.len()];
    assert_eq!(config::open(&json, &[master()], &mut out), Ok("[\"s3cret\",\"s3cret\",\"s3cret\"]"));
}

#[test]
fn a_token_under_anothers_salt_is_refused_though_the_key_that_fits_is_at_hand() {
    let [one, two] = [[1; 16], [2; 16]].map(|salt| token_for(&master(), b"s3cret", token::Format::Salted(salt)));
    let head = token::PREFIX.len() + 24;
    let json = format!("[\"{one}\",\"{}{}\"]", &two[..head], &one[head..]);
    let mut out = vec![0xa5; json.len()];
    assert_eq!(config::open(&json, &[master()], &mut out), Err(Error::AuthenticationFailed));
    assert!(out.iter().all(|byte| *byte == 0));
}

#[test]
fn more_tokens_than_are_derived_together_all_open() {
    let keys = [[7; 32], [8; 32], [9; 32]].map(|bytes| MasterKey::from_bytes(&bytes).unwrap());
    let mut values: Vec<String> = (0..70_u8)
        .map(|at| {
            let format = if at % 9 == 4 { token::Format::Legacy } else { token::Format::Salted([at; 16]) };
            token_for(&keys[usize::from(at % 7 == 3)], &[b'a' + at % 26], format)
        })
        .collect();
    values[40] = values[40].replacen("enc", "\\u0065nc", 1);
    let json = format!("{{\"v\":[\"{}\"]}}", values.join("\",\""));
    let plain: Vec<String> = (0..70_u8).map(|at| format!("\"{}\"", char::from(b'a' + at % 26))).collect();
    let wanted = format!("{{\"v\":[{}]}}", plain.join(","));
    let mut out = vec![0xa5; json.len()];
    assert_eq!(config::open(&json, &keys, &mut out), Ok(&*wanted));
    assert_eq!(config::open(&json, &keys[..1], &mut out), Err(Error::AuthenticationFailed));
    assert_eq!(config::open(&json, &keys[2..], &mut out), Err(Error::AuthenticationFailed));

    let mut random = Script((0..4096_u32).flat_map(|n| n.to_le_bytes()).collect());
    let mut out = vec![0xa5; json.len() + 25 * 8];
    let rotated = config::rotate(&json, &keys[..2], &keys[2], 5, &mut random, &mut out).unwrap().to_owned();
    let salts: std::collections::BTreeSet<_> = rotated
        .split('"')
        .filter_map(|text| token::Token::parse(text).ok())
        .map(|token| *token.key_params().salt)
        .collect();
    assert_eq!(salts.len(), 70, "each token has a salt of its own");
    assert_eq!(config::open(&rotated, &keys[2..], &mut out), Ok(&*wanted));
}

#[test]
fn more_values_than_are_found_together_are_all_sealed() {
    let json = |value: &str| {
        format!("{{{}}}", (0..70).map(|at| format!("\"n{at}\":\"{value}{at}\"")).collect::<Vec<_>>().join(","))
    };
    let (mut pointers, plain): (Vec<String>, _) =
        ((0..70).map(|at| format!("/n{}", at * 29 % 70)).collect(), json("s"));
    pointers.extend(["n3".to_owned(), "/n69".to_owned()]);
    let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
    let mut out = vec![0xa5; plain.len() + 70 * token::token_len(3)];
    let sealed = config::seal(&plain, &pointers, &master(), 0, &mut counting(), &mut out).unwrap().to_owned();
    assert_eq!(sealed.matches("\"enc:").count(), 70);
    assert_eq!(config::open(&sealed, &[master()], &mut out), Ok(&*plain));
}

#[test]
fn a_token_at_each_of_many_levels_opens() {
    let token = token_for(&master(), b"s", token::Format::Legacy);
    // What grows with the cube of the levels would take a minute. A compact build opens no token below so many.
    let levels = if cfg!(feature = "compact") { 30 } else { 500 };
    let nested =
        |value: &str| format!("{}0{}", format!("{{\"v\":\"{value}\",\"a\":[").repeat(levels), "]}".repeat(levels));
    let mut out = vec![0xa5; nested(&token).len()];
    assert_eq!(config::open(&nested(&token), &[master()], &mut out), Ok(&*nested("s")));
    let ambiguous = nested(&token).replacen("[0]", "[0],\"v\":1", 1);
    let mut out = vec![0xa5; 4 * ambiguous.len()];
    assert_eq!(config::open(&ambiguous, &[master()], &mut out), Err(Error::DuplicateKey));
    assert!(out.iter().all(|byte| *byte == 0));
}

#[test]
fn a_token_below_many_levels_needs_eight_bytes_for_each() {
    let token = token_for(&master(), b"s", token::Format::Legacy);
    let nested = |value: &str| format!("{}\"{value}\"{}", "[".repeat(60), "]".repeat(60));
    let open = |len: usize| config::open(&nested(&token), &[master()], &mut vec![0xa5; len]).map(str::to_owned);
    if cfg!(not(feature = "compact")) {
        assert_eq!(open(8 * 60 - 1), Err(Error::BufferTooSmall));
    }
    assert_eq!(open(8 * 60), Ok(nested("s")));
    assert_eq!(open(4 * nested(&token).len()), Ok(nested("s")));
}

#[test]
#[cfg(feature = "compact")]
fn a_compact_build_opens_no_token_below_more_than_64_levels() {
    let token = token_for(&master(), b"s", token::Format::Legacy);
    let open = |levels: usize| {
        let json = format!("{}\"{token}\"{}", "[".repeat(levels), "]".repeat(levels));
        config::open(&json, &[master()], &mut [0xa5; 1024]).map(str::len)
    };
    assert_eq!((open(64), open(65)), (Ok(131), Err(Error::TooDeep)));
}

#[test]
fn a_stored_key_opens_the_value_whose_salt_it_has() {
    let (format, mut buffer) = (token::Format::Salted([9; 16]), [0; 512]);
    let sealed = token_for(&master(), b"secret", format);
    let other = token_for(&master(), b"secret", token::Format::Legacy);
    let json = format!(r#"{{"a": "{}", "b": "{other}", "n": 5}}"#, sealed.replace('e', "\\u0065"));

    assert_eq!(config::find(&json, "/a", &mut buffer), Ok(&*sealed));
    assert_eq!(config::find(&json, "/n", &mut buffer), Err(Error::NotAString));
    let mut derivation = format.key_params().start(&master());
    assert_eq!(derivation.progress(), kdf::Progress { done: 1, total: 100_000 });
    while !derivation.advance(30_000).is_done() {}
    let key = derivation.finish();
    assert_eq!(config::get_with(&json, "/a", &key, &mut buffer), Ok("secret"));
    assert_eq!(config::get_with(&json, "/n", &key, &mut buffer), Ok("5"));
    assert_eq!(config::get_with(&json, "/b", &key, &mut buffer), Err(Error::AuthenticationFailed));
    assert_eq!(buffer, [0; 512]);
}

#[test]
fn check_refuses_what_open_refuses_and_says_where() {
    let token = token_for(&master(), b"s", token::Format::Legacy);
    let at_open = |json: &str| config::open(json, &[master()], &mut vec![0; 4 * json.len() + 1]).err();
    // A `|` marks the fault.
    for (json, error) in [
        ("{\"a\": |x}".to_owned(), Error::InvalidJson),
        ("[1,\n 2|".to_owned(), Error::InvalidJson),
        ("[\"\\|q\"]".to_owned(), Error::InvalidJson),
        (format!("{{\"b\":1,\"b\":2,\"a\":\"{token}\",|\"a\":1}}"), Error::DuplicateKey),
        (format!("[\"{token}\", |\"{token}x\", \"enc:\"]"), Error::Malformed),
        ("\u{feff}[|\"enc:\"]".to_owned(), Error::Malformed),
        (format!("{}|[", "[".repeat(1024)), Error::TooDeep),
    ] {
        let (before, after) = json.split_once('|').unwrap();
        let json = format!("{before}{after}");
        let (found, offset) = config::check(&json).unwrap_err();
        assert_eq!((found, at_open(&json)), (error, Some(error)), "{json}");
        let is_compact = cfg!(feature = "compact") && error == Error::DuplicateKey;
        assert!(offset == before.len() || is_compact && json[offset..].starts_with("\"enc:"), "{offset} in {json}");
    }
    assert_eq!(config::check(&format!("{{\"a\":1,\"a\":\"x\",\"b\":\"{token}\"}}")), Ok(()));
    assert_eq!(config::check(ODD), Ok(()));
}
