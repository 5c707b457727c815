//! The two structures that threads share: requests come in by an [`Intake`], pieces go out by a [`Ring`].
//!
//! They are our own because both must be lock-free on the decode thread's side: crossbeam's queues make a reader wait
//! for a writer that was preempted halfway through a push. All unsafe code of this crate is in this file; loom checks
//! it (`models.rs`), and `tools/mutants.py` checks that loom would notice.

use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::sync::{AtomicPtr, AtomicUsize, UnsafeCell};

/// A stack that anyone may push on and one thread takes whole.
///
/// Without a pop of single items there is no ABA problem and none of reclamation: whoever swaps the head out owns
/// every node behind it.
pub(crate) struct Intake<T> {
    head: AtomicPtr<Node<T>>,
}

struct Node<T> {
    /// In a cell so that loom sees who touches it when.
    next: UnsafeCell<*mut Node<T>>,
    value: T,
}

// SAFETY: nodes are owned by the stack and hand a `T` from one thread to another, never a reference to it.
unsafe impl<T: Send> Send for Intake<T> {}
// SAFETY: as above; `push` and `take_all` touch shared memory by the atomic head alone.
unsafe impl<T: Send> Sync for Intake<T> {}

impl<T> Intake<T> {
    pub(crate) fn new() -> Self {
        Self { head: AtomicPtr::new(null_mut()) }
    }

    /// Adds `value`. Lock-free: a retry means that another push succeeded.
    pub(crate) fn push(&self, value: T) {
        let node = Box::into_raw(Box::new(Node { next: UnsafeCell::new(null_mut()), value }));
        let mut head = self.head.load(Relaxed);
        loop {
            // SAFETY: the node came from `Box::into_raw` and is not published yet, so this thread alone sees it.
            unsafe { (*node).next.with_mut(|next| *next = head) };
            match self.head.compare_exchange_weak(head, node, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes everything, oldest first, and appends it to `out`. Wait-free: one swap.
    pub(crate) fn take_all(&self, out: &mut Vec<T>) {
        let mut node = self.head.swap(null_mut(), Acquire);
        let begin = out.len();
        while !node.is_null() {
            // SAFETY: the swap made this thread the only owner of the chain; each node came from `Box::into_raw`.
            let taken = unsafe { Box::from_raw(node) };
            // SAFETY: as above; nobody else can reach the cell.
            node = taken.next.with(|next| unsafe { *next });
            out.push(taken.value);
        }
        out[begin..].reverse();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Acquire).is_null()
    }
}

impl<T> Drop for Intake<T> {
    fn drop(&mut self) {
        self.take_all(&mut Vec::new());
    }
}

/// A ring of fixed size between one writer and one reader. Wait-free on both sides.
///
/// The types do not say who the writer and the reader are: [`stream`](crate::stream) gives each end to one owner.
pub(crate) struct Ring<T> {
    cells: Box<[UnsafeCell<MaybeUninit<T>>]>,
    /// How many items were ever written; the writer's.
    tail: AtomicUsize,
    /// How many items were ever read; the reader's.
    head: AtomicUsize,
}

// SAFETY: items move from the writer's thread to the reader's; no reference to one is ever shared.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: a cell is touched by the writer before `tail` passes it and by the reader after, never by both.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            cells: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
            tail: AtomicUsize::new(0),
            head: AtomicUsize::new(0),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// How many items wait. Exact for the reader's "at least" and for the writer's "at most".
    pub(crate) fn len(&self) -> usize {
        let head = self.head.load(Acquire);
        self.tail.load(Acquire).wrapping_sub(head)
    }

    /// Writes `value`, or gives it back if the ring is full. The writer only.
    pub(crate) fn push(&self, value: T) -> Result<(), T> {
        let tail = self.tail.load(Relaxed);
        if tail.wrapping_sub(self.head.load(Acquire)) == self.cells.len() {
            return Err(value);
        }
        // SAFETY: the cell is behind the reader's head, which was read with Acquire, so the reader is done with it, and
        // it lies beyond `tail`, so the reader does not look at it yet. There is one writer.
        self.cells[tail % self.cells.len()].with_mut(|cell| unsafe { (*cell).write(value) });
        self.tail.store(tail.wrapping_add(1), Release);
        Ok(())
    }

    /// Reads the oldest item. The reader only.
    pub(crate) fn pop(&self) -> Option<T> {
        let head = self.head.load(Relaxed);
        if head == self.tail.load(Acquire) {
            return None;
        }
        // SAFETY: `tail`, read with Acquire, has passed this cell, so it was written and the writer will not touch it
        // until `head` passes it. There is one reader, and it reads each cell once.
        let value = self.cells[head % self.cells.len()].with(|cell| unsafe { (*cell).assume_init_read() });
        self.head.store(head.wrapping_add(1), Release);
        Some(value)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}
