//! How earlier positions are kept: in the three forms that graphs have.

mod grown;
mod seats;
mod shared;
mod whole;

use trillm_core::Slot;
use trillm_formats::onnx::Feed;

use crate::fault;
use crate::feeds::Row;
use crate::ffi::{Graph, Tensor};

pub(crate) use grown::Grown;
pub(crate) use shared::Shared;
pub(crate) use whole::Whole;

/// The positions that slots hold, in the form that a graph takes and gives them.
pub(crate) trait Cache {
    /// Positions that `slot` holds.
    fn length(&self, slot: Slot) -> u32;

    /// Sorts rows of one token each so that those that are worth computing together stand together; gives the number of
    /// rows in each run.
    fn group(&self, rows: &mut [Row<'_>]) -> Vec<usize>;

    /// Computes several rows of one token, or one row of any number. Gives the graph's first output, whose rows are
    /// those of `rows` in the order that they come back in; `None` if nothing had to be computed.
    ///
    /// # Errors
    /// The runtime's. The slots of `rows` hold nothing of use then.
    fn run(&mut self, graph: &mut Graph, feeds: &[Feed], rows: &mut [Row<'_>]) -> fault::Result<Option<Tensor>>;

    /// Forgets positions `keep..` of `slot`.
    fn truncate(&mut self, slot: Slot, keep: u32);

    /// Makes the first `len` positions of `from` those of `to`, which holds none.
    fn share(&mut self, from: Slot, to: Slot, len: u32);
}
