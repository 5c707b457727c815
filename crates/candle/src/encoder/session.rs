//! An encoder's working memory behind the session contract. Nothing is kept from step to step but who was there.

use std::sync::Arc;

use trillm_core::{Batch, Error, Limits, Output, Pooling, Result, Rows, Session, SessionOptions, Slot, Texts};
use trillm_formats::huggingface::Encoder;
use trillm_kernels::{Cells, Compute, PAGE, Sequence};
use trillm_mapping::Mapping;

use super::EncoderWeights;
use super::forward::{Forward, heads};
use crate::cells::cells;
use crate::{NAME, compute};

/// Tokens of the shortest texts that fill a step. Nothing is kept of a text, so a slot costs next to nothing.
const SHORT_TEXT: u32 = 8;

/// One session.
pub(crate) struct EncoderSession<'m> {
    files: &'m [Arc<Mapping>],
    texts: Texts,
    vocabulary: u32,
    pooling: Vec<Pooling>,
    compute: Compute,
    cells: Cells,
    /// Pages in order: a step's texts take them one after the other.
    pages: Vec<u32>,
    forward: Forward<'m>,
}

impl<'m> EncoderSession<'m> {
    pub(crate) fn new(
        shape: &'m Encoder,
        weights: &'m EncoderWeights,
        files: &'m [Arc<Mapping>],
        options: &SessionOptions,
    ) -> Result<Self> {
        options.check()?;
        let Output::Embedding(pooling) = &options.output else {
            return Err(Error::EmbedsOnly { architecture: shape.model_type.clone() });
        };
        options.check_positions(Some(shape.context))?;
        let compute = compute::start(options)?;
        let context = options.context.unwrap_or(shape.context);
        let tokens_per_step = options.batch.max(context);
        let limits = Limits {
            slots: options.parallel.max(tokens_per_step / SHORT_TEXT),
            context,
            cells: tokens_per_step,
            tokens_per_step,
            row: shape.width * pooling.len() as u32,
            reuses_prefix: false,
            threads: compute.threads() as u32,
        };
        // Every text may have one page that is not full.
        let count = tokens_per_step as usize / PAGE + limits.slots as usize;
        Ok(Self {
            files,
            texts: Texts::new(limits),
            vocabulary: shape.vocabulary,
            pooling: pooling.clone(),
            cells: cells(heads(shape), count, false)?,
            pages: (0..count as u32).collect(),
            forward: Forward::new(shape, weights, compute.threads()),
            compute,
        })
    }
}

impl Session for EncoderSession<'_> {
    fn limits(&self) -> Limits {
        self.texts.limits()
    }

    fn step(&mut self, batch: &Batch) -> Result<&dyn Rows> {
        self.texts.check(batch, self.vocabulary)?;
        if !self.forward.knows_pairs() {
            batch.check_one_text(NAME)?;
        }
        self.files.iter().try_for_each(|file| file.check())?;
        let mut pages = &self.pages[..];
        let mut sequences = Vec::with_capacity(batch.spans.len());
        for span in &batch.spans {
            let rows = span.tokens.len();
            let (own, rest) = pages.split_at(rows.div_ceil(PAGE));
            sequences.push(Sequence { pages: own, start: 0, rows });
            pages = rest;
        }
        self.texts.hold(batch);
        self.forward.run(&mut self.compute, &mut self.cells, batch, &sequences, &self.pooling)?;
        Ok(&self.forward)
    }

    fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        self.texts.truncate(slot, keep)
    }

    fn share(&mut self, _: Slot, _: Slot, _: u32) -> Result<()> {
        self.texts.share()
    }
}
