//! Hands a new master key to a key store, and checks that the store gives it back.
//!
//! `command` runs the commands. `commands/rotate` decides when a rotation does this, and which files contain both keys
//! by then.

use std::ffi::{OsStr, OsString};
use std::rc::Rc;

use base64ct::{Base64Url, Encoding};
use ctutils::CtEq;
use fernseal_core::MasterKey;
use zeroize::Zeroizing;

use super::source::{self, KeyOptions, Source, parse};
use super::{Master, command};
use crate::error::{Bug, Result, StoreFlaw, UsageFailure};
use crate::output::Report;

/// A store for the new key: a command that takes it, and the key command, which must print it afterwards.
pub(crate) struct KeyStore {
    command: OsString,
    key_command: Source,
}

impl KeyStore {
    /// Fails if there is no key command.
    pub(crate) fn new(command: &OsStr, options: &KeyOptions) -> Result<Self> {
        let key_command = source::key_command(options).ok_or(UsageFailure::NoKeyCommandForStore)?;
        Ok(Self { command: command.to_owned(), key_command })
    }

    /// Hands `key`, whose text is `text`, to the store, and reads it back.
    pub(crate) fn take(&self, key: &Master, text: &str, report: &Report) -> std::result::Result<(), StoreFlaw> {
        let line = Zeroizing::new(format!("{text}\n"));
        command::write(&self.command, line.as_bytes()).map_err(StoreFlaw::Command)?;
        let unread = |failure| StoreFlaw::NotReadBack(Box::new(failure));
        let read = self.key_command.read(report).map_err(unread)?;
        let name = self.key_command.name();
        let found: Rc<Master> = parse(&read, &name, self.key_command.read_from()).map_err(unread)?;
        if found.ct_eq(key).into() { Ok(()) } else { Err(StoreFlaw::AnotherKey { key_command: name }) }
    }
}

/// Returns a text that parses as an equal key. Zero bytes at the end of a key do not count (see [`MasterKey`]).
pub(crate) fn text_of(key: &MasterKey) -> Result<Zeroizing<String>> {
    const USUAL: usize = 32;
    let block = key.as_bytes();
    let used = block.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    // The text of a block of 64 bytes has 88 characters.
    let mut text = Zeroizing::new([0; 88]);
    let encoded = Base64Url::encode(&block[..used.max(USUAL)], &mut *text).map_err(|_| Bug::KeyWithoutText)?;
    Ok(Zeroizing::new(encoded.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_key_is_that_of_an_equal_key() {
        for bytes in [&[7; 32][..], &[0xfb; 31], &[1], &[9; 33], &[0xff; 64], &[3; 100], &[0; 8]] {
            let key = MasterKey::from_bytes(bytes).unwrap();
            let text = text_of(&key).unwrap();
            assert!(bool::from(MasterKey::from_text(&text).unwrap().ct_eq(&key)), "{bytes:?}");
        }
        let usual = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans=";
        assert_eq!(*text_of(&MasterKey::from_text(usual).unwrap()).unwrap(), usual);
    }
}
