//! Weights quantized while they are loaded, by candle's k-quants. They are this process's own memory then.

use std::thread;

use candle_core::quantized::GgmlType;
use candle_core::quantized::k_quants::{BlockQ4K, BlockQ8_0};
use trillm_core::{Error, Quantize, Result, memory};
use trillm_kernels::Compute;
use trillm_machine::default_threads;
use trillm_mapping::zeros;
use trillm_pool::Grid;

use crate::NAME;
use crate::compute::PRODUCT;
use crate::view::View;

/// A matrix in blocks.
pub(crate) enum Blocks {
    Q8_0(Table<BlockQ8_0>),
    Q4K(Table<BlockQ4K>),
}

/// Blocks, row after row.
pub(crate) struct Table<T> {
    blocks: Vec<T>,
    /// Blocks in a row.
    row: usize,
}

impl Blocks {
    /// `rows` rows of `columns` numbers in blocks of `wish`, or of a smaller kind where its rows are no multiple of a block; `None` if they are
    /// no multiple of any.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](trillm_core::Error::OutOfMemory).
    pub(crate) fn quantize(
        view: &View,
        rows: usize,
        columns: usize,
        wish: Quantize,
    ) -> Result<Option<(Self, Quantize)>> {
        let fits = |block: usize| columns.is_multiple_of(block);
        Ok(match wish {
            Quantize::Q4K if fits(BlockQ4K::BLCK_SIZE) => {
                Some((Self::Q4K(Table::new(view, rows, columns)?), Quantize::Q4K))
            }
            _ if fits(BlockQ8_0::BLCK_SIZE) => Some((Self::Q8_0(Table::new(view, rows, columns)?), Quantize::Q8_0)),
            _ => None,
        })
    }

    /// Row `index` as 32-bit numbers.
    pub(crate) fn row(&self, index: usize, out: &mut [f32]) {
        match self {
            Self::Q8_0(table) => GgmlType::to_float(table.row(index), out),
            Self::Q4K(table) => GgmlType::to_float(table.row(index), out),
        }
    }

    /// Multiplies each of the rows of `x` with this matrix: `outputs` numbers at `at` of each row of `out`, whose rows
    /// are `stride` apart.
    pub(crate) fn multiply(
        &self,
        compute: &mut Compute,
        outputs: usize,
        x: (&[f32], usize),
        out: (&mut [f32], usize, usize),
    ) -> Result<()> {
        match self {
            Self::Q8_0(table) => table.multiply(compute, outputs, x, out),
            Self::Q4K(table) => table.multiply(compute, outputs, x, out),
        }
    }
}

impl<T: GgmlType> Table<T> {
    fn new(view: &View, rows: usize, columns: usize) -> Result<Self> {
        let row = columns / T::BLCK_SIZE;
        let mut blocks = Vec::new();
        memory::resize(&mut blocks, rows * row, T::zeros(), "quantized weights")?;
        let share = rows.div_ceil(default_threads() as usize);
        thread::scope(|scope| {
            for (part, blocks) in blocks.chunks_mut(share * row).enumerate() {
                let work = move || {
                    let mut numbers = vec![0.0; columns];
                    for (index, blocks) in blocks.chunks_exact_mut(row).enumerate() {
                        view.row(part * share + index, columns, &mut numbers);
                        T::from_float(&numbers, blocks);
                    }
                };
                let started = thread::Builder::new().spawn_scoped(scope, work);
                started.map_err(|error| Error::no_compute_threads(NAME, part + 1, &error))?;
            }
            Ok(())
        })?;
        Ok(Self { blocks, row })
    }

    fn row(&self, index: usize) -> &[T] {
        &self.blocks[index * self.row..][..self.row]
    }

    fn multiply(
        &self,
        compute: &mut Compute,
        outputs: usize,
        (x, rows): (&[f32], usize),
        (out, stride, at): (&mut [f32], usize, usize),
    ) -> Result<()> {
        /// Columns of a tile.
        const COLUMNS: usize = 32;
        let columns = self.row * T::BLCK_SIZE;
        let inputs = columns / T::VecDotType::BLCK_SIZE;
        let mut quantized = Vec::new();
        memory::resize(&mut quantized, rows * inputs, T::VecDotType::zeros(), PRODUCT)?;
        for (x, blocks) in x.chunks_exact(columns).zip(quantized.chunks_exact_mut(inputs)) {
            T::VecDotType::from_float(x, blocks);
        }
        let mut product = zeros(rows * outputs, PRODUCT)?;
        let column_cuts: Vec<_> = (0..outputs).step_by(COLUMNS).chain([outputs]).collect();
        let grid = Grid { row_cuts: &[0, rows], column_cuts: &column_cuts };
        let mut nothing = vec![(); compute.pool.threads()];
        compute.pool.for_tiles(&mut product, grid, &mut nothing, |(), mut tile| {
            let first = tile.columns().start;
            for column in tile.columns() {
                let weights = self.row(column);
                for (row, x) in quantized.chunks_exact(inputs).enumerate() {
                    tile.row_mut(row)[column - first] = T::vec_dot(columns, weights, x);
                }
            }
        });
        for (out, product) in out.chunks_exact_mut(stride).zip(product.chunks_exact(outputs)) {
            out[at..][..outputs].copy_from_slice(product);
        }
        Ok(())
    }
}
