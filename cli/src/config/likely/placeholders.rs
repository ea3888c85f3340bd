//! Values that take the place of a secret but are not one: placeholders, references, names, words of configs.

use super::randomness::is_random;
use super::words::words;

/// Reports whether the value is to be replaced by something else: `${X}`, `{{ x }}`, `<your-token>`, `op://…`, `xxxx`.
pub(super) fn is_placeholder(value: &str) -> bool {
    #[rustfmt::skip] // a table
    const REFERENCES: &[&str] = &[
        "op://", "vault:", "secret:", "secret/", "secrets/", "keyring:", "env:", "env.", "env(", "file:", "arn:", "ssm:",
        "ref+", "aws-sm:", "awssm:", "gcpsm:", "bws:", "bao:", "doppler:", "akv:", "keychain:", "pass:", "process.env",
        "os.environ", "ENV[", "getenv", "lookup(", "!secret", "!vault", "var.", "local.", "module.", "$(", "projects/",
    ];
    #[rustfmt::skip] // a table
    const PARTS: &[&str] = &[
        "${", "{{", "}}", "<%", "#{", "%(", "***", "...", "\u{2026}", "xxxx", "your_", "your-", "your ", "example",
        "placeholder", "redacted", "replace", "insert", "changeit_", "dummy", "sample", "todo", "fixme", "not-a-real",
        "notreal", "fake", "-here",
    ];
    let lower = value.to_ascii_lowercase();
    let enclosed = |open: char, close: char| value.starts_with(open) && value.ends_with(close);
    let is_variable = |name: &str| {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let one_case = name.bytes().all(|byte| !byte.is_ascii_lowercase())
            || name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name && one_case
    };
    let mut distinct: Vec<char> = lower.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len() <= 2
        || enclosed('<', '>')
        || enclosed('[', ']')
        || enclosed('{', '}')
        || enclosed('(', ')')
        || value.len() >= 3
            && (enclosed('%', '%') || enclosed('@', '@') || value.starts_with("__") && value.ends_with("__"))
        || value.strip_prefix('$').is_some_and(is_variable)
        || lower.starts_with("your") && !lower.bytes().any(|byte| byte.is_ascii_digit())
        || lower.ends_with("_here")
        || REFERENCES.iter().any(|start| value.starts_with(start))
        || PARTS.iter().any(|part| lower.contains(part))
}

/// Reports whether the value refers to a secret, or names something else: a path, a file, a URL, an expression, an
/// identifier.
pub(super) fn is_reference(value: &str) -> bool {
    is_path(value) || is_file_name(value) || is_url(value) || is_expression(value) || is_identifier(value)
}

pub(super) fn is_path(value: &str) -> bool {
    let is_windows = value.get(1..3).is_some_and(|mark| mark == ":\\" || mark == ":/");
    let is_relative = ["./", "../", "~/", "\\\\"].iter().any(|start| value.starts_with(start));
    // Base64 may begin with a slash too.
    let is_absolute = value.starts_with('/') && !is_random(value, 0.4);
    is_windows || is_relative || is_absolute
}

pub(super) fn is_file_name(value: &str) -> bool {
    #[rustfmt::skip] // a table
    const ENDINGS: &[&str] = &[
        "txt", "pem", "key", "crt", "cer", "p12", "pfx", "jks", "json", "yaml", "yml", "toml", "ini", "conf", "cfg",
        "env", "js", "ts", "py", "sh", "md", "html", "xml", "csv", "log", "pub", "asc", "gpg", "kdbx", "db", "php",
        "rb", "go", "rs", "java", "svg", "png", "vue",
    ];
    let in_name = |char: char| char.is_ascii_alphanumeric() || "-_./@".contains(char);
    value.chars().all(in_name) && value.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

pub(super) fn is_url(value: &str) -> bool {
    let Some((scheme, _)) = value.split_once("://") else { return false };
    !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Reports whether the value is an expression: `getenv("X")`, `secrets.DB_PASSWORD`.
pub(super) fn is_expression(value: &str) -> bool {
    let in_name = |char: char| char.is_ascii_alphanumeric() || "_.".contains(char);
    let is_call = value.ends_with(')')
        && value
            .split_once('(')
            .is_some_and(|(name, _)| name.len() >= 2 && name.chars().all(in_name) && !is_random(name, 0.5));
    let parts: Vec<&str> = value.split(['.', '/', ':']).collect();
    let is_name = |part: &&str| {
        part.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            && !is_random(part, 0.5)
    };
    is_call || parts.len() >= 2 && parts.iter().all(is_name)
}

/// Reports whether the value is an identifier that names a secret (`db_password`, `MYSQL_ROOT_PASSWORD`) or a keyword
/// itself.
pub(super) fn is_identifier(value: &str) -> bool {
    let is_name = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_- ".contains(&byte));
    // A digit within a word replaces a letter: `s3cret`.
    let bytes = value.as_bytes();
    let is_leet = bytes
        .windows(3)
        .any(|three| three[1].is_ascii_digit() && three[0].is_ascii_lowercase() && three[2].is_ascii_lowercase());
    if !is_name || is_leet {
        return false;
    }
    let words = words(value);
    let letters: Vec<&String> =
        words.iter().filter(|word| word.bytes().all(|byte| byte.is_ascii_alphabetic())).collect();
    let has_keyword = letters.iter().any(|word| is_keyword(word));
    let digits = value.bytes().rev().take_while(u8::is_ascii_digit).count();
    let is_constant =
        value.len() >= 4 && value.contains('_') && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let is_keyword_alone = letters.len() == words.len() && letters.len() == 1 && has_keyword;
    is_constant || is_keyword_alone || letters.len() >= 2 && has_keyword && digits < 2 && !is_random(value, 0.5)
}

pub(super) fn is_keyword(word: &str) -> bool {
    #[rustfmt::skip] // a table
    const WORDS: &[&str] = &[
        "password", "passwd", "pass", "pwd", "pw", "passphrase", "secret", "secrets", "token", "tokens", "key", "apikey",
        "credential", "credentials", "passwort", "auth", "bearer",
    ];
    WORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// Reports whether the word is a dummy name or password, as in examples.
pub(super) fn is_dummy(word: &str) -> bool {
    #[rustfmt::skip] // a table
    const WORDS: &[&str] = &[
        "user", "username", "usr", "login", "name", "foo", "bar", "me", "admin", "test", "baz", "u", "p", "hello",
        "world", "abc",
    ];
    is_keyword(word) || WORDS.iter().any(|dummy| dummy.eq_ignore_ascii_case(word))
}

/// Reports whether the value is a word that configs contain instead of a secret: `none`, `required`, `string`.
pub(super) fn is_word_of_config(value: &str) -> bool {
    #[rustfmt::skip] // a table
    const WORDS: &[&str] = &[
        "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "undefined", "auto", "default", "required",
        "optional", "enabled", "disabled", "inherit", "always", "never", "prompt", "ask", "string", "text", "input",
        "hidden", "plain", "plaintext", "basic", "digest", "bearer", "oauth", "oauth2", "generic", "opaque", "number",
        "integer", "boolean", "object", "array", "include", "omit", "same-origin", "any", "all", "unset", "empty",
        "missing", "invalid", "valid", "random", "generated", "generate", "automatic", "manual", "static", "dynamic",
        "sha256", "sha512", "bcrypt", "scram-sha-256", "md5", "argon2", "argon2id", "current", "write-only", "writeonly",
        "sensitive",
    ];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(value))
}
