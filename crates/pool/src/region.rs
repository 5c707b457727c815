//! One parallel region: the closure that all threads call, and the parts of memory that each has for itself.
//!
//! This is the one file of the crate with `unsafe`, for three things that the borrow checker cannot see: that nobody
//! touches the closure after [`Caller::run`] returned ([`Gate`] sees to it), that each thread has its own scratch, and
//! that tiles do not overlap.
#![expect(unsafe_code, reason = "what is borrowed for a region crosses threads that live longer")]

use std::any::Any;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::transmute;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::gate::Gate;
use crate::grid::Grid;

/// What a thread does in a region, given its index.
type Work<'a> = dyn Fn(usize) + Sync + 'a;

struct Shared {
    gate: Gate,
    /// The next block to hand out. Relaxed: it gives each number once, and orders nothing.
    next: Counter,
    /// Valid while the gate is open or somebody is inside.
    work: UnsafeCell<Option<*const Work<'static>>>,
    /// The first panic of a worker in this region.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// On cache lines of its own: all threads write it, once a block.
#[repr(align(128))]
struct Counter(AtomicUsize);

// SAFETY: `work` alone keeps this from being `Send` and `Sync`. It points to what is `Sync`, is written by the one
// `Caller` while nobody is inside the gate, and read by threads inside.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// The end that starts regions. There is one, and it takes `&mut`, so regions neither overlap nor nest.
pub(crate) struct Caller(Arc<Shared>);

/// The end of one worker. There is one for each index from 1.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    index: usize,
}

/// The ends of a region's threads: the caller, which is thread 0, and the others.
pub(crate) fn threads(count: usize) -> (Caller, Vec<Worker>) {
    let shared = Arc::new(Shared {
        gate: Gate::new(),
        next: Counter(AtomicUsize::new(0)),
        work: UnsafeCell::new(None),
        panic: Mutex::new(None),
    });
    let workers = (1..count).map(|index| Worker { shared: Arc::clone(&shared), index }).collect();
    (Caller(shared), workers)
}

impl Caller {
    /// Calls `work` for every block from 0, on as many threads as come, each with its own element of `scratch`.
    ///
    /// `workers` are the threads that [`Worker::serve`], to wake those that sleep. A panic ends the region early, and
    /// goes on here once all have left.
    pub(crate) fn for_each<S: Send>(
        &mut self,
        blocks: usize,
        scratch: &mut [S],
        workers: &[JoinHandle<()>],
        work: impl Fn(&mut S, usize) + Sync,
    ) {
        let (found, expected) = (scratch.len(), workers.len() + 1);
        assert!(found >= expected, "{found} elements of scratch, expected one for each of {expected} threads");
        if workers.is_empty() || blocks <= 1 {
            (0..blocks).for_each(|block| work(&mut scratch[0], block));
            return;
        }
        let scratch = Parts::new(scratch);
        let next = &self.0.next.0;
        next.store(0, Relaxed);
        let all = |thread: usize| {
            // SAFETY: no two threads have the same index, and each calls this once a region.
            let scratch = unsafe { scratch.slice(thread..thread + 1) };
            loop {
                let block = next.fetch_add(1, Relaxed);
                if block >= blocks {
                    return;
                }
                work(&mut scratch[0], block);
            }
        };
        let all: &Work<'_> = &all;
        // SAFETY: only the lifetime changes. `close` below returns once no worker can call it any more, and nothing
        // between here and there unwinds: the work is caught.
        let erased = unsafe { transmute::<&Work<'_>, &Work<'static>>(all) };
        // SAFETY: the gate is closed and nobody is inside, so this thread alone has the cell.
        unsafe { *self.0.work.get() = Some(erased) };
        if self.0.gate.open() {
            // This thread takes one of the blocks.
            workers.iter().take(blocks - 1).for_each(|worker| worker.thread().unpark());
        }
        let own = catch_unwind(AssertUnwindSafe(|| all(0)));
        if own.is_err() {
            next.store(blocks, Relaxed);
        }
        self.0.gate.close();
        // SAFETY: as before; a pointer to what is about to end is not left behind.
        unsafe { *self.0.work.get() = None };
        let theirs = self.0.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(payload) = own.err().or(theirs) {
            resume_unwind(payload);
        }
    }

