//! The public ID of a master key. It is not part of [`key`](crate::key), because an ID needs a derivation and
//! derivations need [`key`](crate::key).

use core::fmt;

use crate::kdf;
use crate::key::{Key, MasterKey};

/// The public ID of a master key: four bytes, displayed as eight hex digits.
///
/// The bytes are the start of a key that is derived with a fixed salt and the full iteration count. So an attacker who
/// knows the ID guesses the master key no faster than an attacker who has a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The salt of the derivation that gives the ID. Its length is not 16 bytes, so no token has the same salt.
    pub const LABEL: &'static [u8] = b"fernseal master key id";

    /// Returns the ID, given the key that was derived with [`KeyId::LABEL`]. For callers that derive many keys at once.
    #[must_use]
    pub fn from_derived(key: &Key) -> Self {
        let [a, b, c, d, ..] = *key.as_bytes();
        Self([a, b, c, d])
    }
}

impl MasterKey {
    /// Returns the ID of the key. Costs one derivation.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::from_derived(&kdf::derive(self, KeyId::LABEL, kdf::ITERATIONS))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
