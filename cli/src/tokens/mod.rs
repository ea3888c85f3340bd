//! Opens and seals many tokens at once, with the keys of a keyring.
//!
//! Callers pass the tokens of several configs together, so that their keys are derived on all cores. The token format
//! itself is in fernseal-core.

pub(crate) mod batch;
mod refusal;
pub(crate) mod verify;

use fernseal_core::token::{self, Format};
use fernseal_core::{Error, Key};
use getrandom::SysRng;
use zeroize::Zeroizing;

use crate::config::text::{ConfigText, SealedValue};
use crate::error::{Bug, Result, TokenFailure};
use crate::keys::{Derived, KeyRequest, Keyring, Master, derive};

pub(crate) use refusal::{found_elsewhere, open_under, opens, refusal};

/// An opened secret, with the key that opened it.
pub(crate) struct Opened {
    pub(crate) plain: Zeroizing<Vec<u8>>,
    /// The index of the master key in the keyring.
    pub(crate) master: usize,
    pub(crate) key: Derived,
}

/// Opens each token with the first key that fits. No key is derived twice.
pub(crate) fn open(tokens: &[(&ConfigText, &SealedValue)], keys: &Keyring) -> Vec<std::result::Result<Opened, Error>> {
    let mut results: Vec<_> =
        tokens.iter().map(|(_, token)| Err(token.form.err().unwrap_or(Error::AuthenticationFailed))).collect();
    for (index, master) in keys.all().iter().enumerate() {
        let (places, tasks): (Vec<usize>, Vec<KeyRequest<'_>>) = tokens
            .iter()
            .enumerate()
            .filter(|(place, _)| matches!(results.get(*place), Some(Err(Error::AuthenticationFailed))))
            .filter_map(|(place, (_, token))| Some((place, KeyRequest { master, params: token.key_params()? })))
            .unzip();
        for (place, key) in places.into_iter().zip(derive::keys(&tasks)) {
            let Some(((document, token), result)) = tokens.get(place).zip(results.get_mut(place)) else { continue };
            *result = open_with(&key, token.text(document)).map(|plain| Opened { plain, master: index, key });
        }
    }
    results
}

/// Fails if `keys` do not open the tokens that `document` already contains. Sealing another value would put the config
/// under two keys, and no single key would open all of it. Only the first valid token of `others`, the tokens that
/// stay, is tried: one derivation is enough.
pub(crate) fn check_fit<'a>(
    document: &ConfigText,
    mut others: impl Iterator<Item = &'a SealedValue>,
    keys: &Keyring,
) -> Result<()> {
    let Some(token) = others.find(|token| token.form.is_ok()) else { return Ok(()) };
    if open(&[(document, token)], keys).iter().any(std::result::Result::is_ok) {
        return Ok(());
    }
    Err(TokenFailure::OthersUnopened {
        config: document.path.clone(),
        tried: token.pointer.clone(),
        key_from: keys.source().to_owned(),
        elsewhere: found_elsewhere(document, token, keys).map(Box::new),
    }
    .into())
}

/// Seals one secret under a random salt.
pub(crate) fn seal_one(master: &Master, secret: &str, at: u64) -> Result<String> {
    let sealed: std::result::Result<[String; 1], _> = seal(master, &[secret], false, at)?.try_into();
    sealed.map(|[token]| token).map_err(|sealed| Bug::TokensOfOneSecret { number: sealed.len() }.into())
}

/// Seals each secret under a random salt of its own, or under the legacy salt. `at` is the time in the tokens. Opens
/// each token again to check it.
pub(crate) fn seal(master: &Master, secrets: &[&str], legacy: bool, at: u64) -> Result<Vec<String>> {
    let format = |_| if legacy { Ok(Format::Legacy) } else { Format::salted(&mut SysRng) };
    let formats: Vec<Format> =
        secrets.iter().map(format).collect::<std::result::Result<_, _>>().map_err(TokenFailure::SealingFailed)?;
    let tasks: Vec<KeyRequest<'_>> =
        formats.iter().map(|format| KeyRequest { master, params: format.key_params() }).collect();
    let keys = derive::keys(&tasks);
    let seal_one = |(secret, (format, key)): (&&str, (&Format, Derived))| {
        let mut out = vec![0; token::token_len(secret.len())];
        let sealed = token::seal_with(&key, format, secret.as_bytes(), at, &mut SysRng, &mut out)?.to_owned();
        match open_with(&key, &sealed) {
            Ok(plain) if *plain == secret.as_bytes() => Ok(sealed),
            _ => Err(Error::AuthenticationFailed),
        }
    };
    let sealed: std::result::Result<_, _> = secrets.iter().zip(formats.iter().zip(keys)).map(seal_one).collect();
    Ok(sealed.map_err(TokenFailure::SealingFailed)?)
}

/// Opens one token with its derived key.
pub(crate) fn open_with(key: &Key, text: &str) -> std::result::Result<Zeroizing<Vec<u8>>, Error> {
    let mut plain = Zeroizing::new(vec![0; token::open_len(text.len())]);
    let len = token::open_with(key, text, &mut plain)?.len();
    plain.truncate(len);
    Ok(plain)
}
