//! From a vector for each token to one for each text.

use trillm_core::{Batch, Pooling};

/// Fills `out` with one vector of `width` numbers for each span of `batch` that asked, from `states`, one for each token.
pub(crate) fn pool(batch: &Batch, pooling: Pooling, states: &[f32], width: usize, out: &mut Vec<f32>) {
    out.clear();
    for span in batch.spans.iter().filter(|span| span.wants_output) {
        let states = &states[span.tokens.start * width..span.tokens.end * width];
        match pooling {
            Pooling::First => out.extend_from_slice(&states[..width]),
            Pooling::Last => out.extend_from_slice(&states[states.len() - width..]),
            Pooling::Mean => {
                let first = out.len();
                out.resize(first + width, 0.0);
                for state in states.chunks_exact(width) {
                    out[first..].iter_mut().zip(state).for_each(|(sum, number)| *sum += number);
                }
                let count = span.tokens.len() as f32;
                out[first..].iter_mut().for_each(|sum| *sum /= count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use trillm_core::{Slot, Token};

    use super::*;

    #[test]
    fn pools_each_span_that_asked() {
        let mut batch = Batch::default();
        batch.push(Slot(0), 0, &[Token(1), Token(2)], true);
        batch.push(Slot(1), 0, &[Token(3)], false);
        batch.push(Slot(2), 0, &[Token(4)], true);
        let states = [1.0, 2.0, 3.0, 6.0, 9.0, 9.0, 5.0, 7.0];
        let mut out = Vec::new();
        for (pooling, expected) in [
            (Pooling::Mean, [2.0, 4.0, 5.0, 7.0]),
            (Pooling::First, [1.0, 2.0, 5.0, 7.0]),
            (Pooling::Last, [3.0, 6.0, 5.0, 7.0]),
        ] {
            pool(&batch, pooling, &states, 2, &mut out);
            assert_eq!(out, expected, "{pooling:?}");
        }
    }
}
