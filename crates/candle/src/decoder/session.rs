//! A decoder's cache and working memory behind the session contract.

use std::sync::Arc;

use trillm_core::{Batch, CacheType, Error, Limits, Output, Pooling, Result, Rows, Session, SessionOptions, Slot};
use trillm_formats::huggingface::Decoder;
use trillm_kernels::{Cells, Compute, Sequence};
use trillm_mapping::Mapping;

use super::DecoderWeights;
use super::forward::{Forward, heads};
use crate::cells::cells;
use crate::pages::Pages;
use crate::{NAME, compute};

/// One session: pages of keys and values, and what a step works in.
pub(crate) struct DecoderSession<'m> {
    shape: &'m Decoder,
    files: &'m [Arc<Mapping>],
    limits: Limits,
    /// `None` if scores were asked for.
    pooling: Option<Vec<Pooling>>,
    compute: Compute,
    pages: Pages,
    /// One for each layer.
    cells: Vec<Cells>,
    forward: Forward<'m>,
}

/// Whether the cache has numbers of 16 bits; if not, they have 32.
pub(crate) fn is_half(options: &SessionOptions) -> Result<bool> {
    match options.cache_type {
        CacheType::F32 => Ok(false),
        CacheType::F16 => Ok(true),
        CacheType::Q8_0 | CacheType::Q4_0 => {
            Err(Error::Unsupported { what: "a cache of 8-bit or 4-bit numbers".into(), by: NAME.into() })
        }
    }
}

impl<'m> DecoderSession<'m> {
    pub(crate) fn new(
        shape: &'m Decoder,
        weights: &'m DecoderWeights,
        files: &'m [Arc<Mapping>],
        options: &SessionOptions,
    ) -> Result<Self> {
        options.check()?;
        let half = is_half(options)?;
        let compute = compute::start(options)?;
        let context = options.context_for(shape.context);
        let pooling = match &options.output {
            Output::Scores if matches!(weights.output, super::Output::None) => {
                return Err(Error::EmbedsOnly { architecture: shape.model_type.clone() });
            }
            Output::Scores => None,
            Output::Embedding(pooling) => Some(pooling.clone()),
        };
        if pooling.is_none() && !shape.causal {
            return Err(Error::EmbedsOnly { architecture: shape.model_type.clone() });
        }
        let limits = Limits {
            slots: options.parallel,
            context,
            cells: context,
            // An embedding takes its whole text in one step.
            tokens_per_step: if pooling.is_some() { context } else { options.batch },
            row: pooling.as_ref().map_or(shape.vocabulary, |ways| shape.width * ways.len() as u32),
            reuses_prefix: pooling.is_none(),
            threads: compute.threads() as u32,
        };
        let pages = Pages::new(limits.slots as usize, limits.cells as usize)?;
        let forward = Forward::new(shape, weights, context, compute.threads());
        let cells = shape.layers.iter().map(|_| cells(heads(shape), pages.count(), half)).collect::<Result<_>>()?;
        Ok(Self { shape, files, limits, pooling, compute, pages, cells, forward })
    }

    fn check(&self, batch: &Batch) -> Result<()> {
        self.limits.check(batch, |slot| self.pages.length(slot) as u32, self.shape.vocabulary)?;
        if self.pooling.is_some() {
            batch.check_whole()?;
            batch.check_one_text(NAME)?;
        }
        self.files.iter().try_for_each(|file| file.check())
    }
}

impl Session for DecoderSession<'_> {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn step(&mut self, batch: &Batch) -> Result<&dyn Rows> {
        self.check(batch)?;
        for copy in self.pages.extend(batch)? {
            self.cells.iter_mut().for_each(|cells| cells.copy(copy.from as usize, copy.to as usize));
        }
        let pages = &self.pages;
        let sequences: Vec<_> = batch
            .spans
            .iter()
            .map(|span| Sequence { pages: pages.pages(span.slot), start: span.start as usize, rows: span.tokens.len() })
            .collect();
        self.forward.run(&mut self.compute, &mut self.cells, batch, &sequences, self.pooling.as_deref())?;
        Ok(&self.forward)
    }

    fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        self.limits.check_slot(slot)?;
        self.pages.truncate(slot, keep as usize);
        Ok(())
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) -> Result<()> {
        self.limits.check_share(from, to, len, |slot| self.pages.length(slot) as u32)?;
        self.pages.share(from, to, len as usize);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use trillm_core::LoadOptions;
    use trillm_kernels::PAGE;
    use trillm_testkit::RandomModel;
    use trillm_testkit::models::Shape;
    use trillm_testkit::models::gguf::TensorType;

    use super::*;
    use crate::model::Network;

    #[test]
    fn a_cache_takes_what_the_shape_of_the_model_says() {
        let shape =
            Shape { layers: 3, width: 96, heads: 6, kv_heads: 2, feed_forward: 64, vocabulary: 300, context: 256 };
        let folder = tempfile::tempdir().expect("a folder");
        let model = RandomModel { shape, kind: TensorType::Bf16, ..RandomModel::default() };
        model.write_huggingface(folder.path()).expect("the model is written");
        let file = trillm_formats::open(folder.path()).expect("a sound model");
        let expected = file.info.shape.clone();
        let model = crate::load::load(file.of(NAME).expect("a checkpoint"), &LoadOptions::default());
        let model = model.expect("the model loads");
        let Network::Decoder(shape, weights) = &model.network else { panic!("a decoder") };
        for cache_type in [CacheType::F32, CacheType::F16] {
            let options = SessionOptions { cache_type, threads: Some(1), ..SessionOptions::default() };
            let session = DecoderSession::new(shape, weights, &model.files, &options).expect("a session");
            let page = Cells::page_bytes(heads(shape), cache_type == CacheType::F16);
            let tokens = (session.pages.count() * PAGE) as u64;
            let bytes = (session.cells.len() * session.pages.count() * page) as u64;
            assert_eq!(expected.cache_bytes(tokens, options.parallel, cache_type), Some(bytes));
        }
    }
}
