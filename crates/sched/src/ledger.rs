//! Which cells of the cache each slot holds, so that the planner knows exactly how many are free.
//!
//! Sharing a prefix makes two slots hold the same cells, which are free again when the last holder lets go. Adding up
//! lengths would count them twice and evict what need not go.

use trillm_core::{Result, Slot, memory};

pub(crate) struct Ledger {
    /// For each slot the cells of its positions, in order.
    held: Vec<Vec<u32>>,
    /// For each slot whether a sequence uses it.
    busy: Vec<bool>,
    /// Those that were ever in use. Cells are numbered as they come into use, so that a cache of a million tokens costs
    /// nothing here before it has them.
    cells: Vec<Cell>,
    /// Cells that were in use and are no more.
    free: Vec<u32>,
    /// How many cells there are in all.
    all: u32,
    /// Cells that some busy slot holds. Kept rather than counted: it is asked at every step while a request waits.
    in_use: u32,
}

/// How many slots hold a cell, and how many of those are busy.
#[derive(Clone, Copy, Default)]
struct Cell {
    holders: u16,
    busy: u16,
}

impl Ledger {
    pub(crate) fn new(slots: u32, cells: u32) -> Self {
        Self {
            held: vec![Vec::new(); slots as usize],
            busy: vec![false; slots as usize],
            cells: Vec::new(),
            free: Vec::new(),
            all: cells,
            in_use: 0,
        }
    }

    /// Cells that were never in use.
    fn fresh(&self) -> u32 {
        self.all - self.cells.len() as u32
    }

    /// Cells that no slot holds.
    pub(crate) fn free(&self) -> u32 {
        self.free.len() as u32 + self.fresh()
    }

    /// Cells that no busy slot holds: free ones, and those that eviction would free.
    pub(crate) fn available(&self) -> u32 {
        self.all - self.in_use
    }

    /// Cells that would be free if `slot` let go of everything.
    pub(crate) fn only_in(&self, slot: Slot) -> u32 {
        self.held[slot.0 as usize].iter().filter(|&&cell| self.cells[cell as usize].holders == 1).count() as u32
    }

    pub(crate) fn is_busy(&self, slot: Slot) -> bool {
        self.busy[slot.0 as usize]
    }

    /// Says whether a sequence uses `slot`.
    pub(crate) fn set_busy(&mut self, slot: Slot, busy: bool) {
        if std::mem::replace(&mut self.busy[slot.0 as usize], busy) == busy {
            return;
        }
        for &cell in &self.held[slot.0 as usize] {
            let cell = &mut self.cells[cell as usize];
            if busy {
                self.in_use += u32::from(cell.busy == 0);
                cell.busy += 1;
            } else {
                cell.busy -= 1;
                self.in_use -= u32::from(cell.busy == 0);
            }
        }
    }

    /// Makes sure that `slot` can hold `len` cells without allocating.
    ///
    /// # Errors
    /// [`OutOfMemory`](trillm_core::Error::OutOfMemory).
    pub(crate) fn reserve(&mut self, slot: Slot, len: usize) -> Result<()> {
        const WHAT: &str = "the cells of a request";
        let held = &mut self.held[slot.0 as usize];
        memory::reserve(held, len.saturating_sub(held.len()), WHAT)?;
        // What all slots may come to hold; and all of it may come back before any is used again.
        let most = self.held.iter().map(Vec::capacity).sum::<usize>().min(self.all as usize);
        let (cells, free) = (most.saturating_sub(self.cells.len()), most.saturating_sub(self.free.len()));
        memory::reserve(&mut self.cells, cells, WHAT)?;
        memory::reserve(&mut self.free, free, WHAT)
    }

    /// Gives `slot` `count` more cells; `false`, and no change, if there are not so many.
    pub(crate) fn extend(&mut self, slot: Slot, count: u32) -> bool {
        if self.free() < count {
            return false;
        }
        let busy = self.busy[slot.0 as usize];
        let taken = Cell { holders: 1, busy: u16::from(busy) };
        let held = &mut self.held[slot.0 as usize];
        let rest = self.free.len().saturating_sub(count as usize);
        let used = self.free.len() - rest;
        for cell in self.free.drain(rest..).rev() {
            self.cells[cell as usize] = taken;
            held.push(cell);
        }
        for _ in used..count as usize {
            held.push(self.cells.len() as u32);
            self.cells.push(taken);
        }
        self.in_use += if busy { count } else { 0 };
        true
    }

    /// Lets `slot` keep its first `keep` cells.
    pub(crate) fn truncate(&mut self, slot: Slot, keep: u32) {
        let busy = self.busy[slot.0 as usize];
        let held = &mut self.held[slot.0 as usize];
        for index in held.drain((keep as usize).min(held.len())..) {
            let cell = &mut self.cells[index as usize];
            cell.holders -= 1;
            if busy {
                cell.busy -= 1;
                self.in_use -= u32::from(cell.busy == 0);
            }
            if cell.holders == 0 {
                self.free.push(index);
            }
        }
    }

    /// Makes the empty slot `to` hold the first `len` cells of `from`.
    pub(crate) fn share(&mut self, from: Slot, to: Slot, len: u32) {
        let busy = self.busy[to.0 as usize];
        for position in 0..len as usize {
            let index = self.held[from.0 as usize][position];
            let cell = &mut self.cells[index as usize];
            cell.holders += 1;
            if busy {
                self.in_use += u32::from(cell.busy == 0);
                cell.busy += 1;
            }
            self.held[to.0 as usize].push(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const SLOTS: u32 = 4;
    const CELLS: u32 = 40;

    #[derive(Clone, Debug)]
    enum Change {
        Extend(u32, u32),
        Truncate(u32, u32),
        Share(u32, u32, u32),
        Busy(u32, bool),
    }

    fn change() -> impl Strategy<Value = Change> {
        let slot = || 0..SLOTS;
        prop_oneof![
            (slot(), 0..12u32).prop_map(|(slot, count)| Change::Extend(slot, count)),
            (slot(), 0..12u32).prop_map(|(slot, keep)| Change::Truncate(slot, keep)),
            (slot(), slot(), 0..12u32).prop_map(|(from, to, len)| Change::Share(from, to, len)),
            (slot(), any::<bool>()).prop_map(|(slot, busy)| Change::Busy(slot, busy)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_counting_gives(changes in prop::collection::vec(change(), 0..60)) {
            let mut ledger = Ledger::new(SLOTS, CELLS);
            for change in changes {
                match change {
                    Change::Extend(slot, count) => {
                        let enough = ledger.free() >= count;
                        prop_assert_eq!(ledger.extend(Slot(slot), count), enough);
                    }
                    Change::Truncate(slot, keep) => ledger.truncate(Slot(slot), keep),
                    Change::Share(from, to, len) if from != to => {
                        ledger.truncate(Slot(to), 0);
                        ledger.share(Slot(from), Slot(to), len.min(ledger.held[from as usize].len() as u32));
                    }
                    Change::Share(..) => {}
                    Change::Busy(slot, busy) => ledger.set_busy(Slot(slot), busy),
                }
                let held: HashSet<u32> = ledger.held.iter().flatten().copied().collect();
                let slots = ledger.held.iter().zip(&ledger.busy);
                let in_use: HashSet<u32> = slots.filter(|(_, busy)| **busy).flat_map(|(held, _)| held).copied().collect();
                prop_assert_eq!(ledger.free(), CELLS - held.len() as u32);
                prop_assert_eq!(ledger.available(), CELLS - in_use.len() as u32);
                prop_assert!(ledger.free.iter().all(|cell| !held.contains(cell)));
            }
        }
    }
}
