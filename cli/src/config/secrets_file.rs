//! `.fernseal.toml`, in the directory of configs or above it. It names the values that are secrets, in addition to the
//! guide's: `check` requires them to be encrypted, and `encrypt` and `edit` seal them. It also names values that look
//! like secrets but are not, and files that are configs although their names do not show it. A config need not have all
//! of the named values. Only the nearest file at or above a config's directory counts.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::LazyLock;

use fernseal_core::config::TOKEN_VALUE;
use serde::Deserialize;

use crate::config::naming::{NamedPointer, NamedValues};
use crate::config::pattern::{InvalidPattern, Patterns};
use crate::env::SECRETS_FILE;
use crate::error::{Failure, FileFailure, Result};
use crate::quote::Pointer;
use crate::store::staged::FilesNamed;
use crate::store::{self, ConfigPath};

/// The pointer of the guide's secret.
static GUIDES: LazyLock<NamedPointer> =
    LazyLock::new(|| NamedPointer { written: TOKEN_VALUE.to_owned().into(), exact: TOKEN_VALUE.to_owned() });

/// The parsed content of the file.
#[derive(Debug, Default)]
pub(crate) struct SecretsFile {
    /// The values that are secrets.
    pub(crate) secrets: NamedValues,
    /// The values that look like secrets but are not.
    pub(crate) ignore: Patterns,
    /// Whether `check` reports tokens in the old form.
    pub(crate) no_legacy: bool,
    /// Globs of additional config files below the file's directory.
    pub(crate) include: Vec<String>,
    /// Globs of files that are not configs, whatever their names.
    pub(crate) exclude: Vec<String>,
    /// The path from the file's directory down to that of the configs; empty if they are the same.
    pub(crate) way: PathBuf,
}

/// The content of the file as TOML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Content {
    secrets: Vec<Pointer>,
    ignore: Vec<Pointer>,
    no_legacy: bool,
    include: Vec<String>,
    exclude: Vec<String>,
}

impl SecretsFile {
    /// Reads the file in the directory of `config`, or the nearest one above it. Without a file, the result is empty.
    pub(crate) fn nearest(config: &ConfigPath) -> Result<Self> {
        if let Some((path, bytes)) = config.beside(SECRETS_FILE)? {
            return Self::parse(&path, &bytes);
        }
        let not_sought = |error: std::io::Error| {
            Failure::from(FileFailure::SettingsNotSought { config: config.path.clone(), error: error.into() })
        };
        let Some((path, way)) = store::nearest_above(&config.path, SECRETS_FILE).map_err(not_sought)? else {
            return Ok(Self::default());
        };
        match config.above(&path)? {
            Some((path, bytes)) => Ok(Self { way, ..Self::parse(&path, &bytes)? }),
            // The file was removed after the search found it.
            None => Ok(Self::default()),
        }
    }

    /// Returns the pointers that each lead to a secret: the guide's, those in the file, and those that a command names.
    pub(crate) fn places<'a>(&'a self, named: &'a NamedValues) -> impl Iterator<Item = &'a NamedPointer> {
        [&*GUIDES].into_iter().chain(&self.secrets.pointers).chain(&named.pointers)
    }

    /// Parses the content of the file. `path` is for messages.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| FileFailure::SettingsNotUtf8 { path: path.to_owned(), error })?;
        let content: Content = toml::from_str(text).map_err(|error: toml::de::Error| {
            let line =
                error.span().and_then(|span| text.get(..span.start)).map_or(1, |text| text.matches('\n').count() + 1);
            let problem = error.message().to_owned();
            FileFailure::SettingsInvalid { path: path.to_owned(), line, problem }
        })?;
        let invalid = |InvalidPattern { text, flaw }| {
            Failure::from(FileFailure::SettingsPattern { path: path.to_owned(), text: text.into(), flaw })
        };
        let Content { secrets, ignore, no_legacy, include, exclude } = content;
        let secrets = NamedValues::parse(&secrets).map_err(invalid)?;
        let ignore = Patterns::parse(ignore.iter().map(|pattern| &**pattern)).map_err(invalid)?;
        Ok(Self { secrets, ignore, no_legacy, include, exclude, way: PathBuf::new() })
    }
}

