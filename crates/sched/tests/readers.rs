//! Readers that pause, go on, close and vanish: nobody waits for somebody else's reader.

mod common;

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use common::{alone, error, request, start, tokens, with};
use proptest::prelude::*;
use trillm_core::{Error, FinishReason, Request};
use trillm_sched::{Event, Scheduler, SchedulerOptions, Stats, Stream};
use trillm_testkit::Fake;

/// A reader is behind after four pieces.
fn short_streams() -> SchedulerOptions {
    SchedulerOptions { stream_capacity: 4, ..SchedulerOptions::default() }
}

/// The next piece's token; the test fails, rather than hang, if there is none for ten seconds.
fn next(stream: &mut Stream) -> Option<u32> {
    assert!(stream.wait(Duration::from_secs(10)), "a stream that is read stands still");
    match stream.try_next() {
        Some(Event::Piece(piece)) => piece.token.map(|token| token.0),
        Some(Event::Done(outcome)) => {
            assert_eq!(outcome.result, Ok(FinishReason::Length));
            None
        }
        None => panic!("a stream that was ready has nothing"),
    }
}

/// A request of which one piece was read.
fn held(scheduler: &Scheduler, prompt: &str, count: u32) -> (Vec<u32>, Stream) {
    let mut stream = scheduler.submit(request(prompt, count)).expect("it is queued");
    (vec![next(&mut stream).expect("more than one piece")], stream)
}

/// The rest of a stream, and all of it.
fn rest((mut read, mut stream): (Vec<u32>, Stream)) -> Vec<u32> {
    read.extend(std::iter::from_fn(|| next(&mut stream)));
    read
}

#[test]
fn streams_that_are_held_give_their_slots_to_others_and_lose_nothing() {
    for parallel in [1, 2, 3] {
        let scheduler = start(&Fake::default(), parallel, 2048, short_streams());
        let streams: Vec<_> = (0..3).map(|i| held(&scheduler, &format!("held {i}"), 50)).collect();
        for i in 0..5 {
            let prompt = format!("read {i}");
            assert_eq!(rest((vec![], scheduler.submit(request(&prompt, 40)).unwrap())), alone(&prompt, 40));
        }
        for (i, stream) in streams.into_iter().enumerate() {
            assert_eq!(rest(stream), alone(&format!("held {i}"), 50), "{parallel} slots");
        }
        assert_eq!(scheduler.stats().finished, 8);
    }
}

#[test]
fn streams_that_are_held_give_their_cells_to_others() {
    // Two of the three prompts fill the cache, and there are slots enough.
    let scheduler = start(&Fake::default(), 4, 128, short_streams());
    let long = |name: &str| format!("{name} {}", "x".repeat(50));
    let streams = ["a", "b"].map(|name| held(&scheduler, &long(name), 20));
    assert_eq!(rest((vec![], scheduler.submit(request(&long("c"), 20)).unwrap())), alone(&long("c"), 20));
    for (name, stream) in ["a", "b"].into_iter().zip(streams) {
        assert_eq!(rest(stream), alone(&long(name), 20));
    }
}

#[test]
fn a_stream_that_is_held_costs_nothing_while_nobody_wants_its_place() {
    let scheduler = start(&Fake::default(), 2, 512, short_streams());
    let stream = held(&scheduler, "held", 30);
    assert_eq!(rest(stream), alone("held", 30));
    assert_eq!(scheduler.stats().preemptions, 0);
}

#[test]
fn a_held_stream_that_goes_away_or_is_late_ends_though_it_has_no_slot() {
    let scheduler = start(&Fake::default(), 1, 512, short_streams());
    let (_, goes) = held(&scheduler, "goes", 50);
    let deadline = Some(Instant::now() + Duration::from_millis(200));
    let late = scheduler.submit(with("late", Request { deadline, ..Request::default() })).unwrap();
    assert_eq!(tokens(scheduler.submit(request("next", 20)).unwrap()), alone("next", 20));
    drop(goes);
    assert!(matches!(error(late), Error::DeadlineExceeded { .. }));
    assert_eq!(tokens(scheduler.submit(request("after", 20)).unwrap()), alone("after", 20));
    let stats = scheduler.stats();
    assert_eq!((stats.finished, stats.cancelled, stats.paused, stats.waiting), (4, 1, 0, 0));
}

#[test]
fn a_request_that_is_cancelled_leaves_the_queue_at_once() {
    let (fake, gate) = Fake::default().gated();
    let scheduler = start(&fake, 1, 512, SchedulerOptions { queue: 3, ..SchedulerOptions::default() });
    let running = scheduler.submit(request("runs", 5)).unwrap();
    gate.wait_for(1);
    // The decode thread is in a step and stays there.
    for _ in 0..3 {
        let waiting = [(); 3].map(|()| scheduler.submit(request("waits", 5)).unwrap());
        assert_eq!(scheduler.submit(request("more", 5)).err(), Some(Error::Overloaded { queued: 3, limit: 3 }));
        drop(waiting);
    }
    let waiting = [(); 3].map(|()| scheduler.submit(request("waits", 5)).unwrap());
    gate.open();
    assert_eq!(tokens(running), alone("runs", 5));
    for stream in waiting {
        assert_eq!(tokens(stream), alone("waits", 5));
    }
}

