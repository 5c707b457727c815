//! What is in a batch, and how it is cut, changes nothing.

use trillm_core::{Batch, Error, Model, Slot, Token};

use super::driver::{Driver, Part, Trace, prompt};

/// Sequences that run together say what each says alone.
pub fn a_batch_equals_one_by_one(model: &dyn Model) {
    const STEPS: usize = 8;
    let mut driver = Driver::new(model);
    let lengths = [1, 13, 5, 20];
    let prompts: Vec<_> =
        (0..driver.limits.slots).zip(lengths).map(|(slot, length)| prompt(model, slot.into(), length)).collect();
    let traces: Vec<_> = prompts.iter().map(|prompt| Trace::of(model, prompt, STEPS)).collect();

    let parts: Vec<Part<'_>> = (0..).zip(&prompts).map(|(slot, prompt)| (slot, prompt.as_slice(), true)).collect();
    let mut rows = driver.step(&parts).expect("prompts in one step");
    for step in 0..STEPS {
        for (trace, row) in traces.iter().zip(&rows) {
            trace.check(step, row);
        }
        let parts: Vec<Part<'_>> =
            (0..).zip(&traces).map(|(slot, trace)| (slot, &trace.tokens[step..=step], true)).collect();
        rows = driver.step(&parts).expect("a token for each");
    }
    for (trace, row) in traces.iter().zip(&rows) {
        trace.check(STEPS, row);
    }
}

/// While one sequence generates, another's prompt comes in chunks; both say what they say alone.
pub fn a_prompt_beside_generation_disturbs_nobody(model: &dyn Model) {
    let mut driver = Driver::new(model);
    if driver.limits.slots < 2 {
        return;
    }
    let (early, late) = (prompt(model, 10, 9), prompt(model, 11, 40));
    let (first, second) = (Trace::of(model, &early, 6), Trace::of(model, &late, 2));
    first.check(0, &driver.feed(0, &early));
    let chunks: Vec<_> = late.chunks(11).collect();
    for (step, chunk) in chunks.iter().enumerate() {
        let whole = step + 1 == chunks.len();
        let rows = driver.step(&[(1, chunk, whole), (0, &first.tokens[step..=step], true)]).expect("a mixed step");
        first.check(step + 1, rows.last().expect("a row for the one that generates"));
        if whole {
            second.check(0, &rows[0]);
        }
    }
    second.check(1, &driver.feed(1, &second.tokens[..1]));
}

/// However a prompt is cut into steps, the scores after it are the same.
pub fn chunks_equal_the_whole(model: &dyn Model) {
    let mut driver = Driver::new(model);
    // Longer than one step may be, and not a multiple of anything.
    let length = (driver.limits.tokens_per_step as usize + 7).min(driver.longest() - 4);
    let tokens = prompt(model, 20, length);
    let trace = Trace::of(model, &tokens, 2);
    for size in [1, 7, 16, 33] {
        let size = size.min(driver.limits.tokens_per_step as usize);
        trace.check(0, &driver.feed_in_chunks(0, &tokens, size));
        trace.check(1, &driver.feed(0, &trace.tokens[..1]));
        trace.check(2, &driver.feed(0, &trace.tokens[1..2]));
        driver.truncate(0, 0);
    }
}

