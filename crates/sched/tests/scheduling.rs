//! What runs together does not change what each gives; who waits, and for whom.

mod common;

use std::time::{Duration, Instant};

use common::{alone, error, read, request, start, tokens, with};
use trillm_core::{Error, FinishReason, Request};
use trillm_sched::SchedulerOptions;
use trillm_testkit::Fake;

const DEFAULT: fn() -> SchedulerOptions = SchedulerOptions::default;

#[test]
fn together_gives_what_alone_gives() {
    let scheduler = start(&Fake::default(), 4, 2048, DEFAULT());
    let prompts: Vec<String> = (0..12).map(|i| format!("prompt {i} {}", "x".repeat(i * 17))).collect();
    let streams: Vec<_> = prompts.iter().map(|prompt| scheduler.submit(request(prompt, 30)).unwrap()).collect();
    for (prompt, stream) in prompts.iter().zip(streams) {
        assert_eq!(tokens(stream), alone(prompt, 30), "{prompt}");
    }
    let stats = scheduler.stats();
    assert_eq!((stats.finished, stats.generated_tokens, stats.preemptions), (12, 12 * 30, 0));
}

#[test]
fn who_has_read_the_end_of_a_request_finds_it_counted_nowhere() {
    let scheduler = start(&Fake::default(), 1, 512, DEFAULT());
    for round in 0..200 {
        let overdue = Request { max_tokens: Some(3), deadline: Some(Instant::now()), ..Request::default() };
        let ready = if round % 2 == 0 { request("hello", 3) } else { with("hello", overdue) };
        read(scheduler.submit(ready).unwrap());
        let stats = scheduler.stats();
        assert_eq!((stats.running, stats.waiting, stats.finished), (0, 0, round + 1));
    }
}

#[test]
fn a_long_prompt_never_makes_others_wait_for_more_than_a_chunk() {
    let (fake, record) = Fake::default().recorded();
    let (fake, gate) = fake.gated();
    let scheduler = start(&fake, 2, 4096, SchedulerOptions { prompt_chunk: 16, ..DEFAULT() });
    let running = scheduler.submit(request("hello", 100)).unwrap();
    gate.wait_for(1);
    let long = scheduler.submit(request(&"long ".repeat(60), 2)).unwrap();
    gate.open();
    assert_eq!(tokens(running), alone("hello", 100));
    assert_eq!(tokens(long), alone(&"long ".repeat(60), 2));

    let record = record.lock().unwrap();
    let together: Vec<_> = record.iter().filter(|batch| batch.spans.len() == 2).collect();
    assert!(together.len() >= 300 / 16, "{} steps with both", together.len());
    for batch in together {
        assert_eq!(batch.spans[0].tokens.len(), 1, "the running one has its token in every step");
        assert!(batch.spans[1].tokens.len() <= 16);
    }
}

#[test]
fn a_cancelled_request_frees_its_slot_within_a_step_and_disturbs_nobody() {
    let (fake, record) = Fake::default().recorded();
    let (fake, gate) = fake.gated();
    let scheduler = start(&fake, 2, 512, DEFAULT());
    let stays = scheduler.submit(request("stays", 40)).unwrap();
    let goes = scheduler.submit(request("goes", 400)).unwrap();
    gate.allow(9);
    gate.wait_for(10);
    // Step 10 is running. Whatever was planned for it goes on; in step 11 the slot is free.
    drop(goes);
    let next = scheduler.submit(request("next", 10)).unwrap();
    gate.open();
    assert_eq!(tokens(next), alone("next", 10));
    assert_eq!(tokens(stays), alone("stays", 40));

    let record = record.lock().unwrap();
    let slot = record[9].spans.iter().map(|span| span.slot).max().unwrap();
    let new = record[10].spans.iter().find(|span| span.slot == slot).unwrap();
    assert_eq!((new.start, new.tokens.len()), (0, 4), "the next request has the slot in the step after");
    assert_eq!(scheduler.stats().cancelled, 1);
}

#[test]
fn a_reader_that_falls_behind_pauses_alone_and_loses_nothing() {
    let scheduler = start(&Fake::default(), 2, 1024, SchedulerOptions { stream_capacity: 4, ..DEFAULT() });
    let slow = scheduler.submit(request("slow", 100)).unwrap();
    let quick = scheduler.submit(request("quick", 200)).unwrap();
    assert_eq!(tokens(quick), alone("quick", 200));
    // By then the slow one is full, and the decode thread asleep.
    assert_eq!(scheduler.stats().running, 1);
    assert_eq!(tokens(slow), alone("slow", 100));
}

#[test]
fn more_than_the_cache_holds_is_computed_again_and_comes_out_the_same() {
    let scheduler = start(&Fake::default(), 4, 100, DEFAULT());
    let prompts = ["one", "two", "three", "four", "five", "six"];
    let streams: Vec<_> = prompts.iter().map(|prompt| scheduler.submit(request(prompt, 60)).unwrap()).collect();
    for (prompt, stream) in prompts.iter().zip(streams) {
        assert_eq!(tokens(stream), alone(prompt, 60), "{prompt}");
    }
    assert!(scheduler.stats().preemptions > 0, "100 cells do not hold two sequences of 64");
}

