//! Once warm, sampling allocates nothing (unless log-probabilities are asked for: they are handed out in a box).

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use trillm_core::{SamplingParams, Token};
use trillm_sampling::Sampler;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all calls go to the system's allocator unchanged; counting touches only a thread-local cell that needs
// neither memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_sampler_does_not_allocate() {
    const VOCABULARY: u32 = 5000;
    // Different rows, some with many near-equal scores, so that lists grow and shrink.
    let rows: Vec<Vec<f32>> = (1..9_u32)
        .map(|k| (0..VOCABULARY).map(|i| (i * 7919 * k % 1009) as f32 / (30.0 * k as f32)).collect())
        .collect();
    let prompt: Vec<Token> = (0..200).map(Token).collect();
    let plain = SamplingParams { seed: Some(1), ..SamplingParams::default() };
    for params in [
        SamplingParams { temperature: 0.0, ..plain.clone() },
        plain.clone(),
        SamplingParams { top_k: 40, ..plain.clone() },
        SamplingParams { top_k: 4000, top_p: 0.9, ..plain.clone() },
        SamplingParams { top_p: 0.9, min_p: 0.01, ..plain.clone() },
        SamplingParams { typical_p: 0.9, top_p: 0.9, ..plain.clone() },
        SamplingParams {
            repetition_penalty: 1.2,
            presence_penalty: 0.5,
            frequency_penalty: 0.5,
            logit_bias: vec![(Token(1), 1.0)],
            ..plain
        },
    ] {
        let mut sampler = Sampler::new(&params, &prompt, VOCABULARY).unwrap();
        sampler.sample(&rows[0]).unwrap();
        let before = ALLOCATIONS.get();
        for round in 0..400 {
            sampler.sample(&rows[round % rows.len()]).unwrap();
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{params:?}");
    }
}
