//! Parameters of sampling that chats and completions have in common.

use std::collections::BTreeMap;

use serde::Deserialize;
use trillm_core::Token;
use utoipa::ToSchema;

use crate::Refusal;
use crate::ask::Settings;
use crate::texts::OneOrMany;

/// Parameters by the names that clients give them.
#[derive(Deserialize, ToSchema, Default)]
pub(crate) struct Sampling {
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    pub(super) top_k: Option<u32>,
    pub(super) min_p: Option<f32>,
    pub(super) typical_p: Option<f32>,
    #[serde(alias = "repeat_penalty")]
    pub(super) repetition_penalty: Option<f32>,
    pub(super) presence_penalty: Option<f32>,
    pub(super) frequency_penalty: Option<f32>,
    pub(super) seed: Option<i64>,
    pub(super) stop: Option<OneOrMany>,
    pub(super) logit_bias: Option<BTreeMap<String, f32>>,
    pub(super) ignore_eos: Option<bool>,
    pub(super) priority: Option<i32>,
}

impl Sampling {
    pub(super) fn settings(self, max_tokens: Option<u32>, logprobs: Option<u32>) -> Result<Settings, Refusal> {
        let bias = |(id, bias): (String, f32)| match id.parse() {
            // OpenAI's clients ban a token by -100.
            Ok(id) => Ok((Token(id), if bias <= -100.0 { f32::NEG_INFINITY } else { bias })),
            Err(_) => Err(Refusal::field("logit_bias", &format!("for {id:.50?}"), "ids of tokens as keys")),
        };
        let logit_bias = self.logit_bias.unwrap_or_default().into_iter().map(bias).collect::<Result<_, _>>()?;
        Ok(Settings {
            max_tokens,
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            typical_p: self.typical_p,
            repetition_penalty: self.repetition_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            repeat_last_n: None,
            stop: self.stop.map(Into::into),
            seed: self.seed.map(i64::cast_unsigned),
            logit_bias,
            logprobs,
            ignore_eos: self.ignore_eos.unwrap_or(false),
            context: None,
            priority: self.priority.unwrap_or(0),
        })
    }
}

/// The most answers to one question.
const MOST: u32 = 128;

/// How many answers are wanted.
pub(super) fn count(n: Option<u32>) -> Result<u32, Refusal> {
    let n = n.unwrap_or(1);
    if (1..=MOST).contains(&n) { Ok(n) } else { Err(Refusal::field("n", &n.to_string(), "1 to 128")) }
}
