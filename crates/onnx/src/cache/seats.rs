//! Where in a shared buffer each slot's row lies.
//!
//! A run takes rows that lie side by side. So slots move: when the ones that run change, as few rows as possible change
//! places, and whoever leaves the middle ends up just behind the others.

use trillm_core::Slot;

/// Which slot sits where. Both are numbered below the same count.
pub(crate) struct Seats {
    /// Indexed by slot.
    seats: Vec<usize>,
    /// Indexed by seat.
    sitting: Vec<Slot>,
}

impl Seats {
    pub(crate) fn new(count: u32) -> Self {
        Self { seats: (0..count as usize).collect(), sitting: (0..count).map(Slot).collect() }
    }

    /// The seat of `slot`.
    pub(crate) fn of(&self, slot: Slot) -> usize {
        self.seats[slot.0 as usize]
    }

    /// Seats `slots` side by side, and gives the first of their seats. `swap` is called with the two slots of each
    /// exchange and their seats before it.
    pub(crate) fn gather(&mut self, slots: &[Slot], mut swap: impl FnMut((Slot, usize), (Slot, usize))) -> usize {
        let mut taken = vec![false; self.seats.len()];
        for &slot in slots {
            taken[self.of(slot)] = true;
        }
        // The window in which the most of them sit already; the first of equals.
        let inside = |first: usize| taken[first..first + slots.len()].iter().filter(|taken| **taken).count();
        let windows = 0..=taken.len() - slots.len();
        let first = windows.rev().max_by_key(|&first| inside(first)).unwrap_or(0);
        let window = first..first + slots.len();
        let mut free = window.clone().filter(|&seat| !taken[seat]).collect::<Vec<_>>().into_iter();
        for &slot in slots {
            let from = self.of(slot);
            if window.contains(&from) {
                continue;
            }
            let Some(to) = free.next() else { break };
            let other = self.sitting[to];
            swap((slot, from), (other, to));
            self.sitting.swap(from, to);
            self.seats.swap(slot.0 as usize, other.0 as usize);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(seats: &mut Seats, slots: &[u32]) -> (usize, usize) {
        let slots: Vec<_> = slots.iter().copied().map(Slot).collect();
        let mut swaps = 0;
        let first = seats.gather(&slots, |(one, from), (other, to)| {
            assert_ne!((one, from), (other, to));
            swaps += 1;
        });
        let mut found: Vec<_> = slots.iter().map(|&slot| seats.of(slot)).collect();
        found.sort_unstable();
        assert_eq!(found, (first..first + slots.len()).collect::<Vec<_>>());
        (first, swaps)
    }

    #[test]
    fn nobody_moves_who_need_not() {
        let mut seats = Seats::new(8);
        assert_eq!(gather(&mut seats, &[2, 3, 4]), (2, 0));
        assert_eq!(gather(&mut seats, &[7]), (7, 0));
        assert_eq!(gather(&mut seats, &[0, 1, 2, 3, 4, 5, 6, 7]), (0, 0));
    }

    #[test]
    fn one_that_leaves_the_middle_costs_one_exchange_and_comes_back_for_none() {
        let mut seats = Seats::new(8);
        assert_eq!(gather(&mut seats, &[0, 1, 2, 3]), (0, 0));
        assert_eq!(gather(&mut seats, &[0, 2, 3]).1, 1);
        assert_eq!(gather(&mut seats, &[0, 1, 2, 3]).1, 0);
    }

    #[test]
    fn any_change_keeps_every_slot_in_one_seat() {
        let mut seats = Seats::new(6);
        for mask in (1u32..64).chain((1..64).rev()).step_by(5) {
            let slots: Vec<u32> = (0..6).filter(|slot| mask & (1 << slot) != 0).collect();
            gather(&mut seats, &slots);
            let mut all: Vec<_> = (0..6).map(|slot| seats.of(Slot(slot))).collect();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        }
    }
}
