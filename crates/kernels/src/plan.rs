//! How the outputs of a product are cut into blocks for threads.
//!
//! Blocks begin large and become smaller: a long run of weights is read fastest, and small ones at the end let all
//! threads finish together, whatever else the machine does meanwhile.

use crate::matrix::Matrix;

/// The least to read for one block. At some 10 GB/s a thread, this takes 1.6 µs; handing a block out takes 0.1.
const LEAST_BYTES: usize = 16 << 10;

/// Cuts, and where each block's weights are. Kept between calls, so that planning allocates nothing once warm.
#[derive(Default)]
pub(crate) struct Plan {
    /// Cuts through the outputs of all parts side by side.
    pub(crate) cuts: Vec<usize>,
    /// For each block, its part and its first row there.
    pub(crate) blocks: Vec<(usize, usize)>,
}

impl Plan {
    /// Cuts `parts` for `threads` threads into blocks of a multiple of `unit` outputs (less at the end of a part).
    pub(crate) fn cut(&mut self, parts: &[Matrix<'_>], threads: usize, unit: usize) {
        self.cuts.clear();
        self.cuts.push(0);
        self.blocks.clear();
        let mut left: usize = parts.iter().map(|part| part.rows).sum();
        let mut end = 0;
        for (index, part) in parts.iter().enumerate() {
            let least = LEAST_BYTES.div_ceil((part.columns * part.weights.size()).max(1));
            let mut row = 0;
            while row < part.rows {
                let fair = left / (2 * threads);
                let size = fair.max(least).next_multiple_of(unit).min(part.rows - row);
                self.blocks.push((index, row));
                row += size;
                end += size;
                left -= size;
                self.cuts.push(end);
            }
        }
    }
}
