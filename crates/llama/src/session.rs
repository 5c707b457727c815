//! A context of llama.cpp behind the session contract.
//!
//! llama.cpp asserts much of what a batch must be, and an assert ends the process. So the session keeps how long each
//! slot is and checks every step against its limits, although the scheduler has done so: that costs nothing beside a
//! step.

use std::io;
use std::sync::Arc;

use trillm_core::{Batch, Error, Limits, ModelInfo, Output, Result, Rows, Session, SessionOptions, Slot};
use trillm_mapping::Watched;
use trillm_pool::Reserve;

use crate::arrays::Arrays;
use crate::ffi::{Context, Model, NO_THREADS};
use crate::log::Lines;
use crate::{NAME, memory, params};

/// Architectures whose cache cannot be cut or copied in part, beside the recurrent ones.
const WHOLE_ONLY: [&str; 1] = ["deepseek4"];

/// One context: a cache cut into slots, and the graph.
pub(crate) struct LlamaSession<'m> {
    context: Context,
    files: &'m [Watched],
    arrays: Arrays,
    limits: Limits,
    /// Positions held by each slot.
    lengths: Vec<u32>,
    vocabulary: u32,
}

impl<'m> LlamaSession<'m> {
    pub(crate) fn new(
        model: &Arc<Model>,
        info: &ModelInfo,
        files: &'m [Watched],
        options: &SessionOptions,
    ) -> Result<Self> {
        files.iter().try_for_each(|file| file.check(NAME))?;
        let architecture = model.architecture();
        let unsupported = |what: &str| Error::Unsupported { what: what.into(), by: architecture.clone() };
        if model.is_encoder_decoder() {
            return Err(unsupported("running an encoder and a decoder"));
        }
        let params = params::context(model, info, options)?;
        memory::check_cache(&info.shape, params.n_ctx, options)?;
        let pooled = options.output != Output::Scores;
        let row = if pooled { model.width() } else { model.vocabulary() };
        let threads = params.n_threads.max(1) as usize;
        let no_threads = |error| Error::no_compute_threads(NAME, threads, &error);
        let reserve = Reserve::new(threads - 1, "trillm-reserve").map_err(no_threads)?;
        let log = Lines::listen();
        let context = Context::new(model, &params, row, options.parallel, reserve).map_err(|reason| {
            if reason == NO_THREADS { no_threads(io::Error::other(reason)) } else { failed(reason, &log) }
        })?;
        if !pooled && !context.has_memory() {
            return Err(Error::EmbedsOnly { architecture });
        }
        // llama.cpp rounds up; a sequence is still held to what was asked for, or trained.
        let cells = context.cells();
        let longest = params::positions(info).map_or(cells, |most| most.min(cells));
        let limits = Limits {
            slots: options.parallel,
            context: options.context_for(model.context_trained()).min(longest),
            cells,
            tokens_per_step: context.tokens_per_step(),
            row,
            reuses_prefix: !pooled
                && context.has_memory()
                && !model.is_recurrent()
                && !WHOLE_ONLY.contains(&architecture.as_str()),
            threads: threads as u32,
        };
        Ok(Self {
            context,
            files,
            arrays: Arrays::new(limits.tokens_per_step, limits.slots, pooled)?,
            limits,
            lengths: vec![0; limits.slots as usize],
            vocabulary: model.vocabulary(),
        })
    }

    fn check(&self, batch: &Batch) -> Result<()> {
        self.files.iter().try_for_each(|file| file.check(NAME))?;
        self.limits.check(batch, |slot| self.lengths[slot.0 as usize], self.vocabulary)?;
        // Spans may overlap in the batch's tokens; what counts is what llama.cpp gets.
        let total: usize = batch.spans.iter().map(|span| span.tokens.len()).sum();
        if total > self.limits.tokens_per_step as usize {
            return Err(Error::Batch(format!("{total} tokens in spans, of at most {}", self.limits.tokens_per_step)));
        }
        if !self.arrays.pooled() {
            return Ok(());
        }
        batch.check_whole()?;
        batch.check_all_pooled(NAME)?;
        batch.check_one_text(NAME)
    }

    /// After a failure inside a step: some of its tokens may have gone in.
    fn recount(&mut self, batch: &Batch) {
        for span in &batch.spans {
            self.lengths[span.slot.0 as usize] = self.context.length(span.slot.0).unwrap_or(0);
        }
    }
}

impl Session for LlamaSession<'_> {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn step(&mut self, batch: &Batch) -> Result<&dyn Rows> {
        self.check(batch)?;
        self.arrays.fill(batch);
        let log = Lines::listen();
        if !batch.spans.is_empty() {
            let failure = match self.context.step(&mut self.arrays) {
                Ok(0) => None,
                Ok(1) => return Err(Error::CacheFull),
                Ok(status) => Some(format!("a step ended with status {status}")),
                Err(reason) => Some(reason),
            };
            if let Some(reason) = failure {
                self.recount(batch);
                return Err(failed(reason, &log));
            }
        }
        for span in &batch.spans {
            self.lengths[span.slot.0 as usize] += span.tokens.len() as u32;
        }
        self.context.fetch(self.arrays.ids(), self.arrays.pooled()).map_err(|reason| failed(reason, &log))?;
        Ok(self)
    }

    fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        self.limits.check_slot(slot)?;
        let length = self.lengths[slot.0 as usize];
        if keep > 0 && keep >= length {
            return Ok(());
        }
        let log = Lines::listen();
        // Without a cache there is nothing to forget but the count, and nothing to keep.
        let done = if self.context.has_memory() {
            self.context.truncate(slot.0, keep).map_err(|reason| failed(reason, &log))?
        } else {
            keep == 0
        };
        if !done {
            let (what, by) = (format!("keeping {keep} of {length} positions"), "this model's memory".into());
            return Err(Error::Unsupported { what, by });
        }
        self.lengths[slot.0 as usize] = keep;
        Ok(())
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) -> Result<()> {
        self.limits.check_share(from, to, len, |slot| self.lengths[slot.0 as usize])?;
        if len == 0 {
            return Ok(());
        }
        let log = Lines::listen();
        self.context.share(from.0, to.0, len).map_err(|reason| failed(reason, &log))?;
        self.lengths[to.0 as usize] = len;
        Ok(())
    }
}

impl Rows for LlamaSession<'_> {
    fn row(&self, index: usize) -> &[f32] {
        self.context.row(index)
    }
}

fn failed(reason: String, log: &Lines) -> Error {
    let reason = if reason.is_empty() { "llama.cpp gave no context".into() } else { reason };
    let log = log.take();
    memory::missing(&reason, &log).unwrap_or(Error::Engine { engine: NAME, reason, log })
}