/// Rows come for the spans that asked, in the order of the spans, whatever the numbers of their slots.
pub fn rows_come_in_the_order_asked(model: &dyn Model) {
    let mut driver = Driver::new(model);
    let slots = driver.limits.slots.min(4);
    let prompts: Vec<_> = (0..slots).map(|slot| prompt(model, 30 + u64::from(slot), 3 + slot as usize)).collect();
    let traces: Vec<_> = prompts.iter().map(|prompt| Trace::of(model, prompt, 1)).collect();
    // The last slot comes first; the second of the spans wants no row.
    let order: Vec<u32> = (0..slots).rev().collect();
    let silent = order.get(1).copied();
    let parts: Vec<Part<'_>> =
        order.iter().map(|&slot| (slot, prompts[slot as usize].as_slice(), Some(slot) != silent)).collect();
    let rows = driver.step(&parts).expect("a step");
    let asked = order.iter().filter(|slot| Some(**slot) != silent);
    for (&slot, row) in asked.zip(&rows) {
        traces[slot as usize].check(0, row);
    }
    // The one that asked for no row was computed all the same.
    if let Some(slot) = silent {
        let trace = &traces[slot as usize];
        trace.check(1, &driver.feed(slot, &trace.tokens[..1]));
    }
    assert!(driver.step(&[(0, &[Token(0)], false)]).expect("a step without rows").is_empty());
}

/// A batch outside the limits is a typed error, after which the session is as before.
pub fn what_is_beyond_the_limits_is_an_error(model: &dyn Model) {
    let mut driver = Driver::new(model);
    let limits = driver.limits;
    let tokens = prompt(model, 40, 6);
    let trace = Trace::of(model, &tokens, 8);
    trace.check(0, &driver.feed(0, &tokens));

    let batch = |slot, start, tokens: &[Token]| {
        let mut batch = Batch::default();
        batch.push(Slot(slot), start, tokens, true);
        batch
    };
    let too_many = vec![Token(0); limits.tokens_per_step as usize + 1];
    let mut twice = batch(0, 6, &[Token(0)]);
    twice.push(Slot(0), 7, &[Token(0)], true);
    let mut outside = batch(0, 6, &[Token(0)]);
    outside.spans[0].tokens = 0..2;
    let wrong = [
        ("too many tokens", batch(0, 6, &too_many)),
        ("an unknown slot", batch(limits.slots, 0, &[Token(0)])),
        ("an unknown token", batch(0, 6, &[Token(model.tokenizer().vocabulary())])),
        ("a start too late", batch(0, 7, &[Token(0)])),
        ("a start too early", batch(0, 5, &[Token(0)])),
        ("no tokens", batch(0, 6, &[])),
        ("a slot twice", twice),
        ("tokens that are not there", outside),
    ];
    for ((what, batch), step) in wrong.iter().zip(0..) {
        let error = driver.step_batch(batch).expect_err(what);
        assert!(matches!(error, Error::Batch(_)), "{what}: {error}");
        trace.check(step + 1, &driver.feed(0, &trace.tokens[step..=step]));
    }

    if limits.context <= limits.cells {
        driver.truncate(0, 0);
        driver.feed(0, &prompt(model, 41, limits.context as usize));
        let error = driver.step(&[(0, &[Token(0)], true)]).expect_err("a sequence beyond the context");
        assert!(matches!(error, Error::Batch(_)), "a sequence beyond the context: {error}");
    }
}

/// The largest step, the longest sequence, every slot at once, the last token: all within the limits, and all work.
pub fn limits_can_be_reached(model: &dyn Model) {
    let mut driver = Driver::new(model);
    let limits = driver.limits;
    let longest = prompt(model, 50, driver.longest());
    let trace = Trace::of(model, &longest, 0);
    let step = limits.tokens_per_step as usize;
    for chunk in longest.chunks(step) {
        let rows = driver.step(&[(0, chunk, true)]).expect("a full step");
        if driver.len(0) as usize == longest.len() {
            trace.check(0, &rows[0]);
        }
    }
    driver.truncate(0, 0);

    let token = [Token(model.tokenizer().vocabulary() - 1)];
    let trace = Trace::of(model, &token, 0);
    let at_once = limits.slots.min(limits.tokens_per_step).min(limits.cells);
    let parts: Vec<Part<'_>> = (0..at_once).map(|slot| (slot, &token[..], true)).collect();
    let rows = driver.step(&parts).expect("every slot at once");
    assert_eq!(rows.len(), at_once as usize);
    for row in &rows {
        trace.check(0, row);
    }
}
