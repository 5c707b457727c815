//! The cores that all models of a process compute on, and who has them.
//!
//! Every engine has threads of its own, as many as there are cores. Two that compute at once have twice as many threads
//! as cores, and those of one matrix product wait for each other, by spinning at that: each keeps off its core the one it
//! waits for. So whoever computes has as many cores as it has threads, and the others wait for them, in the order in
//! which they came: whoever wants all cores is not overtaken by those who want one.
//!
//! A model that is alone takes its cores by one compare-and-swap and gives them back by one subtraction. Only where cores
//! are missing is there a line, behind a mutex that is held to put a thread in, to take one out and to wake one. They go
//! from hand to hand: whoever gives some back gives them to the first in line, and nobody finds them free in between.
//!
//! What loads a model is not counted: it reads files for the most part.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::sync::{Arc, AtomicBool, AtomicU32, Mutex, MutexGuard};
use crate::wake::Wake;

/// In the word beside the number of cores in use: somebody stands in line.
const WANTED: u32 = 1 << 31;

/// A number of cores, and who computes on them. One for all models that run on the same machine.
pub struct Cores {
    /// How many are in use, and [`WANTED`]. While that is set, only who holds the line adds to the number.
    word: AtomicU32,
    count: AtomicU32,
    line: Mutex<VecDeque<Arc<Seat>>>,
}

/// A thread that computes, on so many cores, or waits for them.
pub(crate) struct Seat {
    threads: u32,
    wake: Arc<Wake>,
    has_cores: AtomicBool,
}

impl Seat {
    pub(crate) fn new(threads: u32, wake: Arc<Wake>) -> Self {
        Self { threads, wake, has_cores: AtomicBool::new(false) }
    }

    /// Whether the cores that it stood in line for are its own.
    pub(crate) fn has_cores(&self) -> bool {
        self.has_cores.load(Acquire)
    }
}

impl Cores {
    /// So many.
    pub fn new(count: u32) -> Self {
        Self { word: AtomicU32::new(0), count: AtomicU32::new(count), line: Mutex::new(VecDeque::new()) }
    }

    /// There are so many now: what a process may use changes while it runs. Nothing is taken from whoever computes.
    pub fn set_count(&self, count: u32) {
        self.count.store(count, Relaxed);
        self.hand_out(&mut self.line());
    }

    /// Whether somebody waits for cores.
    pub(crate) fn are_wanted(&self) -> bool {
        self.word.load(Relaxed) & WANTED != 0
    }

    /// Takes cores if they are free and nobody was there before; says whether.
    pub(crate) fn take(&self, seat: &Seat) -> bool {
        let mut word = self.word.load(Relaxed);
        loop {
            if word & WANTED != 0 || !self.suffice(word, seat) {
                return false;
            }
            match self.word.compare_exchange_weak(word, word + seat.threads, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Stands in line, at whose end the thread is notified that it has its cores.
    pub(crate) fn queue(&self, seat: &Arc<Seat>) {
        let mut line = self.line();
        seat.has_cores.store(false, Relaxed);
        line.push_back(seat.clone());
        // Whoever gives cores back from now on looks at the line; what was given back before is handed out here.
        self.word.fetch_or(WANTED, AcqRel);
        self.hand_out(&mut line);
    }

    /// Gives up the place in line, or the cores if they came meanwhile.
    pub(crate) fn leave(&self, seat: &Arc<Seat>) {
        let mut line = self.line();
        if let Some(place) = line.iter().position(|other| Arc::ptr_eq(other, seat)) {
            line.remove(place);
            // Who stood behind may want less.
            self.hand_out(&mut line);
        } else {
            drop(line);
            self.give(seat);
        }
    }

    /// Gives back what was taken, or came at the end of the line.
    pub(crate) fn give(&self, seat: &Seat) {
        if self.word.fetch_sub(seat.threads, AcqRel) & WANTED != 0 {
            self.hand_out(&mut self.line());
        }
    }

    fn hand_out(&self, line: &mut VecDeque<Arc<Seat>>) {
        // Between the look and the sum others only give back, and come here after that.
        while let Some(first) = line.front().filter(|first| self.suffice(self.word.load(Relaxed), first)) {
            self.word.fetch_add(first.threads, Acquire);
            first.has_cores.store(true, Release);
            first.wake.notify();
            line.pop_front();
        }
        if line.is_empty() {
            self.word.fetch_and(!WANTED, Relaxed);
        }
    }

    /// Whether a thread may begin. One that has more threads than there are cores begins when nobody else computes.
    fn suffice(&self, word: u32, seat: &Seat) -> bool {
        let used = word & !WANTED;
        used == 0 || used + seat.threads <= self.count.load(Relaxed)
    }

    fn line(&self) -> MutexGuard<'_, VecDeque<Arc<Seat>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
