//! A linear layer: one or more matrices with the same inputs, whose outputs stand side by side.

use trillm_core::Result;
use trillm_kernels::{Compute, Matrix, multiply};
use trillm_mapping::zeros;

use crate::compute::{PRODUCT, for_rows};
use crate::weights::{Operand, Weight};

/// Matrices that take the same inputs, and what is added to their outputs.
#[derive(Default)]
pub(crate) struct Linear {
    parts: Vec<Weight>,
    /// Empty, or one number for each output.
    bias: Vec<f32>,
}

/// The most matrices in one linear layer: queries, keys and values.
const MOST: usize = 3;

impl Linear {
    /// Adds a matrix at the end.
    pub(crate) fn push(&mut self, weight: Weight, bias: Option<Vec<f32>>) {
        self.bias.extend(bias.into_iter().flatten());
        self.parts.push(weight);
        debug_assert!(self.parts.len() <= MOST && [0, self.outputs()].contains(&self.bias.len()));
    }

    /// Numbers in a row of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.parts.iter().map(Weight::rows).sum()
    }

    /// Computes `out`, a row of outputs for each of the `rows` rows of `x`.
    pub(crate) fn run(&self, compute: &mut Compute, x: &[f32], rows: usize, out: &mut [f32]) -> Result<()> {
        forward(compute, &self.parts, x, rows, out)?;
        if !self.bias.is_empty() {
            for_rows(compute, out, self.outputs(), |_, row| {
                row.iter_mut().zip(&self.bias).for_each(|(number, bias)| *number += bias);
            });
        }
        Ok(())
    }
}

/// Multiplies `rows` rows of `x` with each of `parts`, at most three, whose outputs stand side by side in `out`.
pub(crate) fn forward(compute: &mut Compute, parts: &[Weight], x: &[f32], rows: usize, out: &mut [f32]) -> Result<()> {
    let mut plain = [Matrix::NONE; MOST];
    let mut count = 0;
    for part in parts {
        if let Operand::Plain(matrix) = part.operand() {
            plain[count] = matrix;
            count += 1;
        }
    }
    if count == parts.len() {
        multiply(compute, x, rows, &plain[..count], out);
        return Ok(());
    }
    let stride = out.len() / rows;
    let mut at = 0;
    for part in parts {
        match part.operand() {
            Operand::Plain(matrix) => {
                let mut own = zeros(rows * matrix.rows, PRODUCT)?;
                multiply(compute, x, rows, &[matrix], &mut own);
                for (out, own) in out.chunks_exact_mut(stride).zip(own.chunks_exact(matrix.rows)) {
                    out[at..][..own.len()].copy_from_slice(own);
                }
            }
            Operand::Quantized(blocks) => blocks.multiply(compute, part.rows(), (x, rows), (out, stride, at))?,
        }
        at += part.rows();
    }
    Ok(())
}
