//! Vectors of texts, and scores of pairs: the same with other steps at the end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use trillm_core::{Error as CoreError, Output, Passage, Pipeline, Pooling, SessionOptions};
use trillm_sched::Embedder;

use crate::passages::{Cut, Passages, Prompt};
use crate::steps::{Steps, to_unit_length};
use crate::{Llm, Result};

/// How texts are embedded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbedOptions {
    /// Put before each text.
    pub prompt: Option<String>,
    /// The name of the prompt to put there; the model's default if both are `None`.
    pub prompt_name: Option<String>,
    /// How token vectors are pooled, and nothing is done after that; `None` does all that the model says.
    pub pooling: Option<Pooling>,
    /// Make each vector's length 1 in the end.
    pub normalize: bool,
    /// Cut a text that is too long, which is an error else.
    pub truncate: bool,
}

/// Vectors, back to back.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// All numbers.
    pub numbers: Vec<f32>,
    /// Numbers in a vector.
    pub width: usize,
    /// What was left out of texts that were too long.
    pub cuts: Vec<Cut>,
}

/// Texts between two looks at whether to give up.
const TEXTS: usize = 64;

impl Llm {
    /// One vector for each text. Waits; `interrupted` is asked now and then whether to give up.
    ///
    /// # Errors
    /// [`TextOverflow`](CoreError::TextOverflow) for a text that is too long and is not to be cut,
    /// [`UnknownPrompt`](CoreError::UnknownPrompt), [`Unsupported`](CoreError::Unsupported) by a model that makes no
    /// vectors.
    pub fn embed(&self, texts: &[&str], options: &EmbedOptions, interrupted: impl FnMut() -> bool) -> Result<Vectors> {
        let pipeline = self.info().pipeline.as_ref().ok_or_else(|| self.cannot("embedding"))?;
        let nothing = Steps::default();
        let steps = if options.pooling.is_some() { &nothing } else { &self.steps };
        let ways = options.pooling.map_or_else(|| pipeline.pooling.clone(), |way| vec![way]);
        let passage = |passages: &mut Passages<'_>, index| passages.of_text(index, texts[index]);
        let mut vectors = self.vectors((pipeline, ways, steps), texts.len(), options, passage, interrupted)?;
        if options.normalize {
            to_unit_length(&mut vectors.numbers, vectors.width);
        }
        Ok(vectors)
    }

    /// For each pair of texts a score for each of the model's labels.
    ///
    /// # Errors
    /// As [`embed`](Self::embed).
    pub fn score(
        &self,
        pairs: &[(&str, &str)],
        options: &EmbedOptions,
        interrupted: impl FnMut() -> bool,
    ) -> Result<Vectors> {
        let pipeline = self.info().scoring.as_ref().ok_or_else(|| self.cannot("scoring pairs of texts"))?;
        let passage = |passages: &mut Passages<'_>, index| passages.of_pair(index, pairs[index]);
        self.vectors((pipeline, pipeline.pooling.clone(), &self.scoring), pairs.len(), options, passage, interrupted)
    }

    fn vectors(
        &self,
        (pipeline, ways, steps): (&Pipeline, Vec<Pooling>, &Steps),
        count: usize,
        options: &EmbedOptions,
        passage: impl Fn(&mut Passages<'_>, usize) -> Result<Passage, CoreError>,
        mut interrupted: impl FnMut() -> bool,
    ) -> Result<Vectors> {
        let prompt = prompt(pipeline, options)?;
        let embedder = self.embedder(ways)?;
        let limit = pipeline.max_tokens.map_or(embedder.longest(), |most| most.min(embedder.longest()));
        let mut passages = Passages::new(self.model().tokenizer(), pipeline, prompt, limit, options.truncate)?;
        let mut texts = Vec::with_capacity(count);
        for index in 0..count {
            if index % TEXTS == TEXTS - 1 && interrupted() {
                return Err(CoreError::Cancelled.into());
            }
            texts.push(passage(&mut passages, index)?);
        }
        let cuts = passages.cuts;
        let embedding = embedder.submit(texts)?;
        let pooled = loop {
            if let Some(vectors) = embedding.wait(Duration::from_millis(50)) {
                break vectors?;
            }
            if interrupted() {
                return Err(CoreError::Cancelled.into());
            }
        };
        let (numbers, width) = steps.run(pooled, embedder.width() as usize)?;
        Ok(Vectors { numbers, width, cuts })
    }

    fn embedder(&self, ways: Vec<Pooling>) -> Result<Arc<Embedder>> {
        let mut made = self.embedder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, embedder)) = &*made
            && *of == ways
            && !embedder.is_closed()
        {
            return Ok(embedder.clone());
        }
        let session = SessionOptions { output: Output::Embedding(ways.clone()), ..self.session.clone() };
        let embedder = Arc::new(Embedder::start(self.model.clone(), session)?);
        *made = Some((ways, embedder.clone()));
        Ok(embedder)
    }

    fn cannot(&self, what: &str) -> CoreError {
        CoreError::Unsupported { what: what.into(), by: format!("this model, a {}", self.info().kind()) }
    }
}

/// What is put before each text.
fn prompt<'a>(pipeline: &'a Pipeline, options: &'a EmbedOptions) -> Result<Prompt<'a>, CoreError> {
    let name = match (&options.prompt, &options.prompt_name) {
        (Some(text), None) => return Ok(Prompt { text, published: false }),
        (Some(_), Some(name)) => {
            let (name, found) = ("prompt_name", format!("{name:?} beside a prompt"));
            return Err(CoreError::InvalidParameter { name, found, expected: "a prompt or the name of one" });
        }
        (None, Some(name)) => name,
        (None, None) => match &pipeline.default_prompt {
            Some(name) => name,
            None => return Ok(Prompt::default()),
        },
    };
    let found = pipeline.prompts.iter().find(|(known, _)| known == name);
    found.map(|(_, text)| Prompt { text, published: true }).ok_or_else(|| {
        let known: Vec<_> = pipeline.prompts.iter().map(|(known, _)| known.as_str()).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        CoreError::UnknownPrompt { name: name.clone(), known }
    })
}
