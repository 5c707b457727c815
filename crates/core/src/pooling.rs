//! From a vector for each token to one for each text.

use crate::Batch;

/// How token vectors become one vector for a text. The formulas are those of sentence-transformers 6.2
/// (`sentence_transformer/modules/pooling.py`), for texts that are not padded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pooling {
    /// The mean over all tokens.
    Mean,
    /// The first token's vector, as BERT's `[CLS]`.
    First,
    /// The last token's vector.
    Last,
    /// The largest number of all tokens, each place by itself.
    Max,
    /// The sum over all tokens, divided by the square root of their count.
    MeanSqrt,
    /// The mean over all tokens, each weighted by its position, counted from 1.
    WeightedMean,
}

impl Pooling {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Mean, Self::First, Self::Last, Self::Max, Self::MeanSqrt, Self::WeightedMean];

    /// The name used in options and in `info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::First => "cls",
            Self::Last => "last",
            Self::Max => "max",
            Self::MeanSqrt => "mean_sqrt_len",
            Self::WeightedMean => "weightedmean",
        }
    }

    /// What sentence-transformers takes where no file says how texts become vectors. Models made to predict the next token
    /// know the whole text at its last one only.
    pub fn unstated(predicts_next: bool) -> Self {
        if predicts_next { Self::Last } else { Self::Mean }
    }

    /// The way of this name, by ours or by the one that sentence-transformers has for it.
    pub fn of(name: &str) -> Option<Self> {
        let theirs = match name {
            "lasttoken" => "last",
            "mean_sqrt_len_tokens" => "mean_sqrt_len",
            other => other,
        };
        Self::ALL.into_iter().find(|way| way.name() == theirs)
    }

    /// Appends the vector of one text to `out`; `states` has `width` numbers for each of its tokens. The first `prompt`
    /// tokens are left out: the others keep their positions. Where none is left it is zero, but for the first one's.
    pub fn pool(self, states: &[f32], width: usize, prompt: usize, out: &mut Vec<f32>) {
        let pooled = &states[prompt * width..];
        if pooled.is_empty() {
            match self {
                Self::First => out.extend_from_slice(&states[..width]),
                _ => out.resize(out.len() + width, 0.0),
            }
            return;
        }
        let first = out.len();
        match self {
            Self::First => out.extend_from_slice(&pooled[..width]),
            Self::Last => out.extend_from_slice(&pooled[pooled.len() - width..]),
            Self::Max => {
                out.extend_from_slice(&pooled[..width]);
                for state in pooled.chunks_exact(width) {
                    out[first..].iter_mut().zip(state).for_each(|(most, number)| *most = most.max(*number));
                }
            }
            Self::Mean | Self::MeanSqrt | Self::WeightedMean => {
                out.resize(first + width, 0.0);
                let mut weights = 0.0;
                for (position, state) in pooled.chunks_exact(width).enumerate() {
                    let weight = if self == Self::WeightedMean { (prompt + position + 1) as f32 } else { 1.0 };
                    out[first..].iter_mut().zip(state).for_each(|(sum, number)| *sum += weight * number);
                    weights += weight;
                }
                let by = if self == Self::MeanSqrt { weights.sqrt() } else { weights };
                out[first..].iter_mut().for_each(|sum| *sum /= by);
            }
        }
    }

    /// Fills `out` with the vectors that `ways` make, side by side, for each span of `batch` that asked; `states` has
    /// one for each token of the batch.
    pub fn pool_spans(ways: &[Self], batch: &Batch, states: &[f32], width: usize, out: &mut Vec<f32>) {
        out.clear();
        for span in batch.spans.iter().filter(|span| span.wants_output) {
            let states = &states[span.tokens.start * width..span.tokens.end * width];
            for way in ways {
                way.pool(states, width, span.prompt as usize, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Passage, Slot, Token};

    #[test]
    fn pools_each_span_that_asked() {
        let mut batch = Batch::default();
        batch.push(Slot(0), 0, &[Token(1), Token(2)], true);
        batch.push(Slot(1), 0, &[Token(3)], false);
        batch.push(Slot(2), 0, &[Token(4)], true);
        let states = [1.0, 2.0, 3.0, 6.0, 9.0, 9.0, 5.0, 7.0];
        let mut out = Vec::new();
        for (way, expected) in [
            (Pooling::Mean, [2.0, 4.0, 5.0, 7.0]),
            (Pooling::First, [1.0, 2.0, 5.0, 7.0]),
            (Pooling::Last, [3.0, 6.0, 5.0, 7.0]),
            (Pooling::Max, [3.0, 6.0, 5.0, 7.0]),
            (Pooling::MeanSqrt, [4.0 / 2f32.sqrt(), 8.0 / 2f32.sqrt(), 5.0, 7.0]),
            (Pooling::WeightedMean, [7.0 / 3.0, 14.0 / 3.0, 5.0, 7.0]),
        ] {
            Pooling::pool_spans(&[way], &batch, &states, 2, &mut out);
            assert_eq!(out, expected, "{way:?}");
        }
        Pooling::pool_spans(&[Pooling::Max, Pooling::First], &batch, &states, 2, &mut out);
        assert_eq!(out, [3.0, 6.0, 1.0, 2.0, 5.0, 7.0, 5.0, 7.0]);
    }

    #[test]
    fn a_prompt_is_left_out_and_positions_stay() {
        let mut batch = Batch::default();
        let tokens = vec![Token(1), Token(2), Token(3), Token(4)];
        batch.push_text(Slot(0), &Passage { prompt: 2, ..Passage::new(tokens) });
        let states = [9.0, 9.0, 1.0, 4.0];
        let mut out = Vec::new();
        for (way, expected) in [
            (Pooling::Mean, 2.5),
            (Pooling::First, 1.0),
            (Pooling::Last, 4.0),
            (Pooling::Max, 4.0),
            (Pooling::MeanSqrt, 5.0 / 2f32.sqrt()),
            (Pooling::WeightedMean, (3.0 + 16.0) / 7.0),
        ] {
            Pooling::pool_spans(&[way], &batch, &states, 1, &mut out);
            assert_eq!(out, [expected], "{way:?}");
        }
    }

    #[test]
    fn where_nothing_is_left_a_vector_is_zero_or_the_first_token() {
        let mut batch = Batch::default();
        batch.push_text(Slot(0), &Passage { prompt: 2, ..Passage::new(vec![Token(1), Token(2)]) });
        let mut out = Vec::new();
        Pooling::pool_spans(&[Pooling::Mean, Pooling::First, Pooling::Last], &batch, &[1.0, 2.0], 1, &mut out);
        assert_eq!(out, [0.0, 1.0, 0.0]);
    }

    #[test]
    fn names_lead_back() {
        assert!(Pooling::ALL.iter().all(|way| Pooling::of(way.name()) == Some(*way)));
        assert_eq!(Pooling::of("lasttoken"), Some(Pooling::Last));
        assert_eq!(Pooling::of("mean_sqrt_len_tokens"), Some(Pooling::MeanSqrt));
        assert_eq!(Pooling::of("sum"), None);
    }
}
