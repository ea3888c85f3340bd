//! Rotation: every token of every config goes from the present master key to a new one, and no secret is lost.
//! First everything is opened and checked, then the new key is made durable, then the configs are replaced one by one.
//! There is no journal: at every moment each config opens with one of two keys that the user has, and a rerun with
//! the new key finishes what is left.

use std::collections::HashSet;
use std::env;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fernseal_core::token::{self, Format};
use fernseal_core::{Error, Key, KeyText, MasterKey};
use getrandom::SysRng;
use subtle::ConstantTimeEq;

use crate::Context;
use crate::args::Rotate;
use crate::audit::Entry;
use crate::derive::{self, Task};
use crate::document::{Document, Edit};
use crate::failure::{Exit, Failure, Result};
use crate::interrupt;
use crate::keys::{self, Keyring};
use crate::progress::Progress;
use crate::report::{self, shown};
use crate::store::{self, Config, Identity, Source};

/// What came of a rotation.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) rotated: Vec<Rotated>,
    /// Files that were left as they are, each with the reason.
    pub(crate) skipped: Vec<(String, String)>,
    pub(crate) failed: Vec<(String, Failure)>,
    /// Files that were not reached, because of an interruption.
    pub(crate) left: usize,
    pub(crate) old_id: String,
    pub(crate) new_id: String,
    /// Where the new key is.
    pub(crate) key_file: PathBuf,
    /// The new key's text, if it was made here.
    pub(crate) new_text: Option<KeyText>,
}

/// A config that is under the new key now.
pub(crate) struct Rotated {
    pub(crate) file: String,
    pub(crate) tokens: usize,
    pub(crate) backup: Option<PathBuf>,
}

/// Tokens that are worked on at once: enough to keep all lanes of all cores busy.
const GROUP_TOKENS: usize = 256;
/// Text that is held at once, in bytes; a larger config is a group of its own.
const GROUP_BYTES: usize = 8 << 20;

pub(crate) fn run(args: &Rotate, context: &Context) -> Result<Outcome> {
    interrupt::listen();
    let threads = args.jobs.unwrap_or(context.threads);
    let mut keys = context.keys()?;
    let new_key = NewKey::choose(args, &keys, context)?;
    let found = store::find(&args.paths)?;
    new_key.refuse_beside(&found.roots)?;
    let lock = store::lock(&found)?;
    if !args.dry_run {
        lock.remove_leftovers(|path| {
            context.report.note(format_args!("removed {}, left by a run that was killed", shown(path)));
        });
    }

    let new_at = keys.add(new_key.master);
    let mut outcome = Outcome {
        skipped: found.skipped.iter().map(|(path, why)| (shown(path), why.clone())).collect(),
        key_file: new_key.path.clone(),
        new_text: new_key.text,
        ..Outcome::default()
    };
    let mut ids = derive::ids(&[keys.current(), &keys.all()[new_at]], threads).into_iter();
    outcome.old_id = ids.next().map(|id| id.to_string()).unwrap_or_default();
    outcome.new_id = ids.next().map(|id| id.to_string()).unwrap_or_default();

    let mut rotation = Rotation { keys, new_at, threads, args, context, seen: HashSet::new(), outcome };
    let checked = rotation.check(found.configs)?;
    if args.dry_run || checked.is_empty() {
        let would = |file: &Checked| Rotated { file: file.name.clone(), tokens: file.keys.len(), backup: None };
        rotation.outcome.rotated = checked.iter().map(would).collect();
        return Ok(rotation.outcome);
    }

    let files: Vec<PathBuf> = checked.iter().map(|file| PathBuf::from(&file.name)).collect();
    rotation.record("started", &files)?;
    if let Some(text) = &rotation.outcome.new_text {
        rotation.record_key("started")?;
        store::create_key(&rotation.outcome.key_file, text)?;
        rotation.record_key("done")?;
        rotation.context.report.trace(format_args!("new key written to {}", shown(&rotation.outcome.key_file)));
    }
    rotation.reseal(checked);
    context.report.trace(format_args!("{} keys derived", derive::derived()));
    let done: Vec<PathBuf> = rotation.outcome.rotated.iter().map(|file| PathBuf::from(&file.file)).collect();
    if let Err(failure) = rotation.record(if done.len() == files.len() { "done" } else { "partly done" }, &done) {
        context.report.warn(failure);
    }
    Ok(rotation.outcome)
}

