//! Everything at once, in any order.

use trillm_core::{Model, Token};

use super::driver::{Driver, Part, Trace};
use crate::random::Random;

/// Sequences that begin, grow by one token or several, pause, are cut, shared and forgotten in a random order hold what
/// they would hold had each been alone.
pub fn any_order_equals_each_alone(model: &dyn Model) {
    const ROUNDS: usize = 80;
    let mut driver = Driver::new(model);
    let slots = driver.limits.slots.min(5);
    let room = (driver.limits.cells / slots).min(driver.limits.context).min(48) as usize - 1;
    let vocabulary = model.tokenizer().vocabulary();
    let mut random = Random::new(150);
    let mut held = vec![Vec::<Token>::new(); slots as usize];
    for _ in 0..ROUNDS {
        let slot = random.below(slots);
        let length = held[slot as usize].len() as u32;
        match random.below(6) {
            0 => {
                let keep = if driver.limits.reuses_prefix { random.below(length + 1) } else { 0 };
                driver.truncate(slot, keep);
                held[slot as usize].truncate(keep as usize);
            }
            1 if driver.limits.reuses_prefix && slots > 1 => {
                let other = (slot + 1 + random.below(slots - 1)) % slots;
                driver.truncate(other, 0);
                let len = random.below(length + 1);
                driver.share(slot, other, len);
                held[other as usize] = held[slot as usize][..len as usize].to_vec();
            }
            _ => {
                let mut left = driver.limits.tokens_per_step as usize;
                let mut grown = Vec::new();
                for slot in (0..slots).filter(|_| random.below(3) > 0).collect::<Vec<_>>() {
                    let wanted = if random.below(3) == 0 { 2 + random.below(7) as usize } else { 1 };
                    let count = wanted.min(room.saturating_sub(held[slot as usize].len())).min(left);
                    left -= count;
                    let tokens: Vec<_> = (0..count).map(|_| Token(random.below(vocabulary))).collect();
                    grown.extend((count > 0).then_some((slot, tokens)));
                }
                let parts: Vec<Part<'_>> = grown.iter().map(|(slot, tokens)| (*slot, &tokens[..], true)).collect();
                driver.step(&parts).expect("a step within the limits");
                for (slot, tokens) in grown {
                    held[slot as usize].extend(tokens);
                }
            }
        }
    }
    for (slot, tokens) in (0..).zip(&mut held) {
        let next = Token(random.below(vocabulary));
        tokens.push(next);
        Trace::of(model, tokens, 0).check(0, &driver.feed(slot, &[next]));
    }
}
