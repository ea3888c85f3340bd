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

use fernseal_core::kdf::{self, Job, Salt};
use fernseal_core::{Key, KeyId, MasterKey};

use crate::parallel;

/// Derivations that were asked for since the start.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// How many keys were derived since the start.
pub(crate) fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// A master key, and its id once that was asked for.
pub(crate) struct Master {
    key: MasterKey,
    id: OnceCell<KeyId>,
}

impl From<MasterKey> for Master {
    fn from(key: MasterKey) -> Self {
        Self { key, id: OnceCell::new() }
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
pub(crate) struct Task<'a> {
    pub(crate) master: &'a MasterKey,
    pub(crate) salt: Salt,
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

/// Derives the key of each task on `threads` threads. Tasks that are equal share one derivation and one key.
pub(crate) fn keys(tasks: &[Task<'_>], threads: NonZeroUsize) -> Vec<Derived> {
    let mut place_of: BTreeMap<(*const MasterKey, Salt), usize> = BTreeMap::new();
    let mut jobs = Vec::new();
    let places: Vec<usize> = tasks
        .iter()
        .map(|task| {
            *place_of.entry((task.master, task.salt)).or_insert_with(|| {
                jobs.push(Job { master: task.master, salt: &task.salt, iterations: kdf::ITERATIONS });
                jobs.len() - 1
            })
        })
        .collect();
    let batch = Arc::new(run(&jobs, threads));
    places.into_iter().map(|at| Derived { batch: Arc::clone(&batch), at }).collect()
}

/// The ids of `masters`. What is asked for together is derived together.
pub(crate) fn ids(masters: &[&Master], threads: NonZeroUsize) -> Vec<KeyId> {
    let unknown: Vec<&Master> = masters.iter().copied().filter(|master| master.id.get().is_none()).collect();
    let jobs: Vec<Job<'_>> =
        unknown.iter().map(|master| Job { master, salt: KeyId::LABEL, iterations: kdf::ITERATIONS }).collect();
    for (master, key) in unknown.iter().zip(run(&jobs, threads)) {
        master.id.get_or_init(|| KeyId::from_derived(&key));
    }
    masters.iter().filter_map(|master| master.id.get().copied()).collect()
}

/// The id of `master`, as it is shown.
pub(crate) fn id(master: &Master, threads: NonZeroUsize) -> String {
    ids(&[master], threads).pop().map(|id| id.to_string()).unwrap_or_default()
}

/// Shares the jobs out among the threads: runs as even as can be, each filled up to what costs its thread no more time. (Of 20
/// jobs where 16 take as long as 10, two threads get 16 and 4.) Where the system gives no thread, this one does all.
fn run(jobs: &[Job<'_>], threads: NonZeroUsize) -> Vec<Key> {
    COUNT.fetch_add(jobs.len(), Ordering::Relaxed);
    let mut out: Vec<Key> = jobs.iter().map(|_| Key::from_bytes(&[0; 32])).collect();
    let share = kdf::full_batch(jobs.len().div_ceil(threads.get())).max(1);
    let mut shares: Vec<_> = jobs.chunks(share).zip(out.chunks_mut(share)).collect();
    let derive = |(jobs, out): (&[Job<'_>], &mut [Key])| kdf::derive_many(jobs, out);
    thread::scope(|scope| {
        // This thread works too: for one token none is started.
        let own = shares.pop();
        let others = parallel::begin(scope, shares.len(), shares, derive);
        own.into_iter().for_each(derive);
        others.finish();
    });
    out
}
