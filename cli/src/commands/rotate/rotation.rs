//! Rotates every token of every config from the current master key to a new one, without losing a secret.
//!
//! First it opens and checks every token, then it makes the new key durable, and then it replaces the configs. There is
//! no journal: at every moment each config opens with one of two keys that the user has, and running it again with the
//! new key finishes the rest.
//!
//! A key store (`--new-key-command`) may replace the old key by the new one. So both are in files before it gets the
//! new one, and it must give that back before the first config is replaced.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{thread, vec};

use ctutils::CtEq;
use fernseal_core::token::{self, Format};
use fernseal_core::{Error, KeyText};
use getrandom::SysRng;

use crate::audit::{Entry, Outcome, Verb};
use crate::commands::{self, Reading, keygen};
use crate::config::text::{ConfigText, Edit, Edits, FormatSource, SealedValue};
use crate::context::Context;
use crate::env;
use crate::error::{
    self, Advice, Failure, FileFailure, KeyFailure, Result, RotationFailure, SkipReason, volatile_warning,
};
use crate::interrupt;
use crate::keys::derive::{self, Derived, KeyRequest, Master};
use crate::keys::left_behind::{self, LeftBehind};
use crate::keys::parallel::{self, Pending};
use crate::keys::{self, KeyOptions, KeyStore, Keyring};
use crate::output::Report;
use crate::output::progress::Progress;
use crate::quote::{Pointer, quoted, quoted_path, shown};
use crate::store::{self, BackupPlace, Caveats, ConfigFile, ConfigPath, Identity, Selection, Unsyncable};
use crate::time;
use crate::tokens;
use crate::tokens::batch::{self, next_batch, open_each};

/// The options of a rotation.
pub(crate) struct Options {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) selection: Selection,
    pub(crate) new_key: NewKeySource,
    pub(crate) backups: BackupPlace,
    /// Whether to leave out configs that cannot be rotated.
    pub(crate) keep_going: bool,
    pub(crate) dry_run: bool,
    /// The number of threads that derive keys.
    pub(crate) jobs: Option<NonZeroUsize>,
    pub(crate) json: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    pub(crate) lock_wait: Duration,
}

/// Where the new key comes from.
pub(crate) enum NewKeySource {
    /// It exists already: the user's own, or that of an unfinished rotation.
    File(PathBuf),
    /// This run makes it.
    Made {
        /// The file for the key. If it is `None`, that is in the home directory.
        out: Option<PathBuf>,
        /// The command that takes the key for a key store.
        store: Option<OsString>,
    },
}

/// The result of a rotation.
#[derive(Default)]
pub(crate) struct RotationReport {
    pub(crate) rotated: Vec<Rotated>,
    /// The files that were left unchanged, with the reasons.
    pub(crate) skipped: Vec<(String, SkipReason)>,
    /// The files that failed: first those that did not pass the check and were left out, then those that failed while
    /// being replaced.
    pub(crate) failed: Vec<(String, Failure)>,
    /// How many of `failed` did not pass the check.
    pub(crate) left_out: usize,
    /// The number of files that were not reached because of an interruption.
    pub(crate) left: usize,
    /// The number of files that were found.
    pub(crate) configs: usize,
    /// The number of files and directories that were not examined.
    pub(crate) paths_skipped: usize,
    /// Whether any config is under the new key, from this run or an earlier one.
    pub(crate) new_key_in_use: bool,
    pub(crate) old_id: String,
    pub(crate) new_id: String,
    /// The path of the new key's file.
    pub(crate) key_file: PathBuf,
    /// The path of the old key's file, if a store takes the new key.
    pub(crate) old_key_file: Option<PathBuf>,
    /// The new key's text, if this run made it.
    pub(crate) new_text: Option<KeyText>,
    /// Whether this run wrote the new key to its file.
    pub(crate) key_made: bool,
}

/// A config that is under the new key now.
pub(crate) struct Rotated {
    pub(crate) file: String,
    pub(crate) tokens: usize,
    pub(crate) backup: Option<PathBuf>,
    /// The caveats of writing it.
    caveats: Caveats,
}