/// The key that is rotated to, and the file that it is in or will be in.
struct NewKey {
    master: MasterKey,
    /// None if the file is there already.
    text: Option<KeyText>,
    path: PathBuf,
}

impl NewKey {
    fn choose(args: &Rotate, keys: &Keyring, context: &Context) -> Result<Self> {
        if let Some(path) = &args.new_key_file {
            let master = keys::from_file(path, &context.report)?;
            if bool::from(master.ct_eq(keys.current())) {
                let next = "the present key must be the old one (PROXMOX_MCP_MASTER_KEY), the new one is in the file";
                return Err(Failure::new(Exit::Key, format!("{} holds the present master key", shown(path)), next));
            }
            if master.is_short() {
                let next = "make a new key with `fernseal keygen -o FILE`";
                return Err(Failure::new(
                    Exit::Key,
                    format!("the key in {} is shorter than 16 bytes", shown(path)),
                    next,
                ));
            }
            return Ok(Self { master, text: None, path: path.clone() });
        }
        let (master, text) = crate::commands::keygen::new_key()?;
        let path = match &args.new_key_out {
            Some(path) => path.clone(),
            None => {
                let id = master.id();
                home()?.join(format!("{KEY_FILE_PREFIX}{id}"))
            }
        };
        store::check_creatable(&path)?;
        Ok(Self { master, text: Some(text), path })
    }

    /// A key beside the configs is stolen with them.
    fn refuse_beside(&self, roots: &[PathBuf]) -> Result<()> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(directory) = directory.canonicalize() else { return Ok(()) };
        if self.text.is_some() && roots.iter().any(|root| directory.starts_with(root)) {
            let what = format!("the new key would lie beside the configs: {}", shown(&self.path));
            let next = "name a place apart from them with --new-key-out FILE";
            return Err(Failure::new(Exit::Usage, what, next));
        }
        Ok(())
    }
}

/// How the files begin that new keys are written to in the home directory.
const KEY_FILE_PREFIX: &str = ".proxmox_mcp_key.";

fn home() -> Result<PathBuf> {
    env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from).ok_or_else(|| {
        let next = "nothing was changed; set HOME, or name a place with --new-key-out FILE";
        Failure::new(Exit::File, "HOME is not set: no place for the new key", next)
    })
}

/// A config whose tokens all open.
struct Checked {
    config: Config,
    name: String,
    identity: Identity,
    /// For each token the key that opens it; none if it is under the new master key already.
    keys: Vec<Option<Rc<Key>>>,
}

/// A config as it was read.
struct Loaded {
    config: Config,
    source: Source,
    document: Document,
}

struct Rotation<'a> {
    keys: Keyring,
    /// The new key's place in the keyring.
    new_at: usize,
    threads: NonZeroUsize,
    args: &'a Rotate,
    context: &'a Context,
    /// The files that were met already: two paths may lead to one.
    seen: HashSet<(u64, u64)>,
    outcome: Outcome,
}

