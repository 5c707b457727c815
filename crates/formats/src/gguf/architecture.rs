//! The architectures that llama.cpp knows, and what its graphs assert of each.
//!
//! Taken from `llama-arch.cpp` and `src/models/*.cpp` of the pinned llama-cpp-sys-2 0.1.161. A graph's assertion aborts
//! the process when a context is made, long after the file was loaded; so it is checked here.

use crate::{Error, Result};

/// Architectures of language and embedding models.
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "afmoe", "apertus", "arcee", "arctic", "arwkv7", "baichuan", "bailingmoe", "bailingmoe2", "bailingmoe3", "bert",
    "bitnet", "bloom", "chameleon", "chatglm", "codeshell", "cogvlm", "cohere2", "cohere2moe", "command-r", "dbrx",
    "deci", "deepseek", "deepseek2", "deepseek2-ocr", "deepseek32", "deepseek4", "dots1", "dots3note", "dream",
    "ernie4_5", "ernie4_5-moe", "eurobert", "exaone", "exaone-moe", "exaone4", "falcon", "falcon-h1", "gemma",
    "gemma-embedding", "gemma2", "gemma3", "gemma3n", "gemma4", "glm-dsa", "glm4", "glm4moe", "glm5-next",
    "gpt-oss", "gpt2", "gptneox", "granite", "granite_swa", "granitehybrid", "granitemoe", "graniteswitch", "grok",
    "grovemoe", "hrm_text", "hunyuan-dense", "hunyuan-moe", "hunyuan_vl", "hy_v3", "hy_v4", "internlm2", "jais",
    "jais2", "jamba", "jina-bert-v2", "jina-bert-v3", "kimi-k3", "kimi-linear", "laguna", "lfm2", "lfm2moe",
    "llada", "llada-moe", "llama", "llama-embed", "llama4", "maincoder", "mamba", "mamba2", "maple", "mellum",
    "mimo2", "minicpm", "minicpm3", "minimax-01", "minimax-m2", "minimax-m3", "mistral3", "mistral4", "modern-bert",
    "mpt", "muse-glimmer", "nanbeige", "nemotron", "nemotron_h", "nemotron_h_moe", "neo-bert", "nomic-bert",
    "nomic-bert-moe", "olmo", "olmo2", "olmoe", "openelm", "orion", "paddleocr", "pangu-embedded", "phi2", "phi3",
    "phimoe", "plamo", "plamo2", "plamo3", "plm", "qwen", "qwen2", "qwen2moe", "qwen2vl", "qwen3", "qwen35",
    "qwen35moe", "qwen3moe", "qwen3next", "qwen3vl", "qwen3vlmoe", "qwen4exp", "refact", "rnd1", "rwkv6",
    "rwkv6qwen2", "rwkv7", "seed_oss", "smallthinker", "smollm3", "spark2_5", "stablelm", "starcoder", "starcoder2",
    "step35", "t5", "t5encoder", "talkie", "xverse",
];

/// Architectures that llama.cpp knows and cannot run by themselves, and why.
const NOT_RUNNABLE: &[(&str, &str)] = &[
    ("clef", "is a classifier with a head of its own, which is not supported"),
    ("clip", "is the image part of another model"),
    ("dflash", "drafts for another model and cannot run without it"),
    ("eagle3", "drafts for another model and cannot run without it"),
    ("gemma4-assistant", "drafts for another model and cannot run without it"),
    ("gptj", "is known to llama.cpp by name only"),
    ("pockettts", "is a speech model, which is not supported"),
    ("qwen3tts", "is a speech model, which is not supported"),
    ("wavtokenizer-dec", "is a speech model, which is not supported"),
];

/// They look at a text as a whole, forwards and backwards: llama.cpp keeps no cache for them, or has no decoder.
#[rustfmt::skip]
const ENCODERS: &[&str] = &[
    "bert", "dream", "eurobert", "gemma-embedding", "jina-bert-v2", "jina-bert-v3", "llada", "llada-moe", "llama-embed",
    "modern-bert", "neo-bert", "nomic-bert", "nomic-bert-moe", "rnd1", "t5encoder",
];

/// Without attention: there may be no heads at all.
const RECURRENT: &[&str] = &["arwkv7", "mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7"];

/// The number of heads may differ from layer to layer.
#[rustfmt::skip]
const HEADS_BY_LAYER: &[&str] = &[
    "bailingmoe3", "deci", "deepseek4", "dots3note", "falcon-h1", "gemma4", "glm5-next", "granite", "granite_swa",
    "granitehybrid", "granitemoe", "graniteswitch", "jamba", "kimi-k3", "kimi-linear", "laguna", "lfm2", "lfm2moe",
    "mimo2", "minicpm", "minimax-01", "nanbeige", "nemotron_h", "nemotron_h_moe", "openelm", "plamo2", "plamo3",
    "qwen35", "qwen35moe", "qwen3next", "qwen4exp", "spark2_5", "step35",
];

