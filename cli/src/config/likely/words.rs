//! The words of names, and what each says of a value.

/// What a name says of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Smell {
    /// A person may have chosen it: a password.
    Chosen,
    /// A machine has made it: a token, an API key.
    Made,
    /// Either, and names of secrets stand in such places too: credentials, the members of `secrets`.
    Either,
    /// A machine has made it, and the name leaves doubt (`token_github`, `auth`, `key`).
    Perhaps,
}

/// Words after which nothing follows that changes what they mean. The longest comes first where one ends another.
#[rustfmt::skip] // a table
pub(super) const KEYWORDS: &[(&[&str], Smell)] = &[
    (&["password"], Smell::Chosen), (&["passwd"], Smell::Chosen), (&["passphrase"], Smell::Chosen),
    (&["pass", "phrase"], Smell::Chosen), (&["passcode"], Smell::Chosen), (&["pwd"], Smell::Chosen),
    (&["pass"], Smell::Chosen), (&["pw"], Smell::Chosen), (&["passwort"], Smell::Chosen),
    (&["kennwort"], Smell::Chosen), (&["wachtwoord"], Smell::Chosen), (&["motdepasse"], Smell::Chosen),
    (&["contrasena"], Smell::Chosen), (&["contraseña"], Smell::Chosen), (&["senha"], Smell::Chosen),
    (&["haslo"], Smell::Chosen), (&["secret", "access", "key"], Smell::Made),
    (&["secret", "key", "base"], Smell::Chosen), (&["secret", "key"], Smell::Chosen), (&["secret"], Smell::Chosen),
    (&["psk"], Smell::Chosen), (&["preshared", "key"], Smell::Made), (&["pre", "shared", "key"], Smell::Made),
    (&["mnemonic"], Smell::Chosen), (&["seed", "phrase"], Smell::Chosen), (&["recovery", "phrase"], Smell::Chosen),
    (&["token"], Smell::Made), (&["api", "key"], Smell::Made), (&["apikey"], Smell::Made),
    (&["app", "key"], Smell::Made), (&["application", "key"], Smell::Made), (&["access", "key"], Smell::Made),
    (&["account", "key"], Smell::Made), (&["private", "key"], Smell::Made), (&["encryption", "key"], Smell::Made),
    (&["encrypt", "key"], Smell::Made), (&["crypt", "key"], Smell::Made), (&["crypto", "key"], Smell::Made),
    (&["aes", "key"], Smell::Made), (&["signing", "key"], Smell::Made), (&["sign", "key"], Smell::Made),
    (&["signature", "key"], Smell::Made), (&["master", "key"], Smell::Made), (&["auth", "key"], Smell::Made),
    (&["authentication", "key"], Smell::Made), (&["authorization", "key"], Smell::Made),
    (&["shared", "key"], Smell::Made), (&["service", "key"], Smell::Made), (&["server", "key"], Smell::Made),
    (&["admin", "key"], Smell::Made), (&["storage", "key"], Smell::Made), (&["subscription", "key"], Smell::Made),
    (&["integration", "key"], Smell::Made), (&["license", "key"], Smell::Made), (&["licence", "key"], Smell::Made),
    (&["session", "key"], Smell::Made), (&["jwt", "key"], Smell::Made), (&["hmac", "key"], Smell::Made),
    (&["deploy", "key"], Smell::Made), (&["write", "key"], Smell::Made), (&["ingest", "key"], Smell::Made),
    (&["webhook", "key"], Smell::Made), (&["credential"], Smell::Either), (&["cred"], Smell::Either),
    (&["authorization"], Smell::Made), (&["bearer"], Smell::Made), (&["pat"], Smell::Made),
    (&["auth"], Smell::Perhaps), (&["salt"], Smell::Perhaps), (&["cookie"], Smell::Perhaps),
    (&["seed"], Smell::Perhaps), (&["key"], Smell::Perhaps),
];

/// Ends of a word that is written as one: `dbpassword`, `authtoken`.
#[rustfmt::skip] // a table
pub(super) const ENDS: &[(&str, Smell)] = &[
    ("password", Smell::Chosen), ("passwd", Smell::Chosen), ("passphrase", Smell::Chosen), ("dbpass", Smell::Chosen),
    ("userpass", Smell::Chosen), ("rootpass", Smell::Chosen), ("adminpass", Smell::Chosen),
    ("smtppass", Smell::Chosen), ("mailpass", Smell::Chosen), ("keypass", Smell::Chosen),
    ("storepass", Smell::Chosen), ("bindpw", Smell::Chosen), ("dbpwd", Smell::Chosen), ("requirepass", Smell::Chosen),
    ("rootpw", Smell::Chosen), ("adminpw", Smell::Chosen), ("masterauth", Smell::Chosen), ("secret", Smell::Chosen),
    ("token", Smell::Made), ("apikey", Smell::Made), ("secretkey", Smell::Chosen), ("privatekey", Smell::Made),
    ("accesskey", Smell::Made), ("authkey", Smell::Made),
];

