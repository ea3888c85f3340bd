//! Tokens in texts of any format: found by grammar, opened and rotated with everything else byte for byte.

use crate::common::{MASTER, Script};
use fernseal_core::text::{self, tokens};
use fernseal_core::{Error, MasterKey, token};

const NOW: u64 = 1_764_000_000;

fn master() -> MasterKey {
    MasterKey::from_text(MASTER).unwrap()
}

/// A random source that never ends.
fn endless() -> Script {
    Script((0..=255).cycle().take(1 << 20).collect())
}

fn other() -> MasterKey {
    MasterKey::from_bytes(&[7; 32]).unwrap()
}

fn sealed(secret: &str) -> String {
    let mut out = vec![0; token::token_len(secret.len())];
    token::seal(&master(), secret.as_bytes(), NOW, &mut endless(), &mut out).unwrap().to_owned()
}

fn legacy(secret: &str) -> String {
    let mut out = vec![0; token::token_len(secret.len())];
    token::seal_legacy(&master(), secret.as_bytes(), NOW, &mut endless(), &mut out).unwrap().to_owned()
}

/// One text of each format, with `@` where a token stands. YAML, TOML, .env, INI, JSONC, XML, HCL, nginx, a URL, a shell
/// line, a mail.
const TEXTS: [&str; 11] = [
    "\u{feff}# a comment\r\ndb:\r\n  password: @   # the one\r\n  list: [@,\"@\"]\r\n",
    "[db]\npassword = \"@\"\nother = '''@'''\n",
    "export A=@\nB=\"@\"\nC='@' # c\n",
    "; c\n[s]\nkey = @\nkey:@",
    "{ // c\n \"a\": \"@\", /* d */ \"b\": [\"@\",],\n}",
    "<a b=\"@\">@</a><!-- @ -->",
    "resource \"x\" \"y\" {\n  password = \"@\"\n}\n",
    "location / { proxy_set_header Authorization @; }",
    "postgres://user:@@host:5432/db",
    "curl -H 'X-Token: @' \"$URL\"|tee @>x",
    "sehr geehrte Ümläü@😀@",
];

#[test]
fn tokens_are_found_in_texts_of_every_format() {
    for token in [sealed("my secret"), legacy("my secret"), sealed("")] {
        for template in TEXTS {
            // The @ of the URL is one.
            let text = template.replacen("@@host", &format!("{token}@host"), 1);
            let text = if text == template { template.replace('@', &token) } else { text };
            let found: Vec<_> = tokens(&text).collect();
            assert_eq!(found.len(), text.matches(&token).count(), "{template}");
            for found in found {
                assert_eq!(found.text(), token);
                assert_eq!(&text[found.span()], token);
                assert_eq!(found.token().unwrap().timestamp(), NOW);
            }
        }
    }
}

#[test]
fn everything_but_the_tokens_stays_byte_for_byte() {
    for template in TEXTS.map(|text| text.replace("@@host", "@#host")) {
        let text = template.replace('@', &sealed("s3\"'\n€"));
        let mut out = vec![0xff; text.len()];
        assert_eq!(text::open(&text, &[other(), master()], &mut out).unwrap(), template.replace('@', "s3\"'\n€"));

        let mut out = vec![0xff; text.len()];
        let rotated = text::rotate(&text, &[master()], &other(), NOW + 1, &mut endless(), &mut out).unwrap();
        let mut around = rotated.to_owned();
        tokens(rotated).map(|found| found.text()).for_each(|token| around = around.replacen(token, "@", 1));
        assert_eq!(around, template);
        let mut out = vec![0; rotated.len()];
        assert_eq!(text::open(rotated, &[other()], &mut out).unwrap(), template.replace('@', "s3\"'\n€"));
    }
}

#[test]
fn a_text_without_tokens_is_copied() {
    for text in ["", "enc:", "a: enc:b\nenc: c\n<enc:Data/> xenc:CipherValue ENC:short"] {
        let mut out = vec![0xff; text.len() + 1];
        assert_eq!(text::open(text, &[], &mut out).unwrap(), text);
        assert_eq!(out.last(), Some(&0));
    }
}

#[test]
fn what_looks_like_a_token_and_is_none_is_a_lookalike() {
    let token = sealed("my secret");
    let standard = token.replacen('_', "/", 1).replacen('-', "+", 1);
    for (text, error) in [
        (token.replacen("enc:", "ENC:", 1), Error::Lookalike),
        (token.replacen("enc:", "Enc:", 1), Error::Lookalike),
        (format!("pass{token}"), Error::Lookalike),
        (format!("-{token}"), Error::Lookalike),
        (format!("{token}-x"), Error::Lookalike),
        (format!("{token}="), Error::Lookalike),
        (token[..token.len() - 1].to_owned(), Error::Malformed),
        (token[..60].to_owned(), Error::Malformed),
        (format!("enc:A{}", &token[4..]), Error::Malformed),
        ("enc:0123456789abcdef".to_owned(), Error::Malformed),
    ] {
        let text = format!("a = {text}\n");
        let found: Vec<_> = tokens(&text).collect();
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].token().err(), Some(error), "{text}");
        let mut out = vec![0xff; text.len()];
        assert_eq!(text::open(&text, &[master()], &mut out), Err(error), "{text}");
        assert!(out.iter().all(|byte| *byte == 0));
    }
    assert!(standard == token || tokens(&standard).all(|found| found.token().is_err()));
}

