//! Normalisation of a row.
#![expect(clippy::inline_always, reason = "see simd.rs")]

use crate::elementwise::same_length;
use crate::matrix::{F32, Format};
use crate::simd::{Isa, Op, Simd};

/// `out = x / √(mean(x²) + epsilon) · weight`: Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019).
///
/// # Panics
/// If the lengths differ.
pub fn rms_norm(isa: Isa, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    out.copy_from_slice(x);
    rms_norm_in_place(isa, out, weight, epsilon);
}

/// As [`rms_norm`], to where `x` was.
///
/// # Panics
/// If the lengths differ.
pub fn rms_norm_in_place(isa: Isa, x: &mut [f32], weight: &[f32], epsilon: f32) {
    same_length(x.len(), weight.len());
    isa.run(Rms { x, weight, epsilon });
}

/// `x = (x - mean(x)) / √(variance(x) + epsilon) · weight + bias`: Ba, Kiros and Hinton, "Layer Normalization" (2016).
///
/// # Panics
/// If the lengths differ.
pub fn layer_norm_in_place(isa: Isa, x: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    same_length(x.len(), weight.len());
    same_length(x.len(), bias.len());
    isa.run(Layer { x, weight, bias, epsilon });
}

struct Rms<'a> {
    x: &'a mut [f32],
    weight: &'a [f32],
    epsilon: f32,
}

impl Op for Rms<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        let mean = squares_of_differences(simd, self.x, 0.0) / self.x.len() as f32;
        let factor = 1.0 / (mean + self.epsilon).sqrt();
        let (x, x_rest) = self.x.as_chunks_mut::<N>();
        let (weight, weight_rest) = self.weight.as_chunks::<N>();
        for (x, weight) in x.iter_mut().zip(weight) {
            simd.store(simd.mul(simd.mul(simd.load(x), simd.splat(factor)), simd.load(weight)), x);
        }
        for (x, weight) in x_rest.iter_mut().zip(weight_rest) {
            *x = *x * factor * weight;
        }
    }
}

struct Layer<'a> {
    x: &'a mut [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
}

impl Op for Layer<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        let mean = total(simd, self.x) / self.x.len() as f32;
        let variance = squares_of_differences(simd, self.x, mean) / self.x.len() as f32;
        let factor = 1.0 / (variance + self.epsilon).sqrt();
        let (x, x_rest) = self.x.as_chunks_mut::<N>();
        let (weight, weight_rest) = self.weight.as_chunks::<N>();
        let (bias, bias_rest) = self.bias.as_chunks::<N>();
        for ((x, weight), bias) in x.iter_mut().zip(weight).zip(bias) {
            let value = simd.mul(simd.sub(simd.load(x), simd.splat(mean)), simd.splat(factor));
            simd.store(simd.mul_add(value, simd.load(weight), simd.load(bias)), x);
        }
        for ((x, weight), bias) in x_rest.iter_mut().zip(weight_rest).zip(bias_rest) {
            *x = (*x - mean) * factor * weight + bias;
        }
    }
}

#[inline(always)]
fn total<S: Simd<N>, const N: usize>(simd: S, x: &[f32]) -> f32 {
    let (whole, rest) = x.as_chunks::<N>();
    let mut sum = F32::load_part(simd, rest);
    for lanes in whole {
        sum = simd.add(sum, simd.load(lanes));
    }
    simd.sum(sum)
}

/// The sum of `(x - mean)²`.
#[inline(always)]
fn squares_of_differences<S: Simd<N>, const N: usize>(simd: S, x: &[f32], mean: f32) -> f32 {
    let (whole, rest) = x.as_chunks::<N>();
    let middle = simd.splat(mean);
    let mut sum = simd.zero();
    for lanes in whole {
        let difference = simd.sub(simd.load(lanes), middle);
        sum = simd.mul_add(difference, difference, sum);
    }
    rest.iter().fold(simd.sum(sum), |sum, x| sum + (x - mean) * (x - mean))
}
