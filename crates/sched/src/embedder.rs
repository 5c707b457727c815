//! Embeddings: a session of its own, on a thread of its own, that packs texts into steps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use trillm_core::{
    Batch, Error, Limits, Model, Output, Passage, Pooling, Result, Session, SessionOptions, Slot, Token, memory,
};

use crate::cores::Cores;
use crate::lockfree::Intake;
use crate::scheduler::{new_session, panicked};
use crate::stats::Latencies;
use crate::turn::Turn;
use crate::wake::Wake;

/// The thread's name.
const NAME: &str = "trillm-embed";

struct Job {
    texts: Vec<Passage>,
    reply: mpsc::Sender<Result<Vec<f32>>>,
    abandoned: Arc<AtomicBool>,
    submitted: Instant,
}

/// Vectors that were asked for. Dropping it cancels what is not computed yet.
pub struct Embedding {
    vectors: mpsc::Receiver<Result<Vec<f32>>>,
    abandoned: Arc<AtomicBool>,
}

impl Embedding {
    /// Waits for the vectors, at most `limit`; `None` if they are not there by then.
    pub fn wait(&self, limit: Duration) -> Option<Result<Vec<f32>>> {
        match self.vectors.recv_timeout(limit) {
            Ok(vectors) => Some(vectors),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(Err(Error::Closed)),
        }
    }
}

impl Drop for Embedding {
    fn drop(&mut self) {
        self.abandoned.store(true, Release);
    }
}

struct Shared {
    intake: Intake<Job>,
    wake: Arc<Wake>,
    closed: AtomicBool,
    /// Tokens in the longest text that can be computed, once a step found out that there is such a limit.
    longest: AtomicU32,
    latencies: Arc<Latencies>,
}

