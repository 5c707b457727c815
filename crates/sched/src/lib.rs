//! Continuous batching for one model.
//!
//! One decode thread owns everything that changes: session, slots, sequences. Two structures are shared with callers,
//! and both are lock-free: the `Intake` that requests come in by (a push is a compare-and-swap
//! loop, taking all is one swap) and the `Ring` that pieces go out by (one store on each side).
//! Not lock-free, and on no path between two tokens: the allocator, when a request is made or its queue node freed,
//! and the operating system's futex, when a thread with nothing to do is put to sleep or woken.
//!
//! What a step computes is decided by a pure function, `plan`, so that it can be tested without threads.
//! No engine is named here.
#![warn(missing_docs)]

mod lockfree;
mod queue;
mod stream;
mod sync;
mod wake;

#[cfg(not(loom))]
mod embedder;
#[cfg(not(loom))]
mod ledger;
#[cfg(not(loom))]
mod options;
#[cfg(not(loom))]
mod plan;
#[cfg(not(loom))]
mod scheduler;
#[cfg(not(loom))]
mod sequence;
#[cfg(not(loom))]
mod shared;
#[cfg(not(loom))]
mod slots;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
mod worker;

#[cfg(loom)]
mod models;

pub use stream::{Canceller, Event, Stream};

#[cfg(not(loom))]
pub use {
    embedder::{Embedder, Embedding},
    options::SchedulerOptions,
    scheduler::Scheduler,
    stats::Stats,
};