/// The number of threads that write, whatever the number of cores, except with `--jobs 1`. They mostly wait for the
/// disk, and a file system syncs several files as fast as one.
const WRITERS: usize = 8;

pub(crate) fn run(options: &Options, context: &Context) -> Result<RotationReport> {
    interrupt::listen();
    env::raise_file_limit();
    let mut keys = Keyring::load(&options.keys, &context.report)?;
    let key_store = match &options.new_key {
        NewKeySource::Made { store: Some(command), .. } => Some(KeyStore::new(command, &options.keys)?),
        NewKeySource::Made { store: None, .. } | NewKeySource::File(_) => None,
    };
    let new_key = NewKey::choose(&options.new_key, &keys, &context.report)?;
    let mut found = commands::find(&options.paths, &options.selection)?;
    found.look_at_others();
    found.refuse_none()?;
    // Problems that concern all configs are reported together with those of each config.
    let backup_dir = options.backups.directory();
    let no_backups = backup_dir.and_then(|dir| store::check_backup_dir(dir).err());
    let backup = if no_backups.is_none() { &options.backups } else { &BackupPlace::Nowhere };
    found.look_for_leftovers(backup_dir.filter(|_| no_backups.is_none()));
    let new_key_obstacles = [
        new_key.check_creatable().err(),
        new_key.refuse_beside(&found.roots).err(),
        new_key.check_lasting(&found.configs, &options.backups, &context.report).err(),
    ];
    let in_the_way: Vec<Failure> = new_key_obstacles.into_iter().flatten().chain(no_backups).collect();
    let unread = std::mem::take(&mut found.unread);
    // A dry run needs no lock, as it changes nothing.
    let tell = |notice| commands::tell_notice(notice, context);
    let locked: &[ConfigPath] = if options.dry_run { &[] } else { &found.configs };
    let lock = store::lock(locked, options.lock_wait, &tell)?;

    let new_at = keys.add(new_key.master);
    let mut outcome = RotationReport {
        skipped: found.skipped.iter().map(|(path, why)| (shown(path), why.clone())).collect(),
        key_file: new_key.path.clone(),
        new_text: new_key.text,
        configs: found.configs.len(),
        paths_skipped: found.skipped.len(),
        ..RotationReport::default()
    };
    // The old key is the first key that is not the new one, because the environment may already name the new one.
    let old_at = usize::from(new_at == 0);
    let ids = derive::ids(&[&keys.all()[old_at], &keys.all()[new_at]]);
    (outcome.old_id, outcome.new_id) = (ids[0].to_string(), ids[1].to_string());
    if key_store.is_some() {
        outcome.old_key_file = Some(left_behind::place_of_old(&outcome.key_file, &outcome.old_id));
    }

    let mut rotation = Rotation {
        keys,
        old_at,
        new_at,
        key_store,
        options,
        context,
        seen: BTreeSet::new(),
        pointers: BTreeSet::new(),
        outcome,
    };
    for (directory, failure) in unread {
        rotation.leave_out(shown(&directory), failure);
    }
    let checked = match rotation.check(&found.configs, backup) {
        Err(failure) => return Err(failure.after(in_the_way)),
        Ok(checked) => checked,
    };
    rotation.refuse_obstacles(&checked, in_the_way)?;
    if options.dry_run {
        let would = |file: &VerifiedFile| Rotated {
            file: file.name.clone(),
            tokens: file.keys.len(),
            backup: None,
            caveats: Caveats::new(),
        };
        rotation.outcome.rotated = checked.iter().map(would).collect();
        return Ok(rotation.outcome);
    }

    let files: Vec<PathBuf> = checked.iter().map(|file| PathBuf::from(&file.name)).collect();
    if !files.is_empty() {
        rotation.record(Verb::Rotate, Outcome::Started, &files)?;
        if let Err(failure) = rotation.establish_key() {
            rotation.record_done(Verb::Rotate, Outcome::Failed, &[]);
            return Err(failure);
        }
    }
    lock.remove_found_leftovers(&found, &tell);
    if !files.is_empty() {
        rotation.reseal(checked);
        let done: Vec<PathBuf> = rotation.outcome.rotated.iter().map(|file| PathBuf::from(&file.file)).collect();
        let outcome = if done.len() == files.len() { Outcome::Done } else { Outcome::PartlyDone };
        rotation.record_done(Verb::Rotate, outcome, &done);
    }
    Ok(rotation.outcome)
}

