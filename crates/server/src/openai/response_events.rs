//! Answers to `/v1/responses` that are sent as they come: numbered events, each with its name.

use serde_json::{Value, json};
use trillm_core::Piece;
use trillm_llm::Completion;

use super::response::{Head, part, status};
use crate::Refusal;
use crate::sse::named;
use crate::telling::Words;

pub(super) struct Events {
    head: Head,
    /// How many there were.
    count: u64,
}

impl Events {
    pub(super) fn new(head: Head) -> Self {
        Self { head, count: 0 }
    }

    fn say(&mut self, out: &mut Vec<u8>, name: &str, mut event: Value) {
        event["type"] = name.into();
        event["sequence_number"] = self.count.into();
        self.count += 1;
        named(out, name, &event);
    }

    /// An event about the text of the one message.
    fn of_text(&mut self, out: &mut Vec<u8>, name: &str, field: &str, value: Value) {
        let mut event = json!({ "item_id": self.head.item, "output_index": 0, "content_index": 0 });
        event[field] = value;
        if field != "part" {
            event["logprobs"] = json!([]);
        }
        self.say(out, name, event);
    }
}

impl Words for Events {
    fn begin(&mut self, out: &mut Vec<u8>) {
        for name in ["response.created", "response.in_progress"] {
            let event = json!({ "response": self.head.begun() });
            self.say(out, name, event);
        }
        let item = self.head.message("in_progress", &json!([]));
        self.say(out, "response.output_item.added", json!({ "output_index": 0, "item": item }));
        self.of_text(out, "response.content_part.added", "part", part(""));
    }

    fn piece(&mut self, out: &mut Vec<u8>, piece: &Piece) {
        let text = piece.text.as_str();
        if !text.is_empty() {
            self.of_text(out, "response.output_text.delta", "delta", text.into());
        }
    }

    fn end(&mut self, out: &mut Vec<u8>, completion: &Completion) {
        let (status, part) = (status(completion), part(&completion.text));
        self.of_text(out, "response.output_text.done", "text", completion.text.clone().into());
        self.of_text(out, "response.content_part.done", "part", part.clone());
        let item = self.head.message(status, &json!([part]));
        self.say(out, "response.output_item.done", json!({ "output_index": 0, "item": item }));
        let event = json!({ "response": self.head.ended(completion) });
        self.say(out, &format!("response.{status}"), event);
    }

    fn fail(&mut self, out: &mut Vec<u8>, refusal: &Refusal) {
        let event = json!({ "response": self.head.failed(refusal) });
        self.say(out, "response.failed", event);
    }
}
