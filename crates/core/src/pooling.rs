//! From a vector for each token to one for each text.

use crate::Batch;

/// How token vectors become one vector for a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pooling {
    /// The mean over all tokens.
    Mean,
    /// The first token's vector, as BERT's `[CLS]`.
    First,
    /// The last token's vector.
    Last,
}

impl Pooling {
    /// The name used in options and in `info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::First => "cls",
            Self::Last => "last",
        }
    }

    /// Appends the vector of one text to `out`; `states` has `width` numbers for each of its tokens.
    pub fn pool(self, states: &[f32], width: usize, out: &mut Vec<f32>) {
        match self {
            Self::First => out.extend_from_slice(&states[..width]),
            Self::Last => out.extend_from_slice(&states[states.len() - width..]),
            Self::Mean => {
                let first = out.len();
                out.resize(first + width, 0.0);
                for state in states.chunks_exact(width) {
                    out[first..].iter_mut().zip(state).for_each(|(sum, number)| *sum += number);
                }
                let count = (states.len() / width) as f32;
                out[first..].iter_mut().for_each(|sum| *sum /= count);
            }
        }
    }

    /// Fills `out` with one vector for each span of `batch` that asked; `states` has one for each token of the batch.
    pub fn pool_spans(self, batch: &Batch, states: &[f32], width: usize, out: &mut Vec<f32>) {
        out.clear();
        for span in batch.spans.iter().filter(|span| span.wants_output) {
            self.pool(&states[span.tokens.start * width..span.tokens.end * width], width, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Slot, Token};

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
            pooling.pool_spans(&batch, &states, 2, &mut out);
            assert_eq!(out, expected, "{pooling:?}");
        }
    }
}
