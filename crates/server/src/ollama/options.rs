//! `options`: parameters by Ollama's names.

use serde::Deserialize;
use trillm_store::Chat;
use utoipa::ToSchema;

use crate::ask::Settings;
use crate::texts::OneOrMany;

/// Parameters of a request, or of a model that a client makes.
#[derive(Deserialize, ToSchema, Default)]
pub(super) struct Options {
    num_predict: Option<i64>,
    num_ctx: Option<u32>,
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    typical_p: Option<f32>,
    repeat_penalty: Option<f32>,
    repeat_last_n: Option<i64>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    seed: Option<i64>,
    stop: Option<OneOrMany>,
}

impl Options {
    /// As settings of a request. A context of `num_ctx` bounds prompt and answer together; one larger than the model's is
    /// the model's.
    pub(super) fn settings(self, logprobs: Option<u32>) -> Settings {
        Settings {
            // Below one it is without a bound.
            max_tokens: self.num_predict.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0),
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            typical_p: self.typical_p,
            repetition_penalty: self.repeat_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            repeat_last_n: self.repeat_last_n.map(last),
            stop: self.stop.map(Into::into),
            // -1 is any.
            seed: self.seed.and_then(|seed| u64::try_from(seed).ok()),
            context: self.num_ctx,
            logprobs,
            ..Settings::default()
        }
    }

    /// As what a model says of itself, and the names of those that it has no place for.
    pub(super) fn chat(self, system: Option<String>) -> (Chat, Vec<String>) {
        let given = [
            ("num_ctx", self.num_ctx.is_some()),
            ("num_predict", self.num_predict.is_some()),
            ("seed", self.seed.is_some()),
        ];
        let left_out = given.iter().filter(|(_, given)| *given).map(|(name, _)| format!("parameters.{name}"));
        let chat = Chat {
            system,
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            typical_p: self.typical_p,
            repetition_penalty: self.repeat_penalty,
            repeat_last_n: self.repeat_last_n.map(last),
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            stop: self.stop.map(Into::into),
        };
        (chat, left_out.collect())
    }
}

/// Below zero all tokens count.
fn last(tokens: i64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}
