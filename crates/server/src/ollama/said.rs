//! Answers, line by line or at once: the same for texts that go on and for chats.

use std::time::{Duration, Instant};

use axum::Json;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use trillm_core::Piece;
use trillm_llm::Completion;
use trillm_runtime::Keep;

use super::errors;
use super::figures::Figures;
use super::keep_alive::KeepAlive;
use super::name::known;
use crate::Refusal;
use crate::answer::{Answer, lease};
use crate::app::App;
use crate::ask::Ask;
use crate::lines::{line, lines};
use crate::logprobs::{Content, OfToken};
use crate::options::Scope;
use crate::telling::{Telling, Words};

/// Where a line has its text.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Message,
}

/// What an answer is told of.
pub(super) struct Said {
    /// As the client calls it.
    pub(super) model: String,
    pub(super) kind: Kind,
    pub(super) start: Instant,
    pub(super) tells_logprobs: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Vec<OfToken>>,
    #[serde(flatten)]
    figures: Option<Figures>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl Said {
    fn line<'a>(&'a self, text: &'a str) -> Line<'a> {
        let (response, message) = match self.kind {
            Kind::Text => (Some(text), None),
            Kind::Message => (None, Some(Message { role: "assistant", content: text })),
        };
        Line {
            model: &self.model,
            created_at: Timestamp::now().to_string(),
            response,
            message,
            done: false,
            done_reason: None,
            logprobs: None,
            figures: None,
        }
    }

    fn last<'a>(&'a self, text: &'a str, completion: &Completion, load: Duration) -> Line<'a> {
        let figures = Some(Figures::of(completion, self.start.elapsed(), load));
        Line { done: true, done_reason: Some(completion.finish_reason.name()), figures, ..self.line(text) }
    }

    /// Answers a question.
    pub(super) async fn answer(self, app: &App, ask: Ask, streams: bool) -> Result<Response, Refusal> {
        let ask = Ask { model: known(app, &ask.model).await?, ..ask };
        let answer = Answer::begin(app, ask).await?;
        let load = answer.load;
        if streams {
            return Ok(lines(Telling::new(Told { said: self, load }, answer)));
        }
        let completion = answer.collect().await?;
        let logprobs = self.tells_logprobs.then(|| Content::of(completion.logprobs.iter().map(|all| &**all)).content);
        let whole = Line { logprobs, ..self.last(&completion.text, &completion, load) };
        Ok(Json(whole).into_response())
    }

    /// Has the model here, or lets it go: what is asked for by a question without words.
    pub(super) async fn nothing(
        self,
        app: &App,
        scope: Scope,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Response, Refusal> {
        let name = known(app, &self.model).await?;
        let done_reason = if KeepAlive::is_over(keep_alive) {
            // Who uses it goes on, and it goes after that.
            let name = app.served.name(&name)?;
            if let Some(mut lease) = app.served.lease_now(&name) {
                lease.keep(Keep::For(Duration::ZERO));
            }
            "unload"
        } else {
            lease(app, &name, scope, keep_alive.map(|keep| keep.0)).await?;
            "load"
        };
        Ok(Json(Line { done: true, done_reason: Some(done_reason), ..self.line("") }).into_response())
    }
}

/// An answer that is told as it comes.
struct Told {
    said: Said,
    load: Duration,
}

impl Words for Told {
    fn piece(&mut self, out: &mut Vec<u8>, piece: &Piece) {
        let logprobs = self.said.tells_logprobs.then(|| Content::of(piece.logprobs.as_deref()).content);
        // A token without a whole character is told of with those that complete it.
        if piece.text.as_str().is_empty() && logprobs.is_none() {
            return;
        }
        line(out, &Line { logprobs, ..self.said.line(piece.text.as_str()) });
    }

    fn end(&mut self, out: &mut Vec<u8>, completion: &Completion) {
        line(out, &self.said.last("", completion, self.load));
    }

    fn fail(&mut self, out: &mut Vec<u8>, refusal: &Refusal) {
        line(out, &errors::body(refusal));
    }
}

/// How many alternatives to each token are told, if any.
pub(super) fn logprobs(wanted: Option<bool>, top: Option<u32>) -> Result<Option<u32>, Refusal> {
    match (wanted.unwrap_or(false), top) {
        (false, Some(1..)) => Err(Refusal::field("top_logprobs", "given", "logprobs beside it")),
        (true, top) => Ok(Some(top.unwrap_or(0))),
        (false, _) => Ok(None),
    }
}
