//! The cache as the scheduler knows it: what every slot holds, who uses it, and what may go.
//!
//! A new request continues an idle slot in place if it extends all of it; else the prefix is shared into another, and
//! the engine counts the same cells for both (llama.cpp's unified cache, candle's pages). An ONNX slot has room of its
//! own, so nothing is short of cells there.

use trillm_core::{Result, Session, Slot, Token, memory};

use crate::ledger::Ledger;

/// One slot's content. It outlives the request that computed it, as a prefix for later ones.
#[derive(Clone, Default)]
struct Content {
    tokens: Vec<Token>,
    salt: u64,
    /// When it was last in use, in ticks of [`Slots::clock`].
    used: u64,
}

pub(crate) struct Slots {
    contents: Vec<Content>,
    ledger: Ledger,
    clock: u64,
    /// Whether the engine can keep a part of a slot, or lend it to another.
    reuses_prefix: bool,
}

/// A slot that holds the first `len` tokens of a new sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Donor {
    slot: Slot,
    len: u32,
}

impl Slots {
    pub(crate) fn new(slots: u32, cells: u32, reuses_prefix: bool) -> Self {
        Self {
            contents: vec![Content::default(); slots as usize],
            ledger: Ledger::new(slots, cells),
            clock: 0,
            reuses_prefix,
        }
    }

    pub(crate) fn len(&self, slot: Slot) -> u32 {
        self.contents[slot.0 as usize].tokens.len() as u32
    }

    pub(crate) fn has_idle(&self) -> bool {
        self.idle().next().is_some()
    }

    /// Slots that no sequence uses, with what they hold.
    fn idle(&self) -> impl Iterator<Item = (Slot, &Content)> {
        (0..).map(Slot).zip(&self.contents).filter(|(slot, _)| !self.ledger.is_busy(*slot))
    }

    /// Cells that no slot holds.
    pub(crate) fn free_cells(&self) -> u32 {
        self.ledger.free()
    }

    /// Cells that are free, or would be if every idle slot were evicted.
    pub(crate) fn available_cells(&self) -> u32 {
        self.ledger.available()
    }

    /// Takes an idle slot for a sequence and fills it with as much of `tokens` as some slot already holds. At least one
    /// token is left to compute, for its scores. `length` is how long it may become. Returns the slot and the number of
    /// tokens found; `None` if all are busy.
    pub(crate) fn take(
        &mut self,
        session: &mut dyn Session,
        tokens: &[Token],
        length: usize,
        salt: u64,
    ) -> Result<Option<(Slot, u32)>> {
        if !self.has_idle() {
            return Ok(None);
        }
        let donor = self.donor(&tokens[..tokens.len() - 1], salt);
        let slot = self.place(donor);
        // First, so that nothing has changed if there is no memory.
        let held = &mut self.contents[slot.0 as usize].tokens;
        memory::reserve(held, length.saturating_sub(held.len()), "the tokens of a request")?;
        self.ledger.reserve(slot, length)?;
        let found = match donor {
            Some(donor) if donor.slot == slot => {
                self.keep(session, slot, donor.len)?;
                donor.len
            }
            Some(donor) => {
                self.keep(session, slot, 0)?;
                session.share(donor.slot, slot, donor.len)?;
                self.ledger.share(donor.slot, slot, donor.len);
                let mut held = std::mem::take(&mut self.contents[slot.0 as usize].tokens);
                held.extend_from_slice(&self.contents[donor.slot.0 as usize].tokens[..donor.len as usize]);
                self.contents[slot.0 as usize].tokens = held;
                donor.len
            }
            None => {
                self.keep(session, slot, 0)?;
                0
            }
        };
        self.ledger.set_busy(slot, true);
        let content = &mut self.contents[slot.0 as usize];
        content.salt = salt;
        Ok(Some((slot, found)))
    }

    /// The slot with the longest common prefix with `tokens`, under the same salt.
    fn donor(&self, tokens: &[Token], salt: u64) -> Option<Donor> {
        let common = |content: &Content| content.tokens.iter().zip(tokens).take_while(|(a, b)| a == b).count() as u32;
        (0..)
            .map(Slot)
            .zip(&self.contents)
            .filter(|(_, content)| self.reuses_prefix && content.salt == salt)
            .map(|(slot, content)| Donor { slot, len: common(content) })
            .filter(|donor| donor.len > 0)
            // Among equals an idle one, which may be continued in place.
            .max_by_key(|donor| (donor.len, !self.ledger.is_busy(donor.slot)))
    }

    /// The idle slot that a new sequence costs least: one that it continues, an empty one, or else the one with the
    /// fewest cells that no other slot holds, so that the last copy of a prefix goes last; the least recently used of
    /// equals.
    fn place(&self, donor: Option<Donor>) -> Slot {
        if let Some(donor) = donor
            && !self.ledger.is_busy(donor.slot)
            && self.len(donor.slot) == donor.len
        {
            return donor.slot;
        }
        self.idle()
            .min_by_key(|(slot, content)| (self.ledger.only_in(*slot), content.used))
            .map_or(Slot(0), |(slot, _)| slot)
    }

    /// Records that `tokens` were computed into `slot`.
    pub(crate) fn extend(&mut self, slot: Slot, tokens: &[Token]) {
        let extended = self.ledger.extend(slot, tokens.len() as u32);
        debug_assert!(extended, "the planner gave out cells that are not there");
        self.contents[slot.0 as usize].tokens.extend_from_slice(tokens);
    }

    /// Ends the use of `slot`; what it holds stays, for a later sequence to find.
    pub(crate) fn release(&mut self, slot: Slot) {
        self.clock += 1;
        self.ledger.set_busy(slot, false);
        let content = &mut self.contents[slot.0 as usize];
        content.used = self.clock;
    }

    /// Forgets everything beyond the first `len` tokens of `slot`.
    pub(crate) fn keep(&mut self, session: &mut dyn Session, slot: Slot, len: u32) -> Result<()> {
        if self.len(slot) > len {
            session.truncate(slot, len)?;
            self.ledger.truncate(slot, len);
            self.contents[slot.0 as usize].tokens.truncate(len as usize);
        }
        Ok(())
    }

    /// Empties idle slots, those that cost least first, until `cells` are free or none is left.
    pub(crate) fn evict(&mut self, session: &mut dyn Session, cells: u32) -> Result<()> {
        while self.ledger.free() < cells {
            let victim = self
                .idle()
                .filter(|(_, content)| !content.tokens.is_empty())
                .min_by_key(|(_, content)| content.used)
                .map(|(slot, _)| slot);
            let Some(slot) = victim else { return Ok(()) };
            self.keep(session, slot, 0)?;
        }
        Ok(())
    }
}
