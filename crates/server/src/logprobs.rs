//! Log-probabilities in the forms of chats, which others share, and of completions.

use serde::Serialize;
use serde_json::{Value, json};
use trillm_core::Logprob;

/// Of a chat's tokens.
#[derive(Serialize)]
pub(crate) struct Content {
    pub(crate) content: Vec<OfToken>,
    refusal: Option<()>,
}

#[derive(Serialize)]
pub(crate) struct OfToken {
    #[serde(flatten)]
    token: Likely,
    top_logprobs: Vec<Likely>,
}

#[derive(Serialize)]
struct Likely {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
}

impl From<&Logprob> for Likely {
    fn from(it: &Logprob) -> Self {
        Self { token: it.text.to_string(), logprob: finite(it.logprob), bytes: it.bytes.to_vec() }
    }
}

/// What is impossible has this number, as with OpenAI: JSON has none for minus infinity.
fn finite(logprob: f32) -> f32 {
    logprob.max(-9999.0)
}

impl Content {
    /// Of some tokens, each with its own first.
    pub(crate) fn of<'a>(tokens: impl IntoIterator<Item = &'a [Logprob]>) -> Self {
        let of = |all: &[Logprob]| {
            let (own, top) = all.split_first()?;
            Some(OfToken { token: own.into(), top_logprobs: top.iter().map(Into::into).collect() })
        };
        Self { content: tokens.into_iter().filter_map(of).collect(), refusal: None }
    }
}

/// Of a completion's tokens, whose texts begin at `offset` characters.
pub(crate) fn of_completion<'a>(tokens: impl IntoIterator<Item = &'a [Logprob]>, offset: &mut usize) -> Value {
    let (mut texts, mut logprobs, mut tops, mut offsets) = (vec![], vec![], vec![], vec![]);
    for all in tokens {
        let Some((own, top)) = all.split_first() else { continue };
        texts.push(own.text.to_string());
        logprobs.push(finite(own.logprob));
        let top = top.iter().map(|it| (it.text.to_string(), finite(it.logprob).into()));
        tops.push(Value::Object(top.collect()));
        offsets.push(*offset);
        *offset += own.text.chars().count();
    }
    json!({ "tokens": texts, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets })
}
