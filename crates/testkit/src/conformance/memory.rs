//! Cells run out and come back.

use trillm_core::{Error, Model, Slot, Token};

use super::driver::{Driver, Trace, prompt};

/// A step that finds too few cells says so and changes nothing; with cells freed, all goes on as before.
pub fn a_full_cache_leaves_the_state_intact(model: &dyn Model) {
    const SPARE: usize = 3;
    let mut driver = Driver::new(model);
    let cells = driver.limits.cells as usize;
    let context = driver.limits.context as usize;
    if driver.limits.slots < 2 || 2 * context < cells + 2 {
        // It takes more than two slots to fill it: a cache that has room for every slot is never full.
        return;
    }
    let (first, second) = (prompt(model, 100, cells / 2), prompt(model, 101, cells - cells / 2 - SPARE));
    let (left, right) = (Trace::of(model, &first, 5), Trace::of(model, &second, 1));
    left.check(0, &driver.feed(0, &first));
    right.check(0, &driver.feed(1, &second));

    let two = [left.tokens[0], left.tokens[1]];
    for _ in 0..2 {
        let error = driver.step(&[(0, &two, true), (1, &two, true)]).expect_err("four tokens for three cells");
        assert_eq!(error, Error::CacheFull);
    }
    let rows = driver.step(&[(1, &right.tokens[..1], true), (0, &left.tokens[..1], true)]).expect("two tokens");
    right.check(1, &rows[0]);
    left.check(1, &rows[1]);
    left.check(2, &driver.feed(0, &left.tokens[1..2]));

    let error = driver.step(&[(0, &left.tokens[2..3], true)]).expect_err("no cell is left");
    assert_eq!(error, Error::CacheFull);
    driver.truncate(1, 0);
    left.check(3, &driver.feed(0, &left.tokens[2..3]));
    let rows = driver.step(&[(0, &left.tokens[3..4], true), (1, &first[..1], false)]).expect("room for both");
    left.check(4, &rows[0]);
}

/// Cells that were freed serve again, as often as one likes, in whatever order they were freed.
pub fn every_cell_can_be_used_again(model: &dyn Model) {
    let mut driver = Driver::new(model);
    let slots = driver.limits.slots.min(4);
    let part = (driver.limits.cells / slots).min(driver.limits.context) as usize;
    let tokens = prompt(model, 110, part);
    let trace = Trace::of(model, &tokens, 0);
    for _ in 0..3 {
        for slot in 0..slots {
            trace.check(0, &driver.feed(slot, &tokens));
        }
        // One in the middle goes and comes back among the others.
        driver.truncate(slots / 2, 0);
        trace.check(0, &driver.feed_in_chunks(slots / 2, &tokens, 5));
        (0..slots).for_each(|slot| driver.truncate(slot, 0));
    }
}

/// `truncate(slot, 0)` works on a slot that is full, empty or never used, and the slot can be used afterwards.
pub fn truncate_to_zero_always_works(model: &dyn Model) {
    let mut driver = Driver::new(model);
    for slot in (0..driver.limits.slots).map(Slot) {
        driver.session.truncate(slot, 0).expect("an unused slot");
    }
    let tokens = prompt(model, 120, 10);
    let trace = Trace::of(model, &tokens, 0);
    let last = driver.limits.slots - 1;
    for _ in 0..2 {
        trace.check(0, &driver.feed(last, &tokens));
        driver.truncate(last, 0);
        driver.truncate(last, 0);
    }
    // Also after a step that failed, where the contract promises nothing else.
    let batch = [(last, &[Token(driver.limits.row)][..], true)];
    driver.step(&batch).expect_err("an unknown token");
    driver.truncate(last, 0);
    trace.check(0, &driver.feed(last, &tokens));
}
