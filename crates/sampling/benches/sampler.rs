//! Microseconds for one token of a 150,000-token vocabulary: `cargo bench -p trillm-sampling`.
//!
//! Two kinds of rows, because what a sampler costs depends on them: `peaked` is like a language model's (a few tokens
//! hold most of the probability), `flat` is the worst case (most of the vocabulary is in the nucleus).
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use trillm_core::{SamplingParams, Token};
use trillm_sampling::Sampler;

const VOCABULARY: u32 = 150_000;
const ROUNDS: u32 = 400;

fn main() {
    let plain = SamplingParams { seed: Some(1), ..SamplingParams::default() };
    let cases = [
        ("greedy", SamplingParams { temperature: 0.0, ..plain.clone() }),
        (
            "greedy, penalties",
            SamplingParams { temperature: 0.0, repetition_penalty: 1.1, frequency_penalty: 0.5, ..plain.clone() },
        ),
        ("temperature 1", plain.clone()),
        ("top_p 0.95", SamplingParams { top_p: 0.95, ..plain.clone() }),
        ("top_p 0.5", SamplingParams { top_p: 0.5, ..plain.clone() }),
        ("min_p 0.05", SamplingParams { min_p: 0.05, ..plain.clone() }),
        ("top_k 40", SamplingParams { top_k: 40, ..plain.clone() }),
        ("top_k 40, top_p 0.95, min_p 0.05", SamplingParams { top_k: 40, top_p: 0.95, min_p: 0.05, ..plain.clone() }),
        ("top_k 2000", SamplingParams { top_k: 2000, ..plain.clone() }),
        ("typical 0.95", SamplingParams { typical_p: 0.95, ..plain.clone() }),
        ("top_p 0.95, logprobs 5", SamplingParams { top_p: 0.95, logprobs: Some(5), ..plain }),
    ];
    println!("{:34} {:>12} {:>12}", "microseconds (median)", "peaked", "flat");
    for (name, params) in cases {
        println!("{name:34} {:12.1} {:12.1}", time(&params, 3.0, 8.0), time(&params, 1.0, 0.0));
    }
}

/// The median time of one token over several rows of normally distributed scores, of which a few are `lifted`.
fn time(params: &SamplingParams, deviation: f32, lifted: f32) -> f64 {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let rows: Vec<Vec<f32>> = (0..4)
        .map(|_| {
            let mut row: Vec<f32> = (0..VOCABULARY).map(|_| deviation * normal(&mut random)).collect();
            for rank in 1..=20_u8 {
                let at = random.next_u64() as usize % row.len();
                row[at] += lifted + 10.0 / f32::from(rank);
            }
            row
        })
        .collect();
    let prompt: Vec<Token> = (0..64).map(Token).collect();
    let mut sampler = Sampler::new(params, &prompt, VOCABULARY).expect("room for a sampler");
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let row = &rows[round as usize % rows.len()];
        let start = Instant::now();
        black_box(sampler.sample(black_box(row))).ok();
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Nearly normal: twelve uniform numbers added up.
fn normal(random: &mut impl Rng) -> f32 {
    (0..12).map(|_| (random.next_u64() >> 40) as f32 / 16_777_216.0).sum::<f32>() - 6.0
}
