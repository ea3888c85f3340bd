//! Secrets that are recognized by their own form: private keys, JWTs, URLs with a password, the tokens of services.

use super::Reason;
use super::placeholders::{is_dummy, is_keyword, is_placeholder};
use super::randomness::{is_random, is_uuid};
use super::values::decoded_base64;

/// Reports whether the value can be a secret at all. A value that is too short, a Fernseal token, or encrypted by
/// another tool cannot.
pub(super) fn may_be_secret(value: &str) -> bool {
    #[rustfmt::skip] // a table
    const SEALED: &[&str] = &[
        "enc:", "ENC[", "ENC(", "{cipher}", "$ANSIBLE_VAULT;", "-----BEGIN PGP MESSAGE", "-----BEGIN AGE ENCRYPTED",
        "age-encryption.org/", "data:",
    ];
    value.len() >= 4
        && !SEALED.iter().any(|start| value.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)))
}

pub(super) fn by_form(value: &str, is_prose: bool) -> Option<Reason> {
    // A PEM block may be base64-encoded once more, as in kubectl's config.
    let is_pem = |value: &str| {
        value.starts_with("LS0tLS1CRUdJTi") && decoded_base64(value).is_some_and(|text| is_private_key(&text))
    };
    if is_private_key(value) || is_pem(value) {
        return Some(Reason::PrivateKey);
    }
    if has_url_password(value, is_prose || value.contains(' ')) {
        return Some(Reason::UrlPassword);
    }
    service(value).map(Reason::Service).or_else(|| has_jwt(value).then_some(Reason::Jwt))
}

/// Reports whether the value contains a PEM block of a private key with a body. An encrypted private key is not a
/// plaintext secret.
pub(super) fn is_private_key(value: &str) -> bool {
    value.match_indices("-----BEGIN ").any(|(at, begin)| {
        let rest = &value[at + begin.len()..];
        let Some((label, body)) = rest.split_once("-----") else { return false };
        let is_private = label.ends_with("PRIVATE KEY") || label == "PGP PRIVATE KEY BLOCK";
        // The body ends at the next dashes, as it contains none itself. So each part of the text is read only once.
        let body = body.split("-----").next().unwrap_or(body);
        let is_encrypted = label.starts_with("ENCRYPTED") || body.contains("ENCRYPTED");
        is_private && !is_encrypted && body.bytes().filter(|byte| byte.is_ascii_alphanumeric()).count() >= 40
    })
}

/// Reports whether the value contains `scheme://user:password@host`. In a sentence, a plain word in the place of the
/// password is a label in some language.
pub(super) fn has_url_password(value: &str, is_prose: bool) -> bool {
    value.match_indices("://").any(|(at, mark)| {
        let scheme = &value[..at];
        if !scheme.ends_with(|char: char| char.is_ascii_alphanumeric()) {
            return false;
        }
        let rest = &value[at + mark.len()..];
        // A `?` or `#` in a password should be escaped, but often is not.
        let end = rest.find(|char: char| "/\"'`<>\\".contains(char) || char.is_whitespace()).unwrap_or(rest.len());
        let Some((user_info, host)) = rest[..end].rsplit_once('@') else { return false };
        let Some((user, password)) = user_info.split_once(':') else { return false };
        // An example names its parts: `user:pass@host`.
        let is_example = is_dummy(user) && is_dummy(password) || host.is_empty() || user.contains(['?', '#']);
        let is_word = !password.bytes().any(|byte| byte.is_ascii_digit());
        let is_label = is_prose && is_word || is_example;
        password.len() >= 3 && !is_label && !is_placeholder(password) && !is_keyword(password)
    })
}

