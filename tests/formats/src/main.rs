//! Reads the names of files from stdin and seals each of their scalars in turn, then opens it again in its place.
//! For each it writes one line of JSON: where the token was put, where the opened value was put, or why it was refused.
//! That all else stays byte for byte is checked here; what the texts mean is for the other readers to say (proof.py).
//!
//!     fernseal-formats FORMAT MOST < NAMES        at most so many scalars of a file, evenly chosen
//!     fernseal-formats FORMAT break ROUNDS < NAMES    each text changed at random so often: nothing may panic
//!     fernseal-formats text none ROUNDS    so many texts of each format in which a token was damaged: none is found
//!     fernseal-formats FORMAT write < CASES       of each line {"text", "pointer", "plain"} the text with that value

#[allow(dead_code, unused_imports)] // what the commands ask of it
#[path = "../../../cli/src/config/syntax/mod.rs"]
mod syntax;

use std::io::{self, BufRead, Write};
use std::{env, fs};

use fernseal_core::token::{self, Format};
use fernseal_core::{Key, MasterKey};
use serde_json::{Value as Json, json};
use syntax::{Document, Kind, Refusal, Value};
use zeroize::Zeroizing;

/// Tokens of one salt, so that one derivation is enough for all of them.
struct Sealer {
    key: Key,
    format: Format,
    count: u8,
}

impl rand_core::TryRng for Sealer {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            self.count = self.count.wrapping_mul(5).wrapping_add(1);
            *byte = self.count;
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Sealer {}

impl Sealer {
    fn new() -> Self {
        let master = MasterKey::from_bytes(&[7; 32]).expect("32 bytes are a key");
        let format = Format::Salted(*b"a salt, 16 bytes");
        Self { key: format.key_params().derive(&master), format, count: 0 }
    }

    fn seal(&mut self, plain: &str) -> String {
        let mut out = vec![0; token::token_len(plain.len())];
        let (key, format) = (Key::from_bytes(self.key.as_bytes()), self.format);
        token::seal_with(&key, &format, plain.as_bytes(), 1_764_000_000, self, &mut out).expect("it fits").to_owned()
    }

    fn open(&self, token: &str) -> String {
        let mut out = vec![0; token::open_len(token.len())];
        let plain = token::open_with(&self.key, token, &mut out).expect("it was sealed with this key");
        String::from_utf8(plain.to_vec()).expect("it was text")
    }
}

fn main() {
    let mut args = env::args().skip(1);
    let format =
        args.next().and_then(|name| syntax::TextFormat::of_option(&name)).expect("the first argument is a format");
    let most = args.next().unwrap_or_default();
    if most == "write" {
        return write_all(format);
    }
    if most == "break" {
        return break_all(format, args.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(10));
    }
    if most == "none" {
        return find_none(args.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(10_000));
    }
    let most: usize = most.parse().unwrap_or(usize::MAX);
    let mut sealer = Sealer::new();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for name in io::stdin().lock().lines() {
        let name = name.expect("names are lines of text");
        let Ok(text) = fs::read_to_string(&name) else { continue };
        let mut tell = |mut line: Json| {
            line["file"] = name.clone().into();
            writeln!(out, "{line}").expect("stdout takes it");
        };
        let document = match Document::parse(format, Zeroizing::new(text.clone())) {
            Ok(document) => document,
            Err(refusal) => {
                tell(json!({ "unread": refusal.what() }));
                continue;
            }
        };
        let leaves: Vec<&Value> = document.leaves().collect();
        let step = leaves.len().div_ceil(most).max(1);
        tell(json!({ "leaves": leaves.len() }));
        for leaf in leaves.iter().step_by(step) {
            let case = try_one(&document, leaf, &mut sealer);
            let mut case = case.unwrap_or_else(|what| json!({ "refused": what }));
            case["pointer"] = document.pointer(leaf).into();
            tell(case);
        }
        let mut maps: Vec<String> = Vec::new();
        for leaf in &leaves {
            let pointer = document.pointer(leaf);
            let above = pointer.rsplit_once('/').map_or("", |(above, _)| above).to_owned();
            if !maps.contains(&above) && document.find(&above).is_ok_and(|value| value.kind == Kind::Map) {
                maps.push(above);
            }
            if maps.len() == 3 {
                break;
            }
        }
        for map in maps {
            // git's names have no underscore, a shell's no dash.
            let name = if format == syntax::TextFormat::Ini { "fernseal-new" } else { "FERNSEAL_NEW" };
            let pointer = format!("{map}/{name}");
            let mut case = add_one(&document, &pointer, &mut sealer)
                .unwrap_or_else(|refusal| json!({ "not_added": refusal.what() }));
            case["pointer"] = pointer.into();
            tell(case);
        }
    }
}

/// Writes values into texts, as the lines of stdin ask for it.
fn write_all(format: syntax::TextFormat) {
    for line in io::stdin().lock().lines() {
        let case: Json = serde_json::from_str(&line.expect("cases are text")).expect("cases are JSON");
        let member = |name: &str| case[name].as_str().expect("cases are complete");
        let document =
            Document::parse(format, Zeroizing::new(member("text").to_owned())).expect("the text can be read");
        let value = document.find(member("pointer")).expect("the pointer leads to a value");
        let line = match document.replaced(&[(value, member("plain"))]) {
            Ok(text) => json!({ "text": *text }),
            Err(refusal) => json!({ "refused": refusal.what() }),
        };
        println!("{line}");
    }
}

/// Returns a source of numbers below a limit, always the same ones.
fn random() -> impl FnMut(usize) -> usize {
    let mut random = 0x5eed_u64;
    move |limit| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).expect("it has 31 bits") % limit.max(1)
    }
}

