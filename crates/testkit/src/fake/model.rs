//! A fake model: a tokenizer, facts about itself, and sessions.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use trillm_core::{Limits, Model, ModelInfo, Output, Pipeline, Result, Session, SessionOptions, Tokenizer};

use super::script::{Script, failure};
use super::session::FakeSession;
use super::settings::Fake;
use super::tokenizer::{BOS, EOS};

pub(super) struct FakeModel {
    script: Script,
    info: ModelInfo,
    sessions: AtomicU64,
}

impl FakeModel {
    pub(super) fn new(fake: Fake, info: ModelInfo) -> Self {
        let script = Script::new(fake);
        let (fake, tokenizer) = (&script.fake, &script.tokenizer);
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
        Self { script, info, sessions: AtomicU64::new(0) }
    }
}

impl Model for FakeModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.script.tokenizer
    }

    fn session(&self, options: &SessionOptions) -> Result<Box<dyn Session + '_>> {
        let Script { fake, tokenizer, .. } = &self.script;
        if self.sessions.fetch_add(1, Relaxed) >= fake.sessions {
            assert!(!fake.panics, "this session panics, as it was told to");
            return Err(failure("no more sessions"));
        }
        let context = options.context.unwrap_or(fake.context.min(4096));
        let limits = Limits {
            slots: fake.slots.unwrap_or(options.parallel),
            context,
            cells: fake.cells.unwrap_or(context),
            tokens_per_step: options.batch,
            row: match &options.output {
                Output::Scores => tokenizer.vocabulary(),
                Output::Embedding(ways) => fake.width * ways.len() as u32,
            },
            reuses_prefix: fake.reuses_prefix,
            threads: options.threads.unwrap_or(1),
        };
        Ok(Box::new(FakeSession::new(&self.script, limits, options.output.clone())))
    }
}
