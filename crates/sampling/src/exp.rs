//! An exponential that the compiler can vectorise.
//!
//! The standard one is a call for each element: about a millisecond for a vocabulary of 150,000.

use std::f32::consts::LOG2_E;

/// Below this the result is taken as zero: near the smallest normal number, 1.2e-38.
const SMALLEST: f32 = -87.0;

/// 1.5 · 2²³. Adding it leaves a small number's nearest integer in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;

/// The part of ln 2 that `n` times is exact in single precision for |n| < 2¹⁰, and the rest (Cody and Waite).
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// e to the power `x`, for `x` at most zero; zero below -87. The relative error is at most 2e-7.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2; e^r is a polynomial (the coefficients are those of Cephes' `expf`), and 2ⁿ is
/// added to its exponent. Not fused on purpose: every machine gets the same bits.
#[inline]
pub(crate) fn exp(x: f32) -> f32 {
    let kept = if x > SMALLEST { x } else { SMALLEST };
    let shifted = kept * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = kept - n * LN_2_HIGH - n * LN_2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * (r * r) + r + 1.0;
    let power = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
    if x > SMALLEST { power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_exact_exponential() {
        for step in 0..870_000_u32 {
            let x = step as f32 * -1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2e-7, "e^{x}: relative error {error}");
        }
    }

    #[test]
    fn ends_are_exact() {
        assert_eq!(exp(0.0).to_bits(), 1.0_f32.to_bits());
        assert_eq!(exp(-87.0).to_bits(), 0);
        assert_eq!(exp(f32::MIN).to_bits(), 0);
        assert_eq!(exp(f32::NEG_INFINITY).to_bits(), 0);
    }
}