/// Looks for tokens in texts of each format in which a token was damaged, so that it is none any more.
fn find_none(rounds: usize) {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const TEXTS: [(syntax::TextFormat, &str); 16] = [
        (syntax::TextFormat::Json, "{\"a\": \"@\"}"),
        (syntax::TextFormat::Json, "[\"Bearer @\", 1]"),
        (syntax::TextFormat::Jsonc, "{\"a\": \"@\", /* @ */}"),
        (syntax::TextFormat::Jsonc, "{\"a\": \"x @ y\" } // @"),
        (syntax::TextFormat::Env, "A=@\n"),
        (syntax::TextFormat::Env, "A='@' # @\n"),
        (syntax::TextFormat::Toml, "a = \"@\"\n"),
        (syntax::TextFormat::Toml, "a = ['@', '''\n@''']\n"),
        (syntax::TextFormat::Yaml, "a: @\n"),
        (syntax::TextFormat::Yaml, "- '@'\n- |\n  @\n# @\n"),
        (syntax::TextFormat::Ini, "[s]\na = @\n"),
        (syntax::TextFormat::Ini, "a=x @\n; @\n"),
        (syntax::TextFormat::Properties, "a=@\n"),
        (syntax::TextFormat::Properties, "# @\na=x@\n"),
        (syntax::TextFormat::Text, "https://u:@:@/"),
        (syntax::TextFormat::Text, "<a b=\"@\">@</a>@"),
    ];
    let (mut below, mut sealer) = (random(), Sealer::new());
    let tokens: Vec<String> = (0..40).map(|len| sealer.seal(&"x".repeat(len))).collect();
    let mut found = 0;
    for round in 0..rounds {
        let token = &tokens[below(tokens.len())];
        let (prefix, salt, body) = (&token[..4], &token[4..28], &token[29..]);
        let at = 5 + below(token.len() - 6);
        let random: String = (0..token.len()).map(|_| char::from(BASE64[below(64)])).collect();
        let damaged = match below(9) {
            0 => token[..token.len() - 1 - below(3)].to_owned(),
            1 => {
                let piece = [" ", ".", "%", "/", "+", "$", "\u{e9}", "=."][below(8)];
                format!("{}{piece}{}", &token[..at], &token[at..])
            }
            2 => {
                format!("{}{salt}:{body}", ["Enc:", "ENC:", "en:", "enc", "enc;", "e.nc:", "xenc:", "_enc:"][below(8)])
            }
            3 => format!("{prefix}{}:{body}", &salt[1 + below(22)..]),
            4 => format!("{prefix}{random}"),
            5 => format!("{prefix}{salt}:{random}"),
            6 => format!("{token}{}", char::from(BASE64[below(64)])),
            7 => format!("{prefix}{salt}::{body}"),
            // Not the version that Fernet has.
            _ => format!("{prefix}{salt}:{}{}", ["A", "Y", "a", "0", "_"][below(5)], &body[1..]),
        };
        let (format, text) = TEXTS[round % TEXTS.len()];
        let text = text.replace('@', &damaged);
        let shared = std::sync::Arc::new(Zeroizing::new(text.clone()));
        let reading = syntax::read("text", syntax::FormatSource::Given(format), &shared);
        let tokens = reading.tokens().map(|found| found.tokens).unwrap_or_default();
        if tokens.iter().any(|token| token.form.is_ok()) {
            found += 1;
            println!("found in {}: {text}", format.name());
        }
    }
    println!("{rounds} texts without a token, in {found} of them one was found");
    assert_eq!(found, 0);
}