/// The prefixes of services' tokens: the prefix, the minimum number of further characters (`A-Z a-z 0-9 - _`), and the
/// service. Tokens that are public by design (Stripe's `pk_`, Sentry's DSN) are not listed.
pub(super) const SERVICES: &[(&str, usize, &str)] = &[
    ("ghp_", 30, "a GitHub token"),
    ("gho_", 30, "a GitHub token"),
    ("ghu_", 30, "a GitHub token"),
    ("ghs_", 30, "a GitHub token"),
    ("ghr_", 30, "a GitHub token"),
    ("github_pat_", 22, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("gldt-", 20, "a GitLab token"),
    ("glrt-", 20, "a GitLab token"),
    ("glptt-", 20, "a GitLab token"),
    ("glcbt-", 20, "a GitLab token"),
    ("glsoat-", 20, "a GitLab token"),
    ("glagent-", 20, "a GitLab token"),
    ("glft-", 20, "a GitLab token"),
    ("xoxa-", 10, "a Slack token"),
    ("xoxb-", 10, "a Slack token"),
    ("xoxp-", 10, "a Slack token"),
    ("xoxr-", 10, "a Slack token"),
    ("xoxs-", 10, "a Slack token"),
    ("xoxe-", 10, "a Slack token"),
    ("xoxe.", 10, "a Slack token"),
    ("xapp-", 10, "a Slack token"),
    ("hooks.slack.com/services/T", 16, "a Slack webhook"),
    ("discord.com/api/webhooks/", 17, "a Discord webhook"),
    ("discordapp.com/api/webhooks/", 17, "a Discord webhook"),
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("ABIA", 16, "an AWS access key"),
    ("sk_live_", 16, "a Stripe key"),
    ("rk_live_", 16, "a Stripe key"),
    ("sk_test_", 16, "a Stripe key"),
    ("rk_test_", 16, "a Stripe key"),
    ("whsec_", 24, "a webhook's signing secret"),
    ("sk-ant-", 20, "an Anthropic key"),
    ("sk-proj-", 20, "an OpenAI key"),
    ("sk-svcacct-", 20, "an OpenAI key"),
    ("sk-admin-", 20, "an OpenAI key"),
    ("sk-or-v1-", 32, "an OpenRouter key"),
    ("sk-", 40, "an OpenAI key"),
    ("AIza", 35, "a Google API key"),
    ("GOCSPX-", 24, "a Google client secret"),
    ("ya29.", 30, "a Google access token"),
    ("npm_", 36, "an npm token"),
    ("pypi-", 40, "a PyPI token"),
    ("rubygems_", 40, "a RubyGems key"),
    ("dckr_pat_", 20, "a Docker Hub token"),
    ("dckr_oat_", 20, "a Docker Hub token"),
    ("dop_v1_", 40, "a DigitalOcean token"),
    ("doo_v1_", 40, "a DigitalOcean token"),
    ("dor_v1_", 40, "a DigitalOcean token"),
    ("hf_", 30, "a Hugging Face token"),
    ("SG.", 16, "a SendGrid key"),
    ("key-", 32, "a Mailgun key"),
    ("shpat_", 32, "a Shopify token"),
    ("shpss_", 32, "a Shopify token"),
    ("shpca_", 32, "a Shopify token"),
    ("shppa_", 32, "a Shopify token"),
    ("sq0atp-", 22, "a Square token"),
    ("sq0csp-", 43, "a Square token"),
    ("hvs.", 24, "a Vault token"),
    ("hvb.", 24, "a Vault token"),
    ("dp.pt.", 40, "a Doppler token"),
    ("dp.st.", 10, "a Doppler token"),
    ("lin_api_", 32, "a Linear key"),
    ("pul-", 40, "a Pulumi token"),
    ("NRAK-", 27, "a New Relic key"),
    ("glsa_", 32, "a Grafana token"),
    ("glc_", 32, "a Grafana token"),
    ("PMAK-", 50, "a Postman key"),
    ("sntrys_", 40, "a Sentry token"),
    ("sntryu_", 40, "a Sentry token"),
    ("figd_", 32, "a Figma token"),
    ("ntn_", 40, "a Notion token"),
    ("tskey-", 20, "a Tailscale key"),
    ("AGE-SECRET-KEY-1", 50, "an age key"),
    ("gsk_", 40, "a Groq key"),
    ("r8_", 36, "a Replicate token"),
    ("pplx-", 40, "a Perplexity key"),
    ("xai-", 40, "an xAI key"),
    ("nvapi-", 40, "an NVIDIA key"),
    ("sbp_", 40, "a Supabase token"),
    ("sb_secret_", 20, "a Supabase key"),
    ("ATATT3", 40, "an Atlassian token"),
];

/// The maximum number of characters of a token that are examined. It keeps the time linear for a long run of prefixes.
const LONGEST: usize = 512;

/// Returns the service whose token the value contains, if any. One pass: prefixes are compared only at the start of
/// words.
pub(super) fn service(value: &str) -> Option<&'static str> {
    // A token is one long word, and most values contain no long word.
    if value.split(' ').all(|word| word.len() < 12) {
        return None;
    }
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let bytes = value.as_bytes();
    let begins = |at: usize| at == 0 || bytes[at - 1] == b'-' || !in_token(bytes[at - 1]);
    let is_of = |at: usize, prefix: &str, least: usize| {
        let Some(rest) = value.get(at..).and_then(|rest| rest.strip_prefix(prefix)) else { return false };
        let separator = if prefix.contains('/') { b'/' } else { b'.' };
        let in_this = |byte: &u8| in_token(*byte) || *byte == separator;
        let token = &rest[..rest.bytes().take(LONGEST).take_while(in_this).count()];
        let fits = match prefix {
            "AKIA" | "ASIA" | "ABIA" => {
                token.len() == 16 && token.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            }
            "SG." => token.contains('.') && token.len() >= 40,
            // Short prefixes can also begin ordinary words, so a separator in the rest rules the token out.
            "sk-" | "key-" | "hf_" | "r8_" => !token.contains(['-', '.', '_']),
            _ => true,
        };
        fits && token.len() >= least && !is_placeholder(token) && is_random(token, 0.6)
    };
    let mut starts = (0..bytes.len().saturating_sub(12)).filter(|at| begins(*at));
    let found = starts.find_map(|at| {
        let possible = SERVICES.iter().filter(|(prefix, _, _)| prefix.as_bytes().first() == bytes.get(at));
        possible.into_iter().find(|(prefix, least, _)| is_of(at, prefix, *least)).map(|(_, _, service)| *service)
    });
    found.or_else(|| bot_token(value))
}

