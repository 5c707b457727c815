//! What all requests to one server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Semaphore;

use crate::counts::Counts;
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
    pub(crate) started: Instant,
    /// It is to stop: new requests go elsewhere.
    pub(crate) is_draining: AtomicBool,
    /// What requests are told apart by.
    next: AtomicU64,
    salt: u64,
}

impl App {
    pub(crate) fn new(served: Arc<dyn Served>, options: Options) -> Self {
        let places = Arc::new(Semaphore::new(options.concurrent));
        let salt = now().as_nanos() as u64;
        Self {
            served,
            counts: Counts::default(),
            rates: Rates::default(),
            places,
            started: Instant::now(),
            is_draining: AtomicBool::new(false),
            next: AtomicU64::new(0),
            salt,
            options,
        }
    }

    /// A name that no other request of this server has, nor, most likely, one of another server.
    pub(crate) fn id(&self, kind: &str) -> String {
        format!("{kind}-{:016x}{:08x}", self.salt, self.next.fetch_add(1, Relaxed))
    }
}

/// The time since 1970.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
