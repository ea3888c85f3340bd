//! What is found, and what is not.

use super::*;

// No secret here is real. They are put together here, so that no scanner takes this file for one that leaks.
const RANDOM: &str = "Zq7Xw2Lm9Tb4Kd8Vn3Rj6Pf5Hs1Gy0Cu2Ea4Ow6";

fn reason(pointer: &str, value: &str) -> Option<String> {
    likely(pointer, value, false).map(|reason| reason.to_string())
}

#[test]
fn a_name_tells_in_every_spelling() {
    for name in [
        "password",
        "dbPassword",
        "DB_PASSWORD",
        "DB_PASSWORD_2",
        "db-password",
        "db.password",
        "DBPassword",
        "dbpassword",
        "passwd",
        "userPwd",
        "passphrase",
        "sshPassPhrase",
        "PGPASSWORD",
        "ansible_become_pass",
        "requirepass",
        "bindpw",
        "clientSecret",
        "CLIENT_SECRET",
        "secret",
        "secret_key_base",
        "password_prod",
        "root_password_old",
        "passwort",
    ] {
        assert_eq!(reason(&format!("/a/{name}"), "Tr0ub4dor&3"), Some(format!("name `{name}`")));
    }
    for name in [
        "token",
        "auth_token",
        "authToken",
        "TOKEN_VALUE",
        "x-api-key",
        "X_API_KEY",
        "apiKey",
        "APIKey",
        "apikey",
        "accessKey",
        "private_key",
        "aws_secret_access_key",
        "credentials",
        "encryptionKey",
        "signing-key",
        "_authToken",
        "bearer_token",
        "OPENAI_API_KEY_2",
        "Authorization",
    ] {
        assert_eq!(reason(&format!("/a/{name}"), "k3J9x2Lm4Qz7"), Some(format!("name `{name}`")));
    }
}

#[test]
fn a_name_about_a_secret_is_no_secret() {
    for name in [
        "token_name",
        "max_tokens",
        "tokenizer",
        "secretRef",
        "secretName",
        "passwordFile",
        "password_policy",
        "public_key",
        "token_endpoint",
        "tokenUrl",
        "keyboard",
        "monkey",
        "compass",
        "author",
        "authority",
        "password_min_length",
        "secretKeyRef",
        "token_type",
        "passwordField",
        "key_id",
        "csrf_token",
        "nextToken",
        "primary_key",
        "cacheKey",
        "accessKeyId",
        "hotkey",
        "turkey",
        "bypass",
        "forgot_password_url",
        "token_expires_at",
        "passwordless",
        "keywords",
    ] {
        assert_eq!(reason(&format!("/a/{name}"), "k3J9x2Lm4Qz7"), None, "{name}");
    }
}

#[test]
fn a_value_that_cannot_be_a_secret_is_none() {
    for value in [
        "",
        "abc",
        "true",
        "no",
        "null",
        "none",
        "12345",
        "1.5",
        "${X}",
        "${X:-d}",
        "$X",
        "$DB_PASSWORD",
        "${{ secrets.X }}",
        "{{ x }}",
        "<%= x %>",
        "%PASSWORD%",
        "op://vault/item/field",
        "vault:secret/data/x#y",
        "<your-token>",
        "your-api-key",
        "YOUR_API_KEY",
        "xxxxxxxx",
        "********",
        "enc:Z0FBQUFB",
        "ENC[AES256_GCM,data:x]",
        "/run/secrets/db",
        "./key.pem",
        "~/.ssh/id_rsa",
        "C:\\keys\\a",
        "key.pem",
        "https://id.example.test/token",
        "string",
        "password",
        "Password",
        "DB_PASSWORD",
        "db_password",
        "config.db.password",
        "getenv(\"X\")",
        "Passwort",
        "Contraseña",
        "Enter your password",
        "[REDACTED]",
        "changeit_here",
        "arn:aws:secretsmanager:eu:1:secret:x",
        "sha256",
        "required",
    ] {
        for name in ["password", "token", "api_key", "secret"] {
            assert_eq!(reason(&format!("/{name}"), value), None, "{name}: {value}");
        }
    }
}

#[test]
fn a_default_password_is_a_secret_in_plain_text() {
    // It is what the program takes, whatever the one who wrote it had in mind.
    for value in [
        "changeme",
        "hunter2",
        "s3cret-word",
        "letmein",
        "postgres",
        "correct horse battery staple",
        "12345678",
        "root",
    ] {
        assert_eq!(reason("/db/password", value).as_deref(), Some("name `password`"), "{value}");
    }
    // A machine generates a token, so a word is not one.
    assert_eq!(reason("/token", "identifier"), None);
}