/// Returns the command that finishes this rotation. `old_key_file` is the file with the old key, if a store may have
/// lost that.
pub(crate) fn resume(options: &Options, old_key_file: Option<&Path>, key_file: &Path, context: &Context) -> String {
    let mut command = follow_up("rotate", options, old_key_file.or(options.keys.file.as_deref()), context);
    command.extend([" --new-key-file ", &quoted_path(key_file)]);
    let no_backup = options.backups == BackupPlace::Nowhere;
    for (is_set, option) in [(no_backup, " --no-backup"), (options.keep_going, " --keep-going")] {
        command.push_str(if is_set { option } else { "" });
    }
    options.jobs.iter().for_each(|jobs| command.push_str(&format!(" --jobs {jobs}")));
    command
}

/// Returns a command for the same configs. `key_file` is added if it is set, and otherwise the key command.
pub(crate) fn follow_up(verb: &str, options: &Options, key_file: Option<&Path>, context: &Context) -> String {
    let mut command = format!("fernseal {verb}");
    let mut add = |word: &str, path: &Path| command.extend([word, " ", &quoted_path(path)]);
    options.paths.iter().for_each(|path| add("", path));
    options.backups.directory().into_iter().for_each(|path| add(" --backup-dir", path));
    key_file.into_iter().for_each(|path| add(" --key-file", path));
    options.selection.include.iter().for_each(|glob| command.extend([" --include ", &quoted(&glob.text)]));
    options.selection.exclude.iter().for_each(|glob| command.extend([" --exclude ", &quoted(&glob.text)]));
    options.reading.format.iter().for_each(|format| command.extend([" --format ", format.name()]));
    if let (None, Some(key_command)) = (key_file, &options.keys.command) {
        command.extend([" --key-command ", &quoted(key_command)]);
    }
    options.reading.max_tokens.iter().for_each(|max| command.push_str(&format!(" --max-tokens {max}")));
    context.audit.option().into_iter().for_each(|path| command.extend([" --audit-log ", &quoted_path(path)]));
    command
}

/// The key to rotate to, with its file, which may not exist yet.
struct NewKey {
    master: Rc<Master>,
    /// The key's text, or `None` if the file exists already.
    text: Option<KeyText>,
    path: PathBuf,
}

impl NewKey {
    fn choose(from: &NewKeySource, keys: &Keyring, report: &Report) -> Result<Self> {
        let out = match from {
            NewKeySource::File(path) => return Self::read(path, keys, report),
            NewKeySource::Made { out, .. } => out,
        };
        let (master, text) = keygen::new_key()?;
        let path = match out {
            Some(path) => path.clone(),
            None => {
                // The old key's id is needed later: deriving both at once takes no longer.
                derive::ids(&[&master, keys.current()]);
                left_behind::default_place(&derive::id(&master))?
            }
        };
        Ok(Self { master, text: Some(text), path })
    }

    /// Reads a key that exists already.
    fn read(path: &Path, keys: &Keyring, report: &Report) -> Result<Self> {
        let master = keys::from_file(path, report)?;
        // If the new key is one of several keys, the environment already names it, and this run rotates the rest. Refuse
        // it only if there is no other key.
        if keys.all().iter().all(|key| key.ct_eq(&master).into()) {
            return Err(KeyFailure::NotNew { path: path.to_owned() }.into());
        }
        if master.is_short() {
            return Err(KeyFailure::NewTooShort { path: path.to_owned() }.into());
        }
        Ok(Self { master, text: None, path: path.to_owned() })
    }

    /// Fails if the key must be written to its file and cannot be.
    fn check_creatable(&self) -> Result<()> {
        self.text.as_ref().map_or(Ok(()), |_| store::check_creatable(&self.path))
    }

