//! Rows of activations, as both kinds of product read them.
#![expect(clippy::inline_always, reason = "see simd.rs")]

/// Rows of activations.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) width: usize,
}

impl<'a> Inputs<'a> {
    /// Columns `from..to` of a row.
    #[inline(always)]
    pub(crate) fn part(&self, row: usize, from: usize, to: usize) -> &'a [f32] {
        &self.values[row * self.width + from..row * self.width + to]
    }
}