#[test]
fn a_form_tells_whatever_the_name() {
    let body = RANDOM.repeat(3);
    for (value, wanted) in [
        (format!("ghp_{}", &RANDOM[..36]), "prefix of a GitHub token"),
        (format!("Use glpat-{} here", &RANDOM[..20]), "prefix of a GitLab token"),
        (format!("AKIA{}", "Q7ZXW2LMTB4KDVN3"), "prefix of an AWS access key"),
        (format!("https://{}/T0ABC/B0DEF/{}", "hooks.slack.com/services", &RANDOM[..24]), "prefix of a Slack webhook"),
        (format!("123456789:{}", &RANDOM[..35]), "prefix of a Telegram bot token"),
        (format!("sk-ant-api03-{RANDOM}"), "prefix of an Anthropic key"),
        (format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"), "PEM private key"),
        (format!("-----BEGIN PRIVATE KEY-----\\n{body}\\n"), "PEM private key"),
        (
            "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2UUlCQURBTkJna3Foa2lHOXcwQkFRRUZBQVNDQktjd2dnU2pBZ0VBQW9JQg=="
                .into(),
            "PEM private key",
        ),
        (format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{RANDOM}"), "JWT"),
        ("postgres://app:tr0ub4dor@db/app".into(), "URL with a password"),
        ("redis://:s3cr3tpw@redis:6379/0".into(), "URL with a password"),
        ("Server=db;User Id=sa;Password=Tr0ub4dor3x".into(), "connection string with a password"),
        ("PVEAPIToken=root@pam!ci=550e8400-e29b-41d4-a716-446655440000".into(), "prefix of a Proxmox API token"),
        ("DB_PASSWORD=tr0ub4dor".into(), "name `DB_PASSWORD`"),
        ("--api-key=k3J9x2Lm4Qz7".into(), "name `api-key`"),
        ("server --token k3J9x2Lm4Qz7 --port 1".into(), "name `token`"),
        ("Authorization: Bearer k3J9x2Lm4Qz7Wv".into(), "name `Authorization`"),
    ] {
        assert_eq!(reason("/x/0", &value).as_deref(), Some(wanted), "{value}");
    }
}

#[test]
fn what_only_looks_like_a_form_is_none() {
    for value in [
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-learn",
        "npm_config_registry_and_some_more_words_of_it",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHDBOBgkqhkiG9w0BBQ0wQTApBgkqhkiG9w0BBQwwHAQIb1bdKj\n",
        "http://localhost:8080/@scope/x",
        "https://user:password@host",
        "postgres://u:${PW}@db/x",
        "postgres://user:<password>@db",
        "https://example.test/a?b=c",
        "eyJhbGciOiJIUzI1NiJ9",
        "git@github.com:a/b.git",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0n3vX2kq7Zp",
        "a=b;c=d",
        "DB_PASSWORD=$DB_PASSWORD",
        "--token-file /run/x1y2z3",
        "set the password: then restart",
    ] {
        assert_eq!(reason("/x/0", value), None, "{value}");
    }
}

#[test]
fn random_text_counts_only_where_keys_are_kept() {
    assert_eq!(reason("/auth/main", &RANDOM[..32]).as_deref(), Some("random text of 32 characters"));
    assert_eq!(reason("/webhooks/0/x", RANDOM).as_deref(), Some("random text of 39 characters"));
    for (pointer, value) in [
        ("/page/main", RANDOM),
        ("/auth/main", "550e8400-e29b-41d4-a716-446655440000"),
        ("/auth/main", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("/auth/main", "ab12CDab12CDab12CDab12CDab12CD"),
        ("/auth/integrity", RANDOM),
        (
            "/packages/a/integrity",
            "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        ),
        ("/key", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"),
        ("/auth/main", "some-plain-name-with-number-12345"),
        ("/auth/public_key", RANDOM),
    ] {
        assert_eq!(reason(pointer, value), None, "{pointer} {value}");
    }
}

fn found(leaves: &[(&str, &str)]) -> Vec<(usize, String)> {
    let around = Surroundings::of(leaves.iter(), leaves.iter());
    let found = (0..leaves.len()).filter_map(|index| Some((index, around.reason(leaves, index)?.to_string())));
    found.collect()
}

#[test]
fn what_stands_around_a_value_tells_too() {
    let named = |index, name: &str| vec![(index, format!("name `{name}`"))];
    assert_eq!(found(&[("/env/0/name", "DB_PASSWORD"), ("/env/0/value", "hunter2")]), named(1, "DB_PASSWORD"));
    assert_eq!(found(&[("/env/0/value", "hunter2"), ("/env/0/name", "DB_PASSWORD")]), named(0, "DB_PASSWORD"));
    assert_eq!(found(&[("/env/0/name", "DB_PASSWORD"), ("/env/1/value", "hunter2")]), []);
    assert_eq!(found(&[("/args/0", "--token"), ("/args/1", "k3J9x2Lm4Qz7")]), named(1, "token"));
    assert_eq!(found(&[("/args/0", "--token"), ("/argv/1", "k3J9x2Lm4Qz7")]), []);
    let secret = [("/0/kind", "Secret"), ("/0/data/license", "c29tZXRoaW5n"), ("/1/data/license", "c29tZXRoaW5n")];
    assert_eq!(found(&secret), [(1, "data of a Kubernetes Secret".to_owned())]);
}

#[test]
fn in_a_list_of_messages_a_name_says_little() {
    let mut leaves = vec![("/login/password", "wachtwoord"), ("/login/secret", "geheimnis")];
    leaves.extend([("/a", "Enter your name"), ("/b", "The page was not found")].repeat(5));
    assert_eq!(found(&leaves), []);
    leaves.push(("/smtp/password", "k3J9x2Lm4Qz7"));
    assert_eq!(found(&leaves).len(), 1);
}

#[test]
fn a_reason_never_shows_the_value() {
    for (pointer, value) in
        [("/password", "Tr0ub4dor&3"), ("/x", "PASSWORD=Tr0ub4dor&3"), ("/u", "http://a:Tr0ub4dor3@b")]
    {
        assert!(!reason(pointer, value).unwrap().contains("Tr0ub4dor"));
    }
}
