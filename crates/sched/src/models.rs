//! Loom models: every interleaving of a few threads, up to a bound on preemptions, under the C11 memory model.
//!
//! Run by `just loom`. `tools/mutants.py` seeds bugs into the code and checks that one of these fails.

use std::sync::atomic::Ordering::{Acquire, Release};

use loom::cell::UnsafeCell;
use loom::future::block_on;
use loom::sync::atomic::AtomicBool;
use loom::thread;
use trillm_core::{Error, FinishReason, Outcome, Piece, Text, Token};

use crate::cores::{Cores, Seat};
use crate::lockfree::{Intake, Ring};
use crate::queue::Queue;
use crate::stream::{Event, Stream, Writer};
use crate::sync::Arc;
use crate::wake::Wake;

fn piece(id: u32) -> Piece {
    Piece { token: Some(Token(id)), text: Text::from(""), logprobs: None }
}

fn outcome() -> Outcome {
    Outcome { result: Ok(FinishReason::Stop), usage: Default::default(), timings: Default::default() }
}

/// A channel of a request that waits alone.
fn channel(capacity: usize, wake: Arc<Wake>) -> (Writer, Stream) {
    let queue = Arc::new(Queue::new(1));
    queue.try_enter().unwrap();
    crate::stream::channel(capacity, wake, queue)
}

/// Reads until the outcome, asleep while there is nothing, as an async caller does. The ids, and how it ended.
fn read(stream: &mut Stream) -> (Vec<u32>, Result<FinishReason, Error>) {
    let mut ids = Vec::new();
    loop {
        let event = block_on(std::future::poll_fn(|context| match stream.try_next() {
            Some(event) => std::task::Poll::Ready(event),
            None if stream.poll_ready(context.waker()) => {
                let event = stream.try_next();
                event.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
            }
            None => std::task::Poll::Pending,
        }));
        match event {
            Event::Piece(piece) => ids.extend(piece.token.map(|token| token.0)),
            Event::Done(outcome) => return (ids, outcome.result),
        }
    }
}

/// Writes as the decode thread does: only when there is room, asleep while there is none.
fn write(mut writer: Writer, wake: &Wake, ids: std::ops::Range<u32>) {
    for id in ids {
        while !writer.has_room() && !writer.cancelled() {
            wake.wait(|| true, None);
        }
        if writer.cancelled() {
            break;
        }
        writer.push(piece(id));
    }
    writer.finish(outcome());
}

#[test]
fn intake_loses_nothing_and_no_wake_up() {
    loom::model(|| {
        let intake = Arc::new(Intake::new());
        let wake = Arc::new(Wake::new());
        wake.bind();
        let producers: Vec<_> = (0..2)
            .map(|id| {
                let (intake, wake) = (intake.clone(), wake.clone());
                thread::spawn(move || {
                    intake.push(id);
                    wake.notify();
                })
            })
            .collect();
        let mut taken = Vec::new();
        while taken.len() < 2 {
            intake.take_all(&mut taken);
            if taken.len() < 2 {
                wake.wait(|| intake.is_empty(), None);
            }
        }
        for producer in producers {
            producer.join().unwrap();
        }
        taken.sort_unstable();
        assert_eq!(taken, [0, 1]);
    });
}

#[test]
fn intake_keeps_the_order_of_a_producer() {
    loom::model(|| {
        let intake = Arc::new(Intake::new());
        let producer = {
            let intake = intake.clone();
            thread::spawn(move || {
                intake.push(1);
                intake.push(2);
            })
        };
        let mut taken = Vec::new();
        intake.take_all(&mut taken);
        producer.join().unwrap();
        intake.take_all(&mut taken);
        assert_eq!(taken, [1, 2]);
    });
}

#[test]
fn ring_hands_over_whole_items_in_order_and_refuses_when_full() {
    loom::model(|| {
        let ring = Arc::new(Ring::new(1));
        let writer = {
            let ring = ring.clone();
            thread::spawn(move || (0..2).filter(|&id| ring.push(Box::new(id)).is_ok()).collect::<Vec<u32>>())
        };
        let mut read: Vec<u32> = (0..2).filter_map(|_| ring.pop()).map(|item| *item).collect();
        let written = writer.join().unwrap();
        read.extend(std::iter::from_fn(|| ring.pop()).map(|item| *item));
        assert_eq!(read, written);
    });
}

