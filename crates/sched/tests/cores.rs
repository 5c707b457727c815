//! Models that compute at once share the cores that there are.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use common::{alone, cores, error, read, request, tokens, with};
use trillm_core::{
    Batch, Coded, Error, FinishReason, Limits, Model, ModelInfo, Output, Passage, Pooling, Request, Result, Rows,
    Session, SessionOptions, Slot, Token, Tokenizer,
};
use trillm_sched::{Cores, Embedder, Scheduler, SchedulerOptions};
use trillm_testkit::Fake;
use trillm_testkit::fake::{Fault, Gate};

/// Threads that compute now, over all models, and the most there ever were.
#[derive(Clone, Default)]
struct Busy(Arc<(AtomicU32, AtomicU32)>);

/// A model whose steps are counted by `busy`.
struct Counted {
    model: Arc<dyn Model>,
    busy: Busy,
}

struct CountedSession<'m> {
    session: Box<dyn Session + 'm>,
    busy: Busy,
}

impl Model for Counted {
    fn info(&self) -> &ModelInfo {
        self.model.info()
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.model.tokenizer()
    }

    fn session(&self, options: &SessionOptions) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(CountedSession { session: self.model.session(options)?, busy: self.busy.clone() }))
    }
}

impl Session for CountedSession<'_> {
    fn limits(&self) -> Limits {
        self.session.limits()
    }

    fn step(&mut self, batch: &Batch) -> Result<&dyn Rows> {
        let (now, most) = &*self.busy.0;
        let threads = self.session.limits().threads;
        most.fetch_max(now.fetch_add(threads, SeqCst) + threads, SeqCst);
        let rows = self.session.step(batch);
        now.fetch_sub(threads, SeqCst);
        rows
    }

    fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        self.session.truncate(slot, keep)
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) -> Result<()> {
        self.session.share(from, to, len)
    }
}

fn session(threads: u32) -> SessionOptions {
    SessionOptions { threads: Some(threads), context: Some(4096), parallel: 2, ..SessionOptions::default() }
}

/// A model that computes on `threads` of `cores`.
fn start(fake: &Fake, threads: u32, cores: &Arc<Cores>) -> Scheduler {
    Scheduler::start(fake.load_model(), session(threads), SchedulerOptions::default(), cores.clone(), Arc::default())
        .unwrap()
}

fn embedder(fake: &Fake, threads: u32, cores: &Arc<Cores>) -> Embedder {
    let output = Output::Embedding(vec![Pooling::Mean]);
    Embedder::start(fake.load_model(), SessionOptions { output, ..session(threads) }, cores.clone(), Arc::default())
        .unwrap()
}

fn text() -> Vec<Passage> {
    vec![Passage::new(vec![Token(97); 3])]
}

#[test]
fn no_more_threads_compute_than_there_are_cores() {
    let (cores, busy) = (cores(4), Busy::default());
    let fake = Fake { step_time: Duration::from_micros(100), ..Fake::default() };
    let start = |threads| {
        let model = Arc::new(Counted { model: fake.load_model(), busy: busy.clone() });
        Scheduler::start(model, session(threads), SchedulerOptions::default(), cores.clone(), Arc::default()).unwrap()
    };
    let models = [4, 4, 3, 2, 1, 1].map(start);
    let streams: Vec<_> = models.iter().map(|model| model.submit(request("at once", 100)).unwrap()).collect();
    for stream in streams {
        assert_eq!(tokens(stream), alone("at once", 100));
    }
    let (now, most) = &*busy.0;
    // Those with four threads had them all.
    assert_eq!((now.load(SeqCst), most.load(SeqCst)), (0, 4));
}

#[test]
fn models_that_want_few_cores_compute_at_once() {
    let cores = cores(3);
    let (fakes, gates): (Vec<_>, Vec<_>) = (0..3).map(|_| Fake::default().gated()).unzip();
    let models: Vec<_> = fakes.iter().map(|fake| start(fake, 1, &cores)).collect();
    let streams: Vec<_> = models.iter().map(|model| model.submit(request("beside", 5)).unwrap()).collect();
    // Nobody leaves a step before all have come into one.
    for gate in &gates {
        gate.wait_for(1);
    }
    gates.iter().for_each(Gate::open);
    for stream in streams {
        assert_eq!(tokens(stream), alone("beside", 5));
    }
}

#[test]
fn a_model_with_more_threads_than_there_are_cores_has_all_of_them() {
    let cores = cores(2);
    let models = [8, 1, 8].map(|threads| start(&Fake::default(), threads, &cores));
    let streams: Vec<_> = models.iter().map(|model| model.submit(request("many", 50)).unwrap()).collect();
    for stream in streams {
        assert_eq!(tokens(stream), alone("many", 50));
    }
}