/// Reads the file for one config after another, and keeps the last one, as configs of one directory come in a row.
#[derive(Default)]
pub(crate) struct SecretsFiles {
    last: Option<(PathBuf, Result<Rc<SecretsFile>>)>,
}

impl SecretsFiles {
    /// Returns the file for `config`.
    pub(crate) fn nearest(&mut self, config: &ConfigPath) -> Result<Rc<SecretsFile>> {
        self.of(&config.path, || SecretsFile::nearest(config))
    }

    /// Returns the one of the staged files that is for a staged config.
    pub(crate) fn staged(&mut self, files: &FilesNamed, config: &Path) -> Result<Rc<SecretsFile>> {
        self.of(config, || match files.nearest(config, SECRETS_FILE)? {
            Some((path, bytes)) => SecretsFile::parse(&path, &bytes),
            None => Ok(SecretsFile::default()),
        })
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
        let pointers = |text: &[u8]| -> Vec<String> {
            let settings = SecretsFile::parse(Path::new("s"), text).unwrap();
            settings.secrets.pointers.into_iter().map(|pointer| pointer.exact).collect()
        };
        let text = b"# of the database\nsecrets = [\"/db/password\", 'smtp.password']\n";
        assert_eq!(pointers(text), ["/db/password", "/smtp/password"]);
        assert!(pointers(b"").is_empty());
        assert!(SecretsFile::parse(Path::new("s"), b"no_legacy = true").unwrap().no_legacy);
        for (text, said) in [
            ("secrets = \"/a\"", "line 1: invalid type"),
            ("\n\nsecret = [\"/a\"]", "line 3: unknown field `secret`"),
            ("secrets = [", "line 1: "),
            ("ignore = [\"/a~b\"]", "\"/a~b\" is not a pointer or pattern: ~ is followed by"),
            ("secrets = [\"\"]", "\"\" is not a pointer or pattern: it is empty"),
        ] {
            let failure = SecretsFile::parse(Path::new("s"), text.as_bytes()).unwrap_err();
            assert!(failure.what().starts_with(&format!("s cannot be used: {said}")), "{failure:?}");
        }
    }

    #[test]
    fn the_schema_for_editors_takes_what_is_read() {
        let schema: serde_json::Value = serde_json::from_str(include_str!("../../secrets-file.schema.json")).unwrap();
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler.add_resource("s.json", schema.clone()).unwrap();
        let index = compiler.compile("s.json", &mut schemas).unwrap();
        for text in [
            "",
            "secrets = [\"/a/*/b\", \"a.b\", \"**/password\", \"/env/*_TOKEN\", \"/~0~1~2\", \"a~b\", \"/a/**\"]",
            "ignore = [\"**\", \"*\"]",
            "no_legacy = true",
            "include = [\"*.tf\"]\nexclude = [\"old/**\"]",
            "secrets = \"/a\"",
            "secrets = [1]",
            "secret = []",
            "no_legacy = 1",
            "include = \"*.tf\"",
            "ignore = [\"\"]",
            "ignore = [\"/a**\"]",
            "ignore = [\"**a.b\"]",
            "ignore = [\"/a~\"]",
            "ignore = [\"/a~3\"]",
        ] {
            let value: serde_json::Value = toml::from_str(text).unwrap();
            let is_read = SecretsFile::parse(Path::new("s"), text.as_bytes()).is_ok();
            assert_eq!(schemas.validate(&value, index).is_ok(), is_read, "{text}");
        }
        let properties = schema["properties"].as_object().unwrap();
        let names: Vec<&String> = properties.keys().collect();
        assert_eq!(names, ["exclude", "ignore", "include", "no_legacy", "secrets"]);
    }
}
