//! Many derivations at once: no key is derived twice, and all cores take part.
//! This is where nearly all of the command's time goes.
//! How one core does several at a time is core's matter (`kdf::derive_many`).

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fernseal_core::kdf::{self, Salt};
use fernseal_core::token::LEGACY_SALT;
use fernseal_core::{Key, KeyId, MasterKey};

use crate::keys::parallel;

/// Derivations that were asked for since the start.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// How many keys were derived since the start.
pub(crate) fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// A master key, and what was derived from it once: its id, and the key of all legacy tokens, which share one salt.
pub(crate) struct Master {
    key: MasterKey,
    id: OnceCell<KeyId>,
    legacy: OnceCell<Derived>,
}

impl From<MasterKey> for Master {
    fn from(key: MasterKey) -> Self {
        Self { key, id: OnceCell::new(), legacy: OnceCell::new() }
    }
}

impl Deref for Master {
    type Target = MasterKey;

    fn deref(&self) -> &MasterKey {
        &self.key
    }
}

/// One key to derive.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) master: &'a Master,
    pub(crate) salt: Salt,
}

impl Job<'_> {
    fn is_legacy(&self) -> bool {
        self.salt == LEGACY_SALT
    }

    /// The key, if it was derived before in this run.
    fn known(&self) -> Option<Derived> {
        self.master.legacy.get().filter(|_| self.is_legacy()).cloned()
    }
}

/// A key of a batch. The batch stays where it is, as keys that are moved leave copies behind, until its last key is done.
#[derive(Clone)]
pub(crate) struct Derived {
    batch: Arc<Vec<Key>>,
    at: usize,
}

impl Deref for Derived {
    type Target = Key;

    fn deref(&self) -> &Key {
        // Each place was worked out for its batch.
        &self.batch[self.at]
    }
}

/// Derives the key of each task on `threads` threads. Jobs that are equal share one derivation and one key.
pub(crate) fn keys(tasks: &[Job<'_>], threads: NonZeroUsize) -> Vec<Derived> {
    let mut place_of: BTreeMap<(*const Master, Salt), usize> = BTreeMap::new();
    let mut jobs = Vec::new();
    let mut places: Vec<Result<Derived, usize>> = Vec::with_capacity(tasks.len());
    for task in tasks {
        places.push(task.known().ok_or_else(|| {
            *place_of.entry((task.master, task.salt)).or_insert_with(|| {
                jobs.push(kdf::Job { master: task.master, salt: &task.salt, iterations: kdf::ITERATIONS });
                jobs.len() - 1
            })
        }));
    }
    let batch = Arc::new(run(&jobs, threads));
    let derived = |(task, place): (&Job<'_>, Result<Derived, usize>)| {
        let derived = place.unwrap_or_else(|at| Derived { batch: Arc::clone(&batch), at });
        if task.is_legacy() { task.master.legacy.get_or_init(|| derived).clone() } else { derived }
    };
    tasks.iter().zip(places).map(derived).collect()
}

/// The ids of `masters`. What is asked for together is derived together.
pub(crate) fn ids(masters: &[&Master], threads: NonZeroUsize) -> Vec<KeyId> {
    let unknown: Vec<&Master> = masters.iter().copied().filter(|master| master.id.get().is_none()).collect();
    let jobs: Vec<kdf::Job<'_>> =
        unknown.iter().map(|master| kdf::Job { master, salt: KeyId::LABEL, iterations: kdf::ITERATIONS }).collect();
    for (master, key) in unknown.iter().zip(run(&jobs, threads)) {
        master.id.get_or_init(|| KeyId::from_derived(&key));
    }
    // Each has one by now.
    masters.iter().map(|master| *master.id.get().expect("a master key's id was derived")).collect()
}

/// The id of `master`.
pub(crate) fn key_id(master: &Master, threads: NonZeroUsize) -> KeyId {
    ids(&[master], threads)[0]
}

/// The id of `master`, as it is shown.
pub(crate) fn id(master: &Master, threads: NonZeroUsize) -> String {
    key_id(master, threads).to_string()
}

/// Shares the jobs out among the threads: runs as even as can be, each filled up to what costs its thread no more time. (Of 20
/// jobs where 16 take as long as 10, two threads get 16 and 4.) Where the system gives no thread, this one does all.
fn run(jobs: &[kdf::Job<'_>], threads: NonZeroUsize) -> Vec<Key> {
    COUNT.fetch_add(jobs.len(), Ordering::Relaxed);
    let mut out: Vec<Key> = jobs.iter().map(|_| Key::from_bytes(&[0; 32])).collect();
    let share = kdf::full_batch(jobs.len().div_ceil(threads.get())).max(1);
    let mut shares: Vec<_> = jobs.chunks(share).zip(out.chunks_mut(share)).collect();
    let derive = |(jobs, out): (&[kdf::Job<'_>], &mut [Key])| kdf::derive_many(jobs, out);
    thread::scope(|scope| {
        // This thread works too: for one token none is started.
        let own = shares.pop();
        let others = parallel::begin(scope, shares.len(), shares, derive);
        own.into_iter().for_each(derive);
        others.finish();
    });
    out
}
