//! The handle that callers hold: it submits, reads the counters, and closes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use trillm_core::{Error, Limits, Model, Ready, Result, Session, SessionOptions};

use crate::SchedulerOptions;
use crate::cores::Cores;
use crate::lockfree::Intake;
use crate::queue::Queue;
use crate::sequence::Sequence;
use crate::shared::Shared;
use crate::stats::{Counters, Latencies, Stats};
use crate::stream::{Stream, channel};
use crate::wake::Wake;
use crate::worker::Worker;

/// Continuous batching for one model, on a thread of its own. Any number of threads may submit at once.
pub struct Scheduler {
    shared: Arc<Shared>,
    model: Arc<dyn Model>,
    limits: Limits,
    arrivals: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The decode thread's name.
const NAME: &str = "trillm-decode";

/// Sessions that may fail one after the other, none of them finishing a step, before the model is given up.
const HOPELESS: u32 = 3;

impl Scheduler {
    /// Starts the decode thread, which computes on `cores`, and waits until its session is made. How long requests take
    /// is counted in `latencies`.
    ///
    /// # Errors
    /// What [`Model::session`] says; [`Error::NoThread`].
    pub fn start(
        model: Arc<dyn Model>,
        session: SessionOptions,
        options: SchedulerOptions,
        cores: Arc<Cores>,
        latencies: Arc<Latencies>,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            intake: Intake::new(),
            wake: Arc::new(Wake::new()),
            closed: AtomicBool::new(false),
            failure: OnceLock::new(),
            longest: AtomicU32::new(u32::MAX),
            queue: Arc::new(Queue::new(options.queue)),
            counters: Counters::default(),
            latencies,
            options,
        });
        let (started, limits) = mpsc::channel();
        let body = {
            let (model, shared) = (model.clone(), shared.clone());
            move || decode(&*model, &session, &shared, cores, &started)
        };
        let thread =
            thread::Builder::new().name(NAME.into()).spawn(body).map_err(|error| Error::no_thread(NAME, &error))?;
        let limits = limits.recv().unwrap_or(Err(Error::Closed))?;
        shared.queue.set_idle(limits.slots as usize);
        Ok(Self { shared, model, limits, arrivals: AtomicU64::new(0), thread: Mutex::new(Some(thread)) })
    }

    /// What the session can hold.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The longest sequence, as far as is known by now: requests are measured by what the limits say, so that the first
    /// and the second end alike.
    pub fn longest(&self) -> u32 {
        self.limits.context.min(self.shared.longest.load(Relaxed))
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.shared.counters.read(&self.shared.latencies)
    }

    /// Queues a request. Lock-free; its pieces come by the stream.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the queue is full, [`Error::Closed`] after [`close`](Self::close), and the engine's own
    /// after it could not make a session any more.
    pub fn submit(&self, ready: Ready) -> Result<Stream> {
        self.submit_from(&mut Some(ready))
    }

    /// As [`submit`](Self::submit), for a caller that can wait: while the queue is full, the request stays where it is.
    ///
    /// # Errors
    /// As [`submit`](Self::submit), and [`Error::Cancelled`] where there is no request.
    pub fn submit_from(&self, ready: &mut Option<Ready>) -> Result<Stream> {
        if self.shared.closed.load(Acquire) {
            return Err(self.shared.why_closed());
        }
        self.shared.queue.try_enter()?;
        let Some(ready) = ready.take() else {
            self.shared.queue.leave();
            return Err(Error::Cancelled);
        };
        let capacity = self.shared.options.stream_capacity.min(ready.max_tokens() as usize + 1);
        let (writer, stream) = channel(capacity, self.shared.wake.clone(), self.shared.queue.clone());
        let arrival = self.arrivals.fetch_add(1, Relaxed);
        let vocabulary = self.model.tokenizer().vocabulary();
        self.shared.intake.push(Sequence::new(ready, arrival, vocabulary, writer)?);
        self.shared.wake.notify();
        if self.shared.closed.load(Acquire) {
            // Closed meanwhile: the decode thread may have looked for the last time.
            let mut late = Vec::new();
            self.shared.intake.take_all(&mut late);
            for sequence in late {
                sequence.finish(Err(self.shared.why_closed()));
            }
        }
        Ok(stream)
    }

    /// Ends every request with [`Error::Closed`] and waits for the decode thread. Harmless when called again.
    pub fn close(&self) {
        self.shared.closed.store(true, Release);
        self.shared.wake.notify();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It catches panics itself, so there is nothing to learn from the result.
            let _ = thread.join();
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.close();
    }
}

/// The error for whoever waited for what panicked.
pub(crate) fn panicked(engine: &'static str) -> Error {
    Error::Engine { engine, reason: "it panicked: this is a bug in trillm".into(), log: Vec::new() }
}

/// Makes a session; a panic is an error.
pub(crate) fn new_session<'m>(model: &'m dyn Model, options: &SessionOptions) -> Result<Box<dyn Session + 'm>> {
    catch_unwind(AssertUnwindSafe(|| model.session(options))).unwrap_or_else(|_| Err(panicked(model.info().engine)))
}

/// The decode thread: makes sessions and serves with them until closed.
fn decode(
    model: &dyn Model,
    options: &SessionOptions,
    shared: &Arc<Shared>,
    cores: Arc<Cores>,
    started: &mpsc::Sender<Result<Limits>>,
) {
    shared.wake.bind();
    let mut worker = Worker::new(shared.clone(), cores);
    let mut failures = 0;
    while failures < HOPELESS {
        let mut session = match new_session(model, options) {
            Ok(session) => session,
            Err(error) => {
                if !matches!(error, Error::EmbedsOnly { .. }) {
                    tracing::error!(%error, "no session");
                }
                worker.fail_all(&error);
                shared.failure.get_or_init(|| error.clone());
                let _ = started.send(Err(error));
                break;
            }
        };
        // Only the first is waited for.
        let _ = started.send(Ok(session.limits()));
        let steps = shared.counters.steps.load(Relaxed);
        match catch_unwind(AssertUnwindSafe(|| worker.serve(&mut *session, model.tokenizer()))) {
            Ok(Ok(())) => break,
            Ok(Err(error)) => tracing::warn!(%error, "making a new session"),
            Err(_) => worker.fail_all(&panicked("scheduler")),
        }
        worker.requeue();
        failures = if shared.counters.steps.load(Relaxed) > steps { 0 } else { failures + 1 };
    }
    shared.closed.store(true, Release);
    worker.fail_all(&shared.why_closed());
}
