//! Failures of opening tokens and sealing secrets, with advice about which key to use.

use std::path::{Path, PathBuf};

use fernseal_core::{Error, KeyId};

use super::{ConfigFailure, Exit, KeySource, Message, message};
use crate::quote::{Pointer, count, exports, quoted_path, shown};

#[derive(Debug, Clone)]
pub(crate) enum TokenFailure {
    /// A token was refused because of `error`.
    Refused { config: PathBuf, pointer: Pointer, error: Error, advice: Advice },
    /// The config's other tokens are under a key other than the one that would seal. `tried` is the token that was
    /// tried.
    OthersUnopened { config: PathBuf, tried: Pointer, key_from: String, elsewhere: Option<Box<KeyElsewhere>> },
    /// This many tokens of a config open with none of the keys in the usual places.
    NoKeyAtHand { config: PathBuf, tokens: usize },
    /// The text on stdin is not a single token, so `open` cannot open it.
    NotOneToken,
    /// A secret could not be sealed, or the new token did not open.
    SealingFailed(Error),
}

/// What else is known about a refused token.
#[derive(Debug, Clone)]
pub(crate) enum Advice {
    /// Nothing. The hint is that of the error.
    Usual,
    /// It contains a Fernet token that was not base64-encoded a second time.
    BareFernet,
    /// The available key was encoded twice, and the key that it decodes to opens the token.
    EncodedTwice { key_from: String },
    /// Another key opens it.
    Elsewhere(Box<KeyElsewhere>),
    /// No known key opens it.
    OtherKey {
        /// The name of the place that the master key came from.
        key_from: String,
        id: KeyId,
        has_previous: bool,
        /// The number of keys left by rotations that were tried too.
        tried: usize,
    },
    /// It is under the new key of an unfinished rotation. The command finishes that rotation.
    Unfinished { key_file: PathBuf, command: String },
    /// It is under the old key of an unfinished rotation whose new key is in a store. The command finishes that
    /// rotation.
    UnfinishedFrom { key_file: PathBuf, command: String },
}

/// A key in a file left by a rotation. It opens a token that the current keys do not open.
#[derive(Debug, Clone)]
pub(crate) struct KeyElsewhere {
    pub(crate) file: PathBuf,
    pub(crate) id: KeyId,
    /// The config, if the key opens all of its tokens.
    pub(crate) opens_all_of: Option<PathBuf>,
    /// The kind of place that the current master key came from.
    pub(crate) present: KeySource,
}

impl KeyElsewhere {
    fn hint(&self) -> String {
        let what = match &self.opens_all_of {
            Some(config) => format!("all of {}", shown(config)),
            None => "this token".to_owned(),
        };
        format!(
            "the key in {} (its id is {}), which a rotation made, decrypts {what}: {}",
            shown(&self.file),
            self.id,
            make_permanent(&self.file, self.present)
        )
    }
}

impl TokenFailure {
    pub(super) fn message(&self) -> Message {
        match self {
            Self::Refused { config, pointer, error, advice } => {
                let refused = ConfigFailure::Value { config: config.clone(), pointer: pointer.clone(), error: *error };
                match advice.hint() {
                    None => refused.message(),
                    Some(hint) => refused.message().with_next(|_| hint),
                }
            }
            Self::OthersUnopened { config, tried, key_from, elsewhere } => message(
                Exit::Unopened,
                format!("this key does not decrypt the other tokens of {} (tried: {tried})", shown(config)),
                match elsewhere {
                    Some(elsewhere) => elsewhere.hint(),
                    None => format!(
                        "replace the key from {key_from} with the key that they were encrypted with; `fernseal verify` shows \
                         which tokens a key decrypts; if that key is lost, first replace each of these tokens with \"\""
                    ),
                },
            ),
            Self::NoKeyAtHand { config, tokens } => message(
                Exit::Unopened,
                format!("{} of {}: no available key fits", does_not_open(*tokens), shown(config)),
                "name the file of their key with --key-file, or restore the config from a backup",
            ),
            Self::NotOneToken => message(
                Exit::Malformed,
                "Invalid encrypted token format: stdin must contain exactly one token",
                "pipe in one token as `fernseal seal` prints it; for a text with tokens use `fernseal decrypt -`",
            ),
            Self::SealingFailed(error) => message(
                Exit::Other,
                format!("encryption failed: {error}"),
                "nothing was written; try again, and report it if it fails again",
            ),
        }
    }
}

/// Returns the message that this many tokens do not open.
fn does_not_open(tokens: usize) -> String {
    format!("Token decryption failed for {}", count(tokens, "token"))
}

impl Advice {
    /// Returns what to do, from what else is known about the token.
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Usual => return None,
            Self::BareFernet => "the value is a bare Fernet token: encode its text in base64 once more, \
                                 or replace it with the plain secret and encrypt that"
                .to_owned(),
            Self::EncodedTwice { key_from } => format!(
                "the key from {key_from} is base64-encoded twice, and the decoded key decrypts this token: replace the key \
                 with the output of `base64 -d`"
            ),
            Self::Elsewhere(elsewhere) => elsewhere.hint(),
            Self::OtherKey { key_from, id, has_previous, tried } => {
                let previous = if *has_previous { ", nor with a previous key" } else { "" };
                let tried = match tried {
                    0 => String::new(),
                    1 => "; the other key that a rotation left in HOME does not decrypt it either".to_owned(),
                    tried => format!("; none of the {tried} other keys that rotations left in HOME decrypts it either"),
                };
                format!(
                    "it was not encrypted with the key from {key_from} (its id is {id}){previous}, or it was \
                     changed since: set the right key, or restore the config from a backup{tried}"
                )
            }
            Self::Unfinished { key_file, command } => {
                format!("the key in {} decrypts it: finish the rotation to that key with: {command}", shown(key_file))
            }
            Self::UnfinishedFrom { key_file, command } => {
                format!("the key in {} decrypts it: finish the rotation from that key with: {command}", shown(key_file))
            }
        })
    }
}

/// Returns how to make the key in `file` the master key, instead of the one from `present`.
fn make_permanent(file: &Path, present: KeySource) -> String {
    let option = format!("use --key-file {}", quoted_path(file));
    let exports: Vec<_> = exports(file).lines().map(|line| line.trim().to_owned()).collect();
    let exports = exports.join("; ");
    match present {
        KeySource::Option => format!("{option} from now on"),
        KeySource::Command => format!("store that key where the key command reads it, or {option}"),
        KeySource::Credential => "replace the credential proxmox_mcp_master_key with the text of that file".to_owned(),
        KeySource::Variable => format!("set it, here and wherever the old key is set: {exports}"),
        KeySource::Home => format!("move it to ~/.proxmox_mcp_key, or {option}"),
        KeySource::Prompt => format!("{option}, or set it for good: {exports}"),
    }
}
