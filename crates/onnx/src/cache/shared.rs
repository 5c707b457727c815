//! One buffer for each tensor of the cache, input and output at once: a run writes new positions where they stay.
//!
//! This is the form of `GroupQueryAttention` (`past_present_share_buffer` of onnxruntime-genai). A row of a buffer is a
//! slot's, of any length: each row says how long it is by its mask. On the processor the operator takes several rows of
//! one token, or one row of several, and never both (onnxruntime, `group_query_attention_helper.h`).

use std::collections::HashMap;
use std::rc::Rc;

use trillm_core::{Error, Limits, Result, Slot};
use trillm_formats::onnx::{CacheTensor, Feed};

use super::Cache;
use super::seats::Seats;
use crate::element::width;
use crate::fault;
use crate::feeds::{self, Layout, Row, Side};
use crate::ffi::{Graph, Slab, Tensor};

/// Views of the buffers that are kept: one for each set of rows that ran lately.
const VIEWS: usize = 64;

/// The buffers, `[slots, heads, context, width]` each.
pub(crate) struct Shared {
    buffers: Vec<Buffer>,
    context: usize,
    lengths: Vec<u32>,
    seats: Seats,
    /// By first row and number of rows.
    views: HashMap<(usize, usize), Vec<Tensor>>,
}

struct Buffer {
    slab: Rc<Slab>,
    tensor: CacheTensor,
}

impl Buffer {
    /// Bytes of one position of one head.
    fn cell(&self) -> usize {
        self.tensor.width as usize * width(self.tensor.element)
    }

    /// Where the heads of a row begin, in bytes.
    fn heads(&self, row: usize, context: usize) -> impl Iterator<Item = usize> + use<> {
        let (heads, head) = (self.tensor.heads as usize, context * self.cell());
        (row * heads..(row + 1) * heads).map(move |index| index * head)
    }
}

impl Shared {
    pub(crate) fn new(tensors: &[CacheTensor], limits: &Limits) -> Result<Self> {
        let (slots, context) = (limits.slots as usize, limits.context as usize);
        let buffer = |tensor: &CacheTensor| {
            let parts = [slots, context, tensor.heads as usize, tensor.width as usize, width(tensor.element)];
            let bytes = parts.into_iter().try_fold(1usize, usize::checked_mul);
            let slab = bytes.and_then(|bytes| Slab::new(bytes).ok()).ok_or_else(|| {
                let what = format!("a cache of {slots} slots of {context} tokens");
                Error::OutOfMemory { what, bytes: bytes.map_or(u64::MAX, |bytes| bytes as u64) }
            })?;
            Ok(Buffer { slab, tensor: tensor.clone() })
        };
        Ok(Self {
            buffers: tensors.iter().map(buffer).collect::<Result<_>>()?,
            context,
            lengths: vec![0; slots],
            seats: Seats::new(limits.slots),
            views: HashMap::new(),
        })
    }

    /// Puts the rows side by side, in the order of their seats; gives the first seat.
    fn seat(&mut self, rows: &mut [Row<'_>]) -> usize {
        let slots: Vec<_> = rows.iter().map(|row| row.slot).collect();
        let (buffers, lengths, context) = (&self.buffers, &self.lengths, self.context);
        let first = self.seats.gather(&slots, |(one, from), (other, to)| {
            let positions = lengths[one.0 as usize].max(lengths[other.0 as usize]) as usize;
            for buffer in buffers {
                for (from, to) in buffer.heads(from, context).zip(buffer.heads(to, context)) {
                    buffer.slab.swap(from, to, positions * buffer.cell());
                }
            }
        });
        rows.sort_unstable_by_key(|row| self.seats.of(row.slot));
        first
    }

    /// The rows `first..first + count` of every buffer.
    fn view(&mut self, first: usize, count: usize) -> fault::Result<&[Tensor]> {
        if self.views.len() == VIEWS && !self.views.contains_key(&(first, count)) {
            self.views.clear();
        }
        match self.views.entry((first, count)) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let context = self.context;
                let part = |Buffer { slab, tensor }: &Buffer| {
                    let shape = [count as i64, tensor.heads.into(), context as i64, tensor.width.into()];
                    let row = tensor.heads as usize * context * tensor.width as usize * width(tensor.element);
                    Tensor::of_slab(slab, first * row, &shape, tensor.element)
                };
                Ok(entry.insert(self.buffers.iter().map(part).collect::<ort::Result<_>>()?))
            }
        }
    }
}

impl Cache for Shared {
    fn length(&self, slot: Slot) -> u32 {
        self.lengths[slot.0 as usize]
    }

    fn group(&self, rows: &mut [Row<'_>]) -> Vec<usize> {
        if rows.is_empty() { Vec::new() } else { vec![rows.len()] }
    }

    fn run(&mut self, graph: &mut Graph, feeds: &[Feed], rows: &mut [Row<'_>]) -> fault::Result<Option<Tensor>> {
        let first = self.seat(rows);
        let total = rows.iter().map(Row::end).max().unwrap_or(0);
        let layout = Layout { sequence: rows[0].tokens.len(), total, side: Side::Behind };
        let fed = feeds::fill(feeds, rows, layout)?;
        let cache = self.view(first, rows.len())?;
        let inputs: Vec<_> = fed.iter().chain(cache).collect();
        let outputs: Vec<_> = std::iter::once(None).chain(cache.iter().map(Some)).collect();
        let made = graph.run(&inputs, &outputs)?;
        for row in rows {
            self.lengths[row.slot.0 as usize] = row.end() as u32;
        }
        Ok(made.into_iter().next())
    }

    fn truncate(&mut self, slot: Slot, keep: u32) {
        let length = &mut self.lengths[slot.0 as usize];
        *length = keep.min(*length);
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) {
        let (source, target) = (self.seats.of(from), self.seats.of(to));
        for buffer in &self.buffers {
            for (from, to) in buffer.heads(source, self.context).zip(buffer.heads(target, self.context)) {
                buffer.slab.copy(from, to, len as usize * buffer.cell());
            }
        }
        self.lengths[to.0 as usize] = len;
    }
}
