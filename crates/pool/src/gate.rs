//! When workers may come in, and when all of them are out again.
//!
//! One word says it all: the number of the region, whether it is open, and how many workers are inside. A worker counts
//! itself in only while the region is open, in the same atomic step; so once the caller has closed it, the count can
//! only fall, and at zero nobody is inside or will be. A worker that sleeps through a region is never waited for.
//!
//! Memory: [`open`](Gate::open) releases and [`enter`](Gate::wait) acquires, so workers see what the caller prepared;
//! [`leave`](Gate::leave) releases and [`close`](Gate::close) acquires, so the caller sees what workers wrote. The count
//! of sleepers needs a total order with the word (a worker that just went to sleep, or the caller, sees the other), and
//! these accesses alone are sequentially consistent.

use std::hint::spin_loop;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long to look before sleeping. Longer than anything between two regions of one token, and than sampling one.
const PATIENCE: Duration = Duration::from_micros(50);

/// Bits of the word: workers inside, then three flags, then the region's number.
const INSIDE: u64 = (1 << 16) - 1;
const OPEN: u64 = 1 << 16;
const CALLER_SLEEPS: u64 = 1 << 17;
const QUIT: u64 = 1 << 18;
const NUMBER: u32 = 32;

/// The most workers that the word can count.
pub(crate) const MOST_WORKERS: usize = INSIDE as usize;

/// On cache lines of its own (two, as processors fetch them in pairs): workers look at it all the time.
#[repr(align(128))]
pub(crate) struct Gate {
    word: AtomicU64,
    /// Workers that sleep or are about to.
    sleepers: AtomicU64,
    /// What the caller sleeps on, should a worker take long to leave.
    caller: (Mutex<()>, Condvar),
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0), sleepers: AtomicU64::new(0), caller: (Mutex::new(()), Condvar::new()) }
    }

    /// Begins a region. True if workers have to be woken.
    pub(crate) fn open(&self) -> bool {
        let number = (self.word.load(Relaxed) >> NUMBER) + 1;
        self.word.store(number << NUMBER | OPEN, SeqCst);
        self.sleepers.load(SeqCst) > 0
    }

    /// Ends the region: when this returns, no worker is inside.
    pub(crate) fn close(&self) {
        let inside = self.word.fetch_and(!OPEN, Acquire) & INSIDE;
        if inside == 0 || spin(|| self.word.load(Acquire) & INSIDE == 0) {
            return;
        }
        let mut guard = self.caller.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.word.fetch_or(CALLER_SLEEPS, Relaxed);
        while self.word.load(Acquire) & INSIDE > 0 {
            guard = self.caller.1.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells workers to end.
    pub(crate) fn quit(&self) {
        self.word.fetch_or(QUIT, SeqCst);
    }

    /// Waits for an open region other than number `seen`, and enters it. `None` if it is time to end.
    ///
    /// Returns the number of the region, which must be left again.
    pub(crate) fn wait(&self, seen: u64) -> Option<u64> {
        loop {
            let mut look = Look::Nothing;
            spin(|| {
                look = self.enter(seen);
                !matches!(look, Look::Nothing)
            });
            match look {
                Look::Entered(number) => return Some(number),
                Look::Quit => return None,
                Look::Nothing => {}
            }
            self.sleepers.fetch_add(1, SeqCst);
            let word = self.word.load(SeqCst);
            if word & QUIT == 0 && !invites(word, seen) {
                // May return early, and that is well: after one region others are likely to follow.
                thread::park();
            }
            self.sleepers.fetch_sub(1, Relaxed);
        }
    }

    /// Looks once, and enters if it can.
    fn enter(&self, seen: u64) -> Look {
        let mut word = self.word.load(Relaxed);
        loop {
            if word & QUIT != 0 {
                return Look::Quit;
            }
            if !invites(word, seen) {
                return Look::Nothing;
            }
            match self.word.compare_exchange_weak(word, word + 1, Acquire, Relaxed) {
                Ok(_) => return Look::Entered(word >> NUMBER),
                Err(now) => word = now,
            }
        }
    }

    /// Leaves a region that was entered. Whatever the region is made of must not be touched after it.
    pub(crate) fn leave(&self) {
        let before = self.word.fetch_sub(1, Release);
        if before & CALLER_SLEEPS != 0 && before & INSIDE == 1 {
            // With the lock, so that this is not lost between the caller's look and its sleep.
            let _guard = self.caller.0.lock().unwrap_or_else(PoisonError::into_inner);
            self.caller.1.notify_one();
        }
    }
}

/// What a worker that looked found.
enum Look {
    Nothing,
    Quit,
    /// It is in the region of this number, and must leave it.
    Entered(u64),
}

/// Whether a worker that was last in region `seen` may enter.
fn invites(word: u64, seen: u64) -> bool {
    word & OPEN != 0 && word >> NUMBER != seen
}

/// Looks again and again for [`PATIENCE`]; whether `done` was true at last.
fn spin(mut done: impl FnMut() -> bool) -> bool {
    if done() {
        return true;
    }
    let start = Instant::now();
    loop {
        // The clock costs as much as a few looks.
        for _ in 0..32 {
            spin_loop();
            if done() {
                return true;
            }
        }
        if start.elapsed() > PATIENCE {
            return false;
        }
    }
}
