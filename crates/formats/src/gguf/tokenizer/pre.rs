//! How a text is cut into words before byte-pair encoding: `tokenizer.ggml.pre`, which names one of llama.cpp's rules.
//!
//! A name stands for a rule and for what comes with it. The rules themselves are in `crates/tokenizer`.

/// A rule for cutting texts into words, called as llama.cpp calls it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are those of llama.cpp")]
pub enum Rule {
    Default,
    Llama3,
    Jais2,
    DeepseekLlm,
    DeepseekCoder,
    Deepseek3,
    Spark25,
    Youtu,
    Falcon,
    Starcoder,
    Gpt2,
    Qwen2,
    Qwen35,
    Poro,
    Viking,
    Tekken,
    Chameleon,
    Gpt4o,
    GraniteMulti,
    TinyAya,
    KimiK2,
    SuperBpe,
    BailingMoe,
    SeedCoder,
    Ufakzeka,
    Afmoe,
    Laguna,
    ExaoneMoe,
    Gemma4,
    SarvamMoe,
    MmBert,
    MiniCpm5,
    Whitespace,
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pre {
    /// How texts are cut.
    pub rule: Rule,
    /// A word that is a token is that token, whatever the merges say.
    pub ignore_merges: bool,
    /// Whether texts begin with BOS, unless the file says otherwise.
    pub(super) begins: bool,
    /// Whether texts begin with BOS whatever the file says.
    pub(super) always_begins: bool,
    /// Whether 11 is BOS where the file names none.
    pub(super) default_bos: bool,
}

/// Names of rules that go by several.
const NAMES: &[(Rule, &[&str])] = &[
    (Rule::Default, &["default"]),
    (Rule::MiniCpm5, &["minicpm5"]),
    (
        Rule::Llama3,
        &[
            "llama3",
            "llama-v3",
            "llama-bpe",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
            "dbrx",
            "smaug-bpe",
            "chatglm-bpe",
            "glm4",
            "glm5",
        ],
    ),
    (Rule::DeepseekLlm, &["deepseek-llm"]),
    (Rule::DeepseekCoder, &["deepseek-coder"]),
    (Rule::Deepseek3, &["deepseek-v3", "hunyuan-dense", "hy_v4", "joyai-llm"]),
    (Rule::Spark25, &["spark2_5"]),
    (Rule::Youtu, &["youtu"]),
    (Rule::Falcon, &["falcon"]),
    (Rule::Starcoder, &["starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"]),
    (
        Rule::Gpt2,
        &[
            "gpt-2",
            "phi-2",
            "jina-es",
            "jina-de",
            "gigachat",
            "jina-v2-es",
            "jina-v2-de",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "jina-v1-en",
            "jina-v2-code",
            "roberta-bpe",
            "mpt",
            "olmo",
            "jais",
            "exaone4",
            "trillion",
            "granite-docling",
        ],
    ),
    (Rule::Jais2, &["jais-2"]),
    (Rule::Gemma4, &["gemma4", "granite-embed-multi-311m"]),
    (Rule::MmBert, &["mmbert"]),
    (Rule::SarvamMoe, &["sarvam-moe"]),
    (Rule::Whitespace, &["whitespace"]),
    (
        Rule::Qwen2,
        &["qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "stablelm2", "megrez", "hunyuan", "grok-2", "solar-open"],
    ),
    (Rule::Qwen35, &["qwen35"]),
    (Rule::Poro, &["poro-chat", "bloom", "gpt3-finnish"]),
    (Rule::Viking, &["viking"]),
    (Rule::Tekken, &["tekken"]),
    (Rule::ExaoneMoe, &["exaone-moe"]),
    (Rule::Chameleon, &["chameleon"]),
    (Rule::Gpt4o, &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"]),
    (Rule::GraniteMulti, &["granite-embed-multi-97m"]),
    (Rule::TinyAya, &["tiny_aya", "cohere2moe"]),
    (Rule::SuperBpe, &["superbpe"]),
    (Rule::BailingMoe, &["bailingmoe", "bailingmoe2", "llada-moe"]),
    (Rule::SeedCoder, &["seed-coder"]),
    (Rule::KimiK2, &["kimi-k2"]),
    (Rule::Ufakzeka, &["ufakzeka"]),
    (Rule::Afmoe, &["afmoe"]),
    (Rule::Laguna, &["laguna"]),
];

/// Names that share the rule of Llama 3, and nothing else with it.
const LIKE_LLAMA3: &[&str] = &["dbrx", "smaug-bpe", "chatglm-bpe", "glm4", "glm5"];

impl Pre {
    /// What `name` stands for, or nothing if llama.cpp does not know it either.
    pub(super) fn named(name: &str) -> Option<Self> {
        let &(rule, _) = NAMES.iter().find(|(_, names)| names.contains(&name))?;
        let llama3 = rule == Rule::Llama3 && !LIKE_LLAMA3.contains(&name);
        let whole = matches!(rule, Rule::MiniCpm5 | Rule::Youtu | Rule::Tekken | Rule::GraniteMulti);
        Some(Self {
            rule,
            ignore_merges: llama3 || whole || matches!(name, "glm4" | "glm5"),
            begins: llama3 || matches!(rule, Rule::Tekken | Rule::Chameleon),
            always_begins: rule == Rule::Gemma4,
            default_bos: !matches!(name, "chatglm-bpe" | "glm4" | "glm5"),
        })
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().flat_map(|(_, names)| names.iter().copied())
    }
}
