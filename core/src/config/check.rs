//! Checks a config without a key, and says where its first fault lies, for messages to the person who wrote the config.

#[cfg(not(feature = "compact"))]
use super::batch::check_duplicates;
use super::kind::begins_sealed;
#[cfg(feature = "compact")]
use super::single::check_duplicates;
use crate::compact::COMPACT;
use crate::error::Error;
use crate::json::{self, Events, PathHash};
use crate::token::Token;

/// The number of paths that are checked for duplicates in one walk through the text: at least those of one token.
const PATHS: usize = if COMPACT { 0 } else { json::MAX_DEPTH + 1 };

/// Finds the first fault of a config for which [`open`](super::open) refuses it, whatever the key: text that is not JSON, then a
/// name on the path to a token that occurs twice, then a string that begins with `enc:` and is not a token. Costs no
/// derivation.
///
/// It does not check a token that is written with escapes, which no program writes.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`], [`Error::DuplicateKey`] or [`Error::Malformed`], and the offset of the fault in
/// bytes: of the invalid character, of the second name, or of the string. With the feature `compact`, the
/// offset of a duplicate name is that of the token.
pub fn check(json: &str) -> Result<(), (Error, usize)> {
    let mut events = Events::new(json);
    while let Some(event) = events.next() {
        event.map_err(|error| (error, events.offset()))?;
    }
    // The text is JSON, so no walk fails from here on.
    check_duplicates(json, &mut [PathHash::default(); PATHS])?;
    for value in json::strings(json).map_while(Result::ok) {
        let raw = value.raw_bytes().map_err(|error| (error, value.span().start))?;
        if begins_sealed(raw) && !raw.contains(&b'\\') {
            Token::parse_bytes(raw).map_err(|error| (error, value.span().start))?;
        }
    }
    Ok(())
}