    /// Checks that the new key's file lasts as long as the configs. Otherwise, fails if there are no backups, and warns
    /// if there are: the old key still opens those.
    fn check_lasting(&self, configs: &[ConfigPath], backups: &BackupPlace, report: &Report) -> Result<()> {
        let Some(place) = store::goes_before(&self.path, configs) else { return Ok(()) };
        if *backups != BackupPlace::Nowhere {
            report.warn(format_args!("{}; copy it to a disk first", volatile_warning(&self.path, place)));
            return Ok(());
        }
        Err(KeyFailure::OnVolatile { path: self.path.clone(), place, is_made: self.text.is_some() }.into())
    }

    /// Refuses to write the new key beside the configs, as it would be stolen together with them.
    fn refuse_beside(&self, roots: &[PathBuf]) -> Result<()> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if self.text.is_none() {
            return Ok(());
        }
        let directory = directory
            .canonicalize()
            .map_err(|error| KeyFailure::DirectoryNotFound { path: self.path.clone(), error: error.into() })?;
        if roots.iter().any(|root| directory.starts_with(root)) {
            return Err(KeyFailure::BesideConfigs { path: self.path.clone() }.into());
        }
        Ok(())
    }
}

/// A config whose tokens all open.
struct VerifiedFile {
    config: ConfigPath,
    name: String,
    identity: Identity,
    format: FormatSource,
    /// For each token the key that opens it, or `None` if it is already under the new master key.
    keys: Vec<Option<Derived>>,
}

/// A config that was read.
struct Loaded {
    config: ConfigPath,
    source: ConfigFile,
    document: ConfigText,
}

struct Rotation<'a> {
    keys: Keyring,
    /// The indexes of the old and the new key in the keyring.
    old_at: usize,
    new_at: usize,
    key_store: Option<KeyStore>,
    options: &'a Options,
    context: &'a Context,
    /// The files seen so far (device and inode), as two paths may lead to the same file.
    seen: BTreeSet<(u64, u64)>,
    /// The pointers of all tokens to rotate, in any config, for the audit log.
    pointers: BTreeSet<Pointer>,
    outcome: RotationReport,
}

