//! Graphs without a cache: every run computes a sequence from its beginning.

use trillm_core::{Limits, Slot, Token, memory};
use trillm_formats::onnx::Feed;

use super::Cache;
use crate::fault::{self, Fault};
use crate::feeds::{self, Layout, Row, Side};
use crate::ffi::{Graph, Tensor};

/// The tokens of each slot.
pub(crate) struct Whole(Vec<Vec<Token>>);

impl Whole {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self(vec![Vec::new(); limits.slots as usize])
    }
}

impl Cache for Whole {
    fn length(&self, slot: Slot) -> u32 {
        self.0[slot.0 as usize].len() as u32
    }

    fn group(&self, rows: &mut [Row<'_>]) -> Vec<usize> {
        // Rows of different lengths would have to be filled up, which costs as much as computing them.
        vec![1; rows.len()]
    }

    fn run(&mut self, graph: &mut Graph, feeds: &[Feed], rows: &mut [Row<'_>]) -> fault::Result<Option<Tensor>> {
        let [row] = rows else { return Err(Fault::new("rows together that `group` kept apart")) };
        let tokens = &mut self.0[row.slot.0 as usize];
        memory::reserve(tokens, row.tokens.len(), "the tokens of a sequence")?;
        tokens.extend_from_slice(row.tokens);
        if !row.wanted {
            return Ok(None);
        }
        let whole = [Row { start: 0, tokens, ..*row }];
        let layout = Layout { sequence: whole[0].end(), total: whole[0].end(), side: Side::Behind };
        let inputs = feeds::fill(feeds, &whole, layout)?;
        let outputs = graph.run(&inputs.iter().collect::<Vec<_>>(), &[None])?;
        Ok(outputs.into_iter().next())
    }

    fn truncate(&mut self, slot: Slot, keep: u32) {
        self.0[slot.0 as usize].truncate(keep as usize);
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) {
        self.0[to.0 as usize] = self.0[from.0 as usize][..len as usize].to_vec();
    }
}
