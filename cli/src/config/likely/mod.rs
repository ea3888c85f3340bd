//! Likely secrets: values of a config that nobody named, but that look like secrets.
//!
//! A value is likely a secret by its own form (a private key, a JWT, a service's prefix, a URL with a password), by the
//! name of its member (`db_password`, `x-api-key`), or because it is random text in a place where keys are kept. These
//! are guesses: the user can list a value as not a secret. A missed secret leaks; false alarms in many files make
//! people turn the search off. So a name alone is not enough: the value must also be one that a person or a machine
//! would choose as a secret, and not a placeholder, a path, a label or a flag.
//!
//! This module is not for values that `.fernseal.toml` or the command line names: those are certain. It depends on no
//! file and no format, and uses only std, so that `tests/findings` can build and measure it alone. After a change, run
//! `tests/findings/corpus.py`: it counts the secrets that are found and the false alarms.

mod embedded;
mod names;
mod placeholders;
mod prose;
mod randomness;
mod shapes;
#[cfg(test)]
mod tests;
mod values;
mod words;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use self::embedded::{embedded, is_secret_data};
use self::names::{by_name, random};
use self::prose::Prose;
use self::shapes::{by_form, may_be_secret};

/// Why a value is likely a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The name of its member, or of the option or variable in front of it.
    Name(String),
    /// It begins with the prefix of a service's tokens.
    Service(&'static str),
    PrivateKey,
    Jwt,
    UrlPassword,
    /// `Server=…;Password=…`
    ConnectionString,
    /// It is in the data of a Kubernetes Secret.
    KubernetesSecret,
    /// Random text of this many characters, in a place where keys are kept.
    Random(usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "name `{name}`"),
            Self::Service(service) => write!(f, "prefix of {service}"),
            Self::PrivateKey => f.write_str("PEM private key"),
            Self::Jwt => f.write_str("JWT"),
            Self::UrlPassword => f.write_str("URL with a password"),
            Self::ConnectionString => f.write_str("connection string with a password"),
            Self::KubernetesSecret => f.write_str("data of a Kubernetes Secret"),
            Self::Random(len) => write!(f, "random text of {len} characters"),
        }
    }
}

/// A string or scalar of a config in any format.
pub(crate) trait JudgedLeaf {
    /// Returns its pointer (RFC 6901).
    fn pointer(&self) -> &str;
    /// Returns the text of a string without escapes, or a number as it is written.
    fn value(&self) -> &str;
}

impl<P: AsRef<str>, V: AsRef<str>> JudgedLeaf for (P, V) {
    fn pointer(&self) -> &str {
        self.0.as_ref()
    }

    fn value(&self) -> &str {
        self.1.as_ref()
    }
}

impl<L: JudgedLeaf> JudgedLeaf for &L {
    fn pointer(&self) -> &str {
        (*self).pointer()
    }

    fn value(&self) -> &str {
        (*self).value()
    }
}

/// Returns why the value at `pointer` (RFC 6901) is likely a secret, if it is. `value` is the text of a string without
/// escapes, or a number as it is written. In a list of messages (`is_prose`), a name alone is weak evidence.
fn likely(pointer: &str, value: &str, is_prose: bool) -> Option<Reason> {
    let value = value.trim();
    if !may_be_secret(value) {
        return None;
    }
    by_form(value, is_prose)
        .or_else(|| by_name(pointer, value, is_prose))
        .or_else(|| embedded(value))
        .or_else(|| random(pointer, value))
}

/// Properties of a whole text that matter for each of its leaves.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// Whether the text is a list of messages, in which `"password": "Passwort"` is a label.
    is_prose: bool,
    /// The pointers of the Kubernetes Secrets in it.
    secrets: BTreeSet<String>,
}

impl Surroundings {
    /// Examines the first `ENOUGH` of the `strings` of a text, and those of `kinds` that equal [`KIND`]. `kinds` may
    /// contain other leaves too.
    pub(crate) fn of<L: JudgedLeaf>(strings: impl Iterator<Item = L>, kinds: impl Iterator<Item = L>) -> Self {
        let mut prose = Prose::default();
        strings.take(ENOUGH).for_each(|leaf| prose.add(leaf.value()));
        let secrets = kinds.filter(|leaf| leaf.value() == KIND);
        let secrets = secrets.filter_map(|leaf| leaf.pointer().strip_suffix("/kind").map(str::to_owned)).collect();
        Self { is_prose: prose.is_most(), secrets }
    }

    /// Returns why the leaf at `index` is likely a secret, if it is. `leaves` are in text order and include at least
    /// [`NEAR`] leaves on each side of it, or all. In addition to what [`likely`] checks, this considers the leaf's
    /// surroundings: `{"name": "TOKEN", "value": …}`, `["--token", …]`, the data of a Kubernetes Secret.
    pub(crate) fn reason<L: JudgedLeaf>(&self, leaves: &[L], index: usize) -> Option<Reason> {
        let pointer = |index: usize| leaves.get(index).map_or("", |leaf| leaf.pointer());
        let value = |index: usize| leaves.get(index).map_or("", |leaf| leaf.value());
        let (pointer_here, value_here) = (pointer(index), value(index).trim());
        if !may_be_secret(value_here) {
            return None;
        }
        let (parent, name) = pointer_here.rsplit_once('/')?;
        let found = likely(pointer_here, value_here, self.is_prose);
        if found.is_some() {
            return found;
        }
        if is_index(name) {
            // The option before it in the list, as in `["--token", "…"]`.
            let (parent_before, _) = pointer(index.checked_sub(1)?).rsplit_once('/')?;
            let option = value(index - 1).strip_prefix('-')?.trim_start_matches('-');
            let is_option = parent_before == parent && !option.contains(['=', ' ']);
            return is_option.then(|| by_name(&step(option), value_here, false)).flatten();
        }
        if VALUE_NAMES.contains(&name) {
            let near = index.saturating_sub(NEAR)..=index + NEAR;
            let sibling = near.filter(|index| {
                pointer(*index)
                    .rsplit_once('/')
                    .is_some_and(|(other, name)| other == parent && NAME_NAMES.contains(&name))
            });
            let named = sibling.map(|index| step(value(index))).find_map(|name| by_name(&name, value_here, false));
            if named.is_some() {
                return named;
            }
        }
        let is_data = ["/data", "/stringData"]
            .iter()
            .any(|data| parent.strip_suffix(data).is_some_and(|root| self.secrets.contains(root)));
        (is_data && is_secret_data(&unescaped(name), value_here)).then_some(Reason::KubernetesSecret)
    }
}

/// The value of `kind` in a Kubernetes Secret.
pub(crate) const KIND: &str = "Secret";

/// The number of strings that is enough to decide whether a text is a list of messages.
const ENOUGH: usize = 10_000;

/// The maximum distance between a `name` and its `value`, in leaves.
pub(crate) const NEAR: usize = 4;
const NAME_NAMES: [&str; 10] =
    ["name", "key", "Name", "Key", "variable", "header", "type", "ParameterKey", "OptionName", "parameterName"];
const VALUE_NAMES: &[&str] = &["value", "val", "Value", "ParameterValue", "content", "parameterValue"];

fn is_index(step: &str) -> bool {
    !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns a step of a pointer without escapes.
fn unescaped(step: &str) -> Cow<'_, str> {
    if step.contains('~') { Cow::Owned(step.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(step) }
}

/// Returns the pointer that has `name` as its only step.
fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
