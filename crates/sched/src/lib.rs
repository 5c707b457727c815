//! Continuous batching for one model.
//!
//! One decode thread owns everything that changes: session, slots, sequences. Two structures are shared with callers,
//! and both are lock-free: the `Intake` that requests come in by (a push is a compare-and-swap
//! loop, taking all is one swap) and the `Ring` that pieces go out by (one store on each side).
//! Not lock-free, in full:
//!
//! - the allocator: when a request is made, when its queue node is freed, when it is admitted and ended (an ordered map,
//!   the copied prefix), for pieces longer than 22 bytes and for log-probabilities;
//! - the operating system, when a thread is put to sleep or woken, and the byte written to an event loop's socket;
//! - cores, where several models compute at once and there are fewer than they have threads ([`Cores`]): a mutex, to
//!   stand in line and to wake the first in it; a model that is alone touches one word of memory;
//! - engines' pools: ggml's uses a mutex and a condition variable to start a step, and barriers within it; candle's
//!   waits by parking threads;
//! - log lines that are collected: warnings and errors, and everything if `logging` asks for it; they take a mutex for
//!   the length of a push.
//!
//! What a step computes is decided by a pure function, `plan`, so that it can be tested without threads.
//! No engine is named here.
#![warn(missing_docs)]

mod cores;
mod lockfree;
mod queue;
mod stream;
mod sync;
mod wake;

#[cfg(not(loom))]
mod embedder;
#[cfg(not(loom))]
mod histogram;
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
mod turn;
#[cfg(not(loom))]
mod worker;

#[cfg(loom)]
mod models;

pub use cores::Cores;
pub use stream::{Canceller, Event, Stream};

#[cfg(not(loom))]
pub use {
    embedder::{Embedder, Embedding},
    histogram::Percentiles,
    options::SchedulerOptions,
    scheduler::Scheduler,
    stats::{Latencies, Stats},
};
