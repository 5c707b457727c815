//! Tokens with a task that the class of a tokenizer has where no file names them: `<s>` of `LlamaTokenizer`, ….
//!
//! Classes, their tokens, and which class counts where files disagree are those of transformers 5.24
//! (`AutoTokenizer.from_pretrained`, and the signatures of `tokenization_*.py`). What is not listed has none: too few
//! names are what most files mean. One rule is not followed, since it needs `tokenizer.json`: a `LlamaTokenizer` whose
//! vocabulary is byte-level has none there.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::added::NAMES;

/// Texts in the order of [`NAMES`].
type Texts = [Option<&'static str>; NAMES.len()];

/// The class for any `tokenizer.json`, which has no tokens of its own.
const ANY: &str = "TokenizersBackend";

const ROBERTA: Texts =
    [Some("<s>"), Some("</s>"), Some("<unk>"), Some("</s>"), Some("<pad>"), Some("<s>"), Some("<mask>")];

#[rustfmt::skip]
const CLASSES: [(&str, Texts); 15] = [
    ("AlbertTokenizer", [Some("[CLS]"), Some("[SEP]"), Some("<unk>"), Some("[SEP]"), Some("<pad>"), Some("[CLS]"), Some("[MASK]")]),
    ("BertTokenizer", [None, None, Some("[UNK]"), Some("[SEP]"), Some("[PAD]"), Some("[CLS]"), Some("[MASK]")]),
    ("CamembertTokenizer", ROBERTA),
    ("CodeGenTokenizer", [Some("<|endoftext|>"), Some("<|endoftext|>"), Some("<|endoftext|>"), None, None, None, None]),
    ("CodeLlamaTokenizer", [Some("<s>"), Some("</s>"), Some("<unk>"), None, None, None, None]),
    ("CohereTokenizer", [Some("<BOS_TOKEN>"), Some("<|END_OF_TURN_TOKEN|>"), Some("<UNK>"), Some("<SEP>"), Some("<PAD>"), Some("<CLS>"), Some("<MASK_TOKEN>")]),
    ("DebertaTokenizer", [Some("[CLS]"), Some("[SEP]"), Some("[UNK]"), Some("[SEP]"), Some("[PAD]"), Some("[CLS]"), Some("[MASK]")]),
    ("DebertaV2Tokenizer", [Some("[CLS]"), Some("[SEP]"), Some("[UNK]"), Some("[SEP]"), Some("[PAD]"), Some("[CLS]"), Some("[MASK]")]),
    ("GPT2Tokenizer", [Some("<|endoftext|>"), Some("<|endoftext|>"), Some("<|endoftext|>"), None, None, None, None]),
    ("GPTNeoXTokenizer", [Some("<|endoftext|>"), Some("<|endoftext|>"), Some("<|endoftext|>"), None, Some("<|padding|>"), None, None]),
    ("GemmaTokenizer", [Some("<bos>"), Some("<eos>"), Some("<unk>"), None, Some("<pad>"), None, Some("<mask>")]),
    ("LlamaTokenizer", [Some("<s>"), Some("</s>"), Some("<unk>"), None, None, None, None]),
    ("Qwen2Tokenizer", [None, Some("<|endoftext|>"), Some("<|endoftext|>"), None, Some("<|endoftext|>"), None, None]),
    ("RobertaTokenizer", ROBERTA),
    ("XLMRobertaTokenizer", ROBERTA),
];

/// The class that a type of model has where no file names one (`TOKENIZER_MAPPING_NAMES`). Llama has none.
#[rustfmt::skip]
const TYPES: [(&str, &str); 36] = [
    ("albert", "AlbertTokenizer"), ("bart", "RobertaTokenizer"), ("bert", "BertTokenizer"), ("camembert", "CamembertTokenizer"),
    ("codegen", "GPT2Tokenizer"), ("cohere", "CohereTokenizer"), ("cohere2", "CohereTokenizer"),
    ("deberta", "DebertaTokenizer"), ("deberta-v2", "DebertaV2Tokenizer"), ("distilbert", "BertTokenizer"),
    ("electra", "BertTokenizer"), ("gemma", "GemmaTokenizer"), ("gemma2", "GemmaTokenizer"), ("gemma3", "GemmaTokenizer"),
    ("gemma3_text", "GemmaTokenizer"), ("gemma3n", "GemmaTokenizer"), ("gpt2", "GPT2Tokenizer"), ("gpt_neo", "GPT2Tokenizer"),
    ("gpt_neox", "GPTNeoXTokenizer"), ("gptj", "GPT2Tokenizer"), ("granite", ANY), ("granitemoe", ANY), ("ministral", ANY),
    ("mistral", ANY), ("mixtral", ANY), ("modernbert", ANY), ("nomic_bert", "BertTokenizer"), ("olmo", "GPTNeoXTokenizer"),
    ("olmo2", ANY), ("opt", "GPT2Tokenizer"), ("phi3", ANY), ("qwen2", "Qwen2Tokenizer"), ("qwen3", "Qwen2Tokenizer"),
    ("roberta", "RobertaTokenizer"), ("stablelm", ANY), ("xlm-roberta", "XLMRobertaTokenizer"),
];

/// Types of models whose files name a wrong class so often that the type's own counts.
const NAMED_WRONG: [&str; 1] = ["qwen2"];

/// The tokens that no file says anything of, by name: `tokens` is what the files of the tokenizer say together.
pub(super) fn read(tokens: &Map<String, Value>, config: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |object: &Map<String, Value>, key: &str| object.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let named = text(tokens, "tokenizer_class").or_else(|| text(config, "tokenizer_class"));
    let class = class(named.as_deref(), &text(config, "model_type").unwrap_or_default());
    let texts = CLASSES.iter().find(|(known, _)| class == Some(known)).map_or([None; NAMES.len()], |(_, texts)| *texts);
    let unsaid = NAMES.into_iter().zip(texts).filter(|(name, _)| !tokens.contains_key(*name));
    unsaid.filter_map(|(name, text)| Some((name.to_owned(), text?.to_owned()))).collect()
}

/// The class that is made of the one that files name and the one that a type of model has.
fn class<'a>(named: Option<&'a str>, model_type: &str) -> Option<&'a str> {
    let of_type = TYPES.iter().find(|(known, _)| *known == model_type).map(|(_, class)| *class);
    let Some(named) = named else { return of_type };
    match of_type {
        Some(ANY) => None,
        Some(class) if NAMED_WRONG.contains(&model_type) => Some(class),
        _ => Some(named.strip_suffix("Fast").unwrap_or(named)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_the_one_that_transformers_makes() {
        // As `AutoTokenizer` of transformers 5.24 answered for folders with nothing but these names.
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
            ("", Some("LlamaTokenizer"), Some("LlamaTokenizer")),
        ] {
            let found = class(named, model_type).filter(|class| CLASSES.iter().any(|(known, _)| known == class));
            assert_eq!(found, expected, "{model_type} {named:?}");
        }
    }
}