#[test]
fn faults_are_told_and_leave_no_text_behind() {
    let text = format!("a={} b=2", sealed("my secret"));
    let mut out = vec![0xff; text.len()];
    assert_eq!(text::open(&text, &[other()], &mut out), Err(Error::AuthenticationFailed));
    assert!(out.iter().all(|byte| *byte == 0));
    let mut out = vec![0xff; text.len() - 1];
    assert_eq!(text::rotate(&text, &[master()], &other(), NOW, &mut endless(), &mut out), Err(Error::BufferTooSmall));
    assert!(out.iter().all(|byte| *byte == 0));
    let mut out = vec![0xff; text.len()];
    assert_eq!(
        text::rotate(&text, &[master()], &other(), NOW, &mut Script(Vec::new()), &mut out),
        Err(Error::RandomFailed)
    );
    let mut bytes = vec![0; 4096];
    let binary = token::seal(&master(), &[0xff], NOW, &mut endless(), &mut bytes).unwrap();
    let mut out = vec![0; binary.len()];
    assert_eq!(text::open(binary, &[master()], &mut out), Err(Error::NotUtf8));
}

/// xorshift64*: the texts are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// Base64url by the book, to hold core's against: the bytes, if `text` is canonical.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = text.iter().take_while(|byte| **byte != b'=').count();
    let padding = text.len() - digits;
    if !text.len().is_multiple_of(4) || padding > 2 || text[digits..].iter().any(|byte| *byte != b'=') {
        return None;
    }
    let mut bits = Vec::new();
    for byte in &text[..digits] {
        let value = ALPHABET.iter().position(|digit| digit == byte)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let whole = bits.len() / 8 * 8;
    if bits[whole..].contains(&1) {
        return None;
    }
    Some(bits[..whole].chunks(8).map(|byte| byte.iter().fold(0, |value, bit| value << 1 | *bit as u8)).collect())
}

/// Whether `text` is a token, as DESIGN tells it and not as core does.
fn is_token(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("enc:") else { return false };
    let body = match rest.split_once(':') {
        Some((salt, body)) if decoded(salt.as_bytes()).is_some_and(|salt| salt.len() == 16) => body,
        Some(_) => return false,
        None => rest,
    };
    let raw = decoded(body.as_bytes()).and_then(|text| decoded(&text));
    raw.is_some_and(|raw| raw[0] == 0x80 && raw.len() >= 73 && (raw.len() - 57).is_multiple_of(16))
}

/// A million texts of pieces of tokens, whole tokens, damaged tokens and what stands around them.
#[test]
fn no_token_is_found_that_is_none_in_a_million_texts() {
    let tokens_here = [sealed("my secret"), legacy("my secret"), sealed("a longer secret, of some 40 characters….")];
    let pieces = [
        "enc:",
        "ENC:",
        "xenc:",
        "enc",
        ":",
        "=",
        "==",
        "A",
        "AAAA",
        "Z0FBQUFB",
        "gAAAAA",
        "-",
        "_",
        "\n",
        " ",
        "\"",
        "é",
        "AAECAwQFBgcICQoLDA0ODw==",
        "AAECAwQFBgcICQoLDA0ODw==:",
        "AAECAwQFBgcICQoLDA0ODw=",
        "\\n",
        "@",
        "ſ",
    ];
    let (mut random, mut whole, mut lookalikes) = (Random(0x5eed), 0, 0);
    for round in 0..1_000_000 {
        let mut text = String::new();
        for _ in 0..random.below(12) {
            match random.below(8) {
                0 => text += &tokens_here[random.below(3)],
                1 => {
                    let token = &tokens_here[random.below(3)];
                    text += &token[..random.below(token.len())];
                }
                2 => {
                    let token = &tokens_here[random.below(3)];
                    text += &token[random.below(token.len())..];
                }
                3 => {
                    let mut token = tokens_here[random.below(3)].clone();
                    let at = random.below(token.len());
                    token.replace_range(at..=at, random.one_of(&pieces));
                    text += &token;
                }
                _ => text += random.one_of(&pieces),
            }
        }
        let mut end = 0;
        for found in tokens(&text) {
            let span = found.span();
            assert!(span.start >= end && !span.is_empty(), "{round}: {text}");
            end = span.end;
            assert_eq!(found.text(), &text[span.clone()]);
            if found.token().is_err() {
                lookalikes += 1;
                continue;
            }
            whole += 1;
            let is_word = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
            assert!(!text[..span.start].ends_with(is_word), "{round}: {text}");
            assert!(!text[span.end..].starts_with(|char| is_word(char) || char == '='), "{round}: {text}");
            assert!(is_token(found.text()), "{round}: {text}");
        }
    }
    assert!(whole > 100_000 && lookalikes > 100_000, "{whole} tokens, {lookalikes} lookalikes");
}

#[test]
fn tokens_are_found_from_any_offset() {
    let token = token::seal_legacy(&master(), b"x", NOW, &mut endless(), &mut [0; 512]).unwrap().to_owned();
    let text = format!("ü {token} {token}");
    let second = text.rfind("enc:").unwrap();
    let start = |offset: usize| text::tokens_from(&text, offset).next().map(|found| found.span().start);
    assert_eq!((start(0), start(3), start(4), start(second)), (Some(3), Some(3), Some(second), Some(second)));
    assert_eq!((start(second + 1), start(text.len()), start(usize::MAX)), (None, None, None));
    // What stands before the offset still makes a token part of a word.
    let word = format!("x{token}");
    assert_eq!(text::tokens_from(&word, 1).next().unwrap().token().unwrap_err(), Error::Lookalike);
}
