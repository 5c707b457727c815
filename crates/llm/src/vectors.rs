//! Vectors of texts, and scores of pairs: the same with other steps at the end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use trillm_core::{Error as CoreError, Output, Passage, Pipeline, Pooling, SessionOptions, Token};
use trillm_sched::Embedder;

use crate::cores::cores;
use crate::llm::Embedding as Kept;
use crate::passages::{Cut, Passages, Prompt};
use crate::replicas::{Replicas, Use};
use crate::steps::{Steps, to_unit_length};
use crate::{Llm, Result, room};

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

impl Llm {
    /// Asks for one vector for each text, which are tokenised on this thread: [`embedding`](Self::embedding) to its end.
    ///
    /// # Errors
    /// As there, as [`Inputs::add_text`] and [`Inputs::start`].
    pub fn embed(&self, texts: &[&str], options: &EmbedOptions) -> Result<Embedding<'_>> {
        let mut inputs = self.embedding(options)?;
        texts.iter().try_for_each(|text| inputs.add_text(text))?;
        inputs.start()
    }

    /// Asks for a score for each of the model's labels, for each pair of texts: [`scoring`](Self::scoring) to its end.
    ///
    /// # Errors
    /// As there, as [`Inputs::add_pair`] and [`Inputs::start`].
    pub fn score(&self, pairs: &[(&str, &str)], options: &EmbedOptions) -> Result<Embedding<'_>> {
        let mut inputs = self.scoring(options)?;
        pairs.iter().try_for_each(|pair| inputs.add_pair(*pair))?;
        inputs.start()
    }

    /// Takes texts to embed, one by one. Makes the model ready for it, if it is the first time.
    ///
    /// # Errors
    /// [`UnknownPrompt`](CoreError::UnknownPrompt), [`Unsupported`](CoreError::Unsupported) by a model that makes no
    /// vectors, and what making it ready meets.
    pub fn embedding(&self, options: &EmbedOptions) -> Result<Inputs<'_>> {
        let pipeline = self.info().pipeline.as_ref().ok_or_else(|| self.cannot("embedding"))?;
        let steps = options.pooling.is_none().then_some(&self.steps);
        let ways = options.pooling.map_or_else(|| pipeline.pooling.clone(), |way| vec![way]);
        self.inputs(pipeline, ways, options, End { steps, normalize: options.normalize })
    }

    /// Takes pairs of texts to score, one by one.
    ///
    /// # Errors
    /// As [`embedding`](Self::embedding).
    pub fn scoring(&self, options: &EmbedOptions) -> Result<Inputs<'_>> {
        let pipeline = self.info().scoring.as_ref().ok_or_else(|| self.cannot("scoring pairs of texts"))?;
        let end = End { steps: Some(&self.scoring), normalize: false };
        self.inputs(pipeline, pipeline.pooling.clone(), options, end)
    }

    fn inputs<'a>(
        &'a self,
        pipeline: &'a Pipeline,
        ways: Vec<Pooling>,
        options: &EmbedOptions,
        end: End<'a>,
    ) -> Result<Inputs<'a>> {
        room::check(room::REQUEST, "vectors")?;
        let prompt = prompt(pipeline, options)?;
        let embedders = self.embedders(ways)?;
        let tokenizer = self.model().tokenizer();
        let passages = Passages::new(tokenizer, pipeline, prompt, embedders.first().limit(), options.truncate)?;
        Ok(Inputs { embedders, passages, made: Vec::new(), end })
    }

    fn embedders(&self, ways: Vec<Pooling>) -> Result<Arc<Replicas<Embedder>>> {
        let mut made = self.embedding.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Kept::By(of, there) if *of == ways && !there.iter().any(Embedder::is_closed) => return Ok(there.clone()),
            Kept::Closed => return Err(CoreError::Closed.into()),
            Kept::By(..) | Kept::Unused => (),
        }
        let session = SessionOptions { output: Output::Embedding(ways.clone()), ..self.session.clone() };
        let start = || Ok(Embedder::start(self.model.clone(), session.clone(), cores(), self.latencies.clone())?);
        let embedders = Arc::new(Replicas::new(session.replicas, start)?);
        *made = Kept::By(ways, embedders.clone());
        Ok(embedders)
    }

    fn cannot(&self, what: &str) -> CoreError {
        CoreError::Unsupported { what: what.into(), by: format!("this model, a {}", self.info().kind()) }
    }
}

