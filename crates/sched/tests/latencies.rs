//! How long requests took: which of them count, and that it is how long they took.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{cores, error, read, request, start, tokens, with};
use trillm_core::{Coded, Output, Passage, Pooling, Request, SessionOptions, Token};
use trillm_sched::{Embedder, Event, Latencies, Percentiles, Scheduler, SchedulerOptions};
use trillm_testkit::Fake;
use trillm_testkit::fake::Fault;

/// Times counted to the end, and to the first token.
fn counts(scheduler: &Scheduler) -> (u64, u64) {
    let stats = scheduler.stats();
    (stats.latency.count, stats.first_token.count)
}

/// No percentile is further off than this.
const ERROR: f64 = 0.031;

/// The one time that was taken lies between these, as far as it is known.
fn lies_between(found: Percentiles, least: Duration, most: Duration) {
    assert_eq!((found.count, found.p50, found.p95), (1, found.p99, found.p99));
    assert!(found.p50 >= least.mul_f64(1.0 - ERROR) && found.p50 <= most.mul_f64(1.0 + ERROR), "{found:?}");
}

#[test]
fn an_answer_counts_from_its_submission() {
    let (fake, gate) = Fake::default().gated();
    let scheduler = start(&fake, 1, 512, SchedulerOptions::default());
    assert_eq!(counts(&scheduler), (0, 0));
    let begin = Instant::now();
    let mut stream = scheduler.submit(request("hello", 2)).unwrap();
    let submitted = Instant::now();
    thread::sleep(Duration::from_millis(20));
    let first_at_least = submitted.elapsed();
    // One step for the prompt, which gives the first token, and one for the second.
    gate.allow(1);
    assert!(matches!(stream.next(), Some(Event::Piece(_))));
    let first_at_most = begin.elapsed();
    assert_eq!(counts(&scheduler), (0, 1), "whoever has the first token finds it counted");
    thread::sleep(Duration::from_millis(40));
    let whole_at_least = submitted.elapsed();
    gate.open();
    tokens(stream);
    let stats = scheduler.stats();
    lies_between(stats.first_token, first_at_least, first_at_most);
    lies_between(stats.latency, whole_at_least, begin.elapsed());
}

#[test]
fn what_ends_without_an_answer_says_nothing_of_how_long_one_takes() {
    let (fake, gate) = Fake::default().with_fault(3, Fault::Error).gated();
    let scheduler = start(&fake, 1, 512, SchedulerOptions::default());
    let overdue = Request { max_tokens: Some(3), deadline: Some(Instant::now()), ..Request::default() };
    assert_eq!(error(scheduler.submit(with("late", overdue)).unwrap()).code(), "deadline_exceeded");
    assert_eq!(counts(&scheduler), (0, 0));
    // Step 0 gives it a token, and step 1 is one that it does not live to see the end of.
    let mut cancelled = scheduler.submit(request("cancelled", 100)).unwrap();
    gate.allow(1);
    assert!(matches!(cancelled.next(), Some(Event::Piece(_))));
    drop(cancelled);
    gate.allow(1);
    // Step 2 gives it a token, and step 3 fails.
    let fails = scheduler.submit(request("fails", 100)).unwrap();
    gate.open();
    assert_eq!(error(fails).code(), "engine_failed");
    assert_eq!(counts(&scheduler), (0, 2));
    read(scheduler.submit(request("answered", 5)).unwrap());
    let stats = scheduler.stats();
    assert_eq!((stats.latency.count, stats.first_token.count, stats.cancelled, stats.finished), (1, 3, 1, 4));
}

#[test]
fn vectors_have_no_first_token_and_count_with_texts() {
    let latencies = Arc::new(Latencies::default());
    let session = SessionOptions::default();
    let scheduler = Scheduler::start(
        Fake::default().load_model(),
        session.clone(),
        SchedulerOptions::default(),
        cores(1),
        latencies.clone(),
    )
    .unwrap();
    let output = Output::Embedding(vec![Pooling::Mean]);
    let embedder = |fake: &Fake| {
        let session = SessionOptions { output: output.clone(), ..session.clone() };
        Embedder::start(fake.load_model(), session, cores(1), latencies.clone()).unwrap()
    };
    let embed = |embedder: &Embedder| {
        let texts = vec![Passage::new(vec![Token(97); 3]); 40];
        embedder.submit(texts).unwrap().wait(Duration::from_mins(1)).expect("an answer")
    };
    // However many texts one call has, and however many steps they take.
    embed(&embedder(&Fake::default())).unwrap();
    assert_eq!(counts(&scheduler), (1, 0));
    embed(&embedder(&Fake::default().with_fault(0, Fault::Error))).unwrap_err();
    assert_eq!(counts(&scheduler), (1, 0));
    tokens(scheduler.submit(request("hello", 3)).unwrap());
    assert_eq!(counts(&scheduler), (2, 1));
    assert_eq!(latencies.read().latency, scheduler.stats().latency);
}
