//! `doctor DIR`: reports which keys the configs of a directory and their backups need, what each key in the usual
//! places opens, and which key files are no longer needed.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Doctor, Options};
use crate::commands::{self, check::listed, reason_to_skip};
use crate::config::text::ConfigText;
use crate::error::{Result, TokenFailure};
use crate::keys::{AvailableKey, available_keys, derive, keyring_of};
use crate::output::Report;
use crate::quote::{count, quoted_path, shown};
use crate::store::{self, ConfigPath};
use crate::tokens::verify::{Verification, verify_each};

/// The numbers of tokens, configs and backups that one key opens.
#[derive(Default, Clone)]
struct Opens {
    tokens: usize,
    configs: usize,
    backups: usize,
}

impl Doctor {
    /// Tries all available keys on all configs below `directory`.
    pub(super) fn tree(&mut self, directory: &Path, options: &Options, report: &Report) -> Result<()> {
        let mut found = commands::find(&[directory.to_owned()], &options.selection)?;
        found.look_at_others();
        for (path, failure) in &found.unread {
            self.wrong(if path == directory { "configs" } else { "config file" }, failure);
        }
        for (path, reason) in &found.skipped {
            self.good("skipped", format!("{}: {reason}", shown(path)));
        }
        let (keys, failures) = available_keys(&options.keys, report);
        failures.iter().for_each(|failure| self.wrong("key places", failure));
        let files = self.with_backups(found.configs);
        let Some(keyring) = keyring_of(&keys) else {
            let next = "set the key of these configs, or name its file with --key-file";
            self.note("keys", "no master key is in any of the usual places", next);
            return Ok(());
        };
        let masters: Vec<_> = keys.iter().map(|key| &*key.master).collect();
        let ids = derive::ids(&masters);
        let mut opens = vec![Opens::default(); keys.len()];
        let load = |(config, _): &(ConfigPath, bool)| {
            let (_, document) = commands::load(config, options.reading, report)?;
            options.reading.check_cost(&document)?;
            Ok(document)
        };
        verify_each(files, load, &keyring, report, |(config, is_backup), checked| match checked {
            Ok((document, checked)) => self.take_note(&document, &checked, is_backup, &mut opens),
            Err(failure) if reason_to_skip(&config, &failure).is_some() => {}
            Err(failure) => self.wrong("config file", &failure),
        });
        let is_needed = |opens: &Opens| opens.tokens > 0 || opens.backups > 0;
        let needed: Vec<String> =
            ids.iter().zip(&opens).filter(|(_, opens)| is_needed(opens)).map(|(id, _)| id.to_string()).collect();
        match needed.len() {
            0 => self.good("needed keys", "none of the available keys"),
            1 => self.good("needed keys", format!("one: {}", needed.concat())),
            keys => self.good("needed keys", format!("{keys}: {}", listed(needed, "and"))),
        }
        for ((key, id), opens) in keys.iter().zip(ids).zip(&opens) {
            self.key(key, &id.to_string(), opens, directory);
        }
        Ok(())
    }

    /// Returns the configs, each followed by its backups, and whether each file is a backup.
    fn with_backups(&mut self, configs: Vec<ConfigPath>) -> Vec<(ConfigPath, bool)> {
        let mut files = Vec::with_capacity(configs.len());
        let mut finder = store::Backups::new(None).map_err(|failure| self.wrong("backups", &failure)).ok();
        for config in configs {
            let backups = finder.as_mut().map(|finder| finder.of(&config)).transpose();
            files.push((config, false));
            match backups {
                Ok(backups) => files.extend(backups.into_iter().flatten().map(|backup| (backup, true))),
                Err(failure) => self.wrong("backups", &failure),
            }
        }
        files
    }

    /// Counts what each key opens of a config or a backup.
    fn take_note(&mut self, document: &ConfigText, checked: &Verification, is_backup: bool, opens: &mut [Opens]) {
        let mut used = BTreeSet::new();
        let mut unopened = 0;
        for at in 0..document.tokens.len() {
            match checked.master(at) {
                Some(master) => {
                    opens[master].tokens += usize::from(!is_backup);
                    used.insert(master);
                }
                None => unopened += 1,
            }
        }
        for master in &used {
            *(if is_backup { &mut opens[*master].backups } else { &mut opens[*master].configs }) += 1;
        }
        if used.len() > 1 {
            let next = format!("bring it under one key: fernseal rotate {}", quoted_path(&document.path));
            self.note("mixed keys", format!("{} needs {} keys", document.name, used.len()), next);
        }
        if unopened > 0 && !is_backup {
            let (config, tokens) = (document.path.clone(), unopened);
            self.wrong("decryption", &TokenFailure::NoKeyAtHand { config, tokens }.into());
        } else if unopened > 0 {
            let what =
                format!("no available key decrypts {} of the backup {}", count(unopened, "token"), document.name);
            self.note("backups", what, "remove it if it is not needed any more");
        }
    }

    /// Reports what a key is needed for.
    fn key(&mut self, key: &AvailableKey, id: &str, opens: &Opens, directory: &Path) {
        let place = listed(key.names.clone(), "and");
        let backups = match opens.backups {
            0 => String::new(),
            backups => format!(", and is needed for {}", count(backups, "backup")),
        };
        let what = format!(
            "{id} ({place}) decrypts {} of {}{backups}",
            count(opens.tokens, "token"),
            count(opens.configs, "config")
        );
        let directory = quoted_path(directory);
        match opens {
            _ if key.is_current => self.good("key", format!("{what}; it is the one that commands encrypt with")),
            Opens { tokens: 0, backups: 0, .. } => {
                let files: Vec<String> = key.files.iter().map(|file| quoted_path(file)).collect();
                let next = match files.is_empty() {
                    true => "retire it, unless other configs need it: take it out of that place".to_owned(),
                    false => format!("retire it, unless other configs need it: rm {}", files.join(" ")),
                };
                self.note("key", what, next);
            }
            Opens { tokens: 0, .. } => {
                let next = format!("keep it as long as these backups: fernseal backups prune {directory}");
                self.note("key", what, next);
            }
            _ => {
                let next = format!("keep it, or bring its configs under the current key: fernseal rotate {directory}");
                self.note("key", what, next);
            }
        }
    }
}
