//! What an answer to `/v1/responses` says of itself, at its begin and at its end.

use serde_json::{Map, Value, json};
use trillm_core::FinishReason;
use trillm_llm::Completion;

use crate::Refusal;
use crate::app::{App, now};

/// What is the same at all times.
pub(super) struct Head {
    pub(super) id: String,
    /// Of the one message in it.
    pub(super) item: String,
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) instructions: Option<String>,
    pub(super) max_output_tokens: Option<u32>,
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    pub(super) metadata: Map<String, Value>,
}

impl Head {
    /// Of an answer that begins now.
    pub(super) fn new(app: &App) -> Self {
        Self {
            id: app.id("resp"),
            item: app.id("msg"),
            created: now().as_secs(),
            model: String::new(),
            instructions: None,
            max_output_tokens: None,
            temperature: None,
            top_p: None,
            metadata: Map::new(),
        }
    }

    fn response(&self, status: &str, output: &Value) -> Value {
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "metadata": self.metadata,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": false,
            "previous_response_id": null,
            "store": false,
            "temperature": self.temperature,
            "text": { "format": { "type": "text" } },
            "tool_choice": "none",
            "tools": [],
            "top_p": self.top_p,
            "truncation": "disabled",
            "usage": null,
        })
    }

    /// Before its first token.
    pub(super) fn begun(&self) -> Value {
        self.response("in_progress", &json!([]))
    }

    /// The one message of it.
    pub(super) fn message(&self, status: &str, content: &Value) -> Value {
        json!({ "id": self.item, "type": "message", "status": status, "role": "assistant", "content": content })
    }

    /// At its end.
    pub(super) fn ended(&self, completion: &Completion) -> Value {
        let status = status(completion);
        let output = json!([self.message(status, &json!([part(&completion.text)]))]);
        let mut said = self.response(status, &output);
        if status == "incomplete" {
            said["incomplete_details"] = json!({ "reason": "max_output_tokens" });
        }
        let usage = completion.usage;
        said["usage"] = json!({
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": { "cached_tokens": usage.cached_tokens, "cache_write_tokens": 0 },
            "output_tokens": usage.completion_tokens,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        });
        said
    }

    /// Where it ended early.
    pub(super) fn failed(&self, refusal: &Refusal) -> Value {
        let mut said = self.response("failed", &json!([]));
        said["error"] = json!({ "code": refusal.code, "message": refusal.text() });
        said
    }
}

/// How an answer ended.
pub(super) fn status(completion: &Completion) -> &'static str {
    match completion.finish_reason {
        FinishReason::Length => "incomplete",
        FinishReason::Stop | FinishReason::StopString(_) => "completed",
    }
}

/// A part of a message: its text.
pub(super) fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}
