//! Which cells of the cache each slot holds, so that the planner knows exactly how many are free.
//!
//! Sharing a prefix makes two slots hold the same cells, which are free again when the last holder lets go. Adding up
//! lengths would count them twice and evict what need not go.

use trillm_core::Slot;

pub(crate) struct Ledger {
    /// For each slot the cells of its positions, in order.
    held: Vec<Vec<u32>>,
    /// For each cell how many slots hold it.
    holders: Vec<u16>,
    free: Vec<u32>,
}

impl Ledger {
    pub(crate) fn new(slots: u32, cells: u32) -> Self {
        Self {
            held: vec![Vec::new(); slots as usize],
            holders: vec![0; cells as usize],
            free: (0..cells).rev().collect(),
        }
    }

    /// Cells that no slot holds.
    pub(crate) fn free(&self) -> u32 {
        self.free.len() as u32
    }

    /// Cells that would be free if `slot` let go of everything.
    pub(crate) fn only_in(&self, slot: Slot) -> u32 {
        self.held[slot.0 as usize].iter().filter(|&&cell| self.holders[cell as usize] == 1).count() as u32
    }

    /// Cells held by no slot for which `busy` holds: free ones, and those that eviction would free.
    pub(crate) fn available(&self, busy: impl Fn(Slot) -> bool) -> u32 {
        let mut taken = vec![false; self.holders.len()];
        for (_, cells) in (0..).map(Slot).zip(&self.held).filter(|(slot, _)| busy(*slot)) {
            for &cell in cells {
                taken[cell as usize] = true;
            }
        }
        taken.iter().filter(|&&taken| !taken).count() as u32
    }

    /// Makes sure that `slot` can hold `len` cells without allocating.
    pub(crate) fn reserve(&mut self, slot: Slot, len: usize) {
        let held = &mut self.held[slot.0 as usize];
        held.reserve(len.saturating_sub(held.len()));
    }

    /// Gives `slot` `count` more cells; `false`, and no change, if there are not so many.
    pub(crate) fn extend(&mut self, slot: Slot, count: u32) -> bool {
        let Some(rest) = self.free.len().checked_sub(count as usize) else { return false };
        for cell in self.free.drain(rest..).rev() {
            self.holders[cell as usize] = 1;
            self.held[slot.0 as usize].push(cell);
        }
        true
    }

    /// Lets `slot` keep its first `keep` cells.
    pub(crate) fn truncate(&mut self, slot: Slot, keep: u32) {
        let cells = &mut self.held[slot.0 as usize];
        for cell in cells.drain((keep as usize).min(cells.len())..) {
            self.holders[cell as usize] -= 1;
            if self.holders[cell as usize] == 0 {
                self.free.push(cell);
            }
        }
    }

    /// Makes the empty slot `to` hold the first `len` cells of `from`.
    pub(crate) fn share(&mut self, from: Slot, to: Slot, len: u32) {
        for position in 0..len as usize {
            let cell = self.held[from.0 as usize][position];
            self.holders[cell as usize] += 1;
            self.held[to.0 as usize].push(cell);
        }
    }
}