    /// [`for_each`](Self::for_each) tile of `out`; rows of tiles follow one another.
    pub(crate) fn for_tiles<T: Send, S: Send>(
        &mut self,
        out: &mut [T],
        grid: Grid<'_>,
        scratch: &mut [S],
        workers: &[JoinHandle<()>],
        work: impl Fn(&mut S, Tile<'_, T>) + Sync,
    ) {
        grid.check(out.len());
        let (row_blocks, column_blocks) = grid.blocks();
        let parts = Parts::new(out);
        self.for_each(row_blocks * column_blocks, scratch, workers, |scratch, block| {
            let (row_index, column_index) = (block / column_blocks, block % column_blocks);
            // Each block is handed out once, and blocks of a grid do not overlap: what `Tile::row_mut` relies on.
            let tile = Tile {
                row_index,
                column_index,
                rows: grid.row_cuts[row_index]..grid.row_cuts[row_index + 1],
                columns: grid.column_cuts[column_index]..grid.column_cuts[column_index + 1],
                width: grid.width(),
                parts,
            };
            work(scratch, tile);
        });
    }

    /// Tells workers to end.
    pub(crate) fn quit(&mut self) {
        self.0.gate.quit();
    }
}

impl Worker {
    /// Works in one region after another, until it is told to end.
    pub(crate) fn serve(&mut self) {
        let mut seen = 0;
        while let Some(number) = self.shared.gate.wait(seen) {
            seen = number;
            // SAFETY: inside the gate, `work` is what the caller put there, and what it points to lives until `leave`.
            let work = unsafe { (*self.shared.work.get()).map(|work| &*work) };
            let done = catch_unwind(AssertUnwindSafe(|| work.into_iter().for_each(|work| work(self.index))));
            if let Err(payload) = done {
                // As large as a count can be after it: others end with the block they are in.
                self.shared.next.0.store(usize::MAX / 2, Relaxed);
                self.shared.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(payload);
            }
            self.shared.gate.leave();
        }
    }
}

/// A slice that is given out in parts.
struct Parts<'a, T> {
    start: *mut T,
    len: usize,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: it gives out `&mut T` on other threads, for which `T: Send` is what is asked.
unsafe impl<T: Send> Send for Parts<'_, T> {}
// SAFETY: as above; no `&T` is shared.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<T> Clone for Parts<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), owner: PhantomData }
    }

    /// # Safety
    /// No two parts that are in use at one time may overlap.
    #[inline]
    unsafe fn slice(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} elements", self.len);
        // SAFETY: inside the slice that was borrowed for `'a`; that nobody else has this part is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

/// One block of an output: some columns of some rows, which only this thread writes.
pub struct Tile<'a, T = f32> {
    row_index: usize,
    column_index: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    width: usize,
    parts: Parts<'a, T>,
}

impl<T> Tile<'_, T> {
    /// Which block of rows it is, from 0.
    pub fn row_index(&self) -> usize {
        self.row_index
    }

    /// Which block of columns it is, from 0.
    pub fn column_index(&self) -> usize {
        self.column_index
    }

    /// Its rows, counted in the whole output.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Its columns, counted in the whole output.
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Its columns of `row`, which is counted in the whole output.
    ///
    /// # Panics
    /// If the row is not one of its [`rows`](Self::rows).
    #[inline]
    pub fn row_mut(&mut self, row: usize) -> &mut [T] {
        assert!(self.rows.contains(&row), "row {row} of a tile with {:?}", self.rows);
        let start = row * self.width;
        // SAFETY: tiles do not overlap, and `&mut self` keeps this tile to one slice at a time.
        unsafe { self.parts.slice(start + self.columns.start..start + self.columns.end) }
    }
}
