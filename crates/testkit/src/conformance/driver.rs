//! Drives a session as the scheduler does, and keeps what it said to compare with.

use trillm_core::{Batch, Limits, Model, Result, Session, SessionOptions, Slot, Token};

use crate::random::Random;

/// How far two rows for the same tokens may be apart, as a share of the row's spread (largest less smallest number):
/// kernels add up in another order for other batch sizes, and caches of 16-bit floats round the difference up.
pub const TOLERANCE: f32 = 0.01;

/// How much better than the second the best token must be, as a share of the spread, to be the same in both rows.
pub const CLEAR_LEAD: f32 = 2.0 * TOLERANCE;

/// Small, so that every limit can be reached in a moment.
pub(super) fn options() -> SessionOptions {
    SessionOptions {
        context: Some(256),
        parallel: 4,
        threads: Some(1),
        batch: 64,
        ubatch: 32,
        ..SessionOptions::default()
    }
}

/// `length` token ids, the same for the same seed.
pub(super) fn prompt(model: &dyn Model, seed: u64, length: usize) -> Vec<Token> {
    let mut random = Random::new(seed);
    (0..length).map(|_| Token(random.below(model.tokenizer().vocabulary()))).collect()
}

/// The tokens of one span: its slot, what to add to it, whether its row is wanted.
pub(super) type Part<'t> = (u32, &'t [Token], bool);

/// A session, and how much each of its slots holds.
pub(super) struct Driver<'m> {
    pub(super) session: Box<dyn Session + 'm>,
    pub(super) limits: Limits,
    vocabulary: u32,
    lengths: Vec<u32>,
    batch: Batch,
}

/// What a model says to a prompt when it runs alone: the scores after it and after each token that follows, and the
/// best token of each.
pub(super) struct Trace {
    pub(super) rows: Vec<Vec<f32>>,
    pub(super) tokens: Vec<Token>,
}

impl Trace {
    /// Runs `prompt` and `steps` more tokens alone, in a session of its own.
    pub(super) fn of(model: &dyn Model, prompt: &[Token], steps: usize) -> Self {
        let mut driver = Driver::new(model);
        let mut trace = Self { rows: Vec::new(), tokens: Vec::new() };
        let mut row = driver.feed(0, prompt);
        for _ in 0..steps {
            let token = best(&row);
            trace.rows.push(row);
            trace.tokens.push(token);
            row = driver.feed(0, &[token]);
        }
        trace.tokens.push(best(&row));
        trace.rows.push(row);
        trace
    }

    /// Checks that `row` is what was said after `step` tokens.
    #[track_caller]
    pub(super) fn check(&self, step: usize, row: &[f32]) {
        assert_close(&self.rows[step], row);
    }
}

impl<'m> Driver<'m> {
    pub(super) fn new(model: &'m dyn Model) -> Self {
        Self::with(model, &options()).expect("a session")
    }

    pub(super) fn with(model: &'m dyn Model, options: &SessionOptions) -> Result<Self> {
        let session = model.session(options)?;
        let limits = session.limits();
        let lengths = vec![0; limits.slots as usize];
        let vocabulary = model.tokenizer().vocabulary();
        Ok(Self { session, limits, vocabulary, lengths, batch: Batch::default() })
    }

    /// How many tokens `slot` holds.
    pub(super) fn len(&self, slot: u32) -> u32 {
        self.lengths[slot as usize]
    }

    /// The longest that a sequence can be.
    pub(super) fn longest(&self) -> usize {
        self.limits.context.min(self.limits.cells) as usize
    }

    /// Steps once; the rows, in order.
    pub(super) fn step(&mut self, parts: &[Part<'_>]) -> Result<Vec<Vec<f32>>> {
        self.batch.clear();
        for &(slot, tokens, wants_output) in parts {
            let start = self.lengths.get(slot as usize).copied().unwrap_or(0);
            self.batch.push(Slot(slot), start, tokens, wants_output);
        }
        let batch = std::mem::take(&mut self.batch);
        let rows = self.step_batch(&batch);
        self.batch = batch;
        rows
    }

    /// Steps a batch that may be wrong.
    pub(super) fn step_batch(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        self.limits.check(batch, |slot| self.lengths[slot.0 as usize], self.vocabulary)?;
        let rows = self.session.step(batch)?;
        let rows = (0..batch.outputs()).map(|index| rows.row(index).to_vec()).collect();
        for span in &batch.spans {
            self.lengths[span.slot.0 as usize] += span.tokens.len() as u32;
        }
        Ok(rows)
    }

    /// Adds `tokens` to `slot`, in as few steps as can be; the row after the last.
    #[track_caller]
    pub(super) fn feed(&mut self, slot: u32, tokens: &[Token]) -> Vec<f32> {
        self.feed_in_chunks(slot, tokens, self.limits.tokens_per_step as usize)
    }

    #[track_caller]
    pub(super) fn feed_in_chunks(&mut self, slot: u32, tokens: &[Token], size: usize) -> Vec<f32> {
        let mut rows = Vec::new();
        let chunks = tokens.chunks(size);
        let last = chunks.len() - 1;
        for (index, chunk) in chunks.enumerate() {
            rows = self.step(&[(slot, chunk, index == last)]).expect("a step within the limits");
        }
        rows.pop().expect("a row for the last chunk")
    }

    #[track_caller]
    pub(super) fn truncate(&mut self, slot: u32, keep: u32) {
        self.session.truncate(Slot(slot), keep).expect("truncate");
        let length = &mut self.lengths[slot as usize];
        *length = keep.min(*length);
    }

    #[track_caller]
    pub(super) fn share(&mut self, from: u32, to: u32, len: u32) {
        self.session.share(Slot(from), Slot(to), len).expect("share");
        self.lengths[to as usize] = len;
    }
}

/// The token with the highest score.
pub fn best(row: &[f32]) -> Token {
    let best = (0..).zip(row).max_by(|a, b| a.1.total_cmp(b.1)).map(|(id, _)| id);
    Token(best.expect("a row is not empty"))
}

/// Checks that two rows are the same but for rounding, and that they have the same best token.
#[track_caller]
pub(super) fn assert_close(expected: &[f32], found: &[f32]) {
    assert_eq!(expected.len(), found.len(), "length of a row");
    assert!(expected.iter().chain(found).all(|value| value.is_finite()), "a row is not finite");
    let lead = best(expected).0 as usize;
    let smallest = expected.iter().copied().fold(f32::INFINITY, f32::min);
    let spread = expected[lead] - smallest;
    assert!(spread > 0.0, "all numbers of a row are the same");
    let apart = expected.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart <= TOLERANCE * spread, "two rows for the same tokens are {:.1} % apart", 100.0 * apart / spread);
    let second = (0..expected.len()).filter(|&id| id != lead).map(|id| expected[id]).fold(f32::NEG_INFINITY, f32::max);
    if expected[lead] - second > CLEAR_LEAD * spread {
        assert_eq!(best(expected), best(found), "the best token");
    }
}
