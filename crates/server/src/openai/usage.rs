//! How many tokens a request took.

use serde::Serialize;
use trillm_core::Usage;

/// As OpenAI's clients read it.
#[derive(Serialize, Clone, Copy, Default)]
pub(super) struct Used {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: Details,
}

#[derive(Serialize, Clone, Copy, Default)]
struct Details {
    cached_tokens: u32,
}

impl Used {
    /// Of several answers to one question, which counts once.
    pub(super) fn of(usages: impl IntoIterator<Item = Usage>) -> Self {
        usages.into_iter().fold(Self::default(), |sum, usage| {
            let completion_tokens = sum.completion_tokens + usage.completion_tokens;
            Self {
                prompt_tokens: usage.prompt_tokens,
                completion_tokens,
                total_tokens: usage.prompt_tokens + completion_tokens,
                prompt_tokens_details: Details {
                    cached_tokens: sum.prompt_tokens_details.cached_tokens.max(usage.cached_tokens),
                },
            }
        })
    }
    /// Of answers to two questions.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
            total_tokens: self.total_tokens + other.total_tokens,
            prompt_tokens_details: Details {
                cached_tokens: self.prompt_tokens_details.cached_tokens + other.prompt_tokens_details.cached_tokens,
            },
        }
    }
}
