//! Rotary position embedding: by how much each pair of a head turns from one position to the next.
//!
//! Formulas: Su et al., "`RoFormer`" (2021); for longer contexts those of `modeling_rope_utils.py` of transformers.

use std::f32::consts::PI;

use trillm_core::{Result, memory};
use trillm_formats::huggingface::{Rope, RopeScaling};

/// The angles of one rotary embedding.
pub(crate) struct Rotation {
    /// Radians that each pair turns per position.
    frequencies: Vec<f32>,
    /// What sines and cosines are multiplied by.
    scale: f32,
    /// The sines and cosines of a step's rows, one row after the other.
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotation {
    /// For sequences of up to `context` tokens.
    pub(crate) fn new(rope: &Rope, context: u32) -> Self {
        let (frequencies, scale) = frequencies(rope, context);
        Self { frequencies, scale, cos: Vec::new(), sin: Vec::new() }
    }

    /// Cosines and sines of row `index`, one for each pair.
    pub(crate) fn row(&self, index: usize) -> (&[f32], &[f32]) {
        let pairs = self.frequencies.len();
        (&self.cos[index * pairs..][..pairs], &self.sin[index * pairs..][..pairs])
    }

    /// Computes the sines and cosines for `count` rows, at `positions`.
    pub(crate) fn set(&mut self, positions: impl Iterator<Item = u32> + Clone, count: usize) -> Result<()> {
        let Self { frequencies, scale, cos, sin } = self;
        for list in [&mut *cos, &mut *sin] {
            list.clear();
            memory::reserve(list, count * frequencies.len(), "the angles of a step")?;
        }
        for position in positions {
            for frequency in &*frequencies {
                let (s, c) = (position as f32 * frequency).sin_cos();
                cos.push(c * *scale);
                sin.push(s * *scale);
            }
        }
        Ok(())
    }
}

fn frequencies(rope: &Rope, context: u32) -> (Vec<f32>, f32) {
    let dimensions = rope.dimensions as f32;
    let pairs = rope.dimensions / 2;
    let plain = |pair: u32| rope.theta.powf(-((2 * pair) as f32) / dimensions);
    let map = |f: &dyn Fn(u32, f32) -> f32| (0..pairs).map(|pair| f(pair, plain(pair))).collect::<Vec<_>>();
    match &rope.scaling {
        RopeScaling::None | RopeScaling::Dynamic { .. } => (map(&|_, frequency| frequency), 1.0),
        RopeScaling::Linear { factor } => (map(&|_, frequency| frequency / factor), 1.0),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
            let original = *original_context as f32;
            let scaled = |_, frequency: f32| {
                let wavelength = 2.0 * PI / frequency;
                if wavelength < original / high_freq_factor {
                    frequency
                } else if wavelength > original / low_freq_factor {
                    frequency / factor
                } else {
                    let smooth = (original / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            };
            (map(&scaled), 1.0)
        }
        RopeScaling::Yarn { factor, attention_factor, beta_fast, beta_slow, original_context, truncate } => {
            let dimension = |rotations: f32| {
                let turns = *original_context as f32 / (rotations * 2.0 * PI);
                dimensions * turns.ln() / (2.0 * rope.theta.ln())
            };
            let (mut low, mut high) = (dimension(*beta_fast), dimension(*beta_slow));
            if *truncate {
                (low, high) = (low.floor(), high.ceil());
            }
            let (low, mut high) = (low.max(0.0), high.min(dimensions - 1.0));
            if low >= high {
                // As there: keeps the ramp from dividing by zero.
                high = low + 0.001;
            }
            let scaled = |pair: u32, frequency: f32| {
                let ramp = ((pair as f32 - low) / (high - low)).clamp(0.0, 1.0);
                frequency / factor * ramp + frequency * (1.0 - ramp)
            };
            (map(&scaled), *attention_factor)
        }
        RopeScaling::LongRope { short, long, attention_factor, original_context } => {
            let factors = if context > *original_context { long } else { short };
            let scaled = |pair: u32, frequency: f32| frequency / factors[pair as usize];
            (map(&scaled), *attention_factor)
        }
    }
}
