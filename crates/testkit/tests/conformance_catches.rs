//! The suite fails for engines that are wrong: each bug here is one that a real engine, or our use of it, could have.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use trillm_core::{
    Batch, Error, Limits, Model, ModelInfo, Result, Rows, Session, SessionOptions, Slot, Token, Tokenizer,
};
use trillm_testkit::{Fake, conformance as suite};

type Behaviour = fn(&dyn Model);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bug {
    /// Rows differ by less than the tolerance: not a bug.
    Rounds,
    /// Rows differ by more.
    Drifts,
    /// Rows come in the order of slots.
    SortsRows,
    /// A token without a row is computed wrong.
    SpoilsSilentSpans,
    /// One token too few is kept, and another put in its place.
    TruncatesTooMuch,
    /// The last token shared is another.
    SharesStale,
    /// Sharing takes cells.
    SharesByCopy,
    /// A full cache is found in the middle of a step.
    FillsBeforeFull,
    /// Freed cells are lost.
    Leaks,
    /// The last slot does not exist.
    CountsSlotsWrong,
    /// One thread more computes.
    HidesAThread,
}

struct Broken {
    model: Arc<dyn Model>,
    bug: Bug,
}

struct BrokenSession<'m> {
    session: Box<dyn Session + 'm>,
    bug: Bug,
    limits: Limits,
    /// What each slot holds.
    tokens: Vec<Vec<Token>>,
    rows: Vec<Vec<f32>>,
}

impl Model for Broken {
    fn info(&self) -> &ModelInfo {
        self.model.info()
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.model.tokenizer()
    }

    fn session(&self, options: &SessionOptions) -> Result<Box<dyn Session + '_>> {
        // One slot more than is told, to hide things in.
        let parallel = options.parallel + 1;
        let session = self.model.session(&SessionOptions { parallel, ..options.clone() })?;
        let hidden = u32::from(self.bug != Bug::CountsSlotsWrong);
        let limits = session.limits();
        let threads = limits.threads - u32::from(self.bug == Bug::HidesAThread);
        let limits = Limits { slots: parallel - hidden, threads, ..limits };
        let tokens = vec![Vec::new(); parallel as usize];
        Ok(Box::new(BrokenSession { session, bug: self.bug, limits, tokens, rows: Vec::new() }))
    }
}

impl Rows for BrokenSession<'_> {
    fn row(&self, index: usize) -> &[f32] {
        &self.rows[index]
    }
}

impl BrokenSession<'_> {
    /// Puts `tokens` into `slot`.
    fn refill(&mut self, slot: Slot, start: u32, tokens: &[Token]) -> Result<()> {
        for (position, token) in (start..).zip(tokens) {
            let mut batch = Batch::default();
            batch.push(slot, position, &[*token], false);
            self.session.step(&batch)?;
        }
        Ok(())
    }
}

impl Session for BrokenSession<'_> {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn step(&mut self, batch: &Batch) -> Result<&dyn Rows> {
        let mut batch = batch.clone();
        if self.bug == Bug::CountsSlotsWrong && batch.spans.iter().any(|span| span.slot.0 + 1 == self.limits.slots) {
            return Err(Error::Engine { engine: "broken", reason: "no such slot".into(), log: Vec::new() });
        }
        for span in &batch.spans {
            if self.bug == Bug::SpoilsSilentSpans && !span.wants_output {
                batch.tokens[span.tokens.start].0 ^= 1;
            }
        }
        let rows = match self.session.step(&batch) {
            Err(Error::CacheFull) if self.bug == Bug::FillsBeforeFull => {
                let first = &batch.spans[0];
                let _ = self.refill(first.slot, first.start, &batch.tokens[first.tokens.clone()][..1]);
                return Err(Error::CacheFull);
            }
            rows => rows?,
        };
        self.rows = (0..batch.outputs()).map(|index| rows.row(index).to_vec()).collect();
        let factor = match self.bug {
            Bug::Rounds if batch.spans.len() > 1 => 1.001,
            Bug::Drifts if batch.spans.len() > 1 => 1.1,
            _ => 1.0,
        };
        self.rows.iter_mut().flatten().for_each(|score| *score *= factor);
        if self.bug == Bug::SortsRows {
            let slots: Vec<Slot> = batch.spans.iter().filter(|s| s.wants_output).map(|s| s.slot).collect();
            let mut order: Vec<usize> = (0..slots.len()).collect();
            order.sort_by_key(|&index| slots[index]);
            self.rows = order.into_iter().map(|index| self.rows[index].clone()).collect();
        }
        for span in &batch.spans {
            self.tokens[span.slot.0 as usize].extend_from_slice(&batch.tokens[span.tokens.clone()]);
        }
        Ok(self)
    }

    fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        let held = self.tokens[slot.0 as usize].len() as u32;
        if self.bug == Bug::Leaks && held > 0 && keep == 0 {
            let hidden = Slot(self.limits.slots);
            self.session.truncate(hidden, 0)?;
            self.session.share(slot, hidden, held)?;
        }
        self.tokens[slot.0 as usize].truncate(keep as usize);
        if self.bug == Bug::TruncatesTooMuch && (1..held).contains(&keep) {
            self.session.truncate(slot, keep - 1)?;
            return self.refill(slot, keep - 1, &[Token(7)]);
        }
        self.session.truncate(slot, keep)
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) -> Result<()> {
        let prefix = self.tokens[from.0 as usize][..len as usize].to_vec();
        self.tokens[to.0 as usize].clone_from(&prefix);
        match self.bug {
            Bug::SharesByCopy => self.refill(to, 0, &prefix),
            Bug::SharesStale => {
                self.session.share(from, to, len - 1)?;
                self.refill(to, len - 1, &[Token(7)])
            }
            _ => self.session.share(from, to, len),
        }
    }
}

/// Whether the behaviour holds for a model with this bug.
fn passes(bug: Bug, behaviour: Behaviour) -> bool {
    let model = Broken { model: Fake::default().load_model(), bug };
    catch_unwind(AssertUnwindSafe(|| behaviour(&model))).is_ok()
}

#[test]
fn rounding_is_no_bug() {
    assert!(passes(Bug::Rounds, suite::a_batch_equals_one_by_one));
    assert!(passes(Bug::Rounds, suite::sharing_leaves_the_donor_intact));
}

#[test]
fn bugs_are_caught() {
    let cases: [(Bug, Behaviour); 10] = [
        (Bug::Drifts, suite::a_batch_equals_one_by_one),
        (Bug::SortsRows, suite::rows_come_in_the_order_asked),
        (Bug::SpoilsSilentSpans, suite::chunks_equal_the_whole),
        (Bug::TruncatesTooMuch, suite::truncating_equals_starting_afresh),
        (Bug::SharesStale, suite::sharing_equals_computing_again),
        (Bug::SharesByCopy, suite::a_shared_cell_counts_once),
        (Bug::FillsBeforeFull, suite::a_full_cache_leaves_the_state_intact),
        (Bug::Leaks, suite::every_cell_can_be_used_again),
        (Bug::CountsSlotsWrong, suite::limits_can_be_reached),
        (Bug::HidesAThread, suite::limits_say_how_many_threads_compute),
    ];
    for (bug, behaviour) in cases {
        assert!(passes(Bug::Rounds, behaviour), "the test for {bug:?} fails without it");
        assert!(!passes(bug, behaviour), "{bug:?} was not caught");
    }
}
