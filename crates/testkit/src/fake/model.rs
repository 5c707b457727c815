//! A fake model: a tokenizer, facts about itself, and sessions.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use trillm_core::{
    Error, Limits, LoadOptions, Model, ModelInfo, Output, Pipeline, Result, Session, SessionOptions, Tokenizer,
};

use super::session::FakeSession;
use super::tokenizer::{BOS, EOS, FakeTokenizer};
use super::{Fake, Fault};

pub(super) struct FakeModel {
    pub(super) fake: Fake,
    pub(super) tokenizer: FakeTokenizer,
    info: ModelInfo,
    has_weights: bool,
    sessions: AtomicU64,
    steps: AtomicU64,
}

impl FakeModel {
    pub(super) fn new(fake: Fake, info: ModelInfo, options: &LoadOptions) -> Self {
        let tokenizer = FakeTokenizer::new(fake.vocabulary);
        let info = ModelInfo {
            name: if info.name.is_empty() { Fake::NAME.into() } else { info.name },
            format: Fake::NAME,
            architecture: Fake::NAME.into(),
            context_trained: fake.context,
            width: fake.width,
            layers: 1,
            vocabulary: tokenizer.vocabulary(),
            chat_templates: fake.chat_template.clone().into(),
            special_tokens: [("bos_token", BOS), ("eos_token", EOS)]
                .into_iter()
                .filter_map(|(name, token)| Some((name.into(), tokenizer.spelling(token)?.into())))
                .collect(),
            pipeline: Some(Pipeline { stated: true, ..Pipeline::default() }),
            engine: Fake::NAME,
            device: "cpu".into(),
            weights: "none",
            ..info
        };
        let has_weights = !options.vocabulary_only;
        Self { fake, tokenizer, info, has_weights, sessions: AtomicU64::new(0), steps: AtomicU64::new(0) }
    }

    /// Counts a step, and says what goes wrong in it.
    pub(super) fn next_fault(&self) -> Option<Fault> {
        let step = self.steps.fetch_add(1, Relaxed);
        self.fake.faults.iter().find(|(steps, _)| steps.contains(&step)).map(|&(_, fault)| fault)
    }
}

impl Model for FakeModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.tokenizer
    }

    fn session(&self, options: &SessionOptions) -> Result<Box<dyn Session + '_>> {
        if !self.has_weights {
            let by = "a model loaded for its vocabulary only".into();
            return Err(Error::Unsupported { what: "a session".into(), by });
        }
        if self.sessions.fetch_add(1, Relaxed) >= self.fake.sessions {
            return Err(failure("no more sessions"));
        }
        let context = options.context.unwrap_or(self.fake.context.min(4096));
        let limits = Limits {
            slots: self.fake.slots.unwrap_or(options.parallel),
            context,
            cells: self.fake.cells.unwrap_or(context),
            tokens_per_step: options.batch,
            row: match &options.output {
                Output::Scores => self.tokenizer.vocabulary(),
                Output::Embedding(ways) => self.fake.width * ways.len() as u32,
            },
            reuses_prefix: self.fake.reuses_prefix,
        };
        Ok(Box::new(FakeSession::new(self, limits, options.output.clone())))
    }
}

/// What the fake engine says when it was told to fail.
pub(super) fn failure(reason: &str) -> Error {
    Error::Engine { engine: Fake::NAME, reason: reason.into(), log: vec!["told to".into()] }
}