impl Rotation<'_> {
    /// Opens every token of every config, and writes nothing. Configs that cannot be rotated are collected in the
    /// report.
    fn check(&mut self, configs: &[ConfigPath], backup: &BackupPlace) -> Result<Vec<VerifiedFile>> {
        let context = self.context;
        let progress = Progress::new("checking", configs.len(), &context.report);
        let mut checked = Vec::new();
        let mut waiting = configs.iter().take_while(|_| !interrupt::requested());
        loop {
            let load = |config: &ConfigPath| {
                progress.step();
                (shown(&config.path), self.load(config, backup))
            };
            let read = next_batch(&mut waiting, load, |(_, loaded)| {
                loaded.iter().flatten().map(|file| &file.document).collect()
            });
            if read.is_empty() {
                break;
            }
            let mut group = Vec::new();
            for (name, loaded) in read {
                match loaded {
                    Ok(loaded) => group.extend(loaded),
                    Err(failure) => self.leave_out(name, failure),
                }
            }
            self.check_group(&group, &mut checked)?;
            if !self.options.keep_going && self.fits_nothing(&checked) {
                break;
            }
        }
        stop_if_interrupted()?;
        Ok(checked)
    }

    /// Reads a config. Returns `None` if it was seen before, has no tokens, or is not a config.
    fn load(&mut self, config: &ConfigPath, backup: &BackupPlace) -> Result<Option<Loaded>> {
        let mut source = match config.read() {
            Ok(source) => source,
            Err(failure) => return self.skip_foreign(config, failure),
        };
        if !self.seen.insert(source.identity().file()) {
            return Ok(None);
        }
        let document = match commands::parse(config, &mut source, self.options.reading, &self.context.report) {
            Ok(document) => document,
            Err(failure) => return self.skip_foreign(config, failure),
        };
        if document.tokens.is_empty() {
            self.outcome.skipped.push((document.name, SkipReason::NothingEncrypted));
            return Ok(None);
        }
        self.options.reading.check_cost(&document)?;
        error::check_none(source.obstacles_to_replacing(backup, self.options.dry_run))?;
        Ok(Some(Loaded { config: config.clone(), source, document }))
    }

    /// Skips a file that is not a config and cannot contain a token. Otherwise, fails with `failure`.
    fn skip_foreign<T>(&mut self, config: &ConfigPath, failure: Failure) -> Result<Option<T>> {
        match commands::reason_to_skip(config, &failure) {
            Some(reason) => self.outcome.skipped.push((shown(&config.path), reason)),
            None => return Err(failure),
        }
        Ok(None)
    }

    fn check_group(&mut self, group: &[Loaded], checked: &mut Vec<VerifiedFile>) -> Result<()> {
        let documents: Vec<&ConfigText> = group.iter().map(|file| &file.document).collect();
        for (file, opened) in group.iter().zip(open_each(&documents, &self.keys)) {
            let name = &file.document.name;
            let mut keys = Vec::with_capacity(opened.len());
            let mut failure = None;
            for (token, opened) in file.document.tokens.iter().zip(opened) {
                match opened {
                    Ok(opened) => keys.push((opened.master != self.new_at).then_some(opened.key)),
                    Err(error) if failure.is_none() => failure = Some(self.refusal(&file.document, token, error)?),
                    Err(_) => {}
                }
            }
            match failure {
                Some(failure) => self.leave_out(name.clone(), failure),
                None if keys.iter().all(Option::is_none) => {
                    if !self.options.dry_run {
                        commands::tell_caveats(file.source.make_durable()?, self.context);
                    }
                    self.outcome.new_key_in_use = true;
                    self.outcome.skipped.push((name.clone(), SkipReason::UnderNewKey));
                }
                None => {
                    self.context.report.trace(format_args!("{name}: all {} tokens open", keys.len()));
                    self.pointers.extend(file.document.tokens.iter().map(|token| token.pointer.clone()));
                    let identity = file.source.identity();
                    let format = file.document.source;
                    checked.push(VerifiedFile {
                        config: file.config.clone(),
                        name: name.clone(),
                        identity,
                        format,
                        keys,
                    });
                }
            }
        }
        Ok(())
    }

    /// Records a config that cannot be rotated. [`Self::refuse_obstacles`] decides whether the run continues without
    /// it.
    fn leave_out(&mut self, name: String, failure: Failure) {
        self.outcome.failed.push((name, failure));
        self.outcome.left_out += 1;
    }

    /// Fails if there are problems, unless the affected configs may be left out. All problems are reported, so that the
    /// user can fix them at once. `in_the_way` are problems that concern all configs: these cannot be left out.
    fn refuse_obstacles(&mut self, checked: &[VerifiedFile], in_the_way: Vec<Failure>) -> Result<()> {
        if self.options.keep_going && in_the_way.is_empty() {
            return Ok(());
        }
        let fits_nothing = self.fits_nothing(checked);
        let mut failures: Vec<Failure> = self.outcome.failed.drain(..).map(|(_, failure)| failure).collect();
        if fits_nothing {
            // If the key is wrong, every token fails: report only one of them.
            let mut told = false;
            failures.retain(|failure| !failure.is_unopened() || !std::mem::replace(&mut told, true));
        }
        let of_configs = failures.into_iter().map(|failure| Failure::OrKeepGoing(Box::new(unchanged(failure))));
        error::check_none(in_the_way.into_iter().chain(of_configs))
    }

    /// Reports whether not one of the tokens opened. Then the key is wrong, not the files.
    fn fits_nothing(&self, checked: &[VerifiedFile]) -> bool {
        let is_unopened = |(_, failure): &(String, Failure)| failure.is_unopened();
        checked.is_empty() && !self.outcome.new_key_in_use && self.outcome.failed.iter().any(is_unopened)
    }

    /// Returns why a token does not open. If it is under the key of an unfinished rotation, ends the run, even with
    /// `--keep-going`: the tree would be under three keys.
    fn refusal(&self, document: &ConfigText, token: &SealedValue, error: Error) -> Result<Failure> {
        let candidates =
            if error == Error::AuthenticationFailed { unfinished(&self.options.new_key)? } else { Vec::new() };
        let is_the_one = |left: &LeftBehind| tokens::opens(&left.master, document, &[token]);
        // In reverse order, so that of two files with the same key the one for the old key (`.old`) comes first.
        if let Some(left) = left_behind::keys(candidates).into_iter().rev().find(is_the_one)
            && let Some(advice) = self.advice(left.file)
        {
            return Err(unchanged(document.refusal_with(token, error, advice)));
        }
        Ok(tokens::refusal(document, token, error, &self.keys))
    }

    /// Returns how to finish the rotation that left `key_file`.
    fn advice(&self, key_file: PathBuf) -> Option<Advice> {
        if !left_behind::is_old(&key_file) {
            let command = resume(self.options, None, &key_file, self.context);
            return Some(Advice::Unfinished { key_file, command });
        }
        // The current key is then the new key of that rotation.
        let new = key_file.with_file_name(left_behind::name(&self.outcome.old_id));
        let command = resume(self.options, Some(&key_file), &new, self.context);
        new.is_file().then_some(Advice::UnfinishedFrom { key_file, command })
    }

    /// Makes the new key durable before the first config changes, and the old one if a store may replace it.
    fn establish_key(&mut self) -> Result<()> {
        let key_file = &self.outcome.key_file;
        let Some(text) = &self.outcome.new_text else { return store::make_durable(key_file) };
        if let Some(old_key_file) = &self.outcome.old_key_file {
            self.keep_old_key(old_key_file)?;
        }
        self.record(Verb::Keygen, Outcome::Started, std::slice::from_ref(key_file))?;
        store::create_key(key_file, text, Unsyncable::Refuse)?;
        self.outcome.key_made = true;
        let key_file = &self.outcome.key_file;
        self.record_done(Verb::Keygen, Outcome::Done, std::slice::from_ref(key_file));
        let old_key_file = self.outcome.old_key_file.as_deref();
        let resume = resume(self.options, old_key_file, key_file, self.context);
        let and_old = old_key_file.map_or_else(String::new, |old| format!(", and the old one in {}", shown(old)));
        self.context.report.note(format_args!(
            "The new key is in {}{and_old}. If this run is interrupted, finish it with:\n  {resume}",
            shown(key_file)
        ));
        let (Some(key_store), Some(old)) = (&self.key_store, old_key_file) else { return Ok(()) };
        let files = std::slice::from_ref(key_file);
        self.record(Verb::StoreKey, Outcome::Started, files)?;
        let stored = key_store.take(&self.keys.all()[self.new_at], text, &self.context.report);
        let outcome = if stored.is_ok() { Outcome::Done } else { Outcome::Failed };
        self.record_done(Verb::StoreKey, outcome, files);
        stored.map_err(|flaw| KeyFailure::NotStored { flaw, old: old.to_owned(), new: key_file.clone(), resume }.into())
    }

    /// Writes the old key to `path`, unless the file already contains it.
    fn keep_old_key(&self, path: &Path) -> Result<()> {
        let old = &self.keys.all()[self.old_at];
        if path.symlink_metadata().is_err() {
            store::create_key(path, &keys::text_of(old)?, Unsyncable::Refuse)?;
            return Ok(());
        }
        match keys::from_file(path, &self.context.report) {
            Ok(found) if found.ct_eq(old).into() => store::make_durable(path),
            _ => Err(KeyFailure::OldKeyExists { path: path.to_owned() }.into()),
        }
    }

    /// Replaces the configs. If a file fails, it is either unchanged or completely under the new key, and the other
    /// files are still rotated. With threads, one batch is written while the next one is read and its keys are derived.
    /// No more than two batches are in memory.
    fn reseal(&mut self, checked: Vec<VerifiedFile>) {
        let progress = Progress::new("rotating", checked.len(), &self.context.report);
        let new_key_in_use = AtomicBool::new(false);
        let writers = if self.options.jobs == Some(NonZeroUsize::MIN) { 0 } else { WRITERS };
        let backups = &self.options.backups;
        let reseal = |file: InFlight| {
            let fate = file.reseal(backups, &new_key_in_use);
            progress.step();
            fate
        };
        let mut waiting = checked.into_iter();
        thread::scope(|scope| {
            let mut writing = None;
            while waiting.len() > 0 && !interrupt::requested() {
                let group = self.next_batch(&mut waiting);
                self.take_note(writing.take());
                let bytes: usize =
                    group.iter().flat_map(|file| &file.loaded).map(|file| file.document.text.len()).sum();
                writing = Some(parallel::begin(scope, writers, group, reseal));
                if bytes > 2 * batch::BYTES {
                    // Wait before the next batch: it may contain a config as large as this one.
                    self.take_note(writing.take());
                }
            }
            self.take_note(writing);
        });
        self.outcome.left += waiting.len();
        self.outcome.new_key_in_use |= new_key_in_use.into_inner();
    }

    /// Reads the next configs again, and derives the keys to seal their tokens with.
    fn next_batch(&self, waiting: &mut vec::IntoIter<VerifiedFile>) -> Vec<InFlight> {
        let load = |checked| InFlight { loaded: load_again(&checked), checked, sealing: Vec::new() };
        let mut group = next_batch(waiting, load, |file| file.loaded.iter().map(|loaded| &loaded.document).collect());
        let mut formats = Vec::new();
        for file in group.iter().filter(|file| file.loaded.is_ok()) {
            for _ in file.checked.keys.iter().flatten() {
                formats.push(Format::salted(&mut SysRng));
            }
        }
        let params = formats.iter().flatten().map(Format::key_params);
        let tasks: Vec<KeyRequest<'_>> =
            params.map(|params| KeyRequest { master: &self.keys.all()[self.new_at], params }).collect();
        let derived = derive::keys(&tasks);
        let mut sealing = formats.into_iter().flatten().zip(derived);
        for file in group.iter_mut().filter(|file| file.loaded.is_ok()) {
            file.sealing = sealing.by_ref().take(file.checked.keys.iter().flatten().count()).collect();
        }
        group
    }

    /// Waits until a batch is written, and records the results.
    fn take_note(&mut self, writing: Option<Pending<'_, FileOutcome>>) {
        for fate in writing.into_iter().flat_map(Pending::finish) {
            match fate {
                FileOutcome::Rotated(mut rotated) => {
                    commands::tell_caveats(std::mem::take(&mut rotated.caveats), self.context);
                    self.outcome.rotated.push(rotated);
                }
                FileOutcome::Failed(file, failure) => self.outcome.failed.push((file, failure)),
                FileOutcome::Left => self.outcome.left += 1,
            }
        }
    }

    fn record(&self, verb: Verb, outcome: Outcome, files: &[PathBuf]) -> Result<()> {
        self.with_entry(verb, outcome, files, |entry| self.context.audit.record(entry))
    }

    fn record_done(&self, verb: Verb, outcome: Outcome, files: &[PathBuf]) {
        self.with_entry(verb, outcome, files, |entry| self.context.audit.record_done(entry, &self.context.report));
    }

    fn with_entry<R>(
        &self,
        verb: Verb,
        outcome: Outcome,
        files: &[PathBuf],
        record: impl FnOnce(&Entry<'_>) -> R,
    ) -> R {
        let keys: [&Master; 2] = [&self.keys.all()[self.old_at], &self.keys.all()[self.new_at]];
        let pointers: Vec<&str> = self.pointers.iter().map(|pointer| &**pointer).collect();
        let is_keygen = matches!(verb, Verb::Keygen | Verb::StoreKey);
        record(&Entry {
            verb,
            outcome,
            files: &files.iter().map(|file| &**file).collect::<Vec<_>>(),
            pointers: if is_keygen { &[] } else { &pointers },
            keys: if is_keygen { &keys[1..] } else { &keys },
        })
    }
}

