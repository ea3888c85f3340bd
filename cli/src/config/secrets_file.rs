//! Reads `.fernseal.toml`, which lists the pointers of secrets in the configs beside it.
//!
//! `check` requires these values to be encrypted, and `encrypt` and `edit` encrypt them, in addition to the guide's
//! secret. A config need not contain all of them.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::LazyLock;

use fernseal_core::config::TOKEN_VALUE;
use serde::Deserialize;

use crate::error::{FileFailure, Result};
use crate::quote::Pointer;
use crate::store::ConfigPath;
use crate::store::staged as git;

/// The name of the file.
pub(crate) const NAME: &str = ".fernseal.toml";

/// The pointer of the guide's secret.
static GUIDES: LazyLock<Pointer> = LazyLock::new(|| TOKEN_VALUE.to_owned().into());

/// The content of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretsFile {
    /// The pointers of the secrets.
    #[serde(default)]
    pub(crate) secrets: Vec<Pointer>,
    /// Whether tokens in the old form are findings.
    #[serde(default)]
    pub(crate) no_legacy: bool,
}

impl SecretsFile {
    /// Reads the file beside `config`. If there is none, the list is empty.
    pub(crate) fn beside(config: &ConfigPath) -> Result<Self> {
        Self::of(config.beside(NAME)?)
    }

    /// Reads the file from git's index, beside a staged config.
    pub(crate) fn staged_beside(config: &Path) -> Result<Self> {
        Self::of(git::staged_beside(config, NAME)?)
    }

    fn of(file: Option<(PathBuf, Vec<u8>)>) -> Result<Self> {
        file.map_or_else(|| Ok(Self::default()), |(path, bytes)| Self::parse(&path, &bytes))
    }

    /// Returns the pointers of all secrets: the guide's, those in the file, and those that a command names.
    pub(crate) fn places<'a>(&'a self, named: &'a [Pointer]) -> impl Iterator<Item = &'a Pointer> {
        [&*GUIDES].into_iter().chain(&self.secrets).chain(named)
    }

    /// Parses the content of the file. `path` is for messages.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| FileFailure::SettingsNotUtf8 { path: path.to_owned(), error })?;
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let line =
                error.span().and_then(|span| text.get(..span.start)).map_or(1, |text| text.matches('\n').count() + 1);
            let problem = error.message().to_owned();
            FileFailure::SettingsInvalid { path: path.to_owned(), line, problem }.into()
        })
    }
}

/// Reads the file for one config after another, and keeps the last one, as configs of one directory come in a row.
#[derive(Default)]
pub(crate) struct SecretsFiles {
    last: Option<(PathBuf, Result<Rc<SecretsFile>>)>,
}

impl SecretsFiles {
    /// Returns the file beside `config`.
    pub(crate) fn beside(&mut self, config: &ConfigPath) -> Result<Rc<SecretsFile>> {
        self.of(&config.path, || SecretsFile::beside(config))
    }

    /// Returns the staged file beside a staged config.
    pub(crate) fn staged_beside(&mut self, config: &Path) -> Result<Rc<SecretsFile>> {
        self.of(config, || SecretsFile::staged_beside(config))
    }

    fn of(&mut self, config: &Path, read: impl FnOnce() -> Result<SecretsFile>) -> Result<Rc<SecretsFile>> {
        let directory = config.parent().unwrap_or(config);
        match &self.last {
            // Comparing bytes is enough and fast, as paths in one directory are spelled alike.
            Some((last, settings)) if last.as_os_str() == directory.as_os_str() => settings.clone(),
            _ => {
                let settings = read().map(Rc::new);
                self.last = Some((directory.to_owned(), settings.clone()));
                settings
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointers_are_read_and_anything_else_is_refused() {
        let settings =
            SecretsFile::parse(Path::new("s"), b"# of the database\nsecrets = [\"/db/password\", 'smtp.password']\n")
                .unwrap();
        assert_eq!(
            settings.secrets.iter().map(|secret| &**secret).collect::<Vec<_>>(),
            ["/db/password", "smtp.password"]
        );
        assert!(SecretsFile::parse(Path::new("s"), b"").unwrap().secrets.is_empty());
        assert!(SecretsFile::parse(Path::new("s"), b"no_legacy = true").unwrap().no_legacy);
        for (text, said) in [
            ("secrets = \"/a\"", "line 1: invalid type"),
            ("\n\nsecret = [\"/a\"]", "line 3: unknown field `secret`"),
            ("secrets = [", "line 1: "),
        ] {
            let failure = SecretsFile::parse(Path::new("s"), text.as_bytes()).unwrap_err();
            assert!(failure.what().starts_with(&format!("s cannot be used: {said}")), "{failure:?}");
        }
    }
}
