//! Matrix products with weights that stay as the file has them.
//!
//! With few rows (a token for each of a few sequences) the weights are read from memory once and memory is what limits;
//! `stream` makes each weight serve all rows as it passes. With many rows (a prompt) arithmetic limits; `panel` widens
//! a block of weights once, in the order in which the arithmetic wants them, and uses it for all rows.
//!
//! Activations and sums are single precision in both, so what a row gives depends on its neighbours in the last bits
//! only.

use trillm_pool::{Grid, Tile};

use crate::compute::Compute;
use crate::inputs::Inputs;
use crate::matrix::{Bf16, F16, F32, Format, Matrix, Weights};
use crate::panel::{self, Panel};
use crate::simd::Isa;
use crate::stream;

/// `out[r] = x[r] · [part₀; part₁; …]ᵀ` for each of `rows` rows.
///
/// `x` is `rows` × k, where k is the columns of every part; `out` is `rows` × the sum of the parts' rows: the parts'
/// outputs side by side. All parts are computed in one parallel region.
///
/// # Panics
/// If the shapes do not fit: they are checked when a model is opened, so this is a mistake in the code.
pub fn multiply(compute: &mut Compute, x: &[f32], rows: usize, parts: &[Matrix<'_>], out: &mut [f32]) {
    let inputs = parts.first().map_or(0, |part| part.columns);
    check(x, rows, inputs, parts, out);
    if out.is_empty() || inputs == 0 {
        out.fill(0.0);
        return;
    }
    let many = rows >= panel::FEWEST_ROWS;
    let unit = if many { panel::VECTORS * compute.isa.lanes() } else { stream::UNIT };
    compute.plan.cut(parts, compute.pool.threads(), unit);
    let Compute { pool, isa, plan, panels } = compute;
    let grid = Grid { row_cuts: &[0, rows], column_cuts: &plan.cuts };
    pool.for_tiles(out, grid, panels, |panel, tile| {
        let (part, row) = plan.blocks[tile.column_index()];
        let range = row * inputs..(row + tile.columns().len()) * inputs;
        let x = Inputs { values: x, width: inputs };
        match parts[part].weights {
            Weights::F32(weights) => block::<F32>(*isa, x, &weights[range], tile, many.then_some(panel)),
            Weights::F16(weights) => block::<F16>(*isa, x, &weights[range], tile, many.then_some(panel)),
            Weights::Bf16(weights) => block::<Bf16>(*isa, x, &weights[range], tile, many.then_some(panel)),
        }
    });
}

/// One block of outputs; `weights` are those of the tile's columns.
fn block<F: Format>(isa: Isa, x: Inputs<'_>, weights: &[F::Bits], tile: Tile<'_>, panel: Option<&mut Panel>) {
    match panel {
        Some(panel) => isa.run(panel::Block::<F> { x, weights, tile, panel }),
        None => isa.run(stream::Block::<F> { x, weights, tile }),
    }
}

fn check(x: &[f32], rows: usize, inputs: usize, parts: &[Matrix<'_>], out: &[f32]) {
    assert!(x.len() == rows * inputs, "{} inputs, expected {rows} rows of {inputs}", x.len());
    let mut outputs = 0;
    for Matrix { weights, rows, columns } in parts {
        assert!(*columns == inputs, "a part has {columns} columns, the first has {inputs}");
        let found = weights.len();
        assert!(Some(found) == rows.checked_mul(*columns), "{found} weights, expected {rows} rows of {columns}");
        outputs += rows;
    }
    assert!(out.len() == rows * outputs, "room for {} outputs, expected {rows} rows of {outputs}", out.len());
}
