//! What kernels compute with: threads, an instruction set, and memory that is kept from one call to the next.

use std::io;

use trillm_pool::Pool;

use crate::panel::Panel;
use crate::plan::Plan;
use crate::simd::Isa;

/// Threads, an instruction set, and scratch. One for each thread that steps a model.
pub struct Compute {
    /// The threads. Kernels of other crates may run regions of their own on them.
    pub pool: Pool,
    /// The instructions that kernels use.
    pub isa: Isa,
    pub(crate) plan: Plan,
    /// One for each thread of the pool.
    pub(crate) panels: Vec<Panel>,
}

impl Compute {
    /// `threads` threads (the caller's is one of them; zero counts as one) and the best instructions of this machine.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn new(threads: usize) -> io::Result<Self> {
        Self::with_isa(threads, Isa::detect())
    }

    /// As [`new`](Self::new), with instructions of choice: for tests and comparisons.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn with_isa(threads: usize, isa: Isa) -> io::Result<Self> {
        let pool = Pool::new(threads)?;
        let panels = (0..pool.threads()).map(|_| Panel::default()).collect();
        Ok(Self { pool, isa, plan: Plan::default(), panels })
    }

    /// Threads that work, the caller's included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }
}