/// Some pieces through a ring that holds `capacity`.
fn reads_pieces(capacity: usize, count: u32) {
    loom::model(move || {
        let wake = Arc::new(Wake::new());
        let (writer, mut stream) = channel(capacity, wake.clone());
        let decoder = thread::spawn(move || {
            wake.bind();
            write(writer, &wake, 0..count);
        });
        assert_eq!(read(&mut stream), ((0..count).collect(), Ok(FinishReason::Stop)));
        decoder.join().unwrap();
    });
}

#[test]
fn a_sleeping_reader_sees_every_piece_and_the_outcome() {
    reads_pieces(2, 2);
}

#[test]
fn a_full_ring_stalls_the_writer_until_there_is_room_and_loses_nothing() {
    reads_pieces(1, 2);
}

#[test]
fn a_writer_that_starved_goes_on_when_half_is_read() {
    reads_pieces(2, 3);
}

#[test]
fn a_dropped_stream_cancels_and_wakes_the_writer() {
    loom::model(|| {
        let wake = Arc::new(Wake::new());
        let (writer, stream) = channel(1, wake.clone());
        let decoder = thread::spawn(move || {
            wake.bind();
            write(writer, &wake, 0..3);
        });
        drop(stream);
        // It would sleep for ever, and loom would call it a deadlock, if the cancellation did not wake it.
        decoder.join().unwrap();
    });
}

#[test]
fn a_cancellation_from_a_third_thread_ends_what_is_read() {
    loom::model(|| {
        let wake = Arc::new(Wake::new());
        let (writer, mut stream) = channel(1, wake.clone());
        let canceller = stream.canceller();
        let decoder = thread::spawn(move || {
            wake.bind();
            while !writer.cancelled() {
                wake.wait(|| !writer.cancelled(), None);
            }
            writer.finish(outcome());
        });
        let other = thread::spawn(move || canceller.cancel());
        assert_eq!(read(&mut stream), (vec![], Ok(FinishReason::Stop)));
        decoder.join().unwrap();
        other.join().unwrap();
    });
}

/// Whether the reader goes away before the request gets a slot, after it, or when it waits again: it is counted out of
/// the queue once.
#[test]
fn a_request_leaves_the_queue_once() {
    loom::model(|| {
        let queue = Arc::new(Queue::new(1));
        queue.try_enter().unwrap();
        let (writer, stream) = crate::stream::channel(1, Arc::new(Wake::new()), queue.clone());
        let decoder = thread::spawn(move || {
            writer.leave_queue();
            writer.enter_queue();
            writer.finish(outcome());
        });
        drop(stream);
        decoder.join().unwrap();
        assert_eq!(queue.waiting(), 0);
    });
}

#[test]
fn a_dropped_writer_ends_the_stream() {
    loom::model(|| {
        let (writer, mut stream) = channel(1, Arc::new(Wake::new()));
        let decoder = thread::spawn(move || {
            writer.push(piece(7));
            drop(writer);
        });
        assert_eq!(read(&mut stream), (vec![7], Err(Error::Closed)));
        decoder.join().unwrap();
    });
}

#[test]
fn a_notifier_publishes_what_it_did_before() {
    loom::model(|| {
        let wake = Arc::new(Wake::new());
        let done = Arc::new(AtomicBool::new(false));
        wake.bind();
        let notifier = {
            let (wake, done) = (wake.clone(), done.clone());
            thread::spawn(move || {
                done.store(true, Release);
                wake.notify();
            })
        };
        while !done.load(Acquire) {
            wake.wait(|| !done.load(Acquire), None);
        }
        notifier.join().unwrap();
    });
}

/// A thread's seat, and what it sleeps by. To be made on that thread.
fn seat(threads: u32) -> (Arc<Seat>, Arc<Wake>) {
    let wake = Arc::new(Wake::new());
    wake.bind();
    (Arc::new(Seat::new(threads, wake.clone())), wake)
}

