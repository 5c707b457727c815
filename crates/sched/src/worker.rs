//! The decode thread: receive, admit, plan, step, sample, send; then again.
//!
//! It owns everything it changes. It never waits for a reader, and it takes no lock while its model is alone; where
//! several compute at once it waits for its turn (`turn.rs`), asleep as it is without work, so that whatever arrives, is
//! cancelled or runs out of time meanwhile is seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::{Duration, Instant};

use trillm_core::{Batch, Error, FinishReason, Limits, Result, Session, Tokenizer};

use crate::cores::Cores;
use crate::plan::{Budget, Row, Take, plan};
use crate::sequence::{Fate, Rank, Sequence};
use crate::shared::Shared;
use crate::slots::Slots;
use crate::stats::Counters;
use crate::turn::Turn;

/// The requests, apart from any session: they outlive one that failed.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    cores: Arc<Cores>,
    waiting: BTreeMap<Rank, Sequence>,
    /// In order of rank.
    running: Vec<Sequence>,
    /// Gave up their slots while their readers were behind.
    paused: Vec<Sequence>,
    arrived: Vec<Sequence>,
    /// Of the session that serves.
    slots: usize,
}

/// A session and the buffers of its steps, all reused: once warm the loop allocates nothing.
struct Stepper<'s> {
    session: &'s mut dyn Session,
    limits: Limits,
    tokenizer: &'s dyn Tokenizer,
    slots: Slots,
    turn: Turn,
    batch: Batch,
    rows: Vec<Row>,
    takes: Vec<Take>,
    text: String,
    ended: Vec<(usize, Result<FinishReason>)>,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, cores: Arc<Cores>) -> Self {
        let (waiting, running, paused, arrived) = Default::default();
        Self { shared, cores, waiting, running, paused, arrived, slots: 0 }
    }

    /// Serves requests with `session` until the scheduler is closed (`Ok`) or the session must be made anew.
    pub(crate) fn serve(&mut self, session: &mut dyn Session, tokenizer: &dyn Tokenizer) -> Result<()> {
        let limits = session.limits();
        self.slots = limits.slots as usize;
        let mut stepper = Stepper {
            session,
            limits,
            tokenizer,
            slots: Slots::new(limits.slots, limits.cells, limits.reuses_prefix),
            turn: Turn::new(self.cores.clone(), limits.threads, self.shared.wake.clone()),
            batch: Batch::default(),
            rows: Vec::with_capacity(limits.slots as usize),
            takes: Vec::with_capacity(limits.slots as usize),
            text: String::with_capacity(256),
            ended: Vec::with_capacity(limits.slots as usize),
        };
        loop {
            self.receive();
            if self.shared.closed.load(Acquire) {
                return Ok(());
            }
            self.sweep(&mut stepper)?;
            self.look_at_readers();
            self.admit(&mut stepper)?;
            self.publish();
            if !self.step(&mut stepper)? {
                let can_sleep = || self.shared.intake.is_empty() && !self.shared.closed.load(Acquire);
                let idle = || can_sleep() && !stepper.turn.has_come();
                self.shared.wake.wait(idle, self.until_deadline());
            }
        }
    }

    fn receive(&mut self) {
        if self.shared.intake.is_empty() {
            return;
        }
        self.shared.intake.take_all(&mut self.arrived);
        for sequence in self.arrived.drain(..) {
            self.waiting.insert(sequence.rank, sequence);
        }
    }

    /// Ends what was cancelled or is past its deadline.
    fn sweep(&mut self, stepper: &mut Stepper<'_>) -> Result<()> {
        let mut index = 0;
        while let Some(sequence) = self.running.get(index) {
            match sequence.overdue(Instant::now) {
                Some(error) => self.end(stepper, index, Err(error))?,
                None => index += 1,
            }
        }
        let now = Instant::now();
        while let Some((rank, error)) =
            self.waiting.iter().find_map(|(rank, sequence)| Some((*rank, sequence.overdue(|| now)?)))
        {
            if let Some(sequence) = self.waiting.remove(&rank) {
                self.conclude(sequence, Err(error));
            }
        }
        while let Some((index, error)) =
            self.paused.iter().enumerate().find_map(|(index, sequence)| Some((index, sequence.overdue(|| now)?)))
        {
            let sequence = self.paused.swap_remove(index);
            self.conclude(sequence, Err(error));
        }
        Ok(())
    }

    /// Sees whose reader has fallen behind; whoever was paused for that and has room again waits for a slot, in the
    /// rank it always had.
    fn look_at_readers(&mut self) {
        for sequence in self.running.iter_mut().chain(&mut self.paused) {
            sequence.blocked = !sequence.writer.has_room();
        }
        while let Some(index) = self.paused.iter().position(|sequence| !sequence.blocked) {
            let sequence = self.paused.swap_remove(index);
            self.wait(sequence);
        }
    }

    /// Gives slots to those that wait, in order, as long as the cache can hold their prompts.
    fn admit(&mut self, stepper: &mut Stepper<'_>) -> Result<()> {
        while let Some((&rank, first)) = self.waiting.first_key_value() {
            let pending = first.pending();
            // A request of higher priority takes the slot of the last one of lower; any request that of one that
            // cannot go on.
            if !stepper.slots.has_idle() && !self.pause(stepper) {
                match self.running.last() {
                    Some(last) if last.rank.0 > rank.0 => self.preempt(stepper)?,
                    _ => return Ok(()),
                }
            }
            // Room for the whole prompt and a token for each that runs: or it would soon be preempted again.
            let wanted = pending + 1 + self.running.len() as u32;
            if !self.running.is_empty() && stepper.slots.available_cells() < wanted {
                if self.pause(stepper) {
                    continue;
                }
                return Ok(());
            }
            let Some((_, mut sequence)) = self.waiting.pop_first() else { return Ok(()) };
            let salt = sequence.ready.request().cache_salt;
            let length = sequence.ready.prompt().len() + sequence.ready.max_tokens() as usize;
            match stepper.slots.take(stepper.session, &sequence.tokens, length, salt) {
                Ok(Some((slot, found))) => {
                    sequence.start(slot, found);
                    Counters::add(&self.shared.counters.cached_tokens, u64::from(found));
                    let at = self.running.partition_point(|other| other.rank < sequence.rank);
                    self.running.insert(at, sequence);
                }
                Ok(None) => {
                    self.waiting.insert(rank, sequence);
                    return Ok(());
                }
                Err(error @ Error::OutOfMemory { .. }) => self.conclude(sequence, Err(error)),
                Err(error) => {
                    self.waiting.insert(rank, sequence);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Plans and computes one step. `false` if there is nothing to compute, or others compute.
    fn step(&mut self, stepper: &mut Stepper<'_>) -> Result<bool> {
        let can_run = self.running.iter().any(|sequence| !sequence.blocked);
        if can_run && !stepper.turn.begin() {
            return Ok(false);
        }
        if !can_run || !self.plan(stepper)? {
            stepper.turn.end();
            return Ok(false);
        }
        let Stepper { session, slots, batch, takes, text, ended, .. } = stepper;
        batch.clear();
        for take in &*takes {
            let sequence = &self.running[take.row];
            let tokens = &sequence.tokens[sequence.computed as usize..][..take.count as usize];
            batch.push(sequence.slot, sequence.computed, tokens, take.count == sequence.pending());
        }
        stepper.limits.check(batch, |slot| slots.len(slot), stepper.tokenizer.vocabulary())?;
        let rows = match session.step(batch) {
            Ok(rows) => rows,
            // The ledger counts cells exactly, but an engine may need more than one for a token (sliding windows).
            Err(Error::CacheFull) => return self.make_room(stepper).map(|()| true),
            Err(Error::PositionsEnd { most }) => return self.end_beyond(stepper, most).map(|()| true),
            Err(error) => {
                tracing::error!(%error, "a step failed");
                for index in (0..stepper.takes.len()).rev() {
                    let sequence = self.running.remove(stepper.takes[index].row);
                    self.conclude(sequence, Err(error.clone()));
                }
                return Err(error);
            }
        };
        let (counters, first) = (&self.shared.counters, &self.shared.latencies.first_token);
        let mut row = 0;
        for (take, span) in takes.iter().zip(&batch.spans) {
            let sequence = &mut self.running[take.row];
            slots.extend(span.slot, &batch.tokens[span.tokens.clone()]);
            sequence.computed += take.count;
            if take.count > 1 {
                Counters::add(&counters.prompt_tokens, u64::from(take.count));
            }
            if span.wants_output {
                if let Fate::Ends(result) = sequence.advance(rows.row(row), stepper.tokenizer, first, text) {
                    ended.push((take.row, result));
                }
                Counters::add(&counters.generated_tokens, 1);
                row += 1;
            }
        }
        Counters::add(&counters.steps, 1);
        // Rows were planned in an order of their own; removing from the back keeps the indices true.
        stepper.ended.sort_unstable_by_key(|(row, _)| *row);
        while let Some((row, result)) = stepper.ended.pop() {
            self.end(stepper, row, result)?;
        }
        Ok(true)
    }

    /// Fills `takes`; evicts and preempts until every sequence that generates has a cell. `false`: nothing can run.
    fn plan(&mut self, stepper: &mut Stepper<'_>) -> Result<bool> {
        loop {
            let limits = stepper.limits;
            stepper.rows.clear();
            stepper.rows.extend(self.running.iter().map(|s| Row { pending: s.pending(), blocked: s.blocked }));
            let wanted: u32 = stepper.rows.iter().filter(|row| !row.blocked).map(|row| row.pending).sum();
            stepper.slots.evict(stepper.session, wanted.min(limits.tokens_per_step))?;
            let budget = Budget {
                tokens: limits.tokens_per_step,
                prompt_beside: self.shared.options.prompt_chunk.max(1),
                awaited: stepper.turn.is_wanted(),
                cells: stepper.slots.free_cells(),
            };
            if plan(&stepper.rows, budget, &mut stepper.takes) == 0 {
                return Ok(!stepper.takes.is_empty());
            }
            if !self.pause(stepper) {
                self.preempt(stepper)?;
            }
        }
    }

    /// After the engine said that its cache is full.
    fn make_room(&mut self, stepper: &mut Stepper<'_>) -> Result<()> {
        let idle = stepper.slots.available_cells() - stepper.slots.free_cells();
        if idle > 0 {
            return stepper.slots.evict(stepper.session, stepper.limits.cells);
        }
        if self.pause(stepper) {
            return Ok(());
        }
        if self.running.len() > 1 {
            return self.preempt(stepper);
        }
        self.end(stepper, 0, Err(Error::CacheFull))
    }

    /// Takes the slot of a sequence that cannot go on, the last in rank, if there is one; says whether. It keeps what
    /// the slot holds as long as nobody wants the room, and is computed again where somebody did.
    fn pause(&mut self, stepper: &mut Stepper<'_>) -> bool {
        let Some(index) = self.running.iter().rposition(|sequence| sequence.blocked) else { return false };
        let mut sequence = self.running.remove(index);
        stepper.slots.release(sequence.slot);
        sequence.stop();
        Counters::add(&self.shared.counters.preemptions, 1);
        self.paused.push(sequence);
        true
    }

    /// After the engine said that nothing can be computed beyond `most` tokens, and computed nothing. What longer
    /// sequences held, it may have lost in finding out.
    fn end_beyond(&mut self, stepper: &mut Stepper<'_>, most: u32) -> Result<()> {
        self.shared.longest.fetch_min(most, Relaxed);
        for index in (0..self.running.len()).rev() {
            let sequence = &self.running[index];
            if !sequence.blocked && sequence.tokens.len() > most as usize {
                let result = self.running[index].cut(most, &mut stepper.text);
                stepper.slots.keep(stepper.session, self.running[index].slot, 0)?;
                self.end(stepper, index, result)?;
            }
        }
        Ok(())
    }

    /// Sends the last sequence in rank back to wait; it is computed again from its tokens.
    fn preempt(&mut self, stepper: &mut Stepper<'_>) -> Result<()> {
        let Some(mut sequence) = self.running.pop() else { return Ok(()) };
        stepper.slots.keep(stepper.session, sequence.slot, 0)?;
        stepper.slots.release(sequence.slot);
        sequence.stop();
        Counters::add(&self.shared.counters.preemptions, 1);
        self.wait(sequence);
        Ok(())
    }

    /// Makes a sequence that was let in before wait for a slot again.
    fn wait(&mut self, sequence: Sequence) {
        sequence.writer.enter_queue();
        self.waiting.insert(sequence.rank, sequence);
    }

    /// Takes a running sequence out of its slot and sends its outcome. What a failed one computed is not kept.
    fn end(&mut self, stepper: &mut Stepper<'_>, row: usize, result: Result<FinishReason>) -> Result<()> {
        let sequence = self.running.remove(row);
        if matches!(result, Err(Error::Engine { .. } | Error::CacheFull)) {
            stepper.slots.keep(stepper.session, sequence.slot, 0)?;
        }
        stepper.slots.release(sequence.slot);
        self.conclude(sequence, result);
        Ok(())
    }

    /// Sends the outcome of a request that is in none of the lists any more, nor counted as being in one: whoever has
    /// read it may look at the counters.
    fn conclude(&self, sequence: Sequence, result: Result<FinishReason>) {
        self.publish();
        let counters = &self.shared.counters;
        Counters::add(&counters.finished, 1);
        Counters::add(&counters.cancelled, u64::from(matches!(result, Err(Error::Cancelled))));
        if result.is_ok() {
            self.shared.latencies.whole.add(sequence.age());
        }
        sequence.finish(result);
    }

    /// Makes every running sequence wait for a new session.
    pub(crate) fn requeue(&mut self) {
        for mut sequence in std::mem::take(&mut self.running) {
            sequence.stop();
            self.wait(sequence);
        }
    }

    /// Ends everything that runs or waits.
    pub(crate) fn fail_all(&mut self, error: &Error) {
        self.receive();
        let waiting = std::mem::take(&mut self.waiting);
        for sequence in
            self.running.drain(..).chain(self.paused.drain(..)).chain(waiting.into_values()).collect::<Vec<_>>()
        {
            self.conclude(sequence, Err(error.clone()));
        }
    }

    fn publish(&self) {
        Counters::set(&self.shared.counters.waiting, self.waiting.len());
        Counters::set(&self.shared.counters.running, self.running.len());
        Counters::set(&self.shared.counters.paused, self.paused.len());
        self.shared.queue.set_idle(self.slots - self.running.len().min(self.slots));
    }

    /// How long a reader that has fallen behind may be waited for.
    fn until_deadline(&self) -> Option<Duration> {
        let all = self.running.iter().chain(&self.paused).chain(self.waiting.values());
        let deadlines = all.filter_map(|sequence| sequence.ready.request().deadline);
        deadlines.min().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}
