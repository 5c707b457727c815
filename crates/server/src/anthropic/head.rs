//! What an answer says of itself, however it is sent.

use serde_json::{Value, json};
use trillm_core::{FinishReason, Usage};

use super::usage::used;

/// Of one answer.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) model: String,
    /// Texts at which the client wants it to end.
    pub(super) stops: Option<Vec<String>>,
}

impl Head {
    /// The whole of it, with why it ended and at which text.
    pub(super) fn message(&self, content: &Value, end: (Option<&str>, Option<&str>), usage: Usage) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": end.0,
            "stop_sequence": end.1,
            "usage": used(usage),
        })
    }

    /// Why an answer ended, and at which text.
    pub(super) fn reason(&self, finish: FinishReason) -> (Option<&'static str>, Option<&str>) {
        match finish {
            FinishReason::Stop => (Some("end_turn"), None),
            FinishReason::Length => (Some("max_tokens"), None),
            // Those of the model's publisher are the end of its turn.
            FinishReason::StopString(which) => match self.stops.as_ref().and_then(|stops| stops.get(which)) {
                Some(stop) => (Some("stop_sequence"), Some(stop)),
                None => (Some("end_turn"), None),
            },
        }
    }
}
