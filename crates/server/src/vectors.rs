//! Vectors of texts, and scores of pairs, for an event loop.

use std::sync::Arc;
use std::time::Duration;

use trillm_core::{Class, Error as CoreError, Token};
use trillm_llm::{EmbedOptions, Embedding, Vectors};

use crate::Refusal;
use crate::aside::aside;
use crate::served::InUse;

/// The most texts of one request, as with OpenAI.
const MOST: usize = 2048;

/// How long it waits before it looks whether the client is still there.
const SLICE: Duration = Duration::from_millis(50);

/// What becomes a vector.
pub(crate) enum One {
    /// A text.
    Text(String),
    /// The same in the model's tokens.
    Tokens(Vec<Token>),
}

impl From<String> for One {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A vector for each text, of length 1 as in Python, and the tokens of all texts; `field` is what the protocol calls the
/// texts. A text that is too long is cut if `truncate`, and else an error.
pub(crate) async fn vectors(
    lease: Arc<dyn InUse>,
    texts: Vec<impl Into<One> + Send + 'static>,
    field: &'static str,
    truncate: bool,
) -> Result<(Vectors, usize), Refusal> {
    check_count(texts.len(), field)?;
    let options = EmbedOptions { normalize: true, truncate, ..EmbedOptions::default() };
    let made = aside(move |goes_on| {
        let mut inputs = lease.llm().embedding(&options)?;
        texts.into_iter().try_for_each(|one| match one.into() {
            One::Text(text) => inputs.add_text(&text),
            One::Tokens(tokens) => inputs.add_tokens(tokens),
        })?;
        let tokens = inputs.tokens();
        Ok((waited(inputs.start()?, || goes_on())?, tokens))
    });
    made.await.map_err(|refusal| about(refusal, field))
}

/// A score for each text, of how well it goes with `first`, by a model that scores pairs.
pub(crate) async fn scores(
    lease: Arc<dyn InUse>,
    first: String,
    texts: Vec<String>,
    field: &'static str,
) -> Result<(Vec<f32>, usize), Refusal> {
    check_count(texts.len(), field)?;
    let made = aside(move |goes_on| {
        let mut inputs = lease.llm().scoring(&EmbedOptions::default())?;
        texts.iter().try_for_each(|text| inputs.add_pair((&first, text)))?;
        let tokens = inputs.tokens();
        let scores = waited(inputs.start()?, || goes_on())?;
        Ok((scores.numbers.chunks_exact(scores.width).map(|of_one| of_one[0]).collect(), tokens))
    });
    made.await.map_err(|refusal| about(refusal, field))
}

fn check_count(texts: usize, field: &str) -> Result<(), Refusal> {
    if (1..=MOST).contains(&texts) {
        return Ok(());
    }
    Err(Refusal::field(field, &format!("{texts} texts"), "1 to 2048"))
}

/// Vectors have the width that their model makes, and no other.
pub(crate) fn check_width(vectors: &Vectors, wanted: Option<usize>) -> Result<(), Refusal> {
    let Some(dimensions) = wanted.filter(|dimensions| *dimensions != vectors.width) else { return Ok(()) };
    let expected = format!("{}, which the model's vectors have", vectors.width);
    Err(Refusal::field("dimensions", &dimensions.to_string(), &expected))
}

fn waited(mut embedding: Embedding<'_>, goes_on: impl Fn() -> bool) -> Result<Vectors, Refusal> {
    loop {
        if let Some(vectors) = embedding.wait(SLICE) {
            return Ok(vectors?);
        }
        if !goes_on() {
            return Err(CoreError::Cancelled.into());
        }
    }
}

fn about(refusal: Refusal, field: &str) -> Refusal {
    if refusal.class() == Some(Class::ContextOverflow) { refusal.about(field) } else { refusal }
}