/// A config that is being rotated.
struct InFlight {
    checked: VerifiedFile,
    /// The config, read again.
    loaded: Result<Loaded>,
    /// The format and the key to seal each token with.
    sealing: Vec<(Format, Derived)>,
}

/// The result for one config.
enum FileOutcome {
    Rotated(Rotated),
    Failed(String, Failure),
    /// It was not started, because of an interruption.
    Left,
}

impl InFlight {
    /// Rotates the config, unless an interruption was requested before.
    fn reseal(self, backups: &BackupPlace, new_key_in_use: &AtomicBool) -> FileOutcome {
        if interrupt::requested() {
            return FileOutcome::Left;
        }
        let Self { checked, loaded, sealing } = self;
        match loaded.and_then(|loaded| replace(&checked, &loaded, &sealing, backups, new_key_in_use)) {
            Ok(rotated) => FileOutcome::Rotated(rotated),
            Err(failure) => FileOutcome::Failed(checked.name, failure),
        }
    }
}

/// Seals the config's tokens under the new key, writes a durable backup, and then replaces the config.
fn replace(
    checked: &VerifiedFile,
    loaded: &Loaded,
    sealing: &[(Format, Derived)],
    backups: &BackupPlace,
    new_key_in_use: &AtomicBool,
) -> Result<Rotated> {
    let document = &loaded.document;
    let now = time::now();
    let mut sealing = sealing.iter();
    let mut edits: Vec<Edit> = Vec::new();
    for (token, old_key) in document.tokens.iter().zip(&checked.keys) {
        let Some(old_key) = old_key else { continue };
        let failed = |error| document.refusal(token, error);
        let (format, key) = sealing.next().ok_or_else(|| failed(Error::RandomFailed))?;
        let plain = tokens::open_with(old_key, token.text(document)).map_err(failed)?;
        let mut out = vec![0; token::token_len(plain.len())];
        let sealed = token::seal_with(key, format, &plain, now, &mut SysRng, &mut out).map_err(failed)?;
        if *tokens::open_with(key, sealed).map_err(failed)? != *plain {
            return Err(failed(Error::AuthenticationFailed));
        }
        edits.push(token.resealed(sealed));
    }
    let edits = Edits::new(document, edits)?;
    let content = edits.pieces();
    let mut caveats = Caveats::new();
    let backup = if *backups == BackupPlace::Nowhere {
        None
    } else {
        let stamp = time::stamp(now);
        let (path, left_out) = loaded.source.back_up(document.text.as_bytes(), &stamp, backups.directory())?;
        caveats = left_out;
        Some(path)
    };
    let replaced = loaded.source.replace(&content);
    let held = loaded.config.holds(&content);
    // The new key is in use even if syncing the directory failed after the replacement.
    if replaced.is_ok() || matches!(held, Ok(true)) {
        new_key_in_use.store(true, Ordering::Relaxed);
    }
    caveats.extend(replaced?);
    if !held? {
        return Err(FileFailure::NotWhatWasWritten { path: checked.config.path.clone() }.into());
    }
    Ok(Rotated { file: checked.name.clone(), tokens: edits.len(), backup, caveats })
}

fn stop_if_interrupted() -> Result<()> {
    if interrupt::requested() { Err(RotationFailure::InterruptedWhileChecking.into()) } else { Ok(()) }
}

/// Marks a failure that came before anything was changed.
fn unchanged(failure: Failure) -> Failure {
    Failure::NothingChanged(Box::new(failure))
}

/// Reads a checked config again. Fails if it has changed since.
fn load_again(file: &VerifiedFile) -> Result<Loaded> {
    let changed = |path| FileFailure::ChangedWhileRotated { path };
    let (source, document) = commands::read_again(&file.config, file.identity, file.format, changed)?;
    Ok(Loaded { config: file.config.clone(), source, document })
}

/// Lists the key files that an unfinished rotation may have left.
fn unfinished(new_key: &NewKeySource) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| KeyFailure::LeftBehindUnreadable { error: error.into() };
    let mut files = left_behind::files().map_err(failed)?;
    if let NewKeySource::Made { out: Some(path), .. } = new_key
        && path.try_exists().map_err(failed)?
    {
        files.push(path.clone());
    }
    Ok(files)
}