impl Rotation<'_> {
    /// Opens every token of every config. Nothing is written. What cannot be rotated ends the run, or is left out.
    fn check(&mut self, configs: Vec<Config>) -> Result<Vec<Checked>> {
        let progress = Progress::new("checking", configs.len(), self.context);
        let mut checked = Vec::new();
        let mut group = Vec::new();
        for config in configs {
            if interrupt::requested() {
                let next = "nothing was changed; run it again when ready";
                return Err(Failure::new(Exit::Interrupted, "interrupted while checking", next));
            }
            progress.step();
            let name = shown(&config.path);
            match self.load(config) {
                Ok(loaded) => group.extend(loaded),
                Err(failure) => self.leave_out(name, failure)?,
            }
            if is_full(&group) {
                self.check_group(&std::mem::take(&mut group), &mut checked)?;
            }
        }
        self.check_group(&group, &mut checked)?;
        Ok(checked)
    }

    /// Reads a config; none if it was met already or has no tokens.
    fn load(&mut self, config: Config) -> Result<Option<Loaded>> {
        let mut source = config.read()?;
        if !self.seen.insert(source.identity().file()) {
            return Ok(None);
        }
        let document = Document::parse(shown(&config.path), source.take_bytes())?;
        if document.tokens.is_empty() {
            self.outcome.skipped.push((document.name, "no encrypted values".to_owned()));
            return Ok(None);
        }
        source.check_replaceable()?;
        Ok(Some(Loaded { config, source, document }))
    }

    fn check_group(&mut self, group: &[Loaded], checked: &mut Vec<Checked>) -> Result<()> {
        let tokens: Vec<_> =
            group.iter().flat_map(|file| file.document.tokens.iter().map(|token| (&file.document, token))).collect();
        let mut opened = keys::open(&tokens, &self.keys, self.threads).into_iter();
        for file in group {
            let name = &file.document.name;
            let mut keys = Vec::with_capacity(file.document.tokens.len());
            let mut failure = None;
            for token in &file.document.tokens {
                match opened.next().unwrap_or(Err(Error::Unauthentic)) {
                    Ok(opened) => keys.push((opened.master != self.new_at).then_some(opened.key)),
                    Err(error) => {
                        failure.get_or_insert_with(|| self.refusal(&file.document, token, error));
                    }
                }
            }
            match failure {
                Some(failure) => self.leave_out(name.clone(), failure)?,
                None if keys.iter().all(Option::is_none) => {
                    self.outcome.skipped.push((name.clone(), "already under the new key".to_owned()));
                }
                None => {
                    self.context.report.trace(format_args!("{name}: all {} tokens open", keys.len()));
                    let identity = file.source.identity();
                    checked.push(Checked { config: file.config.clone(), name: name.clone(), identity, keys });
                }
            }
        }
        Ok(())
    }

    /// A config that cannot be rotated ends the run, unless it may be left out.
    fn leave_out(&mut self, name: String, failure: Failure) -> Result<()> {
        if !self.args.keep_going {
            let next = format!("nothing was changed; {} (or leave such files out with --keep-going)", failure.next);
            return Err(Failure { next, ..failure });
        }
        self.outcome.failed.push((name, failure));
        Ok(())
    }

    /// Why a token does not open; perhaps an earlier rotation did not finish.
    fn refusal(&self, document: &Document, token: &crate::document::Sealed, error: Error) -> Failure {
        let failure = document.failure(&token.pointer, error);
        let candidates = if error == Error::Unauthentic { unfinished(self.args) } else { Vec::new() };
        for path in candidates {
            let Ok(master) = keys::from_file(&path, &self.context.report) else { continue };
            if matches!(&*keys::open(&[(document, token)], &Keyring::of(master), self.threads), [Ok(_)]) {
                let next = format!(
                    "{} opens it: a rotation to that key did not finish; finish it with --new-key-file {}",
                    shown(&path),
                    shown(&path)
                );
                return Failure { next, ..failure };
            }
        }
        failure
    }

    /// Replaces the configs, one by one. A failure concerns one file and leaves it as it was.
    fn reseal(&mut self, checked: Vec<Checked>) {
        let progress = Progress::new("rotating", checked.len(), self.context);
        let mut waiting = checked.into_iter().peekable();
        while waiting.peek().is_some() {
            let mut group: Vec<(Checked, Loaded)> = Vec::new();
            while group.iter().map(|(file, _)| file.keys.len()).sum::<usize>() < GROUP_TOKENS
                && group.iter().map(|(_, loaded)| loaded.document.text.len()).sum::<usize>() < GROUP_BYTES
                && let Some(file) = waiting.next()
            {
                match load_again(&file) {
                    Ok(loaded) => group.push((file, loaded)),
                    Err(failure) => self.outcome.failed.push((file.name, failure)),
                }
            }
            let mut formats = Vec::new();
            for (file, _) in &group {
                for _ in file.keys.iter().flatten() {
                    formats.push(Format::salted(&mut SysRng));
                }
            }
            let salts = formats.iter().flatten().map(|format| *format.salt());
            let tasks: Vec<Task<'_>> = salts.map(|salt| Task { master: &self.keys.all()[self.new_at], salt }).collect();
            let derived = derive::keys(&tasks, self.threads);
            let mut sealing = formats.into_iter().flatten().zip(derived);
            for (file, loaded) in group {
                progress.step();
                let own: Vec<(Format, Rc<Key>)> = sealing.by_ref().take(file.keys.iter().flatten().count()).collect();
                if interrupt::requested() {
                    self.outcome.left += 1;
                    continue;
                }
                match self.reseal_one(&file, &loaded, own) {
                    Ok(rotated) => self.outcome.rotated.push(rotated),
                    Err(failure) => self.outcome.failed.push((file.name, failure)),
                }
            }
            if interrupt::requested() {
                self.outcome.left += waiting.len();
                return;
            }
        }
    }

    fn reseal_one(&self, file: &Checked, loaded: &Loaded, sealing: Vec<(Format, Rc<Key>)>) -> Result<Rotated> {
        let document = &loaded.document;
        let now = report::now();
        let mut sealing = sealing.into_iter();
        let mut edits: Vec<Edit> = Vec::new();
        for (token, old_key) in document.tokens.iter().zip(&file.keys) {
            let Some(old_key) = old_key else { continue };
            let failed = |error| document.failure(&token.pointer, error);
            let (format, key) = sealing.next().ok_or_else(|| failed(Error::RandomFailed))?;
            let plain = keys::open_with(old_key, token.text(document)).map_err(failed)?;
            let mut out = vec![0; token::token_len(plain.len())];
            let sealed = token::seal_with(&key, &format, &plain, now, &mut SysRng, &mut out).map_err(failed)?;
            if *keys::open_with(&key, sealed).map_err(failed)? != *plain {
                return Err(failed(Error::Unauthentic));
            }
            edits.push(token.replaced_by(sealed));
        }
        let content = document.edited(&edits);
        let backup = match self.args.no_backup {
            true => None,
            false => Some(loaded.source.back_up(
                document.text.as_bytes(),
                &report::stamp(now),
                self.args.backup_dir.as_deref(),
            )?),
        };
        loaded.source.replace(&content)?;
        let on_disk = loaded.config.read()?.take_bytes();
        if on_disk != content.concat() {
            let next = "another program changed it meanwhile; check it with `fernseal verify`";
            return Err(Failure::new(Exit::File, format!("{} is not what was written", file.name), next));
        }
        Ok(Rotated { file: file.name.clone(), tokens: edits.len(), backup })
    }

    /// Logs the making of the new key, as `keygen` does.
    fn record_key(&self, outcome: &str) -> Result<()> {
        let new = &self.keys.all()[self.new_at];
        let files = [&*self.outcome.key_file];
        self.context.audit.record(&Entry { command: "keygen", outcome, files: &files, pointers: &[], keys: &[new] })
    }

    fn record(&self, outcome: &str, files: &[PathBuf]) -> Result<()> {
        self.context.audit.record(&Entry {
            command: "rotate",
            outcome,
            files: &files.iter().map(|file| &**file).collect::<Vec<_>>(),
            pointers: &[],
            keys: &[self.keys.current(), &self.keys.all()[self.new_at]],
        })
    }
}

