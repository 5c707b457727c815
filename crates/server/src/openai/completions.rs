//! `POST /v1/completions`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trillm_core::{Piece, Token};
use trillm_llm::Completion;
use utoipa::ToSchema;

use super::settings::{Sampling, count};
use super::streaming::{Head, StreamOptions, Whole, Words, stream};
use super::usage::Used;
use crate::Refusal;
use crate::answer::{Answer, collected};
use crate::app::App;
use crate::ask::{Ask, Asked};
use crate::ignored::telling;
use crate::input::{Input, halves, request};
use crate::logprobs::of_completion;
use crate::options::Scope;

/// What a client sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    model: String,
    prompt: Prompts,
    max_tokens: Option<u32>,
    n: Option<u32>,
    logprobs: Option<u32>,
    echo: Option<bool>,
    best_of: Option<u32>,
    suffix: Option<String>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

/// One prompt or several, as texts or as tokens.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a text, a list of texts, a list of tokens, or a list of lists of tokens")]
enum Prompts {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    Lists(Vec<Vec<u32>>),
}

/// Tokens of an answer for which nobody set a bound, as with OpenAI.
const USUAL: u32 = 16;

/// The most prompts of one request.
const MOST: usize = 256;

/// Continues prompts.
pub(crate) async fn completions(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (input, size) = request(&app, body, halves::<Wanted, Sampling>).await?;
    let Input { fields: (wanted, sampling), unknown } = input;
    let has_suffix = wanted.suffix.is_some_and(|suffix| !suffix.is_empty());
    let is_best_of = wanted.best_of.is_some_and(|best| best > wanted.n.unwrap_or(1));
    for (name, is_wanted) in [("echo", wanted.echo == Some(true)), ("suffix", has_suffix), ("best_of", is_best_of)] {
        if is_wanted {
            return Err(Refusal::field(name, "given", "nothing: it is not supported"));
        }
    }
    let head = Head::new(&app, "cmpl", "text_completion", &wanted.model);
    let count = count(wanted.n)?;
    let prompts = wanted.prompt.asked()?;
    if prompts.len() * count as usize > MOST {
        let found = format!("{count} for each of {} prompts", prompts.len());
        return Err(Refusal::field("n", &found, "at most 256 answers"));
    }
    let settings = sampling.settings(Some(wanted.max_tokens.unwrap_or(USUAL)), wanted.logprobs)?;
    let tells_logprobs = wanted.logprobs.is_some();
    let mut answers = Vec::new();
    for prompt in prompts {
        let ask = Ask { model: wanted.model.clone(), prompt, settings: settings.clone(), scope, keep: None, size };
        answers.extend(Answer::begin_several(&app, ask, count).await?);
    }
    let response = if wanted.stream.unwrap_or(false) {
        let tells_usage = wanted.stream_options.and_then(|it| it.include_usage).unwrap_or(false);
        let offsets = vec![0; answers.len()];
        stream(head, Texts { tells_logprobs, offsets }, answers, tells_usage)
    } else {
        let completions = collected(answers).await?;
        Json(Whole::of_texts(head, &completions, tells_logprobs, count)).into_response()
    };
    Ok(telling(response, &unknown))
}

impl Prompts {
    fn asked(self) -> Result<Vec<Asked>, Refusal> {
        let tokens = |ids: Vec<u32>| Asked::Tokens(ids.into_iter().map(Token).collect());
        let all: Vec<Asked> = match self {
            Self::Text(text) => vec![Asked::Text(text)],
            Self::Texts(texts) => texts.into_iter().map(Asked::Text).collect(),
            Self::Tokens(ids) => vec![tokens(ids)],
            Self::Lists(lists) => lists.into_iter().map(tokens).collect(),
        };
        match all.len() {
            1..=MOST => Ok(all),
            count => Err(Refusal::field("prompt", &format!("{count} prompts"), "1 to 256")),
        }
    }
}

#[derive(Serialize)]
struct Choice {
    index: usize,
    text: String,
    logprobs: Option<Value>,
    finish_reason: Option<&'static str>,
}

impl Whole<Choice> {
    fn of_texts(head: Head, completions: &[Completion], tells_logprobs: bool, count: u32) -> Self {
        let choice = |(index, it): (usize, &Completion)| Choice {
            index,
            text: it.text.clone(),
            logprobs: tells_logprobs.then(|| of_completion(it.logprobs.iter().map(|all| &**all), &mut 0)),
            finish_reason: Some(it.finish_reason.name()),
        };
        let of_prompts = completions.chunks(count as usize).map(|of_one| Used::of(of_one.iter().map(|it| it.usage)));
        let usage = of_prompts.reduce(Used::and).unwrap_or_default();
        Self { head, choices: completions.iter().enumerate().map(choice).collect(), usage }
    }
}

/// Parts of continued texts.
struct Texts {
    tells_logprobs: bool,
    /// Characters that each has already.
    offsets: Vec<usize>,
}

impl Words for Texts {
    type Choice = Choice;

    fn first(&mut self, _: usize) -> Option<Choice> {
        None
    }

    fn piece(&mut self, index: usize, piece: &Piece) -> Choice {
        let offset = &mut self.offsets[index];
        let logprobs = self.tells_logprobs.then(|| of_completion(piece.logprobs.as_deref(), offset));
        Choice { index, text: piece.text.as_str().to_owned(), logprobs, finish_reason: None }
    }

    fn last(&mut self, index: usize, reason: &'static str) -> Choice {
        Choice { index, text: String::new(), logprobs: None, finish_reason: Some(reason) }
    }
}