#[test]
fn a_stream_is_cancelled_from_another_thread_while_it_is_read() {
    let fake = Fake { step_time: Duration::from_millis(1), ..Fake::default() };
    let scheduler = start(&fake, 1, 4096, SchedulerOptions::default());
    let stream = scheduler.submit(request("endless", 4000)).unwrap();
    let canceller = stream.canceller();
    thread::scope(|scope| {
        let reader = scope.spawn(|| error(stream));
        canceller.cancel();
        canceller.cancel();
        assert_eq!(reader.join().unwrap(), Error::Cancelled);
    });
    canceller.cancel();
    assert_eq!(tokens(scheduler.submit(request("next", 5)).unwrap()), alone("next", 5));
}

/// What readers do, each step by one of them.
#[derive(Clone, Debug)]
enum Act {
    /// Another request: how long its prompt and its answer are, and its priority.
    Arrive(usize, u32, i32),
    /// Some pieces are read of one of the streams, as far as there are any.
    Read(usize, usize),
    /// One of the streams goes away.
    Vanish(usize),
    /// One of the requests is cancelled and its stream read to the end.
    Cancel(usize),
    /// One of the streams is read to its end while all others are held.
    Finish(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0usize..40, 1u32..40, -1i32..2).prop_map(|(prompt, count, priority)| Act::Arrive(prompt, count, priority)),
        4 => (any::<usize>(), 1usize..12).prop_map(|(who, pieces)| Act::Read(who, pieces)),
        1 => any::<usize>().prop_map(Act::Vanish),
        1 => any::<usize>().prop_map(Act::Cancel),
        2 => any::<usize>().prop_map(Act::Finish),
    ]
}

struct Reader {
    prompt: String,
    count: u32,
    read: Vec<u32>,
    stream: Stream,
}

/// One of them, if there are any.
fn pick(readers: &[Reader], who: usize) -> Option<usize> {
    (!readers.is_empty()).then(|| who % readers.len().max(1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_reads_comes_to_the_end_whatever_the_others_do(
        acts in prop::collection::vec(act(), 1..50),
        slots in 1u32..4,
        cells in 90u32..200,
        capacity in 1usize..6,
    ) {
        let options = SchedulerOptions { stream_capacity: capacity, prompt_chunk: 8, ..SchedulerOptions::default() };
        let scheduler = start(&Fake::default(), slots, cells, options);
        let mut solo = HashMap::new();
        let mut expect = |prompt: &str, count: u32| {
            solo.entry((prompt.to_owned(), count)).or_insert_with(|| alone(prompt, count)).clone()
        };
        let mut readers: Vec<Reader> = Vec::new();
        for act in acts {
            match act {
                Act::Arrive(length, count, priority) => {
                    let prompt = format!("{length}{}", "-".repeat(length));
                    let request = Request { max_tokens: Some(count), priority, ..Request::default() };
                    let stream = scheduler.submit(with(&prompt, request)).unwrap();
                    readers.push(Reader { prompt, count, read: Vec::new(), stream });
                }
                Act::Read(who, pieces) => {
                    let Some(at) = pick(&readers, who) else { continue };
                    let reader = &mut readers[at];
                    for _ in 0..pieces {
                        if let Some(Event::Piece(piece)) = reader.stream.try_next() {
                            reader.read.extend(piece.token.map(|token| token.0));
                        }
                    }
                    let expected = expect(&reader.prompt, reader.count);
                    prop_assert_eq!(&reader.read[..], &expected[..reader.read.len()]);
                }
                Act::Vanish(who) => {
                    let Some(at) = pick(&readers, who) else { continue };
                    readers.swap_remove(at);
                }
                Act::Cancel(who) => {
                    let Some(at) = pick(&readers, who) else { continue };
                    let mut reader = readers.swap_remove(at);
                    reader.stream.canceller().cancel();
                    while !reader.stream.is_done() {
                        prop_assert!(reader.stream.wait(Duration::from_secs(10)), "a cancelled stream stands still");
                        reader.stream.try_next();
                    }
                }
                Act::Finish(who) => {
                    let Some(at) = pick(&readers, who) else { continue };
                    let Reader { prompt, count, read, stream } = readers.swap_remove(at);
                    // It may have been read to its outcome already.
                    if !stream.is_done() {
                        prop_assert_eq!(rest((read, stream)), expect(&prompt, count));
                    }
                }
            }
        }
        for Reader { prompt, count, read, stream } in readers {
            if !stream.is_done() {
                prop_assert_eq!(rest((read, stream)), expect(&prompt, count));
            }
        }
        // Whoever vanished last is noticed in the next step.
        let end = Instant::now() + Duration::from_secs(10);
        let busy = |stats: Stats| stats.waiting + stats.paused + stats.running > 0;
        while busy(scheduler.stats()) {
            prop_assert!(Instant::now() < end, "{:?}", scheduler.stats());
            thread::yield_now();
        }
    }
}