/// Takes cores as the decode thread does, asleep until they come.
fn take(cores: &Cores, seat: &Arc<Seat>, wake: &Wake) {
    if !cores.take(seat) {
        cores.queue(seat);
        while !seat.has_cores() {
            wake.wait(|| !seat.has_cores(), None);
        }
    }
}

/// Each of two threads and a third wants the only core, and finds what the one before it did.
#[test]
fn one_core_has_one_thread_at_a_time_and_comes_to_all() {
    loom::model(|| {
        let cores = Arc::new(Cores::new(1));
        let steps = Arc::new(UnsafeCell::new(0));
        let compute = |cores: &Cores, steps: &UnsafeCell<u32>| {
            let (seat, wake) = seat(1);
            take(cores, &seat, &wake);
            // Loom fails if another thread is in here, or was and is not known to be done.
            steps.with_mut(|_| ());
            cores.give(&seat);
        };
        let others = [(); 2].map(|()| {
            let (cores, steps) = (cores.clone(), steps.clone());
            thread::spawn(move || compute(&cores, &steps))
        });
        compute(&cores, &steps);
        for other in others {
            other.join().unwrap();
        }
        assert!(cores.take(&Seat::new(1, Arc::new(Wake::new()))), "all was given back");
    });
}

/// Whoever wants both cores has them before one that came later and wants one, although one is free all the time.
#[test]
fn nobody_who_came_later_goes_first() {
    loom::model(|| {
        let cores = Arc::new(Cores::new(2));
        let first = Arc::new(Seat::new(1, Arc::new(Wake::new())));
        assert!(cores.take(&first));
        let (both, wake) = seat(2);
        cores.queue(&both);
        assert!(cores.are_wanted());
        let had_both = Arc::new(AtomicBool::new(false));
        let late = {
            let (cores, had_both) = (cores.clone(), had_both.clone());
            thread::spawn(move || {
                let (late, wake) = seat(1);
                take(&cores, &late, &wake);
                assert!(had_both.load(Acquire));
                cores.give(&late);
            })
        };
        cores.give(&first);
        while !both.has_cores() {
            wake.wait(|| !both.has_cores(), None);
        }
        had_both.store(true, Release);
        cores.give(&both);
        late.join().unwrap();
    });
}

/// Whether they came before or not: whoever leaves the line keeps none, and those behind it come to theirs.
#[test]
fn who_leaves_the_line_leaves_its_cores() {
    loom::model(|| {
        let cores = Arc::new(Cores::new(2));
        let first = Arc::new(Seat::new(2, Arc::new(Wake::new())));
        assert!(cores.take(&first));
        let (leaves, _) = seat(2);
        cores.queue(&leaves);
        let other = {
            let cores = cores.clone();
            thread::spawn(move || {
                let (behind, wake) = seat(1);
                take(&cores, &behind, &wake);
                cores.give(&behind);
            })
        };
        let gives = {
            let cores = cores.clone();
            thread::spawn(move || cores.give(&first))
        };
        cores.leave(&leaves);
        gives.join().unwrap();
        other.join().unwrap();
        assert!(cores.take(&leaves), "all was given back");
    });
}

/// One that wants less than is free, behind one that wants more and leaves.
#[test]
fn who_leaves_lets_those_behind_go_on() {
    loom::model(|| {
        let cores = Arc::new(Cores::new(2));
        let stays = Arc::new(Seat::new(1, Arc::new(Wake::new())));
        assert!(cores.take(&stays));
        let (leaves, _) = seat(2);
        cores.queue(&leaves);
        let behind = {
            let cores = cores.clone();
            thread::spawn(move || {
                let (behind, wake) = seat(1);
                take(&cores, &behind, &wake);
                cores.give(&behind);
            })
        };
        cores.leave(&leaves);
        behind.join().unwrap();
    });
}

/// More cores than there were are had by those who wait for them.
#[test]
fn more_cores_come_to_who_waits() {
    loom::model(|| {
        let cores = Arc::new(Cores::new(1));
        assert!(cores.take(&Seat::new(1, Arc::new(Wake::new()))));
        let waits = {
            let cores = cores.clone();
            thread::spawn(move || {
                let (waits, wake) = seat(1);
                take(&cores, &waits, &wake);
            })
        };
        cores.set_count(2);
        waits.join().unwrap();
    });
}
