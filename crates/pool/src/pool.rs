//! The threads themselves: started once, ended with the pool.

use std::io;
use std::thread::{Builder, JoinHandle};

use crate::gate::MOST_WORKERS;
use crate::grid::Grid;
use crate::region::{self, Caller, Tile};

/// Threads that run parallel regions for one caller, which is one of them.
///
/// Starting a region takes `&mut self`, so regions do not nest. A panic in the work ends the region early and goes on in
/// the caller; the pool can be used after it. Dropping the pool ends its threads and waits for that.
///
/// A child of `fork` has none of the threads: make a new pool there.
pub struct Pool {
    caller: Caller,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of `threads` threads: the caller's, and workers named `trillm-compute`. Zero counts as one.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn new(threads: usize) -> io::Result<Self> {
        let (caller, workers) = region::threads(threads.clamp(1, MOST_WORKERS));
        // Made first, so that threads which did start are ended if a later one does not.
        let mut pool = Self { caller, workers: Vec::with_capacity(workers.len()) };
        for mut worker in workers {
            let builder = Builder::new().name("trillm-compute".to_owned());
            pool.workers.push(builder.spawn(move || worker.serve())?);
        }
        Ok(pool)
    }

    /// Threads that may work at one time, the caller's included: at least 1.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `work` once for each block from 0 to `blocks`, each with the scratch of the thread that it runs on.
    ///
    /// Blocks are started in order, and handed out one by one. Returns when all are done.
    ///
    /// # Panics
    /// If `scratch` has less than one element for each thread, or if `work` does.
    pub fn for_each<S: Send>(&mut self, blocks: usize, scratch: &mut [S], work: impl Fn(&mut S, usize) + Sync) {
        self.caller.for_each(blocks, scratch, &self.workers, work);
    }

    /// Calls `work` once for each tile of `out`, a row-major matrix that `grid` cuts. As [`for_each`](Self::for_each);
    /// the tiles of the first block of rows come first.
    ///
    /// # Panics
    /// If the grid is not one of `out`, if `scratch` has less than one element for each thread, or if `work` does.
    pub fn for_tiles<T: Send, S: Send>(
        &mut self,
        out: &mut [T],
        grid: Grid<'_>,
        scratch: &mut [S],
        work: impl Fn(&mut S, Tile<'_, T>) + Sync,
    ) {
        self.caller.for_tiles(out, grid, scratch, &self.workers, work);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.caller.quit();
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches what its work panics with, so there is nothing to hear of here.
            let _ = worker.join();
        }
    }
}
