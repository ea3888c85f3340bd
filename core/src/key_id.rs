//! The public ID of a master key. It is not part of [`key`](crate::key), because an ID needs a derivation and
//! derivations need [`key`](crate::key).

use core::fmt;
use core::num::NonZeroU32;

use crate::kdf::{self, Job};
use crate::key::{Key, MasterKey};

/// The public ID of a master key: four bytes, displayed as eight hex digits.
///
/// The bytes are the start of a key that is derived with a fixed salt and as many iterations as the key of a token. So an
/// attacker who knows the ID guesses the master key no faster than an attacker who has a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The salt of the derivation that gives the ID. Its length is not 16 bytes, so no token has the same salt.
    pub const LABEL: &'static [u8] = b"fernseal master key id";

    /// The iteration count of that derivation. It never changes, whatever the count of a later token version: with
    /// another count, a master key would have another ID than the one that backups, audit logs and people's notes name.
    pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(kdf::iterations(100_000)).unwrap();

    /// Returns the job that derives the key of the ID of `master`, for [`kdf::derive_many`] and [`KeyId::from_derived`].
    #[must_use]
    pub const fn job(master: &MasterKey) -> Job<'_> {
        Job { master, salt: Self::LABEL, iterations: Self::ITERATIONS }
    }

    /// Returns the ID, given the key that was derived with [`KeyId::LABEL`] and [`KeyId::ITERATIONS`]. For callers that derive
    /// many keys at once.
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
        KeyId::from_derived(&kdf::derive(self, KeyId::LABEL, KeyId::ITERATIONS))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
