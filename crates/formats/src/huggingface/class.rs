//! `architectures`: the class of transformers that a model was saved from, which says what it is for. The tensors of a
//! classifier are those of a model that generates, but for the last.

use std::path::Path;

use serde_json::{Map, Value};
use trillm_core::Purpose;

use super::CONFIG;
use crate::{disk, json};

/// Ends of names of classes that predict the next token.
const TEXT: [&str; 4] = ["ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForCausalLMWithValueHead"];

/// Ends of names of classes that label texts, or parts of them.
const LABELS: [&str; 7] = [
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMultipleChoice",
    "ForNextSentencePrediction",
    "RewardModel",
    "ForReward",
];

/// The first class that a `config.json` names; empty if it names none.
pub(crate) fn class(config: &Map<String, Value>) -> &str {
    let first = config.get("architectures").and_then(|list| list.as_array()?.first()?.as_str());
    first.filter(|name| name.len() <= 200).unwrap_or_default()
}

/// What a model of a class is for; `has_head` says whether it has a matrix of its own for the scores of tokens.
pub(crate) fn purpose(class: &str, has_head: bool) -> Purpose {
    let ends = |ends: &[&str]| ends.iter().any(|end| class.ends_with(end));
    if ends(&LABELS) {
        Purpose::Labels
    } else if class.is_empty() || has_head || ends(&TEXT) {
        Purpose::Text
    } else {
        // `LlamaModel`: the states alone. Its embedding would make scores that it was never trained for.
        Purpose::Vectors
    }
}

/// What the model is for whose `config.json` lies at `path`; `None` if it cannot be read.
pub fn purpose_of(path: &Path) -> Option<Purpose> {
    let bytes = disk::small(path, CONFIG).ok().flatten()?;
    let config = json::object(&bytes, CONFIG, "config.json").ok()?;
    Some(purpose(class(&config), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_says_what_a_model_is_for() {
        for (class, alone, with_head) in [
            ("", Purpose::Text, Purpose::Text),
            ("LlamaForCausalLM", Purpose::Text, Purpose::Text),
            ("GPT2LMHeadModel", Purpose::Text, Purpose::Text),
            ("Gemma3ForConditionalGeneration", Purpose::Text, Purpose::Text),
            ("Qwen3Model", Purpose::Vectors, Purpose::Text),
            ("Gemma3TextModel", Purpose::Vectors, Purpose::Text),
            ("BertForMaskedLM", Purpose::Vectors, Purpose::Text),
            ("Qwen3ForSequenceClassification", Purpose::Labels, Purpose::Labels),
            ("LlamaForTokenClassification", Purpose::Labels, Purpose::Labels),
            ("Qwen2ForQuestionAnswering", Purpose::Labels, Purpose::Labels),
            ("Qwen2ForRewardModel", Purpose::Labels, Purpose::Labels),
        ] {
            assert_eq!((purpose(class, false), purpose(class, true)), (alone, with_head), "{class}");
        }
    }
}
