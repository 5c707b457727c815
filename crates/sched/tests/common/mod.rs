//! A scheduler over the fake engine, and requests for it.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use trillm_core::{Error, FinishReason, Outcome, Ready, Request, SamplingParams, SessionOptions, Token};
use trillm_sched::{Cores, Event, Scheduler, SchedulerOptions, Stream};
use trillm_testkit::Fake;
use trillm_testkit::fake::VOCABULARY;

/// A scheduler with `parallel` slots and `cells` cells.
pub(crate) fn start(fake: &Fake, parallel: u32, cells: u32, options: SchedulerOptions) -> Scheduler {
    let session = SessionOptions { parallel, context: Some(cells), ..SessionOptions::default() };
    Scheduler::start(fake.load_model(), session, options, cores(1), Arc::default()).unwrap()
}

/// So many cores, which nobody else has.
pub(crate) fn cores(count: u32) -> Arc<Cores> {
    Arc::new(Cores::new(count))
}

/// A request for `tokens` tokens after a prompt of bytes.
pub(crate) fn request(prompt: &str, tokens: u32) -> Ready {
    with(prompt, Request { max_tokens: Some(tokens), ..Request::default() })
}

/// A greedy request after a prompt of bytes.
pub(crate) fn with(prompt: &str, request: Request) -> Ready {
    let sampling = SamplingParams { temperature: 0.0, ..request.sampling };
    let prompt = prompt.bytes().map(|byte| Token(u32::from(byte))).collect();
    Request { sampling, ..request }.prepare(prompt, 4096, VOCABULARY).unwrap()
}

/// Reads to the end: the tokens, and how it ended.
pub(crate) fn read(stream: Stream) -> (Vec<u32>, Outcome) {
    let mut ids = Vec::new();
    for event in stream {
        match event {
            Event::Piece(piece) => ids.extend(piece.token.map(|token| token.0)),
            Event::Done(outcome) => return (ids, outcome),
        }
    }
    unreachable!("a stream ends with its outcome")
}

/// The tokens of a request that must end well.
pub(crate) fn tokens(stream: Stream) -> Vec<u32> {
    let (ids, outcome) = read(stream);
    assert_eq!(outcome.result, Ok(FinishReason::Length));
    ids
}

/// The error of a request that must end badly.
pub(crate) fn error(stream: Stream) -> Error {
    read(stream).1.result.unwrap_err()
}

/// What a request gives when nothing else runs.
pub(crate) fn alone(prompt: &str, count: u32) -> Vec<u32> {
    let scheduler = start(&Fake::default(), 1, 4096, SchedulerOptions::default());
    tokens(scheduler.submit(request(prompt, count)).unwrap())
}
