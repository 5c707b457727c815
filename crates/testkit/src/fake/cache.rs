//! A key-value cache whose cells each hold a digest of the text so far, where a real one's hold keys and values.

use trillm_core::{Error, Result, Slot};

use crate::random::mix;

/// What a cell holds: all that a prediction after it depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct State {
    /// A hash of every token up to this one.
    pub(super) hash: u64,
    /// How much of a script the text up to here ends with ([`Says::Text`](super::Says::Text)).
    pub(super) matched: u32,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    holders: u32,
    state: State,
}

/// Cells, and which of them each slot holds, in the order of positions.
pub(super) struct Cache {
    held: Vec<Vec<u32>>,
    cells: Vec<Cell>,
    free: Vec<u32>,
}

impl State {
    /// The hash after one more token.
    pub(super) fn next_hash(self, token: u32) -> u64 {
        mix(self.hash ^ mix(u64::from(token) + 1))
    }
}

impl Cache {
    pub(super) fn new(slots: u32, cells: u32, context: u32) -> Self {
        Self {
            // Room for the longest sequence from the start: a step never allocates.
            held: (0..slots).map(|_| Vec::with_capacity(context.min(cells) as usize)).collect(),
            cells: vec![Cell::default(); cells as usize],
            free: (0..cells).rev().collect(),
        }
    }

    pub(super) fn free(&self) -> usize {
        self.free.len()
    }

    pub(super) fn len(&self, slot: Slot) -> u32 {
        self.held[slot.0 as usize].len() as u32
    }

    /// The state after the last position of `slot`.
    pub(super) fn last(&self, slot: Slot) -> State {
        self.states(slot).next_back().unwrap_or_default()
    }

    /// The states of all positions of `slot`.
    pub(super) fn states(&self, slot: Slot) -> impl DoubleEndedIterator<Item = State> + ExactSizeIterator {
        self.held[slot.0 as usize].iter().map(|&cell| self.cells[cell as usize].state)
    }

    /// Adds a position to `slot`. The caller has made sure that a cell is free.
    pub(super) fn push(&mut self, slot: Slot, state: State) {
        let cell = self.free.pop().expect("a free cell");
        self.cells[cell as usize] = Cell { holders: 1, state };
        self.held[slot.0 as usize].push(cell);
    }

    pub(super) fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        let held = self.held.get_mut(slot.0 as usize).ok_or_else(|| misuse("truncates", slot))?;
        for cell in held.drain((keep as usize).min(held.len())..) {
            let holders = &mut self.cells[cell as usize].holders;
            *holders -= 1;
            if *holders == 0 {
                self.free.push(cell);
            }
        }
        Ok(())
    }

    pub(super) fn share(&mut self, from: Slot, to: Slot, len: u32) -> Result<()> {
        let held = self.held.get(from.0 as usize).filter(|held| held.len() >= len as usize);
        let prefix = held.ok_or_else(|| misuse("shares too much from", from))?[..len as usize].to_vec();
        let target = self.held.get_mut(to.0 as usize).filter(|held| held.is_empty());
        target.ok_or_else(|| misuse("shares into", to))?.extend_from_slice(&prefix);
        for cell in prefix {
            self.cells[cell as usize].holders += 1;
        }
        Ok(())
    }
}

fn misuse(what: &str, slot: Slot) -> Error {
    Error::Batch(format!("{what} slot {}, which is unknown, too short, or not empty", slot.0))
}
