//! `genai_config.json`, which onnxruntime-genai reads in place of `config.json` and `generation_config.json`:
//! <https://onnxruntime.ai/docs/genai/reference/config.html>.

use serde_json::{Value, json};

use crate::models::vocabulary::{BOS, EOS};
use crate::models::weights::Shape;

/// What `genai_config.json` says of a model whose graph is the file of this name.
pub(super) fn genai_config(shape: &Shape, graph: &str) -> Value {
    json!({
        "model": {
            "bos_token_id": BOS,
            "context_length": shape.context,
            "decoder": {
                "session_options": { "log_id": "onnxruntime-genai", "provider_options": [] },
                "filename": graph,
                "head_size": shape.head(),
                "hidden_size": shape.width,
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
                "num_attention_heads": shape.heads,
                "num_hidden_layers": shape.layers,
                "num_key_value_heads": shape.kv_heads,
            },
            "eos_token_id": EOS,
            "pad_token_id": EOS,
            "type": "llama",
            "vocab_size": shape.vocabulary,
        },
        "search": {
            "diversity_penalty": 0.0,
            "do_sample": false,
            "early_stopping": true,
            "length_penalty": 1.0,
            "max_length": shape.context,
            "min_length": 0,
            "no_repeat_ngram_size": 0,
            "num_beams": 1,
            "num_return_sequences": 1,
            "past_present_share_buffer": true,
            "repetition_penalty": 1.0,
            "temperature": 1.0,
            "top_k": 50,
            "top_p": 1.0,
        },
    })
}