/// Turns texts, as tokens, into vectors. Any number of threads may ask at once.
pub struct Embedder {
    shared: Arc<Shared>,
    limits: Limits,
    vocabulary: u32,
    /// Whether a number is the largest of all tokens, which there is not among none.
    takes_most: bool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Embedder {
    /// Starts the thread, which computes on `cores`, and waits until its session is made. `session.output` must ask for
    /// embeddings. How long requests take is counted in `latencies`.
    pub fn start(
        model: Arc<dyn Model>,
        session: SessionOptions,
        cores: Arc<Cores>,
        latencies: Arc<Latencies>,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            intake: Intake::new(),
            wake: Arc::new(Wake::new()),
            closed: AtomicBool::new(false),
            longest: AtomicU32::new(u32::MAX),
            latencies,
        });
        let (started, limits) = mpsc::channel();
        let vocabulary = model.tokenizer().vocabulary();
        let takes_most = matches!(&session.output, Output::Embedding(ways) if ways.contains(&Pooling::Max));
        let body = {
            let shared = shared.clone();
            move || {
                serve(&*model, &session, &shared, cores, &started);
                // Whoever asks from now on is told, and whoever has asked.
                shared.closed.store(true, Release);
                shared.intake.take_all(&mut Vec::new());
            }
        };
        let thread =
            thread::Builder::new().name(NAME.into()).spawn(body).map_err(|error| Error::no_thread(NAME, &error))?;
        let limits = limits.recv().unwrap_or(Err(Error::Closed))?;
        Ok(Self { shared, limits, vocabulary, takes_most, thread: Mutex::new(Some(thread)) })
    }

    /// Numbers in a vector.
    pub fn width(&self) -> u32 {
        self.limits.row
    }

    /// Tokens in the longest text that is taken.
    pub fn limit(&self) -> u32 {
        self.limits.context.min(self.limits.tokens_per_step)
    }

    /// Tokens in the longest text, as far as is known by now.
    pub fn longest(&self) -> u32 {
        self.limit().min(self.shared.longest.load(Relaxed))
    }

    /// Whether its thread has ended, or is about to: closed, or by a panic. What is asked is refused from then on.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Acquire)
    }

    /// Asks for one vector for each text, raw, back to back in the order given: `texts.len() * width()` numbers.
    ///
    /// # Errors
    /// [`Error::TextOverflow`] for a text that is too long, [`Error::InvalidParameter`] for one without tokens to pool,
    /// [`Error::NoEmbedding`] for one with a token that the model has not.
    pub fn submit(&self, texts: Vec<Passage>) -> Result<Embedding> {
        let limit = self.limit();
        for (index, text) in texts.iter().enumerate() {
            let tokens = text.tokens.len();
            if tokens == 0 || self.takes_most && text.prompt as usize >= tokens {
                let found = match tokens {
                    0 => format!("an empty text (number {index})"),
                    _ => format!("nothing but the prompt in text {index}"),
                };
                let expected = "at least one token in each";
                return Err(Error::InvalidParameter { name: "texts", found, expected });
            }
            if tokens > limit as usize {
                return Err(Error::TextOverflow { index, tokens, limit });
            }
            if let Some(&Token(token)) = text.tokens.iter().find(|token| token.0 >= self.vocabulary) {
                return Err(Error::NoEmbedding { name: "texts", token, rows: self.vocabulary });
            }
        }
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let (reply, vectors) = mpsc::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        self.shared.intake.push(Job { texts, reply, abandoned: abandoned.clone(), submitted: Instant::now() });
        self.shared.wake.notify();
        if self.shared.closed.load(Acquire) {
            // As in `Scheduler::submit`: dropping a job ends the wait for it.
            self.shared.intake.take_all(&mut Vec::new());
        }
        Ok(Embedding { vectors, abandoned })
    }

    /// Drops what was asked for and waits for the thread.
    pub fn close(&self) {
        self.shared.closed.store(true, Release);
        self.shared.wake.notify();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Embedder {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(
    model: &dyn Model,
    options: &SessionOptions,
    shared: &Shared,
    cores: Arc<Cores>,
    started: &mpsc::Sender<Result<Limits>>,
) {
    shared.wake.bind();
    let mut session = match new_session(model, options) {
        Ok(session) => session,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let limits = session.limits();
    let _ = started.send(Ok(limits));
    let mut turn = Turn::new(cores, limits.threads, shared.wake.clone());
    let mut jobs = Vec::new();
    let mut batch = Batch::default();
    while !shared.closed.load(Acquire) {
        shared.intake.take_all(&mut jobs);
        for job in jobs.drain(..) {
            let given_up = || shared.closed.load(Acquire) || job.abandoned.load(Acquire);
            let begin = || {
                while !given_up() {
                    if turn.begin() {
                        return Ok(());
                    }
                    shared.wake.wait(|| !turn.has_come() && !shared.closed.load(Acquire), None);
                }
                Err(Error::Closed)
            };
            let vectors = catch_unwind(AssertUnwindSafe(|| embed(&mut *session, &mut batch, &job.texts, begin)));
            let is_lost = vectors.is_err();
            if let Ok(Err(Error::PositionsEnd { most })) = &vectors {
                shared.longest.fetch_min(*most, Relaxed);
            }
            if matches!(vectors, Ok(Ok(_))) {
                shared.latencies.whole.add(job.submitted.elapsed());
            }
            // Nobody may be waiting any more.
            let _ = job.reply.send(vectors.unwrap_or_else(|_| Err(panicked("embedder"))));
            if is_lost {
                // What the session holds now, nobody knows.
                return;
            }
        }
        turn.end();
        shared.wake.wait(|| shared.intake.is_empty() && !shared.closed.load(Acquire), None);
    }
    shared.intake.take_all(&mut jobs);
}

/// Packs the texts, short and long ones alike, into as few steps as the limits allow, each of which `begin` lets in.
fn embed(
    session: &mut dyn Session,
    batch: &mut Batch,
    texts: &[Passage],
    mut begin: impl FnMut() -> Result<()>,
) -> Result<Vec<f32>> {
    let limits = session.limits();
    let mut vectors = Vec::new();
    memory::reserve(&mut vectors, texts.len().saturating_mul(limits.row as usize), "the vectors of all texts")?;
    let mut rest = texts;
    while !rest.is_empty() {
        begin()?;
        batch.clear();
        for (slot, text) in (0..limits.slots).zip(rest) {
            if batch.tokens.len() + text.tokens.len() > limits.tokens_per_step.min(limits.cells) as usize {
                break;
            }
            batch.push_text(Slot(slot), text);
        }
        let packed = batch.spans.len();
        let rows = session.step(batch)?;
        for row in 0..packed {
            vectors.extend_from_slice(rows.row(row));
        }
        for slot in (0..packed as u32).map(Slot) {
            session.truncate(slot, 0)?;
        }
        rest = &rest[packed..];
    }
    Ok(vectors)
}
