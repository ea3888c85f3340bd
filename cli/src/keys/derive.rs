//! Derives many keys at once, on all cores, and none of them twice.
//!
//! Nearly all of the program's running time is spent here. How one core derives several keys in parallel is defined in
//! fernseal-core (`kdf::derive_many`).

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use fernseal_core::kdf;
use fernseal_core::token::{Format, KeyParams};
use fernseal_core::{Key, KeyId, MasterKey};

use crate::keys::parallel;

/// The number of derivations since the program started.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of derivations since the program started.
pub(crate) fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// The number of threads that derive.
static THREADS: OnceLock<NonZeroUsize> = OnceLock::new();

/// Returns the number of threads that derive: one for each core, unless `use_threads` has set another number.
pub(crate) fn threads() -> NonZeroUsize {
    *THREADS.get_or_init(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

/// Derives on `number` threads. Only the first call counts, and only if nothing asked for the number before.
pub(crate) fn use_threads(number: NonZeroUsize) {
    THREADS.get_or_init(|| number);
}

/// A master key with two cached derivations: its id, and the key that all legacy tokens share.
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

/// A request for one key.
#[derive(Clone, Copy)]
pub(crate) struct KeyRequest<'a> {
    pub(crate) master: &'a Master,
    pub(crate) params: KeyParams<'a>,
}

impl KeyRequest<'_> {
    fn is_legacy(&self) -> bool {
        self.params == Format::Legacy.key_params()
    }

    /// Returns the key if this run has derived it before.
    fn cached(&self) -> Option<Derived> {
        self.master.legacy.get().filter(|_| self.is_legacy()).cloned()
    }
}

/// A derived key: an index into a shared batch. Keys are never moved out of their batch, because a move would leave a
/// copy in memory. The batch is wiped after its last key is dropped.
#[derive(Clone)]
pub(crate) struct Derived {
    batch: Arc<Vec<Key>>,
    at: usize,
}

impl Deref for Derived {
    type Target = Key;

    fn deref(&self) -> &Key {
        // Every index was computed for this batch.
        &self.batch[self.at]
    }
}

/// Derives the key of each task on all threads. Equal tasks share one derivation.
pub(crate) fn keys(tasks: &[KeyRequest<'_>]) -> Vec<Derived> {
    let mut place_of: BTreeMap<(*const Master, KeyParams<'_>), usize> = BTreeMap::new();
    let mut jobs = Vec::new();
    let mut places: Vec<Result<Derived, usize>> = Vec::with_capacity(tasks.len());
    for task in tasks {
        places.push(task.cached().ok_or_else(|| {
            *place_of.entry((task.master, task.params)).or_insert_with(|| {
                jobs.push(task.params.job(task.master));
                jobs.len() - 1
            })
        }));
    }
    let batch = Arc::new(run(&jobs));
    let derived = |(task, place): (&KeyRequest<'_>, Result<Derived, usize>)| {
        let derived = place.unwrap_or_else(|at| Derived { batch: Arc::clone(&batch), at });
        if task.is_legacy() { task.master.legacy.get_or_init(|| derived).clone() } else { derived }
    };
    tasks.iter().zip(places).map(derived).collect()
}

/// Returns the ids of `masters`. The missing ones are derived in one go.
pub(crate) fn ids(masters: &[&Master]) -> Vec<KeyId> {
    let unknown: Vec<&Master> = masters.iter().copied().filter(|master| master.id.get().is_none()).collect();
    let jobs: Vec<kdf::Job<'_>> = unknown.iter().map(|master| KeyId::job(master)).collect();
    for (master, key) in unknown.iter().zip(run(&jobs)) {
        master.id.get_or_init(|| KeyId::from_derived(&key));
    }
    // The loop above has set every missing id.
    masters.iter().map(|master| *master.id.get().expect("a master key's id was derived")).collect()
}

/// Returns the id of `master`.
pub(crate) fn key_id(master: &Master) -> KeyId {
    ids(&[master])[0]
}

/// Returns the id of `master` as text.
pub(crate) fn id(master: &Master) -> String {
    key_id(master).to_string()
}

/// Divides the jobs among the threads as evenly as possible, and fills up each share to a whole number of SIMD lanes,
/// which costs no time. For example, if 16 jobs take as long as 10, two threads get 16 and 4 of 20 jobs. If no thread
/// can be started, the calling thread does all.
fn run(jobs: &[kdf::Job<'_>]) -> Vec<Key> {
    COUNT.fetch_add(jobs.len(), Ordering::Relaxed);
    let mut out: Vec<Key> = jobs.iter().map(|_| Key::from_bytes(&[0; 32])).collect();
    let share = kdf::full_batch(jobs.len().div_ceil(threads().get())).max(1);
    let mut shares: Vec<_> = jobs.chunks(share).zip(out.chunks_mut(share)).collect();
    let derive = |(jobs, out): (&[kdf::Job<'_>], &mut [Key])| kdf::derive_many(jobs, out);
    thread::scope(|scope| {
        // The calling thread takes a share too, so a single token starts no thread.
        let own = shares.pop();
        let others = parallel::begin(scope, shares.len(), shares, derive);
        own.into_iter().for_each(derive);
        others.finish();
    });
    out
}
