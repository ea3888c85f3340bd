//! Recognizes a master key that was base64-encoded twice, as happens when the text of a key is put through `base64` or
//! into the `data` of a Kubernetes secret.

use std::rc::Rc;

use fernseal_core::{MasterKey, stack};

use crate::env::USED_STACK;
use crate::error::KeyCaveat;
use crate::keys::Master;
use crate::output::Report;
use crate::quote::is_key_text;

/// Warns if `key` was encoded twice. The key is still used, because configs may be encrypted with it.
pub(super) fn warn_if_encoded_twice(key: &MasterKey, source: &str, report: &Report) {
    if encoded_twice(key).is_some() {
        report.warn(KeyCaveat::EncodedTwice { source: source.to_owned() });
    }
}

/// Returns the key whose text `key` decodes to, if `key` was encoded twice.
pub(crate) fn encoded_twice(key: &MasterKey) -> Option<Rc<Master>> {
    let text = std::str::from_utf8(key.as_bytes()).ok()?.trim_end_matches(['\0', '\n']);
    let inner = || MasterKey::from_text(text).ok().map(|key| Rc::new(key.into()));
    if is_key_text(text) { stack::wiped_after::<USED_STACK, _>(inner) } else { None }
}
