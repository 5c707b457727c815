//! Whatever fails is reported to those it concerns, and the next request is served.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{alone, cores, error, read, request, start, tokens};
use trillm_core::{Coded, Error, FinishReason, Output, Passage, Pooling, SessionOptions, Token};
use trillm_sched::{Embedder, Scheduler, SchedulerOptions};
use trillm_testkit::Fake;
use trillm_testkit::fake::Fault;

fn failing(step: u64, fault: Fault) -> Scheduler {
    start(&Fake::default().with_fault(step, fault), 2, 512, SchedulerOptions::default())
}

fn serves(scheduler: &Scheduler) {
    assert_eq!(tokens(scheduler.submit(request("after", 6)).unwrap()), alone("after", 6));
}

#[test]
fn a_failed_step_fails_its_requests_only() {
    let scheduler = failing(3, Fault::Error);
    assert_eq!(error(scheduler.submit(request("hit", 20)).unwrap()).code(), "engine_failed");
    serves(&scheduler);
}

#[test]
fn a_panic_is_an_error_and_not_the_end() {
    let scheduler = failing(3, Fault::Panic);
    assert_eq!(error(scheduler.submit(request("hit", 20)).unwrap()).code(), "engine_failed");
    serves(&scheduler);
}

#[test]
fn scores_that_are_no_numbers_are_an_error() {
    let scheduler = failing(3, Fault::Nan);
    assert_eq!(error(scheduler.submit(request("hit", 20)).unwrap()).code(), "engine_failed");
    // What was computed with them is not offered to the next request.
    let (ids, outcome) = read(scheduler.submit(request("hit", 20)).unwrap());
    assert_eq!((ids, outcome.usage.cached_tokens), (alone("hit", 20), 0));
}

#[test]
fn an_engine_whose_cache_is_full_too_early_is_given_room() {
    // Both run by the third step: alone, a request for which there is no room is an error.
    let (fake, gate) = Fake::default().with_fault(3, Fault::CacheFull).gated();
    let scheduler = start(&fake, 2, 512, SchedulerOptions::default());
    let streams = ["one", "two"].map(|prompt| (prompt, scheduler.submit(request(prompt, 20)).unwrap()));
    gate.open();
    for (prompt, stream) in streams {
        assert_eq!(tokens(stream), alone(prompt, 20));
    }
}

#[test]
fn without_a_session_there_is_no_scheduler() {
    let fake = Fake { sessions: 0, ..Fake::default() };
    let model = fake.load_model();
    assert!(
        Scheduler::start(model, SessionOptions::default(), SchedulerOptions::default(), cores(1), Arc::default())
            .is_err()
    );
}

#[test]
fn a_model_whose_sessions_are_used_up_says_so_ever_after() {
    let fake = Fake { sessions: 1, ..Fake::default() }.with_fault(1, Fault::Error);
    let scheduler = start(&fake, 1, 512, SchedulerOptions::default());
    assert_eq!(error(scheduler.submit(request("hit", 20)).unwrap()).code(), "engine_failed");
    // The decode thread finds that it cannot make another session, and closes.
    loop {
        match scheduler.submit(request("after", 3)) {
            Ok(stream) => assert!(read(stream).1.result.is_err()),
            Err(error) => break assert_eq!(error.code(), "engine_failed"),
        }
    }
}

#[test]
fn closing_ends_everything() {
    let (fake, gate) = Fake::default().gated();
    let scheduler = start(&fake, 1, 512, SchedulerOptions::default());
    let (runs, waits) = ["runs", "waits"].map(|prompt| scheduler.submit(request(prompt, 400)).unwrap()).into();
    gate.wait_for(1);
    gate.open();
    scheduler.close();
    scheduler.close();
    // A short one may have been done before.
    assert!(matches!(read(runs).1.result, Err(Error::Closed) | Ok(FinishReason::Length)));
    assert!(matches!(read(waits).1.result, Err(Error::Closed) | Ok(FinishReason::Length)));
    assert_eq!(scheduler.submit(request("late", 1)).err(), Some(Error::Closed));
}

fn texts(count: u32) -> Vec<Passage> {
    (0..count).map(|index| Passage::new(vec![Token(97 + index); 3])).collect()
}

fn embedder(fake: &Fake) -> Result<Embedder, Error> {
    let output = Output::Embedding(vec![Pooling::Mean]);
    let session = SessionOptions { output, ..SessionOptions::default() };
    Embedder::start(fake.load_model(), session, cores(1), Arc::default())
}

fn embed(embedder: &Embedder) -> Result<Vec<f32>, Error> {
    embedder.submit(texts(2))?.wait(Duration::from_mins(1)).expect("an answer")
}

#[test]
fn a_step_that_fails_or_panics_is_an_error_of_what_embeds() {
    let healthy = embedder(&Fake::default()).unwrap();
    assert_eq!(embed(&healthy).unwrap().len(), 2 * healthy.width() as usize);
    let failing = embedder(&Fake::default().with_fault(0, Fault::Error)).unwrap();
    assert_eq!(embed(&failing).unwrap_err().code(), "engine_failed");
    // What its session holds, nobody knows: it ends.
    let panicking = embedder(&Fake::default().with_fault(0, Fault::Panic)).unwrap();
    let error = embed(&panicking).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("panicked")), ("engine_failed", true));
    panicking.close();
    assert!(panicking.is_closed() && !healthy.is_closed());
    assert_eq!(embed(&panicking).unwrap_err(), Error::Closed);
}

#[test]
fn a_session_that_panics_is_an_error_of_the_engine() {
    let fake = Fake { sessions: 0, panics: true, ..Fake::default() };
    let expected = Error::Engine { engine: "fake", reason: "it panicked: this is a bug in trillm".into(), log: vec![] };
    assert_eq!(embedder(&fake).map(|_| ()).unwrap_err(), expected);
    let (session, options) = (SessionOptions::default(), SchedulerOptions::default());
    let started = Scheduler::start(fake.load_model(), session, options, cores(1), Arc::default());
    assert_eq!(started.map(|_| ()).unwrap_err(), expected);
}
