//! Runs one function on many items in parallel, while the calling thread continues.
//!
//! Results keep the order of the items. A panic in a thread is propagated to the caller. If no thread is available, the
//! calling thread does the work.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::{iter, panic};

use fernseal_core::stack;

use crate::env::USED_STACK;

/// Work in progress.
pub(crate) struct Pending<'scope, R> {
    threads: Vec<ScopedJoinHandle<'scope, Vec<(usize, R)>>>,
    done: Vec<(usize, R)>,
}

/// Starts `work` on each of `things`, on up to `threads` threads. Each thread takes the next item when it has finished
/// one. With zero threads, or if none can be started, all work is done before this returns.
pub(crate) fn begin<'scope, T, R>(
    scope: &'scope Scope<'scope, '_>,
    threads: usize,
    things: Vec<T>,
    work: impl Fn(T) -> R + Clone + Send + 'scope,
) -> Pending<'scope, R>
where
    T: Send + 'scope,
    R: Send + 'scope,
{
    let threads = threads.min(things.len());
    let waiting = Arc::new(Mutex::new(things.into_iter().enumerate()));
    let work_off = move || {
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        iter::from_fn(next).map(|(at, thing)| (at, work(thing))).collect()
    };
    let spawn = |_| {
        let work_off = work_off.clone();
        Builder::new().spawn_scoped(scope, || stack::wiped_after::<USED_STACK, _>(work_off)).ok()
    };
    let threads: Vec<_> = (0..threads).filter_map(spawn).collect();
    let done = if threads.is_empty() { work_off() } else { Vec::new() };
    Pending { threads, done }
}

impl<R> Pending<'_, R> {
    /// Waits for all work, and returns the results in the order of the items.
    pub(crate) fn finish(self) -> Vec<R> {
        let mut done = self.done;
        for thread in self.threads {
            done.extend(thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked)));
        }
        done.sort_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_things_whichever_was_done_first() {
        for threads in [0, 1, 2, 5, 50] {
            let work = |thing: u64| {
                // The first items take longest.
                thread::sleep(Duration::from_millis((20 - thing) / 4));
                thing * thing
            };
            let results = thread::scope(|scope| begin(scope, threads, (0..20).collect(), work).finish());
            assert_eq!(results, (0..20).map(|thing| thing * thing).collect::<Vec<u64>>(), "{threads} threads");
        }
    }

    #[test]
    fn the_thread_that_began_it_goes_on_meanwhile() {
        let both = Barrier::new(2);
        thread::scope(|scope| {
            let begun = begin(scope, 1, vec![()], |()| both.wait());
            both.wait();
            begun.finish();
        });
    }

    #[test]
    fn without_threads_the_work_is_done_here_and_in_order() {
        let here = thread::current().id();
        thread::scope(|scope| {
            let begun = begin(scope, 0, vec![(); 3], move |()| thread::current().id() == here);
            assert_eq!(begun.done, [(0, true), (1, true), (2, true)]);
        });
    }

    #[test]
    fn a_panic_in_a_thread_is_one_of_the_whole() {
        let whole = panic::catch_unwind(|| {
            thread::scope(|scope| {
                begin(scope, 2, vec![1, 0, 1], |thing| assert_eq!(thing, 1, "as it should not be")).finish()
            })
        });
        assert!(whole.is_err());
    }
}
