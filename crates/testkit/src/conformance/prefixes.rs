//! What is kept or shared is as good as computed afresh. Engines that cannot do it say so in their limits.

use trillm_core::Model;

use super::driver::{Driver, Trace, prompt};

/// A slot cut back and continued says what a fresh one says.
pub fn truncating_equals_starting_afresh(model: &dyn Model) {
    let mut driver = Driver::new(model);
    if !driver.limits.reuses_prefix {
        return;
    }
    let (long, other) = (prompt(model, 60, 30), prompt(model, 61, 9));
    for keep in [29, 16, 12, 1] {
        driver.truncate(0, 0);
        driver.feed(0, &long);
        driver.truncate(0, keep);
        let tokens = [&long[..keep as usize], &other].concat();
        let trace = Trace::of(model, &tokens, 2);
        trace.check(0, &driver.feed(0, &other));
        trace.check(1, &driver.feed(0, &trace.tokens[..1]));
        // What was generated can be taken back as well.
        driver.truncate(0, tokens.len() as u32);
        trace.check(1, &driver.feed(0, &trace.tokens[..1]));
        trace.check(2, &driver.feed(0, &trace.tokens[1..2]));
    }
}

/// A sequence that begins with another's prefix says what it would say had it computed all itself; also after the
/// other is gone.
pub fn sharing_equals_computing_again(model: &dyn Model) {
    let mut driver = Driver::new(model);
    if !driver.limits.reuses_prefix || driver.limits.slots < 2 {
        return;
    }
    let (donor, other) = (prompt(model, 70, 24), prompt(model, 71, 7));
    driver.feed(0, &donor);
    for len in [24, 17, 16, 1] {
        driver.share(0, 1, len);
        let trace = Trace::of(model, &[&donor[..len as usize], &other].concat(), 1);
        trace.check(0, &driver.feed(1, &other));
        trace.check(1, &driver.feed(1, &trace.tokens[..1]));
        driver.truncate(1, 0);
    }
    driver.share(0, 1, 20);
    driver.truncate(0, 0);
    // What takes the donor's place must not be seen.
    driver.feed(0, &prompt(model, 72, 24));
    let trace = Trace::of(model, &[&donor[..20], &other].concat(), 0);
    trace.check(0, &driver.feed(1, &other));
}

/// Two sequences with a common prefix go their own ways, in the same steps, and neither sees the other.
pub fn sharing_leaves_the_donor_intact(model: &dyn Model) {
    let mut driver = Driver::new(model);
    if !driver.limits.reuses_prefix || driver.limits.slots < 2 {
        return;
    }
    let (common, other) = (prompt(model, 80, 15), prompt(model, 81, 1));
    let donor = Trace::of(model, &common, 6);
    let sharer = Trace::of(model, &[&common[..], &other].concat(), 6);
    donor.check(0, &driver.feed(0, &common));
    driver.share(0, 1, 15);
    sharer.check(0, &driver.feed(1, &other));
    for step in 0..5 {
        let next = step..=step;
        let rows = driver
            .step(&[(0, &donor.tokens[next.clone()], true), (1, &sharer.tokens[next], true)])
            .expect("both in a step");
        donor.check(step + 1, &rows[0]);
        sharer.check(step + 1, &rows[1]);
    }
    driver.truncate(1, 15);
    driver.truncate(1, 0);
    donor.check(6, &driver.feed(0, &donor.tokens[5..6]));
}

/// A prefix that two sequences share takes its cells once.
pub fn a_shared_cell_counts_once(model: &dyn Model) {
    let mut driver = Driver::new(model);
    if !driver.limits.reuses_prefix || driver.limits.slots < 2 {
        return;
    }
    // More than half of all cells: there would be no room for them twice.
    let donor = prompt(model, 90, driver.longest() * 3 / 4);
    let trace = Trace::of(model, &donor, 4);
    trace.check(0, &driver.feed(0, &donor));
    driver.share(0, 1, donor.len() as u32);
    for step in 0..4 {
        for slot in [0, 1] {
            trace.check(step + 1, &driver.feed(slot, &trace.tokens[step..=step]));
        }
    }
}
