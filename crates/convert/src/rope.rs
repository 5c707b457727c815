//! The divisors by which Llama 3.1 stretches its rotary wavelengths.
//!
//! `config.json` has four numbers, GGUF the divisors that follow from them (`rope_freqs.weight`, as
//! `LlamaModel.generate_extra_tensors` of llama.cpp's converter computes them). Back from the divisors, the four are
//! looked for: they are accepted only if they give the same divisors again.

use std::f64::consts::TAU;

use trillm_formats::huggingface::RopeScaling;

use crate::{Error, Result};

/// How far a divisor may be off, relative to it: converters compute in different precisions.
const TOLERANCE: f64 = 1e-4;

/// The divisor of each rotated pair.
pub(crate) fn llama3_divisors(theta: f32, dimensions: u32, scaling: &Llama3) -> Vec<f32> {
    let (low, high) = (f64::from(scaling.low_freq_factor), f64::from(scaling.high_freq_factor));
    let (factor, context) = (f64::from(scaling.factor), f64::from(scaling.original_context));
    wavelengths(theta, dimensions)
        .map(|wavelength| {
            if wavelength < context / high {
                1.0
            } else if wavelength > context / low {
                scaling.factor
            } else {
                let smooth = (context / wavelength - low) / (high - low);
                (1.0 / ((1.0 - smooth) / factor + smooth)) as f32
            }
        })
        .collect()
}

/// `RopeScaling::Llama3`, by itself.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Llama3 {
    pub(crate) factor: f32,
    pub(crate) low_freq_factor: f32,
    pub(crate) high_freq_factor: f32,
    pub(crate) original_context: u32,
}

/// The scaling that gives `divisors`.
pub(crate) fn llama3_scaling(theta: f32, dimensions: u32, divisors: &[f32]) -> Result<RopeScaling> {
    let factor = divisors.iter().copied().fold(1.0, f32::max);
    // All models known have these factors, and contexts that are powers of two.
    let found = (4..=20).map(|power| Llama3 {
        factor,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_context: 1 << power,
    });
    // Llama 3's own context first, for models with so few wavelengths that several contexts would do.
    let first = Llama3 { factor, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context: 8192 };
    let close = |scaling: &Llama3| {
        let expected = llama3_divisors(theta, dimensions, scaling);
        expected.len() == divisors.len()
            && expected.iter().zip(divisors).all(|(&expected, &found)| {
                (f64::from(expected) - f64::from(found)).abs() <= TOLERANCE * f64::from(expected)
            })
    };
    let scaling = std::iter::once(first).chain(found).find(close).ok_or_else(|| {
        Error::unsupported(
            "the tensor rope_freqs.weight",
            format!("{} divisors from {:?} to {factor}", divisors.len(), divisors.first()),
            "divisors as Llama 3.1's rope scaling gives them",
        )
    })?;
    let Llama3 { factor, low_freq_factor, high_freq_factor, original_context } = scaling;
    Ok(RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context })
}

/// Positions after which each pair is back where it began.
fn wavelengths(theta: f32, dimensions: u32) -> impl Iterator<Item = f64> {
    (0..dimensions / 2).map(move |pair| {
        // In 32 bits like the models that were trained with it, so that nothing changes sides at a boundary.
        let frequency = 1.0 / theta.powf(2.0 * pair as f32 / dimensions as f32);
        TAU / f64::from(frequency)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaling_is_found_again() {
        for (theta, dimensions, factor, original_context) in
            [(500_000.0, 128, 8.0, 8192), (500_000.0, 64, 32.0, 8192), (10_000.0, 64, 4.0, 2048)]
        {
            let scaling = Llama3 { factor, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context };
            let divisors = llama3_divisors(theta, dimensions, &scaling);
            assert_eq!([divisors[0], divisors[divisors.len() - 1]].map(f32::to_bits), [1.0, factor].map(f32::to_bits));
            let found = llama3_scaling(theta, dimensions, &divisors).unwrap();
            let RopeScaling::Llama3 { original_context: found_context, factor: found_factor, .. } = found else {
                panic!("{found:?}")
            };
            assert_eq!((found_factor.to_bits(), found_context), (factor.to_bits(), original_context));
        }
    }

    #[test]
    fn other_divisors_are_an_error() {
        assert!(llama3_scaling(10_000.0, 8, &[1.0, 1.5, 3.0, 1.0]).is_err());
        assert!(llama3_scaling(10_000.0, 8, &[1.0, 1.0]).is_err());
    }
}
