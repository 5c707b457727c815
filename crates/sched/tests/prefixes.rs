//! What was computed once is found again, and only by those who may.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{alone, read, request, start, tokens, with};
use trillm_core::Request;
use trillm_sched::SchedulerOptions;
use trillm_testkit::Fake;

/// How many prompt tokens a request found in the cache; its tokens must be right all the same.
fn cached(scheduler: &trillm_sched::Scheduler, prompt: &str, salt: u64) -> u32 {
    let request = with(prompt, Request { max_tokens: Some(5), cache_salt: salt, ..Request::default() });
    let (ids, outcome) = read(scheduler.submit(request).unwrap());
    assert_eq!(ids, alone(prompt, 5), "{prompt}");
    outcome.usage.cached_tokens
}

#[test]
fn a_prefix_is_computed_once() {
    let scheduler = start(&Fake::default(), 4, 4096, SchedulerOptions::default());
    let prefix = "a long system prompt ".repeat(20);
    assert_eq!(cached(&scheduler, &format!("{prefix}first"), 0), 0);
    assert_eq!(cached(&scheduler, &format!("{prefix}second"), 0), prefix.len() as u32);
    // The same again: all but the last token, whose scores are wanted.
    assert_eq!(cached(&scheduler, &format!("{prefix}second"), 0), prefix.len() as u32 + 5);
}

#[test]
fn a_conversation_goes_on_where_it_stood() {
    let scheduler = start(&Fake::default(), 2, 4096, SchedulerOptions::default());
    let first = "user: hi; bot: ";
    let answer: Vec<u8> = alone(first, 5).iter().map(|&id| id as u8).collect();
    assert_eq!(cached(&scheduler, first, 0), 0);
    let second = format!("{first}{}; user: more", String::from_utf8(answer).unwrap());
    // All of the first turn but its last token, which was chosen and never computed.
    assert_eq!(cached(&scheduler, &second, 0), first.len() as u32 + 4);
}

#[test]
fn prompts_of_different_salts_share_nothing() {
    let scheduler = start(&Fake::default(), 4, 4096, SchedulerOptions::default());
    assert_eq!(cached(&scheduler, "secret of one tenant", 1), 0);
    assert_eq!(cached(&scheduler, "secret of one tenant", 2), 0);
    assert!(cached(&scheduler, "secret of one tenant", 1) > 0);
}

#[test]
fn a_prefix_is_shared_with_one_that_still_runs() {
    let (fake, gate) = Fake::default().gated();
    let scheduler = start(&fake, 2, 1024, SchedulerOptions::default());
    let first = scheduler.submit(request("shared prefix, one", 50)).unwrap();
    gate.allow(3);
    gate.wait_for(4);
    let second = scheduler.submit(request("shared prefix, two", 50)).unwrap();
    gate.open();
    let (ids, outcome) = read(second);
    assert_eq!((ids, outcome.usage.cached_tokens), (alone("shared prefix, two", 50), 15));
    assert_eq!(tokens(first), alone("shared prefix, one", 50));
}

#[test]
fn the_last_copy_of_a_prefix_goes_last() {
    // Four prefixes in eight slots, in turn: each new request takes a slot whose content another slot has too.
    let scheduler = start(&Fake::default(), 8, 8192, SchedulerOptions::default());
    let prefixes: Vec<String> = (0..4).map(|i| format!("prefix {i} ").repeat(30)).collect();
    for round in 0..8 {
        for prefix in &prefixes {
            let found = cached(&scheduler, &format!("{prefix}question {round}"), 0);
            // The first round shares at most the few bytes that all prefixes begin with.
            assert!(found >= prefix.len() as u32 || round == 0, "round {round}: {found} of {}", prefix.len());
        }
    }
}

#[test]
fn an_engine_that_cannot_reuse_is_not_asked_to() {
    let fake = Fake { reuses_prefix: false, ..Fake::default() };
    let scheduler = start(&fake, 2, 1024, SchedulerOptions::default());
    assert_eq!(cached(&scheduler, "the same", 0), 0);
    assert_eq!(cached(&scheduler, "the same", 0), 0);
}