/// Changes texts at random and does all that a document can do. What it refuses is well; it must not panic, and what it
/// does not refuse must be so when it is read again.
fn break_all(format: syntax::TextFormat, rounds: usize) {
    const PIECES: [&str; 44] = [
        "\"", "'", "`", "\\", "\n", "\r\n", "\r", " ", "  ", "\t", ":", ": ", "- ", "? ", "#", " #", "=", "[", "]",
        "{", "}", ",", "&a ", "*a", "!t ", "!!str ", "|", "|\n", ">-\n", "---\n", "...\n", "<<: ", "%", "\u{feff}",
        "é", "\u{85}", "\u{2028}", "\0", "\"\"\"", "'''", "//", "/*", "*/", "export ",
    ];
    let (mut texts, mut read, mut changed, mut refused) = (0, 0, 0, 0);
    let mut below = random();
    for name in io::stdin().lock().lines() {
        let Ok(text) = fs::read_to_string(name.expect("names are lines of text")) else { continue };
        if text.len() > 20_000 {
            continue;
        }
        for _ in 0..rounds {
            let mut text = text.clone();
            for _ in 0..=below(4) {
                let mut at = below(text.len() + 1);
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                match below(3) {
                    0 => text.truncate(at),
                    1 if at < text.len() => _ = text.remove(at),
                    _ => text.insert_str(at, PIECES[below(PIECES.len())]),
                }
            }
            texts += 1;
            let Ok(document) = Document::parse(format, Zeroizing::new(text)) else { continue };
            read += 1;
            let leaves: Vec<&Value> = document.leaves().collect();
            for _ in 0..3.min(leaves.len()) {
                let leaf = leaves[below(leaves.len())];
                let done = [
                    document.text_of(leaf).and_then(|text| document.replaced(&[(leaf, text)])).is_ok(),
                    document.replaced(&[(leaf, "enc:AAAA==")]).is_ok(),
                    document.replaced(&[(leaf, "it's \"\n")]).is_ok(),
                    document.remove(leaf).is_ok(),
                    document.insert(&format!("{}/new", document.pointer(leaf)), "x").is_ok(),
                    document.insert("/new", "x").is_ok(),
                ];
                changed += done.iter().filter(|done| **done).count();
                refused += done.iter().filter(|done| !**done).count();
            }
        }
    }
    println!("{}: {texts} broken texts, {read} read; {changed} changes made, {refused} refused", format.name());
}

/// Adds a token at `pointer`, and removes it again.
fn add_one(document: &Document, pointer: &str, sealer: &mut Sealer) -> Result<Json, Refusal> {
    let token = sealer.seal("new");
    let edit = document.insert(pointer, &token)?;
    let text = document.text();
    let after = [&text[..edit.span.start], &edit.text, &text[edit.span.end..]].concat();
    let after = Document::parse(document.format(), Zeroizing::new(after))?;
    let value = after.find(pointer).expect("it was added there");
    assert_eq!(after.text_of(value).as_deref(), Ok(&*token));
    let removed = match after.remove(value) {
        Err(refusal) => json!(refusal.what()),
        Ok(edit) => {
            let back = [&after.text()[..edit.span.start], &edit.text, &after.text()[edit.span.end..]].concat();
            json!(back == text)
        }
    };
    Ok(json!({ "token": token, "added": [edit.span.start, edit.span.end, *edit.text], "removed": removed }))
}

/// Seals `value` in its place, and opens it there.
fn try_one(document: &Document, value: &Value, sealer: &mut Sealer) -> Result<Json, String> {
    let what = |refusal: Refusal| refusal.what().into_owned();
    value.check_replaceable().map_err(what)?;
    let plain = document.text_of(value).map_err(what)?;
    let pointer = document.pointer(value);
    document.find(&pointer).map_err(|error| error.to_string())?;
    let token = sealer.seal(plain);
    let edit = document.replace(value, &token).map_err(what)?;
    let sealed = document.replaced(&[(value, &token)]).map_err(what)?;
    assert_spliced(document.text(), &edit, &sealed);

    let sealed = Document::parse(document.format(), sealed).map_err(what)?;
    let again = sealed.find(&pointer).expect("the token is found where the value was");
    assert_eq!(again.kind, Kind::String);
    assert_eq!(sealed.text_of(again).as_deref(), Ok(&*token));
    assert_eq!(sealer.open(&token), plain);
    let mut case = json!({ "kind": format!("{:?}", value.kind), "plain": plain, "token": token });
    case["sealed"] = json!([edit.span.start, edit.span.end, *edit.text]);
    match sealed.replace(again, plain).and_then(|edit| Ok((edit, sealed.replaced(&[(again, plain)])?))) {
        Ok((edit, opened)) => {
            assert_spliced(sealed.text(), &edit, &opened);
            case["opened"] = json!([edit.span.start, edit.span.end, *edit.text]);
        }
        Err(refusal) => case["unopened"] = refusal.what().into(),
    }
    Ok(case)
}

/// All but the edited span is byte for byte what it was.
fn assert_spliced(before: &str, edit: &syntax::Edit, after: &str) {
    assert_eq!(after, [&before[..edit.span.start], &edit.text, &before[edit.span.end..]].concat());
}