fn is_full(group: &[Loaded]) -> bool {
    group.iter().map(|file| file.document.tokens.len()).sum::<usize>() >= GROUP_TOKENS
        || group.iter().map(|file| file.document.text.len()).sum::<usize>() >= GROUP_BYTES
}

/// Reads a checked config again; it must be what was checked.
fn load_again(file: &Checked) -> Result<Loaded> {
    let mut source = file.config.read()?;
    if source.identity() != file.identity {
        let next = "it was left as it is; run the rotation again with --new-key-file and the new key's file";
        return Err(Failure::new(Exit::File, format!("{} changed while it was being rotated", file.name), next));
    }
    let document = Document::parse(file.name.clone(), source.take_bytes())?;
    Ok(Loaded { config: file.config.clone(), source, document })
}

/// Key files that an unfinished rotation may have left.
fn unfinished(args: &Rotate) -> Vec<PathBuf> {
    let Ok(entries) = home()
        .and_then(|home| home.read_dir().map_err(|error| Failure::new(Exit::File, error.to_string(), String::new())))
    else {
        return args.new_key_out.iter().cloned().collect();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(KEY_FILE_PREFIX))
        .map(|entry| entry.path())
        .chain(args.new_key_out.iter().filter(|path| path.exists()).cloned())
        .collect();
    files.sort();
    files
}
