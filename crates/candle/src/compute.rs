//! The threads that a session computes on, and what they do to every row of a matrix by itself: norms, activations,
//! rotations.

use trillm_core::{Error, Result, SessionOptions};
use trillm_kernels::Compute;
use trillm_machine::default_threads;
use trillm_pool::Grid;

use crate::NAME;

/// What memory for a part of a product is asked for as.
pub(crate) const PRODUCT: &str = "a product with a quantized matrix";

/// Starts the threads of a session.
pub(crate) fn start(options: &SessionOptions) -> Result<Compute> {
    let threads = options.threads.unwrap_or_else(default_threads);
    Compute::new(threads as usize).map_err(|error| Error::no_compute_threads(NAME, threads as usize, &error))
}

/// Numbers below which other threads would take longer to wake than the work takes.
const WORTH_SHARING: usize = 16_384;

/// Calls `work` with each row of `matrix`, and its index; on all threads if there is enough to do.
pub(crate) fn for_rows(
    compute: &mut Compute,
    matrix: &mut [f32],
    columns: usize,
    work: impl Fn(usize, &mut [f32]) + Sync,
) {
    let rows = matrix.len() / columns;
    if matrix.len() < WORTH_SHARING || compute.pool.threads() == 1 {
        return matrix.chunks_exact_mut(columns).enumerate().for_each(|(index, row)| work(index, row));
    }
    // A few blocks for each thread, so that one that is held up does not hold up all.
    let blocks = (4 * compute.pool.threads()).min(rows);
    let row_cuts: Vec<_> = (0..=blocks).map(|block| block * rows / blocks).collect();
    let grid = Grid { row_cuts: &row_cuts, column_cuts: &[0, columns] };
    let mut nothing = vec![(); compute.pool.threads()];
    compute.pool.for_tiles(matrix, grid, &mut nothing, |(), mut tile| {
        for row in tile.rows() {
            work(row, tile.row_mut(row));
        }
    });
}