#[test]
fn higher_priority_runs_first_and_takes_the_slot_of_lower() {
    let (fake, gate) = Fake::default().gated();
    let scheduler = start(&fake, 1, 512, DEFAULT());
    let low =
        scheduler.submit(with("low", Request { max_tokens: Some(20), priority: -1, ..Request::default() })).unwrap();
    gate.wait_for(1);
    let usual = scheduler.submit(request("usual", 20)).unwrap();
    let high =
        scheduler.submit(with("high", Request { max_tokens: Some(20), priority: 1, ..Request::default() })).unwrap();
    gate.open();
    let finished = |stream| {
        let (ids, outcome) = read(stream);
        (ids, outcome.timings.queue + outcome.timings.prefill + outcome.timings.decode)
    };
    let ((high, at_high), (usual, at_usual), (low, at_low)) = (finished(high), finished(usual), finished(low));
    assert!(at_high <= at_usual && at_usual <= at_low, "{at_high} {at_usual} {at_low}");
    assert_eq!((high, usual, low), (alone("high", 20), alone("usual", 20), alone("low", 20)));
    assert_eq!(scheduler.stats().preemptions, 1);
}

#[test]
fn a_full_queue_refuses_at_once() {
    let (fake, gate) = Fake::default().gated();
    let scheduler = start(&fake, 1, 512, SchedulerOptions { queue: 2, ..DEFAULT() });
    let first = scheduler.submit(request("first", 5)).unwrap();
    gate.wait_for(1);
    let waiting = [(); 2].map(|()| scheduler.submit(request("waits", 5)).unwrap());
    assert_eq!(scheduler.submit(request("more", 5)).err(), Some(Error::Overloaded { queued: 2, limit: 2 }));
    gate.open();
    assert_eq!(tokens(first), alone("first", 5));
    for stream in waiting {
        assert_eq!(tokens(stream), alone("waits", 5));
    }
    assert_eq!(tokens(scheduler.submit(request("again", 5)).unwrap()), alone("again", 5));
}

#[test]
fn who_comes_when_a_slot_is_free_does_not_wait() {
    let (fake, gate) = Fake::default().gated();
    let scheduler = start(&fake, 4, 512, SchedulerOptions { queue: 1, ..DEFAULT() });
    // The decode thread is in a step and does not look: three slots are free, and one may wait.
    let first = scheduler.submit(request("first", 5)).unwrap();
    gate.wait_for(1);
    let others = [(); 4].map(|()| scheduler.submit(request("other", 5)).unwrap());
    assert_eq!(scheduler.submit(request("more", 5)).err(), Some(Error::Overloaded { queued: 1, limit: 1 }));
    gate.open();
    assert_eq!(tokens(first), alone("first", 5));
    for stream in others {
        assert_eq!(tokens(stream), alone("other", 5));
    }
}

#[test]
fn a_request_stays_with_its_caller_while_the_queue_is_full() {
    let (fake, gate) = Fake::default().gated();
    let scheduler = start(&fake, 1, 512, SchedulerOptions { queue: 1, ..DEFAULT() });
    let first = scheduler.submit(request("first", 5)).unwrap();
    gate.wait_for(1);
    let second = scheduler.submit(request("second", 5)).unwrap();
    let mut kept = Some(request("third", 5));
    for _ in 0..2 {
        assert_eq!(scheduler.submit_from(&mut kept).err(), Some(Error::Overloaded { queued: 1, limit: 1 }));
        assert!(kept.is_some());
    }
    gate.open();
    assert_eq!(tokens(first), alone("first", 5));
    assert_eq!(tokens(second), alone("second", 5));
    assert_eq!(tokens(scheduler.submit_from(&mut kept).unwrap()), alone("third", 5));
    assert!(kept.is_none());
    // There is none any more, and none is counted.
    assert_eq!(scheduler.submit_from(&mut kept).err(), Some(Error::Cancelled));
    assert_eq!(tokens(scheduler.submit(request("again", 5)).unwrap()), alone("again", 5));
}

#[test]
fn a_deadline_ends_what_runs_and_what_waits() {
    let fake = Fake { step_time: Duration::from_millis(2), ..Fake::default() };
    let scheduler = start(&fake, 1, 4096, DEFAULT());
    let deadline = Some(Instant::now() + Duration::from_millis(60));
    let late = |prompt| scheduler.submit(with(prompt, Request { deadline, ..Request::default() })).unwrap();
    let (runs, waits) = (late("runs"), late("waits"));
    assert!(matches!(error(runs), Error::DeadlineExceeded { generated: 1.. }));
    assert_eq!(error(waits), Error::DeadlineExceeded { generated: 0 });
    assert_eq!(tokens(scheduler.submit(request("after", 3)).unwrap()), alone("after", 3));
}

#[test]
fn the_model_ends_its_text_and_may_be_told_not_to() {
    let fake = Fake::saying("done");
    let scheduler = start(&fake, 1, 512, DEFAULT());
    let (ids, outcome) = read(scheduler.submit(request("go: ", 50)).unwrap());
    assert_eq!((ids.len(), outcome.result), (4, Ok(FinishReason::Stop)));
    assert_eq!(outcome.usage.completion_tokens, 4);
    let request = with("go: ", Request { max_tokens: Some(8), ignore_eos: true, ..Request::default() });
    let (ids, outcome) = read(scheduler.submit(request).unwrap());
    assert_eq!((ids.len(), outcome.result), (8, Ok(FinishReason::Length)));
    let stop = vec!["x".into(), "on".into()];
    let (_, outcome) = read(scheduler.submit(with("go: ", Request { stop, ..Request::default() })).unwrap());
    assert_eq!(outcome.result, Ok(FinishReason::StopString(1)));
}