/// What becomes of a pooled vector.
#[derive(Clone, Copy)]
struct End<'a> {
    /// `None` leaves it as it is.
    steps: Option<&'a Steps>,
    /// Make its length 1.
    normalize: bool,
}

/// Texts, or pairs of them, on their way to vectors or scores: tokenised as they are added.
pub struct Inputs<'a> {
    embedders: Arc<Replicas<Embedder>>,
    passages: Passages<'a>,
    made: Vec<Passage>,
    end: End<'a>,
}

impl<'a> Inputs<'a> {
    /// Adds a text, which takes as long as it is.
    ///
    /// # Errors
    /// [`TextOverflow`](CoreError::TextOverflow) if it is too long and is not to be cut.
    pub fn add_text(&mut self, text: &str) -> Result<()> {
        let passage = self.passages.of_text(self.made.len(), text)?;
        self.made.push(passage);
        Ok(())
    }

    /// Adds a text that its caller has as tokens: they are taken as they are, with nothing put before or around them.
    ///
    /// # Errors
    /// [`TextOverflow`](CoreError::TextOverflow), and [`NoEmbedding`](CoreError::NoEmbedding) for a token that the model
    /// does not have.
    pub fn add_tokens(&mut self, tokens: Vec<Token>) -> Result<()> {
        let passage = self.passages.of_tokens(self.made.len(), tokens)?;
        self.made.push(passage);
        Ok(())
    }

    /// Adds a pair of texts.
    ///
    /// # Errors
    /// As [`add_text`](Self::add_text).
    pub fn add_pair(&mut self, pair: (&str, &str)) -> Result<()> {
        let passage = self.passages.of_pair(self.made.len(), pair)?;
        self.made.push(passage);
        Ok(())
    }

    /// Tokens of what was added, prompts and what stands around texts included.
    pub fn tokens(&self) -> usize {
        self.made.iter().map(|passage| passage.tokens.len()).sum()
    }

    /// Asks for a vector for each of what was added.
    ///
    /// # Errors
    /// [`InvalidParameter`](CoreError::InvalidParameter) for a text without tokens to pool,
    /// [`Closed`](CoreError::Closed).
    pub fn start(self) -> Result<Embedding<'a>> {
        let (embedder, held) = self.embedders.least_used().next().ok_or(CoreError::Closed)?;
        let (width, pooled) = (embedder.width() as usize, embedder.submit(self.made)?);
        Ok(Embedding { pooled, _held: held, width, cuts: self.passages.cuts, end: self.end })
    }
}

/// Vectors or scores that were asked for. Dropping it cancels what is not computed yet.
pub struct Embedding<'a> {
    pooled: trillm_sched::Embedding,
    /// Of the session that it is computed in.
    _held: Use,
    /// Numbers in a pooled vector.
    width: usize,
    cuts: Vec<Cut>,
    end: End<'a>,
}

impl Embedding<'_> {
    /// Waits for them, at most `limit`; `None` if they are not there by then.
    pub fn wait(&mut self, limit: Duration) -> Option<Result<Vectors>> {
        let pooled = self.pooled.wait(limit)?;
        Some(pooled.map_err(Into::into).and_then(|pooled| self.finish(pooled)))
    }

    /// Waits for them.
    ///
    /// # Errors
    /// What the engine meets, and [`Closed`](CoreError::Closed).
    pub fn collect(mut self) -> Result<Vectors> {
        loop {
            if let Some(vectors) = self.wait(Duration::MAX) {
                return vectors;
            }
        }
    }

    fn finish(&mut self, pooled: Vec<f32>) -> Result<Vectors> {
        let (mut numbers, width) = match self.end.steps {
            Some(steps) => steps.run(pooled, self.width)?,
            None => (pooled, self.width),
        };
        if self.end.normalize {
            to_unit_length(&mut numbers, width);
        }
        Ok(Vectors { numbers, width, cuts: std::mem::take(&mut self.cuts) })
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
