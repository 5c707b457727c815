"""The tiny models of the golden files: what their `config.json` says, and what must matter in them.

Sizes are small enough to be committed and odd enough to show a mistake: few layers, heads that do not fill the width,
a vocabulary that is no multiple of anything, windows and original context lengths shorter than the longer prompt.
Some configurations have the form that transformers wrote before version 5 (`rope_theta`, `rope_scaling`,
`torch_dtype`), the others the newer one (`rope_parameters`, `dtype`): files of both kinds are in use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["DECODERS", "ENCODERS", "Decoder", "Encoder", "Json"]

Json = dict[str, Any]

OLD: Json = {"torch_dtype": "bfloat16", "transformers_version": "4.48.0"}
NEW: Json = {"dtype": "bfloat16", "transformers_version": "5.23.0"}
TOKENS: Json = {"bos_token_id": 1, "eos_token_id": 2}
COMMON: Json = {
    **TOKENS,
    "attention_dropout": 0.0,
    "hidden_act": "silu",
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 72,
    "max_position_embeddings": 128,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "use_cache": True,
    "vocab_size": 96,
}
LLAMA: Json = {**COMMON, "architectures": ["LlamaForCausalLM"], "model_type": "llama", "tie_word_embeddings": False}
PLAIN: Json = {"rope_type": "default", "rope_theta": 10000.0}


@dataclass(frozen=True)
class Decoder:
    """A model that writes text."""

    name: str
    config: Json
    # For each feature the changes to the configuration that turn it off: the logits must then be others. A golden file
    # that a loader can match without the feature would test nothing.
    without: dict[str, Json]
    # The standard deviation of the token embeddings, and how much larger than 1/sqrt(inputs) that of the output layer.
    embedding: float = 1.0
    output: float = 3.0
    # What is added to the weights of the norms of queries and keys, to make attention sharp.
    query_key_norm: float = 0.6


@dataclass(frozen=True)
class Encoder:
    """A model that makes vectors, with the files around it that say how."""

    name: str
    config: Json
    files: dict[str, Any] = field(default_factory=dict)


def gemma3_text(form: Json) -> Json:
    """The text part of Gemma 3, less what says which layers slide and how they rotate."""
    return {
        **COMMON,
        "attn_logit_softcapping": None,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "final_logit_softcapping": None,
        "head_dim": 12,
        "hidden_activation": "gelu_pytorch_tanh",
        "intermediate_size": 48,
        "model_type": "gemma3_text",
        "num_hidden_layers": 3,
        "pad_token_id": 0,
        "query_pre_attn_scalar": 20,
        "rms_norm_eps": 1e-6,
        "sliding_window": 10,
        **form,
    }


DECODERS = [
    Decoder(
        "llama",
        {**LLAMA, **OLD, "rope_theta": 10000.0, "rope_scaling": None},
        without={"rope_theta": {"rope_theta": 5000.0}},
    ),
    Decoder(
        "llama-llama3",
        {
            **LLAMA,
            **OLD,
            "head_dim": 16,
            "num_key_value_heads": 1,
            "intermediate_size": 56,
            "rope_theta": 10000.0,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 4.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
        },
        without={"rope_scaling": {"rope_scaling": None}},
    ),
    Decoder(
        "llama-linear",
        # The oldest form of all: the kind of scaling is under `type`.
        {**LLAMA, **OLD, "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.5}},
        without={"rope_scaling": {"rope_scaling": None}},
    ),
    Decoder(
        "llama-yarn",
        {
            **LLAMA,
            **NEW,
            "head_dim": 16,
            "num_key_value_heads": 1,
            "intermediate_size": 56,
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 500.0,
                "factor": 4.0,
                "original_max_position_embeddings": 32,
                "beta_fast": 32.0,
                "beta_slow": 1.0,
            },
        },
        without={
            "yarn": {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
            "attention_factor": {
                "rope_parameters": {
                    "rope_type": "yarn",
                    "rope_theta": 500.0,
                    "factor": 4.0,
                    "original_max_position_embeddings": 32,
                    "beta_fast": 32.0,
                    "beta_slow": 1.0,
                    "attention_factor": 1.0,
                }
            },
        },
    ),
    Decoder(
        "llama-bias",
        {**LLAMA, **NEW, "attention_bias": True, "mlp_bias": True, "rope_parameters": PLAIN},
        without={"attention_bias": {"attention_bias": False}, "mlp_bias": {"mlp_bias": False}},
    ),
    Decoder(
        "mistral",
        {
            **COMMON,
            **OLD,
            "architectures": ["MistralForCausalLM"],
            "head_dim": 10,
            "intermediate_size": 64,
            "model_type": "mistral",
            "rope_theta": 10000.0,
            "sliding_window": 13,
            "tie_word_embeddings": False,
        },
        without={"sliding_window": {"sliding_window": None}},
    ),
    Decoder(
        "qwen2",
        {
            **COMMON,
            **OLD,
            "architectures": ["Qwen2ForCausalLM"],
            "hidden_size": 48,
            "intermediate_size": 56,
            "max_window_layers": 2,
            "model_type": "qwen2",
            "num_attention_heads": 6,
            "rms_norm_eps": 1e-6,
            "rope_theta": 50000.0,
            # A window that is not used, as in most files of this family.
            "sliding_window": 9,
            "tie_word_embeddings": True,
            "use_sliding_window": False,
            "vocab_size": 97,
        },
        without={"sliding_window off": {"use_sliding_window": True, "max_window_layers": 0}},
        embedding=0.4,
    ),
    Decoder(
        "qwen2-sliding",
        {
            **COMMON,
            **NEW,
            "architectures": ["Qwen2ForCausalLM"],
            "intermediate_size": 44,
            "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
            "max_window_layers": 1,
            "model_type": "qwen2",
            "num_hidden_layers": 3,
            "rms_norm_eps": 1e-6,
            "rope_parameters": PLAIN,
            "sliding_window": 9,
            "tie_word_embeddings": False,
            "use_sliding_window": True,
        },
        without={
            "sliding_window": {"layer_types": ["full_attention"] * 3},
            "max_window_layers": {"layer_types": ["sliding_attention"] * 3},
        },
    ),
    Decoder(
        "qwen3",
        {
            **COMMON,
            **NEW,
            "architectures": ["Qwen3ForCausalLM"],
            "attention_bias": False,
            "head_dim": 12,
            "intermediate_size": 64,
            "model_type": "qwen3",
            "rms_norm_eps": 1e-6,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0},
            "sliding_window": None,
            "tie_word_embeddings": True,
            "use_sliding_window": False,
        },
        without={"rope_theta": {"rope_parameters": PLAIN}},
        embedding=0.5,
    ),
    Decoder(
        "smollm3",
        {
            **COMMON,
            **OLD,
            "architectures": ["SmolLM3ForCausalLM"],
            "attention_bias": False,
            "intermediate_size": 44,
            "layer_types": ["full_attention"] * 4,
            "mlp_bias": False,
            "model_type": "smollm3",
            "no_rope_layer_interval": 4,
            "no_rope_layers": [1, 0, 1, 0],
            "num_hidden_layers": 4,
            "pad_token_id": 0,
            "rope_scaling": None,
            "rope_theta": 20000.0,
            "tie_word_embeddings": True,
            "use_sliding_window": False,
        },
        without={
            "no_rope_layers": {"no_rope_layers": [1, 1, 1, 1]},
            "no_rope_layers before interval": {"no_rope_layers": [1, 1, 1, 0]},
        },
        embedding=0.5,
    ),
    Decoder(
        "gemma2",
        {
            **COMMON,
            **OLD,
            "architectures": ["Gemma2ForCausalLM"],
            "attention_bias": False,
            "attn_logit_softcapping": 3.0,
            "bos_token_id": 2,
            "cache_implementation": "hybrid",
            "eos_token_id": 1,
            "final_logit_softcapping": 7.0,
            "head_dim": 12,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_activation": "gelu_pytorch_tanh",
            "intermediate_size": 48,
            "model_type": "gemma2",
            "num_hidden_layers": 3,
            "pad_token_id": 0,
            "query_pre_attn_scalar": 20,
            "rms_norm_eps": 1e-6,
            "rope_theta": 10000.0,
            "sliding_window": 11,
        },
        without={
            "attn_logit_softcapping": {"attn_logit_softcapping": None},
            "final_logit_softcapping": {"final_logit_softcapping": None},
            "query_pre_attn_scalar": {"query_pre_attn_scalar": 12},
            "sliding_window": {"layer_types": ["full_attention"] * 3},
            "full layers": {"layer_types": ["sliding_attention"] * 3},
        },
        embedding=0.6,
    ),
    Decoder(
        "gemma3-text",
        {
            **gemma3_text(OLD),
            "architectures": ["Gemma3ForCausalLM"],
            # A key that its code reads and never uses.
            "attn_logit_softcapping": 3.0,
            "rope_local_base_freq": 300.0,
            "rope_scaling": None,
            "rope_theta": 50000.0,
            "sliding_window_pattern": 2,
        },
        without={
            "rope_local_base_freq": {"rope_local_base_freq": 50000.0},
            "rope_theta": {"rope_theta": 300.0},
            "sliding_window": {"sliding_window": 64},
            "sliding_window_pattern": {"sliding_window_pattern": 3},
            "query_pre_attn_scalar": {"query_pre_attn_scalar": 12},
        },
        embedding=0.5,
        query_key_norm=1.0,
    ),
    Decoder(
        "gemma3",
        {
            **NEW,
            "architectures": ["Gemma3ForConditionalGeneration"],
            "boi_token_index": 90,
            "eoi_token_index": 91,
            "eos_token_id": [1, 3],
            "image_token_index": 92,
            "initializer_range": 0.02,
            "mm_tokens_per_image": 4,
            "model_type": "gemma3",
            "text_config": {
                **gemma3_text({"dtype": "bfloat16"}),
                "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
                "num_key_value_heads": 1,
                "rope_parameters": {
                    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 10000.0},
                    "sliding_attention": {"rope_type": "default", "rope_theta": 300.0},
                },
            },
            # A loader of text has to step over the weights of this part.
            "vision_config": {
                "dtype": "bfloat16",
                "hidden_size": 8,
                "image_size": 8,
                "intermediate_size": 8,
                "model_type": "siglip_vision_model",
                "num_attention_heads": 1,
                "num_hidden_layers": 1,
                "patch_size": 4,
                "vision_use_head": False,
            },
        },
        without={
            "rope of full layers": {
                "text_config.rope_parameters": {
                    "full_attention": {"rope_type": "default", "rope_theta": 10000.0},
                    "sliding_attention": {"rope_type": "default", "rope_theta": 300.0},
                }
            },
            "sliding_window": {"text_config.sliding_window": 64},
        },
        embedding=0.5,
        query_key_norm=1.0,
    ),
    Decoder(
        "phi3",
        {
            **COMMON,
            **NEW,
            "architectures": ["Phi3ForCausalLM"],
            "embd_pdrop": 0.0,
            "hidden_size": 48,
            "intermediate_size": 52,
            "model_type": "phi3",
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "original_max_position_embeddings": 128,
            "pad_token_id": 0,
            "partial_rotary_factor": 0.75,
            "resid_pdrop": 0.0,
            "rope_parameters": {**PLAIN, "partial_rotary_factor": 0.75},
            "sliding_window": 17,
            "tie_word_embeddings": True,
        },
        without={
            "partial_rotary_factor": {
                "partial_rotary_factor": 1.0,
                "rope_parameters": {**PLAIN, "partial_rotary_factor": 1.0},
            },
            "sliding_window": {"sliding_window": None},
        },
        embedding=0.4,
    ),
    Decoder(
        "phi3-longrope",
        {
            **COMMON,
            **OLD,
            "architectures": ["Phi3ForCausalLM"],
            "embd_pdrop": 0.0,
            "intermediate_size": 64,
            "max_position_embeddings": 96,
            "model_type": "phi3",
            # The shorter prompt is rotated by the short factors, the longer one by the long factors from its first
            # token on: transformers chooses by the length of what it is given.
            "original_max_position_embeddings": 24,
            "pad_token_id": 0,
            "resid_pdrop": 0.0,
            "rope_scaling": {
                "type": "longrope",
                "short_factor": [1.0, 1.25, 1.5, 2.0],
                "long_factor": [1.5, 2.0, 4.0, 8.0],
            },
            "rope_theta": 10000.0,
            "sliding_window": None,
            "tie_word_embeddings": False,
        },
        without={
            "longrope": {"rope_scaling": None},
            "long_factor": {
                "rope_scaling": {
                    "type": "longrope",
                    "short_factor": [1.0, 1.25, 1.5, 2.0],
                    "long_factor": [1.0, 1.25, 1.5, 2.0],
                }
            },
        },
    ),
    Decoder(
        "granite",
        {
            **COMMON,
            **NEW,
            "architectures": ["GraniteForCausalLM"],
            "attention_bias": False,
            "attention_multiplier": 0.21,
            "embedding_multiplier": 4.0,
            "logits_scaling": 1.6,
            "mlp_bias": False,
            "model_type": "granite",
            "residual_multiplier": 0.6,
            "rope_parameters": PLAIN,
            "tie_word_embeddings": True,
        },
        without={
            name: {name: 1.0}
            for name in ("attention_multiplier", "embedding_multiplier", "logits_scaling", "residual_multiplier")
        },
        embedding=0.7,
    ),
]

ENCODERS = [
    Encoder(
        "bert",
        {
            **NEW,
            "architectures": ["BertModel"],
            "attention_probs_dropout_prob": 0.0,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.0,
            "hidden_size": 32,
            "initializer_range": 0.02,
            "intermediate_size": 72,
            "layer_norm_eps": 1e-12,
            "max_position_embeddings": 64,
            "model_type": "bert",
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "pad_token_id": 0,
            "position_embedding_type": "absolute",
            "type_vocab_size": 2,
            "vocab_size": 97,
        },
        files={
            "1_Pooling/config.json": {
                "word_embedding_dimension": 32,
                "pooling_mode_cls_token": False,
                "pooling_mode_mean_tokens": True,
                "pooling_mode_max_tokens": False,
                "pooling_mode_mean_sqrt_len_tokens": False,
                "pooling_mode_lasttoken": False,
            },
            "modules.json": [
                {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
            ],
            "sentence_bert_config.json": {"max_seq_length": 48, "do_lower_case": False},
        },
    ),
]
