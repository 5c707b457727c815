//! What all requests to one server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Semaphore, watch};
use trillm_runtime::journal::Journal;

use crate::counts::Counts;
use crate::log::Lines;
use crate::rates::Rates;
use crate::{Options, Served};

/// What all requests to one server share.
pub(crate) struct App {
    pub(crate) served: Arc<dyn Served>,
    pub(crate) options: Options,
    pub(crate) counts: Counts,
    pub(crate) rates: Rates,
    /// Requests that may be answered at once.
    pub(crate) places: Arc<Semaphore>,
    /// Bytes that the bodies of all requests may take.
    pub(crate) room: Arc<Semaphore>,
    /// What went wrong with models.
    pub(crate) journal: Journal,
    /// A line for each request.
    pub(crate) lines: Lines,
    pub(crate) started: Instant,
    /// It is to stop: new requests go elsewhere.
    pub(crate) is_draining: AtomicBool,
    /// How long those that run may go on, once it is to stop.
    pub(crate) stop: watch::Sender<Option<Duration>>,
    /// The time of those that run is over, too.
    pub(crate) over: watch::Sender<bool>,
    /// What requests are told apart by.
    next: AtomicU64,
    salt: u64,
}

impl App {
    pub(crate) fn new(served: Arc<dyn Served>, options: Options) -> Self {
        let places = Arc::new(Semaphore::new(options.concurrent));
        let room = Arc::new(Semaphore::new(bodies(&options)));
        let salt = now().as_nanos() as u64;
        Self {
            served,
            counts: Counts::default(),
            rates: Rates::default(),
            places,
            room,
            journal: Journal::default(),
            lines: Lines::default(),
            started: Instant::now(),
            is_draining: AtomicBool::new(false),
            stop: watch::Sender::new(None),
            over: watch::Sender::new(false),
            next: AtomicU64::new(0),
            salt,
            options,
        }
    }

    /// Takes no more requests, and ends those that run after that time.
    pub(crate) fn begin_stop(&self, limit: Duration) {
        self.is_draining.store(true, Relaxed);
        self.stop.send_replace(Some(limit));
    }

    /// Bytes that bodies take now.
    pub(crate) fn taken(&self) -> usize {
        bodies(&self.options) - self.room.available_permits()
    }

    /// Until the time of those that run is over.
    pub(crate) fn is_over(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut over = self.over.subscribe();
        async move {
            // The sender is as old as the server.
            let _ = over.wait_for(|over| *over).await.is_ok();
        }
    }

    /// A name that no other request of this server has, nor, most likely, one of another server.
    pub(crate) fn id(&self, kind: &str) -> String {
        format!("{kind}-{:016x}{:08x}", self.salt, self.next.fetch_add(1, Relaxed))
    }
}

/// Bytes that all bodies may take: one is always possible. A semaphore counts up to an eighth of what a number holds.
fn bodies(options: &Options) -> usize {
    options.bodies.max(options.body).min(Semaphore::MAX_PERMITS)
}

/// The time since 1970.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