/// Words that may follow a keyword: it is still the secret itself.
#[rustfmt::skip] // a table
pub(super) const NEUTRAL: &[&str] = &[
    "value", "text", "plain", "plaintext", "string", "str", "raw", "clear", "cleartext", "base", "b", "hex", "prod",
    "production", "stage", "staging", "dev", "development", "test", "testing", "live", "sandbox", "old", "new",
    "current", "previous", "prev", "primary", "secondary", "main", "backup", "default", "local", "remote", "global",
    "admin", "root", "db", "database", "here", "v",
];

/// Words that, after a keyword, make of it something about a secret: `password_file`, `token_url`.
#[rustfmt::skip] // a table
pub(super) const ABOUT: &[&str] = &[
    "file", "files", "filename", "path", "dir", "directory", "name", "names", "ref", "refs", "reference", "id", "ids",
    "url", "urls", "uri", "endpoint", "policy", "policies", "type", "types", "length", "len", "min", "max", "minimum",
    "maximum", "size", "count", "counts", "limit", "limits", "ttl", "expiry", "expires", "expire", "expiration",
    "expired", "lifetime", "duration", "timeout", "age", "interval", "field", "fields", "label", "hint",
    "placeholder", "title", "description", "desc", "message", "msg", "error", "regex", "pattern", "rule", "rules",
    "strength", "score", "prompt", "input", "form", "page", "link", "reset", "required", "optional", "enabled",
    "disabled", "env", "var", "variable", "store", "manager", "provider", "backend", "engine", "class", "method",
    "algorithm", "alg", "format", "prefix", "suffix", "header", "param", "parameter", "location", "mount", "source",
    "version", "status", "state", "scheme", "scope", "scopes", "issuer", "audience", "index", "position", "offset",
    "start", "end", "kind", "list", "map", "usage", "auth", "based", "command", "cmd", "helper", "help", "created",
    "updated", "at",
];

/// Words before a keyword of flags and messages: `show_password`. What follows is a secret only if it looks made.
#[rustfmt::skip] // a table
pub(super) const FLAGS: &[&str] = &[
    "no", "use", "has", "is", "max", "min", "num", "total", "show", "hide", "forgot", "forgotten", "reset", "change",
    "confirm", "invalid", "enter", "repeat", "wrong", "incorrect", "missing", "require", "requires", "required",
    "without", "disable", "enable", "allow", "allows",
];

/// Words before a keyword of what everybody may know, or what is for one request.
#[rustfmt::skip] // a table
pub(super) const OPEN: &[&str] = &[
    "public", "pub", "primary", "foreign", "partition", "sort", "cache", "site", "publishable", "idempotency",
    "index", "object", "range", "group", "design", "css", "eos", "bos", "pad", "unk", "mask", "sep", "cls", "special",
    "csrf", "xsrf", "request", "next", "page", "pagination", "continuation", "sync",
];

/// Names that say nothing themselves: what counts is the name above them.
pub(super) const BLANK: [&str; 13] =
    ["value", "default", "plain", "literal", "current", "_", "#text", "$t", "raw", "val", "data", "string", "text"];

/// Where random text is likely a key.
#[rustfmt::skip] // a table
pub(super) const RANDOM_PLACES: &[&str] = &[
    "auth", "authentication", "authorization", "secret", "secrets", "credential", "credentials", "creds", "apikey",
    "bearer", "oauth", "passwords", "encryption", "private", "webhook", "webhooks", "vault",
];

/// Where random text is known to everybody.
#[rustfmt::skip] // a table
pub(super) const NEVER: &[&str] = &[
    "id", "ids", "uuid", "guid", "public", "pub", "hash", "hashes", "digest", "checksum", "sha", "md", "integrity",
    "etag", "fingerprint", "thumbprint", "signature", "sig", "cert", "certificate", "ca", "url", "name", "kid",
    "description", "content", "image", "icon",
];

/// The words of a name, in lower case: of `dbPassword`, `DB_PASSWORD` and `db-password` these are `db` and `password`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (at, char) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let next = chars.get(at + 1);
        let begins = before.is_some_and(|before| {
            before.is_lowercase() && char.is_uppercase()
                || before.is_ascii_digit() != char.is_ascii_digit()
                || before.is_uppercase() && char.is_uppercase() && next.is_some_and(|next| next.is_lowercase())
        });
        if (begins || !char.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if char.is_alphanumeric() {
            word.extend(char.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
