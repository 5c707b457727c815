//! How long an answer took, and how many tokens it has.

use std::time::Duration;

use serde::Serialize;
use trillm_llm::Completion;

/// As Ollama's clients read it: times in nanoseconds.
#[derive(Serialize)]
pub(super) struct Figures {
    total_duration: u64,
    load_duration: u64,
    prompt_eval_count: u32,
    prompt_eval_duration: u64,
    eval_count: u32,
    eval_duration: u64,
}

impl Figures {
    /// Of an answer that took that long altogether, and its model to come.
    pub(super) fn of(completion: &Completion, total: Duration, load: Duration) -> Self {
        let nanoseconds = |seconds: f64| (seconds * 1e9) as u64;
        Self {
            total_duration: total.as_nanos() as u64,
            load_duration: load.as_nanos() as u64,
            prompt_eval_count: completion.usage.prompt_tokens,
            prompt_eval_duration: nanoseconds(completion.timings.prefill),
            eval_count: completion.usage.completion_tokens,
            eval_duration: nanoseconds(completion.timings.decode),
        }
    }
}
