//! Answers that are sent at once, or as they come, several to one question side by side.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trillm_core::{Piece, Usage};
use utoipa::ToSchema;

use super::errors;
use super::usage::Used;
use crate::answer::Answer;
use crate::app::{App, now};
use crate::parts::Parts;
use crate::sse;

/// `stream_options`.
#[derive(Deserialize, ToSchema, Default)]
pub(super) struct StreamOptions {
    pub(super) include_usage: Option<bool>,
}

/// How a protocol says it.
pub(super) trait Words: Send + 'static {
    /// One choice of a part.
    type Choice: Serialize;

    /// Before anything comes; `None` if nothing is said then.
    fn first(&mut self, index: usize) -> Option<Self::Choice>;
    /// A piece.
    fn piece(&mut self, index: usize, piece: &Piece) -> Self::Choice;
    /// The end.
    fn last(&mut self, index: usize, reason: &'static str) -> Self::Choice;
}

/// What is the same in all parts of an answer.
#[derive(Serialize, Clone)]
pub(super) struct Head {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    system_fingerprint: &'static str,
}

impl Head {
    /// Of an answer that begins now; `kind` is how its name begins.
    pub(super) fn new(app: &App, kind: &str, object: &'static str, model: &str) -> Self {
        Self {
            id: app.id(kind),
            object,
            created: now().as_secs(),
            model: model.to_owned(),
            system_fingerprint: concat!("trillm-", env!("CARGO_PKG_VERSION")),
        }
    }
}

/// An answer that is sent at once.
#[derive(Serialize)]
pub(super) struct Whole<C> {
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) choices: Vec<C>,
    pub(super) usage: Used,
}

#[derive(Serialize)]
struct Chunk<'a, C> {
    #[serde(flatten)]
    head: &'a Head,
    choices: &'a [C],
    /// Null in all parts but the last, if it is told at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

struct Streaming<W> {
    head: Head,
    words: W,
    /// Those that go on, by their index.
    running: Vec<(usize, Answer)>,
    usages: Vec<Usage>,
    tells_usage: bool,
    begun: bool,
    ended: bool,
}

/// The body of a stream.
pub(super) fn stream<W: Words>(head: Head, words: W, answers: Vec<Answer>, tells_usage: bool) -> Response {
    let running = answers.into_iter().enumerate().collect();
    let usages = Vec::new();
    sse::events(Streaming { head, words, running, usages, tells_usage, begun: false, ended: false }, sse::COMMENT)
}

impl<W: Words> Streaming<W> {
    fn chunk(&self, out: &mut Vec<u8>, choice: &W::Choice) {
        let usage = self.tells_usage.then_some(Value::Null);
        sse::data(out, &Chunk { head: &self.head, choices: std::slice::from_ref(choice), usage });
    }

    /// The next piece of any answer; its place among those that run, and `None` for its end.
    async fn next(&mut self) -> (usize, Option<Piece>) {
        poll_fn(|context| {
            for (place, (_, answer)) in self.running.iter_mut().enumerate() {
                if let Poll::Ready(piece) = pin!(answer.next()).poll(context) {
                    return Poll::Ready((place, piece));
                }
            }
            Poll::Pending
        })
        .await
    }

    fn say(&mut self, out: &mut Vec<u8>, place: usize, piece: Option<&Piece>) {
        let index = self.running[place].0;
        if let Some(piece) = piece {
            let choice = self.words.piece(index, piece);
            return self.chunk(out, &choice);
        }
        let (index, answer) = self.running.remove(place);
        match answer.completion() {
            Ok(completion) => {
                let choice = self.words.last(index, completion.finish_reason.name());
                self.chunk(out, &choice);
                self.usages.push(completion.usage);
            }
            Err(refusal) => {
                sse::data(out, &errors::body(&refusal));
                self.running.clear();
                self.ended = true;
            }
        }
    }
}

impl<W: Words> Parts for Streaming<W> {
    async fn write(&mut self, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        if self.running.is_empty() {
            if self.tells_usage {
                let usage = serde_json::to_value(Used::of(self.usages.iter().copied())).ok();
                sse::data(out, &Chunk { head: &self.head, choices: &[] as &[W::Choice], usage });
            }
            out.extend_from_slice(b"data: [DONE]\n\n");
            self.ended = true;
            return;
        }
        let (place, piece) = self.next().await;
        if !self.begun {
            self.begun = true;
            for at in 0..self.running.len() {
                if let Some(choice) = self.words.first(self.running[at].0) {
                    self.chunk(out, &choice);
                }
            }
        }
        self.say(out, place, piece.as_ref());
        // What is here already goes into the same packet.
        let mut at = 0;
        while let Some((_, answer)) = self.running.get_mut(at) {
            match answer.ready() {
                Some(piece) => self.say(out, at, Some(&piece)),
                None => at += 1,
            }
        }
    }
}
