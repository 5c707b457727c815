//! Putting the decode thread to sleep when there is nothing to do, without ever losing a wake-up.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use crate::sync::{AtomicU32, thread};

const AWAKE: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

/// An eventcount for one sleeper. `notify` is wait-free: a swap, and an unpark only if someone sleeps.
pub(crate) struct Wake {
    state: AtomicU32,
    sleeper: OnceLock<thread::Thread>,
}

impl Wake {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(AWAKE), sleeper: OnceLock::new() }
    }

    /// Makes this thread the sleeper. Called on it before anyone else has a reference.
    pub(crate) fn bind(&self) {
        self.sleeper.get_or_init(thread::current);
    }

    /// Wakes the sleeper, or keeps it from falling asleep. Call after the change it should see.
    pub(crate) fn notify(&self) {
        if self.state.swap(NOTIFIED, SeqCst) == PARKED
            && let Some(sleeper) = self.sleeper.get()
        {
            sleeper.unpark();
        }
    }

    /// Sleeps while `idle` holds and nobody notified, at most `limit`.
    ///
    /// `idle` is asked again after PARKED is announced: a change that came before is seen here, a later one notifies.
    pub(crate) fn wait(&self, idle: impl Fn() -> bool, limit: Option<Duration>) {
        if self.state.compare_exchange(AWAKE, PARKED, SeqCst, SeqCst).is_ok() {
            while idle() && self.state.load(SeqCst) == PARKED {
                if park(limit) {
                    break;
                }
            }
        }
        // A swap, not a store: it must acquire what the notifier did before. With a plain store both sides may read
        // the other's old value (store buffering), and a wake-up would be lost.
        self.state.swap(AWAKE, SeqCst);
    }
}

/// Whether the time is up; loom knows no time.
fn park(limit: Option<Duration>) -> bool {
    #[cfg(not(loom))]
    if let Some(limit) = limit {
        thread::park_timeout(limit);
        return true;
    }
    let _ = limit;
    thread::park();
    false
}
