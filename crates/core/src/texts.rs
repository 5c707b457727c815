//! The slots of a session that embeds.

use crate::{Batch, Error, Limits, Result, Slot};

/// Who was given a text in the last steps. A text comes in one step and nothing of it is kept but its length, for the
/// contract of [`Session`](crate::Session).
pub struct Texts {
    limits: Limits,
    /// Positions that each slot was given, and nobody will come back to.
    lengths: Vec<u32>,
}

impl Texts {
    /// Empty slots within these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, lengths: vec![0; limits.slots as usize] }
    }

    /// What a step may hold.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Checks that a batch is within the limits, and that its texts are whole.
    ///
    /// # Errors
    /// [`Error::Batch`].
    pub fn check(&self, batch: &Batch, vocabulary: u32) -> Result<()> {
        self.limits.check(batch, |slot| self.lengths[slot.0 as usize], vocabulary)?;
        batch.check_whole()
    }

    /// Notes that the texts of a checked batch were computed.
    pub fn hold(&mut self, batch: &Batch) {
        for span in &batch.spans {
            self.lengths[span.slot.0 as usize] = span.tokens.len() as u32;
        }
    }

    /// As [`Session::truncate`](crate::Session::truncate).
    ///
    /// # Errors
    /// [`Error::Batch`], or [`Error::Unsupported`] if a part of a text is to be kept.
    pub fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        self.limits.check_slot(slot)?;
        let length = &mut self.lengths[slot.0 as usize];
        if keep > 0 && keep < *length {
            let what = format!("keeping {keep} of {length} positions");
            return Err(Error::Unsupported { what, by: "an encoder".into() });
        }
        *length = (*length).min(keep);
        Ok(())
    }

    /// As [`Session::share`](crate::Session::share), which there is nothing for.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn share(&self) -> Result<()> {
        Err(Error::Unsupported { what: "sharing a prefix".into(), by: "an encoder".into() })
    }
}
