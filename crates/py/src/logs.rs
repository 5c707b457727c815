//! Native log lines on their way to Python's `logging`.
//!
//! They come from threads that must not wait for the interpreter lock, so they are put by, a bounded number of them,
//! and `trillm._logs` fetches them when a call is done.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use trillm::PerProcess;

/// Lines kept until somebody fetches them; older ones go first.
const KEPT: usize = 1000;

static LINES: PerProcess<Mutex<VecDeque<(u8, String, String)>>> = PerProcess::new();
/// The least level collected, as Python's `logging` numbers it. Warnings, until told otherwise.
static LEAST: AtomicU8 = AtomicU8::new(30);
static INSTALL: Once = Once::new();

struct Collect;

fn lines() -> MutexGuard<'static, VecDeque<(u8, String, String)>> {
    LINES.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        _ => 10,
    }
}

impl<S: Subscriber> Layer<S> for Collect {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("trillm") && number(*metadata.level()) >= LEAST.load(Relaxed)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        // `trillm_sched::worker` → `trillm.sched.worker`: one tree of loggers.
        let logger = event.metadata().target().replace("::", ".").replacen("trillm_", "trillm.", 1);
        let mut lines = lines();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back((number(*event.metadata().level()), logger, line.0));
    }
}

/// The message, then the other fields as `name=value`.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            write!(self.0, "{value:?}")
        } else {
            write!(self.0, "{}{}={value:?}", if self.0.is_empty() { "" } else { " " }, field.name())
        };
    }
}

/// Collects native log lines of at least this level, as `logging` numbers it.
#[pyfunction]
pub(crate) fn set_log_level(level: u8) {
    LEAST.store(level, Relaxed);
    INSTALL.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Collect);
        // A Rust program that embeds this module may have its own; then that one gets the lines.
        let _ = tracing::subscriber::set_global_default(subscriber);
    });
    // Each place that logs remembers whether anybody wanted it.
    tracing::callsite::rebuild_interest_cache();
}

/// Native log lines since the last call: level, logger, message.
#[pyfunction]
pub(crate) fn take_logs() -> Vec<(u8, String, String)> {
    lines().drain(..).collect()
}
