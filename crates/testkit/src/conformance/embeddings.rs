//! Vectors instead of scores.

use trillm_core::{Error, Model, Output, Pooling, SessionOptions};

use super::driver::{Driver, Part, assert_close, options, prompt};

/// Texts embedded in one step have the vectors that each has alone. An engine without embeddings must say so.
pub fn embeddings_in_a_batch_equal_one_by_one(model: &dyn Model) {
    let pipeline = model.info().pipeline.as_ref();
    let pooling = pipeline.map_or_else(|| vec![Pooling::Mean], |pipeline| pipeline.pooling.clone());
    let options = SessionOptions { output: Output::Embedding(pooling), ..options() };
    let mut driver = match Driver::with(model, &options) {
        Err(Error::Unsupported { .. }) => return,
        driver => driver.expect("a session for embeddings"),
    };
    assert_eq!(driver.limits.row, model.info().width, "length of an embedding");
    let texts: Vec<_> = (0..driver.limits.slots)
        .zip([12, 1, 30, 7])
        .map(|(slot, length)| prompt(model, 130 + u64::from(slot), length))
        .collect();
    let alone: Vec<_> = texts
        .iter()
        .map(|text| {
            let vector = driver.feed(0, text);
            driver.truncate(0, 0);
            vector
        })
        .collect();
    let parts: Vec<Part<'_>> = (0..).zip(&texts).map(|(slot, text)| (slot, text.as_slice(), true)).collect();
    let together = driver.step(&parts).expect("texts in one step");
    for (alone, together) in alone.iter().zip(&together) {
        assert_close(alone, together);
    }
    for pair in together.windows(2) {
        assert_ne!(pair[0], pair[1], "two texts have the same vector");
    }
}
