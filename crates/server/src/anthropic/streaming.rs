//! Answers that are sent as they come.

use serde_json::json;
use trillm_core::{Piece, Usage};
use trillm_llm::Completion;

use super::errors;
use super::head::Head;
use super::usage::used;
use crate::Refusal;
use crate::sse::named;
use crate::telling::Words;

/// Events of an answer, which is one block of text.
pub(super) struct Events {
    pub(super) head: Head,
    /// Tokens of the prompt.
    pub(super) tokens: u32,
}

impl Words for Events {
    fn begin(&mut self, out: &mut Vec<u8>) {
        let usage = Usage { prompt_tokens: self.tokens, ..Usage::default() };
        let message = self.head.message(&json!([]), (None, None), usage);
        named(out, "message_start", &json!({ "type": "message_start", "message": message }));
        let block = json!({ "type": "text", "text": "" });
        named(
            out,
            "content_block_start",
            &json!({ "type": "content_block_start", "index": 0, "content_block": block }),
        );
        named(out, "ping", &json!({ "type": "ping" }));
    }

    fn piece(&mut self, out: &mut Vec<u8>, piece: &Piece) {
        let text = piece.text.as_str();
        if !text.is_empty() {
            let delta = json!({ "type": "text_delta", "text": text });
            named(out, "content_block_delta", &json!({ "type": "content_block_delta", "index": 0, "delta": delta }));
        }
    }

    fn end(&mut self, out: &mut Vec<u8>, completion: &Completion) {
        named(out, "content_block_stop", &json!({ "type": "content_block_stop", "index": 0 }));
        let (reason, stop) = self.head.reason(completion.finish_reason);
        let delta = json!({ "stop_reason": reason, "stop_sequence": stop });
        let used = used(completion.usage);
        named(out, "message_delta", &json!({ "type": "message_delta", "delta": delta, "usage": used }));
        named(out, "message_stop", &json!({ "type": "message_stop" }));
    }

    fn fail(&mut self, out: &mut Vec<u8>, refusal: &Refusal) {
        named(out, "error", &errors::body(refusal));
    }
}
