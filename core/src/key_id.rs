//! The public name of a master key. It stands apart from [`key`](crate::key) because it needs a derivation, and derivations
//! need keys.

use core::fmt;

use crate::kdf;
use crate::key::{Key, MasterKey};

/// A master key's public name: four bytes, displayed as eight hex digits.
///
/// The bytes are the start of a derivation over a fixed label at the full iteration count. So an attacker who knows the name
/// guesses the key no faster than one who has a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The salt of the derivation that names a key. Its length is not 16 bytes, so it is the salt of no token.
    pub const LABEL: &'static [u8] = b"fernseal master key id";

    /// Returns the name from the key that was derived with [`KeyId::LABEL`]: for callers that derive many keys at once.
    #[must_use]
    pub fn from_derived(key: &Key) -> Self {
        let [a, b, c, d, ..] = *key.as_bytes();
        Self([a, b, c, d])
    }
}

impl MasterKey {
    /// Returns the key's public name. Costs one derivation.
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