/// Some layers may have no attention, and so no heads.
#[rustfmt::skip]
const ATTENTION_IN_SOME_LAYERS: &[&str] = &[
    "bailingmoe3", "deci", "deepseek4", "falcon-h1", "glm5-next", "granitehybrid", "jamba", "kimi-k3", "kimi-linear",
    "lfm2", "lfm2moe", "minimax-01", "nemotron_h", "nemotron_h_moe", "plamo2", "qwen35", "qwen35moe", "qwen3next",
    "qwen4exp",
];

/// The graph asserts that key and value heads are of one size.
#[rustfmt::skip]
const EQUAL_HEADS: &[&str] = &[
    "afmoe", "apertus", "arcee", "arctic", "baichuan", "bailingmoe2", "bert", "bitnet", "bloom", "chameleon",
    "chatglm", "codeshell", "cogvlm", "cohere2", "cohere2moe", "command-r", "dbrx", "deci", "deepseek", "dots1",
    "dream", "ernie4_5", "ernie4_5-moe", "eurobert", "exaone", "exaone-moe", "exaone4", "falcon", "gemma4", "glm4",
    "glm4moe", "gpt2", "gptneox", "granite", "granite_swa", "granitehybrid", "granitemoe", "graniteswitch", "grok",
    "grovemoe", "hunyuan-dense", "hunyuan-moe", "hunyuan_vl", "hy_v3", "internlm2", "jais", "jais2", "jina-bert-v2",
    "jina-bert-v3", "laguna", "llada", "llada-moe", "llama", "llama-embed", "llama4", "maincoder", "maple",
    "mellum", "minicpm", "minimax-01", "minimax-m2", "minimax-m3", "mistral3", "modern-bert", "mpt", "muse-glimmer",
    "nanbeige", "nemotron", "nemotron_h", "nemotron_h_moe", "neo-bert", "nomic-bert", "nomic-bert-moe", "olmo",
    "olmo2", "olmoe", "openelm", "orion", "paddleocr", "pangu-embedded", "phi2", "phi3", "phimoe", "plamo", "qwen",
    "qwen2", "qwen2moe", "qwen2vl", "qwen3", "qwen35", "qwen35moe", "qwen3moe", "qwen3next", "qwen3vl",
    "qwen3vlmoe", "qwen4exp", "refact", "rnd1", "seed_oss", "smallthinker", "smollm3", "spark2_5", "stablelm",
    "starcoder", "starcoder2", "t5", "t5encoder", "talkie", "xverse",
];

/// The graph asserts that rotary positions cover whole heads.
#[rustfmt::skip]
const WHOLE_ROPE: &[&str] = &[
    "apertus", "arcee", "arctic", "baichuan", "chameleon", "codeshell", "cogvlm", "cohere2moe", "dbrx", "deci",
    "deepseek", "dots1", "dream", "ernie4_5", "ernie4_5-moe", "exaone", "exaone-moe", "exaone4", "falcon",
    "granite", "granite_swa", "granitemoe", "graniteswitch", "grok", "grovemoe", "hunyuan-dense", "hunyuan-moe",
    "hunyuan_vl", "hy_v3", "internlm2", "jais2", "llada", "llada-moe", "llama", "llama-embed", "llama4",
    "maincoder", "mellum", "minicpm", "mistral3", "olmo", "olmo2", "olmoe", "orion", "paddleocr", "pangu-embedded",
    "plamo", "qwen2", "qwen2moe", "qwen2vl", "qwen3", "qwen3moe", "qwen3vl", "qwen3vlmoe", "rnd1", "seed_oss",
    "smallthinker", "smollm3", "starcoder2", "talkie", "xverse",
];

/// Whether llama.cpp knows the name, be it as a model or as part of one.
pub(crate) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || NOT_RUNNABLE.iter().any(|(other, _)| *other == name)
}

/// What is asserted of one architecture.
pub(crate) struct Architecture {
    /// It makes vectors of texts and does not go on with them.
    pub(crate) encoder: bool,
    /// No attention, so no heads.
    pub(crate) recurrent: bool,
    /// Heads may be counted layer by layer.
    pub(crate) heads_by_layer: bool,
    /// Some layers may have no heads.
    pub(crate) attention_in_some_layers: bool,
    /// Key and value heads have one size.
    pub(crate) equal_heads: bool,
    /// Rotary positions cover whole heads.
    pub(crate) whole_rope: bool,
}

impl Architecture {
    /// Looks up an architecture that can run as a model.
    pub(crate) fn find(name: &str) -> Result<Self> {
        if let Some(&(_, reason)) = NOT_RUNNABLE.iter().find(|(other, _)| *other == name) {
            return Err(Error::NotRunnable { name: name.into(), reason });
        }
        if !KNOWN.contains(&name) {
            return Err(Error::Architecture { name: name.into() });
        }
        Ok(Self {
            encoder: ENCODERS.contains(&name),
            recurrent: RECURRENT.contains(&name),
            heads_by_layer: HEADS_BY_LAYER.contains(&name),
            attention_in_some_layers: ATTENTION_IN_SOME_LAYERS.contains(&name),
            equal_heads: EQUAL_HEADS.contains(&name),
            whole_rope: WHOLE_ROPE.contains(&name),
        })
    }
}