/// Finds tokens that are recognized by their form rather than by a prefix.
pub(super) fn bot_token(value: &str) -> Option<&'static str> {
    let in_token = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
    for (at, _) in value.match_indices(':') {
        let digits = value[..at].bytes().rev().take_while(u8::is_ascii_digit).count();
        let rest = &value[at + 1..];
        let len = rest.find(|char| !in_token(char)).unwrap_or(rest.len());
        if (8..=10).contains(&digits) && len == 35 && is_random(&rest[..len], 0.6) {
            return Some("a Telegram bot token");
        }
    }
    // `PVEAPIToken=user@realm!id=UUID`, the header of Proxmox.
    let (_, rest) = value.split_once("PVEAPIToken=")?;
    let (_, uuid) = rest.split_once('=')?;
    uuid.get(..36).is_some_and(is_uuid).then_some("a Proxmox API token")
}

/// Reports whether the value contains a JWT: three parts in base64url, the first two of them JSON objects.
pub(super) fn has_jwt(value: &str) -> bool {
    value.match_indices("eyJ").any(|(at, _)| {
        let in_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        // A part ends at the next dot or earlier, so each part is read only a few times.
        let mut rest = &value.as_bytes()[at..];
        let mut is_long = |start: &[u8]| {
            let len = rest.iter().take_while(|byte| in_part(byte)).count();
            let is_long = len >= 10 && rest.starts_with(start);
            rest = rest.get(len + 1..).filter(|_| rest.get(len) == Some(&b'.')).unwrap_or_default();
            is_long
        };
        let is_whole = !value.as_bytes()[..at].last().is_some_and(in_part);
        is_whole && is_long(b"eyJ") && is_long(b"eyJ") && is_long(b"")
    })
}