#[test]
fn a_step_that_fails_or_panics_gives_its_cores_back() {
    for fault in [Fault::Error, Fault::Panic] {
        let cores = cores(1);
        let (failing, healthy) =
            (start(&Fake::default().with_fault(3, fault), 1, &cores), start(&Fake::default(), 1, &cores));
        assert_eq!(error(failing.submit(request("hit", 20)).unwrap()).code(), "engine_failed");
        assert_eq!(tokens(healthy.submit(request("after", 20)).unwrap()), alone("after", 20));
        let panicking = embedder(&Fake::default().with_fault(0, fault), 1, &cores);
        assert!(panicking.submit(text()).unwrap().wait(Duration::from_mins(1)).unwrap().is_err());
        assert_eq!(tokens(healthy.submit(request("after", 20)).unwrap()), alone("after", 20));
    }
}

/// One model is in a step that does not end, and has the only core.
#[test]
fn what_waits_for_its_turn_hears_what_happens() {
    let cores = cores(1);
    let (fake, gate) = Fake::default().gated();
    let has_all = start(&fake, 1, &cores);
    let running = has_all.submit(request("runs", 20)).unwrap();
    gate.wait_for(1);

    let waits = start(&Fake::default(), 1, &cores);
    // A deadline.
    let late = Request { max_tokens: Some(5), ..Request::default() };
    let late = Request { deadline: Some(Instant::now() + Duration::from_millis(20)), ..late };
    assert_eq!(error(waits.submit(with("late", late)).unwrap()), Error::DeadlineExceeded { generated: 0 });
    // A cancellation, which frees the slot: with both slots taken, a third request would wait.
    let streams = ["one", "two", "three"].map(|prompt| waits.submit(request(prompt, 5)).unwrap());
    let canceller = streams[0].canceller();
    canceller.cancel();
    let [one, two, three] = streams;
    assert_eq!(error(one), Error::Cancelled);
    // The end of a model, and of what embeds.
    let embeds = embedder(&Fake::default(), 1, &cores);
    let vectors = embeds.submit(text()).unwrap();
    embeds.close();
    assert_eq!(vectors.wait(Duration::from_mins(1)), Some(Err(Error::Closed)));
    waits.close();
    assert_eq!([error(two), error(three)], [Error::Closed, Error::Closed]);

    // Nobody has left the line with the core.
    gate.open();
    assert_eq!(tokens(running), alone("runs", 20));
    let after = start(&Fake::default(), 1, &cores);
    assert_eq!(tokens(after.submit(request("after", 5)).unwrap()), alone("after", 5));
}

#[test]
fn what_embeds_takes_turns_with_what_generates() {
    let cores = cores(1);
    let (generates, embeds) = (start(&Fake::default(), 1, &cores), embedder(&Fake::default(), 1, &cores));
    let stream = generates.submit(request("beside vectors", 200)).unwrap();
    for _ in 0..20 {
        let vectors = embeds.submit(text()).unwrap().wait(Duration::from_mins(1)).unwrap().unwrap();
        assert_eq!(vectors.len(), embeds.width() as usize);
    }
    assert_eq!(tokens(stream), alone("beside vectors", 200));
}

#[test]
fn a_prompt_that_another_model_waits_for_comes_in_chunks() {
    let cores = cores(1);
    let fake = Fake { step_time: Duration::from_micros(50), ..Fake::default() };
    let (reads, record) = fake.clone().recorded();
    let (reads, generates) = (start(&reads, 1, &cores), start(&fake, 1, &cores));
    let prompt = "long ".repeat(60);
    // Alone it is computed at once.
    assert_eq!(read(reads.submit(request(&prompt, 1)).unwrap()).1.result, Ok(FinishReason::Length));
    assert_eq!(record.lock().unwrap()[0].tokens.len(), prompt.len());
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(tokens(generates.submit(request("beside", 3000)).unwrap()).len(), 3000);
        });
        // It may not have begun, or be done.
        let longest = (1..200).map(|salt| {
            record.lock().unwrap().clear();
            let salted = Request { cache_salt: salt, max_tokens: Some(1), ..Request::default() };
            assert_eq!(read(reads.submit(with(&prompt, salted)).unwrap()).1.result, Ok(FinishReason::Length));
            record.lock().unwrap().iter().map(|batch| batch.tokens.len()).max().unwrap()
        });
        assert_eq!(longest.min(), Some(64));
    });
}
