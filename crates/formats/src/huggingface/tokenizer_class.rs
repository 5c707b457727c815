//! The class of a tokenizer, which says what its files leave out and, for some, what they say otherwise.
//!
//! Which class counts where files disagree is as in transformers 5.24 (`AutoTokenizer.from_pretrained`). One rule is not
//! followed, since it needs `tokenizer.json`: a `LlamaTokenizer` whose vocabulary is byte-level is none there.

use serde_json::{Map, Value};

/// The class for any `tokenizer.json`.
const ANY: &str = "TokenizersBackend";

/// Other names of classes.
const ALIASES: [(&str, &str); 9] = [
    ("BartTokenizer", "RobertaTokenizer"),
    ("ElectraTokenizer", "BertTokenizer"),
    ("LEDTokenizer", "RobertaTokenizer"),
    ("LayoutLMTokenizer", "BertTokenizer"),
    ("LongformerTokenizer", "RobertaTokenizer"),
    ("LxmertTokenizer", "BertTokenizer"),
    ("MobileBertTokenizer", "BertTokenizer"),
    ("MvpTokenizer", "RobertaTokenizer"),
    ("SqueezeBertTokenizer", "BertTokenizer"),
];

/// The class that a type of model has where no file names one (`TOKENIZER_MAPPING_NAMES`). Llama has none.
#[rustfmt::skip]
const TYPES: [(&str, &str); 47] = [
    ("albert", "AlbertTokenizer"), ("bart", "RobertaTokenizer"), ("bert", "BertTokenizer"),
    ("camembert", "CamembertTokenizer"), ("codegen", "GPT2Tokenizer"), ("cohere", "CohereTokenizer"),
    ("cohere2", "CohereTokenizer"), ("convbert", "BertTokenizer"), ("deberta", "DebertaTokenizer"),
    ("deberta-v2", "DebertaV2Tokenizer"), ("distilbert", "BertTokenizer"), ("dpr", "DPRQuestionEncoderTokenizer"),
    ("electra", "BertTokenizer"), ("ernie", "BertTokenizer"), ("funnel", "FunnelTokenizer"), ("gemma", "GemmaTokenizer"),
    ("gemma2", "GemmaTokenizer"), ("gemma3", "GemmaTokenizer"), ("gemma3_text", "GemmaTokenizer"),
    ("gemma3n", "GemmaTokenizer"), ("gpt2", "GPT2Tokenizer"), ("gpt_neo", "GPT2Tokenizer"),
    ("gpt_neox", "GPTNeoXTokenizer"), ("gptj", "GPT2Tokenizer"), ("granite", ANY), ("granitemoe", ANY),
    ("layoutlm", "BertTokenizer"), ("lxmert", "BertTokenizer"), ("megatron-bert", "BertTokenizer"), ("ministral", ANY),
    ("mistral", ANY), ("mixtral", ANY), ("mobilebert", "BertTokenizer"), ("modernbert", ANY), ("mpnet", "MPNetTokenizer"),
    ("nomic_bert", "BertTokenizer"), ("olmo", "GPTNeoXTokenizer"), ("olmo2", ANY), ("opt", "GPT2Tokenizer"), ("phi3", ANY),
    ("qwen2", "Qwen2Tokenizer"), ("qwen3", "Qwen2Tokenizer"), ("roberta", "RobertaTokenizer"),
    ("splinter", "SplinterTokenizer"), ("squeezebert", "BertTokenizer"), ("stablelm", ANY),
    ("xlm-roberta", "XLMRobertaTokenizer"),
];

/// Types of models whose files name a wrong class so often that the type's own counts.
const NAMED_WRONG: [&str; 1] = ["qwen2"];

/// The class of the tokenizer, by its name without `Fast` and under the name that stands for its aliases; `None` for the
/// one that takes any `tokenizer.json` as it is. `tokens` is what the files of the tokenizer say together.
pub(super) fn tokenizer_class<'a>(tokens: &'a Map<String, Value>, config: &'a Map<String, Value>) -> Option<&'a str> {
    const KEY: &str = "tokenizer_class";
    let text = |object: &'a Map<String, Value>, key: &str| object.get(key).and_then(Value::as_str);
    class(text(tokens, KEY).or(text(config, KEY)), text(config, "model_type").unwrap_or_default())
}

/// The class that is made of the one that files name and the one that a type of model has.
fn class<'a>(named: Option<&'a str>, model_type: &str) -> Option<&'a str> {
    let of_type = TYPES.iter().find(|(known, _)| *known == model_type).map(|(_, class)| *class);
    let Some(named) = named else { return of_type.filter(|class| *class != ANY) };
    let class = match of_type {
        Some(ANY) => return None,
        Some(class) if NAMED_WRONG.contains(&model_type) => class,
        _ => named.strip_suffix("Fast").unwrap_or(named),
    };
    Some(ALIASES.iter().find(|(alias, _)| *alias == class).map_or(class, |(_, class)| class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_the_one_that_transformers_makes() {
        // As `AutoTokenizer` of transformers 5.24 answered for folders with nothing but these names.
        const UNKNOWN: [&str; 3] = ["NoSuchTokenizer", "PreTrainedTokenizer", "TokenizersBackend"];
        for (model_type, named, expected) in [
            ("llama", None, None),
            ("llama", Some("LlamaTokenizerFast"), Some("LlamaTokenizer")),
            ("llama", Some("PreTrainedTokenizerFast"), None),
            ("llama", Some("BertTokenizer"), Some("BertTokenizer")),
            ("mistral", None, None),
            ("mistral", Some("LlamaTokenizer"), None),
            ("qwen2", None, Some("Qwen2Tokenizer")),
            ("qwen2", Some("LlamaTokenizerFast"), Some("Qwen2Tokenizer")),
            ("qwen3", None, Some("Qwen2Tokenizer")),
            ("qwen3", Some("LlamaTokenizer"), Some("LlamaTokenizer")),
            ("qwen3", Some("TokenizersBackend"), None),
            ("smollm3", None, None),
            ("smollm3", Some("GPT2TokenizerFast"), Some("GPT2Tokenizer")),
            ("gemma2", Some("NoSuchTokenizer"), None),
            ("gemma3_text", None, Some("GemmaTokenizer")),
            ("phi3", Some("LlamaTokenizerFast"), None),
            ("granite", Some("GPT2Tokenizer"), None),
            ("bert", None, Some("BertTokenizer")),
            ("bert", Some("ElectraTokenizerFast"), Some("BertTokenizer")),
            ("bert", Some("DistilBertTokenizer"), Some("DistilBertTokenizer")),
            ("distilbert", None, Some("BertTokenizer")),
            ("mpnet", None, Some("MPNetTokenizer")),
            ("mpnet", Some("BertTokenizer"), Some("BertTokenizer")),
            ("modernbert", Some("BertTokenizer"), None),
            ("dpr", None, Some("DPRQuestionEncoderTokenizer")),
            ("", Some("LlamaTokenizer"), Some("LlamaTokenizer")),
        ] {
            let found = class(named, model_type).filter(|class| !UNKNOWN.contains(class));
            assert_eq!(found, expected, "{model_type} {named:?}");
        }
    }
}
